# Stand-in for a Slicer build tree: what our CMake files call, as far as a test can follow it without Slicer.
# slicerMacroBuildScriptedModule refuses unknown keywords and files that do not exist, as Slicer's does.

set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
