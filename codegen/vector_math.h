// Functions of libm written out in scalars without branches or calls, so that loops with them
// become vector code, and give the same bits in vectors of any width.
#ifndef TDSL_CODEGEN_VECTOR_MATH_H
#define TDSL_CODEGEN_VECTOR_MATH_H

#include "codegen/loops.h"

enum { MOST_MATH_ARGUMENTS = 3 };

// What code can do for a function.
typedef struct MathAbilities {
    bool branch; // leave out the rare steps where no lane needs them; else there are none
    bool scale;  // SCALAR_SCALE in one instruction; else there is none
    bool pick;   // SCALAR_LOOKUP in a table of 16 for a whole vector in one instruction
    bool alone;  // one number at a time: what counts is how long a step waits for another one
} MathAbilities;

// Tables that SCALAR_LOOKUP reads.
enum {
    TABLE_POWERS_16, // in vectors, too, if these can pick from it
    TABLE_POWERS_32,
    TABLE_POWERS_128,
    TABLE_TAILS_128,
    TABLE_LOGARITHMS_32,
    TABLE_LOGARITHMS_128,
    MATH_TABLES
};

typedef struct MathTable {
    const char *name;
    ElementType type; // f64 or i64
    int count;
    const void *at;
} MathTable;

const MathTable *math_table(int64_t index);

typedef struct MathFunction {
    const char *name; // as of SCALAR_LIBM: "exp"
    ElementType type;
    int arity;
    Scalar *arguments[MOST_MATH_ARGUMENTS]; // SCALAR_ARGUMENT, of `type`
    VEC(Scalar *)
    steps;            // in the order of their computation; constants need no step. Their types are
                      // f32, f64, i32 and i64; a bool is of the width of what it compares
    Scalar *result;   // the last step
    int scalar_count; // ids are below this
    // Steps with ids from rare_from on and below rare_to matter only where this one, a bool, holds;
    // NULL: there are none. What they compute is used by selections that it decides.
    const Scalar *rare;
    int rare_from, rare_to;
    bool alone; // MathAbilities.alone: its rare steps give the result themselves
} MathFunction;

// The function written out, or NULL if libm's is to be called. What libm has not ("sigmoid") is
// always written out. bench/vector_math.c measures the largest errors.
// Each call makes a new one.
MathFunction *math_function(Arena *arena, const char *name, ElementType type,
                            MathAbilities abilities);
// The same without a branch, if it has one otherwise and is short then; else NULL.
const MathFunction *even_math_function(Arena *arena, const char *name, ElementType type);
// Whether compilers of C make vectors of loops that call it.
bool is_of_vectors_in_c(Arena *arena, const char *name, ElementType type);
// The functions of a program that its vector loops call, each as one of its calls. Others are
// computed alone. In one program a function has one form, so that equal arguments give equal
// results.
typedef struct VectorFunctions {
    VEC(const Scalar *) calls;
} VectorFunctions;

VectorFunctions functions_in_vectors(Arena *arena, const Program *program);
bool is_in_vectors(const VectorFunctions *functions, const char *name, ElementType type);
// A function of one argument, without rare steps, in two halves (split_chains.h): the first
// computes `count` values from the argument, the second the result from these. Their names are
// those of functions as others are.
enum { MOST_CROSSING = MOST_MATH_ARGUMENTS };

typedef struct MathHalves {
    int latency;  // cycles from the argument to the result
    bool divides; // it has a division
    int count;
    const char *first[MOST_CROSSING]; // of the argument; NULL: it is the argument itself
    int steps[MOST_CROSSING];         // that it is computed with
    const char *second;
} MathHalves;

// False if the function has none.
bool math_halves(Arena *arena, const char *name, ElementType type, MathHalves *out);
// NULL: that is no name of a half.
MathFunction *half_of_function(Arena *arena, const char *name, ElementType type);
// Characters of the name of the function that it is a half of, else of the whole name.
size_t math_base_length(const char *name);
// Cycles from a step's operands to its result, roughly.
int math_cycles(const Scalar *step);
// Steps that nothing needs leave.
void math_drop_unused(Arena *arena, MathFunction *function);
// Names of functions that exist for some type; NULL behind the last.
const char *math_function_name(int index);
// The bits of a constant of type f32 or f64.
int64_t real_bits(ElementType type, double value);

#endif
