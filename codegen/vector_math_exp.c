// Exponentials, logarithms and what is made of them, in scalars: vector_math.h.
#include <math.h>

#include "codegen/vector_math_alone.h"

static const double ln2 = 0x1.62e42fefa39efp-1;

// ---- exponentials

// An exponent of two with which any power is 0: so far below the smallest number that math_scale
// multiplies by 0, or need not round. Where a result is subnormal, or was until it was rounded,
// some processors take 50 times as long, and what a mask takes out of attention is exp(-inf).
static double least_exponent(const Math *m) {
    return m->abilities.scale ? -4000 : -2 * m->format->bias;
}

// exp(x) = 2^(n / 16) exp(rest): a short polynomial for the rest, a table in two registers for the
// sixteenths, which are the lowest bits of the sum with a rounder of that unit. To scale by n / 16
// is to scale by what is whole of it.
static Scalar *exp_by_table(Math *m, Scalar *x) {
    const Format *format = m->format;
    Scalar *rounder = math_real(m, format->rounder / 16), *one = math_real(m, 1);
    Scalar *sum = math_fma(m, x, math_real(m, 1 / ln2), rounder);
    Scalar *n = math_sub(m, sum, rounder);
    Scalar *rest = math_fma(m, n, math_real(m, -format->ln2_high), x); // exact
    rest = math_fma(m, n, math_real(m, -format->ln2_low), rest);
    Scalar *power = math_look_up(m, TABLE_POWERS_16, math_to_bits(m, sum));
    Scalar *of_rest = math_polynomial(m, &exp_of_16th, rest);
    of_rest = math_fma(m, of_rest, rest, one);
    Scalar *y = math_fma(m, math_mul(m, power, rest), of_rest, power);
    return math_binary(m, SCALAR_SCALE, y, n);
}

Scalar *math_exp(Math *m, Scalar *const *x) {
    Scalar *bounded = math_at_least(m, x[0], least_exponent(m) * ln2);
    bounded = math_at_most(m, bounded, m->format->exp_high);
    if (m->abilities.pick && m->format->real == TYPE_F64)
        return exp_by_table(m, bounded);
    ExpParts parts = math_split_exponent(m, bounded);
    return math_scale(m, math_exp_of_parts(m, &parts, false), parts.sum);
}

// 2^x = 2^n exp((x - n) log(2))
static Scalar *power_of_two_at(Math *m, Scalar *x) {
    const Format *format = m->format;
    Scalar *sum = math_add(m, x, math_real(m, format->rounder));
    Scalar *fraction = math_sub(m, x, math_sub(m, sum, math_real(m, format->rounder)));
    ExpParts parts = {.rest = math_mul(m, fraction, math_real(m, ln2))};
    parts.sum = sum;
    return math_scale(m, math_exp_of_parts(m, &parts, false), parts.sum);
}

Scalar *math_exp2(Math *m, Scalar *const *x) {
    double high = m->format->real == TYPE_F32 ? 128 : 1024;
    return power_of_two_at(m, math_at_most(m, math_at_least(m, x[0], least_exponent(m)), high));
}

// 2^n exp(rest) - 1 = 2 (2^(n-1) - 1/2 + 2^(n-1) rest + 2^(n-1) (exp(rest) - 1 - rest))
Scalar *math_expm1(Math *m, Scalar *const *x) {
    const Format *format = m->format;
    Scalar *bounded = math_at_most(m, math_at_least(m, x[0], format->expm1_low), format->exp_high);
    ExpParts parts = math_split_exponent(m, bounded);
    Scalar *biased = math_add(m, math_rounded(m, parts.sum), math_integer(m, format->bias - 1));
    Scalar *scale = math_power_of_two(m, biased);
    Scalar *high = math_fma(m, scale, parts.rest, math_sub(m, scale, math_real(m, 0.5)));
    Scalar *low = math_add(m, math_exp_of_rest(m, parts.rest), parts.lost);
    Scalar *half = math_fma(m, scale, low, high);
    // The sign is for -0.
    return math_binary(m, SCALAR_COPYSIGN, math_add(m, half, half), x[0]);
}

// e / (1 + e) or 1 / (1 + e), by the sign, with e = exp(-|x|) = 2^n (high + low).
Scalar *math_sigmoid(Math *m, Scalar *const *x) {
    const Format *format = m->format;
    Scalar *one = math_real(m, 1), *zero = math_real(m, 0);
    Scalar *below = math_compare(m, SCALAR_LT, x[0], zero);
    Scalar *size = math_sub(m, zero, math_abs(m, x[0]));
    ExpParts parts = math_split_exponent(m, math_at_least(m, size, least_exponent(m) * ln2));
    Scalar *part = math_add(m, math_exp_of_rest(m, parts.rest), parts.lost);
    part = math_add(m, parts.rest, part);
    Scalar *high = math_add(m, one, part);
    Scalar *low = math_sub(m, part, math_sub(m, high, one));
    // Beside 1, a power of two that is no normal number does not count.
    Scalar *tiny = math_compare(m, SCALAR_LT, size, math_real(m, (2 - format->bias) * ln2));
    Scalar *biased = math_add(m, math_rounded(m, parts.sum), math_integer(m, format->bias));
    Scalar *scale = math_choose(m, tiny, zero, math_power_of_two(m, biased));
    Scalar *e = math_mul(m, high, scale);
    Scalar *divisor = math_add(m, one, e);
    Scalar *lost = math_fma(m, low, scale, math_sub(m, e, math_sub(m, divisor, one)));
    Scalar *quotient = math_div(m, math_choose(m, below, high, one), divisor);
    // What rounding took from dividend and divisor, divided by the latter: 1 / divisor is the
    // quotient itself, or what it lacks to 1.
    Scalar *change = math_sub(m, math_choose(m, below, low, zero), math_mul(m, quotient, lost));
    Scalar *inverse =
        math_choose(m, below, math_sub(m, one, math_mul(m, quotient, scale)), quotient);
    Scalar *y = math_fma(m, change, inverse, quotient);
    return math_choose(m, below, math_scale(m, y, parts.sum), y);
}

Scalar *math_tanh(Math *m, Scalar *const *x) {
    const Format *format = m->format;
    Scalar *size = math_abs(m, x[0]);
    Scalar *square = math_mul(m, size, size);
    Scalar *small =
        math_fma(m, math_mul(m, size, square), math_polynomial(m, &format->tanh, square), size);
    // 1 - 2 e / (1 + e), e = exp(-2 |x|)
    Scalar *twice = math_mul(m, size, math_real(m, -2));
    Scalar *e = math_small_exp(m, math_at_least(m, twice, format->tanh_low));
    Scalar *part = math_div(m, math_add(m, e, e), math_add(m, math_real(m, 1), e));
    Scalar *large = math_sub(m, math_real(m, 1), part);
    Scalar *is_small = math_compare(m, SCALAR_LT, size, math_real(m, format->tanh_switch));
    return math_binary(m, SCALAR_COPYSIGN, math_choose(m, is_small, small, large), x[0]);
}

// exp(x) / 2, which is finite for a little longer than exp(x); x >= 0
static Scalar *half_exp(Math *m, Scalar *x) {
    ExpParts parts = math_split_exponent(m, math_at_most(m, x, m->format->exp_high + 2));
    Scalar *sum = math_sub(m, parts.sum, math_real(m, 1));
    return math_scale(m, math_exp_of_parts(m, &parts, true), sum);
}

Scalar *math_cosh(Math *m, Scalar *const *x) {
    Scalar *half = half_exp(m, math_abs(m, x[0]));
    return math_add(m, half, math_div(m, math_real(m, 0.25), half));
}

Scalar *math_sinh(Math *m, Scalar *const *x) {
    Scalar *size = math_abs(m, x[0]);
    Scalar *u = math_expm1(m, &size);
    Scalar *small = math_add(m, u, math_div(m, u, math_add(m, u, math_real(m, 1))));
    small = math_mul(m, small, math_real(m, 0.5));
    // From here on sinh and exp / 2 are the same number.
    Scalar *is_small = math_compare(m, SCALAR_LT, size, math_real(m, 22));
    Scalar *y = math_choose(m, is_small, small, half_exp(m, size));
    return math_binary(m, SCALAR_COPYSIGN, y, x[0]);
}

// ---- logarithms

// log(1 + f) + n log(2) + more, where `more` is small beside f or n, or NULL.
static Scalar *log_of_parts_f32(Math *m, Scalar *f, Scalar *n, Scalar *more) {
    const Format *format = m->format;
    Scalar *square = math_mul(m, f, f);
    Scalar *cube = math_mul(m, square, f);
    Scalar *rest = math_mul(m, cube, math_polynomial(m, &format->log, f));
    rest = math_fma(m, n, math_real(m, format->ln2_low), rest);
    rest = math_fma(m, square, math_real(m, -0.5), rest);
    rest = more ? math_add(m, rest, more) : rest;
    return math_fma(m, n, math_real(m, format->ln2_high), math_add(m, f, rest));
}

// log(1 + f) = f - (f^2 / 2 - tail), by s = f / (2 + f): log(1 + f) = 2 s + s r and tail = s (f^2 /
// 2 + r).
typedef struct LogTail {
    Scalar *half_square, *tail;
} LogTail;

static LogTail log_tail(Math *m, Scalar *f) {
    Scalar *s = math_div(m, f, math_add(m, math_real(m, 2), f));
    Scalar *z = math_mul(m, s, s);
    Scalar *r = math_mul(m, z, math_polynomial(m, &m->format->log, z));
    LogTail tail = {.half_square = math_mul(m, math_mul(m, math_real(m, 0.5), f), f)};
    tail.tail = math_mul(m, s, math_add(m, tail.half_square, r));
    return tail;
}

static Scalar *log_of_parts_f64(Math *m, Scalar *f, Scalar *n, Scalar *more) {
    const Format *format = m->format;
    LogTail parts = log_tail(m, f);
    Scalar *low = math_fma(m, n, math_real(m, format->ln2_low), parts.tail);
    low = more ? math_add(m, low, more) : low;
    Scalar *rest = math_sub(m, math_sub(m, parts.half_square, low), f);
    return math_sub(m, math_mul(m, n, math_real(m, format->ln2_high)), rest);
}

// log(x) + more for 0 < x < infinity; anything otherwise.
static Scalar *log_of_positive(Math *m, Scalar *x, Scalar *more) {
    LogParts parts = math_split_logarithm(m, x);
    return m->format->real == TYPE_F32 ? log_of_parts_f32(m, parts.f, parts.n, more)
                                       : log_of_parts_f64(m, parts.f, parts.n, more);
}

// `y` where 0 < x < infinity, else the logarithm of 0, of infinity, or NaN.
static Scalar *log_special(Math *m, Scalar *x, Scalar *y) {
    Scalar *positive = math_compare(m, SCALAR_GT, x, math_real(m, 0));
    Scalar *finite = math_compare(m, SCALAR_LT, x, math_real(m, (double)INFINITY));
    Scalar *zero = math_compare(m, SCALAR_EQ, x, math_real(m, 0));
    Scalar *special =
        math_choose(m, zero, math_real(m, -(double)INFINITY), math_real(m, (double)NAN));
    return math_choose(m, math_both(m, positive, finite), y, math_choose(m, positive, x, special));
}

Scalar *math_log(Math *m, Scalar *const *x) {
    return log_special(m, x[0], log_of_positive(m, x[0], NULL));
}

// log(1 + x): u = 1 + x as rounded; what was lost, divided by u, comes on top.
Scalar *math_log1p(Math *m, Scalar *const *x) {
    Scalar *one = math_real(m, 1);
    Scalar *u = math_add(m, one, x[0]);
    Scalar *of_x = math_sub(m, u, one);
    Scalar *of_one = math_sub(m, u, of_x);
    Scalar *lost = math_add(m, math_sub(m, one, of_one), math_sub(m, x[0], of_x));
    Scalar *y = log_special(m, u, log_of_positive(m, u, math_div(m, lost, u)));
    // The sign is for -0.
    return math_binary(m, SCALAR_COPYSIGN, y, x[0]);
}

// A factor in two parts: few bits, so that its products with numbers of few bits are exact, and the
// rest.
typedef struct Factor {
    double high, low;
} Factor;

// n * of_n + log(x) * factor for the parts of x
static Scalar *log_to_base(Math *m, Scalar *x, Factor of_n, Factor factor) {
    LogParts parts = math_split_logarithm(m, x);
    LogTail tail = log_tail(m, parts.f);
    Scalar *high = math_sub(m, parts.f, tail.half_square);
    high = math_without_low_bits(m, high, 32);
    Scalar *low = math_sub(m, math_sub(m, parts.f, high), tail.half_square);
    low = math_add(m, low, tail.tail);
    Scalar *small = math_mul(m, math_add(m, high, low), math_real(m, factor.low));
    small = math_fma(m, low, math_real(m, factor.high), small);
    small = math_fma(m, parts.n, math_real(m, of_n.low), small);
    Scalar *first = math_mul(m, parts.n, math_real(m, of_n.high));
    Scalar *second = math_mul(m, high, math_real(m, factor.high));
    Scalar *sum = math_add(m, first, second);
    Scalar *lost = math_add(m, math_sub(m, first, sum), second);
    return log_special(m, x, math_add(m, sum, math_add(m, lost, small)));
}

Scalar *math_log2(Math *m, Scalar *const *x) {
    return log_to_base(m, x[0], (Factor){1, 0}, (Factor){0x1.715476p0, 0x1.4ae0bf85ddf44p-26});
}

Scalar *math_log10(Math *m, Scalar *const *x) {
    return log_to_base(m, x[0], (Factor){0x1.34413509f4p-2, 0x1.cff7988f8959bp-41},
                       (Factor){0x1.bcb7bp-2, 0x1.526e50e32a6abp-26});
}

// ---- made of them

// Beyond this 1 vanishes beside the square, which overflows further on.
static const double large_argument = 0x1p28;

// log(x + sqrt(x^2 +- 1)), less a log(2) where x is large: `small` is what is beyond 1 otherwise.
static Scalar *inverse_hyperbolic(Math *m, Scalar *x, Scalar *small) {
    Scalar *large = math_compare(m, SCALAR_GT, x, math_real(m, large_argument));
    Scalar *beyond_one = math_choose(m, large, math_sub(m, x, math_real(m, 1)), small);
    Scalar *more = math_choose(m, large, math_real(m, ln2), math_real(m, 0));
    return math_add(m, math_log1p(m, &beyond_one), more);
}

Scalar *math_asinh(Math *m, Scalar *const *x) {
    Scalar *one = math_real(m, 1), *size = math_abs(m, x[0]);
    Scalar *square = math_mul(m, size, size);
    Scalar *root = math_sqrt(m, math_add(m, square, one));
    Scalar *small = math_add(m, size, math_div(m, square, math_add(m, root, one)));
    return math_binary(m, SCALAR_COPYSIGN, inverse_hyperbolic(m, size, small), x[0]);
}

Scalar *math_acosh(Math *m, Scalar *const *x) {
    Scalar *t = math_sub(m, x[0], math_real(m, 1));
    Scalar *square = math_fma(m, t, t, math_add(m, t, t));
    Scalar *small = math_add(m, t, math_sqrt(m, square));
    Scalar *outside = math_compare(m, SCALAR_LT, x[0], math_real(m, 1));
    return math_choose(m, outside, math_real(m, (double)NAN), inverse_hyperbolic(m, x[0], small));
}

Scalar *math_atanh(Math *m, Scalar *const *x) {
    Scalar *size = math_abs(m, x[0]);
    Scalar *ratio = math_div(m, math_add(m, size, size), math_sub(m, math_real(m, 1), size));
    Scalar *y = math_mul(m, math_log1p(m, &ratio), math_real(m, 0.5));
    return math_binary(m, SCALAR_COPYSIGN, y, x[0]);
}

// exp(log(x) / 3) with its mantissa cut to 17 bits, so that its cube is exact; then a series in
// what the cube lacks.
Scalar *math_cbrt(Math *m, Scalar *const *x) {
    Scalar *given = math_abs(m, x[0]), *one = math_real(m, 1);
    // Cubes must be normal numbers.
    Scalar *tiny = math_compare(m, SCALAR_LT, given, math_real(m, 0x1p-900));
    Scalar *size = math_mul(m, given, math_choose(m, tiny, math_real(m, 0x1p300), one));
    Scalar *third = math_mul(m, log_of_positive(m, size, NULL), math_real(m, 1.0 / 3));
    Scalar *root = math_without_low_bits(m, math_small_exp(m, third), 36);
    Scalar *cube = math_mul(m, math_mul(m, root, root), root);
    Scalar *d = math_div(m, math_sub(m, size, cube), cube);
    static const Polynomial series = {5, {1.0 / 3, -1.0 / 9, 5.0 / 81, -10.0 / 243, 22.0 / 729}};
    Scalar *change = math_mul(m, d, math_polynomial(m, &series, d));
    Scalar *y = math_fma(m, root, change, root);
    y = math_mul(m, y, math_choose(m, tiny, math_real(m, 0x1p-100), one));
    Scalar *usual = math_both(m, math_compare(m, SCALAR_GT, size, math_real(m, 0)),
                              math_compare(m, SCALAR_LT, size, math_real(m, (double)INFINITY)));
    return math_binary(m, SCALAR_COPYSIGN, math_choose(m, usual, y, size), x[0]);
}

Scalar *math_hypot(Math *m, Scalar *const *x) {
    Scalar *a = math_abs(m, x[0]), *b = math_abs(m, x[1]);
    Scalar *infinity = math_real(m, (double)INFINITY);
    Scalar *a_is_larger = math_compare(m, SCALAR_GT, a, b);
    Scalar *larger = math_choose(m, a_is_larger, a, b);
    // Powers of two that keep the squares within range.
    Scalar *huge = math_compare(m, SCALAR_GT, larger, math_real(m, 0x1p500));
    Scalar *tiny = math_compare(m, SCALAR_LT, larger, math_real(m, 0x1p-450));
    Scalar *one = math_real(m, 1);
    Scalar *down = math_choose(m, huge, math_real(m, 0x1p-600),
                               math_choose(m, tiny, math_real(m, 0x1p600), one));
    Scalar *up = math_choose(m, huge, math_real(m, 0x1p600),
                             math_choose(m, tiny, math_real(m, 0x1p-600), one));
    a = math_mul(m, a, down);
    b = math_mul(m, b, down);
    Scalar *y = math_mul(m, math_sqrt(m, math_fma(m, a, a, math_mul(m, b, b))), up);
    y = math_choose(m, math_compare(m, SCALAR_EQ, a, infinity), infinity, y);
    return math_choose(m, math_compare(m, SCALAR_EQ, b, infinity), infinity, y);
}
