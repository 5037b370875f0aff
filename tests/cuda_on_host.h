// As much of CUDA as agrad's kernels use, for a C++ compiler: the threads of a block take turns on
// one thread of the host. Each runs until it waits for others, at __syncthreads or a shuffle; when
// all of them wait, or are done, they go on. Blocks run one after another.

#include <ucontext.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static  // one block at a time

using std::exp;
using std::log;

struct Dim { unsigned x, y, z; };
static Dim threadIdx, blockIdx, blockDim, gridDim;

struct Fiber {
    ucontext_t context;
    Dim index;
    const char* waits_at;  // null when it is done
    unsigned shuffles;
};

static const int MOST_THREADS = 1024, STACK = 1 << 16;
static Fiber fibers[MOST_THREADS];
static char* stacks = (char*)malloc((size_t)MOST_THREADS * STACK);
static Fiber* current;
static ucontext_t scheduler;
static std::function<void()> body;

static void wait_at(const char* point)
{
    current->waits_at = point;
    swapcontext(&current->context, &scheduler);
    threadIdx = current->index;
}

static void __syncthreads() { wait_at("__syncthreads"); }

// Slots are used in turns, since one thread may write its next value before another has read this.
template <class V>
V __shfl_xor_sync(unsigned, V value, int lanes)
{
    static V slots[2][MOST_THREADS];
    int me = current - fibers, turn = current->shuffles++ % 2;
    slots[turn][me] = value;
    wait_at("__shfl_xor_sync");
    return slots[turn][me ^ lanes];
}

static void run_fiber()
{
    body();
    wait_at(nullptr);
}

// Run a block whose threads may wait for each other; return what is wrong, or null.
static const char* run_together(unsigned count)
{
    for (unsigned i = 0; i < count; ++i) {
        Fiber& fiber = fibers[i];
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = stacks + (size_t)i * STACK;
        fiber.context.uc_stack.ss_size = STACK;
        makecontext(&fiber.context, run_fiber, 0);
        fiber.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
        fiber.waits_at = "the start";
        fiber.shuffles = 0;
    }
    for (;;) {
        const char* point = nullptr;
        for (unsigned i = 0; i < count; ++i) {
            if (!fibers[i].waits_at)
                continue;
            current = &fibers[i];
            threadIdx = current->index;
            swapcontext(&scheduler, &current->context);
            if (current->waits_at && point && current->waits_at != point)
                return "some threads of a block wait at __syncthreads, others at a shuffle";
            if (current->waits_at)
                point = current->waits_at;
        }
        if (!point)
            return nullptr;
        for (unsigned i = 0; i < count; ++i)  // a warp is at one place
            if (!fibers[i].waits_at != !fibers[i / 32 * 32].waits_at)
                return "some threads of a warp wait, others are done";
    }
}

static void run_in_turn(unsigned count)
{
    for (unsigned i = 0; i < count; ++i) {
        threadIdx = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
        body();
    }
}

static const char* run()
{
    unsigned count = blockDim.x * blockDim.y * blockDim.z;
    if (count > MOST_THREADS)
        return "a block has 1024 threads at most";
    for (unsigned i = 0; i < gridDim.x * gridDim.y * gridDim.z; ++i) {
        blockIdx = {i % gridDim.x, i / gridDim.x % gridDim.y, i / gridDim.x / gridDim.y};
        if (!THREADS_WAIT)  // a thousand times as fast
            run_in_turn(count);
        else if (const char* wrong = run_together(count))
            return wrong;
    }
    return nullptr;
}

template <class... A, size_t... I>
const char* launch(void (*kernel)(A...), void** args, std::index_sequence<I...>)
{
    body = [=] { kernel(*(std::remove_const_t<A>*)args[I]...); };
    return run();
}

// Launch a kernel like cuLaunchKernel: given where each argument is. Return what is wrong, or null.
template <class... A>
const char* launch(void (*kernel)(A...), const unsigned* grid_and_block, void** args, int count)
{
    if (count != sizeof...(A))
        return "the kernel has another number of parameters";
    gridDim = {grid_and_block[0], grid_and_block[1], grid_and_block[2]};
    blockDim = {grid_and_block[3], grid_and_block[4], grid_and_block[5]};
    return launch(kernel, args, std::index_sequence_for<A...>());
}
