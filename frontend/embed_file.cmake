# The script behind tdsl_embed: writes a C array with the bytes of INPUTS (separated by `|`).
string(REPLACE "|" ";" FILES "${INPUTS}")
set(HEX "")
foreach(FILE ${FILES})
  file(READ ${FILE} PART HEX)
  string(APPEND HEX "${PART}")
endforeach()
string(LENGTH "${HEX}" LENGTH)
math(EXPR LENGTH "${LENGTH} / 2")
string(REGEX REPLACE "(..)" "0x\\1," BYTES "${HEX}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" BYTES "${BYTES}")
file(WRITE ${OUTPUT} "#include <stddef.h>
extern const char ${NAME}[];
extern const size_t ${NAME}_length;
const char ${NAME}[] = {\n${BYTES}0};
const size_t ${NAME}_length = ${LENGTH};
")
