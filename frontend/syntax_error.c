// The wording of syntax errors: what was found, what could have stood there, and a guess at what
// was meant. Called where bison's tables have no way on; tokens are those of reader.h.
#include <stdio.h>
#include <string.h>

#include "frontend/reader.h"

typedef struct Expected {
    const char *const *names; // bison's names of tokens: "'{'", "a name"
    int count;
} Expected;

static bool expects(Expected expected, const char *name) {
    for (int i = 0; i < expected.count; i++) {
        if (strcmp(expected.names[i], name) == 0)
            return true;
    }
    return false;
}

static bool is_among(const char *name, const char *const *names) {
    for (; *names != NULL; names++) {
        if (strcmp(name, *names) == 0)
            return true;
    }
    return false;
}

// ---- the message

// Words that may stand for a name, and what else may start an expression.
static const char *const soft_words[] = {
    "'model'", "'optimizer'", "'derivative'",    "'input'", "'param'", "'output'",
    "'state'", "'frozen'",    "'requires_grad'", "'step'",  "'limit'", NULL};
static const char *const expression_starts[] = {
    "a name", "a string", "an integer", "a number", "'true'", "'false'",  "'none'", "'not'",
    "'-'",    "'+'",      "'('",        "'['",      "'fn'",   "'import'", NULL};
static const char *const operators[] = {
    "'+'",  "'-'",  "'*'",  "'/'",  "'//'",  "'%'",  "'@'",  "'**'",  "'=='", "'!='",
    "'<'",  "'<='", "'>'",  "'>='", "'and'", "'or'", "'?'",  "'('",   "'['",  "'.'",
    "'+='", "'-='", "'*='", "'/='", "'//='", "'%='", "'@='", "'**='", NULL};

// The expected tokens in few words: "an expression" for all that can start one; operators are left
// out where something else is possible. NULL if there are still too many.
static const char *describe_expected(Arena *arena, Expected expected) {
    enum { NAMED_MAX = 4 };
    const char *named[NAMED_MAX];
    int count = 0;
    bool wants_expression = expects(expected, "an integer") && expects(expected, "a name");
    bool wants_name = !wants_expression && expects(expected, "a name");
    bool has_operators = !wants_expression && expects(expected, "'*'");
    if (wants_name && has_operators)
        return "a name"; // after `input`, which could be a variable as well
    if (wants_expression)
        named[count++] = "an expression";
    for (int i = 0; i < expected.count; i++) {
        const char *name = expected.names[i];
        if ((wants_expression || wants_name) && is_among(name, soft_words))
            continue;
        if (wants_expression && is_among(name, expression_starts))
            continue;
        if (has_operators && is_among(name, operators))
            continue;
        if (has_operators && strcmp(name, "'derivative'") == 0)
            continue;
        if (count == NAMED_MAX)
            return NULL;
        named[count++] = name;
    }
    if (count == 0)
        return has_operators ? "an operator" : NULL;
    Text text = text_new(arena);
    for (int i = 0; i < count; i++) {
        text_add(&text, i == 0 ? "" : i + 1 == count ? " or " : ", ");
        text_add(&text, named[i]);
    }
    return text_string(&text);
}

static const char *describe_found(const Reader *reader, const Token *token) {
    if (token->kind == 0)
        return "end of the file";
    if (token->kind != TOKEN_END)
        return arena_format(reader->arena, "'%s'", reader_excerpt(reader, token->span));
    char c = token->span.start < reader->length ? reader->text[token->span.start] : '\0';
    if (c == ';' || c == '}')
        return c == ';' ? "';'" : "'}'";
    return token->span.start >= reader->length ? "end of the file" : "end of the line";
}

// ---- guesses

typedef struct ForeignWord {
    const char *word;
    const char *hint;
} ForeignWord;

// Words with which a statement of another language starts.
static const ForeignWord foreign_words[] = {
    {"let", "an assignment needs no word: x = 1"},
    {"var", "an assignment needs no word: x = 1"},
    {"const", "an assignment needs no word: x = 1"},
    {"auto", "an assignment needs no word: x = 1"},
    {"val", "an assignment needs no word: x = 1"},
    {"mut", "an assignment needs no word: x = 1"},
    {"def", "a function is written fn f(x) { ... }, outside of models and functions"},
    {"func", "a function is written fn f(x) { ... }, outside of models and functions"},
    {"fun", "a function is written fn f(x) { ... }, outside of models and functions"},
    {"function", "a function is written fn f(x) { ... }, outside of models and functions"},
    {"proc", "a function is written fn f(x) { ... }, outside of models and functions"},
    {"class", "a model is written model NAME { ... }"},
    {"struct", "a model is written model NAME { ... }"},
    {"module", "a model is written model NAME { ... }"},
    {"elif", "write } else if c {"},
    {"elseif", "write } else if c {"},
    {"elsif", "write } else if c {"},
    {"unless", "write if not c {"},
    {"until", "write while not c limit n {"},
    {"loop", "a loop is written for i in 0..n { ... }"},
    {"foreach", "a loop is written for row in x { ... }"},
    {"with", "gradients are switched off by no_grad { ... }"},
    {"from", "a file is used by import \"file.tdsl\""},
    {"use", "a file is used by import \"file.tdsl\""},
    {"include", "a file is used by import \"file.tdsl\""},
    {"frozen", "write param frozen w: real"},
    {"requires_grad", "write input requires_grad x: real"},
    {"del", "nothing needs to be deleted: values live as long as they are used"},
    {"int", "a type follows the name: n: i32 = 3"},
    {"long", "a type follows the name: n: i64 = 3"},
    {"float", "a type follows the name: x: f32 = 1"},
    {"double", "a type follows the name: x: f64 = 1"},
    {"real", "a type follows the name: x: real = 1"},
    {"tensor", "a type follows the name: x: f32[3] = 1"},
    {"f32", "a type follows the name: x: f32 = 1"},
    {"f64", "a type follows the name: x: f64 = 1"},
    {"i32", "a type follows the name: n: i32 = 3"},
    {"i64", "a type follows the name: n: i64 = 3"},
    {"bool", "a type follows the name: b: bool = true"},
};

static bool is_word(const Reader *reader, const Token *token, const char *word) {
    size_t length = (size_t)(token->span.end - token->span.start);
    return token->kind > TOKEN_END && strlen(word) == length &&
           memcmp(reader->text + token->span.start, word, length) == 0;
}

static const char *guess_foreign_word(const Reader *reader) {
    const Token *start = &reader->statement_start;
    if (start->span.start != reader->last.span.start &&
        start->span.start != reader->before_last.span.start)
        return NULL;
    for (size_t i = 0; i < sizeof foreign_words / sizeof foreign_words[0]; i++) {
        if (is_word(reader, start, foreign_words[i].word))
            return foreign_words[i].hint;
    }
    return NULL;
}

static bool is_operator(int kind) {
    switch (kind) {
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
    case TOKEN_OR: return true;
    default: return false;
    }
}

static bool is_operator_or_call(int kind) {
    return is_operator(kind) || kind == '+' || kind == '-' || kind == '(' || kind == '[';
}

// A word of the language where a name was wanted.
static bool is_reserved_word(const Reader *reader, const Token *token) {
    char c = token->span.end > token->span.start ? reader->text[token->span.start] : '\0';
    return token->kind > TOKEN_END && token->kind != TOKEN_NAME && token->kind < RAW_NEWLINE &&
           ((c >= 'a' && c <= 'z') || c == 'N' || c == 'T' || c == 'F');
}

static bool is_name_token(const Reader *reader, const Token *token) {
    return token->kind == TOKEN_NAME || is_reserved_word(reader, token);
}

// Is the token the last of its line?
static bool ends_line(const Reader *reader, const Token *token) {
    int at = token->span.end;
    while (at < reader->length && strchr(" \t\r", reader->text[at]) != NULL)
        at++;
    return at >= reader->length || reader->text[at] == '\n' || reader->text[at] == '#';
}

static const char *guess_about_block(const Reader *reader, Expected expected) {
    const Token *found = &reader->last;
    if (!expects(expected, "'{'"))
        return NULL;
    if (found->kind == '=' && expects(expected, "'=='"))
        return "'=' assigns; '==' compares";
    if ((found->kind == ':' && !ends_line(reader, found) && expects(expected, "'..'")) ||
        found->kind == TOKEN_ELLIPSIS)
        return "a range is written 0..n";
    if (found->kind == ':')
        return "a block is written in braces: { ... }";
    if (found->kind == TOKEN_END)
        return "put a '{' at the end of this line and a '}' after the block";
    if (expected.count == 1)
        return "a block is written in braces: { ... }";
    return NULL;
}

static const char *guess_about_start(const Reader *reader, Expected expected) {
    const Token *found = &reader->last;
    if (found->span.start != reader->statement_start.span.start)
        return NULL;
    if (reader->bracket_count == (is_opening_bracket(found->kind) ? 1 : 0) &&
        found->kind != TOKEN_FLOOR_DIVIDE)
        return "a file holds import, fn, model and optimizer; statements stand inside of them";
    if (found->kind == TOKEN_ELSE)
        return "'else' follows the '}' of an if";
    if (found->kind == TOKEN_FLOOR_DIVIDE)
        return "a comment starts with '#'";
    if (is_operator(found->kind))
        return "a line goes on in the next if it ends in an operator, or inside of brackets";
    if (found->kind == TOKEN_FN)
        return "functions are defined outside of models and functions";
    return NULL;
}

static const char *guess_about_brackets(const Reader *reader, Expected expected) {
    const Token *found = &reader->last;
    const Bracket *around = reader_enclosing(reader);
    int before = reader->before_last.kind;
    if (found->kind == '{' && (before == '=' || before == '(' || before == ','))
        return "a list is written in brackets: [1, 2, 3]";
    if (around == NULL || around->kind == '{')
        return NULL;
    if (found->kind == TOKEN_FOR && around->kind == '[')
        return "a comprehension starts with its loops: [for i in 0..n: x[i] * 2]";
    if (found->kind == ',' && around->kind == '(' && !expects(expected, "','") &&
        expects(expected, "')'"))
        return "several values are written without parentheses: return a, b";
    if (found->kind == '=' && expects(expected, "'=='"))
        return "'=' assigns; '==' compares";
    return NULL;
}

static const char *guess_about_tokens(const Reader *reader, Expected expected) {
    const Token *found = &reader->last;
    const Token *before = &reader->before_last;
    bool after_value = expects(expected, "'*'");
    if (is_word(reader, before, "lambda") || is_word(reader, found, "lambda"))
        return "a function without a name is written fn(x) = x * x";
    if (before->kind == TOKEN_FOR && found->kind == '(')
        return "a loop is written without parentheses: for i in 0..n { ... }";
    if (before->kind == TOKEN_FN && found->kind == TOKEN_NAME)
        return "functions are defined outside of models and functions";
    if (found->kind == TOKEN_FOR && expects(expected, "an integer"))
        return "a comprehension stands in brackets: [for i in 0..n: x[i] * 2]";
    if (found->kind == '=' && is_reserved_word(reader, before))
        return "this word is part of the language: choose another name";
    if (reader->statement_start.kind == TOKEN_OUTPUT && is_operator_or_call(found->kind))
        return "an output has a name: output y = f(x)";
    if (before->kind == TOKEN_IMPORT)
        return "write import \"file.tdsl\"";
    if (reader->line_has_slashes && found->kind != TOKEN_FLOOR_DIVIDE)
        return "a comment starts with '#'; '//' divides";
    if (after_value && found->kind == TOKEN_IF)
        return "a choice is written c ? a : b";
    if (after_value && (before->kind == TOKEN_INTEGER || before->kind == TOKEN_REAL) &&
        found->kind == TOKEN_NAME)
        return "a product is written with '*'";
    if (expects(expected, "a name") && is_reserved_word(reader, found))
        return "this word is part of the language: choose another name";
    if (found->kind == TOKEN_RANGE)
        return "a range stands after 'for x in'; a slice is written x[1:3]";
    return NULL;
}

// paramm x: real
static const char *guess_misspelt(const Reader *reader) {
    static const char *const words[] = {"input",  "param",      "output", "return",
                                        "for",    "while",      "state",  "model",
                                        "import", "checkpoint", "else",   "no_grad"};
    const Token *start = &reader->statement_start;
    if (start->kind != TOKEN_NAME || start->span.start != reader->before_last.span.start ||
        (reader->last.kind != '{' && !is_name_token(reader, &reader->last)))
        return NULL;
    const char *word = arena_copy_text(reader->arena, reader->text + start->span.start,
                                       (size_t)(start->span.end - start->span.start));
    const char *closest = closest_name(word, words, (int)(sizeof words / sizeof words[0]));
    return closest == NULL ? NULL : arena_format(reader->arena, "did you mean %s?", closest);
}

static const char *guess(const Reader *reader, Expected expected) {
    const char *hint = guess_foreign_word(reader);
    if (hint == NULL)
        hint = guess_misspelt(reader);
    if (hint == NULL)
        hint = guess_about_block(reader, expected);
    if (hint == NULL)
        hint = guess_about_start(reader, expected);
    if (hint == NULL)
        hint = guess_about_brackets(reader, expected);
    if (hint == NULL)
        hint = guess_about_tokens(reader, expected);
    return hint;
}

// Was a ( or [ left open before the present token? True if reported.
static bool report_open_bracket(Reader *reader, Expected expected) {
    const Token *found = &reader->last;
    const Bracket *around = reader_enclosing(reader);
    if (around == NULL || around->kind == '{')
        return false;
    bool could_close = expects(expected, around->kind == '(' ? "')'" : "']'");
    if (found->starts_line && found->indent <= reader->statement_start.indent) {
        report_unclosed(reader, around, found, "this line cannot be part of it");
        reader_recover_before(reader);
        return true;
    }
    if (found->kind == '{' && could_close) {
        report_unclosed(reader, around, found, "the block starts here");
        reader_recover(reader, false);
        return true;
    }
    return false;
}

// Was the definition closed too early, by a `}` indented like what follows? True if reported.
static bool report_early_close(Reader *reader) {
    const Token *found = &reader->last;
    if (reader->suspect.kind == 0 || found->span.start != reader->statement_start.span.start ||
        reader->bracket_count != (is_opening_bracket(found->kind) ? 1 : 0) ||
        reader->suspect_closer.indent == 0 || found->indent < reader->suspect_closer.indent)
        return false;
    Diag *diag = error_at(reader->diags, reader->suspect_closer.span, "this '}' is one too many");
    add_note(reader->diags, diag, reader->suspect.span, "it closes this '{'");
    add_note(reader->diags, diag, found->span, "so this stands outside");
    reader->skips_to_definition = true;
    return true;
}

// Did the line above end in an operator, and does the next statement follow? True if reported.
static bool report_dangling(Reader *reader) {
    const Token *found = &reader->last, *before = &reader->before_last;
    bool is_second = !found->starts_line;
    const Token *operator= is_second ? &reader->before_both : before;
    const Token *next = is_second ? before : found;
    const Bracket *around = reader_enclosing(reader);
    bool dangles = (is_operator(operator->kind) && operator->kind != ':') ||
                   operator->kind == '+' || operator->kind == '-' || operator->kind == '=';
    if (!next->starts_line || !dangles ||
        (around != NULL && around->kind != '{') ||
        operator->span.start<reader->statement_start.span.start || next->indent>
        reader->statement_start.indent ||(next->kind != '}' && !is_name_token(reader, next)))
        return false;
    Diag *diag = error_at(reader->diags, operator->span, "nothing follows this '%s'",
                          reader_excerpt(reader, operator->span));
    add_hint(reader->diags, diag, "the line goes on in the next one, which starts a statement");
    if (is_second)
        reader_recover(reader, false);
    else
        reader_recover_before(reader);
    return true;
}

void report_syntax_error(Reader *reader, const char *const *names, int count) {
    if (reader->is_stopped)
        return;
    Expected expected = {names, count};
    if (report_open_bracket(reader, expected) || report_early_close(reader) ||
        report_dangling(reader))
        return;
    const char *found = describe_found(reader, &reader->last);
    const char *wanted = describe_expected(reader->arena, expected);
    Diag *diag = wanted != NULL
                     ? error_at(reader->diags, reader->last.span, "unexpected %s; expected %s",
                                found, wanted)
                     : error_at(reader->diags, reader->last.span, "unexpected %s", found);
    const char *hint = guess(reader, expected);
    if (hint != NULL)
        add_hint(reader->diags, diag, "%s", hint);
    // outside of definitions, a broken line takes the lines under it along
    reader_recover(reader, expects(expected, "'{'") || reader_enclosing(reader) == NULL);
}
