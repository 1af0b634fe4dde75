//! A mixture's experts at once against their layers one by one: the same bits on every tier, however the rows fall and whoever takes part.

mod common;

use bio_kernels::activation::{swiglu, swiglu_backward};
use bio_kernels::matmul::{ExpertGradients, Experts, grouped_matmul, grouped_weight_gradient};
use bio_kernels::pool;
use common::{Noise, bits, on_every_tier};
use proptest::prelude::*;

/// out, gate_up, inner; then dx, d_gate_up and the gradients of both weights.
type Arrays = [Vec<f32>; 7];

fn layer_by_layer(experts: &Experts<'_>, x: &[f32], dy: &[f32]) -> Arrays {
    let Experts { gate_up: w_gate_up, down, offsets, dim, hidden } = *experts;
    let rows = x.len() / dim;
    let floats = |length: usize| vec![f32::NAN; length];
    let (mut out, mut gate_up, mut inner) =
        (floats(rows * dim), floats(rows * 2 * hidden), floats(rows * hidden));
    grouped_matmul(&mut gate_up, x, w_gate_up, offsets, 2 * hidden, dim, true).unwrap();
    swiglu(&mut inner, &gate_up, rows, hidden).unwrap();
    grouped_matmul(&mut out, &inner, down, offsets, dim, hidden, true).unwrap();

    let (mut d_inner, mut d_gate_up, mut dx) =
        (floats(rows * hidden), floats(rows * 2 * hidden), floats(rows * dim));
    let (mut d_w_gate_up, mut d_down) = (floats(w_gate_up.len()), floats(down.len()));
    grouped_matmul(&mut d_inner, dy, down, offsets, hidden, dim, false).unwrap();
    grouped_weight_gradient(&mut d_down, dy, &inner, offsets, dim, hidden).unwrap();
    swiglu_backward(&mut d_gate_up, &d_inner, &gate_up, rows, hidden).unwrap();
    grouped_matmul(&mut dx, &d_gate_up, w_gate_up, offsets, dim, 2 * hidden, false).unwrap();
    grouped_weight_gradient(&mut d_w_gate_up, &d_gate_up, x, offsets, 2 * hidden, dim).unwrap();
    [out, gate_up, inner, dx, d_gate_up, d_w_gate_up, d_down]
}

fn at_once(experts: &Experts<'_>, x: &[f32], dy: &[f32], wanted: [bool; 3]) -> Arrays {
    let rows = x.len() / experts.dim;
    let sizes = [x.len(), rows * 2 * experts.hidden, rows * experts.hidden];
    let [mut out, mut gate_up, mut inner] = sizes.map(|size| vec![f32::NAN; size]);
    experts.forward(&mut out, &mut gate_up, &mut inner, x).unwrap();
    let sizes = [x.len(), gate_up.len(), experts.gate_up.len(), experts.down.len()];
    let [mut dx, mut d_gate_up, mut d_w_gate_up, mut d_down] = sizes.map(|size| vec![f32::NAN; size]);
    let gradients = ExpertGradients {
        x: wanted[0].then_some(&mut dx[..]),
        gate_up_weights: wanted[1].then_some(&mut d_w_gate_up[..]),
        down_weights: wanted[2].then_some(&mut d_down[..]),
        gate_up: &mut d_gate_up,
    };
    experts.backward(gradients, dy, x, &gate_up, &inner).unwrap();
    [out, gate_up, inner, dx, d_gate_up, d_w_gate_up, d_down]
}

proptest! {
    #![proptest_config(common::cases(32))]

    #[test]
    fn experts_at_once_have_the_bits_of_their_layers(
        seed: u64, rows in 0usize..400, count in 1usize..7, dim in 1usize..40, hidden in 1usize..50, threads in 1usize..5,
        wanted: [bool; 3],
    ) {
        let mut noise = Noise(seed);
        let offsets = noise.offsets(rows, count);
        let (gate_up, down) = (noise.floats(count * 2 * hidden * dim, 1.0), noise.floats(count * dim * hidden, 1.0));
        let (x, dy) = (noise.floats(rows * dim, 1.0), noise.floats(rows * dim, 1.0));
        let experts = Experts { gate_up: &gate_up, down: &down, offsets: &offsets, dim, hidden };
        on_every_tier(|tier| {
            pool::set_threads(1);
            let expected = layer_by_layer(&experts, &x, &dy);
            pool::set_threads(threads);
            let found = at_once(&experts, &x, &dy, wanted);
            pool::set_threads(1);
            let [dx, d_w_gate_up, d_down] = wanted;
            let there = [true, true, true, dx, true, d_w_gate_up, d_down];
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                if there[index] {
                    assert_eq!(bits(found), bits(expected), "{tier}: array {index}");
                } else {
                    assert!(found.iter().all(|value| value.is_nan()), "{tier}: array {index} was not asked for");
                }
            }
        });
    }
}

#[test]
fn wrong_sizes_are_refused_and_nothing_is_written() {
    let (gate_up, down) = ([1.0; 2 * 2 * 3 * 4], [1.0; 2 * 4 * 3]);
    let good = Experts { gate_up: &gate_up, down: &down, offsets: &[0, 1, 2], dim: 4, hidden: 3 };
    let (mut out, mut wide, mut inner) = ([7.0; 8], [7.0; 12], [7.0; 6]);
    for (experts, code) in [
        (Experts { gate_up: &gate_up[1..], ..good }, "ERR_BIO_SHAPE"),
        (Experts { down: &[], ..good }, "ERR_BIO_SHAPE"),
        (Experts { hidden: 2, ..good }, "ERR_BIO_SHAPE"),
        (Experts { dim: usize::MAX, offsets: &[0, 0, 0], ..good }, "ERR_BIO_SHAPE"),
        (Experts { offsets: &[0, 2, 1], ..good }, "ERR_BIO_INDEX"),
        (Experts { offsets: &[], ..good }, "ERR_BIO_INDEX"),
    ] {
        let refused = experts.forward(&mut out, &mut wide, &mut inner, &[1.0; 8]).unwrap_err();
        assert_eq!(refused.code, code, "{experts:?}");
        let gradients = ExpertGradients {
            x: Some(&mut out),
            gate_up_weights: None,
            down_weights: None,
            gate_up: &mut wide,
        };
        let refused = experts.backward(gradients, &[1.0; 8], &[1.0; 8], &[1.0; 12], &inner).unwrap_err();
        assert_eq!(refused.code, code, "{experts:?}");
    }
    let mut short = [7.0; 5];
    assert!(good.forward(&mut out, &mut wide, &mut short, &[1.0; 8]).is_err());
    let gradients = ExpertGradients {
        x: None,
        gate_up_weights: Some(&mut short),
        down_weights: None,
        gate_up: &mut wide,
    };
    assert!(good.backward(gradients, &[1.0; 8], &[1.0; 8], &[1.0; 12], &inner).is_err());
    assert!([&out[..], &wide, &inner, &short].concat().iter().all(|&value| value == 7.0));
}

#[test]
fn experts_without_width_or_rows_give_zeros() {
    let (mut out, mut dx) = ([7.0; 4], [7.0; 4]);
    let none = Experts { gate_up: &[], down: &[], offsets: &[0, 2], dim: 2, hidden: 0 };
    none.forward(&mut out, &mut [], &mut [], &[1.0; 4]).unwrap();
    let gradients =
        ExpertGradients { x: Some(&mut dx), gate_up_weights: None, down_weights: None, gate_up: &mut [] };
    none.backward(gradients, &[1.0; 4], &[1.0; 4], &[], &[]).unwrap();
    assert_eq!((out, dx), ([0.0; 4], [0.0; 4]));

    let idle = Experts { gate_up: &[1.0; 4], down: &[1.0; 2], offsets: &[0, 0], dim: 2, hidden: 1 };
    let (mut d_gate_up, mut d_down) = ([7.0; 4], [7.0; 2]);
    idle.forward(&mut [], &mut [], &mut [], &[]).unwrap();
    let (gate_up_weights, down_weights) = (Some(&mut d_gate_up[..]), Some(&mut d_down[..]));
    idle.backward(
        ExpertGradients { x: None, gate_up_weights, down_weights, gate_up: &mut [] },
        &[],
        &[],
        &[],
        &[],
    )
    .unwrap();
    assert_eq!((d_gate_up, d_down), ([0.0; 4], [0.0; 2]));
}
