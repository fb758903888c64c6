# tdsl_embed(TARGET NAME FILE...): compiles the bytes of the files, one after the other, into TARGET as
#   const char NAME[]; const size_t NAME_length;
# declared where they are used. The generated C lives in the build folder.
function(tdsl_embed TARGET NAME)
  set(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/embedded_${NAME}.c)
  string(REPLACE ";" "|" INPUTS "${ARGN}")
  add_custom_command(
    OUTPUT ${OUTPUT}
    COMMAND ${CMAKE_COMMAND} "-DINPUTS=${INPUTS}" -DOUTPUT=${OUTPUT} -DNAME=${NAME} -P
            ${PROJECT_SOURCE_DIR}/frontend/embed_file.cmake
    DEPENDS ${ARGN} ${PROJECT_SOURCE_DIR}/frontend/embed_file.cmake
    VERBATIM)
  target_sources(${TARGET} PRIVATE ${OUTPUT})
endfunction()
