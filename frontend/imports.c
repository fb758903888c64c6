// The functions of a file, of the files that it imports, and of the prelude.
//
// An import names a file below the importing file's folder: no absolute path, no `..`.
#include "frontend/elaborate_internal.h"

#include <string.h>

#include "frontend/parse.h"

extern const char prelude_source[];
extern const size_t prelude_source_length;

static const char *source_name(const Elaborator *e, int file) {
    return e->diags->sources->files.at[file].name;
}

static bool has_parent_step(const char *path) {
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
            return true;
        }
    }
    return false;
}

// The imported file's name, from the importing one's; NULL after an error.
static const char *resolve_path(Elaborator *e, const AstFile *from, const Definition *definition) {
    const char *path = definition->as.import.path, *name = source_name(e, from->file);
    Span span = definition->as.import.path_span;
    if (path[0] == '\0' || path[0] == '/' || strchr(path, '\\') != NULL || has_parent_step(path)) {
        Diag *diag = report(e, span, "an import names a file in the folder of this one or below");
        hint(e, diag, "write import \"layers.tdsl\" or import \"parts/layers.tdsl\"");
        return NULL;
    }
    const char *slash = strrchr(name, '/');
    return slash == NULL ? path
                         : arena_format(e->arena, "%.*s/%s", (int)(slash - name), name, path);
}

static bool is_loaded(const Elaborator *e, const char *name) {
    for (int i = 0; i < e->files.count; i++) {
        if (strcmp(source_name(e, e->files.at[i]->file), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool load_file(Elaborator *e, const AstFile *file);

static bool load_import(Elaborator *e, const AstFile *from, const Definition *definition) {
    const char *name = resolve_path(e, from, definition), *why = "imports cannot be read here";
    size_t length = 0;
    if (name == NULL) {
        return false;
    }
    if (is_loaded(e, name)) {
        return true;
    }
    const char *text = NULL;
    if (e->options->read_import != NULL) {
        text = e->options->read_import(e->options->import_context, e->arena, name, &length, &why);
    }
    if (text == NULL) {
        report(e, definition->as.import.path_span, "cannot import %s: %s", name, why);
        return false;
    }
    int errors = e->diags->error_count, reported = e->diags->list.count;
    int index = source_add(e->diags->sources, name, text, length);
    const AstFile *file = parse_source(e->arena, e->diags, index);
    for (int i = reported; i < e->diags->list.count; i++) {
        add_note(e->diags, e->diags->list.at[i], definition->as.import.path_span,
                 "imported from here");
    }
    return e->diags->error_count == errors && load_file(e, file);
}

static bool refuse_duplicate(Elaborator *e, const AstFunction *ast) {
    for (int i = 0; i < e->functions.count; i++) {
        const FunctionVal *other = e->functions.at[i];
        if (!other->is_prelude && strcmp(other->name, ast->name.text) == 0) {
            Diag *diag = report(e, ast->name.span, "there are two functions %s", ast->name.text);
            add_note(e->diags, diag, other->ast->name.span, "the first is here");
            return true;
        }
    }
    return false;
}

static bool check_parameters(Elaborator *e, const AstFunction *ast) {
    bool has_default = false;
    for (int i = 0; i < ast->parameters.count; i++) {
        const AstParameter *parameter = &ast->parameters.at[i];
        for (int k = 0; k < i; k++) {
            if (strcmp(ast->parameters.at[k].name.text, parameter->name.text) == 0) {
                report(e, parameter->name.span, "there are two parameters %s",
                       parameter->name.text);
                return false;
            }
        }
        if (has_default && parameter->value == NULL) {
            report(e, parameter->name.span, "%s has no default, but a parameter before it has one",
                   parameter->name.text);
            return false;
        }
        has_default = has_default || parameter->value != NULL;
    }
    return true;
}

// The comment lines that end right before a definition, without their marks.
const char *comment_before(Arena *arena, const Source *source, int start) {
    int end = start;
    Text text = text_new(arena);
    int first = end;
    while (first > 0) {
        int line = first - 1;
        while (line > 0 && source->text[line - 1] != '\n') {
            line--;
        }
        if (source->text[line] != '#') {
            break;
        }
        first = line;
    }
    for (int i = first; i < end;) {
        int stop = i;
        while (stop < end && source->text[stop] != '\n') {
            stop++;
        }
        int from = i + 1;
        while (from < stop && source->text[from] == ' ') {
            from++;
        }
        text_add(&text, i == first ? "" : " ");
        text_add_bytes(&text, source->text + from, (size_t)(stop - from));
        i = stop + 1;
    }
    return text_string(&text);
}

static bool load_function(Elaborator *e, const AstFunction *ast) {
    if (refuse_duplicate(e, ast) || !check_parameters(e, ast)) {
        return false;
    }
    FunctionVal *function = arena_new(e->arena, FunctionVal);
    *function = (FunctionVal){.ast = ast, .name = ast->name.text};
    vec_push(e->arena, &e->functions, function);
    return true;
}

static bool load_file(Elaborator *e, const AstFile *file) {
    bool ok = true;
    vec_push(e->arena, &e->files, file);
    for (int i = 0; i < file->definitions.count; i++) {
        const Definition *definition = file->definitions.at[i];
        switch (definition->kind) {
        case DEFINITION_IMPORT: ok = load_import(e, file, definition) && ok; break;
        case DEFINITION_FUNCTION: ok = load_function(e, definition->as.function) && ok; break;
        case DEFINITION_OPTIMIZER:
            report(e, definition->span, "optimizer definitions are not supported yet");
            ok = false;
            break;
        case DEFINITION_MODEL: break;
        }
    }
    return ok;
}

bool load_definitions(Elaborator *e, const AstFile *file) {
    return load_file(e, file);
}

// ---- the prelude

// Parts of other functions have no comment, or one that starts with a capital letter.
static bool is_part(const char *text, int start) {
    int first = start;
    while (first > 0) {
        int line = first - 1;
        while (line > 0 && text[line - 1] != '\n') {
            line--;
        }
        if (text[line] != '#') {
            break;
        }
        first = line;
    }
    char letter = first == start ? 'A' : text[first + 2];
    return letter >= 'A' && letter <= 'Z';
}

// The prelude's functions by name; each is read when it is first looked up. Every definition starts
// with `fn` at the start of a line.
bool load_prelude(Elaborator *e) {
    const char *text = prelude_source, *end = text + prelude_source_length;
    FunctionVal *last = NULL;
    e->prelude_file =
        source_add(e->diags->sources, "prelude.tdsl", prelude_source, prelude_source_length);
    for (const char *line = text; line < end;) {
        if (strncmp(line, "fn ", 3) == 0) {
            FunctionVal *function = arena_new(e->arena, FunctionVal);
            size_t length = strcspn(line + 3, "(<");
            int start = (int)(line - text);
            *function = (FunctionVal){.name = arena_copy_text(e->arena, line + 3, length),
                                      .is_prelude = true,
                                      .is_hidden = is_part(text, start),
                                      .start = start};
            if (last != NULL) {
                last->end = start;
            }
            last = function;
            vec_push(e->arena, &e->functions, function);
        }
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        line = newline == NULL ? end : newline + 1;
    }
    if (last != NULL) {
        last->end = (int)prelude_source_length;
    }
    return last != NULL;
}

const FunctionVal *parsed_function(Elaborator *e, const FunctionVal *function) {
    if (function->ast != NULL) {
        return function;
    }
    FunctionVal *parsed = (FunctionVal *)function;
    const AstFile *file =
        parse_part(e->arena, e->diags, e->prelude_file, function->start, function->end);
    check(file->definitions.count == 1 && file->definitions.at[0]->kind == DEFINITION_FUNCTION,
          "the prelude's %s is not one function", function->name);
    parsed->ast = file->definitions.at[0]->as.function;
    check(check_parameters(e, parsed->ast), "the parameters of the prelude's %s", function->name);
    return parsed;
}
