// The growing half of VEC: new storage of twice the size on the arena, with the items copied over.
// The old storage stays valid (and unused) until the arena is freed.
#include "ir/base/vec.h"

#include <limits.h>
#include <string.h>

#include "ir/base/check.h"

enum { FIRST_CAPACITY = 8 };

void *vec_grow(Arena *arena, const void *items, int count, int *capacity, size_t size) {
    check(*capacity <= INT_MAX / 2, "a vector of %d items cannot grow", *capacity);
    int larger = *capacity ? *capacity * 2 : FIRST_CAPACITY;
    void *storage = arena_alloc_array(arena, (size_t)larger, size);
    if (count) {
        memcpy(storage, items, (size_t)count * size);
    }
    *capacity = larger;
    return storage;
}
