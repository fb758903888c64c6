// Compiles the emitted C of a program in the ways that users may, and loads it.
#ifndef TDSL_TESTS_PRODUCTS_SUPPORT_COMPILE_H
#define TDSL_TESTS_PRODUCTS_SUPPORT_COMPILE_H

#include "codegen/compile.h"

// The source and header compile without a warning as C99 and as C++11, with every compiler found,
// with and without optimisation; the object shows nothing but names that begin with the program's.
// The number of compilations that were tried and failed; what went wrong is on stderr. *tried
// counts all.
int compile_everywhere(const Program *program, int *tried);

// Engines that must agree, ended by NULL: values for $CC, the first is plain cc; and "llvm".
const char *const *engine_compilers(void);
// load_c with $CC set so, or load_objects for "llvm". NULL (with the error on stderr) if it fails.
Loaded *load_with(Arena *arena, const Program *program, const char *compiler, int level);
// Is there such a program in PATH?
bool has_program(Arena *arena, const char *name);

#endif
