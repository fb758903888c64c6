// The program around the code that the writer writes: leaves with their initial values, functions,
// outputs. See write_source.h.
#include "frontend/write_source.h"

#include <string.h>

#include "frontend/write_internal.h"

static const char *type_text(Writer *w, Type type) {
    return type_string(&w->arena, type);
}

// ---- initial values

static const AstModel *find_model(const SourceModel *model) {
    for (int i = 0; i < model->tree->definitions.count; i++) {
        const Definition *definition = model->tree->definitions.at[i];
        if (definition->kind == DEFINITION_MODEL &&
            strcmp(definition->as.model->name.text, model->model->name) == 0) {
            return definition->as.model;
        }
    }
    return NULL;
}

static const Expr *initial_value(const SourceModel *model, const char *name) {
    const AstModel *ast = find_model(model);
    for (int i = 0; ast != NULL && i < ast->body->statements.count; i++) {
        const Stmt *statement = ast->body->statements.at[i];
        bool is_leaf = statement->kind == STMT_INPUT || statement->kind == STMT_PARAM;
        if (is_leaf && strcmp(statement->as.leaf.name.text, name) == 0) {
            return statement->as.leaf.value;
        }
    }
    return NULL;
}

static void add_source(Writer *w, Span span) {
    const Source *source = &w->model->sources->files.at[span.file];
    text_add_bytes(w->out, source->text + span.start, (size_t)(span.end - span.start));
}

// Does the text of an initial value name this function?
static bool text_names(const Writer *w, Span span, const char *name) {
    const char *text = w->model->sources->files.at[span.file].text;
    int length = (int)strlen(name);
    for (int i = span.start; i + length <= span.end; i++) {
        if (strncmp(text + i, name, (size_t)length) == 0) {
            return true;
        }
    }
    return false;
}

static bool needs_definitions(const Writer *w) {
    for (int i = 0; i < w->model->model->leaves.count; i++) {
        const Expr *value = initial_value(w->model, w->model->model->leaves.at[i].name);
        for (int k = 0; value != NULL && k < w->model->tree->definitions.count; k++) {
            const Definition *definition = w->model->tree->definitions.at[k];
            if (definition->kind == DEFINITION_IMPORT ||
                (definition->kind == DEFINITION_FUNCTION &&
                 text_names(w, value->span, definition->as.function->name.text))) {
                return true;
            }
        }
    }
    return false;
}

// Initial values may call the functions of the file, so these come along.
static void write_definitions(Writer *w) {
    if (!needs_definitions(w)) {
        return;
    }
    for (int i = 0; i < w->model->tree->definitions.count; i++) {
        const Definition *definition = w->model->tree->definitions.at[i];
        if (definition->kind == DEFINITION_MODEL || definition->kind == DEFINITION_OPTIMIZER) {
            continue;
        }
        if (definition->kind == DEFINITION_FUNCTION) {
            vec_push(&w->arena, &w->files, definition->as.function->name.text);
        }
        add_source(w, definition->span);
        text_add(w->out, "\n\n");
    }
}

// ---- functions

static void find_functions(Writer *w, const Region *region);

static void add_function(Writer *w, const Function *function) {
    for (int i = 0; i < w->functions.count; i++) {
        if (w->functions.at[i] == function) {
            return;
        }
    }
    find_functions(w, function->body); // those that it calls come first
    const char *name = new_name(w, function->name);
    vec_push(&w->arena, &w->files, name);
    vec_push(&w->arena, &w->functions, function);
    vec_push(&w->arena, &w->function_names, name);
}

static void find_functions(Writer *w, const Region *region) {
    for_each_inst(inst, region) {
        if (inst->op == OP_call) {
            add_function(w, inst->attr.callee);
        }
        for (int i = 0; i < inst->region_count; i++) {
            find_functions(w, inst->regions[i]);
        }
    }
}

static void write_function(Writer *w, const Function *function) {
    const Region *body = function->body;
    w->names.count = 0;
    w->line = 0;
    plan_function(w, function);
    text_format(w->out, "fn %s(", function_name(w, function));
    for (int i = 0; i < body->parameters.count; i++) {
        Value *value = body->parameters.at[i];
        plan_of(w, value)->name =
            new_name(w, value->name != NULL ? value->name : function->parameters[i].name);
        text_format(w->out, "%s%s: %s", i > 0 ? ", " : "", plan_of(w, value)->name,
                    type_text(w, value->type));
    }
    text_add(w->out, ") {\n");
    name_function(w);
    w->level = 1;
    write_statements(w, body);
    Text results = text_new(&w->arena);
    for (int i = 0; i < body->yields.count; i++) {
        text_format(&results, "%s%s", i > 0 ? ", " : "", value_text(w, body->yields.at[i]));
    }
    write_statement(w, "return %s", text_string(&results));
    w->level = 0;
    text_add(w->out, "}\n\n");
}

// ---- the model

static const Leaf *find_leaf(const Writer *w, const char *name) {
    for (int i = 0; i < w->model->model->leaves.count; i++) {
        if (strcmp(w->model->model->leaves.at[i].name, name) == 0) {
            return &w->model->model->leaves.at[i];
        }
    }
    return NULL;
}

static void write_leaf(Writer *w, const Leaf *leaf) {
    const Expr *value = initial_value(w->model, leaf->name);
    text_indent(w->out, 1);
    text_format(w->out, "%s %s: %s", leaf->is_param ? "param" : "input", leaf->name,
                type_text(w, leaf->type));
    if (!leaf->is_param && leaf->requires_grad) {
        text_add(w->out, " requires_grad");
    }
    if (leaf->frozen) {
        text_add(w->out, " frozen");
    }
    if (value != NULL) {
        text_add(w->out, " = ");
        add_source(w, value->span);
    }
    text_add_char(w->out, '\n');
}

static void write_seed(Writer *w, const Value *seed) {
    bool is_one = type_elements(seed->type) == 1;
    write_statement(w, "input %s: %s%s", plan_of(w, seed)->name, type_text(w, seed->type),
                    is_one ? " = 1" : "");
}

static void name_parameters(Writer *w) {
    const Function *function = w->function;
    for (int i = 0; i < function->body->parameters.count; i++) {
        const Slot *slot = &function->parameters[i];
        ValuePlan *plan = plan_of(w, function->body->parameters.at[i]);
        if (slot->role == ROLE_SEED) {
            plan->name = new_name(w, arena_format(&w->arena, "seed_%s", slot->name));
        } else {
            plan->name = slot->name;
        }
    }
}

// The outputs' names belong to the values that they are, if these can have them.
static void name_results(Writer *w, const char **names) {
    const Function *function = w->function;
    for (int i = 0; i < function->body->yields.count; i++) {
        const Slot *slot = &function->results[i];
        bool is_gradient = slot->role == ROLE_GRADIENT;
        Value *value = function->body->yields.at[i];
        names[i] =
            is_gradient ? new_name(w, arena_format(&w->arena, "grad_%s", slot->name)) : slot->name;
        bool is_free = find_leaf(w, names[i]) == NULL && !is_reserved_name(names[i]);
        if (!is_gradient && is_free) {
            vec_push(&w->arena, &w->names, names[i]);
        }
        ValuePlan *plan = plan_of(w, value);
        if (!is_gradient && is_free && value->definition != NULL && plan->name == NULL &&
            !is_scalar_constant(value)) {
            plan->name = names[i];
        }
    }
}

// An output may have a leaf's name; a later one that is this leaf needs it under another name.
static void keep_leaf(Writer *w, const char *const *names, int index) {
    const Function *function = w->function;
    const Leaf *leaf = find_leaf(w, names[index]);
    for (int i = 0; leaf != NULL && i < function->body->parameters.count; i++) {
        ValuePlan *plan = plan_of(w, function->body->parameters.at[i]);
        if (strcmp(plan->name, leaf->name) == 0) {
            plan->name = new_name(w, leaf->name);
            write_statement(w, "%s = %s", plan->name, leaf->name);
        }
    }
}

static void write_outputs(Writer *w, const char *const *names) {
    const Function *function = w->function;
    for (int i = 0; i < function->body->yields.count; i++) {
        if (strcmp(value_text(w, function->body->yields.at[i]), names[i]) != 0) {
            keep_leaf(w, names, i);
        }
    }
    Text line = text_new(&w->arena);
    for (int i = 0; i < function->body->yields.count; i++) {
        const char *text = value_text(w, function->body->yields.at[i]);
        text_add(&line, i > 0 ? ", " : "");
        text_add(&line, names[i]);
        if (strcmp(text, names[i]) != 0) {
            text_format(&line, " = %s", text);
        }
    }
    write_statement(w, "output %s", text_string(&line));
}

static void write_model(Writer *w, const Function *function) {
    const SourceModel *model = w->model;
    w->names.count = 0;
    w->line = 0;
    plan_function(w, function);
    text_format(w->out, "model %s", model->model->name);
    for (int i = 0; i < model->dimension_count; i++) {
        text_format(w->out, "%s%s = %lld", i == 0 ? "<" : ", ", model->dimensions[i].name,
                    (long long)model->dimensions[i].value);
    }
    text_add(w->out, model->dimension_count > 0 ? "> {\n" : " {\n");
    for (int i = 0; i < model->dimension_count; i++) {
        vec_push(&w->arena, &w->names, model->dimensions[i].name);
    }
    for (int i = 0; i < model->model->leaves.count; i++) {
        vec_push(&w->arena, &w->names, model->model->leaves.at[i].name);
        write_leaf(w, &model->model->leaves.at[i]);
    }
    w->level = 1;
    name_parameters(w);
    for (int i = 0; i < function->body->parameters.count; i++) {
        if (function->parameters[i].role == ROLE_SEED) {
            write_seed(w, function->body->parameters.at[i]);
        }
    }
    const char **names = arena_array(&w->arena, const char *, function->body->yields.count);
    name_results(w, names);
    name_function(w);
    write_statements(w, function->body);
    write_outputs(w, names);
    w->level = 0;
    text_add(w->out, "}\n");
}

void write_source(Text *out, const SourceModel *model, const Function *function) {
    Writer w = {.out = out, .model = model};
    w.bounds = (BoundTable){.arena = &w.arena, .dims = function->module->dims};
    bool is_adjoint = false;
    for (int i = 0; i < function->body->yields.count; i++) {
        is_adjoint = is_adjoint || function->results[i].role == ROLE_GRADIENT;
    }
    text_format(out,
                is_adjoint ? "# The adjoint of model %s: its outputs, and its gradients grad_...\n"
                           : "# Model %s, simplified.\n",
                model->model->name);
    write_definitions(&w);
    for (int i = 0; i < model->model->leaves.count; i++) {
        vec_push(&w.arena, &w.names, model->model->leaves.at[i].name);
    }
    find_functions(&w, function->body);
    for (int i = 0; i < w.functions.count; i++) {
        write_function(&w, w.functions.at[i]);
    }
    write_model(&w, function);
    arena_free(&w.arena);
}
