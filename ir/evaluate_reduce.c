// The reference evaluator: reductions, scans and contractions. Real sums and products are kept in
// double and rounded once at the end; integers wrap around.
#include <math.h>
#include <string.h>

#include "ir/evaluator.h"

// A reduction folds its elements with an elementwise operator.
typedef struct Fold {
    Op op;
    double real;     // the result for no elements
    int64_t integer; // the same for integers and bool
} Fold;

static Fold fold_of(Op op, ElementType element) {
    int64_t least = element == TYPE_BOOL ? 0 : element == TYPE_I32 ? INT32_MIN : INT64_MIN;
    int64_t largest = element == TYPE_BOOL ? 1 : element == TYPE_I32 ? INT32_MAX : INT64_MAX;
    switch (op) {
    case OP_reduce_sum: return (Fold){OP_add, 0, 0};
    case OP_reduce_prod: return (Fold){OP_mul, 1, 1};
    case OP_reduce_max: return (Fold){OP_maximum, -INFINITY, least};
    case OP_reduce_min: return (Fold){OP_minimum, INFINITY, largest};
    default: unreachable("%s is not a reduction", op_info(op)->name);
    }
}

// For each axis of the operand the step in the result; 0 for reduced axes.
static const int64_t *reduced_steps(Evaluation *e, Type x) {
    const int64_t *strides = strides_of(e->arena, e->inst->results[0]->type);
    int64_t *steps = arena_array(e->arena, int64_t, x.rank);
    const Ints axes = e->inst->attr.axes;
    for (int axis = 0, next = 0, kept = 0; axis < x.rank; axis++) {
        if (next < axes.count && axes.at[next] == axis) {
            next++;
        } else {
            steps[axis] = strides[kept++];
        }
    }
    return steps;
}

static void fold_reals(Evaluation *e, Arena *scratch, Fold fold, TensorData *result) {
    const TensorData *x = operand(e, 0);
    const int64_t *steps = reduced_steps(e, x->type);
    int64_t size = type_elements(result->type), count = type_elements(x->type);
    double *folded = arena_array(scratch, double, size);
    for (int64_t i = 0; i < size; i++) {
        folded[i] = fold.real;
    }
    Walk walk = walk_new(scratch, x->type.rank, sizes_of(scratch, x->type));
    for (int64_t i = 0; i < count; i++, walk_next(&walk)) {
        double *place = &folded[offset_at(walk.at, steps, x->type.rank)];
        double pair[2] = {*place, tensor_get(x, i)};
        *place = scalar_real(fold.op, TYPE_F64, pair);
    }
    for (int64_t i = 0; i < size; i++) {
        tensor_set(result, i, folded[i]);
    }
}

static void fold_integers(Evaluation *e, Fold fold, TensorData *result) {
    const TensorData *x = operand(e, 0);
    const int64_t *steps = reduced_steps(e, x->type);
    int64_t size = type_elements(result->type), count = type_elements(x->type);
    for (int64_t i = 0; i < size; i++) {
        tensor_set_integer(result, i, fold.integer);
    }
    Walk walk = walk_new(e->arena, x->type.rank, sizes_of(e->arena, x->type));
    for (int64_t i = 0; i < count; i++, walk_next(&walk)) {
        int64_t place = offset_at(walk.at, steps, x->type.rank);
        int64_t pair[2] = {tensor_get_integer(result, place), tensor_get_integer(x, i)};
        tensor_set_integer(result, place, scalar_integer(fold.op, x->type.element, pair));
    }
}

static bool reduce(Evaluation *e) {
    ElementType element = operand(e, 0)->type.element;
    Fold fold = fold_of(e->inst->op, element);
    TensorData *result = new_result(e, 0);
    if (element_is_real(element)) {
        Arena scratch = {0};
        fold_reals(e, &scratch, fold, result);
        arena_free(&scratch);
    } else {
        fold_integers(e, fold, result);
    }
    return true;
}

bool evaluate_reduce_sum(Evaluation *e) {
    return reduce(e);
}

bool evaluate_reduce_prod(Evaluation *e) {
    return reduce(e);
}

bool evaluate_reduce_max(Evaluation *e) {
    return reduce(e);
}

bool evaluate_reduce_min(Evaluation *e) {
    return reduce(e);
}

// The elements along one axis: element k of line i is at line_start(i) + k * step.
typedef struct Lines {
    int64_t count;  // of lines
    int64_t length; // of each
    int64_t step;
} Lines;

static Lines lines_along(Type type, int axis) {
    Lines lines = {.length = dim_value(type.dims[axis]), .step = 1};
    for (int k = axis + 1; k < type.rank; k++) {
        lines.step *= dim_value(type.dims[k]);
    }
    lines.count = lines.length ? type_elements(type) / lines.length : 0;
    return lines;
}

static int64_t line_start(const Lines *lines, int64_t line) {
    return line / lines->step * lines->step * lines->length + line % lines->step;
}

// Is `x` a better extreme than `best`, which came before it? A NaN is better than any number.
static bool is_better(const TensorData *tensor, bool wants_largest, int64_t x, int64_t best) {
    if (element_is_real(tensor->type.element)) {
        double new = tensor_get(tensor, x), old = tensor_get(tensor, best);
        return !isnan(old) && (isnan(new) || (wants_largest ? new > old : new < old));
    }
    int64_t new = tensor_get_integer(tensor, x), old = tensor_get_integer(tensor, best);
    return wants_largest ? new > old : new < old;
}

static bool find_extremes(Evaluation *e, bool wants_largest) {
    const TensorData *x = operand(e, 0);
    TensorData *result = new_result(e, 0);
    Lines lines = lines_along(x->type, e->inst->attr.axis);
    for (int64_t line = 0; line < lines.count; line++) {
        int64_t start = line_start(&lines, line), best = 0;
        for (int64_t k = 1; k < lines.length; k++) {
            if (is_better(x, wants_largest, start + k * lines.step, start + best * lines.step)) {
                best = k;
            }
        }
        tensor_set_integer(result, line, best);
    }
    return true;
}

bool evaluate_argmax(Evaluation *e) {
    return find_extremes(e, true);
}

bool evaluate_argmin(Evaluation *e) {
    return find_extremes(e, false);
}

bool evaluate_cumsum(Evaluation *e) {
    const TensorData *x = operand(e, 0);
    TensorData *result = new_result(e, 0);
    ElementType element = x->type.element;
    Lines lines = lines_along(x->type, e->inst->attr.axis);
    for (int64_t line = 0; line < lines.count; line++) {
        double real = 0;
        int64_t integer = 0;
        for (int64_t k = 0; k < lines.length; k++) {
            int64_t along = e->inst->attr.reverse ? lines.length - 1 - k : k;
            int64_t place = line_start(&lines, line) + along * lines.step;
            if (element_is_real(element)) {
                real += tensor_get(x, place);
                tensor_set(result, place, real);
            } else {
                int64_t pair[2] = {integer, tensor_get_integer(x, place)};
                integer = scalar_integer(OP_add, element, pair);
                tensor_set_integer(result, place, integer);
            }
        }
    }
    return true;
}

enum { LETTERS = 128 };

// A contraction as strides of its labels: first those of the result, then those summed over. The
// last of these is `inner`, walked by a plain loop.
typedef struct Contraction {
    Walk kept, summed;
    const int64_t *kept_strides[2]; // of x, of y
    const int64_t *summed_strides[2];
    int64_t inner_size, inner_stride[2];
    bool has_terms; // no label that is summed over has size 0
} Contraction;

// By letter: the size, and the strides in x and y.
typedef struct LabelSizes {
    int64_t size[LETTERS];
    int64_t stride[2][LETTERS];
} LabelSizes;

static const char *read_labels(Evaluation *e, LabelSizes *labels, char *summed) {
    const char *text = e->inst->attr.labels;
    const char *arrow = strstr(text, "->") + 2;
    int count = 0;
    for (int side = 0; side < 2; side++) {
        Type type = operand(e, side)->type;
        const int64_t *strides = strides_of(e->arena, type);
        for (int k = 0; k < type.rank; k++, text++) {
            unsigned char letter = (unsigned char)*text;
            labels->size[letter] = dim_value(type.dims[k]);
            labels->stride[side][letter] = strides[k];
            if (!strchr(arrow, letter) && !memchr(summed, letter, (size_t)count)) {
                summed[count++] = (char)letter;
            }
        }
        text++; // the comma
    }
    summed[count] = '\0';
    return arrow;
}

// The sizes of `count` labels, or with `side` their strides in one operand.
static const int64_t *by_label(Arena *arena, const int64_t *table, const char *letters,
                               size_t count) {
    int64_t *list = arena_array(arena, int64_t, count);
    for (size_t i = 0; i < count; i++) {
        list[i] = table[(unsigned char)letters[i]];
    }
    return list;
}

static Contraction plan_contraction(Evaluation *e) {
    LabelSizes labels = {{0}, {{0}}};
    char summed[LETTERS] = "";
    Arena *arena = e->arena;
    const char *kept = read_labels(e, &labels, summed);
    size_t kept_count = strlen(kept), count = strlen(summed);
    Contraction plan = {.inner_size = 1, .has_terms = true};
    for (size_t i = 0; i < count; i++) {
        plan.has_terms = plan.has_terms && labels.size[(unsigned char)summed[i]] > 0;
    }
    if (count > 0) {
        unsigned char inner = (unsigned char)summed[--count];
        plan.inner_size = labels.size[inner];
        plan.inner_stride[0] = labels.stride[0][inner];
        plan.inner_stride[1] = labels.stride[1][inner];
    }
    plan.kept = walk_new(arena, (int)kept_count, by_label(arena, labels.size, kept, kept_count));
    plan.summed = walk_new(arena, (int)count, by_label(arena, labels.size, summed, count));
    for (int side = 0; side < 2; side++) {
        plan.kept_strides[side] = by_label(arena, labels.stride[side], kept, kept_count);
        plan.summed_strides[side] = by_label(arena, labels.stride[side], summed, count);
    }
    return plan;
}

// Where the terms of the current element start in operand `side`.
static int64_t term_start(const Contraction *plan, int side) {
    return offset_at(plan->kept.at, plan->kept_strides[side], plan->kept.rank) +
           offset_at(plan->summed.at, plan->summed_strides[side], plan->summed.rank);
}

static double contract_reals(Contraction *plan, const double *x, const double *y) {
    double sum = 0;
    do {
        const double *left = x + term_start(plan, 0), *right = y + term_start(plan, 1);
        for (int64_t k = 0; k < plan->inner_size; k++) {
            sum += left[k * plan->inner_stride[0]] * right[k * plan->inner_stride[1]];
        }
    } while (walk_next(&plan->summed));
    return sum;
}

static int64_t contract_integers(Contraction *plan, const TensorData *x, const TensorData *y) {
    ElementType element = x->type.element;
    int64_t sum = 0;
    do {
        int64_t left = term_start(plan, 0), right = term_start(plan, 1);
        for (int64_t k = 0; k < plan->inner_size; k++) {
            int64_t factors[2] = {tensor_get_integer(x, left + k * plan->inner_stride[0]),
                                  tensor_get_integer(y, right + k * plan->inner_stride[1])};
            int64_t terms[2] = {sum, scalar_integer(OP_mul, element, factors)};
            sum = scalar_integer(OP_add, element, terms);
        }
    } while (walk_next(&plan->summed));
    return sum;
}

bool evaluate_contract(Evaluation *e) {
    const TensorData *x = operand(e, 0), *y = operand(e, 1);
    TensorData *result = new_result(e, 0);
    Contraction plan = plan_contraction(e);
    int64_t count = plan.has_terms ? type_elements(result->type) : 0;
    bool is_real = element_is_real(x->type.element);
    Arena scratch = {0};
    const double *left = is_real ? tensor_reals(&scratch, x) : NULL;
    const double *right = is_real ? tensor_reals(&scratch, y) : NULL;
    for (int64_t i = 0; i < count; i++, walk_next(&plan.kept)) {
        if (is_real) {
            tensor_set(result, i, contract_reals(&plan, left, right));
        } else {
            tensor_set_integer(result, i, contract_integers(&plan, x, y));
        }
    }
    arena_free(&scratch);
    return true;
}
