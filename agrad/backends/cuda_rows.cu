// Softmax, cross-entropy and normalization over rows, each in one launch.
//
// The type of the numbers comes from the compiler's options: -DREAL=float or -DREAL=double.
//
// A row is shared by the threads of one threadIdx.y: thread threadIdx.x takes the row's elements
// threadIdx.x, threadIdx.x + blockDim.x, and so on. Short rows have one warp each (blockDim.x is 32)
// and a block takes blockDim.y of them; long rows have a block each (blockDim.y is 1).

typedef REAL T;
typedef long long Int;

struct Max { static __device__ T of(T a, T b) { return a > b ? a : b; } };
struct Sum { static __device__ T of(T a, T b) { return a + b; } };

// Join what the threads of a row hold into one value, and give it to all of them. Threads of a warp
// read each other's registers; warps meet in shared memory.
template <class Join>
__device__ T across_row(T value)
{
    for (int step = 16; step; step /= 2)
        value = Join::of(value, __shfl_xor_sync(0xffffffff, value, step));
    if (blockDim.x == 32)
        return value;
    __shared__ T of_warp[32];
    __syncthreads();  // everyone has read what the last call left there
    if (threadIdx.x % 32 == 0)
        of_warp[threadIdx.x / 32] = value;
    __syncthreads();
    value = of_warp[0];
    for (int i = 1; i < blockDim.x / 32; ++i)
        value = Join::of(value, of_warp[i]);
    return value;
}

__device__ T greatest(const T* x, Int n)
{
    T value = x[0];
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        value = Max::of(value, x[i]);
    return across_row<Max>(value);
}

// The sum of exp(x - shift)
__device__ T sum_of_exp(const T* x, Int n, T shift)
{
    T value = 0;
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        value += exp(x[i] - shift);
    return across_row<Sum>(value);
}

__device__ Int this_row() { return (Int)blockIdx.x * blockDim.y + threadIdx.y; }

// y = exp(x) / sum(exp(x))
extern "C" __global__ void softmax(const T* x, T* y, Int rows, Int n)
{
    Int row = this_row();
    if (row >= rows)
        return;
    x += row * n;
    y += row * n;
    T shift = greatest(x, n), sum = sum_of_exp(x, n, shift);
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        y[i] = exp(x[i] - shift) / sum;
}

// y = log(softmax(x))
extern "C" __global__ void log_softmax(const T* x, T* y, Int rows, Int n)
{
    Int row = this_row();
    if (row >= rows)
        return;
    x += row * n;
    y += row * n;
    T shift = greatest(x, n), log_sum = log(sum_of_exp(x, n, shift));
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        y[i] = x[i] - shift - log_sum;
}

// loss = log(sum(exp(z))) - z[gold]; NaN if there is no such class. One class for all rows may be
// given as a number, with no array of them.
extern "C" __global__ void nll(
    const T* z, const Int* classes, Int the_class, T* losses, Int rows, Int n)
{
    Int row = this_row();
    if (row >= rows)
        return;
    z += row * n;
    T shift = greatest(z, n), log_sum = log(sum_of_exp(z, n, shift));
    Int gold = classes ? classes[row] : the_class;
    if (threadIdx.x == 0)
        losses[row] = 0 <= gold && gold < n ? log_sum - (z[gold] - shift) : T(nan(""));
}

// The gradient of that with respect to z, for the gradient g of all losses (g_step is 0) or of each
// (1): (softmax(z) - onehot(gold)) * g * scale
extern "C" __global__ void nll_z(
    const T* g, Int g_step, const T* z, const Int* classes, Int the_class, double scale,
    T* result, Int rows, Int n)
{
    Int row = this_row();
    if (row >= rows)
        return;
    z += row * n;
    result += row * n;
    T shift = greatest(z, n), sum = sum_of_exp(z, n, shift);
    Int gold = classes ? classes[row] : the_class;
    T weight = 0 <= gold && gold < n ? g[row * g_step] * T(scale) : T(nan(""));
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        result[i] = (exp(z[i] - shift) / sum - (i == gold)) * weight;
}

// total = scale * sum(x): one block, a row of its own, always in the same order
extern "C" __global__ void scaled_sum(const T* x, double scale, T* total, Int n)
{
    T value = 0;
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        value += x[i];
    value = across_row<Sum>(value);
    if (threadIdx.x == 0)
        *total = value * T(scale);
}

__device__ T sum_of(const T* x, Int n)
{
    T value = 0;
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        value += x[i];
    return across_row<Sum>(value);
}

// The sum of (x - mean)^2, which loses no digits where the mean is great
__device__ T sum_of_squares(const T* x, Int n, T mean)
{
    T value = 0;
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        value += (x[i] - mean) * (x[i] - mean);
    return across_row<Sum>(value);
}

// y = (x - mean(x)) / sqrt(var(x) + eps)
extern "C" __global__ void standardize(const T* x, T* y, double eps, Int rows, Int n)
{
    Int row = this_row();
    if (row >= rows)
        return;
    x += row * n;
    y += row * n;
    T mean = sum_of(x, n) / n;
    T spread = sqrt(sum_of_squares(x, n, mean) / n + T(eps));
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        y[i] = (x[i] - mean) / spread;
}

// The gradient of that with respect to x, for the gradient g of y:
// (g - mean(g) - y mean(g y)) / sqrt(var(x) + eps)
extern "C" __global__ void standardize_x(
    const T* g, const T* x, const T* y, T* result, double eps, Int rows, Int n)
{
    Int row = this_row();
    if (row >= rows)
        return;
    g += row * n;
    x += row * n;
    y += row * n;
    result += row * n;
    T mean = sum_of(x, n) / n;
    T spread = sqrt(sum_of_squares(x, n, mean) / n + T(eps));
    T mean_g = sum_of(g, n) / n, slope = 0;
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        slope += g[i] * y[i];
    slope = across_row<Sum>(slope) / n;
    for (Int i = threadIdx.x; i < n; i += blockDim.x)
        result[i] = (g[i] - mean_g - y[i] * slope) / spread;
}
