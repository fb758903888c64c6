// Loops in segments, before differentiation: so that their reverse needs less memory.
//
// A loop of T iterations becomes a loop over ceil(T / S) segments, each a checkpoint around a loop
// of S iterations. The adjoint then saves what is carried at the start of each segment; it computes
// a segment again, saving what its reverse needs, and reverses it. That takes T / S + S places
// instead of T, and each iteration is computed once more. Segments of segments take fewer places
// still. Values are the same, bit for bit.
#ifndef TDSL_PASSES_SEGMENT_LOOPS_H
#define TDSL_PASSES_SEGMENT_LOOPS_H

#include "ir/ir.h"

// Whether a loop can be segmented: it has a known number of iterations, or limit, of at least 2.
bool can_segment(const Inst *loop);
// Puts the iterations of `loop` into segments of `length` (2 <= length < trip). `loop` becomes the
// inner loop: segmenting it again makes segments of segments. A loop that is counted must have a
// count in its range, as those that differentiation makes have.
void segment_loop(Inst *loop, int64_t length);
// The length of segments that needs the least memory: about sqrt(trip * carried / saved), rather
// one that divides the trip count. `carried` and `saved` are bytes: of what an iteration carries,
// and of what its reverse needs.
int64_t best_segment_length(int64_t trip, int64_t carried, int64_t saved);

#endif
