// What crosses the border of the C ABI: references with owners, messages instead of exceptions.
#pragma once

#include "CTorch.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include <ATen/core/Tensor.h>
#include <c10/util/SmallVector.h>

inline LoopyMessage message(const char *text) { return strdup(text); }

/// No exception crosses into Swift: what is thrown becomes a message.
template <typename Body> LoopyMessage guarded(Body body) noexcept {
    try {
        body();
        return nullptr;
    } catch (const c10::Error &error) {
        return message(error.what_without_backtrace());
    } catch (const std::exception &error) {
        return message(error.what());
    } catch (...) {
        return message("unknown error");
    }
}

/// Sparse and nested tensors have no strides, and the functions here would have to fail on them.
inline void check_is_dense(const at::Tensor &tensor) {
    TORCH_CHECK(
        !tensor.defined() || (tensor.layout() == at::kStrided && !tensor.is_nested()),
        "gives a sparse or nested tensor, which Loopy does not hold");
}

/// The caller owns what it gets.
inline LoopyTensor wrap(at::Tensor tensor) noexcept {
    if (!tensor.defined()) return nullptr;
    return reinterpret_cast<LoopyTensor>(tensor.unsafeReleaseTensorImpl());
}

inline c10::TensorImpl *implementation(LoopyTensor tensor) {
    return reinterpret_cast<c10::TensorImpl *>(tensor);
}

/// A reference of its own to a tensor that the caller goes on owning.
inline at::Tensor unwrap(LoopyTensor tensor) {
    if (!tensor) return {};
    return at::Tensor(
        c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim_copy(
            implementation(tensor)));
}

/// A list of tensors: as many as most operators give lie on the stack.
using TensorList = c10::SmallVector<at::Tensor, 4>;

/// Makes the caller the owner of results, in an array that loopy_torch_free_results frees.
inline void hand_over(TensorList &tensors, LoopyTensor **results, int32_t *result_count) {
    for (const at::Tensor &tensor : tensors) check_is_dense(tensor);
    auto *array = static_cast<LoopyTensor *>(
        malloc(std::max<size_t>(1, tensors.size()) * sizeof(LoopyTensor)));
    if (!array) throw std::bad_alloc();
    // Nothing throws from here on: what is wrapped has an owner.
    for (size_t i = 0; i < tensors.size(); i++) array[i] = wrap(std::move(tensors[i]));
    *results = array;
    *result_count = static_cast<int32_t>(tensors.size());
}
