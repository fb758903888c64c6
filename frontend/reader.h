// The reader: turns flex's raw tokens into what the grammar sees. Private to the parser.
//
// The grammar knows one separator, END. The reader makes it from newlines and `;`: it drops
// newlines inside ( and [, after a token that cannot end a statement, and before `{`, `else` and
// `derivative`; it puts an END before each `}` and before the end of the file. It also matches
// brackets, and after a syntax error it skips to the END of the broken statement, so that one
// mistake gives one message.
#ifndef TDSL_FRONTEND_READER_H
#define TDSL_FRONTEND_READER_H

#include "frontend/ast.h"
#include "frontend_parser.h"
#include "ir/base/diag.h"

enum {
    BRACKETS_MAX = 256,     // nesting of ( [ {
    SYNTAX_ERRORS_MAX = 50, // then reading stops
    NAME_LENGTH_MAX = 255,  // bytes
    STRING_LENGTH_MAX = 65536
};

// Raw tokens that the grammar never sees.
enum { RAW_NEWLINE = 1000, RAW_SEMICOLON, RAW_COMMENT };

// A token about which an error was reported: the grammar recovers without a word.
enum { TOKEN_REPORTED = TOKEN_SYNTAX_error };

typedef struct Token {
    int kind; // TOKEN_NAME, '(', RAW_NEWLINE, ...
    Span span;
    SYNTAX_STYPE value;
    bool starts_line; // first of its line
    int indent;       // blank bytes before the first token of its line
} Token;

typedef struct Bracket {
    char kind; // ( [ {
    Span span;
    int indent; // of its line; for a `{`, of the line where its statement starts
} Bracket;

struct Reader {
    Arena *arena;
    Diags *diags;
    int file;
    const char *text; // the source
    int start;        // where reading starts and
    int length;       // ends
    void *scanner;    // flex's
    char *buffer;     // flex's copy of the text
    bool keeps_comments;

    int line; // of the raw token read last, from 1
    int line_start;
    int indent;
    bool is_line_start;

    Bracket brackets[BRACKETS_MAX];
    int bracket_count;
    Bracket suspect; // a `{` whose `}` is indented otherwise: kind 0 if none
    Token suspect_closer;
    bool has_peeked;
    Token peeked;
    VEC(Token) queue; // tokens made by the reader itself
    int queue_next;

    Token last;            // what the grammar was given last
    Token before_last;     // and before
    Token before_both;     // and before that
    Token statement_start; // first token of the present statement
    bool line_has_slashes; // a `//` was seen in this line

    bool is_skipping;         // after an error: up to the end of the statement
    bool skips_indented;      // and over the lines indented more: the block had no `{`
    bool skips_to_definition; // after a definition that was closed too early
    int errors_before;        // errors reported before this file
    bool is_stopped;          // too many errors, or too deep: only the end of the file follows
    bool reported_depth;
    AstFile *result;
};

// A reader at the start of a source, and its end.
Reader *open_reader(Arena *arena, Diags *diags, int file);
void close_reader(Reader *reader);
// One raw token.
Token reader_raw_token(Reader *reader);
// The next token of the grammar.
int reader_next(SYNTAX_STYPE *value, Span *span, Reader *reader);
// After an error was reported at reader->last: skip the rest of its statement. `missing_block`: the
// statement wanted a `{`.
void reader_recover(Reader *reader, bool missing_block);
// As reader_recover, where a bracket was left open: the statement ended before the present token,
// which starts the next one.
void reader_recover_before(Reader *reader);
// The innermost bracket open around the present token; NULL: none.
const Bracket *reader_enclosing(const Reader *reader);
// Reports the bracket, or one inside it whose indentation is suspect; a note at `found` unless
// NULL.
void report_unclosed(Reader *reader, const Bracket *bracket, const Token *found, const char *note);
// Can a statement not end after this token?
bool continues_line(int kind);
bool is_opening_bracket(int kind);
char closing_bracket(char opener);
// Reports at the present token; `expected` are the names of the tokens that could have stood there.
void report_syntax_error(Reader *reader, const char *const *expected, int count);
// Reports, once, that something is nested too deeply.
void report_depth(Reader *reader, Span span);
// Stops reading: the grammar sees the end of the file.
void reader_stop(Reader *reader);
// The text of a span, for messages: at most 40 bytes.
const char *reader_excerpt(const Reader *reader, Span span);

// ---- made by lexer.l
void reader_open_scanner(Reader *reader);
void reader_close_scanner(Reader *reader);
// The kind of the next raw token, without brackets or lines looked at; 0 at the end.
int reader_scan(Reader *reader, SYNTAX_STYPE *value, Span *span);

#endif
