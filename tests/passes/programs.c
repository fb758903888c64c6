// Derivatives of tensor operators, loops and branches, each as a small program in the text form.
#include <stdio.h>
#include <string.h>

#include "tests/passes/check_derivatives.h"
#include "tests/unit/expect.h"

typedef struct Program {
    const char *text;
    int depth;
    double low, high; // of parameters; 0, 0: -1 to 1
} Program;

static const Program tensors[] = {
    {"func broadcast(x: f64[3,1], y: f64) -> (f64[2,3,4], f64[2]) {\n"
     "  b = broadcast x {shape = [2, 3, 4], axes = [1, 2]} : f64[2,3,4]\n"
     "  e = mul b, b : f64[2,3,4]\n"
     "  c = broadcast y {shape = [2], axes = []} : f64[2]\n"
     "  d = sin c : f64[2]\n"
     "  return e, d\n"
     "}\n",
     2, 0, 0},
    {"func shapes(x: f64[4,6]) -> (f64[3,8]) {\n"
     "  r = reshape x {shape = [8, 3]} : f64[8,3]\n"
     "  t = transpose r {axes = [1, 0]} : f64[3,8]\n"
     "  y = exp t : f64[3,8]\n"
     "  return y\n"
     "}\n",
     2, 0, 0},
    {"func slices(x: f64[7,6]) -> (f64[3,2], f64[6], f64[2,6]) {\n"
     "  a = slice x {start = [1, 5], stop = [7, 1], step = [2, -3]} : f64[3,2]\n"
     "  b = mul a, a : f64[3,2]\n"
     "  f = slice x {start = [6, 0], stop = [-1, 6], step = [-4, 1]} : f64[2,6]\n"
     "  g = cos f : f64[2,6]\n"
     "  c = slice x {start = [3, 0], stop = [4, 6], step = [1, 1]} : f64[1,6]\n"
     "  d = reshape c {shape = [6]} : f64[6]\n"
     "  e = exp d : f64[6]\n"
     "  return b, e, g\n"
     "}\n",
     2, 0, 0},
    {"func pads(x: f64[3,4], z: f64) -> (f64[6,4], f64[4,2]) {\n"
     "  a = pad x, z {low = [1, -1], high = [0, 1], step = [2, 1]} : f64[6,4]\n"
     "  b = mul a, a : f64[6,4]\n"
     "  c = pad x, z {low = [-1, -2], high = [0, -3], step = [2, 2]} : f64[4,2]\n"
     "  d = sin c : f64[4,2]\n"
     "  return b, d\n"
     "}\n",
     2, 0, 0},
    {"func concats(x: f64[2,3], y: f64[2,1]) -> (f64[2,7]) {\n"
     "  a = concat x, y, x {axis = 1} : f64[2,7]\n"
     "  b = mul a, a : f64[2,7]\n"
     "  return b\n"
     "}\n",
     2, 0, 0},
    {"func indexing(x: f64[4,3], v: f64[5]) -> (f64[5], f64[4,3], f64[4,3]) {\n"
     "  i = constant [3, 0, 1, 3, 3] : i64[5]\n"
     "  j = constant [2, 1, 1, 2, 0] : i64[5]\n"
     "  g = gather x, i, j : f64[5]\n"
     "  a = mul g, g : f64[5]\n"
     "  s = scatter_add x, v, i, j : f64[4,3]\n"
     "  b = sin s : f64[4,3]\n"
     "  t = scatter_set x, v, i, j : f64[4,3]\n"
     "  c = exp t : f64[4,3]\n"
     "  return a, b, c\n"
     "}\n",
     2, 0, 0},
    {"func reductions(x: f64[3,4,2]) -> (f64[4], f64[3,2], f64, f64[3,4]) {\n"
     "  q = mul x, x : f64[3,4,2]\n"
     "  a = reduce_sum q {axes = [0, 2]} : f64[4]\n"
     "  b = reduce_max q {axes = [1]} : f64[3,2]\n"
     "  c = reduce_min x {axes = [0, 1, 2]} : f64\n"
     "  d = reduce_prod x {axes = [2]} : f64[3,4]\n"
     "  return a, b, c, d\n"
     "}\n",
     2, 0, 0},
    {"func products(x: f64[2,2,2]) -> (f64[2], f64) {\n"
     "  a = reduce_prod x {axes = [0, 2]} : f64[2]\n"
     "  b = reduce_prod x {axes = [0, 1, 2]} : f64\n"
     "  return a, b\n"
     "}\n",
     3, 0, 0},
    {"func product_of_zeros(x: f64[3], y: f64) -> (f64, f64, f64) {\n"
     "  one = constant [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]] : f64[2,3]\n"
     "  b = broadcast x {shape = [2, 3], axes = [1]} : f64[2,3]\n"
     "  c = mul b, one : f64[2,3]\n"
     "  s = broadcast y {shape = [2, 3], axes = []} : f64[2,3]\n"
     "  z = constant [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]] : f64[2,3]\n"
     "  n = constant 0.0 : f64\n"
     "  m = mul y, n : f64\n"
     "  o = broadcast m {shape = [2, 3], axes = []} : f64[2,3]\n"
     "  p = mul o, z : f64[2,3]\n"
     "  q = add c, p : f64[2,3]\n"
     "  e = reduce_prod q {axes = [0, 1]} : f64\n"
     "  f = reduce_prod q {axes = [1]} : f64[2]\n"
     "  g = reduce_sum f {axes = [0]} : f64\n"
     "  h = reduce_sum q {axes = [0, 1]} : f64\n"
     "  return e, g, h\n"
     "}\n",
     2, 0, 0},
    {"func running(x: f64[3,4]) -> (f64[3,4], f64[3,4]) {\n"
     "  q = mul x, x : f64[3,4]\n"
     "  a = cumsum q {axis = 1, reverse = true} : f64[3,4]\n"
     "  b = cumsum q {axis = 0} : f64[3,4]\n"
     "  c = mul a, b : f64[3,4]\n"
     "  return a, c\n"
     "}\n",
     2, 0, 0},
    {"func contractions(x: f64[2,3,4], y: f64[4,3,5], z: f64[6]) -> (f64[2,5,3], f64[2], f64[6,2]) "
     "{\n"
     "  a = contract x, y {labels = \"abc,cbd->adb\"} : f64[2,5,3]\n"
     "  s = reduce_sum x {axes = [1, 2]} : f64[2]\n"
     "  b = contract s, s {labels = \"a,a->a\"} : f64[2]\n"
     "  c = contract s, z {labels = \"a,b->ba\"} : f64[6,2]\n"
     "  return a, b, c\n"
     "}\n",
     2, 0, 0},
    {"func mixed(x: f64[3]) -> (y: f64, i: i64, f: f64[3], c: f64[3]) {\n"
     "  z = constant 0.0 : f64\n"
     "  w = broadcast z {shape = [3], axes = []} : f64[3]\n"
     "  p = gt x, w : bool[3]\n"
     "  s = sqrt x : f64[3]\n"
     "  n = neg x : f64[3]\n"
     "  e = select p, s, n : f64[3]\n"
     "  i = argmax x {axis = 0} : i64\n"
     "  k = broadcast i {shape = [], axes = []} : i64\n"
     "  g = gather e, k : f64\n"
     "  f = floor x : f64[3]\n"
     "  h = add f, x : f64[3]\n"
     "  m = mul h, h : f64[3]\n"
     "  j = cast i {element = f64} : f64\n"
     "  l = mul j, g : f64\n"
     "  return l, i, f, m\n"
     "}\n",
     1, 0.2, 0.9},
};

static const Program loops[] = {
    {"func power(x: f64[3]) -> (f64[3], f64[4,3]) {\n"
     "  last, all = loop x {trip = 4, carried = 1} : f64[3], f64[4,3] {\n"
     "    body(i: i64, p: f64[3]) {\n"
     "      q = mul p, x : f64[3]\n"
     "      r = sin q : f64[3]\n"
     "      yield r, q\n"
     "    }\n"
     "  }\n"
     "  return last, all\n"
     "}\n",
     2, 0, 0},
    {"func recurrent(w: f64[3,3], x: f64[5,3], h0: f64[3]) -> (f64[3], f64[5,3]) {\n"
     "  last, all = loop h0 {trip = 5, carried = 1} : f64[3], f64[5,3] {\n"
     "    body(i: i64, h: f64[3]) {\n"
     "      k = broadcast i {shape = [3], axes = []} : i64[3]\n"
     "      j = iota {axis = 0} : i64[3]\n"
     "      row = gather x, k, j : f64[3]\n"
     "      a = contract w, h {labels = \"ab,b->a\"} : f64[3]\n"
     "      b = add a, row : f64[3]\n"
     "      n = tanh b : f64[3]\n"
     "      yield n, n\n"
     "    }\n"
     "  }\n"
     "  return last, all\n"
     "}\n",
     2, 0, 0},
    {"func counted(x: f64[2], n: i64) -> (f64[2], f64[5,2]) {\n"
     "  last, all = loop x, n {trip = 5, carried = 1, counted = true} : f64[2], f64[5,2] {\n"
     "    body(i: i64, p: f64[2]) {\n"
     "      t = cast i {element = f64} : f64\n"
     "      b = broadcast t {shape = [2], axes = []} : f64[2]\n"
     "      m = mul p, b : f64[2]\n"
     "      q = exp m : f64[2]\n"
     "      r = mul q, x : f64[2]\n"
     "      yield r, p\n"
     "    }\n"
     "  }\n"
     "  return last, all\n"
     "}\n",
     2, 0, 0},
    {"func conditional(x: f64, y: f64) -> (f64, f64[20], i64) {\n"
     "  limit = constant 11.0 : f64\n"
     "  last, all, done = loop x {trip = 20, carried = 1} : f64, f64[20], i64 {\n"
     "    body(i: i64, p: f64) {\n"
     "      q = mul p, y : f64\n"
     "      r = add q, y : f64\n"
     "      yield r, q\n"
     "    }\n"
     "    condition(j: i64, p.1: f64) {\n"
     "      more = lt p.1, limit : bool\n"
     "      yield more\n"
     "    }\n"
     "  }\n"
     "  return last, all, done\n"
     "}\n",
     2, 1.2, 1.25},
    {"func swapping(x: f64, y: f64, n: i64) -> (f64, f64, f64, i64) {\n"
     "  c = constant 1.5 : f64\n"
     "  a, b, z, k = loop x, y, c, n {trip = 3, carried = 4} : f64, f64, f64, i64 {\n"
     "    body(i: i64, p: f64, q: f64, r: f64, m: i64) {\n"
     "      s = sin p : f64\n"
     "      t = mul r, q : f64\n"
     "      m1 = add m, i : i64\n"
     "      f = cast m1 {element = f64} : f64\n"
     "      u = mul s, f : f64\n"
     "      yield q, u, t, m1\n"
     "    }\n"
     "  }\n"
     "  return a, b, z, k\n"
     "}\n",
     2, 0, 0},
    {"func nested(w: f64[2,2], x: f64[2]) -> (f64[2], f64[3,2]) {\n"
     "  last, all = loop x {trip = 3, carried = 1} : f64[2], f64[3,2] {\n"
     "    body(i: i64, h: f64[2]) {\n"
     "      s = sin h : f64[2]\n"
     "      inner, rows = loop s {trip = 2, carried = 1} : f64[2], f64[2,2] {\n"
     "        body(j: i64, g: f64[2]) {\n"
     "          a = contract w, g {labels = \"ab,b->a\"} : f64[2]\n"
     "          c = mul a, h : f64[2]\n"
     "          e = exp c : f64[2]\n"
     "          yield e, a\n"
     "        }\n"
     "      }\n"
     "      r = reduce_sum rows {axes = [0]} : f64[2]\n"
     "      t = tanh r : f64[2]\n"
     "      o = mul t, inner : f64[2]\n"
     "      p = tanh o : f64[2]\n"
     "      yield p, t\n"
     "    }\n"
     "  }\n"
     "  return last, all\n"
     "}\n",
     2, 0, 0},
    {"func triangle(x: f64[4]) -> (f64[4], f64) {\n"
     "  z = constant 0.0 : f64\n"
     "  y, t = loop x, z {trip = 4, carried = 2} : f64[4], f64 {\n"
     "    body(i: i64, v: f64[4], s: f64) {\n"
     "      a = gather v, i : f64\n"
     "      in = loop a, i {trip = 4, carried = 1, counted = true} : f64 {\n"
     "        body(j: i64, p: f64) {\n"
     "          b = gather v, j : f64\n"
     "          q = mul p, b : f64\n"
     "          r = sin q : f64\n"
     "          yield r\n"
     "        }\n"
     "      }\n"
     "      w = scatter_set v, in, i : f64[4]\n"
     "      u = add s, in : f64\n"
     "      yield w, u\n"
     "    }\n"
     "  }\n"
     "  return y, t\n"
     "}\n",
     2, 0, 0},
    {"func rows(x: f64[3,2], y: f64[3,2]) -> (f64[3,2], f64[3]) {\n"
     "  z, s = loop y {trip = 3, carried = 1} : f64[3,2], f64[3] {\n"
     "    body(i: i64, v: f64[3,2]) {\n"
     "      k = broadcast i {shape = [2], axes = []} : i64[2]\n"
     "      j = iota {axis = 0} : i64[2]\n"
     "      a = gather x, k, j : f64[2]\n"
     "      b = mul a, a : f64[2]\n"
     "      w = scatter_add v, b, k, j : f64[3,2]\n"
     "      c = gather w, k, j : f64[2]\n"
     "      d = reduce_sum c {axes = [0]} : f64\n"
     "      e = exp d : f64\n"
     "      yield w, e\n"
     "    }\n"
     "  }\n"
     "  return z, s\n"
     "}\n",
     2, 0, 0},
    {"func never(x: f64, n: i64) -> (f64, f64[2]) {\n"
     "  m = sub n, n : i64\n"
     "  y, s = loop x, m {trip = 2, carried = 1, counted = true} : f64, f64[2] {\n"
     "    body(i: i64, p: f64) {\n"
     "      q = mul p, p : f64\n"
     "      yield q, p\n"
     "    }\n"
     "  }\n"
     "  return y, s\n"
     "}\n",
     2, 0, 0},
    {"func last_value(x: f64, y: f64) -> (f64, f64) {\n"
     "  z = constant 0.5 : f64\n"
     "  a, b = loop z, x {trip = 3, carried = 2} : f64, f64 {\n"
     "    body(i: i64, p: f64, q: f64) {\n"
     "      r = mul q, y : f64\n"
     "      s = sin r : f64\n"
     "      yield s, r\n"
     "    }\n"
     "  }\n"
     "  return a, y\n"
     "}\n",
     2, 0, 0},
};

static const Program branches[] = {
    {"func chosen(x: f64, y: f64) -> (f64, f64) {\n"
     "  p = lt x, y : bool\n"
     "  w = mul x, y : f64\n"
     "  a, b = branch p : f64, f64 {\n"
     "    then {\n"
     "      c = sin w : f64\n"
     "      d = mul c, x : f64\n"
     "      yield d, y\n"
     "    }\n"
     "    else {\n"
     "      e = exp x : f64\n"
     "      yield w, e\n"
     "    }\n"
     "  }\n"
     "  return a, b\n"
     "}\n",
     3, 0, 0},
    {"func branch_in_loop(x: f64[4], y: f64) -> (f64, f64[4]) {\n"
     "  half = constant 0.1 : f64\n"
     "  s, all = loop y {trip = 4, carried = 1} : f64, f64[4] {\n"
     "    body(i: i64, p: f64) {\n"
     "      a = gather x, i : f64\n"
     "      b = mul a, p : f64\n"
     "      c = gt b, half : bool\n"
     "      t = branch c : f64 {\n"
     "        then {\n"
     "          d = gather x, i : f64\n"
     "          e = mul d, d : f64\n"
     "          f = exp e : f64\n"
     "          g = mul f, b : f64\n"
     "          yield g\n"
     "        }\n"
     "        else {\n"
     "          h = sin p : f64\n"
     "          yield h\n"
     "        }\n"
     "      }\n"
     "      yield t, b\n"
     "    }\n"
     "  }\n"
     "  return s, all\n"
     "}\n",
     2, 0, 0},
    {"func loop_in_branch(x: f64[2], y: f64[2]) -> (f64[2]) {\n"
     "  axis = constant 0 : i64\n"
     "  a = gather x, axis : f64\n"
     "  b = gather y, axis : f64\n"
     "  p = lt a, b : bool\n"
     "  r = branch p : f64[2] {\n"
     "    then {\n"
     "      l = loop x {trip = 3, carried = 1} : f64[2] {\n"
     "        body(i: i64, h: f64[2]) {\n"
     "          u = mul h, y : f64[2]\n"
     "          v = sin u : f64[2]\n"
     "          yield v\n"
     "        }\n"
     "      }\n"
     "      yield l\n"
     "    }\n"
     "    else {\n"
     "      m, st = loop y {trip = 2, carried = 1} : f64[2], f64[2,2] {\n"
     "        body(j: i64, k: f64[2]) {\n"
     "          w = mul k, x : f64[2]\n"
     "          z = exp w : f64[2]\n"
     "          yield z, w\n"
     "        }\n"
     "      }\n"
     "      q = reduce_sum st {axes = [0]} : f64[2]\n"
     "      o = mul q, m : f64[2]\n"
     "      yield o\n"
     "    }\n"
     "  }\n"
     "  return r\n"
     "}\n",
     2, 0, 0},
};

static void check_programs(const Program *programs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        Arena arena = {0};
        Domain domain = {programs[i].low, programs[i].high, programs[i].depth, NULL};
        if (domain.low == domain.high) {
            domain.low = -1;
            domain.high = 1;
        }
        Function *function = read_function(&arena, programs[i].text);
        for (int round = 0; round < 2; round++) {
            if (!EXPECT(check_derivatives(function, domain) == 0)) {
                fprintf(stderr, "  in %s\n", function->name);
            }
        }
        arena_free(&arena);
    }
}

int main(void) {
    check_programs(tensors, sizeof tensors / sizeof *tensors);
    check_programs(loops, sizeof loops / sizeof *loops);
    check_programs(branches, sizeof branches / sizeof *branches);
    return expect_result();
}
