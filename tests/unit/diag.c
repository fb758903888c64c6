// Diagnostics: what is printed, to the letter; order, duplicates and the limit; "did you mean".
#include "ir/base/diag.h"

#include "tests/unit/expect.h"

typedef struct Setup {
    Arena arena;
    Sources sources;
    Diags diags;
} Setup;

// Makes one file, with number 0, of `length` bytes.
static void start(Setup *setup, const char *name, const char *text, size_t length) {
    *setup = (Setup){0};
    setup->sources.arena = &setup->arena;
    setup->diags.arena = &setup->arena;
    setup->diags.sources = &setup->sources;
    source_add(&setup->sources, name, text, length);
}

static const char *print(Setup *setup) {
    Text out = text_new(&setup->arena);
    diags_print(&setup->diags, &out);
    return text_string(&out);
}

// What one error `bad` at bytes [first, last) of the text prints.
static const char *print_one(Setup *setup, const char *text, int first, int last) {
    start(setup, "m", text, strlen(text));
    error_at(&setup->diags, (Span){0, first, last}, "bad");
    return print(setup);
}

#define EXPECT_PRINTED(text, first, last, expected)                                                \
    do {                                                                                           \
        Setup printed_setup;                                                                       \
        EXPECT_TEXT(print_one(&printed_setup, (text), (first), (last)), (expected));               \
        arena_free(&printed_setup.arena);                                                          \
    } while (0)

static void test_whole_diagnostic(void) {
    static const char text[] = "fn f(x, w) {\n    h = x @ w\n}\n";
    Setup setup;
    start(&setup, "model.tdsl", text, strlen(text));
    EXPECT_TEXT(print(&setup), "");
    Diag *diag = error_at(&setup.diags, (Span){0, 21, 26}, "matmul needs %d and %d equal", 128, 64);
    add_note(&setup.diags, diag, (Span){0, 8, 9}, "'%s' is here", "w");
    add_note(&setup.diags, diag, no_span, "in the derivative");
    add_hint(&setup.diags, diag, "transpose %s", "w");
    EXPECT_TEXT(print(&setup), "model.tdsl:2:9: error: matmul needs 128 and 64 equal\n"
                               "    2 |     h = x @ w\n"
                               "      |         ^^^^^\n"
                               "model.tdsl:1:9: note: 'w' is here\n"
                               "    1 | fn f(x, w) {\n"
                               "      |         ^\n"
                               "note: in the derivative\n"
                               "  hint: transpose w\n");
    arena_free(&setup.arena);
}

static void test_carets(void) {
    EXPECT_PRINTED("a b c", 2, 3, "m:1:3: error: bad\n    1 | a b c\n      |   ^\n");
    EXPECT_PRINTED("a b c", 2, 2, "m:1:3: error: bad\n    1 | a b c\n      |   ^\n");
    EXPECT_PRINTED("a b c", 5, 5, "m:1:6: error: bad\n    1 | a b c\n      |      ^\n");
    EXPECT_PRINTED("a b c", 2, 1, "m:1:3: error: bad\n    1 | a b c\n      |   ^\n");
    EXPECT_PRINTED("ab\r\ncd", 1, 6, "m:1:2: error: bad\n    1 | ab\n      |  ^\n");
    EXPECT_PRINTED("ab\ncd", 2, 3, "m:1:3: error: bad\n    1 | ab\n      |   ^\n");
    EXPECT_PRINTED("ab\n", 3, 3, "m:2:1: error: bad\n    2 |\n      | ^\n");
    EXPECT_PRINTED("", 0, 0, "m:1:1: error: bad\n    1 |\n      | ^\n");
    EXPECT_PRINTED("ab", 0, 2147483647, "m:1:1: error: bad\n    1 | ab\n      | ^^\n");
}

static void test_widths(void) {
    EXPECT_PRINTED("\tx\ty", 3, 4, "m:1:4: error: bad\n    1 |     x   y\n      |         ^\n");
    EXPECT_PRINTED("caf\xc3\xa9 x", 6, 7,
                   "m:1:7: error: bad\n    1 | caf\xc3\xa9 x\n      |      ^\n");
    EXPECT_PRINTED("\xe2\x88\x87x", 0, 3, "m:1:1: error: bad\n    1 | \xe2\x88\x87x\n      | ^\n");
}

static void test_escapes(void) {
    EXPECT_PRINTED("\x1b[31m x", 6, 7,
                   "m:1:7: error: bad\n    1 | \\x1b[31m x\n"
                   "      |          ^\n");
    EXPECT_PRINTED("\xff x", 0, 1, "m:1:1: error: bad\n    1 | \\xff x\n      | ^^^^\n");
    EXPECT_PRINTED("\xc1\x81 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82", 0, 1,
                   "m:1:1: error: bad\n    1 | \\xc1\\x81 \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 "
                   "\\xe2\\x82\n      | ^^^^\n");
    EXPECT_PRINTED("\xe2\x80\xae x \x7f \xc2\x85", 0, 3,
                   "m:1:1: error: bad\n    1 | \\u202e x \\x7f \\u0085\n      | ^^^^^^\n");
    EXPECT_PRINTED("\xf0\x9f\x99\x82 ok", 5, 7,
                   "m:1:6: error: bad\n    1 | \xf0\x9f\x99\x82 ok\n      |   ^^\n");
    Setup setup;
    start(&setup, "a\nb", "a\0b", 3);
    Diag *diag = error_at(&setup.diags, (Span){0, 1, 2}, "no '%s'\t", "\x1b[2J\n");
    add_hint(&setup.diags, diag, "\xe2\x81\xa6");
    EXPECT_TEXT(print(&setup), "a\\x0ab:1:2: error: no '\\x1b[2J\\x0a'\\x09\n"
                               "    1 | a\\x00b\n      |  ^^^^\n  hint: \\u2066\n");
    arena_free(&setup.arena);
}

// The printed line after the gutter `NNNNN | `, and the carets below it.
static void split_excerpt(char *printed, char **line, char **carets) {
    *line = strchr(printed, '\n') + 1 + 8;
    *carets = strchr(*line, '\n') + 1 + 8;
    (*carets)[-9] = '\0';
    (*carets)[strcspn(*carets, "\n")] = '\0';
}

// In a long line of a pattern without a period, the caret stays under the byte it was meant for.
static void test_long_lines(void) {
    enum { LENGTH = 3000 };
    char text[LENGTH + 1] = {0};
    for (int i = 0; i < LENGTH; i++) {
        text[i] = (char)('a' + (i * i / 7 + i) % 26);
    }
    for (int at = 0; at < LENGTH; at += 13) {
        Setup setup;
        char *line;
        char *carets;
        split_excerpt(arena_copy_string(&setup.arena, print_one(&setup, text, at, at + 1)), &line,
                      &carets);
        size_t column = strlen(carets) - 1;
        EXPECT(carets[column] == '^' && strspn(carets, " ") == column);
        EXPECT(column < strlen(line) && line[column] == text[at]);
        EXPECT(strlen(line) <= 166);
        bool is_cut_before = strncmp(line, "...", 3) == 0;
        bool is_cut_after = strcmp(line + strlen(line) - 3, "...") == 0;
        EXPECT(at < 160 || is_cut_before);
        EXPECT(at > 20 || !is_cut_before);
        EXPECT(at > LENGTH - 160 || is_cut_after);
        EXPECT(at < LENGTH - 20 || !is_cut_after);
        arena_free(&setup.arena);
    }
    Setup setup;
    char *line;
    char *carets;
    split_excerpt(arena_copy_string(&setup.arena, print_one(&setup, text, 0, LENGTH)), &line,
                  &carets);
    EXPECT(strspn(carets, "^") == 160 && strlen(carets) == 160 && strlen(line) == 163);
    arena_free(&setup.arena);
}

static void test_order(void) {
    Setup setup;
    start(&setup, "a", "one\ntwo\n", 8);
    source_add(&setup.sources, "b", "x", 1);
    Diags *diags = &setup.diags;
    error_at(diags, (Span){1, 0, 1}, "fourth");
    error_at(diags, (Span){0, 4, 7}, "second");
    warning_at(diags, (Span){0, 4, 5}, "third");
    error_at(diags, (Span){0, 0, 3}, "first");
    error_at(diags, no_span, "before all");
    EXPECT(diags->error_count == 4 && diags->list.count == 5);
    EXPECT_TEXT(print(&setup), "error: before all\n"
                               "a:1:1: error: first\n    1 | one\n      | ^^^\n"
                               "a:2:1: error: second\n    2 | two\n      | ^^^\n"
                               "a:2:1: warning: third\n    2 | two\n      | ^\n"
                               "b:1:1: error: fourth\n    1 | x\n      | ^\n");
    arena_free(&setup.arena);
}

// Duplicates are found among many, and only exact ones are dropped.
static void test_duplicates(void) {
    enum { COUNT = 3000 };
    Setup setup;
    start(&setup, "a", "one", 3);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            Diag *diag = error_at(&setup.diags, (Span){0, i % 3, 3}, "error %d", i / 3);
            EXPECT(diag != NULL);
            add_hint(&setup.diags, diag, "hint of round %d", round);
        }
        EXPECT(setup.diags.error_count == COUNT && setup.diags.list.count == COUNT);
    }
    EXPECT_TEXT(setup.diags.list.at[COUNT - 1]->hint, "hint of round 0");
    error_at(&setup.diags, (Span){0, 0, 2}, "error 0");
    EXPECT(setup.diags.error_count == COUNT + 1);
    warning_at(&setup.diags, (Span){0, 0, 3}, "error 0");
    EXPECT(setup.diags.error_count == COUNT + 1 && setup.diags.list.count == COUNT + 2);
    arena_free(&setup.arena);
}

static int count_pieces(const char *text, const char *piece) {
    int count = 0;
    for (const char *at = text; (at = strstr(at, piece)); at++) {
        count++;
    }
    return count;
}

static void test_limit(void) {
    Setup setup;
    start(&setup, "a", "one", 3);
    for (int i = 0; i < DIAGS_PRINTED; i++) {
        error_at(&setup.diags, (Span){0, 0, 1}, "e%d", i);
    }
    EXPECT(count_pieces(print(&setup), "error: e") == DIAGS_PRINTED);
    EXPECT(!strstr(print(&setup), "... and"));
    error_at(&setup.diags, (Span){0, 0, 1}, "one more");
    EXPECT(strstr(print(&setup), "\n... and 1 more error\n") && !strstr(print(&setup), "one more"));
    error_at(&setup.diags, (Span){0, 0, 1}, "two more");
    EXPECT(strstr(print(&setup), "\n... and 2 more errors\n"));
    warning_at(&setup.diags, (Span){0, 0, 1}, "w");
    EXPECT(strstr(print(&setup), "\n... and 2 more errors and 1 more warning\n"));
    arena_free(&setup.arena);

    start(&setup, "a", "one", 3);
    for (int i = 0; i < 100; i++) {
        warning_at(&setup.diags, (Span){0, 0, 1}, "w%d", i);
    }
    error_at(&setup.diags, (Span){0, 2, 3}, "the error");
    const char *printed = print(&setup);
    EXPECT(count_pieces(printed, "warning: ") == DIAGS_PRINTED - 1);
    EXPECT(count_pieces(printed, "error: the error") == 1);
    EXPECT(strstr(printed, "\n... and 81 more warnings\n"));
    arena_free(&setup.arena);
}

static void test_closest_name(void) {
    static const char *const names[] = {"relu", "matmul", "softmax", "sum", "mean", "logsumexp"};
    enum { COUNT = sizeof names / sizeof names[0] };
    EXPECT_TEXT(closest_name("matmull", names, COUNT), "matmul");
    EXPECT_TEXT(closest_name("mtamul", names, COUNT), "matmul"); // swapped neighbours: one edit
    EXPECT_TEXT(closest_name("rleu", names, COUNT), "relu");
    EXPECT_TEXT(closest_name("su", names, COUNT), "sum");
    EXPECT_TEXT(closest_name("logsumxp", names, COUNT), "logsumexp");
    EXPECT_TEXT(closest_name("lgsmexp", names, COUNT), "logsumexp");
    EXPECT_TEXT(closest_name("sum", names, COUNT), "sum");
    EXPECT(closest_name("lu", names, COUNT) == NULL);
    EXPECT(closest_name("matrix", names, COUNT) == NULL);
    EXPECT(closest_name("softplus", names, COUNT) == NULL);
    EXPECT(closest_name("sum", NULL, 0) == NULL);
    static const char *const ties[] = {"xaa", "xab", "abc"};
    EXPECT_TEXT(closest_name("xac", ties, 3), "xaa");
    EXPECT_TEXT(closest_name("abc", ties, 3), "abc");
    char longest[129];
    memset(longest, 'a', sizeof longest - 1);
    longest[128] = '\0';
    const char *const only[] = {longest + 1};
    EXPECT(closest_name(longest, only, 1) == NULL);
    EXPECT(closest_name(longest + 1, only, 1) == longest + 1);
}

int main(void) {
    test_whole_diagnostic();
    test_carets();
    test_widths();
    test_escapes();
    test_long_lines();
    test_order();
    test_duplicates();
    test_limit();
    test_closest_name();
    return expect_result();
}
