// The work of making a kernel's code is estimated in statements, by the instructions that the loop
// form becomes. Kernels are dealt out from the largest to the smallest, each to the part that has
// the least work so far.
#include "codegen/parts.h"

#include <stdlib.h>

#include "codegen/affine.h"

enum {
    MOST_PARTS = 8,
    PART_WORK = 2000,    // of a part, on an average, at least
    KERNEL_WORK = 80,    // of a kernel that does nothing
    ARGUMENT_WORK = 3,   // of a call's argument: an entry keeps many pointers in few registers
    FUNCTION_WORK = 40,  // of a function of libm that is written out
    MOST_UNROLLED = 64,  // iterations of a LOOP_UNROLL, as in emit_llvm_vector.c
    MOST_STRAIGHT = 4,   // vectors of a LOOP_VECTOR that are written without a loop
    MOST_IN_LOCALS = 16, // the same with arrays
    OPEN_COPIES = 2,     // of the body of a loop of unknown extent
    MANY_SPREAD = 600,   // elements that are picked out one by one, which take LLVM twice as long
};

// ---- kernels in place of calls

static bool has_loops(const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_LOOP || s->kind == STATEMENT_WHILE || has_loops(&s->body) ||
            has_loops(&s->otherwise)) {
            return true;
        }
    }
    return false;
}

static int count_calls(const Block *block, const Kernel *kernel) {
    int count = 0;
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        count += s->kind == STATEMENT_CALL && s->kernel == kernel;
        count += count_calls(&s->body, kernel) + count_calls(&s->otherwise, kernel);
        count += s->kind == STATEMENT_LOOP ? count_calls(&s->loop->body, kernel) : 0;
    }
    return count;
}

bool is_done_in_place(const Program *program, const Kernel *kernel) {
    int calls = 0;
    if (has_loops(&kernel->body)) {
        return false;
    }
    for (int i = 0; i < program->entries.count; i++) {
        calls += count_calls(&program->entries.at[i]->body, kernel);
    }
    return calls == 1;
}

// ---- work

typedef struct Estimate {
    int vector_bytes;
    double statements;
    double spread; // elements in vectors that do not lie side by side in memory
} Estimate;

static void add_block(Estimate *e, const Block *block, double copies, const Loop *vector);

// How many elements a vector has.
static double lanes_of_vector(const Estimate *e) {
    enum { USUAL_BYTES = 4 };
    return e->vector_bytes > USUAL_BYTES ? (double)(e->vector_bytes / USUAL_BYTES) : 1;
}

static bool has_locals(const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_SET ||
            (s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LOCAL)) {
            return true;
        }
    }
    return false;
}

// How often a loop's body is written.
static double loop_copies(const Estimate *e, const Loop *loop) {
    int64_t extent;
    bool known = constant_extent(loop, &extent);
    if (loop->kind == LOOP_UNROLL) {
        return known && extent <= MOST_UNROLLED ? (double)extent : 1;
    }
    if (loop->kind != LOOP_VECTOR) {
        return 1;
    }
    double most = has_locals(&loop->body) ? MOST_IN_LOCALS : MOST_STRAIGHT;
    double vectors = known ? (double)extent / lanes_of_vector(e) : OPEN_COPIES;
    return vectors < 1 ? 1 : vectors > most ? MOST_STRAIGHT : vectors;
}

// `vector`: the vector loop around the access, or NULL.
static void add_access(Estimate *e, const Scalar *place, double copies, const Loop *vector) {
    if (vector != NULL && !is_side_by_side(place, vector)) {
        e->spread += copies * lanes_of_vector(e);
    }
}

static void add_statement(Estimate *e, const Statement *s, double copies, const Loop *vector) {
    const Loop *loop = s->loop;
    e->statements += copies;
    switch (s->kind) {
    case STATEMENT_SCALAR:
        if (s->scalar->op == SCALAR_LIBM) {
            e->statements += copies * FUNCTION_WORK;
        } else if (s->scalar->op == SCALAR_LOAD) {
            add_access(e, s->scalar->args[0], copies, vector);
        }
        return;
    case STATEMENT_STORE: add_access(e, s->index, copies, vector); return;
    case STATEMENT_CALL:
        e->statements +=
            copies * ARGUMENT_WORK * (s->kernel->buffers.count + s->kernel->argument_count);
        return;
    case STATEMENT_LOOP:
        add_block(e, &loop->body, copies * loop_copies(e, loop),
                  loop->kind == LOOP_VECTOR ? loop : vector);
        return;
    default: add_block(e, &s->body, copies, vector); add_block(e, &s->otherwise, copies, vector);
    }
}

static void add_block(Estimate *e, const Block *block, double copies, const Loop *vector) {
    for (int i = 0; i < block->statements.count; i++) {
        add_statement(e, block->statements.at[i], copies, vector);
    }
}

static double code_work(const Block *block, int vector_bytes) {
    Estimate e = {.vector_bytes = vector_bytes};
    add_block(&e, block, 1, NULL);
    return KERNEL_WORK + e.statements + e.spread * (1 + e.spread / MANY_SPREAD);
}

// ---- parts

typedef struct Item {
    double work;
    int variant, kernel;
} Item;

// The largest first; of equal ones the first in the program.
static int compare_items(const void *x, const void *y) {
    const Item *a = x, *b = y;
    if (a->work != b->work) {
        return a->work > b->work ? -1 : 1;
    }
    return a->variant != b->variant ? a->variant - b->variant : a->kernel - b->kernel;
}

// Kernels that may be in any part, and the work that must be in the first.
typedef struct Items {
    VEC(Item) items;
    double movable, fixed;
} Items;

static void note_variant(Arena *scratch, Items *found, const Parts *parts, int variant) {
    const Program *program = parts->variants[variant];
    int vector_bytes, registers;
    target_vector_shape(&parts->targets[variant], &vector_bytes, &registers);
    for (int i = 0; i < program->entries.count; i++) {
        found->fixed += code_work(&program->entries.at[i]->body, vector_bytes);
    }
    for (int i = 0; i < program->kernels.count; i++) {
        const Kernel *kernel = program->kernels.at[i];
        Item item = {code_work(&kernel->body, vector_bytes), variant, i};
        if (is_done_in_place(program, kernel)) {
            found->fixed += item.work;
        } else {
            found->movable += item.work;
            vec_push(scratch, &found->items, item);
        }
    }
}

static int choose_count(const Items *found, const CompileOptions *options) {
    if (options->level >= 3) { // kernels are inlined, and more
        return 1;
    }
    double wanted = options->parts > 0 ? options->parts : found->movable / PART_WORK;
    return wanted < 1 ? 1 : wanted < MOST_PARTS ? (int)wanted : MOST_PARTS;
}

static void deal_out(Items *found, int count, int **part_of) {
    double work[MOST_PARTS] = {found->fixed};
    if (found->items.count > 1) {
        qsort(found->items.at, (size_t)found->items.count, sizeof *found->items.at, compare_items);
    }
    for (int i = 0; i < found->items.count; i++) {
        const Item *item = &found->items.at[i];
        int least = 0;
        for (int j = 1; j < count; j++) {
            least = work[j] < work[least] ? j : least;
        }
        part_of[item->variant][item->kernel] = least;
        work[least] += item->work;
    }
}

Parts plan_parts(Arena *arena, const Program *const *variants, const TargetMachine *targets,
                 int variant_count, const CompileOptions *options) {
    Arena scratch = {0};
    Items found = {0};
    int **part_of = arena_array(arena, int *, variant_count);
    Parts parts = {variants, targets, variant_count, 1, (const int **)part_of};
    for (int i = 0; i < variant_count; i++) {
        part_of[i] = arena_array(arena, int, variants[i]->kernels.count + 1);
        note_variant(&scratch, &found, &parts, i);
    }
    parts.count = choose_count(&found, options);
    deal_out(&found, parts.count, part_of);
    arena_free(&scratch);
    return parts;
}
