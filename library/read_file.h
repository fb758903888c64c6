// Reading a whole file.
#ifndef TDSL_LIBRARY_READ_FILE_H
#define TDSL_LIBRARY_READ_FILE_H

#include "ir/base/arena.h"

// The file's bytes and a terminating zero, in `arena`; NULL with errno set.
const char *read_file(Arena *arena, const char *path, size_t *length);
// Writes a file whole or not at all: to a new file beside it, then renamed over `path`. A path that
// is no regular file (a device, a pipe) is written directly. False with errno set.
int write_file(Arena *arena, const char *path, const void *bytes, size_t length);

#endif
