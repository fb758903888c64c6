// Expressions: one case for each kind of node; the work is done in the files for operators, calls
// and indexing.
#include "frontend/elaborate_internal.h"

#include <string.h>

static Val elaborate_list(Elaborator *e, const Expr *expr) {
    Val val = list_val(e, expr->as.list.count);
    bool failed = false;
    for (int i = 0; i < val.list.count; i++) {
        val.list.at[i] = elaborate_value(e, expr->as.list.at[i]);
        failed = failed || is_error(val.list.at[i]);
    }
    return failed ? error_val() : val;
}

// `a and b` with a known left side looks at the right side only if it matters.
static Val elaborate_operator(Elaborator *e, const Expr *expr, Val x) {
    BinaryOp op = expr->as.binary.op;
    if (x.kind == VAL_BOOL && (op == BINARY_AND || op == BINARY_OR) &&
        x.boolean == (op == BINARY_OR)) {
        return x;
    }
    const Expr *left = expr->as.binary.left, *right = expr->as.binary.right;
    Val y = elaborate_value(e, right);
    return binary_operator(e, expr->span, op, x, left->span, y, right->span);
}

// A chain a + b + c + ... may be long: its first operand lies deepest.
static Val elaborate_binary(Elaborator *e, const Expr *expr) {
    VEC(const Expr *) chain = {0};
    for (; expr->kind == EXPR_BINARY; expr = expr->as.binary.left) {
        vec_push(e->arena, &chain, expr);
    }
    Val value = elaborate_value(e, expr);
    for (int i = chain.count - 1; i >= 0; i--) {
        if (!spend(e, chain.at[i]->span)) {
            return error_val();
        }
        value = elaborate_operator(e, chain.at[i], value);
    }
    return value;
}

Value *push_guard(Elaborator *e, Value *condition, Span span) {
    Value *outer = e->guard;
    at_span(e, span);
    e->guard = outer == NULL ? condition : build_logical_and(&e->builder, outer, condition);
    return outer;
}

static Val elaborate_conditional(Elaborator *e, const Expr *expr) {
    const Expr *then = expr->as.conditional.then, *otherwise = expr->as.conditional.otherwise;
    Span condition_span = expr->as.conditional.condition->span;
    Val condition = elaborate_value(e, expr->as.conditional.condition);
    if (condition.kind == VAL_BOOL) {
        return elaborate_value(e, condition.boolean ? then : otherwise);
    }
    bool is_scalar =
        is_tensor(condition) && type_equal(condition.tensor->type, type_scalar(TYPE_BOOL));
    Val x, y;
    if (is_scalar) {
        Value *outer = push_guard(e, condition.tensor, condition_span);
        x = elaborate_value(e, then);
        e->guard = outer;
        push_guard(e, build_logical_not(&e->builder, condition.tensor), condition_span);
        y = elaborate_value(e, otherwise);
        e->guard = outer;
    } else {
        x = elaborate_value(e, then);
        y = elaborate_value(e, otherwise);
    }
    if (!is_error(condition) && !is_tensor(condition)) {
        Diag *diag =
            report(e, condition_span, "a condition must be bool, got %s", describe(e, condition));
        hint(e, diag, "compare it: x != 0");
        return error_val();
    }
    return select_val(e, expr->span, condition, condition_span, x, then->span, y, otherwise->span);
}

static Value *reverse_axes(Elaborator *e, Span span, Value *value, int from) {
    int rank = value->type.rank, *axes = arena_array(e->module->arena, int, rank);
    for (int i = 0; i < rank; i++) {
        axes[i] = i < from ? i : rank - 1 - (i - from);
    }
    Attribute attribute = {.axes = {axes, rank}};
    return emit(e, span, OP_transpose, &value, 1, &attribute);
}

static Val tensor_attribute(Elaborator *e, const Expr *expr, Val object, bool *known) {
    const char *name = expr->as.attribute.name.text;
    *known = true;
    Value *value = NULL;
    if (is_tensor_like(object)) {
        value = as_tensor(e, object, expr->as.attribute.object->span);
        if (value == NULL) {
            return error_val();
        }
    }
    if (value == NULL) {
        *known = false;
    } else if (strcmp(name, "shape") == 0) {
        return shape_val(e, value->type);
    } else if (strcmp(name, "ndim") == 0) {
        return number_val(e, value->type.rank);
    } else if (strcmp(name, "dtype") == 0) {
        return (Val){.kind = VAL_ELEMENT, .element = value->type.element};
    } else if (strcmp(name, "T") == 0) {
        return tensor_val(reverse_axes(e, expr->span, value, 0));
    } else if (strcmp(name, "mT") == 0) {
        if (value->type.rank == 1) {
            report(e, expr->span, "mT needs at least 2 axes, got %s", show_value_type(e, value));
            return error_val();
        }
        return tensor_val(
            reverse_axes(e, expr->span, value, value->type.rank < 2 ? 0 : value->type.rank - 2));
    } else {
        *known = false;
    }
    return error_val();
}

static Val elaborate_attribute(Elaborator *e, const Expr *expr) {
    Val object = elaborate_value(e, expr->as.attribute.object);
    AstName name = expr->as.attribute.name;
    bool known;
    if (is_error(object)) {
        return object;
    }
    Val result = tensor_attribute(e, expr, object, &known);
    if (known) {
        return result;
    }
    Diag *diag = report(e, name.span, "%s has no attribute %s", describe(e, object), name.text);
    if (strcmp(name.text, "grad") == 0) {
        hint(e, diag, "gradients are asked for from outside: tdsl grad FILE");
    } else if (strcmp(name.text, "data") == 0) {
        hint(e, diag, "write detach(x)");
    } else if (find_function(e, name.text) != NULL || find_builtin(name.text) != NULL) {
        hint(e, diag, "it is a function: write %s() with parentheses", name.text);
    } else {
        hint(e, diag, "there are shape, ndim, dtype, T and mT");
    }
    return error_val();
}

static Val elaborate_function_expr(Elaborator *e, const Expr *expr) {
    FunctionVal *function = arena_new(e->arena, FunctionVal);
    *function = (FunctionVal){.ast = expr->as.function, .scope = freeze_scope(e), .name = "fn"};
    function->is_prelude =
        e->frame != NULL && e->frame->function != NULL && e->frame->function->is_prelude;
    return (Val){.kind = VAL_FUNCTION, .function = function};
}

enum { DEPTH_MAX = 2000 }; // keeps the stack small

static Val elaborate_kind(Elaborator *e, const Expr *expr) {
    switch (expr->kind) {
    case EXPR_ERROR: return error_val();
    case EXPR_INTEGER: return number_val(e, expr->as.integer);
    case EXPR_REAL: return real_val(expr->as.real);
    case EXPR_STRING: return string_val(expr->as.string);
    case EXPR_BOOL: return bool_val(expr->as.boolean);
    case EXPR_NONE: return none_val();
    case EXPR_NAME: return lookup(e, expr->as.name, expr->span);
    case EXPR_ELLIPSIS:
        report(e, expr->span, "`...` stands only in the types of parameters and in x[...]");
        return error_val();
    case EXPR_LIST: return elaborate_list(e, expr);
    case EXPR_UNARY:
        return unary_operator(e, expr->span, expr->as.unary.op,
                              elaborate_value(e, expr->as.unary.operand),
                              expr->as.unary.operand->span);
    case EXPR_BINARY: return elaborate_binary(e, expr);
    case EXPR_CONDITIONAL: return elaborate_conditional(e, expr);
    case EXPR_CALL: return elaborate_call(e, expr);
    case EXPR_METHOD: return elaborate_method(e, expr);
    case EXPR_ATTRIBUTE: return elaborate_attribute(e, expr);
    case EXPR_INDEX: return elaborate_index(e, expr);
    case EXPR_COMPREHENSION: return elaborate_comprehension(e, expr);
    case EXPR_FUNCTION: return elaborate_function_expr(e, expr);
    }
    return error_val();
}

Val elaborate_expr(Elaborator *e, const Expr *expr) {
    if (!spend(e, expr->span)) {
        return error_val();
    }
    if (e->depth >= DEPTH_MAX) {
        report(e, expr->span, "expressions and calls are nested too deeply");
        return error_val();
    }
    e->depth++;
    Val val = elaborate_kind(e, expr);
    e->depth--;
    return val;
}

Val elaborate_value(Elaborator *e, const Expr *expr) {
    Val val = elaborate_expr(e, expr);
    if (val.kind == VAL_RESULTS) {
        Diag *diag =
            report(e, expr->span, "one value is needed here, but this gives %s", describe(e, val));
        if (val.list.count > 1) {
            hint(e, diag, "give each result a name first: a, b = ...");
        }
        return error_val();
    }
    return val;
}
