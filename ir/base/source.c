// Source files: text, and the start of each line, found once when the file is added. A line ends
// with
// "\n" or "\r\n"; the last line may be empty and always exists, so the end of a file has a place
// too.
#include "ir/base/source.h"

#include <limits.h>
#include <string.h>

#include "ir/base/check.h"

static void find_lines(Arena *arena, Source *source) {
    const char *end = source->text + source->length;
    int lines = 1;
    for (const char *at = source->text; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        lines++;
    }
    source->line_starts = arena_array(arena, int, lines);
    source->line_count = lines;
    int line = 1;
    for (const char *at = source->text; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        source->line_starts[line++] = (int)(at - source->text) + 1;
    }
}

int source_add(Sources *sources, const char *name, const char *text, size_t length) {
    check(length <= INT_MAX / 2, "source file %s is too long: %zu bytes", name, length);
    char *copy = arena_alloc(sources->arena, length + 2);
    if (length) {
        memcpy(copy, text, length);
    }
    Source source = {
        .name = arena_copy_string(sources->arena, name), .text = copy, .length = length};
    find_lines(sources->arena, &source);
    vec_push(sources->arena, &sources->files, source);
    return sources->files.count - 1;
}

static const Source *find_source(const Sources *sources, int file) {
    check(file >= 0 && file < sources->files.count, "no source file has number %d", file);
    return &sources->files.at[file];
}

void source_locate(const Sources *sources, Span span, int *line, int *column) {
    *line = 0;
    *column = 0;
    if (span.file < 0) {
        return;
    }
    const Source *source = find_source(sources, span.file);
    int length = (int)source->length;
    int offset = span.start < 0 ? 0 : span.start > length ? length : span.start;
    int low = 0; // the line is in [low, high)
    int high = source->line_count;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (source->line_starts[middle] <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *line = low + 1;
    *column = offset - source->line_starts[low] + 1;
}

const char *source_line(const Sources *sources, int file, int line, int *length) {
    const Source *source = find_source(sources, file);
    check(line >= 1 && line <= source->line_count, "%s has no line %d", source->name, line);
    int start = source->line_starts[line - 1];
    int end = (int)source->length;
    if (line < source->line_count) {
        end = source->line_starts[line] - 1;
        if (end > start && source->text[end - 1] == '\r') {
            end--;
        }
    }
    *length = end - start;
    return source->text + start;
}

Span span_join(Span first, Span last) {
    if (first.file < 0) {
        return last;
    }
    if (last.file != first.file) {
        return first;
    }
    return (Span){.file = first.file,
                  .start = first.start < last.start ? first.start : last.start,
                  .end = first.end > last.end ? first.end : last.end};
}
