// Derivatives and passes on random programs.
//
// Usage: passes_random_programs [FIRST [COUNT]]: the seeds of the programs.
#include <stdio.h>
#include <stdlib.h>

#include "ir/text_form.h"
#include "tests/passes/check_derivatives.h"
#include "tests/passes/random_program.h"
#include "tests/unit/expect.h"

int main(int count, char **arguments) {
    int first = count > 1 ? atoi(arguments[1]) : 1;
    int programs = count > 2 ? atoi(arguments[2]) : 60;
    int unclear = 0;
    for (int seed = first; seed < first + programs; seed++) {
        Arena arena = {0};
        Function *function = make_program(&arena, seed);
        Domain domain = {-0.9, 0.9, seed % 4 == 0 ? 2 : 1, &unclear};
        random_start(seed);
        if (!EXPECT(check_derivatives(function, domain) == 0)) {
            Text text = text_new(&arena);
            print_function(&text, function);
            fprintf(stderr, "  program %d:\n%s\n", seed, text_string(&text));
        }
        arena_free(&arena);
    }
    // Of each program some tens of differences are taken.
    EXPECT(unclear <= 2 * programs);
    return expect_result();
}
