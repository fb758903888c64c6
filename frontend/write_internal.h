// Inside the writer of programs (write_source.h) only.
//
// Each instruction has a Form, its text with places for operands. From the forms follows which
// values are asked for, and how often. A value that is asked for once, near, and has no name of its
// own is written inside of the expression that uses it; each other value gets a variable.
#ifndef TDSL_FRONTEND_WRITE_INTERNAL_H
#define TDSL_FRONTEND_WRITE_INTERNAL_H

#include "frontend/value_bounds.h"
#include "frontend/write_source.h"
#include "ir/op.h"

// How tightly an expression binds; docs/grammar.md.
typedef enum Precedence {
    BINDS_NOT, // anything
    BINDS_CHOICE,
    BINDS_OR,
    BINDS_AND,
    BINDS_LOGICAL_NOT,
    BINDS_COMPARISON,
    BINDS_SUM,
    BINDS_PRODUCT,
    BINDS_SIGN,
    BINDS_POWER,
    BINDS_ATOM
} Precedence;

typedef struct Piece {
    const char *text; // NULL: value
    Value *value;
    Precedence needs; // looser expressions are put in parentheses
} Piece;

typedef VEC(Piece) PieceList;

typedef enum FormKind {
    FORM_EXPRESSION,
    FORM_STORE,  // name[pieces] = stored, after name = base
    FORM_REGIONS // loops and branches; calls with more or fewer results than one
} FormKind;

typedef struct Form {
    FormKind kind;
    Precedence precedence;
    PieceList pieces;
    Value *base;        // FORM_STORE
    const char *assign; // " = " or " += "
    PieceList stored;
} Form;

// What is planned for a value, or for the instruction of which it is the first result.
typedef struct ValuePlan {
    Form *form; // of the instruction
    int uses;
    const Inst *user; // of the last use found; NULL: a region yields it
    bool is_inlined;
    const char *name;
    int position; // of the instruction in its region
    int length;   // of its expression, in characters, nearly
} ValuePlan;

typedef struct Writer {
    Text *out;
    Arena arena; // for the writer alone
    const SourceModel *model;
    const Function *function; // the one being written
    ValuePlan *plans;         // of its values, by id
    BoundTable bounds;
    VEC(const char *) names; // taken in the function
    VEC(const char *) files; // names of functions of the file
    VEC(const Function *) functions;
    VEC(const char *) function_names;
    int level; // of blocks
    int file, line;
} Writer;

static inline ValuePlan *plan_of(Writer *w, const Value *value) {
    return &w->plans[value->id];
}

// ---- forms (write_form.c, write_index.c)

Form *make_form(Writer *w, Inst *inst);
void add_text(Writer *w, PieceList *pieces, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The operand; a constant scalar is written in its place, with its type unless `adapts`.
void add_value(Writer *w, PieceList *pieces, Value *value, Precedence needs, bool adapts);
bool is_scalar_constant(const Value *value);
const char *dims_text(Writer *w, Dims dims); // "[2, 3]"
// The subscripts that read, or store, `shape` elements of a tensor at these indices. False if
// subscripts cannot say it.
bool add_subscripts(Writer *w, PieceList *pieces, Type tensor, Value *const *indices, Type shape,
                    bool *has_array);
bool add_slices(Writer *w, PieceList *pieces, const Inst *slice, const Inst *reshape);
// The name of a function of the language, if no variable hides it.
bool is_callable_name(Writer *w, const char *name);
const char *zeros_text(Writer *w, Type type);

// ---- plans (write_plan.c)

void plan_function(Writer *w, const Function *function);
// After the parameters, and the results that must have certain names, have them.
void name_function(Writer *w);
const char *new_name(Writer *w, const char *wanted);
const char *function_name(Writer *w, const Function *function);
bool is_reserved_name(const char *name);

// ---- code (write_code.c)

void write_pieces(Writer *w, Text *out, const PieceList *pieces);
void write_statements(Writer *w, const Region *region);
void write_statement(Writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A value where any expression may stand.
const char *value_text(Writer *w, Value *value);

#endif
