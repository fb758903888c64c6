// Functions that take or store elements at indices.
#include "frontend/builtins.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

// An index tensor, i64, with the size added to negative indices.
static Value *index_at(Call *call, int index, const Dim *size) {
    Value *value = tensor_at(call, index);
    if (!element_is_integer(value->type.element)) {
        Diag *diag = report(call->e, call->spans[index], "%s needs %s to be of integers, got %s",
                            builtin_name(call->builtin), call->names[index],
                            show_value_type(call->e, value));
        hint(call->e, diag, "convert it: cast(x, i64)");
        return NULL;
    }
    return size == NULL ? build_cast(&call->e->builder, value, TYPE_I64)
                        : wrap_index(call->e, value, size);
}

static bool needs_axes(Call *call, const Value *x) {
    if (x->type.rank == 0) {
        report(call->e, call->span, "%s needs a tensor with axes, got a scalar",
               builtin_name(call->builtin));
        return false;
    }
    return true;
}

// PyTorch takes a scalar as a vector of one element here: the handler again, with its scalars as
// such vectors; the result has `shape`.
static Val as_vectors(Call *call, BuiltinHandler *handler, Dims shape) {
    Elaborator *e = call->e;
    Call copy = *call;
    int64_t size;
    for (int i = 0; i < call->count; i++) {
        if (is_tensor(copy.at[i]) && copy.at[i].tensor->type.rank == 0) {
            const Dim **dims;
            Dims one = make_dims(e, 1, &dims);
            dims[0] = constant_of(call, 1);
            copy.at[i] = tensor_val(reshape_value(e, copy.at[i].tensor, one));
        }
    }
    Val result = handler(&copy);
    if (is_error(result)) {
        return result;
    }
    const Dim *elements = type_size(e->module->dims, result.tensor->type);
    if (shape.count == 0 && (!dim_is_constant(elements, &size) || size != 1)) {
        report(e, call->span, "%s: a scalar takes one index", builtin_name(call->builtin));
        return error_val();
    }
    return tensor_val(reshape_value(e, result.tensor, shape));
}

static bool is_scalar(const Value *x) {
    return x->type.rank == 0;
}

static const Dims no_axes = {NULL, 0};

// gather and scatter: the index may be smaller than x along the other axes.
static bool fits_inside(Call *call, const Value *x, const Value *index, int axis) {
    Elaborator *e = call->e;
    if (x->type.rank != index->type.rank) {
        report(e, call->span, "%s needs an index with as many axes as x, got %s for %s",
               builtin_name(call->builtin), show_value_type(e, index), show_value_type(e, x));
        return false;
    }
    for (int i = 0; i < x->type.rank; i++) {
        const Dim *room = dim_subtract(e->module->dims, x->type.dims[i], index->type.dims[i]);
        if (i != axis && (room == NULL || !dim_is_at_least(e->module->dims, room, 0))) {
            report_sizes(e, call->span, !type_is_static(x->type) || !type_is_static(index->type),
                         "%s: the index %s is larger than %s along axis %d",
                         builtin_name(call->builtin), show_value_type(e, index),
                         show_value_type(e, x), i);
            return false;
        }
    }
    return true;
}

Val builtin_gather(Call *call) {
    Value *x = tensor_at(call, 0), *index = tensor_at(call, 2);
    int axis;
    if (is_scalar(x) || is_scalar(index)) {
        return is_scalar(x) && index->type.rank < 2
                   ? as_vectors(call, builtin_gather, value_shape(index))
                   : as_vectors(call, builtin_gather, no_axes);
    }
    if (!axis_at(call, 1, x->type.rank, &axis) || !needs_axes(call, x) ||
        !fits_inside(call, x, index, axis)) {
        return error_val();
    }
    index = index_at(call, 2, NULL);
    return index == NULL ? error_val() : tensor_val(gather_axis(call, x, axis, index));
}

Val builtin_take_along_dim(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    int axis = 0;
    if (!is_given(call, 2)) {
        const Dim **dims;
        Dims flat = make_dims(e, 1, &dims);
        dims[0] = type_size(e->module->dims, x->type);
        x = reshape_value(e, x, flat);
        Value *index = index_at(call, 1, NULL);
        if (index == NULL) {
            return error_val();
        }
        Dims length = make_dims(e, 1, &dims);
        dims[0] = type_size(e->module->dims, index->type);
        return tensor_val(gather_axis(call, x, 0, reshape_value(e, index, length)));
    }
    if (!axis_at(call, 2, x->type.rank, &axis) || !needs_axes(call, x)) {
        return error_val();
    }
    Value *index = index_at(call, 1, NULL);
    if (index == NULL) {
        return error_val();
    }
    if (index->type.rank != x->type.rank) {
        report(e, call->spans[1], "take_along_dim needs indices with %d axes, got %s", x->type.rank,
               show_value_type(e, index));
        return error_val();
    }
    const Dim *one = constant_of(call, 1);
    Type x_rest = {x->type.element, x->type.rank, shape_replacing(call, x->type, axis, one).at};
    Type index_rest = {TYPE_I64, x->type.rank, shape_replacing(call, index->type, axis, one).at};
    Dims rest;
    if (!broadcast_shapes(e, call->span, "take_along_dim", x_rest, index_rest, &rest)) {
        return error_val();
    }
    Type joined = {TYPE_I64, rest.count, rest.at};
    x = broadcast_value(e, x, shape_replacing(call, joined, axis, x->type.dims[axis]));
    index = broadcast_value(e, index, shape_replacing(call, joined, axis, index->type.dims[axis]));
    return tensor_val(gather_axis(call, x, axis, index));
}

// A vector of indices (a scalar counts as one), spread over the shape of the slices it names.
// `size` is added to negative ones; NULL: they are out of range.
static Value *slices_index(Call *call, Value *x, int axis, int argument, const Dim *size,
                           Dims *shape) {
    Elaborator *e = call->e;
    Value *index = index_at(call, argument, size);
    if (index == NULL) {
        return NULL;
    }
    if (index->type.rank == 0) {
        const Dim **dims;
        Dims one = make_dims(e, 1, &dims);
        dims[0] = constant_of(call, 1);
        index = reshape_value(e, index, one);
    }
    if (index->type.rank != 1) {
        report(e, call->spans[argument], "%s needs an index with one axis, got %s",
               builtin_name(call->builtin), show_value_type(e, index));
        return NULL;
    }
    *shape = shape_replacing(call, x->type, axis, index->type.dims[0]);
    if (!check_shape(e, call->span, *shape)) {
        return NULL;
    }
    return build_broadcast(&e->builder, index, *shape, &axis);
}

Val builtin_index_select(Call *call) {
    Value *x = tensor_at(call, 0);
    int axis;
    Dims shape;
    if (is_scalar(x)) {
        return as_vectors(call, builtin_index_select, no_axes);
    }
    if (!axis_at(call, 1, x->type.rank, &axis)) {
        return error_val();
    }
    Value *index = slices_index(call, x, axis, 2, NULL, &shape);
    return index == NULL ? error_val() : tensor_val(gather_axis(call, x, axis, index));
}

Val builtin_select(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    int axis;
    if (!axis_at(call, 1, x->type.rank, &axis) || !needs_axes(call, x)) {
        return error_val();
    }
    Dims shape = shape_without(call, x->type, axis);
    if (!is_tensor(call->at[2])) {
        const Dim *index;
        int64_t number, size;
        if (!val_to_dim(e, call->at[2], call->spans[2], "an index", &index)) {
            return error_val();
        }
        if (dim_is_constant(index, &number) && dim_is_constant(x->type.dims[axis], &size) &&
            (number < -size || number >= size)) {
            report(e, call->spans[2],
                   "index %" PRId64 " is out of range for axis %d with size %" PRId64, number, axis,
                   size);
            return error_val();
        }
        if (dim_is_constant(index, &number) && number < 0) {
            index = dim_add(e->module->dims, index, x->type.dims[axis]);
        }
        const Dim *stop = dim_add(e->module->dims, index, constant_of(call, 1));
        return tensor_val(reshape_value(e, slice_axis(call, x, axis, index, stop, 1), shape));
    }
    Value *index = index_at(call, 2, x->type.dims[axis]);
    if (index == NULL || index->type.rank != 0) {
        if (index != NULL) {
            report(e, call->spans[2], "select needs one index, got %s", show_value_type(e, index));
        }
        return error_val();
    }
    Dims kept = shape_replacing(call, x->type, axis, constant_of(call, 1));
    return tensor_val(
        reshape_value(e, gather_axis(call, x, axis, full_value(e, index, kept)), shape));
}

Val builtin_take(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    const Dim **dims;
    Dims flat = make_dims(e, 1, &dims);
    dims[0] = type_size(e->module->dims, x->type);
    Value *index = index_at(call, 1, dims[0]);
    if (index == NULL) {
        return error_val();
    }
    Value *operands[2] = {reshape_value(e, x, flat), index};
    return tensor_val(emit(e, call->span, OP_gather, operands, 2, NULL));
}

Val builtin_embedding(Call *call) {
    Elaborator *e = call->e;
    Value *weight = tensor_at(call, 1);
    if (weight->type.rank != 2) {
        report(e, call->spans[1], "embedding needs a weight with 2 axes, got %s",
               show_value_type(e, weight));
        return error_val();
    }
    Value *index = index_at(call, 0, NULL);
    if (index == NULL) {
        return error_val();
    }
    int rank = index->type.rank, *axes = arena_array(e->module->arena, int, rank);
    for (int i = 0; i < rank; i++) {
        axes[i] = i;
    }
    Dims shape = shape_with(call, index->type, rank, weight->type.dims[1]);
    if (!check_shape(e, call->span, shape)) {
        return error_val();
    }
    if (is_given(call, 2)) {
        const Dim **dims;
        int64_t rows, padding_index = int_at(call, 2);
        if (dim_is_constant(weight->type.dims[0], &rows)) {
            if (padding_index < -rows || padding_index >= rows) {
                report(e, call->spans[2], "embedding: padding_idx %" PRId64 " is not a row of %s",
                       padding_index, show_value_type(e, weight));
                return error_val();
            }
            padding_index += padding_index < 0 ? rows : 0;
        }
        Val wanted = number_val(e, padding_index);
        Dims column = make_dims(e, 2, &dims);
        dims[0] = weight->type.dims[0];
        dims[1] = constant_of(call, 1);
        Val row = tensor_val(iota_axis(call, column, 0));
        Val padding =
            binary_operator(e, call->span, BINARY_EQUAL, row, call->span, wanted, call->spans[2]);
        Val kept = select_val(e, call->span, padding, call->span,
                              tensor_val(build_detach(&e->builder, weight)), call->span,
                              tensor_val(weight), call->span);
        if (is_error(kept)) {
            return kept;
        }
        weight = kept.tensor;
    }
    Value *operands[3] = {weight, build_broadcast(&e->builder, index, shape, axes),
                          iota_axis(call, shape, rank)};
    return tensor_val(emit(e, call->span, OP_gather, operands, 3, NULL));
}

Val builtin_one_hot(Call *call) {
    Elaborator *e = call->e;
    Value *index = index_at(call, 0, NULL);
    if (index == NULL) {
        return error_val();
    }
    int64_t classes;
    if (dim_is_constant(call->at[1].dim, &classes) && classes < 1) {
        report(e, call->spans[1], "one_hot needs num_classes to be known and positive");
        return error_val();
    }
    int rank = index->type.rank, *axes = arena_array(e->module->arena, int, rank);
    for (int i = 0; i < rank; i++) {
        axes[i] = i;
    }
    Dims shape = shape_with(call, index->type, rank, call->at[1].dim);
    if (!check_shape(e, call->span, shape)) {
        return error_val();
    }
    // Looking the index up among all classes changes nothing but that one out of range is found.
    const Dim **dims;
    Dims all = make_dims(e, 1, &dims);
    dims[0] = call->at[1].dim;
    Value *lookup[2] = {iota_axis(call, all, 0), index};
    index = emit(e, call->span, OP_gather, lookup, 2, NULL);
    Value *same = build_eq(&e->builder, build_broadcast(&e->builder, index, shape, axes),
                           iota_axis(call, shape, rank));
    return tensor_val(convert(e, same, TYPE_I64));
}

Val builtin_masked_fill(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0), *mask = tensor_at(call, 1);
    if (mask->type.element != TYPE_BOOL) {
        report(e, call->spans[1], "masked_fill needs a mask of bool, got %s",
               show_value_type(e, mask));
        return error_val();
    }
    Type scalar = type_scalar(x->type.element);
    Value *value = is_tensor(call->at[2]) && call->at[2].tensor->type.rank == 0
                       ? convert(e, call->at[2].tensor, x->type.element)
                       : fit_to_type(e, call->at[2], call->spans[2], scalar, false,
                                     "the value of masked_fill");
    return value == NULL ? error_val()
                         : select_val(e, call->span, call->at[1], call->spans[1], tensor_val(value),
                                      call->spans[2], call->at[0], call->spans[0]);
}

// ---- scatter

// x with source at the indices, one for each axis. Of bools, the sum is whether one of them is
// true.
static Val scattered(Call *call, Op op, Value *x, Value *source, Value **indices) {
    Elaborator *e = call->e;
    int rank = x->type.rank;
    bool is_any = op == OP_scatter_add && x->type.element == TYPE_BOOL;
    Value **operands = arena_array(e->arena, Value *, rank + 2);
    at_span(e, call->span);
    operands[0] = is_any ? convert(e, x, TYPE_I64) : x;
    operands[1] = is_any ? convert(e, source, TYPE_I64) : source;
    for (int i = 0; i < rank; i++) {
        operands[i + 2] = indices[i];
    }
    Value *result = emit(e, call->span, op, operands, rank + 2, NULL);
    return tensor_val(is_any ? convert(e, result, TYPE_BOOL) : result);
}

static Val scatter(Call *call, BuiltinHandler *handler, Op op) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0), *index = tensor_at(call, 2);
    int axis, rank = x->type.rank;
    if (is_scalar(x)) {
        return as_vectors(call, handler, no_axes);
    }
    if (!axis_at(call, 1, rank, &axis) || !fits_inside(call, x, index, axis)) {
        return error_val();
    }
    index = index_at(call, 2, NULL);
    Value *source = to_tensor(e, call->at[3], call->spans[3], x->type.element);
    if (index == NULL || source == NULL) {
        return error_val();
    }
    if (is_tensor(call->at[3]) && source->type.element != x->type.element) {
        Diag *diag = report(e, call->spans[3], "%s needs src of the element type of x, %s, got %s",
                            builtin_name(call->builtin), element_name(x->type.element),
                            show_value_type(e, source));
        hint(e, diag, "write cast(..., %s)", element_name(x->type.element));
        return error_val();
    }
    source = convert(e, source, x->type.element);
    if (source->type.rank == 0) {
        source = full_value(e, source, value_shape(index));
    } else if (!shape_equal(source->type, index->type)) {
        // PyTorch takes the corner of src that the index covers.
        for (int i = 0; i < rank && source != NULL && source->type.rank == rank; i++) {
            if (!dim_equal(source->type.dims[i], index->type.dims[i])) {
                source = slice_axis(call, source, i, constant_of(call, 0), index->type.dims[i], 1);
            }
        }
        if (source == NULL || source->type.rank != rank) {
            if (source != NULL) {
                report(e, call->spans[3], "%s needs src with %d axes, got %s",
                       builtin_name(call->builtin), rank, show_value_type(e, source));
            }
            return error_val();
        }
    }
    return scattered(call, op, x, source, indices_with(call, value_shape(index), axis, index));
}

Val builtin_scatter_add(Call *call) {
    return scatter(call, builtin_scatter_add, OP_scatter_add);
}

Val builtin_scatter(Call *call) {
    if (!is_given(call, 4)) {
        return scatter(call, builtin_scatter, OP_scatter_set);
    }
    if (strcmp(string_at(call, 4), "add") == 0) {
        return builtin_scatter_add(call);
    }
    if (strcmp(string_at(call, 4), "multiply") == 0) {
        return call_prelude(call, "scatter_multiply", call->at, 4);
    }
    report(call->e, call->spans[4], "reduce is none, \"add\" or \"multiply\", got \"%s\"",
           string_at(call, 4));
    return error_val();
}

// Slices of x at a vector of indices, of which negative ones count from the end if `wraps`.
static Val scatter_slices(Call *call, Op op, Value *x, int axis, bool wraps, Value *source,
                          int source_index) {
    Elaborator *e = call->e;
    Dims shape;
    Value *index = slices_index(call, x, axis, 2, wraps ? x->type.dims[axis] : NULL, &shape);
    if (index == NULL || source == NULL) {
        return error_val();
    }
    source = convert(e, source, x->type.element);
    if (source->type.rank == 0) {
        source = full_value(e, source, shape);
    }
    Type wanted = {x->type.element, shape.count, shape.at};
    if (!type_equal(source->type, wanted)) {
        report_sizes(e, call->spans[source_index], !type_is_static(wanted),
                     "%s needs %s of shape %s, got %s", builtin_name(call->builtin),
                     call->names[source_index], type_string(e->arena, wanted),
                     show_value_type(e, source));
        return error_val();
    }
    return scattered(call, op, x, source, indices_with(call, shape, axis, index));
}

Val builtin_index_add(Call *call) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0), *source = tensor_at(call, 3);
    int axis;
    if (is_scalar(x)) {
        return as_vectors(call, builtin_index_add, no_axes);
    }
    if (!axis_at(call, 1, x->type.rank, &axis) || !needs_axes(call, x)) {
        return error_val();
    }
    double alpha = number_at(call, 4);
    ElementType element = x->type.element;
    if (alpha != floor(alpha) && !element_is_real(element)) {
        report(e, call->spans[4], "index_add needs alpha to be a whole number for %s",
               show_value_type(e, x));
        return error_val();
    }
    if (alpha != 1) {
        source = convert(e, source, element);
        bool is_bool = element == TYPE_BOOL;
        Value *factor = scalar_of(call, element, is_bool ? alpha != 0 : alpha);
        source = build_binary(&e->builder, is_bool ? OP_logical_and : OP_mul, source,
                              broadcast_value(e, factor, value_shape(source)));
    }
    return scatter_slices(call, OP_scatter_add, x, axis, false, source, 3);
}

Val builtin_index_copy(Call *call) {
    Value *x = tensor_at(call, 0);
    int axis;
    if (is_scalar(x)) {
        return as_vectors(call, builtin_index_copy, no_axes);
    }
    return axis_at(call, 1, x->type.rank, &axis) && needs_axes(call, x)
               ? scatter_slices(call, OP_scatter_set, x, axis, false, tensor_at(call, 3), 3)
               : error_val();
}

Val builtin_index_fill(Call *call) {
    Value *x = tensor_at(call, 0);
    int axis;
    if (is_scalar(x)) {
        return as_vectors(call, builtin_index_fill, no_axes);
    }
    if (!axis_at(call, 1, x->type.rank, &axis) || !needs_axes(call, x)) {
        return error_val();
    }
    Value *value = to_tensor(call->e, call->at[3], call->spans[3], x->type.element);
    return scatter_slices(call, OP_scatter_set, x, axis, true, value, 3);
}
