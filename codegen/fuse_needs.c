// What fusion (fuse.c) has to know of a function before it decides what gets a place in memory:
// which values are needed, how many read them, and what these readers want.
#include "codegen/lower_plan.h"

enum { FEWEST_WINDOWS = 2 }; // that read each element of a padded value before it is worth a place

static void mark_region(Lowering *l, const Region *region);

// A loop's stacks are needed only if somebody reads them; its carried values
// may need each other.
static bool is_yield_needed(const Lowering *l, const Inst *inst, int region, int yield) {
    bool stack = inst->op == OP_loop && region == 0 && yield >= inst->attr.carried;
    return !stack || state_of(l, inst->results[yield])->needed;
}

static void mark_inst(Lowering *l, const Inst *inst) {
    bool needed = false;
    for (int i = 0; i < inst->result_count; i++) {
        needed = needed || state_of(l, inst->results[i])->needed;
    }
    if (!needed) {
        return;
    }
    for (int i = 0; i < inst->region_count; i++) {
        for (int j = 0; j < inst->regions[i]->yields.count; j++) {
            if (is_yield_needed(l, inst, i, j)) {
                state_of(l, inst->regions[i]->yields.at[j])->needed = true;
            }
        }
        mark_region(l, inst->regions[i]);
    }
    bool shifts = inst->op == OP_slice || inst->op == OP_pad ||
                  (op_info(inst->op)->elementwise && state_of(l, inst->results[0])->shifted);
    for (int i = 0; i < inst->operand_count; i++) {
        ValueState *state = state_of(l, inst->operands[i]);
        state->needed = true;
        state->shifted = state->shifted || shifts;
    }
}

static void mark_region(Lowering *l, const Region *region) {
    for (const Inst *inst = region->last; inst != NULL; inst = inst->previous) {
        mark_inst(l, inst);
    }
}

// A broadcast whose repeats lie outside of an axis of its operand reads each
// element again and again; repeats inside of all axes are moved out of the
// inner loops.
static bool repeats_outside(const Inst *inst) {
    Type from = inst->operands[0]->type, to = inst->results[0]->type;
    int last = -1;
    for (int k = 0; k < from.rank; k++) {
        if (type_size_at(from, k) > 1) {
            last = inst->attr.axes.at[k];
        }
    }
    for (int axis = 0; axis < last; axis++) {
        bool repeated = type_size_at(to, axis) > 1;
        for (int k = 0; k < from.rank; k++) {
            if (inst->attr.axes.at[k] == axis && type_size_at(from, k) > 1) {
                repeated = false;
            }
        }
        if (repeated) {
            return true;
        }
    }
    return false;
}

// An index that may be out of range must be looked at wherever the program has
// it: readers that skip elements read it from memory.
static bool may_fail(const Value *value) {
    const Inst *inst = value->definition;
    if (inst == NULL || inst->op != OP_gather) {
        return false;
    }
    for (int k = 1; k < inst->operand_count; k++) {
        int64_t low, high;
        if (!value_range(inst->operands[k], &low, &high) || low < 0 ||
            high >= type_size_at(inst->operands[0]->type, k - 1)) {
            return true;
        }
    }
    return false;
}

static void want(Lowering *l, const Value *value) {
    state_of(l, value)->wanted = true;
}

// Windows that overlap: where an element lies in the padding is asked once, and its neighbours
// stay neighbours.
static bool reads_padding_often(const Inst *gather) {
    const Inst *pad = gather->operands[0]->definition;
    return pad != NULL && pad->op == OP_pad &&
           type_elements(gather->results[0]->type) >=
               FEWEST_WINDOWS * type_elements(gather->operands[0]->type);
}

// What is subtracted from its largest element, as in a softmax, has to be the number that was
// compared: a product, negated or not, that is computed again in a difference may become part of a
// multiply-add, which does not round it. Beyond 1e9, an f32 then lies above the largest one by a
// lot.
static void note_extreme(Lowering *l, const Value *operand) {
    const Value *value = view_source(operand);
    const Inst *inst = value->definition;
    while (inst != NULL && inst->op == OP_neg) {
        inst = view_source(inst->operands[0])->definition;
    }
    if (inst != NULL && inst->op == OP_mul) {
        state_of(l, value)->compared = true;
    }
}

static void note_operand_needs(Lowering *l, const Inst *inst) {
    ValueState *first = inst->operand_count > 0 ? state_of(l, inst->operands[0]) : NULL;
    const Inst *product;
    switch (inst->op) {
    case OP_slice:
    case OP_pad: first->wanted = first->wanted || first->fallible; break;
    case OP_broadcast:
        if (repeats_outside(inst)) {
            first->repeated = true;
        }
        break;
    case OP_gather:
        first->wanted = first->wanted || first->fallible;
        if (type_elements(inst->results[0]->type) > type_elements(inst->operands[0]->type)) {
            first->repeated = true;
        }
        first->wanted = first->wanted || reads_padding_often(inst);
        break;
    case OP_contract:
    case OP_reduce_sum:
        product = tiled_product(l, inst);
        for (int i = 0; product != NULL && i < product->operand_count; i++) {
            bool is_once = product == inst && i == operand_read_once(l, product) &&
                           !state_of(l, product->operands[i])->fallible;
            if (!is_once) {
                want(l, view_source(product->operands[i]));
            }
        }
        for (int i = 0; product == NULL && inst->op == OP_contract && i < 2; i++) {
            state_of(l, inst->operands[i])->repeated = true;
        }
        break;
    case OP_reduce_max:
    case OP_reduce_min: note_extreme(l, inst->operands[0]); break;
    case OP_loop:
    case OP_branch:
        for (int i = 0; i < inst->operand_count; i++) {
            bool initial = inst->op == OP_loop && i < inst->attr.carried;
            if (!initial) {
                want(l, inst->operands[i]);
            }
        }
        if (inst->op == OP_loop && inst->region_count > 1) { // the condition may be an outer value
            want(l, inst->regions[1]->yields.at[0]);
            state_of(l, inst->regions[1]->yields.at[0])->stored = true;
        }
        break;
    default: break;
    }
}

// Read element by element with a step, again in each iteration of a loop around the reader; a
// contraction reads with any step.
static bool is_read_with_steps(const Value *value, const Inst *reader, const Region *region) {
    const Inst *inst = value->definition;
    return value->region != region && region->owner != NULL && region->owner->op == OP_loop &&
           reader->op != OP_contract && inst != NULL && inst->op == OP_transpose &&
           inst->attr.axes.at[value->type.rank - 1] != value->type.rank - 1;
}

static void note_uses(Lowering *l, const Region *region) {
    for_each_inst(inst, region) {
        if (inst->result_count > 0 && !state_of(l, inst->results[0])->needed) {
            bool any = false;
            for (int i = 0; i < inst->result_count; i++) {
                any = any || state_of(l, inst->results[i])->needed;
            }
            if (!any) {
                continue;
            }
        }
        bool fallible = false;
        for (int i = 0; i < inst->operand_count; i++) {
            bool first = true;
            for (int j = 0; j < i; j++) {
                first = first && inst->operands[j] != inst->operands[i];
            }
            ValueState *of = state_of(l, inst->operands[i]);
            of->uses += first;
            of->inner = of->inner || inst->operands[i]->region != region;
            of->wanted = of->wanted || is_read_with_steps(inst->operands[i], inst, region);
            fallible = fallible || of->fallible;
        }
        if (is_inlinable(inst->op)) {
            state_of(l, inst->results[0])->fallible = fallible || may_fail(inst->results[0]);
        }
        note_operand_needs(l, inst);
        for (int i = 0; i < inst->region_count; i++) {
            note_uses(l, inst->regions[i]);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        int number = region->owner != NULL && region == region->owner->regions[0] ? 0 : 1;
        if (region->owner == NULL || is_yield_needed(l, region->owner, number, i)) {
            state_of(l, region->yields.at[i])->uses++;
        }
    }
}

// Readers of a shape that keeps neighbours together, as the windows of a pooling, find elements
// where its source has them: one place serves both, and the source's kernel can fill it.
static bool keeps_neighbours(const Inst *inst) {
    int last = inst->op == OP_transpose ? inst->results[0]->type.rank - 1 : -1;
    return inst->op == OP_reshape || (last >= 0 && inst->attr.axes.at[last] == last);
}

static void share_sources(Lowering *l, const Region *region) {
    for (const Inst *inst = region->last; inst != NULL; inst = inst->previous) {
        for (int i = 0; i < inst->region_count; i++) {
            share_sources(l, inst->regions[i]);
        }
        for (int i = 0; i < inst->result_count; i++) {
            ValueState *state = state_of(l, inst->results[i]);
            state->shared = state->shared || state->uses > 1;
        }
        if (keeps_neighbours(inst) && state_of(l, inst->results[0])->shared) {
            state_of(l, inst->operands[0])->shared = true;
        }
    }
}

static bool set_reverse(Lowering *l, const Value *value, bool reverse) {
    bool is_new = reverse && !state_of(l, value)->reverse;
    state_of(l, value)->reverse = state_of(l, value)->reverse || reverse;
    return is_new;
}

// What depends on a seed is reverse; true if something was new.
static bool spread_reverse(Lowering *l, const Region *region) {
    bool changed = false;
    for_each_inst(inst, region) {
        bool any = false;
        for (int i = 0; i < inst->operand_count; i++) {
            any = any || state_of(l, inst->operands[i])->reverse;
        }
        bool carries = inst->op == OP_loop;
        for (int i = 0; i < inst->region_count; i++) {
            const Region *inner = inst->regions[i];
            for (int k = 1; k < inner->parameters.count; k++) {
                bool is = state_of(l, inst->operands[k - 1])->reverse ||
                          (carries && state_of(l, inst->regions[0]->yields.at[k - 1])->reverse);
                changed |= set_reverse(l, inner->parameters.at[k], is);
            }
            changed |= spread_reverse(l, inner);
            for (int k = 0; k < inner->yields.count && k < inst->result_count && i == 0; k++) {
                changed |=
                    set_reverse(l, inst->results[k], state_of(l, inner->yields.at[k])->reverse);
            }
        }
        for (int i = 0; i < inst->result_count && inst->region_count == 0; i++) {
            changed |= set_reverse(l, inst->results[i], any);
        }
    }
    return changed;
}

void analyse_function(Lowering *l) {
    const Region *body = l->function->body;
    for (int i = 0; i < body->yields.count; i++) {
        state_of(l, body->yields.at[i])->needed = true;
    }
    mark_region(l, body);
    note_uses(l, body);
    share_sources(l, body);
    for (int i = 0; i < body->parameters.count; i++) {
        Role role = l->function->parameters[i].role;
        state_of(l, body->parameters.at[i])->reverse = role == ROLE_SEED;
    }
    while (spread_reverse(l, body)) {
    }
}
