// What the files that spread kernels over threads share. See parallel.h.
#ifndef TDSL_CODEGEN_PARALLEL_PLAN_H
#define TDSL_CODEGEN_PARALLEL_PLAN_H

#include "codegen/affine.h"
#include "codegen/parallel.h"

typedef VEC(Buffer *) BufferList;
typedef VEC(const Local *) LocalList;

// A loop of a kernel that may be spread.
typedef struct Candidate {
    Arena *scratch;
    const Kernel *kernel;
    const Statement *top; // of the kernel's body
    const Loop *loop;     // `top` itself, or alone in loops and presence tests that are alone
    int64_t extent;
    const bool *exclusive; // by buffer id: temporaries that only this kernel touches
    LocalList flags;       // of failures: each part of the kernel has its own
    LocalList carried;     // locals whose values go from one iteration to the next
    // Found by iterations_are_independent:
    BufferList privates; // temporaries that each chunk needs for itself
    char *variant;       // by scalar id: differs between iterations; 0: not known yet
    bool *inside;        // by scalar id: computed in `top`
} Candidate;

// Can the iterations run in any order, and at the same time, if each has locals and `privates` of
// its own? What is `carried` is not looked at.
bool iterations_are_independent(Candidate *c);
// Is every local, but the flags, set before it is read?
bool statements_are_closed(Arena *scratch, const Statement *const *statements, int count,
                           const LocalList *flags);
// Is every element of the local set by the statement?
bool statement_sets_all(Arena *scratch, const Statement *statement, const Local *local);
bool list_has_local(const LocalList *list, const Local *local);

// Does one of them store to what another touches?
bool blocks_conflict(Arena *scratch, const Block *x, const Block *y);
// Does the statement set the local, or read it?
bool statement_has_local(const Statement *statement, const Local *local);

// Machine cycles of one core, roughly. `vector_bytes` is the width of a register.
double statement_work(const Statement *statement, int vector_bytes);

// Copying statements of a kernel into another one.
typedef struct Cloner {
    Arena *arena;
    const Kernel *from;
    Kernel *to;
    Scalar **scalars; // of `to`, by id in `from`
    Local **locals;   // of `to`, by id in `from`
    BufferList privates;
    VEC(Scalar *) starts; // of the chunk's own part of each
    Scalar *chunk;  // the argument of `to` that is the number of the chunk; NULL: there is none
    Scalar **given; // what stands for the arguments of `from`; NULL: the same arguments
} Cloner;

enum { MOST_NESTED = 3 };

// How a loop is cut into chunks.
typedef struct Chunks {
    int64_t count;
    int64_t size; // iterations of each but the last
    int64_t extent;
    // Loops that are alone in the loop, and one in the other: a chunk is one iteration of the
    // innermost.
    const Loop *nested[MOST_NESTED];
    int nested_count;
} Chunks;

Cloner start_clone(Arena *arena, Arena *scratch, const Kernel *from, const char *name,
                   bool has_chunk);
// Goes on with a kernel that others were copied to.
Cloner continue_clone(Arena *arena, Arena *scratch, const Kernel *from, Kernel *to, Scalar **given);
Scalar *clone_use(Cloner *c, const Scalar *x);
void clone_statement(Cloner *c, const Statement *statement, Block *out);
// The statement with a loop in it cut down to the iterations of the chunk.
void clone_chunk(Cloner *c, const Statement *top, const Loop *loop, const Chunks *chunks,
                 Block *out);
Local *clone_local(Cloner *c, const Local *local);
void clone_buffer(Cloner *c, Buffer *buffer, bool is_written);
// New scalars of a kernel, by its next id; the first is placed at the end of `out`.
Scalar *place_scalar(Arena *arena, Kernel *kernel, Block *out, const Scalar *proto);
Scalar *place_binary(Arena *arena, Kernel *kernel, Block *out, ScalarOp op, Scalar *x, Scalar *y);
Scalar *new_position(Arena *arena, Kernel *kernel, int64_t value);
void place_statement(Arena *arena, Block *out, const Statement *proto);
Loop *place_loop(Arena *arena, Kernel *kernel, Block *out, LoopKind kind, Scalar *extent,
                 const char *name);
// A new local array, and what is read from one.
Local *new_local_array(Arena *arena, Kernel *kernel, ElementType type, int64_t count,
                       const char *name);
Scalar *place_read(Arena *arena, Kernel *kernel, Block *out, Local *local, Scalar *index);
// From here on the chunk uses a part of its own of each of these temporaries.
void clone_privates(Cloner *c, const BufferList *privates);
// Elements between the parts of a private temporary.
int64_t private_stride(const Buffer *buffer);

// A kernel made of part of another; chunks 0: it is called once.
typedef struct Part {
    Kernel *kernel;
    int64_t chunks;
    BufferList privates;
} Part;

// The only uses of `local` are `set`, to false, before all else; setting it where a condition
// holds; and `read`, for `fail`, at the end.
typedef struct Flag {
    const Local *local;
    const Statement *set, *read, *fail;
} Flag;

// A kernel on its way to parts.
typedef struct Split {
    Program *program;
    Arena *arena, *scratch;
    const LowerOptions *options;
    Kernel *kernel;
    const bool *exclusive; // by buffer id
    bool may_flush;        // parts that are called once may come between others
    bool *pinned;          // by scalar id: not to be computed again in another part
    Buffer **stored;       // by scalar id: where a part has stored it for later ones, or NULL
    int scalar_room;       // of such arrays
    int next;              // the statement of the kernel's body that is looked at
    VEC(Flag) flags;
    LocalList flag_locals;
    VEC(Part) parts;
    Block pending;       // for the next part that is called once
    BufferList partials; // new temporaries
} Split;

// A part that takes chunks of `statement`, with what it needs from around. NULL: that cannot be.
Cloner *begin_part(Split *split, const Statement *statement, bool has_chunk);
void end_part(Split *split, Cloner *c, int64_t chunks);
// Makes a part of what is pending; then `kept` is. False, and nothing is changed, if locals would
// go from this part to a later one.
bool flush_pending(Split *split, const Block *kept);
// Must a part with the statement come after what is pending?
bool must_wait(const Split *split, const Statement *statement);

// Copies the scalars of the kernel's body that the statements use, or loads those that are pinned
// and were stored. False if one of them was not.
bool clone_needed(Split *split, Cloner *c, const Block *statements);
// Does the statement use a scalar that is pending?
bool needs_pending(const Split *split, const Statement *statement);
// Stores what later statements use of the scalars that are pending, at the end of their part. False
// if that is nothing.
bool store_for_later(Split *split, Cloner *c);
Chunks choose_chunks(const Split *split, const Candidate *candidate, double work);
double least_work(const LowerOptions *options);
// The operator that combines the local with something whenever the statement sets it, where nothing
// else is done with it: SCALAR_ADD, SCALAR_MUL, SCALAR_OR; or SCALAR_CONSTANT if that is not so.
ScalarOp combination_of(const Statement *statement, const Local *local);
// Is nothing that `top` sets read after it, but for what is carried?
bool locals_end(const Split *split, const Statement *top, const LocalList *carried);
// Cuts a long sum, `statement`, in partial sums. False, and nothing is changed, if it is none.
bool split_reduction(Split *split, const Statement *statement, double work);

// Does the call pass the buffers that the kernel names?
bool has_own_buffers(const Statement *call);
// The call of a new kernel that does what the loop of an entry does, if that consists of calls
// which are too short to be spread, or, with `long_calls`, of any; else NULL.
Statement *join_calls(Arena *arena, Arena *scratch, const Loop *loop, const LowerOptions *options,
                      bool long_calls);

#endif
