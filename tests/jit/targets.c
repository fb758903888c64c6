// Other machines than this one, as far as that can be seen without them: objects are of the right
// architecture, unknown triples are refused, and threads may compile at once.
#include <pthread.h>

#include "run.h"

static Maker make_program(Arena *arena) {
    Maker maker = start_program(arena, "model"), *m = &maker;
    Kernel *kernel = start_kernel(m, "scale", "");
    Buffer *x = add_parameter(m, "x", TYPE_F32, 100, false);
    Buffer *y = add_parameter(m, "y", TYPE_F32, 100, true);
    Scalar *i = open_loop(m, "i", 100);
    i->loop->kind = LOOP_VECTOR;
    Scalar *value = make_libm(m, "exp", make_load(m, x, i), NULL);
    add_store(m, y, i, make(m, SCALAR_SQRT, TYPE_F32, value, NULL, NULL));
    close_block(m);
    start_entry(m, "forward");
    Buffer *input = add_field(m, GROUP_INPUTS, "x", TYPE_F32, 100);
    Buffer *output = add_field(m, GROUP_OUTPUTS, "y", TYPE_F32, 100);
    add_call(m, kernel, (Buffer *[]){input, output}, NULL);
    return maker;
}

typedef struct Case {
    const char *triple;
    int class;   // of ELF: 1 for 32 bits, 2 for 64
    int machine; // e_machine
} Case;

static void check_objects(Arena *arena, const Program *program) {
    static const Case cases[] = {
        {"x86_64-linux-gnu", 2, 62},      {"aarch64-linux-gnu", 2, 183},
        {"riscv64-linux-gnu", 2, 243},    {"thumbv7em-none-eabihf", 1, 40},
        {"powerpc64le-linux-gnu", 2, 21},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        for (int level = 0; level <= 3; level++) {
            CompileOptions options = {.level = level,
                                      .position_independent = true,
                                      .target = {.triple = c->triple, .cpu = "generic"}};
            const char *error = NULL;
            Objects objects;
            if (!EXPECT(compile_objects(arena, program, &options, &objects, &error))) {
                fprintf(stderr, "%s: %s\n", c->triple, error);
                continue;
            }
            EXPECT(objects.at[0].count > 64 && memcmp(objects.at[0].at,
                                                      "\x7f"
                                                      "ELF",
                                                      4) == 0);
            EXPECT(objects.at[0].at[4] == c->class);
            EXPECT(objects.at[0].at[18] + 256 * objects.at[0].at[19] == c->machine);
        }
    }
}

// Hosted RISC-V passes real numbers in registers; the flags of the object say so.
static void check_riscv(Arena *arena, const Program *program) {
    CompileOptions options = {.level = 2,
                              .position_independent = true,
                              .target = {.triple = "riscv64-linux-gnu", .cpu = "generic"}};
    const char *error = NULL;
    Objects objects;
    enum { FLAGS = 48, FLOAT_ABI_DOUBLE = 4, FLOAT_ABI_MASK = 6 };
    EXPECT(compile_objects(arena, program, &options, &objects, &error) &&
           (objects.at[0].at[FLAGS] & FLOAT_ABI_MASK) == FLOAT_ABI_DOUBLE);
}

static void check_texts(Arena *arena, const Program *program) {
    CompileOptions options = {.level = 2, .position_independent = true};
    options.target.triple = "aarch64-linux-gnu";
    const char *error = NULL;
    Text text = text_new(arena), assembly = text_new(arena);
    EXPECT(compile_llvm_text(arena, program, &options, &text, &error));
    EXPECT(strstr(text_string(&text), "define i32 @model_forward(ptr") != NULL);
    EXPECT(strstr(text_string(&text), "<4 x float>") != NULL);
    EXPECT(compile_assembly(arena, program, &options, &assembly, &error));
    EXPECT(strstr(text_string(&assembly), "fmla\t") != NULL);
}

static void check_refusals(Arena *arena, const Program *program) {
    static const char *const bad[] = {"", "x", "nowhere-linux-gnu", "x86_65-linux-gnu", "%s%n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CompileOptions options = {.level = 2, .target = {.triple = bad[i]}};
        const char *error = NULL;
        Objects objects;
        EXPECT(!compile_objects(arena, program, &options, &objects, &error));
        EXPECT(error && strstr(error, "unknown target") != NULL);
    }
}

static void check_shapes(void) {
    static const struct {
        TargetMachine machine;
        int bytes, registers;
    } cases[] = {
        {{"x86_64-linux-gnu", "x86-64-v4", NULL, false}, 64, 32},
        {{"x86_64-linux-gnu", "x86-64-v3", NULL, false}, 32, 16},
        {{"x86_64-linux-gnu", "generic", NULL, false}, 16, 16},
        {{"x86_64-linux-gnu", "generic", "+avx2", false}, 32, 16},
        {{"aarch64-linux-gnu", NULL, NULL, false}, 16, 32},
        {{"thumbv7em-none-eabihf", NULL, NULL, false}, 16, 16},
        {{"aarch64-linux-gnu", "x86-64-v3", NULL, false}, 16, 32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int bytes, registers;
        target_vector_shape(&cases[i].machine, &bytes, &registers);
        EXPECT(bytes == cases[i].bytes && registers == cases[i].registers);
    }
}

static void *compile_some(void *result) {
    bool good = true;
    for (int i = 0; i < 4; i++) {
        Arena arena = {0};
        Maker maker = make_program(&arena);
        Loaded *loaded = load_program(&maker, 2);
        float x[100], y[100];
        for (int j = 0; j < 100; j++)
            x[j] = (float)(j % 7) * 0.0f;
        CallArguments arguments = {0};
        arguments.groups[GROUP_INPUTS] = (void *[]){x};
        arguments.groups[GROUP_OUTPUTS] = (void *[]){y};
        good = good && loaded_call(loaded, maker.program->entries.at[0], &arguments) == 0 &&
               y[0] == 1 && y[99] == 1;
        loaded_free(loaded);
        arena_free(&arena);
    }
    *(bool *)result = good;
    return NULL;
}

static void check_threads(void) {
    pthread_t threads[3];
    bool good[3] = {false};
    for (int i = 0; i < 3; i++)
        EXPECT(pthread_create(&threads[i], NULL, compile_some, &good[i]) == 0);
    for (int i = 0; i < 3; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0 && good[i]);
}

int main(void) {
    check_threads();
    Arena arena = {0};
    Maker maker = make_program(&arena);
    check_objects(&arena, maker.program);
    check_riscv(&arena, maker.program);
    check_texts(&arena, maker.program);
    check_refusals(&arena, maker.program);
    check_shapes();
    EXPECT(strncmp(llvm_version(), "19.", 3) == 0);
    arena_free(&arena);
    return expect_result();
}
