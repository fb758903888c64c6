// Arithmetic and comparison of numbers known while compiling: integers are exact dimension
// expressions, reals are doubles.
#include "frontend/elaborate_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static Val overflow(Elaborator *e, Span span) {
    report(e, span, "the result does not fit 64 bits");
    return error_val();
}

static Val dim_result(Elaborator *e, Span span, const Dim *dim) {
    return dim == NULL ? overflow(e, span) : int_val(dim);
}

static Val needs_value(Elaborator *e, Span span, BinaryOp op, Val x, Val y) {
    const Dim *dim = dim_is_constant(x.dim, &(int64_t){0}) ? y.dim : x.dim;
    Diag *diag = report_sizes(e, span, true, "'%s' needs the value of %s, which is not known here",
                              binary_op_text(op), show_dim_text(e, dim));
    hint(e, diag, "bind the dimension on the command line: -D NAME=INT");
    return error_val();
}

static Val divide_by_zero(Elaborator *e, Span span) {
    report(e, span, "division by zero");
    return error_val();
}

static int64_t floor_quotient(int64_t x, int64_t y) {
    int64_t quotient = x / y;
    return x % y != 0 && (x < 0) != (y < 0) ? quotient - 1 : quotient;
}

static Val divide_integers(Elaborator *e, Span span, Val x, Val y) {
    int64_t a, b;
    bool is_known = dim_is_constant(x.dim, &a) && dim_is_constant(y.dim, &b);
    if (dim_is_constant(y.dim, &b) && b == 0) {
        return divide_by_zero(e, span);
    }
    if (!is_known) {
        return (Val){.kind = VAL_RATIO, .dim = x.dim, .divisor = y.dim};
    }
    Val val = real_val((double)a / (double)b);
    val.is_exact = b != -1 && a % b == 0 && llabs(a / b) < ((int64_t)1 << 53);
    return val;
}

static Val integer_power(Elaborator *e, Span span, Val x, Val y) {
    int64_t base, exponent;
    if (!dim_is_constant(y.dim, &exponent)) {
        return needs_value(e, span, BINARY_POWER, x, y);
    }
    if (exponent < 0) {
        if (!dim_is_constant(x.dim, &base)) {
            return needs_value(e, span, BINARY_POWER, x, y);
        }
        return base == 0 ? divide_by_zero(e, span) : real_val(pow((double)base, (double)exponent));
    }
    const Dim *result = constant_dim(e, 1), *square = x.dim;
    while (exponent > 0) {
        if (exponent & 1) {
            result = dim_multiply(e->module->dims, result, square);
        }
        exponent >>= 1;
        if (result == NULL) {
            return overflow(e, span);
        }
        if (exponent > 0) {
            square = dim_multiply(e->module->dims, square, square);
            if (square == NULL) {
                return overflow(e, span);
            }
        }
    }
    return int_val(result);
}

// Decided where the difference is known, or known to be on one side.
static Val compare_integers(Elaborator *e, Span span, BinaryOp op, Val x, Val y) {
    DimTable *table = e->module->dims;
    const Dim *difference = dim_subtract(table, x.dim, y.dim);
    const Dim *opposite = dim_subtract(table, y.dim, x.dim);
    int64_t sign;
    if (difference == NULL || opposite == NULL) {
        return overflow(e, span);
    }
    if (!dim_is_constant(difference, &sign)) {
        if (dim_is_at_least(table, difference, 1)) {
            sign = 1;
        } else if (dim_is_at_least(table, opposite, 1)) {
            sign = -1;
        } else {
            return needs_value(e, span, op, x, y);
        }
    }
    switch (op) {
    case BINARY_EQUAL: return bool_val(sign == 0);
    case BINARY_NOT_EQUAL: return bool_val(sign != 0);
    case BINARY_LESS: return bool_val(sign < 0);
    case BINARY_LESS_EQUAL: return bool_val(sign <= 0);
    case BINARY_GREATER: return bool_val(sign > 0);
    default: return bool_val(sign >= 0);
    }
}

static Val integer_binary(Elaborator *e, Span span, BinaryOp op, Val x, Val y) {
    DimTable *table = e->module->dims;
    int64_t a, b;
    switch (op) {
    case BINARY_ADD: return dim_result(e, span, dim_add(table, x.dim, y.dim));
    case BINARY_SUBTRACT: return dim_result(e, span, dim_subtract(table, x.dim, y.dim));
    case BINARY_MULTIPLY: return dim_result(e, span, dim_multiply(table, x.dim, y.dim));
    case BINARY_DIVIDE: return divide_integers(e, span, x, y);
    case BINARY_POWER: return integer_power(e, span, x, y);
    case BINARY_FLOOR_DIVIDE:
    case BINARY_REMAINDER:
        if (!dim_is_constant(x.dim, &a) || !dim_is_constant(y.dim, &b)) {
            return needs_value(e, span, op, x, y);
        }
        if (b == 0) {
            return divide_by_zero(e, span);
        }
        if (b == -1) { // INT64_MIN / -1 does not fit
            return op == BINARY_REMAINDER
                       ? number_val(e, 0)
                       : dim_result(e, span, dim_subtract(table, constant_dim(e, 0), x.dim));
        }
        return number_val(e, op == BINARY_REMAINDER ? a - b * floor_quotient(a, b)
                                                    : floor_quotient(a, b));
    default: return compare_integers(e, span, op, x, y);
    }
}

static Val real_binary(Elaborator *e, Span span, BinaryOp op, double x, double y) {
    switch (op) {
    case BINARY_ADD: return real_val(x + y);
    case BINARY_SUBTRACT: return real_val(x - y);
    case BINARY_MULTIPLY: return real_val(x * y);
    case BINARY_DIVIDE: return y == 0 ? divide_by_zero(e, span) : real_val(x / y);
    case BINARY_FLOOR_DIVIDE: return y == 0 ? divide_by_zero(e, span) : real_val(floor(x / y));
    case BINARY_REMAINDER: {
        if (y == 0) {
            return divide_by_zero(e, span);
        }
        double rest = fmod(x, y);
        return real_val(rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest);
    }
    case BINARY_POWER: return real_val(pow(x, y));
    case BINARY_EQUAL: return bool_val(x == y);
    case BINARY_NOT_EQUAL: return bool_val(x != y);
    case BINARY_LESS: return bool_val(x < y);
    case BINARY_LESS_EQUAL: return bool_val(x <= y);
    case BINARY_GREATER: return bool_val(x > y);
    default: return bool_val(x >= y);
    }
}

static Val bool_as_int(Elaborator *e, Val val) {
    return val.kind == VAL_BOOL ? number_val(e, val.boolean) : val;
}

bool static_binary(Elaborator *e, Span span, BinaryOp op, Val x, Val y, Val *result) {
    double a, b;
    if (op == BINARY_AND || op == BINARY_OR) {
        *result = bool_val(op == BINARY_AND ? x.boolean && y.boolean : x.boolean || y.boolean);
        return true;
    }
    x = bool_as_int(e, x);
    y = bool_as_int(e, y);
    if (x.kind == VAL_INT && y.kind == VAL_INT) {
        *result = integer_binary(e, span, op, x, y);
        return true;
    }
    if (val_known_real(x, &a) && val_known_real(y, &b)) {
        *result = real_binary(e, span, op, a, b);
        bool keeps_exact = (x.kind == VAL_INT || x.is_exact) && (y.kind == VAL_INT || y.is_exact) &&
                           (op == BINARY_ADD || op == BINARY_SUBTRACT || op == BINARY_MULTIPLY);
        if (result->kind == VAL_REAL) {
            result->is_exact = keeps_exact && fabs(result->real) < 0x1p53;
        }
        return true;
    }
    // N / 2 * 3 and the like, for sizes
    if (op == BINARY_MULTIPLY && (x.kind == VAL_RATIO || y.kind == VAL_RATIO) &&
        x.kind != VAL_REAL && y.kind != VAL_REAL) {
        const Dim *dim = dim_multiply(e->module->dims, x.dim, y.dim);
        const Dim *divisor = x.kind != VAL_RATIO ? y.divisor
                             : y.kind != VAL_RATIO
                                 ? x.divisor
                                 : dim_multiply(e->module->dims, x.divisor, y.divisor);
        *result = dim == NULL || divisor == NULL
                      ? overflow(e, span)
                      : (Val){.kind = VAL_RATIO, .dim = dim, .divisor = divisor};
        return true;
    }
    return false;
}
