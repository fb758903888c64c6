// Loops: `for` over a range or the rows of a tensor, and `while`, stay loops of the IR; `for` over
// a list is written out.
//
// A name that the body rebinds is carried: it must keep its type. A carried number such as `acc =
// 0` takes the type that the body gives it, which a trial elaboration of the body finds out.
#include "frontend/elaborate_control.h"

#include <string.h>

#include "frontend/elaborate_range.h"
#include "ir/edit.h"

enum { TRIALS_MAX = 10 }; // inside of each other: each doubles the work

typedef struct LoopPlan {
    const Stmt *statement;
    const AstBlock *body;
    Range range;           // of while and rows: trip alone
    const Binder *binder;  // NULL: while
    Value *rows;           // of `for row in x`
    const Expr *condition; // of while
} LoopPlan;

// ---- the loop's variable

static void define_variable(Elaborator *e, const LoopPlan *plan, Value *index) {
    if (plan->binder == NULL) {
        return;
    }
    AstName name = plan->binder->name;
    at_span(e, plan->binder->span);
    Value *value = plan->rows != NULL ? build_row(&e->builder, plan->rows, index)
                                      : range_index(e, &plan->range, index);
    if (strcmp(name.text, "_") != 0) {
        if (value->name == NULL || value == index) {
            value->name = arena_copy_string(e->module->arena, name.text);
        }
        define(e, name.text, tensor_val(value), name.span);
    }
}

// ---- one elaboration of the loop

// The carried names inside: tensors are parameters of the region, the rest is as it was.
static void define_parameters(Elaborator *e, const CarriedList *carried, Region *region) {
    for (int i = 0, parameter = 1; i < carried->count; i++) {
        Val value = carried->at[i].before;
        if (is_tensor(value)) {
            value = tensor_val(region->parameters.at[parameter++]);
            value.tensor->name = arena_copy_string(e->module->arena, carried->at[i].name);
        }
        define_carried(e, &carried->at[i], value);
    }
}

static bool elaborate_condition(Elaborator *e, const LoopPlan *plan, const CarriedList *carried,
                                Inst *loop) {
    Region *region = loop_add_condition(loop);
    RegionState state = enter_region(e, region);
    define_parameters(e, carried, region);
    Val value = elaborate_value(e, plan->condition);
    Value *condition = condition_tensor(e, value, plan->condition->span);
    if (condition != NULL) {
        vec_push(e->module->arena, &region->yields, condition);
    }
    leave_region(e, state);
    return condition != NULL;
}

// Builds the loop without finishing it; `after` gets what the body leaves in each carried name.
// False if the condition has a mistake.
static bool elaborate_loop_once(Elaborator *e, const LoopPlan *plan, const CarriedList *carried,
                                Inst **result, Val *after) {
    Value **initial = arena_array(e->arena, Value *, carried->count);
    int count = 0;
    for (int i = 0; i < carried->count; i++) {
        if (is_tensor(carried->at[i].before)) {
            initial[count++] = carried->at[i].before.tensor;
        }
    }
    at_span(e, plan->statement->span);
    Inst *loop = build_loop(&e->builder, plan->range.trip, initial, count, plan->range.count);
    *result = loop;
    bool ok = plan->condition == NULL || elaborate_condition(e, plan, carried, loop);
    RegionState state = enter_region(e, loop->regions[0]);
    define_parameters(e, carried, loop->regions[0]);
    define_variable(e, plan, loop->regions[0]->parameters.at[0]);
    elaborate_block(e, plan->body);
    for (int i = 0; i < carried->count; i++) {
        after[i] = find_binding(e->scope, carried->at[i].name)->value;
    }
    leave_region(e, state);
    return ok;
}

// ---- numbers that the body turns into tensors

static Type trial_type(Elaborator *e, Val before, Val after, bool has_errors) {
    ElementType element;
    int rank;
    if (has_errors || !val_element(e, after, &element, &rank)) {
        after = before;
    }
    Val both[2] = {before, after};
    element = promote_elements(e, both, 2);
    if (is_tensor(after)) {
        return type_with_element(after.tensor->type, element);
    }
    if (after.kind == VAL_LIST) {
        Value *list = as_tensor(e, after, no_span);
        return list == NULL ? type_scalar(element) : type_with_element(list->type, element);
    }
    return type_scalar(element);
}

// Without a trial: the types that the numbers have on their own.
static void default_types(Elaborator *e, const CarriedList *carried, Type *types) {
    for (int i = 0; i < carried->count; i++) {
        if (!is_tensor(carried->at[i].before)) {
            types[i] = trial_type(e, carried->at[i].before, carried->at[i].before, true);
        }
    }
}

// Elaborates the body with the known numbers as they are, to see what it makes of them. Nothing of
// it stays: neither instructions nor errors.
static void find_trial_types(Elaborator *e, const LoopPlan *plan, const CarriedList *carried,
                             Type *types) {
    Diags trial = {.arena = e->arena, .sources = e->diags->sources}, *kept = e->diags;
    Val *after = arena_array(e->arena, Val, carried->count);
    Inst *loop;
    e->diags = &trial;
    e->trials++;
    elaborate_loop_once(e, plan, carried, &loop, after);
    for (int i = 0; i < carried->count; i++) {
        if (!is_tensor(carried->at[i].before)) {
            types[i] = trial_type(e, carried->at[i].before, after[i], trial.error_count > 0);
        }
    }
    inst_remove(loop);
    forget_failed_instances(e);
    e->diags = kept;
    e->trials--;
    e->budget_reported = e->budget_reported && e->budget > 0;
}

// Makes every carried value a tensor. False after an error.
static bool settle_carried(Elaborator *e, const LoopPlan *plan, CarriedList *carried) {
    bool needs_trial = false, ok = true;
    for (int i = 0; i < carried->count; i++) {
        Val before = carried->at[i].before;
        if (is_error(before)) {
            ok = false;
        } else if (!is_tensor_like(before)) {
            report(e, plan->statement->span, "the loop cannot change %s, which is %s",
                   carried->at[i].name, describe(e, before));
            ok = false;
        }
        needs_trial = needs_trial || !is_tensor(before);
    }
    if (!ok || !needs_trial) {
        return ok;
    }
    Type *types = arena_array(e->arena, Type, carried->count);
    if (e->trials < TRIALS_MAX) {
        find_trial_types(e, plan, carried, types);
    } else {
        default_types(e, carried, types);
    }
    for (int i = 0; i < carried->count; i++) {
        Carried *item = &carried->at[i];
        if (!is_tensor(item->before)) {
            Value *value =
                fit_to_type(e, item->before, plan->statement->span, types[i], false, item->name);
            item->before = tensor_val(value);
            ok = ok && value != NULL;
        }
    }
    return ok;
}

// ---- finishing

static Value *next_value(Elaborator *e, const LoopPlan *plan, const Carried *item, Val after) {
    Type type = item->before.tensor->type;
    if (is_error(after)) {
        return NULL;
    }
    if (is_tensor(after) && !type_equal(after.tensor->type, type)) {
        bool is_symbolic = !type_is_static(type) || !type_is_static(after.tensor->type);
        Diag *diag = report_sizes(e, plan->statement->span, is_symbolic,
                                  "%s is %s before the loop, but %s at the end of its body",
                                  item->name, type_string(e->arena, type), describe(e, after));
        if (shape_equal(type, after.tensor->type)) {
            hint(e, diag, "a name keeps its type in a loop: convert it before with cast(%s, %s)",
                 item->name, element_name(after.tensor->type.element));
        } else {
            hint(e, diag, "a name keeps its type in a loop: give %s its final shape before it",
                 item->name);
        }
        return NULL;
    }
    return fit_to_type(e, after, plan->statement->span, type, false, item->name);
}

static void rebind_all(Elaborator *e, const LoopPlan *plan, const CarriedList *carried,
                       const Inst *loop) {
    for (int i = 0; i < carried->count; i++) {
        rebind(e, carried->at[i].name, loop == NULL ? error_val() : tensor_val(loop->results[i]),
               plan->statement->span);
    }
}

static void run_loop(Elaborator *e, const LoopPlan *plan) {
    NameVec assigned = {0};
    CarriedList carried = {0};
    collect_assigned(e, plan->body, &assigned);
    carried_names(e, &assigned, &carried);
    if (!settle_carried(e, plan, &carried)) {
        rebind_all(e, plan, &carried, NULL);
        return;
    }
    Val *after = arena_array(e->arena, Val, carried.count);
    Inst *loop;
    bool ok = elaborate_loop_once(e, plan, &carried, &loop, after);
    Region *outer = e->builder.region, *body = loop->regions[0];
    e->builder.region = body;
    for (int i = 0; i < carried.count; i++) {
        Value *next = next_value(e, plan, &carried.at[i], after[i]);
        ok = ok && next != NULL;
        if (ok) {
            vec_push(e->module->arena, &body->yields, next);
        }
    }
    e->builder.region = outer;
    if (!ok) {
        inst_remove(loop);
        rebind_all(e, plan, &carried, NULL);
        return;
    }
    loop_finish(loop);
    rebind_all(e, plan, &carried, loop);
}

// ---- for and while

static void loop_over_list(Elaborator *e, const Stmt *statement, Val list) {
    const Binder *binder = &statement->as.loop.binder;
    for (int i = 0; i < list.list.count; i++) {
        Scope *outer = push_scope(e, false);
        define(e, binder->name.text, list.list.at[i], binder->name.span);
        elaborate_block(e, statement->as.loop.body);
        pop_scope(e, outer);
        if (e->frame->returned || e->budget <= 0) {
            return;
        }
    }
}

static void poison_loop(Elaborator *e, const LoopPlan *plan) {
    NameVec assigned = {0};
    CarriedList carried = {0};
    collect_assigned(e, plan->body, &assigned);
    carried_names(e, &assigned, &carried);
    rebind_all(e, plan, &carried, NULL);
}

void elaborate_for(Elaborator *e, const Stmt *statement) {
    const Binder *binder = &statement->as.loop.binder;
    LoopPlan plan = {.statement = statement, .body = statement->as.loop.body, .binder = binder};
    if (binder->sequence == NULL) {
        if (plan_range(e, binder, &plan.range)) {
            run_loop(e, &plan);
        } else {
            poison_loop(e, &plan);
        }
        return;
    }
    Val sequence = elaborate_value(e, binder->sequence);
    if (sequence.kind == VAL_LIST) {
        loop_over_list(e, statement, sequence);
        return;
    }
    if (is_tensor(sequence) && sequence.tensor->type.rank > 0) {
        plan.rows = sequence.tensor;
        plan.range.trip = sequence.tensor->type.dims[0];
        run_loop(e, &plan);
        return;
    }
    if (!is_error(sequence)) {
        Diag *diag = report(e, binder->sequence->span,
                            "a loop goes over a range, a list or a tensor's rows, got %s",
                            describe(e, sequence));
        hint(e, diag, "a range is written 0..n");
    }
    poison_loop(e, &plan);
}

void elaborate_while(Elaborator *e, const Stmt *statement) {
    LoopPlan plan = {.statement = statement,
                     .body = statement->as.while_loop.body,
                     .condition = statement->as.while_loop.condition};
    const Expr *limit = statement->as.while_loop.limit;
    if (limit == NULL) {
        Diag *diag = report(e, statement->span, "while needs a limit for its iterations");
        hint(e, diag,
             "write `while CONDITION limit 1000 { ... }`: memory is reserved for that many");
        poison_loop(e, &plan);
        return;
    }
    if (known_bound(e, limit, "the limit of while", &plan.range.trip)) {
        run_loop(e, &plan);
    } else {
        poison_loop(e, &plan);
    }
}
