// Functions for the prelude that compute with what is known while compiling: kinds of arguments,
// lists, whole numbers; and functions of any number of tensors, whose list goes on to the prelude.
#include "frontend/builtins.h"

#include <inttypes.h>
#include <math.h>

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

// name(a, b, c) is name_list([a, b, c]) of the prelude.
static Val call_with_list(Call *call, const char *name, int argument_count) {
    Elaborator *e = call->e;
    const FunctionVal *function = find_function(e, name);
    CallArgumentList arguments = {0};
    check(function != NULL, "the prelude has no %s", name);
    if (call->at[0].kind != VAL_LIST) {
        Val list = list_val(e, 1);
        list.list.at[0] = call->at[0];
        call->at[0] = list;
    }
    for (int i = 0; i < argument_count; i++) {
        CallArgument argument = {NULL, no_span, call->at[i], call->spans[i]};
        vec_push(e->arena, &arguments, argument);
    }
    return call_function(e, call->span, function, &arguments);
}

Val builtin_block_diag(Call *call) {
    return call_with_list(call, "block_diag_list", 1);
}

Val builtin_meshgrid(Call *call) {
    return call_with_list(call, "meshgrid_list", 2);
}
