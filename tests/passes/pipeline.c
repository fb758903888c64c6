// Pipelines: their syntax, what is printed after passes, and the levels.
#include "passes/pipeline.h"
#include "ir/text_form.h"
#include "ir/verify.h"
#include "tests/passes/check_derivatives.h"
#include "tests/unit/expect.h"

static const char text[] = "func f(x: f64) -> (f64) {\n"
                           "  one = constant 1.0 : f64\n"
                           "  a = mul x, one : f64\n"
                           "  b = detach a : f64\n"
                           "  c = exp x : f64\n"
                           "  return b\n"
                           "}\n";

static void check_names(void) {
    Arena arena = {0};
    EXPECT(pipeline_check(&arena, "simplify,merge_equal , remove_dead") == NULL);
    EXPECT(pipeline_check(&arena, "") == NULL);
    EXPECT_TEXT(pipeline_check(&arena, "simplify, merge_equals"),
                "there is no pass merge_equals; did you mean merge_equal?");
    EXPECT_TEXT(
        pipeline_check(&arena, "simp"),
        "there is no pass simp; there are inline, keep_calls, expand_derivatives, drop_rules, "
        "drop_detach, open_checkpoints, segment_loops, simplify, merge_equal, hoist, "
        "selections, transposes, split_sums, split_exponentials, "
        "block_loops, block_rows, small_rows, remove_dead");
    EXPECT(pipeline_check(&arena, "block_rows:64,simplify") == NULL);
    EXPECT_TEXT(pipeline_check(&arena, "block_rows:x"),
                "behind a pass's name and ':' there is a positive number");
    int count;
    const PassInfo *passes = pass_list(&count);
    EXPECT(count == 18);
    EXPECT_TEXT(passes[0].name, "inline");
    arena_free(&arena);
}

static void check_printing(void) {
    Arena arena = {0};
    Function *function = read_function(&arena, text);
    Text printed = text_new(&arena);
    PipelineOptions options = {.passes = "simplify, remove_dead",
                               .verify = true,
                               .print_after = "remove_dead",
                               .printed = &printed};
    pipeline_run(function->module, function, &options);
    EXPECT_TEXT(text_string(&printed), "// f after remove_dead\n"
                                       "func f(x: f64) -> (f64) {\n"
                                       "  b = detach x : f64\n"
                                       "  return b\n"
                                       "}\n");
    arena_free(&arena);
}

static void check_levels(void) {
    for (int level = -1; level < 5; level++) {
        Arena arena = {0};
        Function *function = read_function(&arena, text);
        PipelineOptions options = {.level = level, .verify = true};
        pipeline_run(function->module, function, &options);
        Text printed = text_new(&arena);
        print_function(&printed, function);
        EXPECT_TEXT(text_string(&printed), level < 1 ? "func f(x: f64) -> (f64) {\n"
                                                       "  one = constant 1.0 : f64\n"
                                                       "  a = mul x, one : f64\n"
                                                       "  return a\n"
                                                       "}\n"
                                                     : "func f(x: f64) -> (f64) {\n"
                                                       "  return x\n"
                                                       "}\n");
        arena_free(&arena);
    }
}

int main(void) {
    check_names();
    check_printing();
    check_levels();
    return expect_result();
}
