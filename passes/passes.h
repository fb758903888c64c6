// The passes' entry points, made from passes/passes.def. pipeline.h is how others run them.
#ifndef TDSL_PASSES_PASSES_H
#define TDSL_PASSES_PASSES_H

#include "passes/pipeline.h"

#define PASS(name, purpose) PassFunction pass_##name;
#include "passes/passes.def"

#endif
