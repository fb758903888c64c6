// Two kernels are the same if their descriptions are.
#include "codegen/share_kernels.h"

#include <string.h>

#include "codegen/describe.h"

typedef struct Row {
    Description description;
    uint64_t hash;
} Row;

static void make_row(Arena *arena, const Program *program, const Kernel *kernel, Row *row) {
    row->description.arena = arena;
    describe_kernel(&row->description, program, kernel);
    row->hash = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < row->description.bytes.count; i++) {
        row->hash = (row->hash ^ row->description.bytes.at[i]) * 0xff51afd7ed558ccdu;
        row->hash ^= row->hash >> 32;
    }
}

static bool same_row(const Row *x, const Row *y) {
    int count = x->description.bytes.count;
    return x->hash == y->hash && count == y->description.bytes.count &&
           memcmp(x->description.bytes.at, y->description.bytes.at, (size_t)count) == 0;
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
        make_row(scratch, program, kernel, &rows[i]);
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
