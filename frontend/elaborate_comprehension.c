// Comprehensions: [for i in 0..n, j in 0..m: e] and sum(for k in 0..n if c: e).
//
// The body is elaborated once, for one index, into a region that is then vectorized: all elements
// are computed at once by tensor operators. A body with loops or branches becomes a loop of the IR
// instead, which stacks its elements.
#include "frontend/elaborate_control.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "frontend/vectorize.h"
#include "ir/edit.h"

enum { BINDERS_MAX = 10 };

typedef struct Space {
    const Expr *expr;
    int count;
    const Dim *sizes[BINDERS_MAX];
    const Dim *starts[BINDERS_MAX];
    int64_t steps[BINDERS_MAX];
    Value *rows[BINDERS_MAX]; // of `row in x`; NULL: a range
    Val otherwise;            // where the condition does not hold
} Space;

static const Binder *binder_at(const Space *space, int index) {
    return &space->expr->as.comprehension.binders.at[index];
}

// ---- the index space

static bool plan_range(Elaborator *e, const Binder *binder, int index, Space *space) {
    const Dim *stop;
    int64_t step = 1;
    if (!range_bound(e, binder->start, "the start of a range", &space->starts[index]) ||
        !range_bound(e, binder->stop, "the end of a range", &stop)) {
        return false;
    }
    if (binder->step != NULL && !val_to_int(e, elaborate_value(e, binder->step), binder->step->span,
                                            "the step of a range", &step)) {
        return false;
    }
    if (step == 0) {
        report(e, binder->step->span, "the step of a range cannot be 0");
        return false;
    }
    space->steps[index] = step;
    return range_size(e, binder, space->starts[index], stop, step, &space->sizes[index]);
}

static bool plan_binder(Elaborator *e, int index, Space *space) {
    const Binder *binder = binder_at(space, index);
    if (binder->sequence == NULL) {
        return plan_range(e, binder, index, space);
    }
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
    space->sizes[index] = rows->type.dims[0];
    return true;
}

static Dims space_dims(Elaborator *e, const Space *space);

static bool plan_space(Elaborator *e, const Expr *expr, Space *space) {
    bool ok = true;
    space->expr = expr;
    space->count = expr->as.comprehension.binders.count;
    if (space->count > BINDERS_MAX) {
        report(e, expr->span, "a comprehension has at most %d indices", BINDERS_MAX);
        return false;
    }
    for (int i = 0; i < space->count; i++) {
        ok = plan_binder(e, i, space) && ok;
    }
    return ok && check_shape(e, expr->span, space_dims(e, space));
}

static Dims space_dims(Elaborator *e, const Space *space) {
    const Dim **dims;
    Dims shape = make_dims(e, space->count, &dims);
    for (int i = 0; i < space->count; i++) {
        dims[i] = space->sizes[i];
    }
    return shape;
}

// ---- one element

static void define_index(Elaborator *e, const Space *space, int index, Value *place) {
    const Binder *binder = binder_at(space, index);
    Builder *b = &e->builder;
    int64_t start;
    at_span(e, binder->span);
    if (strcmp(binder->name.text, "_") == 0) {
        return;
    }
    Value *value = place;
    if (space->rows[index] != NULL) {
        value = build_row(b, space->rows[index], place);
    } else {
        if (space->steps[index] != 1) {
            value = build_mul(b, value, build_scalar_integer(b, TYPE_I64, space->steps[index]));
        }
        if (!dim_is_constant(space->starts[index], &start) || start != 0) {
            value = build_add(b, value, build_dim(b, space->starts[index]));
        }
    }
    define(e, binder->name.text, tensor_val(value), binder->name.span);
}

// The body where the condition holds; elsewhere what leaves the reduction as it is.
static Value *elaborate_element(Elaborator *e, const Space *space) {
    const Expr *body = space->expr->as.comprehension.body;
    const Expr *condition_expr = space->expr->as.comprehension.condition;
    if (condition_expr == NULL) {
        return as_tensor(e, elaborate_value(e, body), body->span);
    }
    Val condition = elaborate_value(e, condition_expr);
    if (condition.kind == VAL_BOOL && condition.boolean) {
        return as_tensor(e, elaborate_value(e, body), body->span);
    }
    Value *holds = condition_tensor(e, condition, condition_expr->span);
    if (holds == NULL) {
        return NULL;
    }
    Value *outer = push_guard(e, holds, condition_expr->span);
    Val element = elaborate_value(e, body);
    e->guard = outer;
    Val chosen = select_val(e, body->span, tensor_val(holds), condition_expr->span, element,
                            body->span, space->otherwise, body->span);
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

// One loop for each binder, which stacks what the inner ones give.
static Value *loop_elements(Elaborator *e, const Space *space, int index) {
    at_span(e, space->expr->span);
    Inst *loop = build_loop(&e->builder, space->sizes[index], NULL, 0, NULL);
    Region *body = loop->regions[0];
    RegionState state = enter_region(e, body);
    define_index(e, space, index, body->parameters.at[0]);
    Value *element = index + 1 == space->count ? elaborate_element(e, space)
                                               : loop_elements(e, space, index + 1);
    leave_region(e, state);
    Type whole = element == NULL ? type_scalar(TYPE_I64) : element->type;
    const Dim **dims;
    Dims stacked = make_dims(e, whole.rank + 1, &dims);
    dims[0] = space->sizes[index];
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

static Value *all_elements(Elaborator *e, const Space *space) {
    at_span(e, space->expr->span);
    // A loop that is never finished holds the region of one element.
    Inst *scratch = build_loop(&e->builder, constant_dim(e, 1), NULL, 0, NULL);
    Region *region = scratch->regions[0];
    for (int i = 1; i < space->count; i++) {
        region_add_parameter(region, type_scalar(TYPE_I64), NULL);
    }
    RegionState state = enter_region(e, region);
    for (int i = 0; i < space->count; i++) {
        define_index(e, space, i, region->parameters.at[i]);
    }
    Value *element = elaborate_element(e, space);
    leave_region(e, state);
    Value *result = NULL;
    if (element != NULL) {
        Dims shape = space_dims(e, space);
        at_span(e, space->expr->span);
        result = vectorize(&e->builder, region, element, shape, space_indices(e, space, shape));
    }
    inst_remove(scratch);
    return result != NULL || element == NULL ? result : loop_elements(e, space, 0);
}

Val elaborate_comprehension(Elaborator *e, const Expr *expr) {
    Space space = {0};
    if (expr->as.comprehension.condition != NULL && expr->as.comprehension.builds_tensor) {
        Diag *diag = report(e, expr->as.comprehension.condition->span,
                            "a tensor cannot leave elements out: its size would depend on data");
        hint(e, diag, "choose inside: [for i in 0..n: c ? e : 0]; sum(for i in 0..n if c: e) can");
        return error_val();
    }
    return plan_space(e, expr, &space) ? tensor_val(all_elements(e, &space)) : error_val();
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
    space.otherwise = neutral_value(e, reduction);
    if (!plan_space(e, inner, &space)) {
        return error_val();
    }
    Val axes = list_val(e, space.count);
    for (int i = 0; i < space.count; i++) {
        axes.list.at[i] = number_val(e, i);
    }
    CallArgumentList arguments = {0};
    CallArgument tensor = {NULL, no_span, tensor_val(all_elements(e, &space)), inner->span};
    CallArgument dims = {"dim", inner->span, axes, inner->span};
    vec_push(e->arena, &arguments, tensor);
    vec_push(e->arena, &arguments, dims);
    return call_val(e, expr->span, lookup(e, reduction->callee, callee->span), callee->span,
                    &arguments);
}
