// What the passes that inline share.
#ifndef TDSL_PASSES_INLINE_H
#define TDSL_PASSES_INLINE_H

#include "passes/rewrite.h"

// Replaces a call by a copy of the callee's body. *calls counts them: too many are an internal
// error.
void inline_call(Rewrite *rewrite, Inst *inst, int *calls);

// Replaces calls by the callees' bodies, and derivatives by those of the functions that they are
// of. Calls of functions with a rule of their own are kept, unless `drops_rules`.
void expand_function(PassContext *context, Function *function, bool drops_rules);

#endif
