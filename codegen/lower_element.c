// Elements of values: every operator that needs no loop of its own, pulled from
// its operands.
#include "codegen/lower_points.h"

#include <string.h>

#include "ir/evaluate.h"

Scalar **new_index(KernelLowering *k, int rank) {
    return arena_array(&k->build.scratch, Scalar *, rank);
}

Scalar *flat_position(KernelLowering *k, Type shape, Scalar *const *index) {
    KernelBuilder *b = &k->build;
    Scalar *position = scalar_position(b, 0);
    for (int axis = 0; axis < shape.rank; axis++) {
        Scalar *size = scalar_position(b, type_size_at(shape, axis));
        position =
            scalar_binary(b, SCALAR_ADD, scalar_binary(b, SCALAR_MUL, position, size), index[axis]);
    }
    return position;
}

void unflatten(KernelLowering *k, Type shape, Scalar *position, Scalar **index) {
    KernelBuilder *b = &k->build;
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        int64_t outside = 1; // sizes of the axes further out
        for (int outer = 0; outer < axis; outer++) {
            outside *= type_size_at(shape, outer);
        }
        Scalar *size = scalar_position(b, type_size_at(shape, axis));
        if (outside == 1) {
            index[axis] = position;
            position = scalar_position(b, 0);
            continue;
        }
        index[axis] = scalar_binary(b, SCALAR_REMAINDER, position, size);
        position = scalar_binary(b, SCALAR_DIV, position, size);
    }
}

Scalar *loop_argument(KernelLowering *k, const Value *value) {
    int number = 0;
    while (number < k->arguments.count && k->arguments.at[number] != value) {
        number++;
    }
    if (number == k->arguments.count) {
        vec_push(&k->build.scratch, &k->arguments, value);
    }
    // Only a loop's condition sees the index after the last iteration.
    const Inst *loop = value->region->owner;
    int64_t last = dim_value(loop->attr.trip) - (value->region == loop->regions[0]);
    return scalar_argument(&k->build, number, 0, last < 0 ? 0 : last);
}

Scalar *row_position(KernelLowering *k, const Value *row, int64_t row_elements, Scalar *position) {
    if (row == NULL) {
        return position;
    }
    KernelBuilder *b = &k->build;
    Scalar *start =
        scalar_binary(b, SCALAR_MUL, loop_argument(k, row), scalar_position(b, row_elements));
    return scalar_binary(b, SCALAR_ADD, start, position);
}

enum { ELEMENT_TAG = -1, MOST_AXES = 62 };

static int element_words(const Value *value, Scalar *const *index, intptr_t *words) {
    check(value->type.rank <= MOST_AXES, "a value of rank %d", value->type.rank);
    words[0] = ELEMENT_TAG;
    words[1] = value->id;
    for (int axis = 0; axis < value->type.rank; axis++) {
        words[2 + axis] = (intptr_t)index[axis];
    }
    return 2 + value->type.rank;
}

void remember_element(KernelLowering *k, const Value *value, Scalar *const *index, Scalar *scalar) {
    intptr_t words[MOST_AXES + 2];
    int count = element_words(value, index, words);
    known_add(&k->build, words, count, scalar);
}

Scalar *checked_index(KernelLowering *k, Scalar *index, int axis, int64_t size, Span span) {
    KernelBuilder *b = &k->build;
    Scalar *inside =
        scalar_binary(b, SCALAR_AND, scalar_binary(b, SCALAR_GE, index, scalar_position(b, 0)),
                      scalar_binary(b, SCALAR_LT, index, scalar_position(b, size)));
    int64_t known;
    if (scalar_is_constant(inside, &known) && known) {
        return index;
    }
    if (!k->probe) {
        Program *program = k->lowering->program;
        int site = program_site(program, span,
                                arena_format(program->arena,
                                             "an index is out of range for axis %d with size %lld",
                                             axis, (long long)size));
        Local *flag = NULL;
        for (int i = 0; i < k->bad.count; i++) {
            flag = k->bad.at[i].site == site ? k->bad.at[i].flag : flag;
        }
        if (flag == NULL) {
            flag = add_local(b, TYPE_BOOL, 1, "bad");
            add_set_first(b, flag, scalar_integer_constant(b, TYPE_BOOL, 0));
            vec_push(&b->scratch, &k->bad, ((BadIndex){flag, site}));
        }
        add_flag(b, flag, scalar_unary(b, SCALAR_NOT, inside));
    }
    Scalar *clamped = scalar_select(b, inside, index, scalar_position(b, 0));
    if (size > 0) {
        scalar_bound(b, clamped, 0, size - 1);
    }
    return clamped;
}

static Scalar *constant_element(KernelLowering *k, const TensorData *data, Scalar *const *index) {
    Scalar *position = flat_position(k, data->type, index);
    int64_t at, count = type_elements(data->type);
    bool known = scalar_is_constant(position, &at);
    if (!known) {
        size_t size = element_bytes(data->type.element);
        const char *bytes = data->bytes;
        known = count <= 4096;
        for (int64_t i = 1; i < count && known; i++) {
            known = memcmp(bytes, bytes + (size_t)i * size, size) == 0;
        }
        at = 0;
    }
    if (!known) {
        return scalar_load(&k->build, constant_buffer(k->lowering, data), position);
    }
    ElementType type = data->type.element;
    return element_is_real(type)
               ? scalar_real_constant(&k->build, type, tensor_get(data, at))
               : scalar_integer_constant(&k->build, type, tensor_get_integer(data, at));
}

static Scalar *gather_element(KernelLowering *k, const Inst *inst, Scalar *const *index) {
    const Value *from = inst->operands[0];
    Scalar **at = new_index(k, from->type.rank);
    for (int axis = 0; axis < from->type.rank; axis++) {
        Scalar *wanted = element(k, inst->operands[1 + axis], index);
        at[axis] = checked_index(k, wanted, axis, type_size_at(from->type, axis), inst->span);
    }
    if (type_elements(from->type) == 0) {
        return scalar_number(&k->build, from->type.element, 0);
    }
    return element(k, from, at);
}

static Scalar *pad_element(KernelLowering *k, const Inst *inst, Scalar *const *index) {
    KernelBuilder *b = &k->build;
    const Value *from = inst->operands[0];
    Scalar *fill = element(k, inst->operands[1], NULL);
    if (type_elements(from->type) == 0) {
        return fill;
    }
    Scalar **at = new_index(k, from->type.rank);
    Scalar *inside = scalar_integer_constant(b, TYPE_BOOL, 1), *zero = scalar_position(b, 0);
    for (int axis = 0; axis < from->type.rank; axis++) {
        int64_t size = type_size_at(from->type, axis), low = dim_value(inst->attr.low.at[axis]);
        int step = inst->attr.step.at[axis];
        Scalar *shifted = scalar_binary(b, SCALAR_ADD, index[axis], scalar_position(b, -low));
        Scalar *not_below = scalar_binary(b, SCALAR_GE, shifted, zero);
        Scalar *position = scalar_select(b, not_below, shifted, zero);
        const ScalarFacts *facts = scalar_facts(b, shifted);
        if (facts->bounded) {
            scalar_bound(b, position, 0, facts->high > 0 ? facts->high : 0);
        }
        Scalar *stride = scalar_position(b, step);
        Scalar *rest = scalar_binary(b, SCALAR_REMAINDER, position, stride);
        Scalar *quotient = scalar_binary(b, SCALAR_DIV, position, stride);
        Scalar *not_above = scalar_binary(b, SCALAR_LT, quotient, scalar_position(b, size));
        at[axis] = scalar_select(b, not_above, quotient, scalar_position(b, size - 1));
        scalar_bound(b, at[axis], 0, size - 1);
        inside = scalar_binary(b, SCALAR_AND, inside, not_below);
        inside = scalar_binary(b, SCALAR_AND, inside, not_above);
        inside = scalar_binary(b, SCALAR_AND, inside, scalar_binary(b, SCALAR_EQ, rest, zero));
    }
    int64_t known;
    if (scalar_is_constant(inside, &known)) {
        return known ? element(k, from, at) : fill;
    }
    return scalar_select(b, inside, element(k, from, at), fill);
}

static bool is_read_from_memory(const KernelLowering *k, const Value *value) {
    const ValueState *state = state_of(k->lowering, value);
    return value->definition == NULL || (state->materialised && state->node != k->node);
}

static Scalar *load_stored(KernelLowering *k, const Value *value, Scalar *position);

// Whether a small loop or branch keeps the value in cells of its own.
static bool has_cells(const KernelLowering *k, const Value *value) {
    for (int i = 0; i < k->cells.count; i++) {
        if (k->cells.at[i].value == value) {
            return true;
        }
    }
    return false;
}

// The element at a row-major position: what lies in memory is read without
// taking the position apart.
static Scalar *element_at_position(KernelLowering *k, const Value *value, Scalar *position) {
    while (!is_read_from_memory(k, value) && !state_of(k->lowering, value)->materialised &&
           (value->definition->op == OP_reshape || value->definition->op == OP_detach)) {
        value = value->definition->operands[0];
    }
    if (is_read_from_memory(k, value) && !is_loop_index(value) && !has_cells(k, value)) {
        return load_stored(k, value, position);
    }
    Scalar **at = new_index(k, value->type.rank);
    unflatten(k, value->type, position, at);
    return element(k, value, at);
}

static Scalar *moved_element(KernelLowering *k, const Inst *inst, Scalar *const *index) {
    KernelBuilder *b = &k->build;
    const Value *from = inst->operands[0];
    Scalar **at = new_index(k, from->type.rank);
    switch (inst->op) {
    case OP_broadcast:
        for (int axis = 0; axis < from->type.rank; axis++) {
            at[axis] = type_size_at(from->type, axis) == 1 ? scalar_position(b, 0)
                                                           : index[inst->attr.axes.at[axis]];
        }
        break;
    case OP_transpose:
        for (int axis = 0; axis < from->type.rank; axis++) {
            at[inst->attr.axes.at[axis]] = index[axis];
        }
        break;
    case OP_slice:
        for (int axis = 0; axis < from->type.rank; axis++) {
            Scalar *step = scalar_position(b, inst->attr.step.at[axis]);
            Scalar *start = scalar_position(b, dim_value(inst->attr.start.at[axis]));
            at[axis] = scalar_binary(b, SCALAR_ADD, scalar_binary(b, SCALAR_MUL, index[axis], step),
                                     start);
        }
        break;
    case OP_reshape:
        return element_at_position(k, from, flat_position(k, inst->results[0]->type, index));
    default: unreachable("%s moves no elements", op_info(inst->op)->name);
    }
    return element(k, from, at);
}

// Of a few parts, in small loops and branches: the index mostly is a constant.
static Scalar *concat_element(KernelLowering *k, const Inst *inst, Scalar *const *index) {
    KernelBuilder *b = &k->build;
    int axis = inst->attr.axis;
    Scalar *result = NULL, *in_later = NULL; // is the index in one of the parts behind?
    int64_t end = type_size_at(inst->results[0]->type, axis);
    for (int i = inst->operand_count - 1; i >= 0; i--) {
        const Value *part = inst->operands[i];
        int64_t size = type_size_at(part->type, axis), start = end - size;
        end = start;
        if (size == 0) {
            continue;
        }
        Scalar *inside = scalar_binary(b, SCALAR_GE, index[axis], scalar_position(b, start));
        int64_t known;
        if (scalar_is_constant(inside, &known) && !known) {
            continue;
        }
        Scalar **at = new_index(k, part->type.rank);
        for (int other = 0; other < part->type.rank; other++) {
            at[other] = index[other];
        }
        Scalar *offset = scalar_binary(b, SCALAR_SUB, index[axis], scalar_position(b, start));
        Scalar *below = scalar_binary(b, SCALAR_LT, offset, scalar_position(b, size));
        at[axis] = scalar_select(b, scalar_binary(b, SCALAR_AND, inside, below), offset,
                                 scalar_position(b, 0));
        scalar_bound(b, at[axis], 0, size - 1);
        Scalar *x = element(k, part, at);
        result = result == NULL ? x : scalar_select(b, in_later, result, x);
        in_later = inside;
        if (scalar_is_constant(inside, &known)) {
            break;
        }
    }
    check(result != NULL, "an element of concat is in no part");
    return result;
}

static Scalar *basic_operator(KernelBuilder *b, Op op, Scalar *const *x) {
    switch (op) {
    case OP_add: return scalar_binary(b, SCALAR_ADD, x[0], x[1]);
    case OP_sub: return scalar_binary(b, SCALAR_SUB, x[0], x[1]);
    case OP_mul: return scalar_binary(b, SCALAR_MUL, x[0], x[1]);
    case OP_div: return scalar_binary(b, SCALAR_DIV, x[0], x[1]);
    case OP_neg: return scalar_unary(b, SCALAR_NEG, x[0]);
    case OP_abs: return scalar_unary(b, SCALAR_ABS, x[0]);
    case OP_copysign: return scalar_binary(b, SCALAR_COPYSIGN, x[0], x[1]);
    case OP_floor: return scalar_unary(b, SCALAR_FLOOR, x[0]);
    case OP_ceil: return scalar_unary(b, SCALAR_CEIL, x[0]);
    case OP_trunc: return scalar_unary(b, SCALAR_TRUNC, x[0]);
    case OP_round: return scalar_unary(b, SCALAR_ROUND, x[0]);
    case OP_sqrt: return scalar_unary(b, SCALAR_SQRT, x[0]);
    case OP_eq: return scalar_binary(b, SCALAR_EQ, x[0], x[1]);
    case OP_ne: return scalar_binary(b, SCALAR_NE, x[0], x[1]);
    case OP_lt: return scalar_binary(b, SCALAR_LT, x[0], x[1]);
    case OP_le: return scalar_binary(b, SCALAR_LE, x[0], x[1]);
    case OP_gt: return scalar_binary(b, SCALAR_GT, x[0], x[1]);
    case OP_ge: return scalar_binary(b, SCALAR_GE, x[0], x[1]);
    case OP_bit_and:
    case OP_logical_and: return scalar_binary(b, SCALAR_AND, x[0], x[1]);
    case OP_bit_or:
    case OP_logical_or: return scalar_binary(b, SCALAR_OR, x[0], x[1]);
    case OP_bit_xor: return scalar_binary(b, SCALAR_XOR, x[0], x[1]);
    case OP_logical_not: return scalar_unary(b, SCALAR_NOT, x[0]);
    case OP_is_nan: return scalar_binary(b, SCALAR_NE, x[0], x[0]);
    case OP_sign_bit: {
        Scalar *bits = scalar_bits(b, x[0]);
        return scalar_binary(b, SCALAR_LT, bits, scalar_number(b, bits->type, 0));
    }
    case OP_select: return scalar_select(b, x[0], x[1], x[2]);
    default: unreachable("%s is not one scalar operator", op_info(op)->name);
    }
}

static Scalar *elementwise_element(KernelLowering *k, const Inst *inst, Scalar *const *index) {
    KernelBuilder *b = &k->build;
    const OpInfo *info = op_info(inst->op);
    Scalar *x[3] = {0};
    for (int i = 0; i < inst->operand_count; i++) {
        x[i] = element(k, inst->operands[i], index);
    }
    if (inst->op == OP_cast) {
        return scalar_cast(b, inst->results[0]->type.element, x[0]);
    }
    switch (info->form) {
    case FORM_BASIC: return basic_operator(b, inst->op, x);
    case FORM_LIBM: return scalar_libm(b, info->name, info->arity, x[0], x[1]);
    case FORM_EXPAND: return expand_operator(b, inst->op, x);
    case FORM_none: break;
    }
    unreachable("%s has no scalar form", info->name);
}

static Scalar *computed_element(KernelLowering *k, const Value *value, Scalar *const *index) {
    const Inst *inst = value->definition;
    switch (inst->op) {
    case OP_constant: return constant_element(k, inst->attr.data, index);
    case OP_iota: return scalar_cast(&k->build, value->type.element, index[inst->attr.axis]);
    case OP_detach: return element(k, inst->operands[0], index);
    case OP_gather: return gather_element(k, inst, index);
    case OP_pad: return pad_element(k, inst, index);
    case OP_broadcast:
    case OP_transpose:
    case OP_slice:
    case OP_reshape: return moved_element(k, inst, index);
    case OP_concat: return concat_element(k, inst, index);
    default:
        if (is_reduction(inst->op)) {
            return reduce_at_point(k, value,
                                   index); // small ones, in small loops and branches
        }
        check(op_info(inst->op)->elementwise, "%s is not computed point by point",
              op_info(inst->op)->name);
        return elementwise_element(k, inst, index);
    }
}

static Scalar *load_stored(KernelLowering *k, const Value *value, Scalar *position) {
    const ValueState *state = state_of(k->lowering, value);
    if (state->buffer == NULL && k->probe) {
        // Planning asks before places are given out; any buffer of this size does.
        Buffer *stand_in = arena_new(k->build.arena, Buffer);
        *stand_in = (Buffer){.element = value->type.element, .count = type_elements(value->type)};
        return scalar_load(&k->build, stand_in, position);
    }
    check(state->buffer != NULL, "a value is read that is stored nowhere (%s)",
          value->definition == NULL ? "parameter" : op_info(value->definition->op)->name);
    return scalar_load(&k->build, state->buffer,
                       row_position(k, state->row, state->row_elements, position));
}

static Scalar *kept_row_position(KernelLowering *k, const Value *value, Scalar *const *index) {
    Type type = value->type;
    int outside = k->node->shape.rank;
    type.rank -= outside;
    type.dims += outside;
    return flat_position(k, type, index + outside);
}

bool is_accumulated(const KernelLowering *k, const Value *value) {
    for (int i = 0; i < k->accumulators.count; i++) {
        if (k->accumulators.at[i].value == value) {
            return true;
        }
    }
    return false;
}

static Scalar *own_member_element(KernelLowering *k, const Value *value, Scalar *const *index) {
    for (int i = 0; i < k->accumulators.count; i++) {
        const Accumulator *accumulator = &k->accumulators.at[i];
        if (accumulator->value == value) {
            return scalar_cast(&k->build, value->type.element,
                               scalar_local(&k->build, accumulator->local, accumulator->index));
        }
    }
    const ValueState *state = state_of(k->lowering, value);
    bool in_rows = is_row_member(k->node, value) || is_stack(value);
    if (in_rows && (state->kept_row || state->stored)) {
        Scalar *position = state->kept_row ? kept_row_position(k, value, index)
                                           : row_position(k, state->row, state->row_elements,
                                                          flat_position(k, value->type, index));
        return scalar_load_now(&k->build, state->buffer, position);
    }
    if (k->probe && (!is_inlinable(value->definition->op) || value->definition->region_count > 0)) {
        return scalar_number(&k->build, value->type.element, 1);
    }
    return computed_element(k, value, index);
}

static Scalar *cell_element(KernelLowering *k, const Value *value, Scalar *const *index) {
    for (int i = k->cells.count - 1; i >= 0; i--) {
        if (k->cells.at[i].value == value) {
            return scalar_local(&k->build, k->cells.at[i].local,
                                flat_position(k, value->type, index));
        }
    }
    return NULL;
}

Scalar *member_element(KernelLowering *k, const Value *value, Scalar *const *index) {
    Scalar *scalar = computed_element(k, value, index);
    remember_element(k, value, index, scalar);
    return scalar;
}

Scalar *element(KernelLowering *k, const Value *value, Scalar *const *index) {
    intptr_t words[MOST_AXES + 2];
    int count = element_words(value, index, words);
    Scalar *known = known_find(&k->build, words, count);
    if (known != NULL) {
        return known;
    }
    Scalar *scalar = cell_element(k, value, index);
    if (scalar != NULL) {
        known_add(&k->build, words, count, scalar);
        return scalar;
    }
    if (is_loop_index(value)) {
        return loop_argument(k, value);
    }
    const ValueState *state = state_of(k->lowering, value);
    if (is_read_from_memory(k, value)) {
        scalar = load_stored(k, value, flat_position(k, value->type, index));
    } else if (state->materialised && state->node == k->node && k->node != NULL) {
        scalar = own_member_element(k, value, index);
    } else {
        scalar = computed_element(k, value, index);
    }
    known_add(&k->build, words, count, scalar);
    return scalar;
}

// Adds it where a scatter would.
static void add_to_scatter(KernelLowering *k, const Inst *scatter, Scalar *const *index,
                           Scalar *scalar) {
    const Value *result = scatter->results[0];
    KernelBuilder *b = &k->build;
    Scalar **at = new_index(k, result->type.rank);
    for (int axis = 0; axis < result->type.rank; axis++) {
        at[axis] = element(k, scatter->operands[2 + axis], index);
    }
    Buffer *to = state_of(k->lowering, result)->buffer;
    Scalar *position = flat_position(k, result->type, at);
    add_store(b, to, position,
              scalar_binary(b, SCALAR_ADD, scalar_load_now(b, to, position), scalar));
}

void store_member(KernelLowering *k, const Value *value, Scalar *const *index, Scalar *scalar) {
    const ValueState *state = state_of(k->lowering, value);
    KernelBuilder *b = &k->build;
    Scalar *position = flat_position(k, value->type, index);
    if (state->kept_row) {
        add_store(b, state->buffer, kept_row_position(k, value, index), scalar);
    } else if (state->stored) {
        add_store(b, state->buffer, row_position(k, state->row, state->row_elements, position),
                  scalar);
    }
    if (state->added_by != NULL) {
        add_to_scatter(k, state->added_by, index, scalar);
    }
    // Results of small loops and branches are few, like scalars.
    bool is_row = is_row_member(k->node, value) && value->definition->region_count == 0;
    bool tests = stores_conditionally(k->node) && !is_row;
    for (int i = 0; i < state->destinations.count; i++) {
        const Destination *to = &state->destinations.at[i];
        bool same_place = to->buffer == state->buffer && to->row == state->row;
        bool present = k->node->guard == to->buffer || only_purpose(k->lowering, value) != NULL;
        bool needs_test = to->buffer->optional && k->node->guard != to->buffer && !is_row;
        if ((state->stored && same_place) || (to->buffer->optional && !tests && !present)) {
            continue; // there already, or copied after the kernel
        }
        if (needs_test) {
            begin_present(b, to->buffer);
        }
        Scalar *at = row_position(k, to->row, to->row_elements, position);
        Scalar *sum = scalar;
        if (to->accumulate) {
            sum = scalar_binary(b, SCALAR_ADD, scalar_load_now(b, to->buffer, at), scalar);
        }
        add_store(b, to->buffer, at, sum);
        if (needs_test) {
            end_scope(b);
        }
    }
}
