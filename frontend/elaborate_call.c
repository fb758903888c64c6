// Calls of functions written in the language.
//
// A function is elaborated once for each combination of argument types and known arguments, as an
// IR function that OP_call refers to. Those of the prelude, functions with captured variables, and
// calls with lists of tensors are elaborated in place instead.
#include "frontend/elaborate_internal.h"

#include <string.h>

#include "frontend/value_bounds.h"

// A function for one combination of argument types.
struct Instance {
    const char *key;
    Function *function;
    Val result;   // tensors are the function's yields
    bool is_busy; // being elaborated
    bool failed;  // mistakes in it were reported
};

typedef struct Bound {
    Val *at; // one for each parameter
    Span *spans;
    int count;
} Bound;

// ---- matching arguments with parameters

static int find_exact_parameter(const AstFunction *ast, const char *name) {
    for (int i = 0; i < ast->parameters.count; i++) {
        if (strcmp(ast->parameters.at[i].name.text, name) == 0) {
            return i;
        }
    }
    return -1;
}

static int find_parameter(const FunctionVal *function, const char *name) {
    int index = find_exact_parameter(function->ast, name);
    const char *other;
    for (int i = 0; index < 0 && function->is_prelude && i < OTHER_NAMES_MAX &&
                    (other = other_argument_name(name, i)) != NULL;
         i++) {
        index = find_exact_parameter(function->ast, other);
    }
    return index;
}

static const char *parameter_list(Elaborator *e, const AstFunction *ast) {
    NameVec names = {0};
    for (int i = 0; i < ast->parameters.count; i++) {
        vec_push(e->arena, &names, ast->parameters.at[i].name.text);
    }
    return names.count == 0 ? "nothing" : join_names(e, &names);
}

static bool place_keyword(Elaborator *e, const FunctionVal *function, const CallArgument *argument,
                          const bool *given, int *index) {
    *index = find_parameter(function, argument->name);
    if (*index < 0) {
        Diag *diag =
            report(e, argument->name_span, "%s has no argument %s", function->name, argument->name);
        NameVec names = {0};
        for (int i = 0; i < function->ast->parameters.count; i++) {
            vec_push(e->arena, &names, function->ast->parameters.at[i].name.text);
        }
        hint_name(e, diag, argument->name, &names);
        hint(e, diag, "it takes %s", parameter_list(e, function->ast));
        return false;
    }
    if (given[*index]) {
        report(e, argument->name_span, "%s gets its argument %s twice", function->name,
               argument->name);
        return false;
    }
    return true;
}

static bool place_arguments(Elaborator *e, Span span, const FunctionVal *function,
                            const CallArgumentList *arguments, Bound *bound, bool *given) {
    int next = 0;
    for (int i = 0; i < arguments->count; i++) {
        const CallArgument *argument = &arguments->at[i];
        int index = next;
        if (argument->name != NULL) {
            if (!place_keyword(e, function, argument, given, &index)) {
                return false;
            }
        } else if (next++ >= bound->count) {
            Diag *diag = report(e, argument->span, "%s takes %d argument%s, got %d", function->name,
                                bound->count, bound->count == 1 ? "" : "s", arguments->count);
            hint(e, diag, "it takes %s", parameter_list(e, function->ast));
            return false;
        }
        bound->at[index] = argument->value;
        bound->spans[index] = argument->span;
        given[index] = true;
    }
    return true;
}

// The default is known where the function was written, not where it is called.
static Val default_value(Elaborator *e, const FunctionVal *function, const Expr *expr) {
    Scope *scope = e->scope;
    e->scope = function->scope;
    Val value = elaborate_value(e, expr);
    e->scope = scope;
    return value;
}

// What the prelude's defaults tell of their parameters: true or false stays that, and where a
// number is expected nothing can stand that never becomes one. A name may be a mode: norm's p, a
// padding.
static bool suits_default(Elaborator *e, const FunctionVal *function, const AstParameter *parameter,
                          Val value, Span span) {
    const char *needs = NULL;
    ExprKind kind = parameter->value->kind;
    bool is_number = kind == EXPR_INTEGER || kind == EXPR_REAL || kind == EXPR_UNARY; // -100
    if (!function->is_prelude || is_error(value)) {
        return true;
    }
    if (kind == EXPR_BOOL && value.kind != VAL_BOOL) {
        needs = "true or false";
    } else if (is_number && is_callable(value)) {
        needs = "a number";
    } else if (is_number && value.kind == VAL_STRING) {
        static const char *const modes[] = {"p", "ord", "padding"};
        needs = "a number";
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            needs = strcmp(parameter->name.text, modes[i]) == 0 ? NULL : needs;
        }
    } else if (kind == EXPR_STRING && is_callable(value)) {
        needs = "a string";
    }
    if (needs != NULL) {
        report(e, span, "%s of %s must be %s, got %s", parameter->name.text, function->name, needs,
               describe(e, value));
    }
    return needs == NULL;
}

static bool bind_arguments(Elaborator *e, Span span, const FunctionVal *function,
                           const CallArgumentList *arguments, Bound *bound) {
    const ParameterList *parameters = &function->ast->parameters;
    bound->count = parameters->count;
    bound->at = arena_array(e->arena, Val, bound->count);
    bound->spans = arena_array(e->arena, Span, bound->count);
    bool *given = arena_array(e->arena, bool, bound->count);
    if (!place_arguments(e, span, function, arguments, bound, given)) {
        return false;
    }
    for (int i = 0; i < bound->count; i++) {
        const AstParameter *parameter = &parameters->at[i];
        if (given[i] && parameter->value != NULL &&
            !suits_default(e, function, parameter, bound->at[i], bound->spans[i])) {
            return false;
        }
        if (given[i]) {
            continue;
        }
        bound->spans[i] = span;
        if (parameters->at[i].value == NULL) {
            Diag *diag = report(e, span, "%s needs its argument %s", function->name,
                                parameters->at[i].name.text);
            hint(e, diag, "it takes %s", parameter_list(e, function->ast));
            return false;
        }
        bound->at[i] = default_value(e, function, parameters->at[i].value);
    }
    return true;
}

// ---- elaborating a body

typedef struct SavedState {
    Scope *scope;
    Frame *frame;
    int no_grad;
    Builder builder;
    Value *guard;
} SavedState;

static SavedState enter_function(Elaborator *e, Frame *frame) {
    SavedState saved = {e->scope, e->frame, e->no_grad, e->builder, e->guard};
    e->frame = frame;
    e->no_grad = 0;
    return saved;
}

static void leave_function(Elaborator *e, SavedState saved) {
    e->scope = saved.scope;
    e->frame = saved.frame;
    e->no_grad = saved.no_grad;
    e->builder = saved.builder;
    e->guard = saved.guard;
}

// The body in the present scope, where the parameters are defined.
static Val elaborate_body(Elaborator *e, const FunctionVal *function) {
    Frame *frame = e->frame;
    elaborate_block(e, function->ast->body);
    Val result = frame->returned ? frame->result : results_val(e, 0);
    Span span = function->ast->body->span;
    const StmtList *statements = &function->ast->body->statements;
    if (statements->count > 0) {
        span = statements->at[statements->count - 1]->span;
    }
    return fit_results(e, function, &result, span) ? result : error_val();
}

static void define_parameters(Elaborator *e, const FunctionVal *function, const Bound *bound) {
    for (int i = 0; i < bound->count; i++) {
        AstName name = function->ast->parameters.at[i].name;
        define(e, name.text, bound->at[i], name.span);
    }
}

static Val call_in_place(Elaborator *e, const FunctionVal *function, const Bound *bound) {
    define_parameters(e, function, bound);
    return elaborate_body(e, function);
}

// ---- instances

// What is known of a whole number may decide whether the body is right: for k in 0..i.
static void add_bounds_key(Elaborator *e, const Value *value, Text *key) {
    if (value->type.rank > 0 || !element_is_integer(value->type.element)) {
        return;
    }
    const Dim *bounds[2] = {lower_bound(&e->bounds, value), upper_bound(&e->bounds, value)};
    for (int i = 0; i < 2; i++) {
        text_add_char(key, i == 0 ? '[' : ',');
        if (bounds[i] != NULL) {
            dim_print(key, bounds[i]);
        }
    }
}

static const char *call_key(Elaborator *e, const FunctionVal *function, const Bound *bound,
                            bool with_bounds) {
    Text key = text_new(e->arena);
    text_format(&key, "%p", (const void *)function->ast);
    for (int i = 0; i < bound->count; i++) {
        text_add_char(&key, ' ');
        if (!val_key(e, bound->at[i], &key)) {
            return NULL;
        }
        if (is_tensor(bound->at[i]) && with_bounds) {
            add_bounds_key(e, bound->at[i].tensor, &key);
        }
    }
    return text_string(&key);
}

static Instance *find_instance(Elaborator *e, const char *key) {
    for (int i = 0; i < e->instances.count; i++) {
        if (strcmp(e->instances.at[i]->key, key) == 0) {
            return e->instances.at[i];
        }
    }
    return NULL;
}

void forget_failed_instances(Elaborator *e) {
    int kept = 0;
    for (int i = 0; i < e->instances.count; i++) {
        if (!e->instances.at[i]->failed) {
            e->instances.at[kept++] = e->instances.at[i];
        }
    }
    e->instances.count = kept;
}

static void add_results(Elaborator *e, Function *function, Val result) {
    if (is_tensor(result)) {
        function_add_result(function, result.tensor, (Slot){.name = NULL, .role = ROLE_VALUE});
    } else if (result.kind == VAL_LIST || result.kind == VAL_RESULTS) {
        for (int i = 0; i < result.list.count; i++) {
            add_results(e, function, result.list.at[i]);
        }
    }
}

// Like `template`, with the call's results in place of the tensors.
static Val take_results(Elaborator *e, Val template, const Inst *call, int *next) {
    if (is_tensor(template)) {
        return tensor_val(call->results[(*next)++]);
    }
    if (template.kind == VAL_LIST || template.kind == VAL_RESULTS) {
        Val copy = template;
        copy.list.at = arena_array(e->arena, Val, copy.list.count);
        for (int i = 0; i < copy.list.count; i++) {
            copy.list.at[i] = take_results(e, template.list.at[i], call, next);
        }
        return copy;
    }
    return template;
}

// A result that reaches into the function itself cannot leave it.
static bool may_leave(Elaborator *e, const FunctionVal *function, Val result) {
    while (result.kind == VAL_DERIVED) {
        result = derived_from(result.derived);
    }
    if (result.kind == VAL_FUNCTION && result.function->scope != NULL) {
        Diag *diag = report(e, function->ast->span, "%s cannot return a function", function->name);
        hint(e, diag, "pass the function as an argument instead");
        return false;
    }
    if (result.kind == VAL_LIST || result.kind == VAL_RESULTS) {
        for (int i = 0; i < result.list.count; i++) {
            if (!may_leave(e, function, result.list.at[i])) {
                return false;
            }
        }
    }
    return true;
}

static void fill_instance(Elaborator *e, Instance *instance, const FunctionVal *function,
                          const Bound *bound) {
    Function *made = function_new(e->module, function->name, function->ast->span);
    Bound inner = {arena_array(e->arena, Val, bound->count), bound->spans, bound->count};
    instance->function = made;
    e->guard = NULL;
    e->builder = builder_at(made->body, function->ast->span);
    for (int i = 0; i < bound->count; i++) {
        AstName name = function->ast->parameters.at[i].name;
        inner.at[i] = bound->at[i];
        if (is_tensor(bound->at[i])) {
            Slot slot = {.name = arena_copy_string(e->module->arena, name.text),
                         .role = ROLE_VALUE,
                         .span = name.span};
            Value *value = function_add_parameter(made, bound->at[i].tensor->type, slot);
            value->name = slot.name;
            copy_bounds(&e->bounds, value, bound->at[i].tensor);
            inner.at[i] = tensor_val(value);
        }
    }
    instance->is_busy = true;
    Val result = call_in_place(e, function, &inner);
    instance->is_busy = false;
    instance->failed = is_error(result) || !may_leave(e, function, result);
    instance->result = result;
    if (!instance->failed) {
        add_results(e, made, result);
        finish_checkpoints(e, made->body);
    }
}

static Val call_instance(Elaborator *e, const Instance *instance, const Bound *bound) {
    if (instance->failed) {
        return error_val();
    }
    if (instance->function->body->yields.count == 0) {
        return instance->result;
    }
    Value **operands = arena_array(e->arena, Value *, bound->count);
    int count = 0, next = 0;
    for (int i = 0; i < bound->count; i++) {
        if (is_tensor(bound->at[i])) {
            operands[count++] = bound->at[i].tensor;
        }
    }
    Inst *call = build_call(&e->builder, instance->function, operands);
    return take_results(e, instance->result, call, &next);
}

// ---- calls

enum { CALLS_MAX = 200 }; // inside of each other

static bool refuse_deep_calls(Elaborator *e, Span span) {
    int depth = 0;
    for (const Frame *frame = e->frame; frame != NULL; frame = frame->caller) {
        depth++;
    }
    if (depth > CALLS_MAX) {
        Diag *diag = report(e, span, "calls are nested too deeply: more than %d", CALLS_MAX);
        hint(e, diag, "a function that calls itself needs an end that is known while compiling");
        return true;
    }
    return false;
}

// A function may call itself with other known arguments, until these choose an `if` without a call.
// With the same ones it would never end, whatever it computes.
static bool refuse_recursion(Elaborator *e, Span span, const Frame *call) {
    for (const Frame *frame = call->caller; frame != NULL; frame = frame->caller) {
        if (frame->function == NULL || frame->function->ast != call->function->ast ||
            frame->function->scope != call->function->scope) {
            continue; // another function, or another value of one that is written in place
        }
        bool is_made_up = frame->caller == NULL && frame->key == NULL && e->is_speculative;
        if (is_made_up) {
            e->has_gaps = true;
            return true;
        }
        if (call->key != NULL && frame->key != NULL && strcmp(call->key, frame->key) == 0) {
            Diag *diag = report(e, span,
                                "%s calls itself with arguments of the same types: this "
                                "does not end while compiling",
                                call->function->name);
            hint(e, diag,
                 "its depth must be known while compiling: pass a whole number that shrinks to a "
                 "case without a call, chosen by `if`; or write a loop");
            return true;
        }
    }
    return false;
}

static void note_call(Elaborator *e, const FunctionVal *function) {
    for (int i = 0; i < e->called.count; i++) {
        if (e->called.at[i] == function->ast) {
            return;
        }
    }
    vec_push(e->arena, &e->called, function->ast);
}

static Val refuse_arguments(Elaborator *e, Span span, const FunctionVal *function) {
    Diag *diag = report(e, span,
                        "%s has a derivative of its own: it takes tensors and what is known while "
                        "compiling",
                        function->name);
    hint(e, diag, "pass the tensors of a list one by one");
    return error_val();
}

static Val call_bound(Elaborator *e, Span span, const FunctionVal *function, Bound *bound) {
    Frame frame = {.caller = e->frame, .function = function, .call = span};
    SavedState saved = {e->scope, e->frame, e->no_grad, e->builder, e->guard};
    // The arguments' mistakes belong to the caller's frame.
    e->scope = function->scope;
    push_scope(e, true);
    at_span(e, span);
    if (!unify_parameters(e, function, bound->at, bound->spans, span)) {
        e->scope = saved.scope;
        return error_val();
    }
    frame.key = call_key(e, function, bound, false);
    if (refuse_recursion(e, span, &frame)) {
        e->scope = saved.scope;
        return error_val();
    }
    // A derivative of its own belongs to a function, not to what is written out in its place.
    bool has_rule = function->ast->derivative != NULL && e->initialiser == NULL;
    bool in_place = !has_rule && (function->is_prelude || function->scope != NULL ||
                                  e->initialiser != NULL || e->guard != NULL);
    const char *key = in_place ? NULL : call_key(e, function, bound, true);
    Val result;
    if (key == NULL && has_rule) {
        e->scope = saved.scope;
        return refuse_arguments(e, span, function);
    }
    enter_function(e, &frame);
    if (key == NULL) {
        result = call_in_place(e, function, bound);
        leave_function(e, saved);
        return result;
    }
    Instance *instance = find_instance(e, key);
    bool is_new = instance == NULL;
    if (is_new) {
        instance = arena_new(e->arena, Instance);
        instance->key = key;
        vec_push(e->arena, &e->instances, instance);
        fill_instance(e, instance, function, bound);
    }
    leave_function(e, saved);
    if (is_new && !instance->failed && function->ast->derivative != NULL) {
        instance->failed =
            !elaborate_rule(e, function, instance->function, bound->at, bound->spans);
    }
    at_span(e, span);
    return call_instance(e, instance, bound);
}

Val call_function(Elaborator *e, Span span, const FunctionVal *function,
                  const CallArgumentList *arguments) {
    Bound bound;
    if (!function->is_prelude) {
        note_call(e, function);
    }
    for (int i = 0; i < arguments->count; i++) {
        if (is_error(arguments->at[i].value)) {
            return error_val();
        }
    }
    if (refuse_deep_calls(e, span) || !bind_arguments(e, span, function, arguments, &bound)) {
        return error_val();
    }
    for (int i = 0; i < bound.count; i++) {
        if (is_error(bound.at[i])) {
            return error_val();
        }
    }
    return call_bound(e, span, function, &bound);
}

Val call_val(Elaborator *e, Span span, Val callee, Span callee_span,
             const CallArgumentList *arguments) {
    switch (callee.kind) {
    case VAL_ERROR: return callee;
    case VAL_FUNCTION: return call_function(e, span, callee.function, arguments);
    case VAL_BUILTIN: return call_builtin(e, span, callee.builtin, arguments);
    case VAL_DERIVED: return call_derived(e, span, callee.derived, arguments);
    case VAL_ELEMENT: { // f32(x)
        CallArgumentList both = {0};
        for (int i = 0; i < arguments->count; i++) {
            vec_push(e->arena, &both, arguments->at[i]);
        }
        CallArgument element = {.name = NULL, .value = callee, .span = callee_span};
        vec_push(e->arena, &both, element);
        return call_builtin(e, span, find_builtin("cast"), &both);
    }
    default: {
        Diag *diag =
            report(e, callee_span, "this is not a function: it is %s", describe(e, callee));
        hint(e, diag, "a product is written with '*', an element x[i]");
        return error_val();
    }
    }
}

static void add_arguments(Elaborator *e, const ArgumentList *written, CallArgumentList *arguments) {
    for (int i = 0; i < written->count; i++) {
        const AstArgument *argument = &written->at[i];
        CallArgument item = {argument->name.text, argument->name.span,
                             elaborate_value(e, argument->value), argument->value->span};
        vec_push(e->arena, arguments, item);
    }
}

Val elaborate_call(Elaborator *e, const Expr *expr) {
    const Expr *callee_expr = expr->as.call.callee;
    CallArgumentList arguments = {0};
    if (is_reduction_call(expr)) {
        return elaborate_reduction(e, expr);
    }
    Val callee = elaborate_value(e, callee_expr);
    add_arguments(e, &expr->as.call.arguments, &arguments);
    return call_val(e, expr->span, callee, callee_expr->span, &arguments);
}

// x.f(a) is f(x, a).
Val elaborate_method(Elaborator *e, const Expr *expr) {
    AstName name = expr->as.method.name;
    const Expr *object = expr->as.method.object;
    CallArgumentList arguments = {0};
    CallArgument first = {NULL, no_span, elaborate_value(e, object), object->span};
    vec_push(e->arena, &arguments, first);
    add_arguments(e, &expr->as.method.arguments, &arguments);
    const FunctionVal *function = find_function(e, name.text);
    if (function != NULL) {
        return call_function(e, expr->span, function, &arguments);
    }
    const Builtin *builtin = find_builtin(name.text);
    if (builtin != NULL && builtin_is_public(builtin)) {
        return call_builtin(e, expr->span, builtin, &arguments);
    }
    Val callee = lookup(e, name.text, name.span);
    return call_val(e, expr->span, callee, name.span, &arguments);
}

// ---- functions that nobody calls

// Symbols for the dimensions that a parameter's type names.
static void define_symbols(Elaborator *e, const Expr *expr) {
    if (expr->kind == EXPR_NAME && find_binding(e->scope, expr->as.name) == NULL) {
        const Dim *dim = dim_symbol(e->module->dims, expr->as.name);
        define(e, expr->as.name, int_val(dim), expr->span);
    } else if (expr->kind == EXPR_BINARY) {
        define_symbols(e, expr->as.binary.left);
        define_symbols(e, expr->as.binary.right);
    }
}

// A made-up argument of the parameter's type. False if the type says too little.
static bool made_up_type(Elaborator *e, const AstParameter *parameter, Type *type) {
    const TypeExpr *written = parameter->type;
    ElementType element;
    if (written == NULL) {
        return false;
    }
    if (!element_of_name(e, written->element, &element)) {
        elaborate_type(e, written, type); // reports an unknown type
        return false;
    }
    for (int i = 0; i < written->dims.count; i++) {
        if (written->dims.at[i]->kind == EXPR_ELLIPSIS) {
            return false;
        }
        define_symbols(e, written->dims.at[i]);
    }
    bool may_be_known = written->dims.count == 0 && !element_is_real(element);
    return !may_be_known && elaborate_type(e, written, type);
}

static bool is_called(const Elaborator *e, const AstFunction *ast) {
    for (int i = 0; i < e->called.count; i++) {
        if (e->called.at[i] == ast) {
            return true;
        }
    }
    return false;
}

static void check_uncalled(Elaborator *e, const FunctionVal *function) {
    const ParameterList *parameters = &function->ast->parameters;
    Function *scratch = function_new(e->module, function->name, function->ast->span);
    Frame frame = {.caller = NULL, .function = function, .call = no_span};
    Bound bound = {arena_array(e->arena, Val, parameters->count),
                   arena_array(e->arena, Span, parameters->count), parameters->count};
    SavedState saved = enter_function(e, &frame);
    e->scope = NULL;
    push_scope(e, true);
    e->builder = builder_at(scratch->body, function->ast->span);
    bool was_speculative = e->is_speculative, had_gaps = e->has_gaps;
    e->is_speculative = true;
    bool ok = true;
    for (int i = 0; ok && i < parameters->count; i++) {
        const AstParameter *parameter = &parameters->at[i];
        Type type;
        bound.spans[i] = parameter->name.span;
        if (parameter->value != NULL) {
            bound.at[i] = default_value(e, function, parameter->value);
        } else if (made_up_type(e, parameter, &type)) {
            Slot slot = {.name = parameter->name.text, .role = ROLE_VALUE};
            bound.at[i] = tensor_val(function_add_parameter(scratch, type, slot));
        } else {
            ok = false;
        }
    }
    if (ok && unify_parameters(e, function, bound.at, bound.spans, function->ast->span)) {
        Val result = call_in_place(e, function, &bound);
        if (!is_error(result) && function->ast->derivative != NULL) {
            add_results(e, scratch, result);
            e->frame = NULL;
            elaborate_rule(e, function, scratch, bound.at, bound.spans);
        }
    }
    e->is_speculative = was_speculative;
    e->has_gaps = had_gaps;
    leave_function(e, saved);
}

void check_uncalled_functions(Elaborator *e, const AstFile *file) {
    for (int i = 0; i < e->functions.count; i++) {
        const FunctionVal *function = e->functions.at[i];
        if (!function->is_prelude && !is_called(e, function->ast)) {
            check_uncalled(e, function);
        }
    }
}
