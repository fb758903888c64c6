// Names in the text form: a hash table from names to pointers, and what names look like.
#ifndef TDSL_IR_NAME_TABLE_H
#define TDSL_IR_NAME_TABLE_H

#include <stdbool.h>

#include "ir/base/arena.h"

typedef struct NameEntry {
    const char *name; // NULL: free
    void *item;
} NameEntry;

typedef struct NameTable {
    Arena *arena;
    NameEntry *entries; // as many as capacity, a power of two
    int count;
    int capacity;
} NameTable;

// The table keeps `name` itself; it must outlive the table.
// Where the name's item is stored; a name that is not in the table yet is added with NULL.
// The place is valid until the next call.
void **name_table_place(NameTable *table, const char *name);
// The name's item, or NULL.
void *name_table_find(const NameTable *table, const char *name);

// May a name start with this byte; may it go on with it?
bool is_name_start(char c);
bool is_name_part(char c);
// A name that needs no quotes.
bool is_plain_name(const char *name);
// What the printer makes of a value's name before it appends `.1`, `.2`, ... to tell values apart,
// and what the parser takes a printed name back to: bytes that names cannot have become `_`,
// numbers at the end are dropped. Applying it twice changes nothing more.
const char *base_name(Arena *arena, const char *name);

#endif
