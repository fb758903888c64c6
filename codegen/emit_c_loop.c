// Recognises tile loops and estimates work.
#include "codegen/emit_c_loop.h"

#include "codegen/affine.h"

static bool is_constant(const FunctionInfo *info, const Scalar *scalar, int64_t *value) {
    Range range = info->scalars[scalar->id].range;
    *value = range.low;
    return !element_is_real(scalar->type) && range.low == range.high;
}

// row * width + column + what neither moves, with room for all columns: no two iterations share an
// element.
static bool is_tile_place(const FunctionInfo *info, const Scalar *place, const Loop *rows,
                          const Loop *columns) {
    Affine sum;
    int64_t count;
    if (!place || !affine_of(place, &sum) || !is_constant(info, columns->extent, &count)) {
        return false;
    }
    for (int i = 0; i < sum.count; i++) {
        if (sum.terms[i].atom->op != SCALAR_INDEX) {
            return false;
        }
    }
    return affine_factor(&sum, columns->index) == 1 && affine_factor(&sum, rows->index) >= count;
}

// Are the first `count` statements scalars that read the local, if at all, at `place`?
static bool only_computes(const Block *block, int count, const Local *local, const Scalar *place) {
    for (int i = 0; i < count; i++) {
        const Statement *statement = block->statements.at[i];
        if (statement->kind != STATEMENT_SCALAR) {
            return false;
        }
        const Scalar *scalar = statement->scalar;
        if (scalar->op == SCALAR_LOCAL && scalar->local == local && scalar->args[0] != place) {
            return false;
        }
    }
    return true;
}

static const Statement *last_statement(const Block *block, StatementKind kind) {
    int count = block->statements.count;
    const Statement *last = count ? block->statements.at[count - 1] : NULL;
    return last && last->kind == kind ? last : NULL;
}

enum { FEW_COLUMNS = 16 }; // GCC's max-completely-peel-times

// Very short ones are better written out, but for those that join the lanes of sums.
bool is_short_vector(const FunctionInfo *info, const Loop *loop) {
    int64_t extent;
    if (loop->kind != LOOP_VECTOR || !is_constant(info, loop->extent, &extent)) {
        return false;
    }
    bool joins = (extent == 2 || extent == 4) && last_statement(&loop->body, STATEMENT_SET);
    return joins || loop->one_vector || (extent >= 8 && extent <= FEW_COLUMNS);
}

static bool loads_memory(const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Scalar *scalar = block->statements.at[i]->scalar;
        if (scalar && scalar->op == SCALAR_LOAD) {
            return true;
        }
    }
    return false;
}

bool joins_lanes(const FunctionInfo *info, const Loop *loop) {
    int64_t extent;
    const Statement *set = last_statement(&loop->body, STATEMENT_SET);
    return is_short_vector(info, loop) && is_constant(info, loop->extent, &extent) && extent <= 8 &&
           set && set->value->op != SCALAR_CONSTANT && !loads_memory(&loop->body);
}

int64_t lanes_of_whole_row(const FunctionInfo *info, const Loop *loop) {
    enum { FEWEST = 8 };
    int64_t extent;
    bool touches = false;
    if (!is_short_vector(info, loop) || joins_lanes(info, loop) ||
        !is_constant(info, loop->extent, &extent) || extent < FEWEST ||
        (extent & (extent - 1)) != 0) {
        return 0;
    }
    for (int i = 0; i < loop->body.statements.count; i++) {
        const Statement *statement = loop->body.statements.at[i];
        const Scalar *scalar = statement->scalar;
        bool reads = statement->kind == STATEMENT_SCALAR && scalar->op == SCALAR_LOCAL;
        bool sets = statement->kind == STATEMENT_SET;
        if ((statement->kind == STATEMENT_SCALAR && scalar->op == SCALAR_LIBM) ||
            (statement->kind != STATEMENT_SCALAR && statement->kind != STATEMENT_STORE && !sets)) {
            return 0;
        }
        touches |= (reads && scalar->local->count > 1) || (sets && statement->local->count > 1);
    }
    return touches ? extent : 0;
}

// Loops of few iterations may be written out.
static bool holds_joins(const FunctionInfo *info, const Block *block) {
    int64_t extent;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        const Loop *loop = statement->kind == STATEMENT_LOOP ? statement->loop : NULL;
        bool is_short = loop != NULL && is_constant(info, loop->extent, &extent) &&
                        extent <= FEW_COLUMNS && holds_joins(info, &loop->body);
        if (is_short || (loop != NULL && joins_lanes(info, loop)) ||
            holds_joins(info, &statement->body) || holds_joins(info, &statement->otherwise)) {
            return true;
        }
    }
    return false;
}

bool is_around_joins(const FunctionInfo *info, const Loop *loop) {
    return loop->kind == LOOP_SERIAL && holds_joins(info, &loop->body);
}

bool turns_columns(const FunctionInfo *info, const Loop *loop) {
    enum { MOST_COLUMNS = 32 }; // as TDSL_TURN; a group of stores that is no power of two stays one
    const Statement *store = last_statement(&loop->body, STATEMENT_STORE);
    const Scalar *value = store != NULL ? store->value : NULL;
    Affine to, from;
    int64_t extent;
    if (value == NULL || value->op != SCALAR_LOAD || !affine_of(store->index, &to) ||
        !affine_of(value->args[0], &from) || !is_constant(info, loop->extent, &extent)) {
        return false;
    }
    bool has_neighbours = false;
    for (int i = 0; i < from.count; i++) {
        has_neighbours |= from.terms[i].atom->op == SCALAR_INDEX && from.terms[i].factor == 1;
    }
    return extent > FEW_COLUMNS && extent <= MOST_COLUMNS && (extent & (extent - 1)) == 0 &&
           affine_factor(&to, loop->index) == 1 && affine_factor(&from, loop->index) > 1 &&
           has_neighbours;
}

int64_t lanes_of_row(const FunctionInfo *info, const Loop *columns) {
    enum { WIDEST = 64 };
    const Statement *set = last_statement(&columns->body, STATEMENT_SET);
    int64_t extent;
    if (columns->kind != LOOP_VECTOR || set == NULL || set->local->count == 1 ||
        !is_constant(info, columns->extent, &extent)) {
        return 0;
    }
    int64_t lanes = WIDEST / (int64_t)element_bytes(set->local->type);
    bool fits = extent % lanes != 0 && extent % (lanes / 2) == 0;
    return fits && extent > lanes && extent < 4 * lanes ? lanes / 2 : 0;
}

TileOrder tile_order(const FunctionInfo *info, const Loop *outer) {
    // MOST_ROWS as TDSL_UNROLL. Of a few rows each broadcast serves all vectors of a row at once;
    // the vectors of more rows leave no register for it.
    enum { MOST_ROWS = 32, FEW_ROWS = 6, FEWEST_COLUMNS = 8 };
    int64_t rows, columns;
    const Statement *nested = last_statement(&outer->body, STATEMENT_LOOP);
    if (!nested || !is_constant(info, outer->extent, &rows) || rows > MOST_ROWS) {
        return TILE_NONE;
    }
    const Loop *inner = nested->loop;
    const Statement *set = last_statement(&inner->body, STATEMENT_SET);
    if (!set || set->local->count == 1 || !is_tile_place(info, set->index, outer, inner)) {
        return TILE_NONE;
    }
    bool alone =
        only_computes(&outer->body, outer->body.statements.count - 1, set->local, set->index) &&
        only_computes(&inner->body, inner->body.statements.count - 1, set->local, set->index);
    bool updates = set->value->op != SCALAR_CONSTANT;
    if (!alone || !updates || !is_constant(info, inner->extent, &columns)) {
        return TILE_NONE;
    }
    bool is_vector = columns >= FEW_COLUMNS || (columns == FEWEST_COLUMNS && rows <= FEW_ROWS);
    return is_vector ? TILE_ROWS_UNROLLED : TILE_COLUMNS_OUTSIDE;
}

bool is_tiny_tile(const FunctionInfo *info, const Loop *rows, const Loop *columns) {
    enum { FEWEST = 8, MOST_ELEMENTS = 64 };
    int64_t height, width;
    return is_constant(info, rows->extent, &height) && is_constant(info, columns->extent, &width) &&
           width == FEWEST && height * width <= MOST_ELEMENTS;
}

double estimate_work(const FunctionInfo *info, const Block *block) {
    enum { FUNCTION_WORK = 32 }; // of exp and the like
    double work = 0;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        if (statement->kind == STATEMENT_LOOP) {
            Range extent = info->scalars[statement->loop->extent->id].range;
            double times = extent.low == extent.high ? (double)extent.low : 16;
            work += times * estimate_work(info, &statement->loop->body);
        } else {
            bool calls =
                statement->kind == STATEMENT_SCALAR && statement->scalar->op == SCALAR_LIBM;
            work += calls ? FUNCTION_WORK : 1;
            work +=
                estimate_work(info, &statement->body) + estimate_work(info, &statement->otherwise);
        }
    }
    return work;
}
