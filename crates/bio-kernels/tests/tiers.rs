//! Small shapes on every tier against the scalar one. Miri runs them too, on tiers that no machine at hand may have.

mod common;

use bio_kernels::isa::{self, Isa};
use bio_kernels::matmul::{MatmulShape, matmul};
use bio_kernels::packed::{PackedDtype, PackedMatrix, grouped_matmul_packed, matmul_packed};
use bio_kernels::sparse::{SparseFormat, SparseMatrix, sparse_matmul};
use common::{Noise, assert_close, on_every_tier, wide};

/// Rows of one tile and of several with a rest; a part of a tile of columns, and one with a rest.
const SHAPES: [(usize, usize); 3] = [(1, 17), (3, 2), (13, 2)];

/// The same product on every tier, near what the scalar one finds.
fn agree(what: &str, size: usize, depth: usize, product: impl Fn(&mut [f32])) {
    let mut scalar = vec![f32::NAN; size];
    isa::with(Isa::Scalar, || product(&mut scalar));
    on_every_tier(|tier| {
        let mut found = vec![f32::NAN; size];
        product(&mut found);
        assert_close(&format!("{what} on {tier}"), &found, &wide(&scalar), 2 * depth, 0.0);
    });
}

#[test]
fn packed_products_agree() {
    let mut noise = Noise(1);
    let formats = [
        (PackedDtype::F32, 19),
        (PackedDtype::Bf16, 19),
        (PackedDtype::Int8, 35),
        (PackedDtype::Int4 { group_size: 32 }, 32),
        (PackedDtype::Int4 { group_size: 24 }, 24),
    ];
    for (dtype, k) in formats {
        for (m, n) in SHAPES {
            let (x, weights, bias) =
                (noise.floats(m * k, 1.0), noise.floats(2 * n * k, 1.0), noise.floats(n, 1.0));
            let one = PackedMatrix::pack(&weights[..n * k], dtype, 1, n, k).unwrap();
            let two = PackedMatrix::pack(&weights, dtype, 2, n, k).unwrap();
            let offsets = [0, m as i32 / 2, m as i32];
            let what = format!("{dtype:?} {m}×{n}");
            agree(&what, m * n, k, |out| matmul_packed(out, &x, &one, m, Some(&bias)).unwrap());
            agree(&what, m * n, k, |out| grouped_matmul_packed(out, &x, &two, &offsets, None).unwrap());
        }
    }
}

#[test]
fn products_of_floats_agree() {
    let (mut noise, k) = (Noise(2), 37);
    for (m, n) in SHAPES {
        let (a, b) = (noise.floats(m * k, 1.0), noise.floats(k * n, 1.0));
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            let shape = MatmulShape { m, n, k, transpose_a, transpose_b, accumulate: false };
            agree(&format!("{shape:?}"), m * n, k, |out| matmul(out, &a, &b, shape).unwrap());
        }
    }
}

#[test]
fn sparse_products_agree() {
    let (mut noise, k) = (Noise(3), 61);
    for (m, n) in SHAPES {
        let (x, mut weights) = (noise.floats(m * k, 1.0), noise.floats(n * k, 1.0));
        weights.iter_mut().enumerate().filter(|(at, _)| at % 3 != 0).for_each(|(_, weight)| *weight = 0.0);
        for format in SparseFormat::ALL {
            let sparse = SparseMatrix::pack(&weights, format, n, k).unwrap();
            let what = format!("{format:?} {m}×{n}");
            agree(&what, m * n, k, |out| sparse_matmul(out, &x, &sparse, m, None).unwrap());
        }
    }
}
