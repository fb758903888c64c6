// Subscripts of the writer: indices of gather and scatter, and slices, as x[i, 2:5, idx] where that
// means the same.
#include <string.h>

#include "frontend/write_internal.h"

enum { RANK_MAX = 16 };

typedef enum AxisKind { AXIS_SCALAR, AXIS_RANGE, AXIS_ARRAY } AxisKind;

// Where the index into one axis comes from.
typedef struct AxisIndex {
    AxisKind kind;
    Value *value;  // scalar, array; range: where it starts if that is computed
    int64_t start; // range
    int64_t size;  // range
    int place;     // range and array: the axis of the result
} AxisIndex;

static const Inst *definition(const Value *value, Op op) {
    return value->definition != NULL && value->definition->op == op ? value->definition : NULL;
}

// The number that all elements have.
static bool same_integer(const Value *value, int64_t *number) {
    const Inst *broadcast = definition(value, OP_broadcast);
    if (broadcast != NULL) {
        return same_integer(broadcast->operands[0], number);
    }
    if (!is_scalar_constant(value) || value->type.element != TYPE_I64) {
        return false;
    }
    memcpy(number, value->definition->attr.data->bytes, sizeof *number);
    return true;
}

// `t` in t < 0 ? t + size : t.
static Value *unwrapped(Value *value, int64_t size) {
    const Inst *select = definition(value, OP_select);
    const Inst *test = select == NULL ? NULL : definition(select->operands[0], OP_lt);
    const Inst *sum = select == NULL ? NULL : definition(select->operands[1], OP_add);
    int64_t zero, added;
    if (test == NULL || sum == NULL || !same_integer(test->operands[1], &zero) || zero != 0) {
        return NULL;
    }
    Value *index = select->operands[2];
    bool adds_size = (sum->operands[0] == index && same_integer(sum->operands[1], &added)) ||
                     (sum->operands[1] == index && same_integer(sum->operands[0], &added));
    return adds_size && test->operands[0] == index && added == size ? index : NULL;
}

static bool is_never_negative(Writer *w, const Value *value) {
    const Dim *low = lower_bound(&w->bounds, value);
    return low != NULL && dim_is_at_least(w->bounds.dims, low, 0);
}

static bool read_scalar(Writer *w, Value *value, int64_t size, AxisIndex *axis) {
    Value *plain = unwrapped(value, size);
    int64_t number;
    axis->kind = AXIS_SCALAR;
    axis->value = plain != NULL ? plain : value;
    if (same_integer(axis->value, &number)) {
        return number >= 0 && number < size;
    }
    return plain != NULL || is_never_negative(w, value);
}

// 0, 1, 2 ... along one axis of the result.
static bool read_iota(const Value *value, int *place) {
    const Inst *iota = definition(value, OP_iota), *broadcast = definition(value, OP_broadcast);
    if (iota != NULL) {
        *place = iota->attr.axis;
        return true;
    }
    if (broadcast != NULL && read_iota(broadcast->operands[0], place)) {
        *place = broadcast->attr.axes.at[*place];
        return true;
    }
    return false;
}

static bool read_range(Value *value, AxisIndex *axis) {
    const Inst *sum = definition(value, OP_add);
    axis->kind = AXIS_RANGE;
    axis->value = NULL;
    axis->start = 0;
    if (read_iota(value, &axis->place)) {
        return true;
    }
    for (int i = 0; sum != NULL && i < 2; i++) {
        Value *offset = sum->operands[1 - i];
        const Inst *broadcast = definition(offset, OP_broadcast);
        if (!read_iota(sum->operands[i], &axis->place)) {
            continue;
        }
        if (same_integer(offset, &axis->start)) {
            return axis->start >= 0;
        }
        if (broadcast != NULL && broadcast->operands[0]->type.rank == 0) {
            axis->value = broadcast->operands[0];
            return true;
        }
    }
    return false;
}

static bool read_array(Value *value, int64_t size, AxisIndex *axis) {
    const Inst *broadcast = definition(value, OP_broadcast);
    Value *array = broadcast == NULL ? value : broadcast->operands[0];
    axis->kind = AXIS_ARRAY;
    axis->place = 0;
    if (broadcast != NULL) {
        Ints axes = broadcast->attr.axes;
        for (int i = 0; i < axes.count; i++) {
            if (axes.at[i] != axes.at[0] + i ||
                !dim_equal(array->type.dims[i], value->type.dims[axes.at[i]])) {
                return false;
            }
        }
        axis->place = axes.at[0];
    }
    axis->value = unwrapped(array, size);
    return axis->value != NULL;
}

static bool read_axis(Writer *w, Value *value, Type shape, int64_t size, AxisIndex *axis) {
    const Inst *broadcast = definition(value, OP_broadcast);
    if (shape.rank == 0) {
        return read_scalar(w, value, size, axis);
    }
    if (broadcast != NULL && broadcast->operands[0]->type.rank == 0) {
        return read_scalar(w, broadcast->operands[0], size, axis);
    }
    if (read_range(value, axis)) {
        axis->size = dim_value(shape.dims[axis->place]);
        return axis->value != NULL || axis->start + axis->size <= size;
    }
    return read_array(value, size, axis);
}

static void add_axis(Writer *w, PieceList *pieces, const AxisIndex *axis, int64_t size) {
    if (axis->kind != AXIS_RANGE) {
        add_value(w, pieces, axis->value, BINDS_CHOICE + 1, true);
    } else if (axis->value != NULL) {
        add_value(w, pieces, axis->value, BINDS_SUM, true);
        add_text(w, pieces, ":");
        add_value(w, pieces, axis->value, BINDS_SUM, true);
        add_text(w, pieces, " + %lld", (long long)axis->size);
    } else if (axis->start == 0 && axis->size == size) {
        add_text(w, pieces, ":");
    } else {
        add_text(w, pieces, "%lld:%lld", (long long)axis->start,
                 (long long)(axis->start + axis->size));
    }
}

static bool is_whole(const AxisIndex *axis, int64_t size) {
    return axis->kind == AXIS_RANGE && axis->value == NULL && axis->start == 0 &&
           axis->size == size;
}

bool add_subscripts(Writer *w, PieceList *pieces, Type tensor, Value *const *indices, Type shape,
                    bool *has_array) {
    AxisIndex axes[RANK_MAX];
    int next = 0, arrays = 0, last = 0;
    for (int i = 0; i < tensor.rank; i++) {
        int64_t size = dim_value(tensor.dims[i]);
        if (!read_axis(w, indices[i], shape, size, &axes[i])) {
            return false;
        }
        arrays += axes[i].kind == AXIS_ARRAY;
        if (axes[i].kind != AXIS_SCALAR) {
            if (axes[i].place != next) {
                return false;
            }
            next += axes[i].kind == AXIS_RANGE ? 1 : axes[i].value->type.rank;
        }
        last = is_whole(&axes[i], size) ? last : i;
    }
    *has_array = arrays > 0;
    if (tensor.rank == 0 || next != shape.rank || arrays > 1) {
        return false;
    }
    for (int i = 0; i <= last; i++) {
        add_text(w, pieces, "%s", i > 0 ? ", " : "");
        add_axis(w, pieces, &axes[i], dim_value(tensor.dims[i]));
    }
    return true;
}

// ---- slices

// The axes of size 1 that `reshape` drops; false if it does anything else.
static bool find_dropped(const Inst *slice, const Inst *reshape, bool *dropped) {
    Type from = slice->results[0]->type, to = reshape->results[0]->type;
    int next = 0;
    for (int i = 0; i < from.rank; i++) {
        int64_t size;
        bool is_one = dim_is_constant(from.dims[i], &size) && size == 1;
        bool stays = next < to.rank && dim_equal(to.dims[next], from.dims[i]) &&
                     !(is_one && from.rank - i > to.rank - next);
        dropped[i] = !stays;
        if (!stays && !is_one) {
            return false;
        }
        next += stays;
    }
    return next == to.rank;
}

static void add_slice(Writer *w, PieceList *pieces, const Inst *slice, int axis) {
    int64_t start = dim_value(slice->attr.start.at[axis]);
    int64_t stop = dim_value(slice->attr.stop.at[axis]);
    int64_t size = dim_value(slice->operands[0]->type.dims[axis]);
    int step = slice->attr.step.at[axis];
    if (start != 0) {
        add_text(w, pieces, "%lld", (long long)start);
    }
    add_text(w, pieces, ":");
    if (stop != size) {
        add_text(w, pieces, "%lld", (long long)stop);
    }
    if (step != 1) {
        add_text(w, pieces, ":%d", step);
    }
}

bool add_slices(Writer *w, PieceList *pieces, const Inst *slice, const Inst *reshape) {
    bool dropped[RANK_MAX] = {false};
    int rank = slice->operands[0]->type.rank, last = 0;
    if (rank == 0 || (reshape != NULL && !find_dropped(slice, reshape, dropped))) {
        return false;
    }
    for (int i = 0; i < rank; i++) {
        if (slice->attr.step.at[i] < 1) {
            return false;
        }
        bool is_all = !dropped[i] && slice->attr.step.at[i] == 1 &&
                      dim_equal(slice->results[0]->type.dims[i], slice->operands[0]->type.dims[i]);
        last = is_all ? last : i;
    }
    add_value(w, pieces, slice->operands[0], BINDS_ATOM, false);
    add_text(w, pieces, "[");
    for (int i = 0; i <= last; i++) {
        add_text(w, pieces, "%s", i > 0 ? ", " : "");
        if (dropped[i]) {
            add_text(w, pieces, "%lld", (long long)dim_value(slice->attr.start.at[i]));
        } else {
            add_slice(w, pieces, slice, i);
        }
    }
    add_text(w, pieces, "]");
    return true;
}
