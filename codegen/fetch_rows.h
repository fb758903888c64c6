// Fetching rows of large buffers ahead: Loop.fetches.
#ifndef TDSL_CODEGEN_FETCH_ROWS_H
#define TDSL_CODEGEN_FETCH_ROWS_H

#include "codegen/lower.h"

// Decides for all kernels of the program that are new what their loops fetch.
void fetch_rows(Program *program, const LowerOptions *options);

#endif
