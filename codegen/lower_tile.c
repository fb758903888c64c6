// What a register tile starts from, and what becomes of it: sums of earlier and later blocks, and
// the elementwise work on the results.
#include "codegen/lower_contract.h"

enum {
    COSTLY = 16, // operations for each element that are not written out for each row of a tile
    FEW_VECTORS = 4
};

static Scalar *tile_position(Tiles *t, Scalar *row, int64_t stride, Scalar *column) {
    KernelBuilder *b = &t->k->build;
    Scalar *start = scalar_binary(b, SCALAR_MUL, row, scalar_position(b, stride));
    return scalar_binary(b, SCALAR_ADD, start, column);
}

// With nothing, or with the sums of all blocks.
void start_tile(Tiles *t, Local *tile, int64_t stride) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = begin_rows(t, LOOP_UNROLL);
    Scalar *column =
        t->finish ? begin_tile_columns(t, LOOP_VECTOR, stride) : begin_padded_columns(t, stride);
    Scalar *start = scalar_number(b, tile->type, 0);
    if (t->finish) {
        start = scalar_load_now(b, t->partial, flat_position(t->k, t->node->shape, t->index));
        start = scalar_cast(b, tile->type, start);
    }
    add_set(b, tile, tile_position(t, row, stride, column), start);
    close_loops(t->k, 2);
}

// The tile and, if so, what is there, added.
static Scalar *add_partial(Tiles *t, Scalar *sum, Scalar *at, bool adds) {
    KernelBuilder *b = &t->k->build;
    sum = scalar_cast(b, t->partial->element, sum);
    return adds ? scalar_binary(b, SCALAR_ADD, scalar_load_now(b, t->partial, at), sum) : sum;
}

static void store_partial(Tiles *t, Local *tile, int64_t stride, bool adds) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = begin_rows(t, LOOP_UNROLL);
    Scalar *column = begin_tile_columns(t, LOOP_VECTOR, stride);
    Scalar *sum = scalar_local(b, tile, tile_position(t, row, stride, column));
    Scalar *at = flat_position(t->k, t->node->shape, t->index);
    add_store(b, t->partial, at, add_partial(t, sum, at, adds));
    close_loops(t->k, 2);
}

// Adds what earlier blocks gave to the tile of the last one.
static void complete_tile(Tiles *t, Local *tile, int64_t stride) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = begin_rows(t, LOOP_UNROLL);
    Scalar *column = begin_tile_columns(t, LOOP_VECTOR, stride);
    Scalar *position = tile_position(t, row, stride, column);
    Scalar *at = flat_position(t->k, t->node->shape, t->index);
    Scalar *sum = add_partial(t, scalar_local(b, tile, position), at, true);
    add_set(b, tile, position, scalar_cast(b, tile->type, sum));
    close_loops(t->k, 2);
}

// Whether the work on the results calls functions, which written out for each row are much code
// that waits for itself, and has no registers for its constants. Tiles in C are small.
static bool has_costly_results(const Tiles *t, int64_t stride) {
    const Lowering *l = t->k->lowering;
    int64_t cost = 0;
    for (int i = 0; i < t->node->members.count; i++) {
        const Value *member = t->node->members.at[i];
        bool is_sum = member == t->p.inst->results[0] || member == t->node->inst->results[0];
        cost += is_sum ? 0 : state_of(l, member)->cost;
    }
    return cost >= COSTLY && !l->options->unmasked &&
           t->height * stride > FEW_VECTORS * vector_lanes(l, t->type);
}

// The tile in memory, where a loop over its rows finds it.
static Local *keep_tile(Tiles *t, Local *tile, int64_t stride) {
    KernelBuilder *b = &t->k->build;
    Local *kept = add_local(b, tile->type, t->height * stride, "results");
    Scalar *row = begin_rows(t, LOOP_UNROLL);
    Scalar *column = begin_tile_columns(t, LOOP_VECTOR, stride);
    Scalar *position = tile_position(t, row, stride, column);
    add_set(b, kept, position, scalar_local(b, tile, position));
    close_loops(t->k, 2);
    return kept;
}

static void store_results(Tiles *t, Local *tile, int64_t stride) {
    KernelLowering *k = t->k;
    KernelBuilder *b = &k->build;
    const Node *node = t->node;
    bool in_loop = has_costly_results(t, stride);
    if (in_loop) {
        tile = keep_tile(t, tile, stride);
    }
    Scalar *row = begin_rows(t, in_loop ? LOOP_SERIAL : LOOP_UNROLL);
    Scalar *column = begin_tile_columns(t, LOOP_VECTOR, stride);
    Scalar *position = tile_position(t, row, stride, column);
    k->accumulators.count = 0;
    vec_push(&b->scratch, &k->accumulators, ((Accumulator){t->p.inst->results[0], tile, position}));
    Scalar **results = arena_array(&b->scratch, Scalar *, node->members.count);
    for (int i = 0; i < node->members.count; i++) {
        results[i] = element(k, node->members.at[i], t->index);
    }
    for (int i = 0; i < node->members.count; i++) {
        store_member(k, node->members.at[i], t->index, results[i]);
    }
    close_loops(k, 2);
}

void store_tile(Tiles *t, Local *tile, int64_t stride) {
    KernelBuilder *b = &t->k->build;
    if (t->block != NULL) {
        int64_t blocks = t->p.axes[t->p.split].size / t->p.split_block;
        begin_if(b, scalar_binary(b, SCALAR_EQ, t->block, scalar_position(b, 0)));
        store_partial(t, tile, stride, false);
        begin_else(b);
        begin_if(b, scalar_binary(b, SCALAR_LT, t->block, scalar_position(b, blocks - 1)));
        store_partial(t, tile, stride, true);
        begin_else(b);
        complete_tile(t, tile, stride);
        store_results(t, tile, stride);
        end_scope(b);
        end_scope(b);
    } else if (t->partial != NULL && !t->finish) {
        store_partial(t, tile, stride, true);
    } else {
        store_results(t, tile, stride);
    }
}
