// A contraction that is computed in register tiles: its axes, and how its operands lie in memory.
#ifndef TDSL_CODEGEN_LOWER_CONTRACT_H
#define TDSL_CODEGEN_LOWER_CONTRACT_H

#include "codegen/bands.h"
#include "codegen/lower_points.h"

enum { LEFT, RIGHT, RESULT, PARTIES, MOST_LABELS = 64 };

// Labels that run as one axis, outermost first.
typedef struct Axis {
    char labels[MOST_LABELS];
    int count;
    int64_t size;
    bool in[PARTIES];
    int64_t stride[PARTIES]; // elements from one index to the next; 0 where it is not in
} Axis;

// How the left operand is copied before its rows' tiles read it.
typedef enum LeftPacking {
    LEFT_IN_PLACE, // it is not
    LEFT_BY_ROWS,  // each row's terms one after the other
    LEFT_BY_TILES, // for each tile of rows, for each term, the tile's rows
} LeftPacking;

// What a step adds to an element of a tile.
typedef enum TileStep {
    STEP_PRODUCT,
    STEP_SQUARE,     // of the operands' difference
    STEP_DIFFERENCE, // the first operand times the second less a third, which has no contracted
                     // axis
    STEP_REVERSED,   // the first operand times the third less the second
} TileStep;

// A band of the difference of the indices of two labels.
typedef struct LabelBand {
    Band band;
    char x, y;
} LabelBand;

typedef struct Product {
    const Inst *inst;
    TileStep step;
    int fixed_left;           // the operand that has to be LEFT, with vectors along columns; or -1
    int read_once;            // the operand that is computed as it is read, on the RIGHT; or -1
    int selected;             // the operand of which few elements are not zero; or -1
    bool skips;               // it is LEFT, and steps whose rows are all zero are left out
    LabelBand bands[PARTIES]; // of the operands, by own and contracted label, and of the result:
                              // outside they are zero, and it is not read
    bool leaves_out[2];       // zeros of LEFT or RIGHT, in blocks of terms
    int term;                 // the axis of these terms; or -1
    bool is_written_out;      // LEFT is a small triangle (lower_bands.c)
    Band tile_band;           // of rows less columns that are read
    bool turns;               // vectors can be transposed in registers
    int accesses;             // of results' size, by the work on each element
    int operand[2];           // of the instruction: LEFT has the rows, RIGHT the columns
    const char *own[PARTIES]; // labels
    bool direct[2];           // every element is a load at a place linear in all indices
    Axis axes[MOST_LABELS];   // in the result's order, then the contracted ones
    int count;
    Axis
        apart[MOST_LABELS]; // the contracted axes as the operands have them, before they are copied
    int apart_count;
    int row, column; // axes
    int lane;        // axis along which a dot product's vectors lie; -1: along the column
    Buffer *beyond;  // that tiles read behind the last column (buffer_with_neighbours), or NULL
    bool packs;      // the right operand is copied, a panel of columns at a time
    bool packs_all;  // all panels are made before the rows' blocks
    LeftPacking left;
    bool blocked;      // blocks of rows run around the columns, and the split axis inside of them
    int64_t row_block; // rows of such a block
    int split;         // contracted axis that runs outside of everything, in blocks; or -1
    int64_t split_block;
} Product;

// A product under construction.
typedef struct Tiles {
    KernelLowering *k;
    Node *node;
    Product p;
    ElementType type;
    Scalar *at[128];             // index of each label
    Scalar **index;              // of the result
    Scalar *inside[MOST_LABELS]; // of contracted axes: the index in its loop
    Scalar *term;                // number of the term that is copied, or NULL
    Scalar *split_start;         // where the block of the split axis starts
    Buffer *panel; // packed columns as [contracted axes, columns of the tile], or NULL; if all are
                   // packed, such panels one after the other
    Buffer *left_panel;    // packed rows, or NULL
    Buffer *partial;       // sums of the blocks of the split axis so far, or NULL; long ones in f64
    Scalar *dense;         // not zero: steps of zeros must not be left out; NULL: none ever is
    Scalar *all_terms;     // no block of terms must be left out (lower_bands.c)
    bool in_blocks;        // loops over terms run over blocks of them,
    bool in_rest;          // or over what is left
    Scalar *block;         // number of the block of the split axis, if each tile looks at it
    bool finish;           // all blocks are done: results are made of `partial`
    int64_t width, height; // of the tile
    int64_t padded;        // columns that its rows and the panel have room for: behind are zeros
    Scalar *first_row, *first_column;
} Tiles;

// Chooses the loops (lower_contract.c).
void plan_product(Lowering *l, const Node *node, Product *p);
// The instruction, if it is a contraction; of a sum of squared differences of two operands, or of
// weighted ones, that of their products (lower_distances.c); else NULL.
const Inst *as_contraction(const Lowering *l, const Inst *inst, TileStep *step);
// Sets the labels of an axis from the axis's index.
void set_axis(Tiles *t, const Axis *axis, Scalar *index);
Scalar *operand_element(Tiles *t, int party);
// The sum `before` and one term.
Scalar *tile_step(Tiles *t, Scalar *left, Scalar *right, Scalar *before);
// Opens loops over all contracted axes but `except`, small ones of the given kind, and returns
// their number.
int open_contracted(Tiles *t, int except, LoopKind small);
// Rows and columns of the tile; `room` is that of arrays (Loop.room), or 0.
Scalar *begin_rows(Tiles *t, LoopKind kind);
Scalar *begin_tile_columns(Tiles *t, LoopKind kind, int64_t room);
// All columns of its rows, where none is read or stored outside of it (lower_outer.c).
Scalar *begin_padded_columns(Tiles *t, int64_t room);
// (lower_tile.c) What the tile starts from. Its element (row, column) is tile[row * stride +
// column].
void start_tile(Tiles *t, Local *tile, int64_t stride);
// Stores the results of the tile, or keeps them for the next block.
void store_tile(Tiles *t, Local *tile, int64_t stride);
// The largest block that divides `size` into the fewest blocks of at most `most` (lower_outer.c).
int64_t even_block(int64_t size, int64_t most);

// Elements of the contracted axes.
int64_t count_terms(const Product *p);
Buffer *plain_buffer(Lowering *l, ElementType type, int64_t count, const char *name);

// Products with selections (lower_selections.c): which operand is one of which steps can be left
// out, or -1.
int selected_operand(const Product *p);
// The time of a tile's steps, of that of a product without a selection.
double share_of_steps(const Product *p, int64_t height);
// Opens a scope for the steps of a term, entered only if they change anything; returns how many
// scopes.
int begin_unless_zero(Tiles *t);

// Products with bands (lower_bands.c): finds them for a product whose labels are `own`.
void find_product_bands(Lowering *l, const char *const *own, Product *p);
// The time of all tiles, of that of a product without bands.
double share_of_bands(const Product *p, int64_t height, int64_t width);
// What tiles of this size leave out.
void plan_bands(Product *p, int64_t height, int64_t width, bool is_tall);
// Whether it must be finite for that.
bool is_looked_at(const Product *p, int party);
// A kernel that finds whether zeros of selections and bands may be left out: a buffer of one
// element, NaN (of a product of differences above 0) if they must not (lower_bounds.c).
Buffer *find_unbounded(Lowering *l, const Product *p);
// Opens a scope that is entered only if something reads the tile; returns how many scopes.
int begin_if_read(Tiles *t);
// The same if the tile is only added to something, so that one that is not read need not be
// started; then begin_if_read opens no scope.
int begin_if_adds(Tiles *t);
// Opens loops over `all` terms of the product's axis of terms from `start` on, in blocks that
// change something; returns how many scopes.
int open_term_blocks(Tiles *t, int64_t all, Scalar *start);
// Calls `accumulate` for the terms of the tile, if anything reads it.
void for_all_terms(Tiles *t, void (*accumulate)(Tiles *t, Local *tile, int64_t stride), Local *tile,
                   int64_t stride);

// Copies of the operands (lower_pack.c).
int64_t left_panel_elements(const Product *p, int64_t rows);
int64_t right_panel_elements(const Product *p, int64_t width);
Scalar *left_panel_position(Tiles *t, Scalar *row);
Scalar *left_element(Tiles *t, Scalar *row); // copied or not
Scalar *right_panel_position(Tiles *t, Scalar *column);
Scalar *right_element(Tiles *t, Scalar *column); // copied or not
// The columns of the tile, in the block of the split axis.
void pack_columns(Tiles *t);
// Calls `emit` for each strip of columns that a tile is wide, in a loop, and for what is left
// (lower_outer.c). Packed panels and tiles are cut by it alike.
void for_each_strip(Tiles *t, void (*emit)(Tiles *t, const void *context), const void *context);
void pack_all_columns(Tiles *t);
// `count` rows from `first` on, in tiles of t->height.
void pack_rows(Tiles *t, Scalar *first, int64_t count);

// All rows and columns; the loops over all other axes of the result are open but those in `inside`.
void emit_outer_products(Tiles *t, const int *inside, int inside_count); // lower_outer.c
int64_t outer_width(const Tiles *t);                                     // columns of a tile
// The right operand is better copied, with zeros behind its columns.
bool wants_padding(const Lowering *l, const Product *p);
Buffer *buffer_with_neighbours(const Lowering *l, const Product *p, Buffer *from);
int64_t panel_width(const Tiles *t);                  // columns that the panel has room for
int64_t tallest_tile(int64_t vectors, int registers); // rows of a tile of so many vectors
void emit_dot_products(Tiles *t);                     // lower_dots.c
int64_t dot_block(int64_t size, int registers);       // rows or columns of a tile

#endif
