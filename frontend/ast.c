// Constructors of the tree, and the names of its kinds.
#include "frontend/ast.h"

#include <string.h>

#include "frontend/ast_make.h"
#include "frontend/reader.h"
#include "ir/base/check.h"

const char *binary_op_text(BinaryOp op) {
    switch (op) {
    case BINARY_ADD: return "+";
    case BINARY_SUBTRACT: return "-";
    case BINARY_MULTIPLY: return "*";
    case BINARY_DIVIDE: return "/";
    case BINARY_FLOOR_DIVIDE: return "//";
    case BINARY_REMAINDER: return "%";
    case BINARY_MATMUL: return "@";
    case BINARY_POWER: return "**";
    case BINARY_EQUAL: return "==";
    case BINARY_NOT_EQUAL: return "!=";
    case BINARY_LESS: return "<";
    case BINARY_LESS_EQUAL: return "<=";
    case BINARY_GREATER: return ">";
    case BINARY_GREATER_EQUAL: return ">=";
    case BINARY_AND: return "and";
    case BINARY_OR: return "or";
    }
    unreachable("binary operator %d", (int)op);
}

const char *unary_op_text(UnaryOp op) {
    switch (op) {
    case UNARY_NEGATE: return "-";
    case UNARY_PLUS: return "+";
    case UNARY_NOT: return "not";
    }
    unreachable("unary operator %d", (int)op);
}

bool binary_op_is_comparison(BinaryOp op) {
    return op >= BINARY_EQUAL && op <= BINARY_GREATER_EQUAL;
}

const char *expr_kind_text(ExprKind kind) {
    switch (kind) {
    case EXPR_ERROR: return "error";
    case EXPR_INTEGER: return "integer";
    case EXPR_REAL: return "number";
    case EXPR_STRING: return "string";
    case EXPR_BOOL: return "truth value";
    case EXPR_NONE: return "none";
    case EXPR_NAME: return "name";
    case EXPR_ELLIPSIS: return "ellipsis";
    case EXPR_LIST: return "list";
    case EXPR_UNARY: return "unary operation";
    case EXPR_BINARY: return "binary operation";
    case EXPR_CONDITIONAL: return "conditional";
    case EXPR_CALL: return "call";
    case EXPR_METHOD: return "method call";
    case EXPR_ATTRIBUTE: return "attribute";
    case EXPR_INDEX: return "index";
    case EXPR_COMPREHENSION: return "comprehension";
    case EXPR_FUNCTION: return "function";
    }
    unreachable("expression kind %d", (int)kind);
}

const char *stmt_kind_text(StmtKind kind) {
    switch (kind) {
    case STMT_INPUT: return "input";
    case STMT_PARAM: return "param";
    case STMT_OUTPUT: return "output";
    case STMT_STATE: return "state";
    case STMT_ASSIGN: return "assignment";
    case STMT_RETURN: return "return";
    case STMT_FOR: return "for";
    case STMT_WHILE: return "while";
    case STMT_IF: return "if";
    case STMT_NO_GRAD: return "no_grad";
    case STMT_CHECKPOINT: return "checkpoint";
    case STMT_EXPRESSION: return "expression";
    }
    unreachable("statement kind %d", (int)kind);
}

// ---- depth

enum { CHAIN_LINKS = 32 }; // of a chain that count as one level

static void deepen(int *depth, int part) {
    if (part > *depth)
        *depth = part;
}

static void deepen_expr(int *depth, const Expr *part) {
    if (part != NULL)
        deepen(depth, part->depth);
}

static void deepen_exprs(int *depth, const ExprList *parts) {
    for (int i = 0; i < parts->count; i++)
        deepen_expr(depth, parts->at[i]);
}

static void deepen_block(int *depth, const AstBlock *part) {
    if (part != NULL)
        deepen(depth, part->depth);
}

static void deepen_type(int *depth, const TypeExpr *type) {
    if (type != NULL)
        deepen_exprs(depth, &type->dims);
}

static void deepen_arguments(int *depth, const ArgumentList *arguments) {
    for (int i = 0; i < arguments->count; i++)
        deepen_expr(depth, arguments->at[i].value);
}

static void deepen_subscripts(int *depth, const SubscriptList *subscripts) {
    for (int i = 0; i < subscripts->count; i++) {
        deepen_expr(depth, subscripts->at[i].value);
        deepen_expr(depth, subscripts->at[i].start);
        deepen_expr(depth, subscripts->at[i].stop);
        deepen_expr(depth, subscripts->at[i].step);
    }
}

static void deepen_binder(int *depth, const Binder *binder) {
    deepen_expr(depth, binder->start);
    deepen_expr(depth, binder->stop);
    deepen_expr(depth, binder->step);
    deepen_expr(depth, binder->limit);
    deepen_expr(depth, binder->sequence);
}

static Expr *new_expr(Reader *reader, ExprKind kind, Span span) {
    Expr *expr = arena_new(reader->arena, Expr);
    expr->kind = kind;
    expr->depth = 1;
    expr->span = span;
    return expr;
}

// Sets the depth from that of the deepest part. Too deep: an error in its place, so that no walk
// ever meets a deep tree.
static Expr *finish_expr(Reader *reader, Expr *expr, int depth) {
    if (depth + 1 > AST_DEPTH_MAX) {
        report_depth(reader, expr->span);
        return make_ast_error(reader, expr->span);
    }
    expr->depth = depth + 1;
    return expr;
}

static Stmt *new_stmt(Reader *reader, StmtKind kind, Span span) {
    Stmt *stmt = arena_new(reader->arena, Stmt);
    stmt->kind = kind;
    stmt->depth = 1;
    stmt->span = span;
    return stmt;
}

// As finish_expr; the place of a statement that is too deep is taken by an error.
static Stmt *finish_stmt(Reader *reader, Stmt *stmt, int depth) {
    if (depth + 1 > AST_DEPTH_MAX) {
        report_depth(reader, stmt->span);
        Stmt *error = new_stmt(reader, STMT_EXPRESSION, stmt->span);
        error->as.expression = make_ast_error(reader, stmt->span);
        error->depth = 2;
        return error;
    }
    stmt->depth = depth + 1;
    return stmt;
}

// ---- expressions

Expr *make_ast_error(Reader *reader, Span span) {
    return new_expr(reader, EXPR_ERROR, span);
}

Expr *make_ast_integer(Reader *reader, Span span, int64_t value) {
    Expr *expr = new_expr(reader, EXPR_INTEGER, span);
    expr->as.integer = value;
    return expr;
}

Expr *make_ast_real(Reader *reader, Span span, double value) {
    Expr *expr = new_expr(reader, EXPR_REAL, span);
    expr->as.real = value;
    return expr;
}

Expr *make_ast_string(Reader *reader, Span span, const char *value) {
    Expr *expr = new_expr(reader, EXPR_STRING, span);
    expr->as.string = value;
    return expr;
}

Expr *make_ast_bool(Reader *reader, Span span, bool value) {
    Expr *expr = new_expr(reader, EXPR_BOOL, span);
    expr->as.boolean = value;
    return expr;
}

Expr *make_ast_none(Reader *reader, Span span) {
    return new_expr(reader, EXPR_NONE, span);
}

Expr *make_ast_ellipsis(Reader *reader, Span span) {
    return new_expr(reader, EXPR_ELLIPSIS, span);
}

Expr *make_ast_name(Reader *reader, AstName name) {
    Expr *expr = new_expr(reader, EXPR_NAME, name.span);
    expr->as.name = name.text;
    return expr;
}

Expr *make_ast_list(Reader *reader, Span span, const ExprList *items) {
    Expr *expr = new_expr(reader, EXPR_LIST, span);
    expr->as.list = *items;
    int depth = 0;
    deepen_exprs(&depth, items);
    return finish_expr(reader, expr, depth);
}

// `not` binds less than arithmetic and comparisons, so `a == not b` is not what it looks like.
static void refuse_not_operand(Reader *reader, const Expr *operand) {
    if (operand->kind != EXPR_UNARY || operand->as.unary.op != UNARY_NOT ||
        operand->is_parenthesized)
        return;
    Diag *diag = error_at(reader->diags, operand->span, "'not' needs parentheses here");
    add_hint(reader->diags, diag, "write (not ...)");
}

Expr *make_ast_unary(Reader *reader, Span span, UnaryOp op, Expr *operand) {
    if (op != UNARY_NOT)
        refuse_not_operand(reader, operand);
    Expr *expr = new_expr(reader, EXPR_UNARY, span);
    expr->as.unary.op = op;
    expr->as.unary.operand = operand;
    return finish_expr(reader, expr, operand->depth);
}

static bool is_open_comparison(const Expr *expr) {
    return expr->kind == EXPR_BINARY && !expr->is_parenthesized &&
           binary_op_is_comparison(expr->as.binary.op);
}

Expr *make_ast_binary(Reader *reader, BinaryOp op, Span op_span, Expr *left, Expr *right) {
    if (binary_op_is_comparison(op) && is_open_comparison(left)) {
        Diag *diag = error_at(reader->diags, op_span, "comparisons do not chain");
        add_hint(reader->diags, diag, "write a < b and b < c, or put parentheses around one");
    }
    if (op != BINARY_AND && op != BINARY_OR)
        refuse_not_operand(reader, right);
    Expr *expr = new_expr(reader, EXPR_BINARY, span_join(left->span, right->span));
    expr->as.binary.op = op;
    expr->as.binary.op_span = op_span;
    expr->as.binary.left = left;
    expr->as.binary.right = right;
    // A chain is walked in a loop where that matters, and is cheap elsewhere.
    bool is_chain = left->kind == EXPR_BINARY;
    expr->links = is_chain ? left->links + 1 : 1;
    int depth = left->depth - (is_chain && expr->links % CHAIN_LINKS != 0);
    deepen_expr(&depth, right);
    return finish_expr(reader, expr, depth);
}

Expr *make_ast_conditional(Reader *reader, Expr *condition, Expr *then, Expr *otherwise) {
    Span span = span_join(condition->span, otherwise->span);
    Expr *expr = new_expr(reader, EXPR_CONDITIONAL, span);
    expr->as.conditional.condition = condition;
    expr->as.conditional.then = then;
    expr->as.conditional.otherwise = otherwise;
    int depth = condition->depth;
    deepen_expr(&depth, then);
    deepen_expr(&depth, otherwise);
    return finish_expr(reader, expr, depth);
}

Expr *make_ast_call(Reader *reader, Span span, Expr *callee, const ArgumentList *arguments) {
    bool is_method = callee->kind == EXPR_ATTRIBUTE && !callee->is_parenthesized;
    Expr *expr = new_expr(reader, is_method ? EXPR_METHOD : EXPR_CALL, span);
    if (is_method) {
        expr->as.method.object = callee->as.attribute.object;
        expr->as.method.name = callee->as.attribute.name;
        expr->as.method.arguments = *arguments;
    } else {
        expr->as.call.callee = callee;
        expr->as.call.arguments = *arguments;
    }
    int depth = callee->depth;
    deepen_arguments(&depth, arguments);
    return finish_expr(reader, expr, depth);
}

Expr *make_ast_attribute(Reader *reader, Span span, Expr *object, AstName name) {
    Expr *expr = new_expr(reader, EXPR_ATTRIBUTE, span);
    expr->as.attribute.object = object;
    expr->as.attribute.name = name;
    return finish_expr(reader, expr, object->depth);
}

Expr *make_ast_index(Reader *reader, Span span, Expr *object, const SubscriptList *subscripts) {
    Expr *expr = new_expr(reader, EXPR_INDEX, span);
    expr->as.index.object = object;
    expr->as.index.subscripts = *subscripts;
    int depth = object->depth;
    deepen_subscripts(&depth, subscripts);
    return finish_expr(reader, expr, depth);
}

Expr *make_ast_comprehension(Reader *reader, Span span, const BinderList *binders, Expr *condition,
                             Expr *body) {
    Expr *expr = new_expr(reader, EXPR_COMPREHENSION, span);
    expr->as.comprehension.binders = *binders;
    expr->as.comprehension.condition = condition;
    expr->as.comprehension.body = body;
    int depth = body->depth;
    deepen_expr(&depth, condition);
    for (int i = 0; i < binders->count; i++)
        deepen_binder(&depth, &binders->at[i]);
    return finish_expr(reader, expr, depth);
}

Expr *make_ast_tensor(Expr *comprehension, Span span) {
    comprehension->span = span;
    if (comprehension->kind == EXPR_COMPREHENSION)
        comprehension->as.comprehension.builds_tensor = true;
    return comprehension;
}

static void deepen_parameters(int *depth, const ParameterList *parameters) {
    for (int i = 0; i < parameters->count; i++) {
        deepen_type(depth, parameters->at[i].type);
        deepen_expr(depth, parameters->at[i].value);
    }
}

Expr *make_ast_function(Reader *reader, Span span, AstFunction *function) {
    Expr *expr = new_expr(reader, EXPR_FUNCTION, span);
    expr->as.function = function;
    int depth = 0;
    deepen_block(&depth, function->body);
    deepen_parameters(&depth, &function->parameters);
    for (int i = 0; i < function->results.count; i++)
        deepen_type(&depth, function->results.at[i]);
    return finish_expr(reader, expr, depth);
}

Expr *parenthesize(Expr *expr, Span span) {
    expr->is_parenthesized = true;
    expr->span = span;
    return expr;
}

TypeExpr *make_ast_type(Reader *reader, Span span, AstName element, const ExprList *dims) {
    TypeExpr *type = arena_new(reader->arena, TypeExpr);
    type->span = span;
    type->element = element;
    type->has_dims = dims != NULL;
    if (dims != NULL)
        type->dims = *dims;
    return type;
}

// ---- statements

AstBlock *make_ast_block(Reader *reader, Span span, const StmtList *statements) {
    AstBlock *block = arena_new(reader->arena, AstBlock);
    block->span = span;
    block->statements = *statements;
    block->depth = 1;
    for (int i = 0; i < statements->count; i++)
        deepen(&block->depth, statements->at[i]->depth + 1);
    return block;
}

AstBlock *make_ast_return_block(Reader *reader, Expr *value) {
    ExprList values = {0};
    StmtList statements = {0};
    vec_push(reader->arena, &values, value);
    vec_push(reader->arena, &statements, make_ast_return(reader, value->span, &values));
    return make_ast_block(reader, value->span, &statements);
}

Stmt *make_ast_leaf(Reader *reader, StmtKind kind, Span span, AstName name, TypeExpr *type,
                    bool is_marked, Expr *value) {
    Stmt *stmt = new_stmt(reader, kind, span);
    stmt->as.leaf.name = name;
    stmt->as.leaf.type = type;
    stmt->as.leaf.is_frozen = is_marked && kind == STMT_PARAM;
    stmt->as.leaf.requires_grad = is_marked && kind == STMT_INPUT;
    stmt->as.leaf.value = value;
    int depth = 0;
    deepen_type(&depth, type);
    deepen_expr(&depth, value);
    return finish_stmt(reader, stmt, depth);
}

Stmt *make_ast_output(Reader *reader, Span span, const OutputItemList *items) {
    Stmt *stmt = new_stmt(reader, STMT_OUTPUT, span);
    stmt->as.output = *items;
    int depth = 0;
    for (int i = 0; i < items->count; i++)
        deepen_expr(&depth, items->at[i].value);
    return finish_stmt(reader, stmt, depth);
}

// The place that an expression left of `=` names; an error if it names none.
static Target read_target(Reader *reader, const Expr *expr) {
    Target target = {.span = expr->span, .name = {"_", expr->span}};
    const Expr *object = expr->kind == EXPR_INDEX ? expr->as.index.object : expr;
    if (expr->is_parenthesized || object->is_parenthesized || object->kind != EXPR_NAME) {
        if (expr->kind == EXPR_ERROR)
            return target;
        const char *kind = expr_kind_text(expr->kind);
        Diag *diag = error_at(reader->diags, expr->span, "%s %s cannot be assigned to",
                              strchr("aeiou", kind[0]) != NULL ? "an" : "a", kind);
        if (expr->is_parenthesized)
            add_hint(reader->diags, diag, "leave out the parentheses");
        else if (expr->kind == EXPR_CALL)
            add_hint(reader->diags, diag,
                     "a function is defined by fn f(x) = x * x, outside of "
                     "models and functions");
        else
            add_hint(reader->diags, diag, "write a name, or a part of a tensor: x[i]");
        return target;
    }
    target.name = (AstName){object->as.name, object->span};
    if (expr->kind == EXPR_INDEX)
        target.subscripts = expr->as.index.subscripts;
    return target;
}

Stmt *make_ast_assign(Reader *reader, Span span, const ExprList *targets, TypeExpr *type,
                      const ExprList *values) {
    Stmt *stmt = new_stmt(reader, STMT_ASSIGN, span);
    stmt->as.assign.type = type;
    stmt->as.assign.values = *values;
    int depth = 0;
    deepen_exprs(&depth, targets);
    deepen_exprs(&depth, values);
    deepen_type(&depth, type);
    for (int i = 0; i < targets->count; i++) {
        Target target = read_target(reader, targets->at[i]);
        vec_push(reader->arena, &stmt->as.assign.targets, target);
    }
    if (values->count != 1 && values->count != targets->count)
        error_at(reader->diags, span, "%d values for %d name%s", values->count, targets->count,
                 targets->count == 1 ? "" : "s");
    if (type != NULL && targets->at[0]->kind == EXPR_INDEX)
        error_at(reader->diags, type->span, "a part of a tensor has the type of the tensor");
    return finish_stmt(reader, stmt, depth);
}

Stmt *make_ast_compound_assign(Reader *reader, Span span, Expr *target, BinaryOp op, Expr *value) {
    Stmt *stmt = new_stmt(reader, STMT_ASSIGN, span);
    stmt->as.assign.is_compound = true;
    stmt->as.assign.op = op;
    Target place = read_target(reader, target);
    vec_push(reader->arena, &stmt->as.assign.targets, place);
    vec_push(reader->arena, &stmt->as.assign.values, value);
    int depth = value->depth;
    deepen_expr(&depth, target);
    return finish_stmt(reader, stmt, depth);
}

Stmt *make_ast_return(Reader *reader, Span span, const ExprList *values) {
    Stmt *stmt = new_stmt(reader, STMT_RETURN, span);
    stmt->as.returned = *values;
    int depth = 0;
    deepen_exprs(&depth, values);
    return finish_stmt(reader, stmt, depth);
}

Stmt *make_ast_for(Reader *reader, Span span, const Binder *binder, AstBlock *body) {
    Stmt *stmt = new_stmt(reader, STMT_FOR, span);
    stmt->as.loop.binder = *binder;
    stmt->as.loop.body = body;
    int depth = body->depth;
    deepen_binder(&depth, binder);
    return finish_stmt(reader, stmt, depth);
}

Stmt *make_ast_while(Reader *reader, Span span, Expr *condition, Expr *limit, AstBlock *body) {
    Stmt *stmt = new_stmt(reader, STMT_WHILE, span);
    stmt->as.while_loop.condition = condition;
    stmt->as.while_loop.limit = limit;
    stmt->as.while_loop.body = body;
    int depth = body->depth;
    deepen_expr(&depth, condition);
    deepen_expr(&depth, limit);
    return finish_stmt(reader, stmt, depth);
}

Stmt *make_ast_if(Reader *reader, Span span, Expr *condition, AstBlock *body) {
    Stmt *stmt = new_stmt(reader, STMT_IF, span);
    add_branch(reader, stmt, condition, body);
    return stmt;
}

void add_branch(Reader *reader, Stmt *branch, Expr *condition, AstBlock *body) {
    IfBranch item = {condition, body};
    vec_push(reader->arena, &branch->as.branch.branches, item);
    deepen(&branch->depth, condition->depth + 1);
    deepen(&branch->depth, body->depth + 1);
}

Stmt *finish_if(Reader *reader, Stmt *branch, AstBlock *otherwise) {
    branch->as.branch.otherwise = otherwise;
    if (otherwise != NULL)
        deepen(&branch->depth, otherwise->depth + 1);
    return finish_stmt(reader, branch, branch->depth - 1);
}

Stmt *make_ast_body(Reader *reader, StmtKind kind, Span span, AstBlock *body) {
    Stmt *stmt = new_stmt(reader, kind, span);
    stmt->as.body = body;
    return finish_stmt(reader, stmt, body->depth);
}

Stmt *make_ast_expression(Reader *reader, Span span, const ExprList *expressions) {
    Stmt *stmt = new_stmt(reader, STMT_EXPRESSION, span);
    stmt->as.expression = expressions->at[0];
    if (expressions->count > 1) {
        Diag *diag = error_at(reader->diags, span, "a list of expressions is no statement");
        add_hint(reader->diags, diag,
                 "results are given by 'return a, b' in a function and 'output a, "
                 "b' in a model");
    }
    int depth = 0;
    deepen_exprs(&depth, expressions);
    return finish_stmt(reader, stmt, depth);
}
