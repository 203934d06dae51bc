// TorchScript: networks that torch.jit.save wrote.
#include "Border.h"
#include "CTorch.h"

#include <utility>

#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

namespace {

torch::jit::Module &module_of(LoopyScript script) {
    return *reinterpret_cast<torch::jit::Module *>(script);
}

/// Convolutions and products with whole float32 on CUDA: the same points as on the CPU.
struct ExactFloats {
    const bool convolutions = at::globalContext().allowTF32CuDNN();
    const bool products = at::globalContext().allowTF32CuBLAS();

    ExactFloats() { set(false, false); }
    ~ExactFloats() { set(convolutions, products); }
    ExactFloats(const ExactFloats &) = delete;
    ExactFloats &operator=(const ExactFloats &) = delete;

    static void set(bool convolutions, bool products) {
        at::globalContext().setAllowTF32CuDNN(convolutions);
        at::globalContext().setAllowTF32CuBLAS(products);
    }
};

/// Tensors of a value: itself, or those of its parts, in order.
void collect(const c10::IValue &value, TensorList &tensors) {
    if (value.isTensor()) {
        tensors.push_back(value.toTensor());
    } else if (value.isTuple()) {
        for (const c10::IValue &part : value.toTupleRef().elements()) collect(part, tensors);
    } else if (value.isList()) {
        for (const c10::IValue &part : value.toListRef()) collect(part, tensors);
    } else {
        TORCH_CHECK(false, "gives a ", value.tagKind(), ", not tensors");
    }
}

}  // namespace

LoopyMessage loopy_torch_load_script(
    const char *path, int32_t device_type, int32_t device_index, LoopyScript *script) {
    return guarded([&] {
        auto module = torch::jit::load(
            path, c10::Device(
                      static_cast<c10::DeviceType>(device_type),
                      static_cast<c10::DeviceIndex>(device_index)));
        module.eval();
        *script = reinterpret_cast<LoopyScript>(new torch::jit::Module(std::move(module)));
    });
}

void loopy_torch_release_script(LoopyScript script) { delete &module_of(script); }

bool loopy_torch_script_takes(LoopyScript script, const char *argument) {
    const auto forward = module_of(script).find_method("forward");
    return forward && forward->function().getSchema().argumentIndexWithName(argument).has_value();
}

LoopyMessage loopy_torch_run_script(
    LoopyScript script, LoopyTensor input, const char *const *flag_names, const bool *flags,
    int32_t flag_count, LoopyTensor **results, int32_t *result_count) {
    return guarded([&] {
        const c10::AutoGradMode no_gradients(false);
        // What is optimised after some runs may round otherwise than in the first one.
        const torch::jit::GraphOptimizerEnabledGuard not_optimised(false);
        const ExactFloats exact;
        torch::jit::Kwargs named;
        for (int32_t i = 0; i < flag_count; i++) named.emplace(flag_names[i], flags[i]);
        TensorList tensors;
        collect(module_of(script).forward({unwrap(input)}, named), tensors);
        hand_over(tensors, results, result_count);
    });
}
