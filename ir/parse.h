// The parser of the text form, as its own files see it: one token of lookahead over the text,
// recursive descent. The first mistake is reported and ends the parse: from then on the current
// token is TOKEN_END, so every loop stops by itself. Functions return NULL or false after a
// mistake.
#ifndef TDSL_IR_PARSE_H
#define TDSL_IR_PARSE_H

#include "ir/base/diag.h"
#include "ir/build.h"
#include "ir/name_table.h"

typedef enum TokenKind {
    TOKEN_END,
    TOKEN_NAME,      // h, h.1
    TOKEN_TEMPORARY, // %12
    TOKEN_NUMBER,    // digits, with a fraction or an exponent or not; never signed
    TOKEN_STRING,    // with its quotes
    TOKEN_ARROW,     // ->
    TOKEN_MARK,      // any other character, alone
} TokenKind;

typedef struct Token {
    TokenKind kind;
    char mark; // TOKEN_MARK: which
    int start, end;
} Token;

// A function whose body is read only when everything that it calls is known.
typedef struct ParsedFunction {
    Function *function;
    int body_start; // offset of the first token behind `{`
    VEC(Type) result_types;
    VEC(Slot) results;
    const char *rule; // the name behind `reverse`, or NULL
    Span rule_span;
    NameTable values; // printed names to Value *
    enum { BODY_UNREAD, BODY_BEING_READ, BODY_READ } state;
} ParsedFunction;

typedef struct Parser {
    Arena *arena; // the module's
    Diags *diags;
    int file;
    const char *text;
    int length;
    Token token;
    int previous_end; // end of the token before
    bool failed;
    int depth;
    Module *module;
    VEC(ParsedFunction *) functions;
    NameTable functions_by_name; // ParsedFunction *
    ParsedFunction *current;
} Parser;

enum { PARSE_DEPTH_MAX = 256 };

// parse_lexer.c
void next_token(Parser *p);
void restart_at(Parser *p, int offset); // reads the token at `offset` again
void parse_fail(Parser *p, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void parse_fail_expected(Parser *p, const char *what); // at the current token
Span token_span(const Parser *p);
Span span_from(const Parser *p, int start); // up to the end of the token before
const char *token_text(Parser *p);          // in the arena; a string without its quotes and escapes
bool at_mark(const Parser *p, char mark);
bool accept_mark(Parser *p, char mark);
bool expect_mark(Parser *p, char mark);
bool at_word(const Parser *p, const char *word);
bool accept_word(Parser *p, const char *word);
bool expect_word(Parser *p, const char *word);
// A name, or in quotes any text. NULL after an error.
const char *expect_name(Parser *p, const char *what);
// Guards recursion: false after an error when nesting is too deep. Each enter has its leave.
bool parse_enter(Parser *p);
void parse_leave(Parser *p);
// Skips from an opening bracket to behind the one that closes it; counts the numbers and names.
void skip_brackets(Parser *p, int64_t *items);

// parse_type.c
bool parse_integer(Parser *p, int64_t *value); // with a sign
bool parse_int(Parser *p, int *value);
bool parse_ints(Parser *p, Ints *ints); // between brackets
bool parse_element(Parser *p, ElementType *element);
bool parse_type(Parser *p, Type *type);
const Dim *parse_dim(Parser *p);
// The fields of an attribute between braces, if the kind has any.
bool parse_attribute(Parser *p, AttributeKind kind, Attribute *attr);
const TensorData *parse_data(Parser *p, Type type); // with exactly as many items as the type says

// parse_inst.c: instructions up to and with `yield` or `return`, whose values become the region's.
bool parse_region_body(Parser *p, Region *region);
bool define_value(Parser *p, Value *value, const char *written, Span span);

// parse.c: reads the function's body if it was not read yet; false after an error.
bool ensure_body(Parser *p, ParsedFunction *parsed, Span use);

#endif
