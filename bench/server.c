// The driver's commands; see server.h.
#include "server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

void bench_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

void *bench_allocate(size_t bytes) {
    size_t rounded = (bytes / 64 + 1) * 64;
    void *memory = aligned_alloc(64, rounded);
    if (memory == NULL)
        bench_fail("out of memory: %zu bytes", rounded);
    return memset(memory, 0, rounded);
}

void bench_read(const char *path, void *data, size_t bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(data, 1, bytes, file) != bytes)
        bench_fail("cannot read %zu bytes of %s", bytes, path);
    fclose(file);
}

static void write_file(const char *folder, const Result *result) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.bin", folder, result->name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(result->data, 1, result->bytes, file) != result->bytes ||
        fclose(file) != 0)
        bench_fail("cannot write %s", path);
}

double bench_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double run_many(const Work *work, long count) {
    double start = bench_now();
    for (long i = 0; i < count; i++)
        work->run(work->state);
    return bench_now() - start;
}

static long calibrate(const Work *work, double seconds) {
    work->run(work->state);
    long count = 1;
    double spent = run_many(work, count);
    while (spent < seconds / 4 && count < 1L << 40) {
        count *= 2;
        spent = run_many(work, count);
    }
    long wanted = (long)((double)count * seconds / spent);
    return wanted < 1 ? 1 : wanted;
}

static void sample(const Work *work, long count) {
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double wall = run_many(work, count);
    getrusage(RUSAGE_SELF, &after);
    double cpu = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
                 (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                 1e-6 * (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
                 1e-6 * (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    printf("%.9g %.9g\n", wall, cpu);
}

static long peak_kilobytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

void serve(const Work *work) {
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        char *word = strtok(line, " \n"), *argument = strtok(NULL, "\n");
        if (word == NULL || strcmp(word, "quit") == 0)
            return;
        if (strcmp(word, "once") == 0) {
            work->run(work->state);
            puts("ok");
        } else if (strcmp(word, "calibrate") == 0 && argument) {
            printf("%ld\n", calibrate(work, atof(argument)));
        } else if (strcmp(word, "sample") == 0 && argument) {
            sample(work, atol(argument));
        } else if (strcmp(word, "write") == 0 && argument) {
            for (int i = 0; i < work->result_count; i++)
                write_file(argument, &work->results[i]);
            puts("ok");
        } else if (strcmp(word, "memory") == 0) {
            printf("%ld\n", peak_kilobytes());
        } else {
            bench_fail("unknown command: %s", word);
        }
        fflush(stdout);
    }
}
