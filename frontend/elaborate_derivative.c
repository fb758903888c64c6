// Functions made of functions: grad(f), vjp(f) and the others are values; calling one makes an IR
// function of `f` for the arguments and emits a vjp or jvp of it, which a pass replaces by the
// derivative.
#include "frontend/elaborate_derivative.h"

#include <string.h>

static const char *const transform_names[] = {
    [TRANSFORM_grad] = "grad",       [TRANSFORM_value_and_grad] = "value_and_grad",
    [TRANSFORM_vjp] = "vjp",         [TRANSFORM_jvp] = "jvp",
    [TRANSFORM_hvp] = "hvp",         [TRANSFORM_jacobian] = "jacobian",
    [TRANSFORM_hessian] = "hessian", [TRANSFORM_vmap] = "vmap",
};

// ---- as values

static const char *callable_name(Elaborator *e, Val val) {
    return val.kind == VAL_FUNCTION  ? val.function->name
           : val.kind == VAL_DERIVED ? derived_name(e, val.derived)
                                     : builtin_name(val.builtin);
}

const char *derived_name(Elaborator *e, const DerivedVal *derived) {
    return arena_format(e->arena, "%s(%s)", transform_names[derived->transform],
                        callable_name(e, derived->inner));
}

Val derived_from(const DerivedVal *derived) {
    return derived->inner;
}

bool derived_equal(const DerivedVal *x, const DerivedVal *y) {
    return x == y;
}

bool derived_key(Elaborator *e, const DerivedVal *derived, Text *key) {
    text_format(key, "%s %d %s(", transform_names[derived->transform], derived->has_aux,
                derived->mode != NULL ? derived->mode : "");
    const Val parts[] = {derived->leaves, derived->in_dims, derived->out_dims, derived->inner};
    for (int i = 0; i < 4; i++) {
        if (!val_key(e, parts[i], key)) {
            return false;
        }
        text_add_char(key, ',');
    }
    return true;
}

static Val make_derived(Call *call, const DerivedVal *derived) {
    DerivedVal *made = arena_new(call->e->arena, DerivedVal);
    *made = *derived;
    return (Val){.kind = VAL_DERIVED, .derived = made};
}

static int argument_named(const Call *call, const char *name) {
    for (int i = 0; i < call->count; i++) {
        if (strcmp(call->names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

// A number, a name, or a list of these.
static bool names_leaves(Call *call, Val leaves, Span span) {
    Val one[1] = {leaves};
    ValList list = leaves.kind == VAL_LIST ? leaves.list : (ValList){one, 1};
    for (int i = 0; i < list.count; i++) {
        int64_t number;
        Val leaf = list.at[i];
        if (leaf.kind == VAL_STRING || val_known_int(leaf, &number)) {
            continue;
        }
        Diag *diag = report(call->e, span,
                            "argnums of %s must be a number or a list of numbers, "
                            "got %s",
                            builtin_name(call->builtin), describe(call->e, leaf));
        hint(call->e, diag, "the arguments come in parentheses of their own: %s(f)(x)",
             builtin_name(call->builtin));
        return false;
    }
    return true;
}

// wrt counts before argnums, which has a default.
static Val make_derivative(Call *call, Transform transform) {
    int wrt = argument_named(call, "wrt"), argnums = argument_named(call, "argnums");
    int aux = argument_named(call, "has_aux"), mode = argument_named(call, "mode");
    int leaves = is_given(call, wrt) ? wrt : argnums;
    DerivedVal derived = {.transform = transform,
                          .inner = call->at[0],
                          .span = call->span,
                          .leaves = call->at[leaves],
                          .leaves_span = call->spans[leaves],
                          .has_aux = aux >= 0 && call->at[aux].boolean,
                          .mode = mode >= 0 ? string_at(call, mode) : NULL,
                          .in_dims = none_val(),
                          .out_dims = none_val()};
    if (!names_leaves(call, derived.leaves, derived.leaves_span)) {
        return error_val();
    }
    if (mode >= 0 && strcmp(derived.mode, "auto") != 0 && strcmp(derived.mode, "forward") != 0 &&
        strcmp(derived.mode, "reverse") != 0) {
        Diag *diag =
            report(call->e, call->spans[mode], "jacobian has no mode \"%s\"", derived.mode);
        hint(call->e, diag, "there are \"auto\", \"forward\" and \"reverse\"");
        return error_val();
    }
    return make_derived(call, &derived);
}

Val builtin_grad(Call *call) {
    return make_derivative(call, TRANSFORM_grad);
}

Val builtin_value_and_grad(Call *call) {
    return make_derivative(call, TRANSFORM_value_and_grad);
}

Val builtin_vjp(Call *call) {
    return make_derivative(call, TRANSFORM_vjp);
}

Val builtin_jvp(Call *call) {
    return make_derivative(call, TRANSFORM_jvp);
}

Val builtin_hvp(Call *call) {
    return make_derivative(call, TRANSFORM_hvp);
}

Val builtin_jacobian(Call *call) {
    return make_derivative(call, TRANSFORM_jacobian);
}

Val builtin_hessian(Call *call) {
    return make_derivative(call, TRANSFORM_hessian);
}

Val builtin_vmap(Call *call) {
    DerivedVal derived = {.transform = TRANSFORM_vmap,
                          .inner = call->at[0],
                          .span = call->span,
                          .leaves = none_val(),
                          .in_dims = call->at[1],
                          .in_dims_span = call->spans[1],
                          .out_dims = call->at[2],
                          .out_dims_span = call->spans[2]};
    return make_derived(call, &derived);
}

// ---- results of functions

static Value *result_at(const Traced *traced, int index) {
    return traced->function->body->yields.at[index];
}

static int result_count(const Traced *traced) {
    return traced->function->body->yields.count;
}

static bool has_one_element(Type type) {
    int64_t size;
    for (int i = 0; i < type.rank; i++) {
        if (!dim_is_constant(type.dims[i], &size) || size != 1) {
            return false;
        }
    }
    return true;
}

static bool refuse_element(Elaborator *e, Span span, const DerivedVal *derived,
                           const Value *result) {
    if (element_is_real(result->type.element)) {
        return false;
    }
    Diag *diag = report(e, span,
                        "%s: the result is %s, and only floating-point results have a "
                        "derivative",
                        derived_name(e, derived), show_value_type(e, result));
    hint(e, diag, "convert it inside of the function: cast(y, real)");
    return true;
}

const Value *single_result(Elaborator *e, Span span, const DerivedVal *derived,
                           const Traced *traced) {
    int count = result_count(traced);
    if (count == 0 || (count > 1 && !derived->has_aux)) {
        Diag *diag = report(e, span, "%s needs a function with one result, but %s has %d",
                            derived_name(e, derived), callable_name(e, derived->inner), count);
        if (count > 1 && derived->transform <= TRANSFORM_value_and_grad) {
            hint(e, diag,
                 "has_aux=true differentiates the first, and gives the others as they "
                 "are");
        } else if (count > 1) {
            hint(e, diag, "choose one: fn(x) { y, _ = f(x); return y }");
        }
        return NULL;
    }
    return refuse_element(e, span, derived, result_at(traced, 0)) ? NULL : result_at(traced, 0);
}

static const Value *scalar_result(Elaborator *e, Span span, const DerivedVal *derived,
                                  const Traced *traced) {
    const Value *result = single_result(e, span, derived, traced);
    if (result != NULL && !has_one_element(result->type)) {
        Diag *diag = report_sizes(e, span, !type_is_static(result->type),
                                  "%s needs a function whose result is one number, but it is %s",
                                  derived_name(e, derived), show_value_type(e, result));
        hint(e, diag, "add it up with sum, or use vjp or jacobian");
        return NULL;
    }
    return result;
}

static Ints real_outputs(Elaborator *e, const Traced *traced) {
    int count;
    const int *indices = real_results(e->arena, traced->function, &count);
    return (Ints){indices, count};
}

static Val pack(Elaborator *e, Value *const *values, int count) {
    if (count == 1) {
        return tensor_val(values[0]);
    }
    Val results = results_val(e, count);
    for (int i = 0; i < count; i++) {
        results.list.at[i] = tensor_val(values[i]);
    }
    return results;
}

// ---- arguments behind the function's own: seeds and tangents

// Takes the last `count` positional arguments off. False after an error.
static bool take_trailing(Elaborator *e, Span span, const DerivedVal *derived, int count,
                          const char *what, CallArgumentList *arguments, CallArgument *taken) {
    for (int i = arguments->count - 1; i >= 0 && count > 0; i--) {
        if (arguments->at[i].name != NULL) {
            continue;
        }
        taken[--count] = arguments->at[i];
        for (int k = i; k + 1 < arguments->count; k++) {
            arguments->at[k] = arguments->at[k + 1];
        }
        arguments->count--;
    }
    if (count > 0) {
        report(e, span, "%s needs %s behind the arguments of the function",
               derived_name(e, derived), what);
        return false;
    }
    return true;
}

static CallArgumentList copy_arguments(Elaborator *e, const CallArgumentList *arguments) {
    CallArgumentList copy = {0};
    for (int i = 0; i < arguments->count; i++) {
        vec_push(e->arena, &copy, arguments->at[i]);
    }
    return copy;
}

static int leaf_count(const DerivedVal *derived) {
    return derived->leaves.kind == VAL_LIST ? derived->leaves.list.count : 1;
}

// ---- reverse mode

static Val call_grad(Elaborator *e, Span span, const DerivedVal *derived,
                     const CallArgumentList *arguments) {
    Traced traced;
    int *leaves, count = find_leaves(e, derived, arguments, &leaves);
    if (count < 0 || !trace_call(e, span, derived->inner, arguments, leaves, count, &traced)) {
        return error_val();
    }
    const Value *result = scalar_result(e, span, derived, &traced);
    if (result == NULL) {
        return error_val();
    }
    at_span(e, span);
    Value *seed = build_full(&e->builder, result->type, 1);
    Inst *inst = emit_derivative(e, &e->builder, OP_vjp, &traced, one_index(e, 0),
                                 all_leaves(e, &traced), &seed);
    int own = result_count(&traced), next = 0;
    if (derived->transform == TRANSFORM_value_and_grad) {
        return pack(e, inst->results, own + count);
    }
    Value **results = arena_array(e->arena, Value *, own - 1 + count);
    for (int i = 0; i < count; i++) {
        results[next++] = inst->results[own + i];
    }
    for (int i = 1; i < own; i++) {
        results[next++] = inst->results[i];
    }
    return pack(e, results, next);
}

// One seed, or a list of one for each real result.
static Value **seed_values(Elaborator *e, const DerivedVal *derived, const Traced *traced,
                           Ints outputs, const CallArgument *seed) {
    Value **seeds = arena_array(e->arena, Value *, outputs.count);
    bool is_list = outputs.count != 1 && seed->value.kind == VAL_LIST &&
                   seed->value.list.count == outputs.count;
    if (outputs.count != 1 && !is_list) {
        Diag *diag =
            report(e, seed->span, "%s needs a list of %d seeds, one for each floating-point result",
                   derived_name(e, derived), outputs.count);
        hint(e, diag, "write vjp(f)(x, [seed_of_first, seed_of_second])");
        return NULL;
    }
    for (int i = 0; i < outputs.count; i++) {
        Val val = is_list ? seed->value.list.at[i] : seed->value;
        Type type = result_at(traced, outputs.at[i])->type;
        seeds[i] = fit_to_type(e, val, seed->span, type, false, "the seed");
        if (seeds[i] == NULL) {
            return NULL;
        }
    }
    return seeds;
}

static Val call_vjp(Elaborator *e, Span span, const DerivedVal *derived,
                    const CallArgumentList *given) {
    CallArgumentList arguments = copy_arguments(e, given);
    CallArgument seed;
    Traced traced;
    int *leaves, count;
    if (!take_trailing(e, span, derived, 1, "a seed", &arguments, &seed) ||
        (count = find_leaves(e, derived, &arguments, &leaves)) < 0 ||
        !trace_call(e, span, derived->inner, &arguments, leaves, count, &traced)) {
        return error_val();
    }
    Ints outputs = real_outputs(e, &traced);
    if (outputs.count == 0) {
        report(e, span, "%s: %s has no floating-point result", derived_name(e, derived),
               callable_name(e, derived->inner));
        return error_val();
    }
    Value **seeds = seed_values(e, derived, &traced, outputs, &seed);
    if (seeds == NULL) {
        return error_val();
    }
    at_span(e, span);
    Inst *inst =
        emit_derivative(e, &e->builder, OP_vjp, &traced, outputs, all_leaves(e, &traced), seeds);
    return pack(e, inst->results, inst->result_count);
}

// ---- forward mode

bool has_forward_mode(Elaborator *e, Span span, const Traced *traced, bool reports) {
    const Function *obstacle = find_nonlinear_rule(traced->function, e->prelude_file);
    if (obstacle == NULL) {
        return true;
    }
    if (reports) {
        Diag *diag = report(e, span,
                            "forward mode needs the derivative of %s to be linear in the upstream "
                            "gradient, and that cannot be shown",
                            obstacle->name);
        if (diag != NULL) {
            add_note(e->diags, diag, obstacle->reverse->span, "its derivative is written here");
        }
        hint(e, diag, "grad, vjp and jacobian(f, mode=\"reverse\") use reverse mode");
    }
    return false;
}

static Val call_jvp(Elaborator *e, Span span, const DerivedVal *derived,
                    const CallArgumentList *given) {
    CallArgumentList arguments = copy_arguments(e, given);
    int *leaves, count = leaf_count(derived);
    CallArgument *tangents = arena_array(e->arena, CallArgument, count + 1);
    Traced traced;
    const char *what = count == 1 ? "a tangent" : "a tangent for each of argnums";
    if (!take_trailing(e, span, derived, count, what, &arguments, tangents) ||
        (count = find_leaves(e, derived, &arguments, &leaves)) < 0 ||
        !trace_call(e, span, derived->inner, &arguments, leaves, count, &traced) ||
        !has_forward_mode(e, span, &traced, true)) {
        return error_val();
    }
    Value **values = arena_array(e->arena, Value *, count);
    for (int i = 0; i < count; i++) {
        values[i] = fit_to_type(e, tangents[i].value, tangents[i].span, traced.leaves[i]->type,
                                false, "the tangent");
        if (values[i] == NULL) {
            return error_val();
        }
    }
    Ints outputs = real_outputs(e, &traced);
    at_span(e, span);
    Inst *inst =
        emit_derivative(e, &e->builder, OP_jvp, &traced, outputs, all_leaves(e, &traced), values);
    return pack(e, inst->results, inst->result_count);
}

// ---- second order: forward over reverse

static const DerivedVal *transformed(Elaborator *e, const DerivedVal *derived, Transform transform,
                                     Val inner) {
    DerivedVal *made = arena_new(e->arena, DerivedVal);
    *made = *derived;
    made->transform = transform;
    made->inner = inner;
    return made;
}

static Val gradient_of(Elaborator *e, const DerivedVal *derived) {
    return (Val){.kind = VAL_DERIVED,
                 .derived = transformed(e, derived, TRANSFORM_grad, derived->inner)};
}

static Val call_hvp(Elaborator *e, Span span, const DerivedVal *derived,
                    const CallArgumentList *arguments) {
    int count = leaf_count(derived);
    const DerivedVal *forward = transformed(e, derived, TRANSFORM_jvp, gradient_of(e, derived));
    Val both = call_jvp(e, span, forward, arguments);
    if (is_error(both)) {
        return both;
    }
    Value **products = arena_array(e->arena, Value *, count);
    for (int i = 0; i < count; i++) {
        products[i] = both.list.at[count + i].tensor;
    }
    return pack(e, products, count);
}

static Val call_hessian(Elaborator *e, Span span, const DerivedVal *derived,
                        const CallArgumentList *arguments) {
    if (derived->leaves.kind == VAL_LIST && derived->leaves.list.count != 1) {
        Diag *diag = report(e, derived->leaves_span, "hessian takes one argument");
        hint(e, diag, "put the variables into one tensor, or use hvp, which takes several");
        return error_val();
    }
    DerivedVal *outer = arena_new(e->arena, DerivedVal);
    *outer = *transformed(e, derived, TRANSFORM_jacobian, gradient_of(e, derived));
    outer->mode = "auto";
    return call_jacobian(e, span, outer, arguments);
}

// ---- calls

Val call_derived(Elaborator *e, Span span, const DerivedVal *derived,
                 const CallArgumentList *arguments) {
    for (int i = 0; i < arguments->count; i++) {
        if (is_error(arguments->at[i].value)) {
            return error_val();
        }
    }
    switch (derived->transform) {
    case TRANSFORM_grad:
    case TRANSFORM_value_and_grad: return call_grad(e, span, derived, arguments);
    case TRANSFORM_vjp: return call_vjp(e, span, derived, arguments);
    case TRANSFORM_jvp: return call_jvp(e, span, derived, arguments);
    case TRANSFORM_hvp: return call_hvp(e, span, derived, arguments);
    case TRANSFORM_jacobian: return call_jacobian(e, span, derived, arguments);
    case TRANSFORM_hessian: return call_hessian(e, span, derived, arguments);
    case TRANSFORM_vmap: return call_vmap(e, span, derived, arguments);
    }
    return error_val();
}
