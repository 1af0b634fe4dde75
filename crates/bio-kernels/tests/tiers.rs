//! Small shapes on every tier against the scalar one, of which some reach each size of a register tile. Miri runs them too, on tiers that no
//! machine at hand may have: so they pack int4 from blocks, since the search of its scales would take most of the time there.

mod common;

use bio_kernels::attention::{PageContent, PageShape, PageValue, PagedQueries, paged_attention, paged_write};
use bio_kernels::gguf::BlockType;
use bio_kernels::isa::{self, Isa};
use bio_kernels::matmul::{MatmulShape, WeightGradient, matmul, matmul_skipping_zeros};
use bio_kernels::optimizer::{Gradient, sgd};
use bio_kernels::packed::{PackedDtype, PackedMatrix, grouped_matmul_packed, matmul_packed};
use bio_kernels::sparse::{SparseFormat, SparseMatrix, sparse_matmul};
use common::{Noise, assert_close, on_every_tier, wide};

/// Rows of x: every height of a tile, and so many that bf16 is widened for all of them.
const HEIGHTS: [usize; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 25];
/// Weight rows: a part of a panel, and four panels side by side with a part of a fifth.
const WIDTHS: [usize; 2] = [2, 67];

/// The same product on every tier, near what the scalar one finds.
fn agree(what: &str, size: usize, depth: usize, slack: f64, product: impl Fn(&mut [f32])) {
    let mut scalar = vec![f32::NAN; size];
    isa::with(Isa::Scalar, || product(&mut scalar));
    on_every_tier(|tier| {
        if tier == Isa::Scalar.name() {
            return;
        }
        let mut found = vec![f32::NAN; size];
        product(&mut found);
        assert_close(&format!("{what} on {tier}"), &found, &wide(&scalar), 2 * depth, slack);
    });
}

/// Products of every height with one matrix, with a bias, and of two experts.
fn packed_agree(
    noise: &mut Noise,
    dtype: PackedDtype,
    k: usize,
    pack: impl Fn(&mut Noise, usize, usize) -> PackedMatrix,
) {
    for n in WIDTHS {
        let (one, two, bias) = (pack(noise, 1, n), pack(noise, 2, n), noise.floats(n, 1.0));
        for m in HEIGHTS {
            let x = noise.floats(m * k, 1.0);
            let what = format!("{dtype:?} {m}×{n}");
            agree(&what, m * n, k, 0.0, |out| matmul_packed(out, &x, &one, m, Some(&bias)).unwrap());
        }
        let (m, x) = (13, noise.floats(13 * k, 1.0));
        let what = format!("{dtype:?} of two experts");
        agree(&what, m * n, k, 0.0, |out| grouped_matmul_packed(out, &x, &two, &[0, 6, 13], None).unwrap());
    }
}

fn packed_from_floats_agree(dtype: PackedDtype, k: usize) {
    packed_agree(&mut Noise(1), dtype, k, |noise, experts, n| {
        PackedMatrix::pack(&noise.floats(experts * n * k, 1.0), dtype, experts, n, k).unwrap()
    });
}

#[test]
fn packed_products_of_f32_agree() {
    packed_from_floats_agree(PackedDtype::F32, 5);
}

#[test]
fn packed_products_of_bf16_agree() {
    packed_from_floats_agree(PackedDtype::Bf16, 5);
}

#[test]
fn packed_products_of_int8_agree() {
    packed_from_floats_agree(PackedDtype::Int8, 11);
}

#[test]
fn packed_products_of_int4_agree() {
    /// 2⁻⁴ as an f16.
    const SCALE: [u8; 2] = [0, 0x2c];
    let (dtype, k) = (PackedDtype::Int4 { group_size: 32 }, 32);
    packed_agree(&mut Noise(2), dtype, k, |noise, experts, n| {
        let rows: Vec<i32> = (0..(experts * n) as i32).collect();
        let mut block =
            || SCALE.into_iter().chain(noise.integers(16, 256).into_iter().map(|byte| byte as u8));
        let blocks: Vec<u8> = (0..rows.len() * k / 32).flat_map(|_| block().collect::<Vec<u8>>()).collect();
        let mut packed = PackedMatrix::zeros(dtype, experts, n, k).unwrap();
        packed.set_blocks(&rows, &blocks, BlockType::Q4_0).unwrap();
        packed
    });
}

#[test]
fn packed_products_of_int4_agree_in_odd_groups() {
    let (mut noise, m, n, k) = (Noise(3), 5, 2, 48);
    let (x, weights) = (noise.floats(m * k, 1.0), noise.floats(n * k, 1.0));
    let packed = PackedMatrix::pack(&weights, PackedDtype::Int4 { group_size: 24 }, 1, n, k).unwrap();
    agree("int4 in groups of 24", m * n, k, 0.0, |out| matmul_packed(out, &x, &packed, m, None).unwrap());
}

#[test]
fn products_of_floats_agree() {
    // Packed, by one to three panels; then so few rows, or columns, that the other operand is read in place.
    let packed = HEIGHTS.into_iter().flat_map(|m| [9, 32, 35].map(|n| (m, n, 5)));
    let in_place = [1, 3, 6, 9, 14, 31].into_iter().flat_map(|few| [(few, 65, 66); 2]);
    let mut noise = Noise(4);
    for (at, (m, n, k)) in packed.chain(in_place).chain([(66, 3, 65)]).enumerate() {
        let (a, b) = (noise.floats(m * k, 1.0), noise.floats(k * n, 1.0));
        let (transpose_a, transpose_b) = [(false, false), (true, true), (true, false), (false, true)][at % 4];
        let shape = MatmulShape { m, n, k, transpose_a, transpose_b, accumulate: false };
        agree(&format!("{shape:?}"), m * n, k, 0.0, |out| matmul(out, &a, &b, shape).unwrap());
    }
}

#[test]
fn products_that_leave_out_zeros_agree() {
    let (mut noise, m) = (Noise(5), 33);
    for (n, k) in [(7, 66), (32, 5), (47, 5), (63, 5), (79, 5), (95, 5), (111, 5), (133, 5)] {
        let (mut a, b) = (noise.floats(m * k, 1.0), noise.floats(k * n, 1.0));
        a.iter_mut().filter(|a| **a < 0.3).for_each(|a| *a = 0.0);
        let transpose_a = n % 2 == 0;
        let shape = MatmulShape { m, n, k, transpose_a, transpose_b: false, accumulate: false };
        agree(&format!("{shape:?}"), m * n, k, 0.0, |out| {
            matmul_skipping_zeros(out, &a, &b, shape).unwrap();
        });
    }
}

/// Few rows, whose sums are used line by line: up to 28 registers of them at a time.
#[test]
fn steps_by_products_agree() {
    let (mut noise, n) = (Noise(8), 3);
    for (rows, k) in [(1, 5), (10, 130), (3, 200), (2, 260), (4, 320), (5, 390), (32, 450), (40, 20)] {
        let (dy, x) = (noise.floats(rows * n, 1.0), noise.floats(rows * k, 1.0));
        let gradient = Gradient::Product(WeightGradient { dy: &dy, x: &x, rows, n, k });
        agree(&format!("{rows} rows of {k}"), n * k, rows, 0.0, |parameter| {
            parameter.fill(0.0);
            sgd(parameter, gradient, None, 1.0, 0.0, 0.0, false).unwrap();
        });
    }
}

#[test]
fn sparse_products_agree() {
    let (mut noise, k) = (Noise(6), 31);
    for (m, n) in [(1, 17), (3, 2), (5, 35), (17, 19)] {
        let (x, mut weights) = (noise.floats(m * k, 1.0), noise.floats(n * k, 1.0));
        weights.iter_mut().enumerate().filter(|(at, _)| at % 3 != 0).for_each(|(_, weight)| *weight = 0.0);
        for format in SparseFormat::ALL {
            let sparse = SparseMatrix::pack(&weights, format, n, k).unwrap();
            let what = format!("{format:?} {m}×{n}");
            agree(&what, m * n, k, 0.0, |out| sparse_matmul(out, &x, &sparse, m, None).unwrap());
        }
    }
}

/// The last token of some, in pages of five, for as many heads as share a key head.
fn attention_agrees<P: PageValue + Default + Clone>(what: &str, slack: f64) {
    let (mut noise, tokens) = (Noise(7), 19);
    let table = [3, 2, 1, 0];
    let slots: Vec<i32> = (0..tokens).map(|t| table[t as usize / 5] * 5 + t % 5).collect();
    for (head_dim, groups) in [(84, &[1, 2, 4][..]), (20, &[1, 3, 5, 7])] {
        let shape = PageShape { kv_heads: 1, head_dim, block_tokens: 5 };
        let mut pages = |content| {
            let mut pages = vec![P::default(); 4 * 5 * (head_dim + P::SCALE_VALUES)];
            let rows = noise.floats(tokens as usize * head_dim, 1.0);
            paged_write(&mut pages, &rows, &slots, shape, content).unwrap();
            pages
        };
        let (keys, values) = (pages(PageContent::Keys), pages(PageContent::Values));
        for &heads in groups {
            let q = noise.floats(heads * head_dim, 1.0);
            let queries = PagedQueries {
                heads,
                sequences: &[0],
                positions: &[tokens - 1],
                block_tables: &table,
                max_blocks: table.len(),
                scale: 0.25,
            };
            let depth = tokens as usize + head_dim;
            agree(&format!("{what} {heads}×{head_dim}"), heads * head_dim, depth, slack, |out| {
                paged_attention(out, &q, &keys, &values, queries, shape).unwrap();
            });
        }
    }
}

#[test]
fn attention_over_pages_of_f32_agrees() {
    attention_agrees::<f32>("f32 pages", 2e-6);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no vpermw, which widens bf16")]
fn attention_over_pages_of_bf16_agrees() {
    attention_agrees::<u16>("bf16 pages", 2e-6);
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no vminps, which bounds weights")]
fn attention_over_pages_of_int8_agrees() {
    attention_agrees::<i8>("int8 pages", 2e-4);
}
