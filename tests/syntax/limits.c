// Texts that no editor writes: empty, binary, cut off, nested deeply, long. One clear message each,
// and no crash.
#include <stdlib.h>

#include "tests/syntax/support.h"

static void expect_only_error(const char *bytes, size_t length, const char *part,
                              const char *name) {
    Parsed parsed;
    parse_bytes(&parsed, bytes, length);
    if (!EXPECT(strstr(only_error(&parsed), part) != NULL && *part != '\0')) {
        fprintf(stderr, "  %s: expected one error: %s\n", name, part);
        print_errors(&parsed);
    }
    arena_free(&parsed.arena);
}

#define ONLY_ERROR(text, part) expect_only_error((text), sizeof(text) - 1, (part), #text)

static void test_bytes(void) {
    ONLY_ERROR("", "there is no model or function here");
    ONLY_ERROR("\n\n  # only a comment", "there is no model or function here");
    ONLY_ERROR("\xef\xbb\xbf", "there is no model or function here");
    ONLY_ERROR("\0\0\0\0", "this file is not text: byte 0x00");
    ONLY_ERROR("model m { # \x1b[31m\n}", "this file is not text: byte 0x1b");
    ONLY_ERROR("model m {\n# \xff\xfe\n}", "this file is not UTF-8 text: byte 0xff");
    ONLY_ERROR("model m {\n# \xc0\xaf overlong\n}", "this file is not UTF-8 text: byte 0xc0");
    ONLY_ERROR("model m {\n# \xed\xa0\x80 surrogate\n}", "this file is not UTF-8 text: byte 0xed");
    ONLY_ERROR("model m {\n# \xf4\x90\x80\x80 too large\n}", "this file is not UTF-8 text");
    ONLY_ERROR("model m { } # \xe2\x80", "this file is not UTF-8 text: byte 0xe2");
    ONLY_ERROR("model m {\n# \xe2\x80\xae turned\n}", "changes the direction of writing");
    ONLY_ERROR("model m {\n# \xe2\x81\xa6 turned\n}", "changes the direction of writing");
    ONLY_ERROR("model m {\r x = 1\r}", "a carriage return without a newline");
}

static void test_cut_off(void) {
    static const char text[] = "import \"a\"\n"
                               "fn f<N>(x: f32[N], k = 2) -> real { return sum(x[1:k]) ** -k }\n"
                               "model m {\n"
                               "    input x: real = 1.5\n"
                               "    for i in 0..3 { x = [for j in 0..2: i > j ? x : 0].sum() }\n"
                               "    output x\n"
                               "}\n";
    for (size_t length = 0; length < sizeof text; length++) {
        Parsed parsed;
        parse_bytes(&parsed, text, length);
        EXPECT(parsed.diags.error_count <= 2); // a string and the block around it, at most
        EXPECT(parsed_tree(&parsed) != NULL);
        arena_free(&parsed.arena);
    }
    ONLY_ERROR("model", "unexpected end of the file");
    ONLY_ERROR("model m {", "this '{' is never closed");
    ONLY_ERROR("model m { x = (1", "this '(' is never closed");
    ONLY_ERROR("{", "unexpected '{'");
    ONLY_ERROR("}", "this '}' closes nothing");
    ONLY_ERROR("\"", "this string has no closing");
}

// `model m { x = ` and `count` times `part`, then `middle`, then `count` times `end`.
static char *repeat(const char *part, int count, const char *middle, const char *end) {
    static const char head[] = "model m {\nx = ";
    size_t one = strlen(part);
    size_t other = strlen(end);
    char *text = malloc(sizeof head + (one + other) * (size_t)count + strlen(middle) + 8);
    if (text == NULL)
        abort();
    char *at = text + sprintf(text, "%s", head);
    for (int i = 0; i < count; i++)
        at = (char *)memcpy(at, part, one) + one;
    at += sprintf(at, "%s", middle);
    for (int i = 0; i < count; i++)
        at = (char *)memcpy(at, end, other) + other;
    sprintf(at, "\n}\n");
    return text;
}

static int deepest(const AstFile *ast) {
    return ast->definitions.count == 1 ? ast->definitions.at[0]->as.model->body->depth : 0;
}

static void test_depth(void) {
    static const char *const parts[][3] = {{"(", "1", ")"},
                                           {"[", "1", "]"},
                                           {"f(", "1", ")"},
                                           {"x[", "1", "]"},
                                           {"-", "1", ""},
                                           {"not ", "a", ""},
                                           {"2 ** ", "1", ""},
                                           {"a + ", "1", ""},
                                           {"a ? b : ", "1", ""},
                                           {"fn(x) = ", "1", ""},
                                           {"", "a", ".T"},
                                           {"", "a", "[0]"},
                                           {"", "a", "(0)"},
                                           {"f(fn(x) { ", "1", " })"},
                                           {"0\nif a { ", "b", " }"},
                                           {"0\nfor i in 0..n { ", "b", " }"}};
    static const int counts[] = {100, 255, 256, 257, 600, 3000, 200000};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
            char *text = repeat(parts[i][0], counts[j], parts[i][1], parts[i][2]);
            Parsed parsed;
            parse_text(&parsed, text);
            bool is_chain = strcmp(parts[i][0], "a + ") == 0;
            bool is_deep = counts[j] > (is_chain ? 19200 : 600);
            EXPECT(counts[j] > (is_chain ? 3000 : 100) || parsed.diags.error_count == 0);
            EXPECT(!is_deep || strcmp(only_error(&parsed), "this is nested too deeply") == 0);
            EXPECT(parsed.diags.error_count <= 1);
            EXPECT(deepest(parsed.ast) <= AST_DEPTH_MAX + 1);
            arena_free(&parsed.arena);
            free(text);
        }
    }
}

// What may be long is long: lists, statements, branches, names up to 255 bytes.
static void test_length(void) {
    static const char *const parts[][3] = {{"[1, 2]\nx = ", "1", ""},
                                           {"# comment\n", "1", ""},
                                           {" \n", "1", ""},
                                           {"", "1", ";"},
                                           {"", "0\nif a { } ", "else if b { }"}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char *text = repeat(parts[i][0], 100000, parts[i][1], parts[i][2]);
        Parsed parsed;
        parse_text(&parsed, text);
        if (!EXPECT(parsed.diags.error_count == 0))
            print_errors(&parsed);
        arena_free(&parsed.arena);
        free(text);
    }
    char *name = repeat("a", 255, "", "");
    Parsed parsed;
    parse_text(&parsed, name);
    EXPECT(parsed.diags.error_count == 0);
    arena_free(&parsed.arena);
    free(name);
    name = repeat("a", 256, "", "");
    expect_only_error(name, strlen(name), "this name has 256 letters", "a long name");
    free(name);
}

// Reading stops after so many errors that nobody reads them.
static void test_many_errors(void) {
    char *text = repeat("y y\nx = ", 100000, "1", "");
    Parsed parsed;
    parse_text(&parsed, text);
    EXPECT(parsed.diags.error_count == 50);
    arena_free(&parsed.arena);
    free(text);
}

int main(void) {
    test_bytes();
    test_cut_off();
    test_depth();
    test_length();
    test_many_errors();
    return expect_result();
}
