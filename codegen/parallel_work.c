// An estimate of the work that a loop is, to tell whether threads are worth waking for it.
#include "codegen/parallel_plan.h"

enum {
    UNKNOWN_EXTENT = 16,
    LINE_BYTES = 64,
    LINE_WORK = 4, // cycles that a line takes from the second cache or another core's, at least
};

// Cycles of a scalar operator; memory is assumed to be in the first cache.
static double operator_work(const Scalar *x) {
    switch (x->op) {
    case SCALAR_CONSTANT:
    case SCALAR_INDEX:
    case SCALAR_ARGUMENT:
    case SCALAR_LOCAL: return 0;
    case SCALAR_DIV:
    case SCALAR_REMAINDER:
    case SCALAR_SQRT: return 4;
    case SCALAR_LIBM: return 16;
    default: return 0.5;
    }
}

// In the iterations of a vector loop: of elements that do not lie one after the other each is
// loaded or stored on its own.
static double access_work(const Scalar *position, ElementType element, const Loop *vector,
                          int vector_bytes) {
    return is_side_by_side(position, vector) ? (double)element_bytes(element) / vector_bytes : 1;
}

static double block_work(const Block *block, int vector_bytes, const Loop *vector);

// `vector`: the vector loop around the statement, or NULL.
static double single_work(const Statement *s, int vector_bytes, const Loop *vector) {
    int64_t extent;
    switch (s->kind) {
    case STATEMENT_SCALAR:
        if (vector == NULL) {
            return s->scalar->type == TYPE_I64 ? 0.25 : operator_work(s->scalar);
        }
        if (s->scalar->op == SCALAR_LOAD) {
            return access_work(s->scalar->args[0], s->scalar->type, vector, vector_bytes) / 2;
        }
        // Positions are known from the loop's index.
        return s->scalar->type == TYPE_I64 && s->scalar->op >= SCALAR_ADD &&
                       s->scalar->op <= SCALAR_MUL
                   ? 0
                   : operator_work(s->scalar) * (double)element_bytes(s->scalar->type) /
                         vector_bytes;
    case STATEMENT_STORE:
        return vector == NULL ? 1 : access_work(s->index, s->buffer->element, vector, vector_bytes);
    case STATEMENT_LOOP:
        extent = s->loop->extent->op == SCALAR_CONSTANT ? s->loop->extent->integer : UNKNOWN_EXTENT;
        return (double)extent * block_work(&s->loop->body, vector_bytes,
                                           s->loop->kind == LOOP_VECTOR ? s->loop : vector);
    case STATEMENT_WHILE:
        return UNKNOWN_EXTENT * (block_work(&s->body, vector_bytes, vector) +
                                 block_work(&s->otherwise, vector_bytes, vector));
    case STATEMENT_IF:
    case STATEMENT_PRESENT:
        return block_work(&s->body, vector_bytes, vector) +
               block_work(&s->otherwise, vector_bytes, vector);
    case STATEMENT_SET:
    case STATEMENT_FAIL:
    case STATEMENT_CALL:
    case STATEMENT_COPY:
    case STATEMENT_ZERO: break;
    }
    return 0;
}

static double block_work(const Block *block, int vector_bytes, const Loop *vector) {
    double work = 0;
    for (int i = 0; i < block->statements.count; i++) {
        work += single_work(block->statements.at[i], vector_bytes, vector);
    }
    return work;
}

// ---- memory

// What is read or written of a buffer.
typedef struct Traffic {
    const Buffer *buffer;
    double bytes;
} Traffic;

typedef struct Traffics {
    Arena *scratch;
    VEC(Traffic) buffers;
    VEC(const Loop *) loops; // around the access
} Traffics;

static void note_access(Traffics *t, const Buffer *buffer, const Scalar *position) {
    Affine at;
    bool known = affine_of(position, &at);
    double bytes = (double)element_bytes(buffer->element), all = bytes * (double)buffer->count;
    for (int i = 0; i < t->loops.count; i++) {
        int64_t extent = UNKNOWN_EXTENT;
        if (!known || affine_factor(&at, t->loops.at[i]->index) != 0) {
            constant_extent(t->loops.at[i], &extent);
            bytes *= (double)extent;
        }
    }
    bytes = bytes < all ? bytes : all;
    for (int i = 0; i < t->buffers.count; i++) {
        Traffic *seen = &t->buffers.at[i];
        if (seen->buffer == buffer) {
            seen->bytes = seen->bytes > bytes ? seen->bytes : bytes;
            return;
        }
    }
    Traffic traffic = {buffer, bytes};
    vec_push(t->scratch, &t->buffers, traffic);
}

static void note_block(Traffics *t, const Block *block);

static void note_statement(Traffics *t, const Statement *s) {
    if (s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LOAD) {
        note_access(t, s->scalar->buffer, s->scalar->args[0]);
    } else if (s->kind == STATEMENT_STORE) {
        note_access(t, s->buffer, s->index);
    } else if (s->kind == STATEMENT_LOOP) {
        vec_push(t->scratch, &t->loops, s->loop);
        note_block(t, &s->loop->body);
        t->loops.count--;
    }
    note_block(t, &s->body);
    note_block(t, &s->otherwise);
}

static void note_block(Traffics *t, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        note_statement(t, block->statements.at[i]);
    }
}

static double traffic_work(const Statement *statement) {
    Arena scratch = {0};
    Traffics t = {.scratch = &scratch};
    double work = 0;
    note_statement(&t, statement);
    for (int i = 0; i < t.buffers.count; i++) {
        work += t.buffers.at[i].bytes / LINE_BYTES * LINE_WORK;
    }
    arena_free(&scratch);
    return work;
}

double statement_work(const Statement *statement, int vector_bytes) {
    return single_work(statement, vector_bytes > 0 ? vector_bytes : 32, NULL) +
           traffic_work(statement);
}
