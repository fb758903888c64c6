// The error function and its complement in scalars: vector_math.h.
#include <math.h>

#include "codegen/vector_math_steps.h"

// erf in f32: erf(x) = x + x p(x^2) below 1, 1 - q(x)^4 above.
static const Polynomial erf_small = {7,
                                     {0x1.06eba8p-3, -0x1.81274p-2, 0x1.ce2d52p-4, -0x1.b7fec4p-6,
                                      0x1.542fecp-8, -0x1.a5197ap-11, 0x1.4c5cb4p-14}};
static const Polynomial erf_large = {10,
                                     {0x1.0039ap0, -0x1.2528bcp-2, -0x1.c762dp-4, 0x1.e82fbcp-8,
                                      0x1.66c704p-6, -0x1.a46c34p-13, -0x1.ff886ap-9,
                                      0x1.4d787cp-10, -0x1.5ffa46p-13, 0x1.198fc4p-17}};

// erf in f32 where its error is small beside what it is added to: erfc(x) = (1 + x p(x))^8.
static const Polynomial erf_root = {8,
                                    {-0x1.20dd6ap-3, -0x1.1d3614p-4, -0x1.10f8c2p-9, 0x1.aee2a2p-8,
                                     0x1.a9f5f2p-13, -0x1.1224p-11, 0x1.817154p-14,
                                     -0x1.59fc5cp-18}};

Scalar *math_erf_f32(Math *m, Scalar *const *x) {
    Scalar *size = math_abs(m, x[0]);
    Scalar *square = math_mul(m, size, size);
    Scalar *small = math_fma(m, size, math_polynomial(m, &erf_small, square), size);
    Scalar *root = math_polynomial(m, &erf_large, math_at_most(m, size, 4));
    root = math_mul(m, root, root);
    Scalar *large = math_sub(m, math_real(m, 1), math_mul(m, root, root));
    Scalar *is_small = math_compare(m, SCALAR_LT, size, math_real(m, 1));
    return math_binary(m, SCALAR_COPYSIGN, math_choose(m, is_small, small, large), x[0]);
}

// (1 + x)^2 - 1, rounded once where there is an instruction for it.
static Scalar *square_beside_one(Math *m, Scalar *x) {
    return math_fma(m, x, x, math_add(m, x, x));
}

// From 4 on it is 1 to the last place.
Scalar *math_erf_in_sum(Math *m, Scalar *const *x) {
    Scalar *size = math_at_most(m, math_abs(m, x[0]), 4);
    Scalar *root = math_mul(m, size, math_polynomial(m, &erf_root, size));
    Scalar *y = square_beside_one(m, square_beside_one(m, square_beside_one(m, root)));
    return math_binary(m, SCALAR_COPYSIGN, y, x[0]);
}

// x p(x^2) = erf(x) - x for 0 <= x <= 1
static Scalar *small_part(Math *m, Scalar *size) {
    Scalar *square = math_mul(m, size, size);
    return math_mul(m, size, math_polynomial(m, &m->format->erf, square));
}

// erfc(x) = exp(-x^2) g((x - 3) / (x + 3)) / (1 + 2 x) for x >= 0.9. The square is taken in two
// parts: half of the bits, which is exact, and the rest.
static Scalar *large_complement(Math *m, Scalar *size,
                                Scalar *(*polynomial)(Math *m, const Polynomial *p, Scalar *x)) {
    Scalar *x = math_at_most(m, size, 28);
    Scalar *three = math_real(m, 3), *one = math_real(m, 1);
    Scalar *t = math_div(m, math_sub(m, x, three), math_add(m, x, three));
    Scalar *g = polynomial(m, &m->format->erfc, t);
    Scalar *ratio = math_div(m, g, math_add(m, one, math_add(m, x, x)));
    Scalar *high = math_without_low_bits(m, x, 27);
    Scalar *low = math_mul(m, math_sub(m, x, high), math_add(m, x, high));
    Scalar *square = math_mul(m, high, high);
    ExpParts parts = math_split_exponent(m, math_sub(m, math_real(m, 0), square));
    Scalar *rest = math_sub(m, parts.rest, low);
    Scalar *lost = math_sub(m, math_sub(m, parts.rest, rest), low);
    parts.lost = math_add(m, parts.lost, lost);
    parts.rest = rest;
    return math_scale(m, math_mul(m, math_exp_of_parts(m, &parts, true), ratio), parts.sum);
}

Scalar *math_erf_f64(Math *m, Scalar *const *x) {
    Scalar *size = math_abs(m, x[0]);
    Scalar *small = math_add(m, size, small_part(m, size));
    Scalar *large = math_sub(m, math_real(m, 1), large_complement(m, size, math_polynomial));
    Scalar *is_small = math_compare(m, SCALAR_LT, size, math_real(m, 0.9));
    return math_binary(m, SCALAR_COPYSIGN, math_choose(m, is_small, small, large), x[0]);
}

Scalar *math_erfc(Math *m, Scalar *const *x) {
    Scalar *size = math_abs(m, x[0]);
    Scalar *one = math_real(m, 1), *two = math_real(m, 2), *half = math_real(m, 0.5);
    Scalar *part = small_part(m, size);
    // 1 - (x + part), less what is rounded twice where that matters.
    Scalar *near = math_sub(m, half, math_add(m, math_sub(m, size, half), part));
    Scalar *is_tiny = math_compare(m, SCALAR_LT, size, half);
    near = math_choose(m, is_tiny, math_sub(m, one, math_add(m, size, part)), near);
    Scalar *is_small = math_compare(m, SCALAR_LT, size, math_real(m, 0.9));
    Scalar *y = math_choose(m, is_small, near, large_complement(m, size, math_polynomial_in_turn));
    Scalar *mirrored =
        math_choose(m, is_small, math_add(m, one, math_add(m, size, part)), math_sub(m, two, y));
    return math_choose(m, math_compare(m, SCALAR_LT, x[0], math_real(m, 0)), mirrored, y);
}
