// Kernels as static functions over restrict pointers, entries as the exported functions that check
// their pointers, find the temporaries in the workspace and call the kernels.
#include <string.h>

#include "codegen/emit_c_loop.h"
#include "codegen/emit_c_write.h"
#include "codegen/product.h"

const char *kernel_spelling(const Writer *writer, const Kernel *kernel) {
    for (int i = 0; i < writer->program->kernels.count; i++) {
        if (writer->program->kernels.at[i] == kernel) {
            return writer->kernel_name[i];
        }
    }
    unreachable("kernel %s is not one of the program's", kernel->name);
}

static const char *name_or_tensor(const char *name) {
    return name && name[0] ? name : "tensor";
}

static const char *wanted_name(const Buffer *buffer) {
    return name_or_tensor(buffer->name);
}

static void begin_function(Writer *writer, FunctionInfo info) {
    writer->info = info;
    memset(writer->buffer_name, 0, (size_t)writer->buffer_count * sizeof *writer->buffer_name);
    writer->pending.count = 0;
    writer->unnamed = 0;
    writer->depth = 0;
    names_open_scope(&writer->names);
}

static void end_function(Writer *writer) {
    names_close_scope(&writer->names);
    text_add(writer->out, "}\n\n");
}

static void write_comment(Writer *writer, const char *comment) {
    if (comment && comment[0]) {
        begin_line(writer);
        text_format(writer->out, "/* %s */", comment_text(writer->arena, comment));
        end_line(writer);
    }
}

static void mark_unused(Writer *writer, const char *name) {
    write_line(writer, "(void)%s;", name);
}

// Names and declarations of a kernel's parameters.
static const char **kernel_parameters(Writer *writer, const Kernel *kernel) {
    Arena *arena = writer->arena;
    size_t count = (size_t)kernel->buffers.count + (size_t)kernel->argument_count;
    const char **parameters = arena_alloc_array(arena, count + 1, sizeof *parameters);
    for (int i = 0; i < kernel->buffers.count; i++) {
        const Buffer *buffer = kernel->buffers.at[i];
        const char *name =
            names_take(&writer->names, kernel->names != NULL ? name_or_tensor(kernel->names[i])
                                                             : wanted_name(buffer));
        writer->buffer_name[buffer->id] = name;
        parameters[i] =
            arena_format(arena, "%s%s *TDSL_RESTRICT %s", kernel->written.at[i] ? "" : "const ",
                         c_element_type(buffer->element), name);
    }
    writer->argument_name =
        arena_alloc_array(arena, (size_t)kernel->argument_count + 1, sizeof *parameters);
    for (int i = 0; i < kernel->argument_count; i++) {
        writer->argument_name[i] = names_take(&writer->names, arena_format(arena, "n%d", i));
        parameters[kernel->buffers.count + i] =
            arena_format(arena, "int64_t %s", writer->argument_name[i]);
    }
    return parameters;
}

void write_kernel(Writer *writer, const Kernel *kernel, const Range *arguments) {
    begin_function(writer, analyze_function(writer->arena, &kernel->body, kernel->scalar_count,
                                            writer->buffer_count, arguments, kernel->argument_count,
                                            (CallVisitor){NULL, NULL}));
    bool is_shared = kernel->twins.count > 0 && kernel->comment != NULL;
    write_comment(writer, !is_shared ? kernel->comment
                                     : arena_format(writer->arena, "%s, and %d more like it",
                                                    kernel->comment, kernel->twins.count));
    const char **parameters = kernel_parameters(writer, kernel);
    int count = kernel->buffers.count + kernel->argument_count;
    // GCC calls a kernel's clone from an entry's directly; finding it costs others a nanosecond or
    // two, so what is smaller had better be inlined.
    enum { LEAST_WORK = 16 };
    if (estimate_work(&writer->info, &kernel->body) >= LEAST_WORK) {
        write_line(writer, "TDSL_CLONES");
    }
    const char *none = "void";
    const char *prefix =
        arena_format(writer->arena, "static %s %s(", kernel->fails ? "int" : "void",
                     kernel_spelling(writer, kernel));
    write_list(writer, prefix, count ? parameters : &none, count ? count : 1, ") {");
    writer->depth = 1;
    for (int i = 0; i < kernel->buffers.count; i++) {
        if (!writer->info.buffer_uses[kernel->buffers.at[i]->id]) {
            mark_unused(writer, writer->buffer_name[kernel->buffers.at[i]->id]);
        }
    }
    for (int i = 0; i < kernel->argument_count; i++) {
        if (!writer->info.argument_uses[i]) {
            mark_unused(writer, writer->argument_name[i]);
        }
    }
    write_block(writer, &kernel->body);
    if (kernel->fails) {
        write_line(writer, "return 0;");
    }
    writer->depth = 0;
    end_function(writer);
}

int entry_parameters(Arena *arena, const Program *program, const Entry *entry, bool parallel,
                     const char *parameters[GROUP_COUNT + 2]) {
    int count = 0;
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        if (!entry->groups[kind].used) {
            continue;
        }
        const char *name = group_name((GroupKind)kind);
        parameters[count++] =
            kind == GROUP_KEY ? arena_format(arena, "const int64_t *%s", name)
                              : arena_format(arena, "const %s_%s *%s", program->name, name, name);
    }
    parameters[count++] = "void *workspace";
    if (parallel) {
        parameters[count++] = "const tdsl_parallel *parallel";
    }
    return count;
}

// `if (x == NULL || ...) return ...;` over the tests given.
static void write_null_check(Writer *writer, const char *const *tests, int count) {
    const char **items = arena_alloc_array(writer->arena, (size_t)count + 1, sizeof *items);
    for (int i = 0; i < count; i++) {
        items[i] = arena_format(writer->arena, i ? "|| %s" : "%s", tests[i]);
    }
    if (count == 0) {
        return;
    }
    enum { LONGEST_LINE = 90 };
    size_t column = 0;
    text_indent(writer->out, writer->depth);
    text_add(writer->out, "if (");
    for (int i = 0; i < count; i++) {
        if (i && column + strlen(items[i]) > LONGEST_LINE) {
            text_add_char(writer->out, '\n');
            text_indent(writer->out, writer->depth + 2);
            column = 0;
        } else if (i) {
            text_add_char(writer->out, ' ');
        }
        text_add(writer->out, items[i]);
        column += strlen(items[i]) + 1;
    }
    text_add(writer->out, ") {\n");
    write_line(writer, "    return %d;", STATUS_NULL_POINTER);
    write_line(writer, "}");
}

typedef VEC(const char *) Strings;

static void write_pointer_checks(Writer *writer, const Entry *entry) {
    Arena *arena = writer->arena;
    Strings groups = {0}, fields = {0};
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        const Group *group = &entry->groups[kind];
        if (!group->used) {
            continue;
        }
        const char *name = group_name((GroupKind)kind);
        vec_push(arena, &groups, arena_format(arena, "%s == NULL", name));
        for (int i = 0; i < group->fields.count && kind != GROUP_KEY; i++) {
            if (entry_needs_field(entry, (GroupKind)kind, i)) {
                vec_push(arena, &fields,
                         arena_format(arena, "%s->%s == NULL", name,
                                      c_field_name(arena, group->fields.at[i].name)));
            }
        }
    }
    if (entry->workspace_bytes) {
        vec_push(arena, &groups, "workspace == NULL");
        vec_push(arena, &groups,
                 arena_format(arena, "(uintptr_t)workspace %% %d != 0", WORKSPACE_ALIGNMENT));
    } else {
        mark_unused(writer, "workspace");
    }
    write_null_check(writer, groups.at, groups.count);
    write_null_check(writer, fields.at, fields.count);
}

// A variable for the pointer of a field; a one-element seed that is left out points to a 1.
static void write_field(Writer *writer, GroupKind kind, int index, const Field *field) {
    const Buffer *buffer = field->buffer;
    if (!writer->info.buffer_uses[buffer->id]) {
        return;
    }
    if (kind == GROUP_KEY) {
        writer->buffer_name[buffer->id] = "key";
        return;
    }
    const char *type = c_element_type(buffer->element);
    const char *constant = product_field_is_const(writer->program, kind, index) ? "const " : "";
    const char *pointer = arena_format(writer->arena, "%s->%s", group_name(kind),
                                       c_field_name(writer->arena, field->name));
    const char *name = names_take(&writer->names, wanted_name(buffer));
    if (buffer->default_one) {
        const char *one = names_take(&writer->names, arena_format(writer->arena, "%s_one", name));
        write_line(writer, "static const %s %s = 1;", type, one);
        pointer = arena_format(writer->arena, "%s != NULL ? %s : &%s", pointer, pointer, one);
        constant = "const ";
    }
    write_line(writer, "%s%s *const %s = %s;", constant, type, name, pointer);
    writer->buffer_name[buffer->id] = name;
}

static void write_temporaries(Writer *writer) {
    for (int i = 0; i < writer->program->buffers.count; i++) {
        const Buffer *buffer = writer->program->buffers.at[i];
        if (buffer->kind != BUFFER_WORKSPACE || !writer->info.buffer_uses[buffer->id]) {
            continue;
        }
        const char *type = c_element_type(buffer->element);
        const char *name = names_take(&writer->names, wanted_name(buffer));
        const char *place =
            arena_format(writer->arena, "(%s *)(void *)((unsigned char *)workspace + %zu)", type,
                         buffer->offset);
        if (buffer->result != NULL) {
            const char *result = writer->buffer_name[buffer->result->id];
            place = arena_format(writer->arena, "%s != NULL ? %s : %s", result, result, place);
        }
        write_line(writer, "%s *const %s = %s;", type, name, place);
        writer->buffer_name[buffer->id] = name;
    }
}

// Does it call a kernel, if so asked one that fails, other than in chunks?
static bool block_calls_kernel(const Block *block, bool failing) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *statement = block->statements.at[i];
        if ((statement->kind == STATEMENT_CALL && (statement->kernel->fails || !failing)) ||
            (statement->kind == STATEMENT_LOOP && statement->loop->kind != LOOP_PARALLEL &&
             block_calls_kernel(&statement->loop->body, failing)) ||
            block_calls_kernel(&statement->body, failing) ||
            block_calls_kernel(&statement->otherwise, failing)) {
            return true;
        }
    }
    return false;
}

// The entry without the last parameter: it calls the other, `symbol`, with NULL.
static void write_serial_entry(Writer *writer, const Entry *entry, const char *symbol) {
    const char *parameters[GROUP_COUNT + 2], *arguments[GROUP_COUNT + 2];
    int count = entry_parameters(writer->arena, writer->program, entry, false, parameters);
    for (int i = 0; i < count; i++) {
        arguments[i] = strrchr(parameters[i], '*') + 1;
    }
    arguments[count] = "NULL";
    const char *own = entry_symbol(writer->arena, writer->program, entry);
    write_list(writer, arena_format(writer->arena, "int %s(", own), parameters, count, ") {");
    writer->depth = 1;
    write_list(writer, arena_format(writer->arena, "return %s(", symbol), arguments, count + 1,
               ");");
    writer->depth = 0;
    text_add(writer->out, "}\n\n");
}

void write_entry(Writer *writer, const Entry *entry) {
    begin_function(writer,
                   analyze_function(writer->arena, &entry->body, entry->scalar_count,
                                    writer->buffer_count, NULL, 0, (CallVisitor){NULL, NULL}));
    const char *parameters[GROUP_COUNT + 2];
    bool parallel = entry_is_parallel(entry);
    int count = entry_parameters(writer->arena, writer->program, entry, parallel, parameters);
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        names_take(&writer->names, group_name((GroupKind)kind));
    }
    names_take(&writer->names, "workspace");
    names_take(&writer->names, "status");
    names_take(&writer->names, "parallel");
    write_comment(writer, entry_meaning(entry));
    const char *symbol = loaded_symbol(writer->arena, writer->program, entry);
    if (block_calls_kernel(&entry->body, false)) {
        write_line(writer, "TDSL_CLONES");
    }
    write_list(writer, arena_format(writer->arena, "int %s(", symbol), parameters, count, ") {");
    writer->depth = 1;
    write_pointer_checks(writer, entry);
    if (parallel && !entry_uses_threads(entry)) {
        mark_unused(writer, "parallel");
    }
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        const Group *group = &entry->groups[kind];
        for (int i = 0; group->used && i < group->fields.count; i++) {
            if (group->fields.at[i].buffer) {
                write_field(writer, (GroupKind)kind, i, &group->fields.at[i]);
            }
        }
    }
    write_temporaries(writer);
    if (block_calls_kernel(&entry->body, true)) {
        write_line(writer, "int status;");
    }
    write_block(writer, &entry->body);
    write_line(writer, "return 0;");
    writer->depth = 0;
    end_function(writer);
    if (parallel) {
        write_serial_entry(writer, entry, symbol);
    }
}
