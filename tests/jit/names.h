// What nm lists, for tests of the names that machine code shows.
#ifndef TDSL_TESTS_JIT_NAMES_H
#define TDSL_TESTS_JIT_NAMES_H

#include "codegen/process.h"
#include "library/read_file.h"
#include "run.h"

// The names that the file defines, one a line; `which` is an option of nm. It leaves a file beside.
static inline const char *names_of(Arena *arena, const char *path, const char *which) {
    const char *error = NULL, *log = arena_format(arena, "%s.%s", path, which);
    const char *words[] = {"nm", which, "--defined-only", "-j", path, NULL};
    size_t length;
    EXPECT(run_program(arena, words, log, &error) == RUN_DONE);
    const char *names = read_file(arena, log, &length);
    return names ? names : "";
}

#endif
