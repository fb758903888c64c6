// Recognises tile loops and estimates work.
#include "codegen/emit_c_loop.h"

static bool is_constant(const FunctionInfo *info, const Scalar *scalar, int64_t *value) {
    Range range = info->scalars[scalar->id].range;
    *value = range.low;
    return !element_is_real(scalar->type) && range.low == range.high;
}

// row * width + column, with room for all columns: no two iterations share an element.
static bool is_tile_place(const FunctionInfo *info, const Scalar *place, const Loop *rows,
                          const Loop *columns) {
    if (!place || place->op != SCALAR_ADD) {
        return false;
    }
    for (int side = 0; side < 2; side++) {
        const Scalar *start = place->args[side], *column = place->args[1 - side];
        int64_t width, count;
        if (column == columns->index && start->op == SCALAR_MUL && start->args[0] == rows->index &&
            is_constant(info, start->args[1], &width) &&
            is_constant(info, columns->extent, &count) && width >= count) {
            return true;
        }
    }
    return false;
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

TileOrder tile_order(const FunctionInfo *info, const Loop *outer) {
    enum { MOST_ROWS = 32, FEW_COLUMNS = 16 }; // as TDSL_UNROLL; GCC's max-completely-peel-times
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
    return columns > FEW_COLUMNS ? TILE_ROWS_UNROLLED : TILE_COLUMNS_OUTSIDE;
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
