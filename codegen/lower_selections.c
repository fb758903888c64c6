// Products with selections: values that are zero but for a few elements of each row, as the nearest
// centroid of each point, the place of a maximum, a one-hot code. Such a value is the left operand
// of its product, and a tile leaves out the steps in which all of its rows are zero.
//
// Zero times infinity is NaN, so this needs to know that the other operand is finite: a kernel
// before looks at all of its elements, which are few beside the products. If one is not finite the
// kernel of the product takes all steps. What is left out would add zero to a sum.
#include "codegen/lower_contract.h"

enum {
    FEWEST_CHOICES = 128, // of which few are not zero: below, most steps of a tile have one
    FEWEST_USES = 16,     // of an element, so that it pays to look at it first
    FEWEST_LANES = 4,
    DEEPEST = 16,
    SIGN_SHIFT = 1
};

// Of a step's time: looking whether its rows are zero.
static const double SHARE_OF_TESTS = 0.3;

static const Inst *definition(const Value *value) {
    static const Inst none = {.op = OP_constant};
    return value->definition != NULL ? value->definition : &none;
}

// Through whatever leaves values as they are.
static const Value *without_views(const Value *value) {
    for (;;) {
        switch (definition(value)->op) {
        case OP_broadcast:
        case OP_reshape:
        case OP_transpose:
        case OP_detach: value = definition(value)->operands[0]; break;
        default: return value;
        }
    }
}

// How many elements `x` is compared with its extreme among, or an index with all indices.
static int64_t choices_of_equality(const Value *x, const Value *y) {
    const Inst *extreme = definition(without_views(y)), *iota = definition(without_views(x));
    if (extreme->op == OP_reduce_max || extreme->op == OP_reduce_min) {
        bool same = without_views(extreme->operands[0]) == without_views(x);
        int64_t all = type_elements(extreme->operands[0]->type);
        return same ? all / type_elements(extreme->results[0]->type) : 0;
    }
    return iota->op == OP_iota ? type_size_at(iota->results[0]->type, iota->attr.axis) : 0;
}

static int64_t larger(int64_t x, int64_t y) {
    return x > y ? x : y;
}

// Of how many elements about one is not zero; 0 if that is not known.
static int64_t choices_of(const Value *value, int depth) {
    const Inst *inst = definition(value);
    Value *const *x = inst->operands;
    if (depth > DEEPEST) {
        return 0;
    }
    switch (inst->op) {
    case OP_broadcast:
    case OP_reshape:
    case OP_transpose:
    case OP_detach:
    case OP_cast:
    case OP_neg:
    case OP_div: return choices_of(x[0], depth + 1);
    case OP_mul:
    case OP_logical_and: return larger(choices_of(x[0], depth + 1), choices_of(x[1], depth + 1));
    case OP_select:
        return is_zero_value(x[2])
                   ? larger(choices_of(x[0], depth + 1), choices_of(x[1], depth + 1))
                   : 0;
    case OP_eq: return larger(choices_of_equality(x[0], x[1]), choices_of_equality(x[1], x[0]));
    default: return 0;
    }
}

static bool is_selection(const Value *value) {
    return element_is_real(value->type.element) && choices_of(value, 0) >= FEWEST_CHOICES;
}

// The operands but this one.
static int64_t count_others(const Product *p, int operand) {
    int64_t elements = 0;
    for (int i = 0; i < p->inst->operand_count; i++) {
        elements += i == operand ? 0 : type_elements(p->inst->operands[i]->type);
    }
    return elements;
}

int selected_operand(const Product *p) {
    double products = (double)type_elements(p->inst->results[0]->type) * (double)count_terms(p);
    int count = p->step == STEP_PRODUCT ? 2 : p->step == STEP_SQUARE ? 0 : 1;
    for (int i = 0; i < count; i++) {
        if (is_selection(p->inst->operands[i]) &&
            products >= FEWEST_USES * (double)count_others(p, i)) {
            return i;
        }
    }
    return -1;
}

double share_of_steps(const Product *p, int64_t height) {
    if (p->selected < 0 || p->operand[LEFT] != p->selected) {
        return 1;
    }
    double chosen = (double)height / (double)choices_of(p->inst->operands[p->selected], 0);
    return SHARE_OF_TESTS + (1 - SHARE_OF_TESTS) * (chosen < 1 ? chosen : 1);
}

// ---- steps

// The bits of a row of the tile.
static Scalar *row_bits(Tiles *t, Scalar *row) {
    KernelBuilder *b = &t->k->build;
    set_axis(t, &t->p.axes[t->p.row], scalar_binary(b, SCALAR_ADD, t->first_row, row));
    return scalar_bits(b, left_element(t, row));
}

static Scalar *join_scalars(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    Scalar *bits = row_bits(t, scalar_position(b, 0));
    for (int64_t i = 1; i < t->height; i++) {
        bits = scalar_binary(b, SCALAR_OR, bits, row_bits(t, scalar_position(b, i)));
    }
    return bits;
}

// The same of rows that are neighbours in memory, in vectors of `lanes`.
static Scalar *join_vectors(Tiles *t, int64_t lanes) {
    KernelBuilder *b = &t->k->build;
    Local *any = add_local(b, t->type == TYPE_F64 ? TYPE_I64 : TYPE_I32, lanes, "any");
    for (int64_t start = 0; start < t->height; start += lanes) {
        int64_t left = t->height - start, count = left < lanes ? left : lanes;
        Scalar *lane = begin_loop(b, LOOP_VECTOR, count, "lane");
        set_room(b, lanes, false);
        Scalar *bits = row_bits(t, scalar_binary(b, SCALAR_ADD, scalar_position(b, start), lane));
        if (start > 0) {
            bits = scalar_binary(b, SCALAR_OR, scalar_local(b, any, lane), bits);
        }
        add_set(b, any, lane, bits);
        end_scope(b);
    }
    return join_local(b, any, scalar_position(b, 0), lanes, SCALAR_OR);
}

// Zero if all rows of the tile are: their bits, but for signs.
static Scalar *join_rows(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    bool in_line = t->left_panel != NULL
                       ? t->p.left == LEFT_BY_TILES
                       : t->p.direct[LEFT] && t->p.axes[t->p.row].stride[LEFT] == 1;
    int64_t lanes = vector_lanes(t->k->lowering, t->type);
    // Compilers of C join few lanes in registers.
    bool has_few = t->k->lowering->options->unmasked && lanes > FEWEST_LANES;
    lanes = has_few ? FEWEST_LANES : lanes;
    while (lanes > t->height) {
        lanes /= 2;
    }
    Scalar *bits = in_line && lanes >= FEWEST_LANES ? join_vectors(t, lanes) : join_scalars(t);
    Scalar *shift = scalar_integer_constant(b, bits->type, SIGN_SHIFT);
    return scalar_binary(b, SCALAR_SHIFT_LEFT, bits, shift);
}

int begin_unless_zero(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    if (t->dense == NULL) {
        return 0;
    }
    begin_if(b, scalar_cast(b, TYPE_BOOL, scalar_binary(b, SCALAR_OR, t->dense, join_rows(t))));
    return 1;
}
