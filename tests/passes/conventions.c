// Gradients where functions are not smooth, not finite or not defined: the values that PyTorch
// gives, listed in docs/differentiation.md. Also: which leaves get no gradient at all.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/build.h"
#include "ir/evaluate.h"
#include "passes/differentiate.h"
#include "passes/pipeline.h"
#include "tests/passes/check_derivatives.h"
#include "tests/unit/expect.h"

typedef struct Point {
    Op op;
    double x, y; // y is not used by operators of one operand
    double seed;
    double dx, dy;
} Point;

static const Point points[] = {
    {OP_abs, 0, 0, 1, 0, 0},
    {OP_abs, -INFINITY, 0, 1, -1, 0},
    {OP_abs, NAN, 0, 1, 0, 0},
    {OP_sqrt, 0, 0, 1, INFINITY, 0},
    {OP_sqrt, -0.0, 0, 1, -INFINITY, 0},
    {OP_sqrt, 0, 0, 0, NAN, 0},
    {OP_sqrt, -1, 0, 1, NAN, 0},
    {OP_log, 0, 0, 1, INFINITY, 0},
    {OP_log, -0.0, 0, 1, -INFINITY, 0},
    {OP_log, -1, 0, 1, -1, 0},
    {OP_log, 5e-324, 0, 0, 0, 0},
    {OP_div, 1, 0, 1, INFINITY, -INFINITY},
    {OP_div, 1, -0.0, 1, -INFINITY, -INFINITY},
    {OP_div, INFINITY, 2, 0, 0, NAN},
    {OP_pow, 0, 0, 1, 0, 0},
    {OP_pow, NAN, 0, 1, 0, NAN},
    {OP_pow, INFINITY, 0, 1, 0, INFINITY},
    {OP_pow, NAN, 1, 1, 1, NAN},
    {OP_pow, -1, 2, 1, -2, NAN},
    {OP_pow, -2, 3, 1, 12, NAN},
    {OP_pow, 0, 2, 1, 0, 0},
    {OP_pow, 0, -1, 1, -INFINITY, -INFINITY},
    {OP_maximum, 1, 1, 1, 0.5, 0.5},
    {OP_maximum, 0, -0.0, 1, 0.5, 0.5},
    {OP_maximum, 0, 1, 1, 0, 1},
    {OP_maximum, NAN, 1, 1, 1, 1},
    {OP_maximum, 0, 1, INFINITY, 0, INFINITY},
    {OP_minimum, 0, 1, NAN, NAN, 0},
    {OP_minimum, 2, 2, 1, 0.5, 0.5},
    {OP_atan2, 0, 0, 1, NAN, NAN},
    {OP_atan2, 1, 0, 1, 0, -1},
    {OP_atan2, 0, -1, 1, -1, 0},
    {OP_hypot, 0, 0, 1, NAN, NAN},
    {OP_hypot, 3, 0, 1, 1, 0},
    {OP_fmod, -3, 3, 1, 1, 1},
    {OP_fmod, -5, 3, 1, 1, 1},
    {OP_remainder, -4, 3, 1, 1, 2},
    {OP_asin, 1, 0, 1, INFINITY, 0},
    {OP_asin, 2, 0, 1, NAN, 0},
    {OP_acos, -1, 0, 1, -INFINITY, 0},
    {OP_acosh, 1, 0, 1, INFINITY, 0},
    {OP_acosh, 0.5, 0, 1, NAN, 0},
    {OP_atanh, -1, 0, 1, INFINITY, 0},
    {OP_lgamma, 0, 0, 1, -INFINITY, 0},
    {OP_lgamma, -1, 0, 1, NAN, 0},
    {OP_exp, 710, 0, 1, INFINITY, 0},
    {OP_tanh, 20, 0, 1, 0, 0},
    {OP_sigmoid, -800, 0, 1, 0, 0},
    {OP_mul, INFINITY, 0, 1, 0, INFINITY},
    {OP_copysign, 0, -1, 1, 0, 0},
    {OP_copysign, 3, -1, 1, -1, 0},
    {OP_floor, 1.5, 0, 1, 0, 0},
    {OP_round, 2.5, 0, 1, 0, 0},
    {OP_sign, -2, 0, 1, 0, 0},
    {OP_floor_divide, 7, 2, 1, 0, 0},
};

static bool same(double x, double y) {
    return (isnan(x) && isnan(y)) || x == y || fabs(x - y) < 1e-12;
}

// The adjoint of a function of real scalars, plain or optimised.
static Function *adjoint_of(Function *function, bool *reached, bool optimised) {
    static const int leaves[] = {0, 1, 2, 3};
    static const int output = 0;
    static const bool seeded = true;
    GradientRequest request = {&output, &seeded, 1, leaves, function->body->parameters.count};
    Function *adjoint = differentiate_reverse(function->module, function, &request, reached);
    PipelineOptions options = {.passes = optimised ? NULL : "", .level = 2, .verify = true};
    pipeline_run(adjoint->module, adjoint, &options);
    return adjoint;
}

static void check_point(const Point *point, bool optimised) {
    Arena arena = {0};
    Module *module = module_new(&arena);
    Function *function = function_new(module, "f", no_span);
    Builder b = builder_at(function->body, no_span);
    int arity = op_info(point->op)->arity;
    Value *operands[2];
    TensorData arguments[3], results[3];
    double numbers[] = {point->x, point->y};
    for (int i = 0; i < arity; i++) {
        operands[i] = function_add_parameter(function, type_scalar(TYPE_F64), (Slot){.name = "x"});
        arguments[i] = tensor_new(&arena, type_scalar(TYPE_F64));
        tensor_set(&arguments[i], 0, numbers[i]);
    }
    arguments[arity] = tensor_new(&arena, type_scalar(TYPE_F64));
    tensor_set(&arguments[arity], 0, point->seed);
    function_add_result(function, build_op(&b, point->op, operands, arity, NULL), (Slot){0});
    bool reached[2];
    EvaluateFailure failure;
    Function *adjoint = adjoint_of(function, reached, optimised);
    EXPECT(evaluate(&arena, adjoint, arguments, results, &failure));
    double dx = tensor_get(&results[1], 0), dy = arity == 2 ? tensor_get(&results[2], 0) : 0;
    if (!EXPECT(same(dx, point->dx) && same(dy, point->dy))) {
        fprintf(stderr, "  %s(%g, %g), seed %g: %g, %g; wanted %g, %g\n", op_info(point->op)->name,
                point->x, point->y, point->seed, dx, dy, point->dx, point->dy);
    }
    arena_free(&arena);
}

// A program of one vector, with the gradient of its only result for the seed 1.
typedef struct Reduction {
    const char *operator_and_axes;
    double x[3];
    double gradient[3];
} Reduction;

static const Reduction reductions[] = {
    {"reduce_max", {1, 3, 3}, {0, 0.5, 0.5}},      {"reduce_max", {1, NAN, 3}, {NAN, NAN, NAN}},
    {"reduce_min", {0, 0, 1}, {0.5, 0.5, 0}},      {"reduce_prod", {0, 2, 3}, {6, 0, 0}},
    {"reduce_prod", {0, 2, 0}, {0, 0, 0}},         {"reduce_prod", {NAN, 2, 1}, {NAN, NAN, NAN}},
    {"reduce_sum", {INFINITY, NAN, 1}, {1, 1, 1}},
};

static void check_reduction(const Reduction *reduction) {
    Arena arena = {0};
    const char *text = arena_format(&arena,
                                    "func f(x: f64[3]) -> (f64) {\n"
                                    "  y = %s x {axes = [0]} : f64\n"
                                    "  return y\n"
                                    "}\n",
                                    reduction->operator_and_axes);
    Function *function = read_function(&arena, text);
    TensorData arguments[2], results[2];
    arguments[0] = tensor_new(&arena, function->body->parameters.at[0]->type);
    arguments[1] = tensor_new(&arena, type_scalar(TYPE_F64));
    tensor_set(&arguments[1], 0, 1);
    for (int i = 0; i < 3; i++) {
        tensor_set(&arguments[0], i, reduction->x[i]);
    }
    bool reached[1];
    EvaluateFailure failure;
    EXPECT(evaluate(&arena, adjoint_of(function, reached, true), arguments, results, &failure));
    for (int i = 0; i < 3; i++) {
        if (!EXPECT(same(tensor_get(&results[1], i), reduction->gradient[i]))) {
            fprintf(stderr, "  %s at %d: %g\n", reduction->operator_and_axes, i,
                    tensor_get(&results[1], i));
        }
    }
    arena_free(&arena);
}

// An infinite or NaN slope of the side that is not taken is a product with 0: NaN, as in PyTorch.
static void check_where(void) {
    Arena arena = {0};
    Function *function = read_function(&arena, "func f(x: f64) -> (f64) {\n"
                                               "  zero = constant 0.0 : f64\n"
                                               "  p = gt x, zero : bool\n"
                                               "  s = sqrt x : f64\n"
                                               "  y = select p, s, zero : f64\n"
                                               "  return y\n"
                                               "}\n");
    bool reached[1];
    TensorData arguments[2] = {tensor_new(&arena, type_scalar(TYPE_F64)),
                               tensor_new(&arena, type_scalar(TYPE_F64))};
    TensorData results[2];
    EvaluateFailure failure;
    tensor_set(&arguments[1], 0, 1);
    EXPECT(evaluate(&arena, adjoint_of(function, reached, true), arguments, results, &failure));
    EXPECT(isnan(tensor_get(&results[1], 0)));
    arena_free(&arena);
}

// x is used, y only behind a floor, z only in a comparison, w behind a detach.
static void check_reached(void) {
    Arena arena = {0};
    Function *function = read_function(&arena, "func f(x: f64, y: f64, z: f64, w: f64) -> (f64) {\n"
                                               "  a = floor y : f64\n"
                                               "  b = add x, a : f64\n"
                                               "  p = lt z, x : bool\n"
                                               "  d = detach w : f64\n"
                                               "  c = select p, b, d : f64\n"
                                               "  return c\n"
                                               "}\n");
    bool reached[4];
    const Function *adjoint = adjoint_of(function, reached, false);
    EXPECT(reached[0] && reached[1] && !reached[2] && !reached[3]);
    EXPECT(adjoint->body->yields.count == 3);
    EXPECT_TEXT(adjoint->results[1].name, "x");
    EXPECT_TEXT(adjoint->results[2].name, "y");
    EXPECT(adjoint->results[2].role == ROLE_GRADIENT);
    arena_free(&arena);
}

int main(void) {
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        check_point(&points[i], false);
        check_point(&points[i], true);
    }
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++) {
        check_reduction(&reductions[i]);
    }
    check_where();
    check_reached();
    return expect_result();
}
