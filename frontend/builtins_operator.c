// Operators of the IR by their own names: ir_gather(x, i, j), ir_pad(x, 0.0, low=[1], high=[0],
// step=[1]). Operands are tensors of exactly the types that the operator takes, attributes have the
// names that they have in the IR's text form. Programs that the compiler writes use them where the
// language has no other spelling.
#include "frontend/builtins.h"

#include <string.h>

#include "ir/attribute.h"
#include "ir/op.h"

static const Builtin operators[] = {
#define ELEMENTWISE(name, arity, rule, derivative, form, traits, value, meaning)                   \
    {"ir_" #name, NULL, NULL, OP_##name, meaning},
#define TENSOR(name, arity, attribute, derivative, traits, meaning)                                \
    {"ir_" #name, NULL, NULL, OP_##name, meaning},
#include "ir/ops.def"
};

// What needs more than values and attributes to be written.
static bool has_a_call(Op op) {
    return (op_info(op)->traits & STRUCTURED) == 0 && op != OP_constant && op != OP_dimension;
}

const Builtin *find_operator(const char *name) {
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (strcmp(operators[i].name, name) == 0 && has_a_call(operators[i].op)) {
            return &operators[i];
        }
    }
    return NULL;
}

typedef struct OperatorCall {
    Elaborator *e;
    Span span;
    const Builtin *builtin;
    Attribute attribute;
    Value **operands;
    int count;
} OperatorCall;

// The fields of the IR's text form, and for iota those that stand in its type there.
static int fields_of(const OpInfo *info, AttributeField *fields) {
    int count;
    const AttributeField *known = attribute_fields(info->attribute, &count);
    memcpy(fields, known, (size_t)count * sizeof *fields);
    if (info->attribute == ATTRIBUTE_iota) {
        fields[count++] = (AttributeField){"element", FIELD_ELEMENT, offsetof(Attribute, element)};
        fields[count++] = (AttributeField){"shape", FIELD_DIMS, offsetof(Attribute, shape)};
    }
    return count;
}

static bool set_dims(OperatorCall *call, const CallArgument *argument, Dims *dims) {
    Elaborator *e = call->e;
    const Dim **at;
    if (argument->value.kind != VAL_LIST) {
        report(e, argument->span, "%s needs %s to be a list", call->builtin->name, argument->name);
        return false;
    }
    ValList list = argument->value.list;
    *dims = make_dims(e, list.count, &at);
    for (int i = 0; i < list.count; i++) {
        if (!val_to_dim(e, list.at[i], argument->span, argument->name, &at[i])) {
            return false;
        }
    }
    return true;
}

static bool narrow_int(OperatorCall *call, const CallArgument *argument, Val val, int *number) {
    int64_t wide;
    if (!val_to_int(call->e, val, argument->span, argument->name, &wide)) {
        return false;
    }
    if (wide < INT32_MIN || wide > INT32_MAX) {
        report(call->e, argument->span, "%s of %s is too large", argument->name,
               call->builtin->name);
        return false;
    }
    *number = (int)wide;
    return true;
}

static bool set_ints(OperatorCall *call, const CallArgument *argument, Ints *ints) {
    Elaborator *e = call->e;
    if (argument->value.kind != VAL_LIST) {
        report(e, argument->span, "%s needs %s to be a list", call->builtin->name, argument->name);
        return false;
    }
    ValList list = argument->value.list;
    int *at = arena_array(e->module->arena, int, list.count);
    for (int i = 0; i < list.count; i++) {
        if (!narrow_int(call, argument, list.at[i], &at[i])) {
            return false;
        }
    }
    *ints = (Ints){at, list.count};
    return true;
}

static bool set_field(OperatorCall *call, const CallArgument *argument,
                      const AttributeField *field) {
    Elaborator *e = call->e;
    char *member = (char *)&call->attribute + field->offset;
    Val val = argument->value;
    const char *needs = "a type such as f32";
    switch (field->kind) {
    case FIELD_DIMS: return set_dims(call, argument, (Dims *)(void *)member);
    case FIELD_INTS: return set_ints(call, argument, (Ints *)(void *)member);
    case FIELD_INT: return narrow_int(call, argument, val, (int *)(void *)member);
    case FIELD_ELEMENT:
        if (val.kind == VAL_ELEMENT) {
            *(ElementType *)(void *)member = val.element;
            return true;
        }
        break;
    case FIELD_FLAG:
        if (val.kind == VAL_BOOL) {
            *(bool *)(void *)member = val.boolean;
            return true;
        }
        needs = "true or false";
        break;
    case FIELD_TEXT:
        if (val.kind == VAL_STRING) {
            *(const char **)(void *)member = val.string;
            return true;
        }
        needs = "a string";
        break;
    case FIELD_DIM:
    case FIELD_FUNCTION: unreachable("an operator with regions or a callee has no call");
    }
    report(e, argument->span, "%s needs %s to be %s, got %s", call->builtin->name, argument->name,
           needs, describe(e, val));
    return false;
}

static bool place_attribute(OperatorCall *call, const CallArgument *argument,
                            const AttributeField *fields, int count, bool *given) {
    Elaborator *e = call->e;
    NameVec names = {0};
    for (int i = 0; i < count; i++) {
        if (strcmp(fields[i].name, argument->name) == 0) {
            given[i] = true;
            return set_field(call, argument, &fields[i]);
        }
        vec_push(e->arena, &names, fields[i].name);
    }
    Diag *diag = report(e, argument->name_span, "%s has no argument %s", call->builtin->name,
                        argument->name);
    if (count > 0) {
        hint(e, diag, "it takes tensors, then %s", join_names(e, &names));
    } else {
        hint(e, diag, "it takes tensors");
    }
    return false;
}

static bool place_operand(OperatorCall *call, const CallArgument *argument) {
    Elaborator *e = call->e;
    if (!is_tensor_like(argument->value)) {
        report(e, argument->span, "%s needs tensors, got %s", call->builtin->name,
               describe(e, argument->value));
        return false;
    }
    Value *value = as_tensor(e, argument->value, argument->span);
    call->operands[call->count++] = value;
    return value != NULL;
}

Val call_operator(Elaborator *e, Span span, const Builtin *builtin,
                  const CallArgumentList *arguments) {
    const OpInfo *info = op_info(builtin->op);
    AttributeField fields[ATTRIBUTE_FIELDS_MAX + 2];
    bool given[ATTRIBUTE_FIELDS_MAX + 2] = {false};
    int count = fields_of(info, fields);
    OperatorCall call = {.e = e, .span = span, .builtin = builtin};
    call.operands = arena_array(e->arena, Value *, arguments->count);
    for (int i = 0; i < arguments->count; i++) {
        const CallArgument *argument = &arguments->at[i];
        if (argument->name == NULL ? !place_operand(&call, argument)
                                   : !place_attribute(&call, argument, fields, count, given)) {
            return error_val();
        }
    }
    for (int i = 0; i < count; i++) {
        if (!given[i] && fields[i].kind != FIELD_FLAG) {
            report(e, span, "%s needs its argument %s", builtin->name, fields[i].name);
            return error_val();
        }
    }
    if (info->arity >= 0 ? call.count != info->arity : call.count == 0) {
        report(e, span, "%s takes %d tensor%s, got %d", builtin->name,
               info->arity < 0 ? 1 : info->arity, info->arity == 1 ? "" : "s", call.count);
        return error_val();
    }
    Value *result = emit(e, span, builtin->op, call.operands, call.count, &call.attribute);
    return result == NULL ? error_val() : tensor_val(result);
}
