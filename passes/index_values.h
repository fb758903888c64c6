// Integer tensors whose elements the program's text decides: indices made of iotas and constants.
#ifndef TDSL_PASSES_INDEX_VALUES_H
#define TDSL_PASSES_INDEX_VALUES_H

#include "ir/ir.h"

// The elements of an i64 value in row-major order, at most a few thousand; NULL if they are not
// known. In `arena`.
const int64_t *known_indices(Arena *arena, const Value *value, int64_t *count);
// Bounds of all elements of an integer value, as far as the text shows them.
bool index_bounds(Arena *arena, const Value *value, int64_t *low, int64_t *high);

// What the indices of a gather or scatter say: all but those of one axis are places of their own.
typedef struct Selection {
    int axis;          // of the tensor indexed and of the indices
    const int64_t *at; // known places along it, or NULL
    int64_t count;     // of them
    Value *index;      // of the axis, if it is not known
} Selection;

// `indices`: one for each axis of a tensor of `shape`. False if more than one axis is indexed. The
// axis is -1 if none is.
bool find_selection(Arena *arena, Value *const *indices, Type shape, Selection *selection);

// Places first + i * stride + k * dilation for i < count and k < size, i * size + k in order.
typedef struct Windows {
    int64_t first, count, size, stride, dilation;
} Windows;

bool find_windows(const int64_t *at, int64_t count, Windows *windows);

#endif
