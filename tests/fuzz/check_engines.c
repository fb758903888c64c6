// Checks of generated code: a function is lowered, compiled and called the way a careless but
// correct host program would: garbage in the workspace and in outputs, guards around every tensor,
// twice.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/compile.h"
#include "codegen/lower.h"
#include "codegen/product.h"
#include "ir/edit.h"
#include "ir/evaluate.h"
#include "passes/pipeline.h"
#include "tests/fuzz/check.h"

enum { GUARD = 64, GARBAGE = 0xff };

// Memory of `bytes` bytes between two guards. A product may assume no more alignment than the
// element type's, so some tensors get no more.
typedef struct Guarded {
    unsigned char *block;
    unsigned char *at;
    size_t bytes;
} Guarded;

static Guarded guard(Arena *arena, size_t bytes, size_t shift) {
    unsigned char *block = arena_alloc(arena, bytes + 4 * GUARD);
    Guarded memory = {.bytes = bytes};
    memory.block = block + (GUARD - (uintptr_t)block % GUARD) % GUARD;
    memory.at = memory.block + GUARD + shift;
    memset(memory.block, 0xa5, bytes + 3 * GUARD);
    memset(memory.at, GARBAGE, bytes);
    return memory;
}

static bool is_intact(const Guarded *memory) {
    size_t before = (size_t)(memory->at - memory->block);
    for (size_t i = 0; i < before; i++) {
        if (memory->block[i] != 0xa5) {
            return false;
        }
    }
    for (size_t i = before + memory->bytes; i < memory->bytes + 3 * GUARD; i++) {
        if (memory->block[i] != 0xa5) {
            return false;
        }
    }
    return true;
}

// One compiled function and the memory that its pointers lead to.
typedef struct Call {
    Subject *subject;
    Arena *arena;
    Reference *reference;
    const Function *function;
    const Program *program;
    const Entry *entry;
    Loaded *loaded;
    Guarded *arguments, *results; // in the order of the function's
    bool *is_null;                // results whose pointer is NULL
    Guarded workspace;
    CallArguments pointers;
} Call;

static GroupKind group_of(Role role) {
    switch (role) {
    case ROLE_PARAM: return GROUP_PARAMS;
    case ROLE_SEED: return GROUP_SEEDS;
    case ROLE_KEY: return GROUP_KEY;
    case ROLE_STATE: return GROUP_STATES;
    case ROLE_OUTPUT: return GROUP_OUTPUTS;
    case ROLE_GRADIENT: return GROUP_GRADIENTS;
    default: return GROUP_INPUTS;
    }
}

static void point_to(Call *call, const Slot *slot, void *memory) {
    GroupKind kind = group_of(slot->role);
    const Group *group = &call->entry->groups[kind];
    if (kind == GROUP_KEY) {
        call->pointers.groups[kind] = memory; // the key itself is pointed to
        return;
    }
    if (call->pointers.groups[kind] == NULL) {
        call->pointers.groups[kind] = arena_array(call->arena, void *, group->fields.count);
    }
    for (int i = 0; i < group->fields.count; i++) {
        if (strcmp(group->fields.at[i].name, slot->name) == 0) {
            call->pointers.groups[kind][i] = memory;
            return;
        }
    }
    check(false, "the entry has no field %s", slot->name);
}

static Guarded guard_tensor(Call *call, Type type) {
    size_t shift = random_chance(&call->subject->random, 0.5) ? element_bytes(type.element) : 0;
    return guard(call->arena, type_bytes(type), shift);
}

// The seed of a one-element output may be left out if it is 1.
static bool may_be_null(const Slot *slot, const TensorData *argument) {
    return slot->role == ROLE_SEED && type_elements(argument->type) == 1 &&
           tensor_get(argument, 0) == 1;
}

// The result that replaces a parameter, or -1.
static int next_of(const Function *function, int parameter) {
    Role role = function->parameters[parameter].role;
    for (int i = 0; i < function->body->yields.count; i++) {
        if (function->results[i].role == ROLE_NEXT && (role == ROLE_PARAM || role == ROLE_STATE) &&
            strcmp(function->results[i].name, function->parameters[parameter].name) == 0) {
            return i;
        }
    }
    return -1;
}

static void fill_arguments(Call *call) {
    const Region *body = call->function->body;
    for (int i = 0; i < body->parameters.count; i++) {
        const TensorData *argument = &call->reference->arguments[i];
        const Slot *slot = &call->function->parameters[i];
        call->arguments[i] = guard_tensor(call, body->parameters.at[i]->type);
        if (call->arguments[i].bytes > 0) {
            memcpy(call->arguments[i].at, argument->bytes, call->arguments[i].bytes);
        }
        bool null = may_be_null(slot, argument) && random_chance(&call->subject->random, 0.5);
        point_to(call, slot, null ? NULL : call->arguments[i].at);
        int next = next_of(call->function, i);
        if (next >= 0) {
            call->results[next] = call->arguments[i];
        }
    }
    size_t bytes = call->entry->workspace_bytes;
    call->workspace = guard(call->arena, bytes, 0);
    call->pointers.workspace = bytes > 0 ? call->workspace.at : NULL;
}

static const double GRADIENT_BEFORE = 0.5; // gradients are added to what is there

static void fill_results(Call *call, double null_probability) {
    const Region *body = call->function->body;
    for (int i = 0; i < body->yields.count; i++) {
        Type type = body->yields.at[i]->type;
        if (call->function->results[i].role == ROLE_NEXT) {
            continue;
        }
        call->results[i] = guard_tensor(call, type);
        TensorData data = {type, call->results[i].at};
        bool is_gradient = call->function->results[i].role == ROLE_GRADIENT;
        for (int64_t k = 0; is_gradient && k < type_elements(type); k++) {
            tensor_set(&data, k, GRADIENT_BEFORE);
        }
        call->is_null[i] = random_chance(&call->subject->random, null_probability);
        point_to(call, &call->function->results[i], call->is_null[i] ? NULL : call->results[i].at);
    }
    memset(call->workspace.at, GARBAGE, call->workspace.bytes);
}

static const char *check_memory(Call *call) {
    const Region *body = call->function->body;
    for (int i = 0; i < body->parameters.count; i++) {
        const Guarded *memory = &call->arguments[i];
        bool replaced = next_of(call->function, i) >= 0;
        if (!is_intact(memory) ||
            (memory->bytes > 0 && !replaced &&
             memcmp(memory->at, call->reference->arguments[i].bytes, memory->bytes) != 0)) {
            return arena_format(call->arena, "argument %d or memory near it is written", i);
        }
    }
    for (int i = 0; i < body->yields.count; i++) {
        if (!is_intact(&call->results[i])) {
            return arena_format(call->arena, "memory near result %d is written", i);
        }
    }
    return is_intact(&call->workspace) ? NULL : "memory near the workspace is written";
}

// The gradient itself, without what was there before. Reads from a copy.
static TensorData result_data(Call *call, int index) {
    Type type = call->function->body->yields.at[index]->type;
    TensorData copy = tensor_new(call->arena, type);
    if (type_bytes(type) > 0) {
        memcpy(copy.bytes, call->results[index].at, type_bytes(type));
    }
    return copy;
}

// A gradient that was added to a number has lost what is far below it: the reference with the same
// sum.
static const char *compare_gradient(Call *call, int index) {
    TensorData got = result_data(call, index);
    const TensorData *wanted = &call->reference->results[index];
    bool single = got.type.element == TYPE_F32;
    TensorData apart = tensor_new(call->arena, got.type);
    for (int64_t k = 0; k < type_elements(got.type); k++) {
        double gradient = tensor_get(wanted, k);
        double difference = tensor_get(&got, k) - GRADIENT_BEFORE - gradient;
        double rounding = (single ? 0x1p-21 : 0x1p-50) * (fabs(gradient) + GRADIENT_BEFORE);
        tensor_set(&apart, k, fabs(difference) <= rounding ? gradient : gradient + difference);
    }
    return compare_result(call->reference, index, &apart);
}

static const char *compare_call(Call *call) {
    for (int i = 0; i < call->function->body->yields.count; i++) {
        const char *wrong = NULL;
        if (call->is_null[i]) {
            continue;
        }
        if (call->function->results[i].role == ROLE_GRADIENT) {
            wrong = compare_gradient(call, i);
        } else {
            TensorData got = result_data(call, i);
            wrong = compare_result(call->reference, i, &got);
        }
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

static const char *call_once(Call *call, double null_probability) {
    fill_arguments(call);
    fill_results(call, null_probability);
    int status = loaded_call(call->loaded, call->entry, &call->pointers);
    call->subject->counts.calls++;
    const char *wrong = check_memory(call);
    if (wrong != NULL) {
        return wrong;
    }
    if (call->reference->fails) {
        bool failed = status >= STATUS_FIRST_SITE;
        return failed || null_probability > 0
                   ? NULL
                   : arena_format(call->arena, "status %d, but the evaluator fails: %s", status,
                                  call->reference->message);
    }
    if (status != STATUS_DONE) {
        int site = status - STATUS_FIRST_SITE;
        return arena_format(call->arena, "status %d: %s", status,
                            site >= 0 && site < call->program->sites.count
                                ? call->program->sites.at[site].message
                                : "no site");
    }
    return compare_call(call);
}

static const char *load(Call *call, int level, bool through_c) {
    const char *error = NULL;
    if (through_c) {
        call->loaded = load_c(call->program, level, &error, call->arena);
    } else {
        CompileOptions options = {.level = level, .position_independent = true};
        Objects objects;
        if (compile_objects(call->arena, call->program, &options, &objects, &error)) {
            call->loaded = load_objects(call->program, objects, &error, call->arena);
        }
    }
    return call->loaded ? NULL : arena_format(call->arena, "load: %s", error ? error : "?");
}

static Function *optimise(Subject *subject, const Function *function, int level) {
    Function *copy = clone_function(function, function->name);
    pipeline_run(copy->module, copy, &(PipelineOptions){.level = level, .verify = true});
    if (level == 2) { // also what the standard pipeline does to larger values alone
        static const int bytes[] = {64, 64, 200, 700, 3000}, rows[] = {2, 3, 5, 64};
        const char *passes = arena_format(
            subject->arena,
            "block_loops:%d, block_rows:%d, small_rows:%d, simplify, merge_equal, remove_dead",
            bytes[random_below(&subject->random, 5)], bytes[random_below(&subject->random, 5)],
            rows[random_below(&subject->random, 4)]);
        pipeline_run(copy->module, copy, &(PipelineOptions){.passes = passes, .verify = true});
    }
    // What is lowered has none.
    pipeline_run(copy->module, copy, &(PipelineOptions){.passes = "open_checkpoints"});
    return copy;
}

const char *check_engine(Subject *subject, Reference *original, int level, bool through_c) {
    Arena *arena = subject->arena;
    Function *function = optimise(subject, original->function, level);
    Reference reference = reference_new(arena, function, original->arguments, original->exact);
    Program *program = program_new(arena, "fuzz", subject->sources);
    LowerOptions options = {.level = level};
    target_vector_shape(&(TargetMachine){0}, &options.vector_bytes, &options.vector_registers);
    if (random_chance(&subject->random, 0.4)) {
        options.vector_bytes = 16 << random_below(&subject->random, 3);
        options.vector_registers = 16 << random_below(&subject->random, 2);
    }
    Call call = {.subject = subject, .arena = arena, .reference = &reference};
    call.function = function;
    call.entry = lower_function(program, function, "run", &options);
    call.program = program;
    call.arguments = arena_array(arena, Guarded, function->body->parameters.count);
    call.results = arena_array(arena, Guarded, function->body->yields.count);
    call.is_null = arena_array(arena, bool, function->body->yields.count);
    const char *wrong = load(&call, level, through_c);
    if (wrong == NULL) {
        wrong = call_once(&call, 0);
        wrong = wrong ? wrong : call_once(&call, 0);
        wrong = wrong ? wrong : call_once(&call, 0.4);
    }
    loaded_free(call.loaded);
    return wrong ? arena_format(arena, "%s O%d: %s", through_c ? "C" : "JIT", level, wrong) : NULL;
}
