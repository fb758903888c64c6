// Type rules of sources and of operators that only move elements.
#include "ir/type_rules.h"

bool type_constant(Rule *rule) {
    const TensorData *data = rule->attribute->data;
    if (!data) {
        return refuse(rule, "has no value");
    }
    if (!type_is_static(data->type)) {
        return refuse(rule, "needs a shape of known sizes, got %s", show_type(rule, data->type));
    }
    return give_type(rule, data->type.element, data->type.dims, data->type.rank);
}

bool type_iota(Rule *rule) {
    ElementType element = rule->attribute->element;
    Dims shape = rule->attribute->shape;
    if (!element_is_integer(element) && !element_is_real(element)) {
        return refuse(rule, "makes numbers, not bool");
    }
    return require_dims(rule, shape, shape.count, "sizes") &&
           require_axis(rule, rule->attribute->axis, shape.count) &&
           give_type(rule, element, shape.at, shape.count);
}

bool type_dimension(Rule *rule) {
    if (!rule->attribute->dimension) {
        return refuse(rule, "has no value");
    }
    return give_type(rule, TYPE_I64, NULL, 0);
}

bool type_broadcast(Rule *rule) {
    Type x = operand_type(rule, 0);
    Dims shape = rule->attribute->shape;
    Ints axes = rule->attribute->axes;
    if (axes.count != x.rank) {
        return refuse(rule, "needs %d axes, one for each of the operand, got %d", x.rank,
                      axes.count);
    }
    if (!require_dims(rule, shape, shape.count, "sizes") ||
        !require_axes(rule, axes, shape.count)) {
        return false;
    }
    const Dim *one = dim_constant(rule->module->dims, 1);
    for (int i = 0; i < x.rank; i++) {
        const Dim *size = shape.at[axes.at[i]];
        if (!dim_equal(x.dims[i], size) && !dim_equal(x.dims[i], one)) {
            return refuse_axis_sizes(rule, axes.at[i], x.dims[i], size);
        }
    }
    return give_type(rule, x.element, shape.at, shape.count);
}

bool type_reshape(Rule *rule) {
    Type x = operand_type(rule, 0);
    Dims shape = rule->attribute->shape;
    if (!require_dims(rule, shape, shape.count, "sizes")) {
        return false;
    }
    Type result = {x.element, shape.count, shape.at};
    const Dim *before = type_size(rule->module->dims, x);
    const Dim *after = type_size(rule->module->dims, result);
    if (!before || !after) {
        return refuse(rule, "cannot compare the sizes of %s and %s", show_operand(rule, 0),
                      show_type(rule, result));
    }
    if (!dim_equal(before, after)) {
        const char *types = arena_format(rule->module->arena, "from %s to %s",
                                         show_operand(rule, 0), show_type(rule, result));
        int64_t value;
        if (dim_is_constant(before, &value) && dim_is_constant(after, &value)) {
            return refuse(rule, "%s needs equally many elements, got %s and %s", types,
                          show_dim(rule, before), show_dim(rule, after));
        }
        return refuse(rule, "%s cannot show that %s and %s elements are equally many", types,
                      show_dim(rule, before), show_dim(rule, after));
    }
    return give_type(rule, x.element, shape.at, shape.count);
}

bool type_transpose(Rule *rule) {
    Type x = operand_type(rule, 0);
    Ints permutation = rule->attribute->axes;
    if (permutation.count != x.rank) {
        return refuse(rule, "of %s needs %d axes, got %d", show_operand(rule, 0), x.rank,
                      permutation.count);
    }
    const Dim **dims = arena_array(rule->module->arena, const Dim *, x.rank);
    bool *seen = arena_array(rule->module->arena, bool, x.rank);
    for (int i = 0; i < x.rank; i++) {
        int axis = permutation.at[i];
        if (!require_axis(rule, axis, x.rank)) {
            return false;
        }
        if (seen[axis]) {
            return refuse(rule, "names axis %d twice", axis);
        }
        seen[axis] = true;
        dims[i] = x.dims[axis];
    }
    return give_type(rule, x.element, dims, x.rank);
}

static bool is_constant(const Dim *dim, int64_t value) {
    int64_t known;
    return dim_is_constant(dim, &known) && known == value;
}

// low <= high, or a refusal that names both.
static bool require_order(Rule *rule, int axis, const char *low_name, const Dim *low,
                          const char *high_name, const Dim *high) {
    DimTable *table = rule->module->dims;
    const Dim *distance = dim_subtract(table, high, low);
    if (distance && dim_is_at_least(table, distance, 0)) {
        return true;
    }
    int64_t value;
    bool known = distance && dim_is_constant(distance, &value);
    return refuse(rule, "of axis %d %s %s%s is at most %s %s", axis,
                  known ? "needs that" : "cannot show that", low_name, show_dim(rule, low),
                  high_name, show_dim(rule, high));
}

// The number of elements from start by `step` below stop: the distance divided by |step|, rounded
// up.
static const Dim *slice_size(Rule *rule, const Dim *start, const Dim *stop, int step) {
    DimTable *table = rule->module->dims;
    const Dim *distance =
        step > 0 ? dim_subtract(table, stop, start) : dim_subtract(table, start, stop);
    int64_t value, stride = step > 0 ? step : -(int64_t)step;
    if (!distance || stride == 1) {
        return distance;
    }
    if (dim_is_constant(distance, &value)) {
        return dim_constant(table, value / stride + (value % stride > 0));
    }
    return NULL;
}

// 0 <= start <= stop <= size; for a negative step -1 <= stop <= start <= size - 1.
static bool require_slice_bounds(Rule *rule, int axis, const Dim *size, const Dim *start,
                                 const Dim *stop, int step) {
    DimTable *table = rule->module->dims;
    if (step > 0) {
        return require_order(rule, axis, "", dim_constant(table, 0), "start", start) &&
               require_order(rule, axis, "start ", start, "stop", stop) &&
               require_order(rule, axis, "stop ", stop, "size", size);
    }
    const Dim *last = dim_subtract(table, size, dim_constant(table, 1));
    if (!last) {
        return refuse(rule, "of axis %d is too large", axis);
    }
    return require_order(rule, axis, "", dim_constant(table, -1), "stop", stop) &&
           require_order(rule, axis, "stop ", stop, "start", start) &&
           require_order(rule, axis, "start ", start, "the last index", last);
}

bool type_slice(Rule *rule) {
    Type x = operand_type(rule, 0);
    const Attribute *attribute = rule->attribute;
    if (!require_dims(rule, attribute->start, x.rank, "starts") ||
        !require_dims(rule, attribute->stop, x.rank, "stops")) {
        return false;
    }
    if (attribute->step.count != x.rank) {
        return refuse(rule, "needs %d steps, got %d", x.rank, attribute->step.count);
    }
    const Dim **dims = arena_array(rule->module->arena, const Dim *, x.rank);
    for (int axis = 0; axis < x.rank; axis++) {
        const Dim *start = attribute->start.at[axis], *stop = attribute->stop.at[axis];
        int step = attribute->step.at[axis];
        if (step == 0) {
            return refuse(rule, "of axis %d has step 0", axis);
        }
        if (!require_slice_bounds(rule, axis, x.dims[axis], start, stop, step)) {
            return false;
        }
        dims[axis] = slice_size(rule, start, stop, step);
        if (!dims[axis]) {
            return refuse(rule, "of axis %d from %s to %s by %d needs known sizes", axis,
                          show_dim(rule, start), show_dim(rule, stop), step);
        }
    }
    return give_type(rule, x.element, dims, x.rank);
}

// low + size + (size - 1) * (step - 1) + high; an axis without elements has nothing in between.
// NULL after a refusal.
static const Dim *padded_size(Rule *rule, int axis, const Dim *size, const Dim *low,
                              const Dim *high, int step) {
    DimTable *table = rule->module->dims;
    const Dim *spread = size;
    if (step > 1 && !is_constant(size, 0)) {
        if (!dim_is_at_least(table, size, 1)) {
            refuse(rule, "of axis %d with a step cannot show that %s is at least 1", axis,
                   show_dim(rule, size));
            return NULL;
        }
        const Dim *gaps = dim_subtract(table, size, dim_constant(table, 1));
        spread = dim_add(table, size, dim_multiply(table, gaps, dim_constant(table, step - 1)));
    }
    const Dim *result = dim_add(table, dim_add(table, low, spread), high);
    if (!result || !dim_is_at_least(table, result, 0)) {
        refuse(rule,
               "of axis %d with size %s by %s and %s does not leave a size that is known to be "
               "0 or more",
               axis, show_dim(rule, size), show_dim(rule, low), show_dim(rule, high));
        return NULL;
    }
    return result;
}

bool type_pad(Rule *rule) {
    Type x = operand_type(rule, 0), fill = operand_type(rule, 1);
    const Attribute *attribute = rule->attribute;
    if (fill.rank != 0 || fill.element != x.element) {
        return refuse(rule, "needs a scalar of type %s to fill with, got %s",
                      element_name(x.element), show_operand(rule, 1));
    }
    if (!require_dims(rule, attribute->low, x.rank, "sizes before") ||
        !require_dims(rule, attribute->high, x.rank, "sizes after")) {
        return false;
    }
    if (attribute->step.count != x.rank) {
        return refuse(rule, "needs %d steps, got %d", x.rank, attribute->step.count);
    }
    const Dim **dims = arena_array(rule->module->arena, const Dim *, x.rank);
    for (int axis = 0; axis < x.rank; axis++) {
        if (attribute->step.at[axis] < 1) {
            return refuse(rule, "of axis %d has step %d; the least is 1", axis,
                          attribute->step.at[axis]);
        }
        dims[axis] = padded_size(rule, axis, x.dims[axis], attribute->low.at[axis],
                                 attribute->high.at[axis], attribute->step.at[axis]);
        if (!dims[axis]) {
            return false;
        }
    }
    return give_type(rule, x.element, dims, x.rank);
}

// Operand `index` of a concat has the type of the first one but for the size of `axis`.
static bool require_alike(Rule *rule, int index, int axis) {
    Type first = operand_type(rule, 0), part = operand_type(rule, index);
    if (part.element != first.element) {
        return refuse(rule, "needs operands of one element type, got %s and %s",
                      element_name(first.element), element_name(part.element));
    }
    if (part.rank != first.rank) {
        return refuse(rule, "needs operands of one rank, got %s and %s", show_operand(rule, 0),
                      show_operand(rule, index));
    }
    for (int k = 0; k < first.rank; k++) {
        if (k != axis && !dim_equal(first.dims[k], part.dims[k])) {
            return refuse_axis_sizes(rule, k, first.dims[k], part.dims[k]);
        }
    }
    return true;
}

bool type_concat(Rule *rule) {
    if (rule->count == 0) {
        return refuse(rule, "needs at least one operand");
    }
    Type first = operand_type(rule, 0);
    int axis = rule->attribute->axis;
    if (!require_axis(rule, axis, first.rank)) {
        return false;
    }
    const Dim **dims = arena_array(rule->module->arena, const Dim *, first.rank);
    for (int k = 0; k < first.rank; k++) {
        dims[k] = first.dims[k];
    }
    for (int i = 1; i < rule->count; i++) {
        if (!require_alike(rule, i, axis)) {
            return false;
        }
        dims[axis] = dim_add(rule->module->dims, dims[axis], operand_type(rule, i).dims[axis]);
        if (!dims[axis]) {
            return refuse(rule, "would make a tensor that is too large");
        }
    }
    return give_type(rule, first.element, dims, first.rank);
}

bool type_detach(Rule *rule) {
    Type x = operand_type(rule, 0);
    return give_type(rule, x.element, x.dims, x.rank);
}
