// The reference evaluator: slow, obviously right, and sharing no kernel with codegen. Real
// arithmetic is done in double and rounded to the element type after every operator.
#ifndef TDSL_IR_EVALUATE_H
#define TDSL_IR_EVALUATE_H

#include "ir/ir.h"

typedef struct EvaluateFailure {
    Span span;           // the instruction that failed
    const char *message; // e.g. "index 5 is out of range for axis 0 with size 3"
} EvaluateFailure;

// Computes the results of a function with static shapes; `arguments` and `results` are in the
// order of its parameters and results; results are allocated in `arena`. False and *failure where
// the program fails with a status.
bool evaluate(Arena *arena, const Function *function, const TensorData *arguments,
              TensorData *results, EvaluateFailure *failure);

// Reads and writes one element by its row-major position.
double tensor_get(const TensorData *tensor, int64_t position);
int64_t tensor_get_integer(const TensorData *tensor, int64_t position);
void tensor_set(TensorData *tensor, int64_t position, double value);
void tensor_set_integer(TensorData *tensor, int64_t position, int64_t value);
TensorData tensor_new(Arena *arena, Type type); // zeros

#endif
