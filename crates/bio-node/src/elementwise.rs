use bio_kernels::activation::{self, Activation};
use bio_kernels::error::Result;
use bio_kernels::matmul::WeightGradient;
use bio_kernels::optimizer::Gradient;
use bio_kernels::{convert, elementwise, optimizer};

use crate::call::{OrOut, Out, Word, unknown};

fn activation_of(kind: &str) -> Result<Activation> {
    Ok(match kind {
        "relu" => Activation::Relu,
        "gelu" => Activation::Gelu,
        "gelu-tanh" => Activation::GeluTanh,
        "silu" => Activation::Silu,
        "sigmoid" => Activation::Sigmoid,
        "tanh" => Activation::Tanh,
        other => return Err(unknown("activate", "relu, gelu, gelu-tanh, silu, sigmoid or tanh", other)),
    })
}

pub fn activate(out: Out<'_>, x: OrOut<'_>, kind: Word) -> Result<()> {
    let kind = activation_of(kind.as_str())?;
    match x.0 {
        Some(x) => activation::activate(out, x, kind)?,
        None => activation::activate_in_place(out, kind),
    }
    Ok(())
}

pub fn activate_backward(dx: Out<'_>, dy: OrOut<'_>, x: &[f32], kind: Word) -> Result<()> {
    let kind = activation_of(kind.as_str())?;
    match dy.0 {
        Some(dy) => activation::activate_backward(dx, dy, x, kind),
        None => activation::activate_backward_in_place(dx, x, kind),
    }
}

pub fn swiglu(out: Out<'_>, gate_up: &[f32], rows: u32, hidden: u32) -> Result<()> {
    activation::swiglu(out, gate_up, rows as usize, hidden as usize)
}

pub fn swiglu_backward(
    d_gate_up: Out<'_>,
    dy: &[f32],
    gate_up: &[f32],
    rows: u32,
    hidden: u32,
) -> Result<()> {
    activation::swiglu_backward(d_gate_up, dy, gate_up, rows as usize, hidden as usize)
}

pub fn add(out: Out<'_>, a: OrOut<'_>, b: OrOut<'_>) -> Result<()> {
    match (a.0, b.0) {
        (Some(a), Some(b)) => elementwise::add(out, a, b),
        (Some(other), None) | (None, Some(other)) => elementwise::add_scaled(out, other, 1.0),
        (None, None) => {
            elementwise::scale_in_place(out, 2.0);
            Ok(())
        }
    }
}

pub fn multiply(out: Out<'_>, a: OrOut<'_>, b: OrOut<'_>) -> Result<()> {
    match (a.0, b.0) {
        (Some(a), Some(b)) => elementwise::multiply(out, a, b),
        (Some(other), None) | (None, Some(other)) => elementwise::multiply_in_place(out, other),
        (None, None) => {
            elementwise::square_in_place(out);
            Ok(())
        }
    }
}

pub fn scale(out: Out<'_>, a: OrOut<'_>, factor: f64) -> Result<()> {
    if let Some(a) = a.0 {
        elementwise::scale(out, a, factor as f32)
    } else {
        elementwise::scale_in_place(out, factor as f32);
        Ok(())
    }
}

pub fn add_scaled(out: Out<'_>, a: OrOut<'_>, factor: f64) -> Result<()> {
    if let Some(a) = a.0 {
        elementwise::add_scaled(out, a, factor as f32)
    } else {
        elementwise::scale_in_place(out, (1.0 + factor) as f32);
        Ok(())
    }
}

pub fn sum(x: &[f32]) -> Result<f64> {
    Ok(elementwise::sum(x))
}

pub fn sum_of_squares(x: &[f32]) -> Result<f64> {
    Ok(elementwise::sum_of_squares(x))
}

pub fn to_bf16(out: Out<'_, u16>, x: &[f32]) -> Result<()> {
    convert::to_bf16(out, x)
}

pub fn from_bf16(out: Out<'_>, x: &[u16]) -> Result<()> {
    convert::from_bf16(out, x)
}

pub fn adam_w(
    parameter: Out<'_>,
    gradient: &[f32],
    first_moment: Out<'_>,
    second_moment: Out<'_>,
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    step: u32,
) -> Result<()> {
    let options = optimizer::AdamW { learning_rate, beta1, beta2, epsilon, weight_decay, step };
    optimizer::adam_w(parameter, Gradient::Values(gradient), first_moment, second_moment, options)
}

pub fn adam_w_by_product(
    parameter: Out<'_>,
    dy: &[f32],
    x: &[f32],
    first_moment: Out<'_>,
    second_moment: Out<'_>,
    rows: u32,
    n: u32,
    k: u32,
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    step: u32,
) -> Result<()> {
    let options = optimizer::AdamW { learning_rate, beta1, beta2, epsilon, weight_decay, step };
    optimizer::adam_w(parameter, product(dy, x, rows, n, k), first_moment, second_moment, options)
}

fn product<'a>(dy: &'a [f32], x: &'a [f32], rows: u32, n: u32, k: u32) -> Gradient<'a> {
    Gradient::Product(WeightGradient { dy, x, rows: rows as usize, n: n as usize, k: k as usize })
}

pub fn sgd(
    parameter: Out<'_>,
    gradient: &[f32],
    velocity: Option<Out<'_>>,
    learning_rate: f64,
    momentum: f64,
    weight_decay: f64,
    nesterov: bool,
) -> Result<()> {
    let (learning_rate, momentum, weight_decay) =
        (learning_rate as f32, momentum as f32, weight_decay as f32);
    let gradient = Gradient::Values(gradient);
    optimizer::sgd(parameter, gradient, velocity, learning_rate, momentum, weight_decay, nesterov)
}

pub fn sgd_by_product(
    parameter: Out<'_>,
    dy: &[f32],
    x: &[f32],
    velocity: Option<Out<'_>>,
    rows: u32,
    n: u32,
    k: u32,
    learning_rate: f64,
    momentum: f64,
    weight_decay: f64,
    nesterov: bool,
) -> Result<()> {
    let (learning_rate, momentum, weight_decay) =
        (learning_rate as f32, momentum as f32, weight_decay as f32);
    let gradient = product(dy, x, rows, n, k);
    optimizer::sgd(parameter, gradient, velocity, learning_rate, momentum, weight_decay, nesterov)
}
