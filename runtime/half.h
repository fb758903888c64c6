// The two 16-bit floating-point storage types, as bit patterns. To f32 is exact. From f32 rounds to
// nearest, ties to even, and overflows to infinity; a NaN stays a NaN with its sign. Coming from
// f64, rounding to f32 first would round twice: in the rare case that this matters, do not go
// through f32.
#ifndef TDSL_RUNTIME_HALF_H
#define TDSL_RUNTIME_HALF_H

#include <stdint.h>

float f32_from_f16(uint16_t bits);
uint16_t f16_from_f32(float value);
float f32_from_bf16(uint16_t bits);
uint16_t bf16_from_f32(float value);

#endif
