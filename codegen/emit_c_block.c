// Statements as C. Values folded into their user wait in `pending`; before a statement that changes
// memory those that read memory, and are not part of that very statement, become variables, so no
// load moves past a store.
#include <stdarg.h>
#include <string.h>

#include "codegen/affine.h"
#include "codegen/emit_c_loop.h"
#include "codegen/emit_c_parallel.h"
#include "codegen/emit_c_write.h"

static ScalarInfo *info_of(const Writer *writer, const Scalar *scalar) {
    return &writer->info.scalars[scalar->id];
}

const char *buffer_spelling(const Writer *writer, const Buffer *buffer) {
    const char *name = writer->buffer_name[buffer->id];
    if (!name && buffer->kind == BUFFER_CONSTANT) {
        name = writer->constant_name[buffer->id];
    }
    check(name, "buffer %s is not known to the function", buffer->name ? buffer->name : "");
    return name;
}

void write_line(Writer *writer, const char *format, ...) {
    text_indent(writer->out, writer->depth);
    va_list arguments;
    va_start(arguments, format);
    text_add(writer->out, arena_format_list(writer->arena, format, arguments));
    va_end(arguments);
    text_add_char(writer->out, '\n');
}

void begin_line(Writer *writer) {
    writer->line = text_new(writer->arena);
    writer->around_line = writer->out;
    writer->out = &writer->line;
}

// Breaks at the last space that fits, as often as needed.
void end_line(Writer *writer) {
    enum { LONGEST_LINE = 100 };
    Text *out = writer->out = writer->around_line;
    const char *rest = text_string(&writer->line);
    size_t indent = (size_t)writer->depth * 4;
    text_indent(out, writer->depth);
    while (indent + strlen(rest) > LONGEST_LINE) {
        size_t cut = indent < LONGEST_LINE ? LONGEST_LINE - indent : 0;
        while (cut > 0 && rest[cut] != ' ') {
            cut--;
        }
        if (cut == 0) {
            cut = strcspn(rest, " ");
        }
        if (!rest[cut]) {
            break;
        }
        text_add_bytes(out, rest, cut);
        text_add_char(out, '\n');
        text_indent(out, writer->depth + 2);
        indent = ((size_t)writer->depth + 2) * 4;
        rest += cut + 1;
    }
    text_add(out, rest);
    text_add_char(out, '\n');
}

void write_list(Writer *writer, const char *prefix, const char *const *items, int count,
                const char *suffix) {
    enum { LONGEST_LINE = 100 };
    size_t indent = (size_t)writer->depth * 4;
    size_t column = indent + strlen(prefix);
    text_indent(writer->out, writer->depth);
    text_add(writer->out, prefix);
    for (int i = 0; i < count; i++) {
        const char *end = i + 1 < count ? "," : suffix;
        size_t length = strlen(items[i]) + strlen(end);
        if (i > 0 && column + 1 + length > LONGEST_LINE) {
            text_add_char(writer->out, '\n');
            text_indent(writer->out, writer->depth + 2);
            column = indent + 8;
        } else if (i > 0) {
            text_add_char(writer->out, ' ');
            column++;
        }
        text_format(writer->out, "%s%s", items[i], end);
        column += length;
    }
    text_add(writer->out, count ? "\n" : suffix);
    text_add(writer->out, count ? "" : "\n");
}

static const char *value_type(ElementType type) {
    return type == TYPE_BOOL ? "bool" : c_element_type(type);
}

// Writes a value down in a variable where the printer stands.
static void write_variable(Writer *writer, const Scalar *scalar) {
    ScalarInfo *known = info_of(writer, scalar);
    const char *wanted = scalar->name && scalar->op != SCALAR_LIBM
                             ? scalar->name
                             : arena_format(writer->arena, "v%d", ++writer->unnamed);
    begin_line(writer);
    text_format(writer->out, "const %s ", value_type(scalar->type));
    known->pending = true;
    // The name is visible only after its own definition, but must not hide one used in it.
    const char *name = names_take(&writer->names, wanted);
    text_format(writer->out, "%s = ", name);
    write_expression(writer, scalar, LEVEL_ANY);
    text_add(writer->out, ";");
    end_line(writer);
    known->name = name;
}

static void write_scalar(Writer *writer, const Scalar *scalar) {
    ScalarInfo *known = info_of(writer, scalar);
    if (known->uses == 0 || known->place == PLACE_EVERYWHERE) {
        return;
    }
    if (known->place == PLACE_VARIABLE) {
        write_variable(writer, scalar);
    } else {
        known->pending = true;
        vec_push(writer->arena, &writer->pending, scalar);
    }
}

// Is `scalar` part of the expression of one of the operands?
static bool belongs_to(const Writer *writer, const Scalar *scalar, const Scalar *const *operands,
                       int count) {
    while (info_of(writer, scalar)->user &&
           info_of(writer, info_of(writer, scalar)->user)->pending) {
        scalar = info_of(writer, scalar)->user;
    }
    for (int i = 0; i < count; i++) {
        if (operands[i] == scalar) {
            return true;
        }
    }
    return false;
}

static bool has_pending_user(const Writer *writer, const Scalar *scalar) {
    const Scalar *user = info_of(writer, scalar)->user;
    return user && info_of(writer, user)->pending;
}

// Before a statement with effects: waiting values that read memory are computed now, unless they
// belong to the statement's operands.
static void settle(Writer *writer, const Scalar *const *operands, int count) {
    int kept = 0;
    int waiting = writer->pending.count;
    for (int i = 0; i < waiting; i++) {
        const Scalar *scalar = writer->pending.at[i];
        const ScalarInfo *known = info_of(writer, scalar);
        if (!known->pending) {
            continue;
        }
        if (known->reads && !has_pending_user(writer, scalar) &&
            !belongs_to(writer, scalar, operands, count)) {
            write_variable(writer, scalar);
        } else {
            writer->pending.at[kept++] = scalar;
        }
    }
    writer->pending.count = kept;
}

static bool same_place(const Scalar *x, const Scalar *y) {
    return x == y || (x && y && x->op == SCALAR_CONSTANT && y->op == SCALAR_CONSTANT &&
                      x->integer == y->integer);
}

// `place = place + y` is printed `place += y`. True if `value` starts with a load of that place.
static bool updates_place(const Writer *writer, const Statement *statement, const char **sign) {
    const Scalar *value = statement->value;
    const ScalarInfo *known = info_of(writer, value);
    if (!known->pending || known->wraps || known->place != PLACE_IN_USER ||
        (value->op != SCALAR_ADD && value->op != SCALAR_SUB && value->op != SCALAR_MUL)) {
        return false;
    }
    const Scalar *old = value->args[0];
    if (!info_of(writer, old)->pending || old == value->args[1]) {
        return false;
    }
    *sign = value->op == SCALAR_ADD ? "+=" : value->op == SCALAR_SUB ? "-=" : "*=";
    if (statement->kind == STATEMENT_STORE) {
        return old->op == SCALAR_LOAD && old->buffer == statement->buffer &&
               same_place(old->args[0], statement->index);
    }
    return old->op == SCALAR_LOCAL && old->local == statement->local &&
           (statement->local->count == 1 || same_place(old->args[0], statement->index));
}

// `place` has been printed; the rest of the assignment follows.
static void write_assignment(Writer *writer, const Statement *statement, bool as_byte) {
    const char *sign;
    if (updates_place(writer, statement, &sign)) {
        info_of(writer, statement->value)->pending = false;
        info_of(writer, statement->value->args[0])->pending = false;
        text_format(writer->out, " %s ", sign);
        write_expression(writer, statement->value->args[1], LEVEL_ANY);
    } else if (as_byte) {
        text_add(writer->out, " = (uint8_t)");
        write_expression(writer, statement->value, LEVEL_UNARY);
    } else {
        text_add(writer->out, " = ");
        write_expression(writer, statement->value, LEVEL_ANY);
    }
    text_add(writer->out, ";");
    end_line(writer);
}

static void write_store(Writer *writer, const Statement *statement) {
    begin_line(writer);
    text_format(writer->out, "%s[", buffer_spelling(writer, statement->buffer));
    write_expression(writer, statement->index, LEVEL_ANY);
    text_add_char(writer->out, ']');
    write_assignment(writer, statement, statement->buffer->element == TYPE_BOOL);
}

static void write_set(Writer *writer, const Statement *statement) {
    LocalInfo *local = find_local(&writer->info, statement->local);
    const Scalar *value = statement->value;
    bool as_it_is = value->op == SCALAR_LOCAL && value->local == statement->local &&
                    statement->local->count == 1 && info_of(writer, value)->pending;
    if (!local->home) {
        return;
    }
    if (as_it_is) {
        info_of(writer, value)->pending = false;
        return;
    }
    begin_line(writer);
    if (!local->name) { // is_set_first: its declaration
        local->name = names_take(&writer->names, local->local->name ? local->local->name : "value");
        text_format(writer->out, "%s ", value_type(local->local->type));
    }
    text_add(writer->out, local->name);
    if (local->local->count > 1) {
        text_add_char(writer->out, '[');
        write_expression(writer, statement->index, LEVEL_ANY);
        text_add_char(writer->out, ']');
    }
    write_assignment(writer, statement, false);
}

static const char *zero_of(ElementType type) {
    switch (type) {
    case TYPE_BOOL: return "false";
    case TYPE_F32: return "0.0f";
    case TYPE_F64: return "0.0";
    case TYPE_I32:
    case TYPE_I64:
    case ELEMENT_TYPE_COUNT: break;
    }
    return "0";
}

// Declares the locals of this block that the statement is the first to touch, unless it sets them.
static void declare_locals(Writer *writer, const Block *block, const Statement *statement) {
    for (int i = 0; i < writer->info.locals.count; i++) {
        LocalInfo *found = &writer->info.locals.at[i];
        const Local *local = found->local;
        bool here = found->home && found->home->block == block && !found->name &&
                    statement_touches_local(statement, local);
        if (!here || (statement->kind == STATEMENT_SET && local->count == 1)) {
            continue;
        }
        found->name = names_take(&writer->names, local->name ? local->name : "value");
        if (local->count > 1) {
            write_line(writer, "%s %s[%d];", value_type(local->type), found->name, local->count);
        } else {
            write_line(writer, "%s %s = %s;", value_type(local->type), found->name,
                       zero_of(local->type));
        }
    }
}

// The first `count` statements of the block.
static void write_statements(Writer *writer, const Block *block, int count);

// The block at one more level, in a scope of names of its own.
static void write_inner(Writer *writer, const Block *block) {
    writer->depth++;
    write_block(writer, block);
    writer->depth--;
}

static void write_loop_head(Writer *writer, const Loop *loop) {
    const char *index = names_take(&writer->names, loop->name ? loop->name : "i");
    int64_t lanes = lanes_of_row(&writer->info, loop);
    if (lanes > 0) {
        write_line(writer, "TDSL_LANES(%lld)", (long long)lanes);
    }
    begin_line(writer);
    text_format(writer->out, "for (int64_t %s = 0; %s < ", index, index);
    write_expression(writer, loop->extent, LEVEL_SUM);
    text_format(writer->out, "; ++%s) {", index);
    end_line(writer);
    info_of(writer, loop->index)->name = index;
    writer->depth++;
}

// Columns outside, rows inside: see tile_order.
static void write_turned_tile(Writer *writer, const Loop *rows, const Loop *columns) {
    names_open_scope(&writer->names);
    if (is_tiny_tile(&writer->info, rows, columns)) {
        write_line(writer, "TDSL_VECTOR");
    }
    write_loop_head(writer, columns);
    write_loop_head(writer, rows);
    write_statements(writer, &rows->body, rows->body.statements.count - 1);
    write_statements(writer, &columns->body, columns->body.statements.count);
    names_close_scope(&writer->names);
    for (int i = 0; i < 2; i++) {
        writer->depth--;
        write_line(writer, "}");
    }
}

// `place`, but for the index of the loop, and `further` elements.
static const char *fetch_place(Writer *writer, const Affine *place, const Loop *loop,
                               int64_t further) {
    Text text = text_new(writer->arena);
    for (int i = 0; i < place->count; i++) {
        const Term *term = &place->terms[i];
        if (term->atom != loop->index) {
            text_format(&text, "%s * %lld + ", expression_text(writer, term->atom),
                        (long long)term->factor);
        }
    }
    text_format(&text, "%lld", (long long)(place->constant + further));
    return text_string(&text);
}

// Vectors of C are loops: what they fetch stands before those that are a few lines long.
static void write_fetches(Writer *writer, const Loop *loop) {
    enum { LINE_BYTES = 64, MOST_LINES = 4 };
    for (int i = 0; i < loop->fetches.count; i++) {
        const Fetch *fetch = &loop->fetches.at[i];
        int64_t line = LINE_BYTES / (int64_t)element_bytes(fetch->buffer->element), extent;
        if (!constant_extent(loop, &extent) || extent > MOST_LINES * line) {
            continue;
        }
        for (int64_t further = 0; further < extent; further += line) {
            begin_line(writer);
            text_format(writer->out, "TDSL_FETCH(%s, %s, %d, %d);",
                        buffer_spelling(writer, fetch->buffer),
                        fetch_place(writer, &fetch->place, loop, further), fetch->is_store,
                        fetch->near ? 3 : 2);
            end_line(writer);
        }
    }
}

static void write_loop(Writer *writer, const Loop *loop) {
    if (loop->kind == LOOP_PARALLEL) {
        write_parallel_loop(writer, loop);
        return;
    }
    TileOrder order = tile_order(&writer->info, loop);
    if (order == TILE_COLUMNS_OUTSIDE) {
        write_turned_tile(writer, loop,
                          loop->body.statements.at[loop->body.statements.count - 1]->loop);
        return;
    }
    write_fetches(writer, loop);
    int64_t whole_row = lanes_of_whole_row(&writer->info, loop);
    if (order == TILE_ROWS_UNROLLED) {
        write_line(writer, "TDSL_UNROLL");
    } else if (whole_row > 0) {
        write_line(writer, "TDSL_ROW(%lld)", (long long)whole_row);
    } else if (is_short_vector(&writer->info, loop)) {
        write_line(writer, joins_lanes(&writer->info, loop) ? "TDSL_JOIN" : "TDSL_VECTOR");
    } else if (is_around_joins(&writer->info, loop)) {
        write_line(writer, "TDSL_SERIAL");
    } else if (turns_columns(&writer->info, loop)) {
        write_line(writer, "TDSL_TURN");
    }
    names_open_scope(&writer->names);
    write_loop_head(writer, loop);
    writer->vector_loops += loop->kind == LOOP_VECTOR;
    write_block(writer, &loop->body);
    writer->vector_loops -= loop->kind == LOOP_VECTOR;
    names_close_scope(&writer->names);
    writer->depth--;
    write_line(writer, "}");
}

static void write_if(Writer *writer, const Statement *statement) {
    begin_line(writer);
    text_add(writer->out, "if (");
    write_expression(writer, statement->condition, LEVEL_ANY);
    text_add(writer->out, ") {");
    end_line(writer);
    write_inner(writer, &statement->body);
    if (statement->otherwise.statements.count) {
        write_line(writer, "} else {");
        write_inner(writer, &statement->otherwise);
    }
    write_line(writer, "}");
}

static void write_while(Writer *writer, const Statement *statement) {
    write_line(writer, "for (;;) {");
    writer->depth++;
    names_open_scope(&writer->names);
    write_statements(writer, &statement->body, statement->body.statements.count);
    begin_line(writer);
    text_add(writer->out, "if (!");
    write_expression(writer, statement->condition, LEVEL_UNARY);
    text_add(writer->out, ") {");
    end_line(writer);
    writer->depth++;
    write_line(writer, "break;");
    writer->depth--;
    write_line(writer, "}");
    names_open_scope(&writer->names);
    write_statements(writer, &statement->otherwise, statement->otherwise.statements.count);
    names_close_scope(&writer->names);
    names_close_scope(&writer->names);
    writer->depth--;
    write_line(writer, "}");
}

static void write_fail(Writer *writer, const Statement *statement) {
    const Site *site = &writer->program->sites.at[statement->site];
    begin_line(writer);
    text_add(writer->out, "if (");
    write_expression(writer, statement->condition, LEVEL_ANY);
    text_add(writer->out, ") {");
    end_line(writer);
    writer->depth++;
    write_line(writer, "return %d; /* %s */", STATUS_FIRST_SITE + statement->site,
               comment_text(writer->arena, site->message));
    writer->depth--;
    write_line(writer, "}");
}

const char *expression_text(Writer *writer, const Scalar *scalar) {
    Text *out = writer->out;
    Text text = text_new(writer->arena);
    writer->out = &text;
    write_expression(writer, scalar, LEVEL_ANY);
    writer->out = out;
    return text_string(&text);
}

static void write_kernel_call(Writer *writer, const Statement *statement) {
    const Kernel *kernel = statement->kernel;
    int count = kernel->buffers.count + kernel->argument_count;
    const char **items = arena_alloc_array(writer->arena, (size_t)count + 1, sizeof *items);
    for (int i = 0; i < kernel->buffers.count; i++) {
        items[i] = buffer_spelling(writer, statement->buffers[i]);
    }
    for (int i = 0; i < kernel->argument_count; i++) {
        items[kernel->buffers.count + i] = expression_text(writer, statement->arguments[i]);
    }
    const char *name = kernel_spelling(writer, kernel);
    if (!kernel->fails) {
        write_list(writer, arena_format(writer->arena, "%s(", name), items, count, ");");
        return;
    }
    write_list(writer, arena_format(writer->arena, "status = %s(", name), items, count, ");");
    write_line(writer, "if (status != 0) {");
    write_line(writer, "    return status;");
    write_line(writer, "}");
}

static void write_bulk(Writer *writer, const Statement *statement) {
    const Buffer *target = statement->target;
    const char *bytes = arena_format(writer->arena, "%lld * sizeof(%s)", (long long)target->count,
                                     c_element_type(target->element));
    if (statement->kind == STATEMENT_ZERO) {
        write_line(writer, "memset(%s, 0, %s);", buffer_spelling(writer, target), bytes);
    } else {
        write_line(writer, "memcpy(%s, %s, %s);", buffer_spelling(writer, target),
                   buffer_spelling(writer, statement->buffer), bytes);
    }
}

static void write_effect(Writer *writer, const Statement *statement) {
    switch (statement->kind) {
    case STATEMENT_SCALAR: break;
    case STATEMENT_STORE: write_store(writer, statement); break;
    case STATEMENT_SET: write_set(writer, statement); break;
    case STATEMENT_LOOP: write_loop(writer, statement->loop); break;
    case STATEMENT_IF: write_if(writer, statement); break;
    case STATEMENT_WHILE: write_while(writer, statement); break;
    case STATEMENT_PRESENT:
        write_line(writer, "if (%s != NULL) {", buffer_spelling(writer, statement->buffer));
        write_inner(writer, &statement->body);
        write_line(writer, "}");
        break;
    case STATEMENT_CALL: write_kernel_call(writer, statement); break;
    case STATEMENT_FAIL: write_fail(writer, statement); break;
    case STATEMENT_COPY:
    case STATEMENT_ZERO: write_bulk(writer, statement); break;
    }
}

static void write_statement(Writer *writer, const Statement *statement) {
    if (statement->kind == STATEMENT_SCALAR) {
        write_scalar(writer, statement->scalar);
        return;
    }
    const Scalar *operands[3];
    if (statement->kind == STATEMENT_CALL) {
        settle(writer, (const Scalar *const *)statement->arguments,
               statement->kernel->argument_count);
    } else if (statement->kind != STATEMENT_FAIL) {
        settle(writer, operands, statement_operands(statement, operands));
    }
    write_effect(writer, statement);
}

static void write_statements(Writer *writer, const Block *block, int count) {
    for (int i = 0; i < count; i++) {
        declare_locals(writer, block, block->statements.at[i]);
        write_statement(writer, block->statements.at[i]);
    }
}

void write_block(Writer *writer, const Block *block) {
    names_open_scope(&writer->names);
    write_statements(writer, block, block->statements.count);
    names_close_scope(&writer->names);
}
