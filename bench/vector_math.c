// Largest errors of the functions that machine code has instead of libm's, in units of the last
// place: f32 against the C library in double for every argument (or every Nth), f64 against long
// double for many. Prints the worst argument of each function and nanoseconds per element.
//
//     bench_vector_math [STEP] [CPU]
//
// STEP: every how many f32 arguments one is tried (default 7); CPU: as for LLVM, default this
// machine's.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codegen/compile.h"
#include "codegen/lower.h"
#include "ir/text_form.h"

enum { COUNT = 4096 };

typedef struct Candidate {
    const char *name;
    double (*twice)(double);
    long double (*exact)(long double);
} Candidate;

static const Candidate candidates[] = {
    {"exp", exp, expl},       {"expm1", expm1, expm1l}, {"log", log, logl},
    {"log1p", log1p, log1pl}, {"tanh", tanh, tanhl},    {"erf", erf, erfl},
};

// y = name(x) over COUNT elements.
static Loaded *compile(Arena *arena, const char *name, const char *type, const char *cpu,
                       const Program **made) {
    Sources sources = {.arena = arena};
    Diags diags = {.arena = arena, .sources = &sources};
    const char *text = arena_format(arena,
                                    "func f(x: %s[%d] input) -> (y: %s[%d] output) {\n"
                                    "  y = %s x : %s[%d]\n  return y\n}\n",
                                    type, COUNT, type, COUNT, name, type, COUNT);
    Module *module = parse_module(arena, &diags, source_add(&sources, "bench", text, strlen(text)));
    if (module == NULL) {
        fprintf(stderr, "the program is not understood:\n%s", text);
        exit(1);
    }
    Program *program = program_new(arena, "bench", NULL);
    CompileOptions options = {.level = 2, .position_independent = true, .target = {.cpu = cpu}};
    LowerOptions lower = {.level = 2};
    target_vector_shape(&options.target, &lower.vector_bytes, &lower.vector_registers);
    lower_function(program, module->functions.at[0], "f", &lower);
    const char *error = NULL;
    Bytes object;
    Loaded *loaded = NULL;
    if (cpu && strcmp(cpu, "c") == 0)
        loaded = load_c(program, 3, &error, arena);
    else if (compile_object(arena, program, &options, &object, &error))
        loaded = load_object(program, object, &error, arena);
    if (loaded == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    *made = program;
    return loaded;
}

static void run(const Loaded *loaded, const Program *program, void *x, void *y) {
    void *inputs[] = {x}, *outputs[] = {y};
    CallArguments arguments = {0};
    arguments.groups[GROUP_INPUTS] = inputs;
    arguments.groups[GROUP_OUTPUTS] = outputs;
    if (loaded_call(loaded, program->entries.at[0], &arguments) != 0)
        abort();
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double nanoseconds(const Loaded *loaded, const Program *program, void *x, void *y) {
    double best = 1;
    for (int i = 0; i < 50; i++) {
        double start = seconds();
        for (int j = 0; j < 20; j++)
            run(loaded, program, x, y);
        double taken = (seconds() - start) / 20;
        best = taken < best ? taken : best;
    }
    return best * 1e9 / COUNT;
}

// The largest error so far and where; special cases that are wrong count as infinite.
typedef struct Worst {
    double error, argument, result;
} Worst;

static void note(Worst *worst, double argument, double result, long double exact, int digits,
                 int least_exponent, double largest) {
    double error;
    if (isnan(result) || isnan(exact)) {
        error = isnan(result) && isnan(exact) ? 0 : INFINITY;
    } else if (isinf(result)) {
        // Infinite results are right where the exact one rounds to infinity.
        bool right = fabsl(exact) > (long double)largest && (exact < 0) == (result < 0);
        error = right ? 0 : INFINITY;
    } else if (result == 0 && exact == 0) {
        error = !signbit(result) == !signbit(exact) ? 0 : INFINITY;
    } else {
        int exponent;
        frexpl(exact, &exponent);
        exponent = exponent - digits < least_exponent ? least_exponent : exponent - digits;
        error = (double)fabsl(((long double)result - exact) / ldexpl(1, exponent));
    }
    if (error > worst->error)
        *worst = (Worst){error, argument, result};
}

static Worst measure_f32(const Candidate *f, const Loaded *loaded, const Program *program,
                         uint32_t every) {
    static float x[COUNT], y[COUNT];
    Worst worst = {0};
    for (uint64_t start = 0; start < UINT64_C(1) << 32; start += (uint64_t)every * COUNT) {
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t bits = (uint32_t)(start + (uint64_t)i * every);
            memcpy(&x[i], &bits, sizeof bits);
        }
        run(loaded, program, x, y);
        for (int i = 0; i < COUNT; i++)
            note(&worst, (double)x[i], (double)y[i], (long double)f->twice((double)x[i]), 24, -149,
                 0x1.ffffffp127);
    }
    return worst;
}

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

// Arguments of all exponents, and as many that are not large.
static double some_double(uint64_t *state) {
    static const double specials[] = {0.0,       -0.0, INFINITY,   -INFINITY,        NAN,
                                      0x1p-1074, -1.0, -0x1p-1074, 709.782712893384, -745.2,
                                      -708.4,    1.0};
    uint64_t bits = next_random(state);
    double x;
    memcpy(&x, &bits, sizeof x);
    switch (next_random(state) >> 61) {
    case 0: return specials[bits >> 40 & 7] * ((bits & 7) ? 1 : 1.0000000000000002);
    case 1: return specials[(bits >> 40) % 12];
    case 2:
    case 3: return x;
    case 4: return (double)(int64_t)bits * 0x1p-63;
    case 5: return (double)(int64_t)bits * 0x1p-60;
    case 6: return 1 + (double)(int64_t)bits * 0x1p-65;
    default: return (double)(int64_t)bits * 0x1p-53;
    }
}

static Worst measure_f64(const Candidate *f, const Loaded *loaded, const Program *program,
                         int rounds) {
    static double x[COUNT], y[COUNT];
    Worst worst = {0};
    uint64_t state = 1;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < COUNT; i++)
            x[i] = some_double(&state);
        run(loaded, program, x, y);
        for (int i = 0; i < COUNT; i++)
            note(&worst, x[i], y[i], f->exact((long double)x[i]), 53, -1074,
                 0x1.fffffffffffffp1023);
    }
    return worst;
}

static double time_of(const Loaded *loaded, const Program *program, bool is_single) {
    static float x[COUNT], y[COUNT];
    static double wide_x[COUNT], wide_y[COUNT];
    for (int i = 0; i < COUNT; i++)
        wide_x[i] = x[i] = (float)(i + 1) * (4.0f / COUNT);
    return nanoseconds(loaded, program, is_single ? (void *)x : wide_x,
                       is_single ? (void *)y : wide_y);
}

int main(int count, char **arguments) {
    uint32_t every = count > 1 ? (uint32_t)atoi(arguments[1]) : 7;
    const char *cpu = count > 2 ? arguments[2] : NULL;
    printf("%-12s %10s %24s %24s %8s\n", "function", "ulp", "at", "result", "ns");
    bool good = true;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        for (int wide = 0; wide < 2; wide++) {
            Arena arena = {0};
            const Candidate *f = &candidates[i];
            const Program *program;
            Loaded *loaded = compile(&arena, f->name, wide ? "f64" : "f32", cpu, &program);
            Worst worst = wide ? measure_f64(f, loaded, program, 50 + 7000 / (int)every)
                               : measure_f32(f, loaded, program, every);
            printf("%-6s %-5s %10.3f %24.15a %24.15a %8.2f\n", f->name, wide ? "f64" : "f32",
                   worst.error, worst.argument, worst.result, time_of(loaded, program, !wide));
            good = good && worst.error <= (wide ? 2 : 1.5);
            loaded_free(loaded);
            arena_free(&arena);
        }
    }
    return !good;
}
