// Source files: lines, places, and joined spans.
#include "ir/base/source.h"

#include <limits.h>
#include <stdlib.h>

#include "tests/unit/expect.h"

static bool is_located(const Sources *sources, int file, int offset, int line, int column) {
    int actual_line = -1;
    int actual_column = -1;
    source_locate(sources, (Span){file, offset, offset}, &actual_line, &actual_column);
    return actual_line == line && actual_column == column;
}

static bool is_line(const Sources *sources, int file, int line, const char *expected) {
    int length = -1;
    const char *bytes = source_line(sources, file, line, &length);
    return length == (int)strlen(expected) && memcmp(bytes, expected, strlen(expected)) == 0;
}

static void test_adding(void) {
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    char name[] = "a.tdsl";
    char text[] = "let x";
    EXPECT(source_add(&sources, name, text, 5) == 0);
    memset(name, '?', sizeof name);
    memset(text, '?', sizeof text);
    EXPECT(source_add(&sources, "b.tdsl", "", 0) == 1);
    EXPECT(sources.files.count == 2);
    EXPECT_TEXT(sources.files.at[0].name, "a.tdsl");
    EXPECT(sources.files.at[0].length == 5);
    EXPECT(memcmp(sources.files.at[0].text, "let x\0", 7) == 0); // two zero bytes follow
    EXPECT(memcmp(sources.files.at[1].text, "\0", 2) == 0);
    arena_free(&arena);
}

static void test_places(void) {
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    int file = source_add(&sources, "m", "ab\n\ncde\r\nf\0g\n", 13);
    EXPECT(sources.files.at[file].line_count == 5);
    EXPECT(is_located(&sources, file, 0, 1, 1));
    EXPECT(is_located(&sources, file, 2, 1, 3)); // the newline belongs to its line
    EXPECT(is_located(&sources, file, 3, 2, 1));
    EXPECT(is_located(&sources, file, 4, 3, 1));
    EXPECT(is_located(&sources, file, 8, 3, 5));
    EXPECT(is_located(&sources, file, 12, 4, 4));
    EXPECT(is_located(&sources, file, 13, 5, 1)); // the end of the file
    EXPECT(is_located(&sources, file, 99, 5, 1));
    EXPECT(is_located(&sources, file, -1, 1, 1));
    EXPECT(is_located(&sources, -1, 7, 0, 0));
    EXPECT(is_line(&sources, file, 1, "ab"));
    EXPECT(is_line(&sources, file, 2, ""));
    EXPECT(is_line(&sources, file, 3, "cde"));
    EXPECT(is_line(&sources, file, 5, ""));
    int length = 0;
    EXPECT(memcmp(source_line(&sources, file, 4, &length), "f\0g", 3) == 0 && length == 3);
    arena_free(&arena);
}

static void test_edges(void) {
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    int empty = source_add(&sources, "empty", "", 0);
    EXPECT(sources.files.at[empty].line_count == 1);
    EXPECT(is_line(&sources, empty, 1, "") && is_located(&sources, empty, 0, 1, 1));
    int newline = source_add(&sources, "newline", "\n", 1);
    EXPECT(is_line(&sources, newline, 1, "") && is_line(&sources, newline, 2, ""));
    int returns = source_add(&sources, "returns", "\r\na\rb\r", 6);
    EXPECT(is_line(&sources, returns, 1, "") && is_line(&sources, returns, 2, "a\rb\r"));
    arena_free(&arena);
}

// Every place of a text with lines of many lengths, against counting by hand.
static void test_every_place(void) {
    enum { LENGTH = 5000 };
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    char *text = arena_alloc(&arena, LENGTH);
    for (int i = 0; i < LENGTH; i++) {
        text[i] = i * i % 17 == 4 ? '\n' : 'x';
    }
    int file = source_add(&sources, "m", text, LENGTH);
    int line = 1;
    int column = 1;
    for (int i = 0; i < LENGTH; i++) {
        EXPECT(is_located(&sources, file, i, line, column));
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    EXPECT(line > 500);
    arena_free(&arena);
}

static bool is_span(Span span, int file, int start, int end) {
    return span.file == file && span.start == start && span.end == end;
}

static void test_joining(void) {
    Span first = {0, 3, 5};
    Span last = {0, 9, 12};
    EXPECT(is_span(span_join(first, last), 0, 3, 12));
    EXPECT(is_span(span_join(last, first), 0, 3, 12));
    EXPECT(is_span(span_join((Span){0, 1, 20}, last), 0, 1, 20));
    EXPECT(is_span(span_join(first, no_span), 0, 3, 5));
    EXPECT(is_span(span_join(no_span, last), 0, 9, 12));
    EXPECT(is_span(span_join(first, (Span){1, 0, 1}), 0, 3, 5));
    EXPECT(span_join(no_span, no_span).file == -1);
}

static void add_too_long_a_file(void) {
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    source_add(&sources, "m", "", (size_t)INT_MAX / 2 + 1);
}

static void ask_for_a_missing_line(void) {
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    int length;
    source_line(&sources, source_add(&sources, "m", "a\n", 2), 3, &length);
}

int main(void) {
    test_adding();
    test_places();
    test_edges();
    test_every_place();
    test_joining();
    EXPECT_ABORT(add_too_long_a_file);
    EXPECT_ABORT(ask_for_a_missing_line);
    return expect_result();
}
