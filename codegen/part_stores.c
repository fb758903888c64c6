// Parts the stores of short rows, as those of three numbers for each point, from what computes
// them. Compilers of C that see such a group of stores make vectors of neighbours in memory, one of
// each row after the other: what all numbers of a row share, they compute once for each. So a
// vector of rows is computed at a time, each number of the rows in an array of its own, and stored
// by a loop that does nothing else.
#include "codegen/shape_vectors.h"

#include "codegen/affine.h"
#include "codegen/parallel_plan.h"
#include "codegen/vector_math.h"

enum { FEWEST_LANES = 4, MOST_ROW = 16, MOST_PARTED = 32 };

typedef struct Parting {
    Arena *arena;
    Kernel *kernel;
    const Loop *loop;
    Scalar *place;                   // of the row, in the loop that stores
    Block *out;                      // of that
    Scalar *copies[MOST_PARTED * 4]; // of what indices are computed of
    const Scalar *copied[MOST_PARTED * 4];
    int copy_count;
} Parting;

// Functions, all of which can be computed in vectors. What takes less is soon computed again.
static bool has_functions(Arena *arena, const Block *block) {
    bool any = false;
    for (int i = 0; i < block->statements.count; i++) {
        const Scalar *x = block->statements.at[i]->scalar;
        if (x != NULL && x->op == SCALAR_LIBM) {
            if (!is_of_vectors_in_c(arena, x->name, x->type)) {
                return false;
            }
            any = true;
        }
    }
    return any;
}

// How far the places of two rows lie apart; 0 if that is not known.
static int64_t distance_of_rows(const Loop *loop, const Statement *store) {
    Affine at;
    return affine_of(store->index, &at) ? affine_factor(&at, loop->index) : 0;
}

static bool is_parted(const Loop *loop, const Statement *s) {
    int64_t distance = s->kind == STATEMENT_STORE ? distance_of_rows(loop, s) : 0;
    return distance >= 2 && distance <= MOST_ROW;
}

// Stores of neighbours: several of one buffer.
static bool has_rows(const Loop *loop) {
    const Block *body = &loop->body;
    int parted = 0;
    bool any = false;
    for (int i = 0; i < body->statements.count; i++) {
        const Statement *s = body->statements.at[i];
        if (s->kind == STATEMENT_STORE && !is_parted(loop, s) && distance_of_rows(loop, s) != 1) {
            return false;
        }
        parted += is_parted(loop, s);
        for (int k = 0; k < i && is_parted(loop, s); k++) {
            const Statement *other = body->statements.at[k];
            any = any || (is_parted(loop, other) && other->buffer == s->buffer);
        }
    }
    return any && parted <= MOST_PARTED;
}

// The lanes of a vector of rows that fills the loop without a rest, or with one that is computed
// again; 0: the loop stays as it is.
int64_t lanes_of_parted(Arena *arena, const Loop *loop, int64_t lanes) {
    int64_t extent;
    if (loop->kind != LOOP_VECTOR || !constant_extent(loop, &extent) || !has_rows(loop) ||
        !has_functions(arena, &loop->body)) {
        return 0;
    }
    while (lanes > extent) {
        lanes /= 2;
    }
    return lanes >= FEWEST_LANES ? lanes : 0;
}

static bool is_inside(const Loop *loop, const Scalar *x) {
    for (int i = 0; i < loop->body.statements.count; i++) {
        if (loop->body.statements.at[i]->scalar == x) {
            return true;
        }
    }
    return false;
}

// The scalar in the loop that stores.
static Scalar *copy_index(Parting *p, Scalar *x) {
    if (x == p->loop->index) {
        return p->place;
    }
    for (int i = 0; i < p->copy_count; i++) {
        if (p->copied[i] == x) {
            return p->copies[i];
        }
    }
    if (!is_inside(p->loop, x)) {
        return x;
    }
    Scalar copy = *x;
    for (int i = 0; i < x->arg_count; i++) {
        copy.args[i] = copy_index(p, x->args[i]);
    }
    Scalar *placed = place_scalar(p->arena, p->kernel, p->out, &copy);
    if (p->copy_count < MOST_PARTED * 4) {
        p->copied[p->copy_count] = x;
        p->copies[p->copy_count++] = placed;
    }
    return placed;
}

// The lane's number of the row goes into an array, and from there into the buffer.
static Statement *part_store(Parting *p, Statement *store, Scalar *lane, Scalar *other_lane,
                             int64_t lanes) {
    Local *array = new_local_array(p->arena, p->kernel, store->value->type, lanes, "part");
    Statement moved = *store;
    moved.index = copy_index(p, store->index);
    moved.value = place_read(p->arena, p->kernel, p->out, array, other_lane);
    place_statement(p->arena, p->out, &moved);
    Statement *set = arena_new(p->arena, Statement);
    *set = (Statement){.kind = STATEMENT_SET, .local = array, .index = lane, .value = store->value};
    return set;
}

void part_stores(Arena *arena, Kernel *kernel, Block *out, const Loop *loop, Scalar *first,
                 int64_t lanes) {
    Scalar *extent = new_position(arena, kernel, lanes);
    Loop *compute = place_loop(arena, kernel, out, LOOP_VECTOR, extent, "lane");
    Loop *move = place_loop(arena, kernel, out, LOOP_VECTOR, extent, "lane");
    compute->one_vector = move->one_vector = true;
    Parting p = {.arena = arena, .kernel = kernel, .loop = loop, .out = &move->body};
    p.place = place_binary(arena, kernel, &move->body, SCALAR_ADD, first, move->index);
    Scalar *place = place_binary(arena, kernel, &compute->body, SCALAR_ADD, first, compute->index);
    for (int i = 0; i < loop->body.statements.count; i++) {
        Statement *s = loop->body.statements.at[i];
        if (is_parted(loop, s)) {
            s = part_store(&p, s, compute->index, move->index, lanes);
        }
        vec_push(arena, &compute->body.statements, s);
    }
    for (int i = 1; i < compute->body.statements.count; i++) {
        replace_scalar(compute->body.statements.at[i], loop->index, place);
    }
}
