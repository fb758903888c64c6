// Computes loops whose values have rows for a block of the rows from the first iteration to the
// last, then for the next block: what an iteration leaves to the next one, and what a loop saves
// for its reverse, is as small as a block and stays in the cache. A group (loop_groups.h) of loops
// and of what stands between them becomes a loop over blocks of rows. Rows that do not fill a block
// are computed behind it.
//
// Sums over rows are added up from block to block. Large ones, as gradients of weights, are carried
// by several loops, one behind the other, which threads share out, and added at the end.
#include "ir/edit.h"
#include "passes/loop_plan.h"
#include "passes/match.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/row_layout.h"

enum {
    LEAST_SHARE = 16,   // of what is large: smaller results are not worth to look at
    TOGETHER = 4,       // iterations of cheap loops, or half of them
    MOST_TOGETHER = 24, // instructions of a cheap loop
    MOST_GROUPS = 64    // in a function
};

typedef struct BlockOfRows {
    const LoopGroup *group;
    bool rows_last;
    int64_t rows;
    Value *start;     // its first row
    ValueMap values;  // what stands in it for values of the group, and for those that it reads
    Value **gathered; // by output: what it is added to, if a loop carries it on
} BlockOfRows;

typedef struct LoopBlocks {
    const LoopPlan *plan;
    const LoopGroup *group;
    Module *module;
    Arena *scratch;
    GroupOutputs outputs;
    ValueMap whole; // what stands for the group's results outside
} LoopBlocks;

static void compute_inst(BlockOfRows *block, Builder *b, const Inst *inst);

static Value **map_operands(const BlockOfRows *block, const Builder *b, const Inst *inst) {
    Value **operands = arena_array(b->module->arena, Value *, inst->operand_count + 1);
    for (int i = 0; i < inst->operand_count; i++) {
        operands[i] = value_map_get(&block->values, inst->operands[i]);
    }
    return operands;
}

// Iterations of a loop that are computed one behind the other in one of the new loop: what they
// carry on is then loaded and stored once for all of them, if it is cheap to compute.
static int iterations_together(const Inst *loop) {
    int count = 0;
    for_each_inst(inst, loop->regions[0]) {
        const OpInfo *info = op_info(inst->op);
        bool is_cheap = info->elementwise
                            ? info->traits & CHEAP
                            : inst->op == OP_broadcast || inst->op == OP_constant ||
                                  inst->op == OP_iota || inst->op == OP_gather ||
                                  inst->op == OP_scatter_add || inst->op == OP_reduce_sum;
        count += is_cheap ? 1 : MOST_TOGETHER;
    }
    bool has_stacks = loop->result_count > loop->attr.carried;
    if (has_stacks || count >= MOST_TOGETHER) {
        return 1;
    }
    int64_t trip = dim_value(loop->attr.trip);
    return trip % TOGETHER == 0 ? TOGETHER : trip % 2 == 0 ? 2 : 1;
}

static Value *index_of_iteration(Builder *b, Value *index, int number, int together) {
    if (together == 1) {
        return index;
    }
    Value *first = build_mul(b, index, build_scalar_integer(b, TYPE_I64, together));
    return build_add(b, first, build_scalar_integer(b, TYPE_I64, number));
}

static void compute_loop(BlockOfRows *block, Builder *b, const Inst *loop, Value **initial) {
    const Region *body = loop->regions[0];
    Builder at = *b;
    at.span = loop->span;
    int together = iterations_together(loop), carried = loop->attr.carried;
    const Dim *trip = dim_constant(b->module->dims, dim_value(loop->attr.trip) / together);
    Inst *made = build_loop(&at, trip, initial, carried, NULL);
    Region *inner = made->regions[0];
    Value **next = arena_array(b->module->arena, Value *, body->yields.count + 1);
    for (int i = 0; i < carried; i++) {
        inner->parameters.at[i + 1]->name = body->parameters.at[i + 1]->name;
        next[i] = inner->parameters.at[i + 1];
    }
    Value *index = inner->parameters.at[0];
    index->name = body->parameters.at[0]->name;
    Builder inside = builder_at(inner, loop->span);
    for (int number = 0; number < together; number++) {
        Value *own = index_of_iteration(&inside, index, number, together);
        value_map_set(&block->values, body->parameters.at[0], own);
        for (int i = 0; i < carried; i++) {
            value_map_set(&block->values, body->parameters.at[i + 1], next[i]);
        }
        for_each_inst(inst, body) {
            compute_inst(block, &inside, inst);
        }
        for (int i = 0; i < body->yields.count; i++) {
            next[i] = value_map_get(&block->values, body->yields.at[i]);
        }
    }
    for (int i = 0; i < body->yields.count; i++) {
        vec_push(b->module->arena, &inner->yields, next[i]);
    }
    loop_finish(made);
    for (int i = 0; i < loop->result_count; i++) {
        made->results[i]->name = loop->results[i]->name;
        value_map_set(&block->values, loop->results[i], made->results[i]);
    }
}

static Value *compute_plain(const BlockOfRows *block, Builder *b, const Inst *inst) {
    const LoopGroup *group = block->group;
    Value **operands = map_operands(block, b, inst);
    Place place = group->place[inst->results[0]->id];
    if (block->rows_last && (has_rows(place) || reads_rows_of(group, inst))) {
        return build_rows_last(b, inst, operands, place, group_places(group, inst), block->rows,
                               block->start);
    }
    if (has_rows(place)) {
        return build_rows_of(b, inst, operands, place, block->rows, block->start);
    }
    Builder at = *b;
    at.span = inst->span;
    Value *made = build_op(&at, inst->op, operands, inst->operand_count, &inst->attr);
    made->name = inst->results[0]->name;
    return made;
}

static void compute_inst(BlockOfRows *block, Builder *b, const Inst *inst) {
    if (inst->op == OP_loop && has_rows_inside(block->group, inst)) {
        compute_loop(block, b, inst, map_operands(block, b, inst));
    } else if (inst->region_count == 0 && inst->result_count == 1) {
        value_map_set(&block->values, inst->results[0], compute_plain(block, b, inst));
    } else {
        clone_inst(b, inst, &block->values);
    }
}

// The rows of what the group reads, but does not compute. `number` of the block, or NULL: the rest.
static void take_operand(const LoopBlocks *it, BlockOfRows *block, Builder *b, const Value *value,
                         Value *number) {
    const LoopGroup *group = it->group;
    Place place = group->place[value->id];
    if (!has_rows(place) || is_made_in_group(group, value) || !value_is_visible(value, b->region) ||
        value_map_get(&block->values, value) != value) {
        return;
    }
    const LoopPlan *plan = it->plan;
    int64_t blocks = plan->blocks * plan->chunks, full = blocks * plan->block;
    Value *whole = (Value *)value;
    Value *rows = number == NULL ? slice_rows(b, whole, place, full, plan->rest)
                                 : take_block(b, slice_rows(b, whole, place, 0, full), place,
                                              blocks, plan->block, number);
    value_map_set(&block->values, value, plan->rows_last ? put_rows_last(b, rows, place) : rows);
}

static void take_operands(const LoopBlocks *it, BlockOfRows *block, Builder *b, const Inst *inst,
                          Value *number) {
    for (int i = 0; i < inst->operand_count; i++) {
        take_operand(it, block, b, inst->operands[i], number);
    }
    for (int i = 0; i < inst->region_count; i++) {
        const Region *region = inst->regions[i];
        for_each_inst(inner, region) {
            take_operands(it, block, b, inner, number);
        }
        for (int j = 0; j < region->yields.count; j++) {
            take_operand(it, block, b, region->yields.at[j], number);
        }
    }
}

// What a loop of the group starts with: what was gathered before, where it gathers.
static Value **initial_of(const LoopBlocks *it, const BlockOfRows *block, const Builder *b,
                          const Inst *loop) {
    Value **initial = map_operands(block, b, loop);
    for (int i = 0; i < it->outputs.sums; i++) {
        const GroupOutput *output = &it->outputs.at[i];
        if (output->loop == loop) {
            initial[output->index] = block->gathered[i];
        }
    }
    return initial;
}

// `before`: what sums are added to. Gives the outputs of the block, sums added.
static Value **compute_block(const LoopBlocks *it, Builder *b, Value *number, Value *start,
                             int64_t rows, Value **before) {
    const LoopGroup *group = it->group;
    const RowRegion *of = group->of;
    BlockOfRows block = {.group = group, .rows = rows, .start = start, .gathered = before};
    block.rows_last = it->plan->rows_last;
    block.values = value_map_new(it->scratch, of->region->function);
    for (int k = 0; k < of->count; k++) {
        if (group->inside[k] || group->free[k]) {
            take_operands(it, &block, b, of->insts[k], number);
        }
    }
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        if (!group->inside[k] && !group->free[k]) {
            continue;
        }
        b->span = inst->span;
        if (inst->op == OP_loop) {
            compute_loop(&block, b, inst, initial_of(it, &block, b, inst));
        } else {
            compute_inst(&block, b, inst);
        }
    }
    Value **results = arena_array(it->scratch, Value *, it->outputs.count + 1);
    for (int i = 0; i < it->outputs.count; i++) {
        const GroupOutput *output = &it->outputs.at[i];
        results[i] = value_map_get(&block.values, output->value);
        if (output->is_sum && output->loop == NULL) {
            results[i] = build_add(b, before[i], results[i]);
        } else if (!output->is_sum && block.rows_last) {
            results[i] = put_rows_back(b, results[i], group->place[output->value->id]);
        }
    }
    return results;
}

static Value *block_index(Builder *b, int64_t value) {
    return build_scalar_integer(b, TYPE_I64, value);
}

// What sums begin with.
static Value **zero_sums(const LoopBlocks *it, Builder *b) {
    Value **zeros = arena_array(it->scratch, Value *, it->outputs.count + 1);
    for (int i = 0; i < it->outputs.sums; i++) {
        zeros[i] = build_full(b, it->outputs.at[i].value->type, 0);
    }
    return zeros;
}

// Blocks one after the other that carry their sums on; `chunk`: of several loops, or NULL.
static Inst *build_blocks(const LoopBlocks *it, Builder *b, Value *chunk) {
    const LoopPlan *plan = it->plan;
    Value **zeros = zero_sums(it, b);
    Inst *loop =
        build_loop(b, dim_constant(it->module->dims, plan->blocks), zeros, it->outputs.sums, NULL);
    Region *body = loop->regions[0];
    Builder inner = builder_at(body, b->span);
    Value *number = body->parameters.at[0];
    if (chunk != NULL) {
        Value *first = build_mul(&inner, chunk, block_index(&inner, plan->blocks));
        number = build_add(&inner, first, number);
    }
    Value *start = build_mul(&inner, number, block_index(&inner, plan->block));
    Value **results =
        compute_block(it, &inner, number, start, plan->block, body->parameters.at + 1);
    for (int i = 0; i < it->outputs.count; i++) {
        vec_push(it->module->arena, &body->yields, results[i]);
    }
    loop_finish(loop);
    return loop;
}

// The sums of each block, or of each chunk of them, stacked, and all rows.
static Inst *build_parts(const LoopBlocks *it, Builder *b) {
    const LoopPlan *plan = it->plan;
    bool has_chunks = plan->chunks > 1;
    int64_t parts = has_chunks ? plan->chunks : plan->blocks;
    Inst *loop = build_loop(b, dim_constant(it->module->dims, parts), NULL, 0, NULL);
    Region *body = loop->regions[0];
    Builder inner = builder_at(body, b->span);
    Value *number = body->parameters.at[0], **results;
    if (has_chunks) {
        results = build_blocks(it, &inner, number)->results;
    } else {
        Value *start = build_mul(&inner, number, block_index(&inner, plan->block));
        results = compute_block(it, &inner, number, start, plan->block, zero_sums(it, &inner));
    }
    for (int i = 0; i < it->outputs.count; i++) {
        vec_push(it->module->arena, &body->yields, results[i]);
    }
    loop_finish(loop);
    return loop;
}

// All blocks of a stack, which may be one of stacks, along one axis in front.
static Value *join_chunks(const LoopBlocks *it, Builder *b, Value *stack) {
    if (it->plan->chunks == 1) {
        return stack;
    }
    int rank = stack->type.rank - 1;
    const Dim **dims = arena_array(it->module->arena, const Dim *, rank);
    for (int i = 0; i < rank; i++) {
        dims[i] = stack->type.dims[i + 1];
    }
    dims[0] = dim_constant(it->module->dims, it->plan->chunks * it->plan->blocks);
    return build_reshape(b, stack, (Dims){dims, rank});
}

static void build_group(LoopBlocks *it, Builder *b) {
    const LoopPlan *plan = it->plan;
    const Inst *loop = build_parts(it, b);
    Value **totals = arena_array(it->scratch, Value *, it->outputs.count + 1), **last = NULL;
    int first = 0;
    for (int i = 0; i < it->outputs.sums; i++) {
        const GroupOutput *output = &it->outputs.at[i];
        totals[i] = build_reduce(b, OP_reduce_sum, loop->results[i], &first, 1);
        if (output->loop != NULL) {
            totals[i] = build_add(b, output->loop->operands[output->index], totals[i]);
        }
    }
    if (plan->rest > 0) {
        int64_t full = plan->chunks * plan->blocks * plan->block;
        last = compute_block(it, b, NULL, block_index(b, full), plan->rest, totals);
    }
    for (int i = 0; i < it->outputs.count; i++) {
        const Value *old = it->outputs.at[i].value;
        Place place = it->group->place[old->id];
        Value *whole = last != NULL ? last[i] : totals[i];
        if (!it->outputs.at[i].is_sum) {
            whole = join_blocks(b, join_chunks(it, b, loop->results[i]), place);
            whole =
                last == NULL ? whole : build_concat(b, (Value *[]){whole, last[i]}, 2, place.axis);
        }
        whole->name = old->name;
        value_map_set(&it->whole, old, whole);
    }
}

static void rewrite_loops(PassContext *context, const RowRegion *of, const LoopPlan *plan) {
    Region *region = of->region;
    const LoopGroup *group = &plan->group;
    LoopBlocks it = {
        .plan = plan, .group = group, .module = context->module, .scratch = of->scratch};
    it.outputs = list_group_outputs(of->scratch, group);
    it.whole = value_map_new(of->scratch, region->function);
    Builder b = builder_at(region, region->function->span);
    region->first = region->last = NULL;
    for (int late = 0; late < 2; late++) {
        for (int k = 0; k < of->count; k++) {
            if (!group->inside[k] && group->late[k] == (late != 0)) {
                of->insts[k]->parent = NULL;
                inst_append(region, of->insts[k]);
            }
        }
        if (late == 0) {
            build_group(&it, &b);
        }
    }
    for (int k = 0; k < of->count; k++) {
        if (!group->inside[k]) {
            map_inst_uses(&it.whole, of->insts[k]);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        region->yields.at[i] = value_map_get(&it.whole, region->yields.at[i]);
    }
}

// ---- the pass

typedef struct LoopSearch {
    PassContext *context;
    int64_t large;
    int left; // groups that may still be made
    Arena arena;
    VEC(const Inst *) refused; // loops that no group grows from
} LoopSearch;

static bool is_refused(const LoopSearch *search, const Inst *loop) {
    for (int i = 0; i < search->refused.count; i++) {
        if (search->refused.at[i] == loop) {
            return true;
        }
    }
    return false;
}

static bool block_result(const LoopSearch *search, const RowRegion *of, const Value *seed) {
    bool is_worth =
        type_is_static(seed->type) && (int64_t)type_bytes(seed->type) * LEAST_SHARE >= of->large;
    bool found = false;
    for (int axis = 0; is_worth && axis < seed->type.rank && !found; axis++) {
        Arena trial = {0};
        RowRegion region = *of;
        LoopPlan plan;
        region.scratch = &trial;
        found = plan_loop_axis(&plan, &region, seed, axis);
        if (found) {
            rewrite_loops(search->context, &region, &plan);
        }
        arena_free(&trial);
    }
    return found;
}

static bool block_results(LoopSearch *search, const RowRegion *of, const Inst *loop) {
    if (is_refused(search, loop)) {
        return false;
    }
    for (int i = 0; i < loop->result_count; i++) {
        if (block_result(search, of, loop->results[i])) {
            return true;
        }
    }
    vec_push(&search->arena, &search->refused, loop);
    return false;
}

static bool block_loops_once(LoopSearch *search, Region *region) {
    Arena scratch = {0};
    RowRegion of = row_region_new(&scratch, region, search->large);
    bool found = false;
    for (int k = 0; k < of.count && !found; k++) {
        found = of.insts[k]->op == OP_loop && block_results(search, &of, of.insts[k]);
    }
    arena_free(&scratch);
    return found;
}

static bool has_loops(const Region *region) {
    for_each_inst(inst, region) {
        if (inst->op == OP_loop) {
            return true;
        }
    }
    return false;
}

static void block_loops_in(LoopSearch *search, Region *region) {
    while (search->left > 0 && has_loops(region) && block_loops_once(search, region)) {
        search->left--;
    }
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->region_count; i++) {
            block_loops_in(search, inst->regions[i]);
        }
    }
}

void pass_block_loops(PassContext *context, Function *function) {
    LoopSearch search = {.context = context,
                         .large = context->number > 0 ? context->number : LARGE_VALUE,
                         .left = MOST_GROUPS};
    block_loops_in(&search, function->body);
    arena_free(&search.arena);
}
