// Sums of rows over all points of a node: while the rows are computed, each column is added to an
// element of a local array. Sums of f32 over many points are gathered in f64 from short sums.
#include "codegen/lower_points.h"

enum {
    FEW_POINTS = 32,  // whose sum of f32 needs no f64
    USUAL_CHUNK = 32, // points of a short sum
    LEAST_CHUNK = 16,
    LARGEST_CHUNK = 64
};

// A size of chunks that divides the extent, or 0.
static int64_t chunk_of(int64_t extent) {
    for (int64_t size = USUAL_CHUNK; size <= LARGEST_CHUNK; size++) {
        if (extent % size == 0) {
            return size;
        }
    }
    for (int64_t size = USUAL_CHUNK; size >= LEAST_CHUNK; size--) {
        if (extent % size == 0) {
            return size;
        }
    }
    return 0;
}

// Points of a short sum, if there are such; else 0.
static int64_t chunk_size(const KernelLowering *k, const LoopNest *nest) {
    bool short_sums = false;
    for (int i = 0; i < k->node->sums.count; i++) {
        short_sums = short_sums || k->node->sums.at[i].value->type.element == TYPE_F32;
    }
    bool single = nest->loop_count == 1 && nest->loops[0].extent > FEW_POINTS;
    return short_sums && single ? chunk_of(nest->loops[0].extent) : 0;
}

static int columns_of(const Node *node, int sum) {
    return (int)type_elements(node->sums.at[sum].value->type);
}

static void set_columns(KernelLowering *k, Local *local) {
    KernelBuilder *b = &k->build;
    Scalar *column = begin_loop(b, LOOP_VECTOR, local->count, "column");
    add_set(b, local, column, scalar_number(b, local->type, 0));
    end_scope(b);
}

static void begin_sums(KernelLowering *k, int64_t chunk) {
    const Node *node = k->node;
    int64_t points = type_elements(node->shape);
    k->sums = arena_array(&k->build.scratch, Local *, node->sums.count);
    k->wide = arena_array(&k->build.scratch, Local *, node->sums.count);
    for (int i = 0; i < node->sums.count; i++) {
        ElementType type = node->sums.at[i].value->type.element;
        bool precise = type == TYPE_F32 && points > FEW_POINTS;
        int columns = columns_of(node, i);
        k->sums[i] = add_local(&k->build, precise && chunk == 0 ? TYPE_F64 : type, columns, "sums");
        set_columns(k, k->sums[i]);
        if (precise && chunk > 0) {
            k->wide[i] = add_local(&k->build, TYPE_F64, columns, "wide_sums");
            set_columns(k, k->wide[i]);
        }
    }
}

void open_points(KernelLowering *k, const LoopNest *nest, LoopKind innermost, Scalar **index) {
    KernelBuilder *b = &k->build;
    int64_t chunk = chunk_size(k, nest);
    begin_sums(k, chunk);
    if (chunk == 0) {
        open_nest(k, nest, 0, nest->loop_count, innermost, index);
        return;
    }
    Scalar *number = begin_loop(b, LOOP_SERIAL, nest->loops[0].extent / chunk, "chunk");
    Scalar *start = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, chunk));
    Scalar *inside = begin_loop(b, innermost, chunk, loop_name(k));
    fill_index(k, nest, 0, scalar_binary(b, SCALAR_ADD, start, inside), index);
}

static void flush_sums(KernelLowering *k) {
    KernelBuilder *b = &k->build;
    for (int i = 0; i < k->node->sums.count; i++) {
        Local *sums = k->sums[i], *wide = k->wide[i];
        if (wide == NULL) {
            continue;
        }
        Scalar *column = begin_loop(b, LOOP_VECTOR, sums->count, "column");
        Scalar *sum = scalar_cast(b, TYPE_F64, scalar_local(b, sums, column));
        add_set(b, wide, column, scalar_binary(b, SCALAR_ADD, scalar_local(b, wide, column), sum));
        add_set(b, sums, column, scalar_number(b, sums->type, 0));
        end_scope(b);
    }
}

void close_points(KernelLowering *k, const LoopNest *nest) {
    if (chunk_size(k, nest) == 0) {
        close_loops(k, nest->loop_count);
        return;
    }
    end_scope(&k->build);
    flush_sums(k);
    end_scope(&k->build);
}

void gather_sums(KernelLowering *k, const RowStep *step, Scalar *const *index) {
    KernelBuilder *b = &k->build;
    for (int i = 0; i < step->sums.count; i++) {
        const Value *value = k->node->sums.at[step->sums.at[i]].value;
        const Value *operand = value->definition->operands[0];
        Scalar *x = element(k, operand, index);
        if (k->probe) {
            Buffer *stand_in = arena_new(b->arena, Buffer);
            *stand_in = (Buffer){.element = value->type.element};
            add_store(b, stand_in, flat_position(k, operand->type, index), x);
            continue;
        }
        Local *sums = k->sums[step->sums.at[i]];
        Scalar *column = index[operand->type.rank - 1], *before = scalar_local(b, sums, column);
        x = scalar_cast(b, sums->type, x);
        add_set(b, sums, column, scalar_binary(b, SCALAR_ADD, before, x));
    }
}

static void store_sum(KernelLowering *k, const Value *value, Local *local, const Destination *to) {
    KernelBuilder *b = &k->build;
    if (to->buffer->optional) {
        begin_present(b, to->buffer);
    }
    Scalar *column = begin_loop(b, LOOP_VECTOR, local->count, "column");
    Scalar *sum = scalar_cast(b, value->type.element, scalar_local(b, local, column));
    Scalar *at = row_position(k, to->row, to->row_elements, column);
    if (to->accumulate) {
        sum = scalar_binary(b, SCALAR_ADD, scalar_load_now(b, to->buffer, at), sum);
    }
    add_store(b, to->buffer, at, sum);
    end_scope(b);
    if (to->buffer->optional) {
        end_scope(b);
    }
}

void store_sums(KernelLowering *k) {
    for (int i = 0; i < k->node->sums.count; i++) {
        const Value *value = k->node->sums.at[i].value;
        const ValueState *state = state_of(k->lowering, value);
        Local *local = k->wide[i] != NULL ? k->wide[i] : k->sums[i];
        if (state->stored) {
            Destination own = {
                .buffer = state->buffer, .row = state->row, .row_elements = state->row_elements};
            store_sum(k, value, local, &own);
        }
        for (int j = 0; j < state->destinations.count; j++) {
            const Destination *to = &state->destinations.at[j];
            bool is_there = state->stored && to->buffer == state->buffer && to->row == state->row;
            if (!is_there) {
                store_sum(k, value, local, to);
            }
        }
    }
}
