// Values stored in the place of what they are made of: where a kernel reads a temporary for the
// last time, element by element, a value of the same shape takes its buffer. Half as much memory
// then goes through the caches, as in the rows of a softmax.
#include <limits.h>

#include "codegen/lower_plan.h"

enum {
    SHORTEST_ROW = 32,  // elements
    ANYWHERE = INT_MAX, // more indices than any reader has
};

// Behind a short row a vector is stored that reaches into the next one, which is read at once: it
// would wait until that store is done.
static bool has_long_rows(Type type) {
    return type.rank > 0 && type_size_at(type, type.rank - 1) >= SHORTEST_ROW;
}

// Whether the region's results, which are copied behind all of its nodes, read the value.
static bool is_read_at_end(Lowering *l, const Value *value) {
    const Region *region = value->region;
    for (int i = 0; i < region->yields.count; i++) {
        Reads reads = {0};
        collect_element_reads(l, region->yields.at[i], &reads);
        if (reads_value(&reads, value, false)) {
            return true;
        }
    }
    return false;
}

// Whether the region is given a value in the same place. A loop's carried value is, and scatters
// into it happen there (lower_control.c): the place belongs to the loop's next value.
static bool is_in_given_place(const Lowering *l, const Value *value) {
    const Region *region = value->region;
    for (int i = 0; i < region->parameters.count; i++) {
        if (state_of(l, region->parameters.at[i])->buffer == state_of(l, value)->buffer) {
            return true;
        }
    }
    return false;
}

// A temporary of the region that is gone behind the node.
static bool ends_in(Lowering *l, const Nodes *nodes, const Node *node, const Value *old) {
    const ValueState *state = state_of(l, old);
    return old->definition != NULL && old->region == node->members.at[0]->region && state->stored &&
           state->node != NULL && state->node != node && state->buffer != NULL &&
           state->buffer->kind == BUFFER_WORKSPACE && state->row == NULL && !state->kept_row &&
           state->destinations.count == 0 && !is_in_given_place(l, old) &&
           !read_after(nodes, node->position, old) && !is_read_at_end(l, old);
}

static bool is_own_temporary(const Lowering *l, const Value *value) {
    const ValueState *state = state_of(l, value);
    return state->stored && state->destinations.count == 0 && state->row == NULL &&
           !state->kept_row && state->buffer != NULL && state->buffer->kind == BUFFER_WORKSPACE &&
           value->definition->region_count == 0;
}

// Whether computing these reads `old`, perhaps by way of a row that is computed again, at a place
// that has not the first `shared` indices of the reader's.
static bool read_apart(Lowering *l, const Node *node, const Reads *reads, const Value *old,
                       int shared) {
    for (int i = 0; i < reads->count; i++) {
        const Value *read = reads->at[i].value;
        const ValueState *state = state_of(l, read);
        bool is_near = reads->at[i].prefix >= shared;
        if (read == old && !is_near) {
            return true;
        }
        bool is_again = state->node == node && read->definition != NULL && !state->stored &&
                        !state->kept_row && is_row_member(node, read);
        if (is_again) {
            Reads own = {0};
            collect_member_reads(l, read, &own);
            if (read_apart(l, node, &own, old, is_near ? shared : ANYWHERE)) {
                return true;
            }
        }
    }
    return false;
}

static bool member_reads(Lowering *l, const Node *node, const Value *member, const Value *old,
                         int shared) {
    Reads reads = {0};
    collect_member_reads(l, member, &reads);
    return read_apart(l, node, &reads, old, shared);
}

static bool step_reads(Lowering *l, const Node *node, const RowStep *step, const Value *old,
                       int shared) {
    bool found = step->point != NULL && member_reads(l, node, step->point, old, shared);
    for (int i = 0; i < step->rows.count; i++) {
        found = found || member_reads(l, node, step->rows.at[i], old, shared);
    }
    for (int i = 0; i < step->folds.count; i++) {
        Reads reads = {0};
        collect_element_reads(l, step->folds.at[i]->definition->operands[0], &reads);
        found = found || read_apart(l, node, &reads, old, shared);
    }
    for (int i = 0; i < step->sums.count; i++) {
        Reads reads = {0};
        collect_element_reads(l, summed_rows(node, step->sums.at[i]), &reads);
        found = found || read_apart(l, node, &reads, old, shared);
    }
    if (step->control != NULL) {
        Reads reads = {0};
        collect_control_reads(l, step->control, &reads);
        found = found || read_apart(l, node, &reads, old, shared);
    }
    return found;
}

// The step that computes the row, or -1.
static int step_of_row(const RowSteps *steps, const Value *value) {
    for (int i = 0; i < steps->count; i++) {
        for (int j = 0; j < steps->at[i].rows.count; j++) {
            if (steps->at[i].rows.at[j] == value) {
                return i;
            }
        }
    }
    return -1;
}

// All that is computed for a point, or in one step for an element of a row, is computed before any
// of it is stored. Steps before may read all of the point's row, but no other, which may be
// overwritten by then.
static bool is_last_reader(Lowering *l, const Node *node, const RowSteps *steps, const Value *value,
                           const Value *old) {
    int step = step_of_row(steps, value);
    if (step < 0) {
        for (int i = 0; i < node->members.count; i++) {
            if (is_row_member(node, node->members.at[i]) ||
                member_reads(l, node, node->members.at[i], old, old->type.rank)) {
                return false;
            }
        }
        return node->sums.count == 0;
    }
    for (int i = 0; i < steps->count; i++) {
        int shared = i < step ? node->shape.rank : i == step ? old->type.rank : ANYWHERE;
        if (step_reads(l, node, &steps->at[i], old, shared)) {
            return false;
        }
    }
    return true;
}

static bool has_place_of_row(const Lowering *l, const Value *value) {
    const ValueState *state = state_of(l, value);
    return state->kept_row && !state->replaced && has_long_rows(value->type);
}

// A row that is kept for later steps of its point takes the place of one that is kept, too, and
// that no step behind its own reads: fewer rows have to stay in the first cache.
static void keep_rows_in_place(Lowering *l, const Node *node, const RowSteps *steps) {
    for (int i = 0; i < node->members.count; i++) {
        const Value *value = node->members.at[i];
        if (!has_place_of_row(l, value)) {
            continue;
        }
        // The last one that fits was read or written most recently.
        for (int j = i - 1; j >= 0; j--) {
            const Value *old = node->members.at[j];
            if (has_place_of_row(l, old) && type_equal(old->type, value->type) &&
                step_of_row(steps, old) < step_of_row(steps, value) &&
                is_last_reader(l, node, steps, value, old)) {
                state_of(l, value)->buffer = state_of(l, old)->buffer;
                state_of(l, old)->replaced = true;
                break;
            }
        }
    }
}

void store_in_place(Lowering *l, const Nodes *nodes, const Node *node) {
    if (l->options->level == 0 || node->kind != NODE_POINTS || node->by_columns) {
        return;
    }
    RowSteps steps = schedule_rows(l, node);
    keep_rows_in_place(l, node, &steps);
    if (node->guard != NULL) {
        return;
    }
    for (int i = 0; i < node->members.count; i++) {
        const Value *value = node->members.at[i];
        ValueState *state = state_of(l, value);
        if (!is_own_temporary(l, value) || only_purpose(l, value) != NULL ||
            !has_long_rows(value->type)) {
            continue;
        }
        for (int j = 0; j < node->reads.count; j++) {
            const Value *old = node->reads.at[j].value;
            ValueState *from = state_of(l, old);
            if (type_equal(old->type, value->type) && from->reverse == state->reverse &&
                !from->replaced && ends_in(l, nodes, node, old) &&
                is_last_reader(l, node, &steps, value, old)) {
                const char *name = from->buffer->name;
                from->buffer->name = name != NULL ? name : state->buffer->name;
                state->buffer = from->buffer;
                from->replaced = true;
                break;
            }
        }
    }
}
