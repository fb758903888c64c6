// Elementwise operators that are written with several scalars: the only place
// that says how.
#include <math.h>

#include "codegen/lower_element.h"

static Scalar *number_like(KernelBuilder *k, const Scalar *x, double value) {
    return scalar_number(k, x->type, value);
}

static Scalar *add(KernelBuilder *k, Scalar *x, Scalar *y) {
    return scalar_binary(k, SCALAR_ADD, x, y);
}

static Scalar *sub(KernelBuilder *k, Scalar *x, Scalar *y) {
    return scalar_binary(k, SCALAR_SUB, x, y);
}

static Scalar *mul(KernelBuilder *k, Scalar *x, Scalar *y) {
    return scalar_binary(k, SCALAR_MUL, x, y);
}

static Scalar *divide(KernelBuilder *k, Scalar *x, Scalar *y) {
    return scalar_binary(k, SCALAR_DIV, x, y);
}

static Scalar *compare(KernelBuilder *k, ScalarOp op, Scalar *x, double y) {
    return scalar_binary(k, op, x, number_like(k, x, y));
}

static Scalar *both(KernelBuilder *k, Scalar *x, Scalar *y) {
    return scalar_binary(k, SCALAR_AND, x, y);
}

static Scalar *expand_sign(KernelBuilder *k, Scalar *x) {
    Scalar *zero = number_like(k, x, 0);
    Scalar *negative = scalar_select(k, compare(k, SCALAR_LT, x, 0), number_like(k, x, -1), zero);
    return scalar_select(k, compare(k, SCALAR_GT, x, 0), number_like(k, x, 1), negative);
}

static bool is_usual_number(const Scalar *scalar) {
    if (scalar->op != SCALAR_CONSTANT || !element_is_real(scalar->type))
        return false;
    double value = scalar->type == TYPE_F32 ? (double)(float)scalar->real : scalar->real;
    return value != 0 && !isnan(value);
}

// Of equal operands the second is the result; of a NaN and a number the NaN is. Processors have one
// instruction for the inner choice.
Scalar *expand_extreme(KernelBuilder *k, bool largest, Scalar *x, Scalar *y) {
    ScalarOp beyond = largest ? SCALAR_GT : SCALAR_LT;
    // Beside a number that is no NaN and no zero, that instruction is enough.
    if (is_usual_number(y))
        return scalar_select(k, scalar_binary(k, beyond, y, x), y, x);
    Scalar *first = scalar_binary(k, beyond, x, y);
    Scalar *extreme = scalar_select(k, first, x, y);
    if (!element_is_real(x->type) || is_usual_number(x)) {
        return extreme;
    }
    return scalar_select(k, scalar_binary(k, SCALAR_NE, x, x), x, extreme);
}

// The quotient of f32 is taken in f64: there floor() of it is exact but for the
// rounding of the division itself, which the remainder shows.
static Scalar *remainder_real(KernelBuilder *k, Scalar *x, Scalar *y) {
    Scalar *rest = scalar_libm(k, "fmod", 2, x, y);
    Scalar *opposite =
        scalar_binary(k, SCALAR_XOR, compare(k, SCALAR_LT, rest, 0), compare(k, SCALAR_LT, y, 0));
    Scalar *adjust = both(k, compare(k, SCALAR_NE, rest, 0), opposite);
    return scalar_select(k, adjust, add(k, rest, y), rest);
}

static Scalar *floor_divide_real(KernelBuilder *k, Scalar *x, Scalar *y) {
    Scalar *one = number_like(k, x, 1);
    Scalar *rest = scalar_libm(k, "fmod", 2, x, y);
    Scalar *quotient = divide(k, sub(k, x, rest), y);
    Scalar *opposite =
        scalar_binary(k, SCALAR_XOR, compare(k, SCALAR_LT, rest, 0), compare(k, SCALAR_LT, y, 0));
    Scalar *adjust = both(k, compare(k, SCALAR_NE, rest, 0), opposite);
    quotient = scalar_select(k, adjust, sub(k, quotient, one), quotient);
    Scalar *below = scalar_unary(k, SCALAR_FLOOR, quotient);
    Scalar *above = compare(k, SCALAR_GT, sub(k, quotient, below), 0.5);
    Scalar *nearest = scalar_select(k, above, add(k, below, one), below);
    Scalar *plain = divide(k, x, y);
    Scalar *zero = scalar_binary(k, SCALAR_COPYSIGN, number_like(k, x, 0), plain);
    nearest = scalar_select(k, compare(k, SCALAR_EQ, quotient, 0), zero, nearest);
    return scalar_select(k, compare(k, SCALAR_EQ, y, 0), plain, nearest);
}

static int bits_of(ElementType type) {
    return type == TYPE_I32 ? 32 : 64;
}

static Scalar *integer_like(KernelBuilder *k, const Scalar *x, int64_t value) {
    return scalar_integer_constant(k, x->type, value);
}

static int64_t least_integer(ElementType type) {
    return type == TYPE_I32 ? INT32_MIN : INT64_MIN;
}

// Quotient and remainder for integers of any sign. The scalar operators want a
// non-negative dividend and a positive divisor, so magnitudes are divided. The
// least integer has none: as a dividend it is replaced by its magnitude less
// one and the remainder corrected; as a divisor it divides only itself.
static void divide_integers(KernelBuilder *k, Scalar *x, Scalar *y, Scalar **quotient,
                            Scalar **remainder) {
    Scalar *zero = integer_like(k, x, 0), *one = integer_like(k, x, 1);
    Scalar *least = integer_like(k, x, least_integer(x->type));
    Scalar *x_is_least = scalar_binary(k, SCALAR_EQ, x, least);
    Scalar *y_is_least = scalar_binary(k, SCALAR_EQ, y, least);
    Scalar *x_negative = scalar_binary(k, SCALAR_LT, x, zero);
    Scalar *y_negative = scalar_binary(k, SCALAR_LT, y, zero);
    Scalar *safe_x = scalar_select(k, x_is_least, add(k, x, one), x);
    Scalar *unusable =
        scalar_binary(k, SCALAR_OR, y_is_least, scalar_binary(k, SCALAR_EQ, y, zero));
    Scalar *safe_y = scalar_select(k, unusable, one, y);
    Scalar *p = scalar_unary(k, SCALAR_ABS, safe_x), *q = scalar_unary(k, SCALAR_ABS, safe_y);
    Scalar *whole = scalar_binary(k, SCALAR_DIV, p, q);
    Scalar *rest = scalar_binary(k, SCALAR_REMAINDER, p, q);
    // |least| = p + 1
    Scalar *next_rest = add(k, rest, one);
    Scalar *wraps = scalar_binary(k, SCALAR_EQ, next_rest, q);
    Scalar *least_whole = scalar_select(k, wraps, add(k, whole, one), whole);
    Scalar *least_rest = scalar_select(k, wraps, zero, next_rest);
    whole = scalar_select(k, x_is_least, least_whole, whole);
    rest = scalar_select(k, x_is_least, least_rest, rest);
    // Magnitudes to floors.
    Scalar *signs_differ = scalar_binary(k, SCALAR_XOR, x_negative, y_negative);
    Scalar *has_rest = scalar_binary(k, SCALAR_NE, rest, zero);
    Scalar *rounds = both(k, signs_differ, has_rest);
    Scalar *magnitude = scalar_select(k, rounds, add(k, whole, one), whole);
    *quotient = scalar_select(k, signs_differ, scalar_unary(k, SCALAR_NEG, magnitude), magnitude);
    Scalar *distance = scalar_select(k, rounds, sub(k, q, rest), rest);
    *remainder = scalar_select(k, y_negative, scalar_unary(k, SCALAR_NEG, distance), distance);
    // y is the least integer: the quotient is 1 for x = y, -1 for positive x,
    // else 0.
    Scalar *x_positive = scalar_binary(k, SCALAR_GT, x, zero);
    Scalar *minus_one = integer_like(k, x, -1);
    Scalar *of_least =
        scalar_select(k, x_is_least, one, scalar_select(k, x_positive, minus_one, zero));
    Scalar *least_remainder =
        scalar_select(k, x_is_least, zero, scalar_select(k, x_positive, add(k, x, y), x));
    Scalar *y_is_zero = scalar_binary(k, SCALAR_EQ, y, zero);
    *quotient = scalar_select(k, y_is_least, of_least, *quotient);
    *quotient = scalar_select(k, y_is_zero, zero, *quotient);
    *remainder = scalar_select(k, y_is_least, least_remainder, *remainder);
    *remainder = scalar_select(k, y_is_zero, zero, *remainder);
}

// A shorter form for a constant positive divisor.
static void divide_by_constant(KernelBuilder *k, Scalar *x, Scalar *y, Scalar **quotient,
                               Scalar **remainder) {
    Scalar *zero = integer_like(k, x, 0);
    Scalar *negative = scalar_binary(k, SCALAR_LT, x, zero);
    // ~x is non-negative for negative x, and floor(x / y) = ~(~x / y).
    Scalar *minus_one = integer_like(k, x, -1);
    Scalar *flipped = scalar_binary(k, SCALAR_XOR, x, minus_one);
    Scalar *magnitude = scalar_select(k, negative, flipped, x);
    Scalar *whole = scalar_binary(k, SCALAR_DIV, magnitude, y);
    Scalar *rest = scalar_binary(k, SCALAR_REMAINDER, magnitude, y);
    Scalar *mirrored = sub(k, sub(k, y, integer_like(k, x, 1)), rest);
    *quotient = scalar_select(k, negative, scalar_binary(k, SCALAR_XOR, whole, minus_one), whole);
    *remainder = scalar_select(k, negative, mirrored, rest);
}

static Scalar *expand_division(KernelBuilder *k, Op op, Scalar *x, Scalar *y) {
    bool whole = op == OP_floor_divide;
    if (element_is_real(x->type)) {
        return whole ? floor_divide_real(k, x, y) : remainder_real(k, x, y);
    }
    Scalar *quotient, *remainder;
    int64_t divisor;
    const ScalarFacts *facts = scalar_facts(k, x);
    if (scalar_is_constant(y, &divisor) && divisor > 0) {
        if (facts->bounded && facts->low >= 0) {
            return scalar_binary(k, whole ? SCALAR_DIV : SCALAR_REMAINDER, x, y);
        }
        divide_by_constant(k, x, y, &quotient, &remainder);
    } else {
        divide_integers(k, x, y, &quotient, &remainder);
    }
    return whole ? quotient : remainder;
}

static Scalar *expand_shift(KernelBuilder *k, Op op, Scalar *x, Scalar *y) {
    Scalar *zero = integer_like(k, x, 0), *last = integer_like(k, x, bits_of(x->type) - 1);
    Scalar *in_range =
        both(k, scalar_binary(k, SCALAR_GE, y, zero), scalar_binary(k, SCALAR_LE, y, last));
    if (op == OP_shift_left) {
        Scalar *amount = scalar_select(k, in_range, y, zero);
        Scalar *shifted = scalar_binary(k, SCALAR_SHIFT_LEFT, x, amount);
        return scalar_select(k, in_range, shifted, zero);
    }
    Scalar *amount = scalar_select(k, in_range, y, last);
    return scalar_binary(k, SCALAR_SHIFT_RIGHT, x, amount);
}

static Scalar *xor_shifted(KernelBuilder *k, Scalar *x, int bits) {
    Scalar *amount = scalar_integer_constant(k, TYPE_I64, bits);
    return scalar_binary(k, SCALAR_XOR, x, scalar_binary(k, SCALAR_SHIFT_LOGICAL, x, amount));
}

// The formula is part of the language: every engine computes the same bits.
static Scalar *mix_bits(KernelBuilder *k, Scalar *z) {
    Scalar *first = scalar_integer_constant(k, TYPE_I64, -0x40a7b892e31b1a47);
    Scalar *second = scalar_integer_constant(k, TYPE_I64, -0x6b2fb644ecceee15);
    z = mul(k, xor_shifted(k, z, 30), first);
    z = mul(k, xor_shifted(k, z, 27), second);
    return xor_shifted(k, z, 31);
}

static Scalar *expand_random(KernelBuilder *k, Scalar *key, Scalar *counter) {
    Scalar *golden = scalar_integer_constant(k, TYPE_I64, -0x61c8864680b583eb);
    Scalar *stream = mix_bits(k, add(k, key, golden));
    Scalar *place = add(k, stream, mul(k, counter, golden));
    return mix_bits(k, scalar_binary(k, SCALAR_XOR, mix_bits(k, place), stream));
}

Scalar *expand_operator(KernelBuilder *k, Op op, Scalar *const *x) {
    switch (op) {
    case OP_sign: return expand_sign(k, x[0]);
    case OP_minimum: return expand_extreme(k, false, x[0], x[1]);
    case OP_maximum: return expand_extreme(k, true, x[0], x[1]);
    case OP_sigmoid:
    case OP_digamma:
    case OP_trigamma: return scalar_libm(k, op_info(op)->name, 1, x[0], NULL);
    case OP_floor_divide:
    case OP_remainder: return expand_division(k, op, x[0], x[1]);
    case OP_shift_left:
    case OP_shift_right: return expand_shift(k, op, x[0], x[1]);
    case OP_random_bits: return expand_random(k, x[0], x[1]);
    default: unreachable("%s has no expansion", op_info(op)->name);
    }
}
