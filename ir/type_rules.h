// Inside the type rules (ir/type_rules*.c) only: what a rule gets, and how it refuses.
#ifndef TDSL_IR_TYPE_RULES_H
#define TDSL_IR_TYPE_RULES_H

#include "ir/op.h"

typedef struct Rule {
    Module *module;
    const OpInfo *info;
    Value *const *operands;
    int count; // fits the arity
    const Attribute *attribute;
    Type result;     // set by a rule that returns true
    const char *why; // set by a rule that returns false
} Rule;

// One for each tensor operator: true and rule->result, or a refusal.
#define TENSOR(name, arity, attribute, derivative, traits, meaning) bool type_##name(Rule *rule);
#include "ir/ops.def"

// Sets rule->why to "NAME MESSAGE" with the operator's name; returns false.
bool refuse(Rule *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Refuses two sizes that should be equal: "NAME needs equal sizes WHERE, got X and Y", or, when one
// is symbolic, "NAME cannot show that the sizes X and Y WHERE are equal".
bool refuse_sizes(Rule *rule, const char *where, const Dim *x, const Dim *y);
bool refuse_axis_sizes(Rule *rule, int axis, const Dim *x, const Dim *y);
// Sets the result's type; refuses one that does not fit. `dims` are copied.
bool give_type(Rule *rule, ElementType element, const Dim *const *dims, int rank);

Type operand_type(const Rule *rule, int index);
const char *show_dim(const Rule *rule, const Dim *dim);
const char *show_type(const Rule *rule, Type type);
const char *show_operand(const Rule *rule, int index); // its type
// Refuses dims that are missing (NULL) or not `count` many.
bool require_dims(Rule *rule, Dims dims, int count, const char *what);
// Refuses an axis outside of 0 .. rank-1.
bool require_axis(Rule *rule, int axis, int rank);
// Refuses axes that are not increasing within 0 .. rank-1.
bool require_axes(Rule *rule, Ints axes, int rank);
// Refuses a bool operand.
bool require_number(Rule *rule, int index);

#endif
