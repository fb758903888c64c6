// Prints the functions of vector_math.h as static C functions.
#ifndef TDSL_CODEGEN_VECTOR_MATH_C_H
#define TDSL_CODEGEN_VECTOR_MATH_C_H

#include "codegen/emit_c_write.h"
#include "codegen/vector_math.h"

// `exp_f32`
const char *math_function_spelling(Arena *arena, const char *name, ElementType type);
// `sin_any_f32`: a part of a function with rare steps.
const char *math_part_spelling(Arena *arena, const MathFunction *function, const char *part);
// Takes the names of all of them, so that nothing else gets one.
void take_math_names(Writer *writer);
// The definitions of those that the writer met; they call helpers, which are noted in the writer
// and must be defined before.
void write_math_functions(Writer *writer, Text *out);

#endif
