// See loop_plan.h.
#include "passes/loop_plan.h"

#include "passes/match.h"
#include "passes/row_layout.h"

// Shares of what is large, which is what a cache of level 2 has.
enum {
    NEAR_SHARE = 40,         // what stays in a cache of level 1
    SUMS_SHARE = 16,         // all blocks' sums that are stacked and added at the end
    CALL_SHARE = 1 << 10,    // what could be moved while an iteration begins for one more block
    ELEMENTS_SHARE = 1 << 12 // elements that a block's values have at least in the near cache
};

enum {
    FEWEST_ROWS = 32, // of a block where contractions read them
    FEWEST_NEAR = 64, // of a block in the near cache
    FEWEST_LAST = 64, // of a block that has its rows last
    SUM_CHUNKS = 8,   // loops that carry large sums
    MANY_BLOCKS = 16, // for threads to have about the same to do, be they odd or even
    LONG_SUM = 8192,  // terms of f32 that may be added one by one
    VECTOR_BYTES = 64,
    LONG_ROW = 512, // bytes: a vector that is not full does not matter
};

// What blocks of rows are worth, in bytes that are moved between caches.
typedef struct LoopTraffic {
    double touched; // by an iteration, of one row, in the loop that touches most
    double moved;   // by all iterations, of one row
    double kept;    // of one row, until the group ends
    double whole;   // that each block reads and adds to
    double sums;    // bytes that the group's sums take
    double calls;   // iterations times instructions that move
    bool has_contractions;
    bool has_short_sums; // f32
} LoopTraffic;

GroupOutputs list_group_outputs(Arena *scratch, const LoopGroup *group) {
    int most = 0;
    for (int k = 0; k < group->of->count; k++) {
        most += group->inside[k] ? group->of->insts[k]->result_count : 0;
    }
    GroupOutputs list = {arena_array(scratch, GroupOutput, most + 1), 0, 0};
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < group->of->count; k++) {
            const Inst *inst = group->of->insts[k];
            for (int i = 0; i < inst->result_count && group->inside[k]; i++) {
                const Value *value = inst->results[i];
                bool is_sum = group->kind[value->id] == GROUP_SUM;
                bool gathers = is_sum && inst->op == OP_loop && i < inst->attr.carried;
                if (is_sum == (pass == 0) && (gathers || is_needed_outside(group, value))) {
                    list.at[list.count++] = (GroupOutput){gathers ? inst : NULL, i, value, is_sum};
                    list.sums += is_sum;
                }
            }
        }
    }
    return list;
}

static double bytes_of_row(const LoopGroup *group, const Value *value) {
    return (double)type_bytes(value->type) / (double)group->rows;
}

// What is most likely in memory: operands and results of what is not fused with its readers.
static bool is_moved(const Inst *inst) {
    return inst->op == OP_contract || inst->op == OP_reduce_sum || inst->op == OP_reduce_max ||
           inst->op == OP_reduce_min || inst->op == OP_scatter_add || inst->op == OP_scatter_set;
}

static double touched_by(const LoopGroup *group, const Inst *inst) {
    double bytes = 0;
    for (int i = 0; i < inst->operand_count && inst->op == OP_contract; i++) {
        bytes += has_rows_in(group, inst->operands[i]) ? bytes_of_row(group, inst->operands[i]) : 0;
    }
    bool is_row = inst->op == OP_contract && has_rows_in(group, inst->results[0]);
    return bytes + (is_row ? bytes_of_row(group, inst->results[0]) : 0);
}

static void count_loop(const LoopGroup *group, const Inst *loop, double trips, LoopTraffic *it) {
    const Region *body = loop->regions[0];
    double touched = 0;
    trips *= (double)dim_value(loop->attr.trip);
    for (int i = 0; i < loop->result_count; i++) {
        const Value *next = body->yields.at[i];
        if (has_rows_in(group, next)) {
            // A value of which each iteration changes a row is touched there alone.
            bool is_part = next->definition != NULL && next->definition->op == OP_scatter_set;
            const Value *part = is_part ? next->definition->operands[1] : next;
            touched += 2 * (has_rows_in(group, part) ? bytes_of_row(group, part) : 0);
            it->kept +=
                i >= loop->attr.carried || is_part ? bytes_of_row(group, loop->results[i]) : 0;
        }
        it->calls += trips;
    }
    for_each_inst(inst, body) {
        if (inst->op == OP_loop && has_rows_inside(group, inst)) {
            count_loop(group, inst, trips, it);
            continue;
        }
        touched += touched_by(group, inst);
        it->calls += is_moved(inst) ? trips : 0;
        bool adds = inst->result_count == 1 && group->kind[inst->results[0]->id] == GROUP_SUM;
        it->whole += adds ? 2 * trips * (double)type_bytes(inst->results[0]->type) : 0;
        if (inst->op == OP_contract) {
            it->has_contractions = true;
            for (int i = 0; i < 2; i++) {
                it->whole += group->kind[inst->operands[i]->id] == GROUP_WHOLE
                                 ? trips * (double)type_bytes(inst->operands[i]->type)
                                 : 0;
            }
        }
    }
    it->moved += trips * touched;
    it->touched = touched > it->touched ? touched : it->touched;
}

static LoopTraffic count_traffic(const LoopGroup *group) {
    LoopTraffic it = {0};
    for (int k = 0; k < group->of->count; k++) {
        const Inst *inst = group->of->insts[k];
        if (!group->inside[k]) {
            continue;
        }
        if (inst->op == OP_loop) {
            count_loop(group, inst, 1, &it);
        }
        it.has_contractions = it.has_contractions || inst->op == OP_contract;
        for (int i = 0; i < inst->result_count; i++) {
            const Value *result = inst->results[i];
            if (group->kind[result->id] == GROUP_SUM) {
                it.sums += (double)type_bytes(result->type);
                it.has_short_sums = it.has_short_sums || result->type.element == TYPE_F32;
            } else if (is_needed_outside(group, result)) {
                it.moved -= 2 * bytes_of_row(group, result);
            }
        }
    }
    return it;
}

static bool is_few(const LoopPlan *plan, int64_t size) {
    return plan->chunks == 1 && plan->group.rows / size < MANY_BLOCKS;
}

// Twice the rows that one of two threads computes more than its half, of blocks of `size` rows and
// of what they leave, which one thread computes. Of few blocks smaller ones leave more room in the
// cache.
static int64_t size_cost(const LoopPlan *plan, int64_t size) {
    int64_t rows = plan->group.rows, blocks = rows / (plan->chunks * size);
    int64_t rest = rows - blocks * plan->chunks * size;
    bool few = is_few(plan, size);
    return rest + (few && blocks % 2 != 0 ? size : 0) + (few ? size / 2 : 0);
}

// Blocks of `block` rows, or a bit less, that leave few rows behind them; few blocks are an even
// number, for which they may be smaller.
static void cut_rows(LoopPlan *plan, int64_t block) {
    int64_t rows = plan->group.rows, least = INT64_MAX, step = block >= 64 ? 8 : 1;
    int64_t largest = block / step * step;
    for (int64_t size = largest; 2 * size >= largest && size > 0; size -= step) {
        int64_t cost = size_cost(plan, size);
        if (cost < least && (is_few(plan, size) || 3 * size >= 2 * largest)) {
            least = cost;
            plan->block = size;
        }
    }
    plan->blocks = rows / (plan->chunks * plan->block);
    plan->rest = rows - plan->blocks * plan->chunks * plan->block;
}

// A number of rows that is meant for usual sizes.
static double at_least_rows(int64_t rows, int64_t large) {
    double least = (double)rows * (double)large / LARGE_VALUE;
    return least < 1 ? 1 : least < (double)rows ? least : (double)rows;
}

// Rows of a block that stay in the near cache from one iteration to the next, or at least in that
// of level 2 from the first loop to the last; 0: none.
static int64_t choose_block(const LoopGroup *group, const LoopTraffic *it, int64_t large) {
    double all = it->touched + it->kept, rows = (double)group->rows;
    double near = (double)large / NEAR_SHARE / all;
    double fewest = it->has_contractions ? at_least_rows(FEWEST_ROWS, large) : 1;
    double elements = it->touched / 8;
    if (near >= at_least_rows(FEWEST_NEAR, large) &&
        near * (elements > 1 ? elements : 1) >= (double)large / ELEMENTS_SHARE) {
        return near < rows ? (int64_t)near : 0;
    }
    double far = 0.75 * (double)large / all;
    return far >= fewest && far < rows ? (int64_t)far : 0;
}

// ---- layout

typedef struct RowLengths {
    double fitting, others; // bytes of rows that fill vectors, and of those that do not
    bool can_move;          // all rows can be last
} RowLengths;

static void measure_rows(const LoopGroup *group, const Value *value, RowLengths *it) {
    Place place = group->place[value->id];
    if (!has_rows(place)) {
        return;
    }
    int64_t bytes = (int64_t)element_bytes(value->type.element) * place.minor;
    for (int i = place.axis + 1; i < value->type.rank; i++) {
        bytes *= dim_value(value->type.dims[i]);
    }
    bool is_short = bytes < LONG_ROW && bytes % VECTOR_BYTES != 0;
    if (place.axis < value->type.rank - 1) {
        *(is_short ? &it->others : &it->fitting) += bytes_of_row(group, value);
    }
}

static void measure_inst(const LoopGroup *group, const Inst *inst, RowLengths *it) {
    for (int i = 0; i < inst->result_count; i++) {
        measure_rows(group, inst->results[i], it);
    }
    bool is_plain = inst->region_count == 0 && inst->result_count == 1;
    if (is_plain && (has_rows(group->place[inst->results[0]->id]) || reads_rows_of(group, inst))) {
        it->can_move = it->can_move && can_put_rows_last(inst, group->place[inst->results[0]->id],
                                                         group_places(group, inst));
    }
    for (int i = 0; i < inst->region_count; i++) {
        for_each_inst(inner, inst->regions[i]) {
            measure_inst(group, inner, it);
        }
    }
}

// Whether vectors had better go over rows than over what is in them.
static bool prefers_rows_last(const LoopGroup *group) {
    RowLengths it = {.can_move = true};
    for (int k = 0; k < group->of->count; k++) {
        if (group->inside[k] || group->free[k]) {
            measure_inst(group, group->of->insts[k], &it);
        }
    }
    return it.can_move && it.others > it.fitting;
}

// False if the group is not worth a loop.
static bool choose_loop_plan(LoopPlan *plan, int64_t large) {
    const LoopGroup *group = &plan->group;
    LoopTraffic it = count_traffic(group);
    if (list_group_outputs(group->of->scratch, group).count == 0) {
        return false; // nobody needs it
    }
    int64_t block = choose_block(group, &it, large);
    if (it.touched <= 0 || block < 1 || group->rows < 2 * block) {
        return false;
    }
    double count = (double)(group->rows / block);
    bool is_large_sum = it.sums * count > (double)large / SUMS_SHARE;
    plan->chunks = is_large_sum && group->rows >= SUM_CHUNKS * block ? SUM_CHUNKS : 1;
    if (is_large_sum && it.has_short_sums && group->rows / plan->chunks > LONG_SUM) {
        return false;
    }
    cut_rows(plan, block);
    plan->rows_last =
        (double)plan->block >= at_least_rows(FEWEST_LAST, large) && prefers_rows_last(group);
    plan->gain = (it.moved + 2 * it.kept) * (double)group->rows -
                 count * (it.whole + it.calls * (double)large / CALL_SHARE);
    return plan->blocks > 0 && plan->rest <= 2 * block && plan->gain > 0;
}

bool plan_loop_axis(LoopPlan *plan, const RowRegion *of, const Value *seed, int axis) {
    *plan = (LoopPlan){.block = 0};
    return dim_value(seed->type.dims[axis]) > 1 && find_loop_group(&plan->group, of, seed, axis) &&
           choose_loop_plan(plan, of->large);
}
