// Rows of sums whose lanes are added up (add_joined_rows), as many rows as a vector has lanes. Row
// by row, each halving takes a shuffle and an addition for one row. Here two vectors change halves
// of what is left of them and are added, which halves both rows and leaves one vector: 15 additions
// for 16 rows, not 64. Each sum is made of the same additions in either way.
//
//     unrolled loop row < lanes
//         vector loop lane < lanes / 2
//             rows[start + lane] = rows[start + lane] + rows[start + lane + lanes / 2]
//         ... lanes / 4, ..., 1
//         totals[row] = rows[start]                     start is row * lanes
#include "codegen/affine.h"
#include "codegen/emit_llvm.h"

enum { MOST_LANES = 64 };

typedef struct Join {
    const Loop *loop; // over the rows
    const Local *rows, *totals;
    const Scalar *sum; // one of the additions
    int lanes;
} Join;

// Is it row * lanes + lane + offset?
static bool is_place(const Join *join, const Scalar *position, const Scalar *lane, int64_t offset) {
    Affine at;
    return affine_of(position, &at) && at.constant == offset &&
           at.count == (lane != NULL ? 2 : 1) &&
           affine_factor(&at, join->loop->index) == join->lanes &&
           (lane == NULL || affine_factor(&at, lane) == 1);
}

static bool reads_rows(const Join *join, const Scalar *scalar, const Scalar *lane, int64_t offset) {
    return scalar->op == SCALAR_LOCAL && scalar->local == join->rows && scalar->args[0] != NULL &&
           is_place(join, scalar->args[0], lane, offset);
}

static bool is_half(Join *join, const Statement *set, const Scalar *lane, int64_t half) {
    if (set->kind != STATEMENT_SET || set->value->op != SCALAR_ADD || set->index == NULL)
        return false;
    join->sum = set->value;
    join->rows = set->local;
    return is_place(join, set->index, lane, 0) && reads_rows(join, set->value->args[0], lane, 0) &&
           reads_rows(join, set->value->args[1], lane, half);
}

static bool is_halving(Join *join, const Statement *s, int64_t half) {
    const Local *before = join->rows;
    if (s == NULL)
        return false;
    if (half == 1) // a loop of one iteration is no loop
        return is_half(join, s, NULL, 1) && before == join->rows;
    int64_t extent;
    if (s->kind != STATEMENT_LOOP || s->loop->kind != LOOP_VECTOR ||
        !constant_extent(s->loop, &extent) || extent != half)
        return false;
    const Statement *set = only_statement(&s->loop->body, STATEMENT_SET);
    return set != NULL && is_half(join, set, s->loop->index, half) &&
           (before == NULL || before == join->rows);
}

static bool find_join(const Emitter *emitter, const Loop *loop, Join *join) {
    int64_t lanes;
    if (!constant_extent(loop, &lanes) || lanes < 4 || lanes > MOST_LANES ||
        (lanes & (lanes - 1)) != 0)
        return false;
    *join = (Join){.loop = loop, .lanes = (int)lanes};
    int at = 0;
    for (int64_t half = lanes / 2; half >= 1; half /= 2)
        if (!is_halving(join, next_statement(&loop->body, &at), half))
            return false;
    const Statement *last = next_statement(&loop->body, &at);
    if (last == NULL || last->kind != STATEMENT_SET || last->index != loop->index ||
        last->local == join->rows || last->local->type != join->rows->type ||
        !reads_rows(join, last->value, NULL, 0) || next_statement(&loop->body, &at) != NULL)
        return false;
    join->totals = last->local;
    return join->rows->count == lanes * lanes && join->totals->count == lanes &&
           lanes * (int64_t)element_bytes(join->rows->type) == emitter->vector_bytes;
}

static LLVMValueRef vector_at(Emitter *emitter, const Local *local, int64_t position) {
    return pointer_to(emitter, local->type, emitter->locals[local->id],
                      constant_i64(emitter, position));
}

// Blocks of `size` lanes, the even ones of x and then of y, in turns; or the odd ones.
static LLVMValueRef take_blocks(Emitter *emitter, LLVMValueRef x, LLVMValueRef y, int size,
                                int lanes, bool odd) {
    LLVMValueRef from[MOST_LANES];
    for (int i = 0; i < lanes; i++) {
        int place = i - i % (2 * size) + i % size + (odd ? size : 0);
        from[i] = constant_i32(emitter, (uint32_t)((i & size) != 0 ? lanes + place : place));
    }
    return LLVMBuildShuffleVector(emitter->builder, x, y, LLVMConstVector(from, (unsigned)lanes),
                                  "");
}

bool emit_joined_rows(Emitter *emitter, const Loop *loop) {
    Join join;
    if (!find_join(emitter, loop, &join))
        return false;
    int lanes = join.lanes;
    unsigned alignment = (unsigned)emitter->vector_bytes;
    LLVMTypeRef type = LLVMVectorType(llvm_storage_type(emitter, join.rows->type), (unsigned)lanes);
    LLVMValueRef rows[MOST_LANES];
    for (int i = 0; i < lanes; i++) {
        LLVMValueRef place = vector_at(emitter, join.rows, (int64_t)i * lanes);
        rows[i] = LLVMBuildLoad2(emitter->builder, type, place, "");
        LLVMSetAlignment(rows[i], alignment);
    }
    emitter->width = lanes;
    for (int half = lanes / 2; half >= 1; half /= 2)
        for (int i = 0; i < half; i++) {
            LLVMValueRef x = rows[i], y = rows[i + half];
            LLVMValueRef parts[] = {take_blocks(emitter, x, y, half, lanes, false),
                                    take_blocks(emitter, x, y, half, lanes, true), NULL};
            rows[i] = llvm_compute(emitter, join.sum, parts);
        }
    emitter->width = 1;
    LLVMValueRef store =
        LLVMBuildStore(emitter->builder, rows[0], vector_at(emitter, join.totals, 0));
    LLVMSetAlignment(store, alignment);
    return true;
}
