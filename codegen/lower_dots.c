// Products whose vectors lie along a contracted axis: each element of a small tile of the result
// has a vector of partial sums, which are added up at the end.
#include "codegen/lower_contract.h"

enum {
    LONG_STEPS = 512, // vectors along the lane axis from which on sums of f32 are taken in chunks
    CHUNK_STEPS = 256
};

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

// The operand's element, or zero in lanes that are not used.
static Scalar *used_element(Tiles *t, int side, Local *used, Scalar *lane) {
    KernelBuilder *b = &t->k->build;
    Scalar *x = operand_element(t, side);
    if (used == NULL) {
        return x;
    }
    Scalar *none = scalar_integer_constant(b, used->type, 0);
    Scalar *is_used = scalar_binary(b, SCALAR_NE, scalar_local(b, used, lane), none);
    return scalar_select(b, is_used, x, scalar_number(b, x->type, 0));
}

// Adds the products of `count` elements along the lane axis from `start` on; with `used`, only
// those of lanes that it has ones for.
static void step(Tiles *t, Local *sums, Scalar *start, int64_t count, int lanes, Local *used) {
    KernelBuilder *b = &t->k->build;
    Scalar *column = begin_tile_columns(t, LOOP_UNROLL, 0);
    Scalar *row = begin_rows(t, LOOP_UNROLL);
    Scalar *lane = begin_loop(b, LOOP_VECTOR, count, "lane");
    if (count < lanes && count > 1) {
        set_room(b, lanes, false);
    }
    set_axis(t, &t->p.axes[t->p.lane], scalar_binary(b, SCALAR_ADD, start, lane));
    Scalar *left = used_element(t, LEFT, used, lane), *right = used_element(t, RIGHT, used, lane);
    Scalar *position = sums_position(t, row, column, lane, lanes);
    add_set(b, sums, position, tile_step(t, left, right, scalar_local(b, sums, position)));
    close_loops(t->k, 3);
}

// Adds the products of all of the lane axis from vector `first` on.
static void add_steps(Tiles *t, Local *sums, Scalar *first, int64_t steps, int lanes) {
    KernelBuilder *b = &t->k->build;
    Scalar *number = begin_loop(b, LOOP_SERIAL, steps, loop_name(t->k));
    number = scalar_binary(b, SCALAR_ADD, first, number);
    step(t, sums, scalar_binary(b, SCALAR_MUL, number, scalar_position(b, lanes)), lanes, lanes,
         NULL);
    end_scope(b);
}

// Adds the lanes of each sum pairwise, halving their number, and the total to that of the tile,
// which may be wider.
static void join_lanes(Tiles *t, Local *sums, Local *totals, int lanes) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = begin_rows(t, LOOP_UNROLL);
    Scalar *column = begin_tile_columns(t, LOOP_UNROLL, 0);
    Scalar *first = sums_position(t, row, column, scalar_position(b, 0), lanes);
    Scalar *total = join_local(b, sums, first, lanes, SCALAR_ADD);
    Scalar *start = scalar_binary(b, SCALAR_MUL, row, scalar_position(b, t->width));
    Scalar *at = scalar_binary(b, SCALAR_ADD, start, column);
    total = scalar_cast(b, totals->type, total);
    add_set(b, totals, at, scalar_binary(b, SCALAR_ADD, scalar_local(b, totals, at), total));
    close_loops(t->k, 2);
}

// C has no masked vectors, and a tile that is read in vectors of several lengths is not kept in
// registers: the last vector begins early, and leaves out what was added before. A number for each
// lane says what: of a comparison of the lane, compilers make vectors of its 64 bits.
static Local *mark_last_lanes(Tiles *t, int64_t extent, int lanes) {
    KernelBuilder *b = &t->k->build;
    if (!t->k->lowering->options->unmasked || !element_is_real(t->type) || extent < lanes ||
        extent % lanes == 0) {
        return NULL;
    }
    Local *used = add_local(b, t->type == TYPE_F32 ? TYPE_I32 : TYPE_I64, lanes, "used");
    Scalar *lane = begin_loop(b, LOOP_VECTOR, lanes, "lane");
    Scalar *before = scalar_position(b, lanes - extent % lanes);
    Scalar *is_used = scalar_binary(b, SCALAR_GE, lane, before);
    add_set(b, used, lane, scalar_cast(b, used->type, is_used));
    close_loops(t->k, 1);
    return used;
}

// The sums of all products, in lanes.
static void accumulate(Tiles *t, Local *sums, int lanes) {
    KernelBuilder *b = &t->k->build;
    Local *used = mark_last_lanes(t, t->p.axes[t->p.lane].size, lanes);
    clear_sums(t, sums, lanes);
    int opened = open_contracted(t, t->p.lane, LOOP_SERIAL);
    int64_t extent = t->p.axes[t->p.lane].size, steps = extent / lanes;
    add_steps(t, sums, scalar_position(b, 0), steps, lanes);
    if (used != NULL) {
        step(t, sums, scalar_position(b, extent - lanes), lanes, lanes, used);
    } else if (extent % lanes > 0) {
        step(t, sums, scalar_position(b, steps * lanes), extent % lanes, lanes, NULL);
    }
    close_loops(t->k, opened);
}

// The same in chunks of a long axis, whose sums of f32 are gathered in f64.
static void accumulate_chunks(Tiles *t, Local *sums, Local *totals, int lanes) {
    KernelBuilder *b = &t->k->build;
    int opened = open_contracted(t, t->p.lane, LOOP_SERIAL);
    int64_t extent = t->p.axes[t->p.lane].size, steps = extent / lanes;
    Scalar *chunk = begin_loop(b, LOOP_SERIAL, steps / CHUNK_STEPS, "chunk");
    clear_sums(t, sums, lanes);
    add_steps(t, sums, scalar_binary(b, SCALAR_MUL, chunk, scalar_position(b, CHUNK_STEPS)),
              CHUNK_STEPS, lanes);
    join_lanes(t, sums, totals, lanes);
    end_scope(b);
    int64_t left = steps % CHUNK_STEPS;
    if (extent % (lanes * CHUNK_STEPS) > 0) {
        clear_sums(t, sums, lanes);
        add_steps(t, sums, scalar_position(b, steps - left), left, lanes);
        if (extent % lanes > 0) {
            step(t, sums, scalar_position(b, steps * lanes), extent % lanes, lanes, NULL);
        }
        join_lanes(t, sums, totals, lanes);
    }
    close_loops(t->k, opened);
}

static void set_totals(Tiles *t, Local *to, const Local *from) {
    KernelBuilder *b = &t->k->build;
    for (int64_t i = 0; i < t->height * t->width; i++) {
        Scalar *at = scalar_position(b, i);
        Scalar *value = from ? scalar_local(b, (Local *)from, at) : scalar_number(b, to->type, 0);
        add_set(b, to, at, scalar_cast(b, to->type, value));
    }
}

static void emit_tile(Tiles *t, int64_t height, int64_t width) {
    KernelBuilder *b = &t->k->build;
    int lanes = vector_lanes(t->k->lowering, t->type);
    bool is_long = t->type == TYPE_F32 && t->p.axes[t->p.lane].size / lanes > LONG_STEPS;
    t->height = height;
    t->width = t->padded = width;
    Local *tile = add_local(b, t->type, height * width, "tile");
    int opened = begin_if_adds(t);
    start_tile(t, tile, width);
    if (!t->finish) {
        Local *sums = add_local(b, t->type, height * width * lanes, "sums");
        if (is_long) {
            Local *totals = add_local(b, TYPE_F64, height * width, "totals");
            set_totals(t, totals, NULL);
            accumulate_chunks(t, sums, totals, lanes);
            set_totals(t, tile, totals);
        } else {
            int scopes = begin_if_read(t);
            accumulate(t, sums, lanes);
            join_lanes(t, sums, tile, lanes);
            close_loops(t->k, scopes);
        }
    }
    store_tile(t, tile, width);
    close_loops(t->k, opened);
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
