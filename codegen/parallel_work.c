// An estimate of the work that a loop is, to tell whether threads are worth waking for it.
#include "codegen/parallel_plan.h"

enum { UNKNOWN_EXTENT = 16 };

// Cycles of a scalar operator; memory is assumed to be in cache.
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

static double block_work(const Block *block, int vector_bytes, bool in_vector);

static double single_work(const Statement *s, int vector_bytes, bool in_vector) {
    int64_t extent;
    switch (s->kind) {
    case STATEMENT_SCALAR:
        if (!in_vector) {
            return s->scalar->type == TYPE_I64 ? 0.25 : operator_work(s->scalar);
        }
        // Positions are known from the loop's index.
        return s->scalar->type == TYPE_I64 && s->scalar->op != SCALAR_LOAD
                   ? 0
                   : operator_work(s->scalar) * (double)element_bytes(s->scalar->type) /
                         vector_bytes;
    case STATEMENT_STORE:
        return in_vector ? (double)element_bytes(s->buffer->element) / vector_bytes : 1;
    case STATEMENT_LOOP:
        extent = s->loop->extent->op == SCALAR_CONSTANT ? s->loop->extent->integer : UNKNOWN_EXTENT;
        return (double)extent *
               block_work(&s->loop->body, vector_bytes, in_vector || s->loop->kind == LOOP_VECTOR);
    case STATEMENT_WHILE:
        return UNKNOWN_EXTENT * (block_work(&s->body, vector_bytes, in_vector) +
                                 block_work(&s->otherwise, vector_bytes, in_vector));
    case STATEMENT_IF:
    case STATEMENT_PRESENT:
        return block_work(&s->body, vector_bytes, in_vector) +
               block_work(&s->otherwise, vector_bytes, in_vector);
    case STATEMENT_SET:
    case STATEMENT_FAIL:
    case STATEMENT_CALL:
    case STATEMENT_COPY:
    case STATEMENT_ZERO: break;
    }
    return 0;
}

static double block_work(const Block *block, int vector_bytes, bool in_vector) {
    double work = 0;
    for (int i = 0; i < block->statements.count; i++) {
        work += single_work(block->statements.at[i], vector_bytes, in_vector);
    }
    return work;
}

double statement_work(const Statement *statement, int vector_bytes) {
    return single_work(statement, vector_bytes > 0 ? vector_bytes : 32, false);
}
