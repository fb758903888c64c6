// z = sin(x^2); outputs z, exp(z), x^2.
#include <math.h>

#include "hand.h"

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    (void)numbers, (void)inputs;
    double x = params[0][0], y = x * x, z = sin(y);
    outputs[0][0] = (Real)z;
    outputs[1][0] = (Real)exp(z);
    outputs[2][0] = (Real)y;
    gradients[0][0] = (Real)(2 * x * cos(y));
    return 0;
}
