// Largest errors of the functions that machine code has instead of libm's, in units of the last
// place: f32 against the C library in double for every argument (or every Nth), f64 against long
// double for many. Prints the worst argument of each function and nanoseconds per element, also
// those of the C library's in a loop, and fails where an error is above the function's bound.
//
//     bench_vector_math [STEP] [CPU [FUNCTION]]
//
// STEP: every how many f32 arguments one is tried (default 7); CPU: as for LLVM, default this
// machine's; "c" means emitted C, "alone" or "alone:CPU" the functions of one number at a time.
// Second arguments are random.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codegen/compile.h"
#include "codegen/lower.h"
#include "ir/text_form.h"

enum { COUNT = 4096 };

// Functions of one argument take and ignore a second.
#define UNARY(name)                                                                                \
    static double name##_twice(double x, double y) {                                               \
        (void)y;                                                                                   \
        return name(x);                                                                            \
    }                                                                                              \
    static long double name##_exact(long double x, long double y) {                                \
        (void)y;                                                                                   \
        return name##l(x);                                                                         \
    }                                                                                              \
    static float name##_single(float x, float y) {                                                 \
        (void)y;                                                                                   \
        return name##f(x);                                                                         \
    }

UNARY(exp)
UNARY(exp2)
UNARY(expm1)
UNARY(log)
UNARY(log2)
UNARY(log10)
UNARY(log1p)
UNARY(tanh)
UNARY(sinh)
UNARY(cosh)
UNARY(asinh)
UNARY(acosh)
UNARY(atanh)
UNARY(cbrt)
UNARY(sin)
UNARY(cos)
UNARY(tan)
UNARY(asin)
UNARY(acos)
UNARY(atan)
UNARY(erf)
UNARY(erfc)
UNARY(lgamma)

static double sigmoid_twice(double x, double y) {
    (void)y;
    return 1 / (1 + exp(-x));
}

static long double sigmoid_exact(long double x, long double y) {
    (void)y;
    return 1 / (1 + expl(-x));
}

static const long double pi = 3.141592653589793238462643383279502884L;

// digamma for x > 0, and its derivative: Stirling's series from 40 on.
static long double positive_digamma(long double x) {
    long double below = 0;
    for (; x < 40; x += 1)
        below += 1 / x;
    long double square = 1 / (x * x);
    long double series =
        square *
        (1 / 12.0L -
         square * (1 / 120.0L - square * (1 / 252.0L - square * (1 / 240.0L - square / 132.0L))));
    return logl(x) - below - 1 / (2 * x) - series;
}

static long double positive_trigamma(long double x) {
    long double below = 0;
    for (; x < 40; x += 1)
        below += 1 / (x * x);
    long double square = 1 / (x * x);
    long double series =
        square *
        (1 / 6.0L -
         square * (1 / 30.0L - square * (1 / 42.0L - square * (1 / 30.0L - square * 5 / 66.0L))));
    return below + 1 / x + square / 2 + series / x;
}

static long double angle_of(long double x) {
    return pi * (x - rintl(x));
}

static long double digamma_exact(long double x, long double y) {
    (void)y;
    if (x == 0)
        return signbit(x) ? INFINITY : -INFINITY;
    if (x > 0)
        return isinf(x) ? x : positive_digamma(x);
    return x == floorl(x) ? NAN : positive_digamma(1 - x) - pi / tanl(angle_of(x));
}

static long double trigamma_exact(long double x, long double y) {
    (void)y;
    if (x > 0)
        return isinf(x) ? 0 : positive_trigamma(x);
    if (isinf(x))
        return NAN;
    if (x == floorl(x))
        return INFINITY;
    long double ratio = pi / sinl(angle_of(x));
    return ratio * ratio - positive_trigamma(1 - x);
}

static double digamma_twice(double x, double y) {
    return (double)digamma_exact((long double)x, (long double)y);
}

static double trigamma_twice(double x, double y) {
    return (double)trigamma_exact((long double)x, (long double)y);
}

// The largest term of a sum that the result is of, where that is larger: its last place counts.
static long double lgamma_term(long double x) {
    return x < 0 ? fmaxl(lgammal(-x), fabsl(logl(fabsl(pi / (x * sinl(angle_of(x))))))) : 0;
}

static long double digamma_term(long double x) {
    long double term = x < 0 ? fmaxl(positive_digamma(1 - x), fabsl(pi / tanl(angle_of(x)))) : 0;
    return fmaxl(term, logl(fabsl(x) + 8));
}

typedef struct Candidate {
    const char *name;
    int arity;
    double (*twice)(double, double);
    long double (*exact)(long double, long double);
    double single_bound, bound;    // of errors in f32 and f64; 0: not written out
    float (*single)(float, float); // the C library's, to compare times; NULL: it has none
    long double (*term)(long double);
} Candidate;

#define UNARY_CANDIDATE(name, single_bound, bound)                                                 \
    { #name, 1, name##_twice, name##_exact, single_bound, bound, name##_single, NULL }

static const Candidate candidates[] = {
    UNARY_CANDIDATE(exp, 1.5, 2),
    UNARY_CANDIDATE(exp2, 1.5, 2),
    UNARY_CANDIDATE(expm1, 1.5, 2),
    UNARY_CANDIDATE(log, 1.5, 2),
    UNARY_CANDIDATE(log2, 0.6, 2),
    UNARY_CANDIDATE(log10, 0.6, 2),
    UNARY_CANDIDATE(log1p, 1.5, 2),
    UNARY_CANDIDATE(tanh, 1.5, 2),
    UNARY_CANDIDATE(sinh, 0.6, 2.5),
    UNARY_CANDIDATE(cosh, 0.6, 2),
    UNARY_CANDIDATE(asinh, 0.6, 2.5),
    UNARY_CANDIDATE(acosh, 0.6, 2.5),
    UNARY_CANDIDATE(atanh, 0.6, 2.5),
    UNARY_CANDIDATE(cbrt, 0.6, 2),
    UNARY_CANDIDATE(sin, 0.6, 1.5),
    UNARY_CANDIDATE(cos, 0.6, 1.5),
    UNARY_CANDIDATE(tan, 0.6, 2.5),
    UNARY_CANDIDATE(asin, 0.6, 2),
    UNARY_CANDIDATE(acos, 0.6, 2),
    UNARY_CANDIDATE(atan, 0.6, 2.5),
    UNARY_CANDIDATE(erf, 1.5, 2),
    UNARY_CANDIDATE(erfc, 0.6, 4),
    {"sigmoid", 1, sigmoid_twice, sigmoid_exact, 1.5, 2, NULL, NULL},
    {"pow", 2, pow, powl, 0.6, 1, powf, NULL},
    {"atan2", 2, atan2, atan2l, 0.6, 2, atan2f, NULL},
    {"hypot", 2, hypot, hypotl, 0.6, 2, hypotf, NULL},
    {"fmod", 2, fmod, fmodl, 0, 0, fmodf, NULL},
    {"lgamma", 1, lgamma_twice, lgamma_exact, 0.6, 5, lgamma_single, lgamma_term},
    {"digamma", 1, digamma_twice, digamma_exact, 0.6, 4, NULL, digamma_term},
    {"trigamma", 1, trigamma_twice, trigamma_exact, 0.6, 5, NULL, NULL},
};

// y = name(x) over COUNT elements.
static Loaded *compile(Arena *arena, const Candidate *f, const char *type, const char *cpu,
                       bool is_alone, const Program **made) {
    int count = is_alone ? 1 : COUNT;
    Sources sources = {.arena = arena};
    Diags diags = {.arena = arena, .sources = &sources};
    const char *text = arena_format(
        arena,
        "func f(x: %s[%d] input, z: %s[%d] input) -> (y: %s[%d] output) {\n"
        "  y = %s x%s : %s[%d]\n  return y\n}\n",
        type, count, type, count, type, count, f->name, f->arity > 1 ? ", z" : "", type, count);
    Module *module = parse_module(arena, &diags, source_add(&sources, "bench", text, strlen(text)));
    if (module == NULL) {
        fprintf(stderr, "the program is not understood:\n%s", text);
        exit(1);
    }
    Program *program = program_new(arena, "bench", NULL);
    bool in_c = cpu && strcmp(cpu, "c") == 0;
    CompileOptions options = {
        .level = 2, .position_independent = true, .target = {.cpu = in_c ? "generic" : cpu}};
    LowerOptions lower = {.level = 2};
    target_vector_shape(&options.target, &lower.vector_bytes, &lower.vector_registers);
    lower_function(program, module->functions.at[0], "f", &lower);
    const char *error = NULL;
    Objects objects;
    Loaded *loaded = NULL;
    if (in_c)
        loaded = load_c(program, 3, &error, arena);
    else if (compile_objects(arena, program, &options, &objects, &error))
        loaded = load_objects(program, objects, &error, arena);
    if (loaded == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    *made = program;
    return loaded;
}

static void run_once(const Loaded *loaded, const Program *program, void *x, void *z, void *y) {
    void *inputs[] = {x, z}, *outputs[] = {y};
    CallArguments arguments = {0};
    arguments.groups[GROUP_INPUTS] = inputs;
    arguments.groups[GROUP_OUTPUTS] = outputs;
    if (loaded_call(loaded, program->entries.at[0], &arguments) != 0)
        abort();
}

// Over COUNT elements, in one call or in one for each.
static void run(const Loaded *loaded, const Program *program, void *x, void *z, void *y) {
    const Buffer *buffer = program->entries.at[0]->groups[GROUP_INPUTS].fields.at[0].buffer;
    size_t bytes = buffer->element == TYPE_F32 ? sizeof(float) : sizeof(double);
    for (int64_t i = 0; i < COUNT; i += buffer->count) {
        size_t place = (size_t)i * bytes;
        run_once(loaded, program, (char *)x + place, (char *)z + place, (char *)y + place);
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// The C library's function in a loop.
typedef struct Scalars {
    const Candidate *function;
    bool is_single;
} Scalars;

static void run_scalars(const Scalars *scalars, const void *x, const void *z, void *y) {
    for (int i = 0; i < COUNT; i++) {
        if (scalars->is_single)
            ((float *)y)[i] =
                scalars->function->single(((const float *)x)[i], ((const float *)z)[i]);
        else
            ((double *)y)[i] =
                scalars->function->twice(((const double *)x)[i], ((const double *)z)[i]);
    }
}

// Processor time for an element: the least of several runs.
static double nanoseconds(const Loaded *loaded, const Program *program, const Scalars *scalars,
                          void *x, void *z, void *y) {
    double best = 1;
    for (int i = 0; i < 50; i++) {
        double start = seconds();
        for (int j = 0; j < 20; j++) {
            if (scalars)
                run_scalars(scalars, x, z, y);
            else
                run(loaded, program, x, z, y);
        }
        double taken = (seconds() - start) / 20;
        best = taken < best ? taken : best;
    }
    return best * 1e9 / COUNT;
}

// The largest error so far and where; special cases that are wrong count as infinite.
typedef struct Worst {
    double error, argument, second, result;
} Worst;

static void note(Worst *worst, const Candidate *f, double argument, double second, double result,
                 long double exact, bool is_single) {
    int digits = is_single ? 24 : 53, least_exponent = is_single ? -149 : -1074;
    double largest = is_single ? 0x1.ffffffp127 : 0x1.fffffffffffffp1023;
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
        long double term = f->term && !is_single ? f->term((long double)argument) : 0;
        frexpl(term > fabsl(exact) ? term : exact, &exponent);
        exponent = exponent - digits < least_exponent ? least_exponent : exponent - digits;
        error = (double)fabsl(((long double)result - exact) / ldexpl(1, exponent));
    }
    if (error > worst->error)
        *worst = (Worst){error, argument, second, result};
}

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

static const double specials[] = {0.0,
                                  -0.0,
                                  INFINITY,
                                  -INFINITY,
                                  NAN,
                                  0x1p-1074,
                                  -0x1p-1074,
                                  0x1p-1022,
                                  -0x1.fffffffffffffp-1023,
                                  -1.0,
                                  1.0,
                                  0.5,
                                  -3.0,
                                  2.0,
                                  709.782712893384,
                                  -745.2,
                                  -708.4,
                                  -0x1.25f3daf64fc4p5, // 1 + exp(-x) is just above 2^53
                                  0x1p53,
                                  -0x1.fffffffffffffp52,
                                  0x1.fffffffffffffp1023};
enum { SPECIALS = sizeof specials / sizeof *specials };

// The double `steps` steps from x on.
static double beside(double x, int steps) {
    for (int i = steps; i != 0; i += i < 0 ? 1 : -1)
        x = nextafter(x, i < 0 ? -INFINITY : INFINITY);
    return x;
}

// Arguments of all exponents, and more of them where functions are hard: close to special ones, to
// multiples of pi / 2, to 1, and where nothing is large.
static double some_double(uint64_t *state) {
    uint64_t bits = next_random(state);
    double x;
    memcpy(&x, &bits, sizeof x);
    switch (next_random(state) >> 60) {
    case 0: return specials[(bits >> 40) % SPECIALS];
    case 1: return beside(specials[(bits >> 40) % SPECIALS], (int)(bits & 7) - 4);
    case 2:
    case 3:
    case 4: return x;
    case 5: return beside((double)((int64_t)bits >> (bits & 63)) * 0x1.921fb54442d18p0, 0);
    case 6: return beside((double)((int64_t)bits >> 54) * 0x1.921fb54442d18p0, (int)(bits & 3) - 1);
    case 7: return (double)(int64_t)bits * 0x1p-63;
    case 8:
    case 9: return (double)(int64_t)bits * 0x1p-60;
    case 10: return 1 + (double)(int64_t)bits * 0x1p-65;
    case 11: return beside((double)((int64_t)bits >> 58) / 2, (int)(bits & 3) - 1);
    case 12: return (double)(int64_t)bits * 0x1p-57;
    default: return (double)(int64_t)bits * 0x1p-53;
    }
}

// A second argument for x: often such that the power is within range.
static double some_second(uint64_t *state, double x) {
    uint64_t bits = next_random(state);
    if ((bits & 3) == 0 || !(x > 0))
        return (bits & 4) ? (double)((int64_t)bits >> 56) : some_double(state);
    return (double)(int64_t)bits * 0x1p-63 * 1100 / log2(x);
}

static float some_single(uint64_t *state) {
    uint32_t bits = (uint32_t)(next_random(state) >> 20);
    float x;
    memcpy(&x, &bits, sizeof x);
    switch (next_random(state) >> 62) {
    case 0: return x;
    case 1: return (float)(int32_t)bits * 0x1p-26f;
    case 2: return (float)((int32_t)bits >> 26);
    default: return (float)(int32_t)bits * 0x1p-30f;
    }
}

// The special ones in all pairs: count is at least their square.
static void set_specials(int i, double *x, double *z) {
    *x = specials[i % SPECIALS];
    *z = specials[i / SPECIALS % SPECIALS];
}

static Worst measure_f32(const Candidate *f, const Loaded *loaded, const Program *program,
                         uint32_t every) {
    static float x[COUNT], z[COUNT], y[COUNT];
    Worst worst = {0};
    uint64_t state = 1;
    uint64_t step = (uint64_t)every * COUNT, end = UINT64_C(1) << 32;
    for (uint64_t start = 0; start < end + step; start += step) {
        for (uint32_t i = 0; i < COUNT; i++) {
            uint32_t bits = (uint32_t)(start + (uint64_t)i * every);
            memcpy(&x[i], &bits, sizeof bits);
            z[i] = f->arity > 1 ? some_single(&state) : 0;
            double special_x, special_z;
            set_specials((int)i, &special_x, &special_z);
            if (start >= end)
                x[i] = (float)special_x, z[i] = (float)special_z;
        }
        run(loaded, program, x, z, y);
        for (int i = 0; i < COUNT; i++)
            note(&worst, f, (double)x[i], (double)z[i], (double)y[i],
                 (long double)f->twice((double)x[i], (double)z[i]), true);
    }
    return worst;
}

static Worst measure_f64(const Candidate *f, const Loaded *loaded, const Program *program,
                         int rounds) {
    static double x[COUNT], z[COUNT], y[COUNT];
    Worst worst = {0};
    uint64_t state = 1;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < COUNT; i++)
            x[i] = some_double(&state), z[i] = some_second(&state, x[i]);
        for (int i = 0; round == 0 && i < COUNT; i++)
            set_specials(i, &x[i], &z[i]);
        run(loaded, program, x, z, y);
        for (int i = 0; i < COUNT; i++)
            note(&worst, f, x[i], z[i], y[i], f->exact((long double)x[i], (long double)z[i]),
                 false);
    }
    return worst;
}

static double time_of(const Loaded *loaded, const Program *program, const Scalars *scalars,
                      bool is_single) {
    static float x[COUNT], z[COUNT], y[COUNT];
    static double wide_x[COUNT], wide_z[COUNT], wide_y[COUNT];
    for (int i = 0; i < COUNT; i++) {
        wide_x[i] = x[i] = (float)(i + 1) * (4.0f / COUNT);
        wide_z[i] = z[i] = 1.7f;
    }
    return is_single ? nanoseconds(loaded, program, scalars, x, z, y)
                     : nanoseconds(loaded, program, scalars, wide_x, wide_z, wide_y);
}

static bool measure(const Candidate *f, bool wide, uint32_t every, const char *cpu, bool alone) {
    Arena arena = {0};
    const Program *program;
    Loaded *loaded = compile(&arena, f, wide ? "f64" : "f32", cpu, alone, &program);
    double bound = wide ? f->bound : f->single_bound;
    Worst worst = wide ? measure_f64(f, loaded, program, 50 + 7000 / (int)every)
                       : measure_f32(f, loaded, program, every);
    Scalars scalars = {f, !wide};
    bool in_library = f->single != NULL;
    printf("%-8s %-4s %8.3f %24.15a %24.15a %24.15a %8.2f %8.2f\n", f->name, wide ? "f64" : "f32",
           worst.error, worst.argument, worst.second, worst.result,
           time_of(loaded, program, NULL, !wide),
           in_library ? time_of(loaded, program, &scalars, !wide) : 0);
    loaded_free(loaded);
    arena_free(&arena);
    return worst.error <= bound;
}

int main(int count, char **arguments) {
    uint32_t every = count > 1 ? (uint32_t)atoi(arguments[1]) : 7;
    const char *cpu = count > 2 && strcmp(arguments[2], "-") != 0 ? arguments[2] : NULL;
    bool alone = cpu && strncmp(cpu, "alone", 5) == 0;
    if (alone)
        cpu = cpu[5] == ':' ? cpu + 6 : NULL;
    const char *only = count > 3 ? arguments[3] : NULL;
    printf("%-13s %8s %24s %24s %24s %8s %8s\n", "function", "ulp", "at", "and", "result", "ns",
           "libm");
    bool good = true;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        const Candidate *f = &candidates[i];
        if (only && strcmp(only, f->name) != 0)
            continue;
        good = measure(f, false, every, cpu, alone) && good;
        good = measure(f, true, every, cpu, alone) && good;
    }
    return !good;
}
