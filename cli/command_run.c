// check, run, grad, build, emit, fmt and version.
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/result.h"

int command_check(const Options *options) {
    TdslSession *session;
    TdslStatus status = session_start(options, &options->compiler, &session);
    if (status == TDSL_OK)
        status = tdsl_check(session);
    if (options->json)
        printf("{\"ok\": %s}\n", status == TDSL_OK ? "true" : "false");
    return session_end(session, status);
}

static TdslStatus call_often(const Options *options, Call *call) {
    TdslStatus status = TDSL_OK;
    for (int64_t i = 0; i < options->repeat && status == TDSL_OK; i++)
        status = call_run(call);
    return status;
}

static int evaluate(const Options *options, TdslFunctionKind kind) {
    TdslSession *session;
    Bindings bindings = {0};
    Request request = {0};
    Call call = {0};
    TdslFunction *function = NULL;
    TdslStatus status = session_start(options, &options->compiler, &session);
    if (status == TDSL_OK)
        status = bindings_read(session, options, &bindings);
    if (status == TDSL_OK && kind == TDSL_GRADIENT)
        status = request_read(session, options, &request);
    if (status == TDSL_OK) {
        request.gradient.stored = options->zero_grad || options->repeat == 1;
        function = tdsl_compile(session, kind, &request.gradient);
        status = function ? TDSL_OK : TDSL_BAD_PROGRAM;
    }
    if (status == TDSL_OK)
        status = bindings_complete(session, options, &bindings);
    if (status == TDSL_OK)
        status = call_prepare(session, function, &bindings, &request.seeds, &call);
    if (status == TDSL_OK)
        status = call_often(options, &call);
    if (status == TDSL_OK && options->out)
        status = call_write(&call, options->out);
    if (status == TDSL_OK) {
        if (options->json)
            call_print_json(stdout, &call);
        else
            call_print_text(stdout, &call);
    }
    call_free(&call);
    request_free(&request);
    bindings_free(&bindings);
    return session_end(session, status);
}

int command_run(const Options *options) {
    return evaluate(options, TDSL_FORWARD);
}

int command_grad(const Options *options) {
    return evaluate(options, TDSL_GRADIENT);
}

int command_build(const Options *options) {
    if (options->output == NULL) {
        fputs("tdsl: error: nothing to build\n  hint: say what with -o, as in -o model.so\n",
              stderr);
        return TDSL_BAD_USAGE;
    }
    TdslSession *session;
    Request request = {0};
    TdslStatus status = session_start(options, &options->compiler, &session);
    if (status == TDSL_OK)
        status = request_read(session, options, &request);
    if (status == TDSL_OK)
        status = tdsl_build(session, options->output, &request.gradient);
    if (status == TDSL_OK && options->json) {
        fputs("{\"built\": ", stdout);
        print_json_string(stdout, options->output);
        fputs("}\n", stdout);
    }
    request_free(&request);
    return session_end(session, status);
}

int command_emit(const Options *options) {
    if (options->stage == NULL) {
        fputs("tdsl: error: no stage given\n  hint: --stage=ast, ir, tdsl, adjoint, tdsl-adjoint, "
              "memory, "
              "loops, c, llvm, asm or "
              "dot\n",
              stderr);
        return TDSL_BAD_USAGE;
    }
    TdslSession *session;
    Request request = {0};
    TdslStatus status = session_start(options, &options->compiler, &session);
    if (status == TDSL_OK)
        status = request_read(session, options, &request);
    if (status == TDSL_OK) {
        const char *text = options->json && strcmp(options->stage, "memory") == 0
                               ? tdsl_memory(session, &request.gradient, true)
                               : tdsl_emit(session, options->stage, &request.gradient);
        status = text ? TDSL_OK : tdsl_is_stage(options->stage) ? TDSL_BAD_PROGRAM : TDSL_BAD_USAGE;
        fputs(text ? text : "", stdout);
    }
    request_free(&request);
    return session_end(session, status);
}

int command_fmt(const Options *options) {
    TdslSession *session;
    TdslStatus status = session_start(options, &options->compiler, &session);
    const char *text = status == TDSL_OK ? tdsl_format(session) : NULL;
    fputs(text ? text : "", stdout);
    return session_end(session, text ? TDSL_OK : status ? status : TDSL_BAD_PROGRAM);
}

int command_ops(const Options *options) {
    TdslSession *session = tdsl_open(&options->compiler);
    TdslListForm form = options->json       ? TDSL_LIST_JSON
                        : options->markdown ? TDSL_LIST_MARKDOWN
                                            : TDSL_LIST_PLAIN;
    fputs(tdsl_operators(session, form), stdout);
    return session_end(session, TDSL_OK);
}

int command_version(const Options *options) {
    if (options->json)
        printf("{\"version\": \"%s\", \"llvm\": \"%s\"}\n", tdsl_version(), tdsl_llvm_version());
    else
        printf("tdsl %s (LLVM %s)\n", tdsl_version(), tdsl_llvm_version());
    return TDSL_OK;
}
