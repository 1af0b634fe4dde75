//! Energy counters, read by a thread of their own, so that a blocked event loop loses none of them. What the reads mean is decided in
//! JavaScript.

mod counter_file;
mod counter_sampler;
mod failures;
mod nvml;
mod ring;
mod sampler;
