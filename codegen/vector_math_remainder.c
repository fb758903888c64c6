// The remainder with the sign of the dividend in scalars: vector_math.h. It is exact: a quotient of
// few bits is rounded to an integer, so that its product with the divisor has no more bits than a
// number, nor has what is left of the dividend.
#include <math.h>

#include "codegen/vector_math_steps.h"

// The bits of a quotient: products with an f32 have 52, those with the second half of an f64 leave
// room for the difference.
enum { BITS_F32 = 28, BITS_F64 = 24, MOST_BITS_F32 = 128 + 149 };

// What |x| is less a multiple of |y|, between -|y| and |y|, as the remainder.
static Scalar *finish(Math *m, Scalar *const *x, Scalar *size, Scalar *divisor, Scalar *rest) {
    Scalar *negative = math_compare(m, SCALAR_LT, rest, math_real(m, 0));
    rest = math_choose(m, negative, math_add(m, rest, divisor), rest);
    Scalar *infinity = math_real(m, (double)INFINITY);
    Scalar *all = math_both(m, math_compare(m, SCALAR_EQ, divisor, infinity),
                            math_compare(m, SCALAR_LT, size, infinity));
    rest = math_choose(m, all, size, rest);
    return math_binary(m, SCALAR_COPYSIGN, rest, x[0]);
}

// rest - n |y| 2^shift, n the integer next to the quotient.
static Scalar *reduce_f32(Math *m, Scalar *rest, Scalar *divisor, Scalar *inverse, int shift) {
    Scalar *quotient = math_mul(m, rest, inverse);
    quotient = shift ? math_mul(m, quotient, math_real(m, ldexp(1, -shift))) : quotient;
    Scalar *multiple = math_mul(m, math_round(m, quotient), divisor);
    multiple = shift ? math_mul(m, multiple, math_real(m, ldexp(1, shift))) : multiple;
    return math_sub(m, rest, multiple);
}

// In f64, for f32: large quotients lose their highest bits first.
Scalar *math_fmod_f32(Math *m, Scalar *const *x) {
    Scalar *size = math_abs(m, x[0]), *divisor = math_abs(m, x[1]);
    Scalar *inverse = math_div(m, math_real(m, 1), divisor);
    Scalar *is_large = math_compare(m, SCALAR_GT, math_mul(m, size, inverse),
                                    math_real(m, ldexp(1, BITS_F32 - 1)));
    if (m->abilities.branch)
        math_begin_rare(m, is_large);
    Scalar *rest = size;
    for (int shift = MOST_BITS_F32 / BITS_F32 * BITS_F32; shift > 0; shift -= BITS_F32)
        rest = reduce_f32(m, rest, divisor, inverse, shift);
    if (m->abilities.branch)
        math_end_rare(m);
    rest = m->abilities.branch ? math_choose(m, is_large, rest, size) : rest;
    return finish(m, x, size, divisor, reduce_f32(m, rest, divisor, inverse, 0));
}

// Quotients of more bits are libm's: there may be 2100 of them. Where that cannot be left out, it
// does all of the work.
Scalar *math_fmod_f64(Math *m, Scalar *const *x) {
    if (!m->abilities.branch)
        return NULL;
    Scalar *size = math_abs(m, x[0]), *divisor = math_abs(m, x[1]);
    Scalar *quotient = math_div(m, size, divisor);
    Scalar *is_large = math_compare(m, SCALAR_GT, quotient, math_real(m, ldexp(1, BITS_F64)));
    math_begin_rare(m, is_large);
    Scalar *large = math_step(m, SCALAR_LIBM, m->format->real, x[0], x[1], NULL);
    large->name = "fmod";
    math_end_rare(m);
    Scalar *whole = math_round(m, quotient);
    Scalar *high = math_without_low_bits(m, divisor, 27), *low = math_sub(m, divisor, high);
    Scalar *rest = math_sub(m, size, math_mul(m, whole, high));
    rest = finish(m, x, size, divisor, math_sub(m, rest, math_mul(m, whole, low)));
    return math_choose(m, is_large, large, rest);
}
