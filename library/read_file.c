// Files as a whole: read into an arena, written so that no half file is ever left behind.
#include "library/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *read_file(Arena *arena, const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    struct stat info;
    if (fstat(fileno(file), &info) == 0 && S_ISDIR(info.st_mode)) {
        fclose(file);
        errno = EISDIR;
        return NULL;
    }
    size_t capacity = 1 << 16, count = 0;
    char *bytes = arena_alloc(arena, capacity + 1);
    for (;;) {
        count += fread(bytes + count, 1, capacity - count, file);
        if (count < capacity)
            break;
        char *larger = arena_alloc(arena, 2 * capacity + 1);
        memcpy(larger, bytes, count);
        bytes = larger;
        capacity *= 2;
    }
    int failed = ferror(file) ? errno : 0;
    fclose(file);
    if (failed) {
        errno = failed;
        return NULL;
    }
    *length = count;
    return bytes;
}

static int write_all(int descriptor, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(descriptor, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return 0;
        bytes += written;
        length -= (size_t)written;
    }
    return 1;
}

int write_file(Arena *arena, const char *path, const void *bytes, size_t length) {
    struct stat info;
    bool exists = stat(path, &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) {
        int descriptor = open(path, O_WRONLY);
        if (descriptor < 0)
            return 0;
        int good = write_all(descriptor, bytes, length);
        return (close(descriptor) == 0) & good;
    }
    char *beside = arena_format(arena, "%s.XXXXXX", path);
    int descriptor = mkstemp(beside);
    if (descriptor < 0)
        return 0;
    mode_t mask = umask(0);
    umask(mask);
    int good = write_all(descriptor, bytes, length) &&
               fchmod(descriptor, exists ? info.st_mode & 0777 : 0666 & ~mask) == 0;
    int failed = errno;
    if (close(descriptor) != 0) {
        failed = errno;
        good = 0;
    }
    if (good && rename(beside, path) == 0)
        return 1;
    if (good)
        failed = errno;
    unlink(beside);
    errno = failed;
    return 0;
}
