// Optimisers over plain buffers.
#include "runtime/optimizer.h"

void sgd_step_f32(const Sgd *sgd, size_t count, float *param, const float *gradient,
                  float *velocity) {
    float rate = (float)sgd->learning_rate, momentum = (float)sgd->momentum;
    float decay = (float)sgd->weight_decay;
    for (size_t i = 0; i < count; i++) {
        float step = gradient[i] + decay * param[i];
        if (velocity)
            step = velocity[i] = momentum * velocity[i] + step;
        param[i] -= rate * step;
    }
}

void sgd_step_f64(const Sgd *sgd, size_t count, double *param, const double *gradient,
                  double *velocity) {
    for (size_t i = 0; i < count; i++) {
        double step = gradient[i] + sgd->weight_decay * param[i];
        if (velocity)
            step = velocity[i] = sgd->momentum * velocity[i] + step;
        param[i] -= sgd->learning_rate * step;
    }
}
