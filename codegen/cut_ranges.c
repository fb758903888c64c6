// Cuts the innermost loops of a finished kernel where a comparison of the index with a constant
// changes: what a pad, a slice of a gradient or a join leaves behind,
//
//     for i < 1000: y[i] = i < 999 ? x[(i < 999 ? i : 998) + 1] : 0
//
// becomes a loop over contiguous elements without tests, and a store of zero.
#include "codegen/lower_build.h"

enum { MOST_CUTS = 4, MOST_STATEMENTS = 400 };

typedef struct Cuts {
    int64_t at[MOST_CUTS];
    int count;
    bool too_many;
} Cuts;

static void add_cut(Cuts *cuts, int64_t at, int64_t extent) {
    if (at <= 0 || at >= extent) {
        return;
    }
    int place = 0;
    while (place < cuts->count && cuts->at[place] < at) {
        place++;
    }
    if (place < cuts->count && cuts->at[place] == at) {
        return;
    }
    if (cuts->count == MOST_CUTS) {
        cuts->too_many = true;
        return;
    }
    for (int i = cuts->count++; i > place; i--) {
        cuts->at[i] = cuts->at[i - 1];
    }
    cuts->at[place] = at;
}

// x is index + offset.
static bool is_shifted(const Scalar *x, const Scalar *index, int64_t *offset) {
    *offset = 0;
    return x == index ||
           (x->op == SCALAR_ADD && x->args[0] == index && scalar_is_constant(x->args[1], offset));
}

// With its sides exchanged.
static ScalarOp mirrored(ScalarOp op) {
    switch (op) {
    case SCALAR_LT: return SCALAR_GT;
    case SCALAR_LE: return SCALAR_GE;
    case SCALAR_GT: return SCALAR_LT;
    case SCALAR_GE: return SCALAR_LE;
    default: return op;
    }
}

static void add_comparison(Cuts *cuts, const Scalar *x, const Loop *loop, int64_t extent) {
    if (x->op < SCALAR_EQ || x->op > SCALAR_GE || x->args[0]->type != TYPE_I64) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        int64_t offset, bound;
        const int64_t far = (int64_t)1 << 60;
        if (!is_shifted(x->args[side], loop->index, &offset) ||
            !scalar_is_constant(x->args[1 - side], &bound) || offset < -far || offset > far ||
            bound < -far || bound > far) {
            continue;
        }
        int64_t at = bound - offset;
        switch (side == 0 ? x->op : mirrored(x->op)) {
        case SCALAR_LT:
        case SCALAR_GE: add_cut(cuts, at, extent); break;
        case SCALAR_LE:
        case SCALAR_GT: add_cut(cuts, at + 1, extent); break;
        default: // equal or not: one iteration is different
            add_cut(cuts, at, extent);
            add_cut(cuts, at + 1, extent);
        }
    }
}

static const Local *local_of(const Statement *s) {
    return s->kind == STATEMENT_SET                                       ? s->local
           : s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LOCAL ? s->scalar->local
                                                                          : NULL;
}

// The statements of a body, or -1 if it has what is not copied in parts: other loops, failures, and
// arrays that lanes share, whose indices must stay plain.
static int walk_body(const Block *block, const Loop *loop, int64_t extent, Cuts *cuts) {
    int total = 0;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        const Local *local = local_of(s);
        if (s->kind == STATEMENT_LOOP || s->kind == STATEMENT_WHILE || s->kind == STATEMENT_FAIL ||
            (local != NULL && local->count > 1)) {
            return -1;
        }
        if (s->kind == STATEMENT_SCALAR) {
            add_comparison(cuts, s->scalar, loop, extent);
        }
        int inner = walk_body(&s->body, loop, extent, cuts);
        int other = walk_body(&s->otherwise, loop, extent, cuts);
        if (inner < 0 || other < 0) {
            return -1;
        }
        total += 1 + inner + other;
    }
    return total;
}

static Cuts find_cuts(const Loop *loop, int64_t shortest) {
    Cuts cuts = {.count = 0};
    int64_t extent;
    if ((loop->kind != LOOP_VECTOR && loop->kind != LOOP_SERIAL) ||
        !scalar_is_constant(loop->extent, &extent) || extent < shortest) {
        return cuts;
    }
    int statements = walk_body(&loop->body, loop, extent, &cuts);
    if (statements < 0 || cuts.too_many || statements * (cuts.count + 1) > MOST_STATEMENTS) {
        cuts.count = 0;
    }
    return cuts;
}

// Whether a loop of the block can be cut; *known stays true if the copy knows all statements.
static bool has_cuts(const Block *block, int64_t shortest, bool *known) {
    bool found = false;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        *known = *known && s->kind != STATEMENT_WHILE && s->kind != STATEMENT_CALL &&
                 s->kind != STATEMENT_COPY && s->kind != STATEMENT_ZERO;
        if (s->kind == STATEMENT_LOOP) {
            found = find_cuts(s->loop, shortest).count > 0 || found;
            found = has_cuts(&s->loop->body, shortest, known) || found;
        }
        found = has_cuts(&s->body, shortest, known) || found;
        found = has_cuts(&s->otherwise, shortest, known) || found;
    }
    return found;
}

// ---- the copy

typedef struct Copy {
    const KernelBuilder *from;
    KernelBuilder *to;
    int64_t shortest;
    Scalar **scalars; // by id of the old ones: their copies
} Copy;

static Scalar *copied(Copy *c, const Scalar *x) {
    if (x == NULL) {
        return NULL;
    }
    if (x->op == SCALAR_CONSTANT) {
        return element_is_real(x->type) ? scalar_real_constant(c->to, x->type, x->real)
                                        : scalar_integer_constant(c->to, x->type, x->integer);
    }
    if (x->op == SCALAR_ARGUMENT && c->scalars[x->id] == NULL) {
        const ScalarFacts *facts = scalar_facts(c->from, x);
        c->scalars[x->id] = scalar_make(
            c->to, &(Scalar){.op = SCALAR_ARGUMENT, .type = x->type, .integer = x->integer});
        if (facts->bounded) {
            scalar_bound(c->to, c->scalars[x->id], facts->low, facts->high);
        }
    }
    check(c->scalars[x->id] != NULL, "scalar %d is used before it is computed", x->id);
    return c->scalars[x->id];
}

static bool is_written(const Kernel *kernel, const Buffer *buffer) {
    for (int i = 0; i < kernel->buffers.count; i++) {
        if (kernel->buffers.at[i] == buffer) {
            return kernel->written.at[i];
        }
    }
    return true;
}

static Scalar *copy_scalar(Copy *c, const Scalar *x) {
    KernelBuilder *k = c->to;
    Scalar *a = x->arg_count > 0 ? copied(c, x->args[0]) : NULL;
    Scalar *b = x->arg_count > 1 ? copied(c, x->args[1]) : NULL;
    switch (x->op) {
    case SCALAR_LOAD:
        return is_written(k->kernel, x->buffer) ? scalar_load_now(k, x->buffer, a)
                                                : scalar_load(k, x->buffer, a);
    case SCALAR_LOCAL: return scalar_local(k, x->local, a);
    case SCALAR_FMA: return scalar_fma(k, a, b, copied(c, x->args[2]));
    case SCALAR_SELECT: return scalar_select(k, a, b, copied(c, x->args[2]));
    case SCALAR_CAST: return scalar_cast(k, x->type, a);
    case SCALAR_BITS: return scalar_bits(k, a);
    case SCALAR_LIBM: return scalar_libm(k, x->name, x->arg_count, a, b);
    default: return x->arg_count == 1 ? scalar_unary(k, x->op, a) : scalar_binary(k, x->op, a, b);
    }
}

static void copy_block(Copy *c, const Block *block);

static void copy_loop(Copy *c, const Loop *loop) {
    KernelBuilder *k = c->to;
    Cuts cuts = find_cuts(loop, c->shortest);
    int64_t extent;
    if (cuts.count == 0 && !scalar_is_constant(loop->extent, &extent)) {
        begin_loop_to(k, loop->kind, copied(c, loop->extent), loop->name,
                      &c->scalars[loop->index->id]);
        const ScalarFacts *facts = scalar_facts(c->from, loop->index);
        if (facts->bounded) {
            scalar_bound(k, c->scalars[loop->index->id], facts->low, facts->high);
        }
        copy_block(c, &loop->body);
        end_scope(k);
        return;
    }
    scalar_is_constant(loop->extent, &extent);
    int64_t start = 0;
    for (int i = 0; i <= cuts.count; i++) {
        int64_t end = i < cuts.count ? cuts.at[i] : extent;
        Scalar *index = begin_loop(k, loop->kind, end - start, loop->name);
        if (cuts.count == 0 && loop->room > 0) {
            set_room(k, loop->room, loop->free_room);
        }
        if (loop->blocked) {
            set_blocked(k);
        }
        c->scalars[loop->index->id] =
            scalar_binary(k, SCALAR_ADD, index, scalar_position(k, start));
        copy_block(c, &loop->body);
        end_scope(k);
        start = end;
    }
}

static void copy_statement(Copy *c, const Statement *s) {
    KernelBuilder *k = c->to;
    switch (s->kind) {
    case STATEMENT_SCALAR: c->scalars[s->scalar->id] = copy_scalar(c, s->scalar); break;
    case STATEMENT_STORE: add_store(k, s->buffer, copied(c, s->index), copied(c, s->value)); break;
    case STATEMENT_SET: add_set(k, s->local, copied(c, s->index), copied(c, s->value)); break;
    case STATEMENT_FAIL: add_fail(k, copied(c, s->condition), s->site); break;
    case STATEMENT_LOOP: copy_loop(c, s->loop); break;
    case STATEMENT_PRESENT:
        begin_present(k, s->buffer);
        copy_block(c, &s->body);
        end_scope(k);
        break;
    case STATEMENT_IF:
        begin_if(k, copied(c, s->condition));
        copy_block(c, &s->body);
        begin_else(k);
        copy_block(c, &s->otherwise);
        end_scope(k);
        break;
    default: unreachable("a statement of entries in a kernel");
    }
}

static void copy_block(Copy *c, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        copy_statement(c, block->statements.at[i]);
    }
}

static bool cut_once(KernelBuilder *k, int64_t shortest) {
    bool known = true;
    if (!has_cuts(&k->kernel->body, shortest, &known) || !known) {
        return false;
    }
    KernelBuilder to;
    Block body = k->kernel->body;
    k->kernel->body = (Block){.statements = {0}};
    kernel_begin(&to, k->arena, k->kernel);
    Copy copy = {k, &to, shortest, arena_array(&k->scratch, Scalar *, k->facts.count)};
    copy_block(&copy, &body);
    arena_free(&k->scratch);
    *k = to;
    remove_unused(k);
    return true;
}

// A comparison that folds away may show another one behind it.
void cut_ranges(KernelBuilder *k, int64_t shortest) {
    for (int round = 0; round < 3 && cut_once(k, shortest); round++) {
    }
}
