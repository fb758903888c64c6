// The derivative rules' prototypes, made from ir/ops.def, and what they share. Only the files
// passes/derivatives*.c include this; everybody else asks derivative_rule.
#ifndef TDSL_PASSES_DERIVATIVE_RULES_H
#define TDSL_PASSES_DERIVATIVE_RULES_H

#include "passes/derivatives.h"

#define DECLARE_zero(name)
#define DECLARE_regions(name)
#define DECLARE_partials(name) PartialsRule partials_##name;
#define DECLARE_linear(name) AdjointRule adjoint_##name;
#define DECLARE_custom(name)                                                                       \
    AdjointRule adjoint_##name;                                                                    \
    TangentRule tangent_##name;
#define ELEMENTWISE(name, arity, rule, derivative, form, traits, value, meaning)                   \
    DECLARE_##derivative(name)
#define TENSOR(name, arity, attribute, derivative, traits, meaning) DECLARE_##derivative(name)
#include "ir/ops.def"
#undef DECLARE_zero
#undef DECLARE_regions
#undef DECLARE_partials
#undef DECLARE_linear
#undef DECLARE_custom

// A scalar of the element type of `like`.
Value *scalar_like(Builder *b, const Value *like, double value);
// Zeros of the type of `like`.
Value *zeros_like(Builder *b, const Value *like);
// `tangent`, or zeros where nothing flows into `operand`.
Value *tangent_or_zeros(Builder *b, Value *tangent, const Value *operand);
// x + y, where NULL stands for nothing at all.
Value *add_maybe(Builder *b, Value *x, Value *y);

#endif
