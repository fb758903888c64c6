// What every product of a Program shows to the outside, whoever makes it: names, structs, statuses.
// The header, the manifest, the C source and the machine code take it from here.
#ifndef TDSL_CODEGEN_PRODUCT_H
#define TDSL_CODEGEN_PRODUCT_H

#include "codegen/loops.h"

enum {
    PRODUCT_ABI_VERSION = 1, // of the calling conventions; NAME_abi_version() returns it
    WORKSPACE_ALIGNMENT =
        64, // a workspace that is not aligned so is answered with STATUS_NULL_POINTER
};

// The fields of the group's struct, or NULL if no entry has such a group.
const Group *product_group(const Program *program, GroupKind kind);
// Is the field's pointer one to const? True of inputs, seeds and the key unless an entry writes
// them.
bool product_field_is_const(const Program *program, GroupKind kind, int field);
// Must the caller of this entry give the field's pointer?
bool entry_needs_field(const Entry *entry, GroupKind kind, int field);
// The workspace that is enough for all entries.
size_t product_workspace_bytes(const Program *program);
// `classifier_forward`
const char *entry_symbol(Arena *arena, const Program *program, const Entry *entry);
// Has the entry, or a variant of it, work for threads? Then there is a second form of it,
// `classifier_forward_parallel`, with one more parameter after the workspace.
bool entry_is_parallel(const Entry *entry);
// Are there parallel loops in its body?
bool entry_uses_threads(const Entry *entry);
// Makes variants of a program, lowered for several processors, look the same to callers: each gets
// the largest workspace of an entry, the form for threads if one needs it, and the sites of all. A
// variant was begun with the sites of those before it.
void share_face(Program *const *variants, int count);
// The symbol of that form, or of the only one.
const char *loaded_symbol(Arena *arena, const Program *program, const Entry *entry);
// One or two sentences on what the entry does.
const char *entry_meaning(const Entry *entry);
// What NAME_status_text(status) returns.
void print_status(Text *out, const Program *program, int status);

#endif
