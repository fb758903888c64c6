// Binary cross-entropy of one neuron.
#include <math.h>

#include "hand.h"

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    (void)numbers;
    float x = (float)inputs[0][0], t = (float)inputs[1][0];
    float w = (float)params[0][0], b = (float)params[1][0];
    float p = 1 / (1 + expf(-(w * x + b)));
    float q = fminf(fmaxf(p, 1e-7f), 1 - 1e-7f);
    float slope = -t / q + (1 - t) / (1 - q);
    float bar = p < 1e-7f || p > 1 - 1e-7f ? 0 : slope * p * (1 - p);
    outputs[0][0] = (Real) - (t * logf(q) + (1 - t) * logf(1 - q));
    outputs[1][0] = (Real)p;
    gradients[0][0] = (Real)(bar * x);
    gradients[1][0] = (Real)bar;
    return 0;
}
