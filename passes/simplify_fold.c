// Constant folding: of elementwise operators on repeated numbers, and of any operator on small
// constant tensors, which the reference evaluator computes.
#include <string.h>

#include "ir/evaluate.h"
#include "passes/match.h"
#include "passes/simplify.h"

enum { OPERANDS_MAX = 3, ELEMENTS_FOLDED = 1024 };

// The same number in a whole tensor.
static Value *full(Builder *b, Type type, double value) {
    return build_full(b, type, value);
}

static double fold_cast(const Value *x, ElementType to, double value) {
    ElementType from = x->type.element;
    if (element_is_real(to)) {
        return scalar_round(to, value);
    }
    if (element_is_real(from)) {
        return (double)scalar_integer_from_real(to, value);
    }
    return (double)scalar_wrap(to, (int64_t)value);
}

// An elementwise operator on operands that are one number each.
static Value *fold_numbers(Builder *b, const Inst *inst) {
    double numbers[OPERANDS_MAX];
    int64_t integers[OPERANDS_MAX];
    Type type = inst->results[0]->type;
    if (!op_info(inst->op)->elementwise || inst->op == OP_random_bits || inst->op == OP_select) {
        return NULL;
    }
    for (int i = 0; i < inst->operand_count; i++) {
        if (!match_number(inst->operands[i], &numbers[i])) {
            return NULL;
        }
    }
    ElementType element = inst->operands[0]->type.element;
    if (inst->op == OP_cast) {
        double value = fold_cast(inst->operands[0], type.element, numbers[0]);
        bool exact = value > -0x1p53 && value < 0x1p53;
        return exact || element_is_real(type.element) ? full(b, type, value) : NULL;
    }
    if (element_is_real(element)) {
        double value = scalar_real(inst->op, element, numbers);
        return full(b, type,
                    element_is_real(type.element) ? scalar_round(type.element, value) : value);
    }
    for (int i = 0; i < inst->operand_count; i++) {
        integers[i] = (int64_t)numbers[i];
    }
    int64_t value = scalar_integer(inst->op, element, integers);
    Value *scalar = build_scalar_integer(b, type.element, value);
    return build_broadcast_to(b, scalar, (Dims){type.dims, type.rank});
}

// The tensor that a value is known to be, if it is small.
static bool known_tensor(Arena *arena, const Value *value, TensorData *tensor) {
    if (!type_is_static(value->type) || type_elements(value->type) > ELEMENTS_FOLDED) {
        return false;
    }
    const Inst *constant = defined_by(value, OP_constant);
    if (constant) {
        *tensor = *constant->attr.data;
        return true;
    }
    double number;
    if (!match_number(value, &number)) {
        return false;
    }
    *tensor = tensor_new(arena, value->type);
    for (int64_t i = 0; i < type_elements(value->type); i++) {
        if (element_is_real(value->type.element)) {
            tensor_set(tensor, i, number);
        } else {
            tensor_set_integer(tensor, i, (int64_t)number);
        }
    }
    return true;
}

// Operators that are worth more as they are than as data.
static bool stays_symbolic(Op op) {
    return op == OP_constant || op == OP_iota || op == OP_dimension || op == OP_broadcast ||
           op == OP_detach;
}

// A constant; of equal elements, one of them repeated.
static Value *build_tensor(Builder *b, const TensorData *data) {
    int64_t count = type_elements(data->type);
    size_t size = element_bytes(data->type.element);
    const char *bytes = data->bytes;
    for (int64_t i = 1; i < count; i++) {
        if (memcmp(bytes, bytes + (size_t)i * size, size) != 0) {
            return build_constant(b, data);
        }
    }
    if (count == 0) {
        return build_constant(b, data);
    }
    TensorData first = {type_scalar(data->type.element), data->bytes};
    Value *scalar = build_constant(b, &first);
    return build_broadcast_to(b, scalar, (Dims){data->type.dims, data->type.rank});
}

// Evaluates the instruction alone, in a module of its own that shares the table of dimensions.
static Value *fold_tensors(Rewrite *rewrite, const Inst *inst) {
    Arena *scratch = rewrite->context->scratch;
    int count = inst->operand_count;
    Type type = inst->results[0]->type;
    bool plain = inst->region_count == 0 && inst->op != OP_call;
    bool fits = count > 0 && plain && !stays_symbolic(inst->op) && type_is_static(type) &&
                type_elements(type) <= ELEMENTS_FOLDED;
    TensorData *tensors = arena_array(scratch, TensorData, count);
    for (int i = 0; i < count && fits; i++) {
        fits = known_tensor(scratch, inst->operands[i], &tensors[i]);
    }
    if (!fits) {
        return NULL;
    }
    Module *module = arena_new(scratch, Module);
    *module = (Module){.arena = scratch, .dims = rewrite->context->module->dims};
    Function *function = function_new(module, "fold", inst->span);
    Value **parameters = arena_array(scratch, Value *, count);
    for (int i = 0; i < count; i++) {
        parameters[i] = function_add_parameter(function, inst->operands[i]->type, (Slot){0});
    }
    Builder b = builder_at(function->body, inst->span);
    function_add_result(function, build_op(&b, inst->op, parameters, count, &inst->attr),
                        (Slot){0});
    TensorData result;
    EvaluateFailure failure;
    if (!evaluate(scratch, function, tensors, &result, &failure)) {
        return NULL; // it fails when it runs, and says where
    }
    return build_tensor(&rewrite->b, &result);
}

Value *fold_constants(Rewrite *rewrite, const Inst *inst) {
    int64_t size;
    if (inst->op == OP_dimension && dim_is_constant(inst->attr.dimension, &size)) {
        return build_scalar_integer(&rewrite->b, TYPE_I64, size);
    }
    Value *value = fold_numbers(&rewrite->b, inst);
    return value ? value : fold_tensors(rewrite, inst);
}
