// Builders make the types that their operators promise, type rules refuse what they must with
// messages a user understands, and edits keep the IR in shape.
#include "ir/build.h"

#include <stdarg.h>
#include <stdlib.h>

#include "ir/edit.h"
#include "tests/unit/expect.h"

static Arena arena;
static Module *module;
static Function *function;
static Builder builder, *b = &builder;

// One function to build in, for each test.
static void start(void) {
    module = module_new(&arena);
    function = function_new(module, "f", no_span);
    builder = builder_at(function->body, no_span);
}

static void finish(void) {
    arena_free(&arena);
}

static const Dim *dim(const char *text) {
    char *end;
    long long number = strtoll(text, &end, 10);
    return *end == '\0' ? dim_constant(module->dims, number) : dim_symbol(module->dims, text);
}

// `text` holds sizes and names separated by spaces: "2 B 3".
static Dims dims(const char *text) {
    VEC(const Dim *) list = {0};
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        vec_push(&arena, &list, dim(word));
    }
    return (Dims){list.at, list.count};
}

static Type type(ElementType element, const char *shape) {
    Dims list = dims(shape);
    return (Type){element, list.count, list.at};
}

// A parameter of the function.
static Value *tensor(ElementType element, const char *shape) {
    return function_add_parameter(function, type(element, shape), (Slot){0});
}

static Value *real(const char *shape) {
    return tensor(TYPE_F32, shape);
}

#define EXPECT_TYPE(value, text) EXPECT_TEXT(type_string(&arena, (value)->type), text)

static const char *refusal(Op op, const Attribute *attribute, int count, ...) {
    Value *operands[4];
    va_list list;
    va_start(list, count);
    for (int i = 0; i < count; i++) {
        operands[i] = va_arg(list, Value *);
    }
    va_end(list);
    Type result;
    const char *why = "no message";
    return op_result_type(module, op, operands, count, attribute, &result, &why) ? "accepted" : why;
}

#define EXPECT_REFUSAL(message, ...) EXPECT_TEXT(refusal(__VA_ARGS__), message)

static void test_table(void) {
    Op op;
    EXPECT(op_from_name("matmul", &op) == false);
    for (int i = 0; i < OP_COUNT; i++) {
        const OpInfo *info = op_info((Op)i);
        EXPECT(op_from_name(info->name, &op) && op == (Op)i);
        EXPECT(info->elementwise == (info->rule != RULE_none));
        EXPECT(info->elementwise == (info->form != FORM_none));
        EXPECT(info->arity >= -1 && info->meaning[0] != '\0');
    }
    EXPECT_TEXT(op_info(OP_log)->name, "log");
    EXPECT(op_info(OP_cast)->attribute == ATTRIBUTE_element);
    EXPECT(op_info(OP_loop)->traits & STRUCTURED);
}

static void test_types(void) {
    start();
    EXPECT(type_fits(type(TYPE_F32, "3 0 B")) && type_fits(type(TYPE_F32, "")));
    EXPECT(!type_fits(type(TYPE_F32, "-1")) && !type_fits(type(TYPE_F32, "B -1")));
    EXPECT(!type_fits(type(TYPE_F32, "8388608 8388608")));
    EXPECT(type_fits(type(TYPE_F32, "8388608 8388607")));
    EXPECT(!type_fits(type(TYPE_F32, "0 8388608 8388608")));
    EXPECT(type_elements(type(TYPE_F32, "2 3 4")) == 24 && type_bytes(type(TYPE_F64, "2 3")) == 48);
    EXPECT(type_elements(type(TYPE_F32, "")) == 1 && type_elements(type(TYPE_F32, "3 0")) == 0);
    EXPECT(type_equal(type(TYPE_F32, "2 B"), type(TYPE_F32, "2 B")));
    EXPECT(!type_equal(type(TYPE_F32, "2 B"), type(TYPE_F64, "2 B")));
    EXPECT(!shape_equal(type(TYPE_F32, "2 B"), type(TYPE_F32, "B 2")));
    EXPECT(!type_is_static(type(TYPE_F32, "2 B")) && type_is_static(type(TYPE_F32, "2 3")));
    EXPECT(type_size(module->dims, type(TYPE_F32, "2 B 3")) ==
           type_size(module->dims, type(TYPE_F32, "B 6")));
    for (int i = 0; i < ELEMENT_TYPE_COUNT; i++) {
        ElementType element;
        EXPECT(element_from_name(element_name((ElementType)i), &element) && (int)element == i);
    }
    finish();
}

static void test_elementwise(void) {
    start();
    Value *x = real("2 B"), *n = tensor(TYPE_I64, "2 B"), *scalar = real("");
    Value *bits = tensor(TYPE_BOOL, "2 B");
    EXPECT_TYPE(build_add(b, x, x), "f32[2,B]");
    EXPECT_TYPE(build_mul(b, x, scalar), "f32[2,B]");
    EXPECT(function->body->last->operands[1]->definition->op == OP_broadcast);
    EXPECT_TYPE(build_mul(b, scalar, scalar), "f32");
    EXPECT_TYPE(build_lt(b, scalar, x), "bool[2,B]");
    EXPECT_TYPE(build_is_nan(b, x), "bool[2,B]");
    EXPECT_TYPE(build_select(b, bits, n, n), "i64[2,B]");
    EXPECT_TYPE(build_select(b, build_lt(b, scalar, scalar), scalar, x), "f32[2,B]");
    EXPECT_TYPE(build_cast(b, n, TYPE_F64), "f64[2,B]");
    EXPECT(build_cast(b, n, TYPE_I64) == n);
    EXPECT_TYPE(build_binary(b, OP_random_bits, n, n), "i64[2,B]");
    EXPECT_REFUSAL("add needs operands of one element type, got f32 and i64", OP_add, NULL, 2, x,
                   n);
    EXPECT_REFUSAL("add needs numbers, got bool[2,B]", OP_add, NULL, 2, bits, bits);
    EXPECT_REFUSAL("add needs 2 operands, got 1", OP_add, NULL, 1, x);
    EXPECT_REFUSAL("add needs operands of one shape, got f32[2,B] and f32", OP_add, NULL, 2, x,
                   scalar);
    EXPECT_REFUSAL("add needs equal sizes of axis 0, got 2 and 3", OP_add, NULL, 2, x, real("3 B"));
    EXPECT_REFUSAL("add cannot show that the sizes B and C of axis 1 are equal", OP_add, NULL, 2, x,
                   real("2 C"));
    EXPECT_REFUSAL("sin needs real numbers, got i64[2,B]", OP_sin, NULL, 1, n);
    EXPECT_REFUSAL("bit_and needs integers, got f32", OP_bit_and, NULL, 2, scalar, scalar);
    EXPECT_REFUSAL("logical_not needs bool, got f32", OP_logical_not, NULL, 1, scalar);
    EXPECT_REFUSAL("is_nan needs real numbers, got i64[2,B]", OP_is_nan, NULL, 1, n);
    EXPECT_REFUSAL("select needs a bool condition, got f32[2,B]", OP_select, NULL, 3, x, x, x);
    EXPECT_REFUSAL("select needs operands of one element type, got f32 and i64", OP_select, NULL, 3,
                   bits, x, n);
    EXPECT_REFUSAL("random_bits needs an i64 key and an i64 counter, got f32", OP_random_bits, NULL,
                   2, scalar, scalar);
    finish();
}

static void test_constants(void) {
    start();
    Value *half = build_scalar(b, TYPE_F32, 0.5), *five = build_scalar(b, TYPE_I32, 5);
    EXPECT_TYPE(half, "f32");
    EXPECT(*(const float *)half->definition->attr.data->bytes == 0.5f);
    EXPECT(*(const int32_t *)five->definition->attr.data->bytes == 5);
    Value *yes = build_scalar(b, TYPE_BOOL, 0.25);
    EXPECT(*(const unsigned char *)yes->definition->attr.data->bytes == 1);
    Value *most = build_scalar_integer(b, TYPE_I64, INT64_MAX);
    EXPECT(*(const int64_t *)most->definition->attr.data->bytes == INT64_MAX);
    EXPECT_TYPE(build_full(b, type(TYPE_F64, "B 3"), 1), "f64[B,3]");
    EXPECT_TYPE(build_full(b, type(TYPE_F64, ""), 1), "f64");
    float numbers[] = {1, 2, 3};
    Value *constant = build_constant(b, &(TensorData){type(TYPE_F32, "3"), numbers});
    numbers[0] = 9;
    EXPECT_TYPE(constant, "f32[3]");
    EXPECT(((const float *)constant->definition->attr.data->bytes)[0] == 1);
    EXPECT_TYPE(build_constant(b, &(TensorData){type(TYPE_F32, "0"), NULL}), "f32[0]");
    Value *size = build_dim(b, dim("B")), *known = build_dim(b, dim("7"));
    EXPECT_TYPE(size, "i64");
    EXPECT(size->definition->op == OP_dimension && size->definition->attr.dimension == dim("B"));
    EXPECT(known->definition->op == OP_constant);
    EXPECT(*(const int64_t *)known->definition->attr.data->bytes == 7);
    EXPECT_TYPE(build_iota(b, TYPE_I64, dims("B 3"), 1), "i64[B,3]");
    Attribute attribute = {.element = TYPE_BOOL, .shape = dims("3")};
    EXPECT_REFUSAL("iota makes numbers, not bool", OP_iota, &attribute, 0);
    attribute = (Attribute){.element = TYPE_I64, .shape = dims("3"), .axis = 1};
    EXPECT_REFUSAL("iota has no axis 1 in a tensor of rank 1", OP_iota, &attribute, 0);
    EXPECT_REFUSAL("constant has no value", OP_constant, NULL, 0);
    EXPECT_REFUSAL("dimension has no value", OP_dimension, NULL, 0);
    finish();
}

static void test_broadcast(void) {
    start();
    Value *x = real("B 1"), *scalar = real("");
    EXPECT_TYPE(build_broadcast_to(b, x, dims("2 B 3")), "f32[2,B,3]");
    EXPECT_TYPE(build_broadcast_to(b, scalar, dims("B")), "f32[B]");
    EXPECT(build_broadcast_to(b, x, dims("B 1")) == x);
    EXPECT_TYPE(build_broadcast(b, x, dims("B 2 4"), (int[]){0, 2}), "f32[B,2,4]");
    Value *wide = real("2 B 3");
    EXPECT_TYPE(build_sum_to(b, wide, dims("B 1")), "f32[B,1]");
    EXPECT_TYPE(build_sum_to(b, wide, dims("")), "f32");
    EXPECT_TYPE(build_sum_to(b, wide, dims("2 1 3")), "f32[2,1,3]");
    EXPECT(build_sum_to(b, wide, dims("2 B 3")) == wide);
    EXPECT_TYPE(build_sum_to(b, real("1 3"), dims("3")), "f32[3]");
    int axes[] = {0, 1};
    Attribute to = {.shape = dims("C 1"), .axes = {axes, 2}};
    EXPECT_REFUSAL("broadcast cannot show that the sizes B and C of axis 0 are equal", OP_broadcast,
                   &to, 1, x);
    to.shape = dims("2 3");
    EXPECT_REFUSAL("broadcast needs equal sizes of axis 0, got 4 and 2", OP_broadcast, &to, 1,
                   real("4 3"));
    axes[1] = 0;
    EXPECT_REFUSAL("broadcast needs each axis once and in order, got 0 after 0", OP_broadcast, &to,
                   1, x);
    axes[1] = 2;
    EXPECT_REFUSAL("broadcast has no axis 2 in a tensor of rank 2", OP_broadcast, &to, 1, x);
    EXPECT_REFUSAL("broadcast needs 0 axes, one for each of the operand, got 2", OP_broadcast, &to,
                   1, scalar);
    finish();
}

static void test_reshape(void) {
    start();
    Value *x = real("B 6");
    EXPECT_TYPE(build_reshape(b, x, dims("2 B 3")), "f32[2,B,3]");
    EXPECT_TYPE(build_reshape(b, real("0 3"), dims("5 0")), "f32[5,0]");
    EXPECT_TYPE(build_reshape(b, real("1 1"), dims("")), "f32");
    EXPECT(build_reshape(b, x, dims("B 6")) == x);
    Attribute to = {.shape = dims("C 6")};
    EXPECT_REFUSAL("reshape from f32[B,6] to f32[C,6] cannot show that 6*B and 6*C elements are "
                   "equally many",
                   OP_reshape, &to, 1, x);
    to.shape = dims("7");
    EXPECT_REFUSAL("reshape from f32[2,3] to f32[7] needs equally many elements, got 6 and 7",
                   OP_reshape, &to, 1, real("2 3"));
    to.shape = dims("-2 -3");
    EXPECT_REFUSAL(
        "reshape would make a tensor that is too large or has a negative size: f32[-2,-3]",
        OP_reshape, &to, 1, real("2 3"));
    EXPECT_TYPE(build_transpose(b, real("B 2 3"), (int[]){2, 0, 1}), "f32[3,B,2]");
    Attribute order = {.axes = {(int[]){0, 0}, 2}};
    EXPECT_REFUSAL("transpose names axis 0 twice", OP_transpose, &order, 1, x);
    order.axes = (Ints){(int[]){0, 2}, 2};
    EXPECT_REFUSAL("transpose has no axis 2 in a tensor of rank 2", OP_transpose, &order, 1, x);
    EXPECT_REFUSAL("transpose of f32[2] needs 1 axes, got 2", OP_transpose, &order, 1, real("2"));
    finish();
}

static const char *slice(const char *shape, const char *from, const char *to, int step) {
    Attribute attribute = {.start = dims(from), .stop = dims(to), .step = {&step, 1}};
    Value *x = real(shape);
    Type result;
    const char *why = NULL;
    bool fits = op_result_type(module, OP_slice, &x, 1, &attribute, &result, &why);
    return fits ? type_string(&arena, result) : why;
}

static void test_slice(void) {
    start();
    EXPECT_TEXT(slice("10", "0", "10", 1), "f32[10]");
    EXPECT_TEXT(slice("10", "2", "9", 3), "f32[3]");
    EXPECT_TEXT(slice("10", "2", "8", 3), "f32[2]");
    EXPECT_TEXT(slice("10", "4", "4", 2), "f32[0]");
    EXPECT_TEXT(slice("10", "9", "-1", -1), "f32[10]");
    EXPECT_TEXT(slice("10", "9", "-1", -3), "f32[4]");
    EXPECT_TEXT(slice("10", "9", "0", -3), "f32[3]");
    EXPECT_TEXT(slice("10", "9", "-1", INT32_MIN), "f32[1]");
    EXPECT_TEXT(slice("B", "0", "B", 1), "f32[B]");
    EXPECT_TEXT(slice("B", "1", "B", 1), "f32[B - 1]");
    EXPECT_TEXT(slice("B", "0", "1", 1), "f32[1]");
    EXPECT_TEXT(slice("10", "3", "11", 1), "slice of axis 0 needs that stop 11 is at most size 10");
    EXPECT_TEXT(slice("10", "-1", "3", 1), "slice of axis 0 needs that 0 is at most start -1");
    EXPECT_TEXT(slice("10", "5", "3", 1), "slice of axis 0 needs that start 5 is at most stop 3");
    EXPECT_TEXT(slice("10", "3", "5", -1), "slice of axis 0 needs that stop 5 is at most start 3");
    EXPECT_TEXT(slice("10", "10", "5", -1),
                "slice of axis 0 needs that start 10 is at most the last index 9");
    EXPECT_TEXT(slice("10", "3", "-2", -1), "slice of axis 0 needs that -1 is at most stop -2");
    EXPECT_TEXT(slice("B", "0", "2", 1),
                "slice of axis 0 cannot show that stop 2 is at most size B");
    EXPECT_TEXT(slice("B", "0", "B", 2), "slice of axis 0 from 0 to B by 2 needs known sizes");
    EXPECT_TEXT(slice("10", "0", "10", 0), "slice of axis 0 has step 0");
    EXPECT_TEXT(slice("10 2", "0", "10", 1), "slice needs 2 starts, got 1");
    EXPECT_TYPE(build_slice(b, real(""), dims(""), dims(""), NULL), "f32");
    finish();
}

static const char *pad(const char *shape, const char *low, const char *high, int step) {
    Attribute attribute = {.low = dims(low), .high = dims(high), .step = {&step, 1}};
    Value *operands[] = {real(shape), real("")};
    Type result;
    const char *why = NULL;
    bool fits = op_result_type(module, OP_pad, operands, 2, &attribute, &result, &why);
    return fits ? type_string(&arena, result) : why;
}

static void test_pad(void) {
    start();
    EXPECT_TEXT(pad("3", "1", "2", 1), "f32[6]");
    EXPECT_TEXT(pad("3", "-1", "0", 1), "f32[2]");
    EXPECT_TEXT(pad("3", "1", "1", 3), "f32[9]");
    EXPECT_TEXT(pad("0", "1", "1", 3), "f32[2]");
    EXPECT_TEXT(pad("B", "1", "1", 2), "f32[2*B + 1]");
    EXPECT_TEXT(pad("B", "B", "-1", 1), "f32[2*B - 1]");
    EXPECT_TEXT(pad("3", "-2", "-2", 1),
                "pad of axis 0 with size 3 by -2 and -2 does not leave a size "
                "that is known to be 0 or more");
    EXPECT_TEXT(pad("B", "-2", "0", 1),
                "pad of axis 0 with size B by -2 and 0 does not leave a size "
                "that is known to be 0 or more");
    EXPECT_TEXT(pad("3", "1", "1", 0), "pad of axis 0 has step 0; the least is 1");
    Attribute none = {0};
    EXPECT_REFUSAL("pad needs a scalar of type f32 to fill with, got f64", OP_pad, &none, 2,
                   real(""), tensor(TYPE_F64, ""));
    EXPECT_TYPE(build_pad(b, real("2 B"), real(""), dims("1 0"), dims("0 B"), (int[]){1, 1}),
                "f32[3,2*B]");
    finish();
}

static void test_concat(void) {
    start();
    Value *parts[] = {real("2 B"), real("2 C"), real("2 3")};
    EXPECT_TYPE(build_concat(b, parts, 3, 1), "f32[2,B + C + 3]");
    EXPECT_TYPE(build_concat(b, parts, 1, 0), "f32[2,B]");
    Attribute first = {.axis = 0}, third = {.axis = 2};
    EXPECT_REFUSAL("concat cannot show that the sizes B and C of axis 1 are equal", OP_concat,
                   &first, 2, parts[0], parts[1]);
    EXPECT_REFUSAL("concat has no axis 2 in a tensor of rank 2", OP_concat, &third, 1, parts[0]);
    EXPECT_REFUSAL("concat needs at least one operand", OP_concat, &first, 0);
    EXPECT_REFUSAL("concat has no axis 0 in a tensor of rank 0", OP_concat, &first, 1, real(""));
    EXPECT_REFUSAL("concat needs operands of one element type, got f32 and f64", OP_concat, &first,
                   2, real("2"), tensor(TYPE_F64, "2"));
    EXPECT_REFUSAL("concat needs operands of one rank, got f32[2] and f32[2,2]", OP_concat, &first,
                   2, real("2"), real("2 2"));
    finish();
}

static void test_indexing(void) {
    start();
    Value *x = real("B 3"), *index = tensor(TYPE_I64, "5"), *place = tensor(TYPE_I64, "");
    Value *values = real("5");
    EXPECT_TYPE(build_gather(b, x, (Value *[]){index, index}), "f32[5]");
    EXPECT_TYPE(build_scatter(b, OP_scatter_add, x, values, (Value *[]){index, index}), "f32[B,3]");
    EXPECT_TYPE(build_row(b, x, place), "f32[3]");
    EXPECT_TYPE(build_row(b, real("B"), place), "f32");
    EXPECT_TYPE(build_row(b, real("B 2 C"), place), "f32[2,C]");
    EXPECT_TYPE(build_scatter_row(b, OP_scatter_set, x, real("3"), place), "f32[B,3]");
    EXPECT_TYPE(build_scatter_row(b, OP_scatter_add, real("B"), real(""), place), "f32[B]");
    EXPECT_REFUSAL("gather of f32[B,3] needs 2 indices, one for each axis, got 1", OP_gather, NULL,
                   2, x, index);
    EXPECT_REFUSAL("gather needs i64 indices, got f32[5]", OP_gather, NULL, 2, real("B"), values);
    EXPECT_REFUSAL("gather needs indices of one shape, got i64 where i64[5] is needed", OP_gather,
                   NULL, 3, x, index, place);
    EXPECT_REFUSAL("gather needs a tensor and an index for each of its axes", OP_gather, NULL, 1,
                   real(""));
    EXPECT_REFUSAL("gather needs a tensor to index, got a scalar", OP_gather, NULL, 2, real(""),
                   place);
    EXPECT_REFUSAL("scatter_set needs indices of one shape, got i64 where i64[5] is needed",
                   OP_scatter_set, NULL, 3, real("B"), values, place);
    EXPECT_REFUSAL("scatter_add needs values of the tensor's element type, got f64 and f32",
                   OP_scatter_add, NULL, 3, real("B"), tensor(TYPE_F64, "5"), index);
    EXPECT_REFUSAL("scatter_add needs numbers, got bool[B]", OP_scatter_add, NULL, 3,
                   tensor(TYPE_BOOL, "B"), tensor(TYPE_BOOL, "5"), index);
    finish();
}

static void test_reductions(void) {
    start();
    Value *x = real("2 B 3"), *bits = tensor(TYPE_BOOL, "2 B");
    EXPECT_TYPE(build_reduce(b, OP_reduce_sum, x, (int[]){0, 2}, 2), "f32[B]");
    EXPECT_TYPE(build_reduce(b, OP_reduce_max, bits, (int[]){0, 1}, 2), "bool");
    EXPECT(build_reduce(b, OP_reduce_sum, x, NULL, 0) == x);
    EXPECT_TYPE(build_reduce(b, OP_reduce_prod, real("0 3"), (int[]){0}, 1), "f32[3]");
    EXPECT_TYPE(build_unreduce(b, real("B"), x->type, (int[]){0, 2}, 2), "f32[2,B,3]");
    EXPECT_TYPE(build_unreduce(b, real("B"), type(TYPE_F32, "1 B 1"), (int[]){0, 2}, 2),
                "f32[1,B,1]");
    EXPECT_TYPE(build_unreduce(b, real(""), type(TYPE_F32, "4"), (int[]){0}, 1), "f32[4]");
    EXPECT_TYPE(build_argmax(b, OP_argmin, x, 1), "i64[2,3]");
    EXPECT_TYPE(build_cumsum(b, x, 2, true), "f32[2,B,3]");
    EXPECT(function->body->last->attr.reverse && function->body->last->attr.axis == 2);
    Attribute axes = {.axes = {(int[]){1, 0}, 2}}, first = {.axes = {(int[]){0}, 1}}, axis = {0};
    EXPECT_REFUSAL("reduce_sum needs each axis once and in order, got 0 after 1", OP_reduce_sum,
                   &axes, 1, x);
    EXPECT_REFUSAL("reduce_sum needs numbers, got bool[2,B]", OP_reduce_sum, &first, 1, bits);
    EXPECT_REFUSAL("reduce_sum has no axis 0 in a tensor of rank 0", OP_reduce_sum, &first, 1,
                   real(""));
    EXPECT_REFUSAL("reduce_max needs at least one element, but axis 0 of f32[0,3] has none",
                   OP_reduce_max, &first, 1, real("0 3"));
    EXPECT_REFUSAL("argmax needs at least one element, but axis 0 of f32[0,3] has none", OP_argmax,
                   &axis, 1, real("0 3"));
    EXPECT_REFUSAL("argmax needs numbers, got bool[2,B]", OP_argmax, &axis, 1, bits);
    EXPECT_REFUSAL("cumsum has no axis 0 in a tensor of rank 0", OP_cumsum, &axis, 1, real(""));
    finish();
}

static const char *contract(const char *labels, Value *x, Value *y) {
    Attribute attribute = {.labels = labels};
    Value *operands[] = {x, y};
    Type result;
    const char *why = NULL;
    bool fits = op_result_type(module, OP_contract, operands, 2, &attribute, &result, &why);
    return fits ? type_string(&arena, result) : why;
}

static void test_contract(void) {
    start();
    Value *x = real("B 2 64"), *w = real("64 5"), *v = real("2"), *scalar = real("");
    EXPECT_TEXT(contract("bij,jk->bik", x, w), "f32[B,2,5]");
    EXPECT_TEXT(contract("i,i->", v, v), "f32");
    EXPECT_TEXT(contract("i,j->ji", v, real("B")), "f32[B,2]");
    EXPECT_TEXT(contract("i,->i", v, scalar), "f32[2]");
    EXPECT_TEXT(contract(",->", scalar, scalar), "f32");
    EXPECT_TYPE(build_contract(b, x, w, "bij,jk->kib"), "f32[5,2,B]");
    EXPECT_TEXT(contract("ij,jk->ik", real("2 128"), w),
                "contract needs equal sizes for the shared label j, got 128 and 64");
    EXPECT_TEXT(contract("ij,jk->ik", real("2 B"), w),
                "contract cannot show that the sizes B and 64 for the shared label j are equal");
    EXPECT_TEXT(contract("ij,jk->ik", x, w),
                "contract has 2 labels for f32[B,2,64] in \"ij,jk->ik\"");
    EXPECT_TEXT(contract("ij,jk->i", real("2 64"), w),
                "contract cannot drop the label k, which only one operand has: \"ij,jk->i\"");
    EXPECT_TEXT(contract("i,i->z", v, v),
                "contract has no operand with the label z of the result: \"i,i->z\"");
    EXPECT_TEXT(
        contract("ii,ik->ik", real("64 64"), w),
        "contract needs each label once in an operand and in the result, got \"ii,ik->ik\"");
    EXPECT_TEXT(contract("i,i->ii", v, v),
                "contract needs each label once in an operand and in the result, got \"i,i->ii\"");
    EXPECT_TEXT(contract("i,i", v, v), "contract needs labels like \"ij,jk->ik\", got \"i,i\"");
    EXPECT_TEXT(contract(NULL, v, v), "contract needs labels like \"ij,jk->ik\", got \"\"");
    EXPECT_TEXT(contract("1,1->", v, v), "contract needs letters as labels, got \"1,1->\"");
    EXPECT_TEXT(contract("i,i->", v, tensor(TYPE_F64, "2")),
                "contract needs operands of one element type, got f32 and f64");
    EXPECT_TEXT(contract("i,i->", tensor(TYPE_BOOL, "2"), tensor(TYPE_BOOL, "2")),
                "contract needs numbers, got bool[2]");
    finish();
}

// sum over i of x, stacking each row, while the sum is below 10
static Inst *build_sample_loop(Value *x, bool with_condition) {
    Value *initial = build_full(b, type(TYPE_F32, "3"), 0);
    Inst *loop = build_loop(b, dim("B"), &initial, 1, NULL);
    Region *body = loop->regions[0];
    Builder inner = builder_at(body, no_span);
    Value *row = build_row(&inner, x, body->parameters.at[0]);
    vec_push(&arena, &body->yields, build_add(&inner, body->parameters.at[1], row));
    vec_push(&arena, &body->yields, row);
    if (with_condition) {
        Region *condition = loop_add_condition(loop);
        Builder test = builder_at(condition, no_span);
        Value *total =
            build_reduce(&test, OP_reduce_sum, condition->parameters.at[1], (int[]){0}, 1);
        vec_push(&arena, &condition->yields,
                 build_lt(&test, total, build_scalar(&test, TYPE_F32, 10)));
    }
    loop_finish(loop);
    return loop;
}

static void test_loop(void) {
    start();
    Value *x = real("B 3");
    Inst *loop = build_sample_loop(x, true);
    Region *body = loop->regions[0];
    EXPECT(body->parameters.count == 2 && body->owner == loop);
    EXPECT_TEXT(body->parameters.at[0]->name, "i");
    EXPECT(loop->result_count == 3 && loop_iterations(loop) == loop->results[2]);
    EXPECT_TYPE(loop->results[0], "f32[3]");
    EXPECT_TYPE(loop->results[1], "f32[B,3]");
    EXPECT_TYPE(loop->results[2], "i64");
    Value *iterations = loop_iterations(loop);
    Value *indices = loop_add_stack(loop, body->parameters.at[0]);
    EXPECT_TYPE(indices, "i64[B]");
    EXPECT(indices->index == 2 && loop->results[2] == indices);
    EXPECT(loop_iterations(loop) == iterations && iterations->index == 3);
    EXPECT(body->yields.count == 3 && body->yields.at[2] == body->parameters.at[0]);
    EXPECT(value_is_visible(x, body) && value_is_visible(body->yields.at[0], body));
    EXPECT(!value_is_visible(body->yields.at[0], function->body));
    EXPECT(!value_is_visible(body->yields.at[0], loop->regions[1]));

    Value *count = tensor(TYPE_I64, "");
    Inst *counted = build_loop(b, dim("8"), NULL, 0, count);
    EXPECT(counted->attr.counted && counted->operand_count == 1);
    loop_finish(counted);
    EXPECT(counted->result_count == 0);
    finish();
}

static void test_branch_and_call(void) {
    start();
    Value *x = real("B");
    Inst *branch = build_branch(b, tensor(TYPE_BOOL, ""));
    for (int side = 0; side < 2; side++) {
        Builder inner = builder_at(branch->regions[side], no_span);
        Value *yielded = side == 0 ? build_neg(&inner, x) : x;
        vec_push(&arena, &branch->regions[side]->yields, yielded);
    }
    branch_finish(branch);
    EXPECT(branch->result_count == 1);
    EXPECT_TYPE(branch->results[0], "f32[B]");
    function_add_result(function, branch->results[0], (Slot){.name = "y", .role = ROLE_OUTPUT});

    Function *caller = function_new(module, "f", no_span);
    EXPECT_TEXT(caller->name, "f_2");
    EXPECT(function_find(module, "f") == function && function_find(module, "f_2") == caller);
    EXPECT(caller->index == 1 && function_find(module, "g") == NULL);
    Value *arguments[2];
    for (int i = 0; i < 2; i++) {
        Type parameter = function->body->parameters.at[i]->type;
        arguments[i] = function_add_parameter(caller, parameter, (Slot){.name = "a"});
    }
    Builder at = builder_at(caller->body, no_span);
    Inst *call = build_call(&at, function, arguments);
    EXPECT(call->result_count == 1 && call->operand_count == 2);
    EXPECT_TYPE(call->results[0], "f32[B]");
    finish();
}

static void test_slots(void) {
    start();
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        function_add_parameter(function, type(TYPE_F32, ""),
                               (Slot){.name = name, .role = ROLE_PARAM});
        function_add_result(function, function->body->parameters.at[i], (Slot){.name = name});
    }
    EXPECT(function->body->parameters.count == 20 && function->body->yields.count == 20);
    EXPECT_TEXT(function->parameters[0].name, "p0");
    EXPECT_TEXT(function->parameters[16].name, "p16");
    EXPECT_TEXT(function->results[19].name, "p19");
    EXPECT_TEXT(function->body->parameters.at[19]->name, "p19");
    finish();
}

static int count_insts(const Region *region) {
    int count = 0;
    for_each_inst(inst, region) {
        count++;
        for (int i = 0; i < inst->region_count; i++) {
            count += count_insts(inst->regions[i]);
        }
    }
    return count;
}

// No operand or yield in `region` is a value of another function, and all are visible.
static bool is_closed(const Region *region) {
    bool closed = true;
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->operand_count; i++) {
            closed &= value_is_visible(inst->operands[i], region);
        }
        for (int i = 0; i < inst->region_count; i++) {
            closed &= inst->regions[i]->owner == inst && is_closed(inst->regions[i]);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        closed &= value_is_visible(region->yields.at[i], region);
    }
    return closed;
}

static void test_cloning(void) {
    start();
    Value *x = real("B 3");
    builder.span = (Span){0, 5, 9};
    Inst *loop = build_sample_loop(x, true);
    loop->results[0]->name = "total";
    function_add_result(function, loop->results[0], (Slot){.name = "total", .role = ROLE_OUTPUT});
    Function *copy = clone_function(function, "g");
    EXPECT_TEXT(copy->name, "g");
    EXPECT(count_insts(copy->body) == count_insts(function->body));
    EXPECT(is_closed(copy->body) && is_closed(function->body));
    EXPECT(copy->results[0].role == ROLE_OUTPUT && copy->body->yields.count == 1);
    Value *total = copy->body->yields.at[0];
    EXPECT_TEXT(total->name, "total");
    EXPECT(total->definition->span.start == 5 && total->definition->region_count == 2);
    EXPECT(total->definition->regions[0]->yields.count == 2);
    EXPECT(total->definition != loop && total->definition->attr.trip == loop->attr.trip);

    // At another place of the same function, with another operand.
    Value *y = real("B 3");
    ValueMap map = value_map_new(&arena, function);
    value_map_set(&map, x, y);
    Inst *again = clone_inst(b, loop, &map);
    EXPECT(value_map_get(&map, loop->results[0]) == again->results[0]);
    EXPECT(value_map_get(&map, y) == y);
    EXPECT(is_closed(function->body));
    int *uses = count_uses(&arena, function);
    EXPECT(uses[x->id] == 1 && uses[y->id] == 1 && uses[again->results[0]->id] == 0);
    EXPECT(uses[loop->results[0]->id] == 1);
    finish();
}

static void test_moving(void) {
    start();
    Value *x = real("2"), *sum = build_add(b, x, x), *product = build_mul(b, x, x);
    Value *difference = build_sub(b, sum, x);
    function_add_result(function, sum, (Slot){0});
    Region *body = function->body;
    inst_insert_before(product->definition, sum->definition);
    EXPECT(body->first == product->definition && body->first->next == sum->definition);
    EXPECT(body->last == difference->definition && body->last->previous == sum->definition);
    replace_uses(body, sum, product);
    EXPECT(difference->definition->operands[0] == product && body->yields.at[0] == product);
    inst_remove(sum->definition);
    EXPECT(product->definition->next == difference->definition);
    EXPECT(difference->definition->previous == product->definition);
    EXPECT(sum->definition->parent == NULL);
    inst_remove(difference->definition);
    inst_remove(product->definition);
    EXPECT(body->first == NULL && body->last == NULL);
    finish();
}

static void add_unequal_shapes(void) {
    start();
    build_add(b, real("2"), real("3"));
}

static void use_value_of_other_function(void) {
    start();
    Builder other = builder_at(function_new(module, "g", no_span)->body, no_span);
    build_neg(&other, real("2"));
}

static void change_carried_type(void) {
    start();
    Value *x = real("2");
    Inst *loop = build_loop(b, dim("4"), &x, 1, NULL);
    vec_push(&arena, &loop->regions[0]->yields, real("3"));
    loop_finish(loop);
}

static void yield_unequal_types(void) {
    start();
    Inst *branch = build_branch(b, tensor(TYPE_BOOL, ""));
    vec_push(&arena, &branch->regions[0]->yields, real("2"));
    vec_push(&arena, &branch->regions[1]->yields, real("3"));
    branch_finish(branch);
}

static void store_fraction_as_integer(void) {
    start();
    build_scalar(b, TYPE_I64, 0.5);
}

int main(void) {
    test_table();
    test_types();
    test_elementwise();
    test_constants();
    test_broadcast();
    test_reshape();
    test_slice();
    test_pad();
    test_concat();
    test_indexing();
    test_reductions();
    test_contract();
    test_loop();
    test_branch_and_call();
    test_slots();
    test_cloning();
    test_moving();
    EXPECT_ABORT(add_unequal_shapes);
    EXPECT_ABORT(use_value_of_other_function);
    EXPECT_ABORT(change_carried_type);
    EXPECT_ABORT(yield_unequal_types);
    EXPECT_ABORT(store_fraction_as_integer);
    return expect_result();
}
