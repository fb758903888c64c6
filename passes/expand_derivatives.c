// Replaces vjp and jvp by the bodies of adjoints and tangent programs.
//
// The function that a derivative is of is flattened first - its calls are inlined, and the
// derivatives in it expanded - so derivatives nest to any depth, innermost first. It is then
// differentiated like a whole program. Its own copy is the one that is rewritten: functions are
// shared. The functions made on the way leave the module at the end.
#include "ir/derivative.h"
#include "passes/differentiate.h"
#include "passes/inline.h"
#include "passes/passes.h"

enum { NESTED_MAX = 64 };

// The derivative of a function, for all instructions that ask for the same.
typedef struct Derived {
    Op op;
    const Attribute *request;
    Function *function;
    bool *reached; // vjp: for each leaf
    struct Derived *next;
} Derived;

typedef struct Expansion {
    bool drops_rules;
    bool expands; // some derivative was expanded
    int depth;
    int *calls;
    Derived **known;
} Expansion;

static bool visit(Rewrite *rewrite, Inst *inst);

static bool ints_equal(Ints x, Ints y) {
    for (int i = 0; i < x.count && x.count == y.count; i++) {
        if (x.at[i] != y.at[i]) {
            return false;
        }
    }
    return x.count == y.count;
}

// A function that does what `callee` does, without plain calls and derivatives. A rule of the
// callee itself is obeyed: it is called from here.
static Function *flatten(PassContext *context, const Expansion *outer, Function *callee) {
    Function *flat = function_new(context->module, callee->name, callee->span);
    const Region *body = callee->body;
    for (int i = 0; i < body->parameters.count; i++) {
        Slot slot = callee->parameters[i];
        function_add_parameter(flat, body->parameters.at[i]->type, slot);
    }
    Builder b = builder_at(flat->body, callee->span);
    Inst *call = build_call(&b, callee, flat->body->parameters.at);
    for (int i = 0; i < call->result_count; i++) {
        function_add_result(flat, call->results[i], callee->results[i]);
    }
    Expansion inner = {.depth = outer->depth + 1, .calls = outer->calls, .known = outer->known};
    check(inner.depth < NESTED_MAX, "the derivative of %s needs itself", callee->name);
    rewrite_function(context, flat, visit, &inner);
    if (inner.expands) {
        pass_merge_equal(context, flat);
    }
    pass_remove_dead(context, flat);
    return flat;
}

static void derive(PassContext *context, const Expansion *expansion, Derived *derived) {
    const Attribute *request = derived->request;
    Arena *scratch = context->scratch;
    Function *flat = flatten(context, expansion, request->callee);
    int outputs = request->outputs.count, leaves = request->leaves.count;
    bool *seeded = arena_array(scratch, bool, outputs + 1);
    for (int i = 0; i < outputs; i++) {
        seeded[i] = true;
    }
    GradientRequest gradient = {request->outputs.at, seeded, outputs, request->leaves.at, leaves};
    derived->reached = arena_array(scratch, bool, leaves + 1);
    derived->function =
        derived->op == OP_vjp
            ? differentiate_reverse(context->module, flat, &gradient, derived->reached)
            : differentiate_forward(context->module, flat, &gradient);
}

static const Derived *derivative_of(PassContext *context, const Expansion *expansion,
                                    const Inst *inst) {
    for (Derived *known = *expansion->known; known != NULL; known = known->next) {
        if (known->op == inst->op && known->request->callee == inst->attr.callee &&
            ints_equal(known->request->outputs, inst->attr.outputs) &&
            ints_equal(known->request->leaves, inst->attr.leaves)) {
            return known;
        }
    }
    Derived *derived = arena_new(context->scratch, Derived);
    *derived = (Derived){.op = inst->op, .request = &inst->attr};
    derive(context, expansion, derived);
    derived->next = *expansion->known;
    *expansion->known = derived;
    return derived;
}

static void expand(Rewrite *rewrite, Inst *inst) {
    Expansion *expansion = rewrite->state;
    const Derived *derived = derivative_of(rewrite->context, expansion, inst);
    int own = inst->attr.callee->body->yields.count;
    Value **results =
        arena_array(rewrite->context->scratch, Value *, derived->function->body->yields.count);
    splice_function(rewrite, derived->function, inst->operands, results);
    for (int i = 0, next = own; i < inst->result_count; i++) {
        Value *value = i < own ? results[i]
                       : inst->op == OP_jvp || derived->reached[i - own]
                           ? results[next++]
                           : build_full(&rewrite->b, inst->results[i]->type, 0);
        replace_value(rewrite, inst->results[i], value);
    }
    expansion->expands = true;
}

static bool visit(Rewrite *rewrite, Inst *inst) {
    const Expansion *expansion = rewrite->state;
    if (inst->op == OP_vjp || inst->op == OP_jvp) {
        expand(rewrite, inst);
        return false;
    }
    if (inst->op == OP_call && (expansion->drops_rules || !inst->attr.callee->reverse)) {
        inline_call(rewrite, inst, expansion->calls);
        return false;
    }
    return true;
}

void expand_function(PassContext *context, Function *function, bool drops_rules) {
    int calls = 0, functions = context->module->functions.count;
    Derived *known = NULL;
    Expansion expansion = {.drops_rules = drops_rules, .calls = &calls, .known = &known};
    rewrite_function(context, function, visit, &expansion);
    context->module->functions.count = functions;
}

void pass_expand_derivatives(PassContext *context, Function *function) {
    expand_function(context, function, false);
}
