# find_package(tdsl) gives the library tdsl::library, the command tdsl::compiler, and
#
#   tdsl_add_model(NAME FILE [MODEL model] [DIMENSIONS B=32 ...] [OPTIONS ...] [DEPENDS imported.tdsl ...] [SOURCE])
#
# a library target NAME with the code of the model in FILE. Targets that link it can #include "NAME.h". OPTIONS are
# options of `tdsl build`; DEPENDS names the files that FILE imports. The code is an object that tdsl makes for this
# machine's family; with SOURCE it is C, compiled by the project's own compiler with its flags, which is also the way to
# go when compiling for another machine.
include(${CMAKE_CURRENT_LIST_DIR}/tdslTargets.cmake)

function(tdsl_add_model NAME FILE)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "SOURCE" "MODEL" "DIMENSIONS;OPTIONS;DEPENDS")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tdsl_add_model(${NAME}): what is ${ARG_UNPARSED_ARGUMENTS}?")
  endif()
  cmake_path(ABSOLUTE_PATH FILE NORMALIZE)
  set(FOLDER ${CMAKE_CURRENT_BINARY_DIR}/${NAME}_tdsl)
  file(MAKE_DIRECTORY ${FOLDER})
  set(CODE ${FOLDER}/${NAME}.o)
  if(ARG_SOURCE)
    set(CODE ${FOLDER}/${NAME}.c)
  endif()
  set(CHOICES ${ARG_OPTIONS})
  if(ARG_MODEL)
    list(APPEND CHOICES --model ${ARG_MODEL})
  endif()
  foreach(DIMENSION ${ARG_DIMENSIONS})
    list(APPEND CHOICES -D ${DIMENSION})
  endforeach()
  add_custom_command(OUTPUT ${CODE} BYPRODUCTS ${FOLDER}/${NAME}.h ${FOLDER}/${NAME}.json
                     COMMAND tdsl::compiler build ${FILE} -o ${CODE} ${CHOICES}
                     DEPENDS ${FILE} ${ARG_DEPENDS} tdsl::compiler
                     COMMENT "Differentiating ${FILE}" VERBATIM)
  add_library(${NAME} STATIC ${CODE})
  set_target_properties(${NAME} PROPERTIES LINKER_LANGUAGE C)
  if(NOT ARG_SOURCE)
    set_source_files_properties(${CODE} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  endif()
  target_include_directories(${NAME} PUBLIC ${FOLDER})
  target_link_libraries(${NAME} PUBLIC m)
endfunction()
