// Parallel loops in C: see emit_c_parallel.c.
#ifndef TDSL_CODEGEN_EMIT_C_PARALLEL_H
#define TDSL_CODEGEN_EMIT_C_PARALLEL_H

#include "codegen/emit_c_write.h"

// Names of what the functions below write, when those of the kernels are known.
void take_parallel_names(Writer *writer);
// After the kernel: what calls it for one chunk; nothing if it is never called so.
void write_chunk_function(Writer *writer, const Kernel *kernel);
// What has chunks run; nothing if the program has none.
void write_run_function(const Writer *writer, Text *out);
// The statement.
void write_parallel_loop(Writer *writer, const Loop *loop);

#endif
