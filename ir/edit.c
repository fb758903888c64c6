// Copying, moving and replacing instructions.
#include "ir/edit.h"

#include <string.h>

ValueMap value_map_new(Arena *arena, const Function *from) {
    return (ValueMap){arena_array(arena, Value *, from->value_count), from->value_count, arena};
}

void value_map_set(ValueMap *map, const Value *from, Value *to) {
    if (from->id >= map->count) { // made after the map
        int larger = from->id < map->count * 2 ? map->count * 2 : from->id + 1;
        Value **storage = arena_array(map->arena, Value *, larger);
        if (map->count > 0) {
            memcpy(storage, map->to, (size_t)map->count * sizeof(Value *));
        }
        map->to = storage;
        map->count = larger;
    }
    map->to[from->id] = to;
}

Value *value_map_get(const ValueMap *map, const Value *from) {
    Value *to = from->id < map->count ? map->to[from->id] : NULL;
    return to ? to : (Value *)from;
}

// Values that a copied region yields.
static void clone_yields(const Region *from, Region *to, const ValueMap *map) {
    for (int i = 0; i < from->yields.count; i++) {
        vec_push(to->function->module->arena, &to->yields, value_map_get(map, from->yields.at[i]));
    }
}

static Region *clone_inner_region(Inst *owner, const Region *region, ValueMap *map) {
    Region *copy = region_new(owner->parent->function, owner);
    for (int i = 0; i < region->parameters.count; i++) {
        const Value *parameter = region->parameters.at[i];
        value_map_set(map, parameter, region_add_parameter(copy, parameter->type, parameter->name));
    }
    Builder inner = builder_at(copy, owner->span);
    clone_region(&inner, region, map);
    clone_yields(region, copy, map);
    return copy;
}

Inst *clone_inst(Builder *b, const Inst *inst, ValueMap *map) {
    check(inst->parent->function->module == b->module, "a copy in another module");
    Arena *arena = b->module->arena;
    Value **operands = arena_array(arena, Value *, inst->operand_count);
    for (int i = 0; i < inst->operand_count; i++) {
        operands[i] = value_map_get(map, inst->operands[i]);
        check(type_equal(operands[i]->type, inst->operands[i]->type),
              "operand %d of a copied %s gets another type", i, op_info(inst->op)->name);
    }
    Builder at = *b;
    at.span = inst->span;
    Inst *copy = build_inst(&at, inst->op, operands, inst->operand_count, &inst->attr);
    copy->regions = arena_array(arena, Region *, inst->region_count);
    copy->region_count = inst->region_count;
    for (int i = 0; i < inst->region_count; i++) {
        copy->regions[i] = clone_inner_region(copy, inst->regions[i], map);
    }
    for (int i = 0; i < inst->result_count; i++) {
        Value *result = inst_add_result(copy, inst->results[i]->type);
        result->name = inst->results[i]->name;
        value_map_set(map, inst->results[i], result);
    }
    return copy;
}

void clone_region(Builder *b, const Region *region, ValueMap *map) {
    // The last one of now: a region may be copied to its own end.
    const Inst *last = region->last;
    for (const Inst *inst = region->first; inst != NULL; inst = inst->next) {
        clone_inst(b, inst, map);
        if (inst == last) {
            break;
        }
    }
}

Function *clone_function(const Function *function, const char *name) {
    Function *copy = function_new(function->module, name, function->span);
    Arena scratch = {0};
    ValueMap map = value_map_new(&scratch, function);
    for (int i = 0; i < function->body->parameters.count; i++) {
        const Value *parameter = function->body->parameters.at[i];
        Value *added = function_add_parameter(copy, parameter->type, function->parameters[i]);
        added->name = parameter->name;
        value_map_set(&map, parameter, added);
    }
    Builder b = builder_at(copy->body, function->span);
    clone_region(&b, function->body, &map);
    for (int i = 0; i < function->body->yields.count; i++) {
        function_add_result(copy, value_map_get(&map, function->body->yields.at[i]),
                            function->results[i]);
    }
    copy->reverse = function->reverse;
    copy->reverse_leaves = function->reverse_leaves;
    arena_free(&scratch);
    return copy;
}

void inst_remove(Inst *inst) {
    Region *region = inst->parent;
    check(region != NULL, "an instruction is removed twice");
    *(inst->previous ? &inst->previous->next : &region->first) = inst->next;
    *(inst->next ? &inst->next->previous : &region->last) = inst->previous;
    inst->parent = NULL;
    inst->previous = inst->next = NULL;
}

void inst_insert_before(Inst *inst, Inst *place) {
    check(inst != place && place->parent != NULL, "an instruction is put before itself or nowhere");
    if (inst->parent) {
        inst_remove(inst);
    }
    inst->parent = place->parent;
    inst->previous = place->previous;
    inst->next = place;
    *(place->previous ? &place->previous->next : &place->parent->first) = inst;
    place->previous = inst;
    for (int i = 0; i < inst->result_count; i++) {
        inst->results[i]->region = place->parent;
    }
}

// Moves an instruction to the end of a region.
static void move_to_end(Inst *inst, Region *region) {
    inst_remove(inst);
    inst->parent = region;
    inst->previous = region->last;
    *(region->last ? &region->last->next : &region->first) = inst;
    region->last = inst;
    for (int i = 0; i < inst->result_count; i++) {
        inst->results[i]->region = region;
    }
}

// A region while it is put into a checkpoint: the results that stand for its values outside.
typedef struct Wrapping {
    const Region *inside;
    Inst *checkpoint;
    Value **outside; // by id
    int count;
} Wrapping;

static Value *outside_value(Wrapping *it, Value *value) {
    if (value->region != it->inside || value->id >= it->count) {
        return value;
    }
    Value **outside = &it->outside[value->id];
    if (*outside == NULL) {
        Region *inside = it->checkpoint->regions[0];
        vec_push(inside->function->module->arena, &inside->yields, value);
        *outside = inst_add_result(it->checkpoint, value->type);
        (*outside)->name = value->name;
    }
    return *outside;
}

static void use_results(Wrapping *it, Region *region, Inst *first) {
    for (Inst *inst = first; inst != NULL; inst = inst->next) {
        for (int i = 0; i < inst->operand_count; i++) {
            inst->operands[i] = outside_value(it, inst->operands[i]);
        }
        for (int i = 0; i < inst->region_count; i++) {
            use_results(it, inst->regions[i], inst->regions[i]->first);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        region->yields.at[i] = outside_value(it, region->yields.at[i]);
    }
}

Inst *wrap_in_checkpoint(Arena *scratch, Inst *first, Inst *last) {
    Region *region = first->parent;
    check(region != NULL && last->parent == region, "a checkpoint of two regions");
    Builder b = builder_at(region, span_join(first->span, last->span));
    int count = region->function->value_count;
    Inst *checkpoint = build_checkpoint(&b, OP_checkpoint);
    inst_insert_before(checkpoint, first);
    for (Inst *inst = first, *next; inst != NULL; inst = next) {
        next = inst == last ? NULL : inst->next;
        move_to_end(inst, checkpoint->regions[0]);
    }
    Wrapping it = {checkpoint->regions[0], checkpoint, arena_array(scratch, Value *, count), count};
    use_results(&it, region, checkpoint->next);
    return checkpoint;
}

void map_inst_uses(const ValueMap *map, Inst *inst) {
    for (int i = 0; i < inst->operand_count; i++) {
        inst->operands[i] = value_map_get(map, inst->operands[i]);
    }
    for (int i = 0; i < inst->region_count; i++) {
        map_region_uses(map, inst->regions[i]);
    }
}

void map_region_uses(const ValueMap *map, Region *region) {
    for_each_inst(inst, region) {
        map_inst_uses(map, inst);
    }
    for (int i = 0; i < region->yields.count; i++) {
        region->yields.at[i] = value_map_get(map, region->yields.at[i]);
    }
}

void replace_uses(Region *region, const Value *from, Value *to) {
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->operand_count; i++) {
            inst->operands[i] = inst->operands[i] == from ? to : inst->operands[i];
        }
        for (int i = 0; i < inst->region_count; i++) {
            replace_uses(inst->regions[i], from, to);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        region->yields.at[i] = region->yields.at[i] == from ? to : region->yields.at[i];
    }
}

static void count_uses_in(int *uses, const Region *region) {
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->operand_count; i++) {
            uses[inst->operands[i]->id]++;
        }
        for (int i = 0; i < inst->region_count; i++) {
            count_uses_in(uses, inst->regions[i]);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        uses[region->yields.at[i]->id]++;
    }
}

int *count_uses(Arena *arena, const Function *function) {
    int *uses = arena_array(arena, int, function->value_count);
    count_uses_in(uses, function->body);
    return uses;
}
