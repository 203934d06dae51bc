// Several processes that train one model: c10d's stores, and its process group over Gloo.
#include "Border.h"

#include <chrono>
#include <string>
#include <vector>

#include <c10/util/Logging.h>

// libtorch's Gloo is compiled in, and its header asks for this.
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

namespace {

using Store = c10::intrusive_ptr<c10d::Store>;
using Group = c10::intrusive_ptr<c10d::ProcessGroupGloo>;

Store &store_of(LoopyStore wrapped) { return *reinterpret_cast<Store *>(wrapped); }

Group &group_of(LoopyProcessGroup wrapped) { return *reinterpret_cast<Group *>(wrapped); }

/// Keeps libtorch from writing to standard error that a server is gone: the caller is told.
struct Quiet {
    const int former = FLAGS_caffe2_log_level;

    Quiet() { FLAGS_caffe2_log_level = c10::GLOG_FATAL; }
    ~Quiet() { FLAGS_caffe2_log_level = former; }
};

/// Waits for a collective operation; throws what it throws.
void finish(const c10::intrusive_ptr<c10d::Work> &work) { work->wait(); }

}  // namespace

// ---- Stores --------------------------------------------------------------------------------------

LoopyMessage loopy_torch_open_store(
    const char *host, uint16_t port, bool serves, int32_t seconds, LoopyStore *opened,
    uint16_t *bound) {
    return guarded([&] {
        Quiet quiet;
        c10d::TCPStoreOptions options;
        options.port = port;
        options.isServer = serves;
        options.waitWorkers = false;
        options.timeout = std::chrono::seconds(seconds);
        auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
        *bound = store->getPort();
        *opened = reinterpret_cast<LoopyStore>(new Store(std::move(store)));
    });
}

void loopy_torch_release_store(LoopyStore wrapped) { delete &store_of(wrapped); }

LoopyMessage loopy_torch_store_set(LoopyStore wrapped, const char *key) {
    return guarded([&] {
        Quiet quiet;
        store_of(wrapped)->set(key, std::vector<uint8_t>{1});
    });
}

LoopyMessage loopy_torch_store_has(LoopyStore wrapped, const char *key, bool *has) {
    return guarded([&] {
        Quiet quiet;
        *has = store_of(wrapped)->check({key});
    });
}

LoopyMessage loopy_torch_store_add(
    LoopyStore wrapped, const char *key, int64_t number, int64_t *sum) {
    return guarded([&] {
        Quiet quiet;
        *sum = store_of(wrapped)->add(key, number);
    });
}

// ---- Process groups ------------------------------------------------------------------------------

LoopyMessage loopy_torch_process_group(
    LoopyStore wrapped, const char *prefix, int32_t rank, int32_t size, const char *interface,
    bool is_local, int32_t seconds, LoopyProcessGroup *made) {
    return guarded([&] {
        using Gloo = c10d::ProcessGroupGloo;
        auto options = Gloo::Options::create(std::chrono::seconds(seconds));
        options->devices.push_back(
            is_local    ? Gloo::createDeviceForHostname("127.0.0.1")
            : interface ? Gloo::createDeviceForInterface(interface)
                        : Gloo::createDefaultDevice());
        auto store = c10::make_intrusive<c10d::PrefixStore>(prefix, store_of(wrapped));
        auto group = c10::make_intrusive<Gloo>(store, rank, size, options);
        *made = reinterpret_cast<LoopyProcessGroup>(new Group(std::move(group)));
    });
}

void loopy_torch_release_process_group(LoopyProcessGroup wrapped) { delete &group_of(wrapped); }

LoopyMessage loopy_torch_all_reduce(LoopyProcessGroup group, LoopyTensor tensor) {
    return guarded([&] {
        std::vector<at::Tensor> tensors{unwrap(tensor)};
        finish(group_of(group)->allreduce(tensors));
    });
}

LoopyMessage loopy_torch_broadcast(LoopyProcessGroup group, LoopyTensor tensor, int32_t root) {
    return guarded([&] {
        std::vector<at::Tensor> tensors{unwrap(tensor)};
        c10d::BroadcastOptions options;
        options.rootRank = root;
        finish(group_of(group)->broadcast(tensors, options));
    });
}

LoopyMessage loopy_torch_reduce_scatter(
    LoopyProcessGroup group, LoopyTensor all, LoopyTensor part) {
    return guarded([&] {
        at::Tensor input = unwrap(all), output = unwrap(part);
        finish(group_of(group)->_reduce_scatter_base(output, input));
    });
}

LoopyMessage loopy_torch_all_gather(LoopyProcessGroup group, LoopyTensor part, LoopyTensor all) {
    return guarded([&] {
        at::Tensor input = unwrap(part), output = unwrap(all);
        finish(group_of(group)->_allgather_base(output, input));
    });
}
