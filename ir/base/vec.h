// Growable arrays on an arena: declare `VEC(Inst *) found = {0};`, then vec_push(arena, &found,
// inst) and read found.at[i] for i < found.count. Growing leaves the old storage to the arena.
#ifndef TDSL_IR_BASE_VEC_H
#define TDSL_IR_BASE_VEC_H

#include "ir/base/arena.h"

#define VEC(T)                                                                                     \
    struct {                                                                                       \
        T *at;                                                                                     \
        int count;                                                                                 \
        int capacity;                                                                              \
    }

// Doubles the storage of a vector; used by vec_push alone.
void *vec_grow(Arena *arena, const void *items, int count, int *capacity, size_t size);

#define vec_push(arena, vec, item)                                                                 \
    ((vec)->count == (vec)->capacity                                                               \
         ? (void)((vec)->at = vec_grow((arena), (vec)->at, (vec)->count, &(vec)->capacity,         \
                                       sizeof *(vec)->at))                                         \
         : (void)0,                                                                                \
     (vec)->at[(vec)->count++] = (item))

#endif
