// A model: what the front end makes of `model NAME { ... }` and every product is made from.
#ifndef TDSL_IR_MODEL_H
#define TDSL_IR_MODEL_H

#include "ir/ir.h"

typedef struct Leaf {
    const char *name;
    Type type;
    bool is_param;      // else an input
    bool requires_grad; // params unless frozen, inputs if marked; only real types can
    bool frozen;        // a param marked `frozen`: for messages
    bool has_initial;   // has a value of its own: a param's initialiser, an input's default
    Span span;          // of the declaration
} Leaf;

typedef struct Model {
    const char *name;
    Span span;
    VEC(Leaf) leaves;  // in the order of declaration
    Function *forward; // parameters: the leaves (ROLE_INPUT, ROLE_PARAM); results: ROLE_OUTPUT
    Function *initial; // parameter: `key` (ROLE_KEY); results: ROLE_INITIAL, for each leaf with
                       // has_initial, in order; named for it
} Model;

#endif
