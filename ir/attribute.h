// The fields of Attribute that each kind of operator uses, as data: the printer, the parser and the
// verifier walk this table instead of knowing operators.
#ifndef TDSL_IR_ATTRIBUTE_H
#define TDSL_IR_ATTRIBUTE_H

#include <stddef.h>

#include "ir/ir.h"

typedef enum FieldKind {
    FIELD_ELEMENT,  // ElementType
    FIELD_DIMS,     // Dims
    FIELD_DIM,      // const Dim *
    FIELD_INTS,     // Ints
    FIELD_INT,      // int
    FIELD_FLAG,     // bool; written only where true
    FIELD_TEXT,     // const char *
    FIELD_FUNCTION, // Function *
} FieldKind;

typedef struct AttributeField {
    const char *name;
    FieldKind kind;
    size_t offset; // in Attribute
} AttributeField;

enum { ATTRIBUTE_FIELDS_MAX = 4 };

// The fields that are written between braces; *count of them. ATTRIBUTE_constant has none (its data
// is written in the place of operands), ATTRIBUTE_iota has its axis (element and shape are those of
// the result type, which is always written).
const AttributeField *attribute_fields(AttributeKind kind, int *count);

// `input`, `gradient`, ...; empty for ROLE_VALUE, which is not written.
const char *role_name(Role role);
bool role_from_name(const char *name, Role *role);

#endif
