// Results: storage, JSON, text and files.
#include "cli/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    if (memory == NULL)
        abort();
    return memory;
}

static Binding *argument_binding(const TdslSlot *slot, Bindings *bindings, Bindings *seeds) {
    if (slot->role != TDSL_SEED)
        return (Binding *)bindings_find(bindings, slot->name);
    if (seeds == NULL)
        return NULL;
    Binding *seed = (Binding *)bindings_find(seeds, slot->name);
    if (seed == NULL) {
        Tensor one = tensor_zeros(slot->element, slot->rank, slot->shape);
        for (int64_t i = 0; i < slot->count; i++)
            tensor_store_real(&one, i, 1);
        bindings_add(seeds, slot->name, "--seed", one);
        seed = (Binding *)bindings_find(seeds, slot->name);
    }
    return seed;
}

TdslStatus call_prepare(TdslSession *session, TdslFunction *function, Bindings *bindings,
                        Bindings *seeds, Call *call) {
    *call = (Call){.session = session, .function = function};
    call->arguments = tdsl_arguments(function, &call->argument_count);
    call->slots = tdsl_results(function, &call->slot_count);
    call->argument_data = allocate((size_t)call->argument_count, sizeof(void *));
    call->result_data = allocate((size_t)call->slot_count, sizeof(void *));
    call->results = allocate((size_t)call->slot_count, sizeof(Tensor));
    for (int i = 0; i < call->argument_count; i++) {
        const TdslSlot *slot = &call->arguments[i];
        Binding *binding = argument_binding(slot, bindings, seeds);
        if (binding == NULL ||
            !binding_fit(session, binding, slot->element, slot->rank, slot->shape))
            return TDSL_BAD_PROGRAM;
        call->argument_data[i] = binding->value.data;
    }
    for (int i = 0; i < call->slot_count; i++) {
        const TdslSlot *slot = &call->slots[i];
        call->results[i] = tensor_zeros(slot->element, slot->rank, slot->shape);
        call->result_data[i] = call->results[i].data;
    }
    return TDSL_OK;
}

TdslStatus call_run(Call *call) {
    const char *failure;
    TdslStatus status = tdsl_call(call->function, call->argument_data, call->result_data, &failure);
    if (status)
        tdsl_report(call->session, "%s", failure);
    return status;
}

void call_free(Call *call) {
    for (int i = 0; i < call->slot_count && call->results; i++)
        tensor_free(&call->results[i]);
    free(call->results);
    free(call->argument_data);
    free(call->result_data);
    *call = (Call){0};
}

// ---- JSON

void print_json_string(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < 0x20)
            fprintf(out, "\\u%04x", *c);
        else
            fputc(*c, out);
    fputc('"', out);
}

void print_json_number(FILE *out, double value, bool single) {
    char number[64];
    tdsl_print_real(number, value, single);
    if (isnan(value))
        fputs("\"NaN\"", out);
    else if (isinf(value))
        fputs(value > 0 ? "\"Infinity\"" : "\"-Infinity\"", out);
    else
        fputs(number, out);
}

static void print_element(FILE *out, const Tensor *tensor, int64_t position, bool json) {
    bool single = tensor->element == TDSL_F32;
    char number[64];
    if (tensor->element == TDSL_BOOL)
        fputs(tensor_integer(tensor, position) ? "true" : "false", out);
    else if (tensor->element == TDSL_I32 || tensor->element == TDSL_I64)
        fprintf(out, "%lld", (long long)tensor_integer(tensor, position));
    else if (json)
        print_json_number(out, tensor_real(tensor, position), single);
    else {
        tdsl_print_real(number, tensor_real(tensor, position), single);
        fputs(number, out);
    }
}

enum { TEXT_EDGE = 4, TEXT_WHOLE = 12 }; // long axes show this many elements at each end, if cut

static void print_nested(FILE *out, const Tensor *tensor, int axis, int64_t position, bool json) {
    if (axis == tensor->rank) {
        print_element(out, tensor, position, json);
        return;
    }
    int64_t inner = 1;
    for (int i = axis + 1; i < tensor->rank; i++)
        inner *= tensor->shape[i];
    fputc('[', out);
    for (int64_t i = 0; i < tensor->shape[axis]; i++) {
        if (i > 0)
            fputs(", ", out);
        if (!json && tensor->shape[axis] > TEXT_WHOLE && i == TEXT_EDGE) {
            fputs("...", out);
            i = tensor->shape[axis] - TEXT_EDGE - 1;
            continue;
        }
        print_nested(out, tensor, axis + 1, position + i * inner, json);
    }
    fputc(']', out);
}

void print_json_data(FILE *out, const Tensor *tensor) {
    print_nested(out, tensor, 0, 0, true);
}

static void print_json_tensor(FILE *out, const char *name, const Tensor *tensor) {
    print_json_string(out, name);
    fprintf(out, ": {\"dtype\": \"%s\", \"shape\": [", tdsl_element_name(tensor->element));
    for (int i = 0; i < tensor->rank; i++)
        fprintf(out, "%s%lld", i ? ", " : "", (long long)tensor->shape[i]);
    fputs("], \"data\": ", out);
    print_json_data(out, tensor);
    fputc('}', out);
}

void call_print_json(FILE *out, const Call *call) {
    fputs("{\"model\": ", out);
    print_json_string(out, tdsl_model_name(call->session));
    fputs(", \"outputs\": {", out);
    int printed = 0;
    for (int i = 0; i < call->slot_count; i++)
        if (call->slots[i].role == TDSL_OUTPUT) {
            fputs(printed++ ? ", " : "", out);
            print_json_tensor(out, call->slots[i].name, &call->results[i]);
        }
    fputs("}, \"grads\": {", out);
    printed = 0;
    for (int i = 0; i < call->slot_count; i++)
        if (call->slots[i].role == TDSL_GRADIENT_OF) {
            fputs(printed++ ? ", " : "", out);
            print_json_tensor(out, call->slots[i].name, &call->results[i]);
        }
    int null_count;
    const char *const *nulls = tdsl_null_gradients(call->function, &null_count);
    for (int i = 0; i < null_count; i++) {
        fputs(printed++ ? ", " : "", out);
        print_json_string(out, nulls[i]);
        fputs(": null", out);
    }
    fputs("}}\n", out);
}

// ---- text

static void print_text_tensor(FILE *out, const char *prefix, const char *name,
                              const Tensor *tensor) {
    fprintf(out, "%s%s: %s", prefix, name, tdsl_element_name(tensor->element));
    for (int i = 0; i < tensor->rank; i++)
        fprintf(out, "%s%lld%s", i ? "," : "[", (long long)tensor->shape[i],
                i + 1 == tensor->rank ? "]" : "");
    fputs(" = ", out);
    print_nested(out, tensor, 0, 0, false);
    fputc('\n', out);
}

void call_print_text(FILE *out, const Call *call) {
    for (int i = 0; i < call->slot_count; i++)
        if (call->slots[i].role == TDSL_OUTPUT)
            print_text_tensor(out, "", call->slots[i].name, &call->results[i]);
    for (int i = 0; i < call->slot_count; i++)
        if (call->slots[i].role == TDSL_GRADIENT_OF)
            print_text_tensor(out, "grad.", call->slots[i].name, &call->results[i]);
    int null_count;
    const char *const *nulls = tdsl_null_gradients(call->function, &null_count);
    for (int i = 0; i < null_count; i++)
        fprintf(out, "grad.%s = null (the outputs do not use it)\n", nulls[i]);
}

// ---- files

TdslStatus call_write(const Call *call, const char *path) {
    static const TensorElement elements[] = {TENSOR_BOOL, TENSOR_I32, TENSOR_I64, TENSOR_F32,
                                             TENSOR_F64};
    FileTensor *tensors = allocate((size_t)call->slot_count, sizeof *tensors);
    for (int i = 0; i < call->slot_count; i++) {
        const TdslSlot *slot = &call->slots[i];
        bool gradient = slot->role == TDSL_GRADIENT_OF;
        size_t length = strlen(slot->name) + 8;
        tensors[i].name = allocate(length, 1);
        snprintf(tensors[i].name, length, "%s%s", gradient ? "grad." : "", slot->name);
        tensors[i].element = elements[slot->element];
        tensors[i].rank = slot->rank;
        for (int axis = 0; axis < slot->rank && axis < TENSOR_MAX_RANK; axis++)
            tensors[i].shape[axis] = slot->shape[axis];
        tensors[i].data = call->results[i].data;
    }
    TensorError error;
    bool good = tensor_file_write(path, tensors, call->slot_count, &error);
    if (!good)
        tdsl_report(call->session, "%s", error.text);
    for (int i = 0; i < call->slot_count; i++)
        free(tensors[i].name);
    free(tensors);
    return good ? TDSL_OK : TDSL_BAD_FILE;
}
