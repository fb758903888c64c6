// Conversions between f32 and the 16-bit floats by integer arithmetic on the bit patterns, so that
// the result does not depend on the rounding mode, on the compiler, or on hardware support.
#include "runtime/half.h"

#include <string.h>

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float f32_from_f16(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    uint32_t exponent = (bits >> 10) & 0x1fu;
    uint32_t fraction = bits & 0x3ffu;
    if (exponent == 31) {
        return float_of(sign | 0x7f800000u | fraction << 13);
    }
    if (exponent == 0) {
        // A subnormal is fraction * 2^-24, which f32 holds exactly.
        float magnitude = (float)fraction * 0x1p-24f;
        return float_of(sign | bits_of(magnitude));
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

// `value` / 2^shift, rounded to nearest with ties to even.
static uint32_t shift_rounding(uint32_t value, uint32_t shift) {
    uint32_t quotient = value >> shift;
    uint32_t rest = value & ((1u << shift) - 1);
    uint32_t half = 1u << (shift - 1);
    return quotient + (rest > half || (rest == half && (quotient & 1)) ? 1 : 0);
}

uint16_t f16_from_f32(float value) {
    uint32_t bits = bits_of(value);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    }
    if (magnitude >= 0x477ff000u) { // 65520: half way between the largest f16 and 2^16
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude >=
        0x38800000u) { // 2^-14: a carry out of the fraction moves into the exponent, as it should
        return (uint16_t)(sign | shift_rounding(magnitude - 0x38000000u, 13));
    }
    if (magnitude <= 0x33000000u) { // 2^-25: half of the smallest f16, a tie, goes to zero
        return (uint16_t)sign;
    }
    uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
    return (uint16_t)(sign | shift_rounding(significand, 126 - (magnitude >> 23)));
}

float f32_from_bf16(uint16_t bits) {
    return float_of((uint32_t)bits << 16);
}

uint16_t bf16_from_f32(float value) {
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)(bits >> 16 |
                          0x40u); // a payload in the low half only must not turn into infinity
    }
    return (uint16_t)shift_rounding(bits, 16);
}
