// Derivative rules, one for each operator; a missing one is a link error that names it.
//
// partials  d[i] = d result / d operand i, a value of the result's shape built with `b`; NULL where
//           operand i receives nothing. Elementwise operators only; integer and bool operands get
//           NULL.
// linear    linear in its real operands jointly (add, concat) or in each of them separately
// (contract).
//           adjoint: bar[i] from result_bar, of operand i's type. The tangent is the operator
//           itself, applied to one tangent at a time, or to all at once if the table says so.
// custom    tangent and adjoint are both written: tangent_NAME and adjoint_NAME.
//
// Rules may use the instruction's operands and results freely: reverse mode sees to it that they
// are there (in loops: stacked or recomputed).
#ifndef TDSL_PASSES_DERIVATIVES_H
#define TDSL_PASSES_DERIVATIVES_H

#include "ir/build.h"

typedef void PartialsRule(Builder *b, const Inst *inst, Value **d);
typedef void AdjointRule(Builder *b, const Inst *inst, Value *result_bar, Value **bar);
typedef Value *TangentRule(Builder *b, const Inst *inst, Value *const *tangents);

typedef struct DerivativeRule {
    PartialsRule *partials;
    AdjointRule *adjoint;
    TangentRule *tangent;
} DerivativeRule;

const DerivativeRule *derivative_rule(Op op);

// value * partial, written as simply as can be: a division where the partial is a reciprocal.
Value *build_times_partial(Builder *b, Value *value, Value *partial);

#endif
