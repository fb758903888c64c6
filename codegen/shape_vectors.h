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
void shape_vectors(Program *program);

#endif
