// A program whose machine code is in this process, wherever it came from.
#ifndef TDSL_CODEGEN_LOADED_H
#define TDSL_CODEGEN_LOADED_H

#include "codegen/compile.h"

// Any entry; converted to its real type before it is called.
typedef void (*EntryFunction)(void);

struct Loaded {
    const Program *program;
    EntryFunction *entries;       // in the order of program->entries
    bool *is_parallel;            // for each: takes a tdsl_parallel
    void *owner;                  // what keeps the code alive
    void (*release)(void *owner); // called once by loaded_free
};

// A Loaded in `arena` without functions yet: its maker fills `entries`, and `owner` and `release`.
Loaded *loaded_new(Arena *arena, const Program *program);

// The function of an entry, and whether it takes a tdsl_parallel behind the workspace.
EntryFunction loaded_entry(const Loaded *loaded, const Entry *entry, bool *is_parallel);
// Calls it with its pointers: those of the groups it uses in the order of GroupKind, the workspace,
// and the tdsl_parallel if it takes one. Gives its status.
int call_entry(EntryFunction function, void **pointers, int count);

#endif
