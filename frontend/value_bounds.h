// What is known while compiling about whole numbers that are computed when the program runs: a
// loop's index lies in its range, a remainder below its divisor. So `for j in i + 1..n` has a known
// largest number of iterations.
#ifndef TDSL_FRONTEND_VALUE_BOUNDS_H
#define TDSL_FRONTEND_VALUE_BOUNDS_H

#include "frontend/elaborate_internal.h"

// Remembers that an i64 scalar lies in low .. high, both included; NULL: not known.
void note_bounds(Elaborator *e, const Value *value, const Dim *low, const Dim *high);
// Gives `to` what is known of `from`, which it is inside of another function.
void copy_bounds(Elaborator *e, const Value *to, const Value *from);
// NULL where nothing is known. `value` is an i64 scalar.
const Dim *lower_bound(Elaborator *e, const Value *value);
const Dim *upper_bound(Elaborator *e, const Value *value);
// A bound of stop - start, which may be close where both depend on one value: i + 3 and i - 1 are 4
// apart.
const Dim *distance_bound(Elaborator *e, const Value *start, const Value *stop);
// True, with the distance, if stop - start is the same whatever the program computes.
bool fixed_distance(Elaborator *e, const Value *start, const Value *stop, const Dim **distance);

#endif
