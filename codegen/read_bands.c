// Where a value is read: the band of two of its indices outside of which no result of the function
// depends on its elements, as those of a gradient above the diagonal of a matrix that was made of a
// lower triangle. Followed from reader to reader, through whatever takes elements from places that
// the program's text shows, until something chooses by a comparison of indices, or reads it all.
#include "codegen/bands.h"

enum { MOST_VISITS = 200 };

// An instruction that reads a value as the given operand, or a region that yields it.
typedef struct Reader {
    const Inst *inst;
    const Region *region;
    int place;
} Reader;

struct ReaderList {
    Reader *at;
    int count, capacity;
};

// A value on the way of the one in question, by its axes p and q: what is at the difference d here
// was at d + offset there, and matters at most within the band there.
typedef struct Visit {
    const Value *value;
    int p, q;
    int64_t offset;
    Band within;
} Visit;

typedef struct Reading {
    Lowering *l;
    VEC(Visit) visits;
    Band band;
} Reading;

static void note_readers(Lowering *l, const Region *region) {
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->operand_count; i++) {
            Reader reader = {inst, NULL, i};
            vec_push(l->scratch, &l->readers[inst->operands[i]->id], reader);
        }
        for (int i = 0; i < inst->region_count; i++) {
            note_readers(l, inst->regions[i]);
        }
    }
    for (int i = 0; i < region->yields.count; i++) {
        Reader reader = {NULL, region, i};
        vec_push(l->scratch, &l->readers[region->yields.at[i]->id], reader);
    }
}

static void add_read(Reading *r, Band within) {
    r->band = joined_band(r->band, within);
}

static void add_visit(Reading *r, const Value *value, int p, int q, int64_t offset, Band within) {
    if (band_is_empty(within)) {
        return;
    }
    for (int i = 0; i < r->visits.count; i++) {
        const Visit *visit = &r->visits.at[i];
        if (visit->value == value && visit->p == p && visit->q == q && visit->offset == offset &&
            visit->within.low <= within.low && visit->within.high >= within.high) {
            return;
        }
    }
    if (r->visits.count == MOST_VISITS) {
        add_read(r, whole_band());
        return;
    }
    vec_push(r->l->scratch, &r->visits, ((Visit){value, p, q, offset, within}));
}

// What a loop carries, and what it was before the first iteration.
static void visit_carried(Reading *r, const Inst *loop, int place, const Visit *v) {
    add_visit(r, loop->results[place], v->p, v->q, v->offset, v->within);
    for (int i = 0; i < loop->region_count; i++) {
        const Value *parameter = loop->regions[i]->parameters.at[1 + place];
        add_visit(r, parameter, v->p, v->q, v->offset, v->within);
    }
}

static void visit_yield(Reading *r, const Region *region, int place, const Visit *v) {
    const Inst *owner = region->owner;
    if (owner == NULL) {
        add_read(r, v->within);
    } else if (owner->op != OP_loop) {
        add_visit(r, owner->results[place], v->p, v->q, v->offset, v->within);
    } else if (region != owner->regions[0]) {
        add_read(r, v->within);
    } else if (place < owner->attr.carried) {
        visit_carried(r, owner, place, v);
    } else {
        add_visit(r, owner->results[place], v->p + 1, v->q + 1, v->offset, v->within);
    }
}

// The axis of a view that runs along axis `axis` of its operand, or -1.
static int axis_of_view(const Inst *inst, int axis, int64_t *offset) {
    for (int i = 0; i < inst->results[0]->type.rank; i++) {
        int from;
        if (axis_of_operand(inst, i, &from, offset) && from == axis) {
            return i;
        }
    }
    return -1;
}

static void visit_view(Reading *r, const Inst *inst, const Visit *v, Band within) {
    int64_t offset_p, offset_q;
    int p = axis_of_view(inst, v->p, &offset_p), q = axis_of_view(inst, v->q, &offset_q);
    if (p < 0 || q < 0 || p == q) {
        add_read(r, within);
    } else {
        add_visit(r, inst->results[0], p, q, v->offset + offset_p - offset_q, within);
    }
}

// The axis of a scatter's result along which the elements of axis `axis` are put, or -1.
static int axis_of_scatter(const Inst *inst, int axis, int64_t *offset) {
    for (int i = 2; i < inst->operand_count; i++) {
        int from;
        if (follows_axis(inst->operands[i], &from, offset) && from == axis) {
            return i - 2;
        }
    }
    return -1;
}

static void visit_scatter(Reading *r, const Inst *inst, int place, const Visit *v) {
    if (place == 0) {
        add_visit(r, inst->results[0], v->p, v->q, v->offset, v->within);
        return;
    }
    int64_t offset_p, offset_q;
    int p = place == 1 ? axis_of_scatter(inst, v->p, &offset_p) : -1;
    int q = p >= 0 ? axis_of_scatter(inst, v->q, &offset_q) : -1;
    if (q < 0 || p == q) {
        add_read(r, v->within);
    } else {
        add_visit(r, inst->results[0], p, q, v->offset - offset_p + offset_q, v->within);
    }
}

static void visit_elementwise(Reading *r, const Inst *inst, int place, const Visit *v) {
    Band within = v->within;
    if (inst->op == OP_select && place > 0) {
        Band chosen = truth_band(inst->operands[0], v->p, v->q, place == 1);
        within = common_band(within, moved_band(chosen, v->offset));
    }
    add_visit(r, inst->results[0], v->p, v->q, v->offset, within);
}

static void visit_operand(Reading *r, const Inst *inst, int place, const Visit *v) {
    if (op_info(inst->op)->elementwise) {
        visit_elementwise(r, inst, place, v);
        return;
    }
    Band within = v->within;
    switch (inst->op) {
    case OP_gather:
        if (place == 0) {
            Band taken = index_band(inst, 1, v->p, v->q);
            visit_view(r, inst, v, common_band(within, moved_band(taken, v->offset)));
            return;
        }
        break;
    case OP_detach:
    case OP_transpose:
    case OP_broadcast:
    case OP_reshape:
    case OP_slice:
    case OP_reduce_sum: visit_view(r, inst, v, within); return;
    case OP_scatter_add:
    case OP_scatter_set: visit_scatter(r, inst, place, v); return;
    case OP_loop:
        if (place < inst->attr.carried) {
            visit_carried(r, inst, place, v);
            return;
        }
        break;
    default: break;
    }
    add_read(r, within);
}

Band read_band(Lowering *l, const Value *value, int p, int q) {
    if (l->readers == NULL) {
        l->readers = arena_array(l->scratch, ReaderList, l->function->value_count);
        note_readers(l, l->function->body);
    }
    Reading r = {.l = l, .band = empty_band()};
    add_visit(&r, value, p, q, 0, whole_band());
    for (int i = 0; i < r.visits.count && !band_is_whole(r.band); i++) {
        Visit visit = r.visits.at[i];
        const ReaderList *readers = &l->readers[visit.value->id];
        for (int j = 0; j < readers->count; j++) {
            const Reader *reader = &readers->at[j];
            if (reader->inst != NULL) {
                visit_operand(&r, reader->inst, reader->place, &visit);
            } else {
                visit_yield(&r, reader->region, reader->place, &visit);
            }
        }
    }
    return r.band;
}
