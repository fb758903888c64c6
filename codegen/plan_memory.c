// Memory planning. A buffer is in use from the first to the last statement of
// its entry that mentions it; one that is used in a loop and outside of it is
// in use for the whole loop. Larger buffers are placed first, each at the
// lowest offset where nothing in use at the same time lies.
#include "codegen/plan_memory.h"

#include <stdlib.h>

enum { ALIGNMENT = 64 };

typedef struct Lifetime {
    Buffer *buffer;
    int first, last; // numbers of statements; first < 0: unused
    size_t bytes;
} Lifetime;

typedef struct LoopSpan {
    int first, last;
} LoopSpan;

typedef struct Liveness {
    Arena scratch;
    Lifetime *buffers; // by id - first_id
    int first_id, count;
    int number;          // of the statement looked at
    VEC(LoopSpan) loops; // inner ones before those around them
} Liveness;

static void note_use(Liveness *live, const Buffer *buffer) {
    if (buffer == NULL || buffer->kind != BUFFER_WORKSPACE) {
        return;
    }
    check(buffer->id >= live->first_id, "a temporary of another entry is used");
    Lifetime *lifetime = &live->buffers[buffer->id - live->first_id];
    if (lifetime->first < 0) {
        lifetime->first = live->number;
    }
    lifetime->last = live->number;
}

static void visit_block(Liveness *live, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        int first = ++live->number;
        note_use(live, s->buffer);
        note_use(live, s->target);
        note_use(live, s->scalar == NULL ? NULL : s->scalar->buffer);
        for (int j = 0; s->kind == STATEMENT_CALL && j < s->kernel->buffers.count; j++) {
            note_use(live, s->buffers[j]);
        }
        if (s->kind == STATEMENT_LOOP) {
            visit_block(live, &s->loop->body);
        }
        visit_block(live, &s->body);
        visit_block(live, &s->otherwise);
        if (s->kind == STATEMENT_LOOP || s->kind == STATEMENT_WHILE) {
            vec_push(&live->scratch, &live->loops, ((LoopSpan){first, ++live->number}));
        }
    }
}

static void extend_over_loops(Liveness *live) {
    for (int i = 0; i < live->loops.count; i++) {
        LoopSpan span = live->loops.at[i];
        for (int j = 0; j < live->count; j++) {
            Lifetime *b = &live->buffers[j];
            bool meets = b->first >= 0 && b->first <= span.last && b->last >= span.first;
            if (meets && (b->first < span.first || b->last > span.last)) {
                b->first = b->first < span.first ? b->first : span.first;
                b->last = b->last > span.last ? b->last : span.last;
            }
        }
    }
}

static int compare_sizes(const void *x, const void *y) {
    const Lifetime *a = *(Lifetime *const *)x, *b = *(Lifetime *const *)y;
    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes ? 1 : -1;
    }
    return a->buffer->id - b->buffer->id;
}

static int compare_offsets(const void *x, const void *y) {
    const Lifetime *a = *(Lifetime *const *)x, *b = *(Lifetime *const *)y;
    if (a->buffer->offset != b->buffer->offset) {
        return a->buffer->offset < b->buffer->offset ? -1 : 1;
    }
    return a->buffer->id - b->buffer->id;
}

// The lowest offset where `wanted` fits beside the buffers in use at the same
// time.
static size_t find_offset(Lifetime **placed, int placed_count, const Lifetime *wanted, bool share,
                          Lifetime **rivals) {
    int rival_count = 0;
    for (int i = 0; i < placed_count; i++) {
        bool meet = placed[i]->first <= wanted->last && wanted->first <= placed[i]->last;
        if (!share || meet) {
            rivals[rival_count++] = placed[i];
        }
    }
    qsort(rivals, (size_t)rival_count, sizeof *rivals, compare_offsets);
    size_t offset = 0;
    for (int i = 0; i < rival_count; i++) {
        if (rivals[i]->buffer->offset >= offset + wanted->bytes) {
            break;
        }
        size_t end = rivals[i]->buffer->offset + rivals[i]->bytes;
        offset = end > offset ? end : offset;
    }
    return offset;
}

void plan_memory(Program *program, Entry *entry, int first, bool share) {
    Liveness live = {.first_id = first, .count = program->buffers.count - first};
    live.buffers = arena_array(&live.scratch, Lifetime, live.count + 1);
    for (int i = 0; i < live.count; i++) {
        Buffer *buffer = program->buffers.at[first + i];
        size_t bytes = (size_t)buffer_room(buffer) * element_bytes(buffer->element);
        size_t units = bytes == 0 ? 1 : (bytes + ALIGNMENT - 1) / ALIGNMENT;
        live.buffers[i] = (Lifetime){.buffer = buffer, .first = -1, .bytes = units * ALIGNMENT};
    }
    visit_block(&live, &entry->body);
    extend_over_loops(&live);
    for (int i = 0; i < live.count; i++) {
        live.buffers[i].buffer->first = live.buffers[i].first;
        live.buffers[i].buffer->last = live.buffers[i].last;
        live.buffers[i].buffer->entry = entry;
    }
    Lifetime **order = arena_array(&live.scratch, Lifetime *, live.count + 1);
    Lifetime **rivals = arena_array(&live.scratch, Lifetime *, live.count + 1);
    int used = 0;
    for (int i = 0; i < live.count; i++) {
        if (live.buffers[i].first >= 0) {
            order[used++] = &live.buffers[i];
        }
    }
    qsort(order, (size_t)used, sizeof *order, compare_sizes);
    for (int i = 0; i < used; i++) {
        size_t offset = find_offset(order, i, order[i], share, rivals);
        order[i]->buffer->offset = offset;
        size_t end = offset + order[i]->bytes;
        entry->workspace_bytes = end > entry->workspace_bytes ? end : entry->workspace_bytes;
    }
    arena_free(&live.scratch);
}
