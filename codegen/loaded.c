// Calls entries through pointers. Every parameter of an entry is a pointer, so the number of
// parameters is the whole type. (C converts function pointers freely as long as they are called as
// what they are; `const` in the parameters makes no difference to the call.)
#include "codegen/loaded.h"

#include <assert.h>

#include "codegen/product.h"

Loaded *loaded_new(Arena *arena, const Program *program) {
    Loaded *loaded = arena_new(arena, Loaded);
    loaded->program = program;
    loaded->entries =
        arena_alloc_array(arena, (size_t)program->entries.count + 1, sizeof(EntryFunction));
    loaded->is_parallel = arena_array(arena, bool, program->entries.count + 1);
    for (int i = 0; i < program->entries.count; i++) {
        loaded->is_parallel[i] = entry_is_parallel(program->entries.at[i]);
    }
    return loaded;
}

typedef int (*Entry1)(void *);
typedef int (*Entry2)(void *, void *);
typedef int (*Entry3)(void *, void *, void *);
typedef int (*Entry4)(void *, void *, void *, void *);
typedef int (*Entry5)(void *, void *, void *, void *, void *);
typedef int (*Entry6)(void *, void *, void *, void *, void *, void *);
typedef int (*Entry7)(void *, void *, void *, void *, void *, void *, void *);
typedef int (*Entry8)(void *, void *, void *, void *, void *, void *, void *, void *);

typedef int (*Entry9)(void *, void *, void *, void *, void *, void *, void *, void *, void *);

static_assert(GROUP_COUNT + 2 == 9, "call_entry has a case for every number of pointers");

int call_entry(EntryFunction f, void **a, int count) {
    switch (count) {
    case 1: return ((Entry1)f)(a[0]);
    case 2: return ((Entry2)f)(a[0], a[1]);
    case 3: return ((Entry3)f)(a[0], a[1], a[2]);
    case 4: return ((Entry4)f)(a[0], a[1], a[2], a[3]);
    case 5: return ((Entry5)f)(a[0], a[1], a[2], a[3], a[4]);
    case 6: return ((Entry6)f)(a[0], a[1], a[2], a[3], a[4], a[5]);
    case 7: return ((Entry7)f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    case 8: return ((Entry8)f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
    case 9: return ((Entry9)f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);
    default: unreachable("an entry with %d pointers", count);
    }
}

static int find_entry(const Loaded *loaded, const Entry *entry) {
    for (int i = 0; i < loaded->program->entries.count; i++) {
        if (loaded->program->entries.at[i] == entry) {
            return i;
        }
    }
    unreachable("entry %s is not one of the loaded program's", entry->name);
}

EntryFunction loaded_entry(const Loaded *loaded, const Entry *entry, bool *is_parallel) {
    int number = find_entry(loaded, entry);
    check(loaded->entries[number], "entry %s was not loaded", entry->name);
    *is_parallel = loaded->is_parallel[number];
    return loaded->entries[number];
}

int loaded_call(const Loaded *loaded, const Entry *entry, const CallArguments *arguments) {
    bool is_parallel;
    EntryFunction function = loaded_entry(loaded, entry, &is_parallel);
    void *pointers[GROUP_COUNT + 2];
    int count = 0;
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        if (entry->groups[kind].used) {
            pointers[count++] = arguments->groups[kind];
        }
    }
    pointers[count++] = arguments->workspace;
    if (is_parallel) {
        pointers[count++] = (void *)(uintptr_t)arguments->parallel;
    }
    return call_entry(function, pointers, count);
}

void loaded_free(Loaded *loaded) {
    if (loaded && loaded->release) {
        loaded->release(loaded->owner);
        loaded->release = NULL;
    }
}
