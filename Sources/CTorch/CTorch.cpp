#include "CTorch.h"
#include "Border.h"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <string>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <torch/csrc/api/include/torch/version.h>
#include <torch/csrc/autograd/autograd.h>

namespace {

at::Generator &generator(LoopyGenerator wrapped) {
    return *reinterpret_cast<at::Generator *>(wrapped);
}

at::Tensor tensor_at(const int64_t *word) {
    return unwrap(reinterpret_cast<LoopyTensor>(static_cast<intptr_t>(*word)));
}

c10::IValue boxed(
    const LoopyArgument &argument, const int64_t *pool, const c10::Argument &declared) {
    const int64_t *words = pool + argument.start;
    const int count = argument.count;
    switch (argument.kind) {
    case LoopyArgumentDefault:
        TORCH_CHECK(
            declared.default_value().has_value(), "argument '", declared.name(),
            "' must be given");
        return *declared.default_value();
    case LoopyArgumentNone: return {};
    case LoopyArgumentTensor: return tensor_at(words);
    case LoopyArgumentTensors: {
        c10::List<at::Tensor> list;
        list.reserve(count);
        for (int i = 0; i < count; i++) list.push_back(tensor_at(words + i));
        return list;
    }
    case LoopyArgumentOptionalTensors: {
        c10::List<std::optional<at::Tensor>> list;
        list.reserve(count);
        for (int i = 0; i < count; i++) {
            if (words[i]) list.push_back(tensor_at(words + i));
            else list.push_back(std::nullopt);
        }
        return list;
    }
    case LoopyArgumentInteger: return words[0];
    case LoopyArgumentIntegers: return c10::List<int64_t>({words, words + count});
    case LoopyArgumentReal: return std::bit_cast<double>(words[0]);
    case LoopyArgumentReals: {
        c10::List<double> list;
        for (int i = 0; i < count; i++) list.push_back(std::bit_cast<double>(words[i]));
        return list;
    }
    case LoopyArgumentFlag: return words[0] != 0;
    case LoopyArgumentFlags: {
        c10::List<bool> list;
        for (int i = 0; i < count; i++) list.push_back(words[i] != 0);
        return list;
    }
    case LoopyArgumentText:
        return std::string(reinterpret_cast<const char *>(static_cast<intptr_t>(words[0])));
    case LoopyArgumentDevice:
        return c10::Device(
            static_cast<c10::DeviceType>(words[0]), static_cast<c10::DeviceIndex>(words[1]));
    case LoopyArgumentGenerator:
        return generator(reinterpret_cast<LoopyGenerator>(static_cast<intptr_t>(words[0])));
    }
    TORCH_CHECK(false, "argument of an unknown kind");
}

}  // namespace

void loopy_torch_free_message(LoopyMessage text) { free(text); }

// ---- Tensors -------------------------------------------------------------------------------------

void loopy_torch_release(LoopyTensor tensor) {
    c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(implementation(tensor));
}

int64_t loopy_torch_rank(LoopyTensor tensor) { return implementation(tensor)->dim(); }

void loopy_torch_layout(LoopyTensor tensor, int64_t *sizes, int64_t *strides) {
    const auto rank = static_cast<size_t>(implementation(tensor)->dim());
    if (sizes) {
        std::memcpy(sizes, implementation(tensor)->sizes().data(), rank * sizeof(int64_t));
    }
    if (strides) {
        std::memcpy(strides, implementation(tensor)->strides().data(), rank * sizeof(int64_t));
    }
}

int32_t loopy_torch_element_type(LoopyTensor tensor) {
    return static_cast<int32_t>(c10::typeMetaToScalarType(implementation(tensor)->dtype()));
}

void loopy_torch_device(LoopyTensor tensor, int32_t *type, int32_t *index) {
    const auto device = implementation(tensor)->device();
    *type = static_cast<int32_t>(device.type());
    *index = device.index();
}

bool loopy_torch_is_contiguous(LoopyTensor tensor) {
    return implementation(tensor)->is_contiguous();
}

LoopyMessage loopy_torch_data(LoopyTensor tensor, void **data) {
    return guarded([&] {
        auto *found = implementation(tensor);
        TORCH_CHECK(found->device().type() == c10::DeviceType::CPU, "is not in memory");
        TORCH_CHECK(
            !found->is_conj() && !found->is_neg(),
            "lies in memory with the other sign: copy() it first");
        *data = found->mutable_data();
    });
}

LoopyMessage loopy_torch_wrap(
    void *data, const int64_t *sizes, const int64_t *strides, int64_t rank, int32_t element_type,
    void *owner, void (*release)(void *owner), LoopyTensor *tensor) {
    return guarded([&] {
        const auto length = static_cast<size_t>(rank);
        *tensor = wrap(at::from_blob(
            data, c10::IntArrayRef(sizes, length), c10::IntArrayRef(strides, length),
            [owner, release](void *) { release(owner); },
            at::TensorOptions().dtype(static_cast<c10::ScalarType>(element_type))));
    });
}

// ---- Operators -----------------------------------------------------------------------------------

LoopyMessage loopy_torch_find(const char *name, const char *overload, LoopyOperator *found) {
    return guarded([&] {
        auto handle = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
        *found = reinterpret_cast<LoopyOperator>(new c10::OperatorHandle(handle));
    });
}

LoopyMessage loopy_torch_call(
    LoopyOperator called, const LoopyArgument *arguments, int32_t argument_count,
    const int64_t *pool, LoopyTensor **results, int32_t *result_count, double *number) {
    *results = nullptr;
    *result_count = 0;
    return guarded([&] {
        const auto &handle = *reinterpret_cast<const c10::OperatorHandle *>(called);
        const auto &declared = handle.schema().arguments();
        TORCH_CHECK(
            static_cast<size_t>(argument_count) <= declared.size(), "takes ", declared.size(),
            " arguments, not ", argument_count);
        torch::jit::Stack stack;
        stack.reserve(declared.size());
        for (size_t i = 0; i < declared.size(); i++) {
            const bool is_given = i < static_cast<size_t>(argument_count);
            const LoopyArgument argument =
                is_given ? arguments[i] : LoopyArgument{LoopyArgumentDefault, 0, 0};
            stack.push_back(boxed(argument, pool, declared[i]));
        }
        handle.callBoxed(stack);

        TensorList tensors;
        for (auto &value : stack) {
            if (value.isTensor()) {
                tensors.push_back(std::move(value).toTensor());
            } else if (value.isTensorList()) {
                for (at::Tensor &tensor : value.toTensorVector()) tensors.push_back(tensor);
            } else if (value.isScalar()) {
                *number = value.toScalar().toDouble();
            }
        }
        hand_over(tensors, results, result_count);
    });
}

void loopy_torch_free_results(LoopyTensor *results) { free(results); }

// ---- Gradients and modes -------------------------------------------------------------------------

bool loopy_torch_requires_gradient(LoopyTensor tensor) { return unwrap(tensor).requires_grad(); }

LoopyMessage loopy_torch_set_requires_gradient(LoopyTensor tensor, bool is_required) {
    return guarded([&] { unwrap(tensor).set_requires_grad(is_required); });
}

LoopyMessage loopy_torch_backward(LoopyTensor loss, LoopyTensor gradient, bool keep_graph) {
    return guarded([&] {
        torch::autograd::variable_list gradients;
        if (gradient) gradients.push_back(unwrap(gradient));
        torch::autograd::backward({unwrap(loss)}, gradients, keep_graph);
    });
}

LoopyTensor loopy_torch_gradient(LoopyTensor tensor) { return wrap(unwrap(tensor).grad()); }

void loopy_torch_set_gradient(LoopyTensor tensor, LoopyTensor gradient) {
    unwrap(tensor).mutable_grad() = unwrap(gradient);
}

bool loopy_torch_enable_gradients(bool enable) {
    const bool former = c10::GradMode::is_enabled();
    c10::GradMode::set_enabled(enable);
    return former;
}

LoopyMessage loopy_torch_begin_autocast(
    int32_t device_type, int32_t element_type, bool *was_enabled, int32_t *former_type) {
    return guarded([&] {
        const auto device = static_cast<c10::DeviceType>(device_type);
        *was_enabled = at::autocast::is_autocast_enabled(device);
        *former_type = static_cast<int32_t>(at::autocast::get_autocast_dtype(device));
        at::autocast::set_autocast_dtype(device, static_cast<c10::ScalarType>(element_type));
        at::autocast::set_autocast_enabled(device, true);
        at::autocast::increment_nesting();
    });
}

void loopy_torch_end_autocast(int32_t device_type, bool was_enabled, int32_t former_type) {
    const auto device = static_cast<c10::DeviceType>(device_type);
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device, was_enabled);
    at::autocast::set_autocast_dtype(device, static_cast<c10::ScalarType>(former_type));
}

// ---- Randomness, threads, devices ----------------------------------------------------------------

LoopyMessage loopy_torch_generator(
    int32_t device_type, int32_t device_index, uint64_t seed, LoopyGenerator *made) {
    return guarded([&] {
        const auto type = static_cast<c10::DeviceType>(device_type);
        at::Generator generator =
            type == c10::DeviceType::CPU
                ? at::detail::createCPUGenerator(seed)
                : at::globalContext().getAcceleratorHooksInterface(type).getNewGenerator(
                      static_cast<c10::DeviceIndex>(device_index));
        generator.set_current_seed(seed);
        *made = reinterpret_cast<LoopyGenerator>(new at::Generator(generator));
    });
}

void loopy_torch_release_generator(LoopyGenerator wrapped) { delete &generator(wrapped); }

LoopyMessage loopy_torch_generator_state(LoopyGenerator wrapped, LoopyTensor *state) {
    return guarded([&] { *state = wrap(generator(wrapped).get_state()); });
}

LoopyMessage loopy_torch_set_generator_state(LoopyGenerator wrapped, LoopyTensor state) {
    return guarded([&] { generator(wrapped).set_state(unwrap(state)); });
}

void loopy_torch_configure(int32_t threads) {
    // MKL reads this when it is first used. It costs some 6 % of a training step of the model `tiny`.
    setenv("MKL_CBWR", "AUTO,STRICT", 0);
    // What stays float32 on a GPU is computed from 10 bits of the factors and summed in float32.
    loopy_torch_allow_tf32(true);
    if (threads > 0) at::set_num_threads(threads);
}

int32_t loopy_torch_threads(void) { return at::get_num_threads(); }

void loopy_torch_set_threads(int32_t count) { at::set_num_threads(count); }

int32_t loopy_torch_cuda_devices(void) {
    return at::hasCUDA() ? static_cast<int32_t>(at::detail::getCUDAHooks().deviceCount()) : 0;
}

const char *loopy_torch_version(void) { return TORCH_VERSION; }
