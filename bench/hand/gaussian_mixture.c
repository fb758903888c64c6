// Log posterior of a Gaussian mixture with a Wishart prior: N points of D numbers, K components.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hand.h"

typedef struct Mixture {
    int64_t n, d, k;
    const Real *x, *alpha, *mu, *q, *l;
    Real *d_alpha, *d_mu, *d_q, *d_l;
    Real *diagonal;           // exp(q)
    Real *sums;               // of q, for each component
    Real *centred, *products; // x - mu, and Q times it, for each component
    Real *beta;
    Real *bar; // gradient of centred
} Mixture;

// products = Q centred for one component; l stands column by column.
static void multiply(int64_t d, const Real *restrict diagonal, const Real *restrict l,
                     const Real *restrict centred, Real *restrict products) {
    for (int64_t i = 0; i < d; i++)
        products[i] = diagonal[i] * centred[i];
    for (int64_t j = 0; j < d; l += d - 1 - j, j++)
        for (int64_t i = j + 1; i < d; i++)
            products[i] += l[i - j - 1] * centred[j];
}

// Gradients of -weight/2 |Q centred|^2 for one component.
static void multiply_back(int64_t d, const Real *restrict diagonal, const Real *restrict l,
                          const Real *restrict centred, const Real *restrict products, Real weight,
                          Real *restrict d_q, Real *restrict d_l, Real *restrict bar) {
    for (int64_t j = 0; j < d; l += d - 1 - j, d_l += d - 1 - j, j++) {
        Real sum = diagonal[j] * products[j], scaled = weight * centred[j];
        d_q[j] -= scaled * products[j] * diagonal[j];
        for (int64_t i = j + 1; i < d; i++) {
            sum += l[i - j - 1] * products[i];
            d_l[i - j - 1] -= scaled * products[i];
        }
        bar[j] = weight * sum;
    }
}

static Real log_sum(int64_t count, const Real *values) {
    Real largest = values[0], sum = 0;
    for (int64_t i = 1; i < count; i++)
        largest = values[i] > largest ? values[i] : largest;
    for (int64_t i = 0; i < count; i++)
        sum += (Real)exp((double)(values[i] - largest));
    return largest + (Real)log((double)sum);
}

static Real point(const Mixture *m, const Real *x) {
    int64_t d = m->d, triangle = d * (d - 1) / 2;
    for (int64_t k = 0; k < m->k; k++) {
        Real *centred = m->centred + k * d, *products = m->products + k * d, square = 0;
        for (int64_t i = 0; i < d; i++)
            centred[i] = x[i] - m->mu[k * d + i];
        multiply(d, m->diagonal + k * d, m->l + k * triangle, centred, products);
        for (int64_t i = 0; i < d; i++)
            square += products[i] * products[i];
        m->beta[k] = m->alpha[k] + m->sums[k] - square / 2;
    }
    Real total = log_sum(m->k, m->beta);
    for (int64_t k = 0; k < m->k; k++) {
        Real weight = (Real)exp((double)(m->beta[k] - total));
        m->d_alpha[k] += weight;
        multiply_back(d, m->diagonal + k * d, m->l + k * triangle, m->centred + k * d,
                      m->products + k * d, weight, m->d_q + k * d, m->d_l + k * triangle, m->bar);
        for (int64_t i = 0; i < d; i++) {
            m->d_q[k * d + i] += weight;
            m->d_mu[k * d + i] += m->bar[i];
        }
    }
    return total;
}

static Real prior(const Mixture *m, Real gamma, Real degrees) {
    int64_t d = m->d, triangle = d * (d - 1) / 2, n = d + (int64_t)degrees + 1;
    double pi = acos(-1.0), gammas = (double)(d * (d - 1)) / 4 * log(pi);
    for (int64_t j = 0; j < d; j++)
        gammas += lgamma(0.5 * (double)(n - j));
    double constant = (double)(n * d) * (log((double)gamma) - 0.5 * log(2.0)) - gammas;
    Real square = 0, sum = 0;
    for (int64_t i = 0; i < m->k * d; i++) {
        square += m->diagonal[i] * m->diagonal[i];
        sum += m->q[i];
        m->d_q[i] += degrees - gamma * gamma * m->diagonal[i] * m->diagonal[i];
    }
    for (int64_t i = 0; i < m->k * triangle; i++) {
        square += m->l[i] * m->l[i];
        m->d_l[i] -= gamma * gamma * m->l[i];
    }
    return (Real)((double)m->k * constant) - gamma * gamma / 2 * square + degrees * sum;
}

static void prepare(const Mixture *m) {
    int64_t d = m->d;
    for (int64_t k = 0; k < m->k; k++) {
        m->sums[k] = 0;
        for (int64_t i = k * d; i < (k + 1) * d; i++) {
            m->diagonal[i] = (Real)exp((double)m->q[i]);
            m->sums[k] += m->q[i];
        }
    }
    memset(m->d_alpha, 0, (size_t)m->k * sizeof(Real));
    memset(m->d_mu, 0, (size_t)(m->k * d) * sizeof(Real));
    memset(m->d_q, 0, (size_t)(m->k * d) * sizeof(Real));
    memset(m->d_l, 0, (size_t)(m->k * d * (d - 1) / 2) * sizeof(Real));
}

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    int64_t n = numbers[0], d = numbers[1], count = numbers[2];
    Real *memory = malloc((size_t)(3 * count * d + 2 * count + d) * sizeof *memory);
    if (memory == NULL)
        return 1;
    Mixture m = {n,
                 d,
                 count,
                 inputs[0],
                 params[0],
                 params[1],
                 params[2],
                 params[3],
                 gradients[0],
                 gradients[1],
                 gradients[2],
                 gradients[3],
                 memory,
                 memory + 3 * count * d,
                 memory + count * d,
                 memory + 2 * count * d,
                 memory + 3 * count * d + count,
                 memory + 3 * count * d + 2 * count};
    prepare(&m);
    Real total = prior(&m, inputs[1][0], inputs[2][0]);
    for (int64_t i = 0; i < n; i++)
        total += point(&m, m.x + i * d);
    Real weights = log_sum(count, m.alpha);
    for (int64_t k = 0; k < count; k++)
        m.d_alpha[k] -= (Real)n * (Real)exp((double)(m.alpha[k] - weights));
    outputs[0][0] = total - (Real)n * ((Real)d / 2 * (Real)log(2 * acos(-1.0)) + weights);
    free(memory);
    return 0;
}
