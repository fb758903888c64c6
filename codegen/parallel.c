// Cuts kernels in parts and spreads the long ones: see parallel.h.
#include "codegen/parallel.h"

#include <string.h>

#include "codegen/parallel_plan.h"

enum {
    USUAL_WORK = 60000, // cycles: about 20 microseconds
    AWAKE_PART = 4,     // of that is enough in entries that have other chunks
    MOST_CHUNKS = 64,
    ENOUGH_ITERATIONS = 16, // of a loop, to look no further inside
    VECTOR_STEP = 64,       // iterations of a vector loop are cut at multiples of it
    MOST_ATTEMPTS = 4,
    ROOM = 1024, // scalars that are added to a kernel while it is cut
};

// Of all chunks together: what is always fine, and what few chunks may have.
static const double few_private_bytes = 4e6, most_private_bytes = 16e6;

double least_work(const LowerOptions *options) {
    return options->parallel_work > 0 ? options->parallel_work : USUAL_WORK;
}

// ---- chunks

static double private_bytes(const Candidate *candidate) {
    double bytes = 0;
    for (int i = 0; i < candidate->privates.count; i++) {
        const Buffer *buffer = candidate->privates.at[i];
        bytes += (double)private_stride(buffer) * (double)element_bytes(buffer->element);
    }
    return bytes;
}

// Iterations that one of `threads` has to do at least, more than its share: a part of all.
static double imbalance(int64_t extent, int64_t size, int64_t threads) {
    int64_t count = (extent + size - 1) / size, most = (count + threads - 1) / threads * size;
    return (double)(most < extent ? most : extent) / (double)extent - 1 / (double)threads;
}

// Two, and also four and eight threads should have the same to do each; sizes that divide the
// extent are preferred.
static double size_cost(int64_t extent, int64_t size) {
    return 4 * imbalance(extent, size, 2) + 2 * imbalance(extent, size, 4) +
           imbalance(extent, size, 8) + (extent % size != 0 ? 0.02 : 0);
}

// The loop that is alone in another, but for scalars; or NULL.
static const Loop *loop_alone_in(const Loop *loop) {
    const Statement *found = NULL;
    for (int i = 0; i < loop->body.statements.count; i++) {
        const Statement *s = loop->body.statements.at[i];
        if (s->kind != STATEMENT_SCALAR && found != NULL) {
            return NULL;
        }
        found = s->kind != STATEMENT_SCALAR ? s : found;
    }
    return found != NULL && found->kind == STATEMENT_LOOP && found->loop->kind == LOOP_SERIAL
               ? found->loop
               : NULL;
}

// Few iterations that two threads cannot share evenly, as those over the places of a window: then
// the iterations of loops inside are shared out, too. No two of those touch the same memory if no
// two of each loop do, whatever the other loops' are.
static void nest_chunks(const Split *split, const Candidate *outer, double work, Chunks *chunks) {
    double most = work / (least_work(split->options) / 4);
    most = most > MOST_CHUNKS ? MOST_CHUNKS : most;
    const Loop *loop = outer->loop;
    if (loop->kind != LOOP_SERIAL || loop->blocked || chunks->size != 1 ||
        chunks->count >= FEW_CHUNKS || outer->privates.count > 0 || outer->carried.count > 0) {
        return;
    }
    while (chunks->nested_count < MOST_NESTED && chunks->count < ENOUGH_ITERATIONS &&
           imbalance(chunks->count, 1, 2) > 0) {
        Candidate inner = *outer;
        inner.loop = loop = loop_alone_in(loop);
        if (loop == NULL || loop->blocked || !constant_extent(loop, &inner.extent) ||
            (double)(chunks->count * inner.extent) > most || !iterations_are_independent(&inner) ||
            inner.privates.count > 0) {
            return;
        }
        chunks->nested[chunks->nested_count++] = loop;
        chunks->count *= inner.extent;
    }
}

// A count below 2: not worth it.
Chunks choose_chunks(const Split *split, const Candidate *candidate, double work) {
    int64_t extent = candidate->extent;
    double wanted = work / (least_work(split->options) / 4), bytes = private_bytes(candidate);
    wanted = wanted > MOST_CHUNKS ? MOST_CHUNKS : wanted;
    double most = bytes > 0 ? most_private_bytes / bytes : wanted;
    most = most > FEW_CHUNKS ? FEW_CHUNKS : most;
    most = bytes > 0 && few_private_bytes / bytes > most ? few_private_bytes / bytes : most;
    wanted = bytes > 0 && wanted > most ? most : wanted;
    bool is_spared = bytes > 0 && split->options->shares_memory;
    if (wanted < 2 || extent < 2 || is_spared) {
        return (Chunks){.extent = extent};
    }
    int64_t count = (int64_t)wanted < extent ? (int64_t)wanted : extent;
    bool in_steps = candidate->loop->kind == LOOP_VECTOR && extent > 16 * VECTOR_STEP;
    int64_t step = in_steps ? VECTOR_STEP : 1;
    int64_t size = (extent + count - 1) / count;
    size = (size + step - 1) / step * step;
    int64_t best = size;
    for (int64_t other = size; other <= 2 * size && 2 * other <= extent + step; other += step) {
        if (size_cost(extent, other) < size_cost(extent, best)) {
            best = other;
        }
    }
    return (Chunks){.count = (extent + best - 1) / best, .size = best, .extent = extent};
}

// ---- parts

static bool is_taken(const Split *split, const char *name) {
    bool taken = false;
    for (int i = 0; i < split->program->kernels.count; i++) {
        taken = taken || strcmp(split->program->kernels.at[i]->name, name) == 0;
    }
    for (int i = 0; i < split->parts.count; i++) {
        taken = taken || strcmp(split->parts.at[i].kernel->name, name) == 0;
    }
    return taken;
}

static const char *part_name(const Split *split) {
    const char *base = split->kernel->name;
    if (split->parts.count == 0) {
        return base;
    }
    for (int number = split->parts.count + 1;; number++) {
        const char *name = arena_format(split->arena, "%s_part_%d", base, number);
        if (!is_taken(split, name)) {
            return name;
        }
    }
}

static Cloner *begin_block_part(Split *split, const Block *statements, bool has_chunk) {
    Cloner *c = arena_new(split->scratch, Cloner);
    *c = start_clone(split->arena, split->scratch, split->kernel, part_name(split), has_chunk);
    for (int i = 0; i < split->flags.count; i++) {
        const Flag *flag = &split->flags.at[i];
        for (int j = 0; j < statements->statements.count; j++) {
            if (statement_has_local(statements->statements.at[j], flag->local)) {
                clone_statement(c, flag->set, &c->to->body);
                break;
            }
        }
    }
    return clone_needed(split, c, statements) ? c : NULL;
}

static Block single_block(const Split *split, const Statement *statement) {
    Block block = {{0}};
    place_statement(split->scratch, &block, statement);
    return block;
}

Cloner *begin_part(Split *split, const Statement *statement, bool has_chunk) {
    Block block = single_block(split, statement);
    return begin_block_part(split, &block, has_chunk);
}

void end_part(Split *split, Cloner *c, int64_t chunks) {
    for (int i = 0; i < split->flags.count; i++) {
        const Flag *flag = &split->flags.at[i];
        if (c->locals[flag->local->id] != NULL) {
            clone_statement(c, flag->read, &c->to->body);
            clone_statement(c, flag->fail, &c->to->body);
        }
    }
    Part part = {c->to, chunks, c->privates};
    vec_push(split->scratch, &split->parts, part);
}

static void append_statements(const Split *split, Block *to, const Block *from, int first) {
    for (int i = first; i < from->statements.count; i++) {
        vec_push(split->scratch, &to->statements, from->statements.at[i]);
    }
}

static bool is_closed(const Split *split, const Block *block) {
    return statements_are_closed(split->scratch, (const Statement *const *)block->statements.at,
                                 block->statements.count, &split->flag_locals);
}

bool flush_pending(Split *split, const Block *kept) {
    Block *pending = &split->pending, rest = {{0}};
    bool has_effect = false;
    for (int i = 0; i < pending->statements.count; i++) {
        has_effect = has_effect || pending->statements.at[i]->kind != STATEMENT_SCALAR;
    }
    if (!has_effect && split->next == split->kernel->body.statements.count) {
        return true;
    }
    append_statements(split, &rest, kept, 0);
    append_statements(split, &rest, &split->kernel->body, split->next);
    if (!is_closed(split, pending) || !is_closed(split, &rest)) {
        return false;
    }
    Cloner *c = begin_block_part(split, pending, false);
    if (c == NULL) {
        return false;
    }
    for (int i = 0; i < pending->statements.count; i++) {
        clone_statement(c, pending->statements.at[i], &c->to->body);
    }
    if (store_for_later(split, c) || has_effect) {
        end_part(split, c, 0);
    }
    *pending = (Block){{0}};
    append_statements(split, pending, kept, 0);
    return true;
}

// ---- spreading loops

// The loop in `top` to take chunks of: one with many iterations, else that with the most.
static const Loop *find_loop(const Statement *top) {
    const Loop *best = NULL;
    int64_t most = 1, extent;
    while (top != NULL) {
        const Block *body = &top->body;
        if (top->kind == STATEMENT_LOOP && top->loop->kind != LOOP_UNROLL) {
            body = &top->loop->body;
            if (constant_extent(top->loop, &extent) && extent > most) {
                best = top->loop;
                most = extent;
            }
            if (top->loop->blocked) {
                break;
            }
        } else if (top->kind != STATEMENT_PRESENT) {
            break;
        }
        if (most >= ENOUGH_ITERATIONS || (best != NULL && best->kind == LOOP_VECTOR)) {
            break;
        }
        top = NULL;
        for (int i = 0; i < body->statements.count; i++) {
            if (body->statements.at[i]->kind != STATEMENT_SCALAR) {
                if (top != NULL) {
                    return best; // they are several
                }
                top = body->statements.at[i];
            }
        }
    }
    return best;
}

bool locals_end(const Split *split, const Statement *top, const LocalList *carried) {
    const Block *body = &split->kernel->body;
    LocalList others = {0};
    int after = 0;
    for (int i = 0; i < split->kernel->locals.count; i++) {
        const Local *local = split->kernel->locals.at[i];
        if (!statement_has_local(top, local) || list_has_local(&split->flag_locals, local) ||
            list_has_local(carried, local)) {
            vec_push(split->scratch, &others, local);
        }
    }
    while (body->statements.at[after++] != top) {
    }
    return statements_are_closed(split->scratch,
                                 (const Statement *const *)body->statements.at + after,
                                 body->statements.count - after, &others);
}

bool must_wait(const Split *split, const Statement *statement) {
    Block block = single_block(split, statement);
    return blocks_conflict(split->scratch, &split->pending, &block) ||
           needs_pending(split, statement);
}

static bool spread_loop(Split *split, const Statement *top, double work) {
    Candidate candidate = {.scratch = split->scratch,
                           .kernel = split->kernel,
                           .top = top,
                           .loop = find_loop(top),
                           .exclusive = split->exclusive,
                           .flags = split->flag_locals};
    if (candidate.loop == NULL || !constant_extent(candidate.loop, &candidate.extent) ||
        !iterations_are_independent(&candidate) || !locals_end(split, top, &candidate.carried)) {
        return false;
    }
    Chunks chunks = choose_chunks(split, &candidate, work);
    if (chunks.count < 2) {
        return false;
    }
    nest_chunks(split, &candidate, work, &chunks);
    if (must_wait(split, top) && !(split->may_flush && flush_pending(split, &(Block){{0}}))) {
        return false;
    }
    Cloner *c = begin_part(split, top, true);
    if (c == NULL) {
        return false;
    }
    clone_privates(c, &candidate.privates);
    clone_chunk(c, top, candidate.loop, &chunks, &c->to->body);
    end_part(split, c, chunks.count);
    return true;
}

// ---- kernels

// Is the local false at first, set where conditions hold, and read once for a failure?
static bool is_flag(const Kernel *kernel, const Local *local, Flag *flag) {
    *flag = (Flag){.local = local};
    if (local->type != TYPE_BOOL || local->count != 1) {
        return false;
    }
    for (int i = 0; i < kernel->body.statements.count; i++) {
        const Statement *s = kernel->body.statements.at[i];
        if (flag->set == NULL && s->kind == STATEMENT_SET && s->local == local &&
            s->value->op == SCALAR_CONSTANT && s->value->integer == 0) {
            flag->set = s;
        } else if (s->kind == STATEMENT_SCALAR && s->scalar->local == local) {
            if (flag->set == NULL || flag->read != NULL) {
                return false;
            }
            flag->read = s;
        } else if (s->kind == STATEMENT_FAIL && flag->read != NULL &&
                   s->condition == flag->read->scalar) {
            flag->fail = s;
        } else if (statement_has_local(s, local) && (flag->set == NULL || flag->read != NULL ||
                                                     combination_of(s, local) != SCALAR_OR)) {
            return false;
        }
    }
    return flag->fail != NULL;
}

static void find_flags(Split *split) {
    for (int i = 0; i < split->kernel->locals.count; i++) {
        Flag flag;
        if (is_flag(split->kernel, split->kernel->locals.at[i], &flag)) {
            vec_push(split->scratch, &split->flags, flag);
            vec_push(split->scratch, &split->flag_locals, flag.local);
        }
    }
}

static bool is_flag_statement(const Split *split, const Statement *s) {
    for (int i = 0; i < split->flags.count; i++) {
        const Flag *flag = &split->flags.at[i];
        if (s == flag->set || s == flag->read || s == flag->fail) {
            return true;
        }
    }
    return false;
}

static bool is_written(const Kernel *kernel, const Buffer *buffer) {
    for (int i = 0; i < kernel->buffers.count; i++) {
        if (kernel->buffers.at[i] == buffer) {
            return kernel->written.at[i];
        }
    }
    return true;
}

static void find_pinned(Split *split) {
    const Block *body = &split->kernel->body;
    for (int i = 0; i < body->statements.count; i++) {
        const Scalar *x = body->statements.at[i]->scalar;
        if (body->statements.at[i]->kind != STATEMENT_SCALAR) {
            continue;
        }
        bool pinned =
            x->op == SCALAR_LOCAL || (x->op == SCALAR_LOAD && is_written(split->kernel, x->buffer));
        for (int j = 0; j < x->arg_count; j++) {
            pinned = pinned || split->pinned[x->args[j]->id];
        }
        split->pinned[x->id] = pinned;
    }
}

// Cuts the kernel. False if that did not work out, or nothing is spread.
static bool split_kernel(Split *split) {
    split->scalar_room = split->kernel->scalar_count + ROOM;
    split->pinned = arena_array(split->scratch, bool, split->scalar_room);
    split->stored = arena_array(split->scratch, Buffer *, split->scalar_room);
    find_flags(split);
    find_pinned(split);
    const Block *body = &split->kernel->body;
    bool any = false;
    for (int i = 0; i < body->statements.count; i++) {
        Statement *s = body->statements.at[i];
        split->next = i;
        if (is_flag_statement(split, s)) {
            continue;
        }
        if (s->kind == STATEMENT_SCALAR) {
            if (split->pinned[s->scalar->id]) {
                vec_push(split->scratch, &split->pending.statements, s);
            }
            continue;
        }
        double work = statement_work(s, split->options->vector_bytes);
        if (work >= least_work(split->options) &&
            (spread_loop(split, s, work) || split_reduction(split, s, work))) {
            any = true;
            continue;
        }
        vec_push(split->scratch, &split->pending.statements, s);
    }
    split->next = body->statements.count;
    return any && flush_pending(split, &(Block){{0}});
}

// ---- the entry

static Scalar *entry_position(Program *program, Entry *entry, int64_t value) {
    Scalar *x = arena_new(program->arena, Scalar);
    *x = (Scalar){
        .op = SCALAR_CONSTANT, .type = TYPE_I64, .integer = value, .id = entry->scalar_count++};
    return x;
}

// The call of a part in place of the kernel's: `call` is that.
static Statement *call_part(Program *program, Entry *entry, const Statement *call,
                            const Part *part) {
    Arena *arena = program->arena;
    int given = call->kernel->argument_count;
    Statement *statement = arena_new(arena, Statement);
    *statement = (Statement){.kind = STATEMENT_CALL, .kernel = part->kernel};
    statement->buffers = part->kernel->buffers.at;
    statement->arguments = arena_array(arena, Scalar *, given + 1);
    for (int i = 0; i < given; i++) {
        statement->arguments[i] = call->arguments[i];
    }
    if (part->chunks == 0) {
        return statement;
    }
    Loop *loop = arena_new(arena, Loop);
    *loop = (Loop){.kind = LOOP_PARALLEL, .name = "chunk"};
    loop->extent = entry_position(program, entry, part->chunks);
    loop->index = arena_new(arena, Scalar);
    *loop->index =
        (Scalar){.op = SCALAR_INDEX, .type = TYPE_I64, .loop = loop, .id = entry->scalar_count++};
    statement->arguments[given] = loop->index;
    vec_push(arena, &loop->body.statements, statement);
    Statement *whole = arena_new(arena, Statement);
    *whole = (Statement){.kind = STATEMENT_LOOP, .loop = loop};
    return whole;
}

static void replace_kernel(Program *program, const Kernel *kernel, const Split *split) {
    int place = 0, added = split->parts.count - 1;
    while (program->kernels.at[place] != kernel) {
        place++;
    }
    for (int i = 0; i < added; i++) {
        vec_push(program->arena, &program->kernels, NULL);
    }
    Kernel **at = program->kernels.at + place;
    int rest = program->kernels.count - added - place - 1;
    memmove(at + 1 + added, at + 1, (size_t)rest * sizeof(Kernel *));
    for (int i = 0; i < split->parts.count; i++) {
        at[i] = split->parts.at[i].kernel;
    }
}

// Temporaries get as many parts as the kernel with the most chunks needs.
static void multiply_privates(const Split *split) {
    VEC(int64_t) counts = {0};
    for (int i = 0; i < split->parts.count; i++) {
        const Part *part = &split->parts.at[i];
        for (int j = 0; j < part->privates.count; j++) {
            vec_push(split->scratch, &counts, private_stride(part->privates.at[j]) * part->chunks);
        }
    }
    for (int i = 0, next = 0; i < split->parts.count; i++) {
        const BufferList *privates = &split->parts.at[i].privates;
        for (int j = 0; j < privates->count; j++, next++) {
            Buffer *buffer = privates->at[j];
            buffer->count = counts.at[next] > buffer->count ? counts.at[next] : buffer->count;
        }
    }
}

static void commit(Program *program, Entry *entry, const Statement *call, const Split *split,
                   Block *out) {
    multiply_privates(split);
    for (int i = 0; i < split->partials.count; i++) {
        split->partials.at[i]->id = program->buffers.count;
        vec_push(program->arena, &program->buffers, split->partials.at[i]);
    }
    for (int i = 0; i < split->parts.count; i++) {
        const Part *part = &split->parts.at[i];
        vec_push(program->arena, &out->statements, call_part(program, entry, call, part));
    }
    replace_kernel(program, call->kernel, split);
}

typedef struct Spreading {
    Program *program;
    Entry *entry;
    const LowerOptions *options;
    Arena scratch;
    bool *exclusive;
    int *uses; // by buffer id
    int buffer_count;
} Spreading;

static bool spread_call(Spreading *s, const Statement *call, Block *out) {
    for (int may_flush = 1; may_flush >= 0 && has_own_buffers(call); may_flush--) {
        Split split = {.program = s->program,
                       .arena = s->program->arena,
                       .scratch = &s->scratch,
                       .options = s->options,
                       .kernel = call->kernel,
                       .exclusive = s->exclusive,
                       .may_flush = may_flush != 0};
        if (split_kernel(&split)) {
            commit(s->program, s->entry, call, &split, out);
            return true;
        }
    }
    return false;
}

static bool calls_kernel(const Block *block, const Kernel *kernel) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if ((s->kind == STATEMENT_CALL && s->kernel == kernel) ||
            (s->kind == STATEMENT_LOOP && calls_kernel(&s->loop->body, kernel))) {
            return true;
        }
    }
    return false;
}

// Puts the kernel where the first one that the loop calls is, and takes out all of those.
static void replace_joined(Program *program, const Loop *loop, Kernel *joined) {
    int count = 0;
    bool is_there = false;
    for (int i = 0; i < program->kernels.count; i++) {
        Kernel *kernel = program->kernels.at[i];
        if (!calls_kernel(&loop->body, kernel)) {
            program->kernels.at[count++] = kernel;
        } else if (!is_there) {
            program->kernels.at[count++] = joined;
            is_there = true;
        }
    }
    program->kernels.count = count;
}

// Is all of it done in chunks, and in several of them for each of two threads?
static bool is_shared_out(const Split *split) {
    return split->parts.count == 1 && split->parts.at[0].chunks >= FEW_CHUNKS / 2;
}

// Whose iterations are independent, and calls too short to be spread themselves, or so many that
// threads have the same to do: each then goes on with what it has in its cache.
static bool spread_calls(Spreading *s, const Loop *loop, Block *out) {
    int64_t extent;
    bool has_many = constant_extent(loop, &extent) && extent >= FEW_CHUNKS;
    Statement *call = join_calls(s->program->arena, &s->scratch, loop, s->options, has_many);
    if (call == NULL) {
        return false;
    }
    int *inside = arena_array(&s->scratch, int, s->buffer_count + 1);
    bool *exclusive = arena_array(&s->scratch, bool, s->buffer_count + 1);
    count_mentions(&loop->body, inside);
    for (int i = 0; i < s->buffer_count; i++) {
        exclusive[i] =
            s->program->buffers.at[i]->kind == BUFFER_WORKSPACE && inside[i] == s->uses[i];
    }
    Split split = {.program = s->program,
                   .arena = s->program->arena,
                   .scratch = &s->scratch,
                   .options = s->options,
                   .kernel = call->kernel,
                   .exclusive = exclusive};
    if (!split_kernel(&split) || (has_many && !is_shared_out(&split))) {
        return false;
    }
    replace_joined(s->program, loop, call->kernel);
    commit(s->program, s->entry, call, &split, out);
    return true;
}

static bool spread_block(Spreading *s, Block *block) {
    Block out = {{0}};
    bool any = false;
    for (int i = 0; i < block->statements.count; i++) {
        Statement *statement = block->statements.at[i];
        const Loop *loop = statement->kind == STATEMENT_LOOP ? statement->loop : NULL;
        if ((statement->kind == STATEMENT_CALL && spread_call(s, statement, &out)) ||
            (loop != NULL && spread_calls(s, loop, &out))) {
            any = true;
            continue;
        }
        if (loop != NULL && loop->kind != LOOP_PARALLEL) {
            any = spread_block(s, &statement->loop->body) || any;
        }
        any = spread_block(s, &statement->body) || any;
        any = spread_block(s, &statement->otherwise) || any;
        vec_push(s->program->arena, &out.statements, statement);
    }
    *block = out;
    return any;
}

static bool spread_entry(Program *program, Entry *entry, const LowerOptions *options) {
    Spreading s = {.program = program, .entry = entry, .options = options};
    int count = s.buffer_count = program->buffers.count;
    s.uses = arena_array(&s.scratch, int, count + 1);
    s.exclusive = arena_array(&s.scratch, bool, count + 1);
    count_mentions(&entry->body, s.uses);
    for (int i = 0; i < count; i++) {
        s.exclusive[i] = program->buffers.at[i]->kind == BUFFER_WORKSPACE && s.uses[i] == 1;
    }
    bool any = spread_block(&s, &entry->body);
    arena_free(&s.scratch);
    return any;
}

// Where some loops are spread, threads are awake, and shorter ones are worth it, too.
void make_parallel(Program *program, Entry *entry, const LowerOptions *options) {
    LowerOptions awake = *options;
    awake.parallel_work = least_work(options) / AWAKE_PART;
    if (spread_entry(program, entry, options)) {
        spread_entry(program, entry, &awake);
    }
}
