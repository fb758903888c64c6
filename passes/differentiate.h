// Differentiation: a function's adjoint (reverse mode) and tangent (forward mode) as IR.
//
// One rule per operator serves both modes (passes/derivatives.h). The result is a function like any
// other: it is simplified, printed, evaluated, compiled and differentiated again.
#ifndef TDSL_PASSES_DIFFERENTIATE_H
#define TDSL_PASSES_DIFFERENTIATE_H

#include "ir/ir.h"

typedef struct GradientRequest {
    const int *outputs; // which results are differentiated, by index; each of a real type
    const bool *seeded; // for each: takes its upstream gradient as a parameter (ROLE_SEED); else 1,
                        // which only one-element outputs may have
    int output_count;
    const int *leaves; // with respect to which parameters, by index; each of a real type
    int leaf_count;
} GradientRequest;

// The adjoint of `primal`: its parameters, then one ROLE_SEED parameter for each seeded output; its
// results: those of the primal, then one ROLE_GRADIENT result for each leaf that the outputs reach.
// reached[i] tells whether leaf i is reached by a path of real values: where it is not, its
// gradient is null - no result, which is not zeros. A leaf that is reached by operators whose
// derivative is zero has a gradient of zeros. `primal` is left as it is. Calls in it must have been
// inlined and derivatives expanded (pass expand_derivatives); calls of functions with a rule of
// their own are differentiated by the rule, which the adjoint calls.
Function *differentiate_reverse(Module *module, const Function *primal,
                                const GradientRequest *request, bool *reached);

// The tangent program: parameters of the primal, then a tangent (same type) for each listed leaf;
// results of the primal, then a tangent for each listed output (zeros where nothing flows). Rules
// of functions must be linear in the gradients that they take; they are transposed by a vjp, to be
// expanded.
Function *differentiate_forward(Module *module, const Function *primal,
                                const GradientRequest *request);

// Why the gradient of result `output` reaches none of the leaves: the instructions that cut the
// paths (OP_detach, with their spans), the integer or bool values in between, and the leaves at the
// path's ends. Used for the message when an output has no gradient at all.
typedef struct GradientCut {
    Span span;        // of the detach, or of the cast or comparison
    const char *what; // "detach", "no_grad", "integer values", ...: for the message
    const char *leaf; // the leaf at the end of the path that it cuts
} GradientCut;
int find_gradient_cuts(Arena *arena, const Function *primal, int output, GradientCut **cuts);

#endif
