// Kernels of their own: concat and cumsum store in a whole buffer or in a row of one, scatter in a
// whole one.
#include "codegen/lower_points.h"

static LoopNest plain_nest(Lowering *l, Type shape) {
    bool none[MOST_LOOPS] = {false};
    return make_nest(type_sizes(l->scratch, shape), shape.rank, none);
}

// Stores an element of a value where its state says.
static void store_at(KernelLowering *k, const Value *value, Scalar *const *index, Scalar *x) {
    const ValueState *state = state_of(k->lowering, value);
    Scalar *position = flat_position(k, value->type, index);
    position = row_position(k, state->row, state->row_elements, position);
    add_store(&k->build, state->buffer, position, x);
}

// Copies `value` to a place inside the result: element `index` to `index` +
// (offset at `axis`).
static void copy_part(KernelLowering *k, const Value *value, const Value *result, int axis,
                      int64_t offset) {
    KernelBuilder *b = &k->build;
    if (type_elements(value->type) == 0) {
        return;
    }
    LoopNest nest = plain_nest(k->lowering, value->type);
    Scalar **index = new_index(k, value->type.rank);
    open_nest(k, &nest, 0, nest.loop_count, LOOP_VECTOR, index);
    Scalar *x = element(k, value, index);
    if (value->type.rank > 0) {
        index[axis] = scalar_binary(b, SCALAR_ADD, index[axis], scalar_position(b, offset));
    }
    store_at(k, result, index, x);
    close_loops(k, nest.loop_count);
}

static void lower_concat(KernelLowering *k, const Inst *inst) {
    int64_t offset = 0;
    for (int i = 0; i < inst->operand_count; i++) {
        copy_part(k, inst->operands[i], inst->results[0], inst->attr.axis, offset);
        offset += type_size_at(inst->operands[i]->type, inst->attr.axis);
    }
}

// Whether the store's place moves with the innermost loop, so that its
// iterations are independent.
static LoopKind scatter_kind(const Scalar *position, const Scalar *innermost) {
    int64_t coefficient;
    bool moves = scalar_is_linear(position, innermost, &coefficient) && coefficient != 0;
    return moves ? LOOP_VECTOR : LOOP_SERIAL;
}

static void lower_scatter(KernelLowering *k, const Inst *inst, Buffer *to) {
    KernelBuilder *b = &k->build;
    const Value *base = inst->operands[0], *values = inst->operands[1];
    const ValueState *state = state_of(k->lowering, base);
    if (state->buffer != to) {
        copy_part(k, base, inst->results[0], 0, 0);
    }
    if (type_elements(values->type) == 0) {
        return;
    }
    LoopNest nest = plain_nest(k->lowering, values->type);
    Scalar **index = new_index(k, values->type.rank), **at = new_index(k, base->type.rank);
    open_nest(k, &nest, 0, nest.loop_count, LOOP_SERIAL, index);
    for (int axis = 0; axis < base->type.rank; axis++) {
        Scalar *wanted = element(k, inst->operands[2 + axis], index);
        at[axis] = checked_index(k, wanted, axis, type_size_at(base->type, axis), inst->span);
    }
    Scalar *x = element(k, values, index);
    if (type_elements(base->type) > 0) {
        Scalar *position = flat_position(k, base->type, at);
        Statement *innermost = b->scopes.at[b->scopes.count - 1].statement;
        if (innermost != NULL && innermost->kind == STATEMENT_LOOP) {
            innermost->loop->kind = scatter_kind(position, innermost->loop->index);
        }
        if (inst->op == OP_scatter_add) {
            x = scalar_binary(b, SCALAR_ADD, scalar_load_now(b, to, position), x);
        }
        add_store(b, to, position, x);
    }
    close_loops(k, nest.loop_count);
}

// Sums run along `axis`: for each place of the axes further out, the first row
// is copied, and each following one is its element added to the row before.
// Where the axis is the innermost one the sum is kept in a local instead.
static void lower_cumsum(KernelLowering *k, const Inst *inst) {
    KernelBuilder *b = &k->build;
    const Value *x = inst->operands[0];
    Type shape = x->type;
    int axis = inst->attr.axis;
    bool wide = shape.element == TYPE_F32;
    ElementType type = wide ? TYPE_F64 : shape.element;
    int64_t inside = 1, size = type_size_at(shape, axis);
    for (int i = axis + 1; i < shape.rank; i++) {
        inside *= type_size_at(shape, i);
    }
    Scalar **index = new_index(k, shape.rank);
    for (int i = 0; i < axis; i++) {
        index[i] = begin_loop(b, LOOP_SERIAL, type_size_at(shape, i), loop_name(k));
    }
    int64_t width = inside < 64 ? inside : 64; // sums kept at once
    for (int part = 0; part < 2; part++) {
        int64_t blocks = part == 0 ? inside / width : 1,
                columns = part == 0 ? width : inside % width;
        if (columns == 0) {
            continue;
        }
        Local *sums = add_local(b, type, columns, "sums");
        Scalar *block = begin_loop(b, LOOP_SERIAL, blocks, "block");
        Scalar *base = part == 0 ? scalar_binary(b, SCALAR_MUL, block, scalar_position(b, width))
                                 : scalar_position(b, inside - columns);
        Scalar *column = begin_loop(b, LOOP_VECTOR, columns, "column");
        add_set(b, sums, column, scalar_number(b, type, 0));
        end_scope(b);
        Scalar *step = begin_loop(b, LOOP_SERIAL, size, loop_name(k));
        index[axis] = step;
        if (inst->attr.reverse) {
            index[axis] = scalar_binary(b, SCALAR_ADD,
                                        scalar_binary(b, SCALAR_MUL, step, scalar_position(b, -1)),
                                        scalar_position(b, size - 1));
        }
        column = begin_loop(b, LOOP_VECTOR, columns, "column");
        Scalar *rest = scalar_binary(b, SCALAR_ADD, base, column);
        for (int i = shape.rank - 1; i > axis; i--) {
            Scalar *extent = scalar_position(b, type_size_at(shape, i));
            index[i] = i == axis + 1 ? rest : scalar_binary(b, SCALAR_REMAINDER, rest, extent);
            rest = scalar_binary(b, SCALAR_DIV, rest, extent);
        }
        Scalar *term = scalar_cast(b, type, element(k, x, index));
        Scalar *sum = scalar_binary(b, SCALAR_ADD, scalar_local(b, sums, column), term);
        add_set(b, sums, column, sum);
        store_at(k, inst->results[0], index, scalar_cast(b, shape.element, sum));
        close_loops(k, 3);
    }
    close_loops(k, axis);
}

void lower_move(Lowering *l, Node *node) {
    const Inst *inst = node->inst;
    const ValueState *state = state_of(l, inst->results[0]);
    if (type_elements(node->shape) == 0 && inst->op != OP_scatter_add &&
        inst->op != OP_scatter_set) {
        return;
    }
    KernelLowering k;
    begin_kernel(&k, l, node, NULL, "");
    switch (inst->op) {
    case OP_concat: lower_concat(&k, inst); break;
    case OP_scatter_add:
    case OP_scatter_set: lower_scatter(&k, inst, state->buffer); break;
    case OP_cumsum: lower_cumsum(&k, inst); break;
    default: unreachable("%s has no kernel of its own", op_info(inst->op)->name);
    }
    end_kernel(&k);
}
