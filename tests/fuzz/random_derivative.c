// Random derivatives of helper functions, and helper functions with a rule of their own. Rules are
// right: they take the derivative of a copy of the function that has none.
#include "ir/derivative.h"

#include "ir/edit.h"
#include "tests/fuzz/generator.h"

// The real ones of some values, each with some probability, but at least one if there is one.
static Ints choose_real(Generator *g, Value *const *values, int count, double probability) {
    int *chosen = arena_array(g->module->arena, int, count), found = 0, last = -1;
    for (int i = 0; i < count; i++) {
        if (element_is_real(values[i]->type.element)) {
            last = i;
            if (random_chance(&g->random, probability)) {
                chosen[found++] = i;
            }
        }
    }
    if (found == 0 && last >= 0) {
        chosen[found++] = last;
    }
    return (Ints){chosen, found};
}

static Ints leaves_of(Generator *g, const Function *function, double probability) {
    const Region *body = function->body;
    return choose_real(g, body->parameters.at, body->parameters.count, probability);
}

static Ints outputs_of(Generator *g, const Function *function, double probability) {
    const Region *body = function->body;
    return choose_real(g, body->yields.at, body->yields.count, probability);
}

static Value *moderate(Generator *g, Type type) {
    Value *value = match(g, type);
    return element_is_real(type.element) ? fit(g, value, -2, 2) : value;
}

void build_random_derivative(Generator *g) {
    if (g->helpers.count == 0) {
        return;
    }
    int which = random_below(&g->random, g->helpers.count);
    Function *helper = g->helpers.at[which];
    Op op = random_chance(&g->random, 0.6) ? OP_vjp : OP_jvp;
    Attribute attribute = {.callee = helper,
                           .outputs = outputs_of(g, helper, 0.7),
                           .leaves = leaves_of(g, helper, 0.7)};
    if (attribute.outputs.count == 0 || attribute.leaves.count == 0) {
        return;
    }
    int count = derivative_operand_count(op, &attribute);
    Value **operands = arena_array(&g->scratch, Value *, count);
    for (int i = 0; i < count; i++) {
        operands[i] = moderate(g, derivative_operand_type(op, &attribute, i));
    }
    Inst *inst = build_derivative(&g->b, op, &attribute, operands);
    for (int i = 0; i < inst->result_count; i++) {
        bool own = i < helper->body->yields.count;
        keep(g, inst->results[i], own ? g->helper_ranges[which].at[i] : (Range){-100, 100});
    }
}

// Parameters of a rule: those of the function, its results, gradients of its real results.
static void add_rule_parameters(Function *rule, const Function *function, Ints outputs) {
    const Region *body = function->body;
    Slot slot = {.name = "v", .span = no_span};
    for (int i = 0; i < body->parameters.count; i++) {
        function_add_parameter(rule, body->parameters.at[i]->type, slot);
    }
    for (int i = 0; i < body->yields.count; i++) {
        function_add_parameter(rule, body->yields.at[i]->type, slot);
    }
    for (int i = 0; i < outputs.count; i++) {
        function_add_parameter(rule, body->yields.at[outputs.at[i]]->type, slot);
    }
}

void add_random_rule(Generator *g, Function *function) {
    int parameters = function->body->parameters.count, results = function->body->yields.count;
    Ints outputs = outputs_of(g, function, 1), leaves = leaves_of(g, function, 1);
    if (outputs.count == 0 || leaves.count == 0) {
        return;
    }
    Function *copy = clone_function(function, "ruled");
    Function *rule = function_new(g->module, "rule", no_span);
    add_rule_parameters(rule, function, outputs);
    Builder b = builder_at(rule->body, no_span);
    int count = parameters + outputs.count;
    Value **operands = arena_array(&g->scratch, Value *, count);
    for (int i = 0; i < count; i++) {
        operands[i] = rule->body->parameters.at[i < parameters ? i : i + results];
    }
    Attribute attribute = {.callee = copy, .outputs = outputs, .leaves = leaves};
    Inst *gradient = build_derivative(&b, OP_vjp, &attribute, operands);
    for (int i = 0; i < leaves.count; i++) {
        Slot slot = {.name = "g", .span = no_span};
        function_add_result(rule, gradient->results[results + i], slot);
    }
    function->reverse = rule;
    function->reverse_leaves = leaves;
}
