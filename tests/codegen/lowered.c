// Compares every function of a .tir file with the reference evaluator
// (tests/codegen/compare.h).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/text_form.h"
#include "ir/verify.h"
#include "tests/codegen/compare.h"

static char *read_text(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    char *text = malloc(1 << 20);
    *length = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

// lowered FILE [FUNCTION [SETTING]]: one function; with a setting, its loop
// form is printed.
int main(int count, char **arguments) {
    if (count < 2) {
        fprintf(stderr, "usage: lowered FILE [FUNCTION [SETTING]]\n");
        return 2;
    }
    Comparison comparison = {0};
    Arena arena = {0};
    Sources sources = {.arena = &arena};
    Diags diags = {.arena = &arena, .sources = &sources};
    size_t length;
    char *text = read_text(arguments[1], &length);
    int file = source_add(&sources, arguments[1], text, length);
    free(text);
    Module *module = parse_module(&arena, &diags, file);
    if (module == NULL) {
        Text out = text_new(&arena);
        diags_print(&diags, &out);
        fputs(text_string(&out), stderr);
        return 1;
    }
    const char *problem = verify_module(&arena, module);
    if (problem != NULL) {
        fprintf(stderr, "%s\n", problem);
        return 1;
    }
    for (int i = 0; i < module->functions.count; i++) {
        const Function *function = module->functions.at[i];
        if (count < 3 || strcmp(arguments[2], function->name) == 0) {
            compare_function(&comparison, arguments[1], function, 3,
                             count > 3 ? arguments[3] : NULL);
        }
    }
    fprintf(stderr, "%d elements compared, %d failures\n", comparison.compared, comparison.failed);
    arena_free(&arena);
    return comparison.failed > 0 || comparison.compared == 0;
}
