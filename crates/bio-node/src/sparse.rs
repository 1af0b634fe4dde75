use bio_kernels::sparse::{self, SparseFormat};
use napi::Env;
use napi_derive::napi;

use crate::guard::{Out, Result, guard, unknown};
use crate::packed::{count, disposed};

/// Sparse weights on this side, counted to the JavaScript heap as `PackedMatrix` is.
#[napi(custom_finalize)]
pub struct SparseMatrix {
    inner: Option<sparse::SparseMatrix>,
    bytes: usize,
}

#[napi]
impl SparseMatrix {
    #[napi(getter)]
    pub fn bytes(&self) -> f64 {
        self.bytes as f64
    }

    #[napi]
    pub fn dispose(&mut self, env: Env) {
        if self.inner.take().is_some() {
            count(env, -(self.bytes as i64));
        }
    }
}

impl napi::bindgen_prelude::ObjectFinalize for SparseMatrix {
    fn finalize(mut self, env: Env) -> napi::Result<()> {
        self.dispose(env);
        Ok(())
    }
}

#[napi]
pub fn pack_sparse(
    env: Env,
    weights: &[f32],
    format: String,
    rows: u32,
    columns: u32,
) -> Result<SparseMatrix> {
    let inner = guard(|| {
        let format = SparseFormat::from_name(&format)
            .ok_or_else(|| unknown("packSparse", "dense, csr, 4x1 or 16x1", &format))?;
        sparse::SparseMatrix::pack(weights, format, rows as usize, columns as usize)
    })?;
    let bytes = inner.bytes();
    count(env, bytes as i64);
    Ok(SparseMatrix { inner: Some(inner), bytes })
}

#[napi]
pub fn sparse_matmul(
    out: Out<'_>,
    x: &[f32],
    sparse: &SparseMatrix,
    m: u32,
    bias: Option<&[f32]>,
) -> Result<()> {
    guard(|| {
        let matrix = sparse.inner.as_ref().ok_or_else(|| disposed("sparseMatmul"))?;
        sparse::sparse_matmul(out, x, matrix, m as usize, bias)
    })
}
