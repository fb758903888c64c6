// Trigonometric functions, of angles that vector_math_angle.c has made small, and their inverses:
// vector_math.h.
#include <math.h>

#include "codegen/vector_math_steps.h"

// ---- sine, cosine, tangent

SineCosine math_sine_cosine(Math *m, const Angle *angle) {
    Scalar *x = angle->rest, *square = math_mul(m, x, x), *half = math_real(m, 0.5);
    Scalar *part = math_polynomial(m, &m->format->sine, square);
    Scalar *cube = math_mul(m, x, square);
    Scalar *of_cosine = math_polynomial(m, &m->format->cosine, square);
    Scalar *one = math_real(m, 1);
    if (angle->low == NULL) {
        Scalar *second = math_fma(m, square, math_real(m, -0.5), one);
        // As a product it keeps the sign of -0.
        Scalar *sine = math_angle_has_sign(m) ? math_mul(m, x, math_fma(m, square, part, one))
                                              : math_fma(m, cube, part, x);
        return (SineCosine){
            .sine = sine,
            .cosine = math_fma(m, math_mul(m, square, square), of_cosine, second),
        };
    }
    // The rest of the angle moves the sine by its product with the cosine, 1 - square / 2, and the
    // cosine by that with the sine.
    Scalar *halved = math_mul(m, square, half);
    Scalar *moved = math_sub(m, angle->low, math_mul(m, angle->low, halved));
    Scalar *high = math_sub(m, one, halved);
    Scalar *lost = math_sub(m, math_sub(m, one, high), halved);
    lost = math_sub(m, lost, math_mul(m, x, angle->low));
    Scalar *rest = math_fma(m, math_mul(m, square, square), of_cosine, lost);
    return (SineCosine){.sine = math_add(m, x, math_fma(m, cube, part, moved)),
                        .cosine = math_add(m, high, rest)};
}

static Scalar *is_odd(Math *m, Scalar *quadrant) {
    Scalar *lowest = math_low_bits(m, quadrant, 1);
    return math_compare(m, SCALAR_EQ, lowest, math_integer(m, 1));
}

// y, or -y in the second half of the turn.
static Scalar *sign_by_half(Math *m, Scalar *y, Scalar *quadrant) {
    Scalar *half = math_shift_right(m, quadrant, 1);
    Scalar *sign = math_shift_left(m, half, 63);
    return math_from_bits(m, math_binary(m, SCALAR_XOR, math_to_bits(m, y), sign));
}

Scalar *math_sin(Math *m, Scalar *const *x) {
    Angle angle = math_split_angle(m, x[0]);
    SineCosine both = math_sine_cosine(m, &angle);
    Scalar *quadrant = math_to_bits(m, angle.quarters);
    Scalar *y = math_choose(m, is_odd(m, quadrant), both.cosine, both.sine);
    y = sign_by_half(m, y, quadrant);
    return math_angle_has_sign(m) ? y : math_flip_sign(m, y, x[0]);
}

// The sine a quarter turn on.
Scalar *math_cos(Math *m, Scalar *const *x) {
    Angle angle = math_split_angle(m, x[0]);
    SineCosine both = math_sine_cosine(m, &angle);
    Scalar *quadrant = math_to_bits(m, angle.quarters);
    Scalar *y = math_choose(m, is_odd(m, quadrant), both.sine, both.cosine);
    return sign_by_half(m, y, math_add(m, quadrant, math_integer(m, 1)));
}

Scalar *math_tan(Math *m, Scalar *const *x) {
    Angle angle = math_split_angle(m, x[0]);
    SineCosine both = math_sine_cosine(m, &angle);
    Scalar *odd = is_odd(m, math_to_bits(m, angle.quarters));
    Scalar *negative = math_sub(m, math_real(m, 0), both.cosine);
    Scalar *y = math_div(m, math_choose(m, odd, negative, both.sine),
                         math_choose(m, odd, both.sine, both.cosine));
    return math_angle_has_sign(m) ? y : math_flip_sign(m, y, x[0]);
}

// ---- inverses

// The angle of a / b, both not negative, in 0 .. pi / 2: of a / b, of (a - b) / (a + b) beyond pi /
// 8, and of -b / a beyond 3 pi / 8.
static Scalar *angle_of_ratio(Math *m, Scalar *a, Scalar *b) {
    static const double low = 0.41421356237309503, high = 2.414213562373095;
    Scalar *zero = math_real(m, 0);
    Scalar *beyond = math_compare(m, SCALAR_GT, a, math_mul(m, b, math_real(m, low)));
    Scalar *far = math_compare(m, SCALAR_GT, a, math_mul(m, b, math_real(m, high)));
    Scalar *dividend =
        math_choose(m, far, math_sub(m, zero, b), math_choose(m, beyond, math_sub(m, a, b), a));
    Scalar *divisor = math_choose(m, far, a, math_choose(m, beyond, math_add(m, a, b), b));
    Scalar *t = math_div(m, dividend, divisor);
    Scalar *square = math_mul(m, t, t);
    Scalar *part =
        math_mul(m, math_mul(m, t, square), math_polynomial(m, &m->format->arc_tangent, square));
    Scalar *base_low = math_choose(m, far, math_real(m, half_pi_low),
                                   math_choose(m, beyond, math_real(m, half_pi_low / 2), zero));
    Scalar *base = math_choose(m, far, math_real(m, half_pi),
                               math_choose(m, beyond, math_real(m, half_pi / 2), zero));
    return math_add(m, base, math_add(m, t, math_add(m, part, base_low)));
}

Scalar *math_atan(Math *m, Scalar *const *x) {
    Scalar *angle = angle_of_ratio(m, math_abs(m, x[0]), math_real(m, 1));
    return math_binary(m, SCALAR_COPYSIGN, angle, x[0]);
}

// x[0] is the ordinate.
Scalar *math_atan2(Math *m, Scalar *const *x) {
    Scalar *infinity = math_real(m, (double)INFINITY);
    Scalar *zero = math_real(m, 0), *one = math_real(m, 1);
    Scalar *a = math_abs(m, x[0]), *b = math_abs(m, x[1]);
    // Two infinities are as good as two ones, and 0 / 0 as 0 / 1.
    Scalar *infinite = math_both(m, math_compare(m, SCALAR_EQ, a, infinity),
                                 math_compare(m, SCALAR_EQ, b, infinity));
    Scalar *origin =
        math_both(m, math_compare(m, SCALAR_EQ, a, zero), math_compare(m, SCALAR_EQ, b, zero));
    Scalar *sum = math_add(m, a, b);
    Scalar *huge = math_compare(m, SCALAR_GT, sum, math_real(m, 0x1p1000));
    Scalar *tiny = math_compare(m, SCALAR_LT, sum, math_real(m, 0x1p-900));
    Scalar *factor = math_choose(m, huge, math_real(m, 0x1p-100),
                                 math_choose(m, tiny, math_real(m, 0x1p100), one));
    a = math_mul(m, math_choose(m, infinite, one, a), factor);
    b = math_mul(m, math_choose(m, infinite, one, math_choose(m, origin, one, b)), factor);
    Scalar *angle = angle_of_ratio(m, a, b);
    Scalar *sign = math_binary(m, SCALAR_COPYSIGN, one, x[1]);
    Scalar *left = math_compare(m, SCALAR_LT, sign, zero);
    // pi - angle
    Scalar *mirrored = math_sub(m, angle, math_real(m, 2 * half_pi_low));
    mirrored = math_sub(m, math_real(m, 2 * half_pi), mirrored);
    return math_binary(m, SCALAR_COPYSIGN, math_choose(m, left, mirrored, angle), x[0]);
}

// asin(x) below 1/2; above, the angle of the half: asin(x) = pi / 2 - 2 asin(sqrt((1 - x) / 2)).
typedef struct ArcSine {
    Scalar *is_small;
    Scalar *root, *part; // of |x|, or of sqrt((1 - |x|) / 2): asin is root + part
} ArcSine;

static ArcSine arc_sine(Math *m, Scalar *size) {
    Scalar *half = math_real(m, 0.5);
    ArcSine parts = {.is_small = math_compare(m, SCALAR_LT, size, half)};
    Scalar *rest = math_mul(m, math_sub(m, math_real(m, 1), size), half);
    Scalar *square = math_choose(m, parts.is_small, math_mul(m, size, size), rest);
    parts.root = math_choose(m, parts.is_small, size, math_sqrt(m, rest));
    parts.part = math_mul(m, math_mul(m, parts.root, square),
                          math_polynomial(m, &m->format->arc_sine, square));
    return parts;
}

Scalar *math_asin(Math *m, Scalar *const *x) {
    ArcSine parts = arc_sine(m, math_abs(m, x[0]));
    Scalar *angle = math_add(m, parts.root, parts.part);
    Scalar *low = math_sub(m, math_real(m, half_pi_low), math_add(m, parts.part, parts.part));
    // root is up to 1/2: pi / 2 - 2 root is rounded, and what is lost comes back.
    Scalar *twice = math_add(m, parts.root, parts.root);
    Scalar *high = math_sub(m, math_real(m, half_pi), twice);
    Scalar *lost = math_sub(m, math_sub(m, math_real(m, half_pi), high), twice);
    Scalar *large = math_add(m, high, math_add(m, lost, low));
    return math_binary(m, SCALAR_COPYSIGN, math_choose(m, parts.is_small, angle, large), x[0]);
}

Scalar *math_acos(Math *m, Scalar *const *x) {
    ArcSine parts = arc_sine(m, math_abs(m, x[0]));
    Scalar *left = math_compare(m, SCALAR_LT, x[0], math_real(m, 0));
    Scalar *angle = math_add(m, parts.root, parts.part);
    // Below 1/2: pi / 2 - asin(x).
    Scalar *root = math_binary(m, SCALAR_COPYSIGN, parts.root, x[0]);
    Scalar *part = math_binary(m, SCALAR_COPYSIGN, parts.part, x[0]);
    Scalar *high = math_sub(m, math_real(m, half_pi), root);
    Scalar *lost = math_sub(m, math_sub(m, math_real(m, half_pi), high), root);
    Scalar *small =
        math_add(m, high, math_add(m, lost, math_sub(m, math_real(m, half_pi_low), part)));
    // Above: 2 asin(sqrt((1 - x) / 2)), or pi less that of -x.
    Scalar *twice = math_add(m, angle, angle);
    Scalar *mirrored = math_sub(m, twice, math_real(m, 2 * half_pi_low));
    mirrored = math_sub(m, math_real(m, 2 * half_pi), mirrored);
    return math_choose(m, parts.is_small, small, math_choose(m, left, mirrored, twice));
}
