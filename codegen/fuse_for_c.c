// What compilers of C make no good vectors of where it is fused, though LLVM does: C has no masked
// vectors, and elements of several sizes in a short row are computed one by one. It gets a kernel
// of its own, whose loop runs over whole values.
#include "codegen/lower_plan.h"

enum { MOST_PARTS = 4 }; // elements of a window along an axis, as in shape_vectors.c

static int64_t last_size(Type type) {
    return type.rank > 0 ? type_size_at(type, type.rank - 1) : 1;
}

// Rows of results end within a vector: bytes beside them would be stored one by one.
bool is_mask_of_short_rows(const Lowering *l, const Node *node, const Value *value) {
    int64_t lanes =
        l->options->vector_bytes / (int64_t)element_bytes(node->inst->results[0]->type.element);
    return l->options->unmasked && node->kind == NODE_TILES && value->type.element == TYPE_BOOL &&
           lanes > 1 && last_size(node->shape) % lanes != 0;
}

// The value whose elements the view only puts in another order.
static const Value *ordered_source(const Value *value) {
    const Inst *inst = value->definition;
    while (inst != NULL && (inst->op == OP_reshape || inst->op == OP_transpose)) {
        value = inst->operands[0];
        inst = value->definition;
    }
    return value;
}

// Neighbours that come from places apart, as those of windows that are put side by side, and are
// computed: what reads them is made of whole vectors if they are put in order first.
bool puts_parts_in_order(const Lowering *l, const Inst *inst) {
    const Inst *moved = inst->operand_count > 0 ? inst->operands[0]->definition : NULL;
    if (!l->options->unmasked || inst->op != OP_reshape || moved == NULL ||
        moved->op != OP_transpose || state_of(l, inst->operands[0])->materialised) {
        return false;
    }
    Type parts = moved->results[0]->type;
    const Value *source = ordered_source(inst->results[0]);
    return last_size(parts) <= MOST_PARTS && last_size(inst->results[0]->type) > MOST_PARTS &&
           source->definition != NULL && op_info(source->definition->op)->elementwise &&
           !state_of(l, source)->materialised;
}
