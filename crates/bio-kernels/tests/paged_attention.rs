//! Attention over pages of every number format against its formula in f64, and one set of bits however the work is cut.

mod common;

use std::sync::Mutex;

use bio_kernels::attention::{PageContent, PageShape, PageValue, PagedQueries, paged_attention, paged_write};
use bio_kernels::convert::{from_bf16, to_bf16};
use bio_kernels::pool;
use bio_kernels::quantize::{dequantize_int8, quantize_int8};
use common::{Noise, assert_close, bits, on_every_tier};
use proptest::prelude::*;

/// Threads are a setting of the process: one test at a time.
static THREADS: Mutex<()> = Mutex::new(());

#[derive(Clone, Copy, Debug)]
struct Case {
    seed: u64,
    length: usize,
    kv_heads: usize,
    group: usize,
    head_dim: usize,
    block_tokens: usize,
    threads: usize,
    /// Where the sequence is cut in two, as a share of its length.
    cut: f64,
}

fn cases() -> impl Strategy<Value = Case> {
    let shape = (1usize..700, 1usize..3, 1usize..9, 1usize..131, 1usize..50);
    (any::<u64>(), shape, 1usize..4, 0.0..1.0f64).prop_map(
        |(seed, (length, kv_heads, group, head_dim, block_tokens), threads, cut)| Case {
            // Cost is length² in the oracle: long ones get narrow heads.
            seed,
            length,
            kv_heads,
            group,
            head_dim: if length > 200 { 1 + head_dim % 20 } else { head_dim },
            block_tokens,
            threads,
            cut,
        },
    )
}

/// What the formats keep of rows of `columns` values: found by the kernels that quantize, not by those of attention.
trait Format: PageValue + Default {
    fn kept(rows: &[f32], columns: usize) -> Vec<f32>;
}

impl Format for f32 {
    fn kept(rows: &[f32], _: usize) -> Vec<f32> {
        rows.to_vec()
    }
}

impl Format for u16 {
    fn kept(rows: &[f32], _: usize) -> Vec<f32> {
        let (mut halves, mut kept) = (vec![0; rows.len()], vec![0.0; rows.len()]);
        to_bf16(&mut halves, rows).unwrap();
        from_bf16(&mut kept, &halves).unwrap();
        kept
    }
}

impl Format for i8 {
    fn kept(rows: &[f32], columns: usize) -> Vec<f32> {
        let count = rows.len() / columns;
        let (mut values, mut scales, mut kept) =
            (vec![0; rows.len()], vec![0.0; count], vec![0.0; rows.len()]);
        quantize_int8(&mut values, &mut scales, rows, count, columns).unwrap();
        dequantize_int8(&mut kept, &values, &scales, count, columns).unwrap();
        kept
    }
}

/// softmax(q·kᵀ/8)·v of the last `queries` tokens, causal, in f64: [queries, heads, headDim].
fn truth(q: &[f32], k: &[f32], v: &[f32], case: Case) -> Vec<f64> {
    let Case { length, kv_heads, group, head_dim, .. } = case;
    let heads = kv_heads * group;
    let mut out = vec![0.0; q.len()];
    for t in 0..length {
        for h in 0..heads {
            let at = (t * heads + h) * head_dim;
            let key = |j: usize| (j * kv_heads + h / group) * head_dim;
            let dot = |j: usize| -> f64 {
                (0..head_dim).map(|d| f64::from(q[at + d]) * f64::from(k[key(j) + d])).sum::<f64>() / 8.0
            };
            let scores: Vec<f64> = (0..=t).map(dot).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
            for (j, score) in scores.iter().enumerate() {
                let weight = (score - most).exp() / total;
                for d in 0..head_dim {
                    out[at + d] += weight * f64::from(v[key(j) + d]);
                }
            }
        }
    }
    out
}

/// One sequence in shuffled pages, whole and cut in two among another sequence's queries, on one thread and several.
fn check<P: Format>(case: Case, slack: f64) {
    let Case { seed, length, kv_heads, group, head_dim, block_tokens, threads, cut } = case;
    let heads = kv_heads * group;
    let mut noise = Noise(seed);
    let (width, key_width) = (heads * head_dim, kv_heads * head_dim);
    let q = noise.floats(length * width, 2.0);
    let (k, v) = (noise.floats(length * key_width, 2.0), noise.floats(length * key_width, 1.0));
    let truth = truth(&q, &P::kept(&k, head_dim), &P::kept(&v, head_dim), case);
    let shape = PageShape { kv_heads, head_dim, block_tokens };
    let max_blocks = length.div_ceil(block_tokens);
    let blocks = 2 * max_blocks + 1;
    let mut table: Vec<i32> = (0..blocks as i32).collect();
    for i in (1..blocks).rev() {
        table.swap(i, (noise.next() * (i + 1) as f64) as usize);
    }
    let slots: Vec<i32> = (0..length)
        .map(|t| table[t / block_tokens] * block_tokens as i32 + (t % block_tokens) as i32)
        .collect();
    let size = blocks * block_tokens * kv_heads * (head_dim + P::SCALE_VALUES);
    let (mut keys, mut values) = (vec![P::default(); size], vec![P::default(); size]);
    paged_write(&mut keys, &k, &slots, shape, PageContent::Keys).unwrap();
    paged_write(&mut values, &v, &slots, shape, PageContent::Values).unwrap();
    let run = |first: usize, end: usize, guests: usize| -> Vec<f32> {
        let tokens = end - first + guests;
        let sequences: Vec<i32> = (0..tokens).map(|t| i32::from(t >= end - first)).collect();
        let positions: Vec<i32> =
            (0..tokens).map(|t| if t < end - first { first + t } else { t % length } as i32).collect();
        let queries = PagedQueries {
            heads,
            sequences: &sequences,
            positions: &positions,
            block_tables: &table[..2 * max_blocks],
            max_blocks,
            scale: 0.125,
        };
        let mut out = vec![f32::NAN; tokens * width];
        let q = [&q[first * width..end * width], &vec![0.5; guests * width]].concat();
        paged_attention(&mut out, &q, &keys, &values, queries, shape).unwrap();
        out.truncate((end - first) * width);
        out
    };
    let alone = THREADS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    on_every_tier(|tier| {
        pool::set_threads(1);
        let whole = run(0, length, 0);
        assert_close(tier, &whole, &truth, length + head_dim, slack);
        pool::set_threads(threads);
        let at = (cut * length as f64) as usize;
        let parts = [run(0, at, 3), run(at, length, 1)].concat();
        assert_eq!(bits(&parts), bits(&whole), "{tier}");
        // A lone last token on many threads: its spans are tasks of their own.
        assert_eq!(bits(&run(length - 1, length, 0)), bits(&whole[(length - 1) * width..]), "{tier}");
    });
    drop(alone);
}

proptest! {
    #![proptest_config(common::cases(24))]

    #[test]
    fn f32_pages_give_the_formula_and_the_same_bits_in_any_batch_chunk_page_and_thread(case in cases()) {
        check::<f32>(case, 2e-6);
    }

    #[test]
    fn bf16_pages_give_the_formula_and_the_same_bits_in_any_batch_chunk_page_and_thread(case in cases()) {
        check::<u16>(case, 2e-6);
    }

    #[test]
    fn int8_pages_give_the_formula_and_the_same_bits_in_any_batch_chunk_page_and_thread(case in cases()) {
        // Queries and weights are rounded to 2⁻¹⁶ of their largest: some 1e-5 for a score of 131 dimensions.
        check::<i8>(case, 2e-4);
    }
}

#[test]
fn a_key_of_minus_infinity_takes_no_part_and_a_value_that_is_not_a_number_shows() {
    let shape = PageShape { kv_heads: 1, head_dim: 1, block_tokens: 16 };
    let attend = |keys: &[f32], values: &[f32], position: i32| {
        let mut out = [0.0];
        let table: Vec<i32> = (0..keys.len() as i32 / 16).collect();
        let queries = PagedQueries {
            heads: 1,
            sequences: &[0],
            positions: &[position],
            block_tables: &table,
            max_blocks: table.len(),
            scale: 1.0,
        };
        paged_attention(&mut out, &[1.0], keys, values, queries, shape).unwrap();
        out[0]
    };
    on_every_tier(|tier| {
        // The whole first span is hidden by its scores.
        let keys: Vec<f32> = (0..512).map(|s| if s < 256 { f32::NEG_INFINITY } else { 0.0 }).collect();
        assert_eq!(attend(&keys, &[3.0; 512], 511), 3.0, "{tier}");
        assert!(attend(&[f32::NEG_INFINITY; 512], &[3.0; 512], 511).is_nan(), "{tier}");
        let mut values = [3.0; 512];
        values[300] = f32::NAN;
        assert!(attend(&[0.0; 512], &values, 300).is_nan(), "{tier}");
        assert_eq!(attend(&[0.0; 512], &values, 299), 3.0, "{tier}: what comes later is not seen");
    });
}

#[test]
fn what_int8_cannot_hold_shows_as_nan_in_that_token_and_head_alone() {
    let shape = PageShape { kv_heads: 2, head_dim: 3, block_tokens: 2 };
    let mut pages = [0i8; 2 * 2 * (3 + 4)];
    let rows = [1.0, f32::NAN, 2.0, 1.0, -2.0, 0.5, 0.25, 0.5, f32::INFINITY, 0.0, 0.0, 0.0];
    paged_write(&mut pages, &rows, &[0, 1], shape, PageContent::Values).unwrap();
    let scale = |head: usize, token: usize| {
        let at = head * 14 + 6 + token * 4;
        f32::from_le_bytes(std::array::from_fn(|i| pages[at + i].cast_unsigned()))
    };
    assert!(scale(0, 0).is_nan() && scale(0, 1).is_nan());
    assert_eq!((scale(1, 0), scale(1, 1)), (2.0 / 127.0, 0.0));
    assert_eq!(pages[14..20], [64, 0, -127, 0, 32, 0], "63.5 and 31.75 rounded, half to even");
}

#[test]
fn keys_lie_word_by_word_in_their_block_and_the_last_word_is_as_narrow_as_the_row_leaves_it() {
    let shape = PageShape { kv_heads: 1, head_dim: 5, block_tokens: 2 };
    let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0];
    let mut pages = [0.0; 10];
    paged_write(&mut pages, &rows, &[0, 1], shape, PageContent::Keys).unwrap();
    assert_eq!(pages, [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0, 5.0, 50.0]);
    let mut pages = [0u16; 10];
    paged_write(&mut pages, &rows, &[0, 1], shape, PageContent::Keys).unwrap();
    let mut kept = [0.0; 10];
    from_bf16(&mut kept, &pages).unwrap();
    assert_eq!(kept, [1.0, 2.0, 10.0, 20.0, 3.0, 4.0, 30.0, 40.0, 5.0, 50.0]);
    let mut pages = [0i8; 2 * 9];
    let rows = [127.0, 2.0, 3.0, 4.0, 5.0, 127.0, 20.0, 30.0, 40.0, 50.0];
    paged_write(&mut pages, &rows, &[0, 1], shape, PageContent::Keys).unwrap();
    let kept = pages.map(|byte| byte ^ i8::MIN);
    assert_eq!(kept[..10], [127, 2, 3, 4, 127, 20, 30, 40, 5, 50], "128 higher, as unsigned bytes");
}

#[test]
fn int8_values_lie_four_tokens_to_a_word_and_the_last_word_is_as_narrow_as_the_block_leaves_it() {
    let shape = PageShape { kv_heads: 1, head_dim: 2, block_tokens: 6 };
    let rows = [127.0, 1.0, 127.0, 2.0, 127.0, 3.0, 127.0, 4.0, 127.0, 5.0, 127.0, 6.0];
    let mut pages = [0i8; 6 * 6];
    paged_write(&mut pages, &rows, &[0, 1, 2, 3, 4, 5], shape, PageContent::Values).unwrap();
    assert_eq!(pages[..12], [127, 127, 127, 127, 1, 2, 3, 4, 127, 127, 5, 6]);
    let mut pages = [0.0; 6 * 2];
    paged_write(&mut pages, &rows, &[0, 1, 2, 3, 4, 5], shape, PageContent::Values).unwrap();
    assert_eq!(pages, rows, "rows in f32");
}

#[test]
fn pages_that_are_not_there_are_refused_and_nothing_is_written() {
    let pages = PageShape { kv_heads: 1, head_dim: 2, block_tokens: 2 };
    let (mut memory, mut out) = ([7.0; 8], [7.0; 2]);
    for content in [PageContent::Keys, PageContent::Values] {
        for slot in [4, -1] {
            let refused = paged_write(&mut memory, &[1.0; 2], &[slot], pages, content).unwrap_err();
            assert_eq!(refused.code, "ERR_BIO_INDEX");
        }
        assert!(paged_write(&mut memory, &[1.0; 3], &[0], pages, content).is_err());
    }
    assert_eq!(memory, [7.0; 8]);
    for empty in [
        PageShape { kv_heads: 0, ..pages },
        PageShape { head_dim: 0, ..pages },
        PageShape { block_tokens: 0, ..pages },
        PageShape { block_tokens: usize::MAX, ..pages },
        PageShape { head_dim: usize::MAX, ..pages },
    ] {
        let refused = paged_write(&mut [7i8; 8], &[], &[], empty, PageContent::Keys).unwrap_err();
        assert_eq!(refused.code, "ERR_BIO_SHAPE");
    }
    let good = PagedQueries {
        heads: 1,
        sequences: &[0],
        positions: &[1],
        block_tables: &[1],
        max_blocks: 1,
        scale: 1.0,
    };
    for bad in [
        PagedQueries { sequences: &[1], ..good },
        PagedQueries { positions: &[2], ..good },
        PagedQueries { positions: &[-1], ..good },
        PagedQueries { block_tables: &[2], ..good },
        PagedQueries { block_tables: &[-1], ..good },
        PagedQueries { heads: 0, ..good },
        PagedQueries { max_blocks: 0, ..good },
    ] {
        assert!(paged_attention(&mut out, &[1.0; 2], &memory, &memory, bad, pages).is_err(), "{bad:?}");
    }
    assert!(paged_attention(&mut out, &[1.0; 2], &memory, &memory[..4], good, pages).is_err());
    assert_eq!(out, [7.0; 2]);
}

#[test]
fn no_tokens_and_no_heads_are_no_work() {
    let shape = PageShape { kv_heads: 1, head_dim: 2, block_tokens: usize::MAX / 4 };
    let none = PagedQueries {
        heads: 1,
        sequences: &[],
        positions: &[],
        block_tables: &[],
        max_blocks: 1,
        scale: 1.0,
    };
    paged_attention::<f32>(&mut [], &[], &[], &[], none, shape).unwrap();
    let shape = PageShape { block_tokens: 2, ..shape };
    let no_heads = PagedQueries { heads: 0, sequences: &[0], positions: &[1], block_tables: &[0], ..none };
    paged_attention(&mut [], &[], &[0.0; 4], &[0.0; 4], no_heads, shape).unwrap();
}
