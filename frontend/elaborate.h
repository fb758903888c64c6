// The elaborator: from a syntax tree to typed IR. Names, types and shapes are checked here;
// whatever it accepts is sound IR. Every mistake of the user is reported at its place, several in
// one run.
//
//     AstFile *tree = parse_source(&arena, &diags, file);
//     ElaboratedProgram program;
//     if (diags.error_count > 0 || !elaborate(&arena, &diags, tree, &options, &program)) ...
//
// Results live in `arena`. A model's functions call helper functions of the same module (OP_call);
// the inline pass removes the calls.
#ifndef TDSL_FRONTEND_ELABORATE_H
#define TDSL_FRONTEND_ELABORATE_H

#include "frontend/ast.h"
#include "ir/base/diag.h"
#include "ir/model.h"

// Reads an imported file: `name` is its path, made from the importing file's name and the path in
// the import, always below the importing file's folder. Returns the text (in `arena`) and its
// length, or NULL and *why, a phrase such as "no such file".
typedef const char *(*ImportReader)(void *context, Arena *arena, const char *name, size_t *length,
                                    const char **why);

typedef struct ElaborateOptions {
    ElementType real;           // what `real` means: TYPE_F32 or TYPE_F64
    bool f32_is_f64;            // every f32 of the program means f64 too: for gradient checks
    const DimBinding *bindings; // -D NAME=INT
    int binding_count;
    bool keep_symbolic; // dimensions without a binding stay symbolic even if they have a default
    const char *model_name;   // NULL: every model of the file
    ImportReader read_import; // NULL: imports are refused
    void *import_context;
} ElaborateOptions;

typedef struct ElaboratedProgram {
    Module *module;
    VEC(Model *) models; // of the file itself, in its order
    bool has_gaps; // some dimension has no value: what depends on it, perhaps an output, is missing
} ElaboratedProgram;

// False after errors were reported. Functions that no model calls are checked too. A binding of a
// dimension that no elaborated model has is an error.
bool elaborate(Arena *arena, Diags *diags, const AstFile *file, const ElaborateOptions *options,
               ElaboratedProgram *program);

// A dimension in a model's `< >`.
typedef struct ModelDimension {
    const char *name;
    Span span;
    bool has_default;
    bool is_known; // bound by the options, or by its default
    int64_t value; // if it is known
} ModelDimension;
typedef VEC(ModelDimension) ModelDimensionList;

// The dimensions of the named model (NULL: of the only one), for binding them from data. Defaults
// may use the dimensions before them. False after errors were reported.
bool model_dimensions(Arena *arena, Diags *diags, const AstFile *file,
                      const ElaborateOptions *options, ModelDimensionList *dimensions);

// The built-in functions and the prelude's, in the order of the alphabet, as the language reference
// prints them: `softmax(x, dim)` and one line of meaning.
typedef struct BuiltinDoc {
    const char *name;
    const char *signature;
    const char *meaning;
    const char *definition; // of a function of the prelude; NULL
    Op op;                  // of which it is the whole; OP_COUNT
} BuiltinDoc;
typedef VEC(BuiltinDoc) BuiltinDocList;
void list_builtins(Arena *arena, BuiltinDocList *docs);

#endif
