// Whether a group of loops is computed block of rows by block of rows, and in which blocks: inside
// of the pass block_loops only.
#ifndef TDSL_PASSES_LOOP_PLAN_H
#define TDSL_PASSES_LOOP_PLAN_H

#include "passes/loop_groups.h"

typedef struct LoopPlan {
    LoopGroup group;
    int64_t block, blocks, chunks, rest; // blocks of each of the chunks; rows behind them
    bool rows_last;                      // rows are put last in all values of the group
    double gain;
} LoopPlan;

typedef struct GroupOutput {
    const Inst *loop; // that gathers it, as its result `index`; or NULL
    int index;
    const Value *value;
    bool is_sum;
} GroupOutput;

typedef struct GroupOutputs {
    GroupOutput *at; // sums first
    int count, sums;
} GroupOutputs;

// In `scratch`.
GroupOutputs list_group_outputs(Arena *scratch, const LoopGroup *group);
// The plan for the group that grows from axis `axis` of `seed`. False if there is no group, or if
// it is not worth a loop.
bool plan_loop_axis(LoopPlan *plan, const RowRegion *of, const Value *seed, int axis);

#endif
