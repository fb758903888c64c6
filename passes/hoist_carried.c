// See hoist_carried.h. What is left behind in the loop is dead then; remove_dead takes it out.
#include "passes/hoist_carried.h"

#include "ir/edit.h"

enum {
    MOST_STACKED = 1 << 20, // bytes of all stacks
    LEAST_GAIN = 2          // elements that need not be computed for each that is read
};

typedef struct Split {
    PassContext *context;
    Inst *outer, *loop;
    Region *body;        // of the loop
    bool *fixed;         // by id: the same for each iteration of the outer loop
    bool *costly;        // by id: fixed, and not made of the loop's index by cheap operators
    bool *stacked;       // by id: fixed, costly, and read by what is not fixed
    bool *carried_fixed; // by number
    int64_t gain, cost;  // elements of an iteration
} Split;

static bool is_outside(const Split *s, const Value *value) {
    return value_is_visible(value, s->outer->parent);
}

static bool is_fixed(const Split *s, const Value *value) {
    return is_outside(s, value) || s->fixed[value->id];
}

typedef void ValueVisitor(Split *s, const Value *value, bool *holds);

// Shows the visitor what an instruction uses from around it.
static void visit_uses(Split *s, const Inst *inst, ValueVisitor *visit, bool *holds) {
    for (int i = 0; i < inst->operand_count; i++) {
        visit(s, inst->operands[i], holds);
    }
    for (int i = 0; i < inst->region_count; i++) {
        const Region *region = inst->regions[i];
        for_each_inst(inner, region) {
            visit_uses(s, inner, visit, holds);
        }
        for (int j = 0; j < region->yields.count; j++) {
            visit(s, region->yields.at[j], holds);
        }
    }
}

static void require_fixed(Split *s, const Value *value, bool *holds) {
    // Regions of instructions in the body are looked at for what they take from the body.
    bool is_inner = !is_outside(s, value) && value->region != s->body &&
                    region_is_inside(value->region, s->body);
    *holds = *holds && (is_inner || is_fixed(s, value));
}

static bool uses_fixed(Split *s, const Inst *inst) {
    bool holds = inst->op != OP_fence && inst->op != OP_checkpoint && inst->op != OP_recompute;
    visit_uses(s, inst, require_fixed, &holds);
    return holds;
}

static bool is_costly(const Split *s, const Inst *inst) {
    bool costly = inst->region_count > 0 || !(op_info(inst->op)->traits & CHEAP);
    for (int i = 0; i < inst->operand_count; i++) {
        const Value *operand = inst->operands[i];
        costly = costly || (!is_outside(s, operand) && s->costly[operand->id]);
    }
    return costly;
}

static void mark_results(Split *s, const Inst *inst, bool fixed) {
    bool costly = fixed && is_costly(s, inst);
    for (int i = 0; i < inst->result_count; i++) {
        s->fixed[inst->results[i]->id] = fixed;
        s->costly[inst->results[i]->id] = costly;
    }
}

// What is fixed in the body of the outer loop before the loop, and is not moved out of it: cheap.
static void find_fixed_before(Split *s) {
    for (const Inst *inst = s->outer->regions[0]->first; inst != s->loop; inst = inst->next) {
        if (inst->region_count == 0 && !(op_info(inst->op)->traits & STRUCTURED)) {
            mark_results(s, inst, uses_fixed(s, inst));
        }
    }
}

// True if all that was taken for fixed is.
static bool find_fixed(Split *s) {
    int carried = s->loop->attr.carried;
    s->fixed[s->body->parameters.at[0]->id] = true;
    for (int i = 0; i < carried; i++) {
        const Value *parameter = s->body->parameters.at[i + 1];
        s->fixed[parameter->id] = s->costly[parameter->id] = s->carried_fixed[i];
    }
    for_each_inst(inst, s->body) {
        mark_results(s, inst, uses_fixed(s, inst));
    }
    bool agreed = true;
    for (int i = 0; i < carried; i++) {
        if (s->carried_fixed[i] && !is_fixed(s, s->body->yields.at[i])) {
            s->carried_fixed[i] = agreed = false;
        }
    }
    return agreed;
}

static int64_t elements_of(const Value *value) {
    return type_elements(value->type);
}

static void note_read(Split *s, const Value *value, bool *holds) {
    if (value->region != s->body || !s->fixed[value->id] || !s->costly[value->id] ||
        s->stacked[value->id]) {
        return;
    }
    *holds = *holds && type_is_static(value->type);
    s->stacked[value->id] = true;
    s->cost += *holds ? elements_of(value) : 0;
}

static int64_t work_of(const Inst *inst) {
    int64_t work = 0;
    bool scatters = inst->op == OP_scatter_add || inst->op == OP_scatter_set;
    const Value *made = scatters ? inst->operands[1] : inst->results[0];
    for (int i = 0; i < inst->operand_count && inst->op == OP_contract; i++) {
        work += elements_of(inst->operands[i]);
    }
    return work + elements_of(made);
}

static bool is_worth_it(Split *s) {
    bool holds = true;
    for_each_inst(inst, s->body) {
        for (int i = 0; i < inst->operand_count; i++) {
            holds = holds && type_is_static(inst->operands[i]->type);
        }
        if (inst->result_count == 0 || !holds || !type_is_static(inst->results[0]->type)) {
            return false;
        }
        if (!s->fixed[inst->results[0]->id]) {
            visit_uses(s, inst, note_read, &holds);
        } else if (s->costly[inst->results[0]->id]) {
            s->gain += work_of(inst);
        }
    }
    for (int i = 0; i < s->loop->attr.carried; i++) {
        if (!s->carried_fixed[i]) {
            note_read(s, s->body->yields.at[i], &holds);
        }
    }
    int64_t trip;
    return holds && dim_is_constant(s->loop->attr.trip, &trip) && s->cost * LEAST_GAIN <= s->gain &&
           s->cost * trip * 8 <= MOST_STACKED;
}

// Takes a fixed value out of the body of the outer loop, with what it is made of.
static void move_out(Split *s, const Value *value) {
    Inst *inst = value->definition;
    if (inst == NULL || inst->parent != s->outer->regions[0]) {
        return;
    }
    for (int i = 0; i < inst->operand_count; i++) {
        move_out(s, inst->operands[i]);
    }
    inst_insert_before(inst, s->outer);
}

static void move_used(Split *s, const Value *value, bool *holds) {
    (void)holds;
    move_out(s, value);
}

// Everything that the new loop takes from the body of the outer one.
static void move_needed(Split *s) {
    int carried = s->loop->attr.carried;
    for (int i = 0; i < carried; i++) {
        if (s->carried_fixed[i]) {
            move_out(s, s->loop->operands[i]);
        }
    }
    for_each_inst(inst, s->body) {
        if (inst->result_count > 0 && s->fixed[inst->results[0]->id]) {
            visit_uses(s, inst, move_used, NULL);
        }
    }
    for (int i = 0; i < s->body->yields.count; i++) {
        if (is_fixed(s, s->body->yields.at[i])) {
            move_out(s, s->body->yields.at[i]);
        }
    }
}

static Inst *make_loop(Split *s, ValueMap *map) {
    Arena *scratch = s->context->scratch;
    int carried = s->loop->attr.carried, count = 0;
    Value **initial = arena_array(scratch, Value *, carried);
    for (int i = 0; i < carried; i++) {
        if (s->carried_fixed[i]) {
            initial[count++] = s->loop->operands[i];
        }
    }
    Builder b = builder_at(s->outer->parent, s->loop->span);
    Inst *made = build_loop(&b, s->loop->attr.trip, initial, count, NULL);
    inst_insert_before(made, s->outer);
    Region *region = made->regions[0];
    value_map_set(map, s->body->parameters.at[0], region->parameters.at[0]);
    for (int i = 0, next = 1; i < carried; i++) {
        if (s->carried_fixed[i]) {
            region->parameters.at[next]->name = s->body->parameters.at[i + 1]->name;
            value_map_set(map, s->body->parameters.at[i + 1], region->parameters.at[next++]);
        }
    }
    Builder inner = builder_at(region, s->loop->span);
    for_each_inst(inst, s->body) {
        if (inst->result_count > 0 && s->fixed[inst->results[0]->id]) {
            clone_inst(&inner, inst, map);
        }
    }
    return made;
}

static void yield_copy(Split *s, Inst *made, const ValueMap *map, const Value *value) {
    vec_push(s->context->module->arena, &made->regions[0]->yields, value_map_get(map, value));
}

// Yields what was carried, then the stacks that the loop made, then those that it reads.
static void finish(Split *s, Inst *made, const ValueMap *map, const Value *const *read,
                   int read_count) {
    int carried = s->loop->attr.carried, count = s->body->yields.count;
    for (int i = 0; i < count; i++) {
        bool taken = i < carried ? s->carried_fixed[i] : is_fixed(s, s->body->yields.at[i]);
        if (taken) {
            yield_copy(s, made, map, s->body->yields.at[i]);
        }
    }
    for (int i = 0; i < read_count; i++) {
        yield_copy(s, made, map, read[i]);
    }
    loop_finish(made);
    Region *all = s->loop->parent->function->body;
    for (int i = 0, next = 0; i < count; i++) {
        bool taken = i < carried ? s->carried_fixed[i] : is_fixed(s, s->body->yields.at[i]);
        if (taken) {
            Value *to = made->results[next++];
            to->name = to->name == NULL ? s->loop->results[i]->name : to->name;
            replace_uses(all, s->loop->results[i], to);
        }
    }
}

// In the loop, rows of the stacks stand for what was computed.
static void read_stacks(Split *s, const Inst *made, const Value *const *read, int read_count) {
    Inst *first = s->body->first, *last = s->body->last;
    Builder b = builder_at(s->body, s->loop->span);
    Value **rows = arena_array(s->context->scratch, Value *, read_count + 1);
    for (int i = 0; i < read_count; i++) {
        Value *stack = made->results[made->result_count - read_count + i];
        rows[i] = build_row(&b, stack, s->body->parameters.at[0]);
        rows[i]->name = read[i]->name;
    }
    for (Inst *inst = last->next, *next; inst != NULL; inst = next) {
        next = inst->next;
        inst_insert_before(inst, first);
    }
    for (int i = 0; i < read_count; i++) {
        replace_uses(s->body, read[i], rows[i]);
    }
}

static const Value **list_stacked(Split *s, int *count) {
    const Value **read =
        arena_array(s->context->scratch, const Value *, s->body->function->value_count);
    *count = 0;
    for (int i = 0; i < s->body->parameters.count; i++) {
        if (s->stacked[s->body->parameters.at[i]->id]) {
            read[(*count)++] = s->body->parameters.at[i];
        }
    }
    for_each_inst(inst, s->body) {
        for (int i = 0; i < inst->result_count; i++) {
            if (s->stacked[inst->results[i]->id]) {
                read[(*count)++] = inst->results[i];
            }
        }
    }
    return read;
}

bool hoist_carried(PassContext *context, Inst *outer, Inst *loop) {
    int values = loop->parent->function->value_count, carried = loop->attr.carried;
    Arena *scratch = context->scratch;
    Split s = {.context = context, .outer = outer, .loop = loop, .body = loop->regions[0]};
    if (carried == 0 || s.body->last == NULL) {
        return false;
    }
    s.fixed = arena_array(scratch, bool, values);
    s.costly = arena_array(scratch, bool, values);
    s.stacked = arena_array(scratch, bool, values);
    s.carried_fixed = arena_array(scratch, bool, carried);
    find_fixed_before(&s);
    int count = 0;
    for (int i = 0; i < carried; i++) {
        s.carried_fixed[i] = is_fixed(&s, loop->operands[i]);
    }
    while (!find_fixed(&s)) {
    }
    for (int i = 0; i < carried; i++) {
        count += s.carried_fixed[i];
    }
    if (count == 0 || !is_worth_it(&s)) {
        return false;
    }
    int read_count;
    const Value **read = list_stacked(&s, &read_count);
    ValueMap map = value_map_new(scratch, loop->parent->function);
    move_needed(&s);
    Inst *made = make_loop(&s, &map);
    finish(&s, made, &map, read, read_count);
    read_stacks(&s, made, read, read_count);
    return true;
}
