// Loops of an entry over calls that are too short to be spread one by one, as those over blocks of
// rows: the calls become one kernel with the loop inside, which is spread like any other.
#include "codegen/parallel_plan.h"

// A loop that is to become a kernel.
typedef struct Joined {
    Arena *arena, *scratch;
    Kernel *kernel;
    VEC(Scalar *) outer;  // of the entry: what the kernel's arguments are, and indices of loops
    VEC(Scalar *) inside; // what stands for them in the kernel
    VEC(Scalar *) arguments;
} Joined;

static bool is_joinable_call(const Statement *s) {
    return s->kind == STATEMENT_CALL && !s->kernel->fails && has_own_buffers(s);
}

static bool is_short_call(const Statement *s, const LowerOptions *options) {
    if (!is_joinable_call(s)) {
        return false;
    }
    const Block *body = &s->kernel->body;
    for (int i = 0; i < body->statements.count; i++) {
        if (statement_work(body->statements.at[i], options->vector_bytes) >= least_work(options)) {
            return false;
        }
    }
    return true;
}

bool has_own_buffers(const Statement *call) {
    for (int i = 0; i < call->kernel->buffers.count; i++) {
        if (call->buffers[i] != call->kernel->buffers.at[i]) {
            return false;
        }
    }
    return true;
}

// Calls, in loops too, and what lies between them. `long_calls`: also such that could be spread one
// by one.
static bool is_joinable(const Block *block, const LowerOptions *options, bool long_calls) {
    int64_t extent;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        bool good =
            s->kind == STATEMENT_ZERO || s->kind == STATEMENT_COPY ||
            (long_calls ? is_joinable_call(s) : is_short_call(s, options)) ||
            (s->kind == STATEMENT_LOOP && s->loop->kind == LOOP_SERIAL &&
             constant_extent(s->loop, &extent) && is_joinable(&s->loop->body, options, long_calls));
        if (!good) {
            return false;
        }
    }
    return block->statements.count > 0;
}

static void note_inside(Joined *it, Scalar *outer, Scalar *inside) {
    vec_push(it->scratch, &it->outer, outer);
    vec_push(it->scratch, &it->inside, inside);
}

// What stands in the kernel for an argument of one of the calls.
static Scalar *joined_argument(Joined *it, Scalar *given) {
    if (given->op == SCALAR_CONSTANT) {
        return new_position(it->arena, it->kernel, given->integer);
    }
    for (int i = 0; i < it->outer.count; i++) {
        if (it->outer.at[i] == given) {
            return it->inside.at[i];
        }
    }
    Scalar *argument = arena_new(it->arena, Scalar);
    *argument = (Scalar){.op = SCALAR_ARGUMENT,
                         .type = TYPE_I64,
                         .integer = it->kernel->argument_count++,
                         .id = it->kernel->scalar_count++};
    note_inside(it, given, argument);
    vec_push(it->arena, &it->arguments, given);
    return argument;
}

static void join_call(Joined *it, const Statement *call, Block *out) {
    const Kernel *from = call->kernel;
    Scalar **given = arena_array(it->scratch, Scalar *, from->argument_count + 1);
    for (int i = 0; i < from->argument_count; i++) {
        given[i] = joined_argument(it, call->arguments[i]);
    }
    Cloner c = continue_clone(it->arena, it->scratch, from, it->kernel, given);
    for (int i = 0; i < from->body.statements.count; i++) {
        clone_statement(&c, from->body.statements.at[i], out);
    }
}

// Copies a buffer, or stores zeros in it.
static void join_move(Joined *it, const Statement *move, Block *out) {
    Buffer *from = move->buffer, *to = move->target;
    Cloner c = {.arena = it->arena, .to = it->kernel};
    Scalar *extent = new_position(it->arena, it->kernel, to->count);
    Loop *loop = place_loop(it->arena, it->kernel, out, LOOP_VECTOR, extent, "i");
    Scalar *value;
    clone_buffer(&c, to, true);
    if (move->kind == STATEMENT_COPY) {
        Scalar load = {.op = SCALAR_LOAD,
                       .type = from->element,
                       .args = {loop->index},
                       .arg_count = 1,
                       .buffer = from};
        clone_buffer(&c, from, false);
        value = place_scalar(it->arena, it->kernel, &loop->body, &load);
    } else {
        value = arena_new(it->arena, Scalar);
        *value =
            (Scalar){.op = SCALAR_CONSTANT, .type = to->element, .id = it->kernel->scalar_count++};
    }
    place_statement(
        it->arena, &loop->body,
        &(Statement){.kind = STATEMENT_STORE, .buffer = to, .index = loop->index, .value = value});
}

static void join_loop(Joined *it, const Loop *loop, Block *out) {
    int64_t extent = 0;
    constant_extent(loop, &extent);
    Loop *inside = place_loop(it->arena, it->kernel, out, LOOP_SERIAL,
                              new_position(it->arena, it->kernel, extent), loop->name);
    note_inside(it, loop->index, inside->index);
    for (int i = 0; i < loop->body.statements.count; i++) {
        const Statement *s = loop->body.statements.at[i];
        if (s->kind == STATEMENT_LOOP) {
            join_loop(it, s->loop, &inside->body);
        } else if (s->kind == STATEMENT_CALL) {
            join_call(it, s, &inside->body);
        } else {
            join_move(it, s, &inside->body);
        }
    }
}

static const Kernel *first_kernel(const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        const Kernel *kernel = s->kind == STATEMENT_CALL   ? s->kernel
                               : s->kind == STATEMENT_LOOP ? first_kernel(&s->loop->body)
                                                           : NULL;
        if (kernel != NULL) {
            return kernel;
        }
    }
    return NULL;
}

Statement *join_calls(Arena *arena, Arena *scratch, const Loop *loop, const LowerOptions *options,
                      bool long_calls) {
    int64_t extent;
    if (loop->kind != LOOP_SERIAL || !constant_extent(loop, &extent) || extent < 2 ||
        !is_joinable(&loop->body, options, long_calls)) {
        return NULL;
    }
    const Kernel *first = first_kernel(&loop->body);
    if (first == NULL) {
        return NULL;
    }
    Joined it = {.arena = arena, .scratch = scratch};
    it.kernel = arena_new(arena, Kernel);
    *it.kernel = (Kernel){.name = first->name, .comment = first->comment, .span = first->span};
    join_loop(&it, loop, &it.kernel->body);
    Statement *call = arena_new(arena, Statement);
    *call = (Statement){.kind = STATEMENT_CALL, .kernel = it.kernel};
    call->buffers = it.kernel->buffers.at;
    call->arguments = it.arguments.at;
    return call;
}
