// Replaces each call by the callee's body. The callee is left as it is; what its copy calls is
// inlined in turn, since copies are visited like everything else. Functions with a rule of their
// own for reverse mode stay calls: drop_rules replaces them.
#include "passes/inline.h"
#include "passes/passes.h"

enum { CALLS_MAX = 1000000 };

void inline_call(Rewrite *rewrite, Inst *inst, int *calls) {
    const Function *callee = inst->attr.callee;
    check(callee != rewrite->b.region->function && (*calls)++ < CALLS_MAX, "%s calls itself",
          callee->name);
    Value **results = arena_array(rewrite->context->scratch, Value *, inst->result_count);
    splice_function(rewrite, callee, inst->operands, results);
    for (int i = 0; i < inst->result_count; i++) {
        replace_value(rewrite, inst->results[i], results[i]);
    }
}

static bool visit(Rewrite *rewrite, Inst *inst) {
    if (inst->op != OP_call || inst->attr.callee->reverse) {
        return true;
    }
    inline_call(rewrite, inst, rewrite->state);
    return false;
}

void pass_inline(PassContext *context, Function *function) {
    int calls = 0;
    rewrite_function(context, function, visit, &calls);
}
