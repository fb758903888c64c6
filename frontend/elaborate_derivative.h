// Inside the elaborator's files for derivatives only: making an IR function of whatever can be
// called, so that it can be differentiated.
#ifndef TDSL_FRONTEND_ELABORATE_DERIVATIVE_H
#define TDSL_FRONTEND_ELABORATE_DERIVATIVE_H

#include "frontend/builtins.h"
#include "frontend/elaborate_internal.h"
#include "ir/derivative.h"

typedef enum Transform {
    TRANSFORM_grad,
    TRANSFORM_value_and_grad,
    TRANSFORM_vjp,
    TRANSFORM_jvp,
    TRANSFORM_hvp,
    TRANSFORM_jacobian,
    TRANSFORM_hessian,
    TRANSFORM_vmap,
} Transform;

struct DerivedVal {
    Transform transform;
    Val inner;  // what it is made of, callable
    Span span;  // where it was made
    Val leaves; // argnums or wrt: a number, a name, or a list of these
    Span leaves_span;
    bool has_aux;
    const char *mode;      // of jacobian
    Val in_dims, out_dims; // of vmap
    Span in_dims_span, out_dims_span;
};

// While an IR function is made of a function of the language: what of the code around is used in it
// becomes a parameter.
struct Trace {
    Trace *outer;
    Function *function; // being made
    Function *around;   // its values are captured
    VEC(Value *) captured;
    int leaves; // the first parameters; the captured values' come behind
    Builder builder;
    Initialiser *initialiser;
    Value *guard;
};

void open_trace(Elaborator *e, Trace *trace, Span span);
void close_trace(Elaborator *e, const Trace *trace);

// A function made to be differentiated. Its parameters are the leaves, then what it captures.
typedef struct Traced {
    Function *function;
    Value **leaves; // the arguments, outside of the function
    int leaf_count;
    Value **operands; // all arguments
    int operand_count;
    Span *leaf_spans;
} Traced;

// Calls `callee` in a function of its own; `leaves` are indices of arguments. False after an error.
bool trace_call(Elaborator *e, Span span, Val callee, const CallArgumentList *arguments,
                const int *leaves, int leaf_count, Traced *traced);
// The indices of the arguments that a derivative is with respect to; -1 for the count after an
// error.
int find_leaves(Elaborator *e, const DerivedVal *derived, const CallArgumentList *arguments,
                int **leaves);

// One vjp or jvp of a traced function. `more` are the seeds or tangents.
Inst *emit_derivative(Elaborator *e, Builder *b, Op op, const Traced *traced, Ints outputs,
                      Ints leaves, Value *const *more);
Ints all_leaves(Elaborator *e, const Traced *traced);
Ints one_index(Elaborator *e, int index);
// The one result of a function, which must be real. NULL after an error.
const Value *single_result(Elaborator *e, Span span, const DerivedVal *derived,
                           const Traced *traced);
// One error if forward mode is not possible; `is_asked` false: only whether.
bool has_forward_mode(Elaborator *e, Span span, const Traced *traced, bool reports);

Val call_jacobian(Elaborator *e, Span span, const DerivedVal *derived,
                  const CallArgumentList *arguments);
Val call_vmap(Elaborator *e, Span span, const DerivedVal *derived,
              const CallArgumentList *arguments);

#endif
