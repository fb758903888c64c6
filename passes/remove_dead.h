// Dropping what nobody uses, in a part of a function: for passes that are in the middle of it.
#ifndef TDSL_PASSES_REMOVE_DEAD_H
#define TDSL_PASSES_REMOVE_DEAD_H

#include "ir/ir.h"

// Drops from `region`, and the regions inside, what its yields do not need: instructions, and what
// loops carry and stack. What lies outside of it stays as it is.
void remove_dead_in(Arena *scratch, Region *region);

#endif
