// Shared objects and archives from an object in memory. Everything is made in a private folder
// beside the result, and the result is renamed into place: whatever goes wrong, an older file there
// stays as it was.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "codegen/compile.h"
#include "codegen/process.h"

// The folder of `path`; for a name alone the current one.
static const char *folder_of(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return ".";
    }
    return slash == path ? "/" : arena_format(arena, "%.*s", (int)(slash - path), path);
}

// A device, pipe or folder is not for renaming a file over.
static bool may_replace(Arena *arena, const char *path, const char **error) {
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
        *error = arena_format(arena, "cannot write %s: it is not a regular file", path);
        return false;
    }
    return true;
}

typedef struct LinkFiles {
    const char *object, *result, *log;
} LinkFiles;

static RunResult link_by_compiler(Arena *arena, const LinkFiles *files, const char **error) {
    int count;
    const char **words = compiler_words(arena, 16, &count);
    const char *options[] = {
        "-shared", "-Wl,-z,relro,-z,now,-z,noexecstack", files->object, "-o", files->result, "-lm"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        words[count++] = options[i];
    }
    words[count] = NULL;
    return run_program(arena, words, files->log, error);
}

// lld does not know where the system's libraries are, so that libm is named by its file.
static const char *find_mathematics(void) {
    static const char *const places[] = {
        "/lib/x86_64-linux-gnu/libm.so.6",
        "/lib/aarch64-linux-gnu/libm.so.6",
        "/lib/riscv64-linux-gnu/libm.so.6",
        "/lib64/libm.so.6",
        "/usr/lib64/libm.so.6",
        "/usr/lib/libm.so.6",
    };
    struct stat status;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (stat(places[i], &status) == 0) {
            return places[i];
        }
    }
    return NULL;
}

static RunResult link_by_lld(Arena *arena, const char *linker, const LinkFiles *files,
                             const char **error) {
    const char *words[16] = {linker, "-shared",     "-z",          "relro", "-z",         "now",
                             "-z",   "noexecstack", files->object, "-o",    files->result};
    words[11] = find_mathematics();
    return run_program(arena, words, files->log, error);
}

static bool run_linker(Arena *arena, const LinkFiles *files, const char **error) {
    const char *first_error = NULL;
    RunResult result = link_by_compiler(arena, files, &first_error);
    static const char *const linkers[] = {"ld.lld-19", "ld.lld"};
    const char *other_error = NULL;
    for (size_t i = 0; i < sizeof linkers / sizeof *linkers && result == RUN_NOT_FOUND; i++) {
        result = link_by_lld(arena, linkers[i], files, &other_error);
    }
    if (result == RUN_NOT_FOUND) {
        *error = arena_format(arena,
                              "linking a shared object needs a C compiler or lld: %s (set CC, or "
                              "install ld.lld)",
                              first_error);
    } else if (result == RUN_FAILED) {
        *error = arena_format(arena, "linking failed: %s", other_error ? other_error : first_error);
    }
    return result == RUN_DONE;
}

// ar makes the index that linkers want; LLVM's does where there is no other.
static bool run_archiver(Arena *arena, const LinkFiles *files, const char **error) {
    const char *chosen = getenv("AR");
    const char *archivers[] = {chosen && chosen[0] ? chosen : "ar", "llvm-ar-19", "llvm-ar"};
    RunResult result = RUN_NOT_FOUND;
    for (size_t i = 0; i < sizeof archivers / sizeof *archivers && result == RUN_NOT_FOUND; i++) {
        const char *words[] = {archivers[i], "rcs", files->result, files->object, NULL};
        const char *problem = NULL;
        result = run_program(arena, words, files->log, &problem);
        if (result == RUN_FAILED || (result == RUN_NOT_FOUND && i == 0)) {
            *error = arena_format(arena, "making an archive failed: %s", problem);
        }
    }
    if (result == RUN_DONE) {
        *error = NULL;
    }
    return result == RUN_DONE;
}

// Makes the result by `make` in a private folder beside `path`, and renames it into place.
static bool make_in_place(Arena *arena, Bytes object, const char *path, const char **error,
                          bool (*make)(Arena *, const LinkFiles *, const char **)) {
    if (!may_replace(arena, path, error)) {
        return false;
    }
    const char *folder = make_private_folder(arena, folder_of(arena, path), error);
    if (!folder) {
        return false;
    }
    LinkFiles files = {
        .object = arena_format(arena, "%s/model.o", folder),
        .result = arena_format(arena, "%s/result", folder),
        .log = arena_format(arena, "%s/log", folder),
    };
    bool good = write_new_file(arena, files.object, object.at, object.count, error) &&
                make(arena, &files, error);
    if (good && rename(files.result, path) != 0) {
        *error = arena_format(arena, "cannot write %s: %s", path, strerror(errno));
        good = false;
    }
    remove_private_folder(folder);
    return good;
}

bool link_shared(Arena *arena, Bytes object, const char *path, const char **error) {
    return make_in_place(arena, object, path, error, run_linker);
}

bool link_archive(Arena *arena, Bytes object, const char *path, const char **error) {
    return make_in_place(arena, object, path, error, run_archiver);
}
