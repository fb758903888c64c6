// Where gradients are cut: what find_gradient_cuts names.
#include "passes/differentiate.h"
#include "tests/passes/check_derivatives.h"
#include "tests/unit/expect.h"

static void expect_cuts(const char *text, int count, const char *const (*cuts)[2]) {
    Arena arena = {0};
    GradientCut *found;
    int found_count = find_gradient_cuts(&arena, read_function(&arena, text), 0, &found);
    if (EXPECT(found_count == count)) {
        for (int i = 0; i < count; i++) {
            EXPECT_TEXT(found[i].what, cuts[i][0]);
            EXPECT_TEXT(found[i].leaf, cuts[i][1]);
        }
    }
    arena_free(&arena);
}

int main(void) {
    expect_cuts("func f(x: f64 param grad, y: f64 input) -> (f64) {\n"
                "  a = mul x, y : f64\n"
                "  b = detach a : f64\n"
                "  c = exp b : f64\n"
                "  return c\n"
                "}\n",
                1, (const char *const[][2]){{"detach", "x"}});
    expect_cuts(
        "func f(x: f64[3] param grad, z: f64 param grad) -> (f64) {\n"
        "  i = argmax x {axis = 0} : i64\n"
        "  d = detach x : f64[3]\n"
        "  g = gather d, i : f64\n"
        "  b = gt z, g : bool\n"
        "  c = cast b {element = f64} : f64\n"
        "  e = mul c, g : f64\n"
        "  return e\n"
        "}\n",
        4,
        (const char *const[][2]){
            {"argmax", "x"}, {"detach", "x"}, {"a comparison", "z"}, {"a comparison", "x"}});
    expect_cuts("func f(x: f64 param grad) -> (f64) {\n"
                "  z = constant 0.0 : f64\n"
                "  a = loop z {trip = 3, carried = 1} : f64 {\n"
                "    body(i: i64, p: f64) {\n"
                "      k = cast x {element = i64} : i64\n"
                "      m = add k, i : i64\n"
                "      r = cast m {element = f64} : f64\n"
                "      s = add p, r : f64\n"
                "      yield s\n"
                "    }\n"
                "  }\n"
                "  return a\n"
                "}\n",
                1, (const char *const[][2]){{"integer values", "x"}});
    expect_cuts("func f(x: f64 param grad) -> (f64) {\n"
                "  return x\n"
                "}\n",
                0, NULL);
    return expect_result();
}
