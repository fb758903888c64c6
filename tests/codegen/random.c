// Random functions: many operators on small tensors, with loops and branches,
// lowered and compared with the reference evaluator. `random FIRST LAST` runs
// the seeds from FIRST to LAST - 1.
#include <stdio.h>
#include <stdlib.h>

#include "ir/build.h"
#include "ir/evaluate.h"
#include "ir/text_form.h"
#include "ir/verify.h"
#include "tests/codegen/compare.h"

typedef struct Maker {
    Module *module;
    uint64_t random;
    ElementType element;
    VEC(Value *) values; // real ones that may be used
    int depth;           // of loops and branches around
} Maker;

static int pick(Maker *m, int count) {
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return (int)((m->random >> 33) % (uint64_t)count);
}

static Value *some_value(Maker *m) {
    int recent = m->values.count < 6 ? m->values.count : 6;
    return pick(m, 3) == 0 ? m->values.at[pick(m, m->values.count)]
                           : m->values.at[m->values.count - 1 - pick(m, recent)];
}

static int64_t size_at(const Value *value, int axis) {
    return dim_value(value->type.dims[axis]);
}

static const Dim *dim(Maker *m, int64_t size) {
    return dim_constant(m->module->dims, size);
}

static Dims shape_of(Maker *m, int rank, const int64_t *sizes) {
    const Dim **dims = arena_array(m->module->arena, const Dim *, rank);
    for (int i = 0; i < rank; i++) {
        dims[i] = dim(m, sizes[i]);
    }
    return (Dims){dims, rank};
}

// Keeps values small, so that nothing overflows and errors stay comparable.
static Value *squash(Builder *b, Value *x) {
    return build_unary(b, OP_tanh, x);
}

static Value *make_unary(Maker *m, Builder *b) {
    static const Op ops[] = {OP_neg, OP_abs, OP_exp, OP_sin, OP_tanh, OP_sigmoid, OP_sqrt, OP_cos};
    Op op = ops[pick(m, 8)];
    Value *x = some_value(m);
    x = op == OP_sqrt ? build_add(b, build_abs(b, x), build_scalar(b, m->element, 0.5)) : x;
    x = op == OP_exp ? squash(b, x) : x;
    return build_unary(b, op, x);
}

// Two values of one shape: the second is broadcast, cut or summed until it
// fits.
static Value *fit(Maker *m, Builder *b, Value *x, Dims shape) {
    if (x->type.rank > shape.count) {
        int axes[8], count = x->type.rank - shape.count;
        for (int i = 0; i < count; i++) {
            axes[i] = i;
        }
        x = build_reduce(b, pick(m, 2) ? OP_reduce_sum : OP_reduce_max, x, axes, count);
    }
    int missing = shape.count - x->type.rank;
    for (int axis = 0; axis < x->type.rank; axis++) {
        int64_t have = size_at(x, axis), wanted = dim_value(shape.at[missing + axis]);
        if (have != wanted && have != 1) {
            Value *sum = build_reduce(b, OP_reduce_sum, x, &axis, 1);
            int64_t sizes[8];
            for (int i = 0; i < x->type.rank; i++) {
                sizes[i] = i == axis ? 1 : size_at(x, i);
            }
            x = build_reshape(b, sum, shape_of(m, x->type.rank, sizes));
        }
    }
    return build_broadcast_to(b, x, shape);
}

static Value *make_binary(Maker *m, Builder *b) {
    static const Op ops[] = {OP_add, OP_sub, OP_mul, OP_minimum, OP_maximum, OP_add};
    Value *x = some_value(m), *y = fit(m, b, some_value(m), value_shape(x));
    if (pick(m, 5) == 0) {
        Value *c = build_binary(b, pick(m, 2) ? OP_lt : OP_ge, x, y);
        return build_select(b, c, y, squash(b, x));
    }
    Op op = ops[pick(m, 6)];
    Value *z = build_binary(b, op, x, y);
    return op == OP_mul ? squash(b, z) : z;
}

static Value *make_reduction(Maker *m, Builder *b) {
    static const Op ops[] = {OP_reduce_sum, OP_reduce_max, OP_reduce_min, OP_reduce_sum};
    Value *x = some_value(m);
    int axes[8], count = 0;
    for (int axis = 0; axis < x->type.rank; axis++) {
        if (pick(m, 2)) {
            axes[count++] = axis;
        }
    }
    if (count == 1 && pick(m, 4) == 0) {
        Value *place = build_argmax(b, pick(m, 2) ? OP_argmax : OP_argmin, x, axes[0]);
        return build_cast(b, place, m->element);
    }
    Value *reduced = build_reduce(b, ops[pick(m, 4)], x, axes, count);
    return pick(m, 2) ? squash(b, reduced)
                      : build_unreduce(b, squash(b, reduced), x->type, axes, count);
}

static Value *make_move(Maker *m, Builder *b) {
    Value *x = some_value(m);
    int rank = x->type.rank, axis = rank > 0 ? pick(m, rank) : 0;
    if (rank == 0) {
        int64_t sizes[2] = {1 + pick(m, 3), 1 + pick(m, 18)};
        return build_broadcast_to(b, x, shape_of(m, 2, sizes));
    }
    int64_t size = size_at(x, axis), sizes[8], start[8], stop[8];
    int steps[8], permutation[8];
    for (int i = 0; i < rank; i++) {
        sizes[i] = size_at(x, i);
        start[i] = 0;
        stop[i] = sizes[i];
        steps[i] = 1;
        permutation[i] = (i + axis) % rank;
    }
    switch (pick(m, 6)) {
    case 0: return build_transpose(b, x, permutation);
    case 1: {
        int64_t flat = type_elements(x->type);
        Value *line = build_reshape(b, x, shape_of(m, 1, &flat));
        int64_t parts = flat % 3 == 0 ? 3 : flat % 2 == 0 ? 2 : 1;
        int64_t pair[2] = {parts, flat / parts};
        return pick(m, 2) ? line : build_reshape(b, line, shape_of(m, 2, pair));
    }
    case 2:
        steps[axis] = pick(m, 2) ? -1 : 2;
        start[axis] = steps[axis] < 0 ? size - 1 : size > 1;
        stop[axis] = steps[axis] < 0 ? -1 : size;
        return start[axis] < size
                   ? build_slice(b, x, shape_of(m, rank, start), shape_of(m, rank, stop), steps)
                   : x;
    case 3: {
        if (type_elements(x->type) > 400) {
            return x;
        }
        int64_t low[8] = {0}, high[8] = {0};
        low[axis] = pick(m, 3) - 1;
        high[axis] = pick(m, 3);
        steps[axis] = 1 + pick(m, 2);
        return size + low[axis] > 0
                   ? build_pad(b, x, build_scalar(b, m->element, 0.25), shape_of(m, rank, low),
                               shape_of(m, rank, high), steps)
                   : x;
    }
    case 4: {
        Value *parts[2] = {x, build_unary(b, OP_neg, x)};
        return type_elements(x->type) > 400 ? x : build_concat(b, parts, 2, axis);
    }
    default: return squash(b, build_cumsum(b, x, axis, pick(m, 2)));
    }
}

static Value *make_product(Maker *m, Builder *b) {
    Value *x = some_value(m), *y = some_value(m);
    if (x->type.rank != 2 || y->type.rank != 2) {
        return make_binary(m, b);
    }
    int64_t inner = size_at(x, 1);
    if (size_at(y, 0) == inner) {
        return squash(b, build_contract(b, x, y, pick(m, 2) ? "ik,kj->ij" : "ik,kj->ji"));
    }
    if (size_at(y, 1) == inner) {
        return squash(b, build_contract(b, x, y, "ik,jk->ij"));
    }
    return squash(b, build_contract(b, x, x, pick(m, 2) ? "ik,jk->ij" : "ki,kj->ij"));
}

static Value *make_indexed(Maker *m, Builder *b) {
    Value *x = some_value(m);
    if (x->type.rank == 0) {
        return make_unary(m, b);
    }
    Value *index = build_scalar_integer(b, TYPE_I64, pick(m, (int)size_at(x, 0)));
    Value *row = build_row(b, x, index);
    if (pick(m, 2)) {
        return row;
    }
    Op op = pick(m, 2) ? OP_scatter_add : OP_scatter_set;
    return build_scatter_row(b, op, x, squash(b, row), index);
}

static Value *make_loop(Maker *m, Builder *b);
static Value *make_branch(Maker *m, Builder *b);

static Value *make_value(Maker *m, Builder *b) {
    int choice = pick(m, m->depth < 2 ? 16 : 14);
    return choice < 3    ? make_unary(m, b)
           : choice < 6  ? make_binary(m, b)
           : choice < 9  ? make_reduction(m, b)
           : choice < 11 ? make_move(m, b)
           : choice < 13 ? make_product(m, b)
           : choice < 14 ? make_indexed(m, b)
           : choice < 15 ? make_loop(m, b)
                         : make_branch(m, b);
}

static void make_values(Maker *m, Builder *b, int count) {
    for (int i = 0; i < count; i++) {
        Value *value = make_value(m, b);
        if (value->type.rank <= 4 && type_elements(value->type) <= 3000) {
            vec_push(m->module->arena, &m->values, value);
        }
    }
}

static void yield(Builder *b, Value *value) {
    vec_push(b->module->arena, &b->region->yields, value);
}

static Value *make_loop(Maker *m, Builder *b) {
    Value *initial[2] = {some_value(m), some_value(m)};
    int trip = 1 + pick(m, 4), carried = 1 + pick(m, 2), known = m->values.count;
    Inst *loop = build_loop(b, dim(m, trip), initial, carried, NULL);
    Region *body = loop->regions[0];
    Builder inner = builder_at(body, no_span);
    for (int i = 0; i < carried; i++) {
        vec_push(m->module->arena, &m->values, body->parameters.at[1 + i]);
    }
    Value *step = build_cast(&inner, body->parameters.at[0], m->element);
    vec_push(m->module->arena, &m->values, step);
    m->depth++;
    make_values(m, &inner, 1 + pick(m, 5));
    for (int i = 0; i < carried; i++) {
        Value *current = body->parameters.at[1 + i], *next;
        if (pick(m, 4) == 0 && current->type.rank > 0) {
            Value *at = build_scalar_integer(&inner, TYPE_I64, 0);
            Value *row = squash(&inner, build_row(&inner, current, at));
            Op op = pick(m, 2) ? OP_scatter_add : OP_scatter_set;
            next = build_scatter_row(&inner, op, current, row, at);
        } else {
            next = squash(&inner, fit(m, &inner, some_value(m), value_shape(current)));
        }
        yield(&inner, next);
    }
    if (pick(m, 2)) {
        yield(&inner, some_value(m));
    }
    m->depth--;
    m->values.count = known;
    loop_finish(loop);
    return loop->results[pick(m, loop->result_count)];
}

static Value *make_branch(Maker *m, Builder *b) {
    Value *x = some_value(m), *s = some_value(m);
    int axes[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    Value *total = build_reduce(b, OP_reduce_sum, s, axes, s->type.rank);
    Value *zero = build_scalar(b, m->element, 0.1);
    Inst *branch = build_branch(b, build_binary(b, OP_gt, total, zero));
    int known = m->values.count;
    m->depth++;
    for (int side = 0; side < 2; side++) {
        Builder inner = builder_at(branch->regions[side], no_span);
        make_values(m, &inner, pick(m, 4));
        yield(&inner, fit(m, &inner, some_value(m), value_shape(x)));
        m->values.count = known;
    }
    m->depth--;
    branch_finish(branch);
    return branch->results[0];
}

static Function *make_function(Module *module, uint64_t seed) {
    Maker m = {.module = module, .random = seed * 7919 + 11};
    pick(&m, 2);
    m.element = pick(&m, 4) == 0 ? TYPE_F32 : TYPE_F64;
    static const int64_t sizes[] = {1, 2, 3, 5, 8, 17, 33};
    Function *function = function_new(module, "random", no_span);
    int parameters = 2 + pick(&m, 3);
    for (int i = 0; i < parameters; i++) {
        int64_t shape[3];
        int rank = pick(&m, 4);
        for (int axis = 0; axis < rank; axis++) {
            shape[axis] = sizes[pick(&m, rank > 2 ? 5 : 7)];
        }
        Type type = type_of_sizes(module->dims, module->arena, m.element, rank, shape);
        const char *name = arena_format(module->arena, "p%d", i);
        Value *value =
            function_add_parameter(function, type, (Slot){name, ROLE_INPUT, false, no_span});
        vec_push(module->arena, &m.values, value);
    }
    Builder b = builder_at(function->body, no_span);
    make_values(&m, &b, 3 + pick(&m, 14));
    int results = 1 + pick(&m, 5);
    for (int i = 0; i < results; i++) {
        const char *name = arena_format(module->arena, "r%d", i);
        Role role = pick(&m, 3) == 0 ? ROLE_GRADIENT : ROLE_OUTPUT;
        function_add_result(function, some_value(&m), (Slot){name, role, false, no_span});
    }
    return function;
}

int main(int count, char **arguments) {
    int first = count > 1 ? atoi(arguments[1]) : 0, last = count > 2 ? atoi(arguments[2]) : 100;
    Comparison comparison = {0};
    for (int seed = first; seed < last; seed++) {
        Arena arena = {0};
        Module *module = module_new(&arena);
        Function *function = make_function(module, (uint64_t)seed);
        const char *problem = verify_module(&arena, module);
        int failed = comparison.failed;
        if (problem != NULL) {
            fprintf(stderr, "seed %d: %s\n", seed, problem);
            comparison.failed++;
        } else {
            const char *name = arena_format(&arena, "seed %d", seed);
            compare_function(&comparison, name, function, 1, count > 4 ? arguments[4] : NULL);
        }
        if (comparison.failed > failed && count > 3) {
            Text text = text_new(&arena);
            print_function(&text, function);
            puts(text_string(&text));
            arena_free(&arena);
            break;
        }
        arena_free(&arena);
    }
    fprintf(stderr, "%d elements compared, %d failures\n", comparison.compared, comparison.failed);
    return comparison.failed > 0 || comparison.compared == 0;
}
