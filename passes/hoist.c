// Moves what does not change out of loops, innermost loops first: instructions, and of loops in
// loops what they carry in the same way each time (hoist_carried.h).
//
// Moved are operators that cost more than a load and a store, scalar work, and what these need.
// Cheap tensor work stays: it fuses with the loop's. What can fail (an index out of range) is only
// moved out of loops that run at least once, so that it fails in the same cases.
#include "passes/hoist_carried.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

// Of a value of a loop's body.
enum { UNCHANGED = 1, WANTED = 2 };

typedef struct Hoist {
    PassContext *context;
    DimTable *dims;
    unsigned char *state; // by id
} Hoist;

static bool can_fail(const Inst *inst) {
    return inst->op == OP_gather || inst->op == OP_scatter_add || inst->op == OP_scatter_set;
}

static bool surely_runs(const Hoist *hoist, const Inst *loop) {
    return loop->region_count == 1 && !loop->attr.counted &&
           dim_is_at_least(hoist->dims, loop->attr.trip, 1);
}

static void find_unchanged(Hoist *hoist, const Inst *loop) {
    bool runs = surely_runs(hoist, loop);
    for_each_inst(inst, loop->regions[0]) {
        bool unchanged = inst->region_count == 0 && inst->result_count == 1 &&
                         !(op_info(inst->op)->traits & STRUCTURED) && (runs || !can_fail(inst));
        for (int i = 0; i < inst->operand_count && unchanged; i++) {
            const Value *operand = inst->operands[i];
            unchanged =
                value_is_visible(operand, loop->parent) || (hoist->state[operand->id] & UNCHANGED);
        }
        if (unchanged) {
            hoist->state[inst->results[0]->id] |= UNCHANGED;
        }
    }
}

static bool is_worth_moving(const Inst *inst) {
    bool is_source = inst->op == OP_constant || inst->op == OP_dimension || inst->op == OP_iota;
    bool is_cheap = op_info(inst->op)->traits & CHEAP;
    return !is_source && (!is_cheap || inst->results[0]->type.rank == 0);
}

static void find_wanted(Hoist *hoist, const Inst *loop) {
    for (const Inst *inst = loop->regions[0]->last; inst != NULL; inst = inst->previous) {
        if (inst->result_count != 1 || !(hoist->state[inst->results[0]->id] & UNCHANGED)) {
            continue;
        }
        unsigned char *state = &hoist->state[inst->results[0]->id];
        if (is_worth_moving(inst)) {
            *state |= WANTED;
        }
        for (int i = 0; i < inst->operand_count && (*state & WANTED); i++) {
            unsigned char *operand = &hoist->state[inst->operands[i]->id];
            *operand |= (*operand & UNCHANGED) ? WANTED : 0;
        }
    }
}

static void move_unchanged(Hoist *hoist, Inst *loop) {
    find_unchanged(hoist, loop);
    find_wanted(hoist, loop);
    for (Inst *inst = loop->regions[0]->first, *next; inst != NULL; inst = next) {
        next = inst->next;
        if (inst->result_count == 1) {
            unsigned char *state = &hoist->state[inst->results[0]->id];
            if (*state == (UNCHANGED | WANTED)) {
                inst_insert_before(inst, loop);
            }
            *state = 0;
        }
    }
}

static void hoist_loop(Hoist *hoist, Inst *loop) {
    move_unchanged(hoist, loop);
    if (!surely_runs(hoist, loop)) {
        return;
    }
    for_each_inst(inner, loop->regions[0]) {
        if (inner->op == OP_loop && surely_runs(hoist, inner) &&
            hoist_carried(hoist->context, loop, inner)) {
            hoist->state = arena_array(hoist->context->scratch, unsigned char,
                                       loop->parent->function->value_count);
            move_unchanged(hoist, loop);
        }
    }
}

static void hoist_region(Hoist *hoist, Region *region) {
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->region_count; i++) {
            hoist_region(hoist, inst->regions[i]);
        }
        if (inst->op == OP_loop) {
            hoist_loop(hoist, inst);
        }
    }
}

void pass_hoist(PassContext *context, Function *function) {
    Hoist hoist = {context, context->module->dims,
                   arena_array(context->scratch, unsigned char, function->value_count)};
    hoist_region(&hoist, function->body);
}
