// Rows of large buffers are fetched ahead. A kernel that takes a row through several loops reads it
// from memory in the first of them, which has little else to do meanwhile, and waits; the loops
// that compute much leave memory idle. So those fetch the next row. If there are none, but others
// read the row again meanwhile, the last one of these fetches the next row as it goes: it finds its
// own in the first cache, and so will the first loop then. Processors fetch ahead only while a row
// is being read. Nothing else depends on it: what is fetched beyond the last row is nobody's, and
// fetching does not fault.
#include "codegen/fetch_rows.h"

#include "codegen/affine.h"
#include "codegen/vector_math.h"

enum {
    LEAST_BYTES = 1 << 20, // of a buffer: smaller ones are in a cache anyway
    LEAST_ROW_BYTES = 512, // shorter rows are fetched ahead by the processor, as neighbours
    LARGEST_ROW_BYTES = 1 << 15,
    LARGEST_NEAR_ROW = 1 << 14, // two of them are in the first cache
    MUCH_WORK = 16,             // steps for each element of a loop that has time to fetch
    MOST_DEPTH = 8,
    MOST_FETCHES = 6 // of one loop over rows
};

// The place of an access in a loop over rows: fixed + step * row + inner.
typedef struct RowAccess {
    Buffer *buffer;
    Affine fixed, inner;
    int64_t step;
    bool is_store;
    int loop;          // number of the loop that it is in
    bool is_again;     // a later loop reads it, too
    int last;          // the last of these that reads half a row and more; 0: none
    Affine last_inner; // in that one
} RowAccess;

// A loop over elements of a row.
typedef struct RowLoop {
    Loop *loop;
    int64_t elements; // of the loops around it in the row, too
    int work;         // for each
    int fetches;
    bool has_place;
    Affine place; // of the element in the row
} RowLoop;

typedef struct Rows {
    Arena *scratch;
    const Loop *loop;
    const Scalar *inside[MOST_DEPTH]; // indices of the loops that are open in the row
    int depth;
    VEC(RowLoop) loops;
    VEC(RowAccess) accesses; // the first of each buffer
} Rows;

static bool is_inside(const Rows *rows, const Scalar *atom) {
    for (int i = 0; i < rows->depth; i++)
        if (rows->inside[i] == atom)
            return true;
    return false;
}

// Of what is contiguous along the innermost loop.
static bool split_access(const Rows *rows, const Scalar *index, RowAccess *access) {
    Affine at;
    if (rows->depth == 0 || !affine_of(index, &at) ||
        affine_factor(&at, rows->inside[rows->depth - 1]) != 1)
        return false;
    access->fixed.constant = at.constant;
    for (int i = 0; i < at.count; i++) {
        Term term = at.terms[i];
        if (term.atom == rows->loop->index)
            access->step = term.factor;
        else if (is_inside(rows, term.atom))
            access->inner.terms[access->inner.count++] = term;
        else if (term.atom->op == SCALAR_INDEX || term.atom->op == SCALAR_ARGUMENT)
            access->fixed.terms[access->fixed.count++] = term;
        else
            return false;
    }
    return true;
}

static void note_access(Rows *rows, RowLoop *row, Buffer *buffer, const Scalar *index,
                        bool is_store) {
    RowAccess access = {.buffer = buffer, .is_store = is_store, .loop = rows->loops.count};
    if (!split_access(rows, index, &access))
        return;
    if (!row->has_place) {
        row->has_place = true;
        row->place = access.inner;
    }
    int64_t element = (int64_t)element_bytes(buffer->element), bytes = access.step * element;
    bool is_large = buffer->kind == BUFFER_FIELD && buffer->count * element >= LEAST_BYTES;
    if (!is_large || bytes < LEAST_ROW_BYTES || bytes > LARGEST_ROW_BYTES)
        return;
    for (int i = 0; i < rows->accesses.count; i++) {
        RowAccess *first = &rows->accesses.at[i];
        if (first->buffer == buffer) {
            bool is_later = first->step == access.step && rows->loops.count > first->loop;
            first->is_again |= is_later;
            if (is_later && 2 * row->elements >= access.step) {
                first->last = rows->loops.count;
                first->last_inner = access.inner;
            }
            return;
        }
    }
    vec_push(rows->scratch, &rows->accesses, access);
}

static int scalar_work(const Rows *rows, const Scalar *scalar) {
    if (scalar->op != SCALAR_LIBM)
        return 1;
    const MathFunction *function = math_function(rows->scratch, scalar->name, scalar->type,
                                                 (MathAbilities){.branch = true, .scale = true});
    return function ? function->steps.count : 1;
}

// The statements of a loop without loops in it.
static void note_statements(Rows *rows, RowLoop *row, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        row->work += s->kind == STATEMENT_SCALAR ? scalar_work(rows, s->scalar) : 1;
        if (s->kind == STATEMENT_STORE)
            note_access(rows, row, s->buffer, s->index, true);
        else if (s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LOAD)
            note_access(rows, row, s->scalar->buffer, s->scalar->args[0], false);
        note_statements(rows, row, &s->body);
        note_statements(rows, row, &s->otherwise);
    }
}

static void note_loops(Rows *rows, const Block *block, int64_t elements) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        int64_t extent;
        if (s->kind == STATEMENT_PRESENT)
            note_loops(rows, &s->body, elements);
        if (s->kind != STATEMENT_LOOP || !constant_extent(s->loop, &extent) ||
            rows->depth == MOST_DEPTH)
            continue;
        rows->inside[rows->depth++] = s->loop->index;
        if (s->loop->kind == LOOP_VECTOR) {
            RowLoop row = {.loop = s->loop, .elements = elements * extent};
            note_statements(rows, &row, &s->loop->body);
            vec_push(rows->scratch, &rows->loops, row);
        } else {
            note_loops(rows, &s->loop->body, elements * extent);
        }
        rows->depth--;
    }
}

// The loop of at least half a row's elements that has most to do beside what it fetches already.
static RowLoop *find_idle(Rows *rows, int64_t elements) {
    RowLoop *best = NULL;
    for (int i = 0; i < rows->loops.count; i++) {
        RowLoop *row = &rows->loops.at[i];
        bool fits = row->has_place && row->work >= MUCH_WORK && 2 * row->elements >= elements;
        if (fits && (best == NULL || (int64_t)row->work * (best->fetches + 1) >
                                         (int64_t)best->work * (row->fetches + 1)))
            best = row;
    }
    return best;
}

// What is done to the loops in a kernel.
typedef struct Planner {
    Program *program;
    Arena scratch;
    VEC(const Buffer *) fetched; // by the loops around the place
} Planner;

static bool is_fetched(const Planner *planner, const Buffer *buffer) {
    for (int i = 0; i < planner->fetched.count; i++)
        if (planner->fetched.at[i] == buffer)
            return true;
    return false;
}

static void plan_fetch(Planner *planner, Rows *rows, const RowAccess *access) {
    RowLoop *idle = find_idle(rows, access->step);
    const Affine *place = idle != NULL       ? &idle->place
                          : access->last > 0 ? &access->last_inner
                                             : &access->inner;
    int64_t bytes = access->step * (int64_t)element_bytes(access->buffer->element);
    bool near = idle == NULL && access->last > 0 && bytes <= LARGEST_NEAR_ROW;
    if (idle == NULL && access->is_again)
        idle = &rows->loops.at[access->last > 0 ? access->last : access->loop];
    if (idle == NULL)
        return;
    idle->fetches++;
    vec_push(&planner->scratch, &planner->fetched, access->buffer);
    Fetch fetch = {.buffer = access->buffer,
                   .place = access->fixed,
                   .is_store = access->is_store,
                   .near = near};
    Affine row = {
        .terms = {{rows->loop->index, access->step}}, .count = 1, .constant = access->step};
    if (affine_add(&fetch.place, &row, 1) && affine_add(&fetch.place, place, 1))
        vec_push(planner->program->arena, &idle->loop->fetches, fetch);
}

static void plan_loop(Planner *planner, const Loop *loop) {
    Rows rows = {.scratch = &planner->scratch, .loop = loop};
    if (loop->kind == LOOP_SERIAL)
        note_loops(&rows, &loop->body, 1);
    for (int i = 0; i < rows.accesses.count && i < MOST_FETCHES; i++)
        if (!is_fetched(planner, rows.accesses.at[i].buffer))
            plan_fetch(planner, &rows, &rows.accesses.at[i]);
}

static void plan_block(Planner *planner, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_LOOP) {
            int around = planner->fetched.count;
            plan_loop(planner, s->loop);
            plan_block(planner, &s->loop->body);
            planner->fetched.count = around;
        }
        plan_block(planner, &s->body);
        plan_block(planner, &s->otherwise);
    }
}

void fetch_rows(Program *program, const LowerOptions *options) {
    for (int i = 0; i < program->kernels.count && options->vector_bytes >= 32; i++) {
        Kernel *kernel = program->kernels.at[i];
        Planner planner = {.program = program};
        if (!kernel->fetches)
            plan_block(&planner, &kernel->body);
        kernel->fetches = true;
        arena_free(&planner.scratch);
    }
}
