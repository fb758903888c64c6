# Writes OUTPUT, a C source with the digest of all sources that have a say in machine code.
file(GLOB SOURCES ${ROOT}/codegen/*.c ${ROOT}/codegen/*.h ${ROOT}/codegen/*.sollya ${ROOT}/ir/*.c
     ${ROOT}/ir/*.h ${ROOT}/ir/*.def ${ROOT}/ir/base/*.c ${ROOT}/ir/base/*.h)
set(ALL "")
foreach(FILE ${SOURCES})
  file(SHA256 ${FILE} DIGEST)
  string(APPEND ALL "${DIGEST}\n")
endforeach()
string(SHA256 DIGEST "${ALL}")
file(WRITE ${OUTPUT} "extern const char compiler_build_id[];\n"
     "const char compiler_build_id[] = \"${DIGEST}\";\n")
