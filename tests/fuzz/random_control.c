// Random loops, branches and calls.
#include <math.h>

#include "tests/fuzz/generator.h"

enum { DEPTH_MAX = 3, CARRIED_MAX = 3 };

// Where the generator was before it went into a region.
typedef struct Outside {
    Builder b;
    int visible;
} Outside;

static Outside enter(Generator *g, Region *region) {
    Outside outside = {g->b, g->visible.count};
    g->b = builder_at(region, no_span);
    g->depth++;
    return outside;
}

static void leave(Generator *g, Outside outside) {
    g->b = outside.b;
    g->visible.count = outside.visible;
    g->depth--;
}

static void yield_value(Generator *g, Region *region, Value *value) {
    vec_push(g->module->arena, &region->yields, value);
}

// An i64 scalar in 0 .. trip, known or not; rarely one outside.
static Value *random_count(Generator *g, int trip) {
    if (random_chance(&g->random, 0.3)) {
        Value *count = build_scalar_integer(&g->b, TYPE_I64, random_from(&g->random, 0, trip));
        set_range(g, count, (Range){0, trip});
        return count;
    }
    return random_index(g, type_scalar(TYPE_I64), trip + 1);
}

static void add_parameters(Generator *g, Region *region, const Range *ranges, int trip) {
    for (int i = 0; i < region->parameters.count; i++) {
        Value *parameter = region->parameters.at[i];
        set_range(g, parameter, i == 0 ? (Range){0, fmax(trip - 1, 0)} : ranges[i - 1]);
        vec_push(&g->scratch, &g->visible, parameter);
    }
}

// Holds while the index is below a limit, which depends on what is carried; rarely for ever.
static void fill_condition(Generator *g, Region *region, const Range *ranges, int trip) {
    Outside outside = enter(g, region);
    add_parameters(g, region, ranges, trip);
    build_some(g, random_below(&g->random, 3));
    Value *more = match(g, type_scalar(TYPE_BOOL));
    if (!random_chance(&g->random, g->failures)) {
        Value *limit = random_count(g, trip);
        Value *below = build_lt(&g->b, region->parameters.at[0], limit);
        more = random_chance(&g->random, 0.5) ? below : build_logical_and(&g->b, below, more);
    }
    yield_value(g, region, more);
    leave(g, outside);
}

static void fill_body(Generator *g, Inst *loop, const Range *ranges, int trip, Range *stacks) {
    Region *body = loop->regions[0];
    int carried = loop->attr.carried;
    Outside outside = enter(g, body);
    add_parameters(g, body, ranges, trip);
    build_some(g, random_from(&g->random, 1, 6));
    for (int i = 0; i < carried; i++) {
        Value *next = match(g, body->parameters.at[i + 1]->type);
        bool real = element_is_real(next->type.element);
        yield_value(g, body, real ? fit(g, next, ranges[i].low, ranges[i].high) : next);
    }
    int count = random_below(&g->random, 3);
    for (int i = 0; i < count; i++) {
        Value *value = pick(g, ANY_ELEMENT);
        if (value->type.rank < 4 && type_elements(value->type) * trip <= 2 * g->elements_max) {
            stacks[body->yields.count] = range_of(g, value);
            yield_value(g, body, value);
        }
    }
    leave(g, outside);
}

void build_random_loop(Generator *g) {
    if (g->depth >= DEPTH_MAX) {
        return;
    }
    int trip = random_below(&g->random, 6), carried = random_below(&g->random, CARRIED_MAX + 1);
    Value *initial[CARRIED_MAX];
    Range ranges[CARRIED_MAX + 3];
    for (int i = 0; i < carried; i++) {
        initial[i] = pick(g, ANY_ELEMENT);
        ElementType element = initial[i]->type.element;
        Range range = range_of(g, initial[i]);
        double bound = fmax(2, fmax(fabs(range.low), fabs(range.high)));
        ranges[i] = element_is_real(element) ? (Range){-bound, bound} : range_of_element(element);
    }
    Value *count = random_chance(&g->random, 0.3) ? random_count(g, trip) : NULL;
    bool conditional = random_chance(&g->random, 0.25);
    Inst *loop = build_loop(&g->b, dim_constant(g->module->dims, trip), initial, carried, count);
    fill_body(g, loop, ranges, trip, ranges);
    if (conditional) {
        fill_condition(g, loop_add_condition(loop), ranges, trip);
    }
    loop_finish(loop);
    int stacked = loop->regions[0]->yields.count;
    for (int i = 0; i < loop->result_count; i++) {
        Range range = i < stacked ? ranges[i] : (Range){0, trip};
        if (i >= carried && i < stacked) {
            range = (Range){fmin(range.low, 0), fmax(range.high, 0)};
        }
        if (random_chance(&g->random, 0.85)) { // others stay unused
            keep(g, loop->results[i], range);
        }
    }
}

void build_random_branch(Generator *g) {
    if (g->depth >= DEPTH_MAX) {
        return;
    }
    Inst *branch = build_branch(&g->b, match(g, type_scalar(TYPE_BOOL)));
    Type types[3];
    Range ranges[3];
    int count = random_from(&g->random, 0, 3);
    for (int side = 0; side < 2; side++) {
        Outside outside = enter(g, branch->regions[side]);
        build_some(g, random_from(&g->random, 0, 4));
        for (int i = 0; i < count; i++) {
            Value *value = side == 0 ? pick(g, ANY_ELEMENT) : match(g, types[i]);
            Range range = range_of(g, value);
            types[i] = value->type;
            ranges[i] = side == 0 ? range
                                  : (Range){fmin(range.low, ranges[i].low),
                                            fmax(range.high, ranges[i].high)};
            yield_value(g, branch->regions[side], value);
        }
        leave(g, outside);
    }
    branch_finish(branch);
    for (int i = 0; i < count; i++) {
        keep(g, branch->results[i], ranges[i]);
    }
}

void build_random_call(Generator *g) {
    if (g->helpers.count == 0) {
        return;
    }
    int which = random_below(&g->random, g->helpers.count);
    Function *helper = g->helpers.at[which];
    const Region *body = helper->body;
    Value **arguments = arena_array(&g->scratch, Value *, body->parameters.count);
    for (int i = 0; i < body->parameters.count; i++) {
        arguments[i] = match(g, body->parameters.at[i]->type);
        if (element_is_real(arguments[i]->type.element)) {
            arguments[i] = fit(g, arguments[i], -2, 2);
        }
    }
    Inst *call = build_call(&g->b, helper, arguments);
    for (int i = 0; i < call->result_count; i++) {
        keep(g, call->results[i], g->helper_ranges[which].at[i]);
    }
}
