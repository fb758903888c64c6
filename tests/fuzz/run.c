// The fuzzer: checks random programs, or the program in a file, and prints what fails with its
// seed.
//
//   fuzz_run [--seed N] [--count N] [--kind any|smooth|exact] [--checks
//   text,passes,gradients,jit,c]
//            [--c-every N] [--reduce] [--timeout SECONDS] [--keep-going] [FILE.tir ...]
//
// Programs are numbered: program N is the same in every run. Files are checked with all kinds
// unless one is named. The exit code is 1 if anything failed.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/session.h"

typedef struct Options {
    uint64_t seed;
    int count;
    int kind; // -1: each in turn
    int checks;
    int c_every; // the C engine is slow: only every so many programs
    int seconds;
    bool reduce, keep_going;
    VEC(const char *) files;
} Options;

static const struct {
    const char *name;
    int check;
} check_names[] = {{"text", CHECK_TEXT},
                   {"passes", CHECK_PASSES},
                   {"gradients", CHECK_GRADIENTS},
                   {"jit", CHECK_JIT},
                   {"c", CHECK_C}};

static int parse_checks(const char *list) {
    int checks = 0;
    while (*list) {
        size_t length = strcspn(list, ","), i = 0;
        while (i < 5 && (strlen(check_names[i].name) != length ||
                         strncmp(check_names[i].name, list, length) != 0)) {
            i++;
        }
        if (i == 5) {
            fprintf(stderr, "there is no check %.*s\n", (int)length, list);
            exit(2);
        }
        checks |= check_names[i].check;
        list += length + (list[length] == ',');
    }
    return checks;
}

static int parse_kind(const char *name) {
    for (int kind = 0; kind < PROGRAM_KIND_COUNT; kind++) {
        if (strcmp(program_kind_name((ProgramKind)kind), name) == 0) {
            return kind;
        }
    }
    fprintf(stderr, "there is no kind %s\n", name);
    exit(2);
}

static Options parse_options(Arena *arena, int count, char **arguments) {
    Options options = {.count = 100,
                       .kind = -1,
                       .checks = CHECK_TEXT | CHECK_PASSES | CHECK_GRADIENTS,
                       .c_every = 10,
                       .seconds = 60};
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i];
        const char *value = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(name, "--reduce") == 0) {
            options.reduce = true;
            continue;
        }
        if (strcmp(name, "--keep-going") == 0) {
            options.keep_going = true;
            continue;
        }
        if (strncmp(name, "--", 2) != 0) {
            vec_push(arena, &options.files, name);
            continue;
        }
        i++;
        if (strcmp(name, "--seed") == 0) {
            options.seed = strtoull(value, NULL, 10);
        } else if (strcmp(name, "--count") == 0) {
            options.count = atoi(value);
        } else if (strcmp(name, "--kind") == 0) {
            options.kind = parse_kind(value);
        } else if (strcmp(name, "--checks") == 0) {
            options.checks = parse_checks(value);
        } else if (strcmp(name, "--c-every") == 0) {
            options.c_every = atoi(value);
        } else if (strcmp(name, "--timeout") == 0) {
            options.seconds = atoi(value);
        } else {
            fprintf(stderr, "there is no option %s\n", name);
            exit(2);
        }
    }
    return options;
}

static void add_counts(Counts *sum, const Counts *counts) {
    sum->programs += counts->programs;
    sum->failing += counts->failing;
    sum->wild += counts->wild;
    sum->passes_compared += counts->passes_compared;
    sum->derivatives += counts->derivatives;
    sum->differences += counts->differences;
    sum->differences_skipped += counts->differences_skipped;
    sum->calls += counts->calls;
}

static void report(const Options *options, const Job *job, const Outcome *outcome) {
    Arena arena = {0};
    const char *text =
        options->reduce ? reduce_job(&arena, job, outcome->message) : job_text(&arena, job);
    Job smaller = *job;
    smaller.text = text;
    Outcome again = run_job(&smaller);
    printf("FAILED --seed %llu --kind %s\n%s\n--- program\n%s---\n", (unsigned long long)job->seed,
           program_kind_name(job->kind), again.failed ? again.message : outcome->message, text);
    fflush(stdout);
    arena_free(&arena);
}

static char *read_file(Arena *arena, const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    Text text = text_new(arena);
    char bytes[4096];
    for (size_t length; (length = fread(bytes, 1, sizeof bytes, file)) > 0;) {
        text_add_bytes(&text, bytes, length);
    }
    fclose(file);
    return arena_copy_string(arena, text_string(&text));
}

static bool run_one(const Options *options, Job job, Counts *sum) {
    Outcome outcome = run_job(&job);
    add_counts(sum, &outcome.counts);
    if (outcome.failed) {
        report(options, &job, &outcome);
    }
    return !outcome.failed;
}

static int run_files(const Options *options, Counts *sum) {
    int failed = 0;
    for (int i = 0; i < options->files.count; i++) {
        Arena arena = {0};
        const char *text = read_file(&arena, options->files.at[i]);
        for (int kind = 0; kind < PROGRAM_KIND_COUNT; kind++) {
            Job job = {options->seed, (ProgramKind)kind, options->checks, options->seconds, text};
            if (options->kind < 0 || options->kind == kind) {
                bool good = run_one(options, job, sum);
                failed += !good;
                if (!good) {
                    printf("in %s\n", options->files.at[i]);
                }
            }
        }
        arena_free(&arena);
    }
    return failed;
}

static int run_random(const Options *options, Counts *sum) {
    int failed = 0;
    for (int i = 0; i < options->count && (failed == 0 || options->keep_going); i++) {
        uint64_t seed = options->seed + (uint64_t)i;
        int kind = options->kind >= 0 ? options->kind : (int)(seed % PROGRAM_KIND_COUNT);
        Job job = {seed, (ProgramKind)kind, options->checks, options->seconds, NULL};
        if (seed / PROGRAM_KIND_COUNT % (uint64_t)options->c_every != 0) {
            job.checks &= ~CHECK_C;
        }
        failed += !run_one(options, job, sum);
    }
    return failed;
}

int main(int argument_count, char **arguments) {
    Arena arena = {0};
    Options options = parse_options(&arena, argument_count, arguments);
    Counts sum = {0};
    int failed = options.files.count > 0 ? run_files(&options, &sum) : run_random(&options, &sum);
    printf("%d programs (%d end with a status, %d wild), %d optimised programs compared,\n"
           "%d adjoints against forward mode, %d against differences (%d skipped), %d calls of "
           "compiled code: %d failed\n",
           sum.programs, sum.failing, sum.wild, sum.passes_compared, sum.derivatives,
           sum.differences, sum.differences_skipped, sum.calls, failed);
    arena_free(&arena);
    return failed > 0;
}
