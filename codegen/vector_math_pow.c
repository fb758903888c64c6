// Powers in scalars: vector_math.h.
#include <math.h>

#include "codegen/vector_math_steps.h"

// Whether |x| is an integer, for f64.
static Scalar *is_integer(Math *m, Scalar *size) {
    Scalar *unit = math_real(m, 0x1p52);
    Scalar *bounded = math_at_most(m, size, 0x1p52);
    Scalar *nearest = math_sub(m, math_add(m, bounded, unit), unit);
    return math_compare(m, SCALAR_EQ, nearest, bounded);
}

// y log2|x|, its logarithm being given, but 0 where |x| is 1: 1 to an infinite power is 1.
static Scalar *power_of(Math *m, Scalar *base, Scalar *y, Scalar *log) {
    Scalar *is_one =
        math_both(m, math_compare(m, SCALAR_EQ, base, math_real(m, 1)),
                  math_compare(m, SCALAR_EQ, math_abs(m, y), math_real(m, (double)INFINITY)));
    return math_choose(m, is_one, math_real(m, 0), math_mul(m, y, log));
}

// x^y where |x|^y is the result given.
static Scalar *power_with_sign(Math *m, Scalar *const *x, Scalar *base, Scalar *result) {
    Scalar *zero = math_real(m, 0), *one = math_real(m, 1);
    Scalar *y = x[1], *y_size = math_abs(m, y);
    // Of negative numbers only integers are powers, and odd ones keep the sign.
    Scalar *whole = is_integer(m, y_size);
    Scalar *even = is_integer(m, math_mul(m, y_size, math_real(m, 0.5)));
    Scalar *negative = math_compare(m, SCALAR_LT, x[0], zero);
    Scalar *finite = math_compare(m, SCALAR_LT, base, math_real(m, (double)INFINITY));
    Scalar *wrong = math_both(m, math_both(m, negative, finite),
                              math_compare(m, SCALAR_EQ, math_choose(m, whole, one, zero), zero));
    result = math_choose(m, wrong, math_real(m, (double)NAN), result);
    Scalar *odd_sign = math_choose(m, even, zero, math_choose(m, whole, x[0], zero));
    result = math_flip_sign(m, result, odd_sign);
    // Whatever the other operand is.
    result = math_choose(m, math_compare(m, SCALAR_EQ, y, zero), one, result);
    return math_choose(m, math_compare(m, SCALAR_EQ, x[0], one), one, result);
}

// In f64 to about 35 bits, for f32: 2^(y log2|x|), and the sign.
Scalar *math_pow_f32(Math *m, Scalar *const *x) {
    Scalar *base = math_abs(m, x[0]);
    Scalar *log = math_mul(m, math_log(m, &base), math_real(m, 0x1.71547652b82fep0));
    Scalar *power = power_of(m, base, x[1], log);
    return power_with_sign(m, x, base, math_exp2(m, &power));
}

// ---- f64: numbers as a part of 26 bits, whose products are exact, and what that lacks

typedef struct Parts {
    Scalar *high, *low;
} Parts;

enum { HALF_BITS = 27 };

static Scalar *first_half(Math *m, Scalar *x) {
    return math_without_low_bits(m, x, HALF_BITS);
}

// x + y, where y is the smaller.
static Parts halve_sum(Math *m, Scalar *x, Scalar *y) {
    Parts parts = {.high = first_half(m, math_add(m, x, y))};
    parts.low = math_sub(m, y, math_sub(m, parts.high, x));
    return parts;
}

// 2 / (3 log(2)) and log(2)
static const double third_high = 0x1.ec709ep-1, third_low = -0x1.e2fe0145b01f5p-28,
                    third = 0x1.ec709dc3a03fdp-1;
static const double ln2_high = 0x1.62e43p-1, ln2_low = -0x1.05c610ca86c39p-29,
                    ln2 = 0x1.62e42fefa39efp-1;

// s = f / (2 + f)
static Parts ratio_of(Math *m, Scalar *f) {
    Scalar *two = math_real(m, 2);
    Scalar *inverse = math_div(m, math_real(m, 1), math_add(m, two, f));
    Parts s = {.high = first_half(m, math_mul(m, f, inverse))};
    Parts divisor = halve_sum(m, two, f);
    Scalar *rest = math_sub(m, f, math_mul(m, s.high, divisor.high));
    s.low = math_mul(m, math_sub(m, rest, math_mul(m, s.high, divisor.low)), inverse);
    return s;
}

// log2(x) for 0 < x < infinity, to about 65 bits: n + 2 / 3 / log(2) s (3 + s^2 + r(s^2)), where
// 1 + f is the mantissa and s = f / (2 + f).
static Parts precise_log2(Math *m, Scalar *x) {
    LogParts parts = math_split_logarithm(m, x);
    Parts s = ratio_of(m, parts.f);
    Scalar *square = math_mul(m, s.high, s.high);
    Scalar *ratio = math_add(m, s.high, s.low);
    Scalar *square_low = math_mul(m, s.low, math_add(m, s.high, ratio));
    Scalar *whole = math_add(m, square, square_low);
    Scalar *rest =
        math_mul(m, math_mul(m, whole, whole), math_polynomial(m, &math_precise_log, whole));
    rest = math_add(m, rest, square_low);
    Scalar *three = math_real(m, 3);
    Parts factor = {.high = first_half(m, math_add(m, three, math_add(m, square, rest)))};
    factor.low = math_sub(m, rest, math_sub(m, math_sub(m, factor.high, three), square));
    Scalar *low = math_fma(m, factor.low, ratio, math_mul(m, s.low, factor.high));
    Parts product = halve_sum(m, math_mul(m, s.high, factor.high), low);
    Scalar *of_log = math_mul(m, product.high, math_real(m, third_high));
    low = math_fma(m, product.high, math_real(m, third_low),
                   math_mul(m, product.low, math_real(m, third)));
    Parts log = {.high = first_half(m, math_add(m, parts.n, math_add(m, of_log, low)))};
    log.low = math_sub(m, low, math_sub(m, math_sub(m, log.high, parts.n), of_log));
    return log;
}

// 2^(high + low) for |high| < 2^11, where `low` is small.
static Scalar *precise_exp2(Math *m, Scalar *high, Scalar *low) {
    const Format *format = m->format;
    Scalar *rounder = math_real(m, format->rounder);
    Scalar *sum = math_add(m, math_add(m, high, low), rounder);
    Scalar *fraction = math_sub(m, high, math_sub(m, sum, rounder));
    Parts halves = halve_sum(m, fraction, low);
    Scalar *first = math_mul(m, halves.high, math_real(m, ln2_high));
    Scalar *second =
        math_fma(m, halves.high, math_real(m, ln2_low), math_mul(m, halves.low, math_real(m, ln2)));
    Scalar *rest = math_add(m, first, second);
    Scalar *lost = math_add(m, math_sub(m, first, rest), second);
    Scalar *part = math_add(m, math_exp_of_rest(m, rest), lost);
    Scalar *one = math_real(m, 1), *y = math_add(m, one, rest);
    part = math_add(m, math_add(m, math_sub(m, one, y), rest), part);
    return math_scale(m, math_add(m, y, part), sum);
}

Scalar *math_pow_f64(Math *m, Scalar *const *x) {
    Scalar *base = math_abs(m, x[0]), *y = x[1];
    Scalar *zero = math_real(m, 0), *infinity = math_real(m, (double)INFINITY);
    Parts log = precise_log2(m, base);
    Scalar *known = math_choose(m, math_compare(m, SCALAR_LT, base, infinity), log.high, base);
    known = math_choose(m, math_compare(m, SCALAR_EQ, base, zero), math_real(m, -(double)INFINITY),
                        known);
    Scalar *about = power_of(m, base, y, known);
    // The product with y in parts, where the result is a number and not extreme.
    Scalar *y_high = first_half(m, y);
    Scalar *high = math_mul(m, y_high, log.high);
    Scalar *low = math_fma(m, y, log.low, math_mul(m, math_sub(m, y, y_high), log.high));
    Scalar *usual = math_both(m, math_compare(m, SCALAR_LT, math_abs(m, about), math_real(m, 1100)),
                              math_compare(m, SCALAR_LT, math_abs(m, y), infinity));
    Scalar *bounded = math_at_most(m, math_at_least(m, about, -1100), 1100);
    high = math_choose(m, usual, high, bounded);
    low = math_choose(m, usual, low, zero);
    return power_with_sign(m, x, base, precise_exp2(m, high, low));
}
