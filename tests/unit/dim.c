// Dimensions: the laws of their arithmetic (as identity of pointers), printing that reads back,
// values under bindings, and refusals.
#include "ir/dim.h"

#include <ctype.h>
#include <stdlib.h>

#include "tests/unit/expect.h"

enum { NAMES = 3, SAMPLES = 400 };

static const char *const names[NAMES] = {"A", "B", "C"};

// Reads what dim_print writes: sums of products with brackets.
typedef struct Reader {
    DimTable *table;
    const char *at;
} Reader;

static const Dim *read_sum(Reader *reader);

static const Dim *read_atom(Reader *reader) {
    if (*reader->at == '(') {
        reader->at++;
        const Dim *inner = read_sum(reader);
        return *reader->at++ == ')' ? inner : NULL;
    }
    if (isdigit((unsigned char)*reader->at)) {
        char *end;
        const Dim *number = dim_constant(reader->table, strtoll(reader->at, &end, 10));
        reader->at = end;
        return number;
    }
    char name[16] = "";
    for (int i = 0; i < 15 && isalpha((unsigned char)*reader->at); i++) {
        name[i] = *reader->at++;
    }
    return name[0] ? dim_symbol(reader->table, name) : NULL;
}

static const Dim *read_product(Reader *reader) {
    const Dim *result = read_atom(reader);
    while (*reader->at == '*' || *reader->at == '/') {
        bool divides = *reader->at++ == '/';
        const Dim *factor = read_atom(reader);
        result = divides ? dim_divide(reader->table, result, factor)
                         : dim_multiply(reader->table, result, factor);
    }
    return result;
}

static const Dim *read_sum(Reader *reader) {
    bool negative = *reader->at == '-';
    reader->at += negative;
    const Dim *result = read_product(reader);
    if (negative) {
        result = dim_subtract(reader->table, dim_constant(reader->table, 0), result);
    }
    while (strncmp(reader->at, " + ", 3) == 0 || strncmp(reader->at, " - ", 3) == 0) {
        bool subtracts = reader->at[1] == '-';
        reader->at += 3;
        const Dim *term = read_product(reader);
        result = subtracts ? dim_subtract(reader->table, result, term)
                           : dim_add(reader->table, result, term);
    }
    return result;
}

static const Dim *read_dim(DimTable *table, const char *text) {
    Reader reader = {table, text};
    const Dim *dim = read_sum(&reader);
    return *reader.at == '\0' ? dim : NULL;
}

static const char *show(Arena *arena, const Dim *dim) {
    Text text = text_new(arena);
    if (dim) {
        dim_print(&text, dim);
    } else {
        text_add(&text, "none");
    }
    return text_string(&text);
}

static void test_printing(void) {
    static const char *const cases[][2] = {
        {"0", "0"},
        {"32", "32"},
        {"-7", "-7"},
        {"B", "B"},
        {"B + B", "2*B"},
        {"B - B", "0"},
        {"1 - B", "1 - B"},
        {"-B", "-B"},
        {"-B - 1", "-B - 1"},
        {"1 + 2*B", "2*B + 1"},
        {"B*A", "A*B"},
        {"C - A - B", "C - A - B"},
        {"D*(D - 1)/2", "(D*D - D)/2"},
        {"(D*D - D)/2", "(D*D - D)/2"},
        {"D/2*(D - 1)", "(D*D - D)/2"},
        {"C/H", "C/H"},
        {"C/H*H", "C"},
        {"C/(2*H)", "C/(2*H)"},
        {"C/2/H", "C/(2*H)"},
        {"C/H/H", "C/(H*H)"},
        {"(C + 1)/H", "(C + 1)/H"},
        {"C/H + 1", "(C + H)/H"},
        {"(4*B + 6)/2", "2*B + 3"},
        {"(B*B - 1)/(B - 1)", "B + 1"},
        {"(A*A - B*B)/(A + B)", "A - B"},
        {"C/(B + 1)", "C/(B + 1)"},
        {"C/(B + 1)*(B + 1)", "C"},
        {"(C + B)/(B + 1)", "C/(B + 1) - 1/(B + 1) + 1"},
        {"C/(2*B + 2)", "C/(B + 1)/2"},
        {"C/(-B - 1)", "-C/(B + 1)"},
        {"1/(1/(A + 1) + 1/(A*A + 2*A + 1))", "1/(1/(A*A + 2*A + 1) + 1/(A + 1))"},
        {"C/(B + 1)/(B + 1)", "C/(B + 1)/(B + 1)"},
        {"(C/(A*B + A) + 1)/2", "(C/A/(B + 1) + 1)/2"},
    };
    Arena arena = {0};
    DimTable *table = dim_table_new(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *shown = show(&arena, read_dim(table, cases[i][0]));
        EXPECT_TEXT(shown, cases[i][1]);
        EXPECT(read_dim(table, shown) == read_dim(table, cases[i][0]));
    }
    arena_free(&arena);
}

static unsigned next_random(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static const Dim *random_dim(DimTable *table, unsigned *state, int depth) {
    unsigned choice = next_random(state) % (depth > 0 ? 6 : 2);
    if (choice == 0) {
        return dim_constant(table, (int)(next_random(state) % 7) - 3);
    }
    if (choice == 1) {
        return dim_symbol(table, names[next_random(state) % NAMES]);
    }
    const Dim *x = random_dim(table, state, depth - 1), *y = random_dim(table, state, depth - 1);
    const Dim *result = choice == 2   ? dim_add(table, x, y)
                        : choice == 3 ? dim_subtract(table, x, y)
                        : choice == 4 ? dim_multiply(table, x, y)
                                      : dim_divide(table, x, y);
    return result ? result : dim_symbol(table, "A");
}

// Quotients by single terms have a unique form, so that every law holds by identity.
static const Dim *random_sum(DimTable *table, unsigned *state, bool with_quotients) {
    const Dim *sum = dim_constant(table, (int)(next_random(state) % 5));
    for (int i = 0; i < 3; i++) {
        const Dim *x = dim_symbol(table, names[next_random(state) % NAMES]);
        const Dim *y = dim_symbol(table, names[next_random(state) % NAMES]);
        const Dim *scale = dim_constant(table, (int)(next_random(state) % 9) - 4);
        const Dim *term = dim_multiply(table, scale, next_random(state) % 2 ? x : y);
        bool divides = next_random(state) % 3 == 0 && with_quotients;
        term = divides ? dim_divide(table, term, y) : dim_multiply(table, term, y);
        sum = dim_add(table, sum, term);
    }
    return sum;
}

static void test_laws(void) {
    Arena arena = {0};
    DimTable *table = dim_table_new(&arena);
    unsigned state = 1;
    for (int i = 0; i < SAMPLES; i++) {
        const Dim *x = random_sum(table, &state, true), *y = random_sum(table, &state, true);
        const Dim *z = random_sum(table, &state, false), *zero = dim_constant(table, 0);
        EXPECT(dim_add(table, x, y) == dim_add(table, y, x));
        EXPECT(dim_multiply(table, x, y) == dim_multiply(table, y, x));
        EXPECT(dim_add(table, dim_add(table, x, y), z) == dim_add(table, x, dim_add(table, y, z)));
        EXPECT(dim_multiply(table, dim_multiply(table, x, y), z) ==
               dim_multiply(table, x, dim_multiply(table, y, z)));
        EXPECT(dim_multiply(table, x, dim_add(table, y, z)) ==
               dim_add(table, dim_multiply(table, x, y), dim_multiply(table, x, z)));
        EXPECT(dim_subtract(table, x, x) == zero);
        EXPECT(dim_add(table, dim_subtract(table, x, y), y) == x);
        EXPECT(dim_multiply(table, x, dim_constant(table, 1)) == x);
        EXPECT(dim_multiply(table, x, zero) == zero);
        // A sum without a common factor, so that only its reciprocal is needed.
        const Dim *divisor =
            dim_add(table, random_sum(table, &state, false), read_dim(table, "A*B*C + 23"));
        EXPECT(dim_multiply(table, dim_divide(table, z, divisor), divisor) == z);
        EXPECT(dim_divide(table, dim_multiply(table, z, divisor), divisor) == z);
    }
    arena_free(&arena);
}

// With all names bound to large primes, equal values mean equal expressions (but for rare
// accidents), and every form of an expression has the same value.
static void test_values(void) {
    static const int64_t samples[][NAMES] = {{7, 11, 13}, {2, 3, 5}, {1, 4, 9}};
    Arena arena = {0};
    DimTable *table = dim_table_new(&arena);
    unsigned state = 5;
    int valued = 0;
    for (int i = 0; i < SAMPLES; i++) {
        const Dim *x = random_dim(table, &state, 3), *y = random_dim(table, &state, 3);
        const Dim *product = dim_multiply(table, x, y), *sum = dim_add(table, x, y);
        for (int s = 0; s < 3 && product && sum; s++) {
            DimBinding bindings[NAMES];
            for (int k = 0; k < NAMES; k++) {
                bindings[k] = (DimBinding){names[k], samples[s][k]};
            }
            const Dim *x_value = dim_substitute(table, x, bindings, NAMES);
            const Dim *y_value = dim_substitute(table, y, bindings, NAMES);
            if (x_value && y_value) {
                valued++;
                EXPECT(dim_substitute(table, product, bindings, NAMES) ==
                       dim_constant(table, dim_value(x_value) * dim_value(y_value)));
                EXPECT(dim_substitute(table, sum, bindings, NAMES) ==
                       dim_constant(table, dim_value(x_value) + dim_value(y_value)));
            }
        }
        if (!EXPECT(read_dim(table, show(&arena, x)) == x)) {
            fprintf(stderr, "  %s\n", show(&arena, x));
        }
    }
    EXPECT(valued > SAMPLES);
    arena_free(&arena);
}

static void test_substitution(void) {
    Arena arena = {0};
    DimTable *table = dim_table_new(&arena);
    DimBinding d5 = {"D", 5}, d4 = {"D", 4}, h3 = {"H", 3}, d1 = {"D", 1}, large = {"D", INT64_MAX};
    const Dim *triangle = read_dim(table, "D*(D - 1)/2");
    EXPECT(dim_value(dim_substitute(table, triangle, &d5, 1)) == 10);
    EXPECT(dim_value(dim_substitute(table, triangle, &d1, 1)) == 0);
    EXPECT(dim_substitute(table, triangle, &large, 1) == NULL);
    EXPECT(dim_substitute(table, triangle, &h3, 1) == triangle);
    EXPECT(dim_substitute(table, read_dim(table, "D/2"), &d5, 1) == NULL);
    EXPECT(dim_value(dim_substitute(table, read_dim(table, "D/2"), &d4, 1)) == 2);
    EXPECT_TEXT(show(&arena, dim_substitute(table, read_dim(table, "C/D"), &d4, 1)), "C/4");
    EXPECT_TEXT(show(&arena, dim_substitute(table, read_dim(table, "D/H"), &h3, 1)), "D/3");
    EXPECT(dim_substitute(table, read_dim(table, "3/(D - 1)"), &d1, 1) == NULL);
    EXPECT(dim_value(dim_substitute(table, read_dim(table, "8/(D - 1)"), &d5, 1)) == 2);
    EXPECT(dim_substitute(table, read_dim(table, "7/(D - 1)"), &d5, 1) == NULL);
    EXPECT(dim_mentions(triangle, "D") && !dim_mentions(triangle, "H"));
    EXPECT(dim_mentions(read_dim(table, "1/(D + 1)"), "D"));
    arena_free(&arena);
}

static void test_solving(void) {
    Arena arena = {0};
    DimTable *table = dim_table_new(&arena);
    int64_t found = 0;
    EXPECT(dim_solve(read_dim(table, "B"), "B", 32, &found) && found == 32);
    EXPECT(dim_solve(read_dim(table, "2*B + 1"), "B", 9, &found) && found == 4);
    EXPECT(!dim_solve(read_dim(table, "2*B + 1"), "B", 8, &found));
    EXPECT(dim_solve(read_dim(table, "(3*B - 1)/2"), "B", 4, &found) && found == 3);
    EXPECT(dim_solve(read_dim(table, "10 - B"), "B", 4, &found) && found == 6);
    EXPECT(!dim_solve(read_dim(table, "B*B"), "B", 9, &found));
    EXPECT(!dim_solve(read_dim(table, "B*C"), "B", 9, &found));
    EXPECT(!dim_solve(read_dim(table, "12/B"), "B", 4, &found));
    EXPECT(!dim_solve(read_dim(table, "5"), "B", 5, &found));
    EXPECT(!dim_solve(read_dim(table, "(B + 1)/2"), "B", INT64_MAX, &found));
    arena_free(&arena);
}

static void test_bounds(void) {
    static const struct {
        const char *text;
        int64_t minimum;
        bool holds;
    } cases[] = {
        {"5", 5, true},           {"5", 6, false},           {"B", 1, true},
        {"B", 2, false},          {"B - 1", 0, true},        {"B - 2", 0, false},
        {"A*B - 1", 0, true},     {"A*B - A", 0, true},      {"A - B", 0, false},
        {"D*(D - 1)/2", 0, true}, {"D*(D - 1)/2", 1, false}, {"3 - B", 0, false},
        {"C/H", 0, true},         {"C/H - 1", 0, false},     {"A*A - 2*A + 1", 0, true},
        {"1/(A - 1)", 0, false},  {"A + B", 2, true},        {"A + B", 3, false},
    };
    Arena arena = {0};
    DimTable *table = dim_table_new(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool holds = dim_is_at_least(table, read_dim(table, cases[i].text), cases[i].minimum);
        if (!EXPECT(holds == cases[i].holds)) {
            fprintf(stderr, "  %s >= %lld\n", cases[i].text, (long long)cases[i].minimum);
        }
    }
    arena_free(&arena);
}

static void test_refusals(void) {
    Arena arena = {0};
    DimTable *table = dim_table_new(&arena);
    const Dim *most = dim_constant(table, INT64_MAX), *least = dim_constant(table, INT64_MIN);
    const Dim *one = dim_constant(table, 1), *b = dim_symbol(table, "B");
    int64_t value;
    EXPECT(dim_add(table, most, one) == NULL);
    EXPECT(dim_subtract(table, least, one) == NULL);
    EXPECT(dim_multiply(table, most, dim_constant(table, 2)) == NULL);
    EXPECT(dim_value(least) == INT64_MIN);
    EXPECT(dim_value(dim_add(table, most, least)) == -1);
    EXPECT(dim_add(table, dim_multiply(table, most, b), b) == NULL);
    EXPECT(dim_divide(table, b, dim_constant(table, 0)) == NULL);
    EXPECT(dim_divide(table, dim_constant(table, 7), dim_constant(table, 2)) == NULL);
    EXPECT(dim_value(dim_divide(table, dim_constant(table, -8), dim_constant(table, 2))) == -4);
    EXPECT(dim_divide(table, least, dim_constant(table, -1)) == NULL);
    EXPECT(dim_divide(table, one, least) == NULL);
    EXPECT(dim_add(table, NULL, one) == NULL && dim_multiply(table, one, NULL) == NULL);
    // (B + 1)/2 - B/2 is no integer.
    EXPECT(dim_subtract(table, read_dim(table, "(B + 1)/2"), read_dim(table, "B/2")) == NULL);
    EXPECT(!dim_is_constant(b, &value));
    // Powers and sums that grow without end are refused, not computed.
    const Dim *power = read_dim(table, "A + B + C + D + E + 1");
    for (int i = 0; i < 40 && power; i++) {
        power = dim_multiply(table, power, power);
    }
    EXPECT(power == NULL);
    const Dim *nested = b;
    for (int i = 0; i < 100 && nested; i++) {
        nested = dim_divide(table, one, dim_add(table, nested, dim_symbol(table, "A")));
    }
    const Dim *quotient = b;
    for (int i = 0; i < 100 && quotient; i++) {
        quotient = dim_divide(table, quotient, b);
    }
    EXPECT(quotient == NULL);
    arena_free(&arena);
}

static void ask_symbol_for_value(void) {
    Arena arena = {0};
    dim_value(dim_symbol(dim_table_new(&arena), "B"));
}

// The order of printing depends on names, not on the order in which dimensions were made.
static void test_order(void) {
    Arena arena = {0};
    DimTable *first = dim_table_new(&arena), *second = dim_table_new(&arena);
    dim_symbol(second, "C");
    dim_symbol(second, "B");
    EXPECT_TEXT(show(&arena, read_dim(first, "C + B*A + A")), "A*B + A + C");
    EXPECT_TEXT(show(&arena, read_dim(second, "C + B*A + A")), "A*B + A + C");
    for (int i = 0; i < 1000; i++) { // across growths of the table
        EXPECT(dim_constant(first, i) == dim_constant(first, i));
        EXPECT(dim_value(dim_constant(first, i)) == i);
    }
    arena_free(&arena);
}

int main(void) {
    test_printing();
    test_laws();
    test_values();
    test_substitution();
    test_solving();
    test_bounds();
    test_refusals();
    test_order();
    EXPECT_ABORT(ask_symbol_for_value);
    return expect_result();
}
