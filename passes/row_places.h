// Where rows are in values: inside of the passes that work by rows (block_rows, block_loops,
// small_rows).
//
// A place says which axis of a value goes over the rows. The axis may be longer than there are
// rows: a row is then `minor` places of it, one behind the other, as after a reshape that joins
// axes. What has no such axis is read whole.
#ifndef TDSL_PASSES_ROW_PLACES_H
#define TDSL_PASSES_ROW_PLACES_H

#include "ir/build.h"
#include "ir/op.h"

typedef struct Place {
    int axis; // NOWHERE: no rows
    int64_t minor;
} Place;

enum { NOWHERE = -1 };
static const Place no_place = {NOWHERE, 1};

static inline bool has_rows(Place place) {
    return place.axis != NOWHERE;
}
static inline bool places_equal(Place x, Place y) {
    return x.axis == y.axis && (x.axis == NOWHERE || x.minor == y.minor);
}

// Where the rows of the result are if those of an operand are at `place` and row r of the result
// depends on row r of the operand alone. False if there is no such place.
bool result_place(const Inst *inst, int operand, Place place, int64_t rows, Place *result);
// Where the rows of all operands are that row r of the result, with its rows at `place`, needs: an
// operand that is read whole has none. False if the result cannot be computed row by row.
bool operand_places(const Inst *inst, Place place, int64_t rows, Place *operands);
// True if the instruction sums over the rows that operand `operand` has at `place`: the sum over
// all rows is the sum of those over blocks of rows. Gives the places of all operands.
bool sums_over_rows(const Inst *inst, int operand, Place place, Place *operands);

// The type with `rows` rows at `place`.
Type type_with_rows(Module *module, Type type, Place place, int64_t rows);
// `inst` for the rows from `start` (an i64 scalar) on, `rows` of them: `operands` are the rows of
// the operands.
Value *build_rows_of(Builder *b, const Inst *inst, Value *const *operands, Place place,
                     int64_t rows, Value *start);

// Rows first .. first + rows - 1 of `x`.
Value *slice_rows(Builder *b, Value *x, Place place, int64_t first, int64_t rows);
// Rows block * rows .. of `x`, `rows` of them: there are `blocks` such blocks, and no other rows.
Value *take_block(Builder *b, Value *x, Place place, int64_t blocks, int64_t rows, Value *block);
// The opposite of take_block: a stack of blocks as one value.
Value *join_blocks(Builder *b, Value *stack, Place place);

#endif
