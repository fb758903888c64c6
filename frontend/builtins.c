// The table of built-in functions, and the binding of a call's arguments to a row's signature.
#include "frontend/builtins.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// Operators whose name in the language is another one, or that it does not show.
const char *operator_name(Op op) {
    switch (op) {
    case OP_is_nan: return "isnan";
    case OP_sign_bit: return "signbit";
    case OP_bit_and: return "bitwise_and";
    case OP_bit_or: return "bitwise_or";
    case OP_bit_xor: return "bitwise_xor";
    case OP_shift_left: return "bitwise_left_shift";
    case OP_shift_right: return "bitwise_right_shift";
    default: return op_info(op)->name;
    }
}

static const Builtin table[] = {
#define BUILTIN(name, signature, handler, meaning)                                                 \
    {#name, signature, builtin_##handler, OP_COUNT, meaning},
#include "frontend/builtins.def"
};

#define SIGNATURE_1 "x: any"
#define SIGNATURE_2 "x: any, y: any"
#define SIGNATURE_3 NULL
static const Builtin operators[] = {
#define ELEMENTWISE(name, arity, rule, derivative, form, traits, value, meaning)                   \
    {#name, SIGNATURE_##arity, NULL, OP_##name, meaning},
#include "ir/ops.def"
};

enum { TABLE_COUNT = sizeof table / sizeof table[0] };
enum { OPERATOR_COUNT = sizeof operators / sizeof operators[0] };

static bool is_shown(const Builtin *builtin) {
    return builtin->signature != NULL && builtin->op != OP_cast && builtin->op != OP_random_bits;
}

const char *builtin_name(const Builtin *builtin) {
    bool is_operator = builtin->handler == NULL && builtin->signature != NULL;
    return is_operator ? operator_name(builtin->op) : builtin->name;
}

const Builtin *find_builtin(const char *name) {
    for (int i = 0; i < TABLE_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    for (int i = 0; i < OPERATOR_COUNT; i++) {
        if (is_shown(&operators[i]) && strcmp(operator_name(operators[i].op), name) == 0) {
            return &operators[i];
        }
    }
    return find_operator(name);
}

bool builtin_is_public(const Builtin *builtin) {
    return builtin->meaning != NULL;
}

void add_builtin_names(Elaborator *e, NameVec *names) {
    for (int i = 0; i < TABLE_COUNT; i++) {
        if (builtin_is_public(&table[i])) {
            vec_push(e->arena, names, table[i].name);
        }
    }
    for (int i = 0; i < OPERATOR_COUNT; i++) {
        if (is_shown(&operators[i])) {
            vec_push(e->arena, names, operator_name(operators[i].op));
        }
    }
}

void add_builtin_docs(Arena *arena, BuiltinDocList *docs) {
    for (int i = 0; i < TABLE_COUNT + OPERATOR_COUNT; i++) {
        const Builtin *builtin = i < TABLE_COUNT ? &table[i] : &operators[i - TABLE_COUNT];
        if (is_shown(builtin) && builtin->meaning != NULL &&
            find_builtin(builtin_name(builtin)) == builtin) {
            BuiltinDoc doc = {
                builtin_name(builtin),
                arena_format(arena, "%s(%s)", builtin_name(builtin), builtin->signature),
                builtin->meaning, NULL, builtin->handler == NULL ? builtin->op : OP_COUNT};
            vec_push(arena, docs, doc);
        }
    }
}

const char *other_argument_name(const char *name, int which) {
    static const char *const rows[][1 + OTHER_NAMES_MAX] = {{"input", "x", "values"},
                                                            {"input1", "x1", "x"},
                                                            {"input2", "x2", "y"},
                                                            {"self", "x"},
                                                            {"other", "y"},
                                                            {"A", "x"},
                                                            {"B", "y"},
                                                            {"axis", "dim"},
                                                            {"keepdims", "keepdim"},
                                                            {"exponent", "y"},
                                                            {"mat2", "y"},
                                                            {"vec", "y"},
                                                            {"vec2", "y"},
                                                            {"tensor", "y"},
                                                            {"divisor", "y"},
                                                            {"unbiased", "correction"},
                                                            {"size", "shape"},
                                                            {"repeats", "sizes"},
                                                            {"matrices", "tensors"},
                                                            {"sections", "indices_or_sections"},
                                                            {"indices", "indices_or_sections"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(name, rows[i][0]) == 0) {
            return rows[i][1 + which];
        }
    }
    return NULL;
}

// ---- signatures

typedef struct Formal {
    const char *name;
    const char *kind;
    const char *otherwise; // the default's text; NULL: the argument is needed
    bool takes_rest;
} Formal;

static const char *copy_trimmed(Arena *arena, const char *start, const char *end) {
    while (start < end && *start == ' ') {
        start++;
    }
    while (end > start && end[-1] == ' ') {
        end--;
    }
    return arena_copy_text(arena, start, (size_t)(end - start));
}

static int read_signature(Arena *arena, const char *text, Formal *formals) {
    int count = 0;
    while (*text != '\0') {
        const char *end = text + strcspn(text, ",");
        const char *colon = memchr(text, ':', (size_t)(end - text));
        const char *equals = memchr(text, '=', (size_t)(end - text));
        check(colon != NULL && count < CALL_ARGUMENTS_MAX, "signature %s", text);
        Formal *formal = &formals[count++];
        bool takes_rest = colon[-1] == '*';
        *formal =
            (Formal){copy_trimmed(arena, text, takes_rest ? colon - 1 : colon),
                     copy_trimmed(arena, colon + 1, equals != NULL ? equals : end),
                     equals != NULL ? copy_trimmed(arena, equals + 1, end) : NULL, takes_rest};
        text = *end == ',' ? end + 1 : end;
    }
    return count;
}

static Val read_default(Elaborator *e, const char *text) {
    if (strcmp(text, "none") == 0) {
        return none_val();
    }
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        return bool_val(text[0] == 't');
    }
    if (text[0] == '"') {
        return string_val(arena_copy_text(e->arena, text + 1, strlen(text) - 2));
    }
    if (strpbrk(text, ".e") != NULL) {
        return real_val(strtod(text, NULL));
    }
    return number_val(e, strtoll(text, NULL, 10));
}

// ---- converting arguments

static bool refuse_kind(Call *call, int index, const char *needs) {
    Elaborator *e = call->e;
    Diag *diag =
        report(e, call->spans[index], "%s needs %s to be %s, got %s", builtin_name(call->builtin),
               call->names[index], needs, describe(e, call->at[index]));
    if (is_tensor(call->at[index]) && strcmp(needs, "a floating-point tensor") == 0) {
        hint(e, diag, "convert it: cast(x, f32)");
    }
    return false;
}

static bool convert_tensor(Call *call, int index, bool is_floating) {
    Elaborator *e = call->e;
    Val *val = &call->at[index];
    if (!is_tensor_like(*val)) {
        return refuse_kind(call, index, "a tensor");
    }
    bool is_literal = !is_tensor(*val);
    Value *value = to_tensor(e, *val, call->spans[index],
                             is_literal && is_floating ? e->options->real : ELEMENT_TYPE_COUNT);
    if (value == NULL) {
        return false;
    }
    *val = tensor_val(value);
    if (is_floating && !element_is_real(value->type.element)) {
        return refuse_kind(call, index, "a floating-point tensor");
    }
    return true;
}

// What messages call an argument; those of the prelude's own functions are passed on from others.
static const char *argument_text(const Call *call, int index) {
    return builtin_is_public(call->builtin)
               ? arena_format(call->e->arena, "%s of %s", call->names[index],
                              builtin_name(call->builtin))
               : call->names[index];
}

static bool convert_int(Call *call, int index) {
    const char *what = argument_text(call, index);
    int64_t number;
    if (!val_to_int(call->e, call->at[index], call->spans[index], what, &number)) {
        return false;
    }
    call->at[index] = number_val(call->e, number);
    return true;
}

static bool convert_size(Call *call, int index, Val *val) {
    const char *what = argument_text(call, index);
    const Dim *dim;
    if (!val_to_dim(call->e, *val, call->spans[index], what, &dim)) {
        return false;
    }
    *val = int_val(dim);
    return true;
}

static bool convert_sizes(Call *call, int index) {
    Val *val = &call->at[index];
    if (val->kind != VAL_LIST) {
        Val list = list_val(call->e, 1);
        list.list.at[0] = *val;
        *val = list;
    }
    Val copy = list_val(call->e, val->list.count);
    for (int i = 0; i < val->list.count; i++) {
        copy.list.at[i] = val->list.at[i];
        if (!convert_size(call, index, &copy.list.at[i])) {
            return false;
        }
    }
    *val = copy;
    return true;
}

static bool convert_number(Call *call, int index) {
    double number;
    if (is_tensor(call->at[index])) {
        Diag *diag = report(call->e, call->spans[index],
                            "%s of %s must be known while compiling, got %s", call->names[index],
                            builtin_name(call->builtin), describe(call->e, call->at[index]));
        hint(call->e, diag, "use a literal or a dimension");
        return false;
    }
    if (!val_known_real(call->at[index], &number)) {
        return refuse_kind(call, index, "a number");
    }
    int64_t whole; // a factor that is one does not make reals of integers
    call->at[index] = call->at[index].kind == VAL_INT && val_known_int(call->at[index], &whole)
                          ? number_val(call->e, whole)
                          : real_val(number);
    return true;
}

static bool convert_argument(Call *call, int index, const char *kind) {
    Val *val = &call->at[index];
    if (strcmp(kind, "any") == 0) {
        return true;
    }
    if (strcmp(kind, "tensor") == 0 || strcmp(kind, "floating") == 0) {
        return convert_tensor(call, index, kind[0] == 'f');
    }
    if (strcmp(kind, "scalar") == 0) {
        return is_static_scalar(*val) || (is_tensor(*val) && val->tensor->type.rank == 0) ||
               refuse_kind(call, index, "a number");
    }
    if (strcmp(kind, "int") == 0 || strcmp(kind, "axis") == 0) {
        return convert_int(call, index);
    }
    if (strcmp(kind, "size") == 0) {
        return convert_size(call, index, val);
    }
    if (strcmp(kind, "number") == 0) {
        return convert_number(call, index);
    }
    if (strcmp(kind, "bool") == 0) {
        return val->kind == VAL_BOOL || refuse_kind(call, index, "true or false");
    }
    if (strcmp(kind, "string") == 0) {
        return val->kind == VAL_STRING || refuse_kind(call, index, "a string");
    }
    if (strcmp(kind, "axes") == 0 || strcmp(kind, "shape") == 0) {
        return convert_sizes(call, index);
    }
    if (strcmp(kind, "tensors") == 0) {
        return val->kind == VAL_LIST || is_tensor(*val) ||
               refuse_kind(call, index, "a list of tensors");
    }
    if (strcmp(kind, "element") == 0) {
        AstName name = {val->kind == VAL_STRING ? val->string : "", call->spans[index]};
        if (val->kind == VAL_STRING && element_of_name(call->e, name, &val->element)) {
            val->kind = VAL_ELEMENT;
        }
        return val->kind == VAL_ELEMENT || refuse_kind(call, index, "a type such as f32");
    }
    check(strcmp(kind, "function") == 0, "argument kind %s", kind);
    return is_callable(*val) || refuse_kind(call, index, "a function");
}

// ---- matching

static int find_formal(const Formal *formals, int count, const char *name) {
    for (int i = 0; i < count; i++) {
        if (strcmp(formals[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *formal_list(Elaborator *e, const Formal *formals, int count, NameVec *names) {
    for (int i = 0; i < count; i++) {
        vec_push(e->arena, names, formals[i].name);
    }
    return count == 0 ? "nothing" : join_names(e, names);
}

static bool place_keyword(Call *call, const Formal *formals, const CallArgument *argument,
                          bool *given) {
    Elaborator *e = call->e;
    int index = find_formal(formals, call->count, argument->name);
    const char *other;
    for (int i = 0; index < 0 && i < OTHER_NAMES_MAX &&
                    (other = other_argument_name(argument->name, i)) != NULL;
         i++) {
        index = find_formal(formals, call->count, other);
    }
    if (index < 0) {
        NameVec names = {0};
        const char *list = formal_list(e, formals, call->count, &names);
        Diag *diag = report(e, argument->name_span, "%s has no argument %s",
                            builtin_name(call->builtin), argument->name);
        hint_name(e, diag, argument->name, &names);
        hint(e, diag, "it takes %s", list);
        return false;
    }
    if (given[index]) {
        report(e, argument->name_span, "%s gets its argument %s twice", builtin_name(call->builtin),
               formals[index].name);
        return false;
    }
    call->at[index] = argument->value;
    call->spans[index] = argument->span;
    call->is_named[index] = true;
    given[index] = true;
    return true;
}

// x.view(2, 3): the positional arguments from `first` on are one list.
static void place_rest(Call *call, int index, const CallArgumentList *arguments, int first,
                       int count) {
    call->spans[index] =
        span_join(arguments->at[first].span, arguments->at[first + count - 1].span);
    if (count == 1) {
        call->at[index] = arguments->at[first].value;
        return;
    }
    Val list = list_val(call->e, count);
    for (int i = 0; i < count; i++) {
        list.list.at[i] = arguments->at[first + i].value;
    }
    call->at[index] = list;
}

static bool place_arguments(Call *call, const Formal *formals, const CallArgumentList *arguments,
                            bool *given) {
    Elaborator *e = call->e;
    int positional = 0;
    while (positional < arguments->count && arguments->at[positional].name == NULL) {
        positional++;
    }
    for (int i = 0; i < positional; i++) {
        if (i < call->count && formals[i].takes_rest) {
            place_rest(call, i, arguments, i, positional - i);
            given[i] = true;
            break;
        }
        if (i >= call->count) {
            NameVec names = {0};
            Diag *diag = report(e, arguments->at[i].span, "%s takes %d argument%s, got %d",
                                builtin_name(call->builtin), call->count,
                                call->count == 1 ? "" : "s", arguments->count);
            hint(e, diag, "it takes %s", formal_list(e, formals, call->count, &names));
            return false;
        }
        call->at[i] = arguments->at[i].value;
        call->spans[i] = arguments->at[i].span;
        given[i] = true;
    }
    for (int i = positional; i < arguments->count; i++) {
        if (arguments->at[i].name == NULL) {
            report(e, arguments->at[i].span,
                   "an argument without a name cannot follow one with a "
                   "name");
            return false;
        }
        if (!place_keyword(call, formals, &arguments->at[i], given)) {
            return false;
        }
    }
    return true;
}

static bool fill_defaults(Call *call, const Formal *formals, const bool *given) {
    Elaborator *e = call->e;
    for (int i = 0; i < call->count; i++) {
        if (given[i]) {
            if (call->at[i].kind == VAL_NONE && formals[i].otherwise != NULL &&
                strcmp(formals[i].otherwise, "none") == 0) {
                continue;
            }
            if (!convert_argument(call, i, formals[i].kind)) {
                return false;
            }
            continue;
        }
        call->spans[i] = call->span;
        if (formals[i].otherwise == NULL) {
            NameVec names = {0};
            Diag *diag = report(e, call->span, "%s needs its argument %s",
                                builtin_name(call->builtin), formals[i].name);
            hint(e, diag, "it takes %s", formal_list(e, formals, call->count, &names));
            return false;
        }
        call->at[i] = read_default(e, formals[i].otherwise);
    }
    return true;
}

// What PyTorch's arithmetic means where all operands are bool.
static Op operator_of_bools(Elaborator *e, const Call *call, Op op) {
    if (promote_elements(e, call->at, call->count) != TYPE_BOOL) {
        return op;
    }
    switch (op) {
    case OP_mul:
    case OP_bit_and:
    case OP_minimum: return OP_logical_and;
    case OP_bit_or:
    case OP_maximum: return OP_logical_or;
    case OP_bit_xor: return OP_ne;
    default: return op;
    }
}

Val call_builtin(Elaborator *e, Span span, const Builtin *builtin,
                 const CallArgumentList *arguments) {
    for (int i = 0; i < arguments->count; i++) {
        if (is_error(arguments->at[i].value)) {
            return error_val();
        }
    }
    if (builtin->signature == NULL) {
        return call_operator(e, span, builtin, arguments);
    }
    Call call = {.e = e, .builtin = builtin, .span = span};
    Formal formals[CALL_ARGUMENTS_MAX];
    bool given[CALL_ARGUMENTS_MAX] = {false};
    call.count = read_signature(e->arena, builtin->signature, formals);
    for (int i = 0; i < call.count; i++) {
        call.names[i] = formals[i].name;
    }
    if (!place_arguments(&call, formals, arguments, given) ||
        !fill_defaults(&call, formals, given)) {
        return error_val();
    }
    at_span(e, span);
    if (builtin->handler == NULL) {
        for (int i = 0; i < call.count; i++) {
            if (!is_tensor_like(call.at[i])) {
                refuse_kind(&call, i, "a tensor or a number");
                return error_val();
            }
        }
        return elementwise(e, span, operator_of_bools(e, &call, builtin->op), call.at, call.spans);
    }
    return builtin->handler(&call);
}
