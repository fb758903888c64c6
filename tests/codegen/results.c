// Which temporaries lie in the memory of results: functions of the tensor IR are lowered, and what
// is still copied is counted. That the right thing is computed is seen by control.tir and by
// random.c.
#include <stdio.h>
#include <string.h>

#include "codegen/lower.h"
#include "tests/codegen/parse.h"

#define LOOP(name, from)                                                                           \
    "  " name " = loop " from " {trip = 4, carried = 1} : f32[1000] {\n    body(i_" name           \
    ": i64, p_" name ": f32[1000]) {\n      q_" name " = mul p_" name                              \
    ", y : f32[1000]\n      s_" name " = tanh q_" name " : f32[1000]\n      yield s_" name         \
    "\n    }\n  }\n"

typedef struct Case {
    const char *what;
    int copies, placed;
    const char *body; // of a function of x, y: f32[1000] to a, b
} Case;

static const Case cases[] = {
    {"what a loop carries", 0, 2, LOOP("a", "x") LOOP("b", "y")},
    {"and others read, too", 0, 2, LOOP("a", "x") LOOP("b", "a")},
    {"what another result is made of", 0, 1,
     LOOP("a", "x") "  b = reshape a {shape = [1000]} : f32[1000]\n"},
};

static int count_copies(const Block *block) {
    int count = 0;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        count += s->kind == STATEMENT_COPY && s->target->kind == BUFFER_FIELD;
        count += count_copies(&s->body) + count_copies(&s->otherwise);
    }
    return count;
}

static bool run_case(const Case *test) {
    Arena arena = {0};
    const Function *function = parse_case(&arena, test->body);
    bool good = false;
    if (function != NULL) {
        LowerOptions options = {.level = 2, .vector_bytes = 32, .vector_registers = 16};
        Program *program = program_new(&arena, "test", NULL);
        Entry *entry = lower_function(program, function, "entry", &options);
        int copies = count_copies(&entry->body), placed = 0;
        for (int i = 0; i < program->buffers.count; i++) {
            placed += program->buffers.at[i]->result != NULL;
        }
        good = copies == test->copies && placed == test->placed;
        if (!good) {
            fprintf(stderr, "%s: %d copies, %d placed, not %d and %d\n", test->what, copies, placed,
                    test->copies, test->placed);
        }
    }
    arena_free(&arena);
    return good;
}

int main(void) {
    int failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        failed += !run_case(&cases[i]);
    }
    printf("%d failed\n", failed);
    return failed > 0;
}
