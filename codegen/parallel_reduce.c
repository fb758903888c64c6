// Long sums in chunks. A loop that adds to locals from one iteration to the next is cut: each chunk
// starts with zeros and stores what it has; the rest of the kernel adds that up in the order of the
// chunks. Locals that every iteration leaves as it found them, at one constant, do not matter.
#include "codegen/parallel_plan.h"

// ---- locals that are only added to

enum {
    MOST_SETS = 32, // of a local that is a sum
    STEPS = 3,      // scalars, at most, from what is read of a local to what it is set to
};

// What is done with a local. The uses are of what was read from it, and of what is made of that.
typedef struct LocalUses {
    const Local *local;
    int sets, reads, read_uses, value_uses;
    const Scalar *values[MOST_SETS * STEPS];
    int value_count;
    ScalarOp op; // SCALAR_CONSTANT: none in common
    bool count_values;
} LocalUses;

// The operators that keep the largest or smallest are named by their comparisons.
static bool is_choice(ScalarOp op) {
    return op == SCALAR_GT || op == SCALAR_LT;
}

static bool reads_local(const Scalar *x, const Local *local) {
    return x != NULL && x->op == SCALAR_LOCAL && x->local == local;
}

static bool same_place(const Scalar *x, const Scalar *y) {
    return x == y ||
           (x->op == SCALAR_CONSTANT && y->op == SCALAR_CONSTANT && x->integer == y->integer);
}

static bool reads_set_local(const Scalar *x, const Statement *set) {
    return reads_local(x, set->local) && same_place(x->args[0], set->index);
}

static void note_value(LocalUses *found, const Scalar *x) {
    if (found->value_count < MOST_SETS * STEPS) {
        found->values[found->value_count++] = x;
    }
}

// select(x != x, x, select(x > local, x, local)), or with <, and without the test for NaN.
static ScalarOp choice_operator(LocalUses *found, const Statement *set) {
    const Scalar *choice = set->value, *is_nan = choice->args[0], *x = choice->args[1];
    if (is_nan->op == SCALAR_NE && is_nan->args[0] == x && is_nan->args[1] == x) {
        choice = choice->args[2];
        note_value(found, choice);
    }
    if (choice->op != SCALAR_SELECT || choice->args[1] != x ||
        !reads_set_local(choice->args[2], set)) {
        return SCALAR_CONSTANT;
    }
    const Scalar *better = choice->args[0];
    note_value(found, better);
    bool compares =
        is_choice(better->op) && better->args[0] == x && better->args[1] == choice->args[2];
    return compares ? better->op : SCALAR_CONSTANT;
}

// Notes what is made of the local on the way to its new value.
static ScalarOp set_operator(LocalUses *found, const Statement *set) {
    const Scalar *value = set->value;
    note_value(found, value);
    if (value->op == SCALAR_SELECT) {
        return choice_operator(found, set);
    }
    ScalarOp op = value->op == SCALAR_FMA ? SCALAR_ADD : value->op;
    if (op != SCALAR_ADD && op != SCALAR_MUL && op != SCALAR_OR) {
        return SCALAR_CONSTANT;
    }
    for (int i = value->op == SCALAR_FMA ? 2 : 0; i < value->arg_count; i++) {
        if (reads_set_local(value->args[i], set)) {
            return op;
        }
    }
    return SCALAR_CONSTANT;
}

static void note_use(LocalUses *found, const Scalar *x) {
    found->read_uses += reads_local(x, found->local);
    for (int i = 0; found->count_values && i < found->value_count; i++) {
        found->value_uses += found->values[i] == x;
    }
}

static void note_block(LocalUses *found, const Block *block);

static void note_statement(LocalUses *found, const Statement *s) {
    note_use(found, s->index);
    note_use(found, s->value);
    note_use(found, s->condition);
    if (s->kind == STATEMENT_SCALAR) {
        found->reads += reads_local(s->scalar, found->local);
        for (int i = 0; i < s->scalar->arg_count; i++) {
            note_use(found, s->scalar->args[i]);
        }
    }
    if (s->kind == STATEMENT_SET && s->local == found->local && !found->count_values) {
        ScalarOp op = set_operator(found, s);
        found->op = found->sets == 0 || found->op == op ? op : SCALAR_CONSTANT;
        found->sets++;
    }
    if (s->kind == STATEMENT_LOOP) {
        note_use(found, s->loop->extent);
        note_block(found, &s->loop->body);
    }
    note_block(found, &s->body);
    note_block(found, &s->otherwise);
}

static void note_block(LocalUses *found, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        note_statement(found, block->statements.at[i]);
    }
}

ScalarOp combination_of(const Statement *statement, const Local *local) {
    LocalUses found = {.local = local, .op = SCALAR_CONSTANT};
    note_statement(&found, statement);
    int uses = is_choice(found.op) ? 2 : 1; // one to compare
    if (found.op == SCALAR_CONSTANT || found.sets > MOST_SETS || found.reads != found.sets ||
        found.read_uses != uses * found.sets) {
        return SCALAR_CONSTANT;
    }
    found.count_values = true;
    note_statement(&found, statement);
    return found.value_uses == found.value_count ? found.op : SCALAR_CONSTANT;
}

// ---- locals that are left as they were found

// Does the statement set the whole local, to one constant and nothing else?
static bool clears(Arena *scratch, const Statement *s, const Local *local, const Scalar **value);

static bool sets_constants(const Block *block, const Local *local, const Scalar **value);

static bool sets_constant(const Statement *s, const Local *local, const Scalar **value) {
    if (s->kind == STATEMENT_SET && s->local == local) {
        const Scalar *first = *value, *x = s->value;
        *value = x;
        return x->op == SCALAR_CONSTANT &&
               (first == NULL || (first->integer == x->integer && first->real == x->real));
    }
    return (s->kind != STATEMENT_LOOP || sets_constants(&s->loop->body, local, value)) &&
           sets_constants(&s->body, local, value) && sets_constants(&s->otherwise, local, value);
}

static bool sets_constants(const Block *block, const Local *local, const Scalar **value) {
    for (int i = 0; i < block->statements.count; i++) {
        if (!sets_constant(block->statements.at[i], local, value)) {
            return false;
        }
    }
    return true;
}

static bool clears(Arena *scratch, const Statement *s, const Local *local, const Scalar **value) {
    return s != NULL && sets_constant(s, local, value) && *value != NULL &&
           statement_sets_all(scratch, s, local);
}

static const Statement *last_with(const Block *block, const Local *local) {
    for (int i = block->statements.count - 1; i >= 0; i--) {
        if (statement_has_local(block->statements.at[i], local)) {
            return block->statements.at[i];
        }
    }
    return NULL;
}

// The pending statement that sets the local to the constant at which every iteration leaves it.
static const Statement *find_clearing(const Split *split, const Loop *loop, const Local *local) {
    const Scalar *value = NULL;
    const Statement *before = last_with(&split->pending, local);
    if (clears(split->scratch, before, local, &value) &&
        clears(split->scratch, last_with(&loop->body, local), local, &value)) {
        return before;
    }
    return NULL;
}

// ---- the parts

typedef struct Sum {
    const Local *local;
    ScalarOp op;
    const Statement *start; // the pending statement that sets the local to one constant, or NULL
    Buffer *partial;        // of each chunk, one after the other
} Sum;

typedef struct Sums {
    VEC(Sum) sums;
    VEC(const Statement *) clearings;
} Sums;

// Finds the sums, and adds all locals that go from one iteration to the next to the candidate's.
static void find_carried(const Split *split, Candidate *candidate, Sums *found) {
    for (int i = 0; i < split->kernel->locals.count; i++) {
        const Local *local = split->kernel->locals.at[i];
        if (!statement_has_local(candidate->top, local) ||
            list_has_local(&split->flag_locals, local)) {
            continue;
        }
        ScalarOp op = combination_of(candidate->top, local);
        const Statement *clearing = find_clearing(split, candidate->loop, local);
        const Scalar *value = NULL;
        const Statement *start = last_with(&split->pending, local);
        start = clears(split->scratch, start, local, &value) ? start : NULL;
        if (op == SCALAR_ADD || op == SCALAR_MUL || (is_choice(op) && start != NULL)) {
            vec_push(split->scratch, &found->sums, ((Sum){local, op, start, NULL}));
        } else if (clearing != NULL) {
            vec_push(split->scratch, &found->clearings, clearing);
        } else {
            continue;
        }
        vec_push(split->scratch, &candidate->carried, local);
    }
}

static void make_partials(Split *split, Sums *sums, int64_t chunks) {
    for (int i = 0; i < sums->sums.count; i++) {
        Sum *sum = &sums->sums.at[i];
        sum->partial = arena_new(split->arena, Buffer);
        *sum->partial = (Buffer){.kind = BUFFER_WORKSPACE,
                                 .element = sum->local->type,
                                 .count = sum->local->count * chunks,
                                 .name = "partial"};
        vec_push(split->scratch, &split->partials, sum->partial);
    }
}

// A loop over the local's elements, or nothing if it has one; the element's index.
static Scalar *over_elements(Split *split, Kernel *kernel, const Local *local, Block **out) {
    if (local->count == 1) {
        return new_position(split->arena, kernel, 0);
    }
    Scalar *count = new_position(split->arena, kernel, local->count);
    Loop *loop = place_loop(split->arena, kernel, *out, LOOP_VECTOR, count, "lane");
    *out = &loop->body;
    return loop->index;
}

static Scalar *partial_position(Split *split, Kernel *kernel, const Local *local, Scalar *chunk,
                                Scalar *element, Block *out) {
    Scalar *count = new_position(split->arena, kernel, local->count);
    Scalar *start = place_binary(split->arena, kernel, out, SCALAR_MUL, chunk, count);
    return place_binary(split->arena, kernel, out, SCALAR_ADD, start, element);
}

static void start_sum(Split *split, Cloner *c, const Sum *sum) {
    Kernel *kernel = c->to;
    if (is_choice(sum->op)) { // to keep this one more than once does not matter
        clone_statement(c, sum->start, &kernel->body);
        return;
    }
    Block *out = &kernel->body;
    Statement set = {.kind = STATEMENT_SET, .local = clone_local(c, sum->local)};
    set.index = over_elements(split, kernel, sum->local, &out);
    set.value = new_position(split->arena, kernel, sum->op == SCALAR_MUL);
    set.value->type = sum->local->type;
    set.value->real = sum->op == SCALAR_MUL ? 1 : 0;
    place_statement(split->arena, out, &set);
}

static void store_sum(Split *split, Cloner *c, const Sum *sum) {
    Kernel *kernel = c->to;
    Block *out = &kernel->body;
    clone_buffer(c, sum->partial, true);
    Scalar *element = over_elements(split, kernel, sum->local, &out);
    Statement store = {.kind = STATEMENT_STORE, .buffer = sum->partial};
    store.value = place_read(split->arena, kernel, out, clone_local(c, sum->local), element);
    store.index = partial_position(split, kernel, sum->local, c->chunk, element, out);
    place_statement(split->arena, out, &store);
}

static Scalar *combine(Split *split, ScalarOp op, Scalar *before, Scalar *partial, Block *out) {
    Kernel *kernel = split->kernel;
    if (!is_choice(op)) {
        return place_binary(split->arena, kernel, out, op, before, partial);
    }
    Scalar *better = place_binary(split->arena, kernel, out, op, partial, before);
    if (element_is_real(partial->type)) {
        Scalar *is_nan = place_binary(split->arena, kernel, out, SCALAR_NE, partial, partial);
        better = place_binary(split->arena, kernel, out, SCALAR_OR, better, is_nan);
    }
    Scalar select = {.op = SCALAR_SELECT,
                     .type = partial->type,
                     .args = {better, partial, before},
                     .arg_count = 3};
    return place_scalar(split->arena, kernel, out, &select);
}

// For the rest of the kernel, in its own scalars: local = local + partial, chunk after chunk.
static void add_partials(Split *split, const Sum *sum, int64_t chunks) {
    Kernel *kernel = split->kernel;
    Local *local = kernel->locals.at[sum->local->id];
    Scalar *extent = new_position(split->arena, kernel, chunks);
    Loop *loop = place_loop(split->arena, kernel, &split->pending, LOOP_SERIAL, extent, "chunk");
    Block *out = &loop->body;
    Scalar *element = over_elements(split, kernel, local, &out);
    Scalar load = {.op = SCALAR_LOAD, .type = local->type, .arg_count = 1, .buffer = sum->partial};
    load.args[0] = partial_position(split, kernel, local, loop->index, element, out);
    Scalar *partial = place_scalar(split->arena, kernel, out, &load);
    Scalar *before = place_read(split->arena, kernel, out, local, element);
    Statement set = {.kind = STATEMENT_SET, .local = local, .index = element};
    set.value = combine(split, sum->op, before, partial, out);
    place_statement(split->arena, out, &set);
    check(kernel->scalar_count < split->scalar_room, "too many partial sums in %s", kernel->name);
}

// Takes what sets locals to constants out of what is pending, to stay there; then the rest of that
// need not wait for the sums.
static bool sums_go_ahead(Split *split, const Statement *statement, const Sums *sums) {
    Block before = split->pending, others = {{0}}, kept = {{0}};
    for (int i = 0; i < before.statements.count; i++) {
        const Statement *s = before.statements.at[i];
        bool is_start = false;
        for (int j = 0; j < sums->sums.count; j++) {
            is_start = is_start || sums->sums.at[j].start == s;
        }
        for (int j = 0; j < sums->clearings.count; j++) {
            is_start = is_start || sums->clearings.at[j] == s;
        }
        vec_push(split->scratch, is_start ? &kept.statements : &others.statements,
                 before.statements.at[i]);
    }
    split->pending = others;
    bool waits = must_wait(split, statement);
    bool flushed = waits && split->may_flush && flush_pending(split, &kept);
    if (!flushed) {
        split->pending = before;
    }
    return !waits || flushed;
}

bool split_reduction(Split *split, const Statement *statement, double work) {
    Candidate candidate = {.scratch = split->scratch,
                           .kernel = split->kernel,
                           .top = statement,
                           .loop = statement->loop,
                           .exclusive = split->exclusive,
                           .flags = split->flag_locals};
    Sums sums = {.sums = {0}};
    if (statement->kind != STATEMENT_LOOP || statement->loop->kind != LOOP_SERIAL ||
        !constant_extent(statement->loop, &candidate.extent)) {
        return false;
    }
    find_carried(split, &candidate, &sums);
    if (sums.sums.count == 0 || !iterations_are_independent(&candidate) ||
        !locals_end(split, statement, &candidate.carried)) {
        return false;
    }
    Chunks chunks = choose_chunks(split, &candidate, work);
    if (chunks.count < 2 || !sums_go_ahead(split, statement, &sums)) {
        return false;
    }
    Cloner *c = begin_part(split, statement, true);
    if (c == NULL) {
        return false;
    }
    make_partials(split, &sums, chunks.count);
    clone_privates(c, &candidate.privates);
    for (int i = 0; i < sums.clearings.count; i++) {
        clone_statement(c, sums.clearings.at[i], &c->to->body);
    }
    for (int i = 0; i < sums.sums.count; i++) {
        start_sum(split, c, &sums.sums.at[i]);
    }
    clone_chunk(c, statement, candidate.loop, &chunks, &c->to->body);
    for (int i = 0; i < sums.sums.count; i++) {
        store_sum(split, c, &sums.sums.at[i]);
        add_partials(split, &sums.sums.at[i], chunks.count);
    }
    end_part(split, c, chunks.count);
    return true;
}
