// The pool of threads. The chunks of a job are dealt out in ranges, one for each thread that
// computes: jobs that follow each other mostly touch the same data in the same order, so a thread
// finds in its cache what it wrote before. Who has done its range takes chunks of others'. One word
// for each range holds the number of the job and how many of the range's chunks are taken; a chunk
// is claimed by counting it up. The fields of a job are read before its chunk is claimed, and are
// right if that succeeds: they change only when all chunks are done. All of it is sequenced by
// these words, `job` and `done`, so what a chunk wrote is seen when `run` returns.
//
// A thread without work looks for some for a while, the longer the more it has just had, then
// sleeps on a semaphore. Whoever makes it sleep or wakes it agrees on it in `sleeping`: each thread
// counted down there gets one post. (Posting never blocks, not even in a child of fork().)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE // sched_getcpu, sched_getaffinity
#endif
#include "runtime/threads.h"

#include <pthread.h>
#ifdef __linux__
#include <sched.h>
#endif
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum {
    CACHE_LINE = 64,
    LOOKS = 64, // at a time, between looks at the clock
    // Nanoseconds:
    SHORT_WATCH = 50000, // a thread looks for work at least so long before it sleeps
    LONG_WATCH = 500000, // and no longer than this
    NAP = 50000,         // of the caller, between looks for the last chunks
    MUCH = 200000,       // waiting so long means that the processors are busy
    // Of time that was lost:
    TOLERATED = 8,      // an eighth of all time is
    FORGIVEN = 4000000, // and so many nanoseconds on top
    PATIENCE = 40,      // else the caller works alone for so many times what was lost last
    DISPLACED = 50000,  // what the caller may have lost when another thread takes its processor
    MOST_THREADS = 1024,
};

typedef void (*Body)(void *data, int64_t index);

// Of the chunks of a job, those that one thread is to do. Of a job with few chunks the last ranges
// have none.
typedef struct Range {
    _Alignas(CACHE_LINE) _Atomic uint64_t claim; // job << 32 | chunks taken
} Range;

typedef struct Thread {
    pthread_t thread;
    struct tdsl_threads *pool;
    int party; // the caller is 0
} Thread;

struct tdsl_threads {
    _Alignas(CACHE_LINE) _Atomic uint32_t job; // number of the last one
    _Atomic bool stopping;
    _Alignas(CACHE_LINE) _Atomic uint32_t done; // chunks of this job
    _Alignas(CACHE_LINE) atomic_int sleeping;
    atomic_flag busy;     // a job is under way
    atomic_int processor; // of the caller, when this job began; -1 if not known
    atomic_int surplus;   // threads that had better sleep, as there are not so many processors
    atomic_int displaced; // how often threads found themselves on the caller's processor
    _Atomic(Body) body;
    _Atomic(void *) data;
    _Atomic int64_t count;
    sem_t wake;
    tdsl_parallel parallel;
    pid_t owner; // threads exist in this process only
    // Under `busy`, in nanoseconds:
    int64_t lost; // by having threads, less what is tolerated, up to `lost_at`
    int64_t lost_at;
    int64_t alone_until;
    int thread_count;
    int parties;   // the threads that were asked for, whether there are so many or not
    Range *ranges; // of each
    Thread threads[];
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

// The processor that this thread runs on; -1 where the system does not say.
static int current_processor(void) {
#ifdef CPU_COUNT // with it comes sched_getcpu
    return sched_getcpu();
#else
    return -1;
#endif
}

// Whether this thread, which is not the caller, keeps the caller from its processor.
static bool displaces_caller(tdsl_threads *t) {
    int processor = current_processor();
    return processor >= 0 && processor == atomic_load_explicit(&t->processor, memory_order_relaxed);
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// The first chunk of a range; also one past the last chunk of the range before.
static int64_t range_start(int64_t count, int64_t party, int64_t parties) {
    int64_t ranges = count < parties ? count : parties;
    return party < ranges ? count * party / ranges : count;
}

// Does chunks of one range until none is left; how many. Jobs have fewer than 2^32 - 1 chunks.
static uint32_t do_range(tdsl_threads *t, uint32_t job, int party) {
    Range *range = &t->ranges[party];
    for (uint32_t own = 0;;) {
        uint64_t claim = atomic_load_explicit(&range->claim, memory_order_acquire);
        int64_t count = atomic_load_explicit(&t->count, memory_order_acquire);
        int64_t next = range_start(count, party, t->parties) + (int64_t)(claim & UINT32_MAX);
        if ((uint32_t)(claim >> 32) != job || next >= range_start(count, party + 1, t->parties)) {
            return own;
        }
        Body body = atomic_load_explicit(&t->body, memory_order_acquire);
        void *data = atomic_load_explicit(&t->data, memory_order_acquire);
        if (atomic_compare_exchange_weak_explicit(&range->claim, &claim, claim + 1,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
            body(data, next);
            own++;
        }
    }
}

// Does chunks of the job, those of the own range first, until none is left; how many.
static uint32_t do_chunks(tdsl_threads *t, uint32_t job, int self) {
    uint32_t own = 0;
    for (int i = 0; i < t->parties; i++) {
        own += do_range(t, job, (self + i) % t->parties);
    }
    if (own > 0) {
        atomic_fetch_add_explicit(&t->done, own, memory_order_release);
    }
    return own;
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

static void wake_threads(tdsl_threads *t, int64_t most, int surplus) {
    int sleeping = atomic_load(&t->sleeping), woken = 0;
    do {
        woken = sleeping - surplus < most ? sleeping - surplus : (int)most;
        if (woken <= 0) {
            return;
        }
    } while (!atomic_compare_exchange_weak(&t->sleeping, &sleeping, sleeping - woken));
    while (woken-- > 0) {
        sem_post(&t->wake);
    }
}

// The number of the last job, once it is another than `job`, or it is time to sleep: `watch`
// nanoseconds are over, or looking keeps the caller from working.
static uint32_t look_for_job(tdsl_threads *t, uint32_t job, int64_t watch) {
    int64_t start = nanoseconds();
    do {
        for (int i = 0; i < LOOKS; i++) {
            uint32_t now = atomic_load_explicit(&t->job, memory_order_acquire);
            if (now != job) {
                return now;
            }
            pause_briefly();
        }
    } while (nanoseconds() - start < watch && !displaces_caller(t));
    return job;
}

// How long to look for work after having worked for some time, so that looking wastes no more than
// twice what the work was.
static int64_t watch_after(int64_t worked) {
    return worked < SHORT_WATCH / 2  ? SHORT_WATCH
           : worked > LONG_WATCH / 2 ? LONG_WATCH
                                     : 2 * worked;
}

static void *run_thread(void *context) {
    Thread *self = context;
    tdsl_threads *t = self->pool;
    uint32_t job = 0;
    int64_t watch = SHORT_WATCH;
    while (!atomic_load(&t->stopping)) {
        uint32_t now = look_for_job(t, job, watch);
        bool is_wanted = now != job && atomic_load(&t->sleeping) >= atomic_load(&t->surplus);
        job = now;
        if (!is_wanted) {
            sleep_thread(t, job);
        } else if (displaces_caller(t)) {
            atomic_fetch_add_explicit(&t->displaced, 1, memory_order_relaxed);
            sleep_thread(t, job);
        } else {
            int64_t start = nanoseconds();
            do_chunks(t, job, self->party);
            watch = watch_after(nanoseconds() - start);
        }
    }
    return NULL;
}

// Some more nanoseconds were lost. Who loses much time to others works alone for a while: a program
// whose processors are busy with other things loses little by having threads. Now and then every
// processor is taken away for some milliseconds, above all from a virtual machine; working alone
// would then cost more.
static void add_loss(tdsl_threads *t, int64_t now, int64_t lost) {
    int64_t before = t->lost - (now - t->lost_at) / TOLERATED;
    t->lost = (before > 0 ? before : 0) + lost;
    t->lost_at = now;
    if (t->lost > FORGIVEN) {
        t->lost = FORGIVEN;
        t->lost_at = t->alone_until = now + PATIENCE * lost;
    }
}

// Others are at chunks of this job, and soon done unless they lost their processor.
// `usual` is the time, in nanoseconds, that one may take.
static void wait_for_chunks(tdsl_threads *t, uint32_t count, int64_t usual) {
    int64_t start = nanoseconds(), now = start;
    while (now - start < usual + SHORT_WATCH) {
        for (int i = 0; i < LOOKS; i++) {
            if (atomic_load_explicit(&t->done, memory_order_acquire) == count) {
                return;
            }
            pause_briefly();
        }
        now = nanoseconds();
    }
    while (atomic_load_explicit(&t->done, memory_order_acquire) != count) {
        nanosleep(&(struct timespec){.tv_nsec = NAP}, NULL);
    }
    int64_t end = nanoseconds(), lost = end - now;
    if (lost > MUCH && lost > 2 * usual) {
        add_loss(t, end, lost);
    }
}

static bool is_to_be_alone(tdsl_threads *t) {
    int displaced = atomic_load_explicit(&t->displaced, memory_order_relaxed);
    if (displaced > 0) {
        atomic_fetch_sub_explicit(&t->displaced, displaced, memory_order_relaxed);
    }
    if (displaced > 0 && t->alone_until == 0) {
        add_loss(t, nanoseconds(), (int64_t)DISPLACED * displaced);
    }
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
    for (int i = 0; i < t->parties; i++) {
        atomic_store_explicit(&t->ranges[i].claim, no_claim, memory_order_relaxed);
    }
    atomic_store_explicit(&t->body, body, memory_order_release);
    atomic_store_explicit(&t->data, data, memory_order_release);
    atomic_store_explicit(&t->count, count, memory_order_release);
    atomic_store_explicit(&t->done, 0, memory_order_relaxed);
    for (int i = 0; i < t->parties; i++) {
        atomic_store_explicit(&t->ranges[i].claim, (uint64_t)job << 32, memory_order_release);
    }
    atomic_store_explicit(&t->processor, current_processor(), memory_order_relaxed);
    atomic_store(&t->job, job);
    wake_threads(t, count - 1, atomic_load_explicit(&t->surplus, memory_order_relaxed));
    int64_t start = nanoseconds();
    int64_t own = do_chunks(t, job, 0);
    wait_for_chunks(t, (uint32_t)count, (nanoseconds() - start) / (own > 0 ? own : 1));
    atomic_flag_clear_explicit(&t->busy, memory_order_release);
}

// The compiler asks the same (codegen/workers.c), but this file needs the C library alone.
static int usable_processors(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef CPU_COUNT
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) == 0) {
        count = CPU_COUNT(&usable);
    }
#endif
    return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : (int)count;
}

tdsl_threads *tdsl_threads_start(int count) {
    int processors = usable_processors();
    count = count <= 0 ? processors : count > MOST_THREADS ? MOST_THREADS : count;
    size_t bytes = sizeof(tdsl_threads) + (size_t)count * sizeof(Thread);
    size_t rest = bytes % CACHE_LINE;
    tdsl_threads *t = aligned_alloc(CACHE_LINE, bytes + (rest ? CACHE_LINE - rest : 0));
    Range *ranges = aligned_alloc(CACHE_LINE, (size_t)count * sizeof(Range));
    if (t == NULL || ranges == NULL) {
        free(t);
        free(ranges);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        atomic_init(&ranges[i].claim, no_claim);
    }
    t->ranges = ranges;
    t->parties = count;
    atomic_init(&t->job, 0);
    atomic_init(&t->stopping, false);
    atomic_init(&t->done, 0);
    atomic_init(&t->sleeping, 0);
    atomic_init(&t->body, NULL);
    atomic_init(&t->data, NULL);
    atomic_init(&t->count, 0);
    atomic_init(&t->processor, -1);
    atomic_init(&t->surplus, 0);
    atomic_init(&t->displaced, 0);
    atomic_flag_clear(&t->busy);
    t->parallel = (tdsl_parallel){run_chunks, t};
    t->lost = t->lost_at = t->alone_until = 0;
    t->owner = getpid();
    t->thread_count = 0;
    if (sem_init(&t->wake, 0, 0) != 0) {
        return t; // the caller alone
    }
    for (; t->thread_count < count - 1; t->thread_count++) {
        Thread *thread = &t->threads[t->thread_count];
        *thread = (Thread){.pool = t, .party = t->thread_count + 1};
        if (pthread_create(&thread->thread, NULL, run_thread, thread) != 0) {
            break;
        }
    }
    int surplus = t->thread_count - (processors - 1);
    atomic_store(&t->surplus, surplus > 0 ? surplus : 0);
    return t;
}

void tdsl_threads_stop(tdsl_threads *threads) {
    if (threads == NULL) {
        return;
    }
    if (threads->thread_count > 0 && threads->owner == getpid()) {
        atomic_store(&threads->stopping, true);
        wake_threads(threads, threads->thread_count, 0);
        for (int i = 0; i < threads->thread_count; i++) {
            pthread_join(threads->threads[i].thread, NULL);
        }
        sem_destroy(&threads->wake);
    }
    free(threads->ranges);
    free(threads);
}

int tdsl_threads_count(const tdsl_threads *threads) {
    return threads->thread_count + 1;
}

const tdsl_parallel *tdsl_threads_parallel(const tdsl_threads *threads) {
    return threads == NULL ? NULL : &threads->parallel;
}
