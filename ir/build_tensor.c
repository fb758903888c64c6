// Builders of tensor operators: attributes are put together here, types come from the rules.
#include "ir/build.h"

Value *build_iota(Builder *b, ElementType element, Dims shape, int axis) {
    Attribute attribute = {.element = element, .shape = shape, .axis = axis};
    return build_op(b, OP_iota, NULL, 0, &attribute);
}

Value *build_broadcast(Builder *b, Value *x, Dims shape, const int *axes) {
    Attribute attribute = {.shape = shape, .axes = {axes, x->type.rank}};
    return build_op(b, OP_broadcast, &x, 1, &attribute);
}

static bool has_shape(const Value *x, Dims shape) {
    return shape_equal(x->type, (Type){x->type.element, shape.count, shape.at});
}

Value *build_broadcast_to(Builder *b, Value *x, Dims shape) {
    if (has_shape(x, shape)) {
        return x;
    }
    int added = shape.count - x->type.rank;
    check(added >= 0, "a tensor of rank %d cannot be broadcast to rank %d", x->type.rank,
          shape.count);
    int *axes = arena_array(b->module->arena, int, x->type.rank);
    for (int i = 0; i < x->type.rank; i++) {
        axes[i] = added + i;
    }
    return build_broadcast(b, x, shape, axes);
}

Value *build_sum_to(Builder *b, Value *x, Dims shape) {
    if (has_shape(x, shape)) {
        return x;
    }
    int added = x->type.rank - shape.count;
    check(added >= 0, "a tensor of rank %d is no broadcast of rank %d", x->type.rank, shape.count);
    const Dim *one = dim_constant(b->module->dims, 1);
    int *axes = arena_array(b->module->arena, int, x->type.rank);
    int count = 0;
    for (int axis = 0; axis < x->type.rank; axis++) {
        const Dim *size = axis < added ? NULL : shape.at[axis - added];
        if (!size || !dim_equal(size, x->type.dims[axis])) {
            check(!size || dim_equal(size, one), "axis %d of %s is no broadcast", axis,
                  type_string(b->module->arena, x->type));
            axes[count++] = axis;
        }
    }
    return build_reshape(b, build_reduce(b, OP_reduce_sum, x, axes, count), shape);
}

Value *build_reshape(Builder *b, Value *x, Dims shape) {
    return has_shape(x, shape) ? x : build_op(b, OP_reshape, &x, 1, &(Attribute){.shape = shape});
}

Value *build_transpose(Builder *b, Value *x, const int *permutation) {
    Attribute attribute = {.axes = {permutation, x->type.rank}};
    return build_op(b, OP_transpose, &x, 1, &attribute);
}

Value *build_slice(Builder *b, Value *x, Dims start, Dims stop, const int *step) {
    Attribute attribute = {.start = start, .stop = stop, .step = {step, x->type.rank}};
    return build_op(b, OP_slice, &x, 1, &attribute);
}

Value *build_pad(Builder *b, Value *x, Value *fill, Dims low, Dims high, const int *step) {
    Attribute attribute = {.low = low, .high = high, .step = {step, x->type.rank}};
    return build_op(b, OP_pad, (Value *[]){x, fill}, 2, &attribute);
}

Value *build_concat(Builder *b, Value *const *parts, int count, int axis) {
    return build_op(b, OP_concat, parts, count, &(Attribute){.axis = axis});
}

Value *build_reduce(Builder *b, Op op, Value *x, const int *axes, int count) {
    if (count == 0) {
        return x;
    }
    return build_op(b, op, &x, 1, &(Attribute){.axes = {axes, count}});
}

Value *build_unreduce(Builder *b, Value *reduced, Type original, const int *axes, int count) {
    check(reduced->type.rank + count == original.rank, "%d axes were reduced, not %d",
          original.rank - reduced->type.rank, count);
    int *kept = arena_array(b->module->arena, int, reduced->type.rank);
    for (int axis = 0, next = 0; axis < original.rank; axis++) {
        if (next < count && axes[next] == axis) {
            next++;
        } else {
            check(axis - next < reduced->type.rank, "axes that were reduced are not increasing");
            kept[axis - next] = axis;
        }
    }
    Dims shape = {original.dims, original.rank};
    return count == 0 ? reduced : build_broadcast(b, reduced, shape, kept);
}

Value *build_argmax(Builder *b, Op op, Value *x, int axis) {
    return build_op(b, op, &x, 1, &(Attribute){.axis = axis});
}

Value *build_cumsum(Builder *b, Value *x, int axis, bool reverse) {
    return build_op(b, OP_cumsum, &x, 1, &(Attribute){.axis = axis, .reverse = reverse});
}

Value *build_contract(Builder *b, Value *x, Value *y, const char *labels) {
    return build_op(b, OP_contract, (Value *[]){x, y}, 2, &(Attribute){.labels = labels});
}

Value *build_detach(Builder *b, Value *x) {
    return build_op(b, OP_detach, &x, 1, NULL);
}

// `first`, `second` unless NULL, and an index for each of `rank` axes.
static Value *build_indexed(Builder *b, Op op, Value *first, Value *second, Value *const *indices,
                            int rank) {
    Value **operands = arena_array(b->module->arena, Value *, rank + 2);
    int count = 0;
    operands[count++] = first;
    if (second) {
        operands[count++] = second;
    }
    for (int i = 0; i < rank; i++) {
        operands[count++] = indices[i];
    }
    return build_op(b, op, operands, count, NULL);
}

Value *build_gather(Builder *b, Value *x, Value *const *indices) {
    return build_indexed(b, OP_gather, x, NULL, indices, x->type.rank);
}

Value *build_scatter(Builder *b, Op op, Value *base, Value *values, Value *const *indices) {
    return build_indexed(b, op, base, values, indices, base->type.rank);
}

// The indices of all elements of one row of a tensor of type `type`.
static Value **row_indices(Builder *b, Type type, Value *index) {
    check(type.rank > 0, "a scalar has no rows");
    check(index->type.rank == 0, "the index of a row is a scalar");
    Dims row = {type.dims + 1, type.rank - 1};
    Value **indices = arena_array(b->module->arena, Value *, type.rank);
    indices[0] = build_broadcast_to(b, index, row);
    for (int axis = 0; axis < row.count; axis++) {
        indices[axis + 1] = build_iota(b, TYPE_I64, row, axis);
    }
    return indices;
}

Value *build_row(Builder *b, Value *x, Value *index) {
    return build_gather(b, x, row_indices(b, x->type, index));
}

Value *build_scatter_row(Builder *b, Op op, Value *base, Value *row, Value *index) {
    return build_scatter(b, op, base, row, row_indices(b, base->type, index));
}
