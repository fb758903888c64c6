// Element types, shapes, and the one place where sizes that a file claims are multiplied.
#include "runtime/file_format.h"

#include <stdlib.h>
#include <string.h>

size_t tensor_element_size(TensorElement element) {
    switch (element) {
    case TENSOR_BOOL: return 1;
    case TENSOR_F16:
    case TENSOR_BF16: return 2;
    case TENSOR_I32:
    case TENSOR_F32: return 4;
    case TENSOR_I64:
    case TENSOR_F64: return 8;
    }
    return 0;
}

const char *tensor_element_name(TensorElement element) {
    switch (element) {
    case TENSOR_BOOL: return "bool";
    case TENSOR_I32: return "i32";
    case TENSOR_I64: return "i64";
    case TENSOR_F16: return "f16";
    case TENSOR_BF16: return "bf16";
    case TENSOR_F32: return "f32";
    case TENSOR_F64: return "f64";
    }
    return "?";
}

size_t tensor_element_count(const FileTensor *tensor) {
    size_t count = 1;
    for (int axis = 0; axis < tensor->rank; axis++) {
        count *= (size_t)tensor->shape[axis];
    }
    return count;
}

size_t tensor_byte_count(const FileTensor *tensor) {
    return tensor_element_count(tensor) * tensor_element_size(tensor->element);
}

bool measure_shape(int rank, const int64_t *shape, size_t element_size, size_t *count,
                   size_t *bytes) {
    if (rank < 0 || rank > TENSOR_MAX_RANK || element_size == 0) {
        return false;
    }
    uint64_t limit = (uint64_t)(SIZE_MAX < INT64_MAX ? SIZE_MAX : INT64_MAX) / element_size;
    uint64_t extent = 1; // the product with every dimension taken as at least 1
    bool empty = false;
    for (int axis = 0; axis < rank; axis++) {
        if (shape[axis] < 0) {
            return false;
        }
        uint64_t size = shape[axis] > 0 ? (uint64_t)shape[axis] : 1;
        if (extent > limit / size) {
            return false;
        }
        extent *= size;
        empty = empty || shape[axis] == 0;
    }
    *count = empty ? 0 : (size_t)extent;
    *bytes = *count * element_size;
    return true;
}

bool element_of_stored(StoredElement stored, TensorElement *element) {
    switch (stored.kind) {
    case STORED_BOOL: *element = TENSOR_BOOL; return stored.size == 1;
    case STORED_SIGNED:
        *element = stored.size == 8 ? TENSOR_I64 : TENSOR_I32;
        return stored.size == 1 || stored.size == 2 || stored.size == 4 || stored.size == 8;
    case STORED_UNSIGNED:
        *element = stored.size == 4 ? TENSOR_I64 : TENSOR_I32;
        return stored.size == 1 || stored.size == 2 || stored.size == 4;
    case STORED_FLOAT:
        *element = stored.size == 2 ? TENSOR_F16 : stored.size == 4 ? TENSOR_F32 : TENSOR_F64;
        return stored.size == 2 || stored.size == 4 || stored.size == 8;
    case STORED_BFLOAT: *element = TENSOR_BF16; return stored.size == 2;
    }
    return false;
}

// One stored element as 64 bits: sign-extended if it is a signed integer.
static uint64_t load_element(StoredElement stored, const unsigned char *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < stored.size; i++) {
        int place = stored.big_endian ? stored.size - 1 - i : i;
        value |= (uint64_t)bytes[i] << (8 * place);
    }
    if (stored.kind == STORED_SIGNED && stored.size < 8 && value >> (8 * stored.size - 1) != 0) {
        value |= UINT64_MAX << (8 * stored.size);
    }
    return value;
}

bool decode_elements(const Where *where, StoredElement stored, const unsigned char *bytes,
                     size_t count, FileTensor *tensor) {
    size_t size = tensor_element_size(tensor->element);
    if (count > SIZE_MAX / size) {
        return fail_memory(where, SIZE_MAX);
    }
    unsigned char *data = malloc(count > 0 ? count * size : 1);
    if (data == NULL) {
        return fail_memory(where, count * size);
    }
    tensor->data = data;
    if (stored.kind == STORED_BOOL) {
        for (size_t i = 0; i < count; i++) {
            if (bytes[i] > 1) {
                return fail(where, TENSOR_ERROR_DATA, "element %zu is %d, but a bool is 0 or 1", i,
                            bytes[i]);
            }
        }
    }
    bool same = (size_t)stored.size == size && (!stored.big_endian || size == 1);
    if (same && count > 0) {
        memcpy(data, bytes, count * size);
    }
    for (size_t i = 0; i < count && !same; i++) {
        uint64_t value = load_element(stored, bytes + i * (size_t)stored.size);
        memcpy(data + i * size, &value, size); // the low bytes come first: little-endian
    }
    return true;
}
