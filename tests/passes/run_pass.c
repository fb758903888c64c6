// Runs the passes of a .tir file and compares the result with what the file expects.
//
//   // run: simplify, merge_equal
//   func f(x: f64) -> (f64) { ... }
//   // expect:
//   // func f(x: f64) -> (f64) { ... }
//
// `adjoint` and `tangent` in the place of a pass differentiate the first function: all real results
// with respect to all real parameters, with seeds. `raw` does nothing. What is printed is that
// function, or the derivative.
#include <stdio.h>
#include <string.h>

#include "ir/text_form.h"
#include "ir/verify.h"
#include "passes/differentiate.h"
#include "passes/pipeline.h"

static const char run_mark[] = "// run: ", expect_mark[] = "// expect:\n";

static const char *read_file(Arena *arena, const char *path) {
    FILE *file = fopen(path, "rb");
    check(file != NULL, "%s cannot be opened", path);
    Text text = text_new(arena);
    char buffer[4096];
    size_t count;
    while ((count = fread(buffer, 1, sizeof buffer, file)) > 0) {
        text_add_bytes(&text, buffer, count);
    }
    fclose(file);
    return text_string(&text);
}

// The lines behind the mark without their "// ".
static const char *read_expected(Arena *arena, const char *text) {
    const char *line = strstr(text, expect_mark);
    check(line != NULL, "the file expects nothing");
    line += strlen(expect_mark);
    Text expected = text_new(arena);
    while (strncmp(line, "//", 2) == 0) {
        line += line[2] == ' ' ? 3 : 2;
        size_t length = strcspn(line, "\n") + 1;
        text_add_bytes(&expected, line, length);
        line += length;
    }
    return text_string(&expected);
}

static const int *list_real(Arena *arena, Value *const *values, int all, int *count) {
    int *list = arena_array(arena, int, all);
    *count = 0;
    for (int i = 0; i < all; i++) {
        if (element_is_real(values[i]->type.element)) {
            list[(*count)++] = i;
        }
    }
    return list;
}

static Function *differentiate(Arena *arena, Function *function, bool reverse) {
    const Region *body = function->body;
    GradientRequest request = {0};
    request.outputs = list_real(arena, body->yields.at, body->yields.count, &request.output_count);
    request.leaves =
        list_real(arena, body->parameters.at, body->parameters.count, &request.leaf_count);
    bool *seeded = arena_array(arena, bool, request.output_count);
    bool *reached = arena_array(arena, bool, request.leaf_count);
    memset(seeded, true, (size_t)request.output_count);
    request.seeded = seeded;
    return reverse ? differentiate_reverse(function->module, function, &request, reached)
                   : differentiate_forward(function->module, function, &request);
}

static Function *run(Arena *arena, Function *function, char *passes) {
    PipelineOptions options = {.level = 2, .verify = true};
    for (char *pass = strtok(passes, ", "); pass != NULL; pass = strtok(NULL, ", ")) {
        if (strcmp(pass, "adjoint") == 0 || strcmp(pass, "tangent") == 0) {
            function = differentiate(arena, function, *pass == 'a');
            const char *wrong = verify_function(arena, function);
            check(wrong == NULL, "%s", wrong);
            continue;
        }
        options.passes = pass;
        const char *unknown = pipeline_check(arena, pass);
        check(unknown == NULL, "%s", unknown);
        pipeline_run(function->module, function, &options);
    }
    return function;
}

int main(int count, char **arguments) {
    check(count == 2, "usage: run_pass FILE");
    Arena arena = {0};
    const char *text = read_file(&arena, arguments[1]);
    const char *mark = strstr(text, run_mark);
    check(mark != NULL, "%s runs nothing", arguments[1]);
    mark += strlen(run_mark);
    char *passes = arena_copy_text(&arena, mark, strcspn(mark, "\n"));
    Sources sources = {.arena = &arena};
    Diags diags = {.arena = &arena, .sources = &sources};
    int file = source_add(&sources, arguments[1], text, strlen(text));
    Module *module = parse_module(&arena, &diags, file);
    Text out = text_new(&arena);
    if (module == NULL) {
        diags_print(&diags, &out);
        fputs(text_string(&out), stderr);
        return 1;
    }
    const char *wrong = verify_module(&arena, module);
    check(wrong == NULL, "%s", wrong);
    print_function(&out, run(&arena, module->functions.at[0], passes));
    int differs = strcmp(text_string(&out), read_expected(&arena, text)) != 0;
    if (differs) {
        fputs(text_string(&out), stdout);
    }
    arena_free(&arena);
    return differs;
}
