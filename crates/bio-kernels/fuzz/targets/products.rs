//! Products of floats: matmul, experts and their gradients, squared gradients.
#![no_main]

use bio_kernels::fisher::square_accumulate;
use bio_kernels::matmul::{
    MatmulShape, grouped_matmul, grouped_weight_gradient, matmul, matmul_skipping_zeros,
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

        let mut out = draw.output(&[n, k])?;
        check(square_accumulate(&mut out, &dy, &a, m, n, k), &[&out]);
        Ok(())
    });
});
