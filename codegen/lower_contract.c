// Contractions in register tiles: which axes run along vectors, which along the rows and columns of
// a tile, and in which order the others run around it.
//
// Either vectors lie along an axis of the result (lower_outer.c), where one operand is contiguous
// along it or is packed so, or along a contracted axis along which both are (lower_dots.c): long
// inner products then need neither packing nor transposed stores. Operands are read where they
// are, through transposes, slices and windows; strides decide, found by a probe. Shapes are known,
// so the tiles at the edges are exact.
#include "codegen/lower_contract.h"

#include <string.h>

enum {
    FEWEST_ROWS = 3, // below: no reuse worth a tile
    FEWEST_COLUMNS = 3,
    FEWEST_TERMS = 4,
    FEWEST_PRODUCTS = 256,   // below: no work worth a tile
    SHORTEST_BLOCK = 256,    // terms between two visits of the results
    LONG_SUM = 8192,         // terms of f32 that are not added one by one any more
    SUM_BLOCK = 2048,        // but so many
    USUAL_CACHE = 1 << 20,   // bytes that had better stay in the cache between tiles
    FAR = 1024,              // bytes between rows that are packed if they are read often
    FEWEST_FOR_PACKING = 64, // rows
    FEWEST_FOR_LEFT = 64,    // columns
    LARGE_TERMS = 128,       // more of one row than this part of the cache are taken in blocks
    USUAL_TERMS = 256,       // the part of the cache that such a block is
    SMALL_TERMS = 1024,
    LAST_CACHE = 8,      // times the second one
    BYTES_IN_CYCLE = 16, // from beyond it
    LINE_BYTES = 64,
    PAGE = 4096,
    CACHE_SETS = 64 // of the first cache
};

typedef struct Label {
    char name;
    int64_t size;
    bool in[PARTIES]; // the first operand, the second, the result
    int64_t stride[PARTIES];
} Label;

typedef struct Labels {
    const char *own[PARTIES];
    Label at[MOST_LABELS];
    int count, in_result; // those of the result come first
    bool direct[2];
    Buffer *from[2]; // that the operands' elements are loaded from; NULL: they are computed
} Labels;

static int find_label(const Labels *labels, char name) {
    for (int i = 0; i < labels->count; i++) {
        if (labels->at[i].name == name) {
            return i;
        }
    }
    return -1;
}

static void add_labels(Labels *labels, Type type, int party) {
    for (int axis = 0; axis < type.rank; axis++) {
        char name = labels->own[party][axis];
        int found = find_label(labels, name);
        if (found < 0) {
            found = labels->count++;
            labels->at[found] = (Label){.name = name, .size = type_size_at(type, axis)};
        }
        labels->at[found].in[party] = true;
    }
}

static void find_labels(const Inst *inst, Labels *labels) {
    const char *text = inst->attr.labels;
    *labels = (Labels){.own = {text, strchr(text, ',') + 1, strstr(text, "->") + 2}};
    Type result = inst->results[0]->type;
    add_labels(labels, result, RESULT);
    labels->in_result = labels->count;
    add_labels(labels, inst->operands[0]->type, 0);
    add_labels(labels, inst->operands[1]->type, 1);
    int64_t stride = 1;
    for (int axis = result.rank - 1; axis >= 0; axis--) {
        labels->at[axis].stride[RESULT] = stride;
        stride *= type_size_at(result, axis);
    }
}

static bool is_of_one(const Label *label, int operand) {
    return label->in[operand] && !label->in[1 - operand];
}

static bool is_worth_tiles(const Inst *inst) {
    Labels labels;
    find_labels(inst, &labels);
    int64_t largest[2] = {0, 0}, terms = 1, products = 1;
    int last = -1;
    for (int i = 0; i < labels.count; i++) {
        const Label *label = &labels.at[i];
        products *= label->size;
        if (i >= labels.in_result) {
            terms *= label->size;
            continue;
        }
        last = label->size > 1 ? i : last;
        for (int operand = 0; operand < 2; operand++) {
            if (is_of_one(label, operand) && label->size > largest[operand]) {
                largest[operand] = label->size;
            }
        }
    }
    // Where the last axis of the result is one of both operands there is a better way.
    bool is_batch = last < 0 || (labels.at[last].in[0] && labels.at[last].in[1]);
    return !is_batch && largest[0] >= FEWEST_ROWS && largest[1] >= FEWEST_COLUMNS &&
           terms >= FEWEST_TERMS && products >= FEWEST_PRODUCTS;
}

const Inst *tiled_product(const Lowering *l, const Inst *inst) {
    if (l->options->level == 0 || type_elements(inst->results[0]->type) == 0) {
        return NULL;
    }
    TileStep step;
    const Inst *product = as_contraction(l, inst, &step);
    return product != NULL && is_worth_tiles(product) ? product : NULL;
}

// How the operands' places in memory depend on the labels' indices.
static void find_strides(Lowering *l, const Inst *inst, Labels *labels) {
    KernelLowering k;
    begin_probe(&k, l, NULL);
    Scalar *index[MOST_LABELS];
    for (int i = 0; i < labels->count; i++) {
        index[i] = begin_loop(&k.build, LOOP_SERIAL, labels->at[i].size, "i");
    }
    for (int operand = 0; operand < 2; operand++) {
        const Value *value = inst->operands[operand];
        Scalar **at = new_index(&k, value->type.rank);
        for (int axis = 0; axis < value->type.rank; axis++) {
            at[axis] = index[find_label(labels, labels->own[operand][axis])];
        }
        const Scalar *x = element(&k, value, at);
        labels->direct[operand] = x->op == SCALAR_LOAD;
        labels->from[operand] = x->op == SCALAR_LOAD ? x->buffer : NULL;
        for (int i = 0; i < labels->count && labels->direct[operand]; i++) {
            if (labels->at[i].in[operand] && labels->at[i].size > 1) {
                labels->direct[operand] =
                    scalar_is_linear(x->args[0], index[i], &labels->at[i].stride[operand]);
            }
        }
    }
    close_loops(&k, labels->count);
    kernel_end(&k.build);
}

// ---- axes

static bool runs_on(const Product *p, const Axis *axis, const Label *label, const int *operands) {
    bool contracted = !label->in[RESULT];
    for (int party = 0; party < PARTIES; party++) {
        int from = party == RESULT ? RESULT : operands[party];
        if (axis->in[party] != label->in[from]) {
            return false;
        }
        bool packed = (party == RIGHT && p->packs) || (party == LEFT && p->left != LEFT_IN_PLACE);
        if (!axis->in[party] || (contracted && packed)) {
            continue;
        }
        if ((party != RESULT && !p->direct[party]) ||
            axis->stride[party] != label->size * label->stride[from]) {
            return false;
        }
    }
    return axis->count < MOST_LABELS;
}

// Joins neighbouring labels into axes. Labels of size 1 are in none.
static void make_axes(Product *p, const Labels *labels) {
    p->count = 0;
    for (int party = 0; party < PARTIES; party++) {
        p->own[party] = labels->own[party == RESULT ? RESULT : p->operand[party]];
    }
    for (int party = 0; party < 2; party++) {
        p->direct[party] = labels->direct[p->operand[party]];
    }
    for (int i = 0; i < labels->count; i++) {
        const Label *label = &labels->at[i];
        if (label->size == 1) {
            continue;
        }
        Axis *axis = p->count > 0 ? &p->axes[p->count - 1] : NULL;
        if (axis == NULL || !runs_on(p, axis, label, p->operand)) {
            axis = &p->axes[p->count++];
            *axis = (Axis){.size = 1};
        }
        axis->labels[axis->count++] = label->name;
        axis->size *= label->size;
        for (int party = 0; party < PARTIES; party++) {
            int from = party == RESULT ? RESULT : p->operand[party];
            axis->in[party] = label->in[from];
            axis->stride[party] = label->stride[from];
        }
    }
}

// ---- costs, in cycles of a core that does two vector operations in each

static double product_of_others(const Product *p, int x, int y, int z) {
    double product = 1;
    for (int i = 0; i < p->count; i++) {
        if (i != x && i != y && i != z) {
            product *= (double)p->axes[i].size;
        }
    }
    return product;
}

// Of one step of a tile: its products or its loads bound it, or the latency of sums.
static double step_cost(int64_t rows, int64_t columns) {
    int64_t products = rows * columns, loads = rows + columns;
    int64_t operations = products > loads ? products : loads;
    return (double)(operations > 8 ? operations : 8) / 2;
}

static double size_of(const Product *p, bool (*counts)(const Axis *axis)) {
    double size = 1;
    for (int i = 0; i < p->count; i++) {
        size *= counts(&p->axes[i]) ? (double)p->axes[i].size : 1;
    }
    return size;
}

static bool is_of_result(const Axis *axis) {
    return axis->in[RESULT];
}

static bool is_of_right(const Axis *axis) {
    return axis->in[RIGHT];
}

// Rows at this distance share so few sets of the first cache that a tile's rows drive each other
// out.
static bool rows_collide(int64_t bytes) {
    int64_t lines = bytes / LINE_BYTES, shared = CACHE_SETS;
    if (bytes % LINE_BYTES != 0 || bytes == 0) {
        return false;
    }
    while (lines % shared != 0) {
        shared /= 2;
    }
    return shared > CACHE_SETS / 4;
}

int64_t count_terms(const Product *p) {
    int64_t terms = 1;
    for (int i = 0; i < p->count; i++) {
        terms *= p->axes[i].in[RESULT] ? 1 : p->axes[i].size;
    }
    return terms;
}

// One panel of columns serves all of these.
static bool has_inner_rows(const Product *p) {
    for (int i = 0; i < p->count; i++) {
        const Axis *axis = &p->axes[i];
        if (axis->in[RESULT] && !axis->in[RIGHT] && i != p->row) {
            return true;
        }
    }
    return false;
}

// The tiles of all columns read the left operand again: it had better lie so that a tile's
// elements are neighbours.
static LeftPacking choose_left(const Product *p) {
    const Axis *row = &p->axes[p->row], *inner = &p->axes[p->count - 1];
    int64_t bytes = (int64_t)element_bytes(p->inst->results[0]->type.element);
    if (p->lane >= 0 || has_inner_rows(p) || !p->direct[LEFT] || inner->in[RESULT] ||
        p->axes[p->column].size < FEWEST_FOR_LEFT || count_terms(p) < 32) {
        return LEFT_IN_PLACE;
    }
    if (inner->stride[LEFT] == 1) {
        return rows_collide(row->stride[LEFT] * bytes) ? LEFT_BY_ROWS : LEFT_IN_PLACE;
    }
    return inner->stride[LEFT] * bytes >= FAR ? LEFT_BY_TILES : LEFT_IN_PLACE;
}

// Vectors that `size` neighbours are, the last ones masked or narrower.
static int64_t count_vectors(int64_t size, int lanes, bool masks) {
    int64_t vectors = size / lanes, rest = size % lanes;
    for (int64_t narrow = lanes / 2; rest > 0 && !masks; narrow /= 2) {
        vectors += rest >= narrow;
        rest -= rest >= narrow ? narrow : 0;
    }
    return vectors + (rest > 0);
}

// How much longer a step takes because the rows of a tile lie far from each other.
static double row_distance_cost(const Product *p) {
    int64_t bytes =
        p->axes[p->row].stride[LEFT] * (int64_t)element_bytes(p->inst->results[0]->type.element);
    return rows_collide(bytes) ? 1.5 : bytes >= PAGE ? 1.1 : 1;
}

// Of an element that is not a neighbour of the next column's. Terms that are neighbours are copied
// as vectors, and turned.
static double packing_cost(const Product *p, int lanes) {
    const Axis *inner = &p->axes[p->count - 1];
    if (!p->direct[RIGHT]) {
        return 2;
    }
    bool turns =
        p->turns && !inner->in[RESULT] && inner->stride[RIGHT] == 1 && inner->size >= lanes;
    return turns && p->axes[p->column].size >= lanes ? 0.6 : 1.2;
}

static double outer_cost(const Product *p, int lanes, int registers, bool masks) {
    const Axis *row = &p->axes[p->row], *column = &p->axes[p->column];
    int64_t vectors = count_vectors(column->size, lanes, masks), wide = vectors < 3 ? vectors : 2;
    int64_t height = even_block(row->size, tallest_tile(wide, registers));
    double tiles = (double)row->size / (double)height * (double)vectors / (double)wide;
    double cost = product_of_others(p, p->row, p->column, -1) * tiles * step_cost(height, wide);
    cost *= choose_left(p) == LEFT_IN_PLACE ? row_distance_cost(p) : 1;
    cost *= share_of_steps(p, height) * share_of_bands(p, height, wide * lanes);
    if (p->read_once < 0 && (!p->direct[RIGHT] || column->stride[RIGHT] != 1)) {
        cost += size_of(p, is_of_right) * packing_cost(p, lanes);
    }
    double accesses = size_of(p, is_of_result) * p->accesses;
    return cost + (column->stride[RESULT] == 1 ? accesses / lanes : accesses * 2.5);
}

static int64_t cache_of(const Lowering *l) {
    return l->options->cache_bytes > 0 ? l->options->cache_bytes : USUAL_CACHE;
}

// Of reading rows that do not stay in the last cache again for each block of columns, where no
// other terms can be taken in blocks.
static double rereading_cost(const Product *p, int lane, int64_t width, int64_t cache) {
    const Axis *row = &p->axes[p->row], *column = &p->axes[p->column], *inner = &p->axes[lane];
    int64_t bytes = (int64_t)element_bytes(p->inst->results[0]->type.element);
    double whole = (double)(row->size * inner->size * bytes);
    if (count_terms(p) > inner->size || whole <= (double)cache * LAST_CACHE ||
        column->size <= width) {
        return 0;
    }
    double passes = (double)column->size / (double)width - 1;
    return product_of_others(p, p->row, p->column, lane) * passes * whole / BYTES_IN_CYCLE;
}

static double dot_cost(const Product *p, int lane, int lanes, int registers, int64_t cache) {
    const Axis *row = &p->axes[p->row], *column = &p->axes[p->column], *inner = &p->axes[lane];
    int64_t height = dot_block(row->size, registers), width = dot_block(column->size, registers);
    double tiles = (double)row->size / (double)height * (double)column->size / (double)width;
    double steps = (double)((inner->size + lanes - 1) / lanes);
    double cost =
        product_of_others(p, p->row, p->column, lane) * tiles * steps * step_cost(height, width);
    return cost + size_of(p, is_of_result) * 8 + rereading_cost(p, lane, width, cache);
}

static bool is_lane(const Product *p, const Axis *axis, int lanes) {
    return p->fixed_left < 0 && !axis->in[RESULT] && axis->in[LEFT] && axis->in[RIGHT] &&
           p->direct[LEFT] && p->direct[RIGHT] && axis->stride[LEFT] == 1 &&
           axis->stride[RIGHT] == 1 && axis->size >= lanes;
}

static bool is_own(const Axis *axis, int party) {
    return axis->in[RESULT] && axis->in[party] && !axis->in[1 - party];
}

// Elements of the result's size that the work on the results reads and stores, for each of them.
static int count_accesses(const Lowering *l, const Node *node, const Inst *inst) {
    int count = 0;
    for (int i = 0; i < node->members.count; i++) {
        count += state_of(l, node->members.at[i])->stored;
    }
    for (int i = 0; i < node->reads.count; i++) {
        const Value *value = node->reads.at[i].value;
        bool is_operand = false;
        for (int j = 0; j < inst->operand_count; j++) {
            const Value *operand = inst->operands[j];
            is_operand = is_operand || value == operand || value == view_source(operand);
        }
        count += !is_operand && type_elements(value->type) == type_elements(node->shape);
    }
    return count < 1 ? 1 : count;
}

static void choose_axes(Lowering *l, Product *best, const Labels *labels) {
    int registers = l->options->vector_registers > 0 ? l->options->vector_registers : 16;
    int lanes = vector_lanes(l, best->inst->results[0]->type.element);
    bool masks = l->options->vector_bytes >= 32;
    double least = -1;
    Product first = *best;
    for (int right = 0; right < 2; right++) {
        Product p = first;
        if (p.fixed_left == right) {
            continue;
        }
        p.operand[LEFT] = 1 - right;
        p.operand[RIGHT] = right;
        make_axes(&p, labels);
        for (int i = 0; i < p.count * p.count; i++) {
            p.row = i / p.count;
            p.column = i % p.count;
            if (!is_own(&p.axes[p.row], LEFT) || !is_own(&p.axes[p.column], RIGHT)) {
                continue;
            }
            p.lane = -1;
            double cost = outer_cost(&p, lanes, registers, masks);
            if (least < 0 || cost < least) {
                least = cost;
                *best = p;
            }
            for (int lane = 0; lane < p.count; lane++) {
                cost = is_lane(&p, &p.axes[lane], lanes)
                           ? dot_cost(&p, lane, lanes, registers, cache_of(l))
                           : least;
                if (cost < least) {
                    least = cost;
                    *best = p;
                    best->lane = lane;
                }
            }
        }
    }
    check(least >= 0, "a contraction has no rows or no columns");
}

// Where rows of the right operand lie far from each other they are copied next to each other, if
// they are read often enough. Steps along a window's axes stay near.
static bool wants_packing(const Product *p) {
    const Axis *column = &p->axes[p->column], *inner = &p->axes[p->count - 1];
    if (p->lane >= 0 || p->read_once >= 0) {
        return false;
    }
    if (!p->direct[RIGHT] || column->stride[RIGHT] != 1) {
        return true;
    }
    int64_t bytes = (int64_t)element_bytes(p->inst->results[0]->type.element);
    return !inner->in[RESULT] && inner->stride[RIGHT] * bytes >= FAR &&
           p->axes[p->row].size >= FEWEST_FOR_PACKING && count_terms(p) >= 32 && column->size > 1;
}

// ---- blocks

static int outermost_term(const Product *p) {
    for (int i = 0; i < p->count; i++) {
        const Axis *axis = &p->axes[i];
        if (!axis->in[RESULT] && i != p->lane && axis->in[LEFT] && axis->in[RIGHT]) {
            return i;
        }
    }
    return -1;
}

// Sums of f32 that are gathered in f64, block by block.
static bool has_long_sums(const Product *p) {
    return p->inst->results[0]->type.element == TYPE_F32 && count_terms(p) > LONG_SUM;
}

// Size of the blocks of a contracted axis, which divide it; 0: it stays whole.
static int64_t choose_term_block(const Product *p, int outermost, int64_t bytes, int64_t cache) {
    bytes *= count_terms(p);
    if (bytes <= cache / LARGE_TERMS || outermost < 0) {
        return 0;
    }
    int64_t size = p->axes[outermost].size, usual = cache / USUAL_TERMS;
    for (int64_t blocks = (bytes + usual - 1) / usual;
         blocks <= size && bytes / blocks >= cache / SMALL_TERMS; blocks++) {
        if (size % blocks == 0) {
            return size / blocks;
        }
    }
    return 0;
}

// A left operand that does not stay in the second cache while all columns pass by is taken in
// blocks of rows, and of terms. Blocks of rows are whole tiles and as many as two or four threads
// share evenly; few rows remain.
static void choose_row_blocks(Product *p, int lanes, int registers, int64_t cache) {
    const Axis *row = &p->axes[p->row], *column = &p->axes[p->column];
    int64_t bytes = (int64_t)element_bytes(p->inst->results[0]->type.element);
    int64_t terms = count_terms(p);
    p->row_block = row->size;
    if (p->lane >= 0 || has_inner_rows(p) || column->size < 4 * lanes ||
        row->size * terms * bytes <= cache / 2) {
        return;
    }
    int outermost = outermost_term(p);
    int64_t block = choose_term_block(p, outermost, bytes, cache);
    if (block == 0 && has_long_sums(p)) {
        return;
    }
    if (block > 0) {
        p->split = outermost;
        p->split_block = block;
        terms = terms / p->axes[outermost].size * block;
    }
    p->blocked = true;
    int64_t height = even_block(row->size, tallest_tile(2, registers));
    int64_t tiles = row->size / height, most = cache / 8 * 3 / (terms * bytes * height);
    int64_t blocks = (tiles + most) / (most + 1);
    blocks = blocks < 4 ? 4 : blocks + blocks % 2;
    int64_t rows = (tiles < blocks ? 1 : tiles / blocks) * height;
    p->row_block = rows < row->size ? rows : row->size;
    p->packs_all = p->packs && p->row_block < row->size;
}

// The axis to take in blocks where sums are long: the outermost, unless that leaves long ones
// inside.
static int split_of_long_sums(const Product *p) {
    int found = outermost_term(p);
    if (found >= 0 && count_terms(p) / p->axes[found].size > SUM_BLOCK) {
        for (int i = found; i < p->count; i++) {
            const Axis *axis = &p->axes[i];
            if (!axis->in[RESULT] && i != p->lane && axis->in[LEFT] && axis->in[RIGHT] &&
                axis->size > p->axes[found].size) {
                found = i;
            }
        }
    }
    return found;
}

// Whether the operands are large and used by many tiles.
static bool reads_large_operands(const Product *p, int64_t bytes, int64_t cache) {
    Type result = p->inst->results[0]->type;
    int64_t result_bytes = type_elements(result) * (int64_t)element_bytes(result.element);
    bool many_tiles = p->axes[p->row].size > 64 || p->axes[p->column].size > 64 ||
                      product_of_others(p, p->row, p->column, -1) > 1.5 * (double)count_terms(p);
    return bytes >= 2 * cache && result_bytes * 4 <= bytes && many_tiles;
}

static int64_t operand_bytes(const Product *p) {
    int64_t bytes = 0;
    for (int i = 0; i < 2; i++) {
        Type type = p->inst->operands[i]->type;
        const Value *source = view_source(p->inst->operands[i]);
        int64_t own = type_elements(type), whole = type_elements(source->type);
        bytes += (own < whole ? own : whole) * (int64_t)element_bytes(type.element);
    }
    return bytes;
}

// A contracted axis, mostly the outermost, runs around the tiles in blocks if the operands are
// large and used by many tiles: then a block of them stays in the cache; or if sums of f32 are
// long: those of the blocks are added in f64.
static void choose_split(Product *p, int64_t cache) {
    bool is_long = has_long_sums(p);
    int split = is_long ? split_of_long_sums(p) : outermost_term(p);
    if (split < 0) {
        return;
    }
    int64_t bytes = operand_bytes(p), terms = count_terms(p);
    int64_t size = p->axes[split].size, blocks = bytes / cache;
    bool is_large = reads_large_operands(p, bytes, cache);
    int64_t most = is_large ? (blocks >= size ? 1 : size / blocks) : size;
    if (is_long && terms / size * most > SUM_BLOCK) {
        most = terms / size > SUM_BLOCK ? 1 : SUM_BLOCK / (terms / size);
    }
    int64_t block = largest_divisor(size, most);
    if (is_long && block * 2 < most) {
        block = most; // the last block is shorter
    }
    if ((is_large || is_long) && block * 2 <= size && terms / size * block >= SHORTEST_BLOCK) {
        p->split = split;
        p->split_block = block;
    }
}

void plan_product(Lowering *l, const Node *node, Product *p) {
    Labels labels;
    *p = (Product){.lane = -1, .split = -1, .operand = {0, 1}};
    const Inst *inst = p->inst = as_contraction(l, node->inst, &p->step);
    p->turns = !l->options->unmasked;
    p->accesses = count_accesses(l, node, inst);
    p->fixed_left = p->step == STEP_DIFFERENCE || p->step == STEP_REVERSED ? 0 : -1;
    find_labels(inst, &labels);
    find_strides(l, inst, &labels);
    p->read_once = inst == node->inst ? operand_read_once(l, inst) : -1;
    if (p->read_once >= 0 && labels.direct[p->read_once]) {
        p->read_once = -1; // it is in memory
    }
    p->fixed_left = p->read_once >= 0 ? 1 - p->read_once : p->fixed_left;
    make_axes(p, &labels);
    p->selected = selected_operand(p);
    find_product_bands(l, labels.own, p);
    choose_axes(l, p, &labels);
    p->skips = p->lane < 0 && p->selected >= 0 && p->operand[LEFT] == p->selected;
    bool pads = wants_padding(l, p);
    if (pads && !wants_packing(p)) {
        p->beyond = buffer_with_neighbours(l, p, labels.from[p->operand[RIGHT]]);
    }
    p->packs = wants_packing(p) || (pads && p->beyond == NULL);
    for (int i = 0; i < p->count; i++) {
        if (!p->axes[i].in[RESULT]) {
            p->apart[p->apart_count++] = p->axes[i];
        }
    }
    if (p->packs) {
        make_axes(p, &labels); // the result's axes stay the same
    }
    int registers = l->options->vector_registers > 0 ? l->options->vector_registers : 16;
    choose_row_blocks(p, vector_lanes(l, inst->results[0]->type.element), registers, cache_of(l));
    if (!p->blocked) {
        choose_split(p, cache_of(l));
    }
    p->left = p->blocked || p->split < 0 ? choose_left(p) : LEFT_IN_PLACE;
    if (p->left != LEFT_IN_PLACE && p->split < 0) {
        make_axes(p, &labels);
    }
    int lanes = vector_lanes(l, inst->results[0]->type.element);
    int64_t columns = p->axes[p->column].size;
    int64_t vectors = columns < 3 * lanes ? (columns + lanes - 1) / lanes : 2;
    // In C a tile with half the products may have more rows than others.
    plan_bands(p, even_block(p->axes[p->row].size, tallest_tile(vectors, registers)),
               vectors * lanes, l->options->unmasked);
}

// ---- loops

void set_axis(Tiles *t, const Axis *axis, Scalar *index) {
    KernelBuilder *b = &t->k->build;
    for (int i = axis->count - 1; i >= 0; i--) {
        Type type = t->p.inst->operands[t->p.operand[axis->in[LEFT] ? LEFT : RIGHT]]->type;
        const char *own = t->p.own[axis->in[LEFT] ? LEFT : RIGHT];
        int64_t size = type_size_at(type, (int)(strchr(own, axis->labels[i]) - own));
        Scalar *extent = scalar_position(b, size);
        t->at[(int)axis->labels[i]] =
            i == 0 ? index : scalar_binary(b, SCALAR_REMAINDER, index, extent);
        index = scalar_binary(b, SCALAR_DIV, index, extent);
    }
    for (int i = 0; axis->in[RESULT] && i < t->node->shape.rank; i++) {
        t->index[i] = t->at[(int)t->p.own[RESULT][i]];
    }
}

enum { SMALL_EXTENT = 4, MOST_WRITTEN_OUT = 9 };

int open_contracted(Tiles *t, int except, LoopKind small) {
    KernelBuilder *b = &t->k->build;
    int axes[MOST_LABELS], count = 0, first_unrolled;
    for (int i = 0; i < t->p.count; i++) {
        if (!t->p.axes[i].in[RESULT] && i != except && i != t->p.split) {
            axes[count++] = i;
        }
    }
    int64_t written_out = 1;
    for (first_unrolled = count; first_unrolled > 0 && small == LOOP_UNROLL; first_unrolled--) {
        int64_t size = t->p.axes[axes[first_unrolled - 1]].size;
        if (size > SMALL_EXTENT || written_out * size > MOST_WRITTEN_OUT) {
            break;
        }
        written_out *= size;
    }
    int opened = 0;
    if (t->p.split >= 0) {
        const Axis *axis = &t->p.axes[t->p.split];
        if (t->in_blocks && t->p.term == t->p.split) {
            opened += open_term_blocks(t, t->p.split_block, t->split_start);
        } else {
            Scalar *inside = begin_loop(b, LOOP_SERIAL, t->p.split_block, loop_name(t->k));
            set_axis(t, axis, scalar_binary(b, SCALAR_ADD, t->split_start, inside));
            t->inside[t->p.split] = inside;
            opened++;
        }
    }
    for (int i = 0; i < count; i++) {
        const Axis *axis = &t->p.axes[axes[i]];
        if (t->in_blocks && t->p.term == axes[i]) {
            opened += open_term_blocks(t, axis->size, scalar_position(b, 0));
            continue;
        }
        LoopKind kind = i < first_unrolled ? LOOP_SERIAL : LOOP_UNROLL;
        t->inside[axes[i]] = begin_loop(b, kind, axis->size, loop_name(t->k));
        set_axis(t, axis, t->inside[axes[i]]);
        opened++;
    }
    return opened;
}

Scalar *begin_rows(Tiles *t, LoopKind kind) {
    KernelBuilder *b = &t->k->build;
    Scalar *row = begin_loop(b, kind, t->height, "row");
    set_axis(t, &t->p.axes[t->p.row], scalar_binary(b, SCALAR_ADD, t->first_row, row));
    return row;
}

Scalar *begin_tile_columns(Tiles *t, LoopKind kind, int64_t room) {
    KernelBuilder *b = &t->k->build;
    Scalar *column = begin_loop(b, kind, t->width, "column");
    if (room > t->width) {
        set_room(b, room, true);
    }
    set_axis(t, &t->p.axes[t->p.column], scalar_binary(b, SCALAR_ADD, t->first_column, column));
    return column;
}

static void emit_all(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    int inside[MOST_LABELS], inside_count = 0, opened = 0;
    for (int i = 0; i < t->p.count; i++) {
        const Axis *axis = &t->p.axes[i];
        if (!axis->in[RESULT] || i == t->p.row || i == t->p.column) {
            continue;
        }
        if (t->p.packs && !axis->in[RIGHT]) {
            inside[inside_count++] = i; // one panel serves them all
            continue;
        }
        set_axis(t, axis, begin_loop(b, LOOP_SERIAL, axis->size, loop_name(t->k)));
        opened++;
    }
    if (t->p.lane >= 0) {
        emit_dot_products(t);
    } else {
        emit_outer_products(t, inside, inside_count);
    }
    close_loops(t->k, opened);
}

static void emit_in_blocks(Tiles *t) {
    KernelBuilder *b = &t->k->build;
    int64_t count = type_elements(t->node->shape);
    ElementType wide = t->type == TYPE_F32 ? TYPE_F64 : t->type;
    t->partial = plain_buffer(t->k->lowering, wide, count, "partial");
    Scalar *i = begin_loop(b, LOOP_VECTOR, count, "i");
    add_store(b, t->partial, i, scalar_number(b, wide, 0));
    end_scope(b);
    int64_t block = t->p.split_block;
    Scalar *number = begin_loop(b, LOOP_SERIAL, t->p.axes[t->p.split].size / block, "block");
    t->split_start = scalar_binary(b, SCALAR_MUL, number, scalar_position(b, block));
    emit_all(t);
    end_scope(b);
    int64_t size = t->p.axes[t->p.split].size;
    if (size % block > 0) {
        t->split_start = scalar_position(b, size - size % block);
        t->p.split_block = size % block;
        emit_all(t);
    }
    t->finish = true;
    emit_all(t);
}

void lower_tiles(Lowering *l, Node *node) {
    KernelLowering k;
    Tiles t = {.k = &k, .node = node, .type = node->inst->results[0]->type.element};
    plan_product(l, node, &t.p);
    bool leaves_out = t.p.skips || t.p.term >= 0;
    Buffer *unbounded = leaves_out ? find_unbounded(l, &t.p) : NULL;
    begin_kernel(&k, l, node, NULL, "");
    if (leaves_out) {
        Scalar *sum = scalar_load(&k.build, unbounded, scalar_position(&k.build, 0));
        t.dense = t.p.skips ? scalar_bits(&k.build, sum) : NULL;
        t.all_terms = t.p.term < 0 ? NULL : scalar_binary(&k.build, SCALAR_NE, sum, sum);
    }
    for (int i = 0; i < 128; i++) {
        t.at[i] = scalar_position(&k.build, 0);
    }
    t.index = new_index(&k, node->shape.rank);
    for (int i = 0; i < node->shape.rank; i++) {
        t.index[i] = scalar_position(&k.build, 0);
    }
    if (t.p.beyond != NULL) {
        int lanes = vector_lanes(l, t.type);
        t.p.beyond->behind = t.p.beyond->behind < lanes ? lanes : t.p.beyond->behind;
    }
    if (t.p.packs) {
        int64_t elements = right_panel_elements(&t.p, panel_width(&t));
        t.panel = plain_buffer(l, t.type, elements, "panel");
    }
    if (t.p.left != LEFT_IN_PLACE) {
        int64_t rows = t.p.axes[t.p.row].size;
        t.left_panel = plain_buffer(l, t.type, left_panel_elements(&t.p, rows), "rows");
    }
    if (t.p.split >= 0 && t.p.blocked) {
        ElementType wide = has_long_sums(&t.p) ? TYPE_F64 : t.type;
        t.partial = plain_buffer(l, wide, type_elements(node->shape), "partial");
    }
    if (t.p.split >= 0 && !t.p.blocked) {
        emit_in_blocks(&t);
    } else {
        emit_all(&t);
    }
    end_kernel(&k);
}
