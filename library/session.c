// Sessions: loading, binding dimensions, checking, and what a model's leaves are.
#include "library/session.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/format.h"
#include "frontend/parse.h"
#include "library/read_file.h"
#include "passes/pipeline.h"

TdslOptions tdsl_default_options(void) {
    return (TdslOptions){.real = TDSL_F32, .level = 2, .engine = TDSL_ENGINE_JIT, .threads = 1};
}

TdslSession *tdsl_open(const TdslOptions *options) {
    TdslSession *session = calloc(1, sizeof *session);
    if (session == NULL)
        abort();
    session->options = options ? *options : tdsl_default_options();
    session->sources.arena = &session->arena;
    session->diags.arena = &session->arena;
    session->diags.sources = &session->sources;
    session->reports = text_new(&session->arena);
    session->rendered = arena_new(&session->arena, Text);
    return session;
}

void session_start_threads(TdslSession *session) {
    if (session->options.parallel != NULL) {
        session->parallel = session->options.parallel;
    } else if (session->threads == NULL && session->options.threads != 1) {
        session->threads = tdsl_threads_start(session->options.threads);
        session->parallel = tdsl_threads_parallel(session->threads);
    }
}

void tdsl_close(TdslSession *session) {
    if (session == NULL)
        return;
    for (int i = 0; i < session->functions.count; i++) {
        TdslFunction *function = session->functions.at[i];
        free(atomic_exchange(&function->spare_workspace, NULL));
        if (function->loaded)
            loaded_free(function->loaded);
    }
    tdsl_threads_stop(session->threads);
    arena_free(&session->arena);
    free(session);
}

const char *tdsl_messages(const TdslSession *session) {
    Text *text = session->rendered;
    *text = text_new(session->diags.arena);
    diags_print(&session->diags, text);
    text_add(text, text_string(&session->reports));
    return text_string(text);
}

void tdsl_report(TdslSession *session, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    text_add(&session->reports, "error: ");
    text_add(&session->reports, arena_format_list(&session->arena, format, arguments));
    text_add(&session->reports, "\n");
    va_end(arguments);
}

TdslStatus tdsl_load_text(TdslSession *session, const char *name, const char *text, size_t length) {
    if (session->tree != NULL) {
        tdsl_report(session, "a session holds one program; '%s' is loaded already", session->path);
        return TDSL_BAD_USAGE;
    }
    if (length > INT_MAX / 2) {
        tdsl_report(session, "%s: a program has at most 1 GiB", name);
        return TDSL_BAD_PROGRAM;
    }
    session->path = arena_copy_string(&session->arena, name);
    const char *passes = session->options.passes;
    const char *wrong = passes ? pipeline_check(&session->arena, passes) : NULL;
    if (wrong == NULL && session->options.print_after &&
        strcmp(session->options.print_after, "all") != 0)
        wrong = pipeline_check(&session->arena, session->options.print_after);
    if (wrong) {
        tdsl_report(session, "%s", wrong);
        return TDSL_BAD_USAGE;
    }
    int file = source_add(&session->sources, session->path, text, length);
    session->tree = parse_source(&session->arena, &session->diags, file);
    return session->diags.error_count > 0 ? TDSL_BAD_PROGRAM : TDSL_OK;
}

TdslStatus tdsl_load_file(TdslSession *session, const char *path) {
    size_t length;
    const char *text = read_file(&session->arena, path, &length);
    if (text == NULL) {
        tdsl_report(session, "%s: %s", path, strerror(errno));
        return TDSL_BAD_FILE;
    }
    return tdsl_load_text(session, path, text, length);
}

static const char *read_import(void *context, Arena *arena, const char *name, size_t *length,
                               const char **why) {
    const char *text = read_file(arena, name, length);
    if (text == NULL)
        *why = strerror(errno);
    return text;
}

static ElaborateOptions elaborate_options(TdslSession *session, bool symbolic) {
    DimBinding *all = arena_array(&session->arena, DimBinding,
                                  session->bound.count + session->inferred.count + 1);
    int count = 0;
    for (int i = 0; i < session->bound.count; i++)
        all[count++] = session->bound.at[i];
    for (int i = 0; i < session->inferred.count; i++)
        all[count++] = session->inferred.at[i];
    return (ElaborateOptions){
        .real = session->options.real == TDSL_F64 || session->options.widen ? TYPE_F64 : TYPE_F32,
        .f32_is_f64 = session->options.widen,
        .bindings = all,
        .binding_count = count,
        .keep_symbolic = symbolic,
        .model_name = session->options.model,
        .read_import = read_import,
    };
}

static bool elaborate_fresh(TdslSession *session, const ElaborateOptions *options,
                            ElaboratedProgram *program) {
    memset(program, 0, sizeof *program);
    return session->tree != NULL && session->diags.error_count == 0 &&
           elaborate(&session->arena, &session->diags, session->tree, options, program);
}

static const char *model_names(TdslSession *session, const ElaboratedProgram *program) {
    Text list = text_new(&session->arena);
    for (int i = 0; i < program->models.count; i++)
        text_format(&list, "%s%s", i ? ", " : "", program->models.at[i]->name);
    return text_string(&list);
}

static bool choose_model(TdslSession *session) {
    const ElaboratedProgram *program = &session->program;
    session->model = NULL;
    if (program->models.count == 1) {
        session->model = program->models.at[0];
        return true;
    }
    if (program->models.count == 0)
        tdsl_report(session, "%s has no model", session->path);
    else
        tdsl_report(session, "%s has several models (%s): choose one with --model NAME",
                    session->path, model_names(session, program));
    return false;
}

// Every dimension of the chosen model must have a value before code is made.
static bool dimensions_are_known(TdslSession *session, const ElaborateOptions *options) {
    ModelDimensionList dimensions = {0};
    ElaborateOptions chosen = *options;
    chosen.model_name = session->model->name;
    if (!model_dimensions(&session->arena, &session->diags, session->tree, &chosen, &dimensions))
        return false;
    bool known = true;
    for (int i = 0; i < dimensions.count; i++)
        if (!dimensions.at[i].is_known) {
            Diag *diag = error_at(&session->diags, dimensions.at[i].span,
                                  "the dimension '%s' has no value", dimensions.at[i].name);
            add_hint(&session->diags, diag,
                     "bind it with -D %s=INT, by the shape of an input's value, or give it a "
                     "default: <%s = 32>",
                     dimensions.at[i].name, dimensions.at[i].name);
            known = false;
        }
    return known;
}

static bool elaborate_model(TdslSession *session, bool symbolic) {
    if (session->is_elaborated && session->elaborated_symbolic == symbolic)
        return session->model != NULL;
    ElaborateOptions options = elaborate_options(session, symbolic);
    session->model = NULL;
    session->is_elaborated = elaborate_fresh(session, &options, &session->program);
    session->elaborated_symbolic = symbolic;
    return session->is_elaborated && choose_model(session);
}

bool session_elaborate(TdslSession *session, bool symbolic) {
    if (!elaborate_model(session, symbolic))
        return false;
    ElaborateOptions options = elaborate_options(session, symbolic);
    return symbolic || dimensions_are_known(session, &options);
}

TdslStatus tdsl_bind(TdslSession *session, const char *dimension, int64_t value) {
    session->is_elaborated = false;
    for (int i = 0; i < session->bound.count; i++)
        if (strcmp(session->bound.at[i].name, dimension) == 0) {
            session->bound.at[i].value = value;
            return TDSL_OK;
        }
    DimBinding binding = {arena_copy_string(&session->arena, dimension), value};
    vec_push(&session->arena, &session->bound, binding);
    return TDSL_OK;
}

static const Leaf *find_leaf(const Model *model, const char *name) {
    for (int i = 0; i < model->leaves.count; i++)
        if (strcmp(model->leaves.at[i].name, name) == 0)
            return &model->leaves.at[i];
    return NULL;
}

static const char *shape_text(Arena *arena, int rank, const int64_t *shape) {
    Text text = text_new(arena);
    for (int i = 0; i < rank; i++)
        text_format(&text, "%s%lld", i ? "," : "", (long long)shape[i]);
    return arena_format(arena, "[%s]", text_string(&text));
}

// Solves one axis of a leaf for a dimension that is not bound yet.
static bool infer_axis(TdslSession *session, const Dim *dim, int64_t size,
                       const ModelDimensionList *dimensions) {
    int64_t known;
    if (dim_is_constant(dim, &known))
        return known == size;
    for (int i = 0; i < dimensions->count; i++) {
        const char *name = dimensions->at[i].name;
        int64_t solution;
        if (!dim_mentions(dim, name) || !dim_solve(dim, name, size, &solution) || solution < 0)
            continue;
        DimBinding binding = {arena_copy_string(&session->arena, name), solution};
        vec_push(&session->arena, &session->inferred, binding);
        session->is_elaborated = false;
        return true;
    }
    return true; // several unknown dimensions: another leaf may settle them
}

// With symbolic dimensions if possible: they can be bound then. Else with the model's own sizes.
static bool elaborate_for_shapes(TdslSession *session) {
    bool is_clean = session->diags.list.count == 0;
    if (session_elaborate(session, true))
        return true;
    if (!is_clean)
        return false;
    Diags symbolic = session->diags;
    session->diags = (Diags){.arena = &session->arena, .sources = &session->sources};
    if (session_elaborate(session, false))
        return true;
    session->diags = symbolic;
    return false;
}

TdslStatus tdsl_bind_shape(TdslSession *session, const char *name, int rank, const int64_t *shape) {
    for (int axis = 0; axis <= rank; axis++) { // each axis may settle a dimension of the next
        if (!elaborate_for_shapes(session))
            return TDSL_BAD_PROGRAM;
        ElaborateOptions options = elaborate_options(session, true);
        options.model_name = session->model->name;
        ModelDimensionList dimensions = {0};
        if (!model_dimensions(&session->arena, &session->diags, session->tree, &options,
                              &dimensions))
            return TDSL_BAD_PROGRAM;
        const Leaf *leaf = find_leaf(session->model, name);
        if (leaf == NULL) {
            tdsl_report(session, "the model '%s' has no input or param '%s'", session->model->name,
                        name);
            return TDSL_BAD_PROGRAM;
        }
        bool fits = leaf->type.rank == rank;
        if (fits && axis < rank)
            fits = infer_axis(session, leaf->type.dims[axis], shape[axis], &dimensions);
        if (!fits) {
            error_at(&session->diags, leaf->span, "'%s' is declared %s, but its value has shape %s",
                     name, type_string(&session->arena, leaf->type),
                     shape_text(&session->arena, rank, shape));
            return TDSL_BAD_PROGRAM;
        }
    }
    return TDSL_OK;
}

// Checked with symbolic dimensions, so that mistakes show whatever the sizes. A program that only
// works for the sizes that it gives itself (`step 2` over N = 4) is checked for those.
TdslStatus tdsl_check(TdslSession *session) {
    bool is_clean = session->diags.list.count == 0;
    ElaborateOptions options = elaborate_options(session, true);
    ElaboratedProgram program;
    if (elaborate_fresh(session, &options, &program))
        return TDSL_OK;
    if (!is_clean || session->tree == NULL)
        return TDSL_BAD_PROGRAM;
    Diags symbolic = session->diags;
    session->diags = (Diags){.arena = &session->arena, .sources = &session->sources};
    options.keep_symbolic = false;
    if (elaborate_fresh(session, &options, &program))
        return TDSL_OK;
    if (session->diags.error_count == symbolic.error_count)
        session->diags = symbolic; // the same mistakes, in terms of the dimensions' names
    return TDSL_BAD_PROGRAM;
}

TdslStatus tdsl_resolve(TdslSession *session) {
    return session_elaborate(session, false) ? TDSL_OK : TDSL_BAD_PROGRAM;
}

static TdslElement public_element(ElementType element) {
    return (TdslElement)element; // the enumerations are in the same order
}

TdslStatus tdsl_leaves(TdslSession *session, const TdslLeaf **leaves, int *count) {
    if (!elaborate_model(session, false))
        return TDSL_BAD_PROGRAM;
    const Model *model = session->model;
    TdslLeaf *list = arena_array(&session->arena, TdslLeaf, model->leaves.count + 1);
    for (int i = 0; i < model->leaves.count; i++) {
        const Leaf *leaf = &model->leaves.at[i];
        int64_t *shape = arena_array(&session->arena, int64_t, leaf->type.rank + 1);
        for (int axis = 0; axis < leaf->type.rank; axis++)
            if (!dim_is_constant(leaf->type.dims[axis], &shape[axis]))
                shape[axis] = -1;
        list[i] = (TdslLeaf){leaf->name,       public_element(leaf->type.element),
                             leaf->type.rank,  shape,
                             leaf->is_param,   leaf->requires_grad,
                             leaf->has_initial};
    }
    *leaves = list;
    *count = model->leaves.count;
    return TDSL_OK;
}

const char *tdsl_model_name(TdslSession *session) {
    return session->model ? session->model->name : "";
}

bool session_dimensions(TdslSession *session, ModelDimensionList *dimensions) {
    ElaborateOptions options = elaborate_options(session, false);
    if (session->model)
        options.model_name = session->model->name;
    return session->tree != NULL &&
           model_dimensions(&session->arena, &session->diags, session->tree, &options, dimensions);
}

int64_t tdsl_dimension(TdslSession *session, const char *name) {
    ModelDimensionList dimensions = {0};
    if (!session_dimensions(session, &dimensions))
        return -1;
    for (int i = 0; i < dimensions.count; i++)
        if (strcmp(dimensions.at[i].name, name) == 0 && dimensions.at[i].is_known)
            return dimensions.at[i].value;
    return -1;
}

const char *tdsl_element_name(TdslElement element) {
    return element_name((ElementType)element);
}

size_t tdsl_element_bytes(TdslElement element) {
    return element_bytes((ElementType)element);
}

const char *tdsl_format(TdslSession *session) {
    if (session->tree == NULL || session->diags.error_count > 0)
        return NULL;
    Text text = text_new(&session->arena);
    return format_source(&text, &session->diags, session->tree->file) ? text_string(&text) : NULL;
}

void tdsl_print_real(char *buffer, double value, bool single) {
    Arena arena = {0};
    Text text = text_new(&arena);
    text_add_real(&text, value, single);
    memcpy(buffer, text_string(&text), text.length + 1);
    arena_free(&arena);
}

const char *tdsl_closest_name(const char *name, const char *const *names, int count) {
    return closest_name(name, names, count);
}

bool tdsl_failed_outside(const TdslSession *session) {
    return session->failed_outside;
}

const char *tdsl_version(void) {
    return TDSL_VERSION;
}
