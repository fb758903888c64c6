// Buffers, locals, loops and scalars are described by position, not by name or address. Numbers are
// written in as few bytes as they need, 7 bits in each, so that descriptions stay small.
#include "codegen/describe.h"

#include <assert.h>
#include <string.h>

#include "codegen/product.h"

// A new member of these is either described below or of no importance to what is computed.
static_assert(sizeof(void *) != 8 ||
                  (sizeof(Scalar) == 96 && sizeof(Statement) == 136 && sizeof(Loop) == 80 &&
                   sizeof(Local) == 24 && sizeof(Buffer) == 136 && sizeof(Field) == 32 &&
                   sizeof(Group) == 24 && sizeof(Site) == 24 && sizeof(Kernel) == 136 &&
                   sizeof(Entry) == 240),
              "describe what was added to the loop form, then correct these sizes");

typedef struct Describer {
    Description *out;
    const Program *program;
    const Kernel *kernel; // NULL in an entry: buffers have their number in the program there
    bool by_message;      // failures: what they say counts, not their number
    int *numbers;         // by scalar id: the place in the order of computation, from 1; 0: not yet
    int next;
} Describer;

static void add_number(Describer *d, int64_t number) {
    uint64_t rest = (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
    for (; rest >= 128; rest >>= 7) {
        vec_push(d->out->arena, &d->out->bytes, (unsigned char)(rest | 128));
    }
    vec_push(d->out->arena, &d->out->bytes, (unsigned char)rest);
}

static void add_bytes(Describer *d, const void *bytes, size_t count) {
    add_number(d, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        vec_push(d->out->arena, &d->out->bytes, ((const unsigned char *)bytes)[i]);
    }
}

static void add_string(Describer *d, const char *text) {
    add_bytes(d, text, text != NULL ? strlen(text) : 0);
}

// Most constants are integers: 0 takes a byte.
static void add_real(Describer *d, double value) {
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_number(d, bits);
}

static void add_buffer(Describer *d, const Buffer *buffer) {
    int number = buffer == NULL || d->kernel != NULL ? -1 : buffer->id;
    for (int i = 0; d->kernel != NULL && buffer != NULL && i < d->kernel->buffers.count; i++) {
        if (d->kernel->buffers.at[i] == buffer) {
            number = i;
        }
    }
    check(buffer == NULL || number >= 0, "a kernel uses a buffer that it does not list");
    add_number(d, number);
}

// A scalar as an operand. Those without a statement are described wherever they are used.
static void add_use(Describer *d, const Scalar *x) {
    if (x == NULL) {
        add_number(d, -1);
        return;
    }
    add_number(d, d->numbers[x->id]);
    if (x->op == SCALAR_CONSTANT || x->op == SCALAR_ARGUMENT) {
        add_number(d, x->op);
        add_number(d, x->type);
        add_number(d, x->integer);
        add_real(d, x->real);
    } else {
        check(d->numbers[x->id] > 0, "a scalar is used before it is computed");
    }
}

static void add_scalar(Describer *d, const Scalar *x) {
    add_number(d, x->op);
    add_number(d, x->type);
    add_number(d, x->arg_count);
    for (int i = 0; i < x->arg_count; i++) {
        add_use(d, x->args[i]);
    }
    add_number(d, x->integer);
    add_real(d, x->real);
    add_buffer(d, x->buffer);
    add_number(d, x->local != NULL ? x->local->id : -1);
    if (x->op == SCALAR_LIBM) {
        add_string(d, x->name);
    }
    d->numbers[x->id] = ++d->next;
}

static void add_block(Describer *d, const Block *block);

static void add_site(Describer *d, int number) {
    if (!d->by_message) {
        add_number(d, number);
        return;
    }
    const Site *site = &d->program->sites.at[number];
    add_number(d, site->span.file);
    add_number(d, site->span.start);
    add_number(d, site->span.end);
    add_string(d, site->message);
}

static int kernel_number(const Program *program, const Kernel *kernel) {
    for (int i = 0; i < program->kernels.count; i++) {
        if (program->kernels.at[i] == kernel) {
            return i;
        }
    }
    unreachable("kernel %s is not one of the program's", kernel->name);
}

static void add_call(Describer *d, const Statement *s) {
    add_number(d, kernel_number(d->program, s->kernel));
    for (int i = 0; i < s->kernel->buffers.count; i++) {
        add_buffer(d, s->buffers[i]);
    }
    for (int i = 0; i < s->kernel->argument_count; i++) {
        add_use(d, s->arguments[i]);
    }
}

static void add_statement(Describer *d, const Statement *s) {
    add_number(d, s->kind);
    if (s->kind == STATEMENT_SCALAR) {
        add_scalar(d, s->scalar);
        return;
    }
    add_buffer(d, s->buffer);
    add_buffer(d, s->target);
    add_number(d, s->local != NULL ? s->local->id : -1);
    add_use(d, s->index);
    add_use(d, s->value);
    if (s->kind == STATEMENT_LOOP) {
        add_number(d, s->loop->kind);
        add_use(d, s->loop->extent);
        add_number(d, s->loop->room);
        add_number(d, s->loop->free_room);
        d->numbers[s->loop->index->id] = ++d->next;
        add_block(d, &s->loop->body);
    } else if (s->kind == STATEMENT_CALL) {
        add_call(d, s);
    } else if (s->kind == STATEMENT_FAIL) {
        add_site(d, s->site);
    }
    bool is_known_first = s->kind != STATEMENT_WHILE; // else the body computes it
    if (is_known_first) {
        add_use(d, s->condition);
    }
    add_block(d, &s->body);
    if (!is_known_first) {
        add_use(d, s->condition);
    }
    add_block(d, &s->otherwise);
}

static void add_block(Describer *d, const Block *block) {
    add_number(d, block->statements.count);
    for (int i = 0; i < block->statements.count; i++) {
        add_statement(d, block->statements.at[i]);
    }
}

static void add_locals(Describer *d, Local *const *locals, int count) {
    add_number(d, count);
    for (int i = 0; i < count; i++) {
        add_number(d, locals[i]->type);
        add_number(d, locals[i]->count);
    }
}

static void add_kernel(Describer *d, const Kernel *kernel) {
    d->kernel = kernel;
    d->numbers = arena_array(d->out->arena, int, kernel->scalar_count + 1);
    d->next = 0;
    add_number(d, kernel->buffers.count);
    for (int i = 0; i < kernel->buffers.count; i++) {
        add_number(d, kernel->buffers.at[i]->element);
        add_number(d, kernel->buffers.at[i]->count);
        add_number(d, kernel->written.at[i]);
    }
    add_number(d, kernel->argument_count);
    add_number(d, kernel->fails);
    add_locals(d, kernel->locals.at, kernel->locals.count);
    add_block(d, &kernel->body);
    d->kernel = NULL;
}

void describe_kernel(Description *out, const Program *program, const Kernel *kernel) {
    Describer d = {.out = out, .program = program, .by_message = true};
    add_kernel(&d, kernel);
}

static void add_program_buffer(Describer *d, const Buffer *buffer) {
    add_number(d, buffer->kind);
    add_number(d, buffer->element);
    add_number(d, buffer->count);
    add_number(d, buffer->read_only);
    add_number(d, buffer->group);
    add_number(d, buffer->field);
    add_number(d, buffer->optional);
    add_number(d, buffer->default_one);
    add_number(d, (int64_t)buffer->offset);
    add_number(d, buffer->result != NULL ? buffer->result->id : -1);
    if (buffer->kind == BUFFER_CONSTANT) {
        add_bytes(d, buffer->data, (size_t)buffer->count * element_bytes(buffer->element));
    }
}

static void add_entry(Describer *d, const Entry *entry) {
    add_string(d, entry_symbol(d->out->arena, d->program, entry));
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        const Group *group = &entry->groups[kind];
        add_number(d, group->used);
        add_number(d, group->written);
        add_number(d, group->fields.count);
        for (int i = 0; i < group->fields.count; i++) {
            add_buffer(d, group->fields.at[i].buffer);
        }
    }
    d->numbers = arena_array(d->out->arena, int, entry->scalar_count + 1);
    d->next = 0;
    add_locals(d, entry->locals.at, entry->locals.count);
    add_number(d, (int64_t)entry->workspace_bytes);
    add_number(d, entry->takes_threads);
    add_block(d, &entry->body);
}

void describe_program(Description *out, const Program *program) {
    Describer d = {.out = out, .program = program};
    add_number(&d, program->buffers.count);
    for (int i = 0; i < program->buffers.count; i++) {
        add_program_buffer(&d, program->buffers.at[i]);
    }
    add_number(&d, program->sites.count);
    add_number(&d, program->kernels.count);
    for (int i = 0; i < program->kernels.count; i++) {
        add_kernel(&d, program->kernels.at[i]);
    }
    add_number(&d, program->entries.count);
    for (int i = 0; i < program->entries.count; i++) {
        add_entry(&d, program->entries.at[i]);
    }
}
