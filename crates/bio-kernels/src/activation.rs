//! Activations, their derivatives, and SwiGLU.

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{Result, check_len, checked_product};
use crate::isa::{self, mul_add, per_isa};
use crate::math::{each, each_pair, exp, normal, sigmoid, tanh};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Relu,
    /// x·Φ(x). Hendrycks and Gimpel 2016.
    Gelu,
    /// Its tanh form.
    GeluTanh,
    /// x·σ(x). Elfwing et al. 2017.
    Silu,
    Sigmoid,
    Tanh,
}

impl Activation {
    pub const ALL: [Self; 6] =
        [Self::Relu, Self::Gelu, Self::GeluTanh, Self::Silu, Self::Sigmoid, Self::Tanh];
}

const GELU_SLOPE: f32 = 0.797_884_6; // √(2/π)
const GELU_CUBE: f32 = 0.044_715;

#[inline(always)]
fn value<const FMA: bool>(kind: Activation, x: f32) -> f32 {
    match kind {
        Activation::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Activation::Gelu => x * normal::<FMA>(x),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + tanh::<FMA>(GELU_SLOPE * x * mul_add::<FMA>(GELU_CUBE * x, x, 1.0)))
        }
        Activation::Silu => x * sigmoid::<FMA>(x),
        Activation::Sigmoid => sigmoid::<FMA>(x),
        Activation::Tanh => tanh::<FMA>(x),
    }
}

#[inline(always)]
fn slope<const FMA: bool>(kind: Activation, x: f32) -> f32 {
    match kind {
        Activation::Relu => {
            if x > 0.0 {
                1.0
            } else {
                0.0
            }
        }
        Activation::Gelu => mul_add::<FMA>(x * exp::<FMA>(-0.5 * x * x), 0.398_942_3, normal::<FMA>(x)),
        Activation::GeluTanh => {
            let t = tanh::<FMA>(GELU_SLOPE * x * mul_add::<FMA>(GELU_CUBE * x, x, 1.0));
            0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * GELU_SLOPE * (1.0 + 3.0 * GELU_CUBE * x * x)
        }
        Activation::Silu => {
            let s = sigmoid::<FMA>(x);
            s * (1.0 + x * (1.0 - s))
        }
        Activation::Sigmoid => {
            let s = sigmoid::<FMA>(x);
            s * (1.0 - s)
        }
        Activation::Tanh => {
            let t = tanh::<FMA>(x);
            1.0 - t * t
        }
    }
}

/// out = f(x).
pub fn activate(out: &mut [f32], x: &[f32], kind: Activation) -> Result<()> {
    check_len("activate", "x", x.len(), out.len())?;
    apply(out, Some(x), kind);
    Ok(())
}

pub fn activate_in_place(x: &mut [f32], kind: Activation) {
    apply(x, None, kind);
}

fn apply(out: &mut [f32], x: Option<&[f32]>, kind: Activation) {
    let isa = isa::current();
    let size = out.len();
    let out = Disjoint::new(out);
    for_ranges(size, 4, &|range| {
        // SAFETY: ranges do not overlap.
        let out = unsafe { out.part(range.clone()) };
        forward(isa, out, x.map(|x| &x[range]), kind);
    });
}

per_isa! {
    fn forward(out: &mut [f32], x: Option<&[f32]>, kind: Activation) {
        // One loop per kind: the choice is outside, so that each vectorises.
        match kind {
            Activation::Relu => each(out, x, |x| value::<FMA>(Activation::Relu, x)),
            Activation::Gelu => each(out, x, |x| value::<FMA>(Activation::Gelu, x)),
            Activation::GeluTanh => each(out, x, |x| value::<FMA>(Activation::GeluTanh, x)),
            Activation::Silu => each(out, x, |x| value::<FMA>(Activation::Silu, x)),
            Activation::Sigmoid => each(out, x, |x| value::<FMA>(Activation::Sigmoid, x)),
            Activation::Tanh => each(out, x, |x| value::<FMA>(Activation::Tanh, x)),
        }
    }
}

/// dx = dy·f′(x).
pub fn activate_backward(dx: &mut [f32], dy: &[f32], x: &[f32], kind: Activation) -> Result<()> {
    check_len("activate_backward", "dy", dy.len(), dx.len())?;
    apply_backward(dx, Some(dy), x, kind)
}

/// dy becomes dx.
pub fn activate_backward_in_place(dy: &mut [f32], x: &[f32], kind: Activation) -> Result<()> {
    apply_backward(dy, None, x, kind)
}

fn apply_backward(dx: &mut [f32], dy: Option<&[f32]>, x: &[f32], kind: Activation) -> Result<()> {
    check_len("activate_backward", "x", x.len(), dx.len())?;
    let isa = isa::current();
    let dx = Disjoint::new(dx);
    for_ranges(x.len(), 4, &|range| {
        // SAFETY: ranges do not overlap.
        let dx = unsafe { dx.part(range.clone()) };
        backward(isa, dx, dy.map(|dy| &dy[range.clone()]), &x[range], kind);
    });
    Ok(())
}

per_isa! {
    fn backward(dx: &mut [f32], dy: Option<&[f32]>, x: &[f32], kind: Activation) {
        match kind {
            Activation::Relu => each_pair(dx, dy, x, |dy, x| dy * slope::<FMA>(Activation::Relu, x)),
            Activation::Gelu => each_pair(dx, dy, x, |dy, x| dy * slope::<FMA>(Activation::Gelu, x)),
            Activation::GeluTanh => each_pair(dx, dy, x, |dy, x| dy * slope::<FMA>(Activation::GeluTanh, x)),
            Activation::Silu => each_pair(dx, dy, x, |dy, x| dy * slope::<FMA>(Activation::Silu, x)),
            Activation::Sigmoid => each_pair(dx, dy, x, |dy, x| dy * slope::<FMA>(Activation::Sigmoid, x)),
            Activation::Tanh => each_pair(dx, dy, x, |dy, x| dy * slope::<FMA>(Activation::Tanh, x)),
        }
    }
}

/// out [rows, hidden] = silu(gate)⊙up for `gate_up` [rows, 2·hidden], the gate first. Shazeer 2020.
pub fn swiglu(out: &mut [f32], gate_up: &[f32], rows: usize, hidden: usize) -> Result<()> {
    let size = checked_product("swiglu", &[rows, hidden])?;
    check_len("swiglu", "out", out.len(), size)?;
    check_len("swiglu", "gate_up", gate_up.len(), checked_product("swiglu", &[2, size])?)?;
    if out.is_empty() {
        return Ok(());
    }
    let isa = isa::current();
    let out = Disjoint::new(out);
    for_ranges(rows, 4 * hidden, &|range| {
        // SAFETY: ranges of rows do not overlap.
        let out = unsafe { out.part(range.start * hidden..range.end * hidden) };
        swiglu_rows(isa, out, &gate_up[2 * range.start * hidden..2 * range.end * hidden], hidden);
    });
    Ok(())
}

per_isa! {
    pub(crate) fn swiglu_rows(out: &mut [f32], gate_up: &[f32], hidden: usize) {
        for (out, gate_up) in out.chunks_exact_mut(hidden.max(1)).zip(gate_up.chunks_exact(2 * hidden.max(1))) {
            let (gate, up) = gate_up.split_at(hidden);
            for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = gate * sigmoid::<FMA>(*gate) * up;
            }
        }
    }
}

/// dGate = dy⊙up⊙silu′(gate), dUp = dy⊙silu(gate).
pub fn swiglu_backward(
    d_gate_up: &mut [f32],
    dy: &[f32],
    gate_up: &[f32],
    rows: usize,
    hidden: usize,
) -> Result<()> {
    let size = checked_product("swiglu_backward", &[rows, hidden])?;
    check_len("swiglu_backward", "dy", dy.len(), size)?;
    check_len(
        "swiglu_backward",
        "d_gate_up",
        d_gate_up.len(),
        checked_product("swiglu_backward", &[2, size])?,
    )?;
    check_len("swiglu_backward", "gate_up", gate_up.len(), 2 * size)?;
    if dy.is_empty() {
        return Ok(());
    }
    let isa = isa::current();
    let d_gate_up = Disjoint::new(d_gate_up);
    for_ranges(rows, 4 * hidden, &|range| {
        let wide = 2 * range.start * hidden..2 * range.end * hidden;
        // SAFETY: ranges of rows do not overlap.
        let d_gate_up = unsafe { d_gate_up.part(wide.clone()) };
        swiglu_rows_backward(
            isa,
            d_gate_up,
            &dy[range.start * hidden..range.end * hidden],
            &gate_up[wide],
            hidden,
        );
    });
    Ok(())
}

per_isa! {
    pub(crate) fn swiglu_rows_backward(d_gate_up: &mut [f32], dy: &[f32], gate_up: &[f32], hidden: usize) {
        let wide = 2 * hidden.max(1);
        let rows = d_gate_up.chunks_exact_mut(wide).zip(gate_up.chunks_exact(wide)).zip(dy.chunks_exact(hidden.max(1)));
        for ((d_gate_up, gate_up), dy) in rows {
            let (d_gate, d_up) = d_gate_up.split_at_mut(hidden);
            let (gate, up) = gate_up.split_at(hidden);
            for ((((d_gate, d_up), gate), up), dy) in d_gate.iter_mut().zip(d_up).zip(gate).zip(up).zip(dy) {
                let s = sigmoid::<FMA>(*gate);
                *d_gate = dy * up * s * (1.0 + gate * (1.0 - s));
                *d_up = dy * gate * s;
            }
        }
    }
}
