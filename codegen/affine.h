// Positions in buffers and locals as sums (Affine in loops.h).
#ifndef TDSL_CODEGEN_AFFINE_H
#define TDSL_CODEGEN_AFFINE_H

#include "codegen/loops.h"

// False if there are too many terms, or numbers too large to reckon with.
bool affine_of(const Scalar *x, Affine *out);
// x += factor * y; false as above.
bool affine_add(Affine *x, const Affine *y, int64_t factor);
// The factor of an atom, 0 if it is not there.
int64_t affine_factor(const Affine *x, const Scalar *atom);
// Takes the term of an atom out.
void affine_remove(Affine *x, const Scalar *atom);
// The values that an i64 scalar may have, both ends included; false if nothing is known.
bool scalar_range(const Scalar *x, int64_t *low, int64_t *high);
// The range of factor * atom.
bool term_range(const Term *term, int64_t *low, int64_t *high);
bool constant_extent(const Loop *loop, int64_t *extent);
// Is the element at a position the same in all iterations of a loop, or next to that of the
// iteration before? False of a position that comes from data.
bool is_side_by_side(const Scalar *position, const Loop *loop);

#endif
