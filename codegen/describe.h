// What the loop form says as a row of bytes: two programs, or two kernels, with the same bytes
// become the same machine code.
#ifndef TDSL_CODEGEN_DESCRIBE_H
#define TDSL_CODEGEN_DESCRIBE_H

#include "codegen/loops.h"

typedef struct Description {
    Arena *arena; // of the bytes
    VEC(unsigned char) bytes;
} Description;

// A kernel but for its name, for the names, places and contents of its buffers, and for where it
// comes from. Failures are described by what they say.
void describe_kernel(Description *out, const Program *program, const Kernel *kernel);
// All that its entries compute and are called: kernels, entries, constants with their data, the
// numbers of failures; but not the texts of failures.
void describe_program(Description *out, const Program *program);

#endif
