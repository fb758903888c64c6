// Tables and polynomials of the functions of single numbers, and of vectors that pick from a table:
// scalar_math_tables.c, which scalar_math.py makes.
#ifndef TDSL_CODEGEN_VECTOR_MATH_ALONE_H
#define TDSL_CODEGEN_VECTOR_MATH_ALONE_H

#include "codegen/vector_math_steps.h"

extern const double powers_16[16];
extern const int64_t powers_32[32], powers_128[128];
extern const double tails_128[128], logarithms_32[2 * 32], logarithms_128[4 * 128];
// The place of a number's interval is that of the highest bits of its mantissa, once this is taken
// from the number's bits.
extern const int64_t logarithms_32_first, logarithms_128_first;
extern const Polynomial exp_of_32nd, exp_of_128th, exp_of_16th;
extern const Polynomial log_of_32nd, log_of_32nd_precise, log_of_128th, log_of_128th_precise;

#endif
