// Reductions and running sums.
#include "frontend/builtins.h"

#include <inttypes.h>

// Integers and truth values add up as i64, as in PyTorch.
static Value *sum_operand(Call *call, int dtype_index) {
    Value *x = tensor_at(call, 0);
    ElementType element = x->type.element;
    element = element_at(call, dtype_index, element_is_real(element) ? element : TYPE_I64);
    if (element == TYPE_BOOL) {
        report(call->e, call->spans[dtype_index], "%s needs a type of numbers, got bool",
               builtin_name(call->builtin));
        return NULL;
    }
    return convert(call->e, x, element);
}

static Val reduce_numbers(Call *call, Op op) {
    Value *x = sum_operand(call, 3);
    Ints axes;
    if (x == NULL || !axes_at(call, 1, x->type.rank, &axes)) {
        return error_val();
    }
    return tensor_val(reduce(call, op, x, axes, call->at[2].boolean));
}

Val builtin_sum(Call *call) {
    return reduce_numbers(call, OP_reduce_sum);
}

Val builtin_prod(Call *call) {
    return reduce_numbers(call, OP_reduce_prod);
}

static Val reduce_extreme(Call *call, Op op) {
    Value *x = tensor_at(call, 0);
    Ints axes;
    if (!axes_at(call, 1, x->type.rank, &axes)) {
        return error_val();
    }
    return tensor_val(reduce(call, op, x, axes, call->at[2].boolean));
}

Val builtin_amax(Call *call) {
    return reduce_extreme(call, OP_reduce_max);
}

Val builtin_amin(Call *call) {
    return reduce_extreme(call, OP_reduce_min);
}

static Value *place_of_extreme(Call *call, Value *x, Op op, int axis) {
    Attribute attribute = {.axis = axis};
    if (x->type.element == TYPE_BOOL) {
        x = convert(call->e, x, TYPE_I32);
    }
    return emit(call->e, call->span, op, &x, 1, &attribute);
}

// max(x, dim): the gradient goes to the element whose index is returned.
static Val extreme_with_indices(Call *call, Value *x, Op place, int axis) {
    Val result = results_val(call->e, 2);
    if (x->type.rank == 0) {
        result.list.at[0] = tensor_val(x);
        result.list.at[1] = tensor_val(build_scalar_integer(&call->e->builder, TYPE_I64, 0));
        return result;
    }
    Value *index = place_of_extreme(call, x, place, axis);
    if (index == NULL) {
        return error_val();
    }
    Dims kept = shape_replacing(call, x->type, axis, constant_of(call, 1));
    Value *kept_index = reshape_value(call->e, index, kept);
    Value *values = gather_axis(call, x, axis, kept_index);
    if (values == NULL) {
        return error_val();
    }
    bool keepdim = call->at[2].boolean;
    result.list.at[0] =
        tensor_val(keepdim ? values : reshape_value(call->e, values, value_shape(index)));
    result.list.at[1] = tensor_val(keepdim ? kept_index : index);
    return result;
}

static Val extreme(Call *call, Op reduction, Op place, Op binary) {
    Elaborator *e = call->e;
    Val second = call->at[1];
    // A scalar has no axis to choose: max(i, 0) is the larger one, but max(x, dim=0) means an axis.
    bool is_scalar = is_static_scalar(call->at[0]) ||
                     (is_tensor(call->at[0]) && call->at[0].tensor->type.rank == 0);
    int64_t axis_number;
    if (call->is_named[1] && second.kind != VAL_NONE && !val_known_int(second, &axis_number)) {
        report(e, call->spans[1], "dim of %s must be a known integer, got %s",
               builtin_name(call->builtin), describe(e, second));
        return error_val();
    }
    bool are_numbers = is_scalar && is_static_scalar(second) && !call->is_named[1];
    if (are_numbers || is_tensor(second) || second.kind == VAL_REAL || second.kind == VAL_LIST) {
        bool are_bools = promote_elements(e, call->at, 2) == TYPE_BOOL;
        Op of_bools = reduction == OP_reduce_max ? OP_logical_or : OP_logical_and;
        return elementwise(e, call->span, are_bools ? of_bools : binary, call->at, call->spans);
    }
    Value *x = as_tensor(e, call->at[0], call->spans[0]);
    if (x == NULL) {
        return error_val();
    }
    if (second.kind == VAL_NONE) {
        Ints axes;
        if (call->at[2].boolean) {
            report(e, call->spans[2], "%s needs dim where keepdim is given",
                   builtin_name(call->builtin));
            return error_val();
        }
        axes_at(call, 1, x->type.rank, &axes);
        if (element_is_real(x->type.element)) {
            Val arguments[2] = {tensor_val(x), bool_val(reduction == OP_reduce_max)};
            return call_prelude(call, "extreme_of_all", arguments, 2);
        }
        return tensor_val(reduce(call, reduction, x, axes, false));
    }
    int64_t number;
    if (!val_known_int(second, &number)) {
        report(e, call->spans[1], "%s needs a dim or another tensor, got %s",
               builtin_name(call->builtin), describe(e, second));
        return error_val();
    }
    int axis;
    return axis_at(call, 1, x->type.rank, &axis) ? extreme_with_indices(call, x, place, axis)
                                                 : error_val();
}

Val builtin_max(Call *call) {
    return extreme(call, OP_reduce_max, OP_argmax, OP_maximum);
}

Val builtin_min(Call *call) {
    return extreme(call, OP_reduce_min, OP_argmin, OP_minimum);
}

static Val index_of_extreme(Call *call, Op op) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    int axis = 0;
    bool is_flat = !is_given(call, 1);
    if (!is_flat && !axis_at(call, 1, x->type.rank, &axis)) {
        return error_val();
    }
    if (x->type.rank == 0) {
        return tensor_val(build_scalar_integer(&e->builder, TYPE_I64, 0));
    }
    int rank = x->type.rank;
    if (is_flat) {
        const Dim **dims;
        Dims shape = make_dims(e, 1, &dims);
        dims[0] = type_size(e->module->dims, x->type);
        x = reshape_value(e, x, shape);
    }
    Value *index = place_of_extreme(call, x, op, axis);
    if (index == NULL || !call->at[2].boolean) {
        return tensor_val(index);
    }
    const Dim **dims;
    Dims shape = make_dims(e, rank, &dims);
    for (int i = 0; i < rank; i++) {
        dims[i] = is_flat || i == axis ? constant_of(call, 1) : x->type.dims[i];
    }
    return tensor_val(reshape_value(e, index, shape));
}

Val builtin_argmax(Call *call) {
    return index_of_extreme(call, OP_argmax);
}

Val builtin_argmin(Call *call) {
    return index_of_extreme(call, OP_argmin);
}

// any and all; over no elements they are false and true.
static Val reduce_truth(Call *call, Op op, bool otherwise) {
    Elaborator *e = call->e;
    Val truth = call->at[0];
    if (truth.tensor->type.element != TYPE_BOOL) {
        truth = binary_operator(e, call->span, BINARY_NOT_EQUAL, truth, call->spans[0],
                                number_val(e, 0), call->span);
    }
    Ints axes;
    if (is_error(truth) || !axes_at(call, 1, truth.tensor->type.rank, &axes)) {
        return error_val();
    }
    Value *x = truth.tensor;
    for (int i = 0; i < axes.count; i++) {
        int64_t size;
        if (dim_is_constant(x->type.dims[axes.at[i]], &size) && size == 0) {
            const Dim **dims;
            Dims shape = make_dims(e, x->type.rank - axes.count, &dims);
            for (int axis = 0, next = 0, kept = 0; axis < x->type.rank; axis++) {
                if (next < axes.count && axes.at[next] == axis) {
                    next++;
                } else {
                    dims[kept++] = x->type.dims[axis];
                }
            }
            Value *constant = build_scalar_integer(&e->builder, TYPE_BOOL, otherwise);
            return tensor_val(full_value(
                e, constant, call->at[2].boolean ? shape_keeping(call, x->type, axes) : shape));
        }
    }
    return tensor_val(reduce(call, op, x, axes, call->at[2].boolean));
}

Val builtin_any(Call *call) {
    return reduce_truth(call, OP_reduce_max, false);
}

Val builtin_all(Call *call) {
    return reduce_truth(call, OP_reduce_min, true);
}

Val builtin_cumsum(Call *call) {
    Value *x = sum_operand(call, 2);
    int axis;
    if (x == NULL || !axis_at(call, 1, x->type.rank, &axis)) {
        return error_val();
    }
    if (x->type.rank == 0) {
        return tensor_val(x);
    }
    Attribute attribute = {.axis = axis};
    return tensor_val(emit(call->e, call->span, OP_cumsum, &x, 1, &attribute));
}
