// SHA-256 (FIPS 180-4).
#ifndef TDSL_IR_BASE_SHA256_H
#define TDSL_IR_BASE_SHA256_H

#include <stddef.h>

enum { SHA256_BYTES = 32 };

void sha256(const void *bytes, size_t count, unsigned char digest[SHA256_BYTES]);

#endif
