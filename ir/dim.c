// Arithmetic and questions on dimensions. Inside it works on any rational (ir/dim_terms.h); the
// public functions refuse constants that are not integers at the end.
#include "ir/dim.h"

#include <stdlib.h>
#include <string.h>

#include "ir/base/check.h"
#include "ir/dim_terms.h"

// Arithmetic on rationals; NULL in gives NULL out.

static const Dim *make_rational(DimTable *table, int64_t numerator, int64_t denominator) {
    Term term = {numerator, 0, NULL};
    Sum sum = {.denominator = 1, .terms = {&term, numerator != 0, 1}};
    if (numerator != 0 && denominator != 1) {
        int64_t shared = (int64_t)greatest_divisor((uint64_t)denominator, magnitude(numerator));
        term.coefficient = numerator / shared;
        sum.denominator = denominator / shared;
    }
    return dim_intern(table, &sum);
}

static const Dim *make_atom(DimTable *table, const Atom *atom) {
    Factor factor = {atom, 1};
    Term term = {1, 1, &factor};
    return dim_intern(table, &(Sum){.denominator = 1, .terms = {&term, 1, 1}});
}

// x + sign * y
static const Dim *add(DimTable *table, const Dim *x, const Dim *y, int sign) {
    int64_t x_value, y_value, total;
    if (!x || !y) {
        return NULL;
    }
    if (dim_is_constant(x, &x_value) && dim_is_constant(y, &y_value)) { // the usual case
        bool fails = sign > 0 ? __builtin_add_overflow(x_value, y_value, &total)
                              : __builtin_sub_overflow(x_value, y_value, &total);
        return fails ? NULL : make_rational(table, total, 1);
    }
    Arena scratch = {0};
    Sum sum = {&scratch, 1, {0}, false};
    int64_t shared = (int64_t)greatest_divisor((uint64_t)x->denominator, (uint64_t)y->denominator);
    sum.denominator = sum_product(&sum, x->denominator, y->denominator / shared);
    sum_push_dim(&sum, x, y->denominator / shared);
    sum_push_dim(&sum, y, sign * (x->denominator / shared));
    return sum_finish(table, &sum);
}

static const Dim *multiply(DimTable *table, const Dim *x, const Dim *y) {
    int64_t x_value, y_value, total;
    if (!x || !y) {
        return NULL;
    }
    if (dim_is_constant(x, &x_value) && dim_is_constant(y, &y_value)) { // the usual case
        return __builtin_mul_overflow(x_value, y_value, &total) ? NULL
                                                                : make_rational(table, total, 1);
    }
    Arena scratch = {0};
    Sum sum = {&scratch, 1, {0}, (int64_t)x->count * y->count > MAX_PRODUCT};
    sum.denominator = sum_product(&sum, x->denominator, y->denominator);
    for (int i = 0; i < x->count && !sum.failed; i++) {
        for (int k = 0; k < y->count; k++) {
            sum_push_term(&sum, multiply_terms(&sum, &x->terms[i], &y->terms[k]));
        }
    }
    return sum_finish(table, &sum);
}

// x / (term / denominator)
static const Dim *divide_by_term(DimTable *table, const Dim *x, const Term *term,
                                 int64_t denominator) {
    if (!x) {
        return NULL;
    }
    Arena scratch = {0};
    Sum sum = {&scratch, 1, {0}, term->coefficient == INT64_MIN};
    sum.denominator = sum.failed ? 1 : sum_product(&sum, x->denominator, llabs(term->coefficient));
    Factor *factors = arena_array(&scratch, Factor, term->count);
    Term inverse = {term->coefficient < 0 ? -denominator : denominator, 0, factors};
    for (int i = 0; i < term->count; i++) {
        if (term->factors[i].atom->name) {
            factors[inverse.count++] = (Factor){term->factors[i].atom, -term->factors[i].power};
        }
    }
    for (int i = 0; i < x->count; i++) {
        sum_push_term(&sum, multiply_terms(&sum, &x->terms[i], &inverse));
    }
    const Dim *result = sum_finish(table, &sum);
    for (int i = 0; i < term->count; i++) {
        for (int k = 0; !term->factors[i].atom->name && k < term->factors[i].power; k++) {
            result = multiply(table, result, term->factors[i].atom->under);
        }
    }
    return result;
}

// The greatest common divisor of the coefficients with the sign of the first; 0 if it does not fit.
static int64_t common_coefficient(const Dim *dim) {
    uint64_t shared = 0;
    for (int i = 0; i < dim->count; i++) {
        shared = greatest_divisor(shared, magnitude(dim->terms[i].coefficient));
    }
    if (shared > INT64_MAX) {
        return 0;
    }
    return dim->terms[0].coefficient < 0 ? -(int64_t)shared : (int64_t)shared;
}

static const Dim *divide(DimTable *table, const Dim *x, const Dim *y) {
    if (!x || !y || y->count == 0) {
        return NULL;
    }
    if (y->count == 1) {
        return divide_by_term(table, x, &y->terms[0], y->denominator);
    }
    Arena scratch = {0};
    Term common = common_factors(&scratch, y);
    common.coefficient = common_coefficient(y);
    const Dim *result = NULL;
    if (common.coefficient == 1 && common.count == 0 && y->denominator == 1) {
        const Atom *atom = dim_table_atom(table, NULL, y);
        result = atom->depth > MAX_DEPTH ? NULL : multiply(table, x, make_atom(table, atom));
    } else if (common.coefficient != 0) {
        result = divide(table, divide_by_term(table, x, &common, y->denominator),
                        divide_by_term(table, y, &common, y->denominator));
    }
    arena_free(&scratch);
    return result;
}

// The public side

static bool is_fraction(const Dim *dim) {
    return dim->denominator != 1 &&
           (dim->count == 0 || (dim->count == 1 && dim->terms[0].count == 0));
}

static const Dim *without_fraction(const Dim *dim) {
    return dim && !is_fraction(dim) ? dim : NULL;
}

const Dim *dim_constant(DimTable *table, int64_t value) {
    return make_rational(table, value, 1);
}

const Dim *dim_symbol(DimTable *table, const char *name) {
    return make_atom(table, dim_table_atom(table, name, NULL));
}

const Dim *dim_add(DimTable *table, const Dim *x, const Dim *y) {
    return without_fraction(add(table, x, y, 1));
}

const Dim *dim_subtract(DimTable *table, const Dim *x, const Dim *y) {
    return without_fraction(add(table, x, y, -1));
}

const Dim *dim_multiply(DimTable *table, const Dim *x, const Dim *y) {
    return without_fraction(multiply(table, x, y));
}

const Dim *dim_divide(DimTable *table, const Dim *x, const Dim *y) {
    return without_fraction(divide(table, x, y));
}

bool dim_is_constant(const Dim *dim, int64_t *value) {
    if (dim->count > 1 || (dim->count == 1 && dim->terms[0].count > 0) || is_fraction(dim)) {
        return false;
    }
    *value = dim->count ? dim->terms[0].coefficient : 0;
    return true;
}

int64_t dim_value(const Dim *dim) {
    int64_t value = 0;
    check(dim_is_constant(dim, &value), "a symbolic dimension has no value");
    return value;
}

// Replaces atoms by `bindings`, or, where these are NULL, each named dimension N by N + 1.
static const Dim *replace(DimTable *table, const Dim *dim, const DimBinding *bindings, int count);

static const Dim *replace_atom(DimTable *table, const Atom *atom, const DimBinding *bindings,
                               int count) {
    if (!atom->name) {
        const Dim *under = replace(table, atom->under, bindings, count);
        return divide(table, make_rational(table, 1, 1), under);
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(bindings[i].name, atom->name) == 0) {
            return make_rational(table, bindings[i].value, 1);
        }
    }
    const Dim *symbol = make_atom(table, atom);
    return bindings ? symbol : add(table, symbol, make_rational(table, 1, 1), 1);
}

static const Dim *replace(DimTable *table, const Dim *dim, const DimBinding *bindings, int count) {
    const Dim *total = make_rational(table, 0, 1);
    for (int i = 0; i < dim->count; i++) {
        const Term *term = &dim->terms[i];
        const Dim *value = make_rational(table, term->coefficient, dim->denominator);
        for (int k = 0; k < term->count; k++) {
            const Dim *base = replace_atom(table, term->factors[k].atom, bindings, count);
            for (int power = term->factors[k].power; power != 0; power += power > 0 ? -1 : 1) {
                value = power > 0 ? multiply(table, value, base) : divide(table, value, base);
            }
        }
        total = add(table, total, value, 1);
    }
    return total;
}

const Dim *dim_substitute(DimTable *table, const Dim *dim, const DimBinding *bindings, int count) {
    bool mentioned = false;
    for (int i = 0; i < count; i++) {
        mentioned |= dim_mentions(dim, bindings[i].name);
    }
    return mentioned ? without_fraction(replace(table, dim, bindings, count)) : dim;
}

bool dim_mentions(const Dim *dim, const char *name) {
    for (int i = 0; i < dim->count; i++) {
        for (int k = 0; k < dim->terms[i].count; k++) {
            const Atom *atom = dim->terms[i].factors[k].atom;
            if (atom->name ? strcmp(atom->name, name) == 0 : dim_mentions(atom->under, name)) {
                return true;
            }
        }
    }
    return false;
}

bool dim_solve(const Dim *dim, const char *name, int64_t value, int64_t *solution) {
    int64_t slope = 0, offset = 0, target = 0;
    for (int i = 0; i < dim->count; i++) {
        const Term *term = &dim->terms[i];
        if (term->count == 0) {
            offset = term->coefficient;
        } else if (term->count == 1 && term->factors[0].power == 1 && term->factors[0].atom->name &&
                   strcmp(term->factors[0].atom->name, name) == 0) {
            slope = term->coefficient;
        } else {
            return false;
        }
    }
    if (slope == 0 || __builtin_mul_overflow(value, dim->denominator, &target) ||
        __builtin_sub_overflow(target, offset, &target) || target == INT64_MIN ||
        target % slope != 0) {
        return false;
    }
    *solution = target / slope;
    return true;
}

static bool has_named_powers_only(const Dim *dim, bool *negative_power) {
    for (int i = 0; i < dim->count; i++) {
        for (int k = 0; k < dim->terms[i].count; k++) {
            if (!dim->terms[i].factors[k].atom->name) {
                return false;
            }
            *negative_power |= dim->terms[i].factors[k].power < 0;
        }
    }
    return true;
}

static bool all_coefficients_positive(const Dim *dim) {
    for (int i = 0; i < dim->count; i++) {
        if (dim->terms[i].coefficient < 0) {
            return false;
        }
    }
    return true;
}

bool dim_is_at_least(DimTable *table, const Dim *dim, int64_t minimum) {
    const Dim *excess = add(table, dim, make_rational(table, minimum, 1), -1);
    bool negative_power = false;
    if (!excess || !has_named_powers_only(excess, &negative_power)) {
        return false;
    }
    if (all_coefficients_positive(excess) || negative_power) {
        return all_coefficients_positive(excess);
    }
    // With N = 1 + n for each name, n at least 0, no term can be negative.
    const Dim *shifted = replace(table, excess, NULL, 0);
    return shifted && all_coefficients_positive(shifted);
}

int64_t largest_divisor(int64_t size, int64_t most) {
    int64_t divisor = most < 1 ? 1 : most < size ? most : size;
    while (size % divisor != 0) {
        divisor--;
    }
    return divisor;
}
