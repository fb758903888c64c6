// Checking derivatives of whatever function: reverse mode against differences, forward mode against
// reverse mode, optimised against plain programs, and the same again for the adjoint.
#ifndef TDSL_TESTS_PASSES_CHECK_DERIVATIVES_H
#define TDSL_TESTS_PASSES_CHECK_DERIVATIVES_H

#include "ir/ir.h"

typedef struct Domain {
    double low, high; // of real parameters
    int depth;        // 1: first derivatives; 2: second ones too ...
    int *unclear;     // NULL, or counts where differences of two steps disagree: kinks, which are
                      // skipped
} Domain;

// All real parameters are leaves and all real results are outputs with random seeds. Integer
// parameters are 2. Reports what is wrong on stderr and returns how many things were.
int check_derivatives(Function *function, Domain domain);

// Reads one function in the text form; aborts if it is not sound.
Function *read_function(Arena *arena, const char *text);

// Random numbers, the same in every run from the same start.
double random_between(double low, double high);
void random_start(int seed);

#endif
