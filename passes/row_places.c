// See row_places.h.
#include "passes/row_places.h"

#include <string.h>

static int64_t size_at(Type type, int axis) {
    return dim_value(type.dims[axis]);
}

// ---- contractions

// The labels of the operands and of the result.
typedef struct Labels {
    const char *start[3];
    int count[3];
} Labels;

static Labels split_labels(const char *labels) {
    const char *comma = strchr(labels, ','), *arrow = strchr(labels, '-');
    Labels split = {{labels, comma + 1, arrow + 2}, {0}};
    split.count[0] = (int)(comma - labels);
    split.count[1] = (int)(arrow - comma) - 1;
    split.count[2] = (int)strlen(arrow + 2);
    return split;
}

static int find_label(const Labels *labels, int part, char label) {
    for (int i = 0; i < labels->count[part]; i++) {
        if (labels->start[part][i] == label) {
            return i;
        }
    }
    return NOWHERE;
}

static void place_label(const Labels *labels, char label, int64_t minor, Place *operands) {
    for (int i = 0; i < 2; i++) {
        operands[i] = (Place){find_label(labels, i, label), minor};
    }
}

// ---- shapes

// Where the rows are after the shape has changed from `from` to `to`.
static bool reshaped_place(Type from, Type to, Place place, int64_t rows, Place *result) {
    int64_t outer = 1, before = 1;
    for (int i = 0; i < place.axis; i++) {
        outer *= size_at(from, i);
    }
    for (int i = 0; i < to.rank && before <= outer; i++) {
        if (before == outer && size_at(to, i) > 1) {
            *result = (Place){i, size_at(to, i) / rows};
            return size_at(to, i) % rows == 0;
        }
        before *= size_at(to, i);
    }
    return false;
}

// The axis whose index an index tensor is, or NOWHERE.
static int own_axis(const Value *value) {
    const Inst *inst = value->definition;
    if (inst == NULL) {
        return NOWHERE;
    }
    if (inst->op == OP_iota) {
        return inst->attr.axis;
    }
    if (inst->op != OP_broadcast) {
        return NOWHERE;
    }
    int axis = own_axis(inst->operands[0]);
    if (axis == NOWHERE) {
        return NOWHERE;
    }
    int to = inst->attr.axes.at[axis];
    return dim_equal(inst->operands[0]->type.dims[axis], value->type.dims[to]) ? to : NOWHERE;
}

// The number of operands of a gather or scatter before its indices.
static int first_index(const Inst *inst) {
    return inst->op == OP_gather ? 1 : 2;
}

// The axis of what a gather reads, or a scatter changes, that is addressed by the own index along
// `axis` of the index tensors, and as long as that.
static int addressed_axis(const Inst *inst, int axis) {
    const Value *base = inst->operands[0];
    int first = first_index(inst);
    for (int i = 0; i < base->type.rank; i++) {
        const Value *index = inst->operands[first + i];
        if (own_axis(index) == axis && dim_equal(base->type.dims[i], index->type.dims[axis])) {
            return i;
        }
    }
    return NOWHERE;
}

static bool takes_whole_axis(const Inst *inst, int axis) {
    const Attribute *attr = &inst->attr;
    Type from = inst->operands[0]->type, to = inst->results[0]->type;
    const Dim *moved = inst->op == OP_slice ? attr->start.at[axis] : attr->low.at[axis];
    return dim_value(moved) == 0 && attr->step.at[axis] == 1 &&
           dim_equal(from.dims[axis], to.dims[axis]);
}

static int find_axis(Ints axes, int axis) {
    for (int i = 0; i < axes.count; i++) {
        if (axes.at[i] == axis) {
            return i;
        }
    }
    return NOWHERE;
}

static int axes_below(Ints axes, int axis) {
    int count = 0;
    for (int i = 0; i < axes.count; i++) {
        count += axes.at[i] < axis;
    }
    return count;
}

static int left_axis(const Inst *inst, int axis) {
    if (inst->op == OP_argmax || inst->op == OP_argmin) {
        return axis == inst->attr.axis ? NOWHERE : axis - (axis > inst->attr.axis);
    }
    return find_axis(inst->attr.axes, axis) != NOWHERE ? NOWHERE
                                                       : axis - axes_below(inst->attr.axes, axis);
}

// ---- from operands to results

static bool indexed_place(const Inst *inst, int operand, Place place, Place *result) {
    bool is_base = operand == 0, is_gather = inst->op == OP_gather;
    if (is_base && !is_gather) {
        *result = place;
    } else if (is_base) {
        int axis = own_axis(inst->operands[1 + place.axis]);
        *result = (Place){axis, place.minor};
        return axis != NOWHERE && addressed_axis(inst, axis) == place.axis;
    } else if (is_gather) {
        *result = place;
    } else {
        *result = (Place){addressed_axis(inst, place.axis), place.minor};
        return result->axis != NOWHERE;
    }
    return true;
}

bool result_place(const Inst *inst, int operand, Place place, int64_t rows, Place *result) {
    const Attribute *attr = &inst->attr;
    Type from = inst->operands[operand]->type, to = inst->results[0]->type;
    *result = place;
    if (op_info(inst->op)->traits & REDUCES) {
        result->axis = left_axis(inst, place.axis);
        return result->axis != NOWHERE;
    }
    switch (inst->op) {
    case OP_detach: return true;
    case OP_broadcast:
        result->axis = attr->axes.at[place.axis];
        return dim_equal(from.dims[place.axis], to.dims[result->axis]);
    case OP_reshape: return reshaped_place(from, to, place, rows, result);
    case OP_transpose:
        result->axis = find_axis(attr->axes, place.axis);
        return result->axis != NOWHERE;
    case OP_slice:
    case OP_pad: return operand == 0 && takes_whole_axis(inst, place.axis);
    case OP_concat: return place.axis != attr->axis;
    case OP_gather:
    case OP_scatter_add:
    case OP_scatter_set: return indexed_place(inst, operand, place, result);
    case OP_cumsum: return place.axis != attr->axis;
    case OP_contract: {
        Labels labels = split_labels(attr->labels);
        result->axis = find_label(&labels, 2, labels.start[operand][place.axis]);
        return result->axis != NOWHERE;
    }
    default: return op_info(inst->op)->elementwise;
    }
}

// ---- from results to operands

static bool indexed_operands(const Inst *inst, Place place, Place *operands) {
    int first = first_index(inst), axis = place.axis;
    if (inst->op == OP_gather) {
        operands[0] = (Place){addressed_axis(inst, axis), place.minor};
    } else {
        operands[0] = place;
        axis = own_axis(inst->operands[first + axis]);
        if (axis == NOWHERE || addressed_axis(inst, axis) != place.axis) {
            return false;
        }
    }
    for (int i = 1; i < inst->operand_count; i++) {
        operands[i] = (Place){axis, place.minor};
    }
    return true;
}

static int unreduced_axis(const Inst *inst, int axis) {
    if (inst->op == OP_argmax || inst->op == OP_argmin) {
        return axis + (axis >= inst->attr.axis);
    }
    for (int i = 0; i < inst->attr.axes.count; i++) {
        axis += inst->attr.axes.at[i] <= axis;
    }
    return axis;
}

bool operand_places(const Inst *inst, Place place, int64_t rows, Place *operands) {
    const Attribute *attr = &inst->attr;
    Type to = inst->results[0]->type;
    for (int i = 0; i < inst->operand_count; i++) {
        operands[i] = op_info(inst->op)->elementwise || inst->op == OP_concat ? place : no_place;
    }
    if (op_info(inst->op)->traits & REDUCES) {
        operands[0] = (Place){unreduced_axis(inst, place.axis), place.minor};
        return true;
    }
    switch (inst->op) {
    case OP_iota: return true;
    case OP_detach: operands[0] = place; return true;
    case OP_broadcast: {
        int axis = find_axis(attr->axes, place.axis);
        if (axis != NOWHERE && dim_equal(inst->operands[0]->type.dims[axis], to.dims[place.axis])) {
            operands[0] = (Place){axis, place.minor};
        }
        return true;
    }
    case OP_reshape: return reshaped_place(to, inst->operands[0]->type, place, rows, &operands[0]);
    case OP_transpose: operands[0] = (Place){attr->axes.at[place.axis], place.minor}; return true;
    case OP_slice:
    case OP_pad: operands[0] = place; return takes_whole_axis(inst, place.axis);
    case OP_concat: return place.axis != attr->axis;
    case OP_gather:
    case OP_scatter_add:
    case OP_scatter_set: return indexed_operands(inst, place, operands);
    case OP_cumsum: operands[0] = place; return place.axis != attr->axis;
    case OP_contract: {
        Labels labels = split_labels(attr->labels);
        place_label(&labels, labels.start[2][place.axis], place.minor, operands);
        return true;
    }
    default: return op_info(inst->op)->elementwise;
    }
}

bool sums_over_rows(const Inst *inst, int operand, Place place, Place *operands) {
    if (inst->op == OP_reduce_sum) {
        operands[0] = place;
        return find_axis(inst->attr.axes, place.axis) != NOWHERE;
    }
    if (inst->op != OP_contract) {
        return false;
    }
    Labels labels = split_labels(inst->attr.labels);
    char label = labels.start[operand][place.axis];
    place_label(&labels, label, place.minor, operands);
    return find_label(&labels, 2, label) == NOWHERE;
}

// ---- building

static const Dim **copy_dims(Module *module, const Dim *const *dims, int count) {
    const Dim **copy = arena_array(module->arena, const Dim *, count + 1);
    for (int i = 0; i < count; i++) {
        copy[i] = dims[i];
    }
    return copy;
}

Type type_with_rows(Module *module, Type type, Place place, int64_t rows) {
    const Dim **dims = copy_dims(module, type.dims, type.rank);
    dims[place.axis] = dim_constant(module->dims, rows * place.minor);
    return (Type){type.element, type.rank, dims};
}

// The indices of a block's rows along its axis: of the iota `inst`.
static Value *build_shifted_iota(Builder *b, const Inst *inst, Dims shape, Place place,
                                 Value *start) {
    Value *iota = build_iota(b, inst->attr.element, shape, inst->attr.axis);
    if (inst->attr.axis != place.axis) {
        return iota;
    }
    Value *minor = build_scalar_integer(b, TYPE_I64, place.minor);
    Value *first = place.minor == 1 ? start : build_mul(b, start, minor);
    return build_add(b, iota, build_cast(b, first, inst->attr.element));
}

// The index tensors by which a gather or scatter finds its own rows: not shifted.
static void keep_own_indices(Builder *b, const Inst *inst, Value **operands, Place place) {
    int first = first_index(inst);
    bool is_gather = inst->op == OP_gather;
    int axis = is_gather ? place.axis : own_axis(inst->operands[first + place.axis]);
    int addressed = is_gather ? addressed_axis(inst, axis) : place.axis;
    if (addressed != NOWHERE) {
        Value **index = &operands[first + addressed];
        *index = build_iota(b, (*index)->type.element, value_shape(*index), axis);
    }
}

Value *build_rows_of(Builder *b, const Inst *inst, Value *const *operands, Place place,
                     int64_t rows, Value *start) {
    Type type = type_with_rows(b->module, inst->results[0]->type, place, rows);
    Attribute attr = inst->attr;
    attr.shape = attr.shape.count > 0 ? (Dims){type.dims, type.rank} : attr.shape;
    Value **changed = arena_array(b->module->arena, Value *, inst->operand_count);
    for (int i = 0; i < inst->operand_count; i++) {
        changed[i] = operands[i];
    }
    Builder at = *b;
    at.span = inst->span;
    switch (inst->op) {
    case OP_iota: return build_shifted_iota(&at, inst, attr.shape, place, start);
    case OP_slice: {
        const Dim **stop = copy_dims(b->module, attr.stop.at, attr.stop.count);
        stop[place.axis] = type.dims[place.axis];
        attr.stop.at = stop;
        break;
    }
    case OP_gather:
    case OP_scatter_add:
    case OP_scatter_set: keep_own_indices(&at, inst, changed, place); break;
    default: break;
    }
    Value *value = build_op(&at, inst->op, changed, inst->operand_count, &attr);
    value->name = inst->results[0]->name;
    return value;
}

Value *slice_rows(Builder *b, Value *x, Place place, int64_t first, int64_t rows) {
    int rank = x->type.rank;
    const Dim **start = arena_array(b->module->arena, const Dim *, rank);
    const Dim **stop = copy_dims(b->module, x->type.dims, rank);
    int *step = arena_array(b->module->arena, int, rank);
    for (int i = 0; i < rank; i++) {
        start[i] = dim_constant(b->module->dims, i == place.axis ? first * place.minor : 0);
        step[i] = 1;
    }
    stop[place.axis] = dim_constant(b->module->dims, (first + rows) * place.minor);
    if (first == 0 && dim_equal(stop[place.axis], x->type.dims[place.axis])) {
        return x;
    }
    return build_slice(b, x, (Dims){start, rank}, (Dims){stop, rank}, step);
}

// `x` with an axis of blocks, each of `block`'s type, before that of the rows.
static Value *split_rows(Builder *b, Value *x, Type block, Place place, int64_t blocks) {
    const Dim **dims = arena_array(b->module->arena, const Dim *, block.rank + 1);
    for (int i = 0; i < block.rank; i++) {
        dims[i + (i >= place.axis)] = block.dims[i];
    }
    dims[place.axis] = dim_constant(b->module->dims, blocks);
    return build_reshape(b, x, (Dims){dims, block.rank + 1});
}

Value *take_block(Builder *b, Value *x, Place place, int64_t blocks, int64_t rows, Value *block) {
    Type type = type_with_rows(b->module, x->type, place, rows);
    int rank = x->type.rank;
    bool single = rows * place.minor == 1; // the axis has the blocks already
    Value *whole = single ? x : split_rows(b, x, type, place, blocks);
    Dims shape = {type.dims, rank};
    Value **indices = arena_array(b->module->arena, Value *, rank + 1);
    for (int i = 0; i < rank; i++) {
        indices[i + (i >= place.axis && !single)] = build_iota(b, TYPE_I64, shape, i);
    }
    indices[place.axis] = build_broadcast_to(b, block, shape);
    Value *taken = build_gather(b, whole, indices);
    taken->name = x->name;
    return taken;
}

Value *join_blocks(Builder *b, Value *stack, Place place) {
    int rank = stack->type.rank;
    int *order = arena_array(b->module->arena, int, rank);
    const Dim **dims = copy_dims(b->module, stack->type.dims + 1, rank - 1);
    for (int i = 0; i < rank; i++) {
        order[i] = i < place.axis ? i + 1 : i == place.axis ? 0 : i;
    }
    Value *ordered = place.axis == 0 ? stack : build_transpose(b, stack, order);
    dims[place.axis] = dim_multiply(b->module->dims, dims[place.axis], stack->type.dims[0]);
    return build_reshape(b, ordered, (Dims){dims, rank - 1});
}
