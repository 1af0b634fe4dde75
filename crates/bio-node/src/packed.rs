use bio_kernels::error::KernelError;
use bio_kernels::packed::{self, PackedDtype};
use napi::Env;
use napi_derive::napi;

use crate::guard::{Out, Result, guard, unknown};

/// Weights on this side, counted to the JavaScript heap so that its collector knows their weight.
#[napi(custom_finalize)]
pub struct PackedMatrix {
    inner: Option<packed::PackedMatrix>,
    bytes: usize,
}

#[napi]
impl PackedMatrix {
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

impl napi::bindgen_prelude::ObjectFinalize for PackedMatrix {
    fn finalize(mut self, env: Env) -> napi::Result<()> {
        self.dispose(env);
        Ok(())
    }
}

pub fn count(env: Env, bytes: i64) {
    // Only the collector's estimate depends on it.
    let _ = env.adjust_external_memory(bytes);
}

pub fn dtype_of(name: &str, group_size: u32) -> std::result::Result<PackedDtype, KernelError> {
    Ok(match name {
        "f32" => PackedDtype::F32,
        "bf16" => PackedDtype::Bf16,
        "int8" => PackedDtype::Int8,
        "int4" => PackedDtype::Int4 { group_size: group_size as usize },
        other => return Err(unknown("pack", "f32, bf16, int8 or int4", other)),
    })
}

pub fn disposed(operation: &'static str) -> KernelError {
    KernelError {
        code: "ERR_BIO_DISPOSED",
        operation,
        expected: "a packed matrix in use".into(),
        received: "one that was disposed".into(),
    }
}

impl PackedMatrix {
    pub fn new(env: Env, inner: packed::PackedMatrix) -> Self {
        let bytes = inner.bytes();
        count(env, bytes as i64);
        Self { inner: Some(inner), bytes }
    }

    pub fn alive_mut(
        &mut self,
        operation: &'static str,
    ) -> std::result::Result<&mut packed::PackedMatrix, KernelError> {
        self.inner.as_mut().ok_or_else(|| disposed(operation))
    }

    fn alive(&self, operation: &'static str) -> std::result::Result<&packed::PackedMatrix, KernelError> {
        self.inner.as_ref().ok_or_else(|| disposed(operation))
    }
}

#[napi]
pub fn pack(
    env: Env,
    weights: &[f32],
    dtype: String,
    experts: u32,
    rows: u32,
    columns: u32,
    group_size: u32,
) -> Result<PackedMatrix> {
    let inner = guard(|| {
        let dtype = dtype_of(&dtype, group_size)?;
        packed::PackedMatrix::pack(weights, dtype, experts as usize, rows as usize, columns as usize)
    })?;
    Ok(PackedMatrix::new(env, inner))
}

#[napi]
pub fn unpack(out: Out<'_>, packed: &PackedMatrix) -> Result<()> {
    guard(|| packed.alive("unpack")?.unpack(out))
}

#[napi]
pub fn matmul_packed(
    out: Out<'_>,
    x: &[f32],
    packed: &PackedMatrix,
    m: u32,
    bias: Option<&[f32]>,
) -> Result<()> {
    guard(|| packed::matmul_packed(out, x, packed.alive("matmulPacked")?, m as usize, bias))
}

#[napi]
pub fn grouped_matmul_packed(out: Out<'_>, x: &[f32], packed: &PackedMatrix, offsets: &[i32]) -> Result<()> {
    guard(|| packed::grouped_matmul_packed(out, x, packed.alive("groupedMatmulPacked")?, offsets))
}
