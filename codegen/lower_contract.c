// Matrix products in register tiles. A tile of the result, some rows by a few
// vectors of columns, is accumulated in a local array: each step of the
// contracted axes loads a row of the right operand as vectors and broadcasts
// one element of the left for each row of the tile. The left operand is read
// with any stride; the right one is first copied if its columns are not
// contiguous. Shapes are known, so the tiles at the edges are exact.
// Elementwise members of the node are computed from the tile.
#include <string.h>

#include "codegen/lower_points.h"

enum {
    FEWEST_ROWS = 4, // below: no reuse worth a tile
    FEWEST_COLUMNS = 4,
    FEWEST_PRODUCTS = 256, // below: no work worth a tile
    MOST_TILE_ROWS = 14,
};

// The parts of a contraction: `row` and `column` are axes of the result.
typedef struct Product {
    const Inst *inst;
    const char *own[2]; // labels of the operands
    const char *result;
    int left, right; // which operand has the rows and which the columns
    int row, column;
    int64_t rows, columns;
} Product;

static bool has_label(const char *labels, char label, int count) {
    return memchr(labels, label, (size_t)count) != NULL;
}

static bool describe_product(const Inst *inst, Product *p) {
    const char *labels = inst->attr.labels;
    *p = (Product){.inst = inst, .row = -1, .column = -1};
    p->own[0] = labels;
    p->own[1] = strchr(labels, ',') + 1;
    p->result = strstr(labels, "->") + 2;
    int ranks[2] = {inst->operands[0]->type.rank, inst->operands[1]->type.rank};
    Type type = inst->results[0]->type;
    for (int axis = 0; axis < type.rank; axis++) {
        p->column = type_size_at(type, axis) > 1 ? axis : p->column;
    }
    if (p->column < 0) {
        return false;
    }
    char column = p->result[p->column];
    bool in_first = has_label(p->own[0], column, ranks[0]);
    if (in_first && has_label(p->own[1], column, ranks[1])) {
        return false; // a batch axis
    }
    p->right = in_first ? 0 : 1;
    p->left = 1 - p->right;
    for (int axis = 0; axis < p->column; axis++) {
        bool is_free = !has_label(p->own[p->right], p->result[axis], ranks[p->right]);
        if (is_free && (p->row < 0 || type_size_at(type, axis) > type_size_at(type, p->row))) {
            p->row = axis;
        }
    }
    if (p->row < 0) {
        return false;
    }
    p->rows = type_size_at(type, p->row);
    p->columns = type_size_at(type, p->column);
    return true;
}

bool is_tiled_contract(const Lowering *l, const Inst *inst) {
    Product p;
    if (l->options->level == 0 || type_elements(inst->results[0]->type) == 0 ||
        !describe_product(inst, &p)) {
        return false;
    }
    Reduction r = reduction_of(inst->results[0]);
    return r.total >= FEWEST_COLUMNS && p.rows >= FEWEST_ROWS && p.columns >= FEWEST_COLUMNS &&
           r.total * p.rows * p.columns >= FEWEST_PRODUCTS;
}

typedef struct Tiles {
    KernelLowering *k;
    Node *node;
    Product p;
    Reduction r;
    Scalar **index;        // of the result
    Buffer *packed;        // the right operand as [its other axes, columns], or NULL
    int64_t width, height; // of the tile
    Scalar *first_row, *first_column;
} Tiles;

static int operand_axis(const Product *p, int operand, char label) {
    return (int)(strchr(p->own[operand], label) - p->own[operand]);
}

static void operand_index(const Tiles *t, int operand, Scalar *const *inner, Scalar **at) {
    Type type = t->p.inst->operands[operand]->type;
    for (int axis = 0; axis < type.rank; axis++) {
        char label = t->p.own[operand][axis];
        const char *outer = strchr(t->p.result, label);
        if (outer != NULL) {
            at[axis] = t->index[outer - t->p.result];
        } else {
            const char *found = memchr(t->r.labels, label, (size_t)t->r.axis_count);
            check(found != NULL, "a label of contract is nowhere");
            at[axis] = inner[found - t->r.labels];
        }
    }
}

// Position in the packed right operand: the columns come last.
static Scalar *packed_position(Tiles *t, Scalar *const *at) {
    KernelBuilder *b = &t->k->build;
    Type type = t->p.inst->operands[t->p.right]->type;
    int columns = operand_axis(&t->p, t->p.right, t->p.result[t->p.column]);
    Scalar *position = scalar_position(b, 0);
    for (int axis = 0; axis < type.rank; axis++) {
        if (axis != columns) {
            Scalar *size = scalar_position(b, type_size_at(type, axis));
            position = scalar_binary(b, SCALAR_MUL, position, size);
            position = scalar_binary(b, SCALAR_ADD, position, at[axis]);
        }
    }
    position = scalar_binary(b, SCALAR_MUL, position, scalar_position(b, t->p.columns));
    return scalar_binary(b, SCALAR_ADD, position, at[columns]);
}

static Scalar *left_element(Tiles *t, Scalar *const *inner) {
    const Value *operand = t->p.inst->operands[t->p.left];
    Scalar **at = new_index(t->k, operand->type.rank);
    operand_index(t, t->p.left, inner, at);
    return element(t->k, operand, at);
}

static Scalar *right_element(Tiles *t, Scalar *const *inner) {
    const Value *operand = t->p.inst->operands[t->p.right];
    Scalar **at = new_index(t->k, operand->type.rank);
    operand_index(t, t->p.right, inner, at);
    if (t->packed != NULL) {
        return scalar_load(&t->k->build, t->packed, packed_position(t, at));
    }
    return element(t->k, operand, at);
}

// Whether the right operand's elements along the columns lie one after the
// other.
static bool columns_are_contiguous(Lowering *l, const Product *p) {
    const Value *operand = p->inst->operands[p->right];
    KernelLowering k;
    begin_probe(&k, l, NULL);
    Scalar **at = new_index(&k, operand->type.rank);
    int columns = operand_axis(p, p->right, p->result[p->column]);
    for (int axis = 0; axis < operand->type.rank; axis++) {
        at[axis] = begin_loop(&k.build, LOOP_SERIAL, type_size_at(operand->type, axis), "i");
    }
    Scalar *x = element(&k, operand, at);
    int64_t coefficient;
    bool contiguous = x->op == SCALAR_LOAD &&
                      scalar_is_linear(x->args[0], at[columns], &coefficient) && coefficient == 1;
    close_loops(&k, operand->type.rank);
    kernel_end(&k.build);
    return contiguous;
}

static void pack_right(Tiles *t) {
    const Value *operand = t->p.inst->operands[t->p.right];
    KernelLowering *k = t->k;
    t->packed = new_workspace_buffer(k->lowering, operand->type, "packed");
    int columns = operand_axis(&t->p, t->p.right, t->p.result[t->p.column]);
    Scalar **at = new_index(k, operand->type.rank);
    for (int axis = 0; axis < operand->type.rank; axis++) {
        if (axis != columns) {
            at[axis] =
                begin_loop(&k->build, LOOP_SERIAL, type_size_at(operand->type, axis), loop_name(k));
        }
    }
    at[columns] = begin_loop(&k->build, LOOP_VECTOR, t->p.columns, "column");
    add_store(&k->build, t->packed, packed_position(t, at), element(k, operand, at));
    close_loops(k, operand->type.rank);
}

static Scalar *tile_position(Tiles *t, Scalar *row, Scalar *column) {
    KernelBuilder *b = &t->k->build;
    Scalar *start = scalar_binary(b, SCALAR_MUL, row, scalar_position(b, t->width));
    return scalar_binary(b, SCALAR_ADD, start, column);
}

static Scalar *open_rows(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = begin_loop(b, LOOP_UNROLL, t->height, "row");
    t->index[t->p.row] = scalar_binary(b, SCALAR_ADD, t->first_row, row);
    return row;
}

static Scalar *open_columns(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    Scalar *column = begin_loop(b, LOOP_VECTOR, t->width, "column");
    t->index[t->p.column] = scalar_binary(b, SCALAR_ADD, t->first_column, column);
    return column;
}

static void clear_tile(Tiles *t, Local *tile) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = open_rows(t), *column = open_columns(t);
    add_set(b, tile, tile_position(t, row, column), scalar_number(b, tile->type, 0));
    close_loops(t->k, 2);
}

static void accumulate_tile(Tiles *t, Local *tile) {
    KernelLowering *k = t->k;
    KernelBuilder *b = &k->build;
    Scalar **inner = new_index(k, t->r.axis_count);
    for (int axis = 0; axis < t->r.axis_count; axis++) {
        inner[axis] = begin_loop(b, LOOP_SERIAL, t->r.sizes[axis], loop_name(k));
    }
    Scalar *row = open_rows(t);
    Scalar *left = left_element(t, inner);
    Scalar *column = open_columns(t);
    Scalar *right = right_element(t, inner);
    Scalar *position = tile_position(t, row, column);
    Scalar *before = scalar_local(b, tile, position);
    add_set(b, tile, position, scalar_fma(b, left, right, before));
    close_loops(k, 2 + t->r.axis_count);
}

static void store_tile(Tiles *t, Local *tile) {
    KernelLowering *k = t->k;
    const Node *node = t->node;
    Scalar *row = open_rows(t), *column = open_columns(t);
    k->accumulators.count = 0;
    vec_push(&k->build.scratch, &k->accumulators,
             ((Accumulator){t->r.value, tile, tile_position(t, row, column)}));
    Scalar **results = arena_array(&k->build.scratch, Scalar *, node->members.count);
    for (int i = 0; i < node->members.count; i++) {
        results[i] = element(k, node->members.at[i], t->index);
    }
    for (int i = 0; i < node->members.count; i++) {
        store_member(k, node->members.at[i], t->index, results[i]);
    }
    close_loops(k, 2);
}

static void emit_tile(Tiles *t, int64_t height, int64_t width) {
    t->height = height;
    t->width = width;
    Local *tile = add_local(&t->k->build, t->r.type, height * width, "tile");
    clear_tile(t, tile);
    accumulate_tile(t, tile);
    store_tile(t, tile);
}

// Rows of a tile with `width` columns, by the number of vector registers.
static int64_t tile_height(const Tiles *t, int64_t width) {
    const LowerOptions *options = t->k->lowering->options;
    int lanes = vector_lanes(t->k->lowering, t->r.type);
    int64_t vectors = (width + lanes - 1) / lanes;
    int registers = options->vector_registers > 0 ? options->vector_registers : 16;
    int64_t rows = (registers - vectors - 1) / vectors;
    return rows < 1 ? 1 : rows > MOST_TILE_ROWS ? MOST_TILE_ROWS : rows;
}

// All rows of a strip of columns: equal tiles, then what is left.
static void emit_strip(Tiles *t, int64_t width) {
    KernelBuilder *b = &t->k->build;
    int64_t most = tile_height(t, width), rows = t->p.rows;
    int64_t height = (rows + (rows + most - 1) / most - 1) / ((rows + most - 1) / most);
    Scalar *number = begin_loop(b, LOOP_SERIAL, rows / height, "row_block");
    t->first_row = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, height));
    emit_tile(t, height, width);
    end_scope(b);
    if (rows % height > 0) {
        t->first_row = scalar_position(b, rows - rows % height);
        emit_tile(t, rows % height, width);
    }
}

static void emit_product(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    int64_t lanes = vector_lanes(t->k->lowering, t->r.type), columns = t->p.columns;
    int64_t width = columns <= 3 * lanes ? columns : 2 * lanes;
    Scalar *number = begin_loop(b, LOOP_SERIAL, columns / width, "column_block");
    t->first_column = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, width));
    emit_strip(t, width);
    end_scope(b);
    if (columns % width > 0) {
        t->first_column = scalar_position(b, columns - columns % width);
        emit_strip(t, columns % width);
    }
}

void lower_tiles(Lowering *l, Node *node) {
    KernelLowering k;
    begin_kernel(&k, l, node, NULL, "");
    Tiles t = {.k = &k, .node = node, .r = reduction_of(node->inst->results[0])};
    describe_product(node->inst, &t.p);
    t.index = new_index(&k, node->shape.rank);
    if (!columns_are_contiguous(l, &t.p)) {
        pack_right(&t);
    }
    int opened = 0;
    for (int axis = 0; axis < node->shape.rank; axis++) {
        if (axis != t.p.row && axis != t.p.column) {
            t.index[axis] =
                begin_loop(&k.build, LOOP_SERIAL, type_size_at(node->shape, axis), loop_name(&k));
            opened++;
        }
    }
    emit_product(&t);
    close_loops(&k, opened);
    end_kernel(&k);
}
