// Mean of squares of N numbers.
#include "hand.h"

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    (void)inputs;
    int64_t n = numbers[0];
    const Real *restrict x = params[0];
    Real *restrict d_x = gradients[0];
    Real scale = 2 / (Real)n;
    enum { LANES = 16 }; // sums of their own, so that the compiler may use vectors
    Real sums[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) {
            sums[j] += x[i + j] * x[i + j];
            d_x[i + j] = scale * x[i + j];
        }
    for (; i < n; i++) {
        sum += x[i] * x[i];
        d_x[i] = scale * x[i];
    }
    for (int j = 0; j < LANES; j++)
        sum += sums[j];
    outputs[0][0] = sum / (Real)n;
    return 0;
}
