// Tensors of the command line: what --set, --in and files bring, and what is printed.
#ifndef TDSL_CLI_TENSOR_H
#define TDSL_CLI_TENSOR_H

#include "library/tdsl.h"
#include "runtime/tensor_file.h"

enum { CLI_MAX_RANK = TENSOR_MAX_RANK };

// Owns `data`. Literals carry how they were written, so that `1.5` for an integer can be refused.
typedef struct Tensor {
    TdslElement element; // literals: TDSL_BOOL, TDSL_I64 or TDSL_F64, whatever holds all numbers
    int rank;
    int64_t shape[CLI_MAX_RANK];
    void *data; // row-major; NULL: no tensor
} Tensor;

int64_t tensor_count(const Tensor *tensor);
// Zeros. Aborts when memory runs out.
Tensor tensor_zeros(TdslElement element, int rank, const int64_t *shape);
void tensor_free(Tensor *tensor);

double tensor_real(const Tensor *tensor, int64_t position);
int64_t tensor_integer(const Tensor *tensor, int64_t position);
void tensor_store_real(Tensor *tensor, int64_t position, double value);
void tensor_store_integer(Tensor *tensor, int64_t position, int64_t value);

// Converts to `element` if no kind of value is lost: integers and bools to anything that holds
// them, reals to reals. NULL, or why not (a static string).
const char *tensor_convert(const Tensor *tensor, TdslElement element, Tensor *converted);

// A number or a nested list: 1, -2.5e3, nan, [true, false], [[1, 2], [3, 4]]. NULL, or why not
// (static).
const char *tensor_parse(const char *text, Tensor *tensor);
// A tensor of a file. NULL, or why not (static).
const char *tensor_from_file(const FileTensor *source, Tensor *tensor);

#endif
