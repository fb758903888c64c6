// Mean cross-entropy of logistic regression: N examples of D features.
#include <math.h>
#include <string.h>

#include "hand.h"

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    int64_t n = numbers[0], d = numbers[1];
    const Real *restrict x = inputs[0], *restrict t = inputs[1], *restrict w = params[0];
    Real *restrict d_w = gradients[0], b = params[1][0], d_b = 0;
    double loss = 0;
    memset(d_w, 0, (size_t)d * sizeof *d_w);
    for (int64_t i = 0; i < n; i++) {
        const Real *row = x + i * d;
        Real z = b;
        for (int64_t j = 0; j < d; j++)
            z += row[j] * w[j];
        Real e = (Real)exp(-fabs((double)z));
        loss += (z > 0 ? z : 0) - t[i] * z + log1p((double)e);
        Real p = z > 0 ? 1 / (1 + e) : e / (1 + e);
        Real bar = (p - t[i]) / (Real)n;
        for (int64_t j = 0; j < d; j++)
            d_w[j] += bar * row[j];
        d_b += bar;
    }
    outputs[0][0] = (Real)(loss / (double)n);
    gradients[1][0] = d_b;
    return 0;
}
