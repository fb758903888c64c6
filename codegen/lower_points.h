// Loop nests over the points of a shape, and how memory is accessed in them.
#ifndef TDSL_CODEGEN_LOWER_POINTS_H
#define TDSL_CODEGEN_LOWER_POINTS_H

#include "codegen/lower_element.h"

enum { MOST_LOOPS = 64 };

// Axes of a shape in the order in which loops run over them, neighbours joined
// into one loop.
typedef struct LoopAxis {
    int first, count; // of `order`
    int64_t extent;
} LoopAxis;

typedef struct LoopNest {
    int64_t sizes[MOST_LOOPS]; // of the axes
    int axis_count;
    LoopAxis loops[MOST_LOOPS];
    int loop_count;
} LoopNest;

// What a probe found about the loops of its indices.
typedef struct Access {
    bool joins[MOST_LOOPS]; // axis and the next may be one loop
    int score[MOST_LOOPS];  // how well memory is accessed if this axis is the
                            // innermost
    int scalars;            // of the kernel
} Access;

// Looks at all accesses of the kernel under construction (lower_access.c).
void find_accesses(KernelLowering *k, Scalar *const *index, const int64_t *sizes, int count,
                   Access *access);
LoopNest make_nest(const int64_t *sizes, int count, const bool *joins);
// Opens the loops of a nest from `first` to before `last` and fills the index
// of each axis.
void open_nest(KernelLowering *k, const LoopNest *nest, int first, int last, LoopKind innermost,
               Scalar **index);
void fill_index(KernelLowering *k, const LoopNest *nest, int loop, Scalar *position,
                Scalar **index);
void close_loops(KernelLowering *k, int count);
const char *loop_name(const KernelLowering *k);

// A reduction's axes that disappear, and what it does with each element.
typedef struct Reduction {
    const Value *value;
    const Inst *inst;
    int64_t sizes[MOST_LOOPS];
    int axis_count;
    int64_t total;
    char labels[MOST_LOOPS]; // of contract
    ElementType type;        // of what is accumulated
} Reduction;

Reduction reduction_of(const Value *value);
Scalar *reduction_start(KernelLowering *k, const Reduction *r, ElementType type);
// The accumulated value after the element at the point `index` and the reduced
// position `inner`.
Scalar *reduction_step(KernelLowering *k, const Reduction *r, Scalar *before, Scalar *const *index,
                       Scalar *const *inner);
// The order of the reduced axes: the one that is best innermost comes last.
typedef struct RowPlan {
    LoopNest nest;
    int order[MOST_LOOPS];
} RowPlan;

RowPlan plan_rows(Lowering *l, const Node *node, const Reduction *r);
// Adds up a row of one loop, at one point, in the `count` lanes that are in `sums` from `start` on,
// written out, without joining them.
void sum_in_lanes(KernelLowering *k, const Reduction *r, const RowPlan *plan, Scalar *const *index,
                  Local *sums, Scalar *start, int count);
Scalar *reduction_join(KernelLowering *k, const Reduction *r, Scalar *x, Scalar *y);
// Reduces at one point of the result's shape.
Scalar *reduce_at_point(KernelLowering *k, const Value *value, Scalar *const *index);
// The rows of a step at one place, with the sums that gather them; and their stores.
Scalar **compute_rows(KernelLowering *k, const RowStep *step, Scalar *const *index);
void store_rows(KernelLowering *k, const RowStep *step, Scalar *const *index,
                Scalar *const *results);
// Computes the rows of a step with folds at a point, and what those reduce them to.
void fold_rows(KernelLowering *k, const RowStep *step, Scalar *const *point);
// Small loops and branches inside of a kernel (lower_small.c).
void emit_small_control(KernelLowering *k, const Inst *inst);
void store_small_results(KernelLowering *k, const Inst *inst);
// Sums of rows (lower_sums.c): opens and closes the loops over a node's points, with what gathers
// its sums around them.
void open_points(KernelLowering *k, const LoopNest *nest, LoopKind innermost, Scalar **index);
void close_points(KernelLowering *k, const LoopNest *nest);
// Adds elements of rows to the sums of a step.
void gather_sums(KernelLowering *k, const RowStep *step, Scalar *const *index);
void store_sums(KernelLowering *k);
int vector_lanes(const Lowering *l, ElementType type);
void lower_columns(KernelLowering *k, Node *node);
// All members of a node at one point.
void emit_members(KernelLowering *k, const Node *node, Scalar *const *index);
// How many rows a node adds up side by side (lower_short_rows.c); 0: it has no short rows. And its
// lowering, where it has.
int short_row_lanes(Lowering *l, const Node *node, const LoopNest *nest);
void lower_short_rows(KernelLowering *k, Node *node, const LoopNest *nest, int lanes);

#endif
