// Rewriting IR. Passes rebuild: they walk an old region in order and build a new one, with a map
// from old values to new ones. Nothing tracks uses; who needs them counts them once.
#ifndef TDSL_IR_EDIT_H
#define TDSL_IR_EDIT_H

#include "ir/build.h"

// From old values to new ones, by the old value's id. Unmapped values are NULL.
typedef struct ValueMap {
    Value **to;
    int count;
    Arena *arena;
} ValueMap;

ValueMap value_map_new(Arena *arena, const Function *from);
void value_map_set(ValueMap *map, const Value *from, Value *to);
Value *value_map_get(const ValueMap *map, const Value *from); // itself if unmapped

// A copy of `inst` at the builder's place with mapped operands; its results and everything in its
// regions are added to the map. The builder's function may be another one than inst's.
Inst *clone_inst(Builder *b, const Inst *inst, ValueMap *map);
// All instructions of a region; its parameters must be mapped already. Yields are not copied.
void clone_region(Builder *b, const Region *region, ValueMap *map);
// A whole function under a new name, with its slots.
Function *clone_function(const Function *function, const char *name);

// Puts the instructions from `first` to `last`, of one region, into a checkpoint in their place.
// What is used behind them becomes its results. Returns the checkpoint.
Inst *wrap_in_checkpoint(Arena *scratch, Inst *first, Inst *last);

void inst_remove(Inst *inst);
void inst_insert_before(Inst *inst, Inst *place);
// Replaces every use of `from` in `region` (and the regions inside it) by `to`.
void replace_uses(Region *region, const Value *from, Value *to);
// Lets an instruction, or all of a region, with the regions inside, use what the map has for
// values.
void map_inst_uses(const ValueMap *map, Inst *inst);
void map_region_uses(const ValueMap *map, Region *region);
// How often each value of the function is used (as operand or yield), by id; in `arena`.
int *count_uses(Arena *arena, const Function *function);

#endif
