// Random elementwise instructions. The table says from where an operator's operands may be: inside,
// it is smooth and its derivatives are moderate.
#include <math.h>

#include "tests/fuzz/generator.h"

static const double FREE = 50; // a bound that is none

typedef enum Manner { SMOOTH, KINKED, EXACT_SMOOTH, EXACT_KINKED, EXACT_SIGNED } Manner;

typedef struct Domain {
    Op op;
    Manner manner;
    double low[2], high[2]; // of each operand
} Domain;

// One operand, real.
static const Domain unary[] = {
    {OP_neg, EXACT_SMOOTH, {-50}, {50}},   {OP_abs, EXACT_KINKED, {-50}, {50}},
    {OP_sign, EXACT_KINKED, {-50}, {50}},  {OP_floor, EXACT_KINKED, {-50}, {50}},
    {OP_ceil, EXACT_KINKED, {-50}, {50}},  {OP_trunc, EXACT_KINKED, {-50}, {50}},
    {OP_round, EXACT_KINKED, {-50}, {50}}, {OP_sqrt, SMOOTH, {0.05}, {50}},
    {OP_cbrt, SMOOTH, {0.05}, {50}},       {OP_exp, SMOOTH, {-50}, {3}},
    {OP_exp2, SMOOTH, {-50}, {4}},         {OP_expm1, SMOOTH, {-50}, {3}},
    {OP_log, SMOOTH, {0.05}, {50}},        {OP_log2, SMOOTH, {0.05}, {50}},
    {OP_log10, SMOOTH, {0.05}, {50}},      {OP_log1p, SMOOTH, {-0.9}, {50}},
    {OP_sin, SMOOTH, {-50}, {50}},         {OP_cos, SMOOTH, {-50}, {50}},
    {OP_tan, SMOOTH, {-1.2}, {1.2}},       {OP_asin, SMOOTH, {-0.9}, {0.9}},
    {OP_acos, SMOOTH, {-0.9}, {0.9}},      {OP_atan, SMOOTH, {-50}, {50}},
    {OP_sinh, SMOOTH, {-3}, {3}},          {OP_cosh, SMOOTH, {-3}, {3}},
    {OP_tanh, SMOOTH, {-50}, {50}},        {OP_asinh, SMOOTH, {-50}, {50}},
    {OP_acosh, SMOOTH, {1.1}, {50}},       {OP_atanh, SMOOTH, {-0.9}, {0.9}},
    {OP_sigmoid, SMOOTH, {-50}, {50}},     {OP_erf, SMOOTH, {-50}, {50}},
    {OP_erfc, SMOOTH, {-5}, {3}},          {OP_lgamma, SMOOTH, {0.3}, {50}},
    {OP_digamma, SMOOTH, {0.3}, {50}},     {OP_trigamma, SMOOTH, {0.3}, {50}},
};

static const Domain binary[] = {
    {OP_add, EXACT_SMOOTH, {-50, -50}, {50, 50}},
    {OP_sub, EXACT_SMOOTH, {-50, -50}, {50, 50}},
    {OP_mul, SMOOTH, {-50, -50}, {50, 50}},
    {OP_mul, SMOOTH, {-50, -50}, {50, 50}},
    {OP_div, SMOOTH, {-50, 0.2}, {50, 50}},
    {OP_div, EXACT_SIGNED, {-50, 0.2}, {50, 50}},
    {OP_floor_divide, KINKED, {-50, 0.3}, {50, 50}},
    {OP_remainder, KINKED, {-50, 0.3}, {50, 50}},
    {OP_fmod, KINKED, {-50, 0.3}, {50, 50}},
    {OP_pow, SMOOTH, {0.2, -2}, {4, 2}},
    {OP_minimum, EXACT_KINKED, {-50, -50}, {50, 50}},
    {OP_maximum, EXACT_KINKED, {-50, -50}, {50, 50}},
    {OP_copysign, EXACT_SIGNED, {-50, -50}, {50, 50}},
    {OP_atan2, SMOOTH, {-50, 0.2}, {50, 50}},
    {OP_hypot, SMOOTH, {0.1, -50}, {50, 50}},
};

enum {
    UNARY_COUNT = sizeof unary / sizeof *unary,
    BINARY_COUNT = sizeof binary / sizeof *binary,
    SAMPLES = 9
};

static bool is_allowed(const Generator *g, const Domain *domain) {
    switch (domain->manner) {
    case SMOOTH: return g->kind != PROGRAM_EXACT;
    case KINKED: return g->kind != PROGRAM_EXACT && g->kinks;
    case EXACT_SMOOTH: return true;
    case EXACT_KINKED: return g->kinks;
    case EXACT_SIGNED: return g->kinks && (g->kind != PROGRAM_EXACT || g->signs_known);
    }
    return false;
}

static double sample(Range range, int index) {
    return range.low + (range.high - range.low) * index / (SAMPLES - 1);
}

// What comes out of a range, by trying.
static Range range_after(Op op, const Range *operands, int count) {
    Range result = {INFINITY, -INFINITY};
    for (int i = 0; i < SAMPLES; i++) {
        for (int k = 0; k < (count > 1 ? SAMPLES : 1); k++) {
            double arguments[] = {sample(operands[0], i), count > 1 ? sample(operands[1], k) : 0};
            double value = scalar_real(op, TYPE_F64, arguments);
            result.low = fmin(result.low, value);
            result.high = fmax(result.high, value);
        }
    }
    double margin = 0.05 * (result.high - result.low);
    return (Range){result.low - margin, result.high + margin};
}

static Value *fit_operand(Generator *g, const Domain *domain, int index, Value *value) {
    double low = domain->low[index], high = domain->high[index];
    return fit(g, value, low <= -FREE ? -INFINITY : low, high >= FREE ? INFINITY : high);
}

static Value *apply_real(Generator *g, const Domain *domain, Value **operands, int count) {
    Range ranges[2] = {{0, 0}, {0, 0}};
    for (int i = 0; i < count; i++) {
        operands[i] = fit_operand(g, domain, i, operands[i]);
        ranges[i] = range_of(g, operands[i]);
    }
    Value *result = build_op(&g->b, domain->op, operands, count, NULL);
    return keep(g, result, range_after(domain->op, ranges, count));
}

// Integers: what leaves the type's range has all of it.
static Value *apply_integer(Generator *g, Op op, Value *const *operands, int count) {
    ElementType element = operands[0]->type.element;
    Range ranges[2] = {range_of(g, operands[0]), range_of(g, operands[count - 1])};
    Range all = range_of_element(element), result = all;
    if (op_info(op)->rule == RULE_numeric && op != OP_remainder && op != OP_floor_divide) {
        result = range_after(op, ranges, count);
    }
    bool inside = result.low >= all.low && result.high <= all.high;
    return keep(g, build_op(&g->b, op, operands, count, NULL), inside ? result : all);
}

void build_random_unary(Generator *g) {
    static const Op integer[] = {OP_neg, OP_abs, OP_sign};
    Value *x = pick(g, random_chance(&g->random, 0.85) ? ANY_REAL : ANY_NUMBER);
    if (element_is_integer(x->type.element)) {
        apply_integer(g, integer[random_below(&g->random, 3)], &x, 1);
        return;
    }
    const Domain *domain = &unary[random_below(&g->random, UNARY_COUNT)];
    if (is_allowed(g, domain)) {
        apply_real(g, domain, &x, 1);
    }
}

void build_random_binary(Generator *g) {
    static const Op integer[] = {OP_add,          OP_sub,       OP_mul,    OP_minimum,
                                 OP_floor_divide, OP_remainder, OP_maximum};
    Value *operands[2];
    operands[0] = pick(g, random_chance(&g->random, 0.7) ? ANY_REAL : ANY_NUMBER);
    operands[1] = match(g, operands[0]->type);
    if (random_chance(&g->random, 0.5)) {
        Value *first = operands[0];
        operands[0] = operands[1];
        operands[1] = first;
    }
    if (element_is_integer(operands[0]->type.element)) {
        apply_integer(g, integer[random_below(&g->random, 7)], operands, 2);
        return;
    }
    const Domain *domain = &binary[random_below(&g->random, BINARY_COUNT)];
    // -x by copysign and 0 by sign_bit would show which NaN it is.
    bool shows_nan = g->kind == PROGRAM_EXACT && domain->op == OP_copysign;
    if (shows_nan) {
        operands[1] = build_select(&g->b, build_is_nan(&g->b, operands[1]),
                                   constant_like(g, operands[1], 1), operands[1]);
    }
    if (is_allowed(g, domain)) {
        apply_real(g, domain, operands, 2);
    }
}

void build_random_comparison(Generator *g) {
    static const Op ops[] = {OP_eq, OP_ne, OP_lt, OP_le, OP_gt, OP_ge};
    Value *x = pick(g, ANY_ELEMENT);
    bool tests = element_is_real(x->type.element) && random_chance(&g->random, 0.15);
    if (tests && g->kind == PROGRAM_EXACT && g->signs_known && random_chance(&g->random, 0.5)) {
        Value *number = build_select(&g->b, build_is_nan(&g->b, x), constant_like(g, x, 1), x);
        keep(g, build_unary(&g->b, OP_sign_bit, number), (Range){0, 1});
    } else if (tests) {
        keep(g, build_is_nan(&g->b, x), (Range){0, 1});
    } else {
        Op op = ops[random_below(&g->random, 6)];
        keep(g, build_binary(&g->b, op, x, match(g, x->type)), (Range){0, 1});
    }
}

void build_random_logic(Generator *g) {
    Value *x = pick(g, ANY_BOOL);
    int choice = random_below(&g->random, 3);
    Value *result = choice == 0   ? build_logical_not(&g->b, x)
                    : choice == 1 ? build_logical_and(&g->b, x, match(g, x->type))
                                  : build_logical_or(&g->b, x, match(g, x->type));
    keep(g, result, (Range){0, 1});
}

void build_random_select(Generator *g) {
    Value *x = pick(g, ANY_ELEMENT), *y = match(g, x->type);
    Value *condition = match_shape(g, TYPE_BOOL, x);
    Range a = range_of(g, x), b = range_of(g, y);
    keep(g, build_select(&g->b, condition, x, y),
         (Range){fmin(a.low, b.low), fmax(a.high, b.high)});
}

void build_random_cast(Generator *g) {
    Value *x = pick(g, ANY_ELEMENT);
    ElementType element = random_element(g, ANY_ELEMENT);
    if (g->kind == PROGRAM_SMOOTH && element == TYPE_F32) {
        element = TYPE_F64;
    }
    Range range = range_of(g, x), all = range_of_element(element);
    bool inside = range.low >= all.low && range.high <= all.high && element != TYPE_BOOL;
    keep(g, build_op(&g->b, OP_cast, &x, 1, &(Attribute){.element = element}),
         inside ? range : all);
}

void build_random_integer(Generator *g) {
    static const Op ops[] = {OP_bit_and,    OP_bit_or,      OP_bit_xor,
                             OP_shift_left, OP_shift_right, OP_random_bits};
    Op op = ops[random_below(&g->random, 6)];
    Value *x = pick(g, op == OP_random_bits ? 1 << TYPE_I64 : ANY_INTEGER);
    Value *operands[] = {x, match(g, x->type)};
    if (op == OP_random_bits && x->type.rank > 0 && random_chance(&g->random, 0.5)) {
        operands[0] = build_broadcast_to(&g->b, match(g, type_scalar(TYPE_I64)), value_shape(x));
        operands[1] = build_iota(&g->b, TYPE_I64, value_shape(x), 0);
    }
    keep(g, build_op(&g->b, op, operands, 2, NULL), range_of_element(x->type.element));
}
