// Comprehensions: [for i in 0..n, j in 0..m: e] and sum(for k in 0..n: e).
#include "frontend/elaborate_internal.h"

Val elaborate_comprehension(Elaborator *e, const Expr *expr) {
    Diag *diag = report(e, expr->span, "comprehensions are not supported yet");
    hint(e, diag, "use arange, indexing and broadcasting, or a loop that stores y[i] = ...");
    return error_val();
}
