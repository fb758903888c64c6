// NumPy's .npy: a magic string, a version, the text of a Python dictionary, then the elements.
//
// The dictionary is read by a parser of the only literals it may hold: the three keys in any order,
// a dtype string, True or False, and a tuple of decimal integers. Nothing nests, so nothing
// recurses. Versions 1, 2 and 3 differ in the size of the length field and in the encoding of names
// that do not occur here.
#include "runtime/file_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

bool find_npy_header_length(const Where *where, const unsigned char *bytes, size_t size,
                            size_t *length) {
    if (size < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0) {
        return fail(where, TENSOR_ERROR_DATA,
                    "not a .npy array: it does not begin with the .npy magic bytes");
    }
    if (size < 8) {
        return fail(where, TENSOR_ERROR_DATA, "cut off before the .npy version");
    }
    int version = bytes[6];
    if (version < 1 || version > 3 || bytes[7] != 0) {
        return fail(where, TENSOR_ERROR_DATA,
                    ".npy version %d.%d is not known (1.0, 2.0 and 3.0 are)", version, bytes[7]);
    }
    size_t prefix = version == 1 ? 10 : 12;
    if (size < prefix) {
        return fail(where, TENSOR_ERROR_DATA, "cut off before the .npy header");
    }
    size_t text = bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1) {
        text |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    }
    if (text > NPY_HEADER_MAX - NPY_PREFIX_MAX) {
        return fail(where, TENSOR_ERROR_DATA, "the .npy header claims %zu bytes; the limit is %d",
                    text, NPY_HEADER_MAX - NPY_PREFIX_MAX);
    }
    if (text > size - prefix) {
        return fail(where, TENSOR_ERROR_DATA,
                    "the .npy header claims %zu bytes, but only %zu follow", text, size - prefix);
    }
    *length = prefix + text;
    return true;
}

// The dictionary

typedef struct Parser {
    const Where *where;
    const unsigned char *text;
    size_t at, end;
    char dtype[16]; // the dtype string for messages, escaped
} Parser;

static bool expected(Parser *parser, const char *what) {
    if (parser->at >= parser->end) {
        return fail(parser->where, TENSOR_ERROR_DATA,
                    ".npy header: expected %s, but the header ends", what);
    }
    return fail(parser->where, TENSOR_ERROR_DATA, ".npy header, byte %zu: expected %s", parser->at,
                what);
}

static void skip_space(Parser *parser) {
    while (parser->at < parser->end && memchr(" \t\r\n", parser->text[parser->at], 4) != NULL) {
        parser->at++;
    }
}

// Skips white space, then takes `c` if it comes next.
static bool take(Parser *parser, char c) {
    skip_space(parser);
    if (parser->at < parser->end && parser->text[parser->at] == (unsigned char)c) {
        parser->at++;
        return true;
    }
    return false;
}

static bool take_word(Parser *parser, const char *word) {
    skip_space(parser);
    size_t length = strlen(word);
    if (parser->end - parser->at < length || memcmp(parser->text + parser->at, word, length) != 0) {
        return false;
    }
    parser->at += length;
    return true;
}

// A string in single or double quotes; escape sequences are not read, since no valid string needs
// one.
static bool read_string(Parser *parser, const char *what, const char **start, size_t *length) {
    bool single = take(parser, '\'');
    if (!single && !take(parser, '"')) {
        return expected(parser, what);
    }
    char quote = single ? '\'' : '"';
    size_t first = parser->at;
    while (parser->at < parser->end && parser->text[parser->at] != (unsigned char)quote) {
        if (parser->text[parser->at] == '\\' || parser->text[parser->at] == '\n') {
            return expected(parser, "a plain string (without escapes or line breaks)");
        }
        parser->at++;
    }
    if (parser->at >= parser->end) {
        return expected(parser, "the closing quote of a string");
    }
    *start = (const char *)parser->text + first;
    *length = parser->at++ - first;
    return true;
}

// One dimension: decimal digits, with the L that Python 2 wrote after large ones.
static bool read_dimension(Parser *parser, int64_t *size) {
    skip_space(parser);
    size_t first = parser->at;
    if (parser->at < parser->end && parser->text[parser->at] == '-') {
        return fail(parser->where, TENSOR_ERROR_DATA, ".npy header: a dimension is negative");
    }
    int64_t value = 0;
    while (parser->at < parser->end && parser->text[parser->at] >= '0' &&
           parser->text[parser->at] <= '9') {
        int digit = parser->text[parser->at++] - '0';
        if (value > (INT64_MAX - digit) / 10) {
            return fail(parser->where, TENSOR_ERROR_DATA,
                        ".npy header: a dimension does not fit in 63 bits");
        }
        value = value * 10 + digit;
    }
    size_t digits = parser->at - first;
    if (digits == 0) {
        return expected(parser, "a dimension (a decimal integer) or ')'");
    }
    if (digits > 1 && parser->text[first] == '0') {
        return fail(parser->where, TENSOR_ERROR_DATA, ".npy header: a dimension begins with 0");
    }
    if (parser->at < parser->end && parser->text[parser->at] == 'L') {
        parser->at++;
    }
    *size = value;
    return true;
}

// (), (n,), (n, m), (n, m,): a tuple of one needs its comma, as in Python.
static bool read_shape(Parser *parser, NpyHeader *header) {
    if (!take(parser, '(')) {
        return expected(parser, "a tuple of dimensions");
    }
    header->rank = 0;
    bool comma = true;
    while (!take(parser, ')')) {
        if (!comma) {
            return expected(parser, "',' or ')'");
        }
        if (header->rank == TENSOR_MAX_RANK) {
            return fail(parser->where, TENSOR_ERROR_DATA, "more than %d dimensions",
                        TENSOR_MAX_RANK);
        }
        if (!read_dimension(parser, &header->shape[header->rank])) {
            return false;
        }
        header->rank++;
        comma = take(parser, ',');
        if (!comma && header->rank == 1) {
            return expected(parser, "',' (a tuple of one dimension is written (n,))");
        }
    }
    return true;
}

// Why a dtype of this kind is refused; NULL for the kinds that are numbers.
static const char *reason_against(char kind) {
    switch (kind) {
    case 'O': return "pickled Python objects are never loaded";
    case 'c': return "complex numbers are not supported";
    case 'S':
    case 'a':
    case 'U': return "text is not supported";
    case 'M':
    case 'm': return "dates and times are not supported";
    case 'V': return "raw and structured elements are not supported";
    }
    return NULL;
}

static bool understand_dtype(Parser *parser, const char *text, size_t length, NpyHeader *header) {
    escape_text(parser->dtype, sizeof parser->dtype, text, length);
    const char *reason = length >= 2 ? reason_against(text[1]) : NULL;
    if (reason != NULL) {
        return fail(parser->where, TENSOR_ERROR_DATA, "dtype '%s': %s", parser->dtype, reason);
    }
    bool sized = length == 3 && text[2] >= '1' && text[2] <= '8';
    const char *kinds = "biuf";
    const char *kind = sized && text[1] != 0 ? strchr(kinds, text[1]) : NULL;
    if (kind == NULL) {
        return fail(parser->where, TENSOR_ERROR_DATA,
                    "dtype '%s' is not supported (b1, i1 to i8, u1 to u4, f2 to f8 are)",
                    parser->dtype);
    }
    static const StoredKind stored_kinds[] = {STORED_BOOL, STORED_SIGNED, STORED_UNSIGNED,
                                              STORED_FLOAT};
    header->stored = (StoredElement){stored_kinds[kind - kinds], text[2] - '0', text[0] == '>'};
    if (!element_of_stored(header->stored, &header->element)) {
        return fail(parser->where, TENSOR_ERROR_DATA,
                    "dtype '%s' has no element type that holds its values", parser->dtype);
    }
    bool ordered = text[0] == '<' || text[0] == '>';
    if (!ordered && !(text[0] == '|' && header->stored.size == 1)) {
        return fail(parser->where, TENSOR_ERROR_DATA, "dtype '%s' does not say its byte order",
                    parser->dtype);
    }
    return true;
}

static bool read_dtype(Parser *parser, NpyHeader *header) {
    const char *text;
    size_t length;
    if (take(parser, '[')) {
        return fail(parser->where, TENSOR_ERROR_DATA,
                    "structured elements (records) are not supported");
    }
    return read_string(parser, "a dtype string", &text, &length) &&
           understand_dtype(parser, text, length, header);
}

static bool read_order(Parser *parser, NpyHeader *header) {
    header->column_major = take_word(parser, "True");
    return header->column_major || take_word(parser, "False") || expected(parser, "True or False");
}

enum { KEY_DTYPE, KEY_ORDER, KEY_SHAPE, KEY_COUNT };
static const char *const key_names[KEY_COUNT] = {"descr", "fortran_order", "shape"};

// One "key: value"; sets the key's bit in *seen.
static bool read_pair(Parser *parser, unsigned *seen, NpyHeader *header) {
    const char *text;
    size_t length;
    if (!read_string(parser, "a key", &text, &length)) {
        return false;
    }
    int key = 0;
    while (key < KEY_COUNT &&
           (strlen(key_names[key]) != length || memcmp(key_names[key], text, length) != 0)) {
        key++;
    }
    if (key == KEY_COUNT) {
        char shown[40];
        return fail(parser->where, TENSOR_ERROR_DATA, ".npy header: unknown key '%s'",
                    escape_text(shown, sizeof shown, text, length));
    }
    if (*seen & 1u << key) {
        return fail(parser->where, TENSOR_ERROR_DATA, ".npy header: '%s' is given twice",
                    key_names[key]);
    }
    *seen |= 1u << key;
    if (!take(parser, ':')) {
        return expected(parser, "':'");
    }
    switch (key) {
    case KEY_DTYPE: return read_dtype(parser, header);
    case KEY_ORDER: return read_order(parser, header);
    default: return read_shape(parser, header);
    }
}

static bool read_dictionary(Parser *parser, NpyHeader *header) {
    if (!take(parser, '{')) {
        return expected(parser, "'{'");
    }
    unsigned seen = 0;
    bool comma = true;
    while (!take(parser, '}')) {
        if (!comma) {
            return expected(parser, "',' or '}'");
        }
        if (!read_pair(parser, &seen, header)) {
            return false;
        }
        comma = take(parser, ',');
    }
    for (int key = 0; key < KEY_COUNT; key++) {
        if (!(seen & 1u << key)) {
            return fail(parser->where, TENSOR_ERROR_DATA, ".npy header: '%s' is missing",
                        key_names[key]);
        }
    }
    skip_space(parser);
    return parser->at == parser->end || expected(parser, "nothing after the dictionary");
}

bool read_npy_header(const Where *where, const unsigned char *bytes, size_t length, size_t size,
                     NpyHeader *header) {
    Parser parser = {.where = where, .text = bytes, .at = bytes[6] == 1 ? 10 : 12, .end = length};
    if (!read_dictionary(&parser, header)) {
        return false;
    }
    if (!measure_shape(header->rank, header->shape, (size_t)header->stored.size, &header->count,
                       &header->data_bytes)) {
        return fail(where, TENSOR_ERROR_DATA,
                    "the shape is too large: its bytes do not fit in 63 bits");
    }
    if (size - length < header->data_bytes) {
        return fail(where, TENSOR_ERROR_DATA,
                    "cut off: %zu elements of %s take %zu bytes, but only %zu are there",
                    header->count, parser.dtype, header->data_bytes, size - length);
    }
    if (size - length > header->data_bytes) {
        return fail(where, TENSOR_ERROR_DATA, "%zu bytes too many after the %zu elements of %s",
                    size - length - header->data_bytes, header->count, parser.dtype);
    }
    return true;
}

// The elements

// Turns column-major data into row-major data.
static bool make_row_major(const Where *where, FileTensor *tensor) {
    size_t size = tensor_element_size(tensor->element);
    size_t count = tensor_element_count(tensor);
    unsigned char *rows = malloc(count > 0 ? count * size : 1);
    if (rows == NULL) {
        return fail_memory(where, count * size);
    }
    size_t stride[TENSOR_MAX_RANK] = {0}; // in elements of the column-major data
    int64_t index[TENSOR_MAX_RANK] = {0};
    size_t product = 1;
    for (int axis = 0; axis < tensor->rank; axis++) {
        stride[axis] = product;
        product *= (size_t)tensor->shape[axis];
    }
    const unsigned char *columns = tensor->data;
    size_t from = 0;
    for (size_t to = 0; to < count; to++) {
        memcpy(rows + to * size, columns + from * size, size);
        for (int axis = tensor->rank - 1; axis >= 0; axis--) {
            from += stride[axis];
            if (++index[axis] < tensor->shape[axis]) {
                break;
            }
            from -= stride[axis] * (size_t)tensor->shape[axis];
            index[axis] = 0;
        }
    }
    free(tensor->data);
    tensor->data = rows;
    return true;
}

bool decode_npy(const Where *where, const NpyHeader *header, const unsigned char *data,
                FileTensor *tensor) {
    tensor->element = header->element;
    tensor->rank = header->rank;
    memcpy(tensor->shape, header->shape, sizeof tensor->shape);
    if (!decode_elements(where, header->stored, data, header->count, tensor)) {
        return false;
    }
    return !header->column_major || header->rank < 2 || make_row_major(where, tensor);
}

bool read_npy(const Where *where, const unsigned char *bytes, size_t size, TensorFile *file) {
    size_t length = 0;
    NpyHeader header = {0};
    if (!find_npy_header_length(where, bytes, size, &length) ||
        !read_npy_header(where, bytes, length, size, &header) || !reserve_tensors(where, file, 1)) {
        return false;
    }
    FileTensor *tensor = &file->tensors[file->count++];
    tensor->name = copy_name(where, "", 0);
    return tensor->name != NULL && decode_npy(where, &header, bytes + length, tensor);
}

// Writing

static const char *dtype_of(TensorElement element) {
    switch (element) {
    case TENSOR_BOOL: return "|b1";
    case TENSOR_I32: return "<i4";
    case TENSOR_I64: return "<i8";
    case TENSOR_F16: return "<f2";
    case TENSOR_BF16: return NULL;
    case TENSOR_F32: return "<f4";
    case TENSOR_F64: return "<f8";
    }
    return NULL;
}

size_t encode_npy_header(const FileTensor *tensor, unsigned char out[NPY_WRITTEN_HEADER_MAX]) {
    const char *dtype = dtype_of(tensor->element);
    if (dtype == NULL) {
        return 0;
    }
    char text[NPY_WRITTEN_HEADER_MAX];
    int used =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", dtype);
    for (int axis = 0; axis < tensor->rank; axis++) {
        const char *after = tensor->rank == 1 ? "," : axis + 1 < tensor->rank ? ", " : "";
        used += snprintf(text + used, sizeof text - (size_t)used, "%lld%s",
                         (long long)tensor->shape[axis], after);
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "), }");

    // Spaces and a newline bring the data to a multiple of 64 bytes, as NumPy does.
    size_t total = (10 + (size_t)used + 1 + 63) / 64 * 64;
    memset(out, ' ', total);
    memcpy(out, magic, sizeof magic);
    out[6] = 1;
    out[7] = 0;
    out[8] = (unsigned char)((total - 10) & 0xff);
    out[9] = (unsigned char)((total - 10) >> 8);
    memcpy(out + 10, text, (size_t)used);
    out[total - 1] = '\n';
    return total;
}

bool encode_npy(const Where *where, const FileTensor *tensors, int count, Encoding *encoding) {
    if (count != 1) {
        return fail(where, TENSOR_ERROR_USAGE,
                    "a .npy file holds exactly one tensor, not %d; use .npz or .safetensors",
                    count);
    }
    encoding->owned = malloc(NPY_WRITTEN_HEADER_MAX);
    encoding->fragments = malloc(2 * sizeof *encoding->fragments);
    if (encoding->owned == NULL || encoding->fragments == NULL) {
        return fail_memory(where, NPY_WRITTEN_HEADER_MAX);
    }
    size_t length = encode_npy_header(&tensors[0], encoding->owned);
    if (length == 0) {
        return fail(where, TENSOR_ERROR_USAGE,
                    "%s has no .npy form; use .safetensors or convert to f32",
                    tensor_element_name(tensors[0].element));
    }
    encoding->fragments[0] = (Fragment){encoding->owned, length};
    encoding->fragments[1] = (Fragment){tensors[0].data, tensor_byte_count(&tensors[0])};
    encoding->count = 2;
    return true;
}
