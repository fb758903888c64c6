// Large functions that are called several times are differentiated once. The callee is split in two
// functions: one that computes its results and, behind them, what the adjoint needs of the values
// on the way, and the adjoint, which takes these. The first has the second as its rule for reverse
// mode (ir/derivative.h), so differentiation calls it; drop_rules puts the bodies of both where
// they are called, in the places where differentiating the callee's body there would have put them,
// so that nothing is lost for fusion.
//
// Only calls outside of loops and branches are kept (inside, what an adjoint needs of an iteration
// is better chosen value by value), of functions with one real result: then every argument with a
// gradient is one that every gradient of the results flows to, as if the body stood there.
#include "ir/derivative.h"
#include "passes/differentiate.h"
#include "passes/inline.h"
#include "passes/passes.h"

enum { FEWEST_CALLS = 2, FEWEST_INSTS = 24 };

// A function that is called in the function looked at.
typedef struct Callee {
    Function *function;
    int calls;
    Function *kept; // what is called instead; NULL: it is inlined
} Callee;

typedef struct Keeping {
    VEC(Callee) callees;
} Keeping;

// ---- the split

typedef struct Split {
    Arena *scratch;
    const Function *whole; // the adjoint of the callee as one function
    const Inst *first;     // of its sweep
    bool *is_primal;       // by value id: computed before the sweep
    bool *is_seeded;       // by value id: depends on the gradient of the result
    bool *is_listed;       // by value id: a parameter, a result, or in one of the lists
    int parameter_count;   // of the callee
    int result_count;
    VEC(Value *) saved;         // what the adjoint takes besides parameters and results
    VEC(const Inst *) repeated; // computed in both functions: constants and what is made of them
} Split;

static bool is_repeatable(Op op) {
    return op == OP_constant || op == OP_iota || op == OP_broadcast || op == OP_reshape;
}

static bool depends_on_constants(const Inst *inst) {
    if (inst == NULL || !is_repeatable(inst->op)) {
        return false;
    }
    for (int i = 0; i < inst->operand_count; i++) {
        if (!depends_on_constants(inst->operands[i]->definition)) {
            return false;
        }
    }
    return true;
}

static void need(Split *split, Value *value) {
    if (!split->is_primal[value->id] || split->is_listed[value->id]) {
        return;
    }
    split->is_listed[value->id] = true;
    if (!depends_on_constants(value->definition)) {
        vec_push(split->scratch, &split->saved, value);
        return;
    }
    for (int i = 0; i < value->definition->operand_count; i++) {
        need(split, value->definition->operands[i]);
    }
    vec_push(split->scratch, &split->repeated, value->definition);
}

// What an instruction and its regions use. True if something of it depends on the seed.
static bool walk_uses(Split *split, const Inst *inst) {
    bool seeded = false;
    for (int i = 0; i < inst->operand_count; i++) {
        need(split, inst->operands[i]);
        seeded |= split->is_seeded[inst->operands[i]->id];
    }
    for (int r = 0; r < inst->region_count; r++) {
        const Region *region = inst->regions[r];
        for_each_inst(inner, region) {
            seeded |= walk_uses(split, inner);
        }
        for (int i = 0; i < region->yields.count; i++) {
            need(split, region->yields.at[i]);
            seeded |= split->is_seeded[region->yields.at[i]->id];
        }
    }
    return seeded;
}

static void find_needs(Split *split) {
    const Region *body = split->whole->body;
    int count = split->whole->value_count;
    split->is_primal = arena_array(split->scratch, bool, count);
    split->is_seeded = arena_array(split->scratch, bool, count);
    split->is_listed = arena_array(split->scratch, bool, count);
    for (const Inst *inst = body->first; inst != split->first; inst = inst->next) {
        for (int i = 0; i < inst->result_count; i++) {
            split->is_primal[inst->results[i]->id] = true;
        }
    }
    for (int i = 0; i < split->result_count; i++) {
        split->is_listed[body->yields.at[i]->id] = true;
    }
    split->is_seeded[body->parameters.at[split->parameter_count]->id] = true;
    for (const Inst *inst = split->first; inst != NULL; inst = inst->next) {
        bool seeded = walk_uses(split, inst);
        for (int i = 0; i < inst->result_count; i++) {
            split->is_seeded[inst->results[i]->id] = seeded;
        }
    }
}

static Value *copy_parameter(Function *to, const Function *from, int index, ValueMap *map) {
    const Value *parameter = from->body->parameters.at[index];
    Slot slot = {.name = from->parameters[index].name, .span = from->parameters[index].span};
    Value *copy = function_add_parameter(to, parameter->type, slot);
    copy->name = parameter->name;
    value_map_set(map, parameter, copy);
    return copy;
}

// The callee, which also gives what the adjoint needs.
static Function *make_forward(const Split *split, const Function *callee) {
    const Region *body = split->whole->body;
    Function *forward =
        function_new(callee->module,
                     arena_format(callee->module->arena, "%s_forward", callee->name), callee->span);
    ValueMap map = value_map_new(split->scratch, split->whole);
    for (int i = 0; i < split->parameter_count; i++) {
        copy_parameter(forward, split->whole, i, &map);
    }
    Builder b = builder_at(forward->body, callee->span);
    for (const Inst *inst = body->first; inst != split->first; inst = inst->next) {
        clone_inst(&b, inst, &map);
    }
    for (int i = 0; i < split->result_count; i++) {
        Slot slot = callee->results[i];
        slot.role = ROLE_VALUE;
        function_add_result(forward, value_map_get(&map, body->yields.at[i]), slot);
    }
    for (int i = 0; i < split->saved.count; i++) {
        Slot slot = {.role = ROLE_SAVED, .span = callee->span};
        function_add_result(forward, value_map_get(&map, split->saved.at[i]), slot);
    }
    return forward;
}

// The sweep: of parameters, results, saved values and the gradient of the real result.
static Function *make_adjoint(const Split *split, const Function *callee, const int *leaves,
                              int leaf_count) {
    const Region *body = split->whole->body;
    Function *adjoint =
        function_new(callee->module,
                     arena_format(callee->module->arena, "%s_adjoint", callee->name), callee->span);
    ValueMap map = value_map_new(split->scratch, split->whole);
    for (int i = 0; i < split->parameter_count; i++) {
        copy_parameter(adjoint, split->whole, i, &map);
    }
    for (int i = 0; i < split->result_count + split->saved.count; i++) {
        bool is_result = i < split->result_count;
        const Value *value =
            is_result ? body->yields.at[i] : split->saved.at[i - split->result_count];
        Slot slot = {.name = is_result ? callee->results[i].name : NULL, .span = callee->span};
        Value *parameter = function_add_parameter(adjoint, value->type, slot);
        parameter->name = value->name;
        bool is_parameter = value->region == body && value->definition == NULL;
        if (!is_parameter) {
            value_map_set(&map, value, parameter);
        }
    }
    copy_parameter(adjoint, split->whole, split->parameter_count, &map);
    Builder b = builder_at(adjoint->body, callee->span);
    for (int i = 0; i < split->repeated.count; i++) {
        clone_inst(&b, split->repeated.at[i], &map);
    }
    for (const Inst *inst = split->first; inst != NULL; inst = inst->next) {
        clone_inst(&b, inst, &map);
    }
    for (int i = 0; i < leaf_count; i++) {
        Value *gradient = body->yields.at[split->result_count + leaves[i]];
        Slot slot = {.name = split->whole->results[split->result_count + leaves[i]].name,
                     .span = callee->span};
        Value *copy = value_map_get(&map, gradient);
        copy->name = NULL; // where it is called it is the gradient of something else
        function_add_result(adjoint, copy, slot);
    }
    return adjoint;
}

// `whole` is the adjoint of a callee whose body has `primal_count` instructions; gradient i of it
// is that of parameter of[i].
static Function *split_adjoint(Arena *scratch, const Function *whole, const Function *callee,
                               int primal_count, const int *of) {
    Split split = {.scratch = scratch,
                   .whole = whole,
                   .first = whole->body->first,
                   .parameter_count = callee->body->parameters.count,
                   .result_count = callee->body->yields.count};
    for (int i = 0; i < primal_count; i++) {
        split.first = split.first->next;
    }
    find_needs(&split);
    // A gradient that does not depend on the seed stands for none: it is the zeros of a leaf that
    // only operators without slope lead to.
    int gradients = whole->body->yields.count - split.result_count, count = 0;
    int *leaves = arena_array(scratch, int, gradients);
    int *parameters = arena_array(whole->module->arena, int, gradients);
    for (int i = 0; i < gradients; i++) {
        if (split.is_seeded[whole->body->yields.at[split.result_count + i]->id]) {
            leaves[count] = i;
            parameters[count++] = of[i];
        }
    }
    if (count == 0) {
        return NULL;
    }
    Function *forward = make_forward(&split, callee);
    forward->reverse = make_adjoint(&split, callee, leaves, count);
    forward->reverse_leaves = (Ints){parameters, count};
    forward->is_kept = true;
    const char *mistake = reverse_rule_mistake(scratch, forward);
    check(mistake == NULL, "the adjoint of %s is wrong: %s", callee->name, mistake);
    return forward;
}

// ---- which functions

static int count_insts(const Region *region) {
    int count = 0;
    for_each_inst(inst, region) {
        count++;
        for (int i = 0; i < inst->region_count; i++) {
            count += count_insts(inst->regions[i]);
        }
    }
    return count;
}

static bool has_checkpoint(const Region *region) {
    for_each_inst(inst, region) {
        if (is_checkpoint(inst->op)) {
            return true;
        }
        for (int i = 0; i < inst->region_count; i++) {
            if (has_checkpoint(inst->regions[i])) {
                return true;
            }
        }
    }
    return false;
}

static Function *keep(PassContext *context, const Function *callee) {
    int real_count;
    const int *real = real_results(context->scratch, callee, &real_count);
    if (real_count != 1) {
        return NULL;
    }
    Function *flat = clone_function(callee, callee->name);
    expand_function(context, flat, false);
    pass_remove_dead(context, flat);
    if (count_insts(flat->body) < FEWEST_INSTS || has_checkpoint(flat->body)) {
        return NULL;
    }
    int primal_count = 0, leaf_count = 0;
    for_each_inst(inst, flat->body) {
        primal_count++;
    }
    int parameters = flat->body->parameters.count;
    int *leaves = arena_array(context->scratch, int, parameters);
    for (int i = 0; i < parameters; i++) {
        if (element_is_real(flat->body->parameters.at[i]->type.element)) {
            leaves[leaf_count++] = i;
        }
    }
    bool seeded = true;
    bool *reached = arena_array(context->scratch, bool, leaf_count);
    GradientRequest request = {real, &seeded, 1, leaves, leaf_count};
    const Function *whole = differentiate_reverse(context->module, flat, &request, reached);
    int *of = arena_array(context->scratch, int, leaf_count);
    for (int i = 0, next = 0; i < leaf_count; i++) {
        if (reached[i]) {
            of[next++] = leaves[i];
        }
    }
    return split_adjoint(context->scratch, whole, callee, primal_count, of);
}

static Callee *find_callee(Keeping *keeping, const Function *function) {
    for (int i = 0; i < keeping->callees.count; i++) {
        if (keeping->callees.at[i].function == function) {
            return &keeping->callees.at[i];
        }
    }
    return NULL;
}

static bool visit(Rewrite *rewrite, Inst *inst) {
    const Callee *callee =
        inst->op == OP_call && rewrite->b.region == rewrite->b.region->function->body
            ? find_callee(rewrite->state, inst->attr.callee)
            : NULL;
    if (callee == NULL || callee->kept == NULL) {
        return true;
    }
    Span span = rewrite->b.span;
    rewrite->b.span = inst->span;
    Inst *call = build_call(&rewrite->b, callee->kept, inst->operands);
    rewrite->b.span = span;
    for (int i = 0; i < inst->result_count; i++) {
        replace_value(rewrite, inst->results[i], call->results[i]);
    }
    return false;
}

void pass_keep_calls(PassContext *context, Function *function) {
    Keeping keeping = {0};
    for_each_inst(inst, function->body) {
        if (inst->op != OP_call || inst->attr.callee->reverse != NULL) {
            continue;
        }
        Callee *known = find_callee(&keeping, inst->attr.callee);
        if (known != NULL) {
            known->calls++;
        } else {
            vec_push(context->scratch, &keeping.callees, ((Callee){inst->attr.callee, 1, NULL}));
        }
    }
    bool any = false;
    for (int i = 0; i < keeping.callees.count; i++) {
        Callee *callee = &keeping.callees.at[i];
        callee->kept = callee->calls >= FEWEST_CALLS ? keep(context, callee->function) : NULL;
        any |= callee->kept != NULL;
    }
    if (any) {
        rewrite_function(context, function, visit, &keeping);
    }
}
