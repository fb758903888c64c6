// Kernels of point-by-point nodes: loops over the shape, the members at each
// point, their stores.
#include "codegen/lower_points.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ir/base/source.h"

enum {
    SHORTEST_COPIED_ROW = 16,
    SHORTEST_CUT = 16,
    SHORTEST_CUT_IN_C = 8 // without masks, a test at each element is worse than a short rest
};

static const char *base_name(const Node *node, const Value *value, const Lowering *l) {
    if (value != NULL && value->name != NULL && node == NULL) {
        return value->name;
    }
    for (int i = node == NULL ? -1 : node->members.count - 1; i >= 0; i--) {
        const Value *member = node->members.at[i];
        const ValueState *state = state_of(l, member);
        for (int j = 0; j < state->destinations.count; j++) {
            if (state->destinations.at[j].buffer->name != NULL) {
                return state->destinations.at[j].buffer->name;
            }
        }
        if (member->name != NULL) {
            return member->name;
        }
    }
    if (node != NULL && node->members.count > 0) {
        return op_info(node->members.at[node->members.count - 1]->definition->op)->name;
    }
    return value != NULL && value->definition != NULL ? op_info(value->definition->op)->name
                                                      : "copy";
}

static bool name_is_taken(const Program *program, const char *name) {
    for (int i = 0; i < program->kernels.count; i++) {
        if (strcmp(program->kernels.at[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

// Words of C and C++ that no function may be named.
static const char *const reserved[] = {
    "and",       "and_eq",    "asm",       "auto",      "bitand",   "bitor",    "bool",
    "break",     "case",      "catch",     "char",      "class",    "compl",    "concept",
    "const",     "consteval", "constexpr", "constinit", "continue", "co_await", "co_return",
    "co_yield",  "decltype",  "default",   "delete",    "do",       "double",   "else",
    "enum",      "explicit",  "export",    "extern",    "false",    "float",    "for",
    "friend",    "goto",      "if",        "inline",    "int",      "long",     "mutable",
    "namespace", "new",       "noexcept",  "not",       "not_eq",   "nullptr",  "operator",
    "or",        "or_eq",     "private",   "protected", "public",   "register", "requires",
    "restrict",  "return",    "short",     "signed",    "sizeof",   "static",   "struct",
    "switch",    "template",  "this",      "throw",     "true",     "try",      "typedef",
    "typename",  "union",     "unsigned",  "using",     "virtual",  "void",     "volatile",
    "wchar_t",   "while",     "xor",       "xor_eq",    "main",
};

// The largest N of a kernel named NAME_N, at least 1.
static int last_number(const Program *program, const char *name) {
    size_t length = strlen(name);
    int last = 1;
    for (int i = 0; i < program->kernels.count; i++) {
        const char *other = program->kernels.at[i]->name;
        if (strncmp(other, name, length) != 0 || other[length] != '_') {
            continue;
        }
        const char *digits = other + length + 1;
        size_t count = strspn(digits, "0123456789");
        if (count > 0 && count < 9 && digits[count] == 0 && digits[0] != '0') {
            int number = atoi(digits);
            last = number > last ? number : last;
        }
    }
    return last;
}

static const char *kernel_name(Program *program, const char *base, const char *suffix) {
    Text text = text_new(program->arena);
    if (!isalpha((unsigned char)base[0])) {
        text_add(&text, "k_");
    }
    for (const char *c = base; *c != 0; c++) {
        text_add_char(&text, isalnum((unsigned char)*c) ? *c : '_');
    }
    text_add(&text, suffix);
    const char *name = text_string(&text);
    bool taken = name_is_taken(program, name);
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        taken = taken || strcmp(reserved[i], name) == 0;
    }
    if (!taken) {
        return name;
    }
    return arena_format(program->arena, "%s_%d", name, last_number(program, name) + 1);
}

static const char *kernel_comment(const Lowering *l, Span span, const char *what, Type type) {
    Text text = text_new(l->arena);
    const Sources *sources = l->program->sources;
    if (sources != NULL && span.file >= 0 && span.file < sources->files.count) {
        int line, column, length;
        source_locate(sources, span, &line, &column);
        const char *bytes = source_line(sources, span.file, line, &length);
        while (length > 0 && isspace((unsigned char)*bytes)) {
            bytes++;
            length--;
        }
        text_format(&text, "line %d: ", line);
        for (int i = 0; i < length && i < 100; i++) {
            text_add_char(&text, isprint((unsigned char)bytes[i]) ? bytes[i] : '?');
        }
        text_add(&text, ", ");
    } else {
        text_format(&text, "%s, ", what);
    }
    type_print(&text, type);
    return text_string(&text);
}

static void start_kernel(KernelLowering *k, Lowering *l, const Node *node, Arena *arena) {
    *k = (KernelLowering){.lowering = l, .node = node};
    kernel_begin(&k->build, arena, arena_new(arena, Kernel));
}

void begin_kernel(KernelLowering *k, Lowering *l, const Node *node, const Value *named_for,
                  const char *suffix) {
    start_kernel(k, l, node, l->arena);
    const char *base = base_name(node, named_for, l);
    const Value *shown = node != NULL && node->members.count > 0
                             ? node->members.at[node->members.count - 1]
                             : named_for;
    Kernel *kernel = k->build.kernel;
    kernel->name = kernel_name(l->program, base, suffix);
    kernel->span = shown->definition != NULL ? shown->definition->span : no_span;
    kernel->comment = kernel_comment(l, kernel->span, base, shown->type);
}

void begin_probe(KernelLowering *k, Lowering *l, const Node *node) {
    start_kernel(k, l, node, l->scratch);
    k->probe = true;
}

void add_index_failures(KernelLowering *k) {
    for (int i = 0; i < k->bad.count; i++) {
        Scalar *flag = scalar_local(&k->build, k->bad.at[i].flag, scalar_position(&k->build, 0));
        add_fail(&k->build, flag, k->bad.at[i].site);
    }
    k->bad.count = 0;
}

void end_kernel(KernelLowering *k) {
    Lowering *l = k->lowering;
    Kernel *kernel = k->build.kernel;
    add_index_failures(k);
    kernel->argument_count = k->arguments.count;
    Scalar **arguments = arena_array(l->arena, Scalar *, k->arguments.count);
    for (int i = 0; i < k->arguments.count; i++) {
        arguments[i] = state_of(l, k->arguments.at[i])->entry_scalar;
        check(arguments[i] != NULL, "a loop's index is used outside of it");
    }
    remove_unused(&k->build);
    if (l->options->level > 0) {
        cut_ranges(&k->build, l->options->unmasked ? SHORTEST_CUT_IN_C : SHORTEST_CUT);
    }
    kernel_end(&k->build);
    if (kernel->body.statements.count == 0) {
        return;
    }
    vec_push(l->arena, &l->program->kernels, kernel);
    add_entry_statement(l, (Statement){.kind = STATEMENT_CALL,
                                       .kernel = kernel,
                                       .buffers = kernel->buffers.at,
                                       .arguments = arguments});
}

LoopNest make_nest(const int64_t *sizes, int count, const bool *joins) {
    LoopNest nest = {.axis_count = count};
    check(count < MOST_LOOPS, "a loop nest over %d axes", count);
    for (int axis = 0; axis < count; axis++) {
        nest.sizes[axis] = sizes[axis];
        if (axis > 0 && joins[axis - 1]) {
            LoopAxis *last = &nest.loops[nest.loop_count - 1];
            last->count++;
            last->extent *= sizes[axis];
        } else {
            nest.loops[nest.loop_count++] =
                (LoopAxis){.first = axis, .count = 1, .extent = sizes[axis]};
        }
    }
    return nest;
}

void fill_index(KernelLowering *k, const LoopNest *nest, int loop, Scalar *position,
                Scalar **index) {
    const LoopAxis *axes = &nest->loops[loop];
    KernelBuilder *b = &k->build;
    for (int axis = axes->first + axes->count - 1; axis > axes->first; axis--) {
        Scalar *size = scalar_position(b, nest->sizes[axis]);
        index[axis] = scalar_binary(b, SCALAR_REMAINDER, position, size);
        position = scalar_binary(b, SCALAR_DIV, position, size);
    }
    index[axes->first] = position;
}

const char *loop_name(const KernelLowering *k) {
    static const char *const names[] = {"i", "j", "k", "l", "m", "n"};
    int depth = 0;
    for (int i = 0; i < k->build.scopes.count; i++) {
        depth += k->build.scopes.at[i].statement != NULL;
    }
    return depth < 6 ? names[depth] : arena_format(k->build.arena, "i%d", depth);
}

void open_nest(KernelLowering *k, const LoopNest *nest, int first, int last, LoopKind innermost,
               Scalar **index) {
    for (int loop = first; loop < last; loop++) {
        LoopKind kind = loop == last - 1 ? innermost : LOOP_SERIAL;
        Scalar *position = begin_loop(&k->build, kind, nest->loops[loop].extent, loop_name(k));
        fill_index(k, nest, loop, position, index);
    }
}

void close_loops(KernelLowering *k, int count) {
    for (int i = 0; i < count; i++) {
        end_scope(&k->build);
    }
}

static void store_or_probe(KernelLowering *k, const Value *member, Scalar *const *index,
                           Scalar *scalar) {
    const ValueState *state = state_of(k->lowering, member);
    if (!k->probe) {
        store_member(k, member, index, scalar);
    } else if (state->stored || state->kept_row || state->destinations.count > 0) {
        Buffer *stand_in = arena_new(k->build.arena, Buffer);
        *stand_in = (Buffer){.element = member->type.element};
        add_store(&k->build, stand_in, flat_position(k, member->type, index), scalar);
    }
}

Scalar **compute_rows(KernelLowering *k, const RowStep *step, Scalar *const *index) {
    Scalar **results = arena_array(&k->build.scratch, Scalar *, step->rows.count);
    for (int i = 0; i < step->rows.count; i++) {
        results[i] = member_element(k, step->rows.at[i], index);
    }
    gather_sums(k, step, index);
    return results;
}

void store_rows(KernelLowering *k, const RowStep *step, Scalar *const *index,
                Scalar *const *results) {
    for (int i = 0; i < step->rows.count; i++) {
        const Value *row = step->rows.at[i];
        Buffer *purpose = step->folds.count > 0 ? only_purpose(k->lowering, row) : NULL;
        bool tests = purpose != NULL && purpose != k->node->guard && !k->probe;
        if (tests) {
            begin_present(&k->build, purpose);
        }
        store_or_probe(k, row, index, results[i]);
        if (tests) {
            end_scope(&k->build);
        }
    }
}

// Rows are stored as they are computed.
static void emit_row_elements(KernelLowering *k, const RowStep *step, Scalar *const *index) {
    store_rows(k, step, index, compute_rows(k, step, index));
}

// Which neighbouring axes inside of the node's point can be one loop.
static void probe_row_joins(Lowering *l, const Node *node, const RowStep *step, Access *access) {
    KernelLowering k;
    begin_probe(&k, l, node);
    Type shape = step_shape(node, step);
    int64_t *sizes = type_sizes(l->scratch, shape);
    bool none[MOST_LOOPS] = {false};
    LoopNest nest = make_nest(sizes, shape.rank, none);
    Scalar **index = new_index(&k, shape.rank);
    open_nest(&k, &nest, 0, nest.loop_count, LOOP_SERIAL, index);
    emit_row_elements(&k, step, index);
    close_loops(&k, nest.loop_count);
    int outside = node->shape.rank;
    find_accesses(&k, index + outside, sizes + outside, shape.rank - outside, access);
    kernel_end(&k.build);
}

static void emit_rows(KernelLowering *k, const Node *node, const RowStep *step,
                      Scalar *const *point) {
    Type shape = step_shape(node, step);
    int outside = node->shape.rank;
    Access access;
    probe_row_joins(k->lowering, node, step, &access);
    int64_t *sizes = type_sizes(k->lowering->scratch, shape);
    LoopNest nest = make_nest(sizes + outside, shape.rank - outside, access.joins);
    Scalar **index = new_index(k, shape.rank);
    for (int axis = 0; axis < outside; axis++) {
        index[axis] = point[axis];
    }
    bool tests = step->purpose != NULL && step->purpose != node->guard && !k->probe;
    if (tests) {
        begin_present(&k->build, step->purpose);
    }
    open_nest(k, &nest, 0, nest.loop_count, LOOP_VECTOR, index + outside);
    emit_row_elements(k, step, index);
    close_loops(k, nest.loop_count);
    if (tests) {
        end_scope(&k->build);
    }
}

// What they store there is stored after all are computed, so that a member may replace what another
// one reads.
void emit_members(KernelLowering *k, const Node *node, Scalar *const *index) {
    RowSteps steps = schedule_rows(k->lowering, node);
    Scalar **results = arena_array(&k->build.scratch, Scalar *, steps.count);
    for (int i = 0; i < steps.count; i++) {
        const Value *member = steps.at[i].point;
        if (steps.at[i].control != NULL) {
            emit_small_control(k, steps.at[i].control);
        } else if (steps.at[i].folds.count > 0) {
            fold_rows(k, &steps.at[i], index);
        } else if (member == NULL) {
            emit_rows(k, node, &steps.at[i], index);
        } else if (is_reduction(member->definition->op) && !is_accumulated(k, member)) {
            results[i] = reduce_at_point(k, member, index);
            remember_element(k, member, index, results[i]);
        } else {
            results[i] = element(k, member, index);
        }
    }
    for (int i = 0; i < steps.count; i++) {
        if (steps.at[i].control != NULL && !k->probe) {
            store_small_results(k, steps.at[i].control);
        }
        if (steps.at[i].point != NULL) {
            store_or_probe(k, steps.at[i].point, index, results[i]);
        }
        for (int j = 0; j < steps.at[i].folds.count; j++) {
            const Value *fold = steps.at[i].folds.at[j];
            store_or_probe(k, fold, index, element(k, fold, index));
        }
    }
}

// Which neighbouring axes of the node's shape can be one loop.
static void probe_joins(Lowering *l, const Node *node, Access *access) {
    KernelLowering k;
    begin_probe(&k, l, node);
    int64_t *sizes = type_sizes(l->scratch, node->shape);
    bool none[MOST_LOOPS] = {false};
    LoopNest nest = make_nest(sizes, node->shape.rank, none);
    Scalar **index = new_index(&k, node->shape.rank);
    open_nest(&k, &nest, 0, nest.loop_count, LOOP_SERIAL, index);
    emit_members(&k, node, index);
    close_loops(&k, nest.loop_count);
    find_accesses(&k, index, sizes, node->shape.rank, access);
    kernel_end(&k.build);
}

void lower_points(Lowering *l, Node *node) {
    if (type_elements(node->shape) == 0) {
        return;
    }
    KernelLowering k;
    if (node->has_reduction && node->by_columns) {
        begin_kernel(&k, l, node, NULL, "");
        lower_columns(&k, node);
        end_kernel(&k);
        return;
    }
    Access access = {0};
    if (node->shape.rank > 1) {
        probe_joins(l, node, &access);
    }
    int64_t *sizes = type_sizes(l->scratch, node->shape);
    LoopNest nest = make_nest(sizes, node->shape.rank, access.joins);
    int lanes = short_row_lanes(l, node, &nest);
    begin_kernel(&k, l, node, NULL, "");
    if (lanes > 0) {
        lower_short_rows(&k, node, &nest, lanes);
        end_kernel(&k);
        return;
    }
    Scalar **index = new_index(&k, node->shape.rank);
    LoopKind innermost = node->has_long_reduction ? LOOP_SERIAL : LOOP_VECTOR;
    open_points(&k, &nest, innermost, index);
    emit_members(&k, node, index);
    close_points(&k, &nest);
    store_sums(&k);
    end_kernel(&k);
}

// The loops over a value's elements: one, unless rows are long and read other values again.
static LoopNest make_copy_nest(Lowering *l, const Value *value) {
    int rank = value->type.rank;
    int64_t *sizes = type_sizes(l->scratch, value->type);
    bool none[MOST_LOOPS] = {false}, all[MOST_LOOPS];
    for (int i = 0; i < MOST_LOOPS; i++) {
        all[i] = true;
    }
    if (rank < 2) {
        return make_nest(sizes, rank, all);
    }
    KernelLowering k;
    begin_probe(&k, l, NULL);
    LoopNest nest = make_nest(sizes, rank, none);
    Scalar **index = new_index(&k, rank);
    open_nest(&k, &nest, 0, nest.loop_count, LOOP_SERIAL, index);
    Buffer *stand_in = arena_new(k.build.arena, Buffer);
    *stand_in = (Buffer){.element = value->type.element};
    Scalar *scalar = element(&k, value, index);
    add_store(&k.build, stand_in, flat_position(&k, value->type, index), scalar);
    close_loops(&k, nest.loop_count);
    Access access;
    find_accesses(&k, index, sizes, rank, &access);
    kernel_end(&k.build);
    nest = make_nest(sizes, rank, access.joins);
    bool is_long =
        nest.loop_count > 0 && nest.loops[nest.loop_count - 1].extent >= SHORTEST_COPIED_ROW;
    return is_long ? nest : make_nest(sizes, rank, all);
}

void lower_copy(Lowering *l, const Value *value, Destination to) {
    int64_t count = type_elements(value->type);
    if (count == 0) {
        return;
    }
    const ValueState *state = state_of(l, value);
    Block *before = l->block;
    if (to.buffer->optional) {
        before = begin_entry_present(l, to.buffer);
    }
    if (state->buffer != NULL && state->row == NULL && to.row == NULL && !to.accumulate) {
        add_entry_statement(
            l, (Statement){.kind = STATEMENT_COPY, .buffer = state->buffer, .target = to.buffer});
        l->block = before;
        return;
    }
    LoopNest nest = make_copy_nest(l, value);
    KernelLowering k;
    begin_kernel(&k, l, NULL, value, "_copy");
    Scalar **index = new_index(&k, value->type.rank);
    open_nest(&k, &nest, 0, nest.loop_count, LOOP_VECTOR, index);
    Scalar *scalar = element(&k, value, index);
    Scalar *at = flat_position(&k, value->type, index);
    Scalar *position = row_position(&k, to.row, to.row_elements, at);
    if (to.accumulate) {
        Scalar *sum = scalar_load_now(&k.build, to.buffer, position);
        scalar = scalar_binary(&k.build, SCALAR_ADD, sum, scalar);
    }
    add_store(&k.build, to.buffer, position, scalar);
    close_loops(&k, nest.loop_count);
    end_kernel(&k);
    l->block = before;
}

void lower_destinations(Lowering *l, const Value *value) {
    const ValueState *state = state_of(l, value);
    for (int i = 0; i < state->destinations.count; i++) {
        const Destination *to = &state->destinations.at[i];
        if (to->buffer != state->buffer || to->row != state->row) {
            lower_copy(l, value, *to);
        }
    }
}
