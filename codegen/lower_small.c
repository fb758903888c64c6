// What is so small that it is written out. Small loops and branches inside a kernel of scalars:
// carried values live in locals, element by element, and everything in the body is written out. So
// a whole scalar program, loops included, is one kernel that touches memory only for its inputs,
// its results and the stacks of its loops.
#include "codegen/lower_points.h"
#include "ir/written_out.h"

enum {
    MOST_IN_STACK = 64, // elements of a stack that a loop inside another one leaves
    LEAST_WIDE = 16     // iterations that are computed side by side
};

// How much is small, and how much of it there is so far.
typedef struct Small {
    int64_t most_elements; // of a value
    int64_t most_work;     // elements that are computed in one region
    int64_t work;
} Small;

static const Small no_work = {.most_elements = 16, .most_work = 600};
// Of iterations that are computed side by side: longer code pays.
static const Small no_wide_work = {.most_elements = WRITTEN_OUT_ELEMENTS,
                                   .most_work = WRITTEN_OUT_WORK};

static bool is_small_value(const Value *value, const Small *small) {
    int64_t count = type_elements(value->type);
    return count > 0 && count <= small->most_elements && value->type.rank <= WRITTEN_OUT_RANK;
}

static bool is_small_regions(const Lowering *l, const Inst *inst, Small *small);

static bool is_small_inst(const Lowering *l, const Inst *inst, Small *small) {
    if (inst->op == OP_loop || inst->op == OP_branch) {
        for (int i = 0; i < inst->result_count; i++) {
            if (type_elements(inst->results[i]->type) > MOST_IN_STACK) {
                return false;
            }
        }
        return is_small_regions(l, inst, small);
    }
    if (inst->result_count != 1 || !is_small_value(inst->results[0], small)) {
        return false;
    }
    int64_t terms = 1;
    if (is_reduction(inst->op)) {
        if (!is_small_reduction(inst->results[0])) {
            return false;
        }
        terms += reduction_of(inst->results[0]).total;
    } else if (!is_inlinable(inst->op) && inst->op != OP_concat) {
        return false;
    }
    small->work += terms * type_elements(inst->results[0]->type);
    return true;
}

static bool is_needed(const Lowering *l, const Inst *inst) {
    for (int i = 0; i < inst->result_count; i++) {
        if (state_of(l, inst->results[i])->needed) {
            return true;
        }
    }
    return false;
}

static bool is_small_region(const Lowering *l, const Region *region, Small *small) {
    for (int i = 1; i < region->parameters.count; i++) {
        if (!is_small_value(region->parameters.at[i], small)) {
            return false;
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        if (!is_small_value(region->yields.at[i], small)) {
            return false;
        }
    }
    for_each_inst(inst, region) {
        if (is_needed(l, inst) && !is_small_inst(l, inst, small)) {
            return false;
        }
    }
    return small->work <= small->most_work;
}

static bool is_small_regions(const Lowering *l, const Inst *inst, Small *small) {
    for (int i = 0; i < inst->region_count; i++) {
        if (!is_small_region(l, inst->regions[i], small)) {
            return false;
        }
    }
    return inst->result_count > 0;
}

// The iterations are independent, and without steps of their own.
bool is_wide_loop(const Lowering *l, const Inst *inst) {
    bool wide = inst->op == OP_loop && inst->region_count == 1 && inst->attr.carried == 0 &&
                !inst->attr.counted && dim_value(inst->attr.trip) >= LEAST_WIDE;
    for_each_inst(inner, inst->regions[0]) {
        wide = wide && (inner->region_count == 0 || !is_needed(l, inner));
    }
    return wide;
}

bool is_small_control(const Lowering *l, const Inst *inst) {
    Small small = is_wide_loop(l, inst) ? no_wide_work : no_work;
    return is_small_regions(l, inst, &small);
}

bool is_stack(const Value *value) {
    const Inst *inst = value->definition;
    return inst != NULL && inst->op == OP_loop && value->index >= inst->attr.carried &&
           value->index < inst->regions[0]->yields.count;
}

static void bind_cells(KernelLowering *k, const Value *value, Local *local) {
    vec_push(&k->build.scratch, &k->cells, ((Cells){value, local}));
}

static Local *new_cells(KernelLowering *k, Type type, const char *name) {
    return add_local(&k->build, type.element, type_elements(type), name);
}

// The index of element number `i` of a value.
static Scalar **constant_index(KernelLowering *k, Type type, int64_t i) {
    Scalar **index = new_index(k, type.rank);
    unflatten(k, type, scalar_position(&k->build, i), index);
    return index;
}

static Scalar **all_elements(KernelLowering *k, const Value *value) {
    int64_t count = type_elements(value->type);
    Scalar **elements = arena_array(&k->build.scratch, Scalar *, count);
    for (int64_t i = 0; i < count; i++) {
        elements[i] = element(k, value, constant_index(k, value->type, i));
    }
    return elements;
}

static void set_cells(KernelLowering *k, Local *local, Scalar *const *elements) {
    for (int i = 0; i < local->count; i++) {
        add_set(&k->build, local, scalar_position(&k->build, i), elements[i]);
    }
}

// From here on in this scope the value's elements are what its cells hold now.
static void read_cells(KernelLowering *k, const Value *value, Local *local) {
    bind_cells(k, value, local);
    for (int i = 0; i < local->count; i++) {
        Scalar *now = scalar_local(&k->build, local, scalar_position(&k->build, i));
        remember_element(k, value, constant_index(k, value->type, i), now);
    }
}

// Computes everything in the order of the program; what nobody uses is dropped
// later.
static void emit_region(KernelLowering *k, const Region *region) {
    for_each_inst(inst, region) {
        if (!is_needed(k->lowering, inst)) {
            continue;
        }
        if (inst->op == OP_loop || inst->op == OP_branch) {
            emit_small_control(k, inst);
        } else {
            all_elements(k, inst->results[0]);
        }
    }
}

typedef struct SmallLoop {
    KernelLowering *k;
    const Inst *inst;
    Scalar *limit;
    Local **carried;
    Local **stacks; // of loops inside others; NULL where the stack is stored in a
                    // buffer, or unneeded
} SmallLoop;

static bool is_buffered(const SmallLoop *loop) {
    const Node *node = state_of(loop->k->lowering, loop->inst->results[0])->node;
    return node != NULL && node == loop->k->node;
}

static void bind_parameters(SmallLoop *loop, const Region *region, Scalar *index) {
    remember_element(loop->k, region->parameters.at[0], NULL, index);
    for (int i = 0; i < loop->inst->attr.carried; i++) {
        read_cells(loop->k, region->parameters.at[1 + i], loop->carried[i]);
    }
}

static void store_stack_row(SmallLoop *loop, int yield, Scalar *index, Scalar *const *elements) {
    KernelLowering *k = loop->k;
    KernelBuilder *b = &k->build;
    const Value *stack = loop->inst->results[yield];
    const ValueState *state = state_of(k->lowering, stack);
    int64_t count = type_elements(loop->inst->regions[0]->yields.at[yield]->type);
    Scalar *start = scalar_binary(b, SCALAR_MUL, index, scalar_position(b, count));
    bool buffered = is_buffered(loop);
    start = buffered ? row_position(k, state->row, state->row_elements, start) : start;
    for (int64_t i = 0; i < count; i++) {
        Scalar *position = scalar_binary(b, SCALAR_ADD, start, scalar_position(b, i));
        if (buffered) {
            add_store(b, state->buffer, position, elements[i]);
        } else {
            add_set(b, loop->stacks[yield], position, elements[i]);
        }
    }
}

static void emit_body(SmallLoop *loop, Scalar *index) {
    KernelLowering *k = loop->k;
    const Region *body = loop->inst->regions[0];
    bind_parameters(loop, body, index);
    emit_region(k, body);
    int count = body->yields.count;
    Scalar ***yields = arena_array(&k->build.scratch, Scalar **, count);
    int carried = loop->inst->attr.carried;
    for (int i = 0; i < count; i++) {
        if (i < carried || state_of(k->lowering, loop->inst->results[i])->needed) {
            yields[i] = all_elements(k, body->yields.at[i]);
        }
    }
    for (int i = 0; i < count; i++) {
        if (i < carried) {
            set_cells(k, loop->carried[i], yields[i]);
        } else if (yields[i] != NULL) {
            store_stack_row(loop, i, index, yields[i]);
        }
    }
}

static Scalar *emit_condition(SmallLoop *loop, Scalar *index) {
    const Region *region = loop->inst->regions[1];
    bind_parameters(loop, region, index);
    emit_region(loop->k, region);
    return element(loop->k, region->yields.at[0], NULL);
}

static void emit_while(SmallLoop *loop) {
    KernelBuilder *b = &loop->k->build;
    bool counted = loop->inst->attr.counted;
    Scalar *zero = scalar_position(b, 0);
    Local *done = add_local(b, TYPE_I64, 1, "iteration");
    Local *goes_on = add_local(b, TYPE_BOOL, 1, "goes_on");
    add_set(b, done, zero, zero);
    begin_while(b);
    Scalar *index = scalar_local(b, done, zero);
    scalar_bound(b, index, 0, dim_value(loop->inst->attr.trip));
    if (counted) {
        add_set(b, goes_on, zero, scalar_integer_constant(b, TYPE_BOOL, 0));
        begin_if(b, scalar_binary(b, SCALAR_LT, index, loop->limit));
        add_set(b, goes_on, zero, emit_condition(loop, index));
        end_scope(b);
    } else {
        Scalar *holds = emit_condition(loop, index);
        add_set(b, goes_on, zero, holds);
        Scalar *over = scalar_binary(b, SCALAR_GE, index, loop->limit);
        Program *program = loop->k->lowering->program;
        int site = program_site(program, loop->inst->span, limit_message(program, loop->inst));
        add_fail(b, scalar_binary(b, SCALAR_AND, over, holds), site);
    }
    begin_while_rest(b, scalar_local(b, goes_on, zero));
    emit_body(loop, index);
    add_set(b, done, zero, scalar_binary(b, SCALAR_ADD, index, scalar_position(b, 1)));
    end_scope(b);
    end_scope(b);
    bind_cells(loop->k, loop->inst->results[loop->inst->result_count - 1], done);
}

static void clear_stacks(SmallLoop *loop) {
    KernelLowering *k = loop->k;
    KernelBuilder *b = &k->build;
    const Inst *inst = loop->inst;
    bool is_partial = inst->attr.counted || inst->region_count > 1;
    for (int i = inst->attr.carried; i < inst->regions[0]->yields.count; i++) {
        const Value *stack = inst->results[i];
        const ValueState *state = state_of(k->lowering, stack);
        int64_t count = type_elements(stack->type);
        if (!state->needed || count == 0) {
            continue;
        }
        Scalar *zero = scalar_number(b, stack->type.element, 0);
        if (!is_buffered(loop)) {
            loop->stacks[i] = new_cells(k, stack->type, stack->name);
            bind_cells(k, stack, loop->stacks[i]);
        }
        if (is_partial) {
            Scalar *at = begin_loop(b, LOOP_VECTOR, count, loop_name(k));
            if (is_buffered(loop)) {
                add_store(b, state->buffer, row_position(k, state->row, state->row_elements, at),
                          zero);
            } else {
                add_set(b, loop->stacks[i], at, zero);
            }
            end_scope(b);
        }
    }
}

static void emit_loop(KernelLowering *k, const Inst *inst) {
    KernelBuilder *b = &k->build;
    int carried = inst->attr.carried;
    int64_t trip = dim_value(inst->attr.trip);
    SmallLoop loop = {.k = k, .inst = inst, .limit = scalar_position(b, trip)};
    loop.carried = arena_array(&b->scratch, Local *, carried);
    loop.stacks = arena_array(&b->scratch, Local *, inst->result_count);
    for (int i = 0; i < carried; i++) {
        const char *name = inst->regions[0]->parameters.at[1 + i]->name;
        loop.carried[i] = new_cells(k, inst->operands[i]->type, name);
        set_cells(k, loop.carried[i], all_elements(k, inst->operands[i]));
    }
    if (inst->attr.counted) {
        Scalar *count = element(k, inst->operands[carried], NULL);
        Scalar *below = scalar_binary(b, SCALAR_LT, count, scalar_position(b, 0));
        Scalar *above = scalar_binary(b, SCALAR_GT, count, loop.limit);
        add_fail(b, scalar_binary(b, SCALAR_OR, below, above),
                 program_site(k->lowering->program, inst->span,
                              "a loop should run more often than its limit, or less often than "
                              "never"));
        loop.limit = count;
    }
    clear_stacks(&loop);
    if (inst->region_count > 1) {
        emit_while(&loop);
    } else if (inst->attr.counted) {
        Scalar *index;
        begin_loop_to(b, LOOP_SERIAL, loop.limit, loop_name(k), &index);
        scalar_bound(b, index, 0, trip > 0 ? trip - 1 : 0);
        emit_body(&loop, index);
        end_scope(b);
    } else if (trip > 0) {
        bool wide = is_buffered(&loop) && is_wide_loop(k->lowering, inst);
        emit_body(&loop, begin_loop(b, wide ? LOOP_VECTOR : LOOP_SERIAL, trip, loop_name(k)));
        end_scope(b);
    }
    for (int i = 0; i < carried; i++) {
        bind_cells(k, inst->results[i], loop.carried[i]);
    }
}

static void emit_branch(KernelLowering *k, const Inst *inst) {
    KernelBuilder *b = &k->build;
    Local **results = arena_array(&b->scratch, Local *, inst->result_count);
    for (int i = 0; i < inst->result_count; i++) {
        results[i] = new_cells(k, inst->results[i]->type, inst->results[i]->name);
    }
    begin_if(b, element(k, inst->operands[0], NULL));
    for (int side = 0; side < 2; side++) {
        const Region *region = inst->regions[side];
        emit_region(k, region);
        for (int i = 0; i < inst->result_count; i++) {
            set_cells(k, results[i], all_elements(k, region->yields.at[i]));
        }
        if (side == 0) {
            begin_else(b);
        }
    }
    end_scope(b);
    for (int i = 0; i < inst->result_count; i++) {
        bind_cells(k, inst->results[i], results[i]);
    }
}

void emit_small_control(KernelLowering *k, const Inst *inst) {
    if (inst->op == OP_loop) {
        emit_loop(k, inst);
    } else {
        emit_branch(k, inst);
    }
}

// Stores the results of a loop or branch that is a member of the kernel's node.
void store_small_results(KernelLowering *k, const Inst *inst) {
    for (int i = 0; i < inst->result_count; i++) {
        const Value *result = inst->results[i];
        if (!state_of(k->lowering, result)->needed || is_stack(result)) {
            continue;
        }
        for (int64_t e = 0; e < type_elements(result->type); e++) {
            Scalar **index = constant_index(k, result->type, e);
            store_member(k, result, index, element(k, result, index));
        }
    }
}

bool is_small_function(const Lowering *l) {
    const Region *body = l->function->body;
    Small small = no_work;
    for (int i = 0; i < body->yields.count; i++) {
        if (!is_small_value(body->yields.at[i], &small)) {
            return false;
        }
    }
    for_each_inst(inst, body) {
        if (is_needed(l, inst) && !is_small_inst(l, inst, &small)) {
            return false;
        }
    }
    return small.work > 0 && small.work <= small.most_work;
}

// Everything is computed, then it is seen whether an index was out of range, then all is stored.
void lower_small_function(Lowering *l, const SmallResult *results) {
    const Region *body = l->function->body;
    int count = body->yields.count;
    KernelLowering k;
    begin_kernel(&k, l, NULL, body->yields.at[count - 1], "");
    emit_region(&k, body);
    Scalar ***elements = arena_array(&k.build.scratch, Scalar **, count);
    for (int i = 0; i < count; i++) {
        elements[i] = all_elements(&k, body->yields.at[i]);
    }
    add_index_failures(&k);
    for (int i = 0; i < count; i++) {
        Buffer *buffer = results[i].buffer;
        if (buffer->optional) {
            begin_present(&k.build, buffer);
        }
        for (int64_t e = 0; e < buffer->count; e++) {
            Scalar *position = scalar_position(&k.build, e), *sum = elements[i][e];
            if (results[i].accumulate) {
                sum = scalar_binary(&k.build, SCALAR_ADD,
                                    scalar_load_now(&k.build, buffer, position), sum);
            }
            add_store(&k.build, buffer, position, sum);
        }
        if (buffer->optional) {
            end_scope(&k.build);
        }
    }
    end_kernel(&k);
}
