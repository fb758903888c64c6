// Inside the generator of random programs (tests/fuzz/random_*.c) only.
//
// Of every value a range is kept that its elements are expected in: operators are only given
// operands from the range where they are well-behaved, and what grows too large is scaled down.
// Ranges are estimates; a program that leaves them all the same is still valid.
#ifndef TDSL_TESTS_FUZZ_GENERATOR_H
#define TDSL_TESTS_FUZZ_GENERATOR_H

#include "ir/build.h"
#include "tests/fuzz/random.h"
#include "tests/fuzz/random_program.h"

typedef struct Range {
    double low, high;
} Range;

typedef enum Family {
    FAMILY_UNARY,
    FAMILY_BINARY,
    FAMILY_COMPARE,
    FAMILY_LOGIC,
    FAMILY_SELECT,
    FAMILY_CAST,
    FAMILY_BITS,
    FAMILY_SOURCE,
    FAMILY_BROADCAST,
    FAMILY_RESHAPE,
    FAMILY_TRANSPOSE,
    FAMILY_SLICE,
    FAMILY_PAD,
    FAMILY_CONCAT,
    FAMILY_GATHER,
    FAMILY_SCATTER,
    FAMILY_ROW,
    FAMILY_REDUCE,
    FAMILY_ARGUMENT,
    FAMILY_CUMSUM,
    FAMILY_CONTRACT,
    FAMILY_DETACH,
    FAMILY_LOOP,
    FAMILY_BRANCH,
    FAMILY_CALL,
    FAMILY_DERIVATIVE,
    FAMILY_COUNT
} Family;

enum { SIZES = 4, HELPERS_MAX = 2 };

typedef struct Generator {
    Random random;
    ProgramKind kind;
    Module *module;
    Arena scratch;
    Builder b;
    VEC(Range) ranges;    // by value id, of the function being built
    VEC(Value *) visible; // in the region being built
    VEC(Function *) helpers;
    VEC(Range) helper_ranges[HELPERS_MAX]; // of the results of each
    int weights[FAMILY_COUNT];
    int element_weights[ELEMENT_TYPE_COUNT];
    int64_t sizes[SIZES];
    int rank_max;
    int64_t elements_max;
    double recency;   // 1: operands are taken from anywhere; more: from recent values
    double failures;  // probability of an index or a count out of range
    bool kinks;       // operators that are not differentiable everywhere
    bool signs_known; // the sign of a zero is the same on every engine
    int depth;        // of regions
} Generator;

// Sets of element types.
enum {
    ANY_REAL = 1 << TYPE_F32 | 1 << TYPE_F64,
    ANY_INTEGER = 1 << TYPE_I32 | 1 << TYPE_I64,
    ANY_NUMBER = ANY_REAL | ANY_INTEGER,
    ANY_BOOL = 1 << TYPE_BOOL,
    ANY_ELEMENT = ANY_NUMBER | ANY_BOOL,
};

// random_program.c
Range range_of(const Generator *g, const Value *value);
void set_range(Generator *g, const Value *value, Range range);
Range range_of_element(ElementType element); // all that an integer type holds
// Makes a value available to instructions to come; scaled down if it is large. Returns what is to
// be used instead of it.
Value *keep(Generator *g, Value *value, Range range);
// A value available here, of one of the element types; a new constant if there is none.
Value *pick(Generator *g, int elements);
Value *pick_tensor(Generator *g, int elements); // of rank 1 or more
// A value of this type.
Value *match(Generator *g, Type type);
Value *match_shape(Generator *g, ElementType element, const Value *like);
// `value` moved into a range, if it is not in it.
Value *fit(Generator *g, Value *value, double low, double high);
Value *constant_like(Generator *g, const Value *like, double number);
Value *random_constant(Generator *g, Type type);
Value *random_source(Generator *g, Type type);
ElementType random_element(Generator *g, int elements);
int64_t random_size(Generator *g);
Type random_shape(Generator *g, ElementType element); // of a type with this element
Type type_of(Generator *g, ElementType element, int rank, const int64_t *sizes);
Dims dims_of_sizes(Generator *g, int count, const int64_t *sizes);
int64_t size_of(const Value *value, int axis);
void shuffle(Random *random, int *items, int count);
// A few instructions in the builder's region.
void build_some(Generator *g, int count);

// random_elementwise.c
void build_random_unary(Generator *g);
void build_random_binary(Generator *g);
void build_random_comparison(Generator *g);
void build_random_logic(Generator *g);
void build_random_select(Generator *g);
void build_random_cast(Generator *g);
void build_random_integer(Generator *g);

// random_tensor.c
void build_random_broadcast(Generator *g);
void build_random_reshape(Generator *g);
void build_random_transpose(Generator *g);
void build_random_slice(Generator *g);
void build_random_pad(Generator *g);
void build_random_concat(Generator *g);

// random_index.c
void build_random_gather(Generator *g);
void build_random_scatter(Generator *g);
void build_random_row(Generator *g);
void build_random_reduction(Generator *g);
void build_random_argmax(Generator *g);
void build_random_cumsum(Generator *g);
void build_random_contraction(Generator *g);
// An i64 value of this shape with elements in 0 .. size - 1; rarely one that is not.
Value *random_index(Generator *g, Type shape, int64_t size);

// random_control.c
void build_random_loop(Generator *g);
void build_random_branch(Generator *g);
void build_random_call(Generator *g);

// random_derivative.c
void build_random_derivative(Generator *g);
void add_random_rule(Generator *g, Function *function); // a rule of its own for reverse mode

#endif
