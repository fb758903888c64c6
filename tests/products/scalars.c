// Every scalar operator on edge values: the emitted C, by several compilers and under
// UndefinedBehaviorSanitizer, against what this file computes by itself.
#include <math.h>

#include "tests/products/support/build.h"
#include "tests/products/support/compile.h"
#include "tests/products/support/interpret.h"
#include "tests/unit/expect.h"

static const float singles[] = {
    0.0f,     -0.0f,      1.0f,     -1.0f,     0.5f,         1.5f,         2.5f,          -2.5f,
    1e-45f,   -1e-38f,    3.4e38f,  -3.4e38f,  2147483520.f, 2147483648.f, -2147483648.f, 9.2e18f,
    -9.3e18f, 16777217.f, INFINITY, -INFINITY, NAN,          0.1f};
static const double doubles[] = {0.0,
                                 -0.0,
                                 1.0,
                                 -1.0,
                                 0.5,
                                 1.5,
                                 2.5,
                                 -2.5,
                                 5e-324,
                                 -1e-308,
                                 1.79e308,
                                 -1.79e308,
                                 2147483647.5,
                                 2147483648.0,
                                 -2147483648.9,
                                 -2147483649.0,
                                 9.2e18,
                                 -9223372036854775808.0,
                                 9223372036854775808.0,
                                 INFINITY,
                                 -INFINITY,
                                 NAN,
                                 0.1,
                                 1.0 / 3};
static const int32_t smalls[] = {0,  1,     -1,        2,         -2,        7,
                                 -7, 46341, INT32_MAX, INT32_MIN, 123456789, -100};
static const int64_t larges[] = {0,
                                 1,
                                 -1,
                                 2,
                                 -2,
                                 7,
                                 -7,
                                 INT32_MAX,
                                 INT32_MIN,
                                 INT64_MAX,
                                 INT64_MIN,
                                 4611686018427387904,
                                 1234567890123456789,
                                 -3037000500};
static const uint8_t truths[] = {0, 1};

static int value_count(ElementType type) {
    switch (type) {
    case TYPE_BOOL: return (int)(sizeof truths / sizeof *truths);
    case TYPE_I32: return (int)(sizeof smalls / sizeof *smalls);
    case TYPE_I64: return (int)(sizeof larges / sizeof *larges);
    case TYPE_F32: return (int)(sizeof singles / sizeof *singles);
    case TYPE_F64: return (int)(sizeof doubles / sizeof *doubles);
    case ELEMENT_TYPE_COUNT: break;
    }
    return 0;
}

static const void *values_of(ElementType type) {
    switch (type) {
    case TYPE_BOOL: return truths;
    case TYPE_I32: return smalls;
    case TYPE_I64: return larges;
    case TYPE_F32: return singles;
    case TYPE_F64: return doubles;
    case ELEMENT_TYPE_COUNT: break;
    }
    return NULL;
}

// One operator on operands of one type: op(x, y), or op(x) where y is not used.
typedef struct Case {
    ScalarOp op;
    ElementType from, to;
    int operands;
} Case;

static bool is_comparison(ScalarOp op) {
    return op >= SCALAR_EQ && op <= SCALAR_GE;
}

static Number expected(const Case *c, Number x, Number y) {
    Number operands[3] = {x, y, x};
    if (c->op == SCALAR_SELECT) {
        Number less = compute_scalar(SCALAR_LT, c->from, TYPE_BOOL, operands);
        return less.integer ? x : y;
    }
    return compute_scalar(c->op, c->from, c->to, operands);
}

// Are the operands ones that the operator promises a result for?
static bool is_defined(const Case *c, Number x, Number y) {
    int bits = c->from == TYPE_I32 ? 32 : 64;
    switch (c->op) {
    case SCALAR_DIV:
    case SCALAR_REMAINDER: return element_is_real(c->from) || (x.integer >= 0 && y.integer > 0);
    case SCALAR_SHIFT_LEFT:
    case SCALAR_SHIFT_RIGHT:
    case SCALAR_SHIFT_LOGICAL: return y.integer >= 0 && y.integer < bits;
    default: return true;
    }
}

enum { MOST_CASES = 256, MOST_VALUES = 32 };

typedef struct Cases {
    Case list[MOST_CASES];
    int count;
} Cases;

static void add_cases(Cases *cases, const ElementType *types, int type_count, const ScalarOp *ops,
                      int op_count, int operands) {
    for (int t = 0; t < type_count; t++) {
        for (int i = 0; i < op_count; i++) {
            ElementType to = is_comparison(ops[i]) ? TYPE_BOOL : types[t];
            cases->list[cases->count++] = (Case){ops[i], types[t], to, operands};
        }
    }
}

#define LENGTH(array) ((int)(sizeof(array) / sizeof *(array)))

static Cases all_cases(void) {
    static const ElementType all[] = {TYPE_BOOL, TYPE_I32, TYPE_I64, TYPE_F32, TYPE_F64};
    static const ElementType *numeric = all + 1, *real = all + 3;
    static const ScalarOp comparisons[] = {SCALAR_EQ, SCALAR_NE, SCALAR_LT,    SCALAR_LE,
                                           SCALAR_GT, SCALAR_GE, SCALAR_SELECT};
    static const ScalarOp two[] = {SCALAR_ADD, SCALAR_SUB, SCALAR_MUL, SCALAR_DIV};
    static const ScalarOp one[] = {SCALAR_NEG, SCALAR_ABS};
    static const ScalarOp rounding[] = {SCALAR_SQRT, SCALAR_FLOOR, SCALAR_CEIL, SCALAR_TRUNC,
                                        SCALAR_ROUND};
    static const ScalarOp real_two[] = {SCALAR_COPYSIGN, SCALAR_FMA};
    static const ScalarOp bitwise[] = {SCALAR_AND, SCALAR_OR, SCALAR_XOR};
    static const ScalarOp integer[] = {SCALAR_REMAINDER, SCALAR_SHIFT_LEFT, SCALAR_SHIFT_RIGHT,
                                       SCALAR_SHIFT_LOGICAL};
    static const ScalarOp negation[] = {SCALAR_NOT};
    Cases cases = {.count = 0};
    add_cases(&cases, all, 5, comparisons, LENGTH(comparisons), 2);
    add_cases(&cases, numeric, 4, two, LENGTH(two), 2);
    add_cases(&cases, numeric, 4, one, LENGTH(one), 1);
    add_cases(&cases, real, 2, rounding, LENGTH(rounding), 1);
    add_cases(&cases, real, 2, real_two, LENGTH(real_two), 2);
    add_cases(&cases, all, 3, bitwise, LENGTH(bitwise), 2);
    add_cases(&cases, all + 1, 2, integer, LENGTH(integer), 2);
    add_cases(&cases, all, 1, negation, LENGTH(negation), 1);
    for (int from = 0; from < 5; from++) {
        for (int to = 0; to < 5; to++) {
            cases.list[cases.count++] = (Case){SCALAR_CAST, all[from], all[to], 1};
        }
    }
    return cases;
}

static Scalar *make_case(Maker *m, const Case *c, Scalar *x, Scalar *y) {
    if (c->op == SCALAR_SELECT) {
        Scalar *condition = make(m, SCALAR_LT, TYPE_BOOL, x, y, NULL);
        return make(m, SCALAR_SELECT, c->to, condition, x, y);
    }
    if (c->op == SCALAR_FMA) {
        return make(m, SCALAR_FMA, c->to, x, y, x);
    }
    return make(m, c->op, c->to, x, c->operands == 2 ? y : NULL, NULL);
}

// out[i * n + j] = op(values[i], values[j]) where that is defined.
static Kernel *make_kernel(Maker *m, const Case *c, int number) {
    int n = value_count(c->from);
    Kernel *kernel = start_kernel(m, arena_format(m->arena, "case_%d", number), "");
    Buffer *values = add_parameter(m, "x", c->from, n, false);
    Buffer *mask = add_parameter(m, "defined", TYPE_BOOL, (int64_t)n * n, false);
    Buffer *out = add_parameter(m, "y", c->to, (int64_t)n * n, true);
    Scalar *i = open_loop(m, "i", n), *j = open_loop(m, "j", n);
    Scalar *row = make(m, SCALAR_MUL, TYPE_I64, i, make_integer(m, TYPE_I64, n), NULL);
    Scalar *at = make(m, SCALAR_ADD, TYPE_I64, row, j, NULL);
    open_if(m, make_load(m, mask, at));
    Scalar *x = make_load(m, values, i), *y = make_load(m, values, j);
    add_store(m, out, at, make_case(m, c, x, y));
    return kernel;
}

static void fill_mask(const Case *c, uint8_t *mask) {
    int n = value_count(c->from);
    for (int i = 0; i < n * n; i++) {
        mask[i] = is_defined(c, number_at(c->from, values_of(c->from), i / n),
                             number_at(c->from, values_of(c->from), i % n));
    }
}

static const Cases *tested; // for the names in messages

static void check_case(const Case *c, const void *out, const uint8_t *mask, int number) {
    int n = value_count(c->from);
    int wrong = 0;
    for (int i = 0; i < n * n; i++) {
        Number x = number_at(c->from, values_of(c->from), i / n);
        Number y = number_at(c->from, values_of(c->from), i % n);
        if (!mask[i]) {
            continue;
        }
        Number want = expected(c, x, y), got = number_at(c->to, out, i);
        Number product[3] = {compute_scalar(SCALAR_MUL, c->from, c->to, (Number[]){x, y, x}), x};
        Number twice = compute_scalar(SCALAR_ADD, c->from, c->to, product);
        bool rounded_twice = c->op == SCALAR_FMA && same_number(c->to, twice, got);
        if (!same_number(c->to, want, got) && !rounded_twice) {
            fprintf(stderr,
                    "case %d, operator %d, %s -> %s: (%lld %.17g, %lld %.17g): %lld %.17g\n",
                    number, (int)c->op, element_name(c->from), element_name(c->to),
                    (long long)x.integer, x.real, (long long)y.integer, y.real,
                    (long long)got.integer, got.real);
            wrong++;
        }
    }
    EXPECT(wrong == 0);
}

static void run_cases(Maker *m, const Loaded *loaded) {
    static _Alignas(64) unsigned char out[MOST_VALUES * MOST_VALUES * 8];
    for (int i = 0; i < tested->count; i++) {
        const Case *c = &tested->list[i];
        uint8_t mask[MOST_VALUES * MOST_VALUES];
        fill_mask(c, mask);
        memset(out, 0x55, sizeof out);
        // The emitted code only reads its inputs.
        void *inputs[ELEMENT_TYPE_COUNT + 1] = {0}, *outputs[ELEMENT_TYPE_COUNT] = {0};
        inputs[c->from] = (void *)(uintptr_t)values_of(c->from);
        inputs[ELEMENT_TYPE_COUNT] = mask;
        outputs[c->to] = out;
        CallArguments arguments = {0};
        arguments.groups[GROUP_INPUTS] = inputs;
        arguments.groups[GROUP_OUTPUTS] = outputs;
        EXPECT(loaded_call(loaded, m->program->entries.at[i], &arguments) == STATUS_DONE);
        check_case(c, out, mask, i);
    }
}

// A field for each element type, the same in every entry; the one of `type` is used.
static Buffer *add_fields(Maker *m, GroupKind group, ElementType type, int64_t rows) {
    Buffer *used = NULL;
    for (int element = 0; element < ELEMENT_TYPE_COUNT; element++) {
        const char *name = element_name((ElementType)element);
        if ((ElementType)element == type) {
            used = add_field(m, group, name, type, MOST_VALUES * rows);
        } else {
            add_unused_field(m, group, name, (ElementType)element, MOST_VALUES * rows);
        }
    }
    return used;
}

static void test_operators(void) {
    Arena arena = {0};
    Maker maker = start_program(&arena, "scalars"), *m = &maker;
    Cases cases = all_cases();
    tested = &cases;
    for (int i = 0; i < cases.count; i++) {
        const Case *c = &cases.list[i];
        Kernel *kernel = make_kernel(m, c, i);
        start_entry(m, arena_format(&arena, "run_%d", i));
        Buffer *x = add_fields(m, GROUP_INPUTS, c->from, 1);
        Buffer *mask = add_field(m, GROUP_INPUTS, "defined", TYPE_BOOL, MOST_VALUES * MOST_VALUES);
        Buffer *y = add_fields(m, GROUP_OUTPUTS, c->to, MOST_VALUES);
        add_call(m, kernel, (Buffer *[]){x, mask, y}, NULL);
    }
    int tried = 0;
    EXPECT(compile_everywhere(maker.program, &tried) == 0 && tried >= 4);
    for (const char *const *compiler = engine_compilers(); *compiler; compiler++) {
        bool first = compiler == engine_compilers();
        for (int level = first ? 0 : 2; level <= 2; level += 2) {
            Loaded *loaded = load_with(&arena, maker.program, *compiler, level);
            if (EXPECT(loaded != NULL)) {
                run_cases(m, loaded);
                loaded_free(loaded);
            }
        }
    }
    arena_free(&arena);
}

int main(void) {
    test_operators();
    return expect_result();
}
