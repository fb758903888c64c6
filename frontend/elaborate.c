// Entry points of the elaborator: a whole file, its models' dimensions, the list of functions.
#include "frontend/elaborate.h"

#include <stdlib.h>
#include <string.h>

#include "frontend/elaborate_internal.h"
#include "frontend/parse.h"

enum { BUDGET = 1000000 }; // expressions and statements of one compilation

static void start(Elaborator *e, Arena *arena, Diags *diags, const ElaborateOptions *options) {
    *e = (Elaborator){.arena = arena, .diags = diags, .options = options, .budget = BUDGET};
    e->module = module_new(arena);
    e->bounds = (BoundTable){.arena = arena, .dims = e->module->dims};
}

static const AstModel *model_at(const AstFile *file, int index) {
    const Definition *definition = file->definitions.at[index];
    return definition->kind == DEFINITION_MODEL ? definition->as.model : NULL;
}

static void report_unknown_model(Elaborator *e, const AstFile *file, const char *name) {
    NameVec names = {0};
    for (int i = 0; i < file->definitions.count; i++) {
        const AstModel *model = model_at(file, i);
        if (model != NULL) {
            vec_push(e->arena, &names, model->name.text);
        }
    }
    Diag *diag = error_at(e->diags, no_span, "there is no model %s", name);
    hint_name(e, diag, name, &names);
    if (names.count > 0) {
        hint(e, diag, "there is %s", join_names(e, &names));
    } else {
        hint(e, diag, "the file has no model");
    }
}

static bool refuse_duplicate_models(Elaborator *e, const AstFile *file) {
    bool found = false;
    for (int i = 0; i < file->definitions.count; i++) {
        const AstModel *model = model_at(file, i);
        for (int k = 0; k < i && model != NULL; k++) {
            const AstModel *other = model_at(file, k);
            if (other != NULL && strcmp(other->name.text, model->name.text) == 0) {
                Diag *diag = error_at(e->diags, model->name.span, "there are two models %s",
                                      model->name.text);
                add_note(e->diags, diag, other->name.span, "the first is here");
                found = true;
            }
        }
    }
    return found;
}

// ---- bindings from the command line

static void check_bindings(Elaborator *e, const AstFile *file) {
    NameVec known = {0};
    for (int i = 0; i < file->definitions.count; i++) {
        const AstModel *model = model_at(file, i);
        const char *wanted = e->options->model_name;
        if (model == NULL || (wanted != NULL && strcmp(wanted, model->name.text) != 0)) {
            continue;
        }
        for (int k = 0; k < model->dimensions.count; k++) {
            vec_push(e->arena, &known, model->dimensions.at[k].name.text);
        }
    }
    for (int i = 0; i < e->options->binding_count; i++) {
        const char *name = e->options->bindings[i].name;
        bool found = false;
        for (int k = 0; k < known.count; k++) {
            found = found || strcmp(known.at[k], name) == 0;
        }
        if (found) {
            continue;
        }
        Diag *diag = error_at(e->diags, no_span, "there is no dimension %s", name);
        hint_name(e, diag, name, &known);
        if (known.count > 0) {
            hint(e, diag, "the dimensions are %s", join_names(e, &known));
        } else {
            hint(e, diag, "the model has no dimensions: write model m<%s> { ... }", name);
        }
    }
}

// ---- dropping what no model needs

static void mark_region(const Region *region, bool *needed);

static void mark_function(const Function *function, bool *needed) {
    if (!needed[function->index]) {
        needed[function->index] = true;
        mark_region(function->body, needed);
        if (function->reverse != NULL) {
            mark_function(function->reverse, needed);
        }
    }
}

static void mark_region(const Region *region, bool *needed) {
    for_each_inst(inst, region) {
        if (inst->attr.callee != NULL) {
            mark_function(inst->attr.callee, needed);
        }
        for (int i = 0; i < inst->region_count; i++) {
            mark_region(inst->regions[i], needed);
        }
    }
}

// Functions made for trials and for checks leave nothing behind.
static void keep_needed_functions(Elaborator *e, const ElaboratedProgram *program) {
    bool *needed = arena_array(e->arena, bool, e->module->functions.count + 1);
    for (int i = 0; i < program->models.count; i++) {
        mark_function(program->models.at[i]->forward, needed);
        mark_function(program->models.at[i]->initial, needed);
    }
    int kept = 0;
    for (int i = 0; i < e->module->functions.count; i++) {
        if (needed[i]) {
            e->module->functions.at[i]->index = kept;
            e->module->functions.at[kept++] = e->module->functions.at[i];
        }
    }
    e->module->functions.count = kept;
}

// ---- entry points

static bool elaborate_models(Elaborator *e, const AstFile *file, ElaboratedProgram *program) {
    const char *wanted = e->options->model_name;
    bool found = wanted == NULL, ok = true;
    for (int i = 0; i < file->definitions.count; i++) {
        const AstModel *ast = model_at(file, i);
        if (ast == NULL || (wanted != NULL && strcmp(wanted, ast->name.text) != 0)) {
            continue;
        }
        Model *model;
        found = true;
        if (elaborate_model(e, ast, &model)) {
            vec_push(e->arena, &program->models, model);
        } else {
            ok = false;
        }
    }
    if (!found) {
        report_unknown_model(e, file, wanted);
    }
    return ok && found;
}

bool elaborate(Arena *arena, Diags *diags, const AstFile *file, const ElaborateOptions *options,
               ElaboratedProgram *program) {
    Elaborator e;
    int errors = diags->error_count;
    start(&e, arena, diags, options);
    *program = (ElaboratedProgram){.module = e.module};
    if (!load_prelude(&e) || !load_definitions(&e, file) || refuse_duplicate_models(&e, file)) {
        return false;
    }
    check_bindings(&e, file);
    bool ok = elaborate_models(&e, file, program);
    check_uncalled_functions(&e, file);
    if (!ok || diags->error_count > errors) {
        return false;
    }
    keep_needed_functions(&e, program);
    program->has_gaps = e.has_gaps;
    return true;
}

bool model_dimensions(Arena *arena, Diags *diags, const AstFile *file,
                      const ElaborateOptions *options, ModelDimensionList *dimensions) {
    Elaborator e;
    int errors = diags->error_count, found = 0;
    const AstModel *model = NULL;
    start(&e, arena, diags, options);
    *dimensions = (ModelDimensionList){0};
    for (int i = 0; i < file->definitions.count; i++) {
        const AstModel *candidate = model_at(file, i);
        if (candidate != NULL && (options->model_name == NULL ||
                                  strcmp(options->model_name, candidate->name.text) == 0)) {
            model = candidate;
            found++;
        }
    }
    if (found == 0 && options->model_name != NULL) {
        report_unknown_model(&e, file, options->model_name);
    } else if (found != 1) {
        Diag *diag = error_at(diags, no_span,
                              found == 0 ? "the file has no model" : "the file has several models");
        hint(&e, diag, found == 0 ? "write model NAME { ... }" : "choose one: --model NAME");
    } else {
        Frame frame = {.call = no_span};
        e.frame = &frame;
        push_scope(&e, true);
        elaborate_dimensions(&e, model, dimensions);
    }
    return diags->error_count == errors;
}

// ---- the list of functions

static int compare_docs(const void *x, const void *y) {
    return strcmp(((const BuiltinDoc *)x)->name, ((const BuiltinDoc *)y)->name);
}

void list_builtins(Arena *arena, BuiltinDocList *docs) {
    Elaborator e;
    Sources sources = {.arena = arena};
    Diags diags = {.arena = arena, .sources = &sources};
    ElaborateOptions options = {.real = TYPE_F32};
    start(&e, arena, &diags, &options);
    load_prelude(&e);
    *docs = (BuiltinDocList){0};
    add_builtin_docs(arena, docs);
    const Source *source = &sources.files.at[e.prelude_file];
    for (int i = 0; i < e.functions.count; i++) {
        const AstFunction *ast = parsed_function(&e, e.functions.at[i])->ast;
        int end = ast->body->span.start;
        const char *open = strchr(source->text + ast->name.span.start, '(');
        while (end > ast->name.span.end && source->text[end - 1] != ')') {
            end--;
        }
        if (e.functions.at[i]->is_hidden || open == NULL) {
            continue;
        }
        const char *meaning = comment_before(arena, source, ast->span.start);
        const char *stop = strstr(meaning, ". ");
        if (stop != NULL) {
            meaning = arena_copy_text(arena, meaning, (size_t)(stop - meaning));
        }
        BuiltinDoc doc = {
            ast->name.text,
            arena_format(arena, "%s%.*s", ast->name.text, (int)(source->text + end - open), open),
            meaning,
            arena_copy_text(arena, source->text + ast->span.start,
                            (size_t)(ast->span.end - ast->span.start)),
            OP_COUNT};
        vec_push(arena, docs, doc);
    }
    if (docs->count > 0) {
        qsort(docs->at, (size_t)docs->count, sizeof *docs->at, compare_docs);
    }
}
