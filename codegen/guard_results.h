// What is computed for one optional result alone.
#ifndef TDSL_CODEGEN_GUARD_RESULTS_H
#define TDSL_CODEGEN_GUARD_RESULTS_H

#include "codegen/loops.h"

// Puts the statements of an entry that serve one optional result alone, however many steps later,
// under a test of its pointer: who does not want that output or gradient does not pay for it.
// Buffers have no places yet.
void guard_results(Program *program, Entry *entry);

#endif
