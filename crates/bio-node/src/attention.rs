use bio_kernels::attention::{self, AttentionShape, PageShape, PagedQueries};
use bio_kernels::rotary::{self, Rotary};
use napi_derive::napi;

use crate::guard::{Out, Result, guard};

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

#[napi]
pub fn paged_write(
    pages_out: Out<'_>,
    rows: &[f32],
    slots: &[i32],
    kv_heads: u32,
    head_dim: u32,
    block_tokens: u32,
) -> Result<()> {
    guard(|| attention::paged_write(pages_out, rows, slots, pages(kv_heads, head_dim, block_tokens)))
}

#[napi]
pub fn paged_attention(
    out: Out<'_>,
    q: &[f32],
    key_pages: &[f32],
    value_pages: &[f32],
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
    let pages = pages(kv_heads, head_dim, block_tokens);
    guard(|| attention::paged_attention(out, q, key_pages, value_pages, queries, pages))
}
