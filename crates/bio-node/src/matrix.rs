use bio_kernels::error::Result;
use bio_kernels::{fisher, matmul};

use crate::call::Out;

// Node-API hands options over by position.
#[allow(clippy::fn_params_excessive_bools)]
pub fn matmul(
    out: Out<'_>,
    a: &[f32],
    b: &[f32],
    m: u32,
    n: u32,
    k: u32,
    transpose_a: bool,
    transpose_b: bool,
    accumulate: bool,
    skip_zeros: bool,
) -> Result<()> {
    let shape = matmul::MatmulShape {
        m: m as usize,
        n: n as usize,
        k: k as usize,
        transpose_a,
        transpose_b,
        accumulate,
    };
    if skip_zeros {
        matmul::matmul_skipping_zeros(out, a, b, shape)
    } else {
        matmul::matmul(out, a, b, shape)
    }
}

pub fn grouped_matmul(
    out: Out<'_>,
    x: &[f32],
    weights: &[f32],
    offsets: &[i32],
    n: u32,
    k: u32,
    transpose_weights: bool,
) -> Result<()> {
    matmul::grouped_matmul(out, x, weights, offsets, n as usize, k as usize, transpose_weights)
}

pub fn grouped_weight_gradient(
    out: Out<'_>,
    dy: &[f32],
    x: &[f32],
    offsets: &[i32],
    n: u32,
    k: u32,
) -> Result<()> {
    matmul::grouped_weight_gradient(out, dy, x, offsets, n as usize, k as usize)
}

pub fn swiglu_experts(
    out: Out<'_>,
    gate_up: Out<'_>,
    inner: Out<'_>,
    x: &[f32],
    gate_up_weights: &[f32],
    down_weights: &[f32],
    offsets: &[i32],
    dim: u32,
    hidden: u32,
) -> Result<()> {
    experts(gate_up_weights, down_weights, offsets, dim, hidden).forward(out, gate_up, inner, x)
}

pub fn swiglu_experts_backward(
    dx: Option<Out<'_>>,
    d_gate_up_weights: Option<Out<'_>>,
    d_down_weights: Option<Out<'_>>,
    d_gate_up: Out<'_>,
    dy: &[f32],
    x: &[f32],
    gate_up: &[f32],
    inner: &[f32],
    gate_up_weights: &[f32],
    down_weights: &[f32],
    offsets: &[i32],
    dim: u32,
    hidden: u32,
) -> Result<()> {
    let gradients = matmul::ExpertGradients {
        x: dx,
        gate_up_weights: d_gate_up_weights,
        down_weights: d_down_weights,
        gate_up: d_gate_up,
    };
    experts(gate_up_weights, down_weights, offsets, dim, hidden).backward(gradients, dy, x, gate_up, inner)
}

fn experts<'a>(
    gate_up: &'a [f32],
    down: &'a [f32],
    offsets: &'a [i32],
    dim: u32,
    hidden: u32,
) -> matmul::Experts<'a> {
    matmul::Experts { gate_up, down, offsets, dim: dim as usize, hidden: hidden as usize }
}

pub fn square_accumulate(out: Out<'_>, dy: &[f32], x: &[f32], rows: u32, n: u32, k: u32) -> Result<()> {
    fisher::square_accumulate(out, dy, x, rows as usize, n as usize, k as usize)
}
