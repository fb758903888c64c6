// Compiles a hand-made program with LLVM and loads it, for tests of the LLVM emitter.
#ifndef TDSL_TESTS_JIT_RUN_H
#define TDSL_TESTS_JIT_RUN_H

#include <stdlib.h>

#include "codegen/compile.h"
#include "codegen/product.h"
#include "tests/products/support/build.h"
#include "tests/unit/expect.h"

// The program as machine code for this machine; ends the test if that fails.
static inline Loaded *load_program(Maker *maker, int level) {
    const char *error = NULL;
    CompileOptions options = {.level = level, .position_independent = true};
    Objects objects;
    Loaded *loaded = NULL;
    if (compile_objects(maker->arena, maker->program, &options, &objects, &error))
        loaded = load_objects(maker->program, objects, &error, maker->arena);
    if (loaded == NULL) {
        fprintf(stderr, "level %d: %s\n", level, error ? error : "no message");
        exit(1);
    }
    return loaded;
}

#endif
