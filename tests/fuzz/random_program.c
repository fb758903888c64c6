// The frame of a random program: its policy, its parameters and results, and choosing values.
#include "tests/fuzz/random_program.h"

#include <math.h>
#include <string.h>

#include "ir/evaluate.h"
#include "tests/fuzz/generator.h"

static const double LARGE = 40;

const char *program_kind_name(ProgramKind kind) {
    static const char *const names[] = {"any", "smooth", "exact"};
    return names[kind];
}

// ---- ranges

Range range_of(const Generator *g, const Value *value) {
    return value->id < g->ranges.count ? g->ranges.at[value->id] : (Range){-1, 1};
}

void set_range(Generator *g, const Value *value, Range range) {
    while (g->ranges.count <= value->id) {
        vec_push(&g->scratch, &g->ranges, ((Range){-1, 1}));
    }
    g->ranges.at[value->id] = range;
}

Range range_of_element(ElementType element) {
    switch (element) {
    case TYPE_BOOL: return (Range){0, 1};
    case TYPE_I32: return (Range){-0x1p31, 0x1p31 - 1};
    case TYPE_I64: return (Range){-0x1p63, 0x1p63};
    default: return (Range){-INFINITY, INFINITY};
    }
}

static double bound_of(Range range) {
    double bound = fmax(fabs(range.low), fabs(range.high));
    return isfinite(bound) ? bound : 1e30;
}

// Scaled down to -2 .. 2, and perhaps bent.
static Value *squash(Generator *g, Value *value, Range range) {
    static const Op bends[] = {OP_tanh, OP_sigmoid, OP_sin, OP_atan};
    Value *scaled = build_mul(&g->b, value, constant_like(g, value, 2 / bound_of(range)));
    set_range(g, scaled, (Range){-2, 2});
    if (random_chance(&g->random, 0.5)) {
        scaled = build_unary(&g->b, bends[random_below(&g->random, 4)], scaled);
        set_range(g, scaled, (Range){-1.2, 1.2});
    }
    return scaled;
}

Value *keep(Generator *g, Value *value, Range range) {
    bool real = element_is_real(value->type.element);
    set_range(g, value, range);
    if (real && g->kind != PROGRAM_EXACT && !(bound_of(range) <= LARGE)) {
        value = squash(g, value, range);
    }
    if (random_chance(&g->random, 0.2)) {
        static const char *const names[] = {"h", "a", "loss", "p_0", "w"};
        value->name = names[random_below(&g->random, 5)];
    }
    vec_push(&g->scratch, &g->visible, value);
    return value;
}

Value *fit(Generator *g, Value *value, double low, double high) {
    Range range = range_of(g, value);
    bool free_below = isinf(low), free_above = isinf(high);
    if ((range.low >= low && range.high <= high) || g->kind == PROGRAM_EXACT ||
        (free_below && free_above)) {
        return value;
    }
    double half = free_below || free_above ? 1.5 : 0.475 * (high - low);
    double middle = free_above ? low + 1.6 : free_below ? high - 1.6 : 0.5 * (low + high);
    Op bend = random_chance(&g->random, 0.5) ? OP_tanh : OP_sin;
    Value *bent = build_unary(&g->b, bend, value);
    Value *wide = build_mul(&g->b, bent, constant_like(g, value, half));
    Value *moved = build_add(&g->b, wide, constant_like(g, value, middle));
    set_range(g, moved, (Range){middle - half, middle + half});
    return moved;
}

// ---- types

Type type_of(Generator *g, ElementType element, int rank, const int64_t *sizes) {
    return type_of_sizes(g->module->dims, g->module->arena, element, rank, sizes);
}

Dims dims_of_sizes(Generator *g, int count, const int64_t *sizes) {
    Type type = type_of(g, TYPE_BOOL, count, sizes);
    return (Dims){type.dims, count};
}

int64_t size_of(const Value *value, int axis) {
    return dim_value(value->type.dims[axis]);
}

static int weighted(Random *random, const int *weights, int count) {
    int sum = 0;
    for (int i = 0; i < count; i++) {
        sum += weights[i];
    }
    int left = random_below(random, sum);
    for (int i = 0; i < count; i++) {
        if ((left -= weights[i]) < 0) {
            return i;
        }
    }
    return 0;
}

ElementType random_element(Generator *g, int elements) {
    int weights[ELEMENT_TYPE_COUNT], sum = 0;
    for (int i = 0; i < ELEMENT_TYPE_COUNT; i++) {
        weights[i] = elements & 1 << i ? g->element_weights[i] : 0;
        sum += weights[i];
    }
    for (int i = ELEMENT_TYPE_COUNT - 1; sum == 0; i--) { // none that this program likes
        if (elements & 1 << i) {
            return (ElementType)i;
        }
    }
    return (ElementType)weighted(&g->random, weights, ELEMENT_TYPE_COUNT);
}

int64_t random_size(Generator *g) {
    return g->sizes[random_below(&g->random, SIZES)];
}

Type random_shape(Generator *g, ElementType element) {
    int64_t sizes[4], product = 1;
    int rank = random_below(&g->random, g->rank_max + 1);
    for (int i = 0; i < rank; i++) {
        sizes[i] = random_size(g);
        if (product * sizes[i] > g->elements_max) {
            sizes[i] = 1;
        }
        product *= sizes[i] > 0 ? sizes[i] : 1;
    }
    return type_of(g, element, rank, sizes);
}

void shuffle(Random *random, int *items, int count) {
    for (int i = count - 1; i > 0; i--) {
        int other = random_below(random, i + 1), item = items[i];
        items[i] = items[other];
        items[other] = item;
    }
}

// ---- constants

static const double special_reals[] = {0,         -0.0,  1,     -1,      0.5,       INFINITY,
                                       -INFINITY, NAN,   1e30,  -1e-30,  2.5,       -1.5,
                                       0x1p31,    -3e18, 1e300, 4.9e-40, 0x1p-1074, 3};
static const int64_t special_integers[] = {
    0, 1, -1, 2, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, INT64_C(1) << 40, 31, 32, 63, 64, -64};

// A number as programs of this kind like it.
static void fill_random(Random *random, ProgramKind kind, bool ties, TensorData *data,
                        int64_t position) {
    bool special = kind == PROGRAM_EXACT && random_chance(random, 0.3);
    if (element_is_real(data->type.element)) {
        int count = (int)(sizeof special_reals / sizeof *special_reals);
        tensor_set(data, position,
                   special ? special_reals[random_below(random, count)]
                   : ties  ? random_from(random, -2, 2)
                           : random_real(random, -1, 1));
    } else if (data->type.element == TYPE_BOOL) {
        tensor_set_integer(data, position, random_below(random, 2));
    } else {
        int count = (int)(sizeof special_integers / sizeof *special_integers);
        int64_t value =
            special ? special_integers[random_below(random, count)] : random_from(random, -9, 9);
        tensor_set_integer(data, position,
                           data->type.element == TYPE_I32 ? (int32_t)(uint32_t)(uint64_t)value
                                                          : value);
    }
}

static Range range_of_constant(ElementType element) {
    return element_is_real(element) ? (Range){-2, 2} : (Range){-9, 9};
}

Value *random_constant(Generator *g, Type type) {
    TensorData data = tensor_new(&g->scratch, type);
    bool ties = g->kinks && random_chance(&g->random, 0.2);
    for (int64_t i = 0; i < type_elements(type); i++) {
        fill_random(&g->random, g->kind, ties, &data, i);
    }
    Value *constant = build_constant(&g->b, &data);
    set_range(g, constant, range_of_constant(type.element));
    return constant;
}

Value *constant_like(Generator *g, const Value *like, double number) {
    Value *constant = build_full(&g->b, like->type, number);
    set_range(g, constant, (Range){number, number});
    return constant;
}

Value *random_source(Generator *g, Type type) {
    static const double numbers[] = {0, 1, -1, 2, 0.5, -0.0};
    int choice = random_below(&g->random, 10);
    if (choice < 3 && type.rank > 0 && type.element != TYPE_BOOL) {
        Value *iota = build_iota(&g->b, type.element, (Dims){type.dims, type.rank},
                                 random_below(&g->random, type.rank));
        set_range(g, iota, (Range){0, 128});
        return element_is_real(type.element) ? fit(g, iota, -2, 2) : iota;
    }
    if (choice < 6 || type_elements(type) > 64) {
        double number = numbers[random_below(&g->random, 6)];
        Value *full =
            build_full(&g->b, type, element_is_real(type.element) ? number : trunc(number));
        set_range(g, full, (Range){number, number});
        return full;
    }
    return random_constant(g, type);
}

// ---- choosing operands

// The first value that fits, from a random place on; NULL if there is none.
static Value *find_value(Generator *g, bool (*fits)(const Value *, const void *),
                         const void *wanted) {
    int count = g->visible.count;
    double place = pow(random_real(&g->random, 0, 1), g->recency);
    int start = count - 1 - (int)(place * count);
    for (int i = 0; i < count; i++) {
        Value *value = g->visible.at[((start - i) % count + count) % count];
        if (fits(value, wanted)) {
            return value;
        }
    }
    return NULL;
}

static bool has_element(const Value *value, const void *elements) {
    return *(const int *)elements & 1 << value->type.element;
}

static bool is_tensor(const Value *value, const void *elements) {
    return has_element(value, elements) && value->type.rank > 0;
}

static bool has_type(const Value *value, const void *type) {
    return type_equal(value->type, *(const Type *)type);
}

static bool has_shape(const Value *value, const void *type) {
    return shape_equal(value->type, *(const Type *)type) && value->type.element != TYPE_BOOL;
}

Value *pick(Generator *g, int elements) {
    Value *found = find_value(g, has_element, &elements);
    return found ? found : random_source(g, random_shape(g, random_element(g, elements)));
}

Value *pick_tensor(Generator *g, int elements) {
    Value *found = find_value(g, is_tensor, &elements);
    if (found) {
        return found;
    }
    int64_t sizes[] = {random_size(g), random_size(g)};
    int rank = sizes[0] * sizes[1] > 100 ? 1 : random_from(&g->random, 1, 2);
    return random_source(g, type_of(g, random_element(g, elements), rank, sizes));
}

// A value of another element type, converted.
static Value *convert(Generator *g, Value *value, ElementType element) {
    Range range = range_of(g, value);
    if (element_is_real(element) && fmax(fabs(range.low), fabs(range.high)) > LARGE &&
        g->kind != PROGRAM_EXACT) {
        return NULL;
    }
    Value *cast = build_cast(&g->b, value, element);
    set_range(g, cast, element == TYPE_BOOL ? (Range){0, 1} : range);
    return cast;
}

Value *match(Generator *g, Type type) {
    Type scalar = type_scalar(type.element);
    Value *found = random_chance(&g->random, 0.75) ? find_value(g, has_type, &type) : NULL;
    if (!found && random_chance(&g->random, 0.3) && type.element != TYPE_BOOL) {
        Value *other = find_value(g, has_shape, &type);
        found = other ? convert(g, other, type.element) : NULL;
    }
    if (!found && random_chance(&g->random, 0.4)) {
        Value *number = find_value(g, has_type, &scalar);
        if (number && type.rank > 0) {
            found = build_broadcast_to(&g->b, number, (Dims){type.dims, type.rank});
            set_range(g, found, range_of(g, number));
        }
    }
    return found ? found : random_source(g, type);
}

Value *match_shape(Generator *g, ElementType element, const Value *like) {
    return match(g, type_with_element(like->type, element));
}

// ---- instructions

static void build_source(Generator *g) {
    Type type = random_shape(g, random_element(g, ANY_ELEMENT));
    Value *value = random_source(g, type);
    keep(g, value, range_of(g, value));
}

static void build_random_detach(Generator *g) {
    Value *x = pick(g, ANY_ELEMENT);
    keep(g, build_detach(&g->b, x), range_of(g, x));
}

static void (*const builders[FAMILY_COUNT])(Generator *) = {
    [FAMILY_UNARY] = build_random_unary,
    [FAMILY_BINARY] = build_random_binary,
    [FAMILY_COMPARE] = build_random_comparison,
    [FAMILY_LOGIC] = build_random_logic,
    [FAMILY_SELECT] = build_random_select,
    [FAMILY_CAST] = build_random_cast,
    [FAMILY_BITS] = build_random_integer,
    [FAMILY_SOURCE] = build_source,
    [FAMILY_BROADCAST] = build_random_broadcast,
    [FAMILY_RESHAPE] = build_random_reshape,
    [FAMILY_TRANSPOSE] = build_random_transpose,
    [FAMILY_SLICE] = build_random_slice,
    [FAMILY_PAD] = build_random_pad,
    [FAMILY_CONCAT] = build_random_concat,
    [FAMILY_GATHER] = build_random_gather,
    [FAMILY_SCATTER] = build_random_scatter,
    [FAMILY_ROW] = build_random_row,
    [FAMILY_REDUCE] = build_random_reduction,
    [FAMILY_ARGUMENT] = build_random_argmax,
    [FAMILY_CUMSUM] = build_random_cumsum,
    [FAMILY_CONTRACT] = build_random_contraction,
    [FAMILY_DETACH] = build_random_detach,
    [FAMILY_LOOP] = build_random_loop,
    [FAMILY_BRANCH] = build_random_branch,
    [FAMILY_CALL] = build_random_call,
    [FAMILY_DERIVATIVE] = build_random_derivative,
};

void build_some(Generator *g, int count) {
    for (int i = 0; i < count; i++) {
        builders[weighted(&g->random, g->weights, FAMILY_COUNT)](g);
    }
}

// ---- programs

static void choose_weights(Generator *g) {
    static const int usual[] = {0, 1, 2, 2, 4, 12};
    for (int i = 0; i < FAMILY_COUNT; i++) {
        g->weights[i] = usual[random_below(&g->random, 6)];
    }
    g->weights[FAMILY_UNARY] += random_from(&g->random, 2, 12);
    g->weights[FAMILY_BINARY] += random_from(&g->random, 2, 12);
    g->weights[FAMILY_LOOP] = random_below(&g->random, 4);
    g->weights[FAMILY_BRANCH] = random_below(&g->random, 3);
    for (int i = 0; i < ELEMENT_TYPE_COUNT; i++) {
        g->element_weights[i] = usual[random_below(&g->random, 6)];
    }
    g->element_weights[TYPE_F32] += 1;
    g->element_weights[TYPE_F64] += 2;
    if (g->kind == PROGRAM_SMOOTH) {
        static const Family rare[] = {FAMILY_COMPARE, FAMILY_LOGIC, FAMILY_SELECT,
                                      FAMILY_CAST,    FAMILY_BITS,  FAMILY_ARGUMENT};
        for (int i = 0; i < 6; i++) {
            g->weights[rare[i]] = random_below(&g->random, 2);
        }
        g->weights[FAMILY_DETACH] = 0;
        g->element_weights[TYPE_F32] = 0;
        g->element_weights[TYPE_F64] += 12;
    }
}

// Large enough for tiles, vectors and sums in pieces.
static void choose_large_sizes(Generator *g) {
    static const int64_t matrices[] = {4, 8, 12, 16, 17, 31, 32, 33, 48, 64};
    static const int64_t vectors[] = {1000, 2500, 4096, 5000, 9001};
    bool long_ones = random_chance(&g->random, 0.3);
    for (int i = 0; i < SIZES; i++) {
        g->sizes[i] = long_ones ? vectors[random_below(&g->random, 5)]
                                : matrices[random_below(&g->random, 10)];
    }
    g->elements_max = long_ones ? 10000 : 4096;
    g->rank_max = long_ones ? 1 : 3;
    g->weights[FAMILY_CONTRACT] += 8;
    g->weights[FAMILY_REDUCE] += 4;
}

// Small enough to be written out as scalars, loops and branches included.
static void choose_small_sizes(Generator *g) {
    for (int i = 0; i < SIZES; i++) {
        g->sizes[i] = random_from(&g->random, 1, 4);
    }
    g->elements_max = 12;
    g->rank_max = random_from(&g->random, 0, 2);
    g->weights[FAMILY_LOOP] += 2;
    g->weights[FAMILY_BRANCH] += 2;
}

static void choose_policy(Generator *g) {
    static const int64_t usual[] = {1, 2, 3, 3, 4, 5, 7, 2, 3, 1, 6, 8, 11, 16, 33, 70};
    choose_weights(g);
    int limit = random_chance(&g->random, 0.3) ? 16 : random_chance(&g->random, 0.5) ? 12 : 8;
    for (int i = 0; i < SIZES; i++) {
        g->sizes[i] = usual[random_below(&g->random, limit)];
    }
    if (random_chance(&g->random, 0.08)) {
        g->sizes[0] = 0;
    }
    g->rank_max = random_from(&g->random, 1, 4);
    g->elements_max = random_chance(&g->random, 0.15) ? 3000 : 150;
    if (random_chance(&g->random, 0.12)) {
        choose_large_sizes(g);
    } else if (random_chance(&g->random, 0.25)) {
        choose_small_sizes(g);
    }
    g->recency = random_real(&g->random, 1, 4);
    g->failures = random_chance(&g->random, 0.1) ? 0.1 : 0;
    g->kinks = g->kind != PROGRAM_SMOOTH || random_chance(&g->random, 0.3);
    g->signs_known = random_chance(&g->random, 0.5);
}

static Value *add_parameter(Generator *g, Function *function, Type type, Slot slot) {
    Value *value = function_add_parameter(function, type, slot);
    value->name = slot.name;
    set_range(g, value, range_of_constant(type.element));
    vec_push(&g->scratch, &g->visible, value);
    return value;
}

static void add_parameters(Generator *g, Function *function, bool is_helper) {
    int count = random_from(&g->random, 1, 4);
    for (int i = 0; i < count; i++) {
        ElementType element =
            random_element(g, random_chance(&g->random, 0.7) ? ANY_REAL : ANY_ELEMENT);
        Slot slot = {.name = arena_format(g->module->arena, "x%d", i), .span = no_span};
        if (!is_helper) {
            static const Role roles[] = {ROLE_INPUT, ROLE_INPUT, ROLE_PARAM, ROLE_PARAM,
                                         ROLE_STATE};
            slot.role = roles[random_below(&g->random, 5)];
            slot.requires_grad = element_is_real(element) && slot.role == ROLE_PARAM;
        }
        add_parameter(g, function, random_shape(g, element), slot);
    }
    if (!is_helper && random_chance(&g->random, 0.1)) {
        Slot slot = {.name = "key", .role = ROLE_KEY, .span = no_span};
        add_parameter(g, function, type_scalar(TYPE_I64), slot);
    }
}

static void add_results(Generator *g, Function *function, bool is_helper) {
    int count = random_from(&g->random, 1, 4);
    for (int i = 0; i < count; i++) {
        Value *value = pick(g, i == 0 ? ANY_REAL : ANY_ELEMENT);
        Slot slot = {.name = arena_format(g->module->arena, "y%d", i), .span = no_span};
        slot.role = is_helper ? ROLE_VALUE : ROLE_OUTPUT;
        function_add_result(function, value, slot);
        if (i > 0 && random_chance(&g->random, 0.1)) {
            slot.name = arena_format(g->module->arena, "again%d", i);
            function_add_result(function, value, slot);
        }
    }
}

// The next value of some params and states, as training steps have them.
static void add_next(Generator *g, Function *function) {
    for (int i = 0; i < function->body->parameters.count; i++) {
        Slot slot = function->parameters[i];
        bool replaced = slot.role == ROLE_PARAM || slot.role == ROLE_STATE;
        if (replaced && random_chance(&g->random, 0.7)) {
            Value *next = match(g, function->body->parameters.at[i]->type);
            slot.role = ROLE_NEXT;
            slot.requires_grad = false;
            function_add_result(function, next, slot);
        }
    }
}

static Function *build_function(Generator *g, const char *name, int size, bool is_helper) {
    Function *function = function_new(g->module, name, no_span);
    g->b = builder_at(function->body, no_span);
    g->ranges.count = g->visible.count = 0;
    add_parameters(g, function, is_helper);
    build_some(g, size);
    add_results(g, function, is_helper);
    if (!is_helper && random_chance(&g->random, 0.12)) {
        add_next(g, function);
    }
    return function;
}

static void build_helpers(Generator *g) {
    int count = random_chance(&g->random, 0.25) ? random_from(&g->random, 1, HELPERS_MAX) : 0;
    bool derives = g->kind != PROGRAM_EXACT && random_chance(&g->random, 0.6);
    for (int i = 0; i < count; i++) {
        Function *helper = build_function(g, "helper", random_from(&g->random, 1, 5), true);
        for (int k = 0; k < helper->body->yields.count; k++) {
            vec_push(&g->scratch, &g->helper_ranges[i], range_of(g, helper->body->yields.at[k]));
        }
        if (derives && random_chance(&g->random, 0.4)) {
            add_random_rule(g, helper);
        }
        vec_push(&g->scratch, &g->helpers, helper);
        g->weights[FAMILY_CALL] = random_from(&g->random, 1, 5);
        g->weights[FAMILY_DERIVATIVE] = derives ? random_from(&g->random, 1, 5) : 0;
    }
}

Function *random_program(Module *module, uint64_t seed, ProgramKind kind) {
    Generator g = {.random = {seed}, .kind = kind, .module = module};
    choose_policy(&g);
    int size = random_from(&g.random, 2, random_chance(&g.random, 0.3) ? 45 : 18);
    size = g.elements_max > 3000 && size > 12 ? 12 : size;
    g.weights[FAMILY_CALL] = g.weights[FAMILY_DERIVATIVE] = 0;
    build_helpers(&g);
    Function *function = build_function(&g, "program", size, false);
    arena_free(&g.scratch);
    return function;
}

static uint64_t hash_name(const char *name) {
    uint64_t hash = 14695981039346656037u;
    for (; name && *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    }
    return hash;
}

TensorData *random_arguments(Arena *arena, const Function *function, uint64_t seed,
                             ProgramKind kind) {
    int count = function->body->parameters.count;
    TensorData *arguments = arena_array(arena, TensorData, count);
    for (int i = 0; i < count; i++) {
        Random random = {seed ^ hash_name(function->parameters[i].name)};
        arguments[i] = tensor_new(arena, function->body->parameters.at[i]->type);
        bool ties = kind == PROGRAM_ANY && random_chance(&random, 0.1);
        for (int64_t k = 0; k < type_elements(arguments[i].type); k++) {
            fill_random(&random, kind, ties, &arguments[i], k);
        }
    }
    return arguments;
}
