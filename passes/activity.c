// Activity analysis: marks are spread over a function by sweeps until a sweep adds none.
#include "passes/activity.h"

#include <string.h>

Marks marks_new(Arena *arena, const Function *function) {
    int count = function->value_count + 1;
    return (Marks){arena_array(arena, unsigned char, count), count, arena};
}

bool is_marked(const Marks *marks, const Value *value, int mark) {
    return value->id < marks->count && (marks->at[value->id] & mark) == mark;
}

bool mark_value(Marks *marks, const Value *value, int mark) {
    if (!element_is_real(value->type.element) || is_marked(marks, value, mark)) {
        return false;
    }
    if (value->id >= marks->count) {
        int larger = value->id + value->id / 2 + 1;
        unsigned char *storage = arena_array(marks->arena, unsigned char, larger);
        memcpy(storage, marks->at, (size_t)marks->count);
        marks->at = storage;
        marks->count = larger;
    }
    marks->at[value->id] |= (unsigned char)mark;
    return true;
}

void unmark_value(Marks *marks, const Value *value, int mark) {
    if (value->id < marks->count) {
        marks->at[value->id] &= (unsigned char)~mark;
    }
}

bool is_active(const Marks *marks, const Value *value) {
    return is_marked(marks, value, VARIED | USEFUL);
}

// A call that is differentiated by the callee's rule: which gives gradients of some parameters
// only.
static bool rule_flows(const Inst *call, int index) {
    const Function *callee = call->attr.callee;
    check(callee->reverse != NULL, "calls are inlined before differentiation");
    for (int i = 0; i < callee->reverse_leaves.count; i++) {
        if (callee->reverse_leaves.at[i] == index) {
            return true;
        }
    }
    return false;
}

// Can a real result be reached from this operand, be it by a derivative that is zero?
static bool real_flows(const Inst *inst, int index) {
    if (inst->op == OP_call) {
        return rule_flows(inst, index);
    }
    check(inst->op != OP_vjp && inst->op != OP_jvp,
          "derivatives are expanded before differentiation");
    return inst->op != OP_detach && inst->result_count == 1 &&
           element_is_real(inst->results[0]->type.element) &&
           element_is_real(inst->operands[index]->type.element);
}

bool gradient_flows(const Inst *inst, int index) {
    return real_flows(inst, index) && op_info(inst->op)->derivative != DERIVATIVE_zero;
}

// Forward

static bool spread_region_forward(Marks *marks, const Region *region);

static bool pass_on(Marks *marks, const Value *from, const Value *to) {
    return is_marked(marks, from, VARIED) && mark_value(marks, to, VARIED);
}

static bool spread_loop_forward(Marks *marks, const Inst *loop) {
    const Region *body = loop->regions[0];
    bool changed = false;
    for (int i = 0; i < loop->attr.carried; i++) {
        changed |= pass_on(marks, loop->operands[i], body->parameters.at[i + 1]);
    }
    changed |= spread_region_forward(marks, body);
    for (int i = 0; i < body->yields.count; i++) {
        changed |= pass_on(marks, body->yields.at[i], loop->results[i]);
        if (i < loop->attr.carried) {
            changed |= pass_on(marks, body->yields.at[i], body->parameters.at[i + 1]);
            changed |= pass_on(marks, loop->operands[i], loop->results[i]);
        }
    }
    return changed;
}

// Through branches and checkpoints.
static bool spread_sides_forward(Marks *marks, const Inst *inst) {
    bool changed = false;
    for (int side = 0; side < inst->region_count; side++) {
        const Region *region = inst->regions[side];
        changed |= spread_region_forward(marks, region);
        for (int i = 0; i < region->yields.count; i++) {
            changed |= pass_on(marks, region->yields.at[i], inst->results[i]);
        }
    }
    return changed;
}

static bool spread_region_forward(Marks *marks, const Region *region) {
    bool changed = false;
    for_each_inst(inst, region) {
        if (inst->op == OP_loop) {
            changed |= spread_loop_forward(marks, inst);
        } else if (inst->op == OP_branch || is_checkpoint(inst->op)) {
            changed |= spread_sides_forward(marks, inst);
        } else {
            for (int i = 0; i < inst->operand_count * inst->result_count; i++) {
                int operand = i / inst->result_count, result = i % inst->result_count;
                if (gradient_flows(inst, operand)) {
                    changed |= pass_on(marks, inst->operands[operand], inst->results[result]);
                }
            }
        }
    }
    return changed;
}

void spread_varied(Marks *marks, const Function *function) {
    while (spread_region_forward(marks, function->body)) {
    }
}

// Backward

static bool spread_region_backward(Marks *marks, const Region *region, int mark);

static bool pass_back(Marks *marks, const Value *to, const Value *from, int mark) {
    return is_marked(marks, to, mark) && mark_value(marks, from, mark);
}

static bool spread_loop_backward(Marks *marks, const Inst *loop, int mark) {
    const Region *body = loop->regions[0];
    bool changed = false;
    for (int i = 0; i < body->yields.count; i++) {
        changed |= pass_back(marks, loop->results[i], body->yields.at[i], mark);
        if (i < loop->attr.carried) {
            changed |= pass_back(marks, body->parameters.at[i + 1], body->yields.at[i], mark);
        }
    }
    changed |= spread_region_backward(marks, body, mark);
    for (int i = 0; i < loop->attr.carried; i++) {
        changed |= pass_back(marks, body->parameters.at[i + 1], loop->operands[i], mark);
        changed |= pass_back(marks, loop->results[i], loop->operands[i], mark);
    }
    return changed;
}

static bool spread_sides_backward(Marks *marks, const Inst *inst, int mark) {
    bool changed = false;
    for (int side = 0; side < inst->region_count; side++) {
        const Region *region = inst->regions[side];
        for (int i = 0; i < region->yields.count; i++) {
            changed |= pass_back(marks, inst->results[i], region->yields.at[i], mark);
        }
        changed |= spread_region_backward(marks, region, mark);
    }
    return changed;
}

static bool spread_region_backward(Marks *marks, const Region *region, int mark) {
    bool changed = false;
    for (const Inst *inst = region->last; inst != NULL; inst = inst->previous) {
        if (inst->op == OP_loop) {
            changed |= spread_loop_backward(marks, inst, mark);
        } else if (inst->op == OP_branch || is_checkpoint(inst->op)) {
            changed |= spread_sides_backward(marks, inst, mark);
        } else {
            for (int i = 0; i < inst->operand_count * inst->result_count; i++) {
                int operand = i / inst->result_count, result = i % inst->result_count;
                if (mark == REACHING ? real_flows(inst, operand) : gradient_flows(inst, operand)) {
                    changed |=
                        pass_back(marks, inst->results[result], inst->operands[operand], mark);
                }
            }
        }
    }
    return changed;
}

void spread_backward(Marks *marks, const Function *function, int mark) {
    while (spread_region_backward(marks, function->body, mark)) {
    }
}

// Captures

// Not a question of visibility: a copy of a branch in a reversed loop still names values of the
// primal's body.
static bool is_inside(const Value *value, const Inst *inst) {
    for (int i = 0; i < inst->region_count; i++) {
        if (region_is_inside(value->region, inst->regions[i])) {
            return true;
        }
    }
    return false;
}

static void list_value(Marks *marks, const Inst *inst, Value *value, Arena *arena,
                       ValueList *captures) {
    if (is_active(marks, value) && !is_marked(marks, value, LISTED) && !is_inside(value, inst)) {
        mark_value(marks, value, LISTED);
        vec_push(arena, captures, value);
    }
}

static bool any_result_is_active(const Marks *marks, const Inst *inst) {
    for (int i = 0; i < inst->result_count; i++) {
        if (is_active(marks, inst->results[i])) {
            return true;
        }
    }
    return false;
}

static void list_region(Marks *marks, const Inst *outer, const Region *region, Arena *arena,
                        ValueList *captures) {
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->operand_count; i++) {
            bool flows = inst->region_count > 0 ||
                         (gradient_flows(inst, i) && any_result_is_active(marks, inst));
            if (flows) {
                list_value(marks, outer, inst->operands[i], arena, captures);
            }
        }
        for (int i = 0; i < inst->region_count; i++) {
            list_region(marks, outer, inst->regions[i], arena, captures);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        list_value(marks, outer, region->yields.at[i], arena, captures);
    }
}

ValueList list_captures(Marks *marks, const Inst *inst, Arena *arena) {
    ValueList captures = {0};
    for (int i = 0; i < inst->region_count; i++) {
        list_region(marks, inst, inst->regions[i], arena, &captures);
    }
    for (int i = 0; i < captures.count; i++) {
        unmark_value(marks, captures.at[i], LISTED);
    }
    return captures;
}

static void copy_mark(Marks *marks, const Value *value, const ValueMap *map) {
    if (value->id < marks->count && marks->at[value->id]) {
        mark_value(marks, value_map_get(map, value), marks->at[value->id]);
    }
}

void copy_marks(Marks *marks, const Region *region, const ValueMap *map) {
    for (int i = 0; i < region->parameters.count; i++) {
        copy_mark(marks, region->parameters.at[i], map);
    }
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->result_count; i++) {
            copy_mark(marks, inst->results[i], map);
        }
        for (int i = 0; i < inst->region_count; i++) {
            copy_marks(marks, inst->regions[i], map);
        }
    }
}
