// Identities of reductions: over axes of one element, and of repeated values.
//
// A sum of n equal numbers is their product with n, which rounds once instead of n times. Signs and
// doublings, which do not round, are taken out of sums.
#include "passes/match.h"
#include "passes/simplify.h"

static bool is_constant_dim(const Dim *dim, int64_t value) {
    int64_t known;
    return dim_is_constant(dim, &known) && known == value;
}

static bool reduces_units(const Inst *inst) {
    for (int i = 0; i < inst->attr.axes.count; i++) {
        if (!is_constant_dim(inst->operands[0]->type.dims[inst->attr.axes.at[i]], 1)) {
            return false;
        }
    }
    return true;
}

// A reduction over some axes of a broadcast, taken apart.
typedef struct Repetition {
    Value *source;
    const Dim *times; // how often each element of the source is met on the reduced axes
    int *axes;        // of the source, still to be reduced
    int axis_count;
    int *kept; // result axis of each source axis that stays
    int kept_count;
} Repetition;

static bool is_reduced(Ints axes, int axis, int *below) {
    *below = 0;
    for (int i = 0; i < axes.count; i++) {
        if (axes.at[i] == axis) {
            return true;
        }
        *below += axes.at[i] < axis;
    }
    return false;
}

// False if that cannot be done, or of no elements: their sum is 0, whatever the source is.
static bool take_apart(Builder *b, const Inst *inst, const Inst *broadcast, Repetition *it) {
    Type source = broadcast->operands[0]->type, wide = broadcast->results[0]->type;
    Ints map = broadcast->attr.axes, reduced = inst->attr.axes;
    Arena *arena = b->module->arena;
    *it = (Repetition){.source = broadcast->operands[0],
                       .times = dim_constant(b->module->dims, 1),
                       .axes = arena_array(arena, int, source.rank),
                       .kept = arena_array(arena, int, source.rank)};
    for (int axis = 0, next = 0; axis < wide.rank; axis++) {
        int below;
        bool mapped = next < map.count && map.at[next] == axis;
        int from = next;
        next += mapped;
        if (!is_reduced(reduced, axis, &below)) {
            if (mapped) {
                it->kept[it->kept_count++] = axis - below;
            }
            continue;
        }
        if (mapped) {
            it->axes[it->axis_count++] = from;
        }
        if (!mapped || !dim_equal(source.dims[from], wide.dims[axis])) {
            it->times = dim_multiply(b->module->dims, it->times, wide.dims[axis]);
        }
        if (it->times == NULL) {
            return false;
        }
    }
    return dim_is_at_least(b->module->dims, it->times, 1);
}

static Value *number_of(Builder *b, const Dim *dim, ElementType element) {
    int64_t value;
    if (dim_is_constant(dim, &value) && (value <= INT32_MAX || element != TYPE_I32)) {
        return build_scalar(b, element, (double)value);
    }
    return build_cast(b, build_dim(b, dim), element);
}

// Reduces what is repeated before it is repeated.
static Value *reduce_repeated(Builder *b, const Inst *inst) {
    const Inst *broadcast = defined_by(inst->operands[0], OP_broadcast);
    Repetition it;
    if (broadcast == NULL || !take_apart(b, inst, broadcast, &it)) {
        return NULL;
    }
    bool once = is_constant_dim(it.times, 1);
    if (inst->op == OP_reduce_prod && !once) {
        return NULL;
    }
    Value *small = build_reduce(b, inst->op, it.source, it.axes, it.axis_count);
    if (inst->op == OP_reduce_sum && !once) {
        small = build_mul(b, small, number_of(b, it.times, small->type.element));
    }
    return build_broadcast(b, small, value_shape(inst->results[0]), it.kept);
}

// The sum of -x is 0 - the sum of x: never -0, as sums are not.
static Value *sum_without_factor(Builder *b, const Inst *inst) {
    const Inst *negation = defined_by(inst->operands[0], OP_neg);
    const Inst *twice = defined_by(inst->operands[0], OP_add);
    Ints axes = inst->attr.axes;
    if (negation != NULL) {
        Value *sum = build_reduce(b, OP_reduce_sum, negation->operands[0], axes.at, axes.count);
        return build_sub(b, build_full(b, sum->type, 0), sum);
    }
    if (twice != NULL && twice->operands[0] == twice->operands[1]) {
        Value *sum = build_reduce(b, OP_reduce_sum, twice->operands[0], axes.at, axes.count);
        return build_add(b, sum, sum);
    }
    return NULL;
}

Value *simplify_reduction(Builder *b, const Inst *inst) {
    switch ((int)inst->op) {
    case OP_reduce_sum:
    case OP_reduce_prod:
    case OP_reduce_max:
    case OP_reduce_min: break;
    default: return NULL;
    }
    if (reduces_units(inst)) {
        return build_reshape(b, inst->operands[0], value_shape(inst->results[0]));
    }
    Value *sum = inst->op == OP_reduce_sum ? sum_without_factor(b, inst) : NULL;
    return sum != NULL ? sum : reduce_repeated(b, inst);
}
