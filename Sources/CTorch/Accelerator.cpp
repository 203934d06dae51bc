// What is asked of a GPU besides computing: memory, waiting, and what its kernels take.
#include "CTorch.h"
#include "Border.h"

#include <memory>
#include <set>

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <torch/csrc/autograd/profiler_kineto.h>

namespace profiler = torch::autograd::profiler;

LoopyMessage loopy_torch_synchronise(int32_t device_index) {
    return guarded([&] {
        at::accelerator::synchronizeDevice(static_cast<c10::DeviceIndex>(device_index));
    });
}

LoopyMessage loopy_torch_free_memory(int32_t device_index, int64_t *bytes) {
    return guarded([&] {
        const auto index = static_cast<c10::DeviceIndex>(device_index);
        *bytes = static_cast<int64_t>(at::accelerator::getMemoryInfo(index).first);
    });
}

LoopyMessage loopy_torch_peak_memory(int32_t device_index, bool begins_anew, int64_t *bytes) {
    return guarded([&] {
        const auto index = static_cast<c10::DeviceIndex>(device_index);
        // The first entry counts all blocks, small and large.
        *bytes = at::accelerator::getDeviceStats(index).allocated_bytes[0].peak;
        if (begins_anew) at::accelerator::resetPeakStats(index);
    });
}

void loopy_torch_allow_tf32(bool allow) {
    at::globalContext().setAllowTF32CuBLAS(allow);
    at::globalContext().setAllowTF32CuDNN(allow);
}

LoopyMessage loopy_torch_begin_profile(void) {
    return guarded([&] {
        const profiler::ProfilerConfig config(
            profiler::ProfilerState::KINETO, /*report_input_shapes=*/true,
            /*profile_memory=*/false, /*with_stack=*/false, /*with_flops=*/true);
        const std::set<profiler::ActivityType> activities{
            profiler::ActivityType::CPU, profiler::ActivityType::CUDA};
        profiler::prepareProfiler(config, activities);
        profiler::enableProfiler(config, activities);
    });
}

LoopyMessage loopy_torch_end_profile(const char *path) {
    return guarded([&] { profiler::disableProfiler()->save(path); });
}
