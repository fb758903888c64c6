// Every kernel is described by a row of numbers in which buffers, locals, loops and scalars are
// what they are by position, not by name or address: two kernels are the same if their rows are.
#include "codegen/share_kernels.h"

#include <assert.h>
#include <string.h>

// A new member of these is either described below or of no importance to what a kernel computes.
static_assert(sizeof(void *) != 8 || (sizeof(Scalar) == 96 && sizeof(Statement) == 136 &&
                                      sizeof(Loop) == 56 && sizeof(Local) == 24),
              "describe what was added to the loop form, then correct these sizes");

typedef struct Row {
    VEC(int64_t) words;
    uint64_t hash;
} Row;

typedef struct Describer {
    Arena *arena;
    const Program *program;
    const Kernel *kernel;
    Row *row;
    int *numbers; // by scalar id: the place in the order of computation, from 1; 0: not yet
    int next;
} Describer;

static void add_word(Describer *d, int64_t word) {
    vec_push(d->arena, &d->row->words, word);
}

static void add_string(Describer *d, const char *text) {
    int64_t length = text == NULL ? -1 : (int64_t)strlen(text);
    add_word(d, length);
    for (int64_t i = 0; i < length; i++) {
        add_word(d, text[i]);
    }
}

static void add_real(Describer *d, double value) {
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_word(d, bits);
}

static void add_buffer(Describer *d, const Buffer *buffer) {
    int number = -1;
    for (int i = 0; buffer != NULL && i < d->kernel->buffers.count; i++) {
        if (d->kernel->buffers.at[i] == buffer) {
            number = i;
        }
    }
    check(buffer == NULL || number >= 0, "kernel %s uses a buffer that it does not list",
          d->kernel->name);
    add_word(d, number);
}

// A scalar as an operand. Those without a statement are described wherever they are used.
static void add_use(Describer *d, const Scalar *x) {
    if (x == NULL) {
        add_word(d, -1);
        return;
    }
    add_word(d, d->numbers[x->id]);
    if (x->op == SCALAR_CONSTANT || x->op == SCALAR_ARGUMENT) {
        add_word(d, x->op);
        add_word(d, x->type);
        add_word(d, x->integer);
        add_real(d, x->real);
    } else {
        check(d->numbers[x->id] > 0, "a scalar of kernel %s is used before it is computed",
              d->kernel->name);
    }
}

static void add_scalar(Describer *d, const Scalar *x) {
    add_word(d, x->op);
    add_word(d, x->type);
    add_word(d, x->arg_count);
    for (int i = 0; i < x->arg_count; i++) {
        add_use(d, x->args[i]);
    }
    add_word(d, x->integer);
    add_real(d, x->real);
    add_buffer(d, x->buffer);
    add_word(d, x->local != NULL ? x->local->id : -1);
    if (x->op == SCALAR_LIBM) {
        add_string(d, x->name);
    }
    d->numbers[x->id] = ++d->next;
}

static void add_block(Describer *d, const Block *block);

// The site of a failure is part of what a kernel does: two are the same if they say the same.
static void add_site(Describer *d, int number) {
    const Site *site = &d->program->sites.at[number];
    add_word(d, site->span.file);
    add_word(d, site->span.start);
    add_word(d, site->span.end);
    add_string(d, site->message);
}

static void add_statement(Describer *d, const Statement *s) {
    add_word(d, s->kind);
    if (s->kind == STATEMENT_SCALAR) {
        add_scalar(d, s->scalar);
        return;
    }
    add_buffer(d, s->buffer);
    add_buffer(d, s->target);
    add_word(d, s->local != NULL ? s->local->id : -1);
    add_use(d, s->index);
    add_use(d, s->value);
    if (s->kind == STATEMENT_LOOP) {
        add_word(d, s->loop->kind);
        add_use(d, s->loop->extent);
        add_word(d, s->loop->room);
        d->numbers[s->loop->index->id] = ++d->next;
        add_block(d, &s->loop->body);
    }
    if (s->kind == STATEMENT_FAIL) {
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
    add_word(d, block->statements.count);
    for (int i = 0; i < block->statements.count; i++) {
        add_statement(d, block->statements.at[i]);
    }
}

static void describe_kernel(Arena *arena, const Program *program, const Kernel *kernel, Row *row) {
    Describer d = {.arena = arena, .program = program, .kernel = kernel, .row = row};
    d.numbers = arena_array(arena, int, kernel->scalar_count + 1);
    add_word(&d, kernel->buffers.count);
    for (int i = 0; i < kernel->buffers.count; i++) {
        const Buffer *buffer = kernel->buffers.at[i];
        add_word(&d, buffer->element);
        add_word(&d, buffer->count);
        add_word(&d, kernel->written.at[i]);
    }
    add_word(&d, kernel->argument_count);
    add_word(&d, kernel->fails);
    add_word(&d, kernel->locals.count);
    for (int i = 0; i < kernel->locals.count; i++) {
        add_word(&d, kernel->locals.at[i]->type);
        add_word(&d, kernel->locals.at[i]->count);
    }
    add_block(&d, &kernel->body);
    row->hash = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < row->words.count; i++) {
        row->hash = (row->hash ^ (uint64_t)row->words.at[i]) * 0xff51afd7ed558ccdu;
        row->hash ^= row->hash >> 32;
    }
}

static bool same_row(const Row *x, const Row *y) {
    return x->hash == y->hash && x->words.count == y->words.count &&
           memcmp(x->words.at, y->words.at, (size_t)x->words.count * sizeof *x->words.at) == 0;
}

// ---- names

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *text) {
    while (is_digit(*text)) {
        text++;
    }
    return text;
}

// Notes in *different which of the numbers in x are not so in y. False if anything else differs.
static bool compare_numbers(const char *x, const char *y, uint64_t *different) {
    for (int number = 0; *x != '\0' || *y != '\0';) {
        if (!is_digit(*x) && !is_digit(*y)) {
            if (*x++ != *y++) {
                return false;
            }
            continue;
        }
        const char *end_x = skip_digits(x), *end_y = skip_digits(y);
        if (end_x == x || end_y == y || number >= 64) {
            return false;
        }
        if (end_x - x != end_y - y || strncmp(x, y, (size_t)(end_x - x)) != 0) {
            *different |= (uint64_t)1 << number;
        }
        number++;
        x = end_x;
        y = end_y;
    }
    return true;
}

// The name without the numbers told, and without a `_` before them. NULL if nothing is left.
static const char *drop_numbers(Arena *arena, const char *name, uint64_t dropped) {
    char *kept = arena_array(arena, char, (int)strlen(name) + 1);
    size_t length = 0;
    int number = 0;
    while (*name != '\0') {
        if (!is_digit(*name)) {
            kept[length++] = *name++;
            continue;
        }
        const char *end = skip_digits(name);
        bool is_dropped = dropped >> number++ & 1;
        for (; name < end; name++) {
            if (!is_dropped) {
                kept[length++] = *name;
            }
        }
        if (is_dropped && length > 0 && kept[length - 1] == '_') {
            length--;
        }
    }
    kept[length] = '\0';
    return length > 0 ? kept : NULL;
}

// What the names of layers have in common: "w1_q" of "w1_q_3" and "w1_q_4". NULL if they differ in
// more than numbers.
static const char *common_name(Arena *arena, const char *const *names, int count) {
    uint64_t different = 0;
    for (int i = 0; i < count; i++) {
        if (names[i] == NULL || !compare_numbers(names[0], names[i], &different)) {
            return NULL;
        }
    }
    return different == 0 ? names[0] : drop_numbers(arena, names[0], different);
}

static const char *parameter_name(Arena *arena, const Kernel *kernel, int number,
                                  const char **names) {
    const Buffer *buffer = kernel->buffers.at[number];
    names[0] = buffer->name;
    bool is_known = buffer->name != NULL;
    for (int i = 0; i < kernel->twins.count; i++) {
        names[i + 1] = kernel->twins.at[i]->buffers.at[number]->name;
        is_known = is_known || names[i + 1] != NULL;
    }
    const char *name = common_name(arena, names, kernel->twins.count + 1);
    return name != NULL || !is_known ? name : kernel->written.at[number] ? "result" : "operand";
}

// A kernel and its parameters are named for what its calls have in common.
static void name_shared_kernel(const Program *program, Kernel *kernel, Arena *scratch) {
    Arena *arena = program->arena;
    int count = kernel->twins.count + 1;
    const char **names = arena_array(scratch, const char *, count);
    kernel->names = arena_array(arena, const char *, kernel->buffers.count + 1);
    for (int i = 0; i < kernel->buffers.count; i++) {
        kernel->names[i] = parameter_name(arena, kernel, i, names);
    }
    names[0] = kernel->name;
    for (int i = 1; i < count; i++) {
        names[i] = kernel->twins.at[i - 1]->name;
    }
    const char *name = common_name(arena, names, count);
    for (int i = 0; name != NULL && i < program->kernels.count; i++) {
        name = strcmp(program->kernels.at[i]->name, name) == 0 ? NULL : name;
    }
    kernel->name = name != NULL ? name : kernel->name;
}

// ---- the program

static int kernel_number(const Program *program, const Kernel *kernel) {
    for (int i = 0; i < program->kernels.count; i++) {
        if (program->kernels.at[i] == kernel) {
            return i;
        }
    }
    unreachable("kernel %s is not one of the program's", kernel->name);
}

// `target`: by kernel number, what is called instead of it.
static void redirect_calls(const Program *program, Kernel *const *target, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_CALL) {
            s->kernel = target[kernel_number(program, s->kernel)];
        }
        if (s->kind == STATEMENT_LOOP) {
            redirect_calls(program, target, &s->loop->body);
        }
        redirect_calls(program, target, &s->body);
        redirect_calls(program, target, &s->otherwise);
    }
}

static bool find_twins(const Program *program, Kernel **target, Arena *scratch) {
    int count = program->kernels.count;
    Row *rows = arena_array(scratch, Row, count + 1);
    bool any = false;
    for (int i = 0; i < count; i++) {
        Kernel *kernel = target[i] = program->kernels.at[i];
        describe_kernel(scratch, program, kernel, &rows[i]);
        for (int j = 0; j < i && target[i] == kernel; j++) {
            Kernel *other = program->kernels.at[j];
            if (target[j] == other && same_row(&rows[i], &rows[j])) {
                target[i] = other;
                vec_push(program->arena, &other->twins, kernel);
                any = true;
            }
        }
    }
    return any;
}

void share_kernels(Program *program) {
    Arena scratch = {0};
    int count = program->kernels.count, kept = 0;
    Kernel **target = arena_array(&scratch, Kernel *, count + 1);
    if (find_twins(program, target, &scratch)) {
        for (int i = 0; i < program->entries.count; i++) {
            redirect_calls(program, target, &program->entries.at[i]->body);
        }
        for (int i = 0; i < count; i++) {
            if (target[i] == program->kernels.at[i]) {
                program->kernels.at[kept++] = target[i];
            }
        }
        program->kernels.count = kept;
        for (int i = 0; i < kept; i++) {
            if (program->kernels.at[i]->twins.count > 0) {
                name_shared_kernel(program, program->kernels.at[i], &scratch);
            }
        }
    }
    arena_free(&scratch);
}
