// Rows: members of a node whose shape continues the node's shape, as y in
// softmax continues the shape of its sums. They are computed in loops inside of
// the node's loops, between its reductions.
#include "codegen/lower_plan.h"

bool is_row_member(const Node *node, const Value *value) {
    return value->type.rank != node->shape.rank;
}

bool continues_shape(Type whole, Type prefix) {
    if (whole.rank <= prefix.rank) {
        return false;
    }
    for (int axis = 0; axis < prefix.rank; axis++) {
        if (type_size_at(whole, axis) != type_size_at(prefix, axis)) {
            return false;
        }
    }
    return true;
}

Buffer *only_purpose(const Lowering *l, const Value *value) {
    const ValueState *state = state_of(l, value);
    bool single = state->destinations.count == 1 && state->uses == 1 && !state->stored;
    return single && state->destinations.at[0].buffer->optional ? state->destinations.at[0].buffer
                                                                : NULL;
}

static bool is_in_step(const RowStep *step, const Value *value) {
    for (int i = 0; i < step->rows.count; i++) {
        if (step->rows.at[i] == value) {
            return true;
        }
    }
    return false;
}

static bool is_control(const Inst *inst) {
    return inst->op == OP_loop || inst->op == OP_branch;
}

static void collect_member_reads(Lowering *l, const Value *value, Reads *reads) {
    if (is_control(value->definition)) {
        collect_control_reads(l, value->definition, reads);
    } else {
        collect_reads(l, value, reads);
    }
}

// Whether `value` reads a row of the step; `elsewhere`: at another place than
// its own.
static bool reads_step(Lowering *l, const RowStep *step, const Value *value, bool elsewhere) {
    Reads reads = {0};
    if (step->rows.count == 0) {
        return false;
    }
    collect_member_reads(l, value, &reads);
    for (int i = 0; i < reads.count; i++) {
        if (is_in_step(step, reads.at[i].value) &&
            (!elsewhere || reads.at[i].prefix < reads.at[i].value->type.rank)) {
            return true;
        }
    }
    return false;
}

RowSteps schedule_rows(Lowering *l, const Node *node) {
    RowSteps steps = {0};
    RowStep open = {0}; // rows to be computed in one loop, once something needs them
    for (int i = 0; i < node->members.count; i++) {
        const Value *member = node->members.at[i];
        const Inst *inst = member->definition;
        bool again = is_control(inst) && i > 0 && node->members.at[i - 1]->definition == inst;
        if (again) {
            continue; // another result of the same loop or branch
        }
        bool is_row = is_row_member(node, member) && !is_control(inst);
        bool fits =
            !is_row ? !reads_step(l, &open, member, false)
                    : open.rows.count == 0 || (shape_equal(open.rows.at[0]->type, member->type) &&
                                               open.purpose == only_purpose(l, member) &&
                                               !reads_step(l, &open, member, true));
        if (!fits) {
            vec_push(l->scratch, &steps, open);
            open = (RowStep){0};
        }
        if (is_row) {
            open.purpose = only_purpose(l, member);
            vec_push(l->scratch, &open.rows, member);
        } else if (is_control(inst)) {
            vec_push(l->scratch, &steps, ((RowStep){.control = inst}));
        } else {
            vec_push(l->scratch, &steps, ((RowStep){.point = member}));
        }
    }
    if (open.rows.count > 0) {
        vec_push(l->scratch, &steps, open);
    }
    return steps;
}

// Rows that are read in another step than theirs are kept: in their own buffer
// if others read that too, else in one with the room for a single row.
void place_rows(Lowering *l, const Node *node) {
    RowSteps steps = schedule_rows(l, node);
    for (int i = 0; i < steps.count; i++) {
        const RowStep *step = &steps.at[i];
        for (int j = 0; j < step->rows.count; j++) {
            const Value *row = step->rows.at[j];
            ValueState *state = state_of(l, row);
            bool is_read = false;
            for (int m = 0; m < node->members.count && !is_read && !state->stored; m++) {
                const Value *reader = node->members.at[m];
                Reads reads = {0};
                collect_member_reads(l, reader, &reads);
                for (int r = 0; r < reads.count; r++) {
                    is_read = is_read || (reads.at[r].value == row && !is_in_step(step, reader));
                }
            }
            if (is_read) {
                Type type = row->type;
                type.dims += node->shape.rank;
                type.rank -= node->shape.rank;
                state->buffer = new_workspace_buffer(l, type, row->name);
                state->kept_row = true;
            }
        }
    }
}
