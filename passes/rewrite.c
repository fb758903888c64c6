// Walking over a function and rewriting it in place.
#include "passes/rewrite.h"

Value *resolve(const Rewrite *rewrite, Value *value) {
    for (Value *next = value_map_get(&rewrite->to, value); next != value;
         next = value_map_get(&rewrite->to, value)) {
        value = next;
    }
    return value;
}

void replace_value(Rewrite *rewrite, Value *from, Value *to) {
    check(type_equal(from->type, to->type), "a value of type %s is replaced by one of type %s",
          type_string(rewrite->context->scratch, from->type),
          type_string(rewrite->context->scratch, to->type));
    check(resolve(rewrite, to) != from, "a value is replaced by itself");
    if (to->name == NULL && to->definition) {
        to->name = from->name;
    }
    value_map_set(&rewrite->to, from, to);
}

void inst_append(Region *region, Inst *inst) {
    check(inst->parent == NULL, "an instruction is in two places");
    inst->parent = region;
    inst->previous = region->last;
    inst->next = NULL;
    *(region->last ? &region->last->next : &region->first) = inst;
    region->last = inst;
    for (int i = 0; i < inst->result_count; i++) {
        inst->results[i]->region = region;
    }
}

void splice_region(Rewrite *rewrite, Region *region) {
    if (region->first == NULL) {
        return;
    }
    region->last->next = rewrite->pending;
    rewrite->pending = region->first;
    region->first = region->last = NULL;
}

void splice_function(Rewrite *rewrite, const Function *callee, Value *const *arguments,
                     Value **results) {
    const Region *body = callee->body;
    // A region of its own, to be spliced in.
    Region *copy = region_new(rewrite->b.region->function, NULL);
    ValueMap map = value_map_new(rewrite->context->scratch, callee);
    for (int i = 0; i < body->parameters.count; i++) {
        value_map_set(&map, body->parameters.at[i], arguments[i]);
    }
    Builder b = builder_at(copy, rewrite->b.span);
    clone_region(&b, body, &map);
    for (int i = 0; i < body->yields.count; i++) {
        results[i] = value_map_get(&map, body->yields.at[i]);
    }
    splice_region(rewrite, copy);
}

static void rewrite_region(Rewrite *rewrite, Region *region);

static void rewrite_inst(Rewrite *rewrite, Region *region, Inst *inst) {
    inst->parent = NULL;
    inst->previous = inst->next = NULL;
    for (int i = 0; i < inst->operand_count; i++) {
        inst->operands[i] = resolve(rewrite, inst->operands[i]);
    }
    rewrite->b.span = inst->span;
    if (!rewrite->visit(rewrite, inst)) {
        return;
    }
    inst_append(region, inst);
    for (int i = 0; i < inst->region_count; i++) {
        rewrite_region(rewrite, inst->regions[i]);
    }
}

static void rewrite_region(Rewrite *rewrite, Region *region) {
    Builder builder = rewrite->b;
    Inst *pending = rewrite->pending;
    rewrite->b = builder_at(region, builder.span);
    rewrite->pending = region->first;
    region->first = region->last = NULL;
    while (rewrite->pending) {
        Inst *inst = rewrite->pending;
        rewrite->pending = inst->next;
        rewrite_inst(rewrite, region, inst);
    }
    for (int i = 0; i < region->yields.count; i++) {
        region->yields.at[i] = resolve(rewrite, region->yields.at[i]);
    }
    rewrite->b = builder;
    rewrite->pending = pending;
}

void rewrite_function(PassContext *context, Function *function, VisitInst *visit, void *state) {
    Rewrite rewrite = {.context = context,
                       .b = builder_at(function->body, function->span),
                       .visit = visit,
                       .to = value_map_new(context->scratch, function),
                       .state = state};
    rewrite_region(&rewrite, function->body);
}
