// The order in which the C emitter writes two nested loops.
#ifndef TDSL_CODEGEN_EMIT_C_LOOP_H
#define TDSL_CODEGEN_EMIT_C_LOOP_H

#include "codegen/emit_c_analysis.h"

// A loop over the rows of a tile in local memory, with a loop over its columns inside, is printed
// the other way round: compilers then unroll the rows, vectorise the columns, and keep the tile in
// registers, which is worth a factor of up to five. The inner loop if `outer` is such a loop, else
// NULL. Nothing else is changed: each element is computed from the same values in the same order.
const Loop *find_tile_columns(const FunctionInfo *info, const Loop *outer);

// Scalar operations that the block executes, as far as extents are known; for choosing what is
// worth compiling for several processors.
double estimate_work(const FunctionInfo *info, const Block *block);

#endif
