// Calls a model that CMake had compiled: C and C++ alike.
#include <stdio.h>

#include "spring.h"

int main(void) {
    double x[4] = {1, 2, 3, 4}, k = 3, e = 0, slope = 0;
    spring_inputs inputs = {x};
    spring_params params = {&k};
    spring_seeds seeds = {NULL};
    spring_outputs outputs = {&e};
    spring_gradients gradients = {&slope};
    if (spring_backward(&inputs, &params, &seeds, &outputs, &gradients, NULL))
        return 1;
    printf("%g %g\n", e, slope);
    return 0;
}
