// Type rules of indexing, reductions and contraction, and the refusals of structured operators,
// whose results are more than one.
#include "ir/type_rules.h"

#include <string.h>

// The operands from `first` on are one i64 index tensor for each axis of `indexed`, all of one
// shape.
static bool require_indices(Rule *rule, int first, Type indexed, Type shape) {
    if (indexed.rank == 0) {
        return refuse(rule, "needs a tensor to index, got a scalar");
    }
    if (rule->count - first != indexed.rank) {
        return refuse(rule, "of %s needs %d indices, one for each axis, got %d",
                      show_type(rule, indexed), indexed.rank, rule->count - first);
    }
    for (int i = first; i < rule->count; i++) {
        if (operand_type(rule, i).element != TYPE_I64) {
            return refuse(rule, "needs i64 indices, got %s", show_operand(rule, i));
        }
        if (!shape_equal(operand_type(rule, i), shape)) {
            return refuse(rule, "needs indices of one shape, got %s where %s is needed",
                          show_operand(rule, i),
                          show_type(rule, type_with_element(shape, TYPE_I64)));
        }
    }
    return true;
}

bool type_gather(Rule *rule) {
    if (rule->count < 2) {
        return refuse(rule, "needs a tensor and an index for each of its axes");
    }
    Type x = operand_type(rule, 0), shape = operand_type(rule, 1);
    return require_indices(rule, 1, x, shape) && give_type(rule, x.element, shape.dims, shape.rank);
}

static bool type_scatter(Rule *rule) {
    if (rule->count < 3) {
        return refuse(rule, "needs a tensor, values, and an index for each axis of the tensor");
    }
    Type base = operand_type(rule, 0), values = operand_type(rule, 1);
    if (base.element != values.element) {
        return refuse(rule, "needs values of the tensor's element type, got %s and %s",
                      element_name(values.element), element_name(base.element));
    }
    return require_indices(rule, 2, base, values) &&
           give_type(rule, base.element, base.dims, base.rank);
}

bool type_scatter_add(Rule *rule) {
    if (rule->count > 0 && !require_number(rule, 0)) {
        return false;
    }
    return type_scatter(rule);
}

bool type_scatter_set(Rule *rule) {
    return type_scatter(rule);
}

// The type of the operand without `axes`.
static bool accept_without(Rule *rule, ElementType element, Ints axes) {
    Type x = operand_type(rule, 0);
    const Dim **dims = arena_array(rule->module->arena, const Dim *, x.rank);
    int rank = 0;
    for (int axis = 0, next = 0; axis < x.rank; axis++) {
        if (next < axes.count && axes.at[next] == axis) {
            next++;
        } else {
            dims[rank++] = x.dims[axis];
        }
    }
    return give_type(rule, element, dims, rank);
}

static bool type_sum_or_product(Rule *rule) {
    Type x = operand_type(rule, 0);
    return require_number(rule, 0) && require_axes(rule, rule->attribute->axes, x.rank) &&
           accept_without(rule, x.element, rule->attribute->axes);
}

bool type_reduce_sum(Rule *rule) {
    return type_sum_or_product(rule);
}

bool type_reduce_prod(Rule *rule) {
    return type_sum_or_product(rule);
}

static bool require_elements(Rule *rule, int axis) {
    int64_t size;
    if (dim_is_constant(operand_type(rule, 0).dims[axis], &size) && size == 0) {
        return refuse(rule, "needs at least one element, but axis %d of %s has none", axis,
                      show_operand(rule, 0));
    }
    return true;
}

static bool type_extreme(Rule *rule) {
    Type x = operand_type(rule, 0);
    Ints axes = rule->attribute->axes;
    if (!require_axes(rule, axes, x.rank)) {
        return false;
    }
    for (int i = 0; i < axes.count; i++) {
        if (!require_elements(rule, axes.at[i])) {
            return false;
        }
    }
    return accept_without(rule, x.element, axes);
}

bool type_reduce_max(Rule *rule) {
    return type_extreme(rule);
}

bool type_reduce_min(Rule *rule) {
    return type_extreme(rule);
}

static bool type_place_of_extreme(Rule *rule) {
    int axis = rule->attribute->axis;
    return require_number(rule, 0) && require_axis(rule, axis, operand_type(rule, 0).rank) &&
           require_elements(rule, axis) && accept_without(rule, TYPE_I64, (Ints){&axis, 1});
}

bool type_argmax(Rule *rule) {
    return type_place_of_extreme(rule);
}

bool type_argmin(Rule *rule) {
    return type_place_of_extreme(rule);
}

bool type_cumsum(Rule *rule) {
    Type x = operand_type(rule, 0);
    return require_number(rule, 0) && require_axis(rule, rule->attribute->axis, x.rank) &&
           give_type(rule, x.element, x.dims, x.rank);
}

// Contraction. Labels are "X,Y->Z"; the size of each label is that of the axes it stands at.

enum { LETTERS = 128 };

typedef struct Labels {
    const char *part[3]; // of x, of y, of the result
    int length[3];
} Labels;

static bool split_labels(Rule *rule, Labels *labels) {
    const char *text = rule->attribute->labels ? rule->attribute->labels : "";
    const char *comma = strchr(text, ','), *arrow = strstr(text, "->");
    if (!comma || !arrow || comma > arrow) {
        return refuse(rule, "needs labels like \"ij,jk->ik\", got \"%s\"", text);
    }
    *labels = (Labels){{text, comma + 1, arrow + 2},
                       {(int)(comma - text), (int)(arrow - comma - 1), (int)strlen(arrow + 2)}};
    for (int part = 0; part < 3; part++) {
        for (int i = 0; i < labels->length[part]; i++) {
            char letter = labels->part[part][i];
            if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'))) {
                return refuse(rule, "needs letters as labels, got \"%s\"", text);
            }
            if (memchr(labels->part[part], letter, (size_t)i)) {
                return refuse(rule,
                              "needs each label once in an operand and in the result, got "
                              "\"%s\"",
                              text);
            }
        }
    }
    return true;
}

static bool has_label(const Labels *labels, int part, char letter) {
    return memchr(labels->part[part], letter, (size_t)labels->length[part]) != NULL;
}

// Fills `sizes` (by letter) from one operand.
static bool read_sizes(Rule *rule, const Labels *labels, int operand, const Dim **sizes) {
    Type type = operand_type(rule, operand);
    if (labels->length[operand] != type.rank) {
        return refuse(rule, "has %d labels for %s in \"%s\"", labels->length[operand],
                      show_operand(rule, operand), rule->attribute->labels);
    }
    for (int i = 0; i < type.rank; i++) {
        char letter = labels->part[operand][i];
        const Dim **size = &sizes[(unsigned char)letter];
        if (*size && !dim_equal(*size, type.dims[i])) {
            const char *where =
                arena_format(rule->module->arena, "for the shared label %c", letter);
            return refuse_sizes(rule, where, *size, type.dims[i]);
        }
        *size = type.dims[i];
        if (!has_label(labels, 1 - operand, letter) && !has_label(labels, 2, letter)) {
            return refuse(rule, "cannot drop the label %c, which only one operand has: \"%s\"",
                          letter, rule->attribute->labels);
        }
    }
    return true;
}

bool type_contract(Rule *rule) {
    Labels labels;
    Type x = operand_type(rule, 0), y = operand_type(rule, 1);
    if (x.element != y.element) {
        return refuse(rule, "needs operands of one element type, got %s and %s",
                      element_name(x.element), element_name(y.element));
    }
    const Dim *sizes[LETTERS] = {NULL};
    if (!require_number(rule, 0) || !split_labels(rule, &labels) ||
        !read_sizes(rule, &labels, 0, sizes) || !read_sizes(rule, &labels, 1, sizes)) {
        return false;
    }
    int rank = labels.length[2];
    const Dim **dims = arena_array(rule->module->arena, const Dim *, rank);
    for (int i = 0; i < rank; i++) {
        dims[i] = sizes[(unsigned char)labels.part[2][i]];
        if (!dims[i]) {
            return refuse(rule, "has no operand with the label %c of the result: \"%s\"",
                          labels.part[2][i], rule->attribute->labels);
        }
    }
    return give_type(rule, x.element, dims, rank);
}

// Structured operators are typed by their regions or their callee.

bool type_loop(Rule *rule) {
    return refuse(rule, "has no single result");
}

bool type_branch(Rule *rule) {
    return refuse(rule, "has no single result");
}

bool type_checkpoint(Rule *rule) {
    return refuse(rule, "has no single result");
}

bool type_recompute(Rule *rule) {
    return refuse(rule, "has no single result");
}

bool type_fence(Rule *rule) {
    return refuse(rule, "has no result");
}

bool type_call(Rule *rule) {
    return refuse(rule, "has no single result");
}

bool type_vjp(Rule *rule) {
    return refuse(rule, "has no single result");
}

bool type_jvp(Rule *rule) {
    return refuse(rule, "has no single result");
}
