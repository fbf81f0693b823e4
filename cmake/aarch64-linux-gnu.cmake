# Cross-compiling for AArch64 on another Debian machine, whose multiarch has that machine's libraries; tests run under
# qemu-user. The compiler may be clang as well: -DCMAKE_C_COMPILER=clang.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
if(NOT CMAKE_C_COMPILER)
    set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
endif()
# For clang, which makes code for every machine.
set(CMAKE_C_COMPILER_TARGET aarch64-linux-gnu)
set(CMAKE_ASM_COMPILER_TARGET aarch64-linux-gnu)
# The simpler of the ciphers that sign return addresses; the other makes up most of a test's time.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu max,pauth-impdef=on)
# Of this project's dependencies, those that were made for the other machine.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)

# To the tests, an emulator is like a sanitizer: slow, and limits and figures of memory are its own as well.
add_compile_definitions(SANITIZED=1)
