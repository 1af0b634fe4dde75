use bio_kernels::error::KernelError;
use bio_kernels::packed::{self, PackedDtype};
use napi::Env;
use napi_derive::napi;

use crate::guard::{Out, Result, guard, unknown};
use crate::held::Held;

#[napi(custom_finalize)]
pub struct PackedMatrix {
    held: Held<packed::PackedMatrix>,
}

#[napi]
impl PackedMatrix {
    #[napi(getter)]
    pub fn bytes(&self) -> f64 {
        self.held.bytes()
    }

    #[napi]
    pub fn dispose(&mut self, env: Env) {
        self.held.dispose(env);
    }
}

impl napi::bindgen_prelude::ObjectFinalize for PackedMatrix {
    fn finalize(mut self, env: Env) -> napi::Result<()> {
        self.held.dispose(env);
        Ok(())
    }
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

impl PackedMatrix {
    pub fn new(env: Env, inner: packed::PackedMatrix) -> Self {
        let bytes = inner.bytes();
        Self { held: Held::new(env, inner, bytes) }
    }

    pub fn alive_mut(
        &mut self,
        operation: &'static str,
    ) -> std::result::Result<&mut packed::PackedMatrix, KernelError> {
        self.held.get_mut(operation)
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
    guard(|| packed.held.get("unpack")?.unpack(out))
}

#[napi]
pub fn matmul_packed(
    out: Out<'_>,
    x: &[f32],
    packed: &PackedMatrix,
    m: u32,
    bias: Option<&[f32]>,
) -> Result<()> {
    guard(|| packed::matmul_packed(out, x, packed.held.get("matmulPacked")?, m as usize, bias))
}

#[napi]
pub fn grouped_matmul_packed(out: Out<'_>, x: &[f32], packed: &PackedMatrix, offsets: &[i32]) -> Result<()> {
    guard(|| packed::grouped_matmul_packed(out, x, packed.held.get("groupedMatmulPacked")?, offsets))
}
