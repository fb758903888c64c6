// Activity: which values lie between the leaves and the outputs of a differentiation.
//
// Only real values are ever marked: integers and bools stop a gradient, and so does detach. Loops
// are followed until nothing changes, so a carried value is marked if any iteration makes it so.
#ifndef TDSL_PASSES_ACTIVITY_H
#define TDSL_PASSES_ACTIVITY_H

#include "ir/edit.h"

enum {
    VARIED = 1,   // depends on a leaf, through operators whose derivative is not zero
    USEFUL = 2,   // an output depends on it, through such operators
    REACHING = 4, // an output depends on it, through any operators on real values
    LISTED = 8,   // scratch mark of capture lists
};

// Marks by value id. Values made later have no marks until they are given some.
typedef struct Marks {
    unsigned char *at;
    int count;
    Arena *arena;
} Marks;

Marks marks_new(Arena *arena, const Function *function);
bool is_marked(const Marks *marks, const Value *value, int mark); // all bits of `mark`
// True if that is new. Only real values are marked.
bool mark_value(Marks *marks, const Value *value, int mark);
void unmark_value(Marks *marks, const Value *value, int mark);

// Spreads VARIED from the values that have it to all that depend on them.
void spread_varied(Marks *marks, const Function *function);
// Spreads USEFUL or REACHING from the values that have it to all that they depend on.
void spread_backward(Marks *marks, const Function *function, int mark);

// Does a gradient flow from operand `index` to the results of `inst`, which has no regions?
bool gradient_flows(const Inst *inst, int index);
// VARIED and USEFUL: these have adjoints.
bool is_active(const Marks *marks, const Value *value);

typedef VEC(Value *) ValueList;
// The active values from outside of a loop or branch that its regions take gradients to.
ValueList list_captures(Marks *marks, const Inst *inst, Arena *arena);
// Gives the copies of the values of `region` the marks of the originals.
void copy_marks(Marks *marks, const Region *region, const ValueMap *map);

#endif
