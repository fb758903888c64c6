// Derivatives of every elementwise operator, to second order, at random points of its domain.
#include <stdio.h>

#include "ir/build.h"
#include "tests/passes/check_derivatives.h"
#include "tests/unit/expect.h"

typedef struct Case {
    Op op;
    Domain domain;
} Case;

static const Domain positive = {0.2, 0.9, 2, NULL}, negative = {-0.9, -0.2, 2, NULL};

// Where the usual domains will not do.
static const Case special[] = {
    {OP_acosh, {1.3, 3, 2, NULL}},        {OP_lgamma, {1.5, 4, 3, NULL}},
    {OP_digamma, {0.6, 3, 3, NULL}},      {OP_trigamma, {0.6, 4, 2, NULL}},
    {OP_trigamma, {-0.7, -0.4, 1, NULL}}, {OP_tan, {-1, 1, 2, NULL}},
    {OP_atanh, {-0.6, 0.6, 2, NULL}},     {OP_pow, {0.5, 2, 3, NULL}},
    {OP_lgamma, {-1.7, -1.4, 2, NULL}},
};

// These are not defined below zero.
static bool needs_positive(Op op) {
    return op == OP_sqrt || op == OP_log || op == OP_log2 || op == OP_log10 || op == OP_pow ||
           op == OP_lgamma || op == OP_digamma || op == OP_trigamma;
}

static Function *make_function(Arena *arena, Op op) {
    Module *module = module_new(arena);
    Function *function = function_new(module, op_info(op)->name, no_span);
    int64_t size = 3;
    Type type = type_of_sizes(module->dims, arena, TYPE_F64, 1, &size);
    Builder b = builder_at(function->body, no_span);
    Value *operands[3];
    int first = op_info(op)->rule == RULE_select;
    for (int i = first; i < op_info(op)->arity; i++) {
        operands[i] = function_add_parameter(function, type, (Slot){.name = "x"});
    }
    if (first) {
        operands[0] = build_lt(&b, operands[1], operands[2]);
    }
    Attribute attribute = {.element = TYPE_F64};
    Value *value = build_op(&b, op, operands, op_info(op)->arity,
                            op_info(op)->rule == RULE_cast ? &attribute : NULL);
    function_add_result(function, value, (Slot){.name = "y"});
    return function;
}

static void check_op(Op op, Domain domain) {
    Arena arena = {0};
    int wrong = check_derivatives(make_function(&arena, op), domain);
    if (!EXPECT(wrong == 0)) {
        fprintf(stderr, "  in %s, %g to %g\n", op_info(op)->name, domain.low, domain.high);
    }
    arena_free(&arena);
}

static bool has_derivative(Op op) {
    const OpInfo *info = op_info(op);
    return info->elementwise && info->derivative != DERIVATIVE_zero;
}

int main(void) {
    for (int op = 0; op < OP_COUNT; op++) {
        if (!has_derivative((Op)op) || op == OP_acosh) {
            continue;
        }
        check_op((Op)op, positive);
        if (!needs_positive((Op)op)) {
            check_op((Op)op, negative);
        }
    }
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        check_op(special[i].op, special[i].domain);
    }
    return expect_result();
}
