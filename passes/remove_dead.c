// Drops what nobody uses: instructions, and what loops carry and stack.
//
// Live is what the function yields and what live instructions need. A carried value is live if its
// result is or if the body needs it for something live; so a value that is only carried round and
// round dies. An instruction that could have failed (an index out of range) dies like the others.
#include "passes/remove_dead.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

typedef struct Liveness {
    const Region *region; // what lies outside of it may be unfinished, and is not looked at
    bool *live;           // by id
    VEC(const Value *) work;
    Arena *scratch;
} Liveness;

static void need(Liveness *it, const Value *value) {
    if (!it->live[value->id] && region_is_inside(value->region, it->region)) {
        it->live[value->id] = true;
        vec_push(it->scratch, &it->work, value);
    }
}

static void need_carried(Liveness *it, const Inst *loop, int index) {
    need(it, loop->operands[index]);
    need(it, loop->regions[0]->yields.at[index]);
}

// What decides how often the loop runs.
static void need_loop(Liveness *it, const Inst *loop) {
    if (loop->attr.counted) {
        need(it, loop->operands[loop->attr.carried]);
    }
    if (loop->region_count == 2) {
        need(it, loop->regions[1]->yields.at[0]);
    }
}

static void need_result(Liveness *it, const Value *value) {
    const Inst *inst = value->definition;
    if (inst->op == OP_loop) {
        need_loop(it, inst);
        if (value->index < inst->attr.carried) {
            need_carried(it, inst, value->index);
        } else if (value->index < inst->regions[0]->yields.count) {
            need(it, inst->regions[0]->yields.at[value->index]);
        }
        return;
    }
    for (int i = 0; i < inst->operand_count; i++) {
        need(it, inst->operands[i]);
    }
    for (int i = 0; i < inst->region_count; i++) {
        need(it, inst->regions[i]->yields.at[value->index]);
    }
}

// The parameter of a loop's body or condition: needed are the values that it takes.
static void need_parameter(Liveness *it, const Value *value) {
    const Inst *owner = value->region == it->region ? NULL : value->region->owner;
    if (owner && owner->op == OP_loop && value->index > 0) {
        need_carried(it, owner, value->index - 1);
    }
}

static void find_live(Liveness *it, const Region *region) {
    for (int i = 0; i < region->yields.count; i++) {
        need(it, region->yields.at[i]);
    }
    while (it->work.count > 0) {
        const Value *value = it->work.at[--it->work.count];
        if (value->definition) {
            need_result(it, value);
        } else {
            need_parameter(it, value);
        }
    }
}

static void keep_values(Value **values, int *count, const bool *keep) {
    int kept = 0;
    for (int i = 0; i < *count; i++) {
        if (keep[i]) {
            values[kept] = values[i];
            values[kept]->index = kept;
            kept++;
        }
    }
    *count = kept;
}

// As keep_values, for values that do not know their place.
static void keep_operands(Value **values, int *count, const bool *keep) {
    int kept = 0;
    for (int i = 0; i < *count; i++) {
        if (keep[i]) {
            values[kept++] = values[i];
        }
    }
    *count = kept;
}

// Is a carried value needed: behind the loop, or in it?
static bool carries_live(const Liveness *it, const Inst *loop, int index) {
    bool live = it->live[loop->results[index]->id];
    for (int i = 0; i < loop->region_count; i++) {
        live = live || it->live[loop->regions[i]->parameters.at[index + 1]->id];
    }
    return live;
}

static void shrink_loop(Liveness *it, Inst *loop) {
    Region *body = loop->regions[0];
    int carried = loop->attr.carried, yields = body->yields.count, kept = 0;
    bool *keep = arena_array(it->scratch, bool, loop->result_count + 1);
    for (int i = 0; i < loop->result_count; i++) {
        keep[i] = i < carried  ? carries_live(it, loop, i)
                  : i < yields ? it->live[loop->results[i]->id]
                               : true; // the number of iterations
        kept += i < carried && keep[i];
    }
    keep_values(loop->results, &loop->result_count, keep);
    keep_operands(body->yields.at, &body->yields.count, keep);
    for (int i = 0; i < loop->region_count; i++) {
        // The index comes first.
        int count = carried;
        Region *region = loop->regions[i];
        keep_values(region->parameters.at + 1, &count, keep);
        region->parameters.count = 1 + count;
        for (int k = 1; k <= count; k++) {
            region->parameters.at[k]->index = k;
        }
    }
    keep[carried] = true; // the count
    keep_operands(loop->operands, &loop->operand_count, keep);
    loop->attr.carried = kept;
}

static void shrink_sides(Liveness *it, Inst *inst) {
    bool *keep = arena_array(it->scratch, bool, inst->result_count);
    for (int i = 0; i < inst->result_count; i++) {
        keep[i] = it->live[inst->results[i]->id];
    }
    for (int i = 0; i < inst->region_count; i++) {
        keep_operands(inst->regions[i]->yields.at, &inst->regions[i]->yields.count, keep);
    }
    keep_values(inst->results, &inst->result_count, keep);
}

static void sweep_region(Liveness *it, Region *region) {
    for (Inst *inst = region->first, *next; inst != NULL; inst = next) {
        next = inst->next;
        bool live = inst->op == OP_fence;
        for (int i = 0; i < inst->result_count; i++) {
            live = live || it->live[inst->results[i]->id];
        }
        // A loop whose results are all dead may yet have live parameters only if it is in a dead
        // cycle.
        if (!live) {
            inst_remove(inst);
            continue;
        }
        for (int i = 0; i < inst->region_count; i++) {
            sweep_region(it, inst->regions[i]);
        }
        if (inst->op == OP_loop) {
            shrink_loop(it, inst);
        } else if (inst->op == OP_branch || is_checkpoint(inst->op)) {
            shrink_sides(it, inst);
        }
    }
}

void remove_dead_in(Arena *scratch, Region *region) {
    Liveness it = {.region = region,
                   .live = arena_array(scratch, bool, region->function->value_count),
                   .scratch = scratch};
    find_live(&it, region);
    sweep_region(&it, region);
}

void pass_remove_dead(PassContext *context, Function *function) {
    remove_dead_in(context->scratch, function->body);
}
