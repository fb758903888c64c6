// Sums of squared differences of all rows of one value from all rows of another are computed in the
// register tiles of contractions: only the step of a tile is another. So are sums of differences
// with weights, which are their gradients: weight[i, k] * (x[i, d] - y[k, d]), added over i.
#include "codegen/lower_contract.h"

#include <string.h>

enum { FEWEST_TERMS = 9 }; // below: written out at each point, where nothing is stored

// Gives the axes of `operand`, of a broadcast to the axes that `letters` name, their letters.
static bool label_broadcast(const Inst *broadcast, const char *letters, char *labels) {
    Type from = broadcast->operands[0]->type, to = broadcast->results[0]->type;
    for (int i = 0; i < from.rank; i++) {
        int axis = broadcast->attr.axes.at[i];
        if (type_size_at(from, i) != type_size_at(to, axis)) {
            return false;
        }
        labels[i] = letters[axis];
    }
    labels[from.rank] = 0;
    return true;
}

static const Inst *definition_of(const Value *value, Op op) {
    return value->definition != NULL && value->definition->op == op ? value->definition : NULL;
}

// Every axis that is summed is in both, every other one in one of them.
static bool labels_agree(const Inst *sum, const char *letters, const char *x, const char *y,
                         char *result) {
    int rank = sum->operands[0]->type.rank, count = 0, next = 0;
    for (int axis = 0; axis < rank; axis++) {
        bool in_x = strchr(x, letters[axis]) != NULL, in_y = strchr(y, letters[axis]) != NULL;
        bool is_summed = next < sum->attr.axes.count && sum->attr.axes.at[next] == axis;
        next += is_summed;
        if (is_summed ? !(in_x && in_y) : !(in_x || in_y)) {
            return false;
        }
        if (!is_summed) {
            result[count++] = letters[axis];
        }
    }
    result[count] = 0;
    return true;
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

// Two broadcasts and their difference. Returns false if the value is none.
static bool is_difference(const Value *value, const Inst *from[2], char labels[2][sizeof letters]) {
    const Inst *difference = definition_of(value, OP_sub);
    for (int i = 0; i < 2; i++) {
        from[i] = difference == NULL ? NULL : definition_of(difference->operands[i], OP_broadcast);
        if (from[i] == NULL || !label_broadcast(from[i], letters, labels[i])) {
            return false;
        }
    }
    return true;
}

static Inst *new_product(const Lowering *l, const Inst *inst, int count) {
    Inst *product = arena_new(l->scratch, Inst);
    *product = *inst;
    product->op = OP_contract;
    product->operand_count = count;
    product->operands = arena_array(l->scratch, Value *, count);
    return product;
}

static const Inst *distances_as_contraction(const Lowering *l, const Inst *inst) {
    char own[2][sizeof letters], result[sizeof letters];
    const Inst *square = definition_of(inst->operands[0], OP_mul), *from[2];
    if (square == NULL || square->operands[0] != square->operands[1] ||
        !is_difference(square->operands[0], from, own) ||
        !labels_agree(inst, letters, own[0], own[1], result)) {
        return NULL;
    }
    Inst *product = new_product(l, inst, 2);
    for (int i = 0; i < 2; i++) {
        product->operands[i] = from[i]->operands[0];
    }
    product->attr.labels = arena_format(l->scratch, "%s,%s->%s", own[0], own[1], result);
    return product;
}

static bool are_among(const char *some, const char *all) {
    return strspn(some, all) == strlen(some);
}

static char last_of(const char *labels) {
    return labels[0] == 0 ? 0 : labels[strlen(labels) - 1];
}

// The operand of the difference that lacks the axes that are summed is constant in a tile; vectors
// lie along the last axis of the result, which the weights do not have.
static const Inst *weighted_as_contraction(const Lowering *l, const Inst *inst, TileStep *step) {
    char weights[sizeof letters], own[2][sizeof letters], result[sizeof letters];
    const Inst *product = definition_of(inst->operands[0], OP_mul), *from[2];
    for (int side = 0; side < 2 && product != NULL; side++) {
        const Inst *weight = definition_of(product->operands[side], OP_broadcast);
        if (weight == NULL || !label_broadcast(weight, letters, weights) ||
            !is_difference(product->operands[1 - side], from, own)) {
            continue;
        }
        for (int i = 0; i < 2; i++) {
            const char *moving = own[i], *fixed = own[1 - i];
            if (!labels_agree(inst, letters, weights, moving, result) ||
                !are_among(fixed, result) || last_of(result) != last_of(fixed) ||
                strchr(weights, last_of(result)) != NULL) {
                continue;
            }
            Inst *found = new_product(l, inst, 3);
            found->operands[0] = weight->operands[0];
            found->operands[1] = from[i]->operands[0];
            found->operands[2] = from[1 - i]->operands[0];
            found->attr.labels =
                arena_format(l->scratch, "%s,%s,%s->%s", weights, moving, fixed, result);
            *step = i == 0 ? STEP_DIFFERENCE : STEP_REVERSED;
            return found;
        }
    }
    return NULL;
}

const Inst *as_contraction(const Lowering *l, const Inst *inst, TileStep *step) {
    *step = STEP_PRODUCT;
    if (inst->op != OP_reduce_sum) {
        return inst->op == OP_contract ? inst : NULL;
    }
    Type type = inst->operands[0]->type;
    int64_t results = type_elements(inst->results[0]->type);
    int64_t terms = results == 0 ? 0 : type_elements(type) / results;
    if (!element_is_real(type.element) || type.rank >= (int)sizeof letters ||
        terms < FEWEST_TERMS) {
        return NULL;
    }
    const Inst *distances = distances_as_contraction(l, inst);
    *step = STEP_SQUARE;
    return distances != NULL ? distances : weighted_as_contraction(l, inst, step);
}

Scalar *operand_element(Tiles *t, int party) {
    const Value *operand = t->p.inst->operands[t->p.operand[party]];
    Scalar **at = new_index(t->k, operand->type.rank);
    for (int axis = 0; axis < operand->type.rank; axis++) {
        at[axis] = t->at[(int)t->p.own[party][axis]];
    }
    return element(t->k, operand, at);
}

// The third operand at a place of the result.
static Scalar *fixed_element(Tiles *t) {
    const Value *fixed = t->p.inst->operands[2];
    const char *own = strchr(strchr(t->p.inst->attr.labels, ',') + 1, ',') + 1;
    Scalar **at = new_index(t->k, fixed->type.rank);
    for (int axis = 0; axis < fixed->type.rank; axis++) {
        at[axis] = t->at[(int)own[axis]];
    }
    return element(t->k, fixed, at);
}

Scalar *tile_step(Tiles *t, Scalar *left, Scalar *right, Scalar *before) {
    KernelBuilder *b = &t->k->build;
    switch (t->p.step) {
    case STEP_PRODUCT: break;
    case STEP_SQUARE: left = right = scalar_binary(b, SCALAR_SUB, left, right); break;
    case STEP_DIFFERENCE: right = scalar_binary(b, SCALAR_SUB, right, fixed_element(t)); break;
    case STEP_REVERSED: right = scalar_binary(b, SCALAR_SUB, fixed_element(t), right); break;
    }
    return scalar_fma(b, left, right, before);
}
