// A contraction can make the axes of its result in any order: exchanging them afterwards costs a
// pass over memory that is not needed.
#include "passes/match.h"
#include "passes/passes.h"
#include "passes/simplify.h"

static bool visit(Rewrite *rewrite, Inst *inst) {
    const int *uses = rewrite->state;
    if (inst->op != OP_transpose || defined_by(inst->operands[0], OP_contract) == NULL ||
        uses[inst->operands[0]->id] != 1) {
        return true;
    }
    replace_value(rewrite, inst->results[0], transpose_contract(&rewrite->b, inst));
    return false;
}

void pass_transposes(PassContext *context, Function *function) {
    rewrite_function(context, function, visit, count_uses(context->scratch, function));
}
