// See build.h.
#include "tests/products/support/build.h"

#include <string.h>

Maker start_program(Arena *arena, const char *name) {
    Maker maker = {.arena = arena, .dims = dim_table_new(arena)};
    maker.program = arena_new(arena, Program);
    maker.program->arena = arena;
    maker.program->name = name;
    return maker;
}

static Buffer *new_buffer(Maker *maker, BufferKind kind, const char *name, ElementType element,
                          int64_t count) {
    Buffer *buffer = arena_new(maker->arena, Buffer);
    *buffer = (Buffer){.kind = kind,
                       .element = element,
                       .count = count,
                       .name = name,
                       .id = maker->program->buffers.count};
    vec_push(maker->arena, &maker->program->buffers, buffer);
    return buffer;
}

Buffer *add_temporary(Maker *maker, const char *name, ElementType element, int64_t count,
                      size_t offset) {
    Buffer *buffer = new_buffer(maker, BUFFER_WORKSPACE, name, element, count);
    buffer->offset = offset;
    return buffer;
}

Buffer *add_constant(Maker *maker, const char *name, ElementType element, int64_t count,
                     const void *data) {
    Buffer *buffer = new_buffer(maker, BUFFER_CONSTANT, name, element, count);
    buffer->data = data;
    buffer->read_only = true;
    return buffer;
}

Buffer *add_parameter(Maker *maker, const char *name, ElementType element, int64_t count,
                      bool written) {
    Buffer *buffer = new_buffer(maker, BUFFER_WORKSPACE, name, element, count);
    vec_push(maker->arena, &maker->kernel->buffers, buffer);
    vec_push(maker->arena, &maker->kernel->written, written);
    return buffer;
}

Kernel *start_kernel(Maker *maker, const char *name, const char *comment) {
    Kernel *kernel = arena_new(maker->arena, Kernel);
    kernel->name = name;
    kernel->comment = comment;
    kernel->span = no_span;
    vec_push(maker->arena, &maker->program->kernels, kernel);
    maker->kernel = kernel;
    maker->entry = NULL;
    maker->blocks.count = 0;
    vec_push(maker->arena, &maker->blocks, &kernel->body);
    return kernel;
}

Entry *start_entry(Maker *maker, const char *name) {
    Entry *entry = arena_new(maker->arena, Entry);
    entry->name = name;
    entry->comment = "";
    vec_push(maker->arena, &maker->program->entries, entry);
    maker->entry = entry;
    maker->kernel = NULL;
    maker->blocks.count = 0;
    vec_push(maker->arena, &maker->blocks, &entry->body);
    return entry;
}

static Field *push_field(Maker *maker, GroupKind group, const char *name, ElementType element,
                         int64_t count) {
    Group *fields = &maker->entry->groups[group];
    Field field = {.name = name};
    field.type = type_of_sizes(maker->dims, maker->arena, element, count ? 1 : 0, &count);
    vec_push(maker->arena, &fields->fields, field);
    return &fields->fields.at[fields->fields.count - 1];
}

Buffer *add_field(Maker *maker, GroupKind group, const char *name, ElementType element,
                  int64_t count) {
    Field *field = push_field(maker, group, name, element, count);
    Group *fields = &maker->entry->groups[group];
    fields->used = true;
    field->buffer = new_buffer(maker, BUFFER_FIELD, name, element, count ? count : 1);
    field->buffer->group = group;
    field->buffer->field = fields->fields.count - 1;
    field->buffer->read_only = group == GROUP_INPUTS || group == GROUP_SEEDS || group == GROUP_KEY;
    return field->buffer;
}

void add_unused_field(Maker *maker, GroupKind group, const char *name, ElementType element,
                      int64_t count) {
    push_field(maker, group, name, element, count);
}

static int next_id(Maker *maker) {
    return maker->kernel ? maker->kernel->scalar_count++ : maker->entry->scalar_count++;
}

static Statement *push_statement(Maker *maker, StatementKind kind) {
    Statement *statement = arena_new(maker->arena, Statement);
    statement->kind = kind;
    Block *block = maker->blocks.at[maker->blocks.count - 1];
    vec_push(maker->arena, &block->statements, statement);
    return statement;
}

static Scalar *new_scalar(Maker *maker, ScalarOp op, ElementType type) {
    Scalar *scalar = arena_new(maker->arena, Scalar);
    *scalar = (Scalar){.op = op, .type = type, .id = next_id(maker)};
    return scalar;
}

static Scalar *compute(Maker *maker, Scalar *scalar) {
    push_statement(maker, STATEMENT_SCALAR)->scalar = scalar;
    return scalar;
}

Scalar *make_integer(Maker *maker, ElementType type, int64_t value) {
    Scalar *scalar = new_scalar(maker, SCALAR_CONSTANT, type);
    scalar->integer = value;
    return scalar;
}

Scalar *make_real(Maker *maker, ElementType type, double value) {
    Scalar *scalar = new_scalar(maker, SCALAR_CONSTANT, type);
    scalar->real = value;
    return scalar;
}

Scalar *make_argument(Maker *maker, int number) {
    Scalar *scalar = new_scalar(maker, SCALAR_ARGUMENT, TYPE_I64);
    scalar->integer = number;
    if (maker->kernel->argument_count <= number) {
        maker->kernel->argument_count = number + 1;
    }
    return scalar;
}

Scalar *make(Maker *maker, ScalarOp op, ElementType type, Scalar *x, Scalar *y, Scalar *z) {
    Scalar *scalar = new_scalar(maker, op, type);
    Scalar *args[3] = {x, y, z};
    for (int i = 0; i < 3 && args[i]; i++) {
        scalar->args[scalar->arg_count++] = args[i];
    }
    return compute(maker, scalar);
}

Scalar *make_libm(Maker *maker, const char *name, Scalar *x, Scalar *y) {
    Scalar *scalar = make(maker, SCALAR_LIBM, x->type, x, y, NULL);
    scalar->name = name;
    return scalar;
}

Scalar *make_load(Maker *maker, Buffer *buffer, Scalar *index) {
    Scalar *scalar = make(maker, SCALAR_LOAD, buffer->element, index, NULL, NULL);
    scalar->buffer = buffer;
    return scalar;
}

Scalar *make_read(Maker *maker, Local *local, Scalar *index) {
    Scalar *scalar = make(maker, SCALAR_LOCAL, local->type, index, NULL, NULL);
    scalar->local = local;
    return scalar;
}

Local *add_local(Maker *maker, const char *name, ElementType type, int count) {
    Local *local = arena_new(maker->arena, Local);
    *local = (Local){.type = type, .count = count, .name = name};
    if (maker->kernel) {
        local->id = maker->kernel->locals.count;
        vec_push(maker->arena, &maker->kernel->locals, local);
    } else {
        local->id = maker->entry->locals.count;
        vec_push(maker->arena, &maker->entry->locals, local);
    }
    return local;
}

int add_site(Maker *maker, const char *message) {
    Site site = {.span = no_span, .message = message};
    vec_push(maker->arena, &maker->program->sites, site);
    return maker->program->sites.count - 1;
}

void add_store(Maker *maker, Buffer *buffer, Scalar *index, Scalar *value) {
    Statement *statement = push_statement(maker, STATEMENT_STORE);
    statement->buffer = buffer;
    statement->index = index;
    statement->value = value;
}

void add_set(Maker *maker, Local *local, Scalar *index, Scalar *value) {
    Statement *statement = push_statement(maker, STATEMENT_SET);
    statement->local = local;
    statement->index = index;
    statement->value = value;
}

void add_fail(Maker *maker, Scalar *condition, int site) {
    Statement *statement = push_statement(maker, STATEMENT_FAIL);
    statement->condition = condition;
    statement->site = site;
    if (maker->kernel) {
        maker->kernel->fails = true;
    }
}

void add_copy(Maker *maker, Buffer *from, Buffer *to) {
    Statement *statement = push_statement(maker, STATEMENT_COPY);
    statement->buffer = from;
    statement->target = to;
}

void add_zero(Maker *maker, Buffer *buffer) {
    push_statement(maker, STATEMENT_ZERO)->target = buffer;
}

void add_call(Maker *maker, Kernel *kernel, Buffer *const *buffers, Scalar *const *arguments) {
    Statement *statement = push_statement(maker, STATEMENT_CALL);
    statement->kernel = kernel;
    size_t count = (size_t)kernel->buffers.count;
    statement->buffers = arena_alloc_array(maker->arena, count + 1, sizeof(Buffer *));
    memcpy(statement->buffers, buffers, count * sizeof(Buffer *));
    count = (size_t)kernel->argument_count;
    statement->arguments = arena_alloc_array(maker->arena, count + 1, sizeof(Scalar *));
    if (count) {
        memcpy(statement->arguments, arguments, count * sizeof(Scalar *));
    }
}

Scalar *open_loop_to(Maker *maker, const char *name, Scalar *extent) {
    Loop *loop = arena_new(maker->arena, Loop);
    loop->kind = LOOP_SERIAL;
    loop->name = name;
    loop->extent = extent;
    loop->index = new_scalar(maker, SCALAR_INDEX, TYPE_I64);
    loop->index->loop = loop;
    push_statement(maker, STATEMENT_LOOP)->loop = loop;
    vec_push(maker->arena, &maker->blocks, &loop->body);
    return loop->index;
}

Scalar *open_loop(Maker *maker, const char *name, int64_t extent) {
    return open_loop_to(maker, name, make_integer(maker, TYPE_I64, extent));
}

Statement *open_if(Maker *maker, Scalar *condition) {
    Statement *statement = push_statement(maker, STATEMENT_IF);
    statement->condition = condition;
    vec_push(maker->arena, &maker->blocks, &statement->body);
    return statement;
}

void open_present(Maker *maker, Buffer *buffer) {
    Statement *statement = push_statement(maker, STATEMENT_PRESENT);
    statement->buffer = buffer;
    vec_push(maker->arena, &maker->blocks, &statement->body);
}

Statement *open_while(Maker *maker) {
    Statement *statement = push_statement(maker, STATEMENT_WHILE);
    vec_push(maker->arena, &maker->blocks, &statement->body);
    return statement;
}

void open_otherwise(Maker *maker, Statement *statement, Scalar *condition) {
    if (statement->kind == STATEMENT_WHILE) {
        statement->condition = condition;
    }
    maker->blocks.at[maker->blocks.count - 1] = &statement->otherwise;
}

void close_block(Maker *maker) {
    check(maker->blocks.count > 1, "a block is closed that was not opened");
    maker->blocks.count--;
}
