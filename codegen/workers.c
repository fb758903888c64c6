// Each thread takes the next task until none is left. Signals are for the threads that the host
// program knows of, but for those that a fault in a thread itself raises.
#define _GNU_SOURCE // sched_getaffinity
#include "codegen/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    MOST_THREADS = 16,
    STACK_BYTES = 8 << 20, // LLVM recurses; a thread's stack may be small otherwise
};

typedef struct Tasks {
    atomic_int next;
    int count;
    void (*task)(void *context, int index);
    void *context;
} Tasks;

// The C library reserves much of it for each thread, which counts though it is not used.
static bool is_address_space_limited(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

int usable_processors(void) {
    if (is_address_space_limited()) {
        return 1;
    }
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) == 0) {
        count = CPU_COUNT(&usable);
    }
#endif
    return count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : (int)count;
}

static void *work(void *data) {
    Tasks *tasks = data;
    for (int i; (i = atomic_fetch_add(&tasks->next, 1)) < tasks->count;) {
        tasks->task(tasks->context, i);
    }
    return NULL;
}

// Starts `wanted` threads or fewer; how many.
static int start_threads(Tasks *tasks, pthread_t *threads, int wanted) {
    pthread_attr_t attributes;
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigset_t all, previous;
    int started = 0;
    if (pthread_attr_init(&attributes) != 0) {
        return 0;
    }
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        sigdelset(&all, faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    while (started < wanted && pthread_create(&threads[started], &attributes, work, tasks) == 0) {
        started++;
    }
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

void do_tasks(int count, int threads, void (*task)(void *context, int index), void *context) {
    Tasks tasks = {.count = count, .task = task, .context = context};
    pthread_t others[MOST_THREADS];
    int most = threads < count ? threads : count, started = 0, state;
    most = most > MOST_THREADS ? MOST_THREADS : most;
    atomic_init(&tasks.next, 0);
    // The others use what is on this thread's stack: it must not be cancelled before they end.
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    if (most > 1) {
        started = start_threads(&tasks, others, most - 1);
    }
    work(&tasks);
    for (int i = 0; i < started; i++) {
        pthread_join(others[i], NULL);
    }
    (void)pthread_setcancelstate(state, NULL);
}
