// What lowering knows of a function: for each value whether it gets a place in
// memory, and for each region the list of nodes (a kernel each, or a loop or
// branch) in the order in which they run.
#ifndef TDSL_CODEGEN_LOWER_PLAN_H
#define TDSL_CODEGEN_LOWER_PLAN_H

#include "codegen/lower.h"
#include "ir/op.h"

typedef struct Node Node;

// Where a value has to go, besides the places that its readers want.
typedef struct Destination {
    Buffer *buffer; // an optional one: only if its pointer is not NULL
    bool accumulate;
    const Value *row; // a loop's index: the value becomes this row of the buffer;
                      // NULL: the whole
    int64_t row_elements;
} Destination;

typedef struct ValueState {
    bool needed;          // some result depends on it
    bool wanted;          // a reader asks for it in memory
    bool repeated;        // a reader computes each of its elements many times
    bool compared;        // the largest of its elements is looked for: see note_extreme
    bool shifted;         // some reader needs it at other places than its own
    bool costly;          // computing an element takes more than arithmetic, or goes on from a
                          // reduction, whose kernel has it at hand
    bool inner;           // used in a region inside the one that defines it
    bool reverse;         // depends on upstream gradients
    bool fallible;        // computing an element of it can fail
    bool materialised;    // computed by a node as its member; otherwise by each
                          // reader, in place
    bool stored;          // read from memory
    int uses;             // instructions that use it, and yields
    bool shared;          // several use it, or what it looks like in another shape
    int cost, depth;      // of computing an element from materialised values
    Node *node;           // of a materialised value
    const Inst *added_by; // a scatter that adds the value's elements to its result's buffer, when
                          // they are computed (join_scatters.c)
    Buffer *buffer;       // of a stored value; a row of it if `row` is set
    const Value *row;
    int64_t row_elements;
    bool replaced;        // a later value is stored in `buffer`
    bool kept_row;        // `buffer` has the room of one row of the node's point alone
    Scalar *entry_scalar; // a loop's index, in the entry
    VEC(Destination) destinations;
} ValueState;

// A materialised value (or parameter) that a value's computation reads. The
// first `prefix` indices are the first ones of the element that is computed.
typedef struct Read {
    const Value *value;
    int prefix;
} Read;
typedef VEC(Read) Reads;

typedef enum NodeKind {
    NODE_POINTS,  // values of one shape, point by point: elementwise work and
                  // reductions
    NODE_TILES,   // a matrix product in register tiles, and elementwise work on its
                  // result
    NODE_MOVE,    // concat, scatter, cumsum: kernels of their own
    NODE_CONTROL, // loop, branch
} NodeKind;

// A sum of a node's rows over all of its points, as the gradient of a bias: gathered while the rows
// are computed, and stored when all are.
typedef struct RowSum {
    const Value *value;
    int after; // members that come before it
} RowSum;

struct Node {
    NodeKind kind;
    int position; // in its region's list
    Type shape;
    const Inst *inst;           // of TILES, MOVE and CONTROL
    VEC(const Value *) members; // in program order
    VEC(RowSum) sums;           // of a node with rows
    Reads reads;
    bool stands_alone; // nothing joins it: a loop that is spread over lanes and threads, or what C
                       // puts in order
    bool by_columns;   // reductions accumulate rows of results
    bool has_reduction;
    bool has_long_reduction; // one that is a loop
    int64_t work;            // cost of all members
    Buffer *guard;           // the kernel runs only if this buffer is present
};

typedef VEC(Node *) Nodes;

// What happens at a point of a node with rows, in order: a member at the point,
// or rows computed in one loop (under a test of `purpose`, if they are for that
// optional buffer alone), with the sums that gather them and the members at the
// point that reduce them.
typedef struct RowStep {
    const Value *point;  // or NULL
    const Inst *control; // a small loop or branch, or NULL
    VEC(const Value *) rows;
    VEC(int) sums; // by number
    VEC(const Value *) folds;
    Buffer *purpose;
} RowStep;
typedef VEC(RowStep) RowSteps;

typedef struct ReaderList ReaderList; // read_bands.c

typedef struct Lowering {
    Program *program;
    Arena *arena;   // of the program
    Arena *scratch; // of this lowering
    const Function *function;
    const LowerOptions *options;
    Entry *entry;
    ValueState *values; // by id
    int *stamps;        // by id, for walks: the number of the walk that came last
    int walk;
    int fence;           // no later instruction of the region joins a node before this position
    Block *block;        // of the entry, where statements go
    ReaderList *readers; // by id, once somebody asks for them
} Lowering;

static inline ValueState *state_of(const Lowering *l, const Value *value) {
    return &l->values[value->id];
}
// Computed point by point from its operands' elements, if a reader wants it so.
bool is_inlinable(Op op);
bool is_reduction(Op op);               // reduce_*, argmax, argmin and contract
bool is_zero_value(const Value *value); // a constant of zeros, perhaps repeated (lower_control.c)
static inline bool is_loop_index(const Value *value) {
    return value->definition == NULL && value->region->owner != NULL && value->index == 0 &&
           value->region->owner->op == OP_loop;
}

// Marks what the results depend on, counts uses, and finds what readers want
// (fuse_needs.c).
void analyse_function(Lowering *l);
// Decides what is materialised in a region and groups it into nodes.
// Destinations are set before.
Nodes plan_region(Lowering *l, const Region *region);
// Gives the members of a region's nodes their buffers.
void place_values(Lowering *l, Nodes *nodes);
// (fuse_reads.c)
void collect_reads(Lowering *l, const Value *value, Reads *reads);
// The same for one operand of an instruction; l->walk was increased before.
void collect_operand_reads(Lowering *l, const Value *operand, Reads *reads);
// What computing an element of the value itself reads.
void collect_element_reads(Lowering *l, const Value *value, Reads *reads);
// Everything that a loop or branch reads from the outside.
void collect_control_reads(Lowering *l, const Inst *inst, Reads *reads);
// What a node's member reads, a loop or branch, too (fuse_rows.c).
void collect_member_reads(Lowering *l, const Value *value, Reads *reads);
// Whether the reads have `value`; with `elsewhere`, only those not at the point that is computed.
bool reads_value(const Reads *reads, const Value *value, bool elsewhere);
bool read_after(const Nodes *nodes, int position, const Value *value);
// Whether a value of the node may be stored in the place of `old`, which nothing needs any more
// then.
bool replaces_at_point(const Nodes *nodes, const Node *node, const Value *old);
// Rows (fuse_rows.c): a member whose shape is longer than the node's; the order
// of things at a point.
bool is_row_member(const Node *node, const Value *value);
bool continues_shape(Type whole, Type prefix);
RowSteps schedule_rows(Lowering *l, const Node *node);
void place_rows(Lowering *l, const Node *node);
// Stores temporaries of a node, which have their buffers, in those of others that end in it
// (fuse_in_place.c).
void store_in_place(Lowering *l, const Nodes *nodes, const Node *node);
// What is kept apart in C (fuse_for_c.c): a result of a product's tile; a value that its readers
// would otherwise compute.
bool is_mask_of_short_rows(const Lowering *l, const Node *node, const Value *value);
bool puts_parts_in_order(const Lowering *l, const Inst *inst);
// A reduction of rows that a loop over their elements can gather.
bool can_fold(const Lowering *l, const Node *node, const Value *value);
// Whether a long row, which depends on nothing in the node, is cheap to compute while the node
// reduces what both read.
bool can_go_beside(const Lowering *l, const Node *node, const Value *value, const Reads *reads);
// The shape of what a step computes in a loop.
Type step_shape(const Node *node, const RowStep *step);
// Whether the node can gather the sum; what an element of its operand reads.
bool can_sum_rows(Lowering *l, const Node *node, const Value *value, Reads *reads);
bool is_row_sum(const Node *node, const Value *value);
// The rows that the node's sum of that number adds.
const Value *summed_rows(const Node *node, int sum);
// The optional buffer that is all a value is computed for, or NULL.
Buffer *only_purpose(const Lowering *l, const Value *value);
// Whether stores in optional buffers are tested one by one, in the kernel.
bool stores_conditionally(const Node *node);
// Loops and branches that become part of a kernel of scalars (lower_small.c).
bool is_small_control(const Lowering *l, const Inst *inst);
// A loop whose iterations may be computed side by side, in vectors.
bool is_wide_loop(const Lowering *l, const Inst *inst);
// A function of a few small values is one kernel without loops, but for its own (lower_small.c).
typedef struct SmallResult {
    Buffer *buffer;
    bool accumulate;
} SmallResult;
bool is_small_function(const Lowering *l);
void lower_small_function(Lowering *l, const SmallResult *results); // one for each of its results
// A result of a loop or branch that runs in the entry, which no kernel stores.
bool is_entry_result(const Lowering *l, const Value *value);
bool is_stack(const Value *value); // a loop's result with a row for each iteration
// So few elements that they are written out (lower_reduce.c).
bool is_small_reduction(const Value *value);
// The contraction that is worth register tiles (lower_contract.c): the instruction, or what stands
// for a sum of squared differences; else NULL.
const Inst *tiled_product(const Lowering *l, const Inst *inst);
// The operand of a product of matrices of which one tile has all rows, so that each of its elements
// is read once and may be computed there; or -1 (lower_outer.c).
int operand_read_once(const Lowering *l, const Inst *product);
bool reduces_by_columns(Lowering *l, const Value *value); // lower_reduce.c
// The value that an affine view of it reads: through transposes, slices,
// broadcasts and reshapes.
const Value *view_source(const Value *value);
// A gather whose indices are sums of multiples of the result's: windows, steps.
bool is_affine_gather(const Inst *inst);

Buffer *new_workspace_buffer(Lowering *l, Type type, const char *name);
Buffer *new_buffer(Program *program, BufferKind kind, Type type, const char *name);
// Static sizes of a type, in `arena`.
int64_t *type_sizes(Arena *arena, Type type);
int64_t type_size_at(Type type, int axis);
// Interval of an integer value's elements, as far as the program shows it.
bool value_range(const Value *value, int64_t *low, int64_t *high);

// Emitting (lower_*.c). Statements go to l->block.
void lower_nodes(Lowering *l, Nodes *nodes);
void lower_points(Lowering *l, Node *node);
void lower_tiles(Lowering *l, Node *node);
void lower_move(Lowering *l, Node *node);
// Lets tiles of products add their results where a scatter would, which goes from the list: of a
// loop's body, whose scatters have got the buffers that they happen in.
void join_scatters(Lowering *l, Nodes *nodes);
void lower_control(Lowering *l, Node *node);
// A kernel that stores a value (of any kind) at a destination; for values not
// computed by a node.
void lower_copy(Lowering *l, const Value *value, Destination destination);
// Makes all destinations of a value that is stored, after its node ran.
void lower_destinations(Lowering *l, const Value *value);
void add_entry_statement(Lowering *l, Statement statement);
Block *begin_entry_present(Lowering *l,
                           Buffer *buffer); // returns the block to go back to
int program_site(Program *program, Span span, const char *message);
// What a loop with a condition fails with at its limit.
const char *limit_message(Program *program, const Inst *loop);
Scalar *entry_scalar(Lowering *l, Scalar proto); // computed here

#endif
