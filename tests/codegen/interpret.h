// An interpreter of the loop form: slow, obviously right, and checking every
// access. It is what the tests of lowering run instead of machine code.
#ifndef TDSL_TESTS_CODEGEN_INTERPRET_H
#define TDSL_TESTS_CODEGEN_INTERPRET_H

#include "codegen/loops.h"
#include "codegen/vector_math.h"

typedef struct Interpretation {
    void **fields[GROUP_COUNT]; // for each group an array of pointers, in the
                                // order of its fields
    bool backwards;             // LOOP_VECTOR and LOOP_PARALLEL run from their last iteration
    const char *error;          // of the program: an access out of bounds, overlapping
                                // buffers; in arena
    Arena *arena;
    VEC(const MathFunction *) halves; // that were called
} Interpretation;

// Runs an entry with a workspace full of rubbish. Returns its status; -1 with
// run->error set.
int interpret(const Program *program, const Entry *entry, Interpretation *run);

#endif
