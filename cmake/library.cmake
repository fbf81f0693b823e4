# libvireo: both layers as one library, shared and static.

# The symbols of the shared library are what the public headers declare. Functions that one file offers another begin
# with vr_ as well, so a pattern would not do: the headers are read. Declarations stand at the start of a line there
# (the format is checked), bodies of inline functions do not.
file(GLOB public_headers CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/runtime/include/vireo/*.h ${PROJECT_SOURCE_DIR}/resolver/include/vireo/*.h)
set(exports "")
foreach(header ${public_headers})
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
    file(STRINGS ${header} declarations REGEX "^[a-z].*[ *]vr_[a-z0-9_]+\\(")
    foreach(declaration ${declarations})
        if(NOT declaration MATCHES "^(static|typedef) " AND declaration MATCHES "[ *](vr_[a-z0-9_]+)\\(")
            string(APPEND exports "        ${CMAKE_MATCH_1};\n")
        endif()
    endforeach()
endforeach()
set(version_script ${PROJECT_BINARY_DIR}/vireo.map)
file(CONFIGURE OUTPUT ${version_script} @ONLY
    CONTENT "VIREO_@PROJECT_VERSION_MAJOR@ {\n    global:\n@exports@    local:\n        *;\n};\n")

set(objects $<TARGET_OBJECTS:vireo_runtime> $<TARGET_OBJECTS:vireo_resolver>)
add_library(vireo_static STATIC ${objects})
add_library(vireo_shared SHARED ${objects})
foreach(library vireo_static vireo_shared)
    set_target_properties(${library} PROPERTIES OUTPUT_NAME vireo)
    target_include_directories(${library} INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime/include>
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/resolver/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${library} PRIVATE
        $<BUILD_INTERFACE:vireo_compile>
        $<BUILD_INTERFACE:${LIBEV_LIBRARY}>
        $<BUILD_INTERFACE:PkgConfig::CARES>
        $<BUILD_INTERFACE:PkgConfig::IDN2>
        $<BUILD_INTERFACE:Threads::Threads>)
endforeach()

# An installed static library finds its dependencies by name, wherever they are on that machine.
target_link_libraries(vireo_static INTERFACE $<INSTALL_INTERFACE:ev> $<INSTALL_INTERFACE:cares>
    $<INSTALL_INTERFACE:idn2> $<INSTALL_INTERFACE:Threads::Threads>)

target_link_options(vireo_shared PRIVATE -Wl,--version-script=${version_script})
set_target_properties(vireo_shared PROPERTIES
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}
    LINK_DEPENDS ${version_script})
