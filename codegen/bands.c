// Where values are zero, as their definitions show it: choices by comparisons of indices, products
// with such masks, diagonals that are put into zeros, and views, sums and joins of those.
#include "codegen/bands.h"

#include <math.h>

#include "ir/evaluate.h"

enum {
    MOST_RANK = 12,
    DEEPEST = 24,
    DEEPEST_SUM = 12,
    MOST_VISITS = 400,  // of definitions, for one band
    MOST_DATA = 1 << 16 // elements of constants that are looked at
};

// A walk through definitions ends after some of them.
typedef struct Walk {
    int depth, visits;
} Walk;

static bool enter(Walk *walk) {
    return walk->depth < DEEPEST && walk->visits++ < MOST_VISITS;
}

// ---- bands

Band whole_band(void) {
    return (Band){-BAND_END, BAND_END, false};
}

Band empty_band(void) {
    return (Band){BAND_END, -BAND_END, false};
}

bool band_is_whole(Band band) {
    return band.low <= -BAND_END && band.high >= BAND_END;
}

bool band_is_empty(Band band) {
    return band.low > band.high;
}

Band moved_band(Band band, int64_t by) {
    if (band_is_empty(band)) {
        return band;
    }
    band.low = band.low <= -BAND_END ? -BAND_END : band.low + by;
    band.high = band.high >= BAND_END ? BAND_END : band.high + by;
    return band;
}

Band common_band(Band x, Band y) {
    return (Band){x.low > y.low ? x.low : y.low, x.high < y.high ? x.high : y.high,
                  x.unless_nan || y.unless_nan};
}

Band joined_band(Band x, Band y) {
    bool unless_nan = x.unless_nan || y.unless_nan;
    if (band_is_empty(x) || band_is_empty(y)) {
        Band band = band_is_empty(x) ? y : x;
        band.unless_nan = unless_nan;
        return band;
    }
    return (Band){x.low < y.low ? x.low : y.low, x.high > y.high ? x.high : y.high, unless_nan};
}

Band mirrored_band(Band band) {
    return (Band){-band.high, -band.low, band.unless_nan};
}

// ---- views

static int64_t elements_behind(Type type, int axis) {
    int64_t count = 1;
    for (int i = axis + 1; i < type.rank; i++) {
        count *= type_size_at(type, i);
    }
    return count;
}

// The axis of the other shape that runs in the same way, or -1.
static int axis_through_reshape(Type from, int axis, Type to) {
    int64_t size = type_size_at(from, axis), behind = elements_behind(from, axis);
    for (int i = 0; i < to.rank && size > 1; i++) {
        if (type_size_at(to, i) == size && elements_behind(to, i) == behind) {
            return i;
        }
    }
    return -1;
}

static int axis_through_broadcast(const Inst *inst, int axis) {
    Type from = inst->operands[0]->type, to = inst->results[0]->type;
    for (int i = 0; i < from.rank; i++) {
        if (inst->attr.axes.at[i] == axis && type_size_at(from, i) == type_size_at(to, axis)) {
            return i;
        }
    }
    return -1;
}

static int axis_through_reduction(const Inst *inst, int axis) {
    for (int i = 0; i < inst->attr.axes.count; i++) {
        axis += inst->attr.axes.at[i] <= axis;
    }
    return axis;
}

static bool axis_through_gather(const Inst *inst, int axis, int *operand_axis, int64_t *offset) {
    for (int i = 1; i < inst->operand_count; i++) {
        int own;
        if (follows_axis(inst->operands[i], &own, offset) && own == axis) {
            *operand_axis = i - 1;
            return true;
        }
    }
    return false;
}

bool axis_of_operand(const Inst *inst, int axis, int *operand_axis, int64_t *offset) {
    *offset = 0;
    *operand_axis = -1;
    switch (inst->op) {
    case OP_detach: *operand_axis = axis; break;
    case OP_transpose: *operand_axis = inst->attr.axes.at[axis]; break;
    case OP_broadcast: *operand_axis = axis_through_broadcast(inst, axis); break;
    case OP_reshape:
        *operand_axis = axis_through_reshape(inst->results[0]->type, axis, inst->operands[0]->type);
        break;
    case OP_slice:
        *operand_axis = inst->attr.step.at[axis] == 1 ? axis : -1;
        *offset = dim_value(inst->attr.start.at[axis]);
        break;
    case OP_pad:
        *operand_axis = inst->attr.step.at[axis] == 1 ? axis : -1;
        *offset = -dim_value(inst->attr.low.at[axis]);
        break;
    case OP_reduce_sum: *operand_axis = axis_through_reduction(inst, axis); break;
    case OP_gather: return axis_through_gather(inst, axis, operand_axis, offset);
    default: break;
    }
    return *operand_axis >= 0;
}

// ---- indices

// A sum of multiples of a value's own indices.
typedef struct Sum {
    int64_t factor[MOST_RANK];
    int64_t constant;
} Sum;

static bool sum_of(const Value *value, Sum *sum, int depth);

static bool add_sum(Sum *sum, const Sum *other, int64_t factor) {
    for (int i = 0; i < MOST_RANK; i++) {
        sum->factor[i] += factor * other->factor[i];
        if (sum->factor[i] > BAND_END || sum->factor[i] < -BAND_END) {
            return false;
        }
    }
    sum->constant += factor * other->constant;
    return sum->constant < BAND_END && sum->constant > -BAND_END;
}

static bool is_constant_sum(const Sum *sum) {
    for (int i = 0; i < MOST_RANK; i++) {
        if (sum->factor[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool sum_of_view(const Inst *inst, Sum *sum, int depth) {
    Sum own = {.constant = 0};
    if (!sum_of(inst->operands[0], &own, depth + 1)) {
        return false;
    }
    Type type = inst->results[0]->type;
    sum->constant = own.constant;
    for (int axis = 0; axis < type.rank; axis++) {
        int from;
        int64_t offset;
        if (axis_of_operand(inst, axis, &from, &offset)) {
            sum->factor[axis] = own.factor[from];
            sum->constant += own.factor[from] * offset;
            own.factor[from] = 0;
        }
    }
    return is_constant_sum(&own) && sum->constant < BAND_END && sum->constant > -BAND_END;
}

// A constant whose elements are all the same whole number.
static bool constant_of(const TensorData *data, int64_t *value) {
    int64_t count = type_elements(data->type);
    if (count < 1 || count > MOST_DATA || data->type.element == TYPE_BOOL) {
        return false;
    }
    double first = tensor_get(data, 0);
    for (int64_t i = 0; i < count; i++) {
        if (!(fabs(first) < BAND_END) || first != floor(first) || tensor_get(data, i) != first) {
            return false;
        }
    }
    *value = (int64_t)first;
    return true;
}

static bool product_of_sums(const Sum *x, const Sum *y, Sum *sum) {
    if (is_constant_sum(x)) {
        return add_sum(sum, y, x->constant);
    }
    return is_constant_sum(y) && add_sum(sum, x, y->constant);
}

// Whether integers of the type, and reals of it that are whole, are as large as the sum gets.
static bool is_exact(const Value *value, const Sum *sum) {
    double most = fabs((double)sum->constant);
    for (int i = 0; i < value->type.rank; i++) {
        most += fabs((double)sum->factor[i]) * (double)type_size_at(value->type, i);
    }
    return value->type.element != TYPE_BOOL &&
           most < (value->type.element == TYPE_F32 ? 1 << 24 : BAND_END);
}

static bool sum_of_operation(const Inst *inst, Sum *sum, int depth) {
    Sum x, y;
    switch (inst->op) {
    case OP_iota: sum->factor[inst->attr.axis] = 1; return true;
    case OP_constant: return constant_of(inst->attr.data, &sum->constant);
    case OP_broadcast:
    case OP_reshape:
    case OP_transpose:
    case OP_slice:
    case OP_detach: return sum_of_view(inst, sum, depth);
    case OP_cast: return sum_of(inst->operands[0], sum, depth + 1);
    case OP_neg: return sum_of(inst->operands[0], &x, depth + 1) && add_sum(sum, &x, -1);
    case OP_add:
    case OP_sub:
        return sum_of(inst->operands[0], &x, depth + 1) &&
               sum_of(inst->operands[1], &y, depth + 1) && add_sum(sum, &x, 1) &&
               add_sum(sum, &y, inst->op == OP_add ? 1 : -1);
    case OP_mul:
        return sum_of(inst->operands[0], &x, depth + 1) &&
               sum_of(inst->operands[1], &y, depth + 1) && product_of_sums(&x, &y, sum);
    default: return false;
    }
}

static bool sum_of(const Value *value, Sum *sum, int depth) {
    *sum = (Sum){.constant = 0};
    return value->definition != NULL && depth <= DEEPEST_SUM && value->type.rank <= MOST_RANK &&
           sum_of_operation(value->definition, sum, depth) && is_exact(value, sum);
}

bool follows_axis(const Value *index, int *axis, int64_t *offset) {
    Sum sum;
    *axis = -1;
    if (!sum_of(index, &sum, 0)) {
        return false;
    }
    *offset = sum.constant;
    for (int i = 0; i < index->type.rank; i++) {
        if (sum.factor[i] == 0) {
            continue;
        }
        if (sum.factor[i] != 1 || *axis >= 0) {
            return false;
        }
        *axis = i;
    }
    return *axis >= 0;
}

// Of two constants.
static Band constant_differences(const TensorData *x, const TensorData *y) {
    int64_t count = type_elements(x->type);
    Band band = empty_band();
    if (count > MOST_DATA || count != type_elements(y->type)) {
        return whole_band();
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t difference = tensor_get_integer(x, i) - tensor_get_integer(y, i);
        band = joined_band(band, (Band){difference, difference, false});
    }
    return band;
}

Band index_band(const Inst *inst, int first, int p, int q) {
    const Value *x = inst->operands[first + p], *y = inst->operands[first + q];
    const Inst *x_source = x->definition, *y_source = y->definition;
    if (x_source != NULL && y_source != NULL && x_source->op == OP_constant &&
        y_source->op == OP_constant) {
        return constant_differences(x_source->attr.data, y_source->attr.data);
    }
    Sum sum, other;
    if (!sum_of(x, &sum, 0) || !sum_of(y, &other, 0) || !add_sum(&sum, &other, -1)) {
        return whole_band();
    }
    Band band = {sum.constant, sum.constant, false};
    for (int i = 0; i < x->type.rank; i++) {
        int64_t most = (type_size_at(x->type, i) - 1) * sum.factor[i];
        band.low += most < 0 ? most : 0;
        band.high += most > 0 ? most : 0;
    }
    return band;
}

// ---- truth

static Band truth_of(const Value *value, int p, int q, bool truth, Walk walk);

// The differences d for which d + constant compares with 0.
static Band compared_band(Op op, int64_t constant) {
    switch (op) {
    case OP_eq: return (Band){-constant, -constant, false};
    case OP_lt: return (Band){-BAND_END, -constant - 1, false};
    case OP_le: return (Band){-BAND_END, -constant, false};
    case OP_gt: return (Band){-constant + 1, BAND_END, false};
    case OP_ge: return (Band){-constant, BAND_END, false};
    default: return whole_band();
    }
}

static Op opposite(Op op) {
    switch (op) {
    case OP_eq: return OP_ne;
    case OP_ne: return OP_eq;
    case OP_lt: return OP_ge;
    case OP_le: return OP_gt;
    case OP_gt: return OP_le;
    default: return OP_lt;
    }
}

static bool is_true_of_constant(Op op, int64_t x) {
    switch (op) {
    case OP_eq: return x == 0;
    case OP_ne: return x != 0;
    case OP_lt: return x < 0;
    case OP_le: return x <= 0;
    case OP_gt: return x > 0;
    default: return x >= 0;
    }
}

static Band comparison_band(const Inst *inst, int p, int q, bool truth) {
    Sum sum, other;
    Op op = truth ? inst->op : opposite(inst->op);
    if (!sum_of(inst->operands[0], &sum, 0) || !sum_of(inst->operands[1], &other, 0) ||
        !add_sum(&sum, &other, -1)) {
        return whole_band();
    }
    int64_t factor = sum.factor[p];
    sum.factor[p] -= factor;
    sum.factor[q] += factor;
    if (!is_constant_sum(&sum)) {
        return whole_band();
    }
    switch (factor) {
    case 0: return is_true_of_constant(op, sum.constant) ? whole_band() : empty_band();
    case 1: return compared_band(op, sum.constant);
    case -1: return mirrored_band(compared_band(op, sum.constant));
    default: return whole_band();
    }
}

// Through a view, or what is known without.
static Band truth_of_view(const Inst *inst, int p, int q, bool truth, Walk walk) {
    int from_p, from_q;
    int64_t offset_p, offset_q;
    if (!axis_of_operand(inst, p, &from_p, &offset_p) ||
        !axis_of_operand(inst, q, &from_q, &offset_q)) {
        return whole_band();
    }
    Band band = truth_of(inst->operands[0], from_p, from_q, truth, walk);
    return moved_band(band, offset_q - offset_p);
}

static Band truth_of_choice(const Inst *inst, int p, int q, bool truth, Walk walk) {
    Value *const *x = inst->operands;
    Band then = common_band(truth_of(x[0], p, q, true, walk), truth_of(x[1], p, q, truth, walk));
    Band other = common_band(truth_of(x[0], p, q, false, walk), truth_of(x[2], p, q, truth, walk));
    return joined_band(then, other);
}

static Band truth_of(const Value *value, int p, int q, bool truth, Walk walk) {
    const Inst *inst = value->definition;
    if (inst == NULL || walk.depth++ > DEEPEST / 3) {
        return whole_band();
    }
    Value *const *x = inst->operands;
    switch (inst->op) {
    case OP_eq:
    case OP_ne:
    case OP_lt:
    case OP_le:
    case OP_gt:
    case OP_ge: return comparison_band(inst, p, q, truth);
    case OP_logical_not: return truth_of(x[0], p, q, !truth, walk);
    case OP_logical_and:
    case OP_logical_or: {
        Band left = truth_of(x[0], p, q, truth, walk), right = truth_of(x[1], p, q, truth, walk);
        bool both = (inst->op == OP_logical_and) == truth;
        return both ? common_band(left, right) : joined_band(left, right);
    }
    case OP_select: return truth_of_choice(inst, p, q, truth, walk);
    case OP_constant: return truth && is_zero_value(value) ? empty_band() : whole_band();
    case OP_broadcast:
        if (truth && is_zero_value(value)) {
            return empty_band();
        }
        return truth_of_view(inst, p, q, truth, walk);
    case OP_reshape:
    case OP_transpose:
    case OP_slice:
    case OP_gather:
    case OP_detach: return truth_of_view(inst, p, q, truth, walk);
    default: return whole_band();
    }
}

Band truth_band(const Value *value, int p, int q, bool truth) {
    return truth_of(value, p, q, truth, (Walk){0});
}

// ---- zeros

static Band nonzero(const Value *value, int p, int q, Walk *walk);

static bool is_finite_constant(const Value *value) {
    const Inst *inst = value->definition;
    if (inst != NULL && inst->op == OP_broadcast) {
        return is_finite_constant(inst->operands[0]);
    }
    if (inst == NULL || inst->op != OP_constant || type_elements(value->type) > MOST_DATA) {
        return false;
    }
    for (int64_t i = 0; i < type_elements(value->type); i++) {
        if (!isfinite(tensor_get(inst->attr.data, i))) {
            return false;
        }
    }
    return true;
}

// A zero times anything is zero, or NaN.
static Band nonzero_product(const Inst *inst, int p, int q, Walk *walk) {
    Band bands[2];
    for (int i = 0; i < 2; i++) {
        bands[i] = nonzero(inst->operands[i], p, q, walk);
        bool is_sure = band_is_whole(bands[i]) || is_finite_constant(inst->operands[1 - i]);
        bands[i].unless_nan = bands[i].unless_nan || !is_sure;
    }
    return common_band(bands[0], bands[1]);
}

static Band nonzero_choice(const Inst *inst, int p, int q, Walk *walk) {
    Value *const *x = inst->operands;
    Band then = common_band(truth_band(x[0], p, q, true), nonzero(x[1], p, q, walk));
    Band other = common_band(truth_band(x[0], p, q, false), nonzero(x[2], p, q, walk));
    return joined_band(then, other);
}

// A pad's operand lies in zeros, a scatter's elements in what was there.
static Band nonzero_view(const Inst *inst, int p, int q, Walk *walk) {
    int from_p, from_q;
    int64_t offset_p, offset_q;
    if (!axis_of_operand(inst, p, &from_p, &offset_p) ||
        !axis_of_operand(inst, q, &from_q, &offset_q) ||
        (inst->op == OP_pad && !is_zero_value(inst->operands[1]))) {
        return whole_band();
    }
    Band band = nonzero(inst->operands[0], from_p, from_q, walk);
    return moved_band(band, offset_q - offset_p);
}

static Band nonzero_scatter(const Inst *inst, int p, int q, Walk *walk) {
    const Value *from = inst->operands[1];
    Band put = index_band(inst, 2, p, q);
    int from_p, from_q;
    int64_t offset_p, offset_q;
    if (follows_axis(inst->operands[2 + p], &from_p, &offset_p) &&
        follows_axis(inst->operands[2 + q], &from_q, &offset_q) && from_p != from_q) {
        Band own = moved_band(nonzero(from, from_p, from_q, walk), offset_p - offset_q);
        put = common_band(put, own);
    }
    return joined_band(put, nonzero(inst->operands[0], p, q, walk));
}

static Band nonzero_join(const Inst *inst, int p, int q, Walk *walk) {
    Band band = empty_band();
    int64_t start = 0;
    for (int i = 0; i < inst->operand_count; i++) {
        Band own = nonzero(inst->operands[i], p, q, walk);
        int64_t offset = inst->attr.axis == p ? start : inst->attr.axis == q ? -start : 0;
        band = joined_band(band, moved_band(own, offset));
        start += type_size_at(inst->operands[i]->type, inst->attr.axis);
    }
    return band;
}

// Rows of a loop's stack, of which those that did not run are zero; the result of a region.
static Band nonzero_yield(const Value *value, int p, int q, Walk *walk) {
    const Inst *inst = value->definition;
    int shift = inst->op == OP_loop ? 1 : 0, carried = shift ? inst->attr.carried : 0;
    Band band = empty_band();
    if (value->index < carried || p < shift || q < shift) {
        return whole_band();
    }
    int regions = shift ? 1 : inst->region_count;
    if (shift && value->index >= inst->regions[0]->yields.count) {
        return whole_band(); // the number of iterations
    }
    for (int i = 0; i < regions; i++) {
        const Value *yield = inst->regions[i]->yields.at[value->index];
        band = joined_band(band, nonzero(yield, p - shift, q - shift, walk));
    }
    return band;
}

static Band nonzero_of(const Value *value, int p, int q, Walk *walk) {
    const Inst *inst = value->definition;
    Value *const *x = inst->operands;
    switch (inst->op) {
    case OP_select: return nonzero_choice(inst, p, q, walk);
    case OP_mul: return nonzero_product(inst, p, q, walk);
    case OP_div: {
        Band band = nonzero(x[0], p, q, walk);
        band.unless_nan = band.unless_nan || !band_is_whole(band);
        return band;
    }
    case OP_neg:
    case OP_abs:
    case OP_sqrt:
    case OP_sign: return nonzero(x[0], p, q, walk);
    case OP_cast:
        return x[0]->type.element == TYPE_BOOL ? truth_band(x[0], p, q, true)
                                               : nonzero(x[0], p, q, walk);
    case OP_add:
    case OP_sub: return joined_band(nonzero(x[0], p, q, walk), nonzero(x[1], p, q, walk));
    case OP_detach:
    case OP_transpose:
    case OP_broadcast:
    case OP_reshape:
    case OP_slice:
    case OP_pad:
    case OP_reduce_sum:
    case OP_gather: return nonzero_view(inst, p, q, walk);
    case OP_scatter_add:
    case OP_scatter_set: return nonzero_scatter(inst, p, q, walk);
    case OP_concat: return nonzero_join(inst, p, q, walk);
    case OP_loop:
    case OP_branch:
    case OP_checkpoint:
    case OP_recompute: return nonzero_yield(value, p, q, walk);
    default: return whole_band();
    }
}

static Band nonzero(const Value *value, int p, int q, Walk *walk) {
    if (is_zero_value(value)) {
        return empty_band();
    }
    if (value->definition == NULL || value->type.rank > MOST_RANK || !enter(walk)) {
        return whole_band();
    }
    walk->depth++;
    Band band = nonzero_of(value, p, q, walk);
    walk->depth--;
    return band;
}

Band nonzero_band(const Value *value, int p, int q) {
    Walk walk = {0};
    return nonzero(value, p, q, &walk);
}
