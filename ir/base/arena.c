// Arenas: a list of blocks, newest first; a request takes the next free bytes of the newest block.
// Blocks come zeroed from calloc and no byte is handed out twice, so all memory given out is
// zeroed. A request too large for a block of the usual size gets one of its own behind the newest,
// which keeps the newest block's free room in use. Under AddressSanitizer every request has a block
// of its own.
#include "ir/base/arena.h"

#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define ONE_BLOCK_PER_REQUEST 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_BLOCK_PER_REQUEST 1
#endif
#endif
#ifndef ONE_BLOCK_PER_REQUEST
#define ONE_BLOCK_PER_REQUEST 0
#endif

struct ArenaBlock {
    ArenaBlock *previous;
    size_t used;
    size_t capacity;
    _Alignas(max_align_t) unsigned char bytes[];
};

enum {
    FIRST_BLOCK = 8 << 10, // blocks double from here
    LARGEST_BLOCK = 1 << 20,
    ALIGNMENT = _Alignof(max_align_t),
};

static _Noreturn void out_of_memory(size_t bytes) {
    fprintf(stderr, "out of memory (a request of %zu bytes failed)\n", bytes);
    fflush(stderr);
    abort();
}

static ArenaBlock *new_block(size_t capacity) {
    if (capacity > PTRDIFF_MAX - sizeof(ArenaBlock)) {
        out_of_memory(capacity);
    }
    ArenaBlock *block = calloc(1, sizeof(ArenaBlock) + capacity);
    if (!block) {
        out_of_memory(capacity);
    }
    block->capacity = capacity;
    return block;
}

// A block of its own for one request. It goes behind the newest block, which stays the one in use.
static void *alloc_alone(Arena *arena, size_t bytes) {
    ArenaBlock *block = new_block(bytes);
    block->used = bytes;
    if (arena->last) {
        block->previous = arena->last->previous;
        arena->last->previous = block;
    } else {
        arena->last = block;
    }
    return block->bytes;
}

static void add_block(Arena *arena) {
    size_t capacity = FIRST_BLOCK;
    if (arena->last && arena->last->capacity >= FIRST_BLOCK) {
        capacity = arena->last->capacity * 2;
    }
    ArenaBlock *block = new_block(capacity < LARGEST_BLOCK ? capacity : LARGEST_BLOCK);
    block->previous = arena->last;
    arena->last = block;
}

void *arena_alloc(Arena *arena, size_t bytes) {
    if (ONE_BLOCK_PER_REQUEST || bytes > FIRST_BLOCK / 2) {
        return alloc_alone(arena, bytes);
    }
    // Zero bytes still get an address of their own.
    size_t taken = bytes ? (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
    if (!arena->last || arena->last->capacity - arena->last->used < taken) {
        add_block(arena);
    }
    ArenaBlock *block = arena->last;
    void *result = block->bytes + block->used;
    block->used += taken;
    return result;
}

void *arena_alloc_array(Arena *arena, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) {
        out_of_memory(SIZE_MAX);
    }
    return arena_alloc(arena, count * size);
}

void arena_free(Arena *arena) {
    ArenaBlock *block = arena->last;
    while (block) {
        ArenaBlock *previous = block->previous;
        free(block);
        block = previous;
    }
    arena->last = NULL;
}

char *arena_copy_text(Arena *arena, const char *text, size_t length) {
    if (length == SIZE_MAX) {
        out_of_memory(length);
    }
    char *copy = arena_alloc(arena, length + 1);
    if (length) {
        memcpy(copy, text, length);
    }
    return copy;
}

char *arena_copy_string(Arena *arena, const char *text) {
    return arena_copy_text(arena, text, strlen(text));
}

char *arena_format(Arena *arena, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *result = arena_format_list(arena, format, arguments);
    va_end(arguments);
    return result;
}

// Formats in the C locale: the host program may have chosen one whose numbers have a decimal comma.
char *arena_format_list(Arena *arena, const char *format, va_list arguments) {
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    check(c_locale != (locale_t)0, "the C locale is missing");
    locale_t host_locale = uselocale(c_locale);

    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    check(length >= 0, "a text cannot be formatted");
    char *result = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(result, (size_t)length + 1, format, arguments);

    uselocale(host_locale);
    freelocale(c_locale);
    return result;
}
