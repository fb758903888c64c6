// Sums over overlapping windows of a contraction, which are convolutions: inside of the pass
// selections.
#ifndef TDSL_PASSES_CONVOLUTION_H
#define TDSL_PASSES_CONVOLUTION_H

#include "passes/index_values.h"
#include "passes/rewrite.h"

enum { MOST_FOLDS = 4 };

// Axes `place` (of the first operand) and `offset` (of the second) of a contraction become one of
// `extent` elements: element (i, k) is added to i + k * dilation + first.
typedef struct Fold {
    char place, offset;
    int64_t first, extent, size, dilation;
} Fold;

typedef struct Convolution {
    const Value *value; // its result
    Value *x, *y;
    const char *labels; // of the contraction
    Fold folds[MOST_FOLDS];
    int count;
} Convolution;

typedef struct Convolutions {
    VEC(Convolution) all;
    Arena *arena;
} Convolutions;

// The sum of `values`, placed along `axis` as the windows say, in zeros of the given type; NULL if
// `values` is no contraction that can do that at once.
Value *fold_contraction(Builder *b, Convolutions *known, Value *values, int axis,
                        const Windows *windows, Type type);
// A slice of a convolution computes only what it takes; NULL if `slice` is none.
Value *slice_convolution(Builder *b, Convolutions *known, const Inst *slice);

#endif
