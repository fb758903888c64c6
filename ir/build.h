// Building IR: every instruction is made here, and its result types come from its type rule. A
// wrong operand is an internal error: whoever builds from user's text checks first
// (op_result_type).
#ifndef TDSL_IR_BUILD_H
#define TDSL_IR_BUILD_H

#include "ir/op.h"

// Appends to the end of `region`.
typedef struct Builder {
    Module *module;
    Region *region;
    Span span; // for the instructions to come
} Builder;

Builder builder_at(Region *region, Span span);

// For those who make instructions of any kind (the builders below, copying, the parser of the text
// form): an instruction without results and regions. Dimensions, axes and labels of the attribute
// are copied; the data of a constant must live as long as the module.
Inst *build_inst(Builder *b, Op op, Value *const *operands, int count, const Attribute *attribute);
Value *inst_add_result(Inst *inst, Type type);
Value *inst_insert_result(Inst *inst, int index, Type type); // before result `index`

// Any operator with one result.
Value *build_op(Builder *b, Op op, Value *const *operands, int count, const Attribute *attribute);

// Elementwise operators. Operands have one shape, except that a scalar meets any shape: it is
// broadcast. No element type is converted.
Value *build_unary(Builder *b, Op op, Value *x);
Value *build_binary(Builder *b, Op op, Value *x, Value *y);
Value *build_select(Builder *b, Value *condition, Value *x, Value *y);
Value *build_cast(Builder *b, Value *x, ElementType element); // x itself if it has that type

#define ELEMENTWISE_1(name)                                                                        \
    static inline Value *build_##name(Builder *b, Value *x) {                                      \
        return build_unary(b, OP_##name, x);                                                       \
    }
#define ELEMENTWISE_2(name)                                                                        \
    static inline Value *build_##name(Builder *b, Value *x, Value *y) {                            \
        return build_binary(b, OP_##name, x, y);                                                   \
    }
// clang-format off
ELEMENTWISE_2(add) ELEMENTWISE_2(sub) ELEMENTWISE_2(mul) ELEMENTWISE_2(div) ELEMENTWISE_2(pow)
ELEMENTWISE_2(eq) ELEMENTWISE_2(ne) ELEMENTWISE_2(lt) ELEMENTWISE_2(le) ELEMENTWISE_2(gt)
ELEMENTWISE_2(ge) ELEMENTWISE_2(logical_and) ELEMENTWISE_2(logical_or) ELEMENTWISE_2(minimum)
ELEMENTWISE_2(maximum) ELEMENTWISE_1(neg) ELEMENTWISE_1(abs) ELEMENTWISE_1(sign)
ELEMENTWISE_1(sqrt) ELEMENTWISE_1(exp) ELEMENTWISE_1(log) ELEMENTWISE_1(sin) ELEMENTWISE_1(cos)
ELEMENTWISE_1(logical_not) ELEMENTWISE_1(is_nan)
// clang-format on
#undef ELEMENTWISE_1
#undef ELEMENTWISE_2

    // Constants: a scalar; the same number in a whole tensor (a scalar, broadcast); any tensor.
    Value *build_scalar(Builder *b, ElementType element, double value);
Value *build_scalar_integer(Builder *b, ElementType element, int64_t value);
Value *build_full(Builder *b, Type type, double value);
Value *build_constant(Builder *b, const TensorData *data);
// A dimension as an i64 scalar.
Value *build_dim(Builder *b, const Dim *dim);

Value *build_iota(Builder *b, ElementType element, Dims shape, int axis);
Value *build_broadcast(Builder *b, Value *x, Dims shape, const int *axes); // rank(x) axes
// NumPy's rule: axes are aligned at the end. x itself if it has that shape.
Value *build_broadcast_to(Builder *b, Value *x, Dims shape);
// Inverse of broadcasting: sums what build_broadcast_to repeated, so that the result has `shape`.
Value *build_sum_to(Builder *b, Value *x, Dims shape);
Value *build_reshape(Builder *b, Value *x, Dims shape); // x itself if it has that shape
Value *build_transpose(Builder *b, Value *x, const int *permutation);
Value *build_slice(Builder *b, Value *x, Dims start, Dims stop, const int *step);
Value *build_pad(Builder *b, Value *x, Value *fill, Dims low, Dims high, const int *step);
Value *build_concat(Builder *b, Value *const *parts, int count, int axis);
Value *build_reduce(Builder *b, Op op, Value *x, const int *axes, int count); // x itself for 0 axes
// Sizes of the reduced axes kept as 1, or as they were (broadcast back).
Value *build_unreduce(Builder *b, Value *reduced, Type original, const int *axes, int count);
Value *build_argmax(Builder *b, Op op, Value *x, int axis);
Value *build_cumsum(Builder *b, Value *x, int axis, bool reverse);
Value *build_contract(Builder *b, Value *x, Value *y, const char *labels);
Value *build_detach(Builder *b, Value *x);
Value *build_gather(Builder *b, Value *x, Value *const *indices);
Value *build_scatter(Builder *b, Op op, Value *base, Value *values, Value *const *indices);
// x[index] along the first axis, with an i64 scalar index: a gather whose other indices are iotas.
Value *build_row(Builder *b, Value *x, Value *index);
// `base` with `row` added to (or stored at) its first-axis index.
Value *build_scatter_row(Builder *b, Op op, Value *base, Value *row, Value *index);

// Structured operators. Regions are created with their parameters; fill them with builders of their
// own, push their yields, then call the matching finish function, which makes the results.
Inst *build_loop(Builder *b, const Dim *trip, Value *const *initial, int carried, Value *count);
Region *loop_add_condition(Inst *loop);
void loop_finish(Inst *loop);
// Adds one more stacked value to a finished loop; returns the new result (before the iteration
// count).
Value *loop_add_stack(Inst *loop, Value *yielded);
// The result with the number of iterations done, of a loop with a condition.
Value *loop_iterations(const Inst *loop);
Inst *build_branch(Builder *b, Value *condition);
void branch_finish(Inst *branch);
// OP_checkpoint or OP_recompute.
Inst *build_checkpoint(Builder *b, Op op);
void checkpoint_finish(Inst *checkpoint);
void build_fence(Builder *b);
Inst *build_call(Builder *b, Function *callee, Value *const *arguments);

bool is_checkpoint(Op op); // OP_checkpoint or OP_recompute

Dims value_shape(const Value *value);
Dims dims_of(Arena *arena, const Dim *const *dims, int count);

#endif
