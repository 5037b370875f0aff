// An optimizer's step for many arrays in one launch.
//
// REAL, the type of the numbers, and MOST, how many arrays a launch takes at most, come from the
// compiler's options. Array number k has the blocks with blockIdx.y == k; their threads take its
// elements in turns. The pointers come by value, as a parameter: nothing is copied to the card first.

typedef REAL T;
typedef long long Int;

// A number; or where on the card it stands, for CUDA graphs, whose parameters are always the same
struct Number { double value; const double* at; };
__device__ double number(Number x) { return x.at ? *x.at : x.value; }

struct Pairs { Int size[MOST]; const T* x[MOST]; T* y[MOST]; };
struct Triples { Int size[MOST]; const T* g[MOST]; T* v[MOST]; T* p[MOST]; };
struct Quadruples { Int size[MOST]; const T* g[MOST]; T* m[MOST]; T* v[MOST]; T* p[MOST]; };

// y += alpha * x
extern "C" __global__ void axpy_all(Pairs arrays, Number the_alpha)
{
    T alpha = T(number(the_alpha));
    Int size = arrays.size[blockIdx.y];
    const T* x = arrays.x[blockIdx.y];
    T* y = arrays.y[blockIdx.y];
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size;
         i += (Int)gridDim.x * blockDim.x)
        y[i] += alpha * x[i];
}

// v = momentum * v + g, then p -= lr * v
extern "C" __global__ void momentum_all(Triples arrays, Number the_momentum, Number the_lr)
{
    T momentum = T(number(the_momentum)), lr = T(number(the_lr));
    Int size = arrays.size[blockIdx.y];
    const T* g = arrays.g[blockIdx.y];
    T *v = arrays.v[blockIdx.y], *p = arrays.p[blockIdx.y];
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size;
         i += (Int)gridDim.x * blockDim.x) {
        v[i] = momentum * v[i] + g[i];
        p[i] -= lr * v[i];
    }
}

// g = sign * g + coupled * p;  m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
// p -= lr * (m / (root * sqrt(v) + eps) + decoupled * p)
extern "C" __global__ void adam_all(
    Quadruples arrays, Number the_beta1, Number the_beta2, Number the_root, Number the_eps,
    Number the_lr, Number the_sign, Number the_coupled, Number the_decoupled)
{
    double beta1 = number(the_beta1), beta2 = number(the_beta2);
    T root = T(number(the_root)), eps = T(number(the_eps)), lr = T(number(the_lr));
    T sign = T(number(the_sign)), coupled = T(number(the_coupled));
    T decoupled = T(number(the_decoupled));
    Int size = arrays.size[blockIdx.y];
    const T* g = arrays.g[blockIdx.y];
    T *m = arrays.m[blockIdx.y], *v = arrays.v[blockIdx.y], *p = arrays.p[blockIdx.y];
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size;
         i += (Int)gridDim.x * blockDim.x) {
        T slope = sign * g[i] + coupled * p[i];
        m[i] = T(beta1) * m[i] + T(1 - beta1) * slope;
        v[i] = T(beta2) * v[i] + T(1 - beta2) * (slope * slope);
        p[i] -= lr * (m[i] / (root * sqrt(v[i]) + eps) + decoupled * p[i]);
    }
}

// What CUDA graphs find where their numbers stand
struct Words { unsigned long long word[2 * MOST]; };
extern "C" __global__ void put_numbers(Words numbers, unsigned long long* place, Int size)
{
    for (Int i = threadIdx.x; i < size; i += blockDim.x)
        place[i] = numbers.word[i];
}
