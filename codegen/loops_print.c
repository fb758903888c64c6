// Readable text of the loop form, for `tdsl emit --stage=loops`. It is not read
// back.
#include "codegen/loops.h"

static const char *const op_names[] = {
    [SCALAR_CONSTANT] = "constant",
    [SCALAR_INDEX] = "index",
    [SCALAR_ARGUMENT] = "argument",
    [SCALAR_LOAD] = "load",
    [SCALAR_LOCAL] = "local",
    [SCALAR_ADD] = "+",
    [SCALAR_SUB] = "-",
    [SCALAR_MUL] = "*",
    [SCALAR_DIV] = "/",
    [SCALAR_REMAINDER] = "%",
    [SCALAR_FMA] = "fma",
    [SCALAR_NEG] = "-",
    [SCALAR_ABS] = "abs",
    [SCALAR_COPYSIGN] = "copysign",
    [SCALAR_SQRT] = "sqrt",
    [SCALAR_FLOOR] = "floor",
    [SCALAR_CEIL] = "ceil",
    [SCALAR_TRUNC] = "trunc",
    [SCALAR_ROUND] = "round",
    [SCALAR_EQ] = "==",
    [SCALAR_NE] = "!=",
    [SCALAR_LT] = "<",
    [SCALAR_LE] = "<=",
    [SCALAR_GT] = ">",
    [SCALAR_GE] = ">=",
    [SCALAR_AND] = "&",
    [SCALAR_OR] = "|",
    [SCALAR_XOR] = "^",
    [SCALAR_NOT] = "!",
    [SCALAR_SHIFT_LEFT] = "<<",
    [SCALAR_SHIFT_RIGHT] = ">>",
    [SCALAR_SHIFT_LOGICAL] = ">>>",
    [SCALAR_SELECT] = "select",
    [SCALAR_CAST] = "cast",
    [SCALAR_BITS] = "bits",
    [SCALAR_SCALE] = "scale",
    [SCALAR_LIBM] = "libm",
};

static const char *const loop_kinds[] = {
    [LOOP_SERIAL] = "loop",
    [LOOP_VECTOR] = "vector loop",
    [LOOP_UNROLL] = "unrolled loop",
    [LOOP_PARALLEL] = "parallel loop",
};

static void print_buffer_name(Text *out, const Buffer *buffer) {
    text_format(out, "%s.%d", buffer->name != NULL ? buffer->name : "t", buffer->id);
}

static void print_local_name(Text *out, const Local *local) {
    text_format(out, "%s$%d", local->name != NULL ? local->name : "local", local->id);
}

static void print_use(Text *out, const Scalar *x) {
    switch (x->op) {
    case SCALAR_CONSTANT:
        if (element_is_real(x->type)) {
            text_add_real(out, x->real, x->type == TYPE_F32);
        } else if (x->type == TYPE_BOOL) {
            text_add(out, x->integer ? "true" : "false");
        } else {
            text_format(out, "%lld", (long long)x->integer);
        }
        break;
    case SCALAR_INDEX:
        text_format(out, "%s%d", x->loop->name != NULL ? x->loop->name : "i", x->id);
        break;
    case SCALAR_ARGUMENT: text_format(out, "argument%lld", (long long)x->integer); break;
    default: text_format(out, "s%d", x->id);
    }
}

static void print_scalar(Text *out, const Scalar *x) {
    text_format(out, "s%d: %s = ", x->id, element_name(x->type));
    if (x->op == SCALAR_LOAD || x->op == SCALAR_LOCAL) {
        if (x->op == SCALAR_LOAD) {
            print_buffer_name(out, x->buffer);
        } else {
            print_local_name(out, x->local);
        }
        text_add(out, "[");
        print_use(out, x->args[0]);
        text_add(out, "]\n");
        return;
    }
    const char *name = x->op == SCALAR_LIBM ? x->name : op_names[x->op];
    bool infix = x->arg_count == 2 && x->op != SCALAR_COPYSIGN && x->op != SCALAR_LIBM;
    if (!infix) {
        text_format(out, "%s ", name);
    }
    for (int i = 0; i < x->arg_count; i++) {
        if (i > 0) {
            text_format(out, infix ? " %s " : ", ", name);
        }
        print_use(out, x->args[i]);
    }
    text_add(out, "\n");
}

static void print_block(Text *out, const Program *program, const Block *block, int level);

static void print_call(Text *out, const Statement *s) {
    text_format(out, "call %s(", s->kernel->name);
    for (int i = 0; i < s->kernel->buffers.count; i++) {
        text_add(out, i > 0 ? ", " : "");
        print_buffer_name(out, s->buffers[i]);
    }
    for (int i = 0; i < s->kernel->argument_count; i++) {
        text_add(out, i > 0 || s->kernel->buffers.count > 0 ? ", " : "");
        print_use(out, s->arguments[i]);
    }
    text_add(out, ")\n");
}

static void print_assignment(Text *out, const Statement *s) {
    if (s->kind == STATEMENT_STORE) {
        print_buffer_name(out, s->buffer);
    } else {
        print_local_name(out, s->local);
    }
    text_add(out, "[");
    print_use(out, s->index);
    text_add(out, "] = ");
    print_use(out, s->value);
    text_add(out, "\n");
}

static void print_fetches(Text *out, const Loop *loop) {
    for (int i = 0; i < loop->fetches.count; i++) {
        const Fetch *fetch = &loop->fetches.at[i];
        text_add(out, i == 0 ? ", fetches " : ", ");
        print_buffer_name(out, fetch->buffer);
        text_add(out, "[");
        for (int j = 0; j < fetch->place.count; j++) {
            print_use(out, fetch->place.terms[j].atom);
            text_format(out, " * %lld + ", (long long)fetch->place.terms[j].factor);
        }
        text_format(out, "%lld]%s", (long long)fetch->place.constant, fetch->near ? " near" : "");
    }
}

static void print_nested(Text *out, const Program *program, const Statement *s, int level) {
    switch (s->kind) {
    case STATEMENT_LOOP:
        text_format(out, "%s ", loop_kinds[s->loop->kind]);
        print_use(out, s->loop->index);
        text_add(out, " < ");
        print_use(out, s->loop->extent);
        print_fetches(out, s->loop);
        text_add(out, "\n");
        print_block(out, program, &s->loop->body, level + 1);
        break;
    case STATEMENT_IF:
        text_add(out, "if ");
        print_use(out, s->condition);
        text_add(out, "\n");
        print_block(out, program, &s->body, level + 1);
        if (s->otherwise.statements.count > 0) {
            text_indent(out, level);
            text_add(out, "else\n");
            print_block(out, program, &s->otherwise, level + 1);
        }
        break;
    case STATEMENT_WHILE:
        text_add(out, "repeat\n");
        print_block(out, program, &s->body, level + 1);
        text_indent(out, level);
        text_add(out, "while ");
        print_use(out, s->condition);
        text_add(out, "\n");
        print_block(out, program, &s->otherwise, level + 1);
        break;
    case STATEMENT_PRESENT:
        text_add(out, "if present ");
        print_buffer_name(out, s->buffer);
        text_add(out, "\n");
        print_block(out, program, &s->body, level + 1);
        break;
    default: unreachable("statement %d holds no others", s->kind);
    }
}

static void print_statement(Text *out, const Program *program, const Statement *s, int level) {
    text_indent(out, level);
    switch (s->kind) {
    case STATEMENT_SCALAR: print_scalar(out, s->scalar); break;
    case STATEMENT_STORE:
    case STATEMENT_SET: print_assignment(out, s); break;
    case STATEMENT_LOOP:
    case STATEMENT_IF:
    case STATEMENT_WHILE:
    case STATEMENT_PRESENT: print_nested(out, program, s, level); break;
    case STATEMENT_CALL: print_call(out, s); break;
    case STATEMENT_FAIL:
        text_add(out, "fail if ");
        print_use(out, s->condition);
        text_format(out, ": %s\n", program->sites.at[s->site].message);
        break;
    case STATEMENT_COPY:
    case STATEMENT_ZERO:
        text_add(out, s->kind == STATEMENT_COPY ? "copy " : "zero ");
        if (s->kind == STATEMENT_COPY) {
            print_buffer_name(out, s->buffer);
            text_add(out, " to ");
        }
        print_buffer_name(out, s->target);
        text_add(out, "\n");
        break;
    }
}

static void print_block(Text *out, const Program *program, const Block *block, int level) {
    for (int i = 0; i < block->statements.count; i++) {
        print_statement(out, program, block->statements.at[i], level);
    }
}

static void print_locals(Text *out, Local *const *locals, int count) {
    for (int i = 0; i < count; i++) {
        text_indent(out, 1);
        text_add(out, "local ");
        print_local_name(out, locals[i]);
        text_format(out, ": %s[%d]\n", element_name(locals[i]->type), locals[i]->count);
    }
}

static void print_kernel(Text *out, const Program *program, const Kernel *kernel) {
    text_format(out, "\nkernel %s(", kernel->name);
    for (int i = 0; i < kernel->buffers.count; i++) {
        const Buffer *buffer = kernel->buffers.at[i];
        text_add(out, i > 0 ? ", " : "");
        text_add(out, kernel->written.at[i] ? "mutable " : "");
        print_buffer_name(out, buffer);
        text_format(out, ": %s[%lld]", element_name(buffer->element), (long long)buffer->count);
    }
    text_format(out, ") arguments %d%s\n", kernel->argument_count, kernel->fails ? ", fails" : "");
    if (kernel->comment != NULL) {
        text_format(out, "    # %s\n", kernel->comment);
    }
    if (kernel->twins.count > 0) {
        text_format(out, "    # and %d more like it\n", kernel->twins.count);
    }
    print_locals(out, kernel->locals.at, kernel->locals.count);
    print_block(out, program, &kernel->body, 1);
}

static void print_place(Text *out, const Program *program, const Buffer *buffer) {
    print_buffer_name(out, buffer);
    text_format(out, ": %s[%lld] ", element_name(buffer->element), (long long)buffer->count);
    switch (buffer->kind) {
    case BUFFER_FIELD:
        text_format(out, "%s field %d%s%s\n", group_name((GroupKind)buffer->group), buffer->field,
                    buffer->optional ? ", optional" : "",
                    buffer->default_one ? ", 1 if not given" : "");
        break;
    case BUFFER_WORKSPACE:
        text_format(out, "workspace at %zu", buffer->offset);
        if (buffer->behind > 0) {
            text_format(out, ", %lld more may be read", (long long)buffer->behind);
        }
        if (buffer->result != NULL) {
            text_format(out, ", or %s.%d", buffer->result->name, buffer->result->id);
        }
        text_add(out, "\n");
        break;
    case BUFFER_CONSTANT: text_add(out, "constant\n"); break;
    }
}

void print_loops(Text *out, const Program *program) {
    text_format(out, "program %s\n\n", program->name != NULL ? program->name : "");
    for (int i = 0; i < program->buffers.count; i++) {
        text_add(out, "buffer ");
        print_place(out, program, program->buffers.at[i]);
    }
    for (int i = 0; i < program->kernels.count; i++) {
        print_kernel(out, program, program->kernels.at[i]);
    }
    for (int i = 0; i < program->entries.count; i++) {
        const Entry *entry = program->entries.at[i];
        text_format(out, "\nentry %s, workspace %zu bytes\n", entry->name, entry->workspace_bytes);
        print_locals(out, entry->locals.at, entry->locals.count);
        print_block(out, program, &entry->body, 1);
    }
}
