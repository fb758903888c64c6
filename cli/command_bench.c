// bench: times the model's outputs, and gradients where a leaf requires one, in this process.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/result.h"

enum { BENCH_SAMPLES = 15 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int compare(const void *x, const void *y) {
    double difference = *(const double *)x - *(const double *)y;
    return (difference > 0) - (difference < 0);
}

// Seconds a call, of BENCH_SAMPLES samples, sorted; a sample repeats the call for about 20 ms.
static TdslStatus measure(Call *call, double *samples) {
    int64_t repeats = 1;
    for (;;) {
        double start = now();
        for (int64_t i = 0; i < repeats; i++) {
            TdslStatus status = call_run(call);
            if (status)
                return status;
        }
        if (now() - start > 0.02 || repeats > (int64_t)1 << 40)
            break;
        repeats *= 2;
    }
    for (int i = 0; i < BENCH_SAMPLES; i++) {
        double start = now();
        for (int64_t k = 0; k < repeats; k++)
            call_run(call);
        samples[i] = (now() - start) / (double)repeats;
    }
    qsort(samples, BENCH_SAMPLES, sizeof *samples, compare);
    return TDSL_OK;
}

static TdslStatus bench_function(const Options *options, TdslSession *session, const char *name,
                                 TdslFunction *function, double compile_seconds, Bindings *bindings,
                                 Bindings *seeds) {
    Call call = {0};
    double samples[BENCH_SAMPLES];
    TdslStatus status = call_prepare(session, function, bindings, seeds, &call);
    if (status == TDSL_OK)
        status = measure(&call, samples);
    call_free(&call);
    if (status)
        return status;
    if (options->json)
        printf(
            "\"%s\": {\"median_s\": %.9g, \"min_s\": %.9g, \"max_s\": %.9g, \"compile_s\": %.6g, "
            "\"workspace_bytes\": %zu}",
            name, samples[BENCH_SAMPLES / 2], samples[0], samples[BENCH_SAMPLES - 1],
            compile_seconds, tdsl_workspace_bytes(function));
    else
        printf("%-9s %12.3f us median (%.3f to %.3f), compiled in %.1f ms, workspace %zu bytes\n",
               name, 1e6 * samples[BENCH_SAMPLES / 2], 1e6 * samples[0],
               1e6 * samples[BENCH_SAMPLES - 1], 1e3 * compile_seconds,
               tdsl_workspace_bytes(function));
    return TDSL_OK;
}

static bool has_gradients(TdslSession *session) {
    const TdslLeaf *leaves;
    int count;
    bool some = false;
    if (tdsl_leaves(session, &leaves, &count) == TDSL_OK)
        for (int i = 0; i < count; i++)
            some |= leaves[i].requires_grad;
    return some;
}

// Without --seed the first output is differentiated. The numbers in a seed do not change how long
// that takes, so an output that is not a single element gets ones, as call_prepare makes them.
static void choose_seeds(TdslFunction *forward, Request *request) {
    int count;
    const TdslSlot *first = tdsl_results(forward, &count);
    if (request->gradient.output_count > 0 || count == 0 || first->count == 1)
        return;
    request->outputs[0] = first->name;
    request->seeded[0] = true;
    request->gradient.outputs = request->outputs;
    request->gradient.seeded = request->seeded;
    request->gradient.output_count = 1;
}

int command_bench(const Options *options) {
    TdslSession *session;
    Bindings bindings = {0};
    Request request = {0};
    TdslFunction *forward = NULL, *gradient = NULL;
    double start = 0, middle = 0, end = 0;
    bool with_gradient = false;
    TdslStatus status = session_start(options, &options->compiler, &session);
    if (status == TDSL_OK)
        status = bindings_read(session, options, &bindings);
    if (status == TDSL_OK)
        status = request_read(session, options, &request);
    if (status == TDSL_OK) {
        start = now();
        forward = tdsl_compile(session, TDSL_FORWARD, NULL);
        middle = now();
        with_gradient = forward && has_gradients(session);
        if (with_gradient) {
            choose_seeds(forward, &request);
            request.gradient.stored = true; // as grad does that runs once
            gradient = tdsl_compile(session, TDSL_GRADIENT, &request.gradient);
        }
        end = now();
        status = forward && (gradient || !with_gradient) ? TDSL_OK : TDSL_BAD_PROGRAM;
    }
    if (status == TDSL_OK)
        status = bindings_complete(session, options, &bindings);
    if (status == TDSL_OK && options->json)
        fputs("{", stdout);
    if (status == TDSL_OK)
        status =
            bench_function(options, session, "forward", forward, middle - start, &bindings, NULL);
    if (status == TDSL_OK && with_gradient && options->json)
        fputs(", ", stdout);
    if (status == TDSL_OK && with_gradient)
        status = bench_function(options, session, "gradient", gradient, end - middle, &bindings,
                                &request.seeds);
    if (status == TDSL_OK && options->json)
        fputs("}\n", stdout);
    request_free(&request);
    bindings_free(&bindings);
    return session_end(session, status);
}
