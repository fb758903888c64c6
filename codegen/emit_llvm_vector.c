// Vector loops: a LOOP_VECTOR becomes explicit vector instructions, `width` iterations at a time,
// wherever its body allows that; other loops stay scalar, for LLVM's own vectoriser to try.
//
// Every scalar of the body is classified. The same for all iterations (UNIFORM) or growing by a
// constant from one to the next (AFFINE), it stays scalar: the value of the block's first
// iteration. Only what differs otherwise (VARYING) is a vector. Iterations are independent, so each
// statement may run for all iterations of a block before the next one starts.
#include <string.h>

#include "codegen/emit_llvm.h"

enum {
    MOST_STRAIGHT_BLOCKS = 4, // of vectors, without a loop
    MOST_LOCAL_BLOCKS = 16,   // the same if locals are used, which must not be indexed by a loop
    LARGEST_BODY = 16,        // statements that are repeated to lengthen a loop's body
    LARGEST_STRAIGHT = 48,    // statements that are repeated to spare a loop
    MOST_IN_FOURS = 32,       // steps of a function that is computed for four vectors in turns
    MOST_IN_PAIRS = 48,       // or for two
    MOST_UNROLLED = 64,       // iterations of a LOOP_UNROLL
    CACHE_LINE = 64,          // bytes
    MOST_SPACED = 4,          // elements between those that are picked out of neighbours
};

// ---- classification

typedef struct VectorPlan {
    Emitter *emitter;
    const Loop *loop;
    bool possible;
    bool uses_arrays;     // local ones
    bool uses_bytes;      // loads or stores bool
    int longest_function; // steps; 0: there is none
    int widest;           // bytes of the largest varying element
    int statements;       // work in the body
} VectorPlan;

static LaneKind kind_of(const VectorPlan *plan, const Scalar *scalar) {
    if (scalar->op == SCALAR_CONSTANT || scalar->op == SCALAR_ARGUMENT)
        return LANE_UNIFORM;
    return plan->emitter->lanes[scalar->id].kind;
}

static Lane lane_in(const VectorPlan *plan, const Scalar *scalar) {
    const Lane uniform = {.kind = LANE_UNIFORM};
    return kind_of(plan, scalar) == LANE_AFFINE ? plan->emitter->lanes[scalar->id] : uniform;
}

static bool is_contiguous(Lane lane) {
    return lane.kind == LANE_AFFINE && lane.stride == 1 && lane.jump == 0;
}

static bool all_uniform(const VectorPlan *plan, const Scalar *scalar) {
    for (int i = 0; i < scalar->arg_count; i++)
        if (kind_of(plan, scalar->args[i]) != LANE_UNIFORM)
            return false;
    return true;
}

static bool is_varying(const VectorPlan *plan, const Scalar *scalar) {
    return kind_of(plan, scalar) == LANE_VARYING;
}

static bool fits(int64_t factor) {
    return factor > -(INT64_C(1) << 31) && factor < INT64_C(1) << 31;
}

// x + factor * y; one has no jumps, or both at the same lanes.
static Lane add_lanes(Lane x, Lane y, int64_t factor) {
    bool agree = x.block == 0 || y.block == 0 || x.block == y.block;
    if (!agree || !fits(x.stride) || !fits(y.stride) || !fits(factor) || !fits(x.jump) ||
        !fits(y.jump))
        return (Lane){.kind = LANE_VARYING};
    Lane sum = {.stride = x.stride + factor * y.stride, .jump = x.jump + factor * y.jump};
    sum.block = sum.jump == 0 ? 0 : x.block > 0 ? x.block : y.block;
    sum.kind = sum.stride != 0 || sum.jump != 0 ? LANE_AFFINE : LANE_UNIFORM;
    return sum;
}

// Quotient and remainder of the loop's index by a power of two. Vectors start at multiples of their
// width, so that in each of them the same lanes go on to the next quotient.
static Lane classify_division(const VectorPlan *plan, const Scalar *scalar) {
    const Scalar *y = scalar->args[1];
    bool is_power = y->op == SCALAR_CONSTANT && y->integer > 1 && fits(y->integer) &&
                    (y->integer & (y->integer - 1)) == 0;
    if (scalar->args[0] != plan->loop->index || !is_power)
        return (Lane){.kind = LANE_VARYING};
    if (scalar->op == SCALAR_DIV)
        return (Lane){.kind = LANE_AFFINE, .jump = 1, .block = y->integer};
    return (Lane){.kind = LANE_AFFINE, .stride = 1, .jump = -y->integer, .block = y->integer};
}

// Sums of affine i64 values and products with constants.
static Lane classify_index(const VectorPlan *plan, const Scalar *scalar) {
    const Scalar *x = scalar->args[0], *y = scalar->args[1];
    if (is_varying(plan, x) || (y && is_varying(plan, y)))
        return (Lane){.kind = LANE_VARYING};
    Lane none = {.kind = LANE_UNIFORM}, left = lane_in(plan, x),
         right = y ? lane_in(plan, y) : none;
    switch (scalar->op) {
    case SCALAR_ADD: return add_lanes(left, right, 1);
    case SCALAR_SUB: return add_lanes(left, right, -1);
    case SCALAR_NEG: return add_lanes(none, left, -1);
    case SCALAR_MUL:
        if (y->op == SCALAR_CONSTANT)
            return add_lanes(none, left, y->integer);
        if (x->op == SCALAR_CONSTANT)
            return add_lanes(none, right, x->integer);
        return (Lane){.kind = LANE_VARYING};
    case SCALAR_DIV:
    case SCALAR_REMAINDER: return classify_division(plan, scalar);
    default: return (Lane){.kind = LANE_VARYING};
    }
}

static Lane classify_local(VectorPlan *plan, const Scalar *scalar) {
    const Scalar *index = scalar->args[0];
    if (index == NULL || kind_of(plan, index) == LANE_UNIFORM)
        return (Lane){.kind = LANE_UNIFORM};
    plan->uses_arrays = true;
    if (!is_contiguous(lane_in(plan, index)))
        plan->possible = false;
    return (Lane){.kind = LANE_VARYING};
}

static void plan_function(VectorPlan *plan, const Scalar *scalar) {
    const MathFunction *function = find_math(plan->emitter, scalar->name, scalar->type);
    if (function == NULL) {
        plan->possible = false;
        return;
    }
    plan->statements += function->steps.count;
    // What is computed in a wider type fills more registers.
    int steps = function->steps.count * (function->result->op == SCALAR_CAST ? 2 : 1);
    plan->longest_function = steps > plan->longest_function ? steps : plan->longest_function;
}

static Lane classify(VectorPlan *plan, const Scalar *scalar) {
    if (scalar->op == SCALAR_LOCAL)
        return classify_local(plan, scalar);
    if (all_uniform(plan, scalar))
        return (Lane){.kind = LANE_UNIFORM};
    if (scalar->type == TYPE_I64 && scalar->op != SCALAR_LOAD) {
        Lane lane = classify_index(plan, scalar);
        if (lane.kind != LANE_VARYING)
            return lane;
    }
    bool divides = scalar->op == SCALAR_DIV || scalar->op == SCALAR_REMAINDER;
    if (divides && element_is_integer(scalar->type))
        plan->possible = false;
    if (scalar->op == SCALAR_LIBM)
        plan_function(plan, scalar);
    if (scalar->op == SCALAR_LOAD && scalar->type == TYPE_BOOL)
        plan->uses_bytes = true;
    return (Lane){.kind = LANE_VARYING};
}

static void note_width(VectorPlan *plan, ElementType type) {
    int bytes = type == TYPE_BOOL ? 1 : (int)element_bytes(type);
    plan->widest = bytes > plan->widest ? bytes : plan->widest;
}

// `flag = flag or condition` for a bool local, which holds for all iterations together.
static bool is_flag_update(const Statement *statement) {
    const Scalar *value = statement->value;
    return statement->kind == STATEMENT_SET && statement->local->count == 1 &&
           statement->local->type == TYPE_BOOL && value->op == SCALAR_OR &&
           value->args[0]->op == SCALAR_LOCAL && value->args[0]->local == statement->local;
}

static void plan_set(VectorPlan *plan, const Statement *statement) {
    if (is_flag_update(statement))
        return;
    plan->uses_arrays = true;
    if (statement->index == NULL || !is_contiguous(lane_in(plan, statement->index)))
        plan->possible = false;
    note_width(plan, statement->local->type);
}

static void plan_block(VectorPlan *plan, const Block *block);

static void plan_statement(VectorPlan *plan, const Statement *statement) {
    plan->statements++;
    switch (statement->kind) {
    case STATEMENT_SCALAR: {
        const Scalar *scalar = statement->scalar;
        Lane lane = classify(plan, scalar);
        plan->emitter->lanes[scalar->id] = lane;
        if (lane.kind == LANE_VARYING)
            note_width(plan, scalar->type);
        return;
    }
    case STATEMENT_STORE:
        if (kind_of(plan, statement->index) == LANE_UNIFORM)
            plan->possible = false;
        note_width(plan, statement->buffer->element);
        plan->uses_bytes |= statement->buffer->element == TYPE_BOOL;
        return;
    case STATEMENT_SET: plan_set(plan, statement); return;
    case STATEMENT_PRESENT: plan_block(plan, &statement->body); return;
    case STATEMENT_IF:
        if (kind_of(plan, statement->condition) != LANE_UNIFORM)
            plan->possible = false;
        plan_block(plan, &statement->body);
        plan_block(plan, &statement->otherwise);
        return;
    case STATEMENT_LOOP:
    case STATEMENT_WHILE:
    case STATEMENT_CALL:
    case STATEMENT_FAIL:
    case STATEMENT_COPY:
    case STATEMENT_ZERO: plan->possible = false; return;
    }
}

static void plan_block(VectorPlan *plan, const Block *block) {
    for (int i = 0; plan->possible && i < block->statements.count; i++)
        plan_statement(plan, block->statements.at[i]);
}

// Uses of `scalar` in the statements of a block.
static int count_uses(const Block *block, const Scalar *scalar) {
    int uses = 0;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        if (statement->kind == STATEMENT_SCALAR)
            for (int j = 0; j < statement->scalar->arg_count; j++)
                uses += statement->scalar->args[j] == scalar;
        uses += statement->index == scalar;
        uses += statement->value == scalar;
        uses += statement->condition == scalar;
        uses += count_uses(&statement->body, scalar) + count_uses(&statement->otherwise, scalar);
    }
    return uses;
}

// Is `scalar` read for the update of a flag, and for nothing else?
static bool is_flag_read(const Block *block, const Block *all, const Scalar *scalar) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        if (statement->kind == STATEMENT_SET && is_flag_update(statement) &&
            statement->value->args[0] == scalar)
            return count_uses(all, scalar) == 1 && count_uses(all, statement->value) == 1;
        if (is_flag_read(&statement->body, all, scalar) ||
            is_flag_read(&statement->otherwise, all, scalar))
            return true;
    }
    return false;
}

static bool sets_local(const Block *block, const Local *local) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        if ((statement->kind == STATEMENT_SET && statement->local == local) ||
            sets_local(&statement->body, local) || sets_local(&statement->otherwise, local))
            return true;
    }
    return false;
}

// What is read at an index that all iterations share must not be set in the loop: it would depend
// on the order of the iterations. Flags may be.
static bool locals_are_separate(const VectorPlan *plan, const Block *block) {
    const Block *all = &plan->loop->body;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        const Scalar *scalar = statement->scalar;
        if (statement->kind == STATEMENT_SCALAR && scalar->op == SCALAR_LOCAL &&
            kind_of(plan, scalar) == LANE_UNIFORM && sets_local(all, scalar->local) &&
            !is_flag_read(all, all, scalar))
            return false;
        if (!locals_are_separate(plan, &statement->body) ||
            !locals_are_separate(plan, &statement->otherwise))
            return false;
    }
    return true;
}

static VectorPlan make_plan(Emitter *emitter, const Loop *loop) {
    VectorPlan plan = {.emitter = emitter, .loop = loop, .possible = true};
    emitter->lanes[loop->index->id] = (Lane){.kind = LANE_AFFINE, .stride = 1};
    plan_block(&plan, &loop->body);
    if (plan.possible && !locals_are_separate(&plan, &loop->body))
        plan.possible = false;
    if (plan.widest == 0)
        plan.possible = false;
    return plan;
}

// ---- lanes

static LLVMTypeRef vector_of(const Emitter *emitter, LLVMTypeRef element) {
    return LLVMVectorType(element, (unsigned)emitter->width);
}

static LLVMValueRef splat(Emitter *emitter, LLVMValueRef value) {
    LLVMTypeRef type = vector_of(emitter, LLVMTypeOf(value));
    if (LLVMIsConstant(value))
        return splat_constant(emitter, value);
    LLVMValueRef none = LLVMGetPoison(type);
    LLVMValueRef first =
        LLVMBuildInsertElement(emitter->builder, none, value, LLVMConstInt(emitter->i64, 0, 0), "");
    LLVMTypeRef mask = vector_of(emitter, emitter->i32);
    return LLVMBuildShuffleVector(emitter->builder, first, none, LLVMConstNull(mask), "");
}

// How far the lane is from lane 0.
static int64_t step_of(Lane lane, int number) {
    return lane.stride * number + (lane.block > 0 ? lane.jump * (number / lane.block) : 0);
}

static LLVMValueRef add_steps(Emitter *emitter, LLVMValueRef vector, Lane lane) {
    LLVMValueRef *steps = arena_array(emitter->arena, LLVMValueRef, emitter->width);
    for (int i = 0; i < emitter->width; i++)
        steps[i] = constant_i64(emitter, step_of(lane, i));
    return LLVMBuildAdd(emitter->builder, vector, LLVMConstVector(steps, (unsigned)emitter->width),
                        "");
}

// The scalar's value in every lane.
LLVMValueRef lanes_of(Emitter *emitter, const Scalar *scalar) {
    LLVMValueRef value = llvm_scalar(emitter, scalar);
    if (scalar->op == SCALAR_CONSTANT || scalar->op == SCALAR_ARGUMENT)
        return splat(emitter, value);
    Lane lane = emitter->lanes[scalar->id];
    switch (lane.kind) {
    case LANE_UNIFORM: return splat(emitter, value);
    case LANE_AFFINE: return add_steps(emitter, splat(emitter, value), lane);
    case LANE_VARYING: return value;
    }
    unreachable("lane kind %d", (int)lane.kind);
}

Lane lane_of(const Emitter *emitter, const Scalar *scalar) {
    bool everywhere = scalar->op == SCALAR_CONSTANT || scalar->op == SCALAR_ARGUMENT;
    return everywhere ? (Lane){.kind = LANE_UNIFORM} : emitter->lanes[scalar->id];
}

LLVMValueRef pointer_to(Emitter *emitter, ElementType element, LLVMValueRef base,
                        LLVMValueRef index) {
    return LLVMBuildInBoundsGEP2(emitter->builder, llvm_storage_type(emitter, element), base,
                                 &index, 1, "");
}

static LLVMValueRef call_masked(Emitter *emitter, const char *name, LLVMTypeRef data,
                                LLVMTypeRef pointers, LLVMValueRef *arguments, unsigned count) {
    LLVMTypeRef overloads[] = {data, pointers};
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(emitter->module, id, overloads, 2);
    LLVMTypeRef type = LLVMIntrinsicGetType(emitter->context, id, overloads, 2);
    return LLVMBuildCall2(emitter->builder, type, function, arguments, count, "");
}

static LLVMValueRef element_alignment(Emitter *emitter, ElementType element) {
    return LLVMConstInt(emitter->i32, element_bytes(element), 0);
}

static LLVMValueRef load_contiguous(Emitter *emitter, ElementType element, LLVMTypeRef type,
                                    LLVMValueRef place) {
    if (emitter->mask) {
        LLVMValueRef arguments[] = {place, element_alignment(emitter, element), emitter->mask,
                                    LLVMConstNull(type)};
        return call_masked(emitter, "llvm.masked.load", type, emitter->pointer, arguments, 4);
    }
    LLVMValueRef value = LLVMBuildLoad2(emitter->builder, type, place, "");
    LLVMSetAlignment(value, (unsigned)element_bytes(element));
    return value;
}

// The elements that the lanes read, as seen from lane 0: from `first` on, `count` of them, rounded
// up to a power of two.
typedef struct Neighbours {
    int64_t first;
    int count;
} Neighbours;

static Neighbours neighbours_of(const Emitter *emitter, Lane lane) {
    int64_t first = 0, last = 0;
    int taken = emitter->mask ? emitter->mask_count : emitter->width;
    for (int i = 1; i < taken; i++) {
        int64_t step = step_of(lane, i);
        first = step < first ? step : first;
        last = step > last ? step : last;
    }
    int64_t count = 1;
    while (count < last - first + 1 && count <= (int64_t)emitter->width * MOST_SPACED)
        count *= 2;
    return (Neighbours){first, (int)count};
}

// Elements that lie near each other are picked out of neighbours. Those that no lane wants are not
// touched: behind the last one, the memory may end.
static LLVMValueRef load_picked(Emitter *emitter, ElementType element, LLVMValueRef base,
                                const Scalar *index, Lane lane, Neighbours near) {
    LLVMBuilderRef b = emitter->builder;
    int taken = emitter->mask ? emitter->mask_count : emitter->width;
    LLVMValueRef *mask = arena_array(emitter->arena, LLVMValueRef, near.count);
    LLVMValueRef *picked = arena_array(emitter->arena, LLVMValueRef, emitter->width);
    for (int i = 0; i < near.count; i++)
        mask[i] = LLVMConstInt(emitter->i1, 0, 0);
    for (int i = 0; i < emitter->width; i++) {
        int64_t at = i < taken ? step_of(lane, i) - near.first : 0;
        mask[at] = LLVMConstInt(emitter->i1, 1, 0);
        picked[i] = LLVMConstInt(emitter->i32, (unsigned long long)at, 0);
    }
    LLVMValueRef place = pointer_to(emitter, element, base, llvm_scalar(emitter, index));
    place = pointer_to(emitter, element, place, constant_i64(emitter, near.first));
    LLVMTypeRef type = LLVMVectorType(llvm_storage_type(emitter, element), (unsigned)near.count);
    LLVMValueRef arguments[] = {place, element_alignment(emitter, element),
                                LLVMConstVector(mask, (unsigned)near.count), LLVMConstNull(type)};
    LLVMValueRef all =
        call_masked(emitter, "llvm.masked.load", type, emitter->pointer, arguments, 4);
    return LLVMBuildShuffleVector(b, all, LLVMGetPoison(type),
                                  LLVMConstVector(picked, (unsigned)emitter->width), "");
}

// Masks of bytes came with the widest vectors.
static bool can_pick(const Emitter *emitter, ElementType element, Lane lane, Neighbours near) {
    return lane.kind == LANE_AFFINE && emitter->width > 1 &&
           near.count <= emitter->width * MOST_SPACED &&
           emitter->vector_bytes >= (element == TYPE_BOOL ? 64 : 32);
}

// Where elements are apart they are read and written one by one: processors' gathers and scatters
// are no faster, often slower by far, and need all places in vectors, where places at a constant
// distance are known from the first one.
static LLVMValueRef lane_place(Emitter *emitter, ElementType element, LLVMValueRef base,
                               const Scalar *index, int number) {
    Lane lane = lane_of(emitter, index);
    LLVMValueRef value = llvm_scalar(emitter, index);
    if (lane.kind == LANE_VARYING) {
        LLVMValueRef own =
            LLVMBuildExtractElement(emitter->builder, value, constant_i64(emitter, number), "");
        return pointer_to(emitter, element, base, own);
    }
    LLVMValueRef first = pointer_to(emitter, element, base, value);
    return pointer_to(emitter, element, first, constant_i64(emitter, step_of(lane, number)));
}

static bool is_lane_on(const Emitter *emitter, int number) {
    return emitter->mask == NULL ||
           LLVMConstIntGetZExtValue(LLVMGetAggregateElement(emitter->mask, (unsigned)number)) != 0;
}

static LLVMValueRef load_apart(Emitter *emitter, ElementType element, LLVMTypeRef type,
                               LLVMValueRef base, const Scalar *index) {
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef value = LLVMConstNull(type);
    for (int lane = 0; lane < emitter->width; lane++) {
        if (!is_lane_on(emitter, lane))
            continue;
        LLVMValueRef place = lane_place(emitter, element, base, index, lane);
        LLVMValueRef one = LLVMBuildLoad2(b, llvm_storage_type(emitter, element), place, "");
        value = LLVMBuildInsertElement(b, value, one, constant_i64(emitter, lane), "");
    }
    return value;
}

static void store_apart(Emitter *emitter, ElementType element, LLVMValueRef base,
                        const Scalar *index, LLVMValueRef value) {
    LLVMBuilderRef b = emitter->builder;
    for (int lane = 0; lane < emitter->width; lane++) {
        if (!is_lane_on(emitter, lane))
            continue;
        LLVMValueRef one = LLVMBuildExtractElement(b, value, constant_i64(emitter, lane), "");
        LLVMBuildStore(b, one, lane_place(emitter, element, base, index, lane));
    }
}

static LLVMValueRef load_lanes(Emitter *emitter, ElementType element, LLVMValueRef base,
                               const Scalar *index) {
    LLVMTypeRef type = vector_of(emitter, llvm_storage_type(emitter, element));
    LLVMValueRef value;
    Lane lane = lane_of(emitter, index);
    Neighbours near = neighbours_of(emitter, lane);
    if (is_contiguous(lane))
        value = load_contiguous(emitter, element, type,
                                pointer_to(emitter, element, base, llvm_scalar(emitter, index)));
    else if (can_pick(emitter, element, lane, near))
        value = load_picked(emitter, element, base, index, lane, near);
    else
        value = load_apart(emitter, element, type, base, index);
    if (element != TYPE_BOOL)
        return value;
    return LLVMBuildICmp(emitter->builder, LLVMIntNE, value, LLVMConstNull(type), "");
}

// The first `count` lanes, as the fewest vectors of powers of two. A masked store below AVX-512
// takes AMD's cores a dozen cycles.
static void store_in_pieces(Emitter *emitter, ElementType element, LLVMValueRef value,
                            LLVMValueRef place, int count) {
    LLVMBuilderRef b = emitter->builder;
    int first = 0;
    for (int size = emitter->width; size > 0; size /= 2) {
        if (count - first < size)
            continue;
        LLVMValueRef lanes[64], piece;
        for (int i = 0; i < size; i++)
            lanes[i] = LLVMConstInt(emitter->i32, (unsigned long long)(first + i), 0);
        if (size == 1)
            piece = LLVMBuildExtractElement(b, value, lanes[0], "");
        else
            piece = LLVMBuildShuffleVector(b, value, LLVMGetPoison(LLVMTypeOf(value)),
                                           LLVMConstVector(lanes, (unsigned)size), "");
        LLVMValueRef at = pointer_to(emitter, element, place, constant_i64(emitter, first));
        LLVMSetAlignment(LLVMBuildStore(b, piece, at), (unsigned)element_bytes(element));
        first += size;
    }
}

static void store_lanes(Emitter *emitter, ElementType element, LLVMValueRef base,
                        const Scalar *index, LLVMValueRef value) {
    if (element == TYPE_BOOL)
        value = LLVMBuildZExt(emitter->builder, value, vector_of(emitter, emitter->i8), "");
    if (!is_contiguous(lane_of(emitter, index))) {
        store_apart(emitter, element, base, index, value);
        return;
    }
    LLVMValueRef place = pointer_to(emitter, element, base, llvm_scalar(emitter, index));
    if (emitter->mask == NULL) {
        LLVMSetAlignment(LLVMBuildStore(emitter->builder, value, place),
                         (unsigned)element_bytes(element));
        return;
    }
    if (emitter->vector_bytes < 64) {
        store_in_pieces(emitter, element, value, place, emitter->mask_count);
        return;
    }
    LLVMValueRef arguments[] = {value, place, element_alignment(emitter, element), emitter->mask};
    call_masked(emitter, "llvm.masked.store", LLVMTypeOf(value), LLVMTypeOf(place), arguments, 4);
}

// Local arrays are accessed whole, so that they can live in registers: Loop.room says that all of
// the vector exists.
static LLVMValueRef load_local_lanes(Emitter *emitter, const Scalar *scalar) {
    LLVMValueRef mask = emitter->mask;
    emitter->mask = NULL;
    LLVMValueRef value =
        load_lanes(emitter, scalar->type, emitter->locals[scalar->local->id], scalar->args[0]);
    emitter->mask = mask;
    return value;
}

static void store_local_lanes(Emitter *emitter, const Local *local, const Scalar *index,
                              LLVMValueRef value) {
    LLVMValueRef mask = emitter->mask;
    emitter->mask = NULL;
    if (mask && !emitter->free_room) {
        LLVMValueRef before = load_lanes(emitter, local->type, emitter->locals[local->id], index);
        value = LLVMBuildSelect(emitter->builder, mask, value, before, "");
    }
    store_lanes(emitter, local->type, emitter->locals[local->id], index, value);
    emitter->mask = mask;
}

void emit_lanes_scalar(Emitter *emitter, const Scalar *scalar) {
    int width = emitter->width;
    if (emitter->lanes[scalar->id].kind != LANE_VARYING) {
        emitter->width = 1;
        emit_llvm_scalar(emitter, scalar);
        emitter->width = width;
        return;
    }
    LLVMValueRef value;
    if (scalar->op == SCALAR_LOAD) {
        value = load_lanes(emitter, scalar->type, llvm_buffer(emitter, scalar->buffer),
                           scalar->args[0]);
    } else if (scalar->op == SCALAR_LOCAL) {
        value = load_local_lanes(emitter, scalar);
    } else {
        LLVMValueRef args[3] = {NULL, NULL, NULL};
        for (int i = 0; i < scalar->arg_count; i++)
            args[i] = lanes_of(emitter, scalar->args[i]);
        value = llvm_compute(emitter, scalar, args);
    }
    emitter->scalars[scalar->id] = value;
}

void emit_lanes_store(Emitter *emitter, const Statement *statement) {
    store_lanes(emitter, statement->buffer->element, llvm_buffer(emitter, statement->buffer),
                statement->index, lanes_of(emitter, statement->value));
}

// The flag holds if it held before or the condition holds in any lane.
static void update_flag(Emitter *emitter, const Statement *statement) {
    LLVMValueRef condition = lanes_of(emitter, statement->value->args[1]);
    if (emitter->mask)
        condition = LLVMBuildAnd(emitter->builder, condition, emitter->mask, "");
    LLVMValueRef any =
        call_intrinsic(emitter, "llvm.vector.reduce.or", LLVMTypeOf(condition), &condition, 1);
    LLVMValueRef before = llvm_scalar(emitter, statement->value->args[0]);
    LLVMValueRef now = LLVMBuildOr(emitter->builder, before, any, "");
    emit_llvm_store(emitter, TYPE_BOOL, emitter->locals[statement->local->id], NULL, now);
}

void emit_lanes_set(Emitter *emitter, const Statement *statement) {
    if (is_flag_update(statement)) {
        update_flag(emitter, statement);
        return;
    }
    store_local_lanes(emitter, statement->local, statement->index,
                      lanes_of(emitter, statement->value));
}

// ---- loops

// The lines of the cache that begin in what `width` iterations read or write, `first` iterations
// after one that fetched.
static void emit_fetch(Emitter *emitter, const Fetch *fetch, int64_t first, int width) {
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef place = constant_i64(emitter, fetch->place.constant);
    for (int i = 0; i < fetch->place.count; i++) {
        const Term *term = &fetch->place.terms[i];
        LLVMValueRef product = LLVMBuildMul(b, llvm_scalar(emitter, term->atom),
                                            constant_i64(emitter, term->factor), "");
        place = LLVMBuildAdd(b, place, product, "");
    }
    LLVMTypeRef element = llvm_storage_type(emitter, fetch->buffer->element);
    LLVMValueRef pointer =
        LLVMBuildGEP2(b, element, llvm_buffer(emitter, fetch->buffer), &place, 1, "");
    enum { SECOND_CACHE = 2, FIRST_CACHE = 3, DATA = 1 };
    LLVMValueRef arguments[] = {pointer, constant_i32(emitter, fetch->is_store),
                                constant_i32(emitter, fetch->near ? FIRST_CACHE : SECOND_CACHE),
                                constant_i32(emitter, DATA)};
    int64_t line = CACHE_LINE / (int64_t)element_bytes(fetch->buffer->element);
    for (int64_t at = (first + line - 1) / line * line - first; at < width; at += line) {
        LLVMValueRef offset = constant_i64(emitter, at);
        arguments[0] = LLVMBuildGEP2(b, element, pointer, &offset, 1, "");
        call_intrinsic(emitter, "llvm.prefetch", emitter->pointer, arguments, 4);
    }
}

static void emit_fetches(Emitter *emitter, const Loop *loop, int64_t first, int width) {
    for (int i = 0; i < loop->fetches.count; i++)
        emit_fetch(emitter, &loop->fetches.at[i], first, width);
}

// The body for `width` iterations from `start` on. `first` of them before it have fetched.
static void emit_iterations(Emitter *emitter, const Loop *loop, LLVMValueRef start, int64_t first,
                            int width) {
    emitter->scalars[loop->index->id] = start;
    emitter->width = width;
    emit_llvm_block(emitter, &loop->body);
    emitter->width = 1;
    emit_fetches(emitter, loop, first, width);
}

// The last `count` iterations at once, in the lowest lanes of a vector.
static void emit_masked(Emitter *emitter, const Loop *loop, int64_t first, int64_t count) {
    int width = 1;
    while (width < count)
        width *= 2;
    LLVMValueRef *lanes = arena_array(emitter->arena, LLVMValueRef, width);
    for (int i = 0; i < width; i++)
        lanes[i] = LLVMConstInt(emitter->i1, i < count, 0);
    emitter->mask = LLVMConstVector(lanes, (unsigned)width);
    emitter->mask_count = (int)count;
    emitter->free_room = loop->free_room;
    emit_iterations(emitter, loop, constant_i64(emitter, first), first, width);
    emitter->mask = NULL;
}

static bool can_mask(const VectorPlan *plan, int64_t first, int64_t count) {
    int64_t width = 1;
    while (width < count)
        width *= 2;
    if (plan->uses_arrays && first + width > plan->loop->room)
        return false;
    return plan->emitter->vector_bytes >= (plan->uses_bytes ? 64 : 32);
}

// Iterations first .. first + count - 1 without a loop. The last ones are a masked vector, or
// narrower vectors and then single iterations.
static void emit_straight(const VectorPlan *plan, int64_t first, int64_t count, int width) {
    Emitter *emitter = plan->emitter;
    while (count > 0) {
        bool is_power = (count & (count - 1)) == 0;
        if (count < width && !is_power && can_mask(plan, first, count)) {
            emit_masked(emitter, plan->loop, first, count);
            return;
        }
        while (width > count)
            width /= 2;
        emit_iterations(emitter, plan->loop, constant_i64(emitter, first), first, width);
        first += width;
        count -= width;
    }
}

static void emit_constant_loop(Emitter *emitter, const VectorPlan *plan, int64_t extent,
                               int width) {
    int64_t straight = plan->uses_arrays                      ? MOST_LOCAL_BLOCKS
                       : plan->statements <= LARGEST_STRAIGHT ? MOST_STRAIGHT_BLOCKS
                                                              : 1;
    if (extent <= straight * width) {
        emit_straight(plan, 0, extent, width);
        return;
    }
    int repeats = plan->statements <= LARGEST_BODY / 4   ? 4
                  : plan->statements <= LARGEST_BODY / 2 ? 2
                                                         : 1;
    int64_t step = (int64_t)width * repeats, in_loop = extent - extent % step;
    CountedLoop counted = begin_counted_loop(emitter, plan->loop->name, constant_i64(emitter, 0),
                                             constant_i64(emitter, in_loop), step);
    for (int i = 0; i < repeats; i++) {
        int64_t offset = (int64_t)i * width;
        LLVMValueRef start =
            LLVMBuildNSWAdd(emitter->builder, counted.index, constant_i64(emitter, offset), "");
        emit_iterations(emitter, plan->loop, start, offset, width);
    }
    end_counted_loop(emitter, &counted, true);
    emit_straight(plan, in_loop, extent % step, width);
}

static void emit_open_loop(Emitter *emitter, const VectorPlan *plan, int width) {
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef extent = llvm_scalar(emitter, plan->loop->extent);
    LLVMValueRef in_loop = LLVMBuildAnd(b, extent, constant_i64(emitter, -(int64_t)width), "");
    CountedLoop counted =
        begin_counted_loop(emitter, plan->loop->name, constant_i64(emitter, 0), in_loop, width);
    emit_iterations(emitter, plan->loop, counted.index, 0, width);
    end_counted_loop(emitter, &counted, true);
    counted = begin_counted_loop(emitter, plan->loop->name, in_loop, extent, 1);
    emit_iterations(emitter, plan->loop, counted.index, 0, 1);
    end_counted_loop(emitter, &counted, true);
}

// Polynomials are chains of steps that wait for each other: vectors that take turns fill the time,
// if there are registers for them.
static int vectors_at_once(const VectorPlan *plan) {
    const Scalar *extent = plan->loop->extent;
    int lanes = plan->emitter->vector_bytes / plan->widest;
    if (plan->emitter->vector_bytes < 32 || plan->longest_function == 0 ||
        extent->op != SCALAR_CONSTANT)
        return 1;
    int vectors = plan->longest_function <= MOST_IN_FOURS   ? 4
                  : plan->longest_function <= MOST_IN_PAIRS ? 2
                                                            : 1;
    while (vectors > 1 && extent->integer % (vectors * lanes) != 0)
        vectors /= 2;
    return vectors;
}

bool emit_vector_loop(Emitter *emitter, const Loop *loop) {
    check(emitter->width == 1, "a vector loop in a vector loop");
    VectorPlan plan = make_plan(emitter, loop);
    if (!plan.possible) {
        memset(emitter->lanes, 0, (size_t)emitter->scalar_count * sizeof *emitter->lanes);
        return false;
    }
    int width = emitter->vector_bytes / plan.widest * vectors_at_once(&plan);
    if (loop->extent->op == SCALAR_CONSTANT)
        emit_constant_loop(emitter, &plan, loop->extent->integer, width);
    else
        emit_open_loop(emitter, &plan, width);
    return true;
}

bool emit_unrolled_loop(Emitter *emitter, const Loop *loop) {
    if (loop->extent->op != SCALAR_CONSTANT || loop->extent->integer > MOST_UNROLLED)
        return false;
    for (int64_t i = 0; i < loop->extent->integer; i++) {
        emitter->scalars[loop->index->id] = constant_i64(emitter, i);
        emit_llvm_block(emitter, &loop->body);
    }
    return true;
}
