// The list of the language's functions: what `tdsl ops` prints.
#include <string.h>

#include "frontend/elaborate.h"
#include "ir/op.h"
#include "library/session.h"

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

static void print_markdown(Text *out, const BuiltinDocList *docs) {
    text_add(out,
             "# Operators\n\nPrinted by `tdsl ops --markdown` from the compiler's own tables.\n\n"
             "## Functions of the language\n\n| function | meaning |\n| --- | --- |\n");
    for (int i = 0; i < docs->count; i++) {
        text_add(out, "| `");
        add_cell(out, docs->at[i].signature);
        text_add(out, "` | ");
        add_cell(out, docs->at[i].meaning);
        text_add(out, " |\n");
    }
    text_add(out, "\n## Operators of the tensor IR\n\n| operator | derivative | meaning |\n"
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

static void print_json(Text *out, const BuiltinDocList *docs) {
    text_add(out, "[");
    for (int i = 0; i < docs->count; i++) {
        text_add(out, i ? ",\n {\"name\": " : "{\"name\": ");
        add_json_string(out, docs->at[i].name);
        text_add(out, ", \"signature\": ");
        add_json_string(out, docs->at[i].signature);
        text_add(out, ", \"meaning\": ");
        add_json_string(out, docs->at[i].meaning);
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
