// The parts of the text form that are not instructions: numbers, dimensions, types, attributes and
// the data of constants.
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/attribute.h"
#include "ir/op.h"
#include "ir/parse.h"

// Digits alone: a number with a fraction or an exponent is no integer.
static bool parse_magnitude(Parser *p, uint64_t *magnitude) {
    if (p->token.kind != TOKEN_NUMBER) {
        parse_fail_expected(p, "an integer");
        return false;
    }
    uint64_t value = 0;
    for (int i = p->token.start; i < p->token.end; i++) {
        char c = p->text[i];
        if (c < '0' || c > '9') {
            parse_fail_expected(p, "an integer");
            return false;
        }
        uint64_t digit = (uint64_t)(c - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            parse_fail(p, token_span(p), "this integer is too large");
            return false;
        }
        value = value * 10 + digit;
    }
    next_token(p);
    *magnitude = value;
    return true;
}

bool parse_integer(Parser *p, int64_t *value) {
    Span span = token_span(p);
    bool is_negative = accept_mark(p, '-');
    uint64_t magnitude = 0;
    if (!parse_magnitude(p, &magnitude)) {
        return false;
    }
    if (magnitude > (uint64_t)INT64_MAX + is_negative) {
        parse_fail(p, span, "this integer is too large");
        return false;
    }
    *value = !is_negative ? (int64_t)magnitude : magnitude ? -(int64_t)(magnitude - 1) - 1 : 0;
    return true;
}

bool parse_int(Parser *p, int *value) {
    Span span = token_span(p);
    int64_t wide = 0;
    if (!parse_integer(p, &wide)) {
        return false;
    }
    if (wide < INT_MIN || wide > INT_MAX) {
        parse_fail(p, span, "this integer is too large");
        return false;
    }
    *value = (int)wide;
    return true;
}

static const Dim *parse_dim_atom(Parser *p) {
    if (p->token.kind == TOKEN_NAME) {
        const Dim *dim = dim_symbol(p->module->dims, token_text(p));
        next_token(p);
        return dim;
    }
    if (accept_mark(p, '(')) {
        const Dim *dim = parse_dim(p);
        return dim && expect_mark(p, ')') ? dim : NULL;
    }
    int64_t value = 0;
    if (p->token.kind != TOKEN_NUMBER) {
        parse_fail_expected(p, "a dimension");
        return NULL;
    }
    return parse_integer(p, &value) ? dim_constant(p->module->dims, value) : NULL;
}

static const Dim *checked_dim(Parser *p, const Dim *dim, int start, const char *mistake) {
    if (!dim) {
        parse_fail(p, span_from(p, start), "%s", mistake);
    }
    return dim;
}

static const Dim *parse_dim_product(Parser *p) {
    int start = p->token.start;
    const Dim *product = parse_dim_atom(p);
    while (product && (at_mark(p, '*') || at_mark(p, '/'))) {
        bool divides = at_mark(p, '/');
        next_token(p);
        const Dim *factor = parse_dim_atom(p);
        if (!factor) {
            return NULL;
        }
        product = divides ? dim_divide(p->module->dims, product, factor)
                          : dim_multiply(p->module->dims, product, factor);
        checked_dim(p, product, start,
                    divides ? "this dimension is not a whole number"
                            : "this dimension is too large");
    }
    return product;
}

static const Dim *parse_dim_sum(Parser *p) {
    DimTable *dims = p->module->dims;
    int start = p->token.start;
    bool is_negative = accept_mark(p, '-');
    const Dim *sum = parse_dim_product(p);
    if (sum && is_negative) {
        sum = checked_dim(p, dim_subtract(dims, dim_constant(dims, 0), sum), start,
                          "this dimension is too large");
    }
    while (sum && (at_mark(p, '+') || at_mark(p, '-'))) {
        bool subtracts = at_mark(p, '-');
        next_token(p);
        const Dim *term = parse_dim_product(p);
        if (!term) {
            return NULL;
        }
        sum = subtracts ? dim_subtract(dims, sum, term) : dim_add(dims, sum, term);
        checked_dim(p, sum, start, "this dimension is too large");
    }
    return sum;
}

const Dim *parse_dim(Parser *p) {
    const Dim *dim = parse_enter(p) ? parse_dim_sum(p) : NULL;
    parse_leave(p);
    return dim;
}

// Dimensions up to the closing bracket; the opening one was read.
static bool parse_dims_rest(Parser *p, Dims *dims) {
    VEC(const Dim *) list = {0};
    while (!p->failed && !at_mark(p, ']')) {
        const Dim *dim = parse_dim(p);
        if (!dim) {
            return false;
        }
        vec_push(p->arena, &list, dim);
        if (!accept_mark(p, ',')) {
            break;
        }
    }
    *dims = (Dims){list.at, list.count};
    return expect_mark(p, ']');
}

bool parse_ints(Parser *p, Ints *ints) {
    VEC(int) list = {0};
    if (!expect_mark(p, '[')) {
        return false;
    }
    while (!p->failed && !at_mark(p, ']')) {
        int value = 0;
        if (!parse_int(p, &value)) {
            return false;
        }
        vec_push(p->arena, &list, value);
        if (!accept_mark(p, ',')) {
            break;
        }
    }
    *ints = (Ints){list.at, list.count};
    return expect_mark(p, ']');
}

bool parse_element(Parser *p, ElementType *element) {
    if (p->token.kind != TOKEN_NAME || !element_from_name(token_text(p), element)) {
        parse_fail_expected(p, "an element type");
        return false;
    }
    next_token(p);
    return true;
}

bool parse_type(Parser *p, Type *type) {
    int start = p->token.start;
    *type = (Type){0};
    if (!parse_element(p, &type->element)) {
        return false;
    }
    if (!accept_mark(p, '[')) {
        return true;
    }
    Dims dims = {0};
    if (!parse_dims_rest(p, &dims)) {
        return false;
    }
    if (dims.count == 0) {
        parse_fail(p, span_from(p, start), "a scalar type is written without brackets");
        return false;
    }
    *type = (Type){type->element, dims.count, dims.at};
    if (!type_fits(*type)) {
        parse_fail(p, span_from(p, start),
                   "this type has a negative dimension or too many elements");
        return false;
    }
    return true;
}

static bool parse_flag(Parser *p, bool *flag) {
    *flag = at_word(p, "true");
    if (!*flag && !at_word(p, "false")) {
        parse_fail_expected(p, "true or false");
        return false;
    }
    next_token(p);
    return true;
}

static bool parse_text(Parser *p, const char **text) {
    if (p->token.kind != TOKEN_STRING) {
        parse_fail_expected(p, "a text in quotes");
        return false;
    }
    *text = token_text(p);
    next_token(p);
    return !p->failed;
}

static bool parse_callee(Parser *p, Function **callee) {
    Span span = token_span(p);
    const char *name = expect_name(p, "a function's name");
    ParsedFunction *parsed = name ? name_table_find(&p->functions_by_name, name) : NULL;
    if (!parsed) {
        parse_fail(p, span, "there is no function '%s'", name ? name : "");
        return false;
    }
    *callee = parsed->function;
    return ensure_body(p, parsed, span);
}

static bool parse_field(Parser *p, FieldKind kind, void *member) {
    switch (kind) {
    case FIELD_ELEMENT: return parse_element(p, member);
    case FIELD_DIMS: return expect_mark(p, '[') && parse_dims_rest(p, member);
    case FIELD_DIM: return (*(const Dim **)member = parse_dim(p)) != NULL;
    case FIELD_INTS: return parse_ints(p, member);
    case FIELD_INT: return parse_int(p, member);
    case FIELD_FLAG: return parse_flag(p, member);
    case FIELD_TEXT: return parse_text(p, member);
    case FIELD_FUNCTION: return parse_callee(p, member);
    }
    return false;
}

// Which of the fields has the name at the current token; -1 after an error.
static int find_field(Parser *p, const AttributeField *fields, int count) {
    for (int i = 0; i < count; i++) {
        if (at_word(p, fields[i].name)) {
            return i;
        }
    }
    parse_fail_expected(p, "an attribute of this operator");
    return -1;
}

bool parse_attribute(Parser *p, AttributeKind kind, Attribute *attr) {
    int count = 0;
    bool seen[ATTRIBUTE_FIELDS_MAX] = {false};
    const AttributeField *fields = attribute_fields(kind, &count);
    if (count == 0) {
        return true;
    }
    int start = p->token.start;
    if (!expect_mark(p, '{')) {
        return false;
    }
    do {
        int i = find_field(p, fields, count);
        if (i < 0) {
            return false;
        }
        if (seen[i]) {
            parse_fail(p, token_span(p), "the attribute '%s' is given twice", fields[i].name);
            return false;
        }
        seen[i] = true;
        next_token(p);
        if (!expect_mark(p, '=') ||
            !parse_field(p, fields[i].kind, (char *)attr + fields[i].offset)) {
            return false;
        }
    } while (accept_mark(p, ','));
    if (!expect_mark(p, '}')) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (!seen[i] && fields[i].kind != FIELD_FLAG) {
            parse_fail(p, span_from(p, start), "the attribute '%s' is missing", fields[i].name);
        }
    }
    return !p->failed;
}

static bool parse_real(Parser *p, bool is_single, double *value) {
    char digits[64];
    Span span = token_span(p);
    bool is_negative = accept_mark(p, '-');
    int length = p->token.end - p->token.start;
    bool is_nan = at_word(p, "nan");
    bool is_infinite = at_word(p, "inf");
    if (is_nan || is_infinite) {
        *value = is_nan ? NAN : is_negative ? -INFINITY : INFINITY;
        next_token(p);
        return true;
    }
    if (p->token.kind != TOKEN_NUMBER) {
        parse_fail_expected(p, "a number");
        return false;
    }
    if (length >= (int)sizeof digits) {
        parse_fail(p, span, "this number has too many digits");
        return false;
    }
    memcpy(digits, p->text + p->token.start, (size_t)length);
    digits[length] = '\0';
    double magnitude = is_single ? (double)strtof(digits, NULL) : strtod(digits, NULL);
    next_token(p);
    if (isinf(magnitude)) {
        parse_fail(p, span, "this number is too large");
        return false;
    }
    *value = is_negative ? -magnitude : magnitude;
    return true;
}

static bool parse_element_value(Parser *p, const TensorData *data, int64_t position) {
    bool flag = false;
    int64_t integer = 0;
    double real = 0;
    switch (data->type.element) {
    case TYPE_BOOL:
        if (!parse_flag(p, &flag)) {
            return false;
        }
        ((unsigned char *)data->bytes)[position] = flag;
        return true;
    case TYPE_I32: {
        Span span = token_span(p);
        if (!parse_integer(p, &integer)) {
            return false;
        }
        if (integer < INT32_MIN || integer > INT32_MAX) {
            parse_fail(p, span, "this integer is too large for i32");
            return false;
        }
        ((int32_t *)data->bytes)[position] = (int32_t)integer;
        return true;
    }
    case TYPE_I64:
        if (!parse_integer(p, &integer)) {
            return false;
        }
        ((int64_t *)data->bytes)[position] = integer;
        return true;
    case TYPE_F32:
        if (!parse_real(p, true, &real)) {
            return false;
        }
        ((float *)data->bytes)[position] = (float)real;
        return true;
    case TYPE_F64: return parse_real(p, false, &((double *)data->bytes)[position]);
    case ELEMENT_TYPE_COUNT: break;
    }
    return false;
}

static bool parse_list(Parser *p, const TensorData *data, int axis, int64_t *position);

static bool parse_items(Parser *p, const TensorData *data, int axis, int64_t *position) {
    int64_t size = dim_value(data->type.dims[axis]);
    if (!expect_mark(p, '[')) {
        return false;
    }
    for (int64_t i = 0; i < size; i++) {
        if ((i && !expect_mark(p, ',')) || !parse_list(p, data, axis + 1, position)) {
            return false;
        }
    }
    return expect_mark(p, ']');
}

static bool parse_list(Parser *p, const TensorData *data, int axis, int64_t *position) {
    if (axis == data->type.rank) {
        return parse_element_value(p, data, (*position)++);
    }
    bool parsed = parse_enter(p) && parse_items(p, data, axis, position);
    parse_leave(p);
    return parsed;
}

const TensorData *parse_data(Parser *p, Type type) {
    TensorData *data = arena_new(p->arena, TensorData);
    int64_t position = 0;
    data->type = type;
    data->bytes = arena_alloc(p->arena, type_bytes(type));
    return parse_list(p, data, 0, &position) ? data : NULL;
}
