// What the computation of a value reads from memory, and whether it does so at
// its own place: the prefix of a read is the number of its leading axes whose
// indices are the value's own first ones.
#include "codegen/bands.h"

static int smaller(int x, int y) {
    return x < y ? x : y;
}

static bool is_whole_axis(const Inst *inst, int axis) {
    const Attribute *attr = &inst->attr;
    Type from = inst->operands[0]->type, to = inst->results[0]->type;
    bool unmoved = inst->op == OP_slice ? dim_value(attr->start.at[axis]) == 0
                                        : dim_value(attr->low.at[axis]) == 0;
    return unmoved && attr->step.at[axis] == 1 &&
           type_size_at(from, axis) == type_size_at(to, axis);
}

static bool keeps_axis(const Inst *inst, int axis) {
    int own;
    int64_t offset;
    Type from = inst->operands[0]->type, to = inst->results[0]->type;
    switch (inst->op) {
    case OP_broadcast:
        return inst->attr.axes.at[axis] == axis &&
               type_size_at(from, axis) == type_size_at(to, axis);
    case OP_transpose: return inst->attr.axes.at[axis] == axis;
    case OP_slice:
    case OP_pad: return is_whole_axis(inst, axis);
    case OP_reshape: return axis < to.rank && type_size_at(from, axis) == type_size_at(to, axis);
    case OP_gather:
        return follows_axis(inst->operands[1 + axis], &own, &offset) && own == axis && offset == 0;
    case OP_reduce_sum:
    case OP_reduce_prod:
    case OP_reduce_max:
    case OP_reduce_min: return inst->attr.axes.count == 0 || axis < inst->attr.axes.at[0];
    case OP_argmax:
    case OP_argmin: return axis < inst->attr.axis;
    default: return false;
    }
}

static int contract_prefix(const Inst *inst, int operand, int prefix) {
    const char *labels = inst->attr.labels;
    int commas = 0, start = 0, result = 0;
    for (int i = 0; labels[i] != 0; i++) {
        if (labels[i] == ',') {
            commas++;
            start = commas == operand ? i + 1 : start;
        } else if (labels[i] == '>') {
            result = i + 1;
        }
    }
    int axis = 0;
    while (axis < prefix && axis < inst->operands[operand]->type.rank &&
           labels[start + axis] == labels[result + axis]) {
        axis++;
    }
    return axis;
}

// The prefix of an operand, given that of the result.
static int operand_prefix(const Inst *inst, int operand, int prefix) {
    int rank = inst->operands[operand]->type.rank;
    if (inst->op == OP_detach || op_info(inst->op)->elementwise) {
        return prefix;
    }
    if (inst->op == OP_contract) {
        return contract_prefix(inst, operand, prefix);
    }
    if (operand > 0) {
        return inst->op == OP_gather ? prefix : 0;
    }
    int axis = 0;
    while (axis < smaller(prefix, rank) && keeps_axis(inst, axis)) {
        axis++;
    }
    return axis;
}

enum { PREFIXES = 64 };

static void visit_read(Lowering *l, const Value *value, int prefix, Reads *reads) {
    int stamp = l->stamps[value->id];
    if (stamp / PREFIXES == l->walk && stamp % PREFIXES <= prefix) {
        return;
    }
    l->stamps[value->id] = l->walk * PREFIXES + prefix;
    const Inst *inst = value->definition;
    if (inst == NULL || state_of(l, value)->materialised) {
        if (!is_loop_index(value)) {
            vec_push(l->scratch, reads, ((Read){value, prefix}));
        }
        return;
    }
    for (int i = 0; i < inst->operand_count; i++) {
        visit_read(l, inst->operands[i], operand_prefix(inst, i, prefix), reads);
    }
}

void collect_operand_reads(Lowering *l, const Value *operand, Reads *reads) {
    visit_read(l, operand, 0, reads);
}

// Tiles read the operands of their product, also where a sum's own operand is in memory, too.
void collect_reads(Lowering *l, const Value *value, Reads *reads) {
    l->walk++;
    const Inst *product =
        is_reduction(value->definition->op) ? tiled_product(l, value->definition) : NULL;
    const Inst *inst = product != NULL ? product : value->definition;
    for (int i = 0; i < inst->operand_count; i++) {
        visit_read(l, inst->operands[i], operand_prefix(inst, i, value->type.rank), reads);
    }
}

void collect_element_reads(Lowering *l, const Value *value, Reads *reads) {
    l->walk++;
    visit_read(l, value, value->type.rank, reads);
}

static bool is_inside_control(const Inst *control, const Region *region) {
    for (int i = 0; i < control->region_count; i++) {
        if (region_is_inside(region, control->regions[i])) {
            return true;
        }
    }
    return false;
}

static void visit_region(Lowering *l, const Inst *control, const Region *region, Reads *reads) {
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->operand_count; i++) {
            if (!is_inside_control(control, inst->operands[i]->region)) {
                visit_read(l, inst->operands[i], 0, reads);
            }
        }
        for (int i = 0; i < inst->region_count; i++) {
            visit_region(l, control, inst->regions[i], reads);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        if (!is_inside_control(control, region->yields.at[i]->region)) {
            visit_read(l, region->yields.at[i], 0, reads);
        }
    }
}

void collect_control_reads(Lowering *l, const Inst *inst, Reads *reads) {
    l->walk++;
    for (int i = 0; i < inst->operand_count; i++) {
        visit_read(l, inst->operands[i], 0, reads);
    }
    for (int i = 0; i < inst->region_count; i++) {
        visit_region(l, inst, inst->regions[i], reads);
    }
}

bool reads_value(const Reads *reads, const Value *value, bool only_elsewhere) {
    for (int i = 0; i < reads->count; i++) {
        bool own_place = reads->at[i].prefix == value->type.rank;
        if (reads->at[i].value == value && !(only_elsewhere && own_place)) {
            return true;
        }
    }
    return false;
}

bool read_after(const Nodes *nodes, int position, const Value *value) {
    for (int i = position + 1; i < nodes->count; i++) {
        if (reads_value(&nodes->at[i]->reads, value, false)) {
            return true;
        }
    }
    return false;
}

bool replaces_at_point(const Nodes *nodes, const Node *node, const Value *old) {
    // A node with rows may read a row again after it was stored, and one of its own kernel any
    // element.
    bool whole = node->kind == NODE_MOVE;
    for (int i = 0; i < node->members.count; i++) {
        whole = whole || is_row_member(node, node->members.at[i]);
    }
    return !read_after(nodes, node->position, old) && !reads_value(&node->reads, old, !whole);
}
