// Text to tree: the only way into the lexer and the parser.
#ifndef TDSL_FRONTEND_PARSE_H
#define TDSL_FRONTEND_PARSE_H

#include "frontend/ast.h"
#include "ir/base/diag.h"

// Parses the source with index `file` in diags->sources. Mistakes are reported to `diags`; a tree
// is returned all the same (never NULL), without the parts that were not understood: the caller
// looks at diags->error_count. Imports are recorded, not followed.
AstFile *parse_source(Arena *arena, Diags *diags, int file);

// The definitions between two bytes of a source that is known to be text: whole lines.
AstFile *parse_part(Arena *arena, Diags *diags, int file, int start, int end);

#endif
