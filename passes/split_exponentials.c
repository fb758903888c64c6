// The sum of exponentials of a long row, each less the largest element, as in a log-sum-exp. The
// largest must be known before the first exponential, so the row would be read from memory once for
// it and again for the sum. Instead the row is cut in parts that stay in the cache: each has its
// own largest element and its own sum, which is scaled when the largest of all is known. What is
// taken from the elements may be another number that is made of the largest, as 0 where that is
// infinite.
#include <math.h>

#include "passes/match.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

enum {
    LONGEST_PART = 1 << 14, // bytes: half of the first cache, or less
    MOST_STEPS = 6          // from the largest element to what is taken from all
};

typedef struct Pair {
    const Value *largest, *sum; // as they were
    int64_t part;               // elements
    Value *maxima;              // of the parts, once the first of the two is rewritten
} Pair;

typedef struct Pairs {
    VEC(Pair) list;
} Pairs;

// Elements of a part of the row, or 0: it is not long, or cannot be cut in equal parts.
static int64_t part_of(const Value *x, int64_t large) {
    Type type = x->type;
    if (type.rank != 1 || !type_is_static(type) || !element_is_real(type.element) ||
        (int64_t)type_bytes(type) < large) {
        return 0;
    }
    int64_t most = LONGEST_PART / (int64_t)element_bytes(type.element);
    int64_t part = largest_divisor(type_elements(type), most);
    return 4 * part >= most ? part : 0;
}

// The largest element of x, if a single number is made of it.
static const Inst *largest_behind(const Value *number, const Value *x, int steps) {
    const Inst *inst = number->definition;
    if (inst == NULL || type_elements(number->type) != 1 || steps == 0) {
        return NULL;
    }
    if (inst->op == OP_reduce_max && inst->operands[0] == x) {
        return inst;
    }
    const Inst *found = NULL;
    bool goes_on = is_view(inst) || op_info(inst->op)->elementwise;
    for (int i = 0; goes_on && found == NULL && i < inst->operand_count; i++) {
        found = largest_behind(inst->operands[i], x, steps - 1);
    }
    return found;
}

// sum(exp(x - max(x))), if the exponentials are no result: those would be computed twice.
static bool match_pair(const Inst *inst, int64_t large, Pair *pair) {
    const Inst *exp = inst->op == OP_reduce_sum ? defined_by(inst->operands[0], OP_exp) : NULL;
    const Inst *less = exp ? defined_by(exp->operands[0], OP_sub) : NULL;
    const Inst *repeated = less ? defined_by(less->operands[1], OP_broadcast) : NULL;
    if (repeated == NULL || part_of(less->operands[0], large) == 0) {
        return false;
    }
    const Inst *largest = largest_behind(repeated->operands[0], less->operands[0], MOST_STEPS);
    if (largest == NULL || inst->results[0]->type.rank != 0 ||
        largest->results[0]->region != inst->results[0]->region ||
        region_yields(exp->results[0]->region, exp->results[0])) {
        return false;
    }
    *pair = (Pair){largest->results[0], inst->results[0], part_of(less->operands[0], large), NULL};
    return true;
}

static void find_pairs(Arena *scratch, const Region *region, int64_t large, Pairs *pairs) {
    for (const Inst *inst = region->first; inst != NULL; inst = inst->next) {
        Pair pair;
        if (match_pair(inst, large, &pair)) {
            vec_push(scratch, &pairs->list, pair);
        }
        for (int i = 0; i < inst->region_count; i++) {
            find_pairs(scratch, inst->regions[i], large, pairs);
        }
    }
}

static Value *cut(Builder *b, Value *x, int64_t part) {
    const Dim *dims[] = {dim_constant(b->module->dims, type_elements(x->type) / part),
                         dim_constant(b->module->dims, part)};
    return build_reshape(b, x, (Dims){dims, 2});
}

static Value *less_repeated(Builder *b, Value *x, Value *y) {
    static const int first[] = {0};
    return build_binary(b, OP_sub, x,
                        build_broadcast(b, y, (Dims){x->type.dims, x->type.rank}, first));
}

// Exponentials of a part of nothing but -inf are 0, not those of -inf - -inf, and that of an
// infinite element is infinite.
static Value *sum_parts(Builder *b, Value *x, Value *taken, const Pair *pair) {
    static const int first[] = {0}, second[] = {1};
    Value *infinity = build_full(b, pair->maxima->type, (double)INFINITY);
    Value *is_infinite = build_binary(b, OP_eq, build_unary(b, OP_abs, pair->maxima), infinity);
    Value *zero = build_full(b, pair->maxima->type, 0);
    Value *own = build_select(b, is_infinite, zero, pair->maxima);
    Value *exponentials = build_unary(b, OP_exp, less_repeated(b, cut(b, x, pair->part), own));
    Value *sums = build_reduce(b, OP_reduce_sum, exponentials, second, 1);
    Value *number = build_reshape(b, taken, (Dims){NULL, 0});
    Value *scale = build_unary(b, OP_exp, build_binary(b, OP_sub, pair->maxima, number));
    return build_reduce(b, OP_reduce_sum, build_binary(b, OP_mul, sums, scale), first, 1);
}

static bool visit(Rewrite *rewrite, Inst *inst) {
    static const int first[] = {0}, second[] = {1};
    Pairs *pairs = rewrite->state;
    Builder *b = &rewrite->b;
    for (int i = 0; i < pairs->list.count; i++) {
        Pair *pair = &pairs->list.at[i];
        if (inst->op == OP_reduce_max && inst->results[0] == pair->largest) {
            Value *maxima =
                build_reduce(b, OP_reduce_max, cut(b, inst->operands[0], pair->part), second, 1);
            for (int j = i; j < pairs->list.count; j++) { // several sums may share it
                Pair *other = &pairs->list.at[j];
                other->maxima = other->largest == pair->largest ? maxima : other->maxima;
            }
            replace_value(rewrite, inst->results[0],
                          build_reduce(b, OP_reduce_max, pair->maxima, first, 1));
            return false;
        }
        if (inst->op == OP_reduce_sum && inst->results[0] == pair->sum && pair->maxima != NULL) {
            const Inst *less = inst->operands[0]->definition->operands[0]->definition;
            Value *taken = less->operands[1]->definition->operands[0];
            replace_value(rewrite, inst->results[0], sum_parts(b, less->operands[0], taken, pair));
            return false;
        }
    }
    return true;
}

void pass_split_exponentials(PassContext *context, Function *function) {
    Pairs pairs = {0};
    int64_t large = context->number > 0 ? context->number : LARGE_VALUE;
    find_pairs(context->scratch, function->body, large, &pairs);
    if (pairs.list.count > 0) {
        rewrite_function(context, function, visit, &pairs);
    }
}
