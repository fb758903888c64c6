// See vectorize.h. Each value of the region is mapped to a value of the new place, which is either
// the same for all indices or batched: it has the axes of the space in front. Calls are written
// out.
#include "frontend/vectorize.h"

#include <stdio.h>
#include <string.h>

#include "ir/edit.h"

typedef struct Batcher {
    Builder *b;
    Dims space;
    ValueMap map;
    bool *is_batched; // by the old value's id
    int count;
    int depth; // of calls
} Batcher;

static bool batch_region(Batcher *batcher, const Region *region);

static bool is_batched(const Batcher *batcher, const Value *value) {
    return value->id < batcher->count && batcher->is_batched[value->id];
}

static void set(Batcher *batcher, const Value *from, Value *to, bool batched) {
    value_map_set(&batcher->map, from, to);
    batcher->is_batched[from->id] = batched;
}

static Arena *arena_of(const Batcher *batcher) {
    return batcher->b->module->arena;
}

static Dims batched_shape(const Batcher *batcher, Dims shape) {
    int rank = batcher->space.count;
    const Dim **dims = arena_array(arena_of(batcher), const Dim *, rank + shape.count);
    for (int i = 0; i < rank + shape.count; i++) {
        dims[i] = i < rank ? batcher->space.at[i] : shape.at[i - rank];
    }
    return (Dims){dims, rank + shape.count};
}

// 0 .. rank-1 of the space, then the given axes behind them.
static Ints batched_axes(const Batcher *batcher, Ints axes, bool with_space) {
    int rank = batcher->space.count, first = with_space ? rank : 0;
    int *at = arena_array(arena_of(batcher), int, first + axes.count);
    for (int i = 0; i < first; i++) {
        at[i] = i;
    }
    for (int i = 0; i < axes.count; i++) {
        at[first + i] = axes.at[i] + rank;
    }
    return (Ints){at, first + axes.count};
}

// `value` (an old operand) with the axes of the space.
static Value *lift(Batcher *batcher, const Value *value) {
    Value *mapped = value_map_get(&batcher->map, value);
    if (is_batched(batcher, value)) {
        return mapped;
    }
    int rank = mapped->type.rank, *axes = arena_array(arena_of(batcher), int, rank);
    for (int i = 0; i < rank; i++) {
        axes[i] = batcher->space.count + i;
    }
    return build_broadcast(batcher->b, mapped, batched_shape(batcher, value_shape(mapped)), axes);
}

static Value **lift_all(Batcher *batcher, const Inst *inst) {
    Value **operands = arena_array(arena_of(batcher), Value *, inst->operand_count);
    for (int i = 0; i < inst->operand_count; i++) {
        operands[i] = lift(batcher, inst->operands[i]);
    }
    return operands;
}

// `low`, `high`, `start` ... of the space's axes: `zero` for each.
static Dims padded_dims(const Batcher *batcher, Dims dims, bool are_sizes) {
    int rank = batcher->space.count;
    const Dim **at = arena_array(arena_of(batcher), const Dim *, rank + dims.count);
    for (int i = 0; i < rank + dims.count; i++) {
        const Dim *own = are_sizes && i < rank ? batcher->space.at[i]
                                               : dim_constant(batcher->b->module->dims, 0);
        at[i] = i < rank ? own : dims.at[i - rank];
    }
    return (Dims){at, rank + dims.count};
}

static Ints padded_steps(const Batcher *batcher, Ints steps) {
    int rank = batcher->space.count;
    int *at = arena_array(arena_of(batcher), int, rank + steps.count);
    for (int i = 0; i < rank + steps.count; i++) {
        at[i] = i < rank ? 1 : steps.at[i - rank];
    }
    return (Ints){at, rank + steps.count};
}

// "ij,jk->ik" with the space's letters in front where an operand is batched; NULL if there are none
// left.
static const char *batched_labels(Batcher *batcher, const Inst *inst) {
    const char *labels = inst->attr.labels;
    char space[32] = "";
    int count = 0;
    for (char c = 'A'; c <= 'Z' && count < batcher->space.count; c++) {
        if (strchr(labels, c) == NULL) {
            space[count++] = c;
        }
    }
    space[count] = '\0';
    if (count < batcher->space.count) {
        return NULL;
    }
    const char *comma = strchr(labels, ','), *arrow = strstr(labels, "->");
    return arena_format(arena_of(batcher), "%s%.*s,%s%.*s->%s%s",
                        is_batched(batcher, inst->operands[0]) ? space : "", (int)(comma - labels),
                        labels, is_batched(batcher, inst->operands[1]) ? space : "",
                        (int)(arrow - comma - 1), comma + 1, space, arrow + 2);
}

// Index tensors of gather and scatter, from operand `first` on; a batched tensor is indexed by the
// space's own axes too.
static Value **batched_indices(Batcher *batcher, const Inst *inst, int first, bool with_space,
                               int *count) {
    int rank = with_space ? batcher->space.count : 0;
    *count = first + rank + inst->operand_count - first;
    Value **operands = arena_array(arena_of(batcher), Value *, *count);
    Dims shape = batched_shape(batcher, value_shape(inst->operands[first]));
    for (int i = 0; i < rank; i++) {
        operands[first + i] = build_iota(batcher->b, TYPE_I64, shape, i);
    }
    for (int i = first; i < inst->operand_count; i++) {
        operands[rank + i] = lift(batcher, inst->operands[i]);
    }
    return operands;
}

static Value *batch_gather(Batcher *batcher, const Inst *inst) {
    bool with_space = is_batched(batcher, inst->operands[0]);
    int count;
    Value **operands = batched_indices(batcher, inst, 1, with_space, &count);
    operands[0] = value_map_get(&batcher->map, inst->operands[0]);
    return build_op(batcher->b, inst->op, operands, count, &inst->attr);
}

static Value *batch_scatter(Batcher *batcher, const Inst *inst) {
    int count;
    Value **operands = batched_indices(batcher, inst, 2, true, &count);
    operands[0] = lift(batcher, inst->operands[0]);
    operands[1] = lift(batcher, inst->operands[1]);
    return build_op(batcher->b, inst->op, operands, count, &inst->attr);
}

// The attribute for a batched first operand; false if the operator cannot be batched.
static bool batch_attribute(Batcher *batcher, const Inst *inst, Attribute *attr) {
    int rank = batcher->space.count;
    *attr = inst->attr;
    switch (inst->op) {
    case OP_broadcast:
        attr->shape = batched_shape(batcher, attr->shape);
        attr->axes = batched_axes(batcher, attr->axes, true);
        return true;
    case OP_reshape: attr->shape = batched_shape(batcher, attr->shape); return true;
    case OP_transpose: attr->axes = batched_axes(batcher, attr->axes, true); return true;
    case OP_slice:
        attr->start = padded_dims(batcher, attr->start, false);
        attr->stop = padded_dims(batcher, attr->stop, true);
        attr->step = padded_steps(batcher, attr->step);
        return true;
    case OP_pad:
        attr->low = padded_dims(batcher, attr->low, false);
        attr->high = padded_dims(batcher, attr->high, false);
        attr->step = padded_steps(batcher, attr->step);
        return !is_batched(batcher, inst->operands[1]);
    case OP_concat:
    case OP_argmax:
    case OP_argmin:
    case OP_cumsum: attr->axis += rank; return true;
    case OP_reduce_sum:
    case OP_reduce_prod:
    case OP_reduce_max:
    case OP_reduce_min: attr->axes = batched_axes(batcher, attr->axes, false); return true;
    case OP_contract: attr->labels = batched_labels(batcher, inst); return attr->labels != NULL;
    case OP_detach: return true;
    default: return op_info(inst->op)->elementwise;
    }
}

static Value *batch_inst(Batcher *batcher, const Inst *inst) {
    Attribute attr;
    if (inst->op == OP_gather) {
        return batch_gather(batcher, inst);
    }
    if (inst->op == OP_scatter_add || inst->op == OP_scatter_set) {
        return batch_scatter(batcher, inst);
    }
    if (!batch_attribute(batcher, inst, &attr)) {
        return NULL;
    }
    Value **operands = lift_all(batcher, inst);
    if (inst->op == OP_contract || inst->op == OP_pad) {
        for (int i = 0; i < 2; i++) {
            if (!is_batched(batcher, inst->operands[i])) {
                operands[i] = value_map_get(&batcher->map, inst->operands[i]);
            }
        }
        if (inst->op == OP_pad) {
            operands[0] = lift(batcher, inst->operands[0]);
        }
    }
    return build_op(batcher->b, inst->op, operands, inst->operand_count, &attr);
}

static bool batch_checkpoint(Batcher *batcher, const Inst *inst) {
    Builder *b = batcher->b;
    Region *outer = b->region;
    const Region *region = inst->regions[0];
    Inst *copy = build_checkpoint(b, inst->op);
    b->region = copy->regions[0];
    bool done = batch_region(batcher, region);
    for (int i = 0; done && i < region->yields.count; i++) {
        Value *value = value_map_get(&batcher->map, region->yields.at[i]);
        vec_push(b->module->arena, &b->region->yields, value);
    }
    b->region = outer;
    checkpoint_finish(copy);
    for (int i = 0; done && i < copy->result_count; i++) {
        set(batcher, inst->results[i], copy->results[i], is_batched(batcher, region->yields.at[i]));
    }
    return done;
}

static bool batch_call(Batcher *batcher, const Inst *inst) {
    const Function *callee = inst->attr.callee;
    Batcher inner = *batcher;
    inner.map = value_map_new(arena_of(batcher), callee);
    inner.is_batched = arena_array(arena_of(batcher), bool, callee->value_count);
    inner.count = callee->value_count;
    inner.depth++;
    if (inner.depth > 100) {
        return false;
    }
    for (int i = 0; i < inst->operand_count; i++) {
        set(&inner, callee->body->parameters.at[i], value_map_get(&batcher->map, inst->operands[i]),
            is_batched(batcher, inst->operands[i]));
    }
    if (!batch_region(&inner, callee->body)) {
        return false;
    }
    for (int i = 0; i < inst->result_count; i++) {
        const Value *yield = callee->body->yields.at[i];
        set(batcher, inst->results[i], value_map_get(&inner.map, yield), is_batched(&inner, yield));
    }
    return true;
}

// Loops and branches, derivatives of functions, and functions with a derivative of their own, which
// are not written out.
static bool stays_whole(const Inst *inst) {
    return inst->region_count > 0 || inst->op == OP_vjp || inst->op == OP_jvp ||
           (inst->op == OP_call && inst->attr.callee->reverse != NULL);
}

static bool batch_region(Batcher *batcher, const Region *region) {
    for_each_inst(inst, region) {
        if (is_checkpoint(inst->op)) {
            if (!batch_checkpoint(batcher, inst)) {
                return false;
            }
            continue;
        }
        if (stays_whole(inst)) {
            return false;
        }
        batcher->b->span = inst->span;
        if (inst->op == OP_call) {
            if (!batch_call(batcher, inst)) {
                return false;
            }
            continue;
        }
        bool batched = false;
        for (int i = 0; i < inst->operand_count; i++) {
            batched = batched || is_batched(batcher, inst->operands[i]);
        }
        Value *value;
        if (batched) {
            value = batch_inst(batcher, inst);
        } else {
            Value **operands = arena_array(arena_of(batcher), Value *, inst->operand_count);
            for (int i = 0; i < inst->operand_count; i++) {
                operands[i] = value_map_get(&batcher->map, inst->operands[i]);
            }
            value = build_op(batcher->b, inst->op, operands, inst->operand_count, &inst->attr);
        }
        if (value == NULL) {
            return false;
        }
        set(batcher, inst->results[0], value, batched);
    }
    return true;
}

Value *vectorize(Builder *b, const Region *region, Value *result, Dims space,
                 Value *const *indices) {
    const Function *function = region->function;
    int count = function->value_count;
    Batcher batcher = {.b = b, .space = space, .count = count};
    batcher.map = value_map_new(b->module->arena, function);
    batcher.is_batched = arena_array(b->module->arena, bool, count);
    for (int i = 0; i < space.count; i++) {
        set(&batcher, region->parameters.at[i], indices[i], true);
    }
    return batch_region(&batcher, region) ? lift(&batcher, result) : NULL;
}
