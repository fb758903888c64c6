// An entry is a file, named for the digest of what its objects are made from: a head of fixed size,
// the number of objects and the length of each in words, and the objects one after the other.
// Entries come into being by rename, so they are never seen half written; a reader believes only
// what the checksum in the head confirms. An entry's time of modification is that of its last use.
#include "codegen/object_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
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

static const char magic[16] = "tdsl object 2\n\0";

typedef struct Head {
    char magic[sizeof magic];
    unsigned char key[SHA256_BYTES];
    unsigned char digest[SHA256_BYTES]; // of what follows
    unsigned char count[8];             // bytes of it, a word
} Head;

enum { WORD_BYTES = 8 }; // lowest first

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
    add_text(&all, arena_format(&scratch, "-O%d pic=%d entries_only=%d parts=%d abi=%d",
                                options->level, options->position_independent,
                                options->entries_only, options->parts, PRODUCT_ABI_VERSION));
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

static uint64_t get_word(const unsigned char *from) {
    uint64_t word = 0;
    for (int i = 0; i < WORD_BYTES; i++) {
        word |= (uint64_t)from[i] << (8 * i);
    }
    return word;
}

static void put_word(unsigned char *to, uint64_t word) {
    for (int i = 0; i < WORD_BYTES; i++) {
        to[i] = (unsigned char)(word >> (8 * i));
    }
}

static Bytes pack_objects(Arena *arena, Objects objects) {
    size_t words = ((size_t)objects.count + 1) * WORD_BYTES, count = words;
    for (int i = 0; i < objects.count; i++) {
        count += objects.at[i].count;
    }
    unsigned char *bytes = arena_alloc(arena, count);
    put_word(bytes, (uint64_t)objects.count);
    unsigned char *next = bytes + words;
    for (int i = 0; i < objects.count; i++) {
        put_word(bytes + ((size_t)i + 1) * WORD_BYTES, objects.at[i].count);
        memcpy(next, objects.at[i].at, objects.at[i].count);
        next += objects.at[i].count;
    }
    return (Bytes){bytes, count};
}

static bool unpack_objects(Arena *arena, Bytes packed, Objects *objects) {
    size_t left = packed.count / WORD_BYTES;
    uint64_t count = left > 0 ? get_word(packed.at) : 0;
    if (count == 0 || count >= left || count > INT_MAX) {
        return false;
    }
    *objects = (Objects){arena_array(arena, Bytes, count), (int)count};
    const unsigned char *next = packed.at + (count + 1) * WORD_BYTES;
    left = packed.count - (count + 1) * WORD_BYTES;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t size = get_word(packed.at + (i + 1) * WORD_BYTES);
        if (size > left) {
            return false;
        }
        objects->at[i] = (Bytes){next, size};
        next += size;
        left -= size;
    }
    return left == 0;
}

static bool read_entry(Arena *arena, int file, const unsigned char key[SHA256_BYTES],
                       Objects *objects) {
    struct stat status;
    Head head;
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
        (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 || status.st_size < (off_t)sizeof head ||
        !read_all(file, &head, sizeof head)) {
        return false;
    }
    size_t count = (size_t)status.st_size - sizeof head;
    if (memcmp(head.magic, magic, sizeof magic) != 0 ||
        memcmp(head.key, key, sizeof head.key) != 0 || get_word(head.count) != count) {
        return false;
    }
    unsigned char *bytes = arena_alloc(arena, count);
    unsigned char digest[SHA256_BYTES];
    if (!read_all(file, bytes, count)) {
        return false;
    }
    sha256(bytes, count, digest);
    return memcmp(head.digest, digest, sizeof digest) == 0 &&
           unpack_objects(arena, (Bytes){bytes, count}, objects);
}

static bool find_objects(Arena *arena, const char *path, const unsigned char key[SHA256_BYTES],
                         Objects *objects) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) {
        return false;
    }
    bool found = read_entry(arena, file, key, objects);
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

static void keep_objects(Arena *arena, const char *folder, const char *path,
                         const unsigned char key[SHA256_BYTES], Objects objects) {
    Bytes packed = pack_objects(arena, objects);
    if (packed.count + sizeof(Head) > most_bytes()) {
        return;
    }
    Head head;
    memcpy(head.magic, magic, sizeof magic);
    memcpy(head.key, key, sizeof head.key);
    sha256(packed.at, packed.count, head.digest);
    put_word(head.count, packed.count);
    char *part = arena_format(arena, "%s/part.XXXXXX", folder);
    int file = mkstemp(part);
    if (file < 0) {
        return;
    }
    bool written = write_all(file, &head, sizeof head) && write_all(file, packed.at, packed.count);
    written &= close(file) == 0;
    if (!written || rename(part, path) != 0) {
        (void)unlink(part);
    }
    bound_folder(folder);
}

bool compile_objects_cached(Arena *arena, const char *folder, const Program *program,
                            const CompileOptions *options, Objects *objects, const char **error) {
    if (folder == NULL || !options->entries_only) { // the texts of failures are not in the key
        return compile_objects(arena, program, options, objects, error);
    }
    unsigned char key[SHA256_BYTES];
    make_key(program, options, key);
    const char *path = entry_path(arena, folder, key);
    if (find_objects(arena, path, key, objects)) {
        return true;
    }
    if (!compile_objects(arena, program, options, objects, error)) {
        return false;
    }
    keep_objects(arena, folder, path, key, *objects);
    return true;
}
