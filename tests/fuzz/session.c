// One job in a process of its own, whose outcome comes back through a pipe and whose last words are
// read from its stderr.
#include "tests/fuzz/session.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ir/text_form.h"
#include "ir/verify.h"

Function *job_function(Arena *arena, const Job *job, const Sources **sources) {
    Sources *read = arena_new(arena, Sources);
    read->arena = arena;
    if (sources != NULL) {
        *sources = read;
    }
    if (job->text == NULL) {
        return random_program(module_new(arena), job->seed, job->kind);
    }
    Diags diags = {.arena = arena, .sources = read};
    int file = source_add(read, "fuzz.tir", job->text, strlen(job->text));
    Module *module = parse_module(arena, &diags, file);
    if (module == NULL || module->functions.count == 0 || verify_module(arena, module) != NULL) {
        return NULL;
    }
    Function *function = function_find(module, "program");
    return function ? function : module->functions.at[module->functions.count - 1];
}

const char *job_text(Arena *arena, const Job *job) {
    if (job->text != NULL) {
        return job->text;
    }
    Text text = text_new(arena);
    print_module(&text, job_function(arena, job, NULL)->module);
    return text_string(&text);
}

// Each check decides by itself, so that it does the same without the others.
static void reseed(Subject *subject, int check) {
    subject->random = (Random){subject->seed * 64 + (uint64_t)check};
}

const char *check_subject(Subject *subject) {
    const char *wrong = NULL;
    subject->counts.programs = 1;
    if (subject->checks & CHECK_TEXT) {
        wrong = check_text(subject, subject->function);
    }
    Reference reference = reference_new(subject->arena, subject->plain, subject->arguments,
                                        subject->kind == PROGRAM_EXACT);
    subject->counts.failing = reference.fails;
    if (!reference.fails && subject->kind != PROGRAM_EXACT && !reference_is_tame(&reference)) {
        subject->counts.wild = 1;
        return wrong;
    }
    reseed(subject, CHECK_PASSES);
    if (wrong == NULL && subject->checks & CHECK_PASSES) {
        wrong = check_passes(subject);
    }
    reseed(subject, CHECK_JIT);
    for (int level = 0; level < 3 && wrong == NULL && subject->checks & CHECK_JIT; level++) {
        wrong = check_engine(subject, &reference, level, false);
    }
    reseed(subject, CHECK_C);
    if (wrong == NULL && subject->checks & CHECK_C) {
        wrong = check_engine(subject, &reference, random_below(&subject->random, 3), true);
    }
    reseed(subject, CHECK_GRADIENTS);
    if (wrong == NULL && subject->checks & CHECK_GRADIENTS && subject->kind != PROGRAM_EXACT) {
        wrong = check_gradients(subject);
    }
    return wrong;
}

static void check_here(const Job *job, Outcome *outcome) {
    Arena arena = {0};
    const Sources *sources;
    Function *function = job_function(&arena, job, &sources);
    if (function == NULL) {
        snprintf(outcome->message, MESSAGE_MAX, "the program is not sound");
        return;
    }
    Subject subject = {.arena = &arena, .module = function->module, .function = function};
    subject.plain = flatten(function);
    subject.sources = sources;
    subject.kind = job->kind;
    subject.seed = job->seed;
    subject.checks = job->checks;
    subject.arguments = random_arguments(&arena, function, job->seed, job->kind);
    const char *wrong = check_subject(&subject);
    outcome->counts = subject.counts;
    snprintf(outcome->message, MESSAGE_MAX, "%s", wrong ? wrong : "");
}

static void read_last_words(FILE *file, int status, Outcome *outcome) {
    outcome->failed = true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        snprintf(outcome->message, MESSAGE_MAX, "it takes too long");
        return;
    }
    rewind(file);
    size_t length = fread(outcome->message, 1, MESSAGE_MAX - 40, file);
    outcome->message[length] = '\0';
    if (length == 0) {
        snprintf(outcome->message, MESSAGE_MAX, "ends with wait status %d", status);
    }
}

Outcome run_job(const Job *job) {
    Outcome outcome = {0};
    int ends[2];
    FILE *words = tmpfile();
    check(words != NULL && pipe(ends) == 0, "no pipe or temporary file");
    fflush(NULL);
    pid_t child = fork();
    check(child >= 0, "no process");
    if (child == 0) {
        dup2(fileno(words), STDERR_FILENO);
        alarm((unsigned)job->seconds);
        check_here(job, &outcome);
        outcome.failed = outcome.message[0] != '\0';
        _exit(write(ends[1], &outcome, sizeof outcome) == (ssize_t)sizeof outcome ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], &outcome, sizeof outcome);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (got != (ssize_t)sizeof outcome) {
        memset(&outcome, 0, sizeof outcome);
        read_last_words(words, status, &outcome);
    }
    fclose(words);
    return outcome;
}

// The next character that is part of what a message says: numbers are not.
static const char *skip_numbers(const char *text) {
    while (isdigit((unsigned char)*text) || *text == '%' || *text == '-' || *text == '.') {
        text++;
    }
    return text;
}

bool same_failure(const char *x, const char *y) {
    enum { COMPARED = 60 };
    for (int i = 0; i < COMPARED; i++) {
        x = skip_numbers(x);
        y = skip_numbers(y);
        if (*x != *y) {
            return false;
        }
        if (*x == '\0' || *x == '\n') {
            return true;
        }
        x++;
        y++;
    }
    return true;
}
