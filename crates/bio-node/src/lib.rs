//! Node-API wrappers around `bio-kernels`: they convert arguments and errors, and hold no arithmetic.
//!
//! JavaScript has checked the arguments before they come here: types, lengths, values. What it cannot see cheaply, whose memory an array
//! is over, is checked on the way (`call`). Of napi-rs's own conversions only what is called rarely makes use.
// Arguments are handed over by value, kernels answer alike, and the macros of napi register no function in a test build.
#![allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]
#![cfg_attr(test, allow(dead_code))]

mod attention;
mod call;
mod elementwise;
mod energy;
mod gguf;
mod held;
mod matrix;
mod packed;
mod quantize;
mod rows;
mod sparse;

use bio_kernels::error::Result;
use call::{Unread, Word, exports, unknown};
use napi::Env;
use napi::bindgen_prelude::{JsValue, Object};
use napi_derive::napi;

/// Raised with every change of what is exported; `packages/kernels/src/native/load.ts` holds the same number.
const VERSION: u32 = 7;

#[napi]
pub fn version() -> u32 {
    VERSION
}

#[napi]
pub fn isa() -> &'static str {
    bio_kernels::isa::current().name()
}

#[napi]
pub fn threads() -> u32 {
    bio_kernels::pool::threads() as u32
}

#[napi]
pub fn set_threads(threads: u32) {
    bio_kernels::pool::set_threads(threads as usize);
}

/// Limits this thread to a tier, or with '' lifts the limit; false where the machine lacks it.
#[napi]
pub fn limit_isa_for_test(name: String) -> bool {
    use bio_kernels::isa::{Isa, limit};
    if name.is_empty() { limit(None) } else { Isa::from_name(&name).is_some_and(|isa| limit(Some(isa))) }
}

fn probe_read_bandwidth(bytes: f64, threads: u32) -> Result<f64> {
    Ok(bio_kernels::probe::read_bandwidth(bytes as usize, threads as usize))
}

fn probe_peak(kind: Word, threads: u32) -> Result<f64> {
    use bio_kernels::probe::{Peak, peak};
    let kind = match kind.as_str() {
        "f32" => Peak::F32,
        "bf16" => Peak::Bf16,
        "int8" => Peak::Int8,
        other => return Err(unknown("probePeak", "f32, bf16 or int8", other)),
    };
    Ok(peak(kind, threads as usize))
}

/// Panics on purpose: what the tests of error handling call.
fn panic_for_test(_: Unread) -> Result<()> {
    panic!("on purpose")
}

/// Does nothing with as many arguments as `matmulPacked`: what the bench holds a call against.
fn bare_call_for_test(_: Unread, _: Unread, _: Unread, _: Unread, _: Unread) -> Result<()> {
    Ok(())
}

/// Reads the arguments of `matmulPacked` and does nothing with them: what of a call the bench finds to be Node-API's.
fn read_arguments_for_test(
    _: call::Out<'_>,
    _: &[f32],
    _: &packed::PackedMatrix,
    _: u32,
    _: Option<&[f32]>,
) -> Result<()> {
    Ok(())
}

#[napi(module_exports)]
pub fn define_kernels(exports: Object, env: Env) -> napi::Result<()> {
    let (env, exports) = (env.raw(), exports.raw());
    exports!(env, exports, {
        matmul: matrix::matmul,
        groupedMatmul: matrix::grouped_matmul,
        groupedWeightGradient: matrix::grouped_weight_gradient,
        swigluExperts: matrix::swiglu_experts,
        swigluExpertsBackward: matrix::swiglu_experts_backward,
        squareAccumulate: matrix::square_accumulate,
        pack: packed::pack,
        packZeros: packed::pack_zeros,
        unpack: packed::unpack,
        matmulPacked: packed::matmul_packed,
        groupedMatmulPacked: packed::grouped_matmul_packed,
        packSparse: sparse::pack_sparse,
        sparseMatmul: sparse::sparse_matmul,
        setBlocks: gguf::set_blocks,
        dequantizeBlocks: gguf::dequantize_blocks,
        gatherRows: rows::gather_rows,
        scatterAddRows: rows::scatter_add_rows,
        scatterAddRowsBackward: rows::scatter_add_rows_backward,
        sumRows: rows::sum_rows,
        rmsNorm: rows::rms_norm,
        rmsNormBackward: rows::rms_norm_backward,
        layerNorm: rows::layer_norm,
        layerNormBackward: rows::layer_norm_backward,
        softmax: rows::softmax,
        softmaxBackward: rows::softmax_backward,
        crossEntropy: rows::cross_entropy,
        crossEntropyBackward: rows::cross_entropy_backward,
        activate: elementwise::activate,
        activateBackward: elementwise::activate_backward,
        swiglu: elementwise::swiglu,
        swigluBackward: elementwise::swiglu_backward,
        add: elementwise::add,
        multiply: elementwise::multiply,
        scale: elementwise::scale,
        addScaled: elementwise::add_scaled,
        sum: elementwise::sum,
        sumOfSquares: elementwise::sum_of_squares,
        toBf16: elementwise::to_bf16,
        fromBf16: elementwise::from_bf16,
        adamW: elementwise::adam_w,
        adamWByProduct: elementwise::adam_w_by_product,
        sgd: elementwise::sgd,
        sgdByProduct: elementwise::sgd_by_product,
        rotary: attention::rotary,
        attention: attention::attention,
        attentionBackward: attention::attention_backward,
        pagedWrite: attention::paged_write,
        pagedAttention: attention::paged_attention,
        quantizeInt8: quantize::quantize_int8,
        dequantizeInt8: quantize::dequantize_int8,
        quantizeInt4: quantize::quantize_int4,
        dequantizeInt4: quantize::dequantize_int4,
        disposePacked: held::dispose::<bio_kernels::packed::PackedMatrix>,
        packedBytes: held::bytes::<bio_kernels::packed::PackedMatrix>,
        disposeSparse: held::dispose::<bio_kernels::sparse::SparseMatrix>,
        sparseBytes: held::bytes::<bio_kernels::sparse::SparseMatrix>,
        probeReadBandwidth: probe_read_bandwidth,
        probePeak: probe_peak,
        panicForTest: panic_for_test,
        bareCallForTest: bare_call_for_test,
        readArgumentsForTest: read_arguments_for_test,
    });
    Ok(())
}
