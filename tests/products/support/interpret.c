// See interpret.h.
#include "tests/products/support/interpret.h"

#include <math.h>

Number number_at(ElementType type, const void *data, int64_t index) {
    switch (type) {
    case TYPE_BOOL: return (Number){((const uint8_t *)data)[index], 0};
    case TYPE_I32: return (Number){((const int32_t *)data)[index], 0};
    case TYPE_I64: return (Number){((const int64_t *)data)[index], 0};
    case TYPE_F32: return (Number){0, (double)((const float *)data)[index]};
    case TYPE_F64: return (Number){0, ((const double *)data)[index]};
    case ELEMENT_TYPE_COUNT: break;
    }
    return (Number){0, 0};
}

void number_store(ElementType type, void *data, int64_t index, Number value) {
    switch (type) {
    case TYPE_BOOL: ((uint8_t *)data)[index] = (uint8_t)value.integer; break;
    case TYPE_I32: ((int32_t *)data)[index] = (int32_t)value.integer; break;
    case TYPE_I64: ((int64_t *)data)[index] = value.integer; break;
    case TYPE_F32: ((float *)data)[index] = (float)value.real; break;
    case TYPE_F64: ((double *)data)[index] = value.real; break;
    case ELEMENT_TYPE_COUNT: break;
    }
}

bool same_number(ElementType type, Number x, Number y) {
    if (!element_is_real(type)) {
        return x.integer == y.integer;
    }
    return isnan(x.real) ? isnan(y.real) : x.real == y.real && signbit(x.real) == signbit(y.real);
}

static double single(ElementType type, double value) {
    return type == TYPE_F32 ? (double)(float)value : value;
}

static int64_t narrow(ElementType type, uint64_t value) {
    return type == TYPE_I32 ? (int32_t)(uint32_t)value : (int64_t)value;
}

static Number expected_cast(ElementType from, ElementType to, Number x) {
    bool real = element_is_real(from);
    if (element_is_real(to)) {
        double value = real ? x.real : (double)x.integer;
        return (Number){0, to == TYPE_F32 && !real ? (double)(float)x.integer : single(to, value)};
    }
    if (to == TYPE_BOOL) {
        return (Number){real ? x.real != 0 : x.integer != 0, 0};
    }
    if (!real) {
        return (Number){narrow(to, (uint64_t)x.integer), 0};
    }
    double limit = to == TYPE_I32 ? 2147483648.0 : 9223372036854775808.0;
    double whole = trunc(x.real);
    return (Number){whole >= -limit && whole < limit ? (int64_t)whole : 0, 0};
}

static Number expected_real(ScalarOp op, ElementType type, Number a, Number b, Number c) {
    double x = a.real, y = b.real, z = c.real, result = 0;
    switch (op) {
    case SCALAR_ADD: result = x + y; break;
    case SCALAR_SUB: result = x - y; break;
    case SCALAR_MUL: result = x * y; break;
    case SCALAR_DIV: result = x / y; break;
    case SCALAR_NEG: result = -x; break;
    case SCALAR_ABS: result = fabs(x); break;
    case SCALAR_COPYSIGN: result = copysign(x, y); break;
    case SCALAR_SQRT: result = sqrt(x); break;
    case SCALAR_FLOOR: result = floor(x); break;
    case SCALAR_CEIL: result = ceil(x); break;
    case SCALAR_TRUNC: result = trunc(x); break;
    case SCALAR_ROUND: result = rint(x); break;
    case SCALAR_FMA:
        result = type == TYPE_F32 ? (double)fmaf((float)x, (float)y, (float)z) : fma(x, y, z);
        break;
    default: break;
    }
    return (Number){0, single(type, result)};
}

static Number expected_integer(ScalarOp op, ElementType type, Number a, Number b) {
    int64_t x = a.integer, y = b.integer;
    uint64_t u = (uint64_t)x, v = (uint64_t)y, mask = type == TYPE_I32 ? UINT32_MAX : UINT64_MAX;
    switch (op) {
    case SCALAR_ADD: return (Number){narrow(type, u + v), 0};
    case SCALAR_SUB: return (Number){narrow(type, u - v), 0};
    case SCALAR_MUL: return (Number){narrow(type, u * v), 0};
    case SCALAR_DIV: return (Number){x / y, 0};
    case SCALAR_REMAINDER: return (Number){x % y, 0};
    case SCALAR_NEG: return (Number){narrow(type, 0 - u), 0};
    case SCALAR_ABS: return (Number){narrow(type, x < 0 ? 0 - u : u), 0};
    case SCALAR_AND: return (Number){x & y, 0};
    case SCALAR_OR: return (Number){x | y, 0};
    case SCALAR_XOR: return (Number){x ^ y, 0};
    case SCALAR_NOT: return (Number){!x, 0};
    case SCALAR_SHIFT_LEFT: return (Number){narrow(type, u << y), 0};
    case SCALAR_SHIFT_RIGHT: return (Number){x >= 0 ? x >> y : ~(~x >> y), 0};
    case SCALAR_SHIFT_LOGICAL: return (Number){narrow(type, (u & mask) >> y), 0};
    default: return (Number){0, 0};
    }
}

static Number expected_comparison(ScalarOp op, ElementType type, Number a, Number b) {
    bool real = element_is_real(type);
    bool less = real ? a.real < b.real : a.integer < b.integer;
    bool more = real ? a.real > b.real : a.integer > b.integer;
    bool equal = real ? a.real == b.real : a.integer == b.integer;
    switch (op) {
    case SCALAR_EQ: return (Number){equal, 0};
    case SCALAR_NE: return (Number){!equal, 0};
    case SCALAR_LT: return (Number){less, 0};
    case SCALAR_LE: return (Number){less || equal, 0};
    case SCALAR_GT: return (Number){more, 0};
    default: return (Number){more || equal, 0};
    }
}

Number compute_scalar(ScalarOp op, ElementType from, ElementType to, const Number *operands) {
    Number x = operands[0], y = operands[1], z = operands[2];
    if (op == SCALAR_CAST) {
        return expected_cast(from, to, x);
    }
    if (op == SCALAR_SELECT) {
        return x.integer ? y : z;
    }
    if (op >= SCALAR_EQ && op <= SCALAR_GE) {
        return expected_comparison(op, from, x, y);
    }
    return element_is_real(from) ? expected_real(op, from, x, y, z)
                                 : expected_integer(op, from, x, y);
}

// A kernel being run.
typedef struct Run {
    const Kernel *kernel;
    void *const *data;
    const int64_t *arguments;
    Number *values;  // of scalars, by id
    Number **locals; // in the order of the kernel's
} Run;

static Number value_of(const Run *run, const Scalar *scalar) {
    if (scalar->op == SCALAR_CONSTANT) {
        return (Number){scalar->integer, scalar->real};
    }
    if (scalar->op == SCALAR_ARGUMENT) {
        return (Number){run->arguments[scalar->integer], 0};
    }
    return run->values[scalar->id];
}

static void *data_of(const Run *run, const Buffer *buffer) {
    for (int i = 0; i < run->kernel->buffers.count; i++) {
        if (run->kernel->buffers.at[i] == buffer) {
            return run->data[i];
        }
    }
    unreachable("buffer %s is not one of the kernel's", buffer->name);
}

static Number *local_of(const Run *run, const Local *local, const Scalar *index) {
    for (int i = 0; i < run->kernel->locals.count; i++) {
        if (run->kernel->locals.at[i] == local) {
            return &run->locals[i][index && local->count > 1 ? value_of(run, index).integer : 0];
        }
    }
    unreachable("local %s is not one of the kernel's", local->name);
}

static void run_scalar(Run *run, const Scalar *scalar) {
    Number operands[3] = {{0, 0}, {0, 0}, {0, 0}}, *result = &run->values[scalar->id];
    for (int i = 0; i < scalar->arg_count; i++) {
        operands[i] = value_of(run, scalar->args[i]);
    }
    if (scalar->op == SCALAR_LOAD) {
        *result =
            number_at(scalar->buffer->element, data_of(run, scalar->buffer), operands[0].integer);
    } else if (scalar->op == SCALAR_LOCAL) {
        *result = *local_of(run, scalar->local, scalar->arg_count ? scalar->args[0] : NULL);
    } else {
        *result = compute_scalar(scalar->op, scalar->args[0]->type, scalar->type, operands);
    }
}

static int run_block(Run *run, const Block *block);

static int run_loop(Run *run, const Loop *loop) {
    int64_t extent = value_of(run, loop->extent).integer;
    int status = 0;
    for (int64_t i = 0; i < extent && !status; i++) {
        run->values[loop->index->id] = (Number){i, 0};
        status = run_block(run, &loop->body);
    }
    return status;
}

static int run_while(Run *run, const Statement *statement) {
    for (;;) {
        int status = run_block(run, &statement->body);
        if (status || !value_of(run, statement->condition).integer) {
            return status;
        }
        status = run_block(run, &statement->otherwise);
        if (status) {
            return status;
        }
    }
}

static int run_statement(Run *run, const Statement *statement) {
    switch (statement->kind) {
    case STATEMENT_SCALAR: run_scalar(run, statement->scalar); return 0;
    case STATEMENT_STORE:
        number_store(statement->buffer->element, data_of(run, statement->buffer),
                     value_of(run, statement->index).integer, value_of(run, statement->value));
        return 0;
    case STATEMENT_SET:
        *local_of(run, statement->local, statement->index) = value_of(run, statement->value);
        return 0;
    case STATEMENT_LOOP: return run_loop(run, statement->loop);
    case STATEMENT_IF:
        return run_block(run, value_of(run, statement->condition).integer ? &statement->body
                                                                          : &statement->otherwise);
    case STATEMENT_WHILE: return run_while(run, statement);
    case STATEMENT_PRESENT:
        return data_of(run, statement->buffer) ? run_block(run, &statement->body) : 0;
    case STATEMENT_FAIL:
        return value_of(run, statement->condition).integer ? STATUS_FIRST_SITE + statement->site
                                                           : 0;
    case STATEMENT_CALL:
    case STATEMENT_COPY:
    case STATEMENT_ZERO: break;
    }
    unreachable("statement %d is for entries", (int)statement->kind);
}

static int run_block(Run *run, const Block *block) {
    int status = 0;
    for (int i = 0; i < block->statements.count && !status; i++) {
        status = run_statement(run, block->statements.at[i]);
    }
    return status;
}

int interpret_kernel(Arena *arena, const Kernel *kernel, void *const *data,
                     const int64_t *arguments) {
    Run run = {kernel, data, arguments, NULL, NULL};
    run.values = arena_alloc_array(arena, (size_t)kernel->scalar_count + 1, sizeof(Number));
    run.locals = arena_alloc_array(arena, (size_t)kernel->locals.count + 1, sizeof(Number *));
    for (int i = 0; i < kernel->locals.count; i++) {
        run.locals[i] =
            arena_alloc_array(arena, (size_t)kernel->locals.at[i]->count, sizeof(Number));
    }
    return run_block(&run, &kernel->body);
}
