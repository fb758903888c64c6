// Kernels that do the same to other buffers become one kernel, called several times.
#ifndef TDSL_CODEGEN_SHARE_KERNELS_H
#define TDSL_CODEGEN_SHARE_KERNELS_H

#include "codegen/loops.h"

// Two kernels are the same if they differ only in the names, the places and the contents of their
// buffers and in where they come from. The first of them stays and is called with the buffers of
// each; parameters get a name that suits all of its calls. Calls are given the same buffers as
// before, so that what does not overlap in one of them does not overlap now. To be run when all
// entries of the program are lowered; a second run finds what was added since.
void share_kernels(Program *program);

#endif
