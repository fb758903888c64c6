// A growable text buffer, used by every printer: IR, loops, C, JSON, diagnostics.
// Numbers are printed independently of the locale of the host program.
#ifndef TDSL_IR_BASE_TEXT_H
#define TDSL_IR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/base/arena.h"

typedef struct Text {
    Arena *arena;    // owns the bytes
    char *bytes;     // zero-terminated once something was appended; NULL before
    size_t length;   // without the terminator
    size_t capacity; // bytes allocated
} Text;

Text text_new(Arena *arena);
void text_add(Text *text, const char *string);
void text_add_bytes(Text *text, const char *bytes, size_t length);
void text_add_char(Text *text, char c);
void text_format(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_indent(Text *text, int levels); // four spaces a level
// The shortest decimal that reads back as the same double (is_single: the same float); always has a
// '.' or an exponent, so that it cannot be mistaken for an integer; `nan`, `inf`, `-inf` otherwise.
void text_add_real(Text *text, double value, bool is_single);
const char *text_string(const Text *text); // never NULL

#endif
