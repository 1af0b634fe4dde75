//! Optimiser steps in one pass over memory, in PyTorch's order of operations.

#[cfg(target_arch = "x86_64")]
mod avx512;

use std::ops::Range;

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{Result, check_len};
use crate::isa::{self, Isa, mul_add, per_isa};
use crate::matmul::WeightGradient;

/// What a step goes by: the gradient's values, or the product that it is, which is then summed where it is used.
#[derive(Clone, Copy, Debug)]
pub enum Gradient<'a> {
    Values(&'a [f32]),
    Product(WeightGradient<'a>),
}

impl Gradient<'_> {
    fn check(&self, operation: &'static str, size: usize) -> Result<()> {
        match self {
            Self::Values(values) => check_len(operation, "gradient", values.len(), size),
            Self::Product(product) => product.check(operation, size),
        }
    }

    /// Hands out all values in ranges that do not overlap, from any thread.
    fn for_ranges(&self, isa: Isa, step: &(dyn Fn(Range<usize>, &[f32]) + Sync)) {
        match self {
            Self::Values(values) => for_ranges(values.len(), 1, &|range| step(range.clone(), &values[range])),
            Self::Product(product) => product.for_strips(isa, step),
        }
    }
}

/// The numbers of an AdamW step; `step` counts from 1. Loshchilov and Hutter 2019.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub step: u32,
}

/// p ← p·(1 − lr·λ); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p ← p − lr/(1 − β₁ᵗ)·m / (√v/√(1 − β₂ᵗ) + ε).
pub fn adam_w(
    parameter: &mut [f32],
    gradient: Gradient<'_>,
    first: &mut [f32],
    second: &mut [f32],
    options: AdamW,
) -> Result<()> {
    gradient.check("adam_w", parameter.len())?;
    for (name, length) in [("first", first.len()), ("second", second.len())] {
        check_len("adam_w", name, length, parameter.len())?;
    }
    let AdamW { learning_rate, beta1, beta2, epsilon, weight_decay, step } = options;
    let correction = (1.0 - beta2.powf(f64::from(step))).sqrt();
    let numbers = Numbers {
        keep: (1.0 - learning_rate * weight_decay) as f32,
        first: (1.0 - beta1) as f32,
        beta2: beta2 as f32,
        second: (1.0 - beta2) as f32,
        step_size: (learning_rate / (1.0 - beta1.powf(f64::from(step))) * correction) as f32,
        epsilon: (epsilon * correction) as f32,
    };
    let isa = isa::current();
    let (parameter, first, second) = (Disjoint::new(parameter), Disjoint::new(first), Disjoint::new(second));
    gradient.for_ranges(isa, &|range, gradient| {
        // SAFETY: ranges do not overlap.
        let (parameter, first, second) =
            unsafe { (parameter.part(range.clone()), first.part(range.clone()), second.part(range)) };
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx512() {
            // SAFETY: the tier has AVX-512 F.
            return unsafe { avx512::adam_w_step(parameter, gradient, first, second, numbers) };
        }
        adam_w_step(isa, parameter, gradient, first, second, numbers);
    });
    Ok(())
}

#[derive(Clone, Copy)]
struct Numbers {
    keep: f32,
    first: f32,
    beta2: f32,
    second: f32,
    step_size: f32,
    epsilon: f32,
}

per_isa! {
    fn adam_w_step(parameter: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32], n: Numbers) {
        for (((p, g), m), v) in parameter.iter_mut().zip(gradient).zip(first).zip(second) {
            *m = mul_add::<FMA>(n.first, g - *m, *m);
            *v = mul_add::<FMA>(n.second * g, *g, n.beta2 * *v);
            *p = *p * n.keep - n.step_size * *m / (v.sqrt() + n.epsilon);
        }
    }
}

/// g ← g + λp; v ← μv + g; p ← p − lr·v, or p − lr·(g + μv) with nesterov. Without velocity, plain SGD.
pub fn sgd(
    parameter: &mut [f32],
    gradient: Gradient<'_>,
    velocity: Option<&mut [f32]>,
    learning_rate: f32,
    momentum: f32,
    weight_decay: f32,
    nesterov: bool,
) -> Result<()> {
    gradient.check("sgd", parameter.len())?;
    let velocity = velocity.filter(|_| momentum > 0.0);
    if let Some(velocity) = &velocity {
        check_len("sgd", "velocity", velocity.len(), parameter.len())?;
    }
    let isa = isa::current();
    let (parameter, velocity) = (Disjoint::new(parameter), velocity.map(Disjoint::new));
    gradient.for_ranges(isa, &|range, g| {
        // SAFETY: ranges do not overlap.
        let p = unsafe { parameter.part(range.clone()) };
        if let Some(velocity) = &velocity {
            // SAFETY: as above.
            let v = unsafe { velocity.part(range) };
            momentum_step(isa, p, g, v, learning_rate, momentum, weight_decay, nesterov);
        } else {
            plain_step(isa, p, g, learning_rate, weight_decay);
        }
    });
    Ok(())
}

per_isa! {
    fn plain_step(parameter: &mut [f32], gradient: &[f32], learning_rate: f32, weight_decay: f32) {
        for (p, g) in parameter.iter_mut().zip(gradient) {
            *p = mul_add::<FMA>(-learning_rate, mul_add::<FMA>(weight_decay, *p, *g), *p);
        }
    }
}

per_isa! {
    fn momentum_step(
        parameter: &mut [f32],
        gradient: &[f32],
        velocity: &mut [f32],
        learning_rate: f32,
        momentum: f32,
        weight_decay: f32,
        nesterov: bool,
    ) {
        for ((p, g), v) in parameter.iter_mut().zip(gradient).zip(velocity) {
            let g = mul_add::<FMA>(weight_decay, *p, *g);
            *v = mul_add::<FMA>(momentum, *v, g);
            let step = if nesterov { mul_add::<FMA>(momentum, *v, g) } else { *v };
            *p = mul_add::<FMA>(-learning_rate, step, *p);
        }
    }
}
