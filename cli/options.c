// Parses argv by the table in cli/options.def. Options may stand anywhere after the command; `--`
// ends them; `--name=value`, `--name value` and `-nvalue`, `-n value` are the same.
#include "cli/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

enum { VALUES = 1, GRADIENT = 2, TRAIN = 4, PRODUCT = 8, ALL = 16, LIST = 32 };

typedef struct OptionInfo {
    const char *name;
    char letter;
    const char *argument;
    int commands;
    const char *help;
} OptionInfo;

static const OptionInfo option_table[] = {
#define OPTION(name, letter, argument, commands, help) {name, letter, argument, commands, help},
#include "cli/options.def"
};
enum { OPTION_COUNT = sizeof option_table / sizeof *option_table };

static const Command command_table[] = {
    {"check", command_check, ALL, "FILE", "parse and type-check a program"},
    {"run", command_run, ALL | VALUES, "FILE [options]", "evaluate the outputs"},
    {"grad", command_grad, ALL | VALUES | GRADIENT, "FILE [options]",
     "evaluate the outputs and the gradients of the first one (or of those with a --seed)"},
    {"gradcheck", command_gradcheck, ALL | VALUES | GRADIENT, "FILE [options]",
     "compare the gradients with finite differences in f64; exit code 5 if they disagree"},
    {"train", command_train, ALL | TRAIN, "FILE --data D [options]", "optimise the params"},
    {"build", command_build, ALL | PRODUCT, "FILE -o PATH [options]",
     "write a shared object, object, archive, C source, header, assembly or LLVM IR"},
    {"emit", command_emit, ALL | PRODUCT | GRADIENT, "FILE --stage=STAGE [options]",
     "print a stage of the compilation"},
    {"fmt", command_fmt, ALL, "FILE", "print the program in its canonical layout"},
    {"bench", command_bench, ALL | VALUES | GRADIENT, "FILE [options]",
     "time the outputs and the gradients"},
    {"ops", command_ops, ALL | LIST, "", "list the functions of the language"},
    {"version", command_version, ALL, "", "print the version"},
};
enum { COMMAND_COUNT = sizeof command_table / sizeof *command_table };

const Command *command_find(const char *name) {
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(command_table[i].name, name) == 0)
            return &command_table[i];
    return NULL;
}

static void print_option(FILE *out, const OptionInfo *option) {
    char left[64];
    const char *argument = option->argument ? option->argument : "";
    if (option->letter == 'O')
        snprintf(left, sizeof left, "-O%s", argument);
    else if (option->letter)
        snprintf(left, sizeof left, "-%c, --%s %s", option->letter, option->name, argument);
    else
        snprintf(left, sizeof left, "    --%s%s%s", option->name, option->argument ? "=" : "",
                 argument);
    fprintf(out, "  %-26s ", left);
    if (strlen(left) > 26)
        fprintf(out, "\n%29s", "");
    int column = 0;
    const char *word = option->help;
    while (*word) {
        int length = (int)strcspn(word, " ");
        if (column + length > 66) {
            fprintf(out, "\n%29s", "");
            column = 0;
        }
        column += fprintf(out, "%s%.*s", column ? " " : "", length, word);
        word += length;
        word += *word == ' ';
    }
    fputc('\n', out);
}

void print_help(FILE *out, const Command *command) {
    if (command == NULL) {
        fputs("tdsl: compiles tensor programs and their gradients\n\nusage: tdsl COMMAND FILE "
              "[options]\n\ncommands:\n",
              out);
        for (int i = 0; i < COMMAND_COUNT; i++)
            fprintf(out, "  %-10s %s\n", command_table[i].name, command_table[i].help);
        fputs("\n`tdsl COMMAND --help` lists a command's options. Exit codes: 0 done, 1 a bad "
              "program "
              "or bad\ndata, 2 usage, 3 input or output failed, 4 internal error, 5 a check "
              "failed.\n",
              out);
        return;
    }
    fprintf(out, "usage: tdsl %s %s\n\n%s\n\noptions:\n", command->name, command->usage,
            command->help);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_table[i].commands & command->options)
            print_option(out, &option_table[i]);
}

static bool usage_error(const Options *options, const char *message, const char *detail) {
    fprintf(stderr, "tdsl: error: %s%s%s%s\n", message, detail ? " '" : "", detail ? detail : "",
            detail ? "'" : "");
    fprintf(stderr, "  hint: see `tdsl %s%s--help`\n", options->command ? options->command : "",
            options->command ? " " : "");
    return false;
}

static const OptionInfo *find_long(const char *name, size_t length) {
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strlen(option_table[i].name) == length &&
            strncmp(option_table[i].name, name, length) == 0)
            return &option_table[i];
    return NULL;
}

static const OptionInfo *find_letter(char letter) {
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_table[i].letter == letter)
            return &option_table[i];
    return NULL;
}

static void setting_add(SettingList *list, const char *text) {
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    list->at = realloc(list->at, (size_t)(list->count + 1) * sizeof *list->at);
    char *name = malloc(length + 1);
    if (list->at == NULL || name == NULL)
        abort();
    memcpy(name, text, length);
    name[length] = 0;
    list->at[list->count++] = (Setting){name, equals ? equals + 1 : "", equals != NULL};
}

static bool read_integer(const char *text, int64_t low, int64_t high, int64_t *value) {
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *value = number;
    return end != text && *end == 0 && errno == 0 && number >= low && number <= high;
}

static bool read_real(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == 0 && isfinite(*value) && *value >= 0;
}

// False for an empty list, or an empty name in it.
static bool split_names(Options *options, const char *text) {
    size_t text_length = strlen(text);
    if (text_length == 0 || text[0] == ',' || text[text_length - 1] == ',' || strstr(text, ",,"))
        return false;
    while (*text) {
        size_t length = strcspn(text, ",");
        char *name = malloc(length + 1);
        options->wrt = realloc(options->wrt, (size_t)(options->wrt_count + 1) * sizeof(char *));
        if (name == NULL || options->wrt == NULL)
            abort();
        memcpy(name, text, length);
        name[length] = 0;
        options->wrt[options->wrt_count++] = name;
        text += length;
        text += *text == ',';
    }
    return true;
}

static bool set_engine(TdslOptions *compiler, const char *value) {
    static const struct {
        const char *name;
        TdslEngine engine;
    } engines[] = {{"jit", TDSL_ENGINE_JIT}, {"c", TDSL_ENGINE_C}, {"eval", TDSL_ENGINE_EVALUATE}};
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        if (strcmp(engines[i].name, value) == 0) {
            compiler->engine = engines[i].engine;
            return true;
        }
    return false;
}

static bool set_real(TdslOptions *compiler, const char *value) {
    compiler->real = strcmp(value, "f64") == 0 ? TDSL_F64 : TDSL_F32;
    return strcmp(value, "f64") == 0 || strcmp(value, "f32") == 0;
}

static bool set_seed(Options *options, const char *value) {
    if (read_integer(value, INT64_MIN, INT64_MAX, &options->key))
        return true;
    setting_add(&options->seeds, value);
    return true;
}

static bool set_input(Options *options, const char *value) {
    options->in = realloc(options->in, (size_t)(options->in_count + 1) * sizeof(char *));
    if (options->in == NULL)
        abort();
    options->in[options->in_count++] = value;
    return true;
}

// Options whose argument is a name or a path, stored as it is.
static bool set_text(Options *options, const char *name, const char *value) {
    struct {
        const char *name;
        const char **place;
    } places[] = {
        {"out", &options->out},
        {"model", &options->compiler.model},
        {"data", &options->data},
        {"optimizer", &options->optimizer},
        {"target", &options->compiler.target},
        {"cpu", &options->compiler.cpu},
        {"output", &options->output},
        {"stage", &options->stage},
        {"passes", &options->compiler.passes},
        {"print-after", &options->compiler.print_after},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].name, name) == 0) {
            *places[i].place = value;
            return true;
        }
    return false;
}

static bool set_number(Options *options, const char *name, const char *value, bool *good) {
    struct {
        const char *name;
        int64_t *place;
        int64_t low;
    } integers[] = {
        {"repeat", &options->repeat, 1},
        {"batch", &options->batch, 1},
        {"epochs", &options->epochs, 0},
    };
    struct {
        const char *name;
        double *place;
    } reals[] = {
        {"lr", &options->learning_rate},          {"momentum", &options->momentum},
        {"weight-decay", &options->weight_decay}, {"eps", &options->step},
        {"rtol", &options->relative_tolerance},   {"atol", &options->absolute_tolerance},
    };
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        if (strcmp(integers[i].name, name) == 0) {
            *good = read_integer(value, integers[i].low, INT_MAX, integers[i].place);
            return true;
        }
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (strcmp(reals[i].name, name) == 0) {
            *good = read_real(value, reals[i].place) &&
                    (*reals[i].place > 0 || strcmp(name, "eps") != 0);
            return true;
        }
    return false;
}

// A number of bytes: K, M and G, or KiB, MiB and GiB, are powers of 1024.
static bool read_bytes(const char *text, size_t *bytes) {
    static const char units[] = "KMG";
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || errno != 0 || number == 0 || *text == '-')
        return false;
    const char *unit = *end ? strchr(units, *end) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (unit)
        end += strcmp(end + 1, "iB") == 0 ? 3 : 1;
    *bytes = (size_t)(number << shift);
    return *end == 0 && number <= (SIZE_MAX >> shift);
}

// What stands for an option's value in the help, in a sentence.
static const char *argument_in_words(const char *argument) {
    static const struct {
        const char *argument, *words;
    } known[] = {
        {"N", "a whole number"},   {"X", "a number"},
        {"0..3", "0, 1, 2 or 3"},  {"A,B", "names separated by commas: a,b"},
        {"FILE", "a file's name"}, {"PATH", "a file's name"},
        {"NAME", "a name"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].argument, argument) == 0)
            return known[i].words;
    return argument;
}

static bool set_option(Options *options, const OptionInfo *option, const char *value) {
    const char *name = option->name;
    int64_t number = 0;
    bool good = true;
    if (strcmp(name, "set") == 0)
        setting_add(&options->set, value);
    else if (strcmp(name, "dim") == 0)
        setting_add(&options->dimensions, value);
    else if (strcmp(name, "in") == 0)
        good = set_input(options, value);
    else if (strcmp(name, "wrt") == 0)
        good = split_names(options, value);
    else if (strcmp(name, "seed") == 0)
        good = set_seed(options, value);
    else if (strcmp(name, "engine") == 0)
        good = set_engine(&options->compiler, value);
    else if (strcmp(name, "real") == 0)
        good = set_real(&options->compiler, value);
    else if (strcmp(name, "opt") == 0)
        good = read_integer(value, 0, 3, &number), options->compiler.level = (int)number;
    else if (strcmp(name, "threads") == 0)
        good = read_integer(value, 0, 1024, &number), options->compiler.threads = (int)number;
    else if (strcmp(name, "memory-budget") == 0)
        good = read_bytes(value, &options->compiler.memory_budget);
    else if (strcmp(name, "zero-grad") == 0)
        options->zero_grad = true;
    else if (strcmp(name, "json") == 0)
        options->json = true;
    else if (strcmp(name, "markdown") == 0)
        options->markdown = true;
    else if (strcmp(name, "no-cache") == 0)
        options->compiler.cache = false;
    else if (strcmp(name, "verify") == 0)
        options->compiler.verify = true;
    else if (strcmp(name, "help") == 0)
        options->help = true;
    else if (!set_text(options, name, value) && !set_number(options, name, value, &good))
        return usage_error(options, "unknown option", name);
    if (!good) {
        fprintf(stderr, "tdsl: error: --%s does not take '%s'\n  hint: it takes %s\n", name, value,
                argument_in_words(option->argument));
        return false;
    }
    return true;
}

// Parses the option at arguments[*i]; advances *i over a separate value.
static bool parse_option(Options *options, const Command *command, int count, char **arguments,
                         int *i) {
    const char *text = arguments[*i];
    const OptionInfo *option;
    const char *value = NULL;
    if (text[1] == '-') {
        size_t length = strcspn(text + 2, "=");
        option = find_long(text + 2, length);
        if (text[2 + length] == '=')
            value = text + 2 + length + 1;
    } else {
        option = find_letter(text[1]);
        if (text[2])
            value = text + 2;
    }
    if (option == NULL) {
        const char *names[OPTION_COUNT];
        for (int k = 0; k < OPTION_COUNT; k++)
            names[k] = option_table[k].name;
        const char *closest =
            text[1] == '-' ? tdsl_closest_name(text + 2, names, OPTION_COUNT) : NULL;
        fprintf(stderr, "tdsl: error: unknown option '%s'\n", text);
        if (closest)
            fprintf(stderr, "  hint: did you mean --%s?\n", closest);
        else
            fprintf(stderr, "  hint: see `tdsl %s --help`\n", command->name);
        return false;
    }
    if (!(option->commands & command->options)) {
        fprintf(stderr, "tdsl: error: `tdsl %s` does not take --%s\n  hint: see `tdsl %s --help`\n",
                command->name, option->name, command->name);
        return false;
    }
    if (option->argument == NULL && value != NULL)
        return usage_error(options, "this option takes no value:", text);
    if (option->argument != NULL && value == NULL) {
        if (*i + 1 >= count) {
            fprintf(stderr, "tdsl: error: %s needs a value\n  hint: it takes %s\n", text,
                    argument_in_words(option->argument));
            return false;
        }
        value = arguments[++*i];
    }
    return set_option(options, option, value ? value : "");
}

bool options_parse(int count, char **arguments, Options *options) {
    *options = (Options){.compiler = tdsl_default_options(),
                         .repeat = 1,
                         .epochs = 10,
                         .optimizer = "sgd",
                         .learning_rate = 0.01,
                         .step = 6e-6,
                         .relative_tolerance = 1e-5,
                         .absolute_tolerance = 1e-7};
    options->compiler.cache = true;
    if (count < 2)
        return usage_error(options, "no command given", NULL);
    if (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0 ||
        strcmp(arguments[1], "help") == 0) {
        options->help = true;
        return true;
    }
    const Command *command =
        command_find(strcmp(arguments[1], "--version") == 0 ? "version" : arguments[1]);
    if (command == NULL) {
        const char *names[COMMAND_COUNT];
        for (int i = 0; i < COMMAND_COUNT; i++)
            names[i] = command_table[i].name;
        const char *closest = tdsl_closest_name(arguments[1], names, COMMAND_COUNT);
        fprintf(stderr, "tdsl: error: unknown command '%s'\n  hint: %s%s\n", arguments[1],
                closest ? "did you mean " : "see `tdsl --help`", closest ? closest : "");
        return false;
    }
    options->command = command->name;
    bool only_files = false;
    for (int i = 2; i < count; i++) {
        const char *text = arguments[i];
        if (!only_files && strcmp(text, "--") == 0)
            only_files = true;
        else if (!only_files && text[0] == '-' && text[1]) {
            if (!parse_option(options, command, count, arguments, &i))
                return false;
        } else if (options->file == NULL)
            options->file = text;
        else
            return usage_error(options, "one file is enough; what is", text);
    }
    if (options->file == NULL && !options->help && command->usage[0] == 'F')
        return usage_error(options, "no file given", NULL);
    return true;
}

static void settings_free(SettingList *list) {
    for (int i = 0; i < list->count; i++)
        free(list->at[i].name);
    free(list->at);
}

void options_free(Options *options) {
    settings_free(&options->set);
    settings_free(&options->dimensions);
    settings_free(&options->seeds);
    for (int i = 0; i < options->wrt_count; i++)
        free(options->wrt[i]);
    free(options->wrt);
    free(options->in);
}
