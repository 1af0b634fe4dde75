//! What the property tests share: noise, tiers, and how near is near enough.
#![allow(dead_code)] // Each test binary uses its own part.

use bio_kernels::isa::{self, Isa};
use proptest::test_runner::Config;

/// So many cases, or `PROPTEST_CASES`; failures are printed with their input, no file is written.
pub fn cases(cases: u32) -> Config {
    let default = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { default } else { Config { cases, ..default } }
}

/// Reproducible values in ±size, as a slice that begins one element into its allocation, so that nothing is aligned by luck.
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> f64 {
        // Splitmix64: Steele et al. 2014.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn floats(&mut self, length: usize, size: f64) -> Vec<f32> {
        (0..length).map(|_| ((self.next() * 2.0 - 1.0) * size) as f32).collect()
    }

    pub fn integers(&mut self, length: usize, limit: usize) -> Vec<i32> {
        (0..length).map(|_| (self.next() * limit as f64) as i32).collect()
    }

    /// Row ranges of experts over `rows` rows, some of them empty.
    pub fn offsets(&mut self, rows: usize, experts: usize) -> Vec<i32> {
        let mut cuts = self.integers(experts - 1, rows + 1);
        cuts.sort_unstable();
        [vec![0], cuts, vec![rows as i32]].concat()
    }
}

/// Runs `body` on every tier of this machine and hands it the tier's name.
pub fn on_every_tier(mut body: impl FnMut(&str)) {
    for tier in isa::available() {
        isa::with(tier, || body(Isa::name(tier)));
    }
}

/// |found − truth| ≤ (2⁻²⁴·depth + slack)·max(1, max|truth|): the bound of a sum of `depth` rounded products in any order.
pub fn assert_close(what: &str, found: &[f32], truth: &[f64], depth: usize, slack: f64) {
    assert_eq!(found.len(), truth.len(), "{what}");
    let size = truth.iter().fold(1.0, |size: f64, value| size.max(value.abs()));
    let bound = ((2.0f64).powi(-24) * (depth as f64 + 4.0) + slack) * size;
    for (i, (&found, &truth)) in found.iter().zip(truth).enumerate() {
        let error = (f64::from(found) - truth).abs();
        assert!(error <= bound, "{what}: value {i} is {found}, not {truth}: {error:e} above {bound:e}");
    }
}

pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().copied().map(f64::from).collect()
}

pub fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// ∂(Σ d·f(x))/∂x by central differences in f64.
pub fn gradient(x: &[f64], d: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let step = 1e-6;
    let loss = |x: &[f64]| -> f64 { f(x).iter().zip(d).map(|(y, d)| y * d).sum() };
    (0..x.len())
        .map(|i| {
            let moved = |by: f64| {
                let mut x = x.to_vec();
                x[i] += by;
                loss(&x)
            };
            (moved(step) - moved(-step)) / (2.0 * step)
        })
        .collect()
}
