// Interval arithmetic on 64-bit integers. Whatever is not understood has the range of its type.
#include "codegen/emit_c_range.h"

Range range_of_type(ElementType type) {
    switch (type) {
    case TYPE_BOOL: return (Range){0, 1};
    case TYPE_I32: return (Range){INT32_MIN, INT32_MAX};
    case TYPE_I64:
    case TYPE_F32:
    case TYPE_F64:
    case ELEMENT_TYPE_COUNT: break;
    }
    return (Range){INT64_MIN, INT64_MAX};
}

static int64_t smaller(int64_t x, int64_t y) {
    return x < y ? x : y;
}

static int64_t larger(int64_t x, int64_t y) {
    return x > y ? x : y;
}

static bool add_ranges(Range x, Range y, Range *sum) {
    return !__builtin_add_overflow(x.low, y.low, &sum->low) &&
           !__builtin_add_overflow(x.high, y.high, &sum->high);
}

static bool subtract_ranges(Range x, Range y, Range *difference) {
    return !__builtin_sub_overflow(x.low, y.high, &difference->low) &&
           !__builtin_sub_overflow(x.high, y.low, &difference->high);
}

static bool multiply_ranges(Range x, Range y, Range *product) {
    int64_t corner[4];
    if (__builtin_mul_overflow(x.low, y.low, &corner[0]) ||
        __builtin_mul_overflow(x.low, y.high, &corner[1]) ||
        __builtin_mul_overflow(x.high, y.low, &corner[2]) ||
        __builtin_mul_overflow(x.high, y.high, &corner[3])) {
        return false;
    }
    *product = (Range){corner[0], corner[0]};
    for (int i = 1; i < 4; i++) {
        product->low = smaller(product->low, corner[i]);
        product->high = larger(product->high, corner[i]);
    }
    return true;
}

// Results within the exact range, if that fits the type.
static Range fit(bool exact, Range range, ElementType type, bool *wraps) {
    Range all = range_of_type(type);
    if (exact && range.low >= all.low && range.high <= all.high) {
        return range;
    }
    *wraps = true;
    return all;
}

static Range divide_ranges(const Scalar *scalar, Range x, Range y) {
    if (x.low < 0 || y.low < 1) {
        // The operands are in range when it is computed; nothing is known of which they are.
        Range all = range_of_type(scalar->type);
        return (Range){0, scalar->op == SCALAR_DIV ? larger(x.high, 0) : all.high};
    }
    if (scalar->op == SCALAR_DIV) {
        return (Range){x.low / y.high, x.high / y.low};
    }
    return (Range){0, smaller(x.high, y.high - 1)};
}

static Range cast_range(const Scalar *scalar, Range operand) {
    Range all = range_of_type(scalar->type);
    if (element_is_real(scalar->args[0]->type)) {
        return all;
    }
    return operand.low >= all.low && operand.high <= all.high ? operand : all;
}

// A bool that holds wherever `always`, and nowhere where `never`.
static Range decide(bool always, bool never) {
    return (Range){always, !never};
}

static bool is_comparison(const Scalar *scalar) {
    return scalar->op >= SCALAR_EQ && scalar->op <= SCALAR_GE;
}

static Range compare_ranges(const Scalar *scalar, Range x, Range y) {
    bool same = scalar->args[0] == scalar->args[1] ||
                (x.low == x.high && y.low == y.high && x.low == y.low);
    bool below = x.high<y.low, above = x.low> y.high;
    switch (scalar->op) {
    case SCALAR_EQ: return decide(same, below || above);
    case SCALAR_NE: return decide(below || above, same);
    case SCALAR_LT: return decide(below, same || x.low >= y.high);
    case SCALAR_LE: return decide(same || x.high <= y.low, above);
    case SCALAR_GT: return decide(above, same || x.high <= y.low);
    case SCALAR_GE: return decide(same || x.low >= y.high, below);
    default: return decide(false, false);
    }
}

static Range truth_range(const Scalar *scalar, const Range *operands) {
    Range x = operands[0], y = operands[1], z = operands[2];
    if (is_comparison(scalar)) {
        return element_is_real(scalar->args[0]->type) ? decide(false, false)
                                                      : compare_ranges(scalar, x, y);
    }
    switch (scalar->op) {
    case SCALAR_AND: return (Range){x.low & y.low, x.high & y.high};
    case SCALAR_OR: return (Range){x.low | y.low, x.high | y.high};
    case SCALAR_NOT: return (Range){!x.high, !x.low};
    case SCALAR_SELECT: return (Range){smaller(y.low, z.low), larger(y.high, z.high)};
    case SCALAR_CAST:
        if (element_is_real(scalar->args[0]->type)) {
            return decide(false, false);
        }
        return decide(x.low > 0 || x.high < 0, x.low == 0 && x.high == 0);
    default: return decide(false, false);
    }
}

Range range_of_scalar(const Scalar *scalar, const Range *operands, bool *wraps) {
    Range x = operands[0], y = operands[1], result = {0, 0};
    Range all = range_of_type(scalar->type);
    *wraps = false;
    if (scalar->type == TYPE_BOOL) {
        return truth_range(scalar, operands);
    }
    if (element_is_real(scalar->type)) {
        return all;
    }
    switch (scalar->op) {
    case SCALAR_ADD: {
        bool exact = add_ranges(x, y, &result);
        return fit(exact, result, scalar->type, wraps);
    }
    case SCALAR_SUB: {
        bool exact = subtract_ranges(x, y, &result);
        return fit(exact, result, scalar->type, wraps);
    }
    case SCALAR_MUL: {
        bool exact = multiply_ranges(x, y, &result);
        return fit(exact, result, scalar->type, wraps);
    }
    case SCALAR_NEG: {
        bool exact = subtract_ranges((Range){0, 0}, x, &result);
        return fit(exact, result, scalar->type, wraps);
    }
    case SCALAR_ABS:
        *wraps = x.low == all.low;
        return *wraps ? all : (Range){0, larger(-x.low, larger(x.high, -x.high))};
    case SCALAR_FMA: *wraps = true; return all;
    case SCALAR_DIV:
    case SCALAR_REMAINDER: return divide_ranges(scalar, x, y);
    case SCALAR_SELECT:
        return (Range){smaller(y.low, operands[2].low), larger(y.high, operands[2].high)};
    case SCALAR_CAST: return cast_range(scalar, x);
    case SCALAR_AND:
        if (x.low < 0 && y.low < 0) {
            return all;
        }
        return (Range){0, smaller(x.low < 0 ? y.high : x.high, y.low < 0 ? x.high : y.high)};
    default: return all;
    }
}
