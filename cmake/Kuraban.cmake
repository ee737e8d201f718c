# How this project is built. Everything a folder needs is one call; nothing lists sources.
#
#   kuraban_library(NAME [SOURCES file…] [DEPENDS folder…] [PKG pkg-config-module…])
#       Static library `kuraban_NAME` from every *.c of the calling folder except main.c (or from SOURCES).
#       DEPENDS names folders ("base kern"), PKG names pkg-config modules ("libudev"); both are transitive.
#       A folder without sources yet hands on its DEPENDS and PKG only; a dependency on an unknown folder is left out.
#
#   kuraban_program(NAME [MAIN file] [DEPENDS folder…] [PKG module…] DESTINATION dir [COMPONENT component])
#       Executable NAME from main.c (or MAIN) alone; everything else it needs lives in a library, so that tests link
#       the same objects. Built to <build>/bin/NAME, installed to DESTINATION. Skipped while MAIN does not exist.
#       COMPONENT: what is not of the terminal's package ("hub").
#
# Include roots are agent/ and the top of the tree:  #include "base/buf.h", "kern/usb.h", "policy/policy.h".
# Tests also have tests/ as a root:                  #include "test.h", "fake/usb.h".
#
# Tests need no registration (tests/CMakeLists.txt collects them):
#   tests/unit/<folder>/<x>_test.c     label unit         test unit/<folder>/<x>, links kuraban_<folder>, kuraban_fake
#   tests/fault/<x>_fault.c            label unit         test fault/<x>: its calls fail by seed (tests/fault/fault.h)
#   tests/component/<x>_test.c         label component    one at a time, may need root; links everything
#   tests/component/<x>_test.sh        label component    the same for scripts
#   tests/docs/<x>_test.{c,sh}         label docs         runs the examples of docs/
#   tests/fuzz/<x>_fuzz.c              label fuzz-corpus  tests/fuzz/corpus/<x>/ through LLVMFuzzerTestOneInput
#   tests/bench/<x>_bench.c            (no ctest)         <build>/bench/<x>
#   tests/fake/*.c                                        library kuraban_fake
#   tests/vm/run                       label vm           the machine test
#   tests/lint                         label lint
# New files are picked up by the next build (GLOB with CONFIGURE_DEPENDS). A test program that cannot run here prints
# "SKIP: reason" and exits 77; a single case calls skip_because("reason") of tests/test.h. tests/run repeats the reasons.
# Every test sees KURABAN_SOURCE and KURABAN_BUILD (this tree and its build directory) in its environment.
#
# Options (the presets of CMakePresets.json set them; build directory build/<preset>):
#   KURABAN_WERROR     warnings are errors        KURABAN_HARDENING  fortify, stack protector, RELRO, CET
#   KURABAN_SANITIZE   ASan and UBSan             KURABAN_FUZZ       libFuzzer (clang only)
#   KURABAN_COVERAGE   gcov counters              KURABAN_TESTS      tests, fuzz targets and benches (test.list); not in release
# assert() stays active in every build type: NDEBUG is never defined.

include_guard(GLOBAL)
include(GNUInstallDirs)
include(CheckCCompilerFlag)
include(CheckPIESupported)
find_package(PkgConfig REQUIRED)

option(KURABAN_WERROR "Treat warnings as errors" OFF)
option(KURABAN_HARDENING "Build with hardening flags" ON)
option(KURABAN_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(KURABAN_FUZZ "Build the fuzz targets with libFuzzer" OFF)
option(KURABAN_COVERAGE "Count executed lines for gcov" OFF)
option(KURABAN_TESTS "Build the tests, fuzz targets and benches too" ON)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
check_pie_supported(LANGUAGES C)

# One word for all flags: every target links this and adds none of its own.
add_library(kuraban_flags INTERFACE)
target_include_directories(kuraban_flags INTERFACE "${PROJECT_SOURCE_DIR}/agent" "${PROJECT_SOURCE_DIR}")
target_compile_definitions(kuraban_flags INTERFACE
    _GNU_SOURCE
    KURABAN_VERSION="${PROJECT_VERSION}"
    KURABAN_LOCALE_DIR="${CMAKE_INSTALL_FULL_LOCALEDIR}"
    KURABAN_LIBEXEC_DIR="${CMAKE_INSTALL_FULL_LIBEXECDIR}/kuraban"
    KURABAN_DATA_DIR="${CMAKE_INSTALL_FULL_DATADIR}/kuraban"
    KURABAN_CONFIG_DIR="${CMAKE_INSTALL_FULL_SYSCONFDIR}/kuraban")
target_compile_options(kuraban_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wvla -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
    -Wwrite-strings -Wimplicit-fallthrough)
if(KURABAN_WERROR)
    target_compile_options(kuraban_flags INTERFACE -Werror)
endif()

if(KURABAN_SANITIZE)
    # Fortify hides reads from ASan, so the two exclude each other.
    set(kuraban_sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all)
    target_compile_options(kuraban_flags INTERFACE ${kuraban_sanitizers})
    target_link_options(kuraban_flags INTERFACE ${kuraban_sanitizers})
elseif(KURABAN_HARDENING)
    target_compile_options(kuraban_flags INTERFACE
        -fstack-protector-strong -fstack-clash-protection $<$<NOT:$<CONFIG:>>:-U_FORTIFY_SOURCE>
        $<$<NOT:$<CONFIG:>>:-D_FORTIFY_SOURCE=2>)
    check_c_compiler_flag(-fcf-protection=full KURABAN_HAVE_CET)
    if(KURABAN_HAVE_CET)
        target_compile_options(kuraban_flags INTERFACE -fcf-protection=full)
    endif()
    target_link_options(kuraban_flags INTERFACE LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack LINKER:--as-needed)
endif()
if(KURABAN_FUZZ)
    target_compile_options(kuraban_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(KURABAN_COVERAGE)
    target_compile_options(kuraban_flags INTERFACE --coverage)
    target_link_options(kuraban_flags INTERFACE --coverage)
endif()

# kuraban_pkg(TARGET scope module…): link TARGET against pkg-config modules.
function(kuraban_pkg target scope)
    foreach(module IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "KURABAN_PKG_${module}" prefix)
        if(NOT TARGET PkgConfig::${prefix})
            pkg_check_modules(${prefix} REQUIRED QUIET IMPORTED_TARGET GLOBAL ${module})
        endif()
        target_link_libraries(${target} ${scope} PkgConfig::${prefix})
    endforeach()
endfunction()

# kuraban_link(TARGET scope folder…): link TARGET against the libraries of folders; one that does not exist is left out.
function(kuraban_link target scope)
    foreach(folder IN LISTS ARGN)
        target_link_libraries(${target} ${scope} $<TARGET_NAME_IF_EXISTS:kuraban_${folder}>)
    endforeach()
endfunction()

function(kuraban_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;PKG")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "kuraban_library(${name}): unknown argument ${arg_UNPARSED_ARGUMENTS}")
    endif()
    if(NOT arg_SOURCES)
        file(GLOB arg_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.c")
        list(FILTER arg_SOURCES EXCLUDE REGEX "/main\\.c$")
    endif()
    if(arg_SOURCES)
        set(scope PUBLIC)
        add_library(kuraban_${name} STATIC ${arg_SOURCES})
    else()
        set(scope INTERFACE)
        add_library(kuraban_${name} INTERFACE)
    endif()
    target_link_libraries(kuraban_${name} ${scope} kuraban_flags)
    kuraban_link(kuraban_${name} ${scope} ${arg_DEPENDS})
    kuraban_pkg(kuraban_${name} ${scope} ${arg_PKG})
    set_property(GLOBAL APPEND PROPERTY KURABAN_LIBRARIES ${name})
endfunction()

function(kuraban_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "MAIN;DESTINATION;COMPONENT" "DEPENDS;PKG")
    if(arg_UNPARSED_ARGUMENTS OR NOT arg_DESTINATION)
        message(FATAL_ERROR "kuraban_program(${name}): needs DESTINATION; unknown: ${arg_UNPARSED_ARGUMENTS}")
    endif()
    if(NOT arg_MAIN)
        set(arg_MAIN main.c)
    endif()
    # A glob rather than EXISTS: the build notices when the file appears.
    file(GLOB main CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${arg_MAIN}")
    if(NOT main)
        return()
    endif()
    add_executable(${name} ${main})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
    target_link_libraries(${name} PUBLIC kuraban_flags)
    kuraban_link(${name} PUBLIC ${arg_DEPENDS})
    kuraban_pkg(${name} PUBLIC ${arg_PKG})
    if(NOT arg_COMPONENT)
        set(arg_COMPONENT Unspecified)
    endif()
    install(TARGETS ${name} RUNTIME DESTINATION "${arg_DESTINATION}" COMPONENT ${arg_COMPONENT})
endfunction()
