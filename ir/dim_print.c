// Printing dimensions: with one fraction bar for all terms, or, where reciprocals of sums occur,
// with bars in the terms, which read back as the same terms.
#include <inttypes.h>

#include "ir/dim_terms.h"

static void print_atom(Text *out, const Atom *atom) {
    if (atom->name) {
        text_add(out, atom->name);
    } else {
        text_add_char(out, '(');
        dim_print(out, atom->under);
        text_add_char(out, ')');
    }
}

// `2*B*C/H/(D + 1)` without the sign.
static void print_term(Text *out, const Term *term) {
    bool started = magnitude(term->coefficient) != 1;
    if (started) {
        text_format(out, "%" PRIu64, magnitude(term->coefficient));
    }
    for (int i = 0; i < term->count; i++) {
        for (int k = 0; term->factors[i].atom->name && k < term->factors[i].power; k++) {
            text_add(out, started ? "*" : "");
            print_atom(out, term->factors[i].atom);
            started = true;
        }
    }
    text_add(out, started ? "" : "1");
    for (int i = 0; i < term->count; i++) {
        const Factor *factor = &term->factors[i];
        int power = factor->atom->name ? -factor->power : factor->power;
        for (int k = 0; k < power; k++) {
            text_add_char(out, '/');
            print_atom(out, factor->atom);
        }
    }
}

// What stands below the bar of all terms: a number and names.
static void print_denominator(Text *out, int64_t denominator, const Term *below) {
    int count = denominator != 1;
    for (int i = 0; i < below->count; i++) {
        count += below->factors[i].power;
    }
    text_add(out, count > 1 ? "/(" : count > 0 ? "/" : "");
    bool started = denominator != 1;
    if (started) {
        text_format(out, "%" PRId64, denominator);
    }
    for (int i = 0; i < below->count; i++) {
        for (int k = 0; k < below->factors[i].power; k++) {
            text_add(out, started ? "*" : "");
            print_atom(out, below->factors[i].atom);
            started = true;
        }
    }
    text_add(out, count > 1 ? ")" : "");
}

static bool has_reciprocals(const Dim *dim) {
    for (int i = 0; i < dim->count; i++) {
        for (int k = 0; k < dim->terms[i].count; k++) {
            if (!dim->terms[i].factors[k].atom->name) {
                return true;
            }
        }
    }
    return false;
}

// The names that all terms can be written above: none where bars stand in the terms.
static Term names_below(Arena *arena, const Dim *dim) {
    if (has_reciprocals(dim)) {
        return (Term){1, 0, NULL};
    }
    Term common = common_factors(arena, dim);
    Factor *factors = arena_array(arena, Factor, common.count);
    int count = 0;
    for (int i = 0; i < common.count; i++) {
        if (common.factors[i].power < 0) {
            factors[count++] = (Factor){common.factors[i].atom, -common.factors[i].power};
        }
    }
    return (Term){1, count, factors};
}

void dim_print(Text *out, const Dim *dim) {
    if (dim->count == 0) {
        text_add(out, "0");
        return;
    }
    Arena scratch = {0};
    Sum sum = {&scratch, 1, {0}, false};
    Term below = names_below(&scratch, dim);
    bool has_brackets = dim->count > 1 && (dim->denominator != 1 || below.count > 0);
    int first = 0; // a term that needs no minus comes first, if there is one
    while (first < dim->count && dim->terms[first].coefficient < 0) {
        first++;
    }
    first = first < dim->count ? first : 0;
    text_add(out, has_brackets ? "(" : "");
    for (int i = 0; i < dim->count; i++) {
        // `first`, then the others in order
        const Term *term = &dim->terms[i == 0 ? first : i <= first ? i - 1 : i];
        bool negative = term->coefficient < 0;
        text_add(out, i == 0 ? negative ? "-" : "" : negative ? " - " : " + ");
        Term shown = multiply_terms(&sum, term, &below);
        print_term(out, &shown);
    }
    text_add(out, has_brackets ? ")" : "");
    print_denominator(out, dim->denominator, &below);
    arena_free(&scratch);
}
