// Loops of an entry over calls that are too short to be spread one by one, as those over blocks of
// rows: the calls become one kernel with the loop inside, which is spread like any other.
#include "codegen/parallel_plan.h"

// A loop that is to become a kernel.
typedef struct Joined {
    Arena *arena, *scratch;
    const Loop *loop;
    Kernel *kernel;
    Block *body;          // of the loop in the kernel
    Scalar *index;        // of that loop
    VEC(Scalar *) outer;  // of the entry: what the kernel's arguments are
    VEC(Scalar *) inside; // the arguments
} Joined;

static bool is_short_call(const Statement *s, const LowerOptions *options) {
    if (s->kind != STATEMENT_CALL || s->kernel->fails || !has_own_buffers(s)) {
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

// What stands in the kernel for an argument of one of the calls.
static Scalar *joined_argument(Joined *it, Scalar *given) {
    if (given == it->loop->index) {
        return it->index;
    }
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
    vec_push(it->arena, &it->outer, given);
    vec_push(it->arena, &it->inside, argument);
    return argument;
}

static void join_call(Joined *it, const Statement *call) {
    const Kernel *from = call->kernel;
    Scalar **given = arena_array(it->scratch, Scalar *, from->argument_count + 1);
    for (int i = 0; i < from->argument_count; i++) {
        given[i] = joined_argument(it, call->arguments[i]);
    }
    Cloner c = continue_clone(it->arena, it->scratch, from, it->kernel, given);
    for (int i = 0; i < from->body.statements.count; i++) {
        clone_statement(&c, from->body.statements.at[i], it->body);
    }
}

Statement *join_short_calls(Arena *arena, Arena *scratch, const Loop *loop,
                            const LowerOptions *options) {
    int64_t extent;
    int count = loop->body.statements.count;
    if (loop->kind != LOOP_SERIAL || !constant_extent(loop, &extent) || extent < 2 || count == 0) {
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        if (!is_short_call(loop->body.statements.at[i], options)) {
            return NULL;
        }
    }
    const Kernel *first = loop->body.statements.at[0]->kernel;
    Joined it = {.arena = arena, .scratch = scratch, .loop = loop};
    it.kernel = arena_new(arena, Kernel);
    *it.kernel = (Kernel){.name = first->name, .comment = first->comment, .span = first->span};
    Loop *inside = place_loop(arena, it.kernel, &it.kernel->body, LOOP_SERIAL,
                              new_position(arena, it.kernel, extent), loop->name);
    it.index = inside->index;
    it.body = &inside->body;
    for (int i = 0; i < count; i++) {
        join_call(&it, loop->body.statements.at[i]);
    }
    Statement *call = arena_new(arena, Statement);
    *call = (Statement){.kind = STATEMENT_CALL, .kernel = it.kernel};
    call->buffers = it.kernel->buffers.at;
    call->arguments = it.outer.at;
    return call;
}
