// The verifier: single definition, visibility, arity, attributes, and every type derived again by
// the rule that built it. Returns NULL if the module is sound, else a message that names the
// function and the instruction (in `arena`).
#ifndef TDSL_IR_VERIFY_H
#define TDSL_IR_VERIFY_H

#include "ir/ir.h"

const char *verify_function(Arena *arena, const Function *function);
const char *verify_module(Arena *arena, const Module *module);

#endif
