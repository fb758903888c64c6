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

void count_statement_mentions(const Statement *s, int *mentions) {
    const Buffer *own[] = {s->kind == STATEMENT_PRESENT ? NULL : s->buffer, s->target,
                           s->scalar != NULL ? s->scalar->buffer : NULL};
    for (int i = 0; i < 3; i++) {
        if (own[i] != NULL) {
            mentions[own[i]->id]++;
        }
    }
    for (int i = 0; s->kind == STATEMENT_CALL && i < s->kernel->buffers.count; i++) {
        mentions[s->buffers[i]->id]++;
    }
    if (s->kind == STATEMENT_LOOP) {
        count_mentions(&s->loop->body, mentions);
    }
    count_mentions(&s->body, mentions);
    count_mentions(&s->otherwise, mentions);
}

void count_mentions(const Block *block, int *mentions) {
    for (int i = 0; i < block->statements.count; i++) {
        count_statement_mentions(block->statements.at[i], mentions);
    }
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
