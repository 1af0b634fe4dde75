//! Rotary positions: pairs (i, i + headDim/2) turned by position·θ^(−2i/headDim). Su et al. 2021, Hugging Face's pairing.

use std::cell::RefCell;

use crate::error::{KernelError, Result, check_len, checked_product};

#[derive(Clone, Copy, Debug)]
pub struct Rotary {
    pub heads: usize,
    pub head_dim: usize,
    pub theta: f64,
    /// Turns back: the gradient.
    pub inverse: bool,
}

/// out = x [tokens, heads, headDim], turned.
pub fn rotary(out: &mut [f32], x: &[f32], positions: &[i32], options: Rotary) -> Result<()> {
    check_len("rotary", "x", x.len(), out.len())?;
    check(out, positions, options)?;
    out.copy_from_slice(x);
    rotary_in_place(out, positions, options)
}

fn check(x: &[f32], positions: &[i32], Rotary { heads, head_dim, .. }: Rotary) -> Result<()> {
    check_len("rotary", "x", x.len(), checked_product("rotary", &[positions.len(), heads, head_dim])?)?;
    if head_dim % 2 != 0 || head_dim == 0 {
        return Err(KernelError {
            code: "ERR_BIO_SHAPE",
            operation: "rotary",
            expected: "an even headDim".into(),
            received: head_dim.to_string(),
        });
    }
    Ok(())
}

pub fn rotary_in_place(x: &mut [f32], positions: &[i32], options: Rotary) -> Result<()> {
    check(x, positions, options)?;
    if x.is_empty() {
        return Ok(());
    }
    let Rotary { heads, head_dim, theta, inverse } = options;
    let half = head_dim / 2;
    let sign = if inverse { -1.0 } else { 1.0 };
    TABLE.with_borrow_mut(|table| {
        for (token, &position) in x.chunks_exact_mut(heads * head_dim).zip(positions) {
            let turns = table.turns(theta, half, i64::from(position));
            for head in token.chunks_exact_mut(head_dim) {
                let (first, second) = head.split_at_mut(half);
                for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(turns) {
                    let sin = sign * sin;
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    });
    Ok(())
}

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table { theta: 0.0, half: 0, turns: Vec::new(), single: Vec::new() }) };
}

/// The turns of all positions so far, for the θ and headDim used last: a model asks for the same ones in every layer and step.
struct Table {
    theta: f64,
    half: usize,
    /// Cosine and sine, [position, half].
    turns: Vec<(f32, f32)>,
    /// Those of one position outside the table.
    single: Vec<(f32, f32)>,
}

impl Table {
    /// Positions beyond this are computed as they come, so that a stray one cannot claim gigabytes.
    const POSITIONS: i64 = 1 << 16;

    fn turns(&mut self, theta: f64, half: usize, position: i64) -> &[(f32, f32)] {
        if (self.theta, self.half) != (theta, half) {
            (self.theta, self.half) = (theta, half);
            self.turns.clear();
        }
        if !(0..Self::POSITIONS).contains(&position) {
            self.single.clear();
            extend(&mut self.single, theta, half, position);
            return &self.single;
        }
        let position = position as usize;
        for next in self.turns.len() / half..=position {
            extend(&mut self.turns, theta, half, next as i64);
        }
        &self.turns[position * half..][..half]
    }
}

/// The angle is taken in f64: at position 100,000 f32 would be off by half a degree.
fn extend(turns: &mut Vec<(f32, f32)>, theta: f64, half: usize, position: i64) {
    turns.extend((0..half).map(|i| {
        let (sin, cos) = (position as f64 * theta.powf(-(i as f64) / half as f64)).sin_cos();
        (cos as f32, sin as f32)
    }));
}
