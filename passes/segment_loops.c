// See segment_loops.h. The loop's own instruction moves into the new loop, so that who knows it, or
// what lies in it, still does.
#include "passes/segment_loops.h"

#include <math.h>

#include "ir/edit.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

bool can_segment(const Inst *loop) {
    int64_t trip;
    return loop->op == OP_loop && dim_is_constant(loop->attr.trip, &trip) && trip > 2;
}

int64_t best_segment_length(int64_t trip, int64_t carried, int64_t saved) {
    double best =
        sqrt((double)trip * (double)(carried > 0 ? carried : 1) / (double)(saved > 0 ? saved : 1));
    int64_t length = best < 2 ? 2 : best > (double)(trip - 1) ? trip - 1 : (int64_t)(best + 0.5);
    for (int64_t distance = 0; distance <= length / 3; distance++) {
        if (length + distance < trip && trip % (length + distance) == 0) {
            return length + distance;
        }
        if (length - distance >= 2 && trip % (length - distance) == 0) {
            return length - distance;
        }
    }
    return length;
}

// One loop while it is segmented.
typedef struct Segmenting {
    Inst *loop; // the one that becomes the inner loop
    Inst *outer;
    Inst *checkpoint;
    Module *module;
    int64_t trip, length;
    int carried;
    bool conditional;
    Value *count; // of a counted loop, or NULL
} Segmenting;

static const Dim *constant(const Segmenting *it, int64_t value) {
    return dim_constant(it->module->dims, value);
}

static Value *integer(Builder *b, int64_t value) {
    return build_scalar_integer(b, TYPE_I64, value);
}

// How many segments a counted loop has: count / length, rounded up.
static Value *count_segments(const Segmenting *it, Builder *b) {
    Value *rounded = build_add(b, it->count, integer(b, it->length - 1));
    return build_binary(b, OP_floor_divide, rounded, integer(b, it->length));
}

// Moves the instructions behind `last` before `place`, of the same region.
static void move_before(Inst *last, Inst *place) {
    for (Inst *inst = last->next, *next; inst != NULL; inst = next) {
        next = inst->next;
        inst_insert_before(inst, place);
    }
}

static void build_outer(Segmenting *it, Builder *b, Arena *scratch) {
    Value **initial = arena_array(scratch, Value *, it->carried + 1);
    for (int i = 0; i < it->carried; i++) {
        initial[i] = it->loop->operands[i];
    }
    if (it->conditional) {
        initial[it->carried] = integer(b, 0); // iterations done
    }
    int64_t segments = (it->trip + it->length - 1) / it->length;
    Value *count = it->count ? count_segments(it, b) : NULL;
    it->outer =
        build_loop(b, constant(it, segments), initial, it->carried + it->conditional, count);
    Region *body = it->outer->regions[0];
    body->parameters.at[0]->name = "segment";
    for (int i = 0; i < it->carried; i++) {
        body->parameters.at[i + 1]->name = it->loop->regions[0]->parameters.at[i + 1]->name;
    }
}

// The condition is asked at the start of a segment too, with the number of iterations done as the
// index.
static void build_condition(const Segmenting *it, Arena *scratch) {
    const Region *condition = it->loop->regions[1];
    Region *copy = loop_add_condition(it->outer);
    ValueMap map = value_map_new(scratch, copy->function);
    value_map_set(&map, condition->parameters.at[0], copy->parameters.at[it->carried + 1]);
    for (int i = 1; i <= it->carried; i++) {
        copy->parameters.at[i]->name = condition->parameters.at[i]->name;
        value_map_set(&map, condition->parameters.at[i], copy->parameters.at[i]);
    }
    Builder b = builder_at(copy, it->loop->span);
    clone_region(&b, condition, &map);
    vec_push(it->module->arena, &copy->yields, value_map_get(&map, condition->yields.at[0]));
}

// In a region of the inner loop, the index is `start` + the index in the segment.
static void shift_index(Region *region, Value *start, Span span) {
    Value *index = region->parameters.at[0];
    Inst *first = region->first, *last = region->last;
    Builder b = builder_at(region, span);
    Value *sum = build_add(&b, start, index);
    sum->name = index->name;
    index->name = "step";
    Inst *add = sum->definition;
    replace_uses(region, index, sum);
    add->operands[1] = index;
    if (first != NULL) {
        move_before(last, first);
    }
}

// How many iterations a segment has, where that is not always its length or must be counted.
static Value *segment_count(const Segmenting *it, Builder *b, Value *start) {
    if (!it->count && it->trip % it->length == 0) {
        return it->conditional ? integer(b, it->length) : NULL;
    }
    Value *limit = it->count ? it->count : integer(b, it->trip);
    return build_binary(b, OP_minimum, build_sub(b, limit, start), integer(b, it->length));
}

static Type stack_type(const Segmenting *it, Type row) {
    const Dim **dims = arena_array(it->module->arena, const Dim *, row.rank + 1);
    dims[0] = it->loop->attr.trip;
    for (int i = 0; i < row.rank; i++) {
        dims[i + 1] = row.dims[i];
    }
    return (Type){row.element, row.rank + 1, dims};
}

// Moves the loop into the checkpoint.
static void place_inner(Segmenting *it) {
    Inst *loop = it->loop;
    Region *body = it->outer->regions[0];
    Builder b = builder_at(body, loop->span);
    it->checkpoint = build_checkpoint(&b, OP_checkpoint);
    Region *inside = it->checkpoint->regions[0];
    Builder in = builder_at(inside, loop->span);
    Value *start = build_binary(&in, OP_mul, body->parameters.at[0], integer(&in, it->length));
    Value *count = segment_count(it, &in, start);
    Value **operands = arena_array(it->module->arena, Value *, it->carried + 1);
    for (int i = 0; i < it->carried; i++) {
        operands[i] = body->parameters.at[i + 1];
    }
    operands[it->carried] = count;
    loop->operands = operands;
    loop->operand_count = it->carried + (count != NULL);
    loop->attr.counted = count != NULL;
    loop->attr.trip = constant(it, it->length);
    for (int i = it->carried; i < loop->regions[0]->yields.count; i++) {
        loop->results[i]->type = stack_type(it, loop->regions[0]->yields.at[i]->type);
    }
    inst_append(inside, loop);
    for (int i = 0; i < loop->region_count; i++) {
        shift_index(loop->regions[i], start, loop->span);
    }
}

static void yield_results(const Segmenting *it) {
    Arena *arena = it->module->arena;
    Region *inside = it->checkpoint->regions[0], *body = it->outer->regions[0];
    const Inst *loop = it->loop;
    for (int i = 0; i < loop->result_count; i++) {
        vec_push(arena, &inside->yields, loop->results[i]);
    }
    checkpoint_finish(it->checkpoint);
    Value **results = it->checkpoint->results;
    for (int i = 0; i < loop->result_count; i++) {
        results[i]->name = loop->results[i]->name;
    }
    for (int i = 0; i < it->carried; i++) {
        vec_push(arena, &body->yields, results[i]);
    }
    if (it->conditional) {
        Builder b = builder_at(body, loop->span);
        Value *done =
            build_add(&b, body->parameters.at[it->carried + 1], results[loop->result_count - 1]);
        vec_push(arena, &body->yields, done);
    }
    for (int i = it->carried; i < loop->regions[0]->yields.count; i++) {
        vec_push(arena, &body->yields, results[i]);
    }
}

// A stack of stacks of segments as the stack that the loop had.
static Value *join_stacks(const Segmenting *it, Builder *b, Value *stacks) {
    Arena *arena = it->module->arena;
    int rank = stacks->type.rank - 1;
    const Dim **whole = arena_array(arena, const Dim *, rank);
    const Dim **start = arena_array(arena, const Dim *, rank);
    const Dim **stop = arena_array(arena, const Dim *, rank);
    int *step = arena_array(arena, int, rank);
    for (int i = 0; i < rank; i++) {
        int64_t segments = (it->trip + it->length - 1) / it->length;
        whole[i] = i == 0 ? constant(it, segments * it->length) : stacks->type.dims[i + 1];
        start[i] = constant(it, 0);
        stop[i] = i == 0 ? constant(it, it->trip) : whole[i];
        step[i] = 1;
    }
    Value *joined = build_reshape(b, stacks, (Dims){whole, rank});
    return it->trip % it->length == 0
               ? joined
               : build_slice(b, joined, (Dims){start, rank}, (Dims){stop, rank}, step);
}

// What is used outside of the loop comes from the outer one: `old` are the loop's results as they
// are used there.
static void replace_results(const Segmenting *it, Builder *b, Region *region, Value **old) {
    int stacks = it->loop->regions[0]->yields.count - it->carried;
    for (int i = 0; i < it->loop->result_count; i++) {
        Value *value;
        if (i < it->carried) {
            value = it->outer->results[i];
        } else if (i < it->carried + stacks) {
            value = join_stacks(it, b, it->outer->results[i + it->conditional]);
        } else {
            value = it->outer->results[it->carried];
        }
        value->name = value->name ? value->name : it->loop->results[i]->name;
        replace_uses(region, old[i], value);
    }
}

// Stand-ins for the loop's results, in operands and yields outside of it.
static Value **stand_ins(const Segmenting *it, Region *region, Arena *scratch) {
    Value **stand_ins = arena_array(scratch, Value *, it->loop->result_count);
    for (int i = 0; i < it->loop->result_count; i++) {
        stand_ins[i] = arena_new(scratch, Value);
        *stand_ins[i] = *it->loop->results[i];
        replace_uses(region, it->loop->results[i], stand_ins[i]);
    }
    return stand_ins;
}

void segment_loop(Inst *loop, int64_t length) {
    Arena scratch = {0};
    Region *region = loop->parent;
    Segmenting it = {.loop = loop, .module = region->function->module, .length = length};
    it.trip = dim_value(loop->attr.trip);
    check(length >= 2 && length < it.trip, "segments of %lld", (long long)length);
    it.carried = loop->attr.carried;
    it.conditional = loop->region_count == 2;
    it.count = loop->attr.counted ? loop->operands[it.carried] : NULL;
    Value **old = stand_ins(&it, region, &scratch);
    Inst *last = region->last, *next = loop->next;
    Builder b = builder_at(region, loop->span);
    build_outer(&it, &b, &scratch);
    if (it.conditional) {
        build_condition(&it, &scratch);
    }
    inst_remove(loop);
    place_inner(&it);
    yield_results(&it);
    loop_finish(it.outer);
    replace_results(&it, &b, region, old);
    if (next != NULL) {
        move_before(last, next);
    }
    arena_free(&scratch);
}

static void segment_region(Region *region) {
    for (Inst *inst = region->first, *next; inst != NULL; inst = next) {
        next = inst->next;
        for (int i = 0; i < inst->region_count; i++) {
            segment_region(inst->regions[i]);
        }
        if (can_segment(inst)) {
            segment_loop(inst, best_segment_length(dim_value(inst->attr.trip), 1, 1));
        }
    }
}

void pass_segment_loops(PassContext *context, Function *function) {
    check(context->module == function->module, "a function of another module");
    segment_region(function->body);
}
