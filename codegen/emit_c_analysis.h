// What the C emitter knows of one function before it prints it: where each scalar is written down
// (as a variable, or folded into the expression of its user), which integers cannot overflow, where
// locals are declared.
//
// Folding must not change meaning. A scalar is folded only into a user in its own block, and the
// printer writes it down before any statement that may change the memory it reads (emit_c_block.c).
#ifndef TDSL_CODEGEN_EMIT_C_ANALYSIS_H
#define TDSL_CODEGEN_EMIT_C_ANALYSIS_H

#include "codegen/loops.h"

typedef struct Range {
    int64_t low, high; // both included
} Range;

typedef enum Place {
    PLACE_VARIABLE,   // a variable where it is computed
    PLACE_IN_USER,    // within the expression of its only user
    PLACE_EVERYWHERE, // within the expressions of all users: constants and small index arithmetic
} Place;

typedef struct ScalarInfo {
    Place place;
    const Scalar *scalar;
    const Block *home;  // the block that computes it; NULL: constants, indices, arguments
    int uses;           // by what is printed; 0: it is left out
    const Scalar *user; // PLACE_IN_USER: the scalar it is folded into, or NULL: a statement
    Range range;        // integers and bool
    bool wraps;         // integer arithmetic that may overflow
    bool reads;         // its expression reads memory or locals
    bool calls;         // its expression calls a function
    bool live;          // something that is printed depends on it
    int size;           // operators in its expression
    // While printing:
    bool pending;     // folded, and not printed yet
    const char *name; // NULL: no variable holds it
} ScalarInfo;

// A block and the blocks around it.
typedef struct Frame {
    const struct Frame *around;
    const Block *block;
    bool repeats; // the body of a loop
    int depth;
} Frame;

typedef struct LocalInfo {
    const Local *local;
    const Frame *home; // where it is declared; NULL: nothing that is printed depends on it
    bool live;
    VEC(const Statement *) sets;
    const char *name; // while printing
} LocalInfo;

typedef struct FunctionInfo {
    Arena *arena;
    ScalarInfo *scalars; // by id
    int scalar_count;
    VEC(LocalInfo) locals;
    int *buffer_uses;       // by Buffer.id
    int *argument_uses;     // by number
    const Range *arguments; // their ranges
    int argument_count;
} FunctionInfo;

// Called for each STATEMENT_CALL of the function, with the ranges of the arguments.
typedef struct CallVisitor {
    void (*visit)(void *context, const Statement *call, const FunctionInfo *info);
    void *context;
} CallVisitor;

FunctionInfo analyze_function(Arena *arena, const Block *body, int scalar_count, int buffer_count,
                              const Range *arguments, int argument_count, CallVisitor calls);
ScalarInfo *scalar_info(const FunctionInfo *info, const Scalar *scalar);
// Is it an integer or bool of one possible value? It is printed as that.
bool is_known_number(const FunctionInfo *info, const Scalar *scalar);
// A choice between reals that is no minimum or maximum: GCC makes branches of it where it finds no
// vectors, so it is printed as a call of a function of bits.
bool chooses_by_bits(const Scalar *scalar);
LocalInfo *find_local(const FunctionInfo *info, const Local *local);
// Does the statement, with all inside it, read or set the local?
bool statement_touches_local(const Statement *statement, const Local *local);
Range range_of_type(ElementType type);
// The statement's own operands (not those of statements inside it): at most 3, and the arguments of
// a call. Returns how many were stored.
int statement_operands(const Statement *statement, const Scalar **operands);

// The steps after the first: what is live and how often it is used (emit_c_live.c), where locals
// are declared, and what is folded into what (emit_c_fold.c).
void find_live(FunctionInfo *info, const Block *body);
void place_locals(FunctionInfo *info);
void fold_block(FunctionInfo *info, const Block *block);

#endif
