// Arenas and the vectors that grow on them: zeroing, alignment, reuse, overflow, formatting.
#include "ir/base/arena.h"

#include <stdint.h>

#include "ir/base/check.h"
#include "ir/base/vec.h"
#include "tests/unit/expect.h"

static bool is_filled(const unsigned char *bytes, size_t count, unsigned char value) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

// Requests of all sizes around the limits of blocks: zeroed, aligned, and none on top of another.
static void test_requests(void) {
    enum { COUNT = 400 };
    Arena arena = {0};
    unsigned char *found[COUNT];
    size_t sizes[COUNT];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            sizes[i] = i % 50 == 49 ? (size_t)i * 10000 : (size_t)i * 37 % 9000;
            found[i] = arena_alloc(&arena, sizes[i]);
            EXPECT((uintptr_t)found[i] % _Alignof(max_align_t) == 0);
            EXPECT(is_filled(found[i], sizes[i], 0));
            memset(found[i], i % 255 + 1, sizes[i]);
        }
        for (int i = 0; i < COUNT; i++) {
            EXPECT(is_filled(found[i], sizes[i], (unsigned char)(i % 255 + 1)));
        }
        arena_free(&arena);
        EXPECT(arena.last == NULL);
    }
}

static void test_empty_requests(void) {
    Arena arena = {0};
    void *first = arena_alloc(&arena, 0);
    void *second = arena_alloc(&arena, 0);
    EXPECT(first != NULL && second != NULL && first != second);
    EXPECT(arena_array(&arena, double, 0) != NULL);
    arena_free(&arena);
    arena_free(&arena);
}

static void request_overflowing_array(void) {
    Arena arena = {0};
    arena_alloc_array(&arena, SIZE_MAX / 8 + 2, 8); // the product wraps around to 8
}

static void request_everything(void) {
    Arena arena = {0};
    arena_alloc(&arena, SIZE_MAX - 8);
}

static void break_invariant(void) {
    check(1 + 1 == 3, "numbers are broken: %d", 2);
}

static void hold_invariant(void) {
    check(1 + 1 == 2, "numbers are broken: %d", 2);
}

static void test_aborts(void) {
    EXPECT_ABORT(request_overflowing_array);
    EXPECT_ABORT(request_everything);
    EXPECT_ABORT(break_invariant);
    EXPECT(!expect_ends_in_abort(hold_invariant));
}

static void test_text(void) {
    Arena arena = {0};
    EXPECT_TEXT(arena_copy_text(&arena, "matmul", 3), "mat");
    EXPECT_TEXT(arena_copy_text(&arena, NULL, 0), "");
    EXPECT_TEXT(arena_copy_string(&arena, "x"), "x");
    EXPECT_TEXT(arena_format(&arena, "%s has %d of %.1f", "w", 3, 4.5), "w has 3 of 4.5");
    char *padded = arena_format(&arena, "%20000d", 7);
    EXPECT(strlen(padded) == 20000 && padded[19999] == '7' && padded[0] == ' ');
    arena_free(&arena);
}

typedef struct Pair {
    int number;
    const char *name;
} Pair;

static void test_vectors(void) {
    Arena arena = {0};
    VEC(int) numbers = {0};
    for (int i = 0; i < 10000; i++) {
        vec_push(&arena, &numbers, i * 3);
        EXPECT(numbers.count == i + 1 && numbers.count <= numbers.capacity);
    }
    for (int i = 0; i < 10000; i++) {
        EXPECT(numbers.at[i] == i * 3);
    }
    VEC(Pair) pairs = {0};
    for (int i = 0; i < 100; i++) {
        vec_push(&arena, &pairs, ((Pair){.number = i, .name = "pair"}));
    }
    EXPECT(pairs.count == 100 && pairs.at[0].number == 0 && pairs.at[99].number == 99);
    EXPECT_TEXT(pairs.at[50].name, "pair");
    arena_free(&arena);
}

int main(void) {
    test_requests();
    test_empty_requests();
    test_aborts();
    test_text();
    test_vectors();
    return expect_result();
}
