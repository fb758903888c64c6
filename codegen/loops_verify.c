// The verifier of the loop form. Scalars are used only after their statement,
// in the same block or one inside it; types agree; what a kernel touches is
// listed; constant indices are within bounds.
#include "codegen/loops.h"

#include <stdlib.h>
#include <string.h>

typedef struct Verifier {
    Arena *arena;
    Arena scratch;
    const Program *program;
    const Kernel *kernel; // NULL in an entry
    const Entry *entry;
    const char *where;
    bool *known; // by scalar id: computed, in scope
    int scalar_count;
    VEC(const Buffer *) present; // optional buffers tested around the statement
    const char *problem;
} Verifier;

static bool fail(Verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(Verifier *v, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const char *text = arena_format_list(v->arena, format, arguments);
    va_end(arguments);
    v->problem = arena_format(v->arena, "%s: %s", v->where, text);
    return false;
}

static const char *buffer_name(const Buffer *buffer) {
    return buffer->name != NULL ? buffer->name : "a temporary";
}

static bool is_free(ScalarOp op) {
    return op == SCALAR_CONSTANT || op == SCALAR_ARGUMENT;
}

static bool check_use(Verifier *v, const Scalar *x, ElementType type) {
    if (x == NULL) {
        return fail(v, "a scalar is missing");
    }
    if (x->type != type) {
        return fail(v, "scalar s%d is %s where %s is needed", x->id, element_name(x->type),
                    element_name(type));
    }
    if (x->id < 0 || x->id >= v->scalar_count) {
        return fail(v, "scalar id %d is out of range", x->id);
    }
    if (x->op == SCALAR_ARGUMENT) {
        if (v->kernel == NULL || x->integer < 0 || x->integer >= v->kernel->argument_count) {
            return fail(v, "there is no argument %lld", (long long)x->integer);
        }
    }
    if (!is_free(x->op) && !v->known[x->id]) {
        return fail(v, "scalar s%d is used where it is not computed", x->id);
    }
    return true;
}

static bool check_bounds(Verifier *v, const Scalar *index, int64_t count, const char *what) {
    if (index->op == SCALAR_CONSTANT && (index->integer < 0 || index->integer >= count)) {
        return fail(v, "index %lld is outside of %s with %lld elements", (long long)index->integer,
                    what, (long long)count);
    }
    return true;
}

static bool check_buffer(Verifier *v, const Buffer *buffer, bool written) {
    if (buffer == NULL) {
        return fail(v, "a buffer is missing");
    }
    if (buffer->id < 0 || buffer->id >= v->program->buffers.count ||
        v->program->buffers.at[buffer->id] != buffer) {
        return fail(v, "buffer %s is not listed in the program", buffer_name(buffer));
    }
    if (written && buffer->read_only) {
        return fail(v, "read-only buffer %s is stored to", buffer_name(buffer));
    }
    if (v->kernel != NULL) {
        for (int i = 0; i < v->kernel->buffers.count; i++) {
            if (v->kernel->buffers.at[i] == buffer) {
                return !written || v->kernel->written.at[i] ||
                       fail(v, "buffer %s is not marked as stored to", buffer_name(buffer));
            }
        }
        return fail(v, "buffer %s is not listed in the kernel", buffer_name(buffer));
    }
    if (buffer->optional) {
        for (int i = 0; i < v->present.count; i++) {
            if (v->present.at[i] == buffer) {
                return true;
            }
        }
        return fail(v, "optional buffer %s is used without a test", buffer_name(buffer));
    }
    return true;
}

static bool check_local(Verifier *v, const Local *local) {
    Local *const *locals = v->kernel != NULL ? v->kernel->locals.at : v->entry->locals.at;
    int count = v->kernel != NULL ? v->kernel->locals.count : v->entry->locals.count;
    if (local == NULL || local->id < 0 || local->id >= count || locals[local->id] != local) {
        return fail(v, "a local is not listed");
    }
    return local->count > 0 || fail(v, "local %s is empty", local->name);
}

static bool check_arguments(Verifier *v, const Scalar *x, ElementType first, ElementType others) {
    for (int i = 0; i < x->arg_count; i++) {
        if (!check_use(v, x->args[i], i == 0 ? first : others)) {
            return false;
        }
    }
    return true;
}

static int expected_arguments(ScalarOp op) {
    switch (op) {
    case SCALAR_CONSTANT:
    case SCALAR_INDEX:
    case SCALAR_ARGUMENT: return 0;
    case SCALAR_LOAD:
    case SCALAR_LOCAL:
    case SCALAR_NEG:
    case SCALAR_ABS:
    case SCALAR_SQRT:
    case SCALAR_FLOOR:
    case SCALAR_CEIL:
    case SCALAR_TRUNC:
    case SCALAR_ROUND:
    case SCALAR_NOT:
    case SCALAR_CAST:
    case SCALAR_BITS: return 1;
    case SCALAR_FMA:
    case SCALAR_SELECT: return 3;
    case SCALAR_LIBM: return -1;
    default: return 2;
    }
}

static bool check_kind_of_type(Verifier *v, const Scalar *x) {
    bool real = element_is_real(x->type), integer = element_is_integer(x->type);
    switch (x->op) {
    case SCALAR_ADD:
    case SCALAR_SUB:
    case SCALAR_MUL:
    case SCALAR_DIV:
    case SCALAR_NEG:
    case SCALAR_ABS:
        return real || integer || fail(v, "arithmetic on %s (s%d)", element_name(x->type), x->id);
    case SCALAR_REMAINDER:
    case SCALAR_SHIFT_LEFT:
    case SCALAR_SHIFT_RIGHT:
    case SCALAR_SHIFT_LOGICAL:
        return integer || fail(v, "integer operator on %s (s%d)", element_name(x->type), x->id);
    case SCALAR_FMA:
    case SCALAR_COPYSIGN:
    case SCALAR_SQRT:
    case SCALAR_FLOOR:
    case SCALAR_CEIL:
    case SCALAR_TRUNC:
    case SCALAR_ROUND:
    case SCALAR_SCALE:
    case SCALAR_LOOKUP:
    case SCALAR_LIBM:
        return real || fail(v, "real operator on %s (s%d)", element_name(x->type), x->id);
    case SCALAR_AND:
    case SCALAR_OR:
    case SCALAR_XOR:
        return !real || fail(v, "bitwise operator on %s (s%d)", element_name(x->type), x->id);
    case SCALAR_NOT:
        return x->type == TYPE_BOOL || fail(v, "s%d is a not of %s", x->id, element_name(x->type));
    default: return true;
    }
}

static bool check_scalar(Verifier *v, const Scalar *x) {
    int expected = expected_arguments(x->op);
    if (expected >= 0 ? x->arg_count != expected : x->arg_count < 1 || x->arg_count > 3) {
        return fail(v, "s%d has %d operands", x->id, x->arg_count);
    }
    if (!check_kind_of_type(v, x)) {
        return false;
    }
    switch (x->op) {
    case SCALAR_LOAD:
        return check_use(v, x->args[0], TYPE_I64) && check_buffer(v, x->buffer, false) &&
               (x->type == x->buffer->element ||
                fail(v, "s%d has another type than its buffer", x->id)) &&
               check_bounds(v, x->args[0], buffer_room(x->buffer), buffer_name(x->buffer));
    case SCALAR_LOCAL:
        return check_use(v, x->args[0], TYPE_I64) && check_local(v, x->local) &&
               (x->type == x->local->type ||
                fail(v, "s%d has another type than its local", x->id)) &&
               check_bounds(v, x->args[0], x->local->count, "a local");
    case SCALAR_EQ:
    case SCALAR_NE:
    case SCALAR_LT:
    case SCALAR_LE:
    case SCALAR_GT:
    case SCALAR_GE:
        return x->args[0] != NULL && check_arguments(v, x, x->args[0]->type, x->args[0]->type) &&
               (x->type == TYPE_BOOL || fail(v, "comparison s%d is not bool", x->id));
    case SCALAR_SELECT: return check_arguments(v, x, TYPE_BOOL, x->type);
    case SCALAR_CAST:
        return check_use(v, x->args[0], x->args[0]->type) &&
               (x->type != TYPE_BOOL || fail(v, "s%d is a cast to bool", x->id));
    case SCALAR_BITS:
        return check_use(v, x->args[0], x->args[0]->type) &&
               (element_bytes(x->type) == element_bytes(x->args[0]->type) ||
                fail(v, "s%d has other bits than its operand", x->id));
    default: return check_arguments(v, x, x->type, x->type);
    }
}

static bool check_block(Verifier *v, const Block *block);

// What emitters can hand to threads: one kernel, called for each of a known number of chunks, which
// is its last argument.
static bool check_parallel(Verifier *v, const Loop *loop) {
    const Block *body = &loop->body;
    const Statement *call = body->statements.count == 1 ? body->statements.at[0] : NULL;
    if (v->kernel != NULL || loop->extent->op != SCALAR_CONSTANT || call == NULL ||
        call->kind != STATEMENT_CALL) {
        return fail(v, "a parallel loop does not consist of calls of one kernel");
    }
    int count = call->kernel->argument_count;
    bool is_last = count > 0 && call->arguments[count - 1] == loop->index;
    for (int i = 0; i < count - 1; i++) {
        is_last = is_last && call->arguments[i] != loop->index;
    }
    return is_last || fail(v, "a parallel loop's index is not the last argument of its call");
}

static bool check_loop(Verifier *v, const Loop *loop) {
    if (!check_use(v, loop->extent, TYPE_I64)) {
        return false;
    }
    if (loop->index == NULL || loop->index->op != SCALAR_INDEX || loop->index->loop != loop ||
        loop->index->type != TYPE_I64 || loop->index->id >= v->scalar_count) {
        return fail(v, "a loop has no index of its own");
    }
    if (loop->kind == LOOP_PARALLEL && !check_parallel(v, loop)) {
        return false;
    }
    v->known[loop->index->id] = true;
    bool ok = check_block(v, &loop->body);
    v->known[loop->index->id] = false;
    return ok;
}

static bool check_call(Verifier *v, const Statement *s) {
    const Kernel *kernel = s->kernel;
    if (v->kernel != NULL || kernel == NULL) {
        return fail(v, "only entries call kernels");
    }
    for (int i = 0; i < kernel->buffers.count; i++) {
        const Buffer *given = s->buffers[i], *wanted = kernel->buffers.at[i];
        if (given->element != wanted->element || given->count != wanted->count) {
            return fail(v, "kernel %s is given another type of buffer", kernel->name);
        }
        if (kernel->written.at[i] && given->read_only) {
            return fail(v, "kernel %s stores to a read-only buffer", kernel->name);
        }
        for (int j = 0; j < i; j++) {
            if (s->buffers[j] == given) {
                return fail(v, "kernel %s is given one buffer twice", kernel->name);
            }
        }
    }
    for (int i = 0; i < kernel->argument_count; i++) {
        if (!check_use(v, s->arguments[i], TYPE_I64)) {
            return false;
        }
    }
    return true;
}

static bool check_transfer(Verifier *v, const Statement *s) {
    if (v->kernel != NULL) {
        return fail(v, "only entries copy whole buffers");
    }
    if (!check_buffer(v, s->target, true)) {
        return false;
    }
    if (s->kind == STATEMENT_ZERO) {
        return true;
    }
    return check_buffer(v, s->buffer, false) &&
           ((s->buffer->count == s->target->count && s->buffer->element == s->target->element) ||
            fail(v, "a copy between unlike buffers"));
}

static bool check_while(Verifier *v, const Statement *s) {
    bool *before = arena_array(&v->scratch, bool, v->scalar_count);
    memcpy(before, v->known, (size_t)v->scalar_count * sizeof *before);
    for (int part = 0; part < 2; part++) {
        const Block *block = part == 0 ? &s->body : &s->otherwise;
        for (int i = 0; i < block->statements.count; i++) {
            Block single = {0};
            vec_push(&v->scratch, &single.statements, block->statements.at[i]);
            const Statement *inner = block->statements.at[i];
            if (inner->kind == STATEMENT_SCALAR) {
                if (!check_scalar(v, inner->scalar)) {
                    return false;
                }
                v->known[inner->scalar->id] = true;
            } else if (!check_block(v, &single)) {
                return false;
            }
        }
        if (part == 0 && !check_use(v, s->condition, TYPE_BOOL)) {
            return false;
        }
    }
    memcpy(v->known, before, (size_t)v->scalar_count * sizeof *before);
    return true;
}

static bool check_present(Verifier *v, const Statement *s) {
    if (s->buffer == NULL || !s->buffer->optional) {
        return fail(v, "a test of a buffer that is not optional");
    }
    vec_push(&v->scratch, &v->present, s->buffer);
    bool ok = check_block(v, &s->body);
    v->present.count--;
    return ok;
}

static bool check_statement(Verifier *v, const Statement *s) {
    switch (s->kind) {
    case STATEMENT_SCALAR: return check_scalar(v, s->scalar);
    case STATEMENT_STORE:
        return check_buffer(v, s->buffer, true) && check_use(v, s->index, TYPE_I64) &&
               check_use(v, s->value, s->buffer->element) &&
               check_bounds(v, s->index, s->buffer->count, buffer_name(s->buffer));
    case STATEMENT_SET:
        return check_local(v, s->local) && check_use(v, s->index, TYPE_I64) &&
               check_use(v, s->value, s->local->type) &&
               check_bounds(v, s->index, s->local->count, "a local");
    case STATEMENT_LOOP: return check_loop(v, s->loop);
    case STATEMENT_IF:
        return check_use(v, s->condition, TYPE_BOOL) && check_block(v, &s->body) &&
               check_block(v, &s->otherwise);
    case STATEMENT_WHILE: return check_while(v, s);
    case STATEMENT_PRESENT: return check_present(v, s);
    case STATEMENT_CALL: return check_call(v, s);
    case STATEMENT_FAIL:
        return check_use(v, s->condition, TYPE_BOOL) &&
               ((s->site >= 0 && s->site < v->program->sites.count) ||
                fail(v, "there is no site %d", s->site)) &&
               (v->kernel == NULL || v->kernel->fails ||
                fail(v, "the kernel is not marked as failing"));
    case STATEMENT_COPY:
    case STATEMENT_ZERO: return check_transfer(v, s);
    }
    return fail(v, "unknown statement %d", (int)s->kind);
}

static bool check_block(Verifier *v, const Block *block) {
    bool ok = true;
    int done = 0;
    for (; done < block->statements.count && ok; done++) {
        const Statement *s = block->statements.at[done];
        ok = check_statement(v, s);
        if (ok && s->kind == STATEMENT_SCALAR) {
            if (v->known[s->scalar->id]) {
                ok = fail(v, "scalar s%d is computed twice", s->scalar->id);
            }
            v->known[s->scalar->id] = true;
        }
    }
    for (int i = 0; i < done; i++) {
        if (block->statements.at[i]->kind == STATEMENT_SCALAR) {
            v->known[block->statements.at[i]->scalar->id] = false;
        }
    }
    return ok;
}

static const char *verify_kernel(Arena *arena, const Program *program, const Kernel *kernel) {
    Verifier v = {.arena = arena,
                  .program = program,
                  .kernel = kernel,
                  .where = arena_format(arena, "kernel %s", kernel->name),
                  .scalar_count = kernel->scalar_count};
    v.known = arena_array(&v.scratch, bool, kernel->scalar_count + 1);
    check_block(&v, &kernel->body);
    arena_free(&v.scratch);
    return v.problem;
}

static const char *verify_entry(Arena *arena, const Program *program, const Entry *entry) {
    Verifier v = {.arena = arena,
                  .program = program,
                  .entry = entry,
                  .where = arena_format(arena, "entry %s", entry->name),
                  .scalar_count = entry->scalar_count};
    v.known = arena_array(&v.scratch, bool, entry->scalar_count + 1);
    check_block(&v, &entry->body);
    arena_free(&v.scratch);
    return v.problem;
}

static const char *verify_buffers(Arena *arena, const Program *program) {
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.at[i];
        if (buffer->id != i) {
            return arena_format(arena, "buffer %d has number %d", i, buffer->id);
        }
        if (buffer->kind == BUFFER_WORKSPACE && buffer->offset % 64 != 0) {
            return arena_format(arena, "buffer %d is not aligned", i);
        }
    }
    return NULL;
}

static int compare_names(const void *x, const void *y) {
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

// Functions of machine code and of C are called by the names of kernels.
static const char *verify_names(Arena *arena, const Program *program) {
    Arena scratch = {0};
    int count = program->kernels.count;
    const char **names = arena_array(&scratch, const char *, count + 1), *problem = NULL;
    for (int i = 0; i < count; i++) {
        names[i] = program->kernels.at[i]->name;
    }
    qsort(names, (size_t)count, sizeof *names, compare_names);
    for (int i = 1; i < count && problem == NULL; i++) {
        if (strcmp(names[i - 1], names[i]) == 0) {
            problem = arena_format(arena, "two kernels have the name '%s'", names[i]);
        }
    }
    arena_free(&scratch);
    return problem;
}

const char *verify_loops(Arena *arena, const Program *program) {
    const char *problem = verify_buffers(arena, program);
    problem = problem != NULL ? problem : verify_names(arena, program);
    for (int i = 0; i < program->kernels.count && problem == NULL; i++) {
        problem = verify_kernel(arena, program, program->kernels.at[i]);
    }
    for (int i = 0; i < program->entries.count && problem == NULL; i++) {
        problem = verify_entry(arena, program, program->entries.at[i]);
    }
    return problem;
}
