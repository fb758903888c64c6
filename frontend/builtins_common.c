// What the handlers of built-in functions share: reading arguments, shapes of results.
#include "frontend/builtins.h"

#include <inttypes.h>

Value *tensor_at(const Call *call, int index) {
    check(is_tensor(call->at[index]), "argument %d of %s is not a tensor", index,
          builtin_name(call->builtin));
    return call->at[index].tensor;
}

bool is_given(const Call *call, int index) {
    return call->at[index].kind != VAL_NONE;
}

int64_t int_at(const Call *call, int index) {
    int64_t number = 0;
    check(val_known_int(call->at[index], &number), "argument %d is not an integer", index);
    return number;
}

double number_at(const Call *call, int index) {
    double number = 0;
    check(val_known_real(call->at[index], &number), "argument %d is not a number", index);
    return number;
}

const char *string_at(const Call *call, int index) {
    return call->at[index].string;
}

static bool normalise_axis(Call *call, int index, int rank, int64_t number, int *axis) {
    Elaborator *e = call->e;
    int64_t room = rank == 0 ? 1 : rank; // a scalar is taken as having one axis, as in PyTorch
    if (number < -room || number >= room) {
        if (rank == 0) {
            report(e, call->spans[index],
                   "%s: dim %" PRId64 " is out of range: a scalar has no axes",
                   builtin_name(call->builtin), number);
        } else {
            report(e, call->spans[index],
                   "%s: dim %" PRId64 " is out of range for %d ax%s: it must lie in %" PRId64
                   " .. %" PRId64,
                   builtin_name(call->builtin), number, rank, rank == 1 ? "is" : "es", -room,
                   room - 1);
        }
        return false;
    }
    *axis = (int)(number < 0 ? number + room : number);
    return true;
}

bool axis_at(Call *call, int index, int rank, int *axis) {
    return normalise_axis(call, index, rank, int_at(call, index), axis);
}

bool ordered_axes_at(Call *call, int index, int rank, Ints *axes) {
    const ValList *list = &call->at[index].list;
    int *at = arena_array(call->e->module->arena, int, list->count);
    *axes = (Ints){at, list->count};
    for (int i = 0; i < list->count; i++) {
        int64_t number;
        if (!val_known_int(list->at[i], &number)) {
            report(call->e, call->spans[index], "%s: a dim must be a known integer",
                   builtin_name(call->builtin));
            return false;
        }
        if (!normalise_axis(call, index, rank, number, &at[i])) {
            return false;
        }
        for (int k = 0; k < i; k++) {
            if (at[k] == at[i]) {
                report(call->e, call->spans[index], "%s: dim %d is named twice",
                       builtin_name(call->builtin), at[i]);
                return false;
            }
        }
    }
    return true;
}

bool axes_at(Call *call, int index, int rank, Ints *axes) {
    bool is_all = !is_given(call, index) || call->at[index].list.count == 0;
    if (!is_all) {
        if (!ordered_axes_at(call, index, rank, axes)) {
            return false;
        }
        if (rank == 0) {
            axes->count = 0;
        }
    } else {
        *axes = (Ints){arena_array(call->e->module->arena, int, rank), rank};
    }
    int *at = arena_array(call->e->module->arena, int, rank);
    int count = 0;
    for (int axis = 0; axis < rank; axis++) {
        bool found = is_all;
        for (int i = 0; !is_all && i < axes->count; i++) {
            found = found || axes->at[i] == axis;
        }
        if (found) {
            at[count++] = axis;
        }
    }
    *axes = (Ints){at, count};
    return true;
}

// `most_open`: how many sizes may be -1.
static bool read_shape(Call *call, int index, int most_open, Dims *shape) {
    Elaborator *e = call->e;
    const ValList *list = &call->at[index].list;
    const Dim **dims;
    int open = 0;
    *shape = make_dims(e, list->count, &dims);
    for (int i = 0; i < list->count; i++) {
        int64_t size;
        dims[i] = list->at[i].dim;
        if (!dim_is_constant(dims[i], &size) || size >= 0) {
            continue;
        }
        if (size != -1 || ++open > most_open) {
            report(e, call->spans[index],
                   size == -1 && most_open > 0 ? "%s: only one size can be -1"
                                               : "%s: a size cannot be negative",
                   builtin_name(call->builtin));
            return false;
        }
        dims[i] = NULL;
    }
    return open > 0 || check_shape(e, call->spans[index], *shape);
}

bool shape_at(Call *call, int index, bool allows_minus_one, Dims *shape) {
    return read_shape(call, index, allows_minus_one ? 1 : 0, shape);
}

bool open_shape_at(Call *call, int index, Dims *shape) {
    return read_shape(call, index, call->at[index].list.count, shape);
}

ElementType element_at(const Call *call, int index, ElementType otherwise) {
    return is_given(call, index) ? call->at[index].element : otherwise;
}

const Dim *constant_of(const Call *call, int64_t value) {
    return constant_dim(call->e, value);
}

Dims shape_without(const Call *call, Type type, int axis) {
    const Dim **dims;
    Dims shape = make_dims(call->e, type.rank - 1, &dims);
    for (int i = 0; i < shape.count; i++) {
        dims[i] = type.dims[i < axis ? i : i + 1];
    }
    return shape;
}

Dims shape_with(const Call *call, Type type, int axis, const Dim *size) {
    const Dim **dims;
    Dims shape = make_dims(call->e, type.rank + 1, &dims);
    for (int i = 0; i < shape.count; i++) {
        dims[i] = i == axis ? size : type.dims[i < axis ? i : i - 1];
    }
    return shape;
}

Dims shape_replacing(const Call *call, Type type, int axis, const Dim *size) {
    const Dim **dims;
    Dims shape = make_dims(call->e, type.rank, &dims);
    for (int i = 0; i < shape.count; i++) {
        dims[i] = i == axis ? size : type.dims[i];
    }
    return shape;
}

Dims shape_keeping(const Call *call, Type type, Ints axes) {
    const Dim **dims;
    Dims shape = make_dims(call->e, type.rank, &dims);
    for (int i = 0, next = 0; i < shape.count; i++) {
        bool is_reduced = next < axes.count && axes.at[next] == i;
        dims[i] = is_reduced ? constant_of(call, 1) : type.dims[i];
        next += is_reduced;
    }
    return shape;
}

Value *reduce(Call *call, Op op, Value *x, Ints axes, bool keepdim) {
    if (x == NULL || axes.count == 0) {
        return x;
    }
    Attribute attribute = {.axes = axes};
    Value *result = emit(call->e, call->span, op, &x, 1, &attribute);
    return keepdim ? reshape_value(call->e, result, shape_keeping(call, x->type, axes)) : result;
}

Value *slice_axis(Call *call, Value *x, int axis, const Dim *start, const Dim *stop, int step) {
    const Dim **starts, **stops;
    int *steps = arena_array(call->e->module->arena, int, x->type.rank);
    Attribute attribute = {.start = make_dims(call->e, x->type.rank, &starts),
                           .stop = make_dims(call->e, x->type.rank, &stops),
                           .step = {steps, x->type.rank}};
    for (int i = 0; i < x->type.rank; i++) {
        starts[i] = i == axis ? start : constant_of(call, 0);
        stops[i] = i == axis ? stop : x->type.dims[i];
        steps[i] = i == axis ? step : 1;
    }
    return emit(call->e, call->span, OP_slice, &x, 1, &attribute);
}

Value *scalar_of(const Call *call, ElementType element, double value) {
    Builder *b = &call->e->builder;
    return element_is_real(element) ? build_scalar(b, element, value)
                                    : build_scalar_integer(b, element, (int64_t)value);
}

Value *iota_axis(const Call *call, Dims shape, int axis) {
    return build_iota(&call->e->builder, TYPE_I64, shape, axis);
}

Value *add_scalar(const Call *call, Value *x, int64_t number) {
    Builder *b = &call->e->builder;
    return number == 0 ? x : build_add(b, x, build_scalar_integer(b, x->type.element, number));
}

// ---- indices

enum { INDEX_DEPTH = 6 }; // how far back a known sign is looked for

static bool is_known_positive(const Value *index, int depth);

static bool all_operands_positive(const Inst *inst, int count, int depth) {
    for (int i = 0; i < count; i++) {
        if (!is_known_positive(inst->operands[i], depth + 1)) {
            return false;
        }
    }
    return true;
}

static bool is_constant_positive(const TensorData *data) {
    int64_t count = type_elements(data->type);
    if (!element_is_integer(data->type.element) || count > 4096) {
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t value = data->type.element == TYPE_I32 ? ((const int32_t *)data->bytes)[i]
                                                       : ((const int64_t *)data->bytes)[i];
        if (value < 0) {
            return false;
        }
    }
    return true;
}

// Whether an index is 0 or more: loop indices and what is made of them by adding and multiplying.
static bool is_known_positive(const Value *index, int depth) {
    const Inst *inst = index->definition;
    if (depth > INDEX_DEPTH) {
        return false;
    }
    if (inst == NULL) {
        const Inst *owner = index->region->owner;
        // index parameters: the first of a loop, and further ones of a comprehension
        return owner != NULL && owner->op == OP_loop &&
               (index->index == 0 || index->index > owner->attr.carried);
    }
    switch (inst->op) {
    case OP_iota:
    case OP_argmax:
    case OP_argmin: return true;
    case OP_constant: return is_constant_positive(inst->attr.data);
    case OP_add:
    case OP_mul:
    case OP_minimum: return all_operands_positive(inst, 2, depth);
    case OP_cast:
        return element_is_integer(inst->operands[0]->type.element) &&
               all_operands_positive(inst, 1, depth);
    case OP_broadcast:
    case OP_reshape:
    case OP_transpose:
    case OP_slice: return all_operands_positive(inst, 1, depth);
    default: return false;
    }
}

static bool is_bounded_positive(Elaborator *e, const Value *index) {
    const Dim *low = index->type.rank == 0 ? lower_bound(&e->bounds, index) : NULL;
    return low != NULL && dim_is_at_least(e->module->dims, low, 0);
}

Value *wrap_index(Elaborator *e, Value *index, const Dim *size) {
    Builder *b = &e->builder;
    index = build_cast(b, index, TYPE_I64);
    if (is_known_positive(index, 0) || is_bounded_positive(e, index)) {
        return index;
    }
    Value *zero = build_scalar_integer(b, TYPE_I64, 0);
    Value *wrapped = build_add(b, index, build_dim(b, size));
    return build_select(b, build_lt(b, index, zero), wrapped, index);
}

Value **indices_with(const Call *call, Dims shape, int axis, Value *index) {
    Value **indices = arena_array(call->e->arena, Value *, shape.count);
    for (int i = 0; i < shape.count; i++) {
        indices[i] = i == axis ? index : iota_axis(call, shape, i);
    }
    return indices;
}

Value *gather_axis(Call *call, Value *x, int axis, Value *index) {
    int rank = x->type.rank;
    Value **indices = indices_with(call, value_shape(index), axis, index);
    Value **operands = arena_array(call->e->arena, Value *, rank + 1);
    operands[0] = x;
    for (int i = 0; i < rank; i++) {
        operands[i + 1] = indices[i];
    }
    return emit(call->e, call->span, OP_gather, operands, rank + 1, NULL);
}
