// Reads the oracle's files, strictly.
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool element_of(const char *dtype, TdslElement *element) {
    static const char *const names[] = {"bool", "i32", "i64", "f32", "f64"};
    for (int i = 0; i < 5; i++)
        if (strcmp(names[i], dtype) == 0) {
            *element = (TdslElement)i;
            return true;
        }
    return false;
}

const CaseTensor *find_tensor(const CaseTensor *tensors, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(tensors[i].name, name) == 0)
            return &tensors[i];
    return NULL;
}

bool is_program(const Case *test) {
    return strncmp(test->id, "program/", 8) == 0;
}

typedef struct Reader {
    Arena *arena;
    FILE *file;
    char *line;
    size_t capacity;
    int number;
    const char *path;
} Reader;

static bool next_line(Reader *reader) {
    ssize_t length = getline(&reader->line, &reader->capacity, reader->file);
    if (length < 0)
        return false;
    if (length > 0 && reader->line[length - 1] == '\n')
        reader->line[length - 1] = 0;
    reader->number++;
    return true;
}

static bool malformed(const Reader *reader, const char *what) {
    printf("%s:%d: %s\n", reader->path, reader->number, what);
    return false;
}

// The word at *text, in the arena; moves *text behind it and one space.
static const char *take_word(Arena *arena, char **text) {
    size_t length = strcspn(*text, " ");
    const char *word = arena_copy_text(arena, *text, length);
    *text += length + ((*text)[length] == ' ');
    return word;
}

static bool read_values(Reader *reader, CaseTensor *tensor) {
    if (!next_line(reader) || reader->line[0] != 'v')
        return malformed(reader, "a line with values is missing");
    TdslElement element = TDSL_I64;
    element_of(tensor->dtype, &element);
    bool real = element == TDSL_F32 || element == TDSL_F64;
    tensor->reals = arena_array(reader->arena, double, tensor->count + 1);
    tensor->integers = arena_array(reader->arena, int64_t, tensor->count + 1);
    char *next = reader->line + 1;
    for (int64_t i = 0; i < tensor->count; i++) {
        char *end;
        if (real)
            tensor->reals[i] = strtod(next, &end);
        else
            tensor->integers[i] = strtoll(next, &end, 10);
        if (end == next)
            return malformed(reader, "values are missing");
        next = end;
    }
    return true;
}

static bool read_tensor(Reader *reader, char *text, CaseTensor *tensor, Case *test) {
    *tensor = (CaseTensor){.name = take_word(reader->arena, &text)};
    tensor->dtype = take_word(reader->arena, &text);
    if (strcmp(tensor->dtype, "none") == 0) {
        tensor->is_none = true;
        return true;
    }
    TdslElement element;
    test->supported &= element_of(tensor->dtype, &element);
    tensor->rank = (int)strtol(text, &text, 10);
    if (tensor->rank > CASE_MAX_RANK) {
        test->supported = false;
        tensor->rank = 0;
        return next_line(reader);
    }
    tensor->count = 1;
    for (int i = 0; i < tensor->rank; i++) {
        tensor->shape[i] = strtoll(text, &text, 10);
        tensor->count *= tensor->shape[i];
    }
    tensor->requires_grad = strstr(text, " grad") != NULL;
    return read_values(reader, tensor);
}

static bool read_tensor_line(Reader *reader, const char *key, char *text, Case *test) {
    CaseTensor tensor;
    if (!read_tensor(reader, text, &tensor, test))
        return false;
    if (strcmp(key, "in") == 0) {
        CaseArgument argument = {test->inputs.count, -1};
        vec_push(reader->arena, &test->arguments, argument);
        vec_push(reader->arena, &test->inputs, tensor);
    } else if (strcmp(key, "out") == 0)
        vec_push(reader->arena, &test->outputs, tensor);
    else if (strcmp(key, "seed") == 0)
        vec_push(reader->arena, &test->seeds, tensor);
    else if (strcmp(key, "grad") == 0)
        vec_push(reader->arena, &test->gradients, tensor);
    return true;
}

static void read_attribute(Reader *reader, char *text, Case *test) {
    CaseAttribute attribute;
    attribute.name = take_word(reader->arena, &text);
    attribute.kind = take_word(reader->arena, &text);
    attribute.value = arena_copy_string(reader->arena, text);
    CaseArgument argument = {-1, test->attributes.count};
    vec_push(reader->arena, &test->arguments, argument);
    vec_push(reader->arena, &test->attributes, attribute);
}

static bool read_item(Reader *reader, Case *test, bool *ended) {
    char *text = reader->line;
    const char *key = take_word(reader->arena, &text);
    static const char *const tensors[] = {"in", "out", "seed", "grad", "dir", "hvp"};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (strcmp(key, tensors[i]) == 0)
            return read_tensor_line(reader, key, text, test);
    *ended = strcmp(key, "end") == 0;
    if (strcmp(key, "op") == 0)
        test->op = arena_copy_string(reader->arena, text);
    else if (strcmp(key, "note") == 0)
        test->note = arena_copy_string(reader->arena, text);
    else if (strcmp(key, "error") == 0)
        test->error = arena_copy_string(reader->arena, text);
    else if (strcmp(key, "expr") == 0)
        vec_push(reader->arena, &test->expressions, arena_copy_string(reader->arena, text));
    else if (strcmp(key, "attr") == 0)
        read_attribute(reader, text, test);
    else if (strcmp(key, "nanout") == 0)
        test->has_nan_output = true;
    else if (strcmp(key, "tol") == 0) {
        test->relative = strtod(text, &text);
        test->absolute = strtod(text, &text);
    } else if (!*ended && strcmp(key, "src") != 0 && strcmp(key, "gradcheck") != 0)
        return malformed(reader, "unknown key");
    return true;
}

static bool read_case(Reader *reader, CaseList *cases) {
    if (strncmp(reader->line, "case ", 5) != 0)
        return malformed(reader, "a case is expected");
    Case *test = arena_new(reader->arena, Case);
    test->id = arena_copy_string(reader->arena, reader->line + 5);
    test->op = test->note = "";
    test->relative = 1e-8;
    test->absolute = 1e-10;
    test->supported = true;
    for (bool ended = false; !ended;)
        if (!next_line(reader) || !read_item(reader, test, &ended))
            return malformed(reader, "the case does not end");
    vec_push(reader->arena, cases, test);
    return true;
}

bool read_cases(Arena *arena, const char *path, CaseList *cases) {
    Reader reader = {.arena = arena, .path = path, .file = fopen(path, "r")};
    if (reader.file == NULL) {
        perror(path);
        return false;
    }
    bool good = next_line(&reader) && strcmp(reader.line, "tdsl-oracle 1") == 0;
    if (!good)
        malformed(&reader, "not a `tdsl-oracle 1` file");
    while (good && next_line(&reader))
        good = read_case(&reader, cases);
    free(reader.line);
    fclose(reader.file);
    return good;
}
