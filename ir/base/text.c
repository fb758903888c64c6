// The growable text buffer. The bytes live on the text's arena; growing doubles them and leaves the
// old ones there, so appending a piece of a text to itself is fine with text_add and
// text_add_bytes. Numbers are formatted and read in the C locale, whatever locale the host program
// has set.
#include "ir/base/text.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/check.h"

enum { FIRST_CAPACITY = 64 };

Text text_new(Arena *arena) {
    return (Text){.arena = arena};
}

// Room for `more` bytes and the terminator.
static void reserve(Text *text, size_t more) {
    check(more < SIZE_MAX / 4 && text->length < SIZE_MAX / 4, "a text is too long");
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity) {
        return;
    }
    size_t capacity = text->capacity ? text->capacity * 2 : FIRST_CAPACITY;
    if (capacity < needed) {
        capacity = needed;
    }
    char *bytes = arena_alloc(text->arena, capacity);
    if (text->length) {
        memcpy(bytes, text->bytes, text->length);
    }
    text->bytes = bytes;
    text->capacity = capacity;
}

void text_add_bytes(Text *text, const char *bytes, size_t length) {
    reserve(text, length);
    if (length) {
        memcpy(text->bytes + text->length, bytes, length);
    }
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_add(Text *text, const char *string) {
    text_add_bytes(text, string, strlen(string));
}

void text_add_char(Text *text, char c) {
    text_add_bytes(text, &c, 1);
}

void text_indent(Text *text, int levels) {
    for (int i = 0; i < levels; i++) {
        text_add_bytes(text, "    ", 4);
    }
}

const char *text_string(const Text *text) {
    return text->bytes ? text->bytes : "";
}

void text_format(Text *text, const char *format, ...) {
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    check(c_locale != (locale_t)0, "the C locale is missing");
    locale_t host_locale = uselocale(c_locale);

    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    check(length >= 0, "a text cannot be formatted");
    reserve(text, (size_t)length);
    va_start(arguments, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;

    uselocale(host_locale);
    freelocale(c_locale);
}

// A positive decimal: 0.DIGITS times ten to the power `point`; no zeros at either end of the
// digits.
typedef struct Decimal {
    char digits[24];
    int count;
    int point;
} Decimal;

static bool reads_back(const Decimal *decimal, double value, bool is_single) {
    char buffer[48];
    snprintf(buffer, sizeof buffer, "0.%.*se%d", decimal->count, decimal->digits, decimal->point);
    return is_single ? strtof(buffer, NULL) == (float)value : strtod(buffer, NULL) == value;
}

static void drop_zeros(Decimal *decimal) {
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0') {
        decimal->count--;
    }
}

// The decimal with `count` digits that is closest to `value` > 0.
static Decimal round_to_digits(double value, int count) {
    char buffer[48];
    snprintf(buffer, sizeof buffer, "%.*e", count - 1, value);
    Decimal decimal = {.count = count, .point = 1 + atoi(strchr(buffer, 'e') + 1)};
    decimal.digits[0] = buffer[0];
    if (count > 1) {
        memcpy(decimal.digits + 1, buffer + 2, (size_t)count - 1);
    }
    return decimal;
}

// The next larger decimal with the same number of digits.
static Decimal round_up(Decimal decimal) {
    int i = decimal.count - 1;
    while (i >= 0 && decimal.digits[i] == '9') {
        decimal.digits[i--] = '0';
    }
    if (i >= 0) {
        decimal.digits[i]++;
    } else {
        decimal.digits[0] = '1';
        decimal.point++;
    }
    return decimal;
}

// The shortest decimal that reads back as `value` > 0. Below a power of two the neighbour is nearer
// than above it: there the closest decimal of some length may fail while the next larger one reads
// back.
static Decimal find_shortest(double value, bool is_single) {
    int longest = is_single ? 9 : 17; // always enough
    for (int count = 1; count < longest; count++) {
        Decimal below = round_to_digits(value, count);
        Decimal above = round_up(below);
        if (reads_back(&below, value, is_single)) {
            drop_zeros(&below);
            return below;
        }
        if (reads_back(&above, value, is_single)) {
            drop_zeros(&above);
            return above;
        }
    }
    Decimal exact = round_to_digits(value, longest);
    drop_zeros(&exact);
    return exact;
}

// Plain notation for the usual magnitudes (0.0001 up to sixteen digits before the point),
// else 1.5e-7.
static void add_decimal(Text *text, const Decimal *decimal) {
    int count = decimal->count;
    int point = decimal->point;
    size_t before = point < 0 ? 0 : (size_t)(point < count ? point : count);
    if (point > 16 || point < -3) {
        text_add_char(text, decimal->digits[0]);
        if (count > 1) {
            text_add_char(text, '.');
            text_add_bytes(text, decimal->digits + 1, (size_t)count - 1);
        }
        text_format(text, "e%d", point - 1);
        return;
    }
    text_add_bytes(text, decimal->digits, before);
    for (int i = count; i < point; i++) {
        text_add_char(text, '0');
    }
    text_add(text, point <= 0 ? "0." : ".");
    for (int i = point; i < 0; i++) {
        text_add_char(text, '0');
    }
    text_add_bytes(text, decimal->digits + before, (size_t)count - before);
    if (point >= count) {
        text_add_char(text, '0');
    }
}

void text_add_real(Text *text, double value, bool is_single) {
    double exact = is_single ? (double)(float)value : value;
    if (isnan(exact)) {
        text_add(text, "nan");
        return;
    }
    if (signbit(exact)) {
        text_add_char(text, '-');
    }
    if (isinf(exact)) {
        text_add(text, "inf");
        return;
    }
    if (exact == 0) {
        text_add(text, "0.0");
        return;
    }
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    check(c_locale != (locale_t)0, "the C locale is missing");
    locale_t host_locale = uselocale(c_locale);
    Decimal shortest = find_shortest(fabs(exact), is_single);
    uselocale(host_locale);
    freelocale(c_locale);
    add_decimal(text, &shortest);
}
