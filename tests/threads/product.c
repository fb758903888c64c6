// A product with threads, used from C, by several threads at once. tests/cli/threads.py builds
// programs/rows.tdsl as rows.c and as rows.o, and this file with runtime/threads.c.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "runtime/threads.h"

enum { ROWS = 150, COLUMNS = 1003, ELEMENTS = ROWS * COLUMNS, CALLERS = 3 };

typedef struct Call {
    const tdsl_parallel *parallel;
    float *x_gradient, *scale_gradient, *offset_gradient, *y;
    int status;
} Call;

static float *new_floats(size_t count) {
    float *floats = (float *)calloc(count, sizeof(float));
    if (!floats) {
        abort();
    }
    return floats;
}

static void call(Call *c) {
    float *x = new_floats(ELEMENTS), *scale = new_floats(COLUMNS), *offset = new_floats(COLUMNS);
    float *seed = new_floats(ELEMENTS);
    for (int i = 0; i < ELEMENTS; i++) {
        x[i] = (float)(i * 37 % 101) / 50 - 1;
        seed[i] = (float)(i * 29 % 103) / 50 - 1;
    }
    for (int i = 0; i < COLUMNS; i++) {
        scale[i] = 1;
    }
    void *workspace = aligned_alloc(64, (rows_workspace_bytes() + 63) / 64 * 64);
    rows_params params = {x, scale, offset};
    rows_seeds seeds = {seed};
    c->y = new_floats(ELEMENTS);
    c->x_gradient = new_floats(ELEMENTS);
    c->scale_gradient = new_floats(COLUMNS);
    c->offset_gradient = new_floats(COLUMNS);
    rows_outputs outputs = {c->y};
    rows_gradients gradients = {c->x_gradient, c->scale_gradient, c->offset_gradient};
    c->status = c->parallel ? rows_backward_parallel(&params, &seeds, &outputs, &gradients,
                                                     workspace, c->parallel)
                            : rows_backward(&params, &seeds, &outputs, &gradients, workspace);
    free(workspace);
    free(x);
    free(scale);
    free(offset);
    free(seed);
}

static void *call_from_thread(void *context) {
    call((Call *)context);
    return NULL;
}

static int same(const Call *a, const Call *b) {
    return a->status == rows_done && b->status == rows_done &&
           memcmp(a->y, b->y, ELEMENTS * sizeof(float)) == 0 &&
           memcmp(a->x_gradient, b->x_gradient, ELEMENTS * sizeof(float)) == 0 &&
           memcmp(a->scale_gradient, b->scale_gradient, COLUMNS * sizeof(float)) == 0 &&
           memcmp(a->offset_gradient, b->offset_gradient, COLUMNS * sizeof(float)) == 0;
}

static void forget(Call *c) {
    free(c->y);
    free(c->x_gradient);
    free(c->scale_gradient);
    free(c->offset_gradient);
}

int main(void) {
    Call alone = {NULL, NULL, NULL, NULL, NULL, 0};
    int failures = 0;
    call(&alone);
    for (int count = 1; count <= 8; count++) {
        tdsl_threads *threads = tdsl_threads_start(count);
        Call calls[CALLERS];
        pthread_t callers[CALLERS];
        for (int i = 0; i < CALLERS; i++) {
            calls[i] = alone;
            calls[i].parallel = tdsl_threads_parallel(threads);
            if (pthread_create(&callers[i], NULL, call_from_thread, &calls[i]) != 0) {
                abort();
            }
        }
        for (int i = 0; i < CALLERS; i++) {
            pthread_join(callers[i], NULL);
            failures += !same(&alone, &calls[i]);
            forget(&calls[i]);
        }
        tdsl_threads_stop(threads);
    }
    forget(&alone);
    printf("%d failures\n", failures);
    return failures != 0;
}
