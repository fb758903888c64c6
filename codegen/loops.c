// Names of groups, and looking at blocks.
#include "codegen/loops.h"

const Statement *next_statement(const Block *block, int *at) {
    while (*at < block->statements.count) {
        const Statement *s = block->statements.at[(*at)++];
        if (s->kind != STATEMENT_SCALAR) {
            return s;
        }
    }
    return NULL;
}

const Statement *only_statement(const Block *block, StatementKind kind) {
    int at = 0;
    const Statement *s = next_statement(block, &at);
    return s != NULL && s->kind == kind && next_statement(block, &at) == NULL ? s : NULL;
}

const char *group_name(GroupKind kind) {
    static const char *const names[GROUP_COUNT] = {
        [GROUP_INPUTS] = "inputs", [GROUP_PARAMS] = "params",   [GROUP_STATES] = "states",
        [GROUP_SEEDS] = "seeds",   [GROUP_OUTPUTS] = "outputs", [GROUP_GRADIENTS] = "gradients",
        [GROUP_KEY] = "key",
    };
    check(kind >= 0 && kind < GROUP_COUNT, "no group has number %d", kind);
    return names[kind];
}
