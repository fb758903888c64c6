// Spreads a lowered entry over threads. A kernel with much work is cut in parts; a part that is one
// long loop of independent iterations takes a chunk of them, whose number is its last argument, and
// the entry calls it in a LOOP_PARALLEL over the chunks. Long sums are cut too: chunks make partial
// sums, which the rest of the kernel adds in the order of their numbers. What parts need of
// single values that earlier ones have computed goes through temporaries. A loop over calls that
// are too short to be cut becomes one kernel if its iterations can be spread.
//
// Chunks are fixed here, by the work that a loop is, and whoever runs them, one thread or many,
// runs the same ones: so results have the same bits whatever the number of threads.
#ifndef TDSL_CODEGEN_PARALLEL_H
#define TDSL_CODEGEN_PARALLEL_H

#include "codegen/lower.h"

enum { FEW_CHUNKS = 8 }; // of a loop of calls, or iterations, that are worth spreading

// `first_kernel`: kernels of the program from here on are the entry's own. It comes before
// plan_memory: temporaries may grow, and there may be new ones.
void make_parallel(Program *program, Entry *entry, const LowerOptions *options);

#endif
