// One kernel of the tensor IR under construction: elements of values as
// scalars.
#ifndef TDSL_CODEGEN_LOWER_ELEMENT_H
#define TDSL_CODEGEN_LOWER_ELEMENT_H

#include "codegen/lower_build.h"
#include "codegen/lower_plan.h"

// A value of the kernel's own node that is being accumulated: its element at
// the current point is local[index].
typedef struct Accumulator {
    const Value *value;
    Local *local;
    Scalar *index;
} Accumulator;

// A value of a loop or branch inside the kernel: element i is local[i].
typedef struct Cells {
    const Value *value;
    Local *local;
} Cells;

// An index was out of range somewhere in the kernel.
typedef struct BadIndex {
    Local *flag;
    int site;
} BadIndex;

typedef struct KernelLowering {
    KernelBuilder build;
    Lowering *lowering;
    const Node *node;             // NULL: no members
    VEC(const Value *) arguments; // loop indices passed to the kernel
    VEC(Accumulator) accumulators;
    VEC(Cells) cells;
    VEC(BadIndex) bad;
    Local **sums, **wide; // of the node's sums of rows, by number (lower_sums.c)
    bool probe;           // nothing is kept: only how memory is accessed is of interest
} KernelLowering;

void begin_kernel(KernelLowering *k, Lowering *l, const Node *node, const Value *named_for,
                  const char *suffix);
// Adds the kernel to the program and its call to the entry; an empty one is
// dropped.
void end_kernel(KernelLowering *k);
// A kernel that is only looked at.
void begin_probe(KernelLowering *k, Lowering *l, const Node *node);

// The element of `value` at an index vector of its rank.
Scalar *element(KernelLowering *k, const Value *value, Scalar *const *index);
// The element of a member of the node that is computed here, for element() to
// give from now on.
Scalar *member_element(KernelLowering *k, const Value *value, Scalar *const *index);
bool is_accumulated(const KernelLowering *k, const Value *value);
// Says what element() gives for a member of the node at an index.
void remember_element(KernelLowering *k, const Value *value, Scalar *const *index, Scalar *scalar);
// Row-major position of an index, and back.
Scalar *flat_position(KernelLowering *k, Type shape, Scalar *const *index);
void unflatten(KernelLowering *k, Type shape, Scalar *position, Scalar **index);
Scalar **new_index(KernelLowering *k, int rank);
// The loop index `value` of a surrounding loop, as an argument of the kernel.
Scalar *loop_argument(KernelLowering *k, const Value *value);
// Position of an element of a stored value, or of a destination, in its buffer.
Scalar *row_position(KernelLowering *k, const Value *row, int64_t row_elements, Scalar *position);
// The index, moved into 0 .. size - 1; if it was outside, the kernel will fail
// with a site for `span`.
Scalar *checked_index(KernelLowering *k, Scalar *index, int axis, int64_t size, Span span);
// Ends the kernel here if an index was out of range.
void add_index_failures(KernelLowering *k);
// Stores a member's element where its state asks for it.
void store_member(KernelLowering *k, const Value *value, Scalar *const *index, Scalar *scalar);
// A tensor literal's buffer.
Buffer *constant_buffer(Lowering *l, const TensorData *data);

// Elementwise operators that are more than one scalar operator (expand.c).
Scalar *expand_operator(KernelBuilder *k, Op op, Scalar *const *x);
// Smaller or larger, NaN if either is.
Scalar *expand_extreme(KernelBuilder *k, bool largest, Scalar *x, Scalar *y);

#endif
