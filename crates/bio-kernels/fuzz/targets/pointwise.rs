//! What works value by value: arithmetic, activations, conversions, optimizers.
#![no_main]

use bio_kernels::activation::{Activation, activate, activate_backward, activate_backward_in_place};
use bio_kernels::convert::{from_bf16, to_bf16};
use bio_kernels::elementwise::{add, add_scaled, multiply, multiply_in_place, scale, sum, sum_of_squares};
use bio_kernels::optimizer::{AdamW, Gradient, adam_w, sgd};
use bio_kernels_fuzz::{Draw, check, fuzz_target};

fuzz_target!(|bytes: &[u8]| {
    Draw::run(bytes, |draw| {
        // Vectors long enough for several tasks of the pool, and remainders of every width.
        let size = [draw.size()?, 1 + draw.size()? % 1024];
        let (a, b) = (draw.floats(&size)?, draw.floats(&size)?);
        let factor = f32::from_bits(draw.0.arbitrary()?);
        let mut out = draw.output(&size)?;
        check(add(&mut out, &a, &b), &[&out]);
        let mut out = draw.output(&size)?;
        check(multiply(&mut out, &a, &b), &[&out]);
        let mut out = draw.output(&size)?;
        check(scale(&mut out, &a, factor), &[&out]);
        let mut out = draw.output(&size)?;
        check(add_scaled(&mut out, &a, factor), &[&out]);
        let mut out = draw.output(&size)?;
        check(multiply_in_place(&mut out, &b), &[&out]);
        // Sums refuse nothing; those of numbers are numbers.
        assert!(a.iter().any(|x| !x.is_finite()) || (sum(&a) + sum_of_squares(&a)).is_finite());

        let kind = Activation::ALL[draw.0.choose_index(Activation::ALL.len())?];
        let mut out = draw.output(&size)?;
        check(activate(&mut out, &a, kind), &[&out]);
        let mut dx = draw.output(&size)?;
        check(activate_backward(&mut dx, &b, &a, kind), &[&dx]);
        let mut dy = draw.output(&size)?;
        check(activate_backward_in_place(&mut dy, &a, kind), &[&dy]);

        let (mut halves, mut back) = (vec![0; a.len()], draw.output(&size)?);
        check(to_bf16(&mut halves, &a), &[]);
        check(from_bf16(&mut back, &halves), &[&back]);

        let options = AdamW {
            learning_rate: f64::from(factor),
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.1,
            step: draw.0.arbitrary()?,
        };
        let (mut p, mut m, mut v) = (draw.output(&size)?, draw.output(&size)?, draw.output(&size)?);
        check(adam_w(&mut p, Gradient::Values(&a), &mut m, &mut v, options), &[&p, &m, &v]);
        let (mut p, mut v) = (draw.output(&size)?, draw.output(&size)?);
        let velocity = if draw.flag()? { Some(&mut v[..]) } else { None };
        let (momentum, nesterov) = (if draw.flag()? { 0.9 } else { 0.0 }, draw.flag()?);
        check(sgd(&mut p, Gradient::Values(&a), velocity, factor, momentum, 0.1, nesterov), &[&p, &v]);
        Ok(())
    });
});
