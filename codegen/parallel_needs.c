// What a part of a kernel needs of the scalars around it. Most are computed again in each part that
// uses them. Those that read locals or memory that the kernel writes cannot be: the part with them
// stores them in temporaries, and later parts load them from there.
#include "codegen/parallel_plan.h"

// ---- the scalars that statements use

// Those used, by id; of pinned scalars that are not inside what they are computed from does not
// count.
typedef struct Needs {
    const Split *split;
    bool *inside, *needed;
} Needs;

static void mark_scalar(Needs *n, const Scalar *x) {
    if (x == NULL || n->needed[x->id]) {
        return;
    }
    n->needed[x->id] = true;
    if (n->split->pinned[x->id] && !n->inside[x->id]) {
        return;
    }
    for (int i = 0; i < x->arg_count; i++) {
        mark_scalar(n, x->args[i]);
    }
}

static void mark_block(Needs *n, const Block *block);

static void mark_statement(Needs *n, const Statement *s) {
    mark_scalar(n, s->scalar);
    mark_scalar(n, s->index);
    mark_scalar(n, s->value);
    mark_scalar(n, s->condition);
    if (s->kind == STATEMENT_LOOP) {
        mark_scalar(n, s->loop->extent);
        mark_block(n, &s->loop->body);
    }
    mark_block(n, &s->body);
    mark_block(n, &s->otherwise);
}

static void mark_block(Needs *n, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        mark_statement(n, block->statements.at[i]);
    }
}

static Needs start_needs(const Split *split) {
    Needs n = {.split = split};
    n.inside = arena_array(split->scratch, bool, split->scalar_room);
    n.needed = arena_array(split->scratch, bool, split->scalar_room);
    return n;
}

// Of the block itself alone: what its loops compute is theirs.
static void mark_inside(Needs *n, const Block *block) {
    for (int i = 0; i < block->statements.count; i++) {
        if (block->statements.at[i]->kind == STATEMENT_SCALAR) {
            n->inside[block->statements.at[i]->scalar->id] = true;
        }
    }
}

// ---- between parts

bool needs_pending(const Split *split, const Statement *statement) {
    Needs n = start_needs(split);
    mark_statement(&n, statement);
    for (int i = 0; i < split->pending.statements.count; i++) {
        const Statement *s = split->pending.statements.at[i];
        if (s->kind == STATEMENT_SCALAR && n.needed[s->scalar->id]) {
            return true;
        }
    }
    return false;
}

static Scalar *load_stored(Cloner *c, const Scalar *x, Buffer *buffer) {
    clone_buffer(c, buffer, false);
    Scalar load = {.op = SCALAR_LOAD,
                   .type = x->type,
                   .args = {new_position(c->arena, c->to, 0)},
                   .arg_count = 1,
                   .buffer = buffer};
    return place_scalar(c->arena, c->to, &c->to->body, &load);
}

bool clone_needed(Split *split, Cloner *c, const Block *statements) {
    Needs n = start_needs(split);
    mark_inside(&n, statements);
    mark_block(&n, statements);
    const Block *body = &split->kernel->body;
    for (int i = 0; i < body->statements.count; i++) {
        const Statement *s = body->statements.at[i];
        if (s->kind != STATEMENT_SCALAR || !n.needed[s->scalar->id]) {
            continue;
        }
        const Scalar *x = s->scalar;
        if (!split->pinned[x->id]) {
            clone_statement(c, s, &c->to->body);
        } else if (!n.inside[x->id]) {
            if (split->stored[x->id] == NULL) {
                return false;
            }
            c->scalars[x->id] = load_stored(c, x, split->stored[x->id]);
        }
    }
    return true;
}

bool store_for_later(Split *split, Cloner *c) {
    Needs n = start_needs(split);
    const Block *body = &split->kernel->body;
    Block rest = {{0}};
    for (int i = split->next; i < body->statements.count; i++) {
        vec_push(split->scratch, &rest.statements, body->statements.at[i]);
    }
    mark_inside(&n, &rest);
    mark_block(&n, &rest);
    bool any = false;
    for (int i = 0; i < split->pending.statements.count; i++) {
        const Statement *s = split->pending.statements.at[i];
        if (s->kind != STATEMENT_SCALAR || !n.needed[s->scalar->id]) {
            continue;
        }
        any = true;
        Buffer *buffer = arena_new(split->arena, Buffer);
        *buffer = (Buffer){.kind = BUFFER_WORKSPACE,
                           .element = s->scalar->type,
                           .type = {.element = s->scalar->type},
                           .count = 1,
                           .name = "stored"};
        vec_push(split->scratch, &split->partials, buffer);
        split->stored[s->scalar->id] = buffer;
        clone_buffer(c, buffer, true);
        Statement store = {.kind = STATEMENT_STORE,
                           .buffer = buffer,
                           .index = new_position(split->arena, c->to, 0),
                           .value = clone_use(c, s->scalar)};
        place_statement(split->arena, &c->to->body, &store);
    }
    return any;
}
