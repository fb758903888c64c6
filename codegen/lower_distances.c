// Sums of squared differences of all rows of one value from all rows of another are computed in the
// register tiles of contractions: only the step of a tile is another.
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

static const Inst *distances_as_contraction(const Lowering *l, const Inst *inst) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    char x[sizeof letters], y[sizeof letters], result[sizeof letters];
    const Value *value = inst->operands[0];
    const Inst *square = definition_of(value, OP_mul);
    if (square == NULL || square->operands[0] != square->operands[1] ||
        !element_is_real(value->type.element) || value->type.rank >= (int)sizeof letters) {
        return NULL;
    }
    const Inst *difference = definition_of(square->operands[0], OP_sub), *from[2];
    for (int i = 0; i < 2; i++) {
        from[i] = difference == NULL ? NULL : definition_of(difference->operands[i], OP_broadcast);
        if (from[i] == NULL || !label_broadcast(from[i], letters, i == 0 ? x : y)) {
            return NULL;
        }
    }
    int64_t results = type_elements(inst->results[0]->type);
    int64_t terms = results == 0 ? 0 : type_elements(value->type) / results;
    if (terms < FEWEST_TERMS || !labels_agree(inst, letters, x, y, result)) {
        return NULL;
    }
    Inst *product = arena_new(l->scratch, Inst);
    *product = *inst;
    product->op = OP_contract;
    product->operand_count = 2;
    product->operands = arena_array(l->scratch, Value *, 2);
    for (int i = 0; i < 2; i++) {
        product->operands[i] = from[i]->operands[0];
    }
    product->attr.labels = arena_format(l->scratch, "%s,%s->%s", x, y, result);
    return product;
}

const Inst *as_contraction(const Lowering *l, const Inst *inst) {
    return inst->op == OP_contract     ? inst
           : inst->op == OP_reduce_sum ? distances_as_contraction(l, inst)
                                       : NULL;
}

Scalar *tile_step(Tiles *t, Scalar *left, Scalar *right, Scalar *before) {
    KernelBuilder *b = &t->k->build;
    if (t->p.differs) {
        left = right = scalar_binary(b, SCALAR_SUB, left, right);
    }
    return scalar_fma(b, left, right, before);
}
