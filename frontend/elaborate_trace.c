// Making an IR function of anything callable: the function is called inside of it. Values of the
// code around that are met on the way become its parameters.
#include "frontend/elaborate_derivative.h"

#include <string.h>

#include "frontend/value_bounds.h"

void open_trace(Elaborator *e, Trace *trace, Span span) {
    *trace = (Trace){.outer = e->trace,
                     .around = e->builder.region->function,
                     .builder = e->builder,
                     .initialiser = e->initialiser,
                     .guard = e->guard};
    trace->function = function_new(e->module, "fn", span);
    e->trace = trace;
    e->initialiser = NULL;
    e->builder = builder_at(trace->function->body, span);
}

void close_trace(Elaborator *e, const Trace *trace) {
    e->trace = trace->outer;
    e->initialiser = trace->initialiser;
    e->guard = trace->guard;
    e->builder = trace->builder;
}

// ---- what is captured

static Value *import_value(Elaborator *e, Trace *trace, Value *value) {
    if (value->region->function == trace->function) {
        return value;
    }
    if (value->region->function != trace->around) {
        check(trace->outer != NULL, "a value of a function that is not around this one");
        value = import_value(e, trace->outer, value);
    }
    for (int i = 0; i < trace->captured.count; i++) {
        if (trace->captured.at[i] == value) {
            return trace->function->body->parameters.at[trace->leaves + i];
        }
    }
    vec_push(e->arena, &trace->captured, value);
    Slot slot = {.name = value->name, .role = ROLE_VALUE};
    Value *parameter = function_add_parameter(trace->function, value->type, slot);
    copy_bounds(&e->bounds, parameter, value);
    return parameter;
}

Val import_val(Elaborator *e, Val val) {
    Trace *trace = e->trace;
    if (trace == NULL || e->builder.region->function != trace->function) {
        return val;
    }
    if (is_tensor(val)) {
        return tensor_val(import_value(e, trace, val.tensor));
    }
    if (val.kind == VAL_LIST || val.kind == VAL_RESULTS) {
        Val copy = val;
        copy.list.at = arena_array(e->arena, Val, val.list.count);
        for (int i = 0; i < val.list.count; i++) {
            copy.list.at[i] = import_val(e, val.list.at[i]);
        }
        return copy;
    }
    return val;
}

// ---- which arguments

// The parameters of a function written in the language, also below transforms; NULL for others.
static const ParameterList *parameters_of(Val callee) {
    while (callee.kind == VAL_DERIVED) {
        callee = callee.derived->inner;
    }
    return callee.kind == VAL_FUNCTION ? &callee.function->ast->parameters : NULL;
}

static const char *parameter_name(Val callee, int index) {
    const ParameterList *parameters = parameters_of(callee);
    return parameters != NULL && index < parameters->count ? parameters->at[index].name.text : NULL;
}

// The argument for the parameter `index`: by its place or by its name; -1: not given.
static int find_argument(Val callee, const CallArgumentList *arguments, int index) {
    int place = 0;
    const char *name = parameter_name(callee, index);
    for (int i = 0; i < arguments->count; i++) {
        const CallArgument *argument = &arguments->at[i];
        if (argument->name == NULL ? place++ == index
                                   : name != NULL && strcmp(argument->name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static int parameter_index(Elaborator *e, const DerivedVal *derived, Val leaf) {
    int64_t number;
    Span span = derived->leaves_span;
    if (val_known_int(leaf, &number)) {
        if (number < 0 || number > INT32_MAX) {
            report(e, span, "argnums counts arguments from 0, got %s", describe(e, leaf));
            return -1;
        }
        return (int)number;
    }
    const ParameterList *parameters = parameters_of(derived->inner);
    NameVec names = {0};
    for (int i = 0; parameters != NULL && i < parameters->count; i++) {
        if (strcmp(parameters->at[i].name.text, leaf.string) == 0) {
            return i;
        }
        vec_push(e->arena, &names, parameters->at[i].name.text);
    }
    Diag *diag = report(e, span, "%s has no argument %s", describe(e, derived->inner), leaf.string);
    hint_name(e, diag, leaf.string, &names);
    if (names.count > 0) {
        hint(e, diag, "it takes %s", join_names(e, &names));
    } else {
        hint(e, diag, "count its arguments: argnums=0 is the first");
    }
    return -1;
}

static int find_leaf(Elaborator *e, const DerivedVal *derived, const CallArgumentList *arguments,
                     Val leaf) {
    int index = parameter_index(e, derived, leaf);
    if (index < 0) {
        return -1;
    }
    int found = find_argument(derived->inner, arguments, index);
    if (found < 0) {
        const char *name = parameter_name(derived->inner, index);
        Diag *diag = name != NULL
                         ? report(e, derived->leaves_span, "%s needs the argument %s to be given",
                                  derived_name(e, derived), name)
                         : report(e, derived->leaves_span, "%s: there is no argument %d",
                                  derived_name(e, derived), index);
        bool takes_more =
            derived->transform == TRANSFORM_vjp || derived->transform == TRANSFORM_jvp;
        hint(e, diag,
             takes_more ? "the arguments of the function come first, then seeds or "
                          "tangents"
                        : "the derivative is taken with respect to it");
    }
    return found;
}

int find_leaves(Elaborator *e, const DerivedVal *derived, const CallArgumentList *arguments,
                int **leaves) {
    Val one[1] = {derived->leaves};
    ValList list = derived->leaves.kind == VAL_LIST ? derived->leaves.list : (ValList){one, 1};
    *leaves = arena_array(e->arena, int, list.count);
    if (list.count == 0) {
        report(e, derived->leaves_span, "argnums of %s names no argument",
               derived_name(e, derived));
        return -1;
    }
    for (int i = 0; i < list.count; i++) {
        (*leaves)[i] = find_leaf(e, derived, arguments, list.at[i]);
        if ((*leaves)[i] < 0) {
            return -1;
        }
        for (int k = 0; k < i; k++) {
            if ((*leaves)[k] == (*leaves)[i]) {
                report(e, derived->leaves_span, "argnums of %s names an argument twice",
                       derived_name(e, derived));
                return -1;
            }
        }
    }
    return list.count;
}

// ---- the call

// The element type that a number takes as an argument: the parameter's, if it is written.
static ElementType number_element(Elaborator *e, Val callee, int argument,
                                  const CallArgumentList *arguments) {
    const ParameterList *parameters = parameters_of(callee);
    ElementType element;
    for (int i = 0; parameters != NULL && i < parameters->count; i++) {
        const TypeExpr *type = parameters->at[i].type;
        if (type != NULL && find_argument(callee, arguments, i) == argument &&
            element_of_name(e, type->element, &element) && element_is_real(element)) {
            return element;
        }
    }
    return e->options->real;
}

static Value *leaf_value(Elaborator *e, Val callee, const CallArgumentList *arguments, int index) {
    const CallArgument *argument = &arguments->at[index];
    Val val = argument->value;
    if (!is_tensor_like(val)) {
        report(e, argument->span, "a derivative with respect to %s does not exist",
               describe(e, val));
        return NULL;
    }
    ElementType wanted =
        is_tensor(val) ? ELEMENT_TYPE_COUNT : number_element(e, callee, index, arguments);
    Value *value = to_tensor(e, val, argument->span, wanted);
    if (value != NULL && !element_is_real(value->type.element)) {
        Diag *diag = report(e, argument->span,
                            "a derivative with respect to %s does not exist: only floating-point "
                            "tensors have one",
                            describe(e, tensor_val(value)));
        hint(e, diag, "convert it: cast(x, real); or choose another argument: argnums=1");
        return NULL;
    }
    return value;
}

// The arguments inside: leaves are parameters, the rest is captured.
static void pass_arguments(Elaborator *e, Trace *trace, Val callee,
                           const CallArgumentList *arguments, const int *leaves,
                           const Traced *traced, CallArgumentList *inside) {
    trace->leaves = traced->leaf_count;
    e->guard = NULL;
    Val *values = arena_array(e->arena, Val, arguments->count);
    for (int i = 0; i < traced->leaf_count; i++) {
        const CallArgument *argument = &arguments->at[leaves[i]];
        const char *name = argument->name != NULL ? argument->name : traced->leaves[i]->name;
        for (int k = 0; argument->name == NULL && parameter_name(callee, k) != NULL; k++) {
            name =
                find_argument(callee, arguments, k) == leaves[i] ? parameter_name(callee, k) : name;
        }
        Slot slot = {.name = name, .role = ROLE_VALUE, .span = argument->span};
        values[leaves[i]] =
            tensor_val(function_add_parameter(trace->function, traced->leaves[i]->type, slot));
    }
    e->guard = trace->guard != NULL ? import_value(e, trace, trace->guard) : NULL;
    for (int i = 0; i < arguments->count; i++) {
        CallArgument argument = arguments->at[i];
        argument.value = is_tensor(values[i]) ? values[i] : import_val(e, arguments->at[i].value);
        vec_push(e->arena, inside, argument);
    }
}

// Everything that a function gives becomes a tensor.
static bool add_traced_results(Elaborator *e, Span span, Val callee, Val result,
                               Function *function) {
    Val one[1] = {result};
    ValList list = result.kind == VAL_RESULTS ? result.list : (ValList){one, 1};
    for (int i = 0; i < list.count; i++) {
        if (is_error(list.at[i])) {
            return false;
        }
        if (!is_tensor_like(list.at[i])) {
            report(e, span, "%s gives %s, which has no derivative", describe(e, callee),
                   describe(e, list.at[i]));
            return false;
        }
        bool is_number = list.at[i].kind == VAL_REAL || list.at[i].kind == VAL_INT ||
                         list.at[i].kind == VAL_RATIO;
        Value *value =
            to_tensor(e, list.at[i], span, is_number ? e->options->real : ELEMENT_TYPE_COUNT);
        if (value == NULL) {
            return false;
        }
        function_add_result(function, value, (Slot){.name = value->name, .role = ROLE_VALUE});
    }
    return true;
}

bool trace_call(Elaborator *e, Span span, Val callee, const CallArgumentList *arguments,
                const int *leaves, int leaf_count, Traced *traced) {
    *traced = (Traced){.leaf_count = leaf_count};
    traced->leaves = arena_array(e->arena, Value *, leaf_count);
    traced->leaf_spans = arena_array(e->arena, Span, leaf_count);
    for (int i = 0; i < leaf_count; i++) {
        traced->leaves[i] = leaf_value(e, callee, arguments, leaves[i]);
        traced->leaf_spans[i] = arguments->at[leaves[i]].span;
        if (traced->leaves[i] == NULL) {
            return false;
        }
    }
    Trace trace;
    CallArgumentList inside = {0};
    open_trace(e, &trace, span);
    pass_arguments(e, &trace, callee, arguments, leaves, traced, &inside);
    Val result = call_val(e, span, callee, span, &inside);
    bool ok = !is_error(result) && add_traced_results(e, span, callee, result, trace.function);
    finish_checkpoints(e, trace.function->body);
    close_trace(e, &trace);
    traced->function = trace.function;
    traced->operand_count = leaf_count + trace.captured.count;
    traced->operands = arena_array(e->arena, Value *, traced->operand_count);
    for (int i = 0; i < traced->operand_count; i++) {
        traced->operands[i] =
            i < leaf_count ? traced->leaves[i] : trace.captured.at[i - leaf_count];
    }
    return ok;
}

Inst *emit_derivative(Elaborator *e, Builder *b, Op op, const Traced *traced, Ints outputs,
                      Ints leaves, Value *const *more) {
    int extra = op == OP_vjp ? outputs.count : leaves.count;
    Value **operands = arena_array(e->arena, Value *, traced->operand_count + extra);
    for (int i = 0; i < traced->operand_count + extra; i++) {
        operands[i] =
            i < traced->operand_count ? traced->operands[i] : more[i - traced->operand_count];
    }
    Attribute attribute = {.callee = traced->function, .outputs = outputs, .leaves = leaves};
    return build_derivative(b, op, &attribute, operands);
}

Ints all_leaves(Elaborator *e, const Traced *traced) {
    int *indices = arena_array(e->arena, int, traced->leaf_count);
    for (int i = 0; i < traced->leaf_count; i++) {
        indices[i] = i;
    }
    return (Ints){indices, traced->leaf_count};
}

Ints one_index(Elaborator *e, int index) {
    int *indices = arena_array(e->arena, int, 1);
    indices[0] = index;
    return (Ints){indices, 1};
}
