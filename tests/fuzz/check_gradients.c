// Checks of derivatives, all along one random direction of the leaves: reverse mode against forward
// mode and against differences, optimised adjoints against plain ones, and the adjoint's adjoint.
#include <math.h>
#include <string.h>

#include "ir/edit.h"
#include "ir/evaluate.h"
#include "passes/differentiate.h"
#include "passes/pipeline.h"
#include "tests/fuzz/check.h"

enum { INSTS_MAX = 400, ORDER_MAX = 2 };

static const double STEP = 1e-4;

// One function to differentiate, where, and its adjoint.
typedef struct Study {
    Subject *subject;
    Arena *arena;
    Function *function;
    TensorData *arguments;
    GradientRequest request;
    bool *reached;
    TensorData *directions; // of the leaves
    TensorData *seeds;      // of the outputs
    Function *flat;         // without calls
    Function *adjoint;
    TensorData *adjoint_arguments;
    Reference reference; // of the adjoint
} Study;

static TensorData random_direction(Study *study, Type type) {
    TensorData tensor = tensor_new(study->arena, type);
    for (int64_t i = 0; i < type_elements(type); i++) {
        tensor_set(&tensor, i, random_real(&study->subject->random, -1, 1));
    }
    return tensor;
}

static double dot(const TensorData *x, const TensorData *y, double *magnitude) {
    double sum = 0;
    for (int64_t i = 0; i < type_elements(x->type); i++) {
        double product = tensor_get(x, i) * tensor_get(y, i);
        sum += product;
        *magnitude += fabs(product);
    }
    return sum;
}

static const char *show(const Study *study, const char *what, double got, double wanted) {
    return arena_format(study->arena, "%s: got %.12g, wanted %.12g", what, got, wanted);
}

// Outputs and leaves: real values, most of them.
static int choose_real(Study *study, Value *const *values, int from, int count, int *chosen) {
    int found = 0;
    for (int i = from; i < count; i++) {
        if (element_is_real(values[i]->type.element) &&
            random_chance(&study->subject->random, 0.9)) {
            chosen[found++] = i;
        }
    }
    return found;
}

static void choose_request(Study *study, int first_output) {
    const Region *body = study->function->body;
    int outputs = body->yields.count, leaves = body->parameters.count;
    int *output = arena_array(study->arena, int, outputs);
    int *leaf = arena_array(study->arena, int, leaves);
    bool *seeded = arena_array(study->arena, bool, outputs);
    study->request.output_count =
        choose_real(study, body->yields.at, first_output, outputs, output);
    study->request.leaf_count = choose_real(study, body->parameters.at, 0, leaves, leaf);
    study->seeds = arena_array(study->arena, TensorData, outputs);
    for (int i = 0; i < study->request.output_count; i++) {
        Type type = body->yields.at[output[i]]->type;
        seeded[i] = type_elements(type) != 1 || random_chance(&study->subject->random, 0.7);
        study->seeds[i] = random_direction(study, type);
        if (!seeded[i] ||
            (type_elements(type) == 1 && random_chance(&study->subject->random, 0.4))) {
            tensor_set(&study->seeds[i], 0, 1); // compiled code is given NULL for it
        }
    }
    study->directions = arena_array(study->arena, TensorData, leaves);
    for (int i = 0; i < study->request.leaf_count; i++) {
        study->directions[i] = random_direction(study, body->parameters.at[leaf[i]]->type);
    }
    study->request.outputs = output;
    study->request.leaves = leaf;
    study->request.seeded = seeded;
}

static const char *make_adjoint(Study *study) {
    int parameters = study->function->body->parameters.count;
    study->reached = arena_array(study->arena, bool, study->request.leaf_count);
    study->adjoint = differentiate_reverse(study->subject->module, study->function, &study->request,
                                           study->reached);
    study->adjoint = expand(study->adjoint); // rules are called, and transposed by derivatives
    int count = study->adjoint->body->parameters.count, reached = 0;
    study->adjoint_arguments = arena_array(study->arena, TensorData, count);
    for (int i = 0; i < parameters; i++) {
        study->adjoint_arguments[i] = study->arguments[i];
    }
    for (int i = 0; i < study->request.output_count; i++) {
        if (study->request.seeded[i]) {
            study->adjoint_arguments[parameters++] = study->seeds[i];
        }
    }
    for (int i = 0; i < study->request.leaf_count; i++) {
        reached += study->reached[i];
    }
    int results = study->adjoint->body->yields.count - study->function->body->yields.count;
    return count != parameters || results != reached ? "adjoint: parameters or results are missing"
                                                     : NULL;
}

// <gradients, directions>, from the results of the adjoint.
static double slope_of(const Study *study, const TensorData *results, double *magnitude) {
    const TensorData *gradient = results + study->function->body->yields.count;
    double sum = 0;
    for (int i = 0; i < study->request.leaf_count; i++) {
        if (study->reached[i]) {
            sum += dot(gradient++, &study->directions[i], magnitude);
        }
    }
    return sum;
}

// <seeds, tangents>, from the results of the tangent program.
static double tangent_of(const Study *study, const TensorData *results, double *magnitude) {
    const TensorData *tangents = results + study->function->body->yields.count;
    double sum = 0;
    for (int i = 0; i < study->request.output_count; i++) {
        sum += dot(&tangents[i], &study->seeds[i], magnitude);
    }
    return sum;
}

// How far rounding may move both slopes.
static double noise_of_slopes(const Study *study, const Function *tangent,
                              const TensorData *tangent_arguments, double slope, double forward) {
    double spread = 0, ignored = 0;
    for (int i = 0; i < NOISY_RUNS; i++) {
        uint64_t seed = (uint64_t)i * 101 + 3;
        TensorData *reverse =
            noisy_results(study->arena, study->reference.function, study->adjoint_arguments, seed);
        TensorData *results = noisy_results(study->arena, tangent, tangent_arguments, seed);
        if (reverse == NULL || results == NULL) {
            return INFINITY;
        }
        spread = fmax(spread, fabs(slope_of(study, reverse, &ignored) - slope));
        spread = fmax(spread, fabs(tangent_of(study, results, &ignored) - forward));
    }
    return spread;
}

static const char *compare_forward(Study *study) {
    const GradientRequest *request = &study->request;
    Function *tangent = differentiate_forward(study->subject->module, study->function, request);
    const char *wrong = check_text(study->subject, tangent);
    tangent = flatten(tangent);
    if (wrong != NULL) {
        return arena_format(study->arena, "tangent %s", wrong);
    }
    int parameters = study->function->body->parameters.count;
    TensorData *arguments = arena_array(study->arena, TensorData, parameters + request->leaf_count);
    memcpy(arguments, study->arguments, (size_t)parameters * sizeof *arguments);
    for (int i = 0; i < request->leaf_count; i++) {
        arguments[parameters + i] = study->directions[i];
    }
    Reference forward = reference_new(study->arena, tangent, arguments, false);
    if (forward.fails) {
        return arena_format(study->arena, "tangent fails: %s", forward.message);
    }
    double magnitude = 0;
    double slope = slope_of(study, study->reference.results, &magnitude);
    double wanted = tangent_of(study, forward.results, &magnitude);
    study->subject->counts.derivatives++;
    bool close = fabs(slope - wanted) <= 1e-10 * magnitude + 1e-300;
    if (close ||
        fabs(slope - wanted) <= 30 * noise_of_slopes(study, tangent, arguments, slope, wanted)) {
        return NULL;
    }
    return show(study, "reverse against forward", slope, wanted);
}

// <seeds, outputs> at a step along the directions; NaN if the program fails there.
static double weigh_at(const Study *study, double step) {
    Arena scratch = {0};
    int parameters = study->function->body->parameters.count;
    TensorData *arguments = arena_array(&scratch, TensorData, parameters);
    memcpy(arguments, study->arguments, (size_t)parameters * sizeof *arguments);
    for (int i = 0; i < study->request.leaf_count; i++) {
        TensorData *leaf = &arguments[study->request.leaves[i]];
        TensorData moved = tensor_new(&scratch, leaf->type);
        for (int64_t k = 0; k < type_elements(leaf->type); k++) {
            double direction = tensor_get(&study->directions[i], k);
            tensor_set(&moved, k, tensor_get(leaf, k) + step * direction);
        }
        *leaf = moved;
    }
    TensorData *results = arena_array(&scratch, TensorData, study->function->body->yields.count);
    EvaluateFailure failure;
    double sum = NAN, ignored = 0;
    if (evaluate(&scratch, study->flat, arguments, results, &failure)) {
        sum = 0;
        for (int i = 0; i < study->request.output_count; i++) {
            sum += dot(&results[study->request.outputs[i]], &study->seeds[i], &ignored);
        }
    }
    arena_free(&scratch);
    return sum;
}

static const char *compare_differences(Study *study) {
    double at[9], magnitude = 0, weight = 0; // at[i] is i - 4 half steps away
    for (int i = 0; i < 9; i++) {
        at[i] = weigh_at(study, (i - 4) * STEP / 2);
    }
    double wide = (8 * (at[6] - at[2]) - (at[8] - at[0])) / (12 * STEP);
    double narrow = (8 * (at[5] - at[3]) - (at[6] - at[2])) / (6 * STEP);
    double right = (4 * at[5] - at[6] - 3 * at[4]) / STEP;
    double left = (3 * at[4] - 4 * at[3] + at[2]) / STEP;
    double slope = slope_of(study, study->reference.results, &magnitude);
    for (int i = 0; i < study->request.output_count; i++) {
        const TensorData *result = &study->reference.results[study->request.outputs[i]];
        dot(result, &study->seeds[i], &weight);
    }
    double scale = fmax(fmax(fabs(wide), magnitude), 1e-3);
    double rounding = 1e-13 * weight / STEP;
    bool trusted = fabs(wide - narrow) <= 1e-6 * scale + rounding &&
                   fabs(left - right) <= 1e-4 * scale + 10 * rounding;
    if (!trusted) {
        study->subject->counts.differences_skipped++;
        return NULL;
    }
    study->subject->counts.differences++;
    return fabs(slope - narrow) <= 1e-5 * scale + 10 * rounding
               ? NULL
               : show(study, "reverse against differences", slope, narrow);
}

// The primal's results must come out of the adjoint as they are.
static const char *compare_primal(Study *study) {
    Reference primal = reference_new(study->arena, study->flat, study->arguments, true);
    if (primal.fails != study->reference.fails) {
        return primal.fails
                   ? "adjoint: does not fail where the program does"
                   : arena_format(study->arena, "adjoint fails: %s", study->reference.message);
    }
    return primal.fails ? NULL : compare_results(&primal, study->reference.results);
}

static bool has_detach(const Region *region) {
    for_each_inst(inst, region) {
        if (inst->op == OP_detach) {
            return true;
        }
        for (int i = 0; i < inst->region_count; i++) {
            if (has_detach(inst->regions[i])) {
                return true;
            }
        }
    }
    return false;
}

static const char *check_optimised(Study *study) {
    Subject *subject = study->subject;
    const char *wrong = NULL;
    for (int level = 1; level < 3 && wrong == NULL; level++) {
        wrong = check_pipeline(subject, &study->reference, study->adjoint, NULL, level);
    }
    return wrong ? wrong
                 : check_pipeline(subject, &study->reference, study->adjoint,
                                  random_passes(subject), 2);
}

static const char *check_compiled(Study *study) {
    Subject *subject = study->subject;
    int level = random_below(&subject->random, 3);
    const char *wrong = NULL;
    if (subject->checks & CHECK_JIT) {
        wrong = check_engine(subject, &study->reference, level, false);
    }
    return wrong == NULL && subject->checks & CHECK_C
               ? check_engine(subject, &study->reference, level, true)
               : wrong;
}

static const char *check_order(Subject *subject, Function *function, TensorData *arguments,
                               int first_output, int order);

static const char *check_study(Study *study, int order) {
    Subject *subject = study->subject;
    const char *wrong = make_adjoint(study);
    wrong = wrong ? wrong : check_text(subject, study->adjoint);
    if (wrong != NULL) {
        return wrong;
    }
    study->reference =
        reference_new(study->arena, flatten(study->adjoint), study->adjoint_arguments, false);
    wrong = compare_primal(study);
    if (wrong != NULL) {
        return wrong;
    }
    if (study->reference.fails || !reference_is_tame(&study->reference)) {
        subject->counts.wild++;
        return NULL;
    }
    wrong = compare_forward(study);
    if (wrong == NULL && subject->kind == PROGRAM_SMOOTH && !has_detach(study->function->body)) {
        wrong = compare_differences(study);
    }
    if (wrong == NULL) {
        wrong = check_optimised(study);
    }
    if (wrong == NULL && subject->checks & (CHECK_JIT | CHECK_C) && order == 1) {
        wrong = check_compiled(study);
    }
    if (wrong == NULL && order < ORDER_MAX && count_insts(study->adjoint->body) < INSTS_MAX) {
        wrong = check_order(subject, study->adjoint, study->adjoint_arguments,
                            study->function->body->yields.count, order + 1);
    }
    return wrong;
}

// Differentiates the results of `function` from `first_output` on.
static const char *check_order(Subject *subject, Function *function, TensorData *arguments,
                               int first_output, int order) {
    Study study = {.subject = subject, .arena = subject->arena, .arguments = arguments};
    study.function = function;
    study.flat = flatten(function);
    choose_request(&study, first_output);
    if (study.request.output_count == 0 || study.request.leaf_count == 0) {
        return NULL;
    }
    const char *wrong = check_study(&study, order);
    return wrong ? arena_format(subject->arena, "order %d: %s", order, wrong) : NULL;
}

const char *check_gradients(Subject *subject) {
    Function *function = expand(subject->function);
    if (subject->kind == PROGRAM_SMOOTH && random_chance(&subject->random, 0.3)) {
        PipelineOptions options = {.passes = random_passes(subject), .verify = true};
        pipeline_run(subject->module, function, &options);
    }
    return check_order(subject, function, subject->arguments, 0, 1);
}
