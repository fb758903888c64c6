// Indexing: x[...] reads and y[...] = v makes a new y, as in NumPy.
//
// Subscripts become a Plan: the result's shape, and for each axis of x where its index comes from.
// Known slices and indices are a slice of the IR; with an index computed at run time the whole is
// one gather. Stores are scatters.
#include "frontend/builtins.h"
#include "frontend/elaborate_internal.h"

#include <inttypes.h>

#include "frontend/value_bounds.h"

enum { PLAN_ITEMS_MAX = 64 };

typedef enum ItemKind { ITEM_SLICE, ITEM_SELECT, ITEM_TENSOR, ITEM_NEW } ItemKind;

typedef struct Item {
    ItemKind kind;
    Span span;
    int axis;         // of x; not for ITEM_NEW
    const Dim *start; // slice, select
    const Dim *stop;  // slice
    int64_t step;     // slice
    Value *first;     // slice: i64 scalar, where it starts if that is computed; or NULL
    Value *index;     // tensor: i64, not negative
    int result_axis;  // slice, new
    const Dim *size;  // slice: of the result
} Item;

typedef struct Plan {
    Value *x;
    Item items[PLAN_ITEMS_MAX];
    int count;
    bool has_tensor;
    bool has_array;   // an index tensor with axes
    Dims array_shape; // that all index tensors broadcast to
    int array_axis;   // where its axes stand in the result
    Dims shape;       // of the result
} Plan;

// ---- one subscript

static bool report_out_of_range(Elaborator *e, Span span, int64_t index, int axis, int64_t size) {
    report(e, span, "index %" PRId64 " is out of range for axis %d with size %" PRId64, index, axis,
           size);
    return false;
}

static bool plan_select(Elaborator *e, Plan *plan, Item *item, Val val) {
    const Dim *size = plan->x->type.dims[item->axis];
    int64_t index, known;
    if (!val_to_dim(e, val, item->span, "an index", &item->start)) {
        return false;
    }
    item->kind = ITEM_SELECT;
    if (!dim_is_constant(item->start, &index)) {
        return true;
    }
    if (dim_is_constant(size, &known) && (index < -known || index >= known)) {
        return report_out_of_range(e, item->span, index, item->axis, known);
    }
    if (index < 0) {
        item->start = dim_add(e->module->dims, size, item->start);
    }
    return true;
}

// 0 where what is computed does not count.
static Value *guarded_index(Elaborator *e, Value *index) {
    Builder *b = &e->builder;
    if (e->guard == NULL) {
        return index;
    }
    Dims shape = value_shape(index);
    Value *zero = full_value(e, build_scalar_integer(b, TYPE_I64, 0), shape);
    return build_select(b, full_value(e, e->guard, shape), index, zero);
}

static bool plan_tensor(Elaborator *e, Plan *plan, Item *item, Value *index) {
    if (index->type.element == TYPE_BOOL) {
        Diag *diag = report(e, item->span,
                            "a tensor cannot be indexed by a mask (%s): the number of "
                            "elements would depend on data",
                            show_value_type(e, index));
        hint(e, diag, "where(mask, x, 0) or masked_fill keep the shape");
        return false;
    }
    if (!element_is_integer(index->type.element)) {
        Diag *diag =
            report(e, item->span, "an index must be an integer, got %s", show_value_type(e, index));
        hint(e, diag, "convert it: cast(i, i64)");
        return false;
    }
    at_span(e, item->span);
    item->kind = ITEM_TENSOR;
    item->index = guarded_index(e, wrap_index(e, index, plan->x->type.dims[item->axis]));
    plan->has_tensor = true;
    plan->has_array = plan->has_array || index->type.rank > 0;
    return true;
}

static bool plan_at(Elaborator *e, Plan *plan, Item *item, const Expr *expr) {
    Val val = elaborate_value(e, expr);
    if (is_error(val)) {
        return false;
    }
    if (is_tensor(val)) {
        return plan_tensor(e, plan, item, val.tensor);
    }
    if (val.kind == VAL_LIST) {
        Value *index = to_tensor(e, val, expr->span, TYPE_I64);
        return index != NULL && plan_tensor(e, plan, item, index);
    }
    if (val.kind == VAL_BOOL || val.kind == VAL_STRING) {
        report(e, expr->span, "an index must be an integer, got %s", describe(e, val));
        return false;
    }
    return plan_select(e, plan, item, val);
}

static Val slice_expr(Elaborator *e, const Expr *expr) {
    return expr == NULL ? none_val() : elaborate_value(e, expr);
}

// A slice's bound between 0 and the size, as far as that is known.
static bool slice_bound(Elaborator *e, const Expr *expr, Val val, const Dim *size,
                        const Dim *otherwise, const Dim **bound) {
    int64_t value, known;
    if (val.kind == VAL_NONE) {
        *bound = otherwise;
        return true;
    }
    if (is_tensor(val)) {
        report(e, expr->span, "the bounds of a list's slice must be known while compiling");
        return false;
    }
    if (!val_to_dim(e, val, expr->span, "the bound of a slice", bound)) {
        return false;
    }
    if (!dim_is_constant(*bound, &value)) {
        return true;
    }
    if (value < 0) {
        *bound = dim_add(e->module->dims, size, *bound);
    }
    if (dim_is_constant(size, &known) && dim_is_constant(*bound, &value)) {
        *bound = constant_dim(e, value < 0 ? 0 : value > known ? known : value);
    }
    return true;
}

static Value *window_bound(Elaborator *e, const Expr *expr, Val val, const Dim *otherwise) {
    Value *value = to_tensor(e, val.kind == VAL_NONE ? int_val(otherwise) : val,
                             expr == NULL ? no_span : expr->span, TYPE_I64);
    if (value == NULL) {
        return NULL;
    }
    if (value->type.rank > 0 || !element_is_integer(value->type.element)) {
        report(e, expr->span, "the bound of a slice must be a whole number, got %s",
               describe(e, val));
        return NULL;
    }
    return build_cast(&e->builder, value, TYPE_I64);
}

// x[i:i + 3]: a place that is computed, and a size that is known.
static bool plan_window(Elaborator *e, Plan *plan, Item *item, const Subscript *subscript,
                        Val start, Val stop) {
    const Dim *size = plan->x->type.dims[item->axis], *distance;
    int64_t number, known;
    at_span(e, subscript->span);
    Value *from = window_bound(e, subscript->start, start, constant_dim(e, 0));
    Value *to = window_bound(e, subscript->stop, stop, size);
    if (from == NULL || to == NULL) {
        return false;
    }
    if (!fixed_distance(&e->bounds, from, to, &distance) ||
        (item->step != 1 && !dim_is_constant(distance, &number))) {
        Diag *diag = report(e, subscript->span,
                            "the size of this slice would depend on data or "
                            "on the index of a loop");
        hint(e, diag, "x[i:i + 3] has a known size; sum(for k in 0..i: x[k]) reduces any range");
        return false;
    }
    if (dim_is_constant(distance, &number)) {
        number = number < 0 ? 0 : number / item->step + (number % item->step != 0);
        distance = constant_dim(e, number);
        if (dim_is_constant(size, &known) && number > known) {
            report_sizes(e, subscript->span, false,
                         "a slice of %" PRId64 " elements does not fit into axis %d with size "
                         "%" PRId64,
                         number, item->axis, known);
            return false;
        }
    }
    item->first = guarded_index(e, from);
    item->size = distance;
    plan->has_tensor = true;
    return true;
}

static bool plan_slice(Elaborator *e, Plan *plan, Item *item, const Subscript *subscript) {
    const Dim *size = plan->x->type.dims[item->axis];
    int64_t start, stop;
    item->kind = ITEM_SLICE;
    item->step = 1;
    if (subscript->step != NULL) {
        if (!val_to_int(e, elaborate_value(e, subscript->step), subscript->step->span,
                        "the step of a slice", &item->step)) {
            return false;
        }
        if (item->step <= 0) {
            Diag *diag = report(e, subscript->step->span, "the step of a slice must be positive");
            hint(e, diag, "flip(x, %d) reverses an axis", item->axis);
            return false;
        }
        if (item->step > INT32_MAX) {
            item->step = INT32_MAX;
        }
    }
    Val from = slice_expr(e, subscript->start), to = slice_expr(e, subscript->stop);
    if (is_tensor(from) || is_tensor(to)) {
        return plan_window(e, plan, item, subscript, from, to);
    }
    if (!slice_bound(e, subscript->start, from, size, constant_dim(e, 0), &item->start) ||
        !slice_bound(e, subscript->stop, to, size, size, &item->stop)) {
        return false;
    }
    if (dim_is_constant(item->start, &start) && dim_is_constant(item->stop, &stop)) {
        int64_t distance = stop > start ? stop - start : 0;
        item->stop = constant_dim(e, start + distance);
        item->size = constant_dim(e, distance / item->step + (distance % item->step != 0));
        return true;
    }
    item->size = dim_subtract(e->module->dims, item->stop, item->start);
    if (item->step != 1 || item->size == NULL) {
        report_sizes(e, subscript->span, true, "a slice with a step needs known sizes");
        return false;
    }
    return true;
}

// ---- all subscripts

static void plan_whole_axis(Elaborator *e, Plan *plan, int axis) {
    Item *item = &plan->items[plan->count++];
    *item = (Item){.kind = ITEM_SLICE, .span = no_span, .axis = axis, .step = 1};
    item->start = constant_dim(e, 0);
    item->stop = item->size = plan->x->type.dims[axis];
}

static bool count_axes(Elaborator *e, Span span, const SubscriptList *subscripts, int rank,
                       const Value *x, int *skipped) {
    int used = 0, ellipses = 0;
    for (int i = 0; i < subscripts->count; i++) {
        SubscriptKind kind = subscripts->at[i].kind;
        ellipses += kind == SUBSCRIPT_ELLIPSIS;
        used += kind == SUBSCRIPT_AT || kind == SUBSCRIPT_SLICE;
    }
    if (ellipses > 1) {
        report(e, span, "`...` can stand once in the brackets");
        return false;
    }
    if (used > rank || subscripts->count + rank > PLAN_ITEMS_MAX) {
        report(e, span, rank == 0 ? "%s has no axes to index" : "%s has %d ax%s, but %d indices",
               type_string(e->arena, x->type), rank, rank == 1 ? "is" : "es", used);
        return false;
    }
    *skipped = rank - used;
    return true;
}

static bool plan_items(Elaborator *e, Span span, const SubscriptList *subscripts, Plan *plan) {
    int rank = plan->x->type.rank, skipped, axis = 0;
    bool had_ellipsis = false, ok = true;
    if (!count_axes(e, span, subscripts, rank, plan->x, &skipped)) {
        return false;
    }
    for (int i = 0; i < subscripts->count; i++) {
        const Subscript *subscript = &subscripts->at[i];
        if (subscript->kind == SUBSCRIPT_ELLIPSIS) {
            for (int k = 0; k < skipped; k++) {
                plan_whole_axis(e, plan, axis++);
            }
            had_ellipsis = true;
            continue;
        }
        Item *item = &plan->items[plan->count++];
        *item = (Item){.span = subscript->span, .axis = axis};
        if (subscript->kind == SUBSCRIPT_NEW_AXIS) {
            item->kind = ITEM_NEW;
            continue;
        }
        ok = (subscript->kind == SUBSCRIPT_AT ? plan_at(e, plan, item, subscript->value)
                                              : plan_slice(e, plan, item, subscript)) &&
             ok;
        axis++;
    }
    for (int k = 0; k < skipped && !had_ellipsis; k++) {
        plan_whole_axis(e, plan, axis++);
    }
    return ok;
}

static bool is_array(const Item *item) {
    return item->kind == ITEM_TENSOR && item->index->type.rank > 0;
}

// Index tensors broadcast together. Their axes stand where the first of them does if nothing lies
// between them, else in front.
static bool plan_arrays(Elaborator *e, Span span, Plan *plan) {
    Type shape = type_scalar(TYPE_I64);
    int groups = 0, place = 0, axis = 0;
    bool was_array = false;
    for (int i = 0; i < plan->count; i++) {
        const Item *item = &plan->items[i];
        if (item->kind == ITEM_SELECT || (item->kind == ITEM_TENSOR && !is_array(item))) {
            continue;
        }
        if (!is_array(item)) {
            was_array = false;
            axis++;
            continue;
        }
        Dims joined;
        if (!broadcast_shapes(e, span, "indices:", shape, item->index->type, &joined)) {
            return false;
        }
        shape = (Type){TYPE_I64, joined.count, joined.at};
        groups += !was_array;
        place = groups == 1 && !was_array ? axis : place;
        was_array = true;
    }
    plan->array_shape = (Dims){shape.dims, shape.rank};
    plan->array_axis = groups > 1 ? 0 : place;
    return true;
}

static void plan_shape(Elaborator *e, Plan *plan) {
    const Dim **dims;
    int rank = plan->array_shape.count, next = 0;
    for (int i = 0; i < plan->count; i++) {
        rank += plan->items[i].kind == ITEM_SLICE || plan->items[i].kind == ITEM_NEW;
    }
    plan->shape = make_dims(e, rank, &dims);
    for (int i = 0; i < plan->array_shape.count; i++) {
        dims[plan->array_axis + i] = plan->array_shape.at[i];
    }
    for (int i = 0; i < plan->count; i++) {
        Item *item = &plan->items[i];
        if (item->kind != ITEM_SLICE && item->kind != ITEM_NEW) {
            continue;
        }
        if (next == plan->array_axis) {
            next += plan->array_shape.count;
        }
        item->result_axis = next;
        dims[next++] = item->kind == ITEM_NEW ? constant_dim(e, 1) : item->size;
    }
}

static bool make_plan(Elaborator *e, Span span, Value *x, const SubscriptList *subscripts,
                      Plan *plan) {
    *plan = (Plan){.x = x};
    if (!plan_items(e, span, subscripts, plan) || !plan_arrays(e, span, plan)) {
        return false;
    }
    plan_shape(e, plan);
    return check_shape(e, span, plan->shape);
}

// ---- reading

static Value *read_slices(Elaborator *e, Span span, const Plan *plan) {
    int rank = plan->x->type.rank, *steps = arena_array(e->module->arena, int, rank);
    const Dim **starts, **stops;
    bool is_whole = true;
    Attribute attribute = {.start = make_dims(e, rank, &starts),
                           .stop = make_dims(e, rank, &stops),
                           .step = {steps, rank}};
    for (int i = 0; i < plan->count; i++) {
        const Item *item = &plan->items[i];
        if (item->kind == ITEM_NEW) {
            continue;
        }
        bool is_slice = item->kind == ITEM_SLICE;
        starts[item->axis] = item->start;
        stops[item->axis] =
            is_slice ? item->stop : dim_add(e->module->dims, item->start, constant_dim(e, 1));
        steps[item->axis] = is_slice ? (int)item->step : 1;
        is_whole = is_whole && is_slice && item->step == 1 &&
                   dim_equal(item->size, plan->x->type.dims[item->axis]);
    }
    Value *value = is_whole ? plan->x : emit(e, span, OP_slice, &plan->x, 1, &attribute);
    return reshape_value(e, value, plan->shape);
}

// The index into one axis of x, for each element of the result.
static Value *item_index(Elaborator *e, const Plan *plan, const Item *item) {
    Builder *b = &e->builder;
    if (item->kind == ITEM_SELECT) {
        return full_value(e, build_dim(b, item->start), plan->shape);
    }
    if (item->kind == ITEM_TENSOR) {
        if (!is_array(item)) {
            return full_value(e, item->index, plan->shape);
        }
        Value *index = broadcast_value(e, item->index, plan->array_shape);
        int *axes = arena_array(e->module->arena, int, plan->array_shape.count);
        for (int i = 0; i < plan->array_shape.count; i++) {
            axes[i] = plan->array_axis + i;
        }
        return build_broadcast(b, index, plan->shape, axes);
    }
    int64_t start;
    Value *index = build_iota(b, TYPE_I64, plan->shape, item->result_axis);
    if (item->step != 1) {
        index = build_mul(b, index, build_scalar_integer(b, TYPE_I64, item->step));
    }
    if (item->first != NULL) {
        return build_add(b, index, item->first);
    }
    bool starts_at_zero = dim_is_constant(item->start, &start) && start == 0;
    return starts_at_zero ? index : build_add(b, index, build_dim(b, item->start));
}

// `first` operands, then the index of each axis.
static Value **index_operands(Elaborator *e, const Plan *plan, int first) {
    Value **operands = arena_array(e->arena, Value *, first + plan->x->type.rank);
    for (int i = 0; i < plan->count; i++) {
        const Item *item = &plan->items[i];
        if (item->kind != ITEM_NEW) {
            operands[first + item->axis] = item_index(e, plan, item);
        }
    }
    return operands;
}

static Value *read_plan(Elaborator *e, Span span, const Plan *plan) {
    at_span(e, span);
    if (!plan->has_tensor) {
        return read_slices(e, span, plan);
    }
    Value **operands = index_operands(e, plan, 1);
    operands[0] = plan->x;
    return emit(e, span, OP_gather, operands, 1 + plan->x->type.rank, NULL);
}

// ---- lists known while compiling

static Val index_list(Elaborator *e, Span span, Val list, const SubscriptList *subscripts) {
    const Subscript *first = &subscripts->at[0];
    int64_t index, count = list.list.count;
    if (first->kind == SUBSCRIPT_AT) {
        if (!val_to_int(e, elaborate_value(e, first->value), first->span, "an index into a list",
                        &index)) {
            return error_val();
        }
        if (index < -count || index >= count) {
            report(e, first->span,
                   "index %" PRId64 " is out of range for %s with %" PRId64 " elements", index,
                   describe(e, list), count);
            return error_val();
        }
        return list.list.at[index < 0 ? index + count : index];
    }
    const Dim *start, *stop, *size = constant_dim(e, count);
    if (first->kind != SUBSCRIPT_SLICE || first->step != NULL) {
        report(e, span, "a list is indexed by an integer or a slice");
        return error_val();
    }
    Val from_val = slice_expr(e, first->start), to_val = slice_expr(e, first->stop);
    if (!slice_bound(e, first->start, from_val, size, constant_dim(e, 0), &start) ||
        !slice_bound(e, first->stop, to_val, size, size, &stop)) {
        return error_val();
    }
    int64_t from = 0, to = 0;
    if (!dim_is_constant(start, &from) || !dim_is_constant(stop, &to)) {
        report(e, span, "the bounds of a list's slice must be known");
        return error_val();
    }
    Val part = list_val(e, to > from ? (int)(to - from) : 0);
    part.is_shape = list.is_shape;
    for (int i = 0; i < part.list.count; i++) {
        part.list.at[i] = list.list.at[from + i];
    }
    return part;
}

Val index_val(Elaborator *e, Span span, Val object, Span object_span,
              const SubscriptList *subscripts) {
    if (is_error(object)) {
        return object;
    }
    bool is_known = subscripts->count == 1 && (subscripts->at[0].kind == SUBSCRIPT_AT ||
                                               subscripts->at[0].kind == SUBSCRIPT_SLICE);
    if (object.kind == VAL_LIST && is_known && subscripts->at[0].kind == SUBSCRIPT_AT) {
        Val index = elaborate_value(e, subscripts->at[0].value);
        is_known = !is_tensor(index) && index.kind != VAL_LIST;
    }
    if (object.kind == VAL_LIST && is_known) {
        return index_list(e, span, object, subscripts);
    }
    if (!is_tensor_like(object)) {
        report(e, object_span, "%s cannot be indexed", describe(e, object));
        return error_val();
    }
    Value *x = as_tensor(e, object, object_span);
    Plan *plan = arena_new(e->arena, Plan); // large: not for the stack, where indices nest
    return x != NULL && make_plan(e, span, x, subscripts, plan)
               ? tensor_val(read_plan(e, span, plan))
               : error_val();
}

Val elaborate_index(Elaborator *e, const Expr *expr) {
    const Expr *object = expr->as.index.object;
    return index_val(e, expr->span, elaborate_value(e, object), object->span,
                     &expr->as.index.subscripts);
}

// ---- storing

// The value to store, in y's element type and the plan's shape.
static Value *stored_value(Elaborator *e, const Plan *plan, Val val, Span span) {
    ElementType wanted = plan->x->type.element, element;
    int rank;
    if (!val_element(e, val, &element, &rank)) {
        as_tensor(e, val, span); // reports
        return NULL;
    }
    bool fits = wanted == element || element_is_real(wanted) ||
                (element_is_integer(wanted) && !element_is_real(element));
    if (!fits) {
        Diag *diag = report(e, span, "%s cannot be stored in a tensor of %s", describe(e, val),
                            element_name(wanted));
        hint(e, diag, "convert it: cast(x, %s)", element_name(wanted));
        return NULL;
    }
    if (is_tensor(val) && wanted == TYPE_F32 && element == TYPE_F64) {
        Diag *diag =
            report(e, span, "%s would lose precision in a tensor of f32", describe(e, val));
        hint(e, diag, "make the tensor with dtype=f64, or convert the value: cast(x, f32)");
        return NULL;
    }
    Value *value = to_tensor(e, val, span, wanted);
    if (value == NULL) {
        return NULL;
    }
    at_span(e, span);
    value = convert(e, value, wanted);
    Dims shape;
    Type place = {wanted, plan->shape.count, plan->shape.at};
    if (!broadcast_shapes(e, span, "storing", value->type, place, &shape)) {
        return NULL;
    }
    if (!shape_equal((Type){wanted, shape.count, shape.at}, place)) {
        report_sizes(e, span, !type_is_static(place),
                     "a value of shape %s cannot be stored in a place of shape %s",
                     show_value_type(e, value), type_string(e->arena, place));
        return NULL;
    }
    return broadcast_value(e, value, plan->shape);
}

static Val scatter_plan(Elaborator *e, Span span, Op op, const Plan *plan, Value *value) {
    if (value == NULL) {
        return error_val();
    }
    at_span(e, span);
    Value **operands = index_operands(e, plan, 2);
    operands[0] = plan->x;
    operands[1] = value;
    return tensor_val(emit(e, span, op, operands, 2 + plan->x->type.rank, NULL));
}

Val store_at(Elaborator *e, const Target *target, Val object, Val value, Span value_span,
             const BinaryOp *op) {
    Plan plan;
    if (is_error(object) || is_error(value)) {
        return error_val();
    }
    Value *x = as_tensor(e, object, target->span);
    if (x == NULL || !make_plan(e, target->span, x, &target->subscripts, &plan)) {
        return error_val();
    }
    if (op == NULL) {
        return scatter_plan(e, target->span, OP_scatter_set, &plan,
                            stored_value(e, &plan, value, value_span));
    }
    // Indices that repeat store once, as in NumPy; index_add adds them up.
    bool adds = *op == BINARY_ADD || *op == BINARY_SUBTRACT;
    if (adds && !plan.has_array && x->type.element != TYPE_BOOL) {
        Value *added = stored_value(e, &plan, value, value_span);
        if (added != NULL && *op == BINARY_SUBTRACT) {
            added = build_neg(&e->builder, added);
        }
        return scatter_plan(e, target->span, OP_scatter_add, &plan, added);
    }
    Value *before = read_plan(e, target->span, &plan);
    Val after =
        binary_operator(e, target->span, *op, tensor_val(before), target->span, value, value_span);
    return is_error(after) ? after
                           : scatter_plan(e, target->span, OP_scatter_set, &plan,
                                          stored_value(e, &plan, after, value_span));
}
