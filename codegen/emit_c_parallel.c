// Parallel loops in C: for every kernel that is called in chunks a struct of its arguments and a
// function that calls it for one chunk, and one function that has this called for all of them.
#include "codegen/emit_c_parallel.h"

#include <string.h>

static const char *wanted_name(const Buffer *buffer) {
    return buffer->name && buffer->name[0] ? buffer->name : "tensor";
}

static const Loop *find_call(const Block *block, const Kernel *kernel) {
    for (int i = 0; i < block->statements.count; i++) {
        const Statement *s = block->statements.at[i];
        const Loop *found = NULL;
        if (s->kind == STATEMENT_LOOP && s->loop->kind == LOOP_PARALLEL) {
            found = s->loop->body.statements.at[0]->kernel == kernel ? s->loop : NULL;
        } else if (s->kind == STATEMENT_LOOP) {
            found = find_call(&s->loop->body, kernel);
        }
        found = found ? found : find_call(&s->body, kernel);
        found = found ? found : find_call(&s->otherwise, kernel);
        if (found) {
            return found;
        }
    }
    return NULL;
}

static bool is_called_in_chunks(const Program *program, const Kernel *kernel) {
    for (int i = 0; i < program->entries.count; i++) {
        if (find_call(&program->entries.at[i]->body, kernel)) {
            return true;
        }
    }
    return false;
}

void take_parallel_names(Writer *writer) {
    const Program *program = writer->program;
    writer->run_name = names_take(&writer->names, "run_chunks");
    for (int i = 0; i < program->kernels.count; i++) {
        if (is_called_in_chunks(program, program->kernels.at[i])) {
            const char *name = writer->kernel_name[i];
            writer->task_name[i] =
                names_take(&writer->names, arena_format(writer->arena, "%s_task", name));
            writer->chunk_name[i] =
                names_take(&writer->names, arena_format(writer->arena, "%s_chunk", name));
        }
    }
}

static int kernel_number(const Writer *writer, const Kernel *kernel) {
    int number = 0;
    while (writer->program->kernels.at[number] != kernel) {
        number++;
    }
    return number;
}

// Members of the task and, but for the statuses, arguments of the kernel. Returns how many of
// these.
static int write_members(Writer *writer, const Kernel *kernel, const char **arguments) {
    int count = 0;
    for (int i = 0; i < kernel->buffers.count; i++) {
        const Buffer *buffer = kernel->buffers.at[i];
        const char *name = names_take(&writer->names, wanted_name(buffer));
        write_line(writer, "%s%s *%s;", kernel->written.at[i] ? "" : "const ",
                   c_element_type(buffer->element), name);
        arguments[count++] = arena_format(writer->arena, "task->%s", name);
    }
    for (int i = 0; i < kernel->argument_count - 1; i++) {
        const char *name = names_take(&writer->names, arena_format(writer->arena, "n%d", i));
        write_line(writer, "int64_t %s;", name);
        arguments[count++] = arena_format(writer->arena, "task->%s", name);
    }
    if (kernel->fails) {
        write_line(writer, "int *%s;", names_take(&writer->names, "statuses"));
    }
    return count;
}

void write_chunk_function(Writer *writer, const Kernel *kernel) {
    int number = kernel_number(writer, kernel);
    const char *task = writer->task_name[number];
    if (!task) {
        return;
    }
    int most = kernel->buffers.count + kernel->argument_count;
    const char **arguments = arena_alloc_array(writer->arena, (size_t)most + 1, sizeof *arguments);
    names_open_scope(&writer->names);
    write_line(writer, "struct %s {", task);
    writer->depth++;
    int count = write_members(writer, kernel, arguments);
    writer->depth--;
    write_line(writer, "};\n");
    names_close_scope(&writer->names);
    write_line(writer, "static void %s(void *data, int64_t chunk) {", writer->chunk_name[number]);
    writer->depth++;
    bool is_used = count > 0 || kernel->fails;
    if (is_used) {
        write_line(writer, "const struct %s *task = (const struct %s *)data;", task, task);
    } else {
        write_line(writer, "(void)data;");
    }
    arguments[count++] = "chunk";
    const char *status = kernel->fails ? "task->statuses[chunk] = " : "";
    write_list(writer,
               arena_format(writer->arena, "%s%s(", status, kernel_spelling(writer, kernel)),
               arguments, count, ");");
    writer->depth--;
    write_line(writer, "}\n");
}

void write_run_function(const Writer *writer, Text *out) {
    bool any = false;
    for (int i = 0; i < writer->program->kernels.count; i++) {
        any = any || writer->task_name[i];
    }
    if (!any) {
        return;
    }
    text_format(out,
                "/* Calls body(task, i) for each i below count, by the caller's threads if there "
                "are any. */\n"
                "static void %s(const tdsl_parallel *parallel, void (*body)(void *, int64_t),\n"
                "                       void *task, int64_t count) {\n"
                "    if (parallel != NULL) {\n"
                "        parallel->run(parallel->context, body, task, count);\n"
                "        return;\n"
                "    }\n"
                "    for (int64_t i = 0; i < count; ++i) {\n"
                "        body(task, i);\n"
                "    }\n"
                "}\n\n",
                writer->run_name);
}

void write_parallel_loop(Writer *writer, const Loop *loop) {
    const Statement *call = loop->body.statements.at[0];
    const Kernel *kernel = call->kernel;
    int number = kernel_number(writer, kernel), count = 0;
    long long chunks = (long long)loop->extent->integer;
    const char **items = arena_alloc_array(
        writer->arena, (size_t)kernel->buffers.count + (size_t)kernel->argument_count + 2,
        sizeof *items);
    for (int i = 0; i < kernel->buffers.count; i++) {
        items[count++] = buffer_spelling(writer, call->buffers[i]);
    }
    for (int i = 0; i < kernel->argument_count - 1; i++) {
        items[count++] = expression_text(writer, call->arguments[i]);
    }
    names_open_scope(&writer->names);
    const char *task = names_take(&writer->names, "task");
    const char *statuses = kernel->fails ? names_take(&writer->names, "statuses") : NULL;
    write_line(writer, "{");
    writer->depth++;
    if (statuses) {
        write_line(writer, "int %s[%lld];", statuses, chunks);
        items[count++] = statuses;
    }
    const char *head = arena_format(writer->arena, "struct %s %s", writer->task_name[number], task);
    if (count > 0) {
        write_list(writer, arena_format(writer->arena, "%s = {", head), items, count, "};");
    } else {
        write_line(writer, "char %s = 0;", task);
    }
    write_line(writer, "%s(parallel, %s, &%s, %lld);", writer->run_name, writer->chunk_name[number],
               task, chunks);
    if (statuses) {
        const char *index = names_take(&writer->names, "i");
        write_line(writer, "for (int %s = 0; %s < %lld; ++%s) {", index, index, chunks, index);
        write_line(writer, "    if (%s[%s] != 0) {", statuses, index);
        write_line(writer, "        return %s[%s];", statuses, index);
        write_line(writer, "    }");
        write_line(writer, "}");
    }
    writer->depth--;
    write_line(writer, "}");
    names_close_scope(&writer->names);
}
