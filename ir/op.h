// What is known of each operator: one row of ir/ops.def.
#ifndef TDSL_IR_OP_H
#define TDSL_IR_OP_H

#include "ir/ir.h"

typedef enum DerivativeKind {
    DERIVATIVE_zero,
    DERIVATIVE_partials,
    DERIVATIVE_linear,
    DERIVATIVE_custom,
    DERIVATIVE_regions
} DerivativeKind;

typedef enum ElementRule {
    RULE_none, // a tensor operator: it has a type rule of its own
    RULE_real,
    RULE_numeric,
    RULE_integer,
    RULE_compare,
    RULE_logical,
    RULE_test,
    RULE_select,
    RULE_cast,
    RULE_random,
} ElementRule;

typedef enum ScalarForm { FORM_none, FORM_BASIC, FORM_LIBM, FORM_EXPAND } ScalarForm;

enum { COMMUTES = 1, ASSOCIATES = 2, CHEAP = 4, STRUCTURED = 8, REDUCES = 16 };

typedef struct OpInfo {
    const char *name;
    int arity; // -1: any number
    bool elementwise;
    ElementRule rule;
    AttributeKind attribute;
    DerivativeKind derivative;
    ScalarForm form;
    int traits;
    const char *meaning;
} OpInfo;

const OpInfo *op_info(Op op);
bool op_from_name(const char *name, Op *op);

// Computes the type of the single result of an operator that has one (not loop, branch, call). On
// failure false, and *why is a sentence in user's terms, in `arena`. The same rule builds and
// verifies.
bool op_result_type(Module *module, Op op, Value *const *operands, int count,
                    const Attribute *attribute, Type *result, const char **why);

// Values of an elementwise operator on scalars: real arguments (also compare, test and select on
// reals; logic takes 0 and 1), and integer ones. `element` is the operands' element type; integers
// wrap around in it. Used by the evaluator and by constant folding.
double scalar_real(Op op, ElementType element, const double *arguments);
int64_t scalar_integer(Op op, ElementType element, const int64_t *arguments);
// For select `element` is that of its result; bool counts as an integer type (comparisons of bool).
// OP_cast returns its operand: the conversion is the caller's, with these three.
double scalar_round(ElementType element, double value);  // f32: rounded to single; else as it is
int64_t scalar_wrap(ElementType element, int64_t value); // modulo 2**32 for i32; bool: value != 0
// Towards zero; out of range and NaN give 0; bool: value != 0.
int64_t scalar_integer_from_real(ElementType element, double value);

#endif
