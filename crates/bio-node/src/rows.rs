use bio_kernels::{cross_entropy, norm, rows, softmax};
use napi_derive::napi;

use crate::guard::{Out, Result, guard};

#[napi]
pub fn gather_rows(out: Out<'_>, source: &[f32], index: &[i32], columns: u32) -> Result<()> {
    guard(|| rows::gather_rows(out, source, index, columns as usize))
}

#[napi]
pub fn scatter_add_rows(
    out: Out<'_>,
    x: &[f32],
    index: &[i32],
    columns: u32,
    scales: Option<&[f32]>,
) -> Result<()> {
    guard(|| rows::scatter_add_rows(out, x, index, columns as usize, scales))
}

#[napi]
pub fn sum_rows(out: Out<'_>, x: &[f32], rows: u32, columns: u32) -> Result<()> {
    guard(|| rows::sum_rows(out, x, rows as usize, columns as usize))
}

#[napi]
pub fn rms_norm(
    out: Out<'_>,
    inverse: Out<'_>,
    x: &[f32],
    weight: &[f32],
    rows: u32,
    columns: u32,
    epsilon: f64,
) -> Result<()> {
    guard(|| norm::rms_norm(out, inverse, x, weight, rows as usize, columns as usize, epsilon as f32))
}

#[napi]
pub fn rms_norm_backward(
    dx: Out<'_>,
    d_weight: Out<'_>,
    dy: &[f32],
    x: &[f32],
    weight: &[f32],
    inverse: &[f32],
    rows: u32,
    columns: u32,
) -> Result<()> {
    guard(|| norm::rms_norm_backward(dx, d_weight, dy, x, weight, inverse, rows as usize, columns as usize))
}

#[napi]
pub fn layer_norm(
    out: Out<'_>,
    mean: Out<'_>,
    inverse: Out<'_>,
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    rows: u32,
    columns: u32,
    epsilon: f64,
) -> Result<()> {
    guard(|| {
        norm::layer_norm(out, mean, inverse, x, weight, bias, rows as usize, columns as usize, epsilon as f32)
    })
}

#[napi]
pub fn layer_norm_backward(
    dx: Out<'_>,
    d_weight: Out<'_>,
    d_bias: Out<'_>,
    dy: &[f32],
    x: &[f32],
    weight: &[f32],
    mean: &[f32],
    inverse: &[f32],
    rows: u32,
    columns: u32,
) -> Result<()> {
    let (rows, columns) = (rows as usize, columns as usize);
    guard(|| norm::layer_norm_backward(dx, d_weight, d_bias, dy, x, weight, mean, inverse, rows, columns))
}

#[napi]
pub fn softmax(out: Out<'_>, x: Option<&[f32]>, rows: u32, columns: u32) -> Result<()> {
    let (rows, columns) = (rows as usize, columns as usize);
    guard(|| match x {
        Some(x) => softmax::softmax(out, x, rows, columns),
        None => softmax::softmax_in_place(out, rows, columns),
    })
}

#[napi]
pub fn softmax_backward(dx: Out<'_>, dy: Option<&[f32]>, y: &[f32], rows: u32, columns: u32) -> Result<()> {
    let (rows, columns) = (rows as usize, columns as usize);
    guard(|| match dy {
        Some(dy) => softmax::softmax_backward(dx, dy, y, rows, columns),
        None => softmax::softmax_backward_in_place(dx, y, rows, columns),
    })
}

#[napi]
pub fn cross_entropy(
    loss: Out<'_>,
    log_sum_exp: Out<'_>,
    logits: &[f32],
    targets: &[i32],
    rows: u32,
    columns: u32,
    ignore_index: i32,
) -> Result<()> {
    let (rows, columns) = (rows as usize, columns as usize);
    guard(|| cross_entropy::cross_entropy(loss, log_sum_exp, logits, targets, rows, columns, ignore_index))
}

#[napi]
pub fn cross_entropy_backward(
    d_logits: Out<'_>,
    d_loss: &[f32],
    logits: Option<&[f32]>,
    log_sum_exp: &[f32],
    targets: &[i32],
    rows: u32,
    columns: u32,
    ignore_index: i32,
) -> Result<()> {
    use cross_entropy::{cross_entropy_backward, cross_entropy_backward_in_place};
    let (rows, columns) = (rows as usize, columns as usize);
    guard(|| match logits {
        Some(logits) => cross_entropy_backward(
            d_logits,
            d_loss,
            logits,
            log_sum_exp,
            targets,
            rows,
            columns,
            ignore_index,
        ),
        None => cross_entropy_backward_in_place(
            d_logits,
            d_loss,
            log_sum_exp,
            targets,
            rows,
            columns,
            ignore_index,
        ),
    })
}
