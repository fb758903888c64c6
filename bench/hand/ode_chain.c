// A chain of N ordinary differential equations by STEPS steps of Runge-Kutta; gradient of the last.
#include <stdlib.h>
#include <string.h>

#include "hand.h"

static void slope(int64_t n, const Real *restrict x, const Real *restrict y, Real *restrict k) {
    k[0] = x[0];
    for (int64_t i = 1; i < n; i++)
        k[i] = x[i] * y[i - 1];
}

static void advance(int64_t n, const Real *restrict y, Real h, const Real *restrict k,
                    Real *restrict to) {
    for (int64_t i = 0; i < n; i++)
        to[i] = y[i] + h * k[i];
}

// The stages of a step: y1 to y3 are the places of the slopes k[1] to k[3].
typedef struct Stages {
    Real *places[3], *slopes[4];
} Stages;

static void stages(int64_t n, const Real *x, const Real *y, Real h, const Stages *s) {
    slope(n, x, y, s->slopes[0]);
    for (int i = 0; i < 3; i++) {
        advance(n, y, i < 2 ? h / 2 : h, s->slopes[i], s->places[i]);
        slope(n, x, s->places[i], s->slopes[i + 1]);
    }
}

// Adds what a slope at y with the upstream gradient bar gives to d_x, and stores that of y.
static void slope_back(int64_t n, const Real *restrict x, const Real *restrict y,
                       const Real *restrict bar, Real *restrict d_x, Real *restrict d_y) {
    d_x[0] += bar[0];
    for (int64_t i = 1; i < n; i++) {
        d_x[i] += bar[i] * y[i - 1];
        d_y[i - 1] = bar[i] * x[i];
    }
    d_y[n - 1] = 0;
}

static void step_back(int64_t n, const Real *x, const Real *y, Real h, const Stages *s,
                      Real *restrict d_x, Real *restrict bar, Real *restrict k_bar,
                      Real *restrict y_bar, Real *restrict sum) {
    static const Real weights[4] = {1, 2, 2, 1};
    memcpy(sum, bar, (size_t)n * sizeof *sum);
    memset(y_bar, 0, (size_t)n * sizeof *y_bar);
    for (int i = 3; i >= 0; i--) {
        Real reach = i == 3 ? 0 : i == 2 ? h : h / 2;
        for (int64_t j = 0; j < n; j++)
            k_bar[j] = h / 6 * weights[i] * bar[j] + reach * y_bar[j];
        slope_back(n, x, i == 0 ? y : s->places[i - 1], k_bar, d_x, y_bar);
        for (int64_t j = 0; j < n; j++)
            sum[j] += y_bar[j];
    }
    memcpy(bar, sum, (size_t)n * sizeof *sum);
}

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    (void)inputs;
    int64_t n = numbers[0], steps = numbers[1];
    const Real *restrict x = params[0];
    Real *all = calloc((size_t)(n * (steps + 12)), sizeof *all), h = 2 / (Real)steps;
    if (all == NULL)
        return 1;
    Real *buffers = all + n * (steps + 1); // all: y at every step
    Stages s = {{buffers, buffers + n, buffers + 2 * n},
                {buffers + 3 * n, buffers + 4 * n, buffers + 5 * n, buffers + 6 * n}};
    for (int64_t t = 0; t < steps; t++) {
        const Real *restrict y = all + t * n, *const *k = (const Real *const *)s.slopes;
        Real *restrict next = all + (t + 1) * n;
        stages(n, x, y, h, &s);
        for (int64_t i = 0; i < n; i++)
            next[i] = y[i] + h / 6 * (k[0][i] + 2 * k[1][i] + 2 * k[2][i] + k[3][i]);
    }
    outputs[0][0] = all[steps * n + n - 1];
    memcpy(outputs[1], all + steps * n, (size_t)n * sizeof *all);
    Real *bar = buffers + 7 * n;
    bar[n - 1] = 1;
    memset(gradients[0], 0, (size_t)n * sizeof *all);
    for (int64_t t = steps - 1; t >= 0; t--) {
        stages(n, x, all + t * n, h, &s);
        step_back(n, x, all + t * n, h, &s, gradients[0], bar, buffers + 8 * n, buffers + 9 * n,
                  buffers + 10 * n);
    }
    free(all);
    return 0;
}
