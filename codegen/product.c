// The public face of a Program: see product.h.
#include "codegen/product.h"

#include <string.h>

const Group *product_group(const Program *program, GroupKind kind) {
    for (int i = 0; i < program->entries.count; i++) {
        const Group *group = &program->entries.at[i]->groups[kind];
        if (group->used && group->fields.count) {
            return group;
        }
    }
    return NULL;
}

bool product_field_is_const(const Program *program, GroupKind kind, int field) {
    if (kind != GROUP_INPUTS && kind != GROUP_SEEDS && kind != GROUP_KEY) {
        return false;
    }
    for (int i = 0; i < program->entries.count; i++) {
        const Group *group = &program->entries.at[i]->groups[kind];
        if (group->used && field < group->fields.count && group->fields.at[field].buffer &&
            !group->fields.at[field].buffer->read_only) {
            return false;
        }
    }
    return true;
}

bool entry_needs_field(const Entry *entry, GroupKind kind, int field) {
    const Group *group = &entry->groups[kind];
    if (!group->used || field >= group->fields.count || !group->fields.at[field].buffer) {
        return false;
    }
    const Buffer *buffer = group->fields.at[field].buffer;
    return !buffer->optional && !buffer->default_one;
}

size_t product_workspace_bytes(const Program *program) {
    size_t most = 0;
    for (int i = 0; i < program->entries.count; i++) {
        size_t bytes = program->entries.at[i]->workspace_bytes;
        most = bytes > most ? bytes : most;
    }
    return most;
}

const char *entry_symbol(Arena *arena, const Program *program, const Entry *entry) {
    return arena_format(arena, "%s_%s", program->name, entry->name);
}

static bool block_is_parallel(const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if ((s->kind == STATEMENT_LOOP &&
             (s->loop->kind == LOOP_PARALLEL || block_is_parallel(&s->loop->body))) ||
            block_is_parallel(&s->body) || block_is_parallel(&s->otherwise)) {
            return true;
        }
    }
    return false;
}

bool entry_uses_threads(const Entry *entry) {
    return block_is_parallel(&entry->body);
}

bool entry_is_parallel(const Entry *entry) {
    return entry->takes_threads || entry_uses_threads(entry);
}

void share_face(Program *const *variants, int count) {
    const Program *last = variants[count - 1]; // it knows the sites of all before it
    for (int i = 0; i < last->entries.count; i++) {
        size_t bytes = 0;
        bool parallel = false;
        for (int k = 0; k < count; k++) {
            const Entry *entry = variants[k]->entries.at[i];
            bytes = entry->workspace_bytes > bytes ? entry->workspace_bytes : bytes;
            parallel |= entry_is_parallel(entry);
        }
        for (int k = 0; k < count; k++) {
            variants[k]->entries.at[i]->workspace_bytes = bytes;
            variants[k]->entries.at[i]->takes_threads = parallel;
        }
    }
    for (int k = 0; k + 1 < count; k++) {
        for (int i = variants[k]->sites.count; i < last->sites.count; i++) {
            vec_push(variants[k]->arena, &variants[k]->sites, last->sites.at[i]);
        }
    }
}

const char *loaded_symbol(Arena *arena, const Program *program, const Entry *entry) {
    return arena_format(arena, entry_is_parallel(entry) ? "%s_%s_parallel" : "%s_%s", program->name,
                        entry->name);
}

const char *entry_meaning(const Entry *entry) {
    static const struct {
        const char *name, *meaning;
    } known[] = {
        {"forward", "Computes the outputs."},
        {"backward",
         "Computes the outputs, and adds the gradients of those that have seeds to what "
         "is in the buffers of gradients."},
        {"gradient",
         "Computes the outputs, and stores the gradients of those that have seeds in the buffers "
         "of gradients, whatever was there: zero_gradients and backward in one, and faster."},
        {"zero_gradients", "Stores zeros in every buffer of gradients that is not NULL."},
        {"initialize",
         "Stores the initial values of what has one. Random ones depend on *key alone."},
        {"step", "Computes the gradients and the next values of params and states."},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(entry->name, known[i].name) == 0) {
            return known[i].meaning;
        }
    }
    return entry->comment && entry->comment[0] ? entry->comment : entry->name;
}

void print_status(Text *out, const Program *program, int status) {
    int site = status - STATUS_FIRST_SITE;
    if (status == STATUS_DONE) {
        text_add(out, "done");
    } else if (status == STATUS_NULL_POINTER) {
        text_add(out, "a required pointer is NULL, or the workspace is not aligned to 64 bytes");
    } else if (site < 0 || site >= program->sites.count) {
        text_add(out, "unknown status");
    } else {
        const Site *place = &program->sites.at[site];
        int line = 0, column = 0;
        if (program->sources && place->span.file >= 0) {
            source_locate(program->sources, place->span, &line, &column);
            text_format(out, "%s:%d:%d: ", program->sources->files.at[place->span.file].name, line,
                        column);
        }
        text_add(out, place->message);
    }
}
