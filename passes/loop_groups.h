// Finding loops whose iterations work row by row: inside of the pass block_loops only.
//
// A group grows from a result of a loop and one of its axes, the rows. In it are the loop, with
// everything in its body, and what stands around it and reads values with these rows row by row or
// in sums over rows, other loops too. Nothing in the group needs a sum over rows, or a value with
// rows as a whole: so all of it can be computed for some of the rows, then for others.
#ifndef TDSL_PASSES_LOOP_GROUPS_H
#define TDSL_PASSES_LOOP_GROUPS_H

#include "passes/row_groups.h"

typedef enum GroupKind {
    GROUP_WHOLE,    // depends on no rows
    GROUP_ROWS,     // has rows, at its place
    GROUP_SUM,      // the sum over all rows is the sum of those over some of them
    GROUP_GATHERED, // carried by a loop that adds sums over rows to it, and does nothing else
} GroupKind;

typedef struct LoopGroup {
    const RowRegion *of;
    int64_t rows;
    Place *place;         // by value id: where the rows are
    unsigned char *kind;  // by value id: a GroupKind
    const Value **origin; // by value id: of what is gathered, the parameter that it began as
    bool *inside;         // by instruction of the region: of the group
    bool *free;           // by instruction: made anew in the group, and made outside, too
    bool *late;           // by instruction: not of the group, and needs results of it
    bool *banned;         // by instruction: cannot be of the group
    int wrong;            // the instruction of the region that does not fit; NOWHERE
    bool changed;
} LoopGroup;

// The group that grows from axis `axis` of `seed`, a result of a loop of the region. False if there
// is none.
bool find_loop_group(LoopGroup *group, const RowRegion *of, const Value *seed, int axis);
// The instruction of the region that makes the value, in it or in one of its regions; -1: none, or
// one without results.
int group_maker(const LoopGroup *group, const Value *value);
// True if the group computes the value itself.
bool is_made_in_group(const LoopGroup *group, const Value *value);
bool has_rows_in(const LoopGroup *group, const Value *value);
// Whether an operand of the instruction has rows.
bool reads_rows_of(const LoopGroup *group, const Inst *inst);
// Whether a result of the loop has rows, or is a sum over them.
bool has_rows_inside(const LoopGroup *group, const Inst *loop);
// Where an instruction that has rows, or sums over them, has those of its operands; in `scratch`.
Place *group_places(const LoopGroup *group, const Inst *inst);
// True if a result of the group is read outside of it.
bool is_needed_outside(const LoopGroup *group, const Value *value);

#endif
