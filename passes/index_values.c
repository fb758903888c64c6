#include "passes/index_values.h"

enum { MOST_INDICES = 4096, DEEPEST = 24, MOST_AXES = 16 };

static bool is_static_integer(const Value *value) {
    return value->type.element == TYPE_I64 && type_is_static(value->type) &&
           value->type.rank <= MOST_AXES;
}

static int64_t size_at(Type type, int axis) {
    return dim_value(type.dims[axis]);
}

static bool value_at(const Value *value, const int64_t *place, int depth, int64_t *result);

static bool operand_at(const Inst *inst, int operand, const int64_t *place, int depth,
                       int64_t *result) {
    return value_at(inst->operands[operand], place, depth + 1, result);
}

static bool reshaped_at(const Inst *inst, const int64_t *place, int depth, int64_t *result) {
    Type from = inst->operands[0]->type, to = inst->results[0]->type;
    int64_t flat = 0, inner[MOST_AXES] = {0};
    for (int axis = 0; axis < to.rank; axis++) {
        flat = flat * size_at(to, axis) + place[axis];
    }
    for (int axis = from.rank - 1; axis >= 0; axis--) {
        inner[axis] = flat % size_at(from, axis);
        flat /= size_at(from, axis);
    }
    return operand_at(inst, 0, inner, depth, result);
}

static bool broadcast_at(const Inst *inst, const int64_t *place, int depth, int64_t *result) {
    Type from = inst->operands[0]->type;
    int64_t inner[MOST_AXES] = {0};
    for (int axis = 0; axis < from.rank; axis++) {
        inner[axis] = size_at(from, axis) == 1 ? 0 : place[inst->attr.axes.at[axis]];
    }
    return operand_at(inst, 0, inner, depth, result);
}

static bool combined_at(const Inst *inst, const int64_t *place, int depth, int64_t *result) {
    int64_t x, y;
    if (!operand_at(inst, 0, place, depth, &x) || !operand_at(inst, 1, place, depth, &y)) {
        return false;
    }
    switch (inst->op) {
    case OP_add: return !__builtin_add_overflow(x, y, result);
    case OP_sub: return !__builtin_sub_overflow(x, y, result);
    case OP_mul: return !__builtin_mul_overflow(x, y, result);
    case OP_minimum: *result = x < y ? x : y; return true;
    case OP_maximum: *result = x > y ? x : y; return true;
    case OP_floor_divide: *result = y > 0 && x >= 0 ? x / y : 0; return y > 0 && x >= 0;
    default: return false;
    }
}

static bool constant_at(const Inst *inst, const int64_t *place, int64_t *result) {
    const TensorData *data = inst->attr.data;
    int64_t flat = 0;
    for (int axis = 0; axis < data->type.rank; axis++) {
        flat = flat * size_at(data->type, axis) + place[axis];
    }
    *result = ((const int64_t *)data->bytes)[flat];
    return true;
}

static bool value_at(const Value *value, const int64_t *place, int depth, int64_t *result) {
    const Inst *inst = value->definition;
    if (inst == NULL || depth > DEEPEST || !is_static_integer(value)) {
        return false;
    }
    int64_t inner[MOST_AXES] = {0};
    switch (inst->op) {
    case OP_constant: return constant_at(inst, place, result);
    case OP_iota: *result = place[inst->attr.axis]; return true;
    case OP_detach: return operand_at(inst, 0, place, depth, result);
    case OP_reshape: return reshaped_at(inst, place, depth, result);
    case OP_broadcast: return broadcast_at(inst, place, depth, result);
    case OP_transpose:
        for (int axis = 0; axis < value->type.rank; axis++) {
            inner[inst->attr.axes.at[axis]] = place[axis];
        }
        return operand_at(inst, 0, inner, depth, result);
    case OP_neg:
        return operand_at(inst, 0, place, depth, result) && *result != INT64_MIN &&
               (*result = -*result, true);
    case OP_add:
    case OP_sub:
    case OP_mul:
    case OP_minimum:
    case OP_maximum:
    case OP_floor_divide: return combined_at(inst, place, depth, result);
    default: return false;
    }
}

const int64_t *known_indices(Arena *arena, const Value *value, int64_t *count) {
    if (!is_static_integer(value)) {
        return NULL;
    }
    Type type = value->type;
    *count = type_elements(type);
    if (*count == 0 || *count > MOST_INDICES) {
        return NULL;
    }
    int64_t *all = arena_array(arena, int64_t, *count);
    for (int64_t i = 0; i < *count; i++) {
        int64_t place[MOST_AXES] = {0}, rest = i;
        for (int axis = type.rank - 1; axis >= 0; axis--) {
            place[axis] = rest % size_at(type, axis);
            rest /= size_at(type, axis);
        }
        if (!value_at(value, place, 0, &all[i])) {
            return NULL;
        }
    }
    return all;
}

static const Value *without_moves(const Value *value) {
    for (;;) {
        const Inst *inst = value->definition;
        bool moves = inst != NULL && (inst->op == OP_broadcast || inst->op == OP_reshape ||
                                      inst->op == OP_transpose || inst->op == OP_detach);
        if (!moves) {
            return value;
        }
        value = inst->operands[0];
    }
}

bool index_bounds(Arena *arena, const Value *value, int64_t *low, int64_t *high) {
    value = without_moves(value);
    const Inst *inst = value->definition;
    if (inst == NULL || !is_static_integer(value) || type_elements(value->type) == 0) {
        return false;
    }
    if (inst->op == OP_argmax || inst->op == OP_argmin) {
        *low = 0;
        *high = size_at(inst->operands[0]->type, inst->attr.axis) - 1;
        return true;
    }
    if (inst->op == OP_select) {
        int64_t other_low, other_high;
        if (!index_bounds(arena, inst->operands[1], low, high) ||
            !index_bounds(arena, inst->operands[2], &other_low, &other_high)) {
            return false;
        }
        *low = other_low < *low ? other_low : *low;
        *high = other_high > *high ? other_high : *high;
        return true;
    }
    int64_t count;
    const int64_t *all = known_indices(arena, value, &count);
    for (int64_t i = 0; all != NULL && i < count; i++) {
        *low = i == 0 || all[i] < *low ? all[i] : *low;
        *high = i == 0 || all[i] > *high ? all[i] : *high;
    }
    return all != NULL;
}

// Is each element its own place along `axis`?
static bool is_own_place(const Value *index, int axis) {
    const Inst *inst = index->definition;
    if (inst != NULL && inst->op == OP_iota) {
        return inst->attr.axis == axis;
    }
    const Inst *iota =
        inst != NULL && inst->op == OP_broadcast ? inst->operands[0]->definition : NULL;
    if (iota == NULL || iota->op != OP_iota) {
        return false;
    }
    int from = iota->attr.axis;
    return inst->attr.axes.at[from] == axis &&
           dim_equal(iota->results[0]->type.dims[from], index->type.dims[axis]);
}

// The places along `axis` of an index that is the same along all other axes.
static const int64_t *places_along(Arena *arena, const Value *index, int axis, int64_t *count) {
    const Inst *inst = index->definition;
    if (index->type.rank == 1) {
        return known_indices(arena, index, count);
    }
    bool is_line = inst != NULL && inst->op == OP_broadcast && inst->operands[0]->type.rank == 1 &&
                   inst->attr.axes.at[0] == axis;
    const int64_t *places = is_line ? known_indices(arena, inst->operands[0], count) : NULL;
    return places != NULL && *count == size_at(index->type, axis) ? places : NULL;
}

bool find_selection(Arena *arena, Value *const *indices, Type shape, Selection *selection) {
    *selection = (Selection){.axis = -1};
    for (int axis = 0; axis < shape.rank; axis++) {
        Value *index = indices[axis];
        if (!type_is_static(index->type) || index->type.rank != shape.rank) {
            return false;
        }
        if (is_own_place(index, axis) &&
            (selection->axis >= 0 || size_at(index->type, axis) == size_at(shape, axis))) {
            if (size_at(index->type, axis) != size_at(shape, axis)) {
                return false;
            }
            continue;
        }
        if (selection->axis >= 0) {
            return false;
        }
        selection->axis = axis;
        selection->index = index;
        selection->at = places_along(arena, index, axis, &selection->count);
    }
    return true;
}

bool find_windows(const int64_t *at, int64_t count, Windows *windows) {
    for (int64_t size = 1; size <= count; size++) {
        if (count % size != 0) {
            continue;
        }
        Windows w = {.first = at[0], .count = count / size, .size = size};
        w.stride = w.count > 1 ? at[size] - at[0] : 1;
        w.dilation = size > 1 ? at[1] - at[0] : 1;
        bool agrees = w.first >= 0 && w.stride >= 1 && w.dilation >= 1;
        for (int64_t i = 0; i < count && agrees; i++) {
            agrees = at[i] == w.first + i / size * w.stride + i % size * w.dilation;
        }
        if (agrees) {
            *windows = w;
            return true;
        }
    }
    return false;
}
