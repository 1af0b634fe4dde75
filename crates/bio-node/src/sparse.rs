use bio_kernels::sparse::{self, SparseFormat};
use napi::Env;
use napi_derive::napi;

use crate::guard::{Out, Result, guard, unknown};
use crate::held::Held;

#[napi(custom_finalize)]
pub struct SparseMatrix {
    held: Held<sparse::SparseMatrix>,
}

#[napi]
impl SparseMatrix {
    #[napi(getter)]
    pub fn bytes(&self) -> f64 {
        self.held.bytes()
    }

    #[napi]
    pub fn dispose(&mut self, env: Env) {
        self.held.dispose(env);
    }
}

impl napi::bindgen_prelude::ObjectFinalize for SparseMatrix {
    fn finalize(mut self, env: Env) -> napi::Result<()> {
        self.held.dispose(env);
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
    Ok(SparseMatrix { held: Held::new(env, inner, bytes) })
}

#[napi]
pub fn sparse_matmul(
    out: Out<'_>,
    x: &[f32],
    sparse: &SparseMatrix,
    m: u32,
    bias: Option<&[f32]>,
) -> Result<()> {
    guard(|| sparse::sparse_matmul(out, x, sparse.held.get("sparseMatmul")?, m as usize, bias))
}
