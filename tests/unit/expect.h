// A test of a few lines of C: EXPECT counts and reports what does not hold and goes on;
// `return expect_result();` at the end of main turns the count into the exit code.
// The counters are static: each test is one executable of one file.
#ifndef TDSL_TESTS_UNIT_EXPECT_H
#define TDSL_TESTS_UNIT_EXPECT_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int expect_checked;
static int expect_failed;

static inline bool expect_note(bool holds, const char *file, int line, const char *what) {
    expect_checked++;
    if (!holds) {
        expect_failed++;
        fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    }
    return holds;
}

static inline void expect_text(const char *actual, const char *expected, const char *file, int line,
                               const char *what) {
    if (!expect_note(actual && strcmp(actual, expected) == 0, file, line, what)) {
        fprintf(stderr, "  expected: \"%s\"\n  actual:   \"%s\"\n", expected,
                actual ? actual : "(null)");
    }
}

// Whether `action` ends its process by abort(); it runs in a child, whose stderr is dropped.
static inline bool expect_ends_in_abort(void (*action)(void)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) {
            _exit(2);
        }
        action();
        _exit(0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

// A test that checked nothing fails too.
static inline int expect_result(void) {
    fprintf(stderr, "%d checked, %d failed\n", expect_checked, expect_failed);
    return expect_failed || !expect_checked;
}

#define EXPECT(condition) expect_note((condition), __FILE__, __LINE__, #condition)
#define EXPECT_TEXT(actual, expected)                                                              \
    expect_text((actual), (expected), __FILE__, __LINE__, #actual " is " #expected)
#define EXPECT_ABORT(action)                                                                       \
    expect_note(expect_ends_in_abort(action), __FILE__, __LINE__, #action " aborts")

#endif
