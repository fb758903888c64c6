// Inside dimensions (ir/dim*.c) only: what a Dim is made of.
//
// A Dim has one denominator and terms with integer coefficients, in a fixed order. A term is a
// product of powers of atoms: named dimensions, whose powers may be negative (C/H is C * H^-1), and
// reciprocals 1/(B + 1) of sums. Named dimensions are never zero, so with them the form is unique.
// A reciprocal times its sum is divided out as in polynomial division; equalities that need partial
// fractions are not found, which only makes some equal dimensions compare as different.
//
// Arithmetic collects terms in a Sum in scratch memory; sum_finish brings it to canonical form and
// interns it. All of this works on any rational, also on those that no dimension can be.
#ifndef TDSL_IR_DIM_TERMS_H
#define TDSL_IR_DIM_TERMS_H

#include "ir/base/vec.h"
#include "ir/dim.h"

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

// The atom of a name, or, where that is NULL, the reciprocal of a sum.
const Atom *dim_table_atom(DimTable *table, const char *name, const Dim *under);

uint64_t magnitude(int64_t value);
uint64_t greatest_divisor(uint64_t x, uint64_t y);

// Each sets sum->failed on overflow.
int64_t sum_product(Sum *sum, int64_t x, int64_t y);
void sum_push_term(Sum *sum, Term term);
void sum_push_dim(Sum *sum, const Dim *dim, int64_t scale);
Term multiply_terms(Sum *sum, const Term *x, const Term *y);
// The Dim of a sum in any form; frees the sum's arena. NULL if the sum failed.
const Dim *sum_finish(DimTable *table, Sum *sum);

// The Dim of a sum that is in canonical form already.
const Dim *dim_intern(DimTable *table, const Sum *sum);

// The product of a term's atoms to the negative powers.
Term inverse_factors(Arena *arena, const Term *term);
// The factors that all terms of `dim` (not zero) share; a negative power of a name is shared by
// terms without it, too.
Term common_factors(Arena *arena, const Dim *dim);

#endif
