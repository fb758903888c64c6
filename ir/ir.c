// Modules, functions, regions and their parameters. Instructions are made in build.c.
#include "ir/ir.h"

#include <limits.h>
#include <string.h>

Module *module_new(Arena *arena) {
    Module *module = arena_new(arena, Module);
    module->arena = arena;
    module->dims = dim_table_new(arena);
    return module;
}

Function *function_find(const Module *module, const char *name) {
    for (int i = 0; i < module->functions.count; i++) {
        if (strcmp(module->functions.at[i]->name, name) == 0) {
            return module->functions.at[i];
        }
    }
    return NULL;
}

static const char *make_unique_name(const Module *module, const char *name) {
    const char *unique = arena_copy_string(module->arena, name);
    for (int number = 2; function_find(module, unique) != NULL; number++) {
        unique = arena_format(module->arena, "%s_%d", name, number);
    }
    return unique;
}

Function *function_new(Module *module, const char *name, Span span) {
    Function *function = arena_new(module->arena, Function);
    function->name = make_unique_name(module, name);
    function->module = module;
    function->span = span;
    function->index = module->functions.count;
    function->body = region_new(function, NULL);
    vec_push(module->arena, &module->functions, function);
    return function;
}

// Appends to an array whose storage doubles whenever its count is a power of two.
static Slot *append_slot(Arena *arena, Slot *slots, int count, Slot slot) {
    if ((count & (count - 1)) == 0) {
        check(count <= INT_MAX / 2, "too many parameters");
        Slot *larger = arena_array(arena, Slot, count == 0 ? 1 : count * 2);
        if (count > 0) {
            memcpy(larger, slots, (size_t)count * sizeof *slots);
        }
        slots = larger;
    }
    slot.name = slot.name ? arena_copy_string(arena, slot.name) : NULL;
    slots[count] = slot;
    return slots;
}

Value *function_add_parameter(Function *function, Type type, Slot slot) {
    function->parameters = append_slot(function->module->arena, function->parameters,
                                       function->body->parameters.count, slot);
    return region_add_parameter(function->body, type, slot.name);
}

void function_add_result(Function *function, Value *value, Slot slot) {
    check(value->region->function == function, "a result belongs to another function");
    function->results =
        append_slot(function->module->arena, function->results, function->body->yields.count, slot);
    vec_push(function->module->arena, &function->body->yields, value);
}

Region *region_new(Function *function, Inst *owner) {
    Region *region = arena_new(function->module->arena, Region);
    region->function = function;
    region->owner = owner;
    return region;
}

Value *region_add_parameter(Region *region, Type type, const char *name) {
    Arena *arena = region->function->module->arena;
    Value *value = arena_new(arena, Value);
    value->type = type_copy(arena, type);
    value->name = name ? arena_copy_string(arena, name) : NULL;
    value->region = region;
    value->index = region->parameters.count;
    value->id = region->function->value_count++;
    vec_push(arena, &region->parameters, value);
    return value;
}

bool region_is_inside(const Region *inner, const Region *outer) {
    while (inner != outer && inner->owner && inner->owner->parent) {
        inner = inner->owner->parent;
    }
    return inner == outer;
}

bool value_is_visible(const Value *value, const Region *region) {
    return region_is_inside(region, value->region);
}

bool region_yields(const Region *region, const Value *value) {
    for (int i = 0; i < region->yields.count; i++) {
        if (region->yields.at[i] == value) {
            return true;
        }
    }
    return false;
}
