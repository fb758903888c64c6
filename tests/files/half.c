// The 16-bit floats against their definition: all 65,536 patterns, and f32 values on, between and
// around all neighbours.
#include "runtime/half.h"

#include <math.h>

#include "tests/unit/expect.h"

// The value of a pattern by the definition of the format: `fraction_bits` of fraction, exponents
// biased by `bias`.
static double value_of(uint16_t bits, int fraction_bits, int bias) {
    int exponent_mask = (1 << (15 - fraction_bits)) - 1;
    int exponent = bits >> fraction_bits & exponent_mask;
    int fraction = bits & ((1 << fraction_bits) - 1);
    double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == exponent_mask) {
        return fraction != 0 ? NAN : sign * INFINITY;
    }
    if (exponent == 0) {
        return sign * ldexp(fraction, 1 - bias - fraction_bits);
    }
    return sign * ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

typedef struct Half {
    int fraction_bits, bias;
    float (*widen)(uint16_t bits);
    uint16_t (*narrow)(float value);
} Half;

static bool same(double a, double b) {
    return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

// Positive finite neighbours `low` and `low + 1` (perhaps infinity): what lies between goes to the
// nearer, a tie to the even pattern. Infinity counts as the next power of two.
static void check_between(const Half *half, uint16_t low) {
    double a = value_of(low, half->fraction_bits, half->bias);
    double b = value_of((uint16_t)(low + 1), half->fraction_bits, half->bias);
    b = isinf(b) ? 2 * a - value_of((uint16_t)(low - 1), half->fraction_bits, half->bias) : b;
    double middle = (a + b) / 2;
    float tie = (float)middle;
    uint16_t even = low % 2 == 0 ? low : (uint16_t)(low + 1);
    EXPECT((double)tie == middle);
    EXPECT(half->narrow(tie) == even && half->narrow(-tie) == (even | 0x8000));
    float below = nextafterf(tie, 0), above = nextafterf(tie, INFINITY);
    EXPECT(half->narrow(below) == low && half->narrow(-below) == (low | 0x8000));
    EXPECT(half->narrow(above) == low + 1 && half->narrow(-above) == ((low + 1) | 0x8000));
}

static void check_half(const Half *half) {
    for (int bits = 0; bits < 65536; bits++) {
        float value = half->widen((uint16_t)bits);
        EXPECT(same(value, value_of((uint16_t)bits, half->fraction_bits, half->bias)));
        uint16_t back = half->narrow(value);
        EXPECT(isnan(value) ? isnan(half->widen(back)) && (back & 0x8000) == (bits & 0x8000)
                            : back == bits);
    }
    uint16_t infinity = (uint16_t)(((1 << (15 - half->fraction_bits)) - 1) << half->fraction_bits);
    for (int bits = 0; bits < infinity; bits++) {
        check_between(half, (uint16_t)bits);
    }
    EXPECT(half->narrow(INFINITY) == infinity && half->narrow(-INFINITY) == (infinity | 0x8000));
    EXPECT(half->narrow(3.4028234e38f) == infinity);
    EXPECT(half->narrow(-0.0f) == 0x8000);
}

int main(void) {
    check_half(&(Half){10, 15, f32_from_f16, f16_from_f32});
    check_half(&(Half){7, 127, f32_from_bf16, bf16_from_f32});
    EXPECT(f32_from_f16(0x3c00) == 1 && f32_from_f16(0x7bff) == 65504 &&
           f32_from_bf16(0x3f80) == 1);
    return expect_result();
}
