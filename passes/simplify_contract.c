// Identities of contractions: axes of one element, operands and results whose axes are exchanged.
#include <string.h>

#include "passes/match.h"
#include "passes/simplify.h"

static bool is_one(const Dim *dim) {
    int64_t known;
    return dim_is_constant(dim, &known) && known == 1;
}

// Copies the labels of the axes that have more than one element; gives their shape.
static char *kept_labels(Builder *b, const char *labels, Type type, char *to, Dims *shape) {
    const Dim **dims = arena_array(b->module->arena, const Dim *, type.rank);
    int count = 0;
    for (int axis = 0; axis < type.rank; axis++) {
        if (!is_one(type.dims[axis])) {
            dims[count++] = type.dims[axis];
            *to++ = labels[axis];
        }
    }
    *shape = (Dims){dims, count};
    return to;
}

static bool has_units(Type type) {
    for (int axis = 0; axis < type.rank; axis++) {
        if (is_one(type.dims[axis])) {
            return true;
        }
    }
    return false;
}

// Without axes of one element.
static Value *drop_units(Builder *b, const Inst *inst) {
    Value *x = inst->operands[0], *y = inst->operands[1];
    if (!has_units(x->type) && !has_units(y->type)) {
        return NULL;
    }
    const char *text = inst->attr.labels;
    char *labels = arena_array(b->module->arena, char, (int)strlen(text) + 1), *end = labels;
    Dims shape[3];
    end = kept_labels(b, text, x->type, end, &shape[0]);
    *end++ = ',';
    end = kept_labels(b, strchr(text, ',') + 1, y->type, end, &shape[1]);
    *end++ = '-';
    *end++ = '>';
    Type type = inst->results[0]->type;
    kept_labels(b, strstr(text, "->") + 2, type, end, &shape[2]);
    x = build_reshape(b, x, shape[0]);
    y = build_reshape(b, y, shape[1]);
    return build_reshape(b, build_contract(b, x, y, labels), value_shape(inst->results[0]));
}

// With operands as they were before their axes were exchanged.
static Value *absorb_transposes(Builder *b, const Inst *inst) {
    Value *operands[2] = {inst->operands[0], inst->operands[1]};
    size_t length = strlen(inst->attr.labels);
    char *labels = arena_array(b->module->arena, char, (int)length + 1);
    memcpy(labels, inst->attr.labels, length);
    bool changed = false;
    for (int i = 0; i < 2; i++) {
        const Inst *transpose = defined_by(operands[i], OP_transpose);
        if (transpose == NULL) {
            continue;
        }
        const char *from = inst->attr.labels;
        from = i == 0 ? from : strchr(from, ',') + 1;
        for (int axis = 0; axis < operands[i]->type.rank; axis++) {
            labels[from - inst->attr.labels + transpose->attr.axes.at[axis]] = from[axis];
        }
        operands[i] = transpose->operands[0];
        changed = true;
    }
    return changed ? build_contract(b, operands[0], operands[1], labels) : NULL;
}

Value *simplify_contract(Builder *b, const Inst *inst) {
    if (inst->op != OP_contract) {
        return NULL;
    }
    Value *value = drop_units(b, inst);
    return value ? value : absorb_transposes(b, inst);
}

// A contraction whose result's axes are exchanged, as one that makes them so.
Value *transpose_contract(Builder *b, const Inst *transpose) {
    const Inst *inst = defined_by(transpose->operands[0], OP_contract);
    if (inst == NULL) {
        return NULL;
    }
    size_t length = strlen(inst->attr.labels);
    char *labels = arena_array(b->module->arena, char, (int)length + 1);
    memcpy(labels, inst->attr.labels, length);
    const char *from = strstr(inst->attr.labels, "->") + 2;
    for (int axis = 0; axis < transpose->attr.axes.count; axis++) {
        labels[from - inst->attr.labels + axis] = from[transpose->attr.axes.at[axis]];
    }
    return build_contract(b, inst->operands[0], inst->operands[1], labels);
}
