// Functions of libm written out in scalars without branches or calls, so that loops with them
// become vector code, and give the same bits in vectors of any width.
#ifndef TDSL_CODEGEN_VECTOR_MATH_H
#define TDSL_CODEGEN_VECTOR_MATH_H

#include "codegen/loops.h"

typedef struct MathFunction {
    const char *name; // as of SCALAR_LIBM: "exp"
    ElementType type;
    Scalar *argument;    // SCALAR_ARGUMENT 0, of `type`
    VEC(Scalar *) steps; // in the order of their computation; constants need no step
    Scalar *result;      // the last step
    int scalar_count;    // ids are below this
} MathFunction;

// The function of one argument, or NULL if libm's is to be called.
// Largest errors (bench/vector_math.c measures them): 1.5 ulp in f32, 2 ulp in f64.
const MathFunction *math_function(Arena *arena, const char *name, ElementType type);
// Names of functions that exist for some type, ended by NULL.
const char *const *math_function_names(void);
// The bits of a constant of type f32 or f64.
int64_t real_bits(ElementType type, double value);

#endif
