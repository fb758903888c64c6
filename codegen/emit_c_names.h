// Identifiers of generated C: names of the user made safe, and unique where they are visible.
//
// A name that means something in C, C++ or their libraries (`double`, `class`, `I`, `j0`) gets one
// underscore at its end, and so does such a name that already ends in underscores: the map from
// names to fields stays one to one.
#ifndef TDSL_CODEGEN_EMIT_C_NAMES_H
#define TDSL_CODEGEN_EMIT_C_NAMES_H

#include "ir/base/arena.h"
#include "ir/base/vec.h"
#include "ir/type.h"

// A name of the user as a field of a public struct.
const char *c_field_name(Arena *arena, const char *name);
// Is it a keyword, a common macro or a function of the standard library?
bool c_name_is_reserved(const char *name);
// The type of a stored element: "float", "uint8_t".
const char *c_element_type(ElementType element);

typedef struct NameSlot NameSlot;

// Names visible at one point of the text, as a stack of scopes.
typedef struct Names {
    Arena *arena;
    NameSlot **buckets;
    VEC(NameSlot *) taken; // in the order taken
    VEC(int) scopes;       // taken.count when each open scope began
} Names;

Names names_new(Arena *arena);
void names_open_scope(Names *names);
// Names taken since the scope was opened are free again.
void names_close_scope(Names *names);
// A safe identifier like `wanted` (a letter is put first if need be; other characters become
// underscores; long names are cut) that differs from every visible one; it is visible from now on.
const char *names_take(Names *names, const char *wanted);

#endif
