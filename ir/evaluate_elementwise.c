// The reference evaluator: tensors as data, elementwise operators and sources.
#include <string.h>

#include "ir/evaluator.h"

TensorData tensor_new(Arena *arena, Type type) {
    check(type_is_static(type), "a tensor needs known sizes, got %s", type_string(arena, type));
    return (TensorData){type, arena_alloc(arena, type_bytes(type))};
}

TensorData copy_tensor(Arena *arena, const TensorData *from) {
    TensorData copy = tensor_new(arena, from->type);
    size_t bytes = type_bytes(from->type);
    if (bytes) {
        memcpy(copy.bytes, from->bytes, bytes);
    }
    return copy;
}

void copy_element(TensorData *to, int64_t to_position, const TensorData *from,
                  int64_t from_position) {
    size_t bytes = element_bytes(to->type.element);
    memcpy((char *)to->bytes + (size_t)to_position * bytes,
           (const char *)from->bytes + (size_t)from_position * bytes, bytes);
}

double tensor_get(const TensorData *tensor, int64_t position) {
    switch (tensor->type.element) {
    case TYPE_F32: return (double)((const float *)tensor->bytes)[position];
    case TYPE_F64: return ((const double *)tensor->bytes)[position];
    default: return (double)tensor_get_integer(tensor, position);
    }
}

int64_t tensor_get_integer(const TensorData *tensor, int64_t position) {
    switch (tensor->type.element) {
    case TYPE_BOOL: return ((const unsigned char *)tensor->bytes)[position] != 0;
    case TYPE_I32: return ((const int32_t *)tensor->bytes)[position];
    case TYPE_I64: return ((const int64_t *)tensor->bytes)[position];
    default: return scalar_integer_from_real(TYPE_I64, tensor_get(tensor, position));
    }
}

void tensor_set(TensorData *tensor, int64_t position, double value) {
    ElementType element = tensor->type.element;
    switch (element) {
    case TYPE_F32: ((float *)tensor->bytes)[position] = (float)value; break;
    case TYPE_F64: ((double *)tensor->bytes)[position] = value; break;
    default: tensor_set_integer(tensor, position, scalar_integer_from_real(element, value));
    }
}

// A large integer becomes a float directly: by way of double it would be rounded twice.
void tensor_set_integer(TensorData *tensor, int64_t position, int64_t value) {
    switch (tensor->type.element) {
    case TYPE_BOOL: ((unsigned char *)tensor->bytes)[position] = value != 0; break;
    case TYPE_I32:
        ((int32_t *)tensor->bytes)[position] = (int32_t)scalar_wrap(TYPE_I32, value);
        break;
    case TYPE_I64: ((int64_t *)tensor->bytes)[position] = value; break;
    case TYPE_F32: ((float *)tensor->bytes)[position] = (float)value; break;
    case TYPE_F64: ((double *)tensor->bytes)[position] = (double)value; break;
    case ELEMENT_TYPE_COUNT: unreachable("not an element type");
    }
}

const double *tensor_reals(Arena *arena, const TensorData *tensor) {
    if (tensor->type.element == TYPE_F64) {
        return tensor->bytes;
    }
    int64_t count = type_elements(tensor->type);
    double *reals = arena_array(arena, double, count);
    for (int64_t i = 0; i < count; i++) {
        reals[i] = tensor_get(tensor, i);
    }
    return reals;
}

static void evaluate_cast(Evaluation *e, TensorData *result, int64_t count) {
    const TensorData *x = operand(e, 0);
    bool is_real = element_is_real(x->type.element);
    for (int64_t i = 0; i < count; i++) {
        if (is_real) {
            tensor_set(result, i, tensor_get(x, i));
        } else {
            tensor_set_integer(result, i, tensor_get_integer(x, i));
        }
    }
}

static void evaluate_select(Evaluation *e, TensorData *result, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const TensorData *taken = operand(e, tensor_get_integer(operand(e, 0), i) ? 1 : 2);
        copy_element(result, i, taken, i);
    }
}

bool evaluate_elementwise(Evaluation *e) {
    const Inst *inst = e->inst;
    TensorData *result = new_result(e, 0);
    int64_t count = type_elements(result->type);
    ElementType element = operand(e, 0)->type.element;
    if (inst->op == OP_cast) {
        evaluate_cast(e, result, count);
        return true;
    }
    if (inst->op == OP_select) {
        evaluate_select(e, result, count);
        return true;
    }
    bool is_real = element_is_real(element);
    double reals[3] = {0};
    int64_t integers[3] = {0};
    for (int64_t i = 0; i < count; i++) {
        for (int k = 0; k < inst->operand_count; k++) {
            if (is_real) {
                reals[k] = tensor_get(operand(e, k), i);
            } else {
                integers[k] = tensor_get_integer(operand(e, k), i);
            }
        }
        if (is_real) {
            tensor_set(result, i, scalar_real(inst->op, element, reals));
        } else {
            tensor_set_integer(result, i, scalar_integer(inst->op, element, integers));
        }
    }
    return true;
}

bool evaluate_constant(Evaluation *e) {
    share_result(e, 0, e->inst->attr.data);
    return true;
}

bool evaluate_iota(Evaluation *e) {
    TensorData *result = new_result(e, 0);
    int64_t count = type_elements(result->type);
    Walk walk = walk_new(e->arena, result->type.rank, sizes_of(e->arena, result->type));
    for (int64_t i = 0; i < count; i++, walk_next(&walk)) {
        tensor_set_integer(result, i, walk.at[e->inst->attr.axis]);
    }
    return true;
}

bool evaluate_dimension(Evaluation *e) {
    tensor_set_integer(new_result(e, 0), 0, dim_value(e->inst->attr.dimension));
    return true;
}

bool evaluate_detach(Evaluation *e) {
    share_result(e, 0, operand(e, 0));
    return true;
}
