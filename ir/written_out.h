// What lowering writes out instead of making loops of it (codegen/lower_small.c), and what passes
// that want it to therefore stay within.
#ifndef TDSL_IR_WRITTEN_OUT_H
#define TDSL_IR_WRITTEN_OUT_H

enum {
    WRITTEN_OUT_TERMS = 8,     // of each element of a reduction or contraction
    WRITTEN_OUT_RANK = 4,      // of a value
    WRITTEN_OUT_ELEMENTS = 32, // of a value, in iterations that run side by side in vectors
    WRITTEN_OUT_WORK = 2000,   // elements that such an iteration computes, times their terms
};

#endif
