// Meeting a memory budget: what of the primal is kept for its reverse, and what is computed again.
#ifndef TDSL_LIBRARY_BUDGET_H
#define TDSL_LIBRARY_BUDGET_H

#include "library/session.h"

// Rewrites `forward` so that the workspace of its gradient fits the session's budget: with
// everything kept if that fits, else with loops in segments and stretches of instructions in
// checkpoints, the cheapest that it finds. A note says what was reached. False after an error was
// reported: the request is wrong, or nothing fits; then the message lists what is largest.
bool fit_memory_budget(TdslSession *session, Function *forward, const TdslGradientRequest *request);
// Refuses an entry whose workspace is larger than the budget: reports what is largest.
bool entry_fits_budget(TdslSession *session, const Program *program, const Entry *entry);

#endif
