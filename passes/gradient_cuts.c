// Why a gradient does not arrive: a walk from an output back to the places where it is stopped, and
// from each of these on to the leaves that would have been behind it.
#include <string.h>

#include "ir/op.h"
#include "passes/activity.h"
#include "passes/differentiate.h"

enum { CUTS_MAX = 64 };

// How a value was met: on a path of real values, or behind integers or bools. Then, the leaves are
// searched behind a place that is known to stop gradients.
enum { REAL = 1, DISCRETE = 2, BEHIND = 4 };

typedef struct Place {
    const Value *value;
    int how;
} Place;

typedef struct Search {
    const Function *function;
    Arena *arena;
    Arena *scratch;
    unsigned char *met; // by value id
    VEC(Place) work;
    VEC(GradientCut) cuts;
    bool only_requiring; // some leaf requires a gradient: others are not named
} Search;

static bool is_real(const Value *value) {
    return element_is_real(value->type.element);
}

static void meet(Search *search, const Value *value, int how) {
    if (!(search->met[value->id] & how)) {
        search->met[value->id] |= (unsigned char)how;
        vec_push(search->scratch, &search->work, ((Place){value, how}));
    }
}

static bool is_leaf(const Search *search, const Value *value) {
    return value->definition == NULL && value->region == search->function->body && is_real(value) &&
           (!search->only_requiring || search->function->parameters[value->index].requires_grad);
}

// The values that a loop's parameter, or the result of a structured instruction, is made from.
static void meet_yields(Search *search, const Value *value, int how) {
    const Inst *inst = value->definition ? value->definition : value->region->owner;
    if (inst == NULL) {
        return; // a parameter of the function
    }
    int index = value->definition ? value->index : value->index - 1;
    if (inst->op == OP_loop) {
        const Region *body = inst->regions[0];
        if (index >= 0 && index < inst->attr.carried) {
            meet(search, inst->operands[index], how);
        }
        if (index >= 0 && index < body->yields.count) {
            meet(search, body->yields.at[index], how);
        }
        return;
    }
    for (int side = 0; side < inst->region_count; side++) {
        meet(search, inst->regions[side]->yields.at[index], how);
    }
    for (int i = 0; i < inst->operand_count; i++) {
        meet(search, inst->operands[i], how == BEHIND ? BEHIND : DISCRETE);
    }
}

static bool has_yields(const Value *value) {
    return value->definition == NULL || value->definition->region_count > 0;
}

static const char *describe_cut(const Inst *inst) {
    if (inst->op == OP_detach) {
        return "detach";
    }
    if (inst->op == OP_call) {
        return "a derivative written by hand";
    }
    if (inst->op == OP_argmax || inst->op == OP_argmin) {
        return op_info(inst->op)->name;
    }
    if (op_info(inst->op)->rule == RULE_compare) {
        return "a comparison";
    }
    return inst->results[0]->type.element == TYPE_BOOL ? "bool values" : "integer values";
}

// One cut for each leaf behind an operand of `inst`.
static void add_cut(Search *search, const Inst *inst, const Value *operand) {
    Search behind = *search;
    behind.work.count = behind.work.capacity = 0;
    behind.met = arena_array(search->scratch, unsigned char, search->function->value_count);
    meet(&behind, operand, BEHIND);
    while (behind.work.count > 0) {
        const Value *value = behind.work.at[--behind.work.count].value;
        if (is_leaf(search, value) && search->cuts.count < CUTS_MAX) {
            GradientCut cut = {inst->span, describe_cut(inst),
                               search->function->parameters[value->index].name};
            vec_push(search->arena, &search->cuts, cut);
        }
        if (has_yields(value)) {
            meet_yields(&behind, value, BEHIND);
            continue;
        }
        for (int i = 0; i < value->definition->operand_count; i++) {
            meet(&behind, value->definition->operands[i], BEHIND);
        }
    }
}

static void follow(Search *search, Place place) {
    const Value *value = place.value;
    if (has_yields(value)) {
        meet_yields(search, value, place.how);
        return;
    }
    const Inst *inst = value->definition;
    for (int i = 0; i < inst->operand_count; i++) {
        const Value *operand = inst->operands[i];
        bool is_stopped =
            inst->op == OP_detach || (inst->op == OP_call && !gradient_flows(inst, i));
        bool cuts = is_stopped || !is_real(value);
        if (cuts && is_real(operand)) {
            add_cut(search, inst, operand);
        } else {
            meet(search, operand, is_real(operand) ? REAL : DISCRETE);
        }
    }
}

int find_gradient_cuts(Arena *arena, const Function *primal, int output, GradientCut **cuts) {
    Arena scratch = {0};
    Search search = {.function = primal, .arena = arena, .scratch = &scratch};
    search.met = arena_array(&scratch, unsigned char, primal->value_count);
    for (int i = 0; i < primal->body->parameters.count; i++) {
        search.only_requiring = search.only_requiring || primal->parameters[i].requires_grad;
    }
    const Value *value = primal->body->yields.at[output];
    meet(&search, value, is_real(value) ? REAL : DISCRETE);
    while (search.work.count > 0 && search.cuts.count < CUTS_MAX) {
        follow(&search, search.work.at[--search.work.count]);
    }
    arena_free(&scratch);
    *cuts = search.cuts.at;
    return search.cuts.count;
}
