// See split_chains.h.
#include "codegen/split_chains.h"

#include "codegen/parallel_plan.h"
#include "codegen/vector_math.h"

enum {
    BLOCK_BYTES = 512, // of a value in a block
    LEAST_BYTES = 256,
    NARROW_VECTOR = 32, // bytes; wider ones are so few that their steps wait less
    LONG_CHAIN = 55,    // cycles that a vector needs from its first load to its last store
    MOST_AGAIN = 3,     // loads and operations that are rather done again than stored
    MOST_ARRAYS = 2,
    MOST_ARRAYS_IN_C = 4, // whose vectors do not take turns
    LOAD_CYCLES = 5,
    UNKNOWN_FUNCTION = 60, // cycles
};

// How the second half comes by a value of the first.
typedef enum Way {
    WAY_NONE, // it needs it not
    WAY_AGAIN,
    WAY_RELOAD, // from where a store of the first half puts it
    WAY_ARRAY
} Way;

// Facts about a scalar of the loop, by its id.
typedef struct Fact {
    bool inside;   // of the loop
    bool position; // computed from indices alone: each half has its own
    bool first;    // in the first half
    bool needed;   // in the second half
    Way way;
    const Statement *store; // that puts it into memory
    Local *array;
} Fact;

typedef struct Chain {
    Arena *arena, *scratch;
    Kernel *kernel;
    const Loop *steps; // a serial loop with nothing in it but `vectors`, and positions; or NULL
    const Loop *vectors;
    int64_t count;      // iterations of `steps`, else of `vectors`
    int64_t block;      // of them that are a block
    int64_t elements;   // of a block
    const Scalar *call; // that is halved
    MathHalves halves;
    int known; // scalars of the kernel before; what follows is by their ids
    Fact *facts;
    int *depths;
    int arrays;
    bool in_c;                   // compilers gain nothing by halves of functions with a division
    Local *parts[MOST_CROSSING]; // of the call
} Chain;

// One of the halves while it is written.
typedef struct Half {
    Chain *chain;
    Scalar **copies; // by id
    Block *out;
    Scalar *stretch, *step; // the block, and the iteration of the outer loop in it
    Scalar *place;          // in the arrays
    bool second;
} Half;

static Fact *fact_of(const Chain *c, const Scalar *x) {
    return &c->facts[x->id];
}

static const Statement *statement_at(const Chain *c, int i) {
    return c->vectors->body.statements.at[i];
}

static int statement_count(const Chain *c) {
    return c->vectors->body.statements.count;
}

// Whether both halves have the scalar: it comes from around the loop, or from indices.
static bool is_in_both(const Chain *c, const Scalar *x) {
    return x->op == SCALAR_CONSTANT || !fact_of(c, x)->inside || fact_of(c, x)->position;
}

// A position that each half computes on its own.
static bool is_position(const Chain *c, const Scalar *x) {
    return x->op != SCALAR_CONSTANT && fact_of(c, x)->position;
}

static const Loop *outer_loop(const Chain *c) {
    return c->steps != NULL ? c->steps : c->vectors;
}

// ---- what is split

static bool computes_position(const Statement *s) {
    return s->kind == STATEMENT_SCALAR && s->scalar->type == TYPE_I64 &&
           s->scalar->op != SCALAR_LOAD && s->scalar->op != SCALAR_LOCAL;
}

// A loop with nothing in it but a loop of vectors, and positions before.
static const Loop *only_vectors(const Loop *loop) {
    int last = loop->body.statements.count - 1;
    for (int i = 0; i < last; i++) {
        if (!computes_position(loop->body.statements.at[i])) {
            return NULL;
        }
    }
    const Statement *s = last >= 0 ? loop->body.statements.at[last] : NULL;
    bool found = s != NULL && s->kind == STATEMENT_LOOP && s->loop->kind == LOOP_VECTOR;
    return found ? s->loop : NULL;
}

static bool is_simple(const Chain *c) {
    for (int i = 0; i < statement_count(c); i++) {
        StatementKind kind = statement_at(c, i)->kind;
        if (kind != STATEMENT_SCALAR && kind != STATEMENT_STORE && kind != STATEMENT_SET) {
            return false;
        }
    }
    return c->vectors->room == 0 && !c->vectors->free_room;
}

// The longest function with halves, and how long a vector takes.
static bool find_call(Chain *c) {
    int longest = 0, cycles = 0;
    for (int i = 0; i < statement_count(c); i++) {
        const Scalar *x = statement_at(c, i)->scalar;
        if (x == NULL) {
            continue;
        }
        int depth = math_latency(x, c->depths);
        MathHalves halves = {.latency = UNKNOWN_FUNCTION};
        if (x->op == SCALAR_LIBM) {
            bool has_halves = math_halves(c->scratch, x->name, x->type, &halves);
            depth += halves.latency;
            bool is_possible = has_halves && !(c->in_c && halves.divides);
            if (is_possible && halves.latency > longest) {
                longest = halves.latency;
                c->call = x;
                c->halves = halves;
            }
        }
        bool loads = x->op == SCALAR_LOAD || x->op == SCALAR_LOCAL;
        c->depths[x->id] = x->type == TYPE_I64 ? 0 : depth + (loads ? LOAD_CYCLES : 0);
        cycles = c->depths[x->id] > cycles ? c->depths[x->id] : cycles;
    }
    return c->call != NULL && cycles >= LONG_CHAIN;
}

// Blocks of about BLOCK_BYTES, if possible without a rest.
static bool choose_block(Chain *c) {
    int64_t bytes = (int64_t)element_bytes(c->call->type), lanes = 1;
    if (c->steps != NULL) {
        constant_extent(c->vectors, &lanes);
    }
    int64_t most = BLOCK_BYTES / (lanes * bytes), least = LEAST_BYTES / (lanes * bytes);
    int64_t vector = c->steps != NULL ? 1 : NARROW_VECTOR / bytes;
    for (int64_t i = 0; i < 2 * most && c->block == 0; i++) {
        int64_t size = i < most ? most - i : i + 1;
        bool fits = size > 1 && size >= least && size <= c->count;
        c->block = fits && c->count % size == 0 && size % vector == 0 ? size : 0;
    }
    if (c->block == 0 && c->steps != NULL && most > 1 && c->count >= 2 * most) {
        c->block = most; // the last one is shorter
    }
    c->elements = c->block * lanes;
    return c->block > 0;
}

// Whether each iteration has an element of its own: only then may one that is stored by the second
// half be loaded by the first.
static bool is_own_place(const Chain *c, const Scalar *index) {
    Affine at;
    int64_t lanes = 0;
    if (!affine_of(index, &at) || affine_factor(&at, c->vectors->index) != 1) {
        return false;
    }
    for (int i = 0; i < at.count; i++) {
        if (fact_of(c, at.terms[i].atom)->inside) {
            return false;
        }
    }
    return c->steps == NULL ||
           (constant_extent(c->vectors, &lanes) && affine_factor(&at, c->steps->index) == lanes);
}

static bool is_same_place(const Scalar *x, const Scalar *y) {
    Affine difference, other;
    return x == y || (affine_of(x, &difference) && affine_of(y, &other) &&
                      affine_add(&difference, &other, -1) && difference.count == 0 &&
                      difference.constant == 0);
}

// Whether the load, statement number `at`, comes to the same if it is done before all stores of the
// second half.
static bool may_be_early(const Chain *c, const Scalar *load, int at) {
    for (int i = 0; i < statement_count(c); i++) {
        const Statement *s = statement_at(c, i);
        if (s->kind == STATEMENT_STORE && load->op == SCALAR_LOAD && s->buffer == load->buffer &&
            !(i > at && is_own_place(c, s->index) && is_same_place(s->index, load->args[0]))) {
            return false;
        }
        if (s->kind == STATEMENT_SET && load->op == SCALAR_LOCAL && s->local == load->local) {
            return false;
        }
    }
    return true;
}

// Marks what the argument of the call is computed from.
static bool find_first_half(Chain *c) {
    for (int i = 0; i < c->call->arg_count; i++) {
        if (c->call->args[i]->op != SCALAR_CONSTANT) {
            fact_of(c, c->call->args[i])->first = true;
        }
    }
    for (int i = statement_count(c) - 1; i >= 0; i--) {
        const Scalar *x = statement_at(c, i)->scalar;
        if (x == NULL || !fact_of(c, x)->first) {
            continue;
        }
        if ((x->op == SCALAR_LOAD || x->op == SCALAR_LOCAL) && !may_be_early(c, x, i)) {
            return false;
        }
        for (int k = 0; k < x->arg_count; k++) {
            fact_of(c, x->args[k])->first |= fact_of(c, x->args[k])->inside;
        }
    }
    return true;
}

// ---- how values come to the second half

static int mentions_of(const Chain *c, const Buffer *buffer) {
    int count = 0;
    for (int i = 0; i < statement_count(c); i++) {
        const Statement *s = statement_at(c, i);
        bool loads = s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LOAD &&
                     s->scalar->buffer == buffer;
        count += loads || (s->kind == STATEMENT_STORE && s->buffer == buffer);
    }
    return count;
}

// Stores of values of the first half are a part of it.
static bool is_first_store(const Chain *c, const Statement *s) {
    return s->kind == STATEMENT_STORE && s->value->op != SCALAR_CONSTANT &&
           fact_of(c, s->value)->first && is_in_both(c, s->index) && mentions_of(c, s->buffer) == 1;
}

static void find_stores(Chain *c) {
    for (int i = 0; i < statement_count(c); i++) {
        const Statement *s = statement_at(c, i);
        if (is_first_store(c, s) && s->buffer->element == s->value->type &&
            is_own_place(c, s->index)) {
            fact_of(c, s->value)->store = s;
        }
    }
}

// Loads and operations that it takes to have the value again.
static int again_cost(const Chain *c, const Scalar *x) {
    if (is_in_both(c, x)) {
        return 0;
    }
    if (fact_of(c, x)->store != NULL || fact_of(c, x)->way == WAY_ARRAY) {
        return 1;
    }
    if (x->op == SCALAR_LIBM || x->op == SCALAR_DIV || x->op == SCALAR_SQRT) {
        return MOST_AGAIN + 1;
    }
    int cost = 1;
    for (int i = 0; i < x->arg_count && cost <= MOST_AGAIN; i++) {
        cost += again_cost(c, x->args[i]);
    }
    return cost;
}

static Local *new_array(Chain *c, ElementType type) {
    Local *local = arena_new(c->arena, Local);
    *local = (Local){
        .type = type, .count = (int)c->elements, .name = "begun", .id = c->kernel->locals.count};
    vec_push(c->arena, &c->kernel->locals, local);
    return local;
}

// A value that the second half needs. False: it may not have it.
static bool choose_way(Chain *c, const Scalar *x) {
    if (is_in_both(c, x)) {
        return true;
    }
    Fact *fact = fact_of(c, x);
    fact->needed = true;
    if (!fact->first || fact->way != WAY_NONE) {
        return true;
    }
    if (fact->store != NULL) {
        fact->way = WAY_RELOAD;
        return true;
    }
    if (again_cost(c, x) > MOST_AGAIN) {
        fact->way = WAY_ARRAY;
        c->arrays++;
        return element_is_real(x->type);
    }
    fact->way = WAY_AGAIN;
    bool can = true;
    for (int i = 0; i < x->arg_count; i++) {
        can = can && choose_way(c, x->args[i]);
    }
    return can;
}

// Whether a value of the function's first half is stored; what takes a step or two is not.
static bool is_kept(const Chain *c, int part) {
    return c->halves.first[part] != NULL && c->halves.steps[part] >= MOST_AGAIN;
}

// Chooses for all that the second half needs; in it that is marked as needed.
static bool choose_ways(Chain *c) {
    bool can = true;
    for (int i = statement_count(c) - 1; i >= 0 && can; i--) {
        const Statement *s = statement_at(c, i);
        if (s->kind != STATEMENT_SCALAR) {
            can = is_first_store(c, s) || (choose_way(c, s->index) && choose_way(c, s->value));
        } else if (s->scalar != c->call && !fact_of(c, s->scalar)->first) {
            // What nothing needs was removed before.
            for (int k = 0; k < s->scalar->arg_count; k++) {
                can = can && choose_way(c, s->scalar->args[k]);
            }
        }
    }
    for (int i = 0; i < c->halves.count; i++) {
        c->arrays += is_kept(c, i);
        can = can && (is_kept(c, i) || choose_way(c, c->call->args[0]));
    }
    return can && c->arrays > 0 && c->arrays <= (c->in_c ? MOST_ARRAYS_IN_C : MOST_ARRAYS);
}

// ---- writing the halves

static Scalar *place_copy(Half *half, Scalar *x);

// The scalar of the half. Positions are computed where they are needed first.
static Scalar *copy_of(Half *half, Scalar *x) {
    const Chain *c = half->chain;
    if (half->copies[x->id] != NULL) {
        return half->copies[x->id];
    }
    if (x == outer_loop(c)->index) {
        Scalar *size = new_position(c->arena, c->kernel, c->block);
        Scalar *first =
            place_binary(c->arena, c->kernel, half->out, SCALAR_MUL, half->stretch, size);
        return half->copies[x->id] =
                   place_binary(c->arena, c->kernel, half->out, SCALAR_ADD, first, half->step);
    }
    return is_position(c, x) ? place_copy(half, x) : x;
}

static Scalar *place_copy(Half *half, Scalar *x) {
    Scalar copy = *x;
    for (int i = 0; i < x->arg_count; i++) {
        copy.args[i] = copy_of(half, x->args[i]);
    }
    Chain *c = half->chain;
    return half->copies[x->id] = place_scalar(c->arena, c->kernel, half->out, &copy);
}

static Scalar *place_read(Half *half, Local *array) {
    Chain *c = half->chain;
    Scalar read = {.op = SCALAR_LOCAL,
                   .type = array->type,
                   .local = array,
                   .args = {half->place},
                   .arg_count = 1};
    return place_scalar(c->arena, c->kernel, half->out, &read);
}

static void place_set(Half *half, Local *array, Scalar *value) {
    place_statement(
        half->chain->arena, half->out,
        &(Statement){.kind = STATEMENT_SET, .local = array, .index = half->place, .value = value});
}

static void write_store(Half *half, const Statement *s) {
    Statement copy = *s;
    copy.index = copy_of(half, s->index);
    copy.value = copy_of(half, s->value);
    place_statement(half->chain->arena, half->out, &copy);
}

static Scalar *place_call(Half *half, const char *name, Scalar *const *args, int count) {
    Chain *c = half->chain;
    Scalar call = {.op = SCALAR_LIBM,
                   .type = c->call->type,
                   .arg_count = count,
                   .name = arena_format(c->arena, "%s", name)};
    for (int i = 0; i < count; i++) {
        call.args[i] = args[i];
    }
    return place_scalar(c->arena, c->kernel, half->out, &call);
}

// What the second half finds in arrays.
static void write_parts(Half *half) {
    Chain *c = half->chain;
    Scalar *argument = copy_of(half, c->call->args[0]);
    for (int i = 0; i < c->halves.count; i++) {
        if (is_kept(c, i)) {
            c->parts[i] = new_array(c, c->call->type);
            place_set(half, c->parts[i], place_call(half, c->halves.first[i], &argument, 1));
        }
    }
    for (int i = 0; i < statement_count(c); i++) {
        Scalar *x = statement_at(c, i)->scalar;
        if (x != NULL && fact_of(c, x)->way == WAY_ARRAY) {
            fact_of(c, x)->array = new_array(c, x->type);
            place_set(half, fact_of(c, x)->array, copy_of(half, x));
        }
    }
}

static void write_first(Half *half) {
    Chain *c = half->chain;
    for (int i = 0; i < statement_count(c); i++) {
        const Statement *s = statement_at(c, i);
        if (s->kind == STATEMENT_SCALAR && fact_of(c, s->scalar)->first &&
            !is_position(c, s->scalar)) {
            place_copy(half, s->scalar);
        } else if (is_first_store(c, s)) {
            write_store(half, s);
        }
    }
    write_parts(half);
}

static void write_second_scalar(Half *half, Scalar *x) {
    Chain *c = half->chain;
    const Fact *fact = fact_of(c, x);
    if (x == c->call) {
        Scalar *args[MOST_CROSSING];
        for (int i = 0; i < c->halves.count; i++) {
            Scalar *argument = copy_of(half, c->call->args[0]);
            args[i] = is_kept(c, i) ? place_read(half, c->parts[i])
                      : c->halves.first[i] != NULL
                          ? place_call(half, c->halves.first[i], &argument, 1)
                          : argument;
        }
        half->copies[x->id] = place_call(half, c->halves.second, args, c->halves.count);
    } else if (!fact->needed) {
        return;
    } else if (fact->way == WAY_ARRAY) {
        half->copies[x->id] = place_read(half, fact->array);
    } else if (fact->way == WAY_RELOAD) {
        Scalar load = {.op = SCALAR_LOAD,
                       .type = x->type,
                       .buffer = fact->store->buffer,
                       .args = {copy_of(half, fact->store->index)},
                       .arg_count = 1};
        half->copies[x->id] = place_scalar(c->arena, c->kernel, half->out, &load);
    } else {
        place_copy(half, x);
    }
}

static void write_statements(Half *half) {
    const Chain *c = half->chain;
    for (int i = 0; i < statement_count(c) && half->second; i++) {
        const Statement *s = statement_at(c, i);
        if (s->kind == STATEMENT_SCALAR) {
            write_second_scalar(half, s->scalar);
        } else if (!is_first_store(c, s)) {
            write_store(half, s);
        }
    }
    if (!half->second) {
        write_first(half);
    }
}

// The loop of vectors of one half, in one over the steps of a block if there are such.
static void write_half(Chain *c, bool second, Block *out, Scalar *stretch, Scalar *extent) {
    Loop *loop =
        place_loop(c->arena, c->kernel, out, outer_loop(c)->kind, extent, outer_loop(c)->name);
    Half half = {.chain = c,
                 .copies = arena_array(c->scratch, Scalar *, c->known),
                 .out = &loop->body,
                 .stretch = stretch,
                 .step = loop->index,
                 .place = loop->index,
                 .second = second};
    if (c->steps != NULL) {
        Scalar *lanes = new_position(c->arena, c->kernel, c->elements / c->block);
        Scalar *start = place_binary(c->arena, c->kernel, half.out, SCALAR_MUL, loop->index, lanes);
        loop = place_loop(c->arena, c->kernel, half.out, LOOP_VECTOR, c->vectors->extent,
                          c->vectors->name);
        loop->one_vector = c->vectors->one_vector;
        half.out = &loop->body;
        half.copies[c->vectors->index->id] = loop->index;
        half.place = place_binary(c->arena, c->kernel, half.out, SCALAR_ADD, start, loop->index);
    }
    write_statements(&half);
}

// A loop over blocks takes the place of the statement's.
static void write_blocks(Chain *c, Statement *statement) {
    Block around = {{0}};
    int64_t blocks = (c->count + c->block - 1) / c->block;
    Scalar *size = new_position(c->arena, c->kernel, c->block), *extent = size;
    Loop *loop = place_loop(c->arena, c->kernel, &around, LOOP_SERIAL,
                            new_position(c->arena, c->kernel, blocks), "stretch");
    if (c->count % c->block != 0) {
        Scalar *is_whole = place_binary(c->arena, c->kernel, &loop->body, SCALAR_LT, loop->index,
                                        new_position(c->arena, c->kernel, blocks - 1));
        Scalar *rest = new_position(c->arena, c->kernel, c->count % c->block);
        Scalar choice = {
            .op = SCALAR_SELECT, .type = TYPE_I64, .args = {is_whole, size, rest}, .arg_count = 3};
        extent = place_scalar(c->arena, c->kernel, &loop->body, &choice);
    }
    write_half(c, false, &loop->body, loop->index, extent);
    write_half(c, true, &loop->body, loop->index, extent);
    statement->loop = loop;
}

static void note_scalar(Chain *c, const Statement *s) {
    bool position = computes_position(s) && s->scalar->op != SCALAR_CAST;
    for (int k = 0; position && k < s->scalar->arg_count; k++) {
        const Scalar *arg = s->scalar->args[k];
        position = arg->type == TYPE_I64 && is_in_both(c, arg);
    }
    fact_of(c, s->scalar)->inside = true;
    fact_of(c, s->scalar)->position = position;
}

static void note_inside(Chain *c) {
    for (int i = 0; c->steps != NULL && i < c->steps->body.statements.count - 1; i++) {
        note_scalar(c, c->steps->body.statements.at[i]);
    }
    for (int i = 0; i < statement_count(c); i++) {
        if (statement_at(c, i)->kind == STATEMENT_SCALAR) {
            note_scalar(c, statement_at(c, i));
        }
    }
}

typedef struct Splitter {
    Arena *arena;
    Kernel *kernel;
    bool in_c;
} Splitter;

// `steps` may be NULL.
static void try_to_split(const Splitter *splitter, Statement *statement, const Loop *steps,
                         const Loop *vectors) {
    Arena scratch = {0};
    Kernel *kernel = splitter->kernel;
    Chain c = {.arena = splitter->arena,
               .in_c = splitter->in_c,
               .scratch = &scratch,
               .kernel = kernel,
               .steps = steps,
               .vectors = vectors,
               .known = kernel->scalar_count,
               .facts = arena_array(&scratch, Fact, kernel->scalar_count),
               .depths = arena_array(&scratch, int, kernel->scalar_count)};
    int64_t lanes;
    bool fits = constant_extent(steps != NULL ? steps : vectors, &c.count) &&
                constant_extent(vectors, &lanes) && is_simple(&c) && find_call(&c) &&
                choose_block(&c);
    if (fits) {
        note_inside(&c);
        fits = find_first_half(&c);
    }
    if (fits) {
        find_stores(&c);
        if (choose_ways(&c)) {
            write_blocks(&c, statement);
        }
    }
    arena_free(&scratch);
}

static void split_in_block(const Splitter *splitter, Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        Statement *s = block->statements.at[i];
        const Loop *vectors = s->kind == STATEMENT_LOOP ? only_vectors(s->loop) : NULL;
        if (vectors != NULL && s->loop->kind == LOOP_SERIAL) {
            try_to_split(splitter, s, s->loop, vectors);
        } else if (s->kind == STATEMENT_LOOP && s->loop->kind == LOOP_VECTOR) {
            try_to_split(splitter, s, NULL, s->loop);
        } else if (s->kind == STATEMENT_LOOP) {
            split_in_block(splitter, &s->loop->body);
        }
        split_in_block(splitter, &s->body);
        split_in_block(splitter, &s->otherwise);
    }
}

void split_chains(Program *program, const LowerOptions *options) {
    bool is_worth_it = options->unmasked || options->vector_bytes == NARROW_VECTOR;
    for (int i = 0; i < program->kernels.count && is_worth_it; i++) {
        Splitter splitter = {
            .arena = program->arena, .kernel = program->kernels.at[i], .in_c = options->unmasked};
        if (!splitter.kernel->splits) {
            split_in_block(&splitter, &splitter.kernel->body);
        }
        splitter.kernel->splits = true;
    }
}
