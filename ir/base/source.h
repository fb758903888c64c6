// Source files and places in them. A place is a range of bytes; lines and columns are computed only
// when something is printed.
#ifndef TDSL_IR_BASE_SOURCE_H
#define TDSL_IR_BASE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/base/arena.h"
#include "ir/base/vec.h"

typedef struct Span {
    int file;  // index into Sources; -1: no place (made by the compiler itself)
    int start; // first byte
    int end;   // one past the last byte
} Span;

static const Span no_span = {-1, 0, 0};

typedef struct Source {
    const char *name; // as the user wrote it
    const char *text; // `length` bytes, then two zero bytes (what yy_scan_buffer wants)
    size_t length;
    int *line_starts; // byte offset of each line's first byte
    int line_count;
} Source;

typedef struct Sources {
    Arena *arena;
    VEC(Source) files;
} Sources;

// Adds a copy of `text` as a file; returns its index for Span.file. At most 1 GiB (INT_MAX / 2).
int source_add(Sources *sources, const char *name, const char *text, size_t length);
// Line and column, both from 1; columns count bytes. (0, 0) for a span without a place.
void source_locate(const Sources *sources, Span span, int *line, int *column);
// The bytes of the line with number `line` (from 1), without its newline.
const char *source_line(const Sources *sources, int file, int line, int *length);
// The smallest span that holds both.
Span span_join(Span first, Span last);

#endif
