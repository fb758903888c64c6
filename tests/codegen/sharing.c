// Which kernels are shared: functions of the tensor IR are lowered, and the kernels and their calls
// counted. That shared kernels compute the right thing is seen by shared.tir and by random.c.
#include <stdio.h>
#include <string.h>

#include "codegen/lower.h"
#include "codegen/share_kernels.h"
#include "tests/codegen/parse.h"

typedef struct Case {
    const char *what;
    int kernels, calls;
    const char *body; // of a function of x, y: f32[1000], u, v: f32[1000] to a, b
} Case;

static const Case cases[] = {
    {"the same of other buffers", 1, 2,
     "  p = mul x, y : f32[1000]\n  a = tanh p : f32[1000]\n"
     "  q = mul u, v : f32[1000]\n  b = tanh q : f32[1000]\n"},
    {"of a result of the other", 1, 2,
     "  p = mul x, y : f32[1000]\n  a = tanh p : f32[1000]\n"
     "  q = mul a, v : f32[1000]\n  b = tanh q : f32[1000]\n"},
    {"another operator", 2, 2,
     "  p = mul x, y : f32[1000]\n  a = tanh p : f32[1000]\n"
     "  q = add u, v : f32[1000]\n  b = tanh q : f32[1000]\n"},
    {"another order of operands", 2, 2,
     "  p = sub x, y : f32[1000]\n  t = mul p, y : f32[1000]\n  a = tanh t : f32[1000]\n"
     "  q = sub u, v : f32[1000]\n  s = mul q, u : f32[1000]\n  b = tanh s : f32[1000]\n"},
    {"another number", 2, 2,
     "  one = constant 1.5 : f32\n  two = constant 2.5 : f32\n"
     "  ones = broadcast one {shape = [1000], axes = []} : f32[1000]\n"
     "  twos = broadcast two {shape = [1000], axes = []} : f32[1000]\n"
     "  a = mul x, ones : f32[1000]\n  b = mul u, twos : f32[1000]\n"},
    {"zero and minus zero", 2, 2,
     "  one = constant 0.0 : f32\n  two = constant -0.0 : f32\n"
     "  ones = broadcast one {shape = [1000], axes = []} : f32[1000]\n"
     "  twos = broadcast two {shape = [1000], axes = []} : f32[1000]\n"
     "  a = minimum x, ones : f32[1000]\n  b = minimum u, twos : f32[1000]\n"},
    {"one buffer where the other has two", 2, 2,
     "  p = mul x, x : f32[1000]\n  a = tanh p : f32[1000]\n"
     "  q = mul u, v : f32[1000]\n  b = tanh q : f32[1000]\n"},
    {"a part at another place", 2, 2,
     "  p = slice x {start = [0], stop = [500], step = [1]} : f32[500]\n"
     "  q = slice u {start = [500], stop = [1000], step = [1]} : f32[500]\n"
     "  a = concat p, p {axis = 0} : f32[1000]\n  b = concat q, q {axis = 0} : f32[1000]\n"},
};

static int count_calls(const Block *block) {
    int count = 0;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        count += s->kind == STATEMENT_CALL;
        count += s->kind == STATEMENT_LOOP ? count_calls(&s->loop->body) : 0;
        count += count_calls(&s->body) + count_calls(&s->otherwise);
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
        int kernels = program->kernels.count, calls = count_calls(&entry->body);
        const char *problem = verify_loops(&arena, program);
        good = problem == NULL && kernels == test->kernels && calls == test->calls;
        if (!good) {
            fprintf(stderr, "%s: %d kernels with %d calls, not %d with %d; %s\n", test->what,
                    kernels, calls, test->kernels, test->calls, problem ? problem : "valid");
        }
    }
    arena_free(&arena);
    return good;
}

// Two entries of one program share as well, and the names of parameters suit both: what they have
// in common but for numbers, else what they are.
static bool run_entries(void) {
    Arena arena = {0};
    LowerOptions options = {.level = 2, .vector_bytes = 32, .vector_registers = 16};
    Program *program = program_new(&arena, "test", NULL);
    lower_function(program, parse_case(&arena, "  a = mul x, y : f32[1000]\n  b = tanh u\n"),
                   "first", &options);
    lower_function(program, parse_case(&arena, "  b = mul x, y : f32[1000]\n  a = tanh y\n"),
                   "second", &options);
    int kernels = program->kernels.count;
    const Kernel *product = program->kernels.at[0];
    bool good = kernels == 2 && product->names != NULL && strcmp(product->names[0], "x") == 0 &&
                strcmp(product->names[2], "result") == 0 && verify_loops(&arena, program) == NULL;
    if (!good) {
        fprintf(stderr, "two entries: %d kernels\n", kernels);
    }
    arena_free(&arena);
    return good;
}

// A kernel of several layers is named without their numbers.
static bool run_names(void) {
    Arena arena = {0};
    static const char text[] =
        "func f(x: f32[1000] input, w1_0: f32[1000] input, w1_1: f32[1000] input,"
        " w1_12: f32[1000] input) -> (h12: f32[1000] output) {\n"
        "  h2 = mul x, w1_0 : f32[1000]\n  c2 = detach h2 : f32[1000]\n"
        "  h3 = mul c2, w1_1 : f32[1000]\n  c3 = detach h3 : f32[1000]\n"
        "  h12 = mul c3, w1_12 : f32[1000]\n  return h12\n}\n";
    LowerOptions options = {.level = 0};
    Program *program = program_new(&arena, "test", NULL);
    lower_function(program, parse_function(&arena, text), "entry", &options);
    share_kernels(program);
    const Kernel *kernel = program->kernels.at[0];
    bool good = strcmp(kernel->name, "h") == 0 && kernel->twins.count == 2 &&
                strcmp(kernel->names[1], "w1") == 0;
    if (!good) {
        Text out = text_new(&arena);
        print_loops(&out, program);
        fprintf(stderr, "names of layers: %s\n", text_string(&out));
    }
    arena_free(&arena);
    return good;
}

int main(void) {
    int failed = !run_entries() + !run_names();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        failed += !run_case(&cases[i]);
    }
    return failed > 0;
}
