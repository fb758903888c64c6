// Inside reverse mode (passes/differentiate_reverse.c, passes/reverse_*.c) only.
#ifndef TDSL_PASSES_REVERSE_H
#define TDSL_PASSES_REVERSE_H

#include "passes/activity.h"

// The state of a reverse sweep. The "bar" of a value is the gradient of the outputs with respect to
// it, as far as it is known; NULL stands for nothing, which is not even zeros.
typedef struct Reverse {
    Module *module;
    Arena *scratch;
    Marks marks;
    Value **bars; // by id
    int bar_count;
} Reverse;

Value *get_bar(const Reverse *reverse, const Value *value);
void set_bar(Reverse *reverse, const Value *value, Value *bar);
// Adds to the bar of an active value; nothing happens for others, or for a NULL contribution.
void add_to_bar(Reverse *reverse, Builder *b, Value *value, Value *contribution);
// The bar, or zeros.
Value *bar_or_zeros(const Reverse *reverse, Builder *b, const Value *value);

// Appends the reverse of `last` and of the instructions before it in its region to the builder's.
void reverse_region(Reverse *reverse, Builder *b, Inst *last);
void reverse_loop(Reverse *reverse, Builder *b, Inst *loop);
void reverse_branch(Reverse *reverse, Builder *b, Inst *branch);
void reverse_checkpoint(Reverse *reverse, Builder *b, Inst *checkpoint);

// Replaces what `reverse_body` uses of the body of `loop` by values that are there in the reversed
// iteration: recomputed, or read at `index` from stacks that are added to `loop`. They are put
// after the instruction `place`.
void provide_saved_values(Arena *scratch, Inst *loop, Region *reverse_body, Value *index,
                          Inst *place);

#endif
