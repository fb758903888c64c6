// The operators vjp and jvp, which stand for the derivative of a function until the pass
// expand_derivatives puts it in their place.
//
//   vjp   operands: the arguments of attr.callee, then a seed for each of its results attr.outputs.
//         results: those of the callee, then the gradient of each of its parameters attr.leaves:
//         the sum over the outputs of seed times slope; zeros where no output depends on it.
//   jvp   operands: the arguments, then a tangent for each of the parameters attr.leaves.
//         results: those of the callee, then the tangent of each of the results attr.outputs.
//
// Outputs and leaves are of real types, increasing. A function may have a rule of its own for
// reverse mode (Function.reverse): a function of its parameters, its results, and the gradients of
// its real results, which gives the gradients of the parameters Function.reverse_leaves; the other
// parameters have none.
#ifndef TDSL_IR_DERIVATIVE_H
#define TDSL_IR_DERIVATIVE_H

#include "ir/build.h"

// NULL, or what is wrong with the attribute of a vjp or jvp, as the end of a sentence.
const char *derivative_mistake(Arena *arena, const Attribute *attribute);
int derivative_operand_count(Op op, const Attribute *attribute);
Type derivative_operand_type(Op op, const Attribute *attribute, int index);
int derivative_result_count(Op op, const Attribute *attribute);
Type derivative_result_type(Op op, const Attribute *attribute, int index);

// The attribute must be without mistakes.
Inst *build_derivative(Builder *b, Op op, const Attribute *attribute, Value *const *operands);

// NULL, or what is wrong with a function's own rule, as a sentence.
const char *reverse_rule_mistake(Arena *arena, const Function *function);
// The real results of a function, whose gradients its rule takes; *count of them, in `arena`.
int *real_results(Arena *arena, const Function *function, int *count);

// Forward mode transposes rules, which is right for those that are linear in the gradients they
// take. A function reachable from `function` by calls and derivatives whose rule cannot be shown to
// be so, or NULL. Rules written in the source file `trusted` are taken to be linear wherever the
// gradients are not 0 (the language's own functions); -1: none.
const Function *find_nonlinear_rule(const Function *function, int trusted);
// True if the function's rule takes a derivative for which the function's rule is needed.
bool rule_needs_itself(const Function *function);

#endif
