// Inside the pass simplify (passes/simplify*.c) only. Each of these looks at one instruction, whose
// operands are simplified already, and gives a value that is equal to its result for every number
// (NaN, infinities and the sign of zero included, unless a comment says otherwise), or NULL.
#ifndef TDSL_PASSES_SIMPLIFY_H
#define TDSL_PASSES_SIMPLIFY_H

#include "passes/rewrite.h"

Value *fold_constants(Rewrite *rewrite, const Inst *inst);
Value *simplify_elementwise(Builder *b, const Inst *inst);
Value *simplify_shape(Builder *b, const Inst *inst);
Value *simplify_reduction(Builder *b, const Inst *inst);
Value *simplify_contract(Builder *b, const Inst *inst);
// A transpose of a contraction as one contraction.
Value *transpose_contract(Builder *b, const Inst *transpose);

// Structured operators. True if `inst` is gone, its results replaced.
bool simplify_loop(Rewrite *rewrite, Inst *inst);
bool simplify_branch(Rewrite *rewrite, Inst *inst);

#endif
