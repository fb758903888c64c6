// The tokens of a text as the formatter sees them: comments and newlines kept, and for each token
// what it does where it stands. Private to the formatter.
#ifndef TDSL_FRONTEND_FORMAT_TOKENS_H
#define TDSL_FRONTEND_FORMAT_TOKENS_H

#include <stdbool.h>

#include "frontend/reader.h"

typedef enum Role {
    ROLE_OTHER,   // a word of the language
    ROLE_OPERAND, // something an operand can end with: a name, a literal, a closing bracket
    ROLE_PREFIX,  // unary - and +
    ROLE_INFIX,   // an operator with two sides, `=`, `->`, the `?` and `:` of a choice
    ROLE_TIGHT,   // no blanks around: `.`, `..`, the `:` of a slice, `dim=1`, `<` before dimensions
    ROLE_COLON,   // a blank after, none before: x: real, for i in 0..n: e
    ROLE_SEPARATOR,  // `,` and `;`
    ROLE_OPEN,       // ( and [ after an operator or a word
    ROLE_APPLY,      // ( and [ after what they apply to
    ROLE_CLOSE,      // ) and ]
    ROLE_BLOCK,      // {
    ROLE_BLOCK_END,  // }
    ROLE_CLOSE_ANGLE // `>` after dimensions
} Role;

typedef struct FormatToken {
    int kind;
    Role role;
    Span span;
    int newlines; // before it
    bool is_comment;
    bool ends_statement_before; // a statement ended between this token and the one before
} FormatToken;
typedef VEC(FormatToken) FormatTokens;

// The tokens of a text that parses, without RAW_NEWLINE and RAW_SEMICOLONs that separate nothing.
void read_format_tokens(Reader *reader, FormatTokens *tokens);
// Does a blank belong between two tokens of one line?
bool needs_blank(const Reader *reader, const FormatToken *left, const FormatToken *right);

#endif
