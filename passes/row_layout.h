// Values with their rows along the last axis: inside of the pass block_loops only.
//
// Rows of few elements fill no vectors of the machine. Where all instructions work row by row, the
// rows may as well be the last axis: vectors then go over many rows, whatever the length of one.
#ifndef TDSL_PASSES_ROW_LAYOUT_H
#define TDSL_PASSES_ROW_LAYOUT_H

#include "passes/row_places.h"

// Whether the instruction can work so: its result has its rows at `place`, or is a sum over rows or
// without any (no_place), its operands at `places`.
bool can_put_rows_last(const Inst *inst, Place place, const Place *places);
// The instruction for `rows` rows from `start` on (an i64 scalar), on operands that have theirs
// last; so has the result.
Value *build_rows_last(Builder *b, const Inst *inst, Value *const *operands, Place place,
                       const Place *places, int64_t rows, Value *start);
// Moves the rows from `place` to the last axis, and back.
Value *put_rows_last(Builder *b, Value *x, Place place);
Value *put_rows_back(Builder *b, Value *x, Place place);

#endif
