// Statements that run in a line: assignment, return, and the blocks that are not loops or branches.
#include "frontend/elaborate_internal.h"

#include <string.h>

#include "ir/edit.h"

static bool in_model(const Elaborator *e) {
    return e->frame == NULL || e->frame->function == NULL;
}

// ---- which names a block assigns

static void collect_name(Elaborator *e, const char *name, NameVec *names) {
    if (strcmp(name, "_") == 0) {
        return;
    }
    for (int i = 0; i < names->count; i++) {
        if (strcmp(names->at[i], name) == 0) {
            return;
        }
    }
    vec_push(e->arena, names, name);
}

static void collect_statement(Elaborator *e, const Stmt *statement, NameVec *names) {
    switch (statement->kind) {
    case STMT_ASSIGN:
        for (int i = 0; i < statement->as.assign.targets.count; i++) {
            collect_name(e, statement->as.assign.targets.at[i].name.text, names);
        }
        break;
    case STMT_FOR: collect_assigned(e, statement->as.loop.body, names); break;
    case STMT_WHILE: collect_assigned(e, statement->as.while_loop.body, names); break;
    case STMT_IF:
        for (int i = 0; i < statement->as.branch.branches.count; i++) {
            collect_assigned(e, statement->as.branch.branches.at[i].body, names);
        }
        if (statement->as.branch.otherwise != NULL) {
            collect_assigned(e, statement->as.branch.otherwise, names);
        }
        break;
    case STMT_NO_GRAD:
    case STMT_CHECKPOINT: collect_assigned(e, statement->as.body, names); break;
    case STMT_INPUT:
    case STMT_PARAM:
    case STMT_OUTPUT:
    case STMT_STATE:
    case STMT_RETURN:
    case STMT_EXPRESSION: break;
    }
}

void collect_assigned(Elaborator *e, const AstBlock *block, NameVec *names) {
    for (int i = 0; i < block->statements.count; i++) {
        collect_statement(e, block->statements.at[i], names);
    }
}

// ---- assignment

static void report_target_counts(Elaborator *e, const Stmt *statement, int targets, Val value) {
    int count = value.kind == VAL_RESULTS ? value.list.count : 1;
    Diag *diag = report(e, statement->span, "%d name%s on the left, but %d value%s on the right",
                        targets, targets == 1 ? "" : "s", count, count == 1 ? "" : "s");
    if (count > targets) {
        hint(e, diag, "_ drops a value: a, _ = ...");
    }
}

static void assign_target(Elaborator *e, const Target *target, Val value, Span value_span,
                          const BinaryOp *op) {
    if (target->subscripts.count == 0 && op == NULL) {
        assign_name(e, target->name, value);
        return;
    }
    Binding *binding = find_binding(e->scope, target->name.text);
    if (binding == NULL) {
        lookup(e, target->name.text, target->name.span); // reports
        return;
    }
    if (find_assignable(e->scope, target->name.text) == NULL) {
        report(e, target->name.span,
               "%s belongs to the code around this function: it cannot be "
               "changed here",
               target->name.text);
        return;
    }
    Val before = binding->value, after;
    if (target->subscripts.count > 0) {
        after = store_at(e, target, before, value, value_span, op);
    } else {
        after = binary_operator(e, target->span, *op, before, target->span, value, value_span);
    }
    assign_name(e, target->name, after);
}

static Val typed_value(Elaborator *e, const Stmt *statement, Val value, Span span) {
    const TypeExpr *type_expr = statement->as.assign.type;
    Type type;
    if (type_expr == NULL) {
        return value;
    }
    if (!elaborate_type(e, type_expr, &type)) {
        return error_val();
    }
    const char *name = statement->as.assign.targets.at[0].name.text;
    return tensor_val(fit_to_type(e, value, span, type, false, name));
}

static void elaborate_assign(Elaborator *e, const Stmt *statement) {
    const TargetList *targets = &statement->as.assign.targets;
    const ExprList *values = &statement->as.assign.values;
    const BinaryOp *op = statement->as.assign.is_compound ? &statement->as.assign.op : NULL;
    if (values->count == targets->count) {
        Val *found = arena_array(e->arena, Val, values->count);
        for (int i = 0; i < values->count; i++) {
            found[i] = elaborate_value(e, values->at[i]);
            found[i] = typed_value(e, statement, found[i], values->at[i]->span);
        }
        for (int i = 0; i < values->count; i++) {
            assign_target(e, &targets->at[i], found[i], values->at[i]->span, op);
        }
        return;
    }
    Val value = values->count == 1 ? elaborate_expr(e, values->at[0]) : error_val();
    if (values->count > 1) {
        report(e, statement->span, "%d names on the left, but %d values on the right",
               targets->count, values->count);
    } else if (!is_error(value) && (value.kind == VAL_LIST || value.kind == VAL_RESULTS) &&
               value.list.count == targets->count) {
        for (int i = 0; i < targets->count; i++) {
            assign_target(e, &targets->at[i], value.list.at[i], values->at[0]->span, op);
        }
        return;
    } else if (!is_error(value)) {
        report_target_counts(e, statement, targets->count, value);
    }
    for (int i = 0; i < targets->count; i++) {
        assign_target(e, &(Target){.name = targets->at[i].name}, error_val(), statement->span,
                      NULL);
    }
}

// ---- return and others

static void elaborate_return(Elaborator *e, const Stmt *statement) {
    const ExprList *values = &statement->as.returned;
    if (in_model(e)) {
        Diag *diag = report(e, statement->span, "a model has no return");
        hint(e, diag, "write `output NAME` for each result");
        return;
    }
    if (e->frame->in_data_block) {
        Diag *diag = report(e, statement->span,
                            "return cannot stand inside a loop or an if that depends on data");
        hint(e, diag, "assign the result to a name there, and return it at the end");
        e->frame->returned = true;
        e->frame->result = error_val();
        return;
    }
    Val result;
    if (values->count == 1) {
        result = elaborate_expr(e, values->at[0]);
    } else {
        result = results_val(e, values->count);
        for (int i = 0; i < values->count; i++) {
            result.list.at[i] = elaborate_value(e, values->at[i]);
            if (is_error(result.list.at[i])) {
                result = error_val();
                break;
            }
        }
    }
    if (e->no_grad > 0) {
        at_span(e, statement->span);
        result = cut_gradient(e, result);
    }
    e->frame->returned = true;
    e->frame->result = result;
}

// Statements of other languages that read as a name here.
static bool refuse_foreign_word(Elaborator *e, const Expr *expr) {
    static const struct {
        const char *word, *hint;
    } words[] = {
        {"break", "write `while CONDITION limit N { ... }`, with the loop's end as its condition"},
        {"continue", "put the rest of the loop's body into an if"},
        {"pass", "a block may be empty: { }"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (expr->kind == EXPR_NAME && strcmp(expr->as.name, words[i].word) == 0 &&
            find_binding(e->scope, expr->as.name) == NULL) {
            Diag *diag = report(e, expr->span, "there is no %s", words[i].word);
            hint(e, diag, "%s", words[i].hint);
            return true;
        }
    }
    return false;
}

static void elaborate_expression_statement(Elaborator *e, const Stmt *statement) {
    const Expr *expr = statement->as.expression;
    if (refuse_foreign_word(e, expr)) {
        return;
    }
    Val value = elaborate_expr(e, expr);
    if (is_error(value) || expr->kind == EXPR_CALL || expr->kind == EXPR_METHOD) {
        return;
    }
    Diag *diag = report(e, statement->span, "the value of this expression is not used");
    hint(e, diag, "assign it to a name");
}

// The block is no scope: which of its values are used behind it is known when the region around it
// is finished. Until then it is a row of instructions.
static void elaborate_checkpoint(Elaborator *e, const Stmt *statement) {
    const Region *region = e->builder.region;
    Inst *before = region->last;
    elaborate_block(e, statement->as.body);
    if (region->last != before) {
        CheckpointRange range = {before ? before->next : region->first, region->last};
        vec_push(e->arena, &e->checkpoints, range);
    }
}

// The instruction of `region` that `inst` is or lies in; NULL if there is none.
static Inst *inst_of_region(Inst *inst, const Region *region) {
    while (inst != NULL && inst->parent != region) {
        inst = inst->parent == NULL ? NULL : inst->parent->owner;
    }
    return inst;
}

void finish_checkpoints(Elaborator *e, const Region *region) {
    Arena scratch = {0};
    int kept = 0;
    for (int i = 0; i < e->checkpoints.count; i++) {
        CheckpointRange range = e->checkpoints.at[i];
        if (inst_of_region(range.first, region) == NULL) {
            e->checkpoints.at[kept++] = range;
            continue;
        }
        // An inner block at an end of this one has become a checkpoint already.
        Region *common = range.first->parent;
        while (inst_of_region(range.last, common) == NULL) {
            common = common->owner->parent;
        }
        Inst *first = inst_of_region(range.first, common);
        Inst *last = inst_of_region(range.last, common);
        wrap_in_checkpoint(&scratch, first, last);
    }
    e->checkpoints.count = kept;
    arena_free(&scratch);
}

void elaborate_statement(Elaborator *e, const Stmt *statement) {
    if (!spend(e, statement->span)) {
        return;
    }
    switch (statement->kind) {
    case STMT_INPUT:
    case STMT_PARAM:
    case STMT_OUTPUT:
    case STMT_STATE: {
        Diag *diag =
            report(e, statement->span, "%s cannot stand here", stmt_kind_text(statement->kind));
        hint(e, diag,
             statement->kind == STMT_STATE
                 ? "states belong to an optimizer"
                 : "inputs, params and outputs stand in a model's own block");
        break;
    }
    case STMT_ASSIGN: elaborate_assign(e, statement); break;
    case STMT_RETURN: elaborate_return(e, statement); break;
    case STMT_FOR: elaborate_for(e, statement); break;
    case STMT_WHILE: elaborate_while(e, statement); break;
    case STMT_IF: elaborate_if(e, statement); break;
    case STMT_NO_GRAD:
        e->no_grad++;
        elaborate_block(e, statement->as.body);
        e->no_grad--;
        break;
    case STMT_CHECKPOINT: elaborate_checkpoint(e, statement); break;
    case STMT_EXPRESSION: elaborate_expression_statement(e, statement); break;
    }
}

void elaborate_block(Elaborator *e, const AstBlock *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Stmt *statement = block->statements.at[i];
        elaborate_statement(e, statement);
        if (e->frame == NULL || !e->frame->returned) {
            continue;
        }
        if (statement->kind == STMT_RETURN && i + 1 < block->statements.count) {
            Diag *diag = report(e, block->statements.at[i + 1]->span,
                                "this is never reached: the function has returned before");
            hint(e, diag, "remove it, or put the return at the end");
        }
        return;
    }
}
