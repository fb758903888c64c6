// Operators on tensors: conversion of element types as PyTorch does, broadcasting as NumPy does,
// and what the operators of the language mean for each kind of value.
#include "frontend/elaborate_internal.h"

#include <inttypes.h>
#include <string.h>

Value *emit(Elaborator *e, Span span, Op op, Value *const *operands, int count,
            const Attribute *attribute) {
    static const Attribute nothing;
    const char *why;
    Type type;
    bool is_symbolic = false;
    for (int i = 0; i < count; i++) {
        if (operands[i] == NULL) {
            return NULL;
        }
        is_symbolic = is_symbolic || !type_is_static(operands[i]->type);
    }
    if (attribute == NULL) {
        attribute = &nothing;
    }
    if (!op_result_type(e->module, op, operands, count, attribute, &type, &why)) {
        report_sizes(e, span, is_symbolic, "%s", why);
        return NULL;
    }
    at_span(e, span);
    return build_op(&e->builder, op, operands, count, attribute);
}

// ---- element types

enum { NO_ELEMENT = ELEMENT_TYPE_COUNT };

static int combine_elements(int higher, int lower) {
    if (higher == NO_ELEMENT || lower == NO_ELEMENT) {
        return higher == NO_ELEMENT ? lower : higher;
    }
    if (element_is_real((ElementType)higher)) {
        return higher;
    }
    if (higher == TYPE_BOOL || element_is_real((ElementType)lower)) {
        return higher > lower ? higher : lower;
    }
    return higher;
}

static void raise_element(int *present, ElementType element) {
    if (*present == NO_ELEMENT || (int)element > *present) {
        *present = (int)element;
    }
}

static bool is_static_list(Val val) {
    if (val.kind != VAL_LIST) {
        return is_static_scalar(val);
    }
    for (int i = 0; i < val.list.count; i++) {
        if (!is_static_list(val.list.at[i])) {
            return false;
        }
    }
    return true;
}

// Tensors with axes decide before scalars, scalars before known numbers; a later group only raises
// the kind (bool, integer, real), as in PyTorch.
ElementType promote_elements(Elaborator *e, const Val *vals, int count) {
    int axes = NO_ELEMENT, scalars = NO_ELEMENT, numbers = NO_ELEMENT;
    for (int i = 0; i < count; i++) {
        ElementType element;
        int rank;
        if (!val_element(e, vals[i], &element, &rank)) {
            continue;
        }
        if (is_static_list(vals[i])) {
            raise_element(&numbers, element);
        } else {
            raise_element(rank > 0 ? &axes : &scalars, element);
        }
    }
    int result = combine_elements(combine_elements(axes, scalars), numbers);
    return result == NO_ELEMENT ? e->options->real : (ElementType)result;
}

Value *convert(Elaborator *e, Value *value, ElementType element) {
    return value == NULL ? NULL : build_cast(&e->builder, value, element);
}

// ---- shapes

Dims make_dims(Elaborator *e, int count, const Dim ***at) {
    *at = arena_array(e->module->arena, const Dim *, count);
    return (Dims){*at, count};
}

Value *reshape_value(Elaborator *e, Value *value, Dims shape) {
    return value == NULL ? NULL : build_reshape(&e->builder, value, shape);
}

bool check_shape(Elaborator *e, Span span, Dims shape) {
    Type type = {TYPE_F64, shape.count, shape.at};
    for (int i = 0; i < shape.count; i++) {
        if (shape.at[i] == NULL) {
            report(e, span, "this tensor would be too large");
            return false;
        }
    }
    if (shape.count > 15 || !type_fits(type)) {
        Text text = text_new(e->arena);
        for (int i = 0; i < shape.count; i++) {
            text_add(&text, i == 0 ? "" : ",");
            dim_print(&text, shape.at[i]);
        }
        report(e, span,
               shape.count > 15 ? "a tensor has at most 15 axes: [%s]"
                                : "a tensor of shape [%s] would be too large",
               text_string(&text));
        return false;
    }
    return true;
}

bool broadcast_shapes(Elaborator *e, Span span, const char *what, Type x, Type y, Dims *shape) {
    int rank = x.rank > y.rank ? x.rank : y.rank;
    const Dim **dims, *one = constant_dim(e, 1);
    *shape = make_dims(e, rank, &dims);
    for (int i = 1; i <= rank; i++) {
        const Dim *a = i <= x.rank ? x.dims[x.rank - i] : one;
        const Dim *b = i <= y.rank ? y.dims[y.rank - i] : one;
        if (!dim_equal(a, b) && !dim_equal(a, one) && !dim_equal(b, one)) {
            int64_t known;
            bool is_symbolic = !dim_is_constant(a, &known) || !dim_is_constant(b, &known);
            Diag *diag =
                report_sizes(e, span, is_symbolic,
                             "%s cannot broadcast %s with %s: the sizes of axis -%d are %s and %s",
                             what, type_string(e->arena, x), type_string(e->arena, y), i,
                             show_dim_text(e, a), show_dim_text(e, b));
            hint(e, diag,
                 is_symbolic
                     ? "use one name for sizes that are always equal, or bind them with -D"
                     : "sizes must be equal, or one of them 1; axes are counted from the end");
            return false;
        }
        dims[rank - i] = dim_equal(a, one) ? b : a;
    }
    return check_shape(e, span, *shape);
}

Value *broadcast_value(Elaborator *e, Value *value, Dims shape) {
    return value == NULL ? NULL : build_broadcast_to(&e->builder, value, shape);
}

Value *full_value(Elaborator *e, Value *scalar, Dims shape) {
    return broadcast_value(e, scalar, shape);
}

// Converts the values to `element`, and to one shape; scalars stay scalars.
static bool unify_to(Elaborator *e, Span span, const char *what, ElementType element,
                     const Val *vals, const Span *spans, int count, Value **results) {
    Type shape_type = type_scalar(element);
    for (int i = 0; i < count; i++) {
        results[i] = to_tensor(e, vals[i], spans[i], element);
        if (results[i] == NULL) {
            return false;
        }
        at_span(e, span);
        results[i] = convert(e, results[i], element);
        Dims shape;
        if (!broadcast_shapes(e, span, what, shape_type, results[i]->type, &shape)) {
            return false;
        }
        shape_type = (Type){element, shape.count, shape.at};
    }
    at_span(e, span);
    for (int i = 0; i < count; i++) {
        if (results[i]->type.rank > 0) {
            results[i] = broadcast_value(e, results[i], (Dims){shape_type.dims, shape_type.rank});
        }
    }
    return true;
}

bool unify_operands(Elaborator *e, Span span, const char *what, const Val *vals, const Span *spans,
                    int count, Value **results) {
    for (int i = 0; i < count; i++) {
        if (is_error(vals[i])) {
            return false;
        }
    }
    return unify_to(e, span, what, promote_elements(e, vals, count), vals, spans, count, results);
}

// ---- elementwise operators

static ElementType operand_element(Elaborator *e, const OpInfo *info, ElementType promoted) {
    switch (info->rule) {
    case RULE_real:
    case RULE_test: return element_is_real(promoted) ? promoted : e->options->real;
    case RULE_logical: return TYPE_BOOL;
    default: return promoted;
    }
}

// Integers stay what they are.
static bool rounds(Op op) {
    return op == OP_floor || op == OP_ceil || op == OP_trunc || op == OP_round;
}

// What PyTorch asks of the operands, though the operator could be given a meaning; NULL if nothing.
static const char *needed_elements(Op op, const OpInfo *info, ElementType element) {
    bool needs_numbers = info->rule == RULE_numeric || rounds(op) || op == OP_fmod;
    if (needs_numbers && element == TYPE_BOOL) {
        return "numbers";
    }
    if (info->rule == RULE_integer && !element_is_integer(element)) {
        return "integers";
    }
    return op == OP_hypot && !element_is_real(element) ? "floating-point numbers" : NULL;
}

static bool refuse_elements(Elaborator *e, Span span, Op op, const OpInfo *info,
                            const Val *operands) {
    ElementType element = promote_elements(e, operands, info->arity);
    if (op == OP_sub && (is_bool_tensor(operands[0]) || is_bool_tensor(operands[1]))) {
        element = TYPE_BOOL; // not even beside a number
    }
    const char *needs = needed_elements(op, info, element);
    if (needs == NULL) {
        return false;
    }
    Diag *diag =
        report(e, span, "%s needs %s, got %s", operator_name(op), needs, element_name(element));
    if (element == TYPE_BOOL) {
        hint(e, diag,
             "cast(x, f32) makes 0 and 1 of false and true; `and`, `or` and `not` combine "
             "them");
    } else if (op == OP_hypot) {
        hint(e, diag, "convert them: cast(x, f32)");
    }
    return true;
}

// Truth of each element.
static Val to_truth(Elaborator *e, Span span, Val val) {
    ElementType element;
    int rank;
    if (val_element(e, val, &element, &rank) && element != TYPE_BOOL) {
        return binary_operator(e, span, BINARY_NOT_EQUAL, val, span, number_val(e, 0), span);
    }
    return val;
}

static bool static_elementwise(Elaborator *e, Op op, const OpInfo *info, const Val *operands,
                               Val *result) {
    double numbers[3] = {0};
    for (int i = 0; i < info->arity; i++) {
        if (!is_static_scalar(operands[i]) || !val_known_real(operands[i], &numbers[i])) {
            return false;
        }
    }
    bool all_integer = true;
    for (int i = 0; i < info->arity; i++) {
        all_integer = all_integer && operands[i].kind == VAL_INT;
    }
    if (info->rule == RULE_real || info->rule == RULE_numeric) {
        double number = scalar_real(op, TYPE_F64, numbers);
        if (info->rule == RULE_numeric && all_integer) {
            *result = number_val(e, (int64_t)number);
            return number > -0x1p53 && number < 0x1p53;
        }
        *result = real_val(number);
        return true;
    }
    return false;
}

Val elementwise(Elaborator *e, Span span, Op op, const Val *operands, const Span *spans) {
    const OpInfo *info = op_info(op);
    Value *values[3];
    Val result, truths[3];
    for (int i = 0; i < info->arity; i++) {
        if (is_error(operands[i])) {
            return error_val();
        }
        truths[i] = info->rule == RULE_logical ? to_truth(e, span, operands[i]) : operands[i];
    }
    if (static_elementwise(e, op, info, operands, &result)) {
        return result;
    }
    if ((rounds(op) && is_tensor(operands[0]) &&
         element_is_integer(operands[0].tensor->type.element)) ||
        (op == OP_sign && is_bool_tensor(operands[0]))) {
        return operands[0];
    }
    ElementType element = operand_element(e, info, promote_elements(e, truths, info->arity));
    if (refuse_elements(e, span, op, info, truths) ||
        !unify_to(e, span, info->name, element, truths, spans, info->arity, values)) {
        return error_val();
    }
    at_span(e, span);
    return tensor_val(info->arity == 1 ? build_unary(&e->builder, op, values[0])
                                       : build_binary(&e->builder, op, values[0], values[1]));
}

Val select_val(Elaborator *e, Span span, Val condition, Span condition_span, Val x, Span x_span,
               Val y, Span y_span) {
    if (is_error(condition) || is_error(x) || is_error(y)) {
        return error_val();
    }
    Value *values[3];
    Val sides[2] = {x, y};
    Span spans[2] = {x_span, y_span};
    values[0] = as_tensor(e, condition, condition_span);
    if (values[0] == NULL || !unify_operands(e, span, "select", sides, spans, 2, values + 1)) {
        return error_val();
    }
    if (values[0]->type.element != TYPE_BOOL) {
        Diag *diag = report(e, condition_span, "a condition must be bool, got %s",
                            show_value_type(e, values[0]));
        hint(e, diag, "compare it: x != 0");
        return error_val();
    }
    Dims shape;
    Type type = values[1]->type.rank > 0 ? values[1]->type : values[2]->type;
    if (!broadcast_shapes(e, span, "select", values[0]->type, type, &shape)) {
        return error_val();
    }
    at_span(e, span);
    for (int i = 0; i < 3; i++) {
        values[i] = broadcast_value(e, values[i], shape);
    }
    return tensor_val(build_select(&e->builder, values[0], values[1], values[2]));
}

// ---- the operators of the language

static bool binary_op_as_op(BinaryOp op, Op *result) {
    static const struct {
        BinaryOp from;
        Op to;
    } table[] = {
        {BINARY_ADD, OP_add},
        {BINARY_SUBTRACT, OP_sub},
        {BINARY_MULTIPLY, OP_mul},
        {BINARY_DIVIDE, OP_div},
        {BINARY_FLOOR_DIVIDE, OP_floor_divide},
        {BINARY_REMAINDER, OP_remainder},
        {BINARY_EQUAL, OP_eq},
        {BINARY_NOT_EQUAL, OP_ne},
        {BINARY_LESS, OP_lt},
        {BINARY_LESS_EQUAL, OP_le},
        {BINARY_GREATER, OP_gt},
        {BINARY_GREATER_EQUAL, OP_ge},
        {BINARY_AND, OP_logical_and},
        {BINARY_OR, OP_logical_or},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].from == op) {
            *result = table[i].to;
            return true;
        }
    }
    return false;
}

// Equality of things that are not numbers: strings, none, types, shapes.
static bool compare_things(Elaborator *e, Span span, BinaryOp op, Val x, Val y, Val *result) {
    bool is_equality = op == BINARY_EQUAL || op == BINARY_NOT_EQUAL;
    bool both_like = is_tensor_like(x) && is_tensor_like(y) && !x.is_shape && !y.is_shape;
    if (both_like) {
        return false;
    }
    if (!is_equality) {
        if (is_tensor_like(x) && is_tensor_like(y)) {
            return false;
        }
        report(e, span, "'%s' needs numbers or tensors, got %s and %s", binary_op_text(op),
               describe(e, x), describe(e, y));
        *result = error_val();
        return true;
    }
    *result = bool_val(val_equal(x, y) == (op == BINARY_EQUAL));
    return true;
}

static Val concatenate_shapes(Elaborator *e, Val x, Val y) {
    Val val = list_val(e, x.list.count + y.list.count);
    val.is_shape = true;
    for (int i = 0; i < val.list.count; i++) {
        val.list.at[i] = i < x.list.count ? x.list.at[i] : y.list.at[i - x.list.count];
    }
    return val;
}

static bool require_truth(Elaborator *e, BinaryOp op, Val val, Span span) {
    ElementType element;
    int rank;
    if (!val_element(e, val, &element, &rank) || element != TYPE_BOOL) {
        Diag *diag =
            report(e, span, "'%s' needs bool, got %s", binary_op_text(op), describe(e, val));
        hint(e, diag, "compare it: x != 0");
        return false;
    }
    return true;
}

Val binary_operator(Elaborator *e, Span span, BinaryOp op, Val x, Span x_span, Val y, Span y_span) {
    Val result;
    Op operator_op;
    if (is_error(x) || is_error(y)) {
        return error_val();
    }
    if (x.kind == VAL_LIST && y.kind == VAL_LIST && (x.is_shape || y.is_shape) &&
        op == BINARY_ADD) {
        return concatenate_shapes(e, x, y);
    }
    if ((op == BINARY_AND || op == BINARY_OR) &&
        (!require_truth(e, op, x, x_span) || !require_truth(e, op, y, y_span))) {
        return error_val();
    }
    if (compare_things(e, span, op, x, y, &result)) {
        return result;
    }
    if (op == BINARY_MATMUL) {
        Value *left = as_tensor(e, x, x_span), *right = as_tensor(e, y, y_span);
        return left == NULL || right == NULL ? error_val() : matmul(e, span, left, right);
    }
    if (is_static_scalar(x) && is_static_scalar(y) && static_binary(e, span, op, x, y, &result)) {
        return result;
    }
    if (op == BINARY_POWER) {
        return power(e, span, x, x_span, y, y_span);
    }
    Val operands[2] = {x, y};
    Span spans[2] = {x_span, y_span};
    check(binary_op_as_op(op, &operator_op), "operator without an IR operator");
    return elementwise(e, span, operator_op, operands, spans);
}

Val unary_operator(Elaborator *e, Span span, UnaryOp op, Val x, Span x_span) {
    if (is_error(x)) {
        return x;
    }
    if (op == UNARY_NOT) {
        if (x.kind == VAL_BOOL) {
            return bool_val(!x.boolean);
        }
        ElementType element;
        int rank;
        if (!val_element(e, x, &element, &rank) || element != TYPE_BOOL) {
            Diag *diag = report(e, span, "'not' needs bool, got %s", describe(e, x));
            hint(e, diag, "compare it: x == 0");
            return error_val();
        }
        return elementwise(e, span, OP_logical_not, &x, &x_span);
    }
    if (!is_tensor_like(x)) {
        report(e, span, "'%s' needs a number or a tensor, got %s", unary_op_text(op),
               describe(e, x));
        return error_val();
    }
    if (op == UNARY_PLUS) {
        return x;
    }
    if (x.kind == VAL_REAL) {
        x.real = -x.real;
        return x;
    }
    if (is_static_scalar(x)) {
        Val result;
        if (static_binary(e, span, BINARY_MULTIPLY, number_val(e, -1), x, &result)) {
            return result;
        }
    }
    return elementwise(e, span, OP_neg, &x, &x_span);
}
