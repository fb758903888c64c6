// Shared objects and archives from objects in memory. Everything is made in a private folder
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
    const char **objects;
    int object_count;
    const char *result, *log;
} LinkFiles;

static int add_words(const char **words, int count, const char *const *more, int more_count) {
    for (int i = 0; i < more_count; i++) {
        words[count++] = more[i];
    }
    return count;
}

static RunResult link_by_compiler(Arena *arena, const LinkFiles *files, const char **error) {
    int count;
    const char **words = compiler_words(arena, 16 + files->object_count, &count);
    const char *options[] = {"-shared", "-Wl,-z,relro,-z,now,-z,noexecstack"};
    const char *ending[] = {"-o", files->result, "-lm", NULL};
    count = add_words(words, count, options, 2);
    count = add_words(words, count, files->objects, files->object_count);
    add_words(words, count, ending, 4);
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
    const char *options[] = {linker, "-shared", "-z", "relro", "-z", "now", "-z", "noexecstack"};
    const char *ending[] = {"-o", files->result, find_mathematics(), NULL};
    const char **words = arena_array(arena, const char *, 16 + files->object_count);
    int count = add_words(words, 0, options, 8);
    count = add_words(words, count, files->objects, files->object_count);
    add_words(words, count, ending, 4);
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
        const char *options[] = {archivers[i], "rcs", files->result};
        const char **words = arena_array(arena, const char *, 4 + files->object_count);
        int count = add_words(words, 0, options, 3);
        add_words(words, count, files->objects, files->object_count);
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

static bool write_objects(Arena *arena, Objects objects, const char *folder, const char **paths,
                          const char **error) {
    for (int i = 0; i < objects.count; i++) {
        paths[i] = i == 0 ? arena_format(arena, "%s/model.o", folder)
                          : arena_format(arena, "%s/model.%d.o", folder, i);
        if (!write_new_file(arena, paths[i], objects.at[i].at, objects.at[i].count, error)) {
            return false;
        }
    }
    return true;
}

// Makes the result by `make` in a private folder beside `path`, and renames it into place.
static bool make_in_place(Arena *arena, Objects objects, const char *path, const char **error,
                          bool (*make)(Arena *, const LinkFiles *, const char **)) {
    if (!may_replace(arena, path, error)) {
        return false;
    }
    const char *folder = make_private_folder(arena, folder_of(arena, path), error);
    if (!folder) {
        return false;
    }
    LinkFiles files = {
        .objects = arena_array(arena, const char *, objects.count),
        .object_count = objects.count,
        .result = arena_format(arena, "%s/result", folder),
        .log = arena_format(arena, "%s/log", folder),
    };
    bool good =
        write_objects(arena, objects, folder, files.objects, error) && make(arena, &files, error);
    if (good && rename(files.result, path) != 0) {
        *error = arena_format(arena, "cannot write %s: %s", path, strerror(errno));
        good = false;
    }
    remove_private_folder(folder);
    return good;
}

bool link_shared(Arena *arena, Objects objects, const char *path, const char **error) {
    return make_in_place(arena, objects, path, error, run_linker);
}

bool link_archive(Arena *arena, Objects objects, const char *path, const char **error) {
    return make_in_place(arena, objects, path, error, run_archiver);
}
