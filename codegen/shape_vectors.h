// Gives loops over vectors forms that compilers of C make whole vectors of.
#ifndef TDSL_CODEGEN_SHAPE_VECTORS_H
#define TDSL_CODEGEN_SHAPE_VECTORS_H

#include "codegen/loops.h"

// C has no masked vectors: what is left behind a loop's last whole vector is computed one element
// at a time, and takes as long as several vectors. Where a loop only stores what does not depend on
// what it stores, the last vector begins early instead, and computes a few elements again.
//
// Where elements lie at quotients and remainders of the index by a small number, as those of a
// pooling's windows, the loop becomes one over the quotients with one over the remainders inside.
// A loop over short rows that all are stored, as three numbers for each point, becomes one over
// vectors of rows, with one that computes and one that stores inside (part_stores.c).
void shape_vectors(Program *program);

// ---- parts of it

// Puts another scalar in the place of the statement's operand.
void replace_scalar(Statement *statement, const Scalar *old, Scalar *by);
// How many rows, `lanes` at most, are computed before they are stored; 0: the loop is left alone.
int64_t lanes_of_parted(Arena *arena, const Loop *loop, int64_t lanes);
// The loops that compute and store the rows from `first` on.
void part_stores(Arena *arena, Kernel *kernel, Block *out, const Loop *loop, Scalar *first,
                 int64_t lanes);

#endif
