// The pool of threads: every chunk is done once, results are seen by the caller, many short jobs,
// many callers, calls from inside, a busy neighbour, a single processor, and a child of fork().
#ifdef __linux__
#define _GNU_SOURCE // sched_setaffinity
#endif
#include "runtime/threads.h"

#include <pthread.h>
#ifdef __linux__
#include <sched.h>
#endif
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/expect.h"

enum { MOST_CHUNKS = 1000 };

typedef struct Job {
    int hits[MOST_CHUNKS]; // not atomic: each is one chunk's
    const tdsl_parallel *inner;
    atomic_int inner_hits;
} Job;

static void hit(void *data, int64_t index) {
    ((Job *)data)->hits[index]++;
}

static void count_inner(void *data, int64_t index) {
    atomic_fetch_add(&((Job *)data)->inner_hits, 1);
}

static void hit_and_nest(void *data, int64_t index) {
    Job *job = data;
    job->hits[index]++;
    job->inner->run(job->inner->context, count_inner, job, 5);
}

// Runs `count` chunks `times` times; true if each was done that often, and no other.
static bool run_many(const tdsl_parallel *parallel, int64_t count, int times) {
    Job job = {.inner = NULL};
    for (int i = 0; i < times; i++)
        parallel->run(parallel->context, hit, &job, count);
    for (int i = 0; i < MOST_CHUNKS; i++)
        if (job.hits[i] != (i < count ? times : 0))
            return false;
    return true;
}

static void *call_often(void *parallel) {
    bool good = true;
    for (int i = 0; i < 50; i++)
        good &= run_many(parallel, 7, 100);
    return good ? parallel : NULL;
}

static void test_counts(void) {
    for (int threads = 1; threads <= 8; threads++) {
        tdsl_threads *pool = tdsl_threads_start(threads);
        EXPECT(pool != NULL && tdsl_threads_count(pool) == threads);
        const tdsl_parallel *parallel = tdsl_threads_parallel(pool);
        static const int64_t counts[] = {0, 1, 2, 3, 16, MOST_CHUNKS};
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            EXPECT(run_many(parallel, counts[i], 20));
        EXPECT(run_many(parallel, 4, 5000));
        tdsl_threads_stop(pool);
    }
    tdsl_threads *all = tdsl_threads_start(0);
    EXPECT(tdsl_threads_count(all) >= 1);
    tdsl_threads_stop(all);
    tdsl_threads_stop(NULL);
    EXPECT(tdsl_threads_parallel(NULL) == NULL);
}

// Pools that sleep, are woken once, and end at once.
static void test_short_lives(void) {
    for (int i = 0; i < 200; i++) {
        tdsl_threads *pool = tdsl_threads_start(3);
        if (i % 4 == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        if (i % 2 == 0) {
            EXPECT(run_many(tdsl_threads_parallel(pool), 3, 1));
        }
        tdsl_threads_stop(pool);
    }
}

static void test_callers(void) {
    enum { CALLERS = 4 };
    tdsl_threads *pool = tdsl_threads_start(3);
    void *parallel = (void *)(uintptr_t)tdsl_threads_parallel(pool);
    pthread_t callers[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        EXPECT(pthread_create(&callers[i], NULL, call_often, parallel) == 0);
    for (int i = 0; i < CALLERS; i++) {
        void *result;
        EXPECT(pthread_join(callers[i], &result) == 0 && result == parallel);
    }
    tdsl_threads_stop(pool);
}

static void test_nesting(void) {
    tdsl_threads *pool = tdsl_threads_start(4);
    Job job = {.inner = tdsl_threads_parallel(pool)};
    for (int i = 0; i < 100; i++)
        job.inner->run(job.inner->context, hit_and_nest, &job, 10);
    bool good = true;
    for (int i = 0; i < 10; i++)
        good &= job.hits[i] == 100;
    EXPECT(good && job.inner_hits == 100 * 10 * 5);
    tdsl_threads_stop(pool);
}

static void *be_busy(void *stop) {
    while (!atomic_load((atomic_bool *)stop)) {
    }
    return NULL;
}

static void test_busy_neighbours(void) {
    enum { NEIGHBOURS = 4 };
    atomic_bool stop = false;
    pthread_t neighbours[NEIGHBOURS];
    for (int i = 0; i < NEIGHBOURS; i++)
        EXPECT(pthread_create(&neighbours[i], NULL, be_busy, &stop) == 0);
    tdsl_threads *pool = tdsl_threads_start(4);
    EXPECT(run_many(tdsl_threads_parallel(pool), 8, 500));
    tdsl_threads_stop(pool);
    atomic_store(&stop, true);
    for (int i = 0; i < NEIGHBOURS; i++)
        pthread_join(neighbours[i], NULL);
}

#ifdef __linux__
typedef struct Workers {
    pthread_t caller;
    atomic_int others; // chunks that were not the caller's
} Workers;

static void count_others(void *data, int64_t index) {
    Workers *workers = data;
    (void)index;
    if (!pthread_equal(pthread_self(), workers->caller)) {
        atomic_fetch_add(&workers->others, 1);
    }
}

// Where all threads share one processor, others would only take it from the caller.
static void test_one_processor(void) {
    cpu_set_t usable, one;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0) {
        return;
    }
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    if (sched_setaffinity(0, sizeof one, &one) == 0) {
        tdsl_threads *pool = tdsl_threads_start(4);
        const tdsl_parallel *parallel = tdsl_threads_parallel(pool);
        Workers workers = {.caller = pthread_self()};
        for (int i = 0; i < 1000; i++)
            parallel->run(parallel->context, count_others, &workers, 8);
        EXPECT(workers.others == 0);
        EXPECT(run_many(parallel, 8, 500));
        tdsl_threads_stop(pool);
        EXPECT(sched_setaffinity(0, sizeof usable, &usable) == 0);
    }
}
#else
static void test_one_processor(void) {
}
#endif

static void test_fork(void) {
    tdsl_threads *pool = tdsl_threads_start(3);
    EXPECT(run_many(tdsl_threads_parallel(pool), 5, 10));
    pid_t child = fork();
    if (child == 0) {
        bool good = run_many(tdsl_threads_parallel(pool), 5, 10);
        tdsl_threads_stop(pool);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    EXPECT(run_many(tdsl_threads_parallel(pool), 5, 10));
    tdsl_threads_stop(pool);
}

int main(void) {
    test_counts();
    test_short_lives();
    test_callers();
    test_nesting();
    test_busy_neighbours();
    test_one_processor();
    test_fork();
    return expect_result();
}
