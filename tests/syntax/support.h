// What the tests of the syntax share: one text with everything that parsing it needs.
#ifndef TDSL_TESTS_SYNTAX_SUPPORT_H
#define TDSL_TESTS_SYNTAX_SUPPORT_H

#include <string.h>

#include "frontend/parse.h"
#include "tests/unit/expect.h"

typedef struct Parsed {
    Arena arena;
    Sources sources;
    Diags diags;
    int file;
    AstFile *ast;
} Parsed;

static inline void parse_bytes(Parsed *parsed, const char *bytes, size_t length) {
    memset(parsed, 0, sizeof *parsed);
    parsed->sources.arena = &parsed->arena;
    parsed->diags.arena = &parsed->arena;
    parsed->diags.sources = &parsed->sources;
    parsed->file = source_add(&parsed->sources, "test.tdsl", bytes, length);
    parsed->ast = parse_source(&parsed->arena, &parsed->diags, parsed->file);
}

static inline void parse_text(Parsed *parsed, const char *text) {
    parse_bytes(parsed, text, strlen(text));
}

static inline const char *parsed_tree(Parsed *parsed) {
    Text out = text_new(&parsed->arena);
    ast_print(&out, parsed->ast);
    return text_string(&out);
}

// The message of the only error; "" if there are none or several.
static inline const char *only_error(const Parsed *parsed) {
    return parsed->diags.error_count == 1 ? parsed->diags.list.at[0]->message : "";
}

static inline void print_errors(Parsed *parsed) {
    Text out = text_new(&parsed->arena);
    diags_print(&parsed->diags, &out);
    fputs(text_string(&out), stderr);
}

#endif
