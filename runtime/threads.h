// Threads for compiled programs. A pool is made, handed to the entries that take one, and freed by
// whoever made it; nothing is global. This file and threads.c need the C library alone, so a
// program that uses a product may simply compile them in.
//
//   tdsl_threads *threads = tdsl_threads_start(4);
//   status = classifier_backward_parallel(..., workspace, tdsl_threads_parallel(threads));
//   tdsl_threads_stop(threads);
//
// Work comes in chunks. Each thread, and the caller, has a range of its own, and who has done that
// claims what is left of others': the caller never waits for a thread that has not started, only
// for chunks that others are at. If it often waits long for these, because others lost their
// processors, or loses its own processor to another thread of the pool, it works alone for forty
// times what that cost, and then tries again. So little is lost where the other cores are busy, and
// nothing where the pool is: a caller that finds it in use, by another thread or further up on its
// own stack, does its work alone.
//
// In a child process after fork() there are no threads but the caller's; a pool that was idle then
// still works, on the caller alone, and is stopped as usual.
#ifndef TDSL_RUNTIME_THREADS_H
#define TDSL_RUNTIME_THREADS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// How an entry spreads its work over threads, as generated headers declare it: run calls
// body(data, i) once for each i from 0 to count - 1, in any order, on any threads, and returns when
// all have returned.
#ifndef TDSL_PARALLEL
#define TDSL_PARALLEL
typedef struct tdsl_parallel {
    void (*run)(void *context, void (*body)(void *data, int64_t index), void *data, int64_t count);
    void *context;
} tdsl_parallel;
#endif

typedef struct tdsl_threads tdsl_threads;

// A pool that computes with `count` threads: the caller and count - 1 others; 0: as many as there
// are processors. Where the system refuses a thread, fewer. NULL if there is no memory.
tdsl_threads *tdsl_threads_start(int count);
// Ends the threads. No work may be under way. NULL is ignored.
void tdsl_threads_stop(tdsl_threads *threads);
// Threads that compute, with the caller.
int tdsl_threads_count(const tdsl_threads *threads);
// What entries take; it lives as long as the pool. NULL for NULL.
const tdsl_parallel *tdsl_threads_parallel(const tdsl_threads *threads);

#ifdef __cplusplus
}
#endif
#endif
