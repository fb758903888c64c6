// The same bits whatever the threads: every function of the models in the files given runs alone,
// on pools of several sizes, backwards, and called from several threads at once.
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "library/tdsl.h"
#include "runtime/threads.h"
#include "tests/unit/expect.h"

enum { CALLERS = 4 };

// How chunks run is changed between calls: the function is compiled once.
typedef struct Switch {
    const tdsl_parallel *now; // NULL: backwards
    int64_t regions;
} Switch;

static void run_switched(void *context, void (*body)(void *data, int64_t index), void *data,
                         int64_t count) {
    Switch *chosen = context;
    if (chosen->now != NULL) {
        chosen->now->run(chosen->now->context, body, data, count);
        return;
    }
    chosen->regions++;
    for (int64_t i = count - 1; i >= 0; i--)
        body(data, i);
}

// Memory of a function's arguments or results.
typedef struct Memory {
    void **at;
    const TdslSlot *slots;
    int count;
} Memory;

static size_t slot_size(const TdslSlot *slot) {
    return (size_t)slot->count * tdsl_element_bytes(slot->element);
}

static void fill_slot(const TdslSlot *slot, void *at, uint64_t *random) {
    for (int64_t i = 0; i < slot->count; i++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        double unit = (double)(*random >> 40) / (1 << 24);
        switch (slot->element) {
        case TDSL_BOOL: ((uint8_t *)at)[i] = unit < 0.5; break;
        case TDSL_I32: ((int32_t *)at)[i] = unit < 0.5; break;
        case TDSL_I64: ((int64_t *)at)[i] = unit < 0.5; break;
        case TDSL_F32: ((float *)at)[i] = (float)(0.1 + unit); break;
        case TDSL_F64: ((double *)at)[i] = 0.1 + unit; break;
        }
    }
}

static Memory make_memory(const TdslSlot *slots, int count) {
    Memory memory = {calloc((size_t)count + 1, sizeof(void *)), slots, count};
    for (int i = 0; i < count; i++)
        memory.at[i] = calloc(1, slot_size(&slots[i]) + 1);
    return memory;
}

static void free_memory(Memory *memory) {
    for (int i = 0; i < memory->count; i++)
        free(memory->at[i]);
    free(memory->at);
}

static Memory make_arguments(const TdslFunction *function) {
    int count;
    const TdslSlot *slots = tdsl_arguments(function, &count);
    Memory memory = make_memory(slots, count);
    uint64_t random = 12;
    for (int i = 0; i < count; i++)
        fill_slot(&slots[i], memory.at[i], &random);
    return memory;
}

static Memory make_results(const TdslFunction *function) {
    int count;
    const TdslSlot *slots = tdsl_results(function, &count);
    return make_memory(slots, count);
}

static bool same_results(const Memory *x, const Memory *y) {
    for (int i = 0; i < x->count; i++)
        if (memcmp(x->at[i], y->at[i], slot_size(&x->slots[i])) != 0)
            return false;
    return true;
}

typedef struct Caller {
    TdslFunction *function;
    const Memory *arguments, *expected;
    TdslStatus status; // expected
    bool good;
} Caller;

static bool gives_same(const Caller *caller) {
    Memory results = make_results(caller->function);
    TdslStatus status = tdsl_call(caller->function, caller->arguments->at, results.at, NULL);
    bool good =
        status == caller->status && (status != TDSL_OK || same_results(&results, caller->expected));
    free_memory(&results);
    return good;
}

static void *call_twice(void *context) {
    Caller *caller = context;
    caller->good = gives_same(caller) && gives_same(caller);
    return NULL;
}

static bool give_same_at_once(const Caller *caller) {
    pthread_t threads[CALLERS];
    Caller callers[CALLERS];
    bool good = true;
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = *caller;
        good &= pthread_create(&threads[i], NULL, call_twice, &callers[i]) == 0;
    }
    for (int i = 0; i < CALLERS; i++)
        good &= pthread_join(threads[i], NULL) == 0 && callers[i].good;
    return good;
}

static void test_function(TdslFunction *function, Switch *chosen, const char *what) {
    static const int counts[] = {1, 2, 3, 8};
    Memory arguments = make_arguments(function), expected = make_results(function);
    chosen->now = NULL;
    Caller caller = {function, &arguments, &expected, TDSL_OK, false};
    caller.status = tdsl_call(function, arguments.at, expected.at, NULL);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        tdsl_threads *pool = tdsl_threads_start(counts[i]);
        chosen->now = tdsl_threads_parallel(pool);
        bool good = gives_same(&caller);
        if (counts[i] == 3)
            good = good && give_same_at_once(&caller);
        if (!EXPECT(good))
            fprintf(stderr, "  %s, %d threads\n", what, counts[i]);
        tdsl_threads_stop(pool);
    }
    free_memory(&arguments);
    free_memory(&expected);
}

static const char *first_output(TdslSession *session) {
    int count;
    TdslFunction *forward = tdsl_compile(session, TDSL_FORWARD, NULL);
    const TdslSlot *slots = forward ? tdsl_results(forward, &count) : NULL;
    return slots ? slots[0].name : NULL;
}

// What the kinds of functions need at the least, or may.
static TdslFunction *compile_kind(TdslSession *session, TdslFunctionKind kind) {
    if (kind != TDSL_GRADIENT)
        return tdsl_compile(session, kind, NULL);
    const char *output = first_output(session);
    bool seeded = true;
    TdslGradientRequest request = {.outputs = &output, .seeded = &seeded, .output_count = 1};
    return output ? tdsl_compile(session, TDSL_GRADIENT, &request) : NULL;
}

static int64_t test_kind(const char *path, TdslEngine engine, TdslFunctionKind kind) {
    static const char *const kinds[] = {"forward", "gradient", "initialize"};
    Switch chosen = {NULL, 0};
    tdsl_parallel parallel = {run_switched, &chosen};
    TdslOptions options = tdsl_default_options();
    options.engine = engine;
    options.parallel = &parallel;
    TdslSession *session = tdsl_open(&options);
    if (EXPECT(tdsl_load_file(session, path) == TDSL_OK)) {
        TdslFunction *function = compile_kind(session, kind);
        if (function != NULL)
            test_function(function, &chosen, kinds[kind]);
        else
            EXPECT(kind == TDSL_GRADIENT || strstr(tdsl_messages(session), "several models"));
    }
    tdsl_close(session);
    return chosen.regions;
}

// bits jit|c FILE...: with a single file it must have parallel loops.
int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: bits jit|c FILE...\n");
        return 2;
    }
    TdslEngine engine = strcmp(arguments[1], "c") == 0 ? TDSL_ENGINE_C : TDSL_ENGINE_JIT;
    int64_t regions = 0;
    for (int i = 2; i < count; i++)
        for (int kind = TDSL_FORWARD; kind <= TDSL_INITIALIZE; kind++) {
            int failed = expect_failed;
            regions += test_kind(arguments[i], engine, (TdslFunctionKind)kind);
            if (expect_failed > failed)
                fprintf(stderr, "  %s\n", arguments[i]);
        }
    fprintf(stderr, "%lld parallel loops ran\n", (long long)regions);
    EXPECT(count > 3 || regions > 0);
    return expect_result();
}
