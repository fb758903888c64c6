// .safetensors: eight bytes of header length, a JSON object that describes the tensors, then their
// elements. jansson parses the JSON; everything the format asks for beyond JSON is checked here.
// The byte ranges must tile the data exactly: no hole, no overlap, nothing left over.
#include "runtime/file_format.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 100000000 }; // the format's own limit

typedef struct DtypeName {
    const char *name;
    StoredElement stored;
} DtypeName;

static const DtypeName dtypes[] = {
    {"BOOL", {STORED_BOOL, 1, false}},  {"U8", {STORED_UNSIGNED, 1, false}},
    {"I8", {STORED_SIGNED, 1, false}},  {"U16", {STORED_UNSIGNED, 2, false}},
    {"I16", {STORED_SIGNED, 2, false}}, {"U32", {STORED_UNSIGNED, 4, false}},
    {"I32", {STORED_SIGNED, 4, false}}, {"I64", {STORED_SIGNED, 8, false}},
    {"F16", {STORED_FLOAT, 2, false}},  {"BF16", {STORED_BFLOAT, 2, false}},
    {"F32", {STORED_FLOAT, 4, false}},  {"F64", {STORED_FLOAT, 8, false}},
};

// Reading

typedef struct Range {
    size_t begin, end;
    const char *name;
} Range;

// Length of the header; false unless it lies inside the file and begins as it must.
static bool find_header(const Where *where, const unsigned char *bytes, size_t size,
                        size_t *length) {
    if (size < 8) {
        return fail(where, TENSOR_ERROR_DATA,
                    "not a .safetensors file: it is shorter than the header length");
    }
    uint64_t claimed = 0;
    for (int i = 0; i < 8; i++) {
        claimed |= (uint64_t)bytes[i] << (8 * i);
    }
    if (claimed > HEADER_MAX) {
        return fail(where, TENSOR_ERROR_DATA,
                    "the header claims %llu bytes; the format's limit is %d",
                    (unsigned long long)claimed, HEADER_MAX);
    }
    if (claimed > size - 8) {
        return fail(where, TENSOR_ERROR_DATA, "the header claims %llu bytes, but only %zu follow",
                    (unsigned long long)claimed, size - 8);
    }
    if (claimed == 0 || bytes[8] != '{') {
        return fail(where, TENSOR_ERROR_DATA, "the header does not begin with '{'");
    }
    *length = (size_t)claimed;
    return true;
}

// No number of a header is negative, and jansson would read -0 as 0.
static bool has_minus_sign(const unsigned char *text, size_t length) {
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        if (quoted && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (text[i] == '-' && !quoted) {
            return true;
        }
    }
    return false;
}

static json_t *parse_header(const Where *where, const unsigned char *text, size_t length) {
    json_error_t error;
    json_t *header = json_loadb((const char *)text, length, JSON_REJECT_DUPLICATES, &error);
    // Without a line it is not about the text: memory has run out.
    if (header == NULL && (error.line < 0 || json_error_code(&error) == json_error_out_of_memory)) {
        fail_memory(where, length);
    } else if (header == NULL) {
        char shown[200];
        fail(where, TENSOR_ERROR_DATA, "the header is not good JSON: line %d, column %d: %s",
             error.line, error.column,
             escape_text(shown, sizeof shown, error.text, strlen(error.text)));
    } else if (has_minus_sign(text, length)) {
        fail(where, TENSOR_ERROR_DATA, "the header holds a negative number");
        json_decref(header);
        header = NULL;
    }
    return header;
}

static bool check_metadata(const Where *where, const json_t *metadata) {
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) {
        return fail(where, TENSOR_ERROR_DATA, "__metadata__ is not an object");
    }
    json_object_foreach((json_t *)metadata, key, value) {
        if (!json_is_string(value)) {
            char shown[80];
            return fail(where, TENSOR_ERROR_DATA, "__metadata__: the value of '%s' is not a string",
                        escape_text(shown, sizeof shown, key, strlen(key)));
        }
    }
    return true;
}

static bool read_dtype(const Where *where, const json_t *value, StoredElement *stored,
                       TensorElement *element) {
    if (!json_is_string(value)) {
        return fail(where, TENSOR_ERROR_DATA, "dtype is missing or not a string");
    }
    const char *name = json_string_value(value);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *stored = dtypes[i].stored;
            return element_of_stored(*stored, element);
        }
    }
    char shown[40];
    return fail(where, TENSOR_ERROR_DATA, "dtype '%s' is not supported",
                escape_text(shown, sizeof shown, name, strlen(name)));
}

static bool read_shape(const Where *where, const json_t *value, FileTensor *tensor) {
    if (!json_is_array(value)) {
        return fail(where, TENSOR_ERROR_DATA, "shape is missing or not an array");
    }
    size_t rank = json_array_size(value);
    if (rank > TENSOR_MAX_RANK) {
        return fail(where, TENSOR_ERROR_DATA, "%zu dimensions; the limit is %d", rank,
                    TENSOR_MAX_RANK);
    }
    tensor->rank = (int)rank;
    for (size_t axis = 0; axis < rank; axis++) {
        const json_t *size = json_array_get(value, axis);
        if (!json_is_integer(size) || json_integer_value(size) < 0) {
            return fail(where, TENSOR_ERROR_DATA,
                        "dimension %zu of the shape is not a whole number", axis);
        }
        tensor->shape[axis] = json_integer_value(size);
    }
    return true;
}

static bool read_range(const Where *where, const json_t *value, size_t data_size, Range *range) {
    if (!json_is_array(value) || json_array_size(value) != 2) {
        return fail(where, TENSOR_ERROR_DATA,
                    "data_offsets is missing or not an array of two numbers");
    }
    json_int_t offsets[2];
    for (size_t i = 0; i < 2; i++) {
        const json_t *offset = json_array_get(value, i);
        offsets[i] = json_is_integer(offset) ? json_integer_value(offset) : -1;
        if (offsets[i] < 0) {
            return fail(where, TENSOR_ERROR_DATA, "data_offsets holds what is not a whole number");
        }
        if ((uint64_t)offsets[i] > data_size) {
            return fail(where, TENSOR_ERROR_DATA,
                        "data_offsets reaches byte %lld, but there are only %zu bytes of data",
                        (long long)offsets[i], data_size);
        }
    }
    if (offsets[1] < offsets[0]) {
        return fail(where, TENSOR_ERROR_DATA, "data_offsets ends before it begins");
    }
    range->begin = (size_t)offsets[0];
    range->end = (size_t)offsets[1];
    return true;
}

static bool read_entry(const Where *where, const json_t *entry, const unsigned char *data,
                       size_t data_size, FileTensor *tensor, Range *range) {
    StoredElement stored = {0};
    size_t count = 0, bytes = 0;
    if (!json_is_object(entry)) {
        return fail(where, TENSOR_ERROR_DATA, "the header entry is not an object");
    }
    if (!read_dtype(where, json_object_get(entry, "dtype"), &stored, &tensor->element) ||
        !read_shape(where, json_object_get(entry, "shape"), tensor) ||
        !read_range(where, json_object_get(entry, "data_offsets"), data_size, range)) {
        return false;
    }
    if (json_object_size(entry) != 3) {
        return fail(where, TENSOR_ERROR_DATA,
                    "the header entry has keys besides dtype, shape and data_offsets");
    }
    if (!measure_shape(tensor->rank, tensor->shape, (size_t)stored.size, &count, &bytes)) {
        return fail(where, TENSOR_ERROR_DATA,
                    "the shape is too large: its bytes do not fit in 63 bits");
    }
    if (bytes != range->end - range->begin) {
        return fail(where, TENSOR_ERROR_DATA,
                    "the shape takes %zu bytes, but data_offsets spans %zu", bytes,
                    range->end - range->begin);
    }
    return decode_elements(where, stored, data + range->begin, count, tensor);
}

static int compare_ranges(const void *left, const void *right) {
    const Range *a = left, *b = right;
    if (a->begin != b->begin) {
        return a->begin < b->begin ? -1 : 1;
    }
    return (a->end > b->end) - (a->end < b->end);
}

static bool check_tiling(const Where *where, Range *ranges, int count, size_t data_size) {
    qsort(ranges, (size_t)count, sizeof *ranges, compare_ranges);
    size_t covered = 0;
    for (int i = 0; i < count; i++) {
        Where tensor_where = {where->file, ranges[i].name, where->error};
        if (ranges[i].begin != covered) {
            return fail(&tensor_where, TENSOR_ERROR_DATA,
                        "the data begins at byte %zu, which leaves %s byte %zu", ranges[i].begin,
                        ranges[i].begin > covered ? "a hole at" : "an overlap before", covered);
        }
        covered = ranges[i].end;
    }
    return covered == data_size ||
           fail(where, TENSOR_ERROR_DATA, "%zu bytes of data belong to no tensor",
                data_size - covered);
}

static bool read_entries(const Where *where, json_t *header, const unsigned char *data,
                         size_t data_size, Range *ranges, TensorFile *file) {
    const char *name;
    json_t *entry;
    size_t decoded =
        0; // overlapping ranges must not multiply the memory before the tiling is checked
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0) {
            if (!check_metadata(where, entry)) {
                return false;
            }
            continue;
        }
        Where tensor_where = {where->file, name, where->error};
        FileTensor *tensor = &file->tensors[file->count];
        Range *range = &ranges[file->count++];
        tensor->name = copy_name(&tensor_where, name, strlen(name));
        if (tensor->name == NULL ||
            !read_entry(&tensor_where, entry, data, data_size, tensor, range)) {
            return false;
        }
        range->name = tensor->name;
        if (range->end - range->begin > data_size - decoded) {
            return fail(&tensor_where, TENSOR_ERROR_DATA,
                        "the tensors claim more bytes than the file has");
        }
        decoded += range->end - range->begin;
    }
    return check_tiling(where, ranges, file->count, data_size);
}

bool read_safetensors(const Where *where, const unsigned char *bytes, size_t size,
                      TensorFile *file) {
    size_t length = 0;
    if (!find_header(where, bytes, size, &length)) {
        return false;
    }
    json_t *header = parse_header(where, bytes + 8, length);
    if (header == NULL) {
        return false;
    }
    bool done =
        json_is_object(header) || fail(where, TENSOR_ERROR_DATA, "the header is not a JSON object");
    size_t count = json_object_size(header);
    Range *ranges = calloc(count > 0 ? count : 1, sizeof *ranges);
    if (ranges == NULL) {
        done = fail_memory(where, count * sizeof *ranges);
    }
    done = done && reserve_tensors(where, file, count) &&
           read_entries(where, header, bytes + 8 + length, size - 8 - length, ranges, file);
    free(ranges);
    json_decref(header);
    return done;
}

// Writing

static const char *dtype_of(TensorElement element) {
    switch (element) {
    case TENSOR_BOOL: return "BOOL";
    case TENSOR_I32: return "I32";
    case TENSOR_I64: return "I64";
    case TENSOR_F16: return "F16";
    case TENSOR_BF16: return "BF16";
    case TENSOR_F32: return "F32";
    case TENSOR_F64: return "F64";
    }
    return "";
}

// A name as a JSON string; `out` has room for 6 bytes for each of the name's and 3 more.
static size_t write_json_string(char *out, const char *text) {
    size_t used = 0;
    out[used++] = '"';
    for (const char *c = text; *c != 0; c++) {
        if ((unsigned char)*c < 0x20) {
            used += (size_t)snprintf(out + used, 7, "\\u%04x", (unsigned)*c);
            continue;
        }
        if (*c == '"' || *c == '\\') {
            out[used++] = '\\';
        }
        out[used++] = *c;
    }
    out[used++] = '"';
    out[used] = 0;
    return used;
}

// `out` has room for header_room() bytes of this tensor.
static size_t write_entry(char *out, const FileTensor *tensor, size_t begin) {
    size_t used = write_json_string(out, tensor->name);
    used +=
        (size_t)sprintf(out + used, ":{\"dtype\":\"%s\",\"shape\":[", dtype_of(tensor->element));
    for (int axis = 0; axis < tensor->rank; axis++) {
        used += (size_t)sprintf(out + used, "%s%lld", axis > 0 ? "," : "",
                                (long long)tensor->shape[axis]);
    }
    return used + (size_t)sprintf(out + used, "],\"data_offsets\":[%zu,%zu]}", begin,
                                  begin + tensor_byte_count(tensor));
}

// At most how long a tensor's entry is: name, fixed text, the dimensions and two offsets of up to
// 20 digits each.
static size_t header_room(const FileTensor *tensor) {
    return 6 * strlen(tensor->name) + 3 + 80 + 21 * ((size_t)tensor->rank + 2);
}

// Lays the data out by falling element size, so that every tensor is aligned for its elements
// without padding.
static void place_tensors(const FileTensor *tensors, int count, size_t *begins,
                          Encoding *encoding) {
    size_t at = 0;
    for (size_t size = 8; size > 0; size /= 2) {
        for (int i = 0; i < count; i++) {
            if (tensor_element_size(tensors[i].element) == size) {
                size_t bytes = tensor_byte_count(&tensors[i]);
                encoding->fragments[encoding->count++] = (Fragment){tensors[i].data, bytes};
                begins[i] = at;
                at += bytes;
            }
        }
    }
}

static bool write_header(const Where *where, const FileTensor *tensors, int count,
                         const size_t *begins, Encoding *encoding) {
    size_t room = 8 + 2 + 8;
    for (int i = 0; i < count; i++) {
        room += header_room(&tensors[i]) + 1;
    }
    encoding->owned = malloc(room);
    if (encoding->owned == NULL) {
        return fail_memory(where, room);
    }
    char *text = (char *)encoding->owned + 8;
    size_t used = 0;
    text[used++] = '{';
    for (int i = 0; i < count; i++) {
        if (i > 0) {
            text[used++] = ',';
        }
        used += write_entry(text + used, &tensors[i], begins[i]);
    }
    text[used++] = '}';
    while (used % 8 != 0) {
        text[used++] = ' ';
    }
    if (used > HEADER_MAX) {
        return fail(where, TENSOR_ERROR_USAGE,
                    "the header would take %zu bytes; the format's limit is %d", used, HEADER_MAX);
    }
    for (int i = 0; i < 8; i++) {
        encoding->owned[i] = (unsigned char)((uint64_t)used >> (8 * i));
    }
    encoding->fragments[0] = (Fragment){encoding->owned, 8 + used};
    return true;
}

bool encode_safetensors(const Where *where, const FileTensor *tensors, int count,
                        Encoding *encoding) {
    for (int i = 0; i < count; i++) {
        if (strcmp(tensors[i].name, "__metadata__") == 0) {
            return fail(where, TENSOR_ERROR_USAGE,
                        "a .safetensors file cannot hold a tensor named __metadata__");
        }
    }
    size_t *begins = calloc((size_t)count + 1, sizeof *begins);
    encoding->fragments = calloc((size_t)count + 1, sizeof *encoding->fragments);
    encoding->count = 1; // the header goes first
    bool done = begins != NULL && encoding->fragments != NULL;
    if (done) {
        place_tensors(tensors, count, begins, encoding);
        done = write_header(where, tensors, count, begins, encoding);
    } else {
        fail_memory(where, (size_t)count * sizeof *begins);
    }
    free(begins);
    return done;
}
