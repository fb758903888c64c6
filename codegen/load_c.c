// The engine "c": the emitted source compiled by the system's compiler to a shared object, and
// loaded. The file is deleted as soon as it is mapped.
#include <dlfcn.h>
#include <string.h>

#include "codegen/emit_c.h"
#include "codegen/loaded.h"
#include "codegen/process.h"
#include "codegen/product.h"

static bool write_sources(Arena *arena, const Program *program, const char *folder,
                          const char **error) {
    ProductOptions options = {.header_name = "model.h"};
    Text header = text_new(arena), source = text_new(arena);
    emit_c_header(&header, program, &options);
    emit_c_source(&source, program, &options);
    return write_new_file(arena, arena_format(arena, "%s/model.h", folder), text_string(&header),
                          header.length, error) &&
           write_new_file(arena, arena_format(arena, "%s/model.c", folder), text_string(&source),
                          source.length, error);
}

static bool compile_sources(Arena *arena, const char *folder, int level, const char *library,
                            const char **error) {
    int count;
    const char **words = compiler_words(arena, 16, &count);
    const char *options[] = {"-std=c99", "-shared", "-fPIC", "-w"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        words[count++] = options[i];
    }
    words[count++] = arena_format(arena, "-O%d", level);
    words[count++] = "-DTDSL_ONE_TARGET";
#ifdef __x86_64__
    if (level >= 2) {
        words[count++] = "-march=native";             // the code is for this process
        words[count++] = "-mprefer-vector-width=512"; // and laid out for its widest vectors
    }
#endif
    words[count++] = arena_format(arena, "%s/model.c", folder);
    words[count++] = "-o";
    words[count++] = library;
    words[count++] = "-lm";
    words[count] = NULL;
    return run_program(arena, words, arena_format(arena, "%s/log", folder), error) == RUN_DONE;
}

static void close_library(void *library) {
    dlclose(library);
}

static Loaded *open_library(Arena *arena, const Program *program, const char *library,
                            const char **error) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        *error = arena_format(arena, "cannot load the compiled program: %s", dlerror());
        return NULL;
    }
    Loaded *loaded = loaded_new(arena, program);
    loaded->owner = handle;
    loaded->release = close_library;
    for (int i = 0; i < program->entries.count; i++) {
        void *symbol = dlsym(handle, loaded_symbol(arena, program, program->entries.at[i]));
        if (!symbol) {
            *error = arena_format(arena, "the compiled program lacks an entry: %s", dlerror());
            loaded_free(loaded);
            return NULL;
        }
        memcpy(&loaded->entries[i], &symbol, sizeof symbol);
    }
    return loaded;
}

Loaded *load_c(const Program *program, int level, const char **error, Arena *arena) {
    const char *folder = make_private_folder(arena, NULL, error);
    if (!folder) {
        return NULL;
    }
    const char *library = arena_format(arena, "%s/model.so", folder);
    Loaded *loaded = NULL;
    if (write_sources(arena, program, folder, error) &&
        compile_sources(arena, folder, level, library, error)) {
        loaded = open_library(arena, program, library, error);
    }
    remove_private_folder(folder);
    return loaded;
}
