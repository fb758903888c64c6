// Random instructions that move elements: shapes, slices, pads, concatenations.
#include <math.h>

#include "tests/fuzz/generator.h"

enum { RANK_LIMIT = 5 };

void build_random_broadcast(Generator *g) {
    Value *x = pick(g, ANY_ELEMENT);
    int64_t sizes[RANK_LIMIT], product = type_elements(x->type);
    int axes[RANK_LIMIT], rank = 0;
    for (int axis = 0; axis <= x->type.rank; axis++) {
        while (rank + x->type.rank - axis < RANK_LIMIT - 1 && random_chance(&g->random, 0.35)) {
            int64_t size = random_size(g);
            size = product * size > g->elements_max ? 1 : size;
            product *= size;
            sizes[rank++] = size;
        }
        if (axis < x->type.rank) {
            int64_t size = size_of(x, axis), other = random_size(g);
            bool grows = size == 1 && product * other <= g->elements_max;
            product *= grows ? other : 1;
            axes[axis] = rank;
            sizes[rank++] = grows ? other : size;
        }
    }
    keep(g, build_broadcast(&g->b, x, dims_of_sizes(g, rank, sizes), axes), range_of(g, x));
}

void build_random_reshape(Generator *g) {
    Value *x = pick(g, ANY_ELEMENT);
    int64_t sizes[RANK_LIMIT], left = type_elements(x->type);
    int rank = 0;
    while (rank < RANK_LIMIT - 1 && random_chance(&g->random, 0.7)) {
        int64_t size = random_chance(&g->random, 0.2) ? 1 : random_from(&g->random, 2, 12);
        if (left == 0) {
            sizes[rank++] = size;
        } else if (left % size == 0) {
            sizes[rank++] = size;
            left /= size;
        }
    }
    if (left != 1) {
        sizes[rank++] = left;
    }
    int order[RANK_LIMIT] = {0, 1, 2, 3, 4};
    int64_t mixed[RANK_LIMIT];
    shuffle(&g->random, order, rank);
    for (int i = 0; i < rank; i++) {
        mixed[i] = sizes[order[i]];
    }
    Attribute attribute = {.shape = dims_of_sizes(g, rank, mixed)};
    keep(g, build_op(&g->b, OP_reshape, &x, 1, &attribute), range_of(g, x));
}

void build_random_transpose(Generator *g) {
    Value *x = pick_tensor(g, ANY_ELEMENT);
    int axes[RANK_LIMIT] = {0, 1, 2, 3, 4};
    shuffle(&g->random, axes, x->type.rank);
    keep(g, build_transpose(&g->b, x, axes), range_of(g, x));
}

void build_random_slice(Generator *g) {
    static const int usual[] = {1, 1, 1, 2, 3, -1, -2, -5};
    Value *x = pick_tensor(g, ANY_ELEMENT);
    int64_t start[RANK_LIMIT], stop[RANK_LIMIT];
    int step[RANK_LIMIT];
    for (int axis = 0; axis < x->type.rank; axis++) {
        int size = (int)size_of(x, axis);
        bool whole = random_chance(&g->random, 0.4);
        step[axis] = usual[random_below(&g->random, 8)];
        if (step[axis] > 0) {
            start[axis] = whole ? 0 : random_from(&g->random, 0, size / 2);
            stop[axis] = whole ? size : random_from(&g->random, (int)start[axis], size);
        } else {
            start[axis] = whole ? size - 1 : random_from(&g->random, -1, size - 1);
            stop[axis] = whole ? -1 : random_from(&g->random, -1, (int)start[axis]);
        }
        if (step[axis] > 0 && stop[axis] == start[axis] && stop[axis] < size &&
            random_chance(&g->random, 0.9)) {
            stop[axis]++; // slices without elements are rare
        }
    }
    keep(g,
         build_slice(&g->b, x, dims_of_sizes(g, x->type.rank, start),
                     dims_of_sizes(g, x->type.rank, stop), step),
         range_of(g, x));
}

void build_random_pad(Generator *g) {
    Value *x = pick_tensor(g, ANY_ELEMENT), *fill = match(g, type_scalar(x->type.element));
    int64_t low[RANK_LIMIT], high[RANK_LIMIT], product = 1;
    int step[RANK_LIMIT];
    for (int axis = 0; axis < x->type.rank; axis++) {
        int64_t size = size_of(x, axis), padded = -1;
        for (int tries = 0; padded < 0 || product * padded > 2 * g->elements_max; tries++) {
            bool tame = tries > 5;
            low[axis] = tame ? 0 : random_from(&g->random, -2, 3);
            high[axis] = tame ? 0 : random_from(&g->random, -2, 3);
            step[axis] = tame || random_chance(&g->random, 0.7) ? 1 : random_from(&g->random, 2, 3);
            padded = low[axis] + high[axis] + size + (size > 0 ? (size - 1) * (step[axis] - 1) : 0);
            if (tame) {
                break;
            }
        }
        product *= padded > 0 ? padded : 1;
    }
    Range a = range_of(g, x), b = range_of(g, fill);
    Dims before = dims_of_sizes(g, x->type.rank, low), after = dims_of_sizes(g, x->type.rank, high);
    keep(g, build_pad(&g->b, x, fill, before, after, step),
         (Range){fmin(a.low, b.low), fmax(a.high, b.high)});
}

void build_random_concat(Generator *g) {
    Value *parts[4];
    parts[0] = pick_tensor(g, ANY_ELEMENT);
    Type type = parts[0]->type;
    int count = random_from(&g->random, 1, 4), axis = random_below(&g->random, type.rank);
    Range range = range_of(g, parts[0]);
    if (type_elements(type) * count > 2 * g->elements_max) {
        return;
    }
    for (int i = 1; i < count; i++) {
        int64_t sizes[RANK_LIMIT];
        for (int k = 0; k < type.rank; k++) {
            sizes[k] = dim_value(type.dims[k]);
        }
        sizes[axis] = random_chance(&g->random, 0.4) ? random_below(&g->random, 4) : sizes[axis];
        parts[i] = match(g, type_of(g, type.element, type.rank, sizes));
        Range part = range_of(g, parts[i]);
        range = (Range){fmin(range.low, part.low), fmax(range.high, part.high)};
    }
    if (count > 1 && random_chance(&g->random, 0.5)) {
        Value *first = parts[0];
        parts[0] = parts[count - 1];
        parts[count - 1] = first;
    }
    keep(g, build_concat(&g->b, parts, count, axis), range);
}
