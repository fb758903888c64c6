// Programs made by hand, each with one thing that the C emitter must not get wrong: their C
// compiles everywhere without warnings and computes the numbers that the test computes by itself.
#include <math.h>
#include <stdlib.h>

#include "tests/products/support/build.h"
#include "tests/products/support/compile.h"
#include "tests/unit/expect.h"

// Runs `check_run` with the program compiled by each compiler there is.
static void run_everywhere(Maker *maker, void (*check_run)(const Program *, const Loaded *)) {
    int tried = 0;
    EXPECT(compile_everywhere(maker->program, &tried) == 0);
    EXPECT(tried >= 4);
    for (const char *const *compiler = engine_compilers(); *compiler; compiler++) {
        for (int level = 0; level <= 3; level += 3) {
            Loaded *loaded = load_with(maker->arena, maker->program, *compiler, level);
            if (EXPECT(loaded != NULL)) {
                check_run(maker->program, loaded);
                loaded_free(loaded);
            }
        }
    }
}

static Scalar *index_of(Maker *m, Scalar *row, int64_t width, Scalar *column) {
    Scalar *start = make(m, SCALAR_MUL, TYPE_I64, row, make_integer(m, TYPE_I64, width), NULL);
    return make(m, SCALAR_ADD, TYPE_I64, start, column, NULL);
}

// h = relu(x @ w + b), and its sum; with the product in an accumulator.
static void check_layer(const Program *program, const Loaded *loaded) {
    float x[6], w[12], b[4], h[8], total = -1;
    for (int i = 0; i < 12; i++) {
        x[i % 6] = (float)(i % 6) - 2.5f;
        w[i] = (float)((i * 7) % 5) - 2.0f;
        b[i % 4] = 0.25f * (float)(i % 4);
    }
    void *inputs[] = {x}, *params[] = {w, b}, *outputs[] = {h, &total};
    CallArguments arguments = {0};
    arguments.groups[GROUP_INPUTS] = inputs;
    arguments.groups[GROUP_PARAMS] = params;
    arguments.groups[GROUP_OUTPUTS] = outputs;
    const Entry *entry = program->entries.at[0];
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_DONE);
    float sum = 0;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 4; j++) {
            float product = 0;
            for (int k = 0; k < 3; k++) {
                product += x[i * 3 + k] * w[k * 4 + j];
            }
            float expected = product + b[j] > 0 ? product + b[j] : 0;
            EXPECT(fabsf(h[i * 4 + j] - expected) < 1e-5f);
            sum += expected;
        }
    }
    EXPECT(fabsf(total - sum) < 1e-4f);
    params[1] = NULL;
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_NULL_POINTER);
    arguments.groups[GROUP_INPUTS] = NULL;
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_NULL_POINTER);
}

static void test_layer(void) {
    Arena arena = {0};
    Maker maker = start_program(&arena, "layer"), *m = &maker;
    Kernel *layer = start_kernel(m, "h", "line 3: h = relu(x @ w + b), f32[2,4]");
    Buffer *x = add_parameter(m, "x", TYPE_F32, 6, false);
    Buffer *w = add_parameter(m, "w", TYPE_F32, 12, false);
    Buffer *b = add_parameter(m, "b", TYPE_F32, 4, false);
    Buffer *h = add_parameter(m, "h", TYPE_F32, 8, true);
    Local *product = add_local(m, "product", TYPE_F32, 1);
    Scalar *i = open_loop(m, "i", 2), *j = open_loop(m, "j", 4);
    add_set(m, product, NULL, make_real(m, TYPE_F32, 0));
    Scalar *k = open_loop(m, "k", 3);
    Scalar *left = make_load(m, x, index_of(m, i, 3, k));
    Scalar *right = make_load(m, w, index_of(m, k, 4, j));
    Scalar *before = make_read(m, product, NULL);
    Scalar *term = make(m, SCALAR_MUL, TYPE_F32, left, right, NULL);
    add_set(m, product, NULL, make(m, SCALAR_ADD, TYPE_F32, before, term, NULL));
    close_block(m);
    Scalar *sum =
        make(m, SCALAR_ADD, TYPE_F32, make_read(m, product, NULL), make_load(m, b, j), NULL);
    Scalar *zero = make_real(m, TYPE_F32, 0);
    Scalar *positive = make(m, SCALAR_GT, TYPE_BOOL, sum, zero, NULL);
    add_store(m, h, index_of(m, i, 4, j), make(m, SCALAR_SELECT, TYPE_F32, positive, sum, zero));

    Kernel *add_up = start_kernel(m, "total", "line 4: total = sum(h), f32");
    Buffer *terms = add_parameter(m, "h", TYPE_F32, 8, false);
    Buffer *total = add_parameter(m, "total", TYPE_F32, 1, true);
    Scalar *first = make_integer(m, TYPE_I64, 0);
    add_store(m, total, first, make_real(m, TYPE_F32, 0));
    Scalar *n = open_loop(m, "i", 8);
    Scalar *so_far = make_load(m, total, first);
    add_store(m, total, first, make(m, SCALAR_ADD, TYPE_F32, so_far, make_load(m, terms, n), NULL));

    start_entry(m, "forward");
    Buffer *given = add_field(m, GROUP_INPUTS, "x", TYPE_F32, 6);
    Buffer *weights = add_field(m, GROUP_PARAMS, "w", TYPE_F32, 12);
    Buffer *bias = add_field(m, GROUP_PARAMS, "b", TYPE_F32, 4);
    Buffer *out = add_field(m, GROUP_OUTPUTS, "h", TYPE_F32, 8);
    Buffer *out_total = add_field(m, GROUP_OUTPUTS, "total", TYPE_F32, 0);
    add_call(m, layer, (Buffer *[]){given, weights, bias, out}, NULL);
    add_call(m, add_up, (Buffer *[]){out, out_total}, NULL);
    run_everywhere(m, check_layer);
    arena_free(&arena);
}

// Reverses and adds in place: loads must not move past stores, whatever is folded.
static void check_order(const Program *program, const Loaded *loaded) {
    double x[6] = {1, 2, 3, 4, 5, 6}, y[6] = {0};
    void *inputs[] = {x}, *outputs[] = {y};
    CallArguments arguments = {0};
    arguments.groups[GROUP_INPUTS] = inputs;
    arguments.groups[GROUP_OUTPUTS] = outputs;
    EXPECT(loaded_call(loaded, program->entries.at[0], &arguments) == STATUS_DONE);
    // First y = x; then y[i] and y[5 - i] change places, and y[i] gets y[0] of before added.
    double expected[6] = {1, 2, 3, 4, 5, 6};
    for (int i = 0; i < 3; i++) {
        double low = expected[i], high = expected[5 - i], first = expected[0];
        expected[i] = high;
        expected[5 - i] = low;
        expected[i] = expected[i] + first;
    }
    for (int i = 0; i < 6; i++) {
        EXPECT(y[i] == expected[i]);
    }
}

static void test_order(void) {
    Arena arena = {0};
    Maker maker = start_program(&arena, "order"), *m = &maker;
    Kernel *turn = start_kernel(m, "turn", "line 1: turn");
    Buffer *y = add_parameter(m, "y", TYPE_F64, 6, true);
    Scalar *i = open_loop(m, "i", 3);
    Scalar *last = make_integer(m, TYPE_I64, 5);
    Scalar *mirror = make(m, SCALAR_SUB, TYPE_I64, last, i, NULL);
    Scalar *low = make_load(m, y, i);
    Scalar *high = make_load(m, y, mirror);
    Scalar *first = make_load(m, y, make_integer(m, TYPE_I64, 0));
    add_store(m, y, i, high);
    add_store(m, y, mirror, low);
    add_store(m, y, i, make(m, SCALAR_ADD, TYPE_F64, make_load(m, y, i), first, NULL));
    start_entry(m, "forward");
    Buffer *x = add_field(m, GROUP_INPUTS, "x", TYPE_F64, 6);
    Buffer *out = add_field(m, GROUP_OUTPUTS, "y", TYPE_F64, 6);
    add_copy(m, x, out);
    add_call(m, turn, (Buffer *[]){out}, NULL);
    run_everywhere(m, check_order);
    arena_free(&arena);
}

// backward: gradients are optional and accumulate; the seed may be left out; a temporary.
static void check_gradient(const Program *program, const Loaded *loaded) {
    float w[4] = {1, 2, 3, 4}, seed = 2, grad_w[4] = {0}, grad_b = 10;
    unsigned char memory[256 + 64];
    unsigned char *workspace = memory + (64 - (uintptr_t)memory % 64) % 64;
    void *params[] = {w, NULL}, *seeds[] = {NULL}, *gradients[] = {grad_w, &grad_b};
    CallArguments arguments = {0};
    arguments.groups[GROUP_PARAMS] = params;
    arguments.groups[GROUP_SEEDS] = seeds;
    arguments.groups[GROUP_GRADIENTS] = gradients;
    arguments.workspace = workspace;
    const Entry *backward = program->entries.at[0], *zero = program->entries.at[1];
    EXPECT(loaded_call(loaded, backward, &arguments) == STATUS_DONE);
    seeds[0] = &seed;
    EXPECT(loaded_call(loaded, backward, &arguments) == STATUS_DONE);
    for (int i = 0; i < 4; i++) {
        EXPECT(grad_w[i] == 2 * w[i] * (1 + seed)); // d(w*w) twice, with seeds 1 and 2
    }
    EXPECT(grad_b == 10 + 1 + seed);
    gradients[0] = NULL;
    EXPECT(loaded_call(loaded, backward, &arguments) == STATUS_DONE);
    EXPECT(grad_b == 10 + 1 + 2 * seed);
    EXPECT(loaded_call(loaded, zero, &arguments) == STATUS_DONE);
    EXPECT(grad_b == 0 && grad_w[0] == 2 * w[0] * (1 + seed));
    arguments.workspace = workspace + 4;
    EXPECT(loaded_call(loaded, backward, &arguments) == STATUS_NULL_POINTER);
    arguments.workspace = NULL;
    EXPECT(loaded_call(loaded, backward, &arguments) == STATUS_NULL_POINTER);
    EXPECT(loaded_call(loaded, zero, &arguments) == STATUS_DONE);
}

static void test_gradient(void) {
    Arena arena = {0};
    Maker maker = start_program(&arena, "square"), *m = &maker;
    Kernel *twice = start_kernel(m, "twice", "line 2: y = w * w");
    Buffer *w = add_parameter(m, "w", TYPE_F32, 4, false);
    Buffer *seed = add_parameter(m, "loss", TYPE_F32, 1, false);
    Buffer *slope = add_parameter(m, "slope", TYPE_F32, 4, true);
    Scalar *given = make_load(m, seed, make_integer(m, TYPE_I64, 0));
    Scalar *two = make(m, SCALAR_MUL, TYPE_F32, given, make_real(m, TYPE_F32, 2), NULL);
    Scalar *i = open_loop(m, "i", 4);
    add_store(m, slope, i, make(m, SCALAR_MUL, TYPE_F32, make_load(m, w, i), two, NULL));
    Kernel *add = start_kernel(m, "add", "line 2: the gradient of w");
    Buffer *term = add_parameter(m, "slope", TYPE_F32, 4, false);
    Buffer *sum = add_parameter(m, "grad_w", TYPE_F32, 4, true);
    open_present(m, sum);
    i = open_loop(m, "i", 4);
    Scalar *before = make_load(m, sum, i);
    add_store(m, sum, i, make(m, SCALAR_ADD, TYPE_F32, before, make_load(m, term, i), NULL));

    Entry *backward = start_entry(m, "backward");
    backward->comment = "Adds the gradients of loss.";
    backward->workspace_bytes = 192;
    Buffer *weights = add_field(m, GROUP_PARAMS, "w", TYPE_F32, 4);
    add_unused_field(m, GROUP_PARAMS, "b", TYPE_F32, 0);
    Buffer *loss = add_field(m, GROUP_SEEDS, "loss", TYPE_F32, 0);
    loss->default_one = true;
    Buffer *grad_w = add_field(m, GROUP_GRADIENTS, "w", TYPE_F32, 4);
    Buffer *grad_b = add_field(m, GROUP_GRADIENTS, "b", TYPE_F32, 0);
    grad_w->optional = grad_b->optional = true;
    Buffer *slopes = add_temporary(m, "slope", TYPE_F32, 4, 128);
    add_call(m, twice, (Buffer *[]){weights, loss, slopes}, NULL);
    add_call(m, add, (Buffer *[]){slopes, grad_w}, NULL);
    open_present(m, grad_b);
    Scalar *zero = make_integer(m, TYPE_I64, 0);
    Scalar *old = make_load(m, grad_b, zero);
    add_store(m, grad_b, zero, make(m, SCALAR_ADD, TYPE_F32, old, make_load(m, loss, zero), NULL));
    close_block(m);

    start_entry(m, "zero_gradients");
    grad_w = add_field(m, GROUP_GRADIENTS, "w", TYPE_F32, 4);
    grad_b = add_field(m, GROUP_GRADIENTS, "b", TYPE_F32, 0);
    grad_w->optional = grad_b->optional = true;
    open_present(m, grad_w);
    add_zero(m, grad_w);
    close_block(m);
    open_present(m, grad_b);
    add_zero(m, grad_b);
    close_block(m);
    run_everywhere(m, check_gradient);
    arena_free(&arena);
}

// Indices from data: checked, then used; constants as data; a key.
static void check_gather(const Program *program, const Loaded *loaded) {
    int64_t where[3] = {2, 0, 4}, key = 1000;
    int64_t y[3] = {0};
    void *inputs[] = {where}, *outputs[] = {y};
    CallArguments arguments = {0};
    arguments.groups[GROUP_INPUTS] = inputs;
    arguments.groups[GROUP_OUTPUTS] = outputs;
    arguments.groups[GROUP_KEY] = (void **)(void *)&key;
    const Entry *entry = program->entries.at[0];
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_DONE);
    EXPECT(y[0] == INT64_MAX && y[1] == INT64_MIN && y[2] == 1000 - 5);
    int64_t bad[] = {-1, 5, INT64_MIN, INT64_MAX, 4611686018427387904};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        where[1] = bad[i];
        EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_FIRST_SITE + 1);
    }
}

static void test_gather(void) {
    static const int64_t table[10] = {INT64_MIN, 0, 1, 0, INT64_MAX, -1000, 7, 0, -5, 1000};
    Arena arena = {0};
    Maker maker = start_program(&arena, "gather"), *m = &maker;
    add_site(m, "another place");
    int site = add_site(m, "index out of range in \"gather\" \?\?/ \\ */ \x01 \xc3\xa4");
    Kernel *pick = start_kernel(m, "pick", "line 1: a comment */ with \?\?/ \\");
    Buffer *where = add_parameter(m, "where", TYPE_I64, 3, false);
    Buffer *data = add_parameter(m, "table", TYPE_I64, 10, false);
    Buffer *out = add_parameter(m, "y", TYPE_I64, 3, true);
    Scalar *i = open_loop(m, "i", 3);
    Scalar *index = make_load(m, where, i);
    Scalar *row = make(m, SCALAR_MUL, TYPE_I64, index, make_integer(m, TYPE_I64, 2), NULL);
    Scalar *low = make(m, SCALAR_LT, TYPE_BOOL, index, make_integer(m, TYPE_I64, 0), NULL);
    Scalar *high = make(m, SCALAR_GE, TYPE_BOOL, index, make_integer(m, TYPE_I64, 5), NULL);
    add_fail(m, make(m, SCALAR_OR, TYPE_BOOL, low, high, NULL), site);
    add_store(m, out, i, make_load(m, data, row));
    start_entry(m, "forward");
    Buffer *indices = add_field(m, GROUP_INPUTS, "where", TYPE_I64, 3);
    Buffer *y = add_field(m, GROUP_OUTPUTS, "y", TYPE_I64, 3);
    Buffer *key = add_field(m, GROUP_KEY, "key", TYPE_I64, 0);
    Buffer *constant = add_constant(m, "table", TYPE_I64, 10, table);
    add_call(m, pick, (Buffer *[]){indices, constant, y}, NULL);
    // y[2] += key - 1000 ... as wrapping arithmetic: table[8] + key.
    Scalar *two = make_integer(m, TYPE_I64, 2);
    Scalar *old = make_load(m, y, two);
    Scalar *number = make_load(m, key, make_integer(m, TYPE_I64, 0));
    add_store(m, y, two, make(m, SCALAR_ADD, TYPE_I64, old, number, NULL));
    run_everywhere(m, check_gather);
    arena_free(&arena);
}

// Loops that end by a condition, locals that live from iteration to iteration, a tile of locals, a
// loop in the entry that calls a kernel with its index.
static void check_control(const Program *program, const Loaded *loaded) {
    int32_t x[4] = {27, 1, 97, 6}, steps[4] = {0}, histogram[4] = {0};
    void *inputs[] = {x}, *outputs[] = {steps, histogram};
    CallArguments arguments = {0};
    arguments.groups[GROUP_INPUTS] = inputs;
    arguments.groups[GROUP_OUTPUTS] = outputs;
    EXPECT(loaded_call(loaded, program->entries.at[0], &arguments) == STATUS_DONE);
    int counts[4] = {0};
    for (int i = 0; i < 4; i++) {
        int n = x[i], count = 0;
        for (; n != 1; count++) {
            n = n % 2 ? 3 * n + 1 : n / 2;
        }
        EXPECT(steps[i] == count);
        counts[count % 4]++;
    }
    for (int i = 0; i < 4; i++) {
        EXPECT(histogram[i] == counts[i]);
    }
}

static Kernel *make_collatz(Maker *m) {
    Kernel *kernel = start_kernel(m, "collatz", "line 9: while n != 1");
    Buffer *x = add_parameter(m, "x", TYPE_I32, 4, false);
    Buffer *steps = add_parameter(m, "steps", TYPE_I32, 4, true);
    Scalar *which = make_argument(m, 0);
    Local *n = add_local(m, "n", TYPE_I32, 1), *count = add_local(m, "count", TYPE_I32, 1);
    Scalar *one = make_integer(m, TYPE_I32, 1), *two = make_integer(m, TYPE_I32, 2);
    add_set(m, n, NULL, make_load(m, x, which));
    add_set(m, count, NULL, make_integer(m, TYPE_I32, 0));
    Statement *loop = open_while(m);
    Scalar *now = make_read(m, n, NULL);
    Scalar *more = make(m, SCALAR_NE, TYPE_BOOL, now, one, NULL);
    open_otherwise(m, loop, more);
    Scalar *odd = make(m, SCALAR_REMAINDER, TYPE_I32, now, two, NULL);
    Statement *branch = open_if(m, make(m, SCALAR_EQ, TYPE_BOOL, odd, one, NULL));
    Scalar *three = make(m, SCALAR_MUL, TYPE_I32, now, make_integer(m, TYPE_I32, 3), NULL);
    add_set(m, n, NULL, make(m, SCALAR_ADD, TYPE_I32, three, one, NULL));
    open_otherwise(m, branch, NULL);
    add_set(m, n, NULL, make(m, SCALAR_DIV, TYPE_I32, now, two, NULL));
    close_block(m);
    Scalar *old = make_read(m, count, NULL);
    add_set(m, count, NULL, make(m, SCALAR_ADD, TYPE_I32, old, one, NULL));
    close_block(m);
    add_store(m, steps, which, make_read(m, count, NULL));
    return kernel;
}

static Kernel *make_histogram(Maker *m) {
    Kernel *kernel = start_kernel(m, "histogram", "line 12: a histogram of steps");
    Buffer *steps = add_parameter(m, "steps", TYPE_I32, 4, false);
    Buffer *out = add_parameter(m, "histogram", TYPE_I32, 4, true);
    Local *bins = add_local(m, "bins", TYPE_I32, 4);
    Scalar *i = open_loop(m, "i", 4);
    add_set(m, bins, i, make_integer(m, TYPE_I32, 0));
    close_block(m);
    i = open_loop(m, "i", 4);
    Scalar *rest = make(m, SCALAR_REMAINDER, TYPE_I32, make_load(m, steps, i),
                        make_integer(m, TYPE_I32, 4), NULL);
    Scalar *bin = make(m, SCALAR_CAST, TYPE_I64, rest, NULL, NULL);
    Scalar *old = make_read(m, bins, bin);
    add_set(m, bins, bin, make(m, SCALAR_ADD, TYPE_I32, old, make_integer(m, TYPE_I32, 1), NULL));
    close_block(m);
    i = open_loop(m, "i", 4);
    add_store(m, out, i, make_read(m, bins, i));
    return kernel;
}

static void test_control(void) {
    Arena arena = {0};
    Maker maker = start_program(&arena, "control"), *m = &maker;
    Kernel *collatz = make_collatz(m), *histogram = make_histogram(m);
    start_entry(m, "forward");
    Buffer *x = add_field(m, GROUP_INPUTS, "x", TYPE_I32, 4);
    Buffer *steps = add_field(m, GROUP_OUTPUTS, "steps", TYPE_I32, 4);
    Buffer *out = add_field(m, GROUP_OUTPUTS, "histogram", TYPE_I32, 4);
    Scalar *i = open_loop(m, "i", 4);
    add_call(m, collatz, (Buffer *[]){x, steps}, (Scalar *[]){i});
    close_block(m);
    add_call(m, histogram, (Buffer *[]){steps, out}, NULL);
    run_everywhere(m, check_control);
    arena_free(&arena);
}

// Values that nothing uses, and parameters that nothing reads, must not make compilers warn.
static void check_unused(const Program *program, const Loaded *loaded) {
    float x[2] = {3, 4}, y[2] = {0};
    void *inputs[] = {x}, *outputs[] = {y};
    CallArguments arguments = {0};
    arguments.groups[GROUP_INPUTS] = inputs;
    arguments.groups[GROUP_OUTPUTS] = outputs;
    EXPECT(loaded_call(loaded, program->entries.at[0], &arguments) == STATUS_DONE);
    EXPECT(y[0] == 1 && y[1] == 1);
}

static void test_unused(void) {
    Arena arena = {0};
    Maker maker = start_program(&arena, "unused"), *m = &maker;
    start_kernel(m, "never_called", "");
    Kernel *kernel = start_kernel(m, "ones", "");
    Buffer *x = add_parameter(m, "x", TYPE_F32, 2, false);
    Buffer *y = add_parameter(m, "y", TYPE_F32, 2, true);
    Scalar *argument = make_argument(m, 0);
    Local *never_read = add_local(m, "never_read", TYPE_F32, 1);
    Scalar *i = open_loop(m, "i", 2);
    Scalar *value = make_load(m, x, i);
    Scalar *shifted = make(m, SCALAR_ADD, TYPE_I64, argument, i, NULL);
    make(m, SCALAR_CAST, TYPE_F32, shifted, NULL, NULL);
    add_set(m, never_read, NULL, make_libm(m, "exp", value, NULL));
    Scalar *same = make(m, SCALAR_EQ, TYPE_BOOL, i, i, NULL);
    Scalar *none = make(m, SCALAR_MUL, TYPE_I64, i, make_integer(m, TYPE_I64, 0), NULL);
    Scalar *also = make(m, SCALAR_EQ, TYPE_BOOL, none, make_integer(m, TYPE_I64, 0), NULL);
    Scalar *both = make(m, SCALAR_AND, TYPE_BOOL, same, also, NULL);
    add_store(m, y, i, make(m, SCALAR_CAST, TYPE_F32, both, NULL, NULL));
    start_entry(m, "forward");
    Buffer *given = add_field(m, GROUP_INPUTS, "x", TYPE_F32, 2);
    Buffer *out = add_field(m, GROUP_OUTPUTS, "y", TYPE_F32, 2);
    Scalar *five = make_integer(m, TYPE_I64, 5);
    add_call(m, kernel, (Buffer *[]){given, out}, (Scalar *[]){five});
    run_everywhere(m, check_unused);
    arena_free(&arena);
}

int main(void) {
    test_layer();
    test_order();
    test_gradient();
    test_gather();
    test_control();
    test_unused();
    return expect_result();
}
