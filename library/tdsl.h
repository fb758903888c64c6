// libtdsl: the tdsl compiler as a library. Load a program, bind its dimensions, compile a model's
// functions, call them, or write products. The command line uses nothing else.
//
//   TdslSession *session = tdsl_open(NULL);
//   if (tdsl_load_file(session, "model.tdsl") == TDSL_OK) {
//       TdslFunction *gradient = tdsl_compile(session, TDSL_GRADIENT, NULL);
//       ... void *arguments[], *results[] in the order of tdsl_slots ...
//       tdsl_call(gradient, arguments, results);
//   }
//   fputs(tdsl_messages(session), stderr);
//   tdsl_close(session);
//
// A session is used by one thread at a time; compiled functions may be called by several threads at
// once. Compiling may start threads, at most one for each processor, which end before it returns.
// Everything a session hands out lives until tdsl_close. Nothing is global, nothing exits the
// process; running out of memory aborts it.
#ifndef TDSL_H
#define TDSL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default) // the only names that libtdsl exports
#endif

// The numbers are also the exit codes of the command line.
typedef enum TdslStatus {
    TDSL_OK = 0,
    TDSL_BAD_PROGRAM = 1, // the program or its data is wrong; tdsl_messages says how
    TDSL_BAD_USAGE = 2,   // a call or option makes no sense
    TDSL_BAD_FILE = 3,    // reading or writing failed
    TDSL_INTERNAL = 4,    // the compiler is at fault
} TdslStatus;

typedef enum TdslElement { TDSL_BOOL, TDSL_I32, TDSL_I64, TDSL_F32, TDSL_F64 } TdslElement;
const char *tdsl_element_name(TdslElement element); // "f32"
size_t tdsl_element_bytes(TdslElement element);

typedef enum TdslEngine {
    TDSL_ENGINE_JIT,      // machine code in this process, through LLVM
    TDSL_ENGINE_C,        // the emitted C, through the system's compiler
    TDSL_ENGINE_EVALUATE, // the reference evaluator
} TdslEngine;

typedef struct TdslOptions {
    TdslElement real; // what `real` means: TDSL_F32 or TDSL_F64
    int level;        // 0 to 3
    TdslEngine engine;
    int threads;             // to compute with; 0: as many as there are processors
    const char *model;       // NULL: the only one
    const char *passes;      // a pipeline to run instead of the level's; NULL: none
    const char *print_after; // a pass, or "all"; NULL: none
    const char *target;      // a target triple for products; NULL: this machine
    const char *cpu;         // of products: a processor's name, or "native"; NULL: several levels,
                             // of which a product chooses when it is loaded, or the target's usual
    bool verify;             // verify the IR after every pass
    size_t memory_budget;    // bytes that the workspaces of `forward` and of the gradient may have;
                             // 0: any number. The gradient computes again what does not fit.
    bool cache; // find machine code of earlier sessions in the user's cache, and keep it
    bool widen; // compute every f32 of the program in f64, for checking gradients
    // Threads of the caller's (runtime/threads.h) in place of the session's own; NULL: none. They
    // must outlive the session.
    const struct tdsl_parallel *parallel;
} TdslOptions;

// f32, level 2, JIT, one thread, no cache.
TdslOptions tdsl_default_options(void);

typedef struct TdslSession TdslSession;
// NULL options: the default ones. Never NULL.
TdslSession *tdsl_open(const TdslOptions *options);
void tdsl_close(TdslSession *session);

// All diagnostics so far as text for people, with source lines, carets and hints; "" if none.
const char *tdsl_messages(const TdslSession *session);
// Adds a message without a place, in the same form: for errors of the caller's own data.
void tdsl_report(TdslSession *session, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

// Reads and parses a program (and what it imports). One program a session.
TdslStatus tdsl_load_file(TdslSession *session, const char *path);
TdslStatus tdsl_load_text(TdslSession *session, const char *name, const char *text, size_t length);

// Binds a named dimension of the model, before anything is compiled. Later calls win.
TdslStatus tdsl_bind(TdslSession *session, const char *dimension, int64_t value);
// Binds dimensions so that the input or param `leaf` gets this shape: what data says wins over a
// dimension's default, and contradicts tdsl_bind with an error.
TdslStatus tdsl_bind_shape(TdslSession *session, const char *leaf, int rank, const int64_t *shape);
// Type-checks everything in the file, with the dimensions bound so far; others stay symbolic.
TdslStatus tdsl_check(TdslSession *session);

// The same with the defaults of dimensions: every dimension of the chosen model must be known.
TdslStatus tdsl_resolve(TdslSession *session);

// Inputs and params of the model, in the order of declaration; symbolic dimensions are -1.
typedef struct TdslLeaf {
    const char *name;
    TdslElement element;
    int rank;
    const int64_t *shape;
    bool is_param;
    bool requires_grad;
    bool has_initial; // a default or an initialiser
} TdslLeaf;
TdslStatus tdsl_leaves(TdslSession *session, const TdslLeaf **leaves, int *count);
// Name of the model that was chosen.
const char *tdsl_model_name(TdslSession *session);
// The named dimension's value, or -1 if it is not bound or unknown.
int64_t tdsl_dimension(TdslSession *session, const char *name);

typedef enum TdslFunctionKind {
    TDSL_FORWARD,    // leaves -> outputs
    TDSL_GRADIENT,   // leaves, seeds -> outputs, gradients
    TDSL_INITIALIZE, // key -> initial values of the leaves that have one
} TdslFunctionKind;

typedef struct TdslGradientRequest {
    const char *const *outputs; // to differentiate; NULL: the first output
    const bool *seeded; // for each: takes a seed; NULL: none does. An output that is not seeded
                        // has one element, and its seed is 1.
    int output_count;
    const char *const *leaves; // with respect to these; NULL: all that require gradients
    int leaf_count;
    bool stored; // calls store gradients in their buffers; else they add to what is there. Products
                 // have a function for each.
} TdslGradientRequest;

typedef enum TdslRole {
    TDSL_INPUT,
    TDSL_PARAM,
    TDSL_SEED, // its name is the output's
    TDSL_KEY,  // one i64
    TDSL_OUTPUT,
    TDSL_GRADIENT_OF, // its name is the leaf's
    TDSL_INITIAL_OF,
} TdslRole;

typedef struct TdslSlot {
    const char *name;
    TdslRole role;
    TdslElement element;
    int rank;
    const int64_t *shape;
    int64_t count; // elements
} TdslSlot;

typedef struct TdslFunction TdslFunction;
// NULL on failure: tdsl_messages says why. `request` is for TDSL_GRADIENT alone. All dimensions
// must be bound.
TdslFunction *tdsl_compile(TdslSession *session, TdslFunctionKind kind,
                           const TdslGradientRequest *request);
const TdslSlot *tdsl_arguments(const TdslFunction *function, int *count);
const TdslSlot *tdsl_results(const TdslFunction *function, int *count);
// Leaves asked for that the outputs do not use: their gradient is null.
const char *const *tdsl_null_gradients(const TdslFunction *function, int *count);
size_t tdsl_workspace_bytes(const TdslFunction *function);

// Calls it: pointers to the tensors' bytes, in the order of the slots. Outputs are stored,
// gradients are ADDED to what their buffers hold, unless the request said that they are stored. The
// caller owns all buffers; they must not overlap. TDSL_BAD_PROGRAM: the program failed (an index
// out of range ...); then *failure is the message, if failure is not NULL; results are unspecified.
TdslStatus tdsl_call(TdslFunction *function, void *const *arguments, void *const *results,
                     const char **failure);

// Writes a product: PATH ends in .so .o .a .c .h .s .ll; C headers and manifests go beside it.
TdslStatus tdsl_build(TdslSession *session, const char *path, const TdslGradientRequest *request);
// A stage as text: ast ir tdsl adjoint tdsl-adjoint memory loops c llvm asm dot. NULL on failure.
const char *tdsl_emit(TdslSession *session, const char *stage, const TdslGradientRequest *request);
// Where every byte of the workspaces of `forward` and `backward` goes: the stage `memory`, or one
// JSON object. NULL on failure.
const char *tdsl_memory(TdslSession *session, const TdslGradientRequest *request, bool json);
bool tdsl_is_stage(const char *stage);
// The program in its canonical layout; NULL on failure.
const char *tdsl_format(TdslSession *session);

// The functions of the language with their arguments and meaning, and the operators behind them.
typedef enum TdslListForm { TDSL_LIST_PLAIN, TDSL_LIST_MARKDOWN, TDSL_LIST_JSON } TdslListForm;
const char *tdsl_operators(TdslSession *session, TdslListForm form);

// Writes the shortest decimal that reads back as the same number (single: the same float), with a
// '.', an exponent, or nan, inf, -inf; independent of the locale. At least 40 bytes.
void tdsl_print_real(char *buffer, double value, bool single);
// The name among `names` that `name` was probably meant to be, or NULL: for "did you mean".
const char *tdsl_closest_name(const char *name, const char *const *names, int count);

// True if a compilation failed for a reason outside of the program: the system's compiler or
// linker.
bool tdsl_failed_outside(const TdslSession *session);
const char *tdsl_version(void);      // "0.1.0"
const char *tdsl_llvm_version(void); // "19.1.7"

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
