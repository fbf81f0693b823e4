# How every target is compiled: the language, the warnings, the hardening, the sanitizers.

add_library(vireo_compile INTERFACE)
target_compile_features(vireo_compile INTERFACE c_std_11)
target_compile_definitions(vireo_compile INTERFACE _GNU_SOURCE)

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(warnings
    -Wall
    -Wextra
    -Wpedantic
    -Wcast-qual
    -Wformat=2
    -Wmissing-prototypes
    -Wold-style-definition
    -Wpointer-arith
    -Wshadow
    -Wstrict-prototypes
    -Wundef
    -Wvla
    -Wwrite-strings)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND warnings -Wduplicated-branches -Wduplicated-cond -Wlogical-op)
endif()
if(VIREO_WERROR)
    list(APPEND warnings -Werror)
endif()
target_compile_options(vireo_compile INTERFACE "$<$<COMPILE_LANGUAGE:C>:${warnings}>")

# The places that made greenlets (VR_SITE) read "server/session.c:110", wherever the source lies. Macros only: debuggers
# go on finding the files.
target_compile_options(vireo_compile INTERFACE $<$<COMPILE_LANGUAGE:C>:-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=>)

# Greenlet stacks end in a single guard page: without -fstack-clash-protection a large frame could step over it.
target_compile_options(vireo_compile INTERFACE $<$<COMPILE_LANGUAGE:C>:-fstack-clash-protection;-fstack-protector-strong>)
target_link_options(vireo_compile INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)

if(VIREO_SANITIZE)
    target_compile_options(vireo_compile INTERFACE
        -fsanitize=${VIREO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(vireo_compile INTERFACE -fsanitize=${VIREO_SANITIZE})
else()
    # The sanitizers watch the same calls themselves, and report more than "buffer overflow detected".
    target_compile_options(vireo_compile INTERFACE
        $<$<AND:$<COMPILE_LANGUAGE:C>,$<CONFIG:Release,RelWithDebInfo>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>)
endif()
