// The list of the language's functions: what `tdsl ops` prints.
#include <string.h>

#include "frontend/elaborate.h"
#include "ir/op.h"
#include "library/session.h"

typedef struct Fact {
    const char *name, *derivative, *at, *domain, *error;
} Fact;

static const Fact facts[] = {
#define FACT(name, derivative, at, domain, error) {#name, derivative, at, domain, error},
#include "library/facts.def"
};

// What is known of a function; empty texts if nothing is said.
static Fact fact_of(const BuiltinDoc *doc) {
    Fact fact = {doc->name, "", "", "", ""};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (strcmp(facts[i].name, doc->name) == 0)
            fact = facts[i];
    if (*fact.derivative == 0)
        fact.derivative = doc->definition ? "that of its definition" : "to the elements it is of";
    return fact;
}

static const char *derivative_text(DerivativeKind kind) {
    switch (kind) {
    case DERIVATIVE_zero: return "none flows";
    case DERIVATIVE_partials:
    case DERIVATIVE_custom: return "by rule";
    case DERIVATIVE_linear: return "linear";
    case DERIVATIVE_regions: return "of what is inside";
    }
    unreachable("derivative kind %d", (int)kind);
}

static void print_plain(Text *out, const BuiltinDocList *docs) {
    for (int i = 0; i < docs->count; i++)
        text_format(out, "%s\n    %s\n", docs->at[i].signature, docs->at[i].meaning);
}

// Cells of a markdown table must not hold a bare bar.
static void add_cell(Text *out, const char *text) {
    for (const char *c = text; *c; c++)
        if (*c == '|')
            text_add(out, "\\|");
        else
            text_add_char(out, *c == '\n' ? ' ' : *c);
}

static void add_paragraph(Text *out, const char *title, const char *text, const char *unit) {
    if (*text)
        text_format(out, "%s: %s%s.\n\n", title, text, unit);
}

static void add_function(Text *out, const BuiltinDoc *doc) {
    Fact fact = fact_of(doc);
    bool is_number = *fact.error >= 'a' && strncmp(fact.error, "f32", 3) == 0;
    text_format(out, "### %s\n\n`%s`: %s.\n\n", doc->name, doc->signature, doc->meaning);
    add_paragraph(out, "Derivative", fact.derivative, "");
    add_paragraph(out, "Where it is not smooth", fact.at, "");
    add_paragraph(out, "Domain", fact.domain, "");
    add_paragraph(out, "Largest error", fact.error, is_number ? " (units in the last place)" : "");
    if (doc->definition)
        text_format(out, "```\n%s\n```\n\n", doc->definition);
}

static void print_markdown(Text *out, const BuiltinDocList *docs) {
    text_add(
        out,
        "# Operators\n\nPrinted by `tdsl ops --markdown` from the compiler's own tables and the "
        "prelude.\n\n## Functions of the language\n\n"
        "Functions with a definition are written in the language, and differentiated like "
        "programs.\nWhere a function has several arguments, derivatives are by x; by y. Errors "
        "are those of compiled\ncode; the reference evaluator computes in f64 and rounds "
        "once.\n\n");
    for (int i = 0; i < docs->count; i++)
        add_function(out, &docs->at[i]);
    text_add(out, "## Operators of the tensor IR\n\n| operator | derivative | meaning |\n"
                  "| --- | --- | --- |\n");
    for (int op = 0; op < OP_COUNT; op++) {
        const OpInfo *info = op_info((Op)op);
        text_format(out, "| `%s` | %s | ", info->name, derivative_text(info->derivative));
        add_cell(out, info->meaning);
        text_add(out, " |\n");
    }
}

static void add_json_string(Text *out, const char *text) {
    text_add_char(out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_add_char(out, '\\');
        text_add_char(out, *c == '\n' ? ' ' : *c);
    }
    text_add_char(out, '"');
}

static void add_json_field(Text *out, const char *name, const char *text) {
    text_format(out, "\"%s\": ", name);
    add_json_string(out, text);
}

static void print_json(Text *out, const BuiltinDocList *docs) {
    text_add(out, "[");
    for (int i = 0; i < docs->count; i++) {
        const BuiltinDoc *doc = &docs->at[i];
        Fact fact = fact_of(doc);
        bool is_operator = doc->op != OP_COUNT;
        text_format(out, "%s{\"kind\": \"%s\", ", i ? ",\n " : "",
                    is_operator       ? "operator"
                    : doc->definition ? "definition"
                                      : "function");
        add_json_field(out, "name", doc->name);
        text_add(out, ", ");
        add_json_field(out, "signature", doc->signature);
        text_add(out, ", ");
        add_json_field(out, "meaning", doc->meaning);
        text_add(out, ", ");
        add_json_field(out, "derivative", fact.derivative);
        text_add(out, ", ");
        add_json_field(out, "at", fact.at);
        text_add(out, ", ");
        add_json_field(out, "domain", fact.domain);
        text_add(out, ", ");
        add_json_field(out, "error", fact.error);
        text_add(out, "}");
    }
    text_add(out, "]\n");
}

const char *tdsl_operators(TdslSession *session, TdslListForm form) {
    BuiltinDocList docs = {0};
    Text out = text_new(&session->arena);
    list_builtins(&session->arena, &docs);
    switch (form) {
    case TDSL_LIST_PLAIN: print_plain(&out, &docs); break;
    case TDSL_LIST_MARKDOWN: print_markdown(&out, &docs); break;
    case TDSL_LIST_JSON: print_json(&out, &docs); break;
    }
    return text_string(&out);
}
