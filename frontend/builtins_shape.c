// Functions that give the same elements another shape or order.
#include "frontend/builtins.h"

#include <inttypes.h>
#include <string.h>

// ---- reshape

// Fills in the size written as -1. False after an error.
static bool solve_open_size(Call *call, Type type, Dims *shape, Span span) {
    Elaborator *e = call->e;
    DimTable *table = e->module->dims;
    const Dim *product = constant_of(call, 1), *size = type_size(table, type), **dims;
    int open = -1;
    for (int i = 0; i < shape->count; i++) {
        if (shape->at[i] == NULL) {
            open = i;
        } else {
            product = product == NULL ? NULL : dim_multiply(table, product, shape->at[i]);
        }
    }
    if (open < 0) {
        return true;
    }
    int64_t known;
    bool is_zero = product != NULL && dim_is_constant(product, &known) && known == 0;
    const Dim *quotient =
        product == NULL || size == NULL || is_zero ? NULL : dim_divide(table, size, product);
    if (quotient == NULL) {
        report_sizes(e, span, !type_is_static(type),
                     "%s: the size written as -1 cannot be found for %s",
                     builtin_name(call->builtin), type_string(e->arena, type));
        return false;
    }
    Dims solved = make_dims(e, shape->count, &dims);
    for (int i = 0; i < shape->count; i++) {
        dims[i] = i == open ? quotient : shape->at[i];
    }
    *shape = solved;
    return true;
}

static Val reshape_to(Call *call, Value *x, Dims shape) {
    Attribute attribute = {.shape = shape};
    return tensor_val(emit(call->e, call->span, OP_reshape, &x, 1, &attribute));
}

Val builtin_reshape(Call *call) {
    Value *x = tensor_at(call, 0);
    Dims shape;
    if (!shape_at(call, 1, true, &shape) ||
        !solve_open_size(call, x->type, &shape, call->spans[1])) {
        return error_val();
    }
    return reshape_to(call, x, shape);
}

Val builtin_reshape_as(Call *call) {
    return reshape_to(call, tensor_at(call, 0), value_shape(tensor_at(call, 1)));
}

Val builtin_flatten(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    int first, last, rank = x->type.rank;
    if (!axis_at(call, 1, rank, &first) || !axis_at(call, 2, rank, &last)) {
        return error_val();
    }
    if (first > last) {
        report(e, call->span, "flatten: start_dim must not come after end_dim");
        return error_val();
    }
    const Dim **dims, *joined = constant_of(call, 1);
    for (int i = first; i <= last && i < rank; i++) {
        joined = joined == NULL ? NULL : dim_multiply(e->module->dims, joined, x->type.dims[i]);
    }
    Dims shape = make_dims(e, rank == 0 ? 1 : rank - (last - first), &dims);
    for (int i = 0; i < shape.count; i++) {
        dims[i] = i < first    ? x->type.dims[i]
                  : i == first ? joined
                               : x->type.dims[i + last - first];
    }
    return joined == NULL ? error_val() : reshape_to(call, x, shape);
}

Val builtin_unflatten(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    int axis;
    Dims sizes;
    if (!axis_at(call, 1, x->type.rank, &axis) || !shape_at(call, 2, true, &sizes)) {
        return error_val();
    }
    if (x->type.rank == 0) {
        report(e, call->span, "unflatten needs an axis to split, got a scalar");
        return error_val();
    }
    Type part = {x->type.element, 1, &x->type.dims[axis]};
    if (!solve_open_size(call, part, &sizes, call->spans[2])) {
        return error_val();
    }
    const Dim *joined = type_size(e->module->dims, (Type){part.element, sizes.count, sizes.at});
    if (joined == NULL || !dim_equal(joined, part.dims[0])) {
        report_sizes(e, call->spans[2], !type_is_static(x->type),
                     "unflatten: the product of the sizes is not the size of the axis, %s",
                     show_dim_text(e, part.dims[0]));
        return error_val();
    }
    const Dim **dims;
    Dims shape = make_dims(e, x->type.rank - 1 + sizes.count, &dims);
    for (int i = 0; i < shape.count; i++) {
        dims[i] = i < axis                 ? x->type.dims[i]
                  : i < axis + sizes.count ? sizes.at[i - axis]
                                           : x->type.dims[i - sizes.count + 1];
    }
    return reshape_to(call, x, shape);
}

Val builtin_unsqueeze(Call *call) {
    Value *x = tensor_at(call, 0);
    int axis;
    if (!axis_at(call, 1, x->type.rank + 1, &axis)) {
        return error_val();
    }
    return reshape_to(call, x, shape_with(call, x->type, axis, constant_of(call, 1)));
}

Val builtin_squeeze(Call *call) {
    Value *x = tensor_at(call, 0);
    Ints axes;
    const Dim **dims, *one = constant_of(call, 1);
    if (!axes_at(call, 1, x->type.rank, &axes)) {
        return error_val();
    }
    int count = 0;
    make_dims(call->e, x->type.rank, &dims);
    for (int i = 0, next = 0; i < x->type.rank; i++) {
        bool is_named = next < axes.count && axes.at[next] == i;
        next += is_named;
        if (!is_named || !dim_equal(x->type.dims[i], one)) {
            dims[count++] = x->type.dims[i];
        }
    }
    return reshape_to(call, x, (Dims){dims, count});
}

// ---- the order of axes

static Val permute_axes(Call *call, Value *x, const int *axes) {
    Attribute attribute = {.axes = {axes, x->type.rank}};
    return tensor_val(emit(call->e, call->span, OP_transpose, &x, 1, &attribute));
}

static int *straight_axes(Call *call, int rank) {
    int *axes = arena_array(call->e->module->arena, int, rank);
    for (int i = 0; i < rank; i++) {
        axes[i] = i;
    }
    return axes;
}

Val builtin_transpose(Call *call) {
    Value *x = tensor_at(call, 0);
    int first, second, rank = x->type.rank;
    if (!axis_at(call, 1, rank, &first) || !axis_at(call, 2, rank, &second)) {
        return error_val();
    }
    if (rank == 0) {
        return tensor_val(x);
    }
    int *axes = straight_axes(call, rank);
    axes[first] = second;
    axes[second] = first;
    return permute_axes(call, x, axes);
}

Val builtin_t(Call *call) {
    Value *x = tensor_at(call, 0);
    if (x->type.rank > 2) {
        Diag *diag = report(call->e, call->span, "t needs at most 2 axes, got %s",
                            show_value_type(call->e, x));
        hint(call->e, diag, "use x.mT or permute");
        return error_val();
    }
    int *axes = straight_axes(call, x->type.rank);
    for (int i = 0; i < x->type.rank; i++) {
        axes[i] = x->type.rank - 1 - i;
    }
    return permute_axes(call, x, axes);
}

Val builtin_permute(Call *call) {
    Value *x = tensor_at(call, 0);
    Ints axes;
    if (!ordered_axes_at(call, 1, x->type.rank, &axes)) {
        return error_val();
    }
    if (axes.count != x->type.rank) {
        report(call->e, call->spans[1], "permute of %s needs %d dims, got %d",
               show_value_type(call->e, x), x->type.rank, axes.count);
        return error_val();
    }
    return permute_axes(call, x, axes.at);
}

Val builtin_movedim(Call *call) {
    Value *x = tensor_at(call, 0);
    Ints from, to;
    int rank = x->type.rank;
    if (!ordered_axes_at(call, 1, rank, &from) || !ordered_axes_at(call, 2, rank, &to)) {
        return error_val();
    }
    if (from.count != to.count) {
        report(call->e, call->span, "movedim needs as many destinations as sources");
        return error_val();
    }
    int *axes = arena_array(call->e->module->arena, int, rank);
    bool *used = arena_array(call->e->arena, bool, rank);
    for (int i = 0; i < rank; i++) {
        axes[i] = -1;
    }
    for (int i = 0; i < from.count && rank > 0; i++) {
        axes[to.at[i]] = from.at[i];
        used[from.at[i]] = true;
    }
    for (int i = 0, next = 0; i < rank; i++) {
        if (axes[i] < 0) {
            while (used[next]) {
                next++;
            }
            axes[i] = next++;
        }
    }
    return permute_axes(call, x, axes);
}

// ---- repetition

static Val expand_to(Call *call, Value *x, Dims shape) {
    Elaborator *e = call->e;
    int missing = shape.count - x->type.rank;
    const Dim **dims, *one = constant_of(call, 1);
    Dims full = make_dims(e, shape.count, &dims);
    if (missing < 0) {
        report(e, call->span, "%s cannot give %s %d axes", builtin_name(call->builtin),
               show_value_type(e, x), shape.count);
        return error_val();
    }
    for (int i = 0; i < shape.count; i++) {
        const Dim *size = i >= missing ? x->type.dims[i - missing] : NULL;
        dims[i] = shape.at[i] != NULL ? shape.at[i] : size;
        if (dims[i] == NULL || (size != NULL && size != one && !dim_equal(size, dims[i]))) {
            Type wanted = {x->type.element, shape.count, shape.at};
            bool is_open = dims[i] == NULL;
            report_sizes(e, call->span, !is_open && !type_is_static(x->type),
                         is_open ? "%s cannot give %s %d axes"
                                 : "%s cannot broadcast %s: axis %d would get size %s",
                         builtin_name(call->builtin), show_value_type(e, x),
                         is_open ? wanted.rank : i, is_open ? "" : show_dim_text(e, dims[i]));
            return error_val();
        }
    }
    return check_shape(e, call->span, full) ? tensor_val(broadcast_value(e, x, full)) : error_val();
}

Val builtin_expand(Call *call) {
    Dims shape;
    return open_shape_at(call, 1, &shape) ? expand_to(call, tensor_at(call, 0), shape)
                                          : error_val();
}

Val builtin_expand_as(Call *call) {
    return expand_to(call, tensor_at(call, 0), value_shape(tensor_at(call, 1)));
}

// x.repeat(2, 3): a new axis before each axis, broadcast, then joined with it.
Val builtin_repeat(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    Dims times;
    if (!shape_at(call, 1, false, &times)) {
        return error_val();
    }
    int missing = times.count - x->type.rank;
    if (missing < 0) {
        report(e, call->spans[1], "repeat of %s needs at least %d numbers, got %d",
               show_value_type(e, x), x->type.rank, times.count);
        return error_val();
    }
    const Dim **split, **spread, **joined;
    Dims split_shape = make_dims(e, 2 * times.count, &split);
    Dims spread_shape = make_dims(e, 2 * times.count, &spread);
    Dims joined_shape = make_dims(e, times.count, &joined);
    for (int i = 0; i < times.count; i++) {
        const Dim *size = i < missing ? constant_of(call, 1) : x->type.dims[i - missing];
        split[2 * i] = constant_of(call, 1);
        spread[2 * i] = times.at[i];
        split[2 * i + 1] = spread[2 * i + 1] = size;
        joined[i] = dim_multiply(e->module->dims, times.at[i], size);
    }
    if (!check_shape(e, call->span, joined_shape)) {
        return error_val();
    }
    x = reshape_value(e, x, split_shape);
    x = broadcast_value(e, x, spread_shape);
    return reshape_to(call, x, joined_shape);
}

// ---- pieces

// A start that is computed: the elements are gathered.
static Val narrow_at(Call *call, Value *x, int axis) {
    Elaborator *e = call->e;
    Value *start = call->at[2].tensor;
    if (start->type.rank != 0 || !element_is_integer(start->type.element)) {
        report(e, call->spans[2], "narrow needs an integer as start, got %s",
               show_value_type(e, start));
        return error_val();
    }
    const Dim **dims;
    Dims line = make_dims(e, 1, &dims);
    dims[0] = call->at[3].dim;
    Value *index =
        build_add(&e->builder, iota_axis(call, line, 0), wrap_index(e, start, x->type.dims[axis]));
    Dims shape = shape_replacing(call, x->type, axis, dims[0]);
    return tensor_val(
        gather_axis(call, x, axis, build_broadcast(&e->builder, index, shape, &axis)));
}

Val builtin_narrow(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    int axis;
    const Dim *start;
    if (!axis_at(call, 1, x->type.rank, &axis)) {
        return error_val();
    }
    if (x->type.rank == 0) {
        report(e, call->span, "narrow needs a tensor with axes, got a scalar");
        return error_val();
    }
    if (is_tensor(call->at[2])) {
        return narrow_at(call, x, axis);
    }
    if (!val_to_dim(e, call->at[2], call->spans[2], "start of narrow", &start)) {
        return error_val();
    }
    int64_t known;
    if (dim_is_constant(start, &known) && known < 0) {
        start = dim_add(e->module->dims, start, x->type.dims[axis]);
    }
    const Dim *stop = dim_add(e->module->dims, start, call->at[3].dim);
    return tensor_val(slice_axis(call, x, axis, start, stop, 1));
}

static Val split_at_sizes(Call *call, Value *x, int axis, const Dim *const *sizes, int count) {
    Elaborator *e = call->e;
    Val list = list_val(e, count);
    const Dim *start = constant_of(call, 0);
    for (int i = 0; i < count; i++) {
        const Dim *stop = dim_add(e->module->dims, start, sizes[i]);
        Value *piece = slice_axis(call, x, axis, start, stop, 1);
        if (piece == NULL) {
            return error_val();
        }
        list.list.at[i] = tensor_val(piece);
        start = stop;
    }
    if (!dim_equal(start, x->type.dims[axis])) {
        report_sizes(e, call->span, !type_is_static(x->type),
                     "%s: the sizes add up to %s, but the axis has %s", builtin_name(call->builtin),
                     show_dim_text(e, start), show_dim_text(e, x->type.dims[axis]));
        return error_val();
    }
    return list;
}

static Val split_evenly(Call *call, Value *x, int axis, int64_t size, int64_t total) {
    if (size <= 0) {
        report(call->e, call->spans[1], "%s needs a positive size", builtin_name(call->builtin));
        return error_val();
    }
    int64_t count = total == 0 ? 1 : total / size + (total % size > 0);
    if (count > 4096) {
        report(call->e, call->span, "%s would make %" PRId64 " pieces; 4096 are allowed",
               builtin_name(call->builtin), count);
        return error_val();
    }
    const Dim **sizes;
    make_dims(call->e, (int)count, &sizes);
    for (int64_t i = 0; i < count; i++) {
        int64_t left = total - i * size;
        sizes[i] = constant_of(call, left < size ? left : size);
    }
    return split_at_sizes(call, x, axis, sizes, (int)count);
}

// The axis in argument `index`, with a known size if `total` is not NULL.
static bool axis_with_size(Call *call, int index, Value *x, int *axis, int64_t *total) {
    if (!axis_at(call, index, x->type.rank, axis)) {
        return false;
    }
    if (x->type.rank == 0) {
        report(call->e, call->span, "%s needs a tensor with axes, got a scalar",
               builtin_name(call->builtin));
        return false;
    }
    if (total != NULL && !dim_is_constant(x->type.dims[*axis], total)) {
        Diag *diag =
            report_sizes(call->e, call->span, true, "%s needs the value of %s",
                         builtin_name(call->builtin), show_dim_text(call->e, x->type.dims[*axis]));
        hint(call->e, diag, "bind it on the command line: -D NAME=INT");
        return false;
    }
    return true;
}

Val builtin_split(Call *call) {
    Value *x = tensor_at(call, 0);
    int axis;
    int64_t size, total;
    if (call->at[1].kind == VAL_LIST) {
        const ValList *list = &call->at[1].list;
        const Dim **sizes;
        if (!axis_with_size(call, 2, x, &axis, NULL)) {
            return error_val();
        }
        make_dims(call->e, list->count, &sizes);
        for (int i = 0; i < list->count; i++) {
            if (!val_to_dim(call->e, list->at[i], call->spans[1], "a size", &sizes[i])) {
                return error_val();
            }
        }
        return split_at_sizes(call, x, axis, sizes, list->count);
    }
    if (!axis_with_size(call, 2, x, &axis, &total) ||
        !val_to_int(call->e, call->at[1], call->spans[1], "split_size", &size)) {
        return error_val();
    }
    return split_evenly(call, x, axis, size, total);
}

Val builtin_chunk(Call *call) {
    Value *x = tensor_at(call, 0);
    int axis;
    int64_t total, chunks = int_at(call, 1);
    if (!axis_with_size(call, 2, x, &axis, &total)) {
        return error_val();
    }
    if (chunks <= 0) {
        report(call->e, call->spans[1], "chunk needs a positive number of chunks");
        return error_val();
    }
    if (total == 0 && chunks <= 4096) {
        const Dim **sizes;
        make_dims(call->e, (int)chunks, &sizes);
        for (int i = 0; i < chunks; i++) {
            sizes[i] = constant_of(call, 0);
        }
        return split_at_sizes(call, x, axis, sizes, (int)chunks);
    }
    return total == 0 ? split_evenly(call, x, axis, 1, 0)
                      : split_evenly(call, x, axis, total / chunks + (total % chunks > 0), total);
}

Val builtin_unbind(Call *call) {
    Value *x = tensor_at(call, 0);
    int axis;
    int64_t total;
    if (!axis_with_size(call, 1, x, &axis, &total)) {
        return error_val();
    }
    Val list = total == 0 ? list_val(call->e, 0) : split_evenly(call, x, axis, 1, total);
    for (int i = 0; list.kind == VAL_LIST && i < list.list.count; i++) {
        list.list.at[i] = tensor_val(
            reshape_value(call->e, list.list.at[i].tensor, shape_without(call, x->type, axis)));
    }
    return list;
}

// ---- order of elements

Val builtin_flip(Call *call) {
    Value *x = tensor_at(call, 0);
    Ints axes;
    if (call->at[1].list.count == 0) {
        return tensor_val(x);
    }
    if (!axes_at(call, 1, x->type.rank, &axes)) {
        return error_val();
    }
    for (int i = 0; i < axes.count && x != NULL; i++) {
        const Dim *last =
            dim_subtract(call->e->module->dims, x->type.dims[axes.at[i]], constant_of(call, 1));
        int64_t known;
        if (dim_is_constant(last, &known) && known < 0) {
            continue;
        }
        x = slice_axis(call, x, axes.at[i], last, constant_of(call, -1), -1);
    }
    return tensor_val(x);
}

static Value *roll_axis(Call *call, Value *x, int axis, int64_t shift) {
    int64_t size;
    DimTable *table = call->e->module->dims;
    const Dim *total = x->type.dims[axis], *cut;
    if (dim_is_constant(total, &size)) {
        if (size == 0) {
            return x;
        }
        shift = ((shift % size) + size) % size;
    }
    if (shift == 0) {
        return x;
    }
    cut = shift > 0 ? dim_subtract(table, total, constant_of(call, shift))
                    : constant_of(call, -shift);
    Value *parts[2] = {slice_axis(call, x, axis, cut, total, 1),
                       slice_axis(call, x, axis, constant_of(call, 0), cut, 1)};
    Attribute attribute = {.axis = axis};
    return emit(call->e, call->span, OP_concat, parts, 2, &attribute);
}

Val builtin_roll(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    const ValList *shifts = &call->at[1].list;
    Ints axes = {NULL, 0};
    int64_t shift;
    if (x->type.rank == 0 && !is_given(call, 2)) {
        return tensor_val(x);
    }
    if (x->type.rank == 0) {
        report(e, call->spans[2], "roll: a scalar has no axis");
        return error_val();
    }
    if (!is_given(call, 2)) {
        const Dim **dims;
        Dims flat = make_dims(e, 1, &dims);
        dims[0] = type_size(e->module->dims, x->type);
        if (shifts->count != 1 || !val_known_int(shifts->at[0], &shift)) {
            report(e, call->spans[1], "roll without dims needs one shift");
            return error_val();
        }
        Value *rolled = roll_axis(call, reshape_value(e, x, flat), 0, shift);
        return tensor_val(reshape_value(e, rolled, value_shape(x)));
    }
    if (!ordered_axes_at(call, 2, x->type.rank, &axes)) {
        return error_val();
    }
    if (axes.count != shifts->count) {
        report(e, call->span, "roll needs as many shifts as dims, got %d and %d", shifts->count,
               axes.count);
        return error_val();
    }
    for (int i = 0; i < axes.count && x != NULL; i++) {
        if (!val_known_int(shifts->at[i], &shift)) {
            report(e, call->spans[1], "a shift must be a known integer");
            return error_val();
        }
        x = roll_axis(call, x, axes.at[i], shift);
    }
    return tensor_val(x);
}

// ---- known while compiling

Val builtin_numel(Call *call) {
    return int_val(type_size(call->e->module->dims, tensor_at(call, 0)->type));
}

Val builtin_size(Call *call) {
    Value *x = tensor_at(call, 0);
    int axis;
    if (!is_given(call, 1)) {
        return shape_val(call->e, x->type);
    }
    return axis_with_size(call, 1, x, &axis, NULL) ? int_val(x->type.dims[axis]) : error_val();
}

Val builtin_dim(Call *call) {
    return number_val(call->e, tensor_at(call, 0)->type.rank);
}

Val builtin_normal_axis(Call *call) {
    int axis;
    return axis_at(call, 1, tensor_at(call, 0)->type.rank, &axis) ? number_val(call->e, axis)
                                                                  : error_val();
}

Val builtin_len(Call *call) {
    Val x = call->at[0];
    if (x.kind == VAL_LIST) {
        return number_val(call->e, x.list.count);
    }
    if (is_tensor(x) && x.tensor->type.rank > 0) {
        return int_val(x.tensor->type.dims[0]);
    }
    report(call->e, call->spans[0], "len needs a list or a tensor with axes, got %s",
           describe(call->e, x));
    return error_val();
}

// ---- for the prelude

Val builtin_sizes_product(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    const Dim *product = constant_of(call, 1);
    Ints axes;
    if (!axes_at(call, 1, x->type.rank, &axes)) {
        return error_val();
    }
    for (int i = 0; i < axes.count; i++) {
        product = dim_multiply(e->module->dims, product, x->type.dims[axes.at[i]]);
    }
    return int_val(product);
}

Val builtin_other_axes(Call *call) {
    Value *x = tensor_at(call, 0);
    int axis, count = 0;
    if (!axis_at(call, 1, x->type.rank, &axis)) {
        return error_val();
    }
    Val list = list_val(call->e, x->type.rank > 0 ? x->type.rank - 1 : 0);
    for (int i = 0; i < x->type.rank; i++) {
        if (i != axis) {
            list.list.at[count++] = number_val(call->e, i);
        }
    }
    return list;
}

Val builtin_last_axes(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    Dims shape;
    if (!shape_at(call, 1, false, &shape)) {
        return error_val();
    }
    int first = x->type.rank - shape.count;
    bool fits = first >= 0 && shape.count > 0;
    for (int i = 0; fits && i < shape.count; i++) {
        fits = dim_equal(shape.at[i], x->type.dims[first + i]);
    }
    Val list = list_val(e, shape.count);
    for (int i = 0; i < shape.count; i++) {
        list.list.at[i] = number_val(e, first + i);
    }
    if (!fits) {
        Type wanted = {x->type.element, shape.count, shape.at};
        report_sizes(e, call->spans[1], !type_is_static(x->type) || !type_is_static(wanted),
                     "normalized_shape %s does not match the last axes of %s",
                     type_string(e->arena, wanted), show_value_type(e, x));
        return error_val();
    }
    return list;
}
