// The sum of a whole matrix as the sum of its rows' sums: where rows are computed one after the
// other they are summed on the way, and need no place in memory for the sum alone. Sums of f32 get
// more exact, too.
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { SHORTEST_ROW = 256, FEWEST_ROWS = 8 };

static bool visit(Rewrite *rewrite, Inst *inst) {
    if (inst->op != OP_reduce_sum) {
        return true;
    }
    Value *x = inst->operands[0];
    Ints axes = inst->attr.axes;
    int last = x->type.rank - 1;
    if (!element_is_real(x->type.element) || !type_is_static(x->type) || last < 1 ||
        axes.count != x->type.rank || dim_value(x->type.dims[last]) < SHORTEST_ROW ||
        type_elements(x->type) / dim_value(x->type.dims[last]) < FEWEST_ROWS) {
        return true;
    }
    Value *rows = build_reduce(&rewrite->b, OP_reduce_sum, x, &last, 1);
    Value *sum = build_reduce(&rewrite->b, OP_reduce_sum, rows, axes.at, last);
    replace_value(rewrite, inst->results[0], sum);
    return false;
}

void pass_split_sums(PassContext *context, Function *function) {
    rewrite_function(context, function, visit, NULL);
}
