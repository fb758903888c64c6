// Removes scalars that nothing uses from a finished kernel, and loops and branches that nothing is
// left in: what simplification left behind, and values that all their readers compute on their own.
#include "codegen/lower_build.h"

static void use(bool *used, const Scalar *x) {
    if (x != NULL) {
        used[x->id] = true;
    }
}

static bool does_nothing(const Statement *s) {
    bool is_empty = s->body.statements.count == 0 && s->otherwise.statements.count == 0;
    return s->kind == STATEMENT_LOOP
               ? s->loop->body.statements.count == 0
               : is_empty && (s->kind == STATEMENT_IF || s->kind == STATEMENT_PRESENT);
}

// Uses come after what they use, so one walk backwards finds all that are
// needed.
static void clean_block(bool *used, Block *block) {
    int kept = block->statements.count; // those from here on stay
    for (int i = block->statements.count - 1; i >= 0; i--) {
        Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_SCALAR) {
            if (!used[s->scalar->id]) {
                continue;
            }
            for (int j = 0; j < s->scalar->arg_count; j++) {
                use(used, s->scalar->args[j]);
            }
        }
        clean_block(used, &s->otherwise);
        if (s->kind == STATEMENT_WHILE) {
            use(used, s->condition); // the body computes it
        }
        clean_block(used, &s->body);
        if (s->kind == STATEMENT_LOOP) {
            clean_block(used, &s->loop->body);
        }
        if (does_nothing(s)) {
            continue;
        }
        if (s->kind == STATEMENT_LOOP) {
            use(used, s->loop->extent);
        }
        use(used, s->condition);
        use(used, s->index);
        use(used, s->value);
        block->statements.at[--kept] = s;
    }
    block->statements.count -= kept;
    block->statements.at += kept;
    block->statements.capacity -= kept;
}

// Buffers that only removed scalars loaded from are no longer given to the
// kernel.
static void note_buffers(bool *used, const Kernel *kernel, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        const Buffer *touched[2] = {s->buffer,
                                    s->kind == STATEMENT_SCALAR ? s->scalar->buffer : NULL};
        for (int j = 0; j < 2; j++) {
            for (int b = 0; touched[j] != NULL && b < kernel->buffers.count; b++) {
                used[b] = used[b] || kernel->buffers.at[b] == touched[j];
            }
        }
        if (s->kind == STATEMENT_LOOP) {
            note_buffers(used, kernel, &s->loop->body);
        }
        note_buffers(used, kernel, &s->body);
        note_buffers(used, kernel, &s->otherwise);
    }
}

void remove_unused(KernelBuilder *k) {
    Kernel *kernel = k->kernel;
    bool *used = arena_array(&k->scratch, bool, k->facts.count);
    clean_block(used, &kernel->body);
    bool *touched = arena_array(&k->scratch, bool, kernel->buffers.count);
    note_buffers(touched, kernel, &kernel->body);
    int kept = 0;
    for (int i = 0; i < kernel->buffers.count; i++) {
        if (touched[i]) {
            kernel->buffers.at[kept] = kernel->buffers.at[i];
            kernel->written.at[kept++] = kernel->written.at[i];
        }
    }
    kernel->buffers.count = kernel->written.count = kept;
}
