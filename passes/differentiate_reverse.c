// Reverse mode: the adjoint of a function.
//
// The adjoint is a copy of the primal with a sweep over its instructions, last to first, appended.
// A rule gives each operand's share of the result's gradient, and shares are added up. Since
// everything is a value, the rules name the primal's values directly; only across loop iterations
// must values be saved (passes/reverse_residuals.c).
#include <string.h>

#include "ir/derivative.h"
#include "passes/derivatives.h"
#include "passes/differentiate.h"
#include "passes/match.h"
#include "passes/reverse.h"

Value *get_bar(const Reverse *reverse, const Value *value) {
    return value->id < reverse->bar_count ? reverse->bars[value->id] : NULL;
}

void set_bar(Reverse *reverse, const Value *value, Value *bar) {
    if (value->id >= reverse->bar_count) {
        int larger = value->id + value->id / 2 + 1;
        Value **storage = arena_array(reverse->scratch, Value *, larger);
        if (reverse->bar_count > 0) {
            memcpy(storage, reverse->bars, (size_t)reverse->bar_count * sizeof *storage);
        }
        reverse->bars = storage;
        reverse->bar_count = larger;
    }
    check(bar == NULL || type_equal(bar->type, value->type),
          "a gradient of type %s for a value of type %s",
          type_string(reverse->module->arena, bar->type),
          type_string(reverse->module->arena, value->type));
    reverse->bars[value->id] = bar;
}

Value *bar_or_zeros(const Reverse *reverse, Builder *b, const Value *value) {
    Value *bar = get_bar(reverse, value);
    return bar ? bar : build_full(b, value->type, 0);
}

static Inst *scatter_onto_zeros(const Value *value) {
    Inst *scatter = defined_by(value, OP_scatter_add);
    return scatter && is_zero(scatter->operands[0]) ? scatter : NULL;
}

// A scatter_add onto zeros becomes one onto what is there already: reading a row in a loop then
// costs the adjoint a row, not a tensor.
static Value *add_bars(Builder *b, Value *bar, Value *contribution) {
    Inst *scatter = scatter_onto_zeros(contribution);
    Value *base = bar;
    if (scatter == NULL) {
        scatter = scatter_onto_zeros(bar);
        base = contribution;
        if (scatter == NULL || scatter->parent != b->region) {
            return build_add(b, bar, contribution);
        }
    }
    return build_scatter(b, OP_scatter_add, base, scatter->operands[1], scatter->operands + 2);
}

void add_to_bar(Reverse *reverse, Builder *b, Value *value, Value *contribution) {
    if (contribution == NULL || !is_active(&reverse->marks, value)) {
        return;
    }
    Value *bar = get_bar(reverse, value);
    set_bar(reverse, value, bar ? add_bars(b, bar, contribution) : contribution);
}

static void name_bar(const Reverse *reverse, Value *bar, const Value *value) {
    if (value->name && bar->name == NULL && bar->definition && bar->id > value->id) {
        bar->name = arena_format(reverse->module->arena, "d_%s", value->name);
    }
}

static void reverse_plain(Reverse *reverse, Builder *b, Inst *inst) {
    Value *bar = inst->result_count == 1 ? get_bar(reverse, inst->results[0]) : NULL;
    const OpInfo *info = op_info(inst->op);
    if (bar == NULL || info->derivative == DERIVATIVE_zero) {
        return;
    }
    name_bar(reverse, bar, inst->results[0]);
    const DerivativeRule *rule = derivative_rule(inst->op);
    Value **shares = arena_array(reverse->scratch, Value *, inst->operand_count);
    if (info->derivative == DERIVATIVE_partials) {
        rule->partials(b, inst, shares);
    } else {
        rule->adjoint(b, inst, bar, shares);
    }
    for (int i = 0; i < inst->operand_count; i++) {
        bool flows = shares[i] && is_active(&reverse->marks, inst->operands[i]);
        if (flows && info->derivative == DERIVATIVE_partials) {
            shares[i] = build_times_partial(b, bar, shares[i]);
        }
        add_to_bar(reverse, b, inst->operands[i], flows ? shares[i] : NULL);
    }
}

// A call of a function with a rule of its own: the rule gives the gradients.
static void reverse_ruled_call(Reverse *reverse, Builder *b, const Inst *inst) {
    Function *callee = inst->attr.callee;
    int real_count, count = 0;
    const int *real = real_results(reverse->scratch, callee, &real_count);
    Value **operands = arena_array(reverse->scratch, Value *,
                                   inst->operand_count + inst->result_count + real_count);
    bool any = false;
    for (int i = 0; i < inst->operand_count; i++) {
        operands[count++] = inst->operands[i];
    }
    for (int i = 0; i < inst->result_count; i++) {
        operands[count++] = inst->results[i];
        any = any || get_bar(reverse, inst->results[i]);
    }
    if (!any) {
        return;
    }
    for (int i = 0; i < real_count; i++) {
        const Value *result = inst->results[real[i]];
        operands[count++] = bar_or_zeros(reverse, b, result);
        name_bar(reverse, operands[count - 1], result);
    }
    const Inst *call = build_call(b, callee->reverse, operands);
    for (int i = 0; i < call->result_count; i++) {
        Value *operand = inst->operands[callee->reverse_leaves.at[i]];
        add_to_bar(reverse, b, operand, call->results[i]);
    }
}

void reverse_region(Reverse *reverse, Builder *b, Inst *last) {
    for (Inst *inst = last; inst != NULL; inst = inst->previous) {
        b->span = inst->span;
        if (inst->op == OP_loop) {
            reverse_loop(reverse, b, inst);
        } else if (inst->op == OP_branch) {
            reverse_branch(reverse, b, inst);
        } else if (is_checkpoint(inst->op)) {
            reverse_checkpoint(reverse, b, inst);
        } else if (inst->op == OP_call) {
            reverse_ruled_call(reverse, b, inst);
        } else {
            reverse_plain(reverse, b, inst);
        }
    }
}

static void mark_request(Reverse *reverse, const Function *adjoint,
                         const GradientRequest *request) {
    const Region *body = adjoint->body;
    reverse->marks = marks_new(reverse->scratch, adjoint);
    for (int i = 0; i < request->leaf_count; i++) {
        const Value *leaf = body->parameters.at[request->leaves[i]];
        check(element_is_real(leaf->type.element), "a leaf of an integer type");
        mark_value(&reverse->marks, leaf, VARIED);
    }
    for (int i = 0; i < request->output_count; i++) {
        const Value *output = body->yields.at[request->outputs[i]];
        check(element_is_real(output->type.element), "an output of an integer type");
        mark_value(&reverse->marks, output, USEFUL);
        mark_value(&reverse->marks, output, REACHING);
    }
    spread_varied(&reverse->marks, adjoint);
    spread_backward(&reverse->marks, adjoint, USEFUL);
    spread_backward(&reverse->marks, adjoint, REACHING);
}

// The upstream gradients: parameters where seeded, else 1.
static void seed_outputs(Reverse *reverse, Builder *b, Function *adjoint,
                         const GradientRequest *request) {
    for (int i = 0; i < request->output_count; i++) {
        Value *output = adjoint->body->yields.at[request->outputs[i]];
        const Slot *slot = &adjoint->results[request->outputs[i]];
        Value *seed;
        if (request->seeded[i]) {
            Slot seed_slot = {.name = slot->name, .role = ROLE_SEED, .span = slot->span};
            seed = function_add_parameter(adjoint, output->type, seed_slot);
            seed->name =
                slot->name ? arena_format(reverse->module->arena, "seed_%s", slot->name) : NULL;
        } else {
            b->span = slot->span;
            seed = build_full(b, output->type, 1);
        }
        add_to_bar(reverse, b, output, seed);
    }
}

Function *differentiate_reverse(Module *module, const Function *primal,
                                const GradientRequest *request, bool *reached) {
    Arena scratch = {0};
    Function *adjoint =
        clone_function(primal, arena_format(module->arena, "%s_adjoint", primal->name));
    Reverse reverse = {.module = module, .scratch = &scratch};
    mark_request(&reverse, adjoint, request);

    Inst *last = adjoint->body->last;
    Builder b = builder_at(adjoint->body, primal->span);
    seed_outputs(&reverse, &b, adjoint, request);
    reverse_region(&reverse, &b, last);

    b.span = primal->span;
    for (int i = 0; i < request->leaf_count; i++) {
        int index = request->leaves[i];
        const Value *leaf = adjoint->body->parameters.at[index];
        reached[i] = is_marked(&reverse.marks, leaf, REACHING);
        if (reached[i]) {
            Value *gradient = bar_or_zeros(&reverse, &b, leaf);
            name_bar(&reverse, gradient, leaf);
            Slot slot = {.name = primal->parameters[index].name,
                         .role = ROLE_GRADIENT,
                         .span = primal->parameters[index].span};
            function_add_result(adjoint, gradient, slot);
        }
    }
    arena_free(&scratch);
    return adjoint;
}
