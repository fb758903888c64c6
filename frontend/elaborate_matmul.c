// `x @ y` for operands of every rank, and `x ** y`.
#include "frontend/builtins.h"

#include <inttypes.h>

enum { BATCH_AXES_MAX = 16 };

// One operand's labels and, where an axis of size 1 is repeated, its shape without that axis.
typedef struct Side {
    Value *value;
    char labels[BATCH_AXES_MAX + 4];
    int label_count;
    const Dim *dims[BATCH_AXES_MAX + 4];
    int dim_count;
} Side;

static void keep_axis(Side *side, char label, const Dim *dim) {
    side->labels[side->label_count++] = label;
    side->dims[side->dim_count++] = dim;
}

static bool refuse_matmul(Elaborator *e, Span span, Type x, Type y) {
    const Dim *inner_x = x.dims[x.rank - 1];
    const Dim *inner_y = y.dims[y.rank == 1 ? 0 : y.rank - 2];
    if (dim_equal(inner_x, inner_y)) {
        return false;
    }
    int64_t known;
    bool is_symbolic = !dim_is_constant(inner_x, &known) || !dim_is_constant(inner_y, &known);
    Diag *diag =
        report_sizes(e, span, is_symbolic, "'@' needs equal inner sizes, got %s and %s: %s @ %s",
                     show_dim_text(e, inner_x), show_dim_text(e, inner_y), type_string(e->arena, x),
                     type_string(e->arena, y));
    if (y.rank >= 2 && dim_equal(inner_x, y.dims[y.rank - 1])) {
        hint(e, diag, "transpose the right operand: y.mT");
    } else if (x.rank >= 2 && dim_equal(inner_y, x.dims[x.rank - 2])) {
        hint(e, diag, "transpose the left operand: x.mT");
    }
    return true;
}

// Gives the leading axes labels; false after an error.
static bool label_batch(Elaborator *e, Span span, Side *x, int x_batch, Side *y, int y_batch,
                        Side *result) {
    const Dim *one = constant_dim(e, 1);
    int batch = x_batch > y_batch ? x_batch : y_batch;
    if (batch > BATCH_AXES_MAX || batch > 10) {
        report(e, span, "'@' takes at most 10 leading axes");
        return false;
    }
    for (int i = 0; i < batch; i++) {
        char label = (char)('a' + i); // below 'k'
        int x_axis = i - (batch - x_batch), y_axis = i - (batch - y_batch);
        const Dim *a = x_axis >= 0 ? x->value->type.dims[x_axis] : NULL;
        const Dim *b = y_axis >= 0 ? y->value->type.dims[y_axis] : NULL;
        if (a != NULL && b != NULL && a != b && a != one && b != one) {
            int64_t known;
            report_sizes(e, span, !dim_is_constant(a, &known) || !dim_is_constant(b, &known),
                         "'@' cannot broadcast the leading axes of %s and %s: sizes %s and %s",
                         show_value_type(e, x->value), show_value_type(e, y->value),
                         show_dim_text(e, a), show_dim_text(e, b));
            return false;
        }
        bool use_a = a != NULL && (a != one || b == NULL || b == one);
        bool use_b = b != NULL && (b != one || a == NULL || a == one);
        if (use_a) {
            keep_axis(x, label, a);
        }
        if (use_b) {
            keep_axis(y, label, b);
        }
        keep_axis(result, label, use_a ? a : b);
    }
    return true;
}

static Value *drop_axes(Elaborator *e, const Side *side) {
    const Dim **dims;
    Dims shape = make_dims(e, side->dim_count, &dims);
    for (int i = 0; i < side->dim_count; i++) {
        dims[i] = side->dims[i];
    }
    return reshape_value(e, side->value, shape);
}

Val matmul(Elaborator *e, Span span, Value *x, Value *y) {
    if (x->type.rank == 0 || y->type.rank == 0) {
        Diag *diag = report(e, span, "'@' needs tensors with axes, got %s and %s",
                            show_value_type(e, x), show_value_type(e, y));
        hint(e, diag, "a product with a scalar is written with '*'");
        return error_val();
    }
    Val vals[2] = {tensor_val(x), tensor_val(y)};
    ElementType element = promote_elements(e, vals, 2);
    if (element == TYPE_BOOL) {
        report(e, span, "'@' needs numbers, got bool");
        return error_val();
    }
    if (refuse_matmul(e, span, x->type, y->type)) {
        return error_val();
    }
    at_span(e, span);
    Side left = {.value = convert(e, x, element)}, right = {.value = convert(e, y, element)};
    Side result = {0};
    int x_batch = x->type.rank >= 2 ? x->type.rank - 2 : 0;
    int y_batch = y->type.rank >= 2 ? y->type.rank - 2 : 0;
    if (!label_batch(e, span, &left, x_batch, &right, y_batch, &result)) {
        return error_val();
    }
    if (x->type.rank >= 2) {
        keep_axis(&left, 'm', x->type.dims[x_batch]);
        keep_axis(&result, 'm', x->type.dims[x_batch]);
    }
    keep_axis(&left, 'k', x->type.dims[x->type.rank - 1]);
    keep_axis(&right, 'k', y->type.dims[y_batch]);
    if (y->type.rank >= 2) {
        keep_axis(&right, 'n', y->type.dims[y_batch + 1]);
        keep_axis(&result, 'n', y->type.dims[y_batch + 1]);
    }
    Value *operands[2] = {drop_axes(e, &left), drop_axes(e, &right)};
    Attribute attribute = {.labels = arena_format(e->module->arena, "%s,%s->%s", left.labels,
                                                  right.labels, result.labels)};
    return tensor_val(emit(e, span, OP_contract, operands, 2, &attribute));
}

// ---- powers

static Value *multiply(Elaborator *e, Value *x, Value *y) {
    return build_mul(&e->builder, x, y);
}

static Value *repeat_product(Elaborator *e, Value *x, int64_t exponent) {
    Value *result = NULL;
    for (Value *square = x; exponent > 0; exponent >>= 1) {
        if (exponent & 1) {
            result = result == NULL ? square : multiply(e, result, square);
        }
        if (exponent > 1) {
            square = multiply(e, square, square);
        }
    }
    return result;
}

static Value *inverse(Elaborator *e, Value *x) {
    return build_div(&e->builder, build_scalar(&e->builder, x->type.element, 1), x);
}

// Exponents that need no logarithm, or have a derivative of their own. NULL for others.
static Value *simple_power(Elaborator *e, Span span, Value *x, double exponent) {
    if (exponent == 1 || exponent == 2 || exponent == 3 || exponent == 4) {
        return repeat_product(e, x, (int64_t)exponent);
    }
    if (exponent == -1 || exponent == -2) { // the inverse first: its gradient at infinity is 0
        return repeat_product(e, inverse(e, x), (int64_t)-exponent);
    }
    if (exponent == 0.5) {
        return build_sqrt(&e->builder, x);
    }
    if (exponent == -0.5 || exponent == 1.5) {
        Val base = tensor_val(x);
        return call_prelude_at(e, span, exponent < 0 ? "inverse_root" : "power_of_root", &base, 1)
            .tensor;
    }
    return NULL;
}

static Val integer_tensor_power(Elaborator *e, Span span, Value *x, int64_t exponent) {
    if (exponent < 0) {
        Diag *diag = report(e, span, "an integer tensor cannot be raised to a negative power");
        hint(e, diag, "cast it first: cast(x, f32)");
        return error_val();
    }
    if (exponent == 0) {
        Dims shape = value_shape(x);
        return tensor_val(
            full_value(e, build_scalar_integer(&e->builder, x->type.element, 1), shape));
    }
    return tensor_val(repeat_product(e, x, exponent));
}

Val power(Elaborator *e, Span span, Val x, Span x_span, Val y, Span y_span) {
    double exponent;
    int64_t integer;
    at_span(e, span);
    if (is_tensor(x) && val_known_real(y, &exponent)) {
        Value *base = x.tensor;
        if (element_is_integer(base->type.element) && val_known_int(y, &integer) &&
            y.kind == VAL_INT) {
            return integer_tensor_power(e, span, base, integer);
        }
        if (element_is_real(base->type.element)) {
            Value *result = simple_power(e, span, base, exponent);
            if (result != NULL) {
                return tensor_val(result);
            }
        }
    }
    Val operands[2] = {x, y};
    Span spans[2] = {x_span, y_span};
    Value *values[2];
    if (!unify_operands(e, span, "'**'", operands, spans, 2, values)) {
        return error_val();
    }
    if (!element_is_real(values[0]->type.element)) {
        Val whole[2] = {tensor_val(values[0]), tensor_val(values[1])};
        return call_prelude_at(e, span, "integer_power", whole, 2);
    }
    at_span(e, span);
    return tensor_val(build_pow(&e->builder, values[0], values[1]));
}
