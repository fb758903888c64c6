// See value_bounds.h. A value is read as a sum of known numbers and multiples of values that are
// not looked into further; what such a value is bounded by is known of itself (an index, a
// minimum). A sum that wraps around has no true bounds, but then the loop it bounds fails by its
// count.
#include "frontend/value_bounds.h"

#include <limits.h>
#include <string.h>

enum { TERMS_MAX = 8, DEPTH_MAX = 24 };

typedef struct Linear {
    const Dim *constant; // NULL: not known
    int count;
    const Value *atoms[TERMS_MAX];
    int64_t factors[TERMS_MAX];
} Linear;

void note_bounds(Elaborator *e, const Value *value, const Dim *low, const Dim *high) {
    KnownBounds bounds = {value, low, high};
    vec_push(e->arena, &e->bounds, bounds);
}

static const KnownBounds *find_noted(const Elaborator *e, const Value *value) {
    for (int i = e->bounds.count - 1; i >= 0; i--) {
        if (e->bounds.at[i].value == value) {
            return &e->bounds.at[i];
        }
    }
    return NULL;
}

// ---- sums

static const Dim *scale_dim(Elaborator *e, const Dim *dim, int64_t factor) {
    return dim_multiply(e->module->dims, dim, constant_dim(e, factor));
}

static void add_term(Linear *sum, const Value *atom, int64_t factor) {
    for (int i = 0; i < sum->count; i++) {
        if (sum->atoms[i] == atom) {
            if (__builtin_add_overflow(sum->factors[i], factor, &sum->factors[i])) {
                sum->constant = NULL;
            }
            return;
        }
    }
    if (sum->count == TERMS_MAX) {
        sum->constant = NULL;
        return;
    }
    sum->atoms[sum->count] = atom;
    sum->factors[sum->count++] = factor;
}

static bool constant_integer(const Value *value, int64_t *number) {
    const Inst *inst = value->definition;
    if (inst == NULL || inst->op != OP_constant || value->type.rank != 0) {
        return false;
    }
    if (value->type.element == TYPE_I64) {
        memcpy(number, inst->attr.data->bytes, sizeof *number);
        return true;
    }
    if (value->type.element == TYPE_I32) {
        int32_t narrow;
        memcpy(&narrow, inst->attr.data->bytes, sizeof narrow);
        *number = narrow;
        return true;
    }
    return false;
}

// Adds factor * value to the sum.
static void add_value(Elaborator *e, Linear *sum, const Value *value, int64_t factor, int depth) {
    const Inst *inst = value->definition;
    int64_t number, product;
    if (sum->constant == NULL || factor == 0) {
        return;
    }
    if (inst == NULL || depth > DEPTH_MAX) {
        add_term(sum, value, factor);
        return;
    }
    DimTable *table = e->module->dims;
    Value *const *x = inst->operands;
    switch (inst->op) {
    case OP_constant:
        if (constant_integer(value, &number)) {
            sum->constant =
                dim_add(table, sum->constant, scale_dim(e, constant_dim(e, number), factor));
            return;
        }
        break;
    case OP_dimension:
        sum->constant = dim_add(table, sum->constant, scale_dim(e, inst->attr.dimension, factor));
        return;
    case OP_cast:
        if (element_is_integer(x[0]->type.element)) {
            add_value(e, sum, x[0], factor, depth + 1);
            return;
        }
        break;
    case OP_neg:
    case OP_add:
    case OP_sub:
        if (factor == INT64_MIN) {
            sum->constant = NULL;
            return;
        }
        add_value(e, sum, x[0], inst->op == OP_neg ? -factor : factor, depth + 1);
        if (inst->op != OP_neg) {
            add_value(e, sum, x[1], inst->op == OP_sub ? -factor : factor, depth + 1);
        }
        return;
    case OP_mul:
        for (int i = 0; i < 2; i++) {
            if (constant_integer(x[i], &number) && number > INT32_MIN && number < INT32_MAX &&
                factor > INT32_MIN && factor < INT32_MAX) {
                product = number * factor;
                add_value(e, sum, x[1 - i], product, depth + 1);
                return;
            }
        }
        break;
    default: break;
    }
    add_term(sum, value, factor);
}

static Linear linear_of(Elaborator *e, const Value *value) {
    Linear sum = {.constant = constant_dim(e, 0)};
    add_value(e, &sum, value, 1, 0);
    return sum;
}

// ---- bounds

static const Dim *bound_at(Elaborator *e, const Value *value, bool upper, int depth);

// Of two bounds the closer one, where that can be told; either may be NULL.
static const Dim *closer(Elaborator *e, const Dim *x, const Dim *y, bool upper) {
    int64_t number;
    if (x == NULL || y == NULL) {
        return x == NULL ? y : x;
    }
    const Dim *excess =
        upper ? dim_subtract(e->module->dims, x, y) : dim_subtract(e->module->dims, y, x);
    if (excess != NULL && dim_is_at_least(e->module->dims, excess, 0)) {
        return y;
    }
    return !dim_is_constant(x, &number) && dim_is_constant(y, &number) ? y : x;
}

// The farther one; NULL where one is not known or it cannot be told.
static const Dim *farther(Elaborator *e, const Dim *x, const Dim *y, bool upper) {
    if (x == NULL || y == NULL) {
        return NULL;
    }
    const Dim *excess =
        upper ? dim_subtract(e->module->dims, x, y) : dim_subtract(e->module->dims, y, x);
    const Dim *opposite = excess == NULL ? NULL : scale_dim(e, excess, -1);
    if (excess != NULL && dim_is_at_least(e->module->dims, excess, 0)) {
        return x;
    }
    return opposite != NULL && dim_is_at_least(e->module->dims, opposite, 0) ? y : NULL;
}

static const Dim *quotient_bound(Elaborator *e, const Inst *inst, bool upper, int depth) {
    int64_t divisor, number;
    if (!constant_integer(inst->operands[1], &divisor) || divisor <= 0) {
        return NULL;
    }
    const Dim *bound = bound_at(e, inst->operands[0], upper, depth);
    if (bound == NULL) {
        return NULL;
    }
    if (dim_is_constant(bound, &number)) {
        return constant_dim(e, number / divisor - (number % divisor < 0));
    }
    // Division moves towards zero.
    if (dim_is_at_least(e->module->dims, bound, 0)) {
        return upper ? bound : constant_dim(e, 0);
    }
    return NULL;
}

// What the operator alone says; NULL: nothing.
static const Dim *operator_bound(Elaborator *e, const Value *value, bool upper, int depth) {
    const Inst *inst = value->definition;
    int64_t number;
    if (inst == NULL) {
        bool is_index = value->index == 0 && value->region->owner != NULL &&
                        value->region->owner->op == OP_loop;
        if (!is_index) {
            return NULL;
        }
        return upper ? dim_subtract(e->module->dims, value->region->owner->attr.trip,
                                    constant_dim(e, 1))
                     : constant_dim(e, 0);
    }
    Value *const *x = inst->operands;
    switch (inst->op) {
    case OP_minimum:
    case OP_maximum: {
        const Dim *a = bound_at(e, x[0], upper, depth), *b = bound_at(e, x[1], upper, depth);
        bool is_either = upper == (inst->op == OP_minimum);
        return is_either ? closer(e, a, b, upper) : farther(e, a, b, upper);
    }
    case OP_select:
        return farther(e, bound_at(e, x[1], upper, depth), bound_at(e, x[2], upper, depth), upper);
    case OP_remainder:
        if (constant_integer(x[1], &number) && number > 0) {
            return constant_dim(e, upper ? number - 1 : 0);
        }
        return NULL;
    case OP_floor_divide: return quotient_bound(e, inst, upper, depth);
    case OP_abs: return upper ? NULL : constant_dim(e, 0);
    case OP_cast:
        if (x[0]->type.element == TYPE_BOOL) {
            return constant_dim(e, upper ? 1 : 0);
        }
        return NULL;
    default: return NULL;
    }
}

static const Dim *linear_bound(Elaborator *e, const Linear *sum, bool upper, int depth) {
    const Dim *bound = sum->constant;
    for (int i = 0; i < sum->count && bound != NULL; i++) {
        const Value *atom = sum->atoms[i];
        bool side = (sum->factors[i] > 0) == upper;
        if (sum->factors[i] == 0) {
            continue;
        }
        const KnownBounds *noted = find_noted(e, atom);
        const Dim *own = noted == NULL ? NULL : side ? noted->high : noted->low;
        own = own == NULL ? operator_bound(e, atom, side, depth) : own;
        bound = own == NULL ? NULL
                            : dim_add(e->module->dims, bound, scale_dim(e, own, sum->factors[i]));
    }
    return bound;
}

static const Dim *bound_at(Elaborator *e, const Value *value, bool upper, int depth) {
    if (depth > DEPTH_MAX) {
        return NULL;
    }
    const KnownBounds *noted = find_noted(e, value);
    Linear sum = linear_of(e, value);
    const Dim *bound = linear_bound(e, &sum, upper, depth + 1);
    return noted == NULL ? bound : closer(e, bound, upper ? noted->high : noted->low, upper);
}

const Dim *lower_bound(Elaborator *e, const Value *value) {
    return bound_at(e, value, false, 0);
}

const Dim *upper_bound(Elaborator *e, const Value *value) {
    return bound_at(e, value, true, 0);
}

static const Dim *distance_at(Elaborator *e, const Value *start, const Value *stop, int depth) {
    Linear sum = {.constant = constant_dim(e, 0)};
    add_value(e, &sum, stop, 1, 0);
    add_value(e, &sum, start, -1, 0);
    const Dim *best = linear_bound(e, &sum, true, 0);
    const Dim *low = lower_bound(e, start), *high = upper_bound(e, stop);
    if (low != NULL && high != NULL) {
        best = closer(e, best, dim_subtract(e->module->dims, high, low), true);
    }
    // min(a, b) - start is at most a - start, and stop - max(a, b) at most stop - a.
    for (int i = 0; i < 2 && depth < 4; i++) {
        if (stop->definition != NULL && stop->definition->op == OP_minimum) {
            const Value *part = stop->definition->operands[i];
            best = closer(e, best, distance_at(e, start, part, depth + 1), true);
        }
        if (start->definition != NULL && start->definition->op == OP_maximum) {
            const Value *part = start->definition->operands[i];
            best = closer(e, best, distance_at(e, part, stop, depth + 1), true);
        }
    }
    return best;
}

void copy_bounds(Elaborator *e, const Value *to, const Value *from) {
    if (from->type.rank == 0 && element_is_integer(from->type.element)) {
        const Dim *low = lower_bound(e, from), *high = upper_bound(e, from);
        if (low != NULL || high != NULL) {
            note_bounds(e, to, low, high);
        }
    }
}

const Dim *distance_bound(Elaborator *e, const Value *start, const Value *stop) {
    return distance_at(e, start, stop, 0);
}

bool fixed_distance(Elaborator *e, const Value *start, const Value *stop, const Dim **distance) {
    Linear sum = {.constant = constant_dim(e, 0)};
    add_value(e, &sum, stop, 1, 0);
    add_value(e, &sum, start, -1, 0);
    for (int i = 0; i < sum.count; i++) {
        if (sum.factors[i] != 0) {
            return false;
        }
    }
    *distance = sum.constant;
    return sum.constant != NULL;
}
