// Replaces each detach by its operand. Once nothing will be differentiated any more, it means
// nothing.
#include "passes/passes.h"
#include "passes/rewrite.h"

static bool visit(Rewrite *rewrite, Inst *inst) {
    if (inst->op != OP_detach) {
        return true;
    }
    replace_value(rewrite, inst->results[0], inst->operands[0]);
    return false;
}

void pass_drop_detach(PassContext *context, Function *function) {
    rewrite_function(context, function, visit, NULL);
}
