// Loops over arrays: kernels called from entries, temporaries in the workspace, conditions, locals.
#include "run.h"

enum { COUNT = 1000 };

// y = max(2 * x + c, 0), by way of a temporary.
static Maker make_program(Arena *arena) {
    static const float three = 3;
    Maker maker = start_program(arena, "model");
    Kernel *scale = start_kernel(&maker, "scale", "");
    Buffer *x = add_parameter(&maker, "x", TYPE_F32, COUNT, false);
    Buffer *c = add_parameter(&maker, "c", TYPE_F32, 1, false);
    Buffer *t = add_parameter(&maker, "t", TYPE_F32, COUNT, true);
    Scalar *offset = make_load(&maker, c, make_integer(&maker, TYPE_I64, 0));
    Scalar *i = open_loop(&maker, "i", COUNT);
    i->loop->kind = LOOP_VECTOR;
    add_store(&maker, t, i,
              make(&maker, SCALAR_FMA, TYPE_F32, make_real(&maker, TYPE_F32, 2),
                   make_load(&maker, x, i), offset));
    close_block(&maker);
    Kernel *clip = start_kernel(&maker, "clip", "");
    Buffer *from = add_parameter(&maker, "t", TYPE_F32, COUNT, false);
    Buffer *y = add_parameter(&maker, "y", TYPE_F32, COUNT, true);
    i = open_loop(&maker, "i", COUNT);
    Scalar *value = make_load(&maker, from, i), *zero = make_real(&maker, TYPE_F32, 0);
    add_store(&maker, y, i,
              make(&maker, SCALAR_SELECT, TYPE_F32,
                   make(&maker, SCALAR_GT, TYPE_BOOL, value, zero, NULL), value, zero));
    close_block(&maker);
    Entry *entry = start_entry(&maker, "forward");
    entry->workspace_bytes = COUNT * sizeof(float) + 64;
    Buffer *input = add_field(&maker, GROUP_INPUTS, "x", TYPE_F32, COUNT);
    Buffer *output = add_field(&maker, GROUP_OUTPUTS, "y", TYPE_F32, COUNT);
    Buffer *constant = add_constant(&maker, "c", TYPE_F32, 1, &three);
    Buffer *temporary = add_temporary(&maker, "t", TYPE_F32, COUNT, 64);
    add_call(&maker, scale, (Buffer *[]){input, constant, temporary}, NULL);
    add_call(&maker, clip, (Buffer *[]){temporary, output}, NULL);
    return maker;
}

static void check_results(Maker *maker, const Loaded *loaded) {
    static float x[COUNT], y[COUNT];
    static _Alignas(64) char workspace[COUNT * sizeof(float) + 64];
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i - COUNT / 2);
    CallArguments arguments = {.workspace = workspace};
    arguments.groups[GROUP_INPUTS] = (void *[]){x};
    arguments.groups[GROUP_OUTPUTS] = (void *[]){y};
    const Entry *entry = maker->program->entries.at[0];
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_DONE);
    bool equal = true;
    for (int i = 0; i < COUNT; i++)
        equal = equal && y[i] == (2 * x[i] + 3 > 0 ? 2 * x[i] + 3 : 0);
    EXPECT(equal);
    arguments.workspace = workspace + 32;
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_NULL_POINTER);
    arguments.workspace = NULL;
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_NULL_POINTER);
    arguments.workspace = workspace;
    arguments.groups[GROUP_INPUTS] = NULL;
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_NULL_POINTER);
    arguments.groups[GROUP_INPUTS] = (void *[]){NULL};
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_NULL_POINTER);
}

int main(void) {
    Arena arena = {0};
    Maker maker = make_program(&arena);
    for (int level = 0; level <= 3; level++) {
        Loaded *loaded = load_program(&maker, level);
        check_results(&maker, loaded);
        loaded_free(loaded);
    }
    arena_free(&arena);
    return expect_result();
}
