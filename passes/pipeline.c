// Running passes in a row, from a string of their names.
#include "passes/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "ir/text_form.h"
#include "ir/verify.h"
#include "passes/passes.h"

static const PassInfo passes[] = {
#define PASS(name, purpose) {#name, pass_##name, purpose},
#include "passes/passes.def"
};

enum { PASS_COUNT = sizeof passes / sizeof *passes, LEVELS = 4 };

static const char *const pipelines[LEVELS] = {
    "expand_derivatives, drop_rules, drop_detach, remove_dead",
    "expand_derivatives, drop_rules, drop_detach, simplify, merge_equal, remove_dead",
    "expand_derivatives, drop_rules, drop_detach, simplify, merge_equal, hoist, simplify, "
    "merge_equal, remove_dead, selections, simplify, transposes, split_sums, "
    "split_exponentials, simplify, merge_equal, remove_dead, block_loops, block_rows, small_rows, "
    "simplify, merge_equal, remove_dead",
    "expand_derivatives, drop_rules, drop_detach, simplify, merge_equal, hoist, simplify, "
    "merge_equal, remove_dead, selections, simplify, transposes, split_sums, "
    "split_exponentials, simplify, merge_equal, remove_dead, block_loops, block_rows, small_rows, "
    "simplify, merge_equal, remove_dead",
};

const PassInfo *pass_list(int *count) {
    *count = PASS_COUNT;
    return passes;
}

// The next name in a pipeline, of `length` characters, and the number behind it, or 0, or -1 if
// that is none; *rest moves behind them. False at the end.
static bool next_name(const char **rest, const char **name, int *length, int64_t *number) {
    const char *start = *rest + strspn(*rest, ", \t");
    if (*start == '\0') {
        return false;
    }
    *name = start;
    *length = (int)strcspn(start, ":, \t");
    *rest = start + strcspn(start, ", \t");
    *number = 0;
    if (start[*length] == ':') {
        char *end;
        long long read = strtoll(start + *length + 1, &end, 10);
        *number = end == *rest && read > 0 ? read : -1;
    }
    return true;
}

static const PassInfo *find_pass(const char *name, int length) {
    for (int i = 0; i < PASS_COUNT; i++) {
        if (strncmp(passes[i].name, name, (size_t)length) == 0 && !passes[i].name[length]) {
            return &passes[i];
        }
    }
    return NULL;
}

const char *pipeline_check(Arena *arena, const char *text) {
    const char *name;
    int length;
    int64_t number;
    while (next_name(&text, &name, &length, &number)) {
        if (number < 0) {
            return arena_format(arena, "behind a pass's name and ':' there is a positive number");
        }
        if (find_pass(name, length)) {
            continue;
        }
        const char *wrong = arena_copy_text(arena, name, (size_t)length);
        const char *names[PASS_COUNT];
        Text list = text_new(arena);
        for (int i = 0; i < PASS_COUNT; i++) {
            names[i] = passes[i].name;
            text_format(&list, "%s%s", i ? ", " : "", names[i]);
        }
        const char *close = closest_name(wrong, names, PASS_COUNT);
        return close ? arena_format(arena, "there is no pass %s; did you mean %s?", wrong, close)
                     : arena_format(arena, "there is no pass %s; there are %s", wrong,
                                    text_string(&list));
    }
    return NULL;
}

static void print_after(const PassInfo *pass, const Function *function,
                        const PipelineOptions *options) {
    if (options->print_after && options->printed &&
        (strcmp(options->print_after, "all") == 0 ||
         strcmp(options->print_after, pass->name) == 0)) {
        text_format(options->printed, "// %s after %s\n", function->name, pass->name);
        print_function(options->printed, function);
    }
}

static void run_pass(const PassInfo *pass, int64_t number, Module *module, Function *function,
                     const PipelineOptions *options) {
    Arena scratch = {0};
    PassContext context = {
        .module = module, .scratch = &scratch, .level = options->level, .number = number};
    pass->run(&context, function);
    if (options->verify) {
        const char *wrong = verify_function(&scratch, function);
        check(wrong == NULL, "after the pass %s: %s", pass->name, wrong);
    }
    print_after(pass, function, options);
    arena_free(&scratch);
}

void pipeline_run(Module *module, Function *function, const PipelineOptions *options) {
    int level = options->level < 0 ? 0 : options->level >= LEVELS ? LEVELS - 1 : options->level;
    const char *rest = options->passes ? options->passes : pipelines[level];
    const char *name;
    int length;
    int64_t number;
    while (next_name(&rest, &name, &length, &number)) {
        const PassInfo *pass = find_pass(name, length);
        check(pass != NULL && number >= 0, "a pipeline names an unknown pass: %s", name);
        run_pass(pass, number, module, function, options);
    }
}
