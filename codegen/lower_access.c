// How a kernel under construction accesses memory along each of its loops:
// which neighbouring loops may be one, and which axis is best innermost. Each
// scalar is looked at once.
#include "codegen/lower_points.h"

typedef struct Linear {
    bool seen;
    bool is_linear[2];      // with loads as independent of the index; looking through
                            // loads
    int64_t coefficient[2]; // then
} Linear;

typedef struct AccessSearch {
    const KernelLowering *k;
    Scalar *const *index;
    const int64_t *sizes;
    int count;
    Access *access;
    Linear *known; // by scalar id and axis
} AccessSearch;

static Linear combine(const Scalar *x, const Linear *a, const Linear *b) {
    Linear result = {.seen = true};
    int64_t constant = 0;
    for (int way = 0; way < 2; way++) {
        bool both = a->is_linear[way] && b->is_linear[way];
        // Random bits are products with large constants: what overflows is no index.
        if (x->op == SCALAR_ADD && both) {
            result.is_linear[way] = !__builtin_add_overflow(
                a->coefficient[way], b->coefficient[way], &result.coefficient[way]);
        } else if (x->op == SCALAR_MUL && both && scalar_is_constant(x->args[1], &constant)) {
            result.is_linear[way] =
                !__builtin_mul_overflow(a->coefficient[way], constant, &result.coefficient[way]);
        } else {
            result.is_linear[way] = both && a->coefficient[way] == 0 && b->coefficient[way] == 0;
        }
    }
    return result;
}

static Linear *linear_in(const AccessSearch *search, const Scalar *x, int axis) {
    Linear *known = &search->known[x->id * search->count + axis];
    if (known->seen) {
        return known;
    }
    const Linear none = {true, {true, true}, {0, 0}};
    Linear result = none;
    if (x == search->index[axis] && x->op == SCALAR_INDEX) {
        result = (Linear){true, {true, true}, {1, 1}};
    } else if (x->op == SCALAR_LOAD) {
        const Linear *place = linear_in(search, x->args[0], axis);
        result.is_linear[1] = place->is_linear[1] && place->coefficient[1] == 0;
    } else if (x->arg_count > 0) {
        const Linear *a = linear_in(search, x->args[0], axis);
        const Linear *b = x->arg_count > 1 ? linear_in(search, x->args[1], axis) : &none;
        result = combine(x, a, b);
        if (x->arg_count > 2) {
            const Linear *c = linear_in(search, x->args[2], axis);
            for (int way = 0; way < 2; way++) {
                result.is_linear[way] =
                    result.is_linear[way] && c->is_linear[way] && c->coefficient[way] == 0;
            }
        }
    }
    *known = result;
    return known;
}

static void forbid(Access *access, int axis) {
    access->joins[axis] = false;
    if (axis > 0) {
        access->joins[axis - 1] = false;
    }
}

static void judge_position(const AccessSearch *search, const Scalar *position) {
    const Linear *outer = NULL;
    for (int axis = 0; axis < search->count; axis++) {
        const Linear *own = linear_in(search, position, axis);
        if (own->is_linear[1]) {
            int64_t whole = own->coefficient[1];
            search->access->score[axis] += whole == 1 ? 2 : whole == 0 ? 1 : 0;
        }
        if (!own->is_linear[0]) {
            forbid(search->access, axis);
        } else if (outer != NULL && outer->is_linear[0] && search->sizes[axis] > 1 &&
                   search->sizes[axis - 1] > 1 &&
                   outer->coefficient[0] != own->coefficient[0] * search->sizes[axis]) {
            search->access->joins[axis - 1] = false;
        }
        outer = own;
    }
}

// An axis that is used in other ways than to address memory cannot be joined
// with another.
static void forbid_joins(const AccessSearch *search, const Scalar *x) {
    for (int axis = 0; axis < search->count; axis++) {
        const Linear *own = linear_in(search, x, axis);
        if (!own->is_linear[0] || own->coefficient[0] != 0) {
            forbid(search->access, axis);
        }
    }
}

static bool is_addressing(const Scalar *x) {
    switch (x->op) {
    case SCALAR_ADD:
    case SCALAR_SUB:
    case SCALAR_MUL:
    case SCALAR_DIV:
    case SCALAR_REMAINDER: return x->type == TYPE_I64;
    default: return false;
    }
}

static void judge_scalar(const AccessSearch *search, const Scalar *x) {
    if (x->op == SCALAR_LOAD) {
        judge_position(search, x->args[0]);
    } else if (!is_addressing(x) && x->op != SCALAR_LOCAL) {
        for (int i = 0; i < x->arg_count; i++) {
            if (x->args[i]->type == TYPE_I64 || x->args[i]->type == TYPE_BOOL) {
                forbid_joins(search, x->args[i]);
            }
        }
    }
}

static void judge_block(const AccessSearch *search, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_SCALAR) {
            judge_scalar(search, s->scalar);
        } else if (s->kind == STATEMENT_STORE || s->kind == STATEMENT_SET) {
            if (s->kind == STATEMENT_STORE) {
                judge_position(search, s->index);
            }
            if (s->value->type == TYPE_I64) {
                forbid_joins(search, s->value);
            }
        } else if (s->kind == STATEMENT_LOOP) {
            judge_block(search, &s->loop->body);
        }
        judge_block(search, &s->body);
        judge_block(search, &s->otherwise);
    }
}

void find_accesses(KernelLowering *k, Scalar *const *index, const int64_t *sizes, int count,
                   Access *access) {
    *access = (Access){0};
    for (int axis = 0; axis + 1 < count; axis++) {
        access->joins[axis] = true;
    }
    AccessSearch search = {k, index, sizes, count, access, NULL};
    search.known = arena_array(&k->build.scratch, Linear, k->build.facts.count * count + 1);
    judge_block(&search, &k->build.kernel->body);
}
