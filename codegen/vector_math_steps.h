// What the functions of vector_math.h are made with: steps, and the parts that several share.
#ifndef TDSL_CODEGEN_VECTOR_MATH_STEPS_H
#define TDSL_CODEGEN_VECTOR_MATH_STEPS_H

#include "codegen/vector_math.h"

enum { MOST_COEFFICIENTS = 21 };

static const double half_pi = 0x1.921fb54442d18p0, half_pi_low = 0x1.1a62633145c07p-54;

typedef struct Polynomial {
    int count;
    double at[MOST_COEFFICIENTS]; // lowest first
} Polynomial;

// What differs between f32, f64, and f64 of which an f32 is made.
typedef struct Format {
    ElementType real, integer;
    int mantissa_bits, bias;
    double rounder;           // 1.5 * 2^mantissa_bits
    double least_normal;      // smallest normal number
    int rescale;              // a power of two that makes any number above 0 normal
    double ln2_high, ln2_low; // the high part times any exponent is exact
    double exp_high;          // above it exp is infinite
    double expm1_low;         // below it expm1 is -1
    double tanh_low;          // exp of it vanishes beside 1
    double tanh_switch;       // tanh is a polynomial below it
    Polynomial exp, log, tanh, sine, cosine, arc_tangent, arc_sine, erf, erfc;
    Polynomial lgamma_small, lgamma_large, digamma, trigamma;
} Format;

extern const Format math_f32, math_f64, math_f64_short;
// r of log(1 + f) = 2/3 s (3 + s^2 + s^4 r(s^2)), s = f / (2 + f), for f64.
extern const Polynomial math_precise_log;

typedef struct Math {
    Arena *arena;
    const Format *format;
    MathFunction *function;
    MathAbilities abilities;
} Math;

// The steps between the two are needed only where the condition holds: MathFunction.rare. Once in a
// function, and only if code may branch.
void math_begin_rare(Math *m, Scalar *condition);
void math_end_rare(Math *m);

// A new scalar that is no step.
Scalar *math_scalar(Math *m, ScalarOp op, ElementType type);
Scalar *math_step(Math *m, ScalarOp op, ElementType type, Scalar *x, Scalar *y, Scalar *z);
// Constants of the format's types.
Scalar *math_real(Math *m, double value);
Scalar *math_integer(Math *m, int64_t value);
int64_t math_bits(const Math *m, double value);
Scalar *math_binary(Math *m, ScalarOp op, Scalar *x, Scalar *y);
Scalar *math_add(Math *m, Scalar *x, Scalar *y);
Scalar *math_sub(Math *m, Scalar *x, Scalar *y);
Scalar *math_mul(Math *m, Scalar *x, Scalar *y);
Scalar *math_div(Math *m, Scalar *x, Scalar *y);
// x * y + z, rounded once or twice.
Scalar *math_fma(Math *m, Scalar *x, Scalar *y, Scalar *z);
Scalar *math_compare(Math *m, ScalarOp op, Scalar *x, Scalar *y);
Scalar *math_both(Math *m, Scalar *x, Scalar *y);
Scalar *math_choose(Math *m, Scalar *condition, Scalar *x, Scalar *y);
Scalar *math_abs(Math *m, Scalar *x);
Scalar *math_sqrt(Math *m, Scalar *x);
Scalar *math_to_bits(Math *m, Scalar *x);
Scalar *math_from_bits(Math *m, Scalar *x);
Scalar *math_cast(Math *m, ElementType type, Scalar *x);
// Of TABLE_POWERS_16 the lowest four bits of the index count, of others it must be a place.
Scalar *math_look_up(Math *m, int table, Scalar *index);
// Of integers; zeros come in.
Scalar *math_shift_left(Math *m, Scalar *x, int bits);
Scalar *math_shift_right(Math *m, Scalar *x, int bits);
// All but the lowest bits are 0.
Scalar *math_low_bits(Math *m, Scalar *x, int bits);
// x with its lowest bits 0: products of such numbers are exact.
Scalar *math_without_low_bits(Math *m, Scalar *x, int bits);
Scalar *math_polynomial(Math *m, const Polynomial *polynomial, Scalar *x);
// Always from the highest coefficient on, which is more precise where later ones are not small.
Scalar *math_polynomial_in_turn(Math *m, const Polynomial *polynomial, Scalar *x);
// Not below `low`, not above `high`; a NaN stays.
Scalar *math_at_least(Math *m, Scalar *x, double low);
Scalar *math_at_most(Math *m, Scalar *x, double high);
// The integer next to x, ties to even, for |x| < 2^(mantissa_bits - 2).
Scalar *math_round(Math *m, Scalar *x);
// y with its sign changed where that of x is set.
Scalar *math_flip_sign(Math *m, Scalar *y, Scalar *x);
// 2^n for an integer n whose sum with the bias is a normal exponent: that sum is given.
Scalar *math_power_of_two(Math *m, Scalar *biased);
// The integer n, where `sum` is n plus the rounder.
Scalar *math_rounded(Math *m, Scalar *sum);
// y 2^n, rounded once, where `sum` is n plus the rounder; n may be beyond the exponents of normal
// numbers, down to twice the least of them.
Scalar *math_scale(Math *m, Scalar *y, Scalar *sum);

// x = n log(2) + rest + lost, |rest| <= log(2) / 2, n an integer; `sum` is n plus the rounder, and
// `lost` is what rounding took from the rest.
typedef struct ExpParts {
    Scalar *sum, *rest, *lost;
} ExpParts;

ExpParts math_split_exponent(Math *m, Scalar *x);
// exp(rest) - 1 - rest
Scalar *math_exp_of_rest(Math *m, Scalar *rest);
// exp(rest + lost)
Scalar *math_exp_of_parts(Math *m, const ExpParts *parts, bool precisely);
// exp(x) where neither x nor the result is extreme.
Scalar *math_small_exp(Math *m, Scalar *x);

// A positive number as 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2).
typedef struct LogParts {
    Scalar *n, *f;
} LogParts;

LogParts math_split_logarithm(Math *m, Scalar *x);

// |x| less whole quarter turns: -pi / 4 <= rest + low <= pi / 4, and a little more. The lowest two
// bits of `quarters`, a real, count the quarter turns. low: NULL where the result is an f32.
typedef struct Angle {
    Scalar *quarters, *rest, *low;
} Angle;

Angle math_split_angle(Math *m, Scalar *x);
// Of x instead of |x|: a sine of it has its own sign.
bool math_angle_has_sign(const Math *m);

// That of high + low turns, for f64; `low` may be NULL. `quarters` is not set.
Angle math_angle_of_turns(Math *m, Scalar *high, Scalar *low);

typedef struct SineCosine {
    Scalar *sine, *cosine;
} SineCosine;

// Of rest + low.
SineCosine math_sine_cosine(Math *m, const Angle *angle);

// The functions. x: the arguments.
#define MATH_FUNCTION(name) Scalar *math_##name(Math *m, Scalar *const *x);
MATH_FUNCTION(exp)
MATH_FUNCTION(exp2)
MATH_FUNCTION(expm1)
MATH_FUNCTION(log)
MATH_FUNCTION(log2)
MATH_FUNCTION(log10)
MATH_FUNCTION(log1p)
MATH_FUNCTION(sigmoid)
MATH_FUNCTION(tanh)
MATH_FUNCTION(sinh)
MATH_FUNCTION(cosh)
MATH_FUNCTION(asinh)
MATH_FUNCTION(acosh)
MATH_FUNCTION(atanh)
MATH_FUNCTION(cbrt)
MATH_FUNCTION(hypot)
MATH_FUNCTION(pow_f32)
MATH_FUNCTION(pow_f64)
MATH_FUNCTION(sin)
MATH_FUNCTION(cos)
MATH_FUNCTION(tan)
MATH_FUNCTION(asin)
MATH_FUNCTION(acos)
MATH_FUNCTION(atan)
MATH_FUNCTION(atan2)
MATH_FUNCTION(erf_f32)
MATH_FUNCTION(erf_f64)
MATH_FUNCTION(erf_in_sum)
MATH_FUNCTION(erfc)
MATH_FUNCTION(fmod_f32)
MATH_FUNCTION(fmod_f64)
MATH_FUNCTION(lgamma)
MATH_FUNCTION(digamma)
MATH_FUNCTION(trigamma)
// Those of one number at a time; of f32 where the format is math_f64_short.
MATH_FUNCTION(exp_alone_f32)
MATH_FUNCTION(exp_alone_f64)
MATH_FUNCTION(sigmoid_alone_f32)
MATH_FUNCTION(sigmoid_alone_f64)
MATH_FUNCTION(expm1_alone_f32)
MATH_FUNCTION(tanh_alone_f32)
MATH_FUNCTION(pow_alone_f32)
MATH_FUNCTION(pow_alone_f64)
MATH_FUNCTION(log_alone_f32)
MATH_FUNCTION(log_alone_f64)
MATH_FUNCTION(log1p_alone_f32)
MATH_FUNCTION(log1p_alone_f64)
#undef MATH_FUNCTION

#endif
