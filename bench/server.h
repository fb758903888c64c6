// What every measured program has in common: it obeys the driver's commands on standard input, one
// a line, and answers each with one line.
//
//     once             runs the work once                          -> ok
//     calibrate S      how many runs take about S seconds          -> N
//     sample N         runs it N times                             -> WALL CPU
//     write FOLDER     writes each result to FOLDER/NAME.bin       -> ok
//     memory           largest resident set so far, in kilobytes   -> KB
//     quit
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stddef.h>

typedef struct Result {
    const char *name;
    const void *data;
    size_t bytes;
} Result;

typedef struct Work {
    void (*run)(void *state);
    void *state;
    const Result *results;
    int result_count;
} Work;

void serve(const Work *work);

// Ends the process with a message.
void bench_fail(const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2), noreturn))
#endif
    ;
// At least 64 bytes, aligned to 64, zeroed.
void *bench_allocate(size_t bytes);
void bench_read(const char *path, void *data, size_t bytes);
double bench_now(void);

#endif
