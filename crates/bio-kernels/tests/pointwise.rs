//! Activations, conversions and optimiser steps against their formulas in f64, on every tier.

mod common;

use bio_kernels::activation::{Activation, activate, activate_backward, swiglu, swiglu_backward};
use bio_kernels::convert::{bf16_from_f32, f32_from_bf16};
use bio_kernels::elementwise::{sum, sum_of_squares};
use bio_kernels::matmul::{MatmulShape, WeightGradient, matmul_skipping_zeros};
use bio_kernels::optimizer::{AdamW, Gradient, adam_w, sgd};
use common::{Noise, assert_close, gradient, on_every_tier, wide};
use proptest::prelude::*;

/// Abramowitz and Stegun 7.1.5: erf by its series, exact to rounding for the |x| below 4 used here.
fn erf(x: f64) -> f64 {
    let (mut term, mut total) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        total += term / f64::from(2 * n + 1);
    }
    total * 2.0 / std::f64::consts::PI.sqrt()
}

fn truth(kind: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match kind {
        Activation::Relu => x.max(0.0),
        Activation::Gelu => x * 0.5 * (1.0 + erf(x / 2f64.sqrt())),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
        }
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
    }
}

fn swiglu_truth(gate_up: &[f64], hidden: usize) -> Vec<f64> {
    gate_up
        .chunks_exact(2 * hidden)
        .flat_map(|row| {
            (0..hidden).map(|i| truth(Activation::Silu, row[i]) * row[hidden + i]).collect::<Vec<_>>()
        })
        .collect()
}

proptest! {
    #![proptest_config(common::cases(40))]

    #[test]
    fn activations_and_their_slopes(seed: u64, size in 1usize..200, kind in prop::sample::select(&Activation::ALL[..])) {
        let mut noise = Noise(seed);
        let (x, dy) = (noise.floats(size, 4.0), noise.floats(size, 1.0));
        let f = |x: &[f64]| x.iter().map(|&x| truth(kind, x)).collect::<Vec<_>>();
        let x64 = wide(&x);
        let slopes = gradient(&x64, &wide(&dy), f);
        on_every_tier(|tier| {
            let (mut out, mut dx) = (vec![0.0; size], vec![0.0; size]);
            activate(&mut out, &x, kind).unwrap();
            assert_close(&format!("{tier} {kind:?}"), &out, &f(&x64), 4, 1e-6);
            activate_backward(&mut dx, &dy, &x, kind).unwrap();
            assert_close(&format!("{tier} {kind:?}"), &dx, &slopes, 4, 2e-6);
        });
    }

    #[test]
    fn swiglu_and_its_gradient(seed: u64, rows in 0usize..6, hidden in 1usize..40) {
        let mut noise = Noise(seed);
        let (x, dy) = (noise.floats(2 * rows * hidden, 4.0), noise.floats(rows * hidden, 1.0));
        let (x64, d64) = (wide(&x), wide(&dy));
        let truth = swiglu_truth(&x64, hidden);
        let slopes = gradient(&x64, &d64, |x| swiglu_truth(x, hidden));
        on_every_tier(|tier| {
            let (mut out, mut dx) = (vec![0.0; rows * hidden], vec![0.0; x.len()]);
            swiglu(&mut out, &x, rows, hidden).unwrap();
            assert_close(tier, &out, &truth, 4, 1e-6);
            swiglu_backward(&mut dx, &dy, &x, rows, hidden).unwrap();
            assert_close(tier, &dx, &slopes, 8, 2e-6);
        });
    }

    #[test]
    fn sums_are_wide(seed: u64, size in 0usize..5000) {
        let x = Noise(seed).floats(size, 1e6);
        let (total, squares): (f64, f64) = (wide(&x).iter().sum(), wide(&x).iter().map(|x| x * x).sum());
        on_every_tier(|tier| {
            assert!((sum(&x) - total).abs() <= 1e-4, "{tier}");
            assert!((sum_of_squares(&x) - squares).abs() <= 1e-12 * squares, "{tier}");
        });
    }

    #[test]
    fn bf16_is_the_nearest_and_ties_go_to_even(x in any::<f32>()) {
        let half = bf16_from_f32(x);
        if x.is_nan() {
            prop_assert!(f32_from_bf16(half).is_nan());
        } else {
            let below = f32_from_bf16((x.to_bits() >> 16) as u16);
            let rest = x.to_bits() & 0xffff;
            let up = rest > 0x8000 || (rest == 0x8000 && (x.to_bits() >> 16) & 1 == 1);
            let expected = if up { f32::from_bits(((x.to_bits() >> 16) + 1) << 16) } else { below };
            prop_assert_eq!(f32_from_bf16(half).to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn adam_w_and_sgd_step_as_their_papers_say(seed: u64, size in 1usize..100, step in 1u32..50, nesterov: bool, momentum in 0.0f32..0.95) {
        let mut noise = Noise(seed);
        let (p, g, m) = (noise.floats(size, 1.0), noise.floats(size, 1.0), noise.floats(size, 0.1));
        let v: Vec<f32> = noise.floats(size, 0.1).iter().map(|v| v.abs()).collect();
        let options = AdamW { learning_rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1, step };
        let adam: Vec<f64> = (0..size)
            .map(|i| {
                let [p, g, m, v] = [p[i], g[i], m[i], v[i]].map(f64::from);
                let (m, v) = (0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g);
                let t = f64::from(step);
                let (m, v) = (m / (1.0 - 0.9f64.powf(t)), v / (1.0 - 0.99f64.powf(t)));
                p * (1.0 - 0.01 * 0.1) - 0.01 * m / (v.sqrt() + 1e-8)
            })
            .collect();
        let descent: Vec<f64> = (0..size)
            .map(|i| {
                let [p, g, m, mu] = [p[i], g[i], m[i], momentum].map(f64::from);
                let g = g + 0.05 * p;
                let velocity = mu * m + g;
                let by = if momentum == 0.0 { g } else if nesterov { g + mu * velocity } else { velocity };
                p - 0.1 * by
            })
            .collect();
        on_every_tier(|tier| {
            let (mut parameter, mut first, mut second) = (p.clone(), m.clone(), v.clone());
            adam_w(&mut parameter, Gradient::Values(&g), &mut first, &mut second, options).unwrap();
            assert_close(tier, &parameter, &adam, 16, 1e-6);
            let (mut parameter, mut velocity) = (p.clone(), m.clone());
            let state = if momentum == 0.0 { None } else { Some(&mut velocity[..]) };
            sgd(&mut parameter, Gradient::Values(&g), state, 0.1, momentum, 0.05, nesterov).unwrap();
            assert_close(tier, &parameter, &descent, 16, 0.0);
        });
    }

    #[test]
    fn a_step_by_a_product_has_the_bits_of_a_step_by_its_values(
        seed: u64, rows in 0usize..40, n in 0usize..70, k in 0usize..300, threads in 1usize..4, zeros in 0usize..3, hole: bool,
    ) {
        // Now and then several strips, of which the last is ragged.
        let (n, k) = if seed % 8 == 0 { (n + 130, k + 1000) } else { (n, k) };
        let mut noise = Noise(seed);
        let (mut dy, mut x) = (noise.floats(rows * n, 1.0), noise.floats(rows * k, 1.0));
        for value in dy.iter_mut().filter(|value| (**value * 1e4) as usize % 4 < zeros) {
            *value = 0.0;
        }
        if let Some(value) = x.last_mut().filter(|_| hole) {
            *value = f32::NAN;
        }
        let (p, m) = (noise.floats(n * k, 1.0), noise.floats(n * k, 0.1));
        let v: Vec<f32> = noise.floats(n * k, 0.1).iter().map(|v| v.abs()).collect();
        let options = AdamW { learning_rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1, step: 3 };
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        bio_kernels::pool::set_threads(threads);
        on_every_tier(|tier| {
            let mut gradient = vec![7.0; n * k];
            let shape = MatmulShape { m: n, n: k, k: rows, transpose_a: true, transpose_b: false, accumulate: false };
            matmul_skipping_zeros(&mut gradient, &dy, &x, shape).unwrap();
            let product = WeightGradient { dy: &dy, x: &x, rows, n, k };
            let [by_values, by_product] = [Gradient::Values(&gradient), Gradient::Product(product)].map(|gradient| {
                let (mut parameter, mut first, mut second) = (p.clone(), m.clone(), v.clone());
                adam_w(&mut parameter, gradient, &mut first, &mut second, options).unwrap();
                let (mut plain, mut heavy, mut velocity) = (p.clone(), p.clone(), m.clone());
                sgd(&mut plain, gradient, None, 0.1, 0.0, 0.05, false).unwrap();
                sgd(&mut heavy, gradient, Some(&mut velocity), 0.1, 0.9, 0.0, true).unwrap();
                [parameter, first, second, plain, heavy, velocity].map(|values| bits(&values))
            });
            assert!(by_values == by_product, "{tier}");
        });
    }
}

#[test]
fn wrong_lengths_are_refused_and_nothing_is_written() {
    let mut out = [7.0; 3];
    assert_eq!(activate(&mut out, &[1.0; 2], Activation::Gelu).unwrap_err().code, "ERR_BIO_SHAPE");
    for (dy, x) in [(2, 3), (3, 2)] {
        let error = activate_backward(&mut out, &vec![1.0; dy], &vec![1.0; x], Activation::Gelu).unwrap_err();
        assert_eq!(error.code, "ERR_BIO_SHAPE");
    }
    assert_eq!(swiglu(&mut out, &[1.0; 5], 1, 3).unwrap_err().code, "ERR_BIO_SHAPE");
    let wrong = |dy: usize, x: usize, n: usize| {
        let (dy, x) = (&[1.0; 9][..dy], &[1.0; 9][..x]);
        Gradient::Product(WeightGradient { dy, x, rows: 2, n, k: 3 })
    };
    for gradient in
        [Gradient::Values(&[1.0; 2]), wrong(1, 6, 1), wrong(2, 5, 1), wrong(4, 6, 2), wrong(9, 9, usize::MAX)]
    {
        assert_eq!(sgd(&mut out, gradient, None, 0.1, 0.0, 0.0, false).unwrap_err().code, "ERR_BIO_SHAPE");
        let (mut first, mut second) = ([0.0; 3], [0.0; 3]);
        let options =
            AdamW { learning_rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.1, step: 1 };
        let error = adam_w(&mut out, gradient, &mut first, &mut second, options).unwrap_err();
        assert_eq!(error.code, "ERR_BIO_SHAPE");
    }
    assert_eq!(out, [7.0; 3]);
}

#[test]
fn no_width_is_nothing_to_do_however_many_rows_there_are() {
    swiglu(&mut [], &[], usize::MAX, 0).unwrap();
    swiglu_backward(&mut [], &[], &[], usize::MAX, 0).unwrap();
}
