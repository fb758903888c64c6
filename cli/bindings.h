// Values for a model's leaves: from --set, --in, and the model's own initial values.
#ifndef TDSL_CLI_BINDINGS_H
#define TDSL_CLI_BINDINGS_H

#include "cli/options.h"
#include "cli/tensor.h"

typedef struct Binding {
    const char *name; // of the leaf
    const char *from; // for messages: "--set x", "data.npz"
    Tensor value;     // as given; converted to the leaf's type by bindings_complete
} Binding;

typedef struct Bindings {
    Binding *at;
    int count;
    TensorFile *files; // keep the names alive
    int file_count;
} Bindings;

// Opens a session, loads the program, binds the -D dimensions. TDSL_OK or an exit code; the session
// is always returned.
TdslStatus session_start(const Options *options, const TdslOptions *compiler,
                         TdslSession **session);
// Reads --set and --in (only what names a leaf) and binds the dimensions that they decide.
TdslStatus bindings_read(TdslSession *session, const Options *options, Bindings *bindings);
// Adds a value for a leaf if it has none yet; takes over `value`.
void bindings_add(Bindings *bindings, const char *name, const char *from, Tensor value);
const Binding *bindings_find(const Bindings *bindings, const char *name);
// Gives every leaf a value of its type: converts what was given, computes initial values for the
// rest with the key of the random numbers, and reports leaves without a value.
TdslStatus bindings_complete(TdslSession *session, const Options *options, Bindings *bindings);
// Brings a value to a declared type; reports and returns false if it does not fit.
bool binding_fit(TdslSession *session, Binding *binding, TdslElement element, int rank,
                 const int64_t *shape);
void bindings_free(Bindings *bindings);

// What --wrt and --seed ask for. Seeds keep the values of --seed OUT=VALUE.
typedef struct Request {
    TdslGradientRequest gradient;
    const char **outputs;
    bool *seeded;
    Bindings seeds;
} Request;
TdslStatus request_read(TdslSession *session, const Options *options, Request *request);
void request_free(Request *request);

// Prints the session's messages to stderr, closes it, and returns the code.
int session_end(TdslSession *session, int code);

#endif
