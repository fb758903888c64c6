// Tables of numbers as comma-separated text (RFC 4180): one f64 tensor [rows, columns]. A first
// line in which no field is a number names the columns. Anything doubtful is refused with its line,
// since a table that is read wrong trains a model on nonsense: missing values, ragged rows, text
// among the numbers, numbers out of range.
#include "runtime/file_format.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 512, SHOWN_MAX = 60 };

typedef struct Reader {
    const Where *where;
    const char *text;
    size_t at, end;
    size_t line; // of the record being read, from 1
    int columns; // 0 before the first record
    double *values;
    size_t count, room;
} Reader;

typedef struct Field {
    const char *text; // without quotes and the space around it
    size_t length;
    bool quoted;
} Field;

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool at_line_end(const Reader *reader) {
    return reader->at == reader->end || reader->text[reader->at] == '\n' ||
           (reader->text[reader->at] == '\r' && reader->at + 1 < reader->end &&
            reader->text[reader->at + 1] == '\n');
}

static void skip_line_end(Reader *reader) {
    if (reader->at < reader->end && reader->text[reader->at] == '\r') {
        reader->at++;
    }
    if (reader->at < reader->end) {
        reader->at++;
    }
    reader->line++;
}

static const char *show_field(const Field *field, char *out, size_t size) {
    return escape_text(out, size, field->text, field->length);
}

// Takes the text between two separators; the separator stays. A quoted field ends at its closing
// quote.
static bool take_field(Reader *reader, int column, Field *field) {
    while (reader->at < reader->end && is_blank(reader->text[reader->at])) {
        reader->at++;
    }
    field->quoted = reader->at < reader->end && reader->text[reader->at] == '"';
    reader->at += field->quoted ? 1 : 0;
    size_t first = reader->at, last = first;
    while (!at_line_end(reader) && reader->text[reader->at] != (field->quoted ? '"' : ',')) {
        last = is_blank(reader->text[reader->at]) && !field->quoted ? last : reader->at + 1;
        reader->at++;
    }
    *field = (Field){reader->text + first, last - first, field->quoted};
    if (!field->quoted) {
        return true;
    }
    if (at_line_end(reader)) {
        return fail(reader->where, TENSOR_ERROR_DATA,
                    "line %zu, column %d: the quote is not closed", reader->line, column);
    }
    reader->at++;
    while (reader->at < reader->end && is_blank(reader->text[reader->at])) {
        reader->at++;
    }
    if (!at_line_end(reader) && reader->text[reader->at] != ',') {
        return fail(reader->where, TENSOR_ERROR_DATA,
                    "line %zu, column %d: text after the closing quote", reader->line, column);
    }
    return true;
}

static size_t count_digits(const char *text, size_t length) {
    size_t digits = 0;
    while (digits < length && text[digits] >= '0' && text[digits] <= '9') {
        digits++;
    }
    return digits;
}

// Whether the text (without sign) is one of the names that strtod knows for values that are not
// finite.
static bool is_special(const char *text, size_t length) {
    static const char *const names[] = {"nan", "inf", "infinity"};
    for (int i = 0; i < 3; i++) {
        size_t matched = 0;
        while (matched < length && names[i][matched] != 0 &&
               (text[matched] | 0x20) == names[i][matched]) {
            matched++;
        }
        if (matched == length && names[i][matched] == 0) {
            return true;
        }
    }
    return false;
}

// The grammar of a number, which is stricter than strtod's: decimal only.
static bool is_number(const char *text, size_t length) {
    if (length > 0 && (text[0] == '+' || text[0] == '-')) {
        text++;
        length--;
    }
    if (is_special(text, length)) {
        return true;
    }
    size_t at = count_digits(text, length);
    size_t digits = at;
    if (at < length && text[at] == '.') {
        size_t fraction = count_digits(text + at + 1, length - at - 1);
        digits += fraction;
        at += 1 + fraction;
    }
    if (digits == 0) {
        return false;
    }
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < length && (text[at] == '+' || text[at] == '-')) {
            at++;
        }
        size_t exponent = count_digits(text + at, length - at);
        if (exponent == 0) {
            return false;
        }
        at += exponent;
    }
    return at == length;
}

static bool read_number(const Reader *reader, int column, const Field *field, double *value) {
    char shown[SHOWN_MAX];
    if (field->length == 0) {
        return fail(reader->where, TENSOR_ERROR_DATA,
                    "line %zu, column %d: the value is missing (write nan for none)", reader->line,
                    column);
    }
    if (!is_number(field->text, field->length)) {
        return fail(reader->where, TENSOR_ERROR_DATA, "line %zu, column %d: '%s' is not a number",
                    reader->line, column, show_field(field, shown, sizeof shown));
    }
    char number[NUMBER_MAX];
    if (field->length >= sizeof number) {
        return fail(reader->where, TENSOR_ERROR_DATA,
                    "line %zu, column %d: a number of %zu characters; the limit is %d",
                    reader->line, column, field->length, NUMBER_MAX - 1);
    }
    memcpy(number, field->text, field->length);
    number[field->length] = 0;
    *value = strtod(number, NULL);
    bool is_signed = number[0] == '+' || number[0] == '-';
    if (isinf(*value) && !is_special(number + is_signed, field->length - is_signed)) {
        return fail(reader->where, TENSOR_ERROR_DATA,
                    "line %zu, column %d: '%s' is out of the range of f64", reader->line, column,
                    show_field(field, shown, sizeof shown));
    }
    return true;
}

static bool append_value(Reader *reader, double value) {
    if (reader->count == reader->room) {
        size_t room = reader->room > 0 ? reader->room * 2 : 64;
        double *values = room <= SIZE_MAX / 2 / sizeof *values
                             ? realloc(reader->values, room * sizeof *values)
                             : NULL;
        if (values == NULL) {
            return fail_memory(reader->where, room * sizeof *values);
        }
        reader->values = values;
        reader->room = room;
    }
    reader->values[reader->count++] = value;
    return true;
}

// Takes the separator if another field follows.
static bool take_comma(Reader *reader) {
    if (at_line_end(reader)) {
        return false;
    }
    reader->at++;
    return true;
}

static bool read_row(Reader *reader) {
    int column = 0;
    do {
        Field field;
        double value = 0;
        column++;
        if (!take_field(reader, column, &field) || !read_number(reader, column, &field, &value) ||
            !append_value(reader, value)) {
            return false;
        }
    } while (take_comma(reader) && column < INT_MAX);
    if (reader->columns != 0 && column != reader->columns) {
        return fail(reader->where, TENSOR_ERROR_DATA,
                    "line %zu has %d columns, but the lines before have %d", reader->line, column,
                    reader->columns);
    }
    reader->columns = column;
    return true;
}

// Counts the first line's fields, and how many of them are numbers; the position stays.
static bool survey_first_line(const Reader *reader, int *fields, int *numbers) {
    Reader ahead = *reader;
    *fields = *numbers = 0;
    do {
        Field field;
        if (!take_field(&ahead, *fields + 1, &field)) {
            return false;
        }
        ++*fields;
        *numbers += is_number(field.text, field.length) ? 1 : 0;
    } while (take_comma(&ahead) && *fields < INT_MAX);
    return true;
}

static int compare_strings(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

// Refuses two columns of the same name.
static bool check_names(const Reader *reader, char *const *names, int count) {
    char **sorted = malloc((size_t)count * sizeof *sorted);
    if (sorted == NULL) {
        return fail_memory(reader->where, (size_t)count * sizeof *sorted);
    }
    memcpy(sorted, names, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_strings);
    bool distinct = true;
    for (int i = 1; i < count && distinct; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0) {
            char shown[SHOWN_MAX];
            distinct = fail(reader->where, TENSOR_ERROR_DATA, "line 1: two columns are named '%s'",
                            escape_text(shown, sizeof shown, sorted[i], strlen(sorted[i])));
        }
    }
    free(sorted);
    return distinct;
}

static bool read_header(Reader *reader, int count, TensorFile *file) {
    file->columns = calloc((size_t)count, sizeof *file->columns);
    if (file->columns == NULL) {
        return fail_memory(reader->where, (size_t)count * sizeof *file->columns);
    }
    for (int column = 1; column <= count; column++) {
        Field field;
        if (!take_field(reader, column, &field)) {
            return false;
        }
        bool text =
            is_utf8(field.text, field.length) && memchr(field.text, 0, field.length) == NULL;
        if (field.length == 0 || !text) {
            return fail(reader->where, TENSOR_ERROR_DATA, "line 1, column %d: the name is %s",
                        column, text ? "empty" : "not UTF-8 text");
        }
        char *name = copy_name(reader->where, field.text, field.length);
        if (name == NULL) {
            return false;
        }
        file->columns[file->column_count++] = name;
        take_comma(reader);
    }
    reader->columns = count;
    return check_names(reader, file->columns, count);
}

// Whether only empty lines are left.
static bool is_finished(const Reader *reader) {
    Reader ahead = *reader;
    while (ahead.at < ahead.end && at_line_end(&ahead)) {
        skip_line_end(&ahead);
    }
    return ahead.at == ahead.end;
}

static bool read_table(Reader *reader, TensorFile *file) {
    int fields, numbers;
    if (is_finished(reader)) {
        return fail(reader->where, TENSOR_ERROR_DATA, "the table is empty");
    }
    if (!survey_first_line(reader, &fields, &numbers)) {
        return false;
    }
    if (numbers == 0 && !at_line_end(reader)) {
        if (!read_header(reader, fields, file)) {
            return false;
        }
        skip_line_end(reader);
    }
    while (!is_finished(reader)) {
        if (at_line_end(reader)) {
            return fail(reader->where, TENSOR_ERROR_DATA, "line %zu is empty", reader->line);
        }
        if (!read_row(reader)) {
            return false;
        }
        skip_line_end(reader);
    }
    return true;
}

// Hands the values over as the file's only tensor.
static bool finish_table(Reader *reader, TensorFile *file) {
    if (!reserve_tensors(reader->where, file, 1)) {
        return false;
    }
    FileTensor *tensor = &file->tensors[file->count++];
    tensor->name = copy_name(reader->where, "", 0);
    tensor->element = TENSOR_F64;
    tensor->rank = 2;
    tensor->shape[0] = (int64_t)(reader->count / (size_t)reader->columns);
    tensor->shape[1] = reader->columns;
    tensor->data = reader->values != NULL ? reader->values : calloc(1, sizeof(double));
    reader->values = NULL;
    return (tensor->name != NULL && tensor->data != NULL) ||
           fail_memory(reader->where, sizeof(double));
}

bool read_csv(const Where *where, const unsigned char *bytes, size_t size, TensorFile *file) {
    Reader reader = {.where = where, .text = (const char *)bytes, .end = size, .line = 1};
    if (size >= 3 &&
        memcmp(bytes, "\xef\xbb\xbf", 3) == 0) { // the mark that some spreadsheets put first
        reader.at = 3;
    }
    // In many locales strtod wants a decimal comma; this thread alone gets the "C" locale for a
    // while.
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) {
        return fail_system(where, "read numbers", errno);
    }
    locale_t previous = uselocale(plain);
    bool done = read_table(&reader, file) && finish_table(&reader, file);
    uselocale(previous);
    freelocale(plain);
    free(reader.values);
    return done;
}
