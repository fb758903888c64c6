// Ranges of integers, to see which arithmetic cannot overflow: such arithmetic is printed as plain
// C, the rest as calls of wrapping functions.
#ifndef TDSL_CODEGEN_EMIT_C_RANGE_H
#define TDSL_CODEGEN_EMIT_C_RANGE_H

#include "codegen/emit_c_analysis.h"

// The range of an integer or bool scalar from the ranges of its operands. *wraps: the exact result
// may not fit the type (then the range is the type's).
Range range_of_scalar(const Scalar *scalar, const Range *operands, bool *wraps);

#endif
