// Windows over an array of (images, channels, *size): what convolution and pooling are made of.
//
// The type of the numbers comes from the compiler's options, -DREAL=float for example. There are
// three spatial axes; fewer have axes of length 1 before them. What lies outside of an image is
// padding, which is never made. A thread has one element of the result, and adds up what belongs
// there in an order that is always the same.

typedef REAL T;
typedef long long Int;

struct Windows { Int size[3], counts[3], kernel[3], stride[3], before[3], dilation[3]; };

__device__ Int this_thread() { return (Int)blockIdx.x * blockDim.x + threadIdx.x; }

__device__ Int product(const Int* n) { return n[0] * n[1] * n[2]; }

// Take the last digit off a number whose last digit is less than n
__device__ Int last_digit(Int& number, Int n)
{
    Int digit = number % n;
    number /= n;
    return digit;
}

// A place along each axis
struct Place { Int i0, i1, i2; };

__device__ Place last_place(Int& number, const Int* n)
{
    Int i2 = last_digit(number, n[2]), i1 = last_digit(number, n[1]);
    return {last_digit(number, n[0]), i1, i2};
}

__device__ Int number_of(Place p, const Int* n) { return (p.i0 * n[1] + p.i1) * n[2] + p.i2; }

// Where element k of window p is, along an axis
__device__ Int shown(const Windows& w, int axis, Int p, Int k)
{
    return p * w.stride[axis] + k * w.dilation[axis] - w.before[axis];
}

// Call go_on(k, place, is_inside) for each element of window p, until it returns false
template <class F>
__device__ void each_element(const Windows& w, Place p, F go_on)
{
    Int k = 0;
    for (Int k0 = 0; k0 < w.kernel[0]; ++k0) {
        Int i0 = shown(w, 0, p.i0, k0);
        for (Int k1 = 0; k1 < w.kernel[1]; ++k1) {
            Int i1 = shown(w, 1, p.i1, k1);
            for (Int k2 = 0; k2 < w.kernel[2]; ++k2) {
                Int i2 = shown(w, 2, p.i2, k2);
                bool is_inside = 0 <= i0 && i0 < w.size[0] && 0 <= i1 && i1 < w.size[1] && 0 <= i2
                                 && i2 < w.size[2];
                if (!go_on(k++, Place{i0, i1, i2}, is_inside))
                    return;
            }
        }
    }
}

// Which window has i as its element k, along an axis; less than 0 if none has
__device__ Int window_of(const Windows& w, int axis, Int i, Int k)
{
    Int start = i + w.before[axis] - k * w.dilation[axis], p = start / w.stride[axis];
    return p * w.stride[axis] == start && p < w.counts[axis] ? p : -1;
}

// Call f(k, window) for each window that has place i as one of its elements
template <class F>
__device__ void each_window(const Windows& w, Place i, F f)
{
    for (Int k0 = 0; k0 < w.kernel[0]; ++k0) {
        Int p0 = window_of(w, 0, i.i0, k0);
        for (Int k1 = 0; p0 >= 0 && k1 < w.kernel[1]; ++k1) {
            Int p1 = window_of(w, 1, i.i1, k1);
            for (Int k2 = 0; p1 >= 0 && k2 < w.kernel[2]; ++k2) {
                Int p2 = window_of(w, 2, i.i2, k2);
                if (p2 >= 0)
                    f(number_of({k0, k1, k2}, w.kernel), Place{p0, p1, p2});
            }
        }
    }
}

// Copy what each window shows. The steps say how far it is in the columns from one image, channel
// and element of a window to the next; windows are one after the other.
extern "C" __global__ void unfold(
    const T* x, T* columns, Windows w, Int images, Int channels, Int image_step, Int channel_step,
    Int element_step)
{
    Int rest = this_thread();
    if (rest >= channels * images * product(w.counts))
        return;
    Place p = last_place(rest, w.counts);
    Int image = last_digit(rest, images), channel = rest;
    x += (image * channels + channel) * product(w.size);
    columns += image * image_step + channel * channel_step + number_of(p, w.counts);
    each_element(w, p, [&](Int k, Place i, bool is_inside) {
        columns[k * element_step] = is_inside ? x[number_of(i, w.size)] : T(0);
        return true;
    });
}

// The transpose of that: add up what the windows show of each element of x. With an element_step
// of 0, a window shows one number in all of its elements.
extern "C" __global__ void fold(
    const T* columns, T* x, Windows w, Int images, Int channels, Int image_step, Int channel_step,
    Int element_step)
{
    Int number = this_thread(), rest = number;
    if (number >= images * channels * product(w.size))
        return;
    Place i = last_place(rest, w.size);
    Int channel = last_digit(rest, channels), image = rest;
    columns += image * image_step + channel * channel_step;
    T total = 0;
    each_window(w, i, [&](Int k, Place p) {
        total += columns[k * element_step + number_of(p, w.counts)];
    });
    x[number] = total;
}

// y = the sum of what each window shows
extern "C" __global__ void sum_pool(const T* x, T* y, Windows w, Int images)
{
    Int number = this_thread(), image = number;
    if (number >= images * product(w.counts))
        return;
    Place p = last_place(image, w.counts);
    x += image * product(w.size);
    T total = 0;
    each_element(w, p, [&](Int k, Place i, bool is_inside) {
        if (is_inside)
            total += x[number_of(i, w.size)];
        return true;
    });
    y[number] = total;
}

// y = the greatest of what each window shows, where NaN is the greatest, and padding the lowest
extern "C" __global__ void max_pool(const T* x, T* y, Windows w, Int images, T lowest)
{
    Int number = this_thread(), image = number;
    if (number >= images * product(w.counts))
        return;
    Place p = last_place(image, w.counts);
    x += image * product(w.size);
    T greatest = lowest;
    each_element(w, p, [&](Int k, Place i, bool is_inside) {
        T value = is_inside ? x[number_of(i, w.size)] : lowest;
        if (value > greatest || value != value)
            greatest = value;
        return true;
    });
    y[number] = greatest;
}

__device__ bool is_greatest(T value, T greatest) { return value == greatest || value != value; }

// The gradient of that with respect to x, for the gradient g of y: of each window it goes to the
// first element that is the greatest, which may be padding
extern "C" __global__ void max_pool_x(
    const T* g, const T* x, const T* y, T* result, Windows w, Int images, T lowest)
{
    Int number = this_thread(), image = number;
    if (number >= images * product(w.size))
        return;
    Place here = last_place(image, w.size);
    T mine = x[number], total = 0;
    x += image * product(w.size);
    g += image * product(w.counts);
    y += image * product(w.counts);
    each_window(w, here, [&](Int k_of_mine, Place p) {
        Int window = number_of(p, w.counts);
        T greatest = y[window];
        if (!is_greatest(mine, greatest))
            return;
        bool is_first = true;
        each_element(w, p, [&](Int k, Place i, bool is_inside) {
            if (k == k_of_mine)
                return false;
            is_first = !is_greatest(is_inside ? x[number_of(i, w.size)] : lowest, greatest);
            return is_first;
        });
        if (is_first)
            total += g[window];
    });
    result[number] = total;
}

// The number of that element, as if padding had numbers too
extern "C" __global__ void greatest_at(
    const T* x, const T* y, Int* result, Windows w, Int images, T lowest)
{
    Int number = this_thread(), image = number;
    if (number >= images * product(w.counts))
        return;
    Place p = last_place(image, w.counts);
    x += image * product(w.size);
    T greatest = y[number];
    each_element(w, p, [&](Int k, Place i, bool is_inside) {
        Int at = number_of(i, w.size);
        result[number] = at;
        return !is_greatest(is_inside ? x[at] : lowest, greatest);
    });
}
