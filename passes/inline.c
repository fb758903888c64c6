// Replaces each call by the callee's body. The callee is left as it is; what its copy calls is
// inlined in turn, since copies are visited like everything else.
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { CALLS_DEEP = 1000 };

// A copy of the callee's body in a region of its own, to be spliced in.
static bool visit(Rewrite *rewrite, Inst *inst) {
    if (inst->op != OP_call) {
        return true;
    }
    Function *caller = rewrite->b.region->function;
    const Function *callee = inst->attr.callee;
    int *calls = rewrite->state;
    check(callee != caller && (*calls)++ < CALLS_DEEP * CALLS_DEEP, "%s calls itself",
          callee->name);
    const Region *body = callee->body;
    Region *copy = region_new(caller, NULL);
    ValueMap map = value_map_new(rewrite->context->scratch, callee);
    for (int i = 0; i < body->parameters.count; i++) {
        value_map_set(&map, body->parameters.at[i], inst->operands[i]);
    }
    Builder b = builder_at(copy, inst->span);
    clone_region(&b, body, &map);
    for (int i = 0; i < inst->result_count; i++) {
        replace_value(rewrite, inst->results[i], value_map_get(&map, body->yields.at[i]));
    }
    splice_region(rewrite, copy);
    return false;
}

void pass_inline(PassContext *context, Function *function) {
    int calls = 0;
    rewrite_function(context, function, visit, &calls);
}
