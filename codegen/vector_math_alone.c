// Functions of one number at a time, for programs whose loops are no vectors: what counts is how
// long one step waits for another. Tables take the place of long polynomials, f32 is computed in
// f64, where nothing is extreme and little has to be kept of what rounding takes, and what is
// special lies behind a branch: vector_math.h.
#include "codegen/vector_math_alone.h"

#include <math.h>

static const double ln2 = 0x1.62e42fefa39efp-1;

static const MathTable tables[MATH_TABLES] = {
    [TABLE_POWERS_16] = {"powers_of_two_16", TYPE_F64, sizeof powers_16 / 8, powers_16},
    [TABLE_POWERS_32] = {"powers_of_two_32", TYPE_I64, sizeof powers_32 / 8, powers_32},
    [TABLE_POWERS_128] = {"powers_of_two_128", TYPE_I64, sizeof powers_128 / 8, powers_128},
    [TABLE_TAILS_128] = {"power_tails_128", TYPE_F64, sizeof tails_128 / 8, tails_128},
    [TABLE_LOGARITHMS_32] = {"logarithms_32", TYPE_F64, sizeof logarithms_32 / 8, logarithms_32},
    [TABLE_LOGARITHMS_128] = {"logarithms_128", TYPE_F64, sizeof logarithms_128 / 8,
                              logarithms_128},
};

const MathTable *math_table(int64_t index) {
    return &tables[index];
}

// Whether |x| is larger, infinite or NaN.
static Scalar *is_beyond(Math *m, Scalar *x, double limit) {
    return math_compare(m, SCALAR_GT, math_to_bits(m, math_abs(m, x)),
                        math_integer(m, math_bits(m, limit)));
}

// ---- exponentials

// exp(x) = (1 + part) * scale
typedef struct Power {
    Scalar *bits, *scale, *part; // bits: of the scale
} Power;

// The number 2^(n / 2^log_count), n being the integer whose sum with the rounder is given.
static void set_scale(Math *m, Power *power, Scalar *sum, int table, int log_count) {
    Scalar *n = math_to_bits(m, sum);
    Scalar *of_rest = math_look_up(m, table, math_low_bits(m, n, log_count));
    Scalar *exponent = math_shift_left(m, n, m->format->mantissa_bits - log_count);
    power->bits = math_add(m, of_rest, exponent);
    power->scale = math_from_bits(m, power->bits);
}

// exp(factor x) to 33 bits: x = (n + rest) log(2) / 32.
static Power power_f32(Math *m, Scalar *x, double factor) {
    Scalar *rounder = math_real(m, m->format->rounder);
    Scalar *parts = math_real(m, factor * 32 / ln2);
    Scalar *sum = math_fma(m, x, parts, rounder);
    Scalar *rest = math_fma(m, x, parts, math_sub(m, rounder, sum));
    Power power;
    set_scale(m, &power, sum, TABLE_POWERS_32, 5);
    const double *c = exp_of_32nd.at;
    Scalar *high = math_fma(m, rest, math_real(m, c[2]), math_real(m, c[1]));
    power.part = math_fma(m, math_mul(m, rest, rest), high, math_mul(m, rest, math_real(m, c[0])));
    return power;
}

// exp(x + low), or exp(-x) if the sign is -1: x = n log(2) / 128 + rest; `low` may be NULL.
static Power power_f64(Math *m, Scalar *x, double sign, Scalar *low) {
    Scalar *rounder = math_real(m, m->format->rounder);
    Scalar *sum = math_fma(m, x, math_real(m, sign * 128 / ln2), rounder);
    Scalar *n = math_sub(m, sum, rounder);
    // n has 18 bits, the high part of log(2) 35.
    static const double ln2_high = 0x1.62e42fefp-1, ln2_low = 0x1.473de6af278edp-34;
    Scalar *rest = math_fma(m, n, math_real(m, -sign * ln2_high / 128), x);
    rest = math_fma(m, n, math_real(m, -sign * ln2_low / 128), rest);
    rest = low ? math_add(m, rest, low) : rest;
    if (sign < 0)
        rest = math_sub(m, math_real(m, 0), rest);
    Power power;
    set_scale(m, &power, sum, TABLE_POWERS_128, 7);
    Scalar *tail = math_look_up(m, TABLE_TAILS_128, math_low_bits(m, math_to_bits(m, sum), 7));
    power.part = math_fma(m, math_mul(m, rest, rest), math_polynomial(m, &exp_of_128th, rest),
                          math_add(m, rest, tail));
    return power;
}

static Scalar *power_value(Math *m, const Power *power) {
    return math_fma(m, power->scale, power->part, power->scale);
}

// exp(x) - 1
static Scalar *power_less_one(Math *m, const Power *power) {
    return math_fma(m, power->scale, power->part, math_sub(m, power->scale, math_real(m, 1)));
}

// exp(x) + 1
static Scalar *power_and_one(Math *m, const Power *power) {
    return math_fma(m, power->scale, power->part, math_add(m, power->scale, math_real(m, 1)));
}

// The same, rounded once: twice shows where the sum lies just above a power of two, and its inverse
// just below one. What the first sum loses is known before the part is.
static Scalar *precise_power_and_one(Math *m, const Power *power) {
    Scalar *one = math_real(m, 1), *sum = math_add(m, one, power->scale);
    Scalar *of_scale = math_sub(m, sum, one), *of_one = math_sub(m, sum, of_scale);
    Scalar *lost = math_add(m, math_sub(m, one, of_one), math_sub(m, power->scale, of_scale));
    return math_add(m, sum, math_fma(m, power->scale, power->part, lost));
}

// Beyond this exp of an f32 is 0 or infinite.
static const double extreme_f32 = 150;

// x < 0 ? low : x > 0 ? high : x, which is NaN
static Scalar *by_sign(Math *m, Scalar *x, double low, double high) {
    Scalar *zero = math_real(m, 0);
    Scalar *y = math_choose(m, math_compare(m, SCALAR_GT, x, zero), math_real(m, high), x);
    return math_choose(m, math_compare(m, SCALAR_LT, x, zero), math_real(m, low), y);
}

// y, but beyond the limit what by_sign gives.
static Scalar *unless_extreme(Math *m, Scalar *x, double limit, Scalar *y, double low,
                              double high) {
    Scalar *extreme = is_beyond(m, x, limit);
    math_begin_rare(m, extreme);
    Scalar *special = by_sign(m, x, low, high);
    math_end_rare(m);
    return math_choose(m, extreme, special, y);
}

Scalar *math_exp_alone_f32(Math *m, Scalar *const *x) {
    Power power = power_f32(m, x[0], 1);
    return unless_extreme(m, x[0], extreme_f32, power_value(m, &power), 0, (double)INFINITY);
}

Scalar *math_sigmoid_alone_f32(Math *m, Scalar *const *x) {
    Power power = power_f32(m, x[0], -1);
    Scalar *y = math_div(m, math_real(m, 1), power_and_one(m, &power));
    return unless_extreme(m, x[0], extreme_f32, y, 0, 1);
}

// The signs are for -0.
Scalar *math_expm1_alone_f32(Math *m, Scalar *const *x) {
    Power power = power_f32(m, x[0], 1);
    Scalar *y = math_binary(m, SCALAR_COPYSIGN, power_less_one(m, &power), x[0]);
    return unless_extreme(m, x[0], extreme_f32, y, -1, (double)INFINITY);
}

// u / (u + 2), u = exp(2 x) - 1
Scalar *math_tanh_alone_f32(Math *m, Scalar *const *x) {
    Power power = power_f32(m, x[0], 2);
    Scalar *y = math_div(m, power_less_one(m, &power), power_and_one(m, &power));
    y = math_binary(m, SCALAR_COPYSIGN, y, x[0]);
    return unless_extreme(m, x[0], extreme_f32 / 2, y, -1, 1);
}

// Up to here exp and its inverse are normal numbers.
static const double usual_f64 = 708;
// From here on they are 0 or infinite.
static const double extreme_f64 = 760;

enum { SMALL_EXPONENT = 1009, LARGE_EXPONENT = 1022 };

// exp(x) / factor, which is a normal number up to the extreme ones: the exponent, which may have
// run over, is moved by that of the factor, 2^1009 where x > 0, else 2^-1022.
static Scalar *moved_power(Math *m, const Power *power, Scalar *x, Scalar **factor) {
    Scalar *negative = math_shift_right(m, math_to_bits(m, x), 63);
    int64_t unit = (int64_t)1 << m->format->mantissa_bits;
    Scalar *change =
        math_mul(m, negative, math_integer(m, (SMALL_EXPONENT + LARGE_EXPONENT) * unit));
    Scalar *bits =
        math_add(m, power->bits, math_sub(m, change, math_integer(m, SMALL_EXPONENT * unit)));
    Power moved = {.scale = math_from_bits(m, bits), .part = power->part};
    Scalar *is_negative = math_compare(m, SCALAR_LT, x, math_real(m, 0));
    *factor = math_choose(m, is_negative, math_real(m, 0x1p-1022), math_real(m, 0x1p1009));
    return power_value(m, &moved);
}

Scalar *math_exp_alone_f64(Math *m, Scalar *const *x) {
    Power power = power_f64(m, x[0], 1, NULL);
    Scalar *y = power_value(m, &power);
    Scalar *extreme = is_beyond(m, x[0], usual_f64);
    math_begin_rare(m, extreme);
    Scalar *factor, *special = moved_power(m, &power, x[0], &factor);
    special = math_mul(m, special, factor);
    Scalar *beyond = is_beyond(m, x[0], extreme_f64);
    special = math_choose(m, beyond, by_sign(m, x[0], 0, (double)INFINITY), special);
    math_end_rare(m);
    return math_choose(m, extreme, special, y);
}

// 1 / (1 + exp(-x)), and where exp(-x) is so large that its inverse is no normal number, this
// inverse.
Scalar *math_sigmoid_alone_f64(Math *m, Scalar *const *x) {
    Power power = power_f64(m, x[0], -1, NULL);
    Scalar *one = math_real(m, 1);
    Scalar *y = math_div(m, one, precise_power_and_one(m, &power));
    Scalar *extreme = is_beyond(m, x[0], usual_f64);
    math_begin_rare(m, extreme);
    int64_t change = (int64_t)LARGE_EXPONENT << m->format->mantissa_bits;
    Power moved = {.scale = math_from_bits(m, math_sub(m, power.bits, math_integer(m, change))),
                   .part = power.part};
    Scalar *special = math_div(m, one, power_value(m, &moved));
    special = math_mul(m, special, math_real(m, 0x1p-1022));
    Scalar *positive = math_compare(m, SCALAR_GT, x[0], math_real(m, 0));
    special = math_choose(m, positive, one, special);
    Scalar *beyond = is_beyond(m, x[0], extreme_f64);
    special = math_choose(m, beyond, by_sign(m, x[0], 0, 1), special);
    math_end_rare(m);
    return math_choose(m, extreme, special, y);
}

// ---- logarithms

// A positive number is 2^n z; place: of the interval of z, times the numbers in a row of the table.
typedef struct Place {
    Scalar *n, *z, *row;
} Place;

// excess: the rounder, the bias, and by what power of two the number has grown.
static Place place_of(Math *m, Scalar *x, int64_t first, int log_count, int log_row,
                      Scalar *excess) {
    const Format *format = m->format;
    int64_t unit = (int64_t)1 << format->mantissa_bits;
    Scalar *moved = math_sub(m, math_to_bits(m, x), math_integer(m, first - format->bias * unit));
    Scalar *biased = math_shift_right(m, moved, format->mantissa_bits);
    Place place;
    Scalar *sum =
        math_from_bits(m, math_add(m, biased, math_integer(m, math_bits(m, format->rounder))));
    place.n = math_sub(m, sum, excess);
    place.z = math_from_bits(
        m, math_add(m, math_low_bits(m, moved, format->mantissa_bits), math_integer(m, first)));
    Scalar *interval = math_shift_right(m, moved, format->mantissa_bits - log_count - log_row);
    int64_t mask = ((INT64_C(1) << log_count) - 1) << log_row;
    place.row = math_binary(m, SCALAR_AND, interval, math_integer(m, mask));
    return place;
}

static Scalar *table_entry(Math *m, int table, const Place *place, int column) {
    return math_look_up(m, table, math_add(m, place->row, math_integer(m, column)));
}

// Whether x is no positive normal number: its biased exponent and sign, less 1, are 2046 or more.
static Scalar *is_unusual(Math *m, Scalar *x) {
    int64_t unit = (int64_t)1 << m->format->mantissa_bits;
    Scalar *exponent = math_shift_right(m, math_sub(m, math_to_bits(m, x), math_integer(m, unit)),
                                        m->format->mantissa_bits);
    return math_compare(m, SCALAR_GT, exponent, math_integer(m, 2 * m->format->bias - 1));
}

// The logarithm of 0, of infinity, or NaN.
static Scalar *log_of_special(Math *m, Scalar *x) {
    Scalar *zero = math_real(m, 0);
    Scalar *y = math_choose(m, math_compare(m, SCALAR_GT, x, zero), x, math_real(m, (double)NAN));
    return math_choose(m, math_compare(m, SCALAR_EQ, x, zero), math_real(m, -(double)INFINITY), y);
}

// y where x is a normal positive number.
static Scalar *unless_special(Math *m, Scalar *x, Scalar *y) {
    Scalar *unusual = is_unusual(m, x);
    math_begin_rare(m, unusual);
    Scalar *special = log_of_special(m, x);
    math_end_rare(m);
    return math_choose(m, unusual, special, y);
}

static Scalar *usual_excess(Math *m) {
    return math_real(m, m->format->rounder + m->format->bias);
}

// log(x + lost) for a positive normal number to the bits of the polynomial; `lost` may be NULL.
static Scalar *log_f32(Math *m, Scalar *x, Scalar *lost, const Polynomial *polynomial) {
    Place place = place_of(m, x, logarithms_32_first, 5, 1, usual_excess(m));
    Scalar *inverse = table_entry(m, TABLE_LOGARITHMS_32, &place, 0);
    Scalar *r = math_fma(m, place.z, inverse, math_real(m, -1));
    r = lost ? math_add(m, r, lost) : r;
    Scalar *base =
        math_fma(m, place.n, math_real(m, ln2), table_entry(m, TABLE_LOGARITHMS_32, &place, 1));
    Scalar *rest = math_polynomial(m, polynomial, r);
    return math_fma(m, math_mul(m, r, r), rest, math_add(m, base, r));
}

Scalar *math_log_alone_f32(Math *m, Scalar *const *x) {
    return unless_special(m, x[0], log_f32(m, x[0], NULL, &log_of_32nd));
}

// What rounding takes from 1 + x counts only where x is very small. If x is very large, it is
// something that must not count. The sign is for -0.
Scalar *math_log1p_alone_f32(Math *m, Scalar *const *x) {
    Scalar *one = math_real(m, 1), *u = math_add(m, one, x[0]);
    Scalar *lost = math_sub(m, x[0], math_sub(m, u, one));
    Scalar *y = log_f32(m, u, math_at_most(m, lost, 0x1p-52), &log_of_32nd);
    return unless_special(m, u, math_binary(m, SCALAR_COPYSIGN, y, x[0]));
}

// log(x) + more, for the parts of x.
static Scalar *log_f64(Math *m, const Place *place, Scalar *more) {
    const Format *format = m->format;
    Scalar *f = math_sub(m, place->z, table_entry(m, TABLE_LOGARITHMS_128, place, 1)); // exact
    Scalar *r = math_mul(m, f, table_entry(m, TABLE_LOGARITHMS_128, place, 0));
    // Exact, as both parts have few bits.
    Scalar *base = math_fma(m, place->n, math_real(m, format->ln2_high),
                            table_entry(m, TABLE_LOGARITHMS_128, place, 2));
    Scalar *low = math_fma(m, place->n, math_real(m, format->ln2_low),
                           table_entry(m, TABLE_LOGARITHMS_128, place, 3));
    low = math_add(m, low, more);
    Scalar *high = math_add(m, base, r);
    Scalar *lost = math_add(m, math_sub(m, base, high), r);
    Scalar *rest = math_polynomial(m, &log_of_128th, r);
    rest = math_fma(m, math_mul(m, r, r), rest, math_add(m, lost, low));
    return math_add(m, high, rest);
}

// Numbers below the normal ones grow; what is no positive number gets its logarithm by a sum: that
// of its mantissa, whatever that is, is finite.
Scalar *math_log_alone_f64(Math *m, Scalar *const *x) {
    const Format *format = m->format;
    Scalar *zero = math_real(m, 0), *unusual = is_unusual(m, x[0]);
    math_begin_rare(m, unusual);
    Scalar *grown = math_mul(m, x[0], math_real(m, ldexp(1, format->rescale)));
    Scalar *positive = math_both(m, math_compare(m, SCALAR_GT, x[0], zero),
                                 math_compare(m, SCALAR_LT, x[0], math_real(m, (double)INFINITY)));
    Scalar *special = math_choose(m, positive, zero, log_of_special(m, x[0]));
    math_end_rare(m);
    Scalar *number = math_choose(m, unusual, grown, x[0]);
    Scalar *excess =
        math_choose(m, unusual, math_real(m, format->rounder + format->bias + format->rescale),
                    usual_excess(m));
    Scalar *more = math_choose(m, unusual, special, zero);
    Place place = place_of(m, number, logarithms_128_first, 7, 2, excess);
    return log_f64(m, &place, more);
}

Scalar *math_log1p_alone_f64(Math *m, Scalar *const *x) {
    Scalar *one = math_real(m, 1), *u = math_add(m, one, x[0]);
    Scalar *of_x = math_sub(m, u, one), *of_one = math_sub(m, u, of_x);
    Scalar *lost = math_add(m, math_sub(m, one, of_one), math_sub(m, x[0], of_x));
    Place place = place_of(m, u, logarithms_128_first, 7, 2, usual_excess(m));
    Scalar *y = log_f64(m, &place, math_div(m, lost, u));
    // The sign is for -0.
    return unless_special(m, u, math_binary(m, SCALAR_COPYSIGN, y, x[0]));
}

// ---- powers: exp(y log(x)), if x is a positive normal number and the product not extreme; else as
// in loops of vectors

static Scalar *usual_power(Math *m, Scalar *const *x, Scalar *product, double limit, Scalar *y,
                           Scalar *(*power)(Math *m, Scalar *const *x)) {
    Scalar *unusual = math_binary(m, SCALAR_OR, is_unusual(m, x[0]), is_beyond(m, product, limit));
    math_begin_rare(m, unusual);
    Scalar *special = power(m, x);
    math_end_rare(m);
    return math_choose(m, unusual, special, y);
}

Scalar *math_pow_alone_f32(Math *m, Scalar *const *x) {
    Scalar *product = math_mul(m, x[1], log_f32(m, x[0], NULL, &log_of_32nd_precise));
    Power power = power_f32(m, product, 1);
    return usual_power(m, x, product, extreme_f32, power_value(m, &power), math_pow_f32);
}

enum { HALF_BITS = 27 };

typedef struct Sum {
    Scalar *high, *low;
} Sum;

// x + y as rounded and what that lost, |x| being larger, or 0.
static Sum sum_of(Math *m, Scalar *x, Scalar *y) {
    Sum sum = {.high = math_add(m, x, y)};
    sum.low = math_add(m, math_sub(m, x, sum.high), y);
    return sum;
}

// log(x) to about 64 bits: n log(2) + log(c) + log(1 + r + lost), where r has so few bits that its
// product with c is exact.
static Sum precise_log(Math *m, Scalar *x) {
    const Format *format = m->format;
    Place place = place_of(m, x, logarithms_128_first, 7, 2, usual_excess(m));
    Scalar *inverse = table_entry(m, TABLE_LOGARITHMS_128, &place, 0);
    Scalar *center = table_entry(m, TABLE_LOGARITHMS_128, &place, 1);
    Scalar *f = math_sub(m, place.z, center);
    Scalar *r = math_without_low_bits(m, math_mul(m, f, inverse), 10);
    Scalar *lost = math_mul(m, math_sub(m, f, math_mul(m, r, center)), inverse);
    // Divided by 1 + r.
    Scalar *slope = math_fma(m, r, math_sub(m, r, math_real(m, 1)), math_real(m, 1));
    Scalar *base = math_fma(m, place.n, math_real(m, format->ln2_high),
                            table_entry(m, TABLE_LOGARITHMS_128, &place, 2));
    Scalar *low = math_fma(m, place.n, math_real(m, format->ln2_low),
                           table_entry(m, TABLE_LOGARITHMS_128, &place, 3));
    low = math_fma(m, lost, slope, low);
    // The square of the first half is exact.
    Scalar *half = math_without_low_bits(m, r, HALF_BITS), *square = math_mul(m, half, half);
    Scalar *more = math_mul(m, math_sub(m, r, half), math_add(m, r, half));
    low = math_fma(m, more, math_real(m, -0.5), low);
    Sum first = sum_of(m, base, r);
    Sum second = sum_of(m, first.high, math_mul(m, square, math_real(m, -0.5)));
    low = math_add(m, low, math_add(m, first.low, second.low));
    square = math_add(m, square, more);
    Scalar *cubic = math_polynomial(m, &log_of_128th_precise, r);
    low = math_fma(m, math_mul(m, square, r), cubic, low);
    return sum_of(m, second.high, low);
}

Scalar *math_pow_alone_f64(Math *m, Scalar *const *x) {
    Sum log = precise_log(m, x[0]);
    Scalar *y = x[1];
    // The product of halves is exact.
    Scalar *y_high = math_without_low_bits(m, y, HALF_BITS);
    Scalar *log_high = math_without_low_bits(m, log.high, HALF_BITS);
    Scalar *log_low = math_add(m, math_sub(m, log.high, log_high), log.low);
    Scalar *product = math_mul(m, y_high, log_high);
    Scalar *low = math_fma(m, y, log_low, math_mul(m, math_sub(m, y, y_high), log_high));
    Power power = power_f64(m, product, 1, low);
    return usual_power(m, x, product, usual_f64 - 1, power_value(m, &power), math_pow_f64);
}
