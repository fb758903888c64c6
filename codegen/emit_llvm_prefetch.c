// Rows of large buffers are fetched ahead. A kernel that takes a row through several loops reads it
// from memory in the first of them, which has little else to do meanwhile, and waits; the loops
// that compute much leave memory idle. So those fetch the next row. Nothing else depends on it:
// what is fetched beyond the last row is nobody's, and fetching does not fault.
#include "codegen/affine.h"
#include "codegen/emit_llvm.h"

enum {
    LEAST_BYTES = 1 << 20, // of a buffer: smaller ones are in a cache anyway
    LEAST_ROW_BYTES = 512, // shorter rows are fetched ahead by the processor, as neighbours
    LARGEST_ROW_BYTES = 1 << 15,
    MUCH_WORK = 16, // steps for each element of a loop that has time to fetch
    MOST_DEPTH = 8,
    MOST_FETCHES = 6 // of one loop over rows
};

// The place of an access in a loop over rows: fixed + step * row + inner.
typedef struct RowAccess {
    Buffer *buffer;
    Affine fixed, inner;
    int64_t step;
    bool is_store;
} RowAccess;

// A loop over elements of a row.
typedef struct RowLoop {
    const Loop *loop;
    int64_t elements; // of the loops around it in the row, too
    int work;         // for each
    int fetches;
    bool has_place;
    Affine place; // of the element in the row
} RowLoop;

typedef struct Rows {
    Emitter *emitter;
    const Loop *loop;
    const Scalar *inside[MOST_DEPTH]; // indices of the loops that are open in the row
    int depth;
    VEC(RowLoop) loops;
    VEC(RowAccess) accesses; // the first of each buffer
} Rows;

static bool is_inside(const Rows *rows, const Scalar *atom) {
    for (int i = 0; i < rows->depth; i++)
        if (rows->inside[i] == atom)
            return true;
    return false;
}

// Of what is contiguous along the innermost loop.
static bool split_access(const Rows *rows, const Scalar *index, RowAccess *access) {
    Affine at;
    if (rows->depth == 0 || !affine_of(index, &at) ||
        affine_factor(&at, rows->inside[rows->depth - 1]) != 1)
        return false;
    access->fixed.constant = at.constant;
    for (int i = 0; i < at.count; i++) {
        Term term = at.terms[i];
        if (term.atom == rows->loop->index)
            access->step = term.factor;
        else if (is_inside(rows, term.atom))
            access->inner.terms[access->inner.count++] = term;
        else if (term.atom->op == SCALAR_INDEX || term.atom->op == SCALAR_ARGUMENT)
            access->fixed.terms[access->fixed.count++] = term;
        else
            return false;
    }
    return true;
}

static void note_access(Rows *rows, RowLoop *row, Buffer *buffer, const Scalar *index,
                        bool is_store) {
    RowAccess access = {.buffer = buffer, .is_store = is_store};
    if (!split_access(rows, index, &access))
        return;
    if (!row->has_place) {
        row->has_place = true;
        row->place = access.inner;
    }
    int64_t element = (int64_t)element_bytes(buffer->element), bytes = access.step * element;
    bool is_large = buffer->kind == BUFFER_FIELD && buffer->count * element >= LEAST_BYTES;
    if (!is_large || bytes < LEAST_ROW_BYTES || bytes > LARGEST_ROW_BYTES)
        return;
    for (int i = 0; i < rows->accesses.count; i++)
        if (rows->accesses.at[i].buffer == buffer)
            return;
    vec_push(rows->emitter->arena, &rows->accesses, access);
}

static int scalar_work(Emitter *emitter, const Scalar *scalar) {
    const MathFunction *function =
        scalar->op == SCALAR_LIBM ? find_math(emitter, scalar->name, scalar->type) : NULL;
    return function ? function->steps.count : 1;
}

// The statements of a loop without loops in it.
static void note_statements(Rows *rows, RowLoop *row, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        row->work += s->kind == STATEMENT_SCALAR ? scalar_work(rows->emitter, s->scalar) : 1;
        if (s->kind == STATEMENT_STORE)
            note_access(rows, row, s->buffer, s->index, true);
        else if (s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LOAD)
            note_access(rows, row, s->scalar->buffer, s->scalar->args[0], false);
        note_statements(rows, row, &s->body);
        note_statements(rows, row, &s->otherwise);
    }
}

static void note_loops(Rows *rows, const Block *block, int64_t elements) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        int64_t extent;
        if (s->kind == STATEMENT_PRESENT)
            note_loops(rows, &s->body, elements);
        if (s->kind != STATEMENT_LOOP || !constant_extent(s->loop, &extent) ||
            rows->depth == MOST_DEPTH)
            continue;
        rows->inside[rows->depth++] = s->loop->index;
        if (s->loop->kind == LOOP_VECTOR) {
            RowLoop row = {.loop = s->loop, .elements = elements * extent};
            note_statements(rows, &row, &s->loop->body);
            vec_push(rows->emitter->arena, &rows->loops, row);
        } else {
            note_loops(rows, &s->loop->body, elements * extent);
        }
        rows->depth--;
    }
}

// The loop of at least half a row's elements that has most to do beside what it fetches already.
static RowLoop *find_idle(Rows *rows, int64_t elements) {
    RowLoop *best = NULL;
    for (int i = 0; i < rows->loops.count; i++) {
        RowLoop *row = &rows->loops.at[i];
        bool fits = row->has_place && row->work >= MUCH_WORK && 2 * row->elements >= elements;
        if (fits && (best == NULL || (int64_t)row->work * (best->fetches + 1) >
                                         (int64_t)best->work * (row->fetches + 1)))
            best = row;
    }
    return best;
}

void plan_prefetches(Emitter *emitter, const Loop *loop) {
    Rows rows = {.emitter = emitter, .loop = loop};
    int64_t extent;
    if (loop->kind != LOOP_SERIAL || !constant_extent(loop, &extent) || emitter->vector_bytes < 32)
        return;
    note_loops(&rows, &loop->body, 1);
    for (int i = 0; i < rows.accesses.count && i < MOST_FETCHES; i++) {
        const RowAccess *access = &rows.accesses.at[i];
        RowLoop *idle = find_idle(&rows, access->step);
        if (idle == NULL)
            return;
        idle->fetches++;
        Prefetch fetch = {.loop = idle->loop,
                          .buffer = access->buffer,
                          .place = access->fixed,
                          .is_store = access->is_store};
        Affine row = {.terms = {{loop->index, access->step}}, .count = 1, .constant = access->step};
        if (affine_add(&fetch.place, &row, 1) && affine_add(&fetch.place, &idle->place, 1))
            vec_push(emitter->arena, &emitter->prefetches, fetch);
    }
}

static void emit_prefetch(Emitter *emitter, const Prefetch *fetch) {
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
    enum { SECOND_CACHE = 2, DATA = 1 };
    LLVMValueRef arguments[] = {pointer, constant_i32(emitter, fetch->is_store),
                                constant_i32(emitter, SECOND_CACHE), constant_i32(emitter, DATA)};
    call_intrinsic(emitter, "llvm.prefetch", emitter->pointer, arguments, 4);
}

void emit_prefetches(Emitter *emitter, const Loop *loop) {
    for (int i = 0; i < emitter->prefetches.count; i++)
        if (emitter->prefetches.at[i].loop == loop)
            emit_prefetch(emitter, &emitter->prefetches.at[i]);
}
