// The loop form: what lowering makes of the tensor IR and both emitters print - scalars, loads,
// stores, loops, conditions, calls of kernels. There is no tensor operator below this line and no
// LLVM or C above it, so the two emitters cannot drift apart.
//
// A Program is one product: a set of entry functions over shared kernels. An Entry takes pointers
// to structs of pointers (one struct a group: inputs, params, seeds, outputs, gradients, ...) and a
// workspace, calls kernels in order and returns a status. Nothing allocates; nothing is global.
#ifndef TDSL_CODEGEN_LOOPS_H
#define TDSL_CODEGEN_LOOPS_H

#include "ir/ir.h"

typedef struct Scalar Scalar;
typedef struct Statement Statement;
typedef struct Buffer Buffer;
typedef struct Local Local;
typedef struct Loop Loop;
typedef struct Kernel Kernel;
typedef struct Entry Entry;
typedef struct Program Program;

// Scalar operators. Operand and result types are equal unless said. Integers wrap around.
typedef enum ScalarOp {
    SCALAR_CONSTANT, // integer or real
    SCALAR_INDEX,    // index of a loop around it: i64
    SCALAR_ARGUMENT, // i64 argument of the kernel, by number
    SCALAR_LOAD,     // buffer[args[0]], args[0] an i64
    SCALAR_LOCAL,    // local[args[0]]
    SCALAR_ADD,
    SCALAR_SUB,
    SCALAR_MUL,
    SCALAR_DIV, // integers: both are non-negative, the divisor is positive (lowering guards it)
    SCALAR_REMAINDER, // integers only, as SCALAR_DIV
    SCALAR_FMA,       // args[0] * args[1] + args[2]; may be rounded once or twice
    SCALAR_NEG,
    SCALAR_ABS,
    SCALAR_COPYSIGN,
    SCALAR_SQRT,
    SCALAR_FLOOR,
    SCALAR_CEIL,
    SCALAR_TRUNC,
    SCALAR_ROUND, // ties to even
    SCALAR_EQ,    // comparisons: bool; false where an operand is NaN, but SCALAR_NE is true
    SCALAR_NE,
    SCALAR_LT,
    SCALAR_LE,
    SCALAR_GT,
    SCALAR_GE,
    SCALAR_AND, // bool or integer, bitwise
    SCALAR_OR,
    SCALAR_XOR,
    SCALAR_NOT,           // bool
    SCALAR_SHIFT_LEFT,    // integers; the amount is in range
    SCALAR_SHIFT_RIGHT,   // copies of the sign come in
    SCALAR_SHIFT_LOGICAL, // zeros come in
    SCALAR_SELECT,        // bool ? args[1] : args[2]; both are evaluated
    SCALAR_CAST,   // to this scalar's type; real to integer: towards zero, 0 out of range or NaN;
                   // from bool: 0 or 1; never to bool
    SCALAR_BITS,   // the same bits: f32 <-> i32, f64 <-> i64
    SCALAR_SCALE,  // args[0] * 2^args[1], rounded once; of args[1] what is whole counts. Only in
                   // steps of functions (vector_math.h)
    SCALAR_LOOKUP, // number args[0], an i64, of the table `integer` (math_table). Only in steps of
                   // functions
    SCALAR_LIBM,   // function `name` of libm, of real arguments, all of one type
} ScalarOp;

struct Scalar {
    ScalarOp op;
    ElementType type;
    Scalar *args[3];
    int arg_count;
    int64_t integer; // SCALAR_CONSTANT of bool and integers; SCALAR_ARGUMENT: which
    double real;     // SCALAR_CONSTANT of reals
    Buffer *buffer;
    Local *local;
    Loop *loop; // SCALAR_INDEX
    const char
        *name; // SCALAR_LIBM: without suffix ("exp"); otherwise the user's name for it or NULL
    int id;    // unique in its kernel or entry
};

typedef enum BufferKind {
    BUFFER_FIELD,     // a caller's tensor: a pointer in a group's struct
    BUFFER_WORKSPACE, // a temporary at a fixed offset of the workspace
    BUFFER_CONSTANT,  // read-only data of the product
} BufferKind;

// What a temporary is for.
typedef enum BufferUse {
    USE_VALUE,
    USE_STACK,   // rows of a loop's iterations
    USE_CARRIED, // what a loop carries
} BufferUse;

struct Buffer {
    BufferKind kind;
    ElementType element;
    int64_t count;    // elements
    const char *name; // from the source, not unique
    bool read_only;
    // BUFFER_FIELD
    int group, field;
    bool optional;    // the pointer may be NULL: every access lies in a STATEMENT_PRESENT of it
    bool default_one; // a one-element seed: NULL means 1 (such a buffer is not `optional`)
    // BUFFER_WORKSPACE
    size_t offset; // bytes, a multiple of 64
    Type type;     // of the value that is kept in it
    BufferUse use;
    Span span;          // of the loop, for what is not a plain value
    const Entry *entry; // that uses it
    int64_t behind;     // elements behind the last one that may be read: nobody's
    bool reverse;       // what is kept in it depends on upstream gradients
    // A field: this has no place of its own, but that, if the pointer is given (place_results.h).
    Buffer *result;
    int first, last; // in use from and to: statements of the entry, by number; first < 0: never
    // BUFFER_CONSTANT
    const void *data;
    int id; // unique in the program
};

// Elements that a buffer has room for.
static inline int64_t buffer_room(const Buffer *buffer) {
    return buffer->count + buffer->behind;
}

// A mutable local of a kernel: a scalar (count 1) or a small array, for accumulators and tiles. An
// array's index is made of constants and of indices of LOOP_VECTOR and LOOP_UNROLL loops of
// constant extent (`r * 32 + c`), or, in a LOOP_VECTOR loop over a block, the loop's index:
// unrolled, an array may live in registers.
// Of one that is indexed by other loops, too, as a copy of a tile, that is not expected.
struct Local {
    ElementType type;
    int count;
    const char *name;
    int id;
};

typedef enum LoopKind {
    LOOP_SERIAL,
    LOOP_VECTOR,   // iterations are independent and touch memory contiguously
    LOOP_UNROLL,   // a small constant extent: to be unrolled
    LOOP_PARALLEL, // in entries: iterations are independent and long. A constant extent; the body
                   // is one STATEMENT_CALL, whose last argument is the index
} LoopKind;

typedef struct Block {
    VEC(Statement *) statements;
} Block;

// A position as a sum: constant + factor * atom + ... An atom is the index of a loop, an argument,
// or a scalar that is not a sum itself.
enum { MOST_AFFINE_TERMS = 16 };

typedef struct Term {
    const Scalar *atom;
    int64_t factor; // not 0
} Term;

typedef struct Affine {
    Term terms[MOST_AFFINE_TERMS]; // of different atoms
    int count;
    int64_t constant;
} Affine;

// A line of memory that will soon be used, and had better be in a cache then. It need not exist.
typedef struct Fetch {
    Buffer *buffer;
    Affine place; // of indices of loops and arguments, for the first iteration
    bool is_store;
    bool near; // in the first cache, not the second
} Fetch;

struct Loop {
    LoopKind kind;
    Scalar *index;   // SCALAR_INDEX, i64, from 0
    Scalar *extent;  // iterations: an i64 scalar; often SCALAR_CONSTANT
    int64_t room;    // LOOP_VECTOR: elements that local arrays have from the place of the first
                     // iteration on, if more than iterations; else 0
    bool free_room;  // what lies in it beyond the iterations is nobody's, and may be overwritten
    bool one_vector; // LOOP_VECTOR: the iterations are a vector (shape_vectors.h)
    bool blocked;    // what an iteration reads again stays in a cache: loops inside are not spread
                     // over threads in its place
    VEC(Fetch) fetches; // LOOP_VECTOR: for each vector of iterations (fetch_rows.h)
    Block body;
    const char *name; // of the index: i, j, row, ...
};

typedef enum StatementKind {
    STATEMENT_SCALAR, // computes `scalar` here; its arguments were computed before, in scope.
                      // Constants, indices and arguments need no statement.
    STATEMENT_STORE,  // buffer[index] = value
    STATEMENT_SET,    // local[index] = value
    STATEMENT_LOOP,   // loop
    STATEMENT_IF,     // if (condition) body else otherwise (may be empty)
    STATEMENT_WHILE,  // repeat { body; if (!condition) break; otherwise }: condition is computed in
                      // body; `otherwise` sees body's scalars
    STATEMENT_PRESENT, // body, if the pointer of `buffer` is not NULL; in entries and in kernels: a
                       // kernel may be passed a NULL pointer for an optional field
    STATEMENT_CALL, // kernel(buffers ..., arguments ...); entries only. Its failure ends the entry.
    STATEMENT_FAIL, // if (condition) the kernel or entry ends with the status of `site`
    STATEMENT_COPY, // memcpy of the whole `buffer` into `target`; entries only; counts are equal
    STATEMENT_ZERO, // zeros in the whole `target`; entries only
} StatementKind;

struct Statement {
    StatementKind kind;
    Scalar *scalar;
    Buffer *buffer, *target;
    Local *local;
    Scalar *index, *value, *condition;
    Loop *loop;
    Block body, otherwise;
    Kernel *kernel;
    Buffer **buffers;   // STATEMENT_CALL: for each buffer parameter of the kernel
    Scalar **arguments; // STATEMENT_CALL: for each i64 argument
    int site;
};

// One fused loop nest: a static function over restrict pointers.
struct Kernel {
    const char *name;    // unique in the program, from the source's names
    const char *comment; // source line and shape: "line 12: h = relu(x @ w1 + b1), f32[32,48]"
    Span span;
    VEC(Buffer *)
    buffers;            // as accessed in the body; a call may pass others of the same element/count
    VEC(bool) written;  // for each buffer: stored to (else const)
    int argument_count; // i64 arguments
    bool fails;         // has a STATEMENT_FAIL: returns a status
    VEC(Local *) locals;
    Block body;
    int scalar_count;          // ids of scalars are below this
    bool fetches;              // of its loops are decided (fetch_rows.h)
    bool splits;               // so are these (split_chains.h)
    VEC(const Kernel *) twins; // that it is called instead of (share_kernels.h)
    const char **names;        // of the parameters, if there are twins; NULL: the buffers' own
};

typedef enum GroupKind {
    GROUP_INPUTS,
    GROUP_PARAMS,
    GROUP_STATES,
    GROUP_SEEDS,
    GROUP_OUTPUTS,
    GROUP_GRADIENTS,
    GROUP_KEY, // the i64 key of random numbers
    GROUP_COUNT
} GroupKind;

typedef struct Field {
    const char *name; // of the input, param, output, ...; a gradient has its leaf's name
    Type type;        // static
    Buffer *buffer;   // in this entry
} Field;

// The fields of one struct of pointers, in order: a group's struct has the same fields in every
// entry of a program, though an entry may use only some (then buffer is NULL there).
typedef struct Group {
    bool used; // has fields: then it is a parameter of the entry
    bool written;
    VEC(Field) fields;
} Group;

struct Entry {
    const char *name; // "forward", "backward", "gradient", "initialize", "zero_gradients"
    const char *comment;
    Group groups[GROUP_COUNT];
    Block body;
    VEC(Local *) locals;
    int scalar_count;
    size_t workspace_bytes; // 0: the workspace may be NULL
    bool takes_threads;     // it has the form for threads even if none of its loops is parallel
};

// A place that can fail at run time.
typedef struct Site {
    Span span;
    const char *message; // "an index is out of range for axis 0 with size 5"
} Site;

// Statuses: 0 done; 1 a required pointer is NULL; 2 + i: sites.at[i]. After a failure the contents
// of outputs and gradients are unspecified.
enum { STATUS_DONE = 0, STATUS_NULL_POINTER = 1, STATUS_FIRST_SITE = 2 };

struct Program {
    Arena *arena;
    const char *name; // of the model: prefix of everything exported
    const Sources *sources;
    VEC(Kernel *) kernels;
    VEC(Buffer *) buffers; // constants and temporaries and fields of all entries
    VEC(Entry *) entries;
    VEC(Site) sites;
};

const char *group_name(GroupKind kind); // "inputs", "params", ...
// The next statement that is no scalar, from number *at on, which it moves behind it; NULL: there
// is none. The only such statement if it is of the kind, else NULL.
const Statement *next_statement(const Block *block, int *at);
const Statement *only_statement(const Block *block, StatementKind kind);
// Adds how often statements mention each buffer, by its id, as what is read, written or given to a
// kernel; a test of a pointer is no mention.
void count_mentions(const Block *block, int *mentions);
void count_statement_mentions(const Statement *statement, int *mentions);
// Readable text of the loop form (`tdsl emit --stage=loops`).
void print_loops(Text *out, const Program *program);
// Checks the form's invariants: scopes, types, buffers. NULL or a message.
const char *verify_loops(Arena *arena, const Program *program);

#endif
