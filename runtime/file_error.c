// Messages about tensor files. Paths and names come from outside, so they are escaped before they
// are shown: a file must not be able to write control sequences to somebody's terminal.
#include "runtime/file_format.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Decodes one code point and returns its length in bytes; 0 if the bytes are not UTF-8.
static size_t decode_utf8(const unsigned char *text, size_t left, uint32_t *code) {
    unsigned char first = text[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || length > left) {
        return 0;
    }
    uint32_t value = first & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (text[i] & 0x3fu);
    }
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    *code = value;
    return length;
}

bool is_utf8(const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    uint32_t code;
    for (size_t at = 0; at < length;) {
        size_t step = decode_utf8(bytes + at, length - at, &code);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

// Whether a terminal would act on the character instead of showing it: controls and the marks that
// change direction.
static bool is_shown(uint32_t code) {
    bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    bool direction = code == 0x200e || code == 0x200f || code == 0x061c ||
                     (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return !control && !direction;
}

const char *escape_text(char *out, size_t size, const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t used = 0;
    size_t cut_at = 0; // the last place where "..." still fits
    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t step = decode_utf8(bytes + at, length - at, &code);
        bool plain = step > 0 && is_shown(code);
        step = step > 0 ? step : 1;
        size_t need = plain ? step : 4 * step;
        if (used + need + 1 > size) {
            memcpy(out + cut_at, "...", 4);
            return out;
        }
        if (plain) {
            memcpy(out + used, bytes + at, step);
        } else {
            for (size_t i = 0; i < step; i++) {
                snprintf(out + used + 4 * i, 5, "\\x%02x", bytes[at + i]);
            }
        }
        used += need;
        at += step;
        cut_at = used + 4 <= size ? used : cut_at;
    }
    out[used] = 0;
    return out;
}

static void append(TensorError *error, const char *text) {
    size_t used = strlen(error->text);
    snprintf(error->text + used, sizeof error->text - used, "%s", text);
}

bool fail(const Where *where, TensorErrorKind kind, const char *format, ...) {
    TensorError *error = where->error;
    if (error == NULL) {
        return false;
    }
    char shown[200];
    error->kind = kind;
    error->text[0] = 0;
    append(error, escape_text(shown, sizeof shown, where->file, strlen(where->file)));
    append(error, ": ");
    if (where->array != NULL) {
        append(error, "array '");
        append(error, escape_text(shown, 100, where->array, strlen(where->array)));
        append(error, "': ");
    }
    size_t used = strlen(error->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text + used, sizeof error->text - used, format, arguments);
    va_end(arguments);
    return false;
}

bool fail_memory(const Where *where, size_t bytes) {
    return fail(where, TENSOR_ERROR_MEMORY, "not enough memory for %zu bytes", bytes);
}

bool fail_system(const Where *where, const char *doing, int error_number) {
    char reason[128];
    if (strerror_r(error_number, reason, sizeof reason) != 0) {
        snprintf(reason, sizeof reason, "error %d", error_number);
    }
    return fail(where, TENSOR_ERROR_SYSTEM, "cannot %s: %s", doing, reason);
}
