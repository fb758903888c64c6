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
    replace_unchanged(rewrite, loop);
    replace_constant_stacks(rewrite, loop);
    return false;
}
