use bio_kernels::activation::{self, Activation};
use bio_kernels::error::KernelError;
use bio_kernels::{convert, elementwise, optimizer};
use napi_derive::napi;

use crate::guard::{Out, Result, guard, unknown};

fn activation_of(kind: &str) -> std::result::Result<Activation, KernelError> {
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

#[napi]
pub fn activate(out: Out<'_>, x: Option<&[f32]>, kind: String) -> Result<()> {
    guard(|| {
        let kind = activation_of(&kind)?;
        match x {
            Some(x) => activation::activate(out, x, kind)?,
            None => activation::activate_in_place(out, kind),
        }
        Ok(())
    })
}

#[napi]
pub fn activate_backward(dx: Out<'_>, dy: Option<&[f32]>, x: &[f32], kind: String) -> Result<()> {
    guard(|| {
        let kind = activation_of(&kind)?;
        match dy {
            Some(dy) => activation::activate_backward(dx, dy, x, kind),
            None => activation::activate_backward_in_place(dx, x, kind),
        }
    })
}

#[napi]
pub fn swiglu(out: Out<'_>, gate_up: &[f32], rows: u32, hidden: u32) -> Result<()> {
    guard(|| activation::swiglu(out, gate_up, rows as usize, hidden as usize))
}

#[napi]
pub fn swiglu_backward(
    d_gate_up: Out<'_>,
    dy: &[f32],
    gate_up: &[f32],
    rows: u32,
    hidden: u32,
) -> Result<()> {
    guard(|| activation::swiglu_backward(d_gate_up, dy, gate_up, rows as usize, hidden as usize))
}

#[napi]
pub fn add(out: Out<'_>, a: &[f32], b: &[f32]) -> Result<()> {
    guard(|| elementwise::add(out, a, b))
}

/// Without `a`, out ⊙= b; without both, out is squared.
#[napi]
pub fn multiply(out: Out<'_>, a: Option<&[f32]>, b: Option<&[f32]>) -> Result<()> {
    guard(|| match (a, b) {
        (Some(a), Some(b)) => elementwise::multiply(out, a, b),
        (Some(other), None) | (None, Some(other)) => elementwise::multiply_in_place(out, other),
        (None, None) => {
            elementwise::square_in_place(out);
            Ok(())
        }
    })
}

#[napi]
pub fn scale(out: Out<'_>, a: Option<&[f32]>, factor: f64) -> Result<()> {
    guard(|| {
        if let Some(a) = a {
            elementwise::scale(out, a, factor as f32)
        } else {
            elementwise::scale_in_place(out, factor as f32);
            Ok(())
        }
    })
}

#[napi]
pub fn add_scaled(out: Out<'_>, a: &[f32], factor: f64) -> Result<()> {
    guard(|| elementwise::add_scaled(out, a, factor as f32))
}

#[napi]
pub fn sum(x: &[f32]) -> f64 {
    elementwise::sum(x)
}

#[napi]
pub fn sum_of_squares(x: &[f32]) -> f64 {
    elementwise::sum_of_squares(x)
}

#[napi]
pub fn to_bf16(out: Out<'_, u16>, x: &[f32]) -> Result<()> {
    guard(|| convert::to_bf16(out, x))
}

#[napi]
pub fn from_bf16(out: Out<'_>, x: &[u16]) -> Result<()> {
    guard(|| convert::from_bf16(out, x))
}

#[napi]
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
    guard(|| optimizer::adam_w(parameter, gradient, first_moment, second_moment, options))
}

#[napi]
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
    guard(|| optimizer::sgd(parameter, gradient, velocity, learning_rate, momentum, weight_decay, nesterov))
}
