// Derivatives of reductions and scans.
#include "passes/derivative_rules.h"

#define ADJOINT(name) void adjoint_##name(Builder *b, const Inst *inst, Value *g, Value **bar)
#define TANGENT(name) Value *tangent_##name(Builder *b, const Inst *inst, Value *const *t)
#define X (inst->operands[0])
#define R (inst->results[0])

// `reduced` (of the result's shape) repeated along the reduced axes.
static Value *spread(Builder *b, const Inst *inst, Value *reduced) {
    return build_unreduce(b, reduced, X->type, inst->attr.axes.at, inst->attr.axes.count);
}

static Value *sum_over(Builder *b, const Inst *inst, Value *x) {
    return build_reduce(b, OP_reduce_sum, x, inst->attr.axes.at, inst->attr.axes.count);
}

ADJOINT(reduce_sum) {
    bar[0] = spread(b, inst, g);
}

ADJOINT(cumsum) {
    bar[0] = build_cumsum(b, g, inst->attr.axis, !inst->attr.reverse);
}

// Maximum and minimum: 1 where the extreme value is, 0 elsewhere. If it is NaN it is nowhere, and
// the division by no ties makes the gradient NaN for all, as amax does in PyTorch.
static Value *mark_extreme(Builder *b, const Inst *inst) {
    return build_cast(b, build_eq(b, X, spread(b, inst, R)), X->type.element);
}

static void adjoint_extreme(Builder *b, const Inst *inst, Value *g, Value **bar) {
    Value *marks = mark_extreme(b, inst);
    Value *share = build_div(b, g, sum_over(b, inst, marks));
    bar[0] = build_mul(b, spread(b, inst, share), marks);
}

static Value *tangent_extreme(Builder *b, const Inst *inst, Value *const *t) {
    Value *marks = mark_extreme(b, inst);
    Value *sum = sum_over(b, inst, build_mul(b, t[0], marks));
    return build_div(b, sum, sum_over(b, inst, marks));
}

ADJOINT(reduce_max) {
    adjoint_extreme(b, inst, g, bar);
}

TANGENT(reduce_max) {
    return tangent_extreme(b, inst, t);
}

ADJOINT(reduce_min) {
    adjoint_extreme(b, inst, g, bar);
}

TANGENT(reduce_min) {
    return tangent_extreme(b, inst, t);
}

// A loop over the rows of a tensor that carries one product, with its body open.
typedef struct ProductLoop {
    Inst *loop;
    Builder body;
    Value *index, *product;
} ProductLoop;

static ProductLoop open_product_loop(Builder *b, const Dim *rows, Type row) {
    Value *one = build_full(b, row, 1);
    Inst *loop = build_loop(b, rows, &one, 1, NULL);
    Region *body = loop->regions[0];
    return (ProductLoop){loop, builder_at(body, b->span), body->parameters.at[0],
                         body->parameters.at[1]};
}

// Carries product * factor on, stacks `stacked`; returns the stack.
static Value *close_product_loop(ProductLoop *rows, Value *factor, Value *stacked) {
    Builder *b = &rows->body;
    Arena *arena = b->module->arena;
    vec_push(arena, &b->region->yields, build_mul(b, rows->product, factor));
    vec_push(arena, &b->region->yields, stacked);
    loop_finish(rows->loop);
    return rows->loop->results[1];
}

static Value *flip_rows(Builder *b, Value *x) {
    Arena *arena = b->module->arena;
    DimTable *table = b->module->dims;
    int rank = x->type.rank;
    const Dim **start = arena_array(arena, const Dim *, rank);
    const Dim **stop = arena_array(arena, const Dim *, rank);
    int *step = arena_array(arena, int, rank);
    for (int axis = 0; axis < rank; axis++) {
        start[axis] = dim_constant(table, 0);
        stop[axis] = x->type.dims[axis];
        step[axis] = 1;
    }
    start[0] = dim_subtract(table, x->type.dims[0], dim_constant(table, 1));
    stop[0] = dim_constant(table, -1);
    step[0] = -1;
    return build_slice(b, x, (Dims){start, rank}, (Dims){stop, rank}, step);
}

// For each row the product of all other rows: of those before it times those after it. Exact where
// rows are zero, for derivatives of every order, and without a division.
static Value *products_of_others(Builder *b, Value *x) {
    const Dim *count = x->type.dims[0];
    Type row = {x->type.element, x->type.rank - 1, x->type.dims + 1};
    ProductLoop before = open_product_loop(b, count, row);
    Value *factor = build_row(&before.body, x, before.index);
    Value *prefixes = close_product_loop(&before, factor, before.product);

    Value *last = build_sub(b, build_dim(b, count), build_scalar_integer(b, TYPE_I64, 1));
    ProductLoop after = open_product_loop(b, count, row);
    Value *index = build_sub(&after.body, last, after.index);
    Value *others = build_mul(&after.body, build_row(&after.body, prefixes, index), after.product);
    Value *reversed = close_product_loop(&after, build_row(&after.body, x, index), others);
    return flip_rows(b, reversed);
}

// The products of the other elements, for reduce_prod over any axes: these are brought to the front
// and made one.
static Value *others_of_product(Builder *b, const Inst *inst) {
    Arena *arena = b->module->arena;
    DimTable *table = b->module->dims;
    Type x = X->type;
    Ints axes = inst->attr.axes;
    if (axes.count == 0) {
        return build_full(b, x, 1);
    }
    int *order = arena_array(arena, int, x.rank), *inverse = arena_array(arena, int, x.rank);
    const Dim **merged = arena_array(arena, const Dim *, x.rank + 1);
    int kept = 0;
    merged[0] = dim_constant(table, 1);
    for (int axis = 0, next = 0; axis < x.rank; axis++) {
        if (next < axes.count && axes.at[next] == axis) {
            order[next++] = axis;
            merged[0] = dim_multiply(table, merged[0], x.dims[axis]);
            check(merged[0] != NULL, "a size of an adjoint overflows");
        } else {
            merged[1 + kept] = x.dims[axis];
            order[axes.count + kept++] = axis;
        }
    }
    for (int i = 0; i < x.rank; i++) {
        inverse[order[i]] = i;
    }
    Value *front = build_transpose(b, X, order);
    Value *others = products_of_others(b, build_reshape(b, front, (Dims){merged, 1 + kept}));
    return build_transpose(b, build_reshape(b, others, value_shape(front)), inverse);
}

// d product / d element. At an element that is NaN or infinite it is NaN (x - x is zero everywhere
// else), unless some element is zero: PyTorch divides the product by the element where no zero
// forbids.
static Value *partial_of_product(Builder *b, const Inst *inst) {
    int rank = X->type.rank;
    int *all = arena_array(b->module->arena, int, rank);
    for (int axis = 0; axis < rank; axis++) {
        all[axis] = axis;
    }
    Value *zero = scalar_like(b, X, 0);
    Value *zeros = build_cast(b, build_eq(b, X, zero), X->type.element);
    Value *any = build_gt(b, build_reduce(b, OP_reduce_sum, zeros, all, rank), zero);
    Value *blemish = build_select(b, any, zero, build_sub(b, X, X));
    return build_add(b, others_of_product(b, inst), blemish);
}

ADJOINT(reduce_prod) {
    bar[0] = build_mul(b, spread(b, inst, g), partial_of_product(b, inst));
}

TANGENT(reduce_prod) {
    return sum_over(b, inst, build_mul(b, t[0], partial_of_product(b, inst)));
}
