// Gradients of what a loop reads a row of: each iteration adds a product to one row of what the
// loop carries. The product's tiles do so themselves, rather than through a place in memory of
// their own.
#include "codegen/bands.h"

static bool follows_some_axis(const Inst *scatter, int axis) {
    for (int i = 2; i < scatter->operand_count; i++) {
        int own;
        int64_t offset;
        if (follows_axis(scatter->operands[i], &own, &offset) && own == axis) {
            return true;
        }
    }
    return false;
}

// Different elements go to different places, all of which exist.
static bool has_plain_places(const Inst *scatter) {
    const Value *value = scatter->operands[1];
    for (int axis = 0; axis < value->type.rank; axis++) {
        if (type_size_at(value->type, axis) > 1 && !follows_some_axis(scatter, axis)) {
            return false;
        }
    }
    for (int i = 2; i < scatter->operand_count; i++) {
        int64_t low, high, size = type_size_at(scatter->results[0]->type, i - 2);
        if (!value_range(scatter->operands[i], &low, &high) || low < 0 || high >= size) {
            return false;
        }
    }
    return true;
}

// Its places are made of indices of loops alone, which are known everywhere.
static bool reads_nothing_for_places(Lowering *l, const Inst *scatter) {
    Reads reads = {0};
    l->walk++;
    for (int i = 2; i < scatter->operand_count; i++) {
        collect_operand_reads(l, scatter->operands[i], &reads);
    }
    for (int i = 0; i < reads.count; i++) {
        if (!is_loop_index(reads.at[i].value)) {
            return false;
        }
    }
    return true;
}

// Nothing from the product to the scatter reads or makes what the scatter changes.
static bool can_be_earlier(const Lowering *l, const Nodes *nodes, const Node *from,
                           const Node *scatter) {
    const Value *base = scatter->inst->operands[0];
    const Node *maker = base->definition != NULL ? state_of(l, base)->node : NULL;
    bool is_made = base->definition == NULL || (maker != NULL && maker->position < from->position);
    if (!is_made || base->region != scatter->inst->parent) {
        return false;
    }
    for (int i = from->position; i < scatter->position; i++) {
        if (reads_value(&nodes->at[i]->reads, base, false)) {
            return false;
        }
    }
    return from->position < scatter->position;
}

// It changes the buffer of its base, and has to go nowhere else.
static bool happens_in_place(const Lowering *l, const Inst *scatter) {
    const ValueState *base = state_of(l, scatter->operands[0]);
    const ValueState *own = state_of(l, scatter->results[0]);
    for (int i = 0; i < own->destinations.count; i++) {
        const Destination *to = &own->destinations.at[i];
        if (to->buffer != base->buffer || to->row != NULL || to->accumulate) {
            return false;
        }
    }
    return own->buffer != NULL && own->buffer == base->buffer && own->row == NULL &&
           base->row == NULL;
}

static bool can_join_scatter(Lowering *l, const Nodes *nodes, const Node *node) {
    const Inst *inst = node->inst;
    if (node->kind != NODE_MOVE || inst->op != OP_scatter_add) {
        return false;
    }
    const Value *value = inst->operands[1];
    const ValueState *state = state_of(l, value);
    const Node *from = state->node;
    return happens_in_place(l, inst) && value->region == inst->parent && from != NULL &&
           from->kind == NODE_TILES && state->uses == 1 && state->destinations.count == 0 &&
           type_elements(value->type) > 0 && can_be_earlier(l, nodes, from, node) &&
           has_plain_places(inst) && reads_nothing_for_places(l, inst);
}

void join_scatters(Lowering *l, Nodes *nodes) {
    bool *joined = arena_array(l->scratch, bool, nodes->count);
    for (int i = 0; i < nodes->count && l->options->level > 0; i++) {
        if (can_join_scatter(l, nodes, nodes->at[i])) {
            ValueState *state = state_of(l, nodes->at[i]->inst->operands[1]);
            state->added_by = nodes->at[i]->inst;
            state->stored = false;
            joined[i] = true;
        }
    }
    int count = 0;
    for (int i = 0; i < nodes->count; i++) {
        if (!joined[i]) {
            nodes->at[i]->position = count;
            nodes->at[count++] = nodes->at[i];
        }
    }
    nodes->count = count;
}
