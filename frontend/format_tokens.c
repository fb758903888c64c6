// What each token does where it stands; see format_tokens.h. Works on texts that parse, so a look
// at the tokens before is enough.
#include "frontend/format_tokens.h"

typedef struct Nest {
    int kind;
    bool is_subscript;  // x[
    bool is_parameters; // fn f(
    bool has_loop;      // [for or (for: its first colon belongs to the loop
    int choices;        // `?` that wait for their `:`
} Nest;

typedef struct Roles {
    Nest nests[BRACKETS_MAX + 1];
    int depth;                 // index of the innermost nest; nests[0] is the file
    bool awaits_parameters;    // after `fn` and `optimizer NAME`
    bool awaits_dimensions;    // after `fn NAME` and `model NAME`
    bool is_in_dimensions;     // between < and >
    const FormatToken *before; // NULL at the start of a statement
    const FormatToken *before_that;
} Roles;

static bool ends_operand(const FormatToken *token) {
    return token != NULL && (token->role == ROLE_OPERAND || token->role == ROLE_CLOSE ||
                             token->role == ROLE_BLOCK_END);
}

// Words that are names where no word of the language could stand.
static bool is_soft_word(int kind) {
    switch (kind) {
    case TOKEN_MODEL:
    case TOKEN_OPTIMIZER:
    case TOKEN_DERIVATIVE:
    case TOKEN_INPUT:
    case TOKEN_PARAM:
    case TOKEN_OUTPUT:
    case TOKEN_STATE:
    case TOKEN_FROZEN:
    case TOKEN_REQUIRES_GRAD:
    case TOKEN_STEP:
    case TOKEN_LIMIT: return true;
    default: return false;
    }
}

static bool is_literal_or_name(int kind) {
    return kind == TOKEN_NAME || kind == TOKEN_INTEGER || kind == TOKEN_REAL ||
           kind == TOKEN_STRING || kind == TOKEN_TRUE || kind == TOKEN_FALSE ||
           kind == TOKEN_NONE || kind == TOKEN_ELLIPSIS;
}

// `next` is the kind of the token after the word.
static Role word_role(Roles *roles, int kind, int next) {
    bool starts = roles->before == NULL;
    bool follows_operand = ends_operand(roles->before);
    bool is_in_file = roles->depth == 0;
    if (kind == TOKEN_FN || (kind == TOKEN_OPTIMIZER && starts && is_in_file)) {
        roles->awaits_parameters = true;
        roles->awaits_dimensions = kind == TOKEN_FN && next != '(';
        return ROLE_OTHER;
    }
    if (kind == TOKEN_MODEL && starts && is_in_file) {
        roles->awaits_dimensions = true;
        return ROLE_OTHER;
    }
    if (kind == TOKEN_DERIVATIVE && follows_operand) {
        roles->awaits_parameters = true;
        return ROLE_OTHER;
    }
    if (kind == TOKEN_FOR)
        roles->nests[roles->depth].has_loop = true;
    if (!is_soft_word(kind))
        return ROLE_OTHER;
    if (follows_operand)
        return ROLE_OTHER;
    bool declares = starts && (next == TOKEN_NAME || is_soft_word(next));
    bool marks = roles->before != NULL && roles->before->role == ROLE_OTHER &&
                 (kind == TOKEN_FROZEN || kind == TOKEN_REQUIRES_GRAD) &&
                 (next == TOKEN_NAME || is_soft_word(next));
    return declares || marks ? ROLE_OTHER : ROLE_OPERAND;
}

static Role open_role(Roles *roles, int kind) {
    bool is_parameters = kind == '(' && roles->awaits_parameters && !roles->is_in_dimensions;
    bool applies = is_parameters || ends_operand(roles->before);
    if (is_parameters)
        roles->awaits_parameters = roles->awaits_dimensions = false;
    Nest nest = {
        .kind = kind, .is_subscript = kind == '[' && applies, .is_parameters = is_parameters};
    roles->nests[++roles->depth] = nest;
    return kind == '{' ? ROLE_BLOCK : applies ? ROLE_APPLY : ROLE_OPEN;
}

static Role colon_role(Roles *roles) {
    Nest *nest = &roles->nests[roles->depth];
    if (nest->choices > 0) {
        nest->choices--;
        return ROLE_INFIX;
    }
    return nest->is_subscript && !nest->has_loop ? ROLE_TIGHT : ROLE_COLON;
}

// `dim=1` in a call has no blanks; all other `=` have.
static Role equals_role(const Roles *roles) {
    const Nest *nest = &roles->nests[roles->depth];
    bool names_argument =
        nest->kind == '(' && !nest->is_parameters && roles->before_that != NULL &&
        (roles->before_that->role == ROLE_APPLY || roles->before_that->role == ROLE_SEPARATOR);
    return names_argument ? ROLE_TIGHT : ROLE_INFIX;
}

static Role angle_role(Roles *roles, int kind) {
    if (kind == '<' && roles->awaits_dimensions) {
        roles->awaits_dimensions = false;
        roles->is_in_dimensions = true;
        return ROLE_TIGHT;
    }
    if (kind == '>' && roles->is_in_dimensions && roles->nests[roles->depth].kind != '(') {
        roles->is_in_dimensions = false;
        return ROLE_CLOSE_ANGLE;
    }
    return ROLE_INFIX;
}

static Role role_of(Roles *roles, int kind, int next) {
    switch (kind) {
    case '(':
    case '[':
    case '{': return open_role(roles, kind);
    case ')':
    case ']': roles->depth--; return ROLE_CLOSE;
    case '}': roles->depth--; return ROLE_BLOCK_END;
    case '.':
    case TOKEN_RANGE: return ROLE_TIGHT;
    case ',':
    case RAW_SEMICOLON: return ROLE_SEPARATOR;
    case ':': return colon_role(roles);
    case '?': roles->nests[roles->depth].choices++; return ROLE_INFIX;
    case '=': return equals_role(roles);
    case '<':
    case '>': return angle_role(roles, kind);
    case '-':
    case '+': return ends_operand(roles->before) ? ROLE_INFIX : ROLE_PREFIX;
    default: break;
    }
    if (is_literal_or_name(kind))
        return ROLE_OPERAND;
    if (kind == TOKEN_AND || kind == TOKEN_OR)
        return ROLE_OTHER;
    return continues_line(kind) && kind != TOKEN_NOT ? ROLE_INFIX : word_role(roles, kind, next);
}

// ---- reading

// Drops the `;` that separate nothing and turns newlines into counts.
static void push_token(Reader *reader, FormatTokens *tokens, const Token *raw, int *newlines) {
    FormatToken *last = tokens->count > 0 ? &tokens->at[tokens->count - 1] : NULL;
    bool follows_separator = last != NULL && last->kind == RAW_SEMICOLON;
    bool is_separator = raw->kind == RAW_SEMICOLON;
    if (is_separator && (last == NULL || last->kind == '{' || last->is_comment || *newlines > 0 ||
                         follows_separator))
        return;
    if (follows_separator && (*newlines > 0 || raw->kind == RAW_COMMENT || raw->kind == '}'))
        tokens->count--;
    FormatToken token = {.kind = raw->kind, .span = raw->span, .newlines = *newlines};
    token.is_comment = raw->kind == RAW_COMMENT;
    vec_push(reader->arena, tokens, token);
    *newlines = 0;
}

// Is the newline before token `index` the end of a statement? As the reader decides; `last` is the
// token before without regard to comments.
static bool ends_statement(const FormatTokens *tokens, int index, const FormatToken *last,
                           const Roles *roles) {
    const FormatToken *token = &tokens->at[index];
    int kind = roles->nests[roles->depth].kind;
    if (last == NULL || last->kind == '{' || last->kind == RAW_SEMICOLON || kind == '(' ||
        kind == '[' || continues_line(last->kind) || token->kind == '{')
        return false;
    if (token->kind == TOKEN_ELSE && last->kind == '}')
        return false;
    return token->kind != TOKEN_DERIVATIVE || roles->depth > 0;
}

static void set_roles(Reader *reader, FormatTokens *tokens) {
    Roles *roles = arena_new(reader->arena, Roles);
    const FormatToken *last = NULL;
    bool has_newline = false;
    for (int i = 0; i < tokens->count; i++) {
        FormatToken *token = &tokens->at[i];
        has_newline = has_newline || token->newlines > 0;
        if (token->is_comment)
            continue;
        int next = 0;
        for (int j = i + 1; j < tokens->count && next == 0; j++)
            next = tokens->at[j].is_comment ? 0 : tokens->at[j].kind;
        token->ends_statement_before = has_newline && ends_statement(tokens, i, last, roles);
        bool starts = last == NULL || token->ends_statement_before || last->kind == RAW_SEMICOLON ||
                      last->kind == '{';
        if (starts)
            roles->before = roles->before_that = NULL;
        token->role = role_of(roles, token->kind, next);
        roles->before_that = roles->before;
        roles->before = token;
        last = token;
        has_newline = false;
    }
}

void read_format_tokens(Reader *reader, FormatTokens *tokens) {
    int newlines = 0;
    for (;;) {
        Token raw = reader_raw_token(reader);
        if (raw.kind == 0)
            break;
        if (raw.kind == RAW_NEWLINE)
            newlines++;
        else
            push_token(reader, tokens, &raw, &newlines);
    }
    if (tokens->count > 0 && tokens->at[tokens->count - 1].kind == RAW_SEMICOLON)
        tokens->count--;
    set_roles(reader, tokens);
}

// ---- blanks

// Would the two be read as something else without a blank? `1. ..n`, `2 .T`, `a.. .5`
static bool would_join(const Reader *reader, const FormatToken *left, const FormatToken *right) {
    bool is_number = left->kind == TOKEN_INTEGER || left->kind == TOKEN_REAL;
    char left_end = reader->text[left->span.end - 1];
    char right_start = reader->text[right->span.start];
    if (right->kind == '.')
        return is_number;
    return right_start == '.' && left_end == '.';
}

bool needs_blank(const Reader *reader, const FormatToken *left, const FormatToken *right) {
    if (would_join(reader, left, right))
        return true;
    if (left->role == ROLE_BLOCK || right->role == ROLE_BLOCK_END)
        return left->role != ROLE_BLOCK || right->role != ROLE_BLOCK_END;
    switch (right->role) {
    case ROLE_SEPARATOR:
    case ROLE_CLOSE:
    case ROLE_APPLY:
    case ROLE_COLON:
    case ROLE_CLOSE_ANGLE: return false;
    case ROLE_INFIX: return true;
    case ROLE_TIGHT: return left->role == ROLE_SEPARATOR;
    default: break;
    }
    switch (left->role) {
    case ROLE_OPEN:
    case ROLE_APPLY:
    case ROLE_PREFIX:
    case ROLE_TIGHT: return false;
    default: return true;
    }
}
