// What a session holds. Private to the library.
#ifndef TDSL_LIBRARY_SESSION_H
#define TDSL_LIBRARY_SESSION_H

#include "codegen/compile.h"
#include "codegen/loaded.h"
#include "codegen/lower.h"
#include "frontend/elaborate.h"
#include "library/tdsl.h"
#include "runtime/threads.h"

struct TdslSession {
    Arena arena;
    TdslOptions options;
    Sources sources;
    Diags diags;
    Text reports;             // messages without a place (tdsl_report)
    Text *rendered;           // what tdsl_messages returned last
    const char *path;         // of the program
    AstFile *tree;            // NULL: nothing loaded
    VEC(DimBinding) bound;    // by tdsl_bind
    VEC(DimBinding) inferred; // by tdsl_bind_shape
    bool is_elaborated;       // `program` is up to date with the bindings
    bool elaborated_symbolic;
    bool is_checked;
    ElaboratedProgram program;
    const Model *model; // the chosen one, in `program`
    VEC(TdslFunction *) functions;
    // What products are being compiled for; none: this processor.
    VEC(TargetMachine) machines;
    bool shares_memory;            // among threads, as the memory budget is small: see LowerOptions
    bool failed_outside;           // see tdsl_failed_outside
    tdsl_threads *threads;         // started when the first function is compiled; or NULL
    const tdsl_parallel *parallel; // NULL: calls use no threads but their own
};

struct TdslFunction {
    TdslSession *session;
    const Function *function; // simplified IR
    VEC(TdslSlot) arguments;
    VEC(TdslSlot) results;
    VEC(const char *) null_gradients;
    TdslEngine engine;
    bool stores_gradients;
    Program *program; // JIT and C
    Entry *entry;
    Loaded *loaded;
    // What a call needs, found once: see plan_call.
    VEC(int) sources; // of the entry's fields, group by group
    VEC(int) groups; // where the fields of each group that is used begin; of the key -1 - its place
    EntryFunction code;
    bool is_parallel;
    _Atomic(void *) spare_workspace; // of the last call, for the next one; NULL while it is in use
};

// Elaborates with all bindings; `symbolic` leaves what is not bound symbolic, otherwise defaults
// count and every dimension of the model must be known. False after errors were reported.
bool session_elaborate(TdslSession *session, bool symbolic);
// The dimensions of the chosen model, with their values. False after errors were reported.
bool session_dimensions(TdslSession *session, ModelDimensionList *dimensions);
// A function of the chosen model through the pipeline: inlined and simplified. NULL after an error.
// `nulls` receives the leaves whose gradient is null (may be NULL).
typedef struct NameVector {
    VEC(const char *) names;
} NameVector;
Function *session_function(TdslSession *session, TdslFunctionKind kind,
                           const TdslGradientRequest *request, NameVector *nulls);
// The gradient of a function without calls and derivatives, not simplified. NULL after an error.
Function *session_differentiate(TdslSession *session, Function *forward,
                                const TdslGradientRequest *request, NameVector *nulls);
// The request as products have it: with a seed for every output.
TdslGradientRequest session_product_request(TdslSession *session,
                                            const TdslGradientRequest *request);
// The last steps of session_function.
void session_finish(TdslSession *session, Function *function);
// session_function for showing: calls of large functions that are called several times, and of
// their adjoints, are still calls. `kept` receives the functions called; session_function inlines
// them.
typedef struct FunctionVector {
    VEC(Function *) functions;
} FunctionVector;
Function *session_kept_function(TdslSession *session, TdslFunctionKind kind,
                                const TdslGradientRequest *request, FunctionVector *kept);
// Runs the session's pipeline over a function.
void session_optimize(TdslSession *session, Function *function);
// Lowers a function, whose checkpoints it opens before. A gradient that is stored makes the entry
// "gradient".
Entry *session_lower(TdslSession *session, Program *program, Function *function,
                     TdslFunctionKind kind, const LowerOptions *options);
// The entry's name in a product: "forward", "backward", "initialize".
const char *session_entry_name(TdslFunctionKind kind);
// Starts the session's threads if it is to have some and has none yet.
void session_start_threads(TdslSession *session);
LowerOptions session_lower_options(const TdslSession *session, const TargetMachine *target);

#endif
