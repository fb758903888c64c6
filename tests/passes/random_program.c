// See random_program.h.
#include "tests/passes/random_program.h"

#include "ir/build.h"
#include "ir/verify.h"

enum { SIZE = 3, VISIBLE_MAX = 64, DEPTH_MAX = 3 };

typedef struct Generator {
    uint64_t state;
    Module *module;
    Type vector;
    Value *visible[VISIBLE_MAX]; // vectors that may be used
    int count;
    Value *indices[DEPTH_MAX + 1]; // loop indices that may be used
    int index_count;
    int budget; // instructions to come
} Generator;

static int roll(Generator *g, int sides) {
    g->state = g->state * 6364136223846793005u + 1442695040888963407u;
    return (int)((g->state >> 33) % (unsigned)sides);
}

// Later values are more likely, so that programs are deep.
static Value *pick(Generator *g) {
    int first = roll(g, 3) ? g->count / 2 : 0;
    return g->visible[first + roll(g, g->count - first)];
}

static void add_visible(Generator *g, Value *value) {
    if (g->count < VISIBLE_MAX) {
        g->visible[g->count++] = value;
    }
}

static Value *make_index(Generator *g, Builder *b) {
    if (g->index_count > 0 && roll(g, 3)) {
        Value *index = g->indices[roll(g, g->index_count)];
        Value *limit = build_scalar_integer(b, TYPE_I64, SIZE);
        return build_binary(b, OP_remainder, index, limit);
    }
    return build_scalar_integer(b, TYPE_I64, roll(g, SIZE));
}

static Value *spread(Generator *g, Builder *b, Value *scalar) {
    return build_broadcast_to(b, scalar, (Dims){g->vector.dims, 1});
}

static Value *make_plain(Generator *g, Builder *b) {
    static const int axis = 0;
    Value *x = pick(g), *y = pick(g);
    switch (roll(g, 13)) {
    case 0: return build_mul(b, x, y);
    case 1: return build_sin(b, build_add(b, x, y));
    case 2: return build_unary(b, OP_tanh, build_sub(b, x, y));
    case 3: return build_unary(b, OP_sigmoid, x);
    case 4: return build_neg(b, build_mul(b, x, x));
    case 5: return spread(g, b, build_gather(b, x, (Value *[]){make_index(g, b)}));
    case 6: {
        Value *index = make_index(g, b);
        Value *row = build_gather(b, y, (Value *[]){make_index(g, b)});
        return build_scatter_row(b, OP_scatter_set, x, row, index);
    }
    case 7: {
        Value *row = build_gather(b, y, (Value *[]){make_index(g, b)});
        Value *sum = build_scatter_row(b, OP_scatter_add, x, row, make_index(g, b));
        return build_unary(b, OP_tanh, sum);
    }
    case 8: {
        Value *mean = build_mul(b, build_reduce(b, OP_reduce_sum, x, &axis, 1),
                                build_scalar(b, TYPE_F64, 1.0 / SIZE));
        return build_mul(b, spread(g, b, mean), y);
    }
    case 9: return build_select(b, build_lt(b, x, build_scalar(b, TYPE_F64, 0.123)), y, x);
    case 10: {
        Value *part = build_contract(b, x, y, "a,b->ab");
        return build_unary(b, OP_tanh, build_contract(b, part, x, "ab,b->a"));
    }
    case 11: {
        Value *run = build_cumsum(b, x, 0, roll(g, 2));
        return build_mul(b, run, build_scalar(b, TYPE_F64, 1.0 / SIZE));
    }
    default: return build_cos(b, build_mul(b, x, build_scalar(b, TYPE_F64, 2)));
    }
}

static void make_values(Generator *g, Builder *b, int depth);

// A block of its own: values made in it are forgotten at its end. Gives some of them.
static void make_block(Generator *g, Region *region, int depth, Value **results, int count) {
    int visible = g->count;
    Builder inner = builder_at(region, no_span);
    make_values(g, &inner, depth);
    for (int i = 0; i < count; i++) {
        results[i] = pick(g);
    }
    g->count = visible;
}

static void make_condition(Generator *g, Inst *loop) {
    static const int axis = 0;
    Region *region = loop_add_condition(loop);
    Builder b = builder_at(region, no_span);
    Value *sum = build_reduce(&b, OP_reduce_sum, region->parameters.at[1], &axis, 1);
    Value *below = build_lt(&b, sum, build_scalar(&b, TYPE_F64, 0.5));
    Value *last = build_scalar_integer(&b, TYPE_I64, 3);
    Value *early = build_lt(&b, region->parameters.at[0], last);
    vec_push(g->module->arena, &region->yields, build_logical_and(&b, below, early));
}

static void make_loop(Generator *g, Builder *b, int depth) {
    enum { CARRIED_MAX = 3, STACKS_MAX = 2 };
    int carried = 1 + roll(g, CARRIED_MAX), stacks = roll(g, STACKS_MAX + 1), kind = roll(g, 4);
    Value *initial[CARRIED_MAX], *yields[CARRIED_MAX + STACKS_MAX];
    for (int i = 0; i < carried; i++) {
        initial[i] = pick(g);
    }
    Value *count = kind == 1 ? make_index(g, b) : NULL;
    const Dim *trip = dim_constant(g->module->dims, kind == 0 ? 4 : 3);
    Inst *loop = build_loop(b, trip, initial, carried, count);
    Region *body = loop->regions[0];
    int visible = g->count;
    g->indices[g->index_count++] = body->parameters.at[0];
    for (int i = 0; i < carried; i++) {
        add_visible(g, body->parameters.at[i + 1]);
    }
    make_block(g, body, depth + 1, yields, carried + stacks);
    g->index_count--;
    g->count = visible;
    for (int i = 0; i < carried + stacks; i++) {
        vec_push(g->module->arena, &body->yields, yields[i]);
    }
    if (kind == 0) {
        make_condition(g, loop);
    }
    loop_finish(loop);
    for (int i = 0; i < carried; i++) {
        add_visible(g, loop->results[i]);
    }
    for (int i = carried; i < carried + stacks; i++) {
        static const int axis = 0;
        Value *sum = build_reduce(b, OP_reduce_sum, loop->results[i], &axis, 1);
        add_visible(g, build_unary(b, OP_tanh, sum));
    }
}

static void make_branch(Generator *g, Builder *b, int depth) {
    Value *x = build_gather(b, pick(g), (Value *[]){make_index(g, b)});
    Value *condition = build_lt(b, x, build_scalar(b, TYPE_F64, 0.0871));
    Inst *branch = build_branch(b, condition);
    int count = 1 + roll(g, 2);
    Value *yields[2];
    for (int side = 0; side < 2; side++) {
        make_block(g, branch->regions[side], depth + 1, yields, count);
        for (int i = 0; i < count; i++) {
            vec_push(g->module->arena, &branch->regions[side]->yields, yields[i]);
        }
    }
    branch_finish(branch);
    for (int i = 0; i < count; i++) {
        add_visible(g, branch->results[i]);
    }
}

static void make_values(Generator *g, Builder *b, int depth) {
    for (int i = 2 + roll(g, 4); i > 0 && g->budget > 0; i--) {
        int kind = depth < DEPTH_MAX ? roll(g, 6) : 5;
        g->budget--;
        if (kind == 0) {
            make_branch(g, b, depth);
        } else if (kind == 1) {
            make_loop(g, b, depth);
        } else {
            add_visible(g, make_plain(g, b));
        }
    }
}

Function *make_program(Arena *arena, int seed) {
    Generator g = {.state = (uint64_t)seed * 7919 + 17, .module = module_new(arena), .budget = 14};
    int64_t size = SIZE;
    g.vector = type_of_sizes(g.module->dims, arena, TYPE_F64, 1, &size);
    Function *function = function_new(g.module, "random", no_span);
    for (int i = 0; i < 2; i++) {
        add_visible(&g, function_add_parameter(function, g.vector, (Slot){.name = i ? "y" : "x"}));
    }
    Builder b = builder_at(function->body, no_span);
    make_values(&g, &b, 0);
    make_loop(&g, &b, 0);
    for (int i = 0; i < 2; i++) {
        function_add_result(function, g.visible[g.count - 1 - i], (Slot){0});
    }
    const char *wrong = verify_function(arena, function);
    check(wrong == NULL, "%s", wrong);
    return function;
}
