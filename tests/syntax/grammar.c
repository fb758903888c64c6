// The grammar: what binds to what, where statements end, which words are names, and the whole tree
// of one small program.
#include "tests/syntax/support.h"

// Both texts parse, to the same tree.
static bool is_same(const char *text, const char *other) {
    Parsed one;
    Parsed two;
    parse_text(&one, text);
    parse_text(&two, other);
    bool parse = one.diags.error_count == 0 && two.diags.error_count == 0;
    bool same = parse && strcmp(parsed_tree(&one), parsed_tree(&two)) == 0;
    if (!same) {
        fprintf(stderr, "  %s\n  %s\n", text, other);
        print_errors(&one);
        print_errors(&two);
    }
    arena_free(&one.arena);
    arena_free(&two.arena);
    return same;
}

static bool is_same_expression(const char *text, const char *other) {
    char one[256];
    char two[256];
    snprintf(one, sizeof one, "fn f() = %s", text);
    snprintf(two, sizeof two, "fn f() = %s", other);
    return is_same(one, two);
}

static bool is_same_block(const char *text, const char *other) {
    char one[256];
    char two[256];
    snprintf(one, sizeof one, "model m {\n%s\n}\n", text);
    snprintf(two, sizeof two, "model m {\n%s\n}\n", other);
    return is_same(one, two);
}

static bool parses(const char *text) {
    return is_same(text, text);
}

static void test_precedence(void) {
    static const char *const pairs[][2] = {
        {"a + b * c", "a + (b * c)"},
        {"a - b - c", "(a - b) - c"},
        {"a / b * c @ d // e % g", "((((a / b) * c) @ d) // e) % g"},
        {"a ** b ** c", "a ** (b ** c)"},
        {"-a ** b", "-(a ** b)"},
        {"a ** -b ** c", "a ** (-(b ** c))"},
        {"2 ** -b * c", "(2 ** (-b)) * c"},
        {"-a * b", "(-a) * b"},
        {"- -a", "-(-a)"},
        {"a + b == c - d", "(a + b) == (c - d)"},
        {"not a == b", "not (a == b)"},
        {"not a and b", "(not a) and b"},
        {"a or b and c", "a or (b and c)"},
        {"a and b or c", "(a and b) or c"},
        {"a or b ? c : d", "(a or b) ? c : d"},
        {"a ? b : c ? d : e", "a ? b : (c ? d : e)"},
        {"a ? b ? c : d : e", "a ? (b ? c : d) : e"},
        {"a + b ? c : d + e", "(a + b) ? c : (d + e)"},
        {"fn(x) = x + a ? b : c", "fn(x) = ((x + a) ? b : c)"},
        {"-a.b(c)[d]", "-((a.b(c))[d])"},
        {"-x[0] ** 2", "-((x[0]) ** 2)"},
        {"x[a ? b : c : d]", "x[(a ? b : c) : d]"},
        {"a @ x.T", "a @ (x.T)"},
        {"[for i in 0..n + 1: i * 2]", "[for i in (0)..(n + 1): (i * 2)]"},
        {"[for i in 0..n if i > 1: i]", "[for i in 0..n if (i > 1): i]"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        EXPECT(is_same_expression(pairs[i][0], pairs[i][1]));
    }
    EXPECT(!is_same_expression("a.b(c)", "(a.b)(c)")); // a method, and a call of an attribute
    EXPECT(!is_same_expression("a - b - c", "a - (b - c)"));
    EXPECT(!is_same_expression("-a ** b", "(-a) ** b"));
}

static void test_lines(void) {
    EXPECT(is_same_block("x = 1; y = 2", "x = 1\n\n# comment\ny = 2 # more\n"));
    EXPECT(is_same_block("x = a + b", "x =\n a +\n # here\n\n b"));
    EXPECT(is_same_block("x = f(a, b)", "x = f(\na,\nb\n)"));
    EXPECT(is_same_block("x = [1, 2]", "x = [1,\n2\n,]"));
    EXPECT(is_same_block("if a { b } else { c }", "if a\n{\nb\n}\n\nelse\n{\nc\n}\n"));
    EXPECT(is_same_block("x = a\n-b", "x = a; -b"));
    EXPECT(!is_same_block("x = a\n-b", "x = a -b"));
    EXPECT(
        is_same_block("x = f(fn(y) { z = y; return z })", "x = f(fn(y) {\nz = y\nreturn z\n}\n)"));
    EXPECT(is_same("fn f(x) = x\r\n\r\nfn g(x) = x", "fn f(x) = x\nfn g(x) = x"));
    EXPECT(is_same("\xef\xbb\xbf"
                   "fn f(x) = x",
                   "fn f(x) = x"));
    EXPECT(is_same("fn f(x) { return x } derivative(b) { return b }",
                   "fn f(x) {\nreturn x\n}\n\n# rule\nderivative(b)\n{ return b }"));
    EXPECT(is_same("fn f(x) = x derivative(b) { return b }",
                   "fn f(x) = x\nderivative(b) { return b }"));
    EXPECT(is_same("fn f(x) = x", "fn f(x) { return x }"));
}

static void test_names(void) {
    static const char *const words[] = {"model", "optimizer", "derivative",    "input",
                                        "param", "output",    "state",         "step",
                                        "limit", "frozen",    "requires_grad", "_"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char text[512];
        const char *w = words[i];
        snprintf(text, sizeof text,
                 "fn %s(%s: real) {\n %s = %s + 1\n %s[0] = f(%s=2)\n return %s\n}\n"
                 "model %s {\n input %s: real\n param %s: real\n param frozen %s: real\n"
                 " output %s\n for %s in 0..%s step %s { %s += 1 }\n while %s limit %s { %s }\n}\n",
                 w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w, w);
        EXPECT(parses(text));
    }
    EXPECT(!parses("fn for(x) = x"));
    EXPECT(!parses("fn f(x) { while = 1 }"));
}

static void test_numbers(void) {
    EXPECT(is_same_expression("0x1F", "31"));
    EXPECT(is_same_expression("1.", "1.0"));
    EXPECT(is_same_expression(".5e1", "5.0"));
    EXPECT(is_same_expression("2.e3", "2e3"));
    EXPECT(is_same_expression("9223372036854775807", "0x7fffffffffffffff"));
    EXPECT(!is_same_expression("1", "1.0"));
    EXPECT(is_same_expression("[for i in 0..3: i]", "[for i in 0 .. 3: i]"));
    EXPECT(is_same_expression("[for i in 0.5..3.: i]", "[for i in 0.5 .. 3. : i]"));
}

static void test_tree(void) {
    Parsed parsed;
    parse_text(&parsed, "import \"a.tdsl\"\n"
                        "fn f<N, K = 3>(x: f32[N, ...], y = 2) -> (real, i64) { return x, y }\n"
                        "model m {\n"
                        "    param w: real frozen = 1\n"
                        "    y[i, 1:, none, ...] -= x.sum(dim=0).T\n"
                        "    a, _ = g(for k in 0..n step 2: k)\n"
                        "    while a limit 9 { no_grad { a = not b } }\n"
                        "    output a, z = \"q\\\"\\n\"\n"
                        "}\n");
    EXPECT(parsed.diags.error_count == 0);
    EXPECT_TEXT(parsed_tree(&parsed), "import \"a.tdsl\"\n"
                                      "function f\n"
                                      "    dimension N\n"
                                      "    dimension K\n"
                                      "        default: 3\n"
                                      "    parameter x\n"
                                      "        type: f32 of shape\n"
                                      "            N\n"
                                      "            ...\n"
                                      "    parameter y\n"
                                      "        default: 2\n"
                                      "    result: real\n"
                                      "    result: i64\n"
                                      "    body\n"
                                      "        return\n"
                                      "            x\n"
                                      "            y\n"
                                      "model m\n"
                                      "    body\n"
                                      "        param w frozen\n"
                                      "            type: real\n"
                                      "            value: 1\n"
                                      "        assign -=\n"
                                      "            to: y\n"
                                      "                at: i\n"
                                      "                slice\n"
                                      "                    start: 1\n"
                                      "                new axis\n"
                                      "                ellipsis\n"
                                      "            attribute T\n"
                                      "                of: method sum\n"
                                      "                    of: x\n"
                                      "                    dim: 0\n"
                                      "        assign\n"
                                      "            to: a\n"
                                      "            to: _\n"
                                      "            call\n"
                                      "                of: g\n"
                                      "                comprehension\n"
                                      "                    for k\n"
                                      "                        start: 0\n"
                                      "                        stop: n\n"
                                      "                        step: 2\n"
                                      "                    k\n"
                                      "        while\n"
                                      "            condition: a\n"
                                      "            limit: 9\n"
                                      "            body\n"
                                      "                no_grad\n"
                                      "                    body\n"
                                      "                        assign\n"
                                      "                            to: a\n"
                                      "                            unary not\n"
                                      "                                b\n"
                                      "        output\n"
                                      "            a\n"
                                      "            z\n"
                                      "                value: \"q\\\"\\n\"\n");
    arena_free(&parsed.arena);
}

// Spans: the text that each node was read from.
static void test_spans(void) {
    static const char text[] = "fn f(x) = (a + b) * g(c)[0]\n";
    Parsed parsed;
    parse_text(&parsed, text);
    const Expr *product =
        parsed.ast->definitions.at[0]->as.function->body->statements.at[0]->as.returned.at[0];
    EXPECT(product->span.start == 10 && product->span.end == 27);
    EXPECT(product->as.binary.op_span.start == 18 && product->as.binary.op_span.end == 19);
    EXPECT(product->as.binary.left->span.start == 10 && product->as.binary.left->span.end == 17);
    EXPECT(product->as.binary.right->span.start == 20 && product->as.binary.right->span.end == 27);
    EXPECT(product->as.binary.right->as.index.object->span.end == 24);
    EXPECT(parsed.ast->definitions.at[0]->span.start == 0);
    EXPECT(parsed.ast->definitions.at[0]->span.end == 27);
    arena_free(&parsed.arena);
}

int main(void) {
    test_precedence();
    test_lines();
    test_names();
    test_numbers();
    test_tree();
    test_spans();
    return expect_result();
}
