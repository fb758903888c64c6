// Replaces the calls of functions with a derivative of their own by the functions' bodies. As long
// as these calls are there a differentiation uses the rules; so this comes after the last one.
#include "passes/inline.h"
#include "passes/passes.h"

void pass_drop_rules(PassContext *context, Function *function) {
    expand_function(context, function, true);
}
