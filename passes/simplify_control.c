// Loops and branches whose course is known.
#include "passes/match.h"
#include "passes/simplify.h"

bool simplify_branch(Rewrite *rewrite, Inst *inst) {
    double condition;
    if (!match_number(inst->operands[0], &condition)) {
        return false;
    }
    Region *taken = inst->regions[condition != 0 ? 0 : 1];
    for (int i = 0; i < inst->result_count; i++) {
        replace_value(rewrite, inst->results[i], taken->yields.at[i]);
    }
    splice_region(rewrite, taken);
    return true;
}

// A loop that never runs: what it carries stays, and its stacks are zeros.
static void replace_by_nothing(Rewrite *rewrite, Inst *loop) {
    Builder *b = &rewrite->b;
    for (int i = 0; i < loop->result_count; i++) {
        Value *result = loop->results[i];
        replace_value(rewrite, result,
                      i < loop->attr.carried ? loop->operands[i] : build_full(b, result->type, 0));
    }
}

// A loop that runs once is its body at index 0.
static void replace_by_body(Rewrite *rewrite, Inst *loop) {
    Region *body = loop->regions[0];
    int carried = loop->attr.carried;
    Value *zero = build_scalar_integer(&rewrite->b, TYPE_I64, 0);
    replace_value(rewrite, body->parameters.at[0], zero);
    for (int i = 0; i < carried; i++) {
        replace_value(rewrite, body->parameters.at[i + 1], loop->operands[i]);
    }
    Builder inner = builder_at(body, loop->span);
    for (int i = 0; i < loop->result_count; i++) {
        Value *value = body->yields.at[i];
        if (i >= carried) {
            value = build_reshape(&inner, value, value_shape(loop->results[i]));
        }
        replace_value(rewrite, loop->results[i], value);
    }
    splice_region(rewrite, body);
}

// Is the value that is carried as `index` the same in every iteration? In the body it is then what
// it was before the loop; dead, it is taken out by remove_dead.
static bool stays(const Inst *loop, int index) {
    const Region *body = loop->regions[0];
    return body->yields.at[index] == body->parameters.at[index + 1];
}

static void replace_unchanged(Rewrite *rewrite, Inst *loop) {
    for (int i = 0; i < loop->attr.carried; i++) {
        if (!stays(loop, i)) {
            continue;
        }
        replace_value(rewrite, loop->results[i], loop->operands[i]);
        for (int k = 0; k < loop->region_count; k++) {
            Value *parameter = loop->regions[k]->parameters.at[i + 1];
            replace_value(rewrite, parameter, loop->operands[i]);
        }
    }
}

// Stacks of a value from outside of a loop that runs in full are that value, repeated.
static void replace_constant_stacks(Rewrite *rewrite, Inst *loop) {
    const Region *body = loop->regions[0];
    if (loop->attr.counted || loop->region_count == 2) {
        return;
    }
    for (int i = loop->attr.carried; i < body->yields.count; i++) {
        Value *value = resolve(rewrite, body->yields.at[i]);
        if (value_is_visible(value, rewrite->b.region)) {
            replace_value(rewrite, loop->results[i],
                          build_broadcast_to(&rewrite->b, value, value_shape(loop->results[i])));
        }
    }
}

enum {
    MOST_COPIES = 4,    // of the body of a short loop
    MOST_COPIED = 16,   // elements of a value in it
    MOST_WRITTEN = 512, // instructions of all copies: loops around may be written out next
};

static bool is_small_body(const Region *region, int64_t trip) {
    int64_t count = 0;
    for_each_inst(inst, region) {
        count += trip;
        for (int i = 0; i < inst->result_count; i++) {
            int64_t size = type_is_static(inst->results[i]->type)
                               ? type_elements(inst->results[i]->type)
                               : MOST_COPIED + 1;
            if (size > MOST_COPIED) {
                return false;
            }
        }
        if (inst->region_count > 0) {
            return false;
        }
    }
    return count <= MOST_WRITTEN;
}

// A short loop inside of a loop, whose iterations are independent and compute little, as the rows
// of a small Jacobian: what they share, and where their indices are known, shows when they are
// written out.
static bool is_short(const Rewrite *rewrite, const Inst *loop) {
    int64_t trip;
    return rewrite->b.region->owner != NULL && rewrite->b.region->owner->op == OP_loop &&
           loop->region_count == 1 && !loop->attr.counted && loop->attr.carried == 0 &&
           dim_is_constant(loop->attr.trip, &trip) && trip <= MOST_COPIES &&
           is_small_body(loop->regions[0], trip);
}

static void write_out(Rewrite *rewrite, Inst *loop) {
    const Region *body = loop->regions[0];
    int trip = (int)dim_value(loop->attr.trip), results = loop->result_count;
    Region *copies = region_new(rewrite->b.region->function, NULL); // to be spliced in
    Builder b = builder_at(copies, loop->span);
    Value **rows = arena_array(rewrite->context->scratch, Value *, results * trip);
    for (int i = 0; i < trip; i++) {
        ValueMap map = value_map_new(rewrite->context->scratch, copies->function);
        value_map_set(&map, body->parameters.at[0], build_scalar_integer(&b, TYPE_I64, i));
        clone_region(&b, body, &map);
        for (int j = 0; j < results; j++) {
            Type stack = loop->results[j]->type;
            const Dim **dims = arena_array(b.module->arena, const Dim *, stack.rank);
            for (int axis = 0; axis < stack.rank; axis++) {
                dims[axis] = axis == 0 ? dim_constant(b.module->dims, 1) : stack.dims[axis];
            }
            rows[j * trip + i] = build_reshape(&b, value_map_get(&map, body->yields.at[j]),
                                               (Dims){dims, stack.rank});
        }
    }
    for (int j = 0; j < results; j++) {
        replace_value(rewrite, loop->results[j], build_concat(&b, rows + j * trip, trip, 0));
    }
    splice_region(rewrite, copies);
}

bool simplify_loop(Rewrite *rewrite, Inst *loop) {
    int64_t trip;
    double count;
    bool conditional = loop->region_count == 2;
    if (dim_is_constant(loop->attr.trip, &trip) && trip == 0 && !conditional) {
        replace_by_nothing(rewrite, loop);
        return true;
    }
    if (loop->attr.counted && match_number(loop->operands[loop->attr.carried], &count)) {
        if (count == 0 && !conditional) {
            replace_by_nothing(rewrite, loop);
            return true;
        }
        if (dim_is_constant(loop->attr.trip, &trip) && (double)trip == count && !conditional) {
            loop->attr.counted = false;
            loop->operand_count--;
        }
    }
    if (dim_is_constant(loop->attr.trip, &trip) && trip == 1 && !conditional &&
        !loop->attr.counted) {
        replace_by_body(rewrite, loop);
        return true;
    }
    if (is_short(rewrite, loop)) {
        write_out(rewrite, loop);
        return true;
    }
    replace_unchanged(rewrite, loop);
    replace_constant_stacks(rewrite, loop);
    return false;
}
