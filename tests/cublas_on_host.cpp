// cuBLAS's functions that agrad calls, by the prototypes of its manual, for arrays on the host.
//
// They refuse what cuBLAS refuses. `hook` is told the number of each product: it returns 1 to have it
// made later, by `run`.

#include <cstddef>
#include <vector>

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };

static int context;  // whose address is the handle
static bool has_workspace = false;
static int (*hook)(int) = nullptr;

struct Product {
    int how_a, how_b, m, n, k, type, a_row, b_row, c_row, count;
    long long a_step, b_step, c_step;
    const void *a, *b;
    void* c;
    double alpha, beta;
};
static std::vector<Product> products;

template <class T, class Sum>
static void multiply(const Product& p)
{
    for (long long i = 0; i < p.count; ++i) {
        const T* a = (const T*)p.a + i * p.a_step;
        const T* b = (const T*)p.b + i * p.b_step;
        T* c = (T*)p.c + i * p.c_step;
        for (int row = 0; row < p.m; ++row)
            for (int column = 0; column < p.n; ++column) {
                Sum sum = 0;
                for (int j = 0; j < p.k; ++j)
                    sum += Sum(p.how_a ? a[j + (long long)row * p.a_row]
                                       : a[row + (long long)j * p.a_row])
                        * Sum(p.how_b ? b[column + (long long)j * p.b_row]
                                      : b[j + (long long)column * p.b_row]);
                T* place = c + row + (long long)column * p.c_row;
                *place = T(Sum(p.alpha) * sum + (p.beta ? Sum(p.beta) * Sum(*place) : Sum(0)));
            }
    }
}

extern "C" {

void set_hook(int (*function)(int)) { hook = function; }

void run(int number)
{
    const Product& p = products[number];
    if (p.type == 1)
        multiply<double, double>(p);
    else if (p.type == 0)
        multiply<float, float>(p);
#ifdef __FLT16_MANT_DIG__
    else
        multiply<_Float16, float>(p);
#endif
}

int cublasCreate_v2(void** handle)
{
    *handle = &context;
    return SUCCESS;
}

int cublasSetStream_v2(void* handle, void* stream)
{
    has_workspace = false;
    return handle == &context ? SUCCESS : NOT_INITIALIZED;
}

int cublasSetWorkspace_v2(void* handle, void* workspace, size_t size)
{
    has_workspace = workspace && size;
    return handle == &context ? SUCCESS : NOT_INITIALIZED;
}

int cublasGemmStridedBatchedEx(
    void* handle, int transa, int transb, int m, int n, int k, const void* alpha, const void* A,
    int Atype, int lda, long long strideA, const void* B, int Btype, int ldb, long long strideB,
    const void* beta, void* C, int Ctype, int ldc, long long strideC, int batchCount,
    int computeType, int algo)
{
    if (handle != &context || !has_workspace)
        return NOT_INITIALIZED;
    bool is_double = computeType == 70;
    if (Atype != Btype || Atype != Ctype || Atype > 2 || is_double != (Atype == 1) || algo != -1
        || (computeType != 68 && !is_double && !(computeType == 77 && Atype == 0)))
        return NOT_SUPPORTED;
#ifndef __FLT16_MANT_DIG__
    if (Atype == 2)
        return NOT_SUPPORTED;
#endif
    if (m < 0 || n < 0 || k < 0 || batchCount < 0 || lda < (transa ? k : m) || ldb < (transb ? n : k)
        || ldc < m || lda < 1 || ldb < 1 || ldc < 1 || strideA < 0 || strideB < 0 || strideC < 0)
        return INVALID_VALUE;
    double factor_a = is_double ? *(const double*)alpha : *(const float*)alpha;
    double factor_b = is_double ? *(const double*)beta : *(const float*)beta;
    products.push_back({transa, transb, m, n, k, Atype, lda, ldb, ldc, batchCount, strideA,
                        strideB, strideC, A, B, C, factor_a, factor_b});
    int number = (int)products.size() - 1;
    if (!hook || !hook(number)) {
        run(number);
        products.pop_back();
    }
    return SUCCESS;
}

}
