// Functions for the prelude that compute with what is known while compiling: kinds of arguments,
// lists, whole numbers; and functions of any number of tensors, whose list goes on to the prelude.
#include "frontend/builtins.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

Val builtin_kind_of(Call *call) {
    switch (call->at[0].kind) {
    case VAL_TENSOR: return string_val("tensor");
    case VAL_INT:
    case VAL_RATIO: return string_val("integer");
    case VAL_REAL: return string_val("real");
    case VAL_BOOL: return string_val("bool");
    case VAL_STRING: return string_val("string");
    case VAL_NONE: return string_val("none");
    case VAL_LIST: return string_val("list");
    case VAL_ELEMENT: return string_val("type");
    case VAL_FUNCTION:
    case VAL_BUILTIN:
    case VAL_DERIVED: return string_val("function");
    case VAL_ERROR:
    case VAL_RESULTS: break;
    }
    return error_val();
}

// [0, 1, ... n - 1] as a list that `+` makes longer; `for i in static_range(n)` is written out.
Val builtin_static_range(Call *call) {
    int64_t count = int_at(call, 0);
    if (count < 0 || count > 65536) {
        report(call->e, call->spans[0], "static_range of %" PRId64 " is too long", count);
        return error_val();
    }
    Val list = list_val(call->e, (int)count);
    list.is_shape = true;
    for (int i = 0; i < count; i++) {
        list.list.at[i] = number_val(call->e, i);
    }
    return list;
}

// The largest whole number not above a known number, as an integer.
Val builtin_static_floor(Call *call) {
    double number = floor(number_at(call, 0));
    if (!(fabs(number) < 0x1p53)) {
        report(call->e, call->spans[0], "%g is no integer of 64 bits", number);
        return error_val();
    }
    return number_val(call->e, (int64_t)number);
}

Val call_prelude_at(Elaborator *e, Span span, const char *name, const Val *values, int count) {
    const FunctionVal *function = NULL;
    CallArgumentList arguments = {0};
    for (int i = 0; i < e->functions.count && function == NULL; i++) {
        const FunctionVal *candidate = e->functions.at[i];
        function = candidate->is_prelude && strcmp(candidate->name, name) == 0
                       ? parsed_function(e, candidate)
                       : NULL;
    }
    check(function != NULL, "the prelude has no %s", name);
    for (int i = 0; i < count; i++) {
        CallArgument argument = {NULL, no_span, values[i], span};
        vec_push(e->arena, &arguments, argument);
    }
    return call_function(e, span, function, &arguments);
}

Val call_prelude(Call *call, const char *name, const Val *values, int count) {
    return call_prelude_at(call->e, call->span, name, values, count);
}

// name(a, b, c) is name_list([a, b, c]) of the prelude.
static Val call_with_list(Call *call, const char *name, int argument_count) {
    if (call->at[0].kind != VAL_LIST) {
        Val list = list_val(call->e, 1);
        list.list.at[0] = call->at[0];
        call->at[0] = list;
    }
    return call_prelude(call, name, call->at, argument_count);
}

Val builtin_block_diag(Call *call) {
    return call_with_list(call, "block_diag_list", 1);
}

Val builtin_meshgrid(Call *call) {
    return call_with_list(call, "meshgrid_list", 2);
}

Val builtin_broadcast_tensors(Call *call) {
    return call_with_list(call, "broadcast_list", 1);
}

Val builtin_cartesian_prod(Call *call) {
    return call_with_list(call, "product_list", 1);
}

Val builtin_round(Call *call) {
    Elaborator *e = call->e;
    int64_t decimals = int_at(call, 1);
    Val x = call->at[0], factor;
    if (decimals == 0) {
        return elementwise(e, call->span, OP_round, &x, call->spans);
    }
    if (is_tensor(x) && !element_is_real(x.tensor->type.element)) {
        Diag *diag =
            report(e, call->spans[0], "round with decimals needs a floating-point tensor, got %s",
                   show_value_type(e, x.tensor));
        hint(e, diag, "convert it: cast(x, f32)");
        return error_val();
    }
    factor = real_val(pow(10, (double)(decimals < 0 ? -decimals : decimals)));
    BinaryOp before = decimals > 0 ? BINARY_MULTIPLY : BINARY_DIVIDE;
    BinaryOp after = decimals > 0 ? BINARY_DIVIDE : BINARY_MULTIPLY;
    Val scaled = binary_operator(e, call->span, before, x, call->spans[0], factor, call->span);
    Val rounded = elementwise(e, call->span, OP_round, &scaled, call->spans);
    return binary_operator(e, call->span, after, rounded, call->span, factor, call->span);
}
