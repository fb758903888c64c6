// A function as a picture: the dot language of Graphviz.
#ifndef TDSL_LIBRARY_IR_GRAPH_H
#define TDSL_LIBRARY_IR_GRAPH_H

#include "ir/ir.h"

// Boxes for instructions, labelled with the user's names and types; parameters on top, results
// below; regions of loops and branches as clusters.
void print_graph(Text *out, const Function *function);

#endif
