// The layout of lines: where they break is the author's choice, how they are indented is not. A
// line inside of brackets is indented one level more than the line that opened the innermost of
// them; a line that goes on with a statement, one level more than the statement.
#include "frontend/format.h"

#include <string.h>

#include "frontend/format_tokens.h"
#include "frontend/parse.h"
#include "ir/base/check.h"

typedef struct Layout {
    Text *out;
    const Reader *reader;
    int levels[BRACKETS_MAX]; // of the line of each open bracket
    bool is_block[BRACKETS_MAX];
    int depth;
    int level;               // of the present line
    int statement_level;     // of the line where the present statement starts
    const FormatToken *last; // NULL at the start of the text; comments count
    const FormatToken *last_code;
} Layout;

// Lines that the author broke but the canonical text does not: before `{`, and between `}` and
// `else` or `derivative`.
static bool joins_line(const Layout *layout, const FormatToken *token) {
    if (layout->last == NULL || layout->last->is_comment || token->is_comment)
        return false;
    if (token->kind == '{')
        return true;
    return layout->last->kind == '}' && !token->ends_statement_before &&
           (token->kind == TOKEN_ELSE || token->kind == TOKEN_DERIVATIVE);
}

static bool is_closer(const FormatToken *token) {
    return token->role == ROLE_CLOSE || token->role == ROLE_BLOCK_END;
}

// The indentation of a line that starts with `token`.
static int line_level(const Layout *layout, const FormatToken *token) {
    if (layout->depth == 0)
        return token->is_comment || layout->last_code == NULL ||
                       !continues_line(layout->last_code->kind)
                   ? 0
                   : 1;
    int around = layout->levels[layout->depth - 1];
    if (is_closer(token))
        return around;
    bool continues = layout->is_block[layout->depth - 1] && layout->last_code != NULL &&
                     continues_line(layout->last_code->kind);
    return continues ? layout->statement_level + 1 : around + 1;
}

// A blank line before this one? Where the author put some, and after a definition of several lines.
static bool wants_blank_line(const Layout *layout, const FormatToken *token) {
    const FormatToken *last = layout->last;
    if (last == NULL || is_closer(token) || is_opening_bracket(last->kind))
        return false;
    bool ends_definition = layout->depth == 0 && last->kind == '}' &&
                           (token->ends_statement_before || token->is_comment);
    return token->newlines > 1 || ends_definition;
}

static void start_line(Layout *layout, const FormatToken *token) {
    int level = line_level(layout, token);
    if (layout->last != NULL)
        text_add_char(layout->out, '\n');
    if (wants_blank_line(layout, token))
        text_add_char(layout->out, '\n');
    layout->level = level;
    text_indent(layout->out, level);
}

static void add_token(Layout *layout, const FormatToken *token) {
    const char *text = layout->reader->text;
    int end = token->span.end;
    if (token->is_comment) {
        while (strchr(" \t\r\f\v", text[end - 1]) != NULL)
            end--;
    }
    text_add_bytes(layout->out, text + token->span.start, (size_t)(end - token->span.start));
}

static void place_token(Layout *layout, const FormatToken *token) {
    bool is_new_line = layout->last == NULL || (token->newlines > 0 && !joins_line(layout, token));
    if (is_new_line)
        start_line(layout, token);
    else if (token->is_comment)
        text_add(layout->out, "  ");
    else if (needs_blank(layout->reader, layout->last, token))
        text_add_char(layout->out, ' ');
    bool starts_statement =
        layout->last_code == NULL || token->ends_statement_before || layout->last_code->kind == '{';
    if (starts_statement && !token->is_comment)
        layout->statement_level = layout->level;
    add_token(layout, token);
    if (is_opening_bracket(token->kind)) {
        check(layout->depth < BRACKETS_MAX, "brackets nested more deeply than the parser allows");
        layout->levels[layout->depth] = layout->level;
        layout->is_block[layout->depth++] = token->kind == '{';
    } else if (is_closer(token)) {
        layout->depth--;
    }
    layout->last = token;
    if (!token->is_comment)
        layout->last_code = token;
}

bool format_source(Text *out, Diags *diags, int file) {
    Arena arena = {0};
    int errors = diags->error_count;
    parse_source(&arena, diags, file);
    bool parses = diags->error_count == errors;
    if (parses) {
        FormatTokens tokens = {0};
        Reader *reader = open_reader(&arena, diags, file);
        reader->keeps_comments = true;
        read_format_tokens(reader, &tokens);
        close_reader(reader);
        Layout *layout = arena_new(&arena, Layout);
        layout->out = out;
        layout->reader = reader;
        for (int i = 0; i < tokens.count; i++)
            place_token(layout, &tokens.at[i]);
        text_add_char(out, '\n');
    }
    arena_free(&arena);
    return parses;
}
