// Cost of K centroids for N points of D numbers, its gradient, the diagonal of its Hessian, and the
// step of Newton's method.
#include <math.h>
#include <string.h>

#include "hand.h"

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    (void)gradients;
    int64_t n = numbers[0], count = numbers[1], d = numbers[2];
    const Real *restrict points = inputs[0], *restrict centroids = params[0];
    Real *restrict gradient = outputs[1], *restrict diagonal = outputs[2], cost = 0;
    memset(gradient, 0, (size_t)(count * d) * sizeof *gradient);
    memset(diagonal, 0, (size_t)(count * d) * sizeof *diagonal);
    for (int64_t i = 0; i < n; i++) {
        const Real *p = points + i * d;
        Real least = INFINITY;
        int64_t nearest = 0;
        for (int64_t k = 0; k < count; k++) {
            Real distance = 0;
            for (int64_t j = 0; j < d; j++) {
                Real difference = p[j] - centroids[k * d + j];
                distance += difference * difference;
            }
            if (distance < least) {
                least = distance;
                nearest = k;
            }
        }
        cost += least;
        for (int64_t j = 0; j < d; j++) {
            gradient[nearest * d + j] += 2 * (centroids[nearest * d + j] - p[j]);
            diagonal[nearest * d + j] += 2;
        }
    }
    outputs[0][0] = cost;
    for (int64_t j = 0; j < count * d; j++)
        outputs[3][j] = gradient[j] / diagonal[j];
    return 0;
}
