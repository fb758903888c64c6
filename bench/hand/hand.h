// What the programs written by hand look like: plain C for a value and its gradient, as a careful
// programmer writes them who leaves the rest to the compiler. The driver compiles each with
// `cc -O3 -march=native -DREAL=float` (or double) and calls hand_gradient.
#ifndef BENCH_HAND_H
#define BENCH_HAND_H

#include <stdint.h>

typedef REAL Real;

// Numbers: the dimensions, in the order of the row. The rest: tensors, in the order of the model.
// Outputs and gradients are stored, not added to.
int hand_gradient(const int64_t *numbers, Real *const *inputs, Real *const *params,
                  Real *const *outputs, Real *const *gradients);

#endif
