// exp, expm1, log, log1p, tanh and erf in scalars. Arguments are reduced with integer operations on
// the bits of floating-point numbers, and polynomials do the rest; vector_math.sollya derives their
// coefficients. Special cases are selections at the end: everything is computed for every argument,
// and nothing traps.
//
// Rounding to an integer adds and subtracts 1.5 * 2^(mantissa bits); the sum's low bits hold the
// integer too. Such code must not be reassociated.
#include "codegen/vector_math.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { MOST_COEFFICIENTS = 11 };

// What differs between f32 and f64.
typedef struct Format {
    ElementType real, integer;
    int mantissa_bits, bias;
    double rounder;           // 1.5 * 2^mantissa_bits
    double least_normal;      // smallest normal number
    int rescale;              // a power of two that makes any number above 0 normal
    double ln2_high, ln2_low; // the high part times any exponent is exact
    double exp_low, exp_high; // outside of them exp is 0 or infinite
    double expm1_low;         // below it expm1 is -1
    double tanh_low;          // exp of it vanishes beside 1
    double tanh_switch;       // tanh is a polynomial below it
    double exp_part[MOST_COEFFICIENTS], log_part[MOST_COEFFICIENTS], tanh_part[MOST_COEFFICIENTS];
    int exp_count, log_count, tanh_count;
} Format;

static const Format formats[] = {
    {.real = TYPE_F32,
     .integer = TYPE_I32,
     .mantissa_bits = 23,
     .bias = 127,
     .rounder = 0x1.8p23,
     .least_normal = 0x1p-126,
     .rescale = 25,
     .ln2_high = 0x1.62ep-1,
     .ln2_low = 0x1.0bfbe8p-15,
     .exp_low = -104,
     .exp_high = 89,
     .expm1_low = -18,
     .tanh_low = -20,
     .exp_part = {0x1p-1, 0x1.5554dcp-3, 0x1.555568p-5, 0x1.120c3p-7, 0x1.6caef8p-10},
     .exp_count = 5,
     .log_part = {0x1.555554p-2, -0x1.fffff6p-3, 0x1.999d7ap-3, -0x1.555d92p-3, 0x1.23cce8p-3,
                  -0x1.fc7dfep-4, 0x1.deac3ap-4, -0x1.d9ba74p-4, 0x1.21cde8p-4},
     .log_count = 9,
     .tanh_part = {-0x1.555554p-2, 0x1.111056p-3, -0x1.b9e45p-5, 0x1.62e28cp-6, -0x1.07f2a4p-7,
                   0x1.0872eep-9},
     .tanh_count = 6,
     .tanh_switch = 0.7},
    {.real = TYPE_F64,
     .integer = TYPE_I64,
     .mantissa_bits = 52,
     .bias = 1023,
     .rounder = 0x1.8p52,
     .least_normal = 0x1p-1022,
     .rescale = 54,
     .ln2_high = 0x1.62e42fefap-1,
     .ln2_low = 0x1.cf79abc9e3b3ap-40,
     .exp_low = -746,
     .exp_high = 710,
     .expm1_low = -40,
     .tanh_low = -44,
     .exp_part = {0x1.0000000000001p-1, 0x1.555555555554dp-3, 0x1.5555555553cc8p-5,
                  0x1.11111111144d8p-7, 0x1.6c16c178b478fp-10, 0x1.a01a018c3a604p-13,
                  0x1.a019b88e86236p-16, 0x1.71de59c83840ap-19, 0x1.2892086b88e3p-22,
                  0x1.aeac5dcf9af3ep-26},
     .exp_count = 10,
     .log_part = {0x1.5555555555558p-1, 0x1.999999999531dp-2, 0x1.2492492def90cp-2,
                  0x1.c71c62e56b49ep-3, 0x1.7462b4feac939p-3, 0x1.39fe5042f6893p-3,
                  0x1.2b59369f808dep-3},
     .log_count = 7,
     .tanh_part = {-0x1.5555555555555p-2, 0x1.1111111110fd5p-3, -0x1.ba1ba1b9f850fp-5,
                   0x1.664f48756d1fep-6, -0x1.226e32b4cdb18p-7, 0x1.d6d32f311743dp-9,
                   -0x1.7d97481199f9ap-10, 0x1.34c11d56838e2p-11, -0x1.ebe0ca927454bp-13,
                   0x1.6470ea866f842p-14, -0x1.584553cc58edep-16},
     .tanh_count = 11,
     .tanh_switch = 0.55},
};

// erf in f32: erf(x) = x + x p(x^2) below 1, 1 - exp(q(x)) above.
static const double erf_small[] = {0x1.06eba8p-3, -0x1.812744p-2,  0x1.ce2eap-4,   -0x1.b821e6p-6,
                                   0x1.55dcc6p-8, -0x1.b99eb6p-11, 0x1.c77348p-14, -0x1.1fd45cp-17};
static const double erf_large[] = {0x1.1825bcp-12, -0x1.21492cp0,   -0x1.43ad16p-1,
                                   -0x1.c18b32p-4, 0x1.adde18p-6,   -0x1.33b9b8p-8,
                                   0x1.31cc78p-11, -0x1.750304p-15, 0x1.a20ad4p-20};

// ---- building

typedef struct Math {
    Arena *arena;
    const Format *format;
    MathFunction *function;
} Math;

static Scalar *new_scalar(Math *m, ScalarOp op, ElementType type) {
    Scalar *scalar = arena_new(m->arena, Scalar);
    *scalar = (Scalar){.op = op, .type = type, .id = m->function->scalar_count++};
    return scalar;
}

static Scalar *step(Math *m, ScalarOp op, ElementType type, Scalar *x, Scalar *y, Scalar *z) {
    Scalar *scalar = new_scalar(m, op, type);
    Scalar *args[] = {x, y, z};
    for (int i = 0; i < 3 && args[i]; i++)
        scalar->args[scalar->arg_count++] = args[i];
    vec_push(m->arena, &m->function->steps, scalar);
    return scalar;
}

static Scalar *real(Math *m, double value) {
    Scalar *scalar = new_scalar(m, SCALAR_CONSTANT, m->format->real);
    scalar->real = value;
    return scalar;
}

static Scalar *integer(Math *m, int64_t value) {
    Scalar *scalar = new_scalar(m, SCALAR_CONSTANT, m->format->integer);
    scalar->integer = value;
    return scalar;
}

static Scalar *binary(Math *m, ScalarOp op, Scalar *x, Scalar *y) {
    return step(m, op, x->type, x, y, NULL);
}

static Scalar *fused(Math *m, Scalar *x, Scalar *y, Scalar *z) {
    return step(m, SCALAR_FMA, m->format->real, x, y, z);
}

static Scalar *compare(Math *m, ScalarOp op, Scalar *x, Scalar *y) {
    return step(m, op, TYPE_BOOL, x, y, NULL);
}

static Scalar *choose(Math *m, Scalar *condition, Scalar *x, Scalar *y) {
    return step(m, SCALAR_SELECT, x->type, condition, x, y);
}

static Scalar *absolute(Math *m, Scalar *x) {
    return step(m, SCALAR_ABS, x->type, x, NULL, NULL);
}

static Scalar *to_bits(Math *m, Scalar *x) {
    return step(m, SCALAR_BITS, m->format->integer, x, NULL, NULL);
}

static Scalar *from_bits(Math *m, Scalar *x) {
    return step(m, SCALAR_BITS, m->format->real, x, NULL, NULL);
}

int64_t real_bits(ElementType type, double value) {
    if (type == TYPE_F64) {
        int64_t bits;
        memcpy(&bits, &value, sizeof bits);
        return bits;
    }
    float single = (float)value;
    int32_t bits;
    memcpy(&bits, &single, sizeof bits);
    return bits;
}

static int64_t bits_of(const Math *m, double value) {
    return real_bits(m->format->real, value);
}

// The polynomial with these coefficients, lowest first.
static Scalar *polynomial(Math *m, const double *coefficients, int count, Scalar *x) {
    Scalar *sum = real(m, coefficients[count - 1]);
    for (int i = count - 2; i >= 0; i--)
        sum = fused(m, sum, x, real(m, coefficients[i]));
    return sum;
}

// Not below `low`; a NaN stays.
static Scalar *at_least(Math *m, Scalar *x, double low) {
    return choose(m, compare(m, SCALAR_LT, x, real(m, low)), real(m, low), x);
}

static Scalar *at_most(Math *m, Scalar *x, double high) {
    return choose(m, compare(m, SCALAR_GT, x, real(m, high)), real(m, high), x);
}

// 2^n for an integer n whose sum with the bias is a normal exponent: that sum is given.
static Scalar *power_of_two(Math *m, Scalar *biased) {
    return from_bits(m, binary(m, SCALAR_SHIFT_LEFT, biased, integer(m, m->format->mantissa_bits)));
}

// ---- exponentials

// x = n log(2) + rest + lost, |rest| <= log(2) / 2, n an integer; `lost` is what rounding took from
// the rest.
typedef struct ExpParts {
    Scalar *n, *rest, *lost;
} ExpParts;

static ExpParts split_exponent(Math *m, Scalar *x) {
    const Format *format = m->format;
    Scalar *rounder = real(m, format->rounder);
    Scalar *sum = fused(m, x, real(m, 0x1.71547652b82fep0), rounder);
    Scalar *n = binary(m, SCALAR_SUB, sum, rounder);
    ExpParts parts;
    Scalar *high = fused(m, n, real(m, -format->ln2_high), x); // exact
    Scalar *low = binary(m, SCALAR_MUL, n, real(m, format->ln2_low));
    parts.rest = binary(m, SCALAR_SUB, high, low);
    parts.lost = binary(m, SCALAR_SUB, binary(m, SCALAR_SUB, high, parts.rest), low);
    parts.n = binary(m, SCALAR_SUB, to_bits(m, sum), integer(m, bits_of(m, format->rounder)));
    return parts;
}

// exp(rest) - 1 - rest
static Scalar *exp_of_rest(Math *m, Scalar *rest) {
    Scalar *square = binary(m, SCALAR_MUL, rest, rest);
    return binary(m, SCALAR_MUL, square,
                  polynomial(m, m->format->exp_part, m->format->exp_count, rest));
}

// exp(rest + lost)
static Scalar *exp_of_parts(Math *m, const ExpParts *parts, bool precisely) {
    Scalar *part = exp_of_rest(m, parts->rest);
    part = precisely ? binary(m, SCALAR_ADD, part, parts->lost) : part;
    part = binary(m, SCALAR_ADD, parts->rest, part);
    return binary(m, SCALAR_ADD, real(m, 1), part);
}

static Scalar *exp_steps(Math *m, Scalar *x) {
    const Format *format = m->format;
    ExpParts parts =
        split_exponent(m, at_most(m, at_least(m, x, format->exp_low), format->exp_high));
    Scalar *y = exp_of_parts(m, &parts, false);
    // 2^n in two factors, as n may be beyond the exponents of normal numbers.
    Scalar *sum = binary(m, SCALAR_ADD, parts.n, integer(m, 2 * format->bias));
    Scalar *half = binary(m, SCALAR_SHIFT_LOGICAL, sum, integer(m, 1));
    y = binary(m, SCALAR_MUL, y, power_of_two(m, half));
    return binary(m, SCALAR_MUL, y, power_of_two(m, binary(m, SCALAR_SUB, sum, half)));
}

// exp(x) where neither x nor the result is extreme.
static Scalar *small_exp(Math *m, Scalar *x) {
    ExpParts parts = split_exponent(m, x);
    Scalar *biased = binary(m, SCALAR_ADD, parts.n, integer(m, m->format->bias));
    return binary(m, SCALAR_MUL, exp_of_parts(m, &parts, true), power_of_two(m, biased));
}

// 2^n exp(rest) - 1 = 2 (2^(n-1) - 1/2 + 2^(n-1) rest + 2^(n-1) (exp(rest) - 1 - rest))
static Scalar *expm1_steps(Math *m, Scalar *x) {
    const Format *format = m->format;
    ExpParts parts =
        split_exponent(m, at_most(m, at_least(m, x, format->expm1_low), format->exp_high));
    Scalar *scale = power_of_two(m, binary(m, SCALAR_ADD, parts.n, integer(m, format->bias - 1)));
    Scalar *high = fused(m, scale, parts.rest, binary(m, SCALAR_SUB, scale, real(m, 0.5)));
    Scalar *low = binary(m, SCALAR_ADD, exp_of_rest(m, parts.rest), parts.lost);
    Scalar *half = fused(m, scale, low, high);
    // The sign is for -0.
    return binary(m, SCALAR_COPYSIGN, binary(m, SCALAR_ADD, half, half), x);
}

// ---- logarithms

// log(1 + f) + n log(2) + more, where `more` is small beside f or n, or NULL.
static Scalar *log_of_parts_f32(Math *m, Scalar *f, Scalar *n, Scalar *more) {
    const Format *format = m->format;
    Scalar *square = binary(m, SCALAR_MUL, f, f);
    Scalar *cube = binary(m, SCALAR_MUL, square, f);
    Scalar *rest =
        binary(m, SCALAR_MUL, cube, polynomial(m, format->log_part, format->log_count, f));
    rest = fused(m, n, real(m, format->ln2_low), rest);
    rest = fused(m, square, real(m, -0.5), rest);
    rest = more ? binary(m, SCALAR_ADD, rest, more) : rest;
    return fused(m, n, real(m, format->ln2_high), binary(m, SCALAR_ADD, f, rest));
}

// The same by s = f / (2 + f): log(1 + f) = 2 s + s r = f - (f^2 / 2 - s (f^2 / 2 + r)).
static Scalar *log_of_parts_f64(Math *m, Scalar *f, Scalar *n, Scalar *more) {
    const Format *format = m->format;
    Scalar *s = binary(m, SCALAR_DIV, f, binary(m, SCALAR_ADD, real(m, 2), f));
    Scalar *z = binary(m, SCALAR_MUL, s, s);
    Scalar *r = binary(m, SCALAR_MUL, z, polynomial(m, format->log_part, format->log_count, z));
    Scalar *half_square = binary(m, SCALAR_MUL, binary(m, SCALAR_MUL, real(m, 0.5), f), f);
    Scalar *low = fused(m, s, binary(m, SCALAR_ADD, half_square, r),
                        binary(m, SCALAR_MUL, n, real(m, format->ln2_low)));
    low = more ? binary(m, SCALAR_ADD, low, more) : low;
    Scalar *rest = binary(m, SCALAR_SUB, binary(m, SCALAR_SUB, half_square, low), f);
    return binary(m, SCALAR_SUB, binary(m, SCALAR_MUL, n, real(m, format->ln2_high)), rest);
}

// log(x) + more for 0 < x < infinity; anything otherwise. x = 2^n (1 + f), sqrt(1/2) <= 1 + f <
// sqrt(2).
static Scalar *log_of_positive(Math *m, Scalar *x, Scalar *more) {
    const Format *format = m->format;
    Scalar *tiny = compare(m, SCALAR_LT, x, real(m, format->least_normal));
    Scalar *grown = binary(m, SCALAR_MUL, x, real(m, ldexp(1, format->rescale)));
    Scalar *normal = choose(m, tiny, grown, x);
    int64_t root = bits_of(m, sqrt(0.5)), one = bits_of(m, 1);
    Scalar *moved = binary(m, SCALAR_SUB, to_bits(m, normal), integer(m, root - one));
    Scalar *biased = binary(m, SCALAR_SHIFT_LOGICAL, moved, integer(m, format->mantissa_bits));
    int64_t mask = ((int64_t)1 << format->mantissa_bits) - 1;
    Scalar *fraction = binary(m, SCALAR_AND, moved, integer(m, mask));
    Scalar *mantissa = from_bits(m, binary(m, SCALAR_ADD, fraction, integer(m, root)));
    Scalar *f = binary(m, SCALAR_SUB, mantissa, real(m, 1));
    // The biased exponent as a real, by way of the bits of the rounder.
    Scalar *sum =
        from_bits(m, binary(m, SCALAR_ADD, biased, integer(m, bits_of(m, format->rounder))));
    Scalar *excess = choose(m, tiny, real(m, format->rounder + format->bias + format->rescale),
                            real(m, format->rounder + format->bias));
    Scalar *n = binary(m, SCALAR_SUB, sum, excess);
    return format->real == TYPE_F32 ? log_of_parts_f32(m, f, n, more)
                                    : log_of_parts_f64(m, f, n, more);
}

// `y` where 0 < x < infinity, else the logarithm of 0, of infinity, or NaN.
static Scalar *log_special(Math *m, Scalar *x, Scalar *y, Scalar *usual) {
    Scalar *positive = compare(m, SCALAR_GT, x, real(m, 0));
    Scalar *zero = compare(m, SCALAR_EQ, x, real(m, 0));
    Scalar *special = choose(m, zero, real(m, -(double)INFINITY), real(m, (double)NAN));
    return choose(m, usual, y, choose(m, positive, x, special));
}

static Scalar *is_positive_finite(Math *m, Scalar *x) {
    return step(m, SCALAR_AND, TYPE_BOOL, compare(m, SCALAR_GT, x, real(m, 0)),
                compare(m, SCALAR_LT, x, real(m, (double)INFINITY)), NULL);
}

static Scalar *log_steps(Math *m, Scalar *x) {
    return log_special(m, x, log_of_positive(m, x, NULL), is_positive_finite(m, x));
}

// log(u) + c / u, where u is 1 + x rounded and c what the rounding lost.
static Scalar *log1p_steps(Math *m, Scalar *x) {
    Scalar *one = real(m, 1);
    Scalar *u = binary(m, SCALAR_ADD, one, x);
    Scalar *of_x = binary(m, SCALAR_SUB, u, one);
    Scalar *of_one = binary(m, SCALAR_SUB, u, of_x);
    Scalar *lost =
        binary(m, SCALAR_ADD, binary(m, SCALAR_SUB, one, of_one), binary(m, SCALAR_SUB, x, of_x));
    Scalar *y = log_of_positive(m, u, binary(m, SCALAR_DIV, lost, u));
    y = log_special(m, u, y, is_positive_finite(m, u));
    // The sign is for -0.
    return binary(m, SCALAR_COPYSIGN, y, x);
}

// ---- others

static Scalar *tanh_steps(Math *m, Scalar *x) {
    const Format *format = m->format;
    Scalar *size = absolute(m, x);
    Scalar *square = binary(m, SCALAR_MUL, size, size);
    Scalar *small = fused(m, binary(m, SCALAR_MUL, size, square),
                          polynomial(m, format->tanh_part, format->tanh_count, square), size);
    // 1 - 2 e / (1 + e), e = exp(-2 |x|)
    Scalar *twice = binary(m, SCALAR_MUL, size, real(m, -2));
    Scalar *e = small_exp(m, at_least(m, twice, format->tanh_low));
    Scalar *part =
        binary(m, SCALAR_DIV, binary(m, SCALAR_ADD, e, e), binary(m, SCALAR_ADD, real(m, 1), e));
    Scalar *large = binary(m, SCALAR_SUB, real(m, 1), part);
    Scalar *is_small = compare(m, SCALAR_LT, size, real(m, format->tanh_switch));
    return binary(m, SCALAR_COPYSIGN, choose(m, is_small, small, large), x);
}

static Scalar *erf_steps_f32(Math *m, Scalar *x) {
    Scalar *size = absolute(m, x);
    Scalar *square = binary(m, SCALAR_MUL, size, size);
    int small_count = sizeof erf_small / sizeof *erf_small;
    int large_count = sizeof erf_large / sizeof *erf_large;
    Scalar *small = fused(m, size, polynomial(m, erf_small, small_count, square), size);
    Scalar *power = polynomial(m, erf_large, large_count, at_most(m, size, 4));
    Scalar *large = binary(m, SCALAR_SUB, real(m, 1), small_exp(m, power));
    Scalar *is_small = compare(m, SCALAR_LT, size, real(m, 1));
    return binary(m, SCALAR_COPYSIGN, choose(m, is_small, small, large), x);
}

typedef Scalar *(*Steps)(Math *m, Scalar *x);

typedef struct KnownFunction {
    const char *name;
    Steps single, twice; // of f32 and f64; NULL: libm's is called
} KnownFunction;

static const KnownFunction known_functions[] = {
    {"exp", exp_steps, exp_steps},    {"expm1", expm1_steps, expm1_steps},
    {"log", log_steps, log_steps},    {"log1p", log1p_steps, log1p_steps},
    {"tanh", tanh_steps, tanh_steps}, {"erf", erf_steps_f32, NULL},
};

// Steps that nothing needs leave.
static void drop_unused(Arena *arena, MathFunction *function) {
    bool *used = arena_array(arena, bool, function->scalar_count);
    used[function->result->id] = true;
    for (int i = function->steps.count - 1; i >= 0; i--) {
        const Scalar *scalar = function->steps.at[i];
        for (int k = 0; used[scalar->id] && k < scalar->arg_count; k++)
            used[scalar->args[k]->id] = true;
    }
    int kept = 0;
    for (int i = 0; i < function->steps.count; i++)
        if (used[function->steps.at[i]->id])
            function->steps.at[kept++] = function->steps.at[i];
    function->steps.count = kept;
}

const MathFunction *math_function(Arena *arena, const char *name, ElementType type) {
    for (size_t i = 0; i < sizeof known_functions / sizeof *known_functions; i++) {
        const KnownFunction *known = &known_functions[i];
        Steps steps = type == TYPE_F32 ? known->single : known->twice;
        if (strcmp(known->name, name) != 0 || steps == NULL)
            continue;
        MathFunction *function = arena_new(arena, MathFunction);
        function->name = known->name;
        function->type = type;
        Math math = {arena, &formats[type == TYPE_F64], function};
        function->argument = new_scalar(&math, SCALAR_ARGUMENT, type);
        function->result = steps(&math, function->argument);
        drop_unused(arena, function);
        return function;
    }
    return NULL;
}

const char *const *math_function_names(void) {
    static const char *const names[] = {"exp", "expm1", "log", "log1p", "tanh", "erf", NULL};
    static_assert(sizeof names / sizeof *names ==
                      sizeof known_functions / sizeof *known_functions + 1,
                  "a name for each function");
    return names;
}
