// What Swift sees of OpenVINO: its C API, and the variadic calls that Swift cannot make.
#ifndef LOOPY_COPENVINO_SHIM_H
#define LOOPY_COPENVINO_SHIM_H

#include <openvino/c/openvino.h>

// How networks are compiled: for the CPU in float32 on `threads` threads, tuned for one request at a time.
// The precision is pinned so that the same input gives the same numbers on machines that have bf16 units.
#define LOOPY_OV_PROPERTIES(threads) \
    "INFERENCE_NUM_THREADS", threads, "INFERENCE_PRECISION_HINT", "f32", "PERFORMANCE_HINT", \
        "LATENCY", "ENABLE_CPU_PINNING", "NO"

static inline ov_status_e loopy_ov_compile_for_cpu(
    const ov_core_t *core, const ov_model_t *model, const char *threads,
    ov_compiled_model_t **compiled) {
    return ov_core_compile_model(
        core, model, "CPU", 8, compiled, LOOPY_OV_PROPERTIES(threads));
}

// The same for a file, of which `cache` is a folder of compiled networks, to be read from or written to.
static inline ov_status_e loopy_ov_compile_file_for_cpu(
    const ov_core_t *core, const char *path, const char *threads, const char *cache,
    ov_compiled_model_t **compiled) {
    return ov_core_compile_model_from_file(
        core, path, "CPU", 10, compiled, LOOPY_OV_PROPERTIES(threads), "CACHE_DIR", cache);
}

#endif
