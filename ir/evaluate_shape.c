// The reference evaluator: operators that move elements, and indexing.
#include <string.h>

#include "ir/evaluator.h"

Walk walk_new(Arena *arena, int rank, const int64_t *sizes) {
    return (Walk){rank, sizes, arena_array(arena, int64_t, rank)};
}

bool walk_next(Walk *walk) {
    for (int k = walk->rank - 1; k >= 0; k--) {
        if (++walk->at[k] < walk->sizes[k]) {
            return true;
        }
        walk->at[k] = 0;
    }
    return false;
}

const int64_t *sizes_of(Arena *arena, Type type) {
    int64_t *sizes = arena_array(arena, int64_t, type.rank);
    for (int k = 0; k < type.rank; k++) {
        sizes[k] = dim_value(type.dims[k]);
    }
    return sizes;
}

int64_t *strides_of(Arena *arena, Type type) {
    int64_t *strides = arena_array(arena, int64_t, type.rank);
    int64_t stride = 1;
    for (int k = type.rank - 1; k >= 0; k--) {
        strides[k] = stride;
        stride *= dim_value(type.dims[k]);
    }
    return strides;
}

int64_t offset_at(const int64_t *at, const int64_t *strides, int rank) {
    int64_t offset = 0;
    for (int k = 0; k < rank; k++) {
        offset += at[k] * strides[k];
    }
    return offset;
}

// Fills the result: the element at coordinates `at` is the operand's at start + sum at[k] *
// steps[k].
static void collect(Evaluation *e, int64_t start, const int64_t *steps) {
    TensorData *result = new_result(e, 0);
    int rank = result->type.rank;
    int64_t count = type_elements(result->type);
    Walk walk = walk_new(e->arena, rank, sizes_of(e->arena, result->type));
    for (int64_t i = 0; i < count; i++, walk_next(&walk)) {
        copy_element(result, i, operand(e, 0), start + offset_at(walk.at, steps, rank));
    }
}

bool evaluate_broadcast(Evaluation *e) {
    Type x = operand(e, 0)->type;
    const int64_t *strides = strides_of(e->arena, x);
    int64_t *steps = arena_array(e->arena, int64_t, e->inst->results[0]->type.rank);
    for (int k = 0; k < x.rank; k++) {
        bool repeats = dim_value(x.dims[k]) == 1;
        steps[e->inst->attr.axes.at[k]] = repeats ? 0 : strides[k];
    }
    collect(e, 0, steps);
    return true;
}

bool evaluate_reshape(Evaluation *e) {
    share_result(e, 0, operand(e, 0));
    return true;
}

bool evaluate_transpose(Evaluation *e) {
    Type x = operand(e, 0)->type;
    const int64_t *strides = strides_of(e->arena, x);
    int64_t *steps = arena_array(e->arena, int64_t, x.rank);
    for (int k = 0; k < x.rank; k++) {
        steps[k] = strides[e->inst->attr.axes.at[k]];
    }
    collect(e, 0, steps);
    return true;
}

bool evaluate_slice(Evaluation *e) {
    const Attribute *attr = &e->inst->attr;
    Type x = operand(e, 0)->type;
    int64_t *steps = strides_of(e->arena, x);
    int64_t start = 0;
    for (int k = 0; k < x.rank; k++) {
        start += dim_value(attr->start.at[k]) * steps[k];
        steps[k] *= attr->step.at[k];
    }
    collect(e, start, steps);
    return true;
}

bool evaluate_pad(Evaluation *e) {
    const Attribute *attr = &e->inst->attr;
    const TensorData *x = operand(e, 0);
    TensorData *result = new_result(e, 0);
    int rank = x->type.rank;
    const int64_t *sizes = sizes_of(e->arena, result->type);
    const int64_t *strides = strides_of(e->arena, result->type);
    int64_t *place = arena_array(e->arena, int64_t, rank);
    int64_t size = type_elements(result->type), count = type_elements(x->type);
    for (int64_t i = 0; i < size; i++) {
        copy_element(result, i, operand(e, 1), 0);
    }
    Walk walk = walk_new(e->arena, rank, sizes_of(e->arena, x->type));
    for (int64_t i = 0; i < count; i++, walk_next(&walk)) {
        bool inside = true;
        for (int k = 0; k < rank; k++) {
            place[k] = dim_value(attr->low.at[k]) + walk.at[k] * attr->step.at[k];
            inside = inside && place[k] >= 0 && place[k] < sizes[k];
        }
        if (inside) {
            copy_element(result, offset_at(place, strides, rank), x, i);
        }
    }
    return true;
}

bool evaluate_concat(Evaluation *e) {
    TensorData *result = new_result(e, 0);
    int rank = result->type.rank, axis = e->inst->attr.axis;
    const int64_t *strides = strides_of(e->arena, result->type);
    int64_t before = 0; // of the axis, in earlier operands
    for (int part = 0; part < e->inst->operand_count; part++) {
        const TensorData *x = operand(e, part);
        int64_t count = type_elements(x->type);
        Walk walk = walk_new(e->arena, rank, sizes_of(e->arena, x->type));
        for (int64_t i = 0; i < count; i++, walk_next(&walk)) {
            int64_t place = offset_at(walk.at, strides, rank) + before * strides[axis];
            copy_element(result, place, x, i);
        }
        before += dim_value(x->type.dims[axis]);
    }
    return true;
}

// The place in a tensor that is named by element `i` of the index operands from `first` on.
// False where an index is out of range.
static bool find_place(Evaluation *e, Type indexed, const int64_t *strides, int first, int64_t i,
                       int64_t *place) {
    *place = 0;
    for (int k = 0; k < indexed.rank; k++) {
        int64_t index = tensor_get_integer(operand(e, first + k), i);
        int64_t size = dim_value(indexed.dims[k]);
        if (index < 0 || index >= size) {
            return report_failure(e, "an index is out of range for axis %d with size %lld", k,
                                  (long long)size);
        }
        *place += index * strides[k];
    }
    return true;
}

bool evaluate_gather(Evaluation *e) {
    const TensorData *x = operand(e, 0);
    TensorData *result = new_result(e, 0);
    const int64_t *strides = strides_of(e->arena, x->type);
    int64_t count = type_elements(result->type);
    for (int64_t i = 0; i < count; i++) {
        int64_t place = 0;
        if (!find_place(e, x->type, strides, 1, i, &place)) {
            return false;
        }
        copy_element(result, i, x, place);
    }
    return true;
}

bool evaluate_scatter_set(Evaluation *e) {
    const TensorData *values = operand(e, 1);
    TensorData *result = new_result(e, 0);
    const int64_t *strides = strides_of(e->arena, result->type);
    int64_t count = type_elements(values->type);
    size_t bytes = type_bytes(result->type);
    if (bytes) {
        memcpy(result->bytes, operand(e, 0)->bytes, bytes);
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t place = 0;
        if (!find_place(e, result->type, strides, 2, i, &place)) {
            return false;
        }
        copy_element(result, place, values, i);
    }
    return true;
}

// Real sums are kept in double and rounded once at the end.
static bool add_reals(Evaluation *e, Arena *scratch, const TensorData *base, TensorData *result) {
    const TensorData *values = operand(e, 1);
    const int64_t *strides = strides_of(scratch, base->type);
    int64_t size = type_elements(base->type), count = type_elements(values->type);
    double *sums = arena_array(scratch, double, size);
    for (int64_t i = 0; i < size; i++) {
        sums[i] = tensor_get(base, i);
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t place = 0;
        if (!find_place(e, base->type, strides, 2, i, &place)) {
            return false;
        }
        sums[place] += tensor_get(values, i);
    }
    for (int64_t i = 0; i < size; i++) {
        tensor_set(result, i, sums[i]);
    }
    return true;
}

static bool add_integers(Evaluation *e, const TensorData *base, TensorData *result) {
    const TensorData *values = operand(e, 1);
    const int64_t *strides = strides_of(e->arena, base->type);
    int64_t count = type_elements(values->type);
    size_t bytes = type_bytes(base->type);
    if (bytes) {
        memcpy(result->bytes, base->bytes, bytes);
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t place = 0;
        if (!find_place(e, base->type, strides, 2, i, &place)) {
            return false;
        }
        int64_t terms[2] = {tensor_get_integer(result, place), tensor_get_integer(values, i)};
        tensor_set_integer(result, place, scalar_integer(OP_add, base->type.element, terms));
    }
    return true;
}

bool evaluate_scatter_add(Evaluation *e) {
    const TensorData *base = operand(e, 0);
    TensorData *result = new_result(e, 0);
    if (!element_is_real(base->type.element)) {
        return add_integers(e, base, result);
    }
    Arena scratch = {0};
    bool ok = add_reals(e, &scratch, base, result);
    arena_free(&scratch);
    return ok;
}
