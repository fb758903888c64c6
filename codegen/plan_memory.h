// Memory planning: gives each temporary of an entry an offset in the workspace.
#ifndef TDSL_CODEGEN_PLAN_MEMORY_H
#define TDSL_CODEGEN_PLAN_MEMORY_H

#include "codegen/loops.h"

// Places the workspace buffers of the program from number `first` on, which
// only `entry` uses, and sets entry->workspace_bytes. With `share`, buffers
// that are never in use at the same time overlap.
void plan_memory(Program *program, Entry *entry, int first, bool share);

#endif
