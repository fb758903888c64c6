// See memory_report.h. Statements are numbered as memory planning numbers them.
#include "codegen/memory_report.h"

#include <stdlib.h>
#include <string.h>

typedef struct Walk {
    Arena *arena;
    MemoryReport *report;
    MemoryItem **of; // by buffer id
    int number;
} Walk;

static const size_t unit = 64;

static MemoryItem *item_of(const Walk *walk, const Buffer *buffer) {
    return buffer != NULL && buffer->kind == BUFFER_WORKSPACE ? walk->of[buffer->id] : NULL;
}

static bool is_known(Span span) {
    return span.file >= 0 && span.end > span.start;
}

static bool is_of_reverse(const Buffer *buffer) {
    return buffer->kind == BUFFER_WORKSPACE
               ? buffer->reverse
               : buffer->kind == BUFFER_FIELD &&
                     (buffer->group == GROUP_SEEDS || buffer->group == GROUP_GRADIENTS);
}

static bool is_reverse_call(const Statement *call) {
    for (int i = 0; i < call->kernel->buffers.count; i++) {
        if (is_of_reverse(call->buffers[i])) {
            return true;
        }
    }
    return false;
}

static void note_use(const Walk *walk, const Buffer *buffer, const Kernel *kernel, bool reverse) {
    MemoryItem *item = item_of(walk, buffer);
    if (item == NULL) {
        return;
    }
    if (!is_known(item->made)) {
        item->made = kernel->span;
    }
    if (reverse && !is_known(item->needed)) {
        item->needed = kernel->span;
    }
}

static void visit_block(Walk *walk, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        walk->number++;
        if (s->kind == STATEMENT_CALL) {
            bool reverse = is_reverse_call(s);
            if (reverse && walk->report->turn == 0) {
                walk->report->turn = walk->number;
            }
            for (int k = 0; k < s->kernel->buffers.count; k++) {
                note_use(walk, s->buffers[k], s->kernel, reverse);
            }
        }
        if (s->kind == STATEMENT_LOOP) {
            visit_block(walk, &s->loop->body);
        }
        visit_block(walk, &s->body);
        visit_block(walk, &s->otherwise);
        if (s->kind == STATEMENT_LOOP || s->kind == STATEMENT_WHILE) {
            walk->number++;
        }
    }
}

// The first kernel of the reverse may hold the end of the primal too.
static MemoryReason find_reason(const MemoryReport *report, const MemoryItem *item) {
    const Buffer *buffer = item->buffer;
    if (buffer->reverse) {
        return MEMORY_GRADIENT;
    }
    if (buffer->first > report->turn) {
        return MEMORY_AGAIN;
    }
    return buffer->last > report->turn ? MEMORY_SAVED : MEMORY_TEMPORARY;
}

static int compare_items(const void *x, const void *y) {
    const MemoryItem *a = x, *b = y;
    if (a->buffer->offset != b->buffer->offset) {
        return a->buffer->offset < b->buffer->offset ? -1 : 1;
    }
    return a->buffer->first != b->buffer->first ? a->buffer->first - b->buffer->first
                                                : a->buffer->id - b->buffer->id;
}

static void measure_live(MemoryReport *report) {
    for (int i = 0; i < report->items.count; i++) {
        int at = report->items.at[i].buffer->first;
        size_t live = 0;
        for (int k = 0; k < report->items.count; k++) {
            const Buffer *other = report->items.at[k].buffer;
            live += other->first <= at && at <= other->last ? report->items.at[k].bytes : 0;
        }
        if (live > report->live) {
            report->live = live;
            report->live_at = at;
        }
    }
}

MemoryReport report_memory(Arena *arena, const Program *program, const Entry *entry) {
    MemoryReport report = {.total = entry->workspace_bytes};
    Walk walk = {.arena = arena, .report = &report};
    walk.of = arena_array(arena, MemoryItem *, program->buffers.count + 1);
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.at[i];
        if (buffer->kind == BUFFER_WORKSPACE && buffer->entry == entry && buffer->first >= 0) {
            size_t bytes = (size_t)buffer_room(buffer) * element_bytes(buffer->element);
            bytes = bytes == 0 ? unit : (bytes + unit - 1) / unit * unit;
            vec_push(
                arena, &report.items,
                ((MemoryItem){
                    .buffer = buffer, .bytes = bytes, .made = buffer->span, .needed = no_span}));
        }
    }
    for (int i = 0; i < report.items.count; i++) {
        walk.of[report.items.at[i].buffer->id] = &report.items.at[i];
    }
    visit_block(&walk, &entry->body);
    report.statements = walk.number;
    report.turn = report.turn ? report.turn : walk.number + 1;
    for (int i = 0; i < report.items.count; i++) {
        MemoryItem *item = &report.items.at[i];
        item->reason = find_reason(&report, item);
    }
    if (report.items.count > 1) {
        qsort(report.items.at, (size_t)report.items.count, sizeof *report.items.at, compare_items);
    }
    measure_live(&report);
    return report;
}

int memory_line(const Program *program, Span span) {
    int line = 0, column;
    if (is_known(span)) {
        source_locate(program->sources, span, &line, &column);
    }
    return line;
}

const char *memory_reason(Arena *arena, const Program *program, const MemoryItem *item) {
    static const char *const uses[] = {"", "stack of the loop at line ",
                                       "carried by the loop at line "};
    const Buffer *buffer = item->buffer;
    int loop = memory_line(program, buffer->span), needed = memory_line(program, item->needed);
    Text text = text_new(arena);
    if (buffer->use != USE_VALUE && loop > 0) {
        text_format(&text, "%s%d, ", uses[buffer->use], loop);
    }
    switch (item->reason) {
    case MEMORY_TEMPORARY: text_add(&text, "temporary"); break;
    case MEMORY_SAVED: text_add(&text, "saved for the reverse"); break;
    case MEMORY_AGAIN: text_add(&text, "computed again for the reverse"); break;
    case MEMORY_GRADIENT: text_add(&text, "gradient"); break;
    }
    if (needed > 0 && (item->reason == MEMORY_SAVED || item->reason == MEMORY_AGAIN)) {
        text_format(&text, " of line %d", needed);
    }
    return text_string(&text);
}

static const char *shown_name(const Buffer *buffer) {
    return buffer->name != NULL ? buffer->name : "-";
}

// Parts that several threads make are more than the value has.
static const char *shown_type(Arena *arena, const Buffer *buffer) {
    if (type_elements(buffer->type) == buffer->count) {
        return type_string(arena, buffer->type);
    }
    return arena_format(arena, "%s[%lld]", element_name(buffer->element), (long long)buffer->count);
}

void print_memory(Text *out, const Program *program, const Entry *entry) {
    Arena scratch = {0};
    MemoryReport report = report_memory(&scratch, program, entry);
    text_format(out, "%s: workspace of %zu bytes; live at least %zu (statement %d of %d)\n",
                entry->name, report.total, report.live, report.live_at, report.statements);
    if (report.items.count > 0) {
        text_format(out, "%12s %12s  %-11s %5s  %-20s %-18s %s\n", "offset", "bytes", "in use",
                    "line", "name", "type", "why");
    }
    for (int i = 0; i < report.items.count; i++) {
        const MemoryItem *item = &report.items.at[i];
        const Buffer *buffer = item->buffer;
        text_format(out, "%12zu %12zu  %-11s %5d  %-20s %-18s %s\n", buffer->offset, item->bytes,
                    arena_format(&scratch, "%d-%d", buffer->first, buffer->last),
                    memory_line(program, item->made), shown_name(buffer),
                    shown_type(&scratch, buffer), memory_reason(&scratch, program, item));
    }
    arena_free(&scratch);
}

void print_memory_json(Text *out, const Program *program, const Entry *entry) {
    Arena scratch = {0};
    MemoryReport report = report_memory(&scratch, program, entry);
    text_format(out,
                "{\"entry\": \"%s\", \"workspace\": %zu, \"live\": %zu, \"live_at\": %d, "
                "\"statements\": %d, \"buffers\": [",
                entry->name, report.total, report.live, report.live_at, report.statements);
    for (int i = 0; i < report.items.count; i++) {
        const MemoryItem *item = &report.items.at[i];
        const Buffer *buffer = item->buffer;
        text_format(out,
                    "%s{\"name\": \"%s\", \"type\": \"%s\", \"offset\": %zu, \"bytes\": %zu, "
                    "\"first\": %d, \"last\": %d, \"line\": %d, \"why\": \"%s\"}",
                    i ? ", " : "", shown_name(buffer), shown_type(&scratch, buffer), buffer->offset,
                    item->bytes, buffer->first, buffer->last, memory_line(program, item->made),
                    memory_reason(&scratch, program, item));
    }
    text_add(out, "]}");
    arena_free(&scratch);
}
