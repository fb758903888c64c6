// The LLVM emitter: prints a Program as an LLVM module. Private to codegen; only emit_llvm*.c,
// target.c and jit.c include llvm-c.
#ifndef TDSL_CODEGEN_EMIT_LLVM_H
#define TDSL_CODEGEN_EMIT_LLVM_H

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "codegen/affine.h"
#include "codegen/compile.h"
#include "codegen/parts.h"
#include "codegen/vector_math.h"

// How a scalar in a vector loop differs from one iteration to the next.
typedef enum LaneKind {
    LANE_UNIFORM, // not at all
    LANE_AFFINE,  // it grows by constants; i64 only
    LANE_VARYING,
} LaneKind;

// LANE_AFFINE: lane i has what lane 0 has and stride * i + jump * (i / block).
typedef struct Lane {
    LaneKind kind;
    int64_t stride, jump;
    int64_t block; // a power of two; where there is no jump, 0
} Lane;

// A function of vector_math.h at one width.
typedef struct MathUse {
    const MathFunction *math;
    int width;
    LLVMValueRef kernel; // where it was written out last, and how many times
    int copies;
    LLVMValueRef function; // that does it; NULL: none is needed yet
    LLVMValueRef rare;     // that does it for rare arguments, likewise
} MathUse;

// State while one function is written. Pointers that depend on the function are indexed by id.
typedef struct Emitter {
    Arena *arena;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    const Program *program;
    const char *suffix; // of the names of this variant's functions; "" if there are no variants
    const char *cpu, *features; // attributes of every function
    bool is_wide;               // with AVX-512: vectors of 512 bits are wanted
    LLVMTypeRef pointer, i1, i8, i32, i64, f32, f64, nothing;
    LLVMTypeRef size;               // size_t of the target
    int buffer_limit;               // ids of buffers are below this
    LLVMValueRef *constants;        // by buffer id: read-only data
    VEC(const MathFunction *) math; // used so far
    VectorFunctions in_vectors;
    LLVMValueRef *tables; // of functions, by number; NULL: not used so far
    VEC(MathUse) math_uses;
    int part;                    // that the module is
    VEC(const Kernel *) kernels; // of this part; in part 0 all
    VEC(LLVMValueRef) kernel_functions;
    // The function being written.
    LLVMValueRef function;
    bool returns_status;
    bool exact;            // products and sums are not to be fused
    LLVMValueRef *scalars; // by scalar id; vectors while `width` > 1, for LANE_VARYING ones
    Lane *lanes;           // by scalar id: in the vector loop being written
    bool *loaded;          // by scalar id: with an earlier load of its row (emit_interleaved)
    int scalar_count;
    int width;             // iterations that are written at once
    LLVMValueRef mask;     // lanes that are written; NULL: all
    int mask_count;        // lanes of `mask`: the lowest ones
    bool free_room;        // lanes of local arrays that `mask` excludes may be overwritten
    int vector_bytes;      // of a register; 0: no vector is written
    LLVMValueRef *locals;  // by local id
    LLVMValueRef *buffers; // by buffer id: pointers
    LLVMValueRef *arguments;
    LLVMValueRef parallel; // of an entry: how to use threads, or a NULL pointer
} Emitter;

LLVMTypeRef llvm_type(const Emitter *emitter, ElementType element); // of values: bool is i1
// llvm_type, or a vector of `width` of them.
LLVMTypeRef lane_type(const Emitter *emitter, ElementType element);
LLVMTypeRef llvm_storage_type(const Emitter *emitter, ElementType element); // in memory: bool is i8
// The pointer of a buffer in the function being written.
LLVMValueRef llvm_buffer(const Emitter *emitter, const Buffer *buffer);
// The value of a scalar: constants, indices and arguments at once, others as they were computed.
LLVMValueRef llvm_scalar(Emitter *emitter, const Scalar *scalar);
// Writes the instruction of a STATEMENT_SCALAR.
void emit_llvm_scalar(Emitter *emitter, const Scalar *scalar);
// The operator of a scalar on arguments that are given; not for what reads memory if width > 1.
LLVMValueRef llvm_compute(Emitter *emitter, const Scalar *scalar, LLVMValueRef *args);
// Lanes first .. first + count - 1 of a vector; those that it does not have are anything.
LLVMValueRef lanes_from(Emitter *emitter, LLVMValueRef vector, int first, int count);
// One vector behind another that is no longer.
LLVMValueRef lanes_behind(Emitter *emitter, LLVMValueRef low, LLVMValueRef high);
// The function that is written out instead of a call of libm; NULL: there is none.
const MathFunction *find_math(Emitter *emitter, const char *name, ElementType type);
// Writes a SCALAR_LIBM.
LLVMValueRef emit_function_call(Emitter *emitter, const Scalar *scalar, LLVMValueRef *arguments);
LLVMValueRef constant_value(const Emitter *emitter, const Scalar *scalar);
// A constant in each of `width` lanes.
LLVMValueRef splat_constant(const Emitter *emitter, LLVMValueRef constant);
void emit_llvm_block(Emitter *emitter, const Block *block);
void emit_llvm_store(Emitter *emitter, ElementType element, LLVMValueRef base, LLVMValueRef index,
                     LLVMValueRef value);
LLVMValueRef call_intrinsic(Emitter *emitter, const char *name, LLVMTypeRef overload,
                            LLVMValueRef *arguments, int count);
// for (index = first; index < end; index += step), where end - first is a multiple of step.
typedef struct CountedLoop {
    LLVMValueRef index, end;
    int64_t step;
    LLVMBasicBlockRef body, after;
} CountedLoop;

CountedLoop begin_counted_loop(Emitter *emitter, const char *name, LLVMValueRef first,
                               LLVMValueRef end, int64_t step);
void end_counted_loop(Emitter *emitter, const CountedLoop *loop, bool is_vector);

// emit_llvm_vector.c: a LOOP_VECTOR as vector instructions, or a LOOP_UNROLL as its iterations.
// False, and nothing is written, if the loop is not fit for that.
bool emit_vector_loop(Emitter *emitter, const Loop *loop);
bool emit_unrolled_loop(Emitter *emitter, const Loop *loop);
// Statements of the body of a vector loop, for `width` iterations at once.
void emit_lanes_scalar(Emitter *emitter, const Scalar *scalar);
// The scalar's value in every lane; how it differs from lane to lane; element `index` of a buffer.
LLVMValueRef lanes_of(Emitter *emitter, const Scalar *scalar);
Lane lane_of(const Emitter *emitter, const Scalar *scalar);
LLVMValueRef pointer_to(Emitter *emitter, ElementType element, LLVMValueRef base,
                        LLVMValueRef index);
// In a vector loop: writes statements from number `first` of the block on that load, or store, all
// elements of short rows. How many are done, or 0 if there are none.
int emit_interleaved(Emitter *emitter, const Block *block, int first);
void emit_lanes_store(Emitter *emitter, const Statement *statement);
void emit_lanes_set(Emitter *emitter, const Statement *statement);

// emit_llvm_turn.c: a LOOP_UNROLL that copies vectors of memory across, in registers.
bool emit_turned_loop(Emitter *emitter, const Loop *loop);

// emit_llvm_join.c: a LOOP_UNROLL over rows of sums that joins the lanes of each.
bool emit_joined_rows(Emitter *emitter, const Loop *loop);

// emit_llvm_parallel.c: a LOOP_PARALLEL.
void emit_parallel_loop(Emitter *emitter, const Loop *loop);
LLVMValueRef kernel_function(const Emitter *emitter, const Kernel *kernel);

// Starts writing `function`: its entry block, its locals, room for its scalars.
void begin_llvm_function(Emitter *emitter, LLVMValueRef function, int scalar_count,
                         Local *const *locals, int local_count);
void add_function_attributes(Emitter *emitter, LLVMValueRef function);
void mark_function(Emitter *emitter, LLVMValueRef function, const char *mark);
LLVMBasicBlockRef new_block(Emitter *emitter, const char *name);
// To one of two blocks, hardly ever the first.
void emit_rare_branch(Emitter *emitter, LLVMValueRef condition, LLVMBasicBlockRef rare,
                      LLVMBasicBlockRef usual);
// If `condition` holds, the function returns `status`; else it goes on.
void emit_return_if(Emitter *emitter, LLVMValueRef condition, LLVMValueRef status);
LLVMValueRef constant_i64(const Emitter *emitter, int64_t value);
LLVMValueRef constant_i32(const Emitter *emitter, uint32_t value);
// Entries with their checks; and the small functions that every product exports.
void emit_llvm_entries(Emitter *emitter);
void emit_llvm_tellers(Emitter *emitter);
// emit_llvm_dispatch.c: exports the entries, each as the variant that the processor can run.
void emit_dispatch(Emitter *emitter);
// ".v3": of the names of the variant for dispatched_cpus's `number`.
const char *variant_suffix(int number);

// Makes LLVM know the machine that this process runs on, or all that it has code for. No other
// thread looks for a machine until they are released.
void hold_targets(bool all);
void release_targets(void);
// The machine that `options` name; the caller disposes of it. NULL and *error if there is none.
LLVMTargetMachineRef make_target_machine(Arena *arena, const CompileOptions *options,
                                         const char **error);
// A message of LLVM as text of the arena; the message is disposed of.
const char *take_message(Arena *arena, char *message);

// Marks of functions, string attributes, which object.c takes off again: it has loops that LLVM's
// vectoriser should look at; it calls many kernels, and only once each.
#define SCALAR_LOOPS_MARK "tdsl-scalar-loops"
#define CALLS_ONLY_MARK "tdsl-calls-only"

// The module of a part of a program, or of its variants for the dispatched processors: triple and
// data layout set, verified, marked, not optimised. NULL and *error on failure. The caller disposes
// of it.
LLVMModuleRef emit_llvm_module(Arena *arena, LLVMContextRef context, LLVMTargetMachineRef machine,
                               const Parts *parts, int part, const CompileOptions *options,
                               const char **error);

#endif
