// Diagnostics are data: severity, span, message, notes, a hint. They are collected, sorted by place
// and printed at the end of the phase that reported them, so one run shows all errors of a phase.
//
//   model.tdsl:12:9: error: matmul needs equal inner sizes, got 128 and 64
//      12 |     h = x @ w
//         |         ^^^^^
//     hint: transpose w, or declare it f32[128, n]
#ifndef TDSL_IR_BASE_DIAG_H
#define TDSL_IR_BASE_DIAG_H

#include <stdbool.h>

#include "ir/base/source.h"
#include "ir/base/text.h"

typedef enum Severity { SEVERITY_ERROR, SEVERITY_WARNING } Severity;

typedef struct Note {
    Span span; // may be no_span: then only the message is printed
    const char *message;
} Note;

typedef struct Diag {
    Severity severity;
    Span span;
    const char *message;
    VEC(Note) notes;
    const char *hint; // NULL: none
} Diag;

typedef struct Diags {
    Arena *arena;
    Sources *sources;
    VEC(Diag *) list;
    int error_count;
    Diag **buckets; // hash table over the list, to find duplicates
    int bucket_count;
} Diags;

enum { DIAGS_PRINTED = 20 }; // more than these are counted, not printed

// Report; the diagnostic returned can be extended by a note or a hint. Never NULL. A second error
// with the same place and message is dropped (it is still returned, unlisted).
Diag *error_at(Diags *diags, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
Diag *warning_at(Diags *diags, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void add_note(Diags *diags, Diag *diag, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void add_hint(Diags *diags, Diag *diag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Prints all diagnostics in the order of their places. Control bytes in messages and source lines
// are escaped; long source lines are cut around the caret.
void diags_print(const Diags *diags, Text *out);

// The name among `candidates` that is closest to `name` (edit distance at most a third of its
// length, at least 1), or NULL: for "did you mean". Names of more than 127 bytes have no closest
// name.
const char *closest_name(const char *name, const char *const *candidates, int count);

#endif
