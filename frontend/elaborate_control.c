// Branches and the names that loops and branches carry.
#include "frontend/elaborate_control.h"
#include "frontend/elaborate_internal.h"

#include <string.h>

void carried_names(Elaborator *e, const NameVec *assigned, CarriedList *carried) {
    for (int i = 0; i < assigned->count; i++) {
        const Binding *binding = find_assignable(e->scope, assigned->at[i]);
        if (binding != NULL) {
            Carried item = {.name = binding->name, .before = binding->value};
            vec_push(e->arena, carried, item);
        }
    }
}

RegionState enter_region(Elaborator *e, Region *region) {
    RegionState state = {e->builder.region, push_scope(e, false), e->frame->in_data_block};
    e->builder.region = region;
    e->frame->in_data_block = true;
    return state;
}

void leave_region(Elaborator *e, RegionState state) {
    e->builder.region = state.region;
    e->frame->in_data_block = state.in_data_block;
    pop_scope(e, state.scope);
}

void define_carried(Elaborator *e, const Carried *item, Val value) {
    define(e, item->name, value, no_span);
}

void rebind(Elaborator *e, const char *name, Val value, Span span) {
    assign_name(e, (AstName){name, span}, value);
}

// ---- if

typedef struct Side {
    Region *region;
    Val *after; // of each carried name
} Side;

static void elaborate_branch_from(Elaborator *e, const Stmt *statement, int index);

static void elaborate_side(Elaborator *e, const Stmt *statement, int index, bool is_then,
                           const CarriedList *carried, Side *side) {
    RegionState state = enter_region(e, side->region);
    for (int i = 0; i < carried->count; i++) {
        define_carried(e, &carried->at[i], carried->at[i].before);
    }
    if (is_then) {
        elaborate_block(e, statement->as.branch.branches.at[index].body);
    } else {
        elaborate_branch_from(e, statement, index + 1);
    }
    side->after = arena_array(e->arena, Val, carried->count);
    for (int i = 0; i < carried->count; i++) {
        side->after[i] = find_binding(e->scope, carried->at[i].name)->value;
    }
    leave_region(e, state);
}

static Value *side_tensor(Elaborator *e, const Side *side, Val val, Span span, Type type,
                          const char *name) {
    Region *outer = e->builder.region;
    e->builder.region = side->region;
    Value *value = fit_to_type(e, val, span, type, false, name);
    e->builder.region = outer;
    return value;
}

// The common type of what the two sides leave in a name; false after an error.
static bool common_type(Elaborator *e, Span span, const char *name, Val x, Val y, Type *type) {
    if (!is_tensor_like(x) || !is_tensor_like(y)) {
        report(e, span, "%s is %s or %s here, which depends on data", name, describe(e, x),
               describe(e, y));
        return false;
    }
    if (is_tensor(x) && is_tensor(y)) {
        if (!type_equal(x.tensor->type, y.tensor->type)) {
            bool is_symbolic = !type_is_static(x.tensor->type) || !type_is_static(y.tensor->type);
            Diag *diag = report_sizes(e, span, is_symbolic,
                                      "%s is %s after one side of this if, but %s after the other",
                                      name, describe(e, x), describe(e, y));
            hint(e, diag, "which side runs depends on data: both must leave the same type");
            return false;
        }
        *type = x.tensor->type;
        return true;
    }
    if (is_tensor(x) || is_tensor(y)) {
        *type = is_tensor(x) ? x.tensor->type : y.tensor->type;
        return true;
    }
    Val both[2] = {x, y};
    if (x.kind == VAL_LIST || y.kind == VAL_LIST) {
        Value *list = as_tensor(e, x.kind == VAL_LIST ? x : y, span);
        if (list == NULL) {
            return false;
        }
        *type = type_with_element(list->type, promote_elements(e, both, 2));
        return true;
    }
    *type = type_scalar(promote_elements(e, both, 2));
    return true;
}

// Yields the name's values from both sides if they differ; its value after the branch.
static Val join_sides(Elaborator *e, Span span, const Carried *item, const Side *then, Val x,
                      const Side *otherwise, Val y, bool *yields) {
    Type type;
    *yields = false;
    if (is_error(x) || is_error(y)) {
        return error_val();
    }
    if (val_equal(x, y)) {
        return x;
    }
    if (!common_type(e, span, item->name, x, y, &type)) {
        return error_val();
    }
    Value *a = side_tensor(e, then, x, span, type, item->name);
    Value *b = side_tensor(e, otherwise, y, span, type, item->name);
    if (a == NULL || b == NULL) {
        return error_val();
    }
    vec_push(e->module->arena, &then->region->yields, a);
    vec_push(e->module->arena, &otherwise->region->yields, b);
    *yields = true;
    return tensor_val(a);
}

static void elaborate_data_branch(Elaborator *e, const Stmt *statement, int index,
                                  Value *condition) {
    NameVec assigned = {0};
    CarriedList carried = {0};
    for (int i = index; i < statement->as.branch.branches.count; i++) {
        collect_assigned(e, statement->as.branch.branches.at[i].body, &assigned);
    }
    if (statement->as.branch.otherwise != NULL) {
        collect_assigned(e, statement->as.branch.otherwise, &assigned);
    }
    carried_names(e, &assigned, &carried);
    at_span(e, statement->span);
    Inst *branch = build_branch(&e->builder, condition);
    Side then = {.region = branch->regions[0]}, otherwise = {.region = branch->regions[1]};
    elaborate_side(e, statement, index, true, &carried, &then);
    elaborate_side(e, statement, index, false, &carried, &otherwise);
    Val *joined = arena_array(e->arena, Val, carried.count);
    bool *yields = arena_array(e->arena, bool, carried.count);
    for (int i = 0; i < carried.count; i++) {
        joined[i] =
            join_sides(e, statement->as.branch.branches.at[index].condition->span, &carried.at[i],
                       &then, then.after[i], &otherwise, otherwise.after[i], &yields[i]);
    }
    branch_finish(branch);
    for (int i = 0, result = 0; i < carried.count; i++) {
        Val value = yields[i] ? tensor_val(branch->results[result++]) : joined[i];
        rebind(e, carried.at[i].name, value, statement->span);
    }
}

static void elaborate_in_scope(Elaborator *e, const AstBlock *block) {
    Scope *outer = push_scope(e, false);
    elaborate_block(e, block);
    pop_scope(e, outer);
}

Value *condition_tensor(Elaborator *e, Val condition, Span span) {
    if (is_error(condition)) {
        return NULL;
    }
    ElementType element;
    int rank;
    if (!val_element(e, condition, &element, &rank) || element != TYPE_BOOL) {
        Diag *diag = report(e, span, "a condition must be bool, got %s", describe(e, condition));
        hint(e, diag, "compare it: x != 0");
        return NULL;
    }
    if (rank > 0) {
        Diag *diag =
            report(e, span, "a condition must be one truth value, got %s", describe(e, condition));
        hint(e, diag, "any(x) or all(x) make one of many; where(c, a, b) chooses for each element");
        return NULL;
    }
    return as_tensor(e, condition, span);
}

static void elaborate_branch_from(Elaborator *e, const Stmt *statement, int index) {
    if (index == statement->as.branch.branches.count) {
        if (statement->as.branch.otherwise != NULL) {
            elaborate_in_scope(e, statement->as.branch.otherwise);
        }
        return;
    }
    const IfBranch *branch = &statement->as.branch.branches.at[index];
    Val condition = elaborate_value(e, branch->condition);
    if (condition.kind == VAL_BOOL) {
        if (condition.boolean) {
            elaborate_in_scope(e, branch->body);
        } else {
            elaborate_branch_from(e, statement, index + 1);
        }
        return;
    }
    Value *value = condition_tensor(e, condition, branch->condition->span);
    if (value != NULL) {
        elaborate_data_branch(e, statement, index, value);
        return;
    }
    // After a mistake in the condition: what the block assigns is not known.
    NameVec assigned = {0};
    collect_assigned(e, branch->body, &assigned);
    for (int i = 0; i < assigned.count; i++) {
        if (find_assignable(e->scope, assigned.at[i]) != NULL) {
            rebind(e, assigned.at[i], error_val(), statement->span);
        }
    }
}

void elaborate_if(Elaborator *e, const Stmt *statement) {
    elaborate_branch_from(e, statement, 0);
}
