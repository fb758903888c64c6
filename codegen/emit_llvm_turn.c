// Copies across: a few vectors of memory are read, and their elements stored with the first of each
// one after the other, then the second, as copies that transpose do. Element by element that is a
// store for each; here vectors are transposed in registers.
//
//     unrolled loop column < n           n a multiple of the lanes of a vector
//         vector loop term < lanes
//             to[... + term * s + column] = from[... + term]
#include "codegen/affine.h"
#include "codegen/emit_llvm.h"

typedef struct Turn {
    const Loop *outer, *inner;
    const Statement *store;
    int64_t step; // elements in the target from one term to the next
    int lanes;
} Turn;

// A position that grows by `column` and `term` from one iteration of a loop to the next, whatever
// else it is made of.
static bool grows_by(const Turn *turn, const Scalar *position, int64_t *column, int64_t *term) {
    Affine at;
    if (!affine_of(position, &at))
        return false;
    for (int i = 0; i < at.count; i++)
        if (at.terms[i].atom->op != SCALAR_INDEX && at.terms[i].atom->op != SCALAR_ARGUMENT)
            return false;
    *column = affine_factor(&at, turn->outer->index);
    *term = affine_factor(&at, turn->inner->index);
    return true;
}

static bool find_turn(const Emitter *emitter, const Loop *loop, Turn *turn) {
    int64_t columns, terms, column, term, ignored;
    *turn = (Turn){.outer = loop};
    const Statement *inner = only_statement(&loop->body, STATEMENT_LOOP);
    if (inner == NULL || inner->loop->kind != LOOP_VECTOR || !constant_extent(loop, &columns) ||
        !constant_extent(inner->loop, &terms))
        return false;
    turn->inner = inner->loop;
    turn->store = only_statement(&turn->inner->body, STATEMENT_STORE);
    if (turn->store == NULL || turn->store->value->op != SCALAR_LOAD ||
        turn->store->value->buffer == turn->store->buffer ||
        (turn->store->value->type != TYPE_F32 && turn->store->value->type != TYPE_F64))
        return false;
    turn->lanes = emitter->vector_bytes / (int)element_bytes(turn->store->value->type);
    return terms == turn->lanes && terms >= 4 && columns % terms == 0 &&
           grows_by(turn, turn->store->value->args[0], &ignored, &term) && term == 1 &&
           grows_by(turn, turn->store->index, &column, &turn->step) && column == 1;
}

static LLVMValueRef pointer_at(Emitter *emitter, const Buffer *buffer, LLVMValueRef place) {
    return LLVMBuildInBoundsGEP2(emitter->builder, llvm_storage_type(emitter, buffer->element),
                                 llvm_buffer(emitter, buffer), &place, 1, "");
}

// Swaps every second block of `size` lanes of x with the other one of y.
static void swap_blocks(Emitter *emitter, LLVMValueRef *x, LLVMValueRef *y, int size, int lanes) {
    LLVMValueRef *low = arena_array(emitter->arena, LLVMValueRef, lanes);
    LLVMValueRef *high = arena_array(emitter->arena, LLVMValueRef, lanes);
    for (int i = 0; i < lanes; i++) {
        bool from_y = (i & size) != 0;
        low[i] = constant_i32(emitter, (uint32_t)(from_y ? lanes + i - size : i));
        high[i] = constant_i32(emitter, (uint32_t)(from_y ? lanes + i : i + size));
    }
    LLVMValueRef a = *x, c = *y;
    *x = LLVMBuildShuffleVector(emitter->builder, a, c, LLVMConstVector(low, (unsigned)lanes), "");
    *y = LLVMBuildShuffleVector(emitter->builder, a, c, LLVMConstVector(high, (unsigned)lanes), "");
}

// The scalars that positions are made of.
static void emit_positions(Emitter *emitter, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_SCALAR && s->scalar->op != SCALAR_LOAD)
            emit_llvm_scalar(emitter, s->scalar);
    }
}

// Iterations first .. first + lanes - 1 of the outer loop.
static void emit_square(Emitter *emitter, const Turn *turn, int64_t first) {
    LLVMBuilderRef b = emitter->builder;
    const Scalar *load = turn->store->value;
    LLVMTypeRef vector =
        LLVMVectorType(llvm_storage_type(emitter, load->type), (unsigned)turn->lanes);
    unsigned alignment = (unsigned)element_bytes(load->type);
    LLVMValueRef *rows = arena_array(emitter->arena, LLVMValueRef, turn->lanes), target = NULL;
    for (int i = 0; i < turn->lanes; i++) {
        emitter->scalars[turn->outer->index->id] = constant_i64(emitter, first + i);
        emitter->scalars[turn->inner->index->id] = constant_i64(emitter, 0);
        emit_positions(emitter, &turn->outer->body);
        emit_positions(emitter, &turn->inner->body);
        target = i == 0 ? llvm_scalar(emitter, turn->store->index) : target;
        LLVMValueRef from = llvm_scalar(emitter, load->args[0]);
        rows[i] = LLVMBuildLoad2(b, vector, pointer_at(emitter, load->buffer, from), "");
        LLVMSetAlignment(rows[i], alignment);
    }
    for (int size = turn->lanes / 2; size > 0; size /= 2)
        for (int i = 0; i < turn->lanes; i++)
            if ((i & size) == 0)
                swap_blocks(emitter, &rows[i], &rows[i + size], size, turn->lanes);
    for (int i = 0; i < turn->lanes; i++) {
        LLVMValueRef step = constant_i64(emitter, i * turn->step);
        LLVMValueRef place = LLVMBuildNSWAdd(b, target, step, "");
        LLVMValueRef store =
            LLVMBuildStore(b, rows[i], pointer_at(emitter, turn->store->buffer, place));
        LLVMSetAlignment(store, alignment);
    }
}

bool emit_turned_loop(Emitter *emitter, const Loop *loop) {
    Turn turn;
    if (!find_turn(emitter, loop, &turn))
        return false;
    for (int64_t i = 0; i < loop->extent->integer; i += turn.lanes)
        emit_square(emitter, &turn, i);
    return true;
}
