// Ranges of loops and comprehensions: start..stop step s limit N.
#ifndef TDSL_FRONTEND_ELABORATE_RANGE_H
#define TDSL_FRONTEND_ELABORATE_RANGE_H

#include "frontend/elaborate_internal.h"

typedef struct Range {
    const Dim *trip; // iterations; with a count: no more than these
    Value *count;    // i64 scalar: iterations, computed when the program runs. NULL: trip
    bool is_limited; // the count may be above trip, which is a failure
    int64_t step;
    const Dim *start; // NULL: start_value
    Value *start_value;
    const Dim *low, *high; // of the index, both included; NULL: not known
} Range;

// False after an error.
bool plan_range(Elaborator *e, const Binder *binder, Range *range);
// The index for place 0, 1, ..., an i64 scalar.
Value *range_index(Elaborator *e, const Range *range, Value *place);
// A number known while compiling, for `what` ("the limit of while").
bool known_bound(Elaborator *e, const Expr *expr, const char *what, const Dim **dim);

#endif
