// What a program should compute: the evaluator's results, and how far rounding may move them.
//
// Engines may round differently, and what comes of it depends on the program: behind `floor` or a
// comparison it can be anything. So when results differ, the reference is computed again several
// times with a little random noise behind every operator that rounds; the spread of these results
// is the tolerance.
#ifndef TDSL_TESTS_FUZZ_COMPARE_H
#define TDSL_TESTS_FUZZ_COMPARE_H

#include "ir/ir.h"
#include "tests/fuzz/random.h"

enum { NOISY_RUNS = 6 };

typedef struct Reference {
    Arena *arena;
    Function *function;
    const TensorData *arguments;
    bool exact;          // results must be the same to the bit (but for the sign of zero)
    bool fails;          // the program fails with a status
    const char *message; // why it fails
    TensorData *results; // of a program that does not fail
    TensorData *noisy[NOISY_RUNS];
    int noisy_count; // -1: not computed yet
} Reference;

Reference reference_new(Arena *arena, Function *function, const TensorData *arguments, bool exact);
// All real results are numbers of moderate size.
bool reference_is_tame(const Reference *reference);
// NULL, or a message about the first element that is wrong. `results` are in the order of the
// function's.
const char *compare_results(Reference *reference, const TensorData *results);
// One result: number `index`.
const char *compare_result(Reference *reference, int index, const TensorData *result);
// Evaluates with noise again: NULL if the program fails then.
TensorData *noisy_results(Arena *arena, const Function *function, const TensorData *arguments,
                          uint64_t seed);

#endif
