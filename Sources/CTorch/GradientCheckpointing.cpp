// Gradient checkpointing (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"), as
// torch.utils.checkpoint does it with use_reentrant=True: the backward pass of a body runs it again
// and has a backward pass of its own.
#include "Border.h"
#include "CTorch.h"

#include <array>
#include <vector>

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace {

using torch::autograd::variable_list;

/// Whether, and in which type, operators of the calling thread compute shorter.
struct AutocastMode {
    static constexpr std::array devices{c10::DeviceType::CPU, c10::DeviceType::CUDA};

    std::array<bool, devices.size()> is_enabled;
    std::array<at::ScalarType, devices.size()> type;
    bool keeps_conversions;

    static AutocastMode current() {
        AutocastMode mode;
        for (size_t i = 0; i < devices.size(); i++) {
            mode.is_enabled[i] = at::autocast::is_autocast_enabled(devices[i]);
            mode.type[i] = at::autocast::get_autocast_dtype(devices[i]);
        }
        mode.keeps_conversions = at::autocast::is_autocast_cache_enabled();
        return mode;
    }

    void apply() const {
        for (size_t i = 0; i < devices.size(); i++) {
            at::autocast::set_autocast_enabled(devices[i], is_enabled[i]);
            at::autocast::set_autocast_dtype(devices[i], type[i]);
        }
        at::autocast::set_autocast_cache_enabled(keeps_conversions);
    }
};

/// Restores the thread's mode, whatever happens.
struct AutocastScope {
    const AutocastMode former = AutocastMode::current();

    explicit AutocastScope(const AutocastMode &mode) { mode.apply(); }
    ~AutocastScope() { former.apply(); }
    AutocastScope(const AutocastScope &) = delete;
    AutocastScope &operator=(const AutocastScope &) = delete;
};

/// The caller's body, released with the last reference to it.
struct Body : torch::CustomClassHolder {
    const LoopyBody body;
    /// Which of the caller's inputs are there: autograd's functions take no others.
    const std::vector<bool> present;
    AutocastMode mode;

    Body(LoopyBody body, std::vector<bool> present) : body(body), present(std::move(present)) {}
    ~Body() override { body.release(body.owner); }

    /// - inputs: those that are there, in order.
    variable_list operator()(at::TensorList inputs) const {
        variable_list outputs;
        std::vector<LoopyTensor> wrapped;
        wrapped.reserve(present.size());
        size_t next = 0;
        for (const bool is_there : present) {
            wrapped.push_back(wrap(is_there ? inputs[next++] : at::Tensor()));
        }
        body.call(
            body.owner, wrapped.data(), static_cast<int32_t>(wrapped.size()),
            reinterpret_cast<LoopyTensorList>(&outputs));
        return outputs;
    }
};

struct GradientCheckpointing : torch::autograd::Function<GradientCheckpointing> {
    /// - anchor: requires a gradient, so that this is recorded where no input does: the body's
    ///   weights may.
    static variable_list forward(
        torch::autograd::AutogradContext *context, at::TensorList inputs, const at::Tensor &anchor,
        const c10::intrusive_ptr<Body> &body) {
        // A second run comes after the autocast's end: nobody would clear the weights that it
        // converted, and a next step would compute with them.
        body->mode = AutocastMode::current();
        body->mode.keeps_conversions = false;
        variable_list detached, outputs;
        std::vector<uint32_t> versions;
        for (const at::Tensor &input : inputs) {
            detached.push_back(input.detach());
            versions.push_back(input._version());
        }
        {
            AutocastScope scope(body->mode);
            outputs = (*body)(detached);
        }
        for (size_t i = 0; i < inputs.size(); i++) {
            TORCH_CHECK(
                inputs[i]._version() == versions[i], "the body changes its input ", i,
                " in place, and would compute something else the second time");
        }
        // What the body hands through belongs to somebody else, and may come twice.
        for (at::Tensor &output : outputs) output = output.detach();
        context->save_for_backward(variable_list(inputs.begin(), inputs.end()));
        context->saved_data["body"] = c10::IValue::make_capsule(body);
        context->set_materialize_grads(false);
        return outputs;
    }

    static variable_list backward(
        torch::autograd::AutogradContext *context, variable_list gradients) {
        const variable_list inputs = context->get_saved_variables();
        const auto capsule = context->saved_data["body"].toCapsule();
        const auto &body = static_cast<const Body &>(*capsule);
        variable_list detached, outputs;
        for (const at::Tensor &input : inputs) {
            detached.push_back(input.detach().set_requires_grad(input.requires_grad()));
        }
        {
            at::AutoGradMode recording(true);
            AutocastScope scope(body.mode);
            outputs = body(detached);
        }
        TORCH_CHECK(
            outputs.size() == gradients.size(), "the body gave ", gradients.size(),
            " tensors at first and ", outputs.size(), " when it ran again");
        variable_list roots, root_gradients;
        for (size_t i = 0; i < outputs.size(); i++) {
            if (!gradients[i].defined() || !outputs[i].requires_grad()) continue;
            roots.push_back(outputs[i]);
            root_gradients.push_back(gradients[i]);
        }
        if (!roots.empty()) torch::autograd::backward(roots, root_gradients);

        variable_list input_gradients;
        for (const at::Tensor &input : detached) {
            input_gradients.push_back(input.grad());
        }
        input_gradients.resize(inputs.size() + 2);  // none of the anchor and the body
        return input_gradients;
    }
};

}  // namespace

void loopy_torch_append(LoopyTensorList list, LoopyTensor tensor) {
    reinterpret_cast<variable_list *>(list)->push_back(unwrap(tensor));
}

LoopyMessage loopy_torch_gradient_checkpointed(
    LoopyBody called, const LoopyTensor *inputs, int32_t input_count, LoopyTensor **results,
    int32_t *result_count) {
    *results = nullptr;
    *result_count = 0;
    return guarded([&] {
        variable_list given, outputs;
        std::vector<bool> present;
        for (int i = 0; i < input_count; i++) {
            const at::Tensor &input = unwrap(inputs[i]);
            present.push_back(input.defined());
            if (input.defined()) given.push_back(input);
        }
        const auto body = c10::make_intrusive<Body>(called, std::move(present));
        if (c10::GradMode::is_enabled()) {
            const at::Tensor anchor = at::empty({0}).set_requires_grad(true);
            outputs = GradientCheckpointing::apply(at::TensorList(given), anchor, body);
        } else {
            outputs = (*body)(given);
        }
        TensorList handed(outputs.begin(), outputs.end());
        hand_over(handed, results, result_count);
    });
}
