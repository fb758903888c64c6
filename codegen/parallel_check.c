// Whether the iterations of a loop are independent: what they store to is theirs alone, and what
// they keep in locals and temporaries they have set before.
#include <stdlib.h>

#include "codegen/parallel_plan.h"

bool list_has_local(const LocalList *list, const Local *local) {
    for (int i = 0; i < list->count; i++) {
        if (list->at[i] == local) {
            return true;
        }
    }
    return false;
}

static bool has_buffer(const BufferList *list, const Buffer *buffer) {
    for (int i = 0; i < list->count; i++) {
        if (list->at[i] == buffer) {
            return true;
        }
    }
    return false;
}

// ---- what is set before it is read

enum { MOST_STRIDES = 4 };

// Once more, `extent` times, each `step` apart.
typedef struct Stride {
    int64_t step, extent;
} Stride;

// Elements low .. high after a start that depends on loops around; and those again for each stride:
// as rows of a tile, until all of its columns are there.
typedef struct Cover {
    const void *what; // local or buffer
    Affine start;     // without a constant
    int64_t low, high;
    Stride strides[MOST_STRIDES]; // by their steps
    int stride_count;
} Cover;

typedef struct Coverage {
    Arena *scratch;
    const LocalList *ignored[2];
    const BufferList *buffers;  // that are looked at; NULL: none
    bool buffers_only;          // locals are not looked at
    const Local *constant_only; // only setting this local to constants counts; NULL: all counts
    VEC(Cover) covers;
} Coverage;

static bool is_tracked(const Coverage *c, const Local *local) {
    if (c->constant_only != NULL || c->buffers_only) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (c->ignored[i] != NULL && list_has_local(c->ignored[i], local)) {
            return false;
        }
    }
    return true;
}

static bool same_start(const Affine *x, const Affine *y) {
    for (int i = 0; i < x->count; i++) {
        if (affine_factor(y, x->terms[i].atom) != x->terms[i].factor) {
            return false;
        }
    }
    return x->count == y->count;
}

static void remove_stride(Cover *cover, int which) {
    cover->stride_count--;
    for (int i = which; i < cover->stride_count; i++) {
        cover->strides[i] = cover->strides[i + 1];
    }
}

static void sort_strides(Cover *cover) {
    for (int i = 1; i < cover->stride_count; i++) {
        for (int j = i; j > 0 && cover->strides[j].step < cover->strides[j - 1].step; j--) {
            Stride stride = cover->strides[j];
            cover->strides[j] = cover->strides[j - 1];
            cover->strides[j - 1] = stride;
        }
    }
}

// One that goes on where the one before ends becomes part of it, as blocks of rows do: so tiles of
// different shapes side by side have the same strides.
static bool join_strides(Stride *stride, const Stride *next) {
    int64_t times = next->step / stride->step;
    if (next->step % stride->step != 0 || times > stride->extent) {
        return false;
    }
    stride->extent += times * (next->extent - 1);
    return true;
}

// Strides that leave nothing out any more become part of the range.
static void close_strides(Cover *cover) {
    sort_strides(cover);
    for (int i = 0; i + 1 < cover->stride_count;) {
        if (join_strides(&cover->strides[i], &cover->strides[i + 1])) {
            remove_stride(cover, i + 1);
        } else {
            i++;
        }
    }
    while (cover->stride_count > 0 && cover->strides[0].step <= cover->high - cover->low + 1) {
        cover->high += cover->strides[0].step * (cover->strides[0].extent - 1);
        remove_stride(cover, 0);
    }
}

static bool same_strides(const Cover *x, const Cover *y) {
    for (int i = 0; i < x->stride_count && i < y->stride_count; i++) {
        if (x->strides[i].step != y->strides[i].step ||
            x->strides[i].extent != y->strides[i].extent) {
            return false;
        }
    }
    return x->stride_count == y->stride_count;
}

// Adds to the covers from `mark` on: earlier ones hold in more places.
static void add_cover(Coverage *c, int mark, const Cover *added) {
    for (int i = 0; i < c->covers.count; i++) {
        Cover *cover = &c->covers.at[i];
        if (cover->what != added->what || !same_strides(cover, added) ||
            !same_start(&cover->start, &added->start)) {
            continue;
        }
        if (cover->low <= added->low && cover->high >= added->high) {
            return;
        }
        if (i >= mark && added->low <= cover->high + 1 && added->high + 1 >= cover->low) {
            cover->low = added->low < cover->low ? added->low : cover->low;
            cover->high = added->high > cover->high ? added->high : cover->high;
            close_strides(cover);
            Cover grown = *cover; // may meet others now
            *cover = c->covers.at[--c->covers.count];
            add_cover(c, mark, &grown);
            return;
        }
    }
    vec_push(c->scratch, &c->covers, *added);
}

static void note_set(Coverage *c, int mark, const void *what, const Scalar *index) {
    Cover cover = {.what = what};
    if (affine_of(index, &cover.start)) {
        cover.low = cover.high = cover.start.constant;
        cover.start.constant = 0;
        add_cover(c, mark, &cover);
    }
}

static bool is_covered(const Coverage *c, const void *what, const Scalar *index) {
    Affine at;
    if (!affine_of(index, &at)) {
        return false;
    }
    for (int i = 0; i < c->covers.count; i++) {
        const Cover *cover = &c->covers.at[i];
        Affine rest = at;
        if (cover->what != what || cover->stride_count > 0 ||
            !affine_add(&rest, &cover->start, -1)) {
            continue;
        }
        int64_t low = rest.constant, high = rest.constant;
        bool known = true;
        for (int j = 0; j < rest.count && known; j++) {
            int64_t first, last;
            known = term_range(&rest.terms[j], &first, &last);
            low += first;
            high += last;
        }
        if (known && low >= cover->low && high <= cover->high) {
            return true;
        }
    }
    return false;
}

// A loop has ended: what each of its iterations covered, all together cover.
static void leave_loop(Coverage *c, const Loop *loop, int mark, int inner_mark) {
    int count = c->covers.count - inner_mark;
    Cover *inner = arena_array(c->scratch, Cover, count + 1);
    for (int i = 0; i < count; i++) {
        inner[i] = c->covers.at[inner_mark + i];
    }
    c->covers.count = inner_mark;
    int64_t extent;
    if (!constant_extent(loop, &extent) || extent < 1) {
        return;
    }
    // Nobody looks at what lies between neighbours, which would part the rows of a tile.
    int64_t room = loop->free_room && loop->room > extent ? loop->room : extent;
    for (int i = 0; i < count; i++) {
        Cover *cover = &inner[i];
        int64_t factor = affine_factor(&cover->start, loop->index);
        bool known = cover->stride_count < MOST_STRIDES;
        for (int j = 0; j < cover->start.count; j++) {
            known = known && cover->start.terms[j].atom->op == SCALAR_INDEX;
        }
        if (!known) {
            continue;
        }
        affine_remove(&cover->start, loop->index);
        bool dense = cover->stride_count == 0 && llabs(factor) <= cover->high - cover->low + 1;
        int64_t times = dense ? room : extent;
        int64_t back = factor < 0 ? factor * (times - 1) : 0;
        cover->low += back;
        cover->high += back;
        if (factor != 0) {
            cover->strides[cover->stride_count].step = llabs(factor);
            cover->strides[cover->stride_count++].extent = times;
            close_strides(cover);
        }
        add_cover(c, mark, cover);
    }
}

static bool cover_block(Coverage *c, const Block *block, int mark);

static bool cover_scalar(const Coverage *c, const Scalar *x) {
    if (x->op == SCALAR_LOCAL && is_tracked(c, x->local)) {
        return is_covered(c, x->local, x->args[0]);
    }
    if (x->op == SCALAR_LOAD && c->buffers != NULL && has_buffer(c->buffers, x->buffer)) {
        return is_covered(c, x->buffer, x->args[0]);
    }
    return true;
}

static bool cover_statement(Coverage *c, const Statement *s, int mark) {
    int before = c->covers.count;
    bool good = true;
    switch (s->kind) {
    case STATEMENT_SCALAR: return cover_scalar(c, s->scalar);
    case STATEMENT_STORE: note_set(c, mark, s->buffer, s->index); return true;
    case STATEMENT_SET:
        if (c->constant_only == NULL ||
            (c->constant_only == s->local && s->value->op == SCALAR_CONSTANT)) {
            note_set(c, mark, s->local, s->index);
        }
        return true;
    case STATEMENT_LOOP:
        good = cover_block(c, &s->loop->body, before);
        leave_loop(c, s->loop, mark, before);
        return good;
    case STATEMENT_IF:
        good = cover_block(c, &s->body, before);
        c->covers.count = before;
        good = good && cover_block(c, &s->otherwise, before);
        c->covers.count = before;
        return good;
    case STATEMENT_WHILE:
        good = cover_block(c, &s->body, before) && cover_block(c, &s->otherwise, before);
        c->covers.count = before;
        return good;
    case STATEMENT_PRESENT:
        good = cover_block(c, &s->body, before);
        c->covers.count = before;
        return good;
    case STATEMENT_FAIL: return true;
    case STATEMENT_CALL:
    case STATEMENT_COPY:
    case STATEMENT_ZERO: break;
    }
    return false; // not in kernels
}

static bool cover_block(Coverage *c, const Block *block, int mark) {
    for (int i = 0; i < block->statements.count; i++) {
        if (!cover_statement(c, block->statements.at[i], mark)) {
            return false;
        }
    }
    return true;
}

bool statements_are_closed(Arena *scratch, const Statement *const *statements, int count,
                           const LocalList *flags) {
    Coverage c = {.scratch = scratch, .ignored = {flags}};
    for (int i = 0; i < count; i++) {
        if (!cover_statement(&c, statements[i], 0)) {
            return false;
        }
    }
    return true;
}

bool statement_sets_all(Arena *scratch, const Statement *statement, const Local *local) {
    Coverage c = {.scratch = scratch, .constant_only = local};
    cover_statement(&c, statement, 0); // reads do not matter
    for (int i = 0; i < c.covers.count; i++) {
        const Cover *cover = &c.covers.at[i];
        if (cover->what == local && cover->start.count == 0 && cover->stride_count == 0 &&
            cover->low <= 0 && cover->high >= local->count - 1) {
            return true;
        }
    }
    return false;
}

// ---- what is stored where

typedef struct Access {
    Buffer *buffer;
    const Scalar *index;
    bool is_store;
} Access;

typedef VEC(Access) Accesses;

static void collect_accesses(Arena *scratch, const Block *block, Accesses *found) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LOAD) {
            Access load = {s->scalar->buffer, s->scalar->args[0], false};
            vec_push(scratch, found, load);
        } else if (s->kind == STATEMENT_STORE) {
            Access store = {s->buffer, s->index, true};
            vec_push(scratch, found, store);
        } else if (s->kind == STATEMENT_LOOP) {
            collect_accesses(scratch, &s->loop->body, found);
        }
        collect_accesses(scratch, &s->body, found);
        collect_accesses(scratch, &s->otherwise, found);
    }
}

static int count_accesses(Arena *scratch, const Block *block, const Buffer *buffer) {
    Accesses found = {0};
    int count = 0;
    collect_accesses(scratch, block, &found);
    for (int i = 0; i < found.count; i++) {
        count += found.at[i].buffer == buffer;
    }
    return count;
}

bool blocks_conflict(Arena *scratch, const Block *x, const Block *y) {
    Accesses first = {0}, second = {0};
    collect_accesses(scratch, x, &first);
    collect_accesses(scratch, y, &second);
    for (int i = 0; i < first.count; i++) {
        for (int j = 0; j < second.count; j++) {
            if (first.at[i].buffer == second.at[j].buffer &&
                (first.at[i].is_store || second.at[j].is_store)) {
                return true;
            }
        }
    }
    return false;
}

static bool block_has_local(const Block *block, const Local *local) {
    for (int i = 0; i < block->statements.count; i++) {
        if (statement_has_local(block->statements.at[i], local)) {
            return true;
        }
    }
    return false;
}

bool statement_has_local(const Statement *s, const Local *local) {
    return s->local == local || (s->scalar != NULL && s->scalar->local == local) ||
           (s->kind == STATEMENT_LOOP && block_has_local(&s->loop->body, local)) ||
           block_has_local(&s->body, local) || block_has_local(&s->otherwise, local);
}

static bool kernel_writes(const Kernel *kernel, const Buffer *buffer) {
    for (int i = 0; i < kernel->buffers.count; i++) {
        if (kernel->buffers.at[i] == buffer) {
            return kernel->written.at[i];
        }
    }
    return true;
}

// May the scalar differ from one iteration of the loop to another?
static bool is_variant(Candidate *c, const Scalar *x) {
    enum { UNKNOWN, NO, YES };
    if (c->variant[x->id] != UNKNOWN) {
        return c->variant[x->id] == YES;
    }
    bool varies = x == c->loop->index || x->op == SCALAR_LOCAL ||
                  (x->op == SCALAR_LOAD && kernel_writes(c->kernel, x->buffer));
    for (int i = 0; i < x->arg_count && !varies; i++) {
        varies = is_variant(c, x->args[i]);
    }
    c->variant[x->id] = varies ? YES : NO;
    return varies;
}

static void mark_inside(bool *inside, const Block *block);

static void mark_statement_inside(bool *inside, const Statement *s) {
    if (s->kind == STATEMENT_SCALAR) {
        inside[s->scalar->id] = true;
    } else if (s->kind == STATEMENT_LOOP) {
        mark_inside(inside, &s->loop->body);
    }
    mark_inside(inside, &s->body);
    mark_inside(inside, &s->otherwise);
}

static void mark_inside(bool *inside, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        mark_statement_inside(inside, block->statements.at[i]);
    }
}

// Has it one value for the whole statement `top`?
static bool is_fixed(const Candidate *c, const Scalar *x) {
    return x->op != SCALAR_INDEX && !c->inside[x->id];
}

static int64_t greatest_divisor(int64_t x, int64_t y) {
    while (y != 0) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return x;
}

// All accesses to one buffer, of the form step * index + fine + coarse + fixed: `fine` has the
// factors that are no larger than the step, and a range; the factors in `coarse` are multiples of
// `coarse_step`; `fixed` is the same everywhere.
typedef struct Footprint {
    int64_t step, coarse_step;
    int64_t fine_low, fine_high;
    Affine fixed;
    int count;
} Footprint;

// One access without its constant.
static bool split_access(Candidate *c, const Affine *at, Footprint *f, int64_t *low,
                         int64_t *high) {
    Affine fixed = {.count = 0};
    *low = *high = 0;
    for (int i = 0; i < at->count; i++) {
        Term term = at->terms[i];
        int64_t first, last;
        if (term.atom == c->loop->index) {
            continue;
        }
        if (is_fixed(c, term.atom)) {
            fixed.terms[fixed.count++] = term;
            continue;
        }
        if (is_variant(c, term.atom) || !term_range(&term, &first, &last)) {
            return false;
        }
        if (llabs(term.factor) > llabs(f->step)) {
            f->coarse_step = greatest_divisor(llabs(term.factor), f->coarse_step);
        } else {
            *low += first;
            *high += last;
        }
    }
    if (f->count == 0) {
        f->fixed = fixed;
    }
    return same_start(&fixed, &f->fixed);
}

// Two iterations never touch the same element: their `fine` parts lie within one step, and all
// steps lie within one coarse step.
static bool is_disjoint(Candidate *c, const Accesses *accesses, const Buffer *buffer) {
    Footprint f = {0};
    int64_t *constants = arena_array(c->scratch, int64_t, accesses->count + 1);
    int64_t *lows = arena_array(c->scratch, int64_t, accesses->count + 1);
    int64_t *highs = arena_array(c->scratch, int64_t, accesses->count + 1);
    for (int i = 0; i < accesses->count; i++) {
        Affine at;
        if (accesses->at[i].buffer != buffer) {
            continue;
        }
        if (!affine_of(accesses->at[i].index, &at)) {
            return false;
        }
        int64_t step = affine_factor(&at, c->loop->index);
        f.step = f.count == 0 ? step : f.step;
        if (step == 0 || step != f.step ||
            !split_access(c, &at, &f, &lows[f.count], &highs[f.count])) {
            return false;
        }
        constants[f.count++] = at.constant;
    }
    int64_t step = llabs(f.step);
    for (int i = 0; i < f.count; i++) {
        int64_t shift = constants[i] - constants[0];
        if (f.coarse_step > 0) {
            shift %= f.coarse_step;
            shift += shift < -f.coarse_step / 2 ? f.coarse_step : 0;
            shift -= shift > f.coarse_step / 2 ? f.coarse_step : 0;
        }
        f.fine_low = i == 0 || lows[i] + shift < f.fine_low ? lows[i] + shift : f.fine_low;
        f.fine_high = i == 0 || highs[i] + shift > f.fine_high ? highs[i] + shift : f.fine_high;
    }
    int64_t spread = f.fine_high - f.fine_low;
    return spread < step && (f.coarse_step == 0 || spread + step * (c->extent - 1) < f.coarse_step);
}

// Do the statements after `top` set what they read of the buffer?
static bool is_set_again(const Candidate *c, Buffer *buffer) {
    const Block *body = &c->kernel->body;
    BufferList single = {0};
    vec_push(c->scratch, &single, buffer);
    Coverage coverage = {.scratch = c->scratch, .buffers = &single, .buffers_only = true};
    int after = 0;
    while (body->statements.at[after++] != c->top) {
    }
    for (; after < body->statements.count; after++) {
        if (!cover_statement(&coverage, body->statements.at[after], 0)) {
            return false;
        }
    }
    return true;
}

// Temporaries of this kernel's whose values nobody reads outside of the loop. What comes before and
// after it may use the same ones, as a panel of columns.
static bool can_be_private(const Candidate *c, Buffer *buffer) {
    if (buffer->kind != BUFFER_WORKSPACE || !c->exclusive[buffer->id]) {
        return false;
    }
    Block top = {{0}};
    place_statement(c->scratch, &top, c->top);
    return count_accesses(c->scratch, &top, buffer) ==
               count_accesses(c->scratch, &c->loop->body, buffer) &&
           is_set_again(c, buffer);
}

bool iterations_are_independent(Candidate *c) {
    c->variant = arena_array(c->scratch, char, c->kernel->scalar_count + 1);
    c->inside = arena_array(c->scratch, bool, c->kernel->scalar_count + 1);
    mark_statement_inside(c->inside, c->top);
    c->privates.count = 0;
    Accesses accesses = {0};
    BufferList seen = {0};
    collect_accesses(c->scratch, &c->loop->body, &accesses);
    for (int i = 0; i < accesses.count; i++) {
        Buffer *buffer = accesses.at[i].buffer;
        if (!accesses.at[i].is_store || has_buffer(&seen, buffer)) {
            continue;
        }
        vec_push(c->scratch, &seen, buffer);
        if (is_disjoint(c, &accesses, buffer)) {
            continue;
        }
        if (!can_be_private(c, buffer)) {
            return false;
        }
        vec_push(c->scratch, &c->privates, buffer);
    }
    Coverage coverage = {
        .scratch = c->scratch, .ignored = {&c->flags, &c->carried}, .buffers = &c->privates};
    return cover_block(&coverage, &c->loop->body, 0);
}
