// Lowering: tensor IR -> loop form. Chooses kernels (fusion), loop orders, tiles, and buffers
// (memory planning). The functions must be inlined and have static shapes.
#ifndef TDSL_CODEGEN_LOWER_H
#define TDSL_CODEGEN_LOWER_H

#include "codegen/loops.h"

typedef struct LowerOptions {
    int level;            // -O0: one kernel for each operator; -O1 and up: fusion
    int vector_bytes;     // 64, 32 or 16: register width to tile for
    int vector_registers; // 32 or 16
    double parallel_work; // least cycles of a loop that is spread over threads; 0: the usual
    bool shares_memory;   // threads have no temporaries of their own: less workspace, less speed
    bool unmasked;        // for C: no masked vectors; columns that fill none get zeros
    bool store_gradients; // in the caller's buffers, not added to what is there
    int64_t cache_bytes;  // of the second cache, which blocks of operands stay in; 0: the usual
} LowerOptions;

Program *program_new(Arena *arena, const char *name, const Sources *sources);
// Adds an entry made from `function`; groups follow the roles of its parameters and results.
// ROLE_GRADIENT results are added to the caller's buffers, unless the options say that they are
// stored, and may be NULL; outputs may be NULL.
Entry *lower_function(Program *program, const Function *function, const char *entry_name,
                      const LowerOptions *options);
// Adds the entry that stores zeros in every gradient buffer that is not NULL, for the gradients
// group of `backward`.
Entry *lower_zero_gradients(Program *program, const Entry *backward);

#endif
