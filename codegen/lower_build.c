// Scopes, statements and the table of known scalars of the kernel under
// construction.
#include "codegen/lower_build.h"

#include <string.h>

enum { FIRST_BUCKETS = 64 };

static Scope *scope_at(KernelBuilder *k, int depth) {
    return &k->scopes.at[depth];
}

static int current_depth(const KernelBuilder *k) {
    return k->scopes.count - 1;
}

static void push_scope(KernelBuilder *k, Scope scope) {
    vec_push(&k->scratch, &k->scopes, scope);
}

void kernel_begin(KernelBuilder *k, Arena *arena, Kernel *kernel) {
    *k = (KernelBuilder){.arena = arena, .kernel = kernel};
    k->bucket_count = FIRST_BUCKETS;
    k->buckets = arena_array(&k->scratch, Known *, k->bucket_count);
    push_scope(k, (Scope){.block = &kernel->body, .barrier = true});
}

void kernel_end(KernelBuilder *k) {
    check(k->scopes.count == 1, "%d scopes left open", k->scopes.count - 1);
    k->kernel->scalar_count = k->facts.count;
    arena_free(&k->scratch);
}

static uint64_t hash_words(const intptr_t *words, int count) {
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < count; i++) {
        hash = (hash ^ (uint64_t)words[i]) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return hash;
}

Scalar *known_find(const KernelBuilder *k, const intptr_t *words, int count) {
    Known **place = &k->buckets[hash_words(words, count) & (uint64_t)(k->bucket_count - 1)];
    while (*place != NULL) {
        Known *known = *place;
        if (known->forgotten) {
            *place = known->next;
            continue;
        }
        if (known->word_count == count &&
            memcmp(known->words, words, (size_t)count * sizeof *words) == 0) {
            return known->scalar;
        }
        place = &known->next;
    }
    return NULL;
}

static void grow_buckets(KernelBuilder *k) {
    int count = k->bucket_count * 4;
    Known **buckets = arena_array(&k->scratch, Known *, count);
    for (int i = 0; i < k->bucket_count; i++) {
        for (Known *known = k->buckets[i], *next; known != NULL; known = next) {
            next = known->next;
            Known **place =
                &buckets[hash_words(known->words, known->word_count) & (uint64_t)(count - 1)];
            known->next = *place;
            *place = known;
        }
    }
    k->buckets = buckets;
    k->bucket_count = count;
}

void known_add(KernelBuilder *k, const intptr_t *words, int count, Scalar *scalar) {
    if (k->known_count++ > 2 * k->bucket_count) {
        grow_buckets(k);
    }
    Known *known = arena_new(&k->scratch, Known);
    intptr_t *copy = arena_array(&k->scratch, intptr_t, count);
    memcpy(copy, words, (size_t)count * sizeof *words);
    Known **place = &k->buckets[hash_words(words, count) & (uint64_t)(k->bucket_count - 1)];
    *known = (Known){.words = copy, .word_count = count, .scalar = scalar, .next = *place};
    *place = known;
    vec_push(&k->scratch, &scope_at(k, scalar_facts(k, scalar)->depth)->known, known);
}

const ScalarFacts *scalar_facts(const KernelBuilder *k, const Scalar *x) {
    return &k->facts.at[x->id];
}

void scalar_bound(KernelBuilder *k, Scalar *x, int64_t low, int64_t high) {
    ScalarFacts *facts = &k->facts.at[x->id];
    if (!facts->bounded) {
        *facts = (ScalarFacts){.depth = facts->depth, .bounded = true, .low = low, .high = high};
        return;
    }
    facts->low = low > facts->low ? low : facts->low;
    facts->high = high < facts->high ? high : facts->high;
}

static Statement *add_statement(KernelBuilder *k, int depth, Statement statement) {
    Statement *copy = arena_new(k->arena, Statement);
    *copy = statement;
    vec_push(k->arena, &scope_at(k, depth)->block->statements, copy);
    return copy;
}

static Scalar *new_scalar(KernelBuilder *k, const Scalar *proto, int depth) {
    Scalar *scalar = arena_new(k->arena, Scalar);
    *scalar = *proto;
    scalar->id = k->facts.count;
    vec_push(&k->scratch, &k->facts, ((ScalarFacts){.depth = depth}));
    return scalar;
}

enum { SCALAR_WORDS = 10 };

static void scalar_words(const Scalar *x, intptr_t words[SCALAR_WORDS]) {
    int64_t real;
    memcpy(&real, &x->real, sizeof real);
    const intptr_t all[SCALAR_WORDS] = {x->op,
                                        x->type,
                                        (intptr_t)x->args[0],
                                        (intptr_t)x->args[1],
                                        (intptr_t)x->args[2],
                                        (intptr_t)x->integer,
                                        (intptr_t)real,
                                        (intptr_t)x->buffer,
                                        (intptr_t)x->local,
                                        (intptr_t)x->name};
    memcpy(words, all, sizeof all);
}

static bool needs_statement(ScalarOp op) {
    return op != SCALAR_CONSTANT && op != SCALAR_INDEX && op != SCALAR_ARGUMENT;
}

// The outermost scope where all operands are known and that a scalar may be
// moved to.
static int natural_depth(const KernelBuilder *k, const Scalar *x) {
    int depth = 0;
    for (int i = 0; i < x->arg_count; i++) {
        int of_argument = scalar_facts(k, x->args[i])->depth;
        depth = of_argument > depth ? of_argument : depth;
    }
    if (needs_statement(x->op)) {
        for (int i = current_depth(k); i > depth; i--) {
            if (k->scopes.at[i].barrier) {
                return i;
            }
        }
    }
    return depth;
}

static Scalar *intern_scalar(KernelBuilder *k, const Scalar *proto) {
    intptr_t words[SCALAR_WORDS];
    scalar_words(proto, words);
    Scalar *found = known_find(k, words, SCALAR_WORDS);
    if (found != NULL) {
        return found;
    }
    int depth = natural_depth(k, proto);
    Scalar *scalar = new_scalar(k, proto, depth);
    if (needs_statement(scalar->op)) {
        add_statement(k, depth, (Statement){.kind = STATEMENT_SCALAR, .scalar = scalar});
    }
    known_add(k, words, SCALAR_WORDS, scalar);
    return scalar;
}

// A scalar that is computed now, in the scope given, and not shared.
static Scalar *place_scalar_at(KernelBuilder *k, int depth, const Scalar *proto) {
    Scalar *scalar = new_scalar(k, proto, depth);
    add_statement(k, depth, (Statement){.kind = STATEMENT_SCALAR, .scalar = scalar});
    return scalar;
}

static Scalar *place_scalar(KernelBuilder *k, const Scalar *proto) {
    return place_scalar_at(k, current_depth(k), proto);
}

Scalar *scalar_make(KernelBuilder *k, const Scalar *proto) {
    return intern_scalar(k, proto);
}

Scalar *scalar_argument(KernelBuilder *k, int number, int64_t low, int64_t high) {
    Scalar *scalar =
        intern_scalar(k, &(Scalar){.op = SCALAR_ARGUMENT, .type = TYPE_I64, .integer = number});
    scalar_bound(k, scalar, low, high);
    return scalar;
}

static int buffer_number(KernelBuilder *k, Buffer *buffer) {
    Kernel *kernel = k->kernel;
    for (int i = 0; i < kernel->buffers.count; i++) {
        if (kernel->buffers.at[i] == buffer) {
            return i;
        }
    }
    vec_push(k->arena, &kernel->buffers, buffer);
    vec_push(k->arena, &kernel->written, false);
    return kernel->buffers.count - 1;
}

static Scalar load_of(Buffer *buffer, Scalar *index) {
    return (Scalar){.op = SCALAR_LOAD,
                    .type = buffer->element,
                    .args = {index},
                    .arg_count = 1,
                    .buffer = buffer};
}

// Goes to the outermost place that knows the index, unless the kernel has stored to the buffer:
// then it stays behind that.
Scalar *scalar_load(KernelBuilder *k, Buffer *buffer, Scalar *index) {
    int number = buffer_number(k, buffer);
    Scalar load = load_of(buffer, index);
    return k->kernel->written.at[number] ? place_scalar(k, &load) : intern_scalar(k, &load);
}

Scalar *scalar_load_now(KernelBuilder *k, Buffer *buffer, Scalar *index) {
    buffer_number(k, buffer);
    Scalar load = load_of(buffer, index);
    return place_scalar(k, &load);
}

Scalar *scalar_local(KernelBuilder *k, Local *local, Scalar *index) {
    return place_scalar(k, &(Scalar){.op = SCALAR_LOCAL,
                                     .type = local->type,
                                     .args = {index},
                                     .arg_count = 1,
                                     .local = local});
}

void add_store(KernelBuilder *k, Buffer *buffer, Scalar *index, Scalar *value) {
    check(value->type == buffer->element, "a %s is stored in a buffer of %s",
          element_name(value->type), element_name(buffer->element));
    int number = buffer_number(k, buffer);
    k->kernel->written.at[number] = true;
    add_statement(
        k, current_depth(k),
        (Statement){.kind = STATEMENT_STORE, .buffer = buffer, .index = index, .value = value});
}

void add_set(KernelBuilder *k, Local *local, Scalar *index, Scalar *value) {
    check(value->type == local->type, "a %s is put in a local of %s", element_name(value->type),
          element_name(local->type));
    add_statement(
        k, current_depth(k),
        (Statement){.kind = STATEMENT_SET, .local = local, .index = index, .value = value});
}

void add_set_first(KernelBuilder *k, Local *local, Scalar *value) {
    check(scalar_facts(k, value)->depth == 0, "the value is not known at the start");
    add_statement(
        k, 0,
        (Statement){
            .kind = STATEMENT_SET, .local = local, .index = scalar_position(k, 0), .value = value});
}

enum { FLAG_TAG = -2 };

void add_flag(KernelBuilder *k, Local *flag, Scalar *condition) {
    const intptr_t words[] = {FLAG_TAG, (intptr_t)flag, (intptr_t)condition};
    if (known_find(k, words, 3) != NULL) {
        return;
    }
    int depth = natural_depth(k, &(Scalar){.op = SCALAR_NOT, .args = {condition}, .arg_count = 1});
    Scalar *zero = scalar_position(k, 0);
    Scalar load = {
        .op = SCALAR_LOCAL, .type = TYPE_BOOL, .args = {zero}, .arg_count = 1, .local = flag};
    Scalar *before = place_scalar_at(k, depth, &load);
    Scalar either = {
        .op = SCALAR_OR, .type = TYPE_BOOL, .args = {before, condition}, .arg_count = 2};
    Scalar *after = place_scalar_at(k, depth, &either);
    add_statement(k, depth,
                  (Statement){.kind = STATEMENT_SET, .local = flag, .index = zero, .value = after});
    known_add(k, words, 3, after);
}

void add_fail(KernelBuilder *k, Scalar *condition, int site) {
    k->kernel->fails = true;
    add_statement(k, current_depth(k),
                  (Statement){.kind = STATEMENT_FAIL, .condition = condition, .site = site});
}

Local *add_local(KernelBuilder *k, ElementType type, int64_t count, const char *name) {
    Local *local = arena_new(k->arena, Local);
    *local =
        (Local){.type = type, .count = (int)count, .name = name, .id = k->kernel->locals.count};
    vec_push(k->arena, &k->kernel->locals, local);
    return local;
}

static void open_scope(KernelBuilder *k, Statement *statement, Block *block, bool barrier) {
    push_scope(k, (Scope){.block = block, .statement = statement, .barrier = barrier});
}

static Statement *new_statement(KernelBuilder *k, Statement statement) {
    Statement *copy = arena_new(k->arena, Statement);
    *copy = statement;
    return copy;
}

void begin_loop_to(KernelBuilder *k, LoopKind kind, Scalar *extent, const char *name,
                   Scalar **index) {
    Loop *loop = arena_new(k->arena, Loop);
    *loop = (Loop){.kind = kind, .extent = extent, .name = name};
    Statement *statement = new_statement(k, (Statement){.kind = STATEMENT_LOOP, .loop = loop});
    open_scope(k, statement, &loop->body, false);
    loop->index = new_scalar(k, &(Scalar){.op = SCALAR_INDEX, .type = TYPE_I64, .loop = loop},
                             current_depth(k));
    *index = loop->index;
}

Scalar *begin_loop(KernelBuilder *k, LoopKind kind, int64_t extent, const char *name) {
    if (extent == 1) {
        push_scope(k, (Scope){.block = scope_at(k, current_depth(k))->block});
        return scalar_position(k, 0);
    }
    Scalar *index;
    begin_loop_to(k, kind, scalar_position(k, extent), name, &index);
    scalar_bound(k, index, 0, extent - 1);
    return index;
}

void set_room(KernelBuilder *k, int64_t room, bool is_free) {
    Statement *statement = scope_at(k, current_depth(k))->statement;
    if (statement != NULL && room > statement->loop->extent->integer) {
        statement->loop->room = room;
        statement->loop->free_room = is_free;
    }
}

void set_blocked(KernelBuilder *k) {
    Statement *statement = scope_at(k, current_depth(k))->statement;
    if (statement != NULL) {
        statement->loop->blocked = true;
    }
}

void begin_present(KernelBuilder *k, Buffer *buffer) {
    buffer_number(k, buffer);
    Statement *statement =
        new_statement(k, (Statement){.kind = STATEMENT_PRESENT, .buffer = buffer});
    open_scope(k, statement, &statement->body, true);
}

void begin_if(KernelBuilder *k, Scalar *condition) {
    Statement *statement =
        new_statement(k, (Statement){.kind = STATEMENT_IF, .condition = condition});
    open_scope(k, statement, &statement->body, true);
}

static void forget_known(Scope *scope) {
    for (int i = 0; i < scope->known.count; i++) {
        scope->known.at[i]->forgotten = true;
    }
    scope->known.count = 0;
}

void begin_else(KernelBuilder *k) {
    Scope *scope = scope_at(k, current_depth(k));
    forget_known(scope);
    scope->block = &scope->statement->otherwise;
}

void begin_while(KernelBuilder *k) {
    Statement *statement = new_statement(k, (Statement){.kind = STATEMENT_WHILE});
    open_scope(k, statement, &statement->body, true);
}

void begin_while_rest(KernelBuilder *k, Scalar *condition) {
    Statement *statement = scope_at(k, current_depth(k))->statement;
    statement->condition = condition;
    open_scope(k, NULL, &statement->otherwise, true);
}

void end_scope(KernelBuilder *k) {
    Scope *scope = scope_at(k, current_depth(k));
    forget_known(scope);
    Statement *statement = scope->statement;
    k->scopes.count--;
    if (statement != NULL) {
        vec_push(k->arena, &scope_at(k, current_depth(k))->block->statements, statement);
    }
}

void add_joined_rows(KernelBuilder *k, Local *rows, Local *totals, int lanes) {
    Scalar *row = begin_loop(k, LOOP_UNROLL, lanes, "row");
    Scalar *start = scalar_binary(k, SCALAR_MUL, row, scalar_position(k, lanes));
    add_set(k, totals, row, join_local(k, rows, start, lanes, SCALAR_ADD));
    end_scope(k);
}

Scalar *join_local(KernelBuilder *k, Local *local, Scalar *start, int64_t count, ScalarOp op) {
    for (int64_t half = count / 2; half >= 1; half /= 2) {
        Scalar *lane = begin_loop(k, LOOP_VECTOR, half, "lane");
        Scalar *place = scalar_binary(k, SCALAR_ADD, start, lane);
        Scalar *other = scalar_binary(k, SCALAR_ADD, place, scalar_position(k, half));
        Scalar *x = scalar_local(k, local, place), *y = scalar_local(k, local, other);
        add_set(k, local, place, scalar_binary(k, op, x, y));
        end_scope(k);
    }
    return scalar_local(k, local, start);
}
