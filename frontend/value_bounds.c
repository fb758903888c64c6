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

void note_bounds(BoundTable *table, const Value *value, const Dim *low, const Dim *high) {
    KnownBounds bounds = {value, low, high};
    vec_push(table->arena, &table->known, bounds);
}

static const KnownBounds *find_noted(const BoundTable *table, const Value *value) {
    for (int i = table->known.count - 1; i >= 0; i--) {
        if (table->known.at[i].value == value) {
            return &table->known.at[i];
        }
    }
    return NULL;
}

// ---- sums

static const Dim *scale_dim(BoundTable *table, const Dim *dim, int64_t factor) {
    return dim_multiply(table->dims, dim, dim_constant(table->dims, factor));
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
static void add_value(BoundTable *table, Linear *sum, const Value *value, int64_t factor,
                      int depth) {
    const Inst *inst = value->definition;
    int64_t number, product;
    if (sum->constant == NULL || factor == 0) {
        return;
    }
    if (inst == NULL || depth > DEPTH_MAX) {
        add_term(sum, value, factor);
        return;
    }
    DimTable *dims = table->dims;
    Value *const *x = inst->operands;
    switch (inst->op) {
    case OP_constant:
        if (constant_integer(value, &number)) {
            sum->constant = dim_add(dims, sum->constant,
                                    scale_dim(table, dim_constant(table->dims, number), factor));
            return;
        }
        break;
    case OP_dimension:
        sum->constant =
            dim_add(dims, sum->constant, scale_dim(table, inst->attr.dimension, factor));
        return;
    case OP_cast:
        if (element_is_integer(x[0]->type.element)) {
            add_value(table, sum, x[0], factor, depth + 1);
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
        add_value(table, sum, x[0], inst->op == OP_neg ? -factor : factor, depth + 1);
        if (inst->op != OP_neg) {
            add_value(table, sum, x[1], inst->op == OP_sub ? -factor : factor, depth + 1);
        }
        return;
    case OP_mul:
        for (int i = 0; i < 2; i++) {
            if (constant_integer(x[i], &number) && number > INT32_MIN && number < INT32_MAX &&
                factor > INT32_MIN && factor < INT32_MAX) {
                product = number * factor;
                add_value(table, sum, x[1 - i], product, depth + 1);
                return;
            }
        }
        break;
    default: break;
    }
    add_term(sum, value, factor);
}

static Linear linear_of(BoundTable *table, const Value *value) {
    Linear sum = {.constant = dim_constant(table->dims, 0)};
    add_value(table, &sum, value, 1, 0);
    return sum;
}

// ---- bounds

static const Dim *bound_at(BoundTable *table, const Value *value, bool upper, int depth);

// Of two bounds the closer one, where that can be told; either may be NULL.
static const Dim *closer(BoundTable *table, const Dim *x, const Dim *y, bool upper) {
    int64_t number;
    if (x == NULL || y == NULL) {
        return x == NULL ? y : x;
    }
    const Dim *excess = upper ? dim_subtract(table->dims, x, y) : dim_subtract(table->dims, y, x);
    if (excess != NULL && dim_is_at_least(table->dims, excess, 0)) {
        return y;
    }
    return !dim_is_constant(x, &number) && dim_is_constant(y, &number) ? y : x;
}

// The farther one; NULL where one is not known or it cannot be told.
static const Dim *farther(BoundTable *table, const Dim *x, const Dim *y, bool upper) {
    if (x == NULL || y == NULL) {
        return NULL;
    }
    const Dim *excess = upper ? dim_subtract(table->dims, x, y) : dim_subtract(table->dims, y, x);
    const Dim *opposite = excess == NULL ? NULL : scale_dim(table, excess, -1);
    if (excess != NULL && dim_is_at_least(table->dims, excess, 0)) {
        return x;
    }
    return opposite != NULL && dim_is_at_least(table->dims, opposite, 0) ? y : NULL;
}

static const Dim *quotient_bound(BoundTable *table, const Inst *inst, bool upper, int depth) {
    int64_t divisor, number;
    if (!constant_integer(inst->operands[1], &divisor) || divisor <= 0) {
        return NULL;
    }
    const Dim *bound = bound_at(table, inst->operands[0], upper, depth);
    if (bound == NULL) {
        return NULL;
    }
    if (dim_is_constant(bound, &number)) {
        return dim_constant(table->dims, number / divisor - (number % divisor < 0));
    }
    // Division moves towards zero.
    if (dim_is_at_least(table->dims, bound, 0)) {
        return upper ? bound : dim_constant(table->dims, 0);
    }
    return NULL;
}

// What the operator alone says; NULL: nothing.
static const Dim *operator_bound(BoundTable *table, const Value *value, bool upper, int depth) {
    const Inst *inst = value->definition;
    int64_t number;
    if (inst == NULL) {
        bool is_index = value->index == 0 && value->region->owner != NULL &&
                        value->region->owner->op == OP_loop;
        if (!is_index) {
            return NULL;
        }
        return upper ? dim_subtract(table->dims, value->region->owner->attr.trip,
                                    dim_constant(table->dims, 1))
                     : dim_constant(table->dims, 0);
    }
    Value *const *x = inst->operands;
    switch (inst->op) {
    case OP_minimum:
    case OP_maximum: {
        const Dim *a = bound_at(table, x[0], upper, depth),
                  *b = bound_at(table, x[1], upper, depth);
        bool is_either = upper == (inst->op == OP_minimum);
        return is_either ? closer(table, a, b, upper) : farther(table, a, b, upper);
    }
    case OP_select:
        return farther(table, bound_at(table, x[1], upper, depth),
                       bound_at(table, x[2], upper, depth), upper);
    case OP_remainder:
        if (constant_integer(x[1], &number) && number > 0) {
            return dim_constant(table->dims, upper ? number - 1 : 0);
        }
        return NULL;
    case OP_floor_divide: return quotient_bound(table, inst, upper, depth);
    case OP_abs: return upper ? NULL : dim_constant(table->dims, 0);
    case OP_cast:
        if (x[0]->type.element == TYPE_BOOL) {
            return dim_constant(table->dims, upper ? 1 : 0);
        }
        return NULL;
    default: return NULL;
    }
}

static const Dim *linear_bound(BoundTable *table, const Linear *sum, bool upper, int depth) {
    const Dim *bound = sum->constant;
    for (int i = 0; i < sum->count && bound != NULL; i++) {
        const Value *atom = sum->atoms[i];
        bool side = (sum->factors[i] > 0) == upper;
        if (sum->factors[i] == 0) {
            continue;
        }
        const KnownBounds *noted = find_noted(table, atom);
        const Dim *own = noted == NULL ? NULL : side ? noted->high : noted->low;
        own = own == NULL ? operator_bound(table, atom, side, depth) : own;
        bound = own == NULL ? NULL
                            : dim_add(table->dims, bound, scale_dim(table, own, sum->factors[i]));
    }
    return bound;
}

static const Dim *bound_at(BoundTable *table, const Value *value, bool upper, int depth) {
    if (depth > DEPTH_MAX) {
        return NULL;
    }
    const KnownBounds *noted = find_noted(table, value);
    Linear sum = linear_of(table, value);
    const Dim *bound = linear_bound(table, &sum, upper, depth + 1);
    return noted == NULL ? bound : closer(table, bound, upper ? noted->high : noted->low, upper);
}

const Dim *lower_bound(BoundTable *table, const Value *value) {
    return bound_at(table, value, false, 0);
}

const Dim *upper_bound(BoundTable *table, const Value *value) {
    return bound_at(table, value, true, 0);
}

static const Dim *distance_at(BoundTable *table, const Value *start, const Value *stop, int depth) {
    Linear sum = {.constant = dim_constant(table->dims, 0)};
    add_value(table, &sum, stop, 1, 0);
    add_value(table, &sum, start, -1, 0);
    const Dim *best = linear_bound(table, &sum, true, 0);
    const Dim *low = lower_bound(table, start), *high = upper_bound(table, stop);
    if (low != NULL && high != NULL) {
        best = closer(table, best, dim_subtract(table->dims, high, low), true);
    }
    // min(a, b) - start is at most a - start, and stop - max(a, b) at most stop - a.
    for (int i = 0; i < 2 && depth < 4; i++) {
        if (stop->definition != NULL && stop->definition->op == OP_minimum) {
            const Value *part = stop->definition->operands[i];
            best = closer(table, best, distance_at(table, start, part, depth + 1), true);
        }
        if (start->definition != NULL && start->definition->op == OP_maximum) {
            const Value *part = start->definition->operands[i];
            best = closer(table, best, distance_at(table, part, stop, depth + 1), true);
        }
    }
    return best;
}

void copy_bounds(BoundTable *table, const Value *to, const Value *from) {
    if (from->type.rank == 0 && element_is_integer(from->type.element)) {
        const Dim *low = lower_bound(table, from), *high = upper_bound(table, from);
        if (low != NULL || high != NULL) {
            note_bounds(table, to, low, high);
        }
    }
}

const Dim *distance_bound(BoundTable *table, const Value *start, const Value *stop) {
    return distance_at(table, start, stop, 0);
}

bool fixed_distance(BoundTable *table, const Value *start, const Value *stop,
                    const Dim **distance) {
    Linear sum = {.constant = dim_constant(table->dims, 0)};
    add_value(table, &sum, stop, 1, 0);
    add_value(table, &sum, start, -1, 0);
    for (int i = 0; i < sum.count; i++) {
        if (sum.factors[i] != 0) {
            return false;
        }
    }
    *distance = sum.constant;
    return sum.constant != NULL;
}
