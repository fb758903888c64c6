// Tensors of the command line: storage, conversion, literals.
#include "cli/tensor.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/half.h"

int64_t tensor_count(const Tensor *tensor) {
    int64_t count = 1;
    for (int i = 0; i < tensor->rank; i++)
        count *= tensor->shape[i];
    return count;
}

Tensor tensor_zeros(TdslElement element, int rank, const int64_t *shape) {
    Tensor tensor = {.element = element, .rank = rank};
    for (int i = 0; i < rank; i++)
        tensor.shape[i] = shape[i];
    size_t bytes = (size_t)tensor_count(&tensor) * tdsl_element_bytes(element);
    // Aligned for whole vector registers; at least one byte, so that no tensor is NULL.
    tensor.data = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (tensor.data == NULL)
        abort();
    memset(tensor.data, 0, bytes);
    return tensor;
}

void tensor_free(Tensor *tensor) {
    free(tensor->data);
    tensor->data = NULL;
}

double tensor_real(const Tensor *tensor, int64_t position) {
    switch (tensor->element) {
    case TDSL_F32: return ((const float *)tensor->data)[position];
    case TDSL_F64: return ((const double *)tensor->data)[position];
    case TDSL_BOOL:
    case TDSL_I32:
    case TDSL_I64: break;
    }
    return (double)tensor_integer(tensor, position);
}

int64_t tensor_integer(const Tensor *tensor, int64_t position) {
    switch (tensor->element) {
    case TDSL_BOOL: return ((const uint8_t *)tensor->data)[position];
    case TDSL_I32: return ((const int32_t *)tensor->data)[position];
    case TDSL_I64: return ((const int64_t *)tensor->data)[position];
    case TDSL_F32:
    case TDSL_F64: break;
    }
    return 0;
}

void tensor_store_real(Tensor *tensor, int64_t position, double value) {
    if (tensor->element == TDSL_F32)
        ((float *)tensor->data)[position] = (float)value;
    else
        ((double *)tensor->data)[position] = value;
}

void tensor_store_integer(Tensor *tensor, int64_t position, int64_t value) {
    switch (tensor->element) {
    case TDSL_BOOL: ((uint8_t *)tensor->data)[position] = value != 0; break;
    case TDSL_I32: ((int32_t *)tensor->data)[position] = (int32_t)value; break;
    case TDSL_I64: ((int64_t *)tensor->data)[position] = value; break;
    case TDSL_F32:
    case TDSL_F64: tensor_store_real(tensor, position, (double)value); break;
    }
}

static bool is_real(TdslElement element) {
    return element == TDSL_F32 || element == TDSL_F64;
}

const char *tensor_convert(const Tensor *tensor, TdslElement element, Tensor *converted) {
    if (is_real(tensor->element) && !is_real(element))
        return "real numbers are given where integers are needed";
    if (element == TDSL_BOOL && tensor->element != TDSL_BOOL)
        return "numbers are given where true or false are needed";
    *converted = tensor_zeros(element, tensor->rank, tensor->shape);
    int64_t count = tensor_count(tensor);
    for (int64_t i = 0; i < count; i++) {
        if (is_real(element)) {
            double real = tensor_real(tensor, i);
            // What rounds to a number beyond the largest f32.
            if (element == TDSL_F32 && isfinite(real) && fabs(real) >= 0x1.ffffffp127) {
                tensor_free(converted);
                return "a number is out of range";
            }
            tensor_store_real(converted, i, real);
            continue;
        }
        int64_t value = tensor_integer(tensor, i);
        tensor_store_integer(converted, i, value);
        if (tensor_integer(converted, i) != value) {
            tensor_free(converted);
            return "a number is out of range";
        }
    }
    return NULL;
}

// ---- literals

typedef struct LiteralReader {
    const char *next;
    double *reals;
    int64_t *integers;
    int64_t count, capacity;
    TdslElement element; // of all numbers so far
    bool any;
    int rank;
    int64_t shape[CLI_MAX_RANK];
    bool known[CLI_MAX_RANK];
} LiteralReader;

static void skip_space(LiteralReader *reader) {
    while (isspace((unsigned char)*reader->next))
        reader->next++;
}

static void push_number(LiteralReader *reader, TdslElement element, double real, int64_t integer) {
    if (reader->count == reader->capacity) {
        reader->capacity = reader->capacity ? 2 * reader->capacity : 16;
        reader->reals = realloc(reader->reals, (size_t)reader->capacity * sizeof(double));
        reader->integers = realloc(reader->integers, (size_t)reader->capacity * sizeof(int64_t));
        if (reader->reals == NULL || reader->integers == NULL)
            abort();
    }
    reader->reals[reader->count] = real;
    reader->integers[reader->count++] = integer;
    if (!reader->any || element > reader->element)
        reader->element = element;
    reader->any = true;
}

// Decimal numbers, and nan and inf by these names: strtod knows more.
static bool is_number(const char *text, size_t length) {
    size_t sign = length > 0 && (*text == '+' || *text == '-');
    if (length == sign + 3 &&
        (strncmp(text + sign, "nan", 3) == 0 || strncmp(text + sign, "inf", 3) == 0))
        return true;
    static const char *const names[] = {"NaN", "Infinity"}; // as --json writes them
    for (int i = 0; i < 2; i++)
        if (length == sign + strlen(names[i]) && strncmp(text + sign, names[i], length - sign) == 0)
            return true;
    return length > sign && strspn(text, "+-.eE0123456789") >= length;
}

static const char *read_number(LiteralReader *reader) {
    const char *start = reader->next;
    size_t length = strcspn(start, ",] \t\r\n");
    if (length == 4 && strncmp(start, "true", 4) == 0)
        push_number(reader, TDSL_BOOL, 1, 1);
    else if (length == 5 && strncmp(start, "false", 5) == 0)
        push_number(reader, TDSL_BOOL, 0, 0);
    else {
        char *end;
        errno = 0;
        long long integer = strtoll(start, &end, 10);
        bool whole = end == start + length && length > 0;
        if (whole && errno == ERANGE)
            return "an integer is out of range";
        double real = strtod(start, &end);
        if (end != start + length || !is_number(start, length))
            return "a number, true, false or a list [..] is expected";
        if (isinf(real) && strcspn(start, "0123456789") < length)
            return "a number is out of range of f64";
        push_number(reader, whole ? TDSL_I64 : TDSL_F64, real, integer);
    }
    reader->next = start + length;
    return NULL;
}

// Reads one value at nesting depth `depth`; all lists of one depth must have one length.
static const char *read_value(LiteralReader *reader, int depth) {
    skip_space(reader);
    if (*reader->next != '[') {
        if (reader->rank >= 0 && depth != reader->rank)
            return "lists and numbers are mixed";
        reader->rank = depth;
        return read_number(reader);
    }
    if (depth == CLI_MAX_RANK)
        return "lists are nested too deeply";
    if (reader->rank >= 0 && depth >= reader->rank)
        return "lists and numbers are mixed";
    reader->next++;
    int64_t count = 0;
    skip_space(reader);
    while (*reader->next != ']') {
        const char *why = read_value(reader, depth + 1);
        if (why)
            return why;
        count++;
        skip_space(reader);
        if (*reader->next == ',')
            reader->next++;
        else if (*reader->next != ']')
            return "a list is not closed";
        skip_space(reader);
    }
    reader->next++;
    if (reader->known[depth] && reader->shape[depth] != count)
        return "lists of one depth have different lengths";
    reader->known[depth] = true;
    reader->shape[depth] = count;
    return NULL;
}

const char *tensor_parse(const char *text, Tensor *tensor) {
    LiteralReader reader = {.next = text, .rank = -1};
    const char *why = read_value(&reader, 0);
    skip_space(&reader);
    if (why == NULL && *reader.next)
        why = "there is more text after the value";
    if (why == NULL) {
        int rank = reader.rank;
        for (int i = 0; rank < 0 && i < CLI_MAX_RANK; i++)
            if (!reader.known[i] || i == CLI_MAX_RANK - 1)
                rank = i; // empty lists only
        *tensor = tensor_zeros(reader.any ? reader.element : TDSL_I64, rank, reader.shape);
        for (int64_t i = 0; i < reader.count; i++)
            if (tensor->element == TDSL_F64)
                tensor_store_real(tensor, i, reader.reals[i]);
            else
                tensor_store_integer(tensor, i, reader.integers[i]);
    }
    free(reader.reals);
    free(reader.integers);
    return why;
}

// ---- files

const char *tensor_from_file(const FileTensor *source, Tensor *tensor) {
    TdslElement element = TDSL_F32;
    switch (source->element) {
    case TENSOR_BOOL: element = TDSL_BOOL; break;
    case TENSOR_I32: element = TDSL_I32; break;
    case TENSOR_I64: element = TDSL_I64; break;
    case TENSOR_F16:
    case TENSOR_BF16:
    case TENSOR_F32: element = TDSL_F32; break;
    case TENSOR_F64: element = TDSL_F64; break;
    }
    *tensor = tensor_zeros(element, source->rank, source->shape);
    int64_t count = tensor_count(tensor);
    if (source->element == TENSOR_F16 || source->element == TENSOR_BF16)
        for (int64_t i = 0; i < count; i++) {
            uint16_t half = ((const uint16_t *)source->data)[i];
            ((float *)tensor->data)[i] =
                source->element == TENSOR_F16 ? f32_from_f16(half) : f32_from_bf16(half);
        }
    else
        memcpy(tensor->data, source->data, (size_t)count * tdsl_element_bytes(element));
    return NULL;
}
