// `tdsl fmt`: the canonical layout of a source text.
#ifndef TDSL_FRONTEND_FORMAT_H
#define TDSL_FRONTEND_FORMAT_H

#include <stdbool.h>

#include "ir/base/diag.h"
#include "ir/base/text.h"

// Appends the canonical layout of the source with index `file` in diags->sources: indentation,
// spaces and blank lines change; tokens, comments and the order of lines do not. Formatting twice
// gives the same text. False, with errors reported and nothing appended, if the text does not
// parse.
bool format_source(Text *out, Diags *diags, int file);

#endif
