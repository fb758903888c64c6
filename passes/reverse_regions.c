// Reverse mode through loops and branches.
//
// A loop is reversed by a loop over the same iterations, last to first. It carries the bars of the
// values that the loop carries, and the bars of the values that its body takes from outside, which
// grow as the iterations add to them. A branch is reversed by a branch on the same condition, whose
// sides compute again what they need of the primal's side.
#include "passes/remove_dead.h"
#include "passes/reverse.h"

// The reverse of one loop while it is made.
typedef struct LoopReversal {
    Inst *loop;
    int *carried; // which carried values have bars
    int carried_count;
    ValueList captures;
    Value *count; // how many iterations the primal has done
    Inst *reversed;
} LoopReversal;

// How many iterations there were: an operand, a result, or a constant of the loop.
static Value *count_iterations(Builder *b, const Inst *loop) {
    if (loop->region_count == 2) {
        return loop_iterations(loop);
    }
    return loop->attr.counted ? loop->operands[loop->attr.carried] : NULL;
}

static void find_carried_bars(const Reverse *reverse, LoopReversal *it) {
    const Inst *loop = it->loop;
    it->carried = arena_array(reverse->scratch, int, loop->attr.carried);
    for (int i = 0; i < loop->attr.carried; i++) {
        if (is_active(&reverse->marks, loop->regions[0]->parameters.at[i + 1]) ||
            is_active(&reverse->marks, loop->results[i])) {
            it->carried[it->carried_count++] = i;
        }
    }
}

// The reversed loop, with the bars known so far as its initial values.
static void open_reversed_loop(const Reverse *reverse, Builder *b, LoopReversal *it) {
    int carried = it->carried_count + it->captures.count;
    Value **initial = arena_array(reverse->scratch, Value *, carried);
    for (int i = 0; i < it->carried_count; i++) {
        initial[i] = bar_or_zeros(reverse, b, it->loop->results[it->carried[i]]);
    }
    for (int i = 0; i < it->captures.count; i++) {
        initial[it->carried_count + i] = bar_or_zeros(reverse, b, it->captures.at[i]);
    }
    it->count = count_iterations(b, it->loop);
    it->reversed = build_loop(b, it->loop->attr.trip, initial, carried, it->count);
}

// The primal's index in the reversed iteration: count - 1 - index.
static Value *reverse_index(Builder *b, const LoopReversal *it) {
    Value *count = it->count ? it->count : build_dim(b, it->loop->attr.trip);
    Value *last = build_sub(b, count, build_scalar_integer(b, TYPE_I64, 1));
    Value *index = build_sub(b, last, it->reversed->regions[0]->parameters.at[0]);
    index->name = it->loop->regions[0]->parameters.at[0]->name;
    return index;
}

// The body of the reversed loop: from the bars of the yields to those of the parameters.
static void fill_reversed_loop(Reverse *reverse, LoopReversal *it) {
    const Inst *loop = it->loop;
    const Region *body = loop->regions[0];
    Region *reversed_body = it->reversed->regions[0];
    Value **parameters = reversed_body->parameters.at + 1;
    Builder b = builder_at(reversed_body, loop->span);
    Value *index = reverse_index(&b, it);
    Inst *place = reversed_body->last;

    for (int i = 0; i < it->captures.count; i++) {
        set_bar(reverse, it->captures.at[i], parameters[it->carried_count + i]);
    }
    for (int i = 0; i < it->carried_count; i++) {
        add_to_bar(reverse, &b, body->yields.at[it->carried[i]], parameters[i]);
    }
    for (int i = loop->attr.carried; i < body->yields.count; i++) {
        Value *stack = get_bar(reverse, loop->results[i]);
        if (stack && is_active(&reverse->marks, body->yields.at[i])) {
            add_to_bar(reverse, &b, body->yields.at[i], build_row(&b, stack, index));
        }
    }
    reverse_region(reverse, &b, body->last);

    b.span = loop->span;
    Arena *arena = reverse->module->arena;
    for (int i = 0; i < it->carried_count; i++) {
        const Value *parameter = body->parameters.at[it->carried[i] + 1];
        vec_push(arena, &reversed_body->yields, bar_or_zeros(reverse, &b, parameter));
    }
    for (int i = 0; i < it->captures.count; i++) {
        vec_push(arena, &reversed_body->yields, get_bar(reverse, it->captures.at[i]));
    }
    loop_finish(it->reversed);
    // The index counts as used: saved values may be read at it.
    vec_push(arena, &reversed_body->yields, index);
    remove_dead_in(reverse->scratch, reversed_body);
    reversed_body->yields.count--;
    provide_saved_values(reverse->scratch, it->loop, reversed_body, index, place);
}

static bool any_result_has_bar(const Reverse *reverse, const Inst *inst) {
    for (int i = 0; i < inst->result_count; i++) {
        if (get_bar(reverse, inst->results[i])) {
            return true;
        }
    }
    return false;
}

void reverse_loop(Reverse *reverse, Builder *b, Inst *loop) {
    if (!any_result_has_bar(reverse, loop)) {
        return;
    }
    LoopReversal it = {.loop = loop};
    find_carried_bars(reverse, &it);
    it.captures = list_captures(&reverse->marks, loop, reverse->scratch);
    if (it.carried_count + it.captures.count == 0) {
        return;
    }
    open_reversed_loop(reverse, b, &it);
    fill_reversed_loop(reverse, &it);
    for (int i = 0; i < it.captures.count; i++) {
        set_bar(reverse, it.captures.at[i], it.reversed->results[it.carried_count + i]);
    }
    for (int i = 0; i < it.carried_count; i++) {
        add_to_bar(reverse, b, loop->operands[it.carried[i]], it.reversed->results[i]);
    }
}

// One side of the reversed branch: the primal's side again, its reverse, and the bars of the
// captures as they are then. `before` are the bars on entry.
static void fill_reversed_side(Reverse *reverse, const Inst *branch, int side, Region *reversed,
                               const ValueList *captures, Value *const *before) {
    const Region *region = branch->regions[side];
    Builder b = builder_at(reversed, branch->span);
    ValueMap map = value_map_new(reverse->scratch, region->function);
    clone_region(&b, region, &map);
    copy_marks(&reverse->marks, region, &map);
    Inst *last = reversed->last;

    for (int i = 0; i < captures->count; i++) {
        set_bar(reverse, captures->at[i], before[i]);
    }
    for (int i = 0; i < region->yields.count; i++) {
        add_to_bar(reverse, &b, value_map_get(&map, region->yields.at[i]),
                   get_bar(reverse, branch->results[i]));
    }
    reverse_region(reverse, &b, last);
    b.span = branch->span;
    for (int i = 0; i < captures->count; i++) {
        vec_push(reverse->module->arena, &reversed->yields,
                 bar_or_zeros(reverse, &b, captures->at[i]));
    }
    remove_dead_in(reverse->scratch, reversed);
}

void reverse_branch(Reverse *reverse, Builder *b, Inst *branch) {
    if (!any_result_has_bar(reverse, branch)) {
        return;
    }
    ValueList captures = list_captures(&reverse->marks, branch, reverse->scratch);
    if (captures.count == 0) {
        return;
    }
    Value **before = arena_array(reverse->scratch, Value *, captures.count);
    for (int i = 0; i < captures.count; i++) {
        before[i] = get_bar(reverse, captures.at[i]);
    }
    Inst *reversed = build_branch(b, branch->operands[0]);
    for (int side = 0; side < 2; side++) {
        fill_reversed_side(reverse, branch, side, reversed->regions[side], &captures, before);
    }
    branch_finish(reversed);
    for (int i = 0; i < captures.count; i++) {
        set_bar(reverse, captures.at[i], reversed->results[i]);
    }
}

// What the checkpoint computes is computed again and reversed, in one region: what it needs from
// outside is all that is kept. Only the bars that it adds to are results.
void reverse_checkpoint(Reverse *reverse, Builder *b, Inst *checkpoint) {
    if (!any_result_has_bar(reverse, checkpoint)) {
        return;
    }
    ValueList captures = list_captures(&reverse->marks, checkpoint, reverse->scratch);
    if (captures.count == 0) {
        return;
    }
    Value **before = arena_array(reverse->scratch, Value *, captures.count);
    for (int i = 0; i < captures.count; i++) {
        before[i] = get_bar(reverse, captures.at[i]);
    }
    Inst *reversed = build_checkpoint(b, OP_recompute);
    fill_reversed_side(reverse, checkpoint, 0, reversed->regions[0], &captures, before);
    checkpoint_finish(reversed);
    for (int i = 0; i < captures.count; i++) {
        set_bar(reverse, captures.at[i], reversed->results[i]);
    }
}
