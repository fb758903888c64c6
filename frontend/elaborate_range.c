// See elaborate_range.h. With bounds that are known while compiling the number of iterations is
// too. Else it is computed, and needs a number that it cannot exceed, for which memory is reserved:
// what is known of the bounds gives one, or the program with `limit`.
#include "frontend/elaborate_range.h"

#include <inttypes.h>

#include "frontend/value_bounds.h"

enum { SLACK_MAX = 1 << 20 };

typedef struct Bound {
    const Dim *dim; // NULL: computed
    Value *value;   // i64 scalar
} Bound;

bool known_bound(Elaborator *e, const Expr *expr, const char *what, const Dim **dim) {
    Val val = elaborate_value(e, expr);
    int64_t number;
    if (is_tensor(val)) {
        Diag *diag = report(e, expr->span, "%s must be known while compiling, got %s", what,
                            describe(e, val));
        hint(e, diag, "memory is reserved for that many iterations");
        return false;
    }
    if (!val_to_dim(e, val, expr->span, what, dim)) {
        return false;
    }
    if (dim_is_constant(*dim, &number) && number < 0) {
        report(e, expr->span, "%s cannot be negative", what);
        return false;
    }
    return true;
}

static bool plan_bound(Elaborator *e, const Expr *expr, const char *what, Bound *bound) {
    Val val = elaborate_value(e, expr);
    *bound = (Bound){0};
    if (!is_tensor(val)) {
        return val_to_dim(e, val, expr->span, what, &bound->dim);
    }
    Type type = val.tensor->type;
    if (type.rank > 0 || !element_is_integer(type.element)) {
        Diag *diag =
            report(e, expr->span, "%s must be a whole number, got %s", what, describe(e, val));
        hint(e, diag,
             type.rank > 0 ? "the size of an axis is x.shape[0]" : "convert it: cast(x, i64)");
        return false;
    }
    at_span(e, expr->span);
    bound->value = build_cast(&e->builder, val.tensor, TYPE_I64);
    return true;
}

static Value *bound_value(Elaborator *e, const Bound *bound) {
    return bound->dim == NULL ? bound->value : as_tensor(e, int_val(bound->dim), no_span);
}

static bool plan_step(Elaborator *e, const Binder *binder, Range *range) {
    range->step = 1;
    if (binder->step == NULL) {
        return true;
    }
    Val val = elaborate_value(e, binder->step);
    if (!val_to_int(e, val, binder->step->span, "the step of a range", &range->step)) {
        return false;
    }
    if (range->step == 0 || range->step <= INT32_MIN || range->step > INT32_MAX) {
        report(e, binder->step->span,
               range->step == 0 ? "the step of a range cannot be 0"
                                : "the step of a range is too large");
        return false;
    }
    return true;
}

// At least `dim`, and at least 0 whatever the dimensions are; NULL: none was found.
static const Dim *not_negative(Elaborator *e, const Dim *dim) {
    DimTable *table = e->module->dims;
    for (int64_t slack = 0; dim != NULL && slack <= SLACK_MAX; slack = slack == 0 ? 1 : 2 * slack) {
        const Dim *raised = dim_add(table, dim, constant_dim(e, slack));
        if (raised == NULL || dim_is_at_least(table, raised, 0)) {
            return raised;
        }
    }
    return NULL;
}

// ---- the number of iterations

static int64_t ceil_divide(int64_t distance, int64_t stride) {
    return distance <= 0 ? 0 : distance / stride + (distance % stride > 0);
}

// The largest number of iterations for a distance; NULL if none can be given.
static const Dim *most_iterations(Elaborator *e, const Dim *distance, int64_t stride) {
    int64_t number;
    if (distance != NULL && dim_is_constant(distance, &number)) {
        return constant_dim(e, ceil_divide(number, stride));
    }
    return not_negative(e, distance);
}

// max(0, ceil((to - from) / stride))
static Value *build_count(Elaborator *e, Value *from, Value *to, int64_t stride) {
    Builder *b = &e->builder;
    Value *distance = build_sub(b, to, from);
    if (stride != 1) {
        distance = build_add(b, distance, build_scalar_integer(b, TYPE_I64, stride - 1));
        distance =
            build_binary(b, OP_floor_divide, distance, build_scalar_integer(b, TYPE_I64, stride));
    }
    const Dim *least = lower_bound(&e->bounds, distance);
    return least != NULL && dim_is_at_least(e->module->dims, least, 0)
               ? distance
               : build_maximum(b, distance, build_scalar_integer(b, TYPE_I64, 0));
}

static bool report_unbounded(Elaborator *e, const Binder *binder) {
    Diag *diag = report_sizes(e, binder->span, true,
                              "the number of iterations is only known when the program runs");
    hint(e, diag,
         "say how many there are at most: `0..n limit MAX` fails if there are more, `0..min(n, "
         "MAX)` "
         "stops there");
    return false;
}

// Both bounds are known, or differ by a known number.
static bool plan_fixed(Elaborator *e, const Binder *binder, const Dim *distance, const Dim *limit,
                       Range *range, bool *ok) {
    int64_t stride = range->step > 0 ? range->step : -range->step, number, most;
    *ok = true;
    if (dim_is_constant(distance, &number)) {
        range->trip = constant_dim(e, ceil_divide(number, stride));
        if (limit != NULL && dim_is_constant(limit, &most) && dim_value(range->trip) > most) {
            report(e, binder->span, "this range has %" PRId64 " iterations, more than its limit",
                   dim_value(range->trip));
            *ok = false;
        }
        return true;
    }
    if (limit != NULL || stride != 1 || !dim_is_at_least(e->module->dims, distance, 0)) {
        return false;
    }
    range->trip = distance;
    return true;
}

static bool plan_computed(Elaborator *e, const Binder *binder, Value *start, Value *stop,
                          const Dim *limit, Range *range) {
    bool is_up = range->step > 0, ok;
    int64_t stride = is_up ? range->step : -range->step;
    Value *from = is_up ? start : stop, *to = is_up ? stop : start;
    const Dim *fixed;
    if (fixed_distance(&e->bounds, from, to, &fixed) &&
        plan_fixed(e, binder, fixed, limit, range, &ok)) {
        return ok;
    }
    range->trip =
        limit != NULL ? limit : most_iterations(e, distance_bound(&e->bounds, from, to), stride);
    range->is_limited = limit != NULL;
    if (range->trip == NULL) {
        return report_unbounded(e, binder);
    }
    range->count = build_count(e, from, to, stride);
    return true;
}

static void bound_index(Elaborator *e, Value *start, Value *stop, Range *range) {
    DimTable *table = e->module->dims;
    const Dim *one = constant_dim(e, 1);
    bool is_up = range->step > 0;
    range->low =
        is_up ? lower_bound(&e->bounds, start) : dim_add(table, lower_bound(&e->bounds, stop), one);
    range->high = is_up ? dim_subtract(table, upper_bound(&e->bounds, stop), one)
                        : upper_bound(&e->bounds, start);
}

bool plan_range(Elaborator *e, const Binder *binder, Range *range) {
    *range = (Range){.step = 1};
    Bound start, stop;
    const Dim *limit = NULL;
    bool ok = plan_bound(e, binder->start, "the start of a range", &start);
    ok = plan_bound(e, binder->stop, "the end of a range", &stop) && ok;
    ok = plan_step(e, binder, range) && ok;
    ok = (binder->limit == NULL || known_bound(e, binder->limit, "the limit of a range", &limit)) &&
         ok;
    if (!ok) {
        return false;
    }
    range->start = start.dim;
    if (start.dim != NULL && stop.dim != NULL) {
        const Dim *distance = range->step > 0 ? dim_subtract(e->module->dims, stop.dim, start.dim)
                                              : dim_subtract(e->module->dims, start.dim, stop.dim);
        if (distance == NULL) {
            report(e, binder->span, "this range is too large");
            return false;
        }
        if (plan_fixed(e, binder, distance, limit, range, &ok)) {
            return ok;
        }
    }
    at_span(e, binder->span);
    Value *from = bound_value(e, &start), *to = bound_value(e, &stop);
    range->start_value = start.dim == NULL ? from : NULL;
    if (!plan_computed(e, binder, from, to, limit, range)) {
        return false;
    }
    bound_index(e, from, to, range);
    return true;
}

Value *range_index(Elaborator *e, const Range *range, Value *place) {
    Builder *b = &e->builder;
    Value *value = place;
    int64_t start;
    if (range->step != 1) {
        value = build_mul(b, value, build_scalar_integer(b, TYPE_I64, range->step));
    }
    if (range->start == NULL) {
        value = build_add(b, value, range->start_value);
    } else if (!dim_is_constant(range->start, &start)) {
        value = build_add(b, value, build_dim(b, range->start));
    } else if (start != 0) {
        value = build_add(b, value, build_scalar_integer(b, TYPE_I64, start));
    }
    if (range->low != NULL || range->high != NULL) {
        note_bounds(&e->bounds, value, range->low, range->high);
    }
    return value;
}
