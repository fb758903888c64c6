// From a model to a function that can be called: gradient requests, the pipeline, the engines.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codegen/object_cache.h"
#include "codegen/product.h"
#include "ir/edit.h"
#include "ir/evaluate.h"
#include "library/budget.h"
#include "library/session.h"
#include "passes/activity.h"
#include "passes/differentiate.h"
#include "passes/pipeline.h"

const char *session_entry_name(TdslFunctionKind kind) {
    switch (kind) {
    case TDSL_FORWARD: return "forward";
    case TDSL_GRADIENT: return "backward";
    case TDSL_INITIALIZE: return "initialize";
    }
    unreachable("function kind %d", (int)kind);
}

static void run_pipeline(TdslSession *session, Function *function, const char *passes) {
    Text printed = text_new(&session->arena);
    PipelineOptions options = {.passes = passes,
                               .level = session->options.level,
                               .verify = session->options.verify,
                               .print_after = session->options.print_after,
                               .printed = &printed};
    pipeline_run(function->module, function, &options);
    fputs(text_string(&printed), stderr);
}

void session_optimize(TdslSession *session, Function *function) {
    run_pipeline(session, function, session->options.passes);
}

void session_finish(TdslSession *session, Function *function) {
    run_pipeline(session, function, "drop_rules");
    session_optimize(session, function);
}

Entry *session_lower(TdslSession *session, Program *program, Function *function,
                     TdslFunctionKind kind, const LowerOptions *options) {
    run_pipeline(session, function, "open_checkpoints");
    bool stores = kind == TDSL_GRADIENT && options->store_gradients;
    return lower_function(program, function, stores ? "gradient" : session_entry_name(kind),
                          options);
}

// Does a region have a recomputation, which must stay apart from what it recomputes?
static bool recomputes(const Region *region) {
    for_each_inst(inst, region) {
        bool inside = inst->op == OP_recompute;
        for (int i = 0; i < inst->region_count && !inside; i++)
            inside = recomputes(inst->regions[i]);
        if (inside)
            return true;
    }
    return false;
}

// ---- what is asked for

static int find_output(const Function *forward, const char *name) {
    for (int i = 0; i < forward->body->yields.count; i++)
        if (strcmp(forward->results[i].name, name) == 0)
            return i;
    return -1;
}

static int find_parameter(const Function *forward, const char *name) {
    for (int i = 0; i < forward->body->parameters.count; i++)
        if (strcmp(forward->parameters[i].name, name) == 0)
            return i;
    return -1;
}

static const char *slot_names(Arena *arena, const Slot *slots, int count) {
    Text text = text_new(arena);
    for (int i = 0; i < count; i++)
        text_format(&text, "%s%s", i ? ", " : "", slots[i].name);
    return text_string(&text);
}

// Resolved against the forward function; arrays are in the session's arena.
typedef struct Resolved {
    int *outputs;
    bool *seeded;
    int output_count;
    int *leaves;
    int leaf_count;
} Resolved;

static bool add_output(TdslSession *session, const Function *forward, const char *name, bool seeded,
                       Resolved *resolved) {
    int index = find_output(forward, name);
    if (index < 0) {
        tdsl_report(session, "the model '%s' has no output '%s'\n  hint: its outputs are %s",
                    session->model->name, name,
                    slot_names(&session->arena, forward->results, forward->body->yields.count));
        return false;
    }
    const Value *value = forward->body->yields.at[index];
    if (!element_is_real(value->type.element)) {
        tdsl_report(session, "the output '%s' is %s: only floating-point outputs have gradients",
                    name, type_string(&session->arena, value->type));
        return false;
    }
    if (!seeded && type_elements(value->type) != 1) {
        Diag *diag = error_at(&session->diags, forward->results[index].span,
                              "the gradient of '%s' needs a seed: it is %s, not a single element",
                              name, type_string(&session->arena, value->type));
        add_hint(&session->diags, diag,
                 "give its upstream gradient, of the same shape: --seed %s=VALUE", name);
        return false;
    }
    resolved->outputs[resolved->output_count] = index;
    resolved->seeded[resolved->output_count++] = seeded;
    return true;
}

static bool add_leaf(TdslSession *session, const Function *forward, const char *name,
                     Resolved *resolved) {
    int index = find_parameter(forward, name);
    if (index < 0) {
        tdsl_report(
            session, "the model '%s' has no input or param '%s'\n  hint: it has %s",
            session->model->name, name,
            slot_names(&session->arena, forward->parameters, forward->body->parameters.count));
        return false;
    }
    if (!element_is_real(forward->body->parameters.at[index]->type.element)) {
        Diag *diag =
            error_at(&session->diags, forward->parameters[index].span,
                     "'%s' is %s: only floating-point tensors can require gradients", name,
                     type_string(&session->arena, forward->body->parameters.at[index]->type));
        add_hint(&session->diags, diag, "leave it out of --wrt");
        return false;
    }
    if (!forward->parameters[index].requires_grad) {
        Diag *diag = error_at(&session->diags, forward->parameters[index].span,
                              "'%s' does not require a gradient", name);
        add_hint(&session->diags, diag,
                 forward->parameters[index].role == ROLE_PARAM
                     ? "remove `frozen` from its declaration"
                     : "declare it `requires_grad`");
        return false;
    }
    resolved->leaves[resolved->leaf_count++] = index;
    return true;
}

static bool resolve_request(TdslSession *session, const Function *forward,
                            const TdslGradientRequest *request, Resolved *resolved) {
    static const TdslGradientRequest none = {0};
    if (request == NULL)
        request = &none;
    const Region *body = forward->body;
    bool good = true;
    resolved->outputs = arena_array(&session->arena, int, request->output_count + 1);
    resolved->seeded = arena_array(&session->arena, bool, request->output_count + 1);
    resolved->leaves =
        arena_array(&session->arena, int, request->leaf_count + body->parameters.count);
    if (request->outputs == NULL || request->output_count == 0)
        good &= add_output(session, forward, forward->results[0].name, false, resolved);
    for (int i = 0; i < request->output_count; i++)
        good &= add_output(session, forward, request->outputs[i],
                           request->seeded != NULL && request->seeded[i], resolved);
    if (request->leaves != NULL)
        for (int i = 0; i < request->leaf_count; i++)
            good &= add_leaf(session, forward, request->leaves[i], resolved);
    else
        for (int i = 0; i < body->parameters.count; i++)
            if (forward->parameters[i].requires_grad)
                resolved->leaves[resolved->leaf_count++] = i;
    return good;
}

// ---- outputs that no leaf reaches

// Values that a no_grad block assigns are detached where they are assigned, without the word.
static const char *cut_name(const TdslSession *session, const GradientCut *cut) {
    if (strcmp(cut->what, "detach") != 0 || cut->span.file < 0)
        return cut->what;
    const char *text = session->sources.files.at[cut->span.file].text;
    for (int i = cut->span.start; i + 6 <= cut->span.end; i++)
        if (strncmp(text + i, "detach", 6) == 0)
            return "detach";
    return "no_grad";
}

static int compare_cuts(const void *x, const void *y) {
    const GradientCut *a = x, *b = y;
    if (a->span.file != b->span.file)
        return a->span.file < b->span.file ? -1 : 1;
    if (a->span.start != b->span.start)
        return a->span.start < b->span.start ? -1 : 1;
    return strcmp(a->leaf, b->leaf);
}

// One note for each place and leaf: a call of a function may cut one path several times.
static void note_cuts(TdslSession *session, Diag *diag, GradientCut *cuts, int count) {
    if (count > 1)
        qsort(cuts, (size_t)count, sizeof *cuts, compare_cuts);
    for (int i = 0; i < count; i++)
        if (i == 0 || compare_cuts(&cuts[i - 1], &cuts[i]) != 0)
            add_note(&session->diags, diag, cuts[i].span, "%s cuts the path to '%s'",
                     cut_name(session, &cuts[i]), cuts[i].leaf);
}

static bool some_leaf_requires_grad(const TdslSession *session) {
    for (int i = 0; i < session->model->leaves.count; i++)
        if (session->model->leaves.at[i].requires_grad)
            return true;
    return false;
}

static void report_cuts(TdslSession *session, const Function *forward, int output) {
    Diag *diag = error_at(&session->diags, forward->results[output].span,
                          "the output '%s' has no gradient: no leaf that requires one reaches it",
                          forward->results[output].name);
    int count = 0;
    if (some_leaf_requires_grad(session)) { // else what cuts paths does not matter
        GradientCut *cuts;
        count = find_gradient_cuts(&session->arena, forward, output, &cuts);
        note_cuts(session, diag, cuts, count);
    }
    bool frozen = false, plain = false;
    for (int i = 0; i < session->model->leaves.count; i++) {
        const Leaf *leaf = &session->model->leaves.at[i];
        if (leaf->requires_grad || !element_is_real(leaf->type.element))
            continue;
        add_note(&session->diags, diag, leaf->span, "'%s' does not require a gradient: %s",
                 leaf->name, leaf->frozen ? "it is `frozen`" : "it is an input");
        frozen |= leaf->frozen;
        plain |= !leaf->frozen;
    }
    if (count > 0)
        add_hint(&session->diags, diag,
                 "remove what cuts the path, or differentiate another output");
    else if (frozen)
        add_hint(&session->diags, diag, "remove `frozen` from a param");
    else if (plain)
        add_hint(&session->diags, diag, "mark an input `requires_grad`, or declare a param");
    else
        add_hint(&session->diags, diag, "differentiate another output with --seed NAME=VALUE");
}

// True if some leaf that requires a gradient reaches the output.
static bool output_is_reached(const Function *forward, int output) {
    Arena scratch = {0};
    Marks marks = marks_new(&scratch, forward);
    mark_value(&marks, forward->body->yields.at[output], REACHING);
    spread_backward(&marks, forward, REACHING);
    bool reached = false;
    for (int i = 0; i < forward->body->parameters.count; i++)
        reached |= forward->parameters[i].requires_grad &&
                   is_marked(&marks, forward->body->parameters.at[i], REACHING);
    arena_free(&scratch);
    return reached;
}

// Every output that is differentiated must be reached; the message says what cuts the paths.
static bool outputs_are_reached(TdslSession *session, const Function *forward,
                                const Resolved *resolved) {
    bool good = true;
    for (int i = 0; i < resolved->output_count; i++)
        if (!output_is_reached(forward, resolved->outputs[i])) {
            report_cuts(session, forward, resolved->outputs[i]);
            good = false;
        }
    return good;
}

static bool has_kept_calls(const Function *function) {
    for_each_inst(inst, function->body) {
        if (inst->op == OP_call && inst->attr.callee->is_kept)
            return true;
    }
    return false;
}

// The model's function with the calls of large functions kept: NULL if there are none.
static Function *kept_function(TdslSession *session, const Function *source) {
    Function *kept = clone_function(source, source->name);
    run_pipeline(session, kept, "keep_calls, expand_derivatives, remove_dead");
    return has_kept_calls(kept) ? kept : NULL;
}

// Differentiates the function with kept calls if that finds the same leaves as differentiating what
// they were inlined in: `kept` may be NULL.
static Function *adjoint_function(Function *forward, Function *kept, const GradientRequest *request,
                                  bool *reached) {
    Function *adjoint = differentiate_reverse(forward->module, forward, request, reached);
    if (kept == NULL)
        return adjoint;
    Arena scratch = {0};
    bool *kept_reached = arena_array(&scratch, bool, request->leaf_count + 1);
    Function *kept_adjoint = differentiate_reverse(forward->module, kept, request, kept_reached);
    bool same = memcmp(reached, kept_reached, (size_t)request->leaf_count * sizeof *reached) == 0;
    arena_free(&scratch);
    return same ? kept_adjoint : adjoint;
}

static Function *gradient_function(TdslSession *session, Function *forward, Function *kept,
                                   const TdslGradientRequest *request, NameVector *nulls) {
    Resolved resolved = {0};
    if (!resolve_request(session, forward, request, &resolved))
        return NULL;
    if (!outputs_are_reached(session, forward, &resolved))
        return NULL;
    bool *reached = arena_array(&session->arena, bool, resolved.leaf_count + 1);
    GradientRequest inner = {resolved.outputs, resolved.seeded, resolved.output_count,
                             resolved.leaves, resolved.leaf_count};
    Function *adjoint = adjoint_function(forward, kept, &inner, reached);
    for (int i = 0; adjoint && nulls && i < resolved.leaf_count; i++)
        if (!reached[i])
            vec_push(&session->arena, &nulls->names, forward->parameters[resolved.leaves[i]].name);
    return adjoint;
}

Function *session_differentiate(TdslSession *session, Function *forward,
                                const TdslGradientRequest *request, NameVector *nulls) {
    return gradient_function(session, forward, NULL, request, nulls);
}

Function *session_function(TdslSession *session, TdslFunctionKind kind,
                           const TdslGradientRequest *request, NameVector *nulls) {
    if (!session_elaborate(session, false))
        return NULL;
    const Model *model = session->model;
    Function *source = kind == TDSL_INITIALIZE ? model->initial : model->forward;
    Function *function = clone_function(source, source->name);
    run_pipeline(session, function, "expand_derivatives, remove_dead");
    if (kind == TDSL_GRADIENT) {
        bool is_bounded = session->options.memory_budget > 0;
        if (is_bounded && !fit_memory_budget(session, function, request))
            return NULL;
        Function *kept = is_bounded ? NULL : kept_function(session, source);
        function = gradient_function(session, function, kept, request, nulls);
    } else if (!recomputes(function->body))
        run_pipeline(session, function, "open_checkpoints");
    if (function != NULL)
        session_finish(session, function);
    return session->diags.error_count > 0 ? NULL : function;
}

static void list_callees(TdslSession *session, const Region *region, FunctionVector *list);

static void list_callee(TdslSession *session, Function *callee, FunctionVector *list) {
    for (int i = 0; i < list->functions.count; i++)
        if (list->functions.at[i] == callee)
            return;
    list_callees(session, callee->body, list);
    vec_push(&session->arena, &list->functions, callee);
    if (callee->reverse != NULL)
        list_callee(session, callee->reverse, list);
}

// The functions that are called, those that these call first; each before its rule.
static void list_callees(TdslSession *session, const Region *region, FunctionVector *list) {
    for_each_inst(inst, region) {
        if (inst->op == OP_call)
            list_callee(session, inst->attr.callee, list);
        for (int i = 0; i < inst->region_count; i++)
            list_callees(session, inst->regions[i], list);
    }
}

Function *session_kept_function(TdslSession *session, TdslFunctionKind kind,
                                const TdslGradientRequest *request, FunctionVector *kept) {
    if (!session_elaborate(session, false))
        return NULL;
    const Function *source = session->model->forward;
    Function *function = session->options.passes == NULL && session->options.memory_budget == 0
                             ? kept_function(session, source)
                             : NULL;
    if (function != NULL && kind == TDSL_GRADIENT) {
        Function *inlined = clone_function(source, source->name);
        run_pipeline(session, inlined, "expand_derivatives, remove_dead");
        function = gradient_function(session, inlined, function, request, NULL);
        if (function == NULL)
            return NULL;
    } else if (function != NULL && !recomputes(function->body))
        run_pipeline(session, function, "open_checkpoints");
    if (function == NULL || !has_kept_calls(function))
        return session_function(session, kind, request, NULL);
    list_callees(session, function->body, kept);
    const char *passes = session->options.level == 0
                             ? "drop_detach, remove_dead"
                             : "drop_detach, simplify, merge_equal, hoist, simplify, merge_equal, "
                               "remove_dead";
    for (int i = 0; i < kept->functions.count; i++)
        run_pipeline(session, kept->functions.at[i], passes);
    run_pipeline(session, function, passes);
    return session->diags.error_count > 0 ? NULL : function;
}

// ---- compiled functions

static TdslRole public_role(Role role) {
    switch (role) {
    case ROLE_INPUT: return TDSL_INPUT;
    case ROLE_PARAM: return TDSL_PARAM;
    case ROLE_SEED: return TDSL_SEED;
    case ROLE_KEY: return TDSL_KEY;
    case ROLE_GRADIENT: return TDSL_GRADIENT_OF;
    case ROLE_INITIAL: return TDSL_INITIAL_OF;
    case ROLE_OUTPUT:
    case ROLE_VALUE:
    case ROLE_NEXT:
    case ROLE_SAVED:
    case ROLE_STATE: return TDSL_OUTPUT;
    }
    unreachable("role %d", (int)role);
}

static TdslSlot public_slot(Arena *arena, const Slot *slot, Type type) {
    int64_t *shape = arena_array(arena, int64_t, type.rank + 1);
    for (int i = 0; i < type.rank; i++)
        shape[i] = dim_value(type.dims[i]);
    return (TdslSlot){slot->name, public_role(slot->role), (TdslElement)type.element, type.rank,
                      shape,      type_elements(type)};
}

LowerOptions session_lower_options(const TdslSession *session, const TargetMachine *target) {
    LowerOptions options = {.level = session->options.level,
                            .shares_memory = session->shares_memory};
    target_vector_shape(target, &options.vector_bytes, &options.vector_registers);
    // The same C is compiled for AVX2 and for AVX-512: wide vectors, in the registers of both.
    if (target->is_source && options.vector_bytes >= 32) {
        options.vector_bytes = 64;
        options.vector_registers = 16;
        options.unmasked = true;
    }
    return options;
}

static void plan_call(TdslFunction *function);

static bool make_code(TdslSession *session, TdslFunction *compiled, Function *function,
                      TdslFunctionKind kind) {
    const TargetMachine here = {.is_source = session->options.engine == TDSL_ENGINE_C};
    LowerOptions lower = session_lower_options(session, &here);
    lower.store_gradients = compiled->stores_gradients;
    compiled->program = program_new(&session->arena, session->model->name, &session->sources);
    compiled->entry = session_lower(session, compiled->program, function, kind, &lower);
    if (kind == TDSL_FORWARD && !entry_fits_budget(session, compiled->program, compiled->entry))
        return false;
    const char *error = NULL;
    if (session->options.engine == TDSL_ENGINE_C)
        compiled->loaded =
            load_c(compiled->program, session->options.level, &error, &session->arena);
    else {
        CompileOptions options = {
            .level = session->options.level, .position_independent = true, .entries_only = true};
        Objects objects;
        const char *folder = session->options.cache ? find_cache_folder(&session->arena) : NULL;
        if (compile_objects_cached(&session->arena, folder, compiled->program, &options, &objects,
                                   &error))
            compiled->loaded = load_objects(compiled->program, objects, &error, &session->arena);
    }
    if (compiled->loaded == NULL) {
        tdsl_report(session, "%s", error);
        session->failed_outside = true;
    }
    return compiled->loaded != NULL;
}

// Is a function that is called once soon evaluated? The evaluator has made few numbers before a
// compiler has looked at them.
static bool is_soon_evaluated(const Function *function) {
    enum { FEW = 500000, WORK_OF_COMPUTING = 5 };
    double work = 0;
    for (const Inst *inst = function->body->first; inst != NULL; inst = inst->next) {
        bool moves = inst->op == OP_constant || inst->op == OP_broadcast ||
                     inst->op == OP_reshape || inst->op == OP_iota;
        if (!moves && !op_info(inst->op)->elementwise)
            return false;
        work += (double)type_elements(inst->results[0]->type) * (moves ? 1 : WORK_OF_COMPUTING);
    }
    return work < FEW;
}

static double slot_bytes(const TdslSlot *slots, int count) {
    double bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += (double)slots[i].count * (double)tdsl_element_bytes(slots[i].element);
    return bytes;
}

// Refuses what this machine cannot hold; the system's refusals of less end the process.
static bool fits_memory(TdslSession *session, const TdslFunction *compiled) {
    double needed = slot_bytes(compiled->arguments.at, compiled->arguments.count) +
                    slot_bytes(compiled->results.at, compiled->results.count) +
                    (double)tdsl_workspace_bytes(compiled);
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (needed <= memory)
        return true;
    tdsl_report(session, "the model '%s' needs %.3g GB of memory, and this machine has %.3g",
                session->model->name, needed / 1e9, memory / 1e9);
    return false;
}

TdslFunction *tdsl_compile(TdslSession *session, TdslFunctionKind kind,
                           const TdslGradientRequest *request) {
    NameVector nulls = {0};
    Function *function = session_function(session, kind, request, &nulls);
    if (function == NULL)
        return NULL;
    Arena *arena = &session->arena;
    TdslFunction *compiled = arena_new(arena, TdslFunction);
    compiled->session = session;
    compiled->function = function;
    compiled->stores_gradients = request != NULL && request->stored;
    compiled->engine = kind == TDSL_INITIALIZE && is_soon_evaluated(function)
                           ? TDSL_ENGINE_EVALUATE
                           : session->options.engine;
    for (int i = 0; i < function->body->parameters.count; i++)
        vec_push(
            arena, &compiled->arguments,
            public_slot(arena, &function->parameters[i], function->body->parameters.at[i]->type));
    for (int i = 0; i < function->body->yields.count; i++)
        vec_push(arena, &compiled->results,
                 public_slot(arena, &function->results[i], function->body->yields.at[i]->type));
    for (int i = 0; i < nulls.names.count; i++)
        vec_push(arena, &compiled->null_gradients, nulls.names.at[i]);
    if (compiled->engine != TDSL_ENGINE_EVALUATE) {
        if (!make_code(session, compiled, function, kind))
            return NULL;
        if (entry_is_parallel(compiled->entry))
            session_start_threads(session);
        plan_call(compiled);
    }
    vec_push(arena, &session->functions, compiled);
    return fits_memory(session, compiled) ? compiled : NULL;
}

const TdslSlot *tdsl_arguments(const TdslFunction *function, int *count) {
    *count = function->arguments.count;
    return function->arguments.at;
}

const TdslSlot *tdsl_results(const TdslFunction *function, int *count) {
    *count = function->results.count;
    return function->results.at;
}

const char *const *tdsl_null_gradients(const TdslFunction *function, int *count) {
    *count = function->null_gradients.count;
    return function->null_gradients.at;
}

size_t tdsl_workspace_bytes(const TdslFunction *function) {
    return function->entry ? function->entry->workspace_bytes : 0;
}

// ---- calling

// Message for a failure at a place, in `session`'s arena: "file:line:col: what".
static const char *failure_text(TdslSession *session, Span span, const char *message) {
    int line, column;
    source_locate(&session->sources, span, &line, &column);
    if (span.file < 0)
        return message;
    return arena_format(&session->arena, "%s:%d:%d: %s", session->sources.files.at[span.file].name,
                        line, column, message);
}

static void add_gradient(void *target, const TensorData *value) {
    int64_t count = type_elements(value->type);
    if (value->type.element == TYPE_F32)
        for (int64_t i = 0; i < count; i++)
            ((float *)target)[i] += ((const float *)value->bytes)[i];
    else
        for (int64_t i = 0; i < count; i++)
            ((double *)target)[i] += ((const double *)value->bytes)[i];
}

static TdslStatus call_evaluator(TdslFunction *function, void *const *arguments,
                                 void *const *results, const char **message) {
    Arena arena = {0};
    const Region *body = function->function->body;
    TensorData *values = arena_array(&arena, TensorData, body->parameters.count + 1);
    TensorData *computed = arena_array(&arena, TensorData, body->yields.count + 1);
    for (int i = 0; i < body->parameters.count; i++)
        values[i] = (TensorData){body->parameters.at[i]->type, arguments[i]};
    EvaluateFailure failure = {0};
    bool good = evaluate(&arena, function->function, values, computed, &failure);
    for (int i = 0; good && i < body->yields.count; i++)
        if (results[i] == NULL)
            continue;
        else if (function->results.at[i].role == TDSL_GRADIENT_OF && !function->stores_gradients)
            add_gradient(results[i], &computed[i]);
        else if (type_bytes(computed[i].type) > 0)
            memcpy(results[i], computed[i].bytes, type_bytes(computed[i].type));
    if (!good)
        *message = failure_text(function->session, failure.span, failure.message);
    arena_free(&arena);
    return good ? TDSL_OK : TDSL_BAD_PROGRAM;
}

static GroupKind group_of(TdslRole role) {
    switch (role) {
    case TDSL_INPUT: return GROUP_INPUTS;
    case TDSL_PARAM: return GROUP_PARAMS;
    case TDSL_SEED: return GROUP_SEEDS;
    case TDSL_KEY: return GROUP_KEY;
    case TDSL_OUTPUT: return GROUP_OUTPUTS;
    case TDSL_GRADIENT_OF: return GROUP_GRADIENTS;
    case TDSL_INITIAL_OF: return GROUP_PARAMS;
    }
    unreachable("role %d", (int)role);
}

// Where the pointer of a group's field comes from: argument i is i, result i is -1 - i.
static int find_source(const TdslFunction *function, GroupKind kind, const char *name) {
    for (int i = 0; i < function->arguments.count; i++)
        if (group_of(function->arguments.at[i].role) == kind &&
            strcmp(function->arguments.at[i].name, name) == 0)
            return i;
    for (int i = 0; i < function->results.count; i++) {
        TdslRole role = function->results.at[i].role;
        if ((group_of(role) == kind || role == TDSL_INITIAL_OF) &&
            strcmp(function->results.at[i].name, name) == 0)
            return -1 - i;
    }
    unreachable("no argument or result for %s.%s", group_name(kind), name);
}

// Lays out the pointer arrays of all groups one after the other, once for every call to come.
static void plan_call(TdslFunction *function) {
    Arena *arena = &function->session->arena;
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        const Group *group = &function->entry->groups[kind];
        int first = function->sources.count;
        if (group->used)
            vec_push(arena, &function->groups, kind == GROUP_KEY ? -1 - first : first);
        for (int i = 0; group->used && i < group->fields.count; i++)
            vec_push(arena, &function->sources,
                     find_source(function, (GroupKind)kind, group->fields.at[i].name));
    }
    function->code = loaded_entry(function->loaded, function->entry, &function->is_parallel);
}

enum { SMALL_WORKSPACE = 4096, SMALL_FIELDS = 64 };

// A workspace of the entry's size. The last call's is used again, because fresh pages are dear;
// calls at the same time get workspaces of their own. NULL without memory.
static void *take_workspace(TdslFunction *function) {
    void *spare = atomic_exchange(&function->spare_workspace, NULL);
    return spare ? spare : aligned_alloc(64, (function->entry->workspace_bytes + 63) / 64 * 64);
}

static void give_back_workspace(TdslFunction *function, void *workspace) {
    free(atomic_exchange(&function->spare_workspace, workspace));
}

static TdslStatus call_code(TdslFunction *function, void *const *arguments, void *const *results,
                            const char **message) {
    int field_count = function->sources.count;
    void *small_fields[SMALL_FIELDS];
    void **fields =
        field_count <= SMALL_FIELDS ? small_fields : malloc((size_t)field_count * sizeof *fields);
    _Alignas(64) char small_workspace[SMALL_WORKSPACE];
    bool is_small = function->entry->workspace_bytes <= SMALL_WORKSPACE;
    void *workspace = is_small ? small_workspace : take_workspace(function);
    check(fields != NULL && workspace != NULL, "out of memory");
    for (int i = 0; i < field_count; i++) {
        int source = function->sources.at[i];
        fields[i] = source >= 0 ? arguments[source] : results[-1 - source];
    }
    void *pointers[GROUP_COUNT + 2];
    int count = 0;
    for (int i = 0; i < function->groups.count; i++) {
        int first = function->groups.at[i];
        pointers[count++] = first >= 0 ? (void *)(fields + first) : fields[-1 - first];
    }
    pointers[count++] = workspace;
    if (function->is_parallel)
        pointers[count++] = (void *)(uintptr_t)function->session->parallel;
    int status = call_entry(function->code, pointers, count);
    if (fields != small_fields)
        free(fields);
    if (!is_small)
        give_back_workspace(function, workspace);
    if (status == STATUS_DONE)
        return TDSL_OK;
    if (status >= STATUS_FIRST_SITE) {
        const Site *site = &function->program->sites.at[status - STATUS_FIRST_SITE];
        *message = failure_text(function->session, site->span, site->message);
    } else
        *message = "a required pointer is NULL";
    return TDSL_BAD_PROGRAM;
}

TdslStatus tdsl_call(TdslFunction *function, void *const *arguments, void *const *results,
                     const char **failure) {
    const char *ignored;
    const char **message = failure ? failure : &ignored;
    *message = NULL;
    return function->engine == TDSL_ENGINE_EVALUATE
               ? call_evaluator(function, arguments, results, message)
               : call_code(function, arguments, results, message);
}
