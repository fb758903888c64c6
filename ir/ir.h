// The tensor IR: typed SSA with structured regions and no control-flow graph.
//
// A Module has Functions; a Function has a body Region; a Region has parameters, a list of
// instructions and the values it yields. Loops and branches are instructions with regions of their
// own; a region may use every value of the regions around it. Every instruction has a source span;
// derivative code keeps the span of the primal it came from.
//
// Instructions are values: nothing has side effects, no two values share storage.
//
//   loop    operands: the initial carried values, and if attr.counted one i64 scalar, the count.
//           regions[0] (body): parameters are the i64 index and the carried values; it yields the
//           next carried values and then any number of values to stack. regions[1] (optional,
//           condition): same parameters; yields one bool; checked before each iteration. results:
//           the last carried values, then the stacks (shape [trip, ...]; rows of iterations that
//           did not run are zero), then with a condition the i64 number of iterations done. It runs
//           for index 0 .. trip-1; counted: 0 .. count-1 (0 <= count <= trip, else the program
//           fails with a status); with a condition: while it holds (it fails with a status if the
//           condition still holds after trip iterations).
//   branch  operand: a bool scalar. regions: then, else; no parameters; they yield the same types.
//   checkpoint, recompute  no operands; one region without parameters, whose yields are the
//           results. Reverse mode computes the region of a checkpoint again instead of keeping
//           values of it: a copy of it, and its reverse, are the region of a recompute. What a
//           region defines is not visible outside, so no pass merges a value with its
//           recomputation.
//   fence   no operands, no results; never dead. Lowering computes nothing behind it together with
//           anything before it. The pass open_checkpoints leaves one where a region began.
//   call    attr.callee's results.
//   vjp, jvp  derivatives of attr.callee: ir/derivative.h.
//   gather, scatter_*: an index out of range makes the program fail with a status that names the
//           instruction's span. Negative indices are out of range too: the front end adds sizes.
#ifndef TDSL_IR_IR_H
#define TDSL_IR_IR_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/base/arena.h"
#include "ir/base/check.h"
#include "ir/base/source.h"
#include "ir/base/vec.h"
#include "ir/type.h"

typedef struct Value Value;
typedef struct Inst Inst;
typedef struct Region Region;
typedef struct Function Function;
typedef struct Module Module;

typedef enum Op {
#define ELEMENTWISE(name, arity, rule, derivative, form, traits, value, meaning) OP_##name,
#define TENSOR(name, arity, attribute, derivative, traits, meaning) OP_##name,
#include "ir/ops.def"
    OP_COUNT
} Op;

// Which fields of Attribute an operator uses.
typedef enum AttributeKind {
    ATTRIBUTE_none,
    ATTRIBUTE_element,     // element
    ATTRIBUTE_constant,    // data
    ATTRIBUTE_iota,        // element, shape, axis
    ATTRIBUTE_dimension,   // dimension
    ATTRIBUTE_shape,       // shape
    ATTRIBUTE_broadcast,   // shape, axes (one result axis for each operand axis, increasing)
    ATTRIBUTE_permutation, // axes
    ATTRIBUTE_slice,       // start, stop, step; one of each an axis
    ATTRIBUTE_pad,         // low, high, step: elements put before, after, and between (step - 1)
    ATTRIBUTE_axis,        // axis
    ATTRIBUTE_axes,        // axes, increasing
    ATTRIBUTE_scan,        // axis, reverse
    ATTRIBUTE_contract,    // labels: "ij,jk->ik", one letter an axis
    ATTRIBUTE_loop,        // trip, carried, counted
    ATTRIBUTE_call,        // callee
    ATTRIBUTE_derivative,  // callee, outputs, leaves
} AttributeKind;

typedef struct Dims {
    const Dim *const *at;
    int count;
} Dims;

typedef struct Ints {
    const int *at;
    int count;
} Ints;

// A tensor's value: constants, and what the evaluator computes with. Row-major; bool one byte each.
typedef struct TensorData {
    Type type; // static
    void *bytes;
} TensorData;

typedef struct Attribute {
    ElementType element;
    Dims shape;
    Dims start, stop; // slice: start is included, stop is not. 0 <= start <= stop <= size; for a
                      // negative step, size > start >= stop >= -1.
    Dims low, high;   // may be negative: then elements are dropped
    Ints step;        // slice: not 0; pad: at least 1
    Ints axes;
    int axis;
    bool reverse;
    const char *labels;
    const TensorData *data;
    const Dim *dimension; // symbolic: a known dimension is a constant
    const Dim *trip;
    int carried;
    bool counted;
    Function *callee;
    Ints outputs, leaves; // of a derivative: results and parameters of the callee
} Attribute;

struct Value {
    Type type;
    const char *name; // the user's name for it, or NULL
    Inst *definition; // NULL for a region's parameter
    Region *region;   // the region that it is a parameter of or whose instruction defines it
    int index;        // which result, or which parameter
    int id;           // unique in its function; below function->value_count
};

struct Inst {
    Op op;
    Attribute attr;
    Value **operands;
    int operand_count;
    Value **results;
    int result_count;
    Region **regions;
    int region_count;
    Span span;
    Region *parent;
    Inst *previous, *next;
};

struct Region {
    Function *function;
    Inst *owner; // NULL for a function's body
    VEC(Value *) parameters;
    Inst *first, *last;
    VEC(Value *) yields;
};

// What a function's parameter or result is to the outside.
typedef enum Role {
    ROLE_VALUE,  // of a helper function
    ROLE_INPUT,  // parameter: a model's input
    ROLE_PARAM,  // parameter: a model's param
    ROLE_SEED,   // parameter: upstream gradient of an output; a one-element seed may be left out: 1
    ROLE_KEY,    // parameter: i64 scalar, key of the random numbers
    ROLE_OUTPUT, // result: a model's output
    ROLE_GRADIENT, // result: gradient of a leaf; added to the caller's buffer
    ROLE_INITIAL,  // result: the initial value of a leaf
    ROLE_NEXT,     // result: the next value of a param or of an optimiser's state
    ROLE_STATE,    // parameter: an optimiser's state
    ROLE_SAVED,    // result: only for the function's own rule, which takes no gradient of it
} Role;

typedef struct Slot {
    const char *name; // seeds and gradients: the name of the output or leaf they belong to
    Role role;
    bool requires_grad; // leaves
    Span span;
} Slot;

struct Function {
    const char *name;
    Module *module;
    Region *body;     // parameters and yields are the function's
    Slot *parameters; // as many as body->parameters
    Slot *results;    // as many as body->yields
    Span span;
    int value_count;
    int index;           // in the module
    Function *reverse;   // its own rule for reverse mode (ir/derivative.h), or NULL
    bool is_kept;        // made by keep_calls, with its rule
    Ints reverse_leaves; // the parameters whose gradients the rule gives
};

struct Module {
    Arena *arena; // owns everything below
    DimTable *dims;
    VEC(Function *) functions;
};

Module *module_new(Arena *arena);
// A function with an empty body; parameters and yields are added with the functions below. The name
// is made unique in the module by a number at its end.
Function *function_new(Module *module, const char *name, Span span);
Value *function_add_parameter(Function *function, Type type, Slot slot);
void function_add_result(Function *function, Value *value, Slot slot);
Function *function_find(const Module *module, const char *name);
Region *region_new(Function *function, Inst *owner);
Value *region_add_parameter(Region *region, Type type, const char *name);

// True if `value` may be used in `region`: defined in it or in a region around it.
bool value_is_visible(const Value *value, const Region *region);
bool region_yields(const Region *region, const Value *value);
// True if `inner` is `outer` or lies in it.
bool region_is_inside(const Region *inner, const Region *outer);

#define for_each_inst(inst, region)                                                                \
    for (Inst *inst = (region)->first; inst != NULL; inst = inst->next)

#endif
