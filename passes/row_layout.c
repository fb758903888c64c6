// See row_layout.h.
#include "passes/row_layout.h"

#include <string.h>

#include "ir/edit.h"

// Where an axis is after axis `from`, if any, has become the last one.
static int moved_axis(int axis, int from, int rank) {
    if (from == NOWHERE) {
        return axis;
    }
    return axis == from ? rank - 1 : axis - (axis > from);
}

// The axis that axis `axis` was before.
static int former_axis(int axis, int from, int rank) {
    if (from == NOWHERE) {
        return axis;
    }
    return axis == rank - 1 ? from : axis + (axis >= from);
}

static const Dim **moved_dims(Builder *b, const Dim *const *dims, int from, int rank) {
    const Dim **moved = arena_array(b->module->arena, const Dim *, rank + 1);
    for (int i = 0; i < rank; i++) {
        moved[i] = dims[former_axis(i, from, rank)];
    }
    return moved;
}

static bool broadcasts_in_order(const Inst *inst, Place place, Place from) {
    int rank = inst->results[0]->type.rank, operand_rank = inst->operands[0]->type.rank;
    for (int i = 1; i < operand_rank; i++) {
        int before = inst->attr.axes.at[former_axis(i - 1, from.axis, operand_rank)];
        int axis = inst->attr.axes.at[former_axis(i, from.axis, operand_rank)];
        if (moved_axis(before, place.axis, rank) > moved_axis(axis, place.axis, rank)) {
            return false;
        }
    }
    return true;
}

bool can_put_rows_last(const Inst *inst, Place place, const Place *places) {
    bool is_plain = place.minor == 1;
    for (int i = 0; i < inst->operand_count; i++) {
        is_plain = is_plain && places[i].minor == 1;
    }
    return is_plain && (inst->op != OP_broadcast || broadcasts_in_order(inst, place, places[0]));
}

// ---- building

typedef struct Moving {
    Builder *b;
    const Inst *inst;
    Value **operands;
    Place place;
    const Place *places;
    Type type; // of the result, its rows last
    int64_t rows;
    Value *start;
} Moving;

static Ints moved_axes(const Moving *it, Ints axes, int from, int rank) {
    int *moved = arena_array(it->b->module->arena, int, axes.count + 1);
    for (int i = 0; i < axes.count; i++) {
        int axis = moved_axis(axes.at[i], from, rank), at = i;
        for (; at > 0 && moved[at - 1] > axis; at--) {
            moved[at] = moved[at - 1];
        }
        moved[at] = axis;
    }
    return (Ints){moved, axes.count};
}

static Value *build_moved_iota(const Moving *it) {
    int rank = it->type.rank;
    int axis = moved_axis(it->inst->attr.axis, it->place.axis, rank);
    Value *iota = build_iota(it->b, it->inst->attr.element, (Dims){it->type.dims, rank}, axis);
    if (it->inst->attr.axis != it->place.axis) {
        return iota;
    }
    return build_add(it->b, iota, build_cast(it->b, it->start, it->inst->attr.element));
}

static Value *build_moved_broadcast(const Moving *it) {
    const Value *x = it->inst->operands[0];
    int *axes = arena_array(it->b->module->arena, int, x->type.rank + 1);
    for (int i = 0; i < x->type.rank; i++) {
        int axis = it->inst->attr.axes.at[former_axis(i, it->places[0].axis, x->type.rank)];
        axes[i] = moved_axis(axis, it->place.axis, it->type.rank);
    }
    return build_broadcast(it->b, it->operands[0], (Dims){it->type.dims, it->type.rank}, axes);
}

static Value *build_moved_transpose(const Moving *it) {
    int rank = it->type.rank;
    int *order = arena_array(it->b->module->arena, int, rank + 1);
    for (int i = 0; i < rank; i++) {
        int axis = it->inst->attr.axes.at[former_axis(i, it->place.axis, rank)];
        order[i] = moved_axis(axis, it->places[0].axis, rank);
    }
    return build_transpose(it->b, it->operands[0], order);
}

static Ints moved_steps(const Moving *it, Ints steps) {
    int *moved = arena_array(it->b->module->arena, int, steps.count + 1);
    for (int i = 0; i < steps.count; i++) {
        moved[i] = steps.at[former_axis(i, it->place.axis, steps.count)];
    }
    return (Ints){moved, steps.count};
}

static Dims moved_bounds(const Moving *it, Dims bounds) {
    return (Dims){moved_dims(it->b, bounds.at, it->place.axis, bounds.count), bounds.count};
}

static Value *build_moved_slice(const Moving *it) {
    Attribute attr = it->inst->attr;
    int rank = it->type.rank;
    attr.step = moved_steps(it, attr.step);
    if (it->inst->op == OP_pad) {
        attr.low = moved_bounds(it, attr.low);
        attr.high = moved_bounds(it, attr.high);
    } else {
        attr.start = moved_bounds(it, attr.start);
        const Dim **stop = moved_dims(it->b, attr.stop.at, it->place.axis, rank);
        stop[rank - 1] = it->type.dims[rank - 1];
        attr.stop = (Dims){stop, rank};
    }
    return build_op(it->b, it->inst->op, it->operands, it->inst->operand_count, &attr);
}

// Indices are one for each axis of what is addressed. That along the rows is each row's own.
static Value *build_moved_indices(const Moving *it) {
    const Inst *inst = it->inst;
    int first = inst->op == OP_gather ? 1 : 2, rank = inst->operands[0]->type.rank;
    int from = it->places[0].axis;
    Value **operands = arena_array(it->b->module->arena, Value *, inst->operand_count);
    for (int i = 0; i < first; i++) {
        operands[i] = it->operands[i];
    }
    for (int i = 0; i < rank; i++) {
        operands[first + i] = it->operands[first + former_axis(i, from, rank)];
    }
    if (from != NOWHERE) {
        Value **own = &operands[first + rank - 1];
        *own = build_iota(it->b, (*own)->type.element, value_shape(*own), (*own)->type.rank - 1);
    }
    return build_op(it->b, inst->op, operands, inst->operand_count, &inst->attr);
}

static Value *build_moved_reduction(const Moving *it) {
    Attribute attr = it->inst->attr;
    int rank = it->inst->operands[0]->type.rank;
    attr.axis = moved_axis(attr.axis, it->places[0].axis, rank);
    attr.axes = moved_axes(it, attr.axes, it->places[0].axis, rank);
    return build_op(it->b, it->inst->op, it->operands, it->inst->operand_count, &attr);
}

static Value *build_moved_concat(const Moving *it) {
    int axis = moved_axis(it->inst->attr.axis, it->place.axis, it->type.rank);
    return build_concat(it->b, it->operands, it->inst->operand_count, axis);
}

// Writes the labels of one operand, or of the result, and what stands behind them.
static void move_labels(Text *text, const char **labels, Place place, const char *end) {
    const char *at = *labels;
    int count = (int)strcspn(at, ",-");
    for (int i = 0; i < count; i++) {
        text_format(text, "%c", at[former_axis(i, place.axis, count)]);
    }
    text_format(text, "%s", end);
    *labels = at + count + strlen(end);
}

static Value *build_moved_contract(const Moving *it) {
    Text text = text_new(it->b->module->arena);
    const char *labels = it->inst->attr.labels;
    move_labels(&text, &labels, it->places[0], ",");
    move_labels(&text, &labels, it->places[1], "->");
    move_labels(&text, &labels, it->place, "");
    return build_contract(it->b, it->operands[0], it->operands[1], text_string(&text));
}

static Value *build_moved(const Moving *it) {
    if (op_info(it->inst->op)->traits & REDUCES) {
        return build_moved_reduction(it);
    }
    switch (it->inst->op) {
    case OP_iota: return build_moved_iota(it);
    case OP_broadcast: return build_moved_broadcast(it);
    case OP_reshape:
        return build_reshape(it->b, it->operands[0], (Dims){it->type.dims, it->type.rank});
    case OP_transpose: return build_moved_transpose(it);
    case OP_slice:
    case OP_pad: return build_moved_slice(it);
    case OP_gather:
    case OP_scatter_add:
    case OP_scatter_set: return build_moved_indices(it);
    case OP_cumsum: return build_moved_reduction(it);
    case OP_concat: return build_moved_concat(it);
    case OP_contract: return build_moved_contract(it);
    default:
        return build_op(it->b, it->inst->op, it->operands, it->inst->operand_count,
                        &it->inst->attr);
    }
}

Value *build_rows_last(Builder *b, const Inst *inst, Value *const *operands, Place place,
                       const Place *places, int64_t rows, Value *start) {
    Builder at = *b;
    at.span = inst->span;
    Moving it = {.b = &at, .inst = inst, .place = place, .places = places, .rows = rows};
    it.start = start;
    it.operands = arena_array(b->module->arena, Value *, inst->operand_count + 1);
    for (int i = 0; i < inst->operand_count; i++) {
        it.operands[i] = operands[i];
    }
    it.type = inst->results[0]->type;
    if (has_rows(place)) {
        it.type = type_with_rows(b->module, it.type, place, rows);
        it.type.dims = moved_dims(b, it.type.dims, place.axis, it.type.rank);
    }
    Value *made = build_moved(&it);
    made->name = inst->results[0]->name;
    return made;
}

static Value *move_axes(Builder *b, Value *x, int axis, int (*from)(int, int, int)) {
    int rank = x->type.rank;
    int *order = arena_array(b->module->arena, int, rank + 1);
    for (int i = 0; i < rank; i++) {
        order[i] = from(i, axis, rank);
    }
    return axis == rank - 1 ? x : build_transpose(b, x, order);
}

Value *put_rows_last(Builder *b, Value *x, Place place) {
    return move_axes(b, x, place.axis, former_axis);
}

Value *put_rows_back(Builder *b, Value *x, Place place) {
    return move_axes(b, x, place.axis, moved_axis);
}
