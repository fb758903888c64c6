// Derivatives of the operators that move elements, and of contraction.
//
// What an operator reads from a place, its adjoint adds to that place: slices become pads, gathers
// become scatter_adds, broadcasts become sums.
#include <string.h>

#include "passes/derivative_rules.h"

#define ADJOINT(name) void adjoint_##name(Builder *b, const Inst *inst, Value *g, Value **bar)
#define TANGENT(name) Value *tangent_##name(Builder *b, const Inst *inst, Value *const *t)
#define X (inst->operands[0])

static const Dim *known(const Dim *dim) {
    check(dim != NULL, "a size of an adjoint overflows");
    return dim;
}

static const Dim *plus(Builder *b, const Dim *x, const Dim *y) {
    return known(dim_add(b->module->dims, x, y));
}

static const Dim *minus(Builder *b, const Dim *x, const Dim *y) {
    return known(dim_subtract(b->module->dims, x, y));
}

static const Dim *number(Builder *b, int64_t value) {
    return dim_constant(b->module->dims, value);
}

static const Dim **new_dims(Builder *b, int count) {
    return arena_array(b->module->arena, const Dim *, count);
}

static Dims as_dims(const Dim **dims, int count) {
    return (Dims){dims, count};
}

// The distance between the first and the last of `count` elements that are `step` apart, plus one.
static const Dim *span_of(Builder *b, const Dim *count, int step) {
    int64_t value;
    if (dim_is_constant(count, &value) && value == 0) {
        return count;
    }
    const Dim *gaps = minus(b, count, number(b, 1));
    return plus(b, known(dim_multiply(b->module->dims, gaps, number(b, step))), number(b, 1));
}

ADJOINT(broadcast) {
    Type x = X->type;
    const Dim *one = number(b, 1);
    int rank = g->type.rank, count = 0;
    int *axes = arena_array(b->module->arena, int, rank);
    for (int axis = 0, next = 0; axis < rank; axis++) {
        bool mapped = next < x.rank && inst->attr.axes.at[next] == axis;
        bool repeated = !mapped || (dim_equal(x.dims[next], one) && g->type.dims[axis] != one);
        next += mapped;
        if (repeated) {
            axes[count++] = axis;
        }
    }
    bar[0] = build_reshape(b, build_reduce(b, OP_reduce_sum, g, axes, count), value_shape(X));
}

ADJOINT(reshape) {
    bar[0] = build_reshape(b, g, value_shape(X));
}

ADJOINT(transpose) {
    int rank = X->type.rank;
    int *inverse = arena_array(b->module->arena, int, rank);
    for (int i = 0; i < rank; i++) {
        inverse[inst->attr.axes.at[i]] = i;
    }
    bar[0] = build_transpose(b, g, inverse);
}

// Every element of `x`, last to first along the axes that are marked.
static Value *flip(Builder *b, Value *x, const bool *axes) {
    int rank = x->type.rank;
    const Dim **start = new_dims(b, rank), **stop = new_dims(b, rank);
    int *step = arena_array(b->module->arena, int, rank);
    bool any = false;
    for (int axis = 0; axis < rank; axis++) {
        const Dim *size = x->type.dims[axis];
        start[axis] = axes[axis] ? minus(b, size, number(b, 1)) : number(b, 0);
        stop[axis] = axes[axis] ? number(b, -1) : size;
        step[axis] = axes[axis] ? -1 : 1;
        any = any || axes[axis];
    }
    return any ? build_slice(b, x, as_dims(start, rank), as_dims(stop, rank), step) : x;
}

ADJOINT(slice) {
    int rank = X->type.rank;
    const Dim **low = new_dims(b, rank), **high = new_dims(b, rank);
    int *step = arena_array(b->module->arena, int, rank);
    bool *flipped = arena_array(b->module->arena, bool, rank);
    for (int axis = 0; axis < rank; axis++) {
        const Dim *count = g->type.dims[axis];
        int stride = inst->attr.step.at[axis];
        step[axis] = stride < 0 ? -stride : stride;
        flipped[axis] = stride < 0;
        const Dim *span = span_of(b, count, step[axis]);
        const Dim *first = inst->attr.start.at[axis];
        low[axis] = flipped[axis] ? plus(b, minus(b, first, span), number(b, 1)) : first;
        high[axis] = minus(b, minus(b, X->type.dims[axis], low[axis]), span);
    }
    bar[0] = build_pad(b, flip(b, g, flipped), scalar_like(b, g, 0), as_dims(low, rank),
                       as_dims(high, rank), step);
}

// x[low + step * i] for the shape `sizes`, where that cannot be a slice because a size is symbolic.
static Value *gather_strided(Builder *b, Value *x, Dims sizes, Dims low, const int *step) {
    Value **indices = arena_array(b->module->arena, Value *, sizes.count);
    for (int axis = 0; axis < sizes.count; axis++) {
        Value *index = build_iota(b, TYPE_I64, sizes, axis);
        index = build_mul(b, index, build_scalar_integer(b, TYPE_I64, step[axis]));
        indices[axis] = build_add(b, index, build_dim(b, low.at[axis]));
    }
    return build_gather(b, x, indices);
}

// x[low + step * i] for the shape `sizes`, with low >= 0.
static Value *slice_strided(Builder *b, Value *x, Dims sizes, Dims low, const int *step) {
    const Dim **stop = new_dims(b, sizes.count);
    for (int axis = 0; axis < sizes.count; axis++) {
        int64_t value;
        if (step[axis] > 1 && !dim_is_constant(sizes.at[axis], &value)) {
            return gather_strided(b, x, sizes, low, step);
        }
        stop[axis] = plus(b, low.at[axis], span_of(b, sizes.at[axis], step[axis]));
    }
    return build_slice(b, x, low, as_dims(stop, sizes.count), step);
}

// Where the pad has dropped elements (its low or high is negative, or could be), zeros are put back
// first; then the operand's elements are at their places between the gaps.
static Value *unpad(Builder *b, const Inst *inst, Value *g) {
    int rank = X->type.rank;
    Dims low = inst->attr.low, high = inst->attr.high;
    const int *step = inst->attr.step.at;
    bool only_adds = true;
    for (int axis = 0; axis < rank; axis++) {
        only_adds = only_adds && dim_is_at_least(b->module->dims, low.at[axis], 0) &&
                    dim_is_at_least(b->module->dims, high.at[axis], 0);
    }
    if (only_adds) {
        return slice_strided(b, g, value_shape(X), low, step);
    }
    const Dim **start = new_dims(b, rank), **before = new_dims(b, rank);
    const Dim **after = new_dims(b, rank);
    int *ones = arena_array(b->module->arena, int, rank);
    bool strided = false;
    for (int axis = 0; axis < rank; axis++) {
        start[axis] = number(b, 0);
        before[axis] = minus(b, start[axis], low.at[axis]);
        after[axis] = minus(b, start[axis], high.at[axis]);
        ones[axis] = 1;
        strided = strided || step[axis] > 1;
    }
    Value *whole =
        build_pad(b, g, scalar_like(b, g, 0), as_dims(before, rank), as_dims(after, rank), ones);
    return strided ? slice_strided(b, whole, value_shape(X), as_dims(start, rank), step) : whole;
}

ADJOINT(pad) {
    Value *fill = inst->operands[1];
    bar[0] = unpad(b, inst, g);
    if (fill->definition && fill->definition->op == OP_constant) {
        return;
    }
    Value *inside = build_full(b, type_with_element(X->type, TYPE_BOOL), 0);
    Value *outside = build_pad(b, inside, build_scalar(b, TYPE_BOOL, 1), inst->attr.low,
                               inst->attr.high, inst->attr.step.at);
    int rank = g->type.rank;
    int *axes = arena_array(b->module->arena, int, rank);
    for (int axis = 0; axis < rank; axis++) {
        axes[axis] = axis;
    }
    Value *kept = build_select(b, outside, g, zeros_like(b, g));
    bar[1] = build_reduce(b, OP_reduce_sum, kept, axes, rank);
}

ADJOINT(concat) {
    int rank = g->type.rank, joined = inst->attr.axis;
    int *step = arena_array(b->module->arena, int, rank);
    for (int axis = 0; axis < rank; axis++) {
        step[axis] = 1;
    }
    const Dim *offset = number(b, 0);
    for (int i = 0; i < inst->operand_count; i++) {
        const Dim **start = new_dims(b, rank), **stop = new_dims(b, rank);
        for (int axis = 0; axis < rank; axis++) {
            start[axis] = axis == joined ? offset : number(b, 0);
            stop[axis] = plus(b, start[axis], inst->operands[i]->type.dims[axis]);
        }
        offset = stop[joined];
        bar[i] = build_slice(b, g, as_dims(start, rank), as_dims(stop, rank), step);
    }
}

// Indexing

ADJOINT(gather) {
    bar[0] = build_scatter(b, OP_scatter_add, zeros_like(b, X), g, inst->operands + 1);
}

TANGENT(gather) {
    return build_gather(b, t[0], inst->operands + 1);
}

ADJOINT(scatter_add) {
    bar[0] = g;
    bar[1] = build_gather(b, g, inst->operands + 2);
}

TANGENT(scatter_add) {
    return build_scatter(b, OP_scatter_add, tangent_or_zeros(b, t[0], X),
                         tangent_or_zeros(b, t[1], inst->operands[1]), inst->operands + 2);
}

// Is `index` plainly different for each place along `axis`, and does it depend on that axis alone?
static bool counts_along(const Value *index, int axis) {
    const Inst *inst = index->definition;
    if (inst == NULL) {
        return false;
    }
    if (inst->op == OP_iota) {
        return inst->attr.axis == axis;
    }
    if (inst->op == OP_add || inst->op == OP_sub) {
        const Inst *second = inst->operands[1]->definition;
        bool shifted = second && second->op == OP_broadcast && second->operands[0]->type.rank == 0;
        return shifted && counts_along(inst->operands[0], axis);
    }
    return false;
}

// Do the indices name no place twice? They do not if each axis of more than one element is counted
// by one of them: rows, and blocks of rows.
static bool indices_are_unique(Value *const *indices, int count) {
    Type shape = indices[0]->type;
    for (int axis = 0; axis < shape.rank; axis++) {
        int64_t size;
        bool unique = dim_is_constant(shape.dims[axis], &size) && size <= 1;
        for (int i = 0; i < count && !unique; i++) {
            unique = counts_along(indices[i], axis);
        }
        if (!unique) {
            return false;
        }
    }
    return true;
}

// Of values stored at one place only the last is seen. Which one that is, is found by storing the
// numbers of the values in the same way.
static Value *mask_lost(Builder *b, const Inst *inst, Value *gathered) {
    Value *const *indices = inst->operands + 2;
    if (indices_are_unique(indices, inst->operand_count - 2)) {
        return gathered;
    }
    Type values = inst->operands[1]->type;
    const Dim *size = known(type_size(b->module->dims, values));
    Value *numbers = build_iota(b, TYPE_I64, dims_of(b->module->arena, &size, 1), 0);
    numbers = build_reshape(b, numbers, value_shape(inst->operands[1]));
    Value *nobody = build_full(b, type_with_element(X->type, TYPE_I64), -1);
    Value *winners = build_scatter(b, OP_scatter_set, nobody, numbers, indices);
    Value *won = build_eq(b, build_gather(b, winners, indices), numbers);
    return build_select(b, won, gathered, zeros_like(b, gathered));
}

ADJOINT(scatter_set) {
    Value *const *indices = inst->operands + 2;
    bar[0] = build_scatter(b, OP_scatter_set, g, zeros_like(b, inst->operands[1]), indices);
    bar[1] = mask_lost(b, inst, build_gather(b, g, indices));
}

TANGENT(scatter_set) {
    return build_scatter(b, OP_scatter_set, tangent_or_zeros(b, t[0], X),
                         tangent_or_zeros(b, t[1], inst->operands[1]), inst->operands + 2);
}

// "ab,bc->ac": x gets "ac,bc->ab" of g and y; y gets "ab,ac->bc" of x and g.
ADJOINT(contract) {
    const char *labels = inst->attr.labels;
    const char *comma = strchr(labels, ','), *arrow = strstr(labels, "->");
    check(comma && arrow, "labels without a comma or an arrow: %s", labels);
    int x = (int)(comma - labels), y = (int)(arrow - comma - 1);
    Arena *arena = b->module->arena;
    const char *first = arena_format(arena, "%s,%.*s->%.*s", arrow + 2, y, comma + 1, x, labels);
    const char *second = arena_format(arena, "%.*s,%s->%.*s", x, labels, arrow + 2, y, comma + 1);
    bar[0] = build_contract(b, g, inst->operands[1], first);
    bar[1] = build_contract(b, X, g, second);
}
