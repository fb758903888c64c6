// Lists of tensors, and the choice of format. The formats themselves are in npy.c, npz.c,
// safetensors.c and csv.c.
#include "runtime/file_format.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

// Lists

void tensor_file_free(TensorFile *file) {
    for (int i = 0; i < file->count; i++) {
        free(file->tensors[i].name);
        free(file->tensors[i].data);
    }
    for (int i = 0; i < file->column_count; i++) {
        free(file->columns[i]);
    }
    free(file->tensors);
    free(file->columns);
    free(file->by_name);
    *file = (TensorFile){0};
}

bool reserve_tensors(const Where *where, TensorFile *file, size_t count) {
    if (count > INT_MAX) {
        return fail(where, TENSOR_ERROR_DATA, "more than %d tensors", INT_MAX);
    }
    file->tensors = calloc(count > 0 ? count : 1, sizeof *file->tensors);
    return file->tensors != NULL || fail_memory(where, count * sizeof *file->tensors);
}

char *copy_name(const Where *where, const char *name, size_t length) {
    char *copy = malloc(length + 1);
    if (copy == NULL) {
        fail_memory(where, length + 1);
        return NULL;
    }
    memcpy(copy, name, length);
    copy[length] = 0;
    return copy;
}

static int compare_names(const void *left, const void *right) {
    const FileTensor *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

// The tensors sorted by name, malloc'd; NULL if two have the same name (an error of this kind)
// or memory runs out.
static const FileTensor **sort_by_name(const Where *where, TensorErrorKind kind,
                                       const FileTensor *tensors, int count) {
    const FileTensor **sorted = malloc(((size_t)count + 1) * sizeof *sorted);
    if (sorted == NULL) {
        fail_memory(where, (size_t)count * sizeof *sorted);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        sorted[i] = &tensors[i];
    }
    qsort(sorted, (size_t)count, sizeof *sorted, compare_names);
    for (int i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
            Where twice = {where->file, sorted[i]->name, where->error};
            fail(&twice, kind, "there are two arrays of this name");
            free(sorted);
            return NULL;
        }
    }
    return sorted;
}

const FileTensor *tensor_file_find(const TensorFile *file, const char *name) {
    int low = 0, high = file->count;
    while (low < high) {
        int middle = file->by_name != NULL ? low + (high - low) / 2 : low;
        const FileTensor *tensor =
            file->by_name != NULL ? file->by_name[middle] : &file->tensors[middle];
        int order = strcmp(tensor->name, name);
        if (order == 0) {
            return tensor;
        }
        if (order > 0 && file->by_name != NULL) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

static bool copy_data(const Where *where, FileTensor *tensor, const void *data) {
    size_t count, bytes;
    if (!measure_shape(tensor->rank, tensor->shape, tensor_element_size(tensor->element), &count,
                       &bytes)) {
        return fail(where, TENSOR_ERROR_USAGE, "the shape is negative or too large");
    }
    tensor->data = calloc(bytes > 0 ? bytes : 1, 1);
    if (tensor->data == NULL) {
        return fail_memory(where, bytes);
    }
    if (data != NULL && bytes > 0) {
        memcpy(tensor->data, data, bytes);
    }
    return true;
}

bool tensor_file_add(TensorFile *file, const char *name, TensorElement element, int rank,
                     const int64_t *shape, const void *data, TensorError *error) {
    Where where = {"tensors", name, error};
    FileTensor tensor = {.element = element, .rank = rank};
    if (rank < 0 || rank > TENSOR_MAX_RANK) {
        return fail(&where, TENSOR_ERROR_USAGE, "%d dimensions; the limit is %d", rank,
                    TENSOR_MAX_RANK);
    }
    if (rank > 0) {
        memcpy(tensor.shape, shape, (size_t)rank * sizeof *shape);
    }
    tensor.name = copy_name(&where, name, strlen(name));
    if (tensor.name == NULL || !copy_data(&where, &tensor, data)) {
        free(tensor.name);
        return false;
    }
    // The room doubles whenever the count reaches a power of two.
    size_t count = (size_t)file->count;
    if (file->by_name != NULL || (count & (count - 1)) == 0) {
        size_t room = 1;
        while (room <= count) {
            room *= 2;
        }
        FileTensor *tensors = realloc(file->tensors, room * sizeof *tensors);
        if (tensors == NULL || count == INT_MAX) {
            file->tensors = tensors != NULL ? tensors : file->tensors;
            free(tensor.name);
            free(tensor.data);
            return fail_memory(&where, room * sizeof *tensors);
        }
        file->tensors = tensors;
    }
    free(file->by_name);
    file->by_name = NULL;
    file->tensors[file->count++] = tensor;
    return true;
}

// Formats

typedef struct Format {
    const char *ending;
    bool (*read)(const Where *where, const unsigned char *bytes, size_t size, TensorFile *file);
    bool (*encode)(const Where *where, const FileTensor *tensors, int count, Encoding *encoding);
} Format;

static const Format formats[] = {
    {".npy", read_npy, encode_npy},
    {".npz", read_npz, encode_npz},
    {".safetensors", read_safetensors, encode_safetensors},
    {".csv", read_csv, NULL},
};

static const Format *format_by_ending(const char *path) {
    size_t length = strlen(path);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        size_t ending = strlen(formats[i].ending);
        if (length >= ending && strcmp(path + length - ending, formats[i].ending) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}

static const Format *format_by_content(const unsigned char *bytes, size_t size) {
    if (size >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0) {
        return &formats[0];
    }
    if (size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0)) {
        return &formats[1];
    }
    return size >= 9 && bytes[8] == '{' ? &formats[2] : NULL;
}

bool tensor_file_read_memory(const char *path, const void *bytes, size_t size, TensorFile *file,
                             TensorError *error) {
    Where where = {path, NULL, error};
    *file = (TensorFile){0};
    const Format *format = format_by_ending(path);
    if (format == NULL) {
        format = format_by_content(bytes, size);
    }
    if (format == NULL) {
        return fail(&where, TENSOR_ERROR_DATA,
                    "neither a .npy, .npz or .safetensors file nor named .csv");
    }
    bool done = format->read(&where, bytes, size, file);
    if (done) {
        file->by_name =
            (FileTensor **)sort_by_name(&where, TENSOR_ERROR_DATA, file->tensors, file->count);
        done = file->by_name != NULL;
    }
    if (!done) {
        tensor_file_free(file);
    }
    return done;
}

bool tensor_file_read(const char *path, TensorFile *file, TensorError *error) {
    Where where = {path, NULL, error};
    unsigned char *bytes;
    size_t size;
    *file = (TensorFile){0};
    if (!read_whole_file(&where, &bytes, &size)) {
        return false;
    }
    bool done = tensor_file_read_memory(path, bytes, size, file, error);
    free(bytes);
    return done;
}

// Writing

// Whether the caller's tensors are what FileTensor promises.
static bool check_tensors(const Where *where, const FileTensor *tensors, int count) {
    for (int i = 0; i < count; i++) {
        const FileTensor *tensor = &tensors[i];
        if (tensor->name == NULL) {
            return fail(where, TENSOR_ERROR_USAGE, "tensor %d has no name", i);
        }
        Where named = {where->file, tensor->name, where->error};
        size_t elements, bytes;
        if (!is_utf8(tensor->name, strlen(tensor->name))) {
            return fail(&named, TENSOR_ERROR_USAGE, "the name is not UTF-8");
        }
        if (!measure_shape(tensor->rank, tensor->shape, tensor_element_size(tensor->element),
                           &elements, &bytes)) {
            return fail(&named, TENSOR_ERROR_USAGE, "the element type or the shape is not valid");
        }
        if (bytes > 0 && tensor->data == NULL) {
            return fail(&named, TENSOR_ERROR_USAGE, "the tensor has no data");
        }
        for (size_t k = 0; k < elements && tensor->element == TENSOR_BOOL; k++) {
            if (((const unsigned char *)tensor->data)[k] > 1) {
                return fail(&named, TENSOR_ERROR_USAGE,
                            "element %zu is neither 0 nor 1, but the type is bool", k);
            }
        }
    }
    const FileTensor **sorted = sort_by_name(where, TENSOR_ERROR_USAGE, tensors, count);
    free(sorted);
    return sorted != NULL;
}

static bool encode(const Where *where, const FileTensor *tensors, int count, Encoding *encoding) {
    const Format *format = format_by_ending(where->file);
    if (format == NULL || format->encode == NULL) {
        return fail(where, TENSOR_ERROR_USAGE,
                    "cannot write this kind of file; use .npy, .npz or .safetensors");
    }
    if (count < 0) {
        return fail(where, TENSOR_ERROR_USAGE, "%d tensors", count);
    }
    return check_tensors(where, tensors, count) && format->encode(where, tensors, count, encoding);
}

bool tensor_file_write(const char *path, const FileTensor *tensors, int count, TensorError *error) {
    Where where = {path, NULL, error};
    Encoding encoding = {0};
    bool done = encode(&where, tensors, count, &encoding) &&
                write_whole_file(&where, encoding.fragments, encoding.count);
    free(encoding.fragments);
    free(encoding.owned);
    return done;
}

static bool join_fragments(const Where *where, const Encoding *encoding, unsigned char **bytes,
                           size_t *size) {
    size_t total = 0;
    for (int i = 0; i < encoding->count; i++) {
        if (encoding->fragments[i].size > SIZE_MAX / 2 - total) {
            return fail_memory(where, SIZE_MAX);
        }
        total += encoding->fragments[i].size;
    }
    *bytes = malloc(total > 0 ? total : 1);
    if (*bytes == NULL) {
        return fail_memory(where, total);
    }
    *size = 0;
    for (int i = 0; i < encoding->count; i++) {
        if (encoding->fragments[i].size > 0) {
            memcpy(*bytes + *size, encoding->fragments[i].data, encoding->fragments[i].size);
            *size += encoding->fragments[i].size;
        }
    }
    return true;
}

bool tensor_file_write_memory(const char *path, const FileTensor *tensors, int count,
                              unsigned char **bytes, size_t *size, TensorError *error) {
    Where where = {path, NULL, error};
    Encoding encoding = {0};
    *bytes = NULL;
    *size = 0;
    bool done =
        encode(&where, tensors, count, &encoding) && join_fragments(&where, &encoding, bytes, size);
    free(encoding.fragments);
    free(encoding.owned);
    return done;
}
