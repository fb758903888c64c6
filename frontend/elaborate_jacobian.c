// Jacobians, and functions over a new axis: loops whose rows are stacked.
//
// A Jacobian is made of products with the vectors of the standard basis: of tangents, column by
// column, where the result has at least as many elements as the argument; of seeds, row by row,
// where it has fewer. With one of either there is no loop.
#include "frontend/elaborate_control.h"
#include "frontend/elaborate_derivative.h"
#include "frontend/vectorize.h"
#include "ir/edit.h"

#include <string.h>

// ---- Jacobians

typedef struct Jacobian {
    Elaborator *e;
    Span span;
    const Traced *traced;
    const Value *result;
} Jacobian;

// The `index`-th vector of the standard basis, in the shape of `type`.
static Value *basis_vector(const Jacobian *it, Builder *b, Type type, const Dim *size,
                           Value *index) {
    const Dim **dims;
    Dims flat = make_dims(it->e, 1, &dims);
    dims[0] = size;
    Value *places = build_iota(b, TYPE_I64, flat, 0);
    Value *hot = build_cast(b, build_eq(b, places, index), type.element);
    return build_reshape(b, hot, (Dims){type.dims, type.rank});
}

// result.shape + leaf.shape; false after an error.
static bool jacobian_shape(const Jacobian *it, int leaf, Dims *shape) {
    Type row = it->result->type, column = it->traced->leaves[leaf]->type;
    const Dim **dims;
    *shape = make_dims(it->e, row.rank + column.rank, &dims);
    for (int i = 0; i < shape->count; i++) {
        dims[i] = i < row.rank ? row.dims[i] : column.dims[i - row.rank];
    }
    if (!type_fits((Type){row.element, shape->count, dims})) {
        report(it->e, it->span, "this Jacobian is too large: %s by %s",
               type_string(it->e->arena, row), type_string(it->e->arena, column));
        return false;
    }
    return true;
}

static bool is_one(const Dim *size) {
    int64_t number;
    return dim_is_constant(size, &number) && number == 1;
}

// Columns: a tangent for each element of the leaf. The stack has the column's index in front.
static Value *forward_jacobian(const Jacobian *it, int leaf, const Dim *size, Dims shape) {
    Elaborator *e = it->e;
    Type type = it->traced->leaves[leaf]->type;
    int last = it->traced->function->body->yields.count;
    Ints outputs = one_index(e, 0), leaves = one_index(e, leaf);
    if (is_one(size)) {
        Value *ones = build_full(&e->builder, type, 1);
        Inst *inst = emit_derivative(e, &e->builder, OP_jvp, it->traced, outputs, leaves, &ones);
        return build_reshape(&e->builder, inst->results[last], shape);
    }
    Inst *loop = build_loop(&e->builder, size, NULL, 0, NULL);
    Region *body = loop->regions[0];
    Builder inner = builder_at(body, e->builder.span);
    Value *tangent = basis_vector(it, &inner, type, size, body->parameters.at[0]);
    Inst *inst = emit_derivative(e, &inner, OP_jvp, it->traced, outputs, leaves, &tangent);
    vec_push(e->module->arena, &body->yields, inst->results[last]);
    loop_finish(loop);
    int rank = it->result->type.rank, *axes = arena_array(e->arena, int, rank + 1);
    for (int i = 0; i <= rank; i++) {
        axes[i] = i == rank ? 0 : i + 1;
    }
    Value *columns = build_transpose(&e->builder, loop->results[0], axes);
    return build_reshape(&e->builder, columns, shape);
}

// Rows: a seed for each element of the result, which gives a row for each of the leaves: they share
// the work and the loop.
static Value **reverse_jacobians(const Jacobian *it, Ints leaves) {
    Elaborator *e = it->e;
    int last = it->traced->function->body->yields.count;
    Ints outputs = one_index(e, 0);
    const Dim *size = type_size(e->module->dims, it->result->type);
    if (is_one(size)) {
        Value *ones = build_full(&e->builder, it->result->type, 1);
        Inst *inst = emit_derivative(e, &e->builder, OP_vjp, it->traced, outputs, leaves, &ones);
        return inst->results + last;
    }
    Inst *loop = build_loop(&e->builder, size, NULL, 0, NULL);
    Region *body = loop->regions[0];
    Builder inner = builder_at(body, e->builder.span);
    Value *seed = basis_vector(it, &inner, it->result->type, size, body->parameters.at[0]);
    Inst *inst = emit_derivative(e, &inner, OP_vjp, it->traced, outputs, leaves, &seed);
    for (int i = 0; i < leaves.count; i++) {
        vec_push(e->module->arena, &body->yields, inst->results[last + i]);
    }
    loop_finish(loop);
    return loop->results;
}

// Is the result surely smaller than the leaf?
static bool is_wide(const Jacobian *it, const Dim *rows, const Dim *columns) {
    DimTable *dims = it->e->module->dims;
    const Dim *difference = dim_subtract(dims, columns, rows);
    return is_one(rows) || (difference != NULL && dim_is_at_least(dims, difference, 1));
}

// Whether the leaf is to be done row by row; false in *ok after an error.
static bool is_by_rows(const Jacobian *it, const DerivedVal *derived, int leaf, bool *ok) {
    Elaborator *e = it->e;
    const Dim *rows = type_size(e->module->dims, it->result->type);
    const Dim *columns = type_size(e->module->dims, it->traced->leaves[leaf]->type);
    *ok = rows != NULL && columns != NULL;
    if (!*ok) {
        return false;
    }
    bool is_reverse = strcmp(derived->mode, "reverse") == 0;
    if (strcmp(derived->mode, "auto") == 0) {
        is_reverse =
            is_wide(it, rows, columns) || !has_forward_mode(e, it->span, it->traced, false);
    }
    *ok = is_reverse || has_forward_mode(e, it->span, it->traced, true);
    return is_reverse;
}

// The Jacobian of each leaf; false after an error. If rows are made for one leaf, and the mode is
// ours to choose, they are made for all: another leaf costs them little.
static bool make_jacobians(const Jacobian *it, const DerivedVal *derived, int count, Value **made) {
    Elaborator *e = it->e;
    int *by_rows = arena_array(e->arena, int, count), row_count = 0;
    bool ok, *is_reverse = arena_array(e->arena, bool, count);
    Dims *shapes = arena_array(e->arena, Dims, count);
    for (int i = 0; i < count; i++) {
        is_reverse[i] = is_by_rows(it, derived, i, &ok);
        if (!ok || !jacobian_shape(it, i, &shapes[i])) {
            return false;
        }
        row_count += is_reverse[i];
    }
    bool all = row_count > 0 && strcmp(derived->mode, "auto") == 0;
    row_count = 0;
    for (int i = 0; i < count; i++) {
        is_reverse[i] = is_reverse[i] || all;
        if (is_reverse[i]) {
            by_rows[row_count++] = i;
        }
    }
    at_span(e, it->span);
    Value **rows = row_count > 0 ? reverse_jacobians(it, (Ints){by_rows, row_count}) : NULL;
    for (int i = 0, next = 0; i < count; i++) {
        const Dim *columns = type_size(e->module->dims, it->traced->leaves[i]->type);
        Value *value = is_reverse[i] ? build_reshape(&e->builder, rows[next++], shapes[i])
                                     : forward_jacobian(it, i, columns, shapes[i]);
        made[i] = convert(e, value, it->result->type.element);
    }
    return true;
}

Val call_jacobian(Elaborator *e, Span span, const DerivedVal *derived,
                  const CallArgumentList *arguments) {
    Traced traced;
    int *leaves, count = find_leaves(e, derived, arguments, &leaves);
    if (count < 0 || !trace_call(e, span, derived->inner, arguments, leaves, count, &traced)) {
        return error_val();
    }
    Jacobian it = {e, span, &traced, single_result(e, span, derived, &traced)};
    Value **made = arena_array(e->arena, Value *, count);
    if (it.result == NULL || !make_jacobians(&it, derived, count, made)) {
        return error_val();
    }
    Val results = results_val(e, count);
    for (int i = 0; i < count; i++) {
        results.list.at[i] = tensor_val(made[i]);
    }
    return count == 1 ? results.list.at[0] : results;
}

// ---- vmap

typedef struct Mapped {
    Value *rows; // the argument with the mapped axis in front; NULL: the same for every call
} Mapped;

static Value *move_axis(Elaborator *e, Value *value, int from, int to) {
    int rank = value->type.rank, *axes = arena_array(e->arena, int, rank), next = 0;
    if (from == to) {
        return value;
    }
    for (int i = 0; i < rank; i++) {
        next += next == from;
        axes[i] = i == to ? from : next++;
    }
    return build_transpose(&e->builder, value, axes);
}

// The axis in_dims gives the argument at a place; false after an error. *axis -1: not mapped.
static bool mapped_axis(Elaborator *e, const DerivedVal *derived, const CallArgument *argument,
                        int place, int *axis) {
    Val dims = derived->in_dims;
    int64_t number;
    *axis = -1;
    if (dims.kind == VAL_LIST) {
        if (argument->name != NULL) {
            return true;
        }
        if (place >= dims.list.count) {
            report(e, derived->in_dims_span, "in_dims of %s has no entry for argument %d",
                   derived_name(e, derived), place);
            return false;
        }
        dims = dims.list.at[place];
    }
    if (dims.kind == VAL_NONE || !is_tensor_like(argument->value) ||
        (derived->in_dims.kind != VAL_LIST && is_static_scalar(argument->value))) {
        return true;
    }
    if (!val_known_int(dims, &number)) {
        report(e, derived->in_dims_span, "in_dims holds axes and none, got %s", describe(e, dims));
        return false;
    }
    Value *value = as_tensor(e, argument->value, argument->span);
    if (value == NULL) {
        return false;
    }
    int rank = value->type.rank;
    if (number < -rank || number >= rank) {
        Diag *diag = report(e, argument->span, "%s has no axis %d to map over: it is %s",
                            argument->name != NULL ? argument->name : "this argument", (int)number,
                            show_value_type(e, value));
        hint(e, diag, "in_dims=[0, none] passes the second argument on as it is");
        return false;
    }
    *axis = (int)(number < 0 ? number + rank : number);
    return true;
}

static bool map_arguments(Elaborator *e, Span span, const DerivedVal *derived,
                          const CallArgumentList *arguments, Mapped *mapped, const Dim **trip) {
    int place = 0;
    *trip = NULL;
    for (int i = 0; i < arguments->count; i++) {
        const CallArgument *argument = &arguments->at[i];
        int axis;
        if (!mapped_axis(e, derived, argument, argument->name == NULL ? place++ : 0, &axis)) {
            return false;
        }
        if (axis < 0) {
            continue;
        }
        Value *value = as_tensor(e, argument->value, argument->span);
        const Dim *size = value->type.dims[axis];
        if (*trip != NULL && !dim_equal(*trip, size)) {
            int64_t known;
            bool is_symbolic = !dim_is_constant(*trip, &known) || !dim_is_constant(size, &known);
            report_sizes(e, argument->span, is_symbolic,
                         "%s maps over axes of one size, got %s and %s", derived_name(e, derived),
                         show_dim_text(e, *trip), show_dim_text(e, size));
            return false;
        }
        *trip = size;
        at_span(e, span);
        mapped[i].rows = move_axis(e, value, axis, 0);
    }
    if (*trip == NULL) {
        Diag *diag = report(e, span, "%s maps over no argument", derived_name(e, derived));
        hint(e, diag, "in_dims=0 maps over the first axis of each tensor");
    }
    return *trip != NULL;
}

// The results of one call as tensors; false after an error.
static bool yield_results(Elaborator *e, Span span, Val result, Region *body) {
    Val one[1] = {result};
    ValList list = result.kind == VAL_RESULTS ? result.list : (ValList){one, 1};
    for (int i = 0; i < list.count; i++) {
        Value *value = as_tensor(e, list.at[i], span);
        if (value == NULL) {
            return false;
        }
        Type type = value->type;
        const Dim **dims = arena_array(e->arena, const Dim *, type.rank + 1);
        dims[0] = body->owner->attr.trip;
        for (int k = 0; k < type.rank; k++) {
            dims[k + 1] = type.dims[k];
        }
        if (!type_fits((Type){type.element, type.rank + 1, dims})) {
            report(e, span, "the result of this vmap is too large");
            return false;
        }
        vec_push(e->module->arena, &body->yields, value);
    }
    return true;
}

// All calls at once by tensor operators, or a loop that stacks the results of one call an
// iteration.
static Value **all_results(Elaborator *e, Span span, Inst *loop) {
    Region *body = loop->regions[0];
    const Dim **dims;
    Dims space = make_dims(e, 1, &dims);
    dims[0] = loop->attr.trip;
    at_span(e, span);
    Value *index = build_iota(&e->builder, TYPE_I64, space, 0);
    Value **results = arena_array(e->arena, Value *, body->yields.count);
    for (int i = 0; i < body->yields.count; i++) {
        results[i] = vectorize(&e->builder, body, body->yields.at[i], space, &index);
        if (results[i] == NULL) {
            loop_finish(loop);
            return loop->results;
        }
    }
    inst_remove(loop);
    return results;
}

static bool out_axis(Elaborator *e, const DerivedVal *derived, int index, int rank, int *axis) {
    Val dims = derived->out_dims;
    int64_t number;
    if (dims.kind == VAL_LIST && index < dims.list.count) {
        dims = dims.list.at[index];
    }
    if (!val_known_int(dims, &number) || number < -rank || number >= rank) {
        report(e, derived->out_dims_span,
               "out_dims of %s must be an axis of the result, which has %d, got %s",
               derived_name(e, derived), rank, describe(e, dims));
        return false;
    }
    *axis = (int)(number < 0 ? number + rank : number);
    return true;
}

Val call_vmap(Elaborator *e, Span span, const DerivedVal *derived,
              const CallArgumentList *arguments) {
    Mapped *mapped = arena_array(e->arena, Mapped, arguments->count + 1);
    const Dim *trip;
    if (!map_arguments(e, span, derived, arguments, mapped, &trip)) {
        return error_val();
    }
    at_span(e, span);
    Inst *loop = build_loop(&e->builder, trip, NULL, 0, NULL);
    Region *body = loop->regions[0];
    RegionState state = enter_region(e, body);
    CallArgumentList inside = {0};
    for (int i = 0; i < arguments->count; i++) {
        CallArgument argument = arguments->at[i];
        if (mapped[i].rows != NULL) {
            Value *row = build_row(&e->builder, mapped[i].rows, body->parameters.at[0]);
            argument.value = tensor_val(row);
        }
        vec_push(e->arena, &inside, argument);
    }
    Val result = call_val(e, span, derived->inner, span, &inside);
    bool ok = !is_error(result) && yield_results(e, span, result, body);
    leave_region(e, state);
    if (!ok) {
        return error_val();
    }
    Value **stacked = all_results(e, span, loop);
    Val results = results_val(e, body->yields.count);
    for (int i = 0; i < results.list.count; i++) {
        int axis;
        if (!out_axis(e, derived, i, stacked[i]->type.rank, &axis)) {
            return error_val();
        }
        results.list.at[i] = tensor_val(move_axis(e, stacked[i], 0, axis));
    }
    return results.list.count == 1 ? results.list.at[0] : results;
}
