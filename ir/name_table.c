// Open addressing with linear probing, at most three quarters full.
#include "ir/name_table.h"

#include <stdint.h>
#include <string.h>

static uint32_t hash_name(const char *name) {
    uint32_t hash = 2166136261U;
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    }
    return hash;
}

// The entry of `name`, or the free one where it belongs.
static NameEntry *find_entry(const NameTable *table, const char *name) {
    uint32_t mask = (uint32_t)table->capacity - 1;
    uint32_t i = hash_name(name) & mask;
    while (table->entries[i].name && strcmp(table->entries[i].name, name) != 0) {
        i = (i + 1) & mask;
    }
    return &table->entries[i];
}

static void grow(NameTable *table) {
    NameTable larger = {.arena = table->arena, .count = table->count};
    larger.capacity = table->capacity ? table->capacity * 2 : 64;
    larger.entries = arena_array(table->arena, NameEntry, larger.capacity);
    for (int i = 0; i < table->capacity; i++) {
        if (table->entries[i].name) {
            *find_entry(&larger, table->entries[i].name) = table->entries[i];
        }
    }
    *table = larger;
}

void **name_table_place(NameTable *table, const char *name) {
    if (table->count >= table->capacity / 4 * 3) {
        grow(table);
    }
    NameEntry *entry = find_entry(table, name);
    if (!entry->name) {
        entry->name = name;
        table->count++;
    }
    return &entry->item;
}

void *name_table_find(const NameTable *table, const char *name) {
    return table->capacity ? find_entry(table, name)->item : NULL;
}

bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_name_part(char c) {
    return is_name_start(c) || is_digit(c) || c == '.';
}

bool is_plain_name(const char *name) {
    if (!is_name_start(name[0])) {
        return false;
    }
    while (is_name_part(*name)) {
        name++;
    }
    return *name == '\0';
}

// The length without a trailing `.digits`; `length` itself if there is none.
static size_t drop_number(const char *name, size_t length) {
    size_t i = length;
    while (i > 0 && is_digit(name[i - 1])) {
        i--;
    }
    return i < length && i > 0 && name[i - 1] == '.' ? i - 1 : length;
}

const char *base_name(Arena *arena, const char *name) {
    size_t length = strlen(name);
    for (size_t shorter = drop_number(name, length); shorter < length;
         shorter = drop_number(name, length)) {
        length = shorter;
    }
    char *base = arena_copy_text(arena, name, length);
    for (char *c = base; *c; c++) {
        if (!is_name_part(*c)) {
            *c = '_';
        }
    }
    return is_name_start(base[0]) ? base : arena_format(arena, "_%s", base);
}
