// Products whose vectors lie along a contracted axis: each element of a small tile of the result
// has a vector of partial sums, which are added up at the end.
#include "codegen/lower_contract.h"

int64_t dot_block(int64_t size, int registers) {
    return even_block(size, registers >= 32 ? 5 : 3);
}

static Scalar *sums_position(Tiles *t, Scalar *row, Scalar *column, Scalar *lane, int lanes) {
    KernelBuilder *b = &t->k->build;
    Scalar *result = scalar_binary(b, SCALAR_MUL, row, scalar_position(b, t->width));
    result = scalar_binary(b, SCALAR_ADD, result, column);
    result = scalar_binary(b, SCALAR_MUL, result, scalar_position(b, lanes));
    return scalar_binary(b, SCALAR_ADD, result, lane);
}

static void clear_sums(Tiles *t, Local *sums, int lanes) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = begin_rows(t, LOOP_UNROLL), *column = begin_tile_columns(t, LOOP_UNROLL, 0);
    Scalar *lane = begin_loop(b, LOOP_VECTOR, lanes, "lane");
    add_set(b, sums, sums_position(t, row, column, lane, lanes), scalar_number(b, sums->type, 0));
    close_loops(t->k, 3);
}

// Adds the products of `count` elements along the lane axis from `start` on.
static void step(Tiles *t, Local *sums, Scalar *start, int64_t count, int lanes) {
    KernelBuilder *b = &t->k->build;
    Scalar *column = begin_tile_columns(t, LOOP_UNROLL, 0);
    Scalar *row = begin_rows(t, LOOP_UNROLL);
    Scalar *lane = begin_loop(b, LOOP_VECTOR, count, "lane");
    if (count < lanes && count > 1) {
        set_room(b, lanes, false);
    }
    set_axis(t, &t->p.axes[t->p.lane], scalar_binary(b, SCALAR_ADD, start, lane));
    Scalar *left = operand_element(t, LEFT), *right = operand_element(t, RIGHT);
    Scalar *position = sums_position(t, row, column, lane, lanes);
    add_set(b, sums, position, scalar_fma(b, left, right, scalar_local(b, sums, position)));
    close_loops(t->k, 3);
}

static void accumulate(Tiles *t, Local *sums, int lanes) {
    KernelBuilder *b = &t->k->build;
    int opened = open_contracted(t, t->p.lane, LOOP_SERIAL);
    int64_t extent = t->p.axes[t->p.lane].size, steps = extent / lanes;
    Scalar *number = begin_loop(b, LOOP_SERIAL, steps, loop_name(t->k));
    step(t, sums, scalar_binary(b, SCALAR_MUL, number, scalar_position(b, lanes)), lanes, lanes);
    end_scope(b);
    if (extent % lanes > 0) {
        step(t, sums, scalar_position(b, steps * lanes), extent % lanes, lanes);
    }
    close_loops(t->k, opened);
}

// Adds the lanes of each sum pairwise, halving their number, and the total to the tile.
static void join_lanes(Tiles *t, Local *sums, Local *tile, int lanes) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = begin_rows(t, LOOP_UNROLL);
    Scalar *column = begin_tile_columns(t, LOOP_UNROLL, 0);
    for (int half = lanes / 2; half >= 1; half /= 2) {
        Scalar *lane = begin_loop(b, LOOP_VECTOR, half, "lane");
        Scalar *other = scalar_binary(b, SCALAR_ADD, lane, scalar_position(b, half));
        Scalar *at = sums_position(t, row, column, lane, lanes);
        Scalar *x = scalar_local(b, sums, at);
        Scalar *y = scalar_local(b, sums, sums_position(t, row, column, other, lanes));
        add_set(b, sums, at, scalar_binary(b, SCALAR_ADD, x, y));
        end_scope(b);
    }
    Scalar *start = scalar_binary(b, SCALAR_MUL, row, scalar_position(b, t->width));
    Scalar *at = scalar_binary(b, SCALAR_ADD, start, column);
    Scalar *zero = scalar_position(b, 0);
    Scalar *total = scalar_local(b, sums, sums_position(t, row, column, zero, lanes));
    add_set(b, tile, at, scalar_binary(b, SCALAR_ADD, scalar_local(b, tile, at), total));
    close_loops(t->k, 2);
}

static void emit_tile(Tiles *t, int64_t height, int64_t width) {
    KernelBuilder *b = &t->k->build;
    int lanes = vector_lanes(t->k->lowering, t->type);
    t->height = height;
    t->width = width;
    Local *tile = add_local(b, t->type, height * width, "tile");
    start_tile(t, tile, width);
    if (!t->finish) {
        Local *sums = add_local(b, t->type, height * width * lanes, "sums");
        clear_sums(t, sums, lanes);
        accumulate(t, sums, lanes);
        join_lanes(t, sums, tile, lanes);
    }
    store_tile(t, tile, width);
}

static void emit_strip(Tiles *t, int64_t width) {
    KernelBuilder *b = &t->k->build;
    const LowerOptions *options = t->k->lowering->options;
    int64_t rows = t->p.axes[t->p.row].size, height = dot_block(rows, options->vector_registers);
    Scalar *number = begin_loop(b, LOOP_SERIAL, rows / height, "row_block");
    t->first_row = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, height));
    emit_tile(t, height, width);
    end_scope(b);
    if (rows % height > 0) {
        t->first_row = scalar_position(b, rows - rows % height);
        emit_tile(t, rows % height, width);
    }
}

void emit_dot_products(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    const LowerOptions *options = t->k->lowering->options;
    int64_t columns = t->p.axes[t->p.column].size;
    int64_t width = dot_block(columns, options->vector_registers);
    Scalar *number = begin_loop(b, LOOP_SERIAL, columns / width, "column_block");
    t->first_column = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, width));
    emit_strip(t, width);
    end_scope(b);
    if (columns % width > 0) {
        t->first_column = scalar_position(b, columns - columns % width);
        emit_strip(t, columns % width);
    }
}
