// An entry is a file, named for the digest of what its object is made from: a head of fixed size
// and the object. Entries come into being by rename, so they are never seen half written; a reader
// believes only what the checksum in the head confirms. An entry's time of modification is that of
// its last use.
#include "codegen/object_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "codegen/describe.h"
#include "codegen/product.h"
#include "ir/base/sha256.h"

extern const char compiler_build_id[]; // made by build_id.cmake

static const char magic[16] = "tdsl object 1\n\0";

typedef struct Head {
    char magic[sizeof magic];
    unsigned char key[SHA256_BYTES];
    unsigned char digest[SHA256_BYTES]; // of the object
    unsigned char count[8];             // bytes of the object, lowest first
} Head;

// ---- the folder

static bool is_own_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static const char *base_folder(Arena *arena) {
    const char *base = getenv("XDG_CACHE_HOME");
    if (base != NULL && base[0] == '/') {
        return base;
    }
    const char *home = getenv("HOME");
    return home != NULL && home[0] == '/' ? arena_format(arena, "%s/.cache", home) : NULL;
}

const char *find_cache_folder(Arena *arena) {
    const char *folder = getenv("TDSL_CACHE_DIR");
    if (folder == NULL) {
        const char *base = base_folder(arena);
        if (base == NULL) {
            return NULL;
        }
        (void)mkdir(base, 0700);
        folder = arena_format(arena, "%s/tdsl", base);
    }
    if (folder[0] == '\0') {
        return NULL;
    }
    (void)mkdir(folder, 0700); // if it fails there is such a folder, or none
    return is_own_folder(folder) ? arena_copy_string(arena, folder) : NULL;
}

// ---- keys

static void add_text(Description *out, const char *text) {
    for (size_t i = 0; i <= strlen(text); i++) {
        vec_push(out->arena, &out->bytes, (unsigned char)text[i]);
    }
}

static void make_key(const Program *program, const CompileOptions *options,
                     unsigned char key[SHA256_BYTES]) {
    Arena scratch = {0};
    Description all = {.arena = &scratch};
    add_text(&all, compiler_build_id);
    add_text(&all, llvm_version());
    add_text(&all, describe_target(&scratch, &options->target));
    add_text(&all, arena_format(&scratch, "-O%d pic=%d entries_only=%d abi=%d", options->level,
                                options->position_independent, options->entries_only,
                                PRODUCT_ABI_VERSION));
    describe_program(&all, program);
    sha256(all.bytes.at, (size_t)all.bytes.count, key);
    arena_free(&scratch);
}

static const char *entry_path(Arena *arena, const char *folder,
                              const unsigned char key[SHA256_BYTES]) {
    Text path = text_new(arena);
    text_format(&path, "%s/", folder);
    for (int i = 0; i < SHA256_BYTES; i++) {
        text_format(&path, "%02x", key[i]);
    }
    text_add(&path, ".object");
    return text_string(&path);
}

// ---- reading

static bool read_all(int file, void *bytes, size_t count) {
    for (char *at = bytes; count > 0;) {
        ssize_t done = read(file, at, count);
        if (done <= 0) {
            return false;
        }
        at += done;
        count -= (size_t)done;
    }
    return true;
}

static uint64_t head_count(const Head *head) {
    uint64_t count = 0;
    for (int i = 0; i < 8; i++) {
        count |= (uint64_t)head->count[i] << (8 * i);
    }
    return count;
}

static bool read_object(Arena *arena, int file, const unsigned char key[SHA256_BYTES],
                        Bytes *object) {
    struct stat status;
    Head head;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
        (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 || status.st_size < (off_t)sizeof head ||
        !read_all(file, &head, sizeof head)) {
        return false;
    }
    size_t count = (size_t)status.st_size - sizeof head;
    if (memcmp(head.magic, magic, sizeof magic) != 0 ||
        memcmp(head.key, key, sizeof head.key) != 0 || head_count(&head) != count) {
        return false;
    }
    unsigned char *bytes = arena_alloc(arena, count);
    unsigned char digest[SHA256_BYTES];
    if (!read_all(file, bytes, count)) {
        return false;
    }
    sha256(bytes, count, digest);
    *object = (Bytes){bytes, count};
    return memcmp(head.digest, digest, sizeof digest) == 0;
}

static bool find_object(Arena *arena, const char *path, const unsigned char key[SHA256_BYTES],
                        Bytes *object) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) {
        return false;
    }
    bool found = read_object(arena, file, key, object);
    if (found) {
        (void)futimens(file, NULL);
    } else {
        (void)unlink(path);
    }
    (void)close(file);
    return found;
}

// ---- bounding

enum { MOST_ENTRIES = 10000, STALE_SECONDS = 600 };

typedef struct CacheFile {
    const char *path;
    struct timespec used;
    uint64_t bytes;
} CacheFile;

static uint64_t most_bytes(void) {
    const char *chosen = getenv("TDSL_CACHE_BYTES");
    char *end = NULL;
    unsigned long long bytes = chosen != NULL ? strtoull(chosen, &end, 10) : 0;
    return end != NULL && end != chosen && *end == '\0' ? bytes : (uint64_t)256 << 20;
}

static int compare_used(const void *x, const void *y) {
    const CacheFile *a = x, *b = y;
    if (a->used.tv_sec != b->used.tv_sec) {
        return a->used.tv_sec < b->used.tv_sec ? -1 : 1;
    }
    if (a->used.tv_nsec != b->used.tv_nsec) {
        return a->used.tv_nsec < b->used.tv_nsec ? -1 : 1;
    }
    return strcmp(a->path, b->path);
}

static bool ends_in(const char *name, const char *ending) {
    size_t length = strlen(name), tail = strlen(ending);
    return length > tail && strcmp(name + length - tail, ending) == 0;
}

// Removes what has not been used for the longest time until the folder is small enough, and what
// processes that died have left behind. Other files are nobody's business here.
static void bound_folder(const char *folder) {
    Arena scratch = {0};
    VEC(CacheFile) files = {0};
    uint64_t total = 0;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        const char *path = arena_format(&scratch, "%s/%s", folder, entry->d_name);
        struct stat status;
        bool is_object = ends_in(entry->d_name, ".object");
        bool is_part = strncmp(entry->d_name, "part.", 5) == 0;
        if ((!is_object && !is_part) || lstat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
            continue;
        }
        if (is_part && time(NULL) - status.st_mtim.tv_sec > STALE_SECONDS) {
            (void)unlink(path);
        } else if (is_object) {
            CacheFile file = {path, status.st_mtim, (uint64_t)status.st_size};
            vec_push(&scratch, &files, file);
            total += file.bytes;
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
    if (files.count > 1) {
        qsort(files.at, (size_t)files.count, sizeof *files.at, compare_used);
    }
    uint64_t most = most_bytes();
    for (int i = 0; i < files.count && (total > most || files.count - i > MOST_ENTRIES); i++) {
        (void)unlink(files.at[i].path);
        total -= files.at[i].bytes;
    }
    arena_free(&scratch);
}

// ---- writing

static bool write_all(int file, const void *bytes, size_t count) {
    for (const char *at = bytes; count > 0;) {
        ssize_t done = write(file, at, count);
        if (done <= 0) {
            return false;
        }
        at += done;
        count -= (size_t)done;
    }
    return true;
}

static void keep_object(Arena *arena, const char *folder, const char *path,
                        const unsigned char key[SHA256_BYTES], Bytes object) {
    if (object.count + sizeof(Head) > most_bytes()) {
        return;
    }
    Head head;
    memcpy(head.magic, magic, sizeof magic);
    memcpy(head.key, key, sizeof head.key);
    sha256(object.at, object.count, head.digest);
    for (int i = 0; i < 8; i++) {
        head.count[i] = (unsigned char)((uint64_t)object.count >> (8 * i));
    }
    char *part = arena_format(arena, "%s/part.XXXXXX", folder);
    int file = mkstemp(part);
    if (file < 0) {
        return;
    }
    bool written = write_all(file, &head, sizeof head) && write_all(file, object.at, object.count);
    written &= close(file) == 0;
    if (!written || rename(part, path) != 0) {
        (void)unlink(part);
    }
    bound_folder(folder);
}

bool compile_object_cached(Arena *arena, const char *folder, const Program *program,
                           const CompileOptions *options, Bytes *object, const char **error) {
    if (folder == NULL || !options->entries_only) { // the texts of failures are not in the key
        return compile_object(arena, program, options, object, error);
    }
    unsigned char key[SHA256_BYTES];
    make_key(program, options, key);
    const char *path = entry_path(arena, folder, key);
    if (find_object(arena, path, key, object)) {
        return true;
    }
    if (!compile_object(arena, program, options, object, error)) {
        return false;
    }
    keep_object(arena, folder, path, key, *object);
    return true;
}
