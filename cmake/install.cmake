# What is installed, in two components: the programs, and what building against libvireo takes.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vireo)

install(TARGETS vireo_shared vireo_static EXPORT vireo
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY runtime/include/vireo resolver/include/vireo
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN "*.h")

# The package: vireo::vireo is the shared library, vireo::static the other.
set_target_properties(vireo_shared PROPERTIES EXPORT_NAME vireo)
set_target_properties(vireo_static PROPERTIES EXPORT_NAME static)
install(EXPORT vireo NAMESPACE vireo:: FILE vireo-targets.cmake DESTINATION ${package_dir} COMPONENT development)
configure_package_config_file(cmake/vireo-config.cmake.in ${PROJECT_BINARY_DIR}/vireo-config.cmake
    INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vireo-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vireo-config.cmake ${PROJECT_BINARY_DIR}/vireo-config-version.cmake
    DESTINATION ${package_dir} COMPONENT development)

# The prefix in the pkg-config file is relative to the file, so that `cmake --install --prefix` works, and so does
# moving the tree afterwards.
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(cmake/libvireo.pc.in ${PROJECT_BINARY_DIR}/libvireo.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/libvireo.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# For gdb's `source`: the script knows the private records of this version.
install(FILES share/gdb/vireo-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/vireo COMPONENT development)

# Manual pages, where scdoc is there to make them.
find_program(SCDOC scdoc)
file(GLOB manuals CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/*.[1-8].scd)
if(SCDOC AND manuals)
    set(pages "")
    foreach(manual ${manuals})
        get_filename_component(page ${manual} NAME_WLE)
        string(REGEX MATCH "[1-8]$" section ${page})
        add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/${page} DEPENDS ${manual} VERBATIM
            COMMAND sh -c [["$0" <"$1" >"$2"]] ${SCDOC} ${manual} ${PROJECT_BINARY_DIR}/${page})
        list(APPEND pages ${PROJECT_BINARY_DIR}/${page})
        install(FILES ${PROJECT_BINARY_DIR}/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endforeach()
    add_custom_target(manuals ALL DEPENDS ${pages})
endif()
