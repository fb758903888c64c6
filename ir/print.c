// The printer of the text form (docs/ir.md). Every value gets its name before anything is printed:
// the user's name, made unique in the function, or %0, %1, ... The order of definition decides, so
// text that was parsed is printed back byte for byte.
#include <string.h>

#include "ir/attribute.h"
#include "ir/name_table.h"
#include "ir/op.h"
#include "ir/text_form.h"

typedef struct Printer {
    Text *out;
    const Function *function;
    Arena scratch;      // names; freed at the end
    const char **names; // by value id
    NameTable bases;    // how often each base name was used, as a pointer's offset
    int temporaries;
} Printer;

static const char *unique_name(Printer *p, const char *wanted) {
    const char *base = base_name(&p->scratch, wanted);
    int **used = (int **)name_table_place(&p->bases, base);
    if (!*used) {
        *used = arena_new(&p->scratch, int);
        return base;
    }
    return arena_format(&p->scratch, "%s.%d", base, ++**used);
}

static void name_value(Printer *p, const Value *value, const char *wanted) {
    if (value->id < 0 || value->id >= p->function->value_count) {
        return;
    }
    p->names[value->id] =
        wanted ? unique_name(p, wanted) : arena_format(&p->scratch, "%%%d", p->temporaries++);
}

static void name_region(Printer *p, const Region *region) {
    for (int i = 0; i < region->parameters.count; i++) {
        const Value *value = region->parameters.at[i];
        const char *slot_name = region->owner ? NULL : p->function->parameters[i].name;
        name_value(p, value, slot_name ? slot_name : value->name);
    }
    for_each_inst(inst, region) {
        for (int i = 0; i < inst->result_count; i++) {
            name_value(p, inst->results[i], inst->results[i]->name);
        }
        for (int i = 0; i < inst->region_count; i++) {
            name_region(p, inst->regions[i]);
        }
    }
}

// A value of another function, which only a broken module has, is printed as `?`.
static const char *printed_name(const Printer *p, const Value *value) {
    bool is_ours = value && value->region && value->region->function == p->function &&
                   value->id >= 0 && value->id < p->function->value_count;
    const char *name = is_ours ? p->names[value->id] : NULL;
    return name ? name : "?";
}

static void add_quoted(Text *out, const char *text) {
    text_add_char(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            text_add_char(out, '\\');
            text_add_char(out, *text);
        } else if (c < 0x20 || c >= 0x7f) {
            text_format(out, "\\x%02x", c);
        } else {
            text_add_char(out, *text);
        }
    }
    text_add_char(out, '"');
}

static void add_name(Text *out, const char *name) {
    if (is_plain_name(name)) {
        text_add(out, name);
    } else {
        add_quoted(out, name);
    }
}

static void print_values(Printer *p, Value *const *values, int count) {
    for (int i = 0; i < count; i++) {
        text_add(p->out, i ? ", " : "");
        text_add(p->out, printed_name(p, values[i]));
    }
}

static void print_dims(Text *out, Dims dims) {
    text_add_char(out, '[');
    for (int i = 0; i < dims.count; i++) {
        text_add(out, i ? ", " : "");
        dim_print(out, dims.at[i]);
    }
    text_add_char(out, ']');
}

static void print_ints(Text *out, Ints ints) {
    text_add_char(out, '[');
    for (int i = 0; i < ints.count; i++) {
        text_format(out, "%s%d", i ? ", " : "", ints.at[i]);
    }
    text_add_char(out, ']');
}

static void print_field(Text *out, FieldKind kind, const void *member) {
    switch (kind) {
    case FIELD_ELEMENT: text_add(out, element_name(*(const ElementType *)member)); break;
    case FIELD_DIMS: print_dims(out, *(const Dims *)member); break;
    case FIELD_DIM: dim_print(out, *(const Dim *const *)member); break;
    case FIELD_INTS: print_ints(out, *(const Ints *)member); break;
    case FIELD_INT: text_format(out, "%d", *(const int *)member); break;
    case FIELD_FLAG: text_add(out, *(const bool *)member ? "true" : "false"); break;
    case FIELD_TEXT: add_quoted(out, *(const char *const *)member); break;
    case FIELD_FUNCTION: add_name(out, (*(Function *const *)member)->name); break;
    }
}

static void print_attribute(Text *out, AttributeKind kind, const Attribute *attr) {
    int count = 0;
    const AttributeField *fields = attribute_fields(kind, &count);
    const char *separator = " {";
    for (int i = 0; i < count; i++) {
        const void *member = (const char *)attr + fields[i].offset;
        if (fields[i].kind == FIELD_FLAG && !*(const bool *)member) {
            continue;
        }
        text_format(out, "%s%s = ", separator, fields[i].name);
        print_field(out, fields[i].kind, member);
        separator = ", ";
    }
    text_add(out, count ? "}" : "");
}

static void print_element(Text *out, const TensorData *data, int64_t position) {
    const void *bytes = data->bytes;
    switch (data->type.element) {
    case TYPE_BOOL:
        text_add(out, ((const unsigned char *)bytes)[position] ? "true" : "false");
        break;
    case TYPE_I32: text_format(out, "%lld", (long long)((const int32_t *)bytes)[position]); break;
    case TYPE_I64: text_format(out, "%lld", (long long)((const int64_t *)bytes)[position]); break;
    case TYPE_F32: text_add_real(out, (double)((const float *)bytes)[position], true); break;
    case TYPE_F64: text_add_real(out, ((const double *)bytes)[position], false); break;
    case ELEMENT_TYPE_COUNT: unreachable("not an element type");
    }
}

// Nested lists along the axes from `axis` on; `position` is the next element's.
static void print_data(Text *out, const TensorData *data, int axis, int64_t *position) {
    if (axis == data->type.rank) {
        print_element(out, data, (*position)++);
        return;
    }
    int64_t size = dim_value(data->type.dims[axis]);
    text_add_char(out, '[');
    for (int64_t i = 0; i < size; i++) {
        text_add(out, i ? ", " : "");
        print_data(out, data, axis + 1, position);
    }
    text_add_char(out, ']');
}

void print_tensor(Text *out, const TensorData *data) {
    int64_t position = 0;
    print_data(out, data, 0, &position);
}

static void indent(Printer *p, int level) {
    for (int i = 0; i < level; i++) {
        text_add(p->out, "  ");
    }
}

static void print_region_body(Printer *p, const Region *region, int level);

static void print_region(Printer *p, const Inst *inst, int index, int level) {
    const Region *region = inst->regions[index];
    static const char *const loop_words[] = {"body", "condition"};
    static const char *const branch_words[] = {"then", "else"};
    const char *word = index > 1               ? "?"
                       : inst->op == OP_branch ? branch_words[index]
                                               : loop_words[index];
    indent(p, level);
    text_add(p->out, word);
    if (inst->op == OP_loop) {
        text_add_char(p->out, '(');
        for (int i = 0; i < region->parameters.count; i++) {
            const Value *value = region->parameters.at[i];
            text_format(p->out, "%s%s: ", i ? ", " : "", printed_name(p, value));
            type_print(p->out, value->type);
        }
        text_add_char(p->out, ')');
    }
    text_add(p->out, " {\n");
    print_region_body(p, region, level + 1);
    indent(p, level);
    text_add(p->out, "}\n");
}

static void print_inst(Printer *p, const Inst *inst, int level) {
    const OpInfo *info = op_info(inst->op);
    indent(p, level);
    print_values(p, inst->results, inst->result_count);
    text_format(p->out, "%s%s", inst->result_count ? " = " : "", info->name);
    text_add(p->out, inst->operand_count ? " " : "");
    print_values(p, inst->operands, inst->operand_count);
    if (inst->op == OP_constant && inst->attr.data) {
        text_add_char(p->out, ' ');
        print_tensor(p->out, inst->attr.data);
    }
    print_attribute(p->out, info->attribute, &inst->attr);
    for (int i = 0; i < inst->result_count; i++) {
        text_add(p->out, i ? ", " : " : ");
        type_print(p->out, inst->results[i]->type);
    }
    if (inst->region_count) {
        text_add(p->out, " {\n");
        for (int i = 0; i < inst->region_count; i++) {
            print_region(p, inst, i, level + 1);
        }
        indent(p, level);
        text_add_char(p->out, '}');
    }
    text_add_char(p->out, '\n');
}

static void print_region_body(Printer *p, const Region *region, int level) {
    for_each_inst(inst, region) {
        print_inst(p, inst, level);
    }
    indent(p, level);
    text_add(p->out, region->owner ? "yield" : "return");
    text_add(p->out, region->yields.count ? " " : "");
    print_values(p, region->yields.at, region->yields.count);
    text_add_char(p->out, '\n');
}

static void print_role(Text *out, const Slot *slot) {
    if (slot->role != ROLE_VALUE) {
        text_format(out, " %s", role_name(slot->role));
    }
    text_add(out, slot->requires_grad ? " grad" : "");
}

static void print_parameter(Printer *p, int index) {
    const Function *function = p->function;
    const Value *value = function->body->parameters.at[index];
    const Slot *slot = &function->parameters[index];
    text_format(p->out, "%s: ", printed_name(p, value));
    type_print(p->out, value->type);
    print_role(p->out, slot);
    if (slot->name && strcmp(slot->name, base_name(&p->scratch, slot->name)) != 0) {
        text_add(p->out, " as ");
        add_quoted(p->out, slot->name);
    }
}

static void print_signature(Printer *p) {
    const Function *function = p->function;
    text_add(p->out, "func ");
    add_name(p->out, function->name);
    text_add_char(p->out, '(');
    for (int i = 0; i < function->body->parameters.count; i++) {
        text_add(p->out, i ? ", " : "");
        print_parameter(p, i);
    }
    text_add(p->out, ") -> (");
    for (int i = 0; i < function->body->yields.count; i++) {
        text_add(p->out, i ? ", " : "");
        const Slot *slot = &function->results[i];
        if (slot->name) {
            add_name(p->out, slot->name);
            text_add(p->out, ": ");
        }
        type_print(p->out, function->body->yields.at[i]->type);
        print_role(p->out, slot);
    }
    text_add_char(p->out, ')');
    if (function->reverse) {
        text_add(p->out, " reverse ");
        add_name(p->out, function->reverse->name);
        text_add_char(p->out, ' ');
        print_ints(p->out, function->reverse_leaves);
    }
    text_add(p->out, " {\n");
}

void print_function(Text *out, const Function *function) {
    Printer p = {.out = out, .function = function};
    p.names = arena_array(&p.scratch, const char *, function->value_count);
    p.bases.arena = &p.scratch;
    name_region(&p, function->body);
    print_signature(&p);
    print_region_body(&p, function->body, 1);
    text_add(out, "}\n");
    arena_free(&p.scratch);
}

void print_module(Text *out, const Module *module) {
    for (int i = 0; i < module->functions.count; i++) {
        text_add(out, i ? "\n" : "");
        print_function(out, module->functions.at[i]);
    }
}
