// Gathers and scatters whose places the program's text decides: slices and pads, sums over windows
// as convolutions or sums of pads, choices among a few elements. What is left looks its indices up
// while it runs.
#include "passes/convolution.h"
#include "passes/match.h"
#include "passes/passes.h"

enum {
    MOST_CHOICES = 8, // elements along an axis of which one is chosen by comparing
    MOST_PADS = 16    // places in a window whose pads are added
};

static int64_t size_at(Type type, int axis) {
    return dim_value(type.dims[axis]);
}

static const Dim *number(Builder *b, int64_t value) {
    return dim_constant(b->module->dims, value);
}

// Elements start, start + step, ... of an axis, `count` of them.
static Value *slice_axis(Builder *b, Value *x, int axis, int64_t start, int64_t count, int step) {
    int rank = x->type.rank;
    const Dim **from = arena_array(b->module->arena, const Dim *, rank);
    const Dim **to = arena_array(b->module->arena, const Dim *, rank);
    int *steps = arena_array(b->module->arena, int, rank);
    for (int i = 0; i < rank; i++) {
        from[i] = number(b, i == axis ? start : 0);
        to[i] = i == axis ? number(b, start + (count - 1) * step + 1) : x->type.dims[i];
        steps[i] = i == axis ? step : 1;
    }
    return build_slice(b, x, (Dims){from, rank}, (Dims){to, rank}, steps);
}

// Zeros around an axis, and step - 1 of them between its elements.
static Value *pad_axis(Builder *b, Value *x, int axis, int64_t low, int64_t extent, int step) {
    int rank = x->type.rank;
    const Dim **before = arena_array(b->module->arena, const Dim *, rank);
    const Dim **after = arena_array(b->module->arena, const Dim *, rank);
    int *steps = arena_array(b->module->arena, int, rank);
    int64_t spread = (size_at(x->type, axis) - 1) * step + 1;
    for (int i = 0; i < rank; i++) {
        before[i] = number(b, i == axis ? low : 0);
        after[i] = number(b, i == axis ? extent - low - spread : 0);
        steps[i] = i == axis ? step : 1;
    }
    Value *zero = build_scalar(b, x->type.element, 0);
    return build_pad(b, x, zero, (Dims){before, rank}, (Dims){after, rank}, steps);
}

static bool are_inside(const Selection *selection, int64_t extent) {
    for (int64_t i = 0; i < selection->count; i++) {
        if (selection->at[i] < 0 || selection->at[i] >= extent) {
            return false;
        }
    }
    return selection->count > 0;
}

static bool is_choice(Arena *arena, const Selection *selection, int64_t extent) {
    int64_t low, high;
    return selection->at == NULL && extent <= MOST_CHOICES &&
           size_at(selection->index->type, selection->axis) == 1 &&
           index_bounds(arena, selection->index, &low, &high) && low >= 0 && high < extent;
}

// x at a computed place of an axis, by comparing with each of its places.
static Value *choose(Builder *b, Value *x, const Selection *selection) {
    int axis = selection->axis;
    Value *result = slice_axis(b, x, axis, 0, 1, 1);
    for (int64_t i = 1; i < size_at(x->type, axis); i++) {
        Value *here = build_eq(b, selection->index, build_scalar_integer(b, TYPE_I64, i));
        result = build_select(b, here, slice_axis(b, x, axis, i, 1, 1), result);
    }
    return result;
}

static Value *simplify_gather(Rewrite *rewrite, const Inst *inst) {
    Builder *b = &rewrite->b;
    Value *x = inst->operands[0];
    Selection selection;
    Windows windows;
    if (!type_is_static(x->type) || x->type.rank == 0 ||
        type_elements(inst->results[0]->type) == 0 ||
        !find_selection(rewrite->context->scratch, inst->operands + 1, x->type, &selection) ||
        selection.axis < 0) {
        return NULL;
    }
    int64_t extent = size_at(x->type, selection.axis);
    if (selection.at == NULL) {
        return is_choice(rewrite->context->scratch, &selection, extent) ? choose(b, x, &selection)
                                                                        : NULL;
    }
    if (!are_inside(&selection, extent) || !find_windows(selection.at, selection.count, &windows) ||
        windows.size != 1) {
        return NULL;
    }
    return slice_axis(b, x, selection.axis, windows.first, windows.count, (int)windows.stride);
}

static Value *scatter_choice(Builder *b, Value *values, Type type, const Selection *selection) {
    int *axes = arena_array(b->module->arena, int, type.rank);
    for (int axis = 0; axis < type.rank; axis++) {
        axes[axis] = axis;
    }
    Dims shape = {type.dims, type.rank};
    Value *place = build_broadcast(b, selection->index, shape, axes);
    Value *here = build_eq(b, place, build_iota(b, TYPE_I64, shape, selection->axis));
    return build_select(b, here, build_broadcast(b, values, shape, axes), build_full(b, type, 0));
}

// Windows cut apart and put where they come from, one place in a window after the other.
static Value *add_pads(Builder *b, Value *values, int axis, const Windows *w, int64_t extent) {
    if (w->size > MOST_PADS) {
        return NULL;
    }
    int rank = values->type.rank;
    const Dim **cut = arena_array(b->module->arena, const Dim *, rank + 1);
    const Dim **line = arena_array(b->module->arena, const Dim *, rank);
    for (int i = 0; i < rank; i++) {
        cut[i <= axis ? i : i + 1] = values->type.dims[i];
        line[i] = i == axis ? number(b, w->count) : values->type.dims[i];
    }
    cut[axis] = number(b, w->count);
    cut[axis + 1] = number(b, w->size);
    Value *windows = build_reshape(b, values, (Dims){cut, rank + 1}), *sum = NULL;
    for (int64_t k = w->size - 1; k >= 0; k--) {
        Value *part = slice_axis(b, windows, axis + 1, k, 1, 1);
        part = build_reshape(b, part, (Dims){line, rank});
        part = pad_axis(b, part, axis, w->first + k * w->dilation, extent, (int)w->stride);
        sum = sum == NULL ? part : build_add(b, sum, part);
    }
    return sum;
}

static Value *simplify_scatter(Rewrite *rewrite, const Inst *inst) {
    Builder *b = &rewrite->b;
    Value *base = inst->operands[0], *values = inst->operands[1];
    Arena *scratch = rewrite->context->scratch;
    Selection selection;
    Windows windows;
    if (!type_is_static(base->type) || !element_is_real(base->type.element) ||
        !type_is_static(values->type) || values->type.rank != base->type.rank ||
        base->type.rank == 0 || type_elements(values->type) == 0 || !is_zero(base) ||
        !find_selection(scratch, inst->operands + 2, base->type, &selection)) {
        return NULL;
    }
    if (selection.axis < 0) {
        return values;
    }
    int64_t extent = size_at(base->type, selection.axis);
    if (selection.at == NULL) {
        return is_choice(scratch, &selection, extent)
                   ? scatter_choice(b, values, base->type, &selection)
                   : NULL;
    }
    if (!are_inside(&selection, extent) || !find_windows(selection.at, selection.count, &windows)) {
        return NULL;
    }
    if (windows.size == 1) {
        return pad_axis(b, values, selection.axis, windows.first, extent, (int)windows.stride);
    }
    Value *folded =
        fold_contraction(b, rewrite->state, values, selection.axis, &windows, base->type);
    return folded ? folded : add_pads(b, values, selection.axis, &windows, extent);
}

static bool visit(Rewrite *rewrite, Inst *inst) {
    Value *value = NULL;
    if (inst->op == OP_gather) {
        value = simplify_gather(rewrite, inst);
    } else if (inst->op == OP_scatter_add) {
        value = simplify_scatter(rewrite, inst);
    } else if (inst->op == OP_slice) {
        value = slice_convolution(&rewrite->b, rewrite->state, inst);
    }
    if (value == NULL) {
        return true;
    }
    replace_value(rewrite, inst->results[0], value);
    return false;
}

void pass_selections(PassContext *context, Function *function) {
    Convolutions known = {.arena = context->scratch};
    rewrite_function(context, function, visit, &known);
}
