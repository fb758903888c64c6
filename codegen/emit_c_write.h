// The state of the C printer within one product, shared by the files that print expressions, blocks
// and entries.
#ifndef TDSL_CODEGEN_EMIT_C_WRITE_H
#define TDSL_CODEGEN_EMIT_C_WRITE_H

#include "codegen/emit_c_analysis.h"
#include "codegen/emit_c_names.h"
#include "codegen/vector_math.h"

// Small static functions that expressions call; only those that are used are printed.
typedef enum Helper {
    HELPER_ADD, // wrapping integer arithmetic: of `from`
    HELPER_SUB,
    HELPER_MUL,
    HELPER_NEG,
    HELPER_ABS,
    HELPER_FMA,
    HELPER_CAST,   // real to integer
    HELPER_BITS,   // the same bits in another type
    HELPER_CHOOSE, // one of two reals, without a branch
    HELPER_NAN_OR, // the first of two reals if it is NaN, else the second
    HELPER_COUNT
} Helper;

typedef struct Writer {
    Arena *arena;
    Text *out;
    const Program *program;
    Names names;
    bool helpers[HELPER_COUNT][ELEMENT_TYPE_COUNT][ELEMENT_TYPE_COUNT]; // used
    VEC(const MathFunction *) math; // functions called instead of libm's
    VectorFunctions in_vectors;
    bool tables[MATH_TABLES];             // of functions: used
    VEC(const MathFunction *) even_math;  // those without branches that loops of vectors call
    int buffer_count;                     // Buffer.id is below this
    const char **kernel_name;             // by the kernel's place in the program
    const char **task_name, **chunk_name; // of kernels that are called in chunks, else NULL
    const char *run_name;
    const char **constant_name; // of buffers of kind BUFFER_CONSTANT, by id
    // The function being printed:
    FunctionInfo info;
    const char **buffer_name; // by id
    const char **argument_name;
    VEC(const Scalar *) pending; // computed, to be printed within their users
    Text line, *around_line;     // the line being written; where it goes
    int depth;
    int vector_loops; // around the place
    int unnamed;      // number of values that got a number for a name
} Writer;

// How tightly an expression binds: the least that may stand at some place without parentheses.
typedef enum Level {
    LEVEL_ANY,     // c ? x : y
    LEVEL_BITS,    // x & y, x >> y
    LEVEL_COMPARE, // x < y
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_UNARY,
    LEVEL_PRIMARY,
} Level;

void write_expression(Writer *writer, const Scalar *scalar, Level least);
// A number as a C literal of the type.
void write_integer(Text *out, ElementType type, int64_t value);
void write_real(Text *out, ElementType type, double value);
const char *helper_name(Writer *writer, Helper helper, ElementType from, ElementType to);
// Definitions of the helpers used so far.
void write_helpers(const Writer *writer, Text *out);

// Prints the statements of a block at the writer's depth, in a scope of names of its own.
void write_block(Writer *writer, const Block *block);
const char *expression_text(Writer *writer, const Scalar *scalar);
const char *buffer_spelling(const Writer *writer, const Buffer *buffer);

// `prefix` then the items separated by commas, broken before the 100th column, then `suffix`.
void write_list(Writer *writer, const char *prefix, const char *const *items, int count,
                const char *suffix);

// What is written between the two is one statement or head of one: it is indented, and broken
// before the 100th column.
void begin_line(Writer *writer);
void end_line(Writer *writer);
void write_line(Writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Text for a comment: nothing in it can end the comment or trouble a compiler.
const char *comment_text(Arena *arena, const char *text);

// Functions (emit_c_function.c).
void write_kernel(Writer *writer, const Kernel *kernel, const Range *arguments);
void write_entry(Writer *writer, const Entry *entry);
const char *kernel_spelling(const Writer *writer, const Kernel *kernel);
// `const classifier_inputs *inputs`, ..., `void *workspace` and, if asked for, the tdsl_parallel.
// Returns how many.
int entry_parameters(Arena *arena, const Program *program, const Entry *entry, bool parallel,
                     const char *parameters[GROUP_COUNT + 2]);

#endif
