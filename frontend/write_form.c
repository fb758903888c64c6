// The form of each operator: how an instruction is written in the language. See write_internal.h.
#include <stdarg.h>
#include <string.h>

#include "frontend/builtins.h"
#include "frontend/write_internal.h"
#include "ir/attribute.h"

void add_text(Writer *w, PieceList *pieces, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    Piece piece = {arena_format_list(&w->arena, format, arguments), NULL, BINDS_NOT};
    va_end(arguments);
    vec_push(&w->arena, pieces, piece);
}

const char *dims_text(Writer *w, Dims dims) {
    Text text = text_new(&w->arena);
    text_add_char(&text, '[');
    for (int i = 0; i < dims.count; i++) {
        text_add(&text, i > 0 ? ", " : "");
        dim_print(&text, dims.at[i]);
    }
    text_add_char(&text, ']');
    return text_string(&text);
}

static const char *ints_text(Writer *w, Ints ints) {
    Text text = text_new(&w->arena);
    text_add_char(&text, '[');
    for (int i = 0; i < ints.count; i++) {
        text_format(&text, "%s%d", i > 0 ? ", " : "", ints.at[i]);
    }
    text_add_char(&text, ']');
    return text_string(&text);
}

bool is_callable_name(Writer *w, const char *name) {
    for (int i = 0; i < w->model->model->leaves.count; i++) {
        if (strcmp(w->model->model->leaves.at[i].name, name) == 0) {
            return false;
        }
    }
    return true;
}

// ---- literals

bool is_scalar_constant(const Value *value) {
    return value->definition != NULL && value->definition->op == OP_constant &&
           value->type.rank == 0;
}

static int64_t integer_element(const TensorData *data, int64_t index) {
    switch (data->type.element) {
    case TYPE_BOOL: return ((const bool *)data->bytes)[index];
    case TYPE_I32: return ((const int32_t *)data->bytes)[index];
    default: return ((const int64_t *)data->bytes)[index];
    }
}

static void add_number(Text *text, const TensorData *data, int64_t index) {
    ElementType element = data->type.element;
    if (element_is_real(element)) {
        bool single = element == TYPE_F32;
        text_add_real(text,
                      single ? ((const float *)data->bytes)[index]
                             : ((const double *)data->bytes)[index],
                      single);
        return;
    }
    int64_t number = integer_element(data, index);
    if (element == TYPE_BOOL) {
        text_add(text, number != 0 ? "true" : "false");
    } else if (number == INT64_MIN) {
        text_add(text, "-9223372036854775807 - 1");
    } else {
        text_format(text, "%lld", (long long)number);
    }
}

static const char *number_text(Writer *w, const Value *value) {
    Text text = text_new(&w->arena);
    add_number(&text, value->definition->attr.data, 0);
    return text_string(&text);
}

static const char *typed_literal(Writer *w, const Value *value) {
    return arena_format(&w->arena, "%s(%s)", element_name(value->type.element),
                        number_text(w, value));
}

static void add_list(Text *text, const TensorData *data, int axis, int64_t *next) {
    if (axis == data->type.rank) {
        add_number(text, data, (*next)++);
        return;
    }
    text_add_char(text, '[');
    for (int64_t i = 0; i < dim_value(data->type.dims[axis]); i++) {
        text_add(text, i > 0 ? ", " : "");
        add_list(text, data, axis + 1, next);
    }
    text_add_char(text, ']');
}

void add_value(Writer *w, PieceList *pieces, Value *value, Precedence needs, bool adapts) {
    if (!is_scalar_constant(value)) {
        Piece piece = {NULL, value, needs};
        vec_push(&w->arena, pieces, piece);
        return;
    }
    const char *text = adapts ? number_text(w, value) : typed_literal(w, value);
    bool is_loose = adapts && text[0] == '-';
    add_text(w, pieces, is_loose && needs > BINDS_SIGN ? "(%s)" : "%s", text);
}

// ---- elementwise operators

// An operand, as it may be written where broadcasting brings it to the shape of the others.
typedef struct Operand {
    Value *value;
    const char *reshaped; // the shape that it needs first; NULL: none
    Dims shape;
} Operand;

static Operand plain_operand(Value *value) {
    return (Operand){value, NULL, {value->type.dims, value->type.rank}};
}

static Operand spare_operand(Writer *w, Value *value) {
    const Inst *inst = value->definition;
    if (inst == NULL || inst->op != OP_broadcast) {
        return plain_operand(value);
    }
    Value *source = inst->operands[0];
    int rank = value->type.rank, from = source->type.rank;
    Operand operand = plain_operand(source);
    if (from == 0 || inst->attr.axes.at[0] == rank - from) {
        return operand;
    }
    // From the first of the axes on, with 1 for those that are new.
    int first = inst->attr.axes.at[0];
    const Dim **dims = arena_array(&w->arena, const Dim *, rank);
    for (int i = 0; i < rank - first; i++) {
        dims[i] = dim_constant(w->bounds.dims, 1);
    }
    for (int i = 0; i < from; i++) {
        dims[inst->attr.axes.at[i] - first] = source->type.dims[i];
    }
    operand.shape = (Dims){dims, rank - first};
    operand.reshaped = dims_text(w, operand.shape);
    return is_callable_name(w, "reshape") ? operand : plain_operand(value);
}

static bool broadcast_gives(const Operand *operands, int count, Type type) {
    for (int axis = 0; axis < type.rank; axis++) {
        bool covers = false;
        for (int i = 0; i < count && !covers; i++) {
            int own = axis - type.rank + operands[i].shape.count;
            covers = own >= 0 && dim_equal(operands[i].shape.at[own], type.dims[axis]);
        }
        if (!covers) {
            return false;
        }
    }
    return true;
}

// The operands of an elementwise operator with as little broadcasting written out as possible.
static void choose_operands(Writer *w, const Inst *inst, Operand *operands) {
    for (int i = 0; i < inst->operand_count; i++) {
        operands[i] = spare_operand(w, inst->operands[i]);
    }
    for (int i = inst->operand_count - 1;
         i >= 0 && !broadcast_gives(operands, inst->operand_count, inst->results[0]->type); i--) {
        operands[i] = plain_operand(inst->operands[i]);
    }
}

static void add_operand(Writer *w, PieceList *pieces, const Operand *operand, Precedence needs,
                        bool adapts) {
    if (operand->reshaped == NULL) {
        add_value(w, pieces, operand->value, needs, adapts);
        return;
    }
    add_text(w, pieces, "reshape(");
    add_value(w, pieces, operand->value, BINDS_NOT, false);
    add_text(w, pieces, ", %s)", operand->reshaped);
}

typedef struct Infix {
    Op op;
    const char *text;
    Precedence binds;
} Infix;

static const Infix infixes[] = {
    {OP_add, " + ", BINDS_SUM},
    {OP_sub, " - ", BINDS_SUM},
    {OP_mul, " * ", BINDS_PRODUCT},
    {OP_div, " / ", BINDS_PRODUCT},
    {OP_floor_divide, " // ", BINDS_PRODUCT},
    {OP_remainder, " % ", BINDS_PRODUCT},
    {OP_eq, " == ", BINDS_COMPARISON},
    {OP_ne, " != ", BINDS_COMPARISON},
    {OP_lt, " < ", BINDS_COMPARISON},
    {OP_le, " <= ", BINDS_COMPARISON},
    {OP_gt, " > ", BINDS_COMPARISON},
    {OP_ge, " >= ", BINDS_COMPARISON},
    {OP_logical_and, " and ", BINDS_AND},
    {OP_logical_or, " or ", BINDS_OR},
};

static void form_infix(Writer *w, const Operand *operands, const Infix *infix, Form *form) {
    bool left_is_literal = is_scalar_constant(operands[0].value);
    bool right_is_literal = is_scalar_constant(operands[1].value);
    Precedence left = infix->binds == BINDS_COMPARISON ? BINDS_SUM : infix->binds;
    form->precedence = infix->binds;
    add_operand(w, &form->pieces, &operands[0], left, !right_is_literal);
    add_text(w, &form->pieces, "%s", infix->text);
    add_operand(w, &form->pieces, &operands[1], infix->binds + 1,
                !left_is_literal || right_is_literal);
}

static const char *operator_function(Writer *w, Op op) {
    const char *name = op_info(op)->name;
    switch (op) {
    case OP_is_nan: name = "isnan"; break;
    case OP_sign_bit: name = "signbit"; break;
    case OP_bit_and: name = "bitwise_and"; break;
    case OP_bit_or: name = "bitwise_or"; break;
    case OP_bit_xor: name = "bitwise_xor"; break;
    case OP_shift_left: name = "bitwise_left_shift"; break;
    case OP_shift_right: name = "bitwise_right_shift"; break;
    case OP_round:
    case OP_pow:
    case OP_random_bits: name = "none"; break;
    default: break;
    }
    const Builtin *builtin = find_builtin(name);
    bool is_same = builtin != NULL && builtin->op == op && is_callable_name(w, name);
    return is_same ? name : arena_format(&w->arena, "ir_%s", op_info(op)->name);
}

static void form_call(Writer *w, const Inst *inst, Operand *operands, Form *form) {
    const char *name = operator_function(w, inst->op);
    bool is_exact = strncmp(name, "ir_", 3) == 0, has_tensor = false;
    add_text(w, &form->pieces, "%s(", name);
    for (int i = 0; i < inst->operand_count; i++) {
        if (is_exact) {
            operands[i] = plain_operand(inst->operands[i]);
        }
        has_tensor = has_tensor || !is_scalar_constant(operands[i].value);
    }
    for (int i = 0; i < inst->operand_count; i++) {
        add_text(w, &form->pieces, "%s", i > 0 ? ", " : "");
        add_operand(w, &form->pieces, &operands[i], BINDS_NOT, has_tensor && !is_exact);
    }
    add_text(w, &form->pieces, ")");
}

static void form_choice(Writer *w, const Operand *operands, Form *form) {
    bool adapts = !is_scalar_constant(operands[1].value) || !is_scalar_constant(operands[2].value);
    form->precedence = BINDS_CHOICE;
    add_operand(w, &form->pieces, &operands[0], BINDS_OR, false);
    add_text(w, &form->pieces, " ? ");
    add_operand(w, &form->pieces, &operands[1], BINDS_OR, adapts);
    add_text(w, &form->pieces, " : ");
    add_operand(w, &form->pieces, &operands[2], BINDS_OR, adapts);
}

static void form_elementwise(Writer *w, const Inst *inst, Form *form) {
    Operand operands[3];
    choose_operands(w, inst, operands);
    for (size_t i = 0; i < sizeof infixes / sizeof infixes[0]; i++) {
        if (infixes[i].op == inst->op) {
            form_infix(w, operands, &infixes[i], form);
            return;
        }
    }
    switch (inst->op) {
    case OP_neg:
        form->precedence = BINDS_SIGN;
        add_text(w, &form->pieces, "-");
        add_operand(w, &form->pieces, &operands[0], BINDS_SIGN, false);
        return;
    case OP_logical_not:
        form->precedence = BINDS_LOGICAL_NOT;
        add_text(w, &form->pieces, "not ");
        add_operand(w, &form->pieces, &operands[0], BINDS_LOGICAL_NOT, false);
        return;
    case OP_select: form_choice(w, operands, form); return;
    case OP_cast:
        add_text(w, &form->pieces, "%s(", element_name(inst->attr.element));
        add_operand(w, &form->pieces, &operands[0], BINDS_NOT, false);
        add_text(w, &form->pieces, ")");
        return;
    default: form_call(w, inst, operands, form); return;
    }
}

// ---- operators on tensors

// ir_NAME(operands, attributes): always right.
static void form_operator(Writer *w, const Inst *inst, Form *form) {
    const OpInfo *info = op_info(inst->op);
    int count;
    const AttributeField *fields = attribute_fields(info->attribute, &count);
    add_text(w, &form->pieces, "ir_%s(", info->name);
    for (int i = 0; i < inst->operand_count; i++) {
        add_text(w, &form->pieces, "%s", i > 0 ? ", " : "");
        add_value(w, &form->pieces, inst->operands[i], BINDS_NOT, false);
    }
    const char *separator = inst->operand_count > 0 ? ", " : "";
    for (int i = 0; i < count; i++) {
        const char *member = (const char *)&inst->attr + fields[i].offset;
        const char *name = fields[i].name;
        switch (fields[i].kind) {
        case FIELD_DIMS:
            add_text(w, &form->pieces, "%s%s=%s", separator, name,
                     dims_text(w, *(const Dims *)(const void *)member));
            break;
        case FIELD_INTS:
            add_text(w, &form->pieces, "%s%s=%s", separator, name,
                     ints_text(w, *(const Ints *)(const void *)member));
            break;
        case FIELD_INT:
            add_text(w, &form->pieces, "%s%s=%d", separator, name,
                     *(const int *)(const void *)member);
            break;
        case FIELD_FLAG:
            add_text(w, &form->pieces, "%s%s=%s", separator, name,
                     *(const bool *)(const void *)member ? "true" : "false");
            break;
        case FIELD_TEXT:
            add_text(w, &form->pieces, "%s%s=\"%s\"", separator, name,
                     *(const char *const *)(const void *)member);
            break;
        case FIELD_ELEMENT:
        case FIELD_DIM:
        case FIELD_FUNCTION: break; // cast, and operators with regions
        }
        separator = ", ";
    }
    if (inst->op == OP_iota) {
        Type type = inst->results[0]->type;
        add_text(w, &form->pieces, ", element=%s, shape=%s", element_name(type.element),
                 dims_text(w, (Dims){type.dims, type.rank}));
    }
    add_text(w, &form->pieces, ")");
}

static void form_unary_call(Writer *w, const Inst *inst, Form *form, const char *name,
                            const char *more) {
    add_text(w, &form->pieces, "%s(", name);
    add_value(w, &form->pieces, inst->operands[0], BINDS_NOT, false);
    add_text(w, &form->pieces, "%s)", more);
}

static bool form_constant(Writer *w, const Inst *inst, Form *form) {
    const TensorData *data = inst->attr.data;
    int64_t next = 0, count = type_elements(data->type);
    if (data->type.rank == 0) {
        add_text(w, &form->pieces, "%s", typed_literal(w, inst->results[0]));
        return true;
    }
    if (count == 0) {
        add_text(w, &form->pieces, "%s", zeros_text(w, data->type));
        return true;
    }
    Text text = text_new(&w->arena);
    add_list(&text, data, 0, &next);
    add_text(w, &form->pieces, "tensor(%s, dtype=%s)", text_string(&text),
             element_name(data->type.element));
    return true;
}

const char *zeros_text(Writer *w, Type type) {
    const char *element = element_name(type.element);
    if (type.rank == 0) {
        return type.element == TYPE_BOOL
                   ? "bool(false)"
                   : arena_format(&w->arena, "%s(%s)", element,
                                  element_is_real(type.element) ? "0.0" : "0");
    }
    const char *shape = dims_text(w, (Dims){type.dims, type.rank});
    if (is_callable_name(w, "zeros")) {
        return arena_format(&w->arena, "zeros(%s, dtype=%s)", shape, element);
    }
    return arena_format(&w->arena, "ir_broadcast(%s, shape=%s, axes=[])",
                        zeros_text(w, (Type){type.element, 0, NULL}), shape);
}

static bool form_broadcast(Writer *w, const Inst *inst, Form *form) {
    Value *source = inst->operands[0];
    Type type = inst->results[0]->type;
    const char *shape = dims_text(w, inst->attr.shape);
    if (is_scalar_constant(source) && is_callable_name(w, "full")) {
        const char *number = number_text(w, source);
        bool is_zero = strcmp(number, "0.0") == 0 || strcmp(number, "0") == 0;
        if (is_zero) {
            add_text(w, &form->pieces, "%s", zeros_text(w, type));
        } else {
            add_text(w, &form->pieces, "full(%s, %s, dtype=%s)", shape, number,
                     element_name(type.element));
        }
        return true;
    }
    bool is_trailing =
        source->type.rank == 0 || inst->attr.axes.at[0] == type.rank - source->type.rank;
    if (!is_trailing || is_scalar_constant(source) || !is_callable_name(w, "expand")) {
        return false;
    }
    add_text(w, &form->pieces, "expand(");
    add_value(w, &form->pieces, source, BINDS_NOT, false);
    add_text(w, &form->pieces, ", %s)", shape);
    return true;
}

static bool form_reduce(Writer *w, const Inst *inst, Form *form, const char *name) {
    const Value *x = inst->operands[0];
    bool is_bool = x->type.element == TYPE_BOOL;
    bool fits = inst->op == OP_reduce_sum || inst->op == OP_reduce_prod
                    ? element_is_real(x->type.element)
                    : !is_bool;
    if (!fits || !is_callable_name(w, name) || inst->attr.axes.count == 0) {
        return false;
    }
    const char *more = "";
    if (inst->attr.axes.count < x->type.rank) {
        more = inst->attr.axes.count == 1
                   ? arena_format(&w->arena, ", dim=%d", inst->attr.axes.at[0])
                   : arena_format(&w->arena, ", dim=%s", ints_text(w, inst->attr.axes));
    }
    form_unary_call(w, inst, form, name, more);
    return true;
}

// x @ y: the last axis of x with the first of y, without batches.
static bool is_matrix_product(const Inst *inst) {
    const char *labels = inst->attr.labels, *comma = strchr(labels, ',');
    const char *arrow = strstr(labels, "->");
    int left = (int)(comma - labels), right = (int)(arrow - comma) - 1;
    if (left < 1 || left > 2 || right < 1 || right > 2 || comma[-1] != comma[1]) {
        return false;
    }
    const char *result = arrow + 2;
    int count = 0;
    bool fits = true;
    if (left == 2) {
        fits = result[count++] == labels[0] && labels[0] != comma[-1];
    }
    if (right == 2) {
        fits = fits && result[count++] == comma[2] && comma[2] != comma[1];
    }
    return fits && result[count] == '\0';
}

static bool form_contract(Writer *w, const Inst *inst, Form *form) {
    Value *const *x = inst->operands;
    if (x[0]->type.rank == 0 || x[1]->type.rank == 0 || !element_is_real(x[0]->type.element)) {
        return false;
    }
    if (is_matrix_product(inst)) {
        form->precedence = BINDS_PRODUCT;
        add_value(w, &form->pieces, x[0], BINDS_PRODUCT, false);
        add_text(w, &form->pieces, " @ ");
        add_value(w, &form->pieces, x[1], BINDS_PRODUCT + 1, false);
        return true;
    }
    if (!is_callable_name(w, "einsum")) {
        return false;
    }
    add_text(w, &form->pieces, "einsum(\"%s\", ", inst->attr.labels);
    add_value(w, &form->pieces, x[0], BINDS_NOT, false);
    add_text(w, &form->pieces, ", ");
    add_value(w, &form->pieces, x[1], BINDS_NOT, false);
    add_text(w, &form->pieces, ")");
    return true;
}

static bool form_concat(Writer *w, const Inst *inst, Form *form) {
    if (!is_callable_name(w, "cat") || inst->operand_count < 2) {
        return false;
    }
    add_text(w, &form->pieces, "cat([");
    for (int i = 0; i < inst->operand_count; i++) {
        add_text(w, &form->pieces, "%s", i > 0 ? ", " : "");
        add_value(w, &form->pieces, inst->operands[i], BINDS_NOT, false);
    }
    add_text(w, &form->pieces, "], dim=%d)", inst->attr.axis);
    return true;
}

static bool form_subscripts(Writer *w, const Inst *inst, Form *form) {
    Value *const *x = inst->operands;
    PieceList subscripts = {0};
    bool has_array, is_store = inst->op != OP_gather;
    if (!is_store) {
        if (!add_subscripts(w, &subscripts, x[0]->type, x + 1, inst->results[0]->type,
                            &has_array)) {
            return false;
        }
        add_value(w, &form->pieces, x[0], BINDS_ATOM, false);
        add_text(w, &form->pieces, "[");
        for (int i = 0; i < subscripts.count; i++) {
            vec_push(&w->arena, &form->pieces, subscripts.at[i]);
        }
        add_text(w, &form->pieces, "]");
        return true;
    }
    if (!add_subscripts(w, &subscripts, x[0]->type, x + 2, x[1]->type, &has_array) ||
        (inst->op == OP_scatter_add && (has_array || x[0]->type.element == TYPE_BOOL))) {
        return false;
    }
    Operand stored = spare_operand(w, x[1]);
    form->kind = FORM_STORE;
    form->base = x[0];
    form->pieces = subscripts;
    form->assign = inst->op == OP_scatter_add ? " += " : " = ";
    add_operand(w, &form->stored, &stored, BINDS_NOT, true);
    return true;
}

static bool form_shape(Writer *w, const Inst *inst, Form *form) {
    switch (inst->op) {
    case OP_reshape: {
        const Inst *slice = inst->operands[0]->definition;
        if (slice != NULL && slice->op == OP_slice && slice->parent == inst->parent &&
            add_slices(w, &form->pieces, slice, inst)) {
            return true;
        }
        if (!is_callable_name(w, "reshape")) {
            return false;
        }
        form_unary_call(w, inst, form, "reshape",
                        arena_format(&w->arena, ", %s", dims_text(w, inst->attr.shape)));
        return true;
    }
    case OP_transpose:
        if (inst->operands[0]->type.rank == 2) {
            add_value(w, &form->pieces, inst->operands[0], BINDS_ATOM, false);
            add_text(w, &form->pieces, ".T");
            return true;
        }
        if (!is_callable_name(w, "permute")) {
            return false;
        }
        form_unary_call(w, inst, form, "permute",
                        arena_format(&w->arena, ", %s", ints_text(w, inst->attr.axes)));
        return true;
    default: return add_slices(w, &form->pieces, inst, NULL);
    }
}

static bool form_along_axis(Writer *w, const Inst *inst, Form *form, const char *name) {
    if (!is_callable_name(w, name) || inst->attr.reverse) {
        return false;
    }
    form_unary_call(w, inst, form, name, arena_format(&w->arena, ", dim=%d", inst->attr.axis));
    return true;
}

// False: form_operator writes it.
static bool form_tensor(Writer *w, const Inst *inst, Form *form) {
    Type type = inst->results[0]->type;
    switch (inst->op) {
    case OP_constant: return form_constant(w, inst, form);
    case OP_iota:
        if (type.rank != 1 || type.element != TYPE_I64 || !is_callable_name(w, "arange")) {
            return false;
        }
        add_text(w, &form->pieces, "arange(%lld)", (long long)dim_value(type.dims[0]));
        return true;
    case OP_broadcast: return form_broadcast(w, inst, form);
    case OP_reshape:
    case OP_transpose:
    case OP_slice: return form_shape(w, inst, form);
    case OP_concat: return form_concat(w, inst, form);
    case OP_gather:
    case OP_scatter_add:
    case OP_scatter_set: return form_subscripts(w, inst, form);
    case OP_reduce_sum: return form_reduce(w, inst, form, "sum");
    case OP_reduce_prod: return false;
    case OP_reduce_max: return form_reduce(w, inst, form, "amax");
    case OP_reduce_min: return form_reduce(w, inst, form, "amin");
    case OP_argmax: return form_along_axis(w, inst, form, "argmax");
    case OP_argmin: return form_along_axis(w, inst, form, "argmin");
    case OP_cumsum:
        return element_is_real(type.element) && form_along_axis(w, inst, form, "cumsum");
    case OP_contract: return form_contract(w, inst, form);
    default: return false;
    }
}

static void form_function_call(Writer *w, const Inst *inst, Form *form) {
    form->kind = inst->result_count == 1 ? FORM_EXPRESSION : FORM_REGIONS;
    add_text(w, &form->pieces, "%s(", function_name(w, inst->attr.callee));
    for (int i = 0; i < inst->operand_count; i++) {
        add_text(w, &form->pieces, "%s", i > 0 ? ", " : "");
        add_value(w, &form->pieces, inst->operands[i], BINDS_NOT, false);
    }
    add_text(w, &form->pieces, ")");
}

Form *make_form(Writer *w, Inst *inst) {
    Form *form = arena_new(&w->arena, Form);
    form->precedence = BINDS_ATOM;
    if (inst->op == OP_call) {
        form_function_call(w, inst, form);
    } else if (inst->region_count > 0) {
        form->kind = FORM_REGIONS;
    } else if (op_info(inst->op)->elementwise) {
        form_elementwise(w, inst, form);
    } else if (inst->op == OP_dimension) {
        unreachable("a size that is not known");
    } else if (!form_tensor(w, inst, form)) {
        form->pieces.count = 0;
        form_operator(w, inst, form);
    }
    return form;
}
