// Values of the elementwise operators on scalars: what the reference evaluator and constant folding
// compute. Real values come from the table's value column, computed in double; special functions go
// through long double, because near their zeros a sum in double would lose most digits.
#include <math.h>

#include "ir/op.h"

static double floor_divide_real(double x, double y) {
    if (y == 0) {
        return x / y;
    }
    double rest = fmod(x, y);
    double quotient = (x - rest) / y;
    if (rest != 0 && (rest < 0) != (y < 0)) {
        quotient -= 1;
    }
    if (quotient == 0) {
        return copysign(0.0, x / y);
    }
    // The quotient is an integer but for the rounding of its own division.
    double below = floor(quotient);
    return quotient - below > 0.5 ? below + 1 : below;
}

static double remainder_real(double x, double y) {
    double rest = fmod(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

// Of equal operands (0 and -0) the second is the result, as PyTorch has it.
static double minimum_real(double x, double y) {
    if (isnan(x) || isnan(y)) {
        return NAN;
    }
    return x < y ? x : y;
}

static double maximum_real(double x, double y) {
    if (isnan(x) || isnan(y)) {
        return NAN;
    }
    return x > y ? x : y;
}

static const long double pi = 3.141592653589793238462643383279502884L;

enum { SERIES_TERMS = 8, SERIES_START = 16 };

// The Bernoulli numbers B2, B4, ... of Stirling's series. From SERIES_START on, the first term left
// out is below 1e-20.
static const long double bernoulli[SERIES_TERMS] = {
    1.0L / 6,  -1.0L / 30,     1.0L / 42, -1.0L / 30,
    5.0L / 66, -691.0L / 2730, 7.0L / 6,  -3617.0L / 510,
};

// For x > 0: digamma(x) = digamma(x + 1) - 1/x until the series converges.
static long double digamma_positive(long double x) {
    long double below = 0;
    while (x < SERIES_START) {
        below += 1 / x;
        x += 1;
    }
    long double square = 1 / (x * x);
    long double series = 0;
    for (int i = SERIES_TERMS - 1; i >= 0; i--) {
        series = (series + bernoulli[i] / (2 * (i + 1))) * square;
    }
    return logl(x) - 1 / (2 * x) - series - below;
}

static long double trigamma_positive(long double x) {
    long double below = 0;
    while (x < SERIES_START) {
        below += 1 / (x * x);
        x += 1;
    }
    long double square = 1 / (x * x);
    long double series = 0;
    for (int i = SERIES_TERMS - 1; i >= 0; i--) {
        series = (series + bernoulli[i]) * square;
    }
    return below + (1 + series) / x + square / 2;
}

// Negative arguments are reflected: digamma(x) = digamma(1 - x) - pi / tan(pi x). The angle is
// taken from the distance to the nearest integer, which is exact.
static double digamma_real(double x) {
    if (x == 0) {
        return copysign(INFINITY, -x);
    }
    if (x > 0) {
        return isinf(x) ? x : (double)digamma_positive(x);
    }
    if (isnan(x) || x == floor(x)) {
        return NAN;
    }
    long double angle = pi * ((long double)x - rintl(x));
    return (double)(digamma_positive(1 - (long double)x) - pi / tanl(angle));
}

// trigamma(x) = (pi / sin(pi x))^2 - trigamma(1 - x); +inf at the poles, its limit from both sides.
static double trigamma_real(double x) {
    if (x > 0) {
        return isinf(x) ? 0.0 : (double)trigamma_positive(x);
    }
    if (isnan(x) || isinf(x)) {
        return NAN;
    }
    if (x == floor(x)) {
        return INFINITY;
    }
    long double ratio = pi / sinl(pi * ((long double)x - rintl(x)));
    return (double)(ratio * ratio - trigamma_positive(1 - (long double)x));
}

double scalar_round(ElementType element, double value) {
    return element == TYPE_F32 ? (double)(float)value : value;
}

#define ELEMENTWISE(name, arity, rule, derivative, form, traits, value, meaning)                   \
    case OP_##name: return (value);

static double real_value(Op op, double x, double y, double z) {
    switch (op) {
#include "ir/ops.def"
    default: unreachable("%s has no scalar value", op_info(op)->name);
    }
}

double scalar_real(Op op, ElementType element, const double *arguments) {
    int arity = op_info(op)->arity;
    double x = arguments[0];
    double y = arity > 1 ? arguments[1] : 0;
    double z = arity > 2 ? arguments[2] : 0;
    double value = real_value(op, x, y, z);
    return op == OP_cast ? value : scalar_round(element, value);
}

int64_t scalar_wrap(ElementType element, int64_t value) {
    switch (element) {
    case TYPE_BOOL: return value != 0;
    case TYPE_I32: {
        uint32_t low = (uint32_t)(uint64_t)value;
        return low <= INT32_MAX ? (int64_t)low : (int64_t)low - ((int64_t)1 << 32);
    }
    default: return value;
    }
}

int64_t scalar_integer_from_real(ElementType element, double value) {
    if (element == TYPE_BOOL) {
        return value != 0;
    }
    double whole = trunc(value);
    double limit = element == TYPE_I32 ? 0x1p31 : 0x1p63; // exclusive above, inclusive below
    return whole >= -limit && whole < limit ? (int64_t)whole : 0;
}

// Unsigned arithmetic wraps around; this is the way back. Compilers make it no instruction at all.
static int64_t to_signed(uint64_t bits) {
    return bits <= INT64_MAX ? (int64_t)bits : -(int64_t)(UINT64_MAX - bits) - 1;
}

static int64_t floor_divide_integer(int64_t x, int64_t y) {
    if (y == 0) {
        return 0;
    }
    if (y == -1) {
        return to_signed(0 - (uint64_t)x);
    }
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}

static int64_t remainder_integer(int64_t x, int64_t y) {
    if (y == 0 || y == -1) {
        return 0;
    }
    int64_t rest = x % y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

static int64_t shift_left(ElementType element, int64_t x, int64_t y) {
    int bits = element == TYPE_I32 ? 32 : 64;
    return y >= 0 && y < bits ? to_signed((uint64_t)x << y) : 0;
}

static int64_t shift_right(ElementType element, int64_t x, int64_t y) {
    int bits = element == TYPE_I32 ? 32 : 64;
    if (y < 0 || y >= bits) {
        return x < 0 ? -1 : 0;
    }
    return x < 0 ? ~(~x >> y) : x >> y;
}

static uint64_t mix_bits(uint64_t z) {
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

// The formula is part of the language (docs/ir.md): every engine computes the same bits.
static uint64_t random_bits(uint64_t key, uint64_t counter) {
    const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t stream = mix_bits(key + golden);
    return mix_bits(mix_bits(stream + counter * golden) ^ stream);
}

static int64_t integer_value(Op op, ElementType element, int64_t x, int64_t y, int64_t z) {
    switch (op) {
    case OP_add: return to_signed((uint64_t)x + (uint64_t)y);
    case OP_sub: return to_signed((uint64_t)x - (uint64_t)y);
    case OP_mul: return to_signed((uint64_t)x * (uint64_t)y);
    case OP_floor_divide: return floor_divide_integer(x, y);
    case OP_remainder: return remainder_integer(x, y);
    case OP_neg: return to_signed(0 - (uint64_t)x);
    case OP_abs: return x < 0 ? to_signed(0 - (uint64_t)x) : x;
    case OP_sign: return (x > 0) - (x < 0);
    case OP_minimum: return x < y ? x : y;
    case OP_maximum: return x > y ? x : y;
    case OP_eq: return x == y;
    case OP_ne: return x != y;
    case OP_lt: return x < y;
    case OP_le: return x <= y;
    case OP_gt: return x > y;
    case OP_ge: return x >= y;
    case OP_logical_and: return x != 0 && y != 0;
    case OP_logical_or: return x != 0 || y != 0;
    case OP_logical_not: return x == 0;
    case OP_select: return x != 0 ? y : z;
    case OP_cast: return x;
    case OP_bit_and: return to_signed((uint64_t)x & (uint64_t)y);
    case OP_bit_or: return to_signed((uint64_t)x | (uint64_t)y);
    case OP_bit_xor: return to_signed((uint64_t)x ^ (uint64_t)y);
    case OP_shift_left: return shift_left(element, x, y);
    case OP_shift_right: return shift_right(element, x, y);
    case OP_random_bits: return to_signed(random_bits((uint64_t)x, (uint64_t)y));
    default: unreachable("%s has no integer value", op_info(op)->name);
    }
}

int64_t scalar_integer(Op op, ElementType element, const int64_t *arguments) {
    int arity = op_info(op)->arity;
    int64_t x = arguments[0];
    int64_t y = arity > 1 ? arguments[1] : 0;
    int64_t z = arity > 2 ? arguments[2] : 0;
    int64_t value = integer_value(op, element, x, y, z);
    return op == OP_cast ? value : scalar_wrap(element, value);
}
