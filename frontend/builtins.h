// Built-in functions: one row of builtins.def each. A row's signature says what arguments it takes
// and in which form its handler gets them; a wrong argument is reported before the handler runs.
//
//     "x: tensor, dim: axes = none, keepdim: bool = false"
//
//   tensor   a tensor; numbers and lists become one            floating  a tensor of a real type
//   any      the value as it is                                scalar    the same, a number or a
//   scalar int      a known integer with a value                      size      a known integer or
//   dimension number   a known real number                               bool, string axis     like
//   int                                          axes      a list of ints, or one shape    a list
//   of sizes, or one                           tensors   a list element  an element type function
//
// A star after the name (`size*: shape`) takes all positional arguments that are left as one list.
#ifndef TDSL_FRONTEND_BUILTINS_H
#define TDSL_FRONTEND_BUILTINS_H

#include "frontend/elaborate_internal.h"

enum { CALL_ARGUMENTS_MAX = 12 };

typedef struct Call {
    Elaborator *e;
    const Builtin *builtin;
    Span span;
    int count;
    const char *names[CALL_ARGUMENTS_MAX];
    Val at[CALL_ARGUMENTS_MAX];
    Span spans[CALL_ARGUMENTS_MAX];
    bool is_named[CALL_ARGUMENTS_MAX]; // given by name: dim=0
} Call;

typedef Val BuiltinHandler(Call *call);

struct Builtin {
    const char *name;
    const char *signature;   // NULL: see call_operator
    BuiltinHandler *handler; // NULL: the elementwise operator `op`
    Op op;
    const char *meaning;
};

// One handler for each name of the third column of builtins.def.
#define BUILTIN(name, signature, handler, meaning) Val builtin_##handler(Call *call);
#include "frontend/builtins.def"

// The operators of the IR under their own names, ir_NAME (builtins_operator.c); NULL: none.
const Builtin *find_operator(const char *name);
Val call_operator(Elaborator *e, Span span, const Builtin *builtin,
                  const CallArgumentList *arguments);

// ---- for handlers

Value *tensor_at(const Call *call, int index);
bool is_given(const Call *call, int index); // not `none`
int64_t int_at(const Call *call, int index);
double number_at(const Call *call, int index);
const char *string_at(const Call *call, int index);
// One of the axes of a tensor with `rank`; negative ones count from the end. False after an error.
bool axis_at(Call *call, int index, int rank, int *axis);
// Several, increasing and each once; `none` gives all. A scalar has none.
bool axes_at(Call *call, int index, int rank, Ints *axes);
// In the order given.
bool ordered_axes_at(Call *call, int index, int rank, Ints *axes);
// Sizes; with `allows_minus_one` one of them may be -1 (then NULL stands for it).
bool open_shape_at(Call *call, int index, Dims *shape); // any of them may be -1
bool shape_at(Call *call, int index, bool allows_minus_one, Dims *shape);
ElementType element_at(const Call *call, int index, ElementType otherwise);

// Shapes of results.
const Dim *constant_of(const Call *call, int64_t value);
Dims shape_without(const Call *call, Type type, int axis);
Dims shape_with(const Call *call, Type type, int axis, const Dim *size); // a new axis
Dims shape_replacing(const Call *call, Type type, int axis, const Dim *size);
Dims shape_keeping(const Call *call, Type type, Ints axes); // the axes become 1
Value *reduce(Call *call, Op op, Value *x, Ints axes, bool keepdim);
Value *slice_axis(Call *call, Value *x, int axis, const Dim *start, const Dim *stop, int step);
Value *scalar_of(const Call *call, ElementType element, double value);
Value *iota_axis(const Call *call, Dims shape, int axis);
Value *add_scalar(const Call *call, Value *x, int64_t number);
// index + size where the index is negative.
Value *wrap_index(Elaborator *e, Value *index, const Dim *size);
// x with its elements along `axis` taken at `index`, whose shape is the result's.
Value *gather_axis(Call *call, Value *x, int axis, Value *index);
// i64 index tensors of `shape` for every axis of it, but `index` for `axis`.
Value **indices_with(const Call *call, Dims shape, int axis, Value *index);
// 64 random bits for each element, under an i64 key.
Value *random_bits(Call *call, Value *key, Dims shape, int stream);
Value *uniform_values(Call *call, Value *key, ElementType element, Dims shape);
Value *normal_values(Call *call, Value *key, ElementType element, Dims shape);

// The result of a function of the prelude.
Val call_prelude(Call *call, const char *name, const Val *values, int count);
Val call_prelude_at(Elaborator *e, Span span, const char *name, const Val *values, int count);

#endif
