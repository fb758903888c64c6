// Values known while compiling: making them, reading numbers from them, turning them into tensors.
#include "frontend/elaborate_internal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ir/evaluate.h"

Val error_val(void) {
    return (Val){.kind = VAL_ERROR};
}

Val tensor_val(Value *value) {
    return value == NULL ? error_val() : (Val){.kind = VAL_TENSOR, .tensor = value};
}

Val int_val(const Dim *dim) {
    return (Val){.kind = VAL_INT, .dim = dim};
}

const Dim *constant_dim(Elaborator *e, int64_t value) {
    return dim_constant(e->module->dims, value);
}

Val number_val(Elaborator *e, int64_t number) {
    return int_val(constant_dim(e, number));
}

Val real_val(double real) {
    return (Val){.kind = VAL_REAL, .real = real};
}

Val bool_val(bool boolean) {
    return (Val){.kind = VAL_BOOL, .boolean = boolean};
}

Val none_val(void) {
    return (Val){.kind = VAL_NONE};
}

Val string_val(const char *string) {
    return (Val){.kind = VAL_STRING, .string = string};
}

Val list_val(Elaborator *e, int count) {
    return (Val){.kind = VAL_LIST, .list = {arena_array(e->arena, Val, count), count}};
}

Val results_val(Elaborator *e, int count) {
    Val val = list_val(e, count);
    val.kind = VAL_RESULTS;
    return val;
}

Val shape_val(Elaborator *e, Type type) {
    Val val = list_val(e, type.rank);
    val.is_shape = true;
    for (int i = 0; i < type.rank; i++) {
        val.list.at[i] = int_val(type.dims[i]);
    }
    return val;
}

bool val_known_int(Val val, int64_t *number) {
    if (val.kind == VAL_INT) {
        return dim_is_constant(val.dim, number);
    }
    if (val.kind == VAL_REAL && val.is_exact) {
        *number = (int64_t)val.real;
        return true;
    }
    return false;
}

bool val_known_real(Val val, double *number) {
    int64_t integer;
    if (val.kind == VAL_REAL) {
        *number = val.real;
        return true;
    }
    if (val.kind == VAL_BOOL) {
        *number = val.boolean;
        return true;
    }
    if (val_known_int(val, &integer)) {
        *number = (double)integer;
        return true;
    }
    return false;
}

static Diag *report_not_known(Elaborator *e, Val val, Span span, const char *what) {
    if (is_tensor(val)) {
        Diag *diag = report(e, span,
                            "%s must be known while compiling, got a value of type %s that "
                            "is computed when the program runs",
                            what, describe(e, val));
        hint(e, diag,
             "use a literal, a dimension or x.shape[i]; `for i in [0, 1, 2]` gives known "
             "indices");
        return diag;
    }
    return report(e, span, "%s must be an integer, got %s", what, describe(e, val));
}

bool val_to_dim(Elaborator *e, Val val, Span span, const char *what, const Dim **dim) {
    int64_t number;
    if (is_error(val)) {
        return false;
    }
    if (val.kind == VAL_INT) {
        *dim = val.dim;
        return true;
    }
    if (val.kind == VAL_RATIO) {
        *dim = dim_divide(e->module->dims, val.dim, val.divisor);
        if (*dim == NULL) {
            report_sizes(e, span, true, "%s is not an integer: %s", what, describe(e, val));
        }
        return *dim != NULL;
    }
    if (val_known_int(val, &number)) {
        *dim = constant_dim(e, number);
        return true;
    }
    report_not_known(e, val, span, what);
    return false;
}

bool val_to_int(Elaborator *e, Val val, Span span, const char *what, int64_t *number) {
    const Dim *dim;
    if (!val_to_dim(e, val, span, what, &dim)) {
        return false;
    }
    if (!dim_is_constant(dim, number)) {
        Diag *diag = report_sizes(e, span, true,
                                  "%s needs the value of a dimension that is not "
                                  "known: %s",
                                  what, show_dim_text(e, dim));
        hint(e, diag, "bind it on the command line: -D NAME=INT");
        return false;
    }
    return true;
}

// ---- lists as tensors

typedef struct ListShape {
    int rank;
    int64_t sizes[16];
    bool has_tensor;
    ElementType element; // of its numbers
} ListShape;

static bool measure_list(Elaborator *e, Val val, Span span, int depth, ListShape *shape) {
    if (val.kind == VAL_LIST) {
        if (depth == 15) {
            report(e, span, "a tensor has at most 15 axes");
            return false;
        }
        if (shape->rank == depth) {
            shape->sizes[shape->rank++] = val.list.count;
        } else if (shape->rank < depth || shape->sizes[depth] != val.list.count) {
            report(e, span, "the rows of this list have different lengths: %" PRId64 " and %d",
                   shape->rank < depth ? 1 : shape->sizes[depth], val.list.count);
            return false;
        }
        for (int i = 0; i < val.list.count; i++) {
            if (!measure_list(e, val.list.at[i], span, depth + 1, shape)) {
                return false;
            }
        }
        return true;
    }
    if (is_error(val)) {
        return false;
    }
    if (!is_static_scalar(val) && !is_tensor(val)) {
        report(e, span, "this list cannot become a tensor: it holds %s", describe(e, val));
        return false;
    }
    if (is_tensor(val) ||
        (val.kind != VAL_BOOL && val.kind != VAL_REAL && !val_known_int(val, &(int64_t){0}))) {
        shape->has_tensor = true;
    } else if (depth != shape->rank) {
        report(e, span, "this list mixes numbers and lists");
        return false;
    }
    ElementType element = is_tensor(val)         ? val.tensor->type.element
                          : val.kind == VAL_BOOL ? TYPE_BOOL
                          : val.kind == VAL_INT  ? TYPE_I64
                                                 : e->options->real;
    if (element > shape->element) {
        shape->element = element;
    }
    return true;
}

static void fill_constant(Val val, TensorData *data, int64_t *position) {
    if (val.kind == VAL_LIST) {
        for (int i = 0; i < val.list.count; i++) {
            fill_constant(val.list.at[i], data, position);
        }
        return;
    }
    int64_t integer;
    double real = 0;
    if (!element_is_real(data->type.element) && val_known_int(val, &integer)) {
        tensor_set_integer(data, (*position)++, integer);
        return;
    }
    val_known_real(val, &real);
    if (element_is_real(data->type.element)) {
        tensor_set(data, (*position)++, real);
    } else {
        tensor_set_integer(data, (*position)++, (int64_t)real);
    }
}

// A list that holds tensors: each element becomes a tensor, and they are stacked.
static Value *stack_list(Elaborator *e, Val val, Span span, ElementType element) {
    int count = val.list.count;
    Value **parts = arena_array(e->arena, Value *, count);
    for (int i = 0; i < count; i++) {
        parts[i] = to_tensor(e, val.list.at[i], span, element);
        if (parts[i] == NULL) {
            return NULL;
        }
        parts[i] = convert(e, parts[i], element);
        Type type = parts[i]->type;
        if (!shape_equal(type, parts[0]->type)) {
            report_sizes(e, span, !type_is_static(type) || !type_is_static(parts[0]->type),
                         "the elements of this list have different shapes: %s and %s",
                         type_string(e->arena, parts[0]->type), type_string(e->arena, type));
            return NULL;
        }
    }
    for (int i = 0; i < count; i++) {
        const Dim **dims;
        Dims shape = make_dims(e, parts[i]->type.rank + 1, &dims);
        dims[0] = constant_dim(e, 1);
        for (int k = 0; k < parts[i]->type.rank; k++) {
            dims[k + 1] = parts[i]->type.dims[k];
        }
        parts[i] = reshape_value(e, parts[i], shape);
    }
    Attribute attribute = {.axis = 0};
    return emit(e, span, OP_concat, parts, count, &attribute);
}

static Value *list_to_tensor(Elaborator *e, Val val, Span span, ElementType wanted) {
    ListShape shape = {.element = TYPE_BOOL};
    if (!measure_list(e, val, span, 0, &shape)) {
        return NULL;
    }
    bool is_empty = false;
    for (int i = 0; i < shape.rank; i++) {
        is_empty = is_empty || shape.sizes[i] == 0;
    }
    if (shape.has_tensor) {
        ElementType element = shape.element;
        if (wanted != ELEMENT_TYPE_COUNT && wanted > element) {
            element = wanted;
        }
        return stack_list(e, val, span, element);
    }
    ElementType element = shape.element;
    if (wanted != ELEMENT_TYPE_COUNT && (element_is_real(wanted) || is_empty ||
                                         (element_is_integer(wanted) && element <= TYPE_I64))) {
        element = wanted;
    } else if (is_empty) {
        element = e->options->real;
    }
    Type type = type_of_sizes(e->module->dims, e->module->arena, element, shape.rank, shape.sizes);
    TensorData data = tensor_new(e->module->arena, type);
    int64_t position = 0;
    fill_constant(val, &data, &position);
    at_span(e, span);
    TensorData *kept = arena_new(e->module->arena, TensorData);
    *kept = data;
    return build_constant(&e->builder, kept);
}

// ---- numbers as tensors

static Value *ratio_to_tensor(Elaborator *e, Val val, ElementType element) {
    ElementType real = element_is_real(element) ? element : e->options->real;
    Value *dim = build_cast(&e->builder, build_dim(&e->builder, val.dim), real);
    Value *divisor = build_cast(&e->builder, build_dim(&e->builder, val.divisor), real);
    return build_div(&e->builder, dim, divisor);
}

static Value *number_to_tensor(Elaborator *e, Val val, Span span, ElementType wanted) {
    at_span(e, span);
    double real = 0;
    int64_t integer;
    switch (val.kind) {
    case VAL_BOOL: {
        ElementType element = wanted == ELEMENT_TYPE_COUNT ? TYPE_BOOL : wanted;
        return element_is_real(element) ? build_scalar(&e->builder, element, val.boolean)
                                        : build_scalar_integer(&e->builder, element, val.boolean);
    }
    case VAL_INT: {
        ElementType element =
            wanted == ELEMENT_TYPE_COUNT || wanted == TYPE_BOOL ? TYPE_I64 : wanted;
        if (!dim_is_constant(val.dim, &integer)) {
            return build_cast(&e->builder, build_dim(&e->builder, val.dim), element);
        }
        if (element == TYPE_I32 && (integer > INT32_MAX || integer < INT32_MIN)) {
            report(e, span, "%" PRId64 " does not fit i32", integer);
            return NULL;
        }
        return element_is_real(element) ? build_scalar(&e->builder, element, (double)integer)
                                        : build_scalar_integer(&e->builder, element, integer);
    }
    case VAL_RATIO: return ratio_to_tensor(e, val, wanted);
    default:
        val_known_real(val, &real);
        return build_scalar(
            &e->builder,
            wanted != ELEMENT_TYPE_COUNT && element_is_real(wanted) ? wanted : e->options->real,
            real);
    }
}

Value *to_tensor(Elaborator *e, Val val, Span span, ElementType wanted) {
    if (is_error(val)) {
        return NULL;
    }
    if (is_tensor(val)) {
        return val.tensor;
    }
    if (is_static_scalar(val)) {
        return number_to_tensor(e, val, span, wanted);
    }
    if (val.kind == VAL_LIST) {
        return list_to_tensor(e, val, span, wanted);
    }
    Diag *diag = report(e, span, "a tensor or a number is needed here, got %s", describe(e, val));
    if (val.kind == VAL_RESULTS && val.list.count > 1) {
        hint(e, diag, "give each result a name: a, b = ...");
    } else if (is_callable(val)) {
        hint(e, diag, "a call has parentheses: %s(...)",
             val.kind == VAL_FUNCTION  ? val.function->name
             : val.kind == VAL_DERIVED ? derived_name(e, val.derived)
                                       : builtin_name(val.builtin));
    }
    return NULL;
}

Value *as_tensor(Elaborator *e, Val val, Span span) {
    return to_tensor(e, val, span, ELEMENT_TYPE_COUNT);
}

static ElementType list_element(Elaborator *e, Val val) {
    ElementType highest = TYPE_BOOL;
    for (int i = 0; i < val.list.count; i++) {
        ElementType element = TYPE_BOOL;
        int rank;
        if (val_element(e, val.list.at[i], &element, &rank) && element > highest) {
            highest = element;
        }
    }
    return val.list.count == 0 ? e->options->real : highest;
}

bool val_element(Elaborator *e, Val val, ElementType *element, int *rank) {
    *rank = 0;
    switch (val.kind) {
    case VAL_TENSOR:
        *element = val.tensor->type.element;
        *rank = val.tensor->type.rank;
        return true;
    case VAL_INT: *element = TYPE_I64; return true;
    case VAL_REAL:
    case VAL_RATIO: *element = e->options->real; return true;
    case VAL_BOOL: *element = TYPE_BOOL; return true;
    case VAL_LIST:
        *element = list_element(e, val);
        *rank = 1;
        return true;
    default: return false;
    }
}

bool val_equal(Val x, Val y) {
    if (x.kind != y.kind) {
        double a, b;
        return val_known_real(x, &a) && val_known_real(y, &b) && a == b;
    }
    switch (x.kind) {
    case VAL_TENSOR: return x.tensor == y.tensor;
    case VAL_INT: return dim_equal(x.dim, y.dim);
    case VAL_RATIO: return dim_equal(x.dim, y.dim) && dim_equal(x.divisor, y.divisor);
    case VAL_REAL: return x.real == y.real;
    case VAL_BOOL: return x.boolean == y.boolean;
    case VAL_STRING: return strcmp(x.string, y.string) == 0;
    case VAL_ELEMENT: return x.element == y.element;
    case VAL_FUNCTION: return x.function == y.function;
    case VAL_BUILTIN: return x.builtin == y.builtin;
    case VAL_DERIVED: return derived_equal(x.derived, y.derived);
    case VAL_LIST:
    case VAL_RESULTS:
        if (x.list.count != y.list.count) {
            return false;
        }
        for (int i = 0; i < x.list.count; i++) {
            if (!val_equal(x.list.at[i], y.list.at[i])) {
                return false;
            }
        }
        return true;
    case VAL_NONE: return true;
    case VAL_ERROR: return false;
    }
    return false;
}

bool val_key(Elaborator *e, Val val, Text *key) {
    switch (val.kind) {
    case VAL_TENSOR: type_print(key, val.tensor->type); return true;
    case VAL_INT:
        text_add(key, "#");
        dim_print(key, val.dim);
        return true;
    case VAL_RATIO:
        text_add(key, "#");
        dim_print(key, val.dim);
        text_add(key, "|");
        dim_print(key, val.divisor);
        return true;
    case VAL_REAL: text_format(key, "%s%a", val.is_exact ? "!" : "", val.real); return true;
    case VAL_BOOL: text_add(key, val.boolean ? "true" : "false"); return true;
    case VAL_STRING: text_format(key, "%zu\"%s", strlen(val.string), val.string); return true;
    case VAL_NONE: text_add(key, "none"); return true;
    case VAL_LIST:
        text_format(key, "%s%d(", val.is_shape ? "s" : "l", val.list.count);
        for (int i = 0; i < val.list.count; i++) {
            if (is_tensor(val.list.at[i]) || !val_key(e, val.list.at[i], key)) {
                return false;
            }
            text_add(key, ",");
        }
        text_add(key, ")");
        return true;
    case VAL_FUNCTION:
        text_format(key, "fn%p", (const void *)val.function);
        return val.function->scope == NULL;
    case VAL_BUILTIN: text_format(key, "builtin %s", builtin_name(val.builtin)); return true;
    case VAL_DERIVED: return derived_key(e, val.derived, key);
    case VAL_ELEMENT: text_add(key, element_name(val.element)); return true;
    case VAL_RESULTS:
    case VAL_ERROR: return false;
    }
    return false;
}
