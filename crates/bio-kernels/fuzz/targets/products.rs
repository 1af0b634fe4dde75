//! Products of floats: matmul, experts and their gradients, squared gradients.
#![no_main]

use bio_kernels::fisher::square_accumulate;
use bio_kernels::matmul::{
    ExpertGradients, Experts, MatmulShape, grouped_matmul, grouped_weight_gradient, matmul,
    matmul_skipping_zeros,
};
use bio_kernels_fuzz::{Draw, check, fuzz_target};

fuzz_target!(|bytes: &[u8]| {
    Draw::run(bytes, |draw| {
        let (m, n, k) = (draw.size()?, draw.size()?, draw.size()?);
        let shape = MatmulShape {
            m,
            n,
            k,
            transpose_a: draw.flag()?,
            transpose_b: draw.flag()?,
            accumulate: draw.flag()?,
        };
        let (mut out, a, b) = (draw.output(&[m, n])?, draw.floats(&[m, k])?, draw.floats(&[k, n])?);
        check(matmul(&mut out, &a, &b, shape), &[&out]);
        check(matmul_skipping_zeros(&mut out, &a, &b, shape), &[&out]);

        let experts = draw.size()? % 9;
        let offsets = draw.offsets(experts, m)?;
        let experts = offsets.len() - 1;
        let (mut out, weights) = (draw.output(&[m, n])?, draw.floats(&[experts, n, k])?);
        let transpose = draw.flag()?;
        check(grouped_matmul(&mut out, &a, &weights, &offsets, n, k, transpose), &[&out]);

        let (mut out, dy) = (draw.output(&[experts, n, k])?, draw.floats(&[m, n])?);
        check(grouped_weight_gradient(&mut out, &dy, &a, &offsets, n, k), &[&out]);

        let (gate_up, down) = (draw.floats(&[experts, 2, n, k])?, draw.floats(&[experts, k, n])?);
        let all = Experts { gate_up: &gate_up, down: &down, offsets: &offsets, dim: k, hidden: n };
        let (mut out, mut wide, mut inner) =
            (draw.output(&[m, k])?, draw.output(&[m, 2, n])?, draw.output(&[m, n])?);
        check(all.forward(&mut out, &mut wide, &mut inner, &a), &[&out, &wide, &inner]);

        let (mut dx, mut slopes) = (draw.output(&[m, k])?, draw.output(&[m, 2, n])?);
        let (mut d_gate_up, mut d_down) = (draw.output(&[experts, 2, n, k])?, draw.output(&[experts, k, n])?);
        let gradients = ExpertGradients {
            x: draw.flag()?.then_some(&mut dx[..]),
            gate_up_weights: draw.flag()?.then_some(&mut d_gate_up[..]),
            down_weights: draw.flag()?.then_some(&mut d_down[..]),
            gate_up: &mut slopes,
        };
        let dy = draw.floats(&[m, k])?;
        check(all.backward(gradients, &dy, &a, &wide, &inner), &[&dx, &slopes, &d_gate_up, &d_down]);

        let (mut out, dy) = (draw.output(&[n, k])?, draw.floats(&[m, n])?);
        check(square_accumulate(&mut out, &dy, &a, m, n, k), &[&out]);
        Ok(())
    });
});
