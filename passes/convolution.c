#include "passes/convolution.h"

#include <string.h>

#include "passes/match.h"

enum { MOST_LABELS = 64 };

typedef struct Labels {
    char x[MOST_LABELS], y[MOST_LABELS], result[MOST_LABELS];
} Labels;

static Labels split_labels(const char *text) {
    Labels labels = {{0}, {0}, {0}};
    char *parts[] = {labels.x, labels.y, labels.result};
    int part = 0, count = 0;
    for (const char *c = text; *c != 0; c++) {
        if (*c == ',' || *c == '-') {
            part++;
            count = 0;
            c += *c == '-';
            continue;
        }
        check(count < MOST_LABELS - 1, "a contraction of too many axes");
        parts[part][count++] = *c;
    }
    return labels;
}

static const char *join_labels(Builder *b, const Labels *labels) {
    return arena_format(b->module->arena, "%s,%s->%s", labels->x, labels->y, labels->result);
}

static int64_t size_at(const Value *value, int axis) {
    return dim_value(value->type.dims[axis]);
}

static const Dim *number(Builder *b, int64_t value) {
    return dim_constant(b->module->dims, value);
}

static const Dim **new_dims(Builder *b, int count) {
    return arena_array(b->module->arena, const Dim *, count);
}

static int axis_of(const char *labels, char label) {
    const char *found = strchr(labels, label);
    return found == NULL ? -1 : (int)(found - labels);
}

// Zeros around the axes that windows are taken of; negative amounts cut.
static Value *pad_places(Builder *b, const Convolution *c, const Labels *labels) {
    int rank = c->x->type.rank;
    const Dim **low = new_dims(b, rank), **high = new_dims(b, rank);
    int *step = arena_array(b->module->arena, int, rank);
    for (int axis = 0; axis < rank; axis++) {
        low[axis] = high[axis] = number(b, 0);
        step[axis] = 1;
    }
    for (int i = 0; i < c->count; i++) {
        const Fold *fold = &c->folds[i];
        int axis = axis_of(labels->x, fold->place);
        int64_t reach = (fold->size - 1) * fold->dilation;
        low[axis] = number(b, fold->first + reach);
        high[axis] = number(b, fold->extent - size_at(c->x, axis) - fold->first);
    }
    Value *zero = build_scalar(b, c->x->type.element, 0);
    return build_pad(b, c->x, zero, (Dims){low, rank}, (Dims){high, rank}, step);
}

// Axis `axis` becomes two: `extent` windows, and the places in a window.
static Value *take_windows(Builder *b, Value *x, int axis, const Fold *fold) {
    int rank = x->type.rank;
    const Dim *line[] = {number(b, fold->extent), number(b, fold->size)};
    const Dim *flat[] = {number(b, fold->extent * fold->size)};
    Value *at = build_mul(b, build_iota(b, TYPE_I64, (Dims){line, 2}, 1),
                          build_scalar_integer(b, TYPE_I64, fold->dilation));
    at = build_add(b, build_iota(b, TYPE_I64, (Dims){line, 2}, 0), at);
    at = build_reshape(b, at, (Dims){flat, 1});
    const Dim **shape = new_dims(b, rank), **cut = new_dims(b, rank + 1);
    for (int i = 0; i < rank; i++) {
        shape[i] = i == axis ? flat[0] : x->type.dims[i];
        cut[i < axis ? i : i + 1] = x->type.dims[i];
    }
    cut[axis] = line[0];
    cut[axis + 1] = line[1];
    Value **indices = arena_array(b->module->arena, Value *, rank);
    for (int i = 0; i < rank; i++) {
        indices[i] = i == axis ? build_broadcast(b, at, (Dims){shape, rank}, &axis)
                               : build_iota(b, TYPE_I64, (Dims){shape, rank}, i);
    }
    return build_reshape(b, build_gather(b, x, indices), (Dims){cut, rank + 1});
}

static Value *reverse_offsets(Builder *b, const Convolution *c, const Labels *labels) {
    int rank = c->y->type.rank;
    const Dim **start = new_dims(b, rank), **stop = new_dims(b, rank);
    int *step = arena_array(b->module->arena, int, rank);
    for (int axis = 0; axis < rank; axis++) {
        start[axis] = number(b, 0);
        stop[axis] = c->y->type.dims[axis];
        step[axis] = 1;
    }
    for (int i = 0; i < c->count; i++) {
        int axis = axis_of(labels->y, c->folds[i].offset);
        start[axis] = number(b, size_at(c->y, axis) - 1);
        stop[axis] = number(b, -1);
        step[axis] = -1;
    }
    return build_slice(b, c->y, (Dims){start, rank}, (Dims){stop, rank}, step);
}

// Element j of a folded axis is the sum over k of x at j - first - k * dilation times y at k:
// with k counted from the end, a window of x times y reversed.
static Value *build_convolution(Builder *b, Convolutions *known, Convolution c) {
    Labels labels = split_labels(c.labels);
    Value *x = pad_places(b, &c, &labels), *y = reverse_offsets(b, &c, &labels);
    for (int i = 0; i < c.count; i++) {
        const Fold *fold = &c.folds[i];
        int axis = axis_of(labels.x, fold->place), gone = axis_of(labels.result, fold->offset);
        x = take_windows(b, x, axis, fold);
        memmove(labels.x + axis + 2, labels.x + axis + 1, strlen(labels.x + axis + 1) + 1);
        labels.x[axis + 1] = fold->offset;
        memmove(labels.result + gone, labels.result + gone + 1, strlen(labels.result + gone));
    }
    c.value = build_contract(b, x, y, join_labels(b, &labels));
    vec_push(known->arena, &known->all, c);
    return c.value->definition->results[0];
}

static const Convolution *find_convolution(const Convolutions *known, const Value *value) {
    for (int i = 0; i < known->all.count; i++) {
        if (known->all.at[i].value == value) {
            return &known->all.at[i];
        }
    }
    return NULL;
}

static Value *without_reshapes(Value *value) {
    while (defined_by(value, OP_reshape)) {
        value = value->definition->operands[0];
    }
    return value;
}

static int64_t elements_between(Type type, int first, int last) {
    int64_t count = 1;
    for (int axis = first; axis < last; axis++) {
        count *= dim_value(type.dims[axis]);
    }
    return count;
}

// The axis of `whole` that has as many elements before it as `axis` of `values`, where windows
// start; -1: none.
static int find_place_axis(Type whole, Type values, int axis, const Windows *w) {
    int64_t before = elements_between(values, 0, axis);
    int64_t after = elements_between(values, axis + 1, values.rank);
    for (int i = 0; i + 1 < whole.rank; i++) {
        if (dim_value(whole.dims[i]) == w->count && dim_value(whole.dims[i + 1]) == w->size &&
            elements_between(whole, 0, i) == before &&
            elements_between(whole, i + 2, whole.rank) == after) {
            return i;
        }
    }
    return -1;
}

// The convolution that a contraction is, before anything is folded; false if its type is not known.
static bool begin_convolution(const Convolutions *known, Value *value, Convolution *c) {
    const Convolution *found = find_convolution(known, value);
    const Inst *inst = defined_by(value, OP_contract);
    if (found != NULL) {
        *c = *found;
        return c->count < MOST_FOLDS;
    }
    if (inst == NULL || !type_is_static(inst->operands[0]->type) ||
        !type_is_static(inst->operands[1]->type)) {
        return false;
    }
    *c = (Convolution){.x = inst->operands[0], .y = inst->operands[1], .labels = inst->attr.labels};
    return true;
}

// Operands change places so that the first one has the label.
static bool put_first(Builder *b, Convolution *c, char place, char offset) {
    Labels labels = split_labels(c->labels);
    bool in_x = axis_of(labels.x, place) >= 0, in_y = axis_of(labels.y, place) >= 0;
    if (in_x && in_y) {
        return false;
    }
    if (!in_x && c->count > 0) {
        return false;
    }
    if (!in_x) {
        Labels swapped = labels;
        memcpy(swapped.x, labels.y, sizeof swapped.x);
        memcpy(swapped.y, labels.x, sizeof swapped.y);
        Value *x = c->x;
        c->x = c->y;
        c->y = x;
        c->labels = join_labels(b, &swapped);
        labels = swapped;
    }
    return axis_of(labels.x, offset) < 0 && axis_of(labels.y, offset) >= 0;
}

// The label of an axis of the result as it is now, with folds done.
static char label_of(const Convolution *c, int axis) {
    Labels labels = split_labels(c->labels);
    for (int i = 0; i < c->count; i++) {
        int gone = axis_of(labels.result, c->folds[i].offset);
        memmove(labels.result + gone, labels.result + gone + 1, strlen(labels.result + gone));
    }
    return labels.result[axis];
}

static bool is_folded(const Convolution *c, char label) {
    for (int i = 0; i < c->count; i++) {
        if (c->folds[i].place == label) {
            return true;
        }
    }
    return false;
}

Value *fold_contraction(Builder *b, Convolutions *known, Value *values, int axis,
                        const Windows *windows, Type type) {
    Value *source = without_reshapes(values);
    Convolution c;
    if (windows->stride != 1 || !begin_convolution(known, source, &c)) {
        return NULL;
    }
    int at = find_place_axis(source->type, values->type, axis, windows);
    if (at < 0) {
        return NULL;
    }
    char place = label_of(&c, at), offset = label_of(&c, at + 1);
    if (is_folded(&c, place) || is_folded(&c, offset) || !put_first(b, &c, place, offset)) {
        return NULL;
    }
    c.folds[c.count++] = (Fold){.place = place,
                                .offset = offset,
                                .first = windows->first,
                                .extent = dim_value(type.dims[axis]),
                                .size = windows->size,
                                .dilation = windows->dilation};
    return build_reshape(b, build_convolution(b, known, c), (Dims){type.dims, type.rank});
}

Value *slice_convolution(Builder *b, Convolutions *known, const Inst *slice) {
    const Convolution *found = find_convolution(known, slice->operands[0]);
    if (found == NULL) {
        return NULL;
    }
    Convolution c = *found;
    for (int axis = 0; axis < slice->attr.step.count; axis++) {
        int64_t start = dim_value(slice->attr.start.at[axis]);
        int64_t stop = dim_value(slice->attr.stop.at[axis]), size = size_at(found->value, axis);
        if (slice->attr.step.at[axis] == 1 && start == 0 && stop == size) {
            continue;
        }
        Fold *fold = NULL;
        for (int i = 0; i < c.count; i++) {
            fold = c.folds[i].place == label_of(&c, axis) ? &c.folds[i] : fold;
        }
        if (fold == NULL || slice->attr.step.at[axis] != 1 || stop <= start) {
            return NULL;
        }
        fold->first -= start;
        fold->extent = stop - start;
    }
    return build_convolution(b, known, c);
}
