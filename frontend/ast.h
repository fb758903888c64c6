// The abstract syntax tree: what the parser builds and the elaborator reads.
//
// Nodes live in the arena given to parse_source and are never changed after parsing. Every node has
// a span. Names are plain zero-terminated strings (compare with strcmp); nothing is resolved here:
// types, dimensions, functions and variables are names and expressions. Lists are vectors held by
// value: read list.at[i] for i < list.count.
//
// The depth of the tree is at most AST_DEPTH_MAX, so recursive walks cannot exhaust the stack. The
// tree of a file without errors has no EXPR_ERROR.
#ifndef TDSL_FRONTEND_AST_H
#define TDSL_FRONTEND_AST_H

// (The prefix Ast keeps the names apart from those of ir/ir.h and ir/model.h, which the elaborator
// includes too.)
#include <stdbool.h>
#include <stdint.h>

#include "ir/base/arena.h"
#include "ir/base/source.h"
#include "ir/base/text.h"
#include "ir/base/vec.h"

enum { AST_DEPTH_MAX = 600 };

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct AstBlock AstBlock;
typedef struct AstFunction AstFunction;

typedef VEC(Expr *) ExprList;
typedef VEC(Stmt *) StmtList;

typedef struct AstName {
    const char *text; // NULL: no name
    Span span;
} AstName;

// ---- expressions

typedef enum UnaryOp { UNARY_NEGATE, UNARY_PLUS, UNARY_NOT } UnaryOp;

typedef enum BinaryOp {
    BINARY_ADD,           // +
    BINARY_SUBTRACT,      // -
    BINARY_MULTIPLY,      // *
    BINARY_DIVIDE,        // /
    BINARY_FLOOR_DIVIDE,  // //
    BINARY_REMAINDER,     // %
    BINARY_MATMUL,        // @
    BINARY_POWER,         // **
    BINARY_EQUAL,         // ==
    BINARY_NOT_EQUAL,     // !=
    BINARY_LESS,          // <
    BINARY_LESS_EQUAL,    // <=
    BINARY_GREATER,       // >
    BINARY_GREATER_EQUAL, // >=
    BINARY_AND,           // and
    BINARY_OR             // or
} BinaryOp;

// `e`, or `name = e`, in a call.
typedef struct AstArgument {
    AstName name; // text NULL: positional
    Expr *value;
} AstArgument;
typedef VEC(AstArgument) ArgumentList;

typedef enum SubscriptKind {
    SUBSCRIPT_AT,       // x[value]: an integer, or an integer tensor
    SUBSCRIPT_SLICE,    // x[start:stop:step], each may be NULL
    SUBSCRIPT_NEW_AXIS, // x[none]
    SUBSCRIPT_ELLIPSIS  // x[...]
} SubscriptKind;

typedef struct Subscript {
    SubscriptKind kind;
    Span span;
    Expr *value; // SUBSCRIPT_AT alone
    Expr *start;
    Expr *stop;
    Expr *step;
} Subscript;
typedef VEC(Subscript) SubscriptList;

// `i in start..stop step s limit n`, or `row in sequence` (then the others are NULL). The name
// is "_" where the loop does not use it.
typedef struct Binder {
    AstName name;
    Span span;
    Expr *start;
    Expr *stop;
    Expr *step;     // NULL: 1
    Expr *limit;    // of iterations; NULL: not written
    Expr *sequence; // NULL: a range
} Binder;
typedef VEC(Binder) BinderList;

typedef enum ExprKind {
    EXPR_ERROR, // a mistake was reported here
    EXPR_INTEGER,
    EXPR_REAL,
    EXPR_STRING,
    EXPR_BOOL,
    EXPR_NONE,
    EXPR_NAME,
    EXPR_ELLIPSIS, // only among the dimensions of a type: f32[..., N]
    EXPR_LIST,
    EXPR_UNARY,
    EXPR_BINARY,
    EXPR_CONDITIONAL,
    EXPR_CALL,          // f(a, b, k=c): the callee is any expression, mostly a name
    EXPR_METHOD,        // x.f(a, k=b), the same as f(x, a, k=b)
    EXPR_ATTRIBUTE,     // x.T, x.shape
    EXPR_INDEX,         // x[...]
    EXPR_COMPREHENSION, // [for i in 0..n: e], or the argument of sum(for i in 0..n: e)
    EXPR_FUNCTION       // fn(x) = e, fn(x) { ... }
} ExprKind;

struct Expr {
    ExprKind kind;
    int depth; // 1 + the depth of its deepest part; a chain a + b + c + ... counts less
    int links; // of a chain of binary operators that goes down on the left
    bool is_parenthesized;
    Span span; // with the parentheses, if any
    union {
        int64_t integer; // never negative: a minus sign is a UNARY_NEGATE
        double real;
        const char *string; // escapes replaced
        bool boolean;
        const char *name;
        ExprList list;
        struct {
            UnaryOp op;
            Expr *operand;
        } unary;
        struct {
            BinaryOp op;
            Span op_span;
            Expr *left;
            Expr *right;
        } binary;
        struct {
            Expr *condition;
            Expr *then;
            Expr *otherwise;
        } conditional;
        struct {
            Expr *callee;
            ArgumentList arguments;
        } call;
        struct {
            Expr *object;
            AstName name;
            ArgumentList arguments;
        } method;
        struct {
            Expr *object;
            AstName name;
        } attribute;
        struct {
            Expr *object;
            SubscriptList subscripts; // never empty
        } index;
        struct {
            BinderList binders; // outermost first; never empty
            Expr *condition;    // NULL: every index; else `for ... if condition: body`
            Expr *body;
            bool builds_tensor; // [for ...: e]; false: an argument, sum(for ...: e)
        } comprehension;
        AstFunction *function; // its name has no text
    } as;
};

// ---- types as written

// `f32[B, 64]`, `real`, `tensor`, `f32[..., N]`. `f32[]` is the same as `f32`.
typedef struct TypeExpr {
    Span span;
    AstName element; // "f32", "real", "tensor", ...: not checked here
    bool has_dims;   // written with brackets
    ExprList dims;   // any expression; EXPR_ELLIPSIS for `...`
} TypeExpr;
typedef VEC(TypeExpr *) TypeExprList;

// ---- statements

struct AstBlock {
    Span span; // with the braces
    int depth;
    StmtList statements;
};

// The left side of an assignment: a name, or some places of the tensor with that name.
typedef struct Target {
    AstName name; // "_" drops a result
    Span span;
    SubscriptList subscripts; // empty: the name itself
} Target;
typedef VEC(Target) TargetList;

typedef struct OutputItem {
    AstName name;
    Expr *value; // NULL: the variable `name`
} OutputItem;
typedef VEC(OutputItem) OutputItemList;

typedef struct IfBranch {
    Expr *condition;
    AstBlock *body;
} IfBranch;
typedef VEC(IfBranch) IfBranchList;

typedef enum StmtKind {
    STMT_INPUT,      // input x: TYPE [requires_grad] [= e]
    STMT_PARAM,      // param w: TYPE [frozen] [= e]
    STMT_OUTPUT,     // output a, b = e
    STMT_STATE,      // state v [: TYPE] = e, in an optimizer
    STMT_ASSIGN,     // x = e; a, b = f(x); x: TYPE = e; y[t, 1:3] = e; x += e
    STMT_RETURN,     // return a, b
    STMT_FOR,        // for i in 0..n { }
    STMT_WHILE,      // while c limit n { }
    STMT_IF,         // if c { } else if d { } else { }
    STMT_NO_GRAD,    // no_grad { }: opens no scope
    STMT_CHECKPOINT, // checkpoint { }
    STMT_EXPRESSION  // e
} StmtKind;

struct Stmt {
    StmtKind kind;
    int depth;
    Span span;
    union {
        struct { // STMT_INPUT, STMT_PARAM, STMT_STATE
            AstName name;
            TypeExpr *type;     // NULL: not written
            bool is_frozen;     // param ... frozen
            bool requires_grad; // input ... requires_grad
            Expr *value;        // NULL: none
        } leaf;
        OutputItemList output;
        struct {
            TargetList targets;
            TypeExpr *type;   // x: TYPE = e; NULL: none
            bool is_compound; // x += e, with op; one target, one value
            BinaryOp op;
            ExprList values; // one, or as many as targets
        } assign;
        ExprList returned; // may be empty
        struct {
            Binder binder;
            AstBlock *body;
        } loop; // STMT_FOR
        struct {
            Expr *condition;
            Expr *limit; // NULL: not written
            AstBlock *body;
        } while_loop;
        struct {
            IfBranchList branches; // if, else if, ...; never empty
            AstBlock *otherwise;   // NULL: none
        } branch;
        AstBlock *body; // STMT_NO_GRAD, STMT_CHECKPOINT
        Expr *expression;
    } as;
};

// ---- definitions

// `N` or `N = 3` between < and >.
typedef struct DimensionDef {
    AstName name;
    Expr *value; // NULL: no default
} DimensionDef;
typedef VEC(DimensionDef) DimensionDefList;

typedef struct AstParameter {
    AstName name;
    TypeExpr *type; // NULL: not written
    Expr *value;    // the default; NULL: none
} AstParameter;
typedef VEC(AstParameter) ParameterList;

// A function, named or not. `fn f(x) = e` has a body of one `return e`.
//
//   fn f(x: real, n: i32) -> real { ... } derivative(f_bar) { return ..., none }
//
// The derivative's parameters and results are the elaborator's business.
struct AstFunction {
    Span span;
    AstName name; // text NULL: fn(x) = e, an expression
    DimensionDefList dimensions;
    ParameterList parameters;
    TypeExprList results; // empty: not written
    bool is_expression;   // written with `=`
    AstBlock *body;
    AstBlock *derivative; // NULL: none
    ParameterList derivative_parameters;
};

typedef struct AstModel {
    AstName name;
    DimensionDefList dimensions;
    AstBlock *body;
} AstModel;

// optimizer sgd(lr = 0.1, momentum = 0) { state v = zeros_like(p); v = momentum*v + g; p = p - lr*v
// } The body sees `p` and `g`, a parameter and its gradient.
typedef struct AstOptimizer {
    AstName name;
    ParameterList parameters;
    AstBlock *body;
} AstOptimizer;

typedef enum DefinitionKind {
    DEFINITION_IMPORT,
    DEFINITION_FUNCTION,
    DEFINITION_MODEL,
    DEFINITION_OPTIMIZER
} DefinitionKind;

typedef struct Definition {
    DefinitionKind kind;
    Span span;
    union {
        struct {
            const char *path; // as written, escapes replaced
            Span path_span;
        } import;
        AstFunction *function;
        AstModel *model;
        AstOptimizer *optimizer;
    } as;
} Definition;
typedef VEC(Definition *) DefinitionList;

typedef struct AstFile {
    int file;                   // index into Sources
    DefinitionList definitions; // in the order of the text
} AstFile;

// `+`, `and`; `-`, `not`; "call"; "assignment": for messages and printers.
const char *binary_op_text(BinaryOp op);
const char *unary_op_text(UnaryOp op);
bool binary_op_is_comparison(BinaryOp op);
const char *expr_kind_text(ExprKind kind);
const char *stmt_kind_text(StmtKind kind);

// The tree, indented, one node a line: `tdsl emit --stage=ast`.
void ast_print(Text *out, const AstFile *file);

#endif
