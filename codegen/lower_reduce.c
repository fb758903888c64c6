// Reductions. By rows: at each point of the result, lanes along the axis that
// is contiguous in memory, so that no compiler has to reassociate sums to use
// vectors. By columns: where the result's last axis is the contiguous one, a
// block of results is accumulated at once. Long sums of f32 are gathered in f64
// from short sums, so that their error does not grow with their length.
#include <math.h>
#include <string.h>

#include "codegen/lower_element.h"
#include "codegen/lower_points.h"
#include "ir/written_out.h"

enum {
    CHUNK = 32,          // terms of a sum of f32 in one lane before it is added to the f64 sum
    FEWEST_COLUMNS = 4,  // results accumulated at once, else reduction is by rows
    MUCH_WORK = 16,      // for an element of rows: a function
    VERY_MUCH_WORK = 80, // beside which a sum in one vector does not wait
    LONG_ROW = 32,       // vectors, beside which joining four vectors of sums costs little
    SHORT_IN_C = 8,      // times its lanes
    MOST_WAYS = 4,       // rows that are added side by side
    ENOUGH_SUMS = 8,     // vectors: then no addition waits for the one before
    SHORT_STEP = 32,     // scalars of a step that may be written out for each way
    FEW_STEPS = 4        // that are written out
};

int vector_lanes(const Lowering *l, ElementType type) {
    int bytes = l->options->vector_bytes > 0 ? l->options->vector_bytes : 32;
    return bytes / (int)element_bytes(type == TYPE_BOOL ? TYPE_I32 : type);
}

static void label_reduction(Reduction *r) {
    const char *labels = r->inst->attr.labels;
    const char *result = strstr(labels, "->") + 2;
    Type types[2] = {r->inst->operands[0]->type, r->inst->operands[1]->type};
    int operand = 0, axis = 0;
    for (const char *c = labels; *c != '-'; c++) {
        if (*c == ',') {
            operand++;
            axis = 0;
            continue;
        }
        if (strchr(result, *c) == NULL && memchr(r->labels, *c, (size_t)r->axis_count) == NULL) {
            r->labels[r->axis_count] = *c;
            r->sizes[r->axis_count++] = type_size_at(types[operand], axis);
        }
        axis++;
    }
}

Reduction reduction_of(const Value *value) {
    Reduction r = {.value = value, .inst = value->definition, .total = 1};
    Op op = r.inst->op;
    Type type = r.inst->operands[0]->type;
    r.type = type.element;
    if (op == OP_contract) {
        label_reduction(&r);
    } else if (op == OP_argmax || op == OP_argmin) {
        r.axis_count = 1;
        r.sizes[0] = type_size_at(type, r.inst->attr.axis);
    } else {
        r.axis_count = r.inst->attr.axes.count;
        for (int i = 0; i < r.axis_count; i++) {
            r.sizes[i] = type_size_at(type, r.inst->attr.axes.at[i]);
        }
    }
    for (int i = 0; i < r.axis_count; i++) {
        r.total *= r.sizes[i];
    }
    return r;
}

bool is_small_reduction(const Value *value) {
    Reduction r = reduction_of(value);
    return r.total <= WRITTEN_OUT_TERMS;
}

static bool is_sum(const Reduction *r) {
    return r->inst->op == OP_reduce_sum || r->inst->op == OP_contract;
}

Scalar *reduction_start(KernelLowering *k, const Reduction *r, ElementType type) {
    bool real = element_is_real(type);
    switch (r->inst->op) {
    case OP_reduce_prod: return scalar_number(&k->build, type, 1);
    case OP_reduce_max:
    case OP_argmax:
        if (real) {
            return scalar_real_constant(&k->build, type, -(double)INFINITY);
        }
        return scalar_integer_constant(&k->build, type,
                                       type == TYPE_BOOL  ? 0
                                       : type == TYPE_I32 ? INT32_MIN
                                                          : INT64_MIN);
    case OP_reduce_min:
    case OP_argmin:
        if (real) {
            return scalar_real_constant(&k->build, type, (double)INFINITY);
        }
        return scalar_integer_constant(&k->build, type,
                                       type == TYPE_BOOL  ? 1
                                       : type == TYPE_I32 ? INT32_MAX
                                                          : INT64_MAX);
    default: return scalar_number(&k->build, type, 0);
    }
}

static Scalar *contract_operand(KernelLowering *k, const Reduction *r, int operand,
                                Scalar *const *index, Scalar *const *inner) {
    const Value *value = r->inst->operands[operand];
    const char *labels = r->inst->attr.labels;
    const char *own = operand == 0 ? labels : strchr(labels, ',') + 1;
    const char *result = strstr(labels, "->") + 2;
    Scalar **at = new_index(k, value->type.rank);
    for (int axis = 0; axis < value->type.rank; axis++) {
        const char *outer = strchr(result, own[axis]);
        if (outer != NULL) {
            at[axis] = index[outer - result];
        } else {
            const char *found = memchr(r->labels, own[axis], (size_t)r->axis_count);
            check(found != NULL, "a label of contract is nowhere");
            at[axis] = inner[found - r->labels];
        }
    }
    return element(k, value, at);
}

static Scalar *reduced_element(KernelLowering *k, const Reduction *r, Scalar *const *index,
                               Scalar *const *inner) {
    const Value *operand = r->inst->operands[0];
    bool single = r->inst->op == OP_argmax || r->inst->op == OP_argmin;
    Scalar **at = new_index(k, operand->type.rank);
    int outer = 0, reduced = 0;
    for (int axis = 0; axis < operand->type.rank; axis++) {
        bool disappears = single
                              ? axis == r->inst->attr.axis
                              : reduced < r->axis_count && r->inst->attr.axes.at[reduced] == axis;
        if (disappears) {
            at[axis] = inner[reduced++];
        } else {
            at[axis] = index[outer++];
        }
    }
    return element(k, operand, at);
}

Scalar *reduction_join(KernelLowering *k, const Reduction *r, Scalar *x, Scalar *y) {
    KernelBuilder *b = &k->build;
    switch (r->inst->op) {
    case OP_reduce_sum:
    case OP_contract: return scalar_binary(b, x->type == TYPE_BOOL ? SCALAR_OR : SCALAR_ADD, x, y);
    case OP_reduce_prod:
        return scalar_binary(b, x->type == TYPE_BOOL ? SCALAR_AND : SCALAR_MUL, x, y);
    case OP_reduce_max:
    case OP_reduce_min: {
        bool largest = r->inst->op == OP_reduce_max;
        if (x->type == TYPE_BOOL) {
            return scalar_binary(b, largest ? SCALAR_OR : SCALAR_AND, x, y);
        }
        return expand_extreme(b, largest, y, x);
    }
    default: unreachable("%s does not join", op_info(r->inst->op)->name);
    }
}

Scalar *reduction_step(KernelLowering *k, const Reduction *r, Scalar *before, Scalar *const *index,
                       Scalar *const *inner) {
    if (r->inst->op != OP_contract) {
        Scalar *x = reduced_element(k, r, index, inner);
        return reduction_join(k, r, before, scalar_cast(&k->build, before->type, x));
    }
    Scalar *x = scalar_cast(&k->build, before->type, contract_operand(k, r, 0, index, inner));
    Scalar *y = scalar_cast(&k->build, before->type, contract_operand(k, r, 1, index, inner));
    return scalar_fma(&k->build, x, y, before);
}

static Scalar *reduce_small(KernelLowering *k, const Reduction *r, Scalar *const *index) {
    Scalar *result = reduction_start(k, r, r->type);
    Scalar **inner = new_index(k, r->axis_count);
    bool first = true;
    for (int64_t i = 0; i < r->total; i++) {
        int64_t rest = i;
        for (int axis = r->axis_count - 1; axis >= 0; axis--) {
            inner[axis] = scalar_position(&k->build, rest % r->sizes[axis]);
            rest /= r->sizes[axis];
        }
        if (first && r->inst->op != OP_contract) {
            result = reduced_element(k, r, index, inner);
        } else if (first) {
            result = scalar_binary(&k->build, SCALAR_MUL, contract_operand(k, r, 0, index, inner),
                                   contract_operand(k, r, 1, index, inner));
        } else {
            result = reduction_step(k, r, result, index, inner);
        }
        first = false;
    }
    return result;
}

// Looks at the accesses of one reduction over all points and reduced axes.
// `joins` and `score` are for the reduced axes; *column_score for the last axis
// of the result with more than one element.
static void probe_reduction(Lowering *l, const Node *node, const Reduction *r, Access *access,
                            int *column_score) {
    KernelLowering k;
    begin_probe(&k, l, node);
    Type shape = r->value->type;
    int count = shape.rank + r->axis_count;
    int64_t *sizes = arena_array(l->scratch, int64_t, count);
    bool none[MOST_LOOPS] = {false};
    int column = -1;
    for (int axis = 0; axis < shape.rank; axis++) {
        sizes[axis] = type_size_at(shape, axis);
        column = sizes[axis] > 1 ? axis : column;
    }
    memcpy(sizes + shape.rank, r->sizes, (size_t)r->axis_count * sizeof *sizes);
    LoopNest nest = make_nest(sizes, count, none);
    Scalar **index = new_index(&k, count);
    open_nest(&k, &nest, 0, nest.loop_count, LOOP_SERIAL, index);
    Local *keep = add_local(&k.build, r->type, 1, "keep");
    Scalar *zero = scalar_position(&k.build, 0);
    if (r->inst->op == OP_argmax || r->inst->op == OP_argmin) {
        add_set(&k.build, keep, zero, reduced_element(&k, r, index, index + shape.rank));
    } else {
        Scalar *before = scalar_local(&k.build, keep, zero);
        add_set(&k.build, keep, zero, reduction_step(&k, r, before, index, index + shape.rank));
    }
    close_loops(&k, nest.loop_count);
    Access all;
    find_accesses(&k, index, sizes, count, &all);
    *access = (Access){.scalars = k.build.facts.count};
    for (int axis = 0; axis < r->axis_count; axis++) {
        access->joins[axis] = axis + 1 < r->axis_count && all.joins[shape.rank + axis];
        access->score[axis] = all.score[shape.rank + axis];
    }
    *column_score = column < 0 ? -1 : all.score[column];
    kernel_end(&k.build);
}

static int64_t column_count(Type shape) {
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        if (type_size_at(shape, axis) > 1) {
            return type_size_at(shape, axis);
        }
    }
    return 1;
}

bool reduces_by_columns(Lowering *l, const Value *value) {
    Reduction r = reduction_of(value);
    Op op = value->definition->op;
    if (op == OP_argmax || op == OP_argmin || r.total <= WRITTEN_OUT_TERMS ||
        type_elements(value->type) == 0 || column_count(value->type) < FEWEST_COLUMNS) {
        return false;
    }
    Access access;
    int column_score, best = -1;
    probe_reduction(l, NULL, &r, &access, &column_score);
    for (int axis = 0; axis < r.axis_count; axis++) {
        bool long_enough = r.sizes[axis] >= 4;
        best = long_enough && access.score[axis] > best ? access.score[axis] : best;
    }
    return column_score > best;
}

RowPlan plan_rows(Lowering *l, const Node *node, const Reduction *r) {
    RowPlan plan;
    Access access;
    int column_score, best = r->axis_count - 1;
    probe_reduction(l, node, r, &access, &column_score);
    for (int axis = 0; axis < r->axis_count; axis++) {
        if (access.score[axis] > access.score[best] && r->sizes[axis] >= 4) {
            best = axis;
        }
    }
    int64_t sizes[MOST_LOOPS];
    bool joins[MOST_LOOPS] = {false};
    int count = 0;
    for (int axis = 0; axis < r->axis_count; axis++) {
        if (axis != best) {
            joins[count] = axis + 1 != best && access.joins[axis];
            plan.order[count++] = axis;
        }
    }
    if (best == r->axis_count - 1 && count > 0) {
        joins[count - 1] = access.joins[best - 1];
    }
    plan.order[count] = best;
    for (int i = 0; i < r->axis_count; i++) {
        sizes[i] = r->sizes[plan.order[i]];
    }
    plan.nest = make_nest(sizes, r->axis_count, joins);
    return plan;
}

// A reduction with its lanes under construction.
typedef struct Fold {
    Reduction reduction;
    Local *sums;
    Scalar *start; // of the lanes in `sums`; NULL: they are all of it
    Local *wide;   // NULL, or f64 sums of the lanes' sums
} Fold;

// Reductions of the same elements, one behind the other, in lanes.
typedef struct Lanes {
    KernelLowering *k;
    const RowPlan *plan;
    const RowStep *step; // whose rows are computed at the same time, or NULL
    Scalar *const *index;
    Scalar **ordered; // index of each reduced axis, in the plan's order
    int count;
    Fold *folds;
    int fold_count;
    bool wide;     // some fold is
    bool straight; // steps are written out, however many there are
} Lanes;

static Scalar *lane_place(const Lanes *lanes, Scalar *start, Scalar *lane) {
    return start != NULL ? scalar_binary(&lanes->k->build, SCALAR_ADD, start, lane) : lane;
}

static void set_lanes(Lanes *lanes, Local *local, Scalar *start, Scalar *value) {
    KernelBuilder *b = &lanes->k->build;
    Scalar *lane = begin_loop(b, LOOP_VECTOR, lanes->count, "lane");
    add_set(b, local, lane_place(lanes, start, lane), value);
    end_scope(b);
}

// The place of a row's element in the shape of rows.
static Scalar **row_index(KernelLowering *k, Scalar *const *point, Scalar *inner) {
    int rank = k->node->shape.rank;
    Scalar **index = new_index(k, rank + 1);
    for (int axis = 0; axis < rank; axis++) {
        index[axis] = point[axis];
    }
    index[rank] = inner;
    return index;
}

// Adds elements start .. start + count - 1 of the innermost axis to the lanes.
static void step_lanes(Lanes *lanes, Scalar *start, int64_t count) {
    KernelLowering *k = lanes->k;
    KernelBuilder *b = &k->build;
    const RowPlan *plan = lanes->plan;
    Scalar *lane = begin_loop(b, LOOP_VECTOR, count, "lane");
    set_room(b, lanes->count, false);
    Scalar *position = scalar_binary(b, SCALAR_ADD, start, lane);
    fill_index(k, &plan->nest, plan->nest.loop_count - 1, position, lanes->ordered);
    Scalar **inner = new_index(k, plan->nest.axis_count), **row = NULL, **rows = NULL;
    for (int i = 0; i < plan->nest.axis_count; i++) {
        inner[plan->order[i]] = lanes->ordered[i];
    }
    if (lanes->step != NULL) {
        row = row_index(k, lanes->index, inner[0]);
        rows = compute_rows(k, lanes->step, row);
    }
    Scalar **after = arena_array(&b->scratch, Scalar *, lanes->fold_count);
    for (int i = 0; i < lanes->fold_count; i++) {
        Fold *fold = &lanes->folds[i];
        Scalar *before = scalar_local(b, fold->sums, lane_place(lanes, fold->start, lane));
        after[i] = reduction_step(k, &fold->reduction, before, lanes->index, inner);
    }
    for (int i = 0; i < lanes->fold_count; i++) {
        Fold *fold = &lanes->folds[i];
        add_set(b, fold->sums, lane_place(lanes, fold->start, lane), after[i]);
    }
    if (lanes->step != NULL) {
        store_rows(k, lanes->step, row, rows);
    }
    end_scope(b);
}

static void flush_lanes(Lanes *lanes) {
    KernelBuilder *b = &lanes->k->build;
    for (int i = 0; i < lanes->fold_count; i++) {
        Local *sums = lanes->folds[i].sums, *wide = lanes->folds[i].wide;
        if (wide == NULL) {
            continue;
        }
        Scalar *lane = begin_loop(b, LOOP_VECTOR, lanes->count, "lane");
        Scalar *sum = scalar_cast(b, TYPE_F64, scalar_local(b, sums, lane));
        Scalar *total = scalar_binary(b, SCALAR_ADD, scalar_local(b, wide, lane), sum);
        add_set(b, wide, lane, total);
        add_set(b, sums, lane, scalar_number(b, sums->type, 0));
        end_scope(b);
    }
}

// `steps` steps of all lanes from element `start` on.
static void step_many(Lanes *lanes, Scalar *start, int64_t steps) {
    if (steps == 0) {
        return;
    }
    KernelBuilder *b = &lanes->k->build;
    LoopKind kind = lanes->straight || steps <= FEW_STEPS ? LOOP_UNROLL : LOOP_SERIAL;
    Scalar *step = begin_loop(b, kind, steps, loop_name(lanes->k));
    Scalar *offset = scalar_binary(b, SCALAR_MUL, step, scalar_position(b, lanes->count));
    step_lanes(lanes, scalar_binary(b, SCALAR_ADD, start, offset), lanes->count);
    end_scope(b);
}

static void run_innermost(Lanes *lanes, int64_t extent) {
    KernelBuilder *b = &lanes->k->build;
    int64_t steps = extent / lanes->count, tail = extent % lanes->count, chunks = 0;
    if (lanes->wide && steps > CHUNK) {
        chunks = steps / CHUNK;
        int64_t size = (int64_t)CHUNK * lanes->count;
        Scalar *chunk = begin_loop(b, LOOP_SERIAL, chunks, loop_name(lanes->k));
        step_many(lanes, scalar_binary(b, SCALAR_MUL, chunk, scalar_position(b, size)), CHUNK);
        flush_lanes(lanes);
        end_scope(b);
    }
    step_many(lanes, scalar_position(b, chunks * CHUNK * lanes->count), steps - chunks * CHUNK);
    if (tail > 0) {
        step_lanes(lanes, scalar_position(b, steps * lanes->count), tail);
    }
    flush_lanes(lanes);
}

// Joins the lanes pairwise, halving their number.
static Scalar *join_lanes(Lanes *lanes, const Fold *fold) {
    KernelLowering *k = lanes->k;
    KernelBuilder *b = &k->build;
    Local *local = fold->wide != NULL ? fold->wide : fold->sums;
    for (int half = lanes->count / 2; half >= 1; half /= 2) {
        Scalar *lane = begin_loop(b, LOOP_VECTOR, half, "lane");
        Scalar *other = scalar_binary(b, SCALAR_ADD, lane, scalar_position(b, half));
        Scalar *x = scalar_local(b, local, lane), *y = scalar_local(b, local, other);
        add_set(b, local, lane, reduction_join(k, &fold->reduction, x, y));
        end_scope(b);
    }
    return scalar_cast(b, fold->reduction.type, scalar_local(b, local, scalar_position(b, 0)));
}

// Several vectors, so that their sums do not wait for each other. The steps of functions wait for
// each other, too, so that several vectors take turns; one is enough beside many functions. C has
// to make do with the registers of any processor.
static int lanes_for(const Lowering *l, ElementType type, int64_t extent, int64_t work) {
    int vector = vector_lanes(l, type);
    bool in_c = l->options->unmasked;
    bool many = extent >= (int64_t)LONG_ROW * vector && !in_c;
    bool in_turns = l->options->vector_bytes >= 32 && work < VERY_MUCH_WORK && !in_c;
    int of_functions = in_turns ? 4 : 1;
    int lanes = (work >= MUCH_WORK ? of_functions : many ? 4 : 2) * vector;
    // A vector of C is a pair of registers on some processors: several are joined for long sums
    // alone.
    while (lanes > 1 && extent < (in_c && lanes > vector ? SHORT_IN_C : 2) * lanes) {
        lanes /= 2;
    }
    return lanes < 4 ? 1 : lanes;
}

static void begin_fold(Lanes *lanes, Fold *fold, int64_t extent) {
    KernelLowering *k = lanes->k;
    const Reduction *r = &fold->reduction;
    bool precise = is_sum(r) && r->type == TYPE_F32 && r->total > (int64_t)CHUNK * lanes->count;
    // Short rows are added in f64 at once, long ones in chunks.
    bool all_wide = precise && extent < 16 * lanes->count;
    fold->sums = add_local(&k->build, all_wide ? TYPE_F64 : r->type, lanes->count, "sums");
    set_lanes(lanes, fold->sums, NULL, reduction_start(k, r, fold->sums->type));
    if (precise && !all_wide) {
        fold->wide = add_local(&k->build, TYPE_F64, lanes->count, "wide_sums");
        set_lanes(lanes, fold->wide, NULL, scalar_number(&k->build, TYPE_F64, 0));
        lanes->wide = true;
    }
}

static void run_lanes(Lanes *lanes) {
    KernelLowering *k = lanes->k;
    const LoopNest *nest = &lanes->plan->nest;
    int last = nest->loop_count - 1;
    for (int i = 0; i < lanes->fold_count; i++) {
        begin_fold(lanes, &lanes->folds[i], nest->loops[last].extent);
    }
    open_nest(k, nest, 0, last, LOOP_SERIAL, lanes->ordered);
    run_innermost(lanes, nest->loops[last].extent);
    close_loops(k, last);
}

static Scalar *reduce_long(KernelLowering *k, const Reduction *r, Scalar *const *index) {
    Lowering *l = k->lowering;
    RowPlan plan = plan_rows(l, k->node, r);
    int64_t extent = plan.nest.loops[plan.nest.loop_count - 1].extent;
    Fold fold = {.reduction = *r};
    Lanes lanes = {.k = k,
                   .plan = &plan,
                   .index = index,
                   .ordered = new_index(k, r->axis_count),
                   .count = lanes_for(l, r->type, extent, 0),
                   .folds = &fold,
                   .fold_count = 1};
    run_lanes(&lanes);
    return join_lanes(&lanes, &fold);
}

void sum_in_lanes(KernelLowering *k, const Reduction *r, const RowPlan *plan, Scalar *const *index,
                  Local *sums, Scalar *start, int count) {
    Fold fold = {.reduction = *r, .sums = sums, .start = start};
    Lanes lanes = {.k = k,
                   .plan = plan,
                   .index = index,
                   .ordered = new_index(k, r->axis_count),
                   .count = count,
                   .folds = &fold,
                   .fold_count = 1,
                   .straight = true};
    set_lanes(&lanes, sums, start, reduction_start(k, r, sums->type));
    run_innermost(&lanes, plan->nest.loops[0].extent);
}

void fold_rows(KernelLowering *k, const RowStep *step, Scalar *const *point) {
    Lowering *l = k->lowering;
    int count = step->folds.count;
    Fold *folds = arena_array(&k->build.scratch, Fold, count);
    for (int i = 0; i < count; i++) {
        folds[i].reduction = reduction_of(step->folds.at[i]);
    }
    const Reduction *first = &folds[0].reduction;
    RowPlan plan = {.order = {0}};
    plan.nest = make_nest(first->sizes, 1, (bool[]){false});
    int64_t work = 0;
    for (int i = 0; i < step->rows.count; i++) {
        work += state_of(l, step->rows.at[i])->cost;
    }
    Lanes lanes = {.k = k,
                   .plan = &plan,
                   .step = step,
                   .index = point,
                   .ordered = new_index(k, 1),
                   .count = lanes_for(l, first->type, first->total, work),
                   .folds = folds,
                   .fold_count = count};
    run_lanes(&lanes);
    for (int i = 0; i < count; i++) {
        remember_element(k, step->folds.at[i], point, join_lanes(&lanes, &folds[i]));
    }
}

// Whether the next element x takes the place of the first largest (smallest) one so far. A NaN
// beats all others.
static Scalar *beats(KernelLowering *k, const Reduction *r, Scalar *x, Scalar *before) {
    KernelBuilder *b = &k->build;
    bool largest = r->inst->op == OP_argmax;
    Scalar *better = scalar_binary(b, largest ? SCALAR_GT : SCALAR_LT, x, before);
    if (!element_is_real(r->type)) {
        return better;
    }
    Scalar *is_nan = scalar_binary(b, SCALAR_NE, x, x);
    Scalar *was_not = scalar_binary(b, SCALAR_EQ, before, before);
    return scalar_binary(b, SCALAR_OR, better, scalar_binary(b, SCALAR_AND, is_nan, was_not));
}

static Scalar *small_argument(KernelLowering *k, const Reduction *r, Scalar *const *index) {
    KernelBuilder *b = &k->build;
    Scalar *place = scalar_position(b, 0), *inner[1] = {place};
    Scalar *best = reduced_element(k, r, index, inner);
    for (int64_t i = 1; i < r->total; i++) {
        inner[0] = scalar_position(b, i);
        Scalar *x = reduced_element(k, r, index, inner), *better = beats(k, r, x, best);
        best = scalar_select(b, better, x, best);
        place = scalar_select(b, better, inner[0], place);
    }
    return place;
}

static Scalar *reduce_argument(KernelLowering *k, const Reduction *r, Scalar *const *index) {
    if (is_small_reduction(r->value)) {
        return small_argument(k, r, index);
    }
    KernelBuilder *b = &k->build;
    Scalar *zero = scalar_position(b, 0);
    Local *best = add_local(b, r->type, 1, "best"), *place = add_local(b, TYPE_I64, 1, "place");
    Scalar *inner[1] = {zero};
    add_set(b, best, zero, reduced_element(k, r, index, inner));
    add_set(b, place, zero, zero);
    Scalar *step = begin_loop(b, LOOP_SERIAL, r->total - 1, loop_name(k));
    inner[0] = scalar_binary(b, SCALAR_ADD, step, scalar_position(b, 1));
    Scalar *x = reduced_element(k, r, index, inner), *before = scalar_local(b, best, zero);
    Scalar *better = beats(k, r, x, before), *at = scalar_local(b, place, zero);
    add_set(b, best, zero, scalar_select(b, better, x, before));
    add_set(b, place, zero, scalar_select(b, better, inner[0], at));
    end_scope(b);
    return scalar_local(b, place, zero);
}

Scalar *reduce_at_point(KernelLowering *k, const Value *value, Scalar *const *index) {
    Reduction r = reduction_of(value);
    if (r.total == 0) {
        return reduction_start(k, &r, r.type);
    }
    if (r.inst->op == OP_argmax || r.inst->op == OP_argmin) {
        return reduce_argument(k, &r, index);
    }
    return is_small_reduction(value) ? reduce_small(k, &r, index) : reduce_long(k, &r, index);
}

// A block of `width` results from column `base` on.
typedef struct Columns {
    KernelLowering *k;
    Node *node;
    Scalar **index; // of the result
    int axis;       // the column axis
    int64_t width;
    Scalar *base;
} Columns;

// One reduction of such a block. Rows are added in turns to several rows of sums, so that no
// addition waits for the one before; these are joined at the end.
typedef struct ColumnSums {
    const Reduction *r;
    LoopNest nest;
    Scalar **inner; // index of each reduced axis
    int ways;       // rows of sums
    Local *sums;
    Local *wide; // NULL, or f64 sums of the sums
} ColumnSums;

static Scalar *begin_columns(Columns *c) {
    KernelBuilder *b = &c->k->build;
    Scalar *column = begin_loop(b, LOOP_VECTOR, c->width, "column");
    c->index[c->axis] = scalar_binary(b, SCALAR_ADD, c->base, column);
    for (int i = 0; i < c->k->accumulators.count; i++) {
        c->k->accumulators.at[i].index = column;
    }
    return column;
}

static Scalar *way_position(const Columns *c, Scalar *way, Scalar *column) {
    KernelBuilder *b = &c->k->build;
    Scalar *start = scalar_binary(b, SCALAR_MUL, way, scalar_position(b, c->width));
    return scalar_binary(b, SCALAR_ADD, start, column);
}

static void set_columns(Columns *c, Local *local, int ways, Scalar *value) {
    KernelBuilder *b = &c->k->build;
    Scalar *way = begin_loop(b, LOOP_UNROLL, ways, "way");
    Scalar *column = begin_loop(b, LOOP_VECTOR, c->width, "column");
    add_set(b, local, way_position(c, way, column), value);
    close_loops(c->k, 2);
}

// Adds the rows of sums to the first.
static void join_ways(Columns *c, const ColumnSums *it) {
    KernelBuilder *b = &c->k->build;
    for (int half = it->ways / 2; half >= 1; half /= 2) {
        Scalar *way = begin_loop(b, LOOP_UNROLL, half, "way");
        Scalar *other = scalar_binary(b, SCALAR_ADD, way, scalar_position(b, half));
        Scalar *column = begin_loop(b, LOOP_VECTOR, c->width, "column");
        Scalar *place = way_position(c, way, column);
        Scalar *x = scalar_local(b, it->sums, place);
        Scalar *y = scalar_local(b, it->sums, way_position(c, other, column));
        add_set(b, it->sums, place, reduction_join(c->k, it->r, x, y));
        close_loops(c->k, 2);
    }
}

static void flush_columns(Columns *c, const ColumnSums *it) {
    KernelBuilder *b = &c->k->build;
    join_ways(c, it);
    Scalar *column = begin_loop(b, LOOP_VECTOR, c->width, "column");
    Scalar *sum = scalar_cast(b, TYPE_F64, scalar_local(b, it->sums, column));
    sum = scalar_binary(b, SCALAR_ADD, scalar_local(b, it->wide, column), sum);
    add_set(b, it->wide, column, sum);
    end_scope(b);
    set_columns(c, it->sums, it->ways, scalar_number(b, it->sums->type, 0));
}

static void step_columns(Columns *c, const ColumnSums *it, Scalar *position, Scalar *way) {
    KernelBuilder *b = &c->k->build;
    fill_index(c->k, &it->nest, it->nest.loop_count - 1, position, it->inner);
    Scalar *column = begin_columns(c), *place = way_position(c, way, column);
    Scalar *before = scalar_local(b, it->sums, place);
    add_set(b, it->sums, place, reduction_step(c->k, it->r, before, c->index, it->inner));
    end_scope(b);
}

// Rows start .. start + count - 1 of the innermost reduced axis.
static void step_rows(Columns *c, const ColumnSums *it, Scalar *start, int64_t count) {
    KernelBuilder *b = &c->k->build;
    int64_t turns = count / it->ways, rest = count % it->ways;
    if (turns > 0) {
        Scalar *turn = begin_loop(b, LOOP_SERIAL, turns, loop_name(c->k));
        Scalar *first = scalar_binary(b, SCALAR_MUL, turn, scalar_position(b, it->ways));
        first = scalar_binary(b, SCALAR_ADD, start, first);
        Scalar *way = begin_loop(b, LOOP_UNROLL, it->ways, "way");
        step_columns(c, it, scalar_binary(b, SCALAR_ADD, first, way), way);
        close_loops(c->k, 2);
    }
    if (rest > 0) {
        Scalar *row = begin_loop(b, LOOP_SERIAL, rest, loop_name(c->k));
        Scalar *first = scalar_binary(b, SCALAR_ADD, start, scalar_position(b, count - rest));
        step_columns(c, it, scalar_binary(b, SCALAR_ADD, first, row), scalar_position(b, 0));
        end_scope(b);
    }
}

// Whole vectors only: the rows of sums are to live in registers.
static int choose_ways(const Columns *c, const Local *sums, int64_t extent, int scalars) {
    int lanes = vector_lanes(c->k->lowering, sums->type), ways = 1;
    if (c->width % lanes != 0 || scalars > SHORT_STEP) {
        return 1;
    }
    while (ways < MOST_WAYS && ways * (c->width / lanes) < ENOUGH_SUMS && 8 * ways <= extent) {
        ways *= 2;
    }
    return ways;
}

static void reduce_columns(Columns *c, const Value *value) {
    KernelLowering *k = c->k;
    KernelBuilder *b = &k->build;
    Reduction r = reduction_of(value);
    Access access;
    int column_score;
    probe_reduction(k->lowering, c->node, &r, &access, &column_score);
    ColumnSums it = {.r = &r, .nest = make_nest(r.sizes, r.axis_count, access.joins)};
    int last = it.nest.loop_count - 1;
    int64_t extent = it.nest.loops[last].extent;
    bool precise = is_sum(&r) && r.type == TYPE_F32 && r.total > CHUNK;
    bool all_wide = precise && extent < CHUNK;
    it.sums = add_local(b, all_wide ? TYPE_F64 : r.type, c->width, "sums");
    it.ways = choose_ways(c, it.sums, extent, access.scalars);
    it.sums->count *= it.ways;
    set_columns(c, it.sums, it.ways, reduction_start(k, &r, it.sums->type));
    if (precise && !all_wide) {
        it.wide = add_local(b, TYPE_F64, c->width, "wide_sums");
        set_columns(c, it.wide, 1, scalar_number(b, TYPE_F64, 0));
    }
    it.inner = new_index(k, r.axis_count);
    open_nest(k, &it.nest, 0, last, LOOP_SERIAL, it.inner);
    int64_t chunk = it.wide != NULL ? CHUNK : extent, chunks = extent / chunk;
    Scalar *number = begin_loop(b, LOOP_SERIAL, chunks, loop_name(k));
    step_rows(c, &it, scalar_binary(b, SCALAR_MUL, number, scalar_position(b, chunk)), chunk);
    if (it.wide != NULL) {
        flush_columns(c, &it);
    }
    end_scope(b);
    if (extent % chunk > 0) {
        step_rows(c, &it, scalar_position(b, chunks * chunk), extent % chunk);
        flush_columns(c, &it);
    }
    close_loops(k, last);
    if (it.wide == NULL) {
        join_ways(c, &it);
    }
    vec_push(&b->scratch, &k->accumulators,
             ((Accumulator){value, it.wide != NULL ? it.wide : it.sums, NULL}));
}

static void emit_block(Columns *c) {
    KernelLowering *k = c->k;
    k->accumulators.count = 0;
    for (int i = 0; i < c->node->members.count; i++) {
        const Value *member = c->node->members.at[i];
        if (is_reduction(member->definition->op)) {
            reduce_columns(c, member);
        }
    }
    begin_columns(c);
    Scalar **results = arena_array(&k->build.scratch, Scalar *, c->node->members.count);
    for (int i = 0; i < c->node->members.count; i++) {
        results[i] = element(k, c->node->members.at[i], c->index);
    }
    for (int i = 0; i < c->node->members.count; i++) {
        store_member(k, c->node->members.at[i], c->index, results[i]);
    }
    end_scope(&k->build);
}

void lower_columns(KernelLowering *k, Node *node) {
    KernelBuilder *b = &k->build;
    Type shape = node->shape;
    Columns c = {.k = k, .node = node, .index = new_index(k, shape.rank), .axis = shape.rank - 1};
    while (type_size_at(shape, c.axis) == 1) {
        c.index[c.axis] = scalar_position(b, 0);
        c.axis--;
    }
    for (int axis = 0; axis < c.axis; axis++) {
        c.index[axis] = begin_loop(b, LOOP_SERIAL, type_size_at(shape, axis), loop_name(k));
    }
    int64_t columns = type_size_at(shape, c.axis);
    int64_t block = 4 * (int64_t)vector_lanes(k->lowering, node->members.at[0]->type.element);
    c.width = columns < block ? columns : block;
    Scalar *number = begin_loop(b, LOOP_SERIAL, columns / c.width, "block");
    c.base = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, c.width));
    emit_block(&c);
    end_scope(b);
    if (columns % c.width > 0) {
        c.base = scalar_position(b, columns - columns % c.width);
        c.width = columns % c.width;
        emit_block(&c);
    }
    close_loops(k, c.axis);
}
