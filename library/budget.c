// See budget.h.
//
// A plan says for each loop in how many levels of segments its iterations are put, and into how
// many checkpoints the function's own instructions. Planning starts with nothing of that. While the
// workspace is too large, each single step further - one more level, or more checkpoints - is tried
// by making and lowering the gradient, and the best one is taken: of those that fit the one that
// computes least again, else the one that leaves the smallest workspace. In the end steps that have
// become unnecessary are taken back. All is counted, nothing timed, so the result is always the
// same. Before all that, threads have to do without temporaries of their own, if
// that makes the workspace smaller.
#include "library/budget.h"

#include <math.h>
#include <stdlib.h>

#include "codegen/memory_report.h"
#include "ir/edit.h"
#include "passes/segment_loops.h"

enum { LEVELS_MAX = 12, TRIALS_MAX = 160, SHOWN_MAX = 6 };

typedef struct LoopPlan {
    int steps;  // 0: as it is; n: n levels of segments; one more than `levels`: and each iteration
    int levels; // as many as make sense
    int64_t lengths[LEVELS_MAX];
} LoopPlan;

// What is known of a loop of the forward function, which stays as it is.
typedef struct LoopFacts {
    int64_t trip;
    int64_t carried, saved; // bytes an iteration
    double work;            // elements computed by all its iterations
    bool splits_iterations; // putting each iteration in a checkpoint leaves less
    Span span;
} LoopFacts;

typedef struct Planner {
    TdslSession *session;
    Function *forward;
    const TdslGradientRequest *request;
    LoopFacts *facts;
    LoopPlan *plans;
    int loop_count;
    int parts; // checkpoints of the function's own instructions; 1: none
    double work;
    size_t best; // workspace of the plan
    int trials;
} Planner;

typedef VEC(Inst *) LoopList;

static void collect_loops(Arena *arena, const Region *region, LoopList *loops) {
    for_each_inst(inst, region) {
        if (can_segment(inst))
            vec_push(arena, loops, inst);
        for (int i = 0; i < inst->region_count; i++)
            collect_loops(arena, inst->regions[i], loops);
    }
}

static double value_bytes(Type type) {
    return (double)type_elements(type) * (double)element_bytes(type.element);
}

static double region_work(const Region *region) {
    double work = 0;
    for_each_inst(inst, region) {
        double inner = 0;
        for (int i = 0; i < inst->region_count; i++)
            inner += region_work(inst->regions[i]);
        for (int i = 0; i < inst->result_count && inst->region_count == 0; i++)
            inner += (double)type_elements(inst->results[i]->type);
        work += inst->op == OP_loop ? inner * (double)dim_value(inst->attr.trip) : inner;
    }
    return work;
}

// ---- making a plan come true

static int count_insts(const Region *region) {
    int count = 0;
    for_each_inst(inst, region) count++;
    return count;
}

static double inst_size(const Inst *inst) {
    double bytes = 1;
    for (int i = 0; i < inst->result_count; i++)
        bytes += value_bytes(inst->results[i]->type);
    return bytes;
}

// Stretches of about the same size of results; the last one is reversed at once and left open.
static void wrap_parts(Arena *scratch, Region *region, int parts) {
    double total = 0, sum = 0;
    for_each_inst(inst, region) total += inst_size(inst);
    Inst *first = region->first;
    int done = 0;
    for (Inst *inst = region->first, *next; inst != NULL && done + 1 < parts; inst = next) {
        next = inst->next;
        sum += inst_size(inst);
        if (sum >= total * (done + 1) / parts && next != NULL) {
            wrap_in_checkpoint(scratch, first, inst);
            first = next;
            done++;
        }
    }
}

static void apply_plan(const Planner *planner, Function *function) {
    if (planner->plans == NULL)
        return; // everything is kept
    Arena scratch = {0};
    LoopList loops = {0};
    collect_loops(&scratch, function->body, &loops);
    check(loops.count == planner->loop_count, "the loops of a copy differ");
    for (int i = 0; i < loops.count; i++) {
        const LoopPlan *plan = &planner->plans[i];
        Inst *loop = loops.at[i];
        Region *body = loop->regions[0];
        if (plan->steps > plan->levels && body->first != NULL)
            wrap_in_checkpoint(&scratch, body->first, body->last);
        for (int k = 0; k < plan->steps && k < plan->levels; k++) {
            int64_t trip = dim_value(loop->attr.trip);
            if (plan->lengths[k] >= 2 && plan->lengths[k] < trip)
                segment_loop(loop, plan->lengths[k]);
        }
    }
    if (planner->parts > 1)
        wrap_parts(&scratch, function->body, planner->parts);
    arena_free(&scratch);
}

// The program, of those for the machines that are compiled for, that needs the most memory.
static Program *lower_largest(TdslSession *session, Function *gradient) {
    const TargetMachine here = {0};
    Program *largest = NULL;
    for (int i = 0; i == 0 || i < session->machines.count; i++) {
        const TargetMachine *machine = session->machines.count ? &session->machines.at[i] : &here;
        LowerOptions lower = session_lower_options(session, machine);
        Program *program = program_new(&session->arena, session->model->name, &session->sources);
        size_t bytes =
            session_lower(session, program, gradient, TDSL_GRADIENT, &lower)->workspace_bytes;
        if (largest == NULL || bytes > largest->entries.at[0]->workspace_bytes)
            largest = program;
    }
    return largest;
}

// The gradient's program under the plan of now; NULL after an error.
static Program *make_gradient(Planner *planner) {
    TdslSession *session = planner->session;
    Module *module = planner->forward->module;
    int functions = module->functions.count;
    const char *print_after = session->options.print_after;
    session->options.print_after = NULL;
    Function *trial = clone_function(planner->forward, planner->forward->name);
    apply_plan(planner, trial);
    Function *gradient = session_differentiate(session, trial, planner->request, NULL);
    Program *program = NULL;
    if (gradient != NULL) {
        session_finish(session, gradient);
        program = lower_largest(session, gradient);
    }
    session->options.print_after = print_after;
    module->functions.count = functions;
    planner->trials++;
    return program;
}

static size_t measure(Planner *planner) {
    const Program *program = make_gradient(planner);
    check(program != NULL, "a gradient that was there is gone");
    return program->entries.at[0]->workspace_bytes;
}

// ---- what loops are like

static bool same_place(Span x, Span y) {
    return x.file == y.file && x.start == y.start && x.end == y.end;
}

// What the gradient with everything kept stacks for a loop, in bytes an iteration.
static int64_t saved_bytes(const Program *program, const LoopFacts *facts) {
    double bytes = 0;
    for (int i = 0; i < program->buffers.count; i++) {
        const Buffer *buffer = program->buffers.at[i];
        if (buffer->kind == BUFFER_WORKSPACE && buffer->use == USE_STACK && buffer->first >= 0 &&
            same_place(buffer->span, facts->span))
            bytes += value_bytes(buffer->type);
    }
    return (int64_t)(bytes / (double)facts->trip);
}

static int64_t round_length(int64_t trip, double wanted) {
    double carried = wanted * wanted / (double)trip; // whose root it is
    return best_segment_length(trip, (int64_t)fmax(1, carried * 1024), 1024);
}

// Lengths of `levels` levels of segments that need the least memory: every level's checkpoints, and
// the last one's saved values, take the same room.
static void choose_lengths(const LoopFacts *facts, int levels, int64_t saved, int64_t *lengths) {
    double carried = (double)facts->carried;
    double share =
        pow((double)facts->trip * pow(carried, levels) * (double)saved, 1.0 / (levels + 1));
    double factor = fmax(2, share / carried);
    int64_t trip = facts->trip;
    for (int i = 0; i < levels; i++) {
        double wanted = (double)trip / factor;
        lengths[i] = wanted < 2 ? trip : round_length(trip, wanted);
        trip = lengths[i];
    }
}

static void find_loops(Planner *planner, const Program *program) {
    TdslSession *session = planner->session;
    LoopList loops = {0};
    collect_loops(&session->arena, planner->forward->body, &loops);
    planner->loop_count = loops.count;
    planner->facts = arena_array(&session->arena, LoopFacts, loops.count + 1);
    planner->plans = arena_array(&session->arena, LoopPlan, loops.count + 1);
    for (int i = 0; i < loops.count; i++) {
        const Inst *loop = loops.at[i];
        LoopFacts *facts = &planner->facts[i];
        *facts = (LoopFacts){.trip = dim_value(loop->attr.trip), .span = loop->span};
        facts->saved = saved_bytes(program, facts);
        double carried = 0;
        for (int k = 0; k < loop->attr.carried; k++)
            carried += value_bytes(loop->operands[k]->type);
        // What is carried is an upper bound of what a segment's start needs.
        facts->carried = (int64_t)fmax(1, fmin(carried, (double)facts->saved));
        facts->work = region_work(loop->regions[0]) * (double)facts->trip;
        facts->splits_iterations = facts->carried * 2 < facts->saved;
        for (int64_t trip = facts->trip; trip > 3; trip /= 2)
            planner->plans[i].levels++;
        if (planner->plans[i].levels > LEVELS_MAX)
            planner->plans[i].levels = LEVELS_MAX;
    }
}

// ---- steps

static int most_steps(const Planner *planner, int loop) {
    const LoopFacts *facts = &planner->facts[loop];
    return facts->saved == 0 ? 0 : planner->plans[loop].levels + facts->splits_iterations;
}

static void set_steps(Planner *planner, int loop, int steps) {
    LoopPlan *plan = &planner->plans[loop];
    const LoopFacts *facts = &planner->facts[loop];
    bool splits = steps > plan->levels;
    plan->steps = steps;
    choose_lengths(facts, splits ? plan->levels : steps, splits ? facts->carried : facts->saved,
                   plan->lengths);
}

static int next_parts(const Planner *planner) {
    int more = planner->parts + (planner->parts + 1) / 2;
    return more * 2 <= count_insts(planner->forward->body) ? more : 0;
}

// A single step from the plan of now: of a loop, or, as number loop_count, of the parts.
typedef struct Step {
    int number, steps;
    size_t workspace;
    double work; // that it computes again
    bool fits;
} Step;

static void take(Planner *planner, int number, int steps) {
    if (number == planner->loop_count)
        planner->parts = steps;
    else
        set_steps(planner, number, steps);
}

static int steps_now(const Planner *planner, int number) {
    return number == planner->loop_count ? planner->parts : planner->plans[number].steps;
}

static bool is_better(const Step *x, const Step *y) {
    if (x->fits != y->fits)
        return x->fits;
    if (x->fits && x->work != y->work)
        return x->work < y->work;
    return x->workspace < y->workspace;
}

static void try_step(Planner *planner, int number, int steps, Step *best) {
    bool parts = number == planner->loop_count;
    Step step = {.number = number, .steps = steps};
    int before = steps_now(planner, number);
    take(planner, number, steps);
    step.workspace = measure(planner);
    step.fits = step.workspace <= planner->session->options.memory_budget;
    step.work = parts ? planner->work : planner->facts[number].work * (steps - before);
    take(planner, number, before);
    if (step.workspace < planner->best && (best->number < 0 || is_better(&step, best)))
        *best = step;
}

// One step further; false where none makes the workspace smaller.
static bool improve(Planner *planner) {
    Step best = {.number = -1};
    for (int i = 0; i < planner->loop_count && planner->trials < TRIALS_MAX; i++)
        for (int more = 1; more <= 2 && steps_now(planner, i) + more <= most_steps(planner, i);
             more++)
            try_step(planner, i, steps_now(planner, i) + more, &best);
    int parts = next_parts(planner);
    if (parts > 0 && planner->trials < TRIALS_MAX)
        try_step(planner, planner->loop_count, parts, &best);
    if (best.number < 0)
        return false;
    take(planner, best.number, best.steps);
    planner->best = best.workspace;
    return true;
}

// Takes back what the other steps have made unnecessary.
static void take_back(Planner *planner) {
    for (int i = 0; i <= planner->loop_count; i++) {
        int least = i == planner->loop_count;
        while (steps_now(planner, i) > least) {
            int before = steps_now(planner, i);
            take(planner, i, i == planner->loop_count ? 1 : before - 1);
            size_t workspace = measure(planner);
            if (workspace > planner->session->options.memory_budget) {
                take(planner, i, before);
                break;
            }
            planner->best = workspace;
        }
    }
}

// ---- telling

static void note_plan(const Planner *planner, size_t everything) {
    TdslSession *session = planner->session;
    Text *out = &session->reports;
    text_format(out, "note: the gradient's workspace has %zu bytes, within the budget of %zu",
                planner->best, session->options.memory_budget);
    if (planner->best != everything)
        text_format(out, "; keeping everything%s takes %zu",
                    session->shares_memory ? ", and temporaries of each thread's own," : "",
                    everything);
    text_add(out, "\n");
    for (int i = 0; i < planner->loop_count; i++) {
        const LoopPlan *plan = &planner->plans[i];
        int line, column;
        source_locate(&session->sources, planner->facts[i].span, &line, &column);
        if (plan->steps == 0)
            continue;
        text_format(out, "  line %d: the loop is computed again in segments of", line);
        int64_t trip = planner->facts[i].trip;
        for (int k = 0; k < plan->steps && k < plan->levels; k++)
            if (plan->lengths[k] >= 2 && plan->lengths[k] < trip) {
                text_format(out, "%s %lld", trip == planner->facts[i].trip ? "" : ",",
                            (long long)plan->lengths[k]);
                trip = plan->lengths[k];
            }
        text_format(out, " of its %lld iterations%s\n", (long long)planner->facts[i].trip,
                    plan->steps > plan->levels ? ", then one by one" : "");
    }
    if (planner->parts > 1)
        text_format(out, "  the rest is computed again in %d parts\n", planner->parts - 1);
}

static int compare_sizes(const void *x, const void *y) {
    const MemoryItem *a = x, *b = y;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->buffer->id - b->buffer->id;
}

// What is in use where most is, the largest first.
static void list_largest(TdslSession *session, const Program *program, const Entry *entry) {
    Text *out = &session->reports;
    Arena scratch = {0};
    MemoryReport report = report_memory(&scratch, program, entry);
    qsort(report.items.at, (size_t)report.items.count, sizeof *report.items.at, compare_sizes);
    int shown = 0;
    for (int i = 0; i < report.items.count && shown < SHOWN_MAX; i++) {
        const MemoryItem *item = &report.items.at[i];
        const Buffer *buffer = item->buffer;
        if (buffer->first > report.live_at || buffer->last < report.live_at)
            continue;
        text_format(out, "  line %d: %s, %s, %zu bytes: %s\n", memory_line(program, item->made),
                    buffer->name ? buffer->name : "a value", type_string(&scratch, buffer->type),
                    item->bytes, memory_reason(&scratch, program, item));
        shown++;
    }
    arena_free(&scratch);
}

static void refuse(TdslSession *session, const Program *program, const Entry *entry,
                   const char *what) {
    tdsl_report(session, "%s a workspace of %zu bytes, but the memory budget is %zu", what,
                entry->workspace_bytes, session->options.memory_budget);
    list_largest(session, program, entry);
    text_format(
        &session->reports,
        "  hint: these are the largest values in use at a time; give --memory-budget=%zu, or "
        "bind smaller dimensions\n",
        entry->workspace_bytes);
}

bool entry_fits_budget(TdslSession *session, const Program *program, const Entry *entry) {
    size_t budget = session->options.memory_budget;
    if (budget == 0 || entry->workspace_bytes <= budget)
        return true;
    refuse(session, program, entry, arena_format(&session->arena, "'%s' needs", entry->name));
    return false;
}

bool fit_memory_budget(TdslSession *session, Function *forward,
                       const TdslGradientRequest *request) {
    Planner planner = {.session = session, .forward = forward, .request = request, .parts = 1};
    Program *program = make_gradient(&planner);
    if (program == NULL)
        return false;
    size_t everything = program->entries.at[0]->workspace_bytes;
    planner.best = everything;
    if (planner.best > session->options.memory_budget) {
        session->shares_memory = true;
        planner.best = measure(&planner);
        session->shares_memory = planner.best < everything;
    }
    planner.work = region_work(forward->body);
    find_loops(&planner, program);
    while (planner.best > session->options.memory_budget && planner.trials < TRIALS_MAX &&
           improve(&planner)) {
    }
    if (planner.best > session->options.memory_budget) {
        // Only what has a seed tells the reverse from the primal.
        TdslGradientRequest seeded = session_product_request(session, request);
        planner.request = &seeded;
        program = make_gradient(&planner);
        refuse(session, program, program->entries.at[0],
               "recomputing all it can, the gradient still needs");
        return false;
    }
    if (planner.best != everything)
        take_back(&planner);
    apply_plan(&planner, forward);
    note_plan(&planner, everything);
    return true;
}
