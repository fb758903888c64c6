// Folds constants and applies identities that hold for every number.
//
// What simplification builds is simplified again, so one walk reaches the end of most chains.
#include "passes/simplify.h"

#include "passes/passes.h"

enum { ROUNDS = 16 }; // on one instruction; more would be identities that undo each other

static Value *simplify_plain(Rewrite *rewrite, const Inst *inst) {
    Value *value = fold_constants(rewrite, inst);
    if (value == NULL && op_info(inst->op)->elementwise) {
        value = simplify_elementwise(&rewrite->b, inst);
    }
    if (value == NULL) {
        value = simplify_shape(&rewrite->b, inst);
    }
    if (value == NULL) {
        value = simplify_reduction(&rewrite->b, inst);
    }
    return value ? value : simplify_contract(&rewrite->b, inst);
}

static bool visit(Rewrite *rewrite, Inst *inst) {
    if (inst->op == OP_loop) {
        return !simplify_loop(rewrite, inst);
    }
    if (inst->op == OP_branch) {
        return !simplify_branch(rewrite, inst);
    }
    if (inst->result_count != 1) {
        return true;
    }
    int first_new = rewrite->b.region->function->value_count;
    Value *value = simplify_plain(rewrite, inst);
    if (value == NULL) {
        return true;
    }
    for (int round = 0; round < ROUNDS && value->id >= first_new; round++) {
        Value *simpler = simplify_plain(rewrite, value->definition);
        if (simpler == NULL) {
            break;
        }
        value = simpler;
    }
    replace_value(rewrite, inst->results[0], value);
    return false;
}

void pass_simplify(PassContext *context, Function *function) {
    rewrite_function(context, function, visit, NULL);
}
