// The logarithm of the gamma function and its derivatives in scalars: vector_math.h.
//
// From 8 on they are Stirling's series. Below, lgamma is that of a number next to 2 and the
// logarithm of a product; the derivatives are taken 8 further on, less a sum. Arguments below 0 are
// reflected, with an angle from the distance to the nearest integer, which is exact.
#include <math.h>

#include "codegen/vector_math_steps.h"

static const double pi = 0x1.921fb54442d18p1;

enum { SERIES_FROM = 8 };

static Scalar *inverse_of(Math *m, Scalar *x) {
    return math_div(m, math_real(m, 1), x);
}

// An f32 close to a zero is a small difference of large terms, which needs all of f64.
static Math precisely(const Math *m) {
    Math precise = *m;
    precise.format = &math_f64;
    return precise;
}

// ---- reflection

// A number that is not negative: its distance from the nearest integer as a part of a turn and a
// half, which is 0 from 2^52 on.
typedef struct Reflection {
    Scalar *is_whole;
    Scalar *sine, *cosine; // of pi times |distance|
    Scalar *distance;
} Reflection;

static Reflection reflect(Math *m, Scalar *size) {
    Scalar *unit = math_real(m, 0x1p52), *half = math_real(m, 0.5);
    Scalar *bounded = math_at_most(m, size, 0x1p52);
    Reflection parts;
    parts.distance = math_sub(m, bounded, math_sub(m, math_add(m, bounded, unit), unit));
    Scalar *distance = math_abs(m, parts.distance);
    Scalar *far = math_compare(m, SCALAR_GT, distance, math_real(m, 0.25));
    Scalar *near = math_choose(m, far, math_sub(m, half, distance), distance);
    Angle angle = math_angle_of_turns(m, math_mul(m, near, half), NULL);
    SineCosine both = math_sine_cosine(m, &angle);
    parts.sine = math_choose(m, far, both.cosine, both.sine);
    parts.cosine = math_choose(m, far, both.sine, both.cosine);
    parts.is_whole = math_compare(m, SCALAR_EQ, distance, math_real(m, 0));
    return parts;
}

// ---- lgamma

// The product that lgamma(x) is the logarithm of, beside that next to 2: (x - 1) (x - 2) ... for x
// above 2, x or x (x + 1) below. `nearest` is the integer next to x.
static Scalar *product_to_two(Math *m, Scalar *x, Scalar *nearest) {
    Scalar *one = math_real(m, 1), *product = one;
    for (int i = 1; i <= SERIES_FROM - 2; i++) {
        Scalar *more = math_compare(m, SCALAR_GT, nearest, math_real(m, i + 1.5));
        Scalar *longer = math_mul(m, product, math_sub(m, x, math_real(m, i)));
        product = math_choose(m, more, longer, product);
    }
    Scalar *is_zero = math_compare(m, SCALAR_LT, nearest, math_real(m, 0.5));
    Scalar *below = math_choose(m, is_zero, math_fma(m, x, x, x), x);
    return math_choose(m, math_compare(m, SCALAR_LT, nearest, math_real(m, 1.5)), below, product);
}

// For x >= 0.
static Scalar *positive_lgamma(Math *m, Scalar *x) {
    Scalar *bounded = math_at_most(m, x, SERIES_FROM);
    Scalar *nearest = math_round(m, bounded);
    Scalar *is_large = math_compare(m, SCALAR_GT, x, math_real(m, SERIES_FROM));
    Scalar *factor = math_choose(m, is_large, x, product_to_two(m, bounded, nearest));
    Scalar *log = math_log(m, &factor);
    Scalar *distance = math_sub(m, bounded, nearest);
    Scalar *part =
        math_mul(m, distance, math_polynomial_in_turn(m, &m->format->lgamma_small, distance));
    Scalar *divides = math_compare(m, SCALAR_LT, nearest, math_real(m, 1.5));
    Scalar *small = math_choose(m, divides, math_sub(m, part, log), math_add(m, part, log));
    Scalar *one = math_real(m, 1), *half = math_real(m, 0.5);
    Scalar *inverse = inverse_of(m, x), *square = math_mul(m, inverse, inverse);
    Scalar *series =
        math_mul(m, math_polynomial_in_turn(m, &m->format->lgamma_large, square), inverse);
    // log(2 pi) / 2 - 1 / 2
    Scalar *rest = math_add(m, series, math_real(m, 0x1.acfe390c97d69p-2));
    Scalar *large = math_fma(m, math_sub(m, x, half), math_sub(m, log, one), rest);
    return math_choose(m, is_large, large, small);
}

// lgamma(-x) = log(pi / sin(pi x)) - log(x) - lgamma(x)
Scalar *math_lgamma(Math *of, Scalar *const *x) {
    Math precise = precisely(of), *m = &precise;
    Scalar *size = math_abs(m, x[0]);
    Scalar *positive = positive_lgamma(m, size);
    Scalar *reflected = math_compare(m, SCALAR_LT, x[0], math_real(m, 0));
    if (m->abilities.branch)
        math_begin_rare(m, reflected);
    Reflection parts = reflect(m, size);
    // Close to 0 both are -log|x|.
    Scalar *is_tiny = math_compare(m, SCALAR_LT, size, math_real(m, 0x1p-60));
    Scalar *ratio = math_div(m, math_real(m, pi), math_mul(m, parts.sine, size));
    ratio = math_choose(m, is_tiny, math_real(m, 1), ratio);
    Scalar *mirrored = math_sub(m, math_log(m, &ratio), positive);
    mirrored = math_choose(m, is_tiny, positive, mirrored);
    mirrored = math_choose(m, parts.is_whole, math_real(m, (double)INFINITY), mirrored);
    if (m->abilities.branch)
        math_end_rare(m);
    return math_choose(m, reflected, mirrored, positive);
}

// ---- its derivatives

// The sum of 1 / (x + i), or of the squares, for i = 0 .. 7, as one quotient.
static Scalar *sum_of_inverses(Math *m, Scalar *x, bool of_squares) {
    Scalar *dividend = NULL, *divisor = NULL;
    for (int i = SERIES_FROM - 1; i >= 0; i--) {
        Scalar *term = i == 0 ? x : math_add(m, x, math_real(m, i));
        term = of_squares ? math_mul(m, term, term) : term;
        dividend = dividend ? math_fma(m, dividend, term, divisor) : math_real(m, 1);
        divisor = divisor ? math_mul(m, divisor, term) : term;
    }
    return math_div(m, dividend, divisor);
}

// For x > 0: `at` is where the series is used, `below` the sum of what lies between.
typedef struct Shifted {
    Scalar *at, *below;
} Shifted;

static Shifted shift_up(Math *m, Scalar *x, bool of_squares) {
    Scalar *small = math_compare(m, SCALAR_LT, x, math_real(m, SERIES_FROM));
    Scalar *sum = sum_of_inverses(m, x, of_squares);
    return (Shifted){
        .at = math_choose(m, small, math_add(m, x, math_real(m, SERIES_FROM)), x),
        .below = math_choose(m, small, sum, math_real(m, 0)),
    };
}

static Scalar *positive_digamma(Math *m, Scalar *x) {
    Shifted parts = shift_up(m, x, false);
    Scalar *inverse = inverse_of(m, parts.at), *square = math_mul(m, inverse, inverse);
    Scalar *series = math_mul(m, square, math_polynomial_in_turn(m, &m->format->digamma, square));
    series = math_fma(m, inverse, math_real(m, 0.5), series);
    Scalar *log = math_log(m, &parts.at);
    return math_sub(m, math_sub(m, log, parts.below), series);
}

static Scalar *positive_trigamma(Math *m, Scalar *x) {
    Shifted parts = shift_up(m, x, true);
    Scalar *inverse = inverse_of(m, parts.at), *square = math_mul(m, inverse, inverse);
    Scalar *cube = math_mul(m, square, inverse);
    Scalar *series = math_mul(m, cube, math_polynomial_in_turn(m, &m->format->trigamma, square));
    series = math_fma(m, square, math_real(m, 0.5), series);
    return math_add(m, parts.below, math_add(m, inverse, series));
}

// digamma(x) = digamma(1 - x) - pi / tan(pi x); trigamma(x) = (pi / sin(pi x))^2 - trigamma(1 - x).
// At 0, -1, -2, ... digamma is NaN (infinite with the sign of -x at 0), trigamma infinite; at
// minus infinity both are NaN.
static Scalar *any_polygamma(Math *m, Scalar *x, bool is_trigamma) {
    Scalar *zero = math_real(m, 0), *infinity = math_real(m, (double)INFINITY);
    Scalar *reflected = math_compare(m, SCALAR_LE, x, zero);
    Scalar *mirror = math_sub(m, math_real(m, 1), x);
    Scalar *positive = math_choose(m, reflected, mirror, x);
    Scalar *value = is_trigamma ? positive_trigamma(m, positive) : positive_digamma(m, positive);
    if (m->abilities.branch)
        math_begin_rare(m, reflected);
    Scalar *size = math_abs(m, x);
    Reflection parts = reflect(m, size);
    Scalar *mirrored, *pole, *nan = math_real(m, (double)NAN);
    if (is_trigamma) {
        Scalar *ratio = math_div(m, math_real(m, pi), parts.sine);
        mirrored = math_sub(m, math_mul(m, ratio, ratio), value);
        pole = math_choose(m, math_compare(m, SCALAR_EQ, size, infinity), nan, infinity);
    } else {
        // The tangent has the sign of the distance of x, which is opposite to that of |x|.
        Scalar *ratio = math_mul(m, math_div(m, parts.cosine, parts.sine), math_real(m, pi));
        mirrored = math_add(m, value, math_flip_sign(m, ratio, parts.distance));
        Scalar *at_zero = math_flip_sign(m, math_real(m, -(double)INFINITY), x);
        pole = math_choose(m, math_compare(m, SCALAR_EQ, x, zero), at_zero, nan);
    }
    mirrored = math_choose(m, parts.is_whole, pole, mirrored);
    if (m->abilities.branch)
        math_end_rare(m);
    return math_choose(m, reflected, mirrored, value);
}

Scalar *math_digamma(Math *m, Scalar *const *x) {
    Math precise = precisely(m);
    return any_polygamma(&precise, x[0], false);
}

Scalar *math_trigamma(Math *m, Scalar *const *x) {
    return any_polygamma(m, x[0], true);
}
