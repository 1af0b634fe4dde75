//! What pages are made of: f32, bf16 (as u16), or int8 with a scale per token and head.
//!
//! A head of a block is its tokens' rows [blockTokens, headDim], behind them in int8 the tokens' f32 scales, four bytes each, little-endian.

use std::ops::Range;

use super::PageShape;
use crate::convert::{f32_from_bf16, narrow};
use crate::isa::{Isa, per_isa};
use crate::quantize::quantize_row;

/// A number format of keys and values. To add one: how many values its scales take, how a row is stored, how rows come back as f32.
pub trait PageValue: Copy + Send + Sync + 'static {
    /// Values that the scale of a token and head takes: 0 where the format has none.
    const SCALE_VALUES: usize;

    /// Stores one token's row in the head of a block.
    fn store(isa: Isa, head: &mut [Self], token: usize, row: &[f32], shape: PageShape);

    /// to [rows, width] = rows [rows, headDim] before their scales are applied, zeros beyond headDim.
    fn widen(isa: Isa, to: &mut [f32], rows: &[Self], head_dim: usize, width: usize);

    /// Rows that have that very form already.
    fn as_they_are(_rows: &[Self]) -> Option<&[f32]> {
        None
    }

    /// The scale of a token; asked for where SCALE_VALUES > 0 only.
    fn scale(_head: &[Self], _token: usize, _shape: PageShape) -> f32 {
        1.0
    }

    /// Some tokens' rows, widened: [tokens, width]; in `room` unless the page has that very form.
    fn rows<'a>(
        isa: Isa,
        head: &'a [Self],
        tokens: Range<usize>,
        head_dim: usize,
        width: usize,
        room: &'a mut [f32],
    ) -> &'a [f32] {
        let rows = &head[tokens.start * head_dim..tokens.end * head_dim];
        if let (true, Some(rows)) = (head_dim == width, Self::as_they_are(rows)) {
            return rows;
        }
        let room = &mut room[..tokens.len() * width];
        Self::widen(isa, room, rows, head_dim, width);
        room
    }
}

impl PageValue for f32 {
    const SCALE_VALUES: usize = 0;

    fn store(_: Isa, head: &mut [f32], token: usize, row: &[f32], shape: PageShape) {
        head[token * shape.head_dim..][..shape.head_dim].copy_from_slice(row);
    }

    fn widen(isa: Isa, to: &mut [f32], rows: &[f32], head_dim: usize, width: usize) {
        copy_rows(isa, to, rows, head_dim, width);
    }

    fn as_they_are(rows: &[f32]) -> Option<&[f32]> {
        Some(rows)
    }
}

impl PageValue for u16 {
    const SCALE_VALUES: usize = 0;

    fn store(isa: Isa, head: &mut [u16], token: usize, row: &[f32], shape: PageShape) {
        narrow(isa, &mut head[token * shape.head_dim..][..shape.head_dim], row);
    }

    fn widen(isa: Isa, to: &mut [f32], rows: &[u16], head_dim: usize, width: usize) {
        widen_bf16(isa, to, rows, head_dim, width);
    }
}

impl PageValue for i8 {
    const SCALE_VALUES: usize = 4;

    fn store(isa: Isa, head: &mut [i8], token: usize, row: &[f32], shape: PageShape) {
        let scale = quantize_row(isa, &mut head[token * shape.head_dim..][..shape.head_dim], row);
        let at = scale_of(token, shape);
        head[at].copy_from_slice(&scale.to_le_bytes().map(u8::cast_signed));
    }

    fn widen(isa: Isa, to: &mut [f32], rows: &[i8], head_dim: usize, width: usize) {
        widen_int8(isa, to, rows, head_dim, width);
    }

    fn scale(head: &[i8], token: usize, shape: PageShape) -> f32 {
        let bytes: [i8; 4] = head[scale_of(token, shape)].try_into().expect("four bytes");
        f32::from_le_bytes(bytes.map(i8::cast_unsigned))
    }
}

/// Where a token's int8 scale is in the head of a block.
fn scale_of(token: usize, shape: PageShape) -> Range<usize> {
    let at = shape.block_tokens * shape.head_dim + token * i8::SCALE_VALUES;
    at..at + i8::SCALE_VALUES
}

/// to [rows, width] = f(from [rows, headDim]), zeros behind.
#[inline(always)]
fn each_row<T: Copy>(to: &mut [f32], from: &[T], head_dim: usize, width: usize, f: impl Fn(T) -> f32) {
    for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(head_dim)) {
        let (to, padding) = to.split_at_mut(head_dim);
        for (to, from) in to.iter_mut().zip(from) {
            *to = f(*from);
        }
        padding.fill(0.0);
    }
}

per_isa! {
    fn copy_rows(to: &mut [f32], from: &[f32], head_dim: usize, width: usize) {
        each_row(to, from, head_dim, width, |value| value);
    }
}

per_isa! {
    fn widen_bf16(to: &mut [f32], from: &[u16], head_dim: usize, width: usize) {
        each_row(to, from, head_dim, width, f32_from_bf16);
    }
}

per_isa! {
    fn widen_int8(to: &mut [f32], from: &[i8], head_dim: usize, width: usize) {
        each_row(to, from, head_dim, width, f32::from);
    }
}
