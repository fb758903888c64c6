// Random instructions that index, reduce and contract.
#include <math.h>
#include <string.h>

#include "tests/fuzz/generator.h"

enum { RANK_LIMIT = 5 };

static bool has_empty_axis(const Value *x) {
    return type_elements(x->type) == 0;
}

static Value *remainder_index(Generator *g, Value *index, int64_t size) {
    Value *limit = build_full(&g->b, index->type, (double)size);
    return build_binary(&g->b, OP_remainder, index, limit);
}

Value *random_index(Generator *g, Type shape, int64_t size) {
    Type type = type_with_element(shape, TYPE_I64);
    Value *index = match(g, type);
    if (random_chance(&g->random, g->failures)) {
        return index;
    }
    if (type.rank > 0 && random_chance(&g->random, 0.3)) {
        int axis = random_below(&g->random, type.rank);
        index = build_iota(&g->b, TYPE_I64, (Dims){type.dims, type.rank}, axis);
        set_range(g, index, (Range){0, (double)dim_value(type.dims[axis]) - 1});
    }
    Range range = range_of(g, index);
    return range.low >= 0 && range.high < (double)size ? index : remainder_index(g, index, size);
}

// An index of this shape for each axis of `x`.
static void random_indices(Generator *g, const Value *x, Type shape, Value **indices) {
    for (int axis = 0; axis < x->type.rank; axis++) {
        indices[axis] = random_index(g, shape, size_of(x, axis));
    }
}

void build_random_gather(Generator *g) {
    Value *x = pick_tensor(g, ANY_ELEMENT), *indices[RANK_LIMIT];
    Type shape = random_shape(g, TYPE_I64);
    if (has_empty_axis(x) && type_elements(shape) > 0) {
        return;
    }
    random_indices(g, x, shape, indices);
    keep(g, build_gather(&g->b, x, indices), range_of(g, x));
}

void build_random_scatter(Generator *g) {
    bool adds = random_chance(&g->random, 0.5);
    int numbers = g->kind == PROGRAM_EXACT ? ANY_INTEGER : ANY_NUMBER;
    Value *x = pick_tensor(g, adds ? numbers : ANY_ELEMENT), *indices[RANK_LIMIT];
    Type shape = random_shape(g, x->type.element);
    if (has_empty_axis(x) && type_elements(shape) > 0) {
        return;
    }
    Value *values = match(g, shape);
    random_indices(g, x, shape, indices);
    Range a = range_of(g, x), b = range_of(g, values);
    double count = adds ? (double)type_elements(shape) : 1;
    Range range = adds ? (Range){a.low + fmin(b.low, 0) * count, a.high + fmax(b.high, 0) * count}
                       : (Range){fmin(a.low, b.low), fmax(a.high, b.high)};
    if (adds && element_is_integer(x->type.element)) {
        range = range_of_element(x->type.element);
    }
    keep(g, build_scatter(&g->b, adds ? OP_scatter_add : OP_scatter_set, x, values, indices),
         range);
}

// Reading and writing a row, as loops do.
void build_random_row(Generator *g) {
    int numbers = g->kind == PROGRAM_EXACT ? ANY_INTEGER : ANY_NUMBER;
    Value *x = pick_tensor(g, numbers);
    if (has_empty_axis(x)) {
        return;
    }
    Value *index = random_index(g, type_scalar(TYPE_I64), size_of(x, 0));
    if (random_chance(&g->random, 0.5)) {
        keep(g, build_row(&g->b, x, index), range_of(g, x));
        return;
    }
    Type row = {x->type.element, x->type.rank - 1, x->type.dims + 1};
    Value *values = match(g, row);
    Op op = random_chance(&g->random, 0.5) ? OP_scatter_add : OP_scatter_set;
    Range a = range_of(g, x), b = range_of(g, values);
    Range sum = {a.low + fmin(b.low, 0), a.high + fmax(b.high, 0)};
    keep(g, build_scatter_row(&g->b, op, x, values, index),
         element_is_integer(row.element) ? range_of_element(row.element) : sum);
}

// ---- reductions

// Factors near 1 keep a product of many in range.
static Value *tame_factors(Generator *g, Value *x, double count) {
    if (element_is_integer(x->type.element) || count < 3) {
        return x;
    }
    return fit(g, x, count < 12 ? -1.5 : 0.8, count < 12 ? 1.5 : 1.2);
}

static Range range_of_reduction(const Generator *g, Op op, const Value *x, double count) {
    Range range = range_of(g, x);
    if (op == OP_reduce_max || op == OP_reduce_min) {
        return range;
    }
    if (element_is_integer(x->type.element)) {
        return range_of_element(x->type.element);
    }
    double bound = fmax(fabs(range.low), fabs(range.high));
    double product = pow(fmax(bound, 1), count);
    return op == OP_reduce_sum ? (Range){fmin(range.low * count, 0), fmax(range.high * count, 0)}
                               : (Range){-product, product};
}

void build_random_reduction(Generator *g) {
    static const Op ops[] = {OP_reduce_sum, OP_reduce_sum, OP_reduce_prod, OP_reduce_max,
                             OP_reduce_min};
    Value *x = pick_tensor(g, ANY_ELEMENT);
    Op op = ops[random_below(&g->random, 5)];
    bool inexact = g->kind == PROGRAM_EXACT && element_is_real(x->type.element);
    if (x->type.element == TYPE_BOOL || inexact) {
        op = ops[random_from(&g->random, 3, 4)];
    }
    if (inexact && g->signs_known) {
        return; // which of 0 and -0 is the largest is not said
    }
    int axes[RANK_LIMIT], count = 0;
    double elements = 1;
    for (int axis = 0; axis < x->type.rank; axis++) {
        bool extreme = op == OP_reduce_max || op == OP_reduce_min;
        if (random_chance(&g->random, 0.6) && !(extreme && size_of(x, axis) == 0)) {
            elements *= (double)size_of(x, axis);
            axes[count++] = axis;
        }
    }
    if (op == OP_reduce_prod) {
        x = tame_factors(g, x, elements);
    }
    Value *result = build_op(&g->b, op, &x, 1, &(Attribute){.axes = {axes, count}});
    keep(g, result, range_of_reduction(g, op, x, elements));
}

void build_random_argmax(Generator *g) {
    Value *x = pick_tensor(g, ANY_NUMBER);
    int axis = random_below(&g->random, x->type.rank);
    if (size_of(x, axis) == 0) {
        return;
    }
    Op op = random_chance(&g->random, 0.5) ? OP_argmax : OP_argmin;
    keep(g, build_argmax(&g->b, op, x, axis), (Range){0, (double)size_of(x, axis) - 1});
}

void build_random_cumsum(Generator *g) {
    Value *x = pick_tensor(g, g->kind == PROGRAM_EXACT ? ANY_INTEGER : ANY_NUMBER);
    int axis = random_below(&g->random, x->type.rank);
    double count = (double)size_of(x, axis);
    Value *sums = build_cumsum(&g->b, x, axis, random_chance(&g->random, 0.5));
    keep(g, sums, range_of_reduction(g, OP_reduce_sum, x, count));
}

// ---- contractions

typedef struct Labels {
    char x[8], y[8], result[16];
    int64_t sizes[8]; // of the axes of y
    int y_rank, result_rank;
    double summed;
} Labels;

static void mix(Random *random, char *letters, int64_t *sizes, int count) {
    for (int i = count - 1; i > 0; i--) {
        int other = random_below(random, i + 1);
        char letter = letters[i];
        letters[i] = letters[other];
        letters[other] = letter;
        if (sizes) {
            int64_t size = sizes[i];
            sizes[i] = sizes[other];
            sizes[other] = size;
        }
    }
}

// Every axis of x is its own, or shared with y and then summed or kept.
static Labels random_labels(Generator *g, const Value *x) {
    Labels labels = {.summed = 1};
    int64_t product = type_elements(x->type);
    for (int axis = 0; axis < x->type.rank; axis++) {
        char letter = (char)('a' + axis);
        bool shared = random_chance(&g->random, 0.6), summed = random_chance(&g->random, 0.7);
        labels.x[axis] = letter;
        if (shared) {
            labels.sizes[labels.y_rank] = size_of(x, axis);
            labels.y[labels.y_rank++] = letter;
        }
        if (shared && summed) {
            labels.summed *= (double)size_of(x, axis);
        } else {
            labels.result[labels.result_rank++] = letter;
        }
    }
    for (int i = 0; i < 2 && labels.y_rank < 4 && labels.result_rank < 4; i++) {
        int64_t size = random_size(g);
        if (random_chance(&g->random, 0.5) && product * size <= 40000) {
            product *= size;
            labels.sizes[labels.y_rank] = size;
            labels.y[labels.y_rank++] = (char)('p' + i);
            labels.result[labels.result_rank++] = (char)('p' + i);
        }
    }
    mix(&g->random, labels.y, labels.sizes, labels.y_rank);
    mix(&g->random, labels.result, NULL, labels.result_rank);
    return labels;
}

void build_random_contraction(Generator *g) {
    int numbers = g->kind == PROGRAM_EXACT ? ANY_INTEGER : ANY_NUMBER;
    Value *x = pick(g, numbers);
    Labels labels = random_labels(g, x);
    Value *y = match(g, type_of(g, x->type.element, labels.y_rank, labels.sizes));
    Range a = range_of(g, x), b = range_of(g, y);
    double bound = fmax(fabs(a.low), fabs(a.high)) * fmax(fabs(b.low), fabs(b.high));
    Range range = {-bound * labels.summed, bound * labels.summed};
    bool swapped = random_chance(&g->random, 0.5);
    const char *text = arena_format(&g->scratch, "%s,%s->%s", swapped ? labels.y : labels.x,
                                    swapped ? labels.x : labels.y, labels.result);
    Value *result = build_contract(&g->b, swapped ? y : x, swapped ? x : y, text);
    keep(g, result,
         element_is_integer(x->type.element) ? range_of_element(x->type.element) : range);
}
