// Functions in two halves. A function's first half ends at a step in the middle of the longest
// chain of steps that wait for each other; its second half reads that step, and what else was
// computed before and is needed still.
#include <string.h>

#include "codegen/vector_math.h"

enum { CROSSING_COST = 8 }; // cycles of the longer half that one value less is worth

static const char end_suffix[] = "_end", part_suffix[] = "_part_";

size_t math_base_length(const char *name) {
    size_t length = strlen(name), end = sizeof end_suffix - 1, part = sizeof part_suffix - 1;
    if (length > end && strcmp(name + length - end, end_suffix) == 0)
        return length - end;
    if (length > part + 1 && strncmp(name + length - part - 1, part_suffix, part) == 0)
        return length - part - 1;
    return length;
}

// Those of Zen 3 and Skylake hardly differ.
int math_cycles(const Scalar *step) {
    switch (step->op) {
    case SCALAR_ADD:
    case SCALAR_SUB: return element_is_real(step->type) ? 3 : 1;
    case SCALAR_MUL: return element_is_real(step->type) ? 3 : 10;
    case SCALAR_FMA:
    case SCALAR_CAST: return 4;
    case SCALAR_DIV:
    case SCALAR_SQRT: return 13;
    default: return 1;
    }
}

// Cycles until the scalar is computed, from those of its operands by id.
static int depth_of(const Scalar *scalar, const int *depths) {
    int depth = 0;
    for (int i = 0; i < scalar->arg_count; i++) {
        const Scalar *arg = scalar->args[i];
        int before = arg->op == SCALAR_CONSTANT ? 0 : depths[arg->id];
        depth = before > depth ? before : depth;
    }
    return depth + math_cycles(scalar);
}

// A function on its way into halves, by ids of its scalars.
typedef struct Division {
    MathFunction *function;
    int *depths;
    bool *first; // steps of the first half
    int count;
    Scalar *crossing[MOST_CROSSING]; // values that the second half reads
} Division;

static void find_depths(Division *d) {
    for (int i = 0; i < d->function->steps.count; i++) {
        const Scalar *step = d->function->steps.at[i];
        d->depths[step->id] = depth_of(step, d->depths);
    }
}

static bool is_first(const Division *d, const Scalar *scalar) {
    return scalar->op == SCALAR_ARGUMENT || (scalar->op != SCALAR_CONSTANT && d->first[scalar->id]);
}

// False if too many values cross, or one of another type.
static bool add_crossing(Division *d, Scalar *scalar) {
    for (int i = 0; i < d->count; i++)
        if (d->crossing[i] == scalar)
            return true;
    if (d->count == MOST_CROSSING || scalar->type != d->function->type)
        return false;
    d->crossing[d->count++] = scalar;
    return true;
}

// The first half is all that `middle` is computed from.
static bool divide_at(Division *d, Scalar *middle) {
    const MathFunction *function = d->function;
    memset(d->first, 0, (size_t)function->scalar_count * sizeof *d->first);
    d->first[middle->id] = true;
    d->count = 0;
    for (int i = function->steps.count - 1; i >= 0; i--) {
        const Scalar *step = function->steps.at[i];
        for (int k = 0; d->first[step->id] && k < step->arg_count; k++)
            d->first[step->args[k]->id] = true;
    }
    bool fits = add_crossing(d, middle);
    for (int i = 0; i < function->steps.count && fits; i++) {
        const Scalar *step = function->steps.at[i];
        for (int k = 0; !d->first[step->id] && k < step->arg_count && fits; k++)
            fits = !is_first(d, step->args[k]) || add_crossing(d, step->args[k]);
    }
    return fits;
}

// The step on the longest chain that leaves the shortest halves; NULL: there is none.
static Scalar *find_middle(Division *d) {
    const MathFunction *function = d->function;
    int whole = d->depths[function->result->id], least = whole;
    Scalar *best = NULL;
    for (int i = 0; i < function->steps.count; i++) {
        Scalar *step = function->steps.at[i];
        int before = d->depths[step->id], after = whole - before;
        if (step->type != function->type || 4 * before < whole || 4 * after < whole ||
            !divide_at(d, step))
            continue;
        int cost = (before > after ? before : after) + CROSSING_COST * (d->count - 1);
        if (cost < least) {
            least = cost;
            best = step;
        }
    }
    return best;
}

// False if the function has no halves. It is a new one, which nobody else has.
static bool divide(Arena *arena, MathFunction *function, Division *d) {
    if (function == NULL || function->rare != NULL || function->arity != 1)
        return false;
    *d = (Division){.function = function,
                    .depths = arena_array(arena, int, function->scalar_count),
                    .first = arena_array(arena, bool, function->scalar_count)};
    find_depths(d);
    Scalar *middle = find_middle(d);
    return middle != NULL && divide_at(d, middle);
}

static MathFunction *whole_function(Arena *arena, const char *name, ElementType type) {
    bool is_half = math_base_length(name) < strlen(name);
    // Halves are those of code that has no more than branches.
    return is_half ? NULL : math_function(arena, name, type, (MathAbilities){.branch = true});
}

bool math_halves(Arena *arena, const char *name, ElementType type, MathHalves *out) {
    Division d;
    if (!divide(arena, whole_function(arena, name, type), &d))
        return false;
    *out = (MathHalves){.latency = d.depths[d.function->result->id],
                        .count = d.count,
                        .second = arena_format(arena, "%s%s", name, end_suffix)};
    for (int i = 0; i < d.function->steps.count; i++)
        out->divides |= d.function->steps.at[i]->op == SCALAR_DIV;
    for (int i = 0; i < d.count; i++) {
        if (d.crossing[i]->op == SCALAR_ARGUMENT)
            continue;
        out->first[i] = arena_format(arena, "%s%s%d", name, part_suffix, i + 1);
        out->steps[i] = half_of_function(arena, out->first[i], type)->steps.count;
    }
    return true;
}

static void keep_first(Division *d, int which) {
    MathFunction *function = d->function;
    int kept = 0;
    function->result = d->crossing[which];
    for (int i = 0; i < function->steps.count; i++)
        if (d->first[function->steps.at[i]->id])
            function->steps.at[kept++] = function->steps.at[i];
    function->steps.count = kept;
}

static void keep_second(Arena *arena, Division *d) {
    MathFunction *function = d->function;
    int kept = 0;
    for (int i = 0; i < d->count; i++) {
        function->arguments[i] = arena_new(arena, Scalar);
        *function->arguments[i] = (Scalar){.op = SCALAR_ARGUMENT,
                                           .type = function->type,
                                           .integer = i,
                                           .id = function->scalar_count++};
    }
    function->arity = d->count;
    for (int i = 0; i < function->steps.count; i++) {
        Scalar *step = function->steps.at[i];
        if (d->first[step->id])
            continue;
        for (int k = 0; k < step->arg_count; k++)
            for (int c = 0; c < d->count; c++)
                if (step->args[k] == d->crossing[c])
                    step->args[k] = function->arguments[c];
        function->steps.at[kept++] = step;
    }
    function->steps.count = kept;
}

MathFunction *half_of_function(Arena *arena, const char *name, ElementType type) {
    size_t length = math_base_length(name);
    if (name[length] == '\0')
        return NULL;
    Division d;
    const char *base = arena_format(arena, "%.*s", (int)length, name);
    if (!divide(arena, whole_function(arena, base, type), &d))
        return NULL;
    int which = name[strlen(name) - 1] - '1';
    bool is_end = strcmp(name + length, end_suffix) == 0;
    if (is_end)
        keep_second(arena, &d);
    else if (which >= 0 && which < d.count)
        keep_first(&d, which);
    else
        return NULL;
    d.function->name = arena_format(arena, "%s", name);
    math_drop_unused(arena, d.function);
    return d.function;
}
