// Where a model's inputs and params get their values from.
#include "cli/bindings.h"

#include <stdlib.h>
#include <string.h>

int session_end(TdslSession *session, int code) {
    fputs(tdsl_messages(session), stderr);
    if (code == TDSL_BAD_PROGRAM && tdsl_failed_outside(session))
        code = TDSL_BAD_FILE;
    tdsl_close(session);
    return code;
}

static TdslStatus bind_dimensions(TdslSession *session, const Options *options) {
    for (int i = 0; i < options->dimensions.count; i++) {
        const Setting *setting = &options->dimensions.at[i];
        char *end;
        long long value = strtoll(setting->value, &end, 10);
        if (!setting->has_value || *setting->value == 0 || *end || value < 0) {
            tdsl_report(session, "-D %s=%s: a dimension is bound to a whole number, as in -D B=32",
                        setting->name, setting->value);
            return TDSL_BAD_USAGE;
        }
        tdsl_bind(session, setting->name, value);
    }
    return TDSL_OK;
}

TdslStatus session_start(const Options *options, const TdslOptions *compiler,
                         TdslSession **session) {
    *session = tdsl_open(compiler);
    TdslStatus status = tdsl_load_file(*session, options->file);
    return status ? status : bind_dimensions(*session, options);
}

// ---- reading

static void grow(Bindings *bindings) {
    bindings->at = realloc(bindings->at, (size_t)(bindings->count + 1) * sizeof *bindings->at);
    if (bindings->at == NULL)
        abort();
}

const Binding *bindings_find(const Bindings *bindings, const char *name) {
    for (int i = 0; i < bindings->count; i++)
        if (strcmp(bindings->at[i].name, name) == 0)
            return &bindings->at[i];
    return NULL;
}

void bindings_add(Bindings *bindings, const char *name, const char *from, Tensor value) {
    if (bindings_find(bindings, name)) {
        tensor_free(&value);
        return;
    }
    grow(bindings);
    bindings->at[bindings->count++] = (Binding){name, from, value};
}

// Keeps the file open until the bindings are freed. NULL after a report.
static const TensorFile *open_file(TdslSession *session, Bindings *bindings, const char *path) {
    TensorError error;
    bindings->files =
        realloc(bindings->files, (size_t)(bindings->file_count + 1) * sizeof *bindings->files);
    if (bindings->files == NULL)
        abort();
    TensorFile *file = &bindings->files[bindings->file_count];
    if (!tensor_file_read(path, file, &error)) {
        tdsl_report(session, "%s", error.text);
        return NULL;
    }
    bindings->file_count++;
    return file;
}

// @file.npy or @file.npz:key
static TdslStatus read_reference(TdslSession *session, Bindings *bindings, const char *text,
                                 Tensor *value) {
    const char *colon = strrchr(text, ':');
    bool is_single = strlen(text) > 4 && strcmp(text + strlen(text) - 4, ".npy") == 0;
    if (is_single)
        colon = NULL;
    char *path = malloc(strlen(text) + 1);
    if (path == NULL)
        abort();
    strcpy(path, text);
    if (colon)
        path[colon - text] = 0;
    const TensorFile *file = open_file(session, bindings, path);
    free(path);
    if (file == NULL)
        return TDSL_BAD_FILE;
    const FileTensor *found =
        colon ? tensor_file_find(file, colon + 1) : (file->count == 1 ? &file->tensors[0] : NULL);
    if (found == NULL) {
        tdsl_report(session,
                    colon ? "%s: no array has this name"
                          : "%s: name one of the file's arrays, as in @file.npz:x",
                    text);
        return TDSL_BAD_PROGRAM;
    }
    tensor_from_file(found, value);
    return TDSL_OK;
}

static TdslStatus read_setting(TdslSession *session, Bindings *bindings, const Setting *setting,
                               const char *option) {
    Tensor value = {0};
    if (!setting->has_value) {
        tdsl_report(session, "%s %s: a value is missing, as in %s %s=1.5", option, setting->name,
                    option, setting->name);
        return TDSL_BAD_USAGE;
    }
    if (setting->value[0] == '@') {
        TdslStatus status = read_reference(session, bindings, setting->value + 1, &value);
        if (status)
            return status;
    } else {
        const char *why = tensor_parse(setting->value, &value);
        if (why) {
            tdsl_report(session, "%s %s=%.60s: %s", option, setting->name, setting->value, why);
            return TDSL_BAD_PROGRAM;
        }
    }
    // The last of several for one name wins.
    for (int i = 0; i < bindings->count; i++)
        if (strcmp(bindings->at[i].name, setting->name) == 0) {
            tensor_free(&bindings->at[i].value);
            bindings->at[i].value = value;
            return TDSL_OK;
        }
    bindings_add(bindings, setting->name, option, value);
    return TDSL_OK;
}

static const TdslLeaf *find_leaf(const TdslLeaf *leaves, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(leaves[i].name, name) == 0)
            return &leaves[i];
    return NULL;
}

// Lists without numbers do not tell the axes inside: [] can be of shape [0, 2].
static bool lacks_axes(const Tensor *value, int rank) {
    return value->rank > 0 && value->rank < rank && tensor_count(value) == 0;
}

static void report_unknown(TdslSession *session, const TdslLeaf *leaves, int count,
                           const Setting *setting) {
    const char **names = malloc((size_t)(count + 1) * sizeof *names);
    if (names == NULL)
        abort();
    for (int i = 0; i < count; i++)
        names[i] = leaves[i].name;
    const char *closest = tdsl_closest_name(setting->name, names, count);
    tdsl_report(session, "--set %s: the model '%s' has no such input or param%s%s%s", setting->name,
                tdsl_model_name(session), closest ? "\n  hint: did you mean '" : "",
                closest ? closest : "", closest ? "'?" : "");
    free(names);
}

TdslStatus bindings_read(TdslSession *session, const Options *options, Bindings *bindings) {
    *bindings = (Bindings){0};
    const TdslLeaf *leaves;
    int count;
    TdslStatus status = tdsl_leaves(session, &leaves, &count);
    if (status)
        return status;
    for (int i = 0; i < options->set.count; i++) {
        if (find_leaf(leaves, count, options->set.at[i].name) == NULL) {
            report_unknown(session, leaves, count, &options->set.at[i]);
            return TDSL_BAD_PROGRAM;
        }
        status = read_setting(session, bindings, &options->set.at[i], "--set");
        if (status)
            return status;
    }
    for (int i = 0; i < options->in_count; i++) {
        const TensorFile *file = open_file(session, bindings, options->in[i]);
        if (file == NULL)
            return TDSL_BAD_FILE;
        for (int k = 0; k < count; k++) {
            const FileTensor *found = tensor_file_find(file, leaves[k].name);
            if (found == NULL || bindings_find(bindings, leaves[k].name))
                continue;
            Tensor value;
            tensor_from_file(found, &value);
            bindings_add(bindings, leaves[k].name, options->in[i], value);
        }
    }
    for (int i = 0; i < bindings->count; i++) {
        const Tensor *value = &bindings->at[i].value;
        if (lacks_axes(value, find_leaf(leaves, count, bindings->at[i].name)->rank))
            continue;
        status = tdsl_bind_shape(session, bindings->at[i].name, value->rank, value->shape);
        if (status)
            return status;
    }
    return TDSL_OK;
}

// ---- completing

static bool same_shape(const Tensor *tensor, int rank, const int64_t *shape) {
    return tensor->rank == rank &&
           (rank == 0 || memcmp(tensor->shape, shape, (size_t)rank * sizeof *shape) == 0);
}

static const char *shape_text(char *buffer, size_t size, int rank, const int64_t *shape) {
    size_t used = (size_t)snprintf(buffer, size, "[");
    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%lld", i ? "," : "",
                                 (long long)shape[i]);
    if (used < size)
        snprintf(buffer + used, size - used, "]");
    return buffer;
}

bool binding_fit(TdslSession *session, Binding *binding, TdslElement element, int rank,
                 const int64_t *shape) {
    Tensor converted;
    const char *why = NULL;
    char is[256], needed[256];
    Tensor *value = &binding->value;
    if (lacks_axes(value, rank) && same_shape(value, value->rank, shape)) {
        memcpy(value->shape, shape, (size_t)rank * sizeof *shape);
        value->rank = rank;
    }
    if (!same_shape(&binding->value, rank, shape)) {
        tdsl_report(session, "%s: '%s' has shape %s, but %s is needed", binding->from,
                    binding->name,
                    shape_text(is, sizeof is, binding->value.rank, binding->value.shape),
                    shape_text(needed, sizeof needed, rank, shape));
        return false;
    }
    if (binding->value.element != element) {
        why = tensor_convert(&binding->value, element, &converted);
        if (why) {
            tdsl_report(session, "%s: '%s' is %s: %s", binding->from, binding->name,
                        tdsl_element_name(element), why);
            return false;
        }
        tensor_free(&binding->value);
        binding->value = converted;
    }
    return true;
}

// Runs the model's initialisers for the leaves that have no value yet.
static TdslStatus add_initial(TdslSession *session, const Options *options, Bindings *bindings) {
    TdslFunction *initialize = tdsl_compile(session, TDSL_INITIALIZE, NULL);
    if (initialize == NULL)
        return TDSL_BAD_PROGRAM;
    int count;
    const TdslSlot *slots = tdsl_results(initialize, &count);
    void **results = calloc((size_t)count + 1, sizeof *results);
    Tensor *values = calloc((size_t)count + 1, sizeof *values);
    if (results == NULL || values == NULL)
        abort();
    for (int i = 0; i < count; i++) {
        values[i] = tensor_zeros(slots[i].element, slots[i].rank, slots[i].shape);
        results[i] = values[i].data;
    }
    int64_t key = options->key;
    void *arguments[] = {&key};
    const char *failure;
    TdslStatus status = tdsl_call(initialize, arguments, results, &failure);
    if (status)
        tdsl_report(session, "%s", failure);
    for (int i = 0; i < count; i++)
        bindings_add(bindings, slots[i].name, "the initial value", values[i]);
    free(results);
    free(values);
    return status;
}

TdslStatus bindings_complete(TdslSession *session, const Options *options, Bindings *bindings) {
    const TdslLeaf *leaves;
    int count;
    bool good = true, missing_initial = false;
    TdslStatus status = tdsl_resolve(session);
    if (status == TDSL_OK)
        status = tdsl_leaves(session, &leaves, &count);
    if (status)
        return status;
    for (int i = 0; i < count; i++) {
        Binding *binding = (Binding *)bindings_find(bindings, leaves[i].name);
        if (binding)
            good &=
                binding_fit(session, binding, leaves[i].element, leaves[i].rank, leaves[i].shape);
        else if (leaves[i].has_initial)
            missing_initial = true;
        else {
            tdsl_report(
                session,
                "%s '%s' has no value\n  hint: give it one with --set %s=VALUE or --in FILE",
                leaves[i].is_param ? "param" : "input", leaves[i].name, leaves[i].name);
            good = false;
        }
    }
    if (!good)
        return TDSL_BAD_PROGRAM;
    return missing_initial ? add_initial(session, options, bindings) : TDSL_OK;
}

void bindings_free(Bindings *bindings) {
    for (int i = 0; i < bindings->count; i++)
        tensor_free(&bindings->at[i].value);
    for (int i = 0; i < bindings->file_count; i++)
        tensor_file_free(&bindings->files[i]);
    free(bindings->at);
    free(bindings->files);
    *bindings = (Bindings){0};
}

// ---- gradient requests

TdslStatus request_read(TdslSession *session, const Options *options, Request *request) {
    *request = (Request){0};
    int count = options->seeds.count;
    request->outputs = calloc((size_t)count + 1, sizeof *request->outputs);
    request->seeded = calloc((size_t)count + 1, sizeof *request->seeded);
    if (request->outputs == NULL || request->seeded == NULL)
        abort();
    TdslGradientRequest *gradient = &request->gradient;
    for (int i = 0; i < count; i++) {
        const Setting *setting = &options->seeds.at[i];
        if (setting->has_value) {
            TdslStatus status = read_setting(session, &request->seeds, setting, "--seed");
            if (status)
                return status;
        }
        int known = 0;
        while (known < gradient->output_count && strcmp(request->outputs[known], setting->name))
            known++;
        if (known == gradient->output_count)
            request->outputs[gradient->output_count++] = setting->name;
        request->seeded[known] = setting->has_value;
    }
    gradient->outputs = count > 0 ? request->outputs : NULL;
    gradient->seeded = request->seeded;
    gradient->leaves = options->wrt_count > 0 ? (const char *const *)options->wrt : NULL;
    gradient->leaf_count = options->wrt_count;
    return TDSL_OK;
}

void request_free(Request *request) {
    bindings_free(&request->seeds);
    free(request->outputs);
    free(request->seeded);
}
