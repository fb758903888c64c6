// Angles less whole quarter turns, for the trigonometric functions: vector_math.h.
//
// Angles that are not large lose a multiple of pi / 2 whose parts have few bits, so that products
// with them are exact. Large ones are multiplied by 1 / (2 pi), of which only the bits matter that
// are neither whole turns nor too small: for f32 whole turns are left out of the product with each
// part of it, for f64 the product is one of integers.
#include "codegen/vector_math_steps.h"

static const double half_turns = 0x1.45f306dc9c883p-1; // 2 / pi
// From here on angles are large: the quarter turns must have 20 bits.
static const double large_angle = 0x1p20;

// ---- f32, in f64

// pi / 2 in 33 bits and the rest.
static const double quarter_f32[] = {0x1.921fb544p0, 0x1.0b4611a626331p-34};
// 1 / (2 pi) in parts of 28 bits: the product of a part and an f32 is exact.
static const double turns[] = {0x1.45f306cp-3,   0x1.c9c882ap-31, 0x1.4fe13a8p-61, 0x1.f47d4dp-88,
                               0x1.bb81b6cp-115, 0x1.4acc9ep-145, 0x1.0e4107cp-172};
enum { TURNS = sizeof turns / sizeof *turns };

static Scalar *quarters_of(Math *m, Scalar *x) {
    return math_fma(m, x, math_real(m, half_turns), math_real(m, m->format->rounder));
}

static Angle usual_angle_f32(Math *m, Scalar *x) {
    Angle angle = {.quarters = quarters_of(m, x)};
    Scalar *n = math_sub(m, angle.quarters, math_real(m, m->format->rounder));
    Scalar *rest = math_fma(m, n, math_real(m, -quarter_f32[0]), x);
    angle.rest = math_fma(m, n, math_real(m, -quarter_f32[1]), rest);
    return angle;
}

// Each product with a part loses its whole turns, which is exact, also where it is so large that
// all of it is whole. The sum starts with the quarter turns taken away, so that what cancels does
// so before anything is rounded.
static Angle any_angle_f32(Math *m, Scalar *x) {
    const Format *format = m->format;
    Scalar *rests[TURNS];
    Scalar *rounder = math_real(m, format->rounder);
    for (int i = 0; i < TURNS; i++) {
        Scalar *part = math_real(m, turns[i]);
        Scalar *whole = math_sub(m, math_fma(m, x, part, rounder), rounder);
        rests[i] = math_sub(m, math_mul(m, x, part), whole);
    }
    Scalar *about = rests[TURNS - 1];
    for (int i = TURNS - 2; i >= 0; i--)
        about = math_add(m, about, rests[i]);
    Angle angle = {.quarters = math_fma(m, about, math_real(m, 4), rounder)};
    Scalar *quarters = math_mul(m, math_sub(m, angle.quarters, rounder), math_real(m, 0.25));
    Scalar *rest = math_sub(m, rests[0], quarters);
    for (int i = 1; i < TURNS; i++)
        rest = math_add(m, rest, rests[i]);
    angle.rest = math_mul(m, rest, math_real(m, 4 * half_pi));
    return angle;
}

// ---- f64

// pi / 2 in parts of 33 bits and the rest.
static const double quarter_f64[] = {0x1.921fb544p0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69,
                                     0x1.b839a252049c1p-104};
// 2 pi in parts of 26 bits and the rest.
static const double turn[] = {0x1.921fb5p2, 0x1.110b46p-24, 0x1.1a62633145c07p-52};
// The bits of 1 / (2 pi), from 64 places before the point on.
static const uint64_t turn_words[] = {
    0,
    0x28be60db9391054a,
    0x7f09d5f47d4d3770,
    0x36d8a5664f10e410,
    0x7f9458eaf7aef158,
    0x6dc91b8e909374b8,
    0x01924bba82746487,
    0x3f877ac72c4a69cf,
    0xba208d7d4baed121,
    0x3a671c09ad17df90,
    0x4e64758e60d4ce7d,
    0x272117e2ef7e4a0e,
    0xc7fe25fff7816603,
    0xfbcbc462d6829b47,
    0xdb4d9fb3c9f2c26d,
    0xd3d18fd9a797fa8b,
    0x5d49eeb1faf97c5e,
    0xcf41ce7de294a4ba,
    0x9afed7ec47e35742,
    0x1580cc11bf1edaea,
};
enum {
    WORDS = sizeof turn_words / sizeof *turn_words,
    CHOSEN_WORDS = 4,
    LARGEST_CHOICE = 16, // of the first of them
    LIMB_BITS = 27,
    LIMBS = 7,
};

// x - y as rounded, and what that lost.
static Scalar *subtract_exactly(Math *m, Scalar *x, Scalar *y, Scalar **lost) {
    Scalar *difference = math_sub(m, x, y);
    Scalar *of_y = math_sub(m, x, difference);
    Scalar *of_x = math_add(m, difference, of_y);
    *lost = math_sub(m, math_sub(m, x, of_x), math_sub(m, y, of_y));
    return difference;
}

// The same for one number: what rounding takes is found in fewer steps. Where the second part is
// the larger one, the difference is exact, as both are multiples of 2^-67 and small.
static Angle usual_angle_alone(Math *m, Scalar *size) {
    static const double third = 0x1.3198a2e037073p-69;
    Angle angle = {.quarters = quarters_of(m, size)};
    Scalar *n = math_sub(m, angle.quarters, math_real(m, m->format->rounder));
    Scalar *rest = math_fma(m, n, math_real(m, -quarter_f64[0]), size);
    Scalar *part = math_mul(m, n, math_real(m, quarter_f64[1])), *whole = rest;
    rest = math_sub(m, whole, part);
    Scalar *lost = math_sub(m, math_sub(m, whole, rest), part);
    Scalar *low = math_fma(m, n, math_real(m, -third), lost);
    angle.rest = math_add(m, rest, low);
    angle.low = math_add(m, math_sub(m, rest, angle.rest), low);
    return angle;
}

static Angle usual_angle_f64(Math *m, Scalar *size) {
    if (m->abilities.alone)
        return usual_angle_alone(m, size);
    Angle angle = {.quarters = quarters_of(m, size)};
    Scalar *n = math_sub(m, angle.quarters, math_real(m, m->format->rounder));
    Scalar *rest = math_fma(m, n, math_real(m, -quarter_f64[0]), size);
    Scalar *lost, *lost_again;
    rest = subtract_exactly(m, rest, math_mul(m, n, math_real(m, quarter_f64[1])), &lost);
    rest = subtract_exactly(m, rest, math_mul(m, n, math_real(m, quarter_f64[2])), &lost_again);
    Scalar *low = math_fma(m, n, math_real(m, -quarter_f64[3]), math_add(m, lost, lost_again));
    angle.rest = math_add(m, rest, low);
    angle.low = math_add(m, math_sub(m, rest, angle.rest), low);
    return angle;
}

// Three words of 1 / (2 pi) from a bit on. The first of four words is found by halving: the table
// moves by 16 words if the place has that bit, then by 8, ...
static void choose_words(Math *m, Scalar *place, Scalar **words) {
    Scalar *table[WORDS];
    for (int i = 0; i < WORDS; i++)
        table[i] = math_integer(m, (int64_t)turn_words[i]);
    int bit = 10, left = LARGEST_CHOICE;
    for (int step = LARGEST_CHOICE; step > 0; step /= 2, bit--) {
        Scalar *has = math_low_bits(m, math_shift_right(m, place, bit), 1);
        Scalar *mask = math_sub(m, math_integer(m, 0), has);
        left = left >= step ? step - 1 : left;
        for (int i = 0; i < left + CHOSEN_WORDS && i + step < WORDS; i++) {
            bool constant = step == LARGEST_CHOICE;
            Scalar *change = constant
                                 ? math_integer(m, (int64_t)(turn_words[i] ^ turn_words[i + step]))
                                 : math_binary(m, SCALAR_XOR, table[i], table[i + step]);
            table[i] =
                math_binary(m, SCALAR_XOR, table[i], math_binary(m, SCALAR_AND, change, mask));
        }
    }
    Scalar *shift = math_low_bits(m, place, 6);
    Scalar *other = math_sub(m, math_integer(m, 63), shift);
    for (int i = 0; i < CHOSEN_WORDS - 1; i++) {
        Scalar *high = math_binary(m, SCALAR_SHIFT_LEFT, table[i], shift);
        Scalar *low = math_shift_right(m, table[i + 1], 1);
        low = math_binary(m, SCALAR_SHIFT_LOGICAL, low, other);
        words[i] = math_binary(m, SCALAR_OR, high, low);
    }
}

// The first 189 bits of three words, highest first.
static void split_words(Math *m, Scalar *const *words, Scalar **limbs) {
    for (int i = 0; i < LIMBS; i++) {
        int first = i * LIMB_BITS, word = first / 64;
        int after = 64 - (first % 64 + LIMB_BITS); // bits of the word behind the limb
        if (after >= 0) {
            limbs[i] = math_low_bits(m, math_shift_right(m, words[word], after), LIMB_BITS);
            continue;
        }
        Scalar *high = math_low_bits(m, math_shift_left(m, words[word], -after), LIMB_BITS);
        limbs[i] =
            math_binary(m, SCALAR_OR, high, math_shift_right(m, words[word + 1], 64 + after));
    }
}

// An integer below 2^51, of either sign, as a real.
static Scalar *to_real(Math *m, Scalar *integer) {
    int64_t bits = math_bits(m, m->format->rounder);
    Scalar *sum = math_from_bits(m, math_add(m, integer, math_integer(m, bits)));
    return math_sub(m, sum, math_real(m, m->format->rounder));
}

Angle math_angle_of_turns(Math *m, Scalar *high, Scalar *low) {
    Scalar *few = math_without_low_bits(m, high, 27), *rest = math_sub(m, high, few);
    Scalar *product = math_mul(m, few, math_real(m, turn[0])); // exact
    Scalar *small = math_mul(m, high, math_real(m, turn[2]));
    small = low ? math_fma(m, low, math_real(m, turn[0]), small) : small;
    small = math_fma(m, rest, math_real(m, turn[1]), small);
    small = math_fma(m, few, math_real(m, turn[1]), small);
    small = math_fma(m, rest, math_real(m, turn[0]), small);
    Angle angle = {.rest = math_add(m, product, small)};
    angle.low = math_add(m, math_sub(m, product, angle.rest), small);
    return angle;
}

// limbs[0] 2^-27 + limbs[1] 2^-54 + ... of a turn, the first of either sign.
static Angle angle_of_limbs(Math *m, Scalar *const *limbs) {
    Scalar *first =
        to_real(m, math_add(m, math_shift_left(m, limbs[0], 25), math_shift_right(m, limbs[1], 2)));
    Scalar *second =
        math_add(m, math_shift_left(m, math_low_bits(m, limbs[1], 2), 27 + 22),
                 math_add(m, math_shift_left(m, limbs[2], 22), math_shift_right(m, limbs[3], 5)));
    second = to_real(m, second);
    Scalar *third =
        math_add(m, math_shift_left(m, math_low_bits(m, limbs[3], 5), LIMB_BITS), limbs[4]);
    third = math_mul(m, to_real(m, third), math_real(m, 0x1p-135));
    Scalar *low = math_fma(m, second, math_real(m, 0x1p-103), third);
    first = math_mul(m, first, math_real(m, 0x1p-52));
    Scalar *high = math_add(m, first, low);
    low = math_add(m, math_sub(m, first, high), low);
    return math_angle_of_turns(m, high, low);
}

// The mantissa, in two limbs, times 1 / (2 pi) from the bit on whose product is below a turn.
static Angle large_angle_f64(Math *m, Scalar *size) {
    Scalar *bits = math_to_bits(m, size);
    Scalar *place = math_sub(m, math_shift_right(m, bits, 52), math_integer(m, 1023 + 52 - 64));
    Scalar *words[CHOSEN_WORDS - 1], *limbs[LIMBS], *sums[LIMBS];
    choose_words(m, place, words);
    split_words(m, words, limbs);
    Scalar *mantissa =
        math_binary(m, SCALAR_OR, math_low_bits(m, bits, 52), math_integer(m, INT64_C(1) << 52));
    Scalar *high = math_shift_right(m, mantissa, LIMB_BITS),
           *low = math_low_bits(m, mantissa, LIMB_BITS);
    // The product of the last limbs is too small to matter.
    for (int i = 0; i < LIMBS - 1; i++)
        sums[i] = math_add(m, math_mul(m, low, limbs[i]), math_mul(m, high, limbs[i + 1]));
    for (int i = LIMBS - 2; i > 0; i--) {
        sums[i - 1] = math_add(m, sums[i - 1], math_shift_right(m, sums[i], LIMB_BITS));
        sums[i] = math_low_bits(m, sums[i], LIMB_BITS);
    }
    sums[0] = math_low_bits(m, sums[0], LIMB_BITS);
    // A quarter is 2^25 in the first limb.
    Scalar *quarters = math_shift_right(m, math_add(m, sums[0], math_integer(m, 1 << 24)), 25);
    sums[0] = math_sub(m, sums[0], math_shift_left(m, quarters, 25));
    Angle angle = angle_of_limbs(m, sums);
    // NaN where the angle is infinite.
    angle.rest = math_add(m, angle.rest, math_sub(m, size, size));
    int64_t rounder = math_bits(m, m->format->rounder);
    angle.quarters = math_from_bits(m, math_add(m, quarters, math_integer(m, rounder)));
    return angle;
}

// ---- both

static Angle choose_angle(Math *m, Scalar *condition, Angle x, Angle y) {
    return (Angle){.quarters = math_choose(m, condition, x.quarters, y.quarters),
                   .rest = math_choose(m, condition, x.rest, y.rest),
                   .low = x.low ? math_choose(m, condition, x.low, y.low) : NULL};
}

// Of an f32, in f64; of one number at a time with its sign.
static Angle split_angle_f32(Math *m, Scalar *size) {
    if (!m->abilities.branch)
        return any_angle_f32(m, size);
    Angle usual = usual_angle_f32(m, size);
    Scalar *without_sign = m->abilities.alone ? math_abs(m, size) : size;
    Scalar *is_large = math_compare(m, SCALAR_GT, without_sign, math_real(m, large_angle));
    math_begin_rare(m, is_large);
    Angle large = any_angle_f32(m, size);
    math_end_rare(m);
    return choose_angle(m, is_large, large, usual);
}

static Angle split_angle_f64(Math *m, Scalar *size) {
    Angle usual = usual_angle_f64(m, size);
    Scalar *is_large = math_compare(m, SCALAR_GT, size, math_real(m, large_angle));
    if (m->abilities.branch)
        math_begin_rare(m, is_large);
    Angle large = large_angle_f64(m, size);
    if (m->abilities.branch)
        math_end_rare(m);
    return choose_angle(m, is_large, large, usual);
}

bool math_angle_has_sign(const Math *m) {
    return m->abilities.alone && m->format != &math_f64;
}

Angle math_split_angle(Math *m, Scalar *x) {
    Scalar *size = math_angle_has_sign(m) ? x : math_abs(m, x);
    return m->format == &math_f64 ? split_angle_f64(m, size) : split_angle_f32(m, size);
}
