// The commands. Each returns the exit code: 0 done, 1 bad program or data, 2 usage, 3 input or
// output failed, 4 internal error, 5 a check failed.
#ifndef TDSL_CLI_COMMANDS_H
#define TDSL_CLI_COMMANDS_H

#include "cli/options.h"

enum { EXIT_CHECK_FAILED = 5 };

int command_check(const Options *options);
int command_run(const Options *options);
int command_grad(const Options *options);
int command_gradcheck(const Options *options);
int command_train(const Options *options);
int command_build(const Options *options);
int command_emit(const Options *options);
int command_fmt(const Options *options);
int command_bench(const Options *options);
int command_ops(const Options *options);
int command_version(const Options *options);

#endif
