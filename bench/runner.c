// Calls a compiled program in a loop, as the C program of a user would: a shared object made by
// tdsl, one made of its emitted C, or one of the programs written by hand.
//
//     bench_runner JOB                        obeys the commands of server.h
//     bench_runner compare f32|f64 A B        largest difference, relative to B's largest number
//
// JOB is a file of lines:
//
//     library PATH
//     group NAME                   the tensors below belong to it; they are an array of pointers
//     tensor NAME BYTES PATH|-     read from the file, or zeros
//     null NAME                    a tensor whose pointer is NULL
//     results NAME                 the group's tensors are written by `write`
//     number N                     the next of the numbers that stand for the argument `numbers`
//     workspace BYTES
//     threads N                    how many the argument `parallel` has
//     call SYMBOL GROUP ...        one of the calls of a run, in order
//     descend RATE f32|f64         after them: params -= RATE * gradients
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/threads.h"
#include "server.h"

enum {
    MOST_TENSORS = 64,
    MOST_GROUPS = 8,
    MOST_CALLS = 4,
    MOST_ARGUMENTS = 8,
    NAME_BYTES = 128,
    STEP_CHUNK = 32768
};

typedef struct Group {
    char name[NAME_BYTES];
    void *pointers[MOST_TENSORS];
    char names[MOST_TENSORS][NAME_BYTES];
    size_t bytes[MOST_TENSORS];
    int count;
} Group;

// Every argument of a product's functions is a pointer.
typedef int Entry(void *, void *, void *, void *, void *, void *, void *, void *);
typedef void AnyFunction(void);

typedef struct Call {
    Entry *entry;
    void *arguments[MOST_ARGUMENTS];
    char symbol[NAME_BYTES];
} Call;

typedef struct Job {
    void *library;
    Group groups[MOST_GROUPS];
    int group_count;
    Call calls[MOST_CALLS];
    int call_count;
    int64_t numbers[MOST_TENSORS];
    int number_count;
    void *workspace;
    tdsl_threads *threads;
    double rate;
    bool single;
    Result results[MOST_GROUPS * MOST_TENSORS];
    int result_count;
} Job;

static Group *find_group(Job *job, const char *name) {
    for (int i = 0; i < job->group_count; i++)
        if (strcmp(job->groups[i].name, name) == 0)
            return &job->groups[i];
    bench_fail("there is no group %s", name);
}

static void *argument_of(Job *job, const char *name) {
    if (strcmp(name, "workspace") == 0)
        return job->workspace;
    if (strcmp(name, "parallel") == 0)
        return (void *)tdsl_threads_parallel(job->threads);
    if (strcmp(name, "numbers") == 0)
        return job->numbers;
    if (strcmp(name, "key") == 0) // not a struct but one number
        return find_group(job, name)->pointers[0];
    return find_group(job, name)->pointers;
}

static void read_tensor(Job *job, const char *text) {
    char path[2048];
    Group *group = job->group_count ? &job->groups[job->group_count - 1] : NULL;
    if (group == NULL || group->count == MOST_TENSORS)
        bench_fail("no place for a tensor");
    int i = group->count++;
    if (sscanf(text, "%127s %zu %2047s", group->names[i], &group->bytes[i], path) != 3)
        bench_fail("cannot read the tensor %s", text);
    group->pointers[i] = bench_allocate(group->bytes[i]);
    if (strcmp(path, "-") != 0)
        bench_read(path, group->pointers[i], group->bytes[i]);
}

static void read_call(Job *job, char *text) {
    if (job->call_count == MOST_CALLS)
        bench_fail("too many calls");
    Call *call = &job->calls[job->call_count++];
    char *word = strtok(text, " ");
    snprintf(call->symbol, sizeof call->symbol, "%s", word ? word : "");
    AnyFunction *found;
    *(void **)&found = dlsym(job->library, call->symbol);
    if (found == NULL)
        bench_fail("%s", dlerror());
    call->entry = (Entry *)found;
    for (int i = 0; (word = strtok(NULL, " ")); i++) {
        if (i == MOST_ARGUMENTS)
            bench_fail("too many arguments");
        call->arguments[i] = argument_of(job, word);
    }
}

static void add_results(Job *job, const char *name) {
    const Group *group = find_group(job, name);
    for (int i = 0; i < group->count; i++)
        job->results[job->result_count++] =
            (Result){group->names[i], group->pointers[i], group->bytes[i]};
}

static void read_line(Job *job, char *line) {
    char *text = strchr(line, ' ');
    if (text == NULL)
        bench_fail("cannot read %s", line);
    *text++ = 0;
    if (strcmp(line, "library") == 0) {
        job->library = dlopen(text, RTLD_NOW | RTLD_LOCAL);
        if (job->library == NULL)
            bench_fail("%s", dlerror());
    } else if (strcmp(line, "group") == 0) {
        if (job->group_count == MOST_GROUPS)
            bench_fail("too many groups");
        snprintf(job->groups[job->group_count++].name, NAME_BYTES, "%s", text);
    } else if (strcmp(line, "tensor") == 0) {
        read_tensor(job, text);
    } else if (strcmp(line, "null") == 0) {
        Group *group = job->group_count ? &job->groups[job->group_count - 1] : NULL;
        if (group == NULL || group->count++ == MOST_TENSORS)
            bench_fail("no place for a tensor");
    } else if (strcmp(line, "results") == 0) {
        add_results(job, text);
    } else if (strcmp(line, "number") == 0 && job->number_count < MOST_TENSORS) {
        job->numbers[job->number_count++] = atoll(text);
    } else if (strcmp(line, "workspace") == 0) {
        job->workspace = bench_allocate((size_t)atoll(text));
    } else if (strcmp(line, "threads") == 0) {
        job->threads = tdsl_threads_start(atoi(text));
    } else if (strcmp(line, "call") == 0) {
        read_call(job, text);
    } else if (strcmp(line, "descend") == 0) {
        job->rate = atof(text);
        job->single = strstr(text, "f32") != NULL;
    } else {
        bench_fail("what is %s?", line);
    }
}

// A step of one tensor, which threads share out as PyTorch's do.
typedef struct Step {
    void *param;
    const void *gradient;
    size_t count;
    double rate;
    bool single;
} Step;

static void descend_part(void *data, int64_t index) {
    const Step *step = data;
    size_t first = (size_t)index * STEP_CHUNK, rest = step->count - first;
    size_t count = rest < STEP_CHUNK ? rest : STEP_CHUNK;
    if (step->single) {
        float *restrict p = (float *)step->param + first, rate = (float)step->rate;
        const float *restrict g = (const float *)step->gradient + first;
        for (size_t j = 0; j < count; j++)
            p[j] -= rate * g[j];
    } else {
        double *restrict p = (double *)step->param + first;
        const double *restrict g = (const double *)step->gradient + first;
        for (size_t j = 0; j < count; j++)
            p[j] -= step->rate * g[j];
    }
}

static void descend(Job *job) {
    const Group *params = find_group(job, "params"), *gradients = find_group(job, "gradients");
    const tdsl_parallel *parallel = tdsl_threads_parallel(job->threads);
    for (int i = 0; i < params->count; i++) {
        size_t count = params->bytes[i] / (job->single ? sizeof(float) : sizeof(double));
        Step step = {params->pointers[i], gradients->pointers[i], count, job->rate, job->single};
        int64_t chunks = (int64_t)((count + STEP_CHUNK - 1) / STEP_CHUNK);
        if (parallel != NULL && chunks > 1) {
            parallel->run(parallel->context, descend_part, &step, chunks);
            continue;
        }
        for (int64_t j = 0; j < chunks; j++)
            descend_part(&step, j);
    }
}

static void run(void *state) {
    Job *job = state;
    for (int i = 0; i < job->call_count; i++) {
        void **a = job->calls[i].arguments;
        int status = job->calls[i].entry(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
        if (status != 0)
            bench_fail("%s: status %d", job->calls[i].symbol, status);
    }
    if (job->rate != 0)
        descend(job);
}

// ---- comparing

static double element(const void *data, size_t i, bool single) {
    return single ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static void *read_whole(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        bench_fail("cannot read %s", path);
    *bytes = (size_t)ftell(file);
    fclose(file);
    void *data = bench_allocate(*bytes);
    bench_read(path, data, *bytes);
    return data;
}

// Not finite and the same: 0/0 is NaN in every language.
static bool are_same_bounds(double x, double y) {
    return (isnan(x) && isnan(y)) || (isinf(x) && x == y);
}

static int compare(const char *type, const char *first, const char *second) {
    bool single = strcmp(type, "f32") == 0;
    size_t bytes, other;
    void *a = read_whole(first, &bytes), *b = read_whole(second, &other);
    if (bytes != other)
        bench_fail("%s and %s have different sizes", first, second);
    double difference = 0, largest = 0;
    size_t count = bytes / (single ? 4 : 8), skipped = 0;
    for (size_t i = 0; i < count; i++) {
        double x = element(a, i, single), y = element(b, i, single);
        if (are_same_bounds(x, y)) {
            skipped++;
            continue;
        }
        if (!isfinite(x) || !isfinite(y))
            bench_fail("element %zu of %s and %s is %g and %g", i, first, second, x, y);
        difference = fmax(difference, fabs(x - y));
        largest = fmax(largest, fabs(y));
    }
    free(a);
    free(b);
    if (count > 0 && skipped == count)
        bench_fail("no element of %s and %s is finite", first, second);
    printf("%.3g\n", difference == 0 ? 0 : largest == 0 ? INFINITY : difference / largest);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 5 && strcmp(arguments[1], "compare") == 0)
        return compare(arguments[2], arguments[3], arguments[4]);
    FILE *file = count == 2 ? fopen(arguments[1], "r") : NULL;
    if (file == NULL)
        bench_fail("usage: bench_runner JOB, or bench_runner compare f32|f64 A B");
    static Job job;
    char line[8192];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        read_line(&job, line);
    }
    fclose(file);
    Work work = {run, &job, job.results, job.result_count};
    serve(&work);
    tdsl_threads_stop(job.threads);
    return 0;
}
