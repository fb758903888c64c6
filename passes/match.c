// Recognising values.
#include "passes/match.h"

#include <math.h>
#include <string.h>

enum { ELEMENTS_COMPARED = 64 }; // of a constant; longer ones are not searched for equal elements

static bool read_number(ElementType element, const void *bytes, double *number) {
    switch (element) {
    case TYPE_BOOL: *number = *(const unsigned char *)bytes; return true;
    case TYPE_I32: *number = *(const int32_t *)bytes; return true;
    case TYPE_I64: {
        int64_t value = *(const int64_t *)bytes;
        *number = (double)value;
        return value > -(INT64_C(1) << 53) && value < (INT64_C(1) << 53);
    }
    case TYPE_F32: *number = *(const float *)bytes; return true;
    case TYPE_F64: *number = *(const double *)bytes; return true;
    case ELEMENT_TYPE_COUNT: break;
    }
    unreachable("no such element type: %d", (int)element);
}

static bool match_constant(const TensorData *data, double *number) {
    int64_t count = type_elements(data->type);
    if (count == 0 || count > ELEMENTS_COMPARED) {
        return false;
    }
    size_t size = element_bytes(data->type.element);
    const char *bytes = data->bytes;
    for (int64_t i = 1; i < count; i++) {
        if (memcmp(bytes, bytes + (size_t)i * size, size) != 0) {
            return false;
        }
    }
    return read_number(data->type.element, bytes, number);
}

bool match_number(const Value *value, double *number) {
    for (const Inst *inst = value->definition; inst != NULL; inst = inst->operands[0]->definition) {
        switch ((int)inst->op) {
        case OP_constant: return match_constant(inst->attr.data, number);
        case OP_broadcast:
        case OP_reshape:
        case OP_transpose:
        case OP_slice:
        case OP_detach: break;
        default: return false;
        }
    }
    return false;
}

bool is_number(const Value *value, double number) {
    double found;
    return match_number(value, &found) && found == number && signbit(found) == signbit(number);
}

bool is_zero(const Value *value) {
    double found;
    return match_number(value, &found) && found == 0;
}

Inst *defined_by(const Value *value, Op op) {
    return value->definition && value->definition->op == op ? value->definition : NULL;
}

int64_t contraction_length(const Inst *inst) {
    if (inst->op != OP_contract) {
        return 0;
    }
    const Type x = inst->operands[0]->type;
    int64_t length = 1;
    for (int i = 0; i < x.rank; i++) {
        const char *arrow = strchr(inst->attr.labels, '-');
        if (strchr(arrow, inst->attr.labels[i]) == NULL) {
            length *= dim_value(x.dims[i]);
        }
    }
    return length;
}

bool is_view(const Inst *inst) {
    return inst->op == OP_reshape || inst->op == OP_transpose || inst->op == OP_slice ||
           inst->op == OP_broadcast;
}
