// Runs the oracle's cases on one engine: values, gradients, null gradients, refusals.
//
//   run --engine jit|c|eval --claimed FILE --differences FILE ORACLE_FILE ...   [--only OP]
//   [--verbose]
//
// Every case is type-checked alone; those that PyTorch refuses must be refused. The others are
// computed in batches, many cases in one model. Prints operators claimed, cases run, skipped by
// rule, listed differences; fails on an unlisted mismatch, and on a listed difference that agrees.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case.h"
#include "ir/base/text.h"
#include "library/read_file.h"

enum { BATCH = 32 };

typedef struct Names {
    VEC(const char *) list;
} Names;

typedef struct Run {
    Arena arena;
    TdslOptions options;
    Names claimed, differences;
    const char *only;
    const char *library; // definitions in front of every program; ""
    bool verbose;
    int cases, skipped_operator, skipped_type, refused, compared, failed, listed, agreeing;
    int64_t skipped_elements;
} Run;

// A case of a batch and where its names begin.
typedef struct Item {
    const Case *test;
    const char *prefix, *statements;
    const char *mismatch; // NULL: agrees so far
} Item;

static bool contains(const Names *names, const char *name) {
    for (int i = 0; i < names->list.count; i++)
        if (strcmp(names->list.at[i], name) == 0)
            return true;
    return false;
}

// First words of the lines of a file; `#` starts a comment.
static bool read_names(Arena *arena, const char *path, Names *names) {
    FILE *file = fopen(path, "r");
    char line[1024];
    if (file == NULL) {
        perror(path);
        return false;
    }
    while (fgets(line, sizeof line, file)) {
        size_t length = strcspn(line, " \t\r\n#");
        if (length > 0)
            vec_push(arena, &names->list, arena_copy_text(arena, line, length));
    }
    fclose(file);
    return true;
}

// ---- verdicts

// A line `error:TEXT` of the list, with _ for blanks, stands for all cases that PyTorch refuses
// with this text in its message.
static bool is_accepted_error(Run *run, const Case *test) {
    for (int i = 0; test->error && i < run->differences.list.count; i++) {
        const char *name = run->differences.list.at[i];
        if (strncmp(name, "error:", 6) != 0)
            continue;
        char *text = arena_copy_string(&run->arena, name + 6);
        for (char *c = text; *c; c++)
            *c = *c == '_' ? ' ' : *c;
        if (strstr(test->error, text))
            return true;
    }
    return false;
}

static void verdict(Run *run, const Case *test, const char *mismatch) {
    bool listed = contains(&run->differences, test->id);
    if (mismatch && (listed || is_accepted_error(run, test)))
        run->listed++;
    else if (listed) {
        run->agreeing++;
        printf("AGREES %s: it is listed as different; take it off the list\n", test->id);
    } else if (mismatch) {
        run->failed++;
        printf("FAIL %s: %s\n", test->id, mismatch);
    }
}

// ---- checking one case alone

static const char *first_line(Arena *arena, const char *text) {
    return arena_copy_text(arena, text, strcspn(text, "\n"));
}

static bool try_statements(Run *run, const char *statements, const char **message) {
    const char *program = arena_format(&run->arena, "%smodel m {\n%s}\n", run->library, statements);
    TdslSession *session = tdsl_open(&run->options);
    bool good = tdsl_load_text(session, "case", program, strlen(program)) == TDSL_OK &&
                tdsl_check(session) == TDSL_OK;
    if (!good)
        *message = first_line(&run->arena, tdsl_messages(session));
    tdsl_close(session);
    return good;
}

// Finds a form that type-checks. A case that PyTorch refuses may also be refused when it runs, for
// its data; then the statements are kept and *message stays NULL.
static const char *check_case(Run *run, const Case *test, const char *prefix,
                              const char **message) {
    *message = NULL;
    for (int form = 0;; form++) {
        const char *why;
        const char *statements = case_statements(&run->arena, test, prefix, form);
        if (statements == NULL)
            return NULL;
        if (try_statements(run, statements, &why))
            return statements;
        // The first form's complaint is the one to show, unless it only disliked a name.
        if (*message == NULL || strstr(*message, "argument"))
            *message = why;
        // A refusal counts as such unless it is about the name of an argument.
        if (test->error && !strstr(why, "has no argument"))
            return NULL;
    }
}

// ---- computing a batch

static void *tensor_bytes(Run *run, const CaseTensor *tensor, TdslElement element) {
    char *bytes = arena_alloc(&run->arena, (size_t)tensor->count * 8 + 64);
    for (int64_t i = 0; i < tensor->count; i++)
        switch (element) {
        case TDSL_BOOL: ((uint8_t *)bytes)[i] = tensor->integers[i] != 0; break;
        case TDSL_I32: ((int32_t *)bytes)[i] = (int32_t)tensor->integers[i]; break;
        case TDSL_I64: ((int64_t *)bytes)[i] = tensor->integers[i]; break;
        case TDSL_F32: ((float *)bytes)[i] = (float)tensor->reals[i]; break;
        case TDSL_F64: ((double *)bytes)[i] = tensor->reals[i]; break;
        }
    return bytes;
}

static double real_at(const void *bytes, TdslElement element, int64_t i) {
    return element == TDSL_F32 ? ((const float *)bytes)[i] : ((const double *)bytes)[i];
}

static int64_t integer_at(const void *bytes, TdslElement element, int64_t i) {
    switch (element) {
    case TDSL_BOOL: return ((const uint8_t *)bytes)[i];
    case TDSL_I32: return ((const int32_t *)bytes)[i];
    case TDSL_I64: return ((const int64_t *)bytes)[i];
    case TDSL_F32:
    case TDSL_F64: break;
    }
    return 0;
}

static bool close_enough(double got, double want, double relative, double absolute) {
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return got == want;
    return fabs(got - want) <= absolute + relative * fabs(want);
}

static const char *leaf_of(Arena *arena, const char *prefix, const char *name) {
    char *text = arena_format(arena, "%s%s", prefix, name);
    for (char *c = text; *c; c++)
        if (*c == '.')
            *c = '_';
    return text;
}

// The output whose NaNs make a gradient of the same shape arbitrary.
static const CaseTensor *nan_source(const Case *test, const CaseTensor *gradient) {
    if (!test->has_nan_output || test->outputs.count == 0)
        return NULL;
    const CaseTensor *output = &test->outputs.at[0];
    bool same = output->rank == gradient->rank;
    for (int i = 0; same && i < output->rank; i++)
        same = output->shape[i] == gradient->shape[i];
    return same && output->dtype[0] == 'f' ? output : NULL;
}

static const char *compare(Run *run, const Case *test, const char *what, const CaseTensor *want,
                           const TdslSlot *slot, const void *got, const CaseTensor *nans) {
    TdslElement element;
    element_of(want->dtype, &element);
    if (slot->element != element)
        return arena_format(&run->arena, "%s %s is %s, not %s", what, want->name,
                            tdsl_element_name(slot->element), want->dtype);
    bool same = slot->rank == want->rank;
    for (int i = 0; same && i < want->rank; i++)
        same = slot->shape[i] == want->shape[i];
    if (!same)
        return arena_format(&run->arena, "%s %s has another shape", what, want->name);
    // f32 results of f64-computed references: not tighter than single precision.
    double relative = fmax(test->relative, element == TDSL_F32 ? 2e-5 : 0);
    double absolute = fmax(test->absolute, element == TDSL_F32 ? 1e-6 : 0);
    for (int64_t i = 0; i < want->count; i++) {
        if (nans && isnan(nans->reals[i])) {
            run->skipped_elements++;
            continue;
        }
        bool real = element == TDSL_F32 || element == TDSL_F64;
        if (real && !close_enough(real_at(got, element, i), want->reals[i], relative, absolute))
            return arena_format(&run->arena, "%s %s[%lld] is %.15g, not %.15g", what, want->name,
                                (long long)i, real_at(got, element, i), want->reals[i]);
        if (!real && integer_at(got, element, i) != want->integers[i])
            return arena_format(&run->arena, "%s %s[%lld] is %lld, not %lld", what, want->name,
                                (long long)i, (long long)integer_at(got, element, i),
                                (long long)want->integers[i]);
    }
    return NULL;
}

static bool has_gradient(const Case *test) {
    for (int i = 0; i < test->gradients.count; i++)
        if (!test->gradients.at[i].is_none)
            return true;
    return false;
}

typedef struct Batch {
    Run *run;
    Item *items;
    int count;
    TdslSession *session;
    TdslFunction *function;
    const TdslSlot *arguments, *results;
    int argument_count, result_count;
    void **argument_data, **result_data;
} Batch;

static bool batch_open(Batch *batch) {
    Text program = text_new(&batch->run->arena);
    text_add(&program, batch->run->library);
    text_add(&program, "model batch {\n");
    for (int i = 0; i < batch->count; i++)
        text_add(&program, batch->items[i].statements);
    text_add(&program, "}\n");
    batch->session = tdsl_open(&batch->run->options);
    return tdsl_load_text(batch->session, "batch", text_string(&program), program.length) ==
           TDSL_OK;
}

static bool batch_compile(Batch *batch) {
    Arena *arena = &batch->run->arena;
    VEC(const char *) outputs = {0};
    VEC(bool) seeded = {0};
    for (int i = 0; i < batch->count; i++) {
        const Case *test = batch->items[i].test;
        for (int k = 0; k < test->seeds.count && has_gradient(test); k++) {
            vec_push(arena, &outputs,
                     leaf_of(arena, batch->items[i].prefix, test->seeds.at[k].name));
            vec_push(arena, &seeded, true);
        }
    }
    TdslGradientRequest request = {
        .outputs = outputs.at, .seeded = seeded.at, .output_count = outputs.count};
    batch->function = outputs.count > 0 ? tdsl_compile(batch->session, TDSL_GRADIENT, &request)
                                        : tdsl_compile(batch->session, TDSL_FORWARD, NULL);
    if (batch->function == NULL)
        return false;
    batch->arguments = tdsl_arguments(batch->function, &batch->argument_count);
    batch->results = tdsl_results(batch->function, &batch->result_count);
    return true;
}

static void batch_bind(Batch *batch) {
    Arena *arena = &batch->run->arena;
    batch->argument_data = arena_array(arena, void *, batch->argument_count + 1);
    batch->result_data = arena_array(arena, void *, batch->result_count + 1);
    for (int i = 0; i < batch->count; i++) {
        const Case *test = batch->items[i].test;
        for (int k = 0; k < batch->argument_count; k++)
            for (int seed = 0; seed < 2; seed++) {
                const CaseTensor *list = seed ? test->seeds.at : test->inputs.at;
                int count = seed ? test->seeds.count : test->inputs.count;
                bool is_seed = batch->arguments[k].role == TDSL_SEED;
                for (int t = 0; t < count && is_seed == (seed == 1); t++)
                    if (strcmp(batch->arguments[k].name,
                               leaf_of(arena, batch->items[i].prefix, list[t].name)) == 0)
                        batch->argument_data[k] =
                            tensor_bytes(batch->run, &list[t], batch->arguments[k].element);
            }
    }
    for (int k = 0; k < batch->result_count; k++)
        batch->result_data[k] = arena_alloc(arena, (size_t)batch->results[k].count * 8 + 64);
}

// The result slot for an output or gradient of an item; -1: there is none.
static int find_result(const Batch *batch, const Item *item, TdslRole role, const char *name) {
    const char *full = leaf_of(&batch->run->arena, item->prefix, name);
    for (int k = 0; k < batch->result_count; k++)
        if (batch->results[k].role == role && strcmp(batch->results[k].name, full) == 0)
            return k;
    return -1;
}

static const char *compare_item(const Batch *batch, const Item *item) {
    const Case *test = item->test;
    Run *run = batch->run;
    for (int i = 0; i < test->outputs.count; i++) {
        int k = find_result(batch, item, TDSL_OUTPUT, test->outputs.at[i].name);
        const char *why = compare(run, test, "output", &test->outputs.at[i], &batch->results[k],
                                  batch->result_data[k], NULL);
        if (why)
            return why;
    }
    for (int i = 0; i < test->gradients.count; i++) {
        const CaseTensor *want = &test->gradients.at[i];
        int k = find_result(batch, item, TDSL_GRADIENT_OF, want->name);
        if (want->is_none != (k < 0))
            return arena_format(&run->arena, "the gradient of %s is %snull", want->name,
                                want->is_none ? "not " : "");
        const char *why = k < 0 ? NULL
                                : compare(run, test, "gradient", want, &batch->results[k],
                                          batch->result_data[k], nan_source(test, want));
        if (why)
            return why;
    }
    return NULL;
}

// Runs a batch; one that cannot be run as a whole is halved, so that one case spoils no other.
static void run_batch(Run *run, Item *items, int count) {
    Batch batch = {.run = run, .items = items, .count = count};
    const char *failure = NULL;
    bool good = batch_open(&batch) && batch_compile(&batch);
    if (good) {
        batch_bind(&batch);
        good =
            tdsl_call(batch.function, batch.argument_data, batch.result_data, &failure) == TDSL_OK;
    }
    if (!good && count > 1) {
        tdsl_close(batch.session);
        run_batch(run, items, count / 2);
        run_batch(run, items + count / 2, count - count / 2);
        return;
    }
    for (int i = 0; i < count; i++) {
        const char *mismatch = NULL;
        if (items[i].test->error)
            mismatch = good ? "PyTorch refuses it, tdsl computes" : NULL;
        else if (!good)
            mismatch = failure ? failure : first_line(&run->arena, tdsl_messages(batch.session));
        else
            mismatch = compare_item(&batch, &items[i]);
        run->compared++;
        verdict(run, items[i].test, mismatch ? arena_copy_string(&run->arena, mismatch) : NULL);
    }
    tdsl_close(batch.session);
}

// ---- all cases

static void run_all(Run *run, const CaseList *cases) {
    Item items[BATCH];
    int count = 0;
    for (int i = 0; i < cases->count; i++) {
        const Case *test = cases->at[i];
        if (run->only && strcmp(run->only, test->op) != 0)
            continue;
        if (!is_program(test) && !contains(&run->claimed, test->op)) {
            run->skipped_operator++;
            continue;
        }
        if (!test->supported) {
            run->skipped_type++;
            continue;
        }
        run->cases++;
        const char *message, *prefix = arena_format(&run->arena, "c%d_", i);
        const char *statements = check_case(run, test, prefix, &message);
        if (run->verbose)
            printf("%s\n%s", test->id, statements ? statements : "");
        if (statements == NULL) {
            run->refused += test->error != NULL;
            verdict(run, test, test->error ? NULL : message);
            continue;
        }
        Item item = {test, prefix, statements, NULL};
        if (test->error) { // may still be refused for its data
            run_batch(run, &item, 1);
            continue;
        }
        items[count++] = item;
        if (count == BATCH) {
            run_batch(run, items, count);
            count = 0;
        }
    }
    if (count > 0)
        run_batch(run, items, count);
}

static bool set_engine(Run *run, const char *name) {
    static const char *const names[] = {"jit", "c", "eval"};
    for (int i = 0; i < 3; i++)
        if (strcmp(names[i], name) == 0) {
            run->options.engine = (TdslEngine)i;
            return true;
        }
    return false;
}

int main(int count, char **arguments) {
    Run run = {.options = tdsl_default_options(), .library = ""};
    size_t length;
    run.options.level = 1;
    CaseList cases = {0};
    bool good = true, any = false;
    for (int i = 1; i < count && good; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(arguments[i], "--engine") == 0)
            good = set_engine(&run, value), i++;
        else if (strcmp(arguments[i], "--claimed") == 0)
            good = read_names(&run.arena, value, &run.claimed), i++;
        else if (strcmp(arguments[i], "--differences") == 0)
            good = read_names(&run.arena, value, &run.differences), i++;
        else if (strcmp(arguments[i], "--library") == 0)
            good = (run.library = read_file(&run.arena, value, &length)) != NULL, i++;
        else if (strcmp(arguments[i], "--only") == 0)
            run.only = value, i++;
        else if (strcmp(arguments[i], "--verbose") == 0)
            run.verbose = true;
        else
            good = any = read_cases(&run.arena, arguments[i], &cases);
    }
    if (!good || !any) {
        printf("usage: run --engine E --claimed FILE --differences FILE ORACLE_FILE ...\n");
        return 2;
    }
    run_all(&run, &cases);
    printf(
        "operators claimed %d, cases run %d (computed %d, refused %d), skipped: operators not "
        "claimed %d, element types %d, elements whose output is NaN %lld; listed differences %d; "
        "failed %d\n",
        run.claimed.list.count, run.cases, run.compared, run.refused, run.skipped_operator,
        run.skipped_type, (long long)run.skipped_elements, run.listed, run.failed);
    bool bad = run.failed > 0 || run.agreeing > 0 || run.cases == 0;
    arena_free(&run.arena);
    return bad;
}
