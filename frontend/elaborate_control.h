// What loops and branches share: the names that they rebind, and going into a region and out of it.
#ifndef TDSL_FRONTEND_ELABORATE_CONTROL_H
#define TDSL_FRONTEND_ELABORATE_CONTROL_H

#include "frontend/elaborate_internal.h"

// A name from outside that the body assigns.
typedef struct Carried {
    const char *name;
    Val before;
} Carried;
typedef VEC(Carried) CarriedList;

typedef struct RegionState {
    Region *region;
    Scope *scope;
    bool in_data_block;
} RegionState;

// Those of the assigned names that exist outside.
void carried_names(Elaborator *e, const NameVec *assigned, CarriedList *carried);
// Instructions go to `region`; a scope of its own hides the carried names.
RegionState enter_region(Elaborator *e, Region *region);
void leave_region(Elaborator *e, RegionState state);
void define_carried(Elaborator *e, const Carried *item, Val value);
void rebind(Elaborator *e, const char *name, Val value, Span span);
// The bool scalar of a condition; NULL after an error.
Value *condition_tensor(Elaborator *e, Val condition, Span span);

#endif
