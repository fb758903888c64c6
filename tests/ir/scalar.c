// Scalar values of the elementwise operators: edge cases, special functions against values computed
// to 50 digits by another program, random bits against another implementation of the formula.
#include <math.h>

#include "ir/op.h"
#include "tests/unit/expect.h"

static double real_1(Op op, double x) {
    return scalar_real(op, TYPE_F64, &x);
}

static double real_2(Op op, double x, double y) {
    double arguments[] = {x, y};
    return scalar_real(op, TYPE_F64, arguments);
}

static int64_t integer_2(Op op, ElementType element, int64_t x, int64_t y) {
    int64_t arguments[] = {x, y};
    return scalar_integer(op, element, arguments);
}

// Equal with the sign of zero; NaN is itself.
static bool same(double x, double y) {
    return (isnan(x) && isnan(y)) || (x == y && signbit(x) == signbit(y));
}

// The absolute part is for digamma next to its zero at 1.46.
static bool close_to(double x, double y) {
    return fabs(x - y) <= 1e-15 * fabs(y) + 1e-18;
}

static void test_special_functions(void) {
    static const struct {
        double x, digamma, trigamma;
    } values[] = {
        {0x1p-1, -0x1.f6a897d3214fcp+0, 0x1.3bd3cc9be45dep+2},
        {0x1p+0, -0x1.2788cfc6fb619p-1, 0x1.a51a6625307d3p+0},
        {0x1.762d96356be3fp+0, 0x1.ef72ae62f14e0p-21, 0x1.ef72a038a9c33p-1},
        {0x1p+1, 0x1.b0ee6072093cep-2, 0x1.4a34cc4a60fa6p-1},
        {0x1.4p+3, 0x1.20396dc85cc95p+1, 0x1.aec2e54649b87p-4},
        {0x1.e848p+19, 0x1.ba18a88c907d1p+3, 0x1.0c6f82d72bcaap-20},
        {-0x1p-1, 0x1.2aed059bd608ap-5, 0x1.1de9e64df22efp+3},
        {-0x1.8p+0, 0x1.680425af12b5ep-1, 0x1.2c22c9dc2b128p+3},
        {-0x1.499999999999ap+3, 0x1.2a64d19f6c3ccp+2, 0x1.df94942f03f8ep+3},
        {0x1.4f8b588e368f1p-17, -0x1.86a093c353ea9p+16, 0x1.2a05f200d28c6p+33},
        {-0x1.4f8b588e368f1p-17, 0x1.869f6c3a84229p+16, 0x1.2a05f200d28dfp+33},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        EXPECT(close_to(real_1(OP_digamma, values[i].x), values[i].digamma));
        EXPECT(close_to(real_1(OP_trigamma, values[i].x), values[i].trigamma));
    }
    EXPECT(real_1(OP_digamma, 0.0) == -INFINITY);
    EXPECT(real_1(OP_digamma, -0.0) == INFINITY);
    EXPECT(isnan(real_1(OP_digamma, -3)));
    EXPECT(isnan(real_1(OP_digamma, -INFINITY)));
    EXPECT(real_1(OP_digamma, INFINITY) == INFINITY);
    EXPECT(real_1(OP_trigamma, 0.0) == INFINITY);
    EXPECT(real_1(OP_trigamma, -3) == INFINITY);
    EXPECT(real_1(OP_trigamma, INFINITY) == 0);
    EXPECT(isnan(real_1(OP_trigamma, NAN)));
}

static void test_division(void) {
    EXPECT(same(real_2(OP_floor_divide, 7, 2), 3));
    EXPECT(same(real_2(OP_floor_divide, -7, 2), -4));
    EXPECT(same(real_2(OP_floor_divide, 7, -2), -4));
    EXPECT(same(real_2(OP_floor_divide, -0.0, 2), -0.0));
    EXPECT(same(real_2(OP_floor_divide, 1, 0), INFINITY));
    EXPECT(same(real_2(OP_floor_divide, 0, 0), NAN));
    EXPECT(same(real_2(OP_floor_divide, 1, -INFINITY), -1));
    EXPECT(same(real_2(OP_floor_divide, 1, 0.1), 9)); // 0.1 is above a tenth
    EXPECT(same(real_2(OP_remainder, 7, 3), 1));
    EXPECT(same(real_2(OP_remainder, -7, 3), 2));
    EXPECT(same(real_2(OP_remainder, 7, -3), -2));
    EXPECT(same(real_2(OP_remainder, -6, 3), -0.0));
    EXPECT(same(real_2(OP_remainder, 1, 0), NAN));
    EXPECT(same(real_2(OP_remainder, -1, INFINITY), INFINITY));
    EXPECT(same(real_2(OP_fmod, -7, 3), -1));
}

static void test_order_and_rounding(void) {
    EXPECT(same(real_2(OP_minimum, NAN, 1), NAN));
    EXPECT(same(real_2(OP_maximum, 1, NAN), NAN));
    EXPECT(same(real_2(OP_maximum, 0.0, -0.0), -0.0));
    EXPECT(same(real_2(OP_minimum, -0.0, 0.0), 0.0));
    EXPECT(same(real_2(OP_minimum, -INFINITY, 1), -INFINITY));
    EXPECT(same(real_1(OP_sign, NAN), 0));
    EXPECT(same(real_1(OP_sign, -2), -1));
    EXPECT(same(real_1(OP_round, 2.5), 2));
    EXPECT(same(real_1(OP_round, -0.5), -0.0));
    EXPECT(same(real_1(OP_sign_bit, -0.0), 1));
    EXPECT(same(real_1(OP_sigmoid, -1000), 0));
    EXPECT(same(scalar_round(TYPE_F32, 0.1), (double)0.1F));
    EXPECT(same(scalar_round(TYPE_F64, 0.1), 0.1));
    double pair[] = {1, 3};
    EXPECT(same(scalar_real(OP_div, TYPE_F32, pair), (double)(1.0F / 3.0F)));
}

static void test_integers(void) {
    EXPECT(integer_2(OP_floor_divide, TYPE_I64, INT64_MIN, -1) == INT64_MIN);
    EXPECT(integer_2(OP_floor_divide, TYPE_I32, INT32_MIN, -1) == INT32_MIN);
    EXPECT(integer_2(OP_floor_divide, TYPE_I64, -7, 2) == -4);
    EXPECT(integer_2(OP_floor_divide, TYPE_I64, 7, 0) == 0);
    EXPECT(integer_2(OP_remainder, TYPE_I64, -7, 2) == 1);
    EXPECT(integer_2(OP_remainder, TYPE_I64, 7, -2) == -1);
    EXPECT(integer_2(OP_remainder, TYPE_I64, 7, 0) == 0);
    EXPECT(integer_2(OP_remainder, TYPE_I64, INT64_MIN, -1) == 0);
    EXPECT(integer_2(OP_neg, TYPE_I32, INT32_MIN, 0) == INT32_MIN);
    EXPECT(integer_2(OP_abs, TYPE_I64, INT64_MIN, 0) == INT64_MIN);
    EXPECT(integer_2(OP_abs, TYPE_I64, -5, 0) == 5);
    EXPECT(integer_2(OP_mul, TYPE_I32, 65536, 65536) == 0);
    EXPECT(integer_2(OP_sub, TYPE_I64, INT64_MIN, 1) == INT64_MAX);
    EXPECT(integer_2(OP_sign, TYPE_I32, -9, 0) == -1);
    EXPECT(integer_2(OP_bit_xor, TYPE_I32, -1, 1) == -2);
    EXPECT(integer_2(OP_shift_left, TYPE_I32, 1, 31) == INT32_MIN);
    EXPECT(integer_2(OP_shift_left, TYPE_I32, 1, 32) == 0);
    EXPECT(integer_2(OP_shift_left, TYPE_I64, 1, 32) == (int64_t)1 << 32);
    EXPECT(integer_2(OP_shift_left, TYPE_I64, -1, -1) == 0);
    EXPECT(integer_2(OP_shift_right, TYPE_I64, -5, 1) == -3);
    EXPECT(integer_2(OP_shift_right, TYPE_I32, -5, 32) == -1);
    EXPECT(integer_2(OP_shift_right, TYPE_I32, 5, 32) == 0);
    EXPECT(integer_2(OP_shift_right, TYPE_I32, 5, -1) == 0);
    EXPECT(integer_2(OP_eq, TYPE_BOOL, 1, 1) == 1);
}

static void test_conversion(void) {
    EXPECT(scalar_wrap(TYPE_I32, (int64_t)1 << 31) == INT32_MIN);
    EXPECT(scalar_wrap(TYPE_I32, -((int64_t)1 << 31) - 1) == INT32_MAX);
    EXPECT(scalar_wrap(TYPE_BOOL, 7) == 1);
    EXPECT(scalar_integer_from_real(TYPE_I32, 2147483647.9) == INT32_MAX);
    EXPECT(scalar_integer_from_real(TYPE_I32, -2147483648.9) == INT32_MIN);
    EXPECT(scalar_integer_from_real(TYPE_I32, 2147483648.0) == 0);
    EXPECT(scalar_integer_from_real(TYPE_I64, 0x1p63) == 0);
    EXPECT(scalar_integer_from_real(TYPE_I64, -0x1p63) == INT64_MIN);
    EXPECT(scalar_integer_from_real(TYPE_I64, NAN) == 0);
    EXPECT(scalar_integer_from_real(TYPE_BOOL, NAN) == 1);
    EXPECT(scalar_integer_from_real(TYPE_BOOL, -0.0) == 0);
}

static void test_random_bits(void) {
    static const struct {
        uint64_t key, counter, bits;
    } values[] = {
        {0, 0, UINT64_C(0x3b9d11eb55856baf)},
        {0, 1, UINT64_C(0x871b275e2c983e04)},
        {1, 0, UINT64_C(0x46c7144ab038643f)},
        {42, 7, UINT64_C(0x6cadf271cf091c0f)},
        {UINT64_MAX, UINT64_MAX, UINT64_C(0x185d6663183a801b)},
        {UINT64_C(1) << 63, UINT64_C(0x2bdc545d6b4b87), UINT64_C(0x90def5e392593467)},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int64_t bits =
            integer_2(OP_random_bits, TYPE_I64, (int64_t)values[i].key, (int64_t)values[i].counter);
        EXPECT((uint64_t)bits == values[i].bits);
    }
}

int main(void) {
    test_special_functions();
    test_division();
    test_order_and_rounding();
    test_integers();
    test_conversion();
    test_random_bits();
    return expect_result();
}
