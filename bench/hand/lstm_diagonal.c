// The LSTM objective with diagonal weights: LAYERS layers, CHARACTERS characters of B bits.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hand.h"

// What the way back needs of one layer at one time: seven vectors.
enum { IN, HIDDEN, STATE, FORGET, INGATE, OUTGATE, CHANGE, KEPT };

static Real sigmoid(Real x) {
    return 1 / (1 + (Real)exp((double)-x));
}

// x, hidden: what comes in; hidden and state are replaced.
static void cell(int64_t b, const Real *x, Real *hidden, Real *state, const Real *weight,
                 const Real *bias, Real *kept) {
    for (int64_t i = 0; i < b; i++) {
        Real *k = kept + i * KEPT;
        k[IN] = x[i];
        k[HIDDEN] = hidden[i];
        k[STATE] = state[i];
        k[FORGET] = sigmoid(x[i] * weight[i] + bias[i]);
        k[INGATE] = sigmoid(hidden[i] * weight[b + i] + bias[b + i]);
        k[OUTGATE] = sigmoid(x[i] * weight[2 * b + i] + bias[2 * b + i]);
        k[CHANGE] = (Real)tanh((double)(hidden[i] * weight[3 * b + i] + bias[3 * b + i]));
        state[i] = state[i] * k[FORGET] + k[INGATE] * k[CHANGE];
        hidden[i] = k[OUTGATE] * (Real)tanh((double)state[i]);
    }
}

// h_bar, c_bar: gradients of the new hidden and state, replaced by those of the old; x_bar is
// stored.
static void cell_back(int64_t b, const Real *weight, const Real *kept, Real *d_weight, Real *d_bias,
                      Real *h_bar, Real *c_bar, Real *x_bar) {
    for (int64_t i = 0; i < b; i++) {
        const Real *k = kept + i * KEPT;
        Real squashed = (Real)tanh((double)(k[STATE] * k[FORGET] + k[INGATE] * k[CHANGE]));
        Real c = c_bar[i] + h_bar[i] * k[OUTGATE] * (1 - squashed * squashed);
        Real bars[4] = {c * k[STATE] * k[FORGET] * (1 - k[FORGET]),
                        c * k[CHANGE] * k[INGATE] * (1 - k[INGATE]),
                        h_bar[i] * squashed * k[OUTGATE] * (1 - k[OUTGATE]),
                        c * k[INGATE] * (1 - k[CHANGE] * k[CHANGE])};
        for (int gate = 0; gate < 4; gate++) {
            d_weight[gate * b + i] += bars[gate] * k[gate % 2 ? HIDDEN : IN];
            d_bias[gate * b + i] += bars[gate];
        }
        x_bar[i] = bars[0] * weight[i] + bars[2] * weight[2 * b + i];
        h_bar[i] = bars[1] * weight[b + i] + bars[3] * weight[3 * b + i];
        c_bar[i] = c * k[FORGET];
    }
}

typedef struct Sizes {
    int64_t layers, times, b;
} Sizes;

// Per time: what the cells keep, then the last output and the guess.
static int64_t kept_size(const Sizes *s) {
    return s->b * (s->layers * KEPT + 2);
}

static Real forward(const Sizes *s, Real *const *inputs, Real *const *params, Real *kept, Real *x,
                    Real *hidden, Real *state) {
    int64_t b = s->b;
    const Real *extra = params[2];
    Real total = 0;
    memcpy(hidden, inputs[1], (size_t)(s->layers * b) * sizeof *hidden);
    memcpy(state, inputs[2], (size_t)(s->layers * b) * sizeof *state);
    for (int64_t t = 0; t < s->times; t++, kept += kept_size(s)) {
        const Real *in = inputs[0] + t * b, *next = in + b;
        for (int64_t i = 0; i < b; i++)
            x[i] = in[i] * extra[i];
        for (int64_t n = 0; n < s->layers; n++) {
            cell(b, x, hidden + n * b, state + n * b, params[0] + n * 4 * b, params[1] + n * 4 * b,
                 kept + n * b * KEPT);
            memcpy(x, hidden + n * b, (size_t)b * sizeof *x);
        }
        Real *last = kept + s->layers * b * KEPT, *guess = last + b, sum = 2;
        for (int64_t i = 0; i < b; i++) {
            last[i] = x[i];
            guess[i] = x[i] * extra[b + i] + extra[2 * b + i];
            sum += (Real)exp((double)guess[i]);
        }
        Real largest = (Real)log((double)sum);
        for (int64_t i = 0; i < b; i++)
            total += next[i] * (guess[i] - largest);
    }
    return total;
}

// bars: vectors for x, then hidden and state of each layer; zeros.
static void backward(const Sizes *s, Real *const *inputs, Real *const *params,
                     Real *const *gradients, Real scale, const Real *kept, Real *bars) {
    int64_t b = s->b;
    const Real *extra = params[2];
    Real *x_bar = bars, *h_bar = bars + b, *c_bar = h_bar + s->layers * b, *d_extra = gradients[2];
    for (int64_t t = s->times - 1; t >= 0; t--) {
        const Real *in = inputs[0] + t * b, *next = in + b;
        const Real *now = kept + t * kept_size(s);
        const Real *last = now + s->layers * b * KEPT, *guess = last + b;
        Real sum = 2, weight = 0;
        for (int64_t i = 0; i < b; i++) {
            sum += (Real)exp((double)guess[i]);
            weight += next[i];
        }
        for (int64_t i = 0; i < b; i++) {
            Real bar = scale * (next[i] - weight * (Real)exp((double)guess[i]) / sum);
            d_extra[b + i] += bar * last[i];
            d_extra[2 * b + i] += bar;
            h_bar[(s->layers - 1) * b + i] += bar * extra[b + i];
        }
        for (int64_t n = s->layers - 1; n >= 0; n--) {
            cell_back(b, params[0] + n * 4 * b, now + n * b * KEPT, gradients[0] + n * 4 * b,
                      gradients[1] + n * 4 * b, h_bar + n * b, c_bar + n * b, x_bar);
            for (int64_t i = 0; n > 0 && i < b; i++)
                h_bar[(n - 1) * b + i] += x_bar[i];
        }
        for (int64_t i = 0; i < b; i++)
            d_extra[i] += x_bar[i] * in[i];
    }
}

int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients) {
    Sizes s = {numbers[0], numbers[1] - 1, numbers[2]};
    int64_t b = s.b, kept = s.times * kept_size(&s), bars = (2 * s.layers + 1) * b;
    Real *memory = calloc((size_t)(kept + bars + (2 * s.layers + 1) * b), sizeof *memory);
    if (memory == NULL)
        return 1;
    Real *x = memory + kept + bars, count = (Real)(s.times * b);
    memset(gradients[0], 0, (size_t)(s.layers * 4 * b) * sizeof *memory);
    memset(gradients[1], 0, (size_t)(s.layers * 4 * b) * sizeof *memory);
    memset(gradients[2], 0, (size_t)(3 * b) * sizeof *memory);
    outputs[0][0] = -forward(&s, inputs, params, memory, x, x + b, x + b + s.layers * b) / count;
    backward(&s, inputs, params, gradients, -1 / count, memory, memory + kept);
    free(memory);
    return 0;
}
