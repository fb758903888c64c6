// The table of derivative rules: one row for each row of ir/ops.def, made by its macros. A rule
// that the operator list promises and nobody wrote does not link.
#include "passes/derivatives.h"

#include "passes/derivative_rules.h"
#include "passes/match.h"

// The tangent of an operator that is linear in its operands: itself, on the tangents. Of contract,
// which is linear in each operand alone, one term for each.
static Value *tangent_linear(Builder *b, const Inst *inst, Value *const *tangents) {
    int count = inst->operand_count;
    Value **operands = arena_array(b->module->arena, Value *, count);
    if (inst->op != OP_contract) {
        for (int i = 0; i < count; i++) {
            operands[i] = tangent_or_zeros(b, tangents[i], inst->operands[i]);
        }
        return build_op(b, inst->op, operands, count, &inst->attr);
    }
    Value *sum = NULL;
    for (int active = 0; active < count; active++) {
        if (tangents[active] == NULL) {
            continue;
        }
        for (int i = 0; i < count; i++) {
            operands[i] = i == active ? tangents[i] : inst->operands[i];
        }
        sum = add_maybe(b, sum, build_op(b, inst->op, operands, count, &inst->attr));
    }
    return sum;
}

#define ROW_zero(name)                                                                             \
    { .partials = NULL, .adjoint = NULL, .tangent = NULL }
#define ROW_regions(name) ROW_zero(name)
#define ROW_partials(name)                                                                         \
    { .partials = partials_##name }
#define ROW_linear(name)                                                                           \
    { .adjoint = adjoint_##name, .tangent = tangent_linear }
#define ROW_custom(name)                                                                           \
    { .adjoint = adjoint_##name, .tangent = tangent_##name }

static const DerivativeRule rules[] = {
#define ELEMENTWISE(name, arity, rule, derivative, form, traits, value, meaning)                   \
    [OP_##name] = ROW_##derivative(name),
#define TENSOR(name, arity, attribute, derivative, traits, meaning)                                \
    [OP_##name] = ROW_##derivative(name),
#include "ir/ops.def"
};

const DerivativeRule *derivative_rule(Op op) {
    check(op < OP_COUNT, "no such operator: %d", (int)op);
    return &rules[op];
}

Value *scalar_like(Builder *b, const Value *like, double value) {
    return build_scalar(b, like->type.element, value);
}

Value *zeros_like(Builder *b, const Value *like) {
    return build_full(b, like->type, 0);
}

Value *tangent_or_zeros(Builder *b, Value *tangent, const Value *operand) {
    return tangent ? tangent : zeros_like(b, operand);
}

Value *add_maybe(Builder *b, Value *x, Value *y) {
    return x == NULL ? y : y == NULL ? x : build_add(b, x, y);
}

Value *build_times_partial(Builder *b, Value *value, Value *partial) {
    if (is_number(partial, 1)) {
        return value;
    }
    if (is_number(partial, -1)) {
        return build_neg(b, value);
    }
    if (is_number(value, 1) && shape_equal(value->type, partial->type)) {
        return partial;
    }
    const Inst *division = defined_by(partial, OP_div);
    if (division && is_number(division->operands[0], 1)) {
        return build_div(b, value, division->operands[1]);
    }
    if (division && is_number(division->operands[0], -1)) {
        return build_neg(b, build_div(b, value, division->operands[1]));
    }
    return build_mul(b, value, partial);
}
