// Rows: members of a node whose shape continues the node's shape, as y in
// softmax continues the shape of its sums. They are computed in loops inside of
// the node's loops, between its reductions.
#include "codegen/lower_points.h"

enum {
    LONG_ROW = 1 << 20,     // bytes
    CHEAP_AGAIN = 15,       // cost of what is computed again in their place
    CHEAP_EXPONENTIAL = 20, // or if it ends in an exponential
    FEWEST_FOLDED = 8,      // vectors of a row that is reduced while it is computed
    FEWEST_SUMMED = 16,     // columns that are summed while rows are computed
    MOST_SUMMED = 4096,     // their sums stay in the cache beside the rows
    MOST_SUMS = 8           // of a node
};

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

static bool is_folded(const RowStep *step, const Value *value) {
    for (int i = 0; i < step->folds.count; i++) {
        if (step->folds.at[i] == value) {
            return true;
        }
    }
    return false;
}

bool is_row_sum(const Node *node, const Value *value) {
    for (int i = 0; i < node->sums.count; i++) {
        if (node->sums.at[i].value == value) {
            return true;
        }
    }
    return false;
}

// Is it the sum over all axes of the shape of rows of one more?
static bool sums_over_shape(const Value *value, Type shape) {
    const Inst *inst = value->definition;
    if (inst->op != OP_reduce_sum || !element_is_real(value->type.element) || shape.rank == 0 ||
        inst->operands[0]->type.rank != shape.rank + 1 || inst->attr.axes.count != shape.rank ||
        !continues_shape(inst->operands[0]->type, shape)) {
        return false;
    }
    for (int axis = 0; axis < shape.rank; axis++) {
        if (inst->attr.axes.at[axis] != axis) {
            return false;
        }
    }
    int64_t columns = type_elements(value->type);
    return columns >= FEWEST_SUMMED && columns <= MOST_SUMMED;
}

bool can_sum_rows(Lowering *l, const Node *node, const Value *value, Reads *reads) {
    if (node->kind != NODE_POINTS || !node->has_long_reduction || node->by_columns ||
        node->sums.count >= MOST_SUMS || !sums_over_shape(value, node->shape) ||
        state_of(l, value->definition->operands[0])->fallible) {
        return false;
    }
    bool reads_row = false;
    collect_element_reads(l, value->definition->operands[0], reads);
    for (int i = 0; i < reads->count; i++) {
        const Read *read = &reads->at[i];
        if (state_of(l, read->value)->node != node) {
            continue;
        }
        if (read->prefix < node->shape.rank || is_row_sum(node, read->value)) {
            return false;
        }
        reads_row = reads_row || is_row_member(node, read->value);
    }
    return reads_row;
}

static bool is_control(const Inst *inst) {
    return inst->op == OP_loop || inst->op == OP_branch;
}

void collect_member_reads(Lowering *l, const Value *value, Reads *reads) {
    if (is_control(value->definition)) {
        collect_control_reads(l, value->definition, reads);
    } else {
        collect_reads(l, value, reads);
    }
}

// Whether a row of the step is read, or what it reduces its rows to; `elsewhere`: rows only at
// another place than that of the reader.
static bool reads_of_step(const RowStep *step, const Reads *reads, bool elsewhere) {
    for (int i = 0; i < reads->count; i++) {
        const Read *read = &reads->at[i];
        if (is_folded(step, read->value) ||
            (is_in_step(step, read->value) &&
             (!elsewhere || read->prefix < read->value->type.rank))) {
            return true;
        }
    }
    return false;
}

static bool reads_step(Lowering *l, const RowStep *step, const Value *value, bool elsewhere) {
    Reads reads = {0};
    if (step->rows.count == 0 && step->folds.count == 0) {
        return false;
    }
    collect_member_reads(l, value, &reads);
    return reads_of_step(step, &reads, elsewhere);
}

static bool step_is_empty(const RowStep *step) {
    return step->rows.count == 0 && step->sums.count == 0 && step->folds.count == 0;
}

const Value *summed_rows(const Node *node, int sum) {
    return node->sums.at[sum].value->definition->operands[0];
}

Type step_shape(const Node *node, const RowStep *step) {
    return step->rows.count > 0    ? step->rows.at[0]->type
           : step->folds.count > 0 ? step->folds.at[0]->definition->operands[0]->type
                                   : summed_rows(node, step->sums.at[0])->type;
}

// Whether computing an element of `operand` reads what the step cannot give at that place.
static bool sum_reads_elsewhere(Lowering *l, const RowStep *step, const Value *operand) {
    Reads reads = {0};
    collect_element_reads(l, operand, &reads);
    return reads_of_step(step, &reads, true);
}

bool can_fold(const Lowering *l, const Node *node, const Value *value) {
    const Inst *inst = value->definition;
    int rank = node->shape.rank;
    bool is_sum = inst->op == OP_reduce_sum || inst->op == OP_reduce_prod;
    bool is_extreme = inst->op == OP_reduce_max || inst->op == OP_reduce_min;
    // The loop over a single row is spread over threads, but not if it looks for an extreme.
    if (!is_sum && (!is_extreme || type_elements(node->shape) == 1)) {
        return false;
    }
    Type type = inst->operands[0]->type;
    return inst->attr.axes.count == 1 && inst->attr.axes.at[0] == rank && type.rank == rank + 1 &&
           type_size_at(type, rank) >= (int64_t)FEWEST_FOLDED * vector_lanes(l, type.element);
}

static bool is_long_row(const Node *node, const Value *row) {
    int64_t bytes = (int64_t)element_bytes(row->type.element);
    for (int axis = node->shape.rank; axis < row->type.rank; axis++) {
        bytes *= type_size_at(row->type, axis);
    }
    return bytes >= LONG_ROW;
}

bool can_go_beside(const Lowering *l, const Node *node, const Value *value, const Reads *reads) {
    // In a loop it may be better stored in the place of what it is made of.
    bool is_result = value->region->owner == NULL && state_of(l, value)->destinations.count > 0;
    if (!is_result || !is_long_row(node, value) || state_of(l, value)->cost > CHEAP_AGAIN) {
        return false;
    }
    bool shares = false;
    for (int i = 0; i < reads->count; i++) {
        const Read *read = &reads->at[i];
        bool at_place = read->prefix == value->type.rank && state_of(l, read->value)->node != node;
        shares = shares || (at_place && reads_value(&node->reads, read->value, false));
    }
    for (int i = 0; shares && i < node->members.count; i++) {
        const Value *member = node->members.at[i];
        if (!is_row_member(node, member) && can_fold(l, node, member) &&
            shape_equal(member->definition->operands[0]->type, value->type)) {
            return true;
        }
    }
    return false;
}

// An earlier step whose loop can compute the row beside what it reduces: the row depends on nothing
// in the node.
static RowStep *find_beside(Lowering *l, const Node *node, const RowSteps *steps,
                            const Value *row) {
    Reads reads = {0};
    collect_reads(l, row, &reads);
    for (int i = 0; i < reads.count; i++) {
        if (state_of(l, reads.at[i].value)->node == node) {
            return NULL;
        }
    }
    for (int i = 0; i < steps->count; i++) {
        RowStep *step = &steps->at[i];
        if (step->folds.count > 0 && step->purpose == NULL &&
            shape_equal(step_shape(node, step), row->type)) {
            return step;
        }
    }
    return NULL;
}

// Whether the step's loop can gather the reduction, too.
static bool fold_fits(Lowering *l, const Node *node, const RowStep *step, const Value *value) {
    const Value *operand = value->definition->operands[0];
    return step_is_empty(step) ||
           (step->purpose == NULL && shape_equal(step_shape(node, step), operand->type) &&
            (step->folds.count == 0 || step->folds.at[0]->type.element == value->type.element) &&
            !sum_reads_elsewhere(l, step, operand));
}

// Adds the sums that come after `count` members to the step that is open.
static void schedule_sums(Lowering *l, const Node *node, int count, RowSteps *steps,
                          RowStep *open) {
    for (int i = 0; i < node->sums.count; i++) {
        if (node->sums.at[i].after != count) {
            continue;
        }
        const Value *operand = summed_rows(node, i);
        bool fits = step_is_empty(open) ||
                    (shape_equal(step_shape(node, open), operand->type) && open->purpose == NULL &&
                     !sum_reads_elsewhere(l, open, operand));
        if (!fits) {
            vec_push(l->scratch, steps, *open);
            *open = (RowStep){0};
        }
        vec_push(l->scratch, &open->sums, i);
    }
}

// A reduction is gathered in the step that is open if that can be; else in one of its own, which
// comes before the open one unless it depends on that.
static void schedule_fold(Lowering *l, const Node *node, const Value *value, RowSteps *steps,
                          RowStep *open) {
    if (!fold_fits(l, node, open, value)) {
        if (!reads_step(l, open, value, false)) {
            RowStep own = {0};
            vec_push(l->scratch, &own.folds, value);
            vec_push(l->scratch, steps, own);
            return;
        }
        vec_push(l->scratch, steps, *open);
        *open = (RowStep){0};
    }
    vec_push(l->scratch, &open->folds, value);
}

RowSteps schedule_rows(Lowering *l, const Node *node) {
    RowSteps steps = {0};
    RowStep open = {0}; // rows to be computed in one loop, once something needs them
    for (int i = 0; i < node->members.count; i++) {
        schedule_sums(l, node, i, &steps, &open);
        const Value *member = node->members.at[i];
        const Inst *inst = member->definition;
        bool again = is_control(inst) && i > 0 && node->members.at[i - 1]->definition == inst;
        if (again) {
            continue; // another result of the same loop or branch
        }
        bool is_row = is_row_member(node, member) && !is_control(inst);
        if (!is_row && can_fold(l, node, member)) {
            schedule_fold(l, node, member, &steps, &open);
            continue;
        }
        RowStep *beside = is_row && state_of(l, member)->cost <= CHEAP_AGAIN
                              ? find_beside(l, node, &steps, member)
                              : NULL;
        if (beside != NULL) {
            vec_push(l->scratch, &beside->rows, member);
            continue;
        }
        bool fits =
            !is_row ? !reads_step(l, &open, member, false)
                    : step_is_empty(&open) || (shape_equal(step_shape(node, &open), member->type) &&
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
    schedule_sums(l, node, node->members.count, &steps, &open);
    if (!step_is_empty(&open)) {
        vec_push(l->scratch, &steps, open);
    }
    return steps;
}

static bool step_has_sum(const RowStep *step, int sum) {
    for (int i = 0; i < step->sums.count; i++) {
        if (step->sums.at[i] == sum) {
            return true;
        }
    }
    return false;
}

// Whether a member of another step, or a sum that is gathered in one, reads the row.
static bool is_read_in_other_step(Lowering *l, const Node *node, const RowStep *step,
                                  const Value *row) {
    for (int i = 0; i < node->members.count; i++) {
        const Value *reader = node->members.at[i];
        Reads reads = {0};
        collect_member_reads(l, reader, &reads);
        if (!is_in_step(step, reader) && !is_folded(step, reader) &&
            reads_value(&reads, row, false)) {
            return true;
        }
    }
    for (int i = 0; i < node->sums.count; i++) {
        Reads reads = {0};
        collect_element_reads(l, summed_rows(node, i), &reads);
        if (!step_has_sum(step, i) && reads_value(&reads, row, false)) {
            return true;
        }
    }
    return false;
}

// Rows so long that they would leave the cache before they are read: computing an exponential again
// costs less than that. Not rows that are computed of others, which might be computed again, too.
static bool is_computed_again(Lowering *l, const Node *node, const Value *row) {
    const ValueState *state = state_of(l, row);
    int most = row->definition->op == OP_exp ? CHEAP_EXPONENTIAL : CHEAP_AGAIN;
    if (!is_long_row(node, row) || state->cost > most || state->compared) {
        return false;
    }
    Reads reads = {0};
    collect_reads(l, row, &reads);
    for (int i = 0; i < reads.count; i++) {
        const Value *read = reads.at[i].value;
        if (state_of(l, read)->node == node && is_row_member(node, read)) {
            return false;
        }
    }
    return true;
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
            if (!state->stored && is_read_in_other_step(l, node, step, row) &&
                !is_computed_again(l, node, row)) {
                Type type = row->type;
                type.dims += node->shape.rank;
                type.rank -= node->shape.rank;
                state->buffer = new_workspace_buffer(l, type, row->name);
                state->kept_row = true;
            }
        }
    }
}
