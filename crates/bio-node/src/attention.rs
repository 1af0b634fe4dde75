use bio_kernels::attention::{self, AttentionShape, PageShape, PagedQueries};
use bio_kernels::rotary::{self, Rotary};
use napi::bindgen_prelude::Either3;
use napi_derive::napi;

use crate::guard::{Out, Result, guard, unknown};

#[napi]
pub fn rotary(
    out: Out<'_>,
    x: Option<&[f32]>,
    positions: &[i32],
    heads: u32,
    head_dim: u32,
    theta: f64,
    inverse: bool,
) -> Result<()> {
    let options = Rotary { heads: heads as usize, head_dim: head_dim as usize, theta, inverse };
    guard(|| match x {
        Some(x) => rotary::rotary(out, x, positions, options),
        None => rotary::rotary_in_place(out, positions, options),
    })
}

fn shape(
    batch: u32,
    length: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    causal: bool,
    scale: f64,
) -> AttentionShape {
    AttentionShape {
        batch: batch as usize,
        length: length as usize,
        heads: heads as usize,
        kv_heads: kv_heads as usize,
        head_dim: head_dim as usize,
        causal,
        scale: scale as f32,
    }
}

#[napi]
pub fn attention(
    out: Out<'_>,
    log_sum_exp: Out<'_>,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    batch: u32,
    length: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    causal: bool,
    scale: f64,
) -> Result<()> {
    let shape = shape(batch, length, heads, kv_heads, head_dim, causal, scale);
    guard(|| attention::attention(out, log_sum_exp, q, k, v, shape))
}

#[napi]
pub fn attention_backward(
    dq: Out<'_>,
    dk: Out<'_>,
    dv: Out<'_>,
    d_out: &[f32],
    q: &[f32],
    k: &[f32],
    v: &[f32],
    out: &[f32],
    log_sum_exp: &[f32],
    batch: u32,
    length: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    causal: bool,
    scale: f64,
) -> Result<()> {
    let shape = shape(batch, length, heads, kv_heads, head_dim, causal, scale);
    guard(|| attention::attention_backward(dq, dk, dv, d_out, q, k, v, out, log_sum_exp, shape))
}

fn pages(kv_heads: u32, head_dim: u32, block_tokens: u32) -> PageShape {
    PageShape {
        kv_heads: kv_heads as usize,
        head_dim: head_dim as usize,
        block_tokens: block_tokens as usize,
    }
}

/// Pages of f32, bf16 or int8: the array's type is the number format.
type Pages<'a> = Either3<&'a [f32], &'a [u16], &'a [i8]>;
type PagesOut<'a> = Either3<Out<'a, f32>, Out<'a, u16>, Out<'a, i8>>;

#[napi]
pub fn paged_write(
    pages_out: PagesOut<'_>,
    rows: &[f32],
    slots: &[i32],
    kv_heads: u32,
    head_dim: u32,
    block_tokens: u32,
) -> Result<()> {
    let shape = pages(kv_heads, head_dim, block_tokens);
    guard(|| match pages_out {
        Either3::A(out) => attention::paged_write(out, rows, slots, shape),
        Either3::B(out) => attention::paged_write(out, rows, slots, shape),
        Either3::C(out) => attention::paged_write(out, rows, slots, shape),
    })
}

#[napi]
pub fn paged_attention(
    out: Out<'_>,
    q: &[f32],
    key_pages: Pages<'_>,
    value_pages: Pages<'_>,
    sequences: &[i32],
    positions: &[i32],
    block_tables: &[i32],
    max_blocks: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    block_tokens: u32,
    scale: f64,
) -> Result<()> {
    let queries = PagedQueries {
        heads: heads as usize,
        sequences,
        positions,
        block_tables,
        max_blocks: max_blocks as usize,
        scale: scale as f32,
    };
    let shape = pages(kv_heads, head_dim, block_tokens);
    guard(|| match (key_pages, value_pages) {
        (Either3::A(keys), Either3::A(values)) => {
            attention::paged_attention(out, q, keys, values, queries, shape)
        }
        (Either3::B(keys), Either3::B(values)) => {
            attention::paged_attention(out, q, keys, values, queries, shape)
        }
        (Either3::C(keys), Either3::C(values)) => {
            attention::paged_attention(out, q, keys, values, queries, shape)
        }
        _ => Err(unknown("pagedAttention", "keys and values of one number format", "two")),
    })
}
