// What must be known of rules that functions have of their own: whether a rule is linear in the
// gradients that it takes, and whether it needs itself.
//
// Linearity is followed through a function from its parameters: a value is free of the gradients,
// or a sum of products of them with free values. Where that cannot be shown the answer is no. A
// tensor of zeros counts as either.
#include "ir/derivative.h"
#include "ir/op.h"

enum { DEPTH_MAX = 64 };

typedef struct Linearity {
    const Function *function;
    Arena *arena;
    bool *depends; // by value id: on the gradients
    int depth;
} Linearity;

static bool follow_function(Arena *arena, const Function *function, const bool *given,
                            bool *results, int depth);

static bool depends(const Linearity *it, const Value *value) {
    return it->depends[value->id];
}

// Plainly zero everywhere.
static bool is_zeros(const Value *value) {
    const Inst *inst = value->definition;
    while (inst && (inst->op == OP_broadcast || inst->op == OP_reshape || inst->op == OP_cast)) {
        inst = inst->operands[0]->definition;
    }
    if (!inst || inst->op != OP_constant) {
        return false;
    }
    const unsigned char *bytes = inst->attr.data->bytes;
    for (size_t i = 0; i < type_bytes(inst->attr.data->type); i++) {
        if (bytes[i]) {
            return false;
        }
    }
    return true;
}

static bool may_depend(const Linearity *it, const Value *value) {
    return depends(it, value) || is_zeros(value);
}

static int count_dependent(const Linearity *it, const Inst *inst) {
    int count = 0;
    for (int i = 0; i < inst->operand_count; i++) {
        count += depends(it, inst->operands[i]);
    }
    return count;
}

// Operands from `first` up to `last` are all sums of products, or zeros.
static bool all_may_depend(const Linearity *it, const Inst *inst, int first, int last) {
    for (int i = first; i < last; i++) {
        if (!may_depend(it, inst->operands[i])) {
            return false;
        }
    }
    return true;
}

// Operands from `first` on are free.
static bool all_free(const Linearity *it, const Inst *inst, int first) {
    for (int i = first; i < inst->operand_count; i++) {
        if (depends(it, inst->operands[i])) {
            return false;
        }
    }
    return true;
}

// An operator with one result, some of whose operands depend on the gradients.
static bool is_linear(const Linearity *it, const Inst *inst) {
    switch (inst->op) {
    case OP_add:
    case OP_sub:
    case OP_concat: return all_may_depend(it, inst, 0, inst->operand_count);
    case OP_mul:
    case OP_contract: return count_dependent(it, inst) == 1;
    case OP_div: return all_free(it, inst, 1);
    case OP_select: return !depends(it, inst->operands[0]) && all_may_depend(it, inst, 1, 3);
    case OP_cast: return element_is_real(inst->results[0]->type.element);
    case OP_pad: return all_may_depend(it, inst, 1, 2);
    case OP_gather: return all_free(it, inst, 1);
    case OP_scatter_add:
    case OP_scatter_set: return all_may_depend(it, inst, 0, 2) && all_free(it, inst, 2);
    case OP_neg:
    case OP_broadcast:
    case OP_reshape:
    case OP_transpose:
    case OP_slice:
    case OP_reduce_sum:
    case OP_cumsum: return true;
    default: return false;
    }
}

static bool follow_region(Linearity *it, const Region *region);

// Until nothing changes: what depends in one iteration may make more depend in the next.
static bool follow_loop(Linearity *it, const Inst *loop) {
    const Region *body = loop->regions[0];
    int carried = loop->attr.carried;
    if (loop->attr.counted && depends(it, loop->operands[carried])) {
        return false;
    }
    bool *state = arena_array(it->arena, bool, carried + 1);
    for (int i = 0; i < carried; i++) {
        state[i] = depends(it, loop->operands[i]);
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < carried; i++) {
            for (int k = 0; k < loop->region_count; k++) {
                it->depends[loop->regions[k]->parameters.at[i + 1]->id] = state[i];
            }
        }
        if (!follow_region(it, body)) {
            return false;
        }
        for (int i = 0; i < carried; i++) {
            changed = changed || (depends(it, body->yields.at[i]) && !state[i]);
            state[i] = state[i] || depends(it, body->yields.at[i]);
        }
    }
    for (int i = 0; i < carried; i++) {
        if (state[i] &&
            (!may_depend(it, loop->operands[i]) || !may_depend(it, body->yields.at[i]))) {
            return false;
        }
    }
    if (loop->region_count == 2 &&
        (!follow_region(it, loop->regions[1]) || depends(it, loop->regions[1]->yields.at[0]))) {
        return false;
    }
    for (int i = 0; i < body->yields.count; i++) {
        it->depends[loop->results[i]->id] =
            i < carried ? state[i] : depends(it, body->yields.at[i]);
    }
    return true;
}

static bool follow_branch(Linearity *it, const Inst *branch) {
    if (depends(it, branch->operands[0]) || !follow_region(it, branch->regions[0]) ||
        !follow_region(it, branch->regions[1])) {
        return false;
    }
    for (int i = 0; i < branch->result_count; i++) {
        const Value *yes = branch->regions[0]->yields.at[i];
        const Value *no = branch->regions[1]->yields.at[i];
        bool either = depends(it, yes) || depends(it, no);
        if (either && (!may_depend(it, yes) || !may_depend(it, no))) {
            return false;
        }
        it->depends[branch->results[i]->id] = either;
    }
    return true;
}

static bool follow_checkpoint(Linearity *it, const Inst *checkpoint) {
    const Region *region = checkpoint->regions[0];
    if (!follow_region(it, region)) {
        return false;
    }
    for (int i = 0; i < checkpoint->result_count; i++) {
        it->depends[checkpoint->results[i]->id] = depends(it, region->yields.at[i]);
    }
    return true;
}

static bool follow_call(Linearity *it, const Inst *call) {
    bool *given = arena_array(it->arena, bool, call->operand_count + 1);
    bool *results = arena_array(it->arena, bool, call->result_count + 1);
    for (int i = 0; i < call->operand_count; i++) {
        given[i] = depends(it, call->operands[i]);
    }
    if (!follow_function(it->arena, call->attr.callee, given, results, it->depth + 1)) {
        return false;
    }
    for (int i = 0; i < call->result_count; i++) {
        it->depends[call->results[i]->id] = results[i];
    }
    return true;
}

// Products with a Jacobian are linear in the seeds or tangents.
static bool follow_derivative(Linearity *it, const Inst *inst) {
    int own = inst->attr.callee->body->parameters.count;
    int results = inst->attr.callee->body->yields.count;
    for (int i = 0; i < own; i++) {
        if (depends(it, inst->operands[i])) {
            return false;
        }
    }
    if (!all_may_depend(it, inst, own, inst->operand_count)) {
        return false;
    }
    for (int i = results; i < inst->result_count; i++) {
        it->depends[inst->results[i]->id] = true;
    }
    return true;
}

static bool follow_inst(Linearity *it, const Inst *inst) {
    switch (inst->op) {
    case OP_loop: return follow_loop(it, inst);
    case OP_branch: return follow_branch(it, inst);
    case OP_checkpoint:
    case OP_recompute: return follow_checkpoint(it, inst);
    default: break;
    }
    bool any = count_dependent(it, inst) > 0;
    for (int i = 0; i < inst->result_count; i++) {
        it->depends[inst->results[i]->id] = false;
    }
    if (!any) {
        return true;
    }
    if (inst->op == OP_call) {
        return follow_call(it, inst);
    }
    if (inst->op == OP_vjp || inst->op == OP_jvp) {
        return follow_derivative(it, inst);
    }
    it->depends[inst->results[0]->id] = true;
    return is_linear(it, inst);
}

static bool follow_region(Linearity *it, const Region *region) {
    for_each_inst(inst, region) {
        if (!follow_inst(it, inst)) {
            return false;
        }
    }
    return true;
}

static bool follow_function(Arena *arena, const Function *function, const bool *given,
                            bool *results, int depth) {
    Linearity it = {function, arena, arena_array(arena, bool, function->value_count + 1), depth};
    const Region *body = function->body;
    if (depth > DEPTH_MAX) {
        return false;
    }
    for (int i = 0; i < body->parameters.count; i++) {
        it.depends[body->parameters.at[i]->id] = given[i];
    }
    if (!follow_region(&it, body)) {
        return false;
    }
    for (int i = 0; i < body->yields.count; i++) {
        results[i] = depends(&it, body->yields.at[i]);
    }
    return true;
}

// A gradient that does not depend on those taken at all must be zero.
static bool rule_is_linear(const Function *function) {
    Arena arena = {0};
    const Function *rule = function->reverse;
    int count = rule->body->parameters.count, real_count;
    real_results(&arena, function, &real_count);
    bool *given = arena_array(&arena, bool, count + 1);
    bool *results = arena_array(&arena, bool, rule->body->yields.count + 1);
    for (int i = 0; i < real_count; i++) {
        given[count - 1 - i] = true;
    }
    bool linear = follow_function(&arena, rule, given, results, 0);
    for (int i = 0; i < rule->body->yields.count && linear; i++) {
        linear = results[i] || is_zeros(rule->body->yields.at[i]);
    }
    arena_free(&arena);
    return linear;
}

// ---- what a function reaches

typedef struct Reach {
    bool *met;   // by index of functions
    int trusted; // a source file
    const Function *found;
} Reach;

static void reach(Reach *it, const Function *function);

static void reach_region(Reach *it, const Region *region) {
    for_each_inst(inst, region) {
        if (inst->attr.callee) {
            reach(it, inst->attr.callee);
        }
        for (int i = 0; i < inst->region_count; i++) {
            reach_region(it, inst->regions[i]);
        }
    }
}

static void reach(Reach *it, const Function *function) {
    if (it->met[function->index] || it->found) {
        return;
    }
    it->met[function->index] = true;
    if (function->reverse) {
        if (function->reverse->span.file != it->trusted && !rule_is_linear(function)) {
            it->found = function;
            return;
        }
        reach(it, function->reverse);
    }
    reach_region(it, function->body);
}

const Function *find_nonlinear_rule(const Function *function, int trusted) {
    Arena arena = {0};
    Reach it = {.met = arena_array(&arena, bool, function->module->functions.count + 1),
                .trusted = trusted};
    reach(&it, function);
    arena_free(&arena);
    return it.found;
}

// ---- rules that need themselves

enum { MET = 1, MET_DIFFERENTIATED = 2 };

typedef struct Need {
    const Function *rule_of;
    unsigned char *met; // by index of functions
    bool found;
} Need;

static void need_function(Need *it, const Function *function, bool differentiated);

static void need_region(Need *it, const Region *region, bool differentiated) {
    for_each_inst(inst, region) {
        if (inst->attr.callee) {
            need_function(it, inst->attr.callee, differentiated || inst->op != OP_call);
        }
        for (int i = 0; i < inst->region_count; i++) {
            need_region(it, inst->regions[i], differentiated);
        }
    }
}

static void need_function(Need *it, const Function *function, bool differentiated) {
    unsigned char how = differentiated ? MET_DIFFERENTIATED : MET;
    if ((it->met[function->index] & how) || it->found) {
        return;
    }
    it->met[function->index] |= how;
    if (differentiated && function == it->rule_of) {
        it->found = true;
    } else if (differentiated && function->reverse) {
        need_function(it, function->reverse, true);
    }
    need_region(it, function->body, differentiated);
}

bool rule_needs_itself(const Function *function) {
    Arena arena = {0};
    Need it = {.rule_of = function,
               .met = arena_array(&arena, unsigned char, function->module->functions.count + 1)};
    need_function(&it, function->reverse, false);
    arena_free(&arena);
    return it.found;
}
