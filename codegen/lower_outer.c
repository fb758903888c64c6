// Products whose vectors lie along the columns: a tile of some rows by a few vectors of columns is
// accumulated in a local array; each step of the contracted axes loads a row of the right operand
// as vectors and broadcasts one element of the left for each row of the tile. The left operand is
// read with any stride.
#include "codegen/lower_contract.h"
#include "codegen/parallel.h"

#include <string.h>

enum {
    MOST_TERMS_ONCE = 64, // of operands that are computed as they are read
    MOST_TILE_ROWS = 14,
    TESTED_ROWS = 16,   // at once, of steps that are mostly left out: more than fit into registers
    TESTED_VECTORS = 4, // cost little, for each strip of columns looks at the steps again
    // That compilers of C take for differences: else they keep a sum in memory, for which every
    // step waits.
    DIFFERENCE_REGISTERS = 2,
    ENOUGH_ROWS = 8,
    MOST_TERMS_OUT = 9,
    MOST_PADDED_TERMS = 8192 // copies of more would be large
};

static int64_t round_up(int64_t size, int64_t unit) {
    return (size + unit - 1) / unit * unit;
}

int64_t even_block(int64_t size, int64_t most) {
    int64_t blocks = (size + most - 1) / most;
    return (size + blocks - 1) / blocks;
}

// Lanes of the vectors that a row of the tile consists of. Vectors of C are pairs of registers on
// some processors: there tiles are made for those.
static int64_t tile_lanes(const Tiles *t) {
    int64_t lanes = vector_lanes(t->k->lowering, t->type);
    return t->k->lowering->options->unmasked && lanes > 1 ? lanes / 2 : lanes;
}

int64_t outer_width(const Tiles *t) {
    int64_t lanes = vector_lanes(t->k->lowering, t->type), columns = t->p.axes[t->p.column].size;
    if (t->k->lowering->options->unmasked && t->p.is_written_out && columns % lanes == 0) {
        return lanes;
    }
    lanes = tile_lanes(t);
    int64_t most = t->p.skips ? TESTED_VECTORS : 3;
    return columns <= most * lanes ? columns : 2 * lanes;
}

// C has no masked vectors. A few columns that do not fill vectors are copied with zeros behind
// them, if all that has columns is copied.
static bool can_pad(const Lowering *l, const Product *p) {
    return l->options->unmasked && p->inst->operand_count == 2;
}

bool wants_padding(const Lowering *l, const Product *p) {
    int lanes = vector_lanes(l, p->inst->results[0]->type.element);
    int64_t columns = p->axes[p->column].size;
    return can_pad(l, p) && p->lane < 0 && lanes > 1 && columns <= 3 * lanes &&
           columns % lanes != 0 && count_terms(p) <= MOST_PADDED_TERMS;
}

// Loops around that are spread over threads have temporaries of their own in each iteration, if it
// reads nothing of them but what it has stored.
static bool is_in_long_loop(const Value *value) {
    for (const Region *region = value->region; region->owner != NULL;
         region = region->owner->parent) {
        const Inst *owner = region->owner;
        if (owner->op != OP_loop || dim_value(owner->attr.trip) >= FEW_CHUNKS) {
            return true;
        }
    }
    return false;
}

// The value that the buffer belongs to, of those that `value` is a view of; NULL: it is none.
static const Value *owner_of(const Lowering *l, const Value *value, const Buffer *buffer) {
    while (state_of(l, value)->buffer != buffer) {
        const Inst *inst = value->definition;
        if (inst == NULL || !is_inlinable(inst->op) || op_info(inst->op)->elementwise ||
            inst->operand_count == 0) {
            return NULL; // no view of another value
        }
        value = inst->operands[0];
    }
    return value;
}

// `from`, which the operand is read from, if it is a temporary and tiles may read neighbours behind
// the last column: what comes of them is stored nowhere.
Buffer *buffer_with_neighbours(const Lowering *l, const Product *p, Buffer *from) {
    if (from == NULL || from->kind != BUFFER_WORKSPACE || from->use != USE_VALUE ||
        !p->direct[RIGHT] || p->axes[p->column].stride[RIGHT] != 1) {
        return NULL;
    }
    const Value *owner = owner_of(l, p->inst->operands[p->operand[RIGHT]], from);
    if (owner == NULL || owner->definition == NULL || !is_inlinable(owner->definition->op)) {
        return NULL;
    }
    const ValueState *state = state_of(l, owner);
    bool is_alone = state->row == NULL && state->destinations.count == 0 &&
                    !region_yields(owner->region, owner);
    return is_alone && !is_in_long_loop(owner) ? from : NULL;
}

// Columns that the tiles of a strip of `width` have room for.
static int64_t padded_width(const Tiles *t, int64_t width) {
    int64_t lanes = vector_lanes(t->k->lowering, t->type), unit = lanes / 2;
    if (!(t->p.packs || t->p.beyond != NULL) || !can_pad(t->k->lowering, &t->p) || lanes <= 1) {
        return width;
    }
    while (unit / 2 >= width && unit > 1) {
        unit /= 2;
    }
    return round_up(width, unit);
}

int64_t panel_width(const Tiles *t) {
    int64_t columns = t->p.axes[t->p.column].size, width = outer_width(t);
    int64_t padded = padded_width(t, width), rest = padded_width(t, columns % width);
    return t->p.packs_all ? columns / width * padded + rest : padded;
}

Scalar *begin_padded_columns(Tiles *t, int64_t room) {
    KernelBuilder *b = &t->k->build;
    Scalar *column = begin_loop(b, LOOP_VECTOR, t->padded, "column");
    if (room > t->padded) {
        set_room(b, room, true);
    }
    if (t->p.beyond != NULL) {
        // Not so, but the place in memory goes on as it does up to there, and needs no test.
        scalar_bound(b, column, 0, t->width - 1);
    }
    set_axis(t, &t->p.axes[t->p.column], scalar_binary(b, SCALAR_ADD, t->first_column, column));
    return column;
}

// Columns of a row of the tile, with room for whole vectors, of which the last one may be masked
// where the target can do that.
static int64_t tile_stride(const Tiles *t) {
    int64_t width = t->padded, lanes = tile_lanes(t), room = lanes;
    if (width >= lanes) {
        return round_up(width, lanes);
    }
    while (room / 2 >= width) {
        room /= 2;
    }
    const LowerOptions *options = t->k->lowering->options;
    return options->vector_bytes >= 32 && !options->unmasked ? room : width;
}

static void accumulate(Tiles *t, Local *tile, int64_t stride) {
    KernelBuilder *b = &t->k->build;
    // Of several vectors of columns, each broadcast is used again: written out, there would be too
    // many of them for the registers.
    bool is_short =
        stride <= vector_lanes(t->k->lowering, t->type) || count_terms(&t->p) <= MOST_TERMS_OUT;
    int opened = open_contracted(t, -1, is_short ? LOOP_UNROLL : LOOP_SERIAL);
    opened += begin_unless_zero(t);
    Scalar *row = begin_rows(t, LOOP_UNROLL), *left = left_element(t, row);
    Scalar *column = begin_padded_columns(t, stride);
    Scalar *right = right_element(t, column);
    Scalar *start = scalar_binary(b, SCALAR_MUL, row, scalar_position(b, stride));
    Scalar *position = scalar_binary(b, SCALAR_ADD, start, column);
    add_set(b, tile, position, tile_step(t, left, right, scalar_local(b, tile, position)));
    close_loops(t->k, 2 + opened);
}

static void emit_tile(Tiles *t, int64_t height) {
    t->height = height;
    int64_t stride = tile_stride(t);
    Local *tile = add_local(&t->k->build, t->type, height * stride, "tile");
    int opened = begin_if_adds(t);
    start_tile(t, tile, stride);
    if (!t->finish) {
        for_all_terms(t, accumulate, tile, stride);
    }
    store_tile(t, tile, stride);
    close_loops(t->k, opened);
}

int64_t tallest_tile(int64_t vectors, int registers) {
    int64_t rows = (registers - vectors - 1) / vectors;
    return rows < 1 ? 1 : rows > MOST_TILE_ROWS ? MOST_TILE_ROWS : rows;
}

// Rows of the tallest tile of two vectors.
static int64_t most_rows(const LowerOptions *options) {
    int registers = options->vector_registers > 0 ? options->vector_registers : 16;
    return tallest_tile(2, registers);
}

// A little arithmetic on what lies in memory as the value would.
static bool is_cheap_here(const Value *value) {
    const Inst *inst = value->definition;
    bool is_arithmetic = inst != NULL && (inst->op == OP_add || inst->op == OP_sub ||
                                          inst->op == OP_mul || inst->op == OP_neg);
    for (int i = 0; is_arithmetic && i < inst->operand_count; i++) {
        const Inst *operand = inst->operands[i]->definition;
        is_arithmetic = operand == NULL || operand->parent != value->region ||
                        (!op_info(operand->op)->elementwise && operand->op != OP_transpose);
    }
    return is_arithmetic;
}

// Axes of the operand that the other one has (terms), or has not (columns or rows), by elements.
static int64_t count_axes(const Inst *product, int operand, bool shared, char *last) {
    const char *text = product->attr.labels, *behind = strchr(text, ',');
    const char *own = operand == 0 ? text : behind + 1;
    const char *other = operand == 0 ? behind + 1 : text;
    Type type = product->operands[operand]->type;
    size_t others = (size_t)product->operands[1 - operand]->type.rank;
    int64_t count = 1;
    for (int axis = 0; axis < type.rank; axis++) {
        if ((memchr(other, own[axis], others) != NULL) == shared) {
            count *= type_size_at(type, axis);
            *last = own[axis];
        }
    }
    return count;
}

int operand_read_once(const Lowering *l, const Inst *product) {
    Type result = product->results[0]->type;
    if (l->options->level == 0 || product->op != OP_contract || result.rank != 2) {
        return -1;
    }
    char columns = strstr(product->attr.labels, "->")[3];
    for (int i = 0; i < 2; i++) {
        const Value *value = product->operands[i];
        char own = 0, rest = 0;
        bool is_last = value->type.rank == 2 && product->operands[1 - i]->type.rank == 2 &&
                       product->attr.labels[i == 0 ? 1 : 4] == columns;
        if (is_last && is_cheap_here(value) &&
            count_axes(product, 1 - i, false, &rest) <= most_rows(l->options) &&
            count_axes(product, i, true, &rest) <= MOST_TERMS_ONCE &&
            count_axes(product, i, false, &own) >= 2 * vector_lanes(l, result.element) &&
            own == columns) {
            return i;
        }
    }
    return -1;
}

// Without a rest, which would be a tile of its own, if enough rows are left whose sums do not wait
// for each other.
static int64_t dividing_block(int64_t count, int64_t most) {
    for (int64_t rows = most; rows >= ENOUGH_ROWS; rows--) {
        if (count % rows == 0) {
            return rows;
        }
    }
    return even_block(count, most);
}

// Rows of a tile, where `count` of them follow each other. Packed tiles are the same for all
// columns.
static int64_t tile_height(const Tiles *t, int64_t count) {
    const LowerOptions *options = t->k->lowering->options;
    int registers = options->vector_registers > 0 ? options->vector_registers : 16;
    int64_t width = t->p.left != LEFT_IN_PLACE ? padded_width(t, outer_width(t)) : t->padded;
    int64_t lanes = tile_lanes(t);
    if (options->unmasked && t->p.step == STEP_SQUARE) {
        registers -= DIFFERENCE_REGISTERS;
    }
    int64_t rows = tallest_tile((width + lanes - 1) / lanes, registers);
    if (options->unmasked && t->p.is_written_out && count == t->p.axes[t->p.row].size) {
        rows = count;
    } else if (t->p.skips) {
        rows = TESTED_ROWS;
    }
    bool divides =
        options->unmasked && !t->p.skips; // a rest of rows that are looked at costs little
    return divides ? dividing_block(count, rows) : even_block(count, rows);
}

// Rows of the result that tiles are made of.
typedef struct Rows {
    Scalar *first;
    int64_t count;
    const int *inside; // axes that loops run over around the tiles
    int inside_count;
} Rows;

// The rows of a strip of columns: equal tiles, then what is left.
static void emit_strip(Tiles *t, const void *context) {
    const Rows *rows = context;
    KernelBuilder *b = &t->k->build;
    if (t->panel != NULL && !t->p.packs_all && !t->finish) {
        pack_columns(t);
    }
    for (int i = 0; i < rows->inside_count; i++) {
        const Axis *axis = &t->p.axes[rows->inside[i]];
        set_axis(t, axis, begin_loop(b, LOOP_SERIAL, axis->size, loop_name(t->k)));
    }
    int64_t height = tile_height(t, rows->count), tiles = rows->count / height;
    Scalar *number = begin_loop(b, LOOP_SERIAL, tiles, "row_block");
    Scalar *start = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, height));
    t->first_row = scalar_binary(b, SCALAR_ADD, rows->first, start);
    emit_tile(t, height);
    end_scope(b);
    if (rows->count % height > 0) {
        start = scalar_position(b, tiles * height);
        t->first_row = scalar_binary(b, SCALAR_ADD, rows->first, start);
        emit_tile(t, rows->count % height);
    }
    close_loops(t->k, rows->inside_count);
}

void for_each_strip(Tiles *t, void (*emit)(Tiles *t, const void *context), const void *context) {
    KernelBuilder *b = &t->k->build;
    int64_t columns = t->p.axes[t->p.column].size, width = outer_width(t);
    t->width = width;
    t->padded = padded_width(t, width);
    Scalar *number = begin_loop(b, LOOP_SERIAL, columns / width, "column_block");
    t->first_column = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, width));
    emit(t, context);
    end_scope(b);
    if (columns % width > 0) {
        t->width = columns % width;
        t->padded = padded_width(t, t->width);
        t->first_column = scalar_position(b, columns - columns % width);
        emit(t, context);
    }
}

// A block of rows and all columns.
static void emit_rows(Tiles *t, const Rows *rows) {
    KernelBuilder *b = &t->k->build;
    if (t->p.left != LEFT_IN_PLACE) {
        t->height = tile_height(t, rows->count);
        pack_rows(t, rows->first, rows->count);
    }
    if (t->p.split < 0 || !t->p.blocked) {
        for_each_strip(t, emit_strip, rows);
        return;
    }
    int64_t size = t->p.split_block, blocks = t->p.axes[t->p.split].size / size;
    t->block = begin_loop(b, LOOP_SERIAL, blocks, "block");
    t->split_start = scalar_binary(b, SCALAR_MUL, t->block, scalar_position(b, size));
    for_each_strip(t, emit_strip, rows);
    end_scope(b);
}

void emit_outer_products(Tiles *t, const int *inside, int inside_count) {
    KernelBuilder *b = &t->k->build;
    int64_t all = t->p.axes[t->p.row].size, count = t->p.row_block;
    Rows rows = {scalar_position(b, 0), count, inside, inside_count};
    if (t->p.packs_all) {
        pack_all_columns(t);
    }
    Scalar *number = begin_loop(b, LOOP_SERIAL, all / count, "rows");
    set_blocked(b);
    rows.first = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, count));
    emit_rows(t, &rows);
    end_scope(b);
    if (all % count > 0) {
        rows.first = scalar_position(b, all - all % count);
        rows.count = all % count;
        emit_rows(t, &rows);
    }
}
