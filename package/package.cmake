# What is installed: the command, the shared library with its header, the manual page, and what lets pkg-config
# and CMake find them. `cmake --install build --prefix DIR`.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(tdsl_shared SHARED ${CMAKE_CURRENT_LIST_DIR}/shared.c)
target_link_libraries(tdsl_shared PRIVATE $<LINK_LIBRARY:WHOLE_ARCHIVE,tdsl_library>)
target_include_directories(tdsl_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(tdsl_shared PROPERTIES OUTPUT_NAME tdsl VERSION ${PROJECT_VERSION}
                                             SOVERSION ${PROJECT_VERSION_MAJOR} EXPORT_NAME library)
set_target_properties(tdsl PROPERTIES EXPORT_NAME compiler)

install(TARGETS tdsl tdsl_shared EXPORT tdsl)
install(FILES library/tdsl.h TYPE INCLUDE)
install(FILES docs/tdsl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

set(PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/tdsl)
install(EXPORT tdsl NAMESPACE tdsl:: FILE tdslTargets.cmake DESTINATION ${PACKAGE_FOLDER})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tdslConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES package/tdslConfig.cmake ${PROJECT_BINARY_DIR}/tdslConfigVersion.cmake
        DESTINATION ${PACKAGE_FOLDER})

file(RELATIVE_PATH PREFIX_FROM_PKGCONFIG /${CMAKE_INSTALL_LIBDIR}/pkgconfig /) # wherever it is put
configure_file(package/tdsl.pc.in ${PROJECT_BINARY_DIR}/tdsl.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tdsl.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
