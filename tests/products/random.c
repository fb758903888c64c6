// Kernels made at random - nested loops and branches, values and locals used at all distances,
// stores between loads - are run by the emitted C and by the interpreter of support/: both leave
// the same bits. Arguments: how many programs, and the first seed; without them a few fixed ones.
#include <stdlib.h>

#include "tests/products/support/build.h"
#include "tests/products/support/compile.h"
#include "tests/products/support/interpret.h"
#include "tests/unit/expect.h"

enum { ELEMENTS = 16, BUFFERS = 4, LOCALS = 6, KERNELS = 12, MOST_VALUES = 400, TILE = 4 };

static const ElementType buffer_types[BUFFERS] = {TYPE_F64, TYPE_I64, TYPE_I32, TYPE_BOOL};
static const ElementType local_types[LOCALS] = {TYPE_F64,  TYPE_I64, TYPE_I32,
                                                TYPE_BOOL, TYPE_F64, TYPE_I32};

// What may be used at the point that is being made.
typedef struct Choice {
    Maker *maker;
    uint64_t state;
    Buffer *buffers[BUFFERS];
    Local *locals[LOCALS]; // the last two are arrays of TILE
    Scalar *values[MOST_VALUES];
    int value_count;
    int budget; // statements left
    int depth;
} Choice;

static uint64_t next(Choice *c) {
    c->state ^= c->state << 13;
    c->state ^= c->state >> 7;
    c->state ^= c->state << 17;
    return c->state * 0x2545f4914f6cdd1dULL >> 16;
}

static int below(Choice *c, int count) {
    return (int)(next(c) % (uint64_t)count);
}

static Scalar *remember(Choice *c, Scalar *scalar) {
    if (c->value_count < MOST_VALUES) {
        c->values[c->value_count++] = scalar;
    }
    return scalar;
}

static Scalar *random_constant(Choice *c, ElementType type) {
    static const double reals[] = {0, 1, -1, 0.5, -2.5, 3.25, 1e10, -7};
    static const int64_t integers[] = {0, 1, -1, 2, 7, 15, -100, 2147483647, -2147483648};
    if (type == TYPE_F64) {
        return make_real(c->maker, type, reals[below(c, 8)]);
    }
    if (type == TYPE_BOOL) {
        return make_integer(c->maker, type, below(c, 2));
    }
    return make_integer(c->maker, type, integers[below(c, 9)]);
}

// A value of the type: mostly one that was computed before, recent ones more often.
static Scalar *pick(Choice *c, ElementType type) {
    for (int attempt = 0; attempt < 8 && c->value_count; attempt++) {
        int recent = c->value_count < 4 ? c->value_count : 4;
        int from_end = below(c, below(c, 4) ? recent : c->value_count);
        Scalar *value = c->values[c->value_count - 1 - from_end];
        if (value->type == type) {
            return value;
        }
    }
    for (int i = below(c, c->value_count + 1); below(c, 8) && i < c->value_count; i++) {
        if (c->values[i]->type == type) {
            return c->values[i];
        }
    }
    return random_constant(c, type);
}

static Scalar *constant(Choice *c, ElementType type, int64_t value) {
    return make_integer(c->maker, type, value);
}

// An i64 in 0 .. size-1; `size` is a power of two.
static Scalar *random_index(Choice *c, int size) {
    Scalar *value = pick(c, TYPE_I64);
    return make(c->maker, SCALAR_AND, TYPE_I64, value, constant(c, TYPE_I64, size - 1), NULL);
}

static Scalar *random_integer_operator(Choice *c, ElementType type) {
    static const ScalarOp ops[] = {
        SCALAR_ADD,         SCALAR_SUB,        SCALAR_MUL,           SCALAR_AND, SCALAR_OR,
        SCALAR_XOR,         SCALAR_DIV,        SCALAR_REMAINDER,     SCALAR_NEG, SCALAR_ABS,
        SCALAR_SHIFT_RIGHT, SCALAR_SHIFT_LEFT, SCALAR_SHIFT_LOGICAL, SCALAR_ADD, SCALAR_SUB,
        SCALAR_MUL};
    ScalarOp op = ops[below(c, 16)];
    Scalar *x = pick(c, type), *y = pick(c, type);
    if (op == SCALAR_NEG || op == SCALAR_ABS) {
        return make(c->maker, op, type, x, NULL, NULL);
    }
    if (op == SCALAR_DIV || op == SCALAR_REMAINDER) { // both not negative, the second positive
        Scalar *mask = constant(c, type, 1023);
        x = make(c->maker, SCALAR_AND, type, x, mask, NULL);
        y = make(c->maker, SCALAR_AND, type, y, mask, NULL);
        y = make(c->maker, SCALAR_ADD, type, y, constant(c, type, 1), NULL);
    } else if (op >= SCALAR_SHIFT_LEFT && op <= SCALAR_SHIFT_LOGICAL) {
        y = make(c->maker, SCALAR_AND, type, y, constant(c, type, 31), NULL);
    }
    return make(c->maker, op, type, x, y, NULL);
}

static Scalar *random_real_operator(Choice *c) {
    static const ScalarOp ops[] = {SCALAR_ADD, SCALAR_SUB,      SCALAR_MUL,
                                   SCALAR_DIV, SCALAR_COPYSIGN, SCALAR_NEG,
                                   SCALAR_ABS, SCALAR_FLOOR,    SCALAR_SQRT};
    ScalarOp op = ops[below(c, 2) ? below(c, 4) : below(c, 9)];
    Scalar *x = pick(c, TYPE_F64);
    return make(c->maker, op, TYPE_F64, x,
                op <= SCALAR_DIV || op == SCALAR_COPYSIGN ? pick(c, TYPE_F64) : NULL, NULL);
}

static Scalar *random_bool_operator(Choice *c) {
    int kind = below(c, 5);
    if (kind == 0) {
        return make(c->maker, SCALAR_NOT, TYPE_BOOL, pick(c, TYPE_BOOL), NULL, NULL);
    }
    if (kind == 1) {
        ScalarOp op = (ScalarOp)(SCALAR_AND + below(c, 3));
        Scalar *x = pick(c, TYPE_BOOL), *y = pick(c, TYPE_BOOL);
        return make(c->maker, op, TYPE_BOOL, x, y, NULL);
    }
    ElementType type = buffer_types[below(c, BUFFERS)];
    Scalar *x = pick(c, type), *y = pick(c, type);
    return make(c->maker, (ScalarOp)(SCALAR_EQ + below(c, 6)), TYPE_BOOL, x, y, NULL);
}

static Scalar *random_load(Choice *c) {
    Buffer *buffer = c->buffers[below(c, BUFFERS)];
    return make_load(c->maker, buffer, random_index(c, ELEMENTS));
}

static Scalar *random_read(Choice *c) {
    Local *local = c->locals[below(c, LOCALS)];
    return make_read(c->maker, local, local->count > 1 ? random_index(c, TILE) : NULL);
}

static Scalar *random_scalar(Choice *c) {
    static const char *const names[] = {"h", "x", "i"};
    ElementType type = buffer_types[below(c, BUFFERS)];
    Scalar *made;
    switch (below(c, 9)) {
    case 0:
    case 1: made = random_load(c); break;
    case 2: made = random_read(c); break;
    case 3: made = random_real_operator(c); break;
    case 4: made = random_bool_operator(c); break;
    case 5: {
        Scalar *condition = pick(c, TYPE_BOOL), *x = pick(c, type), *y = pick(c, type);
        made = make(c->maker, SCALAR_SELECT, type, condition, x, y);
        break;
    }
    case 6:
        made =
            make(c->maker, SCALAR_CAST, type, pick(c, buffer_types[below(c, BUFFERS)]), NULL, NULL);
        break;
    default: made = random_integer_operator(c, below(c, 2) ? TYPE_I64 : TYPE_I32); break;
    }
    made->name = below(c, 8) ? NULL : names[below(c, 3)];
    return remember(c, made);
}

static void random_store(Choice *c) {
    Buffer *buffer = c->buffers[below(c, BUFFERS)];
    Scalar *index = random_index(c, ELEMENTS), *value = pick(c, buffer->element);
    if (below(c, 2) && (buffer->element == TYPE_F64 || buffer->element == TYPE_I32)) {
        Scalar *old = make_load(c->maker, buffer, index);
        value = make(c->maker, SCALAR_ADD, buffer->element, old, value, NULL);
    }
    add_store(c->maker, buffer, index, value);
}

static void random_set(Choice *c) {
    Local *local = c->locals[below(c, LOCALS)];
    Scalar *index = local->count > 1 ? random_index(c, TILE) : NULL;
    Scalar *value = pick(c, local->type);
    if (below(c, 2) && local->type == TYPE_F64) {
        Scalar *old = make_read(c->maker, local, index);
        value = make(c->maker, SCALAR_MUL, TYPE_F64, old, value, NULL);
    }
    add_set(c->maker, local, index, value);
}

static void random_block(Choice *c);

static void random_inner(Choice *c) {
    int known = c->value_count;
    c->depth++;
    random_block(c);
    c->depth--;
    c->value_count = known; // what was computed inside is not visible outside
}

static void random_loop(Choice *c) {
    static const char *const names[] = {"i", "j", "k", "row"};
    int known = c->value_count;
    Scalar *index;
    if (below(c, 4)) {
        index = open_loop(c->maker, names[below(c, 4)], 1 + below(c, 4));
    } else {
        Scalar *extent = random_index(c, 4);
        index = open_loop_to(c->maker, names[below(c, 4)], extent);
    }
    remember(c, index);
    random_inner(c);
    close_block(c->maker);
    c->value_count = known;
}

static void random_if(Choice *c) {
    Statement *branch = open_if(c->maker, pick(c, TYPE_BOOL));
    random_inner(c);
    if (below(c, 2)) {
        open_otherwise(c->maker, branch, NULL);
        random_inner(c);
    }
    close_block(c->maker);
}

// A local that is set in the first iteration alone and lives on in the others.
static void random_carried(Choice *c) {
    Maker *m = c->maker;
    Local *carried = add_local(m, "carried", TYPE_F64, 1);
    int known = c->value_count;
    Scalar *index = open_loop(m, "i", 2 + below(c, 3));
    Scalar *is_first = make(m, SCALAR_EQ, TYPE_BOOL, index, constant(c, TYPE_I64, 0), NULL);
    open_if(m, is_first);
    add_set(m, carried, NULL, pick(c, TYPE_F64));
    close_block(m);
    Scalar *old = remember(c, make_read(m, carried, NULL));
    Scalar *sum = make(m, SCALAR_ADD, TYPE_F64, old, make_real(m, TYPE_F64, 0.5), NULL);
    add_set(m, carried, NULL, sum);
    Scalar *at = make(m, SCALAR_AND, TYPE_I64, index, constant(c, TYPE_I64, 3), NULL);
    add_store(m, c->buffers[0], at, old);
    close_block(m);
    c->value_count = known;
}

// At most four rounds, counted in a local of its own.
static void random_while(Choice *c) {
    Maker *m = c->maker;
    int known = c->value_count;
    Local *rounds = add_local(m, "rounds", TYPE_I64, 1);
    add_set(m, rounds, NULL, constant(c, TYPE_I64, 0));
    Statement *loop = open_while(m);
    Scalar *more = make(m, SCALAR_LT, TYPE_BOOL, make_read(m, rounds, NULL),
                        constant(c, TYPE_I64, 1 + below(c, 3)), NULL);
    random_scalar(c);
    random_scalar(c);
    if (below(c, 2)) {
        random_store(c);
    }
    Scalar *wanted = make(m, SCALAR_AND, TYPE_BOOL, more, pick(c, TYPE_BOOL), NULL);
    open_otherwise(m, loop, wanted);
    Scalar *next_round =
        make(m, SCALAR_ADD, TYPE_I64, make_read(m, rounds, NULL), constant(c, TYPE_I64, 1), NULL);
    add_set(m, rounds, NULL, next_round);
    random_inner(c);
    close_block(m);
    c->value_count = known;
}

static void random_block(Choice *c) {
    int statements = 3 + below(c, 10);
    for (int i = 0; i < statements && c->budget > 0; i++, c->budget--) {
        int kind = below(c, 26);
        if (kind < 14) {
            random_scalar(c);
        } else if (kind < 17) {
            random_store(c);
        } else if (kind < 20) {
            random_set(c);
        } else if (kind == 20) {
            add_fail(c->maker,
                     make(c->maker, SCALAR_AND, TYPE_BOOL, pick(c, TYPE_BOOL),
                          make(c->maker, SCALAR_EQ, TYPE_BOOL, pick(c, TYPE_I64),
                               constant(c, TYPE_I64, 99), NULL),
                          NULL),
                     0);
        } else if (c->depth < 3) {
            kind == 21   ? random_if(c)
            : kind == 22 ? random_while(c)
            : kind == 23 ? random_carried(c)
                         : random_loop(c);
        }
    }
}

// Most of what was computed shows in the buffers: element by element, values are combined with what
// is there.
static void store_values(Choice *c) {
    Maker *m = c->maker;
    for (int i = 0; i < c->value_count; i++) {
        Scalar *value = c->values[i];
        Scalar *at = constant(c, TYPE_I64, i % ELEMENTS);
        for (int k = 0; k < BUFFERS && below(c, 3); k++) {
            ElementType type = buffer_types[k];
            if (type == value->type) {
                ScalarOp op = type == TYPE_BOOL ? SCALAR_XOR : SCALAR_SUB;
                Scalar *old = make_load(m, c->buffers[k], at);
                bool swapped = below(c, 2);
                Scalar *x = swapped ? old : value, *y = swapped ? value : old;
                add_store(m, c->buffers[k], at, make(m, op, type, x, y, NULL));
            }
        }
    }
}

static Kernel *random_kernel(Maker *m, uint64_t seed, int number) {
    Kernel *kernel = start_kernel(m, arena_format(m->arena, "k%d", number), "made at random");
    Choice choice = {
        .maker = m, .state = seed * 0x9e3779b97f4a7c15ULL + 88172645463325252ULL, .budget = 80};
    Choice *c = &choice;
    for (int i = 0; i < BUFFERS; i++) {
        c->buffers[i] = add_parameter(m, "x", buffer_types[i], ELEMENTS, true);
    }
    for (int i = 0; i < LOCALS; i++) {
        bool tile = i >= LOCALS - 2;
        c->locals[i] = add_local(m, tile ? "tile" : "h", local_types[i], tile ? TILE : 1);
    }
    // A local has no value before it is set.
    for (int i = LOCALS - 2; i < LOCALS; i++) {
        Scalar *index = open_loop(m, "i", TILE);
        add_set(m, c->locals[i], index, random_constant(c, local_types[i]));
        close_block(m);
    }
    for (int i = 0; i < LOCALS - 2; i++) {
        add_set(m, c->locals[i], NULL, random_constant(c, local_types[i]));
    }
    remember(c, make_argument(m, 0));
    for (int i = 0; i < 3 * BUFFERS; i++) {
        Scalar *place = constant(c, TYPE_I64, (3 * i + 1) % ELEMENTS);
        remember(c, make_load(m, c->buffers[i % BUFFERS], place));
    }
    random_block(c);
    random_block(c);
    store_values(c);
    kernel->fails = true;
    return kernel;
}

typedef struct Memory {
    double reals[ELEMENTS];
    int64_t large[ELEMENTS];
    int32_t small[ELEMENTS];
    uint8_t truths[ELEMENTS];
} Memory;

static Memory start_memory(void) {
    Memory memory;
    memset(&memory, 0, sizeof memory);
    for (int i = 0; i < ELEMENTS; i++) {
        memory.reals[i] = i * 0.75 - 5;
        memory.large[i] = (int64_t)i * 1000000007 - 3;
        memory.small[i] = i * 77 - 300;
        memory.truths[i] = i % 3 == 0;
    }
    return memory;
}

static bool same_memory(const Memory *x, const Memory *y) {
    bool same = memcmp(x->large, y->large, sizeof x->large) == 0 &&
                memcmp(x->small, y->small, sizeof x->small) == 0 &&
                memcmp(x->truths, y->truths, sizeof x->truths) == 0;
    for (int i = 0; i < ELEMENTS; i++) {
        same = same && same_number(TYPE_F64, number_at(TYPE_F64, x->reals, i),
                                   number_at(TYPE_F64, y->reals, i));
    }
    return same;
}

static void check_program(Maker *m, const Loaded *loaded, const char *compiler, uint64_t seed) {
    for (int k = 0; k < KERNELS; k++) {
        Memory expected = start_memory(), got = start_memory();
        void *data[] = {expected.reals, expected.large, expected.small, expected.truths};
        void *outputs[] = {got.reals, got.large, got.small, got.truths};
        int64_t argument = 5;
        int status = interpret_kernel(m->arena, m->program->kernels.at[k], data, &argument);
        CallArguments arguments = {0};
        arguments.groups[GROUP_OUTPUTS] = outputs;
        int got_status = loaded_call(loaded, m->program->entries.at[k], &arguments);
        if (!EXPECT(got_status == status) || !EXPECT(same_memory(&expected, &got))) {
            fprintf(stderr, "  seed %llu, kernel k%d, CC='%s'\n", (unsigned long long)seed, k,
                    compiler);
        }
    }
}

static void run_seed(uint64_t seed, bool everywhere) {
    Arena arena = {0};
    Maker maker = start_program(&arena, "random"), *m = &maker;
    add_site(m, "a place");
    Kernel *kernels[KERNELS];
    for (int k = 0; k < KERNELS; k++) {
        kernels[k] = random_kernel(m, seed * KERNELS + (uint64_t)k, k);
    }
    for (int k = 0; k < KERNELS; k++) {
        start_entry(m, arena_format(&arena, "run%d", k));
        Buffer *buffers[BUFFERS];
        static const char *const names[] = {"reals", "large", "small", "truths"};
        for (int i = 0; i < BUFFERS; i++) {
            buffers[i] = add_field(m, GROUP_OUTPUTS, names[i], buffer_types[i], ELEMENTS);
        }
        add_call(m, kernels[k], buffers, (Scalar *[]){make_integer(m, TYPE_I64, 5)});
    }
    int tried = 0;
    EXPECT(!everywhere || compile_everywhere(m->program, &tried) == 0);
    static const char *const compilers[] = {"gcc -fsanitize=undefined -fno-sanitize-recover=all",
                                            "cc", "clang", "llvm"};
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
        Loaded *loaded = load_with(&arena, m->program, compilers[i], 1);
        if (EXPECT(loaded != NULL)) {
            check_program(m, loaded, compilers[i], seed);
            loaded_free(loaded);
        }
    }
    arena_free(&arena);
}

int main(int count, char **arguments) {
    int programs = count > 1 ? atoi(arguments[1]) : 4;
    uint64_t first = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    for (int i = 0; i < programs; i++) {
        run_seed(first + (uint64_t)i, i == 0);
    }
    return expect_result();
}
