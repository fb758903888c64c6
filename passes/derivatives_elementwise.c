// Derivatives of the elementwise operators. At points where a function is not smooth, the values
// are PyTorch's (docs/differentiation.md lists them); a rule that looks roundabout is so for one of
// them.
//
// d[i] is d result / d operand i; a scalar stands for the same number everywhere. The product with
// the upstream gradient is the caller's, and with it inf * 0 = NaN, as in PyTorch. Where PyTorch
// masks instead of multiplying (select, maximum) or divides (div), the rule is an adjoint of its
// own.
#include "passes/derivative_rules.h"

#define PARTIALS(name) void partials_##name(Builder *b, const Inst *inst, Value **d)
#define X (inst->operands[0])
#define Y (inst->operands[1])
#define R (inst->results[0])

static const double PI = 3.14159265358979323846;
static const double LN_2 = 0.69314718055994530942;
static const double LN_10 = 2.30258509299404568402;
static const double TWO_OVER_SQRT_PI = 1.12837916709551257390;

static Value *plus(Builder *b, Value *x, double c) {
    return build_add(b, x, scalar_like(b, x, c));
}

static Value *times(Builder *b, Value *x, double c) {
    return build_mul(b, x, scalar_like(b, x, c));
}

static Value *square(Builder *b, Value *x) {
    return build_mul(b, x, x);
}

static Value *reciprocal(Builder *b, Value *x) {
    return build_div(b, scalar_like(b, x, 1), x);
}

// 1 - x*x, without the cancellation near 1.
static Value *one_minus_square(Builder *b, Value *x) {
    Value *one = scalar_like(b, x, 1);
    return build_mul(b, build_sub(b, one, x), build_add(b, one, x));
}

// Arithmetic

PARTIALS(add) {
    d[0] = d[1] = scalar_like(b, R, 1);
}

PARTIALS(sub) {
    d[0] = scalar_like(b, R, 1);
    d[1] = scalar_like(b, R, -1);
}

PARTIALS(mul) {
    d[0] = Y;
    d[1] = X;
}

PARTIALS(neg) {
    d[0] = scalar_like(b, R, -1);
}

PARTIALS(remainder) {
    d[0] = scalar_like(b, R, 1);
    d[1] = build_neg(b, build_binary(b, OP_floor_divide, X, Y));
}

PARTIALS(fmod) {
    d[0] = scalar_like(b, R, 1);
    d[1] = build_neg(b, build_unary(b, OP_trunc, build_div(b, X, Y)));
}

// x**0 has slope 0 everywhere, at NaN and infinity too; so has 0**y in y where y >= 0.
PARTIALS(pow) {
    Value *zero = scalar_like(b, R, 0);
    Value *slope = build_mul(b, Y, build_pow(b, X, plus(b, Y, -1)));
    d[0] = build_select(b, build_eq(b, Y, zero), zero, slope);
    Value *flat = build_logical_and(b, build_eq(b, X, zero), build_ge(b, Y, zero));
    d[1] = build_select(b, flat, zero, build_mul(b, R, build_log(b, X)));
}

PARTIALS(abs) {
    d[0] = build_sign(b, X);
}

PARTIALS(copysign) {
    Value *zero = scalar_like(b, R, 0);
    d[0] = build_select(b, build_eq(b, X, zero), zero, build_div(b, R, X));
    d[1] = NULL;
}

// Powers, exponentials, logarithms

PARTIALS(sqrt) {
    d[0] = reciprocal(b, times(b, R, 2));
}

PARTIALS(cbrt) {
    d[0] = reciprocal(b, times(b, square(b, R), 3));
}

PARTIALS(exp) {
    d[0] = R;
}

PARTIALS(exp2) {
    d[0] = times(b, R, LN_2);
}

PARTIALS(expm1) {
    d[0] = plus(b, R, 1);
}

PARTIALS(log) {
    d[0] = reciprocal(b, X);
}

PARTIALS(log2) {
    d[0] = reciprocal(b, times(b, X, LN_2));
}

PARTIALS(log10) {
    d[0] = reciprocal(b, times(b, X, LN_10));
}

PARTIALS(log1p) {
    d[0] = reciprocal(b, plus(b, X, 1));
}

// Trigonometric and hyperbolic functions

PARTIALS(sin) {
    d[0] = build_cos(b, X);
}

PARTIALS(cos) {
    d[0] = build_neg(b, build_sin(b, X));
}

PARTIALS(tan) {
    d[0] = plus(b, square(b, R), 1);
}

PARTIALS(asin) {
    d[0] = reciprocal(b, build_sqrt(b, one_minus_square(b, X)));
}

PARTIALS(acos) {
    d[0] = build_div(b, scalar_like(b, R, -1), build_sqrt(b, one_minus_square(b, X)));
}

PARTIALS(atan) {
    d[0] = reciprocal(b, plus(b, square(b, X), 1));
}

// Both are NaN at the origin, by 0 / 0.
PARTIALS(atan2) {
    Value *squares = build_add(b, square(b, X), square(b, Y));
    d[0] = build_div(b, Y, squares);
    d[1] = build_neg(b, build_div(b, X, squares));
}

PARTIALS(sinh) {
    d[0] = build_unary(b, OP_cosh, X);
}

PARTIALS(cosh) {
    d[0] = build_unary(b, OP_sinh, X);
}

PARTIALS(tanh) {
    d[0] = build_sub(b, scalar_like(b, R, 1), square(b, R));
}

PARTIALS(asinh) {
    d[0] = reciprocal(b, build_sqrt(b, plus(b, square(b, X), 1)));
}

PARTIALS(acosh) {
    d[0] = reciprocal(b, build_sqrt(b, build_mul(b, plus(b, X, -1), plus(b, X, 1))));
}

PARTIALS(atanh) {
    d[0] = reciprocal(b, one_minus_square(b, X));
}

PARTIALS(hypot) {
    d[0] = build_div(b, X, R);
    d[1] = build_div(b, Y, R);
}

// Special functions

PARTIALS(sigmoid) {
    d[0] = build_mul(b, build_sub(b, scalar_like(b, R, 1), R), R);
}

static Value *bell(Builder *b, Value *x) {
    return times(b, build_exp(b, build_neg(b, square(b, x))), TWO_OVER_SQRT_PI);
}

PARTIALS(erf) {
    d[0] = bell(b, X);
}

PARTIALS(erfc) {
    d[0] = build_neg(b, bell(b, X));
}

PARTIALS(lgamma) {
    d[0] = build_unary(b, OP_digamma, X);
}

PARTIALS(digamma) {
    d[0] = build_unary(b, OP_trigamma, X);
}

// The second derivative of digamma at z >= 1/2: shifted up by 16, where the asymptotic series has
// reached double precision. Written in operators that have rules, so that it can be differentiated
// on.
static Value *tetragamma_above_half(Builder *b, Value *z) {
    enum { SHIFT = 16 };
    Value *sum = NULL;
    for (int k = 0; k < SHIFT; k++) {
        Value *shifted = k ? plus(b, z, k) : z;
        Value *cube = build_mul(b, square(b, shifted), shifted);
        sum = add_maybe(b, sum, reciprocal(b, cube));
    }
    Value *w = reciprocal(b, plus(b, z, SHIFT));
    Value *w2 = square(b, w);
    static const double series[] = {-691.0 / 210, 5.0 / 6, -3.0 / 10, 1.0 / 6, -1.0 / 6, 1.0 / 2};
    Value *tail = scalar_like(b, z, series[0]);
    for (int k = 1; k < (int)(sizeof series / sizeof *series); k++) {
        tail = plus(b, build_mul(b, w2, tail), series[k]);
    }
    // -w^2 - w^3 - w^4 * tail
    tail = build_mul(b, square(b, w2), tail);
    Value *asymptotic = build_add(b, build_add(b, w2, build_mul(b, w2, w)), tail);
    return build_neg(b, build_add(b, asymptotic, times(b, sum, 2)));
}

// Below 1/2 by reflection: the second derivative of pi * cot(pi * x) is 2 pi^3 cos / sin^3. The
// unused side is given a harmless argument, so that its infinities do not become NaN by a product
// with 0.
PARTIALS(trigamma) {
    Value *half = scalar_like(b, X, 0.5);
    Value *reflected = build_lt(b, X, half);
    Value *mirror = build_sub(b, scalar_like(b, X, 1), X);
    Value *above = tetragamma_above_half(b, build_select(b, reflected, mirror, X));
    Value *fraction = build_sub(b, X, build_unary(b, OP_round, X));
    Value *safe = build_select(b, reflected, fraction, scalar_like(b, X, 0.25));
    Value *angle = times(b, safe, PI);
    Value *sine = build_sin(b, angle);
    Value *cotangent = build_div(b, build_cos(b, angle), build_mul(b, square(b, sine), sine));
    Value *below = build_sub(b, above, times(b, cotangent, 2 * PI * PI * PI));
    d[0] = build_select(b, reflected, below, above);
}

// Operators with rules of their own

// g / y is shared by both: one division for two gradients.
void adjoint_div(Builder *b, const Inst *inst, Value *g, Value **bar) {
    bar[0] = build_div(b, g, Y);
    bar[1] = build_neg(b, build_mul(b, bar[0], R));
}

Value *tangent_div(Builder *b, const Inst *inst, Value *const *t) {
    Value *numerator = t[0];
    if (t[1]) {
        Value *second = build_mul(b, R, t[1]);
        numerator = numerator ? build_sub(b, numerator, second) : build_neg(b, second);
    }
    return build_div(b, numerator, Y);
}

// The share of `g` that goes to the first of two compared operands: all, half at a tie, none where
// it lost. NaN neither ties nor loses.
static Value *share(Builder *b, Value *g, Value *ties, Value *lost) {
    Value *shared = build_select(b, ties, times(b, g, 0.5), g);
    return build_select(b, lost, zeros_like(b, g), shared);
}

static void adjoint_extreme(Builder *b, const Inst *inst, Value *g, Value **bar, Op loses) {
    Value *ties = build_eq(b, X, Y);
    bar[0] = share(b, g, ties, build_binary(b, loses, X, Y));
    bar[1] = share(b, g, ties, build_binary(b, loses, Y, X));
}

static Value *tangent_extreme(Builder *b, const Inst *inst, Value *const *t, Op loses) {
    Value *ties = build_eq(b, X, Y);
    Value *first = t[0] ? share(b, t[0], ties, build_binary(b, loses, X, Y)) : NULL;
    Value *second = t[1] ? share(b, t[1], ties, build_binary(b, loses, Y, X)) : NULL;
    return add_maybe(b, first, second);
}

void adjoint_maximum(Builder *b, const Inst *inst, Value *g, Value **bar) {
    adjoint_extreme(b, inst, g, bar, OP_lt);
}

Value *tangent_maximum(Builder *b, const Inst *inst, Value *const *t) {
    return tangent_extreme(b, inst, t, OP_lt);
}

void adjoint_minimum(Builder *b, const Inst *inst, Value *g, Value **bar) {
    adjoint_extreme(b, inst, g, bar, OP_gt);
}

Value *tangent_minimum(Builder *b, const Inst *inst, Value *const *t) {
    return tangent_extreme(b, inst, t, OP_gt);
}

// Masks, never multiplies: an infinite or NaN gradient stays out of the side not taken.
void adjoint_select(Builder *b, const Inst *inst, Value *g, Value **bar) {
    Value *zeros = zeros_like(b, g);
    bar[1] = build_select(b, inst->operands[0], g, zeros);
    bar[2] = build_select(b, inst->operands[0], zeros, g);
}

Value *tangent_select(Builder *b, const Inst *inst, Value *const *t) {
    return build_select(b, inst->operands[0], tangent_or_zeros(b, t[1], inst->operands[1]),
                        tangent_or_zeros(b, t[2], inst->operands[2]));
}

void adjoint_cast(Builder *b, const Inst *inst, Value *g, Value **bar) {
    if (element_is_real(X->type.element)) {
        bar[0] = build_cast(b, g, X->type.element);
    }
}

Value *tangent_cast(Builder *b, const Inst *inst, Value *const *t) {
    return build_cast(b, t[0], R->type.element);
}
