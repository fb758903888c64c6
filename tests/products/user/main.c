/* A user's program: it knows the generated header alone, and is compiled as C99 and as C++11. It
 * initialises the model, checks gradients against differences, lets them add up, clears them, asks
 * for single ones, makes every mistake that the header names, and calls from several threads at
 * once. It prints the loss and ends with the number of what did not hold. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classifier.h"

static int failed;

static void expect(int holds, const char *what) {
    if (!holds) {
        printf("does not hold: %s\n", what);
        failed++;
    }
}

#define EXPECT(condition) expect((condition), #condition)

/* The workspace as static memory; as large as the header says, aligned by hand. */
static unsigned char memory[classifier_WORKSPACE_BYTES + 64];

static void *aligned(unsigned char *bytes) {
    return bytes + (64 - (uintptr_t)bytes % 64) % 64;
}

/* Everything that one thread needs. */
typedef struct Data {
    double x[30], w1[35], b1[7], w2[21], b2[3], factor, loss, accuracy;
    int64_t t[6];
    double grad_w1[35], grad_b1[7], grad_w2[21], grad_b2[3];
    classifier_inputs inputs;
    classifier_params params;
    classifier_outputs outputs;
    classifier_gradients gradients;
} Data;

static void start(Data *data, int64_t key) {
    int i;
    memset(data, 0, sizeof *data);
    for (i = 0; i < 30; i++) {
        data->x[i] = sin(1.7 * i);
        data->t[i % 6] = i % 3;
    }
    data->inputs.x = data->x;
    data->inputs.t = data->t;
    data->params.w1 = data->w1;
    data->params.b1 = data->b1;
    data->params.w2 = data->w2;
    data->params.b2 = data->b2;
    data->params.double_ = &data->factor;
    data->outputs.loss = &data->loss;
    data->outputs.accuracy = &data->accuracy;
    data->gradients.w1 = data->grad_w1;
    data->gradients.b1 = data->grad_b1;
    data->gradients.w2 = data->grad_w2;
    data->gradients.b2 = data->grad_b2;
    EXPECT(classifier_initialize(&data->params, &key, aligned(memory)) == classifier_done);
}

static double loss_of(Data *data, void *workspace) {
    EXPECT(classifier_forward(&data->inputs, &data->params, &data->outputs, workspace) == 0);
    return data->loss;
}

static int backward(Data *data, const double *seed, void *workspace) {
    classifier_seeds seeds;
    seeds.loss = seed;
    return classifier_backward(&data->inputs, &data->params, &seeds, &data->outputs,
                               &data->gradients, workspace);
}

static int gradient(Data *data, const double *seed, void *workspace) {
    classifier_seeds seeds;
    seeds.loss = seed;
    return classifier_gradient(&data->inputs, &data->params, &seeds, &data->outputs,
                               &data->gradients, workspace);
}

static void check_difference(Data *data, double *param, const double *gradient, int count,
                             double times, const char *name) {
    const double step = 1e-6;
    int i;
    for (i = 0; i < count; i++) {
        const double old = param[i];
        double above, below, slope;
        param[i] = old + step;
        above = loss_of(data, aligned(memory));
        param[i] = old - step;
        below = loss_of(data, aligned(memory));
        param[i] = old;
        slope = times * (above - below) / (2 * step);
        if (!(fabs(slope - gradient[i]) < 1e-7 * (1 + fabs(slope)))) {
            printf("gradient of %s[%d]: %.17g, difference: %.17g\n", name, i, gradient[i], slope);
            failed++;
        }
    }
}

static void check_gradients(Data *data, double times) {
    check_difference(data, data->w1, data->grad_w1, 35, times, "w1");
    check_difference(data, data->b1, data->grad_b1, 7, times, "b1");
    check_difference(data, data->w2, data->grad_w2, 21, times, "w2");
    check_difference(data, data->b2, data->grad_b2, 3, times, "b2");
}

static void check_use(void) {
    static Data data, other;
    double seed = 2.5, loss;
    void *workspace = aligned(memory);
    start(&data, 7);
    start(&other, 7);
    EXPECT(memcmp(data.w1, other.w1, sizeof data.w1) == 0); /* same key, same bits */
    start(&other, 8);
    EXPECT(memcmp(data.w1, other.w1, sizeof data.w1) != 0);
    EXPECT(data.factor == 1.5 && data.b1[3] == 0 && data.w1[0] != 0);
    loss = loss_of(&data, workspace);
    EXPECT(loss > 0.1 && loss < 10 && data.accuracy >= 0 && data.accuracy <= 1);
    printf("loss %.12f accuracy %.6f\n", loss, data.accuracy);
    EXPECT(backward(&data, NULL, workspace) == 0);
    EXPECT(data.loss == loss);
    check_gradients(&data, 1);
    EXPECT(backward(&data, &seed, workspace) == 0); /* adds to what is there */
    check_gradients(&data, 1 + 2.5);
    EXPECT(gradient(&data, &seed, workspace) == 0); /* stores, whatever is there */
    check_gradients(&data, 2.5);
    data.grad_w1[0] = data.grad_b2[2] = HUGE_VAL - HUGE_VAL; /* NaN, too */
    EXPECT(gradient(&data, NULL, workspace) == 0);
    EXPECT(data.loss == loss);
    check_gradients(&data, 1);
    EXPECT(classifier_zero_gradients(&data.gradients, NULL) == 0);
    EXPECT(data.grad_w1[34] == 0 && data.grad_b2[0] == 0);
    data.gradients.w1 = NULL; /* these are not asked for */
    data.gradients.b2 = NULL;
    EXPECT(backward(&data, &seed, workspace) == 0);
    EXPECT(data.grad_w1[0] == 0 && data.grad_b2[0] == 0 && data.grad_w2[0] != 0);
    EXPECT(gradient(&data, &seed, workspace) == 0);
    EXPECT(data.grad_w1[0] == 0 && data.grad_b2[0] == 0 && data.grad_w2[0] != 0);
    EXPECT(classifier_zero_gradients(&data.gradients, NULL) == 0);
    data.outputs.accuracy = NULL;
    data.accuracy = -1;
    EXPECT(loss_of(&data, workspace) == loss && data.accuracy == -1);
}

static void check_mistakes(void) {
    static Data data;
    void *workspace = aligned(memory);
    int status;
    start(&data, 7);
    EXPECT(classifier_abi_version() == classifier_ABI_VERSION);
    EXPECT(classifier_workspace_bytes() == classifier_WORKSPACE_BYTES);
    EXPECT(classifier_forward_workspace_bytes() <= classifier_workspace_bytes());
    EXPECT(classifier_backward_workspace_bytes() <= classifier_workspace_bytes());
    status = classifier_forward(NULL, &data.params, &data.outputs, workspace);
    EXPECT(status == classifier_null_pointer);
    status = classifier_forward(&data.inputs, &data.params, NULL, workspace);
    EXPECT(status == classifier_null_pointer);
    if (classifier_backward_workspace_bytes() > 0) {
        EXPECT(backward(&data, NULL, NULL) == classifier_null_pointer);
        EXPECT(backward(&data, NULL, (char *)workspace + 8) == classifier_null_pointer);
    }
    data.params.b1 = NULL;
    EXPECT(backward(&data, NULL, workspace) == classifier_null_pointer);
    data.params.b1 = data.b1;
    data.t[2] = 3; /* there are three classes */
    status = classifier_forward(&data.inputs, &data.params, &data.outputs, workspace);
    EXPECT(status > classifier_null_pointer);
    EXPECT(strstr(classifier_status_text(status), "classifier.tdsl:") != NULL ||
           strstr(classifier_status_text(status), "out of range") != NULL);
    EXPECT(strcmp(classifier_status_text(0), "done") == 0);
    EXPECT(strcmp(classifier_status_text(-1), "unknown status") == 0);
    EXPECT(strcmp(classifier_status_text(1000000), "unknown status") == 0);
}

static Data thread_data[4];
static unsigned char thread_memory[4][classifier_WORKSPACE_BYTES + 64];

static void *run_thread(void *which) {
    const int number = *(const int *)which;
    Data *data = &thread_data[number];
    int i;
    for (i = 0; i < 200; i++) {
        backward(data, NULL, aligned(thread_memory[number]));
    }
    return NULL;
}

static void check_threads(void) {
    pthread_t threads[4];
    int numbers[4], i;
    for (i = 0; i < 4; i++) {
        start(&thread_data[i], 7);
        numbers[i] = i;
        EXPECT(pthread_create(&threads[i], NULL, run_thread, &numbers[i]) == 0);
    }
    for (i = 0; i < 4; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
        EXPECT(memcmp(thread_data[i].grad_w1, thread_data[0].grad_w1,
                      sizeof thread_data[0].grad_w1) == 0);
    }
    EXPECT(thread_data[0].grad_w2[1] != 0);
}

int main(void) {
    check_use();
    check_mistakes();
    check_threads();
    return failed;
}
