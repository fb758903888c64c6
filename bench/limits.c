// What this machine can do at best: multiply-adds a second out of registers, and bytes a second out
// of memory, with 1 and with N threads.
//
//     bench_limits N          prints one JSON object
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "server.h"

enum { CHAINS = 12, LANES = 16, ROUNDS = 1 << 22, MOST_THREADS = 64 };
enum { STREAM_BYTES = 256 << 20, STREAM_ROUNDS = 4, REPEATS = 5 };

// Chains of multiply-adds that do not wait for each other, enough to fill two units for four
// cycles.
#define DEFINE_PEAK(NAME, TYPE, WIDTH)                                                             \
    static double NAME(void) {                                                                     \
        TYPE chains[CHAINS][WIDTH];                                                                \
        for (int i = 0; i < CHAINS; i++)                                                           \
            for (int j = 0; j < WIDTH; j++)                                                        \
                chains[i][j] = (TYPE)(i + j);                                                      \
        for (int round = 0; round < ROUNDS; round++)                                               \
            for (int i = 0; i < CHAINS; i++)                                                       \
                for (int j = 0; j < WIDTH; j++)                                                    \
                    chains[i][j] = chains[i][j] * (TYPE)0.999 + (TYPE)0.001;                       \
        TYPE sum = 0;                                                                              \
        for (int i = 0; i < CHAINS; i++)                                                           \
            for (int j = 0; j < WIDTH; j++)                                                        \
                sum += chains[i][j];                                                               \
        return (double)sum;                                                                        \
    }

DEFINE_PEAK(run_single, float, LANES)
DEFINE_PEAK(run_double, double, LANES / 2)

typedef struct Worker {
    pthread_t thread;
    const char *kind;
    float *from, *to;
    size_t count;
    double sink;
} Worker;

static void *work(void *argument) {
    Worker *worker = argument;
    if (worker->kind[1] == '3') {
        worker->sink = run_single();
    } else if (worker->kind[1] == '6') {
        worker->sink = run_double();
    } else {
        for (int round = 0; round < STREAM_ROUNDS; round++) {
            const float *restrict from = worker->from;
            float *restrict to = worker->to;
            for (size_t i = 0; i < worker->count; i++)
                to[i] = from[i] * 0.5f;
        }
    }
    return NULL;
}

// Seconds that the slowest of the threads took; the best of some attempts.
static double best_time(const char *kind, int threads, float *from, float *to) {
    Worker workers[MOST_THREADS];
    double best = 1e30;
    size_t part = STREAM_BYTES / sizeof(float) / (size_t)threads;
    for (int attempt = 0; attempt < REPEATS; attempt++) {
        double start = bench_now();
        for (int i = 0; i < threads; i++) {
            size_t first = part * (size_t)i;
            workers[i] =
                (Worker){.kind = kind, .from = from + first, .to = to + first, .count = part};
            if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
                bench_fail("cannot start a thread");
        }
        for (int i = 0; i < threads; i++)
            pthread_join(workers[i].thread, NULL);
        double time = bench_now() - start;
        best = time < best ? time : best;
    }
    return best;
}

int main(int count, char **arguments) {
    int threads = count == 2 ? atoi(arguments[1]) : 0;
    if (threads < 1 || threads > MOST_THREADS)
        bench_fail("usage: bench_limits THREADS");
    float *from = bench_allocate(STREAM_BYTES), *to = bench_allocate(STREAM_BYTES);
    printf("{");
    for (int n = 1; n <= threads; n += threads > 1 ? threads - 1 : 1) {
        double operations = 2.0 * CHAINS * LANES * ROUNDS * n;
        double bytes = 2.0 * STREAM_BYTES * STREAM_ROUNDS;
        printf("%s\"%d\": {\"f32\": %.4g, \"f64\": %.4g, \"bytes\": %.4g}", n > 1 ? ", " : "", n,
               operations / best_time("f32", n, from, to),
               operations / 2 / best_time("f64", n, from, to),
               bytes / best_time("stream", n, from, to));
    }
    puts("}");
    free(from);
    free(to);
    return 0;
}
