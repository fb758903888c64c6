// What the loop form means, written once more and slowly: scalar operators on single numbers, and
// kernels statement by statement.
#ifndef TDSL_TESTS_PRODUCTS_SUPPORT_INTERPRET_H
#define TDSL_TESTS_PRODUCTS_SUPPORT_INTERPRET_H

#include "codegen/loops.h"

// An element of any type: `real` for reals, else `integer`.
typedef struct Number {
    int64_t integer;
    double real;
} Number;

Number number_at(ElementType type, const void *data, int64_t index);
void number_store(ElementType type, void *data, int64_t index, Number value);
// NaN is the same as NaN, and 0 is not -0.
bool same_number(ElementType type, Number x, Number y);

// The result of an operator on operands of type `from`. SCALAR_FMA is rounded once. No memory, no
// libm.
Number compute_scalar(ScalarOp op, ElementType from, ElementType to, const Number *operands);

// Runs a kernel on the data of its buffers, with its arguments. The status.
int interpret_kernel(Arena *arena, const Kernel *kernel, void *const *data,
                     const int64_t *arguments);

#endif
