// Loops and branches in an entry. A loop's carried values live in buffers that
// its body replaces: in place where nothing reads the old value any more,
// otherwise through a second buffer that is copied at the end of the iteration.
// Stacked values are stored at their row.
#include <string.h>

#include "codegen/lower_element.h"

static Scalar *entry_constant(Lowering *l, ElementType type, int64_t value) {
    return entry_scalar(l, (Scalar){.op = SCALAR_CONSTANT, .type = type, .integer = value});
}

static Scalar *entry_binary(Lowering *l, ScalarOp op, ElementType type, Scalar *x, Scalar *y) {
    return entry_scalar(l, (Scalar){.op = op, .type = type, .args = {x, y}, .arg_count = 2});
}

// The one element of a stored value, or the index of a loop around.
static Scalar *entry_load(Lowering *l, const Value *value) {
    const ValueState *state = state_of(l, value);
    if (is_loop_index(value)) {
        return state->entry_scalar;
    }
    check(state->buffer != NULL, "a count or condition is not stored");
    Scalar *position = entry_constant(l, TYPE_I64, 0);
    if (state->row != NULL) {
        position = state_of(l, state->row)->entry_scalar;
    }
    return entry_scalar(l, (Scalar){.op = SCALAR_LOAD,
                                    .type = value->type.element,
                                    .args = {position},
                                    .arg_count = 1,
                                    .buffer = state->buffer});
}

static Local *entry_local(Lowering *l, ElementType type, const char *name) {
    Local *local = arena_new(l->arena, Local);
    *local = (Local){.type = type, .count = 1, .name = name, .id = l->entry->locals.count};
    vec_push(l->arena, &l->entry->locals, local);
    return local;
}

static Scalar *entry_local_load(Lowering *l, Local *local) {
    return entry_scalar(l, (Scalar){.op = SCALAR_LOCAL,
                                    .type = local->type,
                                    .args = {entry_constant(l, TYPE_I64, 0)},
                                    .arg_count = 1,
                                    .local = local});
}

static void entry_set(Lowering *l, Local *local, Scalar *value) {
    add_entry_statement(l, (Statement){.kind = STATEMENT_SET,
                                       .local = local,
                                       .index = entry_constant(l, TYPE_I64, 0),
                                       .value = value});
}

static void entry_fail(Lowering *l, Scalar *condition, Span span, const char *message) {
    add_entry_statement(l, (Statement){.kind = STATEMENT_FAIL,
                                       .condition = condition,
                                       .site = program_site(l->program, span, message)});
}

bool is_zero_value(const Value *value) {
    const Inst *inst = value->definition;
    if (inst == NULL) {
        return false;
    }
    if (inst->op == OP_broadcast || inst->op == OP_reshape || inst->op == OP_transpose) {
        return is_zero_value(inst->operands[0]);
    }
    if (inst->op != OP_constant) {
        return false;
    }
    const unsigned char *bytes = inst->attr.data->bytes;
    size_t count = type_bytes(inst->attr.data->type);
    return count > 0 && bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0;
}

// A value that nothing else reads: its place may be taken over.
static bool is_last_owner(const Lowering *l, const Value *value, const Region *region) {
    const ValueState *state = state_of(l, value);
    return value->definition != NULL && value->region == region && state->uses == 1 &&
           state->materialised && state->destinations.count == 0 && state->buffer != NULL &&
           state->buffer->kind == BUFFER_WORKSPACE && state->row == NULL;
}

// What the loop around carries, and this one alone takes and carries on: its place may be used.
static bool is_handed_on(const Lowering *l, const Inst *inst, int k) {
    const Value *initial = inst->operands[k];
    const Region *region = inst->parent;
    const ValueState *state = state_of(l, initial);
    return initial->definition == NULL && initial->region == region && initial->index > 0 &&
           region->owner != NULL && region->owner->op == OP_loop &&
           region == region->owner->regions[0] &&
           region->yields.at[initial->index - 1] == inst->results[k] && state->uses == 1 &&
           state->buffer != NULL && state->buffer->kind == BUFFER_WORKSPACE && state->row == NULL;
}

// In the place of what a loop around carries, as a scatter into that is: the loop's next value may
// be stored there before what this one leaves has been read, unless that is the next value.
static bool is_in_carried_place(const Lowering *l, const Inst *inst, int k) {
    const Buffer *buffer = state_of(l, inst->operands[k])->buffer;
    for (const Region *region = inst->parent; region->owner != NULL;
         region = region->owner->parent) {
        const Inst *around = region->owner;
        for (int i = 0; i < around->attr.carried && around->op == OP_loop; i++) {
            if (state_of(l, around->regions[0]->parameters.at[i + 1])->buffer == buffer) {
                return region != inst->parent || region->yields.at[i] != inst->results[k];
            }
        }
    }
    return false;
}

static bool can_take_over(const Lowering *l, const Inst *inst, int k) {
    return is_last_owner(l, inst->operands[k], inst->parent) && !is_in_carried_place(l, inst, k);
}

static void place_initial(Lowering *l, const Inst *inst, int k) {
    const Value *initial = inst->operands[k], *parameter = inst->regions[0]->parameters.at[k + 1];
    const char *name = parameter->name != NULL ? parameter->name : inst->results[k]->name;
    Buffer *buffer = NULL;
    bool repeated = false; // the same value starts another carried one too
    for (int i = 0; i < inst->operand_count; i++) {
        repeated = repeated || (i != k && inst->operands[i] == initial);
    }
    if (!repeated && (can_take_over(l, inst, k) || is_handed_on(l, inst, k))) {
        buffer = state_of(l, initial)->buffer;
    } else {
        buffer = new_workspace_buffer(l, initial->type, name);
        buffer->use = USE_CARRIED;
        buffer->span = inst->span;
        buffer->reverse = state_of(l, inst->results[k])->reverse;
        if (is_zero_value(initial) && buffer->count > 0) {
            add_entry_statement(l, (Statement){.kind = STATEMENT_ZERO, .target = buffer});
        } else {
            lower_copy(l, initial, (Destination){.buffer = buffer});
        }
    }
    for (int i = 0; i < inst->region_count; i++) {
        state_of(l, inst->regions[i]->parameters.at[k + 1])->buffer = buffer;
    }
    state_of(l, inst->results[k])->buffer = buffer;
}

static bool is_scatter(const Inst *inst) {
    return inst->op == OP_scatter_add || inst->op == OP_scatter_set;
}

// A scatter waits until all others have read what it changes, so that it may happen in its place;
// unless one of them reads its result, too.
static void sink_scatters(Nodes *nodes) {
    for (int i = nodes->count - 1; i >= 0; i--) {
        Node *scatter = nodes->at[i];
        if (scatter->kind != NODE_MOVE || !is_scatter(scatter->inst)) {
            continue;
        }
        int last = i, first_user = nodes->count;
        for (int j = nodes->count - 1; j > i; j--) {
            const Reads *reads = &nodes->at[j]->reads;
            bool reads_base = reads_value(reads, scatter->inst->operands[0], false);
            last = reads_base && last == i ? j : last;
            first_user = reads_value(reads, scatter->inst->results[0], false) ? j : first_user;
        }
        if (first_user <= last) {
            continue;
        }
        for (int j = i; j < last; j++) {
            nodes->at[j] = nodes->at[j + 1];
            nodes->at[j]->position = j;
        }
        nodes->at[last] = scatter;
        scatter->position = last;
    }
}

// The scatter into `value` that may happen in its place, or NULL.
static const Value *scatter_in_place(Lowering *l, const Nodes *nodes, const Value *value) {
    for (int i = 0; i < nodes->count; i++) {
        const Node *node = nodes->at[i];
        if (node->kind != NODE_MOVE || !is_scatter(node->inst) ||
            node->inst->operands[0] != value) {
            continue;
        }
        if (read_after(nodes, i, value)) {
            return NULL;
        }
        Reads others = {0};
        l->walk++;
        for (int j = 1; j < node->inst->operand_count; j++) {
            collect_operand_reads(l, node->inst->operands[j], &others);
        }
        return reads_value(&others, value, false) ? NULL : node->inst->results[0];
    }
    return NULL;
}

// Finds where the next value of carried value k may be stored in place of the
// current one: scatters one after the other, then at most one point-by-point
// computation.
static bool replaces_in_place(Lowering *l, const Inst *inst, const Nodes *nodes, int k) {
    const Region *body = inst->regions[0];
    const Value *current = body->parameters.at[k + 1], *next = body->yields.at[k];
    if (region_yields(body, current)) {
        return false;
    }
    Buffer *buffer = state_of(l, current)->buffer;
    const Value *scattered;
    while (current != next && (scattered = scatter_in_place(l, nodes, current)) != NULL &&
           (scattered == next || !region_yields(body, scattered))) {
        state_of(l, scattered)->buffer = buffer;
        current = scattered;
    }
    if (current == next) {
        return true;
    }
    const Node *node = next->region == body ? state_of(l, next)->node : NULL;
    if (node == NULL || node->kind == NODE_CONTROL) {
        return false;
    }
    return replaces_at_point(nodes, node, current);
}

typedef struct LoopLowering {
    const Inst *inst;
    const Region *body;
    bool has_condition;
    Scalar *limit; // iterations at most
    Buffer **next; // second buffers, by carried value; NULL: none needed
    bool shuffled; // some carried value becomes another one
} LoopLowering;

static bool is_computed_inside(const Lowering *l, const LoopLowering *loop, const Value *value) {
    return value->region == loop->body && value->definition != NULL && !is_entry_result(l, value);
}

static void add_destination(Lowering *l, const Value *value, Destination destination) {
    vec_push(l->scratch, &state_of(l, value)->destinations, destination);
}

static void request_yields(Lowering *l, LoopLowering *loop) {
    const Region *body = loop->body;
    int carried = loop->inst->attr.carried;
    loop->next = arena_array(l->scratch, Buffer *, carried);
    for (int k = 0; k < carried; k++) {
        const Value *value = body->yields.at[k];
        loop->shuffled = loop->shuffled || (value->definition == NULL && value->region == body &&
                                            value->index > 0 && value->index != k + 1);
        if (is_computed_inside(l, loop, value)) {
            loop->next[k] = arena_new(l->arena, Buffer);
            add_destination(l, value, (Destination){.buffer = loop->next[k]});
        }
    }
    for (int i = carried; i < body->yields.count; i++) {
        const Value *value = body->yields.at[i];
        if (is_computed_inside(l, loop, value) && state_of(l, loop->inst->results[i])->needed) {
            add_destination(l, value,
                            (Destination){.buffer = state_of(l, loop->inst->results[i])->buffer,
                                          .row = body->parameters.at[0],
                                          .row_elements = type_elements(value->type)});
        }
    }
}

// The stand-ins of the next values' buffers become real: the carried value's
// own, or a second one.
static void place_yields(Lowering *l, LoopLowering *loop, const Nodes *nodes) {
    for (int k = 0; k < loop->inst->attr.carried; k++) {
        const Value *value = loop->body->yields.at[k];
        if (loop->next[k] == NULL) {
            continue;
        }
        Buffer *current = state_of(l, loop->body->parameters.at[k + 1])->buffer;
        Buffer *place = current;
        if (!replaces_in_place(l, loop->inst, nodes, k)) {
            place = new_workspace_buffer(l, value->type, value->name);
            place->reverse = state_of(l, value)->reverse;
        }
        ValueState *state = state_of(l, value);
        for (int i = 0; i < state->destinations.count; i++) {
            if (state->destinations.at[i].buffer == loop->next[k]) {
                state->destinations.at[i].buffer = place;
            }
        }
        loop->next[k] = place == current ? NULL : place;
    }
}

// Yields that no node of the body stored: parameters, outer values, results of
// inner loops.
static void copy_yields(Lowering *l, LoopLowering *loop) {
    const Region *body = loop->body;
    int carried = loop->inst->attr.carried;
    for (int i = carried; i < body->yields.count; i++) {
        const Value *value = body->yields.at[i];
        if (!is_computed_inside(l, loop, value) && state_of(l, loop->inst->results[i])->needed) {
            lower_copy(l, value,
                       (Destination){.buffer = state_of(l, loop->inst->results[i])->buffer,
                                     .row = body->parameters.at[0],
                                     .row_elements = type_elements(value->type)});
        }
    }
    for (int k = 0; k < carried; k++) {
        const Value *value = body->yields.at[k];
        if (!is_computed_inside(l, loop, value) && value != body->parameters.at[k + 1]) {
            Buffer *to = state_of(l, body->parameters.at[k + 1])->buffer;
            if (state_of(l, value)->buffer == to && state_of(l, value)->row == NULL) {
                continue; // handed on, and changed in its place
            }
            if (loop->shuffled) {
                to = loop->next[k] = new_workspace_buffer(l, value->type, value->name);
            }
            lower_copy(l, value, (Destination){.buffer = to});
        }
    }
    for (int k = 0; k < carried; k++) {
        Buffer *to = state_of(l, body->parameters.at[k + 1])->buffer;
        if (loop->next[k] != NULL && to->count > 0) {
            add_entry_statement(
                l, (Statement){.kind = STATEMENT_COPY, .buffer = loop->next[k], .target = to});
        }
    }
}

static void lower_body(Lowering *l, LoopLowering *loop, Scalar *index) {
    state_of(l, loop->body->parameters.at[0])->entry_scalar = index;
    request_yields(l, loop);
    Nodes nodes = plan_region(l, loop->body);
    sink_scatters(&nodes);
    place_yields(l, loop, &nodes);
    join_scatters(l, &nodes);
    place_values(l, &nodes);
    lower_nodes(l, &nodes);
    copy_yields(l, loop);
}

static void lower_counted_loop(Lowering *l, LoopLowering *loop) {
    Loop *made = arena_new(l->arena, Loop);
    const char *name = loop->body->parameters.at[0]->name;
    *made = (Loop){.kind = LOOP_SERIAL, .extent = loop->limit, .name = name != NULL ? name : "t"};
    made->index = entry_scalar(l, (Scalar){.op = SCALAR_INDEX, .type = TYPE_I64, .loop = made});
    add_entry_statement(l, (Statement){.kind = STATEMENT_LOOP, .loop = made});
    Block *before = l->block;
    l->block = &made->body;
    lower_body(l, loop, made->index);
    l->block = before;
}

// Computes the condition for iteration `index` into the local.
static void lower_condition(Lowering *l, const LoopLowering *loop, Scalar *index, Local *goes_on) {
    const Region *condition = loop->inst->regions[1];
    state_of(l, condition->parameters.at[0])->entry_scalar = index;
    const Value *holds = condition->yields.at[0];
    state_of(l, holds)->wanted = true;
    state_of(l, holds)->stored = true;
    Nodes nodes = plan_region(l, condition);
    place_values(l, &nodes);
    lower_nodes(l, &nodes);
    entry_set(l, goes_on, entry_load(l, holds));
}

static void lower_conditional_loop(Lowering *l, LoopLowering *loop) {
    bool counted = loop->inst->attr.counted;
    Local *count = entry_local(l, TYPE_I64, "iteration");
    Local *goes_on = entry_local(l, TYPE_BOOL, "goes_on");
    entry_set(l, count, entry_constant(l, TYPE_I64, 0));
    Statement *again = arena_new(l->arena, Statement);
    *again = (Statement){.kind = STATEMENT_WHILE};
    vec_push(l->arena, &l->block->statements, again);
    Block *before = l->block;
    l->block = &again->body;
    Scalar *index = entry_local_load(l, count);
    if (counted) {
        entry_set(l, goes_on, entry_constant(l, TYPE_BOOL, 0));
        Statement *left = arena_new(l->arena, Statement);
        *left = (Statement){.kind = STATEMENT_IF,
                            .condition = entry_binary(l, SCALAR_LT, TYPE_BOOL, index, loop->limit)};
        vec_push(l->arena, &l->block->statements, left);
        l->block = &left->body;
        lower_condition(l, loop, index, goes_on);
        l->block = &again->body;
    } else {
        lower_condition(l, loop, index, goes_on);
        Scalar *over = entry_binary(l, SCALAR_GE, TYPE_BOOL, index, loop->limit);
        Scalar *holds = entry_local_load(l, goes_on);
        entry_fail(l, entry_binary(l, SCALAR_AND, TYPE_BOOL, over, holds), loop->inst->span,
                   limit_message(l->program, loop->inst));
    }
    again->condition = entry_local_load(l, goes_on);
    l->block = &again->otherwise;
    lower_body(l, loop, index);
    entry_set(l, count,
              entry_binary(l, SCALAR_ADD, TYPE_I64, index, entry_constant(l, TYPE_I64, 1)));
    l->block = before;
    ValueState *iterations = state_of(l, loop->inst->results[loop->inst->result_count - 1]);
    if (iterations->needed) {
        iterations->buffer = new_workspace_buffer(l, type_scalar(TYPE_I64), "iterations");
        add_entry_statement(l, (Statement){.kind = STATEMENT_STORE,
                                           .buffer = iterations->buffer,
                                           .index = entry_constant(l, TYPE_I64, 0),
                                           .value = entry_local_load(l, count)});
    }
}

static void place_stacks(Lowering *l, const LoopLowering *loop) {
    const Inst *inst = loop->inst;
    for (int i = inst->attr.carried; i < loop->body->yields.count; i++) {
        ValueState *state = state_of(l, inst->results[i]);
        if (!state->needed) {
            continue;
        }
        state->buffer = new_workspace_buffer(l, inst->results[i]->type, inst->results[i]->name);
        state->buffer->use = USE_STACK;
        state->buffer->span = inst->span;
        state->buffer->reverse = state->reverse;
        if ((inst->attr.counted || loop->has_condition) && state->buffer->count > 0) {
            add_entry_statement(l, (Statement){.kind = STATEMENT_ZERO, .target = state->buffer});
        }
    }
}

static void lower_loop(Lowering *l, const Inst *inst) {
    LoopLowering loop = {
        .inst = inst, .body = inst->regions[0], .has_condition = inst->region_count > 1};
    int64_t trip = dim_value(inst->attr.trip);
    for (int k = 0; k < inst->attr.carried; k++) {
        place_initial(l, inst, k);
    }
    place_stacks(l, &loop);
    loop.limit = entry_constant(l, TYPE_I64, trip);
    if (inst->attr.counted) {
        Scalar *count = entry_load(l, inst->operands[inst->attr.carried]);
        Scalar *below =
            entry_binary(l, SCALAR_LT, TYPE_BOOL, count, entry_constant(l, TYPE_I64, 0));
        Scalar *above = entry_binary(l, SCALAR_GT, TYPE_BOOL, count, loop.limit);
        entry_fail(l, entry_binary(l, SCALAR_OR, TYPE_BOOL, below, above), inst->span,
                   "a loop should run more often than its limit, or less often "
                   "than never");
        loop.limit = count;
    }
    if (loop.has_condition) {
        lower_conditional_loop(l, &loop);
    } else if (trip > 0) {
        lower_counted_loop(l, &loop);
    }
}

static void lower_side(Lowering *l, const Inst *inst, const Region *side, Block *block) {
    Block *before = l->block;
    l->block = block;
    for (int i = 0; i < side->yields.count; i++) {
        const Value *value = side->yields.at[i];
        if (value->region == side && !is_entry_result(l, value)) {
            add_destination(l, value,
                            (Destination){.buffer = state_of(l, inst->results[i])->buffer});
        }
    }
    Nodes nodes = plan_region(l, side);
    place_values(l, &nodes);
    lower_nodes(l, &nodes);
    for (int i = 0; i < side->yields.count; i++) {
        const Value *value = side->yields.at[i];
        if (value->region != side || is_entry_result(l, value)) {
            lower_copy(l, value, (Destination){.buffer = state_of(l, inst->results[i])->buffer});
        }
    }
    l->block = before;
}

static void lower_branch(Lowering *l, const Inst *inst) {
    for (int i = 0; i < inst->result_count; i++) {
        ValueState *state = state_of(l, inst->results[i]);
        state->buffer = new_workspace_buffer(l, inst->results[i]->type, inst->results[i]->name);
        state->buffer->reverse = state->reverse;
    }
    Scalar *condition = entry_load(l, inst->operands[0]);
    Statement *choice = arena_new(l->arena, Statement);
    *choice = (Statement){.kind = STATEMENT_IF, .condition = condition};
    vec_push(l->arena, &l->block->statements, choice);
    lower_side(l, inst, inst->regions[0], &choice->body);
    lower_side(l, inst, inst->regions[1], &choice->otherwise);
}

void lower_control(Lowering *l, Node *node) {
    if (node->inst->op == OP_loop) {
        lower_loop(l, node->inst);
    } else {
        lower_branch(l, node->inst);
    }
}
