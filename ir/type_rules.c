// Type rules: the entry point, what all rules share, and the rules of elementwise operators. The
// rules of tensor operators are in ir/type_rules_*.c. Rules serve the builder, the front end and
// the verifier, so they trust neither the operands' types nor the attributes.
#include "ir/type_rules.h"

#include <stdarg.h>

bool refuse(Rule *rule, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_format_list(rule->module->arena, format, arguments);
    va_end(arguments);
    rule->why = arena_format(rule->module->arena, "%s %s", rule->info->name, message);
    return false;
}

bool refuse_sizes(Rule *rule, const char *where, const Dim *x, const Dim *y) {
    int64_t value;
    if (dim_is_constant(x, &value) && dim_is_constant(y, &value)) {
        return refuse(rule, "needs equal sizes %s, got %s and %s", where, show_dim(rule, x),
                      show_dim(rule, y));
    }
    return refuse(rule, "cannot show that the sizes %s and %s %s are equal", show_dim(rule, x),
                  show_dim(rule, y), where);
}

bool refuse_axis_sizes(Rule *rule, int axis, const Dim *x, const Dim *y) {
    return refuse_sizes(rule, arena_format(rule->module->arena, "of axis %d", axis), x, y);
}

bool give_type(Rule *rule, ElementType element, const Dim *const *dims, int rank) {
    rule->result = type_copy(rule->module->arena, (Type){element, rank, dims});
    if (!type_fits(rule->result)) {
        return refuse(rule, "would make a tensor that is too large or has a negative size: %s",
                      show_type(rule, rule->result));
    }
    return true;
}

Type operand_type(const Rule *rule, int index) {
    return rule->operands[index]->type;
}

const char *show_dim(const Rule *rule, const Dim *dim) {
    Text text = text_new(rule->module->arena);
    dim_print(&text, dim);
    return text_string(&text);
}

const char *show_type(const Rule *rule, Type type) {
    return type_string(rule->module->arena, type);
}

const char *show_operand(const Rule *rule, int index) {
    return show_type(rule, operand_type(rule, index));
}

bool require_dims(Rule *rule, Dims dims, int count, const char *what) {
    if (dims.count != count) {
        return refuse(rule, "needs %d %s, got %d", count, what, dims.count);
    }
    for (int i = 0; i < count; i++) {
        if (!dims.at[i]) {
            return refuse(rule, "has no value for %s of axis %d", what, i);
        }
    }
    return true;
}

bool require_axis(Rule *rule, int axis, int rank) {
    if (axis < 0 || axis >= rank) {
        return refuse(rule, "has no axis %d in a tensor of rank %d", axis, rank);
    }
    return true;
}

bool require_axes(Rule *rule, Ints axes, int rank) {
    for (int i = 0; i < axes.count; i++) {
        if (!require_axis(rule, axes.at[i], rank)) {
            return false;
        }
        if (i > 0 && axes.at[i] <= axes.at[i - 1]) {
            return refuse(rule, "needs each axis once and in order, got %d after %d", axes.at[i],
                          axes.at[i - 1]);
        }
    }
    return true;
}

bool require_number(Rule *rule, int index) {
    if (operand_type(rule, index).element == TYPE_BOOL) {
        return refuse(rule, "needs numbers, got %s", show_operand(rule, index));
    }
    return true;
}

static bool require_one_shape(Rule *rule) {
    Type first = operand_type(rule, 0);
    for (int i = 1; i < rule->count; i++) {
        Type type = operand_type(rule, i);
        if (type.rank != first.rank) {
            return refuse(rule, "needs operands of one shape, got %s and %s", show_operand(rule, 0),
                          show_operand(rule, i));
        }
        for (int axis = 0; axis < type.rank; axis++) {
            if (!dim_equal(type.dims[axis], first.dims[axis])) {
                return refuse_axis_sizes(rule, axis, first.dims[axis], type.dims[axis]);
            }
        }
    }
    return true;
}

// Operands from `first` on have one element type.
static bool require_one_element(Rule *rule, int first) {
    for (int i = first + 1; i < rule->count; i++) {
        ElementType x = operand_type(rule, first).element, y = operand_type(rule, i).element;
        if (x != y) {
            return refuse(rule, "needs operands of one element type, got %s and %s",
                          element_name(x), element_name(y));
        }
    }
    return true;
}

static bool refuse_element(Rule *rule, const char *needed, int index) {
    return refuse(rule, "needs %s, got %s", needed, show_operand(rule, index));
}

static bool element_is_known(ElementType element) {
    return (int)element >= 0 && element < ELEMENT_TYPE_COUNT;
}

// The element type that comes out.
static bool elementwise_element(Rule *rule, ElementType *result) {
    ElementType element = operand_type(rule, 0).element;
    *result = element;
    switch (rule->info->rule) {
    case RULE_real: return element_is_real(element) || refuse_element(rule, "real numbers", 0);
    case RULE_numeric: return require_number(rule, 0);
    case RULE_integer: return element_is_integer(element) || refuse_element(rule, "integers", 0);
    case RULE_compare: *result = TYPE_BOOL; return true;
    case RULE_logical: return element == TYPE_BOOL || refuse_element(rule, "bool", 0);
    case RULE_test:
        *result = TYPE_BOOL;
        return element_is_real(element) || refuse_element(rule, "real numbers", 0);
    case RULE_select:
        *result = operand_type(rule, 1).element;
        return element == TYPE_BOOL || refuse_element(rule, "a bool condition", 0);
    case RULE_cast:
        *result = rule->attribute->element;
        return element_is_known(*result) || refuse(rule, "has no element type to cast to");
    case RULE_random:
        return element == TYPE_I64 || refuse_element(rule, "an i64 key and an i64 counter", 0);
    case RULE_none: break;
    }
    unreachable("%s is not elementwise", rule->info->name);
}

static bool type_elementwise(Rule *rule) {
    ElementType element;
    if (!require_one_element(rule, rule->info->rule == RULE_select) ||
        !elementwise_element(rule, &element) || !require_one_shape(rule)) {
        return false;
    }
    Type type = operand_type(rule, 0);
    return give_type(rule, element, type.dims, type.rank);
}

static bool (*const tensor_rules[OP_COUNT])(Rule *) = {
#define TENSOR(name, arity, attribute, derivative, traits, meaning) [OP_##name] = type_##name,
#include "ir/ops.def"
};

bool op_result_type(Module *module, Op op, Value *const *operands, int count,
                    const Attribute *attribute, Type *result, const char **why) {
    static const Attribute no_attribute = {0};
    const OpInfo *info = op_info(op);
    Rule rule = {.module = module,
                 .info = info,
                 .operands = operands,
                 .count = count,
                 .attribute = attribute ? attribute : &no_attribute};
    bool fits;
    if (info->arity >= 0 && count != info->arity) {
        fits = refuse(&rule, "needs %d operands, got %d", info->arity, count);
    } else {
        fits = info->elementwise ? type_elementwise(&rule) : tensor_rules[op](&rule);
    }
    if (fits) {
        *result = rule.result;
    } else {
        *why = rule.why;
    }
    return fits;
}
