//! What this machine can do at most: bytes read and multiply-adds per second.

use std::time::Instant;

use crate::isa::{self, Isa, per_isa};

/// Bytes per second read from a buffer, best of five passes over it.
pub fn read_bandwidth(bytes: usize, threads: usize) -> f64 {
    let buffer = vec![1u64; bytes.max(1 << 16) / 8];
    let isa = isa::current();
    let share = buffer.len().div_ceil(threads.max(1)).next_multiple_of(32);
    best(5, || {
        std::thread::scope(|scope| {
            for part in buffer.chunks(share) {
                scope.spawn(move || std::hint::black_box(read(isa, part)));
            }
        });
        (8 * buffer.len()) as f64
    })
}

per_isa! {
    fn read(part: &[u64]) -> u64 {
        part.iter().fold(0, |sum, word| sum ^ word)
    }
}

/// A type of multiply-add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peak {
    F32,
    Bf16,
    Int8,
}

/// Operations per second, a multiply-add counting two; 0 where the machine lacks the instruction.
pub fn peak(kind: Peak, threads: usize) -> f64 {
    let isa = isa::current();
    let rounds = 2_000_000u64;
    let operations_per_round = match (kind, isa) {
        (Peak::F32, Isa::Avx512 | Isa::Avx512Bf16) => 16 * 16 * 2,
        (Peak::F32, _) => 16 * 8 * 2,
        (Peak::Bf16, Isa::Avx512Bf16) => 16 * 32 * 2,
        (Peak::Int8, Isa::Avx512 | Isa::Avx512Bf16) => 16 * 64 * 2,
        _ => return 0.0,
    };
    best(3, || {
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(move || std::hint::black_box(spin(kind, isa, rounds)));
            }
        });
        (rounds * operations_per_round * threads.max(1) as u64) as f64
    })
}

/// Sixteen independent chains, so that no instruction waits for another.
fn spin(kind: Peak, isa: Isa, rounds: u64) -> f32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the tiers have the features.
    unsafe {
        match (kind, isa) {
            (Peak::F32, Isa::Avx512 | Isa::Avx512Bf16) => return x86::f32_chains(rounds),
            (Peak::Bf16, Isa::Avx512Bf16) => return x86::bf16_chains(rounds),
            (Peak::Int8, Isa::Avx512 | Isa::Avx512Bf16) => return x86::int8_chains(rounds),
            _ => {}
        }
    }
    let _ = kind;
    chains(isa, rounds)
}

per_isa! {
    fn chains(rounds: u64) -> f32 {
        let mut sums = [[1.0f32; 8]; 16];
        let (factor, term) = (std::hint::black_box(0.999), std::hint::black_box(0.001));
        for _ in 0..rounds {
            for sums in &mut sums {
                for sum in sums {
                    *sum = crate::isa::mul_add::<FMA>(*sum, factor, term);
                }
            }
        }
        sums.iter().flatten().sum()
    }
}

fn best(passes: u32, mut pass: impl FnMut() -> f64) -> f64 {
    (0..passes).fold(0.0, |best, _| {
        let start = Instant::now();
        let done = pass();
        f64::max(best, done / start.elapsed().as_secs_f64())
    })
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    #[target_feature(enable = "avx512f")]
    pub fn f32_chains(rounds: u64) -> f32 {
        let mut sums = [_mm512_set1_ps(1.0); 16];
        // The compiler must not know the numbers: it would do the sums itself.
        let (factor, term) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, term);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum()
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub fn bf16_chains(rounds: u64) -> f32 {
        let mut sums = [_mm512_set1_ps(1.0); 16];
        let half = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5), _mm512_set1_ps(0.25));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, half, half);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum()
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn int8_chains(rounds: u64) -> f32 {
        let mut sums = [_mm512_set1_epi32(1); 16];
        let one = _mm512_set1_epi8(1);
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, one, one);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_epi32(*sum) as f32).sum()
    }
}
