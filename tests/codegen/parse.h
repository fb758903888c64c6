// Functions of the tensor IR that stand in tests' own text.
#ifndef TDSL_TESTS_CODEGEN_PARSE_H
#define TDSL_TESTS_CODEGEN_PARSE_H

#include "ir/ir.h"

// The first function of a module, which is in the arena. NULL after saying on stderr what is wrong.
const Function *parse_function(Arena *arena, const char *text);
// That of inputs x, y, u, v to outputs a, b, all f32[1000].
const Function *parse_case(Arena *arena, const char *body);

#endif
