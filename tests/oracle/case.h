// Cases of the gradient oracle: PyTorch's answers in the text format `tdsl-oracle 1`.
#ifndef TDSL_TESTS_ORACLE_CASE_H
#define TDSL_TESTS_ORACLE_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/base/vec.h"
#include "library/tdsl.h"

enum { CASE_MAX_RANK = 64 };

typedef struct CaseTensor {
    const char *name;
    const char *dtype; // "f64", "u8", ...
    int rank;
    int64_t shape[CASE_MAX_RANK];
    int64_t count;
    bool requires_grad;
    bool is_none;      // grad NAME none
    double *reals;     // of real dtypes
    int64_t *integers; // of the others
} CaseTensor;

typedef struct CaseAttribute {
    const char *name;
    const char *kind; // b i f s il fl none
    const char *value;
} CaseAttribute;

// An argument in the order of the file: a tensor or an attribute.
typedef struct CaseArgument {
    int tensor, attribute; // index, or -1
} CaseArgument;

typedef struct Case {
    const char *id, *op;
    const char *note;  // "" if none
    const char *error; // PyTorch refuses; NULL: it does not
    VEC(const char *) expressions;
    VEC(CaseTensor) inputs, outputs, seeds, gradients;
    VEC(CaseAttribute) attributes;
    VEC(CaseArgument) arguments;
    double relative, absolute; // tolerance
    bool has_nan_output;
    bool supported; // only element types that tdsl has
} Case;

typedef VEC(Case *) CaseList;

// Appends the cases of a file. False after printing what is wrong with it.
bool read_cases(Arena *arena, const char *path, CaseList *cases);
bool element_of(const char *dtype, TdslElement *element);
const CaseTensor *find_tensor(const CaseTensor *tensors, int count, const char *name);

// A case of program.txt: its source is a function of programs.tdsl.
bool is_program(const Case *test);

// The case as statements of a model, every name prefixed with `prefix`: declarations of its leaves,
// its computation, and `output` lines. `form` is 0, 1, ...: the forms in which arguments may be
// passed (by name, by place). NULL if there is no such form.
const char *case_statements(Arena *arena, const Case *test, const char *prefix, int form);

#endif
