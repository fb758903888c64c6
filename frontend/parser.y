/* The grammar of tdsl; docs/grammar.md shows it to people. It knows one separator of statements,
   END, which the reader makes from newlines and `;` (reader.h). Words that only mean something at
   one place (input, state, step ...) are ordinary names everywhere else. */
%require "3.8"
%define api.pure full
%define api.prefix {syntax_}
%define api.token.prefix {TOKEN_}
%define api.value.type union
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param {Reader *reader}

%code requires {
#include "frontend/ast_make.h"
}

%code {
#include "frontend/reader.h"

#define YYLLOC_DEFAULT(result, parts, count)                                                      \
    ((result) = (count) > 0 ? span_join(YYRHSLOC(parts, 1), YYRHSLOC(parts, count))               \
                            : (Span){reader->file, YYRHSLOC(parts, 0).end, YYRHSLOC(parts, 0).end})

#define LIST(T) arena_new(reader->arena, T)
#define PUSH(list, item) vec_push(reader->arena, (list), (item))

static int syntax_lex(SYNTAX_STYPE *value, Span *span, Reader *reader) {
    return reader_next(value, span, reader);
}

/* Only called when the parser's own stack is full: everything else is yyreport_syntax_error's. */
static void syntax_error(const Span *span, Reader *reader, const char *message);

static AstFunction *new_function(Reader *reader, Span span, AstName name) {
    AstFunction *function = arena_new(reader->arena, AstFunction);
    function->span = span;
    function->name = name;
    return function;
}

static void add_definition(Reader *reader, DefinitionKind kind, Span span, void *node) {
    Definition *definition = arena_new(reader->arena, Definition);
    definition->kind = kind;
    definition->span = span;
    if (kind == DEFINITION_FUNCTION)
        definition->as.function = node;
    else if (kind == DEFINITION_MODEL)
        definition->as.model = node;
    else
        definition->as.optimizer = node;
    vec_push(reader->arena, &reader->result->definitions, definition);
}

static void add_import(Reader *reader, Span span, const char *path, Span path_span) {
    Definition *definition = arena_new(reader->arena, Definition);
    definition->kind = DEFINITION_IMPORT;
    definition->span = span;
    definition->as.import.path = path;
    definition->as.import.path_span = path_span;
    vec_push(reader->arena, &reader->result->definitions, definition);
}
}

%initial-action { @$ = (Span){reader->file, 0, 0}; }

%token YYEOF 0 "the end of the file"
%token END "the end of the line"
%token <const char *> NAME "a name" STRING "a string"
%token <int64_t> INTEGER "an integer"
%token <double> REAL "a number"

%token IMPORT "'import'" FN "'fn'" MODEL "'model'" OPTIMIZER "'optimizer'" DERIVATIVE "'derivative'"
%token INPUT "'input'" PARAM "'param'" OUTPUT "'output'" STATE "'state'"
%token FROZEN "'frozen'" REQUIRES_GRAD "'requires_grad'"
%token RETURN "'return'" IF "'if'" ELSE "'else'" FOR "'for'" IN "'in'" STEP "'step'"
%token WHILE "'while'" LIMIT "'limit'" NO_GRAD "'no_grad'" CHECKPOINT "'checkpoint'"
%token TRUE "'true'" FALSE "'false'" NONE "'none'"
%token AND "'and'" OR "'or'" NOT "'not'"
%token EQUAL "'=='" NOT_EQUAL "'!='" LESS_EQUAL "'<='" GREATER_EQUAL "'>='"
%token POWER "'**'" FLOOR_DIVIDE "'//'" ARROW "'->'" RANGE "'..'" ELLIPSIS "'...'"
%token ADD_ASSIGN "'+='" SUBTRACT_ASSIGN "'-='" MULTIPLY_ASSIGN "'*='" DIVIDE_ASSIGN "'/='"
%token FLOOR_DIVIDE_ASSIGN "'//='" REMAINDER_ASSIGN "'%='" MATMUL_ASSIGN "'@='" POWER_ASSIGN "'**='"

/* Loosest first. */
%precedence FUNCTION
%right '?' ':'
%left OR
%left AND
%precedence NOT
%left EQUAL NOT_EQUAL '<' LESS_EQUAL '>' GREATER_EQUAL
%precedence DIMENSION   /* `>` after a default ends fn f<N = 3>; it does not compare */
%left '+' '-'
%left '*' '/' '@' FLOOR_DIVIDE '%'
%precedence UNARY
%right POWER

%type <AstName> name
%type <Expr *> expr postfix atom comprehension default step limit
%type <ExprList *> values dims items
%type <ArgumentList *> arguments argument_list
%type <AstArgument> argument
%type <SubscriptList *> subscripts
%type <Subscript> subscript
%type <Expr *> bound
%type <BinderList *> binders
%type <Binder> binder
%type <TypeExpr *> type annotation
%type <TypeExprList *> types results
%type <Expr *> dim
%type <AstBlock *> block
%type <StmtList *> statements
%type <Stmt *> statement branch
%type <bool> frozen requires_grad
%type <OutputItemList *> outputs
%type <OutputItem> output
%type <BinaryOp> compound
%type <DimensionDefList *> dimensions dimension_list
%type <DimensionDef> dimension
%type <ParameterList *> parameters parameter_list
%type <AstParameter> parameter
%type <AstFunction *> signature function

%%

file: definitions;

definitions:
  %empty
| definitions definition END
| definitions error END { yyerrok; }
;

definition:
  IMPORT STRING { add_import(reader, @$, $2, @2); }
| function { $1->span = @$; add_definition(reader, DEFINITION_FUNCTION, @$, $1); }
| MODEL name dimensions block {
    AstModel *model = arena_new(reader->arena, AstModel);
    model->name = $2;
    model->dimensions = *$3;
    model->body = $4;
    add_definition(reader, DEFINITION_MODEL, @$, model);
  }
| OPTIMIZER name parameters block {
    AstOptimizer *optimizer = arena_new(reader->arena, AstOptimizer);
    optimizer->name = $2;
    optimizer->parameters = *$3;
    optimizer->body = $4;
    add_definition(reader, DEFINITION_OPTIMIZER, @$, optimizer);
  }
;

function:
  signature block { $$ = $1; $$->body = $2; }
| signature '=' expr {
    $$ = $1;
    $$->is_expression = true;
    $$->body = make_ast_return_block(reader, $3);
  }
| function DERIVATIVE parameters block {
    $$ = $1;
    if ($$->derivative != NULL)
        error_at(reader->diags, @2, "a function has one derivative");
    $$->derivative = $4;
    $$->derivative_parameters = *$3;
  }
;

signature:
  FN name dimensions parameters results {
    $$ = new_function(reader, @$, $2);
    $$->dimensions = *$3;
    $$->parameters = *$4;
    $$->results = *$5;
  }
;

dimensions:
  %empty { $$ = LIST(DimensionDefList); }
| '<' dimension_list '>' { $$ = $2; }
;

dimension_list:
  dimension { $$ = LIST(DimensionDefList); PUSH($$, $1); }
| dimension_list ',' dimension { $$ = $1; PUSH($$, $3); }
;

dimension:
  name { $$ = (DimensionDef){$1, NULL}; }
| name '=' expr %prec DIMENSION { $$ = (DimensionDef){$1, $3}; }
;

parameters:
  '(' ')' { $$ = LIST(ParameterList); }
| '(' parameter_list comma ')' { $$ = $2; }
;

parameter_list:
  parameter { $$ = LIST(ParameterList); PUSH($$, $1); }
| parameter_list ',' parameter { $$ = $1; PUSH($$, $3); }
;

parameter: name annotation default { $$ = (AstParameter){$1, $2, $3}; };

comma: %empty | ',';

annotation:
  %empty { $$ = NULL; }
| ':' type { $$ = $2; }
;

default:
  %empty { $$ = NULL; }
| '=' expr { $$ = $2; }
;

results:
  %empty { $$ = LIST(TypeExprList); }
| ARROW type { $$ = LIST(TypeExprList); PUSH($$, $2); }
| ARROW '(' types comma ')' { $$ = $3; }
;

types:
  type { $$ = LIST(TypeExprList); PUSH($$, $1); }
| types ',' type { $$ = $1; PUSH($$, $3); }
;

type:
  name { $$ = make_ast_type(reader, @$, $1, NULL); }
| name '[' ']' { $$ = make_ast_type(reader, @$, $1, LIST(ExprList)); }
| name '[' dims comma ']' { $$ = make_ast_type(reader, @$, $1, $3); }
;

dims:
  dim { $$ = LIST(ExprList); PUSH($$, $1); }
| dims ',' dim { $$ = $1; PUSH($$, $3); }
;

dim:
  expr
| ELLIPSIS { $$ = make_ast_ellipsis(reader, @1); }
;

block: '{' statements '}' { $$ = make_ast_block(reader, @$, $2); };

statements:
  %empty { $$ = LIST(StmtList); }
| statements statement END { $$ = $1; PUSH($$, $2); }
| statements error END { $$ = $1; yyerrok; }
;

statement:
  INPUT name default { $$ = make_ast_leaf(reader, STMT_INPUT, @$, $2, NULL, false, $3); }
| INPUT name ':' type requires_grad default {
    $$ = make_ast_leaf(reader, STMT_INPUT, @$, $2, $4, $5, $6);
  }
| INPUT REQUIRES_GRAD name annotation default {
    $$ = make_ast_leaf(reader, STMT_INPUT, @$, $3, $4, true, $5);
  }
| PARAM name default { $$ = make_ast_leaf(reader, STMT_PARAM, @$, $2, NULL, false, $3); }
| PARAM name ':' type frozen default {
    $$ = make_ast_leaf(reader, STMT_PARAM, @$, $2, $4, $5, $6);
  }
| PARAM FROZEN name annotation default {
    $$ = make_ast_leaf(reader, STMT_PARAM, @$, $3, $4, true, $5);
  }
| STATE name annotation default {
    $$ = make_ast_leaf(reader, STMT_STATE, @$, $2, $3, false, $4);
  }
| OUTPUT outputs { $$ = make_ast_output(reader, @$, $2); }
| values { $$ = make_ast_expression(reader, @$, $1); }
| values '=' values { $$ = make_ast_assign(reader, @$, $1, NULL, $3); }
| expr ':' type '=' expr {
    ExprList *targets = LIST(ExprList), *values = LIST(ExprList);
    PUSH(targets, $1);
    PUSH(values, $5);
    $$ = make_ast_assign(reader, @$, targets, $3, values);
  }
| expr compound expr { $$ = make_ast_compound_assign(reader, @$, $1, $2, $3); }
| RETURN { $$ = make_ast_return(reader, @$, LIST(ExprList)); }
| RETURN values { $$ = make_ast_return(reader, @$, $2); }
| FOR binder block { $$ = make_ast_for(reader, @$, &$2, $3); }
| WHILE expr limit block { $$ = make_ast_while(reader, @$, $2, $3, $4); }
| branch { $$ = finish_if(reader, $1, NULL); }
| branch ELSE block { $1->span = @$; $$ = finish_if(reader, $1, $3); }
| NO_GRAD block { $$ = make_ast_body(reader, STMT_NO_GRAD, @$, $2); }
| CHECKPOINT block { $$ = make_ast_body(reader, STMT_CHECKPOINT, @$, $2); }
;

branch:
  IF expr block { $$ = make_ast_if(reader, @$, $2, $3); }
| branch ELSE IF expr block { $$ = $1; $$->span = @$; add_branch(reader, $$, $4, $5); }
;

requires_grad:
  %empty { $$ = false; }
| REQUIRES_GRAD { $$ = true; }
;

frozen:
  %empty { $$ = false; }
| FROZEN { $$ = true; }
;

outputs:
  output { $$ = LIST(OutputItemList); PUSH($$, $1); }
| outputs ',' output { $$ = $1; PUSH($$, $3); }
;

output: name default { $$ = (OutputItem){$1, $2}; };

compound:
  ADD_ASSIGN { $$ = BINARY_ADD; }
| SUBTRACT_ASSIGN { $$ = BINARY_SUBTRACT; }
| MULTIPLY_ASSIGN { $$ = BINARY_MULTIPLY; }
| DIVIDE_ASSIGN { $$ = BINARY_DIVIDE; }
| FLOOR_DIVIDE_ASSIGN { $$ = BINARY_FLOOR_DIVIDE; }
| REMAINDER_ASSIGN { $$ = BINARY_REMAINDER; }
| MATMUL_ASSIGN { $$ = BINARY_MATMUL; }
| POWER_ASSIGN { $$ = BINARY_POWER; }
;

binders:
  binder { $$ = LIST(BinderList); PUSH($$, $1); }
| binders ',' binder { $$ = $1; PUSH($$, $3); }
;

binder:
  name IN expr { $$ = (Binder){.name = $1, .span = @$, .sequence = $3}; }
| name IN expr RANGE expr step limit {
    $$ = (Binder){
        .name = $1, .span = @$, .start = $3, .stop = $5, .step = $6, .limit = $7};
  }
;

step:
  %empty { $$ = NULL; }
| STEP expr { $$ = $2; }
;

limit:
  %empty { $$ = NULL; }
| LIMIT expr { $$ = $2; }
;

values:
  expr { $$ = LIST(ExprList); PUSH($$, $1); }
| values ',' expr { $$ = $1; PUSH($$, $3); }
;

expr:
  postfix
| '-' expr %prec UNARY { $$ = make_ast_unary(reader, @$, UNARY_NEGATE, $2); }
| '+' expr %prec UNARY { $$ = make_ast_unary(reader, @$, UNARY_PLUS, $2); }
| NOT expr { $$ = make_ast_unary(reader, @$, UNARY_NOT, $2); }
| expr POWER expr { $$ = make_ast_binary(reader, BINARY_POWER, @2, $1, $3); }
| expr '*' expr { $$ = make_ast_binary(reader, BINARY_MULTIPLY, @2, $1, $3); }
| expr '/' expr { $$ = make_ast_binary(reader, BINARY_DIVIDE, @2, $1, $3); }
| expr FLOOR_DIVIDE expr { $$ = make_ast_binary(reader, BINARY_FLOOR_DIVIDE, @2, $1, $3); }
| expr '%' expr { $$ = make_ast_binary(reader, BINARY_REMAINDER, @2, $1, $3); }
| expr '@' expr { $$ = make_ast_binary(reader, BINARY_MATMUL, @2, $1, $3); }
| expr '+' expr { $$ = make_ast_binary(reader, BINARY_ADD, @2, $1, $3); }
| expr '-' expr { $$ = make_ast_binary(reader, BINARY_SUBTRACT, @2, $1, $3); }
| expr EQUAL expr { $$ = make_ast_binary(reader, BINARY_EQUAL, @2, $1, $3); }
| expr NOT_EQUAL expr { $$ = make_ast_binary(reader, BINARY_NOT_EQUAL, @2, $1, $3); }
| expr '<' expr { $$ = make_ast_binary(reader, BINARY_LESS, @2, $1, $3); }
| expr LESS_EQUAL expr { $$ = make_ast_binary(reader, BINARY_LESS_EQUAL, @2, $1, $3); }
| expr '>' expr { $$ = make_ast_binary(reader, BINARY_GREATER, @2, $1, $3); }
| expr GREATER_EQUAL expr { $$ = make_ast_binary(reader, BINARY_GREATER_EQUAL, @2, $1, $3); }
| expr AND expr { $$ = make_ast_binary(reader, BINARY_AND, @2, $1, $3); }
| expr OR expr { $$ = make_ast_binary(reader, BINARY_OR, @2, $1, $3); }
| expr '?' expr ':' expr { $$ = make_ast_conditional(reader, $1, $3, $5); }
| FN parameters '=' expr %prec FUNCTION {
    AstFunction *function = new_function(reader, @$, (AstName){NULL, @1});
    function->parameters = *$2;
    function->is_expression = true;
    function->body = make_ast_return_block(reader, $4);
    $$ = make_ast_function(reader, @$, function);
  }
| FN parameters results block {
    AstFunction *function = new_function(reader, @$, (AstName){NULL, @1});
    function->parameters = *$2;
    function->results = *$3;
    function->body = $4;
    $$ = make_ast_function(reader, @$, function);
  }
;

postfix:
  atom
| postfix '(' arguments ')' { $$ = make_ast_call(reader, @$, $1, $3); }
| postfix '[' subscripts comma ']' { $$ = make_ast_index(reader, @$, $1, $3); }
| postfix '.' name { $$ = make_ast_attribute(reader, @$, $1, $3); }
;

atom:
  name { $$ = make_ast_name(reader, $1); }
| INTEGER { $$ = make_ast_integer(reader, @1, $1); }
| REAL { $$ = make_ast_real(reader, @1, $1); }
| STRING { $$ = make_ast_string(reader, @1, $1); }
| TRUE { $$ = make_ast_bool(reader, @1, true); }
| FALSE { $$ = make_ast_bool(reader, @1, false); }
| NONE { $$ = make_ast_none(reader, @1); }
| '(' expr ')' { $$ = parenthesize($2, @$); }
| '[' items ']' { $$ = make_ast_list(reader, @$, $2); }
| '[' comprehension ']' { $$ = make_ast_tensor($2, @$); }
;

items:
  %empty { $$ = LIST(ExprList); }
| values comma { $$ = $1; }
;

comprehension:
  FOR binders ':' expr { $$ = make_ast_comprehension(reader, @$, $2, NULL, $4); }
| FOR binders IF expr ':' expr { $$ = make_ast_comprehension(reader, @$, $2, $4, $6); }
;

arguments:
  %empty { $$ = LIST(ArgumentList); }
| argument_list comma { $$ = $1; }
;

argument_list:
  argument { $$ = LIST(ArgumentList); PUSH($$, $1); }
| argument_list ',' argument { $$ = $1; PUSH($$, $3); }
;

argument:
  expr { $$ = (AstArgument){{NULL, @1}, $1}; }
| name '=' expr { $$ = (AstArgument){$1, $3}; }
| comprehension { $$ = (AstArgument){{NULL, @1}, $1}; }
;

subscripts:
  subscript { $$ = LIST(SubscriptList); PUSH($$, $1); }
| subscripts ',' subscript { $$ = $1; PUSH($$, $3); }
;

subscript:
  expr {
    SubscriptKind kind = $1->kind == EXPR_NONE ? SUBSCRIPT_NEW_AXIS : SUBSCRIPT_AT;
    $$ = (Subscript){.kind = kind, .span = @$, .value = kind == SUBSCRIPT_AT ? $1 : NULL};
  }
| ELLIPSIS { $$ = (Subscript){.kind = SUBSCRIPT_ELLIPSIS, .span = @$}; }
| bound ':' bound {
    $$ = (Subscript){.kind = SUBSCRIPT_SLICE, .span = @$, .start = $1, .stop = $3};
  }
| bound ':' bound ':' bound {
    $$ = (Subscript){
        .kind = SUBSCRIPT_SLICE, .span = @$, .start = $1, .stop = $3, .step = $5};
  }
;

bound:
  %empty { $$ = NULL; }
| expr
;

name:
  NAME { $$ = (AstName){$1, @1}; }
| MODEL { $$ = (AstName){"model", @1}; }
| OPTIMIZER { $$ = (AstName){"optimizer", @1}; }
| DERIVATIVE { $$ = (AstName){"derivative", @1}; }
| INPUT { $$ = (AstName){"input", @1}; }
| PARAM { $$ = (AstName){"param", @1}; }
| OUTPUT { $$ = (AstName){"output", @1}; }
| STATE { $$ = (AstName){"state", @1}; }
| FROZEN { $$ = (AstName){"frozen", @1}; }
| REQUIRES_GRAD { $$ = (AstName){"requires_grad", @1}; }
| STEP { $$ = (AstName){"step", @1}; }
| LIMIT { $$ = (AstName){"limit", @1}; }
;

%%

/* Hands bison's list of what could have come to the one place that words messages. */
static int yyreport_syntax_error(const yypcontext_t *context, Reader *reader) {
    yysymbol_kind_t kinds[YYNTOKENS];
    const char *names[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
    for (int i = 0; i < count; i++)
        names[i] = yysymbol_name(kinds[i]);
    report_syntax_error(reader, names, count < 0 ? 0 : count);
    return 0;
}

static void syntax_error(const Span *span, Reader *reader, const char *message) {
    report_depth(reader, *span);
    reader_stop(reader);
}
