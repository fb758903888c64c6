#include "tests/codegen/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/lower.h"
#include "ir/evaluate.h"
#include "tests/codegen/interpret.h"

typedef struct Setting {
    const char *name;
    LowerOptions options;
} Setting;

static const Setting settings[] = {
    {"O0", {.level = 0, .vector_bytes = 32, .vector_registers = 16}},
    {"O1 sse", {.level = 1, .vector_bytes = 16, .vector_registers = 16}},
    {"O2 avx2", {.level = 2, .vector_bytes = 32, .vector_registers = 16}},
    {"O3 avx512", {.level = 3, .vector_bytes = 64, .vector_registers = 32}},
    {"O3 c", {.level = 3, .vector_bytes = 64, .vector_registers = 16, .unmasked = true}},
    // whatever can be cut in chunks and blocks is
    {"O2 chunks",
     {.level = 2,
      .vector_bytes = 32,
      .vector_registers = 16,
      .parallel_work = 1,
      .cache_bytes = 1 << 12}},
    {"O3 blocks", {.level = 3, .vector_bytes = 64, .vector_registers = 32, .cache_bytes = 1 << 12}},
    {"O0 stored",
     {.level = 0, .vector_bytes = 32, .vector_registers = 16, .store_gradients = true}},
    {"O2 stored",
     {.level = 2,
      .vector_bytes = 32,
      .vector_registers = 16,
      .parallel_work = 1,
      .store_gradients = true}},
};

typedef struct Test {
    const char *file;
    const Function *function;
    const Setting *setting;
    uint64_t random;
    Arena *arena;
    Comparison *comparison;
    TensorData *arguments, *results;
    bool fails; // the evaluator
    const char *failure;
} Test;

static void complain(const Test *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(const Test *t, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: %s (%s): %s\n", t->file, t->function->name, t->setting->name,
            arena_format_list(t->arena, format, arguments));
    va_end(arguments);
    t->comparison->failed++;
}

static uint64_t next_random(Test *t) {
    t->random = t->random * 6364136223846793005u + 1442695040888963407u;
    return t->random >> 33;
}

static bool starts_with(const char *text, const char *start) {
    return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

static double random_real(Test *t, const char *name) {
    static const double specials[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1.0, -1.0, 0.5, 3.0};
    if (starts_with(name, "special")) {
        return specials[next_random(t) % 9];
    }
    if (starts_with(name, "rare") && next_random(t) % 200 == 0) {
        return specials[next_random(t) % 5];
    }
    double unit = (double)(next_random(t) % 100001) / 100000;
    return starts_with(name, "positive") ? 0.1 + 2 * unit : 4 * unit - 2;
}

static int64_t random_integer(Test *t, const char *name) {
    if (starts_with(name, "index")) {
        return (int64_t)(next_random(t) % 3);
    }
    if (starts_with(name, "special")) {
        static const int64_t specials[] = {0,         1,         -1,        2, INT64_MIN,
                                           INT64_MAX, INT32_MIN, INT32_MAX, 33};
        return specials[next_random(t) % 9];
    }
    return (int64_t)(next_random(t) % 9) - 3;
}

static TensorData random_tensor(Test *t, Type type, const char *name) {
    TensorData tensor = tensor_new(t->arena, type);
    for (int64_t i = 0; i < type_elements(type); i++) {
        if (element_is_real(type.element)) {
            tensor_set(&tensor, i, random_real(t, name));
        } else if (type.element == TYPE_BOOL) {
            tensor_set_integer(&tensor, i, (int64_t)(next_random(t) % 2));
        } else {
            tensor_set_integer(&tensor, i, random_integer(t, name));
        }
    }
    return tensor;
}

static bool is_close(double x, double y, bool single) {
    if (isnan(x) || isnan(y)) {
        return isnan(x) && isnan(y);
    }
    if (isinf(x) || isinf(y)) {
        return x == y;
    }
    double tolerance = single ? 2e-5 : 1e-12;
    return fabs(x - y) <= tolerance * (1 + fabs(x) + fabs(y));
}

static bool same_element(const TensorData *x, const TensorData *y, int64_t i) {
    ElementType element = x->type.element;
    return element_is_real(element)
               ? is_close(tensor_get(x, i), tensor_get(y, i), element == TYPE_F32)
               : tensor_get_integer(x, i) == tensor_get_integer(y, i);
}

// One run with some results left out: bit i of `absent` for result i, if it is
// optional.
static void run_once(Test *t, const Program *program, const Entry *entry, uint64_t absent,
                     bool backwards) {
    const Function *function = t->function;
    Interpretation run = {.arena = t->arena, .backwards = backwards};
    for (int g = 0; g < GROUP_COUNT; g++) {
        run.fields[g] = arena_array(t->arena, void *, entry->groups[g].fields.count + 1);
    }
    for (int i = 0; i < function->body->parameters.count; i++) {
        const char *name = function->parameters[i].name;
        for (int g = 0; g < GROUP_COUNT; g++) {
            for (int j = 0; j < entry->groups[g].fields.count; j++) {
                const Field *field = &entry->groups[g].fields.at[j];
                if (field->buffer != NULL && strcmp(field->name, name) == 0 && g != GROUP_OUTPUTS &&
                    g != GROUP_GRADIENTS) {
                    TensorData copy = tensor_new(t->arena, field->type);
                    memcpy(copy.bytes, t->arguments[i].bytes, type_bytes(field->type));
                    run.fields[g][j] = copy.bytes;
                }
            }
        }
    }
    int count = function->body->yields.count;
    TensorData *given = arena_array(t->arena, TensorData, count);
    TensorData *before = arena_array(t->arena, TensorData, count);
    bool *left_out = arena_array(t->arena, bool, count);
    for (int i = 0; i < count; i++) {
        const Slot *slot = &function->results[i];
        for (int g = 0; g < GROUP_COUNT; g++) {
            for (int j = 0; j < entry->groups[g].fields.count; j++) {
                const Field *field = &entry->groups[g].fields.at[j];
                bool written = field->buffer != NULL && !field->buffer->read_only &&
                               (slot->role == ROLE_GRADIENT) == (g == GROUP_GRADIENTS);
                if (!written || strcmp(field->name, slot->name) != 0) {
                    continue;
                }
                Type type = function->body->yields.at[i]->type;
                given[i] = random_tensor(t, type, "");
                if (run.fields[g][j] != NULL) {
                    given[i].bytes = run.fields[g][j]; // a param that is replaced
                }
                before[i] = tensor_new(t->arena, type);
                memcpy(before[i].bytes, given[i].bytes, type_bytes(type));
                left_out[i] = field->buffer->optional && (absent >> i & 1);
                run.fields[g][j] = left_out[i] ? NULL : given[i].bytes;
            }
        }
    }
    int status = interpret(program, entry, &run);
    if (status < 0) {
        complain(t, "%s (absent %llx)", run.error, (unsigned long long)absent);
        return;
    }
    if (t->fails) {
        if (status == 0 && absent == 0) {
            complain(t, "does not fail: %s", t->failure);
        }
        return;
    }
    if (status != 0) {
        complain(t, "fails: %s", program->sites.at[status - STATUS_FIRST_SITE].message);
        return;
    }
    for (int i = 0; i < count; i++) {
        Type type = function->body->yields.at[i]->type;
        TensorData expected = t->results[i];
        if (given[i].bytes == NULL) {
            complain(t, "result %d has no field", i);
            continue;
        }
        for (int64_t k = 0; k < type_elements(type) && !left_out[i]; k++) {
            if (function->results[i].role == ROLE_GRADIENT &&
                !t->setting->options.store_gradients) {
                TensorData sum = tensor_new(t->arena, type);
                tensor_set(&sum, k, tensor_get(&before[i], k) + tensor_get(&expected, k));
                expected = sum;
            }
            t->comparison->compared++;
            if (!same_element(&given[i], &expected, k)) {
                complain(t, "result %d, element %lld: %.9g, not %.9g (absent %llx, %s)", i,
                         (long long)k, tensor_get(&given[i], k), tensor_get(&expected, k),
                         (unsigned long long)absent, backwards ? "backwards" : "forwards");
                break;
            }
            expected = t->results[i];
        }
    }
}

static void test_setting(Test *t, bool print) {
    Program *program = program_new(t->arena, "test", NULL);
    Entry *entry = lower_function(program, t->function, "entry", &t->setting->options);
    if (print) {
        Text text = text_new(t->arena);
        print_loops(&text, program);
        puts(text_string(&text));
    }
    const char *problem = verify_loops(t->arena, program);
    if (problem != NULL) {
        complain(t, "%s", problem);
        return;
    }
    int count = t->function->body->yields.count;
    run_once(t, program, entry, 0, false);
    run_once(t, program, entry, 0, true);
    run_once(t, program, entry, ~(uint64_t)0, false);
    for (int i = 0; i < count && i < 8 && count > 1; i++) {
        run_once(t, program, entry, (uint64_t)1 << i, false);
        run_once(t, program, entry, ~((uint64_t)1 << i), true);
    }
}

void compare_function(Comparison *comparison, const char *file, const Function *function, int seeds,
                      const char *printed) {
    for (int seed = 0; seed < seeds; seed++) {
        for (size_t s = 0; s < sizeof settings / sizeof *settings; s++) {
            Arena arena = {0};
            Test t = {.file = file,
                      .function = function,
                      .comparison = comparison,
                      .setting = &settings[s],
                      .random = (uint64_t)(seed * 77 + 5),
                      .arena = &arena};
            int parameters = function->body->parameters.count,
                results = function->body->yields.count;
            t.arguments = arena_array(&arena, TensorData, parameters);
            t.results = arena_array(&arena, TensorData, results);
            for (int i = 0; i < parameters; i++) {
                t.arguments[i] = random_tensor(&t, function->body->parameters.at[i]->type,
                                               function->parameters[i].name);
            }
            EvaluateFailure failure;
            t.fails = !evaluate(&arena, function, t.arguments, t.results, &failure);
            t.failure = t.fails ? failure.message : NULL;
            bool print = printed != NULL && seed == 0 && strcmp(printed, settings[s].name) == 0;
            test_setting(&t, print);
            arena_free(&arena);
        }
    }
}
