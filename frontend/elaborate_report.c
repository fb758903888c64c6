// Reporting in the user's terms: where a mistake is shown, and what values are called in messages.
#include "frontend/elaborate_internal.h"

#include <inttypes.h>
#include <string.h>

// The prelude's text is the compiler's: a mistake inside it is one of its caller.
static Span user_place(const Elaborator *e, Span span, const Frame **frame, const char **name) {
    *name = NULL;
    for (*frame = e->frame; *frame != NULL; *frame = (*frame)->caller) {
        const FunctionVal *function = (*frame)->function;
        if (function == NULL || !function->is_prelude) {
            break;
        }
        span = (*frame)->call;
        *name = function->name;
    }
    return span;
}

// A message of a built-in function starts with its name; inside the prelude that is no news.
static const char *without_name(const char *message) {
    size_t length = strspn(message, "abcdefghijklmnopqrstuvwxyz_0123456789");
    return length > 0 && strncmp(message + length, ": ", 2) == 0 ? message + length + 2 : message;
}

// One call of the prelude is one mistake, whatever follows from it. NULL: none was reported there.
static Diag *find_error_at(const Elaborator *e, Span span) {
    for (int i = 0; i < e->diags->list.count; i++) {
        Diag *diag = e->diags->list.at[i];
        if (diag->span.file == span.file && diag->span.start == span.start &&
            diag->span.end == span.end && diag->severity == SEVERITY_ERROR) {
            return diag;
        }
    }
    return NULL;
}

static Diag *report_list(Elaborator *e, Span span, const char *format, va_list list) {
    const Frame *frame;
    const char *prelude_name;
    span = user_place(e, span, &frame, &prelude_name);
    const char *message = arena_format_list(e->arena, format, list);
    if (prelude_name != NULL) {
        Diag *known = find_error_at(e, span);
        if (known != NULL) {
            return known;
        }
        message = arena_format(e->arena, "%s: %s", prelude_name, without_name(message));
    }
    Diag *diag = error_at(e->diags, span, "%s", message);
    for (int notes = diag->notes.count; frame != NULL && notes < 4; frame = frame->caller) {
        if (frame->function != NULL && frame->call.file >= 0) {
            add_note(e->diags, diag, frame->call, "in the call of %s here", frame->function->name);
            notes++;
        }
    }
    return diag;
}

Diag *report(Elaborator *e, Span span, const char *format, ...) {
    va_list list;
    va_start(list, format);
    Diag *diag = report_list(e, span, format, list);
    va_end(list);
    return diag;
}

Diag *report_sizes(Elaborator *e, Span span, bool is_symbolic, const char *format, ...) {
    if (e->is_speculative && is_symbolic) {
        e->has_gaps = true;
        return NULL;
    }
    va_list list;
    va_start(list, format);
    Diag *diag = report_list(e, span, format, list);
    va_end(list);
    return diag;
}

void hint(Elaborator *e, Diag *diag, const char *format, ...) {
    if (diag == NULL || diag->hint != NULL) {
        return;
    }
    va_list list;
    va_start(list, format);
    add_hint(e->diags, diag, "%s", arena_format_list(e->arena, format, list));
    va_end(list);
}

void hint_name(Elaborator *e, Diag *diag, const char *name, const NameVec *names) {
    const char *closest = closest_name(name, names->at, names->count);
    if (closest != NULL) {
        hint(e, diag, "did you mean %s?", closest);
    }
}

const char *join_names(Elaborator *e, const NameVec *names) {
    Text text = text_new(e->arena);
    for (int i = 0; i < names->count; i++) {
        text_add(&text, i == 0 ? "" : i == names->count - 1 ? " and " : ", ");
        text_add(&text, names->at[i]);
    }
    return text_string(&text);
}

const char *show_dim_text(Elaborator *e, const Dim *dim) {
    Text text = text_new(e->arena);
    dim_print(&text, dim);
    return text_string(&text);
}

const char *show_value_type(Elaborator *e, const Value *value) {
    return type_string(e->arena, value->type);
}

static const char *describe_number(Elaborator *e, Val val) {
    Text text = text_new(e->arena);
    if (val.kind == VAL_REAL) {
        text_add_real(&text, val.real, false);
    } else {
        dim_print(&text, val.dim);
        if (val.kind == VAL_RATIO) {
            text_add(&text, " / ");
            dim_print(&text, val.divisor);
        }
    }
    return arena_format(e->arena, "the number %s", text_string(&text));
}

const char *describe(Elaborator *e, Val val) {
    switch (val.kind) {
    case VAL_ERROR: return "a mistake";
    case VAL_TENSOR: return show_value_type(e, val.tensor);
    case VAL_INT:
    case VAL_REAL:
    case VAL_RATIO: return describe_number(e, val);
    case VAL_BOOL: return val.boolean ? "true" : "false";
    case VAL_STRING: return arena_format(e->arena, "the string \"%s\"", val.string);
    case VAL_NONE: return "none";
    case VAL_LIST: return val.is_shape ? "a shape" : "a list";
    case VAL_RESULTS:
        return val.list.count == 0 ? "nothing"
                                   : arena_format(e->arena, "%d results", val.list.count);
    case VAL_FUNCTION: return arena_format(e->arena, "the function %s", val.function->name);
    case VAL_BUILTIN: return arena_format(e->arena, "the function %s", builtin_name(val.builtin));
    case VAL_DERIVED:
        return arena_format(e->arena, "the function %s", derived_name(e, val.derived));
    case VAL_ELEMENT: return arena_format(e->arena, "the type %s", element_name(val.element));
    }
    return "";
}

void at_span(Elaborator *e, Span span) {
    const Frame *frame;
    const char *name;
    e->builder.span = user_place(e, span, &frame, &name);
}

bool spend(Elaborator *e, Span span) {
    if (e->budget > 0) {
        e->budget--;
        return true;
    }
    if (!e->budget_reported) {
        e->budget_reported = true;
        Diag *diag = report(e, span, "the program is too large to compile");
        hint(e, diag, "a loop over a range stays a loop; one over a list is written out");
    }
    return false;
}
