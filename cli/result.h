// Results of a function's calls: their storage, and how they are printed and written to files.
#ifndef TDSL_CLI_RESULT_H
#define TDSL_CLI_RESULT_H

#include <stdio.h>

#include "cli/bindings.h"

// A compiled function with a buffer for each result; arguments point into the bindings.
typedef struct Call {
    TdslSession *session;
    TdslFunction *function;
    const TdslSlot *arguments, *slots;
    int argument_count, slot_count;
    void **argument_data;
    Tensor *results; // gradients start as zeros and accumulate
    void **result_data;
} Call;

// Binds the arguments by name: leaves from `bindings`, seeds from `seeds` (may be NULL; a seed
// without a value is 1), the key from the options. Reports and returns a status if a value does not
// fit.
TdslStatus call_prepare(TdslSession *session, TdslFunction *function, Bindings *bindings,
                        Bindings *seeds, Call *call);
TdslStatus call_run(Call *call); // reports a failure
void call_free(Call *call);

// One JSON object {"model", "outputs", "grads"} and a newline.
void call_print_json(FILE *out, const Call *call);
// One line a tensor: `loss: f32 = 6.7012`, `grad.w: f32[2] = [1.0, 2.0]`; long tensors are cut.
void call_print_text(FILE *out, const Call *call);
// Outputs by name and gradients as grad.NAME.
TdslStatus call_write(const Call *call, const char *path);

// "data" of a tensor: nested lists; NaN, Infinity and -Infinity as strings.
void print_json_data(FILE *out, const Tensor *tensor);
void print_json_string(FILE *out, const char *text);
void print_json_number(FILE *out, double value, bool single);

#endif
