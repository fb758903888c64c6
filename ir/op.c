// The table of operators, expanded from ir/ops.def.
#include "ir/op.h"

#include <string.h>

static const OpInfo infos[OP_COUNT] = {
#define ELEMENTWISE(name, arity, rule, derivative, form, traits, value, meaning)                   \
    [OP_##name] = {#name,                                                                          \
                   arity,                                                                          \
                   true,                                                                           \
                   RULE_##rule,                                                                    \
                   RULE_##rule == RULE_cast ? ATTRIBUTE_element : ATTRIBUTE_none,                  \
                   DERIVATIVE_##derivative,                                                        \
                   FORM_##form,                                                                    \
                   traits,                                                                         \
                   meaning},
#define TENSOR(name, arity, attribute, derivative, traits, meaning)                                \
    [OP_##name] = {                                                                                \
        #name,     arity,  false,  RULE_none, ATTRIBUTE_##attribute, DERIVATIVE_##derivative,      \
        FORM_none, traits, meaning},
#include "ir/ops.def"
};

const OpInfo *op_info(Op op) {
    check(op >= 0 && op < OP_COUNT, "operator %d is not in the table", (int)op);
    return &infos[op];
}

bool op_from_name(const char *name, Op *op) {
    for (int i = 0; i < OP_COUNT; i++) {
        if (strcmp(infos[i].name, name) == 0) {
            *op = (Op)i;
            return true;
        }
    }
    return false;
}
