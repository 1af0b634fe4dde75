use bio_kernels::attention::{self, AttentionShape, PageContent, PageShape, PagedQueries};
use bio_kernels::error::Result;
use bio_kernels::rotary::{self, Rotary};

use crate::call::{OrOut, Out, Pages, PagesOut, unknown};

pub fn rotary(
    out: Out<'_>,
    x: OrOut<'_>,
    positions: &[i32],
    heads: u32,
    head_dim: u32,
    theta: f64,
    inverse: bool,
) -> Result<()> {
    let options = Rotary { heads: heads as usize, head_dim: head_dim as usize, theta, inverse };
    match x.0 {
        Some(x) => rotary::rotary(out, x, positions, options),
        None => rotary::rotary_in_place(out, positions, options),
    }
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
    attention::attention(out, log_sum_exp, q, k, v, shape)
}

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
    attention::attention_backward(dq, dk, dv, d_out, q, k, v, out, log_sum_exp, shape)
}

fn pages(kv_heads: u32, head_dim: u32, block_tokens: u32) -> PageShape {
    PageShape {
        kv_heads: kv_heads as usize,
        head_dim: head_dim as usize,
        block_tokens: block_tokens as usize,
    }
}

pub fn paged_write(
    pages_out: PagesOut<'_>,
    rows: &[f32],
    slots: &[i32],
    kv_heads: u32,
    head_dim: u32,
    block_tokens: u32,
    keys: bool,
) -> Result<()> {
    let shape = pages(kv_heads, head_dim, block_tokens);
    let content = if keys { PageContent::Keys } else { PageContent::Values };
    match pages_out {
        PagesOut::F32(out) => attention::paged_write(out, rows, slots, shape, content),
        PagesOut::Bf16(out) => attention::paged_write(out, rows, slots, shape, content),
        PagesOut::Int8(out) => attention::paged_write(out, rows, slots, shape, content),
    }
}

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
    match (key_pages, value_pages) {
        (Pages::F32(keys), Pages::F32(values)) => {
            attention::paged_attention(out, q, keys, values, queries, shape)
        }
        (Pages::Bf16(keys), Pages::Bf16(values)) => {
            attention::paged_attention(out, q, keys, values, queries, shape)
        }
        (Pages::Int8(keys), Pages::Int8(values)) => {
            attention::paged_attention(out, q, keys, values, queries, shape)
        }
        _ => Err(unknown("pagedAttention", "keys and values of one number format", "two")),
    }
}
