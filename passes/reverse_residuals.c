// What a reversed iteration needs of the primal's iteration.
//
// The reverse of a loop's body is written as if the body's values were there. Afterwards each of
// them that is used is made available, in the cheapest sound way:
//
//   free     cheap to compute from the index and from values outside of the loop: computed again;
//   derived  moved or repeated from a value that is saved, or cheap to compute from values that are
//            saved anyway (by a function with a derivative of its own, too): computed again from
//            those. So are large products of small values, and
//            what is computed from them element by element, as the scores of attention: they take
//            more time to store and to read, where block_rows computes them block by block. Where
//            several values are cheap to compute from one, that one is saved instead of them;
//   saved    everything else: stacked by the primal loop, one row an iteration, and read back.
//
// A carried value is what the iteration before has yielded: where that is saved, it is read one row
// earlier, and the first one is the initial value.
//
// Loops inside of loops compose: the stacks of an inner loop are values of the outer one's body.
#include "passes/reverse.h"

#include "passes/match.h"

// Of a value of the primal body.
enum { NEEDED = 1, FREE = 2, DERIVED = 4 };

typedef struct Residuals {
    Inst *loop;
    const Region *body;
    Value *index;
    unsigned char *state, *widening; // by id
    ValueMap there;                  // what stands for each value in the reversed iteration
} Residuals;

static bool is_residual(const Residuals *it, const Value *value) {
    return value->region == it->body;
}

static void find_needed(Residuals *it, const Region *region) {
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->operand_count; i++) {
            if (is_residual(it, inst->operands[i])) {
                it->state[inst->operands[i]->id] |= NEEDED;
            }
        }
        for (int i = 0; i < inst->region_count; i++) {
            find_needed(it, inst->regions[i]);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        if (is_residual(it, region->yields.at[i])) {
            it->state[region->yields.at[i]->id] |= NEEDED;
        }
    }
}

static bool is_free(const Residuals *it, const Value *value) {
    return !is_residual(it, value) || (it->state[value->id] & FREE);
}

static bool is_cheap(const Inst *inst) {
    return (op_info(inst->op)->traits & (CHEAP | STRUCTURED)) == CHEAP;
}

enum { FEW_OPERATORS = 4 }; // of a function that is computed again

// A call of a function with a derivative of its own that is a little arithmetic, as the product
// that gelu ends in. The copy is called, too: a differentiation of it uses the same rule.
static bool is_cheap_call(const Inst *inst) {
    if (inst->op != OP_call || inst->result_count != 1) {
        return false;
    }
    int count = 0;
    for_each_inst(inner, inst->attr.callee->body) {
        bool is_cheap_inner = op_info(inner->op)->elementwise && is_cheap(inner);
        if (!is_cheap_inner && inner->op != OP_constant && inner->op != OP_broadcast) {
            return false;
        }
        count += is_cheap_inner;
    }
    return count <= FEW_OPERATORS;
}

static void find_free(Residuals *it) {
    it->state[it->body->parameters.at[0]->id] |= FREE;
    for_each_inst(inst, it->body) {
        bool free = is_cheap(inst);
        for (int i = 0; i < inst->operand_count && free; i++) {
            free = is_free(it, inst->operands[i]);
        }
        if (free) {
            it->state[inst->results[0]->id] |= FREE;
        }
    }
}

// Operators whose operand takes no more room than their result.
static bool only_moves(const Inst *inst) {
    if (inst->op == OP_cast) {
        return element_bytes(inst->operands[0]->type.element) <=
               element_bytes(inst->results[0]->type.element);
    }
    return inst->op == OP_broadcast || inst->op == OP_reshape || inst->op == OP_transpose ||
           inst->op == OP_detach;
}

static bool operands_are_there(const Residuals *it, const Inst *inst) {
    for (int i = 0; i < inst->operand_count; i++) {
        if (!is_free(it, inst->operands[i]) && !(it->state[inst->operands[i]->id] & NEEDED)) {
            return false;
        }
    }
    return true;
}

// The stack of a value that the loop makes already, or NULL.
static Value *find_stack(const Residuals *it, const Value *value) {
    for (int i = it->loop->attr.carried; i < it->body->yields.count; i++) {
        if (it->body->yields.at[i] == value) {
            return it->loop->results[i];
        }
    }
    return NULL;
}

// A value that is saved anyway, or that value moved.
static bool is_saved_moved(const Residuals *it, const Value *value) {
    while (!(it->state[value->id] & NEEDED) && value->region == it->body &&
           value->definition != NULL && value->definition->result_count == 1 &&
           only_moves(value->definition) && value->definition->op != OP_broadcast) {
        value = value->definition->operands[0];
    }
    return it->state[value->id] & NEEDED;
}

enum { SMALL = LARGE_VALUE / 4 }; // bytes of a value that may be saved to compute a large one again

static bool is_large(const Value *value) {
    return type_is_static(value->type) && type_bytes(value->type) >= LARGE_VALUE;
}

// A short product that is larger than what it is made of.
static bool is_wide_product(const Inst *inst) {
    if (inst->op != OP_contract || !is_large(inst->results[0])) {
        return false;
    }
    size_t bytes = type_bytes(inst->operands[0]->type) + type_bytes(inst->operands[1]->type);
    return type_bytes(inst->results[0]->type) >= 2 * bytes &&
           contraction_length(inst) <= CHEAP_CONTRACTION;
}

typedef enum Widening {
    WIDENING_UNKNOWN,
    WIDENING_NONE,    // must be saved
    WIDENING_THERE,   // saved anyway, or small
    WIDENING_PRODUCT, // computed again, with a wide product on the way
} Widening;

static Widening find_widening(Residuals *it, const Value *value);

// What the operands allow: the last of them, or none.
static Widening widen_operands(Residuals *it, const Inst *inst, bool is_product) {
    Widening all = is_product ? WIDENING_PRODUCT : WIDENING_THERE;
    for (int i = 0; i < inst->operand_count; i++) {
        const Value *operand = inst->operands[i];
        if (is_free(it, operand) || (is_product && is_saved_moved(it, operand))) {
            continue;
        }
        Widening one = find_widening(it, operand);
        if (one == WIDENING_NONE) {
            return one;
        }
        all = one > all ? one : all;
    }
    return all;
}

static Widening find_widening(Residuals *it, const Value *value) {
    unsigned char *known = &it->widening[value->id];
    bool is_needed = it->state[value->id] & NEEDED;
    if (*known != WIDENING_UNKNOWN) {
        return (Widening)*known;
    }
    const Inst *inst = value->definition;
    Widening found = is_needed ? WIDENING_THERE : WIDENING_NONE;
    if (!is_large(value)) {
        bool is_small = type_is_static(value->type) && type_bytes(value->type) <= SMALL;
        found = is_small ? WIDENING_THERE : found;
    } else if (inst != NULL && is_residual(it, value) && find_stack(it, value) == NULL &&
               (is_wide_product(inst) || only_moves(inst) || op_info(inst->op)->elementwise)) {
        Widening widened = widen_operands(it, inst, is_wide_product(inst));
        found = widened > found ? widened : found;
    }
    *known = (unsigned char)found;
    return found;
}

// A large value that is computed again from what is saved anyway and from small values, by a wide
// product and elementwise work.
static bool is_widened(Residuals *it, const Inst *inst) {
    return is_large(inst->results[0]) && find_stack(it, inst->results[0]) == NULL &&
           find_widening(it, inst->results[0]) == WIDENING_PRODUCT;
}

// The one value of the body that a needed value would be cheap to compute from, if it were there;
// NULL: there is none, or more is missing, or nothing has to be done for the needed value.
static const Value *find_missing(const Residuals *it, const Inst *inst) {
    const Value *missing = NULL;
    bool is_saved = inst->result_count == 1 && (it->state[inst->results[0]->id] & NEEDED) &&
                    !(it->state[inst->results[0]->id] & FREE) &&
                    find_stack(it, inst->results[0]) == NULL;
    if (!is_saved || !is_cheap(inst) || !op_info(inst->op)->elementwise) {
        return NULL;
    }
    for (int i = 0; i < inst->operand_count; i++) {
        const Value *operand = inst->operands[i];
        if (is_free(it, operand) || (it->state[operand->id] & NEEDED) || operand == missing) {
            continue;
        }
        if (missing != NULL || operand->definition == NULL ||
            element_bytes(operand->type.element) > element_bytes(inst->results[0]->type.element)) {
            return NULL;
        }
        missing = operand;
    }
    return missing;
}

// One value is saved instead of several that are cheap to compute from it.
static void find_shared(Arena *scratch, Residuals *it) {
    int *users = arena_array(scratch, int, it->body->function->value_count);
    for_each_inst(inst, it->body) {
        const Value *missing = find_missing(it, inst);
        if (missing != NULL && ++users[missing->id] == 2) {
            it->state[missing->id] |= NEEDED;
        }
    }
}

// Last to first, so that a value's needs are known when it is met.
static void find_derived(Residuals *it) {
    for (const Inst *inst = it->body->last; inst != NULL; inst = inst->previous) {
        if (inst->result_count != 1 || !(it->state[inst->results[0]->id] & NEEDED)) {
            continue;
        }
        unsigned char *state = &it->state[inst->results[0]->id];
        bool derived =
            only_moves(inst) || is_widened(it, inst) ||
            (((is_cheap(inst) && op_info(inst->op)->elementwise) || is_cheap_call(inst)) &&
             operands_are_there(it, inst));
        if (derived || (*state & FREE)) {
            *state |= DERIVED;
            for (int i = 0; i < inst->operand_count; i++) {
                if (is_residual(it, inst->operands[i])) {
                    it->state[inst->operands[i]->id] |= NEEDED;
                }
            }
        }
    }
}

static Value *stack_of(Residuals *it, Value *value) {
    Value *stack = find_stack(it, value);
    if (stack) {
        return stack;
    }
    stack = loop_add_stack(it->loop, value);
    if (value->name) {
        stack->name = arena_format(value->region->function->module->arena, "%s_saved", value->name);
    }
    return stack;
}

static void save(Residuals *it, Builder *b, Value *value) {
    Value *row = build_row(b, stack_of(it, value), it->index);
    row->name = value->name;
    value_map_set(&it->there, value, row);
}

// A carried value from the stack of what is carried on.
static Value *read_previous(Residuals *it, Builder *b, const Value *parameter, Value *stack) {
    Value *zero = build_scalar_integer(b, TYPE_I64, 0);
    Value *first = build_eq(b, it->index, zero);
    Value *before = build_sub(b, it->index, build_scalar_integer(b, TYPE_I64, 1));
    Value *row = build_row(b, stack, build_select(b, first, zero, before));
    return build_select(b, first, it->loop->operands[parameter->index - 1], row);
}

// Parameters come before instructions: what is carried on is stacked now if it will be saved.
static void save_parameter(Residuals *it, Builder *b, Value *parameter) {
    Value *next = it->body->yields.at[parameter->index - 1];
    int state = is_residual(it, next) ? it->state[next->id] : 0;
    bool will_be_saved = next->definition && (state & NEEDED) && !(state & DERIVED);
    Value *stack = find_stack(it, parameter);
    if (stack == NULL && is_residual(it, next)) {
        stack = will_be_saved ? stack_of(it, next) : find_stack(it, next);
        if (stack) {
            Value *value = read_previous(it, b, parameter, stack);
            value->name = parameter->name;
            value_map_set(&it->there, parameter, value);
            return;
        }
    }
    save(it, b, parameter);
}

static void provide_all(Residuals *it, Builder *b) {
    for (int i = 1; i < it->body->parameters.count; i++) {
        Value *parameter = it->body->parameters.at[i];
        if (it->state[parameter->id] & NEEDED) {
            save_parameter(it, b, parameter);
        }
    }
    for_each_inst(inst, it->body) {
        b->span = inst->span;
        for (int i = 0; i < inst->result_count; i++) {
            int state = it->state[inst->results[i]->id];
            if ((state & NEEDED) && (state & DERIVED)) {
                clone_inst(b, inst, &it->there);
            } else if (state & NEEDED) {
                save(it, b, inst->results[i]);
            }
        }
    }
}

void provide_saved_values(Arena *scratch, Inst *loop, Region *reverse_body, Value *index,
                          Inst *place) {
    const Function *function = reverse_body->function;
    Residuals it = {.loop = loop, .body = loop->regions[0], .index = index};
    it.state = arena_array(scratch, unsigned char, function->value_count);
    it.widening = arena_array(scratch, unsigned char, function->value_count);
    it.there = value_map_new(scratch, function);
    find_needed(&it, reverse_body);
    find_free(&it);
    find_shared(scratch, &it);
    find_derived(&it);

    value_map_set(&it.there, it.body->parameters.at[0], index);
    Builder b = builder_at(reverse_body, loop->span);
    Inst *last = reverse_body->last;
    provide_all(&it, &b);
    map_region_uses(&it.there, reverse_body);
    for (Inst *first = place->next; last != place && last->next != NULL;) {
        inst_insert_before(last->next, first);
    }
}
