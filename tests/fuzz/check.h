// The fuzzer's checks of one program.
#ifndef TDSL_TESTS_FUZZ_CHECK_H
#define TDSL_TESTS_FUZZ_CHECK_H

#include "tests/fuzz/compare.h"
#include "tests/fuzz/random_program.h"

enum {
    CHECK_TEXT = 1,
    CHECK_PASSES = 2,
    CHECK_GRADIENTS = 4,
    CHECK_JIT = 8,
    CHECK_C = 16,
};

// What happened in many programs: how much of the checking was not skipped.
typedef struct Counts {
    int programs;
    int failing;             // end with a status
    int wild;                // have a result that is not tame: nothing is compared
    int passes_compared;     // optimised programs
    int derivatives;         // adjoints compared with forward mode
    int differences;         // adjoints compared with differences
    int differences_skipped; // because of a kink nearby
    int calls;               // of compiled programs
} Counts;

typedef struct Subject {
    Arena *arena;
    Module *module;
    Function *function;
    Function *plain; // the same without calls and derivatives: what can be evaluated
    const Sources *sources;
    ProgramKind kind;
    uint64_t seed;
    int checks;
    Random random; // decisions of the checks
    TensorData *arguments;
    Counts counts;
} Subject;

// Each returns NULL, or what is wrong.
const char *check_subject(Subject *subject);
const char *check_text(Subject *subject, const Function *function);
// `passes` as in PipelineOptions, run on a copy of `function`; compares with the reference.
const char *check_pipeline(Subject *subject, Reference *reference, const Function *function,
                           const char *passes, int level);
// Copies without derivatives, for differentiating: calls of functions with a rule of their own
// stay; and without any calls, for evaluating.
Function *expand(const Function *function);
Function *flatten(const Function *function);
const char *check_passes(Subject *subject);
const char *check_gradients(Subject *subject);
// Compiles `function` and compares what it computes; gradients are added up.
const char *check_engine(Subject *subject, Reference *reference, int level, bool through_c);
const char *random_passes(Subject *subject);
int count_insts(const Region *region);

#endif
