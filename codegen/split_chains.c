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
    int *depths, *heights; // cycles before, with its own, and behind
    int arrays;
    bool in_c;
    Local *parts[MOST_CROSSING]; // of the call
} Chain;

// One of the halves while it is written.
typedef struct Half {
    Chain *chain;
    Scalar **copies; // by id
    Block *out;
    Scalar *stretch, *step; // the block, and the iteration of the outer loop in it
    Scalar *place;          // in the arrays
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

// Not all arithmetic of integers: random numbers are long chains of it.
static bool computes_position(const Statement *s) {
    if (s->kind != STATEMENT_SCALAR || s->scalar->type != TYPE_I64) {
        return false;
    }
    switch (s->scalar->op) {
    case SCALAR_ADD:
    case SCALAR_SUB:
    case SCALAR_MUL:
    case SCALAR_DIV:
    case SCALAR_REMAINDER:
    case SCALAR_NEG: return true;
    default: return false;
    }
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

// Cycles of the scalar itself.
static int cycles_of(const Chain *c, const Scalar *x, const MathHalves *halves) {
    if (x->op == SCALAR_LIBM) {
        return halves->latency;
    }
    bool loads = x->op == SCALAR_LOAD || x->op == SCALAR_LOCAL;
    return x->type == TYPE_I64 ? 0 : loads ? LOAD_CYCLES : math_cycles(x);
}

// How long scalars wait for what comes before them, and what comes behind waits for them.
static void find_depths(Chain *c, MathHalves *halves, bool *has_halves) {
    for (int i = 0; i < statement_count(c); i++) {
        const Scalar *x = statement_at(c, i)->scalar;
        if (x == NULL) {
            continue;
        }
        if (x->op == SCALAR_LIBM) {
            halves[i].latency = UNKNOWN_FUNCTION;
            has_halves[i] = math_halves(c->scratch, x->name, x->type, &halves[i]);
        }
        for (int k = 0; k < x->arg_count; k++) {
            int before = x->args[k]->op == SCALAR_CONSTANT ? 0 : c->depths[x->args[k]->id];
            c->depths[x->id] = before > c->depths[x->id] ? before : c->depths[x->id];
        }
        c->depths[x->id] += cycles_of(c, x, &halves[i]);
    }
    for (int i = statement_count(c) - 1; i >= 0; i--) {
        const Scalar *x = statement_at(c, i)->scalar;
        int own = x == NULL ? 0 : c->heights[x->id] + cycles_of(c, x, &halves[i]);
        for (int k = 0; x != NULL && k < x->arg_count; k++) {
            int *height = &c->heights[x->args[k]->id];
            *height = own > *height ? own : *height;
        }
    }
}

// The function in whose middle a long chain is halved best.
static bool find_call(Chain *c) {
    int count = statement_count(c), longest = 0;
    MathHalves *halves = arena_array(c->scratch, MathHalves, count);
    bool *has_halves = arena_array(c->scratch, bool, count);
    find_depths(c, halves, has_halves);
    for (int i = 0; i < count; i++) {
        // Compilers gain nothing by halves of a function with a division.
        if (!has_halves[i] || (c->in_c && halves[i].divides)) {
            continue;
        }
        const Scalar *call = statement_at(c, i)->scalar;
        int half = halves[i].latency / 2;
        int before = c->depths[call->id] - half, after = c->heights[call->id] + half;
        int shorter = before < after ? before : after;
        if (before + after >= LONG_CHAIN && shorter > longest) {
            longest = shorter;
            c->call = call;
            c->halves = halves[i];
        }
    }
    return c->call != NULL;
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

// Whether compilers may round a product in the scalar on its own, or with the sum that it is here:
// that depends on what else reads the product, so in both halves the value might differ, and by
// what follows from it, as the whole number below.
static bool may_be_contracted(const Scalar *x) {
    bool found = false;
    for (int i = 0; i < x->arg_count && (x->op == SCALAR_ADD || x->op == SCALAR_SUB); i++) {
        const Scalar *part = x->args[i];
        while (part->op == SCALAR_NEG) {
            part = part->args[0];
        }
        found = found || (part->op == SCALAR_MUL && element_is_real(part->type));
    }
    return found;
}

// Loads and operations that it takes to have the value again, bit by bit.
static int again_cost(const Chain *c, const Scalar *x) {
    if (is_in_both(c, x)) {
        return 0;
    }
    if (fact_of(c, x)->store != NULL || fact_of(c, x)->way == WAY_ARRAY) {
        return 1;
    }
    if (x->op == SCALAR_LIBM || x->op == SCALAR_DIV || x->op == SCALAR_SQRT ||
        may_be_contracted(x)) {
        return MOST_AGAIN + 1;
    }
    int cost = 1;
    for (int i = 0; i < x->arg_count && cost <= MOST_AGAIN; i++) {
        cost += again_cost(c, x->args[i]);
    }
    return cost;
}

static Local *new_array(Chain *c, ElementType type) {
    return new_local_array(c->arena, c->kernel, type, c->elements, "begun");
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

// Both halves of the function must see the same argument, too: C's compilers may round a product
// with the function's first sum. One that is stored is rounded before.
static bool choose_way_of_argument(Chain *c) {
    const Scalar *x = c->call->args[0];
    if (is_in_both(c, x) || x->op == SCALAR_LOAD || fact_of(c, x)->store != NULL) {
        return choose_way(c, x);
    }
    Fact *fact = fact_of(c, x);
    c->arrays += fact->way != WAY_ARRAY;
    fact->needed = true;
    fact->way = WAY_ARRAY;
    return element_is_real(x->type);
}

// Whether a value of the function's first half is stored. A single step is done again: it is
// rounded in one way.
static bool is_kept(const Chain *c, int part) {
    return c->halves.first[part] != NULL && c->halves.steps[part] > 1;
}

// Chooses for all that the second half needs; in it that is marked as needed.
static bool choose_ways(Chain *c) {
    bool can = true;
    for (int i = 0; i < c->halves.count; i++) {
        c->arrays += is_kept(c, i);
        can = can && (is_kept(c, i) || choose_way_of_argument(c));
    }
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
    check(is_in_both(c, x), "half of a loop in kernel %s lacks s%d", c->kernel->name, x->id);
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

static Scalar *read_array(Half *half, Local *array) {
    return place_read(half->chain->arena, half->chain->kernel, half->out, array, half->place);
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

static Scalar *second_argument(Half *half, int part) {
    Chain *c = half->chain;
    if (is_kept(c, part)) {
        return read_array(half, c->parts[part]);
    }
    const char *first = c->halves.first[part];
    Scalar *argument = copy_of(half, c->call->args[0]);
    return first != NULL ? place_call(half, first, &argument, 1) : argument;
}

static void write_second_scalar(Half *half, Scalar *x) {
    Chain *c = half->chain;
    const Fact *fact = fact_of(c, x);
    if (x == c->call) {
        Scalar *args[MOST_CROSSING];
        for (int i = 0; i < c->halves.count; i++) {
            args[i] = second_argument(half, i);
        }
        half->copies[x->id] = place_call(half, c->halves.second, args, c->halves.count);
    } else if (!fact->needed) {
        return;
    } else if (fact->way == WAY_ARRAY) {
        half->copies[x->id] = read_array(half, fact->array);
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

static void write_second(Half *half) {
    const Chain *c = half->chain;
    for (int i = 0; i < statement_count(c); i++) {
        const Statement *s = statement_at(c, i);
        if (s->kind == STATEMENT_SCALAR) {
            write_second_scalar(half, s->scalar);
        } else if (!is_first_store(c, s)) {
            write_store(half, s);
        }
    }
}

// The loop of vectors of one half, in one over the steps of a block if there are such.
static void write_half(Chain *c, void (*write)(Half *half), Block *out, Scalar *stretch,
                       Scalar *extent) {
    Loop *loop =
        place_loop(c->arena, c->kernel, out, outer_loop(c)->kind, extent, outer_loop(c)->name);
    Half half = {.chain = c,
                 .copies = arena_array(c->scratch, Scalar *, c->known),
                 .out = &loop->body,
                 .stretch = stretch,
                 .step = loop->index,
                 .place = loop->index};
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
    write(&half);
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
    write_half(c, write_first, &loop->body, loop->index, extent);
    write_half(c, write_second, &loop->body, loop->index, extent);
    statement->loop = loop;
}

static void note_scalar(Chain *c, const Statement *s) {
    bool position = computes_position(s);
    for (int k = 0; position && k < s->scalar->arg_count; k++) {
        position = is_in_both(c, s->scalar->args[k]);
    }
    fact_of(c, s->scalar)->inside = true;
    fact_of(c, s->scalar)->position = position;
}

static void note_inside(Chain *c) {
    for (int i = 0; c->steps != NULL && i < c->steps->body.statements.count - 1; i++) {
        note_scalar(c, c->steps->body.statements.at[i]); // a position (only_vectors)
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

// `steps` may be NULL. False: the loop is left alone.
static bool try_to_split(const Splitter *splitter, Statement *statement, const Loop *steps,
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
               .depths = arena_array(&scratch, int, kernel->scalar_count),
               .heights = arena_array(&scratch, int, kernel->scalar_count)};
    int64_t lanes;
    bool fits = constant_extent(steps != NULL ? steps : vectors, &c.count) &&
                constant_extent(vectors, &lanes) && lanes > 0 && is_simple(&c) && find_call(&c) &&
                choose_block(&c);
    if (fits) {
        note_inside(&c);
        fits = find_first_half(&c);
    }
    if (fits) {
        find_stores(&c);
        fits = choose_ways(&c);
    }
    if (fits) {
        write_blocks(&c, statement);
    }
    arena_free(&scratch);
    return fits;
}

static void split_in_block(const Splitter *splitter, Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        Statement *s = block->statements.at[i];
        const Loop *vectors = s->kind == STATEMENT_LOOP ? only_vectors(s->loop) : NULL;
        bool is_pair = vectors != NULL && s->loop->kind == LOOP_SERIAL;
        if (s->kind == STATEMENT_LOOP && s->loop->kind == LOOP_VECTOR) {
            try_to_split(splitter, s, NULL, s->loop);
        } else if (s->kind == STATEMENT_LOOP &&
                   !(is_pair && try_to_split(splitter, s, s->loop, vectors))) {
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
