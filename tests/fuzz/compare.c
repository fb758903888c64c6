// Comparing results with the evaluator's.
#include "tests/fuzz/compare.h"

#include <math.h>

#include "ir/edit.h"
#include "ir/evaluate.h"

static const double LARGEST = 1e12;

// ---- noise

static bool is_exact_op(Op op) {
    switch (op) {
    case OP_neg:
    case OP_abs:
    case OP_sign:
    case OP_minimum:
    case OP_maximum:
    case OP_copysign:
    case OP_floor:
    case OP_ceil:
    case OP_trunc:
    case OP_round:
    case OP_select:
    case OP_cast: return true;
    default: return false;
    }
}

static bool is_sum(Op op) {
    return op == OP_reduce_sum || op == OP_cumsum || op == OP_contract || op == OP_scatter_add;
}

static bool rounds(const Inst *inst) {
    if (inst->result_count != 1 || !element_is_real(inst->results[0]->type.element)) {
        return false;
    }
    if (inst->op == OP_cast) { // derivatives are rounded in another place than values
        return inst->operands[0]->type.element == TYPE_F64;
    }
    return is_sum(inst->op) || inst->op == OP_reduce_prod ||
           (op_info(inst->op)->elementwise && !is_exact_op(inst->op));
}

static Value *random_noise(Builder *b, Random *random, Type type) {
    TensorData data = {type, arena_alloc(b->module->arena, type_bytes(type))};
    double size = type.element == TYPE_F32 ? 0x1p-21 : 0x1p-50;
    for (int64_t i = 0; i < type_elements(type); i++) {
        tensor_set(&data, i, random_real(random, -size, size));
    }
    return build_constant(b, &data);
}

// What the noise is proportional to: of a sum, the sum of magnitudes.
static Value *magnitude(Builder *b, const Inst *inst) {
    Value *result = inst->results[0];
    if (!is_sum(inst->op)) {
        return result;
    }
    int summed = inst->op == OP_contract || inst->op == OP_scatter_add ? 2 : 1;
    Value **operands = arena_array(b->module->arena, Value *, inst->operand_count);
    for (int i = 0; i < inst->operand_count; i++) {
        operands[i] = i < summed ? build_abs(b, inst->operands[i]) : inst->operands[i];
    }
    Value *sum = build_op(b, inst->op, operands, inst->operand_count, &inst->attr);
    return build_add(b, sum, build_full(b, sum->type, 1e-30)); // zeros have either sign
}

static void add_noise(Region *region, Random *random) {
    for (Inst *inst = region->first, *next; inst != NULL; inst = next) {
        next = inst->next;
        for (int i = 0; i < inst->region_count; i++) {
            add_noise(inst->regions[i], random);
        }
        if (!rounds(inst)) {
            continue;
        }
        Inst *last = region->last;
        Builder b = builder_at(region, inst->span);
        Value *noise = random_noise(&b, random, inst->results[0]->type);
        Value *moved = build_add(&b, inst->results[0], build_mul(&b, magnitude(&b, inst), noise));
        Inst *first_new = last->next;
        Value *result = inst->results[0];
        for (Inst *added = first_new, *after; added != NULL; added = after) {
            after = added->next;
            if (next != NULL) {
                inst_insert_before(added, next);
            }
        }
        replace_uses(region, result, moved);
        for (Inst *added = first_new; added != next; added = added->next) {
            for (int i = 0; i < added->operand_count; i++) {
                added->operands[i] = added->operands[i] == moved ? result : added->operands[i];
            }
        }
    }
}

TensorData *noisy_results(Arena *arena, const Function *function, const TensorData *arguments,
                          uint64_t seed) {
    Module *module = function->module;
    int functions = module->functions.count;
    Function *noisy = clone_function(function, "noisy");
    module->functions.count = functions; // its constants would be printed with the module
    Random random = {seed};
    add_noise(noisy->body, &random);
    TensorData *results = arena_array(arena, TensorData, function->body->yields.count);
    EvaluateFailure failure;
    return evaluate(arena, noisy, arguments, results, &failure) ? results : NULL;
}

// ---- comparing

Reference reference_new(Arena *arena, Function *function, const TensorData *arguments, bool exact) {
    Reference reference = {.arena = arena,
                           .function = function,
                           .arguments = arguments,
                           .exact = exact,
                           .noisy_count = -1};
    reference.results = arena_array(arena, TensorData, function->body->yields.count);
    EvaluateFailure failure = {0};
    reference.fails = !evaluate(arena, function, arguments, reference.results, &failure);
    reference.message = failure.message;
    return reference;
}

bool reference_is_tame(const Reference *reference) {
    for (int i = 0; i < reference->function->body->yields.count; i++) {
        const TensorData *result = &reference->results[i];
        for (int64_t k = 0; k < type_elements(result->type); k++) {
            if (element_is_real(result->type.element) && !(fabs(tensor_get(result, k)) < LARGEST)) {
                return false;
            }
        }
    }
    return true;
}

static void compute_noisy(Reference *reference) {
    reference->noisy_count = 0;
    for (int i = 0; i < NOISY_RUNS; i++) {
        TensorData *results = noisy_results(reference->arena, reference->function,
                                            reference->arguments, (uint64_t)i * 7919 + 17);
        if (results != NULL) {
            reference->noisy[reference->noisy_count++] = results;
        }
    }
}

static bool same_real(double x, double y) {
    return x == y || (isnan(x) && isnan(y));
}

static bool same_element(const TensorData *x, const TensorData *y, int64_t position) {
    return element_is_real(x->type.element)
               ? same_real(tensor_get(x, position), tensor_get(y, position))
               : tensor_get_integer(x, position) == tensor_get_integer(y, position);
}

// May element `position` of result `index` be `got`, given what noise does to it?
static bool is_within_noise(Reference *reference, int index, int64_t position,
                            const TensorData *result) {
    const TensorData *wanted = &reference->results[index];
    if (reference->noisy_count < 0) {
        compute_noisy(reference);
    }
    bool real = element_is_real(wanted->type.element);
    double value = real ? tensor_get(wanted, position) : 0, spread = 0;
    for (int i = 0; i < reference->noisy_count; i++) {
        const TensorData *noisy = &reference->noisy[i][index];
        if (!real && !same_element(noisy, wanted, position)) {
            return true;
        }
        spread = real ? fmax(spread, fabs(tensor_get(noisy, position) - value)) : 0;
        if (real && !isfinite(tensor_get(noisy, position))) {
            return true;
        }
    }
    double unit = wanted->type.element == TYPE_F32 ? 0x1p-22 : 0x1p-50;
    double allowed = 20 * spread + unit * fabs(value) + 1e-42;
    // A program that fails now and then has no one answer.
    return reference->noisy_count < NOISY_RUNS ||
           (real && fabs(tensor_get(result, position) - value) <= allowed);
}

const char *compare_result(Reference *reference, int index, const TensorData *result) {
    const TensorData *wanted = &reference->results[index];
    if (!type_equal(wanted->type, result->type)) {
        return arena_format(reference->arena, "result %d has another type", index);
    }
    for (int64_t k = 0; k < type_elements(wanted->type); k++) {
        if (same_element(wanted, result, k) ||
            (!reference->exact && is_within_noise(reference, index, k, result))) {
            continue;
        }
        bool real = element_is_real(wanted->type.element);
        return arena_format(reference->arena, "result %d at %d: got %.17g, wanted %.17g", index,
                            (int)k,
                            real ? tensor_get(result, k) : (double)tensor_get_integer(result, k),
                            real ? tensor_get(wanted, k) : (double)tensor_get_integer(wanted, k));
    }
    return NULL;
}

const char *compare_results(Reference *reference, const TensorData *results) {
    for (int i = 0; i < reference->function->body->yields.count; i++) {
        const char *wrong = compare_result(reference, i, &results[i]);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}
