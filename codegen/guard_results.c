// Statements of the entry are visited from the last to the first. For each buffer it is known what
// the statements behind it are executed for: nothing so far, one optional result, or more than
// that.
#include "codegen/guard_results.h"

typedef struct Purpose {
    bool always;    // several results, or one that must be there
    Buffer *result; // the one it is for; NULL: nothing so far, or always
} Purpose;

typedef struct Purposes {
    Arena scratch;
    Purpose *of; // what a buffer's contents are for, by its id
} Purposes;

static Purpose join(Purpose x, Purpose y) {
    if (x.always || y.always || (x.result != NULL && y.result != NULL && x.result != y.result)) {
        return (Purpose){.always = true};
    }
    return x.result != NULL ? x : y;
}

typedef void BufferVisitor(Purposes *it, const Buffer *buffer, bool written, Purpose *purpose);

// Shows the visitor every buffer that the statement uses; false if it changes what is no buffer, so
// that other statements may depend on it.
static bool visit_buffers(Purposes *it, const Statement *s, BufferVisitor *visit, Purpose *purpose);

static bool visit_block(Purposes *it, const Block *block, BufferVisitor *visit, Purpose *purpose) {
    bool closed = true;
    for (int i = 0; i < block->statements.count; i++) {
        closed = visit_buffers(it, block->statements.at[i], visit, purpose) && closed;
    }
    return closed;
}

static bool visit_buffers(Purposes *it, const Statement *s, BufferVisitor *visit,
                          Purpose *purpose) {
    bool closed = s->kind != STATEMENT_SET;
    for (int i = 0; s->kind == STATEMENT_CALL && i < s->kernel->buffers.count; i++) {
        visit(it, s->buffers[i], s->kernel->written.at[i], purpose);
    }
    if (s->kind == STATEMENT_SCALAR && s->scalar->buffer != NULL) {
        visit(it, s->scalar->buffer, false, purpose);
    }
    if (s->kind == STATEMENT_COPY) {
        visit(it, s->buffer, false, purpose);
    }
    if (s->target != NULL) {
        visit(it, s->target, true, purpose);
    }
    if (s->kind == STATEMENT_STORE) {
        visit(it, s->buffer, true, purpose);
    }
    if (s->kind == STATEMENT_LOOP) {
        closed = visit_block(it, &s->loop->body, visit, purpose) && closed;
    }
    closed = visit_block(it, &s->body, visit, purpose) && closed;
    return visit_block(it, &s->otherwise, visit, purpose) && closed;
}

static void join_written(Purposes *it, const Buffer *buffer, bool written, Purpose *purpose) {
    if (written) {
        *purpose = join(*purpose, it->of[buffer->id]);
    }
}

static void mark_used(Purposes *it, const Buffer *buffer, bool written, Purpose *purpose) {
    (void)written;
    it->of[buffer->id] = join(it->of[buffer->id], *purpose);
}

static bool may_be_skipped(const Statement *s) {
    return s->kind == STATEMENT_CALL || s->kind == STATEMENT_LOOP || s->kind == STATEMENT_COPY ||
           s->kind == STATEMENT_ZERO || s->kind == STATEMENT_IF || s->kind == STATEMENT_WHILE;
}

// The result that the statement is for, or NULL: it runs in any case.
static Buffer *find_purpose(Purposes *it, const Statement *s) {
    Purpose purpose = {0};
    bool closed = visit_buffers(it, s, join_written, &purpose);
    bool tested = s->kind == STATEMENT_PRESENT;
    if (tested) {
        purpose = (Purpose){.result = s->buffer};
    } else if (!closed || !may_be_skipped(s) || purpose.result == NULL) {
        purpose = (Purpose){.always = true};
    }
    (void)visit_buffers(it, s, mark_used, &purpose);
    return tested ? NULL : purpose.result;
}

static void append(Arena *arena, Block *out, Statement *s, Buffer *result) {
    Statement *last =
        out->statements.count > 0 ? out->statements.at[out->statements.count - 1] : NULL;
    if (s->kind == STATEMENT_PRESENT) {
        result = s->buffer;
    }
    if (result == NULL) {
        vec_push(arena, &out->statements, s);
        return;
    }
    if (last == NULL || last->kind != STATEMENT_PRESENT || last->buffer != result) {
        last = arena_new(arena, Statement);
        *last = (Statement){.kind = STATEMENT_PRESENT, .buffer = result};
        vec_push(arena, &out->statements, last);
    }
    if (s->kind != STATEMENT_PRESENT) {
        vec_push(arena, &last->body.statements, s);
        return;
    }
    for (int i = 0; i < s->body.statements.count; i++) {
        vec_push(arena, &last->body.statements, s->body.statements.at[i]);
    }
}

void guard_results(Program *program, Entry *entry) {
    Purposes it = {0};
    it.of = arena_array(&it.scratch, Purpose, program->buffers.count + 1);
    for (int i = 0; i < program->buffers.count; i++) {
        Buffer *buffer = program->buffers.at[i];
        if (buffer->kind == BUFFER_FIELD) {
            it.of[buffer->id] =
                buffer->optional ? (Purpose){.result = buffer} : (Purpose){.always = true};
        }
    }
    int count = entry->body.statements.count;
    Buffer **results = arena_array(&it.scratch, Buffer *, count + 1);
    for (int i = count - 1; i >= 0; i--) {
        results[i] = find_purpose(&it, entry->body.statements.at[i]);
    }
    Block out = {{0}};
    for (int i = 0; i < count; i++) {
        append(program->arena, &out, entry->body.statements.at[i], results[i]);
    }
    entry->body = out;
    arena_free(&it.scratch);
}
