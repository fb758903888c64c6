// Lowering against the reference evaluator: a function is lowered with several
// options, its loop form verified and interpreted on random arguments, and
// compared with what the evaluator says. Optional outputs and gradients are
// left out in turn.
//
// Names of parameters say what they hold: `index...` are 0, 1 or 2;
// `positive...` are above 0; `special...` have zeros, infinities and NaN,
// `rare...` a few of them; others random, integers from -3 to 5.
#ifndef TDSL_TESTS_CODEGEN_COMPARE_H
#define TDSL_TESTS_CODEGEN_COMPARE_H

#include "ir/ir.h"

typedef struct Comparison {
    int failed, compared; // runs that went wrong; elements
} Comparison;

// Differences are reported on stderr under the name `file`. With the name of a
// setting in `printed`
// ("O0", "O1 sse", "O2 avx2", "O3 avx512"), the loop form of that one goes to
// stdout.
void compare_function(Comparison *comparison, const char *file, const Function *function, int seeds,
                      const char *printed);

#endif
