// Signatures of vjp and jvp, and of the rules that functions have of their own.
#include "ir/derivative.h"

static const char *indices_mistake(Arena *arena, const char *what, Ints indices,
                                   Value *const *values, int count) {
    for (int i = 0; i < indices.count; i++) {
        int index = indices.at[i];
        if (index < 0 || index >= count) {
            return arena_format(arena, "has no %s %d", what, index);
        }
        if (i > 0 && index <= indices.at[i - 1]) {
            return arena_format(arena, "needs each %s once and in order", what);
        }
        if (!element_is_real(values[index]->type.element)) {
            return arena_format(arena, "has no derivative for its %s %d of type %s", what, index,
                                type_string(arena, values[index]->type));
        }
    }
    return NULL;
}

const char *derivative_mistake(Arena *arena, const Attribute *attribute) {
    const Region *body = attribute->callee->body;
    const char *mistake =
        indices_mistake(arena, "result", attribute->outputs, body->yields.at, body->yields.count);
    return mistake ? mistake
                   : indices_mistake(arena, "parameter", attribute->leaves, body->parameters.at,
                                     body->parameters.count);
}

int derivative_operand_count(Op op, const Attribute *attribute) {
    return attribute->callee->body->parameters.count +
           (op == OP_vjp ? attribute->outputs.count : attribute->leaves.count);
}

Type derivative_operand_type(Op op, const Attribute *attribute, int index) {
    const Region *body = attribute->callee->body;
    int more = index - body->parameters.count;
    if (more < 0) {
        return body->parameters.at[index]->type;
    }
    return op == OP_vjp ? body->yields.at[attribute->outputs.at[more]]->type
                        : body->parameters.at[attribute->leaves.at[more]]->type;
}

int derivative_result_count(Op op, const Attribute *attribute) {
    return attribute->callee->body->yields.count +
           (op == OP_vjp ? attribute->leaves.count : attribute->outputs.count);
}

Type derivative_result_type(Op op, const Attribute *attribute, int index) {
    const Region *body = attribute->callee->body;
    int more = index - body->yields.count;
    if (more < 0) {
        return body->yields.at[index]->type;
    }
    return op == OP_vjp ? body->parameters.at[attribute->leaves.at[more]]->type
                        : body->yields.at[attribute->outputs.at[more]]->type;
}

Inst *build_derivative(Builder *b, Op op, const Attribute *attribute, Value *const *operands) {
    check(op == OP_vjp || op == OP_jvp, "not a derivative");
    check(attribute->callee->module == b->module, "a derivative leads to another module");
    int count = derivative_operand_count(op, attribute);
    for (int i = 0; i < count; i++) {
        check(type_equal(operands[i]->type, derivative_operand_type(op, attribute, i)),
              "operand %d of the derivative of %s has another type than its parameter", i,
              attribute->callee->name);
    }
    Inst *inst = build_inst(b, op, operands, count, attribute);
    for (int i = 0; i < derivative_result_count(op, attribute); i++) {
        inst_add_result(inst, derivative_result_type(op, attribute, i));
    }
    return inst;
}

int *real_results(Arena *arena, const Function *function, int *count) {
    const Region *body = function->body;
    int *list = arena_array(arena, int, body->yields.count);
    *count = 0;
    for (int i = 0; i < body->yields.count; i++) {
        if (element_is_real(body->yields.at[i]->type.element) &&
            function->results[i].role != ROLE_SAVED) {
            list[(*count)++] = i;
        }
    }
    return list;
}

static const char *parameter_mistake(Arena *arena, const Function *rule, int index, Type wanted) {
    Type type = rule->body->parameters.at[index]->type;
    return type_equal(type, wanted)
               ? NULL
               : arena_format(arena, "its rule %s takes %s for parameter %d, not %s", rule->name,
                              type_string(arena, type), index, type_string(arena, wanted));
}

const char *reverse_rule_mistake(Arena *arena, const Function *function) {
    const Region *body = function->body, *rule = function->reverse->body;
    int real_count;
    const int *real = real_results(arena, function, &real_count);
    int parameters = body->parameters.count, results = body->yields.count;
    if (rule->parameters.count != parameters + results + real_count) {
        return arena_format(arena, "its rule %s takes %d parameters, not %d",
                            function->reverse->name, rule->parameters.count,
                            parameters + results + real_count);
    }
    const char *mistake = NULL;
    for (int i = 0; i < rule->parameters.count && !mistake; i++) {
        const Value *like = i < parameters ? body->parameters.at[i]
                            : i < parameters + results
                                ? body->yields.at[i - parameters]
                                : body->yields.at[real[i - parameters - results]];
        mistake = parameter_mistake(arena, function->reverse, i, like->type);
    }
    if (mistake) {
        return mistake;
    }
    mistake = indices_mistake(arena, "parameter", function->reverse_leaves, body->parameters.at,
                              parameters);
    if (mistake) {
        return arena_format(arena, "its rule %s", mistake);
    }
    bool fits = rule->yields.count == function->reverse_leaves.count;
    for (int i = 0; fits && i < rule->yields.count; i++) {
        fits = type_equal(rule->yields.at[i]->type,
                          body->parameters.at[function->reverse_leaves.at[i]]->type);
    }
    return fits ? NULL
                : arena_format(arena, "its rule %s does not give the gradients of its parameters",
                               function->reverse->name);
}
