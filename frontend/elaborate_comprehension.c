// Comprehensions: [for i in 0..n, j in 0..m: e] and sum(for k in 0..n if c: e).
//
// The body is elaborated once, for one index, into a region that is then vectorized: all elements
// are computed at once by tensor operators. A body with loops or branches becomes a loop of the IR
// instead, which stacks its elements.
#include "frontend/elaborate_control.h"

#include <math.h>
#include <string.h>

#include "frontend/elaborate_range.h"
#include "frontend/value_bounds.h"
#include "frontend/vectorize.h"
#include "ir/edit.h"

enum { BINDERS_MAX = 10 };

// The indices from outside to inside. The range of one may depend on those before it; then it goes
// over the largest such range, and `holds` leaves out what lies beyond.
typedef struct Space {
    const Expr *expr;
    int count;
    Range ranges[BINDERS_MAX]; // of rows: trip alone
    Value *rows[BINDERS_MAX];  // of `row in x`; NULL: a range
    Value *holds;              // NULL: everywhere
    bool leaves_out;           // `otherwise` is there
    Val otherwise;             // where the condition does not hold
} Space;

static const Binder *binder_at(const Space *space, int index) {
    return &space->expr->as.comprehension.binders.at[index];
}

// ---- the index space

static bool refuse_computed_size(Elaborator *e, const Space *space, const Binder *binder) {
    Diag *diag;
    if (space->expr->as.comprehension.builds_tensor) {
        diag = report_sizes(e, binder->span, true,
                            "the size of this tensor would depend on data or on other indices");
        hint(e, diag,
             "build the whole and choose inside: [for i in 0..n, j in 0..n: j < i ? e : 0]");
    } else {
        diag = report_sizes(e, binder->span, true,
                            "only sum, prod, max, min, any, all and logsumexp take a range that "
                            "depends on data or on other indices");
        hint(e, diag, "divide a sum by the number of elements");
    }
    return false;
}

static bool plan_rows(Elaborator *e, const Binder *binder, int index, Space *space) {
    Val sequence = elaborate_value(e, binder->sequence);
    if (is_error(sequence)) {
        return false;
    }
    Value *rows = as_tensor(e, sequence, binder->sequence->span);
    if (rows == NULL) {
        return false;
    }
    if (rows->type.rank == 0) {
        Diag *diag = report(e, binder->sequence->span,
                            "a comprehension goes over ranges, lists and rows of tensors, got %s",
                            show_value_type(e, rows));
        hint(e, diag, "a range is written 0..n");
        return false;
    }
    space->rows[index] = rows;
    space->ranges[index].trip = rows->type.dims[0];
    return true;
}

// In the region of the index before, whose name is known.
static bool plan_binder(Elaborator *e, int index, Space *space) {
    const Binder *binder = binder_at(space, index);
    Range *range = &space->ranges[index];
    if (binder->sequence != NULL) {
        return plan_rows(e, binder, index, space);
    }
    if (!plan_range(e, binder, range)) {
        return false;
    }
    if (range->count != NULL && !space->leaves_out) {
        return refuse_computed_size(e, space, binder);
    }
    if (range->is_limited) {
        Diag *diag = report(e, binder->limit->span, "a comprehension has no limit");
        hint(e, diag, "write 0..min(n, MAX), or a loop: for i in 0..n limit MAX { ... }");
        return false;
    }
    return true;
}

static Dims space_dims(Elaborator *e, const Space *space) {
    const Dim **dims;
    Dims shape = make_dims(e, space->count, &dims);
    for (int i = 0; i < space->count; i++) {
        dims[i] = space->ranges[i].trip;
    }
    return shape;
}

// Defines the name of an index, and narrows where the element counts.
static void define_index(Elaborator *e, Space *space, int index, Value *place) {
    const Binder *binder = binder_at(space, index);
    const Range *range = &space->ranges[index];
    Builder *b = &e->builder;
    at_span(e, binder->span);
    note_bounds(&e->bounds, place, constant_dim(e, 0),
                dim_subtract(e->module->dims, range->trip, constant_dim(e, 1)));
    if (range->count != NULL) {
        Value *inside = build_lt(b, place, range->count);
        space->holds = space->holds == NULL ? inside : build_logical_and(b, space->holds, inside);
        push_guard(e, inside, binder->span);
    }
    if (strcmp(binder->name.text, "_") == 0) {
        return;
    }
    Value *value = space->rows[index] != NULL ? build_row(b, space->rows[index], place)
                                              : range_index(e, range, place);
    define(e, binder->name.text, tensor_val(value), binder->name.span);
}

// ---- one element

// The condition of the comprehension, with that of the ranges; NULL: none. False after an error.
static bool elaborate_condition(Elaborator *e, const Space *space, Value **holds) {
    const Expr *expr = space->expr->as.comprehension.condition;
    *holds = space->holds;
    if (expr == NULL) {
        return true;
    }
    Val condition = elaborate_value(e, expr);
    if (condition.kind == VAL_BOOL && condition.boolean) {
        return true;
    }
    Value *value = condition_tensor(e, condition, expr->span);
    if (value == NULL) {
        return false;
    }
    push_guard(e, value, expr->span);
    *holds = *holds == NULL ? value : build_logical_and(&e->builder, *holds, value);
    return true;
}

// The body where the condition holds; elsewhere what leaves the reduction as it is.
static Value *elaborate_element(Elaborator *e, const Space *space) {
    const Expr *body = space->expr->as.comprehension.body;
    Value *holds;
    if (!elaborate_condition(e, space, &holds)) {
        return NULL;
    }
    Val element = elaborate_value(e, body);
    if (holds == NULL) {
        return as_tensor(e, element, body->span);
    }
    Val chosen = select_val(e, body->span, tensor_val(holds), body->span, element, body->span,
                            space->otherwise, body->span);
    return as_tensor(e, chosen, body->span);
}

// ---- all elements

// The indices of the binders over the whole space.
static Value **space_indices(Elaborator *e, const Space *space, Dims shape) {
    Value **indices = arena_array(e->arena, Value *, space->count);
    for (int i = 0; i < space->count; i++) {
        indices[i] = build_iota(&e->builder, TYPE_I64, shape, i);
    }
    return indices;
}

// One loop for each index, which stacks what the inner ones give.
static Value *loop_elements(Elaborator *e, Space *space, int index) {
    if (!plan_binder(e, index, space)) {
        return NULL;
    }
    at_span(e, space->expr->span);
    Inst *loop = build_loop(&e->builder, space->ranges[index].trip, NULL, 0, NULL);
    Region *body = loop->regions[0];
    RegionState state = enter_region(e, body);
    define_index(e, space, index, body->parameters.at[0]);
    Value *element = index + 1 == space->count ? elaborate_element(e, space)
                                               : loop_elements(e, space, index + 1);
    leave_region(e, state);
    Type whole = element == NULL ? type_scalar(TYPE_I64) : element->type;
    const Dim **dims;
    Dims stacked = make_dims(e, whole.rank + 1, &dims);
    dims[0] = space->ranges[index].trip;
    for (int i = 0; i < whole.rank; i++) {
        dims[i + 1] = whole.dims[i];
    }
    if (element == NULL || !check_shape(e, space->expr->span, stacked)) {
        inst_remove(loop);
        return NULL;
    }
    vec_push(e->module->arena, &body->yields, element);
    loop_finish(loop);
    return loop->results[0];
}

// The element in a region with a parameter for each index; NULL after an error.
static Value *elaborate_once(Elaborator *e, Space *space, Region *region) {
    RegionState state = enter_region(e, region);
    Value *element = NULL;
    bool ok = true;
    for (int i = 0; i < space->count && ok; i++) {
        ok = plan_binder(e, i, space);
        if (ok) {
            define_index(e, space, i, region->parameters.at[i]);
        }
    }
    if (ok && check_shape(e, space->expr->span, space_dims(e, space))) {
        element = elaborate_element(e, space);
    }
    leave_region(e, state);
    return element;
}

static Value *all_elements(Elaborator *e, Space *space) {
    Value *guard = e->guard, *result = NULL;
    Space first = *space;
    at_span(e, space->expr->span);
    // A loop that is never finished holds the region of one element.
    Inst *scratch = build_loop(&e->builder, constant_dim(e, 1), NULL, 0, NULL);
    Region *region = scratch->regions[0];
    for (int i = 1; i < space->count; i++) {
        region_add_parameter(region, type_scalar(TYPE_I64), NULL);
    }
    Value *element = elaborate_once(e, &first, region);
    e->guard = guard;
    if (element != NULL) {
        Dims shape = space_dims(e, &first);
        at_span(e, space->expr->span);
        vec_push(e->module->arena, &region->yields, element);
        finish_checkpoints(e, region);
        element = region->yields.at[region->yields.count - 1];
        result = vectorize(&e->builder, region, element, shape, space_indices(e, &first, shape));
        inst_remove(scratch);
        result = result != NULL ? result : loop_elements(e, space, 0);
        e->guard = guard;
        return result;
    }
    inst_remove(scratch);
    return NULL;
}

static bool begin_space(Elaborator *e, const Expr *expr, Space *space) {
    space->expr = expr;
    space->count = expr->as.comprehension.binders.count;
    if (space->count > BINDERS_MAX) {
        report(e, expr->span, "a comprehension has at most %d indices", BINDERS_MAX);
        return false;
    }
    return true;
}

Val elaborate_comprehension(Elaborator *e, const Expr *expr) {
    Space space = {0};
    if (expr->as.comprehension.condition != NULL && expr->as.comprehension.builds_tensor) {
        Diag *diag = report(e, expr->as.comprehension.condition->span,
                            "a tensor cannot leave elements out: its size would depend on data");
        hint(e, diag, "choose inside: [for i in 0..n: c ? e : 0]; sum(for i in 0..n if c: e) can");
        return error_val();
    }
    Value *elements = begin_space(e, expr, &space) ? all_elements(e, &space) : NULL;
    return elements != NULL ? tensor_val(elements) : error_val();
}

// ---- sum(for i in 0..n: e)

typedef struct Reduction {
    const char *name;   // as called
    const char *callee; // that reduces the axes
    double otherwise;   // neutral; NaN: no condition is allowed
} Reduction;

static const Reduction reductions[] = {
    {"sum", "sum", 0},           {"prod", "prod", 1},
    {"max", "amax", -INFINITY},  {"min", "amin", INFINITY},
    {"amax", "amax", -INFINITY}, {"amin", "amin", INFINITY},
    {"any", "any", 0},           {"all", "all", 1},
    {"mean", "mean", NAN},       {"logsumexp", "logsumexp", -INFINITY},
};

static const Reduction *find_reduction(const Expr *callee) {
    for (size_t i = 0; i < sizeof reductions / sizeof reductions[0]; i++) {
        if (callee->kind == EXPR_NAME && strcmp(callee->as.name, reductions[i].name) == 0) {
            return &reductions[i];
        }
    }
    return NULL;
}

static Val neutral_value(Elaborator *e, const Reduction *reduction) {
    if (strcmp(reduction->name, "any") == 0 || strcmp(reduction->name, "all") == 0) {
        return bool_val(reduction->otherwise != 0);
    }
    return isinf(reduction->otherwise) ? real_val(reduction->otherwise)
                                       : number_val(e, (int64_t)reduction->otherwise);
}

bool is_reduction_call(const Expr *expr) {
    const ArgumentList *arguments = &expr->as.call.arguments;
    return arguments->count == 1 && arguments->at[0].value->kind == EXPR_COMPREHENSION &&
           !arguments->at[0].value->as.comprehension.builds_tensor;
}

Val elaborate_reduction(Elaborator *e, const Expr *expr) {
    const Expr *callee = expr->as.call.callee, *inner = expr->as.call.arguments.at[0].value;
    const Reduction *reduction = find_reduction(callee);
    Space space = {0};
    if (reduction == NULL) {
        Diag *diag = report(e, callee->span, "this function does not reduce a comprehension");
        hint(e, diag,
             "sum, prod, mean, max, min, any, all and logsumexp do; [for ...: e] makes a "
             "tensor");
        return error_val();
    }
    if (inner->as.comprehension.condition != NULL && isnan(reduction->otherwise)) {
        Diag *diag = report(e, inner->as.comprehension.condition->span,
                            "%s cannot leave elements out", reduction->name);
        hint(e, diag, "divide a sum by the number of elements");
        return error_val();
    }
    space.leaves_out = !isnan(reduction->otherwise);
    if (space.leaves_out) {
        space.otherwise = neutral_value(e, reduction);
    }
    Value *elements = begin_space(e, inner, &space) ? all_elements(e, &space) : NULL;
    if (elements == NULL) {
        return error_val();
    }
    Val axes = list_val(e, space.count);
    for (int i = 0; i < space.count; i++) {
        axes.list.at[i] = number_val(e, i);
    }
    CallArgumentList arguments = {0};
    CallArgument tensor = {NULL, no_span, tensor_val(elements), inner->span};
    CallArgument dims = {"dim", inner->span, axes, inner->span};
    vec_push(e->arena, &arguments, tensor);
    vec_push(e->arena, &arguments, dims);
    return call_val(e, expr->span, lookup(e, reduction->callee, callee->span), callee->span,
                    &arguments);
}
