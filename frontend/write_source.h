// Writes functions of the IR as a program of the language, which this compiler reads again: the
// adjoint of a model as `tdsl emit --stage=tdsl-adjoint` prints it. Names are the user's; loops and
// branches stay what they are; operators that the language has no other spelling for are called by
// their names in the IR (builtins_operator.c).
#ifndef TDSL_FRONTEND_WRITE_SOURCE_H
#define TDSL_FRONTEND_WRITE_SOURCE_H

#include "frontend/ast.h"
#include "ir/base/source.h"
#include "ir/model.h"

typedef struct SourceModel {
    const Sources *sources;
    const AstFile *tree; // that the model is from: initial values are copied from its text
    const Model *model;
    const DimBinding *dimensions; // of the model, with the values that they have
    int dimension_count;
} SourceModel;

// `function` is a function of the model that was optimised: its parameters are the leaves, and
// seeds; its results outputs, and gradients, which become outputs named grad_LEAF. All sizes are
// known.
void write_source(Text *out, const SourceModel *model, const Function *function);

#endif
