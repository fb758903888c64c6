// Arithmetic with options, choice, conversion and products.
#include "frontend/builtins.h"

#include <stdio.h>
#include <string.h>

static Val scaled(Call *call, BinaryOp op) {
    Elaborator *e = call->e;
    Val y = call->at[1];
    double alpha = number_at(call, 2);
    if (call->at[2].kind == VAL_REAL && (is_tensor(call->at[0]) || is_tensor(call->at[1])) &&
        !element_is_real(promote_elements(e, call->at, 2))) {
        report(e, call->spans[2], "%s needs alpha to be a whole number for integers",
               builtin_name(call->builtin));
        return error_val();
    }
    if (alpha != 1) {
        Val factor = alpha == (int64_t)alpha ? number_val(e, (int64_t)alpha) : real_val(alpha);
        y = binary_operator(e, call->span, BINARY_MULTIPLY, factor, call->spans[2], y,
                            call->spans[1]);
    }
    return binary_operator(e, call->span, op, call->at[0], call->spans[0], y, call->spans[1]);
}

// Of bools, x or (y and alpha != 0).
static Val add_bools(Call *call) {
    if (call->at[2].kind == VAL_REAL) {
        report(call->e, call->spans[2], "add needs alpha to be a whole number for bools");
        return error_val();
    }
    if (number_at(call, 2) == 0) {
        Val nothing[2] = {call->at[1], bool_val(false)};
        call->at[1] = elementwise(call->e, call->span, OP_logical_and, nothing, call->spans);
    }
    return elementwise(call->e, call->span, OP_logical_or, call->at, call->spans);
}

Val builtin_add(Call *call) {
    return is_bool_tensor(call->at[0]) && is_bool_tensor(call->at[1]) ? add_bools(call)
                                                                      : scaled(call, BINARY_ADD);
}

Val builtin_sub(Call *call) {
    return scaled(call, BINARY_SUBTRACT);
}

Val builtin_div(Call *call) {
    Elaborator *e = call->e;
    if (!is_given(call, 2)) {
        return binary_operator(e, call->span, BINARY_DIVIDE, call->at[0], call->spans[0],
                               call->at[1], call->spans[1]);
    }
    bool is_floor = strcmp(string_at(call, 2), "floor") == 0;
    if (!is_floor && strcmp(string_at(call, 2), "trunc") != 0) {
        report(e, call->spans[2], "rounding_mode is none, \"trunc\" or \"floor\", got \"%s\"",
               string_at(call, 2));
        return error_val();
    }
    if (is_floor) {
        return binary_operator(e, call->span, BINARY_FLOOR_DIVIDE, call->at[0], call->spans[0],
                               call->at[1], call->spans[1]);
    }
    ElementType element = promote_elements(e, call->at, 2);
    if (element_is_integer(element)) {
        return call_prelude(call, "truncated_quotient", call->at, 2);
    }
    Val quotient = binary_operator(e, call->span, BINARY_DIVIDE, call->at[0], call->spans[0],
                                   call->at[1], call->spans[1]);
    return is_error(quotient) ? quotient
                              : elementwise(e, call->span, OP_trunc, &quotient, &call->span);
}

// Of integers too.
Val builtin_fmod(Call *call) {
    bool are_tensors = is_tensor(call->at[0]) || is_tensor(call->at[1]);
    if (are_tensors && element_is_integer(promote_elements(call->e, call->at, 2))) {
        return call_prelude(call, "truncated_remainder", call->at, 2);
    }
    return elementwise(call->e, call->span, OP_fmod, call->at, call->spans);
}

Val builtin_pow(Call *call) {
    return binary_operator(call->e, call->span, BINARY_POWER, call->at[0], call->spans[0],
                           call->at[1], call->spans[1]);
}

Val builtin_where(Call *call) {
    Elaborator *e = call->e;
    if (call->at[0].kind == VAL_BOOL && is_static_scalar(call->at[1]) &&
        is_static_scalar(call->at[2])) {
        return call->at[call->at[0].boolean ? 1 : 2];
    }
    return select_val(e, call->span, call->at[0], call->spans[0], call->at[1], call->spans[1],
                      call->at[2], call->spans[2]);
}

Val builtin_cast(Call *call) {
    Elaborator *e = call->e;
    ElementType element = call->at[1].element;
    Val x = call->at[0];
    double number;
    if (is_static_scalar(x) && element == TYPE_BOOL && val_known_real(x, &number)) {
        return tensor_val(build_scalar_integer(&e->builder, TYPE_BOOL, number != 0));
    }
    if (is_static_scalar(x) && element_is_integer(element) && val_known_real(x, &number) &&
        x.kind == VAL_REAL) {
        return tensor_val(
            build_scalar_integer(&e->builder, element, scalar_integer_from_real(element, number)));
    }
    Value *value = to_tensor(e, x, call->spans[0], element);
    at_span(e, call->span);
    return tensor_val(convert(e, value, element));
}

Val builtin_tensor(Call *call) {
    Elaborator *e = call->e;
    ElementType wanted = element_at(call, 1, ELEMENT_TYPE_COUNT);
    Value *value = to_tensor(e, call->at[0], call->spans[0], wanted);
    at_span(e, call->span);
    return tensor_val(wanted == ELEMENT_TYPE_COUNT ? value : convert(e, value, wanted));
}

Val builtin_detach(Call *call) {
    Value *x = tensor_at(call, 0);
    return tensor_val(element_is_real(x->type.element) ? build_detach(&call->e->builder, x) : x);
}

Val builtin_error(Call *call) {
    report(call->e, call->span, "%s", string_at(call, 0));
    // Nothing of the prelude's functions around it is looked at any more.
    for (Frame *frame = call->e->frame;
         frame != NULL && frame->function != NULL && frame->function->is_prelude;
         frame = frame->caller) {
        frame->returned = true;
        frame->result = error_val();
    }
    return error_val();
}

Val builtin_is_floating_point(Call *call) {
    ElementType element;
    int rank;
    return bool_val(val_element(call->e, call->at[0], &element, &rank) && element_is_real(element));
}

Val builtin_is_bool(Call *call) {
    return bool_val(call->at[0].kind == VAL_BOOL);
}

Val builtin_joint_shape(Call *call) {
    Type x = tensor_at(call, 0)->type, y = tensor_at(call, 1)->type;
    Dims shape;
    return broadcast_shapes(call->e, call->span, "these tensors:", x, y, &shape)
               ? shape_val(call->e, (Type){x.element, shape.count, shape.at})
               : error_val();
}

Val builtin_is_tensor(Call *call) {
    return bool_val(is_tensor(call->at[0]));
}

// ---- products

static bool has_rank(Call *call, int index, int rank) {
    Value *x = tensor_at(call, index);
    if (x->type.rank == rank) {
        return true;
    }
    Diag *diag = report(call->e, call->spans[index], "%s needs %s with %d ax%s, got %s",
                        builtin_name(call->builtin), call->names[index], rank,
                        rank == 1 ? "is" : "es", show_value_type(call->e, x));
    hint(call->e, diag, "matmul(x, y), or x @ y, takes tensors of every rank");
    return false;
}

Val builtin_matmul(Call *call) {
    return matmul(call->e, call->span, tensor_at(call, 0), tensor_at(call, 1));
}

Val builtin_mm(Call *call) {
    return has_rank(call, 0, 2) && has_rank(call, 1, 2) ? builtin_matmul(call) : error_val();
}

Val builtin_mv(Call *call) {
    return has_rank(call, 0, 2) && has_rank(call, 1, 1) ? builtin_matmul(call) : error_val();
}

Val builtin_dot(Call *call) {
    return has_rank(call, 0, 1) && has_rank(call, 1, 1) ? builtin_matmul(call) : error_val();
}

Val builtin_bmm(Call *call) {
    if (!has_rank(call, 0, 3) || !has_rank(call, 1, 3)) {
        return error_val();
    }
    Type x = tensor_at(call, 0)->type, y = tensor_at(call, 1)->type;
    if (!dim_equal(x.dims[0], y.dims[0])) {
        report_sizes(call->e, call->span, !type_is_static(x) || !type_is_static(y),
                     "bmm needs equally many matrices, got %s and %s",
                     type_string(call->e->arena, x), type_string(call->e->arena, y));
        return error_val();
    }
    return builtin_matmul(call);
}

Val builtin_outer(Call *call) {
    Elaborator *e = call->e;
    if (!has_rank(call, 0, 1) || !has_rank(call, 1, 1)) {
        return error_val();
    }
    Value *x = tensor_at(call, 0);
    Value *column = reshape_value(e, x, shape_with(call, x->type, 1, constant_of(call, 1)));
    Val operands[2] = {tensor_val(column), call->at[1]};
    if (is_bool_tensor(operands[0]) && is_bool_tensor(operands[1])) {
        return elementwise(e, call->span, OP_logical_and, operands, call->spans);
    }
    return binary_operator(e, call->span, BINARY_MULTIPLY, operands[0], call->spans[0], operands[1],
                           call->spans[1]);
}

// ---- einsum

enum { EINSUM_OPERANDS_MAX = 16, EINSUM_AXES_MAX = 32, ELLIPSIS_AXES_MAX = 10 };

// One operand's value with one letter for each axis. The axes of `...` have letters of their own.
typedef struct Labelled {
    Value *value;
    char labels[EINSUM_AXES_MAX + 1];
} Labelled;

static char ellipsis_letter(int from_end) {
    return (char)(1 + from_end); // below all letters; replaced before IR is built
}

// Reads one operand's labels; `...` becomes letters counted from its end. False after an error.
static bool read_labels(Call *call, const char *text, size_t length, Value *value, char *labels) {
    int count = 0, letters = 0;
    int rank = value == NULL ? -1 : value->type.rank;
    for (size_t i = 0; i < length; i++) {
        letters += text[i] != ' ' && text[i] != '.';
    }
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (c == ' ') {
            continue;
        }
        if (c == '.' && i + 2 < length && text[i + 1] == '.' && text[i + 2] == '.') {
            int extra = rank - letters;
            if (extra < 0 || extra > ELLIPSIS_AXES_MAX) {
                extra = 0;
            }
            for (int k = extra; k > 0; k--) {
                labels[count++] = ellipsis_letter(k);
            }
            i += 2;
            continue;
        }
        if (!is_letter || count >= EINSUM_AXES_MAX) {
            report(call->e, call->spans[0], "einsum: '%c' is not a label; labels are letters", c);
            return false;
        }
        labels[count++] = c;
    }
    labels[count] = '\0';
    if (value != NULL && count != rank) {
        report(call->e, call->spans[0], "einsum: operand %s has %d axes, but the labels \"%.*s\"",
               show_value_type(call->e, value), rank, (int)length, text);
        return false;
    }
    return true;
}

// Takes the diagonal where a label stands twice in one operand.
static void take_repeated(Call *call, Labelled *operand) {
    Elaborator *e = call->e;
    for (int i = 0; operand->labels[i] != '\0'; i++) {
        char *again = strchr(operand->labels + i + 1, operand->labels[i]);
        if (again == NULL) {
            continue;
        }
        int second = (int)(again - operand->labels), rank = operand->value->type.rank;
        const Dim *const *dims = operand->value->type.dims;
        if (!dim_equal(dims[i], dims[second])) {
            report_sizes(e, call->spans[0], true,
                         "einsum: label '%c' stands twice in the labels of %s, for axes of "
                         "different sizes",
                         operand->labels[i], show_value_type(e, operand->value));
            operand->value = NULL;
            return;
        }
        Dims shape = shape_without(call, operand->value->type, second);
        Value **operands = arena_array(e->arena, Value *, rank + 1);
        operands[0] = operand->value;
        for (int axis = 0; axis < rank; axis++) {
            int from = axis == second ? i : axis < second ? axis : axis - 1;
            operands[axis + 1] = iota_axis(call, shape, from);
        }
        operand->value = emit(e, call->span, OP_gather, operands, rank + 1, NULL);
        memmove(again, again + 1, strlen(again));
        if (operand->value == NULL) {
            return;
        }
        i--;
    }
}

// Sums the labels that neither `kept` nor the result needs.
static void sum_unneeded(Call *call, Labelled *operand, const char *kept, const char *result) {
    int axes[EINSUM_AXES_MAX], count = 0, left = 0;
    char labels[EINSUM_AXES_MAX + 1];
    for (int i = 0; operand->labels[i] != '\0'; i++) {
        if (strchr(kept, operand->labels[i]) == NULL &&
            strchr(result, operand->labels[i]) == NULL) {
            axes[count++] = i;
        } else {
            labels[left++] = operand->labels[i];
        }
    }
    labels[left] = '\0';
    int *stored = arena_array(call->e->module->arena, int, count);
    for (int i = 0; i < count; i++) {
        stored[i] = axes[i];
    }
    operand->value = reduce(call, OP_reduce_sum, operand->value, (Ints){stored, count}, false);
    strcpy(operand->labels, labels);
}

// Drops axes of size 1 that the other operand has with another size: broadcasting.
static void drop_broadcast(Call *call, Labelled *operand, const Labelled *other) {
    for (int i = 0; operand->labels[i] != '\0'; i++) {
        const char *match = strchr(other->labels, operand->labels[i]);
        if (match != NULL && dim_equal(operand->value->type.dims[i], constant_of(call, 1)) &&
            !dim_equal(other->value->type.dims[match - other->labels], constant_of(call, 1))) {
            operand->value = reshape_value(call->e, operand->value,
                                           shape_without(call, operand->value->type, i));
            memmove(operand->labels + i, operand->labels + i + 1, strlen(operand->labels + i));
            i--;
        }
    }
}

// Letters for the IR: the ellipsis axes get some that are not in use.
static const char *ir_labels(Call *call, const char *x, const char *y, const char *result) {
    char text[3 * EINSUM_AXES_MAX + 8], spare[ELLIPSIS_AXES_MAX + 2] = {0};
    snprintf(text, sizeof text, "%s,%s->%s", x, y, result);
    char next = 'a';
    for (char *c = text; *c != '\0'; c++) {
        if (*c > ELLIPSIS_AXES_MAX + 1) {
            continue;
        }
        if (spare[(int)*c] == '\0') {
            while (strchr(text, next) != NULL) {
                next = next == 'z' ? 'A' : (char)(next + 1);
            }
            spare[(int)*c] = next;
        }
        *c = spare[(int)*c];
    }
    return arena_copy_string(call->e->module->arena, text);
}

static bool contract_pair(Call *call, Labelled *x, Labelled *y, const char *later) {
    char result[EINSUM_AXES_MAX + 1];
    int count = 0;
    sum_unneeded(call, x, y->labels, later);
    sum_unneeded(call, y, x->labels, later);
    if (x->value == NULL || y->value == NULL) {
        return false;
    }
    drop_broadcast(call, x, y);
    drop_broadcast(call, y, x);
    for (int side = 0; side < 2; side++) {
        for (const char *c = side == 0 ? x->labels : y->labels; *c != '\0'; c++) {
            if (strchr(later, *c) != NULL && memchr(result, *c, (size_t)count) == NULL &&
                count < EINSUM_AXES_MAX) {
                result[count++] = *c;
            }
        }
    }
    result[count] = '\0';
    // A label that only one side has after broadcasting, and that nobody needs, is summed first.
    sum_unneeded(call, x, y->labels, later);
    sum_unneeded(call, y, x->labels, later);
    Attribute attribute = {.labels = ir_labels(call, x->labels, y->labels, result)};
    Value *operands[2] = {x->value, y->value};
    x->value = emit(call->e, call->span, OP_contract, operands, 2, &attribute);
    strcpy(x->labels, result);
    return x->value != NULL;
}

static bool arrange_result(Call *call, Labelled *value, const char *result) {
    sum_unneeded(call, value, result, result);
    int rank = (int)strlen(result), *axes = arena_array(call->e->module->arena, int, rank);
    for (int i = 0; i < rank; i++) {
        const char *found = strchr(value->labels, result[i]);
        if (found == NULL || strchr(result + i + 1, result[i]) != NULL) {
            report(call->e, call->spans[0], "einsum: the result's label '%c' stands %s", result[i],
                   found == NULL ? "in no operand" : "twice");
            return false;
        }
        axes[i] = (int)(found - value->labels);
    }
    Attribute attribute = {.axes = {axes, rank}};
    value->value = emit(call->e, call->span, OP_transpose, &value->value, 1, &attribute);
    return value->value != NULL;
}

// Without an arrow: the labels that stand once, in the order of the alphabet, after `...`.
static void implicit_result(const Labelled *operands, int count, char *result) {
    int length = 0;
    for (int c = 127; c > 0; c--) {
        int times = 0;
        bool is_letter = c > ELLIPSIS_AXES_MAX + 1;
        for (int i = 0; i < count; i++) {
            for (const char *label = operands[i].labels; *label != '\0'; label++) {
                times += *label == c;
            }
        }
        if (!is_letter && times > 0 && length < EINSUM_AXES_MAX) {
            result[length++] = (char)c;
        }
    }
    for (int c = ELLIPSIS_AXES_MAX + 2; c < 128; c++) {
        int times = 0;
        for (int i = 0; i < count; i++) {
            for (const char *label = operands[i].labels; *label != '\0'; label++) {
                times += *label == c;
            }
        }
        if (times == 1 && length < EINSUM_AXES_MAX) {
            result[length++] = (char)c;
        }
    }
    result[length] = '\0';
}

static bool read_result(Call *call, const char *text, const Labelled *operands, int count,
                        char *result) {
    char written[EINSUM_AXES_MAX + 1], open[EINSUM_AXES_MAX + 1];
    int length = 0, letters = 0;
    implicit_result(operands, count, open);
    while (open[letters] != '\0' && open[letters] <= ELLIPSIS_AXES_MAX + 1) {
        letters++;
    }
    const char *dots = strstr(text, "...");
    size_t before = dots == NULL ? strlen(text) : (size_t)(dots - text);
    if (!read_labels(call, text, before, NULL, written)) {
        return false;
    }
    length = snprintf(result, EINSUM_AXES_MAX + 1, "%s", written);
    if (dots == NULL) {
        return true;
    }
    for (int i = 0; i < letters && length < EINSUM_AXES_MAX; i++) {
        result[length++] = open[i];
    }
    result[length] = '\0';
    if (!read_labels(call, dots + 3, strlen(dots + 3), NULL, written)) {
        return false;
    }
    snprintf(result + length, (size_t)(EINSUM_AXES_MAX + 1 - length), "%s", written);
    return true;
}

static bool read_operands(Call *call, Labelled *operands, int count, const char **arrow,
                          char *result) {
    Elaborator *e = call->e;
    const ValList *list = &call->at[1].list;
    const char *text = string_at(call, 0);
    *arrow = strstr(text, "->");
    const char *end = *arrow == NULL ? text + strlen(text) : *arrow;
    ElementType element = promote_elements(e, list->at, count);
    for (int i = 0; i < count; i++) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        if ((comma == NULL) != (i == count - 1)) {
            report(e, call->spans[0],
                   "einsum: the labels are for another number of operands than %d", count);
            return false;
        }
        size_t length = (size_t)((comma == NULL ? end : comma) - text);
        Value *value = to_tensor(e, list->at[i], call->spans[1], element);
        operands[i].value = convert(e, value, element);
        if (value == NULL || !read_labels(call, text, length, value, operands[i].labels)) {
            return false;
        }
        text = comma == NULL ? end : comma + 1;
    }
    if (*arrow == NULL) {
        implicit_result(operands, count, result);
    }
    for (int i = 0; i < count; i++) {
        take_repeated(call, &operands[i]);
        if (operands[i].value == NULL) {
            return false;
        }
    }
    return true;
}

Val builtin_einsum(Call *call) {
    Elaborator *e = call->e;
    Labelled operands[EINSUM_OPERANDS_MAX] = {{0}};
    char result[EINSUM_AXES_MAX + 1];
    const char *arrow;
    if (call->at[1].kind != VAL_LIST) {
        Val list = list_val(e, 1);
        list.list.at[0] = call->at[1];
        call->at[1] = list;
    }
    int count = call->at[1].list.count;
    if (count == 0 || count > EINSUM_OPERANDS_MAX) {
        report(e, call->span, "einsum takes 1 to %d tensors", EINSUM_OPERANDS_MAX);
        return error_val();
    }
    if (!read_operands(call, operands, count, &arrow, result) ||
        (arrow != NULL && !read_result(call, arrow + 2, operands, count, result))) {
        return error_val();
    }
    for (int i = 1; i < count; i++) {
        char later[EINSUM_OPERANDS_MAX * EINSUM_AXES_MAX] = {0};
        strcat(later, result);
        for (int k = i + 1; k < count; k++) {
            strcat(later, operands[k].labels);
        }
        if (!contract_pair(call, &operands[0], &operands[i], later)) {
            return error_val();
        }
    }
    return arrange_result(call, &operands[0], result) ? tensor_val(operands[0].value) : error_val();
}
