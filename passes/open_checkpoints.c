// Puts the instructions of checkpoints and recomputations in the places of these. Behind the last
// pass that merges equal values nothing can mix a recomputation with the values it stands for, but
// for lowering, which computes things together that the program has apart: a fence keeps it from
// doing so across the start of a recomputation.
#include "passes/passes.h"
#include "passes/rewrite.h"

static bool visit(Rewrite *rewrite, Inst *inst) {
    if (!is_checkpoint(inst->op)) {
        return true;
    }
    Region *region = inst->regions[0];
    if (inst->op == OP_recompute) {
        build_fence(&rewrite->b);
    }
    for (int i = 0; i < inst->result_count; i++) {
        replace_value(rewrite, inst->results[i], region->yields.at[i]);
    }
    splice_region(rewrite, region);
    return false;
}

void pass_open_checkpoints(PassContext *context, Function *function) {
    rewrite_function(context, function, visit, NULL);
}
