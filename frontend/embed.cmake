# tdsl_embed(TARGET FILE NAME): compiles FILE's bytes into TARGET as
#   const char NAME[]; const size_t NAME_length;
# declared where they are used. The generated C lives in the build folder.
function(tdsl_embed TARGET FILE NAME)
  set(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/embedded_${NAME}.c)
  add_custom_command(
    OUTPUT ${OUTPUT}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_CURRENT_SOURCE_DIR}/${FILE} -DOUTPUT=${OUTPUT}
            -DNAME=${NAME} -P ${PROJECT_SOURCE_DIR}/frontend/embed_file.cmake
    DEPENDS ${FILE} ${PROJECT_SOURCE_DIR}/frontend/embed_file.cmake)
  target_sources(${TARGET} PRIVATE ${OUTPUT})
endfunction()
