// The canonical form of dimensions: the order of terms, interning, sums. See ir/dim_terms.h.
#include "ir/dim_terms.h"

#include <stdlib.h>
#include <string.h>

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

const Dim *dim_intern(DimTable *table, const Sum *sum) {
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

const Atom *dim_table_atom(DimTable *table, const char *name, const Dim *under) {
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

uint64_t magnitude(int64_t value) {
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

uint64_t greatest_divisor(uint64_t x, uint64_t y) {
    while (y != 0) {
        uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    return x;
}

int64_t sum_product(Sum *sum, int64_t x, int64_t y) {
    int64_t result = 0;
    sum->failed |= __builtin_mul_overflow(x, y, &result);
    return result;
}

void sum_push_term(Sum *sum, Term term) {
    if (sum->terms.count >= MAX_PRODUCT) {
        sum->failed = true;
    }
    if (!sum->failed) {
        vec_push(sum->arena, &sum->terms, term);
    }
}

void sum_push_dim(Sum *sum, const Dim *dim, int64_t scale) {
    for (int i = 0; i < dim->count; i++) {
        Term term = dim->terms[i];
        term.coefficient = sum_product(sum, term.coefficient, scale);
        sum_push_term(sum, term);
    }
}

Term multiply_terms(Sum *sum, const Term *x, const Term *y) {
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
    return (Term){sum_product(sum, x->coefficient, y->coefficient), count, factors};
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

Term inverse_factors(Arena *arena, const Term *term) {
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
    sum->denominator = sum_product(sum, sum->denominator, scale);
    for (int i = 0; i < sum->terms.count; i++) {
        sum->terms.at[i].coefficient = sum_product(sum, sum->terms.at[i].coefficient, scale);
    }
    Term inverse = inverse_factors(sum->arena, &under->terms[0]);
    Term cofactor = multiply_terms(sum, &term, &inverse); // c * r * k
    for (int i = 1; i < under->count; i++) {
        Term rest = multiply_terms(sum, &cofactor, &under->terms[i]);
        rest.coefficient = sum_product(sum, rest.coefficient, -1);
        sum_push_term(sum, rest);
    }
    Factor without = {atom, -1};
    sum_push_term(sum, multiply_terms(sum, &cofactor, &(Term){1, 1, &without}));
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

const Dim *sum_finish(DimTable *table, Sum *sum) {
    normalise(sum);
    for (int steps = 0; !sum->failed && divide_out_one(sum); steps++) {
        normalise(sum);
        sum->failed |= steps >= MAX_STEPS;
    }
    const Dim *result = sum->failed ? NULL : dim_intern(table, sum);
    arena_free(sum->arena);
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

Term common_factors(Arena *arena, const Dim *dim) {
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
