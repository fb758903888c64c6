// Random numbers for the fuzzer: the same on every machine for a seed (splitmix64).
#ifndef TDSL_TESTS_FUZZ_RANDOM_H
#define TDSL_TESTS_FUZZ_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Random {
    uint64_t state;
} Random;

static inline uint64_t random_next(Random *random) {
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// 0 .. count - 1; 0 if count is not positive.
static inline int random_below(Random *random, int count) {
    return count > 0 ? (int)(random_next(random) % (uint64_t)count) : 0;
}

static inline int random_from(Random *random, int low, int high) { // both included
    return low + random_below(random, high - low + 1);
}

static inline double random_real(Random *random, double low, double high) {
    return low + (high - low) * ((double)(random_next(random) >> 11) * 0x1p-53);
}

static inline bool random_chance(Random *random, double probability) {
    return random_real(random, 0, 1) < probability;
}

#endif
