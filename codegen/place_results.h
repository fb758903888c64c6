// Results that are computed where they are wanted.
#ifndef TDSL_CODEGEN_PLACE_RESULTS_H
#define TDSL_CODEGEN_PLACE_RESULTS_H

#include "codegen/loops.h"

// A temporary that in the end is copied to a result, as the sum that a loop carries to a gradient,
// and that nothing uses after that, lies in the result's memory from the start, if the caller wants
// that result; the copy is taken out. Buffers have no places yet.
void place_results(Program *program, Entry *entry);

#endif
