// Making instructions: the general builder, elementwise operators, constants.
#include "ir/build.h"

#include <math.h>
#include <string.h>

Builder builder_at(Region *region, Span span) {
    return (Builder){region->function->module, region, span};
}

Dims dims_of(Arena *arena, const Dim *const *dims, int count) {
    Type copy = type_copy(arena, (Type){TYPE_BOOL, count, dims});
    return (Dims){copy.dims, count};
}

Dims value_shape(const Value *value) {
    return (Dims){value->type.dims, value->type.rank};
}

static Ints copy_ints(Arena *arena, Ints ints) {
    int *copy = arena_array(arena, int, ints.count);
    for (int i = 0; i < ints.count; i++) {
        copy[i] = ints.at[i];
    }
    return (Ints){ints.count > 0 ? copy : NULL, ints.count};
}

// Everything but the data of a constant, which does not change and may be large.
static Attribute copy_attribute(Arena *arena, const Attribute *attribute) {
    Attribute copy = *attribute;
    copy.shape = dims_of(arena, copy.shape.at, copy.shape.count);
    copy.start = dims_of(arena, copy.start.at, copy.start.count);
    copy.stop = dims_of(arena, copy.stop.at, copy.stop.count);
    copy.low = dims_of(arena, copy.low.at, copy.low.count);
    copy.high = dims_of(arena, copy.high.at, copy.high.count);
    copy.step = copy_ints(arena, copy.step);
    copy.axes = copy_ints(arena, copy.axes);
    copy.outputs = copy_ints(arena, copy.outputs);
    copy.leaves = copy_ints(arena, copy.leaves);
    copy.labels = copy.labels ? arena_copy_string(arena, copy.labels) : NULL;
    return copy;
}

Inst *build_inst(Builder *b, Op op, Value *const *operands, int count, const Attribute *attribute) {
    Arena *arena = b->module->arena;
    Inst *inst = arena_new(arena, Inst);
    inst->op = op;
    inst->attr = attribute ? copy_attribute(arena, attribute) : (Attribute){0};
    inst->operands = arena_array(arena, Value *, count);
    inst->operand_count = count;
    for (int i = 0; i < count; i++) {
        check(operands[i] != NULL, "operand %d of %s is missing", i, op_info(op)->name);
        check(operands[i]->region->function == b->region->function,
              "operand %d of %s belongs to another function", i, op_info(op)->name);
        inst->operands[i] = operands[i];
    }
    inst->span = b->span;
    inst->parent = b->region;
    inst->previous = b->region->last;
    if (b->region->last) {
        b->region->last->next = inst;
    } else {
        b->region->first = inst;
    }
    b->region->last = inst;
    return inst;
}

Value *inst_insert_result(Inst *inst, int index, Type type) {
    Function *function = inst->parent->function;
    Arena *arena = function->module->arena;
    check(index >= 0 && index <= inst->result_count, "there is no result %d", index);
    Value **results = arena_array(arena, Value *, inst->result_count + 1);
    for (int i = 0; i < inst->result_count; i++) {
        inst->results[i]->index = i < index ? i : i + 1;
        results[inst->results[i]->index] = inst->results[i];
    }
    Value *value = arena_new(arena, Value);
    value->type = type_copy(arena, type);
    value->definition = inst;
    value->region = inst->parent;
    value->index = index;
    value->id = function->value_count++;
    results[index] = value;
    inst->results = results;
    inst->result_count++;
    return value;
}

Value *inst_add_result(Inst *inst, Type type) {
    return inst_insert_result(inst, inst->result_count, type);
}

Value *build_op(Builder *b, Op op, Value *const *operands, int count, const Attribute *attribute) {
    Inst *inst = build_inst(b, op, operands, count, attribute);
    Type type;
    const char *why = NULL;
    bool fits = op_result_type(b->module, op, operands, count, &inst->attr, &type, &why);
    check(fits, "%s", why);
    return inst_add_result(inst, type);
}

// Broadcasts the scalars among the operands if there are others.
static void meet_shapes(Builder *b, Value **operands, int count) {
    Value *shaped = NULL;
    for (int i = 0; i < count; i++) {
        shaped = shaped || operands[i]->type.rank == 0 ? shaped : operands[i];
    }
    for (int i = 0; shaped && i < count; i++) {
        if (operands[i]->type.rank == 0) {
            operands[i] = build_broadcast(b, operands[i], value_shape(shaped), NULL);
        }
    }
}

Value *build_unary(Builder *b, Op op, Value *x) {
    return build_op(b, op, &x, 1, NULL);
}

Value *build_binary(Builder *b, Op op, Value *x, Value *y) {
    Value *operands[] = {x, y};
    meet_shapes(b, operands, 2);
    return build_op(b, op, operands, 2, NULL);
}

Value *build_select(Builder *b, Value *condition, Value *x, Value *y) {
    Value *operands[] = {condition, x, y};
    meet_shapes(b, operands, 3);
    return build_op(b, OP_select, operands, 3, NULL);
}

Value *build_cast(Builder *b, Value *x, ElementType element) {
    if (x->type.element == element) {
        return x;
    }
    return build_op(b, OP_cast, &x, 1, &(Attribute){.element = element});
}

// `data` becomes the instruction's own: it lives in the module's arena already.
static Value *build_owned_constant(Builder *b, Type type, void *bytes) {
    TensorData *data = arena_new(b->module->arena, TensorData);
    *data = (TensorData){type, bytes};
    return build_op(b, OP_constant, NULL, 0, &(Attribute){.data = data});
}

Value *build_constant(Builder *b, const TensorData *data) {
    Type type = type_copy(b->module->arena, data->type);
    check(type_is_static(type) && type_fits(type), "a constant needs a shape of known sizes");
    size_t size = type_bytes(type);
    void *bytes = arena_alloc(b->module->arena, size);
    if (size > 0) {
        memcpy(bytes, data->bytes, size);
    }
    return build_owned_constant(b, type, bytes);
}

Value *build_scalar_integer(Builder *b, ElementType element, int64_t value) {
    if (element_is_real(element)) {
        return build_scalar(b, element, (double)value);
    }
    void *bytes = arena_alloc(b->module->arena, element_bytes(element));
    switch (element) {
    case TYPE_BOOL: *(unsigned char *)bytes = value != 0; break;
    case TYPE_I32:
        check(value >= INT32_MIN && value <= INT32_MAX, "%lld does not fit an i32",
              (long long)value);
        *(int32_t *)bytes = (int32_t)value;
        break;
    case TYPE_I64: *(int64_t *)bytes = value; break;
    default: unreachable("%s is not an integer type", element_name(element));
    }
    return build_owned_constant(b, type_scalar(element), bytes);
}

Value *build_scalar(Builder *b, ElementType element, double value) {
    if (element == TYPE_BOOL) {
        return build_scalar_integer(b, element, value != 0);
    }
    if (element_is_integer(element)) {
        check(value >= -0x1p63 && value < 0x1p63 && value == trunc(value), "%g is not an integer",
              value);
        return build_scalar_integer(b, element, (int64_t)value);
    }
    void *bytes = arena_alloc(b->module->arena, element_bytes(element));
    if (element == TYPE_F32) {
        *(float *)bytes = (float)value;
    } else {
        *(double *)bytes = value;
    }
    return build_owned_constant(b, type_scalar(element), bytes);
}

Value *build_full(Builder *b, Type type, double value) {
    Value *scalar = build_scalar(b, type.element, value);
    return build_broadcast_to(b, scalar, (Dims){type.dims, type.rank});
}

Value *build_dim(Builder *b, const Dim *dim) {
    int64_t value;
    if (dim_is_constant(dim, &value)) {
        return build_scalar_integer(b, TYPE_I64, value);
    }
    return build_op(b, OP_dimension, NULL, 0, &(Attribute){.dimension = dim});
}
