// Which functions are written out in scalars, and how. Arguments are reduced with integer
// operations on the bits of floating-point numbers, and polynomials do the rest; vector_math.sollya
// derives their coefficients. Special cases are selections at the end: everything is computed for
// every argument, and nothing traps.
//
// Rounding to an integer adds and subtracts 1.5 * 2^(mantissa bits); the sum's low bits hold the
// integer too. Such code must not be reassociated.
//
// What is called often in f32 is computed in f32. The rest is computed in f64 and rounded, which
// leaves an error of little more than half a unit in the last place.
#include "codegen/vector_math.h"

#include <assert.h>
#include <string.h>

#include "codegen/vector_math_steps.h"

typedef Scalar *(*Steps)(Math *m, Scalar *const *x);

typedef struct KnownFunction {
    const char *name;
    int arity;
    Steps single; // in f32, or NULL
    Steps wide;   // for f32, in f64 with shorter polynomials, or NULL
    Steps twice;  // in f64; NULL, or its result is: libm's is called
    // One number at a time; NULL: the same.
    Steps alone_single; // for f32, in f64
    Steps alone_twice;
} KnownFunction;

// No name ends as those of halves do (vector_math_halves.c).
static const KnownFunction known_functions[] = {
    {"exp", 1, math_exp, NULL, math_exp, math_exp_alone_f32, math_exp_alone_f64},
    {"exp2", 1, math_exp2, NULL, math_exp2, NULL, NULL},
    {"expm1", 1, math_expm1, NULL, math_expm1, math_expm1_alone_f32, NULL},
    {"log", 1, math_log, NULL, math_log, math_log_alone_f32, math_log_alone_f64},
    {"log2", 1, NULL, math_log2, math_log2, NULL, NULL},
    {"log10", 1, NULL, math_log10, math_log10, NULL, NULL},
    {"log1p", 1, math_log1p, NULL, math_log1p, math_log1p_alone_f32, math_log1p_alone_f64},
    {"sigmoid", 1, math_sigmoid, NULL, math_sigmoid, math_sigmoid_alone_f32,
     math_sigmoid_alone_f64},
    {"tanh", 1, math_tanh, NULL, math_tanh, math_tanh_alone_f32, NULL},
    {"sinh", 1, NULL, math_sinh, math_sinh, NULL, NULL},
    {"cosh", 1, NULL, math_cosh, math_cosh, NULL, NULL},
    {"asinh", 1, NULL, math_asinh, math_asinh, NULL, NULL},
    {"acosh", 1, NULL, math_acosh, math_acosh, NULL, NULL},
    {"atanh", 1, NULL, math_atanh, math_atanh, NULL, NULL},
    {"cbrt", 1, NULL, math_cbrt, math_cbrt, NULL, NULL},
    {"hypot", 2, NULL, math_hypot, math_hypot, NULL, NULL},
    {"pow", 2, NULL, math_pow_f32, math_pow_f64, math_pow_alone_f32, math_pow_alone_f64},
    {"sin", 1, NULL, math_sin, math_sin, NULL, NULL},
    {"cos", 1, NULL, math_cos, math_cos, NULL, NULL},
    {"tan", 1, NULL, math_tan, math_tan, NULL, NULL},
    {"asin", 1, NULL, math_asin, math_asin, NULL, NULL},
    {"acos", 1, NULL, math_acos, math_acos, NULL, NULL},
    {"atan", 1, NULL, math_atan, math_atan, NULL, NULL},
    {"atan2", 2, NULL, math_atan2, math_atan2, NULL, NULL},
    {"erf", 1, math_erf_f32, NULL, math_erf_f64, math_erf_f32, NULL},
    {"erf_in_sum", 1, math_erf_in_sum, NULL, NULL, NULL, NULL},
    {"erfc", 1, NULL, math_erfc, math_erfc, NULL, NULL},
    {"fmod", 2, NULL, math_fmod_f32, math_fmod_f64, NULL, NULL},
    {"lgamma", 1, NULL, math_lgamma, math_lgamma, NULL, NULL},
    {"digamma", 1, NULL, math_digamma, math_digamma, NULL, NULL},
    {"trigamma", 1, NULL, math_trigamma, math_trigamma, NULL, NULL},
};

enum { KNOWN_FUNCTIONS = sizeof known_functions / sizeof *known_functions };

void math_drop_unused(Arena *arena, MathFunction *function) {
    bool *used = arena_array(arena, bool, function->scalar_count);
    used[function->result->id] = true;
    if (function->rare)
        used[function->rare->id] = true;
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

static const KnownFunction *find_function(const char *name, ElementType type) {
    for (int i = 0; i < KNOWN_FUNCTIONS; i++) {
        const KnownFunction *known = &known_functions[i];
        bool exists = type == TYPE_F32 ? known->single || known->wide : known->twice != NULL;
        if (exists && strcmp(known->name, name) == 0)
            return known;
    }
    return NULL;
}

MathFunction *math_function(Arena *arena, const char *name, ElementType type,
                            MathAbilities abilities) {
    const KnownFunction *known = find_function(name, type);
    if (known == NULL)
        return half_of_function(arena, name, type);
    MathFunction *function = arena_new(arena, MathFunction);
    *function = (MathFunction){.name = known->name, .type = type, .arity = known->arity};
    bool single = type == TYPE_F32;
    Steps alone = single ? known->alone_single : known->alone_twice;
    alone = abilities.alone ? alone : NULL;
    bool wide = single && (known->single == NULL || alone);
    function->alone = alone != NULL;
    Math math = {arena,
                 wide     ? &math_f64_short
                 : single ? &math_f32
                          : &math_f64,
                 function, abilities};
    Scalar *x[MOST_MATH_ARGUMENTS];
    for (int i = 0; i < known->arity; i++) {
        Scalar *argument = math_scalar(&math, SCALAR_ARGUMENT, type);
        argument->integer = i;
        function->arguments[i] = argument;
        x[i] = wide ? math_cast(&math, TYPE_F64, argument) : argument;
    }
    Steps steps = alone ? alone : wide ? known->wide : single ? known->single : known->twice;
    Scalar *result = steps(&math, x);
    if (result == NULL)
        return NULL;
    function->result = wide ? math_cast(&math, TYPE_F32, result) : result;
    math_drop_unused(arena, function);
    return function;
}

static void note_calls(Arena *arena, VectorFunctions *functions, const Block *block,
                       bool in_vectors) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LIBM && in_vectors &&
            !is_in_vectors(functions, s->scalar->name, s->scalar->type))
            vec_push(arena, &functions->calls, s->scalar);
        if (s->kind == STATEMENT_LOOP)
            note_calls(arena, functions, &s->loop->body,
                       in_vectors || s->loop->kind == LOOP_VECTOR);
        note_calls(arena, functions, &s->body, in_vectors);
        note_calls(arena, functions, &s->otherwise, in_vectors);
    }
}

const MathFunction *even_math_function(Arena *arena, const char *name, ElementType type) {
    enum { MOST_STEPS = 128 };
    const MathFunction *function =
        math_function(arena, name, type, (MathAbilities){.branch = true});
    const MathFunction *even = math_function(arena, name, type, (MathAbilities){0});
    bool is_short = function != NULL && function->rare != NULL && even != NULL &&
                    even->steps.count <= MOST_STEPS;
    return is_short ? even : NULL;
}

bool is_of_vectors_in_c(Arena *arena, const char *name, ElementType type) {
    const MathFunction *function =
        math_function(arena, name, type, (MathAbilities){.branch = true});
    return function != NULL &&
           (function->rare == NULL || even_math_function(arena, name, type) != NULL);
}

VectorFunctions functions_in_vectors(Arena *arena, const Program *program) {
    VectorFunctions functions = {0};
    for (int i = 0; i < program->kernels.count; i++)
        note_calls(arena, &functions, &program->kernels.at[i]->body, false);
    return functions;
}

bool is_in_vectors(const VectorFunctions *functions, const char *name, ElementType type) {
    size_t length = math_base_length(name);
    for (int i = 0; i < functions->calls.count; i++) {
        const Scalar *call = functions->calls.at[i];
        if (call->type == type && math_base_length(call->name) == length &&
            strncmp(call->name, name, length) == 0)
            return true;
    }
    return false;
}

const char *math_function_name(int index) {
    return index < KNOWN_FUNCTIONS ? known_functions[index].name : NULL;
}
