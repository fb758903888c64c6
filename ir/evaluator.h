// Inside the reference evaluator (ir/evaluate*.c) only. Every operator is computed from its
// definition by the coordinates of elements, one at a time.
#ifndef TDSL_IR_EVALUATOR_H
#define TDSL_IR_EVALUATOR_H

#include "ir/evaluate.h"
#include "ir/op.h"

// One call of a function: its values by id. Values never change, so several may share bytes.
typedef struct Frame {
    const Function *function;
    TensorData *values;
    Arena *messages; // outlives all frames
    EvaluateFailure *failure;
} Frame;

// One instruction about to be computed.
typedef struct Evaluation {
    Frame *frame;
    const Inst *inst;
    Arena *arena; // for results and small temporaries
} Evaluation;

// One for each tensor operator; false after a failure.
#define TENSOR(name, arity, attribute, derivative, traits, meaning)                                \
    bool evaluate_##name(Evaluation *e);
#include "ir/ops.def"
bool evaluate_elementwise(Evaluation *e);

static inline const TensorData *operand(const Evaluation *e, int index) {
    return &e->frame->values[e->inst->operands[index]->id];
}
// Allocates the result, zeroed, with its type.
TensorData *new_result(Evaluation *e, int index);
// Makes a result of values that exist already.
void share_result(Evaluation *e, int index, const TensorData *data);
bool report_failure(Evaluation *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

void copy_element(TensorData *to, int64_t to_position, const TensorData *from,
                  int64_t from_position);
TensorData copy_tensor(Arena *arena, const TensorData *from);
// The elements as doubles, in `arena` or, for f64, the tensor's own.
const double *tensor_reals(Arena *arena, const TensorData *tensor);

// The coordinates of a tensor's elements in row-major order.
typedef struct Walk {
    int rank;
    const int64_t *sizes;
    int64_t *at;
} Walk;

Walk walk_new(Arena *arena, int rank, const int64_t *sizes); // at the origin
bool walk_next(Walk *walk); // false, and at the origin again, behind the last element
const int64_t *sizes_of(Arena *arena, Type type);
int64_t *strides_of(Arena *arena, Type type); // in elements, row-major
// sum of at[k] * strides[k]
int64_t offset_at(const int64_t *at, const int64_t *strides, int rank);

#endif
