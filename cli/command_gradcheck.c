// gradcheck: the adjoint against central differences, everything in f64.
//
// For L = sum over the differentiated outputs of <seed, output>, each element of each leaf is moved
// by
// +-h, h = eps * max(1, |x|), and (L(x+h) - L(x-h)) / 2h is compared with the gradient. The
// tolerance is atol + rtol * |difference| and what rounding L itself can cause: 4 * 2^-52 * |L| /
// h.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/result.h"

typedef struct Check {
    TdslSession *session;
    Bindings bindings;
    Request request;
    Call gradient; // outputs and gradients
    Call forward;  // outputs alone
} Check;

typedef struct Worst {
    const char *leaf;
    int64_t position;
    double analytic, numeric, error, tolerance; // error / tolerance is the largest seen
    int64_t checked, failed;
} Worst;

// L from the outputs that `call` holds.
static double objective(const Check *check, const Call *call) {
    double sum = 0;
    for (int i = 0; i < check->gradient.argument_count; i++) {
        const TdslSlot *slot = &check->gradient.arguments[i];
        if (slot->role != TDSL_SEED)
            continue;
        const Binding *seed = bindings_find(&check->request.seeds, slot->name);
        for (int k = 0; k < call->slot_count; k++)
            if (call->slots[k].role == TDSL_OUTPUT && strcmp(call->slots[k].name, slot->name) == 0)
                for (int64_t j = 0; j < slot->count; j++)
                    sum += tensor_real(&seed->value, j) * tensor_real(&call->results[k], j);
    }
    return sum;
}

static TdslStatus difference(Check *check, Tensor *leaf, int64_t position, double step,
                             double *numeric) {
    double old = tensor_real(leaf, position);
    double high = old + step, low = old - step;
    tensor_store_real(leaf, position, high);
    TdslStatus status = call_run(&check->forward);
    double above = objective(check, &check->forward);
    tensor_store_real(leaf, position, low);
    if (status == TDSL_OK)
        status = call_run(&check->forward);
    double below = objective(check, &check->forward);
    tensor_store_real(leaf, position, old);
    *numeric = (above - below) / (high - low);
    return status;
}

static void record(Worst *worst, const char *leaf, int64_t position, double analytic,
                   double numeric, double tolerance) {
    double error = fabs(analytic - numeric);
    if (isnan(analytic) && isnan(numeric))
        error = 0;
    else if (isnan(error))
        error = INFINITY;
    worst->checked++;
    worst->failed += !(error <= tolerance);
    if (worst->leaf == NULL || error / tolerance > worst->error / worst->tolerance) {
        worst->leaf = leaf;
        worst->position = position;
        worst->analytic = analytic;
        worst->numeric = numeric;
        worst->error = error;
        worst->tolerance = tolerance;
    }
}

// A leaf without a gradient (null) must not change the outputs: its gradient counts as zeros.
static TdslStatus check_leaf(Check *check, const Options *options, const char *name,
                             const Tensor *gradient, double scale, Worst *worst) {
    Binding *binding = (Binding *)bindings_find(&check->bindings, name);
    int64_t count = tensor_count(&binding->value);
    for (int64_t i = 0; i < count; i++) {
        double x = tensor_real(&binding->value, i), numeric;
        double step = options->step * fmax(1, fabs(x));
        TdslStatus status = difference(check, &binding->value, i, step, &numeric);
        if (status)
            return status;
        double tolerance = options->absolute_tolerance +
                           options->relative_tolerance * fabs(numeric) + 4 * 0x1p-52 * scale / step;
        record(worst, name, i, gradient ? tensor_real(gradient, i) : 0, numeric, tolerance);
    }
    return TDSL_OK;
}

static TdslStatus check_all(Check *check, const Options *options, Worst *worst) {
    TdslStatus status = call_run(&check->gradient);
    double scale = fabs(objective(check, &check->gradient));
    for (int i = 0; i < check->gradient.slot_count && status == TDSL_OK; i++)
        if (check->gradient.slots[i].role == TDSL_GRADIENT_OF)
            status = check_leaf(check, options, check->gradient.slots[i].name,
                                &check->gradient.results[i], scale, worst);
    int count;
    const char *const *nulls = tdsl_null_gradients(check->gradient.function, &count);
    for (int i = 0; i < count && status == TDSL_OK; i++)
        status = check_leaf(check, options, nulls[i], NULL, scale, worst);
    return status;
}

static void print_place(const Check *check, const Worst *worst) {
    const Binding *binding = bindings_find(&check->bindings, worst->leaf);
    int64_t position = worst->position, index[CLI_MAX_RANK];
    for (int axis = binding->value.rank - 1; axis >= 0; axis--) {
        index[axis] = position % binding->value.shape[axis];
        position /= binding->value.shape[axis];
    }
    fputs(worst->leaf, stdout);
    for (int axis = 0; axis < binding->value.rank; axis++)
        printf("%s%lld%s", axis ? ", " : "[", (long long)index[axis],
               axis + 1 == binding->value.rank ? "]" : "");
}

static void print_verdict(const Check *check, const Options *options, const Worst *worst) {
    if (options->json) {
        printf("{\"ok\": %s, \"checked\": %lld, \"failed\": %lld, \"worst\": ",
               worst->failed ? "false" : "true", (long long)worst->checked,
               (long long)worst->failed);
        if (worst->leaf == NULL) {
            fputs("null}\n", stdout);
            return;
        }
        fputs("{\"leaf\": ", stdout);
        print_json_string(stdout, worst->leaf);
        printf(", \"position\": %lld, \"gradient\": ", (long long)worst->position);
        print_json_number(stdout, worst->analytic, false);
        fputs(", \"difference\": ", stdout);
        print_json_number(stdout, worst->numeric, false);
        fputs("}}\n", stdout);
        return;
    }
    printf("gradcheck %s: %lld of %lld elements agree with central differences\n",
           worst->failed ? "FAILED" : "passed", (long long)(worst->checked - worst->failed),
           (long long)worst->checked);
    if (worst->leaf == NULL)
        return;
    fputs("worst: ", stdout);
    print_place(check, worst);
    printf(": gradient %.12g, difference %.12g, error %.3g, tolerance %.3g\n", worst->analytic,
           worst->numeric, worst->error, worst->tolerance);
}

// Without --seed the first output is checked; where it is not one element, with seeds of its own.
static TdslStatus choose_seeds(Check *check) {
    if (check->request.gradient.output_count > 0)
        return TDSL_OK;
    TdslFunction *forward = tdsl_compile(check->session, TDSL_FORWARD, NULL);
    if (forward == NULL)
        return TDSL_BAD_PROGRAM;
    int count;
    const TdslSlot *first = tdsl_results(forward, &count);
    Tensor seed = tensor_zeros(TDSL_F64, first->rank, first->shape);
    for (int64_t i = 0; i < first->count; i++)
        tensor_store_real(&seed, i, first->count == 1 ? 1 : 1 + 0.25 * (double)(i % 7));
    bindings_add(&check->request.seeds, first->name, "the seed", seed);
    check->request.outputs[0] = first->name;
    check->request.seeded[0] = true;
    check->request.gradient.outputs = check->request.outputs;
    check->request.gradient.output_count = 1;
    return TDSL_OK;
}

static TdslStatus prepare(Check *check, const Options *options) {
    TdslStatus status = bindings_read(check->session, options, &check->bindings);
    if (status == TDSL_OK)
        status = request_read(check->session, options, &check->request);
    if (status == TDSL_OK)
        status = choose_seeds(check);
    if (status)
        return status;
    for (int i = 0; i < check->request.gradient.output_count; i++)
        check->request.seeded[i] = true;
    TdslFunction *gradient = tdsl_compile(check->session, TDSL_GRADIENT, &check->request.gradient);
    TdslFunction *forward = gradient ? tdsl_compile(check->session, TDSL_FORWARD, NULL) : NULL;
    if (forward == NULL)
        return TDSL_BAD_PROGRAM;
    status = bindings_complete(check->session, options, &check->bindings);
    if (status == TDSL_OK)
        status = call_prepare(check->session, gradient, &check->bindings, &check->request.seeds,
                              &check->gradient);
    if (status == TDSL_OK)
        status = call_prepare(check->session, forward, &check->bindings, NULL, &check->forward);
    return status;
}

int command_gradcheck(const Options *options) {
    Check check = {0};
    Worst worst = {0};
    TdslOptions compiler = options->compiler;
    compiler.widen = true;
    compiler.real = TDSL_F64;
    TdslStatus status = session_start(options, &compiler, &check.session);
    if (status == TDSL_OK)
        status = prepare(&check, options);
    if (status == TDSL_OK)
        status = check_all(&check, options, &worst);
    if (status == TDSL_OK)
        print_verdict(&check, options, &worst);
    call_free(&check.gradient);
    call_free(&check.forward);
    request_free(&check.request);
    bindings_free(&check.bindings);
    return session_end(check.session, status ? (int)status : worst.failed ? EXIT_CHECK_FAILED : 0);
}
