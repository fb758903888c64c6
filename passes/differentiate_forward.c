// Forward mode: the tangent program of a function. Every instruction is copied, followed by the
// tangents of its results where they depend on a listed leaf; loops carry and stack tangents beside
// the values they belong to.
#include "ir/derivative.h"
#include "passes/activity.h"
#include "passes/derivatives.h"
#include "passes/differentiate.h"
#include "passes/match.h"

// NULL tangents stand for zero.
typedef struct Forward {
    Arena *scratch;
    Marks marks;
    ValueMap values;  // from the primal's values to their copies
    Value **tangents; // by the primal's ids
} Forward;

static void forward_region(Forward *forward, Builder *b, const Region *region);

static Value *tangent_of(const Forward *forward, const Value *value) {
    return forward->tangents[value->id];
}

static void set_tangent(Forward *forward, const Value *value, Value *tangent) {
    check(tangent == NULL || type_equal(value->type, tangent->type),
          "a tangent of another type than its value");
    forward->tangents[value->id] = tangent;
    if (tangent && value->name && tangent->name == NULL && tangent->definition &&
        tangent->id > value_map_get(&forward->values, value)->id) {
        Arena *arena = tangent->region->function->module->arena;
        tangent->name = arena_format(arena, "t_%s", value->name);
    }
}

static Value *copy_of(const Forward *forward, const Value *value) {
    return value_map_get(&forward->values, value);
}

static Value *tangent_or_zeros(const Forward *forward, Builder *b, const Value *value) {
    Value *tangent = tangent_of(forward, value);
    return tangent ? tangent : build_full(b, value->type, 0);
}

static Value *add_product(Builder *b, Value *sum, Value *partial, Value *tangent) {
    if (sum && is_number(partial, -1)) {
        return build_sub(b, sum, tangent);
    }
    Value *product = build_times_partial(b, tangent, partial);
    return sum ? build_add(b, sum, product) : product;
}

static void forward_plain(Forward *forward, Builder *b, const Inst *inst) {
    Inst *copy = clone_inst(b, inst, &forward->values);
    const OpInfo *info = op_info(inst->op);
    Value **tangents = arena_array(forward->scratch, Value *, inst->operand_count);
    bool any = false;
    for (int i = 0; i < inst->operand_count; i++) {
        tangents[i] = gradient_flows(inst, i) ? tangent_of(forward, inst->operands[i]) : NULL;
        any = any || tangents[i];
    }
    if (!any) {
        return;
    }
    const DerivativeRule *rule = derivative_rule(inst->op);
    Value *tangent = NULL;
    if (info->derivative == DERIVATIVE_partials) {
        Value **partials = arena_array(forward->scratch, Value *, inst->operand_count);
        rule->partials(b, copy, partials);
        for (int i = 0; i < inst->operand_count; i++) {
            if (tangents[i] && partials[i]) {
                tangent = add_product(b, tangent, partials[i], tangents[i]);
            }
        }
    } else {
        tangent = rule->tangent(b, copy, tangents);
    }
    set_tangent(forward, inst->results[0], tangent);
}

// Which carried values have tangents; *count of them.
static int *list_varied(const Forward *forward, const Inst *loop, int *count) {
    int *varied = arena_array(forward->scratch, int, loop->attr.carried);
    *count = 0;
    for (int i = 0; i < loop->attr.carried; i++) {
        if (is_marked(&forward->marks, loop->regions[0]->parameters.at[i + 1], VARIED)) {
            varied[(*count)++] = i;
        }
    }
    return varied;
}

static void map_parameters(Forward *forward, const Region *from, const Region *to,
                           const int *varied, int count) {
    int carried = from->parameters.count - 1;
    for (int i = 0; i <= carried; i++) {
        to->parameters.at[i]->name = from->parameters.at[i]->name;
        value_map_set(&forward->values, from->parameters.at[i], to->parameters.at[i]);
    }
    for (int i = 0; i < count; i++) {
        set_tangent(forward, from->parameters.at[varied[i] + 1],
                    to->parameters.at[1 + carried + i]);
    }
}

static Inst *open_loop(Forward *forward, Builder *b, const Inst *loop, const int *varied,
                       int count) {
    int carried = loop->attr.carried;
    Value **initial = arena_array(forward->scratch, Value *, carried + count);
    for (int i = 0; i < carried; i++) {
        initial[i] = copy_of(forward, loop->operands[i]);
    }
    for (int i = 0; i < count; i++) {
        initial[carried + i] = tangent_or_zeros(forward, b, loop->operands[varied[i]]);
    }
    Value *limit = loop->attr.counted ? copy_of(forward, loop->operands[carried]) : NULL;
    return build_loop(b, loop->attr.trip, initial, carried + count, limit);
}

static void fill_body(Forward *forward, const Inst *loop, Inst *copy, const int *varied,
                      int count) {
    const Region *body = loop->regions[0];
    Region *copied = copy->regions[0];
    Arena *arena = copied->function->module->arena;
    Builder b = builder_at(copied, loop->span);
    map_parameters(forward, body, copied, varied, count);
    forward_region(forward, &b, body);
    b.span = loop->span;
    for (int i = 0; i < loop->attr.carried; i++) {
        vec_push(arena, &copied->yields, copy_of(forward, body->yields.at[i]));
    }
    for (int i = 0; i < count; i++) {
        vec_push(arena, &copied->yields, tangent_or_zeros(forward, &b, body->yields.at[varied[i]]));
    }
    for (int i = loop->attr.carried; i < body->yields.count; i++) {
        vec_push(arena, &copied->yields, copy_of(forward, body->yields.at[i]));
    }
}

static void fill_condition(Forward *forward, const Inst *loop, Inst *copy, const int *varied,
                           int count) {
    const Region *condition = loop->regions[1];
    Region *copied = loop_add_condition(copy);
    Builder b = builder_at(copied, loop->span);
    map_parameters(forward, condition, copied, varied, count);
    clone_region(&b, condition, &forward->values);
    vec_push(copied->function->module->arena, &copied->yields,
             copy_of(forward, condition->yields.at[0]));
}

// The copy's results: carried values, their tangents, stacks, then the tangents of stacks.
static void forward_loop(Forward *forward, Builder *b, const Inst *loop) {
    int count, carried = loop->attr.carried;
    const Region *body = loop->regions[0];
    int *varied = list_varied(forward, loop, &count);
    Inst *copy = open_loop(forward, b, loop, varied, count);
    fill_body(forward, loop, copy, varied, count);
    if (loop->region_count == 2) {
        fill_condition(forward, loop, copy, varied, count);
    }
    loop_finish(copy);
    for (int i = 0; i < loop->result_count; i++) {
        Value *result = copy->results[i < carried ? i : i + count];
        result->name = loop->results[i]->name;
        value_map_set(&forward->values, loop->results[i], result);
    }
    for (int i = 0; i < count; i++) {
        set_tangent(forward, loop->results[varied[i]], copy->results[carried + i]);
    }
    for (int i = carried; i < body->yields.count; i++) {
        Value *tangent = tangent_of(forward, body->yields.at[i]);
        if (tangent) {
            set_tangent(forward, loop->results[i], loop_add_stack(copy, tangent));
        }
    }
}

// A branch, or a checkpoint.
static void forward_sides(Forward *forward, Builder *b, const Inst *branch) {
    Inst *copy = branch->op == OP_branch ? build_branch(b, copy_of(forward, branch->operands[0]))
                                         : build_checkpoint(b, branch->op);
    int results = branch->result_count;
    int *varied = arena_array(forward->scratch, int, results), count = 0;
    for (int i = 0; i < results; i++) {
        if (is_marked(&forward->marks, branch->results[i], VARIED)) {
            varied[count++] = i;
        }
    }
    for (int side = 0; side < branch->region_count; side++) {
        const Region *region = branch->regions[side];
        Region *copied = copy->regions[side];
        Arena *arena = copied->function->module->arena;
        Builder inner = builder_at(copied, branch->span);
        forward_region(forward, &inner, region);
        inner.span = branch->span;
        for (int i = 0; i < results; i++) {
            vec_push(arena, &copied->yields, copy_of(forward, region->yields.at[i]));
        }
        for (int i = 0; i < count; i++) {
            vec_push(arena, &copied->yields,
                     tangent_or_zeros(forward, &inner, region->yields.at[varied[i]]));
        }
    }
    if (branch->op == OP_branch) {
        branch_finish(copy);
    } else {
        checkpoint_finish(copy);
    }
    for (int i = 0; i < results; i++) {
        copy->results[i]->name = branch->results[i]->name;
        value_map_set(&forward->values, branch->results[i], copy->results[i]);
    }
    for (int i = 0; i < count; i++) {
        set_tangent(forward, branch->results[varied[i]], copy->results[results + i]);
    }
}

// The request for the transpose of a function's rule: from the gradients that it gives, where the
// parameters have tangents, back to the gradients of results that it takes.
static Attribute transpose_request(const Forward *forward, const Inst *call, int real_count) {
    Function *callee = call->attr.callee;
    int *outputs = arena_array(forward->scratch, int, callee->reverse_leaves.count);
    int *leaves = arena_array(forward->scratch, int, real_count), count = 0;
    for (int i = 0; i < callee->reverse_leaves.count; i++) {
        if (tangent_of(forward, call->operands[callee->reverse_leaves.at[i]])) {
            outputs[count++] = i;
        }
    }
    for (int i = 0; i < real_count; i++) {
        leaves[i] = call->operand_count + call->result_count + i;
    }
    return (Attribute){
        .callee = callee->reverse, .outputs = {outputs, count}, .leaves = {leaves, real_count}};
}

// A rule is linear in the gradients of results that it takes: it multiplies them with the
// transposed matrix of slopes. Transposed in its turn, at any gradients but 0, where a rule may
// avoid an infinite slope, it multiplies tangents with the matrix.
static void forward_ruled_call(Forward *forward, Builder *b, const Inst *call) {
    const Inst *copy = clone_inst(b, call, &forward->values);
    int real_count, count = 0;
    const int *real = real_results(forward->scratch, call->attr.callee, &real_count);
    Attribute request = transpose_request(forward, call, real_count);
    if (request.outputs.count == 0) {
        return;
    }
    int own = copy->operand_count + copy->result_count + real_count;
    Value **operands = arena_array(forward->scratch, Value *, own + request.outputs.count);
    for (int i = 0; i < copy->operand_count; i++) {
        operands[count++] = copy->operands[i];
    }
    for (int i = 0; i < copy->result_count; i++) {
        operands[count++] = copy->results[i];
    }
    for (int i = 0; i < real_count; i++) {
        operands[count++] = build_full(b, copy->results[real[i]]->type, 1);
    }
    for (int i = 0; i < request.outputs.count; i++) {
        int leaf = call->attr.callee->reverse_leaves.at[request.outputs.at[i]];
        operands[count++] = tangent_of(forward, call->operands[leaf]);
    }
    const Inst *transpose = build_derivative(b, OP_vjp, &request, operands);
    for (int i = 0; i < real_count; i++) {
        set_tangent(forward, call->results[real[i]],
                    transpose->results[transpose->result_count - real_count + i]);
    }
}

static void forward_region(Forward *forward, Builder *b, const Region *region) {
    for_each_inst(inst, region) {
        b->span = inst->span;
        if (inst->op == OP_loop) {
            forward_loop(forward, b, inst);
        } else if (inst->op == OP_branch || is_checkpoint(inst->op)) {
            forward_sides(forward, b, inst);
        } else if (inst->op == OP_call) {
            forward_ruled_call(forward, b, inst);
        } else if (inst->op != OP_fence) {
            forward_plain(forward, b, inst);
        }
    }
}

static void add_parameters(Forward *forward, Function *tangent, const Function *primal,
                           const GradientRequest *request) {
    Arena *arena = primal->module->arena;
    const Region *body = primal->body;
    for (int i = 0; i < body->parameters.count; i++) {
        const Value *parameter = body->parameters.at[i];
        Value *copy = function_add_parameter(tangent, parameter->type, primal->parameters[i]);
        copy->name = parameter->name;
        value_map_set(&forward->values, parameter, copy);
    }
    for (int i = 0; i < request->leaf_count; i++) {
        int index = request->leaves[i];
        const Value *leaf = body->parameters.at[index];
        const char *name = primal->parameters[index].name;
        Slot slot = {.name = name ? arena_format(arena, "t_%s", name) : NULL,
                     .role = ROLE_VALUE,
                     .span = primal->parameters[index].span};
        check(element_is_real(leaf->type.element), "a leaf of an integer type");
        set_tangent(forward, leaf, function_add_parameter(tangent, leaf->type, slot));
        mark_value(&forward->marks, leaf, VARIED);
    }
    spread_varied(&forward->marks, primal);
}

Function *differentiate_forward(Module *module, const Function *primal,
                                const GradientRequest *request) {
    Arena scratch = {0};
    const char *name = arena_format(module->arena, "%s_tangent", primal->name);
    Function *tangent = function_new(module, name, primal->span);
    Forward forward = {.scratch = &scratch,
                       .marks = marks_new(&scratch, primal),
                       .values = value_map_new(&scratch, primal),
                       .tangents = arena_array(&scratch, Value *, primal->value_count)};
    add_parameters(&forward, tangent, primal, request);
    Builder b = builder_at(tangent->body, primal->span);
    forward_region(&forward, &b, primal->body);

    const Region *body = primal->body;
    for (int i = 0; i < body->yields.count; i++) {
        function_add_result(tangent, copy_of(&forward, body->yields.at[i]), primal->results[i]);
    }
    b.span = primal->span;
    for (int i = 0; i < request->output_count; i++) {
        int index = request->outputs[i];
        Slot slot = primal->results[index];
        slot.role = ROLE_VALUE;
        slot.name = slot.name ? arena_format(module->arena, "t_%s", slot.name) : NULL;
        Value *result = tangent_or_zeros(&forward, &b, body->yields.at[index]);
        function_add_result(tangent, result, slot);
    }
    arena_free(&scratch);
    return tangent;
}
