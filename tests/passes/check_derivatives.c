// Checking derivatives of whatever function.
#include "tests/passes/check_derivatives.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/edit.h"
#include "ir/evaluate.h"
#include "ir/text_form.h"
#include "ir/verify.h"
#include "passes/differentiate.h"
#include "passes/pipeline.h"

static const double STEP = 1e-3;
static const double DIFFERENCE_TOLERANCE = 2e-6;
static const double EXACT_TOLERANCE = 1e-9;

static uint64_t random_state = 88172645463325252u;

double random_between(double low, double high) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return low + (high - low) * ((double)(random_state >> 11) * 0x1p-53);
}

void random_start(int seed) {
    random_state = ((uint64_t)seed + 1) * 0x9e3779b97f4a7c15u;
    random_between(0, 1);
}

Function *read_function(Arena *arena, const char *text) {
    Sources sources = {.arena = arena};
    Diags diags = {.arena = arena, .sources = &sources};
    int file = source_add(&sources, "test.tir", text, strlen(text));
    Module *module = parse_module(arena, &diags, file);
    Text out = text_new(arena);
    diags_print(&diags, &out);
    check(module != NULL, "%s", text_string(&out));
    const char *wrong = verify_module(arena, module);
    check(wrong == NULL, "%s", wrong);
    return module->functions.at[0];
}

static bool is_real(const Value *value) {
    return element_is_real(value->type.element);
}

// The real ones of some values.
static int *list_real(Arena *arena, Value *const *values, int count, int *found) {
    int *list = arena_array(arena, int, count);
    *found = 0;
    for (int i = 0; i < count; i++) {
        if (is_real(values[i])) {
            list[(*found)++] = i;
        }
    }
    return list;
}

static TensorData random_tensor(Arena *arena, Type type, double low, double high) {
    TensorData tensor = tensor_new(arena, type);
    for (int64_t i = 0; i < type_elements(type); i++) {
        if (element_is_real(type.element)) {
            tensor_set(&tensor, i, random_between(low, high));
        } else {
            tensor_set_integer(&tensor, i, type.element == TYPE_BOOL ? 1 : 2);
        }
    }
    return tensor;
}

static double dot(const TensorData *x, const TensorData *y) {
    double sum = 0;
    for (int64_t i = 0; i < type_elements(x->type); i++) {
        sum += tensor_get(x, i) * tensor_get(y, i);
    }
    return sum;
}

static TensorData *run(Arena *arena, const Function *function, const TensorData *arguments) {
    TensorData *results = arena_array(arena, TensorData, function->body->yields.count);
    EvaluateFailure failure;
    bool ok = evaluate(arena, function, arguments, results, &failure);
    check(ok, "%s fails: %s", function->name, failure.message);
    return results;
}

// One check: the function, its derivatives, and where they are taken.
typedef struct Subject {
    Arena *arena;
    Function *function;
    GradientRequest request;
    bool *reached;
    TensorData *arguments; // of the function, then a seed for each output
    TensorData *seeds;
    int *unclear; // see Domain
} Subject;

// The seeds' product with the outputs.
static double weigh(const Subject *subject, const TensorData *arguments) {
    Arena scratch = {0};
    const TensorData *results = run(&scratch, subject->function, arguments);
    double sum = 0;
    for (int i = 0; i < subject->request.output_count; i++) {
        sum += dot(&results[subject->request.outputs[i]], &subject->seeds[i]);
    }
    arena_free(&scratch);
    return sum;
}

// The slope of `weigh` along one element of a parameter, from four points.
static double difference(const Subject *subject, TensorData *leaf, int64_t position, double step) {
    static const double weights[] = {1, -8, 8, -1}, places[] = {-2, -1, 1, 2};
    double x = tensor_get(leaf, position), sum = 0;
    for (int i = 0; i < 4; i++) {
        tensor_set(leaf, position, x + places[i] * step);
        sum += weights[i] * weigh(subject, subject->arguments);
    }
    tensor_set(leaf, position, x);
    return sum / (12 * step);
}

static bool is_close(double x, double y, double tolerance) {
    return fabs(x - y) <= tolerance * fmax(1, fmax(fabs(x), fabs(y)));
}

static int complain(const Function *function, const char *what, double got, double wanted) {
    fprintf(stderr, "%s: %s: got %.12g, wanted %.12g\n", function->name, what, got, wanted);
    return 1;
}

static void print(const Function *function) {
    Arena scratch = {0};
    Text text = text_new(&scratch);
    print_function(&text, function);
    fprintf(stderr, "%s\n", text_string(&text));
    arena_free(&scratch);
}

static int compare_with_differences(const Subject *subject, const TensorData *gradients) {
    int wrong = 0, next = 0;
    for (int i = 0; i < subject->request.leaf_count; i++) {
        TensorData *leaf = &subject->arguments[subject->request.leaves[i]];
        const TensorData *gradient = subject->reached[i] ? &gradients[next++] : NULL;
        for (int64_t k = 0; k < type_elements(leaf->type); k++) {
            double wanted = difference(subject, leaf, k, STEP);
            if (subject->unclear &&
                !is_close(wanted, difference(subject, leaf, k, STEP / 2), EXACT_TOLERANCE * 100)) {
                ++*subject->unclear;
                continue;
            }
            double got = gradient ? tensor_get(gradient, k) : 0;
            if (!is_close(got, wanted, DIFFERENCE_TOLERANCE)) {
                char what[80];
                snprintf(what, sizeof what, "gradient of parameter %d at %d",
                         subject->request.leaves[i], (int)k);
                wrong += complain(subject->function, what, got, wanted);
            }
        }
    }
    return wrong;
}

// <seeds, J u> = <gradients, u>
static int compare_with_forward(const Subject *subject, const TensorData *gradients) {
    Arena *arena = subject->arena;
    const GradientRequest *request = &subject->request;
    Function *tangent =
        differentiate_forward(subject->function->module, subject->function, request);
    const char *mistake = verify_function(arena, tangent);
    check(mistake == NULL, "%s", mistake);
    int parameters = subject->function->body->parameters.count;
    TensorData *arguments = arena_array(arena, TensorData, parameters + request->leaf_count);
    memcpy(arguments, subject->arguments, (size_t)parameters * sizeof *arguments);
    double got = 0, wanted = 0;
    for (int i = 0, next = 0; i < request->leaf_count; i++) {
        Type type = arguments[request->leaves[i]].type;
        arguments[parameters + i] = random_tensor(arena, type, -1, 1);
        if (subject->reached[i]) {
            wanted += dot(&gradients[next++], &arguments[parameters + i]);
        }
    }
    const TensorData *results = run(arena, tangent, arguments);
    for (int i = 0; i < request->output_count; i++) {
        const TensorData *tangents = results + subject->function->body->yields.count;
        got += dot(&tangents[i], &subject->seeds[i]);
    }
    return is_close(got, wanted, EXACT_TOLERANCE)
               ? 0
               : complain(tangent, "forward against reverse", got, wanted);
}

// A copy that went through passes computes the same.
static Function *compare_optimised(const Subject *subject, const Function *function,
                                   const TensorData *arguments, const char *passes, int *wrong) {
    Function *copy =
        clone_function(function, arena_format(subject->arena, "%s_optimised", function->name));
    PipelineOptions options = {.passes = passes, .level = 2, .verify = true};
    pipeline_run(copy->module, copy, &options);
    const TensorData *plain = run(subject->arena, function, arguments);
    const TensorData *optimised = run(subject->arena, copy, arguments);
    for (int i = 0; i < function->body->yields.count; i++) {
        for (int64_t k = 0; k < type_elements(plain[i].type) && is_real(copy->body->yields.at[i]);
             k++) {
            double x = tensor_get(&optimised[i], k), y = tensor_get(&plain[i], k);
            *wrong += is_close(x, y, EXACT_TOLERANCE) ? 0 : complain(copy, "optimised", x, y);
        }
    }
    return copy;
}

static Subject make_subject(Arena *arena, Function *function, const int *outputs, int output_count,
                            const TensorData *arguments, int *unclear) {
    const Region *body = function->body;
    Subject subject = {.arena = arena, .function = function, .unclear = unclear};
    bool *seeded = arena_array(arena, bool, output_count);
    subject.request.outputs = outputs;
    subject.request.output_count = output_count;
    subject.request.leaves =
        list_real(arena, body->parameters.at, body->parameters.count, &subject.request.leaf_count);
    subject.reached = arena_array(arena, bool, subject.request.leaf_count);
    subject.arguments = arena_array(arena, TensorData, body->parameters.count + output_count);
    subject.seeds = subject.arguments + body->parameters.count;
    for (int i = 0; i < body->parameters.count; i++) {
        subject.arguments[i] = arguments[i];
    }
    for (int i = 0; i < output_count; i++) {
        seeded[i] = true;
        subject.seeds[i] = random_tensor(arena, body->yields.at[outputs[i]]->type, -1, 1);
    }
    subject.request.seeded = seeded;
    return subject;
}

static int check_outputs(Arena *arena, Function *function, const int *outputs, int output_count,
                         const TensorData *arguments, Domain domain) {
    Subject subject =
        make_subject(arena, function, outputs, output_count, arguments, domain.unclear);
    Function *adjoint =
        differentiate_reverse(function->module, function, &subject.request, subject.reached);
    const char *mistake = verify_function(arena, adjoint);
    if (mistake) {
        print(adjoint);
        unreachable("%s", mistake);
    }
    const TensorData *results = run(arena, adjoint, subject.arguments);
    const TensorData *gradients = results + function->body->yields.count;
    int wrong = compare_with_differences(&subject, gradients);
    wrong += compare_with_forward(&subject, gradients);
    compare_optimised(&subject, adjoint, subject.arguments, NULL, &wrong);
    Function *next = compare_optimised(&subject, adjoint, subject.arguments,
                                       "simplify, merge_equal, remove_dead", &wrong);
    if (wrong) {
        print(adjoint);
        return wrong;
    }
    int first = function->body->yields.count, count = adjoint->body->yields.count - first;
    int *gradient_outputs = arena_array(arena, int, count);
    for (int i = 0; i < count; i++) {
        gradient_outputs[i] = first + i;
    }
    if (--domain.depth > 0) {
        wrong += check_outputs(arena, adjoint, gradient_outputs, count, subject.arguments, domain);
        wrong += check_outputs(arena, next, gradient_outputs, count, subject.arguments, domain);
    }
    return wrong;
}

int check_derivatives(Function *function, Domain domain) {
    Arena *arena = function->module->arena;
    const Region *body = function->body;
    TensorData *arguments = arena_array(arena, TensorData, body->parameters.count);
    for (int i = 0; i < body->parameters.count; i++) {
        arguments[i] = random_tensor(arena, body->parameters.at[i]->type, domain.low, domain.high);
    }
    int count;
    const int *outputs = list_real(arena, body->yields.at, body->yields.count, &count);
    return check_outputs(arena, function, outputs, count, arguments, domain);
}
