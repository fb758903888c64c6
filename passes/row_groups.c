// See row_groups.h.
#include "passes/row_groups.h"

#include <string.h>

#include "passes/match.h"

enum { MOST_PRODUCTS = 16 }; // for each element of the larger operand of a thin contraction

// ---- the region

static void note_use(RowRegion *it, const Value *value, int user, int *count, bool fill) {
    int at = count[value->id]++;
    if (fill) {
        it->users[it->first_user[value->id] + at] = user;
    }
}

static void note_region(RowRegion *it, const Region *region, int user, int *count, bool fill);

static void note_inst(RowRegion *it, const Inst *inst, int user, int *count, bool fill) {
    for (int i = 0; i < inst->operand_count; i++) {
        note_use(it, inst->operands[i], user, count, fill);
    }
    for (int i = 0; i < inst->region_count; i++) {
        note_region(it, inst->regions[i], user, count, fill);
    }
}

static void note_region(RowRegion *it, const Region *region, int user, int *count, bool fill) {
    for_each_inst(inst, region) {
        note_inst(it, inst, user, count, fill);
    }
    for (int i = 0; i < region->yields.count; i++) {
        note_use(it, region->yields.at[i], user, count, fill);
    }
}

static void note_all_users(RowRegion *it, int *count, bool fill) {
    for (int k = 0; k < it->count; k++) {
        note_inst(it, it->insts[k], k, count, fill);
    }
}

static void find_users(RowRegion *it, int values) {
    int *count = arena_array(it->scratch, int, values);
    note_all_users(it, count, false);
    it->first_user = arena_array(it->scratch, int, values + 1);
    for (int id = 0; id < values; id++) {
        it->first_user[id + 1] = it->first_user[id] + count[id];
    }
    it->users = arena_array(it->scratch, int, it->first_user[values] + 1);
    memset(count, 0, (size_t)values * sizeof *count);
    note_all_users(it, count, true);
}

bool is_large(const RowRegion *it, const Value *value) {
    return type_is_static(value->type) && (int64_t)type_bytes(value->type) >= it->large;
}

static bool only_moves(const Inst *inst) {
    return is_view(inst) || inst->op == OP_pad || inst->op == OP_concat || inst->op == OP_gather ||
           inst->op == OP_detach;
}

static const Value *behind_views(const Value *value) {
    while (value->definition != NULL && is_view(value->definition) &&
           value->definition->op != OP_broadcast) {
        value = value->definition->operands[0];
    }
    return value;
}

static bool is_computed_large(const RowRegion *it, const Value *value) {
    return is_large(it, value) && it->maker[value->id] >= 0 &&
           value->definition->result_count == 1 && value->definition->region_count == 0 &&
           !only_moves(value->definition);
}

// Costs more than elementwise work that is cheap.
static bool is_costly(const Inst *inst) {
    return !(op_info(inst->op)->traits & (CHEAP | STRUCTURED));
}

// A contraction that is cheap to compute again, and larger than what it is made of.
static bool is_wide_contraction(const Inst *inst) {
    double from = 0, to = (double)type_bytes(inst->results[0]->type);
    for (int i = 0; i < inst->operand_count; i++) {
        from += (double)type_bytes(inst->operands[i]->type);
    }
    return contraction_length(inst) <= CHEAP_CONTRACTION && to >= 1.5 * from;
}

static bool is_read_by_contraction(const RowRegion *it, const Value *value) {
    for (int i = it->first_user[value->id]; i < it->first_user[value->id + 1]; i++) {
        const Inst *user = it->insts[it->users[i]];
        bool moves = is_view(user) && user->op != OP_broadcast;
        if (user->op == OP_contract || (moves && is_read_by_contraction(it, user->results[0]))) {
            return true;
        }
    }
    return false;
}

// Large values are solid if reading them is the only cheap way to have them; derived if they were
// computed from less, with work; else they are small values moved and repeated.
static void find_derived(RowRegion *it) {
    bool *solid = arena_array(it->scratch, bool, it->region->function->value_count);
    for (int k = 0; k < it->count; k++) {
        const Inst *inst = it->insts[k];
        if (inst->result_count != 1) {
            for (int i = 0; i < inst->result_count; i++) {
                solid[inst->results[i]->id] = is_large(it, inst->results[i]);
            }
            continue;
        }
        const Value *value = inst->results[0];
        if (!is_large(it, value)) {
            continue;
        }
        bool has_derived = false, has_solid = inst->region_count > 0;
        for (int i = 0; i < inst->operand_count; i++) {
            const Value *operand = inst->operands[i];
            has_derived = has_derived || it->derived[operand->id];
            bool is_solid = solid[operand->id] || it->maker[operand->id] < 0;
            has_solid = has_solid || (is_solid && is_large(it, operand) &&
                                      2 * type_bytes(operand->type) > type_bytes(value->type));
        }
        bool derived = has_derived || (!has_solid && is_costly(inst) && !only_moves(inst)) ||
                       (!has_solid && !only_moves(inst) && is_read_by_contraction(it, value));
        if (inst->op == OP_contract) {
            derived = is_wide_contraction(inst);
        }
        it->derived[value->id] = derived;
        solid[value->id] = !derived && (has_solid || inst->op == OP_contract);
    }
    it->solid = solid;
}

RowRegion row_region_new(Arena *scratch, Region *region, int64_t large) {
    RowRegion it = {.scratch = scratch, .region = region, .large = large};
    int values = it.value_count = region->function->value_count;
    for_each_inst(inst, region) {
        it.count++;
    }
    it.insts = arena_array(scratch, Inst *, it.count + 1);
    it.maker = arena_array(scratch, int, values);
    it.yielded = arena_array(scratch, bool, values);
    it.derived = arena_array(scratch, bool, values);
    for (int id = 0; id < values; id++) {
        it.maker[id] = -1;
    }
    int number = 0;
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->result_count; i++) {
            it.maker[inst->results[i]->id] = number;
        }
        it.insts[number++] = inst;
    }
    for (int i = 0; i < region->yields.count; i++) {
        it.yielded[region->yields.at[i]->id] = true;
    }
    find_users(&it, values);
    find_derived(&it);
    return it;
}

// The one user of a value behind views of it, or NULL.
static const Inst *only_user(const RowRegion *it, const Value *value) {
    const Inst *user = NULL;
    do {
        int first = it->first_user[value->id];
        if (it->first_user[value->id + 1] - first != 1 || it->yielded[value->id]) {
            return NULL;
        }
        user = it->insts[it->users[first]];
        value = user->result_count == 1 ? user->results[0] : NULL;
    } while (value != NULL && is_view(user) && user->op != OP_broadcast);
    return user;
}

// A contraction's result, or what is computed from it alone on its way to memory.
static bool ends_contraction(const RowRegion *it, const Value *value) {
    const Inst *inst = behind_views(value)->definition;
    if (inst == NULL || inst->op == OP_contract) {
        return inst != NULL;
    }
    for (int i = 0; i < inst->operand_count && op_info(inst->op)->elementwise; i++) {
        const Value *operand = inst->operands[i];
        if (it->maker[operand->id] >= 0 && it->derived[operand->id] &&
            only_user(it, operand) == inst && ends_contraction(it, operand)) {
            return true;
        }
    }
    return false;
}

bool is_seed(const RowRegion *it, const Value *value) {
    if (!is_computed_large(it, value) || !it->derived[value->id] || it->yielded[value->id] ||
        it->first_user[value->id] == it->first_user[value->id + 1]) {
        return false;
    }
    const Inst *inst = value->definition, *user = only_user(it, value);
    if (user != NULL && user->op == OP_contract) {
        return true;
    }
    bool is_elementwise = op_info(inst->op)->elementwise;
    if (inst->op != OP_contract && !is_elementwise) {
        return inst->op != OP_iota && inst->op != OP_constant;
    }
    bool goes_on = user != NULL && op_info(user->op)->elementwise;
    if (!goes_on && ends_contraction(it, value)) {
        return true;
    }
    for (int i = it->first_user[value->id]; i < it->first_user[value->id + 1]; i++) {
        const Inst *reader = it->insts[it->users[i]];
        while (is_view(reader) && reader->op != OP_broadcast) {
            const Inst *next = only_user(it, reader->results[0]);
            if (next == NULL) {
                break;
            }
            reader = next;
        }
        if (reader->op == OP_contract) {
            return true;
        }
    }
    return false;
}

bool is_repeated(const RowRegion *it, const Value *value) {
    for (int i = it->first_user[value->id]; i < it->first_user[value->id + 1]; i++) {
        const Inst *user = it->insts[it->users[i]];
        if (user->op == OP_broadcast &&
            type_bytes(user->results[0]->type) > type_bytes(value->type)) {
            return is_computed_large(it, value);
        }
    }
    return false;
}

bool is_shared_operand(const RowRegion *it, const Value *value) {
    return is_large(it, value) && (it->maker[value->id] < 0 || it->solid[value->id]) &&
           it->first_user[value->id + 1] - it->first_user[value->id] > 1 &&
           is_read_by_contraction(it, value);
}

// ---- growing

static bool is_placed(const RowGroup *group, const Value *value) {
    return has_rows(group->place[value->id]);
}

static int maker_of(const RowGroup *group, const Value *value) {
    check(value->id < group->of->value_count, "a value that the pass has made is in a group");
    return group->of->maker[value->id];
}

Place *places_of_operands(const RowGroup *group, const Inst *inst) {
    int number = group->of->maker[inst->results[0]->id];
    Place *places = arena_array(group->of->scratch, Place, inst->operand_count + 1);
    if (group->kind[number] == ROW_MAP) {
        bool good = operand_places(inst, group->place[inst->results[0]->id], group->rows, places);
        check(good, "an instruction cannot be computed row by row");
        return places;
    }
    for (int i = 0; i < inst->operand_count; i++) {
        Place place = group->place[inst->operands[i]->id];
        if (has_rows(place) && sums_over_rows(inst, i, place, places)) {
            break;
        }
    }
    return places;
}

static bool is_simple(const Inst *inst) {
    for (int i = 0; i < inst->operand_count; i++) {
        if (!type_is_static(inst->operands[i]->type)) {
            return false;
        }
    }
    return inst->result_count == 1 && inst->region_count == 0 &&
           !(op_info(inst->op)->traits & STRUCTURED) && type_is_static(inst->results[0]->type);
}

// Whether a sum over rows reads all of its operands at places that agree with theirs.
static bool sums_rows(const RowGroup *group, const Inst *inst, int operand) {
    Place *places = arena_array(group->of->scratch, Place, inst->operand_count + 1);
    if (!element_is_real(inst->results[0]->type.element) &&
        !element_is_integer(inst->results[0]->type.element)) {
        return false;
    }
    return sums_over_rows(inst, operand, group->place[inst->operands[operand]->id], places) &&
           has_rows(places[0]) && (inst->operand_count < 2 || has_rows(places[1]));
}

// Decides how an instruction is computed from the operands that have rows.
static void consider(RowGroup *group, const Inst *inst, bool may_sum) {
    if (!is_simple(inst)) {
        return;
    }
    int number = group->of->maker[inst->results[0]->id];
    if (group->kind[number] != ROW_OUTSIDE) {
        return;
    }
    Place *to = &group->place[inst->results[0]->id], found = *to;
    Place *places = arena_array(group->of->scratch, Place, inst->operand_count + 1);
    for (int i = 0; i < inst->operand_count && !has_rows(found); i++) {
        Place place = group->place[inst->operands[i]->id];
        if (has_rows(place) && !result_place(inst, i, place, group->rows, &found)) {
            found = no_place;
        }
    }
    if (has_rows(found) && operand_places(inst, found, group->rows, places)) {
        *to = found;
        group->kind[number] = ROW_MAP;
        return;
    }
    for (int i = 0; i < inst->operand_count && may_sum && !has_rows(*to); i++) {
        if (is_placed(group, inst->operands[i]) && sums_rows(group, inst, i)) {
            group->kind[number] = ROW_SUM;
            return;
        }
    }
}

// A contraction that takes little more time than reading its larger operand.
static bool is_thin_contraction(const Inst *inst) {
    int64_t products = contraction_length(inst) * type_elements(inst->results[0]->type);
    int64_t x = type_elements(inst->operands[0]->type), y = type_elements(inst->operands[1]->type);
    return products <= MOST_PRODUCTS * (x > y ? x : y);
}

// Whether the group may grow through an instruction that reads its rows.
static bool may_join(const RowGroup *group, const Inst *inst) {
    return group->operand == NULL ||
           (is_simple(inst) && (inst->op != OP_contract || is_thin_contraction(inst)));
}

static void visit_later(RowGroup *group, const Value *value) {
    vec_push(group->of->scratch, &group->work, value);
}

static void place_operands(RowGroup *group, const Inst *inst);

// Whether the group had better make a value that it reads than read it.
static bool is_worth_making(const RowGroup *group, const Value *value) {
    const Inst *inst = value->definition;
    return is_large(group->of, value) ? !group->of->solid[value->id]
                                      : group->operand != NULL && inst != NULL &&
                                            op_info(inst->op)->elementwise && !is_costly(inst);
}

// A value that the group reads: computed in the group if that is worth it, and possible.
static void place_large(RowGroup *group, const Value *value, Place place) {
    int maker = maker_of(group, value);
    if (maker < 0 || is_placed(group, value) || !has_rows(place) ||
        !is_worth_making(group, value)) {
        return;
    }
    group->place[value->id] = place;
    const Inst *inst = group->of->insts[maker];
    consider(group, inst, false);
    if (group->kind[maker] == ROW_OUTSIDE) {
        return;
    }
    if (group->of->derived[value->id]) {
        group->core[maker] = true;
        visit_later(group, value);
    } else {
        group->free[maker] = true;
    }
    place_operands(group, inst);
}

static void place_operands(RowGroup *group, const Inst *inst) {
    Place *places = places_of_operands(group, inst);
    for (int i = 0; i < inst->operand_count; i++) {
        place_large(group, inst->operands[i], places[i]);
    }
}

static void visit_users(RowGroup *group, const Value *value) {
    const RowRegion *of = group->of;
    for (int i = of->first_user[value->id]; i < of->first_user[value->id + 1]; i++) {
        int user = of->users[i];
        const Inst *inst = of->insts[user];
        bool known = group->core[user] || (group->free[user] && group->operand == NULL);
        if (!may_join(group, inst)) {
            continue;
        }
        consider(group, inst, true);
        if (known || group->kind[user] == ROW_OUTSIDE) {
            continue;
        }
        group->core[user] = true;
        group->free[user] = false;
        place_operands(group, inst);
        bool goes_on = group->operand != NULL || of->derived[inst->results[0]->id];
        if (group->kind[user] == ROW_MAP && goes_on) {
            visit_later(group, inst->results[0]);
        }
    }
}

static bool is_light(const Inst *inst) {
    return is_simple(inst) && inst->op != OP_contract && inst->op != OP_gather &&
           inst->op != OP_scatter_add && inst->op != OP_scatter_set && inst->op != OP_cumsum;
}

// Small values with rows that cheap instructions make of others: they may lie between large ones.
static void place_small(RowGroup *group) {
    const RowRegion *of = group->of;
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        if (group->kind[k] != ROW_OUTSIDE || !is_light(inst) ||
            is_placed(group, inst->results[0])) {
            continue;
        }
        for (int i = 0; i < inst->operand_count; i++) {
            int maker = maker_of(group, inst->operands[i]);
            if (maker >= 0 && group->kind[maker] == ROW_MAP && !group->free[maker]) {
                consider(group, inst, false);
                break;
            }
        }
    }
}

// ---- phases

static int later(int x, int y) {
    return x > y ? x : y;
}

static void visit_needs(const RowGroup *group, const Region *region, int *phase) {
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->operand_count; i++) {
            int maker = maker_of(group, inst->operands[i]);
            *phase = later(*phase, maker < 0 ? -1 : group->phase[maker]);
        }
        for (int i = 0; i < inst->region_count; i++) {
            visit_needs(group, inst->regions[i], phase);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        int maker = maker_of(group, region->yields.at[i]);
        *phase = later(*phase, maker < 0 ? -1 : group->phase[maker]);
    }
}

// Whether operand `i` is read row by row from what makes it in the group.
static bool reads_rows(const RowGroup *group, const Inst *inst, const Place *places, int i) {
    const Value *value = inst->operands[i];
    int maker = maker_of(group, value);
    return maker >= 0 && group->kind[maker] == ROW_MAP && has_rows(places[i]) &&
           places_equal(places[i], group->place[value->id]);
}

// The last phase that an instruction outside of the loops depends on.
static int phase_before(const RowGroup *group, const Inst *inst) {
    int phase = -1;
    for (int i = 0; i < inst->operand_count; i++) {
        int maker = maker_of(group, inst->operands[i]);
        phase = later(phase, maker < 0 ? -1 : group->phase[maker]);
    }
    for (int i = 0; i < inst->region_count; i++) {
        visit_needs(group, inst->regions[i], &phase);
    }
    return phase;
}

static int phase_of(const RowGroup *group, int number) {
    const Inst *inst = group->of->insts[number];
    if (group->kind[number] == ROW_OUTSIDE) {
        return phase_before(group, inst);
    }
    int phase = group->core[number] ? 0 : -1;
    Place *places = places_of_operands(group, inst);
    for (int i = 0; i < inst->operand_count; i++) {
        int maker = maker_of(group, inst->operands[i]);
        int needed = maker < 0 ? -1 : group->phase[maker];
        bool waits = needed >= 0 && !reads_rows(group, inst, places, i);
        phase = later(phase, waits ? needed + 1 : needed);
    }
    return phase;
}

static void find_phases(RowGroup *group) {
    for (int k = 0; k < group->of->count; k++) {
        group->phase[k] = phase_of(group, k);
        if (group->core[k]) {
            group->phases = later(group->phases, group->phase[k] + 1);
        }
    }
}

// Whether its loop would otherwise store more, which nothing but this instruction reads.
static bool leaves_less(const RowGroup *group, int number) {
    const RowRegion *of = group->of;
    const Inst *inst = of->insts[number];
    size_t spared = 0;
    for (int i = 0; i < inst->operand_count; i++) {
        const Value *value = inst->operands[i];
        int maker = maker_of(group, value);
        bool is_spared = maker >= 0 && group->member[maker] &&
                         group->phase[maker] == group->phase[number] && !of->yielded[value->id];
        for (int j = 0; j < i; j++) {
            is_spared = is_spared && inst->operands[j] != value;
        }
        for (int j = of->first_user[value->id]; is_spared && j < of->first_user[value->id + 1];
             j++) {
            int user = of->users[j];
            is_spared = user == number ||
                        (group->member[user] && group->phase[user] == group->phase[number]);
        }
        spared += is_spared ? type_bytes(value->type) : 0;
    }
    return spared > type_bytes(inst->results[0]->type);
}

// Whether the loop of `phase` has the value, or gets it from what comes before the loop.
static bool is_at_hand(const RowGroup *group, const Value *value, int phase) {
    int maker = maker_of(group, value);
    if (maker < 0 || group->phase[maker] < phase || group->member[maker]) {
        return true;
    }
    const Inst *inst = group->of->insts[maker];
    return group->kind[maker] == ROW_MAP && is_view(inst) &&
           is_at_hand(group, inst->operands[0], phase);
}

// Whether an instruction may be the last one of a loop that makes less of what it reads.
static bool may_follow(const RowGroup *group, int number) {
    const Inst *inst = group->of->insts[number];
    bool good = !group->member[number] && !group->free[number] && group->kind[number] == ROW_MAP &&
                group->phase[number] >= 0 && is_light(inst);
    for (int i = 0; good && i < inst->operand_count; i++) {
        good = is_at_hand(group, inst->operands[i], group->phase[number]);
    }
    return good && leaves_less(group, number);
}

// Members are the core, what lies between two members of the same phase, and what makes less of
// their results.
static void find_members(RowGroup *group) {
    const RowRegion *of = group->of;
    for (int k = of->count - 1; k >= 0; k--) {
        const Inst *inst = of->insts[k];
        group->member[k] = group->core[k];
        if (group->core[k] || group->free[k] || group->kind[k] != ROW_MAP || group->phase[k] < 0) {
            continue;
        }
        const Value *value = inst->results[0];
        for (int i = of->first_user[value->id]; i < of->first_user[value->id + 1]; i++) {
            int user = of->users[i];
            group->member[k] = group->member[k] || (group->phase[user] == group->phase[k] &&
                                                    (group->member[user] || group->free[user]));
        }
    }
    for (int k = 0; k < of->count; k++) {
        group->member[k] = group->member[k] || may_follow(group, k);
    }
    for (int k = 0; k < of->count; k++) {
        if (!group->member[k]) {
            group->phase[k] = phase_before(group, of->insts[k]);
        }
    }
}

// ---- what a phase computes

static bool is_kept(const RowGroup *group, const Value *value) {
    return group->stored[value->id];
}

// The contractions that computing a value again takes, in terms of each element.
static int64_t cost_of_again(const RowGroup *group, const Value *value, bool *seen) {
    int maker = maker_of(group, value);
    if (maker < 0 || seen[maker] || !group->member[maker] || !is_large(group->of, value)) {
        return 0;
    }
    seen[maker] = true;
    const Inst *inst = group->of->insts[maker];
    int64_t cost = contraction_length(inst);
    for (int i = 0; i < inst->operand_count; i++) {
        cost += cost_of_again(group, inst->operands[i], seen);
    }
    return cost;
}

// Whether the loop of `phase` computes the value itself rather than to take it from outside.
static bool computes(const RowGroup *group, int phase, const Inst *user, const Place *places,
                     int i) {
    const Value *value = user->operands[i];
    int maker = maker_of(group, value);
    if (maker < 0 || !has_rows(places[i])) {
        return false;
    }
    const Inst *inst = group->of->insts[maker];
    bool good = places_equal(places[i], group->place[value->id]);
    if (group->member[maker]) {
        return good && (group->phase[maker] == phase ||
                        (group->kind[maker] == ROW_MAP && is_large(group->of, value) &&
                         !is_kept(group, value)));
    }
    return good && (group->free[maker] || (group->kind[maker] == ROW_MAP && is_view(inst)));
}

// Views of what is read row by row are read through: placed when they are met.
static void place_view(const RowGroup *group, const Value *value, Place place) {
    int maker = maker_of(group, value);
    if (maker < 0 || is_placed(group, value) || !has_rows(place)) {
        return;
    }
    const Inst *inst = group->of->insts[maker];
    Place from;
    if (is_view(inst) && is_simple(inst) && group->kind[maker] == ROW_OUTSIDE &&
        operand_places(inst, place, group->rows, &from)) {
        group->place[value->id] = place;
        group->kind[maker] = ROW_MAP;
    }
}

bool *instructions_of_phase(const RowGroup *group, int phase) {
    const RowRegion *of = group->of;
    bool *inside = arena_array(of->scratch, bool, of->count);
    for (int k = of->count - 1; k >= 0; k--) {
        inside[k] = inside[k] || (group->member[k] && group->phase[k] == phase);
        const Inst *inst = of->insts[k];
        if (!inside[k]) {
            continue;
        }
        Place *places = places_of_operands(group, inst);
        for (int i = 0; i < inst->operand_count; i++) {
            place_view(group, inst->operands[i], places[i]);
            if (computes(group, phase, inst, places, i)) {
                inside[maker_of(group, inst->operands[i])] = true;
            }
        }
    }
    return inside;
}

bool reads_operand(const RowGroup *group, const Inst *inst) {
    Place *places = places_of_operands(group, inst);
    for (int i = 0; i < inst->operand_count && !is_view(inst); i++) {
        if (has_rows(places[i]) && behind_views(inst->operands[i]) == group->operand) {
            return true;
        }
    }
    return false;
}

bool is_computed_in(const RowGroup *group, const bool *inside, const Value *value, Place place) {
    int maker = maker_of(group, value);
    return maker >= 0 && inside[maker] && has_rows(place) &&
           places_equal(place, group->place[value->id]);
}

// Keeps large values of earlier phases that would cost too much to compute again.
static void keep_costly(RowGroup *group) {
    const RowRegion *of = group->of;
    bool *seen = arena_array(of->scratch, bool, of->count);
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        for (int i = 0; group->member[k] && i < inst->operand_count; i++) {
            int maker = maker_of(group, inst->operands[i]);
            if (maker >= 0 && group->member[maker] && group->phase[maker] < group->phase[k]) {
                memset(seen, 0, (size_t)of->count * sizeof *seen);
                group->stored[inst->operands[i]->id] |=
                    cost_of_again(group, inst->operands[i], seen) > CHEAP_CONTRACTION;
            }
        }
    }
}

// Values of members that are needed whole: by loops of other phases, and outside.
static void find_stored(RowGroup *group) {
    const RowRegion *of = group->of;
    bool *outside = group->outside;
    for (int phase = 0; phase < group->phases; phase++) {
        bool *inside = instructions_of_phase(group, phase);
        for (int k = 0; k < of->count; k++) {
            Place *places = inside[k] ? places_of_operands(group, of->insts[k]) : NULL;
            for (int i = 0; inside[k] && i < of->insts[k]->operand_count; i++) {
                const Value *value = of->insts[k]->operands[i];
                int maker = maker_of(group, value);
                if (maker >= 0 && !is_computed_in(group, inside, value, places[i])) {
                    group->stored[value->id] = true;
                    outside[maker] = true;
                }
            }
        }
    }
    for (int k = of->count - 1; k >= 0; k--) {
        const Inst *inst = of->insts[k];
        outside[k] = outside[k] || (!group->member[k] && !group->free[k]);
        for (int i = 0; i < inst->result_count; i++) {
            const Value *value = inst->results[i];
            bool read = of->yielded[value->id];
            for (int j = of->first_user[value->id]; j < of->first_user[value->id + 1]; j++) {
                int user = of->users[j];
                read = read || (!group->member[user] && (!group->free[user] || outside[user]));
            }
            group->stored[value->id] = group->stored[value->id] || read;
            outside[k] = outside[k] || read;
        }
    }
}

bool find_row_group(RowGroup *group, const RowRegion *of, const Value *seed, int axis) {
    Arena *arena = of->scratch;
    int values = of->region->function->value_count;
    *group = (RowGroup){.of = of, .rows = dim_value(seed->type.dims[axis])};
    group->place = arena_array(arena, Place, values);
    for (int id = 0; id < values; id++) {
        group->place[id] = no_place;
    }
    group->kind = arena_array(arena, RowKind, of->count);
    group->core = arena_array(arena, bool, of->count);
    group->free = arena_array(arena, bool, of->count);
    group->phase = arena_array(arena, int, of->count);
    group->member = arena_array(arena, bool, of->count);
    group->outside = arena_array(arena, bool, of->count);
    group->stored = arena_array(arena, bool, values);
    if (is_shared_operand(of, seed)) {
        group->operand = seed;
        group->place[seed->id] = (Place){axis, 1};
        visit_later(group, seed);
    } else {
        place_large(group, seed, (Place){axis, 1});
    }
    while (group->work.count > 0) {
        visit_users(group, group->work.at[--group->work.count]);
    }
    if (group->operand == NULL && !group->core[of->maker[seed->id]]) {
        return false;
    }
    place_small(group);
    find_phases(group);
    find_members(group);
    keep_costly(group);
    find_stored(group);
    return true;
}
