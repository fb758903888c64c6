// Models: dimensions, leaves, outputs, and the function that makes initial values.
#include "frontend/elaborate_internal.h"

#include <inttypes.h>
#include <string.h>

typedef struct ModelLeaf {
    const Stmt *statement;
    Type type;
    bool ok;
    int index; // in model->leaves
} ModelLeaf;

typedef struct ModelOutput {
    const char *name;
    Value *value;
    Span span;
} ModelOutput;

typedef struct ModelState {
    const AstModel *ast;
    Model *model;
    Scope *dimensions; // what initial values see
    VEC(ModelLeaf) leaves;
    VEC(ModelOutput) outputs;
    bool failed;
} ModelState;

// ---- dimensions

static bool find_bound(const Elaborator *e, const char *name, int64_t *value) {
    for (int i = 0; i < e->options->binding_count; i++) {
        if (strcmp(e->options->bindings[i].name, name) == 0) {
            *value = e->options->bindings[i].value;
            return true;
        }
    }
    return false;
}

static bool elaborate_dimension(Elaborator *e, const DimensionDef *def, ModelDimension *dimension) {
    *dimension = (ModelDimension){
        .name = def->name.text, .span = def->name.span, .has_default = def->value != NULL};
    const Dim *dim = NULL;
    Span span = def->name.span;
    if (find_binding(e->scope, def->name.text) != NULL) {
        report(e, span, "the dimension %s is declared twice", def->name.text);
        return false;
    }
    if (find_bound(e, def->name.text, &dimension->value)) {
        dim = constant_dim(e, dimension->value);
    } else if (def->value != NULL && !e->options->keep_symbolic) {
        span = def->value->span;
        if (!val_to_dim(e, elaborate_value(e, def->value), span, "a dimension", &dim)) {
            return false;
        }
    } else {
        dim = dim_symbol(e->module->dims, def->name.text);
    }
    dimension->is_known = dim_is_constant(dim, &dimension->value);
    if (dimension->is_known && dimension->value < 0) {
        report(e, span, "the dimension %s cannot be negative: %" PRId64, def->name.text,
               dimension->value);
        return false;
    }
    define(e, def->name.text, int_val(dim), def->name.span);
    return true;
}

static void infer_dimensions(Elaborator *e, const AstModel *ast, ModelDimensionList *dimensions);

bool elaborate_dimensions(Elaborator *e, const AstModel *ast, ModelDimensionList *dimensions) {
    bool ok = true;
    for (int i = 0; i < ast->dimensions.count; i++) {
        ModelDimension dimension;
        if (elaborate_dimension(e, &ast->dimensions.at[i], &dimension)) {
            vec_push(e->arena, dimensions, dimension);
        } else {
            ok = false;
            define(e, ast->dimensions.at[i].name.text, error_val(),
                   ast->dimensions.at[i].name.span);
        }
    }
    if (ok && !e->options->keep_symbolic) {
        infer_dimensions(e, ast, dimensions);
    }
    return ok;
}

// ---- dimensions found from the values that leaves are given in the text

// The sizes of a nested list; false if it has another form.
static bool list_sizes(const Expr *expr, int rank, int64_t *sizes) {
    for (int axis = 0; axis < rank; axis++) {
        if (expr->kind != EXPR_LIST) {
            return false;
        }
        sizes[axis] = expr->as.list.count;
        if (axis + 1 < rank) {
            if (sizes[axis] == 0) {
                return false;
            }
            expr = expr->as.list.at[0];
        }
    }
    return expr->kind != EXPR_LIST || rank > 0;
}

enum { LITERAL_AXES_MAX = 16 };

static bool literal_leaf(const Stmt *statement, int64_t *sizes) {
    if ((statement->kind != STMT_INPUT && statement->kind != STMT_PARAM) ||
        statement->as.leaf.type == NULL || statement->as.leaf.value == NULL ||
        statement->as.leaf.value->kind != EXPR_LIST) {
        return false;
    }
    int rank = statement->as.leaf.type->dims.count;
    return rank > 0 && rank <= LITERAL_AXES_MAX &&
           list_sizes(statement->as.leaf.value, rank, sizes);
}

// Solves one axis for a dimension without a value; true if that gave it one.
static bool infer_dimension(Elaborator *e, const Expr *expr, int64_t size,
                            ModelDimensionList *dimensions) {
    const Dim *dim = elaborate_dim(e, expr);
    for (int i = 0; dim != NULL && i < dimensions->count; i++) {
        ModelDimension *dimension = &dimensions->at[i];
        int64_t solution;
        if (!dimension->is_known && dim_mentions(dim, dimension->name) &&
            dim_solve(dim, dimension->name, size, &solution) && solution >= 0) {
            dimension->is_known = true;
            dimension->value = solution;
            define(e, dimension->name, number_val(e, solution), dimension->span);
            return true;
        }
    }
    return false;
}

static void infer_dimensions(Elaborator *e, const AstModel *ast, ModelDimensionList *dimensions) {
    bool progress = true;
    while (progress) {
        progress = false;
        for (int i = 0; i < ast->body->statements.count; i++) {
            const Stmt *statement = ast->body->statements.at[i];
            int64_t sizes[LITERAL_AXES_MAX];
            if (!literal_leaf(statement, sizes)) {
                continue;
            }
            const ExprList *dims = &statement->as.leaf.type->dims;
            for (int axis = 0; axis < dims->count; axis++) {
                bool is_open =
                    dims->at[axis]->kind == EXPR_NAME || dims->at[axis]->kind == EXPR_BINARY;
                progress |= is_open && infer_dimension(e, dims->at[axis], sizes[axis], dimensions);
            }
        }
    }
}

// A value in the text that does not have the sizes that were bound from outside is none; nor is one
// for sizes that stay symbolic.
static bool is_replaced(const Elaborator *e, const Stmt *statement, Type type) {
    int64_t sizes[LITERAL_AXES_MAX], known;
    if (!literal_leaf(statement, sizes)) {
        return false;
    }
    bool is_open = false;
    for (int axis = 0; axis < type.rank; axis++) {
        if (!dim_is_constant(type.dims[axis], &known)) {
            is_open = true;
        } else if (known != sizes[axis]) {
            return e->options->binding_count > 0 &&
                   statement->as.leaf.type->dims.at[axis]->kind != EXPR_INTEGER;
        }
    }
    return is_open && e->options->keep_symbolic;
}

// ---- initial values

static void start_initial(Elaborator *e, ModelState *state, Builder *builder) {
    Model *model = state->model;
    if (model->initial == NULL) {
        const char *name = arena_format(e->arena, "%s_initial", model->name);
        model->initial = function_new(e->module, name, model->span);
        Slot slot = {.name = "key", .role = ROLE_KEY, .span = model->span};
        Value *key = function_add_parameter(model->initial, type_scalar(TYPE_I64), slot);
        key->name = "key";
    }
    *builder = builder_at(model->initial->body, model->span);
}

// Elaborates a leaf's expression into the function of initial values.
static Val initial_val(Elaborator *e, ModelState *state, int index, Type type) {
    const Stmt *statement = state->leaves.at[index].statement;
    Builder outer = e->builder;
    Scope *scope = e->scope;
    Initialiser initialiser = {.type = type, .name = statement->as.leaf.name.text};
    start_initial(e, state, &e->builder);
    at_span(e, statement->as.leaf.value->span);
    Value *key = state->model->initial->body->parameters.at[0];
    initialiser.key = build_binary(&e->builder, OP_random_bits, key,
                                   build_scalar_integer(&e->builder, TYPE_I64, index));
    e->initialiser = &initialiser;
    e->scope = state->dimensions;
    push_scope(e, true);
    // Numbers and `real` tensors take the leaf's type: 0.9 in a comprehension for f64 is exact.
    const ElaborateOptions *options = e->options;
    ElaborateOptions own = *options;
    own.real = element_is_real(type.element) ? type.element : own.real;
    e->options = &own;
    Val value = elaborate_value(e, statement->as.leaf.value);
    e->options = options;
    e->initialiser = NULL;
    e->scope = scope;
    e->builder = outer;
    return value;
}

// kaiming_uniform without parentheses
static Val call_initialiser(Elaborator *e, ModelState *state, int index, Type type, Val value) {
    if (value.kind == VAL_BUILTIN || value.kind == VAL_FUNCTION) {
        Span span = state->leaves.at[index].statement->as.leaf.value->span;
        Diag *diag = report(e, span, "an initial value is needed here, got %s", describe(e, value));
        hint(e, diag, "call it: %s()",
             value.kind == VAL_BUILTIN ? builtin_name(value.builtin) : value.function->name);
        return error_val();
    }
    return value;
}

static void add_initial(Elaborator *e, ModelState *state, int index) {
    ModelLeaf *leaf = &state->leaves.at[index];
    const Stmt *statement = leaf->statement;
    const char *name = statement->as.leaf.name.text;
    if (!leaf->ok || statement->as.leaf.value == NULL) {
        return;
    }
    if (is_replaced(e, statement, leaf->type)) {
        state->model->leaves.at[leaf->index].has_initial = false;
        return;
    }
    Span span = statement->as.leaf.value->span;
    Val value = initial_val(e, state, index, leaf->type);
    value = call_initialiser(e, state, index, leaf->type, value);
    Builder outer = e->builder;
    start_initial(e, state, &e->builder);
    if (is_tensor(value) && element_is_integer(value.tensor->type.element) &&
        element_is_real(leaf->type.element)) {
        value = tensor_val(convert(e, value.tensor, leaf->type.element));
    }
    Value *initial = fit_to_type(e, value, span, leaf->type, true, name);
    e->builder = outer;
    if (initial == NULL) {
        state->failed = true;
        state->model->leaves.at[leaf->index].has_initial = false;
        return;
    }
    Slot slot = {.name = name, .role = ROLE_INITIAL, .span = statement->span};
    function_add_result(state->model->initial, initial, slot);
}

// ---- leaves

// The type of a leaf without one is that of its value.
static bool infer_leaf_type(Elaborator *e, ModelState *state, int index, Type *type) {
    const Stmt *statement = state->leaves.at[index].statement;
    if (statement->as.leaf.value == NULL) {
        Diag *diag =
            report(e, statement->span, "%s needs a type or a value", statement->as.leaf.name.text);
        hint(e, diag, "write %s: f32[N]", statement->as.leaf.name.text);
        return false;
    }
    Builder outer = e->builder;
    Val value = initial_val(e, state, index, type_scalar(e->options->real));
    start_initial(e, state, &e->builder);
    bool is_number = is_static_scalar(value) || value.kind == VAL_LIST;
    bool is_param = statement->kind == STMT_PARAM && !statement->as.leaf.is_frozen;
    ElementType wanted = is_number && (is_param || statement->as.leaf.requires_grad)
                             ? e->options->real
                             : ELEMENT_TYPE_COUNT;
    Value *tensor = to_tensor(e, value, statement->as.leaf.value->span, wanted);
    e->builder = outer;
    if (tensor == NULL) {
        return false;
    }
    *type = tensor->type;
    return true;
}

static bool check_leaf(Elaborator *e, const ModelState *state, const Stmt *statement, Type type) {
    const char *name = statement->as.leaf.name.text;
    bool is_param = statement->kind == STMT_PARAM;
    bool requires_grad =
        is_param ? !statement->as.leaf.is_frozen : statement->as.leaf.requires_grad;
    if (!requires_grad || element_is_real(type.element)) {
        return true;
    }
    Diag *diag = report(e, statement->span,
                        "only floating-point tensors can require gradients, but %s is %s", name,
                        type_string(e->arena, type));
    hint(e, diag,
         is_param ? "make it an input, or mark it frozen"
                  : "leave out requires_grad, or declare it f32");
    return false;
}

static void add_leaf(Elaborator *e, ModelState *state, const Stmt *statement) {
    AstName name = statement->as.leaf.name;
    Model *model = state->model;
    Type type = {0};
    for (int i = 0; i < state->leaves.count; i++) {
        if (strcmp(state->leaves.at[i].statement->as.leaf.name.text, name.text) == 0) {
            Diag *diag = report(e, name.span, "%s is declared twice", name.text);
            add_note(e->diags, diag, state->leaves.at[i].statement->span, "the first is here");
            state->failed = true;
            return;
        }
    }
    Binding *binding = find_binding(e->scope, name.text);
    if (binding != NULL) {
        Diag *diag = report(e, name.span, "%s already has another meaning here", name.text);
        add_note(e->diags, diag, binding->span, "it is this one");
        state->failed = true;
        return;
    }
    ModelLeaf leaf = {.statement = statement};
    vec_push(e->arena, &state->leaves, leaf);
    int index = state->leaves.count - 1;
    bool ok = statement->as.leaf.type != NULL ? elaborate_type(e, statement->as.leaf.type, &type)
                                              : infer_leaf_type(e, state, index, &type);
    ok = ok && check_leaf(e, state, statement, type);
    if (!ok) {
        state->failed = true;
        define(e, name.text, error_val(), name.span);
        return;
    }
    bool is_param = statement->kind == STMT_PARAM;
    Leaf described = {.name = arena_copy_string(e->module->arena, name.text),
                      .type = type,
                      .is_param = is_param,
                      .frozen = statement->as.leaf.is_frozen,
                      .requires_grad = is_param ? !statement->as.leaf.is_frozen
                                                : statement->as.leaf.requires_grad,
                      .has_initial = statement->as.leaf.value != NULL,
                      .span = statement->span};
    state->leaves.at[index].type = type;
    state->leaves.at[index].ok = true;
    state->leaves.at[index].index = model->leaves.count;
    vec_push(e->module->arena, &model->leaves, described);
    Slot slot = {.name = described.name,
                 .role = is_param ? ROLE_PARAM : ROLE_INPUT,
                 .requires_grad = described.requires_grad,
                 .span = statement->span};
    Value *value = function_add_parameter(model->forward, type, slot);
    value->name = described.name;
    define(e, name.text, tensor_val(value), name.span);
}

// ---- outputs

static void add_output(Elaborator *e, ModelState *state, const OutputItem *item) {
    Span span = item->value != NULL ? item->value->span : item->name.span;
    Val val = item->value != NULL ? elaborate_value(e, item->value)
                                  : lookup(e, item->name.text, item->name.span);
    for (int i = 0; i < state->outputs.count; i++) {
        if (strcmp(state->outputs.at[i].name, item->name.text) == 0) {
            Diag *diag = report(e, item->name.span, "there are two outputs %s", item->name.text);
            add_note(e->diags, diag, state->outputs.at[i].span, "the first is here");
            state->failed = true;
            return;
        }
    }
    if (item->value != NULL && !is_error(val)) {
        assign_name(e, item->name, val);
        val = find_binding(e->scope, item->name.text)->value;
    }
    Value *value = as_tensor(e, val, span);
    ModelOutput output = {item->name.text, value, item->name.span};
    vec_push(e->arena, &state->outputs, output);
    state->failed = state->failed || value == NULL;
}

static void elaborate_model_statement(Elaborator *e, ModelState *state, const Stmt *statement) {
    switch (statement->kind) {
    case STMT_INPUT:
    case STMT_PARAM: add_leaf(e, state, statement); break;
    case STMT_OUTPUT:
        for (int i = 0; i < statement->as.output.count; i++) {
            add_output(e, state, &statement->as.output.at[i]);
        }
        break;
    default: elaborate_statement(e, statement); break;
    }
}

static void finish_model(Elaborator *e, ModelState *state) {
    Model *model = state->model;
    if (state->outputs.count == 0) {
        Diag *diag = report(e, state->ast->name.span, "the model %s has no output", model->name);
        hint(e, diag, "end it with `output NAME`");
        state->failed = true;
    }
    for (int i = 0; i < state->leaves.count; i++) {
        add_initial(e, state, i);
    }
    Builder builder;
    start_initial(e, state, &builder); // there is always such a function
    for (int i = 0; i < state->outputs.count; i++) {
        const ModelOutput *output = &state->outputs.at[i];
        if (output->value == NULL) {
            continue; // not made: a mistake, or a dimension without a value
        }
        Slot slot = {.name = output->name, .role = ROLE_OUTPUT, .span = output->span};
        function_add_result(model->forward, output->value, slot);
    }
    finish_checkpoints(e, model->forward->body);
}

bool elaborate_model(Elaborator *e, const AstModel *ast, Model **result) {
    int errors = e->diags->error_count;
    Frame frame = {.call = no_span};
    ModelDimensionList dimensions = {0};
    Model *model = arena_new(e->module->arena, Model);
    ModelState state = {.ast = ast, .model = model};
    model->name = arena_copy_string(e->module->arena, ast->name.text);
    model->span = ast->name.span;
    model->forward = function_new(e->module, model->name, ast->name.span);
    e->frame = &frame;
    e->scope = NULL;
    push_scope(e, true);
    state.dimensions = e->scope;
    elaborate_dimensions(e, ast, &dimensions);
    e->is_speculative = false;
    for (int i = 0; i < dimensions.count; i++) {
        e->is_speculative = e->is_speculative || !dimensions.at[i].is_known;
    }
    push_scope(e, true);
    e->builder = builder_at(model->forward->body, ast->name.span);
    for (int i = 0; i < ast->body->statements.count; i++) {
        elaborate_model_statement(e, &state, ast->body->statements.at[i]);
    }
    finish_model(e, &state);
    e->frame = NULL;
    e->scope = NULL;
    *result = model;
    check(!state.failed || e->is_speculative || e->diags->error_count > errors,
          "the model %s was not elaborated, but no mistake was reported", model->name);
    e->is_speculative = false;
    return e->diags->error_count == errors;
}
