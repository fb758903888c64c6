// The formatter: what it makes of some texts; and for each file named on the command line that
// parses, that the result parses to the same tree, keeps the comments, and is its own result.
#include "frontend/format.h"

#include <stdlib.h>

#include "tests/syntax/support.h"

static const char *formatted(Parsed *parsed) {
    Text out = text_new(&parsed->arena);
    return format_source(&out, &parsed->diags, parsed->file) ? text_string(&out) : "";
}

static void expect_format(const char *text, const char *expected) {
    Parsed parsed;
    parse_text(&parsed, text);
    EXPECT_TEXT(formatted(&parsed), expected);
    arena_free(&parsed.arena);
    if (strcmp(text, expected) != 0)
        expect_format(expected, expected);
}

static void test_blanks(void) {
    expect_format("fn  f < N,M=( 3 ) > ( x :f32[ N,... ],y=2 )->real=x+- y** -2",
                  "fn f<N, M = (3)>(x: f32[N, ...], y = 2) -> real = x + -y ** -2\n");
    expect_format("fn f( x ){return x [ 1 : , : : 2 , none ] . sum ( dim = 1 ,keepdim=not true )}",
                  "fn f(x) { return x[1:, ::2, none].sum(dim=1, keepdim=not true) }\n");
    expect_format("fn f(x)=x?-1:x<2?+x:[ for i in 0 .. 3 ,j in 1 .. i if(i>j):x[i?j:0:2]]",
                  "fn f(x) = x ? -1 : x < 2 ? +x : "
                  "[for i in 0..3, j in 1..i if (i > j): x[i ? j : 0:2]]\n");
    expect_format("fn f(x)=g( fn( y ,k=1 )=y+k ,for i in x :i , step=- 1 )",
                  "fn f(x) = g(fn(y, k = 1) = y + k, for i in x: i, step=-1)\n");
    expect_format("model m{x=1. .T;for i in 1. .. .5 step - step{y=2 .T};z+=1;}",
                  "model m { x = 1. .T; for i in 1. .. .5 step -step { y = 2 .T }; z += 1 }\n");
}

static void test_lines(void) {
    expect_format(
        "\n\n# one\n\n\n\nmodel m\n{\n\n  x=1;;\n\n\n  y=2 ;z=3 # two  \n\n}\nfn f(x)=x\n\n\n",
        "# one\n\nmodel m {\n    x = 1\n\n    y = 2; z = 3  # two\n}\n\nfn f(x) = x\n");
    expect_format("fn f(x) {\nif x\n{\ny = 1\n}\nelse if z {\n}\nelse {\n# none\n}\nreturn y\n}",
                  "fn f(x) {\n    if x {\n        y = 1\n    } else if z {\n    } else {\n"
                  "        # none\n    }\n    return y\n}\n");
    expect_format("fn f(x) = g(a,\nb, # why\n[1,\n2],\n)\n",
                  "fn f(x) = g(a,\n    b,  # why\n    [1,\n        2],\n)\n");
    expect_format("fn f(x) {\ny = a +\nb *\nc\nreturn g(fn(z) {\nreturn z\n})\n}\n",
                  "fn f(x) {\n    y = a +\n        b *\n        c\n    return g(fn(z) {\n"
                  "        return z\n    })\n}\n");
    expect_format("fn f(x) { return x }\n\nderivative( b ) { return b }",
                  "fn f(x) { return x } derivative(b) { return b }\n");
}

static void test_refusal(void) {
    Parsed parsed;
    parse_text(&parsed, "model m {");
    EXPECT_TEXT(formatted(&parsed), "");
    EXPECT(parsed.diags.error_count > 0);
    arena_free(&parsed.arena);
}

static int count_bytes(const char *text, char byte) {
    int count = 0;
    for (; *text != '\0'; text++)
        count += *text == byte;
    return count;
}

static void test_file(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!EXPECT(file != NULL))
        return;
    static char bytes[1 << 20];
    size_t length = fread(bytes, 1, sizeof bytes - 1, file);
    bytes[length] = '\0';
    fclose(file);
    Parsed parsed;
    Parsed again;
    parse_bytes(&parsed, bytes, length);
    if (parsed.diags.error_count == 0) {
        const char *text = formatted(&parsed);
        parse_text(&again, text);
        bool holds = EXPECT(again.diags.error_count == 0) &&
                     EXPECT(strcmp(parsed_tree(&again), parsed_tree(&parsed)) == 0) &&
                     EXPECT(strcmp(formatted(&again), text) == 0) &&
                     EXPECT(count_bytes(text, '#') == count_bytes(bytes, '#'));
        if (!holds)
            fprintf(stderr, "  %s\n", name);
        arena_free(&again.arena);
    }
    arena_free(&parsed.arena);
}

int main(int count, char **arguments) {
    test_blanks();
    test_lines();
    test_refusal();
    for (int i = 1; i < count; i++)
        test_file(arguments[i]);
    return expect_result();
}
