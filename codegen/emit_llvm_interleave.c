// Rows of a few elements, side by side in vectors: the lanes of each element's vector lie a row
// apart in memory. All elements of some rows are neighbours there, so they are read and written as
// whole vectors and change places in registers: an element's vector is put together by one shuffle
// for each further vector that it has lanes in.
#include "codegen/emit_llvm.h"

enum {
    LONGEST_ROW = 8,
    FARTHEST = 200 // statements from the first load of a row to the last
};

// Loads or stores of elements 0 .. count - 1 of a row, and what lies between them in the block.
typedef struct Run {
    const Statement *at[LONGEST_ROW];
    int count;      // also what lies between the rows' first elements
    int statements; // of the block, of stores
    const Buffer *buffer;
    int width, parts; // lanes of a register, and registers in a vector
} Run;

static const Buffer *loaded_from(const Statement *s) {
    return s->kind == STATEMENT_SCALAR && s->scalar->op == SCALAR_LOAD ? s->scalar->buffer : NULL;
}

static const Scalar *index_of(const Statement *s) {
    return s->kind == STATEMENT_STORE ? s->index : s->scalar->args[0];
}

// What is left of a sum without its constants.
static const Scalar *without_constants(const Scalar *sum, int64_t *constant) {
    *constant = 0;
    while (sum->op == SCALAR_ADD && sum->args[1]->op == SCALAR_CONSTANT) {
        *constant += sum->args[1]->integer;
        sum = sum->args[0];
    }
    return sum;
}

// Is `y` the element `number` places behind `x`?
static bool is_behind(const Scalar *x, const Scalar *y, int64_t number) {
    int64_t from, to;
    return without_constants(x, &from) == without_constants(y, &to) && to - from == number;
}

// The length of the rows that the statement's lanes are in, or 0.
static int row_length(const Emitter *emitter, const Statement *s, const Buffer *buffer) {
    Lane lane = lane_of(emitter, index_of(s));
    bool good = lane.kind == LANE_AFFINE && lane.jump == 0 && lane.stride >= 2 &&
                lane.stride <= LONGEST_ROW && buffer->element != TYPE_BOOL;
    return good ? (int)lane.stride : 0;
}

static bool start_run(const Emitter *emitter, const Statement *first, const Buffer *buffer,
                      Run *run) {
    run->buffer = buffer;
    run->at[0] = first;
    run->count = row_length(emitter, first, buffer);
    int lanes = emitter->vector_bytes / (int)element_bytes(buffer->element);
    run->width = lanes < emitter->width ? lanes : emitter->width;
    run->parts = emitter->width / run->width;
    return run->count > 0;
}

// Nothing may be loaded between the stores, and what is computed there has no effect.
static bool find_stores(const Block *block, int first, Run *run) {
    int found = 0;
    for (int i = first; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind == STATEMENT_STORE) {
            if (s->buffer != run->buffer || !is_behind(run->at[0]->index, s->index, found)) {
                return false;
            }
            run->at[found++] = s;
            run->statements = i + 1 - first;
            if (found == run->count) {
                return true;
            }
        } else if (s->kind != STATEMENT_SCALAR || s->scalar->op == SCALAR_LOAD) {
            return false;
        }
    }
    return false;
}

// Loads may come early if nothing is stored before their time; anything may lie between them.
static bool find_loads(const Block *block, int first, Run *run) {
    int found = 0;
    for (int i = first; i < block->statements.count && i < first + FARTHEST; i++) {
        const Statement *s = block->statements.at[i];
        if (s->kind != STATEMENT_SCALAR) {
            return false;
        }
        if (loaded_from(s) == run->buffer && is_behind(index_of(run->at[0]), index_of(s), found)) {
            run->at[found++] = s;
            if (found == run->count) {
                return true;
            }
        }
    }
    return false;
}

// `count` lanes of two vectors: those of `mask`, numbers below 0 being any.
static LLVMValueRef shuffle(Emitter *emitter, LLVMValueRef x, LLVMValueRef y, const int *mask,
                            int count) {
    LLVMValueRef *lanes = arena_array(emitter->arena, LLVMValueRef, count);
    for (int i = 0; i < count; i++) {
        lanes[i] = mask[i] < 0 ? LLVMGetPoison(emitter->i32)
                               : LLVMConstInt(emitter->i32, (unsigned long long)mask[i], 0);
    }
    LLVMValueRef chosen = LLVMConstVector(lanes, (unsigned)count);
    return LLVMBuildShuffleVector(emitter->builder, x, y ? y : LLVMGetPoison(LLVMTypeOf(x)), chosen,
                                  "");
}

// Lanes first .. first + count - 1 of x and then y, or of x alone.
static LLVMValueRef take_lanes(Emitter *emitter, LLVMValueRef x, LLVMValueRef y, int first,
                               int count) {
    int *mask = arena_array(emitter->arena, int, count);
    for (int i = 0; i < count; i++) {
        mask[i] = first + i;
    }
    return shuffle(emitter, x, y, mask, count);
}

// The register whose lane i is lane lane[i] of registers[source[i]].
static LLVMValueRef gather_lanes(Emitter *emitter, const Run *run, LLVMValueRef *registers,
                                 const int *source, const int *lane) {
    int *mask = arena_array(emitter->arena, int, run->width);
    LLVMValueRef value = NULL;
    for (int r = 0; r < run->count; r++) {
        bool any = false;
        for (int i = 0; i < run->width; i++) {
            bool here = source[i] == r, before = source[i] < r;
            any = any || here;
            mask[i] = here ? (value ? run->width : 0) + lane[i] : before ? i : -1;
        }
        if (any) {
            value = value ? shuffle(emitter, value, registers[r], mask, run->width)
                          : shuffle(emitter, registers[r], NULL, mask, run->width);
        }
    }
    return value;
}

// Where register `number` of the rows of a part begins.
static LLVMValueRef register_place(Emitter *emitter, const Run *run, int part, int number) {
    ElementType element = run->buffer->element;
    LLVMValueRef first = pointer_to(emitter, element, llvm_buffer(emitter, run->buffer),
                                    llvm_scalar(emitter, index_of(run->at[0])));
    int64_t before = ((int64_t)part * run->count + number) * run->width;
    return pointer_to(emitter, element, first, constant_i64(emitter, before));
}

// Element k of all rows of a part.
static LLVMValueRef gather_element(Emitter *emitter, const Run *run, LLVMValueRef *registers,
                                   int k) {
    int *source = arena_array(emitter->arena, int, run->width);
    int *lane = arena_array(emitter->arena, int, run->width);
    for (int i = 0; i < run->width; i++) {
        source[i] = (i * run->count + k) / run->width;
        lane[i] = (i * run->count + k) % run->width;
    }
    return gather_lanes(emitter, run, registers, source, lane);
}

// The lanes of x, and behind them those of y, which has no more.
static LLVMValueRef join_lanes(Emitter *emitter, LLVMValueRef x, LLVMValueRef y, int count) {
    int more = (int)LLVMGetVectorSize(LLVMTypeOf(y));
    int *mask = arena_array(emitter->arena, int, count); // both sides of a shuffle are of one type
    for (int i = 0; i < count; i++) {
        mask[i] = i < more ? i : -1;
    }
    return take_lanes(emitter, x, shuffle(emitter, y, NULL, mask, count), 0, count + more);
}

static void load_rows(Emitter *emitter, const Run *run) {
    ElementType element = run->buffer->element;
    LLVMTypeRef type = LLVMVectorType(llvm_storage_type(emitter, element), (unsigned)run->width);
    LLVMValueRef values[LONGEST_ROW] = {NULL};
    for (int part = 0; part < run->parts; part++) {
        LLVMValueRef registers[LONGEST_ROW];
        for (int r = 0; r < run->count; r++) {
            registers[r] =
                LLVMBuildLoad2(emitter->builder, type, register_place(emitter, run, part, r), "");
            LLVMSetAlignment(registers[r], (unsigned)element_bytes(element));
        }
        for (int k = 0; k < run->count; k++) {
            LLVMValueRef own = gather_element(emitter, run, registers, k);
            values[k] = part == 0 ? own : join_lanes(emitter, values[k], own, run->width * part);
        }
    }
    for (int k = 0; k < run->count; k++) {
        emitter->scalars[run->at[k]->scalar->id] = values[k];
    }
}

static void store_rows(Emitter *emitter, const Run *run) {
    int *source = arena_array(emitter->arena, int, run->width);
    int *lane = arena_array(emitter->arena, int, run->width);
    for (int part = 0; part < run->parts; part++) {
        LLVMValueRef elements[LONGEST_ROW];
        for (int k = 0; k < run->count; k++) {
            LLVMValueRef all = lanes_of(emitter, run->at[k]->value);
            elements[k] = run->parts == 1
                              ? all
                              : take_lanes(emitter, all, NULL, part * run->width, run->width);
        }
        for (int r = 0; r < run->count; r++) {
            for (int i = 0; i < run->width; i++) {
                source[i] = (r * run->width + i) % run->count;
                lane[i] = (r * run->width + i) / run->count;
            }
            LLVMValueRef value = gather_lanes(emitter, run, elements, source, lane);
            LLVMValueRef store =
                LLVMBuildStore(emitter->builder, value, register_place(emitter, run, part, r));
            LLVMSetAlignment(store, (unsigned)element_bytes(run->buffer->element));
        }
    }
}

static int emit_stores(Emitter *emitter, const Block *block, int first) {
    Run run;
    const Statement *start = block->statements.at[first];
    if (!start_run(emitter, start, start->buffer, &run) || !find_stores(block, first, &run)) {
        return 0;
    }
    for (int i = first; i < first + run.statements; i++) {
        if (block->statements.at[i]->kind == STATEMENT_SCALAR) {
            emit_lanes_scalar(emitter, block->statements.at[i]->scalar);
        }
    }
    store_rows(emitter, &run);
    return run.statements;
}

static int emit_loads(Emitter *emitter, const Block *block, int first) {
    Run run;
    const Statement *start = block->statements.at[first];
    if (emitter->loaded[start->scalar->id]) {
        emitter->loaded[start->scalar->id] = false;
        return 1;
    }
    if (!start_run(emitter, start, loaded_from(start), &run) || !find_loads(block, first, &run)) {
        return 0;
    }
    load_rows(emitter, &run);
    for (int k = 1; k < run.count; k++) {
        emitter->loaded[run.at[k]->scalar->id] = true;
    }
    return 1;
}

int emit_interleaved(Emitter *emitter, const Block *block, int first) {
    const Statement *start = block->statements.at[first];
    if (emitter->width == 1 || emitter->mask != NULL) {
        return 0;
    }
    return start->kind == STATEMENT_STORE ? emit_stores(emitter, block, first)
           : loaded_from(start) != NULL   ? emit_loads(emitter, block, first)
                                          : 0;
}
