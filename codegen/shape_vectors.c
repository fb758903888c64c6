// Cuts loops into vectors of which the last two overlap, and into quotients and remainders.
#include "codegen/shape_vectors.h"

#include "codegen/affine.h"
#include "codegen/parallel_plan.h"

enum {
    WIDEST_VECTOR = 64,
    LEAST_WORK = 4, // operations on elements; what is only moved is soon moved
    FUNCTION_WORK = 16,
    FEWEST_LANES = 4,
    MOST_REMAINDERS = 4,
    FEWEST_QUOTIENTS = 4,
    MOST_VECTORS = 16 // behind more of them, what is left counts for little
};

static bool stores_to(const Block *block, const Buffer *buffer) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_STORE && s->buffer == buffer) {
            return true;
        }
    }
    return false;
}

// Whether an iteration computes the same when it is run again, and nothing that had better stay in
// registers.
static bool is_repeatable(const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        const Scalar *x = s->scalar;
        bool is_load = s->kind == STATEMENT_SCALAR && x->op == SCALAR_LOAD;
        bool is_array = s->kind == STATEMENT_SCALAR && x->op == SCALAR_LOCAL && x->local->count > 1;
        if ((s->kind != STATEMENT_SCALAR && s->kind != STATEMENT_STORE) || is_array ||
            (is_load && stores_to(block, x->buffer))) {
            return false;
        }
    }
    return true;
}

// Whether the place of an element is that of a quotient: no vector is made of that.
static bool is_quotient(const Scalar *x) {
    return x->type == TYPE_I64 && (x->op == SCALAR_DIV || x->op == SCALAR_REMAINDER);
}

// Operations on elements; 0 if it becomes no vectors.
static int count_work(const Block *block) {
    int work = 0;
    for (int i = 0; i < block->statements.count; i++) {
        const Scalar *x = block->statements.at[i]->scalar;
        if (x != NULL && is_quotient(x)) {
            return 0;
        }
        bool is_element = x != NULL && x->op != SCALAR_LOAD && x->type != TYPE_I64;
        work += !is_element ? 0 : x->op == SCALAR_LIBM ? FUNCTION_WORK : 1;
    }
    return work;
}

// Elements of the widest type that the loop loads or stores in a vector of AVX-512.
static int64_t count_lanes(const Block *block) {
    size_t widest = 1;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        bool is_load = s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LOAD;
        if (is_load || s->kind == STATEMENT_STORE) {
            size_t bytes = element_bytes(is_load ? s->scalar->buffer->element : s->buffer->element);
            widest = bytes > widest ? bytes : widest;
        }
    }
    return WIDEST_VECTOR / (int64_t)widest;
}

// The length of the vectors; 0: the loop stays as it is.
static int64_t vectors_of(const Loop *loop) {
    int64_t extent;
    if (loop->kind != LOOP_VECTOR || !constant_extent(loop, &extent) ||
        !is_repeatable(&loop->body) || count_work(&loop->body) < LEAST_WORK) {
        return 0;
    }
    int64_t lanes = count_lanes(&loop->body);
    while (lanes > extent) {
        lanes /= 2;
    }
    bool is_cut = extent % lanes != 0 && extent < MOST_VECTORS * lanes;
    return is_cut && lanes >= FEWEST_LANES ? lanes : 0;
}

void replace_scalar(Statement *statement, const Scalar *old, Scalar *by) {
    Scalar *scalar = statement->scalar;
    for (int i = 0; scalar != NULL && i < scalar->arg_count; i++) {
        scalar->args[i] = scalar->args[i] == old ? by : scalar->args[i];
    }
    statement->index = statement->index == old ? by : statement->index;
    statement->value = statement->value == old ? by : statement->value;
}

// The place of the first lane of a vector.
static Scalar *first_lane(Arena *arena, Kernel *kernel, Loop *vectors, int64_t extent,
                          int64_t lanes) {
    Block *out = &vectors->body;
    int64_t count = (extent + lanes - 1) / lanes;
    Scalar *last = new_position(arena, kernel, extent - lanes);
    if (count == 2 || extent % lanes == 0) {
        Scalar *step = count == 2 ? last : new_position(arena, kernel, lanes);
        return place_binary(arena, kernel, out, SCALAR_MUL, vectors->index, step);
    }
    Scalar *is_whole = place_binary(arena, kernel, out, SCALAR_LT, vectors->index,
                                    new_position(arena, kernel, count - 1));
    Scalar *whole = place_binary(arena, kernel, out, SCALAR_MUL, vectors->index,
                                 new_position(arena, kernel, lanes));
    Scalar first = {
        .op = SCALAR_SELECT, .type = TYPE_I64, .args = {is_whole, whole, last}, .arg_count = 3};
    return place_scalar(arena, kernel, out, &first);
}

// The loop of the statement becomes one over the lanes of a vector, in one over vectors.
static void cut_loop(Arena *arena, Kernel *kernel, Statement *statement, int64_t lanes) {
    Loop *loop = statement->loop;
    int64_t extent;
    constant_extent(loop, &extent);
    Block around = {{0}}, body = {{0}};
    Scalar *count = new_position(arena, kernel, (extent + lanes - 1) / lanes);
    Loop *vectors = place_loop(arena, kernel, &around, LOOP_SERIAL, count, "vector");
    Scalar *first = first_lane(arena, kernel, vectors, extent, lanes);
    Scalar *place = place_binary(arena, kernel, &body, SCALAR_ADD, first, loop->index);
    for (int i = 0; i < loop->body.statements.count; i++) {
        Statement *inner = loop->body.statements.at[i];
        replace_scalar(inner, loop->index, place);
        vec_push(arena, &body.statements, inner);
    }
    loop->body = body;
    loop->extent = new_position(arena, kernel, lanes);
    loop->one_vector = true;
    place_statement(arena, &vectors->body, statement);
    statement->loop = vectors;
}

// Rows are stored apart from what computes them, a vector of rows at a time.
static void part_loop(Arena *arena, Kernel *kernel, Statement *statement, int64_t lanes) {
    int64_t extent;
    constant_extent(statement->loop, &extent);
    Block around = {{0}};
    Scalar *count = new_position(arena, kernel, (extent + lanes - 1) / lanes);
    Loop *vectors = place_loop(arena, kernel, &around, LOOP_SERIAL, count, "vector");
    Scalar *first = first_lane(arena, kernel, vectors, extent, lanes);
    part_stores(arena, kernel, &vectors->body, statement->loop, first, lanes);
    statement->loop = vectors;
}

// ---- quotients and remainders

// Whether the statement computes the quotient or the remainder of the index by a number.
static bool is_divided(const Statement *statement, const Scalar *index, int64_t *divisor) {
    const Scalar *x = statement->scalar;
    bool found = statement->kind == STATEMENT_SCALAR && is_quotient(x) && x->args[0] == index &&
                 x->args[1]->op == SCALAR_CONSTANT;
    *divisor = found ? x->args[1]->integer : 0;
    return found;
}

// The number that the loop's index is divided by; 0: there is none, or it does not divide the
// number of iterations.
static int64_t divisor_of(const Loop *loop) {
    int64_t extent, divisor = 0, own;
    if (loop->kind != LOOP_VECTOR || !constant_extent(loop, &extent)) {
        return 0;
    }
    for (int i = 0; i < loop->body.statements.count; i++) {
        const Statement *s = loop->body.statements.at[i];
        if (s->kind != STATEMENT_SCALAR && s->kind != STATEMENT_STORE) {
            return 0;
        }
        if (is_divided(s, loop->index, &own)) {
            if (divisor != 0 && own != divisor) {
                return 0;
            }
            divisor = own;
        }
    }
    bool is_small = divisor >= 2 && divisor <= MOST_REMAINDERS;
    return is_small && extent % divisor == 0 && extent / divisor >= FEWEST_QUOTIENTS ? divisor : 0;
}

// The index becomes the quotient; the one of a loop inside is the remainder.
static void split_loop(Arena *arena, Kernel *kernel, Loop *loop, int64_t divisor) {
    Block old = loop->body;
    int64_t extent, own;
    constant_extent(loop, &extent);
    loop->extent = new_position(arena, kernel, extent / divisor);
    loop->body = (Block){{0}};
    Scalar *size = new_position(arena, kernel, divisor);
    Scalar *start = place_binary(arena, kernel, &loop->body, SCALAR_MUL, loop->index, size);
    Loop *inside = place_loop(arena, kernel, &loop->body, LOOP_UNROLL, size, "part");
    Scalar *whole = place_binary(arena, kernel, &inside->body, SCALAR_ADD, start, inside->index);
    // Found beforehand: a quotient's own quotient is, once the index stands for the first one, a
    // quotient of the index, but not of the old one.
    bool *divided = arena_array(arena, bool, old.statements.count);
    for (int i = 0; i < old.statements.count; i++) {
        divided[i] = is_divided(old.statements.at[i], loop->index, &own);
        if (!divided[i]) {
            replace_scalar(old.statements.at[i], loop->index, whole);
        }
    }
    for (int i = 0; i < old.statements.count; i++) {
        Statement *s = old.statements.at[i];
        if (!divided[i]) {
            vec_push(arena, &inside->body.statements, s);
            continue;
        }
        Scalar *by = s->scalar->op == SCALAR_DIV ? loop->index : inside->index;
        for (int k = i + 1; k < old.statements.count; k++) {
            replace_scalar(old.statements.at[k], s->scalar, by);
        }
    }
}

static void shape_block(Arena *arena, Kernel *kernel, Block *block);

static void shape_loop(Arena *arena, Kernel *kernel, Statement *statement) {
    int64_t divisor = divisor_of(statement->loop), lanes = vectors_of(statement->loop);
    const Loop *loop = statement->loop;
    int64_t rows =
        is_repeatable(&loop->body) ? lanes_of_parted(arena, loop, count_lanes(&loop->body)) : 0;
    if (rows > 0) {
        part_loop(arena, kernel, statement, rows);
    } else if (divisor > 0) {
        split_loop(arena, kernel, statement->loop, divisor);
    } else if (lanes > 0) {
        cut_loop(arena, kernel, statement, lanes);
    } else {
        shape_block(arena, kernel, &statement->loop->body);
    }
}

static void shape_block(Arena *arena, Kernel *kernel, Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_LOOP) {
            shape_loop(arena, kernel, s);
        }
        shape_block(arena, kernel, &s->body);
        shape_block(arena, kernel, &s->otherwise);
    }
}

void shape_vectors(Program *program) {
    for (int i = 0; i < program->kernels.count; i++) {
        shape_block(program->arena, program->kernels.at[i], &program->kernels.at[i]->body);
    }
}
