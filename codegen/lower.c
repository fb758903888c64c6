// The driver: entries, their groups of fields, results, and the order of
// everything.
#include "codegen/lower.h"

#include <string.h>

#include "codegen/fetch_rows.h"
#include "codegen/guard_results.h"
#include "codegen/lower_element.h"
#include "codegen/parallel.h"
#include "codegen/place_results.h"
#include "codegen/plan_memory.h"
#include "codegen/shape_vectors.h"
#include "codegen/share_kernels.h"
#include "codegen/split_chains.h"

Program *program_new(Arena *arena, const char *name, const Sources *sources) {
    Program *program = arena_new(arena, Program);
    *program = (Program){.arena = arena, .name = name, .sources = sources};
    return program;
}

static int find_field(const Group *group, const char *name) {
    for (int i = 0; i < group->fields.count; i++) {
        if (strcmp(group->fields.at[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

// The number of a field in its group, the same in all entries; added to all of
// them if it is new.
static int field_number(Program *program, Entry *entry, GroupKind kind, const char *name,
                        Type type) {
    int found = find_field(&entry->groups[kind], name);
    if (found >= 0) {
        return found;
    }
    Field field = {.name = name, .type = type};
    for (int i = 0; i < program->entries.count; i++) {
        vec_push(program->arena, &program->entries.at[i]->groups[kind].fields, field);
    }
    return entry->groups[kind].fields.count - 1;
}

static Buffer *field_buffer(Program *program, Entry *entry, GroupKind kind, const char *name,
                            Type type) {
    int number = field_number(program, entry, kind, name, type);
    Group *group = &entry->groups[kind];
    Field *field = &group->fields.at[number];
    if (field->buffer == NULL) {
        const char *shown = kind == GROUP_GRADIENTS
                                ? arena_format(program->arena, "%s_gradient", name)
                            : kind == GROUP_SEEDS ? arena_format(program->arena, "%s_seed", name)
                                                  : name;
        field->buffer = new_buffer(program, BUFFER_FIELD, type, shown);
        field->buffer->group = kind;
        field->buffer->field = number;
        field->buffer->read_only = true;
        group->used = true;
    }
    return field->buffer;
}

static GroupKind parameter_group(Role role) {
    switch (role) {
    case ROLE_PARAM: return GROUP_PARAMS;
    case ROLE_SEED: return GROUP_SEEDS;
    case ROLE_KEY: return GROUP_KEY;
    case ROLE_STATE: return GROUP_STATES;
    default: return GROUP_INPUTS;
    }
}

static bool group_has(const Program *program, GroupKind kind, const char *name) {
    for (int i = 0; i < program->entries.count; i++) {
        if (find_field(&program->entries.at[i]->groups[kind], name) >= 0) {
            return true;
        }
    }
    return false;
}

// Initial and next values go where the leaf or state of that name is.
static GroupKind result_group(const Program *program, const Slot *slot) {
    switch (slot->role) {
    case ROLE_GRADIENT: return GROUP_GRADIENTS;
    case ROLE_INITIAL:
    case ROLE_NEXT:
        return group_has(program, GROUP_PARAMS, slot->name)   ? GROUP_PARAMS
               : group_has(program, GROUP_STATES, slot->name) ? GROUP_STATES
               : group_has(program, GROUP_INPUTS, slot->name) ? GROUP_INPUTS
                                                              : GROUP_PARAMS;
    default: return GROUP_OUTPUTS;
    }
}

static const char *slot_name(Arena *arena, const Slot *slot, const char *kind, int number) {
    return slot->name != NULL ? slot->name : arena_format(arena, "%s%d", kind, number);
}

static void bind_parameters(Lowering *l) {
    const Function *function = l->function;
    for (int i = 0; i < function->body->parameters.count; i++) {
        const Value *value = function->body->parameters.at[i];
        const Slot *slot = &function->parameters[i];
        const char *name = slot_name(l->arena, slot, "argument", i);
        Buffer *buffer =
            field_buffer(l->program, l->entry, parameter_group(slot->role), name, value->type);
        if (slot->role == ROLE_SEED && buffer->count == 1) {
            buffer->default_one = true;
        }
        state_of(l, value)->buffer = buffer;
    }
}

static void request_results(Lowering *l) {
    const Function *function = l->function;
    for (int i = 0; i < function->body->yields.count; i++) {
        const Value *value = function->body->yields.at[i];
        Slot *slot = &function->results[i];
        GroupKind kind = result_group(l->program, slot);
        const char *name = slot_name(l->arena, slot, "result", i);
        Buffer *buffer = field_buffer(l->program, l->entry, kind, name, value->type);
        buffer->read_only = false;
        buffer->optional = kind == GROUP_OUTPUTS || kind == GROUP_GRADIENTS;
        l->entry->groups[kind].written = true;
        ValueState *state = state_of(l, value);
        if (slot->role == ROLE_NEXT) {
            state->stored = true; // the parameters' memory is replaced at the end, by copies
        } else {
            bool adds = kind == GROUP_GRADIENTS && !l->options->store_gradients;
            vec_push(l->scratch, &state->destinations,
                     ((Destination){.buffer = buffer, .accumulate = adds}));
        }
    }
}

static Buffer *result_buffer(Lowering *l, int result) {
    const Slot *slot = &l->function->results[result];
    const Value *value = l->function->body->yields.at[result];
    return field_buffer(l->program, l->entry, result_group(l->program, slot),
                        slot_name(l->arena, slot, "result", result), value->type);
}

// The parameter that a next value replaces, or NULL.
static const Value *replaced_parameter(Lowering *l, int result) {
    const Buffer *buffer = result_buffer(l, result);
    const Region *body = l->function->body;
    for (int i = 0; i < body->parameters.count; i++) {
        if (state_of(l, body->parameters.at[i])->buffer == buffer) {
            return body->parameters.at[i];
        }
    }
    return NULL;
}

static bool node_may_fail(const Lowering *l, const Node *node) {
    for (int i = 0; i < node->members.count; i++) {
        const Value *member = node->members.at[i];
        const Op op = member->definition->op;
        if (state_of(l, member)->fallible || op == OP_scatter_add || op == OP_scatter_set ||
            !(is_inlinable(op) || is_reduction(op))) {
            return true;
        }
        for (int j = 0; j < member->definition->operand_count; j++) {
            if (state_of(l, member->definition->operands[j])->fallible) {
                return true;
            }
        }
    }
    return node->kind == NODE_CONTROL;
}

// Next values may be stored straight over the params and states that they replace, where nothing
// reads these any more and no failure can leave some replaced and others not.
static void store_next_in_place(Lowering *l, const Nodes *nodes) {
    const Region *body = l->function->body;
    for (int i = 0; i < body->yields.count; i++) {
        const Value *value = body->yields.at[i];
        ValueState *state = state_of(l, value);
        if (l->function->results[i].role != ROLE_NEXT || value->definition == NULL ||
            state->node == NULL || state->node->kind == NODE_CONTROL ||
            value->definition->region_count > 0) {
            continue;
        }
        const Value *old = replaced_parameter(l, i);
        bool possible = old == NULL || replaces_at_point(nodes, state->node, old);
        for (int j = 0; j < body->yields.count; j++) {
            possible =
                possible && body->yields.at[j] != old && (j == i || body->yields.at[j] != value);
        }
        for (int j = state->node->position; j < nodes->count; j++) {
            possible = possible && !node_may_fail(l, nodes->at[j]);
        }
        if (possible) {
            vec_push(l->scratch, &state->destinations,
                     ((Destination){.buffer = result_buffer(l, i)}));
        }
    }
}

// Values that no kernel stores at their destinations: parameters and what loops
// and branches give.
static void copy_results(Lowering *l) {
    const Region *body = l->function->body;
    for (int i = 0; i < body->yields.count; i++) {
        const Value *value = body->yields.at[i];
        bool first = true;
        for (int j = 0; j < i; j++) {
            first = first && body->yields.at[j] != value;
        }
        if (first && (value->definition == NULL || is_entry_result(l, value))) {
            lower_destinations(l, value);
        }
    }
}

// Next values replace params and states when nothing reads these any more. A
// next value that is the memory of another param itself is saved first.
static void replace_next(Lowering *l) {
    const Region *body = l->function->body;
    int count = body->yields.count;
    Buffer **from = arena_array(l->scratch, Buffer *, count);
    for (int i = 0; i < count; i++) {
        const Value *value = body->yields.at[i];
        if (l->function->results[i].role != ROLE_NEXT || type_elements(value->type) == 0) {
            continue;
        }
        from[i] = state_of(l, value)->buffer;
        if (value->definition == NULL && from[i] != result_buffer(l, i)) {
            Buffer *saved = new_workspace_buffer(l, value->type, value->name);
            lower_copy(l, value, (Destination){.buffer = saved});
            from[i] = saved;
        }
    }
    for (int i = 0; i < count; i++) {
        Buffer *to = from[i] == NULL ? NULL : result_buffer(l, i);
        if (from[i] != to) {
            add_entry_statement(
                l, (Statement){.kind = STATEMENT_COPY, .buffer = from[i], .target = to});
        }
    }
}

static bool is_stored_in_kernel(const Lowering *l, const Node *node, const Value *member,
                                const Destination *to) {
    if (to->buffer == node->guard) {
        return true;
    }
    bool is_row = is_row_member(node, member) && member->definition->region_count == 0;
    return stores_conditionally(node) && !is_stack(member) &&
           (!is_row || only_purpose(l, member) != NULL);
}

// Destinations that the kernel of a node did not store at.
static void copy_to_optional(Lowering *l, const Node *node) {
    for (int i = 0; i < node->members.count; i++) {
        const Value *member = node->members.at[i];
        const ValueState *state = state_of(l, member);
        if (node->kind == NODE_MOVE || is_stack(member)) {
            lower_destinations(l, member);
            continue;
        }
        for (int j = 0; j < state->destinations.count; j++) {
            const Destination *to = &state->destinations.at[j];
            if (to->buffer->optional && !is_stored_in_kernel(l, node, member, to)) {
                lower_copy(l, member, *to);
            }
        }
    }
}

void lower_nodes(Lowering *l, Nodes *nodes) {
    for (int i = 0; i < nodes->count; i++) {
        Node *node = nodes->at[i];
        Block *before = l->block;
        if (node->guard != NULL) {
            begin_entry_present(l, node->guard);
        }
        switch (node->kind) {
        case NODE_POINTS: lower_points(l, node); break;
        case NODE_TILES: lower_tiles(l, node); break;
        case NODE_MOVE: lower_move(l, node); break;
        case NODE_CONTROL: lower_control(l, node); break;
        }
        l->block = before;
        if (node->kind != NODE_CONTROL) {
            copy_to_optional(l, node);
        }
    }
}

static void lower_nodes_of(Lowering *l) {
    Nodes nodes = plan_region(l, l->function->body);
    store_next_in_place(l, &nodes);
    place_values(l, &nodes);
    lower_nodes(l, &nodes);
    copy_results(l);
    replace_next(l);
}

static void lower_written_out(Lowering *l) {
    int count = l->function->body->yields.count;
    SmallResult *results = arena_array(l->scratch, SmallResult, count);
    for (int i = 0; i < count; i++) {
        results[i].buffer = result_buffer(l, i);
        results[i].accumulate =
            l->function->results[i].role == ROLE_GRADIENT && !l->options->store_gradients;
    }
    lower_small_function(l, results);
}

static Entry *new_entry(Program *program, const char *name) {
    Entry *entry = arena_new(program->arena, Entry);
    entry->name = name;
    if (program->entries.count > 0) {
        const Entry *first = program->entries.at[0];
        for (int kind = 0; kind < GROUP_COUNT; kind++) {
            for (int i = 0; i < first->groups[kind].fields.count; i++) {
                Field field = first->groups[kind].fields.at[i];
                field.buffer = NULL;
                vec_push(program->arena, &entry->groups[kind].fields, field);
            }
        }
    }
    vec_push(program->arena, &program->entries, entry);
    return entry;
}

Entry *lower_function(Program *program, const Function *function, const char *entry_name,
                      const LowerOptions *options) {
    Arena scratch = {0};
    Lowering l = {.program = program,
                  .arena = program->arena,
                  .scratch = &scratch,
                  .function = function,
                  .options = options};
    l.entry = new_entry(program, entry_name);
    l.entry->comment = function->name;
    l.values = arena_array(&scratch, ValueState, function->value_count);
    l.stamps = arena_array(&scratch, int, function->value_count);
    l.block = &l.entry->body;
    int first_buffer = program->buffers.count;
    bind_parameters(&l);
    analyse_function(&l);
    request_results(&l);
    if (options->level > 0 && is_small_function(&l)) {
        lower_written_out(&l);
    } else {
        lower_nodes_of(&l);
    }
    if (options->level > 0) {
        guard_results(program, l.entry);
        make_parallel(program, l.entry, options);
        place_results(program, l.entry);
    }
    plan_memory(program, l.entry, first_buffer, options->level > 0);
    if (options->level > 0) {
        if (options->unmasked) {
            shape_vectors(program);
        }
        split_chains(program, options);
        share_kernels(program);
        fetch_rows(program, options);
    }
    arena_free(&scratch);
    return l.entry;
}

Entry *lower_zero_gradients(Program *program, const Entry *backward) {
    Entry *entry = new_entry(program, "zero_gradients");
    entry->comment = "zeros in every gradient whose pointer is not NULL";
    const Group *from = &backward->groups[GROUP_GRADIENTS];
    Lowering l = {.program = program, .arena = program->arena, .entry = entry};
    l.block = &entry->body;
    for (int i = 0; i < from->fields.count; i++) {
        const Field *field = &from->fields.at[i];
        if (field->buffer == NULL) {
            continue;
        }
        Buffer *buffer = field_buffer(program, entry, GROUP_GRADIENTS, field->name, field->type);
        buffer->read_only = false;
        buffer->optional = true;
        entry->groups[GROUP_GRADIENTS].written = true;
        Block *before = begin_entry_present(&l, buffer);
        add_entry_statement(&l, (Statement){.kind = STATEMENT_ZERO, .target = buffer});
        l.block = before;
    }
    return entry;
}
