// Facts about single values: sizes, ranges, views; and buffers, sites and
// statements of the entry.
#include <string.h>

#include "codegen/lower_element.h"

int64_t type_size_at(Type type, int axis) {
    return dim_value(type.dims[axis]);
}

int64_t *type_sizes(Arena *arena, Type type) {
    int64_t *sizes = arena_array(arena, int64_t, type.rank);
    for (int axis = 0; axis < type.rank; axis++) {
        sizes[axis] = type_size_at(type, axis);
    }
    return sizes;
}

static const int64_t range_limit = (int64_t)1 << 40;

static bool constant_range(const TensorData *data, int64_t *low, int64_t *high) {
    int64_t count = type_elements(data->type);
    if (!element_is_integer(data->type.element) || count == 0 || count > 65536) {
        return false;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t value = data->type.element == TYPE_I32 ? ((const int32_t *)data->bytes)[i]
                                                       : ((const int64_t *)data->bytes)[i];
        *low = i == 0 || value < *low ? value : *low;
        *high = i == 0 || value > *high ? value : *high;
    }
    return *low > -range_limit && *high < range_limit;
}

static bool range_at_depth(const Value *value, int64_t *low, int64_t *high, int depth);

static bool operand_ranges(const Inst *inst, int depth, int64_t low[2], int64_t high[2]) {
    for (int i = 0; i < 2; i++) {
        if (!range_at_depth(inst->operands[i], &low[i], &high[i], depth)) {
            return false;
        }
    }
    return true;
}

static bool sum_range(const Inst *inst, int depth, int64_t *low, int64_t *high) {
    int64_t lows[2], highs[2];
    if (!operand_ranges(inst, depth, lows, highs)) {
        return false;
    }
    *low = inst->op == OP_add ? lows[0] + lows[1] : lows[0] - highs[1];
    *high = inst->op == OP_add ? highs[0] + highs[1] : highs[0] - lows[1];
    return *low > -range_limit && *high < range_limit;
}

static bool product_range(const Inst *inst, int depth, int64_t *low, int64_t *high) {
    int64_t lows[2], highs[2];
    if (!operand_ranges(inst, depth, lows, highs) || lows[0] < 0 || lows[1] < 0 ||
        (highs[0] > 0 && highs[1] > range_limit / highs[0])) {
        return false;
    }
    *low = lows[0] * lows[1];
    *high = highs[0] * highs[1];
    return true;
}

static bool region_parameter_range(const Value *value, int64_t *low, int64_t *high) {
    if (!is_loop_index(value)) {
        return false;
    }
    const Inst *loop = value->region->owner;
    *low = 0;
    *high = dim_value(loop->attr.trip) - (value->region == loop->regions[0]);
    return *high >= 0 && *high < range_limit;
}

static bool range_at_depth(const Value *value, int64_t *low, int64_t *high, int depth) {
    const Inst *inst = value->definition;
    if (!element_is_integer(value->type.element) || depth > 24) {
        return false;
    }
    if (inst == NULL) {
        return region_parameter_range(value, low, high);
    }
    switch (inst->op) {
    case OP_constant: return constant_range(inst->attr.data, low, high);
    case OP_iota:
        *low = 0;
        *high = type_size_at(value->type, inst->attr.axis) - 1;
        return *high >= 0 && *high < INT32_MAX;
    case OP_broadcast:
    case OP_reshape:
    case OP_transpose:
    case OP_slice:
    case OP_gather:
    case OP_detach: return range_at_depth(inst->operands[0], low, high, depth + 1);
    case OP_cast:
        return range_at_depth(inst->operands[0], low, high, depth + 1) && *low >= INT32_MIN &&
               *high <= INT32_MAX;
    case OP_add:
    case OP_sub: return value->type.element == TYPE_I64 && sum_range(inst, depth + 1, low, high);
    case OP_mul:
        return value->type.element == TYPE_I64 && product_range(inst, depth + 1, low, high);
    default: return false;
    }
}

bool value_range(const Value *value, int64_t *low, int64_t *high) {
    return range_at_depth(value, low, high, 0);
}

static bool is_affine_index(const Value *value, int depth) {
    const Inst *inst = value->definition;
    int64_t low, high;
    if (inst == NULL || depth > 12) {
        return is_loop_index(value);
    }
    switch (inst->op) {
    case OP_iota: return true;
    case OP_constant: return value_range(value, &low, &high) && low == high;
    case OP_broadcast:
    case OP_reshape:
    case OP_transpose:
    case OP_slice:
    case OP_detach: return is_affine_index(inst->operands[0], depth + 1);
    case OP_add:
    case OP_sub:
        return is_affine_index(inst->operands[0], depth + 1) &&
               is_affine_index(inst->operands[1], depth + 1);
    case OP_mul:
        for (int side = 0; side < 2; side++) {
            if (value_range(inst->operands[side], &low, &high) && low == high) {
                return is_affine_index(inst->operands[1 - side], depth + 1);
            }
        }
        return false;
    default: return false;
    }
}

bool is_affine_gather(const Inst *inst) {
    if (inst->op != OP_gather) {
        return false;
    }
    for (int i = 1; i < inst->operand_count; i++) {
        int64_t low, high, size = type_size_at(inst->operands[0]->type, i - 1);
        if (!is_affine_index(inst->operands[i], 0) ||
            !value_range(inst->operands[i], &low, &high) || low < 0 || high >= size) {
            return false;
        }
    }
    return true;
}

const Value *view_source(const Value *value) {
    const Value *reshaped = NULL; // the operand of the outermost reshape met so far
    for (;;) {
        const Inst *inst = value->definition;
        if (inst == NULL) {
            return value;
        }
        switch (inst->op) {
        case OP_reshape:
            reshaped = value;
            value = inst->operands[0];
            break;
        case OP_detach: value = inst->operands[0]; break;
        case OP_gather:
            if (!is_affine_gather(inst)) {
                return reshaped != NULL ? reshaped : value;
            }
            value = inst->operands[0]; // windows are cut by a reshape
            reshaped = NULL;
            break;
        case OP_transpose:
        case OP_broadcast:
        case OP_slice:
            if (reshaped != NULL) {
                return value; // a reshape of this need not be affine
            }
            value = inst->operands[0];
            break;
        default: return value;
        }
    }
}

Buffer *new_buffer(Program *program, BufferKind kind, Type type, const char *name) {
    Buffer *buffer = arena_new(program->arena, Buffer);
    *buffer = (Buffer){.kind = kind,
                       .element = type.element,
                       .count = type_elements(type),
                       .name = name,
                       .id = program->buffers.count};
    vec_push(program->arena, &program->buffers, buffer);
    return buffer;
}

Buffer *new_workspace_buffer(Lowering *l, Type type, const char *name) {
    Buffer *buffer = new_buffer(l->program, BUFFER_WORKSPACE, type, name);
    buffer->type = type;
    buffer->span = no_span;
    return buffer;
}

Buffer *constant_buffer(Lowering *l, const TensorData *data) {
    Program *program = l->program;
    for (int i = 0; i < program->buffers.count; i++) {
        if (program->buffers.at[i]->data == data->bytes &&
            program->buffers.at[i]->kind == BUFFER_CONSTANT) {
            return program->buffers.at[i];
        }
    }
    Buffer *buffer = new_buffer(program, BUFFER_CONSTANT, data->type, NULL);
    buffer->read_only = true;
    buffer->data = data->bytes; // the module outlives the program
    return buffer;
}

int program_site(Program *program, Span span, const char *message) {
    for (int i = 0; i < program->sites.count; i++) {
        const Site *site = &program->sites.at[i];
        if (site->span.file == span.file && site->span.start == span.start &&
            site->span.end == span.end && strcmp(site->message, message) == 0) {
            return i;
        }
    }
    vec_push(program->arena, &program->sites, ((Site){span, message}));
    return program->sites.count - 1;
}

const char *limit_message(Program *program, const Inst *loop) {
    return arena_format(program->arena, "the loop's condition still holds after %lld iterations",
                        (long long)dim_value(loop->attr.trip));
}

void add_entry_statement(Lowering *l, Statement statement) {
    Statement *copy = arena_new(l->arena, Statement);
    *copy = statement;
    vec_push(l->arena, &l->block->statements, copy);
}

Block *begin_entry_present(Lowering *l, Buffer *buffer) {
    Block *before = l->block;
    Statement *statement = arena_new(l->arena, Statement);
    *statement = (Statement){.kind = STATEMENT_PRESENT, .buffer = buffer};
    vec_push(l->arena, &l->block->statements, statement);
    l->block = &statement->body;
    return before;
}

Scalar *entry_scalar(Lowering *l, Scalar proto) {
    Scalar *scalar = arena_new(l->arena, Scalar);
    *scalar = proto;
    scalar->id = l->entry->scalar_count++;
    if (proto.op != SCALAR_CONSTANT && proto.op != SCALAR_INDEX) {
        add_entry_statement(l, (Statement){.kind = STATEMENT_SCALAR, .scalar = scalar});
    }
    return scalar;
}
