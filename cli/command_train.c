// train: minibatch descent on the model's first output.
//
// Arrays of --data are bound to inputs by name; their first axis counts samples. Every epoch
// shuffles the samples (by the key of --seed) and makes one step a batch; a last batch that is not
// full is left out of that epoch. Arrays named INPUT_test are the test samples, evaluated as one
// batch. Without
// --data every epoch is one step.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/result.h"
#include "runtime/optimizer.h"

// An input whose values come from the data file.
typedef struct Column {
    const char *name;
    Tensor data; // [samples, ...]
    Tensor test; // data NULL: none
    size_t row_bytes;
} Column;

typedef struct Training {
    const Options *options;
    TdslSession *session;
    TensorFile file;
    Column *columns;
    int column_count;
    int64_t samples, test_samples, batch, steps; // steps an epoch
    Bindings bindings;
    Call call;
    Tensor *velocities; // for each result slot that is a gradient
    int64_t *order;
    uint64_t random;
    double *means; // of the scalar outputs over an epoch, by result slot
} Training;

// Marsaglia's xorshift64* (2003): only the order of samples depends on it.
static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL;
}

static void shuffle(Training *training) {
    for (int64_t i = training->samples - 1; i > 0; i--) {
        int64_t other = (int64_t)(next_random(&training->random) % (uint64_t)(i + 1));
        int64_t swap = training->order[i];
        training->order[i] = training->order[other];
        training->order[other] = swap;
    }
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    if (memory == NULL)
        abort();
    return memory;
}

// ---- data

static TdslStatus convert(TdslSession *session, const FileTensor *source, TdslElement element,
                          Tensor *tensor) {
    Tensor raw;
    tensor_from_file(source, &raw);
    const char *why = tensor_convert(&raw, element, tensor);
    tensor_free(&raw);
    if (why)
        tdsl_report(session, "the data's '%s': %s", source->name, why);
    return why ? TDSL_BAD_PROGRAM : TDSL_OK;
}

static TdslStatus count_samples(Training *training, const char *name, const Tensor *tensor,
                                int64_t *samples) {
    if (tensor->rank == 0 || (*samples >= 0 && tensor->shape[0] != *samples)) {
        tdsl_report(training->session,
                    tensor->rank == 0 ? "the data's '%s' is a single number; its first axis must "
                                        "count samples"
                                      : "the data's '%s' has another number of samples than the "
                                        "arrays before it",
                    name);
        return TDSL_BAD_PROGRAM;
    }
    *samples = tensor->shape[0];
    return TDSL_OK;
}

static TdslStatus add_column(Training *training, const TdslLeaf *leaf) {
    char name[512];
    const FileTensor *data = tensor_file_find(&training->file, leaf->name);
    if (data == NULL || leaf->is_param)
        return TDSL_OK;
    Column *column = &training->columns[training->column_count++];
    column->name = leaf->name;
    TdslStatus status = convert(training->session, data, leaf->element, &column->data);
    if (status == TDSL_OK)
        status = count_samples(training, leaf->name, &column->data, &training->samples);
    snprintf(name, sizeof name, "%s_test", leaf->name);
    const FileTensor *test = tensor_file_find(&training->file, name);
    if (status == TDSL_OK && test)
        status = convert(training->session, test, leaf->element, &column->test);
    if (status == TDSL_OK && test)
        status = count_samples(training, name, &column->test, &training->test_samples);
    if (status)
        return status;
    column->row_bytes = tdsl_element_bytes(leaf->element);
    for (int axis = 1; axis < column->data.rank; axis++)
        column->row_bytes *= (size_t)column->data.shape[axis];
    return TDSL_OK;
}

static TdslStatus read_data(Training *training) {
    const Options *options = training->options;
    TensorError error;
    const TdslLeaf *leaves;
    int count;
    training->samples = training->test_samples = -1;
    TdslStatus status = tdsl_leaves(training->session, &leaves, &count);
    if (status || options->data == NULL)
        return status;
    if (!tensor_file_read(options->data, &training->file, &error)) {
        tdsl_report(training->session, "%s", error.text);
        return TDSL_BAD_FILE;
    }
    training->columns = allocate((size_t)count, sizeof *training->columns);
    for (int i = 0; i < count && status == TDSL_OK; i++)
        status = add_column(training, &leaves[i]);
    if (status == TDSL_OK && training->column_count == 0) {
        tdsl_report(training->session,
                    "%s: no array has the name of an input of the model '%s'\n  hint: name the "
                    "inputs as the arrays are named",
                    options->data, tdsl_model_name(training->session));
        status = TDSL_BAD_PROGRAM;
    }
    if (status == TDSL_OK && training->samples == 0) {
        tdsl_report(training->session, "%s: there are no samples", options->data);
        status = TDSL_BAD_PROGRAM;
    }
    return status;
}

// Binds the inputs' leading dimension: to --batch, else to what the model says, else to all
// samples.
static TdslStatus bind_batch(Training *training, TdslSession *session, int64_t batch) {
    for (int i = 0; i < training->column_count; i++) {
        Tensor shape = training->columns[i].data;
        const TdslLeaf *leaves;
        int count;
        TdslStatus status = tdsl_leaves(session, &leaves, &count);
        if (status)
            return status;
        for (int k = 0; k < count && batch == 0; k++)
            if (strcmp(leaves[k].name, training->columns[i].name) == 0 && leaves[k].rank > 0)
                batch = leaves[k].shape[0] >= 0 ? leaves[k].shape[0] : training->samples;
        shape.shape[0] = batch;
        status = tdsl_bind_shape(session, training->columns[i].name, shape.rank, shape.shape);
        if (status)
            return status;
    }
    training->batch = batch;
    return TDSL_OK;
}

static TdslStatus check_batch(Training *training) {
    if (training->column_count == 0) {
        training->steps = 1;
        return TDSL_OK;
    }
    if (training->batch < 1 || training->batch > training->samples) {
        tdsl_report(training->session, "a batch of %lld does not fit the %lld samples",
                    (long long)training->batch, (long long)training->samples);
        return TDSL_BAD_PROGRAM;
    }
    training->steps = training->samples / training->batch;
    return TDSL_OK;
}

// ---- steps

static void fill_batch(Training *training, int64_t step) {
    for (int i = 0; i < training->column_count; i++) {
        const Column *column = &training->columns[i];
        char *target = bindings_find(&training->bindings, column->name)->value.data;
        const char *source = column->data.data;
        for (int64_t row = 0; row < training->batch; row++)
            memcpy(target + (size_t)row * column->row_bytes,
                   source +
                       (size_t)training->order[step * training->batch + row] * column->row_bytes,
                   column->row_bytes);
    }
}

static void update_params(Training *training) {
    const Options *options = training->options;
    Sgd sgd = {options->learning_rate, options->momentum, options->weight_decay};
    for (int i = 0; i < training->call.slot_count; i++) {
        const TdslSlot *slot = &training->call.slots[i];
        if (slot->role != TDSL_GRADIENT_OF)
            continue;
        void *param = bindings_find(&training->bindings, slot->name)->value.data;
        void *velocity = sgd.momentum != 0 ? training->velocities[i].data : NULL;
        if (slot->element == TDSL_F32)
            sgd_step_f32(&sgd, (size_t)slot->count, param, training->call.result_data[i], velocity);
        else
            sgd_step_f64(&sgd, (size_t)slot->count, param, training->call.result_data[i], velocity);
    }
}

static void show_progress(const Training *training, int64_t epoch, int64_t step) {
    if (step % 16 == 0 && isatty(STDERR_FILENO))
        fprintf(stderr, "\repoch %lld/%lld  step %lld/%lld ", (long long)epoch,
                (long long)training->options->epochs, (long long)step, (long long)training->steps);
}

static TdslStatus run_epoch(Training *training, int64_t epoch) {
    Call *call = &training->call;
    memset(training->means, 0, (size_t)call->slot_count * sizeof *training->means);
    shuffle(training);
    for (int64_t step = 0; step < training->steps; step++) {
        show_progress(training, epoch, step);
        fill_batch(training, step);
        TdslStatus status = call_run(call);
        if (status)
            return status;
        update_params(training);
        for (int i = 0; i < call->slot_count; i++)
            if (call->slots[i].role == TDSL_OUTPUT && call->slots[i].count == 1)
                training->means[i] += tensor_real(&call->results[i], 0) / (double)training->steps;
    }
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    return TDSL_OK;
}

// Prints the outputs of one element: `loss 0.1234  accuracy 0.9500`, or as JSON members.
static void print_outputs(const Call *call, const double *values, bool json) {
    int printed = 0;
    for (int i = 0; i < call->slot_count; i++) {
        if (call->slots[i].role != TDSL_OUTPUT || call->slots[i].count != 1)
            continue;
        if (json) {
            fputs(printed++ ? ", " : "", stdout);
            print_json_string(stdout, call->slots[i].name);
            fputs(": ", stdout);
            print_json_number(stdout, values[i], false);
        } else
            printf("  %s %.6g", call->slots[i].name, values[i]);
    }
}

// ---- evaluation

// The test samples as one batch, in a session of their own: the batch size is another.
static TdslStatus evaluate_test(Training *training) {
    const Options *options = training->options;
    TdslSession *session;
    Bindings bindings = {0};
    Call call = {0};
    int64_t batch = training->batch;
    TdslStatus status = session_start(options, &options->compiler, &session);
    if (status == TDSL_OK)
        status = bind_batch(training, session, training->test_samples);
    training->batch = batch;
    TdslFunction *forward = status ? NULL : tdsl_compile(session, TDSL_FORWARD, NULL);
    for (int i = 0; i < training->bindings.count && forward; i++) {
        const Binding *binding = &training->bindings.at[i];
        Tensor copy;
        if (tensor_convert(&binding->value, binding->value.element, &copy) == NULL)
            bindings_add(&bindings, binding->name, binding->from, copy);
    }
    for (int i = 0; i < training->column_count && forward; i++) {
        Binding *binding = (Binding *)bindings_find(&bindings, training->columns[i].name);
        tensor_free(&binding->value);
        tensor_convert(&training->columns[i].test, training->columns[i].test.element,
                       &binding->value);
    }
    if (status == TDSL_OK)
        status =
            forward ? call_prepare(session, forward, &bindings, NULL, &call) : TDSL_BAD_PROGRAM;
    if (status == TDSL_OK)
        status = call_run(&call);
    if (status == TDSL_OK) {
        double *values = allocate((size_t)call.slot_count, sizeof *values);
        for (int i = 0; i < call.slot_count; i++)
            values[i] = call.slots[i].count == 1 ? tensor_real(&call.results[i], 0) : 0;
        fputs(options->json ? "], \"test\": {" : "test:", stdout);
        print_outputs(&call, values, options->json);
        fputs(options->json ? "}" : "\n", stdout);
        free(values);
    }
    call_free(&call);
    bindings_free(&bindings);
    return (TdslStatus)session_end(session, status);
}

static bool has_test(const Training *training) {
    for (int i = 0; i < training->column_count; i++)
        if (training->columns[i].test.data == NULL)
            return false;
    return training->column_count > 0;
}

// The test samples are one batch: a leading dimension that -D fixes cannot have their number. Said
// before anything is trained.
static TdslStatus check_test(Training *training) {
    const Options *options = training->options;
    if (!has_test(training))
        return TDSL_OK;
    TdslSession *session;
    int64_t batch = training->batch;
    TdslStatus status = session_start(options, &options->compiler, &session);
    if (status == TDSL_OK)
        status = bind_batch(training, session, training->test_samples);
    training->batch = batch;
    tdsl_close(session);
    if (status)
        tdsl_report(training->session,
                    "the %lld test samples cannot be one batch\n  hint: choose the batch with "
                    "--batch N, not with -D, and leave the leading dimension of the inputs named",
                    (long long)training->test_samples);
    return status;
}

// ---- the whole

static TdslStatus prepare(Training *training) {
    const Options *options = training->options;
    TdslSession *session = training->session;
    TdslStatus status = bindings_read(session, options, &training->bindings);
    if (status == TDSL_OK)
        status = read_data(training);
    if (status == TDSL_OK)
        status = bind_batch(training, session, options->batch);
    if (status == TDSL_OK)
        status = check_batch(training);
    if (status == TDSL_OK)
        status = check_test(training);
    const TdslGradientRequest stored = {.stored = true};
    TdslFunction *gradient = status ? NULL : tdsl_compile(session, TDSL_GRADIENT, &stored);
    if (gradient == NULL)
        return status ? status : TDSL_BAD_PROGRAM;
    for (int i = 0; i < training->column_count; i++) {
        Tensor *data = &training->columns[i].data;
        Tensor shape = *data;
        shape.shape[0] = training->batch;
        bindings_add(&training->bindings, training->columns[i].name, options->data,
                     tensor_zeros(data->element, data->rank, shape.shape));
    }
    status = bindings_complete(session, options, &training->bindings);
    if (status == TDSL_OK)
        status = call_prepare(session, gradient, &training->bindings, NULL, &training->call);
    if (status)
        return status;
    Call *call = &training->call;
    training->velocities = allocate((size_t)call->slot_count, sizeof(Tensor));
    for (int i = 0; i < call->slot_count; i++)
        training->velocities[i] =
            tensor_zeros(call->slots[i].element, call->slots[i].rank, call->slots[i].shape);
    training->means = allocate((size_t)call->slot_count, sizeof(double));
    training->order = allocate((size_t)(training->samples + 1), sizeof(int64_t));
    for (int64_t i = 0; i < training->samples; i++)
        training->order[i] = i;
    training->random = (uint64_t)options->key * 2 + 0x9E3779B97F4A7C15ULL;
    return TDSL_OK;
}

static TdslStatus run_epochs(Training *training) {
    const Options *options = training->options;
    TdslStatus status = TDSL_OK;
    if (options->json) {
        fputs("{\"model\": ", stdout);
        print_json_string(stdout, tdsl_model_name(training->session));
        fputs(", \"epochs\": [", stdout);
    }
    for (int64_t epoch = 1; epoch <= options->epochs && status == TDSL_OK; epoch++) {
        status = run_epoch(training, epoch);
        if (status)
            break;
        if (options->json)
            fputs(epoch > 1 ? ", {" : "{", stdout);
        else
            printf("epoch %lld:", (long long)epoch);
        print_outputs(&training->call, training->means, options->json);
        fputs(options->json ? "}" : "\n", stdout);
        fflush(stdout);
    }
    if (status == TDSL_OK && has_test(training))
        status = evaluate_test(training);
    else if (options->json)
        fputs("]", stdout);
    if (options->json)
        fputs("}\n", stdout);
    return status;
}

// Writes the params (not the inputs) by name.
static TdslStatus save_params(Training *training) {
    static const TensorElement elements[] = {TENSOR_BOOL, TENSOR_I32, TENSOR_I64, TENSOR_F32,
                                             TENSOR_F64};
    const TdslLeaf *leaves;
    int count, saved = 0;
    TdslStatus status = tdsl_leaves(training->session, &leaves, &count);
    if (status)
        return status;
    FileTensor *tensors = allocate((size_t)count, sizeof *tensors);
    for (int i = 0; i < count; i++) {
        if (!leaves[i].is_param)
            continue;
        const Tensor *value = &bindings_find(&training->bindings, leaves[i].name)->value;
        FileTensor *tensor = &tensors[saved++];
        *tensor = (FileTensor){.name = (char *)leaves[i].name,
                               .element = elements[value->element],
                               .rank = value->rank,
                               .data = value->data};
        memcpy(tensor->shape, value->shape, sizeof tensor->shape);
    }
    TensorError error;
    bool good = tensor_file_write(training->options->out, tensors, saved, &error);
    if (!good)
        tdsl_report(training->session, "%s", error.text);
    free(tensors);
    return good ? TDSL_OK : TDSL_BAD_FILE;
}

static void training_free(Training *training) {
    for (int i = 0; i < training->column_count; i++) {
        tensor_free(&training->columns[i].data);
        tensor_free(&training->columns[i].test);
    }
    for (int i = 0; i < training->call.slot_count && training->velocities; i++)
        tensor_free(&training->velocities[i]);
    free(training->columns);
    free(training->velocities);
    free(training->means);
    free(training->order);
    tensor_file_free(&training->file);
    call_free(&training->call);
    bindings_free(&training->bindings);
}

int command_train(const Options *options) {
    if (strcmp(options->optimizer, "sgd") != 0) {
        fprintf(stderr, "tdsl: error: unknown optimizer '%s'\n  hint: sgd is there\n",
                options->optimizer);
        return TDSL_BAD_USAGE;
    }
    Training training = {.options = options};
    TdslStatus status = session_start(options, &options->compiler, &training.session);
    if (status == TDSL_OK)
        status = prepare(&training);
    if (status == TDSL_OK)
        status = run_epochs(&training);
    if (status == TDSL_OK && options->out)
        status = save_params(&training);
    training_free(&training);
    return session_end(training.session, status);
}
