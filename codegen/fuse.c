// Fusion: which values get a place in memory, and which are computed together
// in one kernel.
//
// Elementwise work and changes of shape are pulled into their readers unless
// that would repeat costly work. What is materialised joins a node of the same
// shape if every member of the node is read only at the point that is being
// computed; values that only members of one node read are never stored.
#include <stdlib.h>

#include "codegen/lower_plan.h"

enum {
    COST_SHARED = 4,     // a value with several readers is computed again in each up
                         // to this cost
    COST_SHIFTED = 16,   // the same for arithmetic that readers need at other places, which keeps
                         // it out of their kernel
    COSTLY = 4,          // of one operator: more than arithmetic
    COST_REPEATED = 6,   // the same for a value whose elements are each needed many times
    COST_OUTER = 3,      // and for a value from around a loop
    COST_LIBM = 16,      // of a function of libm
    SHORT_ROW = 512,     // below: a row's reduction costs less than a few functions of its result
    FEWEST_POINTS = 32,  // that are worth vectors of them
    DEPTH_LIMIT = 60,    // of operators pulled into one reader
    MEMBER_LIMIT = 48,   // members of a node of tensors
    FEWEST_IN_ROW = 16,  // elements of a row that is computed in the same kernel
                         // as its reduction
    SCALAR_LIMIT = 2000, // members of a node of scalars
    WORK_LIMIT = 20000   // cost of a node's members, in scalar operators
};

bool is_reduction(Op op) {
    return op == OP_contract || (op_info(op)->traits & REDUCES);
}

bool is_inlinable(Op op) {
    switch (op) {
    case OP_constant:
    case OP_iota:
    case OP_broadcast:
    case OP_reshape:
    case OP_transpose:
    case OP_slice:
    case OP_pad:
    case OP_gather:
    case OP_detach: return true;
    default: return op_info(op)->elementwise;
    }
}

static int own_cost(const Inst *inst) {
    const OpInfo *info = op_info(inst->op);
    if (info->elementwise) {
        if (info->form == FORM_LIBM) {
            return COST_LIBM;
        }
        return inst->op == OP_div || inst->op == OP_sqrt ? 3 : info->traits & CHEAP ? 1 : 12;
    }
    if (inst->op == OP_gather) {
        return is_affine_gather(inst) ? 0 : 2;
    }
    return inst->op == OP_pad ? 3 : 0;
}

static void measure(Lowering *l, const Inst *inst) {
    ValueState *state = state_of(l, inst->results[0]);
    int64_t cost = own_cost(inst);
    state->costly = cost >= COSTLY;
    int depth = 0;
    int count = is_affine_gather(inst) ? 1 : inst->operand_count;
    for (int i = 0; i < count; i++) {
        const Value *operand = inst->operands[i];
        const ValueState *of = state_of(l, operand);
        bool in_memory = operand->definition == NULL || of->materialised;
        cost += in_memory ? !is_loop_index(operand) : of->cost;
        depth = !in_memory && of->depth > depth ? of->depth : depth;
        bool follows = in_memory && operand->definition && is_reduction(operand->definition->op);
        state->costly = state->costly || follows || (!in_memory && of->costly);
    }
    state->cost = cost > 1000000 ? 1000000 : (int)cost;
    state->depth = depth + 1;
}

// Loops and branches have their results in memory anyway.
static bool decide_materialised(const Lowering *l, const Inst *inst) {
    const ValueState *state = state_of(l, inst->results[0]);
    if (!is_inlinable(inst->op) || state->wanted || state->destinations.count > 0 ||
        state->stored) {
        return true;
    }
    if (l->options->level == 0) {
        return inst->op != OP_constant;
    }
    if (puts_parts_in_order(l, inst)) {
        return true;
    }
    int shared = state->shifted && !state->costly ? COST_SHIFTED : COST_SHARED;
    return (state->shared && (state->cost > shared || state->compared)) ||
           (state->repeated && state->cost > COST_REPEATED) ||
           (state->inner && state->cost > COST_OUTER) || state->depth > DEPTH_LIMIT;
}

static NodeKind node_kind(const Lowering *l, const Inst *inst) {
    if (inst->op == OP_loop || inst->op == OP_branch) {
        return NODE_CONTROL;
    }
    if (is_inlinable(inst->op)) {
        return NODE_POINTS;
    }
    if (is_reduction(inst->op)) {
        return tiled_product(l, inst) != NULL ? NODE_TILES : NODE_POINTS;
    }
    check(inst->op == OP_concat || inst->op == OP_scatter_add || inst->op == OP_scatter_set ||
              inst->op == OP_cumsum,
          "%s cannot be lowered: calls are inlined and dimensions known before",
          op_info(inst->op)->name);
    return NODE_MOVE;
}

static bool is_scalar_shape(Type type) {
    return type_elements(type) == 1;
}

bool stores_conditionally(const Node *node) {
    return node->kind == NODE_POINTS &&
           (is_scalar_shape(node->shape) || (node->has_long_reduction && !node->by_columns));
}

// Kernels that run only if a pointer is given are not mixed with others, except
// where a test at each point costs little.
static bool purposes_agree(const Lowering *l, const Node *node, const Value *value) {
    if (stores_conditionally(node)) {
        return true;
    }
    bool conditional = only_purpose(l, value) != NULL;
    for (int i = 0; i < node->members.count; i++) {
        const Value *member = node->members.at[i];
        if (only_purpose(l, member) != NULL || (conditional && state_of(l, member)->uses > 1)) {
            return false;
        }
    }
    return true;
}

static bool reads_shared(const Reads *x, const Reads *y) {
    for (int i = 0; i < x->count; i++) {
        for (int j = 0; j < y->count; j++) {
            if (x->at[i].value == y->at[j].value) {
                return true;
            }
        }
    }
    return false;
}

// Members are read at the point that is being computed; all of their axes, or,
// for rows, those of the node's shape.
static bool reads_own_point(const Lowering *l, const Node *node, Type shape, const Reads *reads,
                            bool *reads_member) {
    *reads_member = false;
    for (int i = 0; i < reads->count; i++) {
        if (state_of(l, reads->at[i].value)->node == node) {
            *reads_member = true;
            if (reads->at[i].prefix < shape.rank || is_row_sum(node, reads->at[i].value)) {
                return false;
            }
        }
    }
    return true;
}

// Rows join a node that reduces rows of the same length or another.
static bool can_join_as_row(const Lowering *l, const Node *node, const Value *value,
                            const Reads *reads) {
    bool reads_member;
    return node->kind == NODE_POINTS && node->has_long_reduction && !node->by_columns &&
           is_inlinable(value->definition->op) && continues_shape(value->type, node->shape) &&
           node->members.count < MEMBER_LIMIT && type_elements(value->type) > 0 &&
           reads_own_point(l, node, node->shape, reads, &reads_member) &&
           (reads_member || can_go_beside(l, node, value, reads));
}

// A node of rows only takes in a reduction of them: then its members become
// rows.
static bool can_become_rows(Lowering *l, const Node *node, const Value *value, const Reads *reads) {
    bool reads_member;
    if (node->kind != NODE_POINTS || node->has_reduction || !is_reduction(value->definition->op) ||
        !continues_shape(node->shape, value->type) ||
        type_elements(node->shape) < FEWEST_IN_ROW * type_elements(value->type) ||
        !reads_own_point(l, node, value->type, reads, &reads_member) || !reads_member ||
        reduces_by_columns(l, value) || is_small_reduction(value)) {
        return false;
    }
    for (int i = 0; i < node->members.count; i++) {
        if (only_purpose(l, node->members.at[i]) != NULL) {
            return false;
        }
    }
    return true;
}

// Functions of many short reductions' results are computed as vectors, in a kernel of their own.
static bool is_costly_at_points(const Lowering *l, const Node *node, const Value *value) {
    if (!node->has_long_reduction || node->by_columns || is_reduction(value->definition->op) ||
        state_of(l, value)->cost < COST_LIBM || type_elements(node->shape) < FEWEST_POINTS) {
        return false;
    }
    for (int i = 0; i < node->members.count; i++) {
        const Value *member = node->members.at[i];
        if (is_reduction(member->definition->op) && !is_small_reduction(member) &&
            type_elements(member->definition->operands[0]->type) / type_elements(node->shape) >=
                SHORT_ROW) {
            return false;
        }
    }
    return true;
}

static bool can_join(Lowering *l, const Node *node, const Value *value, const Reads *reads) {
    const Inst *inst = value->definition;
    bool scalars = is_scalar_shape(node->shape), reads_member;
    if ((node->kind != NODE_POINTS && node->kind != NODE_TILES) ||
        !shape_equal(node->shape, value->type) ||
        node->members.count >= (scalars ? SCALAR_LIMIT : MEMBER_LIMIT) || node->work > WORK_LIMIT ||
        !purposes_agree(l, node, value) || is_costly_at_points(l, node, value) ||
        is_mask_of_short_rows(l, node, value) ||
        !reads_own_point(l, node, node->shape, reads, &reads_member)) {
        return false;
    }
    if (is_reduction(inst->op)) {
        bool by_columns = reduces_by_columns(l, value);
        if (node->kind == NODE_TILES || (node->has_reduction && node->by_columns != by_columns) ||
            (by_columns && !node->has_reduction)) {
            return false;
        }
    }
    if (node->kind == NODE_TILES || node->has_reduction) {
        return reads_member || (scalars && node->kind == NODE_POINTS);
    }
    return reads_member || scalars ||
           (!is_reduction(inst->op) && reads_shared(&node->reads, reads));
}

// The last position of a node that the reads depend on; -1: none in this
// region.
static int last_position(const Lowering *l, const Nodes *nodes, const Reads *reads) {
    int last = -1;
    for (int i = 0; i < reads->count; i++) {
        const Node *node = state_of(l, reads->at[i].value)->node;
        if (node != NULL && node->position < nodes->count && nodes->at[node->position] == node &&
            node->position > last) {
            last = node->position;
        }
    }
    return last;
}

static Node *new_node(Lowering *l, Nodes *nodes, NodeKind kind, const Inst *inst) {
    Node *node = arena_new(l->scratch, Node);
    *node = (Node){.kind = kind, .position = nodes->count, .inst = inst};
    if (inst->result_count > 0) {
        node->shape = inst->results[0]->type;
    }
    vec_push(l->scratch, nodes, node);
    return node;
}

static void add_member(Lowering *l, Node *node, const Value *value, const Reads *reads) {
    vec_push(l->scratch, &node->members, value);
    state_of(l, value)->node = node;
    node->work += state_of(l, value)->cost;
    if (is_reduction(value->definition->op) && node->kind == NODE_POINTS) {
        node->by_columns = node->has_reduction ? node->by_columns : reduces_by_columns(l, value);
        node->has_reduction = true;
        node->has_long_reduction = node->has_long_reduction || !is_small_reduction(value);
    }
    for (int i = 0; i < reads->count; i++) {
        vec_push(l->scratch, &node->reads, reads->at[i]);
    }
}

// A node of rows gathers the sum, if it is one over its points.
static bool add_row_sum(Lowering *l, Node *node, const Value *value) {
    Reads reads = {0};
    if (!can_sum_rows(l, node, value, &reads)) {
        return false;
    }
    vec_push(l->scratch, &node->sums, ((RowSum){value, node->members.count}));
    state_of(l, value)->node = node;
    for (int i = 0; i < reads.count; i++) {
        vec_push(l->scratch, &node->reads, reads.at[i]);
    }
    return true;
}

static void place_in_node(Lowering *l, Nodes *nodes, const Inst *inst) {
    const Value *value = inst->results[0];
    Reads reads = {0};
    collect_reads(l, value, &reads);
    NodeKind kind = node_kind(l, inst);
    bool alone = puts_parts_in_order(l, inst);
    if (l->options->level > 0 && kind == NODE_POINTS && !alone) {
        int last = last_position(l, nodes, &reads);
        int first = last < nodes->count - 32 ? nodes->count - 32 : last;
        first = first < l->fence ? l->fence : first;
        for (int i = first < 0 ? 0 : first; i < nodes->count; i++) {
            Node *node = nodes->at[i];
            if (node->stands_alone) {
                continue;
            }
            bool takes_in = can_become_rows(l, node, value, &reads);
            if (takes_in) {
                node->shape = value->type;
            }
            if (takes_in || can_join(l, node, value, &reads) ||
                can_join_as_row(l, node, value, &reads)) {
                add_member(l, node, value, &reads);
                return;
            }
            if (add_row_sum(l, node, value)) {
                return;
            }
        }
    }
    Node *node = new_node(l, nodes, kind, inst);
    node->stands_alone = alone;
    add_member(l, node, value, &reads);
}

static bool joins_scalars(const Lowering *l, const Inst *inst) {
    return l->options->level > 0 && is_small_control(l, inst);
}

bool is_entry_result(const Lowering *l, const Value *value) {
    const Inst *inst = value->definition;
    return inst != NULL && (inst->op == OP_loop || inst->op == OP_branch) &&
           !joins_scalars(l, inst);
}

// A small loop or branch joins the kernel of scalars that may run last, or
// makes one.
static void place_small_control(Lowering *l, Nodes *nodes, const Inst *inst) {
    Reads reads = {0};
    collect_control_reads(l, inst, &reads);
    int last = last_position(l, nodes, &reads);
    Node *node = NULL;
    bool wide = is_wide_loop(l, inst);
    for (int i = last < l->fence ? l->fence : last; i < nodes->count && node == NULL; i++) {
        const Node *found = nodes->at[i];
        if (found->kind == NODE_POINTS && found->shape.rank == 0 && !wide && !found->stands_alone &&
            found->members.count < SCALAR_LIMIT) {
            node = nodes->at[i];
        }
    }
    if (node == NULL) {
        node = new_node(l, nodes, NODE_POINTS, inst);
        node->shape = type_scalar(TYPE_F32);
        node->stands_alone = wide;
    }
    for (int i = 0; i < inst->result_count; i++) {
        ValueState *state = state_of(l, inst->results[i]);
        state->materialised = true;
        state->node = node;
        state->stored = state->stored || is_stack(inst->results[i]);
        if (state->needed) {
            vec_push(l->scratch, &node->members, inst->results[i]);
        }
    }
    for (int i = 0; i < reads.count; i++) {
        vec_push(l->scratch, &node->reads, reads.at[i]);
    }
}

static bool is_needed(const Lowering *l, const Inst *inst) {
    for (int i = 0; i < inst->result_count; i++) {
        if (state_of(l, inst->results[i])->needed) {
            return true;
        }
    }
    return false;
}

Nodes plan_region(Lowering *l, const Region *region) {
    Nodes nodes = {0};
    l->fence = 0;
    for_each_inst(inst, region) {
        if (inst->op == OP_fence) {
            l->fence = nodes.count;
        }
        if (!is_needed(l, inst)) {
            continue;
        }
        if (inst->op == OP_loop || inst->op == OP_branch) {
            if (joins_scalars(l, inst)) {
                place_small_control(l, &nodes, inst);
                continue;
            }
            Node *node = new_node(l, &nodes, NODE_CONTROL, inst);
            collect_control_reads(l, inst, &node->reads);
            for (int i = 0; i < inst->result_count; i++) {
                state_of(l, inst->results[i])->node = node;
                state_of(l, inst->results[i])->materialised = true;
            }
            continue;
        }
        check(inst->result_count == 1, "%s has %d results", op_info(inst->op)->name,
              inst->result_count);
        measure(l, inst);
        ValueState *state = state_of(l, inst->results[0]);
        state->materialised = decide_materialised(l, inst);
        if (state->materialised) {
            place_in_node(l, &nodes, inst);
        }
    }
    return nodes;
}

static void mark_stored(Lowering *l, const Nodes *nodes) {
    for (int i = 0; i < nodes->count; i++) {
        const Node *node = nodes->at[i];
        for (int j = 0; j < node->reads.count; j++) {
            ValueState *state = state_of(l, node->reads.at[j].value);
            if (state->node != node || node->kind == NODE_MOVE) {
                state->stored = true;
            }
        }
        if (node->kind == NODE_MOVE) {
            state_of(l, node->members.at[0])->stored = true;
        }
    }
}

// A scatter may happen in its base's place if nothing else reads the base.
static Buffer *buffer_to_scatter_in(const Lowering *l, const Node *node) {
    const Inst *inst = node->inst;
    if (inst->op != OP_scatter_add && inst->op != OP_scatter_set) {
        return NULL;
    }
    const Value *base = inst->operands[0];
    const ValueState *state = state_of(l, base);
    for (int i = 1; i < inst->operand_count; i++) {
        if (inst->operands[i] == base) {
            return NULL;
        }
    }
    bool is_free = base->definition != NULL && base->region == inst->parent && state->uses == 1 &&
                   state->destinations.count == 0 && state->materialised && state->buffer != NULL &&
                   state->buffer->kind == BUFFER_WORKSPACE && state->row == NULL;
    return is_free && l->options->level > 0 ? state->buffer : NULL;
}

// A destination that is there for certain, and stored to, is the value's place. Returns how many of
// the others may be missing.
static int place_at_destination(ValueState *state) {
    int conditional = 0;
    for (int i = 0; i < state->destinations.count; i++) {
        const Destination *to = &state->destinations.at[i];
        if (!to->buffer->optional && !to->accumulate) {
            state->buffer = to->buffer;
            state->row = to->row;
            state->row_elements = to->row_elements;
        }
        conditional += to->buffer->optional;
    }
    return conditional;
}

static void place_in_workspace(Lowering *l, const Value *value) {
    ValueState *state = state_of(l, value);
    if (state->stored && state->buffer == NULL) {
        state->buffer = new_workspace_buffer(l, value->type, value->name);
        state->buffer->reverse = state->reverse;
    }
}

static void place_member(Lowering *l, const Node *node, const Value *value) {
    ValueState *state = state_of(l, value);
    int conditional = place_at_destination(state);
    if (node->kind == NODE_MOVE && state->buffer == NULL) {
        state->buffer = buffer_to_scatter_in(l, node);
    }
    bool is_row = is_row_member(node, value) && value->definition->region_count == 0;
    bool tested = stores_conditionally(node) && !is_row && !is_stack(value);
    if (conditional > 0 && !tested && only_purpose(l, value) == NULL) {
        state->stored = true;
    }
    bool is_scatter = node->inst != NULL &&
                      (node->inst->op == OP_scatter_add || node->inst->op == OP_scatter_set);
    if (is_scatter && state->row != NULL) {
        state->row = NULL; // built in a place of its own: it may be that of the base
        state->buffer = NULL;
    }
    place_in_workspace(l, value);
}

// Sums of rows are stored after all points, wherever they have to go.
static void place_sum(Lowering *l, const Value *value) {
    (void)place_at_destination(state_of(l, value));
    place_in_workspace(l, value);
}

// A loop's stack that is an optional result, and read by nobody, is stored there by a kernel that
// runs only if the result is wanted.
static bool place_stack(Lowering *l, Node *node) {
    ValueState *state = node->members.count == 1 ? state_of(l, node->members.at[0]) : NULL;
    if (state == NULL || !is_stack(node->members.at[0]) || state->uses != 1 ||
        state->destinations.count != 1) {
        return false;
    }
    const Destination *to = &state->destinations.at[0];
    if (!to->buffer->optional || to->accumulate || to->row != NULL || state->row != NULL) {
        return false;
    }
    state->buffer = node->guard = to->buffer;
    return true;
}

// A node that computes values for one optional buffer alone is guarded by it.
static void find_guard(Lowering *l, Node *node) {
    if (place_stack(l, node)) {
        return;
    }
    if (is_scalar_shape(node->shape) && !node->has_reduction) {
        return; // the stores alone are
    }
    Buffer *guard = NULL;
    bool agreed = node->sums.count == 0;
    for (int i = 0; i < node->members.count; i++) {
        const ValueState *state = state_of(l, node->members.at[i]);
        Buffer *purpose = state->destinations.count == 1 && !state->stored
                              ? state->destinations.at[0].buffer
                              : NULL;
        if (purpose != NULL && purpose->optional && (guard == NULL || guard == purpose)) {
            guard = purpose;
        } else if (state->stored || state->destinations.count > 0) {
            agreed = false;
        }
    }
    if (agreed) {
        node->guard = guard;
        return;
    }
    if (stores_conditionally(node)) {
        return;
    }
    for (int i = 0; i < node->members.count; i++) {
        const Value *member = node->members.at[i];
        ValueState *state = state_of(l, member);
        if (!state->stored && only_purpose(l, member) != NULL) {
            state->stored = true;
            state->buffer = new_workspace_buffer(l, member->type, member->name);
            state->buffer->reverse = state->reverse;
        }
    }
}

void place_values(Lowering *l, Nodes *nodes) {
    mark_stored(l, nodes);
    for (int i = 0; i < nodes->count; i++) {
        Node *node = nodes->at[i];
        if (node->kind == NODE_CONTROL) {
            continue;
        }
        for (int j = 0; j < node->members.count; j++) {
            place_member(l, node, node->members.at[j]);
        }
        for (int j = 0; j < node->sums.count; j++) {
            place_sum(l, node->sums.at[j].value);
        }
        find_guard(l, node);
        if (node->kind == NODE_POINTS) {
            place_rows(l, node);
            store_in_place(l, nodes, node);
        }
    }
}
