// The tree as text: one node a line, its parts indented under it. What `tdsl emit --stage=ast`
// prints and what tests of the grammar compare.
#include "frontend/ast.h"

static void print_expr(Text *out, int level, const char *role, const Expr *expr);
static void print_block(Text *out, int level, const char *role, const AstBlock *block);

// Starts a line: `role: `, or nothing.
static void start_line(Text *out, int level, const char *role) {
    text_indent(out, level);
    if (role != NULL)
        text_format(out, "%s: ", role);
}

static void print_string(Text *out, const char *string) {
    text_add_char(out, '"');
    for (; *string != '\0'; string++) {
        if (*string == '"' || *string == '\\')
            text_format(out, "\\%c", *string);
        else if (*string == '\n')
            text_add(out, "\\n");
        else if (*string == '\t')
            text_add(out, "\\t");
        else
            text_add_char(out, *string);
    }
    text_add_char(out, '"');
}

static void print_optional(Text *out, int level, const char *role, const Expr *expr) {
    if (expr != NULL)
        print_expr(out, level, role, expr);
}

static void print_exprs(Text *out, int level, const char *role, const ExprList *exprs) {
    for (int i = 0; i < exprs->count; i++)
        print_expr(out, level, role, exprs->at[i]);
}

static void print_type(Text *out, int level, const char *role, const TypeExpr *type) {
    if (type == NULL)
        return;
    start_line(out, level, role);
    text_format(out, "%s%s\n", type->element.text, type->has_dims ? " of shape" : "");
    print_exprs(out, level + 1, NULL, &type->dims);
}

static void print_arguments(Text *out, int level, const ArgumentList *arguments) {
    for (int i = 0; i < arguments->count; i++)
        print_expr(out, level, arguments->at[i].name.text, arguments->at[i].value);
}

static void print_subscripts(Text *out, int level, const SubscriptList *subscripts) {
    for (int i = 0; i < subscripts->count; i++) {
        const Subscript *subscript = &subscripts->at[i];
        switch (subscript->kind) {
        case SUBSCRIPT_AT: print_expr(out, level, "at", subscript->value); break;
        case SUBSCRIPT_SLICE:
            text_indent(out, level);
            text_add(out, "slice\n");
            print_optional(out, level + 1, "start", subscript->start);
            print_optional(out, level + 1, "stop", subscript->stop);
            print_optional(out, level + 1, "step", subscript->step);
            break;
        case SUBSCRIPT_NEW_AXIS:
            text_indent(out, level);
            text_add(out, "new axis\n");
            break;
        case SUBSCRIPT_ELLIPSIS:
            text_indent(out, level);
            text_add(out, "ellipsis\n");
            break;
        }
    }
}

static void print_binder(Text *out, int level, const Binder *binder) {
    text_indent(out, level);
    text_format(out, "for %s\n", binder->name.text);
    print_optional(out, level + 1, "in", binder->sequence);
    print_optional(out, level + 1, "start", binder->start);
    print_optional(out, level + 1, "stop", binder->stop);
    print_optional(out, level + 1, "step", binder->step);
    print_optional(out, level + 1, "limit", binder->limit);
}

static void print_dimensions(Text *out, int level, const DimensionDefList *dimensions) {
    for (int i = 0; i < dimensions->count; i++) {
        text_indent(out, level);
        text_format(out, "dimension %s\n", dimensions->at[i].name.text);
        print_optional(out, level + 1, "default", dimensions->at[i].value);
    }
}

static void print_parameters(Text *out, int level, const ParameterList *parameters) {
    for (int i = 0; i < parameters->count; i++) {
        text_indent(out, level);
        text_format(out, "parameter %s\n", parameters->at[i].name.text);
        print_type(out, level + 1, "type", parameters->at[i].type);
        print_optional(out, level + 1, "default", parameters->at[i].value);
    }
}

// What follows the line `function f`.
static void print_function_parts(Text *out, int level, const AstFunction *function) {
    print_dimensions(out, level, &function->dimensions);
    print_parameters(out, level, &function->parameters);
    for (int i = 0; i < function->results.count; i++)
        print_type(out, level, "result", function->results.at[i]);
    print_block(out, level, "body", function->body);
    if (function->derivative == NULL)
        return;
    text_indent(out, level);
    text_add(out, "derivative\n");
    print_parameters(out, level + 1, &function->derivative_parameters);
    print_block(out, level + 1, "body", function->derivative);
}

static void print_comprehension(Text *out, int level, const Expr *expr) {
    const BinderList *binders = &expr->as.comprehension.binders;
    text_format(out, "comprehension%s\n", expr->as.comprehension.builds_tensor ? " tensor" : "");
    for (int i = 0; i < binders->count; i++)
        print_binder(out, level, &binders->at[i]);
    print_optional(out, level, "if", expr->as.comprehension.condition);
    print_expr(out, level, NULL, expr->as.comprehension.body);
}

static void print_literal(Text *out, const Expr *expr) {
    switch (expr->kind) {
    case EXPR_INTEGER: text_format(out, "%lld", (long long)expr->as.integer); break;
    case EXPR_REAL: text_add_real(out, expr->as.real, false); break;
    case EXPR_STRING: print_string(out, expr->as.string); break;
    case EXPR_BOOL: text_add(out, expr->as.boolean ? "true" : "false"); break;
    case EXPR_NAME: text_add(out, expr->as.name); break;
    case EXPR_ELLIPSIS: text_add(out, "..."); break;
    default: text_add(out, expr_kind_text(expr->kind)); break; // none, error
    }
    text_add_char(out, '\n');
}

static void print_expr(Text *out, int level, const char *role, const Expr *expr) {
    start_line(out, level, role);
    int below = level + 1;
    switch (expr->kind) {
    case EXPR_ERROR:
    case EXPR_INTEGER:
    case EXPR_REAL:
    case EXPR_STRING:
    case EXPR_BOOL:
    case EXPR_NONE:
    case EXPR_NAME:
    case EXPR_ELLIPSIS: print_literal(out, expr); break;
    case EXPR_LIST:
        text_add(out, "list\n");
        print_exprs(out, below, NULL, &expr->as.list);
        break;
    case EXPR_UNARY:
        text_format(out, "unary %s\n", unary_op_text(expr->as.unary.op));
        print_expr(out, below, NULL, expr->as.unary.operand);
        break;
    case EXPR_BINARY:
        text_format(out, "binary %s\n", binary_op_text(expr->as.binary.op));
        print_expr(out, below, NULL, expr->as.binary.left);
        print_expr(out, below, NULL, expr->as.binary.right);
        break;
    case EXPR_CONDITIONAL:
        text_add(out, "conditional\n");
        print_expr(out, below, NULL, expr->as.conditional.condition);
        print_expr(out, below, NULL, expr->as.conditional.then);
        print_expr(out, below, NULL, expr->as.conditional.otherwise);
        break;
    case EXPR_CALL:
        text_add(out, "call\n");
        print_expr(out, below, "of", expr->as.call.callee);
        print_arguments(out, below, &expr->as.call.arguments);
        break;
    case EXPR_METHOD:
        text_format(out, "method %s\n", expr->as.method.name.text);
        print_expr(out, below, "of", expr->as.method.object);
        print_arguments(out, below, &expr->as.method.arguments);
        break;
    case EXPR_ATTRIBUTE:
        text_format(out, "attribute %s\n", expr->as.attribute.name.text);
        print_expr(out, below, "of", expr->as.attribute.object);
        break;
    case EXPR_INDEX:
        text_add(out, "index\n");
        print_expr(out, below, "of", expr->as.index.object);
        print_subscripts(out, below, &expr->as.index.subscripts);
        break;
    case EXPR_COMPREHENSION: print_comprehension(out, below, expr); break;
    case EXPR_FUNCTION:
        text_add(out, "function\n");
        print_function_parts(out, below, expr->as.function);
        break;
    }
}

static void print_leaf(Text *out, int level, const Stmt *stmt) {
    text_format(out, "%s %s%s%s\n", stmt_kind_text(stmt->kind), stmt->as.leaf.name.text,
                stmt->as.leaf.is_frozen ? " frozen" : "",
                stmt->as.leaf.requires_grad ? " requires_grad" : "");
    print_type(out, level, "type", stmt->as.leaf.type);
    print_optional(out, level, "value", stmt->as.leaf.value);
}

static void print_assign(Text *out, int level, const Stmt *stmt) {
    if (stmt->as.assign.is_compound)
        text_format(out, "assign %s=\n", binary_op_text(stmt->as.assign.op));
    else
        text_add(out, "assign\n");
    const TargetList *targets = &stmt->as.assign.targets;
    for (int i = 0; i < targets->count; i++) {
        start_line(out, level, "to");
        text_format(out, "%s\n", targets->at[i].name.text);
        print_subscripts(out, level + 1, &targets->at[i].subscripts);
    }
    print_type(out, level, "type", stmt->as.assign.type);
    print_exprs(out, level, NULL, &stmt->as.assign.values);
}

static void print_if(Text *out, int level, const Stmt *stmt) {
    text_add(out, "if\n");
    const IfBranchList *branches = &stmt->as.branch.branches;
    for (int i = 0; i < branches->count; i++) {
        print_expr(out, level, "condition", branches->at[i].condition);
        print_block(out, level, "then", branches->at[i].body);
    }
    if (stmt->as.branch.otherwise != NULL)
        print_block(out, level, "else", stmt->as.branch.otherwise);
}

static void print_output(Text *out, int level, const Stmt *stmt) {
    text_add(out, "output\n");
    for (int i = 0; i < stmt->as.output.count; i++) {
        text_indent(out, level);
        text_format(out, "%s\n", stmt->as.output.at[i].name.text);
        print_optional(out, level + 1, "value", stmt->as.output.at[i].value);
    }
}

static void print_stmt(Text *out, int level, const Stmt *stmt) {
    text_indent(out, level);
    int below = level + 1;
    switch (stmt->kind) {
    case STMT_INPUT:
    case STMT_PARAM:
    case STMT_STATE: print_leaf(out, below, stmt); break;
    case STMT_OUTPUT: print_output(out, below, stmt); break;
    case STMT_ASSIGN: print_assign(out, below, stmt); break;
    case STMT_RETURN:
        text_add(out, "return\n");
        print_exprs(out, below, NULL, &stmt->as.returned);
        break;
    case STMT_FOR:
        text_add(out, "loop\n");
        print_binder(out, below, &stmt->as.loop.binder);
        print_block(out, below, "body", stmt->as.loop.body);
        break;
    case STMT_WHILE:
        text_add(out, "while\n");
        print_expr(out, below, "condition", stmt->as.while_loop.condition);
        print_optional(out, below, "limit", stmt->as.while_loop.limit);
        print_block(out, below, "body", stmt->as.while_loop.body);
        break;
    case STMT_IF: print_if(out, below, stmt); break;
    case STMT_NO_GRAD:
    case STMT_CHECKPOINT:
        text_format(out, "%s\n", stmt_kind_text(stmt->kind));
        print_block(out, below, "body", stmt->as.body);
        break;
    case STMT_EXPRESSION:
        text_add(out, "expression\n");
        print_expr(out, below, NULL, stmt->as.expression);
        break;
    }
}

static void print_block(Text *out, int level, const char *role, const AstBlock *block) {
    text_indent(out, level);
    text_format(out, "%s\n", role);
    for (int i = 0; i < block->statements.count; i++)
        print_stmt(out, level + 1, block->statements.at[i]);
}

static void print_definition(Text *out, const Definition *definition) {
    switch (definition->kind) {
    case DEFINITION_IMPORT:
        text_add(out, "import ");
        print_string(out, definition->as.import.path);
        text_add_char(out, '\n');
        break;
    case DEFINITION_FUNCTION:
        text_format(out, "function %s\n", definition->as.function->name.text);
        print_function_parts(out, 1, definition->as.function);
        break;
    case DEFINITION_MODEL:
        text_format(out, "model %s\n", definition->as.model->name.text);
        print_dimensions(out, 1, &definition->as.model->dimensions);
        print_block(out, 1, "body", definition->as.model->body);
        break;
    case DEFINITION_OPTIMIZER:
        text_format(out, "optimizer %s\n", definition->as.optimizer->name.text);
        print_parameters(out, 1, &definition->as.optimizer->parameters);
        print_block(out, 1, "body", definition->as.optimizer->body);
        break;
    }
}

void ast_print(Text *out, const AstFile *file) {
    for (int i = 0; i < file->definitions.count; i++)
        print_definition(out, file->definitions.at[i]);
}
