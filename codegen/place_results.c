// The copies looked at are statements of the entry itself, not of loops or branches, but for the
// test of the result's pointer.
#include "codegen/place_results.h"

// The statement is a copy to a result that nothing else mentions, the last mention of a temporary.
static bool is_last_copy(const Statement *s, const int *mentions, const int *later) {
    const Buffer *from = s->buffer, *to = s->target;
    return s->kind == STATEMENT_COPY && from->kind == BUFFER_WORKSPACE && from->behind == 0 &&
           from->result == NULL && to->kind == BUFFER_FIELD && mentions[to->id] == 1 &&
           later[from->id] == 0 && from->count == to->count && from->element == to->element;
}

// Takes out copies to `wanted`, of the block that runs if that pointer is given, that need not be;
// NULL: the block is the entry's own. What has to be there, as a state that is replaced, is left to
// its copy: a failure before that must not change it. `later`: mentions behind the block, to which
// its own are added.
static void place_in_block(Block *block, const Buffer *wanted, const int *mentions, int *later) {
    int kept = block->statements.count;
    for (int i = block->statements.count - 1; i >= 0; i--) {
        Statement *s = block->statements.at[i];
        bool is_test = s->kind == STATEMENT_PRESENT && s->otherwise.statements.count == 0;
        bool is_gone = false;
        if (wanted != NULL && s->target == wanted && is_last_copy(s, mentions, later)) {
            s->buffer->result = s->target;
            is_gone = true;
        } else if (is_test && wanted == NULL) {
            place_in_block(&s->body, s->buffer, mentions, later);
            is_gone = s->body.statements.count == 0;
        } else {
            count_statement_mentions(s, later);
        }
        if (!is_gone) {
            block->statements.at[--kept] = s;
        }
    }
    block->statements.count -= kept;
    for (int i = 0; i < block->statements.count; i++) {
        block->statements.at[i] = block->statements.at[kept + i];
    }
}

void place_results(Program *program, Entry *entry) {
    Arena scratch = {0};
    int *mentions = arena_array(&scratch, int, program->buffers.count + 1);
    int *later = arena_array(&scratch, int, program->buffers.count + 1);
    count_mentions(&entry->body, mentions);
    place_in_block(&entry->body, NULL, mentions, later);
    arena_free(&scratch);
}
