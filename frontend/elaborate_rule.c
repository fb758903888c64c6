// The derivative that a function brings along: fn f(x) { ... } derivative(bar) { ... }.
//
// The block sees the function's parameters, and has parameters of its own: an upstream gradient for
// each floating-point result, and before them, if wanted, all results. It returns a value for each
// parameter of the function: its gradient, or none. It becomes a function of the module, the rule
// of the function (ir/derivative.h).
#include "frontend/elaborate_internal.h"
#include "ir/derivative.h"

typedef struct Rule {
    Elaborator *e;
    const FunctionVal *function;
    Function *made;
    Function *rule;
    Val *arguments; // of the function, inside of the rule
    const int *real;
    int real_count;
} Rule;

// What the block takes: upstream gradients, or results and upstream gradients.
static bool check_count(const Rule *it, bool *takes_results) {
    const AstFunction *ast = it->function->ast;
    int results = it->made->body->yields.count, count = ast->derivative_parameters.count;
    *takes_results = count == results + it->real_count && results > 0;
    if (it->real_count > 0 && (count == it->real_count || *takes_results)) {
        return true;
    }
    Diag *diag =
        it->real_count == 0
            ? report(it->e, ast->derivative->span,
                     "%s has no floating-point result to differentiate", it->function->name)
            : report(it->e, ast->derivative->span,
                     "the derivative of %s takes %d parameter%s, but %d %s declared",
                     it->function->name, it->real_count, it->real_count == 1 ? "" : "s", count,
                     count == 1 ? "is" : "are");
    hint(it->e, diag,
         "an upstream gradient for each floating-point result; before them, if you "
         "like, all results: derivative(y, y_bar)");
    return false;
}

static bool define_parameter(const Rule *it, const AstParameter *parameter, Type type) {
    Elaborator *e = it->e;
    Type written;
    Slot slot = {.name = parameter->name.text, .role = ROLE_VALUE, .span = parameter->name.span};
    if (parameter->value != NULL) {
        report(e, parameter->name.span, "a derivative's parameters have no defaults");
        return false;
    }
    if (parameter->type != NULL) {
        if (!elaborate_type(e, parameter->type, &written)) {
            return false;
        }
        if (!type_equal(written, type)) {
            report(e, parameter->name.span, "%s is %s here, but %s is written",
                   parameter->name.text, type_string(e->arena, type),
                   type_string(e->arena, written));
            return false;
        }
    }
    Value *value = function_add_parameter(it->rule, type, slot);
    define(e, parameter->name.text, tensor_val(value), parameter->name.span);
    return true;
}

// The function's own parameters, with the dimensions that their types name.
static bool define_arguments(Rule *it, const Val *outside, const Span *spans) {
    Elaborator *e = it->e;
    const ParameterList *parameters = &it->function->ast->parameters;
    for (int i = 0; i < parameters->count; i++) {
        AstName name = parameters->at[i].name;
        it->arguments[i] = outside[i];
        if (is_tensor(outside[i])) {
            Slot slot = {.name = name.text, .role = ROLE_VALUE, .span = name.span};
            it->arguments[i] =
                tensor_val(function_add_parameter(it->rule, outside[i].tensor->type, slot));
        }
    }
    if (!unify_parameters(e, it->function, it->arguments, spans, it->function->ast->span)) {
        return false;
    }
    for (int i = 0; i < parameters->count; i++) {
        AstName name = parameters->at[i].name;
        define(e, name.text, it->arguments[i], name.span);
    }
    return true;
}

static bool define_results(Rule *it) {
    const ParameterList *own = &it->function->ast->derivative_parameters;
    const Region *body = it->made->body;
    bool takes_results;
    if (!check_count(it, &takes_results)) {
        return false;
    }
    int next = 0;
    for (int i = 0; i < body->yields.count; i++) {
        Type type = body->yields.at[i]->type;
        if (!takes_results) {
            function_add_parameter(it->rule, type, (Slot){.role = ROLE_VALUE});
        } else if (!define_parameter(it, &own->at[next++], type)) {
            return false;
        }
    }
    for (int i = 0; i < it->real_count; i++) {
        Type type = body->yields.at[it->real[i]]->type;
        if (!define_parameter(it, &own->at[next++], type)) {
            return false;
        }
    }
    return true;
}

// The gradient that the block gives for a parameter. False after an error.
static bool add_gradient(const Rule *it, int index, int parameter, Val val, int *leaves,
                         int *count) {
    Elaborator *e = it->e;
    const char *name = it->function->ast->parameters.at[index].name.text;
    Span span = it->function->ast->derivative->span;
    if (!is_tensor(it->arguments[index]) || val.kind == VAL_NONE) {
        return true;
    }
    Type type = it->arguments[index].tensor->type;
    if (!element_is_real(type.element)) {
        Diag *diag =
            report(e, span, "%s is %s, which has no gradient", name, type_string(e->arena, type));
        hint(e, diag, "return none in its place");
        return false;
    }
    const char *what = arena_format(e->arena, "the gradient of %s", name);
    Value *value = fit_to_type(e, val, span, type, false, what);
    if (value == NULL) {
        return false;
    }
    function_add_result(it->rule, value, (Slot){.name = name, .role = ROLE_VALUE});
    leaves[(*count)++] = parameter;
    return true;
}

static bool add_gradients(const Rule *it, Val result) {
    Elaborator *e = it->e;
    int parameters = it->function->ast->parameters.count, count = 0, parameter = 0;
    Val one[1] = {result};
    ValList list = result.kind == VAL_RESULTS ? result.list : (ValList){one, 1};
    if (list.count != parameters) {
        Diag *diag = report(e, it->function->ast->derivative->span,
                            "the derivative of %s returns %d value%s, but %s has %d parameter%s",
                            it->function->name, list.count, list.count == 1 ? "" : "s",
                            it->function->name, parameters, parameters == 1 ? "" : "s");
        hint(e, diag, "return a gradient for each parameter, or none in its place");
        return false;
    }
    int *leaves = arena_array(e->module->arena, int, parameters + 1);
    for (int i = 0; i < parameters; i++) {
        if (is_error(list.at[i]) || !add_gradient(it, i, parameter, list.at[i], leaves, &count)) {
            return false;
        }
        parameter += is_tensor(it->arguments[i]);
    }
    finish_checkpoints(e, it->rule->body);
    it->made->reverse = it->rule;
    it->made->reverse_leaves = (Ints){leaves, count};
    return true;
}

static bool elaborate_block_of(Rule *it, const Val *outside, const Span *spans) {
    Elaborator *e = it->e;
    if (!define_arguments(it, outside, spans) || !define_results(it)) {
        return false;
    }
    elaborate_block(e, it->function->ast->derivative);
    Val result = e->frame->returned ? e->frame->result : results_val(e, 0);
    return !is_error(result) && add_gradients(it, result);
}

bool elaborate_rule(Elaborator *e, const FunctionVal *function, Function *made,
                    const Val *arguments, const Span *spans) {
    const AstFunction *ast = function->ast;
    AstFunction *block = arena_new(e->arena, AstFunction);
    FunctionVal *inner = arena_new(e->arena, FunctionVal);
    *block =
        (AstFunction){.span = ast->derivative->span, .name = ast->name, .body = ast->derivative};
    *inner = (FunctionVal){.ast = block, .is_prelude = function->is_prelude};
    inner->name = arena_format(e->arena, "the derivative of %s", function->name);
    Builder builder = e->builder;
    Frame frame = {.caller = e->frame,
                   .function = inner,
                   .call = function->is_prelude ? builder.span : no_span};
    Scope *scope = e->scope;
    Initialiser *initialiser = e->initialiser;
    Value *guard = e->guard;
    int no_grad = e->no_grad;
    Rule it = {.e = e, .function = function, .made = made};
    it.real = real_results(e->arena, made, &it.real_count);
    it.rule = function_new(e->module, arena_format(e->arena, "%s_rule", function->name),
                           ast->derivative->span);
    it.arguments = arena_array(e->arena, Val, ast->parameters.count);
    e->frame = &frame;
    e->scope = NULL;
    e->initialiser = NULL;
    e->no_grad = 0;
    e->guard = NULL;
    e->builder = builder_at(it.rule->body, ast->derivative->span);
    push_scope(e, true);
    bool ok = elaborate_block_of(&it, arguments, spans);
    e->frame = frame.caller;
    e->scope = scope;
    e->initialiser = initialiser;
    e->no_grad = no_grad;
    e->guard = guard;
    e->builder = builder;
    if (ok && rule_needs_itself(made)) {
        Diag *diag =
            report(e, ast->derivative->span, "the derivative of %s differentiates %s itself",
                   function->name, function->name);
        hint(e, diag, "write the derivative of its body, or leave the block out");
        ok = false;
    }
    return ok;
}
