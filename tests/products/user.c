// End to end: `tdsl build` makes products of user/classifier.tdsl, user/main.c is compiled against
// each of them, as C and as C++, and run, also under sanitizers. All print the same loss.
// Arguments: the tdsl program, the folder user/, docs/products.md.
#include <stdlib.h>

#include "codegen/process.h"
#include "ir/base/text.h"
#include "tests/products/support/compile.h"
#include "tests/unit/expect.h"

typedef struct Setting {
    Arena *arena;
    const char *tdsl, *user, *folder;
    char *first_output; // of the first program that ran
} Setting;

static char *read_text(Arena *arena, const char *path) {
    char *text = arena_alloc(arena, 65536);
    FILE *file = fopen(path, "r");
    if (file) {
        text[fread(text, 1, 65535, file)] = '\0';
        fclose(file);
    }
    return text;
}

static bool run(Setting *setting, const char *const *words) {
    const char *error = NULL;
    const char *log = arena_format(setting->arena, "%s/log", setting->folder);
    bool good = run_program(setting->arena, words, log, &error) == RUN_DONE;
    if (!good) {
        fprintf(stderr, "%s\n", error);
    }
    return good;
}

// `tdsl build FILE -o FOLDER/name`
static bool build(Setting *setting, const char *name) {
    const char *words[] = {setting->tdsl,
                           "build",
                           arena_format(setting->arena, "%s/classifier.tdsl", setting->user),
                           "-o",
                           arena_format(setting->arena, "%s/%s", setting->folder, name),
                           NULL};
    return EXPECT(run(setting, words));
}

static bool ends_in_c(const char *name) {
    size_t length = strlen(name);
    return length > 2 && strcmp(name + length - 2, ".c") == 0;
}

// Compiles the user's program with a product and runs it. `flags` are split at blanks.
static void try_program(Setting *setting, const char *compiler, const char *flags,
                        const char *product) {
    Arena *arena = setting->arena;
    const char *words[40] = {compiler};
    int count = 1;
    char *rest = NULL;
    for (char *word = strtok_r(arena_copy_string(arena, flags), " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        words[count++] = word;
    }
    const char *program = arena_format(arena, "%s/program", setting->folder);
    const char *last[] = {"-Wall",
                          "-Wextra",
                          "-Werror",
                          arena_format(arena, "-I%s", setting->folder),
                          arena_format(arena, "%s/main.c", setting->user),
                          arena_format(arena, "%s/%s", setting->folder, product),
                          arena_format(arena, "-Wl,-rpath,%s", setting->folder),
                          "-o",
                          program,
                          "-lm",
                          "-pthread"};
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        if (i == 5 && !ends_in_c(product)) {
            words[count++] = "-xnone"; // the program's language is not the object's
        }
        words[count++] = last[i];
    }
    const char *start[] = {program, NULL};
    if (!EXPECT(run(setting, words)) || !EXPECT(run(setting, start))) {
        fprintf(stderr, "  with %s %s %s\n", compiler, flags, product);
        return;
    }
    char *output = read_text(arena, arena_format(arena, "%s/log", setting->folder));
    if (!setting->first_output) {
        setting->first_output = output;
    }
    EXPECT_TEXT(output, setting->first_output);
}

static void try_source(Setting *setting) {
    const char *c = "-xc -std=c99 -D_POSIX_C_SOURCE=200809L -pedantic -Wshadow";
    const char *cxx = "-xc++ -std=c++11 -pedantic -Wshadow";
    const char *const levels[] = {"-O0", "-O3", "-O2 -fsanitize=address,undefined",
                                  "-O1 -fsanitize=thread"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        const char *with_c = arena_format(setting->arena, "%s %s", c, levels[i]);
        const char *with_cxx = arena_format(setting->arena, "%s %s", cxx, levels[i]);
        try_program(setting, "gcc", with_c, "classifier.c");
        if (has_program(setting->arena, "clang-19")) {
            try_program(setting, "clang-19", with_c, "classifier.c");
        }
        if (i < 2 && has_program(setting->arena, "g++")) {
            try_program(setting, "g++", with_cxx, "classifier.c");
        }
        if (i < 2 && has_program(setting->arena, "clang++")) {
            try_program(setting, "clang++", with_cxx, "classifier.c");
        }
    }
}

// Nothing is needed but mathematics and memcpy, memset; and what the compiler brings itself to
// choose among processors (__cpu_...).
static void check_needs(Setting *setting) {
    Arena *arena = setting->arena;
    const char *object = arena_format(arena, "%s/needs.o", setting->folder);
    const char *compile[] = {
        "gcc", "-std=c99", "-O2", "-c", arena_format(arena, "%s/classifier.c", setting->folder),
        "-o",  object,     NULL};
    const char *names[] = {"nm", "-u", "-j", object, NULL};
    if (!EXPECT(run(setting, compile)) || !EXPECT(run(setting, names))) {
        return;
    }
    char *text = read_text(arena, arena_format(arena, "%s/log", setting->folder));
    static const char *const allowed[] = {"memcpy",
                                          "memset",
                                          "exp",
                                          "log",
                                          "tanh",
                                          "sqrt",
                                          "fma",
                                          "_GLOBAL_OFFSET_TABLE_",
                                          "__cpu_model",
                                          "__cpu_indicator_init",
                                          "__cpu_features2"};
    char *rest = NULL;
    for (char *name = strtok_r(text, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
        bool known = false;
        for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
            known = known || strcmp(name, allowed[i]) == 0;
        }
        if (!EXPECT(known)) {
            fprintf(stderr, "  the object needs %s\n", name);
        }
    }
}

// The shared object shows nothing but names that begin with the model's.
static void check_shown(Setting *setting) {
    Arena *arena = setting->arena;
    const char *names[] = {"nm",
                           "-D",
                           "--defined-only",
                           "-j",
                           arena_format(arena, "%s/libclassifier.so", setting->folder),
                           NULL};
    if (!EXPECT(run(setting, names))) {
        return;
    }
    char *text = read_text(arena, arena_format(arena, "%s/log", setting->folder));
    int shown = 0;
    char *rest = NULL;
    for (char *name = strtok_r(text, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
        if (!EXPECT(strncmp(name, "classifier_", 11) == 0)) {
            fprintf(stderr, "  the shared object shows %s\n", name);
        }
        shown++;
    }
    EXPECT(shown >= 11);
}

// The block of `page` from the line that begins with `    start` up to one of plain text, without
// its indentation; written to FOLDER/name.
static void write_block(Setting *setting, const char *page, const char *start, const char *name) {
    const char *line = strstr(page, arena_format(setting->arena, "\n    %s", start));
    Text text = text_new(setting->arena);
    if (!EXPECT(line != NULL)) {
        return;
    }
    for (line++; *line == '\n' || strncmp(line, "    ", 4) == 0; line++) {
        size_t length = strcspn(line, "\n");
        size_t indent = length ? 4 : 0;
        text_add_bytes(&text, line + indent, length - indent);
        text_add_char(&text, '\n');
        line += length;
    }
    const char *error = NULL;
    EXPECT(write_new_file(setting->arena,
                          arena_format(setting->arena, "%s/%s", setting->folder, name),
                          text_string(&text), text.length, &error));
}

// The example of the documentation does what it says.
static void try_documentation(Setting *setting, const char *path) {
    Arena *arena = setting->arena;
    const char *page = read_text(arena, path);
    write_block(setting, page, "# line.tdsl", "line.tdsl");
    write_block(setting, page, "#include <stdio.h>", "example.c");
    const char *source = arena_format(arena, "%s/line.c", setting->folder);
    const char *program = arena_format(arena, "%s/example", setting->folder);
    const char *make[] = {
        setting->tdsl, "build", arena_format(arena, "%s/line.tdsl", setting->folder),
        "-o",          source,  NULL};
    const char *compile[] = {
        "cc",      "-O3",     "-Wall",
        "-Wextra", "-Werror", arena_format(arena, "%s/example.c", setting->folder),
        source,    "-lm",     "-o",
        program,   NULL};
    const char *start[] = {program, NULL};
    if (EXPECT(run(setting, make)) && EXPECT(run(setting, compile)) &&
        EXPECT(run(setting, start))) {
        const char *output = read_text(arena, arena_format(arena, "%s/log", setting->folder));
        EXPECT(strstr(output, "y = 2.000 x + 1.000, loss ") == output);
    }
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: user TDSL FOLDER PAGE\n");
        return 2;
    }
    Arena arena = {0};
    const char *error = NULL;
    Setting setting = {&arena, arguments[1], arguments[2], NULL, NULL};
    setting.folder = make_private_folder(&arena, NULL, &error);
    if (!EXPECT(setting.folder != NULL)) {
        return expect_result();
    }
    if (build(&setting, "classifier.c")) {
        try_source(&setting);
        check_needs(&setting);
    }
    static const char *const products[] = {"libclassifier.so", "libclassifier.a",
                                           "libclassifier.o"};
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        // The header is made beside each; the program includes it under the model's name.
        if (build(&setting, products[i])) {
            try_program(&setting, "gcc", "-xc -std=c99 -D_POSIX_C_SOURCE=200809L -O2", products[i]);
            try_program(&setting, "g++", "-xc++ -std=c++11 -O2", products[i]);
        }
    }
    check_shown(&setting);
    try_documentation(&setting, arguments[3]);
    remove_private_folder(setting.folder);
    arena_free(&arena);
    return expect_result();
}
