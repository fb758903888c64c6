// Pipelines: passes in a row, as data. passes/passes.def lists the passes; a pipeline is a string
// of their names, the same that a test or a user writes after --passes=. A name may be followed by
// a number, as in block_rows:4096, that the pass takes instead of its own.
#ifndef TDSL_PASSES_PIPELINE_H
#define TDSL_PASSES_PIPELINE_H

#include "ir/base/diag.h"
#include "ir/ir.h"

typedef struct PassContext {
    Module *module;
    Arena *scratch; // freed after each pass
    int level;      // 0 to 3
    int64_t number; // behind the pass's name, as in `name:64`; 0: none
} PassContext;

// Every pass rewrites one function in place.
typedef void PassFunction(PassContext *context, Function *function);

typedef struct PassInfo {
    const char *name;
    PassFunction *run;
    const char *purpose;
} PassInfo;

const PassInfo *pass_list(int *count);

typedef struct PipelineOptions {
    const char *passes; // "simplify,merge_equal"; NULL: the standard pipeline of the level
    int level;          // -O0 .. -O3
    bool verify;        // verify after every pass; a failure is an internal error naming the pass
    const char *print_after; // name of a pass, or "all", or NULL
    Text *printed;           // where print_after prints
} PipelineOptions;

// Checks the names in a pipeline: NULL, or a message with a hint (in `arena`).
const char *pipeline_check(Arena *arena, const char *passes);
void pipeline_run(Module *module, Function *function, const PipelineOptions *options);

#endif
