// What this machine can do at best: multiply-adds a second out of registers, and bytes a second out
// of memory, with 1 and with N threads; and how many cycles a second it has.
//
//     bench_limits N          prints one JSON object
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server.h"

enum { CHAINS = 12, ROUNDS = 1 << 22, MOST_THREADS = 64 };
enum { STREAM_BYTES = 256 << 20, STREAM_ROUNDS = 4, REPEATS = 5 };

// Chains of multiply-adds that do not wait for each other, enough to fill two units for four
// cycles, in vectors of `BYTES`. Which width is fastest depends on the processor, and the compiler
// prefers what it thinks is good for most programs: so the vectors are written out, and all widths
// are tried.
#define DEFINE_PEAK(NAME, TYPE, BYTES)                                                             \
    typedef TYPE NAME##_vector __attribute__((vector_size(BYTES)));                                \
    static double NAME(void) {                                                                     \
        enum { WIDTH = BYTES / sizeof(TYPE) };                                                     \
        NAME##_vector chains[CHAINS], factor, term;                                                \
        for (int j = 0; j < (int)WIDTH; j++) {                                                     \
            factor[j] = (TYPE)0.999;                                                               \
            term[j] = (TYPE)0.001;                                                                 \
            for (int i = 0; i < CHAINS; i++)                                                       \
                chains[i][j] = (TYPE)(i + j);                                                      \
        }                                                                                          \
        for (int round = 0; round < ROUNDS; round++)                                               \
            for (int i = 0; i < CHAINS; i++)                                                       \
                chains[i] = chains[i] * factor + term;                                             \
        TYPE sum = 0;                                                                              \
        for (int i = 0; i < CHAINS; i++)                                                           \
            for (int j = 0; j < (int)WIDTH; j++)                                                   \
                sum += chains[i][j];                                                               \
        return (double)sum;                                                                        \
    }

DEFINE_PEAK(run_single_16, float, 16)
DEFINE_PEAK(run_single_32, float, 32)
DEFINE_PEAK(run_single_64, float, 64)
DEFINE_PEAK(run_double_16, double, 16)
DEFINE_PEAK(run_double_32, double, 32)
DEFINE_PEAK(run_double_64, double, 64)

// What a thread does: multiply-adds in vectors of a width, or, without a function, the stream.
typedef struct Task {
    double (*run)(void);
    int lanes;
} Task;

static const Task singles[] = {{run_single_16, 4}, {run_single_32, 8}, {run_single_64, 16}};
static const Task doubles[] = {{run_double_16, 2}, {run_double_32, 4}, {run_double_64, 8}};
static const Task stream = {NULL, 0};
enum { WIDTHS = 3 };

typedef struct Worker {
    pthread_t thread;
    const Task *task;
    float *from, *to;
    size_t count;
    double sink;
} Worker;

static void *work(void *argument) {
    Worker *worker = argument;
    if (worker->task->run) {
        worker->sink = worker->task->run();
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
static double best_time(const Task *task, int threads, float *from, float *to) {
    Worker workers[MOST_THREADS];
    double best = 1e30;
    size_t part = STREAM_BYTES / sizeof(float) / (size_t)threads;
    for (int attempt = 0; attempt < REPEATS; attempt++) {
        double start = bench_now();
        for (int i = 0; i < threads; i++) {
            size_t first = part * (size_t)i;
            workers[i] =
                (Worker){.task = task, .from = from + first, .to = to + first, .count = part};
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

// Operations a second of the best width.
static double best_rate(const Task *tasks, int threads, float *from, float *to) {
    double best = 0;
    for (int i = 0; i < WIDTHS; i++) {
        double operations = 2.0 * CHAINS * tasks[i].lanes * ROUNDS * threads;
        double rate = operations / best_time(&tasks[i], threads, from, to);
        best = rate > best ? rate : best;
    }
    return best;
}

// Cycles a second. A multiplication of integers takes three cycles on all wide processors of the
// last ten years, and here each waits for the one before.
static double clock_rate(void) {
    enum { MULTIPLICATIONS = 1 << 26, CYCLES = 3 };
    double best = 1e30;
    unsigned long long product = 3;
    for (int attempt = 0; attempt < REPEATS; attempt++) {
        clock_t start = clock(); // time of this process: others may be at work
        for (int i = 0; i < MULTIPLICATIONS; i++) {
            product *= product;
#if defined(__GNUC__)
            __asm__ volatile("" : "+r"(product)); // it is not known beforehand
#endif
        }
        double time = (double)(clock() - start) / CLOCKS_PER_SEC;
        best = time < best ? time : best;
    }
    return product == 0 ? 0 : CYCLES * (double)MULTIPLICATIONS / best;
}

int main(int count, char **arguments) {
    int threads = count == 2 ? atoi(arguments[1]) : 0;
    if (threads < 1 || threads > MOST_THREADS)
        bench_fail("usage: bench_limits THREADS");
    float *from = bench_allocate(STREAM_BYTES), *to = bench_allocate(STREAM_BYTES);
    printf("{");
    for (int n = 1; n <= threads; n += threads > 1 ? threads - 1 : 1) {
        double bytes = 2.0 * STREAM_BYTES * STREAM_ROUNDS;
        printf("%s\"%d\": {\"f32\": %.4g, \"f64\": %.4g, \"bytes\": %.4g}", n > 1 ? ", " : "", n,
               best_rate(singles, n, from, to), best_rate(doubles, n, from, to),
               bytes / best_time(&stream, n, from, to));
    }
    printf(", \"clock\": %.4g}\n", clock_rate());
    free(from);
    free(to);
    return 0;
}
