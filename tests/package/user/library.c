// Compiles a program with the installed library and prints the gradient of k: 0.5 * (1 + 4).
#include <stdio.h>
#include <string.h>
#include <tdsl.h>

static const char program[] =
    "model m { input x: f64[2]\n param k: f64 = 3\n output e = 0.5 * k * sum(x * x) }\n";

// A name that the library uses inside must not be taken from here.
int read_file(void);
int read_file(void) {
    return 1;
}

int main(void) {
    double x[2] = {1, 2}, k = 3, gradient = 0, e = 0;
    TdslSession *session = tdsl_open(NULL);
    if (tdsl_load_text(session, "m", program, strlen(program)) || tdsl_resolve(session))
        return 1;
    TdslFunction *function = tdsl_compile(session, TDSL_GRADIENT, NULL);
    if (function == NULL) {
        fputs(tdsl_messages(session), stderr);
        return 1;
    }
    int arguments, results;
    const TdslSlot *in = tdsl_arguments(function, &arguments),
                   *out = tdsl_results(function, &results);
    void *given[8] = {NULL}, *wanted[8] = {NULL};
    double one = 1;
    for (int i = 0; i < arguments; i++)
        given[i] = strcmp(in[i].name, "x") == 0 ? x : strcmp(in[i].name, "k") == 0 ? &k : &one;
    for (int i = 0; i < results; i++)
        wanted[i] = strcmp(out[i].name, "k") == 0 ? &gradient : &e;
    if (tdsl_call(function, given, wanted, NULL))
        return 1;
    printf("%s %g %g\n", tdsl_version(), e, gradient);
    tdsl_close(session);
    return 0;
}
