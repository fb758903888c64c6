// What a loop inside of another one carries in the same way each time.
#ifndef TDSL_PASSES_HOIST_CARRIED_H
#define TDSL_PASSES_HOIST_CARRIED_H

#include "passes/pipeline.h"

// `loop` stands in the body of the loop `outer`; both surely run. If part of what it carries does
// not depend on the iteration of `outer` (the values beside their tangents, the first sweep of a
// vjp), that part becomes a loop before `outer`, and `loop` reads what it needs of it from stacks.
// False if there is no such part, or it is not worth it.
bool hoist_carried(PassContext *context, Inst *outer, Inst *loop);

#endif
