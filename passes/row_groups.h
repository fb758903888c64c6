// Finding groups of instructions that can be computed row by row: inside of the pass block_rows;
// other passes that work by rows share what a region's instructions are (RowRegion).
//
// A group grows from a large value and one of its axes, the rows. In it are the instructions that
// make large values with the same rows, and those that read them: row by row, or in sums over the
// rows. Where the way from one large value to another leads through something that needs all rows
// at once, or through another contraction, the group has phases, one behind the other: each becomes
// a loop. Large values of an earlier phase are computed again in a later one if that is cheap.
//
// A group may also grow from a large value that several instructions read and none can make again,
// the operand: in it is everything that depends on the operand's rows and takes little more time
// than reading them, so that a block of them is read from the cache but for the first time.
#ifndef TDSL_PASSES_ROW_GROUPS_H
#define TDSL_PASSES_ROW_GROUPS_H

#include "passes/pipeline.h"
#include "passes/row_places.h"

// A region's instructions, and who uses what.
typedef struct RowRegion {
    Arena *scratch;
    Region *region;
    int64_t large; // bytes
    Inst **insts;  // in their order
    int count;
    int value_count; // of the function; the pass makes more, which are in no table
    int *maker; // by value id: the instruction that defines it, or -1 if it is not of the region
    int *first_user; // by value id, in `users`; those of id are before first_user[id + 1]
    int *users;      // instructions, also those in whose regions it is used
    bool *yielded;   // by value id
    bool *derived;   // by value id: large, and computed from less
    bool *solid;     // by value id: large, and not to be computed anywhere but where it is
} RowRegion;

RowRegion row_region_new(Arena *scratch, Region *region, int64_t large);
bool is_large(const RowRegion *it, const Value *value);
// True if lowering would give it memory of its own, large and for the region's use alone.
bool is_seed(const RowRegion *it, const Value *value);
// True if each of its elements is read many times, so that it has memory of its own, too.
bool is_repeated(const RowRegion *it, const Value *value);
// True if it is large, given or costly, and read by a contraction and by others.
bool is_shared_operand(const RowRegion *it, const Value *value);

typedef enum RowKind {
    ROW_OUTSIDE, // not computed row by row
    ROW_MAP,     // the result has rows
    ROW_SUM,     // the result is a sum over rows
} RowKind;

typedef struct RowGroup {
    const RowRegion *of;
    const Value *operand; // that it grows from, or NULL
    int64_t rows;
    Place *place;  // by value id: where the rows are
    RowKind *kind; // by instruction
    bool *core;    // by instruction: makes or reads large values of the group
    bool *free;    // by instruction: its result is made anew wherever it is read
    int *phase;    // by instruction: the last phase it is in or depends on; -1: none
    bool *member;  // by instruction: computed in the loop of its phase, and nowhere else
    bool *outside; // by instruction: computed where it is, too
    bool *stored;  // by value id: of a member, and needed whole
    int phases;
    VEC(const Value *) work;
} RowGroup;

// The group that grows from axis `axis` of `seed`, a seed or a shared operand. False if there is
// none.
bool find_row_group(RowGroup *group, const RowRegion *of, const Value *seed, int axis);
// The instructions that the loop of a phase computes, by instruction; in `scratch`.
bool *instructions_of_phase(const RowGroup *group, int phase);
// Where an instruction of the group has the rows of its operands; in `scratch`.
Place *places_of_operands(const RowGroup *group, const Inst *inst);
// True if an instruction that is computed reads rows of the group's operand.
bool reads_operand(const RowGroup *group, const Inst *inst);
// True if `value` is among what the loop with these instructions computes, its rows at `place`.
bool is_computed_in(const RowGroup *group, const bool *inside, const Value *value, Place place);

#endif
