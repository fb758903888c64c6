// The reference evaluator: each operator on small tensors, with results worked out by hand. A test
// is a function without parameters in the text form; its results are compared as text.
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "ir/evaluate.h"
#include "ir/text_form.h"
#include "ir/verify.h"
#include "tests/unit/expect.h"

typedef struct Case {
    const char *name;
    const char *results; // the function's result types
    const char *body;
    const char *expected; // the results, or the failure's message
} Case;

static const Case cases[] = {
    {"arithmetic", "f32[3], f32[3], f32[3], f32[3]",
     "x = constant [1.0, -2.0, 3.0] : f32[3]\n"
     "y = constant [4.0, 0.5, -0.0] : f32[3]\n"
     "a = add x, y\n b = sub x, y\n c = mul x, y\n d = div x, y\n"
     "return a, b, c, d",
     "[5.0, -1.5, 3.0]; [-3.0, -2.5, 3.0]; [4.0, -1.0, -0.0]; [0.25, -4.0, -inf]"},
    {"f32 is rounded after every operator", "f32, f32, f64",
     "big = constant 16777216.0 : f32\n one = constant 1.0 : f32\n"
     "s = add big, one\n t = sub s, big\n"
     "tenth = constant 0.1 : f32\n wide = cast tenth {element = f64}\n"
     "return s, t, wide",
     "16777216.0; 0.0; 0.10000000149011612"},
    {"integers wrap", "i32[2], i64[2], i32[4]",
     "x = constant [2147483647, -2147483648] : i32[2]\n"
     "y = constant [1, -1] : i32[2]\n a = add x, y\n"
     "l = constant [9223372036854775807, -9223372036854775808] : i64[2]\n n = mul l, l\n"
     "u = constant [7, -7, 7, -7] : i32[4]\n v = constant [2, 2, -2, 0] : i32[4]\n"
     "q = floor_divide u, v\n"
     "return a, n, q",
     "[-2147483648, 2147483647]; [1, 0]; [3, -4, -4, 0]"},
    {"comparison and logic", "bool[3], bool[3], bool[3]",
     "x = constant [1.0, nan, 3.0] : f64[3]\n y = constant [1.0, nan, 4.0] : f64[3]\n"
     "e = eq x, y\n n = ne x, y\n l = lt x, y\n o = logical_or e, l\n"
     "return e, n, o",
     "[true, false, false]; [false, true, true]; [true, false, true]"},
    {"select keeps large integers", "i64[2]",
     "c = constant [true, false] : bool[2]\n"
     "x = constant [9007199254740993, 1] : i64[2]\n y = constant [2, -9007199254740993] : i64[2]\n"
     "z = select c, x, y\n return z",
     "[9007199254740993, -9007199254740993]"},
    {"cast", "i32[7], i64[3], bool[3], f32, f32[2], i32[2]",
     "x = constant [2.9, -2.9, nan, inf, 2147483648.0, -2147483648.0, 2147483647.5] : f64[7]\n"
     "i = cast x {element = i32}\n"
     "y = constant [9.3e18, -9.3e18, -9223372036854775808.0] : f64[3]\n"
     "l = cast y {element = i64}\n"
     "w = constant [0.0, 0.25, nan] : f32[3]\n b = cast w {element = bool}\n"
     "odd = constant 9007199791611905 : i64\n r = cast odd {element = f32}\n"
     "t = constant [true, false] : bool[2]\n f = cast t {element = f32}\n"
     "wide = constant [4294967297, -4294967297] : i64[2]\n n = cast wide {element = i32}\n"
     "return i, l, b, r, f, n",
     "[2, -2, 0, 0, 0, -2147483648, 2147483647]; [0, 0, -9223372036854775808]; "
     "[false, true, true]; 9007200000000000.0; [1.0, 0.0]; [1, -1]"},
    {"iota", "i64[2,3], f32[2,2]",
     "i = iota {axis = 1} : i64[2,3]\n f = iota {axis = 0} : f32[2,2]\n return i, f",
     "[[0, 1, 2], [0, 1, 2]]; [[0.0, 0.0], [1.0, 1.0]]"},
    {"dimension", "i64", "n = dimension {dimension = 7} : i64\n return n", "7"},
    {"broadcast", "f64[2,3], f64[2,2]",
     "x = constant [[1.0], [2.0]] : f64[2,1]\n a = broadcast x {shape = [2, 3], axes = [0, 1]}\n"
     "y = constant [3.0, 4.0] : f64[2]\n b = broadcast y {shape = [2, 2], axes = [1]}\n"
     "return a, b",
     "[[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]; [[3.0, 4.0], [3.0, 4.0]]"},
    {"reshape and transpose", "i32[3,2], i32[3,2], i32[2,1,3]",
     "x = constant [[1, 2, 3], [4, 5, 6]] : i32[2,3]\n"
     "a = reshape x {shape = [3, 2]}\n b = transpose x {axes = [1, 0]}\n"
     "y = reshape x {shape = [1, 3, 2]}\n c = transpose y {axes = [2, 0, 1]}\n return a, b, c",
     "[[1, 2], [3, 4], [5, 6]]; [[1, 4], [2, 5], [3, 6]]; [[[1, 3, 5]], [[2, 4, 6]]]"},
    {"slice", "i32[2,2], i32[4], i32[0]",
     "x = constant [[1, 2, 3, 4], [5, 6, 7, 8]] : i32[2,4]\n"
     "a = slice x {start = [0, 1], stop = [2, 4], step = [1, 2]}\n"
     "y = constant [1, 2, 3, 4] : i32[4]\n"
     "b = slice y {start = [3], stop = [-1], step = [-1]}\n"
     "c = slice y {start = [2], stop = [2], step = [1]}\n return a, b, c",
     "[[2, 4], [6, 8]]; [4, 3, 2, 1]; []"},
    {"pad", "f32[6], f32[2], f32[2,3]",
     "x = constant [1.0, 2.0, 3.0] : f32[3]\n z = constant 9.0 : f32\n"
     "a = pad x, z {low = [1], high = [0], step = [2]}\n"
     "b = pad x, z {low = [-2], high = [1], step = [1]}\n"
     "y = constant [[5.0]] : f32[1,1]\n c = pad y, z {low = [1, 1], high = [0, 1], step = [1, 1]}\n"
     "return a, b, c",
     "[9.0, 1.0, 9.0, 2.0, 9.0, 3.0]; [3.0, 9.0]; [[9.0, 9.0, 9.0], [9.0, 5.0, 9.0]]"},
    {"concat", "i32[2,3]",
     "x = constant [[1], [2]] : i32[2,1]\n y = constant [[3, 4], [5, 6]] : i32[2,2]\n"
     "n = constant [[], []] : i32[2,0]\n z = concat x, n, y {axis = 1}\n return z",
     "[[1, 3, 4], [2, 5, 6]]"},
    {"gather", "f64[3]",
     "x = constant [[1.0, 2.0], [3.0, 4.0]] : f64[2,2]\n"
     "i = constant [1, 0, 1] : i64[3]\n j = constant [0, 1, 1] : i64[3]\n"
     "y = gather x, i, j\n return y",
     "[3.0, 2.0, 4.0]"},
    {"scatter", "f32[3], f32[3], i32[2]",
     "x = constant [1.0, 2.0, 3.0] : f32[3]\n v = constant [10.0, 20.0, 30.0] : f32[3]\n"
     "i = constant [2, 0, 2] : i64[3]\n a = scatter_add x, v, i\n s = scatter_set x, v, i\n"
     "n = constant [2147483647, 5] : i32[2]\n one = constant [1, 1] : i32[2]\n"
     "k = constant [0, 0] : i64[2]\n w = scatter_add n, one, k\n return a, s, w",
     "[21.0, 2.0, 43.0]; [20.0, 2.0, 30.0]; [-2147483647, 5]"},
    {"scatter_add rounds once", "f32[1]",
     "x = constant [16777216.0] : f32[1]\n v = constant [1.0, 1.0] : f32[2]\n"
     "i = constant [0, 0] : i64[2]\n a = scatter_add x, v, i\n return a",
     "[16777218.0]"},
    {"sums and products", "f32[2], f32[3], f64, f64, i32, f32[2,2]",
     "x = constant [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] : f32[2,3]\n"
     "a = reduce_sum x {axes = [1]}\n b = reduce_prod x {axes = [0]}\n"
     "e = constant [] : f64[0]\n s = reduce_sum e {axes = [0]}\n p = reduce_prod e {axes = [0]}\n"
     "n = constant [2147483647, 1] : i32[2]\n w = reduce_sum n {axes = [0]}\n"
     "y = constant [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]] : f32[2,2,2]\n"
     "m = reduce_sum y {axes = [1]}\n"
     "return a, b, s, p, w, m",
     "[6.0, 15.0]; [4.0, 10.0, 18.0]; 0.0; 1.0; -2147483648; [[4.0, 6.0], [12.0, 14.0]]"},
    {"a sum in f32 is rounded once", "f32",
     "x = constant [16777216.0, 1.0, 1.0] : f32[3]\n y = reduce_sum x {axes = [0]}\n return y",
     "16777218.0"},
    {"extremes", "f64[2], f64, i64, bool, bool",
     "x = constant [[1.0, nan], [-3.0, -2.0]] : f64[2,2]\n a = reduce_max x {axes = [1]}\n"
     "y = constant [3.0, -inf] : f64[2]\n b = reduce_min y {axes = [0]}\n"
     "n = constant [-5, -7] : i64[2]\n c = reduce_max n {axes = [0]}\n"
     "t = constant [true, false] : bool[2]\n d = reduce_max t {axes = [0]}\n"
     "e = reduce_min t {axes = [0]}\n return a, b, c, d, e",
     "[nan, -2.0]; -inf; -5; true; false"},
    {"places of extremes", "i64[2], i64[3], i64, i64",
     "x = constant [[1.0, 5.0, 5.0], [2.0, nan, nan]] : f32[2,3]\n a = argmax x {axis = 1}\n"
     "b = argmin x {axis = 0}\n n = constant [4, 2, 2] : i32[3]\n c = argmin n {axis = 0}\n"
     "d = argmax n {axis = 0}\n return a, b, c, d",
     "[1, 1]; [0, 1, 1]; 1; 0"},
    {"cumsum", "f64[2,3], f64[2,3], i32[3]",
     "x = constant [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] : f64[2,3]\n a = cumsum x {axis = 1}\n"
     "b = cumsum x {axis = 0, reverse = true}\n n = constant [2147483647, 1, 1] : i32[3]\n"
     "c = cumsum n {axis = 0}\n return a, b, c",
     "[[1.0, 3.0, 6.0], [4.0, 9.0, 15.0]]; [[5.0, 7.0, 9.0], [4.0, 5.0, 6.0]]; "
     "[2147483647, -2147483648, -2147483647]"},
    {"contract", "f32[2,2], f64, i32[2], f64[2,2,2], f64[2]",
     "x = constant [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] : f32[2,3]\n"
     "y = constant [[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]] : f32[3,2]\n"
     "a = contract x, y {labels = \"ij,jk->ik\"}\n"
     "m = constant [[1.0, 2.0], [3.0, 4.0]] : f64[2,2]\n"
     "b = contract m, m {labels = \"ij,ji->\"}\n"
     "n = constant [[1, 2], [3, 4]] : i32[2,2]\n v = constant [5, 6] : i32[2]\n"
     "c = contract n, v {labels = \"ij,j->i\"}\n"
     "u = constant [10.0, 20.0] : f64[2]\n d = contract m, u {labels = \"ij,k->kij\"}\n"
     "e = contract m, m {labels = \"ij,ij->j\"}\n return a, b, c, d, e",
     "[[7.0, 8.0], [16.0, 17.0]]; 29.0; [17, 39]; "
     "[[[10.0, 20.0], [30.0, 40.0]], [[20.0, 40.0], [60.0, 80.0]]]; [10.0, 20.0]"},
    {"contract over nothing", "f32[2,1]",
     "x = constant [[], []] : f32[2,0]\n y = constant [[]] : f32[1,0]\n"
     "z = contract x, y {labels = \"ak,bk->ab\"}\n return z",
     "[[0.0], [0.0]]"},
    {"detach", "f32", "x = constant 2.5 : f32\n y = detach x\n return y", "2.5"},
    {"loop", "f64, f64[4], i64[4]",
     "x = constant 1.0 : f64\n"
     "y, before, index = loop x {trip = 4, carried = 1} {\n"
     "body(i: i64, s: f64) { t = add s, s\n yield t, s, i } }\n"
     "return y, before, index",
     "16.0; [1.0, 2.0, 4.0, 8.0]; [0, 1, 2, 3]"},
    {"a loop swaps its values", "i32, i32",
     "x = constant 1 : i32\n y = constant 2 : i32\n"
     "a, b = loop x, y {trip = 3, carried = 2} { body(i: i64, s: i32, t: i32) { yield t, s } }\n"
     "return a, b",
     "2; 1"},
    {"a counted loop leaves rows zero", "f64, f64[4,2]",
     "x = constant 1.0 : f64\n n = constant 2 : i64\n r = constant [7.0, 8.0] : f64[2]\n"
     "y, rows = loop x, n {trip = 4, carried = 1, counted = true} {\n"
     "body(i: i64, s: f64) { t = add s, s\n yield t, r } }\n return y, rows",
     "4.0; [[7.0, 8.0], [7.0, 8.0], [0.0, 0.0], [0.0, 0.0]]"},
    {"a loop with a condition", "f64, i64",
     "x = constant 1.0 : f64\n l = constant 10.0 : f64\n"
     "y, n = loop x {trip = 4, carried = 1} {\n body(i: i64, s: f64) { t = add s, s\n yield t }\n"
     "condition(j: i64, u: f64) { c = lt u, l\n yield c } }\n return y, n",
     "16.0; 4"},
    {"a condition that does not end", "f64, i64",
     "x = constant 1.0 : f64\n l = constant 17.0 : f64\n"
     "y, n = loop x {trip = 4, carried = 1} {\n body(i: i64, s: f64) { t = add s, s\n yield t }\n"
     "condition(j: i64, u: f64) { c = lt u, l\n yield c } }\n return y, n",
     "the loop's condition still holds after 4 iterations"},
    {"a condition that never holds", "f64, i64, f64[2]",
     "x = constant 1.0 : f64\n"
     "y, s, n = loop x {trip = 2, carried = 1} {\n body(i: i64, u: f64) { yield u, u }\n"
     "condition(j: i64, v: f64) { c = ne v, v\n yield c } }\n return y, n, s",
     "1.0; 0; [0.0, 0.0]"},
    {"a count that is too large", "",
     "n = constant 5 : i64\n"
     "loop n {trip = 4, carried = 0, counted = true} { body(i: i64) { yield } }\n return",
     "a loop should run 5 times, but its limit is 4"},
    {"branch", "i32, i32",
     "t = constant true : bool\n f = constant false : bool\n one = constant 1 : i32\n"
     "a = branch t { then { yield one } else { two = add one, one\n yield two } }\n"
     "b = branch f { then { yield one } else { three = add one, a\n yield three } }\n"
     "return a, b",
     "1; 2"},
    {"index out of range", "f32",
     "x = constant [1.0, 2.0, 3.0] : f32[3]\n i = constant 5 : i64\n y = gather x, i\n return y",
     "an index is out of range for axis 0 with size 3"},
    {"negative index", "f32[1,3]",
     "x = constant [[1.0, 2.0, 3.0]] : f32[1,3]\n v = constant 1.0 : f32\n z = constant 0 : i64\n"
     "i = constant -1 : i64\n y = scatter_set x, v, z, i\n return y",
     "an index is out of range for axis 1 with size 3"},
    {"a branch not taken cannot fail", "f32",
     "x = constant [1.0] : f32[1]\n i = constant 5 : i64\n c = constant false : bool\n"
     "o = constant 0.5 : f32\n"
     "y = branch c { then { a = gather x, i\n yield a } else { yield o } }\n return y",
     "0.5"},
};

static const Function *parse_one(Arena *arena, const char *text) {
    Sources *sources = arena_new(arena, Sources);
    sources->arena = arena;
    Diags diags = {.arena = arena, .sources = sources};
    int file = source_add(sources, "test", text, strlen(text));
    Module *module = parse_module(arena, &diags, file);
    if (!module) {
        Text out = text_new(arena);
        diags_print(&diags, &out);
        fputs(text_string(&out), stderr);
        return NULL;
    }
    const char *mistake = verify_module(arena, module);
    if (mistake) {
        fprintf(stderr, "%s\n", mistake);
        return NULL;
    }
    return module->functions.at[0];
}

static const char *run_case(Arena *arena, const char *text) {
    const Function *function = parse_one(arena, text);
    if (!function) {
        return "(refused)";
    }
    EvaluateFailure failure = {0};
    int count = function->body->yields.count;
    TensorData *results = arena_array(arena, TensorData, count);
    if (!evaluate(arena, function, NULL, results, &failure)) {
        return failure.message;
    }
    Text out = text_new(arena);
    for (int i = 0; i < count; i++) {
        text_add(&out, i ? "; " : "");
        print_tensor(&out, &results[i]);
    }
    return text_string(&out);
}

static void test_cases(void) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Arena arena = {0};
        const char *text =
            arena_format(&arena, "func f() -> (%s) {\n%s\n}\n", cases[i].results, cases[i].body);
        expect_text(run_case(&arena, text), cases[i].expected, __FILE__, __LINE__, cases[i].name);
        arena_free(&arena);
    }
}

// Arguments are used, not changed, and results have bytes of their own.
static void test_arguments_and_calls(void) {
    Arena arena = {0};
    const Function *function =
        parse_one(&arena, "func f(x: f64[2], y: f64[2]) -> (f64[2], f64[2]) {\n"
                          "a, b = call y, x {callee = g}\n"
                          "return a, b\n}\n"
                          "func g(p: f64[2], q: f64[2]) -> (f64[2], f64[2]) {\n"
                          "d = sub p, q\n"
                          "return d, p\n}\n");
    TensorData arguments[2], results[2];
    for (int i = 0; i < 2; i++) {
        arguments[i] = tensor_new(&arena, function->body->parameters.at[i]->type);
        tensor_set(&arguments[i], 0, 1 + 2 * i);
        tensor_set(&arguments[i], 1, 10 + 20 * i);
    }
    EvaluateFailure failure = {0};
    EXPECT(evaluate(&arena, function, arguments, results, &failure));
    EXPECT(tensor_get(&results[0], 0) == 2 && tensor_get(&results[0], 1) == 20);
    EXPECT(tensor_get(&results[1], 0) == 3 && tensor_get(&results[1], 1) == 30);
    EXPECT(results[1].bytes != arguments[1].bytes);
    EXPECT(tensor_get(&arguments[0], 0) == 1 && tensor_get(&arguments[1], 1) == 30);
    arena_free(&arena);
}

static void test_failure_names_its_place(void) {
    Arena arena = {0};
    const char *text = "func f(x: f32[2], i: i64) -> (f32) {\n"
                       "y = loop i {trip = 3, carried = 1} {\n"
                       "body(k: i64, j: i64) { v = gather x, k : f32\n yield j } }\n"
                       "z = gather x, y\nreturn z\n}\n";
    const Function *function = parse_one(&arena, text);
    TensorData arguments[2], result;
    for (int i = 0; i < 2; i++) {
        arguments[i] = tensor_new(&arena, function->body->parameters.at[i]->type);
    }
    EvaluateFailure failure = {0};
    EXPECT(!evaluate(&arena, function, arguments, &result, &failure));
    EXPECT_TEXT(failure.message, "an index is out of range for axis 0 with size 2");
    EXPECT(strncmp(text + failure.span.start, "v = gather", 10) == 0);
    arena_free(&arena);
}

#if defined(__SANITIZE_ADDRESS__)
#define FREED_MEMORY_IS_KEPT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FREED_MEMORY_IS_KEPT 1
#endif
#endif
#ifndef FREED_MEMORY_IS_KEPT
#define FREED_MEMORY_IS_KEPT 0
#endif

static long peak_kilobytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

// What iterations compute must not pile up: all of it would be 160 MB.
static void test_long_loop(void) {
    Arena arena = {0};
    const Function *function =
        parse_one(&arena, "func f() -> (f64) {\n"
                          "z = constant 0.0 : f64\n o = constant 1.0 : f64\n"
                          "x = broadcast z {shape = [1000], axes = []}\n"
                          "d = broadcast o {shape = [1000], axes = []}\n"
                          "y = loop x {trip = 10000, carried = 1} { body(i: i64, s: f64[1000]) {\n"
                          "t = add s, d\n u = reduce_sum t {axes = [0]}\n yield t } }\n"
                          "r = reduce_sum y {axes = [0]}\nreturn r\n}\n");
    TensorData result;
    long before = peak_kilobytes();
    EvaluateFailure failure = {0};
    EXPECT(evaluate(&arena, function, NULL, &result, &failure));
    EXPECT(tensor_get(&result, 0) == 1e7);
    EXPECT(FREED_MEMORY_IS_KEPT || peak_kilobytes() - before < 20000);
    arena_free(&arena);
}

// 1500 x 64 x 48 is a batch of a small classifier's first layer.
static void test_contraction_speed(void) {
    Arena arena = {0};
    const Function *function =
        parse_one(&arena, "func f() -> (f32) {\n"
                          "x = iota {axis = 1} : f32[1500,64]\n w = iota {axis = 0} : f32[64,48]\n"
                          "y = contract x, w {labels = \"ij,jk->ik\"}\n"
                          "s = reduce_max y {axes = [0, 1]}\nreturn s\n}\n");
    TensorData result;
    EvaluateFailure failure = {0};
    clock_t start = clock();
    EXPECT(evaluate(&arena, function, NULL, &result, &failure));
    EXPECT(tensor_get(&result, 0) == 85344); // the sum of the squares below 64
    EXPECT((double)(clock() - start) / CLOCKS_PER_SEC < 10);
    arena_free(&arena);
}

int main(void) {
    test_cases();
    test_arguments_and_calls();
    test_failure_names_its_place();
    test_long_loop();
    test_contraction_speed();
    return expect_result();
}
