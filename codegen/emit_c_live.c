// What of a function is worth printing: what stores, failures, conditions and calls depend on, by
// way of values and of locals. Known numbers depend on nothing. The rest would be warned of as
// unused.
#include "codegen/emit_c_analysis.h"

static void mark_scalar(FunctionInfo *info, const Scalar *scalar);

static void mark_local(FunctionInfo *info, const Local *local) {
    LocalInfo *found = find_local(info, local);
    if (found->live) {
        return;
    }
    found->live = true;
    for (int i = 0; i < found->sets.count; i++) {
        mark_scalar(info, found->sets.at[i]->value);
        if (local->count > 1) {
            mark_scalar(info, found->sets.at[i]->index);
        }
    }
}

// A scalar local has no index worth printing.
static int printed_args(const Scalar *scalar) {
    return scalar->op == SCALAR_LOCAL && scalar->local->count == 1 ? 0 : scalar->arg_count;
}

static void mark_scalar(FunctionInfo *info, const Scalar *scalar) {
    ScalarInfo *known = scalar_info(info, scalar);
    if (known->live) {
        return;
    }
    known->live = true;
    if (is_known_number(info, scalar)) {
        return;
    }
    for (int i = 0; i < printed_args(scalar); i++) {
        mark_scalar(info, scalar->args[i]);
    }
    if (scalar->op == SCALAR_LOCAL) {
        mark_local(info, scalar->local);
    }
}

static void mark_block(FunctionInfo *info, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        const Scalar *operands[3];
        int count = statement->kind == STATEMENT_SET ? 0 : statement_operands(statement, operands);
        for (int k = 0; k < count; k++) {
            mark_scalar(info, operands[k]);
        }
        if (statement->kind == STATEMENT_LOOP) {
            mark_block(info, &statement->loop->body);
        } else if (statement->kind == STATEMENT_WHILE) {
            mark_scalar(info, statement->condition);
        } else if (statement->kind == STATEMENT_CALL) {
            for (int k = 0; k < statement->kernel->argument_count; k++) {
                mark_scalar(info, statement->arguments[k]);
            }
        }
        mark_block(info, &statement->body);
        mark_block(info, &statement->otherwise);
    }
}

static void count_use(FunctionInfo *info, const Scalar *scalar) {
    scalar_info(info, scalar)->uses++;
    if (scalar->op == SCALAR_ARGUMENT && !is_known_number(info, scalar)) {
        info->argument_uses[scalar->integer]++;
    }
}

static void count_buffer(FunctionInfo *info, const Buffer *buffer) {
    info->buffer_uses[buffer->id]++;
    if (buffer->result != NULL) {
        info->buffer_uses[buffer->result->id]++;
    }
}

static void count_scalar(FunctionInfo *info, const Scalar *scalar) {
    if (!scalar_info(info, scalar)->live || is_known_number(info, scalar)) {
        return;
    }
    for (int i = 0; i < printed_args(scalar); i++) {
        count_use(info, scalar->args[i]);
    }
    if (scalar->op == SCALAR_LOAD) {
        count_buffer(info, scalar->buffer);
    }
}

static void count_call(FunctionInfo *info, const Statement *statement) {
    for (int i = 0; i < statement->kernel->buffers.count; i++) {
        count_buffer(info, statement->buffers[i]);
    }
    for (int i = 0; i < statement->kernel->argument_count; i++) {
        count_use(info, statement->arguments[i]);
    }
}

static void count_block(FunctionInfo *info, const Block *block);

static void count_statement(FunctionInfo *info, const Statement *statement) {
    const Scalar *operands[3];
    int count = statement_operands(statement, operands);
    if (statement->kind == STATEMENT_SET && !find_local(info, statement->local)->live) {
        return;
    }
    for (int i = 0; i < count; i++) {
        bool no_index = statement->kind == STATEMENT_SET && statement->local->count == 1;
        if (!no_index || operands[i] == statement->value) {
            count_use(info, operands[i]);
        }
    }
    switch (statement->kind) {
    case STATEMENT_SCALAR: count_scalar(info, statement->scalar); break;
    case STATEMENT_STORE:
    case STATEMENT_PRESENT: count_buffer(info, statement->buffer); break;
    case STATEMENT_COPY: count_buffer(info, statement->buffer); // fall through
    case STATEMENT_ZERO: count_buffer(info, statement->target); break;
    case STATEMENT_WHILE: count_use(info, statement->condition); break;
    case STATEMENT_CALL: count_call(info, statement); break;
    case STATEMENT_LOOP: count_block(info, &statement->loop->body); break;
    case STATEMENT_SET:
    case STATEMENT_IF:
    case STATEMENT_FAIL: break;
    }
    count_block(info, &statement->body);
    count_block(info, &statement->otherwise);
}

static void count_block(FunctionInfo *info, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        count_statement(info, block->statements.at[i]);
    }
}

void find_live(FunctionInfo *info, const Block *body) {
    mark_block(info, body);
    count_block(info, body);
}
