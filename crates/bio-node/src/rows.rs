use bio_kernels::error::Result;
use bio_kernels::{cross_entropy, norm, rows, softmax};

use crate::call::{OrOut, Out};

pub fn gather_rows(out: Out<'_>, source: &[f32], index: &[i32], columns: u32) -> Result<()> {
    rows::gather_rows(out, source, index, columns as usize)
}

pub fn scatter_add_rows(
    out: Out<'_>,
    x: &[f32],
    index: &[i32],
    columns: u32,
    scales: Option<&[f32]>,
) -> Result<()> {
    rows::scatter_add_rows(out, x, index, columns as usize, scales)
}

pub fn scatter_add_rows_backward(
    dx: Out<'_>,
    d_scales: Out<'_>,
    dy: &[f32],
    x: &[f32],
    index: &[i32],
    columns: u32,
    scales: &[f32],
) -> Result<()> {
    rows::scatter_add_rows_backward(dx, d_scales, dy, x, index, columns as usize, scales)
}

pub fn sum_rows(out: Out<'_>, x: &[f32], rows: u32, columns: u32) -> Result<()> {
    rows::sum_rows(out, x, rows as usize, columns as usize)
}

pub fn rms_norm(
    out: Out<'_>,
    inverse: Out<'_>,
    x: &[f32],
    weight: &[f32],
    rows: u32,
    columns: u32,
    epsilon: f64,
) -> Result<()> {
    norm::rms_norm(out, inverse, x, weight, rows as usize, columns as usize, epsilon as f32)
}

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
    norm::rms_norm_backward(dx, d_weight, dy, x, weight, inverse, rows as usize, columns as usize)
}

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
    norm::layer_norm(out, mean, inverse, x, weight, bias, rows as usize, columns as usize, epsilon as f32)
}

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
    norm::layer_norm_backward(dx, d_weight, d_bias, dy, x, weight, mean, inverse, rows, columns)
}

pub fn softmax(out: Out<'_>, x: OrOut<'_>, rows: u32, columns: u32) -> Result<()> {
    let (rows, columns) = (rows as usize, columns as usize);
    match x.0 {
        Some(x) => softmax::softmax(out, x, rows, columns),
        None => softmax::softmax_in_place(out, rows, columns),
    }
}

pub fn softmax_backward(dx: Out<'_>, dy: OrOut<'_>, y: &[f32], rows: u32, columns: u32) -> Result<()> {
    let (rows, columns) = (rows as usize, columns as usize);
    match dy.0 {
        Some(dy) => softmax::softmax_backward(dx, dy, y, rows, columns),
        None => softmax::softmax_backward_in_place(dx, y, rows, columns),
    }
}

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
    cross_entropy::cross_entropy(loss, log_sum_exp, logits, targets, rows, columns, ignore_index)
}

pub fn cross_entropy_backward(
    d_logits: Out<'_>,
    d_loss: &[f32],
    logits: OrOut<'_>,
    log_sum_exp: &[f32],
    targets: &[i32],
    rows: u32,
    columns: u32,
    ignore_index: i32,
) -> Result<()> {
    use cross_entropy::{cross_entropy_backward, cross_entropy_backward_in_place};
    let (rows, columns) = (rows as usize, columns as usize);
    match logits.0 {
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
    }
}
