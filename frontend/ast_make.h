// Constructors of the tree, called by the grammar's actions. Private to the parser. They measure
// depth, and report what the grammar lets through: comparisons that chain, assignments to an
// expression.
#ifndef TDSL_FRONTEND_AST_MAKE_H
#define TDSL_FRONTEND_AST_MAKE_H

#include "frontend/ast.h"

typedef struct Reader Reader;

Expr *make_ast_error(Reader *reader, Span span);
Expr *make_ast_integer(Reader *reader, Span span, int64_t value);
Expr *make_ast_real(Reader *reader, Span span, double value);
Expr *make_ast_string(Reader *reader, Span span, const char *value);
Expr *make_ast_bool(Reader *reader, Span span, bool value);
Expr *make_ast_none(Reader *reader, Span span);
Expr *make_ast_ellipsis(Reader *reader, Span span);
Expr *make_ast_name(Reader *reader, AstName name);
Expr *make_ast_list(Reader *reader, Span span, const ExprList *items);
Expr *make_ast_unary(Reader *reader, Span span, UnaryOp op, Expr *operand);
Expr *make_ast_binary(Reader *reader, BinaryOp op, Span op_span, Expr *left, Expr *right);
Expr *make_ast_conditional(Reader *reader, Expr *condition, Expr *then, Expr *otherwise);
// f(...), or x.f(...) where the callee is an attribute.
Expr *make_ast_call(Reader *reader, Span span, Expr *callee, const ArgumentList *arguments);
Expr *make_ast_attribute(Reader *reader, Span span, Expr *object, AstName name);
Expr *make_ast_index(Reader *reader, Span span, Expr *object, const SubscriptList *subscripts);
Expr *make_ast_comprehension(Reader *reader, Span span, const BinderList *binders, Expr *condition,
                             Expr *body);
// The comprehension, as the tensor that it builds.
Expr *make_ast_tensor(Expr *comprehension, Span span);
Expr *make_ast_function(Reader *reader, Span span, AstFunction *function);
Expr *parenthesize(Expr *expr, Span span);

TypeExpr *make_ast_type(Reader *reader, Span span, AstName element, const ExprList *dims);

AstBlock *make_ast_block(Reader *reader, Span span, const StmtList *statements);
// The block { return e }.
AstBlock *make_ast_return_block(Reader *reader, Expr *value);

Stmt *make_ast_leaf(Reader *reader, StmtKind kind, Span span, AstName name, TypeExpr *type,
                    bool is_marked, Expr *value);
Stmt *make_ast_output(Reader *reader, Span span, const OutputItemList *items);
Stmt *make_ast_assign(Reader *reader, Span span, const ExprList *targets, TypeExpr *type,
                      const ExprList *values);
Stmt *make_ast_compound_assign(Reader *reader, Span span, Expr *target, BinaryOp op, Expr *value);
Stmt *make_ast_return(Reader *reader, Span span, const ExprList *values);
Stmt *make_ast_for(Reader *reader, Span span, const Binder *binder, AstBlock *body);
Stmt *make_ast_while(Reader *reader, Span span, Expr *condition, Expr *limit, AstBlock *body);
// if ... { }; further branches are added by add_branch; finish_if sets the last block, if any.
Stmt *make_ast_if(Reader *reader, Span span, Expr *condition, AstBlock *body);
void add_branch(Reader *reader, Stmt *branch, Expr *condition, AstBlock *body);
Stmt *finish_if(Reader *reader, Stmt *branch, AstBlock *otherwise);
Stmt *make_ast_body(Reader *reader, StmtKind kind, Span span, AstBlock *body);
// An expression statement; an error if there are several.
Stmt *make_ast_expression(Reader *reader, Span span, const ExprList *expressions);

#endif
