// Scalars of the loop form as LLVM instructions, one for one.
#include <string.h>

#include "codegen/emit_llvm.h"

LLVMTypeRef llvm_type(const Emitter *emitter, ElementType element) {
    switch (element) {
    case TYPE_BOOL: return emitter->i1;
    case TYPE_I32: return emitter->i32;
    case TYPE_I64: return emitter->i64;
    case TYPE_F32: return emitter->f32;
    case TYPE_F64: return emitter->f64;
    case ELEMENT_TYPE_COUNT: break;
    }
    unreachable("element type %d", (int)element);
}

LLVMTypeRef llvm_storage_type(const Emitter *emitter, ElementType element) {
    return element == TYPE_BOOL ? emitter->i8 : llvm_type(emitter, element);
}

LLVMTypeRef lane_type(const Emitter *emitter, ElementType element) {
    LLVMTypeRef type = llvm_type(emitter, element);
    return emitter->width > 1 ? LLVMVectorType(type, (unsigned)emitter->width) : type;
}

LLVMValueRef constant_i64(const Emitter *emitter, int64_t value) {
    return LLVMConstInt(emitter->i64, (unsigned long long)value, 1);
}

LLVMValueRef constant_i32(const Emitter *emitter, uint32_t value) {
    return LLVMConstInt(emitter->i32, value, 0);
}

LLVMValueRef call_intrinsic(Emitter *emitter, const char *name, LLVMTypeRef overload,
                            LLVMValueRef *arguments, int count) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    check(id != 0, "LLVM has no intrinsic %s", name);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(emitter->module, id, &overload, 1);
    LLVMTypeRef type = LLVMIntrinsicGetType(emitter->context, id, &overload, 1);
    return LLVMBuildCall2(emitter->builder, type, function, arguments, (unsigned)count, "");
}

LLVMValueRef constant_value(const Emitter *emitter, const Scalar *scalar) {
    LLVMTypeRef type = llvm_type(emitter, scalar->type);
    if (element_is_real(scalar->type))
        return LLVMConstReal(type,
                             scalar->type == TYPE_F32 ? (double)(float)scalar->real : scalar->real);
    return LLVMConstInt(type, (unsigned long long)scalar->integer, 1);
}

LLVMValueRef splat_constant(const Emitter *emitter, LLVMValueRef constant) {
    if (emitter->width == 1)
        return constant;
    LLVMValueRef *items = arena_array(emitter->arena, LLVMValueRef, emitter->width);
    for (int i = 0; i < emitter->width; i++)
        items[i] = constant;
    return LLVMConstVector(items, (unsigned)emitter->width);
}

LLVMValueRef llvm_scalar(Emitter *emitter, const Scalar *scalar) {
    if (scalar->op == SCALAR_CONSTANT)
        return constant_value(emitter, scalar);
    if (scalar->op == SCALAR_ARGUMENT)
        return emitter->arguments[scalar->integer];
    LLVMValueRef value = emitter->scalars[scalar->id];
    check(value != NULL, "scalar %d is used before it is computed", scalar->id);
    return value;
}

// The place of an element; without an index the first.
static LLVMValueRef element_pointer(Emitter *emitter, ElementType element, LLVMValueRef base,
                                    LLVMValueRef index) {
    if (index == NULL)
        return base;
    return LLVMBuildInBoundsGEP2(emitter->builder, llvm_storage_type(emitter, element), base,
                                 &index, 1, "");
}

static LLVMValueRef load(Emitter *emitter, ElementType element, LLVMValueRef base,
                         LLVMValueRef index) {
    LLVMValueRef place = element_pointer(emitter, element, base, index);
    LLVMValueRef value =
        LLVMBuildLoad2(emitter->builder, llvm_storage_type(emitter, element), place, "");
    if (element != TYPE_BOOL)
        return value;
    return LLVMBuildICmp(emitter->builder, LLVMIntNE, value, LLVMConstInt(emitter->i8, 0, 0), "");
}

void emit_llvm_store(Emitter *emitter, ElementType element, LLVMValueRef base, LLVMValueRef index,
                     LLVMValueRef value) {
    if (element == TYPE_BOOL)
        value = LLVMBuildZExt(emitter->builder, value, emitter->i8, "");
    LLVMBuildStore(emitter->builder, value, element_pointer(emitter, element, base, index));
}

// ---- casts

// Towards zero; 0 where the result does not fit and at NaN. The bounds are the reals next to the
// first values that do not fit, so the comparisons are exact; the conversion's own result is used
// only where it is defined.
static LLVMValueRef lane_real(Emitter *emitter, ElementType type, double value) {
    return splat_constant(emitter, LLVMConstReal(llvm_type(emitter, type), value));
}

static LLVMValueRef real_to_integer(Emitter *emitter, LLVMValueRef x, ElementType from,
                                    ElementType to) {
    LLVMBuilderRef b = emitter->builder;
    double above = to == TYPE_I32 ? 0x1p31 : 0x1p63;
    bool exact = to == TYPE_I32 && from == TYPE_F64; // -2^31 - 0.5 is -2^31 towards zero
    LLVMValueRef high = LLVMBuildFCmp(b, LLVMRealOLT, x, lane_real(emitter, from, above), "");
    LLVMValueRef low =
        exact ? LLVMBuildFCmp(b, LLVMRealOGT, x, lane_real(emitter, from, -above - 1), "")
              : LLVMBuildFCmp(b, LLVMRealOGE, x, lane_real(emitter, from, -above), "");
    LLVMValueRef converted = LLVMBuildFPToSI(b, x, lane_type(emitter, to), "");
    return LLVMBuildSelect(b, LLVMBuildAnd(b, high, low, ""), converted,
                           LLVMConstNull(lane_type(emitter, to)), "");
}

static LLVMValueRef cast(Emitter *emitter, LLVMValueRef x, ElementType from, ElementType to) {
    LLVMBuilderRef b = emitter->builder;
    LLVMTypeRef type = lane_type(emitter, to);
    if (from == to)
        return x;
    if (to == TYPE_BOOL)
        return element_is_real(from)
                   ? LLVMBuildFCmp(b, LLVMRealUNE, x, LLVMConstNull(LLVMTypeOf(x)), "")
                   : LLVMBuildICmp(b, LLVMIntNE, x, LLVMConstNull(LLVMTypeOf(x)), "");
    if (element_is_real(from) && element_is_real(to))
        return LLVMBuildFPCast(b, x, type, "");
    if (element_is_real(from))
        return real_to_integer(emitter, x, from, to);
    if (element_is_real(to)) // a choice by a mask, which takes one instruction in vectors
        return from == TYPE_BOOL
                   ? LLVMBuildSelect(b, x, lane_real(emitter, to, 1), LLVMConstNull(type), "")
                   : LLVMBuildSIToFP(b, x, type, "");
    return LLVMBuildIntCast2(b, x, type, from != TYPE_BOOL, "");
}

// ---- operators

// A rounded-once product and sum is allowed; nothing else may be rearranged.
static LLVMValueRef contractible(const Emitter *emitter, LLVMValueRef value) {
    if (!emitter->exact && LLVMCanValueUseFastMathFlags(value))
        LLVMSetFastMathFlags(value, LLVMFastMathAllowContract);
    return value;
}

static LLVMValueRef arithmetic(Emitter *emitter, ScalarOp op, bool real, LLVMValueRef x,
                               LLVMValueRef y) {
    LLVMBuilderRef b = emitter->builder;
    switch (op) {
    case SCALAR_ADD:
        return real ? contractible(emitter, LLVMBuildFAdd(b, x, y, "")) : LLVMBuildAdd(b, x, y, "");
    case SCALAR_SUB:
        return real ? contractible(emitter, LLVMBuildFSub(b, x, y, "")) : LLVMBuildSub(b, x, y, "");
    case SCALAR_MUL:
        return real ? contractible(emitter, LLVMBuildFMul(b, x, y, "")) : LLVMBuildMul(b, x, y, "");
    case SCALAR_DIV: return real ? LLVMBuildFDiv(b, x, y, "") : LLVMBuildUDiv(b, x, y, "");
    case SCALAR_REMAINDER: return LLVMBuildURem(b, x, y, "");
    case SCALAR_AND: return LLVMBuildAnd(b, x, y, "");
    case SCALAR_OR: return LLVMBuildOr(b, x, y, "");
    case SCALAR_XOR: return LLVMBuildXor(b, x, y, "");
    case SCALAR_SHIFT_LEFT: return LLVMBuildShl(b, x, y, "");
    case SCALAR_SHIFT_RIGHT: return LLVMBuildAShr(b, x, y, "");
    case SCALAR_SHIFT_LOGICAL: return LLVMBuildLShr(b, x, y, "");
    default: unreachable("scalar operator %d is not arithmetic", (int)op);
    }
}

static LLVMValueRef compare(Emitter *emitter, const Scalar *scalar, LLVMValueRef x,
                            LLVMValueRef y) {
    static const LLVMRealPredicate reals[] = {LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT,
                                              LLVMRealOLE, LLVMRealOGT, LLVMRealOGE};
    static const LLVMIntPredicate integers[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntSLT,
                                                LLVMIntSLE, LLVMIntSGT, LLVMIntSGE};
    static const LLVMIntPredicate bools[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntULT,
                                             LLVMIntULE, LLVMIntUGT, LLVMIntUGE};
    int which = (int)scalar->op - (int)SCALAR_EQ;
    ElementType type = scalar->args[0]->type;
    if (element_is_real(type))
        return LLVMBuildFCmp(emitter->builder, reals[which], x, y, "");
    return LLVMBuildICmp(emitter->builder, type == TYPE_BOOL ? bools[which] : integers[which], x, y,
                         "");
}

static LLVMValueRef absolute(Emitter *emitter, LLVMValueRef x, bool real, LLVMTypeRef type) {
    LLVMValueRef arguments[] = {x, LLVMConstInt(emitter->i1, 0, 0)};
    return real ? call_intrinsic(emitter, "llvm.fabs", type, arguments, 1)
                : call_intrinsic(emitter, "llvm.abs", type, arguments, 2);
}

static const char *rounding_intrinsic(ScalarOp op) {
    switch (op) {
    case SCALAR_SQRT: return "llvm.sqrt";
    case SCALAR_FLOOR: return "llvm.floor";
    case SCALAR_CEIL: return "llvm.ceil";
    case SCALAR_TRUNC: return "llvm.trunc";
    case SCALAR_ROUND: return "llvm.rint";
    case SCALAR_COPYSIGN: return "llvm.copysign";
    case SCALAR_FMA: return "llvm.fmuladd";
    default: return NULL;
    }
}

LLVMValueRef lanes_from(Emitter *emitter, LLVMValueRef vector, int first, int count) {
    int existing = (int)LLVMGetVectorSize(LLVMTypeOf(vector));
    LLVMValueRef *places = arena_array(emitter->arena, LLVMValueRef, count);
    for (int i = 0; i < count; i++)
        places[i] = first + i < existing
                        ? LLVMConstInt(emitter->i32, (unsigned long long)(first + i), 0)
                        : LLVMGetPoison(emitter->i32);
    return LLVMBuildShuffleVector(emitter->builder, vector, LLVMGetPoison(LLVMTypeOf(vector)),
                                  LLVMConstVector(places, (unsigned)count), "");
}

LLVMValueRef lanes_behind(Emitter *emitter, LLVMValueRef low, LLVMValueRef high) {
    unsigned count = LLVMGetVectorSize(LLVMTypeOf(low)),
             all = count + LLVMGetVectorSize(LLVMTypeOf(high));
    LLVMValueRef *places = arena_array(emitter->arena, LLVMValueRef, (int)all);
    high = lanes_from(emitter, high, 0, (int)count);
    for (unsigned i = 0; i < all; i++)
        places[i] = LLVMConstInt(emitter->i32, i, 0);
    return LLVMBuildShuffleVector(emitter->builder, low, high, LLVMConstVector(places, all), "");
}

// x * 2^n in a register of AVX-512, of 16, 32 or 64 bytes; `alone`: in its first lane alone. Code
// without wide vectors had better not wake up what computes them.
static LLVMValueRef scale_register(Emitter *emitter, LLVMValueRef x, LLVMValueRef n, bool alone) {
    static const char *const names[2][4] = {
        {"llvm.x86.avx512.mask.scalef.ps.128", "llvm.x86.avx512.mask.scalef.ps.256",
         "llvm.x86.avx512.mask.scalef.ps.512", "llvm.x86.avx512.mask.scalef.ss"},
        {"llvm.x86.avx512.mask.scalef.pd.128", "llvm.x86.avx512.mask.scalef.pd.256",
         "llvm.x86.avx512.mask.scalef.pd.512", "llvm.x86.avx512.mask.scalef.sd"}};
    bool is_double = LLVMGetElementType(LLVMTypeOf(x)) == emitter->f64;
    int lanes = (int)LLVMGetVectorSize(LLVMTypeOf(x)), bytes = lanes * (is_double ? 8 : 4);
    const char *name = names[is_double][alone ? 3 : bytes == 64 ? 2 : bytes == 32 ? 1 : 0];
    LLVMTypeRef mask = LLVMIntTypeInContext(emitter->context, lanes > 8 ? 16 : 8);
    enum { AS_USUAL = 4 }; // rounding
    LLVMValueRef arguments[] = {x, n, LLVMGetPoison(LLVMTypeOf(x)), LLVMConstAllOnes(mask),
                                LLVMConstInt(emitter->i32, AS_USUAL, 0)};
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(emitter->module, id, NULL, 0);
    LLVMTypeRef type = LLVMIntrinsicGetType(emitter->context, id, NULL, 0);
    unsigned count = alone || bytes == 64 ? 5 : 4;
    return LLVMBuildCall2(emitter->builder, type, function, arguments, count, "");
}

static LLVMValueRef scale(Emitter *emitter, LLVMValueRef x, LLVMValueRef n, LLVMTypeRef type) {
    LLVMBuilderRef b = emitter->builder;
    LLVMTypeRef element = emitter->width > 1 ? LLVMGetElementType(type) : type;
    int most = element == emitter->f32 ? 16 : 8, lanes = most / 4;
    if (emitter->width == 1) {
        LLVMValueRef none = LLVMGetPoison(LLVMVectorType(type, (unsigned)lanes));
        LLVMValueRef first = constant_i64(emitter, 0);
        x = LLVMBuildInsertElement(b, none, x, first, "");
        n = LLVMBuildInsertElement(b, none, n, first, "");
        return LLVMBuildExtractElement(b, scale_register(emitter, x, n, true), first, "");
    }
    while (lanes < emitter->width && lanes < most)
        lanes *= 2;
    if (emitter->width == lanes)
        return scale_register(emitter, x, n, false);
    LLVMValueRef joined = NULL;
    for (int first = 0; first < emitter->width; first += lanes) {
        LLVMValueRef part = scale_register(emitter, lanes_from(emitter, x, first, lanes),
                                           lanes_from(emitter, n, first, lanes), false);
        joined = joined ? lanes_behind(emitter, joined, part) : part;
    }
    return lanes_from(emitter, joined, 0, emitter->width);
}

LLVMValueRef llvm_compute(Emitter *emitter, const Scalar *scalar, LLVMValueRef *args) {
    LLVMBuilderRef b = emitter->builder;
    LLVMTypeRef type = lane_type(emitter, scalar->type);
    bool real = element_is_real(scalar->type);
    switch (scalar->op) {
    case SCALAR_LOAD:
        return load(emitter, scalar->type, llvm_buffer(emitter, scalar->buffer), args[0]);
    case SCALAR_LOCAL:
        return load(emitter, scalar->type, emitter->locals[scalar->local->id], args[0]);
    case SCALAR_NEG: return real ? LLVMBuildFNeg(b, args[0], "") : LLVMBuildNeg(b, args[0], "");
    case SCALAR_ABS: return absolute(emitter, args[0], real, type);
    case SCALAR_FMA:
        if (!real)
            return LLVMBuildAdd(b, LLVMBuildMul(b, args[0], args[1], ""), args[2], "");
        return call_intrinsic(emitter, "llvm.fmuladd", type, args, 3);
    case SCALAR_COPYSIGN:
    case SCALAR_SQRT:
    case SCALAR_FLOOR:
    case SCALAR_CEIL:
    case SCALAR_TRUNC:
    case SCALAR_ROUND:
        return call_intrinsic(emitter, rounding_intrinsic(scalar->op), type, args,
                              scalar->arg_count);
    case SCALAR_EQ:
    case SCALAR_NE:
    case SCALAR_LT:
    case SCALAR_LE:
    case SCALAR_GT:
    case SCALAR_GE: return compare(emitter, scalar, args[0], args[1]);
    case SCALAR_NOT: return LLVMBuildNot(b, args[0], "");
    case SCALAR_SELECT: return LLVMBuildSelect(b, args[0], args[1], args[2], "");
    case SCALAR_CAST: return cast(emitter, args[0], scalar->args[0]->type, scalar->type);
    case SCALAR_BITS: return LLVMBuildBitCast(b, args[0], type, "");
    case SCALAR_SCALE: return scale(emitter, args[0], args[1], type);
    case SCALAR_LIBM: return emit_function_call(emitter, scalar, args);
    case SCALAR_LOOKUP: break;
    case SCALAR_CONSTANT:
    case SCALAR_INDEX:
    case SCALAR_ARGUMENT: return llvm_scalar(emitter, scalar);
    case SCALAR_ADD:
    case SCALAR_SUB:
    case SCALAR_MUL:
    case SCALAR_DIV:
    case SCALAR_REMAINDER:
    case SCALAR_AND:
    case SCALAR_OR:
    case SCALAR_XOR:
    case SCALAR_SHIFT_LEFT:
    case SCALAR_SHIFT_RIGHT:
    case SCALAR_SHIFT_LOGICAL: return arithmetic(emitter, scalar->op, real, args[0], args[1]);
    }
    unreachable("scalar operator %d", (int)scalar->op);
}

void emit_llvm_scalar(Emitter *emitter, const Scalar *scalar) {
    LLVMValueRef args[3] = {NULL, NULL, NULL};
    for (int i = 0; i < scalar->arg_count; i++)
        args[i] = llvm_scalar(emitter, scalar->args[i]);
    emitter->scalars[scalar->id] = llvm_compute(emitter, scalar, args);
}
