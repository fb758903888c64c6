// Products whose vectors lie along the columns: a tile of some rows by a few vectors of columns is
// accumulated in a local array; each step of the contracted axes loads a row of the right operand
// as vectors and broadcasts one element of the left for each row of the tile. The left operand is
// read with any stride.
#include "codegen/lower_contract.h"

enum {
    MOST_TILE_ROWS = 14,
    FEW_TILE_ROWS = 4, // of wide vectors in C, which are pairs of registers on some processors
};

static int64_t round_up(int64_t size, int64_t unit) {
    return (size + unit - 1) / unit * unit;
}

// Lanes of the vectors that a row of the tile consists of. In C two of the widest vectors, or
// narrower ones: a tile of one would need many rows, for which narrower registers do not suffice.
static int64_t tile_lanes(const Tiles *t, int64_t width) {
    int64_t lanes = vector_lanes(t->k->lowering, t->type);
    bool is_narrow = t->k->lowering->options->unmasked && width % (2 * lanes) != 0 && lanes > 1;
    return is_narrow ? lanes / 2 : lanes;
}

int64_t outer_width(const Tiles *t) {
    int64_t lanes = vector_lanes(t->k->lowering, t->type);
    int64_t columns = t->p.axes[t->p.column].size;
    if (columns <= 3 * lanes) {
        lanes = tile_lanes(t, columns);
    }
    return columns <= 3 * lanes ? columns : 2 * lanes;
}

// Columns of a row of the tile, with room for whole vectors.
static int64_t tile_stride(const Tiles *t, int64_t width) {
    int64_t lanes = tile_lanes(t, width);
    return width < lanes ? width : round_up(width, lanes);
}

static Scalar *panel_position(Tiles *t, Scalar *column) {
    KernelBuilder *b = &t->k->build;
    Scalar *term = scalar_position(b, 0);
    for (int i = 0; i < t->p.count; i++) {
        const Axis *axis = &t->p.axes[i];
        if (axis->in[RESULT]) {
            continue;
        }
        int64_t size = i == t->p.split ? t->p.split_block : axis->size;
        term = scalar_binary(b, SCALAR_MUL, term, scalar_position(b, size));
        term = scalar_binary(b, SCALAR_ADD, term, t->inside[i]);
    }
    Scalar *start = scalar_binary(b, SCALAR_MUL, term, scalar_position(b, t->width));
    return scalar_binary(b, SCALAR_ADD, start, column);
}

static void pack_panel(Tiles *t) {
    KernelLowering *k = t->k;
    int opened = open_contracted(t, -1, LOOP_SERIAL);
    Scalar *column = begin_tile_columns(t, LOOP_VECTOR, 0);
    add_store(&k->build, t->panel, panel_position(t, column), operand_element(t, RIGHT));
    close_loops(k, opened + 1);
}

static void accumulate(Tiles *t, Local *tile, int64_t stride) {
    KernelBuilder *b = &t->k->build;
    int opened = open_contracted(t, -1, LOOP_UNROLL);
    Scalar *row = begin_rows(t);
    Scalar *left = operand_element(t, LEFT);
    Scalar *column = begin_tile_columns(t, LOOP_VECTOR, stride);
    Scalar *right = t->panel != NULL ? scalar_load(b, t->panel, panel_position(t, column))
                                     : operand_element(t, RIGHT);
    Scalar *start = scalar_binary(b, SCALAR_MUL, row, scalar_position(b, stride));
    Scalar *position = scalar_binary(b, SCALAR_ADD, start, column);
    add_set(b, tile, position, scalar_fma(b, left, right, scalar_local(b, tile, position)));
    close_loops(t->k, 2 + opened);
}

static void emit_tile(Tiles *t, int64_t height) {
    t->height = height;
    int64_t stride = tile_stride(t, t->width);
    Local *tile = add_local(&t->k->build, t->type, height * stride, "tile");
    start_tile(t, tile, stride);
    if (!t->finish) {
        accumulate(t, tile, stride);
    }
    store_tile(t, tile, stride);
}

// Rows of a tile, by the number of vector registers.
static int64_t tile_height(const Tiles *t) {
    const LowerOptions *options = t->k->lowering->options;
    int64_t lanes = tile_lanes(t, t->width);
    int64_t vectors = (t->width + lanes - 1) / lanes;
    int registers = options->vector_registers > 0 ? options->vector_registers : 16;
    int64_t rows = (registers - vectors - 1) / vectors;
    if (options->unmasked && lanes == vector_lanes(t->k->lowering, t->type)) {
        rows = rows < FEW_TILE_ROWS ? rows : FEW_TILE_ROWS;
    }
    return rows < 1 ? 1 : rows > MOST_TILE_ROWS ? MOST_TILE_ROWS : rows;
}

// All rows of a strip of columns: equal tiles, then what is left.
static void emit_strip(Tiles *t, const int *inside, int inside_count) {
    KernelBuilder *b = &t->k->build;
    if (t->panel != NULL && !t->finish) {
        pack_panel(t);
    }
    for (int i = 0; i < inside_count; i++) {
        const Axis *axis = &t->p.axes[inside[i]];
        set_axis(t, axis, begin_loop(b, LOOP_SERIAL, axis->size, loop_name(t->k)));
    }
    int64_t rows = t->p.axes[t->p.row].size, height = even_block(rows, tile_height(t));
    Scalar *number = begin_loop(b, LOOP_SERIAL, rows / height, "row_block");
    t->first_row = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, height));
    emit_tile(t, height);
    end_scope(b);
    if (rows % height > 0) {
        t->first_row = scalar_position(b, rows - rows % height);
        emit_tile(t, rows % height);
    }
    close_loops(t->k, inside_count);
}

void emit_outer_products(Tiles *t, const int *inside, int inside_count) {
    KernelBuilder *b = &t->k->build;
    int64_t columns = t->p.axes[t->p.column].size, width = outer_width(t);
    t->width = width;
    Scalar *number = begin_loop(b, LOOP_SERIAL, columns / width, "column_block");
    t->first_column = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, width));
    emit_strip(t, inside, inside_count);
    end_scope(b);
    if (columns % width > 0) {
        t->width = columns % width;
        t->first_column = scalar_position(b, columns - columns % width);
        emit_strip(t, inside, inside_count);
    }
}
