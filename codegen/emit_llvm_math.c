// Functions of libm: written out in scalars if we have them so, else called.
#include <string.h>

#include "codegen/emit_llvm.h"

// Copies of a function in one kernel; what is beyond calls a function of the module.
enum { MOST_COPIES = 4 };

const MathFunction *find_math(Emitter *emitter, const char *name, ElementType type) {
    for (int i = 0; i < emitter->math.count; i++)
        if (emitter->math.at[i]->type == type && strcmp(emitter->math.at[i]->name, name) == 0)
            return emitter->math.at[i];
    const MathFunction *function =
        math_function(emitter->arena, name, type,
                      (MathAbilities){.branch = true,
                                      .scale = emitter->is_wide,
                                      .pick = emitter->is_wide,
                                      .alone = !is_in_vectors(&emitter->in_vectors, name, type)});
    if (function)
        vec_push(emitter->arena, &emitter->math, function);
    return function;
}

static void add_pure_attributes(Emitter *emitter, LLVMValueRef function) {
    static const char *const pure[] = {"nounwind", "willreturn", "nosync", "nofree", "memory"};
    for (size_t i = 0; i < sizeof pure / sizeof *pure; i++) {
        unsigned kind = LLVMGetEnumAttributeKindForName(pure[i], strlen(pure[i]));
        LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex,
                                LLVMCreateEnumAttribute(emitter->context, kind, 0));
    }
}

// A call of libm's function for each lane.
static LLVMValueRef call_library(Emitter *emitter, const Scalar *scalar,
                                 const LLVMValueRef *arguments) {
    LLVMBuilderRef b = emitter->builder;
    LLVMTypeRef type = llvm_type(emitter, scalar->type);
    LLVMTypeRef types[3] = {type, type, type};
    unsigned count = (unsigned)scalar->arg_count;
    LLVMTypeRef signature = LLVMFunctionType(type, types, count, 0);
    const char *name =
        arena_format(emitter->arena, "%s%s", scalar->name, scalar->type == TYPE_F32 ? "f" : "");
    LLVMValueRef function = LLVMGetNamedFunction(emitter->module, name);
    if (function == NULL) {
        function = LLVMAddFunction(emitter->module, name, signature);
        add_pure_attributes(emitter, function); // nobody reads errno
    }
    LLVMValueRef lanes =
        emitter->width > 1 ? LLVMGetPoison(lane_type(emitter, scalar->type)) : NULL;
    for (int i = 0; i < emitter->width; i++) {
        LLVMValueRef place = LLVMConstInt(emitter->i64, (unsigned)i, 0), of_lane[3];
        for (unsigned j = 0; j < count; j++)
            of_lane[j] = lanes ? LLVMBuildExtractElement(b, arguments[j], place, "") : arguments[j];
        LLVMValueRef value = LLVMBuildCall2(b, signature, function, of_lane, count, "");
        if (lanes == NULL)
            return value;
        lanes = LLVMBuildInsertElement(b, lanes, value, place, "");
    }
    return lanes;
}

static LLVMValueRef table_of(Emitter *emitter, int64_t which) {
    const MathTable *table = math_table(which);
    if (emitter->tables[which])
        return emitter->tables[which];
    LLVMValueRef data = LLVMConstStringInContext2(emitter->context, table->at,
                                                  (size_t)table->count * sizeof(int64_t), 1);
    LLVMValueRef global =
        LLVMAddGlobal(emitter->module, LLVMTypeOf(data),
                      arena_format(emitter->arena, "%s.%s", emitter->program->name, table->name));
    LLVMSetInitializer(global, data);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetAlignment(global, 64);
    emitter->tables[which] = global;
    return global;
}

// The table is two registers, the lowest four bits of eight lanes say what is picked.
static LLVMValueRef pick_in_registers(Emitter *emitter, const MathTable *table,
                                      LLVMValueRef index) {
    enum { LANES = 8 };
    check(table->type == TYPE_F64 && table->count == 2 * LANES, "%s in vectors", table->name);
    const char *name = "llvm.x86.avx512.vpermi2var.pd.512";
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(emitter->module, id, NULL, 0);
    LLVMTypeRef type = LLVMIntrinsicGetType(emitter->context, id, NULL, 0);
    LLVMValueRef halves[2];
    for (int half = 0; half < 2; half++) {
        LLVMValueRef numbers[LANES];
        for (int i = 0; i < LANES; i++)
            numbers[i] = LLVMConstReal(emitter->f64, ((const double *)table->at)[LANES * half + i]);
        halves[half] = LLVMConstVector(numbers, LANES);
    }
    LLVMValueRef joined = NULL;
    for (int first = 0; first < emitter->width; first += LANES) {
        LLVMValueRef arguments[] = {halves[0], lanes_from(emitter, index, first, LANES), halves[1]};
        LLVMValueRef part = LLVMBuildCall2(emitter->builder, type, function, arguments, 3, "");
        joined = joined ? lanes_behind(emitter, joined, part) : part;
    }
    return lanes_from(emitter, joined, 0, emitter->width);
}

static LLVMValueRef look_up(Emitter *emitter, const Scalar *step, LLVMValueRef index) {
    if (emitter->width > 1)
        return pick_in_registers(emitter, math_table(step->integer), index);
    if (step->integer == TABLE_POWERS_16)
        index = LLVMBuildAnd(emitter->builder, index, constant_i64(emitter, 15), "");
    LLVMTypeRef type = llvm_type(emitter, step->type);
    LLVMValueRef place = LLVMBuildInBoundsGEP2(emitter->builder, type,
                                               table_of(emitter, step->integer), &index, 1, "");
    return LLVMBuildLoad2(emitter->builder, type, place, "");
}

static LLVMValueRef emit_step(Emitter *emitter, const Scalar *step, const LLVMValueRef *values) {
    LLVMValueRef args[3] = {NULL, NULL, NULL};
    for (int i = 0; i < step->arg_count; i++) {
        const Scalar *arg = step->args[i];
        args[i] = arg->op == SCALAR_CONSTANT ? splat_constant(emitter, constant_value(emitter, arg))
                                             : values[arg->id];
    }
    if (step->op == SCALAR_LOOKUP)
        return look_up(emitter, step, args[0]);
    // A function that is called in steps is libm's.
    return step->op == SCALAR_LIBM ? call_library(emitter, step, args)
                                   : llvm_compute(emitter, step, args);
}

static bool is_rare(const MathFunction *function, const Scalar *step) {
    return function->rare && step->id >= function->rare_from && step->id < function->rare_to;
}

typedef LLVMValueRef WriteSteps(Emitter *emitter, const MathFunction *function,
                                const LLVMValueRef *arguments);

// A function of the module, of the present width.
static LLVMValueRef define(Emitter *emitter, const MathFunction *math, const char *part,
                           WriteSteps *write) {
    LLVMTypeRef type = lane_type(emitter, math->type);
    const char *name =
        arena_format(emitter->arena, "%s.%s%s.%s.%d%s", emitter->program->name, math->name, part,
                     element_name(math->type), emitter->width, emitter->suffix);
    LLVMTypeRef types[MOST_MATH_ARGUMENTS] = {type, type, type};
    LLVMValueRef function = LLVMAddFunction(
        emitter->module, name, LLVMFunctionType(type, types, (unsigned)math->arity, 0));
    LLVMSetLinkage(function, LLVMInternalLinkage);
    add_function_attributes(emitter, function);
    add_pure_attributes(emitter, function);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(emitter->builder);
    LLVMValueRef caller = emitter->function;
    emitter->function = function;
    LLVMPositionBuilderAtEnd(emitter->builder,
                             LLVMAppendBasicBlockInContext(emitter->context, function, "entry"));
    LLVMValueRef arguments[MOST_MATH_ARGUMENTS];
    LLVMGetParams(function, arguments);
    LLVMBuildRet(emitter->builder, write(emitter, math, arguments));
    LLVMPositionBuilderAtEnd(emitter->builder, here);
    emitter->function = caller;
    return function;
}

static void set_arguments(const MathFunction *function, const LLVMValueRef *arguments,
                          LLVMValueRef *values) {
    for (int i = 0; i < function->arity; i++)
        values[function->arguments[i]->id] = arguments[i];
}

// What a scalar is where the rare steps are needed.
static const Scalar *on_rare_side(const MathFunction *function, const Scalar *scalar) {
    return scalar->op == SCALAR_SELECT && scalar->args[0] == function->rare ? scalar->args[1]
                                                                            : scalar;
}

// The result of rare arguments, from the start: its last step is a selection of it, or a rounding
// of one.
static LLVMValueRef write_rare(Emitter *emitter, const MathFunction *function,
                               const LLVMValueRef *arguments) {
    LLVMValueRef *values = arena_array(emitter->arena, LLVMValueRef, function->scalar_count);
    bool *needed = arena_array(emitter->arena, bool, function->scalar_count);
    emitter->exact = true;
    set_arguments(function, arguments, values);
    needed[on_rare_side(function, function->result)->id] = true;
    for (int i = function->steps.count - 1; i >= 0; i--) {
        const Scalar *step = function->steps.at[i];
        for (int j = 0; needed[step->id] && j < step->arg_count; j++)
            needed[on_rare_side(function, step->args[j])->id] = true;
    }
    for (int i = 0; i < function->steps.count; i++) {
        const Scalar *step = function->steps.at[i];
        const Scalar *chosen = on_rare_side(function, step);
        if (chosen != step)
            values[step->id] = values[chosen->id];
        else if (needed[step->id])
            values[step->id] = emit_step(emitter, step, values);
    }
    emitter->exact = false;
    return values[function->result->id];
}

// What comes to a place from before a branch, or from its rare side.
typedef struct Sides {
    LLVMBasicBlockRef before, rare;
} Sides;

static LLVMValueRef join_sides(Emitter *emitter, const Sides *sides, LLVMValueRef usual,
                               LLVMValueRef rare) {
    LLVMValueRef phi = LLVMBuildPhi(emitter->builder, LLVMTypeOf(rare), "");
    LLVMValueRef incoming[] = {usual ? usual : LLVMGetPoison(LLVMTypeOf(rare)), rare};
    LLVMBasicBlockRef from[] = {sides->before, sides->rare};
    LLVMAddIncoming(phi, incoming, from, 2);
    return phi;
}

// Steps that are no rare ones, but read what those compute, read it through a phi.
static void join_rare(Emitter *emitter, const MathFunction *function, int first_after,
                      LLVMValueRef *values, const Sides *sides) {
    bool *joined = arena_array(emitter->arena, bool, function->scalar_count);
    for (int i = first_after; i < function->steps.count; i++) {
        const Scalar *step = function->steps.at[i];
        for (int j = 0; j < step->arg_count; j++) {
            const Scalar *arg = step->args[j];
            if (arg->op == SCALAR_CONSTANT || !is_rare(function, arg) || joined[arg->id])
                continue;
            joined[arg->id] = true;
            values[arg->id] = join_sides(emitter, sides, NULL, values[arg->id]);
        }
    }
}

static LLVMValueRef value_of(Emitter *emitter, const Scalar *scalar, const LLVMValueRef *values) {
    return scalar->op == SCALAR_CONSTANT ? constant_value(emitter, scalar) : values[scalar->id];
}

// Selections between the two sides that follow at once need no instruction where there is but one
// lane. Returns the place of the first step after them.
static int select_sides(Emitter *emitter, const MathFunction *function, int first,
                        LLVMValueRef *values, const Sides *sides) {
    int i = first;
    for (; i < function->steps.count && emitter->width == 1; i++) {
        const Scalar *step = function->steps.at[i];
        if (step->op != SCALAR_SELECT || step->args[0] != function->rare)
            break;
        values[step->id] = join_sides(emitter, sides, value_of(emitter, step->args[2], values),
                                      value_of(emitter, step->args[1], values));
    }
    return i;
}

// The rare steps, of which `first` is the first, behind a branch that skips them if no lane needs
// them. Returns the place of the first step after them.
static int emit_rare(Emitter *emitter, const MathFunction *function, int first,
                     LLVMValueRef *values) {
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef any = values[function->rare->id];
    if (emitter->width > 1)
        any = call_intrinsic(emitter, "llvm.vector.reduce.or", LLVMTypeOf(any), &any, 1);
    Sides sides = {.before = LLVMGetInsertBlock(b)};
    LLVMBasicBlockRef rare = new_block(emitter, "rare"), after = new_block(emitter, "usual");
    emit_rare_branch(emitter, any, rare, after);
    LLVMPositionBuilderAtEnd(b, rare);
    int i = first;
    for (; i < function->steps.count && is_rare(function, function->steps.at[i]); i++)
        values[function->steps.at[i]->id] = emit_step(emitter, function->steps.at[i], values);
    sides.rare = LLVMGetInsertBlock(b);
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
    i = select_sides(emitter, function, i, values, &sides);
    join_rare(emitter, function, i, values, &sides);
    return i;
}

// The steps of a function in place of its call. They are rounded as they are written, so that the
// result does not depend on what is around them.
static LLVMValueRef write_out(Emitter *emitter, const MathFunction *function,
                              const LLVMValueRef *arguments) {
    LLVMValueRef *values = arena_array(emitter->arena, LLVMValueRef, function->scalar_count);
    set_arguments(function, arguments, values);
    emitter->exact = true;
    int i = 0;
    while (i < function->steps.count) {
        const Scalar *step = function->steps.at[i];
        if (is_rare(function, step)) {
            i = emit_rare(emitter, function, i, values);
        } else {
            values[step->id] = emit_step(emitter, step, values);
            i++;
        }
    }
    emitter->exact = false;
    return values[function->result->id];
}

static MathUse *find_use(Emitter *emitter, const MathFunction *math) {
    for (int i = 0; i < emitter->math_uses.count; i++) {
        MathUse *use = &emitter->math_uses.at[i];
        if (use->math == math && use->width == emitter->width)
            return use;
    }
    vec_push(emitter->arena, &emitter->math_uses,
             ((MathUse){.math = math, .width = emitter->width}));
    return &emitter->math_uses.at[emitter->math_uses.count - 1];
}

// Many rare steps are not worth being written out beside each call.
static bool is_rare_part_long(const MathFunction *function) {
    enum { MOST_STEPS = 24 };
    int count = 0;
    for (int i = 0; i < function->steps.count; i++)
        count += is_rare(function, function->steps.at[i]);
    return function->alone && count > MOST_STEPS;
}

// The usual steps, and a call for rare arguments behind them.
static LLVMValueRef write_usual(Emitter *emitter, const MathFunction *function,
                                const LLVMValueRef *arguments) {
    LLVMBuilderRef b = emitter->builder;
    LLVMValueRef *values = arena_array(emitter->arena, LLVMValueRef, function->scalar_count);
    LLVMValueRef copies[MOST_MATH_ARGUMENTS];
    MathUse *use = find_use(emitter, function);
    if (use->rare == NULL)
        use->rare = define(emitter, function, "_rare", write_rare);
    set_arguments(function, arguments, values);
    memcpy(copies, arguments, (size_t)function->arity * sizeof *copies);
    emitter->exact = true;
    for (int i = 0; i < function->steps.count; i++) {
        const Scalar *step = function->steps.at[i];
        if (on_rare_side(function, step) != step)
            values[step->id] = value_of(emitter, step->args[2], values);
        else if (!is_rare(function, step))
            values[step->id] = emit_step(emitter, step, values);
    }
    emitter->exact = false;
    Sides sides = {.before = LLVMGetInsertBlock(b), .rare = new_block(emitter, "rare")};
    LLVMBasicBlockRef after = new_block(emitter, "usual");
    emit_rare_branch(emitter, values[function->rare->id], sides.rare, after);
    LLVMPositionBuilderAtEnd(b, sides.rare);
    LLVMValueRef rare = LLVMBuildCall2(b, LLVMGlobalGetValueType(use->rare), use->rare, copies,
                                       (unsigned)function->arity, "");
    LLVMBuildBr(b, after);
    LLVMPositionBuilderAtEnd(b, after);
    return join_sides(emitter, &sides, values[function->result->id], rare);
}

static LLVMValueRef write_anyhow(Emitter *emitter, const MathFunction *function,
                                 const LLVMValueRef *arguments) {
    return is_rare_part_long(function) ? write_usual(emitter, function, arguments)
                                       : write_out(emitter, function, arguments);
}

// A function of the module that does it for the present width.
static LLVMValueRef define_function(Emitter *emitter, const MathFunction *math) {
    return define(emitter, math, "", write_anyhow);
}

static LLVMValueRef emit_math(Emitter *emitter, const MathFunction *math, LLVMValueRef *arguments) {
    MathUse *use = find_use(emitter, math);
    if (use->kernel != emitter->function) {
        use->kernel = emitter->function;
        use->copies = 0;
    }
    if (use->copies++ < MOST_COPIES)
        return write_anyhow(emitter, math, arguments);
    if (use->function == NULL)
        use->function = define_function(emitter, math);
    return LLVMBuildCall2(emitter->builder, LLVMGlobalGetValueType(use->function), use->function,
                          arguments, (unsigned)math->arity, "");
}

LLVMValueRef emit_function_call(Emitter *emitter, const Scalar *scalar, LLVMValueRef *arguments) {
    const MathFunction *own = find_math(emitter, scalar->name, scalar->type);
    if (own)
        return emit_math(emitter, own, arguments);
    check(emitter->width == 1, "a call of %s in a vector loop", scalar->name);
    return call_library(emitter, scalar, arguments);
}
