// Scalars with folding: constants, identities, and integer ranges. Ranges are
// what makes div and mod by the sizes of shapes disappear again and bounds
// checks of known indices needless.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/lower_build.h"

// Ranges beyond this are not tracked, so that sums of two never overflow.
static const int64_t range_limit = (int64_t)1 << 61;

Scalar *scalar_integer_constant(KernelBuilder *k, ElementType type, int64_t value) {
    Scalar *scalar =
        scalar_make(k, &(Scalar){.op = SCALAR_CONSTANT, .type = type, .integer = value});
    if (value > -range_limit && value < range_limit) {
        scalar_bound(k, scalar, value, value);
    }
    return scalar;
}

Scalar *scalar_real_constant(KernelBuilder *k, ElementType type, double value) {
    return scalar_make(k, &(Scalar){.op = SCALAR_CONSTANT,
                                    .type = type,
                                    .real = type == TYPE_F32 ? (double)(float)value : value});
}

Scalar *scalar_number(KernelBuilder *k, ElementType type, double value) {
    return element_is_real(type) ? scalar_real_constant(k, type, value)
                                 : scalar_integer_constant(k, type, (int64_t)value);
}

Scalar *scalar_position(KernelBuilder *k, int64_t value) {
    return scalar_integer_constant(k, TYPE_I64, value);
}

bool scalar_is_constant(const Scalar *x, int64_t *value) {
    if (x->op != SCALAR_CONSTANT || element_is_real(x->type)) {
        return false;
    }
    *value = x->integer;
    return true;
}

static int64_t wrap_add(int64_t x, int64_t y) {
    return (int64_t)((uint64_t)x + (uint64_t)y);
}

static int64_t wrap_multiply(int64_t x, int64_t y) {
    return (int64_t)((uint64_t)x * (uint64_t)y);
}

static Scalar *binary_raw(KernelBuilder *k, ScalarOp op, ElementType type, Scalar *x, Scalar *y) {
    return scalar_make(k, &(Scalar){.op = op, .type = type, .args = {x, y}, .arg_count = 2});
}

static bool is_op_with_constant(const Scalar *x, ScalarOp op, int64_t *constant) {
    return x->op == op && x->type == TYPE_I64 && scalar_is_constant(x->args[1], constant);
}

static void bound_result(KernelBuilder *k, Scalar *x, int64_t low, int64_t high) {
    int64_t type_low = x->type == TYPE_I32 ? INT32_MIN : -range_limit;
    int64_t type_high = x->type == TYPE_I32 ? INT32_MAX : range_limit;
    if (low >= type_low && high <= type_high) {
        scalar_bound(k, x, low, high);
    }
}

enum { MOST_TERMS = 16 };

// x as a sum of multiples and a constant.
typedef struct Terms {
    Scalar *at[MOST_TERMS];
    int64_t factor[MOST_TERMS];
    int count;
    int64_t constant;
} Terms;

static bool collect_terms(Scalar *x, int64_t factor, Terms *terms) {
    int64_t c, product;
    if (scalar_is_constant(x, &c)) {
        return !__builtin_mul_overflow(c, factor, &product) &&
               !__builtin_add_overflow(terms->constant, product, &terms->constant);
    }
    if (is_op_with_constant(x, SCALAR_MUL, &c)) {
        return !__builtin_mul_overflow(c, factor, &product) &&
               collect_terms(x->args[0], product, terms);
    }
    if (x->op == SCALAR_ADD && x->type == TYPE_I64) {
        return collect_terms(x->args[0], factor, terms) && collect_terms(x->args[1], factor, terms);
    }
    if (terms->count == MOST_TERMS) {
        return false;
    }
    terms->at[terms->count] = x;
    terms->factor[terms->count++] = factor;
    return true;
}

static Scalar *fold_add(KernelBuilder *k, Scalar *x, Scalar *y);
static Scalar *fold_multiply(KernelBuilder *k, Scalar *x, Scalar *y);

// Are they (e / n) * n * c and (e % n) * c?
static bool are_parts(const Scalar *quotient, int64_t whole, const Scalar *rest, int64_t factor) {
    int64_t n, product;
    return quotient->op == SCALAR_DIV && rest->op == SCALAR_REMAINDER &&
           quotient->args[0] == rest->args[0] && quotient->args[1] == rest->args[1] &&
           scalar_is_constant(rest->args[1], &n) && !__builtin_mul_overflow(n, factor, &product) &&
           product == whole;
}

static bool has_remainder(const Terms *terms) {
    for (int i = 0; i < terms->count; i++) {
        if (terms->at[i]->op == SCALAR_REMAINDER) {
            return true;
        }
    }
    return false;
}

static Scalar *sum_of_terms(KernelBuilder *k, const Terms *terms, Scalar *sum) {
    for (int i = 0; i < terms->count; i++) {
        Scalar *factor = scalar_position(k, terms->factor[i]);
        sum = fold_add(k, sum, fold_multiply(k, terms->at[i], factor));
    }
    return sum;
}

// x + y, where x has a term (e / n) * n * c and y has (e % n) * c; else NULL.
static Scalar *join_remainder(KernelBuilder *k, Scalar *x, Scalar *y) {
    Terms left = {.count = 0}, right = {.count = 0};
    if (!collect_terms(y, 1, &right) || !has_remainder(&right) || !collect_terms(x, 1, &left)) {
        return NULL;
    }
    for (int i = 0; i < left.count * right.count; i++) {
        int of_x = i / right.count, of_y = i % right.count;
        const Scalar *rest = right.at[of_y];
        if (are_parts(left.at[of_x], left.factor[of_x], rest, right.factor[of_y])) {
            right.at[of_y] = rest->args[0];
            left.factor[of_x] = 0;
            int64_t constant = wrap_add(left.constant, right.constant);
            Scalar *sum = sum_of_terms(k, &left, scalar_position(k, constant));
            return sum_of_terms(k, &right, sum);
        }
    }
    return NULL;
}

static Scalar *fold_add(KernelBuilder *k, Scalar *x, Scalar *y) {
    int64_t a, b, c;
    if (scalar_is_constant(x, &a)) {
        if (scalar_is_constant(y, &b)) {
            return scalar_position(k, wrap_add(a, b));
        }
        return fold_add(k, y, x);
    }
    if (scalar_is_constant(y, &b)) {
        if (b == 0) {
            return x;
        }
        if (is_op_with_constant(x, SCALAR_ADD, &c)) {
            return fold_add(k, x->args[0], scalar_position(k, wrap_add(b, c)));
        }
    }
    Scalar *joined = join_remainder(k, x, y);
    if (joined != NULL) {
        return joined;
    }
    Scalar *sum = binary_raw(k, SCALAR_ADD, TYPE_I64, x, y);
    const ScalarFacts *f = scalar_facts(k, x), *g = scalar_facts(k, y);
    if (f->bounded && g->bounded) {
        bound_result(k, sum, f->low + g->low, f->high + g->high);
    }
    return sum;
}

static bool products_fit(int64_t x, int64_t y) {
    return x == 0 || llabs(y) <= range_limit / llabs(x);
}

static int64_t smallest(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t largest(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static Scalar *fold_multiply(KernelBuilder *k, Scalar *x, Scalar *y) {
    int64_t a, b, c;
    if (scalar_is_constant(x, &a)) {
        if (scalar_is_constant(y, &b)) {
            return scalar_position(k, wrap_multiply(a, b));
        }
        return fold_multiply(k, y, x);
    }
    if (scalar_is_constant(y, &b)) {
        if (b == 0 || b == 1) {
            return b == 0 ? y : x;
        }
        if (is_op_with_constant(x, SCALAR_MUL, &c)) {
            return fold_multiply(k, x->args[0], scalar_position(k, wrap_multiply(b, c)));
        }
    }
    Scalar *product = binary_raw(k, SCALAR_MUL, TYPE_I64, x, y);
    const ScalarFacts *f = scalar_facts(k, x), *g = scalar_facts(k, y);
    if (f->bounded && g->bounded && products_fit(f->low, g->low) && products_fit(f->low, g->high) &&
        products_fit(f->high, g->low) && products_fit(f->high, g->high)) {
        int64_t p = f->low * g->low, q = f->low * g->high, r = f->high * g->low,
                s = f->high * g->high;
        bound_result(k, product, smallest(smallest(p, q), smallest(r, s)),
                     largest(largest(p, q), largest(r, s)));
    }
    return product;
}

// x is n * whole + rest with rest >= 0 and no overflow, and part of it is a multiple of n.
static bool split_multiple(KernelBuilder *k, Scalar *x, int64_t n, Scalar **whole, Scalar **rest) {
    const ScalarFacts *facts = scalar_facts(k, x);
    Terms terms = {.count = 0};
    if (!facts->bounded || facts->low < 0 || !collect_terms(x, 1, &terms)) {
        return false;
    }
    bool divides = terms.constant >= n;
    int64_t low = terms.constant < 0 ? terms.constant : terms.constant % n;
    for (int i = 0; i < terms.count; i++) {
        const ScalarFacts *of = scalar_facts(k, terms.at[i]);
        int64_t factor = terms.factor[i], least;
        if (!of->bounded) {
            return false;
        }
        if (factor % n == 0) {
            divides = true;
        } else if (__builtin_mul_overflow(factor, factor > 0 ? of->low : of->high, &least) ||
                   __builtin_add_overflow(low, least, &low)) {
            return false;
        }
    }
    if (!divides || low < 0) {
        return false;
    }
    *whole = scalar_position(k, terms.constant < 0 ? 0 : terms.constant / n);
    *rest = scalar_position(k, terms.constant < 0 ? terms.constant : terms.constant % n);
    for (int i = 0; i < terms.count; i++) {
        bool multiple = terms.factor[i] % n == 0;
        int64_t factor = multiple ? terms.factor[i] / n : terms.factor[i];
        Scalar **sum = multiple ? whole : rest;
        Scalar *term = fold_multiply(k, terms.at[i], scalar_position(k, factor));
        *sum = fold_add(k, *sum, term);
    }
    return true;
}

static Scalar *fold_divide(KernelBuilder *k, Scalar *x, Scalar *y) {
    int64_t a, n;
    Scalar *whole, *rest;
    if (!scalar_is_constant(y, &n) || n <= 0) {
        return binary_raw(k, SCALAR_DIV, TYPE_I64, x, y);
    }
    if (n == 1) {
        return x;
    }
    if (scalar_is_constant(x, &a) && a >= 0) {
        return scalar_position(k, a / n);
    }
    const ScalarFacts *facts = scalar_facts(k, x);
    if (facts->bounded && facts->low >= 0 && facts->high < n) {
        return scalar_position(k, 0);
    }
    if (split_multiple(k, x, n, &whole, &rest)) {
        return fold_add(k, whole, fold_divide(k, rest, y));
    }
    int64_t low = facts->bounded ? facts->low : 0, high = facts->bounded ? facts->high : -1;
    Scalar *quotient = binary_raw(k, SCALAR_DIV, TYPE_I64, x, y);
    if (low >= 0 && high >= 0) {
        scalar_bound(k, quotient, low / n, high / n);
    }
    return quotient;
}

static Scalar *fold_remainder(KernelBuilder *k, Scalar *x, Scalar *y) {
    int64_t a, n;
    Scalar *whole, *rest;
    if (!scalar_is_constant(y, &n) || n <= 0) {
        return binary_raw(k, SCALAR_REMAINDER, TYPE_I64, x, y);
    }
    if (n == 1) {
        return scalar_position(k, 0);
    }
    if (scalar_is_constant(x, &a) && a >= 0) {
        return scalar_position(k, a % n);
    }
    const ScalarFacts *facts = scalar_facts(k, x);
    if (facts->bounded && facts->low >= 0 && facts->high < n) {
        return x;
    }
    if (split_multiple(k, x, n, &whole, &rest)) {
        return fold_remainder(k, rest, y);
    }
    Scalar *remainder = binary_raw(k, SCALAR_REMAINDER, TYPE_I64, x, y);
    scalar_bound(k, remainder, 0, n - 1);
    return remainder;
}

// The value of x op y if the ranges decide it: 0, 1, or -1 for unknown.
static int decide_comparison(const ScalarFacts *x, const ScalarFacts *y, ScalarOp op) {
    if (!x->bounded || !y->bounded) {
        return -1;
    }
    switch (op) {
    case SCALAR_LT: return x->high < y->low ? 1 : x->low >= y->high ? 0 : -1;
    case SCALAR_LE: return x->high <= y->low ? 1 : x->low > y->high ? 0 : -1;
    case SCALAR_GT: return x->low > y->high ? 1 : x->high <= y->low ? 0 : -1;
    case SCALAR_GE: return x->low >= y->high ? 1 : x->high < y->low ? 0 : -1;
    case SCALAR_EQ:
    case SCALAR_NE: {
        bool apart = x->high < y->low || x->low > y->high;
        bool same = x->low == x->high && y->low == y->high && x->low == y->low;
        return apart ? op == SCALAR_NE : same ? op == SCALAR_EQ : -1;
    }
    default: return -1;
    }
}

static bool is_comparison(ScalarOp op) {
    return op >= SCALAR_EQ && op <= SCALAR_GE;
}

static Scalar *fold_logic(KernelBuilder *k, ScalarOp op, Scalar *x, Scalar *y) {
    int64_t value;
    for (int side = 0; side < 2; side++) {
        Scalar *constant = side == 0 ? x : y, *other = side == 0 ? y : x;
        if (scalar_is_constant(constant, &value)) {
            if (op == SCALAR_AND) {
                return value ? other : constant;
            }
            if (op == SCALAR_OR) {
                return value ? constant : other;
            }
        }
    }
    return binary_raw(k, op, TYPE_BOOL, x, y);
}

// x as a product of a constant and something.
static bool split_product(Scalar *x, double *factor, Scalar **rest) {
    for (int i = 0; x->op == SCALAR_MUL && i < 2; i++) {
        if (x->args[i]->op == SCALAR_CONSTANT) {
            *factor = x->args[i]->real;
            *rest = x->args[1 - i];
            return true;
        }
    }
    return false;
}

// The error function beside a number of at least 1, or a part of it beside as large a part of 1, as
// in gelu: its own last places are lost in the sum, so a shorter form is as good.
static Scalar *shorten_term(KernelBuilder *k, Scalar *x, const Scalar *beside) {
    double factor = 1;
    Scalar *term = x;
    bool is_part = split_product(x, &factor, &term);
    bool is_erf = term->op == SCALAR_LIBM && strcmp(term->name, "erf") == 0;
    if (!is_erf || beside->op != SCALAR_CONSTANT || !(fabs(beside->real) >= fabs(factor))) {
        return x;
    }
    Scalar *shorter = scalar_libm(k, "erf_in_sum", 1, term->args[0], NULL);
    return is_part ? binary_raw(k, SCALAR_MUL, x->type, scalar_number(k, x->type, factor), shorter)
                   : shorter;
}

Scalar *scalar_binary(KernelBuilder *k, ScalarOp op, Scalar *x, Scalar *y) {
    check(x->type == y->type, "operands of types %s and %s meet in scalar operator %d",
          element_name(x->type), element_name(y->type), op);
    if (is_comparison(op)) {
        int decided = decide_comparison(scalar_facts(k, x), scalar_facts(k, y), op);
        return decided >= 0 ? scalar_integer_constant(k, TYPE_BOOL, decided)
                            : binary_raw(k, op, TYPE_BOOL, x, y);
    }
    if (x->type == TYPE_BOOL) {
        return fold_logic(k, op, x, y);
    }
    if (x->type == TYPE_I64) {
        int64_t constant;
        switch (op) {
        case SCALAR_ADD: return fold_add(k, x, y);
        case SCALAR_MUL: return fold_multiply(k, x, y);
        case SCALAR_DIV: return fold_divide(k, x, y);
        case SCALAR_REMAINDER: return fold_remainder(k, x, y);
        case SCALAR_SUB:
            if (scalar_is_constant(y, &constant) && constant != INT64_MIN) {
                return fold_add(k, x, scalar_position(k, -constant));
            }
            if (scalar_facts(k, x)->bounded && scalar_facts(k, y)->bounded) {
                return fold_add(k, x, fold_multiply(k, y, scalar_position(k, -1)));
            }
            break;
        default: break;
        }
    }
    if (x->type == TYPE_F32 && (op == SCALAR_ADD || op == SCALAR_SUB)) {
        return binary_raw(k, op, x->type, shorten_term(k, x, y), shorten_term(k, y, x));
    }
    return binary_raw(k, op, x->type, x, y);
}

Scalar *scalar_unary(KernelBuilder *k, ScalarOp op, Scalar *x) {
    int64_t value;
    if (op == SCALAR_NOT && scalar_is_constant(x, &value)) {
        return scalar_integer_constant(k, TYPE_BOOL, !value);
    }
    return scalar_make(k, &(Scalar){.op = op, .type = x->type, .args = {x}, .arg_count = 1});
}

Scalar *scalar_fma(KernelBuilder *k, Scalar *x, Scalar *y, Scalar *z) {
    if (!element_is_real(x->type)) {
        return scalar_binary(k, SCALAR_ADD, z, scalar_binary(k, SCALAR_MUL, x, y));
    }
    return scalar_make(
        k, &(Scalar){.op = SCALAR_FMA, .type = x->type, .args = {x, y, z}, .arg_count = 3});
}

Scalar *scalar_select(KernelBuilder *k, Scalar *condition, Scalar *x, Scalar *y) {
    int64_t value;
    if (scalar_is_constant(condition, &value)) {
        return value ? x : y;
    }
    if (x == y) {
        return x;
    }
    check(x->type == y->type, "a selection between %s and %s", element_name(x->type),
          element_name(y->type));
    Scalar *result = scalar_make(
        k,
        &(Scalar){.op = SCALAR_SELECT, .type = x->type, .args = {condition, x, y}, .arg_count = 3});
    const ScalarFacts *f = scalar_facts(k, x), *g = scalar_facts(k, y);
    if (f->bounded && g->bounded) {
        scalar_bound(k, result, smallest(f->low, g->low), largest(f->high, g->high));
    }
    return result;
}

Scalar *scalar_cast(KernelBuilder *k, ElementType type, Scalar *x) {
    int64_t value;
    if (x->type == type) {
        return x;
    }
    if (type == TYPE_BOOL) {
        return scalar_binary(k, SCALAR_NE, x, scalar_number(k, x->type, 0));
    }
    if (scalar_is_constant(x, &value)) {
        if (element_is_real(type) && value > -(1 << 24) && value < (1 << 24)) {
            return scalar_real_constant(k, type, (double)value);
        }
        if (type == TYPE_I64 || (type == TYPE_I32 && value >= INT32_MIN && value <= INT32_MAX)) {
            return scalar_integer_constant(k, type, value);
        }
    }
    Scalar *result =
        scalar_make(k, &(Scalar){.op = SCALAR_CAST, .type = type, .args = {x}, .arg_count = 1});
    const ScalarFacts *facts = scalar_facts(k, x);
    if (element_is_integer(type) && facts->bounded && !element_is_real(x->type)) {
        bound_result(k, result, facts->low, facts->high);
    } else if (type == TYPE_I64 && x->type == TYPE_BOOL) {
        scalar_bound(k, result, 0, 1);
    }
    return result;
}

Scalar *scalar_bits(KernelBuilder *k, Scalar *x) {
    static const ElementType other[ELEMENT_TYPE_COUNT] = {
        [TYPE_I32] = TYPE_F32, [TYPE_I64] = TYPE_F64, [TYPE_F32] = TYPE_I32, [TYPE_F64] = TYPE_I64};
    return scalar_make(
        k, &(Scalar){.op = SCALAR_BITS, .type = other[x->type], .args = {x}, .arg_count = 1});
}

// `name` is part of what identifies the scalar: callers give string literals or
// names of the operator table, so that equal names mostly are one string (else
// the scalar is merely computed twice).
Scalar *scalar_libm(KernelBuilder *k, const char *name, int count, Scalar *x, Scalar *y) {
    return scalar_make(k, &(Scalar){.op = SCALAR_LIBM,
                                    .type = x->type,
                                    .args = {x, count > 1 ? y : NULL},
                                    .arg_count = count,
                                    .name = name});
}

// Positions are small expressions; other scalars are not looked into, so that
// this stays cheap.
static bool is_linear_within(const Scalar *x, const Scalar *index, int depth,
                             int64_t *coefficient) {
    int64_t a, b, constant;
    if (x == index || x->arg_count == 0) {
        *coefficient = x == index;
        return true;
    }
    if (depth == 0) {
        return false;
    }
    if (x->op == SCALAR_ADD && is_linear_within(x->args[0], index, depth - 1, &a) &&
        is_linear_within(x->args[1], index, depth - 1, &b)) {
        *coefficient = a + b;
        return true;
    }
    if (x->op == SCALAR_MUL && scalar_is_constant(x->args[1], &constant) &&
        is_linear_within(x->args[0], index, depth - 1, &a)) {
        *coefficient = a * constant;
        return true;
    }
    *coefficient = 0;
    for (int i = 0; i < x->arg_count; i++) {
        if (!is_linear_within(x->args[i], index, depth / 2, &a) || a != 0) {
            return false;
        }
    }
    return true;
}

bool scalar_is_linear(const Scalar *x, const Scalar *index, int64_t *coefficient) {
    return is_linear_within(x, index, 16, coefficient);
}
