// Copies of a contraction's operands in the order in which tiles read them.
#include "codegen/lower_contract.h"

enum { LINE = 64 }; // bytes

Buffer *plain_buffer(Lowering *l, ElementType type, int64_t count, const char *name) {
    Buffer *buffer = new_workspace_buffer(l, type_scalar(type), name);
    buffer->count = count;
    return buffer;
}

// Elements from one row of LEFT_BY_ROWS to the next: an odd number of lines, so that a tile's rows
// spread over all sets of the cache.
static int64_t row_stride(const Product *p) {
    int64_t line = LINE / (int64_t)element_bytes(p->inst->results[0]->type.element);
    int64_t lines = (count_terms(p) + line - 1) / line;
    return (lines | 1) * line;
}

int64_t left_panel_elements(const Product *p, int64_t rows) {
    return rows * (p->left == LEFT_BY_ROWS ? row_stride(p) : count_terms(p));
}

int64_t right_panel_elements(const Product *p, int64_t width) {
    int64_t terms = count_terms(p);
    if (p->split >= 0 && !p->packs_all) {
        terms = terms / p->axes[p->split].size * p->split_block;
    }
    return terms * width;
}

// Number of the current term: of all, or of those of the split axis's block.
static Scalar *term_position(Tiles *t, bool of_all) {
    KernelBuilder *b = &t->k->build;
    Scalar *term = scalar_position(b, 0);
    if (t->term != NULL) {
        return t->term;
    }
    for (int i = 0; i < t->p.count; i++) {
        const Axis *axis = &t->p.axes[i];
        if (axis->in[RESULT]) {
            continue;
        }
        bool in_block = i == t->p.split && !of_all;
        int64_t size = in_block ? t->p.split_block : axis->size;
        Scalar *index = t->inside[i];
        if (i == t->p.split && of_all) {
            index = scalar_binary(b, SCALAR_ADD, t->split_start, index);
        }
        term = scalar_binary(b, SCALAR_MUL, term, scalar_position(b, size));
        term = scalar_binary(b, SCALAR_ADD, term, index);
    }
    return term;
}

Scalar *right_panel_position(Tiles *t, Scalar *column) {
    KernelBuilder *b = &t->k->build;
    Scalar *term = term_position(t, t->p.packs_all);
    Scalar *start = scalar_binary(b, SCALAR_MUL, term, scalar_position(b, t->padded));
    if (t->p.packs_all) {
        Scalar *terms = scalar_position(b, count_terms(&t->p));
        Scalar *before = scalar_binary(b, SCALAR_MUL, t->first_column, terms);
        start = scalar_binary(b, SCALAR_ADD, before, start);
    }
    return scalar_binary(b, SCALAR_ADD, start, column);
}

Scalar *left_panel_position(Tiles *t, Scalar *row) {
    KernelBuilder *b = &t->k->build;
    Scalar *term = term_position(t, true);
    if (t->p.left == LEFT_BY_ROWS) {
        Scalar *number = scalar_binary(b, SCALAR_ADD, t->first_row, row);
        Scalar *stride = scalar_position(b, row_stride(&t->p));
        return scalar_binary(b, SCALAR_ADD, scalar_binary(b, SCALAR_MUL, number, stride), term);
    }
    Scalar *terms = scalar_position(b, count_terms(&t->p));
    Scalar *start = scalar_binary(b, SCALAR_MUL, t->first_row, terms);
    Scalar *inside = scalar_binary(b, SCALAR_MUL, term, scalar_position(b, t->height));
    inside = scalar_binary(b, SCALAR_ADD, inside, row);
    return scalar_binary(b, SCALAR_ADD, start, inside);
}

Scalar *left_element(Tiles *t, Scalar *row) {
    return t->left_panel != NULL
               ? scalar_load(&t->k->build, t->left_panel, left_panel_position(t, row))
               : operand_element(t, LEFT);
}

Scalar *right_element(Tiles *t, Scalar *column) {
    return t->panel != NULL ? scalar_load(&t->k->build, t->panel, right_panel_position(t, column))
                            : operand_element(t, RIGHT);
}

static void count_term(Tiles *t, const Axis *axis, Scalar *index) {
    KernelBuilder *b = &t->k->build;
    set_axis(t, axis, index);
    t->term = scalar_binary(b, SCALAR_MUL, t->term, scalar_position(b, axis->size));
    t->term = scalar_binary(b, SCALAR_ADD, t->term, index);
}

// Opens loops over the first `count` axes of terms as the operands have them, the innermost of the
// given kind.
static void open_terms(Tiles *t, int count, LoopKind innermost) {
    KernelBuilder *b = &t->k->build;
    t->term = scalar_position(b, 0);
    for (int i = 0; i < count; i++) {
        const Axis *axis = &t->p.apart[i];
        LoopKind kind = i == count - 1 ? innermost : LOOP_SERIAL;
        count_term(t, axis, begin_loop(b, kind, axis->size, loop_name(t->k)));
    }
}

// Over all of them; returns their number.
static int open_all_terms(Tiles *t, LoopKind innermost) {
    open_terms(t, t->p.apart_count, innermost);
    return t->p.apart_count;
}

static void close_all_terms(Tiles *t, int opened) {
    close_loops(t->k, opened);
    t->term = NULL;
}

// Behind the columns.
static void pack_zeros(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    Scalar *index = begin_loop(b, LOOP_VECTOR, t->padded - t->width, "column");
    Scalar *column = scalar_binary(b, SCALAR_ADD, scalar_position(b, t->width), index);
    add_store(b, t->panel, right_panel_position(t, column), scalar_number(b, t->type, 0));
    end_scope(b);
}

// Elements that are not neighbours are faster loaded one by one than gathered.
static void pack_element(Tiles *t) {
    bool gathers = t->p.direct[RIGHT] && t->p.axes[t->p.column].stride[RIGHT] != 1;
    Scalar *column = begin_tile_columns(t, gathers ? LOOP_UNROLL : LOOP_VECTOR, 0);
    Scalar *x = operand_element(t, RIGHT);
    add_store(&t->k->build, t->panel, right_panel_position(t, column), x);
    close_loops(t->k, 1);
    if (t->padded > t->width) {
        pack_zeros(t);
    }
}

// The operand's terms are neighbours where its columns are not: whole lines of memory are read, as
// vectors along the terms, and written across.
static bool turns_terms(const Tiles *t) {
    const Axis *column = &t->p.axes[t->p.column], *inner = &t->p.apart[t->p.apart_count - 1];
    int lanes = vector_lanes(t->k->lowering, t->type);
    return t->p.turns && t->p.direct[RIGHT] && lanes > 1 && column->stride[RIGHT] != 1 &&
           inner->stride[RIGHT] == 1 && inner->size >= lanes && t->width % lanes == 0;
}

// `count` terms of the innermost axis from `start` on.
static void turn_terms(Tiles *t, const Axis *axis, Scalar *start, int64_t count) {
    KernelBuilder *b = &t->k->build;
    Scalar *before = t->term;
    Scalar *column = begin_tile_columns(t, LOOP_UNROLL, 0);
    Scalar *lane = begin_loop(b, LOOP_VECTOR, count, loop_name(t->k));
    count_term(t, axis, scalar_binary(b, SCALAR_ADD, start, lane));
    Scalar *x = operand_element(t, RIGHT);
    add_store(b, t->panel, right_panel_position(t, column), x);
    close_loops(t->k, 2);
    t->term = before;
}

static void pack_turned(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    int lanes = vector_lanes(t->k->lowering, t->type), opened = t->p.apart_count - 1;
    const Axis *inner = &t->p.apart[opened];
    open_terms(t, opened, LOOP_SERIAL);
    Scalar *number = begin_loop(b, LOOP_SERIAL, inner->size / lanes, loop_name(t->k));
    turn_terms(t, inner, scalar_binary(b, SCALAR_MUL, number, scalar_position(b, lanes)), lanes);
    end_scope(b);
    if (inner->size % lanes > 0) {
        Scalar *start = scalar_position(b, inner->size - inner->size % lanes);
        turn_terms(t, inner, start, inner->size % lanes);
    }
    close_all_terms(t, opened);
}

static void pack_terms(Tiles *t) {
    if (turns_terms(t)) {
        pack_turned(t);
        return;
    }
    int opened = open_all_terms(t, LOOP_SERIAL);
    pack_element(t);
    close_all_terms(t, opened);
}

void pack_columns(Tiles *t) {
    if (t->p.split < 0) {
        pack_terms(t);
        return;
    }
    int opened = open_contracted(t, -1, LOOP_SERIAL);
    pack_element(t);
    close_loops(t->k, opened);
}

// The columns of the tile.
static void pack_panel(Tiles *t, const void *terms_outside) {
    if (*(const bool *)terms_outside) {
        pack_element(t);
    } else {
        pack_terms(t);
    }
}

// In the order in which the operand lies in memory.
void pack_all_columns(Tiles *t) {
    const Axis *axis = &t->p.axes[t->p.column];
    bool terms_outside = t->p.direct[RIGHT] && axis->stride[RIGHT] == 1;
    int opened = terms_outside ? open_all_terms(t, LOOP_SERIAL) : 0;
    for_each_strip(t, pack_panel, &terms_outside);
    close_all_terms(t, opened);
}

static void pack_tile(Tiles *t) {
    bool by_rows = t->p.left == LEFT_BY_ROWS;
    int opened = 0;
    Scalar *row = NULL;
    if (by_rows) {
        row = begin_rows(t, LOOP_SERIAL);
    }
    opened = open_all_terms(t, by_rows ? LOOP_VECTOR : LOOP_SERIAL);
    if (!by_rows) {
        row = begin_rows(t, LOOP_VECTOR);
    }
    Scalar *x = operand_element(t, LEFT);
    add_store(&t->k->build, t->left_panel, left_panel_position(t, row), x);
    close_all_terms(t, opened + 1);
}

void pack_rows(Tiles *t, Scalar *first, int64_t count) {
    KernelBuilder *b = &t->k->build;
    int64_t height = t->p.left == LEFT_BY_ROWS ? count : t->height, tiles = count / height;
    t->height = height;
    Scalar *number = begin_loop(b, LOOP_SERIAL, tiles, "row_block");
    Scalar *start = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, height));
    t->first_row = scalar_binary(b, SCALAR_ADD, first, start);
    pack_tile(t);
    end_scope(b);
    if (count % height > 0) {
        t->first_row = scalar_binary(b, SCALAR_ADD, first, scalar_position(b, tiles * height));
        t->height = count % height;
        pack_tile(t);
    }
}
