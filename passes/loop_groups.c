// See loop_groups.h.
#include "passes/loop_groups.h"

#include <string.h>

#include "passes/match.h"

enum { MOST_ATTEMPTS = 24, MOST_SWEEPS = 32 };

static bool is_placed(const LoopGroup *group, const Value *value) {
    return has_rows(group->place[value->id]);
}

static GroupKind kind_of(const LoopGroup *group, const Value *value) {
    return (GroupKind)group->kind[value->id];
}

int group_maker(const LoopGroup *group, const Value *value) {
    const Inst *inst = value->definition;
    const Region *region = value->region;
    while (region != NULL && region != group->of->region) {
        inst = region->owner;
        region = inst != NULL ? inst->parent : NULL;
    }
    bool is_there = region != NULL && inst != NULL && inst->result_count > 0;
    return is_there ? group->of->maker[inst->results[0]->id] : -1;
}

bool is_made_in_group(const LoopGroup *group, const Value *value) {
    int maker = group_maker(group, value);
    return maker >= 0 && (group->inside[maker] || group->free[maker]);
}

// ---- where the rows are

// False if the value cannot have its rows there.
static bool put_place(LoopGroup *group, const Value *value, Place place) {
    if (!has_rows(place)) {
        return true;
    }
    if (is_placed(group, value)) {
        return places_equal(group->place[value->id], place);
    }
    const Type *type = &value->type;
    if (!type_is_static(*type) || place.axis >= type->rank ||
        dim_value(type->dims[place.axis]) != group->rows * place.minor) {
        return false;
    }
    group->place[value->id] = place;
    group->changed = true;
    return true;
}

// Values that are one and the same to the rows.
static bool join_places(LoopGroup *group, const Value *x, const Value *y) {
    return put_place(group, y, group->place[x->id]) && put_place(group, x, group->place[y->id]);
}

static bool join_stack(LoopGroup *group, const Value *row, const Value *stack) {
    Place place = group->place[row->id];
    if (has_rows(place)) {
        place.axis++;
        return put_place(group, stack, place);
    }
    place = group->place[stack->id];
    if (!has_rows(place)) {
        return true;
    }
    place.axis--;
    return place.axis >= 0 && put_place(group, row, place);
}

static bool is_plain(const Inst *inst) {
    bool is_static = inst->result_count == 1 && inst->region_count == 0 &&
                     !(op_info(inst->op)->traits & STRUCTURED) &&
                     type_is_static(inst->results[0]->type);
    for (int i = 0; is_static && i < inst->operand_count; i++) {
        is_static = type_is_static(inst->operands[i]->type);
    }
    return is_static;
}

// A loop that runs as often for some of the rows as for others.
static bool is_plain_loop(const Inst *inst) {
    int64_t trip;
    return inst->op == OP_loop && inst->region_count == 1 && !inst->attr.counted &&
           dim_is_constant(inst->attr.trip, &trip);
}

static bool is_summable(const Inst *inst) {
    ElementType element = inst->results[0]->type.element;
    return element_is_real(element) || element_is_integer(element);
}

// The places of operands of a sum over rows; NULL if the instruction is none.
static Place *places_of_sum(const LoopGroup *group, const Inst *inst) {
    Place *places = arena_array(group->of->scratch, Place, inst->operand_count + 1);
    for (int i = 0; i < inst->operand_count && is_summable(inst); i++) {
        Place place = group->place[inst->operands[i]->id];
        if (has_rows(place) && sums_over_rows(inst, i, place, places) && has_rows(places[0]) &&
            (inst->operand_count < 2 || has_rows(places[1]))) {
            return places;
        }
    }
    return NULL;
}

Place *group_places(const LoopGroup *group, const Inst *inst) {
    if (!is_placed(group, inst->results[0])) {
        return places_of_sum(group, inst);
    }
    Place *places = arena_array(group->of->scratch, Place, inst->operand_count + 1);
    bool good = operand_places(inst, group->place[inst->results[0]->id], group->rows, places);
    check(good, "an instruction cannot be computed row by row");
    return places;
}

static bool place_result(LoopGroup *group, const Inst *inst) {
    for (int i = 0; i < inst->operand_count; i++) {
        Place place = group->place[inst->operands[i]->id], found;
        if (has_rows(place) && result_place(inst, i, place, group->rows, &found)) {
            return put_place(group, inst->results[0], found);
        }
    }
    return true;
}

static bool place_operands(LoopGroup *group, const Inst *inst) {
    Place *places = arena_array(group->of->scratch, Place, inst->operand_count + 1);
    Place to = group->place[inst->results[0]->id];
    if (has_rows(to)) {
        if (!operand_places(inst, to, group->rows, places)) {
            return false;
        }
    } else {
        places = places_of_sum(group, inst);
    }
    for (int i = 0; places != NULL && i < inst->operand_count; i++) {
        if (!put_place(group, inst->operands[i], places[i])) {
            return false;
        }
    }
    return true;
}

static bool place_in_loop(LoopGroup *group, const Inst *loop);

static bool place_in_body(LoopGroup *group, const Inst *inst) {
    if (is_plain_loop(inst)) {
        return place_in_loop(group, inst);
    }
    return !is_plain(inst) || (place_result(group, inst) && place_operands(group, inst));
}

static bool place_in_loop(LoopGroup *group, const Inst *loop) {
    const Region *body = loop->regions[0];
    for (int i = 0; i < loop->result_count; i++) {
        const Value *next = body->yields.at[i], *result = loop->results[i];
        if (i >= loop->attr.carried) {
            if (!join_stack(group, next, result)) {
                return false;
            }
            continue;
        }
        const Value *parameter = body->parameters.at[i + 1];
        if (!join_places(group, loop->operands[i], parameter) ||
            !join_places(group, parameter, next) || !join_places(group, next, result) ||
            !join_places(group, loop->operands[i], result)) {
            return false;
        }
    }
    for_each_inst(inst, body) {
        if (!place_in_body(group, inst)) {
            return false;
        }
    }
    return !is_placed(group, body->parameters.at[0]);
}

static bool reads_rows_in(const LoopGroup *group, const Region *region);

static bool touches_rows(const LoopGroup *group, const Inst *inst) {
    bool touches = false;
    for (int i = 0; i < inst->operand_count; i++) {
        touches = touches || is_placed(group, inst->operands[i]);
    }
    for (int i = 0; i < inst->result_count; i++) {
        touches = touches || is_placed(group, inst->results[i]);
    }
    for (int i = 0; i < inst->region_count && !touches; i++) {
        touches = reads_rows_in(group, inst->regions[i]);
    }
    return touches;
}

static bool reads_rows_in(const LoopGroup *group, const Region *region) {
    for_each_inst(inst, region) {
        if (touches_rows(group, inst)) {
            return true;
        }
    }
    return false;
}

// What costs nothing to make again for some of the rows.
static bool is_free(const Inst *inst) {
    return inst->op == OP_broadcast || inst->op == OP_iota;
}

// Takes an instruction of the region into the group if it reads rows of it.
static bool join_plain(LoopGroup *group, const Inst *inst, int number) {
    if (!is_plain(inst) || (inst->operand_count == 0 && !is_free(inst))) {
        return true;
    }
    const Value *result = inst->results[0];
    bool reads = false;
    for (int i = 0; i < inst->operand_count; i++) {
        reads = reads || is_placed(group, inst->operands[i]);
    }
    if (!reads && !(is_placed(group, result) && is_free(inst))) {
        return true; // read from outside, if at all
    }
    group->free[number] = !reads;
    group->inside[number] = reads;
    if (reads && (!place_result(group, inst) ||
                  (!is_placed(group, result) && places_of_sum(group, inst) == NULL))) {
        return false;
    }
    return place_operands(group, inst);
}

static bool join_inst(LoopGroup *group, int number) {
    const Inst *inst = group->of->insts[number];
    if (group->banned[number]) {
        return true;
    }
    if (inst->region_count == 0) {
        return join_plain(group, inst, number);
    }
    if (!touches_rows(group, inst)) {
        return true;
    }
    if (!is_plain_loop(inst)) {
        return false;
    }
    group->inside[number] = true;
    return place_in_loop(group, inst);
}

// False if an instruction does not fit: that is `wrong`.
static bool grow(LoopGroup *group) {
    int sweeps = 0;
    do {
        group->changed = false;
        for (int k = 0; k < group->of->count; k++) {
            if (!join_inst(group, k)) {
                group->wrong = k;
                return false;
            }
        }
    } while (group->changed && ++sweeps < MOST_SWEEPS);
    return !group->changed;
}

// ---- what is computed of them

static bool has_place(const LoopGroup *group, const Value *value, Place place) {
    return has_rows(place)
               ? kind_of(group, value) == GROUP_ROWS && places_equal(place, group->place[value->id])
               : kind_of(group, value) == GROUP_WHOLE;
}

static bool have_places(const LoopGroup *group, const Inst *inst, const Place *places) {
    for (int i = 0; i < inst->operand_count; i++) {
        if (!has_place(group, inst->operands[i], places[i])) {
            return false;
        }
    }
    return true;
}

static bool any_operand(const LoopGroup *group, const Inst *inst, GroupKind kind) {
    for (int i = 0; i < inst->operand_count; i++) {
        if (kind_of(group, inst->operands[i]) == kind) {
            return true;
        }
    }
    return false;
}

static int uses_of(const LoopGroup *group, const Value *value) {
    return group->of->first_user[value->id + 1] - group->of->first_user[value->id];
}

// What it makes of sums of parts is the sum of what it makes of the parts.
static bool is_linear(const LoopGroup *group, const Inst *inst) {
    switch (inst->op) {
    case OP_neg:
    case OP_broadcast:
    case OP_reshape:
    case OP_transpose: return true;
    case OP_add:
        return kind_of(group, inst->operands[0]) == GROUP_SUM &&
               kind_of(group, inst->operands[1]) == GROUP_SUM;
    case OP_sub:
        return is_zero(inst->operands[0]) && kind_of(group, inst->operands[1]) == GROUP_SUM;
    default: return false;
    }
}

// base + sum, or a sum added to some places of base.
static bool classify_gathering(LoopGroup *group, const Inst *inst) {
    if (inst->op != OP_add && inst->op != OP_scatter_add) {
        return false;
    }
    bool swapped = inst->op == OP_add && kind_of(group, inst->operands[1]) == GROUP_GATHERED;
    const Value *base = inst->operands[swapped], *added = inst->operands[!swapped];
    for (int i = 2; i < inst->operand_count; i++) {
        if (kind_of(group, inst->operands[i]) != GROUP_WHOLE) {
            return false;
        }
    }
    const Value *result = inst->results[0];
    group->kind[result->id] = GROUP_GATHERED;
    group->origin[result->id] = group->origin[base->id];
    return kind_of(group, base) == GROUP_GATHERED && kind_of(group, added) == GROUP_SUM &&
           uses_of(group, result) == 1 && is_summable(inst);
}

static bool classify_plain(LoopGroup *group, const Inst *inst) {
    const Value *result = inst->results[0];
    if (is_placed(group, result)) {
        Place *places = arena_array(group->of->scratch, Place, inst->operand_count + 1);
        group->kind[result->id] = GROUP_ROWS;
        return operand_places(inst, group->place[result->id], group->rows, places) &&
               have_places(group, inst, places);
    }
    if (any_operand(group, inst, GROUP_ROWS)) {
        const Place *places = places_of_sum(group, inst);
        group->kind[result->id] = GROUP_SUM;
        return places != NULL && have_places(group, inst, places);
    }
    if (any_operand(group, inst, GROUP_GATHERED)) {
        return classify_gathering(group, inst);
    }
    group->kind[result->id] = GROUP_WHOLE;
    if (any_operand(group, inst, GROUP_SUM)) {
        group->kind[result->id] = GROUP_SUM;
        return is_linear(group, inst) && is_summable(inst);
    }
    return true;
}

static bool is_whole_region(const LoopGroup *group, const Region *region);

// Reads neither rows nor sums, and makes none.
static bool is_whole(const LoopGroup *group, const Inst *inst) {
    for (int i = 0; i < inst->result_count; i++) {
        if (kind_of(group, inst->results[i]) != GROUP_WHOLE) {
            return false;
        }
    }
    for (int i = 0; i < inst->operand_count; i++) {
        if (kind_of(group, inst->operands[i]) != GROUP_WHOLE) {
            return false;
        }
    }
    for (int i = 0; i < inst->region_count; i++) {
        if (!is_whole_region(group, inst->regions[i])) {
            return false;
        }
    }
    return true;
}

static bool is_whole_region(const LoopGroup *group, const Region *region) {
    for_each_inst(inst, region) {
        if (!is_whole(group, inst)) {
            return false;
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        if (kind_of(group, region->yields.at[i]) != GROUP_WHOLE) {
            return false;
        }
    }
    return true;
}

static bool classify_loop(LoopGroup *group, const Inst *loop, bool is_outermost);

static bool classify_in_body(LoopGroup *group, const Inst *inst) {
    if (is_plain(inst)) {
        return classify_plain(group, inst);
    }
    return is_whole(group, inst) || (is_plain_loop(inst) && classify_loop(group, inst, false));
}

// Whether carried value `i`, without rows, is nothing but added to.
static bool is_added_to(const LoopGroup *group, const Inst *loop, int i) {
    const Region *body = loop->regions[0];
    const Value *parameter = body->parameters.at[i + 1], *next = body->yields.at[i];
    const Inst *last = next->definition;
    return uses_of(group, parameter) == 1 && last != NULL && next->region == body &&
           (last->op == OP_add || last->op == OP_scatter_add || last->op == OP_loop);
}

static bool classify_parameter(LoopGroup *group, const Inst *loop, int i, bool is_outermost) {
    const Value *parameter = loop->regions[0]->parameters.at[i + 1], *initial = loop->operands[i];
    GroupKind kind = is_placed(group, parameter)   ? GROUP_ROWS
                     : is_added_to(group, loop, i) ? GROUP_GATHERED
                                                   : GROUP_WHOLE,
              from = kind_of(group, initial);
    group->kind[parameter->id] = (unsigned char)kind;
    group->origin[parameter->id] = parameter;
    if (kind == GROUP_ROWS) {
        return has_place(group, initial, group->place[parameter->id]);
    }
    return from == GROUP_WHOLE ? kind == GROUP_WHOLE || is_outermost || is_zero(initial)
                               : from == kind && !is_outermost;
}

// The kind of a loop's result, from what its body yields. False if that cannot be.
static bool classify_result(LoopGroup *group, const Inst *loop, int i) {
    const Region *body = loop->regions[0];
    const Value *next = body->yields.at[i], *result = loop->results[i];
    GroupKind kind = kind_of(group, next);
    group->kind[result->id] = (unsigned char)kind;
    if (i >= loop->attr.carried) {
        Place place = group->place[next->id];
        place.axis += has_rows(place);
        return kind != GROUP_GATHERED && places_equal(place, group->place[result->id]);
    }
    const Value *parameter = body->parameters.at[i + 1], *initial = loop->operands[i];
    if (kind == GROUP_GATHERED) {
        bool goes_on = kind_of(group, initial) == GROUP_GATHERED;
        group->kind[result->id] = goes_on ? GROUP_GATHERED : GROUP_SUM;
        group->origin[result->id] = group->origin[initial->id];
        return group->origin[next->id] == parameter && (!goes_on || uses_of(group, result) == 1);
    }
    return kind == kind_of(group, parameter) &&
           places_equal(group->place[next->id], group->place[parameter->id]);
}

static bool classify_loop(LoopGroup *group, const Inst *loop, bool is_outermost) {
    const Region *body = loop->regions[0];
    for (int i = 0; i < loop->attr.carried; i++) {
        if (!classify_parameter(group, loop, i, is_outermost)) {
            return false;
        }
    }
    for_each_inst(inst, body) {
        if (!classify_in_body(group, inst)) {
            return false;
        }
    }
    for (int i = 0; i < loop->result_count; i++) {
        if (!classify_result(group, loop, i)) {
            return false;
        }
    }
    return true;
}

bool is_needed_outside(const LoopGroup *group, const Value *value) {
    const RowRegion *of = group->of;
    for (int i = of->first_user[value->id]; i < of->first_user[value->id + 1]; i++) {
        if (!group->inside[of->users[i]]) {
            return true;
        }
    }
    return of->yielded[value->id];
}

// What an outermost loop gathers goes on from block to block: in a block it is neither the whole
// sum nor a part of it. So nothing in the group may read it, and it starts with nothing of the
// group.
static bool is_gathered_apart(LoopGroup *group, int number) {
    const RowRegion *of = group->of;
    const Inst *loop = of->insts[number];
    for (int i = 0; i < loop->attr.carried; i++) {
        int id = loop->results[i]->id;
        if (group->kind[id] != GROUP_SUM) {
            continue;
        }
        for (int j = of->first_user[id]; j < of->first_user[id + 1]; j++) {
            if (group->inside[of->users[j]]) {
                group->wrong = of->users[j];
                return false;
            }
        }
        if (is_made_in_group(group, loop->operands[i])) {
            group->wrong = number;
            return false;
        }
    }
    return true;
}

static bool are_gathered_apart(LoopGroup *group) {
    for (int k = 0; k < group->of->count; k++) {
        if (group->inside[k] && group->of->insts[k]->op == OP_loop &&
            !is_gathered_apart(group, k)) {
            return false;
        }
    }
    return true;
}

static void start_kinds(LoopGroup *group) {
    for (int id = 0; id < group->of->value_count; id++) {
        group->kind[id] = has_rows(group->place[id]) ? GROUP_ROWS : GROUP_WHOLE;
    }
}

static bool classify_group(LoopGroup *group) {
    const RowRegion *of = group->of;
    start_kinds(group);
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        if (!group->inside[k] && !group->free[k]) {
            continue;
        }
        bool good =
            inst->region_count > 0 ? classify_loop(group, inst, true) : classify_plain(group, inst);
        for (int i = 0; i < inst->result_count && good && group->inside[k]; i++) {
            good = kind_of(group, inst->results[i]) != GROUP_WHOLE ||
                   !is_needed_outside(group, inst->results[i]);
        }
        if (!good) {
            group->wrong = k;
            return false;
        }
    }
    return true;
}

// ---- what is asked of it

bool has_rows_in(const LoopGroup *group, const Value *value) {
    return group->kind[value->id] == GROUP_ROWS;
}

bool reads_rows_of(const LoopGroup *group, const Inst *inst) {
    bool reads = false;
    for (int i = 0; i < inst->operand_count; i++) {
        reads = reads || has_rows_in(group, inst->operands[i]);
    }
    return reads;
}

bool has_rows_inside(const LoopGroup *group, const Inst *loop) {
    for (int i = 0; i < loop->result_count; i++) {
        if (group->kind[loop->results[i]->id] != GROUP_WHOLE) {
            return true;
        }
    }
    return false;
}

// ---- what comes before the group, and behind it

typedef bool ValueTest(const LoopGroup *group, const Value *value);

static bool region_reads(const LoopGroup *group, const Region *region, ValueTest *test);

// Whether the instruction, or one in its regions, reads a value of which the test holds.
static bool inst_reads(const LoopGroup *group, const Inst *inst, ValueTest *test) {
    for (int i = 0; i < inst->operand_count; i++) {
        if (test(group, inst->operands[i])) {
            return true;
        }
    }
    for (int i = 0; i < inst->region_count; i++) {
        if (region_reads(group, inst->regions[i], test)) {
            return true;
        }
    }
    return false;
}

static bool region_reads(const LoopGroup *group, const Region *region, ValueTest *test) {
    for_each_inst(inst, region) {
        if (inst_reads(group, inst, test)) {
            return true;
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        if (test(group, region->yields.at[i])) {
            return true;
        }
    }
    return false;
}

static bool is_late(const LoopGroup *group, const Value *value) {
    int maker = group_maker(group, value);
    return maker >= 0 && group->late[maker];
}

static bool is_behind(const LoopGroup *group, const Value *value) {
    int maker = group_maker(group, value);
    return maker >= 0 && (group->late[maker] || group->inside[maker]);
}

// False if something in the group needs a result of the group as a whole.
static bool order_group(LoopGroup *group) {
    const RowRegion *of = group->of;
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        if (!group->inside[k]) {
            group->late[k] = inst_reads(group, inst, is_behind);
        } else if (inst_reads(group, inst, is_late)) {
            group->wrong = k;
            return false;
        }
    }
    return true;
}

// ----

static void start_group(LoopGroup *group, const Value *seed, int axis) {
    const RowRegion *of = group->of;
    for (int id = 0; id < of->value_count; id++) {
        group->place[id] = no_place;
    }
    memset(group->inside, 0, (size_t)of->count * sizeof(bool));
    memset(group->free, 0, (size_t)of->count * sizeof(bool));
    memset(group->late, 0, (size_t)of->count * sizeof(bool));
    group->place[seed->id] = (Place){axis, 1};
}

// Whether the loop alone can be a group: no other is, then, so that nothing else is looked at.
static bool is_possible(LoopGroup *group, const Inst *loop) {
    int sweeps = 0;
    do {
        group->changed = false;
        if (!place_in_loop(group, loop)) {
            return false;
        }
    } while (group->changed && ++sweeps < MOST_SWEEPS);
    start_kinds(group);
    return classify_loop(group, loop, true);
}

bool find_loop_group(LoopGroup *group, const RowRegion *of, const Value *seed, int axis) {
    Arena *arena = of->scratch;
    *group = (LoopGroup){.of = of, .rows = dim_value(seed->type.dims[axis]), .wrong = NOWHERE};
    group->place = arena_array(arena, Place, of->value_count);
    group->kind = arena_array(arena, unsigned char, of->value_count);
    group->origin = arena_array(arena, const Value *, of->value_count);
    group->inside = arena_array(arena, bool, of->count);
    group->free = arena_array(arena, bool, of->count);
    group->late = arena_array(arena, bool, of->count);
    group->banned = arena_array(arena, bool, of->count);
    start_group(group, seed, axis);
    if (!is_plain_loop(seed->definition) || !is_possible(group, seed->definition)) {
        return false;
    }
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        start_group(group, seed, axis);
        if (grow(group) && classify_group(group) && are_gathered_apart(group) &&
            order_group(group)) {
            return true;
        }
        if (group->wrong == NOWHERE || of->insts[group->wrong] == seed->definition) {
            return false;
        }
        group->banned[group->wrong] = true;
        group->wrong = NOWHERE;
    }
    return false;
}
