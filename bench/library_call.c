// Calls the gradient of a program through libtdsl, as a program does that compiles at run time.
//
//     bench_library_call PROGRAM f32|f64      obeys the commands of server.h
//
// The leaves have their initial values. Only what a user would do in the loop is in the loop: the
// call, which stores the gradients.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/server.h"
#include "library/tdsl.h"

enum { MOST = 64 };

typedef struct Call {
    TdslFunction *function;
    void *arguments[MOST], *results[MOST];
    int result_count;
} Call;

static void run(void *state) {
    Call *call = state;
    const char *failure = "";
    if (tdsl_call(call->function, call->arguments, call->results, &failure) != TDSL_OK)
        bench_fail("%s", failure);
}

static size_t bytes_of(const TdslSlot *slot) {
    return (size_t)slot->count * tdsl_element_bytes(slot->element);
}

// Buffers for the arguments, with the leaves' initial values; a seed is 1.
static void fill_arguments(Call *call, TdslFunction *initialize, bool single) {
    int argument_count, initial_count;
    const TdslSlot *slots = tdsl_arguments(call->function, &argument_count);
    const TdslSlot *initials = tdsl_results(initialize, &initial_count);
    void *values[MOST];
    for (int i = 0; i < initial_count; i++)
        values[i] = bench_allocate(bytes_of(&initials[i]));
    int64_t key = 0;
    void *keys[] = {&key};
    if (tdsl_call(initialize, keys, values, NULL) != TDSL_OK)
        bench_fail("initial values failed");
    for (int i = 0; i < argument_count; i++) {
        call->arguments[i] = bench_allocate(bytes_of(&slots[i]));
        if (slots[i].role == TDSL_SEED && single)
            *(float *)call->arguments[i] = 1;
        else if (slots[i].role == TDSL_SEED)
            *(double *)call->arguments[i] = 1;
        for (int j = 0; j < initial_count; j++)
            if (strcmp(initials[j].name, slots[i].name) == 0 && slots[i].role != TDSL_SEED)
                call->arguments[i] = values[j];
    }
}

int main(int count, char **arguments) {
    if (count != 3)
        bench_fail("usage: bench_library_call PROGRAM f32|f64");
    TdslOptions options = tdsl_default_options();
    bool single = strcmp(arguments[2], "f32") == 0;
    options.real = single ? TDSL_F32 : TDSL_F64;
    TdslSession *session = tdsl_open(&options);
    Call call = {0};
    TdslFunction *initialize = NULL;
    if (tdsl_load_file(session, arguments[1]) == TDSL_OK && tdsl_resolve(session) == TDSL_OK) {
        call.function =
            tdsl_compile(session, TDSL_GRADIENT, &(TdslGradientRequest){.stored = true});
        initialize = tdsl_compile(session, TDSL_INITIALIZE, NULL);
    }
    if (call.function == NULL || initialize == NULL)
        bench_fail("%s", tdsl_messages(session));
    fill_arguments(&call, initialize, single);
    const TdslSlot *results = tdsl_results(call.function, &call.result_count);
    static char names[MOST][256];
    static Result written[MOST];
    for (int i = 0; i < call.result_count; i++) {
        bool gradient = results[i].role == TDSL_GRADIENT_OF;
        call.results[i] = bench_allocate(bytes_of(&results[i]));
        snprintf(names[i], sizeof names[i], "%s%s", gradient ? "grad." : "", results[i].name);
        written[i] = (Result){names[i], call.results[i], bytes_of(&results[i])};
    }
    serve(&(Work){run, &call, written, call.result_count});
    tdsl_close(session);
    return 0;
}
