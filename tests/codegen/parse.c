#include "tests/codegen/parse.h"

#include <stdio.h>
#include <string.h>

#include "ir/text_form.h"

const Function *parse_function(Arena *arena, const char *text) {
    Sources *sources = arena_new(arena, Sources);
    sources->arena = arena;
    Diags diags = {.arena = arena, .sources = sources};
    Module *module = parse_module(arena, &diags, source_add(sources, "case", text, strlen(text)));
    if (module == NULL) {
        Text out = text_new(arena);
        diags_print(&diags, &out);
        fputs(text_string(&out), stderr);
        return NULL;
    }
    return module->functions.at[0];
}

const Function *parse_case(Arena *arena, const char *body) {
    return parse_function(
        arena,
        arena_format(
            arena,
            "func f(x: f32[1000] input, y: f32[1000] input, u: f32[1000] input, v: f32[1000] input)"
            " -> (a: f32[1000] output, b: f32[1000] output) {\n%s  return a, b\n}\n",
            body));
}
