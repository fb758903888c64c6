// Tokens of the text form, and how mistakes are reported. Line ends mean nothing; `//` starts a
// comment.
#include <stdarg.h>
#include <string.h>

#include "ir/parse.h"

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static void skip_blanks(const Parser *p, int *at) {
    for (;;) {
        while (*at < p->length && strchr(" \t\r\n", p->text[*at]) && p->text[*at]) {
            ++*at;
        }
        if (p->text[*at] != '/' || p->text[*at + 1] != '/') {
            return;
        }
        while (*at < p->length && p->text[*at] != '\n') {
            ++*at;
        }
    }
}

static int scan_digits(const Parser *p, int at) {
    while (is_digit(p->text[at])) {
        at++;
    }
    return at;
}

// The text ends in zero bytes, so looking one or two bytes ahead stays inside.
static int scan_number(const Parser *p, int at) {
    at = scan_digits(p, at);
    if (p->text[at] == '.' && is_digit(p->text[at + 1])) {
        at = scan_digits(p, at + 1);
    }
    if (p->text[at] == 'e' || p->text[at] == 'E') {
        bool is_signed = p->text[at + 1] == '-' || p->text[at + 1] == '+';
        if (is_digit(p->text[at + 1 + is_signed])) {
            at = scan_digits(p, at + 1 + is_signed);
        }
    }
    return at;
}

// At the closing quote's end, or at the end of the line if there is none.
static int scan_string(const Parser *p, int at) {
    at++;
    while (at < p->length && p->text[at] != '"' && p->text[at] != '\n') {
        at += p->text[at] == '\\' && at + 1 < p->length && p->text[at + 1] != '\n' ? 2 : 1;
    }
    return at < p->length && p->text[at] == '"' ? at + 1 : at;
}

static void scan(Parser *p, int at) {
    skip_blanks(p, &at);
    Token token = {.kind = TOKEN_MARK, .start = at, .end = at + 1};
    char c = p->text[at];
    if (at >= p->length) {
        token.kind = TOKEN_END;
        token.start = token.end = p->length;
    } else if (is_name_start(c)) {
        token.kind = TOKEN_NAME;
        while (is_name_part(p->text[token.end])) {
            token.end++;
        }
    } else if (is_digit(c)) {
        token.kind = TOKEN_NUMBER;
        token.end = scan_number(p, at);
    } else if (c == '%' && is_digit(p->text[at + 1])) {
        token.kind = TOKEN_TEMPORARY;
        token.end = scan_digits(p, at + 1);
    } else if (c == '"') {
        token.kind = TOKEN_STRING;
        token.end = scan_string(p, at);
    } else if (c == '-' && p->text[at + 1] == '>') {
        token.kind = TOKEN_ARROW;
        token.end = at + 2;
    } else {
        token.mark = c;
    }
    p->token = token;
}

void next_token(Parser *p) {
    p->previous_end = p->token.end;
    if (!p->failed) {
        scan(p, p->token.end);
    }
}

void restart_at(Parser *p, int offset) {
    if (!p->failed) {
        scan(p, offset);
    }
}

void parse_fail(Parser *p, Span span, const char *format, ...) {
    if (p->failed) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    error_at(p->diags, span, "%s", arena_format_list(p->diags->arena, format, arguments));
    va_end(arguments);
    p->failed = true;
    p->token = (Token){.kind = TOKEN_END, .start = p->length, .end = p->length};
}

void parse_fail_expected(Parser *p, const char *what) {
    if (p->token.kind == TOKEN_END) {
        parse_fail(p, token_span(p), "expected %s, found the end of the text", what);
        return;
    }
    int length = p->token.end - p->token.start;
    const char *dots = length > 40 ? "..." : "";
    parse_fail(p, token_span(p), "expected %s, found '%.*s%s'", what, length > 40 ? 40 : length,
               p->text + p->token.start, dots);
}

Span token_span(const Parser *p) {
    return (Span){p->file, p->token.start, p->token.end};
}

Span span_from(const Parser *p, int start) {
    return (Span){p->file, start, p->previous_end > start ? p->previous_end : start};
}

static int hex_digit(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// One character of a string; *at moves behind it. -1: a broken escape.
static int read_character(const char *text, int *at) {
    char c = text[(*at)++];
    if (c != '\\') {
        return (unsigned char)c;
    }
    char escape = text[(*at)++];
    if (escape == 'x') {
        int high = hex_digit(text[*at]);
        int low = high < 0 ? -1 : hex_digit(text[*at + 1]);
        *at += low < 0 ? 0 : 2;
        return low < 0 || high * 16 + low == 0 ? -1 : high * 16 + low;
    }
    return escape == '"' || escape == '\\' ? escape : -1;
}

static const char *string_text(Parser *p) {
    int at = p->token.start + 1;
    int end = p->token.end - 1;
    if (end < at || p->text[end] != '"') {
        parse_fail(p, token_span(p), "this string does not end on its line");
        return "";
    }
    char *text = arena_alloc(p->arena, (size_t)(end - at) + 1);
    int length = 0;
    while (at < end) {
        int c = read_character(p->text, &at);
        if (c <= 0 || at > end) {
            parse_fail(p, token_span(p), "a string has an escape other than \\\\, \\\" and \\xHH");
            return "";
        }
        text[length++] = (char)c;
    }
    return text;
}

const char *token_text(Parser *p) {
    if (p->token.kind == TOKEN_STRING) {
        return string_text(p);
    }
    return arena_copy_text(p->arena, p->text + p->token.start,
                           (size_t)(p->token.end - p->token.start));
}

bool at_mark(const Parser *p, char mark) {
    return p->token.kind == TOKEN_MARK && p->token.mark == mark;
}

bool accept_mark(Parser *p, char mark) {
    if (!at_mark(p, mark)) {
        return false;
    }
    next_token(p);
    return true;
}

bool expect_mark(Parser *p, char mark) {
    if (accept_mark(p, mark)) {
        return true;
    }
    char what[] = "'?'";
    what[1] = mark;
    parse_fail_expected(p, what);
    return false;
}

bool at_word(const Parser *p, const char *word) {
    size_t length = strlen(word);
    return p->token.kind == TOKEN_NAME && (size_t)(p->token.end - p->token.start) == length &&
           memcmp(p->text + p->token.start, word, length) == 0;
}

bool accept_word(Parser *p, const char *word) {
    if (!at_word(p, word)) {
        return false;
    }
    next_token(p);
    return true;
}

bool expect_word(Parser *p, const char *word) {
    if (accept_word(p, word)) {
        return true;
    }
    char what[32] = "'";
    strncat(what, word, sizeof what - 3);
    strcat(what, "'");
    parse_fail_expected(p, what);
    return false;
}

const char *expect_name(Parser *p, const char *what) {
    if (p->token.kind != TOKEN_NAME && p->token.kind != TOKEN_STRING) {
        parse_fail_expected(p, what);
        return NULL;
    }
    const char *name = token_text(p);
    if (!p->failed && name[0] == '\0') {
        parse_fail(p, token_span(p), "a name is empty");
    }
    next_token(p);
    return p->failed ? NULL : name;
}

bool parse_enter(Parser *p) {
    if (p->depth++ >= PARSE_DEPTH_MAX) {
        parse_fail(p, token_span(p), "nesting is deeper than %d levels", PARSE_DEPTH_MAX);
    }
    return !p->failed;
}

void parse_leave(Parser *p) {
    p->depth--;
}

void skip_brackets(Parser *p, int64_t *items) {
    int64_t depth = 0;
    *items = 0;
    do {
        if (p->token.kind == TOKEN_END) {
            parse_fail_expected(p, "a closing bracket");
            return;
        }
        if (p->token.kind == TOKEN_MARK) {
            depth += strchr("([{", p->token.mark) != NULL;
            depth -= strchr(")]}", p->token.mark) != NULL;
        } else if (p->token.kind == TOKEN_NUMBER || p->token.kind == TOKEN_NAME) {
            ++*items;
        } else if (p->token.kind == TOKEN_STRING) {
            token_text(p); // reports one without an end, which hides brackets
        }
        next_token(p);
    } while (depth > 0);
}
