// Loops of vectors whose steps wait for each other for long become two.
#ifndef TDSL_CODEGEN_SPLIT_CHAINS_H
#define TDSL_CODEGEN_SPLIT_CHAINS_H

#include "codegen/lower.h"

// A processor begins steps of the next vectors while those of the present one wait, but looks only
// a few hundred steps ahead: a loop with a function such as erf in the middle has chains of ninety
// cycles, and five vectors or so are all that it sees. So a block of vectors goes through the first
// half of the loop, up to the middle of the function (MathHalves), then through the second. Both
// see twice as many vectors, of half as long chains. What the second half needs it loads or
// computes again, or finds in arrays of a block.
//
// Nothing is added in another order, and what both halves compute they round alike. Results differ
// in a last digit at most, where a product is rounded with a sum only if nothing else in its half
// reads it.
void split_chains(Program *program, const LowerOptions *options);

#endif
