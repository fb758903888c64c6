// Types of IR values: an element type and a shape.
#ifndef TDSL_IR_TYPE_H
#define TDSL_IR_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/dim.h"

// In the order of promotion: the later wins when two meet (as PyTorch's, for these types).
typedef enum ElementType {
    TYPE_BOOL, // one byte, 0 or 1
    TYPE_I32,
    TYPE_I64,
    TYPE_F32,
    TYPE_F64,
    ELEMENT_TYPE_COUNT
} ElementType;

typedef struct Type {
    ElementType element;
    int rank;               // 0: a scalar
    const Dim *const *dims; // `rank` of them, outermost first; NULL for scalars
} Type;

static inline bool element_is_real(ElementType element) {
    return element == TYPE_F32 || element == TYPE_F64;
}
static inline bool element_is_integer(ElementType element) {
    return element == TYPE_I32 || element == TYPE_I64;
}
const char *element_name(ElementType element); // "f32"
bool element_from_name(const char *name, ElementType *element);
size_t element_bytes(ElementType element);

Type type_scalar(ElementType element);
// A type with constant dimensions.
Type type_of_sizes(DimTable *table, Arena *arena, ElementType element, int rank,
                   const int64_t *sizes);
Type type_with_element(Type type, ElementType element); // same shape
Type type_copy(Arena *arena, Type type);                // with its dimensions in `arena`
bool type_equal(Type x, Type y);
bool shape_equal(Type x, Type y);
// All dimensions known?
bool type_is_static(Type type);
// Number of elements and of bytes; an internal error for symbolic shapes. Checked where types are
// built (type_fits), so these cannot overflow.
int64_t type_elements(Type type);
size_t type_bytes(Type type);
// False if a known dimension is negative, or the known dimensions other than 0 multiply to 2^46 or
// more.
bool type_fits(Type type);
// The product of all dimensions as a Dim; NULL if it overflows.
const Dim *type_size(DimTable *table, Type type);

void type_print(Text *out, Type type); // `f32[B,64]`, `f32`
const char *type_string(Arena *arena, Type type);

#endif
