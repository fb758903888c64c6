// Builders of loops, branches and calls. Their regions are filled by the caller in between, so
// results are made by the finish functions from what the regions yield.
#include "ir/build.h"

static void add_region(Inst *inst) {
    Function *function = inst->parent->function;
    Region **regions = arena_array(function->module->arena, Region *, inst->region_count + 1);
    for (int i = 0; i < inst->region_count; i++) {
        regions[i] = inst->regions[i];
    }
    regions[inst->region_count++] = region_new(function, inst);
    inst->regions = regions;
}

// A region of a loop with its parameters.
static Region *add_loop_region(Inst *loop) {
    add_region(loop);
    Region *region = loop->regions[loop->region_count - 1];
    region_add_parameter(region, type_scalar(TYPE_I64), "i");
    for (int i = 0; i < loop->attr.carried; i++) {
        region_add_parameter(region, loop->operands[i]->type, NULL);
    }
    return region;
}

Inst *build_loop(Builder *b, const Dim *trip, Value *const *initial, int carried, Value *count) {
    int64_t limit = 0;
    check(trip != NULL, "a loop needs a limit for its iterations");
    check(!dim_is_constant(trip, &limit) || limit >= 0, "a loop runs %lld times", (long long)limit);
    check(!count || type_equal(count->type, type_scalar(TYPE_I64)),
          "the count of a loop is an i64 scalar");
    Value **operands = arena_array(b->module->arena, Value *, carried + 1);
    for (int i = 0; i < carried; i++) {
        operands[i] = initial[i];
    }
    operands[carried] = count;
    Attribute attribute = {.trip = trip, .carried = carried, .counted = count != NULL};
    Inst *loop = build_inst(b, OP_loop, operands, carried + (count != NULL), &attribute);
    add_loop_region(loop);
    return loop;
}

Region *loop_add_condition(Inst *loop) {
    check(loop->op == OP_loop && loop->region_count == 1, "a loop has one condition at most");
    check(loop->result_count == 0, "a finished loop gets no condition");
    return add_loop_region(loop);
}

// The type of a value of the body, stacked over the iterations.
static Type stacked_type(const Inst *loop, Type type) {
    Arena *arena = loop->parent->function->module->arena;
    const Dim **dims = arena_array(arena, const Dim *, type.rank + 1);
    dims[0] = loop->attr.trip;
    for (int i = 0; i < type.rank; i++) {
        dims[i + 1] = type.dims[i];
    }
    Type stacked = {type.element, type.rank + 1, dims};
    check(type_fits(stacked), "the stack %s of a loop is too large", type_string(arena, stacked));
    return stacked;
}

void loop_finish(Inst *loop) {
    const Region *body = loop->regions[0];
    int carried = loop->attr.carried;
    check(loop->op == OP_loop && loop->result_count == 0, "a loop is finished once");
    check(body->yields.count >= carried, "a loop carries %d values, but its body yields %d",
          carried, body->yields.count);
    for (int i = 0; i < body->yields.count; i++) {
        Type type = body->yields.at[i]->type;
        check(i >= carried || type_equal(type, loop->operands[i]->type),
              "a loop changes the type of carried value %d", i);
        inst_add_result(loop, i < carried ? type : stacked_type(loop, type));
    }
    if (loop->region_count == 2) {
        const Region *condition = loop->regions[1];
        check(condition->yields.count == 1 &&
                  type_equal(condition->yields.at[0]->type, type_scalar(TYPE_BOOL)),
              "the condition of a loop yields one bool");
        inst_add_result(loop, type_scalar(TYPE_I64));
    }
}

Value *loop_add_stack(Inst *loop, Value *yielded) {
    Region *body = loop->regions[0];
    check(loop->op == OP_loop &&
              loop->result_count == body->yields.count + (loop->region_count == 2),
          "only a finished loop gets more stacks");
    check(value_is_visible(yielded, body), "a stacked value is not visible in the loop");
    Value *result = inst_insert_result(loop, body->yields.count, stacked_type(loop, yielded->type));
    vec_push(body->function->module->arena, &body->yields, yielded);
    return result;
}

Value *loop_iterations(const Inst *loop) {
    check(loop->op == OP_loop && loop->region_count == 2 && loop->result_count > 0,
          "only a finished loop with a condition counts its iterations");
    return loop->results[loop->result_count - 1];
}

Inst *build_branch(Builder *b, Value *condition) {
    check(type_equal(condition->type, type_scalar(TYPE_BOOL)),
          "the condition of a branch is a bool scalar");
    Inst *branch = build_inst(b, OP_branch, &condition, 1, NULL);
    add_region(branch);
    add_region(branch);
    return branch;
}

void branch_finish(Inst *branch) {
    const Region *yes = branch->regions[0], *no = branch->regions[1];
    check(branch->op == OP_branch && branch->result_count == 0, "a branch is finished once");
    check(yes->yields.count == no->yields.count, "the sides of a branch yield %d and %d values",
          yes->yields.count, no->yields.count);
    for (int i = 0; i < yes->yields.count; i++) {
        check(type_equal(yes->yields.at[i]->type, no->yields.at[i]->type),
              "the sides of a branch yield different types for value %d", i);
        inst_add_result(branch, yes->yields.at[i]->type);
    }
}

bool is_checkpoint(Op op) {
    return op == OP_checkpoint || op == OP_recompute;
}

Inst *build_checkpoint(Builder *b, Op op) {
    check(is_checkpoint(op), "%s is no checkpoint", op_info(op)->name);
    Inst *checkpoint = build_inst(b, op, NULL, 0, NULL);
    add_region(checkpoint);
    return checkpoint;
}

void checkpoint_finish(Inst *checkpoint) {
    const Region *region = checkpoint->regions[0];
    check(is_checkpoint(checkpoint->op) && checkpoint->result_count == 0,
          "a checkpoint is finished once");
    for (int i = 0; i < region->yields.count; i++) {
        inst_add_result(checkpoint, region->yields.at[i]->type);
    }
}

void build_fence(Builder *b) {
    build_inst(b, OP_fence, NULL, 0, NULL);
}

Inst *build_call(Builder *b, Function *callee, Value *const *arguments) {
    check(callee->module == b->module, "a call leads to another module");
    int count = callee->body->parameters.count;
    for (int i = 0; i < count; i++) {
        check(type_equal(arguments[i]->type, callee->body->parameters.at[i]->type),
              "argument %d of a call of %s has another type than the parameter", i, callee->name);
    }
    Inst *call = build_inst(b, OP_call, arguments, count, &(Attribute){.callee = callee});
    for (int i = 0; i < callee->body->yields.count; i++) {
        inst_add_result(call, callee->body->yields.at[i]->type);
    }
    return call;
}
