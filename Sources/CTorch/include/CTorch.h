// A C ABI over libtorch: tensors, its operators by name, gradients, random generators.
//
// Every operator that libtorch registers ("aten::conv1d") is called through one function, with
// arguments boxed by kind; the Swift module Torch gives each its name and its types. What can fail
// returns a message to be freed with loopy_torch_free_message, or NULL.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// An owned reference to a tensor: released exactly once, with loopy_torch_release.
typedef struct LoopyTensorImplementation *LoopyTensor;
/// An operator of libtorch. Never freed: a program finds each that it uses once.
typedef const struct LoopyOperatorImplementation *LoopyOperator;
/// An owned random generator.
typedef struct LoopyGeneratorImplementation *LoopyGenerator;
/// An owned TorchScript network.
typedef struct LoopyScriptImplementation *LoopyScript;
/// An owned connection to a store of keys that processes share; the one that serves it holds it, too.
typedef struct LoopyStoreImplementation *LoopyStore;
/// An owned member of a process group.
typedef struct LoopyProcessGroupImplementation *LoopyProcessGroup;
typedef char *LoopyMessage;

void loopy_torch_free_message(LoopyMessage message);

// ---- Tensors -------------------------------------------------------------------------------------

void loopy_torch_release(LoopyTensor tensor);
int64_t loopy_torch_rank(LoopyTensor tensor);
/// `sizes` and `strides` take as many values as the tensor's rank; either may be NULL.
void loopy_torch_layout(LoopyTensor tensor, int64_t *sizes, int64_t *strides);
/// A c10::ScalarType.
int32_t loopy_torch_element_type(LoopyTensor tensor);
/// `type` is a c10::DeviceType, `index` -1 where the device has none.
void loopy_torch_device(LoopyTensor tensor, int32_t *type, int32_t *index);
bool loopy_torch_is_contiguous(LoopyTensor tensor);
/// The first element, of a tensor in memory; may be NULL where there is none.
LoopyMessage loopy_torch_data(LoopyTensor tensor, void **data);
/// A tensor on memory of the caller's. `release(owner)` is called when nothing refers to it, by
/// whichever thread lets go last. Sizes and strides that cannot be are all that makes it fail, a
/// bug; whether `owner` was released is then not said.
LoopyMessage loopy_torch_wrap(
    void *data, const int64_t *sizes, const int64_t *strides, int64_t rank, int32_t element_type,
    void *owner, void (*release)(void *owner), LoopyTensor *tensor);

// ---- Operators -----------------------------------------------------------------------------------

typedef enum {
    /// The value that the operator's schema gives the argument where a caller gives none.
    LoopyArgumentDefault,
    LoopyArgumentNone,
    LoopyArgumentTensor,
    LoopyArgumentTensors,
    /// Some of them 0: none.
    LoopyArgumentOptionalTensors,
    LoopyArgumentInteger,
    LoopyArgumentIntegers,
    LoopyArgumentReal,
    LoopyArgumentReals,
    LoopyArgumentFlag,
    LoopyArgumentFlags,
    /// The address of a C string.
    LoopyArgumentText,
    /// c10::DeviceType and index.
    LoopyArgumentDevice,
    LoopyArgumentGenerator,
} LoopyArgumentKind;

/// Values of an argument lie at `start ..< start + count` of a pool of 64-bit words, beside those
/// of the other arguments: integers, the bits of doubles, addresses.
typedef struct {
    LoopyArgumentKind kind;
    int32_t start;
    int32_t count;
} LoopyArgument;

/// Finds an operator, such as "aten::add" with the overload "Tensor".
LoopyMessage loopy_torch_find(const char *name, const char *overload, LoopyOperator *found);

/// Calls an operator. Arguments not given take the schema's defaults. Tensors among the results,
/// those of lists one by one, go to `results`, an array to be freed with loopy_torch_free_results,
/// whose tensors are the caller's to release; an undefined tensor is NULL. A number or a truth value
/// goes to `number`. Where there is a message there are no results.
LoopyMessage loopy_torch_call(
    LoopyOperator called, const LoopyArgument *arguments, int32_t argument_count,
    const int64_t *pool, LoopyTensor **results, int32_t *result_count, double *number);
void loopy_torch_free_results(LoopyTensor *results);

// ---- Gradients and modes, of the calling thread --------------------------------------------------

bool loopy_torch_requires_gradient(LoopyTensor tensor);
LoopyMessage loopy_torch_set_requires_gradient(LoopyTensor tensor, bool is_required);
LoopyMessage loopy_torch_backward(LoopyTensor loss, LoopyTensor gradient_or_null, bool keep_graph);
/// NULL where there is none.
LoopyTensor loopy_torch_gradient(LoopyTensor tensor);
void loopy_torch_set_gradient(LoopyTensor tensor, LoopyTensor gradient_or_null);
/// Returns what it was.
bool loopy_torch_enable_gradients(bool enable);

/// Takes results of a LoopyBody.
typedef struct LoopyTensorListImplementation *LoopyTensorList;
/// The caller goes on owning the tensor.
void loopy_torch_append(LoopyTensorList list, LoopyTensor tensor);

/// A function of tensors. `call` becomes the owner of the inputs, not of their array, and appends
/// what it computes to `outputs`. An input that is missing is NULL.
typedef struct {
    void *owner;
    void (*call)(
        void *owner, const LoopyTensor *inputs, int32_t input_count, LoopyTensorList outputs);
    void (*release)(void *owner);
} LoopyBody;

/// Calls a body without recording it; the backward pass calls it again, perhaps on another thread,
/// to find the gradients of the inputs and of what it uses else. `release` is called once, when
/// nothing needs the body any more, also where there is a message. Results as loopy_torch_call
/// gives them.
LoopyMessage loopy_torch_gradient_checkpointed(
    LoopyBody body, const LoopyTensor *inputs, int32_t input_count, LoopyTensor **results,
    int32_t *result_count);

/// Operators that gain from it compute in `element_type` until the matching end.
LoopyMessage loopy_torch_begin_autocast(
    int32_t device_type, int32_t element_type, bool *was_enabled, int32_t *former_type);
void loopy_torch_end_autocast(int32_t device_type, bool was_enabled, int32_t former_type);

// ---- TorchScript ---------------------------------------------------------------------------------

/// Reads what torch.jit.save wrote, onto a device.
LoopyMessage loopy_torch_load_script(
    const char *path, int32_t device_type, int32_t device_index, LoopyScript *script);
void loopy_torch_release_script(LoopyScript script);
/// Whether `forward` has an argument of this name.
bool loopy_torch_script_takes(LoopyScript script, const char *argument);
/// Calls `forward` with one tensor, and truth values by name, without gradients. Results as
/// loopy_torch_call gives them: the tensors of tuples and lists one by one.
LoopyMessage loopy_torch_run_script(
    LoopyScript script, LoopyTensor input, const char *const *flag_names, const bool *flags,
    int32_t flag_count, LoopyTensor **results, int32_t *result_count);

// ---- Several processes ---------------------------------------------------------------------------

/// Connects to a store over TCP, and serves it where `serves` says so: at a free port where `port` is 0.
/// `bound` is the port. Waits for the server for so many seconds.
LoopyMessage loopy_torch_open_store(
    const char *host, uint16_t port, bool serves, int32_t seconds, LoopyStore *store,
    uint16_t *bound);
void loopy_torch_release_store(LoopyStore store);
LoopyMessage loopy_torch_store_set(LoopyStore store, const char *key);
LoopyMessage loopy_torch_store_has(LoopyStore store, const char *key, bool *has);
/// Adds to a number that is 0 at first; `sum` is what it is then.
LoopyMessage loopy_torch_store_add(
    LoopyStore store, const char *key, int64_t number, int64_t *sum);

/// Joins a group over Gloo, and returns when every rank has joined. Keys of the store begin with
/// `prefix`. `is_local` binds to the loopback address, `interface_or_null` to a network interface;
/// otherwise Gloo takes the address of the machine's name. No operation takes longer than `seconds`.
LoopyMessage loopy_torch_process_group(
    LoopyStore store, const char *prefix, int32_t rank, int32_t size,
    const char *interface_or_null, bool is_local, int32_t seconds, LoopyProcessGroup *group);
void loopy_torch_release_process_group(LoopyProcessGroup group);
/// These wait until they are done, on contiguous tensors in memory. All ranks call the same ones in
/// the same order. Sums, in place.
LoopyMessage loopy_torch_all_reduce(LoopyProcessGroup group, LoopyTensor tensor);
/// Overwrites the tensor with that of the rank `root`.
LoopyMessage loopy_torch_broadcast(LoopyProcessGroup group, LoopyTensor tensor, int32_t root);
/// `all` has as many parts of the size of `part` as there are ranks: sums them, and gives each rank its
/// part.
LoopyMessage loopy_torch_reduce_scatter(
    LoopyProcessGroup group, LoopyTensor all, LoopyTensor part);
/// The other way: all ranks' parts, in the order of ranks.
LoopyMessage loopy_torch_all_gather(LoopyProcessGroup group, LoopyTensor part, LoopyTensor all);

// ---- Randomness, threads, devices: of the process ------------------------------------------------

LoopyMessage loopy_torch_generator(
    int32_t device_type, int32_t device_index, uint64_t seed, LoopyGenerator *generator);
void loopy_torch_release_generator(LoopyGenerator generator);
LoopyMessage loopy_torch_generator_state(LoopyGenerator generator, LoopyTensor *state);
LoopyMessage loopy_torch_set_generator_state(LoopyGenerator generator, LoopyTensor state);

/// Called by a program before anything is computed: sums then come out the same to the last bit however
/// many threads there are. 0 leaves as many threads as libtorch chooses. Where the environment has
/// MKL_CBWR, that holds.
void loopy_torch_configure(int32_t threads);
int32_t loopy_torch_threads(void);
/// Sets the number for the calling thread, and for those that have not called an operator yet.
void loopy_torch_set_threads(int32_t count);
/// Whether products of float32 on a GPU may take 10 bits of each factor.
void loopy_torch_allow_tf32(bool allow);
int32_t loopy_torch_cuda_devices(void);
/// Waits until a GPU has done all that was asked of it.
LoopyMessage loopy_torch_synchronise(int32_t device_index);
/// The bytes of a GPU's memory that no program has.
LoopyMessage loopy_torch_free_memory(int32_t device_index, int64_t *bytes);
/// The most bytes that tensors have taken since the process began, or since this was last asked so that
/// it begins anew.
LoopyMessage loopy_torch_peak_memory(int32_t device_index, bool begins_anew, int64_t *bytes);
/// Notes the operators that the calling thread calls and the GPU's kernels, until the end; then writes
/// them as Chrome's trace events, JSON.
LoopyMessage loopy_torch_begin_profile(void);
LoopyMessage loopy_torch_end_profile(const char *path);
const char *loopy_torch_version(void);

#ifdef __cplusplus
}
#endif
