// Copies parts of a kernel into kernels of their own.
#include "codegen/parallel_plan.h"

enum { LINE_BYTES = 64 };

Cloner start_clone(Arena *arena, Arena *scratch, const Kernel *from, const char *name,
                   bool has_chunk) {
    Kernel *to = arena_new(arena, Kernel);
    *to = (Kernel){.name = name, .comment = from->comment, .span = from->span};
    to->argument_count = from->argument_count + has_chunk;
    Cloner c = {.arena = arena, .from = from, .to = to};
    c.scalars = arena_array(scratch, Scalar *, from->scalar_count + 1);
    c.locals = arena_array(scratch, Local *, from->locals.count + 1);
    if (has_chunk) {
        c.chunk = arena_new(arena, Scalar);
        *c.chunk = (Scalar){.op = SCALAR_ARGUMENT,
                            .type = TYPE_I64,
                            .integer = from->argument_count,
                            .name = "chunk",
                            .id = to->scalar_count++};
    }
    return c;
}

Cloner continue_clone(Arena *arena, Arena *scratch, const Kernel *from, Kernel *to,
                      Scalar **given) {
    Cloner c = {.arena = arena, .from = from, .to = to, .given = given};
    c.scalars = arena_array(scratch, Scalar *, from->scalar_count + 1);
    c.locals = arena_array(scratch, Local *, from->locals.count + 1);
    return c;
}

void place_statement(Arena *arena, Block *out, const Statement *proto) {
    Statement *statement = arena_new(arena, Statement);
    *statement = *proto;
    vec_push(arena, &out->statements, statement);
}

Scalar *new_position(Arena *arena, Kernel *kernel, int64_t value) {
    Scalar *x = arena_new(arena, Scalar);
    *x = (Scalar){
        .op = SCALAR_CONSTANT, .type = TYPE_I64, .integer = value, .id = kernel->scalar_count++};
    return x;
}

Scalar *place_scalar(Arena *arena, Kernel *kernel, Block *out, const Scalar *proto) {
    Scalar *x = arena_new(arena, Scalar);
    *x = *proto;
    x->id = kernel->scalar_count++;
    place_statement(arena, out, &(Statement){.kind = STATEMENT_SCALAR, .scalar = x});
    return x;
}

Scalar *place_binary(Arena *arena, Kernel *kernel, Block *out, ScalarOp op, Scalar *x, Scalar *y) {
    bool compares = op >= SCALAR_EQ && op <= SCALAR_GE;
    Scalar proto = {
        .op = op, .type = compares ? TYPE_BOOL : x->type, .args = {x, y}, .arg_count = 2};
    return place_scalar(arena, kernel, out, &proto);
}

Loop *place_loop(Arena *arena, Kernel *kernel, Block *out, LoopKind kind, Scalar *extent,
                 const char *name) {
    Loop *loop = arena_new(arena, Loop);
    *loop = (Loop){.kind = kind, .extent = extent, .name = name};
    loop->index = arena_new(arena, Scalar);
    *loop->index =
        (Scalar){.op = SCALAR_INDEX, .type = TYPE_I64, .loop = loop, .id = kernel->scalar_count++};
    place_statement(arena, out, &(Statement){.kind = STATEMENT_LOOP, .loop = loop});
    return loop;
}

Local *new_local_array(Arena *arena, Kernel *kernel, ElementType type, int64_t count,
                       const char *name) {
    Local *local = arena_new(arena, Local);
    *local = (Local){.type = type, .count = (int)count, .name = name, .id = kernel->locals.count};
    vec_push(arena, &kernel->locals, local);
    return local;
}

Scalar *place_read(Arena *arena, Kernel *kernel, Block *out, Local *local, Scalar *index) {
    Scalar read = {
        .op = SCALAR_LOCAL, .type = local->type, .args = {index}, .arg_count = 1, .local = local};
    return place_scalar(arena, kernel, out, &read);
}

int64_t private_stride(const Buffer *buffer) {
    int64_t line = LINE_BYTES / (int64_t)element_bytes(buffer->element);
    return (buffer_room(buffer) + line - 1) / line * line;
}

// ---- parts of statements

Scalar *clone_use(Cloner *c, const Scalar *x) {
    if (x == NULL || c->scalars[x->id] != NULL) {
        return x == NULL ? NULL : c->scalars[x->id];
    }
    check(x->op == SCALAR_CONSTANT || x->op == SCALAR_ARGUMENT, "a part of kernel %s lacks s%d",
          c->from->name, x->id);
    if (x->op == SCALAR_ARGUMENT && c->given != NULL) {
        return c->given[x->integer];
    }
    Scalar *copy = arena_new(c->arena, Scalar);
    *copy = *x;
    copy->id = c->to->scalar_count++;
    c->scalars[x->id] = copy;
    return copy;
}

Local *clone_local(Cloner *c, const Local *local) {
    if (local == NULL) {
        return NULL;
    }
    if (c->locals[local->id] == NULL) {
        Local *copy = arena_new(c->arena, Local);
        *copy = *local;
        copy->id = c->to->locals.count;
        vec_push(c->arena, &c->to->locals, copy);
        c->locals[local->id] = copy;
    }
    return c->locals[local->id];
}

void clone_buffer(Cloner *c, Buffer *buffer, bool is_written) {
    int place = 0;
    while (place < c->to->buffers.count && c->to->buffers.at[place] != buffer) {
        place++;
    }
    if (place == c->to->buffers.count) {
        vec_push(c->arena, &c->to->buffers, buffer);
        vec_push(c->arena, &c->to->written, false);
    }
    c->to->written.at[place] |= is_written;
}

void clone_privates(Cloner *c, const BufferList *privates) {
    c->privates = *privates;
    for (int i = 0; i < privates->count; i++) {
        Scalar *stride = new_position(c->arena, c->to, private_stride(privates->at[i]));
        Scalar *start = place_binary(c->arena, c->to, &c->to->body, SCALAR_MUL, c->chunk, stride);
        vec_push(c->arena, &c->starts, start);
    }
}

// The position in the chunk's own part of a private temporary.
static Scalar *own_position(Cloner *c, const Buffer *buffer, Scalar *index, Block *out) {
    for (int i = 0; i < c->privates.count; i++) {
        if (c->privates.at[i] == buffer) {
            return place_binary(c->arena, c->to, out, SCALAR_ADD, c->starts.at[i], index);
        }
    }
    return index;
}

static void clone_scalar(Cloner *c, const Scalar *x, Block *out) {
    Scalar copy = *x;
    for (int i = 0; i < x->arg_count; i++) {
        copy.args[i] = clone_use(c, x->args[i]);
    }
    copy.local = clone_local(c, x->local);
    if (x->op == SCALAR_LOAD) {
        clone_buffer(c, x->buffer, false);
        copy.args[0] = own_position(c, x->buffer, copy.args[0], out);
    }
    c->scalars[x->id] = place_scalar(c->arena, c->to, out, &copy);
}

static void clone_block(Cloner *c, const Block *block, Block *out) {
    for (int i = 0; i < block->statements.count; i++) {
        clone_statement(c, block->statements.at[i], out);
    }
}

static void clone_loop(Cloner *c, const Loop *loop, Block *out) {
    Loop *copy =
        place_loop(c->arena, c->to, out, loop->kind, clone_use(c, loop->extent), loop->name);
    copy->room = loop->room;
    copy->free_room = loop->free_room;
    c->scalars[loop->index->id] = copy->index;
    clone_block(c, &loop->body, &copy->body);
}

void clone_statement(Cloner *c, const Statement *statement, Block *out) {
    if (statement->kind == STATEMENT_SCALAR) {
        clone_scalar(c, statement->scalar, out);
        return;
    }
    if (statement->kind == STATEMENT_LOOP) {
        clone_loop(c, statement->loop, out);
        return;
    }
    Statement copy = *statement;
    copy.body = copy.otherwise = (Block){{0}};
    if (statement->kind != STATEMENT_WHILE) { // whose condition is computed inside
        copy.condition = clone_use(c, statement->condition);
    }
    copy.value = clone_use(c, statement->value);
    copy.index = clone_use(c, statement->index);
    copy.local = clone_local(c, statement->local);
    if (statement->buffer != NULL) {
        clone_buffer(c, statement->buffer, statement->kind == STATEMENT_STORE);
    }
    if (statement->kind == STATEMENT_STORE) {
        copy.index = own_position(c, statement->buffer, copy.index, out);
    }
    c->to->fails |= statement->kind == STATEMENT_FAIL;
    clone_block(c, &statement->body, &copy.body);
    if (statement->kind == STATEMENT_WHILE) {
        copy.condition = clone_use(c, statement->condition);
    }
    clone_block(c, &statement->otherwise, &copy.otherwise);
    place_statement(c->arena, out, &copy);
}

// ---- one chunk of a loop

// Iterations from `first` on, `extent` of them.
static void clone_iterations(Cloner *c, const Loop *loop, Scalar *first, Scalar *extent,
                             Block *out) {
    Loop *copy = place_loop(c->arena, c->to, out, loop->kind, extent, loop->name);
    c->scalars[loop->index->id] =
        place_binary(c->arena, c->to, &copy->body, SCALAR_ADD, first, copy->index);
    clone_block(c, &loop->body, &copy->body);
}

// One iteration of the innermost of loops that are alone in each other.
static void clone_nested(Cloner *c, const Loop *loop, const Chunks *chunks, Block *out) {
    int64_t inside = 1, extent;
    for (int i = 0; i < chunks->nested_count; i++) {
        constant_extent(chunks->nested[i], &extent);
        inside *= extent;
    }
    Scalar *left = c->chunk;
    for (int i = 0; i < chunks->nested_count; i++) {
        Scalar *size = new_position(c->arena, c->to, inside);
        c->scalars[loop->index->id] = place_binary(c->arena, c->to, out, SCALAR_DIV, left, size);
        left = place_binary(c->arena, c->to, out, SCALAR_REMAINDER, left, size);
        for (int j = 0; j < loop->body.statements.count; j++) {
            if (loop->body.statements.at[j]->kind == STATEMENT_SCALAR) {
                clone_statement(c, loop->body.statements.at[j], out);
            }
        }
        loop = chunks->nested[i];
        constant_extent(loop, &extent);
        inside /= extent;
    }
    c->scalars[loop->index->id] = left;
    clone_block(c, &loop->body, out);
}

// The last chunk may be shorter. A loop that becomes vectors is written out for both lengths.
static void clone_chunk_loop(Cloner *c, const Loop *loop, const Chunks *chunks, Block *out) {
    int64_t full = chunks->extent / chunks->size, rest = chunks->extent % chunks->size;
    if (chunks->nested_count > 0) {
        clone_nested(c, loop, chunks, out);
        return;
    }
    if (chunks->size == 1) {
        c->scalars[loop->index->id] = c->chunk;
        clone_block(c, &loop->body, out);
        return;
    }
    Scalar *size = new_position(c->arena, c->to, chunks->size);
    Scalar *first = place_binary(c->arena, c->to, out, SCALAR_MUL, c->chunk, size);
    if (rest == 0) {
        clone_iterations(c, loop, first, size, out);
        return;
    }
    Scalar *limit = new_position(c->arena, c->to, full);
    Scalar *is_full = place_binary(c->arena, c->to, out, SCALAR_LT, c->chunk, limit);
    Scalar *left = new_position(c->arena, c->to, rest);
    if (loop->kind == LOOP_VECTOR) {
        Statement choice = {.kind = STATEMENT_IF, .condition = is_full};
        clone_iterations(c, loop, first, size, &choice.body);
        clone_iterations(c, loop, first, left, &choice.otherwise);
        place_statement(c->arena, out, &choice);
        return;
    }
    Scalar extent = {
        .op = SCALAR_SELECT, .type = TYPE_I64, .args = {is_full, size, left}, .arg_count = 3};
    clone_iterations(c, loop, first, place_scalar(c->arena, c->to, out, &extent), out);
}

void clone_chunk(Cloner *c, const Statement *top, const Loop *loop, const Chunks *chunks,
                 Block *out) {
    if (top->kind == STATEMENT_LOOP && top->loop == loop) {
        clone_chunk_loop(c, loop, chunks, out);
        return;
    }
    const Block *body = &top->body;
    Block *inner;
    Statement present = {.kind = STATEMENT_PRESENT, .buffer = top->buffer};
    if (top->kind == STATEMENT_LOOP) {
        body = &top->loop->body;
        Loop *copy = place_loop(c->arena, c->to, out, top->loop->kind,
                                clone_use(c, top->loop->extent), top->loop->name);
        copy->room = top->loop->room;
        copy->free_room = top->loop->free_room;
        c->scalars[top->loop->index->id] = copy->index;
        inner = &copy->body;
    } else {
        check(top->kind == STATEMENT_PRESENT, "a loop is spread out of statement %d", top->kind);
        clone_buffer(c, top->buffer, false);
        place_statement(c->arena, out, &present);
        inner = &out->statements.at[out->statements.count - 1]->body;
    }
    for (int i = 0; i < body->statements.count; i++) {
        const Statement *s = body->statements.at[i];
        if (s->kind == STATEMENT_SCALAR) {
            clone_statement(c, s, inner);
        } else {
            clone_chunk(c, s, loop, chunks, inner);
        }
    }
}
