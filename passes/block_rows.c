// Computes large values block by block, where they have rows that are read one by one: the scores
// of attention, the distances of all points from all centroids. A group of instructions that share
// rows (row_groups.h) becomes a loop over blocks of rows, so that what lies between the
// instructions is as small as a block and stays in the cache. What others need of the group is
// stacked; sums over rows are carried. Rows that do not fill a block are computed behind the loop.
//
// So do large operands that several instructions read, as the examples of a linear model: a block
// of their rows stays in the cache from the first reader to the last.
//
// Bodies of the loops are looked at in their turn: the first loop may be over a batch, one in it
// over rows.
#include <string.h>

#include "ir/edit.h"
#include "passes/match.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/row_groups.h"

enum {
    FEWEST_ROWS = 16,       // in a block, where each block reads other operands from end to end,
    ENOUGH_BYTES = 1 << 17, // or so many bytes
    SMALL_SUM = 1 << 16,    // bytes of all blocks' sums that are stacked and added at the end
    SMALL_SHARE = 32,       // or this part of the operand's
    NEAR = 1 << 18,         // bytes of operands that stay in the cache from block to block
    FAR = 1 << 24,          // those that do not even stay in the last level's
    SHORTEST_PIECE = 256,   // bytes
    LONG_SUM = 8192,        // terms of f32 that are gathered in f64
    WHOLE_ROWS = 16,        // of an operand: vectors of values, one for each row, are whole
    MANY_ROWS = 64,         // in a block, of which two are in the first cache then
    FEW_CHUNKS = 8,    // that threads can share out evenly: loops that carry sums, one behind the
    MOST_CHUNKS = 16,  // other, or blocks
    FEWEST_BLOCKS = 4, // of each such loop that has several
    MOST_GROUPS = 1 << 10 // in a function
};

// What one block's loop over the group is worth, in bytes that go to memory and back.
typedef struct Plan {
    RowGroup group;
    int64_t block, blocks, rest; // rows in a block, blocks, rows behind them
    double gain;
} Plan;

// ---- choosing

typedef struct Traffic {
    double saved;     // bytes that are neither stored nor read
    int readers;      // contractions that read the group's operand, and one for all others
    bool others;      // some of the readers are none
    double row;       // bytes in each row of what is neither
    double whole;     // bytes that each block reads from end to end
    double again;     // bytes that could have been moved while values are computed again
    bool *seen_whole; // by value id
} Traffic;

static void count_whole(const RowGroup *group, const bool *inside, const Inst *inst, Traffic *it) {
    Place *places = places_of_operands(group, inst);
    for (int i = 0; i < inst->operand_count; i++) {
        const Value *value = inst->operands[i];
        if (has_rows(places[i]) || it->seen_whole[value->id] ||
            is_computed_in(group, inside, value, places[i])) {
            continue;
        }
        it->seen_whole[value->id] = true;
        it->whole += (double)type_bytes(value->type);
    }
}

static void count_inst(const RowGroup *group, const bool *inside, int number, int phase,
                       Traffic *it) {
    // A product takes a tenth of the time that 4 bytes take from and to memory.
    static const double bytes_per_product = 0.4;
    const Inst *inst = group->of->insts[number];
    const Value *value = inst->results[0];
    double bytes = (double)type_bytes(value->type);
    bool is_again = group->member[number] && group->phase[number] < phase;
    count_whole(group, inside, inst, it);
    if (group->kind[number] == ROW_SUM) {
        it->whole += 2 * bytes;
    } else if (is_seed(group->of, value) && !group->stored[value->id]) {
        it->row += bytes / (double)group->rows;
        it->saved += is_again ? bytes : 2 * bytes;
    } else if (is_repeated(group->of, value) && !group->stored[value->id]) {
        it->row += bytes / (double)group->rows;
    } else if (group->of->derived[value->id] && group->stored[value->id] && !is_again) {
        it->saved -=
            is_seed(group->of, value) ? 0 : 2 * bytes; // would perhaps be in no memory else
    }
    if (is_again) {
        it->again += (double)contraction_length(inst) * (double)type_elements(value->type) *
                     bytes_per_product;
    }
}

// Of the group's operand: all but the first of its readers in a phase find it in the cache.
static void count_operand(const RowGroup *group, const Inst *inst, Traffic *it) {
    const Value *result = inst->results[0];
    bool is_contraction = inst->op == OP_contract;
    if (reads_operand(group, inst) && (is_contraction || !it->others)) {
        it->saved += (double)type_bytes(group->operand->type) * (it->readers > 0);
        it->row = (double)type_bytes(group->operand->type) / (double)group->rows;
        it->readers++;
        it->others = it->others || !is_contraction;
    }
    if (has_rows(group->place[result->id]) && is_large(group->of, result) &&
        group->stored[result->id]) {
        it->saved -= 2 * (double)type_bytes(result->type);
    }
}

// Parts of rows, or of blocks, all of one size; rather an even number of them. 0: there are none.
static int64_t count_chunks(int64_t rows) {
    int64_t odd = 0;
    for (int64_t chunks = FEW_CHUNKS; chunks <= MOST_CHUNKS; chunks++) {
        if (rows % chunks == 0 && chunks % 2 == 0) {
            return chunks;
        }
        odd = rows % chunks == 0 && odd == 0 ? chunks : odd;
    }
    return odd;
}

// The rows of blocks of which each of the chunks has one or several; 0: there are none. Where fewer
// blocks than chunks would do, smaller ones: threads that compute one each have hardly more in the
// cache then. But each chunk gets temporaries of its own, so the workspace is larger.
static int64_t block_of_chunks(int64_t rows, int64_t chunks, int64_t fewest, int64_t fitting) {
    if (chunks == 0) {
        return 0;
    }
    int64_t share = rows / chunks;
    if (fitting <= share) {
        int64_t block = largest_divisor(share, fitting);
        return 2 * block >= fitting ? block : 0;
    }
    int64_t most = (fitting + chunks - 1) / chunks;
    int64_t block = largest_divisor(share, most > fewest ? most : fewest);
    return block >= fewest && 2 * block >= most ? block : 0;
}

// Of a block that is to be worth what each block reads from end to end.
static int64_t fewest_rows(double row) {
    int64_t enough = (int64_t)(ENOUGH_BYTES / row) + 1;
    return enough < FEWEST_ROWS ? enough : FEWEST_ROWS;
}

// A block's rows: as many as fit, but so many that what each block reads from end to end is at most
// twice as much as they are; rather a number that divides that of all rows, and of the rows of each
// chunk where there are sums, or few blocks.
static int64_t choose_block(int64_t rows, bool sums, double row, double whole, int64_t room) {
    int64_t few = fewest_rows(row), chunks = count_chunks(rows);
    double most = (double)room / row, least = whole > NEAR ? whole / 2 / row : 1;
    double wanted = most > least ? most : least;
    int64_t fitting = wanted >= (double)rows ? rows : (int64_t)wanted;
    fitting = whole > NEAR && fitting < few ? few : fitting;
    if (fitting >= rows) {
        return rows;
    }
    few = (double)few < least ? (int64_t)least : few;
    int64_t even =
        sums || fitting * chunks > rows ? block_of_chunks(rows, chunks, few, fitting) : 0;
    int64_t divisor = even > 0 ? even : largest_divisor(rows, fitting);
    if (even > 0 || 2 * divisor >= fitting) {
        return divisor;
    }
    return fitting >= 8 ? fitting / 8 * 8 : fitting;
}

// The same for rows of an operand, of which there are many blocks: the values that are made of a
// row fill vectors, and the rows that are left are few.
static int64_t choose_operand_block(int64_t rows, bool sums, double row, double whole,
                                    int64_t room) {
    bool halve = (double)room / 2 >= MANY_ROWS * row && (double)room / 2 >= 4 * whole;
    room = halve ? room / 2 : room;
    int64_t block = choose_block(rows, sums, row, whole, room);
    int64_t full = (int64_t)((double)room / row) / WHOLE_ROWS * WHOLE_ROWS;
    bool many = full > WHOLE_ROWS && rows >= MANY_ROWS * FEW_CHUNKS * full;
    return many && block % WHOLE_ROWS != 0 ? full : block;
}

static double traffic_weight(double whole) {
    return whole <= NEAR ? 0 : whole <= FAR ? 0.25 : 0.5;
}

// Bytes that a block may have: of derived values a bit more than a cache of level 2 has, of an
// operand half of level 1, but several times what else each block reads and adds to. 0: too large.
static int64_t room_of_block(const Plan *plan, double whole, int64_t large) {
    if (plan->group.operand == NULL) {
        return large + large / 2;
    }
    int64_t least = 4 * (int64_t)whole;
    return least > large / 2 ? 0 : least > large / 64 ? least : large / 64;
}

// Whether a block of the operand is made of pieces of memory that are long enough to be read as
// fast as if they were one.
static bool has_long_pieces(const Plan *plan) {
    const Value *operand = plan->group.operand;
    int64_t bytes = plan->block * (int64_t)element_bytes(operand->type.element);
    for (int i = plan->group.place[operand->id].axis + 1; i < operand->type.rank; i++) {
        bytes *= dim_value(operand->type.dims[i]);
    }
    return bytes >= SHORTEST_PIECE;
}

// False if the group is not worth a loop.
static bool choose_plan(Plan *plan, int64_t large) {
    const RowGroup *group = &plan->group;
    const RowRegion *of = group->of;
    double row = 0, whole = 0, widest = 0, saved = 0, again = 0;
    bool sums = false;
    for (int phase = 0; phase < group->phases; phase++) {
        bool *inside = instructions_of_phase(group, phase);
        Traffic it = {.seen_whole =
                          arena_array(of->scratch, bool, of->region->function->value_count)};
        for (int k = 0; k < of->count; k++) {
            if (inside[k]) {
                count_inst(group, inside, k, phase, &it);
                sums = sums || group->kind[k] == ROW_SUM;
            }
            if (inside[k] && group->operand != NULL) {
                count_operand(group, of->insts[k], &it);
            }
        }
        row = it.row > row ? it.row : row;
        whole += it.whole;
        widest = it.whole > widest ? it.whole : widest;
        saved += it.saved;
        again += it.again;
    }
    if (row <= 0) {
        return false;
    }
    int64_t room = room_of_block(plan, widest, large);
    plan->block = room == 0 ? group->rows
                  : group->operand == NULL
                      ? choose_block(group->rows, sums, row, widest, room)
                      : choose_operand_block(group->rows, sums, row, widest, room);
    plan->blocks = group->rows / plan->block;
    if (sums && group->operand != NULL && plan->blocks > MANY_ROWS * FEW_CHUNKS) {
        plan->blocks -= plan->blocks % FEW_CHUNKS;
    }
    plan->rest = group->rows - plan->blocks * plan->block;
    double repeated = (double)(plan->blocks - 1) * whole * traffic_weight(whole);
    plan->gain = saved - again - repeated;
    return plan->blocks > 1 && plan->gain > 0 && (group->operand == NULL || has_long_pieces(plan));
}

static bool plan_axis(Plan *plan, const RowRegion *of, const Value *seed, int axis) {
    *plan = (Plan){.block = 0};
    return dim_value(seed->type.dims[axis]) > 1 && find_row_group(&plan->group, of, seed, axis) &&
           choose_plan(plan, of->large);
}

// The best loop around a seed, or none.
static bool find_plan(Plan *best, const RowRegion *of, const Value *seed) {
    int found = NOWHERE;
    double gain = 0;
    for (int axis = 0; axis < seed->type.rank; axis++) {
        Arena trial = {0};
        RowRegion region = *of;
        Plan plan;
        region.scratch = &trial;
        if (plan_axis(&plan, &region, seed, axis) && plan.gain > gain) {
            gain = plan.gain;
            found = axis;
        }
        arena_free(&trial);
    }
    return found != NOWHERE && plan_axis(best, of, seed, found);
}

// ---- rewriting

typedef struct Blocks {
    const Plan *plan;
    const RowGroup *group;
    Module *module;
    ValueMap whole; // what stands for values of the group outside
    int done;       // phases whose loops are there
} Blocks;

// One block of a phase.
typedef struct Block {
    const bool *inside;
    Value *number; // in a loop; NULL: the rest
    Value *start;  // its first row
    int64_t rows;
    ValueMap values; // what is computed in it
    struct Taken {
        const Value *from;
        Place place;
        Value *rows;
    } * taken;
    int taken_count;
} Block;

// The rows of a value that is not computed in the block.
static Value *take_rows(Blocks *it, Builder *b, Block *block, const Value *value, Place place) {
    Value *whole = value_map_get(&it->whole, value);
    const Plan *plan = it->plan;
    if (!has_rows(place)) {
        return whole;
    }
    for (int i = 0; i < block->taken_count; i++) {
        if (block->taken[i].from == value && places_equal(block->taken[i].place, place)) {
            return block->taken[i].rows;
        }
    }
    int64_t full = plan->blocks * plan->block;
    Value *rows = block->number == NULL ? slice_rows(b, whole, place, full, plan->rest)
                                        : take_block(b, slice_rows(b, whole, place, 0, full), place,
                                                     plan->blocks, plan->block, block->number);
    block->taken[block->taken_count++] = (struct Taken){value, place, rows};
    return rows;
}

static void compute_block(Blocks *it, Builder *b, Block *block) {
    const RowRegion *of = it->group->of;
    int reads = 0;
    for (int k = 0; k < of->count; k++) {
        reads += block->inside[k] ? of->insts[k]->operand_count : 0;
    }
    block->taken = arena_array(of->scratch, struct Taken, reads + 1);
    block->values = value_map_new(of->scratch, of->region->function);
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        if (!block->inside[k]) {
            continue;
        }
        Place *places = places_of_operands(it->group, inst);
        Value **operands = arena_array(of->scratch, Value *, inst->operand_count + 1);
        b->span = inst->span;
        for (int i = 0; i < inst->operand_count; i++) {
            const Value *value = inst->operands[i];
            operands[i] = is_computed_in(it->group, block->inside, value, places[i])
                              ? value_map_get(&block->values, value)
                              : take_rows(it, b, block, value, places[i]);
        }
        const Value *result = inst->results[0];
        Value *made = it->group->kind[k] == ROW_MAP
                          ? build_rows_of(b, inst, operands, it->group->place[result->id],
                                          block->rows, block->start)
                          : build_op(b, inst->op, operands, inst->operand_count, &inst->attr);
        value_map_set(&block->values, result, made);
    }
}

typedef enum OutputKind { OUTPUT_CARRIED, OUTPUT_PARTS, OUTPUT_ROWS } OutputKind;

typedef struct Output {
    const Inst *inst;
    OutputKind kind;
    Value *whole;
} Output;

typedef struct Outputs {
    Output *at;
    int count, carried;
} Outputs;

// What the loop of a phase gives: those that it carries first.
static Outputs list_outputs(const Blocks *it, int phase) {
    const RowGroup *group = it->group;
    const RowRegion *of = group->of;
    Outputs list = {arena_array(of->scratch, Output, of->count), 0, 0};
    double operand = group->operand == NULL ? 0 : (double)type_bytes(group->operand->type);
    double few = operand / SMALL_SHARE > SMALL_SUM ? operand / SMALL_SHARE : SMALL_SUM;
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < of->count; k++) {
            const Inst *inst = of->insts[k];
            if (!group->member[k] || group->phase[k] != phase ||
                !group->stored[inst->results[0]->id]) {
                continue;
            }
            double bytes = (double)type_bytes(inst->results[0]->type);
            OutputKind kind = group->kind[k] == ROW_MAP                 ? OUTPUT_ROWS
                              : bytes * (double)it->plan->blocks <= few ? OUTPUT_PARTS
                                                                        : OUTPUT_CARRIED;
            if ((kind == OUTPUT_CARRIED) == (pass == 0)) {
                list.at[list.count++] = (Output){inst, kind, NULL};
                list.carried += pass == 0;
            }
        }
    }
    return list;
}

// What a sum over rows is gathered in: many parts of f32 in f64.
static ElementType gathered_in(const Blocks *it, const Value *sum) {
    bool is_long = sum->type.element == TYPE_F32 && it->group->rows > LONG_SUM;
    return is_long ? TYPE_F64 : sum->type.element;
}

static Value *scalar_index(Builder *b, int64_t value) {
    return build_scalar_integer(b, TYPE_I64, value);
}

// Blocks one after the other; `chunk`: of several such loops, each with sums of its own, or NULL.
static Inst *build_block_loop(Blocks *it, Builder *b, const bool *inside, const Outputs *outputs,
                              int64_t blocks, Value *chunk) {
    const Plan *plan = it->plan;
    Value **initial = arena_array(it->group->of->scratch, Value *, outputs->carried + 1);
    for (int i = 0; i < outputs->carried; i++) {
        const Value *sum = outputs->at[i].inst->results[0];
        Type type = sum->type;
        type.element = gathered_in(it, sum);
        initial[i] = build_full(b, type, 0);
    }
    Inst *loop =
        build_loop(b, dim_constant(it->module->dims, blocks), initial, outputs->carried, NULL);
    Region *body = loop->regions[0];
    Builder inner = builder_at(body, b->span);
    Block block = {.inside = inside, .number = body->parameters.at[0], .rows = plan->block};
    if (chunk != NULL) {
        Value *first = build_mul(&inner, chunk, scalar_index(&inner, blocks));
        block.number = build_add(&inner, first, block.number);
    }
    block.start = build_mul(&inner, block.number, scalar_index(&inner, plan->block));
    compute_block(it, &inner, &block);
    for (int i = 0; i < outputs->count; i++) {
        Value *value = value_map_get(&block.values, outputs->at[i].inst->results[0]);
        if (i < outputs->carried) {
            Value *before = body->parameters.at[i + 1];
            value = build_add(&inner, before, build_cast(&inner, value, before->type.element));
        }
        vec_push(it->module->arena, &body->yields, value);
    }
    loop_finish(loop);
    return loop;
}

// Where sums are carried, threads can share out several loops that have sums of their own. With two
// or three blocks in each, the temporaries of so many chunks would cost more than that saves.
static int64_t chunks_of(const Blocks *it, const Outputs *outputs) {
    int64_t blocks = it->plan->blocks, chunks = count_chunks(blocks);
    bool is_even = outputs->carried > 0 && chunks > 0;
    return is_even && (blocks == chunks || blocks >= FEWEST_BLOCKS * chunks) ? chunks : 1;
}

static Inst *build_chunks(Blocks *it, Builder *b, const bool *inside, const Outputs *outputs,
                          int64_t chunks) {
    Inst *loop = build_loop(b, dim_constant(it->module->dims, chunks), NULL, 0, NULL);
    Region *body = loop->regions[0];
    Builder inner = builder_at(body, b->span);
    const Inst *blocks = build_block_loop(it, &inner, inside, outputs, it->plan->blocks / chunks,
                                          body->parameters.at[0]);
    for (int i = 0; i < outputs->count; i++) {
        vec_push(it->module->arena, &body->yields, blocks->results[i]);
    }
    loop_finish(loop);
    return loop;
}

// The stacks that chunks have stacked, as one.
static Value *join_stacks(const Blocks *it, Builder *b, Value *stack) {
    int rank = stack->type.rank - 1;
    const Dim **dims = arena_array(it->module->arena, const Dim *, rank);
    for (int i = 0; i < rank; i++) {
        dims[i] = stack->type.dims[i + 1];
    }
    dims[0] = dim_constant(it->module->dims, it->plan->blocks);
    return build_reshape(b, stack, (Dims){dims, rank});
}

// What stands for the results of a phase, from its loop and the block behind it.
static void join_outputs(Blocks *it, Builder *b, const Inst *loop, bool has_chunks,
                         const Block *rest, const Outputs *outputs) {
    int first = 0;
    for (int i = 0; i < outputs->count; i++) {
        const Output *output = &outputs->at[i];
        const Value *old = output->inst->results[0];
        Value *whole = loop->results[i];
        if (has_chunks && output->kind != OUTPUT_CARRIED) {
            whole = join_stacks(it, b, whole);
        }
        if (output->kind == OUTPUT_PARTS || (has_chunks && output->kind == OUTPUT_CARRIED)) {
            whole = build_reduce(b, OP_reduce_sum, whole, &first, 1);
        }
        Place place = it->group->place[old->id];
        if (output->kind == OUTPUT_ROWS) {
            whole = join_blocks(b, whole, place);
        }
        if (rest != NULL) {
            Value *last = value_map_get(&rest->values, old);
            whole = output->kind == OUTPUT_ROWS
                        ? build_concat(b, (Value *[]){whole, last}, 2, place.axis)
                        : build_add(b, whole, build_cast(b, last, whole->type.element));
        }
        whole = build_cast(b, whole, old->type.element);
        whole->name = old->name;
        value_map_set(&it->whole, old, whole);
    }
}

static void build_phase(Blocks *it, Builder *b) {
    const Plan *plan = it->plan;
    bool *inside = instructions_of_phase(it->group, it->done);
    Outputs outputs = list_outputs(it, it->done);
    int64_t chunks = chunks_of(it, &outputs);
    const Inst *loop = chunks > 1 ? build_chunks(it, b, inside, &outputs, chunks)
                                  : build_block_loop(it, b, inside, &outputs, plan->blocks, NULL);
    Block rest = {.inside = inside, .rows = plan->rest};
    if (plan->rest > 0) {
        rest.start = scalar_index(b, plan->blocks * plan->block);
        compute_block(it, b, &rest);
    }
    join_outputs(it, b, loop, chunks > 1, plan->rest > 0 ? &rest : NULL, &outputs);
    it->done++;
}

static bool is_gone(const RowGroup *group, int k) {
    return group->member[k] || !group->outside[k];
}

// Appends what has waited for the loops that are there now.
static void append_waiting(Blocks *it, Region *region, bool *waits, int before) {
    const RowGroup *group = it->group;
    for (int k = 0; k < before; k++) {
        if (waits[k] && group->phase[k] < it->done) {
            waits[k] = false;
            inst_append(region, group->of->insts[k]);
        }
    }
}

static int last_member(const RowGroup *group, int phase) {
    int last = -1;
    for (int k = 0; k < group->of->count; k++) {
        last = group->member[k] && group->phase[k] == phase ? k : last;
    }
    return last;
}

// Instructions stay in their order, but for those that wait for the loop of their phase, which
// stands where the last instruction of the phase has been. An earlier phase always comes first.
static void rewrite_region(PassContext *context, const RowRegion *of, const Plan *plan) {
    Region *region = of->region;
    const RowGroup *group = &plan->group;
    Blocks it = {.plan = plan, .group = group, .module = context->module};
    it.whole = value_map_new(of->scratch, region->function);
    bool *waits = arena_array(of->scratch, bool, of->count);
    Builder b = builder_at(region, region->function->span);
    region->first = region->last = NULL;
    for (int k = 0; k < of->count; k++) {
        Inst *inst = of->insts[k];
        b.span = inst->span;
        if (!is_gone(group, k) && group->phase[k] < it.done) {
            inst->parent = NULL;
            inst_append(region, inst);
        } else if (!is_gone(group, k)) {
            inst->parent = NULL;
            waits[k] = true;
        }
        while (it.done < group->phases && k >= last_member(group, it.done)) {
            build_phase(&it, &b);
            append_waiting(&it, region, waits, k + 1);
        }
    }
    // What stands outside reads the group's values only now: a later phase may have computed the
    // same instruction again, from what it had read.
    for (int k = 0; k < of->count; k++) {
        if (!is_gone(group, k)) {
            map_inst_uses(&it.whole, of->insts[k]);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        region->yields.at[i] = value_map_get(&it.whole, region->yields.at[i]);
    }
}

// ---- the pass

// A region whose groups become loops, one after the other.
typedef struct Search {
    int64_t large;
    int left;       // groups
    bool *rejected; // by value id: seeds that are worth no loop
    int count;      // of values when the pass began
} Search;

static bool is_open(const Search *search, const RowRegion *of, const Inst *inst) {
    return inst->result_count == 1 && is_seed(of, inst->results[0]) &&
           !(inst->results[0]->id < search->count && search->rejected[inst->results[0]->id]);
}

static bool find_seed(Plan *plan, const RowRegion *of, Search *search) {
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        if (!is_open(search, of, inst)) {
            continue;
        }
        if (find_plan(plan, of, inst->results[0])) {
            return true;
        }
        if (inst->results[0]->id < search->count) {
            search->rejected[inst->results[0]->id] = true;
        }
    }
    return false;
}

static bool find_operand(Plan *plan, const RowRegion *of) {
    bool *seen = arena_array(of->scratch, bool, of->value_count);
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        for (int i = 0; i < inst->operand_count; i++) {
            const Value *value = inst->operands[i];
            bool is_new = !seen[value->id];
            seen[value->id] = true;
            if (is_new && is_shared_operand(of, value) && find_plan(plan, of, value)) {
                return true;
            }
        }
    }
    return false;
}

static bool block_once(PassContext *context, Region *region, Search *search) {
    Arena scratch = {0};
    RowRegion of = row_region_new(&scratch, region, search->large);
    Plan plan = {.block = 0};
    bool found = find_seed(&plan, &of, search) || find_operand(&plan, &of);
    if (found) {
        rewrite_region(context, &of, &plan);
    }
    arena_free(&scratch);
    return found;
}

static void block_region(PassContext *context, Region *region, Search *search) {
    while (search->left > 0 && block_once(context, region, search)) {
        search->left--;
    }
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->region_count; i++) {
            block_region(context, inst->regions[i], search);
        }
    }
}

void pass_block_rows(PassContext *context, Function *function) {
    Search search = {.large = context->number > 0 ? context->number : LARGE_VALUE,
                     .left = MOST_GROUPS,
                     .count = function->value_count};
    search.rejected = arena_array(context->scratch, bool, search.count);
    block_region(context, function->body, &search);
}
