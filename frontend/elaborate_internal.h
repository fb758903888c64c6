// Inside the elaborator and the built-in functions only.
//
// An expression is elaborated to a Val: a tensor of the IR, or something known while compiling
// (a number, a named dimension, a string, a list, a function ...). Arithmetic of known numbers is
// done here; a known number becomes a constant where it meets a tensor, and adapts to its type.
// After a reported mistake the value is VAL_ERROR, which silences everything that depends on it.
#ifndef TDSL_FRONTEND_ELABORATE_INTERNAL_H
#define TDSL_FRONTEND_ELABORATE_INTERNAL_H

#include "frontend/elaborate.h"
#include "frontend/value_bounds.h"
#include "ir/build.h"

typedef struct Elaborator Elaborator;
typedef struct Scope Scope;
typedef struct Val Val;
typedef struct Builtin Builtin;
typedef struct DerivedVal DerivedVal;
typedef struct Trace Trace;

typedef enum ValKind {
    VAL_ERROR,    // reported already
    VAL_TENSOR,   // computed when the program runs
    VAL_INT,      // dim: a number, or an expression over named dimensions
    VAL_REAL,     // real
    VAL_RATIO,    // dim / divisor, of which at least one is symbolic
    VAL_BOOL,     // boolean
    VAL_STRING,   // string
    VAL_NONE,     // none
    VAL_LIST,     // list
    VAL_RESULTS,  // list: several results of a function, or none at all
    VAL_FUNCTION, // function
    VAL_BUILTIN,  // builtin
    VAL_DERIVED,  // derived: a function made of another one, as grad(f)
    VAL_ELEMENT,  // element: an element type, as in cast(x, f32)
} ValKind;

typedef struct ValList {
    Val *at;
    int count;
} ValList;

// A function of the language with the scope it was written in.
typedef struct FunctionVal {
    const AstFunction *ast; // NULL: of the prelude, not read yet (parsed_function)
    Scope *scope;           // of names around it; NULL for a function of a file
    const char *name;       // "fn" for a nameless one
    bool is_prelude;
    bool is_hidden; // of the prelude: a part of another function, not known to the user
    int start, end; // of the prelude: where it stands
} FunctionVal;

struct Val {
    ValKind kind;
    bool is_shape; // VAL_LIST: sizes, so that `+` puts lists together
    bool is_exact; // VAL_REAL: a quotient of integers that is an integer: usable as one
    union {
        Value *tensor;
        double real;
        bool boolean;
        const char *string;
        ValList list;
        const FunctionVal *function;
        const Builtin *builtin;
        const DerivedVal *derived;
        ElementType element;
        struct {
            const Dim *dim;
            const Dim *divisor;
        };
    };
};

static inline bool is_error(Val val) {
    return val.kind == VAL_ERROR;
}
static inline bool is_bool_tensor(Val val) {
    return val.kind == VAL_TENSOR && val.tensor->type.element == TYPE_BOOL;
}

static inline bool is_tensor(Val val) {
    return val.kind == VAL_TENSOR;
}
// A number or truth value known while compiling (perhaps symbolic).
static inline bool is_static_scalar(Val val) {
    return val.kind == VAL_INT || val.kind == VAL_REAL || val.kind == VAL_RATIO ||
           val.kind == VAL_BOOL;
}
static inline bool is_callable(Val val) {
    return val.kind == VAL_FUNCTION || val.kind == VAL_BUILTIN || val.kind == VAL_DERIVED;
}
// May become a tensor: a tensor, a number, or a list.
static inline bool is_tensor_like(Val val) {
    return is_tensor(val) || is_static_scalar(val) || val.kind == VAL_LIST;
}

typedef struct Binding {
    const char *name;
    Val value;
    Span span; // of the name, where it was first assigned
} Binding;

struct Scope {
    Scope *parent;
    bool is_function; // assignments do not reach the scopes around it
    VEC(Binding) bindings;
};

// A call that is being elaborated.
typedef struct Frame {
    struct Frame *caller;
    const FunctionVal *function; // NULL: a model's body or a leaf's initial value
    Span call;
    const char *key; // of the function and its arguments; NULL: they cannot be compared
    bool returned;
    bool in_data_block; // inside a loop or a branch that runs: `return` cannot stand here
    Val result;
} Frame;

// Where a random or constant initialiser finds what it makes.
typedef struct Initialiser {
    Type type;
    Value *key; // i64 scalar
    const char *name;
} Initialiser;

typedef struct Instance Instance;

// The instructions of a checkpoint block.
typedef struct CheckpointRange {
    Inst *first, *last;
} CheckpointRange;

struct Elaborator {
    Arena *arena;
    Diags *diags;
    const ElaborateOptions *options;
    Module *module;
    VEC(const FunctionVal *) functions; // of the file, its imports and the prelude
    VEC(const AstFile *) files;         // the file itself and its imports
    int prelude_file;                   // index in diags->sources
    VEC(Instance *) instances;
    VEC(const AstFunction *) called;  // of the user's functions
    VEC(CheckpointRange) checkpoints; // whose regions are not finished; inner ones come first

    Builder builder;
    Scope *scope;
    VEC(Binding) block_names; // of blocks that have ended, for messages
    Frame *frame;
    Initialiser *initialiser; // NULL: not in a leaf's initial value
    Trace *trace;             // NULL: not in a function that is made to be differentiated
    BoundTable bounds;        // of whole numbers that are computed
    Value *guard;             // bool scalar: what is computed counts only where it holds; or NULL
    int no_grad;              // depth of no_grad blocks
    int trials;               // that are going on: their errors are dropped, the text comes again
    int depth;                // of expressions and blocks, through calls
    bool is_speculative;      // some dimension has no value: what depends on it is left out
    bool has_gaps;            // something was left out
    int64_t budget;           // statements and expressions still allowed
    bool budget_reported;
};

// ---- reporting (elaborate_report.c)

// An error at a place of the user's text: one inside the prelude is moved to the call of it. Notes
// name the calls around it.
Diag *report(Elaborator *e, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// An error that rests on a comparison of sizes or on a dimension's value. It is dropped (NULL)
// where the sizes are made up, when checking functions that nobody calls; `is_symbolic`: one of
// them is unknown.
Diag *report_sizes(Elaborator *e, Span span, bool is_symbolic, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void hint(Elaborator *e, Diag *diag, const char *format, ...) // diag may be NULL
    __attribute__((format(printf, 3, 4)));
Val error_val(void);
// In user's terms: "f32[3]", "the number 3", "the string "a"", "a list".
const char *describe(Elaborator *e, Val val);
const char *show_dim_text(Elaborator *e, const Dim *dim);
const char *show_value_type(Elaborator *e, const Value *value);
typedef VEC(const char *) NameVec;
// Adds "did you mean NAME?" if one of the names is close.
void hint_name(Elaborator *e, Diag *diag, const char *name, const NameVec *names);
const char *join_names(Elaborator *e, const NameVec *names); // "a, b and c"
// Sets the place of the instructions to come.
void at_span(Elaborator *e, Span span);
// Counts one step of work; false (after an error, once) when the program is too large.
bool spend(Elaborator *e, Span span);

// ---- values (elaborate_value.c)

Val tensor_val(Value *value);
Val int_val(const Dim *dim);
Val number_val(Elaborator *e, int64_t number);
Val real_val(double real);
Val bool_val(bool boolean);
Val none_val(void);
Val string_val(const char *string);
Val list_val(Elaborator *e, int count);
Val results_val(Elaborator *e, int count);
Val shape_val(Elaborator *e, Type type);
const Dim *constant_dim(Elaborator *e, int64_t value);

// Known numbers.
bool val_known_int(Val val, int64_t *number); // an integer with a value
bool val_known_real(Val val, double *number); // any known number
// The value as the size of something; an error says what `what` needs ("the size of axis 0").
bool val_to_dim(Elaborator *e, Val val, Span span, const char *what, const Dim **dim);
bool val_to_int(Elaborator *e, Val val, Span span, const char *what, int64_t *number);

// The tensor of a value: statics become constants, lists become tensors. `wanted` is the element
// type of known numbers; ELEMENT_TYPE_COUNT: i64, real or bool. NULL after an error.
Value *to_tensor(Elaborator *e, Val val, Span span, ElementType wanted);
Value *as_tensor(Elaborator *e, Val val, Span span);
// The element type that a value has or would have as a tensor, and its rank. False for other
// things.
bool val_element(Elaborator *e, Val val, ElementType *element, int *rank);
bool val_equal(Val x, Val y);
// A text that is the same for equal statics: the key of memoised instances. False if the value
// cannot be part of a key.
bool val_key(Elaborator *e, Val val, Text *key);

// ---- arithmetic of known numbers (elaborate_static.c)

// Both are static scalars. VAL_ERROR after a reported mistake; false if it cannot be done while
// compiling (a symbolic dimension meets a real number): then they become tensors.
bool static_binary(Elaborator *e, Span span, BinaryOp op, Val x, Val y, Val *result);

// ---- operators on tensors (elaborate_operator.c)

// Emits an operator after asking its type rule; reports the refusal at `span`. NULL after an error.
Value *emit(Elaborator *e, Span span, Op op, Value *const *operands, int count,
            const Attribute *attribute);
// PyTorch's promotion of two or more values.
ElementType promote_elements(Elaborator *e, const Val *vals, int count);
Value *convert(Elaborator *e, Value *value, ElementType element);
// NumPy's broadcasting of two shapes; false after an error.
bool broadcast_shapes(Elaborator *e, Span span, const char *what, Type x, Type y, Dims *shape);
Value *broadcast_value(Elaborator *e, Value *value, Dims shape);
// False, after an error, if a tensor of this shape would be too large.
bool check_shape(Elaborator *e, Span span, Dims shape);
// All values promoted to one type and shape.
bool unify_operands(Elaborator *e, Span span, const char *what, const Val *vals, const Span *spans,
                    int count, Value **results);
Val binary_operator(Elaborator *e, Span span, BinaryOp op, Val x, Span x_span, Val y, Span y_span);
Val unary_operator(Elaborator *e, Span span, UnaryOp op, Val x, Span x_span);
// An operator of ir/ops.def on values of any kind, with the conversions that it needs.
Val elementwise(Elaborator *e, Span span, Op op, const Val *operands, const Span *spans);
Val select_val(Elaborator *e, Span span, Val condition, Span condition_span, Val x, Span x_span,
               Val y, Span y_span);
Val matmul(Elaborator *e, Span span, Value *x, Value *y);
Val power(Elaborator *e, Span span, Val x, Span x_span, Val y, Span y_span);
Dims make_dims(Elaborator *e, int count, const Dim ***at); // room for `count` dims
Value *reshape_value(Elaborator *e, Value *value, Dims shape);
Value *full_value(Elaborator *e, Value *scalar, Dims shape);

// ---- names (elaborate_scope.c)

Scope *push_scope(Elaborator *e, bool is_function);
void pop_scope(Elaborator *e, Scope *outer);
Binding *find_binding(Scope *scope, const char *name);
// The variables that are known here with the values that they have now.
Scope *freeze_scope(Elaborator *e);
// The binding that an assignment would change; NULL: it makes a new one.
Binding *find_assignable(Scope *scope, const char *name);
void define(Elaborator *e, const char *name, Val value, Span span);
void assign_name(Elaborator *e, AstName name, Val value);
Val cut_gradient(Elaborator *e, Val value);
Val lookup(Elaborator *e, const char *name, Span span);
const FunctionVal *find_function(Elaborator *e, const char *name);

// ---- types as written (elaborate_type.c)

bool element_of_name(Elaborator *e, AstName name, ElementType *element);
// A dimension as written; NULL after an error.
const Dim *elaborate_dim(Elaborator *e, const Expr *expr);
// A type with every dimension known or symbolic: of leaves and annotated variables.
bool elaborate_type(Elaborator *e, const TypeExpr *type, Type *result);
// Converts a value to a type: numbers adapt and fill the shape; a tensor must have it, or
// with `broadcasts` one that broadcasts to it. `what` starts the message: "w". NULL after an error.
Value *fit_to_type(Elaborator *e, Val val, Span span, Type type, bool broadcasts, const char *what);
// Checks arguments against the parameters' types and binds the named dimensions in the present
// scope; converts numbers. False after an error.
bool unify_parameters(Elaborator *e, const FunctionVal *function, Val *arguments, const Span *spans,
                      Span call);
bool fit_results(Elaborator *e, const FunctionVal *function, Val *result, Span span);

// ---- expressions and statements

Val elaborate_expr(Elaborator *e, const Expr *expr);
// An expression that must have one value (not several results of a call).
Val elaborate_value(Elaborator *e, const Expr *expr);
Val elaborate_index(Elaborator *e, const Expr *expr);
Val index_val(Elaborator *e, Span span, Val object, Span object_span,
              const SubscriptList *subscripts);
// y[...] = value, or y[...] op= value: the new y.
Val store_at(Elaborator *e, const Target *target, Val object, Val value, Span value_span,
             const BinaryOp *op);
Val elaborate_comprehension(Elaborator *e, const Expr *expr);
// sum(for i in 0..n: e): a call whose one argument is a comprehension.
bool is_reduction_call(const Expr *expr);
Val elaborate_reduction(Elaborator *e, const Expr *expr);
// While `condition`, a bool scalar, chooses a side, indices computed on it are 0 where it does not
// hold, so that they cannot be out of range. Returns the guard so far, to be put back.
Value *push_guard(Elaborator *e, Value *condition, Span span);
void elaborate_block(Elaborator *e, const AstBlock *block); // in the present scope
void elaborate_statement(Elaborator *e, const Stmt *statement);
void elaborate_for(Elaborator *e, const Stmt *statement);
void elaborate_while(Elaborator *e, const Stmt *statement);
void elaborate_if(Elaborator *e, const Stmt *statement);
// Makes checkpoints of the checkpoint blocks in a region that is finished, its yields too.
void finish_checkpoints(Elaborator *e, const Region *region);
// The names that a block assigns, in the order of the text, each once.
void collect_assigned(Elaborator *e, const AstBlock *block, NameVec *names);

// ---- functions

typedef struct CallArgument {
    const char *name; // NULL: positional
    Span name_span;
    Val value;
    Span span;
} CallArgument;
typedef VEC(CallArgument) CallArgumentList;

Val elaborate_call(Elaborator *e, const Expr *expr);
Val elaborate_method(Elaborator *e, const Expr *expr);
Val call_val(Elaborator *e, Span span, Val callee, Span callee_span,
             const CallArgumentList *arguments);
Val call_function(Elaborator *e, Span span, const FunctionVal *function,
                  const CallArgumentList *arguments);
Val call_builtin(Elaborator *e, Span span, const Builtin *builtin,
                 const CallArgumentList *arguments);
const Builtin *find_builtin(const char *name);
bool builtin_is_public(const Builtin *builtin); // not the prelude's alone
void add_builtin_docs(Arena *arena, BuiltinDocList *docs);
// The operator's name in the language.
const char *operator_name(Op op);
// What an argument that PyTorch or NumPy calls `name` is called here: x for input, dim for axis. Of
// several names the one numbered `which`; NULL: there is none.
enum { OTHER_NAMES_MAX = 2 };
const char *other_argument_name(const char *name, int which);
const char *builtin_name(const Builtin *builtin);
// Names of everything callable, for "did you mean".
void add_builtin_names(Elaborator *e, NameVec *names);
// Drops the instances with mistakes, so that the next call reports them.
void forget_failed_instances(Elaborator *e);
void check_uncalled_functions(Elaborator *e, const AstFile *file);

// ---- derivatives (elaborate_derivative.c, elaborate_trace.c, elaborate_rule.c)

Val call_derived(Elaborator *e, Span span, const DerivedVal *derived,
                 const CallArgumentList *arguments);
const char *derived_name(Elaborator *e, const DerivedVal *derived); // "grad(f)"
Val derived_from(const DerivedVal *derived);                        // the `f` in grad(f)
bool derived_equal(const DerivedVal *x, const DerivedVal *y);
bool derived_key(Elaborator *e, const DerivedVal *derived, Text *key);
// A value of the code around a function that is made to be differentiated, as a value of this
// function; others as they are.
Val import_val(Elaborator *e, Val val);
// Elaborates the derivative that a function brings along, for the function made of it. `arguments`
// are the parameters' values in that function. False after an error.
bool elaborate_rule(Elaborator *e, const FunctionVal *function, Function *made,
                    const Val *arguments, const Span *spans);

// ---- models and files

bool elaborate_model(Elaborator *e, const AstModel *ast, Model **model);
bool elaborate_dimensions(Elaborator *e, const AstModel *ast, ModelDimensionList *dimensions);
// The comment lines that end right before a place, without their marks.
const char *comment_before(Arena *arena, const Source *source, int start);
// The file, its imports and the prelude.
bool load_definitions(Elaborator *e, const AstFile *file);
bool load_prelude(Elaborator *e);
const FunctionVal *parsed_function(Elaborator *e, const FunctionVal *function);

#endif
