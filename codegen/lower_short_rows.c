// Sums of many short rows, as the products of a tall matrix with a vector: as many rows as a vector
// has lanes are added up side by side, each in a vector of its own. Then the lanes of all of them
// are joined together (add_joined_rows), which leaves the sum of row i in lane i of one vector, so
// that what is computed with the sums is vectors, too. Joining the lanes of one row takes longer
// than adding it.
#include "codegen/lower_element.h"
#include "codegen/lower_points.h"

enum {
    MOST_VECTORS = 8, // in a row: of longer ones the lanes are joined beside much other work
    MOST_COST = 10    // of an element, which is written out for all rows: some arithmetic
};

typedef struct ShortRows {
    KernelLowering *k;
    Node *node;
    LoopNest nest; // over the node's points
    Scalar **index;
    Scalar *base; // the first of `lanes` points of the innermost loop
    int lanes;
} ShortRows;

static bool is_short_sum(Lowering *l, const Node *node, const Value *value, int lanes) {
    Op op = value->definition->op;
    Reduction r = reduction_of(value);
    bool has_masks = l->options->vector_bytes >= 64;
    if ((op != OP_contract && op != OP_reduce_sum) || !element_is_real(r.type) ||
        state_of(l, value)->cost > MOST_COST || vector_lanes(l, r.type) != lanes ||
        r.total * (has_masks ? 2 : 1) <= lanes || r.total > (int64_t)MOST_VECTORS * lanes) {
        return false;
    }
    return plan_rows(l, node, &r).nest.loop_count == 1;
}

static const Value *first_long_reduction(const Node *node) {
    for (int i = 0; i < node->members.count; i++) {
        const Value *member = node->members.at[i];
        if (is_reduction(member->definition->op) && !is_small_reduction(member)) {
            return member;
        }
    }
    return NULL;
}

// C would be given a form that no compiler makes shuffles of.
static bool has_short_rows(Lowering *l, const Node *node, int lanes) {
    if (l->options->unmasked || l->options->vector_bytes == 0 || node->sums.count > 0 ||
        lanes < 4) {
        return false;
    }
    RowSteps steps = schedule_rows(l, node);
    for (int i = 0; i < steps.count; i++) {
        const Value *member = steps.at[i].point;
        if (member == NULL || steps.at[i].control != NULL || steps.at[i].folds.count > 0) {
            return false;
        }
        if (is_reduction(member->definition->op) && !is_small_reduction(member) &&
            !is_short_sum(l, node, member, lanes)) {
            return false;
        }
    }
    return true;
}

int short_row_lanes(Lowering *l, const Node *node, const LoopNest *nest) {
    if (!node->has_long_reduction || node->by_columns || nest->loop_count == 0) {
        return 0;
    }
    int lanes = vector_lanes(l, reduction_of(first_long_reduction(node)).type);
    bool many = nest->loops[nest->loop_count - 1].extent >= lanes;
    return many && has_short_rows(l, node, lanes) ? lanes : 0;
}

// The point that lies `offset` behind the first one.
static void set_point(ShortRows *it, Scalar *offset) {
    KernelLowering *k = it->k;
    Scalar *position = scalar_binary(&k->build, SCALAR_ADD, it->base, offset);
    fill_index(k, &it->nest, it->nest.loop_count - 1, position, it->index);
    for (int i = 0; i < k->accumulators.count; i++) {
        k->accumulators.at[i].index = offset;
    }
}

static void add_rows(ShortRows *it, const Value *member) {
    KernelLowering *k = it->k;
    KernelBuilder *b = &k->build;
    Reduction r = reduction_of(member);
    RowPlan plan = plan_rows(k->lowering, it->node, &r);
    Local *sums = add_local(b, r.type, it->lanes * it->lanes, "sums");
    Local *totals = add_local(b, r.type, it->lanes, "totals");
    Scalar *row = begin_loop(b, LOOP_UNROLL, it->lanes, "row");
    set_point(it, row);
    Scalar *start = scalar_binary(b, SCALAR_MUL, row, scalar_position(b, it->lanes));
    sum_in_lanes(k, &r, &plan, it->index, sums, start, it->lanes);
    end_scope(b);
    add_joined_rows(b, sums, totals, it->lanes);
    vec_push(&b->scratch, &k->accumulators, ((Accumulator){member, totals, NULL}));
}

// `lanes` points at once.
static void emit_points(ShortRows *it) {
    KernelLowering *k = it->k;
    k->accumulators.count = 0;
    RowSteps steps = schedule_rows(k->lowering, it->node);
    for (int i = 0; i < steps.count; i++) {
        const Value *member = steps.at[i].point;
        if (is_reduction(member->definition->op) && !is_small_reduction(member)) {
            add_rows(it, member);
        }
    }
    set_point(it, begin_loop(&k->build, LOOP_VECTOR, it->lanes, "lane"));
    emit_members(k, it->node, it->index);
    end_scope(&k->build);
    k->accumulators.count = 0;
}

void lower_short_rows(KernelLowering *k, Node *node, const LoopNest *nest, int lanes) {
    KernelBuilder *b = &k->build;
    ShortRows it = {.k = k, .node = node, .nest = *nest, .lanes = lanes};
    it.index = new_index(k, node->shape.rank);
    int last = nest->loop_count - 1;
    int64_t extent = nest->loops[last].extent, rest = extent % lanes;
    open_nest(k, nest, 0, last, LOOP_SERIAL, it.index);
    Scalar *block = begin_loop(b, LOOP_SERIAL, extent / lanes, "block");
    it.base = scalar_binary(b, SCALAR_MUL, block, scalar_position(b, lanes));
    emit_points(&it);
    end_scope(b);
    if (rest > 0) {
        it.base = scalar_position(b, extent - rest);
        set_point(&it, begin_loop(b, LOOP_SERIAL, rest, loop_name(k)));
        emit_members(k, node, it.index);
        end_scope(b);
    }
    close_loops(k, last);
}
