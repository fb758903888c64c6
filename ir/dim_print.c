// Printing dimensions, with one fraction bar for what all terms share.
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
