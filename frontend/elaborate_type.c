// Types as the user writes them: their dimensions as expressions, values fitted to them, and the
// named dimensions of a function found from its arguments.
#include "frontend/elaborate_internal.h"

#include <inttypes.h>
#include <string.h>

// While a function's arguments are matched, an unknown dimension N is the symbol "?N".
typedef struct Pattern {
    bool allows_unknown;
    NameVec unknown; // met in the expression evaluated last
} Pattern;

typedef struct Pending {
    const Expr *pattern;
    const Dim *actual;
    int parameter;
    bool done;
} Pending;
typedef VEC(Pending) PendingList;

bool element_of_name(Elaborator *e, AstName name, ElementType *element) {
    if (strcmp(name.text, "real") == 0) {
        *element = e->options->real;
        return true;
    }
    if (!element_from_name(name.text, element)) {
        return false;
    }
    if (*element == TYPE_F32 && e->options->f32_is_f64) {
        *element = TYPE_F64;
    }
    return true;
}

static bool is_any(const TypeExpr *type) {
    return strcmp(type->element.text, "tensor") == 0 || strcmp(type->element.text, "floating") == 0;
}

static bool is_floating(const TypeExpr *type) {
    return strcmp(type->element.text, "floating") == 0;
}

static void report_unknown_type(Elaborator *e, AstName name) {
    Diag *diag;
    if (strcmp(name.text, "f16") == 0 || strcmp(name.text, "bf16") == 0) {
        diag = report(e, name.span, "%s is not supported yet", name.text);
        hint(e, diag, "use f32");
        return;
    }
    static const char *const known[] = {"f32",  "f64",  "i32",    "i64",
                                        "bool", "real", "tensor", "floating"};
    diag = report(e, name.span, "there is no type %s", name.text);
    const char *closest = closest_name(name.text, known, 8);
    static const char *const foreign[][2] = {
        {"float", "f32"}, {"double", "f64"},  {"int", "i64"},
        {"long", "i64"},  {"float32", "f32"}, {"float64", "f64"},
        {"int32", "i32"}, {"int64", "i64"},   {"boolean", "bool"}};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        if (strcmp(name.text, foreign[i][0]) == 0) {
            closest = foreign[i][1];
        }
    }
    if (closest != NULL) {
        hint(e, diag, "did you mean %s?", closest);
    } else {
        hint(e, diag, "types are f32, f64, i32, i64, bool and real");
    }
}

static bool known_element(Elaborator *e, AstName name, ElementType *element) {
    if (element_of_name(e, name, element)) {
        return true;
    }
    report_unknown_type(e, name);
    return false;
}

// ---- dimensions

static const Dim *eval_dim(Elaborator *e, const Expr *expr, Pattern *pattern);

static const Dim *eval_dim_name(Elaborator *e, const Expr *expr, Pattern *pattern) {
    const char *name = expr->as.name;
    const Dim *dim;
    Binding *binding = find_binding(e->scope, name);
    if (binding != NULL) {
        return val_to_dim(e, binding->value, expr->span, "a dimension", &dim) ? dim : NULL;
    }
    if (pattern->allows_unknown) {
        vec_push(e->arena, &pattern->unknown, name);
        return dim_symbol(e->module->dims, arena_format(e->module->arena, "?%s", name));
    }
    Diag *diag = report(e, expr->span, "there is no dimension %s here", name);
    NameVec names = {0};
    for (const Scope *scope = e->scope; scope != NULL; scope = scope->parent) {
        for (int i = 0; i < scope->bindings.count; i++) {
            if (scope->bindings.at[i].value.kind == VAL_INT) {
                vec_push(e->arena, &names, scope->bindings.at[i].name);
            }
        }
    }
    hint_name(e, diag, name, &names);
    hint(e, diag, "a model names its dimensions: model m<%s> { ... }", name);
    return NULL;
}

static const Dim *eval_dim_binary(Elaborator *e, const Expr *expr, Pattern *pattern) {
    DimTable *table = e->module->dims;
    const Dim *x = eval_dim(e, expr->as.binary.left, pattern);
    const Dim *y = x == NULL ? NULL : eval_dim(e, expr->as.binary.right, pattern);
    const Dim *result = NULL;
    Val value;
    if (y == NULL) {
        return NULL;
    }
    switch (expr->as.binary.op) {
    case BINARY_DIVIDE:
        result = dim_divide(table, x, y);
        if (result == NULL) {
            report(e, expr->span, "%s is not a multiple of %s", show_dim_text(e, x),
                   show_dim_text(e, y));
        }
        return result;
    case BINARY_ADD:
    case BINARY_SUBTRACT:
    case BINARY_MULTIPLY:
    case BINARY_FLOOR_DIVIDE:
    case BINARY_REMAINDER:
    case BINARY_POWER:
        static_binary(e, expr->span, expr->as.binary.op, int_val(x), int_val(y), &value);
        return !is_error(value) && val_to_dim(e, value, expr->span, "a dimension", &result) ? result
                                                                                            : NULL;
    default: report(e, expr->span, "a dimension must be an integer"); return NULL;
    }
}

static const Dim *eval_dim(Elaborator *e, const Expr *expr, Pattern *pattern) {
    switch (expr->kind) {
    case EXPR_NAME: return eval_dim_name(e, expr, pattern);
    case EXPR_BINARY: return eval_dim_binary(e, expr, pattern);
    default: {
        const Dim *dim;
        Val value = elaborate_value(e, expr);
        return val_to_dim(e, value, expr->span, "a dimension", &dim) ? dim : NULL;
    }
    }
}

const Dim *elaborate_dim(Elaborator *e, const Expr *expr) {
    Pattern pattern = {0};
    return eval_dim(e, expr, &pattern);
}

static bool check_size(Elaborator *e, const Dim *dim, Span span) {
    int64_t size;
    if (dim_is_constant(dim, &size) && size < 0) {
        report(e, span, "a dimension cannot be negative: %" PRId64, size);
        return false;
    }
    return true;
}

bool elaborate_type(Elaborator *e, const TypeExpr *type, Type *result) {
    if (is_any(type)) {
        report(e, type->span,
               "%s has no fixed element type: only a function's parameter can be one",
               type->element.text);
        return false;
    }
    ElementType element;
    if (!known_element(e, type->element, &element)) {
        return false;
    }
    const Dim **dims;
    Dims shape = make_dims(e, type->dims.count, &dims);
    Pattern pattern = {0};
    for (int i = 0; i < shape.count; i++) {
        const Expr *dim = type->dims.at[i];
        if (dim->kind == EXPR_ELLIPSIS) {
            report(e, dim->span, "`...` can stand only in the types of a function's parameters");
            return false;
        }
        dims[i] = eval_dim(e, dim, &pattern);
        if (dims[i] == NULL || !check_size(e, dims[i], dim->span)) {
            return false;
        }
    }
    *result = (Type){element, shape.count, shape.count > 0 ? shape.at : NULL};
    if (shape.count > 15) {
        report(e, type->span, "a tensor has at most 15 axes");
        return false;
    }
    if (!type_fits(*result)) {
        report(e, type->span, "this tensor is too large: %s", type_string(e->arena, *result));
        return false;
    }
    return true;
}

// ---- fitting values

static bool refuse_kind(Elaborator *e, Val val, Span span, Type type, const char *what) {
    ElementType element;
    int rank;
    if (!val_element(e, val, &element, &rank)) {
        report(e, span, "%s is %s, but gets %s", what, type_string(e->arena, type),
               describe(e, val));
        return true;
    }
    bool is_weak = !is_tensor(val) && (is_static_scalar(val) || val.kind == VAL_LIST);
    bool fits = element == type.element;
    if (is_weak) {
        fits = element_is_real(type.element) ||
               (element_is_integer(type.element) && element <= TYPE_I64) || fits;
    }
    if (val.kind == VAL_LIST && val.list.count == 0) {
        fits = true;
    }
    if (!fits) {
        Diag *diag = report(e, span, "%s is %s, but gets %s", what, type_string(e->arena, type),
                            is_weak && val.kind == VAL_LIST
                                ? arena_format(e->arena, "a list of %s", element_name(element))
                                : describe(e, val));
        hint(e, diag, "convert it: cast(x, %s)", element_name(type.element));
    }
    return !fits;
}

Value *fit_to_type(Elaborator *e, Val val, Span span, Type type, bool broadcasts,
                   const char *what) {
    if (is_error(val) || refuse_kind(e, val, span, type, what)) {
        return NULL;
    }
    Value *value = to_tensor(e, val, span, type.element);
    if (value == NULL) {
        return NULL;
    }
    at_span(e, span);
    value = convert(e, value, type.element);
    if (shape_equal(value->type, type)) {
        return value;
    }
    Dims shape = {0};
    bool fills = is_static_scalar(val) || broadcasts;
    bool fits = fills && value->type.rank <= type.rank;
    const Dim *one = constant_dim(e, 1);
    for (int i = 1; fits && i <= value->type.rank; i++) {
        const Dim *a = value->type.dims[value->type.rank - i], *b = type.dims[type.rank - i];
        fits = dim_equal(a, b) || dim_equal(a, one);
    }
    if (!fits) {
        bool is_symbolic = (!type_is_static(value->type) || !type_is_static(type)) &&
                           value->type.rank == type.rank;
        report_sizes(e, span, is_symbolic, "%s is %s, but gets %s", what,
                     type_string(e->arena, type), show_value_type(e, value));
        return NULL;
    }
    shape = (Dims){type.dims, type.rank};
    return broadcast_value(e, value, shape);
}

// ---- parameters

static const char *source_text(Elaborator *e, Span span) {
    if (span.file < 0) {
        return "";
    }
    const Source *source = &e->diags->sources->files.at[span.file];
    return arena_copy_text(e->arena, source->text + span.start, (size_t)(span.end - span.start));
}

static bool refuse_argument(Elaborator *e, const FunctionVal *function,
                            const AstParameter *parameter, Val val, Span span) {
    Diag *diag = report(e, span, "%s needs %s: %s, got %s", function->name, parameter->name.text,
                        source_text(e, parameter->type->span), describe(e, val));
    ElementType element;
    if (is_tensor(val) && element_of_name(e, parameter->type->element, &element) &&
        val.tensor->type.element != element) {
        hint(e, diag, "convert it: cast(x, %s)", parameter->type->element.text);
    } else if (is_tensor(val) && is_floating(parameter->type) &&
               !element_is_real(val.tensor->type.element)) {
        hint(e, diag, "convert it: cast(x, real)");
    }
    return false;
}

// Numbers take the parameter's element type; known integers and truth values stay known.
static bool fit_argument(Elaborator *e, const FunctionVal *function, const AstParameter *parameter,
                         Val *val, Span span) {
    const TypeExpr *type = parameter->type;
    ElementType element = ELEMENT_TYPE_COUNT, actual;
    int rank;
    if (!is_any(type) && !known_element(e, type->element, &element)) {
        return false;
    }
    if (!val_element(e, *val, &actual, &rank)) {
        return refuse_argument(e, function, parameter, *val, span);
    }
    if (!is_tensor(*val)) {
        bool is_scalar = type->dims.count == 0 && !is_any(type);
        if (is_scalar && is_static_scalar(*val) &&
            ((element == TYPE_BOOL && val->kind == VAL_BOOL) ||
             (element_is_integer(element) && val->kind == VAL_INT))) {
            return true;
        }
        if (element != ELEMENT_TYPE_COUNT && !element_is_real(element) && actual > TYPE_I64) {
            return refuse_argument(e, function, parameter, *val, span);
        }
        if ((element == TYPE_BOOL) != (actual == TYPE_BOOL) && element != ELEMENT_TYPE_COUNT &&
            element == TYPE_BOOL) {
            return refuse_argument(e, function, parameter, *val, span);
        }
        Value *value = to_tensor(e, *val, span, is_floating(type) ? e->options->real : element);
        if (value == NULL) {
            return false;
        }
        *val = tensor_val(element == ELEMENT_TYPE_COUNT ? value : convert(e, value, element));
    }
    Type found = val->tensor->type;
    if ((element != ELEMENT_TYPE_COUNT && found.element != element) ||
        (is_floating(type) && !element_is_real(found.element))) {
        return refuse_argument(e, function, parameter, *val, span);
    }
    return true;
}

// Pairs each dimension as written with the argument's; false if the ranks differ.
static bool pair_dims(Elaborator *e, const TypeExpr *type, int parameter, Type actual,
                      PendingList *pending) {
    int written = type->dims.count, leading = -1;
    if (is_any(type) && !type->has_dims) {
        return true;
    }
    for (int i = 0; i < written; i++) {
        if (type->dims.at[i]->kind == EXPR_ELLIPSIS) {
            leading = i;
        }
    }
    int skipped = leading >= 0 ? actual.rank - (written - 1) : 0;
    if (leading < 0 ? actual.rank != written : skipped < 0) {
        return false;
    }
    for (int i = 0; i < written; i++) {
        if (i == leading) {
            continue;
        }
        int axis = leading >= 0 && i > leading ? i - 1 + skipped : i;
        Pending item = {type->dims.at[i], actual.dims[axis], parameter, false};
        vec_push(e->arena, pending, item);
    }
    return true;
}

// A size that has one unknown and is not linear in it, D*(D-1)/2: tried out, as sizes are small.
static bool search_size(Elaborator *e, const Dim *written, const char *symbol, int64_t value,
                        int64_t *solution) {
    int found = 0;
    for (int64_t size = 1; size <= 4096 && size <= 2 * value + 2; size++) {
        DimBinding binding = {symbol, size};
        int64_t result;
        const Dim *dim = dim_substitute(e->module->dims, written, &binding, 1);
        if (dim != NULL && dim_is_constant(dim, &result) && result == value) {
            *solution = size;
            found++;
        }
    }
    return found == 1;
}

static bool solve_size(Elaborator *e, Pending *item, const Dim *written, const Pattern *pattern,
                       bool is_last) {
    const char *name = pattern->unknown.at[0];
    const char *symbol = arena_format(e->module->arena, "?%s", name);
    int64_t value, solution;
    if (dim_equal(written, dim_symbol(e->module->dims, symbol))) {
        define(e, name, int_val(item->actual), item->pattern->span);
        return true;
    }
    for (int i = 1; i < pattern->unknown.count; i++) {
        if (strcmp(pattern->unknown.at[i], name) != 0) {
            return false;
        }
    }
    if (!dim_is_constant(item->actual, &value)) {
        return false;
    }
    if (dim_solve(written, symbol, value, &solution)
            ? solution < 0
            : !is_last || !search_size(e, written, symbol, value, &solution)) {
        return false;
    }
    define(e, name, number_val(e, solution), item->pattern->span);
    return true;
}

// True if something was found out; *failed after an error.
static bool match_size(Elaborator *e, const FunctionVal *function, const Span *spans,
                       const Val *arguments, Pending *item, bool is_last, bool *failed) {
    Pattern pattern = {.allows_unknown = true};
    const Dim *written = eval_dim(e, item->pattern, &pattern);
    if (written == NULL) {
        *failed = item->done = true;
        return true;
    }
    if (pattern.unknown.count > 0) {
        item->done = solve_size(e, item, written, &pattern, is_last);
        return item->done;
    }
    item->done = true;
    if (!dim_equal(written, item->actual)) {
        const AstParameter *parameter = &function->ast->parameters.at[item->parameter];
        int64_t known;
        bool is_symbolic =
            !dim_is_constant(written, &known) || !dim_is_constant(item->actual, &known);
        report_sizes(e, spans[item->parameter], is_symbolic, "%s needs %s: %s with %s = %s, got %s",
                     function->name, parameter->name.text, source_text(e, parameter->type->span),
                     source_text(e, item->pattern->span), show_dim_text(e, written),
                     describe(e, arguments[item->parameter]));
        *failed = true;
    }
    return true;
}

static bool match_sizes(Elaborator *e, const FunctionVal *function, const Val *arguments,
                        const Span *spans, Span call, PendingList *pending) {
    bool failed = false;
    for (bool is_last = false;;) {
        bool progress = false;
        int left = 0;
        for (int i = 0; i < pending->count; i++) {
            if (!pending->at[i].done) {
                progress |=
                    match_size(e, function, spans, arguments, &pending->at[i], is_last, &failed);
                left += !pending->at[i].done;
            }
        }
        if (left == 0) {
            return !failed;
        }
        if (!progress && is_last) {
            break;
        }
        is_last = !progress;
    }
    for (int i = 0; i < pending->count && !failed; i++) {
        if (!pending->at[i].done) {
            report_sizes(e, call, true, "%s: the dimensions in %s cannot be found from the size %s",
                         function->name, source_text(e, pending->at[i].pattern->span),
                         show_dim_text(e, pending->at[i].actual));
            failed = true;
        }
    }
    return !failed;
}

static bool define_default_dimensions(Elaborator *e, const FunctionVal *function) {
    const DimensionDefList *defs = &function->ast->dimensions;
    for (int i = 0; i < defs->count; i++) {
        const DimensionDef *def = &defs->at[i];
        const Dim *dim;
        if (find_assignable(e->scope, def->name.text) != NULL) {
            continue;
        }
        if (def->value == NULL) {
            report(e, def->name.span, "%s: no parameter's type tells the dimension %s",
                   function->name, def->name.text);
            return false;
        }
        if (!val_to_dim(e, elaborate_value(e, def->value), def->value->span, "a dimension", &dim)) {
            return false;
        }
        define(e, def->name.text, int_val(dim), def->name.span);
    }
    return true;
}

bool unify_parameters(Elaborator *e, const FunctionVal *function, Val *arguments, const Span *spans,
                      Span call) {
    PendingList pending = {0};
    bool ok = true;
    for (int i = 0; i < function->ast->parameters.count; i++) {
        const AstParameter *parameter = &function->ast->parameters.at[i];
        if (!ok && function->is_prelude) {
            return false; // one message for a call
        }
        if (parameter->type == NULL || is_error(arguments[i])) {
            ok = ok && !is_error(arguments[i]);
            continue;
        }
        if (arguments[i].kind == VAL_INT) {
            define(e, parameter->name.text, arguments[i], parameter->name.span);
        }
        if (arguments[i].kind == VAL_NONE && parameter->value != NULL &&
            parameter->value->kind == EXPR_NONE) {
            continue; // weight: tensor = none
        }
        if (!fit_argument(e, function, parameter, &arguments[i], spans[i])) {
            ok = false;
        } else if (is_tensor(arguments[i]) &&
                   !pair_dims(e, parameter->type, i, arguments[i].tensor->type, &pending)) {
            ok = refuse_argument(e, function, parameter, arguments[i], spans[i]);
        }
    }
    return ok && match_sizes(e, function, arguments, spans, call, &pending) &&
           define_default_dimensions(e, function);
}

// ---- results

static bool fit_result(Elaborator *e, const FunctionVal *function, const TypeExpr *type, Val *val,
                       Span span) {
    Type wanted;
    const char *what = arena_format(e->arena, "the result of %s", function->name);
    ElementType element;
    int rank;
    bool has_ellipsis = false;
    for (int i = 0; i < type->dims.count; i++) {
        has_ellipsis = has_ellipsis || type->dims.at[i]->kind == EXPR_ELLIPSIS;
    }
    if (is_any(type) || has_ellipsis) {
        if (!val_element(e, *val, &element, &rank) ||
            (!is_any(type) && known_element(e, type->element, &wanted.element) && is_tensor(*val) &&
             element != wanted.element) ||
            (is_floating(type) && is_tensor(*val) && !element_is_real(element))) {
            report(e, span, "%s is %s, but gets %s", what, source_text(e, type->span),
                   describe(e, *val));
            return false;
        }
        return true;
    }
    if (!elaborate_type(e, type, &wanted)) {
        return false;
    }
    Value *value = fit_to_type(e, *val, span, wanted, false, what);
    *val = tensor_val(value);
    return value != NULL;
}

bool fit_results(Elaborator *e, const FunctionVal *function, Val *result, Span span) {
    const TypeExprList *types = &function->ast->results;
    if (types->count == 0 || is_error(*result)) {
        return true;
    }
    int count = result->kind == VAL_RESULTS ? result->list.count : 1;
    if (count != types->count) {
        report(e, span, "%s declares %d result%s, but returns %d", function->name, types->count,
               types->count == 1 ? "" : "s", count);
        return false;
    }
    bool ok = true;
    for (int i = 0; i < count; i++) {
        Val *item = result->kind == VAL_RESULTS ? &result->list.at[i] : result;
        ok = fit_result(e, function, types->at[i], item, span) && ok;
    }
    return ok;
}
