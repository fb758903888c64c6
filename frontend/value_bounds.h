// What is known while compiling about whole numbers that are computed when the program runs: a
// loop's index lies in its range, a remainder below its divisor. So `for j in i + 1..n` has a known
// largest number of iterations.
#ifndef TDSL_FRONTEND_VALUE_BOUNDS_H
#define TDSL_FRONTEND_VALUE_BOUNDS_H

#include "ir/ir.h"

typedef struct KnownBounds {
    const Value *value;
    const Dim *low, *high; // NULL: not known
} KnownBounds;

typedef struct BoundTable {
    Arena *arena;
    DimTable *dims;
    VEC(KnownBounds) known;
} BoundTable;

// Remembers that an i64 scalar lies in low .. high, both included; NULL: not known.
void note_bounds(BoundTable *table, const Value *value, const Dim *low, const Dim *high);
// Gives `to` what is known of `from`, which it is inside of another function.
void copy_bounds(BoundTable *table, const Value *to, const Value *from);
// NULL where nothing is known. `value` is an i64 scalar.
const Dim *lower_bound(BoundTable *table, const Value *value);
const Dim *upper_bound(BoundTable *table, const Value *value);
// A bound of stop - start, which may be close where both depend on one value: i + 3 and i - 1 are 4
// apart.
const Dim *distance_bound(BoundTable *table, const Value *start, const Value *stop);
// True, with the distance, if stop - start is the same whatever the program computes.
bool fixed_distance(BoundTable *table, const Value *start, const Value *stop, const Dim **distance);

#endif
