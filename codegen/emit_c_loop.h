// The order in which the C emitter writes two nested loops.
#ifndef TDSL_CODEGEN_EMIT_C_LOOP_H
#define TDSL_CODEGEN_EMIT_C_LOOP_H

#include "codegen/emit_c_analysis.h"

// How two nested loops are printed that update a tile in local memory, rows outside, columns
// inside. Compilers keep the tile in registers, which is worth a factor of up to five, only if the
// rows are unrolled and the columns vectorised. The elements are independent, so the order of the
// loops changes nothing else.
typedef enum TileOrder {
    TILE_NONE,            // they are no such loops
    TILE_ROWS_UNROLLED,   // as they are, with a wish to unroll the rows: each element of a row's
                          // operand is then needed in a register only for a moment
    TILE_COLUMNS_OUTSIDE, // turned round: of few columns GCC would make scalar code before it
                          // looks for vectors, but seldom of an outer loop
} TileOrder;

// Of the loop and the one that is its last statement.
TileOrder tile_order(const FunctionInfo *info, const Loop *outer);

// Of a tile that is turned round: so few elements that GCC would write out the columns, too.
bool is_tiny_tile(const FunctionInfo *info, const Loop *rows, const Loop *columns);

// Iterations that fill a vector or two, which GCC would write out as scalar code before it looks
// for vectors.
bool is_short_vector(const FunctionInfo *info, const Loop *loop);

// Elements of one of those that starts, updates or stores a row of a tile that is one vector, else
// 0: clang, too, would write it out, and then make vectors of what is stored, which may be a part
// of the row.
int64_t lanes_of_whole_row(const FunctionInfo *info, const Loop *loop);

// One of those that adds halves of a vector of sums in local memory, or the like.
bool joins_lanes(const FunctionInfo *info, const Loop *loop);

// A loop around some that join the lanes of sums: clang would write those out, and make vectors of
// its iterations, whose elements lie apart.
bool is_around_joins(const FunctionInfo *info, const Loop *loop);

// A copy of elements that lie apart to a vector or two of neighbours, where the iterations of the
// loop around it find theirs beside them: GCC makes vectors of that loop and turns them in
// registers, but writes only shorter ones out without being asked.
bool turns_columns(const FunctionInfo *info, const Loop *loop);

// Lanes of the vectors that a row of a tile is to be made of where it does not fill the widest
// ones, else 0: clang would keep the rest in memory.
int64_t lanes_of_row(const FunctionInfo *info, const Loop *columns);

// Scalar operations that the block executes, as far as extents are known; for choosing what is
// worth compiling for several processors.
double estimate_work(const FunctionInfo *info, const Block *block);

#endif
