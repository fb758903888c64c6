// Random programs: nested loops with counts and conditions, stacks, branches, rows read and stored,
// all of vectors whose elements stay between -1 and 1.
#ifndef TDSL_TESTS_PASSES_RANDOM_PROGRAM_H
#define TDSL_TESTS_PASSES_RANDOM_PROGRAM_H

#include "ir/ir.h"

// A function of two vectors with two results, in a module of its own; the same for the same seed.
Function *make_program(Arena *arena, int seed);

#endif
