// The pool of threads. One word holds the number of the job and of its next chunk; a chunk is
// claimed by counting it up. The fields of a job are read before its chunk is claimed, and are
// right if that succeeds: they change only when all chunks are done. All of it is sequenced by
// three atomics, so what a chunk wrote is seen when `run` returns.
//
// A thread without work looks for some for a short while, then sleeps on a semaphore. Whoever
// makes it sleep or wakes it agrees on it in `sleeping`: each thread counted down there gets one
// post. (Posting never blocks, not even in a child of fork().)
#include "runtime/threads.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum {
    CACHE_LINE = 64,
    LOOKS = 2000,  // for work before a thread sleeps: some tens of microseconds
    NAP = 50000,   // nanoseconds that the caller sleeps between looks for the last chunks
    MUCH = 200000, // nanoseconds of waiting that mean that the processors are busy
    PATIENCE = 20, // times what was lost by waiting, the caller then works alone
    MOST_THREADS = 1024,
};

typedef void (*Body)(void *data, int64_t index);

struct tdsl_threads {
    _Alignas(CACHE_LINE) _Atomic uint64_t claim; // job << 32 | next chunk
    _Alignas(CACHE_LINE) _Atomic uint32_t job;   // number of the last one
    _Atomic bool stopping;
    _Alignas(CACHE_LINE) _Atomic uint32_t done; // chunks of this job
    _Alignas(CACHE_LINE) atomic_int sleeping;
    atomic_flag busy; // a job is under way
    _Atomic(Body) body;
    _Atomic(void *) data;
    _Atomic int64_t count;
    sem_t wake;
    tdsl_parallel parallel;
    pid_t owner;         // threads exist in this process only
    int64_t alone_until; // time in nanoseconds; 0: not. Under `busy`
    int thread_count;
    pthread_t threads[];
};

static const uint64_t no_claim = UINT32_MAX;

// Tells the processor that this is a loop that waits.
static void pause_briefly(void) {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

// Does chunks of the job until none is left; how many. Jobs have fewer than 2^32 - 1 chunks.
static int64_t do_chunks(tdsl_threads *t, uint32_t job) {
    for (int64_t own = 0;;) {
        uint64_t claim = atomic_load_explicit(&t->claim, memory_order_acquire);
        int64_t next = (int64_t)(claim & UINT32_MAX);
        if ((uint32_t)(claim >> 32) != job ||
            next >= atomic_load_explicit(&t->count, memory_order_relaxed)) {
            return own;
        }
        Body body = atomic_load_explicit(&t->body, memory_order_relaxed);
        void *data = atomic_load_explicit(&t->data, memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&t->claim, &claim, claim + 1,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
            body(data, next);
            own++;
            atomic_fetch_add_explicit(&t->done, 1, memory_order_release);
        }
    }
}

// Sleeps until there is another job than `job`.
static void sleep_thread(tdsl_threads *t, uint32_t job) {
    atomic_fetch_add(&t->sleeping, 1);
    if (atomic_load(&t->job) != job || atomic_load(&t->stopping)) {
        // Changed before it could be seen sleeping: take that back, unless a post is on its way.
        int sleeping = atomic_load(&t->sleeping);
        while (sleeping > 0) {
            if (atomic_compare_exchange_weak(&t->sleeping, &sleeping, sleeping - 1)) {
                return;
            }
        }
    }
    while (sem_wait(&t->wake) != 0) { // interrupted by a signal
    }
}

static void wake_threads(tdsl_threads *t, int64_t most) {
    int sleeping = atomic_load(&t->sleeping), woken = 0;
    do {
        woken = sleeping < most ? sleeping : (int)most;
        if (woken <= 0) {
            return;
        }
    } while (!atomic_compare_exchange_weak(&t->sleeping, &sleeping, sleeping - woken));
    while (woken-- > 0) {
        sem_post(&t->wake);
    }
}

static void *run_thread(void *pool) {
    tdsl_threads *t = pool;
    uint32_t job = 0;
    while (!atomic_load(&t->stopping)) {
        uint32_t now = atomic_load_explicit(&t->job, memory_order_acquire);
        for (int i = 0; i < LOOKS && now == job; i++) {
            pause_briefly();
            now = atomic_load_explicit(&t->job, memory_order_acquire);
        }
        if (now == job) {
            sleep_thread(t, job);
        } else {
            job = now;
            do_chunks(t, job);
        }
    }
    return NULL;
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Others are at chunks of this job, and soon done unless they lost their processor.
// `usual` is the time, in nanoseconds, that one may take.
static void wait_for_chunks(tdsl_threads *t, uint32_t count, int64_t usual) {
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load_explicit(&t->done, memory_order_acquire) == count) {
            return;
        }
        pause_briefly();
    }
    int64_t start = nanoseconds();
    while (atomic_load_explicit(&t->done, memory_order_acquire) != count) {
        nanosleep(&(struct timespec){.tv_nsec = NAP}, NULL);
    }
    int64_t now = nanoseconds(), lost = now - start;
    if (lost > MUCH && lost > 2 * usual) {
        t->alone_until = now + PATIENCE * lost;
    }
}

// After waiting long for others the caller works alone for a while: a program whose processors are
// busy with other things loses little by having threads.
static bool is_to_be_alone(tdsl_threads *t) {
    if (t->alone_until != 0 && nanoseconds() >= t->alone_until) {
        t->alone_until = 0;
    }
    return t->alone_until != 0;
}

static void run_alone(Body body, void *data, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        body(data, i);
    }
}

static void run_chunks(void *context, Body body, void *data, int64_t count) {
    tdsl_threads *t = context;
    if (count < 2 || count >= (int64_t)UINT32_MAX || t->thread_count == 0 ||
        atomic_flag_test_and_set_explicit(&t->busy, memory_order_acquire)) {
        run_alone(body, data, count);
        return;
    }
    if (is_to_be_alone(t)) {
        run_alone(body, data, count);
        atomic_flag_clear_explicit(&t->busy, memory_order_release);
        return;
    }
    uint32_t job = atomic_load_explicit(&t->job, memory_order_relaxed) + 1;
    atomic_store_explicit(&t->claim, no_claim, memory_order_relaxed);
    atomic_store_explicit(&t->body, body, memory_order_release);
    atomic_store_explicit(&t->data, data, memory_order_release);
    atomic_store_explicit(&t->count, count, memory_order_release);
    atomic_store_explicit(&t->done, 0, memory_order_relaxed);
    atomic_store_explicit(&t->claim, (uint64_t)job << 32, memory_order_release);
    atomic_store(&t->job, job);
    wake_threads(t, count - 1);
    int64_t start = nanoseconds();
    int64_t own = do_chunks(t, job);
    wait_for_chunks(t, (uint32_t)count, (nanoseconds() - start) / (own > 0 ? own : 1));
    atomic_flag_clear_explicit(&t->busy, memory_order_release);
}

tdsl_threads *tdsl_threads_start(int count) {
    if (count <= 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        count = processors < 1 ? 1 : processors > MOST_THREADS ? MOST_THREADS : (int)processors;
    }
    count = count > MOST_THREADS ? MOST_THREADS : count;
    size_t bytes = sizeof(tdsl_threads) + (size_t)count * sizeof(pthread_t);
    size_t rest = bytes % CACHE_LINE;
    tdsl_threads *t = aligned_alloc(CACHE_LINE, bytes + (rest ? CACHE_LINE - rest : 0));
    if (t == NULL) {
        return NULL;
    }
    atomic_init(&t->claim, no_claim);
    atomic_init(&t->job, 0);
    atomic_init(&t->stopping, false);
    atomic_init(&t->done, 0);
    atomic_init(&t->sleeping, 0);
    atomic_init(&t->body, NULL);
    atomic_init(&t->data, NULL);
    atomic_init(&t->count, 0);
    atomic_flag_clear(&t->busy);
    t->parallel = (tdsl_parallel){run_chunks, t};
    t->alone_until = 0;
    t->owner = getpid();
    t->thread_count = 0;
    if (sem_init(&t->wake, 0, 0) != 0) {
        return t; // the caller alone
    }
    while (t->thread_count < count - 1 &&
           pthread_create(&t->threads[t->thread_count], NULL, run_thread, t) == 0) {
        t->thread_count++;
    }
    return t;
}

void tdsl_threads_stop(tdsl_threads *threads) {
    if (threads == NULL) {
        return;
    }
    if (threads->thread_count > 0 && threads->owner == getpid()) {
        atomic_store(&threads->stopping, true);
        wake_threads(threads, threads->thread_count);
        for (int i = 0; i < threads->thread_count; i++) {
            pthread_join(threads->threads[i], NULL);
        }
        sem_destroy(&threads->wake);
    }
    free(threads);
}

int tdsl_threads_count(const tdsl_threads *threads) {
    return threads->thread_count + 1;
}

const tdsl_parallel *tdsl_threads_parallel(const tdsl_threads *threads) {
    return threads == NULL ? NULL : &threads->parallel;
}
