// Code that is made in parts: what is made does not depend on the threads, it computes the same as
// in one part, and products show nothing of it.
#include "names.h"

enum { COUNT = 37, KERNELS = 6 };

// The elements of x times `factor`, plus those of a constant. Fails where an element is above 1000.
static Kernel *make_kernel(Maker *m, int number, int site) {
    Kernel *kernel = start_kernel(m, arena_format(m->arena, "scale_%d", number), NULL);
    Buffer *x = add_parameter(m, "x", TYPE_F32, COUNT, false);
    Buffer *more = add_parameter(m, "more", TYPE_F32, COUNT, false);
    Buffer *y = add_parameter(m, "y", TYPE_F32, COUNT, true);
    Scalar *i = open_loop(m, "i", COUNT);
    Scalar *value = make_load(m, x, i), *limit = make_real(m, TYPE_F32, 1000);
    if (number == 0)
        add_fail(m, make(m, SCALAR_GT, TYPE_BOOL, value, limit, NULL), site);
    Scalar *factor = make_real(m, TYPE_F32, number + 2);
    Scalar *grown = make_libm(m, "exp", make(m, SCALAR_DIV, TYPE_F32, value, limit, NULL), NULL);
    Scalar *product = make(m, SCALAR_MUL, TYPE_F32, grown, factor, NULL);
    add_store(m, y, i, make(m, SCALAR_ADD, TYPE_F32, product, make_load(m, more, i), NULL));
    close_block(m);
    return kernel;
}

// Without a loop, and called once: part of its entry.
static Kernel *make_small_kernel(Maker *m) {
    Kernel *kernel = start_kernel(m, "small", NULL);
    Buffer *y = add_parameter(m, "y", TYPE_F32, COUNT, true);
    Scalar *zero = make_integer(m, TYPE_I64, 0);
    Scalar *value = make_load(m, y, zero);
    add_store(m, y, zero, make(m, SCALAR_ADD, TYPE_F32, value, value, NULL));
    return kernel;
}

// One kernel has the name that constants are given.
static Maker make_program(Arena *arena) {
    Maker maker = start_program(arena, "model"), *m = &maker;
    float *data = arena_array(arena, float, COUNT);
    for (int i = 0; i < COUNT; i++)
        data[i] = (float)i / 4;
    int site = add_site(m, "too large");
    Kernel *kernels[KERNELS], *small = make_small_kernel(m);
    for (int i = 0; i < KERNELS; i++)
        kernels[i] = make_kernel(m, i, site);
    kernels[0]->fails = true;
    kernels[1]->name = "constant";
    Entry *entry = start_entry(m, "forward");
    entry->workspace_bytes = 256;
    Buffer *x = add_field(m, GROUP_INPUTS, "x", TYPE_F32, COUNT);
    Buffer *y = add_field(m, GROUP_OUTPUTS, "y", TYPE_F32, COUNT);
    Buffer *more = add_constant(m, "more", TYPE_F32, COUNT, data);
    Buffer *t = add_temporary(m, "t", TYPE_F32, COUNT, 0);
    for (int i = 0; i < KERNELS; i++) {
        Buffer *from = i == 0 ? x : i % 2 == 0 ? y : t, *to = i % 2 == 0 ? t : y;
        add_call(m, kernels[i], (Buffer *[]){from, more, to}, NULL);
    }
    add_call(m, small, &y, NULL);
    return maker;
}

static Objects compile(Maker *maker, int level, int parts, int threads) {
    CompileOptions options = {
        .level = level, .position_independent = true, .parts = parts, .threads = threads};
    const char *error = NULL;
    Objects objects = {0};
    if (!EXPECT(compile_objects(maker->arena, maker->program, &options, &objects, &error)))
        fprintf(stderr, "%d parts: %s\n", parts, error);
    return objects;
}

static bool same_objects(Objects a, Objects b) {
    bool same = a.count == b.count;
    for (int i = 0; same && i < a.count; i++)
        same = a.at[i].count == b.at[i].count && memcmp(a.at[i].at, b.at[i].at, a.at[i].count) == 0;
    return same;
}

// What the program computes, and the status it ends with where an element is too large.
static void run_objects(Maker *maker, Objects objects, float *y) {
    static _Alignas(64) char workspace[256];
    float x[COUNT];
    const char *error = NULL;
    Loaded *loaded = load_objects(maker->program, objects, &error, maker->arena);
    if (!EXPECT(loaded != NULL)) {
        fprintf(stderr, "%s\n", error);
        return;
    }
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)i * 3 - 20;
    void *inputs[] = {x}, *outputs[] = {y};
    CallArguments arguments = {.workspace = workspace};
    arguments.groups[GROUP_INPUTS] = inputs;
    arguments.groups[GROUP_OUTPUTS] = outputs;
    const Entry *entry = maker->program->entries.at[0];
    x[20] = 1001;
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_FIRST_SITE);
    x[20] = 40;
    EXPECT(loaded_call(loaded, entry, &arguments) == STATUS_DONE);
    loaded_free(loaded);
}

static void check_code(Maker *maker, int level) {
    float whole[COUNT] = {0}, y[COUNT] = {0};
    run_objects(maker, compile(maker, level, 1, 1), whole);
    EXPECT(whole[3] != 0);
    for (int parts = 2; parts <= 4; parts++) {
        Objects objects = compile(maker, level, parts, 1);
        EXPECT(objects.count == (level < 3 ? parts : 1));
        EXPECT(same_objects(objects, compile(maker, level, parts, 2)));
        EXPECT(same_objects(objects, compile(maker, level, parts, 16)));
        EXPECT(same_objects(objects, compile(maker, level, parts, 0)));
        memset(y, 0, sizeof y);
        run_objects(maker, objects, y);
        EXPECT(memcmp(y, whole, sizeof y) == 0);
    }
    EXPECT(compile(maker, level, 0, 0).count == 1); // little work
}

static void check_names(Maker *maker, const char *folder) {
    Arena *arena = maker->arena;
    Objects objects = compile(maker, 2, 3, 0);
    const char *error = NULL, *library = arena_format(arena, "%s/model.so", folder);
    for (int i = 0; i < objects.count; i++) {
        const char *path = arena_format(arena, "%s/part%d.o", folder, i);
        EXPECT(write_new_file(arena, path, objects.at[i].at, objects.at[i].count, &error));
        const char *names = names_of(arena, path, "-a");
        EXPECT((strstr(names, "model_forward\n") != NULL) == (i == 0));
        if (i > 0) // done in place, in the first part
            EXPECT(strstr(names, "model.small") == NULL && strstr(names, "model.") != NULL);
    }
    if (EXPECT(link_shared(arena, objects, library, &error))) {
        const char *names = names_of(arena, library, "-D");
        EXPECT(strchr(names, '.') == NULL && strstr(names, "model_forward\n") != NULL);
    }
}

// Of several parts that fail one error is told.
static void check_failure(Maker *maker) {
    CompileOptions options = {.level = 2, .parts = 4, .threads = 4};
    options.target.triple = "x86_65-linux-gnu";
    Objects objects;
    const char *error = NULL;
    EXPECT(!compile_objects(maker->arena, maker->program, &options, &objects, &error));
    EXPECT(error && strstr(error, "unknown target") != NULL);
}

int main(void) {
    Arena arena = {0};
    Maker maker = make_program(&arena);
    const char *error = NULL, *folder = make_private_folder(&arena, NULL, &error);
    for (int level = 0; level <= 3; level++)
        check_code(&maker, level);
    if (EXPECT(folder != NULL)) {
        check_names(&maker, folder);
        remove_private_folder(folder);
    }
    check_failure(&maker);
    arena_free(&arena);
    return expect_result();
}
