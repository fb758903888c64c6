// Checking one program in a process of its own: what aborts, crashes or hangs is a finding too.
#ifndef TDSL_TESTS_FUZZ_SESSION_H
#define TDSL_TESTS_FUZZ_SESSION_H

#include "tests/fuzz/check.h"

enum { MESSAGE_MAX = 3000 };

typedef struct Job {
    uint64_t seed;
    ProgramKind kind;
    int checks;
    int seconds;      // before the process is stopped
    const char *text; // a program in the text form; NULL: the random one of the seed
} Job;

typedef struct Outcome {
    bool failed;
    Counts counts;
    char message[MESSAGE_MAX]; // empty: nothing is wrong
} Outcome;

Outcome run_job(const Job *job);
// The program of a job in the text form.
const char *job_text(Arena *arena, const Job *job);
// The program of a job and, unless `sources` is NULL, what its spans point into; NULL if its text
// is no sound program.
Function *job_function(Arena *arena, const Job *job, const Sources **sources);
// Do two messages tell of the same mistake? What is in front of the numbers must be equal.
bool same_failure(const char *x, const char *y);
// The smallest program found that fails in the same way, in the text form.
const char *reduce_job(Arena *arena, const Job *job, const char *message);

#endif
