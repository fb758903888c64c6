// Building the body of one kernel: scalars, statements and loops.
//
// Scalars are folded, computed once (equal ones are shared while in scope) and
// placed in the outermost block where their operands are known, so
// loop-invariant work leaves loops by itself. Loads from buffers that the
// kernel also writes, and loads of locals, stay where they are asked for.
#ifndef TDSL_CODEGEN_LOWER_BUILD_H
#define TDSL_CODEGEN_LOWER_BUILD_H

#include "codegen/loops.h"

// A scalar or an element remembered while the scope that holds its statement is
// open.
typedef struct Known {
    const intptr_t *words; // what identifies it
    int word_count;
    Scalar *scalar;
    bool forgotten;
    struct Known *next; // in its bucket
} Known;

// What is known of a scalar: where it is placed, and its range if it is an
// integer.
typedef struct ScalarFacts {
    int depth; // index of its scope
    bool bounded;
    int64_t low, high; // inclusive, if bounded
} ScalarFacts;

typedef struct Scope {
    Block *block;
    Statement *statement; // that opened it; NULL: the kernel's body, or a loop of
                          // one iteration
    bool barrier;         // nothing is moved out of it
    VEC(Known *) known;
} Scope;

typedef struct KernelBuilder {
    Arena *arena; // of the program
    Arena scratch;
    Kernel *kernel;
    VEC(Scope) scopes;
    VEC(ScalarFacts) facts; // by scalar id
    Known **buckets;
    int known_count, bucket_count;
} KernelBuilder;

void kernel_begin(KernelBuilder *k, Arena *arena, Kernel *kernel);
void kernel_end(KernelBuilder *k);
// Drops scalars that nothing uses, and buffers that only they read
// (lower_clean.c).
void remove_unused(KernelBuilder *k);
// Cuts loops of `shortest` iterations and more where comparisons of their indices with constants
// change (cut_ranges.c). Scalars of the kernel are others then.
void cut_ranges(KernelBuilder *k, int64_t shortest);

// The scalar as described, shared and placed but not folded.
Scalar *scalar_make(KernelBuilder *k, const Scalar *proto);
Scalar *scalar_integer_constant(KernelBuilder *k, ElementType type, int64_t value);
Scalar *scalar_real_constant(KernelBuilder *k, ElementType type, double value);
// Any type: true and false are 1 and 0.
Scalar *scalar_number(KernelBuilder *k, ElementType type, double value);
Scalar *scalar_position(KernelBuilder *k, int64_t value); // an i64 constant
Scalar *scalar_argument(KernelBuilder *k, int number, int64_t low, int64_t high);
Scalar *scalar_unary(KernelBuilder *k, ScalarOp op, Scalar *x);
Scalar *scalar_binary(KernelBuilder *k, ScalarOp op, Scalar *x, Scalar *y);
Scalar *scalar_fma(KernelBuilder *k, Scalar *x, Scalar *y, Scalar *z);
Scalar *scalar_select(KernelBuilder *k, Scalar *condition, Scalar *x, Scalar *y);
Scalar *scalar_cast(KernelBuilder *k, ElementType type,
                    Scalar *x); // to bool: x != 0
Scalar *scalar_bits(KernelBuilder *k, Scalar *x);
Scalar *scalar_libm(KernelBuilder *k, const char *name, int count, Scalar *x, Scalar *y);
// The element is never changed by this kernel before its last load.
Scalar *scalar_load(KernelBuilder *k, Buffer *buffer, Scalar *index);
Scalar *scalar_load_now(KernelBuilder *k, Buffer *buffer, Scalar *index);
Scalar *scalar_local(KernelBuilder *k, Local *local, Scalar *index);
// States a range that the caller knows.
void scalar_bound(KernelBuilder *k, Scalar *x, int64_t low, int64_t high);
bool scalar_is_constant(const Scalar *x, int64_t *value); // integers and bool
const ScalarFacts *scalar_facts(const KernelBuilder *k, const Scalar *x);

void add_store(KernelBuilder *k, Buffer *buffer, Scalar *index, Scalar *value);
void add_set(KernelBuilder *k, Local *local, Scalar *index, Scalar *value);
void add_fail(KernelBuilder *k, Scalar *condition, int site);
Local *add_local(KernelBuilder *k, ElementType type, int64_t count, const char *name);
// Joins `count` elements from `start` on, a power of two of them, by halves: gives the first, which
// then has all.
Scalar *join_local(KernelBuilder *k, Local *local, Scalar *start, int64_t count, ScalarOp op);
// totals[i] = the sum of row i of `lanes` rows of as many lanes, joined by halves. Machine code
// joins all rows at once (emit_llvm_join.c): nothing else reads what `rows` has then.
void add_joined_rows(KernelBuilder *k, Local *rows, Local *totals, int lanes);
// Sets `flag` to true where the bool `condition` is, as far out as the
// condition is known.
void add_flag(KernelBuilder *k, Local *flag, Scalar *condition);
// Sets a local at the start of the outermost block, before everything that is
// still to come there.
void add_set_first(KernelBuilder *k, Local *local, Scalar *value);
// Opens a loop and returns its index; a loop of one iteration is no loop: its
// index is 0.
Scalar *begin_loop(KernelBuilder *k, LoopKind kind, int64_t extent, const char *name);
void set_room(KernelBuilder *k, int64_t room, bool is_free); // of the loop opened last
void set_blocked(KernelBuilder *k);                          // the same
void begin_loop_to(KernelBuilder *k, LoopKind kind, Scalar *extent, const char *name,
                   Scalar **index);
void begin_present(KernelBuilder *k, Buffer *buffer);
void begin_if(KernelBuilder *k, Scalar *condition);
void begin_else(KernelBuilder *k); // the scope opened last is an if
// A loop that ends where the condition is computed; two scopes are open then.
void begin_while(KernelBuilder *k);
void begin_while_rest(KernelBuilder *k, Scalar *condition);
void end_scope(KernelBuilder *k); // the loop, the presence test or the
                                  // condition opened last

// Remembering other things than scalars' operations: elements of values.
Scalar *known_find(const KernelBuilder *k, const intptr_t *words, int count);
void known_add(KernelBuilder *k, const intptr_t *words, int count, Scalar *scalar);

// Coefficient of the loop index `index` in the i64 scalar x, if x is linear in
// it.
bool scalar_is_linear(const Scalar *x, const Scalar *index, int64_t *coefficient);

#endif
