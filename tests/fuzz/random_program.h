// Random programs, valid by construction: every operator, skewed towards other operators, types and
// shapes in each program, and tame: as far as possible no NaN and no infinity arises.
#ifndef TDSL_TESTS_FUZZ_RANDOM_PROGRAM_H
#define TDSL_TESTS_FUZZ_RANDOM_PROGRAM_H

#include "ir/ir.h"

typedef enum ProgramKind {
    PROGRAM_ANY,    // every operator and type
    PROGRAM_SMOOTH, // reals are f64, gradients are nowhere cut, kinks are rare
    PROGRAM_EXACT,  // operators whose result every engine must compute to the bit, on NaN,
                    // infinities, -0 and the largest integers too
    PROGRAM_KIND_COUNT
} ProgramKind;

const char *program_kind_name(ProgramKind kind);
// A new function in `module`, and functions that it calls.
Function *random_program(Module *module, uint64_t seed, ProgramKind kind);
// One argument for each parameter. They depend on the seed and the parameter's name and type, so
// they stay as they are when other parameters are removed.
TensorData *random_arguments(Arena *arena, const Function *function, uint64_t seed,
                             ProgramKind kind);

#endif
