// The text buffer: appending, and numbers that read back exactly, in their shortest form and
// whatever the locale.
#include "ir/base/text.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "tests/unit/expect.h"

static void test_appending(void) {
    Arena arena = {0};
    Text text = text_new(&arena);
    EXPECT_TEXT(text_string(&text), "");
    EXPECT(text.length == 0 && text.bytes == NULL);
    text_add(&text, "a");
    text_add_char(&text, 'b');
    text_add_bytes(&text, "cde", 2);
    text_indent(&text, 1);
    text_indent(&text, -1);
    text_format(&text, "%s=%d", "x", -7);
    EXPECT_TEXT(text_string(&text), "abcd    x=-7");
    EXPECT(text.length == 12);
    text_add_bytes(&text, "\0!", 2);
    EXPECT(text.length == 14 && text.bytes[12] == '\0' && text.bytes[13] == '!');
    arena_free(&arena);
}

// Every length from 0 to 300 in one format call, which crosses each growth of the buffer.
static void test_growing(void) {
    Arena arena = {0};
    for (int length = 1; length <= 300; length++) {
        Text text = text_new(&arena);
        text_format(&text, "%*d", length, 1);
        text_add(&text, "23");
        EXPECT(text.length == (size_t)length + 2);
        EXPECT_TEXT(text.bytes + length - 1, "123");
    }
    Text text = text_new(&arena);
    text_add(&text, "0123456789");
    for (int i = 0; i < 10; i++) {
        text_add(&text, text_string(&text));
    }
    EXPECT(text.length == 10240 && memcmp(text.bytes + 10230, "0123456789", 11) == 0);
    arena_free(&arena);
}

static const char *print_real(Arena *arena, double value, bool is_single) {
    Text text = text_new(arena);
    text_add_real(&text, value, is_single);
    return text_string(&text);
}

static void test_forms(void) {
    static const struct {
        double value;
        const char *as_double;
        const char *as_single;
    } cases[] = {
        {0.0, "0.0", "0.0"},
        {-0.0, "-0.0", "-0.0"},
        {1.0, "1.0", "1.0"},
        {-2.5, "-2.5", "-2.5"},
        {10.0, "10.0", "10.0"},
        {0.1, "0.1", "0.1"},
        {100.25, "100.25", "100.25"},
        {0.0001, "0.0001", "0.0001"},
        {0.00001, "1e-5", "1e-5"},
        {-1.5e-7, "-1.5e-7", "-1.5e-7"},
        {1e15, "1000000000000000.0", "1000000000000000.0"},
        {1e16, "1e16", "1e16"},
        {1e22, "1e22", "1e22"},
        {1.0 / 3.0, "0.3333333333333333", "0.33333334"},
        {16777217.0, "16777217.0", "16777216.0"},
        {1e300, "1e300", "inf"},
        {-1e300, "-1e300", "-inf"},
        {5e-324, "5e-324", "0.0"},
        {1.7976931348623157e308, "1.7976931348623157e308", "inf"},
        {2.2250738585072014e-308, "2.2250738585072014e-308", "0.0"},
        {3.4028234663852886e38, "3.4028234663852886e38", "3.4028235e38"},
        {1.401298464324817e-45, "1.401298464324817e-45", "1e-45"},
        {0x1p-44, "5.684341886080802e-14", "5.684342e-14"},
        {INFINITY, "inf", "inf"},
        {-INFINITY, "-inf", "-inf"},
        {NAN, "nan", "nan"},
        {-NAN, "nan", "nan"},
    };
    Arena arena = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_TEXT(print_real(&arena, cases[i].value, false), cases[i].as_double);
        EXPECT_TEXT(print_real(&arena, cases[i].value, true), cases[i].as_single);
    }
    arena_free(&arena);
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Bit patterns of all magnitudes, subnormal ones too: what is printed reads back, and is a real.
static void test_reading_back(void) {
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        Arena arena = {0};
        uint64_t bits = next_random(&state);
        if (i % 4 == 0) {
            bits &= UINT64_C(0xfff0000000000000); // a power of two
        } else if (i % 4 == 1) {
            bits &= UINT64_C(0x800fffffffffffff); // subnormal
        }
        double value;
        memcpy(&value, &bits, sizeof value);
        uint32_t half = (uint32_t)(bits >> 32);
        float single;
        memcpy(&single, &half, sizeof single);
        if (isfinite(value)) {
            const char *printed = print_real(&arena, value, false);
            EXPECT(strtod(printed, NULL) == value);
            EXPECT(strpbrk(printed, ".e") != NULL);
        }
        if (isfinite(single)) {
            const char *printed = print_real(&arena, (double)single, true);
            EXPECT(strtof(printed, NULL) == single);
            EXPECT(strpbrk(printed, ".e") != NULL);
        }
        arena_free(&arena);
    }
}

// Where the machine has a locale with a decimal comma, printing under it changes nothing.
static void test_locales(void) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8"};
    bool has_comma = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !has_comma; i++) {
        has_comma = setlocale(LC_ALL, names[i]) && localeconv()->decimal_point[0] == ',';
    }
    if (!has_comma) {
        fprintf(stderr, "no locale with a decimal comma here: printing under one is not tested\n");
        setlocale(LC_ALL, "C");
    }
    Arena arena = {0};
    Text text = text_new(&arena);
    text_format(&text, "%.2f", 0.25);
    EXPECT_TEXT(text_string(&text), "0.25");
    EXPECT_TEXT(arena_format(&arena, "%g", 1.5), "1.5");
    EXPECT_TEXT(print_real(&arena, 1.0 / 3.0, false), "0.3333333333333333");
    char buffer[16];
    snprintf(buffer, sizeof buffer, "%.1f", 0.5);
    EXPECT_TEXT(buffer, has_comma ? "0,5" : "0.5"); // the host's locale is still in force
    arena_free(&arena);
    setlocale(LC_ALL, "C");
}

int main(void) {
    test_locales(); // first: a locale left behind by other tests would hide the host's
    test_appending();
    test_growing();
    test_forms();
    test_reading_back();
    return expect_result();
}
