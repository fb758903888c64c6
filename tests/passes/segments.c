// Loops in segments and instructions in checkpoints: random programs give the same values, bit for
// bit, whatever is computed again, and the same first and second derivatives but for rounding,
// since gradients are added up in another order.
//
// Usage: passes_segments [FIRST [COUNT]]: the seeds of the programs.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ir/edit.h"
#include "ir/evaluate.h"
#include "ir/text_form.h"
#include "ir/verify.h"
#include "passes/differentiate.h"
#include "passes/pipeline.h"
#include "passes/segment_loops.h"
#include "tests/passes/check_derivatives.h"
#include "tests/passes/random_program.h"
#include "tests/unit/expect.h"

static int choose(int count) {
    return (int)random_between(0, count - 1e-9);
}

// Some loops in segments, some of these again; some instructions in checkpoints.
static void rewrite_region(Arena *arena, Region *region) {
    for (Inst *inst = region->first, *next; inst != NULL; inst = next) {
        next = inst->next;
        for (int i = 0; i < inst->region_count; i++) {
            rewrite_region(arena, inst->regions[i]);
        }
        for (int i = 0; i < 2 && can_segment(inst) && choose(4) > 0; i++) {
            int64_t trip = dim_value(inst->attr.trip);
            segment_loop(inst, 2 + choose((int)trip - 2));
        }
    }
    if (region->first != NULL && choose(2)) {
        Inst *first = region->first, *last;
        for (int i = choose(3); i > 0 && first->next != NULL; i--) {
            first = first->next;
        }
        last = first;
        for (int i = choose(4); i > 0 && last->next != NULL; i--) {
            last = last->next;
        }
        wrap_in_checkpoint(arena, first, last);
    }
}

static Function *adjoint_of(Arena *arena, const Function *function) {
    int all[] = {0, 1}, outputs[64];
    bool seeded[64], *reached = arena_array(arena, bool, 64);
    int count = 0;
    for (int i = 0; i < function->body->yields.count && count < 64; i++) {
        seeded[count] = true;
        outputs[count++] = i;
    }
    GradientRequest request = {outputs, seeded, count, all, 2};
    return differentiate_reverse(function->module, function, &request, reached);
}

// NULL: the standard ones.
static void run_passes(Function *function, const char *passes) {
    PipelineOptions options = {.passes = passes, .level = 2, .verify = true};
    pipeline_run(function->module, function, &options);
}

static void check_valid(Arena *arena, const Function *function) {
    const char *wrong = verify_function(arena, function);
    check(wrong == NULL, "%s", wrong);
}

static bool is_close(const TensorData *x, const TensorData *y, double tolerance) {
    if (!type_equal(x->type, y->type)) {
        return false;
    }
    for (int64_t i = 0; i < type_elements(x->type); i++) {
        double a = ((const double *)x->bytes)[i], b = ((const double *)y->bytes)[i];
        double scale = fmax(1, fmax(fabs(a), fabs(b)));
        if (a != b && !(fabs(a - b) <= tolerance * scale) && !(isnan(a) && isnan(b))) {
            return false;
        }
    }
    return true;
}

// Evaluates both at the same random place; the number of results that differ. The first `exact`
// must be equal.
static int compare(Arena *arena, const Function *plain, const Function *other, int exact) {
    int parameters = plain->body->parameters.count, results = plain->body->yields.count;
    TensorData *arguments = arena_array(arena, TensorData, parameters);
    TensorData *wanted = arena_array(arena, TensorData, results);
    TensorData *got = arena_array(arena, TensorData, results);
    for (int i = 0; i < parameters; i++) {
        Type type = plain->body->parameters.at[i]->type;
        arguments[i] = (TensorData){type, arena_alloc(arena, type_bytes(type) + 8)};
        for (int64_t k = 0; k < type_elements(type); k++) {
            ((double *)arguments[i].bytes)[k] = random_between(-0.9, 0.9);
        }
    }
    EvaluateFailure failure = {0};
    if (!EXPECT(evaluate(arena, plain, arguments, wanted, &failure)) ||
        !EXPECT(evaluate(arena, other, arguments, got, &failure))) {
        return 1;
    }
    int different = 0;
    for (int i = 0; i < results; i++) {
        different += !is_close(&wanted[i], &got[i], i < exact ? 0 : 1e-9);
    }
    return different;
}

static void check_program(Arena *arena, int seed) {
    Function *plain = make_program(arena, seed);
    Function *other = clone_function(plain, "other");
    random_start(seed);
    rewrite_region(arena, other->body);
    check_valid(arena, other);
    bool good = EXPECT(compare(arena, plain, other, 2) == 0);
    for (int order = 1; order <= 2 && good; order++) {
        plain = adjoint_of(arena, plain);
        other = adjoint_of(arena, other);
        check_valid(arena, other);
        good = EXPECT(compare(arena, plain, other, 2) == 0);
        Function *fast = clone_function(other, "fast");
        run_passes(fast, NULL);
        good = EXPECT(compare(arena, other, fast, 2) == 0) && good;
        Function *open = clone_function(other, "open");
        run_passes(open, "open_checkpoints");
        good = EXPECT(compare(arena, other, open, open->body->yields.count) == 0) && good;
    }
    if (!good) {
        Text text = text_new(arena);
        print_function(&text, other);
        fprintf(stderr, "  program %d:\n%s\n", seed, text_string(&text));
    }
}

int main(int count, char **arguments) {
    int first = count > 1 ? atoi(arguments[1]) : 1;
    int programs = count > 2 ? atoi(arguments[2]) : 100;
    for (int seed = first; seed < first + programs; seed++) {
        Arena arena = {0};
        check_program(&arena, seed);
        arena_free(&arena);
    }
    return expect_result();
}
