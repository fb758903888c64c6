// The text form of the IR: prints the user's names and reads back byte for byte.
//
//   func loss(w: f64[3,2] param grad, x: f64[2] input) -> (y: f64[3] output) {
//     h = contract w, x {labels = "ab,b->a"}
//     y = tanh h
//     return y
//   }
#ifndef TDSL_IR_TEXT_FORM_H
#define TDSL_IR_TEXT_FORM_H

#include "ir/base/diag.h"
#include "ir/ir.h"

void print_function(Text *out, const Function *function);
void print_module(Text *out, const Module *module);
// A tensor's values as `constant` writes them: nested lists, exact numbers.
void print_tensor(Text *out, const TensorData *data);
// Reads what print_module wrote; spans point into the text. NULL after errors were reported.
Module *parse_module(Arena *arena, Diags *diags, int file);

#endif
