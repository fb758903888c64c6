// Walking over a function and rewriting it in place: shared by the passes.
//
// A walk takes a region's instructions out and puts them back in order, each through a visitor,
// which may build others in its place. Operands are replaced on the way, so one walk is enough.
#ifndef TDSL_PASSES_REWRITE_H
#define TDSL_PASSES_REWRITE_H

#include "ir/edit.h"
#include "passes/pipeline.h"

typedef struct Rewrite Rewrite;

// Looks at `inst`, whose operands are replaced already and which is in no region. Either returns
// true to have it appended (after its regions were walked), or has replaced each of its results
// (replace_value) and returns false.
typedef bool VisitInst(Rewrite *rewrite, Inst *inst);

struct Rewrite {
    PassContext *context;
    Builder b; // appends to the region being walked
    VisitInst *visit;
    ValueMap to;   // replaced values
    Inst *pending; // instructions to visit next in this region
    void *state;   // the visitor's own
};

void rewrite_function(PassContext *context, Function *function, VisitInst *visit, void *state);

// The value to use instead of `value`.
Value *resolve(const Rewrite *rewrite, Value *value);
// Every later use of `from` becomes one of `to`, which takes over the name if it has none.
void replace_value(Rewrite *rewrite, Value *from, Value *to);
// Puts the instructions of a region, which is left empty, where the walk is: they are visited next.
void splice_region(Rewrite *rewrite, Region *region);

// Puts a copy of the callee's body where the walk is, as splice_region does; results[i] becomes
// what stands for its result i.
void splice_function(Rewrite *rewrite, const Function *callee, Value *const *arguments,
                     Value **results);

// Appends an instruction that is in no region.
void inst_append(Region *region, Inst *inst);

#endif
