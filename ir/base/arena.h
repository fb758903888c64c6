// Arenas: memory with a named lifetime. Everything the compiler allocates belongs to an arena that
// is named in the signature of the function that allocates; nobody frees single objects.
//
// Under AddressSanitizer every request gets a block of its own, so that overruns are caught.
// When memory runs out the process is told so on stderr and aborted: no caller can do better.
#ifndef TDSL_IR_BASE_ARENA_H
#define TDSL_IR_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct ArenaBlock ArenaBlock;
typedef struct Arena {
    ArenaBlock *last; // newest block; an all-zero Arena is an empty one
} Arena;

// `bytes` zeroed bytes, aligned for any type; they live until arena_free.
void *arena_alloc(Arena *arena, size_t bytes);
// Room for `count` items of `size` bytes; aborts if the product overflows.
void *arena_alloc_array(Arena *arena, size_t count, size_t size);
// Gives all memory back; the arena is empty and usable again.
void arena_free(Arena *arena);

#define arena_new(arena, T) ((T *)arena_alloc((arena), sizeof(T)))
#define arena_array(arena, T, count) ((T *)arena_alloc_array((arena), (size_t)(count), sizeof(T)))

// A zero-terminated copy of `length` bytes of text; of a whole string; a formatted string.
char *arena_copy_text(Arena *arena, const char *text, size_t length);
char *arena_copy_string(Arena *arena, const char *text);
char *arena_format(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_format_list(Arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
