// Newlines, brackets and recovery between flex and bison; see reader.h.
#include "frontend/reader.h"

#include <string.h>

#include "ir/base/check.h"

void reader_stop(Reader *reader) {
    reader->is_stopped = true;
}

void report_depth(Reader *reader, Span span) {
    if (reader->reported_depth)
        return;
    reader->reported_depth = true;
    Diag *diag = error_at(reader->diags, span, "this is nested too deeply");
    add_hint(reader->diags, diag, "split it into several statements or functions");
}

const char *reader_excerpt(const Reader *reader, Span span) {
    enum { EXCERPT_MAX = 40 };
    int length = span.end - span.start;
    if (length <= EXCERPT_MAX)
        return arena_copy_text(reader->arena, reader->text + span.start, (size_t)length);
    int end = span.start + EXCERPT_MAX;
    while (end > span.start && ((unsigned char)reader->text[end] & 0xc0) == 0x80)
        end--; // never half a character
    return arena_format(reader->arena, "%.*s...", end - span.start, reader->text + span.start);
}

// ---- raw tokens

Token reader_raw_token(Reader *reader) {
    Token token = {0};
    token.kind = reader_scan(reader, &token.value, &token.span);
    token.starts_line = reader->is_line_start;
    if (token.starts_line)
        reader->indent = token.span.start - reader->line_start;
    token.indent = reader->indent;
    reader->is_line_start = false;
    if (token.kind == RAW_NEWLINE) {
        reader->line_start = token.span.end;
        reader->is_line_start = true;
    }
    return token;
}

static Token take_raw(Reader *reader) {
    if (!reader->has_peeked)
        return reader_raw_token(reader);
    reader->has_peeked = false;
    return reader->peeked;
}

static void put_back(Reader *reader, Token token) {
    check(!reader->has_peeked, "two tokens put back");
    reader->has_peeked = true;
    reader->peeked = token;
}

// The next token that is no newline; it stays the next.
static Token peek_past_newlines(Reader *reader) {
    Token token = take_raw(reader);
    while (token.kind == RAW_NEWLINE)
        token = take_raw(reader);
    put_back(reader, token);
    return token;
}

// ---- brackets

bool is_opening_bracket(int kind) {
    return kind == '(' || kind == '[' || kind == '{';
}

static bool is_closer(int kind) {
    return kind == ')' || kind == ']' || kind == '}';
}

char closing_bracket(char opener) {
    return opener == '(' ? ')' : opener == '[' ? ']' : '}';
}

static bool is_inside_parens(const Reader *reader) {
    return reader->bracket_count > 0 && reader->brackets[reader->bracket_count - 1].kind != '{';
}

// How many brackets are open up to the innermost `{` among the first `count`, with it.
static int block_level(const Reader *reader, int count) {
    while (count > 0 && reader->brackets[count - 1].kind != '{')
        count--;
    return count;
}

static bool push_bracket(Reader *reader, const Token *token) {
    if (reader->bracket_count == BRACKETS_MAX) {
        report_depth(reader, token->span);
        reader_stop(reader);
        return false;
    }
    int indent = token->kind == '{' ? reader->statement_start.indent : token->indent;
    Bracket bracket = {(char)token->kind, token->span, indent};
    reader->brackets[reader->bracket_count++] = bracket;
    return true;
}

// A `}` that starts its line but is indented unlike the line of its `{` hints at the one missing.
static void pop_bracket(Reader *reader, const Token *closer) {
    Bracket opener = reader->brackets[--reader->bracket_count];
    if (closer->kind == '}' && closer->starts_line && closer->indent != opener.indent &&
        reader->suspect.kind == 0) {
        reader->suspect = opener;
        reader->suspect_closer = *closer;
    }
}

void report_unclosed(Reader *reader, const Bracket *bracket, const Token *found, const char *note) {
    const Bracket *blamed = bracket;
    if (bracket->kind == '{' && reader->suspect.kind != 0 &&
        reader->suspect.span.start > bracket->span.start)
        blamed = &reader->suspect;
    Diag *diag = error_at(reader->diags, blamed->span, "this '%c' is never closed", blamed->kind);
    if (found != NULL)
        add_note(reader->diags, diag, found->span, "%s", note);
    add_hint(reader->diags, diag, "put a '%c' where it ends", closing_bracket(blamed->kind));
}

// ---- the queue of tokens made here

static bool is_statement_open(const Reader *reader) {
    int kind = reader->last.kind;
    return kind != TOKEN_END && kind != '{' && kind != 0;
}

static void enqueue(Reader *reader, int kind, Span span) {
    Token token = {.kind = kind, .span = span};
    if (reader->queue_next == reader->queue.count)
        reader->queue_next = reader->queue.count = 0;
    vec_push(reader->arena, &reader->queue, token);
}

static Token end_token(Span span) {
    return (Token){.kind = TOKEN_END, .span = span};
}

static int skip_blanks(const char *text, int at) {
    while (text[at] == ' ' || text[at] == '\t')
        at++;
    return at;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// `fn f(`, `model m {` or `optimizer o(` at the very start of a line: nothing else looks so.
static bool starts_definition(const Reader *reader, const Token *token) {
    if (!token->starts_line || token->indent != 0)
        return false;
    if (token->kind != TOKEN_FN && token->kind != TOKEN_MODEL && token->kind != TOKEN_OPTIMIZER)
        return false;
    int at = skip_blanks(reader->text, token->span.end);
    int name = at;
    while (is_letter(reader->text[at]) || (reader->text[at] >= '0' && reader->text[at] <= '9'))
        at++;
    if (name == token->span.end || at == name)
        return false;
    char c = reader->text[skip_blanks(reader->text, at)];
    return c == '(' || c == '<' || (c == '{' && token->kind == TOKEN_MODEL);
}

// A definition starts inside of brackets: they were forgotten. Closes them for the grammar.
static void close_before_definition(Reader *reader, const Token *token) {
    report_unclosed(reader, &reader->brackets[reader->bracket_count - 1], token,
                    "a definition starts here");
    Span here = {reader->file, token->span.start, token->span.start};
    bool needs_end = is_statement_open(reader);
    for (; reader->bracket_count > 0; reader->bracket_count--) {
        if (reader->brackets[reader->bracket_count - 1].kind != '{') {
            enqueue(reader, TOKEN_REPORTED, here);
            needs_end = true;
            continue;
        }
        if (needs_end)
            enqueue(reader, TOKEN_END, here);
        enqueue(reader, '}', here);
        needs_end = true;
    }
    enqueue(reader, TOKEN_END, here);
    reader->suspect.kind = 0;
    put_back(reader, *token);
}

// ---- what the grammar sees

bool continues_line(int kind) {
    switch (kind) {
    case ',':
    case '=':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '@':
    case '<':
    case '>':
    case '?':
    case ':':
    case '.':
    case TOKEN_POWER:
    case TOKEN_FLOOR_DIVIDE:
    case TOKEN_EQUAL:
    case TOKEN_NOT_EQUAL:
    case TOKEN_LESS_EQUAL:
    case TOKEN_GREATER_EQUAL:
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_NOT:
    case TOKEN_ARROW:
    case TOKEN_RANGE:
    case TOKEN_ADD_ASSIGN:
    case TOKEN_SUBTRACT_ASSIGN:
    case TOKEN_MULTIPLY_ASSIGN:
    case TOKEN_DIVIDE_ASSIGN:
    case TOKEN_FLOOR_DIVIDE_ASSIGN:
    case TOKEN_REMAINDER_ASSIGN:
    case TOKEN_MATMUL_ASSIGN:
    case TOKEN_POWER_ASSIGN: return true;
    default: return false;
    }
}

// Is this newline the end of a statement?
static bool newline_ends(Reader *reader) {
    if (is_inside_parens(reader) || !is_statement_open(reader) || continues_line(reader->last.kind))
        return false;
    Token next = peek_past_newlines(reader);
    if (next.kind == '{')
        return false;
    if (next.kind == TOKEN_ELSE && reader->last.kind == '}')
        return false;
    return next.kind != TOKEN_DERIVATIVE || reader->bracket_count > 0;
}

static Token reported(Token token) {
    token.kind = TOKEN_REPORTED;
    return token;
}

// A closing bracket, when it is its turn.
static Token close_bracket(Reader *reader, Token token) {
    int count = reader->bracket_count;
    if (count == 0) {
        Diag *diag = error_at(reader->diags, token.span, "this '%c' closes nothing", token.kind);
        if (reader->suspect.kind != 0)
            add_note(reader->diags, diag, reader->suspect.span,
                     "this '{' was closed by a '}' with another indentation");
        return reported(token);
    }
    Bracket *top = &reader->brackets[count - 1];
    if (token.kind == closing_bracket(top->kind)) {
        pop_bracket(reader, &token);
        return token;
    }
    if (token.kind == '}') { // and the top is ( or [
        report_unclosed(reader, top, &token, "the block ends here");
        reader->bracket_count = block_level(reader, count);
        if (reader->bracket_count > 0)
            put_back(reader, token);
        return reported(token);
    }
    if (top->kind == '{') {
        error_at(reader->diags, token.span, "this '%c' closes nothing", token.kind);
        return reported(token);
    }
    Diag *diag =
        error_at(reader->diags, token.span, "'%c' does not close '%c'", token.kind, top->kind);
    add_note(reader->diags, diag, top->span, "opened here");
    reader->bracket_count--;
    return reported(token);
}

static Token end_of_file(Reader *reader, Token token) {
    if (reader->bracket_count > 0) {
        report_unclosed(reader, &reader->brackets[reader->bracket_count - 1], NULL, NULL);
        reader_stop(reader);
        return token;
    }
    if (!is_statement_open(reader))
        return token;
    put_back(reader, token);
    return end_token(token.span);
}

static Token next_token(Reader *reader) {
    for (;;) {
        Token token = take_raw(reader);
        if (token.kind == RAW_NEWLINE) {
            reader->line_has_slashes = false;
            if (newline_ends(reader))
                return end_token(token.span);
        } else if (token.kind == RAW_SEMICOLON) {
            if (is_inside_parens(reader)) {
                error_at(reader->diags, token.span, "a statement cannot end inside of brackets");
                return reported(token);
            }
            if (is_statement_open(reader))
                return end_token(token.span);
        } else if (token.kind == 0) {
            return end_of_file(reader, token);
        } else if (reader->bracket_count > 0 && starts_definition(reader, &token)) {
            close_before_definition(reader, &token);
            return reader->queue.at[reader->queue_next++];
        } else if (token.kind == '}' && !is_inside_parens(reader) && reader->bracket_count > 0 &&
                   is_statement_open(reader)) {
            put_back(reader, token);
            return end_token((Span){token.span.file, token.span.start, token.span.start});
        } else if (is_closer(token.kind)) {
            return close_bracket(reader, token);
        } else {
            if (reader->bracket_count == 0 && starts_definition(reader, &token))
                reader->suspect.kind = 0;
            if (is_opening_bracket(token.kind) && !push_bracket(reader, &token))
                token.kind = 0;
            return token;
        }
    }
}

// ---- recovery

void reader_recover(Reader *reader, bool missing_block) {
    if (reader->is_stopped)
        return;
    reader->is_skipping = reader->last.kind != TOKEN_END;
    reader->skips_indented = missing_block;
}

void reader_recover_before(Reader *reader) {
    if (reader->is_stopped)
        return;
    int count = reader->bracket_count;
    if (is_opening_bracket(reader->last.kind) && count > 0)
        count--;
    reader->bracket_count = block_level(reader, count);
    Span span = reader->last.span;
    enqueue(reader, TOKEN_END, (Span){span.file, span.start, span.start});
    put_back(reader, reader->last);
}

const Bracket *reader_enclosing(const Reader *reader) {
    int count = reader->bracket_count;
    if (is_opening_bracket(reader->last.kind) && count > 0)
        count--;
    return count > 0 ? &reader->brackets[count - 1] : NULL;
}

// Does the broken statement go on in the next line? Only if brackets of it are open, and the line
// is indented more than the statement or starts with a closing bracket.
static bool goes_on(Reader *reader, int base) {
    if (reader->bracket_count == base)
        return false;
    if (block_level(reader, reader->bracket_count) > base)
        return true;
    Token next = peek_past_newlines(reader);
    return next.indent > reader->statement_start.indent || next.kind == ')' || next.kind == ']';
}

// A closing bracket met while skipping: true if it ends the block that holds the broken statement.
static bool skip_closer(Reader *reader, const Token *token, int base) {
    if (token->kind == '}') {
        reader->bracket_count = block_level(reader, reader->bracket_count);
        if (reader->bracket_count <= base) {
            reader->bracket_count = base;
            return base > 0;
        }
        pop_bracket(reader, token);
    } else if (reader->bracket_count > base && is_inside_parens(reader)) {
        reader->bracket_count--;
    }
    return false;
}

// Skips to the end of the statement at the block level `base`; the END.
static Token skip_statement(Reader *reader) {
    int count = reader->bracket_count;
    if (is_opening_bracket(reader->last.kind) && count > 0)
        count--; // the bracket that was not expected belongs to what is skipped
    int base = block_level(reader, count);
    bool met_block = block_level(reader, reader->bracket_count) > base;
    for (;;) {
        Token token = take_raw(reader);
        bool is_end = token.kind == 0;
        if (token.kind == RAW_NEWLINE || token.kind == RAW_SEMICOLON) {
            is_end = !goes_on(reader, base);
        } else if (is_opening_bracket(token.kind)) {
            met_block = met_block || token.kind == '{';
            is_end = !push_bracket(reader, &token);
        } else if (is_closer(token.kind)) {
            is_end = skip_closer(reader, &token, base);
        } else if (reader->bracket_count > 0 && starts_definition(reader, &token)) {
            is_end = true;
        }
        if (!is_end)
            continue;
        reader->bracket_count = base;
        reader->is_skipping = false;
        reader->skips_indented = reader->skips_indented && !met_block;
        if (token.kind != RAW_NEWLINE && token.kind != RAW_SEMICOLON)
            put_back(reader, token);
        return end_token((Span){reader->file, token.span.start, token.span.start});
    }
}

// Skips to the next definition at the start of a line; the END before it.
static Token skip_to_definition(Reader *reader) {
    Token token = take_raw(reader);
    while (token.kind != 0 && !starts_definition(reader, &token))
        token = take_raw(reader);
    put_back(reader, token);
    reader->bracket_count = 0;
    reader->suspect.kind = 0;
    reader->skips_to_definition = false;
    return end_token((Span){reader->file, token.span.start, token.span.start});
}

// The statement that ended wanted a block and had no `{`: skips the lines indented more, and the
// `}` under its first letter.
static void skip_indented(Reader *reader) {
    int indent = reader->statement_start.indent;
    int base = reader->bracket_count;
    reader->skips_indented = false;
    for (;;) {
        Token token = peek_past_newlines(reader);
        bool is_outside =
            token.starts_line && token.indent <= indent && reader->bracket_count == base;
        if (token.kind == 0 || is_outside || starts_definition(reader, &token))
            break;
        take_raw(reader);
        if (is_opening_bracket(token.kind) && !push_bracket(reader, &token))
            return;
        if (is_closer(token.kind) && reader->bracket_count > base)
            reader->bracket_count--;
    }
    reader->bracket_count = base;
    Token token = peek_past_newlines(reader);
    if (token.kind == '}' && token.starts_line && token.indent == indent)
        take_raw(reader);
}

static Token read_token(Reader *reader) {
    if (reader->is_stopped ||
        reader->diags->error_count - reader->errors_before >= SYNTAX_ERRORS_MAX)
        return (Token){.kind = 0, .span = {reader->file, reader->length, reader->length}};
    if (reader->queue_next < reader->queue.count)
        return reader->queue.at[reader->queue_next++];
    if (reader->skips_to_definition)
        return skip_to_definition(reader);
    if (reader->is_skipping)
        return skip_statement(reader);
    if (reader->skips_indented)
        skip_indented(reader);
    return next_token(reader);
}

int reader_next(SYNTAX_STYPE *value, Span *span, Reader *reader) {
    Token token = read_token(reader);
    if (!is_statement_open(reader))
        reader->statement_start = token;
    reader->before_both = reader->before_last;
    reader->before_last = reader->last;
    reader->last = token;
    if (token.kind == TOKEN_FLOOR_DIVIDE)
        reader->line_has_slashes = true;
    if (token.kind == TOKEN_REPORTED && reader->queue_next == reader->queue.count)
        reader_recover(reader, false);
    *value = token.value;
    *span = token.span;
    return token.kind;
}
