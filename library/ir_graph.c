// Prints a function for Graphviz: one node a value, one edge a use.
#include "library/ir_graph.h"

#include "ir/op.h"

static void print_label(Text *out, const char *head, const Value *value) {
    text_add(out, head);
    if (value->name)
        text_format(out, "\\n%s", value->name);
    text_add(out, "\\n");
    type_print(out, value->type);
}

static void print_parameters(Text *out, const Region *region, const char *head, int level) {
    for (int i = 0; i < region->parameters.count; i++) {
        const Value *value = region->parameters.at[i];
        text_indent(out, level);
        text_format(out, "v%d [shape=ellipse, label=\"", value->id);
        print_label(out, head, value);
        text_add(out, "\"];\n");
    }
}

static void print_region(Text *out, const Region *region, int level, int *cluster);

static void print_inst(Text *out, const Inst *inst, int level, int *cluster) {
    for (int i = 0; i < inst->region_count; i++) {
        text_indent(out, level);
        text_format(out, "subgraph cluster_%d {\n", (*cluster)++);
        text_indent(out, level + 1);
        text_format(out, "label=\"%s\";\n", op_info(inst->op)->name);
        print_parameters(out, inst->regions[i], "carried", level + 1);
        print_region(out, inst->regions[i], level + 1, cluster);
        text_indent(out, level);
        text_add(out, "}\n");
    }
    for (int i = 0; i < inst->result_count; i++) {
        text_indent(out, level);
        text_format(out, "v%d [label=\"", inst->results[i]->id);
        print_label(out, op_info(inst->op)->name, inst->results[i]);
        text_add(out, "\"];\n");
        for (int k = 0; k < inst->operand_count; k++) {
            text_indent(out, level);
            text_format(out, "v%d -> v%d;\n", inst->operands[k]->id, inst->results[i]->id);
        }
        for (int k = 0; k < inst->region_count; k++)
            if (i < inst->regions[k]->yields.count) {
                text_indent(out, level);
                text_format(out, "v%d -> v%d [style=dashed];\n", inst->regions[k]->yields.at[i]->id,
                            inst->results[i]->id);
            }
    }
}

static void print_region(Text *out, const Region *region, int level, int *cluster) {
    for_each_inst(inst, region) print_inst(out, inst, level, cluster);
}

void print_graph(Text *out, const Function *function) {
    int cluster = 0;
    text_format(out, "digraph \"%s\" {\n    node [shape=box, fontname=\"sans-serif\"];\n",
                function->name);
    print_parameters(out, function->body, "", 1);
    print_region(out, function->body, 1, &cluster);
    for (int i = 0; i < function->body->yields.count; i++)
        text_format(out, "    r%d [shape=doubleoctagon, label=\"%s%s\"];\n    v%d -> r%d;\n", i,
                    function->results[i].role == ROLE_GRADIENT ? "gradient of " : "",
                    function->results[i].name, function->body->yields.at[i]->id, i);
    text_add(out, "}\n");
}
