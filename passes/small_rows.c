// Computes small rows in one loop: points, rotations or colours, thousands of them, as vmap makes
// values of. Their sums, joins and small products would each be a kernel of its own, whose vectors
// go over a few elements. A group of instructions that work row by row becomes a loop over the rows
// that lowering writes out: an iteration's values stay in registers, and iterations run side by
// side in vectors.
#include "ir/edit.h"
#include "ir/written_out.h"
#include "passes/match.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/row_groups.h"

enum {
    FEWEST_ROWS = 32,
    MOST_ELEMENTS = WRITTEN_OUT_ELEMENTS / 2, // of a value, in a row
    MOST_PRODUCTS = 15, // of a row with a matrix that all rows share: larger ones fill tiles
    MOST_WORK = WRITTEN_OUT_WORK / 5 * 4, // which leaves room for what reads the rows
    FEWEST_STEPS = 2,                     // instructions that combine the elements of a row
};

typedef struct SmallRows {
    const RowRegion *of;
    Module *module;
    int64_t fewest; // rows
    int64_t rows;
    Place *place;             // by value id, of what members compute
    bool *member;             // by instruction
    VEC(int) open;            // members whose neighbours are to be looked at
    int last;                 // member
    VEC(const Inst *) stored; // members whose rows others read, too
    ValueMap inside, outside; // what stands for values in the loop, and for all rows behind it
} SmallRows;

static bool is_move(const Inst *inst) {
    return is_view(inst) || inst->op == OP_pad || inst->op == OP_detach;
}

// Combines the elements of a row.
static bool is_step(const Inst *inst) {
    return inst->op == OP_concat || inst->op == OP_pad || inst->op == OP_contract ||
           (op_info(inst->op)->traits & REDUCES);
}

static bool is_written_out(const Inst *inst) {
    return is_move(inst) || is_step(inst) || inst->op == OP_iota || op_info(inst->op)->elementwise;
}

static int64_t terms_of(const Inst *inst) {
    if (inst->op == OP_contract) {
        return contraction_length(inst);
    }
    bool reduces = op_info(inst->op)->traits & REDUCES;
    int64_t results = type_elements(inst->results[0]->type);
    return reduces && results > 0 ? type_elements(inst->operands[0]->type) / results : 1;
}

static bool has_small_rows(const SmallRows *it, Type type, Place place) {
    return type.rank <= WRITTEN_OUT_RANK && place.minor == 1 &&
           dim_value(type.dims[place.axis]) == it->rows && type_elements(type) > 0 &&
           type_elements(type) <= it->rows * MOST_ELEMENTS;
}

static Place *places_of(const SmallRows *it, const Inst *inst, Place place) {
    Place *places = arena_array(it->of->scratch, Place, inst->operand_count + 1);
    return operand_places(inst, place, it->rows, places) ? places : NULL;
}

// Can the rows of the instruction's result, which are at `place`, be computed one by one?
static bool fits(const SmallRows *it, const Inst *inst, Place place) {
    if (inst->result_count != 1 || !is_written_out(inst) ||
        !type_is_static(inst->results[0]->type) ||
        !has_small_rows(it, inst->results[0]->type, place) || terms_of(inst) > WRITTEN_OUT_TERMS) {
        return false;
    }
    const Place *places = places_of(it, inst, place);
    if (places != NULL && inst->op == OP_contract &&
        !(has_rows(places[0]) && has_rows(places[1])) &&
        terms_of(inst) * type_elements(inst->results[0]->type) > MOST_PRODUCTS * it->rows) {
        return false;
    }
    for (int i = 0; places != NULL && i < inst->operand_count; i++) {
        Type type = inst->operands[i]->type;
        if (!type_is_static(type) ||
            (has_rows(places[i]) && !has_small_rows(it, type, places[i]))) {
            return false;
        }
    }
    return places != NULL;
}

static void try_member(SmallRows *it, int number, Place place) {
    if (number >= 0 && !it->member[number] && fits(it, it->of->insts[number], place)) {
        it->member[number] = true;
        it->place[it->of->insts[number]->results[0]->id] = place;
        vec_push(it->of->scratch, &it->open, number);
    }
}

static void try_user(SmallRows *it, int number, const Value *value) {
    const Inst *inst = it->of->insts[number];
    for (int i = 0; i < inst->operand_count && inst->result_count == 1; i++) {
        Place place;
        if (inst->operands[i] == value && is_written_out(inst) &&
            result_place(inst, i, it->place[value->id], it->rows, &place)) {
            try_member(it, number, place);
            return;
        }
    }
}

// A member that others may compute, too: indices, or what is only moved from a value that is not
// computed row by row, as a number in all rows. It connects nothing.
static bool is_free(const SmallRows *it, const Inst *inst) {
    if (!is_move(inst)) {
        return inst->op == OP_iota;
    }
    int maker = it->of->maker[inst->operands[0]->id];
    bool is_row = maker >= 0 && it->member[maker] &&
                  has_rows(places_of(it, inst, it->place[inst->results[0]->id])[0]);
    return !is_row || is_free(it, it->of->insts[maker]);
}

static void grow(SmallRows *it) {
    const RowRegion *of = it->of;
    for (int next = 0; next < it->open.count; next++) {
        const Inst *inst = of->insts[it->open.at[next]];
        const Value *value = inst->results[0];
        const Place *places = places_of(it, inst, it->place[value->id]);
        for (int i = 0; i < inst->operand_count; i++) {
            if (has_rows(places[i])) {
                try_member(it, of->maker[inst->operands[i]->id], places[i]);
            }
        }
        if (is_free(it, inst)) {
            continue;
        }
        for (int i = of->first_user[value->id]; i < of->first_user[value->id + 1]; i++) {
            try_user(it, of->users[i], value);
        }
    }
}

// What members compute is read row by row, each where the row was put.
static bool reads_rows(const SmallRows *it, const Inst *inst) {
    const Place *places = places_of(it, inst, it->place[inst->results[0]->id]);
    for (int i = 0; i < inst->operand_count; i++) {
        const Value *value = inst->operands[i];
        int maker = it->of->maker[value->id];
        if (maker >= 0 && it->member[maker] && !places_equal(it->place[value->id], places[i])) {
            return false;
        }
    }
    return true;
}

// A member that is computed nowhere else.
static bool is_only_member(const SmallRows *it, int number) {
    return it->member[number] && !is_free(it, it->of->insts[number]);
}

static void mark_users(const RowRegion *of, const Inst *inst, bool *marks) {
    for (int i = 0; i < inst->result_count; i++) {
        int id = inst->results[i]->id;
        for (int u = of->first_user[id]; u < of->first_user[id + 1]; u++) {
            marks[of->users[u]] = true;
        }
    }
}

// Leaves out members that depend on others by a way that leads out of the group: they would have to
// come before the loop and behind it.
static void drop_dependent(SmallRows *it) {
    const RowRegion *of = it->of;
    bool *reached = arena_array(of->scratch, bool, of->count);
    bool *behind = arena_array(of->scratch, bool, of->count);
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        it->member[k] = it->member[k] && !behind[k] && reads_rows(it, inst);
        if (is_only_member(it, k) || reached[k]) {
            mark_users(of, inst, reached);
        }
        if (!it->member[k] && reached[k]) {
            mark_users(of, inst, behind);
        }
    }
}

static bool has_reader(const SmallRows *it, const Value *value, bool member) {
    const RowRegion *of = it->of;
    for (int i = of->first_user[value->id]; i < of->first_user[value->id + 1]; i++) {
        if (it->member[of->users[i]] == member) {
            return true;
        }
    }
    return !member && of->yielded[value->id];
}

// Moves that only others read are left to those, but for parts of what they do not read whole.
static void drop_last_moves(SmallRows *it) {
    for (int k = it->of->count - 1; k >= 0; k--) {
        const Inst *inst = it->of->insts[k];
        if (it->member[k] && is_move(inst) && !has_reader(it, inst->results[0], true)) {
            it->member[k] = inst->op == OP_slice && !has_reader(it, inst->operands[0], false);
        }
    }
}

static bool is_worth_it(const SmallRows *it) {
    int steps = 0;
    int64_t work = 0;
    for (int k = 0; k < it->of->count; k++) {
        const Inst *inst = it->of->insts[k];
        if (it->member[k]) {
            steps += is_step(inst) && !is_free(it, inst);
            work += terms_of(inst) * type_elements(inst->results[0]->type) / it->rows;
        }
    }
    return steps >= FEWEST_STEPS && work <= MOST_WORK;
}

// The group around an instruction, whose rows are along the first axis: vectors along a last one
// need no help.
static bool find_group(SmallRows *it, int seed) {
    const RowRegion *of = it->of;
    const Inst *inst = of->insts[seed];
    if (inst->result_count != 1 || !is_step(inst) || inst->results[0]->type.rank == 0 ||
        !type_is_static(inst->results[0]->type)) {
        return false;
    }
    it->rows = dim_value(inst->results[0]->type.dims[0]);
    if (it->rows < it->fewest) {
        return false;
    }
    it->place = arena_array(of->scratch, Place, of->value_count);
    it->member = arena_array(of->scratch, bool, of->count);
    it->open.count = 0;
    try_member(it, seed, (Place){0, 1});
    grow(it);
    drop_dependent(it);
    drop_last_moves(it);
    return is_worth_it(it);
}

// ---- rewriting

// What is computed before the loop: its row, or all of it.
static Value *take_row(SmallRows *it, Builder *b, Value *value, Place place, Value *number) {
    Value *whole = value_map_get(&it->outside, value);
    return has_rows(place) ? take_block(b, whole, place, it->rows, 1, number) : whole;
}

static void compute_row(SmallRows *it, Builder *b, const Inst *inst, Value *number) {
    const Place *places = places_of(it, inst, it->place[inst->results[0]->id]);
    Value **operands = arena_array(it->of->scratch, Value *, inst->operand_count + 1);
    b->span = inst->span;
    for (int i = 0; i < inst->operand_count; i++) {
        Value *value = inst->operands[i];
        int maker = it->of->maker[value->id];
        operands[i] = maker >= 0 && it->member[maker] ? value_map_get(&it->inside, value)
                                                      : take_row(it, b, value, places[i], number);
    }
    const Value *result = inst->results[0];
    value_map_set(&it->inside, result,
                  build_rows_of(b, inst, operands, it->place[result->id], 1, number));
}

static void build_rows(SmallRows *it, Builder *b) {
    const RowRegion *of = it->of;
    Inst *loop = build_loop(b, dim_constant(it->module->dims, it->rows), NULL, 0, NULL);
    Region *body = loop->regions[0];
    Builder inner = builder_at(body, b->span);
    for (int k = 0; k < of->count; k++) {
        if (it->member[k]) {
            compute_row(it, &inner, of->insts[k], body->parameters.at[0]);
        }
    }
    for (int i = 0; i < it->stored.count; i++) {
        const Value *old = it->stored.at[i]->results[0];
        Value *row = value_map_get(&it->inside, old);
        bool first = it->place[old->id].axis == 0; // a stack of rows without that axis is the value
        Dims rest = {row->type.dims + 1, row->type.rank - 1};
        vec_push(it->module->arena, &body->yields, first ? build_reshape(&inner, row, rest) : row);
    }
    loop_finish(loop);
    for (int i = 0; i < it->stored.count; i++) {
        const Value *old = it->stored.at[i]->results[0];
        Place place = it->place[old->id];
        Value *whole = place.axis == 0 ? loop->results[i] : join_blocks(b, loop->results[i], place);
        whole->name = old->name;
        value_map_set(&it->outside, old, whole);
    }
}

// Instructions stay in their order, but for readers of the group's values, which wait for the loop:
// it stands where the last member has been.
static void rewrite_region(SmallRows *it) {
    const RowRegion *of = it->of;
    Region *region = of->region;
    bool *waits = arena_array(of->scratch, bool, of->count);
    Builder b = builder_at(region, region->function->span);
    for (int k = 0; k < of->count; k++) {
        const Inst *inst = of->insts[k];
        bool only = is_only_member(it, k);
        it->last = it->member[k] ? k : it->last;
        if (only && has_reader(it, inst->results[0], false)) {
            vec_push(of->scratch, &it->stored, inst);
        }
        if (only || waits[k]) {
            mark_users(of, inst, waits);
        }
    }
    it->inside = value_map_new(of->scratch, region->function);
    it->outside = value_map_new(of->scratch, region->function);
    region->first = region->last = NULL;
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < of->count; k++) {
            bool now = k > it->last || waits[k] ? pass == 1 : pass == 0;
            if (!is_only_member(it, k) && now) {
                of->insts[k]->parent = NULL;
                map_inst_uses(&it->outside, of->insts[k]);
                inst_append(region, of->insts[k]);
            }
        }
        if (pass == 0) {
            build_rows(it, &b);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        region->yields.at[i] = value_map_get(&it->outside, region->yields.at[i]);
    }
}

// ---- the pass

static bool join_once(PassContext *context, Region *region) {
    Arena scratch = {0};
    RowRegion of = row_region_new(&scratch, region, INT64_MAX);
    SmallRows it = {.of = &of, .module = context->module};
    it.fewest = context->number > 0 ? context->number : FEWEST_ROWS;
    bool found = false;
    for (int k = 0; k < of.count && !found; k++) {
        found = find_group(&it, k);
    }
    if (found) {
        rewrite_region(&it);
    }
    arena_free(&scratch);
    return found;
}

static void join_region(PassContext *context, Region *region) {
    while (join_once(context, region)) {
    }
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->region_count; i++) {
            join_region(context, inst->regions[i]);
        }
    }
}

void pass_small_rows(PassContext *context, Function *function) {
    join_region(context, function->body);
}
