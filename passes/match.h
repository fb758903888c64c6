// Recognising values: numbers behind constants and broadcasts; what is worth computing again.
#ifndef TDSL_PASSES_MATCH_H
#define TDSL_PASSES_MATCH_H

#include "ir/ir.h"

// True if all elements of `value` are plainly the same known number: a constant, repeated or moved.
// Integers that a double cannot hold are not recognised; -0 and NaN are given as they are.
bool match_number(const Value *value, double *number);
// match_number, and it is `number`; 0 is not -0.
bool is_number(const Value *value, double number);
// Zero of either sign.
bool is_zero(const Value *value);
// The defining instruction if it has this operator, else NULL.
Inst *defined_by(const Value *value, Op op);
// The same elements at other places, or repeated: it costs nothing to read through.
bool is_view(const Inst *inst);
// The number of products that each element of a contraction adds up; 0 for other instructions.
int64_t contraction_length(const Inst *inst);

// What passes that compute values again instead of keeping them agree on.
enum {
    LARGE_VALUE = 1 << 20,  // bytes: better not in memory; about a cache of level 2
    CHEAP_CONTRACTION = 160 // longer ones take several times as long as to store the result and to
                            // read it back
};

#endif
