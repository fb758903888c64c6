// Computes equal values once: instructions with the same operator, attributes and operands (in
// either order if the operator commutes) are merged if the first is visible where the second
// stands.
#include <stdint.h>
#include <string.h>

#include "ir/op.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

typedef struct Entry {
    Inst *inst;
    uint64_t hash;
    struct Entry *next;
} Entry;

typedef struct Table {
    Entry **buckets;
    uint64_t mask;
} Table;

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
    return hash * 0xff51afd7ed558ccdu;
}

static uint64_t mix_dims(uint64_t hash, Dims dims) {
    for (int i = 0; i < dims.count; i++) {
        hash = mix(hash, (uint64_t)(uintptr_t)dims.at[i]);
    }
    return hash;
}

static uint64_t mix_ints(uint64_t hash, Ints ints) {
    for (int i = 0; i < ints.count; i++) {
        hash = mix(hash, (uint64_t)ints.at[i]);
    }
    return hash;
}

static uint64_t mix_bytes(uint64_t hash, const TensorData *data) {
    enum { BYTES_HASHED = 64 };
    const unsigned char *bytes = data->bytes;
    size_t size = type_bytes(data->type);
    for (size_t i = 0; i < size && i < BYTES_HASHED; i++) {
        hash = mix(hash, bytes[i]);
    }
    return mix(hash, size);
}

static uint64_t hash_inst(const Inst *inst) {
    const Attribute *attr = &inst->attr;
    uint64_t hash = mix((uint64_t)inst->op, (uint64_t)attr->element);
    uint64_t sum = 0, ordered = 0;
    for (int i = 0; i < inst->operand_count; i++) {
        uint64_t id = mix(7, (uint64_t)inst->operands[i]->id);
        sum += id;
        ordered = mix(ordered, id);
    }
    hash = mix(hash, (op_info(inst->op)->traits & COMMUTES) ? sum : ordered);
    hash = mix_dims(mix_dims(mix_dims(hash, attr->shape), attr->start), attr->stop);
    hash = mix_dims(mix_dims(hash, attr->low), attr->high);
    hash = mix_ints(mix_ints(hash, attr->step), attr->axes);
    hash = mix(hash, (uint64_t)attr->axis);
    return attr->data ? mix_bytes(hash, attr->data) : hash;
}

static bool dims_equal(Dims x, Dims y) {
    for (int i = 0; i < x.count && x.count == y.count; i++) {
        if (!dim_equal(x.at[i], y.at[i])) {
            return false;
        }
    }
    return x.count == y.count;
}

static bool ints_equal(Ints x, Ints y) {
    for (int i = 0; i < x.count && x.count == y.count; i++) {
        if (x.at[i] != y.at[i]) {
            return false;
        }
    }
    return x.count == y.count;
}

static bool data_equal(const TensorData *x, const TensorData *y) {
    if (x == NULL || y == NULL) {
        return x == y;
    }
    return type_equal(x->type, y->type) && memcmp(x->bytes, y->bytes, type_bytes(x->type)) == 0;
}

static bool labels_equal(const char *x, const char *y) {
    return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

static bool attributes_equal(const Attribute *x, const Attribute *y) {
    return x->element == y->element && x->axis == y->axis && x->reverse == y->reverse &&
           x->dimension == y->dimension && dims_equal(x->shape, y->shape) &&
           dims_equal(x->start, y->start) && dims_equal(x->stop, y->stop) &&
           dims_equal(x->low, y->low) && dims_equal(x->high, y->high) &&
           ints_equal(x->step, y->step) && ints_equal(x->axes, y->axes) &&
           labels_equal(x->labels, y->labels) && data_equal(x->data, y->data);
}

static bool operands_equal(const Inst *x, const Inst *y) {
    if (x->operand_count != y->operand_count) {
        return false;
    }
    bool same = true;
    for (int i = 0; i < x->operand_count; i++) {
        same = same && x->operands[i] == y->operands[i];
    }
    bool swapped = (op_info(x->op)->traits & COMMUTES) && x->operand_count == 2 &&
                   x->operands[0] == y->operands[1] && x->operands[1] == y->operands[0];
    return same || swapped;
}

static bool insts_equal(const Inst *x, const Inst *y) {
    return x->op == y->op && operands_equal(x, y) && attributes_equal(&x->attr, &y->attr) &&
           type_equal(x->results[0]->type, y->results[0]->type);
}

// An equal instruction that is not visible is in a region that the walk has left for good: `inst`
// takes its place.
static bool visit(Rewrite *rewrite, Inst *inst) {
    if ((op_info(inst->op)->traits & STRUCTURED) || inst->result_count != 1) {
        return true;
    }
    const Table *table = rewrite->state;
    uint64_t hash = hash_inst(inst);
    Entry **bucket = &table->buckets[hash & table->mask];
    for (Entry *entry = *bucket; entry != NULL; entry = entry->next) {
        if (entry->hash != hash || !insts_equal(entry->inst, inst)) {
            continue;
        }
        if (value_is_visible(entry->inst->results[0], rewrite->b.region)) {
            replace_value(rewrite, inst->results[0], entry->inst->results[0]);
            return false;
        }
        entry->inst = inst;
        return true;
    }
    Entry *entry = arena_new(rewrite->context->scratch, Entry);
    *entry = (Entry){inst, hash, *bucket};
    *bucket = entry;
    return true;
}

void pass_merge_equal(PassContext *context, Function *function) {
    uint64_t size = 64;
    while (size < (uint64_t)function->value_count) {
        size *= 2;
    }
    Table table = {arena_array(context->scratch, Entry *, size), size - 1};
    rewrite_function(context, function, visit, &table);
}
