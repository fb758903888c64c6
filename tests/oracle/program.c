// Turns a case into statements of a tdsl model.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case.h"
#include "ir/base/text.h"

// Where the oracle's name of an operator is not the language's.
static const struct {
    const char *oracle, *language;
} renamed[] = {
    {"bce", "binary_cross_entropy"}, {"bce_with_logits", "binary_cross_entropy_with_logits"},
    {"pad_constant", "pad"},         {"constant_pad_nd", "pad"},
    {"pad_reflect", "pad"},
};

typedef struct Writer {
    Arena *arena;
    const Case *test;
    const char *prefix;
    int form;
    Text text;
} Writer;

static bool is_list_item(const char *name) {
    const char *dot = strchr(name, '.');
    return dot && isdigit((unsigned char)dot[1]);
}

// "tensors.0" is a leaf tensors_0.
static const char *leaf_name(const Writer *writer, const char *name) {
    char *copy = arena_format(writer->arena, "%s%s", writer->prefix, name);
    for (char *c = copy; *c; c++)
        if (*c == '.')
            *c = '_';
    return copy;
}

static void write_real(Writer *writer, double value) {
    if (isnan(value))
        text_add(&writer->text, "nan");
    else if (isinf(value))
        text_add(&writer->text, value < 0 ? "-inf" : "inf");
    else
        text_add_real(&writer->text, value, false);
}

static void write_list(Writer *writer, const char *value, bool real) {
    char *next;
    long count = strtol(value, &next, 10);
    text_add_char(&writer->text, '[');
    for (long i = 0; i < count; i++) {
        if (i > 0)
            text_add(&writer->text, ", ");
        if (real)
            write_real(writer, strtod(next, &next));
        else
            text_format(&writer->text, "%ld", strtol(next, &next, 10));
    }
    text_add_char(&writer->text, ']');
}

static void write_attribute(Writer *writer, const CaseAttribute *attribute) {
    const char *kind = attribute->kind, *value = attribute->value;
    if (strcmp(kind, "b") == 0)
        text_add(&writer->text, value[0] == '1' ? "true" : "false");
    else if (strcmp(kind, "i") == 0)
        text_add(&writer->text, value);
    else if (strcmp(kind, "f") == 0)
        write_real(writer, strtod(value, NULL));
    else if (strcmp(kind, "il") == 0 || strcmp(kind, "fl") == 0)
        write_list(writer, value, kind[0] == 'f');
    else if (strcmp(kind, "none") == 0)
        text_add(&writer->text, "none");
    else if (value[0] == '[')
        text_add(&writer->text, value);
    else
        text_format(&writer->text, "\"%s\"", value);
}

static void write_leaves(Writer *writer) {
    const Case *test = writer->test;
    for (int i = 0; i < test->inputs.count; i++) {
        const CaseTensor *tensor = &test->inputs.at[i];
        text_format(&writer->text, "    input %s: %s", leaf_name(writer, tensor->name),
                    tensor->dtype);
        for (int axis = 0; axis < tensor->rank; axis++)
            text_format(&writer->text, "%s%lld%s", axis ? ", " : "[",
                        (long long)tensor->shape[axis], axis + 1 == tensor->rank ? "]" : "");
        text_add(&writer->text, tensor->requires_grad ? " requires_grad\n" : "\n");
    }
}

// Python's slices and None become the language's; names of leaves get the prefix.
static void write_expression(Writer *writer, const char *source) {
    for (const char *c = source; *c;) {
        if (!isalpha((unsigned char)*c) && *c != '_') {
            text_add_char(&writer->text, *c++);
            continue;
        }
        size_t length = 0;
        while (isalnum((unsigned char)c[length]) || c[length] == '_')
            length++;
        const char *word = arena_copy_text(writer->arena, c, length);
        if (find_tensor(writer->test->inputs.at, writer->test->inputs.count, word))
            text_add(&writer->text, leaf_name(writer, word));
        else
            text_add(&writer->text, strcmp(word, "None") == 0    ? "none"
                                    : strcmp(word, "True") == 0  ? "true"
                                    : strcmp(word, "False") == 0 ? "false"
                                                                 : word);
        c += length;
    }
}

// One argument. List items `tensors.0 tensors.1` become one argument [a, b]; the caller passes the
// first. Form 0 names every argument but the first; form 1 names attributes only; forms 2 and 3
// none.
static void write_argument(Writer *writer, int index, int *printed) {
    const Case *test = writer->test;
    const CaseArgument *argument = &test->arguments.at[index];
    bool is_tensor = argument->tensor >= 0;
    const char *name = is_tensor ? test->inputs.at[argument->tensor].name
                                 : test->attributes.at[argument->attribute].name;
    if ((*printed)++ > 0)
        text_add(&writer->text, ", ");
    bool positional = strncmp(name, "arg", 3) == 0 || strcmp(name, "x") == 0 || *printed == 1 ||
                      (writer->form == 1 && is_tensor) || writer->form >= 2;
    const char *dot = is_list_item(name) ? strchr(name, '.') : NULL;
    if (!positional)
        text_format(&writer->text, "%.*s=", dot ? (int)(dot - name) : (int)strlen(name), name);
    // The corpus has the weights as a second output whatever the attribute says.
    if (strcmp(name, "need_attn_weights") == 0) {
        text_add(&writer->text, test->outputs.count == 2 ? "true" : "false");
        return;
    }
    if (!is_tensor) {
        write_attribute(writer, &test->attributes.at[argument->attribute]);
        return;
    }
    text_add(&writer->text, dot ? "[" : "");
    text_add(&writer->text, leaf_name(writer, name));
    for (int i = index + 1; dot && i < test->arguments.count; i++) {
        int other = test->arguments.at[i].tensor;
        if (other < 0 || strncmp(test->inputs.at[other].name, name, (size_t)(dot - name) + 1) != 0)
            continue;
        text_format(&writer->text, ", %s", leaf_name(writer, test->inputs.at[other].name));
    }
    text_add(&writer->text, dot ? "]" : "");
}

// ---- random programs: one operator a line, `v3 = op(v1, x0, dim=1)`

static const char *text_between(Arena *arena, const char *text, const char *before,
                                const char *stops) {
    const char *start = strstr(text, before);
    if (start == NULL)
        return NULL;
    start += strlen(before);
    return arena_copy_text(arena, start, strcspn(start, stops));
}

// A name of a random program (x0, v3, also in `v3, v7`) with the prefix.
static void write_random_names(Writer *writer, const char *source) {
    for (const char *c = source; *c;) {
        bool starts = c == source || !(isalnum((unsigned char)c[-1]) || c[-1] == '_');
        if (starts && (*c == 'x' || *c == 'v') && isdigit((unsigned char)c[1]))
            text_add(&writer->text, writer->prefix);
        if (strncmp(c, "True", 4) == 0 || strncmp(c, "False", 5) == 0) {
            text_add_char(&writer->text, (char)tolower((unsigned char)*c++));
            continue;
        }
        text_add_char(&writer->text, *c++);
    }
}

// The operators that the generator of these programs defined for itself.
static const struct {
    const char *name, *before, *between[4], *after;
} generator_operators[] = {
    {"expt", "exp(tanh(", {NULL}, "))"},
    {"div1", "", {" / (1 + ", " ** 2"}, ")"},
    {"where_gt", "where(", {" > ", ", ", ", "}, ")"},
    {"stack", "stack([", {", ", "], "}, ")"},
    {"cat", "cat([", {", ", "], "}, ")"},
};

// `name(a, b, ...)` with other text around the arguments; false: not one of the generator's own.
static bool write_generator_operator(Writer *writer, const char *call) {
    size_t length = strcspn(call, "(");
    for (size_t i = 0; i < sizeof generator_operators / sizeof *generator_operators; i++) {
        const char *name = generator_operators[i].name;
        if (strlen(name) != length || strncmp(name, call, length) != 0)
            continue;
        text_add(&writer->text, generator_operators[i].before);
        const char *next = call + length + 1;
        for (int k = 0;; k++) {
            size_t argument = strcspn(next, ",)");
            write_random_names(writer, arena_copy_text(writer->arena, next, argument));
            next += argument;
            const char *between = k < 4 ? generator_operators[i].between[k] : NULL;
            if (between)
                text_add(&writer->text, between);
            if (*next != ',')
                break;
            next += strspn(next, ", ");
        }
        text_add(&writer->text, generator_operators[i].after);
        return true;
    }
    return false;
}

static void write_random_line(Writer *writer, const char *line) {
    const char *call = strstr(line, " = ");
    text_add(&writer->text, "    ");
    write_random_names(writer, arena_copy_text(writer->arena, line, (size_t)(call - line)));
    text_add(&writer->text, " = ");
    call += 3;
    const char *size = text_between(writer->arena, call, "layer_norm(", ",");
    const char *axis = text_between(writer->arena, call, "dim=", ",)");
    if (size) {
        text_add(&writer->text, "layer_norm(");
        write_random_names(writer, size);
        text_format(&writer->text, ", [%s])", text_between(writer->arena, call, "n=", ")"));
    } else if (strncmp(call, "slice(", 6) == 0) {
        write_random_names(writer, text_between(writer->arena, call, "(", ","));
        text_add_char(&writer->text, '[');
        for (long i = strtol(axis, NULL, 10); i > 0; i--)
            text_add(&writer->text, ":, ");
        text_format(&writer->text, "%s:%s:%s]", text_between(writer->arena, call, "start=", ",)"),
                    text_between(writer->arena, call, "end=", ",)"),
                    text_between(writer->arena, call, "step=", ",)"));
    } else if (strncmp(call, "var(", 4) == 0) { // the generator's is the biased one
        write_random_names(writer, arena_copy_text(writer->arena, call, strlen(call) - 1));
        text_add(&writer->text, ", unbiased=false)");
    } else if (!write_generator_operator(writer, call))
        write_random_names(writer, call);
    text_add_char(&writer->text, '\n');
}

// The lines of a random program; its last one is `return v3` or `return v3, v2`.
static void write_random(Writer *writer) {
    const Case *test = writer->test;
    int count = test->expressions.count;
    for (int i = 0; i + 1 < count; i++)
        write_random_line(writer, test->expressions.at[i]);
    const char *returned = test->expressions.at[count - 1] + strlen("return ");
    for (int i = 0; i < test->outputs.count; i++) {
        text_format(&writer->text, "    output %s%s = ", writer->prefix, test->outputs.at[i].name);
        write_random_names(writer,
                           arena_copy_text(writer->arena, returned, strcspn(returned, ",")));
        text_add_char(&writer->text, '\n');
        returned += strcspn(returned, ",");
        returned += strspn(returned, ", ");
    }
}

static bool is_later_item(const Case *test, int index) {
    int tensor = test->arguments.at[index].tensor;
    return tensor >= 0 && is_list_item(test->inputs.at[tensor].name) &&
           strcmp(strchr(test->inputs.at[tensor].name, '.'), ".0") != 0;
}

static const char *language_name(const char *op) {
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (strcmp(renamed[i].oracle, op) == 0)
            return renamed[i].language;
    return op;
}

static const CaseAttribute *find_attribute(const Case *test, const char *name) {
    for (int i = 0; i < test->attributes.count; i++)
        if (strcmp(test->attributes.at[i].name, name) == 0)
            return &test->attributes.at[i];
    return NULL;
}

// Operators that are written with other syntax than a call. False: it is a call.
static bool write_special(Writer *writer) {
    const Case *test = writer->test;
    const char *op = test->op;
    const char *x = leaf_name(writer, "x");
    const CaseAttribute *attribute;
    if (is_program(test)) {
        text_format(&writer->text, "program_%s(", op);
        for (int i = 0; i < test->inputs.count; i++)
            text_format(&writer->text, "%s%s", i ? ", " : "",
                        leaf_name(writer, test->inputs.at[i].name));
        text_add_char(&writer->text, ')');
    } else if (test->expressions.count == 1)
        write_expression(writer, test->expressions.at[0]);
    else if (strcmp(op, "T") == 0 || strcmp(op, "mT") == 0)
        text_format(&writer->text, "%s.%s", x, op);
    else if (strcmp(op, "pow_scalar") == 0 && (attribute = find_attribute(test, "exponent"))) {
        text_format(&writer->text, "%s ** (", x);
        write_attribute(writer, attribute);
        text_add_char(&writer->text, ')');
    } else if (strcmp(op, "rpow_scalar") == 0 && (attribute = find_attribute(test, "base"))) {
        text_add_char(&writer->text, '(');
        write_attribute(writer, attribute);
        text_format(&writer->text, ") ** %s", x);
    } else if (strcmp(op, "getitem") == 0) {
        text_format(&writer->text, "%s[", x);
        for (int i = 0; i < test->attributes.count; i++)
            write_expression(writer, test->attributes.at[i].value);
        for (int i = 1; i < test->inputs.count; i++)
            text_format(&writer->text, "%s%s", i > 1 ? ", " : "",
                        leaf_name(writer, test->inputs.at[i].name));
        text_add_char(&writer->text, ']');
    } else
        return false;
    return true;
}

// `x` comes first wherever it stands in the file; einsum wants its equation first, where its
// condition, and embedding its integers.
static bool goes_first(const Case *test, const CaseArgument *argument, const char *name) {
    if (strcmp(test->op, "embedding") == 0 && argument->tensor >= 0)
        return test->inputs.at[argument->tensor].dtype[0] == 'i';
    return strcmp(name, "x") == 0 || strcmp(name, "x.0") == 0 || strcmp(name, "equation") == 0 ||
           strcmp(name, "condition") == 0;
}

// The arguments in four passes: what goes first, tensors, attributes without a name, the others.
// Form 2 keeps tensors and attributes in the order of the file.
static int argument_pass(const Writer *writer, const CaseArgument *argument) {
    const Case *test = writer->test;
    bool is_tensor = argument->tensor >= 0;
    const char *name = is_tensor ? test->inputs.at[argument->tensor].name
                                 : test->attributes.at[argument->attribute].name;
    if (goes_first(test, argument, name))
        return 0;
    return writer->form == 2 || is_tensor ? 1 : strncmp(name, "arg", 3) == 0 ? 2 : 3;
}

static void write_call(Writer *writer) {
    const Case *test = writer->test;
    text_format(&writer->text, "%s(", language_name(test->op));
    int printed = 0;
    for (int pass = 0; pass < 4; pass++)
        for (int i = 0; i < test->arguments.count; i++)
            if (argument_pass(writer, &test->arguments.at[i]) == pass && !is_later_item(test, i))
                write_argument(writer, i, &printed);
    // A note of the corpus: both arguments are the one tensor.
    if (strncmp(test->note, "same tensor twice", 17) == 0)
        text_format(&writer->text, ", %s", leaf_name(writer, "x"));
    if (strcmp(test->note, "x @ x^T") == 0)
        text_format(&writer->text, ", %s.T", leaf_name(writer, "x"));
    if (strcmp(test->op, "pad_reflect") == 0)
        text_add(&writer->text, ", mode=\"reflect\"");
    text_add_char(&writer->text, ')');
    // One result of a function that gives a list.
    if (test->outputs.count == 1 && strcmp(test->outputs.at[0].name, "y0") == 0)
        text_add(&writer->text, "[0]");
}

const char *case_statements(Arena *arena, const Case *test, const char *prefix, int form) {
    Writer writer = {arena, test, prefix, form, text_new(arena)};
    if (form > 3)
        return NULL;
    write_leaves(&writer);
    if (strcmp(test->op, "prog") == 0) {
        write_random(&writer);
        return text_string(&writer.text);
    }
    text_add(&writer.text, "    ");
    int count = test->outputs.count > 0 ? test->outputs.count : 1;
    for (int i = 0; i < count; i++)
        text_format(&writer.text, "%s%s%s", i ? ", " : "", prefix,
                    test->outputs.count > 0 ? test->outputs.at[i].name : "y");
    text_add(&writer.text, " = ");
    if (!write_special(&writer))
        write_call(&writer);
    text_add(&writer.text, "\n");
    for (int i = 0; i < count; i++)
        text_format(&writer.text, "    output %s%s\n", prefix,
                    test->outputs.count > 0 ? test->outputs.at[i].name : "y");
    return text_string(&writer.text);
}
