// The manifest: what a binding generator needs to call a product, as JSON.
#include "codegen/emit_c.h"

#include <string.h>

#include "codegen/emit_c_names.h"
#include "codegen/product.h"

static void write_json_string(Text *out, const char *string) {
    text_add_char(out, '"');
    for (const char *c = string; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\') {
            text_format(out, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            text_format(out, "\\u%04x", byte);
        } else {
            text_add_char(out, *c);
        }
    }
    text_add_char(out, '"');
}

static void write_key(Text *out, int levels, const char *key) {
    text_indent(out, levels);
    write_json_string(out, key);
    text_add(out, ": ");
}

static void write_field(Text *out, const Program *program, GroupKind kind, int index,
                        const Field *field) {
    text_indent(out, 3);
    text_add(out, "{\"name\": ");
    write_json_string(out, field->name);
    text_add(out, ", \"field\": ");
    write_json_string(out, c_field_name(out->arena, field->name));
    text_format(out, ", \"dtype\": \"%s\", \"shape\": [", element_name(field->type.element));
    for (int axis = 0; axis < field->type.rank; axis++) {
        text_format(out, "%s%lld", axis ? ", " : "", (long long)dim_value(field->type.dims[axis]));
    }
    text_format(out, "], \"bytes\": %zu, \"const\": %s}", type_bytes(field->type),
                product_field_is_const(program, kind, index) ? "true" : "false");
}

static void write_groups(Text *out, const Program *program) {
    write_key(out, 1, "groups");
    text_add(out, "{");
    bool any = false;
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        const Group *group = product_group(program, (GroupKind)kind);
        if (!group) {
            continue;
        }
        text_add(out, any ? ",\n" : "\n");
        write_key(out, 2, group_name((GroupKind)kind));
        text_add(out, "[\n");
        for (int i = 0; i < group->fields.count; i++) {
            write_field(out, program, (GroupKind)kind, i, &group->fields.at[i]);
            text_add(out, i + 1 < group->fields.count ? ",\n" : "\n");
        }
        text_indent(out, 2);
        text_add(out, "]");
        any = true;
    }
    text_add(out, any ? "\n    },\n" : "},\n");
}

// The names of the fields that the entry needs (or, of those it uses, does not need).
static void write_field_names(Text *out, const Entry *entry, const char *key, bool needed) {
    write_key(out, 3, key);
    text_add(out, "{");
    bool any = false;
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        const Group *group = &entry->groups[kind];
        if (!group->used) {
            continue;
        }
        text_format(out, "%s\"%s\": [", any ? ", " : "", group_name((GroupKind)kind));
        any = true;
        const char *comma = "";
        for (int i = 0; i < group->fields.count; i++) {
            if (group->fields.at[i].buffer &&
                entry_needs_field(entry, (GroupKind)kind, i) == needed) {
                text_add(out, comma);
                write_json_string(out, group->fields.at[i].name);
                comma = ", ";
            }
        }
        text_add(out, "]");
    }
    text_add(out, "}");
}

static void write_entry(Text *out, const Program *program, const Entry *entry) {
    text_indent(out, 2);
    text_add(out, "{\n");
    write_key(out, 3, "name");
    write_json_string(out, entry->name);
    text_add(out, ",\n");
    write_key(out, 3, "symbol");
    write_json_string(out, entry_symbol(out->arena, program, entry));
    text_add(out, ",\n");
    write_key(out, 3, "parallel_symbol");
    if (entry_is_parallel(entry)) {
        write_json_string(out, loaded_symbol(out->arena, program, entry));
    } else {
        text_add(out, "null");
    }
    text_add(out, ",\n");
    write_key(out, 3, "arguments");
    text_add(out, "[");
    for (int kind = 0; kind < GROUP_COUNT; kind++) {
        if (entry->groups[kind].used) {
            text_format(out, "\"%s\", ", group_name((GroupKind)kind));
        }
    }
    text_add(out, "\"workspace\"],\n");
    write_field_names(out, entry, "required", true);
    text_add(out, ",\n");
    write_field_names(out, entry, "optional", false);
    text_format(out, ",\n            \"workspace_bytes\": %zu\n        }", entry->workspace_bytes);
}

static void write_statuses(Text *out, const Program *program) {
    write_key(out, 1, "statuses");
    text_add(out, "[\n");
    int count = STATUS_FIRST_SITE + program->sites.count;
    for (int status = 0; status < count; status++) {
        Text message = text_new(out->arena);
        print_status(&message, program, status);
        text_indent(out, 2);
        write_json_string(out, text_string(&message));
        text_add(out, status + 1 < count ? ",\n" : "\n");
    }
    text_add(out, "    ]\n");
}

void emit_manifest(Text *out, const Program *program) {
    text_add(out, "{\n");
    write_key(out, 1, "generator");
    text_add(out, "\"tdsl " TDSL_VERSION "\",\n");
    write_key(out, 1, "abi_version");
    text_format(out, "%d,\n", PRODUCT_ABI_VERSION);
    write_key(out, 1, "model");
    write_json_string(out, program->name);
    text_add(out, ",\n");
    write_groups(out, program);
    write_key(out, 1, "entries");
    text_add(out, "[\n");
    for (int i = 0; i < program->entries.count; i++) {
        write_entry(out, program, program->entries.at[i]);
        text_add(out, i + 1 < program->entries.count ? ",\n" : "\n");
    }
    text_add(out, "    ],\n");
    write_key(out, 1, "workspace_bytes");
    text_format(out, "%zu,\n", product_workspace_bytes(program));
    write_key(out, 1, "workspace_alignment");
    text_format(out, "%d,\n", WORKSPACE_ALIGNMENT);
    write_statuses(out, program);
    text_add(out, "}\n");
}
