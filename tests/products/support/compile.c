// See compile.h.
#include "tests/products/support/compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codegen/emit_c.h"
#include "codegen/process.h"

bool has_program(Arena *arena, const char *name) {
    const char *path = getenv("PATH");
    char *folders = arena_copy_string(arena, path ? path : "");
    char *rest = NULL;
    for (char *folder = strtok_r(folders, ":", &rest); folder;
         folder = strtok_r(NULL, ":", &rest)) {
        if (access(arena_format(arena, "%s/%s", folder, name), X_OK) == 0) {
            return true;
        }
    }
    return false;
}

// One way to compile: a compiler, a language, its flags.
typedef struct Way {
    const char *compiler;
    const char *flags[6];
} Way;

static const Way ways[] = {
    {"gcc", {"-xc", "-std=c99", "-pedantic", "-Wstrict-prototypes", "-Wmissing-prototypes"}},
    {"clang", {"-xc", "-std=c99", "-pedantic", "-Wstrict-prototypes", "-Wmissing-prototypes"}},
    {"clang-19", {"-xc", "-std=c99", "-pedantic", "-Wstrict-prototypes", "-Wmissing-prototypes"}},
    {"g++", {"-xc++", "-std=c++11", "-pedantic"}},
    {"clang++", {"-xc++", "-std=c++11", "-pedantic"}},
    {"clang++-19", {"-xc++", "-std=c++11", "-pedantic"}},
};

static bool compile_one(Arena *arena, const char *folder, const Way *way, const char *level) {
    const char *words[24];
    int count = 0;
    words[count++] = way->compiler;
    for (int i = 0; i < 6 && way->flags[i]; i++) {
        words[count++] = way->flags[i];
    }
    const char *always[] = {"-Wall", "-Wextra", "-Wshadow", "-Werror", "-c", level};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        words[count++] = always[i];
    }
    words[count++] = arena_format(arena, "%s/model.c", folder);
    words[count++] = "-o";
    words[count++] = arena_format(arena, "%s/%s%s.o", folder, way->compiler, level);
    words[count] = NULL;
    const char *error = NULL;
    if (run_program(arena, words, arena_format(arena, "%s/log", folder), &error) == RUN_DONE) {
        return true;
    }
    fprintf(stderr, "%s %s %s: %s\n", way->compiler, way->flags[0], level, error);
    return false;
}

// Every defined name of the object begins with the program's name.
static bool shows_only_its_names(Arena *arena, const char *folder, const char *object,
                                 const char *name) {
    const char *words[] = {
        "nm", "-g", "--defined-only", "-j", arena_format(arena, "%s/%s", folder, object), NULL};
    const char *log = arena_format(arena, "%s/names", folder);
    const char *error = NULL;
    if (run_program(arena, words, log, &error) != RUN_DONE) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    FILE *file = fopen(log, "r");
    char line[512];
    int shown = 0;
    bool good = file != NULL;
    while (file && fgets(line, sizeof line, file)) {
        bool own = strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == '_';
        if (!own) {
            fprintf(stderr, "the object shows the foreign name %s", line);
        }
        good = good && own;
        shown++;
    }
    if (file) {
        fclose(file);
    }
    return good && shown > 0;
}

static void print_with_numbers(const char *text) {
    int line = 1;
    for (const char *start = text; *start; line++) {
        size_t length = strcspn(start, "\n");
        fprintf(stderr, "%4d %.*s\n", line, (int)length, start);
        start += length + (start[length] == '\n');
    }
}

int compile_everywhere(const Program *program, int *tried) {
    Arena arena = {0};
    const char *error = NULL;
    const char *folder = make_private_folder(&arena, NULL, &error);
    if (!folder) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    ProductOptions options = {.header_name = "model.h", .library_name = "model.c"};
    Text header = text_new(&arena), source = text_new(&arena);
    emit_c_header(&header, program, &options);
    emit_c_source(&source, program, &options);
    int failed = !write_new_file(&arena, arena_format(&arena, "%s/model.h", folder),
                                 text_string(&header), header.length, &error);
    failed += !write_new_file(&arena, arena_format(&arena, "%s/model.c", folder),
                              text_string(&source), source.length, &error);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (has_program(&arena, ways[i].compiler)) {
            failed += !compile_one(&arena, folder, &ways[i], "-O0");
            failed += !compile_one(&arena, folder, &ways[i], "-O3");
            *tried += 2;
        }
    }
    failed += !shows_only_its_names(&arena, folder, "gcc-O0.o", program->name);
    if (failed) {
        print_with_numbers(text_string(&header));
        print_with_numbers(text_string(&source));
    }
    remove_private_folder(folder);
    arena_free(&arena);
    return failed;
}

const char *const *engine_compilers(void) {
    static const char *const compilers[] = {
        "cc",       "gcc -fsanitize=undefined -fno-sanitize-recover=all",
        "clang-19", "gcc -march=native",
        "llvm",     NULL,
    };
    return compilers;
}

static Loaded *load_by_llvm(Arena *arena, const Program *program, int level) {
    CompileOptions options = {.level = level, .position_independent = true};
    const char *error = NULL;
    Objects objects;
    Loaded *loaded = NULL;
    if (compile_objects(arena, program, &options, &objects, &error)) {
        loaded = load_objects(program, objects, &error, arena);
    }
    if (!loaded) {
        fprintf(stderr, "LLVM: %s\n", error);
    }
    return loaded;
}

Loaded *load_with(Arena *arena, const Program *program, const char *compiler, int level) {
    if (strcmp(compiler, "llvm") == 0) {
        return load_by_llvm(arena, program, level);
    }
    setenv("CC", compiler, 1);
    const char *error = NULL;
    Loaded *loaded = load_c(program, level, &error, arena);
    if (!loaded) {
        fprintf(stderr, "CC='%s': %s\n", compiler, error);
    }
    return loaded;
}
