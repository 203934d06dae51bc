// What Swift sees of OpenVINO: its C API, and the variadic calls that Swift cannot make.
#ifndef LOOPY_COPENVINO_SHIM_H
#define LOOPY_COPENVINO_SHIM_H

#include <openvino/c/openvino.h>

// Compiles for the CPU in float32 on `threads` threads, tuned for one request at a time. The
// precision is pinned so that the same input gives the same numbers on machines that have bf16 units.
static inline ov_status_e loopy_ov_compile_for_cpu(
    const ov_core_t *core, const ov_model_t *model, const char *threads,
    ov_compiled_model_t **compiled) {
    return ov_core_compile_model(
        core, model, "CPU", 8, compiled,
        "INFERENCE_NUM_THREADS", threads,
        "INFERENCE_PRECISION_HINT", "f32",
        "PERFORMANCE_HINT", "LATENCY",
        "ENABLE_CPU_PINNING", "NO");
}

#endif
