// Dimensions of shapes: exact expressions over named dimensions.
//
// A Dim is a sum of products of named dimensions with rational coefficients, where names and sums
// may stand below a fraction bar (`C / H`). Dims are interned in a DimTable in a canonical form, so
// equal expressions are the same pointer: `D*(D-1)/2` and `(D*D - D)/2` compare equal. Only with
// quotients by sums, like `C / (B + 1)`, some equalities are not found. Constants have no names.
// Named dimensions stand for positive integers.
#ifndef TDSL_IR_DIM_H
#define TDSL_IR_DIM_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/base/arena.h"
#include "ir/base/text.h"

typedef struct Dim Dim;
typedef struct DimTable DimTable;

// The table and all its Dims live in `arena`.
DimTable *dim_table_new(Arena *arena);

const Dim *dim_constant(DimTable *table, int64_t value);
const Dim *dim_symbol(DimTable *table, const char *name);
// NULL when a coefficient would overflow 64 bits, the expression would be huge, or the result is a
// number but not an integer. NULL operands give NULL.
const Dim *dim_add(DimTable *table, const Dim *x, const Dim *y);
const Dim *dim_subtract(DimTable *table, const Dim *x, const Dim *y);
const Dim *dim_multiply(DimTable *table, const Dim *x, const Dim *y);
// The exact quotient x / y, simplified. NULL also if y is zero, or both are constants and y does
// not divide x.
const Dim *dim_divide(DimTable *table, const Dim *x, const Dim *y);

// True and *value if the dimension is a known integer.
bool dim_is_constant(const Dim *dim, int64_t *value);
// The known integer; an internal error for a symbolic dimension.
int64_t dim_value(const Dim *dim);
// Interned: equality is identity. Named for the reader's sake.
static inline bool dim_equal(const Dim *x, const Dim *y) {
    return x == y;
}

typedef struct DimBinding {
    const char *name;
    int64_t value;
} DimBinding;
// Replaces named dimensions by numbers. NULL if a quotient is not exact or a result overflows.
const Dim *dim_substitute(DimTable *table, const Dim *dim, const DimBinding *bindings, int count);
// True if the named dimension occurs in `dim`.
bool dim_mentions(const Dim *dim, const char *name);
// If `dim` is linear in the named dimension with all else constant (a*N + b) and a*N + b == value
// has an integer solution, true and *solution: how data binds a symbolic dimension.
bool dim_solve(const Dim *dim, const char *name, int64_t value, int64_t *solution);
// True if it can be shown that `dim` is at least `minimum` whatever its names stand for.
bool dim_is_at_least(DimTable *table, const Dim *dim, int64_t minimum);

// `32`, `B`, `2*B + 1`, `D*(D - 1)/2` is printed as `(D*D - D)/2`. Reads back through the same
// grammar.
void dim_print(Text *out, const Dim *dim);

// The largest divisor of `size` that is not above `most`, or 1: the size of blocks without a rest.
int64_t largest_divisor(int64_t size, int64_t most);

#endif
