// Programs of the loop form made by hand, for tests of the C emitter: a scalar is computed where
// the function that makes it is called.
#ifndef TDSL_TESTS_PRODUCTS_SUPPORT_BUILD_H
#define TDSL_TESTS_PRODUCTS_SUPPORT_BUILD_H

#include "codegen/loops.h"

typedef struct Maker {
    Arena *arena;
    DimTable *dims;
    Program *program;
    Kernel *kernel; // being made, or
    Entry *entry;
    VEC(Block *) blocks; // open ones, the innermost last
} Maker;

Maker start_program(Arena *arena, const char *name);

// Buffers.
Buffer *add_temporary(Maker *maker, const char *name, ElementType element, int64_t count,
                      size_t offset);
Buffer *add_constant(Maker *maker, const char *name, ElementType element, int64_t count,
                     const void *data);
// A parameter of the kernel being made.
Buffer *add_parameter(Maker *maker, const char *name, ElementType element, int64_t count,
                      bool written);

// Kernels and entries; what is made until the next start goes into their bodies.
Kernel *start_kernel(Maker *maker, const char *name, const char *comment);
Entry *start_entry(Maker *maker, const char *name);
// A field of the entry: a vector of `count` elements, or for count 0 a scalar.
Buffer *add_field(Maker *maker, GroupKind group, const char *name, ElementType element,
                  int64_t count);
// A field that the entry does not use.
void add_unused_field(Maker *maker, GroupKind group, const char *name, ElementType element,
                      int64_t count);

// Scalars.
Scalar *make_integer(Maker *maker, ElementType type, int64_t value);
Scalar *make_real(Maker *maker, ElementType type, double value);
Scalar *make_argument(Maker *maker, int number);
Scalar *make(Maker *maker, ScalarOp op, ElementType type, Scalar *x, Scalar *y, Scalar *z);
Scalar *make_libm(Maker *maker, const char *name, Scalar *x, Scalar *y);
Scalar *make_load(Maker *maker, Buffer *buffer, Scalar *index);
Scalar *make_read(Maker *maker, Local *local, Scalar *index);
Local *add_local(Maker *maker, const char *name, ElementType type, int count);
int add_site(Maker *maker, const char *message);

// Statements.
void add_store(Maker *maker, Buffer *buffer, Scalar *index, Scalar *value);
void add_set(Maker *maker, Local *local, Scalar *index, Scalar *value);
void add_fail(Maker *maker, Scalar *condition, int site);
void add_copy(Maker *maker, Buffer *from, Buffer *to);
void add_zero(Maker *maker, Buffer *buffer);
void add_call(Maker *maker, Kernel *kernel, Buffer *const *buffers, Scalar *const *arguments);
// Opens a loop of `extent` iterations; its index.
Scalar *open_loop(Maker *maker, const char *name, int64_t extent);
Scalar *open_loop_to(Maker *maker, const char *name, Scalar *extent);
Statement *open_if(Maker *maker, Scalar *condition);
void open_present(Maker *maker, Buffer *buffer);
Statement *open_while(Maker *maker);
// From the body of a while or an if to its `otherwise`; the condition ends the body of a while.
void open_otherwise(Maker *maker, Statement *statement, Scalar *condition);
void close_block(Maker *maker);

#endif
