// An optimizer's step for many arrays in one launch.
//
// REAL, the type of the numbers, and MOST, how many arrays a launch takes at most, come from the
// compiler's options. Array number k has the blocks with blockIdx.y == k; their threads take its
// elements in turns. The pointers come by value, as a parameter: nothing is copied to the card first.

typedef REAL T;
typedef long long Int;

struct Pairs { Int size[MOST]; const T* x[MOST]; T* y[MOST]; };
struct Triples { Int size[MOST]; const T* g[MOST]; T* v[MOST]; T* p[MOST]; };
struct Quadruples { Int size[MOST]; const T* g[MOST]; T* m[MOST]; T* v[MOST]; T* p[MOST]; };

// y += alpha * x
extern "C" __global__ void axpy_all(Pairs arrays, double alpha)
{
    Int size = arrays.size[blockIdx.y];
    const T* x = arrays.x[blockIdx.y];
    T* y = arrays.y[blockIdx.y];
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size;
         i += (Int)gridDim.x * blockDim.x)
        y[i] += T(alpha) * x[i];
}

// v = momentum * v + g, then p -= lr * v
extern "C" __global__ void momentum_all(Triples arrays, double momentum, double lr)
{
    Int size = arrays.size[blockIdx.y];
    const T* g = arrays.g[blockIdx.y];
    T *v = arrays.v[blockIdx.y], *p = arrays.p[blockIdx.y];
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size;
         i += (Int)gridDim.x * blockDim.x) {
        v[i] = T(momentum) * v[i] + g[i];
        p[i] -= T(lr) * v[i];
    }
}

// g = sign * g + coupled * p;  m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
// p -= lr * (m / (root * sqrt(v) + eps) + decoupled * p)
extern "C" __global__ void adam_all(
    Quadruples arrays, double beta1, double beta2, double root, double eps, double lr, double sign,
    double coupled, double decoupled)
{
    Int size = arrays.size[blockIdx.y];
    const T* g = arrays.g[blockIdx.y];
    T *m = arrays.m[blockIdx.y], *v = arrays.v[blockIdx.y], *p = arrays.p[blockIdx.y];
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size;
         i += (Int)gridDim.x * blockDim.x) {
        T slope = T(sign) * g[i] + T(coupled) * p[i];
        m[i] = T(beta1) * m[i] + T(1 - beta1) * slope;
        v[i] = T(beta2) * v[i] + T(1 - beta2) * (slope * slope);
        p[i] -= T(lr) * (m[i] / (T(root) * sqrt(v[i]) + T(eps)) + T(decoupled) * p[i]);
    }
}
