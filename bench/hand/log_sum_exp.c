// Logarithm of the sum of exponentials of N numbers.
#include <math.h>

#include "hand.h"

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    (void)inputs;
    int64_t n = numbers[0];
    const Real *restrict x = params[0];
    Real *restrict d_x = gradients[0];
    Real largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    for (int64_t i = 0; i < n; i++) {
        d_x[i] = (Real)exp((double)(x[i] - largest));
        sum += d_x[i];
    }
    for (int64_t i = 0; i < n; i++)
        d_x[i] /= sum;
    outputs[0][0] = largest + (Real)log((double)sum);
    return 0;
}
