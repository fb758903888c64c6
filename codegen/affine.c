// Positions as sums: see affine.h.
#include "codegen/affine.h"

// Numbers beyond this are no positions in memory; products of two such still fit an int64_t.
static const int64_t largest = (int64_t)1 << 30;

static bool is_moderate(int64_t x) {
    return x <= largest && x >= -largest;
}

static bool add_term(Affine *out, const Scalar *atom, int64_t factor) {
    for (int i = 0; i < out->count; i++) {
        Term *term = &out->terms[i];
        if (term->atom == atom) {
            term->factor += factor;
            if (term->factor == 0) {
                *term = out->terms[--out->count];
                return true;
            }
            return is_moderate(term->factor);
        }
    }
    if (out->count == MOST_AFFINE_TERMS || !is_moderate(factor)) {
        return false;
    }
    out->terms[out->count++] = (Term){atom, factor};
    return true;
}

static bool add_scalar(Affine *out, const Scalar *x, int64_t factor) {
    if (!is_moderate(factor)) {
        return false;
    }
    switch (x->op) {
    case SCALAR_CONSTANT:
        if (!is_moderate(x->integer)) {
            return false;
        }
        out->constant += factor * x->integer;
        return out->constant <= largest * largest && out->constant >= -largest * largest;
    case SCALAR_ADD:
        return add_scalar(out, x->args[0], factor) && add_scalar(out, x->args[1], factor);
    case SCALAR_SUB:
        return add_scalar(out, x->args[0], factor) && add_scalar(out, x->args[1], -factor);
    case SCALAR_NEG: return add_scalar(out, x->args[0], -factor);
    case SCALAR_MUL:
        for (int i = 0; i < 2; i++) {
            const Scalar *number = x->args[i];
            if (number->op == SCALAR_CONSTANT && is_moderate(number->integer)) {
                return number->integer == 0 ||
                       add_scalar(out, x->args[1 - i], factor * number->integer);
            }
        }
        return add_term(out, x, factor);
    default: return add_term(out, x, factor);
    }
}

bool affine_of(const Scalar *x, Affine *out) {
    *out = (Affine){.count = 0};
    return add_scalar(out, x, 1);
}

bool affine_add(Affine *x, const Affine *y, int64_t factor) {
    if (!is_moderate(factor) || !is_moderate(y->constant)) {
        return false;
    }
    x->constant += factor * y->constant;
    for (int i = 0; i < y->count; i++) {
        if (!add_term(x, y->terms[i].atom, factor * y->terms[i].factor)) {
            return false;
        }
    }
    return true;
}

int64_t affine_factor(const Affine *x, const Scalar *atom) {
    for (int i = 0; i < x->count; i++) {
        if (x->terms[i].atom == atom) {
            return x->terms[i].factor;
        }
    }
    return 0;
}

void affine_remove(Affine *x, const Scalar *atom) {
    for (int i = 0; i < x->count; i++) {
        if (x->terms[i].atom == atom) {
            x->terms[i] = x->terms[--x->count];
            return;
        }
    }
}

bool constant_extent(const Loop *loop, int64_t *extent) {
    *extent = loop->extent->integer;
    return loop->extent->op == SCALAR_CONSTANT;
}

static bool range_of_divided(const Scalar *x, int64_t *low, int64_t *high) {
    const Scalar *divisor = x->args[1];
    bool known = scalar_range(x->args[0], low, high) && *low >= 0;
    if (divisor->op != SCALAR_CONSTANT || divisor->integer <= 0) {
        return false;
    }
    if (x->op == SCALAR_DIV) {
        *low /= divisor->integer;
        *high /= divisor->integer;
        return known;
    }
    int64_t most = divisor->integer - 1; // a remainder is never negative here
    *low = 0;
    *high = known && *high < most ? *high : most;
    return true;
}

// The range of `x` where the condition holds, or where it does not.
static void narrow_range(const Scalar *condition, bool holds, const Scalar *x, int64_t *low,
                         int64_t *high) {
    if (condition->op == SCALAR_AND && holds) {
        narrow_range(condition->args[0], true, x, low, high);
        narrow_range(condition->args[1], true, x, low, high);
        return;
    }
    if (condition->arg_count != 2 || condition->args[0] != x ||
        condition->args[1]->op != SCALAR_CONSTANT || x->type != TYPE_I64) {
        return;
    }
    int64_t limit = condition->args[1]->integer;
    bool is_below = condition->op == (holds ? SCALAR_LT : SCALAR_GE);
    bool is_above = condition->op == (holds ? SCALAR_GT : SCALAR_LE);
    if (!is_moderate(limit)) {
        return;
    }
    if (is_below || condition->op == (holds ? SCALAR_LE : SCALAR_GT)) {
        int64_t most = limit - is_below;
        *high = *high < most ? *high : most;
    } else if (is_above || condition->op == (holds ? SCALAR_GE : SCALAR_LT)) {
        int64_t least = limit + is_above;
        *low = *low > least ? *low : least;
    }
}

static bool range_of_select(const Scalar *x, int64_t *low, int64_t *high) {
    int64_t other_low, other_high;
    if (!scalar_range(x->args[1], low, high) ||
        !scalar_range(x->args[2], &other_low, &other_high)) {
        return false;
    }
    narrow_range(x->args[0], true, x->args[1], low, high);
    narrow_range(x->args[0], false, x->args[2], &other_low, &other_high);
    *low = other_low < *low ? other_low : *low;
    *high = other_high > *high ? other_high : *high;
    return true;
}

bool scalar_range(const Scalar *x, int64_t *low, int64_t *high) {
    int64_t other_low, other_high;
    *low = *high = 0;
    switch (x->op) {
    case SCALAR_CONSTANT: *low = *high = x->integer; return is_moderate(x->integer);
    case SCALAR_INDEX:
        *high = x->loop->extent->integer - 1;
        return x->loop->extent->op == SCALAR_CONSTANT && is_moderate(*high);
    case SCALAR_ADD:
    case SCALAR_SUB:
        if (!scalar_range(x->args[0], low, high) ||
            !scalar_range(x->args[1], &other_low, &other_high)) {
            return false;
        }
        *low += x->op == SCALAR_ADD ? other_low : -other_high;
        *high += x->op == SCALAR_ADD ? other_high : -other_low;
        return is_moderate(*low) && is_moderate(*high);
    case SCALAR_MUL:
        for (int i = 0; i < 2; i++) {
            Term term = {x->args[1 - i], x->args[i]->integer};
            if (x->args[i]->op == SCALAR_CONSTANT && is_moderate(term.factor)) {
                return term_range(&term, low, high);
            }
        }
        return false;
    case SCALAR_DIV:
    case SCALAR_REMAINDER: return x->type == TYPE_I64 && range_of_divided(x, low, high);
    case SCALAR_SELECT: return range_of_select(x, low, high);
    default: return false;
    }
}

bool term_range(const Term *term, int64_t *low, int64_t *high) {
    int64_t first, last;
    if (!scalar_range(term->atom, &first, &last)) {
        return false;
    }
    *low = term->factor * (term->factor > 0 ? first : last);
    *high = term->factor * (term->factor > 0 ? last : first);
    return is_moderate(*low) && is_moderate(*high);
}

bool is_side_by_side(const Scalar *position, const Loop *loop) {
    Affine at;
    if (!affine_of(position, &at)) {
        return false;
    }
    int64_t factor = affine_factor(&at, loop->index);
    for (int i = 0; i < at.count && factor == 0; i++) { // a position from data?
        ScalarOp op = at.terms[i].atom->op;
        if (op != SCALAR_INDEX && op != SCALAR_ARGUMENT) {
            return false;
        }
    }
    return factor == 0 || factor == 1;
}
