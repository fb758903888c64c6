// Optimisers over plain buffers, for programs that link the runtime and for `tdsl train`. They
// allocate nothing: the caller owns params, gradients and state.
#ifndef TDSL_RUNTIME_OPTIMIZER_H
#define TDSL_RUNTIME_OPTIMIZER_H

#include <stddef.h>

// Stochastic gradient descent with momentum, as torch.optim.SGD computes it (dampening 0):
//     g = gradient + weight_decay * param
//     velocity = momentum * velocity + g        (velocity starts as zeros)
//     param = param - learning_rate * velocity
// `velocity` has as many elements as the param; with momentum 0 it may be NULL.
typedef struct Sgd {
    double learning_rate, momentum, weight_decay;
} Sgd;

void sgd_step_f32(const Sgd *sgd, size_t count, float *param, const float *gradient,
                  float *velocity);
void sgd_step_f64(const Sgd *sgd, size_t count, double *param, const double *gradient,
                  double *velocity);

#endif
