// Names of groups.
#include "codegen/loops.h"

const char *group_name(GroupKind kind) {
    static const char *const names[GROUP_COUNT] = {
        [GROUP_INPUTS] = "inputs", [GROUP_PARAMS] = "params",   [GROUP_STATES] = "states",
        [GROUP_SEEDS] = "seeds",   [GROUP_OUTPUTS] = "outputs", [GROUP_GRADIENTS] = "gradients",
        [GROUP_KEY] = "key",
    };
    check(kind >= 0 && kind < GROUP_COUNT, "no group has number %d", kind);
    return names[kind];
}
