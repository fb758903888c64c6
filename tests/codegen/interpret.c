#include "tests/codegen/interpret.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/op.h"

typedef struct Cell {
    double real;
    int64_t integer; // of integers and bool
} Cell;

typedef struct Frame {
    Interpretation *run;
    const Kernel *kernel; // NULL: the entry
    Cell *scalars;        // by id
    Cell **locals;        // by id
    const int64_t *arguments;
    unsigned char **memory; // of each buffer of the kernel
    unsigned char *workspace;
    const Entry *entry;
    int status; // not 0: it ends
} Frame;

static bool go_wrong(Frame *f, const char *what) {
    if (f->run->error == NULL) {
        f->run->error = arena_format(f->run->arena, "%s: %s",
                                     f->kernel != NULL ? f->kernel->name : f->entry->name, what);
    }
    f->status = -1;
    return false;
}

static const double one_f64 = 1;
static const float one_f32 = 1;

static unsigned char *entry_memory(Frame *f, const Buffer *buffer) {
    switch (buffer->kind) {
    case BUFFER_FIELD: {
        void *pointer = f->run->fields[buffer->group][buffer->field];
        if (pointer == NULL && buffer->default_one) {
            return buffer->element == TYPE_F32 ? (unsigned char *)(uintptr_t)&one_f32
                                               : (unsigned char *)(uintptr_t)&one_f64;
        }
        return pointer;
    }
    case BUFFER_WORKSPACE: {
        size_t bytes = (size_t)buffer_room(buffer) * element_bytes(buffer->element);
        if (buffer->offset + bytes > f->entry->workspace_bytes) {
            go_wrong(f, "a temporary lies outside of the workspace");
        }
        if (buffer->result != NULL) {
            void *result = f->run->fields[buffer->result->group][buffer->result->field];
            return result != NULL ? result : f->workspace + buffer->offset;
        }
        return f->workspace + buffer->offset;
    }
    case BUFFER_CONSTANT: return (unsigned char *)(uintptr_t)buffer->data;
    }
    return NULL;
}

static unsigned char *memory_of(Frame *f, const Buffer *buffer) {
    if (f->kernel == NULL) {
        return entry_memory(f, buffer);
    }
    for (int i = 0; i < f->kernel->buffers.count; i++) {
        if (f->kernel->buffers.at[i] == buffer) {
            return f->memory[i];
        }
    }
    go_wrong(f, "a buffer is not listed");
    return NULL;
}

static bool check_access(Frame *f, const Buffer *buffer, const unsigned char *memory, int64_t index,
                         int64_t count) {
    if (memory == NULL) {
        return go_wrong(f, arena_format(f->run->arena, "%s is not there", buffer->name));
    }
    if (index < 0 || index >= count) {
        return go_wrong(f, arena_format(f->run->arena, "index %lld of %s, which has %lld elements",
                                        (long long)index, buffer->name ? buffer->name : "?",
                                        (long long)count));
    }
    return true;
}

static Cell load(Frame *f, const Buffer *buffer, int64_t index) {
    const unsigned char *memory = memory_of(f, buffer);
    Cell cell = {0};
    if (!check_access(f, buffer, memory, index, buffer_room(buffer))) {
        return cell;
    }
    const unsigned char *at = memory + (size_t)index * element_bytes(buffer->element);
    float single;
    int32_t narrow;
    switch (buffer->element) {
    case TYPE_BOOL:
        cell.integer = *at;
        if (*at > 1) {
            go_wrong(f, "a bool is neither 0 nor 1");
        }
        break;
    case TYPE_I32:
        memcpy(&narrow, at, sizeof narrow);
        cell.integer = narrow;
        break;
    case TYPE_I64: memcpy(&cell.integer, at, sizeof cell.integer); break;
    case TYPE_F32:
        memcpy(&single, at, sizeof single);
        cell.real = (double)single;
        break;
    default: memcpy(&cell.real, at, sizeof cell.real); break;
    }
    return cell;
}

static void store(Frame *f, const Buffer *buffer, int64_t index, Cell cell) {
    unsigned char *memory = memory_of(f, buffer);
    if (!check_access(f, buffer, memory, index, buffer->count)) {
        return;
    }
    unsigned char *at = memory + (size_t)index * element_bytes(buffer->element);
    float single = (float)cell.real;
    int32_t narrow = (int32_t)cell.integer;
    switch (buffer->element) {
    case TYPE_BOOL: *at = (unsigned char)cell.integer; break;
    case TYPE_I32: memcpy(at, &narrow, sizeof narrow); break;
    case TYPE_I64: memcpy(at, &cell.integer, sizeof cell.integer); break;
    case TYPE_F32: memcpy(at, &single, sizeof single); break;
    default: memcpy(at, &cell.real, sizeof cell.real); break;
    }
}

static int64_t wrap(ElementType type, uint64_t bits) {
    if (type == TYPE_I32) {
        int32_t narrow;
        uint32_t low = (uint32_t)bits;
        memcpy(&narrow, &low, sizeof narrow);
        return narrow;
    }
    int64_t wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

static Cell integer_result(Frame *f, const Scalar *x, const Cell *a) {
    uint64_t p = (uint64_t)a[0].integer, q = (uint64_t)a[1].integer;
    int64_t sp = a[0].integer, sq = a[1].integer;
    uint64_t low = x->type == TYPE_I32 ? p & 0xffffffffu : p;
    uint64_t result = 0;
    bool amount_ok = sq >= 0 && sq < (x->type == TYPE_I32 ? 32 : 64);
    switch (x->op) {
    case SCALAR_ADD: result = p + q; break;
    case SCALAR_SUB: result = p - q; break;
    case SCALAR_MUL: result = p * q; break;
    case SCALAR_DIV:
    case SCALAR_REMAINDER:
        if (sp < 0 || sq <= 0) {
            go_wrong(f, "a division of integers out of its range");
            break;
        }
        result = x->op == SCALAR_DIV ? p / q : p % q;
        break;
    case SCALAR_NEG: result = 0 - p; break;
    case SCALAR_ABS: result = sp < 0 ? 0 - p : p; break;
    case SCALAR_AND: result = p & q; break;
    case SCALAR_OR: result = p | q; break;
    case SCALAR_XOR: result = p ^ q; break;
    case SCALAR_NOT: result = !p; break;
    case SCALAR_SHIFT_LEFT:
    case SCALAR_SHIFT_RIGHT:
    case SCALAR_SHIFT_LOGICAL:
        if (!amount_ok) {
            go_wrong(f, "a shift out of its range");
            break;
        }
        result = x->op == SCALAR_SHIFT_LEFT      ? p << q
                 : x->op == SCALAR_SHIFT_LOGICAL ? low >> q
                                                 : (uint64_t)(sp < 0 ? ~(~sp >> sq) : sp >> sq);
        break;
    default: go_wrong(f, "an unknown integer operator");
    }
    return (Cell){.integer = wrap(x->type, result)};
}

static void compute(Frame *f, const Scalar *x);

// Each is made once.
static const MathFunction *find_half(Interpretation *run, const Scalar *x) {
    for (int i = 0; i < run->halves.count; i++) {
        const MathFunction *half = run->halves.at[i];
        if (half->type == x->type && strcmp(half->name, x->name) == 0) {
            return half;
        }
    }
    const MathFunction *half =
        math_function(run->arena, x->name, x->type, (MathAbilities){.branch = true});
    if (half != NULL) {
        vec_push(run->arena, &run->halves, half);
    }
    return half;
}

// Halves of functions are no functions of libm: their steps are computed.
static Cell half_value(Frame *f, const Scalar *x, const Cell *a) {
    const MathFunction *half = find_half(f->run, x);
    Frame inside = {.run = f->run};
    if (half == NULL) {
        go_wrong(f, "an unknown half of a function");
        return (Cell){0};
    }
    inside.scalars = arena_array(f->run->arena, Cell, half->scalar_count);
    for (int i = 0; i < half->arity; i++) {
        inside.scalars[half->arguments[i]->id] = a[i];
    }
    for (int i = 0; i < half->steps.count; i++) {
        compute(&inside, half->steps.at[i]);
    }
    return inside.scalars[half->result->id];
}

static double libm_value(Frame *f, const Scalar *x, double a, double b) {
    const double arguments[3] = {a, b, 0};
    const char *name = strcmp(x->name, "erf_in_sum") == 0 ? "erf" : x->name; // its short form
    Op op;
    if (!op_from_name(name, &op)) {
        go_wrong(f, "an unknown function of libm");
        return 0;
    }
    return scalar_real(op, x->type, arguments);
}

static Cell real_result(Frame *f, const Scalar *x, const Cell *a) {
    double p = a[0].real, q = a[1].real, result = 0;
    if (x->op == SCALAR_LIBM && x->name[math_base_length(x->name)] != '\0') {
        return half_value(f, x, a);
    }
    switch (x->op) {
    case SCALAR_ADD: result = p + q; break;
    case SCALAR_SUB: result = p - q; break;
    case SCALAR_MUL: result = p * q; break;
    case SCALAR_DIV: result = p / q; break;
    case SCALAR_FMA: result = fma(p, q, a[2].real); break;
    case SCALAR_NEG: result = -p; break;
    case SCALAR_ABS: result = fabs(p); break;
    case SCALAR_COPYSIGN: result = copysign(p, q); break;
    case SCALAR_SQRT: result = sqrt(p); break;
    case SCALAR_FLOOR: result = floor(p); break;
    case SCALAR_CEIL: result = ceil(p); break;
    case SCALAR_TRUNC: result = trunc(p); break;
    case SCALAR_ROUND: result = nearbyint(p); break;
    case SCALAR_LIBM: result = libm_value(f, x, p, q); break;
    default: go_wrong(f, "an unknown real operator");
    }
    return (Cell){.real = x->type == TYPE_F32 ? (double)(float)result : result};
}

static Cell compare(const Scalar *x, const Cell *a) {
    bool real = element_is_real(x->args[0]->type);
    double p = a[0].real, q = a[1].real;
    int64_t m = a[0].integer, n = a[1].integer;
    bool holds = false;
    switch (x->op) {
    case SCALAR_EQ: holds = real ? p == q : m == n; break;
    case SCALAR_NE: holds = real ? p != q : m != n; break;
    case SCALAR_LT: holds = real ? p < q : m < n; break;
    case SCALAR_LE: holds = real ? p <= q : m <= n; break;
    case SCALAR_GT: holds = real ? p > q : m > n; break;
    default: holds = real ? p >= q : m >= n; break;
    }
    return (Cell){.integer = holds};
}

static Cell convert(const Scalar *x, Cell a) {
    ElementType from = x->args[0]->type;
    if (element_is_real(x->type)) {
        double value = element_is_real(from) ? a.real : (double)a.integer;
        float single = element_is_real(from) ? (float)a.real : (float)a.integer;
        return (Cell){.real = x->type == TYPE_F32 ? (double)single : value};
    }
    if (!element_is_real(from)) {
        return (Cell){.integer = wrap(x->type, (uint64_t)a.integer)};
    }
    double whole = trunc(a.real), limit = x->type == TYPE_I32 ? 0x1p31 : 0x1p63;
    return (Cell){.integer = whole >= -limit && whole < limit ? (int64_t)whole : 0};
}

static Cell same_bits(const Scalar *x, Cell a) {
    Cell cell = {0};
    float single = (float)a.real;
    int32_t narrow = (int32_t)a.integer;
    switch (x->type) {
    case TYPE_I32:
        memcpy(&narrow, &single, sizeof narrow);
        cell.integer = narrow;
        break;
    case TYPE_I64: memcpy(&cell.integer, &a.real, sizeof cell.integer); break;
    case TYPE_F32:
        memcpy(&single, &narrow, sizeof single);
        cell.real = (double)single;
        break;
    default: memcpy(&cell.real, &a.integer, sizeof cell.real); break;
    }
    return cell;
}

static Cell value_of(Frame *f, const Scalar *x) {
    if (x->op == SCALAR_CONSTANT) {
        return (Cell){.real = x->real, .integer = x->integer};
    }
    if (x->op == SCALAR_ARGUMENT && x->type == TYPE_I64) {
        return (Cell){.integer = f->arguments[x->integer]};
    }
    return f->scalars[x->id];
}

static Cell local_cell(Frame *f, const Local *local, int64_t index) {
    if (index < 0 || index >= local->count) {
        go_wrong(f, "an index is outside of a local");
        return (Cell){0};
    }
    return f->locals[local->id][index];
}

static void compute(Frame *f, const Scalar *x) {
    Cell a[3] = {{0}};
    for (int i = 0; i < x->arg_count; i++) {
        a[i] = value_of(f, x->args[i]);
    }
    Cell result;
    switch (x->op) {
    case SCALAR_LOAD: result = load(f, x->buffer, a[0].integer); break;
    case SCALAR_LOCAL: result = local_cell(f, x->local, a[0].integer); break;
    case SCALAR_EQ:
    case SCALAR_NE:
    case SCALAR_LT:
    case SCALAR_LE:
    case SCALAR_GT:
    case SCALAR_GE: result = compare(x, a); break;
    case SCALAR_SELECT: result = a[0].integer ? a[1] : a[2]; break;
    case SCALAR_CAST: result = convert(x, a[0]); break;
    case SCALAR_BITS: result = same_bits(x, a[0]); break;
    default: result = element_is_real(x->type) ? real_result(f, x, a) : integer_result(f, x, a);
    }
    f->scalars[x->id] = result;
}

static void run_block(Frame *f, const Block *block);

static void run_loop(Frame *f, const Loop *loop) {
    int64_t extent = value_of(f, loop->extent).integer;
    bool free_order = loop->kind == LOOP_VECTOR || loop->kind == LOOP_PARALLEL;
    for (int64_t i = 0; i < extent && f->status == 0; i++) {
        int64_t at = f->run->backwards && free_order ? extent - 1 - i : i;
        f->scalars[loop->index->id].integer = at;
        run_block(f, &loop->body);
    }
}

static void poison_locals(Frame *f, Local *const *locals, int count) {
    f->locals = arena_array(f->run->arena, Cell *, count);
    for (int i = 0; i < count; i++) {
        f->locals[i] = arena_array(f->run->arena, Cell, locals[i]->count);
        for (int j = 0; j < locals[i]->count; j++) {
            f->locals[i][j] = (Cell){.real = (double)NAN, .integer = 77};
        }
    }
}

// A kernel's pointers are restrict: what it stores to meets nothing else it is
// given.
static void check_overlap(Frame *f, const Statement *s, unsigned char *const *memory) {
    for (int i = 0; i < s->kernel->buffers.count; i++) {
        for (int j = 0; j < s->kernel->buffers.count; j++) {
            size_t first =
                (size_t)buffer_room(s->buffers[i]) * element_bytes(s->buffers[i]->element);
            size_t second =
                (size_t)buffer_room(s->buffers[j]) * element_bytes(s->buffers[j]->element);
            if (i != j && s->kernel->written.at[i] && memory[i] != NULL && memory[j] != NULL &&
                memory[i] < memory[j] + second && memory[j] < memory[i] + first) {
                go_wrong(f, arena_format(f->run->arena, "%s is given overlapping buffers",
                                         s->kernel->name));
            }
        }
    }
}

static void call(Frame *f, const Statement *s) {
    const Kernel *kernel = s->kernel;
    Frame inner = {.run = f->run, .kernel = kernel, .entry = f->entry};
    inner.scalars = arena_array(f->run->arena, Cell, kernel->scalar_count);
    poison_locals(&inner, kernel->locals.at, kernel->locals.count);
    int64_t *arguments = arena_array(f->run->arena, int64_t, kernel->argument_count);
    for (int i = 0; i < kernel->argument_count; i++) {
        arguments[i] = value_of(f, s->arguments[i]).integer;
    }
    inner.arguments = arguments;
    inner.memory = arena_array(f->run->arena, unsigned char *, kernel->buffers.count);
    for (int i = 0; i < kernel->buffers.count; i++) {
        inner.memory[i] = entry_memory(f, s->buffers[i]);
    }
    check_overlap(f, s, inner.memory);
    run_block(&inner, &kernel->body);
    f->status = f->status == 0 ? inner.status : f->status;
}

static void transfer(Frame *f, const Statement *s) {
    size_t bytes = (size_t)s->target->count * element_bytes(s->target->element);
    unsigned char *to = entry_memory(f, s->target);
    if (bytes == 0) {
        return;
    }
    if (s->kind == STATEMENT_ZERO) {
        memset(to, 0, bytes);
    } else {
        memcpy(to, entry_memory(f, s->buffer), bytes);
    }
}

static void run_statement(Frame *f, const Statement *s) {
    switch (s->kind) {
    case STATEMENT_SCALAR: compute(f, s->scalar); break;
    case STATEMENT_STORE:
        store(f, s->buffer, value_of(f, s->index).integer, value_of(f, s->value));
        break;
    case STATEMENT_SET: {
        int64_t index = value_of(f, s->index).integer;
        local_cell(f, s->local, index);
        if (f->status == 0) {
            f->locals[s->local->id][index] = value_of(f, s->value);
        }
        break;
    }
    case STATEMENT_LOOP: run_loop(f, s->loop); break;
    case STATEMENT_IF:
        run_block(f, value_of(f, s->condition).integer ? &s->body : &s->otherwise);
        break;
    case STATEMENT_WHILE:
        for (;;) {
            run_block(f, &s->body);
            if (f->status != 0 || !value_of(f, s->condition).integer) {
                break;
            }
            run_block(f, &s->otherwise);
        }
        break;
    case STATEMENT_PRESENT:
        if (memory_of(f, s->buffer) != NULL) {
            run_block(f, &s->body);
        }
        break;
    case STATEMENT_CALL: call(f, s); break;
    case STATEMENT_FAIL:
        if (value_of(f, s->condition).integer) {
            f->status = STATUS_FIRST_SITE + s->site;
        }
        break;
    case STATEMENT_COPY:
    case STATEMENT_ZERO: transfer(f, s); break;
    }
}

static void run_block(Frame *f, const Block *block) {
    for (int i = 0; i < block->statements.count && f->status == 0; i++) {
        run_statement(f, block->statements.at[i]);
    }
}

int interpret(const Program *program, const Entry *entry, Interpretation *run) {
    Frame f = {.run = run, .entry = entry};
    run->error = NULL;
    f.scalars = arena_array(run->arena, Cell, entry->scalar_count);
    f.workspace = arena_alloc(run->arena, entry->workspace_bytes + 1);
    memset(f.workspace, 0xff, entry->workspace_bytes);
    poison_locals(&f, entry->locals.at, entry->locals.count);
    run_block(&f, &entry->body);
    return f.status;
}
