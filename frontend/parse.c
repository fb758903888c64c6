// Checks the bytes of a source, then runs the parser over it.
#include "frontend/parse.h"

#include <locale.h>
#include <string.h>

#include "frontend/reader.h"
#include "frontend_parser.h"

// Bytes of the UTF-8 character that starts at `text`, or 0 if it is none (overlong, surrogate, past
// U+10FFFF, cut off).
static int character_length(const unsigned char *text, size_t left) {
    static const unsigned lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = text[0];
    if (c < 0x80)
        return 1;
    int length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || (size_t)length > left)
        return 0;
    unsigned code = c & (0x7fu >> length);
    for (int i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3fu);
    }
    return code < lowest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0
                                                                                         : length;
}

// U+202A to U+202E and U+2066 to U+2069 reorder what is shown, U+061C, U+200E and U+200F help them.
static bool is_direction_control(const unsigned char *text, int length) {
    if (length == 2)
        return text[0] == 0xd8 && text[1] == 0x9c;
    if (length != 3 || text[0] != 0xe2)
        return false;
    return (text[1] == 0x80 &&
            ((text[2] >= 0xaa && text[2] <= 0xae) || text[2] == 0x8e || text[2] == 0x8f)) ||
           (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9);
}

// False, with one error reported, if the bytes are no text that could be read on.
static bool check_bytes(Diags *diags, int file, const char *source, int length) {
    const unsigned char *text = (const unsigned char *)source;
    int size;
    for (int at = 0; at < length; at += size) {
        unsigned char c = text[at];
        size = character_length(text + at, (size_t)(length - at));
        Span span = {file, at, at + (size > 0 ? size : 1)};
        if (size == 0) {
            error_at(diags, span, "this file is not UTF-8 text: byte 0x%02x", c);
            return false;
        }
        bool is_lone_return = c == '\r' && (at + 1 >= length || text[at + 1] != '\n');
        if ((c < ' ' && !is_lone_return && strchr("\t\n\f\v\r", c) == NULL) || c == 0 ||
            c == 0x7f) {
            error_at(diags, span, "this file is not text: byte 0x%02x", c);
            return false;
        }
        if (is_lone_return) {
            error_at(diags, span, "a carriage return without a newline");
            return false;
        }
        if (is_direction_control(text + at, size)) {
            Diag *diag = error_at(diags, span, "a character that changes the direction of writing");
            add_hint(diags, diag, "it makes text look unlike what it is: remove it");
            return false;
        }
    }
    return true;
}

// strtod reads numbers by the locale of the thread: the host program's may write them with a comma.
static void parse_in_c_locale(Reader *reader) {
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    locale_t hosts = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
    syntax_parse(reader);
    if (plain == (locale_t)0)
        return;
    uselocale(hosts);
    freelocale(plain);
}

static Reader *open_reader_at(Arena *arena, Diags *diags, int file, int start, int end) {
    const Source *source = &diags->sources->files.at[file];
    Reader *reader = arena_new(arena, Reader);
    reader->arena = arena;
    reader->diags = diags;
    reader->errors_before = diags->error_count;
    reader->file = file;
    reader->text = source->text;
    reader->start = reader->line_start = start;
    reader->length = end;
    reader->is_line_start = true;
    reader_open_scanner(reader);
    return reader;
}

Reader *open_reader(Arena *arena, Diags *diags, int file) {
    return open_reader_at(arena, diags, file, 0, (int)diags->sources->files.at[file].length);
}

void close_reader(Reader *reader) {
    reader_close_scanner(reader);
}

AstFile *parse_source(Arena *arena, Diags *diags, int file) {
    const Source *source = &diags->sources->files.at[file];
    AstFile *result = arena_new(arena, AstFile);
    result->file = file;
    if (!check_bytes(diags, file, source->text, (int)source->length))
        return result;
    Reader *reader = open_reader(arena, diags, file);
    reader->result = result;
    parse_in_c_locale(reader);
    close_reader(reader);
    if (result->definitions.count == 0 && diags->error_count == reader->errors_before) {
        Diag *diag = error_at(diags, (Span){file, 0, 0}, "there is no model or function here");
        add_hint(diags, diag, "a file holds definitions: model NAME { ... }, fn NAME(x) { ... }");
    }
    return result;
}

AstFile *parse_part(Arena *arena, Diags *diags, int file, int start, int end) {
    AstFile *result = arena_new(arena, AstFile);
    result->file = file;
    Reader *reader = open_reader_at(arena, diags, file, start, end);
    reader->result = result;
    parse_in_c_locale(reader);
    close_reader(reader);
    return result;
}
