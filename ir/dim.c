// Dimensions: sums of terms with rational coefficients in one canonical, interned form.
//
// A Dim has one denominator and terms with integer coefficients, in a fixed order. A term is a
// product of powers of atoms: named dimensions, whose powers may be negative (C/H is C * H^-1), and
// reciprocals 1/(B + 1) of sums. Named dimensions are never zero, so with them the form is unique.
// A reciprocal times its sum is divided out as in polynomial division; equalities between different
// reciprocals (partial fractions) are not found, which only makes some equal dimensions compare as
// different.
//
// Arithmetic collects terms in a Sum in scratch memory, brings it to canonical form and interns it.
// It works on any rational; the public functions refuse constants that are not integers at the end.
#include "ir/dim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/check.h"
#include "ir/base/vec.h"

enum {
    MAX_POWER = 64,      // |power| of an atom in a term
    MAX_TERMS = 1024,    // terms of a sum
    MAX_PRODUCT = 65536, // terms of a product before equal ones are added up
    MAX_DEPTH = 16,      // reciprocals within reciprocals
    MAX_STEPS = 4096,    // of dividing out reciprocals
    FIRST_BUCKETS = 64,
};

typedef struct Atom {
    const char *name; // a named dimension; NULL for a reciprocal
    const Dim *under; // 1 / under: more than one term, no common factor, first coefficient positive
    int depth;        // of reciprocals within
} Atom;

typedef struct Factor {
    const Atom *atom;
    int power; // not 0; above 0 for reciprocals
} Factor;

typedef struct Term {
    int64_t coefficient; // not 0
    int count;
    const Factor *factors; // ordered by compare_atoms
} Term;

struct Dim {
    int64_t denominator; // above 0; shares no divisor with all coefficients
    int count;
    const Term *terms; // ordered by compare_terms; none for zero
    size_t hash;
    const Dim *next; // in the same bucket
};

struct DimTable {
    Arena *arena;
    VEC(const Atom *) atoms;
    const Dim **buckets;
    size_t bucket_count; // a power of two
    size_t dim_count;
};

// A sum being made. Once something overflowed `failed` stays set and the rest is meaningless.
typedef struct Sum {
    Arena *arena;
    int64_t denominator;
    VEC(Term) terms;
    bool failed;
} Sum;

DimTable *dim_table_new(Arena *arena) {
    DimTable *table = arena_new(arena, DimTable);
    table->arena = arena;
    table->bucket_count = FIRST_BUCKETS;
    table->buckets = arena_array(arena, const Dim *, FIRST_BUCKETS);
    return table;
}

// The order of atoms and terms depends on names alone, so that printing does not depend on the
// order in which dimensions were made.

static int compare_dims(const Dim *x, const Dim *y);

static int compare_atoms(const Atom *x, const Atom *y) {
    if (x == y) {
        return 0;
    }
    if (x->name && y->name) {
        return strcmp(x->name, y->name);
    }
    if (x->name || y->name) {
        return x->name ? -1 : 1;
    }
    return compare_dims(x->under, y->under);
}

static int term_degree(const Term *term) {
    int degree = 0;
    for (int i = 0; i < term->count; i++) {
        degree += term->factors[i].power;
    }
    return degree;
}

// Products of atoms by degree, the highest first, then by the powers of the first atoms.
// Multiplying both sides by a term keeps the order.
static int compare_factors(const Term *x, const Term *y) {
    int x_degree = term_degree(x), y_degree = term_degree(y);
    if (x_degree != y_degree) {
        return x_degree > y_degree ? -1 : 1;
    }
    for (int i = 0; i < x->count || i < y->count; i++) {
        int order = i >= x->count   ? 1
                    : i >= y->count ? -1
                                    : compare_atoms(x->factors[i].atom, y->factors[i].atom);
        int x_power = order <= 0 ? x->factors[i].power : 0;
        int y_power = order >= 0 ? y->factors[i].power : 0;
        if (x_power != y_power) {
            return x_power > y_power ? -1 : 1;
        }
    }
    return 0;
}

static int compare_terms(const void *x, const void *y) {
    return compare_factors(x, y);
}

static int compare_integers(int64_t x, int64_t y) {
    return (x > y) - (x < y);
}

static int compare_dims(const Dim *x, const Dim *y) {
    if (x == y) {
        return 0;
    }
    for (int i = 0; i < x->count && i < y->count; i++) {
        int order = compare_factors(&x->terms[i], &y->terms[i]);
        if (order == 0) {
            order = compare_integers(x->terms[i].coefficient, y->terms[i].coefficient);
        }
        if (order != 0) {
            return order;
        }
    }
    if (x->count != y->count) {
        return compare_integers(x->count, y->count);
    }
    return compare_integers(x->denominator, y->denominator);
}

// Interning

static size_t mix(size_t hash, size_t value) {
    return (hash ^ value) * (size_t)0x9E3779B97F4A7C15u + (hash >> 7);
}

static size_t hash_sum(const Sum *sum) {
    size_t hash = mix(17, (size_t)sum->denominator);
    for (int i = 0; i < sum->terms.count; i++) {
        const Term *term = &sum->terms.at[i];
        hash = mix(hash, (size_t)term->coefficient);
        for (int k = 0; k < term->count; k++) {
            hash = mix(hash, (size_t)(uintptr_t)term->factors[k].atom);
            hash = mix(hash, (size_t)term->factors[k].power);
        }
    }
    return hash ^ hash >> 17;
}

static bool same_terms(const Term *x, const Term *y) {
    if (x->coefficient != y->coefficient || x->count != y->count) {
        return false;
    }
    for (int i = 0; i < x->count; i++) {
        if (x->factors[i].atom != y->factors[i].atom ||
            x->factors[i].power != y->factors[i].power) {
            return false;
        }
    }
    return true;
}

static bool dim_is_sum(const Dim *dim, const Sum *sum) {
    if (dim->denominator != sum->denominator || dim->count != sum->terms.count) {
        return false;
    }
    for (int i = 0; i < dim->count; i++) {
        if (!same_terms(&dim->terms[i], &sum->terms.at[i])) {
            return false;
        }
    }
    return true;
}

static void grow_buckets(DimTable *table) {
    size_t larger = table->bucket_count * 2;
    const Dim **buckets = arena_array(table->arena, const Dim *, larger);
    for (size_t i = 0; i < table->bucket_count; i++) {
        for (const Dim *dim = table->buckets[i], *next; dim; dim = next) {
            next = dim->next;
            const Dim **bucket = &buckets[dim->hash & (larger - 1)];
            ((Dim *)dim)->next = *bucket;
            *bucket = dim;
        }
    }
    table->buckets = buckets;
    table->bucket_count = larger;
}

// The Dim of a canonical sum.
static const Dim *intern(DimTable *table, const Sum *sum) {
    size_t hash = hash_sum(sum);
    const Dim **bucket = &table->buckets[hash & (table->bucket_count - 1)];
    for (const Dim *dim = *bucket; dim; dim = dim->next) {
        if (dim->hash == hash && dim_is_sum(dim, sum)) {
            return dim;
        }
    }
    Dim *dim = arena_new(table->arena, Dim);
    Term *terms = arena_array(table->arena, Term, sum->terms.count);
    for (int i = 0; i < sum->terms.count; i++) {
        terms[i] = sum->terms.at[i];
        Factor *factors = arena_array(table->arena, Factor, terms[i].count);
        for (int k = 0; k < terms[i].count; k++) {
            factors[k] = terms[i].factors[k];
        }
        terms[i].factors = factors;
    }
    *dim = (Dim){sum->denominator, sum->terms.count, terms, hash, *bucket};
    *bucket = dim;
    if (++table->dim_count > table->bucket_count) {
        grow_buckets(table);
    }
    return dim;
}

static const Atom *find_atom(DimTable *table, const char *name, const Dim *under) {
    int depth = 0;
    for (int i = 0; i < table->atoms.count; i++) {
        const Atom *atom = table->atoms.at[i];
        if (name ? atom->name && strcmp(atom->name, name) == 0 : atom->under == under) {
            return atom;
        }
    }
    for (int i = 0; under && i < under->count; i++) {
        for (int k = 0; k < under->terms[i].count; k++) {
            int inner = under->terms[i].factors[k].atom->depth;
            depth = inner >= depth ? inner + 1 : depth;
        }
    }
    Atom *atom = arena_new(table->arena, Atom);
    *atom = (Atom){name ? arena_copy_string(table->arena, name) : NULL, under, depth};
    vec_push(table->arena, &table->atoms, atom);
    return atom;
}

// Sums

static uint64_t magnitude(int64_t value) {
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static uint64_t greatest_divisor(uint64_t x, uint64_t y) {
    while (y != 0) {
        uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    return x;
}

static int64_t product(Sum *sum, int64_t x, int64_t y) {
    int64_t result = 0;
    sum->failed |= __builtin_mul_overflow(x, y, &result);
    return result;
}

static void push_term(Sum *sum, Term term) {
    if (sum->terms.count >= MAX_PRODUCT) {
        sum->failed = true;
    }
    if (!sum->failed) {
        vec_push(sum->arena, &sum->terms, term);
    }
}

static void push_terms(Sum *sum, const Dim *dim, int64_t scale) {
    for (int i = 0; i < dim->count; i++) {
        Term term = dim->terms[i];
        term.coefficient = product(sum, term.coefficient, scale);
        push_term(sum, term);
    }
}

static Term multiply_terms(Sum *sum, const Term *x, const Term *y) {
    Factor *factors = arena_array(sum->arena, Factor, x->count + y->count);
    int count = 0;
    for (int i = 0, k = 0; i < x->count || k < y->count;) {
        int order = i >= x->count   ? 1
                    : k >= y->count ? -1
                                    : compare_atoms(x->factors[i].atom, y->factors[k].atom);
        Factor factor = order <= 0 ? x->factors[i] : y->factors[k];
        if (order == 0) {
            factor.power += y->factors[k].power;
        }
        i += order <= 0;
        k += order >= 0;
        if (factor.power > MAX_POWER || factor.power < -MAX_POWER) {
            sum->failed = true;
            factor.power = 1;
        }
        if (factor.power != 0) {
            factors[count++] = factor;
        }
    }
    return (Term){product(sum, x->coefficient, y->coefficient), count, factors};
}

// Orders the terms, adds up equal ones and cancels what the coefficients and the denominator share.
static void normalise(Sum *sum) {
    if (sum->failed || sum->terms.count == 0) {
        sum->denominator = 1;
        return;
    }
    qsort(sum->terms.at, (size_t)sum->terms.count, sizeof *sum->terms.at, compare_terms);
    int count = 0;
    for (int i = 0; i < sum->terms.count; i++) {
        Term term = sum->terms.at[i];
        if (count > 0 && compare_factors(&sum->terms.at[count - 1], &term) == 0) {
            int64_t *total = &sum->terms.at[count - 1].coefficient;
            sum->failed |= __builtin_add_overflow(*total, term.coefficient, total);
        } else {
            count -= count > 0 && sum->terms.at[count - 1].coefficient == 0;
            sum->terms.at[count++] = term;
        }
    }
    count -= count > 0 && sum->terms.at[count - 1].coefficient == 0;
    sum->terms.count = count;
    sum->failed |= count > MAX_TERMS;
    uint64_t shared = magnitude(sum->denominator);
    for (int i = 0; i < count; i++) {
        shared = greatest_divisor(shared, magnitude(sum->terms.at[i].coefficient));
    }
    // The denominator is positive, so `shared` fits; for an empty sum it is the denominator itself.
    sum->denominator /= (int64_t)shared;
    for (int i = 0; i < count; i++) {
        sum->terms.at[i].coefficient /= (int64_t)shared;
    }
}

// Does `term` contain all factors of the first term under the fraction bar of `atom`?
static bool holds_first_term(const Term *term, const Atom *atom) {
    const Term *first = &atom->under->terms[0];
    for (int i = 0; i < first->count; i++) {
        int power = 0;
        for (int k = 0; k < term->count; k++) {
            if (term->factors[k].atom == first->factors[i].atom) {
                power = term->factors[k].power;
            }
        }
        if (power < first->factors[i].power) {
            return false;
        }
    }
    return true;
}

static Term inverse_factors(Arena *arena, const Term *term) {
    Factor *factors = arena_array(arena, Factor, term->count);
    for (int i = 0; i < term->count; i++) {
        factors[i] = (Factor){term->factors[i].atom, -term->factors[i].power};
    }
    return (Term){1, term->count, factors};
}

// With s = first + rest and r = 1/s: replaces c * first * r * k by c * k - c * rest * r * k.
static void divide_out(Sum *sum, int position, const Atom *atom) {
    const Dim *under = atom->under;
    Term term = sum->terms.at[position];
    sum->terms.at[position] = sum->terms.at[--sum->terms.count];
    int64_t scale = under->terms[0].coefficient;
    sum->denominator = product(sum, sum->denominator, scale);
    for (int i = 0; i < sum->terms.count; i++) {
        sum->terms.at[i].coefficient = product(sum, sum->terms.at[i].coefficient, scale);
    }
    Term inverse = inverse_factors(sum->arena, &under->terms[0]);
    Term cofactor = multiply_terms(sum, &term, &inverse); // c * r * k
    for (int i = 1; i < under->count; i++) {
        Term rest = multiply_terms(sum, &cofactor, &under->terms[i]);
        rest.coefficient = product(sum, rest.coefficient, -1);
        push_term(sum, rest);
    }
    Factor without = {atom, -1};
    push_term(sum, multiply_terms(sum, &cofactor, &(Term){1, 1, &without}));
}

static bool divide_out_one(Sum *sum) {
    for (int i = 0; i < sum->terms.count; i++) {
        const Term *term = &sum->terms.at[i];
        for (int k = 0; k < term->count; k++) {
            const Atom *atom = term->factors[k].atom;
            if (!atom->name && term->factors[k].power > 0 && holds_first_term(term, atom)) {
                divide_out(sum, i, atom);
                return true;
            }
        }
    }
    return false;
}

// The Dim of a sum in any form; frees the scratch memory. NULL if the sum failed.
static const Dim *finish(DimTable *table, Sum *sum) {
    normalise(sum);
    for (int steps = 0; !sum->failed && divide_out_one(sum); steps++) {
        normalise(sum);
        sum->failed |= steps >= MAX_STEPS;
    }
    const Dim *result = sum->failed ? NULL : intern(table, sum);
    arena_free(sum->arena);
    return result;
}

// Arithmetic on rationals; NULL in gives NULL out.

static const Dim *make_rational(DimTable *table, int64_t numerator, int64_t denominator) {
    Arena scratch = {0};
    Sum sum = {&scratch, denominator, {0}, false};
    if (numerator != 0) {
        push_term(&sum, (Term){numerator, 0, NULL});
    }
    return finish(table, &sum);
}

static const Dim *make_atom(DimTable *table, const Atom *atom) {
    Arena scratch = {0};
    Sum sum = {&scratch, 1, {0}, false};
    Factor factor = {atom, 1};
    push_term(&sum, (Term){1, 1, &factor});
    return finish(table, &sum);
}

// x + sign * y
static const Dim *add(DimTable *table, const Dim *x, const Dim *y, int sign) {
    if (!x || !y) {
        return NULL;
    }
    Arena scratch = {0};
    Sum sum = {&scratch, 1, {0}, false};
    int64_t shared = (int64_t)greatest_divisor((uint64_t)x->denominator, (uint64_t)y->denominator);
    sum.denominator = product(&sum, x->denominator, y->denominator / shared);
    push_terms(&sum, x, y->denominator / shared);
    push_terms(&sum, y, sign * (x->denominator / shared));
    return finish(table, &sum);
}

static const Dim *multiply(DimTable *table, const Dim *x, const Dim *y) {
    if (!x || !y) {
        return NULL;
    }
    Arena scratch = {0};
    Sum sum = {&scratch, 1, {0}, (int64_t)x->count * y->count > MAX_PRODUCT};
    sum.denominator = product(&sum, x->denominator, y->denominator);
    for (int i = 0; i < x->count && !sum.failed; i++) {
        for (int k = 0; k < y->count; k++) {
            push_term(&sum, multiply_terms(&sum, &x->terms[i], &y->terms[k]));
        }
    }
    return finish(table, &sum);
}

// x / (term / denominator)
static const Dim *divide_by_term(DimTable *table, const Dim *x, const Term *term,
                                 int64_t denominator) {
    if (!x) {
        return NULL;
    }
    Arena scratch = {0};
    Sum sum = {&scratch, 1, {0}, term->coefficient == INT64_MIN};
    sum.denominator = sum.failed ? 1 : product(&sum, x->denominator, llabs(term->coefficient));
    Factor *factors = arena_array(&scratch, Factor, term->count);
    Term inverse = {term->coefficient < 0 ? -denominator : denominator, 0, factors};
    for (int i = 0; i < term->count; i++) {
        if (term->factors[i].atom->name) {
            factors[inverse.count++] = (Factor){term->factors[i].atom, -term->factors[i].power};
        }
    }
    for (int i = 0; i < x->count; i++) {
        push_term(&sum, multiply_terms(&sum, &x->terms[i], &inverse));
    }
    const Dim *result = finish(table, &sum);
    for (int i = 0; i < term->count; i++) {
        for (int k = 0; !term->factors[i].atom->name && k < term->factors[i].power; k++) {
            result = multiply(table, result, term->factors[i].atom->under);
        }
    }
    return result;
}

static int power_in(const Term *term, const Atom *atom) {
    for (int i = 0; i < term->count; i++) {
        if (term->factors[i].atom == atom) {
            return term->factors[i].power;
        }
    }
    return 0;
}

static int smallest_power(const Dim *dim, const Atom *atom) {
    int power = power_in(&dim->terms[0], atom);
    for (int i = 1; i < dim->count; i++) {
        int other = power_in(&dim->terms[i], atom);
        power = other < power ? other : power;
    }
    return power;
}

static int compare_factor_atoms(const void *x, const void *y) {
    return compare_atoms(((const Factor *)x)->atom, ((const Factor *)y)->atom);
}

// The factors that all terms share; a negative power is shared by terms without it, too.
static Term common_factors(Arena *arena, const Dim *dim) {
    VEC(Factor) found = {0};
    for (int i = 0; i < dim->count; i++) {
        for (int k = 0; k < dim->terms[i].count; k++) {
            const Atom *atom = dim->terms[i].factors[k].atom;
            bool is_new = true;
            for (int j = 0; j < found.count; j++) {
                is_new &= found.at[j].atom != atom;
            }
            int power = is_new ? smallest_power(dim, atom) : 0;
            if (power != 0) {
                vec_push(arena, &found, ((Factor){atom, power}));
            }
        }
    }
    if (found.count > 0) {
        qsort(found.at, (size_t)found.count, sizeof *found.at, compare_factor_atoms);
    }
    return (Term){1, found.count, found.at};
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
        const Atom *atom = find_atom(table, NULL, y);
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
    return make_atom(table, find_atom(table, name, NULL));
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

// Printing

static void print_atom(Text *out, const Atom *atom) {
    if (atom->name) {
        text_add(out, atom->name);
    } else {
        text_add_char(out, '(');
        dim_print(out, atom->under);
        text_add_char(out, ')');
    }
}

// `2*B*C/(D + 1)` without the sign; all powers are above 0.
static void print_term(Text *out, const Term *term) {
    bool started = magnitude(term->coefficient) != 1 || term->count == 0 ||
                   !term->factors[0].atom->name; // named dimensions come first
    if (started) {
        text_format(out, "%" PRIu64, magnitude(term->coefficient));
    }
    for (int i = 0; i < term->count; i++) {
        for (int k = 0; k < term->factors[i].power; k++) {
            if (started) {
                text_add_char(out, term->factors[i].atom->name ? '*' : '/');
            }
            print_atom(out, term->factors[i].atom);
            started = true;
        }
    }
}

static void print_denominator(Text *out, int64_t denominator, const Term *common) {
    int count = denominator != 1;
    for (int i = 0; i < common->count; i++) {
        count +=
            common->factors[i].power > 0 ? common->factors[i].power : -common->factors[i].power;
    }
    if (count == 0) {
        return;
    }
    text_add(out, count > 1 ? "/(" : "/");
    bool started = denominator != 1;
    if (started) {
        text_format(out, "%" PRId64, denominator);
    }
    for (int i = 0; i < common->count; i++) {
        int power = common->factors[i].power;
        for (int k = 0; k < (power > 0 ? power : -power); k++) {
            text_add(out, started ? "*" : "");
            print_atom(out, common->factors[i].atom);
            started = true;
        }
    }
    text_add(out, count > 1 ? ")" : "");
}

// Keeps of the common factors those that stand below the fraction bar.
static void keep_below_bar(Term *common, Factor *factors) {
    int count = 0;
    for (int i = 0; i < common->count; i++) {
        if (common->factors[i].atom->name ? common->factors[i].power < 0
                                          : common->factors[i].power > 0) {
            factors[count++] = common->factors[i];
        }
    }
    *common = (Term){1, count, factors};
}

void dim_print(Text *out, const Dim *dim) {
    if (dim->count == 0) {
        text_add(out, "0");
        return;
    }
    Arena scratch = {0};
    Sum sum = {&scratch, 1, {0}, false};
    Term common = common_factors(&scratch, dim);
    keep_below_bar(&common, arena_array(&scratch, Factor, common.count));
    Term above = inverse_factors(&scratch, &common);
    bool has_bar = dim->denominator != 1 || common.count > 0;
    int first = 0; // a term that needs no minus comes first, if there is one
    while (first < dim->count && dim->terms[first].coefficient < 0) {
        first++;
    }
    first = first < dim->count ? first : 0;
    text_add(out, has_bar && dim->count > 1 ? "(" : "");
    for (int i = 0; i < dim->count; i++) {
        // `first`, then the others in order
        const Term *term = &dim->terms[i == 0 ? first : i <= first ? i - 1 : i];
        bool negative = term->coefficient < 0;
        text_add(out, i == 0 ? negative ? "-" : "" : negative ? " - " : " + ");
        Term shown = multiply_terms(&sum, term, &above);
        print_term(out, &shown);
    }
    text_add(out, has_bar && dim->count > 1 ? ")" : "");
    print_denominator(out, dim->denominator, &common);
    arena_free(&scratch);
}
