// interpret() of the tests of lowering, by machine code: the same programs and arguments, compiled
// by LLVM for this machine and for narrower vectors, without and with optimisation.
#include <stdlib.h>
#include <string.h>

#include "codegen/loaded.h"
#include "codegen/product.h"
#include "tests/codegen/interpret.h"

typedef struct Machine {
    const char *cpu; // NULL: this machine's
    int level;
} Machine;

// An odd number, as functions are mostly lowered in an even number of ways: each way meets all.
static const Machine machines[] = {
#if defined(__x86_64__)
    {NULL, 2},        {"x86-64-v3", 2}, {"x86-64", 2},    {NULL, 0},
    {"x86-64-v3", 1}, {NULL, 3},        {"x86-64-v2", 2},
#else
    {NULL, 2}, {NULL, 0}, {NULL, 1}, {NULL, 3}, {NULL, 2},
#endif
};

// The program that was compiled last, known by its text: tests run each several times.
typedef struct Compiled {
    Arena arena;
    const char *text;
    Loaded *loaded;
    const char *error;
} Compiled;

static Compiled last;
static unsigned compiled_count;

static void forget_last(void) {
    loaded_free(last.loaded);
    arena_free(&last.arena);
    last = (Compiled){0};
}

static void compile_program(const Program *program, const char *text) {
    if (last.text == NULL)
        atexit(forget_last);
    else
        forget_last();
    const Machine *machine = &machines[compiled_count++ % (sizeof machines / sizeof *machines)];
    CompileOptions options = {
        .level = machine->level, .position_independent = true, .target = {.cpu = machine->cpu}};
    Objects objects;
    last.text = arena_copy_string(&last.arena, text);
    last.error = NULL;
    if (compile_objects(&last.arena, program, &options, &objects, &last.error))
        last.loaded = load_objects(program, objects, &last.error, &last.arena);
}

// The machine code of the program, which may be a later copy of the one that was compiled.
static const Loaded *code_of(const Program *program, Arena *arena) {
    Text text = text_new(arena);
    print_loops(&text, program);
    if (last.text == NULL || strcmp(last.text, text_string(&text)) != 0)
        compile_program(program, text_string(&text));
    if (last.loaded)
        last.loaded->program = program;
    return last.loaded;
}

enum { GUARD = 256 };

int interpret(const Program *program, const Entry *entry, Interpretation *run) {
    const Loaded *loaded = code_of(program, run->arena);
    run->error = last.error;
    if (loaded == NULL)
        return -1;
    size_t bytes = entry->workspace_bytes;
    unsigned char *memory = arena_alloc(run->arena, bytes + GUARD + WORKSPACE_ALIGNMENT);
    unsigned char *workspace =
        memory + (WORKSPACE_ALIGNMENT - (uintptr_t)memory % WORKSPACE_ALIGNMENT);
    memset(workspace, 0xff, bytes);
    memset(workspace + bytes, 0x5a, GUARD);
    CallArguments arguments = {.workspace = bytes ? workspace : NULL};
    for (int kind = 0; kind < GROUP_COUNT; kind++)
        if (entry->groups[kind].used)
            arguments.groups[kind] = run->fields[kind];
    int status = loaded_call(loaded, entry, &arguments);
    for (int i = 0; i < GUARD; i++)
        if (workspace[bytes + (size_t)i] != 0x5a)
            run->error = "it wrote beyond the workspace";
    return run->error ? -1 : status;
}
