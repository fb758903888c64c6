// Least squares of a polynomial with M coefficients on N points against their sign.
#include <string.h>

#include "hand.h"

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    (void)inputs;
    int64_t n = numbers[0], m = numbers[1];
    const Real *restrict x = params[0];
    Real *restrict d_x = gradients[0], sum = 0;
    memset(d_x, 0, (size_t)m * sizeof *d_x);
    for (int64_t i = 0; i < n; i++) {
        Real t = -1 + (Real)i * 2 / (Real)(n - 1), power = 1;
        Real residual = (Real)((t > 0) - (t < 0));
        for (int64_t j = 0; j < m; j++) {
            residual -= x[j] * power;
            power *= t;
        }
        sum += residual * residual;
        power = residual;
        for (int64_t j = 0; j < m; j++) {
            d_x[j] -= power;
            power *= t;
        }
    }
    outputs[0][0] = sum / 2;
    return 0;
}
