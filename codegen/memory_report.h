// Where the bytes of an entry's workspace go.
#ifndef TDSL_CODEGEN_MEMORY_REPORT_H
#define TDSL_CODEGEN_MEMORY_REPORT_H

#include "codegen/loops.h"

typedef enum MemoryReason {
    MEMORY_TEMPORARY, // made and used on the same side of the program
    MEMORY_SAVED,     // made by the primal, used by its reverse
    MEMORY_AGAIN,     // computed again, for the reverse
    MEMORY_GRADIENT,  // made by the reverse
} MemoryReason;

typedef struct MemoryItem {
    const Buffer *buffer;
    size_t bytes; // in the workspace: a multiple of 64
    MemoryReason reason;
    Span made;   // by what; no_span where no place is known
    Span needed; // MEMORY_SAVED, MEMORY_AGAIN: what it is first needed for in the reverse
} MemoryItem;

typedef struct MemoryReport {
    VEC(MemoryItem) items; // by offset, then by first use
    size_t total;          // bytes of the workspace
    size_t live;           // the most bytes in use at a time: no workspace could be smaller
    int live_at;           // the statement where that is
    int statements;        // of the entry
    int turn;              // the first statement of the reverse; statements + 1: there is none
} MemoryReport;

// Of an entry whose memory is planned. In `arena`.
MemoryReport report_memory(Arena *arena, const Program *program, const Entry *entry);
// Line of the source, or 0.
int memory_line(const Program *program, Span span);
// Why the item is kept, in words.
const char *memory_reason(Arena *arena, const Program *program, const MemoryItem *item);
// A table for people, or one JSON object.
void print_memory(Text *out, const Program *program, const Entry *entry);
void print_memory_json(Text *out, const Program *program, const Entry *entry);

#endif
