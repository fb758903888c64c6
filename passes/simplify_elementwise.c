// Identities of elementwise operators.
//
// Not among them, because they are wrong for some number: x + 0 (x = -0), x * 0 and x - x (NaN,
// infinities), x / x, pow(x, 0.5) = sqrt(x) (-infinity, -0), not (x < y) = x >= y (NaN).
#include <float.h>
#include <math.h>

#include "passes/match.h"
#include "passes/simplify.h"

static bool is_integer(const Value *value) {
    return !element_is_real(value->type.element);
}

// The operand of a negation, or NULL.
static Value *negated(const Value *value) {
    const Inst *neg = defined_by(value, OP_neg);
    return neg ? neg->operands[0] : NULL;
}

static Value *simplify_add(Builder *b, Value *x, Value *y) {
    if (is_number(y, -0.0) || (is_integer(y) && is_zero(y))) {
        return x;
    }
    if (is_number(x, -0.0) || (is_integer(x) && is_zero(x))) {
        return y;
    }
    if (negated(y)) {
        return build_sub(b, x, negated(y));
    }
    return negated(x) ? build_sub(b, y, negated(x)) : NULL;
}

static Value *simplify_sub(Builder *b, Value *x, Value *y) {
    if (negated(x) == y) {
        return build_neg(b, build_add(b, y, y));
    }
    if (is_number(y, 0.0)) {
        return x;
    }
    if (is_number(x, -0.0) || (is_integer(x) && is_zero(x))) {
        return build_neg(b, y);
    }
    return negated(y) ? build_add(b, x, negated(y)) : NULL;
}

// x * c, where c is a number.
static Value *simplify_scaling(Builder *b, Value *x, double c) {
    if (c == 1) {
        return x;
    }
    if (c == -1) {
        return build_neg(b, x);
    }
    if (c == 0 && is_integer(x)) {
        return build_full(b, x->type, 0);
    }
    // Integers wrap around: the negated number might not be one of the type.
    return negated(x) && !is_integer(x)
               ? build_mul(b, negated(x), build_scalar(b, x->type.element, -c))
               : NULL;
}

static Value *simplify_mul(Builder *b, Value *x, Value *y) {
    double c;
    if (match_number(y, &c)) {
        return simplify_scaling(b, x, c);
    }
    if (match_number(x, &c)) {
        return simplify_scaling(b, y, c);
    }
    Value *positive_x = negated(x) ? negated(x) : x, *positive_y = negated(y) ? negated(y) : y;
    if (negated(x) && negated(y)) {
        return build_mul(b, positive_x, positive_y);
    }
    // Behind the product, the sign is part of a sum, and the product may be one that is there.
    return negated(x) || negated(y) ? build_neg(b, build_mul(b, positive_x, positive_y)) : NULL;
}

// Is 1 / c exact, so that dividing by c is multiplying by it? Of powers of two, if all is normal.
static bool has_exact_reciprocal(double c, ElementType element) {
    int exponent;
    double limit = element == TYPE_F32 ? 0x1p120 : 0x1p1000;
    return fabs(frexp(c, &exponent)) == 0.5 && fabs(c) < limit && fabs(c) > 1 / limit;
}

static Value *simplify_div(Builder *b, Value *x, Value *y) {
    double c;
    if (!match_number(y, &c)) {
        return negated(x) ? build_neg(b, build_div(b, negated(x), y)) : NULL; // as a product's
    }
    if (c == 1) {
        return x;
    }
    if (c == -1) {
        return build_neg(b, x);
    }
    ElementType element = x->type.element;
    return has_exact_reciprocal(c, element) ? build_mul(b, x, build_scalar(b, element, 1 / c))
                                            : NULL;
}

// Small whole exponents. Products round a little differently from pow, by an ulp or two; zeros,
// infinities, NaN and signs are the same.
static Value *simplify_pow(Builder *b, Value *x, Value *y) {
    double c;
    if (!match_number(y, &c)) {
        return NULL;
    }
    if (c == 0) {
        return build_full(b, x->type, 1);
    }
    if (c == 1) {
        return x;
    }
    if (c == -1 || c == -2) {
        Value *inverse = build_div(b, build_scalar(b, x->type.element, 1), x);
        return c == -1 ? inverse : build_mul(b, inverse, inverse);
    }
    if (c == 2 || c == 3 || c == 4) {
        Value *square = build_mul(b, x, x);
        return c == 2 ? square : build_mul(b, square, c == 3 ? x : square);
    }
    return NULL;
}

static Value *simplify_neg(Builder *b, Value *x) {
    double c;
    if (negated(x)) {
        return negated(x);
    }
    const Inst *mul = defined_by(x, OP_mul);
    if (mul == NULL || is_integer(x)) {
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        if (match_number(mul->operands[i], &c)) {
            return build_mul(b, mul->operands[1 - i], build_scalar(b, x->type.element, -c));
        }
    }
    return NULL;
}

static Value *simplify_logical(Op op, Value *x, Value *y) {
    bool neutral = op == OP_logical_and; // and: true; or: false
    double c;
    if (x == y) {
        return x;
    }
    if (match_number(y, &c)) {
        return (c != 0) == neutral ? x : y;
    }
    if (match_number(x, &c)) {
        return (c != 0) == neutral ? y : x;
    }
    return NULL;
}

static Value *simplify_not(Builder *b, Value *x) {
    const Inst *inst = x->definition;
    if (inst == NULL) {
        return NULL;
    }
    switch ((int)inst->op) {
    case OP_logical_not: return inst->operands[0];
    case OP_eq: return build_ne(b, inst->operands[0], inst->operands[1]);
    case OP_ne: return build_eq(b, inst->operands[0], inst->operands[1]);
    default: return NULL;
    }
}

// y = min(max(x, low), high), numbers in order of which neither is 0, also as f32: for NaN it is
// NaN.
typedef struct Clamp {
    Value *x;
    double low, high;
} Clamp;

static bool match_clamp(const Value *y, Clamp *clamp) {
    const Inst *below = defined_by(y, OP_minimum);
    const Inst *above = below ? defined_by(below->operands[0], OP_maximum) : NULL;
    if (above == NULL || !match_number(below->operands[1], &clamp->high) ||
        !match_number(above->operands[1], &clamp->low)) {
        return false;
    }
    clamp->x = above->operands[0];
    bool least = fabs(clamp->low) > FLT_MIN && fabs(clamp->high) > FLT_MIN;
    return clamp->low <= clamp->high && least;
}

// Is it `x op limit`?
static bool compares(const Value *condition, Op op, const Value *x, double limit) {
    const Inst *inst = defined_by(condition, op);
    double c;
    return inst && inst->operands[0] == x && match_number(inst->operands[1], &c) && c == limit;
}

// Choices of what a clamped value is anyway: x < low ? low : y, x > high ? high : y, and x >= low
// and x <= high ? x : y.
static bool is_clamped_anyway(const Value *condition, const Value *x, const Value *y) {
    Clamp clamp;
    double c;
    if (!match_clamp(y, &clamp)) {
        return false;
    }
    if (match_number(x, &c)) {
        return (c == clamp.low && compares(condition, OP_lt, clamp.x, c)) ||
               (c == clamp.high && compares(condition, OP_gt, clamp.x, c));
    }
    const Inst *both = defined_by(condition, OP_logical_and);
    return x == clamp.x && both && compares(both->operands[0], OP_ge, x, clamp.low) &&
           compares(both->operands[1], OP_le, x, clamp.high);
}

static Value *simplify_select(Builder *b, Value *condition, Value *x, Value *y) {
    double c;
    if (is_clamped_anyway(condition, x, y)) {
        return y;
    }
    if (match_number(condition, &c)) {
        return c != 0 ? x : y;
    }
    if (x == y) {
        return x;
    }
    const Inst *inverted = defined_by(condition, OP_logical_not);
    if (inverted) {
        return build_select(b, inverted->operands[0], y, x);
    }
    bool is_condition = x->type.element == TYPE_BOOL && is_number(x, 1) && is_number(y, 0);
    return is_condition ? condition : NULL;
}

// Does a cast from `from` to `to` keep every value?
static bool is_exact_cast(ElementType from, ElementType to) {
    switch (from) {
    case TYPE_BOOL: return true;
    case TYPE_I32: return to == TYPE_I32 || to == TYPE_I64 || to == TYPE_F64;
    case TYPE_I64: return to == TYPE_I64;
    case TYPE_F32: return to == TYPE_F32 || to == TYPE_F64;
    case TYPE_F64: return to == TYPE_F64;
    case ELEMENT_TYPE_COUNT: break;
    }
    unreachable("no such element type: %d", (int)from);
}

static Value *simplify_cast(Builder *b, Value *x, ElementType to) {
    if (x->type.element == to) {
        return x;
    }
    const Inst *inner = defined_by(x, OP_cast);
    bool skips = inner && is_exact_cast(inner->operands[0]->type.element, x->type.element);
    return skips ? build_cast(b, inner->operands[0], to) : NULL;
}

static Value *simplify_by_operator(Builder *b, const Inst *inst) {
    Value *const *x = inst->operands;
    switch ((int)inst->op) {
    case OP_add: return simplify_add(b, x[0], x[1]);
    case OP_sub: return simplify_sub(b, x[0], x[1]);
    case OP_mul: return simplify_mul(b, x[0], x[1]);
    case OP_div: return simplify_div(b, x[0], x[1]);
    case OP_pow: return simplify_pow(b, x[0], x[1]);
    case OP_neg: return simplify_neg(b, x[0]);
    case OP_abs: return negated(x[0]) && !is_integer(x[0]) ? build_abs(b, negated(x[0])) : NULL;
    case OP_minimum:
    case OP_maximum: return x[0] == x[1] ? x[0] : NULL;
    case OP_logical_and:
    case OP_logical_or: return simplify_logical(inst->op, x[0], x[1]);
    case OP_logical_not: return simplify_not(b, x[0]);
    case OP_select: return simplify_select(b, x[0], x[1], x[2]);
    case OP_cast: return simplify_cast(b, x[0], inst->attr.element);
    default: return NULL;
    }
}

static bool same_axes(Ints x, Ints y) {
    for (int i = 0; i < x.count && x.count == y.count; i++) {
        if (x.at[i] != y.at[i]) {
            return false;
        }
    }
    return x.count == y.count;
}

// Computes before repeating: f(broadcast x, broadcast y) = broadcast f(x, y), if all operands are
// repeated in the same way or from scalars.
static Value *broadcast_last(Builder *b, const Inst *inst) {
    const Inst *widest = NULL;
    Value *sources[3];
    for (int i = 0; i < inst->operand_count; i++) {
        const Inst *broadcast = defined_by(inst->operands[i], OP_broadcast);
        if (broadcast == NULL) {
            return NULL;
        }
        sources[i] = broadcast->operands[0];
        if (widest == NULL || sources[i]->type.rank > widest->operands[0]->type.rank) {
            widest = broadcast;
        }
    }
    for (int i = 0; i < inst->operand_count; i++) {
        const Inst *broadcast = inst->operands[i]->definition;
        bool alike = shape_equal(sources[i]->type, widest->operands[0]->type) &&
                     same_axes(broadcast->attr.axes, widest->attr.axes);
        if (sources[i]->type.rank > 0 && !alike) {
            return NULL;
        }
        sources[i] = sources[i]->type.rank > 0
                         ? sources[i]
                         : build_broadcast_to(b, sources[i], value_shape(widest->operands[0]));
    }
    Value *small = build_op(b, inst->op, sources, inst->operand_count, &inst->attr);
    return build_broadcast(b, small, value_shape(inst->results[0]), widest->attr.axes.at);
}

Value *simplify_elementwise(Builder *b, const Inst *inst) {
    Value *value = simplify_by_operator(b, inst);
    return value ? value : broadcast_last(b, inst);
}
