# The compile options and the three kinds of target of this project.

add_library(galley_options INTERFACE)
target_include_directories(galley_options INTERFACE ${PROJECT_SOURCE_DIR})
# -ffp-contract=off: a fused multiply-add happens where the source says std::fma and nowhere
# else, so that every variant of a kernel rounds at the same places (docs/exactness.md).
target_compile_options(galley_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Werror -ffp-contract=off)
# GCC 12 sees overlaps where a text is put together from pieces (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(galley_options INTERFACE -Wno-restrict)
endif()
if(GALLEY_SANITIZE)
  target_compile_options(galley_options INTERFACE
    -fsanitize=${GALLEY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # The instrumented code misleads this warning of gcc: it reports members of std::variant that
  # are never read.
  target_compile_options(galley_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(galley_options INTERFACE -fsanitize=${GALLEY_SANITIZE})
endif()
if(GALLEY_FUZZ)
  target_compile_options(galley_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# galley_library(NAME DEPENDS...): the library galley::NAME from every .cpp of this folder
# and of the SUBFOLDERS variable, if set.
function(galley_library name)
  set(patterns *.cpp)
  foreach(folder ${SUBFOLDERS})
    list(APPEND patterns ${folder}/*.cpp)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  if(NOT sources)  # only headers so far
    add_library(galley_${name} INTERFACE)
    target_link_libraries(galley_${name} INTERFACE galley_options ${ARGN})
  else()
    add_library(galley_${name} STATIC ${sources})
    target_link_libraries(galley_${name} PUBLIC galley_options ${ARGN})
  endif()
  add_library(galley::${name} ALIAS galley_${name})
endfunction()

# Most of the code is in no hurry: commands and tests call and compare. There, quick to compile
# matters more than quick to run. Tests that compute much themselves, in float64, get a little more.
if(CMAKE_BUILD_TYPE STREQUAL "Debug" OR GALLEY_SANITIZE)
  set(GALLEY_QUICK_OPTIMIZATION -O0)
  set(GALLEY_NUMERIC_TEST_OPTIMIZATION -O1)
else()
  set(GALLEY_QUICK_OPTIMIZATION -O1)
  set(GALLEY_NUMERIC_TEST_OPTIMIZATION -O2)
endif()

# Checks of every pointer double the time to compile. AddressSanitizer, which sees what they see once
# the pointer is used, and the other checks of UBSan stay on.
set(GALLEY_FEWER_POINTER_CHECKS -fno-sanitize=null,alignment,object-size,vptr)

# galley_quick_to_compile(TARGET HEADERS...): compiles TARGET, whose run time does not matter, with
# little optimization and with HEADERS, large ones of other projects, read in advance.
# galley_quick_to_compile(TARGET REUSE_FROM OTHER): with those that OTHER has read.
function(galley_quick_to_compile target)
  target_compile_options(${target} PRIVATE ${GALLEY_QUICK_OPTIMIZATION})
  if(GALLEY_SANITIZE)
    target_compile_options(${target} PRIVATE ${GALLEY_FEWER_POINTER_CHECKS})
  endif()
  if(ARGV1 STREQUAL "REUSE_FROM")
    target_precompile_headers(${target} REUSE_FROM ${ARGV2})
  else()
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

if(GALLEY_SANITIZE)
  set(GALLEY_SANITIZED 1)
else()
  set(GALLEY_SANITIZED 0)
endif()

# galley_test(NAME DEPENDS...): the test program test_NAME from every .cpp of this folder,
# each test case known to ctest.
function(galley_test name)
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE ${ARGN} galley_options GTest::gtest GTest::gtest_main)
  galley_quick_to_compile(test_${name} <nlohmann/json.hpp> <gtest/gtest.h>)
  target_compile_definitions(test_${name} PRIVATE GALLEY_SANITIZED=${GALLEY_SANITIZED}
    GALLEY_SOURCE_DIR="${PROJECT_SOURCE_DIR}" GALLEY_BINARY="$<TARGET_FILE_DIR:test_${name}>/galley")
  gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
endfunction()

# The commit that benchmarks record, as of the last time CMake ran.
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} describe --always --dirty
  OUTPUT_VARIABLE GALLEY_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT GALLEY_COMMIT)
  set(GALLEY_COMMIT unknown)
endif()
