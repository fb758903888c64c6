// Functions that put tensors together, and that frame, cut or fill them by the place of elements.
#include "frontend/builtins.h"

#include <inttypes.h>
#include <string.h>

// ---- cat and stack

// The list's tensors, of one element type.
static Value **list_tensors(Call *call, int index, int *count) {
    Elaborator *e = call->e;
    Val list = call->at[index];
    if (is_tensor(list)) {
        Diag *diag = report(e, call->spans[index], "%s needs a list of tensors, got %s",
                            builtin_name(call->builtin), describe(e, list));
        hint(e, diag, "write it in brackets: %s([a, b])", builtin_name(call->builtin));
        return NULL;
    }
    *count = list.list.count;
    if (*count == 0) {
        report(e, call->spans[index], "%s needs at least one tensor", builtin_name(call->builtin));
        return NULL;
    }
    ElementType element = promote_elements(e, list.list.at, *count);
    Value **parts = arena_array(e->arena, Value *, *count);
    for (int i = 0; i < *count; i++) {
        parts[i] = to_tensor(e, list.list.at[i], call->spans[index], element);
        if (parts[i] == NULL) {
            return NULL;
        }
        at_span(e, call->span);
        parts[i] = convert(e, parts[i], element);
    }
    return parts;
}

static Val concatenate(Call *call, Value *const *parts, int count, int axis) {
    Attribute attribute = {.axis = axis};
    return tensor_val(emit(call->e, call->span, OP_concat, parts, count, &attribute));
}

static bool is_empty_vector(const Value *value) {
    int64_t size;
    return value->type.rank == 1 && dim_is_constant(value->type.dims[0], &size) && size == 0;
}

// PyTorch takes vectors without elements beside tensors of any rank: they get the others' shape.
static void adapt_empty_vectors(Call *call, Value **parts, int count) {
    const Value *model = NULL;
    for (int i = 0; i < count && model == NULL; i++) {
        model = is_empty_vector(parts[i]) ? NULL : parts[i];
    }
    int axis;
    if (model == NULL || model->type.rank == 1 || !axis_at(call, 1, model->type.rank, &axis)) {
        return;
    }
    for (int i = 0; i < count; i++) {
        if (is_empty_vector(parts[i])) {
            Dims shape = shape_replacing(call, model->type, axis, constant_of(call, 0));
            parts[i] = reshape_value(call->e, parts[i], shape);
        }
    }
}

// Whether the parts differ along the axis only.
static bool check_parts(Call *call, Value *const *parts, int count, int axis) {
    const Value *first = parts[0];
    for (int i = 1; i < count; i++) {
        bool fits = parts[i]->type.rank == first->type.rank;
        for (int k = 0; fits && k < first->type.rank; k++) {
            fits = k == axis || dim_equal(parts[i]->type.dims[k], first->type.dims[k]);
        }
        if (!fits) {
            bool is_symbolic = !type_is_static(first->type) || !type_is_static(parts[i]->type);
            report_sizes(call->e, call->spans[0], is_symbolic,
                         "%s needs tensors that differ along axis %d only, got %s and %s",
                         builtin_name(call->builtin), axis, show_value_type(call->e, first),
                         show_value_type(call->e, parts[i]));
            return false;
        }
    }
    return true;
}

Val builtin_cat(Call *call) {
    int count, axis;
    Value **parts = list_tensors(call, 0, &count);
    if (parts == NULL) {
        return error_val();
    }
    for (int i = 0; i < count; i++) {
        if (parts[i]->type.rank == 0) {
            Diag *diag = report(call->e, call->spans[0], "%s needs tensors with axes, got a scalar",
                                builtin_name(call->builtin));
            hint(call->e, diag, "stack([a, b]) makes a new axis");
            return error_val();
        }
    }
    adapt_empty_vectors(call, parts, count);
    if (!axis_at(call, 1, parts[0]->type.rank, &axis) || !check_parts(call, parts, count, axis)) {
        return error_val();
    }
    return concatenate(call, parts, count, axis);
}

Val builtin_stack(Call *call) {
    int count, axis;
    Value **parts = list_tensors(call, 0, &count);
    if (parts == NULL || !axis_at(call, 1, parts[0]->type.rank + 1, &axis)) {
        return error_val();
    }
    for (int i = 0; i < count; i++) {
        if (!shape_equal(parts[i]->type, parts[0]->type)) {
            bool is_symbolic = !type_is_static(parts[i]->type) || !type_is_static(parts[0]->type);
            report_sizes(call->e, call->spans[0], is_symbolic,
                         "%s needs tensors of one shape, got %s and %s",
                         builtin_name(call->builtin), show_value_type(call->e, parts[0]),
                         show_value_type(call->e, parts[i]));
            return error_val();
        }
    }
    for (int i = 0; i < count; i++) {
        parts[i] = reshape_value(call->e, parts[i],
                                 shape_with(call, parts[i]->type, axis, constant_of(call, 1)));
    }
    return concatenate(call, parts, count, axis);
}

// ---- pad

typedef struct Padding {
    int64_t *low, *high;
} Padding;

// [left, right, top, bottom, ...]: the last axis comes first.
static bool read_padding(Call *call, Value *x, Padding *padding) {
    const ValList *list = &call->at[1].list;
    int rank = x->type.rank;
    if (list->count % 2 != 0 || list->count / 2 > rank) {
        report(call->e, call->spans[1], "pad of %s needs up to %d pairs of numbers, got %d numbers",
               show_value_type(call->e, x), rank, list->count);
        return false;
    }
    padding->low = arena_array(call->e->arena, int64_t, rank);
    padding->high = arena_array(call->e->arena, int64_t, rank);
    for (int i = 0; i < list->count / 2; i++) {
        if (!val_known_int(list->at[2 * i], &padding->low[rank - 1 - i]) ||
            !val_known_int(list->at[2 * i + 1], &padding->high[rank - 1 - i])) {
            report(call->e, call->spans[1], "pad needs known integers");
            return false;
        }
    }
    return true;
}

static Val pad_constant(Call *call, Value *x, const Padding *padding) {
    Elaborator *e = call->e;
    const Dim **low, **high;
    int rank = x->type.rank, *steps = arena_array(e->module->arena, int, rank);
    Val zero = number_val(e, 0);
    Value *fill =
        to_tensor(e, is_given(call, 3) ? call->at[3] : zero, call->spans[3], x->type.element);
    if (fill == NULL) {
        return error_val();
    }
    Attribute attribute = {
        .low = make_dims(e, rank, &low), .high = make_dims(e, rank, &high), .step = {steps, rank}};
    for (int i = 0; i < rank; i++) {
        low[i] = constant_of(call, padding->low[i]);
        high[i] = constant_of(call, padding->high[i]);
        steps[i] = 1;
    }
    Value *operands[2] = {x, convert(e, fill, x->type.element)};
    return tensor_val(emit(e, call->span, OP_pad, operands, 2, &attribute));
}

// Index of the source element for each place of a padded axis.
static Value *padded_index(Call *call, const char *mode, int64_t size, int64_t low, int64_t high) {
    Elaborator *e = call->e;
    int64_t count = size + low + high;
    Val list = list_val(e, (int)count);
    for (int64_t i = 0; i < count; i++) {
        int64_t place = i - low;
        if (strcmp(mode, "circular") == 0) {
            // Negative amounts cut before what is left goes round.
            int64_t first = low < 0 ? -low : 0, kept = size - first + (high < 0 ? high : 0);
            place = first + (((place - first) % kept) + kept) % kept;
        } else if (strcmp(mode, "reflect") == 0) {
            place = place < 0 ? -place : place;
            place = place >= size ? 2 * (size - 1) - place : place;
        } else {
            place = place < 0 ? 0 : place >= size ? size - 1 : place;
        }
        list.list.at[i] = number_val(e, place);
    }
    return as_tensor(e, list, call->span);
}

static Value *pad_axis_by_index(Call *call, Value *x, int axis, const char *mode, int64_t low,
                                int64_t high) {
    Elaborator *e = call->e;
    int64_t size, most = 0;
    if (low == 0 && high == 0) {
        return x;
    }
    if (!dim_is_constant(x->type.dims[axis], &size)) {
        report_sizes(e, call->span, true, "pad with mode \"%s\" needs the value of %s", mode,
                     show_dim_text(e, x->type.dims[axis]));
        return NULL;
    }
    most = strcmp(mode, "reflect") == 0 ? size - 1 : strcmp(mode, "circular") == 0 ? size : 1 << 20;
    if (low > most || high > most || size == 0 || size + low + high < 0 || low <= -size ||
        high <= -size) {
        report(e, call->spans[1],
               "pad with mode \"%s\": axis %d with size %" PRId64 " cannot be padded by %" PRId64
               " and %" PRId64,
               mode, axis, size, low, high);
        return NULL;
    }
    Value *index = padded_index(call, mode, size, low, high);
    if (index == NULL) {
        return NULL;
    }
    Dims shape = shape_replacing(call, x->type, axis, index->type.dims[0]);
    return gather_axis(call, x, axis, build_broadcast(&e->builder, index, shape, &axis));
}

Val builtin_pad(Call *call) {
    Value *x = tensor_at(call, 0);
    const char *mode = string_at(call, 2);
    Padding padding;
    if (!read_padding(call, x, &padding)) {
        return error_val();
    }
    if (strcmp(mode, "constant") == 0) {
        return pad_constant(call, x, &padding);
    }
    if (strcmp(mode, "reflect") != 0 && strcmp(mode, "replicate") != 0 &&
        strcmp(mode, "circular") != 0) {
        report(call->e, call->spans[2],
               "pad has no mode \"%s\"; there are \"constant\", \"reflect\", \"replicate\" and "
               "\"circular\"",
               mode);
        return error_val();
    }
    for (int axis = 0; axis < x->type.rank && x != NULL; axis++) {
        x = pad_axis_by_index(call, x, axis, mode, padding.low[axis], padding.high[axis]);
        if (x == NULL) {
            return error_val();
        }
    }
    return tensor_val(x);
}

// ---- triangles and diagonals

static Val keep_triangle(Call *call, Op comparison) {
    Elaborator *e = call->e;
    Value *x = tensor_at(call, 0);
    int rank = x->type.rank;
    if (rank < 2) {
        report(e, call->spans[0], "%s needs at least 2 axes, got %s", builtin_name(call->builtin),
               show_value_type(e, x));
        return error_val();
    }
    Dims shape = value_shape(x), last = {shape.at + rank - 2, 2};
    Value *rows = iota_axis(call, last, 0), *columns = iota_axis(call, last, 1);
    Value *inside =
        build_binary(&e->builder, comparison, columns, add_scalar(call, rows, int_at(call, 1)));
    Value *zeros = full_value(e, scalar_of(call, x->type.element, 0), shape);
    return tensor_val(build_select(&e->builder, broadcast_value(e, inside, shape), x, zeros));
}

Val builtin_tril(Call *call) {
    return keep_triangle(call, OP_le);
}

Val builtin_triu(Call *call) {
    return keep_triangle(call, OP_ge);
}

static Val take_diagonal(Call *call, Value *x, int64_t offset, int row_axis, int column_axis) {
    Elaborator *e = call->e;
    int rank = x->type.rank;
    int64_t rows, columns;
    const Dim *size = x->type.dims[row_axis];
    if (dim_is_constant(size, &rows) && dim_is_constant(x->type.dims[column_axis], &columns)) {
        int64_t a = offset < 0 ? rows + offset : rows, b = offset > 0 ? columns - offset : columns;
        int64_t least = a < b ? a : b;
        size = constant_of(call, least < 0 ? 0 : least);
    } else if (!dim_equal(size, x->type.dims[column_axis]) || offset != 0) {
        report_sizes(e, call->span, true, "%s needs known sizes, got %s",
                     builtin_name(call->builtin), show_value_type(e, x));
        return error_val();
    }
    const Dim **dims;
    Dims shape = make_dims(e, rank - 1, &dims);
    Value **operands = arena_array(e->arena, Value *, rank + 1);
    int kept = 0;
    for (int i = 0; i < rank; i++) {
        if (i != row_axis && i != column_axis) {
            dims[kept++] = x->type.dims[i];
        }
    }
    dims[kept] = size;
    Value *along = iota_axis(call, shape, rank - 2);
    operands[0] = x;
    for (int i = 0, next = 0; i < rank; i++) {
        operands[i + 1] = i == row_axis      ? add_scalar(call, along, offset < 0 ? -offset : 0)
                          : i == column_axis ? add_scalar(call, along, offset > 0 ? offset : 0)
                                             : iota_axis(call, shape, next++);
    }
    return tensor_val(emit(e, call->span, OP_gather, operands, rank + 1, NULL));
}

Val builtin_diagonal(Call *call) {
    Value *x = tensor_at(call, 0);
    int first, second;
    if (!axis_at(call, 2, x->type.rank, &first) || !axis_at(call, 3, x->type.rank, &second)) {
        return error_val();
    }
    if (first == second) {
        report(call->e, call->span, "diagonal needs two different dims");
        return error_val();
    }
    return take_diagonal(call, x, int_at(call, 1), first, second);
}

// Vectors along the last axis, on the diagonal of two last axes.
static Val put_diagonal(Call *call, Value *x, int64_t offset) {
    Elaborator *e = call->e;
    int rank = x->type.rank;
    int64_t extra = offset < 0 ? -offset : offset;
    const Dim *size = dim_add(e->module->dims, x->type.dims[rank - 1], constant_of(call, extra));
    Type rows = {x->type.element, rank, shape_replacing(call, x->type, rank - 1, size).at};
    Dims shape = shape_with(call, rows, rank, size);
    if (!check_shape(e, call->span, shape)) {
        return error_val();
    }
    Value **operands = arena_array(e->arena, Value *, rank + 3);
    operands[0] = full_value(e, scalar_of(call, x->type.element, 0), shape);
    operands[1] = x;
    for (int i = 0; i < rank - 1; i++) {
        operands[i + 2] = iota_axis(call, value_shape(x), i);
    }
    Value *along = iota_axis(call, value_shape(x), rank - 1);
    operands[rank + 1] = add_scalar(call, along, offset < 0 ? extra : 0);
    operands[rank + 2] = add_scalar(call, along, offset > 0 ? extra : 0);
    return tensor_val(emit(e, call->span, OP_scatter_set, operands, rank + 3, NULL));
}

Val builtin_diag(Call *call) {
    Value *x = tensor_at(call, 0);
    if (x->type.rank == 1) {
        return put_diagonal(call, x, int_at(call, 1));
    }
    if (x->type.rank == 2) {
        int64_t rows, columns, offset = int_at(call, 1);
        if (dim_is_constant(x->type.dims[0], &rows) && dim_is_constant(x->type.dims[1], &columns) &&
            (offset < -rows || offset > columns)) {
            report(call->e, call->spans[1], "diag: diagonal %" PRId64 " lies outside of %s", offset,
                   show_value_type(call->e, x));
            return error_val();
        }
        return take_diagonal(call, x, offset, 0, 1);
    }
    report(call->e, call->spans[0], "diag needs a vector or a matrix, got %s",
           show_value_type(call->e, x));
    return error_val();
}

Val builtin_diag_embed(Call *call) {
    Value *x = tensor_at(call, 0);
    if (x->type.rank == 0) {
        report(call->e, call->spans[0], "diag_embed needs a tensor with axes, got a scalar");
        return error_val();
    }
    int rank = x->type.rank + 1, first, second;
    if (!axis_at(call, 2, rank, &first) || !axis_at(call, 3, rank, &second)) {
        return error_val();
    }
    if (first == second) {
        report(call->e, call->span, "diag_embed needs two different dims");
        return error_val();
    }
    Val result = put_diagonal(call, x, int_at(call, 1));
    if (is_error(result)) {
        return result;
    }
    int *axes = arena_array(call->e->module->arena, int, rank);
    for (int i = 0, next = 0; i < rank; i++) {
        axes[i] = i == first ? rank - 2 : i == second ? rank - 1 : next++;
    }
    Attribute attribute = {.axes = {axes, rank}};
    return tensor_val(emit(call->e, call->span, OP_transpose, &result.tensor, 1, &attribute));
}
