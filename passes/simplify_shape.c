// Identities of operators that move elements.
#include "passes/match.h"
#include "passes/simplify.h"

static bool is_constant_dim(const Dim *dim, int64_t value) {
    int64_t known;
    return dim_is_constant(dim, &known) && known == value;
}

static int *new_ints(Builder *b, int count) {
    return arena_array(b->module->arena, int, count);
}

// The scalar that fills the whole of `x`, or NULL.
static Value *repeated_scalar(const Value *x) {
    const Inst *broadcast = defined_by(x, OP_broadcast);
    return broadcast && broadcast->operands[0]->type.rank == 0 ? broadcast->operands[0] : NULL;
}

// The operand of a reshape that only adds axes of size 1, with the axes that its own become.
static Value *without_unit_axes(Builder *b, const Inst *reshape, int *axes) {
    Type from = reshape->operands[0]->type, to = reshape->results[0]->type;
    int next = 0;
    for (int axis = 0; axis < to.rank; axis++) {
        if (next < from.rank && dim_equal(from.dims[next], to.dims[axis])) {
            axes[next++] = axis;
        } else if (!is_constant_dim(to.dims[axis], 1)) {
            return NULL;
        }
    }
    return next == from.rank ? reshape->operands[0] : NULL;
}

static Value *simplify_broadcast(Builder *b, const Inst *inst) {
    Value *x = inst->operands[0];
    Type type = inst->results[0]->type;
    if (type_equal(x->type, type)) {
        return x;
    }
    const Inst *inner = x->definition;
    if (inner && (inner->op == OP_broadcast || inner->op == OP_reshape)) {
        int *axes = new_ints(b, inner->results[0]->type.rank + inner->operands[0]->type.rank);
        Value *source = inner->operands[0];
        if (inner->op == OP_reshape) {
            source = without_unit_axes(b, inner, axes);
        } else {
            for (int i = 0; i < source->type.rank; i++) {
                axes[i] = inner->attr.axes.at[i];
            }
        }
        if (source) {
            for (int i = 0; i < source->type.rank; i++) {
                axes[i] = inst->attr.axes.at[axes[i]];
            }
            return build_broadcast(b, source, value_shape(inst->results[0]), axes);
        }
    }
    return NULL;
}

static Value *simplify_reshape(Builder *b, const Inst *inst) {
    Value *x = inst->operands[0];
    Dims shape = value_shape(inst->results[0]);
    if (type_equal(x->type, inst->results[0]->type)) {
        return x;
    }
    const Inst *inner = defined_by(x, OP_reshape);
    if (inner) {
        return build_reshape(b, inner->operands[0], shape);
    }
    return repeated_scalar(x) ? build_broadcast_to(b, repeated_scalar(x), shape) : NULL;
}

// Axes of size 1 that were added before are added after.
static Value *transpose_below_units(Builder *b, const Inst *transpose, const Inst *reshape) {
    Type type = reshape->results[0]->type;
    int *places = new_ints(b, type.rank + reshape->operands[0]->type.rank), count = 0;
    Value *source = without_unit_axes(b, reshape, places);
    if (source == NULL || source->type.rank == type.rank) {
        return NULL;
    }
    int *order = new_ints(b, source->type.rank + 1);
    for (int i = 0; i < type.rank; i++) {
        for (int axis = 0; axis < source->type.rank; axis++) {
            if (places[axis] == transpose->attr.axes.at[i]) {
                order[count++] = axis;
            }
        }
    }
    return build_reshape(b, build_transpose(b, source, order), value_shape(transpose->results[0]));
}

static Value *simplify_transpose(Builder *b, const Inst *inst) {
    Value *x = inst->operands[0];
    Ints order = inst->attr.axes;
    bool identity = true;
    for (int i = 0; i < order.count; i++) {
        identity = identity && order.at[i] == i;
    }
    if (identity) {
        return x;
    }
    if (repeated_scalar(x)) {
        return build_broadcast_to(b, repeated_scalar(x), value_shape(inst->results[0]));
    }
    if (defined_by(x, OP_reshape)) {
        return transpose_below_units(b, inst, x->definition);
    }
    const Inst *inner = defined_by(x, OP_transpose);
    if (inner == NULL) {
        return NULL;
    }
    int *axes = new_ints(b, order.count);
    for (int i = 0; i < order.count; i++) {
        axes[i] = inner->attr.axes.at[order.at[i]];
    }
    return build_transpose(b, inner->operands[0], axes);
}

// Is the slice all of the axis, in order?
static bool takes_all(const Inst *slice, int axis) {
    return slice->attr.step.at[axis] == 1 && is_constant_dim(slice->attr.start.at[axis], 0) &&
           dim_equal(slice->attr.stop.at[axis], slice->operands[0]->type.dims[axis]);
}

// A slice of a slice that has step 1 is a slice of the original.
static Value *compose_slices(Builder *b, const Inst *outer, const Inst *inner) {
    int rank = inner->attr.step.count;
    const Dim **start = arena_array(b->module->arena, const Dim *, rank);
    const Dim **stop = arena_array(b->module->arena, const Dim *, rank);
    for (int axis = 0; axis < rank; axis++) {
        const Dim *first = inner->attr.start.at[axis];
        start[axis] = dim_add(b->module->dims, first, outer->attr.start.at[axis]);
        stop[axis] = dim_add(b->module->dims, first, outer->attr.stop.at[axis]);
        if (inner->attr.step.at[axis] != 1 || !start[axis] || !stop[axis]) {
            return NULL;
        }
    }
    return build_slice(b, inner->operands[0], (Dims){start, rank}, (Dims){stop, rank},
                       outer->attr.step.at);
}

// A slice of a concat that is one of its parts.
static Value *find_part(Builder *b, const Inst *slice, const Inst *concat) {
    int joined = concat->attr.axis;
    for (int axis = 0; axis < slice->attr.step.count; axis++) {
        if (axis != joined && !takes_all(slice, axis)) {
            return NULL;
        }
    }
    const Dim *offset = dim_constant(b->module->dims, 0);
    for (int i = 0; i < concat->operand_count && slice->attr.step.at[joined] == 1; i++) {
        const Dim *end = dim_add(b->module->dims, offset, concat->operands[i]->type.dims[joined]);
        if (end == NULL) {
            return NULL;
        }
        if (dim_equal(offset, slice->attr.start.at[joined]) &&
            dim_equal(end, slice->attr.stop.at[joined])) {
            return concat->operands[i];
        }
        offset = end;
    }
    return NULL;
}

static Value *simplify_slice(Builder *b, const Inst *inst) {
    Value *x = inst->operands[0];
    bool all = true;
    for (int axis = 0; axis < inst->attr.step.count; axis++) {
        all = all && takes_all(inst, axis);
    }
    if (all) {
        return x;
    }
    if (repeated_scalar(x)) {
        return build_broadcast_to(b, repeated_scalar(x), value_shape(inst->results[0]));
    }
    if (defined_by(x, OP_slice)) {
        return compose_slices(b, inst, x->definition);
    }
    return defined_by(x, OP_concat) ? find_part(b, inst, x->definition) : NULL;
}

static Value *simplify_pad(const Inst *inst) {
    for (int axis = 0; axis < inst->attr.step.count; axis++) {
        if (inst->attr.step.at[axis] != 1 || !is_constant_dim(inst->attr.low.at[axis], 0) ||
            !is_constant_dim(inst->attr.high.at[axis], 0)) {
            return NULL;
        }
    }
    return inst->operands[0];
}

// Is each element of `index` its own place along `axis`?
static bool is_own_place(const Value *index, int axis) {
    const Inst *inst = index->definition;
    if (inst && inst->op == OP_iota) {
        return inst->attr.axis == axis;
    }
    const Inst *iota = inst && inst->op == OP_broadcast ? inst->operands[0]->definition : NULL;
    if (iota == NULL || iota->op != OP_iota) {
        return false;
    }
    int from = iota->attr.axis;
    return inst->attr.axes.at[from] == axis &&
           dim_equal(iota->results[0]->type.dims[from], index->type.dims[axis]);
}

// A gather that takes each element from its own place.
static Value *simplify_gather(const Inst *inst) {
    Value *x = inst->operands[0];
    bool same = x->type.rank > 0 && type_equal(x->type, inst->results[0]->type);
    for (int axis = 0; axis < x->type.rank && same; axis++) {
        same = is_own_place(inst->operands[axis + 1], axis);
    }
    return same ? x : NULL;
}

Value *simplify_shape(Builder *b, const Inst *inst) {
    switch ((int)inst->op) {
    case OP_broadcast: return simplify_broadcast(b, inst);
    case OP_reshape: return simplify_reshape(b, inst);
    case OP_transpose: return simplify_transpose(b, inst);
    case OP_slice: return simplify_slice(b, inst);
    case OP_pad: return simplify_pad(inst);
    case OP_gather: return simplify_gather(inst);
    case OP_concat: return inst->operand_count == 1 ? inst->operands[0] : NULL;
    default: return NULL;
    }
}
