// Names that mean something to C, C++ or the emitter itself, as fields, buffers, kernels, indices
// and values: the source compiles everywhere without warnings, fields stay apart, the numbers are
// right. And the header and manifest tell of them.
#include <jansson.h>

#include "codegen/emit_c.h"
#include "codegen/emit_c_names.h"
#include "tests/products/support/build.h"
#include "tests/products/support/compile.h"
#include "tests/unit/expect.h"

static const char *const hostile[] = {
    "double",
    "double_",
    "class",
    "restrict",
    "I",
    "j0",
    "main",
    "int32_t",
    "NULL",
    "errno",
    "linux",
    "not",
    "inputs",
    "outputs",
    "params",
    "workspace",
    "status",
    "i",
    "v1",
    "v2",
    "kernel_x",
    "INT32_MAX",
    "__FILE__",
    "_Bool",
    "expf",
    "memcpy",
    "true",
    "bool",
    "hostile_forward",
    "hostile_inputs",
    "TDSL_RESTRICT",
    "add_i32",
    "constant_x",
    "X",
    "x",
    "grad_x",
    "seed_x",
    "key",
    "import",
    "export",
    "asm",
    "and_eq",
    "signbit",
    "NAN",
    "index",
    "y1",
    "n0",
    "a_very_long_name_that_goes_on_and_on_and_on_until_it_is_longer_than_any_line_"
    "should_be_in_any_program_that_people_read_with_their_own_eyes",
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

// y_k = exp(x_k) + k through a value and an index of the same name.
static Kernel *make_kernel(Maker *m, int k) {
    Kernel *kernel = start_kernel(m, hostile[k], "line 1");
    Buffer *x = add_parameter(m, hostile[k], TYPE_F32, 2, false);
    Buffer *y = add_parameter(m, hostile[(k + 1) % HOSTILE], TYPE_F32, 2, true);
    Buffer *c = add_parameter(m, hostile[(k + 2) % HOSTILE], TYPE_F32, 1, false);
    Local *local = add_local(m, hostile[k], TYPE_F32, 1);
    Scalar *i = open_loop(m, hostile[k], 2);
    Scalar *value = make_libm(m, "exp", make_load(m, x, i), NULL);
    Scalar *shift = make_load(m, c, make_integer(m, TYPE_I64, 0));
    shift->name = hostile[k];
    add_set(m, local, NULL, shift);
    Scalar *sum = make(m, SCALAR_ADD, TYPE_F32, value, make_read(m, local, NULL), NULL);
    sum->name = hostile[k];
    Scalar *twice = make(m, SCALAR_ADD, TYPE_F32, sum, sum, NULL);
    add_store(m, y, i, twice);
    close_block(m);
    return kernel;
}

static const float numbers[HOSTILE] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

static Maker make_program(Arena *arena) {
    Maker maker = start_program(arena, "hostile"), *m = &maker;
    Kernel *kernels[HOSTILE];
    for (int k = 0; k < HOSTILE; k++) {
        kernels[k] = make_kernel(m, k);
    }
    Entry *entry = start_entry(m, "forward");
    entry->comment = "Computes *everything* /* at once */ \?\?/";
    entry->workspace_bytes = 64;
    Buffer *x[HOSTILE], *y[HOSTILE], *c[HOSTILE];
    for (int k = 0; k < HOSTILE; k++) {
        x[k] = add_field(m, GROUP_INPUTS, hostile[k], TYPE_F32, 2);
        y[k] = add_field(m, GROUP_OUTPUTS, hostile[k], TYPE_F32, 2);
        c[k] = add_constant(m, hostile[k], TYPE_F32, 1, &numbers[k]);
    }
    Buffer *temporary = add_temporary(m, "x", TYPE_F32, 2, 0);
    for (int k = 0; k < HOSTILE; k++) {
        add_call(m, kernels[k], (Buffer *[]){x[k], temporary, c[k]}, NULL);
        add_copy(m, temporary, y[k]);
    }
    return maker;
}

static void test_program(void) {
    Arena arena = {0};
    Maker maker = make_program(&arena);
    int tried = 0;
    EXPECT(compile_everywhere(maker.program, &tried) == 0 && tried >= 4);
    Loaded *loaded = load_with(&arena, maker.program, "cc", 1);
    if (!EXPECT(loaded != NULL)) {
        arena_free(&arena);
        return;
    }
    float x[2] = {0, 0}, y[HOSTILE][2];
    _Alignas(64) unsigned char workspace[64];
    void *inputs[HOSTILE], *outputs[HOSTILE];
    for (int k = 0; k < HOSTILE; k++) {
        inputs[k] = x;
        outputs[k] = y[k];
    }
    CallArguments arguments = {.workspace = workspace};
    arguments.groups[GROUP_INPUTS] = inputs;
    arguments.groups[GROUP_OUTPUTS] = outputs;
    EXPECT(loaded_call(loaded, maker.program->entries.at[0], &arguments) == STATUS_DONE);
    for (int k = 0; k < HOSTILE; k++) {
        EXPECT(y[k][0] == 2 * (1 + numbers[k]) && y[k][1] == y[k][0]);
    }
    loaded_free(loaded);
    arena_free(&arena);
}

static void test_fields_stay_apart(void) {
    Arena arena = {0};
    for (int i = 0; i < HOSTILE; i++) {
        for (int k = 0; k < i; k++) {
            EXPECT(strcmp(c_field_name(&arena, hostile[i]), c_field_name(&arena, hostile[k])) != 0);
        }
    }
    EXPECT_TEXT(c_field_name(&arena, "double"), "double_");
    EXPECT_TEXT(c_field_name(&arena, "double_"), "double__");
    EXPECT_TEXT(c_field_name(&arena, "w1"), "w1");
    EXPECT_TEXT(c_field_name(&arena, "w_"), "w_");
    arena_free(&arena);
}

static void test_unique_names(void) {
    Arena arena = {0};
    Names names = names_new(&arena);
    EXPECT_TEXT(names_take(&names, "h"), "h");
    names_open_scope(&names);
    EXPECT_TEXT(names_take(&names, "h"), "h_2");
    EXPECT_TEXT(names_take(&names, "h_2"), "h_2_2");
    EXPECT_TEXT(names_take(&names, "x.y"), "x_y");
    EXPECT_TEXT(names_take(&names, "3d"), "v3d");
    EXPECT_TEXT(names_take(&names, ""), "v");
    names_close_scope(&names);
    EXPECT_TEXT(names_take(&names, "x"), "x");
    EXPECT_TEXT(names_take(&names, "h_2"), "h_2");
    arena_free(&arena);
}

static void test_header(void) {
    Arena arena = {0};
    Maker maker = make_program(&arena);
    Text text = text_new(&arena);
    ProductOptions options = {.header_name = "hostile.h"};
    emit_c_header(&text, maker.program, &options);
    const char *header = text_string(&text);
    EXPECT(strstr(header, "const float *double_; /* f32[2] */") != NULL);
    EXPECT(strstr(header, "const float *double__; /* f32[2] */") != NULL);
    EXPECT(strstr(header, "The field of `class` is `class_`") != NULL);
    EXPECT(strstr(header, "#define hostile_WORKSPACE_BYTES 64\n") != NULL);
    EXPECT(strstr(header, "int hostile_forward(const hostile_inputs *inputs, "
                          "const hostile_outputs *outputs, void *workspace);\n") != NULL);
    arena_free(&arena);
}

static void test_manifest(void) {
    Arena arena = {0};
    Maker maker = make_program(&arena);
    add_site(&maker, "a \"quoted\" place\n");
    Text text = text_new(&arena);
    emit_manifest(&text, maker.program);
    json_error_t problem;
    json_t *manifest = json_loads(text_string(&text), JSON_REJECT_DUPLICATES, &problem);
    if (!EXPECT(manifest != NULL)) {
        fprintf(stderr, "line %d: %s\n%s\n", problem.line, problem.text, text_string(&text));
        arena_free(&arena);
        return;
    }
    EXPECT_TEXT(json_string_value(json_object_get(manifest, "model")), "hostile");
    json_t *groups = json_object_get(manifest, "groups");
    json_t *inputs = json_object_get(groups, "inputs");
    EXPECT(json_array_size(inputs) == HOSTILE && json_object_size(groups) == 2);
    json_t *first = json_array_get(inputs, 0);
    EXPECT_TEXT(json_string_value(json_object_get(first, "name")), "double");
    EXPECT_TEXT(json_string_value(json_object_get(first, "field")), "double_");
    EXPECT_TEXT(json_string_value(json_object_get(first, "dtype")), "f32");
    json_t *shape = json_object_get(first, "shape");
    EXPECT(json_array_size(shape) == 1 && json_integer_value(json_array_get(shape, 0)) == 2);
    json_t *entry = json_array_get(json_object_get(manifest, "entries"), 0);
    EXPECT_TEXT(json_string_value(json_object_get(entry, "symbol")), "hostile_forward");
    EXPECT(json_integer_value(json_object_get(entry, "workspace_bytes")) == 64);
    EXPECT(json_array_size(json_object_get(entry, "arguments")) == 3);
    json_t *statuses = json_object_get(manifest, "statuses");
    EXPECT(json_array_size(statuses) == 3);
    EXPECT_TEXT(json_string_value(json_array_get(statuses, 2)), "a \"quoted\" place\n");
    json_decref(manifest);
    arena_free(&arena);
}

int main(void) {
    test_fields_stay_apart();
    test_unique_names();
    test_header();
    test_manifest();
    test_program();
    return expect_result();
}
