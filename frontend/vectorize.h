// Computing all elements at once: a region that computes one element from indices becomes
// instructions on tensors with the index space as their first axes.
#ifndef TDSL_FRONTEND_VECTORIZE_H
#define TDSL_FRONTEND_VECTORIZE_H

#include "ir/build.h"

// `region` has one i64 scalar parameter for each axis of `space`; `result` is computed in it. Emits
// at `b` what gives the result for every index, of shape space + shape of the result. `indices` are
// the parameters' values over the space. NULL if the region has loops, branches or derivatives.
Value *vectorize(Builder *b, const Region *region, Value *result, Dims space,
                 Value *const *indices);

#endif
