// Diagnostics: collected with their duplicates dropped, then printed in the order of their places.
//
// A source line is printed as glyphs: a code point as it is, a tab as the spaces up to the next tab
// stop, and whatever could mislead a terminal or a reader (control bytes, invalid UTF-8, characters
// that are invisible or reverse the text) as an escape. Columns on the screen count glyph widths,
// one for each code point.
#include "ir/base/diag.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/check.h"

enum {
    TAB_WIDTH = 4,
    WIDEST_LINE = 160,  // longer source lines are cut
    KEPT_BEFORE = 60,   // columns shown before the caret when a line is cut
    LONGEST_NAME = 127, // longer names are never suggested, nor suggested for
    FIRST_BUCKETS = 64, // always a power of two
};

static uint32_t hash_diag(const Diag *diag) {
    uint32_t hash = 2166136261u;
    uint32_t numbers[] = {(uint32_t)diag->severity, (uint32_t)diag->span.file,
                          (uint32_t)diag->span.start, (uint32_t)diag->span.end};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        hash = (hash ^ numbers[i]) * 16777619u;
        hash ^= hash >> 15;
    }
    for (const char *at = diag->message; *at; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    }
    return hash ^ hash >> 15;
}

static bool same_diag(const Diag *first, const Diag *second) {
    return first->severity == second->severity && first->span.file == second->span.file &&
           first->span.start == second->span.start && first->span.end == second->span.end &&
           strcmp(first->message, second->message) == 0;
}

// The bucket that holds a diagnostic equal to `diag`, or the empty one where it belongs.
static Diag **find_bucket(Diag **buckets, int bucket_count, const Diag *diag) {
    uint32_t mask = (uint32_t)bucket_count - 1;
    uint32_t at = hash_diag(diag) & mask;
    while (buckets[at] && !same_diag(buckets[at], diag)) {
        at = (at + 1) & mask;
    }
    return &buckets[at];
}

// Keeps at least half of the buckets empty.
static void grow_buckets(Diags *diags) {
    if (diags->list.count < diags->bucket_count / 2) {
        return;
    }
    check(diags->bucket_count <= INT_MAX / 2, "too many diagnostics");
    int larger = diags->bucket_count ? diags->bucket_count * 2 : FIRST_BUCKETS;
    Diag **buckets = arena_array(diags->arena, Diag *, larger);
    for (int i = 0; i < diags->list.count; i++) {
        *find_bucket(buckets, larger, diags->list.at[i]) = diags->list.at[i];
    }
    diags->buckets = buckets;
    diags->bucket_count = larger;
}

static Diag *report(Diags *diags, Severity severity, Span span, const char *message) {
    Diag *diag = arena_new(diags->arena, Diag);
    diag->severity = severity;
    diag->span = span;
    diag->message = message;
    grow_buckets(diags);
    Diag **bucket = find_bucket(diags->buckets, diags->bucket_count, diag);
    if (!*bucket) {
        *bucket = diag;
        vec_push(diags->arena, &diags->list, diag);
        diags->error_count += severity == SEVERITY_ERROR;
    }
    return diag;
}

Diag *error_at(Diags *diags, Span span, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *message = arena_format_list(diags->arena, format, arguments);
    va_end(arguments);
    return report(diags, SEVERITY_ERROR, span, message);
}

Diag *warning_at(Diags *diags, Span span, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *message = arena_format_list(diags->arena, format, arguments);
    va_end(arguments);
    return report(diags, SEVERITY_WARNING, span, message);
}

void add_note(Diags *diags, Diag *diag, Span span, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    Note note = {.span = span, .message = arena_format_list(diags->arena, format, arguments)};
    va_end(arguments);
    vec_push(diags->arena, &diag->notes, note);
}

void add_hint(Diags *diags, Diag *diag, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    diag->hint = arena_format_list(diags->arena, format, arguments);
    va_end(arguments);
}

// The code point at the start of `text` and its number of bytes; 0 bytes if it is not valid UTF-8.
static uint32_t decode_utf8(const char *text, int64_t length, int *bytes) {
    const unsigned char *at = (const unsigned char *)text;
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    int count = at[0] < 0x80    ? 1
                : at[0] < 0xc0  ? 0
                : at[0] < 0xe0  ? 2
                : at[0] < 0xf0  ? 3
                : at[0] <= 0xf4 ? 4
                                : 0;
    *bytes = 0;
    if (count == 0 || count > length) {
        return 0;
    }
    uint32_t code = count == 1 ? at[0] : at[0] & (0x7fu >> count);
    for (int i = 1; i < count; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < smallest[count] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        return 0;
    }
    *bytes = count;
    return code;
}

// Code points outside ASCII that are escaped: controls, invisible ones, and those that set
// direction.
static bool is_misleading(uint32_t code) {
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x80, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},
                  {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xe0000, 0xe007f}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

typedef struct Glyph {
    char text[16];
    int length; // bytes of text
    int width;  // columns on the screen
    int taken;  // bytes of the source
} Glyph;

static Glyph make_escape(char kind, uint32_t code, int digits, int taken) {
    Glyph glyph = {.text = {'\\', kind}, .length = 2 + digits, .width = 2 + digits, .taken = taken};
    for (int i = digits - 1; i >= 0; i--) {
        glyph.text[2 + i] = "0123456789abcdef"[code & 15];
        code >>= 4;
    }
    return glyph;
}

// The glyph at the start of text that is not empty.
static Glyph read_glyph(const char *text, int64_t length) {
    int bytes;
    uint32_t code = decode_utf8(text, length, &bytes);
    if (bytes == 0 || code < ' ' || code == 0x7f) {
        return make_escape('x', (unsigned char)text[0], 2, 1);
    }
    if (is_misleading(code)) {
        return make_escape('u', code, code > 0xffff ? 5 : 4, bytes);
    }
    Glyph glyph = {.length = bytes, .width = 1, .taken = bytes};
    memcpy(glyph.text, text, (size_t)bytes);
    return glyph;
}

// Like read_glyph, but a tab becomes the spaces that `column` (from 0) needs.
static Glyph read_line_glyph(const char *text, int64_t length, int64_t column) {
    if (text[0] != '\t') {
        return read_glyph(text, length);
    }
    int width = TAB_WIDTH - (int)(column % TAB_WIDTH);
    return (Glyph){.text = "        ", .length = width, .width = width, .taken = 1};
}

// Messages and names: no tabs and no line ends either.
static void add_escaped(Text *out, const char *string) {
    size_t length = strlen(string);
    for (size_t at = 0; at < length;) {
        Glyph glyph = read_glyph(string + at, (int64_t)(length - at));
        text_add_bytes(out, glyph.text, (size_t)glyph.length);
        at += (size_t)glyph.taken;
    }
}

static void add_repeated(Text *out, char c, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        text_add_char(out, c);
    }
}

// A source line with the columns (from 0) that matter for printing it.
typedef struct Excerpt {
    const char *bytes;
    int length;
    int64_t width;       // of the whole line
    int64_t caret_first; // the columns under which the carets go: [first, end)
    int64_t caret_end;
    int64_t first; // the columns to print: [first, end)
    int64_t end;
} Excerpt;

// Finds the columns of the bytes [start, end) of the line; an escape or tab that holds the end of
// the span counts with its whole width.
static void measure_line(Excerpt *excerpt, int64_t start, int64_t end) {
    int64_t column = 0;
    excerpt->caret_first = -1;
    for (int at = 0; at < excerpt->length;) {
        Glyph glyph = read_line_glyph(excerpt->bytes + at, excerpt->length - at, column);
        if (excerpt->caret_first < 0 && start < at + glyph.taken) {
            excerpt->caret_first = column;
        }
        column += glyph.width;
        if (at < end) {
            excerpt->caret_end = column;
        }
        at += glyph.taken;
    }
    excerpt->width = column;
    if (excerpt->caret_first < 0) {
        excerpt->caret_first = column;
    }
    if (excerpt->caret_end <= excerpt->caret_first) {
        excerpt->caret_end = excerpt->caret_first + 1;
    }
}

// Chooses the columns to print: all, or WIDEST_LINE of them around the first caret.
static void choose_window(Excerpt *excerpt) {
    excerpt->first = 0;
    excerpt->end = excerpt->width;
    if (excerpt->width <= WIDEST_LINE) {
        return;
    }
    int64_t latest = excerpt->width - WIDEST_LINE;
    excerpt->first = excerpt->caret_first - KEPT_BEFORE;
    excerpt->first = excerpt->first < 0 ? 0 : excerpt->first > latest ? latest : excerpt->first;
    excerpt->end = excerpt->first + WIDEST_LINE;
}

// Prints the columns chosen; a glyph cut by the window's edge leaves spaces.
static void add_window(Text *out, const Excerpt *excerpt) {
    int64_t column = 0;
    for (int at = 0; at < excerpt->length && column < excerpt->end;) {
        Glyph glyph = read_line_glyph(excerpt->bytes + at, excerpt->length - at, column);
        int64_t after = column + glyph.width;
        if (column >= excerpt->first && after <= excerpt->end) {
            text_add_bytes(out, glyph.text, (size_t)glyph.length);
        } else if (after > excerpt->first) {
            int64_t from = column > excerpt->first ? column : excerpt->first;
            add_repeated(out, ' ', (after < excerpt->end ? after : excerpt->end) - from);
        }
        column = after;
        at += glyph.taken;
    }
}

// The source line with carets under the part of the span that lies on it.
static void add_excerpt(Text *out, const Sources *sources, Span span, int line, int column) {
    Excerpt excerpt = {0};
    excerpt.bytes = source_line(sources, span.file, line, &excerpt.length);
    int64_t start = column - 1;
    int64_t span_length = (int64_t)span.end - span.start;
    measure_line(&excerpt, start, start + (span_length > 0 ? span_length : 0));
    choose_window(&excerpt);

    bool is_cut_before = excerpt.first > 0;
    bool is_cut_after = excerpt.end < excerpt.width;
    text_format(out, "%5d |%s%s", line, excerpt.width > 0 ? " " : "", is_cut_before ? "..." : "");
    add_window(out, &excerpt);
    text_add(out, is_cut_after ? "...\n" : "\n      | ");
    if (is_cut_after) {
        text_add(out, "      | ");
    }
    if (is_cut_after && excerpt.caret_end > excerpt.end) {
        excerpt.caret_end = excerpt.end;
    }
    add_repeated(out, ' ', excerpt.caret_first - excerpt.first + (is_cut_before ? 3 : 0));
    add_repeated(out, '^', excerpt.caret_end - excerpt.caret_first);
    text_add_char(out, '\n');
}

static void add_place_and_message(Text *out, const Sources *sources, Span span, const char *kind,
                                  const char *message) {
    int line = 0;
    int column = 0;
    if (span.file >= 0) {
        source_locate(sources, span, &line, &column);
        add_escaped(out, sources->files.at[span.file].name);
        text_format(out, ":%d:%d: ", line, column);
    }
    text_format(out, "%s: ", kind);
    add_escaped(out, message);
    text_add_char(out, '\n');
    if (span.file >= 0) {
        add_excerpt(out, sources, span, line, column);
    }
}

static void print_diag(const Diags *diags, const Diag *diag, Text *out) {
    const char *kind = diag->severity == SEVERITY_ERROR ? "error" : "warning";
    add_place_and_message(out, diags->sources, diag->span, kind, diag->message);
    for (int i = 0; i < diag->notes.count; i++) {
        const Note *note = &diag->notes.at[i];
        add_place_and_message(out, diags->sources, note->span, "note", note->message);
    }
    if (diag->hint) {
        text_add(out, "  hint: ");
        add_escaped(out, diag->hint);
        text_add_char(out, '\n');
    }
}

typedef struct Ranked {
    const Diag *diag;
    int rank; // order of reporting, which decides between equal places
} Ranked;

static int compare_places(const void *first, const void *second) {
    const Ranked *a = first;
    const Ranked *b = second;
    int a_keys[] = {a->diag->span.file, a->diag->span.start, a->rank};
    int b_keys[] = {b->diag->span.file, b->diag->span.start, b->rank};
    for (int i = 0; i < 3; i++) {
        if (a_keys[i] != b_keys[i]) {
            return a_keys[i] < b_keys[i] ? -1 : 1;
        }
    }
    return 0;
}

static void add_rest(Text *out, int errors, int warnings) {
    if (errors == 0 && warnings == 0) {
        return;
    }
    text_add(out, "... and ");
    if (errors > 0) {
        text_format(out, "%d more error%s", errors, errors == 1 ? "" : "s");
    }
    if (warnings > 0) {
        text_format(out, "%s%d more warning%s", errors > 0 ? " and " : "", warnings,
                    warnings == 1 ? "" : "s");
    }
    text_add_char(out, '\n');
}

// Warnings get the room that errors leave, so that a crowd of warnings never hides an error.
void diags_print(const Diags *diags, Text *out) {
    int count = diags->list.count;
    if (count == 0) {
        return;
    }
    Ranked *order = arena_array(diags->arena, Ranked, count);
    for (int i = 0; i < count; i++) {
        order[i] = (Ranked){.diag = diags->list.at[i], .rank = i};
    }
    qsort(order, (size_t)count, sizeof order[0], compare_places);

    int errors = diags->error_count;
    int warnings = count - errors;
    int error_room = errors < DIAGS_PRINTED ? errors : DIAGS_PRINTED;
    int warning_room = DIAGS_PRINTED - error_room;
    for (int i = 0; i < count; i++) {
        bool is_error = order[i].diag->severity == SEVERITY_ERROR;
        int *room = is_error ? &error_room : &warning_room;
        int *left = is_error ? &errors : &warnings;
        if (*room > 0) {
            print_diag(diags, order[i].diag, out);
            *room -= 1;
            *left -= 1;
        }
    }
    add_rest(out, errors, warnings);
}

static int smaller(int first, int second) {
    return first < second ? first : second;
}

// The number of bytes inserted, deleted, replaced, or swapped with their neighbour that turns one
// name into the other. Both are at most LONGEST_NAME long.
static int measure_distance(const char *first, int first_length, const char *second,
                            int second_length) {
    int rows[3]
            [LONGEST_NAME + 1]; // the row before the last, the last, the current one; they rotate
    int *earlier = rows[0];
    int *above = rows[1];
    int *row = rows[2];
    for (int j = 0; j <= second_length; j++) {
        above[j] = j;
        earlier[j] = 0;
    }
    for (int i = 1; i <= first_length; i++) {
        row[0] = i;
        for (int j = 1; j <= second_length; j++) {
            int replaced = above[j - 1] + (first[i - 1] != second[j - 1]);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && first[i - 1] == second[j - 2] && first[i - 2] == second[j - 1]) {
                row[j] = smaller(row[j], earlier[j - 2] + 1);
            }
        }
        int *spare = earlier;
        earlier = above;
        above = row;
        row = spare;
    }
    return above[second_length];
}

const char *closest_name(const char *name, const char *const *candidates, int count) {
    size_t length = strlen(name);
    if (length > LONGEST_NAME) {
        return NULL;
    }
    const char *closest = NULL;
    // the largest distance that still counts
    int limit = length < 3 ? 1 : (int)length / 3;
    for (int i = 0; i < count; i++) {
        size_t candidate_length = strlen(candidates[i]);
        if (candidate_length > LONGEST_NAME) {
            continue;
        }
        int distance = measure_distance(name, (int)length, candidates[i], (int)candidate_length);
        if (distance <= limit) {
            closest = candidates[i];
            limit = distance - 1; // the first of the closest wins
        }
    }
    return closest;
}
