// The C emitter: one .c and one .h, C99 and valid C++, depending on libm alone.
#ifndef TDSL_CODEGEN_EMIT_C_H
#define TDSL_CODEGEN_EMIT_C_H

#include "codegen/loops.h"

typedef struct ProductOptions {
    const char *header_name;  // what the .c includes: "classifier.h"
    const char *library_name; // for comments
} ProductOptions;

// The public header, the same for every product (C, object, shared object): structs, entries,
// workspace sizes, statuses, ABI version, shapes in comments, ownership and aliasing rules.
void emit_c_header(Text *out, const Program *program, const ProductOptions *options);
void emit_c_source(Text *out, const Program *program, const ProductOptions *options);
// Machine-readable manifest (JSON): names, dtypes, shapes, entry points.
void emit_manifest(Text *out, const Program *program);

#endif
